"""Floor plans as drawings: every shape and transform against places known otherwise, and drawings that are hostile."""

import math
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.errors import UserError
from espnow.plan import drawing, planfile
from espnow.plan.layout import lay_out

ROOT = Path(__file__).parents[2]


def svg(inside, head='viewBox="0 0 100 50"'):
    return f'<svg xmlns="http://www.w3.org/2000/svg" {head}>{inside}</svg>'.encode()


def lines_of(inside, **options):
    return [line for shape in drawing.parse(svg(inside, **options)).shapes for line in shape.lines]


def path_of(text):
    """Return the corners of a path that is one line without a gap."""
    lines = lines_of(f'<path d="{text}"/>')
    return [lines[0][0], *(end for _, end in lines)]


SQUARE = [((1, 2), (4, 2)), ((4, 2), (4, 6)), ((4, 6), (1, 6)), ((1, 6), (1, 2))]


@pytest.mark.parametrize(
    ("shape", "lines"),
    [
        ('<line x1="1" y1="2" x2="3" y2="4"/>', [((1, 2), (3, 4))]),
        ('<line x1="1px" x2="3e0"/>', [((1, 0), (3, 0))]),
        ('<line x1="1" y1="2" x2="1" y2="2"/>', []),
        ('<rect x="1" y="2" width="3" height="4" rx="1"/>', SQUARE),
        ('<polyline points="1,2 3,4,5 6"/>', [((1, 2), (3, 4)), ((3, 4), (5, 6))]),
        ('<polygon points="1 2 4 2 4 6 1 6"/>', SQUARE),
        ('<polyline points="1"/>', []),
        ('<path d=""/>', []),
        ('<g><a><switch><line x2="9"/></switch></a></g>', [((0, 0), (9, 0))]),
        # What is no line, or is not shown.
        ('<circle r="3"/><text x="1">wall</text><image href="http://example.com/a.png"/>', []),
        ('<defs><line x2="9"/></defs><symbol><g><line x2="9"/></g></symbol>', []),
        ('<g style="display:none"><line x2="9"/></g><line x2="9" visibility="hidden"/><g display="none"/>', []),
        ('<o:line xmlns:o="urn:other" x2="9"/>', []),
    ],
)
def test_a_shape_is_its_lines(shape, lines):
    assert lines_of(shape) == lines


@pytest.mark.parametrize(
    ("text", "corners"),
    [
        ("M1,2L3,4", [(1, 2), (3, 4)]),
        ("M 1 2 3 4 5 6", [(1, 2), (3, 4), (5, 6)]),
        ("m1 2 3 4 5 6", [(1, 2), (4, 6), (9, 12)]),
        ("M1 2h3v4H1z", [(1, 2), (4, 2), (4, 6), (1, 6), (1, 2)]),
        ("M1 2 L3 4l-1-1.5.5.5", [(1, 2), (3, 4), (2, 2.5), (2.5, 3)]),
        ("M0 0 V 1e1 h-.5", [(0, 0), (0, 10), (-0.5, 10)]),
    ],
)
def test_straight_paths(text, corners):
    assert path_of(text) == corners


def test_a_path_goes_on_where_it_was_closed_and_lifts_its_pen():
    assert lines_of('<path d="M1 1 h2 v2 z l5 0 M 7 7 h1"/>') == [
        ((1, 1), (3, 1)),
        ((3, 1), (3, 3)),
        ((3, 3), (1, 1)),
        ((1, 1), (6, 1)),
        ((7, 7), (8, 7)),
    ]


@pytest.mark.parametrize(
    ("text", "middle"),
    [
        ("M0 0 C0 4 4 4 4 0", (2, 3)),
        ("M9 9 m-9 -9 c0 4 4 4 4 0", (2, 3)),
        ("M0 0 Q2 4 4 0", (2, 2)),
        ("M0 0 q2 4 4 0", (2, 2)),
        ("M-4 0 Q -2 -4 0 0 T 4 0", None),
        ("M-4 0 C -4 -4 0 -4 0 0 S 4 4 4 0", None),
    ],
)
def test_curves_pass_through_their_middle_and_end_where_they_end(text, middle):
    corners = path_of(text)
    assert corners[-1] == (4, 0)
    if middle:
        assert corners[len(corners) // 2] == pytest.approx(middle)
    else:  # the second half is the first one, turned
        half = len(corners) // 2
        turned = [(-x, -y) for x, y in reversed(corners[:half])]
        assert [at for pair in corners[half + 1 :] for at in pair] == pytest.approx([at for p in turned for at in p])


@pytest.mark.parametrize(
    ("text", "centre", "length"),
    [
        ("M5 0 A5 5 0 0 1 0 5", (0, 0), 5 * math.pi / 2),
        ("M5 0 A5 5 0 1 1 0 5", (5, 5), 5 * math.pi * 3 / 2),
        ("M5 0 A5 5 0 0 0 0 5", (5, 5), 5 * math.pi / 2),
        ("M5 0a5 5 0 10-5 5", (0, 0), 5 * math.pi * 3 / 2),
        ("M5 0 A5 5 77 01-5 0", (0, 0), 5 * math.pi),
        ("M5 0 A1 1 0 0 1 -5 0", (0, 0), 5 * math.pi),  # too small: it grows
    ],
)
def test_arcs_of_a_circle_stay_on_it(text, centre, length):
    corners = path_of(text)
    assert all(math.dist(corner, centre) == pytest.approx(5) for corner in corners)
    assert sum(map(math.dist, corners, corners[1:])) == pytest.approx(length, rel=0.005)


def test_an_arc_of_an_ellipse_is_on_it_and_one_without_radius_is_a_line():
    for x, y in path_of("M6 0 A6 3 0 0 1 0 3"):
        assert (x / 6) ** 2 + (y / 3) ** 2 == pytest.approx(1)
    turned = path_of("M0 6 A6 3 90 0 1 -3 0")
    assert all((x / 3) ** 2 + (y / 6) ** 2 == pytest.approx(1) for x, y in turned)
    assert path_of("M0 0 A0 3 0 0 1 4 0") == [(0, 0), (4, 0)]


@pytest.mark.parametrize(
    ("transform", "at"),
    [
        ("translate(10)", (13, 4)),
        ("translate(10,20)", (13, 24)),
        ("scale(2)", (6, 8)),
        ("scale(2 , 3)", (6, 12)),
        ("rotate(90)", (-4, 3)),
        ("rotate(90 3 3)", (2, 3)),
        ("skewX(45)", (7, 4)),
        ("skewY(45)", (3, 7)),
        ("matrix(1 2 3 4 5 6)", (20, 28)),
        ("translate(10) scale(2), rotate(90)", (2, 6)),
        ("", (3, 4)),
    ],
)
def test_a_transform_moves_what_is_in_it(transform, at):
    ((_, end),) = lines_of(f'<g transform="{transform}"><line x2="3" y2="4"/></g>')
    assert end == pytest.approx(at)


def test_transforms_of_groups_go_from_the_outside_in():
    ((begin, end),) = lines_of('<g transform="scale(2)"><g><line transform="translate(1 1)" x2="1"/></g></g>')
    assert (begin, end) == ((2, 2), (4, 2))


# What lines are called, and where they come to be.


@pytest.mark.parametrize(
    "shape",
    [
        '<line x2="9" class="thick Brick"/>',
        '<line x2="9" id="brick"/>',
        '<line x2="9" stroke="brick"/>',
        '<line x2="9" stroke="red" style="fill:none;stroke: BRICK "/>',
        '<g class="brick"><g stroke="#000"><line x2="9"/></g></g>',
        '<g i:label="Brick" xmlns:i="http://www.inkscape.org/namespaces/inkscape"><line x2="9"/></g>',
    ],
)
def test_a_line_is_called_by_class_label_stroke_and_id_and_by_its_groups(shape):
    (wall,) = drawing.walls_of(drawing.parse(svg(shape)), 1, {"brick": 8})
    assert wall.loss_db == 8


def test_the_nearest_name_counts_and_a_line_without_one_is_no_wall():
    drawn = drawing.parse(
        svg('<g class="brick"><line x2="9" stroke="#F00"/><line x2="8"/></g><line x2="7" stroke="#00f"/>')
    )
    walls = drawing.walls_of(drawn, 1, {"brick": 8, "#ff0000": 3})
    assert [(wall.end[0], wall.loss_db) for wall in walls] == [(9, 3), (8, 8)]
    assert drawing.walls_of(drawn, 1, {}) == ()


def test_north_is_up_and_the_lower_left_corner_is_the_origin():
    drawn = drawing.parse(svg('<line id="w" x1="10" y1="70" x2="20" y2="30"/>', head='viewBox="10 20 100 50"'))
    (wall,) = drawing.walls_of(drawn, 0.5, {"w": 1})
    assert (wall.begin, wall.end) == ((0, 0), (5, 20))


@pytest.mark.parametrize(
    ("head", "size"), [('viewBox="1,2,3,4" width="9"', (3, 4)), ('width="30mm" height="40.5px"', (30, 40.5))]
)
def test_the_size_is_that_of_the_view_box_or_else_of_the_picture(head, size):
    assert drawing.parse(svg("", head=head)).size == size


# Drawings that are wrong, or hostile.

ENTITY = b'<!DOCTYPE svg [<!ENTITY a "%s">]><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">&a;</svg>'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is no SVG: no element found"),
        (b"<svg", "it is no SVG: unclosed token"),
        (b"\x89PNG\r\n", "it is no SVG: "),
        (b"<html></html>", "line 1: it is no SVG, but begins with html"),
        (b'<svg xmlns="urn:x" viewBox="0 0 1 1"/>', "it is no SVG, but begins with svg"),
        (b'<?xml version="1.0" encoding="x-none"?><svg/>', "it is no SVG"),
        (svg("", head=""), "it has no size: its viewBox is four numbers"),
        (svg("", head='viewBox="0 0 0 1"'), "it has no size"),
        (svg("", head='viewBox="0 0 1e99 1"'), "it has no size"),
        (svg("", head='viewBox="0 0 a b"'), "0 0 a b is no list of numbers"),
        (svg("", head='width="100%" height="auto"'), "it has no size"),
        (ENTITY % b"x", "line 1: it declares an entity, and a drawing needs none"),
        (ENTITY.replace(b'"%s"', b'SYSTEM "file:///etc/passwd"'), "it declares an entity"),
        (svg("<g>" * 200 + "</g>" * 200), "it is nested more than 100 deep"),
        (svg('<line x2="9mm"/>'), "x2 is 9mm, and must be a number without a unit"),
        (svg('\n<line x2="1e999"/>'), "line 2: a line is farther away than 1e9"),
        (svg('<g transform="scale(1e300)"><g transform="scale(1e300)"><line x2="1"/></g></g>'), "farther away"),
        (svg('<g transform="turn(3)"/>'), "turn(3) is no transform"),
        (svg('<g transform="rotate(1 2)"/>'), "rotate(1 2) is no transform"),
        (svg('<g transform="scale(x)"/>'), "x is no list of numbers"),
        (svg('<polyline points="1 2 a"/>'), "1 2 a is no list of numbers"),
        (svg('<path d="L 1 2"/>'), "a path begins with M"),
        (svg('<path d="1 2"/>'), "1 2 is no command of a path"),
        (svg('<path d="M 1 2 X 3"/>'), "X is no command of a path"),
        (svg('<path d="M 1"/>'), "a path has its end where a number must be"),
        (svg('<path d="M 1 2 z 3"/>'), "3 is no command of a path"),
        (svg('<path d="M 0 0 A 1 1 0 2 0 1 1"/>'), "an arc has two flags, each 0 or 1"),
        (svg('<path d="M0 0' + "h1" * 100_001 + '"/>'), "it has more than 100,000 lines"),
    ],
)
def test_a_drawing_that_is_none_is_told_where(content, told):
    with pytest.raises(ValueError) as error:
        drawing.parse(content)
    assert told in str(error.value)
    assert str(error.value).isprintable()


def test_entities_are_not_expanded_however_many_there_are():
    laughs = "".join(f'<!ENTITY a{number} "{f"&a{number - 1};" * 10}">' for number in range(1, 30))
    content = f'<!DOCTYPE svg [<!ENTITY a0 "ha">{laughs}]><svg viewBox="0 0 1 1">&a29;</svg>'.encode()
    with pytest.raises(ValueError, match="it declares an entity"):
        drawing.parse(content)


def test_the_document_type_of_old_programs_is_taken():
    head = b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    assert drawing.parse(head + svg('<line x2="1"/>')).shapes


LINE = '<line x2="1"/>'


@pytest.mark.parametrize(
    "inside",
    [
        f'<g transform="{" " * 500_000}"/>',
        f'<g transform="{" " * 500_000}scale(1"/>',
        f'<g transform="{"scale(1) " * 50_000}"/>',
        f'<polyline points="{"1" * 500_000}"/>',
        f'<polyline points="{"1e" * 250_000}"/>',
        f'<path d="M0 0{" " * 500_000}x"/>',
        f'<g class="{"a " * 250_000}">{LINE * 2000}</g>',
        f'<g style="{";" * 500_000}"/>',
    ],
    ids=["spaces", "open", "transforms", "digits", "exponents", "path", "classes", "style"],
)
def test_the_time_that_a_drawing_takes_grows_no_faster_than_it(inside):
    begin_s = time.process_time()
    try:
        drawing.parse(svg(inside))
    except ValueError:
        pass
    assert time.process_time() - begin_s < 5  # what grows with the square takes minutes


TEXT = st.text('MmLlHhVvCcSsQqTtAaZz0123456789.-+e, "()\n', max_size=30)
TAGS = st.sampled_from(["line", "rect", "polyline", "polygon", "path", "g", "use", "defs"])
NAMES = st.sampled_from(["x1", "y2", "width", "height", "points", "d", "transform", "style", "class", "stroke"])


@given(TAGS, st.dictionaries(NAMES, TEXT, max_size=4))
def test_whatever_a_shape_says_is_taken_or_refused(tag, attributes):
    listed = " ".join(f'{name}="{value.replace(chr(34), "")}"' for name, value in attributes.items())
    try:
        found = drawing.parse(svg(f"<{tag} {listed}/>"))
    except ValueError as error:
        assert str(error).isprintable()
    else:
        assert all(math.isfinite(v) for shape in found.shapes for line in shape.lines for at in line for v in at)


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_is_a_drawing_or_is_refused(content):
    for document in (content, svg("")[:-6] + content):
        try:
            drawing.parse(document)
        except ValueError as error:
            assert str(error).isprintable()


# In a plan.

PLAN = """\
duration = "1s"
[floor]
drawing = "house.svg"
scale = 0.5
materials = {brick = 8}
[[station]]
name = "a"
grid = 10
count = 2
[[traffic]]
from = "a"
to = "all"
every = "1s"
"""
HOUSE = svg('<line class="brick" x1="10" x2="10" y2="50"/><rect stroke="#abc" width="1" height="1"/>')


@pytest.fixture
def house(tmp_path):
    (tmp_path / "house.svg").write_bytes(HOUSE)
    (tmp_path / "walls.csv").write_text("x1_m,y1_m,x2_m,y2_m,loss_db\n0,1,2,3,4\n")


@pytest.mark.usefixtures("house")
def test_a_plan_has_the_walls_of_its_drawing_its_file_and_its_own(write):
    own = "[[floor.wall]]\nfrom = [1, 1]\nto = [2, 2]\nloss = 3\n[sweep]\nfloor.materials.brick = [8, 9]\n"
    text = PLAN.replace("[[station]]", 'walls = "walls.csv"\n[[station]]') + own
    first, second = (point.part.floor for point in planfile.read(write(text)).points)
    assert first.size == (50, 25)
    assert [(wall.begin, wall.end, wall.loss_db) for wall in first.walls] == [
        ((5, 25), (5, 0), 8),
        ((0, 1), (2, 3), 4),
        ((1, 1), (2, 2), 3),
    ]
    assert second.walls[0].loss_db == 9
    layout = lay_out(planfile.read(write(PLAN)).points[0].part, 1)
    assert layout.scene.propagation.walls_db((0, 1), (10, 1)) == 8


@pytest.mark.usefixtures("house")
def test_another_drawing_is_another_point(write, tmp_path):
    path = write(PLAN)
    before = planfile.read(path).points[0].key
    (tmp_path / "house.svg").write_bytes(HOUSE.replace(b'x1="10"', b'x1="11"'))
    assert planfile.read(path).points[0].key != before


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("house.svg", "none.svg", 'floor.drawing: "none.svg" is not the name of an SVG file: No such file'),
        ("house.svg", "plan.toml", 'floor.drawing: "plan.toml" is not the name of an SVG file: it is no SVG: '),
        ("house.svg", ".", 'floor.drawing: "." is not the name of an SVG file: Is a directory'),
        ("scale = 0.5\n", "", "floor: a drawing needs scale: how many metres one of its units is"),
        ("scale = 0.5", "scale = 0", "floor.scale: 0 is not a number of metres from 1e-6 to 1e6"),
        ("scale = 0.5", "scale = 0.05", "station[0]: [10, 0] is outside the floor, which is [0, 0] to [5, 2.5]"),
        ("scale = 0.5", "scale = 0.5\nsize = [1, 1]", "floor: size and drawing do not go together"),
        ('drawing = "house.svg"\n', "", "floor: scale and materials are a drawing's: write drawing"),
        ("{brick = 8}", "{brick = -8}", 'floor.materials: {"brick": -8} is not a table of names with dB from 0 to 300'),
        ("{brick = 8}", "{}", "floor.materials: {} is not a table of names"),
        ("{brick = 8}", "8", "floor.materials: 8 is not a table of names"),
        ("{brick = 8}", "{glass = 8}", "floor: nothing in the drawing is glass; there is brick, #aabbcc"),
        ("scale", 'walls = "none.csv"\nscale', 'floor.walls: "none.csv" is not the name of a CSV file of walls, x1_m'),
        ("scale", 'walls = "bad.csv"\nscale', "bad.csv, line 2: loss_db is '-1', and must be a number from 0 to 300"),
    ],
)
def test_a_mistake_is_told_in_one_line(write, tmp_path, old, new, told):
    (tmp_path / "bad.csv").write_text("x1_m,y1_m,x2_m,y2_m,loss_db\n0,1,2,3,-1\n")
    path = write(PLAN.replace(old, new))
    with pytest.raises(UserError) as error:
        planfile.read(path)
    line = str(error.value)
    assert line.isprintable()
    assert line.startswith(f"{path}: ")
    assert told in line.replace(f"{tmp_path}/", "")


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "_MOST_BYTES", 10)
    (tmp_path / "house.svg").write_bytes(HOUSE)
    with pytest.raises(ValueError, match="it has more than 10 bytes"):
        drawing.read(tmp_path / "house.svg")


def test_too_many_walls_are_refused(monkeypatch):
    drawn = drawing.parse(svg('<path id="w" d="M0 0h1h1h1"/>'))
    monkeypatch.setattr(drawing, "_MOST_WALLS", 2)
    with pytest.raises(ValueError, match="these are 3 walls, more than 2"):
        drawing.walls_of(drawn, 1, {"w": 1})


def test_the_office_is_drawn_as_its_plan_says():
    (first, *_) = planfile.read(ROOT / "examples" / "plans" / "office.toml").points
    assert first.part.floor.size == (30, 18)
    losses = {wall.loss_db for wall in first.part.floor.walls}
    assert losses == {12, 4, 3}
    assert len([wall for wall in first.part.floor.walls if wall.loss_db == 12]) == 4

"""framebuf against a second, naive drawing of the same things, in every format."""

import random
from array import array

import pytest

from espnow.board.font import CELL, glyph
from espnow.micropython import framebuf as module

FORMATS = {
    "MONO_VLSB": (module.MONO_VLSB, 1),
    "RGB565": (module.RGB565, 16),
    "GS4_HMSB": (module.GS4_HMSB, 4),
    "MONO_HLSB": (module.MONO_HLSB, 1),
    "MONO_HMSB": (module.MONO_HMSB, 1),
    "GS2_HMSB": (module.GS2_HMSB, 2),
    "GS8": (module.GS8, 8),
}

WIDTH, HEIGHT = 19, 13


@pytest.fixture
def framebuf(rig):
    return rig.module("framebuf")


def make(name, width=WIDTH, height=HEIGHT, stride=None):
    format, bits = FORMATS[name]
    buffer = bytearray(((stride or width) + 8) * (height + 8) * max(bits, 8) // 8)
    arguments = (buffer, width, height, format) + (() if stride is None else (stride,))
    return module.FrameBuffer(*arguments), buffer


def picture(buffer, width=WIDTH, height=HEIGHT):
    return [[buffer.pixel(x, y) for x in range(width)] for y in range(height)]


def scribble(buffer, name, seed=1, width=WIDTH, height=HEIGHT):
    chance = random.Random(seed)
    most = (1 << FORMATS[name][1]) - 1
    rows = [[chance.randint(0, most) for _ in range(width)] for _ in range(height)]
    for y, row in enumerate(rows):
        for x, colour in enumerate(row):
            buffer.pixel(x, y, colour)
    return rows


# Layouts: the document's own words, byte by byte.

LAYOUTS = [
    ("MONO_VLSB", (3, 9), 1, 19 + 3, 0b0000_0010),
    ("MONO_VLSB", (0, 0), 1, 0, 0b0000_0001),
    ("MONO_HLSB", (0, 1), 1, 3, 0b1000_0000),
    ("MONO_HLSB", (9, 0), 1, 1, 0b0100_0000),
    ("MONO_HMSB", (0, 1), 1, 3, 0b0000_0001),
    ("MONO_HMSB", (9, 0), 1, 1, 0b0000_0010),
    ("GS2_HMSB", (1, 0), 2, 0, 0b0000_1000),
    ("GS4_HMSB", (0, 0), 0xA, 0, 0xA0),
    ("GS4_HMSB", (1, 0), 0xA, 0, 0x0A),
    ("GS8", (2, 1), 0xAB, 21, 0xAB),
    ("RGB565", (1, 0), 0xF80F, 2, 0x0F),
    ("RGB565", (1, 0), 0xF80F, 3, 0xF8),
]


@pytest.mark.parametrize(("name", "at", "colour", "place", "byte"), LAYOUTS)
def test_where_a_pixel_lies(name, at, colour, place, byte):
    buffer, data = make(name)
    buffer.pixel(*at, colour)
    assert data[place] == byte
    assert buffer.pixel(*at) == colour


@pytest.mark.parametrize("name", FORMATS)
def test_pixels_are_apart(name):
    buffer, _ = make(name)
    rows = scribble(buffer, name)
    assert picture(buffer) == rows


@pytest.mark.parametrize("name", FORMATS)
def test_colours_are_cut_to_what_a_pixel_holds(name):
    buffer, _ = make(name)
    bits = FORMATS[name][1]
    buffer.pixel(5, 5, 0x1_0004)
    buffer.fill_rect(8, 8, 3, 1, 0x1_0004)
    expected = 1 if bits == 1 else 0x1_0004 & ((1 << bits) - 1)
    assert [buffer.pixel(5, 5), buffer.pixel(8, 8), buffer.pixel(9, 8)] == [expected] * 3


@pytest.mark.parametrize("name", FORMATS)
def test_beyond_the_edges_there_is_nothing(name):
    buffer, data = make(name)
    for x, y in [(-1, 0), (0, -1), (WIDTH, 0), (0, HEIGHT), (1000, 1000)]:
        assert buffer.pixel(x, y) is None
        buffer.pixel(x, y, 1)
    assert not any(data)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seed", range(12))
def test_rectangles_against_pixels(name, seed):
    chance = random.Random(seed)
    buffer, data = make(name)
    rows = scribble(buffer, name, seed)
    beyond = bytes(data[-16:])
    colour = chance.randint(0, (1 << FORMATS[name][1]) - 1)
    x, y, w, h = (chance.randint(-6, 20), chance.randint(-6, 15), chance.randint(0, 24), chance.randint(0, 16))
    kind = seed % 4
    if kind == 0:
        buffer.fill_rect(x, y, w, h, colour)
        inside = [(a, b) for a in range(x, x + w) for b in range(y, y + h)]
    elif kind == 1:
        buffer.rect(x, y, w, h, colour, True)
        inside = [(a, b) for a in range(x, x + w) for b in range(y, y + h)]
    elif kind == 2:
        buffer.hline(x, y, w, colour)
        inside = [(a, y) for a in range(x, x + w)]
    else:
        buffer.vline(x, y, h, colour)
        inside = [(x, b) for b in range(y, y + h)]
    for a, b in inside:
        if 0 <= a < WIDTH and 0 <= b < HEIGHT:
            rows[b][a] = colour
    assert picture(buffer) == rows
    assert bytes(data[-16:]) == beyond


@pytest.mark.parametrize("name", FORMATS)
def test_fill(name):
    buffer, _ = make(name)
    colour = (1 << FORMATS[name][1]) - 2 or 1
    buffer.fill(colour)
    assert picture(buffer) == [[colour] * WIDTH] * HEIGHT


def test_outline_of_a_rectangle():
    buffer, _ = make("GS8")
    buffer.rect(2, 3, 5, 4, 7)
    rows = picture(buffer)
    assert rows[3][2:7] == rows[6][2:7] == [7] * 5
    assert [row[2:7] for row in rows[4:6]] == [[7, 0, 0, 0, 7]] * 2
    assert sum(map(sum, rows)) == 14 * 7


@pytest.mark.parametrize("name", ["MONO_VLSB", "GS8", "RGB565", "MONO_HLSB"])
@pytest.mark.parametrize("step", [(0, 0), (3, 0), (-3, 0), (0, 2), (0, -2), (5, -4), (-1, 1), (40, 0), (0, -40)])
def test_scroll_keeps_what_is_uncovered(name, step):
    buffer, _ = make(name)
    rows = scribble(buffer, name)
    buffer.scroll(*step)
    dx, dy = step
    for y in range(HEIGHT):
        for x in range(WIDTH):
            inside = 0 <= x - dx < WIDTH and 0 <= y - dy < HEIGHT
            assert buffer.pixel(x, y) == (rows[y - dy][x - dx] if inside else rows[y][x])


@pytest.mark.parametrize("seed", range(30))
def test_lines_are_thin_unbroken_and_end_where_they_should(seed):
    chance = random.Random(seed)
    x1, x2 = chance.randint(0, 18), chance.randint(0, 18)
    y1, y2 = chance.randint(0, 12), chance.randint(0, 12)
    buffer, _ = make("GS8")
    buffer.line(x1, y1, x2, y2, 1)
    lit = [(x, y) for y in range(HEIGHT) for x in range(WIDTH) if buffer.pixel(x, y)]
    assert len(lit) == max(abs(x2 - x1), abs(y2 - y1)) + 1
    assert {(x1, y1), (x2, y2)} <= set(lit)
    long = max(abs(x2 - x1), abs(y2 - y1)) or 1
    for x, y in lit:  # at most half a pixel from the line
        along = abs(x - x1) if abs(x2 - x1) >= abs(y2 - y1) else abs(y - y1)
        assert abs(x - (x1 + (x2 - x1) * along / long)) <= 0.5
        assert abs(y - (y1 + (y2 - y1) * along / long)) <= 0.5


def test_a_line_may_begin_and_end_outside():
    buffer, _ = make("GS8")
    buffer.line(-5, -5, 40, 40, 1)
    assert picture(buffer) == [[int(x == y) for x in range(WIDTH)] for y in range(HEIGHT)]


@pytest.mark.parametrize("radii", [(0, 0), (1, 1), (4, 4), (6, 3), (3, 6), (0, 5), (5, 0)])
def test_ellipse_is_symmetric_and_on_its_curve(radii):
    xr, yr = radii
    buffer, _ = make("GS8")
    buffer.ellipse(9, 6, xr, yr, 1)
    lit = {(x - 9, y - 6) for y in range(HEIGHT) for x in range(WIDTH) if buffer.pixel(x, y)}
    assert lit == {(-x, y) for x, y in lit} == {(x, -y) for x, y in lit}
    assert {(xr, 0), (0, yr)} <= lit
    for x, y in lit if xr and yr else ():
        inner = max(abs(x) - 0.5, 0) ** 2 / xr**2 + max(abs(y) - 0.5, 0) ** 2 / yr**2
        outer = (abs(x) + 0.5) ** 2 / xr**2 + (abs(y) + 0.5) ** 2 / yr**2
        assert inner <= 1 <= outer


def test_filled_ellipse_has_its_outline_and_no_holes():
    outline, _ = make("GS8")
    filled, _ = make("GS8")
    outline.ellipse(9, 6, 7, 5, 1)
    filled.ellipse(9, 6, 7, 5, 1, True)
    for row, whole in zip(picture(outline), picture(filled), strict=True):
        lit = [x for x, pixel in enumerate(row) if pixel]
        assert whole == [int(bool(lit) and lit[0] <= x <= lit[-1]) for x in range(WIDTH)]


@pytest.mark.parametrize(("mask", "sides"), [(1, (1, -1)), (2, (-1, -1)), (4, (-1, 1)), (8, (1, 1))])
def test_quadrants_of_an_ellipse(mask, sides):
    buffer, _ = make("GS8")
    buffer.ellipse(9, 6, 5, 5, 1, False, mask)
    lit = [(x - 9, y - 6) for y in range(HEIGHT) for x in range(WIDTH) if buffer.pixel(x, y)]
    assert lit
    assert all(x * sides[0] >= 0 and y * sides[1] >= 0 for x, y in lit)


def test_polygon():
    outline, _ = make("GS8")
    filled, _ = make("GS8")
    corners = array("h", [0, 0, 8, 0, 8, 6, 0, 6])
    outline.poly(2, 3, corners, 1)
    filled.poly(2, 3, corners, 1, True)
    expected, _ = make("GS8")
    expected.rect(2, 3, 9, 7, 1)
    assert picture(outline) == picture(expected)
    expected.rect(2, 3, 9, 7, 1, True)
    assert picture(filled) == picture(expected)


def test_concave_polygon_leaves_its_notch():
    buffer, _ = make("GS8")
    buffer.poly(0, 0, array("h", [0, 0, 6, 6, 12, 0, 12, 12, 0, 12]), 1, True)
    rows = picture(buffer)
    assert rows[3][0:13] == [1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert rows[9][0:13] == [1] * 13


def test_text_is_the_glyphs_cell_by_cell():
    buffer, _ = make("GS8", 40, 16)
    buffer.text("Ab~", 5, 3, 9)
    for number, letter in enumerate("Ab~"):
        for column, bits in enumerate(glyph(ord(letter))):
            for row in range(CELL):
                assert buffer.pixel(5 + number * CELL + column, 3 + row) == (9 if bits >> row & 1 else 0)


def test_text_lights_only_and_is_cut_at_the_edges():
    buffer, _ = make("GS8")
    buffer.fill(3)
    buffer.text("\u00e4W", -4, -3)
    rows = picture(buffer)
    assert {pixel for row in rows for pixel in row} == {1, 3}
    whole, _ = make("GS8", 40, 40)
    whole.text("\u00e4W", 4, 5)
    assert [[pixel == 1 for pixel in row] for row in rows] == [
        [bool(whole.pixel(x + 8, y + 8)) for x in range(WIDTH)] for y in range(HEIGHT)
    ]


def test_glyphs_differ_and_fit():
    glyphs = {glyph(code) for code in range(32, 128)}
    assert len(glyphs) == 96
    assert all(len(columns) == CELL and all(0 <= bits < 1 << (CELL - 1) for bits in columns) for columns in glyphs)
    assert glyph(200) == glyph(127) == glyph(10)


@pytest.mark.parametrize("at", [(0, 0), (4, 3), (-5, -4), (15, 10), (30, 0), (0, 30)])
@pytest.mark.parametrize("key", [-1, 0, 1])
def test_blit(at, key):
    target, _ = make("GS8")
    source, _ = make("MONO_HLSB", 10, 9)
    before = scribble(target, "GS8", 1)
    drawn = scribble(source, "MONO_HLSB", 2, 10, 9)
    target.blit(source, *at, key)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            sx, sy = x - at[0], y - at[1]
            inside = 0 <= sx < 10 and 0 <= sy < 9 and drawn[sy][sx] != key
            assert target.pixel(x, y) == (drawn[sy][sx] if inside else before[y][x])


def test_blit_with_a_palette_compares_the_key_after_it():
    target, _ = make("RGB565")
    target.fill(7)
    palette, _ = make("RGB565", 2, 1)
    palette.pixel(0, 0, 0xF800)
    palette.pixel(1, 0, 0x001F)
    source = (bytes([0b1010_0000]), 3, 1, module.MONO_HLSB)
    target.blit(source, 0, 0, 0xF800, palette)
    assert picture(target)[0][:4] == [0x001F, 7, 0x001F, 7]


def test_stride_leaves_room_beside_each_row():
    format, _ = FORMATS["GS8"]
    data = bytearray(3 * 10)
    window = module.FrameBuffer(memoryview(data)[4:], 4, 3, format, 10)
    window.fill(9)
    assert data == bytearray(b"\0\0\0\0\t\t\t\t\0\0" * 3)


def test_the_buffer_is_the_programs():
    data = bytearray(8)
    buffer = module.FrameBuffer1(data, 8, 8)
    buffer.pixel(2, 0, 1)
    assert data[2] == 1
    data[3] = 0x80
    assert buffer.pixel(3, 7) == 1


SIZES = [
    ("MONO_VLSB", 8, 9, 16),
    ("RGB565", 4, 3, 24),
    ("GS4_HMSB", 5, 2, 6),
    ("MONO_HLSB", 9, 2, 4),
    ("MONO_HMSB", 9, 2, 4),
    ("GS2_HMSB", 5, 2, 4),
    ("GS8", 5, 2, 10),
]


@pytest.mark.parametrize(("name", "width", "height", "size"), SIZES)
def test_a_buffer_must_be_large_enough(name, width, height, size):
    format, _ = FORMATS[name]
    module.FrameBuffer(bytearray(size), width, height, format)
    with pytest.raises(ValueError):
        module.FrameBuffer(bytearray(size - 1), width, height, format)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda buffer: buffer.pixel(1.5, 0, 1), TypeError),
        (lambda buffer: buffer.text(5, 0, 0), TypeError),
        (lambda buffer: buffer.blit(5, 0, 0), TypeError),
        (lambda buffer: module.FrameBuffer(b"1234567", 7, 1, module.GS8).fill(1), TypeError),
        (lambda buffer: module.FrameBuffer(bytearray(9), 3, 3, 99), ValueError),
        (lambda buffer: module.FrameBuffer(bytearray(9), 0, 3, module.GS8), ValueError),
        (lambda buffer: module.FrameBuffer(7, 3, 3, module.GS8), TypeError),
    ],
)
def test_refusals(call, error):
    with pytest.raises(error):
        call(make("GS8")[0])


def test_a_program_derives_from_it(rig):
    names = rig.run(
        """
import framebuf

class Display(framebuf.FrameBuffer):
    def __init__(self, width, height):
        self.width = width
        self.height = height
        self.buffer = bytearray(width * height // 8)
        super().__init__(self.buffer, width, height, framebuf.MONO_VLSB)

    def fill(self, colour):
        self.filled = colour
        super().fill(colour)

display = Display(16, 8)
display.fill(1)
data = bytes(display.buffer)
"""
    )
    assert names["data"] == b"\xff" * 16
    assert names["display"].filled == 1


def test_names(framebuf):
    assert framebuf.MVLSB == framebuf.MONO_VLSB == 0
    assert {name for name in vars(framebuf) if not name.startswith("_")} == {
        *FORMATS,
        "ALPHA",
        "FrameBuffer",
        "FrameBuffer1",
        "MVLSB",
    }

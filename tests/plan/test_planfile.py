"""Plan files: what they may say, what a mistake is told as, and what a sweep makes of them."""

import dataclasses
import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from espnow import tomlfile
from espnow.errors import UserError
from espnow.plan import planfile
from espnow.plan.schema import PLAN
from espnow.tomlfile import Kind, tables

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plan.md"

HUB = '[[station]]\nname = "hub"\nat = [0, 0]\n'
LEAF = '[[station]]\nname = "leaf"\ngrid = 10\ncount = 4\n'
REPORT = '[[traffic]]\nname = "report"\nfrom = "leaf"\nto = "hub"\nevery = "1s"\n'
GOOD = f'duration = "1s"\n{HUB}{LEAF}{REPORT}'

MISTAKES = [
    (
        'duration = "1s"\n' + HUB + 'way = [["0s", 0]]\n',
        'point 0 is ["0s", 0]: write a list of [time, east, north]',
    ),
    (
        'duration = "1s"\n' + HUB + 'way = [["5s", 0, 0], ["5s", 1, 0]]\n',
        'point 1 is at "5s", and must be later than the one before',
    ),
    ('duration = "1s"\n' + HUB + "way = []\n", "station[0].way: [] is not points [time, east, north]"),
    ('duration = "1s"\n' + HUB + "repeats = true\n", "repeats: there is no way that it could go again"),
    (f"{GOOD}[sweep]\nstation.leaf.count = [5, 5]\n", "the plan with station.leaf.count = 5 is there already"),
    # tables and keys
    ("", "duration: it is missing; it is a time above 0"),
    ("durations = 1", "durations: there is no such key; did you mean duration? Allowed: duration, seeds, "),
    ('duration = "1s"', "station: there is none; write [[station]] with a name and where it stands"),
    ('duration = "1s"\n' + HUB, "traffic: there is none, and nothing happens; write [[traffic]] with from and to"),
    ("duration = 0", 'duration: 0 is not a time above 0, such as "500ms"'),
    ("duration = 1e300", "duration: 1e+300 is too long: a time must be less than 285 years (104249 days)"),
    ('duration = "104250d"', 'duration: "104250d" is too long: a time must be less than 285 years (104249 days)'),
    ('duration = "1s"\nseeds = 0', "seeds: 0 is not a whole number from 1 to 10000"),
    ('duration = "1s"\nstation = 3', "station: write [[station]], with two brackets"),
    (GOOD + "[air]\nexponent = 3", "air.exponent: there is no such key; did you mean path_loss_exponent? Allowed: "),
    (GOOD + "[air]\nnoise = 5", "air.noise: 5 is not a number of dBm from -150 to 0"),
    (GOOD + '[air]\nmodel = "log"', 'air.model: "log" is not '),
    (GOOD + '[air]\nmodel = "two-ray"\nrange = 9', "air.range: it goes with log-distance, not with two-ray"),
    (GOOD + '[air]\nmodel = "links"', "air.links: it is missing, and the model is links"),
    (
        GOOD + '[air]\nlinks = "none.csv"',
        'air.links: "none.csv" is not the name of a CSV file of links, from,to,loss_db',
    ),
    (
        GOOD + "[floor]\n[[floor.wall]]\nfrom = [0, 0]\nto = [1, 1]",
        "floor.wall[0].loss: it is missing; it is a number ",
    ),
    (GOOD + "[air]\ncw_min = 63\ncw_max = 31", "air.cw_min: 63 is more than cw_max, 31"),
    # stations
    (
        'duration = "1s"\n[[station]]\nname = "a"',
        "station[0]: nothing says where the stations stand: it has one of at, ",
    ),
    ('duration = "1s"\n[[station]]\nat = [0, 0]', "station[0].name: it is missing; it is a name of letters"),
    ('duration = "1s"\n[[station]]\nname = "all"\nat = [0, 0]', 'station[0].name: "all" is not a name of letters'),
    (HUB + "grid = 3", "station[0]: at and grid do not go together: it has one of at, grid, random, csv"),
    (HUB + "columns = 3", "station[0].columns: it goes with grid, not with at. Allowed: at, count"),
    ('[[station]]\nname = "a"\ngrid = 10', "station[0].count: it is missing; it is a whole number from 1 to 200000"),
    ('[[station]]\nname = "a"\ngrid = 0\ncount = 1', "station[0].grid: 0 is not a number of metres above 0"),
    ('[[station]]\nname = "a"\nrandom = 10\ncount = 1', "station[0].random: 10 is not two numbers of metres"),
    (HUB + "power = 60", "station[0].power: 60 is not a number of dBm from -20 to 36"),
    (HUB + "channel = 15", "station[0].channel: 15 is not a whole number from 1 to 14"),
    (HUB + "attempts = 0", "station[0].attempts: 0 is not a whole number from 1 to 32"),
    (GOOD + HUB, 'station[2].name: "hub" is the name of another group, too'),
    (
        '[[station]]\nname = "a"\ncsv = "none.csv"',
        'station[0].csv: "none.csv" is not the name of a CSV file of stations',
    ),
    # traffic
    (GOOD + REPORT, 'traffic[0].name: "report" is the name of another traffic, too'),
    (GOOD.replace('"leaf"\nto', '"leef"\nto'), 'traffic[0].from: there is no group "leef"; there is hub, leaf'),
    (GOOD.replace('to = "hub"', 'to = "hut"'), 'traffic[0].to: "hut" is not "all", "nearest", "random" or a group; '),
    (GOOD.replace('to = "hub"', 'to = "hub[1]"'), "traffic[0].to: hub has the stations 0 to 0"),
    (GOOD.replace("at = [0, 0]", "at = [0, 0]\nchannel = 6"), "traffic[0].to: hub is on channel 6, and leaf on 1"),
    (GOOD + "size = 1500", "traffic[0].size: 1500 is not a whole number of bytes from 1 to 1470"),
    (GOOD + 'rate = "3M"', 'traffic[0].rate: "3M" is not a rate: 1M, 2M, '),
    (GOOD + "saturated = false", "traffic[0]: every and saturated do not go together: it has one of every, poisson, "),
    (GOOD.replace('every = "1s"', ""), "traffic[0]: nothing says when messages come: it has one of every, poisson, "),
    (GOOD + "burst = {count = 1000000000}", "traffic[0].burst.count: 1000000000 is not a whole number from 1 to 10000"),
    (
        GOOD.replace("grid = 10", 'grid = 10\nrepeats = true\nway = [["0s", 0, 0], ["9ms", 1, 0]]'),
        "station[1]: way: one that repeats takes 10 ms or more",
    ),
    (
        GOOD.replace("grid = 10", 'grid = 10\nway = [["0s", 0, 0], ["9s", 1e300, 0]]'),
        "station[1].way: at point 1 [1e+300, 0] is farther away than 1e+09 m",
    ),
    (
        GOOD.replace("grid = 10", "grid = 1e6").replace("count = 4", "count = 3\norigin = [1e9, 0]"),
        "station[1]: [1.001e+09, 0] is farther away than 1e+09 m",
    ),
    (GOOD.replace("at = [0, 0]", "at = [1e300, 0]"), "station[0].at: [1e+300, 0] is not two numbers, metres east and"),
    (GOOD.replace("grid = 10", 'grid = 10\nway = [["999999d", 0, 0]]'), 'point 0 is at "999999d": a time must be less'),
    (
        GOOD + '[[interferer]]\nat = [0, 0]\nbusy = 0.001\nburst = "9999d"',
        "interferer[0]: busy is 0.001 and burst_us 863913600000000: pauses between bursts would be 285 years or more",
    ),
    # the floor
    (GOOD + "[floor]\nsize = [5, 50]", "station[1]: [10, 0] is outside the floor, which is [0, 0] to [5, 50]"),
    (
        GOOD.replace("grid = 10", "random = [9, 9]") + "[floor]\nsize = [5, 50]",
        "station[1]: [9, 9] is outside the floor, which is [0, 0] to [5, 50]",
    ),
    (
        GOOD.replace("grid = 10", 'grid = 10\nway = [["0s", 0, 0], ["9s", 30, -5]]') + "[floor]\nsize = [50, 50]",
        "station[1].way: at point 1 [30, -5] is outside the floor, which is [0, 0] to [50, 50]",
    ),
    (
        GOOD.replace("grid = 10", 'random = [9, 9]\nway = [["0s", 0, 0], ["9s", 42, 0]]') + "[floor]\nsize = [50, 50]",
        "station[1].way: at point 1 [51, 9] is outside the floor, which is [0, 0] to [50, 50]",
    ),
    # sweeps
    (
        GOOD + "[sweep]\nstation.leaf.count = 3",
        "station.leaf.count is 3: write a list, or {from = 1, to = 9, step = 2}",
    ),
    (GOOD + "[sweep]\nstation.leaf.count = []", "station.leaf.count is []: write a list"),
    (GOOD + "[sweep]\nair.noise = {from = 1, to = 2}", "air.noise is {"),
    (GOOD + "[sweep]\nair.noise = {from = 1, to = 2, step = 0}", "from, to and step are numbers, or times of one unit"),
    (GOOD + '[sweep]\nair.noise = {from = "1s", to = "2ms", step = "1s"}', "from, to and step are numbers, or times"),
    (GOOD + "[sweep]\nair.noise = {from = 0, to = 1e9, step = 1}", "air.noise has 1,000,000,001 values, more than"),
    (
        GOOD + "[sweep]\nair.noise = {from = -99, to = 0, step = 1}\nair.sense = {from = -120, to = 0, step = 1}",
        "these are 12,100 points, more than 10,000",
    ),
    (
        GOOD + "[sweep]\nstation.leef.count = [1]",
        "sweep.station.leef.count: there is no station leef; there is hub, leaf",
    ),
    (GOOD + "[sweep]\nstation.leaf = [1]", "sweep.station.leaf: write station.NAME.KEY, with one of hub, leaf"),
    (GOOD + "[sweep]\nseeds = [1]", "sweep.seeds: each point has the same; a sweep changes what is planned"),
    (
        GOOD + "[sweep]\nstation.leaf.counts = [1]",
        "sweep, with station.leaf.counts = 1: station[1].counts: there is no such key; did you mean count? Allowed: ",
    ),
    (
        GOOD + "[sweep]\nstation.leaf.count = [1, 0]",
        "sweep, with station.leaf.count = 0: station[1].count: 0 is not a whole number from 1 to 200000",
    ),
    (GOOD + "[sweep]\nduration.x = [1]", "sweep.duration.x: "),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES, ids=[told[:40] for _, told in MISTAKES])
def test_a_mistake_is_told_in_one_line(write, text, told):
    path = write(text)
    with pytest.raises(UserError) as error:
        planfile.read(path)
    line = str(error.value)
    assert line.isprintable()
    assert line.startswith(f"{path}")
    assert told in line


def test_a_mark_of_utf_8_at_its_beginning_is_left_alone(tmp_path):
    (tmp_path / "plan.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert planfile.read(tmp_path / "plan.toml").part.groups


def test_a_file_that_is_not_there_and_one_that_is_no_toml(tmp_path, write):
    with pytest.raises(UserError, match=r"none\.toml: No such file"):
        planfile.read(tmp_path / "none.toml")
    with pytest.raises(UserError, match=r"plan\.toml, line 1, column \d+: "):
        planfile.read(write("duration = x"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x,y\n1,2\n3,z\n", 'line 3 is "3,z": x and y are numbers'),
        ("x,z\n1,2\n", 'its columns are "x, z": write x,y[,power,channel,group]'),
        ("x,x,y\n1,2,3\n", 'its columns are "x, x, y": write x,y[,power,channel,group]'),
        ("x,y\n", "it has no station"),
        ("", "it has no station"),
        ("1,2,99\n", 'line 1 is "1,2,99": x and y are numbers, power is a number of dBm from -20 to 36'),
        ("x,y,channel\n1,2,15\n", 'line 2 is "1,2,15"'),
        ("x,y,group\n1,2,other\n", 'no station of the CSV file is of the group leaf; it has "other"'),
    ],
)
def test_a_wrong_csv_is_told_with_its_line(write, text, told):
    write(text, "leaves.csv")
    path = write(GOOD.replace("grid = 10\ncount = 4", 'csv = "leaves.csv"'))
    with pytest.raises(UserError) as error:
        planfile.read(path)
    assert "station[1]" in str(error.value)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", 'its columns are "": write from,to,loss_db'),
        ("from,to,loss_db,to\nhub,leaf[0],3,hub\n", 'its columns are "from, to, loss_db, to": write from,to,loss_db'),
        ("from,to\n", 'its columns are "from, to": write from,to,loss_db'),
        ("from,to,loss_db\nhub,leaf[0],x\n", 'line 2 is "hub,leaf[0],x": write two stations, once in this direction'),
        ("from,to,loss_db\nhub,hub,3\n", 'line 2 is "hub,hub,3"'),
        ("from,to,loss_db\nhub,leaf[0],3\nhub,leaf[0],4\n", 'line 3 is "hub,leaf[0],4"'),
    ],
)
def test_a_wrong_table_of_links_is_told_with_its_line(write, text, told):
    write(text, "links.csv")
    with pytest.raises(UserError) as error:
        planfile.read(write(GOOD + '[air]\nlinks = "links.csv"'))
    assert "air.links: " in str(error.value)
    assert told in str(error.value)


# Sweeps.


def test_a_sweep_is_all_combinations_in_the_order_of_the_file(write):
    sweep = '[sweep]\nstation.leaf.count = [1, 2]\n"traffic.report.every" = ["1s", "100ms"]\n'
    plan = planfile.read(write(GOOD + sweep))
    assert [[value for _, value in point.values] for point in plan.points] == [
        [1, "1s"],
        [1, "100ms"],
        [2, "1s"],
        [2, "100ms"],
    ]
    assert [point.part.groups[1].action.count for point in plan.points] == [1, 1, 2, 2]
    assert [point.part.traffic[0].action.period_us for point in plan.points] == [1_000_000, 100_000] * 2


@pytest.mark.parametrize(
    ("range", "values"),
    [
        ("{from = 1, to = 7, step = 3}", (1, 4, 7)),
        ("{from = 10, to = 1, step = -4}", (10, 6, 2)),
        ("{from = 0, to = 0.3, step = 0.1}", (0, 0.1, 0.2, 0.3)),
        ('{from = "50ms", to = "150ms", step = "50ms"}', ("50ms", "100ms", "150ms")),
        ("[1, 2.5]", (1, 2.5)),
    ],
)
def test_a_range_has_both_ends_and_no_rounding_errors(range, values):
    part = tomlfile.check(PLAN, tomllib.loads(f'duration = "1s"\n[sweep]\nair.noise = {range}'), Path("plan.toml"))
    assert part.sweep == (("air.noise", values),)


def test_a_sweep_changes_tables_by_name_by_number_and_where_there_is_none(write):
    sweep = "[sweep]\nstation.0.power = [3]\nair.noise = [-90]\ntraffic.report.to = ['nearest']\n"
    (point,) = planfile.read(write(GOOD + sweep)).points
    assert point.part.groups[0].power_dbm == 3
    assert point.part.air.noise_dbm == -90
    assert point.part.traffic[0].to == "nearest"


def test_a_point_is_known_by_what_it_says_and_by_the_model(write, monkeypatch):
    def keys(text):
        return [point.key for point in planfile.read(write(text)).points]

    plain = keys(GOOD)
    assert keys("# words\n" + GOOD.replace("duration", "seeds = 9\nduration")) == plain
    assert keys(GOOD + "[sweep]\nstation.leaf.count = [3, 4]\n")[1:] == plain
    assert keys(GOOD + "[air]\npath_loss_exponent = 2.5\n") != plain
    model = planfile.model_key()
    monkeypatch.setattr(planfile, "model_key", lambda: model[::-1])
    assert keys(GOOD) != plain
    write("1,2\n", "leaves.csv")
    by_file = GOOD.replace("grid = 10\ncount = 4", 'csv = "leaves.csv"')
    before = keys(by_file)
    write("1,3\n", "leaves.csv")
    assert keys(by_file) != before


# The documentation and the examples.


def shown_key(key):
    if isinstance(key.value, Kind):
        value = key.value.allowed
    else:
        name = f"[[{key.value.name}]]" if key.many else f"[{key.value.name}]"
        value = f"[`{name}`](#{key.value.name.replace('.', '')})"
    return [f"`{key.name}`", value, key.meaning + ("; must be there" if key.required else "")]


@pytest.mark.parametrize("table", tables(PLAN), ids=lambda table: table.name or "the file")
def test_the_documentation_is_the_schema(table):
    sections = re.split(r"^## (.*)\n", PAGE.read_text(), flags=re.MULTILINE)
    section = dict(zip(sections[1::2], sections[2::2], strict=True))[table.name or "The file"]
    expected = [shown_key(key) for key in table.keys]
    for target in table.one_of.values():
        own, *others = (shown_key(key) for key in target.keys)
        expected.append([own[0], "", *own[1:]])
        expected += [["", *other] for other in others]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    assert [row for row in rows if row[0] not in ("key", "one of")] == expected


def test_every_key_is_an_argument_of_what_its_table_makes():
    for table in tables(PLAN):
        for part in (table, *table.one_of.values()):
            if dataclasses.is_dataclass(part.make):
                fields = {field.name for field in dataclasses.fields(part.make)}
                assert {key.argument or key.name for key in part.keys} <= fields, part.name


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "plans").glob("*.toml")), ids=lambda path: path.stem)
def test_an_example_is_a_plan_with_a_first_line_that_says_what_it_shows(path):
    assert planfile.read(path).points
    assert path.read_text().startswith("# ")


TEXT = st.text('a.[0 \x1b\u202e"', max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["1s", "all", "1M"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([key.name for key in PLAN.keys]), VALUES, max_size=3))
def test_whatever_a_file_holds_is_taken_or_refused_in_one_line(document):
    try:
        tomlfile.check(PLAN, {"duration": 1, **document}, Path("plan.toml"))
    except UserError as error:
        assert str(error).isprintable()


def test_the_plans_of_the_documentation_are_plans(write):
    write((ROOT / "examples" / "plans" / "office.svg").read_text(), "office.svg")
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        assert len(planfile.read(write(block)).points) >= 3


# A sweep over any key.

EVERYTHING = """\
duration = "1s"
[air]
path_loss_exponent = 2.5
range = 500
shadowing = 3
noise = -95
sense = -90
sensitivity = -93
capture = 6
losses = "losses.csv"
cw_min = 15
cw_max = 255
[floor]
drawing = "office.svg"
scale = 0.01
materials = {brick = 12, glass = 3}
walls = "walls.csv"
[[floor.wall]]
from = [1, 1]
to = [2, 2]
loss = 3
[[station]]
name = "hub"
at = [3, 3]
power = 15
antenna = 2
height = 3
channel = 6
attempts = 3
[[station]]
name = "leaf"
grid = 2
drift = 20
way = [["0s", 0, 0], ["10s", 5, 5.5]]
repeats = true
count = 4
columns = 2
origin = [1, 2]
channel = 6
[station.energy]
chip = "esp32-c3"
between = "light-sleep"
listen = "5ms"
board = 0.1
battery = 900
usable = 0.9
self_discharge = 0.1
[[station]]
name = "other"
random = [9, 9]
count = 3
drift = 20
[[traffic]]
name = "report"
from = "leaf"
to = "hub"
size = 20
rate = "6M"
every = "100ms"
jitter = "5ms"
first = "1ms"
burst = {count = 2, spacing = "2ms"}
[[traffic]]
name = "ask"
from = "other"
to = "nearest"
poisson = "50ms"
answer = {size = 9, think = "1ms", jitter = "1ms", rate = "2M"}
[[traffic]]
name = "alarm"
from = "other"
to = "all"
event = "200ms"
random = true
reaction = "3ms"
at = [4, 4]
radius = 30
[[interferer]]
at = [5, 5]
busy = 0.2
burst = "2ms"
senses = true
power = 10
channel = 6
antenna = 1
height = 2
"""


def leaves(table, path=""):
    """Return the path and the value of each key of nested tables; tables of a list go by their names, or numbers."""
    if isinstance(table, dict):
        for name, value in table.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(table, list) and table and isinstance(table[0], dict):
        for number, value in enumerate(table):
            yield from leaves(value, f"{path}.{value.get('name', number)}")
    else:
        yield path, table


LEAVES = [leaf for leaf in leaves(tomllib.loads(EVERYTHING)) if not leaf[0].endswith("name")]


@pytest.fixture
def files(write):
    write((ROOT / "examples" / "plans" / "office.svg").read_text(), "office.svg")
    write("x1_m,y1_m,x2_m,y2_m,loss_db\n0,1,2,3,4\n", "walls.csv")
    write("time_s,from,to,loss\n0,hub,leaf[1],0.5\n", "losses.csv")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("path", "value"), LEAVES, ids=[path for path, _ in LEAVES])
def test_any_key_can_be_swept_and_with_its_own_value_nothing_changes(write, path, value):
    (plain,) = planfile.read(write(EVERYTHING)).points
    text = f"{EVERYTHING}[sweep]\n{json.dumps(path)} = [{json.dumps(value)}]\n"
    (swept,) = planfile.read(write(text)).points
    assert swept.values == ((path, value),)
    assert (swept.key, swept.part) == (plain.key, plain.part)


def test_all_keys_are_among_them():
    known = {key.name for table in tables(PLAN) for part in (table, *table.one_of.values()) for key in part.keys}
    used = {name for path, _ in LEAVES for name in path.split(".")}
    # Those that are not: of all points; other placements, timings and tables.
    rest = {"seed", "seeds", "sweep", "name", "csv", "size", "model", "links", "saturated", "flood", "hops", "delay"}
    assert known - used <= rest | {"station", "traffic"}

"""The lab file: what it may say, what a mistake is told as, and that the lab is what it says."""

import dataclasses
import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.errors import UserError
from espnow.lab import Lab, labfile
from espnow.lab.labfile_schema import LAB, check
from espnow.lab.stimuli import Series
from espnow.tomlfile import Key, Kind, Table, tables

PAGE = Path(__file__).parents[3] / "docs" / "labfile.md"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(text, name="lab.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def make(write):
    """Return a function that makes the lab of a file's text; it is closed after the test."""
    labs = []

    def make(text, **options):
        labs.append(Lab.from_file(write(text), **options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


def targets(table):
    return [table, *table.one_of.values()]


# The table of the documentation is the schema.


def shown_key(key: Key) -> list[str]:
    if isinstance(key.value, Kind):
        value = key.value.allowed
    else:
        name = f"[[{key.value.name}]]" if key.many else f"[{key.value.name}]"
        value = f"[`{name}`](#{key.value.name.replace('.', '')})"
    return [f"`{key.name}`", value, key.meaning + ("; must be there" if key.required else "")]


def documented_rows(section: str) -> list[list[str]]:
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return [row for row in rows if row[0] not in ("key", "one of")]


@pytest.mark.parametrize("table", tables(LAB), ids=lambda table: table.name or "the file")
def test_the_documentation_is_the_schema(table: Table) -> None:
    sections = re.split(r"^## (.*)\n", PAGE.read_text(), flags=re.MULTILINE)
    section = dict(zip(sections[1::2], sections[2::2], strict=True))[table.name or "The file"]
    expected = [shown_key(key) for key in table.keys]
    for target in table.one_of.values():
        own, *others = (shown_key(key) for key in target.keys)
        expected.append([own[0], "", *own[1:]])
        expected += [["", *other] for other in others]
    assert documented_rows(section) == expected


def test_the_examples_of_the_documentation_are_lab_files(tmp_path):
    for name in ("gateway.py", "sensor.py", "probe.py", "field.toml"):
        (tmp_path / name).write_text("")
    (tmp_path / "weather.csv").write_text("time,temperature,humidity\n0s,21.5,40\n1h,24,35\n")
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        check(tomllib.loads(block), tmp_path / "lab.toml")


def test_every_key_is_an_argument_of_what_its_table_makes() -> None:
    for table in tables(LAB):
        for part in targets(table):
            if not dataclasses.is_dataclass(part.make):
                continue
            fields = {field.name for field in dataclasses.fields(part.make)}
            assert {key.argument or key.name for key in part.keys} <= fields, part.name
    assert {key.name for key in LAB.keys} == {
        *("duration", "pace", "seed", "profile", "pcap", "log", "explain", "quiet", "expose", "hosts", "air"),
        *("crowd", "router", "board"),
    }


# Mistakes.

BOARD = "[[board]]\ncode = 'pass'\n"
STIMULUS = BOARD + "[[board.stimulus]]\n"
ROUTER = "[[router]]\nssid = 'garden'\n"
TIME = 'is not a time such as "500ms", "30s" or "10m"'

MISTAKES = [
    # keys
    ("durations = 1", "durations: there is no such key; did you mean duration? Allowed: duration, pace, seed, "),
    ("[airs]", "airs: there is no such key; did you mean air? Allowed: "),
    ("zzz = 1", "zzz: there is no such key. Allowed: duration, pace"),
    ('"\\u001b[2J" = 1', '"\\u001b[2J": there is no such key. Allowed: '),
    (BOARD * 2 + "progam = 'x'", "board[1].progam: there is no such key; did you mean program? Allowed: program, code"),
    (
        STIMULUS + "pni = 5\nvalue = 1",
        "board[0].stimulus[0].pni: there is no such key; did you mean pin? Allowed: pin, ",
    ),
    (
        STIMULUS + "pin = 5\nvlaue = 1",
        "board[0].stimulus[0].vlaue: there is no such key; did you mean value? Allowed: ",
    ),
    (
        STIMULUS + "pin = 5\nvolts = 1",
        "board[0].stimulus[0].volts: it goes with adc, not with pin. Allowed: pin, value, ",
    ),
    (STIMULUS + "pin = 5\nadc = 5\nvolts = 1", "board[0].stimulus[0]: pin and adc do not go together: it has one of "),
    (STIMULUS + "at = 5", "board[0].stimulus[0]: nothing happens in it: it has one of pin, adc, "),
    (STIMULUS + "pin = 5", "board[0].stimulus[0]: it has neither value nor press"),
    (STIMULUS + "adc = 5", "board[0].stimulus[0].volts: it is missing; it is volts, a list"),
    (STIMULUS + "times = 2\naction = 'reset'", "board[0].stimulus[0]: times says how often it comes with every, and "),
    (
        ROUTER + "[[router.event]]\npower = 'of'",
        'router[0].event[0].power: "of" is not "off" or "on"; did you mean off?',
    ),
    ("[[router]]\nssid = 'x'\nname = ''", 'router[0].name: "" is not a name'),
    (BOARD + 'name = "a\\nb"', r'board[0].name: "a\nb" is not a name'),
    (BOARD + "at = [1]", "board[0].at: [1] is not two numbers, metres east and north, as in [10, 2.5]"),
    (BOARD + "flash = 'lab.toml'", "board[0]: a flash is kept in a folder, and "),
    (
        BOARD + "name = 'a'\n[[air.link]]\nfrom = 'a'\nto = 'a'\nloss = 1",
        "air.link[0]: from and to are both 'a'",
    ),
    (STIMULUS + "adc = 23\nvolts = 1", "board[0].stimulus[0]: board 'code1' has no analogue input 23"),
    (STIMULUS + "touch = 34\nvalue = 1", "board[0].stimulus[0]: board 'code1' has no touch pad at pin 34"),
    (STIMULUS + "i2c = 2\naddress = 8", "board[0].stimulus[0].i2c: 2 is not the number of a bus, 0 or 1, or its pins"),
    (STIMULUS + "i2c = [1]\naddress = 8", "board[0].stimulus[0].i2c: [1] is not the number of a bus, 0 or 1, or its "),
    ("[[router]]", "router[0].ssid: it is missing; it is a text of 1 to 32 bytes"),
    ("[[board]]\nname = 'x'", "board[0]: it has neither program nor code"),
    ("loss = 0.1", "loss: there is no such key here, it belongs to [air] or [[air.link]]. Allowed: duration, "),
    ("[[stimulus]]", "stimulus: there is no such key here, it belongs to [[board.stimulus]]. Allowed: duration, "),
    (
        STIMULUS + "pin = 1\nvalue = 1\nssid = 'x'",
        "board[0].stimulus[0].ssid: there is no such key here, it belongs to ",
    ),
    (BOARD + "seed = 3", "board[0].seed: there is no such key here, it belongs to the top of the file. Allowed: "),
    # tables
    ("[board]\ncode = ''", "board: write [[board]], with two brackets: there may be several"),
    ("air = 3", "air: 3 is not a table: write [air]"),
    ("board = [3]", "board[0]: 3 is not a table: write [[board]]"),
    # values
    ("duration = '5x'", 'duration: "5x" is not a time above 0, such as '),
    ("duration = 0", "duration: 0 is not a time above 0"),
    ("duration = true", "duration: true is not a time above 0"),
    ("duration = '999999d'", "duration: "),
    ("seed = 1.5", "seed: 1.5 is not a whole number"),
    ("seed = true", "seed: true is not a whole number"),
    ("pace = 'slow'", 'pace: "slow" is not "fast" or "real"'),
    ("log = 1", "log: 1 is not true or false"),
    ("hosts = 'x'", 'hosts: "x" is not a table of hosts, as in {"broker.example" = "127.0.0.1:1884"}'),
    ("hosts = {a = 1}", '1 is no host: write "name", "name:port" or an address'),
    ("hosts = {a = 'http://b'}", '"http://b" is no host: write "name", "name:port" or an address'),
    ("profile = 'esp23'", 'profile: "esp23" is not "esp32", "esp32-v2" or "esp8266"; did you mean esp32?'),
    ("pcap = ''", 'pcap: "" is not the name of a file'),
    ("[air]\nloss = 2", "air.loss: 2 is not a number from 0 to 1"),
    ("[air]\nloss = nan", "air.loss: NaN is not a number from 0 to 1"),
    ("[air]\nrange = -1", "air.range: -1 is not a number of metres, 0 or more"),
    ("[air]\npath_loss_exponent = 'x'", 'air.path_loss_exponent: "x" is not a number from 1 to 10'),
    (BOARD + "mac = '03:00:00:00:00:01'", 'board[0].mac: "03:00:00:00:00:01" is not an address such as '),
    (BOARD + "mac = 'zz'", 'board[0].mac: "zz" is not an address such as "30:aa:aa:aa:aa:aa": '),
    (BOARD + "at = [1]", "board[0].at: [1] is not two numbers, metres east and north, as in [10, 2.5]"),
    (BOARD + "at = [1, 'x']", 'board[0].at: [1, "x"] is not two numbers'),
    (BOARD + "start = '-1s'", f'board[0].start: "-1s" {TIME}'),
    (BOARD + "argv = 'x'", 'board[0].argv: "x" is not a list of texts'),
    (BOARD + "stdin = 3", "board[0].stdin: 3 is not a text"),
    (BOARD + "start = '" + "x" * 99 + "'", f'board[0].start: "{"x" * 36}... {TIME}'),
    (ROUTER + "channel = 15", "router[0].channel: 15 is not a whole number from 1 to 14"),
    ("[[router]]\nssid = ''", 'router[0].ssid: "" is not a text of 1 to 32 bytes'),
    (STIMULUS + "pin = -1\nvalue = 1", "board[0].stimulus[0].pin: -1 is not the number of a pin"),
    (STIMULUS + "pin = 1\nvalue = 2", 'board[0].stimulus[0].value: 2 is not 0, 1 or "open"'),
    (
        STIMULUS + "adc = 1\nvolts = []",
        "board[0].stimulus[0].volts: [] is not volts, a list of points [time, number], ",
    ),
    (STIMULUS + "adc = 1\nvolts = [[1]]", "point 0 is [1]: write [time, number]"),
    (STIMULUS + "adc = 1\nvolts = [['2s', 1], ['1s', 1]]", "point 1 is before the one ahead of it"),
    (STIMULUS + "adc = 1\nvolts = 'none.csv'", "No such file or directory"),
    (STIMULUS + "i2c = [1]\naddress = 9\nregisters = {}", "board[0].stimulus[0].i2c: [1] is not the number of a bus"),
    (
        STIMULUS + "i2c = 0\naddress = 0x78\nregisters = {}",
        "board[0].stimulus[0].address: 120 is not an address from 0x08 to 0x77",
    ),
    (STIMULUS + "i2c = 0\naddress = 9\nregisters = {0 = 256}", "register 0 holds 256: write a byte, 0 to 255, or"),
    (STIMULUS + "i2c = 0\naddress = 9\nregisters = {x = 1}", "x is no register: write 0x10 or 16"),
    (STIMULUS + "i2c = 0\naddress = 9\nregisters = {1 = 'zz'}", "board[0].stimulus[0].registers: "),
    (STIMULUS + "i2c = 0\naddress = 9", "board[0].stimulus[0]: it has neither registers nor display"),
    (
        STIMULUS + "i2c = 0\naddress = 9\nregisters = {}\ndisplay = true",
        "board[0].stimulus[0]: a device has registers, or it is a display: write one of both",
    ),
    (STIMULUS + "uart = 1\nhex = 'a'", 'board[0].stimulus[0].hex: "a" is not bytes in hex, as in "01 ff"'),
    # what the lab says
    (BOARD + "mac = '02:00:00:00:00:01'\n" + BOARD + "mac = '02:00:00:00:00:01'", "board[1]: boards 'code1' and "),
    ("[[board]]\nprogram = 'none.py'", 'board[0].program: "none.py" is not the name of a file or folder: there is '),
    ("[[board]]\nprogram = 'bad.py'", "board[0]: "),
    (BOARD + "program = 'bad.py'", "board[0]: a board has one program: give a file or code, not both"),
    (
        BOARD + "[air]\n[[air.link]]\nfrom = 'code1'\nto = 'x'\nloss = 1",
        "air.link[0]: there is no board or router 'x'; there are ",
    ),
    (STIMULUS + "pin = 99\nvalue = 1", "board[0].stimulus[0]: board 'code1' has no pin 99"),
    (STIMULUS + "uart = 3\ntext = ''", "board[0].stimulus[0].uart: 3 is not the number of a UART"),
]


@pytest.mark.parametrize(("text", "says"), MISTAKES, ids=lambda value: value[-50:])
def test_a_mistake_is_one_line_that_names_its_place(write, text, says):
    write("x =", "bad.py")
    path = write(text)
    with pytest.raises(UserError) as caught:
        Lab.from_file(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: ")
    assert says in told
    assert "\n" not in told
    assert told.isprintable()
    if re.match(r"[a-z]+(\[|:|\.)", says):
        assert told.startswith(f"{path}: {says}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a = 1\nseed = \n", "lab.toml, line 2, column 8: Invalid value"),
        (b"[board", "lab.toml, at its end: "),
        (b"seed = 1\nseed = 2", "lab.toml, "),
        (b"a = 1\n\xff", "lab.toml, line 2: TOML is UTF-8, and this is not"),
        (b"a = " + b"[" * 3000, "lab.toml: it is nested too deeply"),
        (b"a = " + b"1" * 5000, "lab.toml: it is nested too deeply, or has a number with too many digits"),
    ],
    ids=["value", "end", "twice", "utf-8", "deep", "long"],
)
def test_what_is_no_toml_is_told_with_its_place(tmp_path, content, says):
    (tmp_path / "lab.toml").write_bytes(content)
    with pytest.raises(UserError) as caught:
        labfile.read(tmp_path / "lab.toml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    for path, says in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory"), ("a\0b", "null")):
        with pytest.raises(UserError, match=says):
            labfile.read(path)


def test_a_key_is_never_shown(write):
    with pytest.raises(UserError) as caught:
        labfile.read(write(ROUTER + "key = 'secret'"))
    assert "secret" not in str(caught.value)
    assert 'router[0].key: this is not a text of 8 to 64 bytes, or ""' in str(caught.value)
    assert "secret word" not in repr(labfile.read(write(ROUTER + "key = 'secret word'")))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1s", "0x10", "off"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("table", tables(LAB), ids=lambda table: table.name or "the file")
def test_whatever_a_key_holds_is_taken_or_refused_in_one_line(table, tmp_path):
    kinds = [key for part in targets(table) for key in part.keys if isinstance(key.value, Kind)]

    @given(VALUES)
    def hold(value):
        for key in kinds:
            try:
                key.value.read(value, tmp_path)
            except (ValueError, TypeError) as error:
                assert isinstance(error, (ValueError, TypeError))

    hold()


@given(st.dictionaries(st.sampled_from([key.name for key in LAB.keys]), VALUES, max_size=3))
def test_whatever_a_file_holds_is_taken_or_refused_in_one_line(document):
    try:
        check(document, Path("lab.toml"))
    except UserError as error:
        assert str(error).isprintable()


# What it makes.


def test_boards_and_air_are_as_the_file_says(make, write):
    write("import sys\nprint(sys.argv, input())", "a.py")
    lab = make("""
        seed = 4
        profile = "esp8266"
        [air]
        [[air.link]]
        from = "a"
        to = "b"
        loss = 1
        both = true
        [[board]]
        program = "a.py"
        argv = ["x", "y"]
        stdin = "typed"
        mac = "02:00:00:00:00:01"
        at = [3, -4.5]
        [[board]]
        name = "b"
        code = "print(2)"
        profile = "esp32-v2"
        start = "1.5s"
        [[board]]
        code = "print(3)"
    """)
    a, b, c = lab.boards
    assert [board.name for board in lab.boards] == ["a", "b", "code1"]
    assert (a.mac, a.position) == (b"\2\0\0\0\0\1", (3, -4.5))
    assert [board.hardware.profile.name for board in lab.boards] == ["esp8266", "esp32-v2", "esp8266"]
    lab.run()
    assert a.output.endswith(", 'x', 'y'] typed\n")
    assert (b.output, c.output) == ("2\n", "3\n")
    assert lab.now_ms >= 1_500


RADIO = "import network, espnow, time\nnetwork.WLAN(0).active(True)\ne = espnow.ESPNow()\ne.active(True)\n"
HEAR = RADIO + "while True:\n  print(time.ticks_ms() // 1000, e.recv()[1])\n"
SEND = RADIO + "b = b'\\xff' * 6\ne.add_peer(b)\nfor n in range(8):\n  time.sleep(1)\n  e.send(b, str(n))\n"


def boards(**programs):
    return "".join(f"[[board]]\nname = '{name}'\ncode = {json.dumps(code)}\n" for name, code in programs.items())


def heard(board):
    return [int(message.message) for message in board.received]


@pytest.mark.parametrize(
    ("air", "count"),
    [
        ("", 8),
        ("range = 299", 0),
        ("range = 300", 8),
        ("path_loss_exponent = 5", 0),
        ("loss = 1", 0),
    ],
)
def test_the_air_is_as_the_file_says(make, air, count):
    lab = make(f"[air]\n{air}\n" + boards(a=HEAR, sender=SEND) + "at = [180, 240]\n")
    lab.run(for_ms=10_000)
    assert len(heard(lab.boards[0])) == count


def test_a_link_may_change_on_the_way(make):
    text = boards(a=HEAR, b=HEAR, sender=SEND) + (
        "[[air.link]]\nfrom = 'sender'\nto = 'a'\nloss = 1\nat = '2.5s'\n"
        "[[air.link]]\nfrom = 'a'\nto = 'sender'\nloss = 1\n"
    )
    lab = make(text)
    lab.run(for_ms=10_000)
    assert heard(lab.boards[0]) == [0, 1]
    assert heard(lab.boards[1]) == list(range(8))


@pytest.mark.parametrize(("both", "acknowledged"), [("false", True), ("true", False)])
def test_a_link_may_be_cut_both_ways(make, both, acknowledged):
    ask = RADIO + "p = b'\\2\\0\\0\\0\\0\\1'\ne.add_peer(p)\nprint(e.send(p, '0'))\n"
    lab = make(
        boards(a=HEAR)
        + "mac = '02:00:00:00:00:01'\n"
        + boards(asks=ask, third="pass")
        + f"[[air.link]]\nfrom = 'a'\nto = 'asks'\nloss = 1\nboth = {both}\n"
    )
    lab.run(for_ms=1_000)
    assert bool(heard(lab.boards[0])) == acknowledged
    assert lab.boards[1].lines == ["False"]  # no acknowledgement comes back in either case


def test_a_folder_may_be_the_flash(make, tmp_path):
    (tmp_path / "flash").mkdir()
    (tmp_path / "flash" / "old.txt").write_text("old")
    code = "print(open('old.txt').read())\nwith open('new.txt', 'w') as f: f.write('new')"
    lab = make(boards(a=code) + "flash = 'flash'\n")
    lab.run()
    assert lab.boards[0].lines == ["old"]
    assert (tmp_path / "flash" / "new.txt").read_text() == "new"


def test_the_options_of_the_call_win(make):
    text = "seed = 1\n[air]\nloss = 1\n" + boards(a=HEAR, sender=SEND)
    lab = make(text, loss=0.0)
    lab.run(for_ms=10_000)
    assert heard(lab.boards[0]) == list(range(8))
    draw = "import random\nprint(random.random())"
    outputs = []
    for seed in ({}, {"seed": 1}, {"seed": 2}):
        lab = make("seed = 1\n" + boards(a=draw), **seed)
        lab.run()
        outputs.append(lab.boards[0].output)
    assert outputs[0] == outputs[1] != outputs[2]


def test_a_lab_that_is_there_can_be_filled(write):
    with Lab(seed=3) as lab:
        lab.board(code="pass", name="first")
        labfile.read(write("seed = 9\n" + boards(a="print(1)"))).fill(lab)
        lab.run()
        assert [board.name for board in lab.boards] == ["first", "a"]
        assert lab.boards[1].output == "1\n"


def test_names_of_programs_mean_what_the_file_says(make):
    lab = make('hosts = {"broker.example" = "127.0.0.1:1884", "10.0.0.1:80" = "localhost"}')
    assert lab.network.hosts == {"broker.example": "127.0.0.1:1884", "10.0.0.1:80": "localhost"}


ROUTERS = """
[[router]]
ssid = "garden"
key = "tomatoes and beans"
channel = 6
mac = "02:00:00:00:00:09"
at = [5, 6]
internet = false
[[router.event]]
at = "2s"
power = "off"
[[router.event]]
at = "4s"
power = "on"
[[router.event]]
at = "5s"
channel = 11
[[router.event]]
at = "6s"
move = [7, 8]
[[router]]
ssid = "hidden"
hidden = true
"""


def test_routers_are_as_the_file_says_and_change(make):
    lab = make(ROUTERS)
    first, second = lab.routers
    assert (first.name, first.ssid, first.key, first.mac) == (
        "router",
        "garden",
        "tomatoes and beans",
        b"\2\0\0\0\0\x09",
    )
    assert (first.internet, second.internet, second.ssid) == (False, True, "hidden")
    seen = []
    for until_ms in (1_000, 2_500, 4_500, 5_900, 6_500):
        lab.run(for_ms=until_ms - lab.now_ms)
        seen.append((first.is_up, first.channel, first.position))
    assert seen == [(True, 6, (5, 6)), (False, 6, (5, 6)), (True, 6, (5, 6)), (True, 11, (5, 6)), (True, 11, (7, 8))]


def test_a_board_finds_the_routers_of_the_file(make):
    scan = "import network\nw = network.WLAN(0)\nw.active(True)\n"
    scan += "print(sorted((s[0], s[1], s[2]) for s in w.scan()))\n"
    lab = make(ROUTERS + boards(a=scan))
    lab.run(for_ms=1_900)
    assert lab.boards[0].lines == ["[(b'', b'\\x02net\\x00\\x02', 1), (b'garden', b'\\x02\\x00\\x00\\x00\\x00\\t', 6)]"]


def test_a_link_to_a_router_may_be_lossy(make):
    scan = "import network\nw = network.WLAN(0)\nw.active(True)\nprint(len(w.scan()))\n"
    lab = make(ROUTERS + boards(a=scan) + "[[air.link]]\nfrom = 'router'\nto = 'a'\nloss = 1\n")
    lab.run(for_ms=1_900)
    assert lab.boards[0].lines == ["1"]


# What happens over time.


def test_typing_and_what_is_done_to_a_board(make):
    code = "import time, machine\nprint('begin', time.ticks_ms() // 1000)\nwhile True:\n  print(input())"
    lab = make(
        boards(a=code)
        + "[[board.stimulus]]\nat = '1s'\nevery = '2s'\ntimes = 3\nstdin = \"x\\n\"\n"
        + "[[board.stimulus]]\nat = '4s'\naction = 'soft_reset'\n"
        + "[[board.stimulus]]\nat = '6s'\naction = 'power_off'\n"
        + "[[board.stimulus]]\nat = '8s'\naction = 'power_on'\n"
        + "[[board.stimulus]]\nat = '10s'\naction = 'interrupt'\n"
    )
    lab.run(for_ms=7_000)
    assert lab.boards[0].power_state.value == "off"
    assert lab.boards[0].lines[:3] == ["begin 0", "x", "x"]
    assert [line.split()[0] for line in lab.boards[0].lines[3:]] == ["begin", "x"]
    lab.run(for_ms=4_000)
    assert lab.boards[0].lines[5].startswith("begin")
    assert "KeyboardInterrupt" in repr(lab.boards[0].error)


def test_a_board_moves(make):
    lab = make(
        boards(a=HEAR)
        + "at = [10, 0]\n[[board.stimulus]]\nat = '1s'\nmove = [20, 40]\nover = '2s'\n"
        + "[[board.stimulus]]\nat = '4s'\nmove = [0, 0]\n"
    )
    (board,) = lab.boards
    seen = []
    for until_ms in (500, 1_000, 1_500, 2_000, 3_500, 4_500):
        lab.run(for_ms=until_ms - lab.now_ms)
        seen.append(board.position)
    assert seen == [(10, 0), (10, 0), (12.5, 10), (15, 20), (20, 40), (0, 0)]


def test_a_board_that_is_sent_elsewhere_on_its_way_goes_there(make):
    lab = make(
        "[[board]]\ncode = ''\n[[board.stimulus]]\nmove = [100, 0]\nover = '10s'\n"
        "[[board.stimulus]]\nat = '5s'\nmove = [50, 50]\nover = '5s'\n"
    )
    places = []
    for _ in range(40):
        lab.run(for_ms=300)
        places.append(lab.boards[0].position)
    assert places[15] == (48.0, 0.0)
    assert all(49 <= x <= 50 for x, _ in places[16:])
    assert places[-1] == (50.0, 50.0)


POINTS = st.lists(st.tuples(st.integers(0, 10**9), st.floats(-100, 100)), min_size=1, max_size=6)


@given(POINTS.map(lambda points: sorted(points, key=lambda point: point[0])), st.integers(-10, 10**9 + 10))
def test_a_series_is_straight_between_its_points(points, at_us):
    series = Series(tuple(points))
    value = series.at(at_us)
    before = [point for point in points if point[0] <= at_us]
    after = [point for point in points if point[0] > at_us]
    if not before:
        assert value == points[0][1]
    elif not after:
        assert value == before[-1][1]
    else:
        (t0, v0), (t1, v1) = before[-1], after[0]
        assert value == pytest.approx(v0 + (v1 - v0) * (at_us - t0) / (t1 - t0))
        assert min(v0, v1) - 1e-9 <= value <= max(v0, v1) + 1e-9


@pytest.mark.parametrize(
    ("content", "points"),
    [
        ("0s,1\n1m,2.5\n", [(0, 1.0), (60_000_000, 2.5)]),
        ("time,volts\n\n500ms,3\n", [(500_000, 3.0)]),
        ("time,other,volts\n1,2,3\n", [(1_000_000, 3.0)]),
        ("time,anything\n1,2\n", [(1_000_000, 2.0)]),
        ("time,a,b\n1,2,3\n", "none of its columns a, b is called volts"),
        ("1,2\nx,3\n", "line 2 is no time and number"),
        ("1,2\n3\n", "line 2 is no time and number"),
        ("2,2\n1,3\n", "line 2 is before the one ahead of it"),
        ("1,nan\n", "line 1 is no time and number"),
        ("time,volts\n", "it is empty"),
    ],
)
def test_a_series_from_a_file(write, content, points):
    write(content, "v.csv")
    path = write(STIMULUS + "adc = 34\nvolts = 'v.csv'")
    if isinstance(points, str):
        with pytest.raises(UserError, match=points):
            labfile.read(path)
        return
    (stimulus,) = labfile.read(path).content.boards[0].stimuli
    assert stimulus.action.volts.points == tuple(points)


def stimulated(make, *stimuli, code="import time\ntime.sleep(100)"):
    lab = make(boards(a=code) + "".join(f"[[board.stimulus]]\n{stimulus}\n" for stimulus in stimuli))
    return lab, lab.boards[0].ports


def over_time(lab, read, *times_ms):
    values = []
    for at_ms in times_ms:
        lab.run(for_ms=at_ms - lab.now_ms)
        values.append(read())
    return values


def test_pins_over_time(make):
    lab, ports = stimulated(
        make,
        "pin = 5\nvalue = 1",
        "at = '2s'\nevery = '2s'\ntimes = 2\npin = 5\npress = '500ms'",
        "at = '6s'\npin = 5\nvalue = 'open'",
        "at = '1s'\npin = 6\nvalue = 1\npress = '1s'",
    )
    times = (100, 1_900, 2_100, 2_600, 4_100, 4_600, 6_100)
    assert over_time(lab, lambda: ports.pin(5).outside, *times) == [1, 1, 0, None, 0, None, None]
    lab, ports = stimulated(make, "at = '1s'\npin = 6\nvalue = 1\npress = '1s'")
    assert over_time(lab, lambda: ports.pin(6).outside, 500, 1_500, 2_500) == [None, 1, None]


def test_sensors_over_time(make):
    series = "[['1s', 10], ['3s', 20], ['3s', 5]]"
    lab, ports = stimulated(
        make,
        f"adc = 34\nvolts = {series}",
        f"touch = 4\nvalue = {series}",
        f"dht = 15\ntemperature = {series}",
        "at = '2s'\ndht = 15\nhumidity = 70",
        f"ds18x20 = 16\ntemperature = {series}",
        f"ds18x20 = 17\nrom = '010203040506'\ntemperature = {series}",
    )

    def read():
        named = ports.onewire(17).sensors[0]
        assert named.rom[1:7].hex() == "010203040506"
        both = ports.dht(15).temperature, ports.onewire(16).sensors[0].temperature, named.temperature
        return ports.adc(34).volts, ports.touch(4).value, *both

    values = over_time(lab, read, 500, 1_000, 2_000, 4_000)
    assert values == [(10,) * 5, (10,) * 5, (15,) * 5, (5,) * 5]
    assert ports.dht(15).humidity == 70


def test_a_series_counts_from_its_own_time(make):
    lab, ports = stimulated(
        make, "at = '2s'\nadc = 34\nvolts = [[0, 1], [2, 3]]", "at = '2s'\ntouch = 4\nvalue = [[0, 100], [2, 300]]"
    )
    assert over_time(lab, lambda: (ports.adc(34).volts, ports.touch(4).value), 2_500, 3_000, 4_500) == [
        (1.5, 100),
        (2, 200),
        (3, 300),
    ]


def test_a_new_series_takes_the_place_of_the_old_one(make):
    lab, ports = stimulated(
        make, "dht = 4\ntemperature = [['0s', 0], ['1m', 60]]", "at = '10.5s'\ndht = 4\ntemperature = 99"
    )
    assert over_time(lab, lambda: ports.dht(4).temperature, 10_000, 11_000, 30_000) == [10, 99, 99]


def test_buses_over_time(make):
    lab, ports = stimulated(
        make,
        "i2c = 0\naddress = 0x23\nregisters = {0x00 = 0x11, 16 = '01f4'}",
        "at = '1s'\ni2c = 0\naddress = 0x23\nregisters = {0x11 = 0xff}",
        "i2c = [22, 21]\naddress = 0x40\nregisters = {1 = 2}",
    )
    device = ports.i2c(0).at(0x23)
    assert over_time(lab, lambda: (device[0], device[16], device[17]), 500, 1_500) == [(17, 1, 0xF4), (17, 1, 0xFF)]
    assert ports.i2c((22, 21)).at(0x40)[1] == 2


def test_a_display_beside_a_sensor(make):
    _, ports = stimulated(
        make, "i2c = 0\naddress = 0x40\nregisters = {1 = 2}", "i2c = 0\naddress = 0x3c\ndisplay = true"
    )
    assert ports.i2c(0).scan() == [0x3C, 0x40]
    assert ports.i2c(0).display is ports.i2c(0).at(0x3C)


def test_a_uart_receives(make):
    code = "import machine, time\nu = machine.UART(1, 9600)\ntime.sleep(2)\nprint(u.read())"
    lab, _ = stimulated(make, "at = '1s'\nuart = 1\ntext = 'ab'\nhex = '00 ff'", code=code)
    lab.run(for_ms=3_000)
    assert lab.boards[0].lines == ["b'ab\\x00\\xff'"]


def test_a_mistake_that_shows_late_names_its_place_too(make):
    lab = make(boards(a="import time\ntime.sleep(9)") + "stdin = ''\n[[board.stimulus]]\nat = '2s'\nstdin = 'x'")
    with pytest.raises(UserError, match=r"lab\.toml: board\[0\]\.stimulus\[0\]: the input of this board was closed"):
        lab.run()
    assert lab.now_ms == 2_000

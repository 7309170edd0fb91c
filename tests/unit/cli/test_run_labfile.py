"""``espnow run lab.toml`` and ``espnow run --example``."""

import json
import sys
import time

import pytest

from espnow.cli import example
from espnow.cli.main import main

SHOW = (
    "import network, espnow, random\nprint(network.WLAN(0).config('mac').hex(), espnow.MAX_DATA_LEN, random.random())"
)

RADIO = "import network, espnow, time\nnetwork.WLAN(0).active(True)\ne = espnow.ESPNow()\ne.active(True)\n"
SEND = RADIO + "b = b'\\xff' * 6\ne.add_peer(b)\nfor _ in range(20): e.send(b, 'x')\n"
HEAR = RADIO + "n = 0\nwhile e.recv(300)[0]: n += 1\nprint(n)\n"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command in a folder and returns (exit code, stdout lines, stderr lines)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=""):
        (tmp_path.parent / "stdin").write_text(stdin)
        with (tmp_path.parent / "stdin").open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            try:
                code = main(["run", *map(str, arguments)])
            except SystemExit as error:
                code = error.code
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its name."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return name

    return write


def boards(**programs):
    return "".join(f"[[board]]\nname = '{name}'\ncode = {json.dumps(code)}\n" for name, code in programs.items())


def test_a_lab_file_is_run(run, write):
    write("sub/a.py", "import sys\nprint(sys.argv[1:], input())")
    write("sub/lab.toml", "[[board]]\nprogram = 'a.py'\nargv = ['x']\nstdin = 'typed'\n" + boards(b="print(2)"))
    code, out, err = run("--for", "1s", "sub/lab.toml")
    assert (code, sorted(out)) == (0, ["a: ['x'] typed", "b: 2"])
    assert err[0].startswith("--- ")


def test_its_duration_holds_and_it_passes_fast(run, write):
    write(
        "lab.toml",
        "duration = '1h'\n" + boards(a="import time\nwhile True:\n  time.sleep(60)\n  print(time.ticks_ms())"),
    )
    begin = time.monotonic()
    code, out, _ = run("--json", "lab.toml")
    assert time.monotonic() - begin < 20
    assert code == 0
    assert json.loads(out[-1])["us"] == 3_600_000_000
    _, out, _ = run("--json", "--for", "90s", "lab.toml")
    assert json.loads(out[-1])["us"] == 90_000_000


@pytest.mark.parametrize(
    ("file", "options", "paced"),
    [
        ("duration = '300ms'", [], False),
        ("duration = '300ms'\npace = 'real'", [], True),
        ("duration = '300ms'\npace = 'real'", ["--pace", "fast"], False),
        ("duration = '300ms'", ["--pace", "real"], True),
        ("pace = 'fast'", [], False),
        ("", [], True),
        ("", ["--pace", "fast"], False),
        ("", ["--for", "300ms", "--pace", "real"], True),
    ],
)
def test_the_pace_is_what_the_command_or_the_file_or_the_duration_says(run, write, monkeypatch, file, options, paced):
    made = []

    class Pacer:
        def __init__(self, *arguments):
            made.append(arguments)

        def __call__(self, at_us):
            return True

    monkeypatch.setattr("espnow.cli._lab_run.Pacer", Pacer)
    write("lab.toml", f"{file}\n" + boards(a="import time\ntime.sleep_ms(200)\nprint('end')"))
    assert run("--quiet", *options, "lab.toml") == (0, ["end"], [])
    assert bool(made) == paced


def test_the_command_line_wins(run, write):
    write(
        "lab.toml", "seed = 1\nprofile = 'esp32-v2'\n" + boards(a=SHOW) + "mac = '02:00:00:00:00:01'\n" + boards(b=SHOW)
    )
    _, first, _ = run("--for", "1s", "lab.toml")
    _, other_seed, _ = run("--for", "1s", "--seed", "2", "lab.toml")
    _, same_seed, _ = run("--for", "1s", "--seed", "1", "lab.toml")
    assert first == same_seed != other_seed
    assert [line.split()[:3] for line in first] == [["a:", "020000000001", "1470"], ["b:", "18fe34000008", "1470"]]
    _, out, _ = run("--for", "1s", "--mac", "-", "--mac", "02:00:00:00:00:02", "--profile", "esp32", "lab.toml")
    assert [line.split()[:3] for line in out] == [["a:", "020000000001", "250"], ["b:", "020000000002", "250"]]
    _, out, _ = run("--for", "1s", "--mac", "02:00:00:00:00:03", "lab.toml")
    assert out[0].split()[1] == "020000000003"


@pytest.mark.parametrize(
    ("air", "options", "heard"),
    [
        ("loss = 1", [], 0),
        ("loss = 1", ["--loss", "0"], 20),
        ("range = 5", [], 0),
        ("range = 5", ["--range", "20"], 20),
        ("range = 5", ["--at", "10,0"], 20),
        ("", ["--loss", "1"], 0),
    ],
)
def test_the_command_line_wins_over_the_air_of_the_file(run, write, air, options, heard):
    write("lab.toml", f"[air]\n{air}\n" + boards(hear=HEAR, send=SEND) + "at = [10, 0]\n")
    _, out, _ = run("--for", "2s", *options, "lab.toml")
    assert out == [f"hear: {heard}"]


def test_programs_may_stand_beside_it(run, write):
    write("lab.toml", boards(a=SHOW))
    write("more.py", SHOW)
    _, out, _ = run("--for", "1s", "more.py", "lab.toml", "-c", SHOW, "--mac", "-", "--mac", "02:00:00:00:00:09")
    assert [line.split()[:2] for line in out] == [
        ["a:", "18fe34000004"],
        ["more:", "020000000009"],
        ["code1:", "18fe3400000c"],
    ]


def test_log_pcap_and_quiet_of_the_file(run, write, tmp_path):
    write("sub/lab.toml", "quiet = true\nlog = true\npcap = 'air.pcapng'\nduration = '2s'\n" + boards(a=HEAR, b=SEND))
    code, out, err = run("sub/lab.toml")
    assert (code, out) == (0, ["a: 20"])
    assert len([line for line in err if " > " in line]) == 20
    assert not any(line.startswith("---") for line in err)
    assert (tmp_path / "sub" / "air.pcapng").stat().st_size > 1_000
    run("--pcap", "other.pcapng", "sub/lab.toml")
    assert (tmp_path / "other.pcapng").exists()


def test_a_board_that_is_typed_at_reads_that_alone(run, write):
    read = "try:\n  while True: print(input())\nexcept EOFError:\n  print('end')"
    text = boards(a=read) + "stdin = 'x'\n" + boards(b=read, c=read)
    write("lab.toml", text + "[[board.stimulus]]\nat = '1s'\nstdin = \"y\\n\"\n")
    for options in (["--for", "2s"], ["--for", "2s", "--pace", "real"]):
        code, out, _ = run(*options, "lab.toml", stdin="typed\n")
        assert (code, sorted(out)) == (0, ["a: end", "a: x", "b: end", "b: typed", "c: y"])


def test_a_run_goes_on_until_the_last_start(run, write):
    stimuli = "".join(
        f"[[board.stimulus]]\nat = '{at}'\naction = '{action}'\n"
        for at, action in (("2s", "power_off"), ("9s", "power_on"))
    )
    write("lab.toml", "pace = 'fast'\n" + boards(a="print('here')") + stimuli)
    assert run("lab.toml")[:2] == (0, ["here", "here"])
    assert run("--for", "1m", "lab.toml")[:2] == (0, ["here", "here"])
    assert run("--for", "8s", "lab.toml")[:2] == (0, ["here"])


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("boord = 1", ["lab.toml"], "espnow run: lab.toml: boord: there is no such key; did you mean board? Allowed: "),
        ("a = \nb = 1", ["lab.toml"], "espnow run: lab.toml, line 1, column 5: Invalid value"),
        ("", ["lab.toml"], "espnow run: lab.toml: it has no board: write [[board]], or name a program beside it"),
        ("", ["none.toml"], "espnow run: none.toml: No such file or directory"),
        ("", ["lab.toml", "lab.toml"], "espnow run: lab.toml and lab.toml: one lab file is enough"),
        (boards(a="x ="), ["lab.toml"], "espnow run: lab.toml: board[0]: <string>, line 1: "),
        (boards(a=""), ["--mac", "-", "--mac", "-", "lab.toml"], "--mac was given 2 times for 1 board(s)"),
        (boards(a=""), ["--at", "1", "lab.toml"], "espnow run: --at 1: a position is two numbers"),
        (boards(a=""), ["--pace", "slow", "lab.toml"], "--pace"),
        ("pcap = 'no/air.pcapng'\n" + boards(a=""), ["lab.toml"], "lab.toml: pcap: no/air.pcapng: No such file or "),
        (boards(a="import time\ntime.sleep(5)") + "stdin = ''\n[[board.stimulus]]\nat = '1s'\nstdin = 'x'",
         ["--for", "3s", "lab.toml"],
         "espnow run: lab.toml: board[0].stimulus[0]: the input of this board was closed"),
        ("", [], "espnow run: there is nothing to run"),
        ("", ["--example", "helo"], "there is no example helo; did you mean hello? There are hello, echo, "),
        ("", ["--example", "zzz"], "there is no example zzz. There are hello, echo, "),
        ("", ["--example", "hello", "x.py"], "espnow run: --example writes files and runs nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_code_2(run, write, text, arguments, says):
    write("lab.toml", text)
    code, out, err = run(*arguments)
    assert (code, out) == (2, [])
    assert len(err) == 1
    assert says in err[0]


def test_the_summary_counts_over_sleeps_and_restarts(run, write):
    sensor = RADIO + "import machine\nb = b'\\xff' * 6\ne.add_peer(b)\ne.send(b, 'x')\nmachine.deepsleep(1000)"
    hear = RADIO + "import machine\nfor _ in range(2): e.recv()\nmachine.soft_reset()"
    write("lab.toml", boards(sensor=sensor, hear=hear))
    _, out, _ = run("--for", "15s", "--json", "lab.toml")
    rows = {row["board"]: row for row in json.loads(out[-1])["summary"]}
    assert rows["sensor"]["sent"] >= 8
    assert rows["hear"]["received"] == rows["sensor"]["sent"]


# Examples.


def test_the_examples_are_listed_with_what_they_show(run):
    code, out, err = run("--example")
    assert (code, err) == (0, [])
    assert [line.split()[0] for line in out[: len(example.NAMES)]] == list(example.NAMES)
    assert all(len(line.split()) > 5 for line in out[: len(example.NAMES)])
    assert max(map(len, out)) <= 120
    assert run("--quiet", "--example")[1] == out


@pytest.mark.parametrize("name", example.NAMES)
def test_an_example_is_written_whole_and_never_over_a_file(run, tmp_path, name):
    code, out, err = run("--example", name)
    assert (code, err) == (0, [])
    written = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {path: (example.folder() / name / path).read_bytes() for path in example.files(name)}
    assert [f"wrote {path}" for path in sorted(written)] == out[: len(written)]
    assert out[-1] == "espnow run lab.toml"

    last = sorted(written)[-1]
    for path in written:
        (tmp_path / path).write_text("mine")
    code, out, err = run("--example", name)
    assert (code, out, len(err)) == (2, [], 1)
    assert "already, and nothing was written" in err[0]
    for path in sorted(written)[:-1]:
        (tmp_path / path).unlink()
    code, out, err = run("--example", name)
    assert (code, out) == (2, [])
    assert err[0].startswith(f"espnow run: {last} is there already, and nothing was written")
    assert [path.name for path in tmp_path.iterdir()] == [str(last)]


def test_an_example_that_cannot_be_written_is_one_line(run, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.copyfile", refuse)
    code, _, err = run("--example", "hello")
    assert (code, err) == (2, ["espnow run: lab.toml: Permission denied"])


def test_an_installed_package_has_its_own_examples(monkeypatch, tmp_path):
    package = tmp_path / "espnow"
    monkeypatch.setattr("espnow.__file__", str(package / "__init__.py"))
    assert example.folder() == tmp_path.parent / "examples"
    (package / "examples").mkdir(parents=True)
    assert example.folder() == package / "examples"


def test_routers_on_the_command_line(tmp_path, capsys):
    program = tmp_path / "join.py"
    program.write_text(
        "import network, time\nsta = network.WLAN(0)\nsta.active(True)\nsta.connect('home', 'password')\n"
        "while not sta.isconnected():\n    time.sleep_ms(100)\n"
        "print(sorted((found[0], found[2], found[4]) for found in sta.scan()), sta.config('channel'))\n"
    )
    routers = ["--router", "home,password,6", "--router=guests"]
    assert main(["run", "--for", "20s", *routers, str(program)]) == 0
    assert capsys.readouterr().out == "[(b'guests', 1, 0), (b'home', 6, 3)] 6\n"


@pytest.mark.parametrize(
    ("router", "told"),
    [
        ("home,password,six", "--router home,...: the channel is no number; write SSID,KEY,CHANNEL"),
        ("home,short", "8"),
        ("home,password,15", "15"),
        ("home,password," + "9" * 5_000, "--router home,...: the channel is no number"),
        (",password", "ssid"),
    ],
)
def test_routers_that_cannot_be(tmp_path, capsys, router, told):
    program = tmp_path / "any.py"
    program.write_text("")
    assert main(["run", "--router", router, str(program)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "short" not in error
    assert "password,s" not in error
    assert error.count("\n") == 1

"""The examples do what they say: each is run in virtual time, and what the documentation shows is what it prints."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from espnow.cli import example
from espnow.lab import Lab, labfile

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "examples.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))

#: Numbers that any better figure of the lab's timing changes.
UNSURE = re.compile(r"\d+(?= [um]s\b)|(?<=prime )\d+")


@pytest.fixture
def run():
    """Return a function that runs an example as its lab file says: its lab, and all lines as `espnow run` prints them.

    The labs are closed after the test.
    """
    labs = []

    def run(name, **options):
        file = labfile.read(EXAMPLES / name / "lab.toml")
        lines = []
        lab = file.make(**options)
        labs.append(lab)
        for board in lab.boards:
            board.console.sink = collector(board.name, lines)
        if file.content.duration_us is None:
            lab.run()
        else:
            lab.run(for_ms=file.content.duration_us / 1000)
        for board in lab.boards:
            assert board.error is None, board.output
        return lab, lines

    yield run
    for lab in labs:
        lab.close()


def collector(name, lines):
    part = ""

    def sink(text):
        nonlocal part
        *whole, part = (part + text).split("\n")
        lines.extend(f"{name}: {line}" for line in whole)

    return sink


@pytest.mark.parametrize("name", example.NAMES)
def test_an_example_prints_what_the_documentation_shows(run, name):
    _, lines = run(name)
    shown = re.search(r"^```text\n(.*?)^```", SECTIONS[name], re.MULTILINE | re.DOTALL)[1].splitlines()
    assert len(shown) >= 2
    rest = iter([UNSURE.sub("*", line) for line in lines])
    for line in shown:
        assert UNSURE.sub("*", line) in rest, f"{line!r} is not printed, or not in this place"


def test_the_examples_are_those_of_the_folder_and_of_the_documentation():
    folders = {path.parent.name for path in EXAMPLES.glob("*/lab.toml")}
    assert folders == set(example.NAMES)
    documented = [name for name in SECTIONS if name in folders]
    assert documented == list(example.NAMES)


@pytest.mark.parametrize("name", example.NAMES)
def test_every_file_is_in_the_documentation(name):
    files = {str(path) for path in example.files(name)}
    prose = re.sub(r"^```.*?^```", "", SECTIONS[name], flags=re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`([\w/]+\.(?:py|toml|csv))`", prose)) == files


def test_every_users_test_is_in_the_documentation():
    section = PAGE.partition("## Tests of programs")[2]
    assert set(re.findall(r"`(\w+\.py)`", section)) == {path.name for path in (EXAMPLES / "tests").glob("*.py")}


@pytest.mark.parametrize("name", example.NAMES)
def test_a_lab_file_begins_with_what_it_shows(name):
    first, second = (EXAMPLES / name / "lab.toml").read_text().splitlines()[:2]
    assert re.fullmatch(r"# [A-Z].{20,110}[^.]", first)
    assert second == ""


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.py")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_program_says_what_it_is_and_fits_the_page(path):
    text = path.read_text()
    assert text.startswith('"""')
    assert max(map(len, text.splitlines())) <= 120
    assert "espnow.lab" not in text
    assert "# noqa" not in text


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.toml")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_toml_is_toml(path):
    tomllib.loads(path.read_text())


# What each shows, beyond its lines.


def test_hello_is_complete(run):
    lab, lines = run("hello")
    assert len(lines) == len(lab.boards[0].received) == 102


def test_echo_gets_every_answer(run):
    _, lines = run("echo")
    times = [int(line.split()[-2]) for line in lines if "came back after" in line]
    assert len(times) == 10
    assert max(times) < 10_000


def test_echo_tells_of_a_server_that_is_not_there():
    with Lab() as lab:
        client = lab.board(EXAMPLES / "echo" / "client.py")
        lab.run()
        assert client.lines == [f"question {number} not heard" for number in range(10)]


def test_a_beacon_is_heard_where_it_is(run):
    _, lines = run("broadcast")
    heard = {name: sum(line.startswith(f"{name}: beacon") for line in lines) for name in ("near", "far", "outside")}
    assert heard["near"] == heard["far"] == 15
    assert heard["outside"] == 7
    assert lines.count("outside: I hear nobody") == 2


def test_the_door_opens_for_its_fob_alone(run):
    lab, lines = run("encrypted")
    door, _, thief = lab.boards
    assert [line for line in lines if line.startswith("door: open")] == [f"door: open, {n}" for n in (1, 2, 3)]
    assert len([at for at, level in door.pin(2).history if level == 1]) == 3
    assert [sent.acknowledged for sent in thief.sent] == [True, True]
    assert b"101" not in [message.message for message in door.received]


def test_the_door_refuses_what_it_heard_before_and_knows_the_fob_after_a_restart(run):
    lab, _ = run("encrypted")
    door, fob, _ = lab.boards
    for board in (door, fob):
        board.power_off()
        board.power_on()
    lab.run(for_ms=5000)
    assert [line for line in door.lines if line.startswith("open")] == [f"open, {n}" for n in range(1, 7)]
    assert not [line for line in door.lines if line.startswith("an old")]


def test_the_worker_loses_nothing(run):
    lab, lines = run("irq")
    told = re.findall(r"b'm(\d+)'", " ".join(lines))
    assert told == [str(number) for number in range(len(told))]
    assert len(told) >= 12
    assert lab.boards[0].hardware.node.stats.rx_dropped == 0


def test_neighbours_come_and_go(run):
    _, lines = run("asyncio")
    for name, other in (("ada", "08"), ("ben", "04")):
        own = [line.removeprefix(f"{name}: 18:fe:34:00:00:") for line in lines if line.startswith(name)]
        assert own == [f"{other} is here", "0c is here", "0c has gone"]


def test_the_remote_finds_its_gateway_again(run):
    _, lines = run("scan")
    numbers = [int(line.split()[-1]) for line in lines if line.startswith("gateway: number")]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 14
    assert [line.split()[6] for line in lines if line.startswith("remote: the gateway")] == ["11", "4"]


def test_the_lamp_does_what_the_buttons_say(run):
    lab, lines = run("remote")
    lamp, remote = lab.boards
    assert [line for line in lines if line.startswith("lamp")] == [
        "lamp: switch -> 25 %",
        "lamp: brighter -> 50 %",
        "lamp: brighter -> 75 %",
        "lamp: brighter -> 100 %",
        "lamp: switch -> 0 %",
    ]
    assert lamp.pin(2).pwm == (1000, 0)
    assert len([level for _, level in remote.pin(2).history if level]) == 5


def test_messages_go_around_one_board_that_fails_and_not_around_two(run):
    lab, lines = run("mesh")
    numbers = [int(line.split()[2]) for line in lines if "reading" in line]
    assert numbers == [*range(10), *range(numbers[10], 20)]
    assert numbers[10] in (15, 16)
    assert lines.count("sink: nothing arrives") in (1, 2)
    source, *_, sink = lab.boards
    direct = {source.mac, sink.mac}
    assert not any({message.source, sink.mac} == direct for message in sink.received)


def test_the_proxy_passes_on_what_it_hears(run):
    lab, lines = run("proxy")
    readings = [float(line.split()[2]) for line in lines if line.startswith("collector")]
    assert len(readings) >= 15
    assert readings == sorted(readings)
    assert {line.split()[-1] for line in lines if line.startswith("collector")} == {"192.168.1.3"}
    assert [line.split()[-1] for line in lines if line.startswith("sensor: the proxy")] == ["6", "11"]
    assert lab.routers[0].channel == 11


def test_the_sensors_live_on_their_batteries(run):
    lab, lines = run("sensor")
    _, indoors, garden = lab.boards
    numbers = [int(re.search(r"#(\d+)", line)[1]) for line in lines if f"{indoors.mac[-1]:02x}  #" in line]
    assert numbers == list(range(30))
    assert indoors.power_ms("deep sleep") > 0.99 * lab.now_ms
    assert garden.power_state.value == "off"
    low = [line for line in lines if "BATTERY LOW" in line]
    assert len(low) == 10
    assert all(f"{garden.mac[-1]:02x}  #" in line for line in low)


@pytest.mark.parametrize("name", ["sensor", "mesh"])
def test_an_example_is_the_same_each_time_and_another_with_another_seed(run, name):
    first, second, other = (
        [transmission.mpdu for transmission in run(name, seed=seed)[0].transmissions] for seed in (1, 1, 2)
    )
    assert first == second != other


def test_the_users_tests_pass(tmp_path):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(tmp_path / "pytest.ini")]
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    done = subprocess.run([*command, str(EXAMPLES / "tests")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 12

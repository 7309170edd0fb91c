"""docs/live.md: its programs run, its table is the code's."""

import inspect
import re
import signal
from pathlib import Path

import pytest

import espnow.radio
from espnow import live

from .conftest import until

PAGE = (Path(__file__).parents[2] / "docs" / "live.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def program(*marks):
    (found,) = [text for text in PROGRAMS if all(mark in text for mark in marks)]
    return found


def test_who_asks_and_who_answers(programs):
    answers = programs.file(program("heard", "add_peer(mac)"), "answers.py")
    until(lambda: len(list(Path(f"/proc/{answers.pid}/task").iterdir())) > 1)
    asks = programs.file(program('"one", "two", "three"'), "asks.py")
    assert asks.finish() == ["b'heard one'", "b'heard two'", "b'heard three'"]
    assert answers.finish() == []


def test_the_choice(programs):
    source = program("espnow.radio.use")
    told = programs.file(source + "import network\nprint(network.WLAN(0).config('mac').hex(':'))\n")
    assert told.finish() == ["250", "30:aa:aa:aa:aa:aa"]


def test_select(programs, peer):
    running = programs.file(program("import select"), PYTHONUNBUFFERED="1")
    running.write("typed\n")
    until(lambda: peer.messages == [b"typed"])
    assert peer.send(b"\xff" * 6, b"hello")
    running.expect("heard b'hello'")
    assert running.process.stdin is not None
    running.process.stdin.close()
    assert running.finish() == ["heard b'hello'"]


def test_asyncio(programs, peer):
    running = programs.file(program("import asyncio"))
    until(lambda: peer.messages.count(b"here") >= 2)
    assert peer.send(b"\xff" * 6, b"end")
    assert running.finish() == ["heard b'end'"]


def test_an_end_in_order(programs, peer):
    running = programs.file(program("import signal"))
    until(lambda: _takes_the_signal(running.pid))
    running.signal(signal.SIGTERM)
    running.finish()
    until(lambda: peer.messages == [b"bye"])


def _takes_the_signal(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(re.search(r"^SigCgt:\s+(\w+)$", status, re.MULTILINE)[1], 16)
    return caught >> (signal.SIGTERM - 1) & 1


def test_every_program_is_run_here():
    marks = [("heard", "add_peer(mac)"), ('"one", "two", "three"',), ("espnow.radio.use",), ("import select",)]
    assert {program(*some) for some in [*marks, ("import asyncio",), ("import signal",)]} == set(PROGRAMS)


ROWS = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| `ESPNOW_")
]


def test_the_table_of_settings():
    parameters = list(inspect.signature(espnow.radio.use).parameters)
    assert [row[1] for row in ROWS] == parameters
    documented = inspect.getdoc(espnow.radio.use)
    assert [row[0] for row in ROWS] == [f"ESPNOW_{name.upper()}" for name in parameters]
    assert all(row[0] in documented for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_is_usual(fresh, row):
    fresh.delenv("ESPNOW_RADIO")
    fresh.delenv("ESPNOW_ANSWER_TIMEOUT_MS")
    usual = getattr(live.settings(), row[1])
    told = {"mac": None, "channel": None, "capture": None}.get(row[1], row[3])
    assert usual == (float(told) if row[1] == "answer_timeout_ms" else told)
    if row[1] == "channel":
        fresh.setenv("ESPNOW_RADIO", "none:")
        assert str(live.board().wifi.channel) == row[3]

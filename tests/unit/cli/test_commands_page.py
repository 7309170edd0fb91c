"""docs/commands.md is held against the commands: its runs are run, its tables are compared.

The runs happen in a small world in virtual time: a board and a second station on channel 6, heard by any radio.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from espnow import frame as wire
from espnow import radio as radios
from espnow.cli.main import main
from espnow.link import Outcome

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"
COMMANDS = ("listen", "sniff", "send", "ping", "scan")

BOARD = bytes.fromhex("30aaaaaaaaaa")
SENSOR = bytes.fromhex("240ac4123456")
CHANNEL = 6
EPOCH_NS = 1_790_000_000 * 10**9  # 2026-09-21 14:13:20


class World:
    """What a radio hears and who answers it."""

    def __init__(self, radio: Any) -> None:
        self._radio = radio
        self._seq = 0

    def open(self, name: Any, loop: Any, report: Any) -> Any:
        """Open a radio in it, of any kind."""
        radio = self._radio
        if name.rest == "wlan2":
            radio.abilities = radio.abilities.__class__(tells_outcome=False, tells_attempts=False)
        link = radio.open(name, loop, report)
        link.transmit = self._transmit
        for number in range(1, 200):
            loop.call_at(number * 250_000 - 100_000, lambda number=number: self._sensor(number), background=True)
            loop.call_at(number * 1_000_000 - 400_000, lambda number=number: self._board(number), background=True)
        return link

    def _transmit(self, mpdu: bytes, token: int) -> None:
        radio = self._radio
        link, loop = radio.link, radio.loop
        self._seq += 1
        group = mpdu[4] & 1
        answers = link.config.channel == CHANNEL and mpdu[4:10] == BOARD
        attempts = 1 + (self._seq % 3 == 2) if answers or group else 7
        took_us = 1_000 * attempts + 37 * self._seq
        outcome = Outcome.ACKNOWLEDGED if answers or group else Outcome.NOT_ACKNOWLEDGED
        if not link.abilities.tells_outcome and not group:
            outcome = Outcome.UNKNOWN
        at_us = loop.now_us + took_us
        loop.call_at(at_us, lambda: link.station.outcome(token, outcome, attempts, at_us))

    def _sensor(self, number: int) -> None:
        """A sensor that is far away: of 8 frames one is not heard, one is heard again."""
        if number % 8 != 5:
            self._hear(wire.build(BOARD, SENSOR, b"t=%.1f" % (20 + number / 10), seq=number, random_value=number), -78)
            if number % 8 == 3:
                again = wire.build(BOARD, SENSOR, b"t=%.1f" % (20 + number / 10), seq=number, random_value=number)
                self._hear(wire.with_retry(again), -79)

    def _board(self, number: int) -> None:
        """A board that says that it is there."""
        self._hear(wire.build(wire.BROADCAST, BOARD, b"here %d" % number, seq=number, random_value=number), -41)

    def _hear(self, mpdu: bytes, rssi_dbm: int) -> None:
        link = self._radio.link
        config = link.config
        own = [address for _, address in config.addresses]
        if config.channel == CHANNEL and (config.promiscuous or mpdu[4] & 1 or mpdu[4:10] in own):
            link.inject_frame(mpdu, rssi_dbm=rssi_dbm)


def shown_runs() -> Iterator[tuple[str, list[str], bool]]:
    """Yield each command of the page, what it prints, and whether that is a terminal."""
    for mark, block in re.findall(r"(<!-- on a terminal -->\n)?```console\n(.*?)^```", PAGE.read_text(), re.M | re.S):
        for run in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, *lines = run.splitlines()
            yield command, lines, bool(mark)


@pytest.mark.parametrize(("command", "lines", "terminal"), list(shown_runs()))
def test_a_run_that_is_shown_prints_that(
    radio: Any,
    screen: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
    lines: list[str],
    terminal: bool,
) -> None:
    assert run(command, radio, monkeypatch, tmp_path, screen if terminal else None) == lines


def run(command: str, radio: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, screen: Any) -> list[str]:
    """Run a command in the world, and return what a person sees."""
    module: Any = types.ModuleType("world_radio")
    module.open = World(radio).open
    monkeypatch.setitem(sys.modules, "world_radio", module)
    for kind in ("udp", "monitor"):
        monkeypatch.setitem(radios.KINDS, kind, ("world_radio", "open"))
    radio.epoch_ns = EPOCH_NS
    monkeypatch.chdir(folder)
    (folder / "keys.toml").write_text('[[key]]\nlmk = "lmk1234567890123"\n')
    (folder / "keys.toml").chmod(0o600)
    (folder / "readings.txt").write_text("t=21.5\nt=21.7\n")
    before, pipe, command = command.rpartition("| ")
    if pipe:
        given = before.removeprefix("printf ").strip().strip("'").encode().decode("unicode_escape").encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    program, *arguments = shlex.split(command)
    assert program == "espnow"
    seen = io.StringIO()
    if screen is not None:
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("LINES", "24")
        seen.isatty = lambda: True  # type: ignore[method-assign]
    with contextlib.redirect_stdout(seen), contextlib.redirect_stderr(seen):
        main(arguments)
    if screen is None:
        return seen.getvalue().splitlines()
    screen.feed(seen.getvalue())
    return list(screen.lines[:-1])


# Tables.


def table(first_header: str) -> list[list[str]]:
    """Return the rows of the tables whose first header is this one."""
    rows: list[list[str]] = []
    inside = False
    for line in PAGE.read_text().splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if inside:
            rows.append(cells)
        inside = inside or cells[0] == first_header
    found = [row for row in rows if set(row[0]) != {"-"}]
    assert found, first_header
    return found


def options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*|-[a-z])(?![\w-])", text))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_are_those_of_the_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  -")]
    in_help = options("\n".join(line[:24] for line in listed))
    page = PAGE.read_text()
    of_all = options("\n".join(row[0] for row in table("option of every command")))
    of_this = options("\n".join(row[0] for row in table(f"option of `{command}`")))
    assert not of_all & of_this
    missing = {"--channel"} if command == "scan" else {"--mac"} if command == "sniff" else set()
    assert (of_all - missing) | of_this == in_help
    section = page.partition(f"\n## {command}")[2].partition("\n## ")[0]
    assert section
    assert options(" ".join(re.findall(r"`[^`\n]+`", section))) <= in_help


@pytest.mark.parametrize(
    ("header", "command"),
    [
        ("key of `ping`", "ping --json -c 1 30:aa:aa:aa:aa:aa"),
        ("key of `send`", "send --json --channel 6 30:aa:aa:aa:aa:aa x"),
        ("key of `scan`", "scan --json --channels 6 30:aa:aa:aa:aa:aa"),
        ("key of a station", "sniff --json --channel 6 --for 1s"),
    ],
)
def test_the_keys_of_json_are_documented(
    radio: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, header: str, command: str
) -> None:
    lines = run(f"espnow {command}", radio, monkeypatch, tmp_path, None)
    told = [json.loads(line) for line in lines if line.startswith("{")]
    found: set[str] = set()
    for one in told:
        if header == "key of a station":
            found |= {key for station in one.get("stations", ()) for key in station}
        else:
            found |= set(one)
            for inner in one.values():
                found |= set(inner) if isinstance(inner, dict) else set()
    assert {name for row in table(header) for name in re.findall(r"`(\w+)`", row[0])} == found

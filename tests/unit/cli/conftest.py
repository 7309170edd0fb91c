"""A command on a radio without either: virtual time, and a link that does what a test says."""

from __future__ import annotations

import json
import re
import signal
import sys
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from espnow import radio as radios
from espnow.cli import _radio
from espnow.cli.main import main
from espnow.link import Abilities
from espnow.live import address
from espnow.live.address import Claim
from espnow.radio.loop import BoardLock
from espnow.testing import ManualClock, ScriptedLink, WaitsForever

OWN = bytes.fromhex("18fe34000004")


class VirtualLoop(ManualClock):
    """A loop whose time moves when the command waits (`espnow.radio.loop.RadioLoop`)."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = BoardLock()
        self.watched: dict[int, Callable[[], None]] = {}
        self.closed = False
        self.idle_steps = 0

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        self.watched[fd] = ready

    def unwatch(self, fd: int) -> None:
        self.watched.pop(fd, None)

    def close(self) -> None:
        self.closed = True

    def go_on(self) -> None:
        """Do what is due next."""
        idle = all(timer[3] or timer[2] is None for timer in self._heap)
        self.idle_steps = self.idle_steps + 1 if idle else 0
        if self.idle_steps > 100 or not self._heap:
            raise WaitsForever("the command waits, and nothing but chores will ever happen")
        with self.lock:
            self.advance(max(0, self._heap[0][0] - self.now_us))


class Result(NamedTuple):
    """What a command did."""

    code: object
    out: list[str]
    err: list[str]

    @property
    def json(self) -> list[Any]:
        return [json.loads(line) for line in self.out]


class Radio:
    """The radio ``scripted:``, and the commands that a test runs on it.

    Attributes:
        abilities: what it can do.
        epoch_ns: the wall clock's time when the loop's begins.
        loop: of the last command.
        link: of the last command.
        report: what the link tells a person with.
        output: what the last command printed.
    """

    loop: VirtualLoop
    link: ScriptedLink
    report: Callable[[str], None]
    output: str

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.abilities = Abilities()
        self.epoch_ns = 0
        self._capsys = capsys
        self._plan: list[tuple[float, Callable[[], object]]] = []
        self._opening: list[Callable[[], object]] = []

    def at(self, ms: float, call: Callable[[], object]) -> None:
        """Call something so long after the radio is opened."""
        self._plan.append((ms, call))

    def when_opened(self, call: Callable[[], object]) -> None:
        """Call something when the radio is opened."""
        self._opening.append(call)

    def hear(self, ms: float, message: bytes | str, **more: Any) -> None:
        """Let a message arrive at a time."""
        self.at(ms, lambda: self.link.inject(message, **more))

    def interrupt(self, ms: float, number: int = signal.SIGINT) -> None:
        """Let a signal come at a time."""
        self.at(ms, lambda: signal.raise_signal(number))

    def make_loop(self) -> VirtualLoop:
        self.loop = VirtualLoop()
        return self.loop

    def time_ns(self) -> int:
        return self.epoch_ns + self.loop.now_us * 1000

    def open(self, _name: object, loop: VirtualLoop, report: Callable[[str], None]) -> ScriptedLink:
        self.report = report
        self.link = ScriptedLink(loop)
        self.link.abilities = self.abilities
        for ms, call in self._plan:
            loop.call_at(round(ms * 1000), call)  # type: ignore[arg-type]
        for call in self._opening:
            call()
        return self.link

    def run(self, *arguments: object) -> Result:
        """Run a command."""
        command, *rest = map(str, arguments)
        code: object
        try:
            code = main([command, "--radio", "scripted:", *rest])
        except SystemExit as error:
            code = error.code
        out, err = self._capsys.readouterr()
        self.output = out
        return Result(code, out.splitlines(), err.splitlines())


class Terminal:
    """A terminal that knows the little that the table needs of one."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = 0
        self.column = 0

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+", text):
            if part == "\n":
                self.row += 1
                self.column = 0
                if self.row == len(self.lines):
                    self.lines.append("")
            elif part == "\r":
                self.column = 0
            elif part.endswith("A") and part.startswith("\x1b"):
                self.row -= int(part[2:-1])
                assert self.row >= 0
            elif part == "\x1b[K":
                self.lines[self.row] = self.lines[self.row][: self.column]
            elif part == "\x1b[J":
                assert self.column == 0
                del self.lines[self.row :]
                self.lines.append("")
            else:
                assert not part.startswith("\x1b")
                line = self.lines[self.row]
                self.lines[self.row] = line[: self.column] + part + line[self.column + len(part) :]
                self.column += len(part)


@pytest.fixture
def screen() -> Terminal:
    return Terminal()


@pytest.fixture
def radio(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Radio:
    def take(session: Any) -> Callable[[], object]:
        while session._calls.empty():
            session.loop.go_on()
        call: Callable[[], object] = session._calls.get_nowait()
        return call

    for name in ("ESPNOW_RADIO", "ESPNOW_CHANNEL", "ESPNOW_PROFILE", "ESPNOW_LMK", "ESPNOW_PMK", "ESPNOW_CAPTURE"):
        monkeypatch.delenv(name, raising=False)
    radio = Radio(capsys)
    module: Any = types.ModuleType("scripted_radio")
    module.open = radio.open
    monkeypatch.setitem(sys.modules, "scripted_radio", module)
    monkeypatch.setitem(radios.KINDS, "scripted", ("scripted_radio", "open"))
    monkeypatch.setattr(_radio, "RadioLoop", radio.make_loop)
    monkeypatch.setattr(address, "claim_address", lambda _program: Claim(OWN))
    monkeypatch.setattr(_radio, "time", types.SimpleNamespace(time_ns=radio.time_ns))
    monkeypatch.setattr(_radio.Session, "_take", take)
    return radio

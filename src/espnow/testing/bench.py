"""One board alone, without greenlets: the test itself is its program.

A call that waits moves the time on to the next event, so a test never sleeps. One that would wait for ever raises.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from espnow.board import PROFILES, Board
from espnow.lab.chance import Chance
from espnow.lab.console import LabConsole
from espnow.lab.evaluate import add_evaluation
from espnow.lab.hub import Entry, HeapTimer
from espnow.lab.importer import Importer
from espnow.lab.program import add_steps, compile_program
from espnow.micropython import Services, make_builtins
from espnow.micropython.flash import Flash
from espnow.testing.link import ScriptedLink

__all__ = ["Bench", "ManualClock", "WaitsForever"]


class WaitsForever(AssertionError):
    """The board waits, and nothing that could end it will ever happen."""


class ManualClock:
    """Time that moves only when somebody waits (`espnow.link.Clock`), and the thread of control that waits.

    Attributes:
        now_us: microseconds since the beginning.
    """

    def __init__(self) -> None:
        self.now_us = 0
        self._heap: list[Entry] = []
        self._counter = 0
        self._woken = False

    def call_at(self, at_us: int, function: Callable[[], None], *, background: bool = False) -> HeapTimer:
        """Call `function` when the time comes."""
        self._counter += 1
        entry = [max(at_us, self.now_us), self._counter, function, background]
        heapq.heappush(self._heap, entry)
        return HeapTimer(entry)

    def advance(self, us: int) -> None:
        """Let so much time pass, and do what is due."""
        until_us = self.now_us + us
        while self.step(until_us):
            pass
        self.now_us = until_us

    def pause(self, until_us: int | None) -> None:
        """Let time pass until `wake` or `until_us` (`espnow.link.Cpu`).

        Raises:
            WaitsForever: neither will come.
        """
        self._woken = False
        while not self._woken:
            stuck = until_us is None and all(timer[3] or timer[2] is None for timer in self._heap)
            if stuck or not self.step(until_us):
                if until_us is None:
                    raise WaitsForever("this board waits, and nothing will ever happen")
                self.now_us = max(self.now_us, until_us)
                return

    def wake(self) -> None:
        """End the pause."""
        self._woken = True

    def spend(self, us: int) -> None:
        """Let the program compute."""
        self.advance(us)

    def step(self, until_us: int | None = None) -> bool:
        """Do what is due next, if that is not after `until_us`, and return whether there was something."""
        heap = self._heap
        if not heap or (until_us is not None and heap[0][0] > until_us):
            return False
        at_us, _, function, _ = heapq.heappop(heap)
        self.now_us = max(self.now_us, at_us)
        if function is not None:
            function()
        return True


class Bench:
    """One board on a scripted link.

    Attributes:
        clock: its time.
        link: what it sends and hears.
        board: the emulated board.
        console: what it prints, and what it reads.
    """

    def __init__(
        self,
        profile: str = "esp32",
        *,
        mac: bytes = b"\x18\xfe\x34\x00\x00\x04",
        seed: int = 0,
        folder: Path | None = None,
    ) -> None:
        """Make a board that was just switched on.

        Args:
            profile: ``"esp32"``, ``"esp32-v2"`` or ``"esp8266"``.
            mac: address of its STA interface.
            seed: decides what is random.
            folder: what its flash begins with: modules and files of its programs.
        """
        self.clock = ManualClock()
        self.link = ScriptedLink(self.clock)
        self.console = LabConsole()
        self.console.wake = self.clock.wake
        self._chance = Chance(seed)
        self._flash = Flash(folder)
        frames = self._chance.stream("frames")
        self.board = self.link.station = Board(
            PROFILES[profile],
            "bench",
            mac=mac,
            clock=self.clock,
            cpu=self.clock,
            link=self.link,
            console=self.console,
            random_u32=lambda: frames.getrandbits(32),
        )
        self._importer = self._boot()

    @property
    def espnow(self) -> Any:
        """The board's `espnow` module."""
        return self.module("espnow")

    @property
    def aioespnow(self) -> Any:
        """The board's `aioespnow` module."""
        return self.module("aioespnow")

    @property
    def network(self) -> Any:
        """The board's `network` module."""
        return self.module("network")

    @property
    def output(self) -> str:
        """Everything that was printed."""
        return self.console.output

    def module(self, name: str) -> Any:
        """Return a module of the board, as its programs import it."""
        return self._importer.import_(name, fromlist=("*",))

    def start(self) -> Any:
        """Switch on the STA interface and ESP-NOW, and return the ESPNow object."""
        self.network.WLAN(0).active(True)
        espnow = self.espnow.ESPNow()
        espnow.active(True)
        return espnow

    def run(self, source: str, filename: str = "<program>") -> dict[str, Any]:
        """Run a program as this board does, to its end, and return its globals; its exceptions come out.

        Raises:
            ProgramSyntaxError: it is no Python.
            WaitsForever: it waits for what never comes.
        """
        main = ModuleType("__main__")
        vars(main)["__builtins__"] = self._importer.builtins
        self._importer.modules["__main__"] = main
        exec(compile_program(source, filename), vars(main))
        return vars(main)

    def advance(self, ms: float) -> None:
        """Let virtual time pass without the board's program doing anything but its callbacks."""
        self.clock.advance(round(ms * 1000))
        if self.board.has_callbacks:
            self.board.run_callbacks()

    def soft_reset(self) -> None:
        """Restart MicroPython: modules are new, ESP-NOW is as after boot, Wi-Fi is as it was."""
        self.board.soft_reset()
        self._importer = self._boot()

    def _boot(self) -> Importer:
        services = Services(
            random_source=self._chance.stream("random"),
            urandom=self._chance.stream("urandom").randbytes,
            soft_reset=_cannot_reset,
            reset=_cannot_reset,
            argv=[""],
            modules={},
            flash=self._flash,
        )
        self._flash.boot()
        importer = Importer(self.board, services)
        importer.builtins = make_builtins(self.board, services, importer.import_)
        add_steps(importer.builtins, self.board)
        add_evaluation(importer.builtins, self._flash)
        return importer


def _cannot_reset() -> NoReturn:
    raise SystemExit("a program on a bench cannot reset its board")

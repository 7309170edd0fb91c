"""The process's own board: what ``import espnow`` in an ordinary Python program uses.

The same board and node as in the lab, on the wall clock. So far its radio is ``none:``: it is alone, and says so with
a RuntimeWarning when it is first used; radios that reach other processes and real boards come with a later release.
Time-driven work is done when the program calls or waits; callbacks run then, too.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import platform
import random
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from types import ModuleType

from espnow.api import build_module
from espnow.board import PROFILES, Board
from espnow.errors import UserError
from espnow.frame import station_address
from espnow.radio.none import NoRadio

__all__ = ["board", "module"]

_modules: dict[str, ModuleType] = {}
_board: Board | None = None


class _Timer(list[object]):
    """An entry of the heap: time, counter, function (None once cancelled)."""

    __slots__ = ()

    def cancel(self) -> None:
        self[2] = None


class _WallClock:
    """Wall-clock time since the board was made, and what is to be done when (`espnow.link.Clock`)."""

    def __init__(self) -> None:
        self._start_ns = time.monotonic_ns()
        self._heap: list[_Timer] = []
        self._counter = 0
        self.changed = threading.Condition()

    @property
    def now_us(self) -> int:
        return (time.monotonic_ns() - self._start_ns) // 1000

    def call_at(self, at_us: int, function: Callable[[], None], *, background: bool = False) -> _Timer:
        with self.changed:
            self._counter += 1
            timer = _Timer((at_us, self._counter, function))
            heapq.heappush(self._heap, timer)
            self.changed.notify_all()
        return timer

    def run_due(self) -> None:
        """Do what is due."""
        while True:
            with self.changed:
                if not self._heap or self._heap[0][0] > self.now_us:  # type: ignore[operator]
                    return
                function = heapq.heappop(self._heap)[2]
            if function is not None:
                function()  # type: ignore[operator]

    def next_us(self) -> int | None:
        """Return when something is due next."""
        return self._heap[0][0] if self._heap else None  # type: ignore[return-value]


class _ThreadCpu:
    """The program's thread (`espnow.link.Cpu`)."""

    def __init__(self, clock: _WallClock) -> None:
        self._clock = clock
        self._woken = False

    def pause(self, until_us: int | None) -> None:
        clock = self._clock
        clock.run_due()
        with clock.changed:
            if not self._woken:
                times = [at for at in (until_us, clock.next_us()) if at is not None]
                timeout_s = max(0.0, (min(times) - clock.now_us) / 1e6) if times else None
                clock.changed.wait(timeout_s)
            self._woken = False
        clock.run_due()

    def wake(self) -> None:
        with self._clock.changed:
            self._woken = True
            self._clock.changed.notify_all()

    def spend(self, us: int) -> None:
        self._clock.run_due()


class _HostConsole:
    """The process's standard streams (`espnow.board.Console`)."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def read_line(self) -> str:
        return sys.stdin.readline()

    def has_input(self) -> bool:
        return True

    def read_part(self) -> str:
        return ""

    def has_part(self) -> bool:
        return False

    def exception(self, error: BaseException) -> None:
        traceback.print_exception(error)


def board() -> Board:
    """Return the process's board; made on the first call.

    ``ESPNOW_PROFILE`` and ``ESPNOW_MAC`` choose its kind and address.

    Raises:
        UserError: one of them cannot be.
    """
    global _board
    if _board is None:
        profile = os.environ.get("ESPNOW_PROFILE", "esp32")
        if profile not in PROFILES:
            raise UserError(f"ESPNOW_PROFILE is {profile!r}; there are {', '.join(PROFILES)}")
        try:
            mac = station_address(os.environ["ESPNOW_MAC"]) if "ESPNOW_MAC" in os.environ else _host_mac()
        except ValueError as error:
            raise UserError(f"ESPNOW_MAC: {error}") from None
        warnings.warn(
            "espnow has no radio yet in an ordinary Python program: this board hears nobody, and nobody hears it; "
            "`espnow run PROGRAM PROGRAM` runs programs on boards that hear each other",
            RuntimeWarning,
            stacklevel=4,
        )
        clock = _WallClock()
        link = NoRadio(clock)
        chance = random.SystemRandom()
        _board = link.station = Board(
            PROFILES[profile],
            "live",
            mac=mac,
            clock=clock,
            cpu=_ThreadCpu(clock),
            link=link,
            console=_HostConsole(),
            random_u32=lambda: chance.getrandbits(32),
        )
    return _board


def module(name: str) -> ModuleType:
    """Return `espnow`, `aioespnow` or `network` of the process's board."""
    return build_module(name, board(), _modules)


def _host_mac() -> bytes:
    """Return an address that is this computer's, the same each time: Espressif's OUI and a hash of the host's name."""
    return bytes.fromhex("18fe34") + hashlib.sha256(platform.node().encode()).digest()[:3]

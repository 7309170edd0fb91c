"""The lab's connection to the computer it runs on: its pace, Ctrl-C, standard input, its sockets, its event loop.

Beside `espnow.lab.wall` the one place of the lab that reads the host's clock. Virtual time never runs ahead of the wall
clock here; it may fall behind when the computer is too slow.
"""

from __future__ import annotations

import codecs
import math
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from espnow.lab.clock import VirtualClock
from espnow.lab.console import LabConsole
from espnow.lab.hub import HubClock
from espnow.link import Clock

__all__ = ["HostInput", "HostWaiter", "Pacer", "apart_from_host", "listening_to_ctrl_c"]

#: How long the host waits at most before it looks again whether it was interrupted.
_SLICE_S = 0.1

#: While a program waits for the host's network, virtual time goes on in steps of this.
_STEP_US = 1_000


class HostInput:
    """Standard input, to the program that reads it (`espnow.lab.console.InputSource`).

    While the clock is interrupted nothing is read, and what was read is kept: Ctrl-C comes before the line or the end
    that follows it, as at a terminal.

    Attributes:
        fd: its descriptor.
    """

    def __init__(self, fd: int, clock: HubClock, *, paced: bool) -> None:
        """Read from a descriptor.

        Args:
            fd: the descriptor.
            clock: of the lab.
            paced: a program that finds nothing waits in virtual time; otherwise virtual time stands still until there
                is a line, so that what a file or pipe holds arrives at the same instant in every run.
        """
        self.fd = fd
        self._clock = clock
        self._paced = paced
        self._lines: deque[str] = deque()
        self._part = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._ended = False
        self._waiting: dict[LabConsole, None] = {}
        self._looks_again = False

    @property
    def awaited(self) -> bool:
        """Whether a program waits for a line."""
        return bool(self._waiting)

    def read_line(self, console: LabConsole) -> str | None:
        """Return a line, "" at the end of the input, or None: the console is woken when there is one."""
        while not self._lines and not self._ended and not self._clock.interrupted:
            if self._poll(0.0 if self._paced else _SLICE_S):
                self._fill()
            elif self._paced:
                self._waiting[console] = None
                return None
        if self._clock.interrupted:
            self._hold_back(console)
            return None
        return self._lines.popleft() if self._lines else ""

    def has_input(self, console: LabConsole) -> bool:
        """Whether `read_line` would return something at once; if not, the console is woken when it would."""
        while not self._lines and not self._ended and not self._clock.interrupted and self._poll(0.0):
            self._fill()
        if self._clock.interrupted:
            self._hold_back(console)
            return False
        if self._lines or self._ended:
            return True
        self._waiting[console] = None
        return False

    def read_part(self, console: LabConsole) -> str:
        """Return what there is of a line that has not ended, if time passes by itself meanwhile."""
        if not self.has_part(console):
            return ""
        length = self._readable()
        part, self._part = self._part[:length], self._part[length:]
        return part

    def has_part(self, _console: LabConsole) -> bool:
        """Whether `read_part` would return something now."""
        return self._paced and not self._lines and not self._clock.interrupted and self._readable() > 0

    def wait(self, timeout_s: float) -> bool:
        """Wait on the host for input; wakes who waits for it. False if none came."""
        if not self._poll(timeout_s):
            return False
        self._fill()
        if not self._lines and not self._ended and not self._readable():
            return False
        self._wake()
        return True

    def _wake(self) -> None:
        self._looks_again = False
        waiting, self._waiting = self._waiting, {}
        for console in waiting:
            console.wake()

    def _hold_back(self, console: LabConsole) -> None:
        """Let a program look again once the interruption was answered: the descriptor may have nothing more to say."""
        self._waiting[console] = None
        if not self._looks_again:
            self._looks_again = True
            self._clock.call_at(self._clock.now_us, self._wake)

    def _readable(self) -> int:
        """Return how many characters of the last line can be read: all but a return, which may be its end's."""
        return len(self._part) - self._part.endswith("\r")

    def _poll(self, timeout_s: float) -> bool:
        try:
            return bool(select.select([self.fd], [], [], timeout_s)[0])
        except (OSError, ValueError):  # it was closed: reading it finds the end
            return True

    def _fill(self) -> None:
        if self._clock.interrupted:  # a handler may have run since the descriptor was found ready
            return
        try:
            read = os.read(self.fd, 65536)
        except OSError:
            read = b""
        *lines, self._part = (self._part + self._decode(read, not read)).split("\n")
        self._lines.extend(line.rstrip("\r") + "\n" for line in lines)
        if not read:
            self._ended = True
            if self._part:
                self._lines.append(self._part)
                self._part = ""


@contextmanager
def listening_to_ctrl_c(clock: HubClock) -> Iterator[None]:
    """Let a first Ctrl-C interrupt the clock while something runs, and a second one whatever has control then.

    Python would raise in the program that has control, and one with ``except: pass`` in a loop would go on for ever.
    Without effect where somebody else listens already, or in another thread than the main one.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def end_run(_number: int, _frame: Any) -> None:
        clock.interrupt()  # first: where a program is nested too deeply for it, the next Ctrl-C comes here again
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, end_run)
    clock.hears_ctrl_c = True
    try:
        yield
    finally:
        clock.hears_ctrl_c = False
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def apart_from_host() -> Iterator[None]:
    """Keep what asyncio has for the caller's thread from what runs inside: the host may have a loop of its own."""
    if "asyncio" not in sys.modules:
        yield
        return
    from espnow.micropython.aio_thread import around_switch

    back = around_switch()
    try:
        yield
    finally:
        back()


class Pacer:
    """Holds virtual time back to the wall clock (`VirtualClock.pace`)."""

    def __init__(self, clock: VirtualClock, is_alive: Callable[[], bool], host_input: HostInput | None) -> None:
        """Begin at the clock's present time.

        Args:
            clock: whose time is held.
            is_alive: whether a program still runs; if none does and nothing is due, the run is over.
            host_input: standard input, or None.
        """
        self._clock = clock
        self._is_alive = is_alive
        self._input = host_input
        self._start_s = time.monotonic() - clock.now_us / 1e6

    def __call__(self, at_us: int | None) -> bool:
        """Wait until `at_us` has come (None: for ever); False if something else came first."""
        clock = self._clock
        while not clock.interrupted:
            elapsed_s = time.monotonic() - self._start_s
            if at_us is None:
                if not self._is_alive():
                    return True
                slice_s = _SLICE_S
            else:
                slice_s = min(at_us / 1e6 - elapsed_s, _SLICE_S)
                if slice_s <= 0:
                    return True
            if self._input is None or not self._input.awaited:
                time.sleep(slice_s)
            elif self._input.wait(slice_s):
                now_us = int((time.monotonic() - self._start_s) * 1e6)
                clock.now_us = max(clock.now_us, now_us if at_us is None else min(now_us, at_us))
                return False
        return False


class HostWaiter:
    """Lets programs wait for sockets of the computer: virtual time goes on meanwhile, at the pace of the wall clock.

    One that finds nothing to read says so (`want`), and is woken to look again after a millisecond of virtual time;
    before that the host waits for the sockets that were named, at most until the wall clock is as far. So who waits
    asks again and again, one who has turned to something else costs nothing, and where data is there nothing waits.
    """

    def __init__(self, clock: Clock) -> None:
        """Make one that nobody uses yet.

        Args:
            clock: of the lab.
        """
        self._clock = clock
        self._wanted: dict[int, int] = {}
        self._wakes: dict[Callable[[], None], None] = {}
        self._scheduled = False
        self._start_us = 0
        self._start_s = 0.0

    def want(self, wake: Callable[[], None], fd: int | None = None, events: int = 0) -> None:
        """Call `wake` in a moment.

        Args:
            wake: lets a board look again.
            fd: descriptor of a socket of the host that would end the wait; None: only time does.
            events: which of `select.poll`'s.
        """
        self._wakes[wake] = None
        if fd is not None:
            self._wanted[fd] = self._wanted.get(fd, 0) | events
        if not self._scheduled:
            self._start_us = self._clock.now_us
            self._start_s = time.monotonic()
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        self._clock.call_at(self._clock.now_us + _STEP_US, self._tick)

    def _tick(self) -> None:
        """Wait on the host as long as the wall clock is behind, then let all look again who asked for it."""
        wanted, self._wanted = self._wanted, {}
        wakes, self._wakes = self._wakes, {}
        if not wakes:
            self._scheduled = False
            return
        until_s = self._start_s + (self._clock.now_us - self._start_us) / 1e6
        poll = select.poll()
        for fd, events in wanted.items():
            poll.register(fd, events)
        poll.poll(max(0, math.ceil((until_s - time.monotonic()) * 1000)))
        self._schedule()
        for wake in wakes:
            wake()

"""The wall clock of a lab whose boards have a radio of their own: time passes by itself, and the hub waits on the host.

Rules, beside those of `espnow.lab.hub`:

- Time is read, never set. An event runs when it is due, or as soon after as the hub has control; those that are due
  together keep their order.
- A program that computes is charged nothing. Between its steps it looks whether something is due (`WallTask.spend`),
  and lets the hub have a turn if so: what arrived is taken, due events run, and so do the others that are ready.
- The hub waits in one place (`espnow.link.Wait`): for the next event, for input that somebody waits for, and for
  another thread. It never waits while a program could go on.
- Other threads call `post` and `wake` and nothing else; a signal handler may call `interrupt`, too.
- Others may always send, so a run does not end because nothing is due: it has a condition, or an end.
"""

from __future__ import annotations

import heapq
import os
import select
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from greenlet import getcurrent

from espnow.lab.host import HostInput
from espnow.lab.hub import ENDLESS_US, WATCH_US, Entry, HubClock, HubTask
from espnow.link import Wait

__all__ = ["HostWait", "WallClock", "WallTask"]

#: The highest descriptor that `select.select` takes (FD_SETSIZE); with higher ones `poll` waits, to the millisecond.
_SELECT_LIMIT = 1024

#: The hub looks again after so long whatever happens: what the host takes as a time has limits.
_LONGEST_S = 86_400.0


class HostWait:
    """A wait (`espnow.link.Wait`) of the host's own means."""

    def __init__(self) -> None:
        self._woken, self._waking = os.pipe()
        for fd in (self._woken, self._waking):
            os.set_blocking(fd, False)

    def wait(self, timeout_s: float, readable: Collection[int]) -> set[int]:
        """Wait for descriptors, for `wake`, or for so many seconds (`espnow.link.Wait`)."""
        ready = self._wait(timeout_s, [self._woken, *readable])
        if self._woken in ready:
            ready.discard(self._woken)
            os.read(self._woken, 4096)
        return ready

    def wake(self) -> None:
        """End the wait, or the next one (`espnow.link.Wait`)."""
        try:
            os.write(self._waking, b"\0")
        except BlockingIOError:  # it was woken often enough
            pass

    interrupt = wake

    def close(self) -> None:
        """Give the descriptors back."""
        woken, self._woken, waking, self._waking = self._woken, -1, self._waking, -1
        if woken >= 0:
            os.close(woken)
            os.close(waking)

    @staticmethod
    def _wait(timeout_s: float, readable: list[int]) -> set[int]:
        if max(readable) < _SELECT_LIMIT:
            try:
                return set(select.select(readable, (), (), timeout_s)[0])
            except OSError:  # one was closed by the program
                return {fd for fd in readable if not _is_open(fd)}
        poll = select.poll()
        for fd in readable:
            poll.register(fd, select.POLLIN)
        return {fd for fd, _ in poll.poll(timeout_s * 1000)}


class WallClock(HubClock):
    """Time of the wall clock, and the hub of the boards that live in it.

    Attributes:
        input: standard input, if a program may read it.
    """

    __slots__ = (
        "_host",
        "_look_at_us",
        "_posted",
        "_start_ns",
        "_time_ns",
        "_waits",
        "input",
    )

    def __init__(
        self,
        host: Wait | None = None,
        *,
        time_ns: Callable[[], int] = time.monotonic_ns,
        start_ns: int | None = None,
    ) -> None:
        """Make a clock; time 0 is now.

        Args:
            host: where it waits.
            time_ns: the time in nanoseconds, which never goes back.
            start_ns: what that was at time 0, if not now.
        """
        super().__init__()
        self.input: HostInput | None = None
        self._host: Wait = HostWait() if host is None else host
        self._time_ns = time_ns
        self._start_ns = time_ns() if start_ns is None else start_ns
        self._posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._waits = False
        self._look_at_us = 0

    @property
    def now_us(self) -> int:
        """Microseconds since time 0."""
        return (self._time_ns() - self._start_ns) // 1000

    def task(self, body: Callable[[], None]) -> WallTask:
        """Return a task of this clock."""
        return WallTask(self, body)

    def enter(self, at_us: int, function: Callable[[], None], background: bool = False) -> Entry:
        """Call `function` at `at_us`, or as soon as possible if that is past."""
        entry = super().enter(at_us, function, background)
        if entry[0] < self._free_until_us:
            self._free_until_us = entry[0]
        return entry

    def post(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function in the hub, as soon as that has control; from any thread. It wakes nobody: `wake` does."""
        self._posted.append((function, arguments))

    def wake(self) -> None:
        """Let the hub look, if it waits; from any thread."""
        if self._waits:
            self._waits = False
            self._host.wake()

    def interrupt(self) -> None:
        """Make `run` raise KeyboardInterrupt as soon as it can; safe in a signal handler."""
        super().interrupt()
        if self._waits:
            self._waits = False
            self._host.interrupt()

    def close(self) -> None:
        """Give back what it waits with; nothing runs afterwards."""
        self._host.close()

    def run(
        self, until_us: int = ENDLESS_US, condition: Callable[[], object] | None = None, *, watched: bool = True
    ) -> bool:
        """Let time pass until `until_us`, or until `condition()` is true (`HubClock.run`).

        Args:
            until_us: when to stop.
            condition: asked after each turn, and every millisecond while a program computes.
            watched: False says that only what programs and calls of this clock do makes it true.
        """
        hub = self._begin_run()
        ready = self._ready
        try:
            while True:
                self._run_due()
                self._set_free(until_us, watched=watched and condition is not None)
                for _ in range(len(ready)):
                    task = ready.popleft()
                    if task._parent is hub or task._adopt(hub):
                        task._greenlet.switch()
                if self._interrupted:
                    self._interrupted = False
                    raise KeyboardInterrupt
                if condition is not None and condition():
                    return True
                if self.now_us >= until_us:
                    return False
                self._wait(until_us)
        finally:
            self._hub = None
            self._free_until_us = -1

    def _run_due(self) -> None:
        """Take what was posted so far, and run the events that are due."""
        posted, heap = self._posted, self._heap
        for _ in range(len(posted)):
            function, arguments = posted.popleft()
            function(*arguments)
        if self._disordered or len(heap) > self._tidy_at:
            self._tidy()
        now_us = self.now_us
        while heap and heap[0][0] <= now_us:
            call = heapq.heappop(heap)[2]
            if call is not None:
                call()

    def _set_free(self, until_us: int, *, watched: bool) -> None:
        """Say until when a program may compute, before the hub must have a turn."""
        heap = self._heap
        free_us = min(until_us, heap[0][0]) if heap else until_us
        if watched or (self.input is not None and self.input.awaited):
            free_us = min(free_us, self.now_us + WATCH_US)
        self._free_until_us = -1 if self._interrupted else free_us

    def _wait(self, until_us: int) -> None:
        """Wait for what comes next; not at all while a program could go on, but for a look at the descriptors."""
        heap = self._heap
        while heap and heap[0][2] is None:
            heapq.heappop(heap)
        now_us = self.now_us
        timeout_s = 0.0
        if not self._ready:
            at_us = min(heap[0][0], until_us) if heap else until_us
            timeout_s = min(max(at_us - now_us, 0) / 1e6, _LONGEST_S)
        elif now_us < self._look_at_us:
            return
        host_input = self.input if self.input is not None and self.input.awaited else None
        if not timeout_s and host_input is None:
            return
        self._waits = True
        if self._posted or self._interrupted:
            timeout_s = 0.0
        try:
            found = self._host.wait(timeout_s, () if host_input is None else (host_input.fd,))
        finally:
            self._waits = False
        self._look_at_us = self.now_us + WATCH_US
        if host_input is not None and host_input.fd in found:
            host_input.wait(0.0)


class WallTask(HubTask):
    """One program's thread of control on the wall clock (`espnow.link.Cpu`)."""

    __slots__ = ()

    _clock: WallClock

    def spend(self, us: int) -> None:
        """Let the hub have a turn if something is due; what the program computes takes the time that it takes."""
        clock = self._clock
        if self._killed and not self._last_steps and getcurrent() is self._greenlet:
            self._refuse()
        if not clock._posted and not clock._ready and clock._time_ns() - clock._start_ns < clock._free_until_us * 1000:
            return
        if self._killed:
            if self._last_steps:
                self._last_steps -= 1
            return
        hub = clock._hub
        if hub is None or getcurrent() is not self._greenlet:  # a look from outside of the program
            return
        if self.around_switch is None:
            clock._ready.append(self)
            hub.switch()
        else:
            back = self.around_switch()
            clock._ready.append(self)
            try:
                hub.switch()
            finally:
                back()


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True

"""The hub: one heap of events, one greenlet a program, and who runs them in turn. Which time it is, a clock says.

Rules:

- Programs run in their own greenlets and pass control only to the hub, which is the greenlet that called `run`.
  Events run in the hub, never on a program's stack.
- Events of one instant keep the order in which they were made (the heap holds time, counter, function).
- A task sets a timer only if it has none that fires in time: one that fires early is set again for the real deadline,
  so that a thousand calls with long timeouts that return soon leave one timer behind, not a thousand.
- A program may be nested so deeply that a call here fails halfway. What it left of the heap is put in order by the hub
  before time goes on.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from greenlet import GreenletExit, getcurrent, greenlet

__all__ = ["ENDLESS_US", "WATCH_US", "Entry", "HeapTimer", "HubClock", "HubTask"]

#: Later than anything: about 36 000 years.
ENDLESS_US = 1 << 60

#: While somebody watches (a condition, the wall clock), programs that compute are interrupted this often.
WATCH_US = 1_000

#: A program into which an error was thrown may compute so often (`HubTask.spend`) before it loses control.
_LAST_STEPS = 1_000

#: One that is ended and waits nevertheless, as ``except: pass`` in a loop does, is left where it stands after so often:
#: more often than programs can be nested, so that what catches this in each call of a recursion still comes out of it.
_LAST_WAITS = 2_000

#: Programs that would not end. Referenced for ever: Python would try again to end one that it deletes.
_abandoned: list[greenlet] = []

#: With more timers than so many, and twice as many as there were last, the heap is freed of those that were cancelled:
#: what a program that is killed again and again would have waited for may be days away.
_MANY_TIMERS = 1_000


#: An entry of the heap: time, counter, function (None once cancelled), whether it is a chore in the background. A plain
#: list: all that happens passes through here, and nothing is made and compared as quickly.
Entry: TypeAlias = list[Any]


class HeapTimer:
    """A call that waits for its time, as others than the hub have it (`espnow.link.Timer`)."""

    __slots__ = ("_entry",)

    def __init__(self, entry: Entry) -> None:
        """Stand for an entry of the heap."""
        self._entry = entry

    def cancel(self) -> None:
        """Forget the call."""
        self._entry[2] = None


class HubClock:
    """What the clocks of a lab share (`espnow.link.Clock`).

    Attributes:
        hears_ctrl_c: Ctrl-C at the host calls `interrupt`, rather than to raise in whatever program has control.
    """

    __slots__ = (
        "_counter",
        "_disordered",
        "_free_until_us",
        "_heap",
        "_hub",
        "_interrupted",
        "_ready",
        "_tidy_at",
        "hears_ctrl_c",
    )

    def __init__(self) -> None:
        self.hears_ctrl_c = False
        self._heap: list[Entry] = []
        self._ready: deque[HubTask] = deque()
        self._counter = 0
        self._disordered = False
        self._tidy_at = _MANY_TIMERS
        self._hub: greenlet | None = None
        self._free_until_us = -1  # until then a program may compute without a look at anything
        self._interrupted = False

    @property
    def now_us(self) -> int:
        """Microseconds since this clock's start."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether `run` is under way."""
        return self._hub is not None

    @property
    def interrupted(self) -> bool:
        """Whether `interrupt` was called and not yet answered."""
        return self._interrupted

    def task(self, body: Callable[[], None]) -> HubTask:
        """Return a task of this clock, which begins when it is woken (`HubTask`)."""
        raise NotImplementedError

    def call_at(self, at_us: int, function: Callable[[], None], *, background: bool = False) -> HeapTimer:
        """Call `function` at `at_us`, or as soon as possible if that is past (`espnow.link.Clock`)."""
        return HeapTimer(self.enter(at_us, function, background))

    def enter(self, at_us: int, function: Callable[[], None], background: bool = False) -> Entry:
        """Do as `call_at` does, and return the heap's own entry."""
        now_us = self.now_us
        self._counter = counter = self._counter + 1
        entry = [at_us if at_us > now_us else now_us, counter, function, background]
        try:
            heapq.heappush(self._heap, entry)
        except RecursionError:
            entry[2] = None
            self._disordered = True
            self._free_until_us = -1
            raise
        return entry

    def interrupt(self) -> None:
        """Make `run` raise KeyboardInterrupt as soon as it can; safe in a signal handler."""
        self._interrupted = True
        self._free_until_us = -1

    def run(
        self, until_us: int = ENDLESS_US, condition: Callable[[], object] | None = None, *, watched: bool = True
    ) -> bool:
        """Let time pass until `until_us`, until `condition()` is true, or until nothing can happen any more.

        Args:
            until_us: where to stop.
            condition: asked after each instant, and every millisecond while a program computes.
            watched: False says that only what programs and calls of this clock do makes it true, and that it asks no
                board anything that takes time: it is asked when one of them has run, and time need not stop for it.

        Returns:
            Whether the condition was met; without one, False.

        Raises:
            KeyboardInterrupt: after `interrupt`.
            RuntimeError: it is running already.
        """
        raise NotImplementedError

    def _begin_run(self) -> greenlet:
        """Let the caller be the hub, and return it."""
        if self._hub is not None:
            raise RuntimeError("the lab is running already: a program cannot run it")
        self._hub = getcurrent()
        return self._hub

    def _tidy(self) -> None:
        """Put the heap in order, and free it of what was cancelled."""
        heap = self._heap
        heap[:] = [entry for entry in heap if entry[2] is not None]
        heapq.heapify(heap)
        self._disordered = False
        self._tidy_at = max(2 * len(heap), _MANY_TIMERS)


class HubTask:
    """One program's thread of control (`espnow.link.Cpu`).

    Attributes:
        ended: the body returned or raised.
        around_switch: called before the program gives control away; returns what to call when it is back. For what
            CPython keeps per thread, such as asyncio's running loop. None while there is nothing.
        host_run: what runs the clock while the host waits in a call of a board without a program; None: the clock's.
    """

    __slots__ = (
        "_abandoned",
        "_clock",
        "_deadline_us",
        "_greenlet",
        "_killed",
        "_last_steps",
        "_last_waits",
        "_parent",
        "_timers",
        "_waiting",
        "_woke_host",
        "around_switch",
        "ended",
        "host_run",
    )

    def __init__(self, clock: HubClock, body: Callable[[], None]) -> None:
        """Make a task that begins when it is woken.

        Args:
            clock: whose time it lives in.
            body: what it runs; what it raises comes out of `HubClock.run`.
        """
        self._clock = clock
        self._greenlet = greenlet(body)
        self._parent: greenlet | None = None
        self._waiting = True
        self._killed = False
        self._abandoned = False
        self._last_steps = 0
        self._last_waits = _LAST_WAITS
        self._woke_host = False
        self.host_run: Callable[[int, Callable[[], object]], bool] | None = None
        self._deadline_us: int | None = None
        self._timers: list[Entry] = []
        self.around_switch: Callable[[], Callable[[], None]] | None = None
        self.ended = False

    @property
    def is_current(self) -> bool:
        """Whether the caller is the program itself."""
        return self._greenlet is getcurrent()

    def pause(self, until_us: int | None) -> None:
        """Let time pass until `wake` or `until_us`; see `espnow.link.Cpu`."""
        clock = self._clock
        hub = clock._hub
        if self._killed or hub is None or getcurrent() is not self._greenlet:
            self._pause_otherwise(until_us)
            return
        timers = self._timers
        if until_us is None:
            while timers:  # an old one would move the time for nothing; without a call that may be nested too deeply
                timers.pop()[2] = None
        elif not timers or until_us < timers[-1][0]:
            timers.append(clock.enter(until_us, self._expire))
        self._deadline_us = until_us
        self._waiting = True
        if self.around_switch is None:
            hub.switch()
        else:
            back = self.around_switch()
            try:
                hub.switch()
            finally:
                back()

    def wake(self) -> None:
        """End the pause, if the task is in one."""
        if self._waiting:
            self._waiting = False
            self._clock._ready.append(self)
        elif self.ended:
            self._woke_host = True

    def spend(self, us: int) -> None:
        """Let the program compute for `us` microseconds (`espnow.link.Cpu`)."""
        raise NotImplementedError

    def throw(self, error: BaseException) -> None:
        """Raise `error` in the program, where it stands, and let it go on until it waits or ends.

        Without effect on one that has itself thrown something and waits, directly or not, for the caller.
        """
        if not self._greenlet or self._abandoned:  # it has not begun, is over, or would not end
            self.end()
            return
        caller = getcurrent()
        if self._greenlet is caller:
            raise error
        while caller.parent is not None:
            caller = caller.parent
            if self._greenlet is caller:
                return
        clock = self._clock
        hub, clock._hub = clock._hub, getcurrent()
        self._waiting = False
        self._last_steps = _LAST_STEPS
        try:
            self._parent = self._greenlet.parent = clock._hub
            self._greenlet.throw(error)
        finally:
            clock._hub = hub
            self._last_steps = 0

    def doom(self) -> None:
        """Let the program not go on: whenever it computes or waits, it is ended; called by the program itself."""
        self._killed = True

    def refuse(self) -> NoReturn:
        """End the program, which called this although it is doomed."""
        self._refuse()

    def kill(self) -> None:
        """End the program where it stands; what it has in ``finally`` runs, and cannot wait.

        One that waits for the caller ends when it is back, as soon as it computes or waits.
        """
        self._killed = True
        self.throw(GreenletExit())
        self.end()

    def end(self) -> None:
        """Note that the body is over: nothing wakes it, and its timer keeps no time."""
        self.ended = True
        self._killed = True
        self._waiting = False
        self._parent = None
        while self._timers:
            self._timers.pop()[2] = None

    def _adopt(self, hub: greenlet) -> bool:
        """Let the program return to this hub when it ends; False if it is over."""
        if self._killed:
            return False
        self._parent = self._greenlet.parent = hub
        return True

    def _pause_otherwise(self, until_us: int | None) -> None:
        """Pause a program that is ended, or the host in a call of a board without a program."""
        if self._killed and getcurrent() is self._greenlet:
            self._refuse()
        if self._clock._hub is None and self.ended:
            self._pause_host(until_us)
            return
        raise RuntimeError("this call waits, and only the board's own program can wait while it runs")

    def _pause_host(self, until_us: int | None) -> None:
        """Let the lab run while the host itself waits in a call of a board without a program."""
        self._woke_host = False
        run = self.host_run or self._clock.run
        run(ENDLESS_US if until_us is None else until_us, lambda: self._woke_host)
        if until_us is None and not self._woke_host:
            raise RuntimeError("this call waits for ever: nothing can happen in the lab any more")

    def _refuse(self) -> NoReturn:
        """Do not let a program wait that is ended."""
        self._last_steps = 0
        self._last_waits -= 1
        hub = self._clock._hub
        if self._last_waits < 0 and hub is not None:
            self._abandoned = True
            _abandoned.append(self._greenlet)
            while True:
                hub.switch()
        raise GreenletExit

    def _expire(self) -> None:
        timers = self._timers
        timers.pop()  # the earliest is the last
        deadline_us = self._deadline_us
        if not self._waiting or deadline_us is None:
            return
        if deadline_us <= self._clock.now_us:
            self.wake()
        elif not timers or deadline_us < timers[-1][0]:
            timers.append(self._clock.enter(deadline_us, self._expire))

"""Virtual time: one heap of events, one greenlet a program, and the hub that runs them in turn.

Rules:

- Time is an integer number of microseconds and moves only here. Events of one instant keep the order in which they
  were made (the heap holds time, counter, function), so that runs repeat.
- Programs run in their own greenlets and pass control only to the hub, which is the greenlet that called `run`.
  Events run in the hub, never on a program's stack.
- A program that computes moves the time itself as long as nothing else is due (`Task.spend`): no switch, no event.
  While something is, it may owe up to 0.1 ms, so that a thousand short computations are not a thousand switches.
- A task sets a timer only if it has none that fires in time: one that fires early is set again for the real deadline,
  so that a thousand calls with long timeouts that return soon leave one timer behind, not a thousand.
- A program may be nested so deeply that a call here fails halfway. What it left of the heap is put in order by the hub
  before time goes on.
- How the host slices a run (by `until_us`, by a condition) changes nothing in it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from greenlet import GreenletExit, getcurrent, greenlet

__all__ = ["ENDLESS_US", "HeapTimer", "Task", "VirtualClock"]

#: Later than anything: about 36 000 years.
ENDLESS_US = 1 << 60

#: While somebody watches (a condition, the wall clock), programs that compute are interrupted this often.
_WATCH_US = 1_000

#: A program into which an error was thrown may compute so often (`Task.spend`) before it loses control.
_LAST_STEPS = 1_000

#: One that is ended and waits nevertheless, as ``except: pass`` in a loop does, is left where it stands after so often:
#: more often than programs can be nested, so that what catches this in each call of a recursion still comes out of it.
_LAST_WAITS = 2_000

#: Programs that would not end. Referenced for ever: Python would try again to end one that it deletes.
_abandoned: list[greenlet] = []

#: With more timers than so many, and twice as many as there were last, the heap is freed of those that were cancelled:
#: what a program that is killed again and again would have waited for may be days away.
_MANY_TIMERS = 1_000

#: A program that computes while others are due may stay behind by so much before it lets them run.
_MAY_OWE_US = 100


class HeapTimer(list[Any]):
    """An entry of the heap: time, counter, function (None once cancelled), whether it is a chore in the background."""

    __slots__ = ()

    def cancel(self) -> None:
        """Forget the call."""
        self[2] = None


class VirtualClock:
    """The owner of a lab's time, and its hub.

    Attributes:
        now_us: microseconds since the lab began.
        pace: called before time moves, with where to; returns False when it found something to do first.
        is_awaited: asked when only chores in the background are left: whether an endless run goes on with them.
        hears_ctrl_c: Ctrl-C at the host calls `interrupt`, rather than to raise in whatever program has control.
    """

    __slots__ = (
        "_condition",
        "_counter",
        "_disordered",
        "_free_until_us",
        "_heap",
        "_hub",
        "_interrupted",
        "_ready",
        "_tidy_at",
        "hears_ctrl_c",
        "is_awaited",
        "now_us",
        "pace",
    )

    def __init__(self) -> None:
        self.now_us = 0
        self.pace: Callable[[int | None], bool] | None = None
        self.is_awaited: Callable[[], bool] | None = None
        self.hears_ctrl_c = False
        self._heap: list[HeapTimer] = []
        self._ready: deque[Task] = deque()
        self._counter = 0
        self._disordered = False
        self._tidy_at = _MANY_TIMERS
        self._hub: greenlet | None = None
        self._free_until_us = -1
        self._interrupted = False
        self._condition: Callable[[], object] | None = None

    @property
    def running(self) -> bool:
        """Whether `run` is under way."""
        return self._hub is not None

    @property
    def interrupted(self) -> bool:
        """Whether `interrupt` was called and not yet answered."""
        return self._interrupted

    def call_at(self, at_us: int, function: Callable[[], None], *, background: bool = False) -> HeapTimer:
        """Call `function` at `at_us`, or as soon as possible if that is past (`espnow.link.Clock`)."""
        self._counter += 1
        timer = HeapTimer((at_us if at_us > self.now_us else self.now_us, self._counter, function, background))
        try:
            heapq.heappush(self._heap, timer)
        except RecursionError:
            timer[2] = None
            self._disordered = True
            self._free_until_us = -1
            raise
        return timer

    def interrupt(self) -> None:
        """Make `run` raise KeyboardInterrupt as soon as it can; safe in a signal handler."""
        self._interrupted = True
        self._free_until_us = -1

    def run(self, until_us: int = ENDLESS_US, condition: Callable[[], object] | None = None) -> bool:
        """Let time pass until `until_us`, until `condition()` is true, or until nothing can happen any more.

        Args:
            until_us: where to stop; the clock stands there afterwards, unless it stopped for another reason.
            condition: asked after each instant, and every millisecond while a program computes.

        Returns:
            Whether the condition was met; without one, False.

        Raises:
            KeyboardInterrupt: after `interrupt`.
            RuntimeError: it is running already.
        """
        if self._hub is not None:
            raise RuntimeError("the lab is running already: a program cannot run it")
        self._hub = hub = getcurrent()
        self._condition = condition
        ready, heap = self._ready, self._heap
        self._set_free(until_us)
        try:
            while True:
                while ready:
                    task = ready.popleft()
                    if task._parent is hub or task._adopt(hub):
                        task._greenlet.switch()
                if self._disordered or len(heap) > self._tidy_at:
                    self._tidy()
                if self._interrupted:
                    self._interrupted = False
                    raise KeyboardInterrupt
                if condition is not None:
                    self._free_until_us = -1  # what it looks at takes no time
                    if condition():
                        return True
                    self._set_free(until_us)
                    if ready:  # it typed something, or restarted a board
                        continue
                while heap and heap[0][2] is None:
                    heapq.heappop(heap)
                at_us = heap[0][0] if heap else None
                if at_us is None or at_us > until_us:
                    if until_us < ENDLESS_US:
                        at_us = until_us
                    if self.pace is not None and not self.pace(at_us):
                        continue
                    if at_us == until_us:
                        self.now_us = max(self.now_us, until_us)
                    return False
                if heap[0][3] and until_us >= ENDLESS_US and not self._goes_on():
                    return False
                if self.pace is not None and not self.pace(at_us):
                    continue
                self.now_us = at_us
                self._set_free(until_us)
                # All events of this instant, then the programs that they woke.
                while heap and heap[0][0] == at_us:
                    function = heapq.heappop(heap)[2]
                    if function is not None:
                        function()
        finally:
            self._hub = None
            self._condition = None
            self._free_until_us = -1

    def _tidy(self) -> None:
        """Put the heap in order, and free it of what was cancelled."""
        heap = self._heap
        heap[:] = [timer for timer in heap if timer[2] is not None]
        heapq.heapify(heap)
        self._disordered = False
        self._tidy_at = max(2 * len(heap), _MANY_TIMERS)

    def _goes_on(self) -> bool:
        """Return whether more will happen than chores in the background, or somebody waits all the same."""
        if any(not timer[3] and timer[2] is not None for timer in self._heap):
            return True
        return self.is_awaited is not None and self.is_awaited()

    def _set_free(self, until_us: int) -> None:
        watched = self._condition is not None or self.pace is not None
        free = min(until_us, self.now_us + _WATCH_US) if watched else until_us
        self._free_until_us = -1 if self._interrupted else free


class Task:
    """One program's thread of control in virtual time (`espnow.link.Cpu`).

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
        "_owed_us",
        "_parent",
        "_timers",
        "_waiting",
        "_woke_host",
        "around_switch",
        "ended",
        "host_run",
    )

    def __init__(self, clock: VirtualClock, body: Callable[[], None]) -> None:
        """Make a task that begins when it is woken.

        Args:
            clock: whose time it lives in.
            body: what it runs; what it raises comes out of `VirtualClock.run`.
        """
        self._clock = clock
        self._greenlet = greenlet(body)
        self._parent: greenlet | None = None
        self._waiting = True
        self._killed = False
        self._abandoned = False
        self._last_steps = 0
        self._last_waits = _LAST_WAITS
        self._owed_us = 0
        self._woke_host = False
        self.host_run: Callable[[int, Callable[[], object]], bool] | None = None
        self._deadline_us: int | None = None
        self._timers: list[HeapTimer] = []
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
        if self._killed and getcurrent() is self._greenlet:
            self._refuse()
        if hub is None or getcurrent() is not self._greenlet:
            if hub is None and self.ended:
                self._pause_host(until_us)
                return
            raise RuntimeError("this call waits, and only the board's own program can wait while it runs")
        timers = self._timers
        if until_us is None:
            while timers:  # an old one would move the time for nothing; without a call that may be nested too deeply
                timers.pop()[2] = None
        elif not timers or until_us < timers[-1][0]:
            timers.append(clock.call_at(until_us, self._expire))
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
        """Let the program compute for `us` microseconds."""
        clock = self._clock
        if self._killed and not self._last_steps and getcurrent() is self._greenlet:
            self._refuse()
        us += self._owed_us
        until_us = clock.now_us + us
        heap = clock._heap
        if until_us <= clock._free_until_us and not clock._ready and (not heap or heap[0][0] > until_us):
            clock.now_us = until_us
            self._owed_us = 0
        elif us < _MAY_OWE_US and clock._ready and clock._hub is not None:  # the usual case while many are due
            self._owed_us = us
        elif self._last_steps:
            self._last_steps -= 1
        elif getcurrent() is self._greenlet:  # a look from outside of the program costs it nothing
            try:
                while heap and heap[0][2] is None:
                    heapq.heappop(heap)
            except RecursionError:
                clock._disordered = True
                clock._free_until_us = -1
                raise
            others_due = clock._ready or (heap and heap[0][0] <= until_us)
            if others_due and us < _MAY_OWE_US:
                self._owed_us = us
                return
            self._owed_us = 0
            if not others_due and until_us <= clock._free_until_us:
                clock.now_us = until_us
                return
            try:
                while clock.now_us < until_us:
                    self.pause(until_us)
            except RecursionError:  # nested too deeply to wait: it does so as soon as it is not
                self._owed_us = us
                raise

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
            timers.append(self._clock.call_at(deadline_us, self._expire))

"""Virtual time: one heap of events, one greenlet a program, and the hub that runs them in turn.

Rules:

- Time is an integer number of microseconds and moves only here. Events of one instant keep the order in which they
  were made (the heap holds time, counter, function), so that runs repeat.
- Programs run in their own greenlets and pass control only to the hub, which is the greenlet that called `run`.
  Events run in the hub, never on a program's stack.
- A program that computes moves the time itself as long as nothing else is due (`Task.spend`): no switch, no event.
  While something is, it may owe up to 0.1 ms, so that a thousand short computations are not a thousand switches.
- A task has at most one live timer in the heap: one that fires early is set again for the real deadline, so that a
  call with a long timeout that returns soon leaves nothing behind.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import cast

from greenlet import GreenletExit, getcurrent, greenlet

__all__ = ["ENDLESS_US", "Task", "VirtualClock"]

#: Later than anything: about 36 000 years.
ENDLESS_US = 1 << 60

#: While somebody watches (a condition, the wall clock), programs that compute are interrupted this often.
_WATCH_US = 1_000

#: A program that computes while others are due may stay behind by so much before it lets them run.
_MAY_OWE_US = 100


class _Timer(list[object]):
    """An entry of the heap: time, counter, function (None once cancelled)."""

    __slots__ = ()

    def cancel(self) -> None:
        """Forget the call."""
        self[2] = None


class VirtualClock:
    """The owner of a lab's time, and its hub.

    Attributes:
        now_us: microseconds since the lab began.
        pace: called before time moves, with where to; returns False when it found something to do first.
    """

    __slots__ = (
        "_condition",
        "_counter",
        "_free_until_us",
        "_heap",
        "_hub",
        "_interrupted",
        "_ready",
        "now_us",
        "pace",
    )

    def __init__(self) -> None:
        self.now_us = 0
        self.pace: Callable[[int | None], bool] | None = None
        self._heap: list[_Timer] = []
        self._ready: deque[Task] = deque()
        self._counter = 0
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

    def call_at(self, at_us: int, function: Callable[[], None]) -> _Timer:
        """Call `function` at `at_us`, or as soon as possible if that is past (`espnow.link.Clock`)."""
        self._counter += 1
        timer = _Timer((at_us if at_us > self.now_us else self.now_us, self._counter, function))
        heapq.heappush(self._heap, timer)
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
        self._hub = getcurrent()
        self._condition = condition
        ready, heap = self._ready, self._heap
        try:
            while True:
                while ready:
                    ready.popleft()._resume(self._hub)
                if self._interrupted:
                    self._interrupted = False
                    raise KeyboardInterrupt
                if condition is not None and condition():
                    return True
                while heap and heap[0][2] is None:
                    heapq.heappop(heap)
                at_us = cast("int", heap[0][0]) if heap else None
                if at_us is None or at_us > until_us:
                    if until_us < ENDLESS_US:
                        at_us = until_us
                    if self.pace is not None and not self.pace(at_us):
                        continue
                    if at_us == until_us:
                        self.now_us = max(self.now_us, until_us)
                    return False
                if self.pace is not None and not self.pace(at_us):
                    continue
                self.now_us = at_us
                self._set_free(until_us)
                # All events of this instant, then the programs that they woke.
                while heap and heap[0][0] == at_us:
                    function = heapq.heappop(heap)[2]
                    if function is not None:
                        function()  # type: ignore[operator]
        finally:
            self._hub = None
            self._condition = None
            self._free_until_us = -1

    def _set_free(self, until_us: int) -> None:
        watched = self._condition is not None or self.pace is not None
        free = min(until_us, self.now_us + _WATCH_US) if watched else until_us
        self._free_until_us = -1 if self._interrupted else free


class Task:
    """One program's thread of control in virtual time (`espnow.link.Cpu`).

    Attributes:
        ended: the body returned or raised.
        waits_forever: it is in a pause without a limit.
        around_switch: called before the program gives control away; returns what to call when it is back. For what
            CPython keeps per thread, such as asyncio's running loop. None while there is nothing.
    """

    __slots__ = (
        "_clock",
        "_deadline_us",
        "_greenlet",
        "_killed",
        "_owed_us",
        "_timer",
        "_timer_at_us",
        "_waiting",
        "around_switch",
        "ended",
    )

    def __init__(self, clock: VirtualClock, body: Callable[[], None]) -> None:
        """Make a task that begins when it is woken.

        Args:
            clock: whose time it lives in.
            body: what it runs; what it raises comes out of `VirtualClock.run`.
        """
        self._clock = clock
        self._greenlet = greenlet(body)
        self._waiting = True
        self._killed = False
        self._owed_us = 0
        self._deadline_us: int | None = None
        self._timer: _Timer | None = None
        self._timer_at_us = ENDLESS_US
        self.around_switch: Callable[[], Callable[[], None]] | None = None
        self.ended = False

    @property
    def waits_forever(self) -> bool:
        """Whether only another's message, or input, can end its pause."""
        return self._waiting and self._deadline_us is None and not self.ended

    def pause(self, until_us: int | None) -> None:
        """Let time pass until `wake` or `until_us`; see `espnow.link.Cpu`."""
        clock = self._clock
        hub = clock._hub
        if self._killed:
            raise GreenletExit
        if hub is None or getcurrent() is not self._greenlet:
            raise RuntimeError("this call waits, and only the board's own program can wait in a lab")
        if until_us is not None and until_us < self._timer_at_us:
            self._timer_at_us = until_us
            self._timer = clock.call_at(until_us, self._expire)
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

    def spend(self, us: int) -> None:
        """Let the program compute for `us` microseconds."""
        clock = self._clock
        us += self._owed_us
        until_us = clock.now_us + us
        heap = clock._heap
        if (
            until_us <= clock._free_until_us and not clock._ready and (not heap or heap[0][0] > until_us)  # type: ignore[operator]
        ):
            clock.now_us = until_us
            self._owed_us = 0
        elif self._killed:
            raise GreenletExit
        elif us < _MAY_OWE_US:
            self._owed_us = us
        elif clock._hub is not None and getcurrent() is self._greenlet:
            self._owed_us = 0
            while clock.now_us < until_us:
                self.pause(until_us)

    def throw(self, error: BaseException) -> None:
        """Raise `error` in the program, where it stands, and let it go on until it waits or ends.

        Called from outside of `VirtualClock.run`.
        """
        if not self._greenlet:  # it has not begun, or is over
            self.end()
            return
        clock = self._clock
        clock._hub = getcurrent()
        self._waiting = False
        try:
            self._greenlet.parent = clock._hub
            self._greenlet.throw(error)
        finally:
            clock._hub = None

    def kill(self) -> None:
        """End the program where it stands; what it has in ``finally`` runs, and cannot wait."""
        self._killed = True
        self.throw(GreenletExit())
        self.end()

    def end(self) -> None:
        """Note that the body is over: nothing wakes it, and its timer keeps no time."""
        self.ended = True
        self._waiting = False
        if self._timer is not None:
            self._timer.cancel()

    def _resume(self, hub: greenlet) -> None:
        if self._killed:
            return
        if self._greenlet.parent is not hub:
            self._greenlet.parent = hub
        self._greenlet.switch()

    def _expire(self) -> None:
        self._timer_at_us = ENDLESS_US
        deadline_us = self._deadline_us
        if not self._waiting or deadline_us is None:
            return
        if deadline_us <= self._clock.now_us:
            self.wake()
        else:
            self._timer_at_us = deadline_us
            self._timer = self._clock.call_at(deadline_us, self._expire)

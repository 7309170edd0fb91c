"""Virtual time, which moves only here: the clock of a lab whose air is in it, and the threads of control that it has.

Rules, beside those of `espnow.lab.hub`:

- Time is an integer number of microseconds and moves only here. Events of one instant keep the order in which they
  were made, so that runs repeat.
- A program that computes moves the time itself as long as nothing else is due (`Task.spend`): no switch, no event.
  While something is, it may owe up to 0.1 ms, so that a thousand short computations are not a thousand switches.
- How the host slices a run (by `until_us`, by a condition) changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop

from greenlet import getcurrent

from espnow.lab.hub import ENDLESS_US, WATCH_US, HubClock, HubTask

__all__ = ["ENDLESS_US", "Task", "VirtualClock"]

#: A program that computes while others are due may stay behind by so much before it lets them run.
_MAY_OWE_US = 100

#: What moves time by itself lets the clock look, at Ctrl-C for one, after so much of it.
_LOOK_US = 100_000


class VirtualClock(HubClock):
    """The owner of a lab's time, and its hub.

    Attributes:
        now_us: microseconds since the lab began.
        pace: called before time moves, with where to; returns False when it found something to do first.
        is_awaited: asked when only chores in the background are left: whether an endless run goes on with them.
    """

    __slots__ = ("_asks", "_until_us", "_watched", "is_awaited", "now_us", "pace")

    now_us: int

    def __init__(self) -> None:
        super().__init__()
        self.now_us = 0
        self.pace: Callable[[int | None], bool] | None = None
        self.is_awaited: Callable[[], bool] | None = None
        self._asks = False  # a condition after each instant
        self._watched = False  # that, or time is paced: then no program may compute for long without a look
        self._until_us = 0

    def task(self, body: Callable[[], None]) -> Task:
        """Return a task of this clock."""
        return Task(self, body)

    def run(
        self, until_us: int = ENDLESS_US, condition: Callable[[], object] | None = None, *, watched: bool = True
    ) -> bool:
        """Let time pass until `until_us`, until `condition()` is true, or until nothing can happen any more.

        Args:
            until_us: where to stop; the clock stands there afterwards, unless it stopped for another reason.
            condition: asked after each instant, and every millisecond while a program computes.
            watched: see `HubClock.run`.

        Returns:
            Whether the condition was met; without one, False.

        Raises:
            KeyboardInterrupt: after `interrupt`.
            RuntimeError: it is running already.
        """
        hub = self._begin_run()
        self._asks = condition is not None and watched
        self._watched = self._asks or self.pace is not None
        self._until_us = until_us
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
                    self._set_free(until_us)
                if self._interrupted:
                    self._interrupted = False
                    raise KeyboardInterrupt
                if condition is not None:
                    if watched:
                        self._free_until_us = -1  # what it looks at takes no time
                    if condition():
                        return True
                    if watched:
                        self._set_free(until_us)
                        if ready:  # it typed something, or restarted a board
                            continue
                while heap and heap[0][2] is None:
                    heappop(heap)
                if not heap or heap[0][0] > until_us:
                    at_us = until_us if until_us < ENDLESS_US else heap[0][0] if heap else None
                    if self.pace is not None and not self.pace(at_us):
                        self._set_free(until_us)
                        continue
                    if at_us == until_us:
                        self.now_us = max(self.now_us, until_us)
                    return False
                at_us, _, _, background = heap[0]
                if background and until_us >= ENDLESS_US and not self._goes_on():
                    return False
                if self.pace is not None and not self.pace(at_us):
                    self._set_free(until_us)
                    continue
                self.now_us = at_us
                if self._watched:
                    self._set_free(until_us)
                # All events of this instant, then the programs that they woke.
                while heap and heap[0][0] == at_us:
                    function = heappop(heap)[2]
                    if function is not None:
                        function()
        finally:
            self._hub = None
            self._asks = self._watched = False
            self._free_until_us = -1

    @property
    def is_watched(self) -> bool:
        """Whether a condition is asked after each instant."""
        return self._asks

    def latest_us(self) -> int:
        """Return the last instant up to which nothing else than what runs now happens, and nobody looks."""
        now_us = self.now_us
        if self._ready or self._hub is None or self._interrupted:
            return now_us
        heap = self._heap
        while heap and heap[0][2] is None:
            heappop(heap)
        latest_us = now_us - 1 + (WATCH_US if self._watched else _LOOK_US)
        if self._until_us < latest_us:
            latest_us = self._until_us
        if heap and heap[0][0] <= latest_us:
            latest_us = heap[0][0] - 1
        return latest_us if latest_us > now_us else now_us

    def leap(self, at_us: int) -> None:
        """Move time, from an event, to a later instant up to `latest_us`."""
        self.now_us = at_us
        if self._watched:
            self._set_free(self._until_us)

    def _goes_on(self) -> bool:
        """Return whether more will happen than chores in the background, or somebody waits all the same."""
        if any(not background and function is not None for _, _, function, background in self._heap):
            return True
        return self.is_awaited is not None and self.is_awaited()

    def _set_free(self, until_us: int) -> None:
        """Say until when a program may compute without a look at anything; to be said anew as time goes, if watched."""
        free = min(until_us, self.now_us + WATCH_US) if self._watched else until_us
        self._free_until_us = -1 if self._interrupted else free


class Task(HubTask):
    """One program's thread of control in virtual time (`espnow.link.Cpu`)."""

    __slots__ = ("_owed_us",)

    _clock: VirtualClock

    def __init__(self, clock: VirtualClock, body: Callable[[], None]) -> None:
        super().__init__(clock, body)
        self._owed_us = 0

    def spend(self, us: int) -> None:
        """Let the program compute for `us` microseconds."""
        clock = self._clock
        if self._killed and not self._last_steps and getcurrent() is self._greenlet:
            self._refuse()
        us += self._owed_us
        if clock._ready:
            if us < _MAY_OWE_US and clock._hub is not None:  # the usual case while many are due
                self._owed_us = us
                return
        else:
            until_us = clock.now_us + us
            heap = clock._heap
            if until_us <= clock._free_until_us and (not heap or heap[0][0] > until_us):
                clock.now_us = until_us
                self._owed_us = 0
                return
        self._spend_slowly(us)

    def _spend_slowly(self, us: int) -> None:
        """Let so much time pass, what was owed included, where others are due or the program is ending."""
        clock = self._clock
        until_us = clock.now_us + us
        heap = clock._heap
        if self._last_steps:
            self._last_steps -= 1
        elif getcurrent() is self._greenlet:  # a look from outside of the program costs it nothing
            try:
                while heap and heap[0][2] is None:
                    heappop(heap)
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

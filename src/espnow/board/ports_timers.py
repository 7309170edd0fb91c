"""The timers of a chip: those that call a program, and the watchdog.

Rules: each is one call that waits on the board's clock; an idle one costs nothing. A period is counted from the time
that the last one was due, so that it does not drift. `hold` stops the time of each for a light sleep, and `go_on` ends
that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from espnow.board.board import Board
    from espnow.link import Timer

__all__ = ["PortTimer", "Watchdog"]


class _Alarm:
    """A call that waits for its time, and can be held."""

    __slots__ = ("_at_us", "_board", "_left_us", "_timer")

    def __init__(self, board: Board) -> None:
        self._board = board
        self._timer: Timer | None = None
        self._at_us = 0
        self._left_us: int | None = None

    @property
    def running(self) -> bool:
        """Whether its time will come."""
        return self._timer is not None or self._left_us is not None

    def stop(self) -> None:
        """Forget the call."""
        self._left_us = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def hold(self) -> None:
        """Let no time pass for it until `go_on`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left_us = self._due_us - self._board.clock.now_us

    @property
    def _due_us(self) -> int:
        """When its time is over, if nothing is done to it."""
        return self._at_us

    def go_on(self) -> None:
        """End `hold`."""
        if self._left_us is not None:
            self._set(self._board.clock.now_us + self._left_us)

    def _set(self, at_us: int) -> None:
        _Alarm.stop(self)
        self._at_us = at_us
        self._timer = self._board.clock.call_at(at_us, self._due)

    def _due(self) -> None:
        raise NotImplementedError


class PortTimer(_Alarm):
    """One timer that calls the program. While it runs it is among the ports' `timers`.

    Attributes:
        callback: ``(function, argument)`` to schedule, or None.
        period_us: how long until it is due.
        repeats: it begins again then.
    """

    __slots__ = ("_among", "callback", "period_us", "repeats")

    def __init__(self, board: Board, among: dict[PortTimer, None]) -> None:
        super().__init__(board)
        self._among = among
        self.callback: tuple[Callable[[Any], object], Any] | None = None
        self.period_us = 0
        self.repeats = False

    def start(self, period_us: int, *, repeats: bool, callback: tuple[Callable[[Any], object], Any] | None) -> None:
        """Begin anew."""
        self.period_us = period_us
        self.repeats = repeats
        self.callback = callback
        self._set(self._board.clock.now_us + period_us)
        self._among[self] = None

    def stop(self) -> None:
        """Forget the call; `start` begins again."""
        super().stop()
        self._among.pop(self, None)

    @property
    def elapsed_us(self) -> int:
        """How much of the period is over; 0 while it does not run."""
        if self._left_us is not None:
            return self.period_us - self._left_us
        return self.period_us - (self._at_us - self._board.clock.now_us) if self._timer is not None else 0

    def _due(self) -> None:
        if self.repeats:
            self._set(self._at_us + self.period_us)
        else:
            self._timer = None
            self._among.pop(self, None)
        if self.callback is not None:
            self._board.schedule(*self.callback)


class Watchdog(_Alarm):
    """The watchdog: it bites who does not feed it.

    Food only notes the time: its call waits on the clock already, and is made again when it comes too early. A program
    that feeds it in each turn of a loop would leave thousands of calls behind.
    """

    __slots__ = ("_bite", "_bites_us", "_timeout_us")

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._timeout_us = 0
        self._bites_us = 0
        self._bite: Callable[[], None] | None = None

    def start(self, timeout_us: int, bite: Callable[[], None]) -> None:
        """Let it call `bite` after `timeout_us` without food."""
        self.stop()
        self._timeout_us = timeout_us
        self._bite = bite
        self.feed()

    def feed(self) -> None:
        """Begin its time anew, if it runs."""
        if self._bite is not None:
            self._bites_us = self._board.clock.now_us + self._timeout_us
            self._left_us = None
            if self._timer is None:
                self._set(self._bites_us)

    @property
    def _due_us(self) -> int:
        return self._bites_us

    def go_on(self) -> None:
        """End `hold`."""
        if self._left_us is not None:
            self._bites_us = self._board.clock.now_us + self._left_us
        super().go_on()

    def forget(self) -> None:
        """End it, as a reset does."""
        self.stop()
        self._bite = None

    def _due(self) -> None:
        self._timer = None
        if self._board.clock.now_us < self._bites_us:
            self._set(self._bites_us)
            return
        bite, self._bite = self._bite, None
        if bite is not None:
            bite()

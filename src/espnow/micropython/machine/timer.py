"""`machine.Timer` and `machine.WDT`.

They follow https://docs.micropython.org/en/latest/library/machine.Timer.html, machine.WDT.html, and MicroPython's
``ports/esp32/machine_timer.c``, ``machine_wdt.c``, ``ports/esp8266/modmachine.c``, ``machine_wdt.c``. A callback is
scheduled, with the timer as its argument. A watchdog outlives a soft reset.

Assumed: no timer is due sooner than after 50 us; an ESP8266's watchdog waits 3.2 s.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from espnow.board.ports import PortTimer
from espnow.micropython.machine.binding import Bound

__all__ = ["SHORTEST_US", "WDT", "WDT_ESP8266_US", "Timer", "TimerEsp8266", "WdtEsp8266"]

#: The shortest period, in microseconds; shorter ones would only fill the queue. Assumed.
SHORTEST_US = 50

#: How long an ESP8266's watchdog waits, in microseconds. Assumed.
WDT_ESP8266_US = 3_200_000

_HARDWARE_TIMERS = 4


class Timer(Bound):
    """A timer of an ESP32: one of the chip's, 0 to 3, or one of the operating system's, -1."""

    __slots__ = ("_id", "_timer")

    ONE_SHOT = 0
    PERIODIC = 1

    _id: int
    _timer: PortTimer

    def __init__(self, id: int, /, **keywords: Any) -> None:
        self._id = operator.index(id)
        if self._id != -1 and not 0 <= self._id < _HARDWARE_TIMERS:
            raise ValueError(f"invalid Timer number, max {_HARDWARE_TIMERS}")
        self._timer = self._board.ports.timer(self._id)
        if keywords:
            self.init(**keywords)

    def __repr__(self) -> str:
        timer = self._timer
        mode = "PERIODIC" if timer.repeats else "ONE_SHOT"
        return f"Timer({self._id}, mode={mode}, period={timer.period_us // 1000})"

    def init(
        self,
        *,
        mode: int = PERIODIC,
        callback: Callable[[Any], object] | None = None,
        period: int = 0xFFFFFFFF,
        tick_hz: int = 1000,
        freq: float | None = None,
        hard: bool = False,
    ) -> None:
        """Begin: ``callback(timer)`` is due after `period` ticks, or `freq` times a second.

        Raises:
            ValueError: it cannot be so short, or so hard.
        """
        if hard:
            raise ValueError("hard Timers are not implemented")
        self._start(mode, callback, self._period_us(period, tick_hz, freq))

    def deinit(self) -> None:
        """End it."""
        self._timer.stop()

    def value(self) -> int:
        """Return how many milliseconds of the period are over."""
        self._board.look()
        return self._timer.elapsed_us // 1000

    def _start(self, mode: int, callback: Callable[[Any], object] | None, period_us: int) -> None:
        call = None if callback is None else (callback, self)
        self._timer.start(max(period_us, SHORTEST_US), repeats=bool(mode), callback=call)

    def _period_us(self, period: int, tick_hz: int, freq: float | None) -> int:
        if freq is not None:
            if freq <= 0:
                raise ValueError("freq must be above 0")
            period_us = int(1_000_000 / freq)
        else:
            period_us = operator.index(period) * 1_000_000 // operator.index(tick_hz)
        if self._id == -1 and period_us < 1000:
            raise ValueError(
                "period too small for soft timer, less than OS tick period of 1 ms.  Try a hardware timer."
            )
        return period_us


class TimerEsp8266(Timer):
    """A timer of an ESP8266: all are the operating system's, and every number is a new one."""

    __slots__ = ()

    def __init__(self, id: int, /, **keywords: Any) -> None:
        self._id = operator.index(id)
        self._timer = self._board.ports.timer(-1)
        if keywords:
            self.init(**keywords)

    def _period_us(self, period: int, tick_hz: int, freq: float | None) -> int:
        if freq is not None:
            return max(int(1_000_000 / freq), 100)
        return max(operator.index(period) * 1_000_000 // operator.index(tick_hz), 100)


class WDT(Bound):
    """The watchdog of an ESP32: it resets the chip if nobody feeds it in time."""

    __slots__ = ()

    #: What it does to the board of this class; set by the module, anew for each start.
    _bite: Callable[[], None]

    def __init__(self, id: int = 0, timeout: int = 5000) -> None:
        if id != 0:
            raise ValueError(f"WDT({id}) doesn't exist")
        if operator.index(timeout) < 1:
            raise ValueError("WDT timeout too short")
        self._board.ports.watchdog.start(timeout * 1000, type(self)._bite)

    def feed(self) -> None:
        """Give it food: its time begins anew."""
        self._board.ports.watchdog.feed()


class WdtEsp8266(WDT):
    """The watchdog of an ESP8266, whose time is fixed."""

    __slots__ = ()

    def __init__(self, id: int = 0, /) -> None:
        if id != 0:
            raise ValueError(f"WDT({id}) doesn't exist")
        self._board.ports.watchdog.start(WDT_ESP8266_US, type(self)._bite)

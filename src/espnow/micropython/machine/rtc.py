"""`machine.RTC`: the calendar, and memory that outlives deep sleep.

It follows https://docs.micropython.org/en/latest/library/machine.RTC.html and MicroPython's
``ports/esp32/machine_rtc.c`` and ``ports/esp8266/machine_rtc.c``: the last field of a date is microseconds on an ESP32
and milliseconds on an ESP8266, and the weekday is ignored. The calendar does not drift.
"""

from __future__ import annotations

import operator
from typing import Any, Self

from espnow.micropython.machine.binding import Bound
from espnow.micropython.time import calendar, mktime

__all__ = ["RTC", "RtcEsp8266"]


class RTC(Bound):
    """The real-time clock of an ESP32."""

    __slots__ = ()

    _MEMORY = 2048
    _SUBSECONDS_PER_S = 1_000_000

    def __new__(cls) -> Self:
        """Return the board's one clock."""
        return cls._one(0)

    def datetime(self, when: Any = None, /) -> tuple[int, ...] | None:
        """Return ``(year, month, day, weekday, hour, minute, second, subseconds)``, or set the calendar."""
        board = self._board
        board.look()
        per_s = self._SUBSECONDS_PER_S
        if when is None:
            seconds, us = divmod(board.clock.now_us + board.power.calendar_us, 1_000_000)
            year, month, day, hour, minute, second, weekday, _ = calendar(seconds)
            return year, month, day, weekday, hour, minute, second, us * per_s // 1_000_000
        if not isinstance(when, (tuple, list)):
            raise TypeError(f"object '{type(when).__name__}' isn't a tuple or list")
        if len(when) != 8:
            raise ValueError(f"requested length 8 but object has length {len(when)}")
        year, month, day, _, hour, minute, second, subseconds = map(operator.index, when)
        seconds = mktime((year, month, day, hour, minute, second, 0, 0))
        now_us = seconds * 1_000_000 + subseconds * (1_000_000 // per_s)
        board.power.calendar_us = now_us - board.clock.now_us
        return None

    def init(self, when: Any, /) -> None:
        """Set the calendar, as `datetime` does."""
        self.datetime(when)

    def memory(self, content: Any = None, /) -> bytes | None:
        """Return what the memory holds, or replace it.

        Raises:
            ValueError: it does not fit.
        """
        power = self._board.power
        if content is None:
            return power.memory
        memory = content.encode() if isinstance(content, str) else bytes(memoryview(content))
        if len(memory) > self._MEMORY:
            raise ValueError("buffer too long")
        power.memory = memory
        return None


class RtcEsp8266(RTC):
    """The real-time clock of an ESP8266, with its alarm, which can end a deep sleep."""

    __slots__ = ()

    ALARM0 = 0

    _MEMORY = 492
    _SUBSECONDS_PER_S = 1_000

    def alarm(self, id: int, time: int, /) -> None:
        """Set the alarm to `time` milliseconds from now."""
        self._check_alarm(id)
        ports = self._board.ports
        ports.alarm = (self._board.clock.now_us + operator.index(time) * 1000, ports.alarm[1])

    def alarm_left(self, id: int = 0, /) -> int:
        """Return how many milliseconds are left."""
        self._check_alarm(id)
        return max(self._board.ports.alarm[0] - self._board.clock.now_us, 0) // 1000

    def irq(self, *, trigger: int = 0, wake: int = 0) -> None:
        """Let the alarm end the sleeps that `wake` says."""
        self._check_alarm(trigger)
        ports = self._board.ports
        ports.alarm = (ports.alarm[0], operator.index(wake))

    @staticmethod
    def _check_alarm(id: int) -> None:
        if id != 0:
            raise ValueError("invalid alarm")

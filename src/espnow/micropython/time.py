"""`time` of a board, as https://docs.micropython.org/en/latest/library/time.html describes it.

The epoch is 2000-01-01 00:00:00, and a board that nobody set stands there when it gets power, as an ESP32 without a
battery does; its calendar goes on through sleeps and resets, and ``machine.RTC`` sets it. Tick counters wrap at 2**30
and count from boot. Arguments of a wrong type are TypeErrors. A sleep is exact to the microsecond, also one given in
fractions of a second; a negative one returns at once.
"""

from __future__ import annotations

import operator
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.board.board import TICKS_PERIOD
from espnow.micropython.services import Services
from espnow.micropython.struct import to_int

__all__ = ["build", "calendar", "mktime", "ticks_add", "ticks_diff"]

_MASK = TICKS_PERIOD - 1
_HALF = TICKS_PERIOD // 2
_EPOCH = datetime(2000, 1, 1)

#: CPU cycles a microsecond: an ESP32 runs at 160 MHz unless told otherwise, an ESP8266 at 80 MHz.
_CYCLES_PER_US = 160
_CYCLES_PER_US_ESP8266 = 80


def ticks_add(ticks: int, delta: int) -> int:
    """Return `ticks` moved by `delta`, on the ring.

    Raises:
        OverflowError: `delta` is too large for `ticks_diff` to tell.
    """
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) & _MASK


def ticks_diff(end: int, start: int) -> int:
    """Return how far `end` is after `start`, from -2**29 to 2**29 - 1."""
    return ((end - start + _HALF) & _MASK) - _HALF


def calendar(seconds: int) -> tuple[int, ...]:
    """Return ``(year, month, mday, hour, minute, second, weekday, yearday)`` of seconds since 2000."""
    at = _EPOCH + timedelta(seconds=seconds)
    day = at.timetuple().tm_yday
    return at.year, at.month, at.day, at.hour, at.minute, at.second, at.weekday(), day


def mktime(when: Any, /) -> int:
    """Return the seconds since 2000 of an 8-tuple; fields beyond their range carry over."""
    if not isinstance(when, (tuple, list)):
        raise TypeError(f"object '{type(when).__name__}' isn't a tuple or list")
    if not 8 <= len(when) <= 9:
        raise TypeError("mktime needs a tuple of length 8 or 9")
    year, month, day, hour, minute, second = (operator.index(field) for field in when[:6])
    years, month = divmod(month - 1, 12)
    start = datetime(year + years, month + 1, 1) - _EPOCH
    return (start.days + day - 1) * 86400 + hour * 3600 + minute * 60 + second


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `time` of `board`."""
    clock = board.clock
    power = board.power
    look = board.look
    board_sleep = board.sleep
    cycles_per_us = _CYCLES_PER_US_ESP8266 if board.profile.esp8266 else _CYCLES_PER_US

    def wait(us: int) -> None:
        if us > 0:
            board_sleep(us)
        else:
            look()

    def sleep(seconds: float, /) -> None:
        """Let `seconds` pass; a fraction is allowed."""
        if not isinstance(seconds, (int, float)):
            raise TypeError(f"can't convert {type(seconds).__name__} to float")
        wait(round(seconds * 1_000_000))

    def sleep_ms(ms: int, /) -> None:
        """Let `ms` milliseconds pass."""
        wait(to_int(ms) * 1000)

    def sleep_us(us: int, /) -> None:
        """Let `us` microseconds pass."""
        wait(to_int(us))

    def ticks_ms() -> int:
        """Return milliseconds since boot, on the ring."""
        look()
        return (clock.now_us - board.boot_us) // 1000 & _MASK

    def ticks_us() -> int:
        """Return microseconds since boot, on the ring."""
        look()
        return (clock.now_us - board.boot_us) & _MASK

    def ticks_cpu() -> int:
        """Return CPU cycles since boot, on the ring."""
        look()
        return (clock.now_us - board.boot_us) * cycles_per_us & _MASK

    def time() -> int:
        """Return whole seconds since 2000-01-01 of the board's own calendar."""
        look()
        return (clock.now_us + power.calendar_us) // 1_000_000

    def time_ns() -> int:
        """Return nanoseconds since 2000-01-01, to the microsecond."""
        look()
        return (clock.now_us + power.calendar_us) * 1000

    def localtime(seconds: float | None = None, /) -> tuple[int, ...]:
        """Return ``(year, month, mday, hour, minute, second, weekday, yearday)`` of a time, or of now."""
        if seconds is None:
            return calendar(time())
        if not isinstance(seconds, (int, float)):
            raise TypeError(f"can't convert {type(seconds).__name__} to int")
        return calendar(int(seconds))

    module = ModuleType("time", "Time of this board.")
    vars(module).update(
        gmtime=localtime,
        localtime=localtime,
        mktime=mktime,
        sleep=sleep,
        sleep_ms=sleep_ms,
        sleep_us=sleep_us,
        ticks_add=ticks_add,
        ticks_cpu=ticks_cpu,
        ticks_diff=ticks_diff,
        ticks_ms=ticks_ms,
        ticks_us=ticks_us,
        time=time,
        time_ns=time_ns,
    )
    return module

"""Times as people write them: a number and a unit, as in ``500ms`` or ``10m``."""

from __future__ import annotations

import math
import re

__all__ = ["MOST_US", "TimeTooLong", "parse_time_us"]

_UNITS_US = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6, "d": 86400e6}

_TIME = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(us|ms|s|m|h|d)?", re.ASCII)

#: A time is less: in microseconds it is exact as a float up to here, and sums of some are far below what clocks hold.
MOST_US = 2**53


class TimeTooLong(ValueError):
    """A time that no clock here holds; the text says how long one may be."""

    def __init__(self) -> None:
        super().__init__("a time must be less than 285 years (104249 days)")


def parse_time_us(text: str) -> int:
    """Return a time in microseconds; a number without a unit is seconds.

    Raises:
        TimeTooLong: it is 285 years or more.
        ValueError: it is no time; the text says what to write.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError("a time is a number and a unit, as in 500ms, 30s, 10m, 2h, 1d")
    us = float(match[1]) * _UNITS_US[match[2] or "s"]
    if us >= MOST_US:
        raise TimeTooLong
    return math.ceil(us)

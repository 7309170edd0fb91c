"""Times as people write them: a number and a unit, as in ``500ms`` or ``10m``."""

from __future__ import annotations

import math
import re

__all__ = ["parse_time_us"]

_UNITS_US = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6, "d": 86400e6}

_TIME = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(us|ms|s|m|h|d)?", re.ASCII)

#: A time in microseconds stays exact as a float up to here.
_LIMIT_US = 2**53


def parse_time_us(text: str) -> int:
    """Return a time in microseconds; a number without a unit is seconds.

    Raises:
        ValueError: it is none, or one of more than 285 years; the text says what to write.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError("a time is a number and a unit, as in 500ms, 30s, 10m, 2h, 1d")
    us = float(match[1]) * _UNITS_US[match[2] or "s"]
    if us >= _LIMIT_US:
        raise ValueError("a time must be less than 285 years")
    return math.ceil(us)

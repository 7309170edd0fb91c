"""A bounded cache that keeps the type of the function it wraps.

Rules:

- Only pure functions of hashable arguments; what they return is immutable.
- Bounded always, since arguments come from the air or from a program.
- An exception is never cached.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar, cast

__all__ = ["shared"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def shared(maxsize: int) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Return a decorator: `functools.lru_cache`, without the loss of the argument types.

    Args:
        maxsize: how many results are kept; the least recently used one goes first.
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        return cast("Callable[_P, _R]", lru_cache(maxsize=maxsize)(function))

    return decorate

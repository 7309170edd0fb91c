"""What a program is told that asks a board's module for a name that only CPython's has.

On a board such a name is an AttributeError, and so it is here; the text adds what to use instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["absent"]


def absent(module: str, instead: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module.

    Args:
        module: its name.
        instead: name that it lacks -> what a program on a board writes instead.
    """

    def __getattr__(name: str) -> Any:
        hint = instead.get(name)
        more = f": {hint}" if hint else ""
        raise AttributeError(f"module '{module}' of a board has no attribute '{name}'{more}")

    return __getattr__

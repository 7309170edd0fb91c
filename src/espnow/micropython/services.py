"""What the modules of a board need beside the board: its chance, its reset, its table of modules.

Rules: values and callables only, given by whoever runs the board. Nothing here is shared by two boards.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import NoReturn

__all__ = ["Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """What surrounds one board's program.

    Attributes:
        random_source: the stream behind the `random` module.
        urandom: returns so many bytes of the board's hardware random number generator.
        soft_reset: restarts MicroPython; does not return.
        reset: restarts the chip; does not return.
        argv: ``sys.argv``.
        modules: the board's own ``sys.modules``; every builder looks there first and adds what it built.
    """

    random_source: random.Random
    urandom: Callable[[int], bytes]
    soft_reset: Callable[[], NoReturn]
    reset: Callable[[], NoReturn]
    argv: list[str]
    modules: dict[str, ModuleType]

"""What the modules of a board need beside the board: its chance, its reset, its table of modules.

Rules: values and callables only, given by whoever runs the board. Nothing here is shared by two boards.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import NoReturn

from espnow.micropython.flash import Flash
from espnow.micropython.transport import Network

__all__ = ["Services"]


def _no_sleep(_ms: int | None) -> NoReturn:
    raise SystemExit("this board has nobody to wake it: a program that sleeps needs a lab")


def _no_watchdog() -> NoReturn:
    raise SystemExit("nobody fed the watchdog, and this board has nobody to restart it: that needs a lab")


def _no_thread(_function: Callable[[], object]) -> NoReturn:
    raise RuntimeError("can't create thread: a program with threads needs a lab")


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
        flash: the board's files.
        lightsleep: sleeps for so many milliseconds (None: until a pin wakes it), and returns.
        deepsleep: the same, and restarts from the top; does not return.
        wdt_reset: restarts the chip because nobody fed its watchdog; called by the clock, not by the program.
        start_thread: runs a function in another thread of control of the board; returns its number.
        network: the board's way to other boards and to the computer's network, or None: it has no sockets to anywhere.
    """

    random_source: random.Random
    urandom: Callable[[int], bytes]
    soft_reset: Callable[[], NoReturn]
    reset: Callable[[], NoReturn]
    argv: list[str]
    modules: dict[str, ModuleType]
    flash: Flash = field(default_factory=Flash)
    lightsleep: Callable[[int | None], None] = _no_sleep
    deepsleep: Callable[[int | None], NoReturn] = _no_sleep
    wdt_reset: Callable[[], None] = _no_watchdog
    start_thread: Callable[[Callable[[], object]], int] = _no_thread
    network: Network | None = None

"""Signals that end a command: let them end it in order.

Rule: only the main thread can have handlers; elsewhere nothing is caught, and nothing need be.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["ENDING", "caught", "ends_in_order"]

_HANGUP = getattr(signal, "SIGHUP", None)  # some systems have none

#: What ends a command; the last comes when its terminal is closed.
ENDING = (signal.SIGINT, signal.SIGTERM, *(() if _HANGUP is None else (_HANGUP,)))


@contextmanager
def caught(numbers: Iterable[int], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Have a handler called for signals, and put back afterwards what was there before.

    A SIGHUP that is ignored stays so: nohup asks for it.
    """
    before = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in numbers:
                if number != _HANGUP or signal.getsignal(number) != signal.SIG_IGN:
                    before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, disposition in before.items():
            signal.signal(number, disposition)


@contextmanager
def ends_in_order() -> Iterator[None]:
    """Let signals that would end the process at once raise `SystemExit` instead, so that each ``finally`` is reached.

    It is raised once: what comes later does not disturb what the first one has begun.
    """
    ended = False

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal ended
        if not ended:
            ended = True
            raise SystemExit(128 + number)

    fatal = [number for number in ENDING if signal.getsignal(number) == signal.SIG_DFL]
    with caught(fatal, end):
        yield

"""`_thread` of a board: CPython's module as far as MicroPython has it (``py/modthread.c``).

Threads are the board's own threads of control in its time. Who runs them is `Services.start_thread`; without anybody,
starting one is a RuntimeError. The main thread is number 1, the others count from 2.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any, NoReturn, Self

from greenlet import GreenletExit, getcurrent, greenlet

from espnow.board import Board
from espnow.micropython.services import Services

__all__ = ["build"]

_MAIN = 1


class Lock:
    """A lock that waits in the board's time; made by ``allocate_lock()``."""

    _board: Board

    def __init__(self) -> None:
        self._locked = False

    def acquire(self, wait: int = 1, timeout: float = -1, /) -> bool:
        """Take the lock; False if it is taken and `wait` is 0, or the time is up."""
        board = self._board
        board.look()
        if self._locked:
            if not wait:
                return False
            until_us = None if timeout < 0 else board.clock.now_us + round(timeout * 1_000_000)
            if not board.wait(self._is_free, until_us):
                return False
        self._locked = True
        return True

    def release(self) -> None:
        """Give the lock back.

        Raises:
            RuntimeError: it is not taken.
        """
        if not self._locked:
            raise RuntimeError
        self._locked = False
        self._board.cpu.wake()

    def locked(self) -> bool:
        """Return whether it is taken."""
        self._board.look()
        return self._locked

    def _is_free(self) -> bool:
        return not self._locked

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `_thread` of `board`.

    Raises:
        ImportError: it is an ESP8266, which has none.
    """
    if board.profile.esp8266:
        raise ImportError("no module named '_thread'", name="_thread")
    numbers: dict[greenlet, int] = {}
    last_number = _MAIN
    size = 0

    class LockType(Lock):
        """The board's locks."""

        _board = board

    LockType.__name__ = LockType.__qualname__ = "lock"

    def start_new_thread(function: Callable[..., object], args: Any, kwargs: dict[str, Any] | None = None, /) -> int:
        """Call a function in a thread of its own, and return the thread's number.

        Raises:
            TypeError: the arguments are no tuple or list, the keywords no dict.
            RuntimeError: this board has no threads.
            OSError: it has no memory for one more.
        """
        nonlocal last_number
        if not isinstance(args, (tuple, list)):
            raise TypeError(f"object '{type(args).__name__}' isn't a tuple or list")
        if kwargs is not None and not isinstance(kwargs, dict):
            raise TypeError("expecting a dict for keyword args")
        positional, keywords = tuple(args), dict(kwargs or {})
        number = last_number + 1

        def body() -> None:
            current = getcurrent()
            numbers[current] = number
            try:
                function(*positional, **keywords)
            except SystemExit:
                pass
            except GreenletExit:
                raise
            except BaseException as error:
                name = getattr(function, "__name__", type(function).__name__)
                board.console.write(f"Unhandled exception in thread started by <function {name}>\n")
                board.console.exception(error)
            finally:
                del numbers[current]

        services.start_thread(body)
        last_number = number
        return number

    def get_ident() -> int:
        """Return the number of the calling thread."""
        return numbers.get(getcurrent(), _MAIN)

    def exit() -> NoReturn:
        """End the calling thread.

        Raises:
            SystemExit: always.
        """
        raise SystemExit

    def stack_size(new_size: int = 0, /) -> int:
        """Set the stack size of later threads, and return what it was; it has no effect."""
        nonlocal size
        before, size = size, operator.index(new_size)
        return before

    module = ModuleType("_thread", "Threads of this board.")
    vars(module).update(
        LockType=LockType,
        allocate_lock=LockType,
        exit=exit,
        get_ident=get_ident,
        stack_size=stack_size,
        start_new_thread=start_new_thread,
    )
    return module

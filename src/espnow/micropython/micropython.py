"""`micropython` of a board, as https://docs.micropython.org/en/latest/library/micropython.html describes it.

``schedule`` is real: it uses the board's one queue of callbacks. What concerns compiler and heap has no effect here;
the figures that it prints are assumed and constant.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.micropython.builtins import const
from espnow.micropython.gc import heap
from espnow.micropython.ringio import RingIO
from espnow.micropython.services import Services
from espnow.micropython.viper import viper

__all__ = ["build"]

#: Bytes of C stack in use. Assumed.
_STACK_USED = 1_200


def _same(function: Any, /) -> Any:
    """Return `function`: what it decorates is plain Python here."""
    return function


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `micropython` of `board`."""
    write = board.console.write
    level = 0
    locks = 0

    def schedule(function: Callable[[Any], object], argument: Any, /) -> None:
        """Call ``function(argument)`` very soon, between the program's steps.

        Raises:
            RuntimeError: the queue is full.
        """
        if not board.schedule(function, argument):
            raise RuntimeError("schedule queue full")

    def opt_level(new_level: int | None = None, /) -> int | None:
        """Set, or without an argument return, the level of optimisation; it has no effect."""
        nonlocal level
        if new_level is None:
            return level
        level = operator.index(new_level)
        return None

    def alloc_emergency_exception_buf(size: int, /) -> None:
        """Do nothing: there is always memory for an exception."""
        operator.index(size)

    def mem_info(_verbose: object = None, /) -> None:
        """Print about the memory in use."""
        total, used = heap(board)
        write(f"stack: {_STACK_USED} out of 15360\nGC: total: {total}, used: {used}, free: {total - used}\n")

    def qstr_info(_verbose: object = None, /) -> None:
        """Print about interned strings."""
        write("qstr pool: n_pool=1, n_qstr=0, n_str_data_bytes=0, n_total_bytes=0\n")

    def stack_use() -> int:
        """Return the bytes of stack in use: a constant."""
        return _STACK_USED

    def heap_lock() -> None:
        """Count a lock; memory can still be had."""
        nonlocal locks
        locks += 1

    def heap_unlock() -> int:
        """Take a lock back, and return how many are left."""
        nonlocal locks
        locks = max(0, locks - 1)
        return locks

    def heap_locked() -> int:
        """Return how many locks there are."""
        return locks

    def kbd_intr(character: int, /) -> None:
        """Do nothing: Ctrl-C is the console's."""
        operator.index(character)

    module = ModuleType("micropython", "Internals of this board's MicroPython.")
    vars(module).update(
        alloc_emergency_exception_buf=alloc_emergency_exception_buf,
        asm_thumb=_same,
        asm_xtensa=_same,
        const=const,
        heap_lock=heap_lock,
        heap_locked=heap_locked,
        heap_unlock=heap_unlock,
        kbd_intr=kbd_intr,
        mem_info=mem_info,
        native=_same,
        opt_level=opt_level,
        qstr_info=qstr_info,
        RingIO=RingIO,
        schedule=schedule,
        stack_use=stack_use,
        viper=viper,
    )
    return module

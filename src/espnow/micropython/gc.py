"""`gc` of a board, as https://docs.micropython.org/en/latest/library/gc.html describes it.

The host owns the memory, so collecting does nothing and the figures of the heap are assumed and constant, in the order
of what a board has free after boot: equal runs print equal numbers.
"""

from __future__ import annotations

import operator
from types import ModuleType

from espnow.board import Board
from espnow.micropython.services import Services

__all__ = ["build", "heap"]

#: Bytes of heap, all and in use: (ESP32, ESP8266). Assumed.
_HEAP = (166_000, 37_000)
_USED = (24_000, 9_000)

#: What a collection takes, in microseconds. Assumed.
_COLLECT_COST_US = 1_000


def heap(board: Board) -> tuple[int, int]:
    """Return the bytes of heap that a board has, and those in use: constants."""
    kind = int(board.profile.esp8266)
    return _HEAP[kind], _USED[kind]


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `gc` of `board`."""
    total, used = heap(board)
    enabled = True
    limit = -1

    def collect() -> None:
        """Let pass the time that a collection takes."""
        board.cpu.spend(_COLLECT_COST_US)
        board.look()

    def enable() -> None:
        """Note that collection is on."""
        nonlocal enabled
        enabled = True

    def disable() -> None:
        """Note that collection is off."""
        nonlocal enabled
        enabled = False

    def isenabled() -> bool:
        """Return what `enable` and `disable` said last."""
        return enabled

    def mem_free() -> int:
        """Return the free bytes of the heap: a constant."""
        return total - used

    def mem_alloc() -> int:
        """Return the used bytes of the heap: a constant."""
        return used

    def threshold(amount: int | None = None, /) -> int | None:
        """Set, or without `amount` return, after how many bytes a collection is due; -1 is never."""
        nonlocal limit
        if amount is None:
            return limit
        limit = max(-1, operator.index(amount))
        return None

    module = ModuleType("gc", "The garbage collector of this board.")
    vars(module).update(
        collect=collect,
        disable=disable,
        enable=enable,
        isenabled=isenabled,
        mem_alloc=mem_alloc,
        mem_free=mem_free,
        threshold=threshold,
    )
    return module

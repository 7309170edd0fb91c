"""What the classes of buses share: arguments that are bytes, pins, and the time that a transfer takes."""

from __future__ import annotations

from typing import Any, TypeVar

from espnow.board import Board
from espnow.micropython.machine.binding import Bound
from espnow.micropython.machine.pin import find_pin

__all__ = ["Wired", "buffer_bytes", "on_board", "view_of"]

C = TypeVar("C")

#: What a transfer costs besides its bits, in microseconds. Assumed.
_CALL_US = 20


def buffer_bytes(buf: Any) -> bytes:
    """Return the bytes of a str or of anything with the buffer protocol.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(buf, bytes):
        return buf
    if isinstance(buf, str):
        return buf.encode()
    return bytes(view_of(buf))


def view_of(buf: Any) -> memoryview:
    """Return the memory behind an object; on CPython before 3.12 classes of ours offer it as ``__buffer__``."""
    try:
        return memoryview(buf).cast("B")
    except TypeError:
        buffer = getattr(type(buf), "__buffer__", None)
        if buffer is None:
            raise TypeError("object with buffer protocol required") from None
        view: memoryview = buffer(buf, 0)
        return view


class Wired(Bound):
    """What has wires."""

    __slots__ = ()

    def _spend(self, us: int) -> None:
        board = self._board
        board.cpu.spend(us + _CALL_US)
        if board.has_callbacks:
            board.run_callbacks()

    def _pin(self, pin: Any, default: int) -> int:
        """Return the number of a pin, or the default for None."""
        return default if pin is None else find_pin(self._board, pin).number


def on_board(board: Board, module: str, cls: type[C], *bases: type) -> type[C]:
    """Return `cls` as the class of a board, with `_board`: made once for the board, not once for each start.

    Args:
        board: whose it is.
        module: of which module it says that it is.
        cls: what it derives from.
        bases: what it derives from besides.
    """
    return board.own_class(cls.__name__, cls, module, *bases)

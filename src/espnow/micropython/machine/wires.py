"""What the classes of buses share: arguments that are bytes, pins, and the time that a transfer takes."""

from __future__ import annotations

from typing import Any

from espnow.micropython.machine.binding import Bound
from espnow.micropython.machine.pin import find_pin

__all__ = ["Wired", "buffer_bytes", "view_of"]

#: What a transfer costs besides its bits, in microseconds. Assumed.
_CALL_US = 20


def buffer_bytes(data: Any) -> bytes:
    """Return the bytes of a str or of anything with the buffer protocol.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    return bytes(view_of(data))


def view_of(data: Any) -> memoryview:
    """Return the memory behind an object; on CPython before 3.12 classes of ours offer it as ``__buffer__``."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        buffer = getattr(type(data), "__buffer__", None)
        if buffer is None:
            raise TypeError("object with buffer protocol required") from None
        view: memoryview = buffer(data, 0)
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

"""`micropython.RingIO`, as https://docs.micropython.org/en/latest/library/micropython.html describes it."""

from __future__ import annotations

from typing import Any

from espnow.api.base import buffer_bytes, writable_view
from espnow.micropython.select import POLLIN, POLLOUT
from espnow.micropython.struct import to_int

__all__ = ["RingIO"]


class RingIO:
    """A queue of bytes with a limited length, and the methods of a stream. It never waits."""

    def __init__(self, size: Any, /) -> None:
        """Make a queue.

        Args:
            size: how many bytes it holds, or a buffer to use, which holds one byte less than it is long.
        """
        if isinstance(size, int):
            self._room = size
        else:
            self._room = len(writable_view(size)) - 1
        self._queue = bytearray()

    def any(self) -> int:
        """Return how many bytes can be read."""
        return len(self._queue)

    def read(self, nbytes: int = -1, /) -> bytes:
        """Return so many bytes, or all that there are."""
        count = to_int(nbytes)
        return self._take(len(self._queue) if count < 0 else count)

    def readline(self, nbytes: int = -1, /) -> bytes:
        """Return a line with its newline, or what there is of it, and no more than so many bytes."""
        end = self._queue.find(b"\n") + 1 or len(self._queue)
        count = to_int(nbytes)
        return self._take(end if count < 0 else min(end, count))

    def readinto(self, buf: Any, nbytes: int | None = None, /) -> int:
        """Fill a buffer with what there is, and return how many bytes it got."""
        view = writable_view(buf)
        found = self._take(len(view) if nbytes is None else min(len(view), to_int(nbytes)))
        view[: len(found)] = found
        return len(found)

    def write(self, buf: Any, /) -> int:
        """Add what there is room for, and return how many bytes."""
        new = buffer_bytes(buf)[: self._room - len(self._queue)]
        self._queue += new
        return len(new)

    def close(self) -> None:
        """Do nothing."""

    def poll_events(self, mask: int) -> int:
        """Return which of the events of a mask hold."""
        readable = POLLIN if self._queue else 0
        writable = POLLOUT if len(self._queue) < self._room else 0
        return (readable | writable) & mask

    def _take(self, count: int) -> bytes:
        found = bytes(self._queue[:count])
        del self._queue[:count]
        return found

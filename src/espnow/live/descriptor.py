"""A file descriptor that tells how an ESPNow object stands, for ``select``, ``selectors`` and asyncio.

It can be read while a message waits, and written while no answer is pending; neither while ESP-NOW is inactive. It is
one end of a pair of sockets: a byte from the other end makes it readable, and bytes that the other end has not taken
make it full. Nobody may read from it or write to it but this module.
"""

from __future__ import annotations

import socket

__all__ = ["Descriptor"]

#: The smallest buffer that Linux gives; what is over a quarter of it makes a socket full for `poll` (unix(7), tcp(7)).
_BUFFER = 4608
_FILLING = bytes(_BUFFER)


class Descriptor:
    """A descriptor whose readiness is set."""

    __slots__ = ("_other", "_own", "_readable", "_writable")

    def __init__(self) -> None:
        """Make one that is not ready for anything."""
        self._own, self._other = socket.socketpair()
        for end in (self._own, self._other):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._readable = False
        self._writable = True
        self.set(readable=False, writable=False)

    def fileno(self) -> int:
        """Return its number."""
        return self._own.fileno()

    def set(self, *, readable: bool, writable: bool) -> None:
        """Let it be ready for these."""
        if readable is not self._readable:
            self._readable = readable
            if readable:
                self._other.send(b"\0")
            else:
                _drain(self._own)
        if writable is not self._writable:
            self._writable = writable
            if writable:
                _drain(self._other)
            else:
                _fill(self._own)

    def close(self) -> None:
        """Close both ends."""
        self._own.close()
        self._other.close()


def _drain(end: socket.socket) -> None:
    try:
        while end.recv(65536):
            pass
    except BlockingIOError:
        pass


def _fill(end: socket.socket) -> None:
    try:
        while end.send(_FILLING):
            pass
    except BlockingIOError:
        pass

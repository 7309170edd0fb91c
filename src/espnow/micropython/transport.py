"""What the sockets of a board stand on. Types only.

Rules:

- Nothing here blocks, and nothing here is a socket of the computer: whoever runs the board hands in a `Network`, or
  none. How long a program waits, and in whose time, is `espnow.micropython.socket`'s.
- "Not yet" is None. Who was told so is woken (`espnow.board.Board.changed`) when it is worth asking again.
- A refusal is a `espnow.errors.NetworkError`, which names the error; its number is the board's.
- Events are those of `select`: 1 there is something to read (or its end), 4 something can be written, 8 it failed.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["FAILED", "READABLE", "WRITABLE", "Address", "Datagrams", "Listener", "Network", "Stream"]

READABLE = 1
WRITABLE = 4
FAILED = 8

#: A numeric IPv4 address, and a port.
Address = tuple[str, int]


class Stream(Protocol):
    """A TCP connection, or one that begins."""

    def connected(self) -> bool:
        """Whether it is made.

        Raises:
            NetworkError: it cannot be.
        """

    def events(self, mask: int) -> int:
        """Return which events of `mask` hold, and `FAILED` if it did."""

    def receive(self, size: int) -> bytes | None:
        """Return up to `size` bytes, b"" at the end, None if nothing is there yet.

        Raises:
            NetworkError: the connection is lost.
        """

    def send(self, part: bytes) -> int | None:
        """Take bytes, and return how many were taken; None while there is no room.

        Raises:
            NetworkError: the connection is lost.
        """

    def close(self) -> None:
        """End it; harmless when it was ended."""


class Listener(Protocol):
    """A port for others to connect to."""

    def listen(self, backlog: int) -> None:
        """Let others connect from now on; so many may wait to be accepted."""

    def events(self, mask: int) -> int:
        """Return `READABLE` if `mask` asks for it and somebody waits to be accepted."""

    def accept(self) -> tuple[Stream, Address] | None:
        """Return the next connection and where it came from; None if there is none yet."""

    def close(self) -> None:
        """Give up the port."""


class Datagrams(Protocol):
    """A UDP port."""

    def events(self, mask: int) -> int:
        """Return which events of `mask` hold."""

    def receive(self) -> tuple[bytes, Address] | None:
        """Return the next datagram and where it came from; None if there is none yet."""

    def send(self, datagram: bytes, address: Address) -> None:
        """Send a datagram, which may be lost on the way.

        Raises:
            NetworkError: there is no way to that address.
        """

    def join(self, group: str) -> None:
        """Receive what is sent to a multicast address, too."""

    def close(self) -> None:
        """Give up the port."""


class Network(Protocol):
    """The way of one board to other boards and to the computer's network."""

    def resolve(self, host: str, port: int) -> Address | None:
        """Return the numeric address of a name; None while it is asked for.

        Raises:
            NetworkError: EAI_FAIL, there is no such name, or no network to ask.
        """

    def connect(self, address: Address) -> Stream:
        """Begin a connection.

        Raises:
            NetworkError: EHOSTUNREACH, there is no way to that address.
        """

    def listener(self, address: Address) -> Listener:
        """Take a TCP port of the board.

        Raises:
            NetworkError: EADDRINUSE.
        """

    def datagrams(self, address: Address) -> Datagrams:
        """Take a UDP port of the board; port 0 is any free one.

        Raises:
            NetworkError: EADDRINUSE.
        """

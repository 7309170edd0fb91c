"""Sockets of the computer for boards of the lab (`espnow.micropython.transport`): what a router leads to.

Rules: no call blocks. One that finds nothing asks `HostWaiter` to wake its board. The host's errors become
NetworkErrors with the name that they have here; the board's number for it is not known here.
"""

from __future__ import annotations

import errno
import select
import socket
import threading
from collections.abc import Callable

from espnow.errors import NetworkError
from espnow.lab.host import HostWaiter
from espnow.micropython.transport import FAILED, READABLE, WRITABLE, Address

__all__ = ["HostDatagrams", "HostListener", "HostPlace", "HostStream", "Lookup"]

#: How much is read ahead of a connection: the receive window of ESP-IDF's lwIP by default.
_WINDOW = 5_760

#: What a datagram may have at most.
_MAX_DATAGRAM = 65_535

#: Ports below this need rights that a lab does not ask for; the host listens this much higher.
_FIRST_FREE_PORT = 1024
_PORT_OFFSET = 8_000


class HostPlace:
    """How the sockets of one board reach the host.

    Attributes:
        waiter: of the lab.
        wake: lets the board look again.
        is_up: whether the board has a network now; while it has none nothing goes in or out.
    """

    __slots__ = ("is_up", "waiter", "wake")

    def __init__(self, waiter: HostWaiter, wake: Callable[[], None], is_up: Callable[[], bool]) -> None:
        self.waiter = waiter
        self.wake = wake
        self.is_up = is_up


def _refusal(error: OSError) -> NetworkError:
    name = errno.errorcode.get(error.errno or 0, "EIO")
    if name == "ENETUNREACH":
        name = "EHOSTUNREACH"
    elif name == "EPIPE":
        name = "ECONNRESET"
    return NetworkError(name)


class HostStream:
    """A TCP connection of the host."""

    __slots__ = ("__weakref__", "_connected", "_ended", "_failed", "_inbox", "_place", "_socket")

    def __init__(self, place: HostPlace, address: Address, made: socket.socket | None = None) -> None:
        """Begin to connect.

        Args:
            place: of the board.
            address: where to.
            made: a connection that is there already.
        """
        self._place = place
        self._inbox = b""
        self._ended = False
        self._failed: NetworkError | None = None
        self._connected = made is not None
        self._socket = made or socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        if made is None:
            code = self._socket.connect_ex(address)
            if code not in (0, errno.EINPROGRESS):
                self._failed = _refusal(OSError(code, ""))

    def __del__(self) -> None:
        self._socket.close()

    def connected(self) -> bool:
        """Whether it is made (`espnow.micropython.transport.Stream`)."""
        if self._failed is not None:
            raise self._failed
        if not self._connected:
            if not self._poll(select.POLLOUT):
                self._want(select.POLLOUT)
                return False
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._failed = _refusal(OSError(code, ""))
                raise self._failed
            self._connected = True
        return True

    def events(self, mask: int) -> int:
        """Return which events of `mask` hold."""
        try:
            if not self.connected():
                return 0
            found = 0
            if mask & READABLE and self._fill():
                found |= READABLE
            if mask & WRITABLE:
                if self._place.is_up() and self._poll(select.POLLOUT):
                    found |= WRITABLE
                else:
                    self._want(select.POLLOUT)
        except NetworkError:
            return FAILED | mask & (READABLE | WRITABLE)
        return found

    def receive(self, size: int) -> bytes | None:
        """Return what is there."""
        if not self._fill():
            return None
        part, self._inbox = self._inbox[:size], self._inbox[size:]
        return part

    def send(self, part: bytes) -> int | None:
        """Take what the host takes.

        Raises:
            NetworkError: EHOSTUNREACH, the board has left its network.
        """
        if self._failed is not None:
            raise self._failed
        if not self._place.is_up():
            raise NetworkError("EHOSTUNREACH")
        try:
            return self._socket.send(part)
        except BlockingIOError:
            self._want(select.POLLOUT)
            return None
        except OSError as error:
            self._failed = _refusal(error)
            raise self._failed from None

    def close(self) -> None:
        """End it."""
        self._failed = NetworkError("ENOTCONN")
        self._socket.close()

    def _fill(self) -> bool:
        """Read ahead; whether there is something to read, or the end."""
        if self._inbox or self._ended:
            return True
        if self._failed is not None:
            raise self._failed
        if self._place.is_up():
            try:
                self._inbox = self._socket.recv(_WINDOW)
            except BlockingIOError:
                pass
            except OSError as error:
                self._failed = _refusal(error)
                raise self._failed from None
            else:
                self._ended = not self._inbox
                return True
        self._want(select.POLLIN)
        return False

    def _poll(self, events: int) -> bool:
        poll = select.poll()
        poll.register(self._socket, events)
        return bool(poll.poll(0))

    def _want(self, events: int) -> None:
        up = self._place.is_up()
        self._place.waiter.want(self._place.wake, self._socket.fileno() if up else None, events)


class HostListener:
    """A TCP port of the host, on its loopback, that leads to a board.

    Attributes:
        port: which one.
    """

    __slots__ = ("_place", "_socket", "port")

    def __init__(self, place: HostPlace, port: int) -> None:
        """Listen on a port, or on another one if it is taken."""
        self._place = place
        self._socket = _bind(socket.SOCK_STREAM, port)
        self._socket.listen()
        self.port: int = self._socket.getsockname()[1]

    def accept(self) -> tuple[HostStream, Address] | None:
        """Return the next connection, or None."""
        try:
            made, address = self._socket.accept()
        except OSError:
            self._place.waiter.want(self._place.wake, self._socket.fileno(), select.POLLIN)
            return None
        return HostStream(self._place, address, made), address

    def close(self) -> None:
        """Give up the port."""
        self._socket.close()


class HostDatagrams:
    """A UDP port of the host.

    Attributes:
        port: which one; 0 before anything was sent from one that was not asked for.
    """

    __slots__ = ("_place", "_socket", "port")

    def __init__(self, place: HostPlace, port: int | None = None) -> None:
        """Take a port.

        Args:
            place: of the board.
            port: the wanted one, on the loopback; None for any, on all interfaces, that only sends and hears answers.
        """
        self._place = place
        if port is None:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self.port = 0
        else:
            self._socket = _bind(socket.SOCK_DGRAM, port)
            self.port = self._socket.getsockname()[1]

    def receive(self) -> tuple[bytes, Address] | None:
        """Return the next datagram, or None."""
        try:
            return self._socket.recvfrom(_MAX_DATAGRAM)
        except OSError:  # nothing there, or word that an earlier one reached nobody, which UDP does not pass on
            self._place.waiter.want(self._place.wake, self._socket.fileno(), select.POLLIN)
            return None

    def send(self, datagram: bytes, address: Address) -> None:
        """Send a datagram.

        Raises:
            NetworkError: the host cannot.
        """
        try:
            self._socket.sendto(datagram, address)
        except (BlockingIOError, ConnectionRefusedError):
            pass
        except OSError as error:
            raise _refusal(error) from None

    def close(self) -> None:
        """Give up the port."""
        self._socket.close()


def _bind(kind: int, port: int) -> socket.socket:
    """Return a socket on the loopback with this port, a higher one if that needs rights, or any that is free."""
    wishes = [port] if port >= _FIRST_FREE_PORT else [port + _PORT_OFFSET]
    for wish in (*wishes, 0):
        made = socket.socket(socket.AF_INET, kind)
        made.setblocking(False)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(("127.0.0.1", wish))
        except OSError:
            made.close()
        else:
            return made
    raise NetworkError("EADDRINUSE")


class Lookup:
    """A question for the host's name service, which may take long: it is asked in a thread that touches nothing else.

    Attributes:
        answer: the address, or None: not yet, or `failed`.
        failed: there is none.
    """

    __slots__ = ("answer", "failed")

    def __init__(self, host: str) -> None:
        """Ask."""
        self.answer: str | None = None
        self.failed = False
        threading.Thread(target=self._ask, args=(host,), daemon=True).start()

    def _ask(self, host: str) -> None:
        try:
            found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
            self.answer = str(found[0][4][0])
        except (OSError, UnicodeError, IndexError):
            self.failed = True

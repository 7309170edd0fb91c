"""`socket` of a board (https://docs.micropython.org/en/latest/library/socket.html, the ESP32 port's ``modsocket.c``).

A socket is a stream itself: it has ``read``, ``readline`` and ``write``, and ``makefile`` returns it. A call that
blocks waits in the board's time, with the board's timeout; what it waits for is the `espnow.micropython.transport`
that the board was given. Numbers of errors are the board's. The constants are lwIP's.

Where the document leaves it open: ``send`` of a socket that does not block raises EAGAIN when nothing fits. Assumed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar, Self, TypeVar

from espnow.api.base import buffer_bytes
from espnow.board import Board
from espnow.errors import BoardOSError, NetworkError
from espnow.micropython.errno import error_of, number_of
from espnow.micropython.services import Services
from espnow.micropython.transport import READABLE, WRITABLE, Address, Datagrams, Listener, Network, Stream

__all__ = ["Socket", "build"]

_T = TypeVar("_T")

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2
_SOCK_RAW = 3

#: The option of ``setsockopt`` that sets a callback for what arrives.
_SO_CALLBACK = 20
_IP_ADD_MEMBERSHIP = 3
_IP_ADD_MEMBERSHIP_ESP8266 = 1024
_SO_REUSEADDR = 4
_SO_KEEPALIVE = 8
_SO_BROADCAST = 32

#: ``select`` reports it for a socket that was closed.
_CLOSED = 32

#: How many may wait to be accepted if ``listen`` does not say.
_BACKLOG = 2


class Socket:
    """A socket. Each board has a class of its own, derived from this one, that knows board and network."""

    _board: ClassVar[Board]
    _network: ClassVar[Network | None]

    __slots__ = ("_address", "_callback", "_datagrams", "_listener", "_peer", "_stream", "_timeout_us", "_type")

    def __init__(self, af: int = AF_INET, type: int = SOCK_STREAM, proto: int = 0, /) -> None:
        """Make a socket.

        Raises:
            OSError: EAFNOSUPPORT for another family than AF_INET, EINVAL for an unknown type.
        """
        self._timeout_us: int | None = None
        self._stream: Stream | None = None
        self._listener: Listener | None = None
        self._datagrams: Datagrams | None = None
        self._peer: Address | None = None
        self._callback: Callable[[], None] | None = None
        self._type = operator.index(type)
        operator.index(proto)
        if operator.index(af) != AF_INET:
            raise self._error("EAFNOSUPPORT")
        if self._type not in (SOCK_STREAM, SOCK_DGRAM):
            raise self._error("EINVAL")

    def __repr__(self) -> str:
        return "<socket>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Settings.

    def settimeout(self, value: float | None, /) -> None:
        """Let calls wait so many seconds: None for ever, 0 not at all."""
        self._timeout_us = None if value is None else max(0, int(value * 1_000_000))

    def setblocking(self, flag: object, /) -> None:
        """Let calls wait for ever, or not at all."""
        self._timeout_us = None if flag else 0

    def setsockopt(self, level: int, optname: int, value: Any, /) -> None:
        """Set an option: 20 a callback for what arrives, IP_ADD_MEMBERSHIP a group; the others change nothing here."""
        option = operator.index(optname)
        if option == _SO_CALLBACK:
            self._set_callback(value)
        elif option == (_IP_ADD_MEMBERSHIP_ESP8266 if self._board.profile.esp8266 else _IP_ADD_MEMBERSHIP):
            group = bytes(value)
            if len(group) != 8:
                raise ValueError
            self._udp().join(".".join(str(byte) for byte in group[:4]))
        elif option not in (_SO_REUSEADDR, _SO_KEEPALIVE, _SO_BROADCAST, 1):
            self._board.console.write("Warning: lwip.setsockopt() option not implemented\n")

    # Connecting.

    def bind(self, address: Any, /) -> None:
        """Take a port of this board.

        Raises:
            OSError: EADDRINUSE.
        """
        local = self._resolve(address)
        network = self._network
        if network is None:
            raise self._error("EHOSTUNREACH")
        if self._type == SOCK_DGRAM:
            if self._datagrams is not None:
                raise self._error("EINVAL")
            self._datagrams = self._refusing(network.datagrams, local)
        else:
            if self._listener is not None:
                raise self._error("EINVAL")
            self._listener = self._refusing(network.listener, local)

    def listen(self, backlog: int = _BACKLOG, /) -> None:
        """Let others connect."""
        self._check_open()
        if self._listener is None:
            self.bind(("0.0.0.0", 0))
        assert self._listener is not None
        self._listener.listen(operator.index(backlog))

    def accept(self) -> tuple[Self, Address]:
        """Wait for a connection; return a socket for it, and where it came from.

        Raises:
            OSError: ETIMEDOUT, or EAGAIN if it does not block.
        """
        listener = self._listener
        if listener is None:
            raise self._error("EINVAL" if self._type else "EBADF")
        stream, address = self._wait(listener.accept)
        return self._wrap(stream, address), address

    @classmethod
    def _wrap(cls, stream: Stream, peer: Address | None) -> Self:
        made = cls()
        made._stream = stream
        made._peer = peer
        return made

    def connect(self, address: Any, /) -> None:
        """Connect; a UDP socket only remembers where to send.

        Raises:
            OSError: ECONNREFUSED, EHOSTUNREACH, ECONNABORTED (nobody answers), ETIMEDOUT, or EINPROGRESS if it does
                not block.
        """
        self._check_open()
        peer = self._resolve(address)
        if self._type == SOCK_DGRAM:
            self._peer = peer
            return
        if self._stream is not None:
            raise self._error("EISCONN")
        network = self._network
        if network is None:
            raise self._error("EHOSTUNREACH")
        self._peer = peer
        stream = self._stream = self._refusing(network.connect, peer)
        if self._timeout_us == 0:
            raise self._error("EINPROGRESS")
        try:
            self._wait(lambda: stream.connected() or None)
        except OSError:
            stream.close()
            self._stream = None
            raise

    def close(self) -> None:
        """Close the socket; harmless when it is closed."""
        self._set_callback(None)
        for part in (self._stream, self._listener, self._datagrams):
            if part is not None:
                part.close()
        self._stream = self._listener = self._datagrams = None
        self._type = 0

    # Sending and receiving.

    def send(self, data: Any, /) -> int:
        """Send bytes, and return how many were taken.

        Raises:
            OSError: ENOTCONN, ECONNRESET, ETIMEDOUT, or EAGAIN if it does not block.
        """
        part = buffer_bytes(data)
        if self._type == SOCK_DGRAM:
            if self._peer is None:
                raise self._error("ENOTCONN")
            return self.sendto(part, self._peer)
        stream = self._connected()
        if not part:
            return 0
        if self._timeout_us == 0:
            return self._wait(lambda: stream.send(part))
        return self._send_all(stream, part)

    def sendall(self, data: Any, /) -> None:
        """Send all of it."""
        part = buffer_bytes(data)
        if self._type == SOCK_DGRAM:
            self.send(part)
        elif self._send_all(self._connected(), part) < len(part):
            raise self._error("ETIMEDOUT")

    def sendto(self, data: Any, address: Any, /) -> int:
        """Send a datagram to an address."""
        part = buffer_bytes(data)
        if self._type != SOCK_DGRAM:
            return self.send(part)
        peer = self._resolve(address)
        self._board.look()
        self._refusing(self._udp().send, part, peer)
        return len(part)

    def recv(self, bufsize: int, /) -> bytes:
        """Wait for bytes, and return up to so many; b"" at the end.

        Raises:
            OSError: ENOTCONN, ECONNRESET, ETIMEDOUT, or EAGAIN if it does not block.
        """
        return self.recvfrom(bufsize)[0]

    def recvfrom(self, bufsize: int, /) -> tuple[bytes, Address]:
        """Do as `recv` does, and tell where it came from."""
        size = operator.index(bufsize)
        if self._type == SOCK_DGRAM:
            datagram, source = self._wait(self._udp().receive)
            return datagram[:size], source
        stream = self._connected()
        part = self._wait(lambda: stream.receive(size)) if size else b""
        return part, self._peer or ("0.0.0.0", 0)

    def recv_into(self, buffer: Any, nbytes: int = 0, /) -> int:
        """Do as `recv` does, into a buffer; return how many bytes came."""
        view = memoryview(buffer).cast("B")
        part = self.recv(nbytes or len(view))
        view[: len(part)] = part
        return len(part)

    # As a stream.

    def read(self, size: int = -1, /) -> bytes | None:
        """Read exactly so many bytes, or to the end; if it does not block what is there, None for nothing."""
        want = operator.index(size)
        if self._type == SOCK_DGRAM:
            return self._read_some(want if want >= 0 else 65_535)
        whole = bytearray()
        while want < 0 or len(whole) < want:
            part = self._read_some(5_760 if want < 0 else want - len(whole))
            if part is None:
                return bytes(whole) if whole else None
            if not part:
                break
            whole += part
        return bytes(whole)

    def readinto(self, buf: Any, nbytes: int = -1, /) -> int | None:
        """Read into a buffer, as `read` does; return how many bytes."""
        view = memoryview(buf).cast("B")
        part = self.read(len(view) if nbytes < 0 else min(operator.index(nbytes), len(view)))
        if part is None:
            return None
        view[: len(part)] = part
        return len(part)

    def readline(self, size: int = -1, /) -> bytes | None:
        """Read a line with its end, or what is there before the end of the stream."""
        line = bytearray()
        while size < 0 or len(line) < size:
            part = self._read_some(1)
            if part is None:
                return bytes(line) if line else None
            line += part
            if not part or part == b"\n":
                break
        return bytes(line)

    def write(self, buf: Any, off: int | None = None, sz: int | None = None, /) -> int | None:
        """Write all bytes, or the first `off` of them, or `sz` from `off` on; return how many, None for none yet."""
        part = buffer_bytes(buf)
        if sz is not None:
            part = part[off : (off or 0) + sz]
        elif off is not None:
            part = part[:off]
        try:
            return self.send(part)
        except OSError as error:
            if self._timeout_us == 0 and error.args[:1] == (number_of(self._board, "EAGAIN"),):
                return None
            raise

    def makefile(self, mode: str = "rb", buffering: int = 0, /) -> Self:
        """Return this socket, which is a stream already."""
        return self

    def fileno(self) -> int:
        """Return a number that is its own; it means nothing to the computer."""
        return id(self) & 0xFFFF if self._type else -1

    def poll_events(self, mask: int) -> int:
        """Return which events of `select` hold."""
        if not self._type:
            return _CLOSED
        for part in (self._stream, self._listener, self._datagrams):
            if part is not None:
                return part.events(mask)
        return mask & WRITABLE if self._type == SOCK_DGRAM else 0

    # How it waits.

    def _wait(self, attempt: Callable[[], _T | None]) -> _T:
        """Return what `attempt` returns as soon as that is something.

        Raises:
            OSError: what it refused, ETIMEDOUT, or EAGAIN if the socket does not block.
        """
        board = self._board
        board.look()
        try:
            found = attempt()
            if found is not None:
                return found
            timeout_us = self._timeout_us
            if timeout_us == 0:
                raise self._error("EAGAIN")

            def ready() -> bool:
                nonlocal found
                if self._type:
                    found = attempt()
                return found is not None or not self._type

            if not board.wait(ready, None if timeout_us is None else board.clock.now_us + timeout_us):
                raise self._error("ETIMEDOUT")
        except NetworkError as error:
            raise self._error(error.name) from None
        if found is None:  # somebody closed it meanwhile
            raise self._error("EBADF")
        return found

    def _read_some(self, size: int) -> bytes | None:
        """Return what `recv` does, and None where it would raise EAGAIN."""
        try:
            return self.recv(size)
        except OSError as error:
            if self._timeout_us == 0 and error.args[:1] == (number_of(self._board, "EAGAIN"),):
                return None
            raise

    def _send_all(self, stream: Stream, part: bytes) -> int:
        sent = 0
        while sent < len(part):
            rest = part[sent:]
            try:
                sent += self._wait(lambda rest=rest: stream.send(rest))  # type: ignore[misc]
            except OSError as error:
                if sent and error.args[:1] in (
                    (number_of(self._board, "ETIMEDOUT"),),
                    (number_of(self._board, "EAGAIN"),),
                ):
                    break
                raise
        return sent

    def _connected(self) -> Stream:
        """Return the connection.

        Raises:
            OSError: ENOTCONN, or what became of the attempt to connect.
        """
        self._check_open()
        stream = self._stream
        if stream is None:
            raise self._error("ENOTCONN")
        self._refusing(stream.connected)
        return stream

    def _udp(self) -> Datagrams:
        """Return the UDP port, which is taken now if it was not."""
        self._check_open()
        if self._datagrams is None:
            network = self._network
            if network is None:
                raise self._error("EHOSTUNREACH")
            self._datagrams = self._refusing(network.datagrams, ("0.0.0.0", 0))
        return self._datagrams

    def _resolve(self, address: Any) -> Address:
        """Return an address with a number for its name."""
        self._check_open()
        if isinstance(address, (str, bytes, bytearray)):
            raise TypeError("object 'str' isn't a tuple or list")
        host, port = address
        return resolve(self._board, self._network, host, port)

    def _check_open(self) -> None:
        if not self._type:
            raise self._error("EBADF")

    def _refusing(self, function: Callable[..., _T], *arguments: Any) -> _T:
        try:
            return function(*arguments)
        except NetworkError as error:
            raise self._error(error.name) from None

    def _error(self, name: str) -> BoardOSError:
        return error_of(self._board, name)

    # The callback for what arrives, which WebREPL and its kind use.

    def _set_callback(self, function: Callable[[Any], object] | None) -> None:
        watchers = self._board.watchers
        if self._callback is not None:
            if self._callback in watchers:
                watchers.remove(self._callback)
            self._callback = None
        if function is None:
            return
        scheduled = False

        def call(_: Any) -> None:
            nonlocal scheduled
            scheduled = False
            if self._callback is watch:
                function(self)

        def watch() -> None:
            nonlocal scheduled
            if not scheduled and self.poll_events(READABLE):
                scheduled = self._board.schedule(call, None)

        self._callback = watch
        watchers.append(watch)
        watch()


def resolve(board: Board, network: Network | None, host: Any, port: Any) -> Address:
    """Return the numeric address of a host, and a port as a number; waits for a name.

    Raises:
        OSError: -202, there is no such name or no network.
    """
    name = host.decode() if isinstance(host, (bytes, bytearray)) else host
    if not isinstance(name, str):
        raise TypeError("can't convert " + type(host).__name__ + " to str implicitly")
    number = int(port) if isinstance(port, str) else operator.index(port)
    found: Address | None = None
    if network is None:
        if not name or name.replace(".", "").isdigit():
            return name or "0.0.0.0", number
        raise error_of(board, "EAI_FAIL")

    def ready() -> bool:
        nonlocal found
        found = network.resolve(name, number)
        return found is not None

    try:
        board.wait(ready)
    except NetworkError as error:
        raise error_of(board, error.name) from None
    assert found is not None
    return found


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `socket` of `board`."""
    network = services.network
    cls = type(
        "socket",
        (Socket,),
        {"__slots__": (), "_board": board, "_network": network, "__module__": "socket", "__doc__": Socket.__doc__},
    )

    def getaddrinfo(
        host: Any, port: Any, _af: int = 0, type: int = 0, _proto: int = 0, _flags: int = 0, /
    ) -> list[tuple[int, int, int, str, Address]]:
        """Return a list of one ``(family, type, proto, canonname, address)``.

        Raises:
            OSError: -202, there is no such name, or no network to ask.
        """
        board.look()
        address = resolve(board, network, host, port)
        name = host if isinstance(host, str) else bytes(host).decode()
        return [(AF_INET, type or SOCK_STREAM, 0, name, address)]

    def inet_pton(af: int, text: str, /) -> bytes:
        """Return the four bytes of a numeric address."""
        if operator.index(af) != AF_INET:
            raise error_of(board, "EAFNOSUPPORT")
        numbers = [int(part) for part in text.split(".")]
        if len(numbers) != 4:
            raise ValueError("invalid arguments")
        return bytes(numbers)

    def inet_ntop(af: int, address: Any, /) -> str:
        """Return the text of an address of four bytes."""
        if operator.index(af) != AF_INET:
            raise error_of(board, "EAFNOSUPPORT")
        if len(address) != 4:
            raise ValueError("invalid arguments")
        return ".".join(str(byte) for byte in bytes(address))

    module = ModuleType("socket", "Sockets of this board.")
    vars(module).update(
        AF_INET=AF_INET,
        AF_INET6=10,
        IPPROTO_IP=0,
        IPPROTO_TCP=6,
        IPPROTO_UDP=17,
        IP_ADD_MEMBERSHIP=_IP_ADD_MEMBERSHIP_ESP8266 if board.profile.esp8266 else _IP_ADD_MEMBERSHIP,
        SOCK_DGRAM=SOCK_DGRAM,
        SOCK_RAW=_SOCK_RAW,
        SOCK_STREAM=SOCK_STREAM,
        SOL_SOCKET=1 if board.profile.esp8266 else 0xFFF,
        SO_BROADCAST=_SO_BROADCAST,
        SO_KEEPALIVE=_SO_KEEPALIVE,
        SO_REUSEADDR=_SO_REUSEADDR,
        TCP_NODELAY=1,
        getaddrinfo=getaddrinfo,
        inet_ntop=inet_ntop,
        inet_pton=inet_pton,
        socket=cls,
    )
    return module

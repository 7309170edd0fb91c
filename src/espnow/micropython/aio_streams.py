"""Streams of `asyncio` of a board, and TCP: ``open_connection`` and ``start_server`` over the board's own sockets.

Names and behaviour are those of https://docs.micropython.org/en/latest/library/asyncio.html: a name is asked for in a
blocking call, a stream is reader and writer in one, ``ssl`` is a context or True. Rules: those of
`espnow.micropython.aio`; nothing here waits but through the board's loop.
"""

from __future__ import annotations

from asyncio import CancelledError, Task, sleep
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar

from espnow.board import Board
from espnow.micropython import BUILDERS
from espnow.micropython.select import POLLIN, POLLOUT
from espnow.micropython.services import Services

if TYPE_CHECKING:
    from espnow.micropython.aio_loop import BoardLoop

__all__ = ["Server", "Stream", "Tcp"]


class Stream:
    """Awaitable reading and writing of an object that `select` can poll, such as ``sys.stdin``.

    Each board has a class of its own, derived from this one.
    """

    _loop: ClassVar[BoardLoop]

    def __init__(self, s: Any, e: Any = None) -> None:
        self.s = s
        self.e = {} if e is None else e
        self.out_buf: Any = b""

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.s.close()

    def get_extra_info(self, v: Any) -> Any:
        """Return what the stream was made with under that name."""
        return self.e[v]

    async def read(self, n: int = -1) -> Any:
        """Read up to `n`, or all to the end."""
        if n >= 0:
            while True:
                await self._loop.wait_stream(self.s, POLLIN)
                part = self.s.read(n)
                if part is not None:
                    return part
        return await self._gather(self.s.read, lambda _: False)

    async def readinto(self, buf: Any) -> Any:
        """Read into a buffer, and return how much."""
        await self._loop.wait_stream(self.s, POLLIN)
        return self.s.readinto(buf)

    async def readexactly(self, n: int) -> Any:
        """Read exactly `n`.

        Raises:
            EOFError: the stream ended before.
        """
        whole = None
        while n:
            await self._loop.wait_stream(self.s, POLLIN)
            part = self.s.read(n)
            if part is None:
                continue
            if not part:
                raise EOFError
            whole = part if whole is None else whole + part
            n -= len(part)
        return b"" if whole is None else whole

    async def readline(self) -> Any:
        """Read a line with its end, or what is there before the end of the stream."""
        newlines = ("\n", b"\n")
        return await self._gather(self.s.readline, lambda line: line[-1:] in newlines)

    async def _gather(self, read: Callable[[], Any], complete: Callable[[Any], bool]) -> Any:
        whole = None
        while True:
            await self._loop.wait_stream(self.s, POLLIN)
            part = read()
            if part is None:
                continue
            whole = part if whole is None else whole + part
            if not part or complete(whole):
                return whole

    def write(self, buf: Any) -> None:
        """Write what can be written at once, and keep the rest for `drain`."""
        if not self.out_buf:
            count = self.s.write(buf)
            if count is not None:
                buf = buf[count:]
            self.out_buf = buf
        else:
            self.out_buf += buf

    async def drain(self) -> None:
        """Write what is left."""
        if not self.out_buf:
            await sleep(0)
        while self.out_buf:
            await self._loop.wait_stream(self.s, POLLOUT)
            count = self.s.write(self.out_buf)
            if count is not None:
                self.out_buf = self.out_buf[count:]

    async def awrite(self, buf: Any, off: int = 0, sz: int = -1) -> None:
        """Write a part of a buffer and wait until it is out; of the old uasyncio."""
        self.write(buf[off:] if sz == -1 else buf[off : off + sz])
        await self.drain()

    awritestr = awrite

    def close(self) -> None:
        """Do nothing; `wait_closed` closes."""

    async def wait_closed(self) -> None:
        """Close the stream."""
        self.s.close()

    aclose = wait_closed


class Server:
    """What accepts connections; made by ``start_server``."""

    def __init__(self) -> None:
        self.task: Task[None] | None = None
        self._closing = False

    async def __aenter__(self) -> Server:  # noqa: PYI034
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        await self.wait_closed()

    def close(self) -> None:
        """Accept no more."""
        self._closing = True
        if self.task is not None:
            self.task.cancel()

    async def wait_closed(self) -> None:
        """Wait until the port is given up."""
        if self.task is None:
            return
        try:
            await self.task
        except CancelledError:
            if not self._closing:
                raise

    async def serve(
        self, tcp: Tcp, socket: Any, callback: Callable[[Any, Any], Coroutine[Any, Any, Any] | None], ssl: Any
    ) -> None:
        """Accept connections until cancelled, each for a task of its own."""
        try:
            while True:
                await tcp.loop.wait_stream(socket, POLLIN)
                try:
                    connection, address = socket.accept()
                except OSError:  # it has gone again
                    continue
                connection.setblocking(False)
                if ssl:
                    try:
                        connection = ssl.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                    except OSError:
                        connection.close()
                        continue
                stream = tcp.stream(connection, {"peername": address})
                started = callback(stream, stream)
                if started is not None:
                    tcp.loop.create_task(started)
        finally:
            socket.close()


class Tcp:
    """What `asyncio` of one board has of TCP.

    Attributes:
        loop: of the board.
        stream: its class ``Stream``.
    """

    def __init__(self, board: Board, services: Services, loop: BoardLoop, stream: Any) -> None:
        """Make what `open_connection` and `start_server` are methods of.

        Args:
            board: the board.
            services: what surrounds its program.
            loop: of the board.
            stream: its class ``Stream``.
        """
        self._board = board
        self._services = services
        self.loop = loop
        self.stream = stream

    async def open_connection(
        self, host: Any, port: int, ssl: Any = None, server_hostname: str | None = None, **_: object
    ) -> tuple[Any, Any]:
        """Connect, and return a stream to read from and one to write to; they are one.

        Raises:
            OSError: as ``socket.connect`` does.
        """
        socket = self._module("socket")
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][-1]
        connection = socket.socket()
        try:
            connection.setblocking(False)
            try:
                connection.connect(address)
            except OSError as error:
                if error.args != (self._module("errno").EINPROGRESS,):
                    raise
            await self.loop.wait_stream(connection, POLLOUT)
            connection.send(b"")  # raises what became of the attempt
            if ssl:
                context = self._module("ssl").SSLContext() if ssl is True else ssl
                connection = context.wrap_socket(
                    connection, server_hostname=server_hostname or host, do_handshake_on_connect=False
                )
        except BaseException:
            connection.close()
            raise
        made = self.stream(connection, {"peername": address})
        return made, made

    async def start_server(
        self,
        cb: Callable[[Any, Any], Coroutine[Any, Any, Any] | None],
        host: Any,
        port: int,
        backlog: int = 5,
        ssl: Any = None,
        **_: object,
    ) -> Server:
        """Take a port, and call ``cb(reader, writer)`` in a task of its own for each connection.

        Raises:
            OSError: EADDRINUSE.
        """
        socket = self._module("socket")
        port_socket = socket.socket()
        port_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port_socket.setblocking(False)
        port_socket.bind(socket.getaddrinfo(host, port)[0][-1])
        port_socket.listen(backlog)
        server = Server()
        server.task = self.loop.create_task(server.serve(self, port_socket, cb, ssl))
        return server

    def _module(self, name: str) -> Any:
        return BUILDERS[name](self._board, self._services)

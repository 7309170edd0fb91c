"""`requests` of a board, also `urequests`: HTTP (RFC 9112) over the board's sockets.

What a program finds is what MicroPython's own module documents and does: functions named as the methods, ``data``,
``json``, ``headers``, ``auth``, ``timeout``, ``stream``; a response with ``text``, ``content``, ``json()``,
``status_code``, ``reason`` (bytes), ``headers``, ``raw`` and ``close()``. Redirections are followed. Certificates are
not checked, as on a board.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Self

from espnow.api.base import buffer_bytes
from espnow.board import Board
from espnow.micropython import BUILDERS
from espnow.micropython.services import Services

__all__ = ["Response", "build"]

_REDIRECTIONS = (301, 302, 303, 307, 308)

#: These make a GET of what was asked for, whatever it was.
_SEE_OTHER = (301, 302, 303)

_MAX_REDIRECTIONS = 10


class _Body:
    """What follows the head of a response, as a stream."""

    def __init__(self, stream: Any, headers: dict[str, str], *, empty: bool) -> None:
        self._stream = stream
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length")
        self._rest: int | None = 0 if empty or self._chunked else int(length) if length else None
        self._ended = empty

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, or all that is left."""
        if self._chunked:
            return self._read_chunks(size)
        want = size if self._rest is None else self._rest if size < 0 else min(size, self._rest)
        part: bytes = self._stream.read(want) if want else b""
        if self._rest is not None:
            self._rest -= len(part)
        return part

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and return how many bytes."""
        view = memoryview(buffer).cast("B")
        part = self.read(len(view))
        view[: len(part)] = part
        return len(part)

    def readline(self) -> bytes:
        """Read a line."""
        line = b""
        while not line.endswith(b"\n"):
            part = self.read(1)
            if not part:
                break
            line += part
        return line

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def _read_chunks(self, size: int) -> bytes:
        whole = b""
        while not self._ended and (size < 0 or len(whole) < size):
            if not self._rest:
                text = self._stream.readline().partition(b";")[0]
                self._rest = int(text, 16)
                if not self._rest:
                    while self._stream.readline().strip():  # trailing headers
                        pass
                    self._ended = True
                    break
            part = self._stream.read(self._rest if size < 0 else min(self._rest, size - len(whole)))
            if not part:
                break
            whole += part
            self._rest -= len(part)
            if not self._rest:
                self._stream.readline()
        return whole


class Response:
    """What a server answered.

    Attributes:
        raw: the stream of its body; None once that was read.
        encoding: of `text`.
        status_code: such as 200.
        reason: the server's words for it, bytes.
        headers: names as the server writes them.
    """

    def __init__(self, f: Any) -> None:
        self.raw = f
        self.encoding = "utf-8"
        self.status_code = 0
        self.reason = b""
        self.headers: dict[str, str] = {}
        self._content: bytes | None = None
        self._location = ""
        self._loads: Callable[[bytes], Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self.raw is not None:
            self.raw.close()
            self.raw = None
        self._content = None

    @property
    def content(self) -> bytes:
        """The body."""
        if self._content is None:
            try:
                self._content = self.raw.read()
            finally:
                self.raw.close()
                self.raw = None
        return self._content

    @property
    def text(self) -> str:
        """The body as text."""
        return str(self.content, self.encoding)

    def json(self) -> Any:
        """Return the body's JSON as Python values."""
        assert self._loads is not None
        return self._loads(self.content)


def _split(url: str) -> tuple[bool, str, int, str]:
    """Return whether a URL asks for TLS, its host, port and path."""
    found = re.match(r"(https?)://([^/?#]*)([^#]*)", url)
    if found is None:
        raise ValueError(f"Unsupported protocol: {url.partition('/')[0]}")
    scheme, host, path = found.groups()
    name, _, number = host.rpartition("@")[2].partition(":")
    default = 443 if scheme == "https" else 80
    return scheme == "https", name, int(number or default), path if path.startswith("/") else "/" + path


class _Sender:
    """Sends requests for one board."""

    def __init__(self, board: Board, services: Services) -> None:
        self._board = board
        self._services = services

    def module(self, name: str) -> Any:
        return BUILDERS[name](self._board, self._services)

    def request(
        self,
        method: str,
        url: str,
        data: Any = None,
        json: Any = None,
        headers: dict[Any, Any] | None = None,
        stream: Any = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        parse_headers: Any = True,
    ) -> Response:
        """Ask a server, and return its response.

        Args:
            method: such as GET.
            url: of http or https.
            data: the body: text, bytes, or an iterator of parts.
            json: a value to send as JSON.
            headers: further headers, text or bytes.
            stream: accepted; a response always reads its body when it is asked for it.
            auth: name and password.
            timeout: seconds for each wait.
            parse_headers: False leaves `Response.headers` empty; a callable gets each line and the dictionary.

        Raises:
            OSError: no network, no such host, no connection, or no answer in time.
            ValueError: neither http nor https, or no HTTP.
            TypeError: a header or the body is neither text nor bytes.
        """
        if json is not None:
            data = self.module("json").dumps(json)
        asked = {buffer_bytes(name).decode(): value for name, value in (headers or {}).items()}
        for _ in range(_MAX_REDIRECTIONS):
            response = self._once(method, url, data, json is not None, dict(asked), auth, timeout, parse_headers)
            location = response._location
            if response.status_code not in _REDIRECTIONS or not location:
                return response
            response.close()
            if location.startswith("/"):
                location = "/".join(url.split("/", 3)[:3]) + location
            url = location
            if response.status_code in _SEE_OTHER:
                method, data, json = "GET", None, None
        raise ValueError("Too many redirects")

    def _once(
        self,
        method: str,
        url: str,
        data: Any,
        is_json: bool,
        headers: dict[str, Any],
        auth: tuple[str, str] | None,
        timeout: float | None,
        parse_headers: Any,
    ) -> Response:
        secure, host, port, path = _split(url)
        socket = self.module("socket")
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][-1]
        connection = socket.socket()
        try:
            connection.settimeout(timeout)
            connection.connect(address)
            if secure:
                connection = self.module("ssl").wrap_socket(connection, server_hostname=host)
            connection.write(
                _head(method, host if port in (80, 443) else f"{host}:{port}", path, headers, auth, is_json, data)
            )
            for part in _body(data, headers):
                connection.write(part)
            return self._read(connection, method, parse_headers)
        except BaseException:
            connection.close()
            raise

    def _read(self, connection: Any, method: str, parse_headers: Any) -> Response:
        line = connection.readline()
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/"):
            raise ValueError(f"HTTP error: BadStatusLine:\n{words}")
        shown: dict[str, str] = {}
        known: dict[str, str] = {}
        while True:
            line = connection.readline()
            if not line.strip():
                break
            name, _, value = line.decode().partition(":")
            known[name.strip().lower()] = value.strip()
            if callable(parse_headers):
                parse_headers(line, shown)
            elif parse_headers:
                shown[name.strip()] = value.strip()
        status = int(words[1])
        response = Response(_Body(connection, known, empty=method == "HEAD" or status in (204, 304)))
        response.status_code = status
        response.reason = words[2].strip() if len(words) > 2 else b""
        response.headers = shown
        response._loads = self.module("json").loads
        response._location = known.get("location", "")
        return response


def _head(
    method: str,
    host: str,
    path: str,
    headers: dict[str, Any],
    auth: tuple[str, str] | None,
    is_json: bool,
    data: Any,
) -> bytes:
    """Return the head of a request; completes `headers`."""
    given = {name.lower() for name in headers}
    if "host" not in given:
        headers["Host"] = host
    if auth is not None:
        name, password = auth
        headers["Authorization"] = b"Basic " + base64.b64encode(f"{name}:{password}".encode())
    if is_json and "content-type" not in given:
        headers["Content-Type"] = "application/json"
    if "connection" not in given:
        headers["Connection"] = "close"
    if not {"content-length", "transfer-encoding"} & given:
        if hasattr(data, "__next__"):
            headers["Transfer-Encoding"] = "chunked"
        else:
            length = sum(len(part) for part in _body(data, headers))
            if length or method in ("POST", "PUT", "PATCH"):
                headers["Content-Length"] = str(length)
    lines = [f"{method} {path} HTTP/1.1".encode()]
    lines += [buffer_bytes(name) + b": " + buffer_bytes(value) for name, value in headers.items()]
    return b"\r\n".join([*lines, b"", b""])


def _body(data: Any, headers: dict[str, Any]) -> Iterator[bytes]:
    """Return the parts of a request's body."""
    if hasattr(data, "__next__"):
        chunked = headers.get("Transfer-Encoding") == "chunked"
        for part in data:
            raw = buffer_bytes(part)
            yield b"%x\r\n%s\r\n" % (len(raw), raw) if chunked else raw
        if chunked:
            yield b"0\r\n\r\n"
    elif data:
        yield buffer_bytes(data)


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `requests` of `board`."""
    request = _Sender(board, services).request

    def head(url: str, **kw: Any) -> Response:
        """Ask for the headers only."""
        return request("HEAD", url, **kw)

    def get(url: str, **kw: Any) -> Response:
        """Ask for something."""
        return request("GET", url, **kw)

    def post(url: str, **kw: Any) -> Response:
        """Send something."""
        return request("POST", url, **kw)

    def put(url: str, **kw: Any) -> Response:
        """Send something in the place of what is there."""
        return request("PUT", url, **kw)

    def patch(url: str, **kw: Any) -> Response:
        """Send changes."""
        return request("PATCH", url, **kw)

    def delete(url: str, **kw: Any) -> Response:
        """Ask to delete something."""
        return request("DELETE", url, **kw)

    module = ModuleType("requests", "HTTP over the sockets of this board.")
    vars(module).update(
        Response=Response, delete=delete, get=get, head=head, patch=patch, post=post, put=put, request=request
    )
    return module

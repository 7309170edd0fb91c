"""`deflate` of a board, as https://docs.micropython.org/en/latest/library/deflate.html describes it.

A `DeflateIO` reads its stream byte by byte and no further than the compressed stream goes, and refuses a reference
that reaches further back than the window, as the board's decompressor does (``extmod/moddeflate.c``). The window has at
least 256 bytes here, though a board can have less. Writing is there, though most builds for boards only read.
"""

from __future__ import annotations

import zlib
from types import ModuleType
from typing import Any, Self

from espnow.api.base import buffer_bytes, writable_view
from espnow.board import Board
from espnow.errors import BoardOSError
from espnow.micropython.services import Services
from espnow.micropython.struct import to_int

__all__ = ["AUTO", "GZIP", "RAW", "ZLIB", "DeflateIO", "build"]

AUTO = 0
RAW = 1
ZLIB = 2
GZIP = 3

EINVAL = 22

_DEFAULT_WBITS = 8
_MIN_WBITS = 8

#: zlib's compressor has no window of 256 bytes. With one of 512 it looks back 250: it keeps 262 for what is ahead.
_MIN_ZLIB_WBITS = 9

_GZIP_WBITS = 15

_GZIP_HEADER = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 4, 3))

#: Flags of a gzip header: what follows it.
_HEADER_CRC = 2
_EXTRA = 4
_NAME = 8
_COMMENT = 16


class _Source:
    """The compressed bytes of a stream."""

    def __init__(self, stream: Any) -> None:
        self._read = getattr(stream, "read", None)
        self._stream = stream
        self._one = bytearray(1)

    def byte(self) -> bytes:
        """Return the next byte.

        Raises:
            EOFError: there is none.
        """
        if self._read is not None:
            found = self._read(1)
        else:
            found = bytes(self._one) if self._stream.readinto(self._one) else b""
        if not found:
            raise EOFError
        return found  # type: ignore[no-any-return]

    def bytes(self, count: int) -> bytes:
        """Return the next bytes."""
        return b"".join([self.byte() for _ in range(count)])

    def skip_text(self) -> None:
        """Pass over a text that ends with a zero."""
        while self.byte() != b"\0":
            pass


class _Reader:
    """Decompresses what a stream holds."""

    def __init__(self, source: _Source, format: int, wbits: int) -> None:
        self._source = source
        self._kind = RAW
        if format != RAW:
            self._kind, header_wbits = self._read_header()
            if format not in (AUTO, self._kind):
                raise BoardOSError(EINVAL)
            wbits = min(wbits or header_wbits, header_wbits)
        self._inflate = zlib.decompressobj(-max(_MIN_WBITS, wbits or _DEFAULT_WBITS))
        self._ready = bytearray()
        self._ended = False
        self._checksum = 1 if self._kind == ZLIB else 0
        self._length = 0

    def _read_header(self) -> tuple[int, int]:
        """Return the kind of the stream, and the window that its header tells."""
        source = self._source
        first = source.bytes(2)
        if first == _GZIP_HEADER[:2]:
            header = source.bytes(8)
            flags = header[1]
            if header[0] != 8:
                raise BoardOSError(EINVAL)
            if flags & _EXTRA:
                source.bytes(int.from_bytes(source.bytes(2), "little"))
            if flags & _NAME:
                source.skip_text()
            if flags & _COMMENT:
                source.skip_text()
            if flags & _HEADER_CRC:
                source.bytes(2)
            return GZIP, _GZIP_WBITS
        method, wbits = first[0] & 15, (first[0] >> 4) + 8
        has_dictionary = first[1] & 0x20
        if int.from_bytes(first, "big") % 31 or method != 8 or wbits > 15 or has_dictionary:
            raise BoardOSError(EINVAL)
        return ZLIB, wbits

    def read(self, count: int | None) -> bytes:
        """Return so many bytes, or all with None; fewer only at the end."""
        ready = self._ready
        while not self._ended and (count is None or len(ready) < count):
            try:
                new = self._inflate.decompress(self._source.byte())
            except zlib.error:
                raise BoardOSError(EINVAL) from None
            ready += new
            self._length += len(new)
            if self._kind == ZLIB:
                self._checksum = zlib.adler32(new, self._checksum)
            elif self._kind == GZIP:
                self._checksum = zlib.crc32(new, self._checksum)
            if self._inflate.eof:
                self._ended = True
                self._check()
        found = bytes(ready if count is None else ready[:count])
        del ready[: len(found)]
        return found

    def _check(self) -> None:
        """Compare the checksum that follows the stream."""
        if self._kind == ZLIB:
            told = int.from_bytes(self._source.bytes(4), "big")
        elif self._kind == GZIP:
            told = int.from_bytes(self._source.bytes(4), "little")
            self._source.bytes(4)
        else:
            return
        if told != self._checksum:
            raise BoardOSError(EINVAL)


class _Writer:
    """Compresses into a stream."""

    def __init__(self, stream: Any, format: int, wbits: int) -> None:
        self._stream = stream
        self._kind = format
        wbits = max(_MIN_WBITS, wbits or _DEFAULT_WBITS)
        self._deflate = zlib.compressobj(wbits=-max(_MIN_ZLIB_WBITS, wbits))
        self._checksum = 1 if format == ZLIB else 0
        self._length = 0
        if format == ZLIB:
            first = 8 | max(wbits - 8, 1) << 4
            flags = 2 << 6
            flags |= 31 - (first * 256 + flags) % 31
            stream.write(bytes((first, flags)))
        elif format == GZIP:
            stream.write(_GZIP_HEADER)

    def write(self, raw: bytes) -> None:
        """Take more."""
        self._length += len(raw)
        if self._kind == ZLIB:
            self._checksum = zlib.adler32(raw, self._checksum)
        elif self._kind == GZIP:
            self._checksum = zlib.crc32(raw, self._checksum)
        self._pass_on(self._deflate.compress(raw))

    def end(self) -> None:
        """Write what is left, and the checksum."""
        self._pass_on(self._deflate.flush())
        if self._kind == ZLIB:
            self._stream.write(self._checksum.to_bytes(4, "big"))
        elif self._kind == GZIP:
            self._stream.write(self._checksum.to_bytes(4, "little") + (self._length & 0xFFFFFFFF).to_bytes(4, "little"))

    def _pass_on(self, raw: bytes) -> None:
        if raw:
            self._stream.write(raw)


class DeflateIO:
    """A stream that decompresses what it reads from another one, and compresses what it writes to it."""

    def __init__(self, stream: Any, format: int = AUTO, wbits: int = 0, close: object = False, /) -> None:
        """Wrap a stream.

        Args:
            stream: the other one.
            format: AUTO, RAW, ZLIB or GZIP.
            wbits: logarithm of the window, 5 to 15; 0 is what the format says, or 8.
            close: whether closing closes the other one, too.

        Raises:
            ValueError: names the argument that is wrong.
        """
        self._format = to_int(format)
        if not AUTO <= self._format <= GZIP:
            raise ValueError("format")
        self._wbits = to_int(wbits)
        if self._wbits and not 5 <= self._wbits <= 15:
            raise ValueError("wbits")
        self._stream = stream
        self._closes = bool(close)
        self._reader: _Reader | None = None
        self._writer: _Writer | None = None

    def _read(self, count: int | None) -> bytes:
        if self._stream is None:
            raise BoardOSError(EINVAL)
        if self._reader is None:
            self._reader = _Reader(_Source(self._stream), self._format, self._wbits)
        return self._reader.read(count)

    def read(self, size: int = -1, /) -> bytes:
        """Return so many bytes, or without `size` all.

        Raises:
            OSError: EINVAL, this is no compressed stream.
            EOFError: it ends too early.
        """
        return self._read(None if size < 0 else size)

    def readinto(self, buf: Any, nbytes: int | None = None, /) -> int:
        """Fill a buffer, and return how many bytes it got."""
        view = writable_view(buf)
        found = self._read(len(view) if nbytes is None else min(nbytes, len(view)))
        view[: len(found)] = found
        return len(found)

    def readline(self, size: int = -1, /) -> bytes:
        """Return a line with its newline, or so many bytes of it."""
        line = bytearray()
        while size < 0 or len(line) < size:
            byte = self._read(1)
            line += byte
            if byte in (b"", b"\n"):
                break
        return bytes(line)

    def write(self, buf: Any, /) -> int:
        """Compress a buffer or str, and return how many bytes it had."""
        if self._stream is None:
            raise BoardOSError(EINVAL)
        if self._writer is None:
            self._writer = _Writer(self._stream, self._format, self._wbits)
        raw = buffer_bytes(buf)
        self._writer.write(raw)
        return len(raw)

    def close(self) -> None:
        """Write what is left to write, and let the other stream go."""
        if self._stream is None:
            return
        if self._writer is not None:
            self._writer.end()
        if self._closes:
            self._stream.close()
        self._stream = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


_NAMES: dict[str, Any] = {"AUTO": AUTO, "DeflateIO": DeflateIO, "GZIP": GZIP, "RAW": RAW, "ZLIB": ZLIB}


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `deflate` of a board."""
    module = ModuleType("deflate", "Compressed streams of this board.")
    vars(module).update(_NAMES)
    return module

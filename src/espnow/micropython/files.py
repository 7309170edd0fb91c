"""`open` of a board: files of its `Flash`.

Each write is in the flash at once, so a file that is never closed is whole. Text is UTF-8 whatever is asked for, and
lines end with a newline alone; as MicroPython's streams do, text files take bytes and binary files take text.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from espnow.micropython.flash import Flash

__all__ = ["BinaryFile", "TextFile", "make_open"]


class _File:
    """An open file: its bytes, and where in them the next one is read or written.

    Attributes:
        name: as it was opened.
        mode: as it was opened.
    """

    closed: bool

    def __init__(self, flash: Flash, path: str, name: str, mode: str) -> None:
        super().__init__()
        self.name = name
        self.mode = mode
        self._flash = flash
        self._path = path
        self._reads = "r" in mode or "+" in mode
        self._writes = any(letter in mode for letter in "wax+")
        self._appends = "a" in mode
        self._position = 0
        self._content: bytes | bytearray
        if self._writes:
            self._content = flash.open(path, create="r" not in mode, exclusive="x" in mode, truncate="w" in mode)
            if self._appends:
                self._position = len(self._content)
        else:
            self._content = flash.read(path)

    def readable(self) -> bool:
        """Return whether it was opened for reading."""
        return self._reads

    def writable(self) -> bool:
        """Return whether it was opened for writing."""
        return self._writes

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, size: int = -1, /) -> int:
        """Fill a buffer, or its first `size` bytes; return how many were read."""
        view = memoryview(buffer).cast("B")
        part = self._take(len(view) if size < 0 else min(size, len(view)))
        view[: len(part)] = part
        return len(part)

    def write(self, text: Any, /) -> int:
        """Write bytes, or text as UTF-8; return how many bytes."""
        self._check(self._writes)
        raw = text.encode() if isinstance(text, str) else bytes(memoryview(text).cast("B"))
        assert isinstance(self._content, bytearray)
        if self._appends:
            self._position = len(self._content)
        self._flash.write(self._path, self._content, self._position, raw)
        self._position += len(raw)
        return len(raw)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place in the file, in bytes, and return where it is."""
        self._check(True)
        start = (0, self._position, len(self._content))[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return where in the file the next byte is read or written."""
        self._check(True)
        return self._position

    def truncate(self, size: int | None = None, /) -> int:
        """Cut the file at `size`, or here."""
        self._check(self._writes)
        assert isinstance(self._content, bytearray)
        length = self._position if size is None else size
        self._flash.cut(self._path, self._content, length)
        return length

    def _take(self, size: int) -> bytes:
        """Return the next bytes, at most so many; all that are left for a negative number."""
        self._check(self._reads)
        end = len(self._content) if size < 0 else self._position + size
        part = bytes(self._content[self._position : end])
        self._position += len(part)
        return part

    def _take_line(self, size: int) -> bytes:
        """Return what is left of the line, at most so many bytes."""
        end = self._content.find(b"\n", self._position) + 1 or len(self._content)
        length = max(end - self._position, 0)
        return self._take(length if size < 0 else min(size, length))

    def _check(self, allowed: bool) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if not allowed:
            raise io.UnsupportedOperation("this file was not opened for that")


class BinaryFile(_File, io.RawIOBase):
    """A file opened in binary mode."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes, or all that are left."""
        return self._take(-1 if size is None else size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return a line with its end, or its first `size` bytes; b"" at the end of the file."""
        return self._take_line(-1 if size is None else size)


class TextFile(_File, io.TextIOBase):
    """A file opened in text mode. Its places are those of bytes, and it reads no further than it was asked to."""

    def read(self, size: int | None = -1, /) -> str:
        """Return so many characters, or all that are left.

        Raises:
            UnicodeError: they are no UTF-8.
        """
        if size is None or size < 0:
            return self._take(-1).decode()
        raw = self._take(size)
        # Each byte that only continues a character stands for one that is still to be read.
        while (missing := size - _characters(raw)) > 0 and (more := self._take(missing)):
            raw += more
        while self._position < len(self._content) and self._content[self._position] & 0xC0 == 0x80:
            raw += self._take(1)
        return raw.decode()

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Return a line with its end, or its first `size` bytes; "" at the end of the file.

        Raises:
            UnicodeError: it is no UTF-8.
        """
        return self._take_line(-1 if size is None else size).decode()


def _characters(raw: bytes) -> int:
    """Return how many characters begin in UTF-8."""
    return sum(byte & 0xC0 != 0x80 for byte in raw)


def make_open(flash: Flash) -> Callable[..., Any]:
    """Return the `open` of a board with this flash."""

    def open(file: Any, mode: str = "r", *_ignored: Any, **_options: Any) -> BinaryFile | TextFile:
        """Open a file of the board.

        Args:
            file: its path.
            mode: ``r``, ``w``, ``a`` or ``x``; with ``+`` both to read and to write, with ``b`` as bytes.
            *_ignored: how to buffer, and the encoding: without effect.
            **_options: the same.

        Raises:
            OSError: ENOENT, EEXIST, EISDIR, ENOTDIR, ENOSPC.
            ValueError: there is no such mode.
        """
        if not isinstance(mode, str) or sum(mode.count(letter) for letter in "rwax") > 1 or set(mode) - set("rwax+bt"):
            raise ValueError(f"invalid mode: {mode!r}")
        path = flash.resolve(file)
        return (BinaryFile if "b" in mode else TextFile)(
            flash, path, file, mode if set(mode) & set("rwax") else "r" + mode
        )

    return open

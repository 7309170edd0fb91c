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


class BinaryFile(io.RawIOBase):
    """A file opened in binary mode.

    Attributes:
        name: as it was opened.
        mode: as it was opened.
    """

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
        self._check(self._reads)
        view = memoryview(buffer).cast("B")
        if size >= 0:
            view = view[:size]
        part = self._content[self._position : self._position + len(view)]
        view[: len(part)] = part
        self._position += len(part)
        return len(part)

    def write(self, data: Any, /) -> int:
        """Write bytes, or text as UTF-8; return how many."""
        self._check(self._writes)
        raw = data.encode() if isinstance(data, str) else bytes(memoryview(data).cast("B"))
        assert isinstance(self._content, bytearray)
        if self._appends:
            self._position = len(self._content)
        self._flash.write(self._path, self._content, self._position, raw)
        self._position += len(raw)
        return len(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place in the file and return where it is."""
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

    def _check(self, allowed: bool) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if not allowed:
            raise io.UnsupportedOperation("this file was not opened for that")


class TextFile(io.TextIOWrapper):
    """A file opened in text mode."""

    def write(self, text: Any, /) -> int:
        """Write text, or bytes that are UTF-8; return how much."""
        if not isinstance(text, str):
            text = bytes(memoryview(text)).decode()
        return super().write(text)


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
        raw = BinaryFile(flash, path, file, mode if set(mode) & set("rwax") else "r" + mode)
        if "b" in mode:
            return raw
        return TextFile(raw, encoding="utf-8", newline="\n", write_through=True)

    return open

"""The streams of a board that lie in memory, and what a program derives its own from.

See https://docs.micropython.org/en/latest/library/io.html. A str is written wherever bytes are, as UTF-8, and bytes
into a StringIO; both take a number, which on a board says how much memory to have ready. A program's own streams have
``readinto``, ``write`` and ``ioctl`` as far as it wrote them, and no other method of CPython's streams.
"""

from __future__ import annotations

import io
from typing import Any

from espnow.api.base import buffer_bytes

__all__ = ["BufferedWriter", "BytesIO", "IOBase", "StringIO", "read_all"]

_CHUNK = 256


class IOBase:
    """What streams of a program are derived from."""

    def __init__(self, *_arguments: Any, **_more: Any) -> None:
        pass


class BytesIO(io.BytesIO):
    """Bytes in memory as a stream."""

    def __init__(self, initial: Any = b"", /) -> None:
        """Make a stream.

        Args:
            initial: what it begins with, a buffer or str; or a number of bytes to have ready.
        """
        super().__init__(b"" if isinstance(initial, int) else buffer_bytes(initial))

    def write(self, buf: Any, /, *part: int) -> int:
        """Write a buffer or str, and return how many bytes.

        Args:
            buf: what to write.
            *part: how many bytes of it, after where they begin, if that is given too.
        """
        return super().write(_part(buffer_bytes(buf), part))

    def __repr__(self) -> str:
        return "<io.BytesIO>"


class StringIO(io.StringIO):
    """Text in memory as a stream."""

    def __init__(self, initial: Any = "", /) -> None:
        """Make a stream.

        Args:
            initial: what it begins with, a str or a buffer of UTF-8; or a number of bytes to have ready.
        """
        super().__init__("" if isinstance(initial, int) else _str(initial))

    def write(self, text: Any, /) -> int:
        """Write a str or a buffer of UTF-8, and return how many characters."""
        return super().write(_str(text))

    def __repr__(self) -> str:
        return "<io.StringIO>"


class BufferedWriter:
    """Collects what is written, and passes it on in pieces of one size."""

    def __init__(self, stream: Any, size: int, /) -> None:
        """Make a writer of pieces of `size` bytes into `stream`."""
        self._stream = stream
        self._size = size
        self._waiting = bytearray()

    def write(self, buf: Any, /) -> int:
        """Take a buffer or str, and return how many bytes."""
        new = buffer_bytes(buf)
        waiting = self._waiting
        waiting += new
        while len(waiting) >= self._size:
            self._stream.write(bytes(waiting[: self._size]))
            del waiting[: self._size]
        return len(new)

    def flush(self) -> None:
        """Pass on what is left."""
        if self._waiting:
            self._stream.write(bytes(self._waiting))
            self._waiting.clear()


def _part(raw: bytes, part: tuple[int, ...]) -> bytes:
    """Return so many bytes of `raw` as the further arguments of a ``write`` say."""
    if not part:
        return raw
    offset, length = (0, part[0]) if len(part) == 1 else part
    return raw[offset : offset + length]


def _str(value: Any) -> str:
    return value if isinstance(value, str) else buffer_bytes(value).decode("utf-8", "replace")


def read_all(stream: Any) -> str | bytes:
    """Return the rest of a stream; one that has nothing more for now counts as ended."""
    read = getattr(stream, "read", None)
    if read is not None:
        found_at_once: str | bytes = read() or b""
        return found_at_once
    found = bytearray()
    buffer = bytearray(_CHUNK)
    while length := stream.readinto(buffer):
        found += buffer[:length]
    return bytes(found)

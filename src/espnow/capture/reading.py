"""Reading capture files, pcap and pcapng, from disk or from a pipe.

Rules:

- Gives out packets as they come: what a pipe has delivered is not held back until a buffer is full.
- Closes what it opened itself, and nothing else.
- A damaged file first gives all that stands before the damage, then FrameError. OSError is passed on as it is.
- Memory does not grow with the file.

The formats are `espnow.frame.captures`'s.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Literal, Protocol, Self

from espnow.frame.captures import CaptureParser, Interface, Record

__all__ = ["CaptureReader", "read"]

# Measured: larger pieces are slower, as their packets leave the processor's cache.
_PIECE = 1 << 16


class BinarySource(Protocol):
    """What the reader needs of a file that is open already; `read1` is preferred where it has one."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


class CaptureReader:
    """Reads one capture file, once.

    Iterating gives its packets. As a context manager it closes itself.
    """

    __slots__ = ("_close", "_parser", "_position", "_read")

    def __init__(self, file: str | os.PathLike[str] | BinarySource) -> None:
        """Open the file.

        Args:
            file: its path, or a file that is open for reading bytes, blocking, and stays open.

        Raises:
            OSError: it cannot be opened.
        """
        self._parser = CaptureParser()
        self._position = 0
        self._close: Callable[[], object] | None = None
        self._read: Callable[[int], bytes]
        if isinstance(file, (str, os.PathLike)):
            opened = io.FileIO(file)
            self._read = opened.read
            self._close = opened.close
        else:
            self._read = getattr(file, "read1", None) or file.read

    @property
    def position(self) -> int:
        """How many bytes of the file were read."""
        return self._position

    @property
    def format(self) -> Literal["pcap", "pcapng"] | None:
        """What the file is, or None before its first bytes were read."""
        return self._parser.format

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces that were described so far."""
        return tuple(self._parser.interfaces)

    @property
    def packets(self) -> int:
        """How many packets were found, some of which may be given out yet."""
        return self._parser.packets

    @property
    def bad_blocks(self) -> int:
        """How many packets or interfaces made no sense and were left out."""
        return self._parser.bad_blocks

    @property
    def skipped_blocks(self) -> int:
        """How many blocks of other kinds there were."""
        return self._parser.skipped_blocks

    @property
    def problem(self) -> str | None:
        """Why the file could not be read to its end, or None."""
        return self._parser.problem

    def __iter__(self) -> Iterator[Record]:
        """Give the packets of the file, in its order.

        Raises:
            FrameError: after the last packet that could be read, if the file is damaged or no capture.
            OSError: reading failed.
        """
        parser = self._parser
        while piece := self._read(_PIECE):
            self._position += len(piece)
            yield from parser.feed(piece)
            if parser.problem is not None:
                break
        parser.finish()

    def close(self) -> None:
        """Close the file if the reader opened it; a second call does nothing."""
        if self._close is not None:
            self._close()

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def read(file: str | os.PathLike[str] | BinarySource) -> Iterator[Record]:
    """Give the packets of a capture file.

    Args:
        file: its path, opened by the first packet that is asked for and closed after the last; or a file that is open
            for reading bytes.

    Raises:
        FrameError: after the last packet that could be read, if the file is damaged or no capture.
        OSError: it cannot be opened or read.
    """
    with CaptureReader(file) as reader:
        yield from reader

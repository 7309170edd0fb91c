"""`sys` of a board, as https://docs.micropython.org/en/latest/library/sys.html describes it.

Its streams are the board's console. ``stdin`` gives text, ``stdin.buffer`` bytes, both from one buffer; reading waits
in the board's time until what it asks for was typed: a line, or so many characters. At the end of the input reads
return what is left, then nothing. Every stream can be polled.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Generic, NoReturn, TypeVar

from espnow.board import Board
from espnow.micropython.builtins import PRINT_COST_US
from espnow.micropython.select import POLLIN, POLLOUT
from espnow.micropython.services import Services

__all__ = ["VERSION", "InputStream", "OutputStream", "build", "stdin_of"]

#: The MicroPython that a board claims to be.
VERSION = (1, 28, 0, "")

#: ``sys.implementation._mpy``: bytecode version 6.3 with the native architecture xtensawin (ESP32) or xtensa (ESP8266).
_MPY = 10 << 10 | 3 << 8 | 6
_MPY_ESP8266 = 9 << 10 | 3 << 8 | 6

_Line = TypeVar("_Line", str, bytes)


class Implementation(tuple[Any, ...]):
    """``sys.implementation``: a tuple whose fields have names."""

    __slots__ = ()
    _names = ("name", "version", "_machine", "_mpy")

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            return self[self._names.index(name)]
        raise AttributeError(f"'implementation' object has no attribute '{name}'")

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in zip(self._names, self, strict=True))
        return f"({fields})"


class _Lines(Generic[_Line]):
    """A stream that is iterated line by line."""

    def readline(self, size: int = -1, /) -> _Line:
        """Return a line, an empty one at the end."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[_Line]:
        return self

    def __next__(self) -> _Line:
        line = self.readline()
        if not line:
            raise StopIteration
        return line


class InputStream(_Lines[str]):
    """``sys.stdin`` of one board.

    Attributes:
        buffer: the same input as bytes.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._text = ""
        self.buffer = InputBytes(self)

    def _next(self, *, parts: bool) -> str:
        """Wait for a line, or with `parts` for what there is of one; "" at the end of the input."""
        board = self._board
        console = board.console
        board.look()
        while True:
            if parts and (part := console.read_part()):
                return part
            line = console.read_line()
            if line is not None:
                return line
            board.wait(lambda: console.has_input() or (parts and console.has_part()))

    def _take(self, count: int) -> str:
        taken, self._text = self._text[:count], self._text[count:]
        return taken

    def readline(self, size: int = -1, /) -> str:
        """Wait for a line and return it with its newline, or its first `size` characters."""
        while "\n" not in self._text and (size < 0 or len(self._text) < size):
            line = self._next(parts=size >= 0)
            if not line:
                break
            self._text += line
        length = self._text.find("\n") + 1 or len(self._text)
        return self._take(length if size < 0 else min(size, length))

    def read(self, size: int | None = -1, /) -> str:
        """Wait for `size` characters and return them, or all up to the end of the input."""
        endless = size is None or size < 0
        while endless or len(self._text) < size:  # type: ignore[operator]
            text = self._next(parts=not endless)
            if not text:
                break
            self._text += text
        return self._take(len(self._text) if endless else size)  # type: ignore[arg-type]

    def readlines(self) -> list[str]:
        """Return all lines up to the end of the input."""
        return list(self)

    def poll_events(self, mask: int) -> int:
        """Return which of the `select` events in `mask` hold: POLLIN with input, POLLOUT always."""
        events = POLLOUT
        console = self._board.console
        if self._text or console.has_input() or console.has_part():
            events |= POLLIN
        return events & mask

    def isatty(self) -> bool:
        """Return True: it is a console."""
        return True

    def write(self, text: Any, /) -> int:
        """Write to the console: on a board both directions are one stream."""
        return _write(self._board, text)

    def close(self) -> None:
        """Do nothing."""


class InputBytes(_Lines[bytes]):
    """``sys.stdin.buffer``: the input of an `InputStream` as UTF-8."""

    def __init__(self, stream: InputStream) -> None:
        self._stream = stream
        self._rest = b""

    def _take(self, count: int) -> bytes:
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def read(self, size: int | None = -1, /) -> bytes:
        """Wait for `size` bytes and return them, or all up to the end of the input."""
        if size is None or size < 0:
            return self._take(len(self._rest)) + self._stream.read().encode()
        while len(self._rest) < size:
            character = self._stream.read(1)
            if not character:
                break
            self._rest += character.encode()
        return self._take(size)

    def readline(self, size: int = -1, /) -> bytes:
        """Wait for a line and return it, or its first `size` bytes."""
        if b"\n" not in self._rest:
            self._rest += self._stream.readline().encode()
        length = self._rest.find(b"\n") + 1 or len(self._rest)
        return self._take(length if size < 0 else min(size, length))

    def readinto(self, buffer: Any, size: int = -1, /) -> int:
        """Fill a buffer, or its first `size` bytes, and return how many were read."""
        view = memoryview(buffer).cast("B")
        wanted = len(view) if size < 0 else min(size, len(view))
        read = self.read(wanted)
        view[: len(read)] = read
        return len(read)

    def poll_events(self, mask: int) -> int:
        """Return which of the `select` events in `mask` hold."""
        return self._stream.poll_events(mask) | (mask & POLLIN if self._rest else 0)

    def close(self) -> None:
        """Do nothing."""


class OutputStream:
    """``sys.stdout`` or ``sys.stderr`` of one board.

    Attributes:
        buffer: the same stream: it takes bytes as well as text.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self.buffer = self

    def write(self, text: Any, /) -> int:
        """Print text, or bytes as UTF-8, and return how much of it."""
        return _write(self._board, text)

    def flush(self) -> None:
        """Do nothing: what is written is out."""

    def isatty(self) -> bool:
        """Return True: it is a console."""
        return True

    def poll_events(self, mask: int) -> int:
        """Return POLLOUT if `mask` asks for it."""
        return mask & POLLOUT

    def close(self) -> None:
        """Do nothing."""


def _write(board: Board, text: Any) -> int:
    if isinstance(text, str):
        shown = text
    else:
        try:
            shown = bytes(memoryview(text)).decode("utf-8", "replace")
        except TypeError:
            raise TypeError("object with buffer protocol required") from None
    board.console.write(shown)
    board.cpu.spend(PRINT_COST_US)
    if board.has_callbacks:
        board.run_callbacks()
    return len(text)


def stdin_of(board: Board, services: Services) -> InputStream:
    """Return the board's ``sys.stdin``, or, where the program has not imported `sys`, a fresh one."""
    module = services.modules.get("sys")
    stream = getattr(module, "stdin", None)
    return stream if isinstance(stream, InputStream) else InputStream(board)


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `sys` of `board`."""
    profile = board.profile
    release = ".".join(str(part) for part in VERSION[:3])

    def exit(code: object = None, /) -> NoReturn:
        """End the program.

        Raises:
            SystemExit: always.
        """
        raise SystemExit(code)

    def print_exception(error: BaseException, file: Any = None, /) -> None:
        """Print an exception with its traceback on the console, or into a stream."""
        if file is None or isinstance(file, OutputStream):
            board.console.exception(error)
        else:
            file.write("".join(traceback.format_exception(error)))

    module = ModuleType("sys", "The system of this board.")
    vars(module).update(
        argv=services.argv,
        byteorder="little",
        exit=exit,
        implementation=Implementation(
            ("micropython", VERSION, profile.machine, _MPY_ESP8266 if profile.esp8266 else _MPY)
        ),
        maxsize=2**31 - 1,
        modules=services.modules,
        path=["", ".frozen", "/lib"],
        platform=profile.platform,
        print_exception=print_exception,
        stderr=OutputStream(board),
        stdin=InputStream(board),
        stdout=OutputStream(board),
        version=f"3.4.0; MicroPython v{release}",
        version_info=(3, 4, 0),
    )
    return module

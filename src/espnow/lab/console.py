"""A board's serial port in the lab: what it printed is kept and shown, what is typed is read.

What a program prints may hold bytes that came by air, so what goes to a person's terminal is `for_terminal`'s.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Protocol

from espnow.lab.program import format_error

__all__ = ["InputSource", "LabConsole", "for_terminal"]

# C0 and C1 controls but newline and tab; a carriage return may only stand at the end of a line.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n|\\Z)")

_LINE_END = re.compile("\r\n|\r|\n")

# How Python shows an object that has no text of its own; a board's addresses have 8 digits, so its own are left alone.
_ADDRESS = re.compile("(<(?:[A-Za-z_][\\w.]*\\.)?([A-Za-z_]\\w*) object)? at 0x([0-9a-f]{9,16})>")

#: Where the objects lie that a board's program has shown, in the order in which they were.
_FIRST_ADDRESS = 0x3FFE_4000
_ADDRESS_STEP = 0x20


def for_terminal(text: str) -> str:
    """Return text in which nothing can move a cursor or change a terminal: controls appear escaped."""
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class InputSource(Protocol):
    """Where lines come from when a program reads and nothing was typed at its board."""

    def read_line(self, console: LabConsole) -> str | None:
        """Return a line, "" at the end, or None: then `console.wake` is called when there is one."""

    def has_input(self, console: LabConsole) -> bool:
        """Whether `read_line` would return something now; if not, `console.wake` is called when it would."""

    def read_part(self, console: LabConsole) -> str:
        """Return what there is of a line that has not ended; "" also where lines come whole."""

    def has_part(self, console: LabConsole) -> bool:
        """Whether `read_part` would return something now."""


class LabConsole:
    """The console of one lab board (`espnow.board.Console`).

    Attributes:
        text: everything printed, in pieces; joined by `output`.
        sink: called with each piece as it is printed, or None.
        error_sink: called with each traceback; by default it is printed like anything else.
        wake: wakes the program that waits for input; set by the board.
        source: where input comes from when nothing was typed, or None.
        muted: what is printed goes nowhere.
    """

    def __init__(self, record: bool = True) -> None:
        self.text: list[str] = []
        self.sink: Callable[[str], None] | None = None
        self.error_sink: Callable[[str], None] | None = None
        self.wake: Callable[[], None] = _nothing
        self.source: InputSource | None = None
        self.muted = False
        self._record = record
        self._lines: deque[str] = deque()
        self._part = ""
        self._addresses: dict[str, int] = {}
        self._after_return = False  # typed last: a newline then belongs to the line that it ended
        self._closed = False

    @property
    def output(self) -> str:
        """Everything that was printed."""
        if len(self.text) > 1:
            self.text[:] = ["".join(self.text)]
        return self.text[0] if self.text else ""

    def write(self, text: str) -> None:
        """Take printed text (`espnow.board.Console`)."""
        if self.muted:
            return
        if " at 0x" in text:
            text = self._with_addresses(text)
        if self._record:
            self.text.append(text)
        if self.sink is not None:
            self.sink(text)

    def exception(self, error: BaseException) -> None:
        """Print a program's exception, with its own lines of the traceback."""
        if self.muted:
            return
        text = self._with_addresses(format_error(error))
        if self.error_sink is None:
            self.write(text)
            return
        if self._record:
            self.text.append(text)
        self.error_sink(text)

    def _with_addresses(self, text: str) -> str:
        """Return text with a board's addresses for the computer's, which differ from run to run."""

        def shown(match: re.Match[str]) -> str:
            address = self._addresses.setdefault(match[3], _FIRST_ADDRESS + _ADDRESS_STEP * len(self._addresses))
            # MicroPython names the class alone, and writes 0x for functions only.
            return f"<{match[2]} object at {address:08x}>" if match[1] else f" at 0x{address:08x}>"

        return _ADDRESS.sub(shown, text)

    def type(self, text: str) -> None:
        """Type text at this board; a carriage return ends a line as a newline does.

        A program that reads lines gets it line by line, and one that reads characters gets each at once.

        Raises:
            ValueError: the input was closed.
        """
        if self._closed:
            raise ValueError("the input of this board was closed")
        if text:
            after_return, self._after_return = self._after_return, text[-1] == "\r"
            if after_return and text[0] == "\n":
                text = text[1:]
        *lines, self._part = _LINE_END.split(self._part + text)
        self._lines.extend(line + "\n" for line in lines)
        self.wake()

    def close(self) -> None:
        """End the input: what was typed can still be read, then comes the end."""
        self._closed = True
        if self._part:
            self._lines.append(self._part)
            self._part = ""
        self.wake()

    def read_line(self) -> str | None:
        """Return the next line (`espnow.board.Console`)."""
        if self._lines:
            return self._lines.popleft()
        if self.source is not None:
            return self.source.read_line(self)
        return "" if self._closed else None

    def has_input(self) -> bool:
        """Whether `read_line` would return something now."""
        if self._lines or self._closed:
            return True
        return self.source is not None and self.source.has_input(self)

    def read_part(self) -> str:
        """Return what was typed of a line that has not ended yet (`espnow.board.Console`)."""
        if self._lines:
            return ""
        part, self._part = self._part, ""
        return self.source.read_part(self) if not part and self.source is not None else part

    def has_part(self) -> bool:
        """Whether `read_part` would return something now."""
        if self._lines:
            return False
        return bool(self._part) or (self.source is not None and self.source.has_part(self))


def _nothing() -> None:
    pass

"""What several commands print alike: a progress bar, a table, a count."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Sequence

__all__ = ["NO_ROOM", "Progress", "counted", "table"]

#: What the system says when there is no room for the output.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_WIDTH = 30
_AFTER_S = 1.0
_EVERY_S = 0.1


class Progress:
    """A progress bar on standard error, once something takes more than a second; none if that is no terminal."""

    def __init__(self) -> None:
        self._begin_s = time.monotonic()
        self._next_s = self._begin_s + _AFTER_S if sys.stderr.isatty() else float("inf")
        self._shown = 0

    def show(self, done: float | None, text: str) -> None:
        """Draw it anew, if it is time for that.

        Args:
            done: how much is done, 0..1, or None when nobody knows.
            text: what stands beside it.
        """
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _EVERY_S
        bar = ""
        if done is not None:
            filled = int(min(done, 1.0) * _WIDTH)
            left_s = (now_s - self._begin_s) * (1 - done) / done if done > 0 else 0.0
            bar = f"[{'#' * filled:<{_WIDTH}}] "
            text += f", {left_s:.0f} s left"
        line = f"{bar}{text}"[:78]
        print(f"\r{line:<{self._shown}}", end="", file=sys.stderr, flush=True)
        self._shown = len(line)

    def clear(self) -> None:
        """Take the bar away."""
        if self._shown:
            print("\r" + " " * self._shown + "\r", end="", file=sys.stderr, flush=True)
            self._shown = 0


def table(rows: Sequence[Sequence[str]], right: Sequence[int]) -> list[str]:
    """Return the lines of a table.

    Args:
        rows: cells; the first row is the head.
        right: columns that are set flush right.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def counted(number: int, what: str) -> str:
    """Return how many there are of something."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"

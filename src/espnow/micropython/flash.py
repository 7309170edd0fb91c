"""A board's files."""

from __future__ import annotations

from pathlib import Path

__all__ = ["Flash"]


class Flash:
    """The flash of one board: what is written stays in memory, above a folder of the computer that is only read."""

    def __init__(self, base: Path | None = None, *, folder: Path | None = None) -> None:
        """Make a flash.

        Args:
            base: a folder whose files it begins with; never written.
            folder: a folder of the computer that is the flash itself, and is written.
        """
        self.base = base
        self.folder = folder

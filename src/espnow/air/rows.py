"""Where the rows of neighbours stand in a kernel's arrays while stations come, move and change their power.

Rules:

- A row that is replaced gets another place, since a frame on the air still needs the one that it began with. Its old
  place is used again when that frame is over.
- Places have a few sizes, each twice the last, so that what one row leaves fits another.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["RowPlaces"]

_LEAST = 8


class RowPlaces:
    """The places of rows.

    Attributes:
        end: behind the last place.
    """

    def __init__(self, is_sending: Callable[[int], bool]) -> None:
        """Make none.

        Args:
            is_sending: whether a station has a frame on the air.
        """
        self.end = 0
        self._is_sending = is_sending
        self._of: dict[int, tuple[int, int]] = {}
        self._free: dict[int, list[int]] = {}
        self._left: list[tuple[int, int, int]] = []

    def give(self, station: int, length: int) -> int:
        """Return a place for a new row of a station, and take the old one back."""
        size = _LEAST
        while size < length:
            size *= 2
        old = self._of.get(station)
        if old is not None:
            self._left.append((station, *old))
        self._take_back()
        free = self._free.get(size)
        if free:
            at = free.pop()
        else:
            at = self.end
            self.end += size
        self._of[station] = at, size
        return at

    def _take_back(self) -> None:
        """Use again what no frame on the air needs."""
        still = []
        for station, at, size in self._left:
            if self._is_sending(station):
                still.append((station, at, size))
            else:
                self._free.setdefault(size, []).append(at)
        self._left = still

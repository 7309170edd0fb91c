"""Which walls a straight way may pass: they stand in squares, and only those of the squares on the way are looked at.

Rules: it finds every wall that crosses the way, and some that do not; whether one does is its caller's to see. It knows
ends of walls, and nothing of what they take.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeAlias

__all__ = ["WallGrid"]

_Point: TypeAlias = tuple[float, float]

#: Rounding moves a way by less than this share of a square.
_MARGIN = 1e-6

#: With fewer walls looking at each is faster.
_FEW = 8


class WallGrid:
    """Walls by the squares of the ground that they stand in."""

    __slots__ = ("_all", "_corner", "_side", "_squares")

    def __init__(self, walls: Sequence[tuple[_Point, _Point]]) -> None:
        """Sort walls into squares.

        Args:
            walls: both ends of each.
        """
        self._all = range(len(walls))
        self._squares: dict[tuple[int, int], list[int]] = {}
        self._corner, self._side = (0.0, 0.0), 1.0
        if len(walls) < _FEW:
            return
        east = [end[0] for wall in walls for end in wall]
        north = [end[1] for wall in walls for end in wall]
        self._corner = min(east), min(north)
        extent = max(max(east) - min(east), max(north) - min(north))
        self._side = max(extent / math.sqrt(len(walls)), 1e-6)
        squares: dict[tuple[int, int], list[int]] = defaultdict(list)
        for number, (begin, end) in enumerate(walls):
            for square in self._on_the_way(begin, end):
                squares[square].append(number)
        self._squares = dict(squares)

    def near(self, a: _Point, b: _Point) -> Sequence[int]:
        """Return the numbers of all walls that the way from a to b can pass, in ascending order."""
        if not self._squares:
            return self._all
        found: set[int] = set()
        squares = self._squares
        for square in self._on_the_way(a, b):
            if square in squares:
                found.update(squares[square])
        return sorted(found)

    def _on_the_way(self, a: _Point, b: _Point) -> Iterator[tuple[int, int]]:
        """Return the squares that a straight way touches, column after column, in which there may be walls."""
        (left, bottom), side = self._corner, self._side
        if a[0] > b[0]:
            a, b = b, a
        x1, y1, x2, y2 = (a[0] - left) / side, (a[1] - bottom) / side, (b[0] - left) / side, (b[1] - bottom) / side
        most = math.isqrt(len(self._all)) + 2
        slope = (y2 - y1) / (x2 - x1) if x2 - x1 > _MARGIN else math.inf
        low, high = min(y1, y2), max(y1, y2)
        for column in range(max(math.floor(x1 - _MARGIN), -1), min(math.floor(x2 + _MARGIN), most) + 1):
            begin, end = low, high
            if slope < math.inf:
                enter, leave = y1 + slope * (column - _MARGIN - x1), y1 + slope * (column + 1 + _MARGIN - x1)
                begin, end = max(low, min(enter, leave)), min(high, max(enter, leave))
            for row in range(max(math.floor(begin - _MARGIN), -1), min(math.floor(end + _MARGIN), most) + 1):
                yield column, row

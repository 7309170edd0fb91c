"""Where stations stand, and who is near a place: a grid that they can be moved in."""

from __future__ import annotations

import math

from espnow.air.propagation import Position

__all__ = ["Ground"]


class Ground:
    """Stations by their numbers, in cells."""

    def __init__(self, cell_m: float) -> None:
        """Make it empty.

        Args:
            cell_m: width of a cell, about as far as is looked from a place.
        """
        self._cell_m = max(1.0, cell_m)
        self._cells: dict[tuple[int, int], list[int]] = {}
        self._positions: dict[int, Position] = {}

    def put(self, number: int, position: Position) -> None:
        """Let a station stand somewhere, or somewhere else."""
        old = self._positions.get(number)
        if old is not None:
            cell = self._cell(old)
            self._cells[cell].remove(number)
            if not self._cells[cell]:
                del self._cells[cell]
        self._positions[number] = position
        self._cells.setdefault(self._cell(position), []).append(number)

    def near(self, position: Position, reach_m: float) -> list[int]:
        """Return who is within reach of a place, in the order of their numbers."""
        x, y = position
        cells = self._cells
        positions = self._positions
        if not math.isfinite(reach_m):
            return sorted(positions)
        west, south = self._cell((x - reach_m, y - reach_m))
        east, north = self._cell((x + reach_m, y + reach_m))
        if (east - west + 1) * (north - south + 1) > len(cells):
            candidates = list(positions)
        else:
            candidates = [
                number
                for column in range(west, east + 1)
                for line in range(south, north + 1)
                for number in cells.get((column, line), ())
            ]
        return sorted(number for number in candidates if math.dist(position, positions[number]) <= reach_m)

    def _cell(self, position: Position) -> tuple[int, int]:
        return math.floor(position[0] / self._cell_m), math.floor(position[1] / self._cell_m)

"""Who gets whose signal, found by a grid.

Rules:

- The cost grows with the neighbours that there are, and with how many are within the model's reach: never with the
  square of the stations.
- A pair is computed once, and both directions have the same loss, but for a table that gives two.
- Flat arrays of numbers: a hundred thousand stations with fifty neighbours are five million entries.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import TypeAlias

from espnow.air.propagation import HEIGHT_M, FreeSpace, LogDistance, Position, Propagation, Site

__all__ = ["METRES_A_MICROSECOND", "Row", "neighbour_rows"]

METRES_A_MICROSECOND = 299.792458

#: The others' numbers, the part of a station's power that they get, and when, in microseconds.
Row: TypeAlias = "tuple[array[int], array[float], array[int]]"

#: A cell is half as wide as the reach: fewer are looked at in vain than with cells as wide as it.
_CELLS_A_REACH = 2


def neighbour_rows(
    positions: Sequence[Position],
    powers_dbm: Sequence[float],
    propagation: Propagation,
    floor_dbm: float,
    *,
    heights_m: Sequence[float] | None = None,
    antennas_dbi: Sequence[float] | None = None,
) -> list[Row]:
    """Return for each station everybody who gets its signal with `floor_dbm` or more, by their numbers.

    Gains are linear, of both antennas less the loss; delays are rounded to whole microseconds.

    Args:
        positions: where the stations are; a station's number is its place here.
        powers_dbm: what they send with.
        propagation: what is lost on the way.
        floor_dbm: weaker signals are left out.
        heights_m: of the antennas; None: `HEIGHT_M` for all.
        antennas_dbi: gain of the antennas; None: 0 for all.
    """
    count = len(positions)
    heights_m = heights_m if heights_m is not None else [HEIGHT_M] * count
    antennas_dbi = antennas_dbi if antennas_dbi is not None else [0.0] * count
    rows: list[Row] = [(array("i"), array("d"), array("i")) for _ in range(count)]
    if not count:
        return rows
    budget_db = max(map(sum, zip(powers_dbm, antennas_dbi, strict=True))) + max(antennas_dbi) - floor_dbm
    reach_m = propagation.reach_m(budget_db, max(heights_m))
    loss = _losses(positions, heights_m, propagation)
    cell_m = max(1.0, reach_m / _CELLS_A_REACH)
    cells: dict[tuple[int, int], list[int]] = {}
    where = [(math.floor(x / cell_m), math.floor(y / cell_m)) for x, y in positions]
    for number, cell in enumerate(where):
        cells.setdefault(cell, []).append(number)
    around = _around(reach_m / cell_m)
    # A hair more than the reach, which has been rounded: the signal itself decides.
    square_m = reach_m * reach_m * (1 + 1e-9)
    for i, (x, y) in enumerate(positions):
        column, line = where[i]
        found = []
        if reach_m > 0:
            # Those with a higher number; the others have found this one already.
            for east, north in around:
                for j in cells.get((column + east, line + north), ()):
                    if j > i:
                        there = positions[j]
                        if (there[0] - x) ** 2 + (there[1] - y) ** 2 <= square_m:
                            found.append(j)
        partners = propagation.partners(i)
        if partners:
            found = list({*found, *(j for j in partners if i < j < count)})
        found.sort()
        own = rows[i]
        antenna_dbi = antennas_dbi[i]
        least_db = floor_dbm - powers_dbm[i]
        for j, (there_db, back_db) in zip(found, loss(i, found), strict=True):
            gains_db = antenna_dbi + antennas_dbi[j]
            us = -1
            if gains_db - there_db >= least_db:
                us = round(math.dist((x, y), positions[j]) / METRES_A_MICROSECOND)
                gain = 10 ** ((gains_db - there_db) / 10)
                own[0].append(j)
                own[1].append(gain)
                own[2].append(us)
            if gains_db - back_db >= floor_dbm - powers_dbm[j]:
                if us < 0 or back_db != there_db:
                    us = round(math.dist((x, y), positions[j]) / METRES_A_MICROSECOND)
                    gain = 10 ** ((gains_db - back_db) / 10)
                other = rows[j]
                other[0].append(i)
                other[1].append(gain)
                other[2].append(us)
    return rows


_Losses: TypeAlias = Callable[[int, Sequence[int]], Sequence[tuple[float, float]]]


def _losses(positions: Sequence[Position], heights_m: Sequence[float], propagation: Propagation) -> _Losses:
    """Return a function that returns the losses from a station to others and back."""
    level = min(heights_m) == max(heights_m)
    if (isinstance(propagation, LogDistance) and propagation.range_m is None) or (
        isinstance(propagation, FreeSpace) and level
    ):  # by distance alone, and so without a place for each station
        loss_db = propagation.loss_db

        def by_distance(i: int, others: Sequence[int]) -> list[tuple[float, float]]:
            found = map(loss_db, map(math.dist, repeat(positions[i]), map(positions.__getitem__, others)))
            return [(one, one) for one in found]

        return by_distance
    sites = [Site(number, *rest) for number, rest in enumerate(zip(positions, heights_m, strict=True))]
    between_db = propagation.between_db

    def by_site(i: int, others: Sequence[int]) -> list[tuple[float, float]]:
        here = sites[i]
        twoways = set(propagation.partners(i))
        losses = []
        for j in others:
            there_db = between_db(here, sites[j])
            losses.append((there_db, between_db(sites[j], here) if j in twoways else there_db))
        return losses

    return by_site


def _around(cells: float) -> list[tuple[int, int]]:
    """Return the cells, from a station's own, of which a part is within reach, itself among them."""
    most = math.ceil(cells)
    steps = range(-most, most + 1)
    # The nearest points of two cells are one cell nearer than the cells are, in either direction.
    return [
        (east, north)
        for east in steps
        for north in steps
        if max(0, abs(east) - 1) ** 2 + max(0, abs(north) - 1) ** 2 <= cells * cells
    ]

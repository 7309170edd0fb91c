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
from collections.abc import Callable, Iterator, Sequence
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
    # What a signal may lose on its way from each station, without the antennas.
    spare_db = [power_dbm - floor_dbm for power_dbm in powers_dbm]
    budget_db = max(map(sum, zip(spare_db, antennas_dbi, strict=True))) + max(antennas_dbi)
    # A hair more than the reach, which has been rounded: the signal itself decides.
    reach_m = propagation.reach_m(budget_db, max(heights_m)) * (1 + 1e-9)
    pairs = _pairs(positions, reach_m, propagation)
    loss_db = _by_distance(propagation, heights_m)
    sites = [] if loss_db else [Site(i, *rest) for i, rest in enumerate(zip(positions, heights_m, strict=True))]
    for i, found in enumerate(pairs):
        own_others, own_gains, own_delays = rows[i]
        antenna_dbi, own_spare_db = antennas_dbi[i], spare_db[i]
        partners = propagation.partners(i)
        for j, distance_m in found:
            there_db = loss_db(distance_m) if loss_db else propagation.between_db(sites[i], sites[j])
            gain_db = antenna_dbi + antennas_dbi[j] - there_db
            gain = 10 ** (gain_db / 10)
            us = round(distance_m / METRES_A_MICROSECOND)
            if own_spare_db + gain_db >= 0:
                own_others.append(j)
                own_gains.append(gain)
                own_delays.append(us)
            if j in partners:
                back_db = propagation.between_db(sites[j], sites[i])
                gain_db = antenna_dbi + antennas_dbi[j] - back_db
                gain = 10 ** (gain_db / 10)
            if spare_db[j] + gain_db >= 0:
                others, gains, delays = rows[j]
                others.append(i)
                gains.append(gain)
                delays.append(us)
    return rows


def _by_distance(propagation: Propagation, heights_m: Sequence[float]) -> Callable[[float], float] | None:
    """Return the loss by distance where nothing else matters: no place is made for each station then."""
    if isinstance(propagation, LogDistance):
        return propagation.loss_db if propagation.range_m is None else None
    if isinstance(propagation, FreeSpace) and min(heights_m) == max(heights_m):
        return propagation.loss_db
    return None


def _pairs(
    positions: Sequence[Position], reach_m: float, propagation: Propagation
) -> Iterator[list[tuple[int, float]]]:
    """Yield for each station those with a higher number within reach, and partners, with their distances."""
    cell_m = max(1.0, reach_m / _CELLS_A_REACH)
    where = [(math.floor(x / cell_m), math.floor(y / cell_m)) for x, y in positions]
    cells: dict[tuple[int, int], list[int]] = {}
    for number in reversed(range(len(positions))):
        cells.setdefault(where[number], []).append(number)
    around = _around(reach_m / cell_m)
    dist = math.dist
    for i, here in enumerate(positions):
        column, line = where[i]
        # Stations leave as their turn comes, so that only those with a higher number are left.
        cells[column, line].pop()
        found = [
            (j, distance_m)
            for east, north in around
            for j in cells.get((column + east, line + north), ())
            if (distance_m := dist(here, positions[j])) <= reach_m
        ]
        partners = propagation.partners(i)
        if partners:
            known = {j for j, _ in found}
            found += [(j, dist(here, positions[j])) for j in partners if i < j < len(positions) and j not in known]
        found.sort()
        yield found


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

"""What changes in a plan while time passes: the ways of its stations, and losses that were measured."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from espnow.air.changes import read_loss_rows
from espnow.air.propagation import Position
from espnow.times import TimeTooLong
from espnow.tomlfile import Kind, read_number, read_path, read_time_us, shown

__all__ = ["LOSSES", "WAY", "LossLine", "WayPoint"]

#: An instant, and metres east and north of where a station stands.
WayPoint: TypeAlias = tuple[int, Position]

#: From when on, from whom, to whom, and how likely a frame is lost.
LossLine: TypeAlias = tuple[int, str, str, float]

_EXAMPLE = 'write a list of [time, east, north], as in [["0s", 0, 0], ["30s", 100, 0]]'


def _way(value: object, _folder: Path) -> tuple[WayPoint, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(_EXAMPLE)
    points: list[WayPoint] = []
    for number, point in enumerate(value):
        if not isinstance(point, list) or len(point) != 3:
            raise ValueError(f"point {number} is {shown(point)}: {_EXAMPLE}")
        try:
            at_us, place = read_time_us(point[0]), (read_number(point[1]), read_number(point[2]))
        except TimeTooLong as error:
            raise ValueError(f"point {number} is at {shown(point[0])}: {error}") from None
        except ValueError:
            raise ValueError(f"point {number} is {shown(point)}: {_EXAMPLE}") from None
        if points and at_us <= points[-1][0]:
            raise ValueError(f"point {number} is at {shown(point[0])}, and must be later than the one before")
        points.append((at_us, place))
    return tuple(points)


def _losses(value: object, folder: Path) -> tuple[LossLine, ...]:
    return tuple(read_loss_rows(read_path(value, folder), lambda row, column: row.values[column]))


WAY = Kind('points [time, east, north] in their order, as in [["0s", 0, 0], ["30s", 100, 0]]', _way)
LOSSES = Kind("the name of a CSV file of losses, time_s,from,to,loss", _losses)

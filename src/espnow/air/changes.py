"""What changes on an air while time passes: stations that are on their way, and losses that were measured.

Rules: values, and a file of them; whoever has the air applies them. Between two waypoints a station goes straight and
evenly. A loss holds from its time on, until the next one of the pair.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

from espnow.air.propagation import CsvRow, Position, csv_rows, is_place
from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.times import MOST_US

__all__ = ["LEAST_REPEAT_US", "Loss", "Way", "read_loss_rows", "read_losses"]

StationT = TypeVar("StationT", int, str)

LossRow: TypeAlias = tuple[int, StationT, StationT, float]

#: A station on its way is put elsewhere after so many metres, and at most so often.
STEP_M = 1.0
_LEAST_STEP_US = 10_000

#: A way that repeats takes so long at the least.
LEAST_REPEAT_US = _LEAST_STEP_US

_LATEST_S = 1e9


@dataclass(frozen=True, slots=True)
class Way:
    """Where a station is at which time.

    Attributes:
        points: instants in microseconds, each later than the last, and where it is then, metres east and north. Before
            the first it stands there, and after the last one.
        repeats: from the last point on it goes the whole way again, and is there where it is at the first.
    """

    points: Sequence[tuple[int, Position]]
    repeats: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError: there is no point, or instants are not in order or too far away, or a place is none."""
        if not self.points:
            raise ValueError("a way has at least one point")
        for (before_us, _), (at_us, _) in zip(self.points, self.points[1:], strict=False):
            if at_us <= before_us:
                raise ValueError(f"a way has a point at {before_us} us, and the next at {at_us} us: it must be later")
        if self.repeats and len(self.points) > 1 and self.points[-1][0] - self.points[0][0] < LEAST_REPEAT_US:
            raise ValueError(f"a way that repeats takes {LEAST_REPEAT_US} us or more")
        for _, position in self.points:
            if not is_place(position):
                raise ValueError(f"a way has a point at {position}, and must be within 1e9 m")
        for at_us in (self.points[0][0], self.points[-1][0]):
            if not -MOST_US < at_us < MOST_US:
                raise ValueError(f"a way has a point at {at_us} us, which is 285 years or more away")

    def position(self, at_us: int) -> Position:
        """Return where it is at an instant."""
        first_us, last_us = self.points[0][0], self.points[-1][0]
        if self.repeats and at_us > last_us > first_us:
            at_us = first_us + (at_us - first_us) % (last_us - first_us)
        index = bisect_right(self.points, at_us, key=_instant)
        if index == 0:
            return self.points[0][1]
        if index == len(self.points):
            return self.points[-1][1]
        (begin_us, (x, y)), (end_us, (to_x, to_y)) = self.points[index - 1], self.points[index]
        part = (at_us - begin_us) / (end_us - begin_us)
        return x + (to_x - x) * part, y + (to_y - y) * part

    def steps(self, from_us: int, until_us: int) -> Iterator[int]:
        """Yield the instants, later than one and up to another, at which it is a metre farther or begins to stand.

        Args:
            from_us: the first.
            until_us: the last.
        """
        first_us, last_us = self.points[0][0], self.points[-1][0]
        turns = max(0, (from_us - first_us) // (last_us - first_us) - 1) if self.repeats and last_us > first_us else 0
        while True:
            shift_us = turns * (last_us - first_us)
            for (begin_us, place), (end_us, to) in zip(self.points, self.points[1:], strict=False):
                yield from (
                    at_us
                    for at_us in _along(begin_us + shift_us, end_us + shift_us, math.dist(place, to), from_us)
                    if at_us <= until_us
                )
            if self.repeats and self.points[0][1] != self.points[-1][1]:  # it is at the first point again
                jump_us = last_us + shift_us + 1
                if from_us < jump_us <= until_us:
                    yield jump_us
            turns += 1
            if not self.repeats or last_us == first_us or last_us + shift_us >= until_us:
                return


def _along(begin_us: int, end_us: int, metres: float, from_us: int) -> Iterator[int]:
    """Yield the instants at which a straight way is another metre long, and its end."""
    if metres == 0.0 or end_us <= from_us:
        return
    step_us = max(_LEAST_STEP_US, math.ceil((end_us - begin_us) * STEP_M / metres))
    at_us = begin_us + step_us * max(1, (from_us - begin_us) // step_us + 1)
    while at_us < end_us:
        yield at_us
        at_us += step_us
    yield end_us


def _instant(point: tuple[int, Position]) -> int:
    return point[0]


class Loss(NamedTuple):
    """How likely a frame is lost from one station to another, from an instant on.

    Attributes:
        at_us: when it begins.
        sender: number of the sending station.
        receiver: number of the other one.
        probability: 0 to 1.
    """

    at_us: int
    sender: int
    receiver: int
    probability: float


def read_loss_rows(path: Path, station: Callable[[CsvRow, str], StationT]) -> list[LossRow[StationT]]:
    """Return what a CSV file with the columns time_s, from, to and loss says, in the order of the times.

    Args:
        path: of the file.
        station: returns what a row says of a station in one of the columns.

    Returns:
        When a loss begins in microseconds, sender, receiver, and how likely a frame is lost.

    Raises:
        UserError: the file cannot be read, or is no such file.
    """
    found = []
    for row in csv_rows(path, ("time_s", "from", "to", "loss")):
        sender, receiver = station(row, "from"), station(row, "to")
        if sender == receiver:
            raise row.error("to", "another station than in 'from'")
        at_us = round(row.number("time_s", 0, _LATEST_S) * 1e6)
        found.append((at_us, sender, receiver, row.number("loss", 0, 1)))
    return sorted(found)


def read_losses(path: str | Path, names: Mapping[str, int] | None = None) -> list[Loss]:
    """Return losses from a CSV file with the columns time_s, from, to and loss, in the order of their times.

    Args:
        path: of the file.
        names: number of a station by its name in the file; None: they are numbers there.

    Raises:
        UserError: the file cannot be read, or is no such file.
    """
    found = read_loss_rows(Path(path), lambda row, column: row.station(column, names))
    if not found:
        raise UserError(f"{printable(str(path))}: has no line with a loss")
    return [Loss(*one) for one in found]

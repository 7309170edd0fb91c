"""How much of a signal arrives, and how much a receiver needs.

Rules:

- A model says how many dB are lost between two places; power and antennas' gain are its caller's. It is values: the
  same places and numbers give the same loss, in both directions unless it is a table that says otherwise, and whatever
  stations there are besides.
- Whoever looks for neighbours asks `Propagation.reach_m` how far he must look, and `Propagation.partners` for whom he
  must not miss wherever they are.

The models, d in metres, all at 2.437 GHz (channel 6); within one metre a loss is that of one metre:

- `LogDistance`: free-space loss at 1 m (Friis), then 10 * exponent dB for each tenfold distance.
- `FreeSpace`: 20 log10(4 pi d / wavelength) (H. Friis, Proc. IRE 34(5), 1946).
- `TwoRayGround`: free space up to 4 pi h1 h2 / wavelength, then 40 log10(d) - 20 log10(h1 h2) (T. Rappaport, Wireless
  Communications, 2nd edition, 4.6); both give the same there. h are the antennas' heights.
- `Shadowing`: a normally distributed number of dB more or less than another model, one for each pair of stations.
- `Walls`: another model, and for each wall on the straight way what it takes (COST 231's multi-wall model, with losses
  by wall).
- `LinkTable`: what a file says of each pair.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from espnow.air.wallgrid import WallGrid
from espnow.errors import UserError
from espnow.frame import RATES
from espnow.frame.text import printable

__all__ = [
    "HEIGHT_M",
    "MOST_M",
    "is_place",
    "FreeSpace",
    "LinkTable",
    "LogDistance",
    "Position",
    "Propagation",
    "Shadowing",
    "Site",
    "TwoRayGround",
    "Wall",
    "CsvRow",
    "Walls",
    "csv_rows",
    "sensitivity_dbm",
]

#: Metres, east and north.
Position: TypeAlias = tuple[float, float]

#: 20 * log10(4 * pi * 1 m / wavelength) at 2.437 GHz.
FREE_SPACE_LOSS_1M_DB = 40.2

#: East and north, no place is farther from [0, 0]: a signal takes seconds there, which is no ESP-NOW any more.
MOST_M = 1e9


def is_place(position: Position) -> bool:
    """Return whether both parts are numbers within `MOST_M`."""
    return all(-MOST_M <= metres <= MOST_M for metres in position)


#: Of a station of which nothing is said, metres above the ground (assumed).
HEIGHT_M = 1.5

WAVELENGTH_M = 299.792458 / 2437

#: No loss is larger: a file that says more means something else.
_MOST_DB = 300.0

#: dBm that a receiver needs. 1 Mb/s: -97, an Espressif engineer for the ESP32's antenna port (esp32.com, topic 3096).
#: The others are assumed: the steps between rates that data sheets of such receivers show.
_SENSITIVITY_DBM = {
    250: -105.0,
    500: -102.0,
    1000: -97.0,
    2000: -95.0,
    5500: -93.0,
    11000: -89.0,
    6000: -92.0,
    9000: -91.0,
    12000: -90.0,
    18000: -88.0,
    24000: -85.0,
    36000: -81.0,
    48000: -77.0,
    54000: -75.0,
}
_HT_SENSITIVITY_DBM = (-92.0, -89.0, -87.0, -84.0, -80.0, -76.0, -74.0, -72.0)


def sensitivity_dbm(rate: int) -> float:
    """Return the weakest signal that a receiver decodes at a rate, in dBm.

    Args:
        rate: ``wifi_phy_rate_t`` number.
    """
    phy = RATES[rate]
    if phy.mcs is not None:
        return _HT_SENSITIVITY_DBM[phy.mcs]
    return _SENSITIVITY_DBM[phy.kbit_s]


class Site(NamedTuple):
    """Where a station's antenna is.

    Attributes:
        number: the station's.
        position: metres, east and north.
        height_m: above the ground.
    """

    number: int
    position: Position
    height_m: float = HEIGHT_M


@runtime_checkable
class Propagation(Protocol):
    """What a model can say."""

    def between_db(self, a: Site, b: Site) -> float:
        """Return the loss from one station to another; infinite if nothing arrives."""

    def reach_m(self, loss_db: float, tallest_m: float = HEIGHT_M) -> float:
        """Return a distance beyond which every loss is larger than `loss_db`, but for `partners`.

        Args:
            loss_db: what may be lost.
            tallest_m: no antenna is higher.
        """

    def partners(self, number: int) -> Sequence[int]:
        """Return the stations whose loss from and to this one has nothing to do with where they are."""


def _distance_m(a: Site, b: Site) -> float:
    return math.dist(a.position, b.position)


@dataclass(frozen=True, slots=True)
class LogDistance:
    """Log-distance path loss.

    Attributes:
        exponent: 2 is free space; 3, the default, a mix of sight and obstacles (assumed).
        range_m: nothing is heard farther away than this; None leaves it to the signal.
    """

    exponent: float = 3.0
    range_m: float | None = None

    def __post_init__(self) -> None:
        """Raises UserError: a number makes no sense."""
        if not 1 <= self.exponent <= 10:
            raise UserError(f"log-distance: exponent is {self.exponent!r}, and must be from 1 to 10")
        if self.range_m is not None and not 0 <= self.range_m < math.inf:
            raise UserError(f"log-distance: range_m is {self.range_m!r}, and must be 0 or more, or None")

    def loss_db(self, distance_m: float) -> float:
        """Return the loss over a distance; within one metre it is that of one metre."""
        return FREE_SPACE_LOSS_1M_DB + 10 * self.exponent * math.log10(max(1.0, distance_m))

    def between_db(self, a: Site, b: Site) -> float:
        """Return the loss from one station to another; infinite beyond `range_m`."""
        distance_m = _distance_m(a, b)
        if self.range_m is not None and distance_m > self.range_m:
            return math.inf
        return self.loss_db(distance_m)

    def reach_m(self, loss_db: float, tallest_m: float = HEIGHT_M) -> float:
        """Return how far away the loss is `loss_db`, or `range_m` if that is nearer; 0 if it is never so small."""
        excess_db = loss_db - FREE_SPACE_LOSS_1M_DB
        if excess_db < 0:
            return 0.0
        reach = float(10 ** (excess_db / (10 * self.exponent)))
        return reach if self.range_m is None else min(reach, self.range_m)

    def partners(self, number: int) -> Sequence[int]:
        """Return nobody."""
        return ()


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """Free-space loss."""

    def loss_db(self, distance_m: float) -> float:
        """Return the loss over a distance; within one metre it is that of one metre."""
        return 20 * math.log10(4 * math.pi * max(1.0, distance_m) / WAVELENGTH_M)

    def between_db(self, a: Site, b: Site) -> float:
        """Return the loss from one station to another, over the straight way between the antennas."""
        return self.loss_db(math.hypot(_distance_m(a, b), a.height_m - b.height_m))

    def reach_m(self, loss_db: float, tallest_m: float = HEIGHT_M) -> float:
        """Return how far away the loss is `loss_db`; 0 if it is never so small."""
        reach = float(10 ** (loss_db / 20)) * WAVELENGTH_M / (4 * math.pi)
        return reach if reach >= 1.0 else 0.0

    def partners(self, number: int) -> Sequence[int]:
        """Return nobody."""
        return ()


@dataclass(frozen=True, slots=True)
class TwoRayGround:
    """Free space near by, and far away a second way by the ground that takes from the first."""

    @staticmethod
    def crossover_m(one_m: float, other_m: float) -> float:
        """Return from where on the ground counts, for two antennas' heights."""
        # The product first, so that rounding is the same in both directions.
        return 4 * math.pi * (one_m * other_m) / WAVELENGTH_M

    def between_db(self, a: Site, b: Site) -> float:
        """Return the loss from one station to another; the distance is that along the ground."""
        distance_m = max(1.0, _distance_m(a, b))
        loss_db = FreeSpace().loss_db(distance_m)
        # Both lines cross there: the larger one is it on either side.
        beyond_m = self.crossover_m(a.height_m, b.height_m)
        return loss_db if distance_m <= beyond_m else loss_db + 20 * math.log10(distance_m / max(beyond_m, 1e-9))

    def reach_m(self, loss_db: float, tallest_m: float = HEIGHT_M) -> float:
        """Return how far away the loss is `loss_db` between the highest antennas; 0 if it is never so small."""
        reach = FreeSpace().reach_m(loss_db)
        beyond_m = self.crossover_m(tallest_m, tallest_m)
        return reach if reach <= beyond_m else max(1.0, math.sqrt(reach * beyond_m))

    def partners(self, number: int) -> Sequence[int]:
        """Return nobody."""
        return ()


_WORD = (1 << 64) - 1
_NORMAL = NormalDist()


def _mixed(value: int) -> int:
    """Return a number of 64 bits that looks like no other's neighbour (the finalizer of splitmix64)."""
    value = (value + 0x9E3779B97F4A7C15) & _WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _WORD
    return value ^ (value >> 31)


@lru_cache(maxsize=1024)
def _of_station(seed: int, number: int) -> int:
    """Return what all pairs have in common that begin with this station; a search asks for them in turn."""
    return _mixed(_mixed(seed) ^ number)


@dataclass(frozen=True, slots=True)
class Shadowing:
    """Log-normal shadowing on top of another model.

    A pair's number of dB comes from the seed and the two stations' numbers alone. It stays within `most` standard
    deviations, so that there is an end to where one must look: each one more lets a search look at several times as
    many pairs.

    Attributes:
        model: the mean.
        sigma_db: standard deviation, 0 to 20; 4 to 8 outdoors and in offices (Rappaport, 4.9 and 4.11).
        seed: another one, other numbers.
        most: standard deviations, 0.1 to 6; 0.3 of a hundred pairs lie beyond 3 and count as 3.
    """

    model: Propagation = field(default_factory=LogDistance)
    sigma_db: float = 6.0
    seed: int = 1
    most: float = 3.0

    def __post_init__(self) -> None:
        if not 0 <= self.sigma_db <= 20:
            raise UserError(f"shadowing: sigma_db is {self.sigma_db!r}, and must be from 0 to 20")
        if not 0.1 <= self.most <= 6:
            raise UserError(f"shadowing: most is {self.most!r}, and must be from 0.1 to 6")

    def shadow_db(self, one: int, other: int) -> float:
        """Return what is lost between two stations beside the model's loss; below 0 for less."""
        low, high = (one, other) if one < other else (other, one)
        word = _mixed(_of_station(self.seed & _WORD, low) ^ high)
        deviations = _NORMAL.inv_cdf(((word >> 11) + 0.5) / (1 << 53))
        return self.sigma_db * max(-self.most, min(self.most, deviations))

    def between_db(self, a: Site, b: Site) -> float:
        """Return the loss from one station to another."""
        return self.model.between_db(a, b) + self.shadow_db(a.number, b.number)

    def reach_m(self, loss_db: float, tallest_m: float = HEIGHT_M) -> float:
        """Return the model's reach for the luckiest pair."""
        return self.model.reach_m(loss_db + self.most * self.sigma_db, tallest_m)

    def partners(self, number: int) -> Sequence[int]:
        """Return those of the model."""
        return self.model.partners(number)


class Wall(NamedTuple):
    """A straight wall as it is seen from above, and what it takes.

    Attributes:
        begin: one end, metres east and north.
        end: the other one.
        loss_db: of a signal that passes, 0 to 300.
    """

    begin: Position
    end: Position
    loss_db: float


def _side(a: Position, b: Position, c: Position) -> float:
    """Return more than 0 if c is on the left of the line from a to b, less if on its right."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


@dataclass(frozen=True, slots=True)
class Walls:
    """Another model, and walls that take of what passes them.

    A way that only touches a wall, or runs along it, does not pass it.

    Attributes:
        walls: all of them; every way is held against those near by.
        model: the loss without walls.
    """

    walls: Sequence[Wall]
    model: Propagation = field(default_factory=LogDistance)
    _grid: WallGrid = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for number, wall in enumerate(self.walls):
            if not 0 <= wall.loss_db <= _MOST_DB:
                raise UserError(f"wall {number}: loss_db is {wall.loss_db!r}, and must be from 0 to {_MOST_DB:.0f}")
            if not all(math.isfinite(value) for value in (*wall.begin, *wall.end)):
                raise UserError(f"wall {number}: its ends are four numbers of metres, not {wall.begin!r}, {wall.end!r}")
        object.__setattr__(self, "_grid", WallGrid([(wall.begin, wall.end) for wall in self.walls]))

    @classmethod
    def read(cls, path: str | Path, model: Propagation | None = None) -> Walls:
        """Return walls from a CSV file with the columns x1_m, y1_m, x2_m, y2_m and loss_db.

        Raises:
            UserError: the file cannot be read, or is no such file.
        """
        walls = []
        for row in csv_rows(Path(path), ("x1_m", "y1_m", "x2_m", "y2_m", "loss_db")):
            x1, y1, x2, y2 = (row.number(name, -1e6, 1e6) for name in ("x1_m", "y1_m", "x2_m", "y2_m"))
            walls.append(Wall((x1, y1), (x2, y2), row.number("loss_db", 0, _MOST_DB)))
        return cls(tuple(walls), model or LogDistance())

    def walls_db(self, one: Position, other: Position) -> float:
        """Return what all walls between two places take together."""
        # The same end first in both directions, so that rounding is the same too.
        a, b = (one, other) if one <= other else (other, one)
        loss_db = 0.0
        for number in self._grid.near(a, b):
            begin, end, wall_db = self.walls[number]
            if _side(begin, end, a) * _side(begin, end, b) < 0 and _side(a, b, begin) * _side(a, b, end) < 0:
                loss_db += wall_db
        return loss_db

    def between_db(self, a: Site, b: Site) -> float:
        """Return the loss from one station to another."""
        return self.model.between_db(a, b) + self.walls_db(a.position, b.position)

    def reach_m(self, loss_db: float, tallest_m: float = HEIGHT_M) -> float:
        """Return the reach where no wall is."""
        return self.model.reach_m(loss_db, tallest_m)

    def partners(self, number: int) -> Sequence[int]:
        """Return those of the model."""
        return self.model.partners(number)


class LinkTable:
    """Losses of pairs, as measured or assumed, and perhaps a model for all others."""

    def __init__(self, losses_db: Mapping[tuple[int, int], float], otherwise: Propagation | None = None) -> None:
        """Keep the losses.

        Args:
            losses_db: by the numbers of sender and receiver. Where only one direction is given, it counts for both.
            otherwise: model of the pairs that are not there; without one they hear nothing of each other.

        Raises:
            UserError: a loss is out of its range.
        """
        self.otherwise = otherwise
        self._losses_db: dict[tuple[int, int], float] = {}
        partners: dict[int, set[int]] = {}
        for (one, other), loss_db in losses_db.items():
            if not 0 <= loss_db <= _MOST_DB:
                raise UserError(
                    f"link from {one} to {other}: loss_db is {loss_db!r}, and must be from 0 to {_MOST_DB:.0f}"
                )
            self._losses_db[one, other] = loss_db
            if (other, one) not in losses_db:
                self._losses_db[other, one] = loss_db
            partners.setdefault(one, set()).add(other)
            partners.setdefault(other, set()).add(one)
        self._partners = {number: tuple(sorted(others)) for number, others in partners.items()}

    @classmethod
    def read(
        cls,
        path: str | Path,
        names: Mapping[str, int] | None = None,
        otherwise: Propagation | None = None,
    ) -> LinkTable:
        """Return a table from a CSV file with the columns from, to and loss_db.

        Args:
            path: of the file.
            names: number of a station by its name in the file; None: they are numbers there.
            otherwise: model of the pairs that are not there.

        Raises:
            UserError: the file cannot be read, or is no such file.
        """
        losses_db: dict[tuple[int, int], float] = {}
        for row in csv_rows(Path(path), ("from", "to", "loss_db")):
            pair = (row.station("from", names), row.station("to", names))
            if pair[0] == pair[1]:
                raise row.error("to", "another station than in 'from'")
            if pair in losses_db:
                raise row.error("to", "a pair that no line above has")
            losses_db[pair] = row.number("loss_db", 0, _MOST_DB)
        return cls(losses_db, otherwise)

    def renumbered(self, numbers: Mapping[int, int]) -> LinkTable:
        """Return the same table for stations with other numbers, by those that they have here."""
        losses_db = {(numbers[one], numbers[other]): loss_db for (one, other), loss_db in self._losses_db.items()}
        return LinkTable(losses_db, self.otherwise)

    def between_db(self, a: Site, b: Site) -> float:
        """Return the loss from one station to another; infinite if nothing is known of them."""
        loss_db = self._losses_db.get((a.number, b.number))
        if loss_db is not None:
            return loss_db
        return math.inf if self.otherwise is None else self.otherwise.between_db(a, b)

    def reach_m(self, loss_db: float, tallest_m: float = HEIGHT_M) -> float:
        """Return that of the model for the others."""
        return 0.0 if self.otherwise is None else self.otherwise.reach_m(loss_db, tallest_m)

    def partners(self, number: int) -> Sequence[int]:
        """Return with whom the table, or the model beyond it, has a station."""
        own = self._partners.get(number, ())
        more = () if self.otherwise is None else self.otherwise.partners(number)
        return tuple(sorted({*own, *more})) if more else own


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A line of a CSV file; what it may not hold is a UserError that names file, line and column."""

    path: Path
    line: int
    values: Mapping[str, str]

    def error(self, name: str, allowed: str) -> UserError:
        """Return the error of a wrong value."""
        return UserError(
            f"{printable(str(self.path))}, line {self.line}: {name} is {self.values[name]!r}, and must be {allowed}"
        )

    def number(self, name: str, least: float, most: float) -> float:
        """Return the number in a column."""
        try:
            value = float(self.values[name])
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise self.error(name, f"a number from {least:g} to {most:g}")
        return value

    def station(self, name: str, names: Mapping[str, int] | None) -> int:
        """Return the number of the station in a column."""
        text = self.values[name]
        if names is not None:
            if text not in names:
                raise self.error(name, "the name of a station")
            return names[text]
        if not re.fullmatch("[0-9]{1,9}", text):
            raise self.error(name, "a station's number, 0 or more")
        return int(text)


def csv_rows(path: Path, columns: Sequence[str]) -> Iterator[CsvRow]:
    """Read a CSV file with a head that names the columns; further columns are left alone."""
    head, called = ",".join(columns), printable(str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            names = [name.strip() for name in next(reader, [])]
            if missing := [name for name in columns if name not in names]:
                raise UserError(f"{called}, line 1: has no column {missing[0]!r}; the first line must be {head}")
            if twice := [name for name in columns if names.count(name) > 1]:
                raise UserError(f"{called}, line 1: has two columns {twice[0]!r}; the first line must be {head}")
            for values in reader:
                if not values:
                    continue
                if len(values) != len(names):
                    raise UserError(
                        f"{called}, line {reader.line_num}: has {len(values)} values, and must have {len(names)}"
                    )
                yield CsvRow(
                    path, reader.line_num, {name: text.strip() for name, text in zip(names, values, strict=True)}
                )
    except OSError as error:
        raise UserError(f"{called}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{called}: is no CSV file in UTF-8 with the columns {head}: {error}") from None

"""What a plan file says, as values: one class for each of its tables. Times are in microseconds, places in metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from espnow.air import Position
from espnow.air.energy import Battery, State
from espnow.air.interference import Interferer
from espnow.air.propagation import HEIGHT_M, Wall
from espnow.air.scene import Answer, Burst, Flood, TrafficKind
from espnow.plan.changes import LossLine, WayPoint

__all__ = [
    "ALL",
    "NEAREST",
    "RANDOM",
    "AirPart",
    "CsvPlacement",
    "EnergyPart",
    "FloorPart",
    "GridPlacement",
    "GroupPart",
    "Placement",
    "PlanPart",
    "RandomPlacement",
    "Site",
    "SpotPlacement",
    "Timing",
    "TrafficPart",
]

#: `TrafficPart.to`: a broadcast, the nearest other station, any other station.
ALL, NEAREST, RANDOM = "all", "nearest", "random"


@dataclass(frozen=True, slots=True)
class Site:
    """Where one station stands, and what a CSV file says of it besides."""

    at: Position
    power_dbm: float | None = None
    channel: int | None = None
    group: str | None = None


class Placement(Protocol):
    """How a group's stations are placed."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def channels(self) -> Sequence[int]:
        """Channels that it names for some of them."""

    def sites(self, chance: Random) -> Sequence[Site]:
        """Return where they stand."""

    def corners(self) -> Sequence[Position]:
        """Return places that lie inside an area if, and only if, all stations do, whatever the seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotPlacement:
    """All on one spot (``at``)."""

    at: Position
    count: int = 1

    @property
    def channels(self) -> Sequence[int]:
        """Channels that it names for some of them: none."""
        return ()

    def sites(self, chance: Random) -> Sequence[Site]:
        """Return where they stand."""
        return [Site(self.at)] * self.count

    def corners(self) -> Sequence[Position]:
        """Return where they stand."""
        return [self.at]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPlacement:
    """In rows and columns (``grid``)."""

    step_m: float
    count: int
    columns: int | None = None
    origin: Position = (0.0, 0.0)

    @property
    def channels(self) -> Sequence[int]:
        """Channels that it names for some of them: none."""
        return ()

    def sites(self, chance: Random) -> Sequence[Site]:
        """Return where they stand: row after row."""
        return [Site(at) for at in self.corners()]

    def corners(self) -> Sequence[Position]:
        """Return where they stand."""
        columns = self.columns or math.ceil(math.sqrt(self.count))
        east, north = self.origin
        return [
            (east + number % columns * self.step_m, north + number // columns * self.step_m)
            for number in range(self.count)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomPlacement:
    """Anywhere in a rectangle (``random``); the first ones stand where they stood with fewer."""

    area: tuple[float, float]
    count: int
    origin: Position = (0.0, 0.0)

    @property
    def channels(self) -> Sequence[int]:
        """Channels that it names for some of them: none."""
        return ()

    def sites(self, chance: Random) -> Sequence[Site]:
        """Return where they stand."""
        (width, height), (east, north) = self.area, self.origin
        return [Site((east + width * chance.random(), north + height * chance.random())) for _ in range(self.count)]

    def corners(self) -> Sequence[Position]:
        """Return two corners of the rectangle."""
        (width, height), (east, north) = self.area, self.origin
        return [self.origin, (east + width, north + height)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvPlacement:
    """As a CSV file has it (``csv``)."""

    rows: tuple[Site, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.rows)

    @property
    def channels(self) -> Sequence[int]:
        """Channels that it names for some of them."""
        return tuple({row.channel: None for row in self.rows if row.channel is not None})

    def sites(self, chance: Random) -> Sequence[Site]:
        """Return where they stand."""
        return self.rows

    def corners(self) -> Sequence[Position]:
        """Return where they stand."""
        return [row.at for row in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyPart:
    """What the stations of a group take from their supply (``[station.energy]``).

    Attributes:
        where: its place in the file.
        chip: its name.
        between: what it does between its messages; RECEIVE: it is awake, and hears what others send.
        listen_us: for so long its receiver is on around each of its messages, beside what the message takes.
        board_ma: what the rest of the board draws all the time.
        battery: None: it has none, or nobody asks how long it lasts.
    """

    where: str = field(repr=False)
    chip: str
    between: State = State.RECEIVE
    listen_us: int = 0
    board_ma: float = 0.0
    battery: Battery | None = None

    @property
    def asleep(self) -> bool:
        """Whether it hears nothing between its messages."""
        return self.between is not State.RECEIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPart:
    """A group of stations (``[[station]]``)."""

    where: str = field(repr=False)
    name: str
    action: Placement
    power_dbm: float = 20.0
    antenna_dbi: float = 0.0
    height_m: float = HEIGHT_M
    channel: int = 1
    attempts: int = 7
    drift_ppm: float = 0.0
    way: tuple[WayPoint, ...] = ()
    repeats: bool = False
    energy: EnergyPart | None = None

    @property
    def asleep(self) -> bool:
        """Whether its stations hear nothing between their messages."""
        return self.energy is not None and self.energy.asleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When messages come.

    Attributes:
        kind: periodic, Poisson or saturated.
        period_us: from one to the next; the mean of it.
        jitter_us: each comes later by up to so much.
        first_us: when the first comes; None: anywhere in the period, each station by itself.
        is_event: something happens then, at the same instants for all stations.
        at: where it does.
        radius_m: so far away it is noticed; None: the whole group notices it.
    """

    kind: TrafficKind
    period_us: int = 0
    jitter_us: int = 0
    first_us: int | None = None
    is_event: bool = False
    at: Position = (0.0, 0.0)
    radius_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPart:
    """What a group sends (``[[traffic]]``)."""

    where: str = field(repr=False)
    sender: str
    to: str
    action: Timing
    name: str = ""
    size: int = 200
    rate: int = 0
    burst: Burst | None = None
    answer: Answer | None = None
    flood: Flood | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AirPart:
    """The air (``[air]``).

    Attributes:
        where: its place in the file.
        model: of propagation.
        path_loss_exponent: of log-distance; None: its default.
        range_m: of log-distance.
        shadowing_db: standard deviation; 0: none.
        links: names of two stations, and the loss between them.
        losses: from when on, between whom, and how likely a frame is lost.
        noise_dbm: as in `espnow.air.scene.Receiver`, and so the next three.
        sense_dbm: see there.
        least_dbm: see there.
        capture_db: see there.
        cw_min: as in `espnow.air.scene.Access`.
        cw_max: see there.
    """

    where: str = field(default="air", repr=False)
    model: str = "log-distance"
    path_loss_exponent: float | None = None
    range_m: float | None = None
    shadowing_db: float = 0.0
    links: tuple[tuple[str, str, float], ...] = ()
    losses: tuple[LossLine, ...] = ()
    noise_dbm: float = -94.0
    sense_dbm: float = -96.0
    least_dbm: float | None = None
    capture_db: float | None = None
    cw_min: int = 31
    cw_max: int = 1023


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPart:
    """The ground that the stations stand on (``[floor]``), from [0, 0] on, and what is in the way of signals."""

    where: str = field(default="floor", repr=False)
    size: tuple[float, float] | None = None
    walls: tuple[Wall, ...] = ()

    def outside(self, at: Position) -> str:
        """Return what is wrong with a place that is not on it; nothing if it is."""
        if self.size is None:
            return ""
        (width, height), (east, north) = self.size, at
        if 0 <= east <= width and 0 <= north <= height:
            return ""
        return f"[{east:g}, {north:g}] is outside the floor, which is [0, 0] to [{width:g}, {height:g}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPart:
    """The whole file.

    Attributes:
        where: nothing.
        duration_us: of a run.
        seed: of the first run.
        seeds: how many runs, each with the next seed.
        air: how signals travel and stations take turns.
        floor: where stations may stand; None: anywhere.
        groups: of stations.
        traffic: what they send.
        interferers: what radiates besides.
        sweep: keys, as ``station.sensor.count``, and the values they take, as TOML has them.
    """

    where: str = field(default="", repr=False)
    duration_us: int
    seed: int = 1
    seeds: int = 3
    air: AirPart = field(default_factory=AirPart)
    floor: FloorPart | None = None
    groups: tuple[GroupPart, ...] = ()
    traffic: tuple[TrafficPart, ...] = ()
    interferers: tuple[Interferer, ...] = ()
    sweep: tuple[tuple[str, tuple[Any, ...]], ...] = ()

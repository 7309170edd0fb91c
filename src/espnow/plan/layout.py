"""From a plan and a seed to a scene of the air: where each station stands, and what it sends to whom."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

from espnow.air import LogDistance, Position
from espnow.air.changes import Loss, Way
from espnow.air.propagation import (
    FreeSpace,
    LinkTable,
    Propagation,
    Shadowing,
    Site,
    TwoRayGround,
    Walls,
)
from espnow.air.scene import BROADCAST, Access, Place, Receiver, Scene, Traffic, TrafficKind
from espnow.errors import UserError
from espnow.frame import RATES
from espnow.frame.text import printable
from espnow.plan.parts import ALL, NEAREST, RANDOM, PlanPart, Timing, TrafficPart

__all__ = ["Layout", "hearing", "lay_out"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a plan is on the air, with one seed.

    Attributes:
        scene: stations and their messages.
        traffic_of: for each of the scene's traffic, which of the plan's it is of.
        members: numbers of the stations of each group.
        asleep: stations that hear nothing between their messages, and so are nobody's receivers.
    """

    scene: Scene
    traffic_of: tuple[int, ...]
    members: Mapping[str, range]
    asleep: frozenset[int]

    def names(self) -> list[str]:
        """Return what its stations are called, in their order: ``hub`` where it is alone in its group, ``leaf[3]``."""
        return [
            _name(group, numbers, index) for group, numbers in self.members.items() for index in range(len(numbers))
        ]


def lay_out(part: PlanPart, seed: int) -> Layout:
    """Return the scene of a plan.

    Raises:
        UserError: a message has nobody that it could be for.
    """
    places: list[Place] = []
    members: dict[str, range] = {}
    for group in part.groups:
        begin = len(places)
        drift = _chance(seed, "drift", group.name)
        for site in group.action.sites(_chance(seed, "station", group.name)):
            power_dbm = group.power_dbm if site.power_dbm is None else site.power_dbm
            channel = group.channel if site.channel is None else site.channel
            drift_ppm = drift.uniform(-group.drift_ppm, group.drift_ppm)
            place = Place(site.at, power_dbm, channel, group.attempts, group.height_m, group.antenna_dbi, drift_ppm)
            places.append(place)
        members[group.name] = range(begin, len(places))
    asleep = frozenset(number for group in part.groups if group.asleep for number in members[group.name])
    streams: list[Traffic] = []
    traffic_of: list[int] = []
    for number, traffic in enumerate(part.traffic):
        chance = _chance(seed, "traffic", traffic.name or str(number))
        begin = len(streams)
        find = _Receivers(traffic, number, places, members, asleep, chance)
        streams += _streams(traffic, number, places, find, members, chance)
        traffic_of += [number] * (len(streams) - begin)
    air = part.air
    ways = {
        number: Way([(at_us, _moved(places[number].position, by)) for at_us, by in group.way], group.repeats)
        for group in part.groups
        if group.way
        for number in members[group.name]
    }
    losses = [
        Loss(at_us, _number(one, members, "losses"), _number(other, members, "losses"), probability)
        for at_us, one, other, probability in air.losses
    ]
    scene = Scene(
        places,
        streams,
        _propagation(part, members, seed),
        Access(cw_min=air.cw_min, cw_max=air.cw_max),
        Receiver(noise_dbm=air.noise_dbm, sense_dbm=air.sense_dbm, least_dbm=air.least_dbm, capture_db=air.capture_db),
        seed,
        part.interferers,
        ways,
        losses,
    )
    return Layout(scene, tuple(traffic_of), members, asleep)


def hearing(scene: Scene, asleep: frozenset[int] = frozenset()) -> list[tuple[int, int]]:
    """Return the pairs of stations of which at least one hears the other at the slowest rate of the traffic.

    The cost grows with the square of the stations: it is for pictures.

    Args:
        scene: all of them.
        asleep: these hear nobody.
    """
    rate = min((stream.rate for stream in scene.traffic), key=lambda rate: RATES[rate].kbit_s, default=0)
    least_dbm = scene.receiver.least(rate)
    sites = [Site(number, place.position, place.height_m) for number, place in enumerate(scene.places)]
    found = []
    for one, other in combinations(sites, 2):
        a, b = scene.places[one.number], scene.places[other.number]
        if a.channel != b.channel:
            continue
        gain_dbi = a.antenna_dbi + b.antenna_dbi
        there_dbm = a.power_dbm + gain_dbi - scene.propagation.between_db(one, other)
        back_dbm = b.power_dbm + gain_dbi - scene.propagation.between_db(other, one)
        there = there_dbm >= least_dbm and other.number not in asleep
        if there or (back_dbm >= least_dbm and one.number not in asleep):
            found.append((one.number, other.number))
    return found


def _name(group: str, numbers: range, index: int) -> str:
    return group if len(numbers) == 1 else f"{group}[{index}]"


def _moved(position: Position, by: Position) -> Position:
    return position[0] + by[0], position[1] + by[1]


def _chance(seed: int, *names: str) -> Random:
    return Random("/".join((str(seed), *names)))


def _propagation(part: PlanPart, members: dict[str, range], seed: int) -> Propagation:
    air = part.air
    model: Propagation | None
    if air.model == "free-space":
        model = FreeSpace()
    elif air.model == "two-ray":
        model = TwoRayGround()
    elif air.model == "links":
        model = None
    else:
        model = LogDistance(3.0 if air.path_loss_exponent is None else air.path_loss_exponent, air.range_m)
    if model is not None and air.shadowing_db:
        model = Shadowing(model, air.shadowing_db, seed)
    if model is not None and part.floor is not None and part.floor.walls:
        model = Walls(part.floor.walls, model)
    if air.links or model is None:  # what was measured has shadows and walls in it
        losses_db = {(_number(one, members), _number(other, members)): loss_db for one, other, loss_db in air.links}
        model = LinkTable(losses_db, model)
    return model


def _number(name: str, members: dict[str, range], key: str = "links") -> int:
    """Return the number of a station by its name, ``hub`` where there is one of its group, or ``leaf[3]``."""
    match = re.fullmatch(r"(.*?)(?:\[(\d{1,6})\])?", name, re.ASCII)
    group = members.get(match[1]) if match else None
    if match is None or group is None:
        raise UserError(f"air.{key}: there is no station {printable(name)}; there is {', '.join(members)}")
    index = int(match[2] or 0)
    if index >= len(group) or (match[2] is None and len(group) > 1):
        raise UserError(f"air.{key}: {printable(name)} is no station: write {match[1]}[0] to [{len(group) - 1}]")
    return group[index]


def _first_us(timing: Timing, chance: Random) -> int:
    """Return when the first message comes, or the first event is."""
    if timing.kind is TrafficKind.SATURATED:
        return 0
    if timing.first_us is not None:
        return timing.first_us
    if timing.kind is TrafficKind.POISSON:
        return int(chance.expovariate(1.0) * timing.period_us)
    return int(chance.random() * timing.period_us)


def _streams(
    traffic: TrafficPart,
    number: int,
    places: Sequence[Place],
    find: _Receivers,
    members: dict[str, range],
    chance: Random,
) -> Iterator[Traffic]:
    timing = traffic.action
    # What happens is the same for all: its first instant is drawn once.
    event, happens_us = (number, _first_us(timing, chance)) if timing.is_event else (None, 0)
    for station in members[traffic.sender]:
        to = find.receiver(station)
        if to is None:
            continue
        if timing.radius_m is not None and math.dist(places[station].position, timing.at) > timing.radius_m:
            continue
        first_us = _first_us(timing, chance) if event is None else happens_us
        yield Traffic(
            station,
            to,
            traffic.size,
            timing.kind,
            float(timing.period_us),
            float(timing.jitter_us),
            first_us,
            traffic.rate,
            traffic.burst,
            event,
            traffic.answer,
            traffic.flood,
        )


class _Receivers:
    """Whom the messages of one traffic are for."""

    def __init__(
        self,
        traffic: TrafficPart,
        number: int,
        places: Sequence[Place],
        members: dict[str, range],
        asleep: frozenset[int],
        chance: Random,
    ) -> None:
        self._where = f"traffic[{number}].to"
        self._to = traffic.to
        self._sender = traffic.sender, members[traffic.sender]
        self._places = places
        self._chance = chance
        member = re.fullmatch(r"(.*)\[(\d+)\]", traffic.to)
        if traffic.to in (ALL, NEAREST, RANDOM):
            candidates: Sequence[int] = range(len(places))
        elif member is None:
            candidates = members[traffic.to]
        else:
            group = members[member[1]]
            if int(member[2]) >= len(group):
                raise UserError(f"{self._where}: {traffic.to} is not there: {member[1]} has 0 to {len(group) - 1}")
            candidates = [group[int(member[2])]]
        #: By channel, since on another one nothing is heard.
        self._candidates: dict[int, list[int]] = defaultdict(list)
        for candidate in candidates:
            if candidate not in asleep:
                self._candidates[places[candidate].channel].append(candidate)
        self._members = {channel: frozenset(numbers) for channel, numbers in self._candidates.items()}
        self._near: dict[int, _Near] = {}

    def receiver(self, station: int) -> int | None:
        """Return whom a station's messages are for; None: it sends none, being who they are for.

        Raises:
            UserError: there is nobody.
        """
        if self._to == ALL:
            return BROADCAST
        channel = self._places[station].channel
        candidates = self._candidates.get(channel, [])
        if candidates == [station] and self._to not in (NEAREST, RANDOM):
            return None
        if len(candidates) - (station in self._members.get(channel, ())) < 1:
            whose = "else" if self._to in (NEAREST, RANDOM) else f"of {self._to}"
            group, numbers = self._sender
            name = _name(group, numbers, station - numbers.start)
            raise UserError(f"{self._where}: nobody {whose} is awake on channel {channel}, as {name} is")
        if self._to == RANDOM:
            while (drawn := candidates[int(self._chance.random() * len(candidates))]) == station:
                pass
            return drawn
        if channel not in self._near:
            self._near[channel] = _Near([(self._places[one].position, one) for one in candidates])
        return self._near[channel].nearest(self._places[station].position, station)


#: Of so few the nearest is found by looking at each.
_FEW = 16


class _Near:
    """The nearest of many places, by a grid of squares."""

    def __init__(self, places: Sequence[tuple[Position, int]]) -> None:
        self._places = places
        east = [at[0] for at, _ in places]
        north = [at[1] for at, _ in places]
        self._corner = min(east), min(north)
        extent = max(max(east) - min(east), max(north) - min(north), 1.0)
        self._side = extent / max(1, math.isqrt(len(places)))
        self._rings = int(extent / self._side) + 2
        self._squares: dict[tuple[int, int], list[tuple[Position, int]]] = defaultdict(list)
        for at, number in places:
            self._squares[self._square(at)].append((at, number))

    def _square(self, at: Position) -> tuple[int, int]:
        return math.floor((at[0] - self._corner[0]) / self._side), math.floor((at[1] - self._corner[1]) / self._side)

    def nearest(self, at: Position, but: int) -> int:
        """Return the number of the nearest place; of equal ones, the lowest."""
        column, row = self._square(at)
        outside = max(-column, -row, column - self._rings, row - self._rings) > 1
        if outside or len(self._places) < _FEW:  # rings would be long, or squares not worth it
            return min((math.dist(at, there), number) for there, number in self._places if number != but)[1]
        best = (math.inf, -1)
        ring = 0
        while best[1] < 0 or (ring - 1) * self._side <= best[0]:
            for square in _ring(column, row, ring):
                for there, number in self._squares.get(square, ()):
                    if number != but:
                        best = min(best, (math.dist(at, there), number))
            ring += 1
        return best[1]


def _ring(column: int, row: int, ring: int) -> Iterator[tuple[int, int]]:
    if ring == 0:
        yield column, row
        return
    for across in range(-ring, ring + 1):
        yield column + across, row - ring
        yield column + across, row + ring
    for along in range(1 - ring, ring):
        yield column - ring, row + along
        yield column + ring, row + along

"""A kernel whose stations come, move, turn up their power and take new rates while time passes.

Rules:

- A station is a number, and what it sends with and where it stands is known here; the kernel has its row of neighbours.
- A row is made when a frame needs it, and made again after a change around its station: everything else stays.
- The kernel grows by a larger one that takes over (`Kernel.take_over`), so that nobody keeps one for long.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from random import Random

from espnow.air.ground import Ground
from espnow.air.interference import Interferer
from espnow.air.kernel import ON, Kernel
from espnow.air.neighbours import METRES_A_MICROSECOND
from espnow.air.propagation import LogDistance, Position, Propagation, Site
from espnow.air.rows import RowPlaces
from espnow.air.scene import Access, Place, Receiver
from espnow.air.telling import describe_rates, make_kernel, milliwatts
from espnow.errors import UserError
from espnow.frame import RATE_1M

__all__ = ["Medium", "whole_dbm"]

_STATIONS, _EDGES = 64, 1024
_WORD = 64

#: What the kernel's events can tell from each other.
MOST_STATIONS = (1 << 21) - 1


def whole_dbm(level_dbm: float) -> int:
    """Return a level as a receiver tells it: a whole number from -127 to 0."""
    return max(-127, min(0, round(level_dbm)))


class Medium:
    """Stations of which everything may change.

    Attributes:
        kernel: what they share; after `add`, `set_loss` or `refresh` it may be another one.
        propagation: what is lost between two places.
        names: of the stations, by their numbers.
        powers_dbm: what they send with.
        sites: where they are.
        versions: how often a station's row was made.
    """

    def __init__(
        self,
        propagation: Propagation,
        access: Access,
        receiver: Receiver,
        stream: Callable[[str], Random],
        *,
        loss: float = 0.0,
    ) -> None:
        """Make it empty.

        Args:
            propagation: see the attribute.
            access: when stations transmit.
            receiver: what receivers need.
            stream: returns the random stream of a name, the same for the same name.
            loss: how likely a frame is lost between two stations, unless `set_loss` says otherwise.
        """
        self.propagation = propagation
        self.names: list[str] = []
        self.powers_dbm: list[float] = []
        self.sites: list[Site] = []
        self.versions: list[int] = []
        self.kernel = make_kernel(_STATIONS, _EDGES, _STATIONS, 0, access, receiver)
        self._room = _STATIONS, _EDGES, _STATIONS
        self._access, self._receiver = access, receiver
        self._stream = stream
        self._loss = loss
        self._losses: dict[tuple[int, int], float] = {}
        self._luck: dict[tuple[int, int], int] = {}
        self._antennas_dbi: list[float] = []
        self._levels: dict[int, tuple[int, dict[int, int]]] = {}  # for which version of a row
        self._streams = 0
        self._grows = True
        self._rates = {RATE_1M}
        describe_rates(self.kernel, self._rates, receiver)
        self._floor_dbm = receiver.floor_dbm(self._rates)
        self._most_dbm = 20.0
        self._most_dbi = 0.0
        self._tallest_m = 0.0
        self._dirty: set[int] = set()
        self._moved: dict[int, Position] = {}  # from where
        self._places = RowPlaces(self._is_sending)
        # One cell is about as far as 1 Mb/s reaches at full power, so that a search looks at few cells.
        self._ground = Ground(propagation.reach_m(self._most_dbm - self._floor_dbm))

    @classmethod
    def around(
        cls,
        kernel: Kernel,
        everything: Sequence[Place | Interferer],
        propagation: Propagation,
        access: Access,
        receiver: Receiver,
        rates: Iterable[int],
        stream: Callable[[str], Random],
        edges: tuple[int, int],
    ) -> Medium:
        """Return the medium of stations that a kernel has already, with their rows.

        Args:
            kernel: it has no room for more stations.
            everything: the stations.
            propagation: what is lost between two places.
            access: when stations transmit.
            receiver: what receivers need.
            rates: that the kernel knows.
            stream: returns the random stream of a name, the same for the same name.
            edges: behind how many places in rows there is room, and up to how many.
        """
        medium = cls(propagation, access, receiver, stream)
        for number, one in enumerate(everything):
            medium._note(str(number), one.position, one.height_m, one.antenna_dbi, one.power_dbm, None)
        medium.kernel = kernel
        medium._rates = set(rates)
        medium._floor_dbm = receiver.floor_dbm(medium._rates)
        medium._places.end, most = edges
        medium._room = len(everything), most, 0
        medium._streams = 0
        medium._grows = False
        return medium

    def add(
        self, name: str, position: Position, *, height_m: float, antenna_dbi: float = 0.0, power_dbm: float = 20.0
    ) -> int:
        """Return the number of a new station, which is on channel 1."""
        number = len(self.names)
        self._make_room(number + 1, self._places.end, self._streams)
        wider = power_dbm > self._most_dbm or antenna_dbi > self._most_dbi or height_m > self._tallest_m
        self._note(name, position, height_m, antenna_dbi, power_dbm, self.kernel)
        self.kernel.set_station(number, 1, milliwatts(power_dbm), 1)
        if wider:
            self._dirty.update(range(number))
        self._change_around(position)
        self._dirty.add(number)
        return number

    def _note(
        self,
        name: str,
        position: Position,
        height_m: float,
        antenna_dbi: float,
        power_dbm: float,
        kernel: Kernel | None,
    ) -> None:
        """Write down the next station, in a kernel too that does not know it."""
        number = len(self.names)
        self.names.append(name)
        self.powers_dbm.append(power_dbm)
        self.sites.append(Site(number, position, height_m))
        self.versions.append(0)
        self._antennas_dbi.append(antenna_dbi)
        if kernel is not None:
            kernel.set_chance(number, self._stream(f"air/{name}").getrandbits(_WORD))
        self._ground.put(number, position)
        self._most_dbm = max(self._most_dbm, power_dbm)
        self._most_dbi = max(self._most_dbi, antenna_dbi)
        self._tallest_m = max(self._tallest_m, height_m)

    def add_stream(self, more: int = 1) -> int:
        """Return the number of the first of so many new streams of messages."""
        self._make_room(len(self.names), self._places.end, self._streams + more)
        self._streams += more
        return self._streams - more

    def reserve(self) -> None:
        """Have room for as many more boards, and rows of stations that move, as a lab may still need."""
        stations, edges, streams = len(self.names), self._places.end, self._streams
        more = min(max(_EDGES * _STATIONS, 8 * edges), 4_000_000)  # a long-range rate has three times as many hear
        self._make_room(stations + _STATIONS, edges + more, streams + _STATIONS)

    def add_all(self, names: Sequence[str], places: Sequence[Place]) -> int:
        """Return the number of the first of many new stations, which have these names."""
        first = len(self.names)
        self._make_room(first + len(places), self._places.end, self._streams)
        for number, (name, place) in enumerate(zip(names, places, strict=True), first):
            self._note(name, place.position, place.height_m, place.antenna_dbi, place.power_dbm, self.kernel)
            self.kernel.set_station(number, 1, milliwatts(place.power_dbm), place.attempts)
            self.kernel.set_channel(number, place.channel)
            self.kernel.set_receiver(number, ON, True)
        self._dirty.update(range(len(self.names)))
        return first

    def event_chance(self, name: str) -> Callable[[int], Random]:
        """Return what gives the random stream of an event, by its number, that happens to many of one name."""
        return lambda event: self._stream(f"air/event/{name}/{event}")

    def move(self, number: int, position: Position) -> None:
        """Put a station elsewhere, from the next transmission on."""
        old = self.sites[number]
        self._moved.setdefault(number, old.position)
        self._ground.put(number, position)
        self.sites[number] = old._replace(position=position)

    def set_power(self, number: int, power_dbm: float) -> None:
        """Say what a station sends with, from the next transmission on."""
        self.powers_dbm[number] = power_dbm
        self._most_dbm = max(self._most_dbm, power_dbm)
        self._dirty.add(number)

    def use_rate(self, rate: int) -> None:
        """Make a rate known; the first use of one that reaches farther than those before has more stations hear."""
        if rate in self._rates:
            return
        self._rates.add(rate)
        describe_rates(self.kernel, (rate,), self._receiver)
        floor_dbm = self._receiver.floor_dbm(self._rates)
        if floor_dbm < self._floor_dbm:
            self._floor_dbm = floor_dbm
            self._dirty.update(range(len(self.names)))

    @property
    def loss(self) -> float:
        """How likely a frame is lost between two stations of which `set_loss` says nothing."""
        return self._loss

    @loss.setter
    def loss(self, probability: float) -> None:
        self._loss = probability
        self._dirty.update(range(len(self.names)))

    def set_loss(self, sender: int, receiver: int, probability: float) -> None:
        """Say how likely a frame is lost from one station to another, from the next transmission on."""
        self._losses[sender, receiver] = probability
        self._dirty.add(sender)

    def refresh(self) -> None:
        """Make the rows of the stations around which something changed."""
        if self._moved:
            self._dirty.update(self._moved)
            for number, old in self._moved.items():
                self._move(number, old)
            self._moved.clear()
        if not self._dirty:
            return
        if (self._loss or self._losses) and not self.kernel.lossy:
            self.kernel.allow_losses()
        for number in sorted(self._dirty):
            self._make_row(number)
        self._dirty.clear()

    def level_dbm(self, sender: int, receiver: int) -> float:
        """Return how strong the signal of a station is at another, in dBm.

        A limit of range, which a lab can have, is none of the signal's.
        """
        propagation = self.propagation
        if isinstance(propagation, LogDistance) and propagation.range_m is not None:
            distance_m = math.dist(self.sites[sender].position, self.sites[receiver].position)
            loss_db = propagation.loss_db(distance_m)
            return self.powers_dbm[sender] + self._antennas_dbi[sender] + self._antennas_dbi[receiver] - loss_db
        return self.powers_dbm[sender] + self._gain_db(sender, receiver)

    def rssi_dbm(self, sender: int, receiver: int) -> int:
        """Return the same as a receiver tells it: a whole number from -127 to 0."""
        return whole_dbm(self.level_dbm(sender, receiver))

    def levels(self, sender: int) -> dict[int, int]:
        """Return what is known of how a signal is heard now, as `rssi_dbm` by the receivers; to be added to."""
        known, levels = self._levels.get(sender, (-1, {}))
        if known != self.versions[sender]:
            levels = {}
            self._levels[sender] = self.versions[sender], levels
        return levels

    def is_heard(self, sender: int, receiver: int, rate: int) -> bool:
        """Return whether a station's signal is strong enough at another for a rate, while nobody else sends."""
        return self.powers_dbm[sender] + self._gain_db(sender, receiver) >= self._receiver.least(rate)

    def _gain_db(self, sender: int, receiver: int) -> float:
        loss_db = self.propagation.between_db(self.sites[sender], self.sites[receiver])
        return self._antennas_dbi[sender] + self._antennas_dbi[receiver] - loss_db

    def _is_sending(self, number: int) -> bool:
        return self.kernel.is_sending(number)

    def _reach_m(self, power_dbm: float) -> float:
        return self.propagation.reach_m(power_dbm - self._floor_dbm, self._tallest_m) * (1 + 1e-9)

    def _change_around(self, position: Position) -> None:
        """Let the rows be made again in which a station at a place may be."""
        self._dirty.update(self._ground.near(position, self._reach_m(self._most_dbm + 2 * self._most_dbi)))

    def _move(self, number: int, old: Position) -> None:
        """Let a station that moved be heard as it is now; most of the others' rows stay what they are but for it."""
        kernel, floor_dbm, dirty = self.kernel, self._floor_dbm, self._dirty
        reach_m = self._reach_m(self._most_dbm + 2 * self._most_dbi)
        around = {*self._ground.near(old, reach_m), *self._ground.near(self.sites[number].position, reach_m)}
        around.update(other for other in self.propagation.partners(number) if other < len(self.names))
        for other in sorted(around - dirty):
            gain_db = self._gain_db(other, number)
            heard = self.powers_dbm[other] + gain_db >= floor_dbm
            us = round(math.dist(self.sites[other].position, self.sites[number].position) / METRES_A_MICROSECOND)
            if kernel.is_sending(other) or kernel.set_pair(other, number, 10 ** (gain_db / 10), us) != heard:
                dirty.add(other)
            elif heard:
                self.versions[other] += 1

    def _make_row(self, number: int) -> None:
        site, power_dbm = self.sites[number], self.powers_dbm[number]
        found = self._ground.near(site.position, self._reach_m(power_dbm + self._antennas_dbi[number] + self._most_dbi))
        partners = self.propagation.partners(number)
        if partners:
            found = sorted({*found, *(other for other in partners if other < len(self.names))})
        others, gains, delays = array("i"), array("d"), array("i")
        sites, antennas_dbi, floor_dbm, dist = self.sites, self._antennas_dbi, self._floor_dbm, math.dist
        propagation = self.propagation
        # Nothing but the distance matters to this one, and a place for each question is not made.
        by_distance = propagation if isinstance(propagation, LogDistance) and propagation.range_m is None else None
        position, antenna_dbi = site.position, antennas_dbi[number]
        for other in found:
            if other == number:
                continue
            there = sites[other]
            metres = dist(position, there.position)
            loss_db = by_distance.loss_db(metres) if by_distance else propagation.between_db(site, there)
            gain_db = antenna_dbi + antennas_dbi[other] - loss_db
            if power_dbm + gain_db >= floor_dbm:
                others.append(other)
                gains.append(10 ** (gain_db / 10))
                delays.append(round(metres / METRES_A_MICROSECOND))
        self._keep_luck(number)
        at = self._places.give(number, len(others))
        self._make_room(len(self.names), self._places.end, self._streams)
        kernel = self.kernel
        kernel.set_power(number, milliwatts(power_dbm))
        kernel.set_row(number, others, gains, delays, at)
        self.versions[number] += 1
        if kernel.lossy:
            for place, other in zip(count(at), others):
                probability = self._losses.get((number, other), self._loss)
                kernel.set_loss(place, probability, self._luck_of(number, other) if probability else 0)

    def _keep_luck(self, number: int) -> None:
        """Remember where the streams of chance of a row stand that is about to be replaced."""
        if self.kernel.lossy:
            at, others = self.kernel.row(number)
            for place, other in zip(count(at), others):
                if (number, other) in self._luck:
                    self._luck[number, other] = self.kernel.luck_of(place)

    def _luck_of(self, sender: int, receiver: int) -> int:
        pair = sender, receiver
        luck = self._luck.get(pair)
        if luck is None:
            name = f"air/loss/{self.names[sender]}>{self.names[receiver]}"
            luck = self._luck[pair] = self._stream(name).getrandbits(_WORD)
        return luck

    def _make_room(self, *needed: int) -> None:
        """Let the kernel have room for so many stations, places in rows, and streams."""
        if all(need <= have for need, have in zip(needed, self._room, strict=True)):
            return
        if not self._grows:
            raise UserError("stations on their way come near too many others: there is no room for so many pairs")
        if self.kernel.reacts:  # what is under way there cannot be taken over
            what, cure = "stations", "add that crowd last, when all boards, routers and other crowds are there"
            if needed[1] > self._room[1]:
                what = "pairs of stations that hear each other"
                cure = "let fewer come near each other, or add that crowd when they are there"
            raise UserError(f"there is no room for more {what} beside a crowd that answers or floods: {cure}")
        room = [have if need <= have else 2 * max(need, have) for need, have in zip(needed, self._room, strict=True)]
        if max(needed[0], needed[2]) > MOST_STATIONS:
            raise UserError(f"an air has room for {MOST_STATIONS} stations, and as many streams of messages")
        stations, edges, streams = min(room[0], MOST_STATIONS), room[1], min(room[2], MOST_STATIONS)
        larger: Kernel = make_kernel(stations, edges, streams, 0, self._access, self._receiver)
        larger.take_over(self.kernel)
        self.kernel = larger
        self._room = stations, edges, streams

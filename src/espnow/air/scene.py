"""Stations without programs on one air: who stands where and sends what; and what comes of it.

Rules:

- A scene is values; `run` makes a kernel of it and lets time pass. The same scene and seed give the same result, to the
  bit, whether the kernel is compiled or not.
- A message is an ESP-NOW frame of version 1 or 2 by its length; how long it takes is the standard's formula.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from espnow.air.changes import Loss, Way
from espnow.air.errorrate import calibration_db
from espnow.air.interference import Interferer, start_interferers
from espnow.air.kernel import ON, Kernel
from espnow.air.neighbours import neighbour_rows
from espnow.air.propagation import HEIGHT_M, LogDistance, Position, Propagation, is_place, sensitivity_dbm
from espnow.air.telling import describe_rates, make_kernel, milliwatts, rates_of, start_traffic, streams_of
from espnow.frame import RATES, response_rate
from espnow.times import MOST_US

if TYPE_CHECKING:
    from espnow.air.course import Course

__all__ = [
    "BENCH_NOISE_DBM",
    "BROADCAST",
    "Access",
    "Answer",
    "Burst",
    "Flood",
    "Place",
    "Receiver",
    "Scene",
    "StreamResult",
    "Traffic",
    "TrafficKind",
    "check_stations",
    "on_event",
    "stream_results",
]

#: `Traffic.to` of a message to all.
BROADCAST = -1

#: Thermal noise in 20 MHz and 7 dB of a receiver's own (assumed): a sensitivity is above so much.
BENCH_NOISE_DBM = -94.0

_V2_MOST = 1470
_MOST_HOPS = 255
_MOST_BURST = 10_000
_MOST_SLOTS = 65_535

#: Powers and gains are within this, beyond which sums of them in mW would mean nothing.
_MOST_DB = 200


def _must(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {value!r}, and must be {allowed}")


def _are_numbers(of: object, *names: str) -> None:
    for name in names:
        value = getattr(of, name)
        _must(-_MOST_DB <= value <= _MOST_DB, name, value, f"-{_MOST_DB} to {_MOST_DB}")


def _are_times(of: object, *names: str, least_us: int = 0) -> None:
    for name in names:
        value = getattr(of, name)
        _must(least_us <= value < MOST_US, name, value, f"{least_us} or more, and less than 2**53 (285 years)")


class TrafficKind(enum.IntEnum):
    """When messages come."""

    PERIODIC = 0
    POISSON = 1
    SATURATED = 2


@dataclass(frozen=True, slots=True)
class Place:
    """A station.

    Attributes:
        position: metres, east and north.
        power_dbm: transmit power, without the antenna.
        channel: 1 to 14.
        attempts: tries of a unicast frame in all.
        height_m: of the antenna, above the ground; for models that ask for it.
        antenna_dbi: gain of the antenna, in each direction alike, for what is sent and for what is received.
        drift_ppm: so many millionths its clock is fast: its PERIODIC messages come so much more often. A crystal is
            good to some 10 either way (assumed).
    """

    position: Position
    power_dbm: float = 20.0
    channel: int = 1
    attempts: int = 7
    height_m: float = HEIGHT_M
    antenna_dbi: float = 0.0
    drift_ppm: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError: a number makes no sense."""
        _must(is_place(self.position), "position", self.position, "two numbers of metres, within 1e9 m")
        _are_numbers(self, "power_dbm", "antenna_dbi")
        _must(1 <= self.channel <= 14, "channel", self.channel, "1 to 14")
        _must(self.attempts >= 1, "attempts", self.attempts, "1 or more")
        _must(0 < self.height_m < math.inf, "height_m", self.height_m, "above 0")
        _must(-1e5 <= self.drift_ppm <= 1e5, "drift_ppm", self.drift_ppm, "-100000 to 100000")


@dataclass(frozen=True, slots=True)
class Burst:
    """Several messages each time.

    Attributes:
        count: how many; 1 to 10000.
        spacing_us: from one to the next; 0: all at once.
    """

    count: int
    spacing_us: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError: a number makes no sense."""
        _must(1 <= self.count <= _MOST_BURST, "count", self.count, f"1 to {_MOST_BURST}")
        _are_times(self, "spacing_us")


@dataclass(frozen=True, slots=True)
class Answer:
    """A message back from whoever gets one, once for each.

    Attributes:
        size: bytes of it.
        think_us: from the end of the frame to its coming.
        jitter_us: it comes later by up to so much, evenly distributed.
        rate: ``wifi_phy_rate_t`` number; None: the request's.
    """

    size: int
    think_us: int = 0
    jitter_us: float = 0.0
    rate: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError: a number makes no sense."""
        _must(1 <= self.size <= _V2_MOST, "size", self.size, f"1 to {_V2_MOST}")
        _are_times(self, "think_us", "jitter_us")
        _must(self.rate is None or self.rate in RATES, "rate", self.rate, "a wifi_phy_rate_t number, or None")


@dataclass(frozen=True, slots=True)
class Flood:
    """Whoever hears a message to all for the first time sends it on, once; whatever station he is.

    Attributes:
        hops: so often it is sent in a row at most, the first time among them; 1 to 255.
        delay_us: from hearing it to its coming at the one who sends it on.
        jitter_us: it comes later by up to so much, evenly distributed.
    """

    hops: int
    delay_us: int = 0
    jitter_us: float = 20_000.0

    def __post_init__(self) -> None:
        """Raises ValueError: a number makes no sense."""
        _must(1 <= self.hops <= _MOST_HOPS, "hops", self.hops, f"1 to {_MOST_HOPS}")
        _are_times(self, "delay_us", "jitter_us")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages of one station.

    Attributes:
        station: number of the sender.
        to: number of the receiver, or `BROADCAST`.
        size: bytes of a message.
        kind: when they come.
        period_us: from one to the next, 1 or more; the mean for POISSON; nothing for SATURATED. This and all times are
            less than 285 years.
        jitter_us: each comes later by up to so much, evenly distributed (PERIODIC).
        first_us: when the first comes.
        rate: ``wifi_phy_rate_t`` number.
        burst: how many messages come each time; a period counts from a burst's first message, that of POISSON from its
            last.
        event: what happens at these instants to all traffic with the same number, kind and period; each station reacts
            later by up to its own `jitter_us`, and to what happened before it did, at once afterwards.
        answer: what the receiver sends back; not for messages to all.
        flood: who hears a message to all sends it on.
    """

    station: int
    to: int = BROADCAST
    size: int = 200
    kind: TrafficKind = TrafficKind.PERIODIC
    period_us: float = 1e6
    jitter_us: float = 0.0
    first_us: int = 0
    rate: int = 0
    burst: Burst | None = None
    event: int | None = None
    answer: Answer | None = None
    flood: Flood | None = None

    def __post_init__(self) -> None:
        """Raises ValueError: a number makes no sense."""
        _must(self.station >= 0, "station", self.station, "a station's number, 0 or more")
        _must(self.to >= BROADCAST and self.to != self.station, "to", self.to, "another station's number, or BROADCAST")
        _must(1 <= self.size <= _V2_MOST, "size", self.size, f"1 to {_V2_MOST}")
        _must(isinstance(self.kind, TrafficKind), "kind", self.kind, "a TrafficKind")
        if self.kind is not TrafficKind.SATURATED:
            _are_times(self, "period_us", least_us=1)
        _are_times(self, "jitter_us", "first_us")
        _must(self.rate in RATES, "rate", self.rate, "a wifi_phy_rate_t number")
        _must(self.answer is None or self.to != BROADCAST, "answer", self.answer, "None for messages to all")
        _must(self.flood is None or self.to == BROADCAST, "flood", self.flood, "None for messages to one station")
        if self.kind is TrafficKind.SATURATED:
            for name in ("burst", "event", "flood"):
                _must(getattr(self, name) is None, name, getattr(self, name), "None for SATURATED")
        elif self.kind is TrafficKind.PERIODIC and self.burst is not None:
            whole_us = (self.burst.count - 1) * self.burst.spacing_us
            _must(whole_us < self.period_us, "burst", self.burst, "over before the next one comes")


@dataclass(frozen=True, slots=True)
class Access:
    """When stations transmit; IEEE 802.11-2020, long slots at 2.4 GHz.

    Attributes:
        slot_us: slot time.
        difs_us: SIFS and two slots.
        eifs_us: after a frame with an error: SIFS, an acknowledgement at 1 Mb/s, DIFS (10.3.2.3.7).
        timeout_us: from the end of a frame until no acknowledgement counts as coming: SIFS, a slot, and the time until
            the PHY tells of a frame's begin (10.3.2.11).
        turnaround_us: a station whose turn comes so soon after another began sends all the same (aRxTxTurnaroundTime).
        cw_min: first contention window, in slots.
        cw_max: largest contention window.
    """

    slot_us: int = 20
    difs_us: int = 50
    eifs_us: int = 364
    timeout_us: int = 222
    turnaround_us: int = 5
    cw_min: int = 31
    cw_max: int = 1023

    def __post_init__(self) -> None:
        """Raises ValueError: a number makes no sense."""
        _must(1 <= self.slot_us <= 1e6, "slot_us", self.slot_us, "1 to 1000000")
        for name in ("difs_us", "eifs_us", "timeout_us", "turnaround_us"):
            _must(0 <= getattr(self, name) <= 1e6, name, getattr(self, name), "0 to 1000000")
        for name in ("cw_min", "cw_max"):
            _must(0 <= getattr(self, name) <= _MOST_SLOTS, name, getattr(self, name), f"0 to {_MOST_SLOTS} slots")
        _must(self.eifs_us >= self.difs_us, "eifs_us", self.eifs_us, "difs_us or more")
        _must(self.cw_max >= self.cw_min, "cw_max", self.cw_max, "cw_min or more")


@dataclass(frozen=True, slots=True)
class Receiver:
    """What a receiver needs.

    Attributes:
        noise_dbm: what is there all the time; the default is a bench's, at which sensitivities are told.
        sense_dbm: a signal as strong as this makes the medium busy, and so does a weaker one that can be received.
        least_dbm: no signal that is weaker is received, whatever the rate; None: the rate's sensitivity.
        detect_db: by so much a frame must be stronger than others on the air, to be told from them at its begin.
        detect_noise: noise counts as others do there; where it does, nothing weaker than noise is received, and at
            1 Mb/s a receiver hears what is.
        preamble_us: for so long others can spoil its begin.
        capture_db: a later frame that is stronger by so much is received in place of the earlier one; None: never.
        calibrated: each rate's error curve is moved to where the receiver, at its sensitivity and with the bench's
            noise, loses as many frames as the standard defines that by; False: the curves as theory has them, for
            comparisons with models that have the same.
    """

    noise_dbm: float = BENCH_NOISE_DBM
    sense_dbm: float = -96.0
    least_dbm: float | None = None
    detect_db: float = 4.0
    detect_noise: bool = False
    preamble_us: int = 4
    capture_db: float | None = None
    calibrated: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError: a number makes no sense."""
        _are_numbers(self, "noise_dbm", "sense_dbm", "detect_db")
        if self.least_dbm is not None:
            _are_numbers(self, "least_dbm")
        _must(self.preamble_us >= 0, "preamble_us", self.preamble_us, "0 or more")
        allowed = f"0 to {_MOST_DB}, or None"
        _must(self.capture_db is None or 0 <= self.capture_db <= _MOST_DB, "capture_db", self.capture_db, allowed)

    def least(self, rate: int) -> float:
        """Return the weakest signal of a rate that is received when nobody else sends, in dBm."""
        least_dbm = sensitivity_dbm(rate) if self.least_dbm is None else self.least_dbm
        return max(least_dbm, self.noise_dbm + self.detect_db) if self.detect_noise else least_dbm

    def better_db(self, rate: int) -> float:
        """Return by how many dB the error curve of a rate is moved: more is a better receiver.

        Args:
            rate: ``wifi_phy_rate_t`` number.
        """
        return calibration_db(rate, sensitivity_dbm(rate) - BENCH_NOISE_DBM) if self.calibrated else 0.0

    def floor_dbm(self, rates: Iterable[int]) -> float:
        """Return the weakest signal that matters where frames have these rates.

        Weaker ones are neither received nor sensed, and one of them adds less to the noise than there is of it.
        """
        used = set(rates)
        used |= {response_rate(rate) for rate in used}
        return min(self.sense_dbm, self.noise_dbm, *map(self.least, used))


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What came of the messages of one `Traffic`.

    Attributes:
        made: messages that came.
        dropped: of these, found the station's queue full.
        sent: transmissions that ended, repetitions among them.
        acknowledged: messages that were acknowledged, or sent to all.
        failed: messages that were not, after all attempts.
        attempts: transmissions that began.
        heard: decoded by anybody, whoever they were for.
        delivered: messages decoded by whom they were for, each once; one to all counts for each who decoded it, and
            one that is flooded once for each.
        latency_us: from coming to being acknowledged, added up.
        answers: what came of the answers to them; None if there are none.
        trip_us: of messages with answers, from coming to having the answer, added up over the answers that were
            delivered; of what is flooded, from coming to being heard, added up over what was delivered.
        floods: of what is flooded, messages that somebody heard and that nobody sends on any more.
        spread_us: of these, from coming until the last one heard it, added up.
    """

    made: int
    dropped: int
    sent: int
    acknowledged: int
    failed: int
    attempts: int
    heard: int
    delivered: int
    latency_us: float
    answers: StreamResult | None = None
    trip_us: float = 0.0
    floods: int = 0
    spread_us: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Stations and their traffic on one air, and what else radiates there.

    Attributes:
        places: the stations.
        traffic: what they send.
        propagation: what is lost between two places.
        access: when they transmit.
        receiver: what their receivers need.
        seed: decides everything that is random.
        interferers: what radiates besides.
        ways: where stations go, by their numbers; one that has a way is where that says, not at its place.
        losses: of pairs, each from an instant on, as they were measured; on top of what noise and others spoil.
    """

    places: Sequence[Place]
    traffic: Sequence[Traffic]
    propagation: Propagation = field(default_factory=LogDistance)
    access: Access = field(default_factory=Access)
    receiver: Receiver = field(default_factory=Receiver)
    seed: int = 1
    interferers: Sequence[Interferer] = ()
    ways: Mapping[int, Way] = field(default_factory=dict)
    losses: Sequence[Loss] = ()

    def begin(self) -> Course:
        """Return its run, at time 0.

        Raises:
            ValueError: a traffic, a way or a loss is of or for a station that is not there.
        """
        from espnow.air.course import Course  # which knows scenes itself
        from espnow.air.medium import Medium

        count = len(self.places)
        for number in self.ways:
            _must(0 <= number < count, "ways", number, f"of a station, below {count}, the number of places")
        for one in self.losses:
            _must(0 <= one.probability <= 1, "losses", one.probability, "a probability from 0 to 1")
            _are_times(one, "at_us")
            for number in (one.sender, one.receiver):
                _must(0 <= number < count, "losses", number, f"of stations, below {count}, the number of places")
        if not self.ways and not self.losses:
            return Course(self.kernel(), None, {}, ())
        everything: list[Place | Interferer] = [*self.places, *self.interferers]
        stream = lambda name: Random(f"{self.seed}/{name}")  # noqa: E731
        kernel, edges = self._kernel(spare=True)
        medium = Medium.around(
            kernel,
            everything,
            self.propagation,
            self.access,
            self.receiver,
            rates_of(self.traffic),
            stream,
            edges,
        )
        return Course(kernel, medium, self.ways, sorted(self.losses))

    def kernel(self) -> Kernel:
        """Return a kernel with all of it but what changes, at time 0.

        Raises:
            ValueError: a traffic is of or for a station that is not there.
        """
        return self._kernel(spare=False)[0]

    def _kernel(self, *, spare: bool) -> tuple[Kernel, tuple[int, int]]:
        """Return that, how many places in rows it has, and for how many there is room."""
        count = len(self.places)
        check_stations(self.traffic, count, count)
        rates = rates_of(self.traffic)
        everything: list[Place | Interferer] = [*self.places, *self.interferers]
        rows = neighbour_rows(
            [one.position for one in everything],
            [one.power_dbm for one in everything],
            self.propagation,
            self.receiver.floor_dbm(rates),
            heights_m=[one.height_m for one in everything],
            antennas_dbi=[one.antenna_dbi for one in everything],
        )
        edges = sum(len(others) for others, _, _ in rows)
        # Rows have places of a few sizes, and get others when they change.
        room = edges + min(4 * len(everything) ** 2, 8 * edges + 256 * len(everything)) + 1024 if spare else edges
        streams = streams_of(self.traffic)
        kernel = make_kernel(
            len(everything), room, streams + len(self.interferers), self.seed, self.access, self.receiver
        )
        for number, (one, (others, gains, delays)) in enumerate(zip(everything, rows, strict=True)):
            kernel.set_row(number, others, gains, delays)
            kernel.set_station(number, one.channel, milliwatts(one.power_dbm), getattr(one, "attempts", 1))
            kernel.set_receiver(number, ON, True)
        describe_rates(kernel, rates, self.receiver)
        start_traffic(
            kernel,
            self.traffic,
            range(count),
            0,
            lambda event: Random(f"{self.seed}/event/{event}"),
            drifts_ppm=[place.drift_ppm for place in self.places],
        )
        start_interferers(kernel, self.interferers, count, streams)
        return kernel, (edges, room)

    def results(self, kernel: Kernel) -> list[StreamResult]:
        """Return what came of each traffic on a kernel of this scene, until now."""
        return stream_results(kernel, self.traffic, 0)

    def run(self, us: int) -> list[StreamResult]:
        """Let so much time pass, and return what came of each traffic."""
        course = self.begin()
        course.run(us)
        return self.results(course.kernel)


def check_stations(traffic: Sequence[Traffic], senders: int, receivers: int) -> None:
    """Raises ValueError: a traffic is of or for a station that is not there."""
    for number, one in enumerate(traffic):
        _must(
            one.station < senders, f"traffic {number}: station", one.station, f"below {senders}, the number of places"
        )
        _must(one.to < receivers, f"traffic {number}: to", one.to, f"below {receivers}, the number of places")


def stream_results(kernel: Kernel, traffic: Sequence[Traffic], first: int) -> list[StreamResult]:
    """Return what came of each traffic whose first stream is `first`, until now."""
    found = []
    answers = first + len(traffic)
    for number, one in enumerate(traffic, first):
        back = None
        if one.answer is not None:
            back = StreamResult(*kernel.totals(answers))
            answers += 1
        found.append(StreamResult(*kernel.totals(number), back, *kernel.reactions(number)))
    return found


def on_event(
    places: Sequence[Place],
    at: Position,
    radius_m: float,
    traffic: Callable[[int], Traffic],
) -> list[Traffic]:
    """Return the traffic of all stations that notice what happens somewhere.

    Args:
        places: all stations.
        at: where it happens, metres east and north.
        radius_m: so far away it is noticed.
        traffic: what a station sends then, by its number; with the same `Traffic.event` for all.
    """
    return [traffic(number) for number, place in enumerate(places) if math.dist(place.position, at) <= radius_m]

"""Stations without programs on one air: who stands where and sends what; and what comes of it.

Rules:

- A scene is values; `run` makes a kernel of it and lets time pass. The same scene and seed give the same result, to the
  bit, whether the kernel is compiled or not.
- A message is an ESP-NOW frame of version 1 or 2 by its length; how long it takes is the standard's formula.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from espnow.air.errorrate import sure_ratio, survival_curve
from espnow.air.kernel import Kernel
from espnow.air.neighbours import neighbour_rows
from espnow.air.propagation import HEIGHT_M, LogDistance, Position, Propagation, sensitivity_dbm
from espnow.frame import (
    ACK_LENGTH,
    FCS_LENGTH,
    HEADER_LENGTH,
    LR_RATES,
    RATE_1M,
    RATE_6M,
    RATES,
    SIFS_US,
    airtime_us,
    response_rate,
)

__all__ = [
    "BROADCAST",
    "Access",
    "Place",
    "Receiver",
    "Scene",
    "StreamResult",
    "Traffic",
    "TrafficKind",
    "describe_rates",
    "frame_length",
    "make_kernel",
    "milliwatts",
]

#: `Traffic.to` of a message to all.
BROADCAST = -1

_V1_MOST = 250


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
    """

    position: Position
    power_dbm: float = 20.0
    channel: int = 1
    attempts: int = 7
    height_m: float = HEIGHT_M
    antenna_dbi: float = 0.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages of one station.

    Attributes:
        station: number of the sender.
        to: number of the receiver, or `BROADCAST`.
        size: bytes of a message.
        kind: when they come.
        period_us: from one to the next; the mean for POISSON; nothing for SATURATED.
        jitter_us: each comes later by up to so much, evenly distributed (PERIODIC).
        first_us: when the first comes.
        rate: ``wifi_phy_rate_t`` number.
    """

    station: int
    to: int = BROADCAST
    size: int = 200
    kind: TrafficKind = TrafficKind.PERIODIC
    period_us: float = 1e6
    jitter_us: float = 0.0
    first_us: int = 0
    rate: int = 0


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


@dataclass(frozen=True, slots=True)
class Receiver:
    """What a receiver needs.

    Attributes:
        noise_dbm: thermal noise in 20 MHz and 7 dB of the receiver's own (assumed).
        sense_dbm: a signal as strong as this makes the medium busy, and so does a weaker one that can be received.
        least_dbm: no signal that is weaker is received, whatever the rate; None: the rate's sensitivity.
        detect_db: by so much a frame must be stronger than others on the air, to be told from them at its begin.
        preamble_us: for so long others can spoil its begin.
        capture_db: a later frame that is stronger by so much is received in place of the earlier one; None: never.
    """

    noise_dbm: float = -94.0
    sense_dbm: float = -96.0
    least_dbm: float | None = None
    detect_db: float = 4.0
    preamble_us: int = 4
    capture_db: float | None = None

    def least(self, rate: int) -> float:
        """Return the weakest signal of a rate that is received, in dBm."""
        return sensitivity_dbm(rate) if self.least_dbm is None else self.least_dbm

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
        delivered: messages decoded by whom they were for, each once; one to all counts for each who decoded it.
        latency_us: from coming to being answered, added up.
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


@dataclass(frozen=True, slots=True)
class Scene:
    """Stations and their traffic on one air."""

    places: Sequence[Place]
    traffic: Sequence[Traffic]
    propagation: Propagation = field(default_factory=LogDistance)
    access: Access = field(default_factory=Access)
    receiver: Receiver = field(default_factory=Receiver)
    seed: int = 1

    def kernel(self) -> Kernel:
        """Return a kernel with all of it, at time 0."""
        rates = {one.rate for one in self.traffic}
        rows = neighbour_rows(
            [place.position for place in self.places],
            [place.power_dbm for place in self.places],
            self.propagation,
            self.receiver.floor_dbm(rates),
            heights_m=[place.height_m for place in self.places],
            antennas_dbi=[place.antenna_dbi for place in self.places],
        )
        edges = sum(len(others) for others, _, _ in rows)
        kernel = make_kernel(len(self.places), edges, len(self.traffic), self.seed, self.access, self.receiver)
        for number, (place, (others, gains, delays)) in enumerate(zip(self.places, rows, strict=True)):
            kernel.set_row(number, others, gains, delays)
            kernel.set_station(number, place.channel, milliwatts(place.power_dbm), place.attempts)
        describe_rates(kernel, rates, self.receiver)
        for number, one in enumerate(self.traffic):
            us = airtime_us(frame_length(one.size), one.rate)
            kernel.set_stream(number, one.station, one.kind, one.period_us, one.jitter_us, one.to, one.rate, us)
            kernel.start_stream(number, one.first_us)
        return kernel

    def run(self, us: int) -> list[StreamResult]:
        """Let so much time pass, and return what came of each traffic."""
        kernel = self.kernel()
        kernel.run(us)
        return [StreamResult(*kernel.totals(number)) for number in range(len(self.traffic))]


def make_kernel(count: int, edges: int, streams: int, seed: int, access: Access, receiver: Receiver) -> Kernel:
    """Return a kernel with room for so many stations, pairs that hear each other, and streams of messages."""
    return Kernel(
        count,
        edges,
        streams,
        seed,
        (
            access.slot_us,
            SIFS_US,
            access.difs_us,
            access.eifs_us,
            access.timeout_us,
            access.turnaround_us,
            access.cw_min,
            access.cw_max,
            receiver.preamble_us,
        ),
        milliwatts(receiver.noise_dbm),
        milliwatts(receiver.sense_dbm),
        10 ** (receiver.detect_db / 10),
        0.0 if receiver.capture_db is None else 10 ** (receiver.capture_db / 10),
    )


def describe_rates(kernel: Kernel, rates: Iterable[int], receiver: Receiver) -> None:
    """Tell a kernel of rates, and of those that their answers and headers have."""
    used = set(rates)
    used |= {response_rate(rate) for rate in used}
    for rate in sorted(used | {_header_rate(rate) for rate in used}):
        answer = response_rate(rate)
        kernel.set_rate(
            rate,
            answer,
            airtime_us(ACK_LENGTH, answer),
            airtime_us(0, rate),
            RATES[rate].kbit_s / 1000,
            sure_ratio(rate),
            milliwatts(receiver.least(rate)),
            _header_rate(rate),
            survival_curve(rate),
            rate in LR_RATES,
        )


def frame_length(size: int) -> int:
    """Return the bytes on the air of an ESP-NOW frame with so many bytes of message, its FCS included.

    After the header 8 of category, organisation and random value, then 7 of each element's head.
    """
    elements = max(1, -(-size // _V1_MOST))
    return HEADER_LENGTH + 8 + 7 * elements + size + FCS_LENGTH


def _header_rate(rate: int) -> int:
    """Return the rate that a frame's header has: the slowest of its modulation."""
    return {"DSSS": RATE_1M, "CCK": RATE_1M, "OFDM": RATE_6M, "HT": RATE_6M}.get(RATES[rate].modulation, rate)


def milliwatts(dbm: float) -> float:
    """Return the power of a level in dBm."""
    return float(10 ** (dbm / 10))

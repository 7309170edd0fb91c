"""What a kernel is told of a scene: its stations' access and receivers, its rates, and what is sent.

Rules: a kernel knows numbers alone. What a value of `espnow.air.scene` means to it is said here, for scenes and for the
crowds among boards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import TYPE_CHECKING

from espnow.air.errorrate import sure_ratio, survival_curve
from espnow.air.kernel import GROUP_ADDRESS, Kernel
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

if TYPE_CHECKING:
    from espnow.air.scene import Access, Receiver, Traffic

__all__ = [
    "describe_rates",
    "frame_length",
    "make_kernel",
    "milliwatts",
    "rates_of",
    "start_traffic",
    "streams_of",
]

_V1_MOST = 250

#: Kinds of streams as the kernel numbers them: two of `TrafficKind`, and two that are none.
_PERIODIC, _POISSON, _EVENT, _ANSWERS = 0, 1, 4, 5


def rates_of(traffic: Iterable[Traffic]) -> set[int]:
    """Return the rates that messages and their answers have."""
    return {rate for one in traffic for rate in (one.rate, _answer_rate(one))}


def streams_of(traffic: Iterable[Traffic]) -> int:
    """Return how many streams of messages traffic is: one each, and one for its answers."""
    return sum(1 if one.answer is None else 2 for one in traffic)


def start_traffic(
    kernel: Kernel,
    traffic: Sequence[Traffic],
    numbers: Sequence[int],
    first: int,
    chance: Callable[[int], Random],
    now_us: int = 0,
    *,
    drifts_ppm: Sequence[float],
) -> None:
    """Tell a kernel of traffic, and let it begin.

    Args:
        kernel: with room for `streams_of` the traffic from `first` on: answers are streams behind all that is asked.
        traffic: which stations send what.
        numbers: of the stations, in the kernel, by those that the traffic has.
        first: the first stream.
        chance: returns the random stream of an event.
        now_us: times count from then on.
        drifts_ppm: how fast the stations' clocks are; see `Place`.
    """
    answers = first + len(traffic)
    for number, one in enumerate(traffic, first):
        us = airtime_us(frame_length(one.size), one.rate)
        kind = int(one.kind) if one.event is None else _EVENT
        station, to = numbers[one.station], GROUP_ADDRESS if one.to == GROUP_ADDRESS else numbers[one.to]
        period_us = one.period_us
        if one.kind == _PERIODIC and one.event is None:
            period_us /= 1 + drifts_ppm[one.station] * 1e-6
        kernel.set_stream(number, station, kind, period_us, one.jitter_us, to, one.rate, us)
        if one.burst is not None:
            kernel.set_burst(number, one.burst.count, one.burst.spacing_us)
        if one.event is not None:
            kernel.set_event(number, one.kind == _POISSON, chance(one.event).getrandbits(64))
        if one.flood is not None:
            kernel.set_flood(number, one.flood.hops, one.flood.delay_us, one.flood.jitter_us)
        if one.answer is not None:
            rate = _answer_rate(one)
            us = airtime_us(frame_length(one.answer.size), rate)
            kernel.set_stream(answers, to, _ANSWERS, 0.0, 0.0, station, rate, us)
            kernel.set_answer(number, answers, one.answer.think_us, one.answer.jitter_us)
            kernel.set_group(answers, -1)
            answers += 1
        kernel.start_stream(number, now_us + one.first_us)


def _answer_rate(of: Traffic) -> int:
    return of.rate if of.answer is None or of.answer.rate is None else of.answer.rate


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
        milliwatts(receiver.noise_dbm) if receiver.detect_noise else 0.0,
    )


def describe_rates(kernel: Kernel, rates: Iterable[int], receiver: Receiver) -> None:
    """Tell a kernel of rates, and of those that their answers and headers have."""
    used = set(rates)
    used |= {response_rate(rate) for rate in used}
    for rate in sorted(used | {_header_rate(rate) for rate in used}):
        answer = response_rate(rate)
        better_db = receiver.better_db(rate)
        kernel.set_rate(
            rate,
            answer,
            airtime_us(ACK_LENGTH, answer),
            airtime_us(0, rate),
            RATES[rate].kbit_s / 1000,
            sure_ratio(rate, better_db),
            milliwatts(receiver.least(rate)),
            _header_rate(rate),
            survival_curve(rate, better_db),
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

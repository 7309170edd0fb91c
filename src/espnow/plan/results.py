"""What came of a run, and what many runs say together: means, and how sure they are.

Definitions:

- Delivery: of messages to one station, how many it decoded, each counted once, of those that were sent or found the
  queue full; of messages to all, how many receptions there were, of those by all whom the signal reaches with its
  rate's sensitivity.
- Acknowledged: of messages to one station, how many the sender knows of: fewer than were delivered, since an
  acknowledgement can be lost, too.
- Latency: from a message's coming to its acknowledgement, or the end of a message to all; of those that were answered.
- Load: how much of the time the channel is busy where a station stands: it sends, or senses others.
- Retries: transmissions of a message after the first; of what is flooded, by all stations.
- Answered: of messages with an answer, how many had it delivered; and the round trip, from their coming until then.
- Of what is flooded delivery is how many others heard it, each counted once, of all on its channel; latency is from its
  coming until each heard it, and the time of the last is that of the last of those that did.
- Fairness: Jain's index of the messages that each sender got through; 1 when all have the same share.
- An interval is Student's t, 95 percent, over the seeds.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from espnow.air.kernel import LATENCY_STEPS, Kernel
from espnow.air.scene import BROADCAST, StreamResult
from espnow.frame.text import printable
from espnow.plan.energy import consumption
from espnow.plan.layout import Layout
from espnow.plan.parts import ALL, PlanPart
from espnow.tomlfile import shown

__all__ = [
    "ENERGY",
    "METRICS",
    "Interval",
    "Metric",
    "Row",
    "interval",
    "jain",
    "observe",
    "percentile_us",
    "summarise",
    "value_text",
]

#: Where nobody else is.
_NO_CHANNEL = 0

#: A map shows so many stations at most.
_MOST_ON_MAP = 1_000


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a run's traffic.

    Attributes:
        name: in files.
        title: in tables; in `unit`.
        unit: in which tables show it.
        scale: a figure times this is in `unit`.
        digits: after the point, in tables.
        meaning: for reports.
    """

    name: str
    title: str
    unit: str
    scale: float
    digits: int
    meaning: str


METRICS = (
    Metric("delivery", "delivery", "%", 100, 1, "messages that arrived, of those sent"),
    Metric("acknowledged", "acked", "%", 100, 1, "messages of which the sender knows that they arrived, of those sent"),
    Metric("latency_ms", "latency", "ms", 1, 2, "mean latency"),
    Metric("latency_p50_ms", "p50", "ms", 1, 2, "latency that half of the messages keep"),
    Metric("latency_p90_ms", "p90", "ms", 1, 2, "latency that 90 % keep"),
    Metric("latency_p99_ms", "p99", "ms", 1, 2, "latency that 99 % keep"),
    Metric("answered", "answered", "%", 100, 1, "messages whose answer arrived, of those sent"),
    Metric("round_trip_ms", "round trip", "ms", 1, 2, "mean time from a message's coming until its answer arrived"),
    Metric("round_trip_p99_ms", "trip p99", "ms", 1, 2, "round trip that 99 % keep"),
    Metric("last_ms", "last", "ms", 1, 2, "mean time from a flood's coming until the last of its hearers had it"),
    Metric("retries", "retries", "", 1, 3, "transmissions of a message after the first"),
    Metric("load", "load", "%", 100, 1, "how much of the time the channel is busy, mean over the stations"),
    Metric("load_most", "load max", "%", 100, 1, "the same where it is busiest"),
    Metric("fairness", "fairness", "", 1, 3, "Jain's index over the senders"),
    Metric("throughput_kbit_s", "kbit/s", "", 1, 1, "message bytes delivered, in kbit/s"),
    Metric("dropped", "dropped", "%", 100, 1, "messages that found the queue full"),
)


#: What the stations of a group take from their supply.
ENERGY = (
    Metric("current_ma", "current", "mA", 1, 3, "mean current of a station"),
    Metric("mah_per_day", "mAh/day", "", 1, 2, "charge that a station takes in a day"),
    Metric("battery_days", "lasts", "days", 1, 1, "how long a battery lasts, mean over the stations"),
    Metric("battery_days_least", "first empty", "days", 1, 1, "when the first station's battery is empty"),
    Metric("transmit_share", "sending", "%", 100, 1, "share of the charge that goes into sending"),
    Metric("receive_share", "receiving", "%", 100, 1, "share that goes into a receiver that is on"),
    Metric("boot_share", "boot", "%", 100, 1, "share that goes into booting"),
    Metric("between_share", "between", "%", 100, 1, "share that goes into the sleep between messages"),
    Metric("board_share", "board", "%", 100, 1, "share that the rest of the board takes"),
)


def observe(part: PlanPart, layout: Layout, kernel: Kernel) -> dict[str, Any]:
    """Return what came of a run, as JSON has it; None where a figure has no meaning."""
    totals = layout.scene.results(kernel)
    loads = [_load(kernel, number, part.duration_us) for number in range(len(layout.scene.places))]
    load = {"load": _rounded(sum(loads) / len(loads)), "load_most": _rounded(max(loads))}
    energy = consumption(part, layout, kernel, totals)
    wanted = _wanted(layout, kernel)
    of: dict[int, list[int]] = defaultdict(list)
    for stream, number in enumerate(layout.traffic_of):
        of[number].append(stream)
    found = {}
    for number, traffic in enumerate(part.traffic):
        mine = [totals[stream] for stream in of[number]]
        to_all = traffic.to == ALL
        arrived = [one.delivered for one in mine]
        concluded = sum(one.acknowledged + one.failed for one in mine)
        made = sum(one.made for one in mine)
        acknowledged = sum(one.acknowledged for one in mine)
        found[traffic.name or str(number)] = {
            "messages": made,
            "delivery": _delivery([(totals[stream], wanted[stream]) for stream in of[number]]),
            "acknowledged": None if to_all or not (tried := sum(map(_tried, mine))) else _rounded(acknowledged / tried),
            **_times(part, number, kernel, mine),
            "retries": None
            if (to_all and traffic.flood is None) or not concluded
            else _rounded(max(0.0, sum(one.attempts for one in mine) / concluded - 1)),
            **load,
            "fairness": _rounded(jain(arrived)),
            "throughput_kbit_s": _rounded(sum(arrived) * traffic.size * 8e3 / part.duration_us),
            "dropped": _rounded(sum(one.dropped for one in mine) / made) if made else None,
        }
    return {
        "traffic": found,
        "energy": energy,
        "map": _map(layout, totals, wanted),
    }


def _times(part: PlanPart, number: int, kernel: Kernel, mine: Sequence[StreamResult]) -> dict[str, float | None]:
    """Return how long a traffic's messages took, and what they caused."""
    flooded, asked = part.traffic[number].flood is not None, part.traffic[number].answer is not None
    trips = kernel.latency_counts(len(part.traffic) + number)
    counts = trips if flooded else kernel.latency_counts(number)
    took_us = sum(one.trip_us if flooded else one.latency_us for one in mine)
    done = sum(one.delivered if flooded else one.acknowledged for one in mine)
    answered = sum(one.answers.delivered for one in mine if one.answers is not None)
    tried = sum(map(_tried, mine))
    floods = sum(one.floods for one in mine)
    return {
        "latency_ms": _ms(took_us / done) if done else None,
        **{f"latency_p{share}_ms": _ms(percentile_us(counts, share / 100)) for share in (50, 90, 99)},
        "answered": _rounded(answered / tried) if asked and tried else None,
        "round_trip_ms": _ms(sum(one.trip_us for one in mine) / answered) if answered else None,
        "round_trip_p99_ms": _ms(percentile_us(trips, 0.99)) if asked else None,
        "last_ms": _ms(sum(one.spread_us for one in mine) / floods) if floods else None,
    }


def _wanted(layout: Layout, kernel: Kernel) -> list[int | None]:
    """Return for each stream how many others it is for; None: one station.

    What else the kernel counted is to be taken before: who sleeps is moved out of the way.
    """
    places, streams = layout.scene.places, layout.scene.traffic
    channels = Counter(place.channel for place in places)
    for number in layout.asleep:
        kernel.set_channel(number, _NO_CHANNEL)

    def hearers(station: int, rate: int) -> int:
        kernel.set_channel(station, places[station].channel)
        found = kernel.hearers(station, rate)
        if station in layout.asleep:
            kernel.set_channel(station, _NO_CHANNEL)
        return found

    found: list[int | None] = []
    for stream in streams:
        if stream.flood is not None:
            found.append(channels[places[stream.station].channel] - 1)
        else:
            found.append(hearers(stream.station, stream.rate) if stream.to == BROADCAST else None)
    return found


def _load(kernel: Kernel, station: int, duration_us: int) -> float:
    sent_us, busy_us, _ = kernel.station_totals(station)
    return min(1.0, (sent_us + busy_us) / duration_us)


def _tried(one: StreamResult) -> int:
    """Return how many messages of a stream are done with; one that is on its way may have arrived already."""
    return max(one.acknowledged + one.failed, one.delivered) + one.dropped


def _delivery(of: Iterable[tuple[StreamResult, int | None]]) -> float | None:
    """Return the delivery of streams, of each what came and for how many it is."""
    delivered = tried = 0
    for one, wanted in of:
        delivered += one.delivered
        tried += (one.acknowledged + one.dropped) * wanted if wanted is not None else _tried(one)
    return _rounded(delivered / tried) if tried else None


def _map(layout: Layout, totals: Sequence[StreamResult], wanted: Sequence[int | None]) -> list[list[float | None]]:
    """Return where each station stands, and the delivery of what it sends; nothing if there are too many."""
    places, streams = layout.scene.places, layout.scene.traffic
    if len(places) > _MOST_ON_MAP:
        return []
    of: dict[int, list[tuple[StreamResult, int | None]]] = defaultdict(list)
    for stream, one, count in zip(streams, totals, wanted, strict=True):
        of[stream.station].append((one, count))
    return [
        [round(place.position[0], 2), round(place.position[1], 2), _delivery(of[number])]
        for number, place in enumerate(places)
    ]


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)


def _ms(us: float | None) -> float | None:
    return None if us is None else round(us / 1000, 4)


def percentile_us(counts: Sequence[int], share: float) -> float | None:
    """Return the latency that a share of the messages keeps; None without any.

    Args:
        counts: as `Kernel.latency_counts` gives them; within a step the latencies are taken as evenly spread.
        share: 0 to 1.
    """
    rest = sum(counts) * share
    if not rest:
        return None
    for step, count in enumerate(counts):
        if count and rest <= count:
            return float(10 ** ((step + rest / count) / LATENCY_STEPS) - 1)
        rest -= count
    return None


def jain(shares: Sequence[float]) -> float | None:
    """Return Jain's index of fairness: from 1 / n, one has all, to 1, all have the same; None if nobody has any."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else None


# Over several seeds.


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and how sure it is.

    Attributes:
        mean: of the runs.
        half: the true mean is within so much of it, with 95 percent confidence; None: one run alone cannot tell.
        runs: how many runs have the figure.
    """

    mean: float
    half: float | None
    runs: int


@dataclass(frozen=True, slots=True)
class Row:
    """What the runs of a point say of one traffic, or of one group's energy.

    Attributes:
        values: what the swept keys are.
        name: the traffic's or the group's.
        runs: how many there are.
        figures: by the names of `METRICS` or `ENERGY`; None where a figure has no meaning.
    """

    values: tuple[tuple[str, Any], ...]
    name: str
    runs: int
    figures: Mapping[str, Interval | None]


#: Student's t, 97.5 percent, for 1 to 30 degrees of freedom.
_T = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281),
    *(2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860),
    *(2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423),
)
_NORMAL = 1.959964


def value_text(value: object) -> str:
    """Return what a swept key was, as a table shows it: a text as it is, a table of TOML as ``key=value``."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(str(key))}={value_text(part)}" for key, part in value.items())
    return shown(value)


def student(freedom: int) -> float:
    """Return Student's t for a confidence of 95 percent on both sides."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    # Cornish and Fisher's expansion; its error is below 0.0001 from here on.
    z = _NORMAL
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def interval(figures: Sequence[float]) -> Interval | None:
    """Return the mean of some figures and its confidence; None of none."""
    count = len(figures)
    if not count:
        return None
    mean = math.fsum(figures) / count
    if count == 1:
        return Interval(mean, None, 1)
    variance = math.fsum((figure - mean) ** 2 for figure in figures) / (count - 1)
    return Interval(mean, student(count - 1) * math.sqrt(variance / count), count)


def summarise(
    records: Iterable[Mapping[str, Any]], part: str = "traffic", metrics: Sequence[Metric] = METRICS
) -> list[Row]:
    """Return a row for each point and traffic, or each point and group, in the order in which they come.

    Args:
        records: what `espnow.plan.run.run_once` returned.
        part: of a record: ``traffic``, or ``energy``.
        metrics: the figures that it has.
    """
    runs: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        runs[record["run"].rpartition("-")[0]].append(record)
    rows = []
    for of_point in runs.values():
        values = tuple(of_point[0]["point"].items())
        for name in of_point[0][part]:
            found = [record[part][name] for record in of_point]
            figures = {
                metric.name: interval([one[metric.name] for one in found if one[metric.name] is not None])
                for metric in metrics
            }
            rows.append(Row(values, name, len(of_point), figures))
    return rows

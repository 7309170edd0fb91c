"""Bursts, events, requests and answers, floods: held against what they must be on an idle air, and in any scene."""

from random import Random

import pytest

from espnow.air import telling
from espnow.air.propagation import LinkTable, LogDistance, Shadowing
from espnow.air.scene import (
    BROADCAST,
    Access,
    Answer,
    Burst,
    Flood,
    Place,
    Receiver,
    Scene,
    Traffic,
    TrafficKind,
    on_event,
)
from espnow.air.telling import frame_length
from espnow.frame import SIFS_US, airtime_us

from .twins import INTERPRETED

ONCE_US = 1e12
DIFS_US = 50
ACK_US = 304
#: Nobody draws a slot.
NO_SLOTS = Access(cw_min=0, cw_max=0)


def frame_us(size, rate=0):
    return airtime_us(frame_length(size), rate)


def line(stations):
    """Return the propagation of a line of stations, of which each hears its two neighbours."""
    return LinkTable({(i, i + 1): 60.0 for i in range(stations - 1)})


def air(stations, traffic, propagation=None, access=None, seed=1, **place):
    everybody = {(i, j): 60.0 for i in range(stations) for j in range(i)}
    places = [Place((0.0, 0.0), **place)] * stations
    return Scene(places, traffic, propagation or LinkTable(everybody), access or Access(), Receiver(), seed)


class Watched(INTERPRETED.Kernel):
    """A kernel that writes down each message: when, of which station, of which stream."""

    def __init__(self, *options):
        super().__init__(*options)
        self.log = []

    def transmit(self, i, stream, made_us):
        self.log.append((made_us, i, stream))
        return super().transmit(i, stream, made_us)


@pytest.fixture
def watched(monkeypatch):
    monkeypatch.setattr(telling, "Kernel", Watched)


# Bursts.


@pytest.mark.parametrize("to", [BROADCAST, 1])
@pytest.mark.parametrize("count", [1, 2, 7, 32])
def test_a_burst_drains_in_the_exact_time(to, count):
    traffic = Traffic(0, to, 100, period_us=ONCE_US, first_us=1000, burst=Burst(count))
    one_us = frame_us(100) + (0 if to == BROADCAST else SIFS_US + ACK_US)
    one = air(2, [traffic], access=NO_SLOTS)
    drained_us = 1000 + count * one_us + (count - 1) * DIFS_US
    (before,) = one.run(drained_us - 1)
    (result,) = one.run(drained_us)
    assert (before.acknowledged, result.acknowledged, result.made) == (count - 1, count, count)
    assert result.latency_us == sum(k * one_us + (k - 1) * DIFS_US for k in range(1, count + 1))


def test_what_does_not_fit_is_dropped():
    (result,) = air(2, [Traffic(0, BROADCAST, 100, period_us=ONCE_US, burst=Burst(40))]).run(1_000_000)
    assert (result.made, result.dropped, result.acknowledged) == (40, 8, 32)


@pytest.mark.usefixtures("watched")
def test_a_burst_with_spacing():
    traffic = Traffic(0, BROADCAST, 100, period_us=100_000, first_us=7, burst=Burst(3, 5_000))
    kernel = air(2, [traffic]).kernel()
    kernel.run(250_000)
    assert [at for at, _, _ in kernel.log] == [7 + 100_000 * n + 5_000 * k for n in range(3) for k in range(3)]


def test_poisson_bursts_keep_their_mean():
    """One standard error: 2 percent."""
    traffic = Traffic(0, BROADCAST, 1, TrafficKind.POISSON, 10_000, rate=11, burst=Burst(4, 100))
    (result,) = air(2, [traffic]).run(2500 * 10_300)
    assert result.made == pytest.approx(4 * 2500, rel=0.07)


# Clocks.


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("drift_ppm", [0.0, 10.0, -37.5, 12_345.0])
@pytest.mark.parametrize("period_us", [1000.0, 33_333.4])
def test_a_clock_that_drifts(drift_ppm, period_us):
    """Each instant within a microsecond of the clock's own, however many periods have passed."""
    traffic = Traffic(0, BROADCAST, 1, TrafficKind.PERIODIC, period_us, rate=12, first_us=500)
    kernel = air(2, [traffic], drift_ppm=drift_ppm).kernel()
    kernel.run(10_000_000)
    instants = [at for at, _, _ in kernel.log]
    assert len(instants) > 290
    for number, at in enumerate(instants):
        assert at == pytest.approx(500 + number * period_us / (1 + drift_ppm * 1e-6), abs=1.0001)


def test_clocks_that_drift_apart_meet():
    """Two hidden senders with the same period: they spoil each other while their frames overlap, and never otherwise.

    At 500 ppm between them they drift by a period in 2000 periods, and overlap in 2 T / P of these.
    """
    one_us, period_us = frame_us(20, 11), 10_000
    hidden = LinkTable({(0, 2): 60.0, (1, 2): 60.0})
    places = [Place((0.0, 0.0), drift_ppm=drift) for drift in (250.0, -250.0, 0.0)]
    traffic = [Traffic(i, BROADCAST, 20, period_us=period_us, first_us=5000 * i, rate=11) for i in range(2)]
    results = Scene(places, traffic, hidden, receiver=Receiver(calibrated=False)).run(2000 * period_us)
    for result in results:
        assert result.sent - result.delivered == pytest.approx(2000 * 2 * one_us / period_us, abs=3)


# Events.


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("kind", [TrafficKind.PERIODIC, TrafficKind.POISSON])
def test_an_event_is_at_the_same_instant_for_all(kind):
    """Each reacts within its time, and by itself."""

    def sends(station, jitter_us):
        return Traffic(station, BROADCAST, 20, kind, 200_000, jitter_us, 1000, 11, event=5)

    kernel = air(6, [sends(station, 0.0) for station in range(6)]).kernel()
    kernel.run(5_000_000)
    instants = [[at for at, i, _ in kernel.log if i == station] for station in range(6)]
    assert len(instants[0]) > 10
    assert all(one == instants[0] for one in instants)
    late = air(6, [sends(station, 3_000.0) for station in range(6)]).kernel()
    late.run(5_010_000)
    later = [[at for at, i, _ in late.log if i == station] for station in range(6)]
    assert all(0 <= after - at <= 3_000 for one in later for after, at in zip(one, instants[0], strict=False))
    assert len({tuple(one) for one in later}) == 6


@pytest.mark.usefixtures("watched")
def test_other_events_are_at_other_instants():
    traffic = [Traffic(i, BROADCAST, 20, TrafficKind.POISSON, 50_000, event=i) for i in range(2)]
    kernel = air(2, traffic).kernel()
    kernel.run(2_000_000)
    one, other = ([at for at, i, _ in kernel.log if i == station] for station in range(2))
    assert set(one[1:]).isdisjoint(other[1:])


def test_who_notices_an_event():
    places = [Place((10.0 * i, 0.0)) for i in range(10)]
    traffic = on_event(places, (42.0, 0.0), 20.0, lambda station: Traffic(station, event=0))
    assert [one.station for one in traffic] == [3, 4, 5, 6]


# Requests and answers.


@pytest.mark.parametrize(("think_us", "rate"), [(1000, 0), (400, 0), (400, 9), (123_456, None)])
def test_a_round_trip_on_an_idle_air(think_us, rate):
    """The answer's receiver has it at the microsecond: the request's frame, the time to think, the answer's frame."""
    asks = Traffic(0, 1, 100, period_us=ONCE_US, first_us=1000, answer=Answer(30, think_us, rate=rate))
    one = air(2, [asks])
    expected = frame_us(100) + think_us + frame_us(30, rate or 0)
    (before,) = one.run(1000 + expected - 1)
    (result,) = one.run(1000 + expected)
    assert (before.answers.delivered, result.answers.delivered) == (0, 1)
    assert result.trip_us == expected
    (later,) = one.run(1_000_000)
    assert (later.answers.made, later.answers.acknowledged, later.made) == (1, 1, 1)
    assert later.answers.latency_us == expected - frame_us(100) - think_us + SIFS_US + (ACK_US if not rate else 34)


def test_an_answer_at_once_waits_for_the_acknowledgement():
    asks = Traffic(0, 1, 100, period_us=ONCE_US, first_us=1000, answer=Answer(30))
    (result,) = air(2, [asks], access=NO_SLOTS).run(100_000)
    assert result.trip_us == frame_us(100) + SIFS_US + ACK_US + DIFS_US + frame_us(30)


def test_a_repeated_request_is_answered_once():
    """1 hears 0, and 0 hears nothing: each request is repeated, and answered seven times in vain."""
    deaf = LinkTable({(0, 1): 60.0, (1, 0): 200.0})
    asks = Traffic(0, 1, 100, period_us=ONCE_US, answer=Answer(30, 500))
    (result,) = air(2, [asks], deaf).run(1_000_000)
    assert (result.attempts, result.delivered, result.failed) == (7, 1, 1)
    assert (result.answers.made, result.answers.attempts, result.answers.failed) == (1, 7, 1)
    assert result.trip_us == 0.0


def test_many_requests_at_once():
    """More answers are thought of than there was room for at first."""
    asks = [
        Traffic(i, 0, 20, period_us=2e5, first_us=1000 * i, rate=11, answer=Answer(20, 150_000, 9_000.0))
        for i in range(1, 100)
    ]
    results = air(100, asks).run(1_200_000)
    assert sum(one.delivered for one in results) > 400
    for one in results:
        assert one.answers.delivered <= one.answers.made <= one.delivered
        assert one.answers.acknowledged + one.answers.failed + one.answers.dropped <= one.answers.made
        assert one.trip_us >= one.answers.delivered * (150_000 + 2 * frame_us(20, 11))


# Floods.


@pytest.mark.parametrize("stations", [2, 3, 12])
@pytest.mark.parametrize("hops", [1, 2, 5, 255])
def test_a_flood_along_a_line(stations, hops):
    """It reaches everybody, or as far as its hops go, each frame and delay after the other."""
    delay_us = 400
    floods = Traffic(0, BROADCAST, 50, period_us=ONCE_US, first_us=1000, flood=Flood(hops, delay_us, 0.0))
    (result,) = air(stations, [floods], line(stations)).run(1_000_000)
    far = min(hops, stations - 1)
    assert result.delivered == far
    assert result.attempts == result.sent == min(hops, stations)
    assert result.made == result.acknowledged == result.floods == 1
    heard_us = [k * frame_us(50) + (k - 1) * delay_us for k in range(1, far + 1)]
    assert result.trip_us == sum(heard_us)
    assert result.spread_us == heard_us[-1]
    assert result.latency_us == frame_us(50)


def test_a_flood_from_the_middle_goes_both_ways():
    floods = Traffic(6, BROADCAST, 50, period_us=ONCE_US, flood=Flood(20, 0, 20_000.0))
    results = [air(13, [floods], line(13), seed=seed).run(3_000_000)[0] for seed in range(10)]
    # Both ways at once meet once, at 6, who has sent it and sends it no more.
    assert [one.delivered for one in results] == [12] * 10
    assert [one.attempts for one in results] == [13] * 10


def crowded_scene(seed, flood):
    draw = Random(seed)
    count = draw.choice([5, 20, 40])
    side = draw.choice([30.0, 600.0, 4000.0])
    places = [
        Place((draw.uniform(0, side), draw.uniform(0, side)), channel=draw.choice([1, 1, 6])) for _ in range(count)
    ]
    traffic = [
        Traffic(
            i,
            BROADCAST,
            draw.randrange(1, 200),
            draw.choice([TrafficKind.PERIODIC, TrafficKind.POISSON]),
            draw.uniform(20_000, 200_000),
            first_us=draw.randrange(20_000),
            rate=draw.choice([0, 0, 11]),
            flood=flood,
        )
        for i in range(0, count, 2)
    ]
    others = [Traffic(i, (i + 1) % count, 100, TrafficKind.POISSON, 50_000) for i in range(1, count, 2)]
    return Scene(places, traffic + others, Shadowing(LogDistance(3.0), 4.0, seed), seed=seed)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("seed", range(12))
def test_a_flood_of_one_hop_is_a_message_to_all(seed):
    """Whoever decodes one hears it, once: those that heard nothing else, and those of whom books are kept."""
    flooded, plain = crowded_scene(seed, Flood(1)), crowded_scene(seed, None)
    kernels = flooded.kernel(), plain.kernel()
    for kernel in kernels:
        kernel.run(400_000)
    assert kernels[0].trace == kernels[1].trace
    for one, other in zip(flooded.results(kernels[0]), plain.results(kernels[1]), strict=True):
        assert one.delivered == other.delivered
        assert one.acknowledged == other.acknowledged
        assert one.latency_us == other.latency_us


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("seed", range(12))
def test_no_flood_is_lost_from_the_books(seed):
    one = crowded_scene(seed, Flood(4, 100, 30_000.0))
    results = one.run(600_000)
    channels = [place.channel for place in one.places]
    for traffic, result in zip(one.traffic, results, strict=True):
        if traffic.flood is None:
            continue
        others = channels.count(channels[traffic.station]) - 1
        assert result.delivered <= others * result.made
        assert result.delivered <= result.heard
        assert result.acknowledged <= result.attempts <= (others + 1) * result.made
        assert result.floods <= result.made - result.dropped
        assert 0 <= result.made - result.dropped - result.acknowledged <= 32
        assert result.trip_us >= result.delivered * frame_us(traffic.size, traffic.rate)
        # No flood was heard last before it was heard.
        assert result.spread_us >= result.floods * frame_us(traffic.size, traffic.rate)


def test_many_floods_at_once():
    """More are under way than there was room for at first; all are over when nothing comes any more."""
    floods = [
        Traffic(i, BROADCAST, 10, period_us=ONCE_US, rate=11, first_us=1000 * (i + 1), flood=Flood(9, 10_000, 90_000.0))
        for i in range(40)
    ]
    results = air(40, floods).run(3_000_000)
    # But what collided at once, and nobody heard.
    assert [one.floods for one in results] == [int(one.delivered > 0) for one in results]
    assert sum(one.delivered for one in results) > 0.6 * 40 * 39
    # Whoever was reached has sent it on, and nobody was reached twice.
    assert max(one.delivered for one in results) == 39
    assert [one.attempts for one in results] == [one.delivered + 1 for one in results]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ({"to": 1, "flood": Flood(3)}, "flood is Flood"),
        ({"answer": Answer(20)}, "answer is Answer.*None for messages to all"),
        ({"kind": TrafficKind.SATURATED, "burst": Burst(2)}, "burst is Burst.*None for SATURATED"),
        ({"kind": TrafficKind.SATURATED, "event": 1}, "event is 1"),
        ({"period_us": 1000.0, "burst": Burst(3, 500)}, "over before the next one comes"),
    ],
)
def test_what_does_not_go_together(numbers, expected):
    with pytest.raises(ValueError, match=expected):
        Traffic(0, **numbers)


@pytest.mark.parametrize(
    ("what", "numbers", "expected"),
    [
        (Burst, (0,), "count is 0"),
        (Burst, (10**9,), "count is 1000000000, and must be 1 to 10000"),
        (
            Burst,
            (2, 2**53),
            r"spacing_us is 9007199254740992, and must be 0 or more, and less than 2\*\*53 \(285 years",
        ),
        (Answer, (9, 2**53), "think_us is 9007199254740992, and must be 0 or more, and less than"),
        (Flood, (9, 0, 1e300), r"jitter_us is 1e\+300, and must be 0 or more, and less than"),
        (Burst, (2, -1), "spacing_us is -1"),
        (Answer, (0,), "size is 0"),
        (Answer, (9, -1), "think_us is -1"),
        (Answer, (9, 0, -1.0), "jitter_us is -1"),
        (Answer, (9, 0, 0.0, 99), "rate is 99"),
        (Flood, (0,), "hops is 0"),
        (Flood, (256,), "hops is 256, and must be 1 to 255"),
        (Flood, (9, -1), "delay_us is -1"),
        (Flood, (9, 0, -1.0), "jitter_us is -1"),
    ],
)
def test_numbers_without_sense(what, numbers, expected):
    with pytest.raises(ValueError, match=expected):
        what(*numbers)

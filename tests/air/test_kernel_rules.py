"""What must hold in any scene, looked up in the list of all transmissions."""

import math
from fractions import Fraction
from random import Random

import pytest

from espnow.air import scene as scene_module
from espnow.air import telling
from espnow.air.kernel import DOZING, Kernel
from espnow.air.neighbours import neighbour_rows
from espnow.air.propagation import LogDistance, Shadowing, sensitivity_dbm
from espnow.air.scene import BROADCAST, Access, Place, Scene, Traffic, TrafficKind

from .twins import INTERPRETED

FRAME = 1


class Watched(INTERPRETED.Kernel):
    """A kernel that writes down each transmission: begin, end, station, kind, rate."""

    def __init__(self, *options):
        super().__init__(*options)
        self.log = []

    def start(self, i, kind):
        me = self.station[i]
        self.log.append((self.now_us, self.now_us + me.air_us, i, kind, me.air_rate))
        super().start(i, kind)


def crowded_scene(seed):
    draw = Random(seed)
    count = draw.choice([3, 8, 20])
    side = draw.choice([10.0, 400.0, 1500.0])
    places = [
        Place((draw.uniform(0, side), draw.uniform(0, side)), draw.choice([8.0, 20.0]), draw.choice([1, 1, 6]))
        for _ in range(count)
    ]
    traffic = [
        Traffic(
            station,
            draw.choice([BROADCAST, (station + 1) % count]),
            draw.randrange(1, 400),
            draw.choice(list(TrafficKind)),
            draw.uniform(3_000, 40_000),
            first_us=1000 + draw.randrange(5_000),
            rate=draw.choice([0, 3, 11, 12]),
        )
        for station in range(count)
    ]
    return Scene(places, traffic, Shadowing(LogDistance(3.0), 4.0, seed), seed=seed)


@pytest.mark.parametrize("seed", range(15))
def test_nobody_begins_while_he_hears_another(monkeypatch, seed):
    """Not from the turn-round after its begin until DIFS after its end, in the listener's own time."""
    monkeypatch.setattr(telling, "Kernel", Watched)
    one = crowded_scene(seed)
    access, receiver = Access(), one.receiver
    kernel = one.kernel()
    kernel.run(150_000)
    assert len(kernel.log) > 10
    rows = neighbour_rows(
        [place.position for place in one.places],
        [place.power_dbm for place in one.places],
        one.propagation,
        min(receiver.sense_dbm, *(sensitivity_dbm(rate) for rate in (0, 3, 11, 12))),
    )
    heard = {}
    for sender, (others, gains, delays) in enumerate(rows):
        power_mw = 10 ** (one.places[sender].power_dbm / 10)
        for listener, gain, us in zip(others, gains, delays, strict=True):
            heard[sender, listener] = gain * power_mw, us
    for begin, _, station, kind, _ in kernel.log:
        if kind != FRAME:
            continue
        for other_begin, other_end, other, _, rate in kernel.log:
            if other == station:
                assert begin <= other_begin or begin >= other_end + access.difs_us
                continue
            mw, us = heard.get((other, station), (0.0, 0))
            sensed_mw = 10 ** (min(receiver.sense_dbm, sensitivity_dbm(rate)) / 10)
            if one.places[other].channel == one.places[station].channel and mw >= sensed_mw:
                at, until = other_begin + us + access.turnaround_us, other_end + us + access.difs_us
                assert begin <= at or begin >= until, (begin, station, other, at, until)


@pytest.mark.parametrize("seed", range(20))
def test_no_message_is_lost_from_the_books(seed):
    one = crowded_scene(100 + seed)
    kernel = one.kernel()
    kernel.run(150_000)
    results = [scene_module.StreamResult(*kernel.totals(number)) for number in range(len(one.traffic))]
    for traffic, result in zip(one.traffic, results, strict=True):
        assert 0 <= result.made - result.dropped - result.acknowledged - result.failed <= 32
        assert result.attempts - result.sent in (0, 1)
        assert result.delivered <= result.heard
        if traffic.to == BROADCAST:
            assert result.acknowledged == result.sent
            assert result.delivered == result.heard
        else:
            # What was acknowledged was received, and once; what was not may have been.
            assert result.acknowledged <= result.delivered <= result.made
            assert result.attempts <= 7 * result.made
    assert sum(result.attempts for result in results) == kernel.frames
    assert sum(result.heard for result in results) <= kernel.receptions


@pytest.mark.parametrize("make", [INTERPRETED.Kernel, Kernel])
@pytest.mark.parametrize(("first", "period"), [(0, 100_000), (70_000, 102_400.25), (5_000_123, 99_998.75)])
def test_a_receiver_that_is_on_at_times_keeps_its_period_over_a_day(make, first, period):
    on_us = 9_000
    kernel = make(1, 1, 1, 1, (20, 10, 50, 364, 222, 5, 31, 1023, 192), 1e-10, 1e-9, 1.0, 0.0)
    kernel.set_receiver(0, DOZING, False, first, period, on_us, 0)
    for number in (1, 2, 1_000, 843_749, 864_000):
        begin = first + Fraction(period) * number
        awake = [kernel.is_awake(0, math.floor(begin + us)) for us in (-2, 1, on_us - 1, on_us + 2)]
        assert awake == [False, True, True, False]


def test_what_all_stations_did_is_added_up_once(monkeypatch):
    class Counting(INTERPRETED.Kernel):
        rows = 0

        def add_row(self, i):
            self.rows += 1
            super().add_row(i)

    monkeypatch.setattr(telling, "Kernel", Counting)
    one = crowded_scene(3)
    kernel = one.kernel()
    kernel.run(100_000)
    kernel.rows = 0
    for _ in range(2):
        for number in range(len(one.places)):
            kernel.station_totals(number)
    assert kernel.rows == len(one.places)

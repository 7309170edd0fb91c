"""Stations that move, retune, sleep, turn up their power and come late, while others send: nothing is lost or stuck."""

from random import Random

import pytest

from espnow.air import LogDistance, telling
from espnow.air.scene import Place, Traffic, TrafficKind
from espnow.errors import LinkFull
from espnow.frame import BROADCAST
from espnow.link import Interface, Outcome, PowerSave, ProtocolBit

from .twins import INTERPRETED, compiled

MAC = bytes.fromhex("026d6f000000")
BGN = ProtocolBit.B | ProtocolBit.G | ProtocolBit.N
END_MS = 600


def random_options(draw):
    """Return what a station may ask of its radio at any time."""
    return {
        "channel": draw.choice([1, 1, 1, 1, 6]),
        "receiver_on": draw.random() < 0.85,
        "interfaces": draw.choice([(Interface.STA,), (Interface.STA,), (Interface.STA, Interface.AP), ()]),
        "rate": draw.choice([0, 0, 0, 11, 41]),
        "group_rate": draw.choice([0, 0, 8]),
        "tx_power_dbm": draw.choice([20.0, 20.0, 2.0]),
        "attempts": draw.choice([1, 3, 7]),
        "protocols": draw.choice([BGN, BGN, BGN | ProtocolBit.LR]),
        "power_save": draw.choice([None, None, PowerSave(5_000, 50_000, 15_000, 10_000)]),
    }


def random_place(draw):
    return draw.uniform(-250, 250), draw.uniform(-250, 250)


def act(sky, draw, number):
    """Do something that a board, or who watches it, may do."""
    station = draw.choice(sky.stations)
    what = draw.random()
    if what < 0.55:
        to = draw.choice([BROADCAST, draw.choice(sky.stations), MAC, b"\x02" + bytes(5)])
        try:
            station.send(to, bytes(draw.choice([1, 60, 250])))
        except LinkFull:
            station.refused.append(station.tokens)
    elif what < 0.8:
        station.configure(**random_options(draw))
    elif what < 0.92:
        sky.air.move(station.link, random_place(draw))
    elif what < 0.95:
        sky.air.set_loss(station.name, draw.choice(sky.stations).name, draw.choice([0.0, 0.3, 1.0]))
    elif len(sky.stations) < 90:
        for late in range(draw.choice([1, 30])):
            begin(sky.station(f"late {number} {late}", random_place(draw), **random_options(draw)))


def begin(station):
    station.refused = []
    return station


def story(make_sky, seed):
    """Return an air after a life of changes, and how it ended."""
    draw = Random(seed)
    sky = make_sky(seed=seed, propagation=LogDistance(3.0), loss=draw.choice([0.0, 0.0, 0.1]))
    misses = []
    sky.air.on_miss = lambda sender, receiver, reason: misses.append((sender.name, receiver and receiver.name, reason))
    for number in range(draw.choice([2, 8, 20])):
        begin(sky.station(f"s{number}", random_place(draw), **random_options(draw)))
    crowd = None
    if draw.random() < 0.5:
        places = [Place(random_place(draw), channel=draw.choice([1, 1, 6])) for _ in range(8)]
        traffic = [Traffic(n, size=50, kind=TrafficKind.POISSON, period_us=40_000.0) for n in range(8)]
        traffic.append(Traffic(0, to=8, size=20, period_us=30_000.0))
        crowd = sky.air.populate("m", places, traffic, mac=MAC, links=[sky.stations[0].link])
    for number in range(150):
        act(sky, draw, number)
        sky.clock.advance(draw.choice([0, 1, 150, 700, 5_000]))
    sky.advance(END_MS * 10)
    told = [(s.name, s.heard, s.outcomes) for s in sky.stations]
    return sky, (sky.log, told, misses, crowd and crowd.results(), sky.air.medium.kernel.trace)


@pytest.mark.parametrize("seed", range(12))
def test_each_frame_is_answered_once_and_nothing_is_stuck(make_sky, interpreted, seed):
    sky, _ = story(make_sky, seed)
    sent = 0
    for station in sky.stations:
        expected = sorted(set(range(1, station.tokens + 1)) - set(station.refused))
        assert list(station.outcomes) == expected
        sent += len(expected)
        assert all(outcome is not Outcome.UNKNOWN for outcome, _, _ in station.outcomes.values())
        assert station.link.token == 0
    assert sent > 20
    kernel = sky.air.medium.kernel
    if not sky.air._crowds:
        assert sky.air._waiting == 0
        assert sky.air._trying == {}
        for number in range(len(sky.stations)):
            station = kernel.station[number]
            assert (station.signals, station.busy, station.deaf) == (0, 0, 0)
            assert station.level == 0.0
            assert station.lock == -1
    places = {}
    for number in range(len(sky.air.medium.names)):  # no two rows share a place
        for place in range(kernel.station[number].first, kernel.station[number].last):
            assert places.setdefault(place, number) == number


@pytest.mark.parametrize("seed", range(12))
def test_the_kernel_interpreted_and_compiled_tell_the_same_story(make_sky, monkeypatch, seed):
    found = []
    for module in (INTERPRETED, compiled()):
        monkeypatch.setattr(telling, "Kernel", module.Kernel)
        found.append(story(make_sky, seed)[1])
    assert found[0] == found[1]
    assert len(found[0][0]) > 20


def test_what_is_heard_is_what_the_air_could_bring(make_sky):
    """Whoever decoded a frame was on its channel and in range, and did not send meanwhile."""
    for seed in range(8):
        _, (log, *_) = story(make_sky, seed)
        own = {}
        for sent in log:
            own.setdefault(sent.station, []).append((sent.at_us, sent.end_us))
        heard = 0
        for sent in log:
            for name, rssi_dbm in sent.receptions:
                heard += 1
                assert rssi_dbm >= -105
                assert not any(begin < sent.end_us and sent.at_us < end for begin, end in own.get(name, ()))
        assert heard

"""The kernel interpreted and compiled: the same numbers, and the same instant for every frame."""

from importlib.metadata import version
from random import Random

import pytest

from espnow.air import telling
from espnow.air.interference import Interferer
from espnow.air.propagation import LogDistance, Shadowing
from espnow.air.scene import BROADCAST, Access, Answer, Burst, Flood, Place, Receiver, Scene, Traffic, TrafficKind
from espnow.cli.main import main
from espnow.frame import ALL_RATES

from .twins import INTERPRETED, IS_COMPILED, compiled


def random_traffic(draw, station, count):
    """Return traffic of a station; what is caused by it, too, in half of the cases."""
    to = draw.choice([BROADCAST, (station + 1) % count])
    kind = draw.choice(list(TrafficKind))
    burst = event = answer = flood = None
    if draw.random() < 0.5:
        if kind is not TrafficKind.SATURATED:
            burst = draw.choice([None, Burst(3), Burst(2, 700)])
            event = draw.choice([None, 0, 1])
            flood = Flood(draw.choice([1, 3]), draw.choice([0, 500]), 5_000.0) if to == BROADCAST else None
        if to != BROADCAST:
            answer = Answer(draw.randrange(1, 300), draw.choice([0, 1_000]), draw.choice([0.0, 3_000.0]))
    return Traffic(
        station,
        to,
        draw.randrange(1, 600),
        kind,
        draw.uniform(2_000, 60_000),
        draw.choice([0.0, 5_000.0]),
        draw.randrange(20_000),
        draw.choice([0, 0, draw.choice(sorted(ALL_RATES))]),
        burst,
        event,
        answer,
        flood,
    )


def random_scene(seed):
    """Return a scene in which as much as possible happens."""
    draw = Random(seed)
    count = draw.choice([2, 5, 12, 40])
    side = draw.choice([1.0, 150.0, 600.0])
    places = [
        Place(
            (draw.uniform(0, side), draw.uniform(0, side)),
            draw.choice([5.0, 20.0]),
            draw.choice([1, 1, 1, 6]),
            draw.choice([1, 3, 7]),
        )
        for _ in range(count)
    ]
    traffic = [random_traffic(draw, station, count) for station in 2 * list(range(count))]
    return Scene(
        places,
        traffic,
        draw.choice([LogDistance(3.0), Shadowing(LogDistance(3.4), 5.0, seed)]),
        draw.choice([Access(), Access(slot_us=9, difs_us=28, cw_min=15)]),
        draw.choice([Receiver(), Receiver(capture_db=6.0), Receiver(preamble_us=0, least_dbm=-95.0)]),
        seed,
        [Interferer((side / 2, 0.0), 0.2, 700, senses) for senses in draw.choice([(), (True,), (False, True)])],
    )


def outcome(one, us):
    kernel = one.kernel()
    counts = []
    for part in (us // 3, us):
        kernel.run(part)
        counts.append(
            (
                kernel.trace,
                kernel.frames,
                kernel.receptions,
                kernel.answers,
                kernel.events,
                kernel.failed_receptions,
                kernel.losses_half_duplex,
                one.results(kernel),
                [kernel.station_totals(number) for number in range(len(one.places))],
            )
        )
    return counts


@pytest.mark.parametrize("seed", range(24))
def test_both_give_the_same(monkeypatch, seed):
    one = random_scene(seed)
    found = []
    for module in (INTERPRETED, compiled()):
        monkeypatch.setattr(telling, "Kernel", module.Kernel)
        found.append(outcome(one, 60_000))
    assert found[0] == found[1]
    assert found[0][-1][1] > 0


def test_the_command_says_which_one_runs(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    form = "compiled" if IS_COMPILED else "interpreted"
    assert capsys.readouterr().out == f"espnow {version('espnow')}, the air's kernel {form}\n"


@pytest.mark.parametrize("seed", range(24))
def test_what_stations_did_adds_up_at_any_time(seed):
    one = random_scene(seed)
    kernel = one.kernel()
    for us in (20_000, 37_000, 60_000):
        kernel.run(us)
        totals = [kernel.station_totals(number) for number in range(len(one.places))]
        assert sum(decoded for _, _, decoded in totals) == kernel.receptions
        assert all(0 <= sensed_us <= us and decoded >= 0 for _, sensed_us, decoded in totals)

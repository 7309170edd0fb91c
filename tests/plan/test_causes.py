"""Bursts, events, answers and floods of a plan file: what they are on the air, and what is told of them."""

import json

import pytest

from espnow.air.interference import Interferer
from espnow.air.scene import Answer, Burst, Flood, TrafficKind
from espnow.air.telling import frame_length
from espnow.errors import UserError
from espnow.frame import airtime_us
from espnow.plan import planfile
from espnow.plan.layout import lay_out

STATIONS = """\
duration = "2s"
seeds = 1
[[station]]
name = "hub"
at = [0, 0]
[[station]]
name = "leaf"
grid = 10
count = 9
columns = 9
"""
TO_HUB = '[[traffic]]\nname = "it"\nfrom = "leaf"\nto = "hub"\n'
TO_ALL = '[[traffic]]\nname = "it"\nfrom = "hub"\nto = "all"\n'


@pytest.fixture
def scene(write):
    def scene(text, seed=1):
        (point,) = planfile.read(write(STATIONS + text)).points
        return lay_out(point.part, seed).scene

    return scene


@pytest.fixture
def figures(write, command):
    """Return a function that runs a plan and returns the means of its traffic's figures."""

    def figures(text):
        write(STATIONS + text)
        code, out, err = command("plan.toml", "--json", "--workers", 1)
        assert (code, err) == (0, [])
        return {name: value[0] for name, value in json.loads(out[0]).items() if isinstance(value, list)}

    return figures


def test_what_a_file_says(scene):
    one = scene(
        TO_HUB
        + 'every = "100ms"\nburst = {count = 3, spacing = "2ms"}\nanswer = {size = 9, think = "1ms", rate = "6M"}\n'
    ).traffic[0]
    assert one.burst == Burst(3, 2000)
    assert one.answer == Answer(9, 1000, rate=11)
    (one,) = scene(TO_ALL + 'poisson = "1s"\nflood = {hops = 4, delay = "1ms", jitter = "2ms"}').traffic
    assert one.flood == Flood(4, 1000, 2000)
    (one,) = scene(TO_ALL + 'poisson = "1s"\nflood = {hops = 4}').traffic
    assert one.flood == Flood(4, 0, 20_000)


@pytest.mark.parametrize("seed", range(3))
def test_an_event_is_noticed_at_once_by_who_is_near(scene, seed):
    text = TO_HUB + 'event = "1s"\nreaction = "5ms"\nat = [32, 0]\nradius = 20\n'
    for more, kind in (("", TrafficKind.PERIODIC), ("random = true\n", TrafficKind.POISSON)):
        traffic = scene(text + more, seed).traffic
        assert [one.station for one in traffic] == [1 + leaf for leaf in (2, 3, 4, 5)]
        assert {(one.kind, one.event, one.period_us, one.jitter_us) for one in traffic} == {(kind, 0, 1e6, 5e3)}
        assert len({one.first_us for one in traffic}) == 1
    assert len(scene(TO_HUB + 'event = "1s"\nfirst = "7ms"', seed).traffic) == 9
    assert {one.first_us for one in scene(TO_HUB + 'event = "1s"\nfirst = "7ms"\nrandom = true', seed).traffic} == {
        7000
    }


def test_answers_are_told(figures):
    found = figures(
        '[[traffic]]\nname = "it"\nfrom = "hub"\nto = "nearest"\nsize = 20\nevery = "100ms"\nfirst = "1ms"\n'
        'answer = {size = 50, think = "3ms"}\n'
    )
    assert found["answered"] == found["delivery"] == 1.0
    trip_us = airtime_us(frame_length(20), 0) + 3000 + airtime_us(frame_length(50), 0)
    assert found["round_trip_ms"] == pytest.approx(trip_us / 1000)
    assert found["round_trip_p99_ms"] == pytest.approx(trip_us / 1000, rel=0.04)
    assert "last_ms" not in found


def test_floods_are_told(figures, write):
    """Hub and leaves on a line, of which each hears its neighbours: nine hops, one after the other."""
    links = "from,to,loss_db\nhub,leaf[0],60\n" + "".join(f"leaf[{n}],leaf[{n + 1}],60\n" for n in range(8))
    write(links, "links.csv")
    text = TO_ALL + 'size = 20\nevery = "500ms"\nfirst = "1ms"\nflood = {hops = HOPS, delay = "1ms", jitter = "0s"}\n'
    text += '[air]\nmodel = "links"\nlinks = "links.csv"\n'
    frame_ms = airtime_us(frame_length(20), 0) / 1000
    found = figures(text.replace("HOPS", "9"))
    assert found["delivery"] == 1.0
    assert found["retries"] == 8.0  # the last leaf hears the ninth hop
    assert found["last_ms"] == pytest.approx(9 * frame_ms + 8)
    assert found["latency_ms"] == pytest.approx(5 * frame_ms + 4)
    assert found["latency_p99_ms"] == pytest.approx(9 * frame_ms + 8, rel=0.04)
    assert "answered" not in found
    assert figures(text.replace("HOPS", "3"))["delivery"] == pytest.approx(3 / 9)


SLEEPY = (
    'duration = "1s"\n[[station]]\nname = "leaf"\nat = [0, 0]\nenergy = {chip = "esp32", between = "light-sleep"}\n'
)
SLEEPY += '[[station]]\nname = "hub"\nat = [1, 0]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (STATIONS + TO_ALL + 'every = "1s"\nanswer = {size = 5}', "traffic[0].answer: it goes with a message to one "),
        (
            STATIONS + TO_HUB + 'every = "1s"\nanswer = {}',
            "traffic[0].answer.size: it is missing; it is a whole number",
        ),
        (
            STATIONS + TO_HUB + 'every = "1s"\nflood = {hops = 5}',
            'traffic[0].flood: it goes with to = "all", and this ',
        ),
        (STATIONS + TO_ALL + 'every = "1s"\nflood = {hops = 256}', "traffic[0].flood.hops: 256 is not a whole number "),
        (STATIONS + TO_ALL + "saturated = true\nflood = {hops = 5}", "traffic[0].flood: it does not go with saturated"),
        (
            STATIONS + TO_ALL + "saturated = true\nburst = {count = 5}",
            "traffic[0].burst: it does not go with saturated",
        ),
        (
            STATIONS + TO_HUB + 'every = "8ms"\nburst = {count = 5, spacing = "2ms"}',
            "traffic[0].burst: it takes 8 ms, and the next one comes 8 ms after its begin",
        ),
        (STATIONS + TO_HUB + 'event = "1s"\nat = [0, 0]', "traffic[0]: at and radius go together"),
        (STATIONS + TO_HUB + 'event = "1s"\njitter = "1s"', "traffic[0].jitter: it goes with every, not with event"),
        (SLEEPY + TO_HUB + 'every = "1s"\nanswer = {size = 5}', "traffic[0].answer: leaf is not awake between its "),
        (SLEEPY + TO_ALL + 'every = "1s"\nflood = {hops = 5}', "traffic[0].flood: everybody sends it on, and leaf is "),
    ],
)
def test_what_does_not_go_together(write, text, told):
    with pytest.raises(UserError) as caught:
        planfile.read(write(text))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


# What radiates besides, and clocks.


def test_interferers_and_clocks(scene):
    one = scene(
        TO_HUB.replace('to = "hub"', 'to = "hub"\nevery = "10ms"')
        + '[[interferer]]\nat = [5, 6]\nbusy = 0.3\nburst = "366us"\nsenses = true\npower = 4\nchannel = 6\n'
        + '[[station]]\nname = "drifting"\nat = [1, 1]\ncount = 50\ndrift = 20\n'
    )
    assert one.interferers == (Interferer((5, 6), 0.3, 366, True, 4, 6),)
    drifts = [place.drift_ppm for place in one.places]
    assert drifts[:10] == [0.0] * 10
    assert -20 <= min(drifts) < -10
    assert 10 < max(drifts) <= 20


def test_an_interferer_takes_its_share(figures):
    traffic = TO_HUB + 'every = "100ms"\nsize = 20\n'
    noise = '[[interferer]]\nat = [20, 5]\nbusy = 0.4\nburst = "2ms"\n'
    quiet, loud = figures(traffic), figures(traffic + noise)
    assert quiet["retries"] == pytest.approx(0.0, abs=0.05)
    assert loud["retries"] > quiet["retries"] + 0.2
    assert loud["load"] > quiet["load"] + 0.25


def test_an_interferer_that_nobody_would_hear(write):
    write("from,to,loss_db\nhub,leaf[0],60\n", "links.csv")
    text = STATIONS + TO_HUB + 'every = "1s"\n[air]\nmodel = "links"\nlinks = "links.csv"\n'
    with pytest.raises(UserError, match='interferer: nobody hears it with model = "links"'):
        planfile.read(write(text + "[[interferer]]\nat = [0, 0]\nbusy = 0.5\n"))

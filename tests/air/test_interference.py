"""What radiates beside the stations: held against the share of frames that it must spoil, or delay."""

import math

import pytest

from espnow.air.interference import BLUETOOTH_BURST_US, BLUETOOTH_SHARE, Interferer
from espnow.air.propagation import LinkTable
from espnow.air.scene import BROADCAST, Answer, Flood, Place, Receiver, Scene, Traffic, TrafficKind
from espnow.air.telling import frame_length
from espnow.frame import airtime_us

HERE = (0.0, 0.0)
#: At 6 Mb/s a burst that is as strong as the frame spoils it.
PURE = Receiver(calibrated=False)


def scene(interferer, traffic, links, *, stations=2, receiver=PURE, seed=1):
    places = [Place(HERE)] * stations
    table = LinkTable({pair: 20.0 - dbm for pair, dbm in links.items()})
    return Scene(places, traffic, table, receiver=receiver, seed=seed, interferers=[interferer])


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(
    ("busy", "burst_us", "size"), [(0.05, 366, 200), (0.3, 1000, 20), (0.3, 100, 50), (0.6, 5000, 250)]
)
def test_a_source_that_the_sender_does_not_hear(busy, burst_us, size):
    """A frame of T survives with (1 - busy) exp(-T / mean pause); one standard error: 0.004."""
    noise = Interferer(HERE, busy, burst_us)
    traffic = Traffic(0, BROADCAST, size, period_us=20_011, rate=11)
    links = {(0, 1): -60.0, (2, 1): -60.0}
    (result,) = scene(noise, [traffic], links).run(20_011 * 15_000 - 1)
    expected = (1 - busy) * math.exp(-airtime_us(frame_length(size), 11) / noise.pause_us)
    assert result.sent == result.made == 15_000
    assert result.delivered / result.sent == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize(("dbm", "arrives"), [(-90.0, True), (-40.0, False)])
def test_a_weak_one_spoils_nothing(dbm, arrives):
    noise = Interferer(HERE, 0.999, 1_000_000)
    (result,) = scene(noise, [Traffic(0, BROADCAST, 50, period_us=10_000, rate=11)], {(0, 1): -60.0, (2, 1): dbm}).run(
        1_000_000
    )
    assert (result.delivered > 0.9 * result.sent) == arrives


@pytest.mark.parametrize("senses", [False, True])
def test_it_is_busy_for_its_share(senses):
    """Alone on the air, as a station that hears it has it; one standard error: 0.01."""
    one = scene(Interferer(HERE, 0.4, 500, senses), [Traffic(0, BROADCAST, 1, period_us=1e12)], {(1, 2): -60.0})
    kernel = one.kernel()
    kernel.run(10_000_000)
    assert kernel.station_totals(1)[1] / 10_000_000 == pytest.approx(0.4, abs=0.04)


def test_a_sender_that_hears_it_waits_for_the_pauses():
    """Nothing is lost: it goes on when a burst is over; but into a frame only one begins that does not sense."""
    links = {(0, 1): -60.0, (0, 2): -60.0, (1, 2): -60.0}
    traffic = Traffic(0, 1, 50, TrafficKind.POISSON, 10_000, rate=11)
    polite, deaf = (scene(Interferer(HERE, 0.5, 1000, senses), [traffic], links) for senses in (True, False))
    (kept,), (lost,) = polite.run(5_000_000), deaf.run(5_000_000)
    assert kept.attempts < 1.03 * kept.made  # collisions, when both begin in one slot
    assert kept.latency_us / kept.acknowledged > 500
    # A frame, SIFS and its acknowledgement last 250 us: exp(-0.25) go through each time.
    assert lost.attempts == pytest.approx(lost.made / math.exp(-0.25), rel=0.07)


def test_one_that_senses_and_wants_all_of_the_time_is_a_saturated_station():
    links = {(0, 1): -60.0, (0, 2): -60.0, (1, 2): -60.0}
    full = [Traffic(i, BROADCAST, 200, TrafficKind.SATURATED, rate=11) for i in range(2)]
    one_us = airtime_us(frame_length(200), 11)
    (result,) = scene(Interferer(HERE, 0.999, one_us, True), full[:1], links).run(3_000_000)
    table = LinkTable({(0, 1): 60.0})
    station, _ = Scene([Place(HERE)] * 2, full, table).run(3_000_000)
    assert result.sent == pytest.approx(station.sent, rel=0.04)


def test_it_is_nobodys_receiver_and_takes_no_part():
    """What is told of messages to all, answers and floods has the stations alone in it."""
    links = {(0, 1): -60.0, (0, 2): -60.0, (1, 2): -60.0}
    for traffic in (Traffic(0, flood=Flood(5), period_us=1e5), Traffic(0, period_us=1e5)):
        one = scene(Interferer(HERE, 0.01, 100, True), [traffic], links)
        kernel = one.kernel()
        kernel.run(1_000_000)
        (result,) = one.results(kernel)
        assert result.delivered <= result.made
        assert kernel.hearers(0, 0) == 1
    asks = Traffic(0, 1, 20, period_us=50_000, answer=Answer(20, 2000))
    (result,) = scene(Interferer(HERE, 0.1, 400, True), [asks], links).run(1_000_000)
    assert result.answers.delivered == pytest.approx(result.made, abs=2)


def test_on_another_channel_it_is_not_there():
    links = {(0, 1): -60.0, (2, 1): -40.0, (0, 2): -40.0}
    noise = Interferer(HERE, 0.9, 1000, channel=6)
    (result,) = scene(noise, [Traffic(0, 1, 50, period_us=10_000)], links).run(999_999)
    assert (result.delivered, result.attempts) == (100, 100)


def test_a_piconet():
    busy = BLUETOOTH_SHARE * BLUETOOTH_BURST_US / 625
    assert busy == pytest.approx(0.163, abs=0.001)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ({"busy": 0.0}, "busy is 0.0"),
        ({"busy": 1.0}, "busy is 1.0"),
        ({"busy": 0.5, "burst_us": 0}, "burst_us is 0"),
        ({"busy": 0.5, "channel": 0}, "channel is 0"),
        ({"busy": 0.5, "height_m": 0.0}, "height_m is 0.0"),
        ({"busy": 0.5, "power_dbm": math.nan}, "finite numbers"),
    ],
)
def test_numbers_without_sense(numbers, expected):
    with pytest.raises(ValueError, match=expected):
        Interferer(HERE, **numbers)

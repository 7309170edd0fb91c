"""What stations do, step by step, on small airs."""

import math

import pytest

from espnow.air.propagation import FreeSpace, LinkTable, sensitivity_dbm
from espnow.air.scene import BROADCAST, Access, Place, Receiver, Scene, Traffic, TrafficKind
from espnow.air.telling import frame_length
from espnow.frame import RATES, SIFS_US, airtime_us

ONCE_US = 1e12  # a period that no run reaches
ACK_US = 304


def scene(links, traffic, *, stations=None, attempts=7, receiver=None, access=None, seed=1):
    """Return a scene of stations of which each pair hears the other with -40 dBm, or with what `links` says of it."""
    count = stations or 1 + max(max(pair) for pair in links)
    table = {pair: 20.0 - dbm for pair, dbm in links.items()}
    return Scene(
        [Place((0.0, 0.0), attempts=attempts)] * count,
        traffic,
        LinkTable(table),
        access or Access(),
        receiver or Receiver(),
        seed,
    )


def once(station, to, at_us, size=100, rate=0):
    return Traffic(station, to, size, period_us=ONCE_US, first_us=at_us, rate=rate)


def frame_us(size, rate=0):
    return airtime_us(frame_length(size), rate)


def steps(kernel, until_us):
    """Return the instants at which a number of frames, answers or receptions changed, with all three."""
    found, last = [], (0, 0, 0)
    for at in range(until_us + 1):
        kernel.run(at)
        now = (kernel.frames, kernel.answers, kernel.receptions)
        if now != last:
            found.append((at, *now))
            last = now
    return found


def test_a_message_on_an_idle_air():
    """It goes out at once, is acknowledged after SIFS, and the time of the sender is its latency."""
    one = scene({(0, 1): -40.0}, [once(0, 1, 1000)])
    end = 1000 + frame_us(100)
    assert steps(one.kernel(), 5000) == [
        (1000, 1, 0, 0),
        (end, 1, 0, 1),
        (end + SIFS_US, 1, 1, 1),
        (end + SIFS_US + ACK_US, 1, 1, 2),
    ]
    (result,) = one.run(5000)
    assert (result.made, result.acknowledged, result.delivered, result.attempts) == (1, 1, 1, 1)
    assert result.latency_us == frame_us(100) + SIFS_US + ACK_US


def test_far_away_everything_comes_later():
    """3 km are 10 microseconds: the answer begins so much later, and ends so much later at the sender."""
    far = Scene([Place((0.0, 0.0)), Place((3000.0, 0.0))], [once(0, 1, 1000)], FreeSpace())
    end = 1000 + frame_us(100)
    answered = end + 10 + SIFS_US
    kernel = far.kernel()
    assert steps(kernel, 5000)[2:] == [(answered, 1, 1, 1), (answered + ACK_US, 1, 1, 2)]
    # The sender's next message comes while it hears the end of the answer, DIFS after which it may send.
    busy = Scene(far.places, [once(0, 1, 1000), once(0, BROADCAST, 1200)], FreeSpace())
    slots = (steps_of_begins(busy, 5000)[1] - answered - ACK_US - 10 - 50) / 20
    assert slots in range(32)


def test_before_difs_has_passed():
    """A message that comes while the medium is idle, but not yet for DIFS, waits for the rest of it."""
    one = scene({(0, 1): -40.0}, [once(0, BROADCAST, 1000), once(1, BROADCAST, 1000 + frame_us(100) + 20)])
    assert steps(one.kernel(), 5000)[2][0] == 1000 + frame_us(100) + 50


def test_during_a_frame_a_backoff_is_drawn():
    """Also by a station whose last backoff ended long ago, while it had nothing to send."""
    begins = set()
    for seed in range(30):
        traffic = [once(1, BROADCAST, 100), once(0, BROADCAST, 20_000), once(1, BROADCAST, 20_300)]
        found = steps_of_begins(scene({(0, 1): -40.0}, traffic, seed=seed), 40_000)
        begins.add(found[-1] - (20_000 + frame_us(100) + 50))
    assert len(begins) > 12
    assert all(begin % 20 == 0 and 0 <= begin <= 31 * 20 for begin in begins)


def steps_of_begins(one, until_us):
    """Return when frames began, by letting time pass microsecond by microsecond."""
    kernel = one.kernel()
    begins, frames, at = [], 0, 0
    while at < until_us:
        at += 1
        kernel.run(at)
        begins += [at] * (kernel.frames - frames)
        frames = kernel.frames
    return begins


def test_what_is_due_in_the_same_instant_collides():
    """Three stations whose messages come at once; nobody can have heard the others' begin."""
    links = {(0, 1): -40.0, (0, 2): -40.0, (0, 3): -40.0, (1, 2): -40.0, (1, 3): -40.0, (2, 3): -40.0}
    one = scene(links, [once(i, BROADCAST, 1000) for i in range(3)])
    kernel = one.kernel()
    kernel.run(1000)
    assert kernel.frames == 3
    kernel.run(9000)
    assert kernel.receptions == 0
    # And one that comes a moment later, before the turn-round of the first is over, waits: the medium is busy.
    kernel = scene(links, [once(0, BROADCAST, 1000), once(1, BROADCAST, 1001)]).kernel()
    kernel.run(1100)
    assert kernel.frames == 1
    kernel.run(9000)
    assert kernel.receptions == 6


def test_a_repetition_is_delivered_once():
    """The sender never hears the answers: the receiver decodes seven frames of one message."""
    one = scene({(0, 1): -40.0, (1, 0): -120.0}, [once(0, 1, 0)])
    kernel = one.kernel()
    kernel.run(200_000)
    (result,) = one.run(200_000)
    assert (kernel.frames, kernel.answers) == (7, 7)
    assert (result.delivered, result.heard, result.acknowledged, result.failed) == (1, 7, 0, 1)


@pytest.mark.parametrize("timeout_us", [120, 75])
def test_its_own_answer_while_it_waits_for_one(timeout_us):
    """A station gets a short frame while it waits for an answer that does not come, and repeats its own afterwards."""
    # 1 never hears 0; 2 does not either, and sends 0 a short frame before 0's ACKTimeout is over.
    links = {(0, 1): -120.0, (2, 0): -40.0, (0, 2): -120.0}
    end = 1000 + frame_us(100)
    traffic = [once(0, 1, 1000), once(2, 0, end + 20, 1, 12)]
    access = Access(timeout_us=timeout_us)
    kernel = scene(links, traffic, attempts=2, access=access).kernel()
    # Its answer is over before that, or going on.
    begin_us = 20 + frame_us(1, 12) + SIFS_US
    assert begin_us < timeout_us < begin_us + airtime_us(14, 9) or timeout_us == 120
    kernel.run(end + 20 + frame_us(1, 12) + SIFS_US)
    assert (kernel.frames, kernel.answers) == (2, 1)
    kernel.run(100_000)
    # 2 never hears the answers: both send twice, and 0 answers each time that it does not send itself.
    assert kernel.frames == 4
    assert kernel.answers + kernel.losses_half_duplex in (1, 2)
    assert [result.failed for result in scene(links, traffic, attempts=2, access=access).run(100_000)] == [1, 1]


def test_after_an_error_eifs():
    """A frame that was lost keeps a station quiet for EIFS from its end, or until one is received."""
    # 1 hears 0 too weakly for its rate: it begins to receive, and fails.
    weak = Receiver(least_dbm=-99.0)
    links = {(0, 1): -94.0, (2, 1): -40.0, (0, 2): -120.0}
    end = 1000 + frame_us(200, 3)
    first = once(0, BROADCAST, 1000, 200, 3)
    begins = steps_of_begins(scene(links, [first, once(1, BROADCAST, end + 10)], receiver=weak), 20_000)
    assert begins[1] == end + 364
    # 2's frame is received in between: it makes an end of EIFS.
    traffic = [first, once(2, BROADCAST, end + 100, 1, 12), once(1, BROADCAST, end + 110)]
    begins = steps_of_begins(scene(links, traffic, receiver=weak), 20_000)
    slots = (begins[2] - (end + 100 + frame_us(1, 12)) - 50) / 20
    assert slots in range(32)


def test_an_error_is_over_when_a_frame_is_received():
    weak = Receiver(least_dbm=-99.0)
    links = {(0, 1): -94.0, (2, 1): -40.0, (0, 2): -120.0}
    end = 1000 + frame_us(200, 3)
    traffic = [once(0, BROADCAST, 1000, 200, 3), once(2, BROADCAST, end + 100, 1, 12), once(1, BROADCAST, end + 110)]
    begins = [steps_of_begins(scene(links, traffic, receiver=weak, seed=seed), 4000)[2] for seed in range(8)]
    assert min(begins) < end + 364


def test_busy_before_difs_has_passed_means_a_backoff():
    """1's message finds the medium idle, 30 microseconds too early; then 2, who hears nobody, begins."""
    links = {(0, 1): -40.0, (2, 1): -40.0, (0, 2): -120.0}
    end = 1000 + frame_us(100)
    traffic = [once(0, BROADCAST, 1000), once(1, BROADCAST, end + 20), once(2, BROADCAST, end + 30)]
    later = [
        steps_of_begins(scene(links, traffic, seed=seed), 6000)[2] - (end + 30 + frame_us(100) + 50)
        for seed in range(8)
    ]
    assert len(set(later)) > 3
    assert all(us in range(0, 32 * 20, 20) for us in later)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(("idle_us", "passed"), [(9, 0), (49, 0), (69, 0), (70, 1), (103, 2), (110, 3)])
def test_whole_slots_that_passed_count(idle_us, passed):
    """1 draws during 0's frame, and counts from DIFS after it until 2 begins, who hears nobody."""
    links = {(0, 1): -40.0, (2, 1): -40.0, (0, 2): -120.0}
    end = 1000 + frame_us(100)
    traffic = [once(0, BROADCAST, 1000), once(1, BROADCAST, 1500), once(2, BROADCAST, end + idle_us)]
    for seed in range(4):
        kernel = scene(links, traffic, seed=seed).kernel()
        kernel.run(end)
        drawn = kernel.station[1].slots
        kernel.run(end + idle_us)
        if drawn > 4:
            assert kernel.station[1].slots == drawn - passed


@pytest.mark.usefixtures("interpreted")
def test_no_slots_pass_during_its_own_answer():
    """1 has a message while it answers 0; 2, who hears nobody, begins meanwhile."""
    links = {(0, 1): -40.0, (2, 1): -40.0, (1, 2): -120.0, (0, 2): -120.0}
    end = 1000 + frame_us(100)
    traffic = [once(0, 1, 1000), once(1, BROADCAST, 1500), once(2, BROADCAST, end + 250)]
    for seed in range(4):
        kernel = scene(links, traffic, seed=seed).kernel()
        kernel.run(end + 100)
        drawn = kernel.station[1].slots
        kernel.run(end + 260)
        assert (kernel.frames, kernel.answers, kernel.station[1].slots) == (2, 1, drawn)


@pytest.mark.usefixtures("interpreted")
def test_the_window_doubles():
    kernel = scene({(0, 1): -120.0}, [once(0, 1, 1000)], attempts=8).kernel()
    windows = []
    for at in range(0, 100_000, 50):
        kernel.run(at)
        if [kernel.station[0].cw] != windows[-1:]:
            windows.append(kernel.station[0].cw)
    assert windows == [31, 63, 127, 255, 511, 1023, 31]
    assert kernel.frames == 8


def test_others_keep_quiet_for_the_answer():
    """1 hears 0's frame and not 2's answer; its message, come during it, waits until the answer is over."""
    links = {(0, 1): -40.0, (0, 2): -40.0, (1, 2): -120.0}
    for seed in range(5):
        begins = steps_of_begins(scene(links, [once(0, 2, 0), once(1, BROADCAST, 700)], seed=seed), 20_000)
        assert begins[1] >= frame_us(100) + SIFS_US + ACK_US + 50


def test_whoever_can_receive_a_frame_senses_it():
    """A signal below the sensing threshold, above what the rate needs."""
    one = scene({(0, 1): -96.5}, [once(0, BROADCAST, 0), once(1, BROADCAST, 300)], receiver=Receiver(sense_dbm=-80.0))
    assert steps_of_begins(one, 20_000)[1] > frame_us(100)


def test_a_hidden_station_spoils_a_frame():
    links = {(0, 1): -60.0, (2, 1): -55.0, (0, 2): -120.0}
    frames = [once(0, BROADCAST, 0, rate=11), once(2, BROADCAST, 100, rate=11)]
    assert [one.delivered for one in scene(links, frames).run(9000)] == [0, 0]
    # With capture the later and stronger one is received.
    capture = Receiver(capture_db=5.0)
    assert [one.delivered for one in scene(links, frames, receiver=capture).run(9000)] == [0, 1]
    # At 1 Mb/s spreading bears as much as this.
    slow = [once(0, BROADCAST, 0), once(2, BROADCAST, 100)]
    assert [one.delivered for one in scene({**links, (2, 1): -60.0}, slow).run(9000)] == [1, 0]


@pytest.mark.parametrize("rate", sorted(RATES))
def test_every_rate_arrives(rate):
    traffic = [once(0, BROADCAST, 0, rate=rate), once(0, 1, 50_000, rate=rate)]
    assert [one.delivered for one in scene({(0, 1): -40.0}, traffic).run(90_000)] == [1, 1]


def test_channels_are_apart():
    places = [Place((0.0, 0.0)), Place((1.0, 0.0)), Place((2.0, 0.0), channel=6)]
    results = Scene(places, [once(0, BROADCAST, 0), once(2, BROADCAST, 0)]).run(9000)
    assert [one.delivered for one in results] == [1, 0]


def test_a_header_at_its_own_rate():
    """At a rate whose header is sent at another one, that one is there too."""
    for rate in (2, 3, 9, 12, 23):
        (result,) = scene({(0, 1): -40.0}, [once(0, BROADCAST, 0, rate=rate)]).run(9000)
        assert result.delivered == 1
        (result,) = scene({(0, 1): -91.0}, [once(0, BROADCAST, 0, rate=12)], receiver=Receiver(least_dbm=-99.0)).run(
            9000
        )
        assert result.delivered == 0


def test_traffic():
    """A period is kept, a jitter stays in it, Poisson has its mean, a full queue drops."""
    wide = Traffic(0, BROADCAST, 10, TrafficKind.PERIODIC, 10_000.0)
    late = Traffic(0, BROADCAST, 10, TrafficKind.PERIODIC, 10_000.0, 5_000.0)
    random = Traffic(0, BROADCAST, 10, TrafficKind.POISSON, 10_000.0)
    flood = Traffic(0, BROADCAST, 250, TrafficKind.PERIODIC, 100.0)
    made = [scene({(0, 1): -40.0}, [one]).run(9_995_000)[0] for one in (wide, late, random, flood)]
    assert [one.made for one in made[:2]] == [1000, 1000]
    assert made[2].made == pytest.approx(1000, abs=110)  # 3.5 standard errors
    assert made[3].dropped > 0
    assert made[3].made - made[3].dropped - made[3].acknowledged in range(33)


def test_the_same_seed_gives_the_same_trace():
    def trace(seed):
        kernel = scene({(0, 1): -40.0}, [Traffic(0, 1, 50, TrafficKind.SATURATED), once(1, 0, 5)], seed=seed).kernel()
        kernel.run(100_000)
        return kernel.trace

    assert trace(1) == trace(1) != trace(2)


@pytest.mark.parametrize("rate", [11, 3])
@pytest.mark.parametrize("inside", [True, False])
def test_a_short_frame_inside_a_long_one_disturbs_it(rate, inside):
    """1 hears both equally well; 2, whose frame is the short one, hears nobody. At 6 and 11 Mb/s 0 dB are too few."""
    links = {(0, 1): -60.0, (2, 1): -60.0, (0, 2): -120.0, (1, 2): -120.0}
    long_us = frame_us(1000, rate)
    at = 1000 + long_us // 2 if inside else 1000 + long_us + 100
    results = scene(links, [once(0, BROADCAST, 1000, 1000, rate), once(2, BROADCAST, at, 10, rate)]).run(20_000)
    assert [one.delivered for one in results] == ([0, 0] if inside else [1, 1])


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("rate", "expected"), [(0, 0.02), (3, 0.02), (9, 0.025), (19, 0.006)])
def test_at_the_sensitivity_nearly_all_is_received(rate, expected):
    """Messages of 200 bytes on an idle air, a hair above the sensitivity; one standard error: 0.001."""
    links = {(0, 1): sensitivity_dbm(rate) + 0.01}
    traffic = [Traffic(0, BROADCAST, 200, TrafficKind.SATURATED, rate=rate)]
    (result,) = scene(links, traffic, receiver=Receiver(sense_dbm=-110.0)).run(20_000_000)
    assert result.sent > 5_000
    assert 1 - result.delivered / result.sent == pytest.approx(expected, abs=0.008)
    # Theory's receiver with the same noise loses it all at 24 Mb/s.
    (result,) = scene(links, traffic, receiver=Receiver(sense_dbm=-110.0, calibrated=False)).run(20_000_000)
    assert (result.delivered == 0) == (rate in (9, 19))


@pytest.mark.parametrize(("above_db", "both", "others"), [(-2.0, False, True), (3.9, False, True), (4.2, True, True)])
def test_a_begin_that_is_told_from_noise(above_db, both, others):
    """1 Mb/s, which is received below noise by a receiver that tells begins from others alone."""
    links = {(0, 1): -94.0 + above_db}
    for counts, expected in ((True, both), (False, others)):
        one = scene(links, [once(0, BROADCAST, 0, 20)], receiver=Receiver(detect_noise=counts))
        assert [result.delivered for result in one.run(9000)] == [int(expected)]
        # And where it has other things to do than to hear, since it hears 2 all the time.
        busy = {**links, (2, 1): -110.0, (0, 2): -140.0}
        traffic = [once(0, BROADCAST, 3000, 20), once(2, BROADCAST, 0, 1000)]
        one = scene(busy, traffic, receiver=Receiver(detect_noise=counts, sense_dbm=-112.0))
        assert one.run(9000)[0].delivered == int(expected)


def test_a_begin_that_is_told_from_noise_and_others_together():
    """6 dB above either, and so 3 dB above both, at a station that hears another one all the time."""
    links = {(0, 1): -88.0, (2, 1): -94.0, (0, 2): -140.0}
    traffic = [once(0, BROADCAST, 3000, 20), once(2, BROADCAST, 0, 1000)]
    for counts in (True, False):
        receiver = Receiver(detect_noise=counts, least_dbm=-90.0)
        assert scene(links, traffic, receiver=receiver).run(9000)[0].delivered == int(not counts)


def test_ten_decibels_more_noise_take_ten_decibels():
    traffic = [Traffic(0, BROADCAST, 200, TrafficKind.SATURATED, rate=9)]
    for dbm, delivered in ((-85.0, False), (-74.9, True)):
        (result,) = scene({(0, 1): dbm}, traffic, receiver=Receiver(noise_dbm=-84.0)).run(100_000)
        assert (result.delivered > 0.9 * result.sent) == delivered


@pytest.mark.parametrize(
    ("what", "numbers", "expected"),
    [
        (Place, {"position": (0.0, math.nan)}, r"position is \(0.0, nan\), and must be two numbers"),
        (Place, {"position": (0.0, 0.0), "power_dbm": math.inf}, "power_dbm is inf"),
        (Place, {"position": (0.0, 1e300)}, r"position is \(0.0, 1e\+300\), and must be two numbers of metres, within"),
        (Place, {"position": (0.0, 0.0), "channel": 15}, "channel is 15, and must be 1 to 14"),
        (Place, {"position": (0.0, 0.0), "attempts": 0}, "attempts is 0"),
        (Place, {"position": (0.0, 0.0), "height_m": 0.0}, "height_m is 0.0"),
        (Place, {"position": (0.0, 0.0), "drift_ppm": 2e5}, "drift_ppm is 200000.0"),
        (Traffic, {"station": -1}, "station is -1"),
        (Traffic, {"station": 3, "to": 3}, "to is 3, and must be another"),
        (Traffic, {"station": 3, "size": 1471}, "size is 1471, and must be 1 to 1470"),
        (Traffic, {"station": 3, "period_us": 0}, "period_us is 0, and must be 1 or more"),
        (Traffic, {"station": 3, "period_us": 1e300}, r"period_us is 1e\+300, and must be 1 or more, and less than 2"),
        (Traffic, {"station": 3, "period_us": math.nan}, "period_us is nan"),
        (Traffic, {"station": 3, "first_us": 2**53}, "first_us is 9007199254740992, and must be 0 or more, and less"),
        (Traffic, {"station": 3, "jitter_us": -1}, "jitter_us is -1"),
        (Traffic, {"station": 3, "first_us": -1}, "first_us is -1"),
        (Traffic, {"station": 3, "rate": 4}, "rate is 4, and must be a wifi_phy_rate_t"),
        (Access, {"slot_us": 0}, "slot_us is 0"),
        (Access, {"eifs_us": 49}, "eifs_us is 49, and must be difs_us or more"),
        (Access, {"cw_min": 63, "cw_max": 31}, "cw_max is 31"),
        (Traffic, {"station": 3, "kind": 7}, "kind is 7, and must be a TrafficKind"),
        (Access, {"slot_us": 10**12}, "slot_us is 1000000000000, and must be 1 to 1000000"),
        (Access, {"cw_max": 10**12}, "cw_max is 1000000000000, and must be 0 to 65535 slots"),
        (Receiver, {"noise_dbm": math.nan}, "noise_dbm is nan"),
        (Receiver, {"noise_dbm": 1e9}, "noise_dbm is 1000000000.0, and must be -200 to 200"),
        (Receiver, {"least_dbm": math.inf}, "least_dbm is inf"),
        (Receiver, {"capture_db": -1.0}, "capture_db is -1.0"),
        (Receiver, {"capture_db": 1e9}, "capture_db is 1000000000.0, and must be 0 to 200"),
        (Receiver, {"preamble_us": -1}, "preamble_us is -1"),
    ],
)
def test_numbers_without_sense(what, numbers, expected):
    with pytest.raises(ValueError, match=expected):
        what(**numbers)


@pytest.mark.parametrize("traffic", [Traffic(2, 0), Traffic(0, 2)])
def test_a_station_that_is_not_there(traffic):
    with pytest.raises(ValueError, match=r"traffic 0: .* is 2, and must be below 2"):
        scene({(0, 1): -40.0}, [traffic]).kernel()

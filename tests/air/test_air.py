"""The medium: who hears whom and when, and what becomes of a frame."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.air import AirTiming, LogDistance, sensitivity_dbm
from espnow.air.scene import Access
from espnow.errors import LinkFull
from espnow.frame import (
    ACK_LENGTH,
    BROADCAST,
    LR_RATES,
    RATES,
    SIFS_US,
    airtime_us,
    parse,
    response_rate,
    unicast_duration,
)
from espnow.link import Interface, Outcome, ProtocolBit
from espnow.testing import ManualClock

DIFS_US = 50
SLOT_US = 20
TURNAROUND_US = 5
FCS = 4
ACK = 0xD4
NOBODY = b"\x02\xff\xff\xff\xff\xff"


def is_ack(transmission):
    return transmission.mpdu[0] == ACK


def data_of(sky, station=None):
    return [t for t in sky.log if not is_ack(t) and (station is None or t.station == station.name)]


# One frame.


@pytest.mark.parametrize("message", [b"x", b"y" * 250])
def test_a_broadcast_takes_its_time_and_everybody_hears_it(sky, message):
    sender, *others = (sky.station(at=(float(n), 0.0)) for n in range(4))
    token = sender.send(message=message)
    assert sender.outcomes == {}
    sky.advance(20)
    (sent,) = sky.log
    assert sent.end_us - sent.at_us == airtime_us(len(sent.mpdu) + FCS, 0)
    assert DIFS_US <= sent.at_us <= DIFS_US + 31 * SLOT_US
    assert (sent.at_us - DIFS_US) % SLOT_US == 0
    assert sender.outcomes == {token: (Outcome.ACKNOWLEDGED, 1, sent.end_us)}
    assert sender.heard == []
    for other in others:
        assert [(mpdu, channel, rate, at) for mpdu, _, channel, rate, at in other.heard] == [
            (sent.mpdu, 1, 0, sent.end_us)
        ]
    assert [(r.station, r.rssi_dbm) for r in sent.receptions] == [(o.name, o.heard[0][1]) for o in others]


def test_the_log_says_of_each_frame_how_it_was_heard_then(sky):
    """The values of a frame that is heard as the last one are the same; what stations and powers change is in it."""
    sender, near, far = (sky.station(at=(place, 0.0)) for place in (0.0, 10.0, 20.0))
    changes = [
        lambda: None,
        lambda: sky.air.move(far.link, (40.0, 0.0)),
        lambda: sender.configure(tx_power_dbm=10.0),
        lambda: near.configure(receiver_on=False),
        lambda: near.configure(),
    ]
    for change in changes:
        change()
        for _ in range(2):
            for station in (near, far):
                station.heard.clear()
            sender.send()
            sky.advance(20)
            told = [(station.name, one[1]) for station in (near, far) for one in station.heard]
            assert list(sky.log[-1].receptions) == told
    assert len({sent.receptions for sent in sky.log}) == 4
    assert len({id(one) for sent in sky.log for one in sent.receptions}) <= 6


def test_a_unicast_is_acknowledged_one_sifs_later_by_its_addressee_alone(sky):
    sender, receiver, third = (sky.station() for _ in range(3))
    token = sender.send(receiver)
    sky.advance(20)
    data, answer = sky.log
    assert (data.station, answer.station) == (sender.name, receiver.name)
    assert answer.at_us == data.end_us + SIFS_US
    assert answer.end_us == answer.at_us + airtime_us(ACK_LENGTH, response_rate(0))
    assert answer.mpdu == bytes((ACK, 0, 0, 0)) + sender.mac
    assert sender.outcomes == {token: (Outcome.ACKNOWLEDGED, 1, answer.end_us)}
    assert answer.end_us - data.end_us == unicast_duration(0)
    assert len(receiver.heard) == 1
    assert third.heard == []


def test_the_access_point_address_is_answered_too(sky):
    sender, receiver = sky.station(), sky.station(interfaces=(Interface.STA, Interface.AP))
    both = [address for _, address in receiver.link.config.addresses]
    assert len(set(both)) == 2
    tokens = [sender.send(address) for address in both]
    sky.advance(50)
    assert [sender.outcomes[token][0] for token in tokens] == [Outcome.ACKNOWLEDGED] * 2
    assert [mpdu[4:10] for mpdu, *_ in receiver.heard] == both


def test_a_new_set_of_addresses_replaces_the_old(sky):
    sender, receiver = sky.station(), sky.station(interfaces=(Interface.STA, Interface.AP))
    access_point = receiver.link.config.addresses[1][1]
    receiver.configure(interfaces=(Interface.STA,))
    gone, there = sender.send(access_point), sender.send(receiver)
    sky.advance(200)
    assert sender.outcomes[gone][0] is Outcome.NOT_ACKNOWLEDGED
    assert sender.outcomes[there][0] is Outcome.ACKNOWLEDGED
    receiver.configure(interfaces=())
    gone = sender.send(receiver)
    sky.advance(200)
    assert sender.outcomes[gone][0] is Outcome.NOT_ACKNOWLEDGED


# Retries.


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("length", "version", "most_ms"), [(1, 1, 70), (250, 1, 85), (1470, 2, 95)])
def test_an_unanswered_unicast_is_given_up_after_tens_of_milliseconds(make_sky, seed, length, version, most_ms):
    sky = make_sky(seed=seed)
    sender = sky.station()
    token = sender.send(NOBODY, b"x" * length, version=version)
    sky.advance(500)
    outcome, attempts, at_us = sender.outcomes[token]
    assert outcome is Outcome.NOT_ACKNOWLEDGED
    assert attempts == len(sky.log) <= 7
    if length <= 250:
        assert attempts == 7
    else:
        assert attempts >= 3
    assert 10_000 < at_us < most_ms * 1000


def test_giving_up_takes_20_to_60_ms_on_average(make_sky):
    for length in (1, 250):
        times = []
        for seed in range(60):
            sky = make_sky(seed=seed)
            sender = sky.station()
            token = sender.send(NOBODY, b"x" * length)
            sky.advance(500)
            times.append(sender.outcomes[token][2] / 1000)
        assert 20 < sum(times) / len(times) < 60
        assert sum(20 < time < 60 for time in times) > 45


def test_a_retry_is_the_same_frame_with_the_retry_bit(sky):
    sender = sky.station()
    sender.send(NOBODY, b"hello")
    sky.advance(500)
    first, *others = [t.mpdu for t in sky.log]
    assert [t.attempt for t in sky.log] == list(range(1, 8))
    assert len(set(others)) == 1
    assert not parse(first).retry
    retried = parse(others[0])
    assert retried.retry
    assert (retried.seq, retried.random_value, retried.message) == (
        parse(first).seq,
        parse(first).random_value,
        b"hello",
    )
    assert [a ^ b for a, b in zip(first, others[0], strict=True)] == [0, 8] + [0] * (len(first) - 2)


@pytest.mark.parametrize("attempts", [1, 2, 3, 31])
def test_the_station_says_how_often_it_is_tried(sky, attempts):
    sender = sky.station(attempts=attempts)
    token = sender.send(NOBODY)
    sky.advance(500)
    assert sender.outcomes[token][1] == len(sky.log) <= attempts
    assert len(sky.log) == attempts or sender.outcomes[token][2] < 91_000


def test_the_contention_window_doubles(make_sky):
    """The mean wait before the n-th try is half the n-th window; seeded, so the figures repeat."""
    windows = (31, 63, 127, 255, 511, 1023, 1023)
    waits = [[] for _ in windows]
    for seed in range(300):
        sky = make_sky(seed=seed, timing=AirTiming(lifetime_us=10_000_000))
        sender = sky.station()
        sender.send(NOBODY)
        sky.advance(500)
        from_us = DIFS_US
        for number, sent in enumerate(sky.log):
            slots = (sent.at_us - from_us) / SLOT_US
            assert slots == int(slots)
            assert 0 <= slots <= windows[number]
            waits[number].append(slots)
            from_us = sent.end_us + Access().timeout_us  # the channel was idle for longer than DIFS by then
    for window, wait in zip(windows, waits, strict=True):
        assert abs(sum(wait) / len(wait) - window / 2) < window / 8
        assert max(wait) > 0.9 * window


def test_a_frame_has_a_first_window_again_after_one_that_failed(make_sky):
    sky = make_sky()
    sender = sky.station()
    for _ in range(60):
        failed, token = sender.send(NOBODY), sender.send()
        sky.advance(500)
        assert sender.outcomes[failed][2] < sender.outcomes[token][2]
        sent = sky.log[-1]
        assert sent.attempt == 1
        assert sent.at_us - sender.outcomes[failed][2] <= DIFS_US + 31 * SLOT_US


# Loss.


def test_a_lost_frame_is_tried_again_and_delivered_once(make_sky):
    sky = make_sky(seed=2)
    sender, receiver = sky.station("a"), sky.station("b")
    sky.air.set_loss("a", "b", 0.4)
    tokens = [sender.send(receiver, bytes((n,))) for n in range(30)]
    sky.advance(3_000)
    assert all(sender.outcomes[token][0] is Outcome.ACKNOWLEDGED for token in tokens)
    assert len(receiver.heard) == 30
    attempts = [sender.outcomes[token][1] for token in tokens]
    assert sum(attempts) > 30
    assert sum(attempts) == len(data_of(sky))
    for token, (mpdu, *_) in zip(tokens, receiver.heard, strict=True):
        assert bool(mpdu[1] & 8) == (sender.outcomes[token][1] > 1)


def test_a_lost_acknowledgement_brings_the_same_frame_again(make_sky):
    sky = make_sky(seed=1)
    sender, receiver = sky.station("a"), sky.station("b")
    sky.air.set_loss("b", "a", 1.0)
    token = sender.send(receiver)
    sky.advance(500)
    assert sender.outcomes[token][:2] == (Outcome.NOT_ACKNOWLEDGED, 7)
    assert [bool(mpdu[1] & 8) for mpdu, *_ in receiver.heard] == [False] + [True] * 6
    acks = [t for t in sky.log if is_ack(t)]
    assert len(acks) == 7
    assert all(t.receptions == () for t in acks)


def test_loss_is_of_one_direction_between_two_stations(make_sky):
    sky = make_sky(loss=0.0)
    a, b, c = (sky.station(name) for name in "abc")
    sky.air.set_loss("a", "b", 1.0)
    for station in (a, b, c):
        station.send()
    sky.advance(50)
    assert a.from_whom == sorted([b.mac, c.mac], key=a.from_whom.index)
    assert b.from_whom == [c.mac]
    assert sorted(c.from_whom) == [a.mac, b.mac]


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_so_many_broadcasts_are_lost(make_sky, probability):
    sky = make_sky(seed=3, loss=probability)
    sender, receiver = sky.station(), sky.station()
    for _ in range(500):
        sender.send()
        sky.advance(5)
    assert abs(len(receiver.heard) / 500 - (1 - probability)) < 0.07
    assert all(outcome[0] is Outcome.ACKNOWLEDGED for outcome in sender.outcomes.values())


def test_the_chance_of_one_link_does_not_depend_on_the_others(make_sky):
    def heard(others):
        sky = make_sky(seed=2, loss=0.5)
        a, b = sky.station("a"), sky.station("b")
        more = [sky.station(f"other-{n}") for n in range(others)]
        for number in range(100):
            a.send(message=bytes((number,)))
            sky.advance(5)
        assert all(0 < len(station.heard) < 100 for station in more)
        return [parse(mpdu).message for mpdu, *_ in b.heard]

    alone = heard(0)
    assert 30 < len(alone) < 70
    assert heard(1) == heard(4) == alone


def test_two_links_are_lost_independently(make_sky):
    sky = make_sky(seed=2, loss=0.5)
    sender, one, other = (sky.station() for _ in range(3))
    for number in range(200):
        sender.send(message=bytes((number,)))
        sky.advance(5)
    first, second = ({mpdu for mpdu, *_ in station.heard} for station in (one, other))
    assert abs(len(first & second) / 200 - 0.25) < 0.1


# Sharing the channel.


def busy_until(transmission):
    """When stations that heard a frame may count its channel idle again: after its acknowledgement."""
    group = transmission.mpdu[4] & 1
    return transmission.end_us + (0 if group else unicast_duration(transmission.rate))


def check_one_at_a_time(log, difs_us=0):
    """Return the frames in the order of their begin, and how many collided: those whose turn came at once."""
    data = sorted((t for t in log if not is_ack(t)), key=lambda t: t.at_us)
    collided = 0
    for one, other in itertools.pairwise(data):
        if other.at_us <= one.at_us + TURNAROUND_US:
            collided += 1
            assert one.receptions == other.receptions == ()
        else:
            own = one.station == other.station or one.receptions == ()
            assert other.at_us >= (one.end_us if own else busy_until(one)) + difs_us, (one, other)
    return data, collided


@pytest.mark.parametrize("seed", range(5))
def test_many_stations_share_the_channel(make_sky, seed):
    sky = make_sky(seed=seed)
    stations = [sky.station() for _ in range(8)]
    for number, station in enumerate(stations):
        for count in range(6):
            target = BROADCAST if (number + count) % 3 else stations[number - 1]
            station.send(target, b"x" * (1 + 40 * count))
    sky.advance(1_000)
    data, collided = check_one_at_a_time(sky.log)
    assert 48 <= len(data) <= 48 + 2 * collided
    assert collided < 12
    for station in stations:
        assert sorted(station.outcomes) == list(range(1, 7))
        own = [t.mpdu for t in data if t.station == station.name and t.attempt == 1]
        assert [parse(mpdu).random_value for mpdu in own] == list(range(1, 7))


@pytest.mark.parametrize("seed", range(5))
def test_a_station_waits_until_the_channel_was_idle_for_difs(make_sky, seed):
    """Also one that counts down a long backoff while others send in between."""
    sky = make_sky(seed=seed)
    stations = [sky.station() for _ in range(4)]
    for _ in range(20):
        stations[0].send(NOBODY)  # fails, so its windows become long
        for station in stations[1:]:
            for _ in range(3):
                station.send()
        sky.advance(100)
    _, collided = check_one_at_a_time(sky.log, DIFS_US)
    assert collided < len(sky.log) / 5


def test_frames_that_begin_in_one_slot_are_lost_to_all(make_sky):
    """Of two that start together, one in 32 pairs draws the same slot."""
    collisions = 0
    for seed in range(400):
        sky = make_sky(seed=seed)
        one, other, third = (sky.station() for _ in range(3))
        reasons = []
        sky.air.on_miss = lambda _, receiver, reason, reasons=reasons: reasons.append((receiver.name, reason))
        one.send()
        other.send()
        sky.advance(20)
        if sky.log[0].at_us == sky.log[1].at_us:
            collisions += 1
            assert third.heard == []
            assert sorted((name, reason.name) for name, reason in reasons) == [
                ("s1", "SENDING"),
                ("s2", "SENDING"),
                ("s3", "COLLIDED"),
                ("s3", "COLLIDED"),
            ]
        else:
            assert len(third.heard) == 2
            assert reasons == []
    assert 4 <= collisions <= 24


def test_the_stronger_of_two_frames_survives(make_sky):
    """A receiver tells a frame from another that is weak enough, though it hears both (SINR)."""
    sky = make_sky(propagation=LogDistance(3.0))
    near, far, receiver = sky.station(at=(10, 0)), sky.station(at=(-300, 0)), sky.station()
    for _ in range(30):
        near.send(message=b"n" * 100)
        far.send(message=b"f" * 100)
    sky.advance(400)
    overlaps = sum(
        one.at_us < other.end_us and other.at_us < one.end_us
        for one in data_of(sky, near)
        for other in data_of(sky, far)
    )
    assert overlaps
    assert receiver.from_whom.count(near.mac) == 30
    assert 30 - overlaps <= receiver.from_whom.count(far.mac) < 30


def test_a_backoff_goes_on_where_it_stopped(make_sky):
    """Who waited long has the shorter rest: nobody is overtaken for ever."""
    sky = make_sky(seed=4)
    greedy, patient = sky.station(), sky.station()
    for _ in range(32):
        greedy.send()
    sky.advance(0.1)
    patient.send()
    sky.advance(200)
    order = [t.station for t in sky.log]
    assert order.index(patient.name) < 12


def test_hidden_stations_do_not_wait_for_each_other(make_sky, make_range):
    sky = make_sky(propagation=make_range(100))
    left, middle, right = sky.station(at=(0, 0)), sky.station(at=(90, 0)), sky.station(at=(180, 0))
    for _ in range(20):
        left.send(message=b"x" * 250)
        right.send(message=b"x" * 250)
    sky.advance(200)
    overlaps = sum(
        one.at_us < other.end_us and other.at_us < one.end_us
        for one in data_of(sky, left)
        for other in data_of(sky, right)
    )
    assert overlaps > 5
    assert left.heard == right.heard == []
    assert middle.heard


def test_two_channels_do_not_wait_for_each_other(make_sky):
    sky = make_sky()
    one, other = sky.station(channel=1), sky.station(channel=6)
    for _ in range(20):
        one.send(message=b"x" * 250)
        other.send(message=b"x" * 250)
    sky.advance(200)
    assert any(a.at_us < b.end_us and b.at_us < a.end_us for a in data_of(sky, one) for b in data_of(sky, other))
    assert one.heard == other.heard == []
    assert {t.channel for t in data_of(sky, other)} == {6}


def test_a_station_that_sends_does_not_hear(make_sky, make_range):
    sky = make_sky(propagation=make_range(100))
    left, middle, right = sky.station(at=(0, 0)), sky.station(at=(90, 0)), sky.station(at=(180, 0))
    for _ in range(20):
        left.send(message=b"x" * 250)
        right.send(message=b"x" * 250)
        middle.send(message=b"x" * 250)
    sky.advance(400)
    own = [(t.at_us, t.end_us) for t in data_of(sky, middle)]
    for sent in data_of(sky, left) + data_of(sky, right):
        meanwhile = any(begin < sent.end_us and sent.at_us < end for begin, end in own)
        assert not (meanwhile and any(r.station == middle.name for r in sent.receptions))


# Who hears whom.


@pytest.mark.parametrize("rate", sorted(set(RATES) - set(LR_RATES)))
def test_rssi_falls_with_the_distance_until_nothing_is_heard(make_sky, rate):
    sky = make_sky(propagation=LogDistance(3.0))
    sender = sky.station(group_rate=rate, rate=rate)
    reach_m = LogDistance(3.0).reach_m(20.0 - sensitivity_dbm(rate))
    places = [0.0, 1.0, 2.0, 0.5 * reach_m, 0.999 * reach_m, 1.001 * reach_m, 2 * reach_m]
    hearers = [sky.station(at=(place, 0.0)) for place in places]
    sender.send()
    sky.advance(20)
    rssis = [[rssi for _, rssi, *_ in hearer.heard] for hearer in hearers]
    assert rssis[5:] == [[], []]
    levels = [rssi for (rssi,) in rssis[:5]]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == levels[1] == round(20 - 40.2)
    assert levels[2] == round(20 - 40.2 - 30 * math.log10(2))
    assert abs(levels[4] - sensitivity_dbm(rate)) <= 1


def test_a_range_cuts_off_what_the_signal_would_reach(make_sky, make_range):
    sky = make_sky(propagation=make_range(50))
    sender, near, far = sky.station(), sky.station(at=(0, 50.0)), sky.station(at=(0, 50.01))
    near_token, far_token = sender.send(near), sender.send(far)
    sky.advance(200)
    assert sender.outcomes[near_token][0] is Outcome.ACKNOWLEDGED
    assert sender.outcomes[far_token][0] is Outcome.NOT_ACKNOWLEDGED
    assert (len(near.heard), len(far.heard)) == (1, 0)


def test_an_acknowledgement_has_the_strength_of_who_sends_it(sky):
    loud, soft = sky.station(tx_power_dbm=20.0), sky.station(at=(10.0, 0.0), tx_power_dbm=5.0)
    loud.send(soft)
    sky.advance(20)
    frame, answer = sky.log
    assert answer.station == soft.name
    assert answer.receptions[0].station == loud.name
    assert answer.receptions[0].rssi_dbm == frame.receptions[0].rssi_dbm - 15


def test_a_stronger_sender_is_heard_farther_but_not_answered(sky):
    """The acknowledgement must come back, too."""
    reach_m = LogDistance().reach_m(10.0 - sensitivity_dbm(response_rate(0)))
    strong, weak = sky.station(tx_power_dbm=20.0), sky.station(at=(reach_m * 1.5, 0.0), tx_power_dbm=10.0)
    token = strong.send(weak)
    sky.advance(200)
    assert len(weak.heard) == 7
    assert strong.outcomes[token][:2] == (Outcome.NOT_ACKNOWLEDGED, 7)


@pytest.mark.parametrize(
    "options",
    [
        {"channel": 6},
        {"receiver_on": False},
        {"interfaces": ()},
    ],
)
def test_who_is_not_there_neither_hears_nor_answers(sky, options):
    sender, receiver = sky.station(), sky.station()
    receiver.configure(**options)
    unicast, group = sender.send(receiver), sender.send()
    sky.advance(200)
    assert sender.outcomes[unicast][0] is Outcome.NOT_ACKNOWLEDGED
    assert sender.outcomes[group][0] is Outcome.ACKNOWLEDGED
    if "interfaces" not in options:
        assert receiver.heard == []


@pytest.mark.parametrize("change", [{"channel": 6}, {"receiver_on": False}])
def test_a_frame_under_way_is_lost_to_who_turns_away_or_comes_late(sky, change):
    sender, leaving, coming = (sky.station() for _ in range(3))
    coming.configure(**change)
    sender.send(message=b"x" * 250)
    while not sky.air.medium.kernel.is_sending(sender.link.number):
        sky.clock.advance(1)
    sky.advance(0.5)
    leaving.configure(**change)
    coming.configure()
    sky.advance(20)
    assert leaving.heard == coming.heard == []
    leaving.configure()
    sender.send()
    sky.advance(20)
    assert len(leaving.heard) == len(coming.heard) == 1


@pytest.mark.parametrize("rate", sorted(LR_RATES))
def test_long_range_frames_are_heard_by_stations_that_have_it(sky, rate):
    everything = ProtocolBit.B | ProtocolBit.G | ProtocolBit.N | ProtocolBit.LR
    sender = sky.station(rate=rate, group_rate=rate, protocols=everything)
    with_it, without = sky.station(protocols=everything), sky.station()
    group, answered, unanswered = sender.send(), sender.send(with_it), sender.send(without)
    sky.advance(500)
    assert sender.outcomes[group][0] is Outcome.ACKNOWLEDGED
    assert sender.outcomes[answered][0] is Outcome.ACKNOWLEDGED
    assert sender.outcomes[unanswered][0] is Outcome.NOT_ACKNOWLEDGED
    assert len(with_it.heard) == 2
    assert without.heard == []


def test_a_station_that_sends_without_an_interface_is_told_so(sky):
    sender, receiver = sky.station(), sky.station()
    tokens = [sender.send(receiver), sender.send()]
    sender.configure(interfaces=())
    sky.advance(50)
    assert [sender.outcomes[token][0] for token in tokens] == [Outcome.NOT_ACKNOWLEDGED] * 2
    assert receiver.heard == []


def test_stations_may_move(make_sky, make_range):
    sky = make_sky(propagation=make_range(100))
    sender, mover = sky.station(), sky.station(at=(1000.0, 0.0))
    levels = []
    for place in (1000.0, 100.0, 10.0, -10.0, -5_000.0):
        sky.air.move(mover.link, (place, 0.0))
        mover.heard.clear()
        sender.send()
        sky.advance(20)
        levels.append([rssi for _, rssi, *_ in mover.heard])
    assert levels[0] == levels[4] == []
    assert levels[1][0] < levels[2][0] == levels[3][0]
    sky.air.move(sender.link, (-5_000.0, 1.0))
    sender.send()
    sky.advance(20)
    assert len(mover.heard) == 1


def test_a_frame_is_as_strong_as_where_it_began(sky):
    sender, receiver = sky.station(at=(10.0, 0.0)), sky.station()
    sender.send(message=b"x" * 250)
    while not sky.air.medium.kernel.is_sending(sender.link.number):
        sky.clock.advance(1)
    sky.air.move(sender.link, (5_000.0, 0.0))
    sender.send(message=b"farther than it is heard")
    sky.advance(50)
    assert [rssi for _, rssi, *_ in receiver.heard] == [round(20 - 40.2 - 30)]
    assert sky.log[0].receptions[0].rssi_dbm == receiver.heard[0][1]


def test_a_pair_that_moves_has_chances_of_its_own_for_each_frame(make_sky):
    sky = make_sky(seed=1, loss=0.5)
    sender, receiver = sky.station(), sky.station(at=(5.0, 0.0))
    heard = []
    for number in range(400):
        before = len(receiver.heard)
        sender.send(message=bytes(100))
        sky.advance(0.9)
        sky.air.move(sender.link, (float(number % 2), 0.0))  # while it is on the air, as a rule
        other = sky.stations[1]
        other.link.configure(other.link.config)
        sky.air.medium.refresh()
        sky.advance(9)
        heard.append(len(receiver.heard) > before)
    assert 160 < sum(heard) < 240
    same = sum(one == other for one, other in itertools.pairwise(heard))
    assert 160 < same < 240


# The queue.


def test_a_full_queue_refuses_and_gives_no_answer_for_what_it_refused(sky):
    sender = sky.station()
    tokens = [sender.send() for _ in range(AirTiming().queue_frames)]
    with pytest.raises(LinkFull):
        sender.send()
    refused = sender.tokens
    sky.advance(500)
    assert sorted(sender.outcomes) == tokens
    assert refused not in sender.outcomes
    token = sender.send()
    sky.advance(50)
    assert token in sender.outcomes


def test_frames_leave_in_the_order_given_each_answered_once(make_sky):
    sky = make_sky(seed=9, loss=0.4)
    sender, receiver = sky.station(), sky.station()
    for number in range(25):
        sender.send(receiver if number % 2 else BROADCAST, bytes((number,)))
    sky.advance(3_000)
    assert list(sender.outcomes) == list(range(1, 26))
    first = [parse(t.mpdu).random_value for t in data_of(sky) if t.attempt == 1]
    assert first == list(range(1, 26))
    times = [at_us for _, _, at_us in sender.outcomes.values()]
    assert times == sorted(times)


def test_transmit_never_answers_from_inside(sky):
    sender = sky.station()
    for _ in range(10):
        before = dict(sender.outcomes)
        sender.send()
        assert sender.outcomes == before
    sky.advance(100)
    assert len(sender.outcomes) == 10


def test_a_station_that_sends_from_its_answer_keeps_its_turn(sky):
    """Told of an outcome it may queue the next frame at once."""
    sender, receiver = sky.station(), sky.station()
    outcome = sender.outcome

    def again(token, *rest):
        outcome(token, *rest)
        if token < 20:
            sender.send(receiver if token % 2 else BROADCAST)

    sender.outcome = again
    sender.send()
    sky.advance(500)
    assert list(sender.outcomes) == list(range(1, 21))
    assert len(receiver.heard) == 20


def test_names_are_unique(sky):
    sky.station("a")
    with pytest.raises(ValueError, match="'a'"):
        sky.air.attach("a", (0.0, 0.0))


# Finding neighbours.

places = st.tuples(st.floats(-3_000, 3_000), st.floats(-3_000, 3_000))


@given(
    st.lists(places, min_size=1, max_size=25),
    st.lists(st.tuples(st.integers(0, 24), places), max_size=5),
    st.sampled_from([1.5, 2.0, 3.0, 4.0, 6.0]),
    st.one_of(st.none(), st.floats(0, 2_000)),
)
def test_the_neighbours_are_those_that_are_near(points, moves, exponent, range_m):
    from random import Random

    from espnow.air import Air

    propagation = LogDistance(exponent, range_m)
    air = Air(ManualClock(), lambda name: Random(name), propagation=propagation)
    links = [air.attach(str(number), point) for number, point in enumerate(points)]
    for number, point in moves:
        if number < len(links):
            air.move(links[number], point)
            points[number] = point
    for rate in (0, 11, 41):
        air.medium.use_rate(rate)
        reach_m = propagation.reach_m(20.0 - sensitivity_dbm(rate))
        for number, link in enumerate(links):
            near = [n for n, p in enumerate(points) if n != number and math.dist(points[number], p) <= reach_m]
            assert [hearer.name for hearer in air.in_range(link, rate)] == [str(n) for n in near]


@given(st.floats(1.0, 6.0), st.floats(40.5, 140.0))
def test_reach_is_where_the_loss_is_reached(exponent, loss_db):
    propagation = LogDistance(exponent)
    assert propagation.loss_db(propagation.reach_m(loss_db)) == pytest.approx(loss_db)
    assert propagation.reach_m(40.0) == 0.0


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_what_is_farther_is_weaker(one, other):
    propagation = LogDistance()
    assert (propagation.loss_db(one) <= propagation.loss_db(other)) or one > other


def test_what_a_station_left_is_forgotten(sky):
    station = sky.station()
    for number in range(5):
        station.mac = bytes([2, 0, 0, 0, 1, number])
        station.configure()
        sky.air.move(station.link, (number * 10_000.0, 0.0))
    assert list(sky.air._owners) == [station.mac]
    assert len(sky.air.medium._ground._cells) == 1

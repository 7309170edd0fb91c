"""The radio of udp: in virtual time: its pace, loss and places, strangers, troubles and its end."""

from __future__ import annotations

import errno
import itertools
import math
from collections import deque

import pytest

from espnow.errors import LinkFull
from espnow.frame import ack, airtime_us
from espnow.radio.udp.channel import Channel
from espnow.radio.udp.datagram import MAX_MPDU, UdpDatagram
from espnow.radio.udp.datagram import build as build_datagram
from espnow.radio.udp.radio import UdpSettings

from .udp_air import ACKNOWLEDGED, ALL, NOT_ACKNOWLEDGED, UNPACED, A, Air, B, C, configure, espnow_frame


@pytest.fixture
def air():
    return Air()


@pytest.fixture(params=["paced", "unpaced"])
def settings(request):
    return UdpSettings(paced=request.param == "paced")


# Pace.


def test_the_air_sets_the_pace(air):
    """A broadcast of 250 bytes at 1 Mb/s: about 2.5 ms, DIFS, and up to 31 slots of 20 us."""
    one = air.radio(A)
    count, left = 200, deque(range(200))
    mpdu = espnow_frame(ALL, message=bytes(250))
    begin_us = air.loop.now_us
    while left or len(one.station.outcomes) < count:
        while left:
            try:
                one.transmit(mpdu, left[0])
            except LinkFull:
                break
            left.popleft()
        air.loop.run(1_000)
    taken_us = air.loop.now_us - begin_us
    each_us = airtime_us(len(mpdu) + 4, 0) + 50
    assert count * each_us <= taken_us <= count * (each_us + 31 * 20) + 2_000
    assert taken_us == pytest.approx(count * (each_us + 310), rel=0.05)
    times = [at_us for at_us, _ in air.frames]
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= each_us


def test_without_pace_nothing_waits(air):
    one = air.radio(A, settings=UNPACED)
    begin_us = air.loop.now_us
    for number in range(20):
        one.transmit(espnow_frame(ALL, message=bytes(250)), number)
    air.loop.settle()
    assert len(one.station.outcomes) == 20
    assert air.loop.now_us == begin_us


def test_an_acknowledged_frame_takes_its_time_too(air):
    one = air.radio(A)
    air.radio(B)
    begin_us = air.loop.now_us
    mpdu = espnow_frame(B, message=bytes(250))
    one.transmit(mpdu, 7)
    while not one.station.outcomes:
        air.loop.run(10)
    taken_us = air.loop.now_us - begin_us
    least_us = 50 + airtime_us(len(mpdu) + 4, 0) + 10 + airtime_us(14, 0)
    assert least_us <= taken_us <= least_us + 31 * 20 + 10


def test_two_share_the_channel(air):
    """Whoever hears a frame waits until it is over: together they send as much as one alone."""
    one, two = air.radio(A), air.radio(B)
    mpdus = {radio: espnow_frame(ALL, source, message=bytes(200)) for radio, source in ((one, A), (two, B))}
    for _ in range(1_000):
        for radio, mpdu in mpdus.items():
            try:
                radio.transmit(mpdu, 1)
            except LinkFull:
                pass
        air.loop.run(2_000)
    counts = [len(radio.station.outcomes) for radio in (one, two)]
    each_us = airtime_us(len(mpdus[one]) + 4, 0) + 50
    assert sum(counts) * each_us < 2_000_000 * 1.1
    assert min(counts) > 0.7 * max(counts)
    ends_us = [at_us + each_us - 50 for at_us, _ in air.frames]
    overlaps = sum(end_us > at_us for end_us, (at_us, _) in zip(ends_us, air.frames[1:], strict=False))
    assert overlaps < 0.25 * len(ends_us)  # a datagram is on its way for more than a slot


def test_others_on_another_channel_do_not_matter(air):
    one, two = air.radio(A), air.radio(B, channel=6)
    for radio, source in ((one, A), (two, B)):
        for number in range(30):
            radio.transmit(espnow_frame(ALL, source, message=bytes(200)), number)
    air.loop.run(30 * (airtime_us(243, 0) + 700))
    assert [len(radio.station.outcomes) for radio in (one, two)] == [30, 30]


def test_a_flood_does_not_keep_others_from_sending(air):
    """Somebody who does not pace: on a real channel nobody can send more than fits."""
    one = air.radio(A)
    flood = build_datagram(UdpDatagram(1, 1, 0, -20, 1, 5, 6, 0.0, 0.0, espnow_frame(ALL, C, bytes(250))))
    for step in range(2_000):
        air.loop.call_at(air.loop.now_us + step * 200, lambda: air.deliver([one._heard], (flood, ("127.0.0.1", 9))))
    air.loop.run(100_000)
    one.transmit(espnow_frame(ALL), 7)
    air.loop.run(50_000)
    assert one.station.outcomes == [(7, ACKNOWLEDGED, 1)]


def test_who_waited_long_enough_begins(air):
    one = air.radio(A)
    one._channel.taken(air.loop.now_us + 5_000_000)
    one.transmit(espnow_frame(ALL), 7)
    air.loop.run(4_900_000)
    assert one.station.outcomes == []
    air.loop.run(200_000)
    assert one.station.outcomes == [(7, ACKNOWLEDGED, 1)]


def test_who_comes_late_to_its_turn_catches_up(air):
    """The computer was busy for 2 ms: the next frames begin at once, so that the pace is kept on average."""
    one = air.radio(A)
    mpdu = espnow_frame(ALL, message=bytes(10))
    one.transmit(mpdu, 1)
    one.transmit(mpdu, 2)
    air.loop.run(300)
    late_us = air.loop.now_us + 1_500
    real, air.loop.call_at = air.loop.call_at, lambda at_us, function, **_: real(max(at_us, late_us), function)
    air.loop.run(1_600)
    air.loop.call_at = real
    air.loop.run(50_000)
    assert len(air.frames) == 2


def test_the_channel_knows_until_when_it_is_taken():
    channel = Channel()
    channel.heard("one", 1_000, 5_000)
    assert channel.free_at_us == 6_000
    channel.heard("two", 200, 5_100)
    assert channel.free_at_us == 6_000
    channel.taken(9_000)
    channel.taken(8_000)
    assert channel.free_at_us == 9_000


def test_the_channel_does_not_wait_for_who_sends_more_than_fits():
    channel = Channel()
    for _ in range(60):
        channel.heard("flood", 1_000, 0)
    assert channel.free_at_us == 1_000
    channel.heard("flood", 1_000, 1_000)
    assert channel.free_at_us == 1_000
    channel.heard("other", 1_000, 2_000)
    assert channel.free_at_us == 3_000
    channel.heard("flood", 1_000, 10_000_000)  # it has stopped meanwhile
    assert channel.free_at_us == 10_001_000


def test_the_channel_remembers_a_bounded_number():
    channel = Channel()
    for number in range(3_000):
        channel.heard(number, 10, number * 100)
    assert len(channel._senders) == 1024


# Loss, places, strength.


def test_loss_of_frames(air):
    two_settings = UdpSettings(paced=False, loss=0.3)
    one, two = air.radio(A, settings=UNPACED), air.radio(B, settings=two_settings)
    for number in range(2_000):
        one.transmit(espnow_frame(ALL), number)
        air.loop.run(1_000)
    assert 0.62 < len(two.station.heard) / 2_000 < 0.78
    assert two.counts.lost + len(two.station.heard) == 2_000


def test_loss_of_answers(air):
    """Three of ten answers are lost, each costs an attempt; messages are not doubled."""
    one, two = air.radio(A, settings=UdpSettings(paced=False, loss=0.3)), air.radio(B, settings=UNPACED)
    for number in range(300):
        one.transmit(espnow_frame(B, seq=number), number)
        air.loop.run(100_000)
    assert len(two.station.heard) == 300
    attempts = [attempts for *_, attempts in one.station.outcomes]
    assert 1.2 < sum(attempts) / 300 < 1.8


@pytest.mark.parametrize("side", [0, 1])
def test_all_is_lost(air, side):
    lossy = UdpSettings(paced=False, loss=1.0)
    one = air.radio(A, settings=(lossy, UNPACED)[side])
    two = air.radio(B, settings=(UNPACED, lossy)[side])
    one.transmit(espnow_frame(B), 7)
    air.loop.run()
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 7)]
    assert len(two.station.heard) == (0 if side else 1)


@pytest.mark.parametrize(
    ("at", "range_m", "heard", "rssi_dbm"),
    [
        ((3.0, 4.0), math.inf, True, -20 - 21),
        ((3.0, 4.0), 5.0, True, -20 - 21),
        ((3.0, 4.0), 4.9, False, None),
        ((0.5, 0.0), math.inf, True, -20),
        ((0.0, 0.0), 0.0, True, -20),
        ((1e9, 1e9), math.inf, True, -127),
        (None, 1.0, True, -20),
    ],
)
def test_range_and_strength_by_distance(air, at, range_m, heard, rssi_dbm):
    one = air.radio(A, settings=UdpSettings(paced=False, position=(0.0, 0.0)))
    two = air.radio(B, settings=UdpSettings(paced=False, position=at, range_m=range_m))
    one.transmit(espnow_frame(ALL), 7)
    air.loop.run()
    assert bool(two.station.heard) == heard
    if heard:
        assert two.station.heard[0][1] == rssi_dbm


def test_a_sender_without_a_place_is_heard_everywhere(air):
    one = air.radio(A, settings=UNPACED)
    two = air.radio(B, settings=UdpSettings(paced=False, position=(100.0, 0.0), range_m=1.0))
    one.transmit(espnow_frame(ALL), 7)
    air.loop.run()
    assert len(two.station.heard) == 1


@pytest.mark.parametrize(
    ("settings", "config", "rssi_dbm"),
    [
        (UdpSettings(rssi_dbm=-70), {}, -70),
        (UdpSettings(), {"tx_power_dbm": 2.0}, -38),
        (UdpSettings(), {"tx_power_dbm": 20.0}, -20),
        (UdpSettings(rssi_dbm=0), {}, 0),
    ],
)
def test_strength(air, settings, config, rssi_dbm):
    one, two = air.radio(A, settings=settings, **config), air.radio(B)
    one.transmit(espnow_frame(ALL), 7)
    air.loop.run()
    assert two.station.heard[0][1] == rssi_dbm


# Strangers and troubles.

STRANGE = [b"", b"x", b"ESPN\x01", bytes(100), b"ESPN\x01" + bytes(60), b"\xff" * 3000]


@pytest.mark.parametrize("datagram", STRANGE)
def test_what_is_none_of_ours_is_counted(air, datagram):
    one = air.radio(A)
    for opened in (one._heard, one._sent):
        air.deliver([opened], (datagram, ("127.0.0.1", 9)))
    air.loop.run()
    assert one.counts.foreign == 2
    assert (one.station.heard, air.sent) == ([], [])


@pytest.mark.parametrize(("source", "taken"), [("127.0.0.1", True), ("127.9.9.9", True), ("192.168.1.5", False)])
def test_what_comes_from_elsewhere_is_not_taken(air, source, taken):
    one = air.radio(A)
    datagram = build_datagram(UdpDatagram(1, 1, 0, -20, 1, 5, 6, 0.0, 0.0, espnow_frame(ALL, B)))
    air.deliver([one._heard], (datagram, (source, 9)))
    assert bool(one.station.heard) == taken
    assert one.counts.foreign == (0 if taken else 1)


def test_an_answer_to_the_group_and_a_frame_to_one_radio_are_none_of_ours(air):
    one = air.radio(A)
    frame = build_datagram(UdpDatagram(1, 1, 0, -20, 1, 5, 6, 0.0, 0.0, espnow_frame(A, B)))
    answer = build_datagram(UdpDatagram(2, 1, 0, -20, 1, 5, 6, 0.0, 0.0, ack(A)))
    air.deliver([one._heard], (answer, ("127.0.0.1", 9)))
    air.deliver([one._sent], (frame, ("127.0.0.1", 9)))
    assert one.counts.foreign == 2
    assert (one.station.heard, air.sent) == ([], [])


def test_two_with_one_number_of_sender_are_told_apart_by_where_they_are(air):
    """A stranger cannot suppress a message by having answered for another."""
    one = air.radio(A)
    for port in (9, 10):
        datagram = build_datagram(UdpDatagram(1, 1, 0, -20, 1, 5, 6, 0.0, 0.0, espnow_frame(A, B)))
        one._heard.arrived.append((datagram, ("127.0.0.1", port)))
    air._sockets[("127.0.0.1", 9)] = air._sockets[("127.0.0.1", 10)] = air.radio()._sent
    air.loop.watched[one._heard.number]()
    assert len(one.station.heard) == 2


def test_a_flood_leaves_room_for_others(air):
    one = air.radio(A)

    def datagram(source, number):
        mpdu = espnow_frame(ALL, B, b"%d" % source)
        return build_datagram(UdpDatagram(1, 1, 0, -20, 1, source, number, 0.0, 0.0, mpdu))

    flood, quiet = ("127.0.0.1", 9), ("127.0.0.1", 10)
    one._heard.arrived.extend((datagram(9, number), flood) for number in range(64))
    air.loop.watched[one._heard.number]()
    one._heard.arrived.extend((datagram(9, number), flood) for number in range(10_000))
    one._heard.arrived.insert(9_000, (datagram(10, 1), quiet))
    while one._heard.arrived:
        air.loop.watched[one._heard.number]()
    air.loop.run()
    assert one.counts.crowded > 1_000
    places = [place for place, (mpdu, *_) in enumerate(one.station.heard) if mpdu.endswith(b"10")]
    assert len(places) == 1
    assert places[0] < 100
    assert one.counts.crowded + len(one.station.heard) == 64 + 10_001
    air.deliver([one._heard], (datagram(9, 7), flood))
    assert one.station.heard[-1][0].endswith(b"9")


def test_a_computer_that_takes_nothing_is_told_once_and_its_recovery_too(air):
    one = air.radio(A, settings=UNPACED)
    one._sent.refuses = OSError(errno.ENETDOWN, "Network is down")
    one.transmit(espnow_frame(B), 7)
    air.loop.run()
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 7)]
    assert one.trouble == "udp: 239.1.2.3:5000 takes nothing: Network is down"
    assert one.counts.send_errors == 7
    one._sent.refuses = None
    one.transmit(espnow_frame(ALL), 8)
    air.loop.run()
    assert one.trouble is None
    assert one.reports == ["udp: 239.1.2.3:5000 takes nothing: Network is down", "udp: frames go out again"]


def test_a_full_buffer_is_no_trouble(air, settings):
    one = air.radio(A, settings=settings)
    one._sent.refuses = BlockingIOError(errno.EAGAIN, "again")
    one.transmit(espnow_frame(ALL), 7)
    air.loop.run()
    assert (one.trouble, one.reports, one.counts.send_errors) == (None, [], 1)
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 0)]


@pytest.mark.parametrize("error", [errno.ENETUNREACH, errno.ENETDOWN, errno.ENOBUFS, errno.EAGAIN])
def test_a_frame_for_all_that_the_computer_did_not_take_did_not_go_out(air, settings, error):
    one = air.radio(A, settings=settings)
    one._sent.refuses = OSError(error, "no")
    one.transmit(espnow_frame(ALL), 7)
    air.loop.run()
    one._sent.refuses = None
    one.transmit(espnow_frame(ALL), 8)
    air.loop.run()
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 0), (8, ACKNOWLEDGED, 1)]


@pytest.mark.parametrize("error", [errno.EINVAL, errno.EPERM])
def test_a_stranger_whom_no_answer_reaches_is_no_trouble(air, error):
    """Such as one that says that it sends from port 0, or from behind a firewall."""
    one = air.radio(A, settings=UNPACED)
    frame = build_datagram(UdpDatagram(1, 1, 0, -20, 1, 5, 6, 0.0, 0.0, espnow_frame(A, B)))
    one._sent.refuses = OSError(error, "no")
    air.deliver([one._heard], (frame, ("127.0.0.1", 0)))
    assert (one.trouble, one.reports) == (None, [])
    assert (one.counts.send_errors, one.counts.acks_sent) == (1, 0)
    assert len(one.station.heard) == 1


def test_an_answer_that_goes_out_does_not_end_a_trouble(air):
    one, two = air.radio(A, settings=UNPACED), air.radio(B, settings=UNPACED)
    one._sent.refuses = OSError(errno.ENETDOWN, "Network is down")
    one.transmit(espnow_frame(ALL), 7)
    air.loop.run()
    one._sent.refuses = None
    two.transmit(espnow_frame(A, B), 8)
    air.loop.run()
    assert two.station.outcomes == [(8, ACKNOWLEDGED, 1)]
    assert one.trouble == "udp: 239.1.2.3:5000 takes nothing: Network is down"
    assert len(one.reports) == 1


def test_errors_of_sockets_are_counted(air):
    one = air.radio(A)
    frame = build_datagram(UdpDatagram(1, 1, 0, -20, 1, 5, 6, 0.0, 0.0, espnow_frame(ALL, B)))
    one._heard.arrived.append((OSError(errno.ENETDOWN, "down"), None))
    one._sent.arrived.append((OSError(errno.ECONNREFUSED, "refused"), None))
    air.loop.watched[one._sent.number]()
    air.deliver([one._heard], (frame, ("127.0.0.1", 9)))
    assert one.counts.foreign == 2
    assert len(one.station.heard) == 1


def test_a_channel_that_is_changed_under_a_frame(air):
    """Its answer comes on the channel that it was sent on."""
    one, two = air.radio(A, settings=UNPACED), air.radio(B, settings=UNPACED)
    one.transmit(espnow_frame(B), 7)
    configure(one, A, channel=2)
    air.loop.run()
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 7)]
    assert [frame.channel for _, frame in air.frames] == [1] + [2] * 6
    assert len(two.station.heard) == 1


# The end.


def test_closed_it_calls_nobody(air, settings):
    one, two = air.radio(A, settings=settings), air.radio(B, settings=settings)
    for number in range(5):
        one.transmit(espnow_frame(B, seq=number), number)
    one.close()
    one.close()
    two.transmit(espnow_frame(A, B), 7)
    air.loop.run()
    assert (one.station.outcomes, one.station.heard) == ([], [])
    assert one._heard.closed
    assert one._sent.closed
    assert two.station.outcomes == [(7, NOT_ACKNOWLEDGED, 7)]
    assert set(air.loop.watched) == {two._heard.number, two._sent.number}


def test_closed_by_its_station_in_the_midst_of_many(air):
    one = air.radio(A)
    frame = build_datagram(UdpDatagram(1, 1, 0, -20, 1, 5, 6, 0.0, 0.0, espnow_frame(ALL, B)))
    one.station.received = lambda *_: (one.station.heard.append(1), one.close())
    one._heard.arrived.extend([(frame, ("127.0.0.1", 9))] * 5)
    air.loop.watched[one._heard.number]()
    assert one.station.heard == [1]


def test_what_it_can_do_is_declared(air):
    abilities = air.radio(A).abilities
    assert abilities.max_mpdu == MAX_MPDU
    assert abilities.tells_attempts
    assert abilities.acknowledges


def test_counts_by_name(air):
    counts = air.radio(A).counts.as_dict()
    assert {"frames_sent", "foreign", "acks_late", "crowded"} <= counts.keys()
    assert set(counts.values()) == {0}

"""The radio of udp: in virtual time: one frame and its answers, who hears it, and many frames."""

from __future__ import annotations

import itertools
import math

import pytest

from espnow.errors import LinkFull
from espnow.frame import ack, with_retry
from espnow.link import ProtocolBit
from espnow.radio.udp.datagram import MAX_MPDU, UdpDatagram
from espnow.radio.udp.datagram import build as build_datagram
from espnow.radio.udp.radio import UdpSettings

from .udp_air import ACKNOWLEDGED, ALL, GROUP, NOT_ACKNOWLEDGED, UNPACED, A, Air, B, C, configure, espnow_frame


@pytest.fixture
def air():
    return Air()


@pytest.fixture(params=["paced", "unpaced"])
def settings(request):
    return UdpSettings(paced=request.param == "paced")


# One frame.


def test_a_unicast_frame_is_answered(air, settings):
    one, two, three = (air.radio(address, settings=settings) for address in (A, B, C))
    mpdu = espnow_frame(B)
    one.transmit(mpdu, 7)
    assert one.station.outcomes == []  # never from inside
    air.loop.run()
    assert one.station.outcomes == [(7, ACKNOWLEDGED, 1)]
    assert two.station.heard == [(mpdu, -20, 1, 0)]
    assert three.station.heard == []
    (_, frame, to), (_, answer, back) = air.sent
    assert (to, back) == (GROUP, one._sent.name)
    assert (frame.kind, frame.channel, frame.rate, frame.attempt, frame.mpdu) == (1, 1, 0, 1, mpdu)
    assert frame.sender == one.sender
    assert (answer.kind, answer.sender, answer.number, answer.mpdu) == (2, two.sender, frame.number, ack(A))
    assert math.isnan(frame.east_m)


def test_a_frame_for_all_goes_out_once_and_is_answered_by_nobody(air, settings):
    radios = [air.radio(address, settings=settings) for address in (A, B, C)]
    radios[0].transmit(espnow_frame(ALL), 7)
    air.loop.run()
    assert radios[0].station.outcomes == [(7, ACKNOWLEDGED, 1)]
    assert len(air.sent) == 1
    assert [len(radio.station.heard) for radio in radios] == [0, 1, 1]


def test_nobody_there(air, settings):
    """Seven attempts, all but the first marked as repeated, farther and farther apart, over 70 ms after the first."""
    one = air.radio(A, settings=settings)
    mpdu = espnow_frame(B)
    one.transmit(mpdu, 7)
    air.loop.run()
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 7)]
    assert [frame.mpdu for _, frame in air.frames] == [mpdu] + [with_retry(mpdu)] * 6
    assert [frame.attempt for _, frame in air.frames] == [1, 2, 3, 4, 5, 6, 7]
    assert len({frame.number for _, frame in air.frames}) == 1
    times = [at_us for at_us, _ in air.frames]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == sorted(gaps) or settings.paced
    assert times[-1] - times[0] < 70_000


def test_when_it_is_given_up(air):
    one = air.radio(A, settings=UNPACED)
    begin_us = air.loop.now_us
    one.transmit(espnow_frame(B), 7)
    air.loop.run(69_999)
    assert one.station.outcomes == []
    air.loop.run(1)
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 7)]
    assert air.loop.now_us == begin_us + 70_000


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_as_many_attempts_as_it_is_told(air, settings, attempts):
    one = air.radio(A, settings=settings, attempts=attempts)
    one.transmit(espnow_frame(B), 7)
    air.loop.run()
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, attempts)]
    assert len(air.frames) == attempts


@pytest.mark.parametrize("lost", [1, 3, 6])
def test_a_frame_that_is_lost_is_tried_again(air, settings, lost):
    one, two = air.radio(A, settings=settings), air.radio(B, settings=settings)
    air.lost = lambda datagram: datagram.kind == 1 and datagram.attempt <= lost
    one.transmit(espnow_frame(B), 7)
    air.loop.run()
    assert one.station.outcomes == [(7, ACKNOWLEDGED, lost + 1)]
    assert [mpdu for mpdu, *_ in two.station.heard] == [with_retry(espnow_frame(B))]


def test_an_answer_that_is_lost_makes_a_repetition_that_is_answered_and_not_handed_up(air, settings):
    one, two = air.radio(A, settings=settings), air.radio(B, settings=settings)
    answers = itertools.count(1)
    air.lost = lambda datagram: datagram.kind == 2 and next(answers) <= 2
    one.transmit(espnow_frame(B), 7)
    air.loop.run()
    assert one.station.outcomes == [(7, ACKNOWLEDGED, 3)]
    assert len(two.station.heard) == 1
    assert (two.counts.repeated, two.counts.acks_sent) == (2, 3)


@pytest.mark.parametrize("late_us", [5_000, 20_000, 60_000])
def test_a_late_answer_counts_whichever_attempt_it_was_for(air, settings, late_us):
    """A process that computes answers late; what it answered twice is one message, and the second answer is late."""
    air.ack_delay_us = late_us
    one, two = air.radio(A, settings=settings), air.radio(B, settings=settings)
    one.transmit(espnow_frame(B), 7)
    one.transmit(espnow_frame(B, seq=1), 8)
    air.loop.run()
    assert [(token, outcome) for token, outcome, _ in one.station.outcomes] == [(7, ACKNOWLEDGED), (8, ACKNOWLEDGED)]
    assert [mpdu for mpdu, *_ in two.station.heard] == [espnow_frame(B), espnow_frame(B, seq=1)]
    assert one.counts.acks_late == two.counts.repeated > 0


def test_an_answer_that_is_too_late_is_for_nothing(air):
    air.ack_delay_us = 80_000
    one, two = air.radio(A, settings=UNPACED), air.radio(B, settings=UNPACED)
    one.transmit(espnow_frame(B), 7)
    air.loop.run()
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 7)]
    assert len(two.station.heard) == 1
    assert one.counts.acks_late == 7


def answer_to(radio, number):
    """Put an answer to a frame into a radio's socket, where nobody has read it yet."""
    datagram = UdpDatagram(2, 1, 0, -20, 1, 5, number, 0.0, 0.0, ack(A))
    radio._sent.arrived.append((build_datagram(datagram), ("127.0.0.1", 9)))


@pytest.mark.parametrize("attempts", [1, 2, 7])
def test_an_answer_that_waits_unread_counts(air, settings, attempts):
    """It came while the program computed; the loop runs what is due before it hears of it."""
    one = air.radio(A, settings=settings, attempts=attempts)
    one.transmit(espnow_frame(B), 7)
    one.transmit(espnow_frame(ALL), 8)
    while len(air.frames) < attempts:
        air.loop.run(10)
    assert one.station.outcomes == []
    answer_to(one, air.frames[0][1].number)
    air.loop.run()
    assert one.station.outcomes == [(7, ACKNOWLEDGED, attempts), (8, ACKNOWLEDGED, 1)]
    assert len(air.frames) == attempts + 1
    assert one.counts.acks_heard == 1


def test_an_answer_that_waits_unread_ends_the_backoff_before_another_attempt(air):
    one = air.radio(A)
    one.transmit(espnow_frame(B), 7)
    first = one._sending
    while not air.frames:
        air.loop.run(10)
    while one._ideal_us <= air.loop.now_us:  # it waits for its turn
        air.loop.run(10)
    answer_to(one, first.number)
    air.loop.run()
    assert one.station.outcomes == [(7, ACKNOWLEDGED, 1)]
    assert len(air.frames) == 1


def test_an_answer_that_waits_unread_counts_where_there_is_no_time_for_another_attempt(air):
    """The longest frame takes 19 ms."""
    one = air.radio(A, settings=UdpSettings(answer_us=20_000), attempts=3)
    one.transmit(espnow_frame(B)[:24].ljust(MAX_MPDU, b"x"), 7)
    while not air.frames:
        air.loop.run(10)
    give_up_us = one._sending.give_up_us
    while air.loop.now_us < give_up_us - 1_000:
        air.loop.run(100)
    assert len(air.frames) == 1
    answer_to(one, air.frames[0][1].number)
    air.loop.run()
    assert one.station.outcomes == [(7, ACKNOWLEDGED, 1)]


def test_a_flood_of_answers_does_not_hold_it_up(air):
    """What waits is read in bounded pieces; a radio gives up all the same."""
    one = air.radio(A, settings=UNPACED, attempts=1)
    one.transmit(espnow_frame(B), 7)
    for _ in range(1_000):
        answer_to(one, 1)
    air.loop.run()
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 1)]
    assert len(one._sent.arrived) > 900


# What is no answer.

WRONG_ANSWERS = {
    "another number": {"number": -1},
    "for another station": {"mpdu": ack(C)},
    "on another channel": {"channel": 2},
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_what_is_no_answer(air, name):
    one = air.radio(A, settings=UdpSettings(paced=False, answer_us=1_000))
    one.transmit(espnow_frame(B), 7)
    number = air.frames[0][1].number
    right = UdpDatagram(2, 1, 0, -20, 1, 5, number, 0.0, 0.0, ack(A))
    wrong = dict(WRONG_ANSWERS[name])
    if "number" in wrong:
        wrong["number"] += number
    for parts in (wrong, {}):
        one._sent.arrived.append((build_datagram(right._replace(**parts)), ("127.0.0.1", 9)))
        air.loop.watched[one._sent.number]()
        air.loop.settle()
        assert bool(one.station.outcomes) == (not parts)
    assert (one.counts.acks_late, one.counts.acks_heard) == (1, 1)


def test_an_answer_while_nothing_was_asked_or_the_receiver_is_off(air):
    one = air.radio(A, settings=UNPACED)
    answer = build_datagram(UdpDatagram(2, 1, 0, -20, 1, 5, 6, 0.0, 0.0, ack(A)))
    one._sent.arrived.append((answer, ("127.0.0.1", 9)))
    air.loop.watched[one._sent.number]()
    one.transmit(espnow_frame(ALL), 7)
    one._sent.arrived.append((answer, ("127.0.0.1", 9)))
    air.loop.watched[one._sent.number]()
    air.loop.run()
    assert one.counts.acks_late == 2
    two = air.radio(B, settings=UNPACED)
    one.transmit(espnow_frame(B), 8)
    configure(one, A, receiver_on=False)
    air.loop.run()
    assert one.station.outcomes[1] == (8, NOT_ACKNOWLEDGED, 7)
    assert len(two.station.heard) == 1


# Who hears and answers.


@pytest.mark.parametrize(
    ("addresses", "config", "heard", "answered"),
    [
        ((B,), {}, True, True),
        ((C, B), {}, True, True),
        ((B,), {"channel": 2}, False, False),
        ((B,), {"receiver_on": False}, False, False),
        ((C,), {}, False, False),
        ((C,), {"promiscuous": True}, True, False),
        ((), {}, False, False),
        ((), {"promiscuous": True, "receiver_on": True}, True, False),
    ],
)
def test_who_hears_and_who_answers(air, settings, addresses, config, heard, answered):
    one, two = air.radio(A, settings=settings), air.radio(settings=settings)
    configure(two, *addresses, **config)
    one.transmit(espnow_frame(B), 7)
    air.loop.run()
    assert bool(two.station.heard) == heard
    assert one.station.outcomes[0][1] is (ACKNOWLEDGED if answered else NOT_ACKNOWLEDGED)
    assert two.counts.acks_sent == (1 if answered else 0)


def test_long_range_is_decoded_only_by_who_was_told_so(air, settings):
    one, two = air.radio(A, settings=settings, rate=41, group_rate=42), air.radio(B, settings=settings)
    one.transmit(espnow_frame(B), 7)
    air.loop.run()
    assert one.station.outcomes[0][1] is NOT_ACKNOWLEDGED
    configure(two, B, protocols=ProtocolBit.LR)
    one.transmit(espnow_frame(B), 8)
    one.transmit(espnow_frame(ALL), 9)
    air.loop.run()
    assert one.station.outcomes[1:] == [(8, ACKNOWLEDGED, 1), (9, ACKNOWLEDGED, 1)]
    assert [rate for *_, rate in two.station.heard] == [41, 42]
    assert two.counts.unheard >= 1


def test_rates(air, settings):
    one = air.radio(A, settings=settings, rate=11, group_rate=5, attempts=1)
    beacon = b"\x80\0\0\0" + ALL + A + A + bytes(22)
    wifi = b"\xb0\0\0\0" + B + A + B + bytes(8)
    for mpdu in (espnow_frame(B), espnow_frame(ALL), beacon, wifi):
        one.transmit(mpdu, 1)
    air.loop.run()
    assert [frame.rate for _, frame in air.frames] == [11, 5, 0, 0]


def test_a_radio_that_is_off_sends_nothing(air, settings):
    one = air.radio(settings=settings)
    one.transmit(espnow_frame(B), 7)
    one.transmit(espnow_frame(ALL), 8)
    assert one.station.outcomes == []
    air.loop.run()
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 0), (8, NOT_ACKNOWLEDGED, 0)]
    assert air.sent == []


@pytest.mark.parametrize(("to", "told"), [(B, 1), (ALL, 0)])
def test_a_radio_that_is_switched_off_stops(air, to, told):
    """A frame that waits for its turn does not leave, and one that left is not tried again."""
    one, two = air.radio(A), air.radio(C, promiscuous=True)
    for number in range(3):
        one.transmit(espnow_frame(to, seq=number), number)
    while len(air.frames) < told:
        air.loop.run(10)
    configure(one)
    air.loop.run()
    assert one.station.outcomes == [(0, NOT_ACKNOWLEDGED, told), (1, NOT_ACKNOWLEDGED, 0), (2, NOT_ACKNOWLEDGED, 0)]
    assert len(air.frames) == len(two.station.heard) == told
    configure(one, A)
    one.transmit(espnow_frame(ALL, seq=3), 3)
    air.loop.run()
    assert one.station.outcomes[-1] == (3, ACKNOWLEDGED, 1)


def test_without_pace_a_radio_that_is_switched_off_tries_no_more(air):
    one = air.radio(A, settings=UNPACED)
    one.transmit(espnow_frame(B), 7)
    one.transmit(espnow_frame(B, seq=1), 8)
    configure(one)
    air.loop.run()
    assert one.station.outcomes == [(7, NOT_ACKNOWLEDGED, 1), (8, NOT_ACKNOWLEDGED, 0)]
    assert len(air.frames) == 1


@pytest.mark.parametrize("length", [24, 1500, MAX_MPDU])
def test_as_long_as_a_frame_may_be(air, settings, length):
    one, two = air.radio(A, settings=settings), air.radio(B, settings=settings)
    mpdu = espnow_frame(ALL)[:24].ljust(length, b"x")
    one.transmit(mpdu, 7)
    air.loop.run()
    assert [heard[0] for heard in two.station.heard] == [mpdu]


def test_a_frame_that_is_too_long_is_not_sent(air):
    one = air.radio(A)
    one.transmit(espnow_frame(ALL).ljust(MAX_MPDU + 1), 7)
    air.loop.run()
    assert (one.station.outcomes, air.sent) == ([(7, NOT_ACKNOWLEDGED, 0)], [])


# Many frames.


def test_one_at_a_time_in_order(air, settings):
    one, two = air.radio(A, settings=settings), air.radio(B, settings=settings)
    absent = 5
    for number in range(20):
        one.transmit(espnow_frame(C if number == absent else B, seq=number), number)
    air.loop.run()
    assert [token for token, *_ in one.station.outcomes] == list(range(20))
    assert [outcome for _, outcome, _ in one.station.outcomes].count(NOT_ACKNOWLEDGED) == 1
    assert [mpdu for mpdu, *_ in two.station.heard] == [
        espnow_frame(B, seq=number) for number in range(20) if number != absent
    ]
    numbers = [frame.number for _, frame in air.frames]
    assert sorted(set(numbers), key=numbers.index) == [(numbers[0] + step) & 0xFFFFFFFF for step in range(20)]


def test_the_queue_is_full_at_32_beside_the_one_on_its_way(air, settings):
    one = air.radio(A, settings=settings, attempts=1)
    for number in range(33):
        one.transmit(espnow_frame(B), number)
    with pytest.raises(LinkFull):
        one.transmit(espnow_frame(B), 99)
    air.loop.run()
    assert [token for token, *_ in one.station.outcomes] == list(range(33))
    one.transmit(espnow_frame(B), 100)
    air.loop.run()
    assert one.station.outcomes[-1][0] == 100


def test_frames_of_wifis_own_leave_room(air, settings):
    """Four wait, each is waited for no longer than 20 ms."""
    one = air.radio(A, settings=settings)
    wifi = b"\xb0\0\0\0" + B + A + B + bytes(8)
    begin_us = air.loop.now_us
    for number in range(5):
        one.transmit(wifi, -1 - number)
    with pytest.raises(LinkFull):
        one.transmit(wifi, -9)
    one.transmit(espnow_frame(ALL), 7)
    while not one.station.outcomes or one.station.outcomes[-1][0] != 7:
        air.loop.run(1_000)
    assert air.loop.now_us - begin_us < 5 * 40_000


def test_numbers_begin_anew_after_the_last(air):
    one, two = air.radio(A, settings=UNPACED), air.radio(B, settings=UNPACED)
    one._number = 0xFFFFFFFE
    for number in range(3):
        one.transmit(espnow_frame(B, seq=number), number)
    air.loop.run()
    assert [frame.number for _, frame in air.frames] == [0xFFFFFFFF, 0, 1]
    assert len(two.station.heard) == 3

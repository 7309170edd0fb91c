"""What a radio ``monitor:`` tells of its frames, on an air where things are lost, to boards that are not there."""

from __future__ import annotations

import second
from bare import BareMonitor
from hwsim import Hwsim
from medium import Medium
from monitors import MonitorStation

from espnow.frame import ack, derive_key, parse
from espnow.link import Outcome

ONE = bytes.fromhex("7e0000000001")
BOARD = bytes.fromhex("240ac4000001")
NOBODY = bytes.fromhex("240ac40000ff")
KEY = derive_key(b"pmk1234567890123", b"lmk1234567890123")

#: Fills an acknowledgement up: the driver takes no frame below 24 bytes from the medium.
PADDING = bytes(14)

ACKED, FAILED, UNKNOWN = Outcome.ACKNOWLEDGED, Outcome.NOT_ACKNOWLEDGED, Outcome.UNKNOWN


def test_tries_and_losses(hwsim: Hwsim, medium: Medium) -> None:
    radio = hwsim.plug()
    board = medium.add_station(BOARD, 6)
    with MonitorStation(f"monitor:{radio.interface}", ONE, attempts=7) as one:
        assert one.say(BOARD, b"hello") == (ACKED, 1)
        path = medium.path(radio, board)
        path.lose(2)
        assert one.say(BOARD, b"third time") == (ACKED, 3)
        path.lose_answers(1)
        assert one.say(BOARD, b"twice") == (ACKED, 2)
        path.lose(100)
        assert one.say(BOARD, b"never") == (FAILED, 7)
        path.lose(0)
        assert one.say(NOBODY, b"nobody") == (FAILED, 7)
        board.acknowledges = False
        assert one.say(BOARD, b"silence") == (FAILED, 7)
        board.acknowledges = True
        for attempts, made in ((1, 1), (2, 2), (11, 11), (32, 11)):
            one.configure(channel=6, attempts=attempts)
            assert one.say(NOBODY, b"nobody") == (FAILED, made)
    # Each try is the same frame, and all but the first say that they are repeats.
    messages = []
    while not board.heard.empty():
        frame = parse(board.heard.get().mpdu)
        messages.append((frame.message, frame.retry))  # type: ignore[union-attr]
    assert messages[:5] == [
        (b"hello", False),
        (b"third time", True),
        (b"twice", False),
        (b"twice", True),
        (b"silence", False),
    ]


def test_a_board_answers(hwsim: Hwsim, medium: Medium) -> None:
    radio = hwsim.plug()
    board = medium.add_station(BOARD, 6)
    medium.path(board, radio).rssi_dbm = -67
    with MonitorStation(f"monitor:{radio.interface}?ack=on", ONE) as one:
        assert one.say(BOARD, b"hello").outcome == ACKED
        sent = board.send(second.build(ONE, BOARD, b"secret", random_value=3, key=KEY, packet_number=1))
        assert (sent.acknowledged, sent.attempts) == (True, 1)
        assert one.hear().rssi_dbm == -67
        # Heard at the second try, since its first was lost; and a repeat, since the acknowledgement was.
        medium.path(board, radio).lose(1)
        assert board.send(second.build(ONE, BOARD, b"again", random_value=4)).attempts == 2
        medium.path(board, radio).lose_answers(1)
        assert board.send(second.build(ONE, BOARD, b"twice", random_value=5)).attempts == 2
        one.hear(4)
        assert [parse(heard.mpdu).retry for heard in one.heard] == [False, True, False, True]


def test_a_plain_monitor_does_not_acknowledge(hwsim: Hwsim, medium: Medium) -> None:
    radio = hwsim.plug()
    board = medium.add_station(BOARD, 6)
    with MonitorStation(f"monitor:{radio.interface}", ONE) as one:
        sent = board.send(second.build(ONE, BOARD, b"hello", random_value=3), attempts=3)
        assert (sent.acknowledged, sent.attempts) == (False, 3)
        one.hear(3)
        assert len(one.reports) == 1
        assert "?ack=on" in one.reports[0]


def test_a_driver_that_does_not_report(hwsim: Hwsim, medium: Medium) -> None:
    radio = hwsim.plug()
    board = medium.add_station(BOARD, 6)
    medium.reports = False
    with MonitorStation(f"monitor:{radio.interface}", ONE) as one:
        tokens = [one.transmit(one.frame(BOARD, b"hello")) for _ in range(4)]
        one.wait_for(lambda: all(token in one.answers for token in tokens))
        assert {one.answers[token].outcome for token in tokens} == {UNKNOWN}
        one.wait_for(lambda: len(one.reports) == 1)
        assert "does not report what became of frames" in one.reports[0]
        assert not one.radio.abilities.tells_outcome
        # From now on whoever is heard acknowledging tells.
        board.act = lambda heard: board.send(ack(ONE) + PADDING, attempts=1)
        assert one.say(BOARD, b"hello").outcome == ACKED
        board.act = None
        assert one.say(BOARD, b"hello").outcome == UNKNOWN
    # The driver holds what it was not answered for until the radio goes.
    medium.reports = True


def test_others_are_heard_when_they_are_asked_for(hwsim: Hwsim, medium: Medium) -> None:
    radio = hwsim.plug()
    board = medium.add_station(BOARD, 6)
    other = medium.add_station(NOBODY, 6)
    other.act = lambda heard: other.send(ack(BOARD) + PADDING, attempts=1)
    with MonitorStation(f"monitor:{radio.interface}", ONE, promiscuous=True) as one:
        board.send(second.build(NOBODY, BOARD, b"to another", random_value=3))
        one.hear(2)
        assert [heard.mpdu[:1] for heard in one.heard] == [b"\xd0", b"\xd4"]
        one.configure(channel=6)
        board.send(second.build(NOBODY, BOARD, b"to another", random_value=4))
        board.send(second.build(ONE, BOARD, b"to one", random_value=5))
        assert one.hear(3).message == b"to one"


def test_reports_are_those_of_this_program(hwsim: Hwsim, medium: Medium) -> None:
    """Frames of another program on the air, from the same address even, are answered for by nobody here."""
    radio, other = hwsim.plug(), hwsim.plug()
    medium.add_station(BOARD, 6)
    with MonitorStation(f"monitor:{radio.interface}", ONE) as one, BareMonitor(other, 6) as stranger:
        stranger.send(second.build(BOARD, ONE, b"forged", random_value=1))
        assert stranger.report(BOARD) is not None
        assert one.say(BOARD, b"mine") == (ACKED, 1)
        assert len(one.answers) == 1

"""What becomes of messages between boards: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

from espnow.errors import FrameError
from espnow.frame import DEFAULT_PMK, ProtectedFrame, derive_key, open_protected, parse
from espnow.lab import Lab
from espnow.node.node import DropReason
from espnow.testing import Bench

LMK = b"lmk1234567890123"
PMK = b"pmk1234567890123"
BROADCAST = b"\xff" * 6


@pytest.fixture
def lab():
    with Lab() as lab:
        yield lab


def wifi(board, channel=1, interface=0):
    """Switch an interface of a board on."""
    wlan = board.module("network").WLAN(interface)
    wlan.active(True)
    if channel != 1:
        wlan.config(channel=channel)


def espnow(board, channel=1, interface=0):
    """Switch an interface and ESP-NOW on, and return the ESPNow object."""
    wifi(board, channel, interface)
    e = board.module("espnow").ESPNow()
    e.active(True)
    return e


class Sending:
    """A program that sends one message to a peer, after a while; keeps what send returned and how long it took."""

    def __init__(self, peer, message=b"hello", *, channel=1, lmk=None, pmk=None, wait_ms=500, times=1):
        self.peer = peer
        self.message = message
        self.channel = channel
        self.lmk = lmk
        self.pmk = pmk
        self.wait_ms = wait_ms
        self.times = times
        self.results = []
        self.took_ms = []

    def __call__(self, board):
        e = espnow(board, self.channel)
        if self.pmk:
            e.set_pmk(self.pmk)
        e.add_peer(self.peer, self.lmk)
        board.module("time").sleep_ms(self.wait_ms)
        for _ in range(self.times):
            begin_us = board.hardware.clock.now_us
            self.results.append(e.send(self.peer, self.message))
            self.took_ms.append((board.hardware.clock.now_us - begin_us) / 1000)


class Listening:
    """A program that keeps what arrives within a second."""

    def __init__(self, *, channel=1, peer=None, lmk=None, pmk=None):
        self.channel = channel
        self.peer = peer
        self.lmk = lmk
        self.pmk = pmk
        self.found = []
        self.table = {}
        self.stats = ()

    def __call__(self, board):
        e = espnow(board, self.channel)
        if self.pmk:
            e.set_pmk(self.pmk)
        if self.peer:
            e.add_peer(self.peer, self.lmk)
        e.config(timeout_ms=1000)
        for mac, msg in e:
            if mac is None:
                break
            self.found.append((mac, bytes(msg)))
        self.table = dict(e.peers_table)
        self.stats = e.stats()


def idle(board):
    """A program that does nothing."""


A, B = b"\x24\x0a\xc4\x00\x00\x04", b"\x24\x0a\xc4\x00\x00\x08"


def run(lab, sending, listening, at=(10.0, 0.0), **more):
    sender = lab.board(sending, name="sender", mac=A)
    receiver = lab.board(listening, name="receiver", mac=B, at=at, **more)
    lab.run()
    assert (sender.error, receiver.error) == (None, None)
    return sender, receiver


class TestAnswers:
    def test_message_arrives_and_is_answered(self, lab):
        """document: send."""
        sending, listening = Sending(B), Listening()
        run(lab, sending, listening)
        assert sending.results == [True]
        assert listening.found == [(A, b"hello")]
        assert sending.took_ms[0] < 5

    def test_board_with_wifi_alone_answers(self, lab):
        """document: send, whether or not ESP-NOW runs there."""
        sending = Sending(B)
        run(lab, sending, wifi)
        assert sending.results == [True]

    @pytest.mark.parametrize("interface", [0, 1])
    def test_either_interface_answers_for_its_address(self, lab, interface):
        """document: send, its interface."""
        macs = [B, B[:5] + bytes((B[5] + 1,))]
        sending = Sending(macs[interface])
        run(lab, sending, lambda board: wifi(board, interface=interface))
        assert sending.results == [True]

    def test_interface_that_is_off_does_not(self, lab):
        """document: send, its interface."""
        sending = Sending(B[:5] + bytes((B[5] + 1,)))
        run(lab, sending, wifi)
        assert sending.results == [False]

    def test_board_without_wifi_does_not(self, lab):
        """document: send."""
        sending = Sending(B)
        run(lab, sending, idle)
        assert sending.results == [False]

    def test_board_on_another_channel_does_not(self, lab):
        """document: send."""
        sending, listening = Sending(B), Listening(channel=6)
        run(lab, sending, listening)
        assert sending.results == [False]
        assert listening.found == []

    def test_both_on_another_channel(self, lab):
        """document: send."""
        sending, listening = Sending(B, channel=6), Listening(channel=6)
        run(lab, sending, listening)
        assert sending.results == [True]
        assert {transmission.channel for transmission in lab.transmissions} == {6}

    def test_board_out_of_range_does_not(self, lab):
        """ours: the air."""
        sending, listening = Sending(B), Listening()
        run(lab, sending, listening, at=(100_000.0, 0.0))
        assert sending.results == [False]
        assert listening.found == []

    def test_board_beyond_a_given_range_does_not(self):
        """ours: the air."""
        for range_m, result in ((11, True), (9, False)):
            with Lab(range_m=range_m) as lab:
                sending = Sending(B)
                run(lab, sending, Listening())
                assert sending.results == [result]

    def test_nobody_there(self, lab):
        """document: send."""
        sending = Sending(B)
        lab.board(sending, mac=A)
        lab.run()
        assert sending.results == [False]

    def test_unanswered_takes_tens_of_milliseconds(self, lab):
        """ours, assumed: seven tries with a growing backoff; never as long as the timeout of the firmware."""
        sending = Sending(B, times=50)
        sender = lab.board(sending, mac=A)
        lab.run()
        assert sending.results == [False] * 50
        assert all(10 < ms < 90 for ms in sending.took_ms)
        assert 20 < sum(sending.took_ms) / 50 < 60
        assert {sent.attempts for sent in sender.sent} == {7}
        first = [transmission.mpdu for transmission in lab.transmissions[:7]]
        assert [mpdu[1] & 8 for mpdu in first] == [0] + [8] * 6
        assert len({mpdu[22:] for mpdu in first}) == 1

    def test_longest_message_unanswered(self):
        """ours: the same for the longest frames."""
        for profile, length in (("esp32", 250), ("esp32-v2", 1470)):
            with Lab(profile=profile) as lab:
                sending = Sending(B, bytes(length), times=20)
                lab.board(sending, mac=A)
                lab.run()
                assert sending.results == [False] * 20
                assert max(sending.took_ms) < 100

    def test_message_dropped_by_a_full_ring_was_acknowledged(self, lab):
        """document: stats."""
        stats = []

        def busy(board):
            e = espnow(board)
            board.module("time").sleep_ms(1500)
            stats.append(e.stats()[3:])

        sending = Sending(B, bytes(250), times=5)
        _, receiver = run(lab, sending, busy)
        assert sending.results == [True] * 5
        assert stats == [(2, 3)]
        assert [reason for _, _, reason in receiver.dropped] == [DropReason.RING_FULL] * 3

    def test_answer_of_all(self, lab):
        """document: send, returns."""
        results = []

        def sender(board):
            e = espnow(board)
            board.module("time").sleep_ms(300)
            e.add_peer(B)
            results.append(e.send(b"x"))
            e.add_peer(B[:5] + b"\x77")
            results.append(e.send(b"x"))
            results.append(e.send(None, b"x", False))
            board.module("time").sleep_ms(200)
            results.append(e.stats()[:3])

        run(lab, sender, wifi)
        assert results == [True, False, True, (5, 5, 2)]

    def test_same_message_twice_is_two(self, lab):
        """document: send."""
        sending, listening = Sending(B, times=3), Listening()
        run(lab, sending, listening)
        assert listening.found == [(A, b"hello")] * 3

    def test_lost_acknowledgements_make_no_duplicates(self, lab):
        """firmware: a retry of what was heard is dropped; the sender may well see a failure."""
        sending, listening = Sending(B, times=40), Listening()
        sender = lab.board(sending, name="sender", mac=A)
        lab.board(listening, name="receiver", mac=B)
        lab.set_loss("receiver", "sender", 0.5)
        lab.run()
        assert len(listening.found) == 40
        assert sum(sent.attempts for sent in sender.sent) > 50


class TestBroadcast:
    def test_reaches_all_but_esp8266(self, lab):
        """document: broadcast and multicast."""
        listeners = [Listening() for _ in range(2)]
        for listening in listeners:
            lab.board(listening)
        found = []

        def esp8266(board):
            e = espnow(board)
            found.append(e.recv(1000))

        lab.board(esp8266, profile="esp8266")
        sending = Sending(BROADCAST)
        lab.board(sending, mac=A)
        lab.run()
        assert sending.results == [True]
        assert [listening.found for listening in listeners] == [[(A, b"hello")]] * 2
        assert found == [(None, None)]

    def test_esp8266_can_send_it(self, lab):
        """document: broadcast and multicast."""
        listening = Listening()
        lab.board(listening)

        def esp8266(board):
            e = espnow(board)
            board.module("time").sleep_ms(300)
            e.add_peer(BROADCAST)
            assert e.send(BROADCAST, b"hello") is True

        sender = lab.board(esp8266, profile="esp8266")
        lab.run()
        assert sender.error is None
        assert listening.found == [(sender.mac, b"hello")]

    def test_is_true_when_nobody_hears(self, lab):
        """document: broadcast and multicast."""
        sending = Sending(BROADCAST)
        lab.board(sending, mac=A)
        lab.run()
        assert sending.results == [True]
        assert len(lab.transmissions) == 1


class TestProfiles:
    @pytest.mark.parametrize("one", ["esp32", "esp32-v2", "esp8266"])
    @pytest.mark.parametrize("other", ["esp32", "esp32-v2", "esp8266"])
    def test_hear_each_other(self, one, other):
        """document: introduction."""
        found = []

        def receiver(board):
            e = espnow(board)
            found.append(e.recv(2000))

        with Lab() as lab:
            sending = Sending(B, bytes(250))
            lab.board(sending, mac=A, profile=one)
            lab.board(receiver, mac=B, profile=other)
            lab.run()
        assert sending.results == [True]
        assert found == [[A, bytes(250)]]

    def test_long_message_to_an_older_board_is_acknowledged_and_dropped(self, lab):
        """firmware."""
        sending, listening = Sending(B, bytes(251)), Listening()
        lab.board(sending, mac=A, profile="esp32-v2")
        lab.board(listening, mac=B)
        lab.run()
        assert sending.results == [True]
        assert listening.found == []


class TestEncryption:
    def test_message_arrives(self, lab):
        """document: peer management."""
        sending = Sending(B, lmk=LMK, pmk=PMK)
        listening = Listening(peer=A, lmk=LMK, pmk=PMK)
        run(lab, sending, listening)
        assert sending.results == [True]
        assert listening.found == [(A, b"hello")]

    def test_bytes_on_the_air_are_encrypted(self, lab):
        """firmware: CCMP with a key made from both."""
        message = b"a secret that nobody else reads"
        run(lab, Sending(B, message, lmk=LMK, pmk=PMK), Listening(peer=A, lmk=LMK, pmk=PMK))
        frames = [transmission.mpdu for transmission in lab.transmissions if transmission.mpdu[0] == 0xD0]
        assert len(frames) == 1
        assert frames[0][1] == 0x40
        assert message not in frames[0]
        assert message[:6] not in frames[0]
        frame = parse(frames[0])
        assert isinstance(frame, ProtectedFrame)
        assert open_protected(frame, derive_key(PMK, LMK)).message == message
        with pytest.raises(FrameError):
            open_protected(frame, derive_key(DEFAULT_PMK, LMK))

    def test_bytes_of_a_plain_message_are_not(self, lab):
        """document: set_pmk, encrypted only with an lmk."""
        run(lab, Sending(B, b"no secret", pmk=PMK), Listening(pmk=PMK))
        assert b"no secret" in lab.transmissions[0].mpdu

    @pytest.mark.parametrize(
        ("listening", "reason"),
        [
            ({}, DropReason.NO_KEY),
            ({"peer": A}, DropReason.NO_KEY),
            ({"peer": A, "lmk": LMK}, DropReason.WRONG_KEY),
            ({"peer": A, "lmk": PMK, "pmk": PMK}, DropReason.WRONG_KEY),
        ],
        ids=["unknown sender", "no key", "another pmk", "another lmk"],
    )
    def test_wrong_or_missing_key_is_acknowledged_and_dropped(self, lab, listening, reason):
        """firmware."""
        sending, listening = Sending(B, lmk=LMK, pmk=PMK), Listening(**listening)
        _, receiver = run(lab, sending, listening)
        assert sending.results == [True]
        assert listening.found == []
        assert listening.stats[3:] == (0, 0)
        assert [dropped[2] for dropped in receiver.dropped] == [reason]

    def test_plain_message_to_one_that_expects_encryption(self, lab):
        """firmware: acknowledged and dropped by current ones."""
        sending, listening = Sending(B), Listening(peer=A, lmk=LMK)
        _, receiver = run(lab, sending, listening)
        assert sending.results == [True]
        assert listening.found == []
        assert [dropped[2] for dropped in receiver.dropped] == [DropReason.PLAIN_FROM_ENCRYPTED]

    def test_counter_goes_on_from_message_to_message(self, lab):
        """firmware: it begins at one."""
        run(lab, Sending(B, lmk=LMK, times=3), Listening(peer=A, lmk=LMK))
        frames = [parse(sent.mpdu) for sent in lab.transmissions if sent.mpdu[0] == 0xD0]
        assert [frame.packet_number for frame in frames] == [1, 2, 3]


class TestRssi:
    def test_follows_distance(self, lab):
        """document: peers_table, to tell who is near."""
        metres = (1, 3, 10, 30, 100)
        listeners = [Listening() for _ in metres]
        for listening, distance in zip(listeners, metres, strict=True):
            lab.board(listening, at=(float(distance), 0.0))
        lab.board(Sending(BROADCAST), mac=A)
        lab.run()
        rssi = [listening.table[A][0] for listening in listeners]
        assert rssi == sorted(rssi, reverse=True)
        assert len(set(rssi)) == len(metres)
        assert all(-127 <= value <= 0 for value in rssi)
        assert rssi[2] - rssi[4] == pytest.approx(30, abs=1)

    def test_time_is_that_of_the_arrival_on_the_receivers_clock(self, lab):
        """document: peers_table."""
        table = []

        def late(board):
            e = espnow(board)
            board.module("time").sleep_ms(1000)
            e.recv(0)
            table.append((e.peers_table[A][1], board.module("time").ticks_ms()))

        run(lab, Sending(B), late)
        ((arrival_ms, read_ms),) = table
        assert 600 <= arrival_ms <= 605
        assert read_ms >= 1100


class TestPrograms:
    def test_looking_for_a_peer_on_every_channel(self, lab):
        """document: other issues; firmware: a send is False off the peer's channel, and a forbidden one raises."""
        found, refused = [], []

        def searching(board):
            e = espnow(board)
            e.add_peer(B)
            board.module("time").sleep_ms(300)
            sta = board.module("network").WLAN(0)
            for channel in range(1, 15):
                try:
                    sta.config(channel=channel)
                except RuntimeError:
                    refused.append(channel)
                    continue
                if e.send(B, b"ping"):
                    found.append(channel)

        run(lab, searching, lambda board: wifi(board, channel=6))
        assert found == [6]
        assert refused == [12, 13, 14]

    def test_a_hundred_asynchronous_sends(self, lab):
        """firmware: when the radio has no room the call waits; nothing is lost and the order stays."""
        found = []

        def burst(board):
            e = espnow(board)
            e.add_peer(B)
            board.module("time").sleep_ms(300)
            for number in range(100):
                assert e.send(B, str(number), False) is True
            board.module("time").sleep_ms(500)
            found.append(e.stats()[:3])

        listening = Listening()
        run(lab, burst, listening)
        assert [message for _, message in listening.found] == [str(number).encode() for number in range(100)]
        assert found == [(100, 100, 0)]

    def test_synchronous_send_behind_many_that_nobody_answers(self, lab):
        """firmware: it waits for them, and they do not change its result."""
        results = []

        def program(board):
            e = espnow(board)
            e.add_peer(B)
            e.add_peer(B[:5] + b"\x77")
            board.module("time").sleep_ms(300)
            for _ in range(10):
                e.send(B[:5] + b"\x77", b"x", False)
            results.append(e.send(B, b"x"))
            results.append(e.stats()[:3])

        run(lab, program, wifi)
        assert results == [True, (11, 11, 10)]

    def test_interface_off_and_on_behind_an_asynchronous_send(self, lab):
        """document: the sleep example; ours: no send is left without an answer."""
        results = []

        def program(board):
            e = espnow(board)
            e.add_peer(B)
            sta = board.module("network").WLAN(0)
            board.module("time").sleep_ms(300)
            for _ in range(5):
                e.send(B, b"x", False)
            sta.active(False)
            sta.active(True)
            results.append(e.send(B, b"x"))
            results.append(e.stats()[:2])

        run(lab, program, wifi)
        assert results == [True, (6, 6)]

    def test_soft_reset_from_the_program(self, lab):
        """firmware: ESP-NOW begins anew, the Wi-Fi is as it was."""
        board = lab.board(
            code=r"""
import espnow, machine, network
e = espnow.ESPNow()
sta = network.WLAN(0)
print(e.active(), sta.active(), e.config("rxbuf"), e.stats())
if not sta.active():
    sta.active(True)
    e.config(rxbuf=1000)
    e.active(True)
    e.add_peer(b"\xff" * 6)
    e.send(b"\xff" * 6, "x")
    machine.soft_reset()
"""
        )
        lab.run()
        none = "(0, 0, 0, 0, 0)"
        assert board.lines == [f"False False 526 {none}", f"False True 526 {none}"]

    def test_retries_of_encrypted_messages_are_understood(self, lab):
        """firmware: the Retry bit is not among what the key protects."""
        sending, listening = Sending(B, lmk=LMK, times=30), Listening(peer=A, lmk=LMK)
        lab.board(sending, name="sender", mac=A)
        lab.board(listening, name="receiver", mac=B)
        lab.set_loss("sender", "receiver", 0.4)
        lab.run()
        assert len(listening.found) == sum(sending.results) > 25

    @pytest.mark.parametrize("rate", ["RATE_24M", "RATE_11M", "RATE_1M"])
    def test_rate_is_that_of_the_frames(self, lab, rate):
        """document: config, rate."""
        numbers = []

        def fast(board):
            e = espnow(board)
            e.add_peer(B)
            board.module("time").sleep_ms(300)
            numbers.append(getattr(board.module("espnow"), rate))
            e.config(rate=numbers[0])
            assert e.send(B, b"x") is True

        listening = Listening()
        run(lab, fast, listening)
        assert listening.found == [(A, b"x")]
        assert lab.transmissions[0].rate == numbers[0]

    @pytest.mark.parametrize("hears", [False, True])
    def test_long_range_rate_is_heard_by_those_who_listen_for_it(self, lab, hears):
        """firmware: both sides must have the protocol on."""
        results = []

        def far(board):
            e = espnow(board)
            e.add_peer(B)
            board.module("time").sleep_ms(300)
            e.config(rate=board.module("espnow").RATE_LORA_250K)
            results.append(e.send(B, b"x"))

        def receiver(board):
            wifi(board)
            network = board.module("network")
            if hears:
                network.WLAN(0).config(protocol=network.WLAN.PROTOCOL_LR)

        run(lab, lambda board: (receiver(board), far(board)) if hears else far(board), receiver)
        assert results == [hears]

    def test_same_lab_same_frames(self):
        """ours."""

        def once():
            with Lab(seed=5, loss=0.2) as lab:
                run(lab, Sending(B, lmk=LMK, times=10), Listening(peer=A, lmk=LMK))
                return lab.transmissions

        assert once() == once()


class TestCallback:
    def test_script_that_ended_still_answers(self, lab):
        """firmware: an armed callback goes on at the prompt."""
        found = []

        def armed(board):
            e = espnow(board)
            e.irq(lambda obj: found.append(obj.recv(0)))

        sending = Sending(B, times=2)
        sender = lab.board(sending, mac=A)
        receiver = lab.board(armed, mac=B)
        lab.run_until(lambda: sender.finished)
        lab.run(for_ms=1)
        assert receiver.state == "armed"
        assert found == [[A, b"hello"]] * 2


def test_a_busy_channel_makes_sends_fail_and_none_times_out():
    """Ours: a frame that cannot go out in time is given up, so that a send says False."""
    program = """
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(PEER)
for _ in range(60):
    e.send(PEER, bytes(250))
    e.irecv(0)
print('done', e.stats()[:2])
"""
    addresses = [bytes.fromhex("18fe34a000") + bytes([4 * number]) for number in range(20)]
    with Lab(seed=3) as lab:
        for number, address in enumerate(addresses):
            lab.board(code=f"PEER = {addresses[number - 1]!r}\n{program}", mac=address)
        lab.run()
        assert [board.output for board in lab.boards] == ["done (60, 60)\n"] * 20
        assert any(not sent.acknowledged for board in lab.boards for sent in board.sent)


def test_one_sequence_counter_for_both_interfaces():
    """One for the station, whatever interface a frame leaves from (read off Espressif's library)."""
    bench = Bench()
    e = bench.start()
    bench.network.WLAN(1).active(True)
    for peer, interface in ((b"\xaa" * 6, 0), (b"\xac" * 6, 1)):
        e.add_peer(peer, ifidx=interface)
    for _ in range(3):
        e.send(None, b"x")
    numbers = [frame.seq for frame in bench.link.sent]
    assert {frame.source for frame in bench.link.sent} == {bench.network.WLAN(n).config("mac") for n in (0, 1)}
    assert sorted(numbers) == numbers
    assert len(set(numbers)) == 6

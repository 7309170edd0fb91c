"""Who floods delays itself: turns of sources, who is waited for on the channel, and what the kernel keeps back."""

from __future__ import annotations

import collections
import math
import select
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.errors import LinkFull
from espnow.link import Interface, Outcome, RadioConfig
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop
from espnow.radio.udp import crowd as crowds
from espnow.radio.udp.channel import Channel
from espnow.radio.udp.crowd import Crowd
from espnow.radio.udp.datagram import pack

NOISY, QUIET = ("127.0.0.1", 1), ("127.0.0.1", 2)
ME, OTHER = bytes.fromhex("300000000004"), bytes.fromhex("300000000008")


class TestCrowd:
    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=50))
    def test_each_source_keeps_its_order_and_nothing_is_lost(self, datagrams):
        crowd = Crowd()
        for source, number in datagrams:
            assert crowd.add(bytes((number,)), (source, 0))
        taken = [crowd.take() for _ in range(len(crowd))]
        assert len(crowd) == 0
        for name in "abc":
            mine = [number for source, number in datagrams if source == name]
            assert [datagram[0] for datagram, (source, _) in taken if source == name] == mine

    def test_sources_take_turns(self):
        crowd = Crowd()
        for number in range(100):
            crowd.add(b"%d" % number, NOISY)
        crowd.add(b"quiet", QUIET)
        assert [crowd.take()[1] for _ in range(3)] == [NOISY, QUIET, NOISY]

    def test_a_full_crowd_takes_only_from_those_with_less_than_their_share(self):
        crowd = Crowd()
        added = sum(crowd.add(b"", NOISY) for _ in range(10_000))
        assert added == crowds._MOST
        assert crowd.add(b"", QUIET)
        assert not crowd.add(b"", NOISY)
        assert crowd.take()[1] == NOISY
        assert crowd.take()[1] == QUIET

    def test_even_many_sources_find_an_end(self):
        crowd = Crowd()
        for port in range(20_000):
            crowd.add(b"", ("127.0.0.1", port))
        assert len(crowd) == crowds._MOST_OF_ALL

    def test_nothing_waits_after_clear(self):
        crowd = Crowd()
        crowd.add(b"", QUIET)
        crowd.clear()
        assert len(crowd) == 0
        with pytest.raises(StopIteration):
            crowd.take()


class TestChannel:
    def test_who_paces_is_waited_for(self):
        channel = Channel()
        now_us = 0
        for _ in range(1000):
            channel.heard(QUIET, 2_400, now_us)
            assert channel.free_at_us == now_us + 2_400
            now_us += 2_450

    def test_who_floods_is_not_until_its_time_is_over(self):
        channel = Channel()
        for number in range(1000):
            channel.heard(NOISY, 2_400, number * 200)
        assert channel.free_at_us < 60_000
        channel.heard(NOISY, 2_400, 300_000)
        assert channel.free_at_us < 60_000
        channel.heard(NOISY, 2_400, 900_000)
        assert channel.free_at_us == 902_400

    def test_a_burst_that_was_read_late_is_no_flood(self):
        channel = Channel()
        for _ in range(15):
            channel.heard(QUIET, 2_400, 1_000_000)
        channel.heard(QUIET, 2_400, 1_040_000)
        assert channel.free_at_us == 1_042_400

    def test_a_flood_does_not_hide_others(self):
        channel = Channel()
        for number in range(1000):
            channel.heard(NOISY, 2_400, number * 200)
        channel.heard(QUIET, 2_400, 250_000)
        assert channel.free_at_us == 252_400

    def test_it_remembers_a_bounded_number(self):
        channel = Channel()
        for port in range(5000):
            channel.heard(("127.0.0.1", port), 100, 0)
        assert len(channel._senders) <= 1024


class _Station:
    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.outcomes: list[Outcome] = []

    def received(self, mpdu: bytes, *_: object) -> None:
        self.heard.append(mpdu)

    def outcome(self, _token: int, outcome: Outcome, *_: object) -> None:
        self.outcomes.append(outcome)


class _Loop(RadioLoop):
    """A loop that does its work when it is told to."""

    def _begin(self) -> None:
        pass

    def work(self) -> None:
        while True:
            ready = select.select(list(self._watched), (), (), 0)[0]
            if not ready and not self._heap:
                return
            self._round(ready)


@pytest.fixture
def air():
    """A socket in the group, and a radio in it, whose loop is the test's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        stranger.bind(("127.0.0.1", 0))
        port = stranger.getsockname()[1]
        loop = _Loop()
        radio = open_radio(f"udp::{port}?pace=off", loop, pytest.fail)
        radio.station = _Station()
        radio.configure(RadioConfig(addresses=((Interface.STA, ME),), receiver_on=True))
        yield stranger, radio, loop, ("239.24.254.52", port)
        radio.close()


def frame(to: bytes, number: int = 1, sender: int = 7) -> bytes:
    mpdu = b"\xd0\0\0\0" + to + OTHER + b"\xff" * 6 + b"\0\0" + b"%d" % number
    return pack(1, 1, 0, -20, 1, sender, number, math.nan, math.nan, mpdu)


def test_more_than_is_heard_in_one_go_is_heard_in_order(air):
    stranger, radio, loop, group = air
    for number in range(500):
        stranger.sendto(frame(b"\xff" * 6, number), group)
    loop.work()
    assert [mpdu[24:] for mpdu in radio.station.heard] == [b"%d" % number for number in range(500)]
    assert radio.counts.crowded == 0
    assert not radio._is_behind


def test_a_source_with_little_to_say_is_not_behind_a_flood(air):
    stranger, radio, loop, group = air
    for number in range(300):
        stranger.sendto(frame(b"\xff" * 6, number), group)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quiet:
        quiet.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        quiet.sendto(frame(ME, 7777), group)
        for _ in range(3):
            loop._round(list(loop._watched))
        heard = [mpdu[24:] for mpdu in radio.station.heard]
        assert b"7777" in heard
        assert len(heard) < 250
        quiet.settimeout(5)
        assert quiet.recv(100)[5] == 2


def test_a_flood_does_not_make_it_forget_whom_it_answered(air):
    stranger, radio, loop, group = air
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quiet:
        quiet.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        quiet.sendto(frame(ME, 1, 5), group)
        for number in range(5000):
            stranger.sendto(frame(ME, number, 1000 + number), group)
            if number % 500 == 0:
                loop.work()
        quiet.sendto(frame(ME, 1, 5), group)
        loop.work()
    assert radio.counts.repeated == 1
    assert len(radio._answered) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="a filter of Linux")
@pytest.mark.parametrize(
    ("datagram", "counted"),
    [
        (b"", "foreign"),
        (b"x" * 10, "foreign"),
        (b"y" * 200, "foreign"),
        (frame(ME), "frames_heard"),
        (frame(b"\xff" * 6), "frames_heard"),
        (frame(OTHER), None),
        (b"X" + frame(OTHER)[1:], "foreign"),
        (frame(OTHER)[:5] + b"\x02" + frame(OTHER)[6:], "foreign"),
    ],
)
def test_the_kernel_keeps_back_what_is_for_others_and_nothing_else(air, datagram, counted):
    stranger, radio, loop, group = air
    stranger.sendto(datagram, group)
    loop.work()
    expected = collections.Counter({counted: 1} if counted else {})
    assert {name: count for name, count in radio.counts.as_dict().items() if count and name != "acks_sent"} == expected


@pytest.mark.skipif(sys.platform != "linux", reason="a filter of Linux")
def test_who_listens_to_all_hears_what_is_for_others(air):
    stranger, radio, loop, group = air
    radio.configure(RadioConfig(addresses=((Interface.STA, ME),), receiver_on=True, promiscuous=True))
    stranger.sendto(frame(OTHER), group)
    stranger.sendto(frame(OTHER, sender=radio.sender), group)
    loop.work()
    assert len(radio.station.heard) == 1


def test_a_flood_of_requests_leaves_room_for_the_programs_frames(air):
    _, radio, _, _ = air
    wifi = b"\xb0\0\0\0" + OTHER + ME + ME + b"\0\0" + bytes(6)
    taken = 0
    for token in range(20):
        try:
            radio.transmit(wifi, -1 - token)
        except LinkFull:
            continue
        taken += 1
    assert taken == 5  # one under way, four wait
    radio.transmit(b"\xd0" + wifi[1:], 1)

"""ESP-NOW version 2, and what the two versions make of each other: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

from espnow.frame import Frame
from espnow.testing import Bench

PEER = b"\x24\x0a\xc4\x00\x00\x01"


@pytest.fixture
def bench():
    return Bench("esp32-v2")


def test_constants(bench):
    """firmware."""
    assert bench.espnow.MAX_DATA_LEN == 1470
    assert bench.espnow.ESPNow().config("rxbuf") == 2968


@pytest.mark.parametrize("length", [1, 250, 251, 500, 1470])
def test_sends_up_to_1470_bytes(bench, e, length):
    """firmware."""
    e.add_peer(PEER)
    message = bytes(number * 7 & 0xFF for number in range(length))
    assert e.send(PEER, message) is True
    (frame,) = bench.link.sent
    assert isinstance(frame, Frame)
    assert frame.message == message
    assert frame.version == 2


@pytest.mark.parametrize("length", [0, 1471])
def test_other_lengths(e, code_of, length):
    """firmware."""
    e.add_peer(PEER)
    assert code_of(e.send, PEER, bytes(length)) == "ARG"


@pytest.mark.parametrize("length", [1, 250, 251, 1470])
def test_receives_up_to_1470_bytes(bench, e, length):
    """firmware."""
    message = bytes(number * 7 & 0xFF for number in range(length))
    for read in (e.recv, lambda: e.irecv()):
        bench.link.inject(message, version=2)
        assert read() == [PEER, message]
    bench.link.inject(message, version=2)
    data = [None, bytearray(1470)]
    assert e.recvinto(data) == length
    assert data == [PEER, message]


def test_receives_version_1(bench, e):
    """firmware."""
    bench.link.inject(bytes(250), version=1)
    assert e.recv(0) == [PEER, bytes(250)]


def test_buffer_of_250_is_too_small_for_more(bench, e):
    """document: recvinto, large enough for the message."""
    bench.link.inject(bytes(251), version=2)
    with pytest.raises(ValueError, match="buffer error"):
        e.recvinto([None, bytearray(250)])


class TestOnAVersion1Board:
    @pytest.fixture
    def bench(self):
        return Bench("esp32")

    def test_short_frames_of_version_2_are_received(self, bench, e):
        """firmware."""
        bench.link.inject(bytes(250), version=2)
        assert e.recv(0) == [PEER, bytes(250)]

    def test_longer_ones_are_dropped(self, bench, e):
        """firmware: current ones; older cut them."""
        bench.link.inject(bytes(251), version=2)
        bench.link.inject("next")
        assert e.recv(0) == [PEER, b"next"]
        assert e.stats()[3:] == (1, 0)

    def test_sends_version_1(self, bench, e):
        """firmware."""
        e.add_peer(PEER)
        e.send(PEER, b"x")
        assert bench.link.sent[0].version == 1

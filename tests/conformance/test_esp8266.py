"""The API as an ESP8266 has it: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

from espnow.frame import DEFAULT_PMK, derive_key
from espnow.testing import Bench

PEER = b"\x24\x0a\xc4\x00\x00\x01"
BROADCAST = b"\xff" * 6
LMK = b"lmk1234567890123"


@pytest.fixture
def bench():
    return Bench("esp8266")


def number_of(call, *args) -> int:
    with pytest.raises(OSError) as caught:
        call(*args)
    (number,) = caught.value.args
    assert caught.value.errno == number
    return number


@pytest.mark.parametrize(
    "name", ["active", "config", "recv", "irecv", "recvinto", "send", "any", "set_pmk", "add_peer", "del_peer"]
)
def test_has(bench, name):
    """document: what is not marked as ESP32 only."""
    assert hasattr(bench.espnow.ESPNow(), name)


@pytest.mark.parametrize("name", ["stats", "irq", "peers_table", "get_peer", "get_peers", "mod_peer", "peer_count"])
def test_has_not(bench, name):
    """document: ESP32 only."""
    assert not hasattr(bench.espnow.ESPNow(), name)


def test_constants(bench):
    """document: constants."""
    names = ("MAX_DATA_LEN", "KEY_LEN", "ADDR_LEN", "MAX_TOTAL_PEER_NUM", "MAX_ENCRYPT_PEER_NUM")
    assert [getattr(bench.espnow, name) for name in names] == [250, 16, 6, 20, 6]
    assert not hasattr(bench.espnow, "RATE_1M")


class TestConfig:
    def test_sets(self, bench, e):
        """document: config."""
        assert e.config(rxbuf=1000, timeout_ms=20) is None
        begin_us = bench.clock.now_us
        assert e.recv() == (None, None)
        assert bench.clock.now_us - begin_us == 20_000

    @pytest.mark.parametrize("kind", [ValueError, TypeError])
    def test_does_not_get(self, e, kind):
        """document: config, not supported."""
        with pytest.raises(kind):
            e.config("rxbuf")

    @pytest.mark.parametrize("name", ["rate", "bogus"])
    @pytest.mark.parametrize("kind", [ValueError, TypeError])
    def test_knows_no_rate(self, e, name, kind):
        """document: config, rate is ESP32 only."""
        with pytest.raises(kind):
            e.config(**{name: 0})


class TestErrors:
    """document: exceptions; firmware: one number, its own, from 869."""

    def test_not_initialised(self, bench):
        e = bench.espnow.ESPNow()
        for call in (e.recv, e.any, lambda: e.send(PEER, b"x"), lambda: e.set_pmk(LMK), lambda: e.add_peer(PEER)):
            assert number_of(call) == 869

    def test_others(self, bench, e):
        e.add_peer(PEER)
        assert number_of(e.add_peer, PEER) == 875
        assert number_of(e.del_peer, BROADCAST) == 873
        assert number_of(e.send, PEER, b"") == 870
        bench.network.WLAN(0).active(False)
        assert number_of(e.send, PEER, b"x") == 876
        assert number_of(e.recv, 0) == 876

    @pytest.mark.parametrize("length", [0, 251])
    def test_length_is_a_valueerror_too(self, e, length):
        """document: send."""
        with pytest.raises(ValueError):
            e.send(PEER, bytes(length))

    def test_full(self, e):
        for number in range(20):
            e.add_peer(bytes((0, 0, 0, 0, 0, number)))
        assert number_of(e.add_peer, PEER) == 872


class TestSend:
    def test_needs_no_registration(self, bench, e):
        """document: peer management."""
        assert e.send(PEER, b"x") is True
        assert e.send(BROADCAST, b"x") is True
        assert bench.link.messages == [(PEER, b"x"), (BROADCAST, b"x")]

    def test_unanswered(self, bench, e):
        """document: send."""
        bench.link.refuse()
        assert e.send(PEER, b"x") is False
        assert e.send(PEER, b"x", False) is True

    def test_never_times_out(self, bench, e):
        """firmware."""
        bench.link.withhold()
        begin_us = bench.clock.now_us
        assert e.send(PEER, b"x") is False
        assert bench.clock.now_us - begin_us <= 110_000

    @pytest.mark.parametrize("args", [(b"x",), (None, b"x")])
    def test_not_to_all(self, bench, e, args):
        """document: send, ESP32 only."""
        e.add_peer(PEER)
        with pytest.raises((TypeError, ValueError)):
            e.send(*args)
        assert bench.link.frames == []

    def test_begins_at_6m(self, bench, e):
        """firmware."""
        assert bench.link.config.rate == 11


class TestReceive:
    def test_recv_gives_bytes(self, bench, e):
        """document: recv."""
        bench.link.inject("x")
        found = e.recv()
        assert found == [PEER, b"x"]
        assert [type(part) for part in found] == [bytes, bytes]

    def test_irecv_gives_bytearrays_the_same_each_time(self, bench, e):
        """document: irecv."""
        bench.link.inject("x")
        found = e.irecv()
        mac, message = found
        assert found == [PEER, b"x"]
        assert [type(part) for part in found] == [bytearray, bytearray]
        bench.link.inject("longer", source=b"\x24\x0a\xc4\x00\x00\x02")
        again = e.irecv()
        assert again is found
        assert again[0] is mac
        assert again[1] is message
        assert mac[5] == 2

    def test_iteration(self, bench, e):
        """document: irecv."""
        bench.link.inject("x")
        assert next(e) == [PEER, b"x"]
        e.config(timeout_ms=5)
        assert next(e) == (None, None)

    def test_recvinto(self, bench, e):
        """document: recvinto, both are bytearrays and are filled."""
        data = [bytearray(6), bytearray(250)]
        mac, message = data
        for text in ("hello", "x" * 250, "bye"):
            bench.link.inject(text)
            assert e.recvinto(data) == len(text)
            assert data[0] is mac
            assert data[1] is message
            assert (mac, message) == (PEER, text.encode())

    def test_recvinto_a_view(self, bench, e):
        """firmware."""
        message = bytearray(250)
        bench.link.inject("hello")
        assert e.recvinto([bytearray(6), memoryview(message)]) == 5
        assert message[:6] == b"hello\0"

    @pytest.mark.parametrize(
        "data",
        [
            [bytearray(5), bytearray(250)],
            [bytearray(7), bytearray(250)],
            [bytearray(6), bytearray(249)],
            [bytearray(6), bytearray(251)],
            [bytearray(6)],
            [],
        ],
    )
    def test_recvinto_wants_exactly_those(self, bench, e, data):
        """document: recvinto; firmware: exactly."""
        bench.link.inject("x")
        with pytest.raises(ValueError):
            e.recvinto(data, 0)
        assert e.any()

    @pytest.mark.parametrize("data", [[None, bytearray(250)], [bytearray(6), None], [bytes(6), bytearray(250)], None])
    def test_recvinto_wants_writable_buffers(self, bench, e, data):
        """document: recvinto."""
        with pytest.raises(TypeError):
            e.recvinto(data, 0)

    @pytest.mark.parametrize("destination", [BROADCAST, b"\x01\x00\x5e\x00\x00\x01"])
    def test_hears_no_group(self, bench, e, destination):
        """document: broadcast and multicast."""
        bench.link.inject("x", destination=destination)
        assert not e.any()

    def test_ring(self, bench, e):
        """firmware: 8 bytes a message; the default is 516."""
        for _ in range(3):
            bench.link.inject(bytes(250))
        assert [e.recv(0)[0] for _ in range(3)] == [PEER, PEER, None]


class TestPeers:
    def test_by_position(self, bench, e):
        """document: add_peer."""
        assert e.add_peer(PEER, LMK, 1) is None
        e.send(PEER, b"x")
        assert bench.link.messages == []
        bench.link.inject("x", key=derive_key(DEFAULT_PMK, LMK))
        assert e.recv(0) == [PEER, b"x"]

    @pytest.mark.parametrize("names", [{"lmk": LMK}, {"channel": 0}, {"ifidx": 0}, {"encrypt": False}])
    def test_not_by_keyword(self, e, names):
        """document: add_peer."""
        with pytest.raises(TypeError):
            e.add_peer(PEER, **names)

    def test_no_interface_and_no_encrypt(self, e):
        """document: add_peer, ESP32 only."""
        with pytest.raises(TypeError):
            e.add_peer(PEER, LMK, 0, 0)

    def test_bad_values(self, e):
        """document: add_peer."""
        for args in ((b"short",), (PEER, b"short")):
            with pytest.raises(ValueError):
                e.add_peer(*args)

    def test_plain_message_from_an_encrypted_peer_is_received(self, bench, e):
        """firmware: as older ones of the ESP32."""
        e.add_peer(PEER, LMK)
        bench.link.inject("x")
        assert e.recv(0) == [PEER, b"x"]

    def test_delete(self, e):
        """document: del_peer."""
        e.add_peer(PEER)
        assert e.del_peer(PEER) is None
        e.add_peer(PEER)


def test_asyncio(bench, e):
    """document: asyncio, on boards with enough flash."""
    a = bench.aioespnow.AIOESPNow()
    bench.link.inject("x", after_ms=5)
    assert bench.module("asyncio").run(a.airecv()) == [PEER, b"x"]
    assert bench.module("asyncio").run(a.asend(PEER, b"y")) is True

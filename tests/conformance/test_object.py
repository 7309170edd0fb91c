"""The object, and switching ESP-NOW on and off: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

from espnow.frame import DEFAULT_PMK, derive_key
from espnow.testing import Bench

PEER = b"\x24\x0a\xc4\x00\x00\x01"
LMK = b"lmk1234567890123"
PMK = b"pmk1234567890123"


def test_every_call_of_the_class_gives_the_one_object(bench):
    """document: constructor."""
    assert bench.espnow.ESPNow() is bench.espnow.ESPNow()


def test_two_boards_have_two_objects():
    """ours: one object a board."""
    one, other = Bench(), Bench()
    assert one.espnow.ESPNow() is not other.espnow.ESPNow()
    one.start()
    assert other.espnow.ESPNow().active() is False


def test_the_object_takes_no_arguments(bench):
    """ours."""
    with pytest.raises(TypeError):
        bench.espnow.ESPNow(1)
    with pytest.raises(TypeError):
        bench.espnow.ESPNow(channel=1)


def test_importing_again_gives_the_same_modules(bench):
    """ours."""
    names = bench.run("import espnow\nfrom espnow import ESPNow\na = espnow.ESPNow()\nb = ESPNow()\n")
    assert names["a"] is names["b"] is bench.espnow.ESPNow()


def test_async_object_is_one_too_and_shares_everything(bench):
    """ours: one object, one state."""
    a = bench.aioespnow.AIOESPNow()
    e = bench.espnow.ESPNow()
    assert a is bench.aioespnow.AIOESPNow()
    assert isinstance(a, bench.espnow.ESPNow)
    bench.start()
    assert a.active() is True
    a.add_peer(PEER)
    a.config(timeout_ms=5, rxbuf=1000)
    assert e.get_peers() == a.get_peers() != ()
    assert (e.config("timeout_ms"), e.config("rxbuf")) == (5, 1000)
    bench.link.inject("x")
    assert e.any()
    assert a.recv(0) == [PEER, b"x"]
    assert a.peers_table is e.peers_table
    assert a.stats() == e.stats() == (0, 0, 0, 1, 0)
    a.active(False)
    assert e.active() is False


def test_class_can_be_derived_from(bench):
    """ours: programs wrap it so, with arguments of their own."""
    source = """
import espnow
class Radio(espnow.ESPNow):
    def __init__(self, channel, *, key=None):
        super().__init__()
        self.channel = channel
        self.active(True)
    def recv(self, *more):
        return ('mine', super().recv(*more))
radio = Radio(6, key=b'x')
"""
    names = bench.run(source)
    radio = names["radio"]
    assert radio.channel == 6
    assert isinstance(radio, bench.espnow.ESPNow)
    assert bench.espnow.ESPNow().active() is True
    bench.network.WLAN(0).active(True)
    bench.link.inject("x")
    assert radio.recv(0) == ("mine", [PEER, b"x"])


def test_attributes_can_be_added_to_the_object(bench):
    """ours: programs do."""
    bench.espnow.ESPNow().last = 5
    assert bench.espnow.ESPNow().last == 5


class TestActive:
    def test_is_false_at_first(self, bench):
        """document: active."""
        assert bench.espnow.ESPNow().active() is False

    @pytest.mark.parametrize("flag", [True, 1, "yes", [0], 0.5])
    def test_anything_true_switches_on_and_the_state_is_returned(self, bench, flag):
        """document: active."""
        e = bench.espnow.ESPNow()
        assert e.active(flag) is True
        assert e.active() is True

    @pytest.mark.parametrize("flag", [False, 0, "", None, (), b""])
    def test_anything_false_switches_off(self, e, flag):
        """document: active."""
        assert e.active(flag) is False
        assert e.active() is False

    def test_flag_is_positional(self, bench):
        """firmware."""
        with pytest.raises(TypeError):
            bench.espnow.ESPNow().active(flag=True)

    def test_needs_no_interface(self, bench, code_of):
        """firmware: ESP-NOW and its key can be set up before any interface is on."""
        e = bench.espnow.ESPNow()
        e.active(True)
        e.set_pmk(b"0123456789abcdef")
        e.add_peer(PEER)
        assert code_of(e.send, PEER, b"x") == "IF"

    def test_twice_on_changes_nothing(self, bench, e):
        """firmware."""
        e.add_peer(PEER)
        bench.link.inject("kept")
        assert e.active(True) is True
        assert e.peer_count() == (1, 0)
        assert e.recv(0) == [PEER, b"kept"]

    def test_twice_off_changes_nothing(self, e):
        """firmware."""
        assert (e.active(False), e.active(False)) == (False, False)

    def test_off_forgets_peers(self, e):
        """document: active."""
        e.add_peer(PEER)
        e.active(False)
        e.active(True)
        assert e.get_peers() == ()

    def test_off_drops_unread_messages(self, bench, e):
        """document: active, the buffer goes."""
        bench.link.inject("lost")
        e.active(False)
        e.active(True)
        assert not e.any()
        assert e.recv(0) == (None, None)

    def test_off_takes_the_callback_away(self, bench, e):
        """document: active."""
        calls = []
        e.irq(calls.append)
        e.active(False)
        e.active(True)
        bench.link.inject("x")
        bench.advance(1)
        assert calls == []

    def test_off_forgets_the_primary_key(self, bench, e):
        """ours, assumed: it belongs to what is switched off."""
        e.set_pmk(PMK)
        e.active(False)
        e.active(True)
        e.add_peer(PEER, LMK)
        bench.link.inject("new", key=derive_key(PMK, LMK))
        assert not e.any()
        bench.link.inject("default", key=derive_key(DEFAULT_PMK, LMK))
        assert e.recv(0) == [PEER, b"default"]

    def test_off_keeps_table_statistics_and_settings(self, bench, e):
        """firmware."""
        e.config(rxbuf=700, timeout_ms=7)
        bench.link.inject("x", rssi_dbm=-33)
        e.recv(0)
        e.add_peer(PEER)
        e.send(PEER, b"y")
        table, stats = dict(e.peers_table), e.stats()
        e.active(False)
        assert (dict(e.peers_table), e.stats()) == (table, stats)
        assert stats == (1, 1, 0, 1, 0)
        assert table[PEER][0] == -33
        assert (e.config("rxbuf"), e.config("timeout_ms")) == (700, 7)
        e.active(True)
        assert (dict(e.peers_table), e.stats()) == (table, stats)

    def test_off_means_deaf(self, bench, e):
        """document: active, the callbacks are disabled."""
        e.active(False)
        bench.link.inject("x")
        e.active(True)
        assert not e.any()
        assert e.stats()[3:] == (0, 0)

    def test_answers_to_what_was_sent_before_off_do_not_count(self, bench, e):
        """firmware."""
        e.add_peer(PEER)
        bench.link.withhold()
        e.send(PEER, b"x", False)
        e.active(False)
        bench.link.refuse()
        bench.advance(10)
        e.active(True)
        assert e.stats()[:3] == (0, 0, 0)

    @pytest.mark.parametrize(
        "call",
        [
            lambda e: e.send(PEER, b"x"),
            lambda e: e.send(b"x"),
            lambda e: e.recv(0),
            lambda e: e.irecv(0),
            lambda e: e.recvinto([None, bytearray(250)], 0),
            lambda e: next(e),
            lambda e: e.any(),
            lambda e: e.set_pmk(b"0123456789abcdef"),
            lambda e: e.add_peer(PEER),
            lambda e: e.mod_peer(PEER, channel=1),
            lambda e: e.del_peer(PEER),
            lambda e: e.get_peer(PEER),
            lambda e: e.get_peers(),
            lambda e: e.peer_count(),
        ],
        ids=[
            "send",
            "send_all",
            "recv",
            "irecv",
            "recvinto",
            "next",
            "any",
            "set_pmk",
            "add",
            "mod",
            "del",
            "get",
            "get_all",
            "count",
        ],
    )
    @pytest.mark.parametrize("was_on", [False, True])
    def test_these_need_it_on(self, bench, code_of, call, was_on):
        """document: each method's first exception."""
        e = bench.start()
        if was_on:
            e.add_peer(PEER)
        e.active(False)
        assert code_of(call, e) == "NOT_INIT"

    @pytest.mark.parametrize(
        "call",
        [
            lambda e: e.stats(),
            lambda e: e.peers_table,
            lambda e: e.config("rxbuf"),
            lambda e: e.config(rxbuf=600),
            lambda e: e.irq(None),
            lambda e: e.irq(print),
        ],
        ids=["stats", "table", "config_get", "config_set", "disarm", "arm"],
    )
    def test_these_do_not(self, bench, call):
        """firmware."""
        call(bench.espnow.ESPNow())


class TestInterfaces:
    def test_peers_and_messages_survive_interface_off_and_on(self, bench, e):
        """document: the sleep example sends again without registering again."""
        sta = bench.network.WLAN(0)
        e.add_peer(PEER)
        bench.link.inject("waits")
        sta.active(False)
        assert e.active() is True
        sta.active(True)
        assert e.recv(0) == [PEER, b"waits"]
        assert e.send(PEER, b"x") is True
        assert e.peer_count() == (1, 0)

    def test_callback_survives_it(self, bench, e):
        """document: as above."""
        calls = []
        e.irq(calls.append)
        sta = bench.network.WLAN(0)
        sta.active(False)
        sta.active(True)
        bench.link.inject("x")
        bench.advance(1)
        assert calls == [e]

    def test_an_ap_interface_will_do(self, bench):
        """document: sending and receiving, either interface."""
        ap = bench.network.WLAN(bench.network.WLAN.IF_AP)
        ap.active(True)
        e = bench.espnow.ESPNow()
        e.active(True)
        e.add_peer(PEER, ifidx=bench.network.WLAN.IF_AP)
        assert e.send(PEER, b"x")
        assert bench.link.sent[0].source == ap.config("mac")
        bench.link.inject("y", destination=ap.config("mac"))
        assert e.recv(0) == [PEER, b"y"]

    def test_both_interfaces_hear(self, bench, e):
        """document: messages may be received on any active interface."""
        bench.network.WLAN(1).active(True)
        for number in (0, 1):
            bench.link.inject(str(number), destination=bench.network.WLAN(number).config("mac"))
        assert [e.recv(0)[1] for _ in range(2)] == [b"0", b"1"]

    def test_message_for_an_interface_that_is_off_is_not_heard(self, bench, e):
        """firmware."""
        bench.link.inject("x", destination=bench.network.WLAN(1).config("mac"))
        assert not e.any()

    def test_message_for_another_board_is_not_heard(self, bench, e):
        """document: broadcast and multicast, clients get what is sent to their address."""
        bench.link.inject("x", destination=b"\x24\x0a\xc4\x00\x00\x99")
        assert not e.any()


class TestSoftReset:
    def test_everything_of_espnow_is_new(self, bench, e):
        """firmware."""
        e.config(rxbuf=900, timeout_ms=3)
        e.add_peer(PEER)
        e.irq(print)
        bench.link.inject("x")
        e.recv(0)
        bench.link.inject("unread")
        bench.soft_reset()
        fresh = bench.espnow.ESPNow()
        assert fresh is not e
        assert fresh.active() is False
        assert fresh.stats() == (0, 0, 0, 0, 0)
        assert fresh.peers_table == {}
        assert (fresh.config("rxbuf"), fresh.config("timeout_ms")) == (526, 300_000)
        fresh.active(True)
        assert fresh.peer_count() == (0, 0)
        assert not fresh.any()

    def test_callback_is_gone(self, bench, e):
        """firmware."""
        calls = []
        e.irq(calls.append)
        bench.link.inject("queued, not yet run")
        bench.soft_reset()
        bench.espnow.ESPNow().active(True)
        bench.link.inject("x")
        bench.advance(1)
        assert calls == []

    def test_interfaces_stay_as_they_were(self, bench, e):
        """document: other issues, the Wi-Fi is not reset."""
        bench.network.WLAN(0).config(channel=6)
        bench.soft_reset()
        sta = bench.network.WLAN(0)
        assert sta.active() is True
        assert sta.config("channel") == 6
        fresh = bench.espnow.ESPNow()
        fresh.active(True)
        fresh.add_peer(PEER, channel=6)
        assert fresh.send(PEER, b"x") is True

    def test_time_goes_on(self, bench, e):
        """ours: only a reset of the chip begins a new count."""
        before = bench.module("time").ticks_ms()
        bench.soft_reset()
        assert bench.module("time").ticks_ms() >= before > 0

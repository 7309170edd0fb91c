"""Peers and keys: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

from espnow.frame import DEFAULT_PMK, derive_key

PEER = b"\x24\x0a\xc4\x00\x00\x01"
OTHER = b"\x24\x0a\xc4\x00\x00\x02"
GROUP = b"\x01\x00\x5e\x00\x00\x01"
BROADCAST = b"\xff" * 6
LMK = b"lmk1234567890123"
PMK = b"pmk1234567890123"
ZEROS = bytes(16)


def peer(number: int) -> bytes:
    return b"\x24\x0a\xc4\x01\x00" + bytes([number])


def fill(e, count: int = 20) -> None:
    for number in range(count):
        e.add_peer(peer(number))


class TestAdd:
    def test_defaults(self, e):
        """document: add_peer; firmware: without a key it shows as zeros."""
        assert e.add_peer(PEER) is None
        assert e.get_peer(PEER) == (PEER, ZEROS, 0, 0, False)

    @pytest.mark.parametrize(
        ("args", "names"),
        [
            ((LMK, 1, 1, True), {}),
            ((), {"lmk": LMK, "channel": 1, "ifidx": 1, "encrypt": True}),
            ((LMK,), {"channel": 1, "ifidx": 1}),
            ((LMK, 1), {"ifidx": 1, "encrypt": None}),
            ((LMK, 1, 1), {}),
        ],
        ids=["position", "keyword", "mixed", "mixed-none", "three"],
    )
    def test_parameters_by_position_and_by_keyword(self, e, args, names):
        """document: add_peer."""
        e.add_peer(PEER, *args, **names)
        assert e.get_peer(PEER) == (PEER, LMK, 1, 1, True)

    def test_none_is_the_default_of_each(self, e):
        """document: add_peer."""
        e.add_peer(PEER, None, None, None, None)
        e.add_peer(OTHER, lmk=None, channel=None, ifidx=None, encrypt=None)
        assert [info[1:] for info in e.get_peers()] == [(ZEROS, 0, 0, False)] * 2

    def test_address_is_positional_only(self, e):
        """firmware."""
        with pytest.raises(TypeError):
            e.add_peer(mac=PEER)

    @pytest.mark.parametrize("mac", ["bcdefg", bytearray(b"bcdefg"), memoryview(b"bcdefg")])
    def test_address_in_any_form(self, e, mac):
        """firmware."""
        e.add_peer(mac)
        assert e.get_peer(mac)[0] == b"bcdefg"
        assert type(e.get_peers()[0][0]) is bytes

    def test_address_is_copied(self, e):
        """ours."""
        mac = bytearray(b"bcdefg")
        e.add_peer(mac)
        mac[0] = 0
        assert e.get_peers()[0][0] == b"bcdefg"

    @pytest.mark.parametrize("lmk", [LMK, LMK.decode(), bytearray(LMK), memoryview(LMK)])
    def test_key_in_any_form(self, e, lmk):
        """document: add_peer, lmk."""
        e.add_peer(PEER, lmk)
        assert e.get_peer(PEER) == (PEER, LMK, 0, 0, True)

    @pytest.mark.parametrize("lmk", [b"", "", False, None, 0, (), bytearray()])
    def test_false_key_means_not_encrypted(self, e, lmk):
        """document: add_peer, lmk."""
        e.add_peer(PEER, lmk)
        assert e.get_peer(PEER) == (PEER, ZEROS, 0, 0, False)

    @pytest.mark.parametrize("lmk", [b"x", LMK[:15], LMK + b"x", "é" * 16])
    def test_key_of_another_length(self, e, lmk):
        """document: add_peer raises ValueError."""
        with pytest.raises(ValueError, match="invalid buffer length"):
            e.add_peer(PEER, lmk)
        assert e.peer_count() == (0, 0)

    @pytest.mark.parametrize("lmk", [True, 5, [1] * 16])
    @pytest.mark.parametrize("kind", [ValueError, TypeError])
    def test_key_that_is_none_is_caught_as_either(self, e, lmk, kind):
        """document: ValueError; firmware: TypeError."""
        with pytest.raises(kind):
            e.add_peer(PEER, lmk)

    def test_encrypt_false_keeps_the_key_unused(self, e):
        """document: add_peer, lmk and encrypt."""
        e.add_peer(PEER, LMK, encrypt=False)
        assert e.get_peer(PEER) == (PEER, LMK, 0, 0, False)
        assert e.peer_count() == (1, 0)

    def test_encrypt_without_a_key_is_a_key_of_zeros(self, bench, e):
        """firmware."""
        e.add_peer(PEER, encrypt=True)
        assert e.get_peer(PEER) == (PEER, ZEROS, 0, 0, True)
        e.send(PEER, b"x")
        assert bench.link.messages == []
        bench.link.inject("y", key=derive_key(DEFAULT_PMK, ZEROS))
        assert e.recv(0) == [PEER, b"y"]

    @pytest.mark.parametrize("channel", [0, 1])
    def test_channel_zero_or_that_of_the_radio(self, e, channel):
        """document: add_peer, channel."""
        e.add_peer(PEER, channel=channel)
        assert e.get_peer(PEER)[2] == channel

    @pytest.mark.parametrize("channel", [2, 13, 14])
    def test_another_channel_is_refused(self, e, code_of, channel):
        """document: add_peer."""
        assert code_of(e.add_peer, PEER, channel=channel) == "CHAN"
        assert e.peer_count() == (0, 0)

    def test_channel_as_the_interface_has_it_now(self, bench, e, code_of):
        """document: add_peer, channel."""
        bench.network.WLAN(0).config(channel=6)
        e.add_peer(PEER, channel=6)
        assert code_of(e.add_peer, OTHER, channel=1) == "CHAN"

    def test_peer_keeps_its_channel_when_the_radio_leaves_it(self, bench, e):
        """firmware: get_peer shows the channel as registered."""
        e.add_peer(PEER, channel=1)
        e.add_peer(OTHER)
        bench.network.WLAN(0).config(channel=6)
        assert [info[2] for info in e.get_peers()] == [1, 0]

    @pytest.mark.parametrize("names", [{"channel": 15}, {"channel": -1}, {"ifidx": 2}, {"ifidx": -1}])
    @pytest.mark.parametrize("kind", [ValueError, OSError])
    def test_number_out_of_range_is_caught_as_either(self, e, names, kind):
        """document: ValueError; firmware: OSError with ESP_ERR_ESPNOW_ARG."""
        with pytest.raises(kind) as caught:
            e.add_peer(PEER, **names)
        assert caught.value.args == (-12390, "ESP_ERR_ESPNOW_ARG")

    @pytest.mark.parametrize("names", [{"channel": "1"}, {"channel": 1.0}, {"ifidx": "0"}, {"ifidx": b""}])
    @pytest.mark.parametrize("kind", [ValueError, TypeError])
    def test_what_is_no_number_is_caught_as_either(self, e, names, kind):
        """document: ValueError; firmware: TypeError."""
        with pytest.raises(kind):
            e.add_peer(PEER, **names)

    @pytest.mark.parametrize("kind", [ValueError, TypeError])
    def test_unknown_keyword_is_caught_as_either(self, e, kind):
        """document: ValueError; firmware: TypeError."""
        with pytest.raises(kind):
            e.add_peer(PEER, bogus=1)
        assert e.peer_count() == (0, 0)

    def test_too_many_arguments(self, e):
        """firmware."""
        with pytest.raises(TypeError):
            e.add_peer(PEER, LMK, 0, 0, True, 1)

    def test_twice(self, e, code_of):
        """document: add_peer."""
        e.add_peer(PEER)
        assert code_of(e.add_peer, PEER) == "EXIST"
        assert code_of(e.add_peer, PEER, LMK) == "EXIST"
        assert e.get_peers() == ((PEER, ZEROS, 0, 0, False),)

    def test_twenty_at_most(self, bench, e, code_of):
        """document: add_peer."""
        fill(e, bench.espnow.MAX_TOTAL_PEER_NUM)
        assert code_of(e.add_peer, PEER) == "FULL"
        assert e.peer_count() == (20, 0)
        e.del_peer(peer(7))
        e.add_peer(PEER)

    def test_groups_count_among_the_twenty(self, e, code_of):
        """firmware."""
        fill(e, 19)
        e.add_peer(BROADCAST)
        assert code_of(e.add_peer, PEER) == "FULL"

    def test_six_encrypted_at_most(self, bench, e, code_of):
        """document: add_peer."""
        for number in range(bench.espnow.MAX_ENCRYPT_PEER_NUM):
            e.add_peer(peer(number), LMK)
        assert code_of(e.add_peer, PEER, LMK) == "FULL"
        assert code_of(e.add_peer, PEER, encrypt=True) == "FULL"
        e.add_peer(PEER, LMK, encrypt=False)
        assert e.peer_count() == (7, 6)

    @pytest.mark.parametrize("mac", [BROADCAST, GROUP, b"\xbb" * 6])
    def test_group_cannot_be_encrypted(self, e, code_of, mac):
        """document: broadcast and multicast; firmware: ESP_ERR_ESPNOW_ARG."""
        assert code_of(e.add_peer, mac, LMK) == "ARG"
        assert code_of(e.add_peer, mac, encrypt=True) == "ARG"
        e.add_peer(mac, LMK, encrypt=False)
        assert e.get_peer(mac)[4] is False

    @pytest.mark.parametrize(("encrypt", "shown"), [(1, True), (0, False), ("yes", True), ("", False)])
    def test_encrypt_by_its_truth(self, e, encrypt, shown):
        """firmware."""
        e.add_peer(PEER, LMK, encrypt=encrypt)
        assert e.get_peer(PEER)[4] is shown


class TestOrderOfRefusals:
    """firmware: each row has the faults that come later, too."""

    def test_full_before_exists(self, e, code_of):
        fill(e)
        assert code_of(e.add_peer, peer(0)) == "FULL"

    def test_full_before_encrypted_group(self, e, code_of):
        fill(e)
        assert code_of(e.add_peer, GROUP, LMK) == "FULL"

    def test_encrypted_group_before_exists(self, e, code_of):
        e.add_peer(GROUP)
        assert code_of(e.add_peer, GROUP, LMK, 9) == "ARG"

    def test_exists_before_channel(self, e, code_of):
        e.add_peer(PEER)
        assert code_of(e.add_peer, PEER, channel=9) == "EXIST"

    def test_channel_before_too_many_encrypted(self, e, code_of):
        for number in range(6):
            e.add_peer(peer(number), LMK)
        assert code_of(e.add_peer, PEER, LMK, 9) == "CHAN"
        assert code_of(e.add_peer, PEER, LMK, 1) == "FULL"

    @pytest.mark.parametrize("name", ["add_peer", "mod_peer", "del_peer", "get_peer"])
    def test_address_before_not_initialised(self, bench, code_of, name):
        call = getattr(bench.espnow.ESPNow(), name)
        with pytest.raises(ValueError, match="invalid buffer length") as caught:
            call(b"short")
        assert not isinstance(caught.value, OSError)
        with pytest.raises(TypeError):
            call(None)
        with pytest.raises(TypeError):
            call(5)
        assert code_of(call, PEER) == "NOT_INIT"

    def test_key_before_not_initialised(self, bench):
        e = bench.espnow.ESPNow()
        with pytest.raises(ValueError, match="invalid buffer length"):
            e.set_pmk(b"short")


class TestDelete:
    def test_gone(self, e, code_of):
        """document: del_peer."""
        e.add_peer(PEER)
        e.add_peer(OTHER)
        assert e.del_peer(PEER) is None
        assert code_of(e.get_peer, PEER) == "NOT_FOUND"
        assert [info[0] for info in e.get_peers()] == [OTHER]

    def test_unknown(self, e, code_of):
        """document: del_peer."""
        assert code_of(e.del_peer, PEER) == "NOT_FOUND"

    def test_group(self, e):
        """firmware."""
        e.add_peer(BROADCAST)
        e.del_peer(BROADCAST)
        assert e.peer_count() == (0, 0)

    def test_can_be_added_again(self, e):
        """document: del_peer."""
        e.add_peer(PEER, LMK)
        e.del_peer(PEER)
        e.add_peer(PEER)
        assert e.get_peer(PEER) == (PEER, ZEROS, 0, 0, False)


class TestGet:
    def test_tuple(self, e):
        """document: get_peer."""
        e.add_peer(PEER, LMK, 1, 1)
        found = e.get_peer(PEER)
        assert found == (PEER, LMK, 1, 1, True)
        assert [type(part) for part in (found, *found)] == [tuple, bytes, bytes, int, int, bool]

    def test_unknown(self, e, code_of):
        """document: get_peer."""
        assert code_of(e.get_peer, PEER) == "NOT_FOUND"

    def test_also_for_groups(self, e):
        """firmware."""
        e.add_peer(BROADCAST)
        assert e.get_peer(BROADCAST) == (BROADCAST, ZEROS, 0, 0, False)

    def test_all(self, e):
        """document: get_peers: a tuple of tuples."""
        assert e.get_peers() == ()
        e.add_peer(OTHER, LMK)
        e.add_peer(PEER)
        assert e.get_peers() == (e.get_peer(OTHER), e.get_peer(PEER))

    def test_all_leaves_groups_out_but_the_count_has_them(self, e):
        """firmware."""
        for mac in (GROUP, PEER, BROADCAST):
            e.add_peer(mac)
        assert [info[0] for info in e.get_peers()] == [PEER]
        assert e.peer_count() == (3, 0)

    def test_count(self, e):
        """document: peer_count."""
        assert e.peer_count() == (0, 0)
        e.add_peer(PEER, LMK)
        e.add_peer(OTHER)
        assert e.peer_count() == (2, 1)


class TestModify:
    @pytest.mark.parametrize(
        ("args", "names"),
        [
            ((LMK, 1, 1, True), {}),
            ((), {"lmk": LMK, "channel": 1, "ifidx": 1, "encrypt": True}),
            ((LMK,), {"channel": 1, "ifidx": 1}),
        ],
    )
    def test_by_position_and_by_keyword(self, e, args, names):
        """document: mod_peer."""
        e.add_peer(PEER)
        assert e.mod_peer(PEER, *args, **names) is None
        assert e.get_peer(PEER) == (PEER, LMK, 1, 1, True)

    @pytest.mark.parametrize(
        ("names", "shown"),
        [
            ({}, (LMK, 1, 1, True)),
            ({"lmk": None, "channel": None, "ifidx": None, "encrypt": None}, (LMK, 1, 1, True)),
            ({"channel": 0}, (LMK, 0, 1, True)),
            ({"ifidx": 0}, (LMK, 1, 0, True)),
            ({"encrypt": False}, (LMK, 1, 1, False)),
            ({"lmk": ZEROS[:15] + b"x"}, (ZEROS[:15] + b"x", 1, 1, True)),
            ({"lmk": b""}, (LMK, 1, 1, False)),
        ],
        ids=["nothing", "nones", "channel", "ifidx", "encrypt", "lmk", "empty-lmk"],
    )
    def test_what_is_not_given_stays(self, e, names, shown):
        """document: mod_peer; firmware: an empty key ends encryption and leaves the bytes."""
        e.add_peer(PEER, LMK, 1, 1)
        e.mod_peer(PEER, **names)
        assert e.get_peer(PEER)[1:] == shown

    def test_encrypted_again_with_the_key_that_stayed(self, bench, e):
        """firmware."""
        e.add_peer(PEER, LMK)
        e.mod_peer(PEER, encrypt=False)
        e.send(PEER, b"x")
        assert bench.link.messages == [(PEER, b"x")]
        e.mod_peer(PEER, encrypt=True)
        bench.link.inject("y", key=derive_key(DEFAULT_PMK, LMK))
        assert e.recv(0) == [PEER, b"y"]

    def test_unknown_comes_first(self, e, code_of):
        """firmware."""
        assert code_of(e.mod_peer, PEER) == "NOT_FOUND"
        assert code_of(e.mod_peer, PEER, b"short") == "NOT_FOUND"
        assert code_of(e.mod_peer, PEER, channel=99) == "NOT_FOUND"

    @pytest.mark.parametrize(
        ("names", "code"), [({"channel": 9}, "CHAN"), ({"channel": 15}, "ARG"), ({"ifidx": 2}, "ARG")]
    )
    def test_refused_values_change_nothing(self, e, code_of, names, code):
        """firmware."""
        e.add_peer(PEER, LMK)
        assert code_of(e.mod_peer, PEER, encrypt=False, **names) == code
        assert e.get_peer(PEER) == (PEER, LMK, 0, 0, True)

    def test_key_of_another_length(self, e):
        """document: add_peer, lmk."""
        e.add_peer(PEER)
        with pytest.raises(ValueError, match="invalid buffer length"):
            e.mod_peer(PEER, b"short")

    @pytest.mark.parametrize("kind", [ValueError, TypeError])
    def test_unknown_keyword_is_caught_as_either(self, e, kind):
        """document: ValueError; firmware: TypeError."""
        e.add_peer(PEER)
        with pytest.raises(kind):
            e.mod_peer(PEER, bogus=1)

    def test_seventh_encrypted(self, e, code_of):
        """document: add_peer, the limit."""
        for number in range(6):
            e.add_peer(peer(number), LMK)
        e.add_peer(PEER)
        assert code_of(e.mod_peer, PEER, LMK) == "FULL"
        e.mod_peer(peer(0), PMK)
        assert e.peer_count() == (7, 6)

    def test_group_cannot_become_encrypted(self, e, code_of):
        """document: broadcast and multicast."""
        e.add_peer(GROUP)
        assert code_of(e.mod_peer, GROUP, LMK) == "ARG"

    def test_order_of_peers_stays(self, e):
        """ours."""
        e.add_peer(PEER)
        e.add_peer(OTHER)
        e.mod_peer(PEER, LMK)
        assert [info[0] for info in e.get_peers()] == [PEER, OTHER]


class TestPmk:
    @pytest.mark.parametrize("pmk", [PMK, PMK.decode(), bytearray(PMK), memoryview(PMK)])
    def test_text_or_any_buffer(self, bench, e, pmk):
        """document: set_pmk."""
        assert e.set_pmk(pmk) is None
        e.add_peer(PEER, LMK)
        bench.link.inject("x", key=derive_key(PMK, LMK))
        assert e.recv(0) == [PEER, b"x"]

    @pytest.mark.parametrize("pmk", [b"", PMK[:15], PMK + b"x", "é" * 16])
    def test_of_another_length(self, e, pmk):
        """document: set_pmk."""
        with pytest.raises(ValueError, match="invalid buffer length"):
            e.set_pmk(pmk)

    @pytest.mark.parametrize("pmk", [None, 5, [1] * 16])
    def test_that_is_no_buffer(self, e, pmk):
        """firmware."""
        with pytest.raises(TypeError):
            e.set_pmk(pmk)

    def test_default_is_used_without_one(self, bench, e):
        """document: set_pmk."""
        e.add_peer(PEER, LMK)
        bench.link.inject("x", key=derive_key(DEFAULT_PMK, LMK))
        assert e.recv(0) == [PEER, b"x"]

    def test_alone_encrypts_nothing(self, bench, e):
        """document: set_pmk, messages are encrypted only with an lmk."""
        e.set_pmk(PMK)
        e.add_peer(PEER)
        e.send(PEER, b"x")
        assert bench.link.messages == [(PEER, b"x")]

    def test_registered_peers_keep_their_key_until_modified(self, bench, e):
        """firmware: the key is made when a peer is added or modified."""
        e.add_peer(PEER, LMK)
        e.set_pmk(PMK)
        bench.link.inject("old", key=derive_key(DEFAULT_PMK, LMK))
        bench.link.inject("new", key=derive_key(PMK, LMK))
        assert e.recv(0) == [PEER, b"old"]
        assert not e.any()
        e.mod_peer(PEER, LMK)
        bench.link.inject("new", key=derive_key(PMK, LMK))
        assert e.recv(0) == [PEER, b"new"]


class TestEncryptedMessages:
    def test_need_the_sender_registered(self, bench, e):
        """document: peer management."""
        bench.link.inject("x", key=derive_key(DEFAULT_PMK, LMK))
        e.add_peer(PEER)
        bench.link.inject("x", key=derive_key(DEFAULT_PMK, LMK))
        assert not e.any()

    def test_need_the_same_keys(self, bench, e):
        """document: peer management."""
        e.add_peer(PEER, LMK)
        bench.link.inject("x", key=derive_key(PMK, LMK))
        bench.link.inject("x", key=derive_key(DEFAULT_PMK, PMK))
        assert not e.any()
        assert e.stats()[3:] == (0, 0)

    def test_plain_message_from_an_encrypted_peer_is_dropped(self, bench, e):
        """firmware: current ones."""
        e.add_peer(PEER, LMK)
        bench.link.inject("x")
        assert not e.any()
        bench.link.inject("x", source=OTHER)
        assert e.recv(0) == [OTHER, b"x"]

    def test_plain_broadcast_from_an_encrypted_peer_is_received(self, bench, e):
        """firmware."""
        e.add_peer(PEER, LMK)
        bench.link.inject("x", destination=BROADCAST)
        assert e.recv(0) == [PEER, b"x"]

    def test_repeated_packet_numbers_are_accepted(self, bench, e):
        """firmware: a sender that slept counts from one again."""
        e.add_peer(PEER, LMK)
        for number in (1, 2, 1):
            bench.link.inject(str(number), key=derive_key(DEFAULT_PMK, LMK), packet_number=number)
        assert [e.recv(0)[1] for _ in range(3)] == [b"1", b"2", b"1"]

    def test_interface_of_the_peer_does_not_matter(self, bench, e):
        """ours."""
        bench.network.WLAN(1).active(True)
        e.add_peer(PEER, LMK, ifidx=1)
        bench.link.inject("x", key=derive_key(DEFAULT_PMK, LMK))
        assert e.recv(0) == [PEER, b"x"]


def test_a_peer_of_another_channel_can_be_changed_otherwise(bench):
    """Ours: a channel that is not to be changed is not looked at again."""
    e = bench.start()
    sta = bench.network.WLAN(0)
    sta.config(channel=3)
    e.add_peer(b"\xa0" * 6, channel=3)
    sta.config(channel=4)
    e.mod_peer(b"\xa0" * 6, ifidx=1)
    assert e.get_peer(b"\xa0" * 6)[2:4] == (3, 1)
    with pytest.raises(OSError, match="CHAN"):
        e.mod_peer(b"\xa0" * 6, channel=5)

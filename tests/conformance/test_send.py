"""ESPNow.send: one row a statement, with where it comes from. What happens on the air is in test_on_the_air."""

from __future__ import annotations

import array
import itertools

import pytest

PEER = b"\x24\x0a\xc4\x00\x00\x01"
OTHER = b"\x24\x0a\xc4\x00\x00\x02"
GROUP = b"\x01\x00\x5e\x00\x00\x01"
BROADCAST = b"\xff" * 6
CONSOLE_LINE = "ESPNOW: Peer channel is not equal to the home channel, send fail!"


def elapsed_ms(bench, call, *args):
    """Return what a call returned, and how many milliseconds it took."""
    begin_us = bench.clock.now_us
    return call(*args), (bench.clock.now_us - begin_us) / 1000


@pytest.fixture
def e(bench):
    e = bench.start()
    e.add_peer(PEER)
    return e


class TestForms:
    def test_message_goes_to_the_peer(self, bench, e):
        """document: send."""
        e.add_peer(OTHER)
        assert e.send(PEER, b"one") is True
        assert bench.link.messages == [(PEER, b"one")]

    @pytest.mark.parametrize("form", [lambda e: e.send(b"all"), lambda e: e.send(None, b"all")], ids=["msg", "none"])
    def test_without_address_to_every_unicast_peer(self, bench, e, form):
        """document: send, to all but broadcast and multicast peers."""
        for peer in (BROADCAST, OTHER, GROUP):
            e.add_peer(peer)
        assert form(e) is True
        assert bench.link.messages == [(PEER, b"all"), (OTHER, b"all")]

    def test_one_argument_means_sync(self, bench, e):
        """document: send, the second form."""
        result, ms = elapsed_ms(bench, e.send, b"all")
        assert result is True
        assert 3 <= ms < 4

    def test_to_all_without_sync(self, bench, e):
        """firmware."""
        bench.link.withhold()
        assert e.send(None, b"all", False) is True

    @pytest.mark.parametrize("groups", [[], [BROADCAST], [BROADCAST, GROUP]])
    @pytest.mark.parametrize("args", [(b"x",), (None, b"x"), (None, b"x", False)])
    def test_to_all_without_a_unicast_peer(self, bench, e, code_of, groups, args):
        """firmware: not found, also when only group addresses are registered."""
        e.del_peer(PEER)
        for group in groups:
            e.add_peer(group)
        assert code_of(e.send, *args) == "NOT_FOUND"
        assert bench.link.frames == []

    @pytest.mark.parametrize("names", [{"msg": b"x"}, {"sync": False}, {"mac": PEER}])
    def test_arguments_are_positional(self, e, names):
        """firmware."""
        args = [] if "mac" in names else [PEER]
        if "msg" not in names:
            args.append(b"x")
        with pytest.raises(TypeError):
            e.send(*args, **names)

    @pytest.mark.parametrize("count", [0, 4])
    def test_one_to_three_arguments(self, e, count):
        """document: send."""
        with pytest.raises(TypeError):
            e.send(*[PEER, b"x", True, True][:count])

    @pytest.mark.parametrize(
        "message",
        ["grüße", "grüße".encode(), bytearray("grüße".encode()), memoryview("grüße".encode())],
        ids=["str", "bytes", "bytearray", "memoryview"],
    )
    def test_message_is_text_or_any_buffer(self, bench, e, message):
        """document: send, string or byte string; firmware: text goes as UTF-8, and any buffer will do."""
        assert e.send(PEER, message)
        assert bench.link.messages == [(PEER, "grüße".encode())]

    def test_buffer_of_wider_items_goes_as_its_bytes(self, bench, e):
        """firmware."""
        assert e.send(PEER, array.array("H", [0x0102, 0x0304]))
        assert bench.link.messages == [(PEER, array.array("H", [0x0102, 0x0304]).tobytes())]

    @pytest.mark.parametrize(
        "mac", [bytearray(b"bcdefg"), memoryview(b"bcdefg"), "bcdefg"], ids=["bytearray", "memoryview", "str"]
    )
    def test_address_is_text_or_any_buffer(self, bench, e, mac):
        """firmware."""
        e.add_peer(mac)
        assert e.send(mac, b"x")
        assert bench.link.messages == [(b"bcdefg", b"x")]

    def test_message_is_taken_at_the_call(self, bench, e):
        """ours: what the program does to its buffer afterwards changes nothing."""
        message = bytearray(b"before")
        e.send(PEER, message, False)
        message[:] = b"after!"
        assert bench.link.messages == [(PEER, b"before")]


class TestLength:
    @pytest.mark.parametrize("length", [1, 249, 250])
    def test_up_to_250_bytes(self, bench, e, length):
        """document: send, msg."""
        assert e.send(PEER, bytes(length))
        assert bench.link.messages == [(PEER, bytes(length))]

    @pytest.mark.parametrize("message", [b"", "", bytes(251), bytes(2000), "é" * 126])
    @pytest.mark.parametrize("kind", [ValueError, OSError])
    def test_other_lengths_are_caught_as_either(self, bench, e, message, kind):
        """document: ValueError; firmware: OSError with ESP_ERR_ESPNOW_ARG. Text counts as its UTF-8."""
        with pytest.raises(kind) as caught:
            e.send(PEER, message)
        assert caught.value.args == (-12390, "ESP_ERR_ESPNOW_ARG")
        assert bench.link.frames == []

    def test_also_to_all(self, e, code_of):
        """firmware."""
        assert code_of(e.send, bytes(251)) == "ARG"


class TestRefusals:
    def test_not_registered(self, bench, e, code_of):
        """document: send."""
        assert code_of(e.send, OTHER, b"x") == "NOT_FOUND"
        assert code_of(e.send, BROADCAST, b"x") == "NOT_FOUND"
        assert code_of(e.send, OTHER, b"x", False) == "NOT_FOUND"
        assert bench.link.frames == []

    @pytest.mark.parametrize("sync", [True, False])
    def test_no_interface(self, bench, e, code_of, sync):
        """document: send."""
        bench.network.WLAN(0).active(False)
        assert code_of(e.send, PEER, b"x", sync) == "IF"

    def test_the_interface_of_the_peer_counts(self, bench, e, code_of):
        """firmware: that of the peer's ifidx, not any."""
        e.add_peer(OTHER, ifidx=1)
        assert code_of(e.send, OTHER, b"x") == "IF"
        assert e.send(PEER, b"x")
        bench.network.WLAN(1).active(True)
        assert e.send(OTHER, b"x")
        assert bench.link.sent[-1].source == bench.network.WLAN(1).config("mac")
        bench.network.WLAN(0).active(False)
        assert code_of(e.send, PEER, b"x") == "IF"

    def test_peer_of_another_channel(self, bench, e, code_of):
        """document: other issues; firmware: refused, and a line on the console."""
        sta = bench.network.WLAN(0)
        sta.config(channel=6)
        e.add_peer(OTHER, channel=6)
        assert e.send(OTHER, b"x")
        sta.config(channel=7)
        assert bench.output == ""
        assert code_of(e.send, OTHER, b"x") == "CHAN"
        assert bench.output.splitlines() == [CONSOLE_LINE]
        assert e.send(PEER, b"x") is True

    @pytest.mark.parametrize("length", [5, 7, 0, 12])
    def test_address_of_another_length(self, e, length):
        """document: send raises ValueError; firmware: this text."""
        with pytest.raises(ValueError, match=r"^invalid buffer length$") as caught:
            e.send(bytes(length), b"x")
        assert not isinstance(caught.value, OSError)

    @pytest.mark.parametrize("mac", [1, 1.5, [1, 2, 3, 4, 5, 6], object(), True])
    def test_address_that_is_no_buffer(self, e, mac):
        """firmware."""
        with pytest.raises(TypeError):
            e.send(mac, b"x")

    @pytest.mark.parametrize("message", [None, 1, 1.5, ["x"], ("x",), {}])
    def test_message_that_is_no_buffer(self, e, message):
        """firmware."""
        with pytest.raises(TypeError):
            e.send(PEER, message)
        with pytest.raises(TypeError):
            e.send(None, message)


class TestOrderOfRefusals:
    """firmware: each row has all the faults that come later, too."""

    def test_first_not_initialised(self, bench, code_of):
        assert code_of(bench.espnow.ESPNow().send, b"short", 5) == "NOT_INIT"
        assert code_of(bench.espnow.ESPNow().send, 5, b"") == "NOT_INIT"
        assert code_of(bench.espnow.ESPNow().send, 5) == "NOT_INIT"

    def test_then_the_address(self, e):
        with pytest.raises(ValueError, match="invalid buffer length"):
            e.send(b"short", 5)
        with pytest.raises(ValueError, match="invalid buffer length"):
            e.send(b"short", b"")

    def test_then_the_type_of_the_message(self, e):
        with pytest.raises(TypeError):
            e.send(OTHER, 5)

    def test_then_its_length(self, bench, e, code_of):
        bench.network.WLAN(0).active(False)
        assert code_of(e.send, OTHER, b"") == "ARG"
        assert code_of(e.send, OTHER, bytes(251)) == "ARG"

    def test_then_whether_the_peer_is_known(self, bench, e, code_of):
        bench.network.WLAN(0).active(False)
        assert code_of(e.send, OTHER, b"x") == "NOT_FOUND"

    def test_then_its_channel(self, bench, e, code_of):
        bench.network.WLAN(0).config(channel=6)
        e.add_peer(OTHER, channel=6, ifidx=1)
        bench.network.WLAN(0).config(channel=1)
        assert code_of(e.send, OTHER, b"x") == "CHAN"

    def test_then_its_interface(self, bench, e, code_of):
        bench.link.run_out_of_memory()
        bench.network.WLAN(0).active(False)
        assert elapsed_ms(bench, code_of, e.send, PEER, b"x") == ("IF", 0)


class TestSync:
    def test_is_the_default(self, bench, e):
        """document: send, sync."""
        result, ms = elapsed_ms(bench, e.send, PEER, b"x")
        assert result is True
        assert 3 <= ms < 4

    @pytest.mark.parametrize("sync", [True, 1, "yes", None])
    def test_waits_for_the_answer(self, bench, e, sync):
        """document: send, sync; firmware: None counts as True."""
        bench.link.refuse()
        result, ms = elapsed_ms(bench, e.send, PEER, b"x", sync)
        assert result is False
        assert ms >= 3

    @pytest.mark.parametrize("sync", [False, 0, ""])
    def test_without_returns_at_once(self, bench, e, sync):
        """document: send, sync: True at once, whatever the answer will be."""
        bench.link.refuse()
        result, ms = elapsed_ms(bench, e.send, PEER, b"x", sync)
        assert result is True
        assert ms < 0.1

    def test_true_only_if_all_answer(self, bench, e):
        """document: send, returns."""
        e.add_peer(OTHER)
        bench.link.script(["acknowledge", "refuse"])
        assert e.send(b"x") is False
        bench.link.script(["refuse", "acknowledge"])
        assert e.send(None, b"x") is False
        assert e.send(b"x") is True

    def test_waits_for_earlier_asynchronous_sends_first(self, bench, e):
        """firmware."""
        bench.link.answer_after_us = 40_000
        e.send(PEER, b"a", False)
        bench.link.answer_after_us = 3_000
        seen = []
        given = bench.link._give
        bench.link._give = lambda *args: (seen.append(bench.clock.now_us), given(*args))
        begin_us = bench.clock.now_us
        assert e.send(PEER, b"b") is True
        assert seen[0] - begin_us >= 39_000
        assert e.stats()[:3] == (2, 2, 0)

    def test_earlier_failures_do_not_change_its_result(self, bench, e):
        """firmware."""
        bench.link.script(["refuse", "refuse", "acknowledge"])
        e.send(PEER, b"a", False)
        e.send(PEER, b"b", False)
        assert e.send(PEER, b"c") is True
        assert e.stats()[:3] == (3, 3, 2)

    def test_earlier_success_does_not_hide_a_failure(self, bench, e):
        """firmware."""
        bench.link.script(["acknowledge", "refuse"])
        e.send(PEER, b"a", False)
        assert e.send(PEER, b"b") is False

    def test_withheld_answer_is_a_timeout(self, bench, e):
        """firmware: after a tenth of a second."""
        bench.link.withhold()
        begin_us = bench.clock.now_us
        with pytest.raises(OSError) as caught:
            e.send(PEER, b"x")
        assert bench.clock.now_us - begin_us == 100_000
        assert caught.value.args == (116,)
        assert caught.value.errno == 116
        assert "ETIMEDOUT" in str(caught.value)

    def test_answer_just_in_time(self, bench, e):
        """firmware."""
        bench.link.answer_after_us = 99_000
        assert e.send(PEER, b"x") is True

    def test_answer_to_an_earlier_send_withheld(self, bench, e):
        """firmware: the wait before sending can run out too; nothing is sent then."""
        bench.link.withhold()
        e.send(PEER, b"a", False)
        with pytest.raises(OSError) as caught:
            e.send(PEER, b"b")
        assert caught.value.errno == 116
        assert bench.link.messages == [(PEER, b"a")]

    def test_sends_again_after_a_timeout(self, bench, e):
        """firmware: the late answer is waited for, and changes nothing."""
        bench.link.withhold()
        with pytest.raises(OSError):
            e.send(PEER, b"a")
        bench.link.refuse()
        bench.link.acknowledge()
        assert e.send(PEER, b"b") is True
        assert e.stats()[:3] == (2, 2, 1)

    def test_asynchronous_sends_need_no_answer_to_go_on(self, bench, e):
        """firmware."""
        bench.link.withhold()
        assert [e.send(PEER, str(n), False) for n in range(5)] == [True] * 5
        assert len(bench.link.frames) == 5

    def test_answer_that_the_driver_does_not_tell_counts_as_success(self, bench, e):
        """ours."""
        bench.link.script(["unknown"])
        assert e.send(PEER, b"x") is True
        assert e.stats()[:3] == (1, 1, 0)


class TestNoMemory:
    @pytest.mark.parametrize("sync", [True, False])
    def test_tried_for_two_seconds_then_raised(self, bench, e, code_of, sync):
        """document: send raises NO_MEM; firmware: after two seconds."""
        bench.link.run_out_of_memory()
        begin_us = bench.clock.now_us
        assert code_of(e.send, PEER, b"x", sync) == "NO_MEM"
        assert bench.clock.now_us - begin_us == 2_000_000
        assert e.stats()[:3] == (0, 0, 0)

    @pytest.mark.parametrize("sync", [True, False])
    def test_goes_out_when_there_is_room_again(self, bench, e, sync):
        """firmware."""
        bench.link.run_out_of_memory(5)
        assert e.send(PEER, b"x", sync) is True
        assert bench.link.messages == [(PEER, b"x")]
        assert e.stats()[0] == 1

    def test_room_just_before_two_seconds(self, bench, e):
        """firmware."""
        bench.link.run_out_of_memory()
        bench.clock.call_at(bench.clock.now_us + 1_990_000, lambda: bench.link.run_out_of_memory(0))
        assert e.send(PEER, b"x") is True

    def test_callbacks_run_meanwhile(self, bench, e):
        """firmware."""
        calls = []
        e.irq(lambda e: calls.append(bench.clock.now_us))
        bench.link.run_out_of_memory()
        bench.clock.call_at(bench.clock.now_us + 500_000, lambda: bench.link.run_out_of_memory(0))
        arrives_us = bench.clock.now_us + 100_000
        bench.link.inject("x", after_ms=100)
        assert e.send(PEER, b"x") is True
        assert calls == [arrives_us]


class TestStats:
    def test_is_five_numbers(self, e):
        """document: stats."""
        stats = e.stats()
        assert type(stats) is tuple
        assert stats == (0, 0, 0, 0, 0)

    def test_responses_include_failures(self, bench, e):
        """firmware."""
        bench.link.script(["acknowledge", "refuse", "refuse"])
        assert [e.send(PEER, b"x") for _ in range(3)] == [True, False, False]
        assert e.stats()[:3] == (3, 3, 2)

    def test_asynchronous_failures_show_here(self, bench, e):
        """document: send, responses are discarded; firmware: but counted."""
        bench.link.refuse()
        assert e.send(PEER, b"x", False) is True
        assert e.stats()[:3] == (1, 0, 0)
        bench.advance(5)
        assert e.stats()[:3] == (1, 1, 1)

    def test_one_for_each_peer_of_a_send_to_all(self, bench, e):
        """firmware: frames handed over."""
        e.add_peer(OTHER)
        e.send(b"x")
        assert e.stats()[:3] == (2, 2, 0)

    def test_refused_calls_do_not_count(self, bench, e, code_of):
        """firmware."""
        code_of(e.send, OTHER, b"x")
        code_of(e.send, PEER, b"")
        assert e.stats()[:3] == (0, 0, 0)

    def test_broadcast_counts_as_answered(self, bench, e):
        """firmware."""
        e.add_peer(BROADCAST)
        e.send(BROADCAST, b"x")
        assert e.stats()[:3] == (1, 1, 0)

    def test_received_are_those_that_entered_the_ring_and_dropped_the_others(self, bench, e):
        """document: stats."""
        for _ in range(5):
            bench.link.inject(bytes(250))
        assert e.stats()[3:] == (2, 3)
        e.recv(0)
        assert e.stats()[3:] == (2, 3)
        bench.link.inject(bytes(250))
        assert e.stats()[3:] == (3, 3)

    def test_frames_that_are_no_messages_do_not_count(self, bench, e):
        """firmware."""
        bench.link.inject_frame(b"\xd0\x00garbage")
        bench.link.inject("for another", destination=OTHER)
        assert e.stats() == (0, 0, 0, 0, 0)


def test_frames_differ_in_their_random_bytes_and_count_up(bench, e):
    """firmware: from one frame to the next, also if chance would have it otherwise."""
    numbers = (number for number in range(50) for _ in range(3))
    bench.board.node._random_u32 = lambda: next(numbers)
    for _ in range(50):
        e.send(PEER, b"same")
    sent = bench.link.sent
    assert all(one.random_value != other.random_value for one, other in itertools.pairwise(sent))
    assert [frame.seq for frame in sent] == [(sent[0].seq + number) % 4096 for number in range(50)]

"""recv, irecv, recvinto, iteration, any and the ring: one row a statement, with where it comes from."""

from __future__ import annotations

import array

import pytest

from espnow.frame import build
from espnow.testing import Bench, WaitsForever

PEER = b"\x24\x0a\xc4\x00\x00\x01"
OTHER = b"\x24\x0a\xc4\x00\x00\x02"

RECEIVERS = {
    "recv": lambda e, *timeout: e.recv(*timeout),
    "irecv": lambda e, *timeout: e.irecv(*timeout),
    "recvinto": lambda e, *timeout: e.recvinto([None, bytearray(250)], *timeout),
}


@pytest.fixture(params=RECEIVERS)
def receive(request):
    return RECEIVERS[request.param]


def nothing(result) -> bool:
    return result == 0 if isinstance(result, int) else result == (None, None) and isinstance(result, tuple)


def empty_message(bench) -> None:
    """Let a message of no bytes arrive: a frame as others can make it."""
    mpdu = build(bench.link.config.addresses[0][1], PEER, b"x", seq=1, random_value=77)
    body = bytearray(mpdu[:-1])
    assert body[-6] == 6  # the length of the element
    body[-6] = 5
    bench.link.inject_frame(bytes(body))


class TestTimeout:
    @pytest.mark.parametrize("timeout_ms", [1, 50, 1000, True])
    def test_positive_waits_so_long(self, bench, e, receive, timeout_ms):
        """document: recv, timeout_ms."""
        begin_us = bench.clock.now_us
        assert nothing(receive(e, timeout_ms))
        assert bench.clock.now_us - begin_us == int(timeout_ms) * 1000

    def test_zero_returns_at_once(self, bench, e, receive):
        """document: recv, timeout_ms."""
        begin_us = bench.clock.now_us
        assert nothing(receive(e, 0))
        assert bench.clock.now_us - begin_us < 100

    @pytest.mark.parametrize("timeout_ms", [-1, -300])
    def test_negative_waits_for_ever(self, bench, e, receive, timeout_ms):
        """document: recv, timeout_ms."""
        with pytest.raises(WaitsForever):
            receive(e, timeout_ms)
        bench.link.inject("late", after_ms=10_000_000)
        assert not nothing(receive(e, timeout_ms))

    @pytest.mark.parametrize("args", [(), (None,)])
    def test_none_and_no_argument_are_the_default(self, bench, e, receive, args):
        """document: recv, timeout_ms."""
        e.config(timeout_ms=77)
        begin_us = bench.clock.now_us
        assert nothing(receive(e, *args))
        assert bench.clock.now_us - begin_us == 77_000

    @pytest.mark.parametrize("kind", [ValueError, TypeError])
    @pytest.mark.parametrize("timeout_ms", ["a", 1.5, b"1", [1]])
    def test_bad_one_is_caught_as_either(self, e, receive, kind, timeout_ms):
        """document: ValueError; firmware: TypeError."""
        with pytest.raises(kind):
            receive(e, timeout_ms)

    @pytest.mark.parametrize("timeout_ms", ["a", 1.5])
    def test_bad_one_takes_no_message(self, bench, e, receive, timeout_ms):
        """ours."""
        bench.link.inject("x")
        with pytest.raises(ValueError):
            receive(e, timeout_ms)
        assert e.any()

    @pytest.mark.parametrize("name", ["recv", "irecv"])
    def test_keyword(self, bench, e, name):
        """firmware: recv and irecv take it by name."""
        begin_us = bench.clock.now_us
        assert getattr(e, name)(timeout_ms=20) == (None, None)
        assert bench.clock.now_us - begin_us == 20_000

    def test_ends_when_a_message_comes(self, bench, e, receive):
        """document: recv."""
        bench.link.inject("x", after_ms=30)
        begin_us = bench.clock.now_us
        assert not nothing(receive(e, 1000))
        assert bench.clock.now_us - begin_us == 30_000

    def test_message_at_the_last_instant_counts(self, bench, e, receive):
        """ours."""
        bench.link.inject("x", after_ms=30)
        assert not nothing(receive(e, 30))

    def test_answers_to_own_sends_do_not_end_it(self, bench, e, receive):
        """ours."""
        e.add_peer(PEER)
        e.send(PEER, b"x", False)
        begin_us = bench.clock.now_us
        assert nothing(receive(e, 50))
        assert bench.clock.now_us - begin_us == 50_000


class TestRefusals:
    def test_without_an_active_interface(self, bench, e, code_of, receive):
        """document: recv."""
        bench.network.WLAN(0).active(False)
        assert code_of(receive, e, 0) == "IF"
        bench.network.WLAN(1).active(True)
        assert nothing(receive(e, 0))

    def test_not_initialised_comes_first(self, bench, code_of, receive):
        """document: recv."""
        assert code_of(receive, bench.espnow.ESPNow(), "a") == "NOT_INIT"

    def test_switched_off_while_it_waits(self, bench, e, code_of, receive):
        """ours: it does not wait for what cannot come."""
        e.irq(lambda e: e.active(False))
        bench.link.inject("x", after_ms=10)
        assert code_of(receive, e, 1000) == "NOT_INIT"
        assert bench.clock.now_us < 200_000


class TestRecv:
    def test_gives_a_list_of_two_byte_strings(self, bench, e):
        """document: recv."""
        bench.link.inject("one")
        found = e.recv()
        assert found == [PEER, b"one"]
        assert [type(found), type(found[0]), type(found[1])] == [list, bytes, bytes]

    def test_gives_a_tuple_of_none_at_the_timeout(self, e):
        """document: recv."""
        assert e.recv(10) == (None, None)
        assert type(e.recv(0)) is tuple

    def test_is_fresh_each_time(self, bench, e):
        """document: recv allocates."""
        for text in ("one", "two"):
            bench.link.inject(text)
        first, second = e.recv(), e.recv()
        assert first is not second
        assert (first[1], second[1]) == (b"one", b"two")

    def test_needs_no_registration(self, bench, e):
        """document: recv."""
        assert e.peer_count() == (0, 0)
        bench.link.inject("x", source=OTHER)
        assert e.recv(0) == [OTHER, b"x"]

    def test_order_of_arrival(self, bench, e):
        """document: recv."""
        for number in range(10):
            bench.link.inject(str(number), source=(PEER, OTHER)[number % 2])
        assert [e.recv(0)[1] for _ in range(10)] == [str(number).encode() for number in range(10)]

    @pytest.mark.parametrize("length", [1, 250])
    def test_every_byte_arrives(self, bench, e, length):
        """document: message sizes."""
        message = bytes(number & 0xFF for number in range(length))
        bench.link.inject(message)
        assert e.recv(0)[1] == message

    def test_address_is_the_sender_even_to_the_second_interface(self, bench, e):
        """document: recv."""
        bench.network.WLAN(1).active(True)
        bench.link.inject("x", destination=bench.network.WLAN(1).config("mac"), source=OTHER)
        assert e.recv(0)[0] == OTHER


class TestIrecv:
    def test_gives_a_bytearray(self, bench, e):
        """document: irecv."""
        bench.link.inject("one")
        found = e.irecv()
        assert found == [PEER, bytearray(b"one")]
        assert (type(found[0]), type(found[1])) == (bytes, bytearray)

    def test_same_objects_each_time(self, bench, e):
        """document: irecv."""
        bench.link.inject("first")
        found = e.irecv()
        message = found[1]
        for text in ("a much longer second", "3"):
            bench.link.inject(text)
            again = e.irecv()
            assert again is found
            assert again[1] is message
            assert bytes(message) == text.encode()

    def test_timeout(self, bench, e):
        """firmware."""
        found = e.irecv(0)
        assert found == (None, None)
        assert type(found) is tuple

    def test_view_held_by_the_program_keeps_its_message(self, bench, e):
        """ours: CPython cannot resize a buffer that a view looks at; nothing is lost."""
        bench.link.inject("first")
        view = memoryview(e.irecv()[1])
        for text in ("second, longer", "3"):
            bench.link.inject(text)
            assert bytes(e.irecv()[1]) == text.encode()
        assert bytes(view) == b"first"

    def test_its_list_can_be_read_into(self, bench, e):
        """firmware: the bytearray in it has room for any message."""
        bench.link.inject("x")
        found = e.irecv()
        for length in (250, 5, 250):
            bench.link.inject(bytes(length))
            assert e.recvinto(found) == length
            assert found == [PEER, bytes(length)]

    def test_does_not_share_with_recv(self, bench, e):
        """document: irecv."""
        bench.link.inject("one")
        kept = e.irecv()
        bench.link.inject("two")
        e.recv()
        assert kept[1] == b"one"


class TestRecvinto:
    def test_fills_and_cuts(self, bench, e):
        """document: recvinto."""
        data = [None, bytearray(250)]
        buffer = data[1]
        bench.link.inject("hello")
        assert e.recvinto(data) == 5
        assert data[1] is buffer
        assert data == [PEER, bytearray(b"hello")]

    def test_cut_buffer_grows_again(self, bench, e):
        """firmware: its first length stays its capacity."""
        data = [None, bytearray(250)]
        for length in (1, 250, 3, 100, 250, 0 + 7):
            bench.link.inject(bytes([length]) * length)
            assert e.recvinto(data) == length
            assert data[1] == bytes([length]) * length

    def test_several_buffers_in_turn(self, bench, e):
        """firmware."""
        lists = [[None, bytearray(250)] for _ in range(30)]
        for length in (5, 250, 9):
            for data in lists:
                bench.link.inject(bytes(length))
                assert e.recvinto(data) == length
                assert len(data[1]) == length

    def test_its_own_length_is_the_capacity(self, bench, e):
        """firmware: a buffer of ten takes ten, again and again."""
        data = [None, bytearray(10)]
        for length in (10, 2, 10):
            bench.link.inject(bytes(length))
            assert e.recvinto(data) == length
        bench.link.inject(bytes(11))
        with pytest.raises(ValueError, match=r"^ESPNow.recv\(\): buffer error$"):
            e.recvinto(data)

    def test_message_that_does_not_fit_empties_the_ring(self, bench, e):
        """firmware."""
        for text in ("too long", "x", "y"):
            bench.link.inject(text)
        buffer = bytearray(b"abc")
        with pytest.raises(ValueError, match=r"^ESPNow.recv\(\): buffer error$"):
            e.recvinto([None, buffer])
        assert buffer == b"abc"
        assert not e.any()
        bench.link.inject(bytes(250))
        bench.link.inject(bytes(250))
        assert e.stats()[3:] == (5, 0)

    def test_timeout_gives_0_and_changes_nothing(self, e):
        """document: recvinto."""
        data = ["mac", bytearray(b"abc"), 1, 2]
        assert e.recvinto(data, 10) == 0
        assert data == ["mac", b"abc", 1, 2]

    def test_first_becomes_the_key_of_the_table(self, bench, e):
        """document: recvinto, on an ESP32."""
        bench.link.inject("x")
        data = [bytearray(6), bytearray(250)]
        e.recvinto(data)
        (key,) = e.peers_table
        assert data[0] is key

    def test_four_elements_take_rssi_and_time(self, bench, e):
        """document: recvinto, on an ESP32."""
        time = bench.module("time")
        bench.link.inject("x", rssi_dbm=-71)
        at_ms = time.ticks_ms()
        bench.advance(50)
        data = [None, bytearray(250), None, None]
        assert e.recvinto(data) == 1
        assert data[2:] == [-71, at_ms]

    @pytest.mark.parametrize("length", [2, 3])
    def test_shorter_lists_do_not(self, bench, e, length):
        """document: recvinto, at least four."""
        data = [None, bytearray(250), "kept"][:length]
        bench.link.inject("x")
        assert e.recvinto(data) == 1
        assert data[2:] == ["kept"][: length - 2]

    def test_longer_lists_keep_the_rest(self, bench, e):
        """document: recvinto."""
        data = [None, bytearray(250), None, None, "kept"]
        bench.link.inject("x", rssi_dbm=-20)
        e.recvinto(data)
        assert data[2] == -20
        assert data[4] == "kept"

    @pytest.mark.parametrize("data", [(None, bytearray(250)), None, bytearray(250), {0: 1}, "ab"])
    def test_must_be_a_list(self, bench, e, data):
        """firmware."""
        bench.link.inject("x")
        with pytest.raises(TypeError):
            e.recvinto(data, 0)
        assert e.any()

    @pytest.mark.parametrize("data", [[], [bytearray(250)]])
    def test_of_two_at_least(self, bench, e, data):
        """document: recvinto; firmware: ValueError."""
        bench.link.inject("x")
        with pytest.raises(ValueError):
            e.recvinto(data, 0)
        assert e.any()

    @pytest.mark.parametrize("buffer", [None, "text", bytes(250), memoryview(bytes(250)), 5, [0] * 250])
    def test_second_must_be_a_writable_buffer(self, bench, e, buffer):
        """firmware."""
        bench.link.inject("x")
        with pytest.raises(TypeError):
            e.recvinto([None, buffer], 0)
        assert e.any()

    def test_view_is_filled_and_never_cut(self, bench, e):
        """firmware."""
        below = bytearray(b"." * 250)
        view = memoryview(below)
        data = [None, view]
        bench.link.inject("hello")
        assert e.recvinto(data) == 5
        assert data[1] is view
        assert len(view) == 250
        assert below == b"hello" + b"." * 245

    def test_part_of_a_buffer(self, bench, e):
        """firmware: a view of a part keeps the message in that part."""
        below = bytearray(b"." * 20)
        bench.link.inject("hello")
        assert e.recvinto([None, memoryview(below)[5:15]]) == 5
        assert below == b"....." + b"hello" + b"." * 10
        bench.link.inject(bytes(11))
        with pytest.raises(ValueError, match="buffer error"):
            e.recvinto([None, memoryview(below)[5:15]])

    def test_array_is_a_buffer_too(self, bench, e):
        """firmware."""
        buffer = array.array("B", bytes(250))
        bench.link.inject("hello")
        assert e.recvinto([None, buffer]) == 5
        assert buffer[:6].tobytes() == b"hello\0"
        assert len(buffer) == 250

    def test_bytearray_with_a_view_is_filled_and_keeps_its_length(self, bench, e):
        """ours: CPython cannot cut it."""
        buffer = bytearray(250)
        view = memoryview(buffer)
        data = [None, buffer]
        for text in ("hello", "longer than that", "x"):
            bench.link.inject(text)
            assert e.recvinto(data) == len(text)
            assert bytes(view[: len(text)]) == text.encode()
            assert len(buffer) == 250

    def test_view_on_a_cut_bytearray_limits_it(self, bench, e):
        """ours: it cannot grow again, which is a message that does not fit."""
        buffer = bytearray(250)
        data = [None, buffer]
        bench.link.inject("hello")
        e.recvinto(data)
        view = memoryview(buffer)
        bench.link.inject("bye")
        assert e.recvinto(data) == 3
        assert bytes(view) == b"byelo"
        bench.link.inject("longer than five")
        with pytest.raises(ValueError, match="buffer error"):
            e.recvinto(data)
        view.release()
        bench.link.inject("longer than five")
        assert e.recvinto(data) == 16

    def test_buffer_that_the_program_replaced_has_its_new_length(self, bench, e):
        """ours."""
        data = [None, bytearray(250)]
        bench.link.inject("hello")
        e.recvinto(data)
        data[1] = bytearray(3)
        bench.link.inject("hello")
        with pytest.raises(ValueError, match="buffer error"):
            e.recvinto(data)

    def test_timeout_is_positional(self, e):
        """firmware."""
        with pytest.raises(TypeError):
            e.recvinto([None, bytearray(250)], timeout_ms=0)


class TestIteration:
    def test_yields_messages_and_at_the_timeout_none(self, bench, e):
        """document: irecv, iterating; firmware: it never ends."""
        e.config(timeout_ms=20)
        bench.link.inject("one")
        bench.link.inject("two", after_ms=50)
        found = []
        for mac, msg in e:
            found.append((mac, msg and bytes(msg)))
            if len(found) == 5:
                break
        none = (None, None)
        assert found == [(PEER, b"one"), none, none, (PEER, b"two"), none]

    def test_uses_irecv(self, bench, e):
        """document: irecv, iterating."""
        bench.link.inject("one")
        found = next(e)
        assert type(found[1]) is bytearray
        bench.link.inject("two")
        assert next(e) is found

    def test_the_object_is_its_own_iterator(self, e):
        """firmware."""
        assert iter(e) is e


class TestAny:
    def test_tells_whether_a_message_waits(self, bench, e):
        """document: any."""
        assert e.any() is False
        bench.link.inject("x")
        assert e.any() is True
        assert e.any() is True
        e.recv()
        assert e.any() is False

    def test_lets_time_pass_in_a_loop(self, bench, e):
        """ours: a loop that only asks must end."""
        bench.link.inject("x", after_ms=2)
        bench.run("import espnow\ne = espnow.ESPNow()\nwhile not e.any():\n    pass\n")
        assert e.any()


class TestRing:
    @pytest.mark.parametrize(("profile", "size"), [("esp32", 250), ("esp32-v2", 1470), ("esp8266", 250)])
    def test_default_holds_two_messages_of_full_size(self, profile, size):
        """document: config, rxbuf."""
        bench = Bench(profile)
        e = bench.start()
        for first in b"abc":
            bench.link.inject(bytes([first]) * size, version=2 if size > 250 else 1)
        assert [e.recv(0)[1] for _ in range(2)] == [b"a" * size, b"b" * size]
        assert e.recv(0) == (None, None)

    @pytest.mark.parametrize(("profile", "overhead"), [("esp32", 13), ("esp32-v2", 14), ("esp8266", 8)])
    @pytest.mark.parametrize("length", [1, 10, 200])
    def test_overhead_of_a_message(self, profile, overhead, length):
        """document: config, rxbuf: address, count, signal and overhead; firmware: the numbers."""
        for spare, fits in ((0, 3), (-1, 2)):
            bench = Bench(profile)
            e = bench.espnow.ESPNow()
            e.config(rxbuf=3 * (length + overhead) + spare)
            bench.start()
            for _ in range(4):
                bench.link.inject(bytes(length))
            count = 0
            while e.recv(0)[0] is not None:
                count += 1
            assert count == fits

    def test_smaller_one_fits_where_a_larger_did_not(self, bench, e):
        """firmware."""
        bench.link.inject(bytes(250))
        bench.link.inject(bytes(249))
        bench.link.inject(bytes(2))
        bench.link.inject(bytes(1))
        assert e.stats()[3:] == (2, 2)

    def test_reading_makes_room(self, bench, e):
        """firmware: exactly as much as the message took."""
        for _ in range(100):
            bench.link.inject(bytes(250))
            bench.link.inject(bytes(250))
            e.recv(0)
            e.irecv(0)
        assert e.stats()[3:] == (200, 0)

    def test_dropped_message_runs_no_callback(self, bench, e):
        """firmware: a callback for each message that enters the ring."""
        calls = []
        for _ in range(2):
            bench.link.inject(bytes(250))
        e.irq(calls.append)
        bench.link.inject(bytes(250))
        bench.advance(1)
        assert calls == []


class TestEmptyMessage:
    """firmware: a message of no bytes is a message for any(), and nothing for the others."""

    def test_recv(self, bench, e, receive):
        empty_message(bench)
        assert e.any() is True
        assert nothing(receive(e, 0))
        assert e.any() is False

    def test_next_message_is_not_lost(self, bench, e, receive):
        empty_message(bench)
        bench.link.inject("x")
        assert nothing(receive(e, 1000))
        assert not nothing(receive(e, 0))

    def test_was_read(self, bench, e, receive):
        """document: the table changes when a message is read."""
        empty_message(bench)
        assert e.peers_table == {}
        receive(e, 0)
        assert list(e.peers_table) == [PEER]

    def test_counts_as_received(self, bench, e):
        empty_message(bench)
        assert e.stats()[3:] == (1, 0)


class TestDuplicates:
    def test_retry_of_the_last_message_is_dropped(self, bench, e):
        """firmware."""
        bench.link.inject("one", random_value=5)
        bench.link.inject("one", random_value=5, retry=True)
        assert e.recv(0)[1] == b"one"
        assert not e.any()

    def test_without_the_retry_bit_it_is_a_message(self, bench, e):
        """firmware."""
        bench.link.inject("one", random_value=5)
        bench.link.inject("one", random_value=5)
        assert (e.recv(0)[1], e.recv(0)[1]) == (b"one", b"one")

    def test_retry_whose_first_try_was_not_heard_is_a_message(self, bench, e):
        """firmware."""
        bench.link.inject("one", random_value=5)
        bench.link.inject("two", random_value=6, retry=True)
        assert (e.recv(0)[1], e.recv(0)[1]) == (b"one", b"two")

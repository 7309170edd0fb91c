"""ESPNow.irq: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

PEER = b"\x24\x0a\xc4\x00\x00\x01"

ARMED = """
import espnow, time
e = espnow.ESPNow()
seen = []
def on_message(obj):
    assert obj is e
    while True:
        mac, msg = obj.irecv(0)
        if mac is None:
            return
        seen.append((time.ticks_ms(), bytes(msg)))
e.irq(on_message)
"""


def test_gets_the_object(bench, e):
    """document: irq."""
    calls = []
    assert e.irq(lambda *args: calls.append(args)) is None
    bench.link.inject("x")
    bench.advance(1)
    assert calls == [(e,)]


def test_once_a_message(bench, e):
    """document: irq."""
    calls = []
    e.irq(calls.append)
    for text in ("one", "two", "three"):
        bench.link.inject(text)
    bench.advance(1)
    assert calls == [e] * 3
    assert e.recv(0)[1] == b"one"


def test_message_that_came_before_does_not_call(bench, e):
    """firmware: only an arrival calls."""
    calls = []
    bench.link.inject("x")
    e.irq(calls.append)
    bench.advance(1)
    assert calls == []


def test_own_sends_do_not_call(bench, e):
    """document: irq, messages from others."""
    calls = []
    e.add_peer(PEER)
    e.irq(calls.append)
    e.send(PEER, b"x")
    bench.advance(1)
    assert calls == []


def test_none_disarms(bench, e):
    """firmware."""
    calls = []
    e.irq(calls.append)
    e.irq(None)
    bench.link.inject("x")
    bench.advance(1)
    assert calls == []
    assert e.any()


def test_another_replaces_it(bench, e):
    """firmware."""
    first, second = [], []
    e.irq(first.append)
    e.irq(second.append)
    bench.link.inject("x")
    bench.advance(1)
    assert (first, second) == ([], [e])


@pytest.mark.parametrize("callback", [5, "f", b"", 0, False, [], {}])
def test_what_cannot_be_called(e, callback):
    """firmware."""
    with pytest.raises(ValueError, match=r"^invalid handler$"):
        e.irq(callback)


def test_refused_one_leaves_the_old(bench, e):
    """firmware."""
    calls = []
    e.irq(calls.append)
    with pytest.raises(ValueError):
        e.irq(5)
    bench.link.inject("x")
    bench.advance(1)
    assert calls == [e]


def test_argument_is_needed_and_positional(e):
    """document: irq."""
    with pytest.raises(TypeError):
        e.irq()
    with pytest.raises(TypeError):
        e.irq(callback=print)


def test_can_be_armed_before_switching_on(bench):
    """firmware."""
    calls = []
    bench.espnow.ESPNow().irq(calls.append)
    e = bench.start()
    bench.link.inject("x")
    bench.advance(1)
    assert calls == [e]


def test_may_disarm_itself(bench, e):
    """firmware: a call that is queued still comes."""
    calls = []

    def once(obj):
        calls.append(obj)
        obj.irq(None)

    e.irq(once)
    bench.link.inject("x")
    bench.advance(1)
    bench.link.inject("y")
    bench.advance(1)
    assert calls == [e]


class TestWhen:
    """document: as soon as possible; firmware: between the script's steps, and inside what waits."""

    def check(self, bench, names, begin_ms, late_ms=1):
        ((at_ms, text),) = names["seen"]
        assert text == b"x"
        assert begin_ms + 20 <= at_ms <= begin_ms + 20 + late_ms

    @pytest.mark.parametrize(
        "waiting",
        [
            "while not seen:\n    pass\n",
            "n = 0\nwhile not seen:\n    n += 1\n",
            "for _ in iter(lambda: bool(seen), True):\n    pass\n",
            "def f():\n    return len(seen)\nwhile not f():\n    pass\n",
            "time.sleep_ms(50)\n",
            "time.sleep(0.05)\n",
            "e.recv(50)\n",
            "e.irecv(50)\n",
            "e.recvinto([None, bytearray(250)], 50)\n",
            "while not seen:\n    time.ticks_ms()\n",
            "while not seen:\n    e.any()\n",
            "while not seen:\n    e.stats()\n",
            "import select\np = select.poll()\np.register(e, select.POLLOUT * 0)\np.poll(50)\n",
            "import asyncio\nasyncio.run(asyncio.sleep_ms(50))\n",
        ],
        ids=[
            "pass",
            "count",
            "for",
            "function",
            "sleep_ms",
            "sleep",
            "recv",
            "irecv",
            "recvinto",
            "ticks",
            "any",
            "stats",
            "poll",
            "asyncio",
        ],
    )
    def test_while_the_script(self, bench, e, waiting):
        begin_ms = bench.clock.now_us // 1000
        bench.link.inject("x", after_ms=20)
        self.check(bench, bench.run(ARMED + waiting), begin_ms)

    def test_while_it_sends(self, bench, e):
        e.add_peer(PEER)
        bench.link.answer_after_us = 60_000
        begin_ms = bench.clock.now_us // 1000
        bench.link.inject("x", after_ms=20)
        names = bench.run(ARMED + f"result = e.send({PEER!r}, b'ping')\n")
        self.check(bench, names, begin_ms)
        assert names["result"] is True

    def test_sleep_is_as_long_as_without(self, bench, e):
        """ours: a callback does not cut a sleep short."""
        begin_us = bench.clock.now_us
        bench.link.inject("x", after_ms=20)
        bench.run(ARMED + "time.sleep_ms(50)\n")
        assert 50_000 <= bench.clock.now_us - begin_us < 51_000

    def test_recv_goes_on_when_the_callback_took_its_message(self, bench, e):
        """firmware: callback and script share one ring."""
        begin_us = bench.clock.now_us
        bench.link.inject("x", after_ms=20)
        names = bench.run(ARMED + "found = e.recv(50)\n")
        assert names["found"] == (None, None)
        assert len(names["seen"]) == 1
        assert bench.clock.now_us - begin_us >= 50_000

    def test_recv_gets_what_the_callback_left(self, bench, e):
        """firmware."""
        calls = []
        e.irq(calls.append)
        bench.link.inject("x", after_ms=20)
        assert e.recv(50) == [PEER, b"x"]
        assert calls == [e]


class TestQueue:
    def test_holds_eight(self, bench, e):
        """document: irq, callbacks can be missed; firmware: eight wait, what is more is lost without a word."""
        calls = []
        e.irq(calls.append)
        for number in range(12):
            bench.link.inject(str(number))
        bench.advance(1)
        assert len(calls) == 8
        assert bench.output == ""
        assert [e.recv(0)[1] for _ in range(12)] == [str(number).encode() for number in range(12)]

    def test_has_room_again_afterwards(self, bench, e):
        """firmware."""
        calls = []
        e.irq(calls.append)
        for _ in range(2):
            for _ in range(10):
                bench.link.inject("x")
            bench.advance(1)
        assert len(calls) == 16

    def test_is_shared_with_schedule(self, bench, e):
        """document: irq, others exercise the same stack; firmware: of eight."""
        micropython = bench.module("micropython")
        calls, others = [], []
        e.irq(calls.append)
        for number in range(6):
            micropython.schedule(others.append, number)
        for _ in range(4):
            bench.link.inject("x")
        with pytest.raises(RuntimeError):
            micropython.schedule(others.append, 6)
        bench.advance(1)
        assert (len(calls), others) == (2, [0, 1, 2, 3, 4, 5])
        assert e.stats()[3] == 4


class TestInside:
    def test_is_not_interrupted_by_itself(self, bench, e):
        """firmware."""
        depths, depth = [], 0

        def callback(obj):
            nonlocal depth
            depth += 1
            depths.append(depth)
            if len(depths) == 1:
                bench.link.inject("second", after_ms=5)
                bench.module("time").sleep_ms(20)
            depth -= 1

        e.irq(callback)
        bench.link.inject("first")
        bench.advance(1)
        assert depths == [1, 1]

    def test_can_wait_for_another_message(self, bench, e):
        """firmware: its own recv works."""
        seen = []

        def callback(obj):
            seen.append(obj.recv(0)[1])
            if len(seen) == 1:
                bench.link.inject("two", after_ms=5)
                seen.append(obj.recv(100)[1])
                obj.irq(None)

        e.irq(callback)
        bench.link.inject("one")
        bench.module("time").sleep_ms(50)
        assert seen[:2] == [b"one", b"two"]

    def test_can_send(self, bench, e):
        """firmware."""
        results = []
        e.add_peer(PEER)
        e.irq(lambda obj: results.append(obj.send(obj.recv(0)[0], b"echo")))
        bench.link.inject("x", after_ms=5)
        bench.module("time").sleep_ms(50)
        assert results == [True]
        assert bench.link.messages == [(PEER, b"echo")]

    def test_can_send_while_the_script_sends(self, bench, e):
        """firmware."""
        results = []
        e.add_peer(PEER)
        bench.link.answer_after_us = 10_000
        e.irq(lambda obj: results.append(obj.send(PEER, b"echo")))
        bench.link.inject("x", after_ms=5)
        assert e.send(PEER, b"own") is True
        assert results == [True]
        assert bench.link.messages == [(PEER, b"own"), (PEER, b"echo")]

    @pytest.mark.parametrize("raising", ["1 / 0", "raise ValueError('boo')", "obj.nothing", "obj.send(b'short', b'')"])
    def test_exception_is_printed_and_not_raised(self, bench, e, raising):
        """firmware."""
        source = f"""
import espnow, time
e = espnow.ESPNow()
calls = 0
def on_message(obj):
    global calls
    calls += 1
    {raising}
e.irq(on_message)
time.sleep_ms(50)
after = True
"""
        bench.link.inject("one", after_ms=5)
        bench.link.inject("two", after_ms=10)
        names = bench.run(source)
        assert (names["after"], names["calls"]) == (True, 2)
        assert bench.output.count("Traceback (most recent call last)") == 2
        assert 'File "<program>", line 8, in on_message' in bench.output
        assert "espnow/api" not in bench.output
        assert e.any()

    def test_wrong_number_of_arguments_is_printed(self, bench, e):
        """firmware."""
        e.irq(lambda: None)
        bench.link.inject("x")
        bench.advance(1)
        assert "TypeError" in bench.output

"""aioespnow: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

from espnow.testing import WaitsForever

PEER = b"\x24\x0a\xc4\x00\x00\x01"
OTHER = b"\x24\x0a\xc4\x00\x00\x02"


@pytest.fixture
def aio(bench):
    return bench.module("asyncio")


@pytest.fixture
def a(bench):
    """The AIOESPNow object of `bench`, active, with one peer."""
    bench.start()
    a = bench.aioespnow.AIOESPNow()
    a.add_peer(PEER)
    return a


async def _first(iterable):
    """Yield what an asynchronous iterable yields first."""
    async for found in iterable:
        yield found
        break


READERS = {"arecv": lambda a: a.arecv(), "airecv": lambda a: a.airecv(), "anext": lambda a: a.__anext__()}


@pytest.fixture(params=READERS)
def read(request):
    return READERS[request.param]


class TestReading:
    def test_gives_what_waits(self, bench, a, aio, read):
        """document: arecv, airecv."""
        bench.link.inject("x")
        begin_us = bench.clock.now_us
        assert aio.run(read(a)) == [PEER, b"x"]
        assert bench.clock.now_us - begin_us < 1000

    def test_waits_for_it_while_others_go_on(self, bench, a, aio, read):
        """document: arecv, airecv."""
        steps = []

        async def other():
            for _ in range(3):
                await aio.sleep_ms(10)
                steps.append(bench.clock.now_us)

        async def main():
            task = aio.create_task(other())
            found = await read(a)
            await task
            return bytes(found[1]), len(steps)

        bench.link.inject("x", after_ms=25)
        assert aio.run(main()) == (b"x", 3)

    def test_time_is_that_of_the_arrival(self, bench, a, aio, read):
        """document: arecv, airecv."""
        begin_us = bench.clock.now_us
        bench.link.inject("x", after_ms=25)
        aio.run(read(a))
        assert 25_000 <= bench.clock.now_us - begin_us < 25_500

    def test_does_not_know_the_default_timeout(self, bench, a, aio, read):
        """document: arecv and airecv have no timeout."""
        a.config(timeout_ms=10)
        bench.link.inject("x", after_ms=5000)
        assert aio.run(read(a))[1] == b"x"
        with pytest.raises(WaitsForever):
            aio.run(read(a))

    @pytest.mark.parametrize("name", ["arecv", "airecv"])
    def test_takes_no_timeout(self, a, name):
        """document: arecv, airecv."""
        with pytest.raises(TypeError):
            getattr(a, name)(10)

    def test_arecv_is_fresh(self, bench, a, aio):
        """document: arecv."""
        for text in ("one", "two"):
            bench.link.inject(text)
        first, second = aio.run(a.arecv()), aio.run(a.arecv())
        assert first is not second
        assert (type(first), type(first[1])) == (list, bytes)

    def test_airecv_is_not(self, bench, a, aio):
        """document: airecv."""
        for text in ("one", "two"):
            bench.link.inject(text)
        first, second = aio.run(a.airecv()), aio.run(a.airecv())
        assert first is second
        assert type(first[1]) is bytearray
        assert first[1] == b"two"

    def test_when_not_initialised(self, bench, aio, code_of, read):
        """document: recv."""
        a = bench.aioespnow.AIOESPNow()
        assert code_of(lambda: aio.run(read(a))) == "NOT_INIT"

    def test_when_switched_off_meanwhile(self, bench, a, aio, code_of, read):
        """ours: it does not wait for what cannot come."""

        async def main():
            task = aio.create_task(read(a))
            await aio.sleep_ms(5)
            a.active(False)
            await task

        assert code_of(lambda: aio.run(main())) == "NOT_INIT"

    def test_goes_on_when_switched_off_and_on_meanwhile(self, bench, a, aio, read):
        """ours: as a program does that wants another buffer."""

        async def main():
            task = aio.create_task(read(a))
            await aio.sleep_ms(5)
            a.active(False)
            a.active(True)
            await aio.sleep_ms(5)
            bench.link.inject("x")
            return bytes((await task)[1])

        assert aio.run(main()) == b"x"

    def test_empty_queue_after_a_blocking_recv_took_the_message(self, bench, a, aio):
        """ours: the reader goes on waiting."""

        async def main():
            task = aio.create_task(a.arecv())
            await aio.sleep_ms(1)
            bench.link.inject("for the other", after_ms=5)
            assert a.recv(100)[1] == b"for the other"
            bench.link.inject("for the task", after_ms=5)
            return await task

        assert aio.run(main()) == [PEER, b"for the task"]


class TestIteration:
    def test_async_for(self, bench, a, aio):
        """document: async for."""

        async def main():
            found = []
            async for mac, msg in a:
                found.append((mac, bytes(msg)))
                if msg == b"halt":
                    break
            return found

        for number, text in enumerate(("one", "two", "halt", "more")):
            bench.link.inject(text, after_ms=number * 10 + 1)
        assert aio.run(main()) == [(PEER, b"one"), (PEER, b"two"), (PEER, b"halt")]
        assert aio.run(a.arecv())[1] == b"more"

    def test_yields_no_timeouts(self, bench, a, aio):
        """document: async for reads with airecv."""
        a.config(timeout_ms=1)

        async def main():
            return [mac async for mac, _ in _first(a)]

        bench.link.inject("x", after_ms=1000)
        assert aio.run(main()) == [PEER]


class TestTwoReaders:
    def test_are_served_in_order(self, bench, a, aio):
        """ours: the firmware forgets the first."""
        served = []

        async def reader(name):
            served.append((name, (await a.arecv())[1]))

        async def main():
            await aio.gather(*(reader(name) for name in "abc"))

        for number in range(3):
            bench.link.inject(str(number), after_ms=10 * number + 5)
        aio.run(main())
        assert served == [("a", b"0"), ("b", b"1"), ("c", b"2")]

    def test_are_both_served_by_a_burst(self, bench, a, aio):
        """ours."""
        served = []

        async def reader(name):
            served.append((name, (await a.arecv())[1]))

        async def main():
            tasks = [aio.create_task(reader(name)) for name in "abc"]
            await aio.sleep_ms(5)
            for number in range(3):
                bench.link.inject(str(number))
            await aio.gather(*tasks)

        aio.run(main())
        assert served == [("a", b"0"), ("b", b"1"), ("c", b"2")]

    def test_newcomer_waits_behind_those_who_wait(self, bench, a, aio):
        """ours."""
        served = []

        async def reader(name):
            served.append((name, (await a.arecv())[1]))

        async def main():
            first = aio.create_task(reader("first"))
            await aio.sleep_ms(5)
            bench.link.inject("0")
            bench.link.inject("1")
            await reader("second")
            await first

        aio.run(main())
        assert served == [("first", b"0"), ("second", b"1")]


class TestCancelling:
    def test_loses_nothing(self, bench, a, aio, read):
        """ours: as in the firmware, a cancelled reader takes no message."""

        async def main():
            task = aio.create_task(read(a))
            await aio.sleep_ms(5)
            task.cancel()
            with pytest.raises(aio.CancelledError):
                await task
            bench.link.inject("x")
            return bytes((await read(a))[1])

        assert aio.run(main()) == b"x"

    def test_at_the_instant_of_the_arrival(self, bench, a, aio, read):
        """ours."""

        async def main():
            task = aio.create_task(read(a))
            await aio.sleep_ms(5)
            bench.link.inject("x")
            task.cancel()
            with pytest.raises(aio.CancelledError):
                await task
            return bytes((await read(a))[1])

        assert aio.run(main()) == b"x"

    def test_passes_the_turn_on(self, bench, a, aio):
        """ours."""

        async def main():
            first = aio.create_task(a.arecv())
            second = aio.create_task(a.arecv())
            await aio.sleep_ms(5)
            bench.link.inject("x")
            first.cancel()
            return await aio.wait_for(second, 1)

        assert aio.run(main()) == [PEER, b"x"]

    @pytest.mark.parametrize("wait_for", [("wait_for", 0.02), ("wait_for_ms", 20)])
    def test_by_a_timeout(self, bench, a, aio, read, wait_for):
        """ours: how programs give arecv a timeout."""
        name, timeout = wait_for

        async def main():
            begin_us = bench.clock.now_us
            with pytest.raises(aio.TimeoutError):
                await getattr(aio, name)(read(a), timeout)
            assert 20_000 <= bench.clock.now_us - begin_us < 20_500
            bench.link.inject("x", after_ms=5)
            return bytes((await getattr(aio, name)(read(a), timeout))[1])

        assert aio.run(main()) == b"x"

    def test_reader_of_a_run_that_ended_is_not_served(self, bench, a, aio):
        """ours: a task that was left behind does not swallow another's message for ever."""

        async def leave():
            aio.create_task(a.arecv()).cancel()

        aio.run(leave())
        bench.link.inject("x", after_ms=5)
        assert aio.run(a.arecv()) == [PEER, b"x"]


class TestSending:
    def test_returns_what_send_returns(self, bench, a, aio):
        """document: asend."""
        assert aio.run(a.asend(PEER, b"x")) is True
        bench.link.refuse()
        assert aio.run(a.asend(PEER, b"x")) is False
        assert aio.run(a.asend(PEER, b"x", False)) is True
        assert aio.run(a.asend(PEER, "x", sync=False)) is True
        assert aio.run(a.asend(PEER, b"x", None)) is False

    def test_by_keyword(self, bench, a, aio):
        """document: asend's parameters have names."""
        assert aio.run(a.asend(mac=PEER, msg=b"x", sync=True)) is True
        assert bench.link.messages == [(PEER, b"x")]

    @pytest.mark.parametrize("args", [(b"all",), (None, b"all")])
    def test_to_all(self, bench, a, aio, args):
        """document: asend."""
        a.add_peer(OTHER)
        assert aio.run(a.asend(*args)) is True
        assert bench.link.messages == [(PEER, b"all"), (OTHER, b"all")]

    def test_waits_until_no_answer_is_pending(self, bench, a, aio):
        """firmware."""
        bench.link.answer_after_us = 30_000
        a.send(PEER, b"one", False)
        steps = []

        async def other():
            for _ in range(2):
                await aio.sleep_ms(10)
                steps.append(len(bench.link.frames))

        async def main():
            task = aio.create_task(other())
            await a.asend(PEER, b"two")
            await task

        aio.run(main())
        assert steps == [1, 1]
        assert len(bench.link.frames) == 2

    def test_many_at_once_go_in_order(self, bench, a, aio):
        """ours."""

        async def main():
            return await aio.gather(*(a.asend(PEER, str(number), number % 2 == 0) for number in range(6)))

        assert aio.run(main()) == [True] * 6
        assert [message for _, message in bench.link.messages] == [str(number).encode() for number in range(6)]

    @pytest.mark.parametrize(
        ("args", "code"), [((OTHER, b"x"), "NOT_FOUND"), ((PEER, b""), "ARG"), ((PEER, bytes(251)), "ARG")]
    )
    def test_refusals_are_those_of_send(self, a, aio, code_of, args, code):
        """document: asend."""
        assert code_of(lambda: aio.run(a.asend(*args))) == code

    def test_when_not_initialised(self, bench, aio, code_of):
        """document: send."""
        a = bench.aioespnow.AIOESPNow()
        assert code_of(lambda: aio.run(a.asend(PEER, b"x"))) == "NOT_INIT"

    def test_cancelled_while_it_waits_sends_nothing(self, bench, a, aio):
        """ours."""
        bench.link.withhold()
        a.send(PEER, b"one", False)

        async def main():
            with pytest.raises(aio.TimeoutError):
                await aio.wait_for_ms(a.asend(PEER, b"two"), 20)
            bench.link.acknowledge()
            return await a.asend(PEER, b"three")

        assert aio.run(main()) is True
        assert [message for _, message in bench.link.messages] == [b"one", b"three"]


class TestTogether:
    def test_blocking_calls_work_inside_a_coroutine(self, bench, a, aio):
        """ours."""

        async def main():
            bench.link.inject("x", after_ms=10)
            return a.recv(100), a.send(PEER, b"y"), a.recv(0)

        assert aio.run(main()) == ([PEER, b"x"], True, (None, None))

    def test_callbacks_run_inside_the_loop(self, bench, a, aio):
        """document: irq."""
        calls = []
        a.irq(calls.append)
        bench.link.inject("x", after_ms=10)
        aio.run(aio.sleep_ms(20))
        assert calls == [a]

    def test_callback_may_set_a_flag_for_a_task(self, bench, a, aio):
        """ours: how programs join callbacks and tasks."""

        async def main():
            flag = aio.ThreadSafeFlag()
            a.irq(lambda _: flag.set())
            bench.link.inject("x", after_ms=10)
            await flag.wait()
            return a.recv(0)

        assert aio.run(main()) == [PEER, b"x"]

    def test_methods_of_the_plain_object(self, bench, a):
        """document: AIOESPNow inherits all."""
        bench.link.inject("x")
        assert a.recv(0) == [PEER, b"x"]
        assert a.send(PEER, b"y") is True

    def test_soft_reset_makes_a_new_one(self, bench, a, aio):
        """firmware."""
        bench.soft_reset()
        fresh = bench.aioespnow.AIOESPNow()
        assert fresh is not a
        assert fresh.active() is False
        fresh.active(True)
        bench.link.inject("x", after_ms=5)
        assert bench.module("asyncio").run(fresh.arecv()) == [PEER, b"x"]


class TestDropped:
    """Ours: tasks that new_event_loop dropped take nothing."""

    def test_a_dropped_reader_does_not_take_the_message_of_a_new_one(self, bench, a, aio, read):
        taken = []

        async def reader():
            while True:
                taken.append(await read(a))

        async def first():
            aio.create_task(reader())
            await aio.sleep_ms(1)

        async def second():
            return [bytes((await read(a))[1]) for _ in range(3)]

        aio.run(first())
        aio.new_event_loop()
        for number in range(3):
            bench.link.inject(str(number), after_ms=number + 1)
        assert aio.run(second()) == [b"0", b"1", b"2"]
        assert taken == []
        assert bench.board.watchers == []

    def test_a_dropped_sender_does_not_hold_a_new_one_up(self, bench, a, aio):
        bench.link.withhold()
        a.send(PEER, b"unanswered", False)

        async def first():
            aio.create_task(a.asend(PEER, b"dropped"))
            await aio.sleep_ms(1)

        aio.run(first())
        aio.new_event_loop()
        bench.clock.call_at(bench.clock.now_us + 10_000, bench.link.acknowledge)
        assert aio.run(a.asend(PEER, b"new"))
        assert [message for _, message in bench.link.messages] == [b"unanswered", b"new"]

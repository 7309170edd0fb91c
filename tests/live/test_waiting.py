"""Waiting otherwise than in recv: `select`, `poll`, `epoll`, `selectors` by descriptor, and asyncio without threads."""

import asyncio
import select
import selectors
import threading

import pytest

import espnow
from espnow import live
from espnow.errors import EspNowCode
from espnow.live.descriptor import Descriptor

from .conftest import LIMIT_S, until

READ, WRITE = select.POLLIN, select.POLLOUT


def ready_by_select(thing, timeout_s):
    readable, writable, _ = select.select([thing], [thing], [], timeout_s)
    return bool(readable), bool(writable)


def ready_by_poll(thing, timeout_s):
    poll = select.poll()
    poll.register(thing, READ | WRITE)
    found = dict(poll.poll(timeout_s * 1000))
    events = found.get(thing.fileno(), 0)
    return bool(events & READ), bool(events & WRITE)


def ready_by_epoll(thing, timeout_s):
    with select.epoll() as epoll:
        epoll.register(thing, select.EPOLLIN | select.EPOLLOUT)
        events = dict(epoll.poll(timeout_s)).get(thing.fileno(), 0)
    return bool(events & select.EPOLLIN), bool(events & select.EPOLLOUT)


def ready_by_selectors(thing, timeout_s):
    with selectors.DefaultSelector() as selector:
        selector.register(thing, selectors.EVENT_READ | selectors.EVENT_WRITE)
        events = sum(mask for _, mask in selector.select(timeout_s))
    return bool(events & selectors.EVENT_READ), bool(events & selectors.EVENT_WRITE)


@pytest.fixture(params=[ready_by_select, ready_by_poll, ready_by_epoll, ready_by_selectors])
def ready(request):
    return request.param


@pytest.fixture
def held(own, monkeypatch):
    """The frames that the board sends from now on, which nobody answers until the test says so."""
    tokens = []
    monkeypatch.setattr(own.board.link, "transmit", lambda mpdu, token: tokens.append(token), raising=False)
    return tokens


def answer(own, tokens):
    from espnow.link import Outcome

    with own.board.lock:
        while tokens:
            own.board.outcome(tokens.pop(0), Outcome.ACKNOWLEDGED, 1, own.board.clock.now_us)


def test_readable_while_a_message_waits(own, peer, ready):
    assert ready(own.e, 0) == (False, True)
    peer.send(own.mac, b"one")
    peer.send(own.mac, b"two")
    assert ready(own.e, 0) == (True, True)
    own.e.recv(0)
    assert ready(own.e, 0) == (True, True)
    own.e.recv(0)
    assert ready(own.e, 0) == (False, True)


def test_writable_while_no_answer_is_pending(own, held, ready):
    assert ready(own.e, 0) == (False, True)
    own.e.send(own.b, b"x", False)
    own.e.send(own.b, b"x", False)
    assert ready(own.e, 0) == (False, False)
    answer(own, held[:1])
    assert ready(own.e, 0) == (False, False)
    answer(own, held[1:])
    assert ready(own.e, 0) == (False, True)


def test_neither_while_inactive(own, peer, ready):
    peer.send(own.mac)
    assert ready(own.e, 0) == (True, True)
    own.e.active(False)
    assert ready(own.e, 0) == (False, False)
    own.e.active(True)
    assert ready(own.e, 0) == (False, True)


def test_wakes_who_waits(own, peer, ready):
    sender = threading.Timer(0.05, peer.send, (own.mac,))
    sender.start()
    with selectors.DefaultSelector() as selector:
        selector.register(own.e, selectors.EVENT_READ)
        assert [key.fileobj for key, _ in selector.select(LIMIT_S)] == [own.e]
    sender.join()
    assert ready(own.e, LIMIT_S) == (True, True)


def test_a_reader_in_another_thread_takes_readiness_away(own, peer, ready):
    peer.send(own.mac)
    assert ready(own.e, 0) == (True, True)
    thread = threading.Thread(target=own.e.recv)
    thread.start()
    thread.join()
    assert ready(own.e, 0) == (False, True)


def test_a_callback_that_reads_takes_readiness_away(own, peer):
    own.e.fileno()
    got = []
    own.e.irq(lambda e: got.append(e.recv(0)))
    peer.send(own.mac)
    until(lambda: got)
    assert ready_by_select(own.e, 0) == (False, True)


def test_the_number_stays_the_same_and_is_that_of_all_objects(own):
    from aioespnow import AIOESPNow

    number = own.e.fileno()
    own.e.active(False)
    own.e.active(True)
    assert own.e.fileno() == AIOESPNow().fileno() == number


def test_among_others(own, peer):
    """As a program with sockets has it."""
    import socket

    one, other = socket.socketpair()
    with one, other:
        peer.send(own.mac)
        assert select.select([own.e, one], [], [], 0)[0] == [own.e]
        other.send(b"x")
        assert select.select([own.e, one], [], [], 0)[0] == [own.e, one]


def test_descriptor_through_all_its_states():
    descriptor = Descriptor()
    for _ in range(3):
        for state in ((True, False), (False, False), (True, True), (True, True), (False, True), (True, False)):
            descriptor.set(readable=state[0], writable=state[1])
            assert ready_by_poll(descriptor, 0) == state
    descriptor.close()


# asyncio.


def run(coroutine):
    async def limited():
        async with asyncio.timeout(LIMIT_S):
            return await coroutine

    return asyncio.run(limited())


@pytest.fixture
def a(own):
    from aioespnow import AIOESPNow

    return AIOESPNow()


def later(peer, own, *messages):
    """Send messages from another thread, while the loop runs."""
    return asyncio.get_running_loop().run_in_executor(
        None, lambda: [peer.send(own.mac, message) for message in messages]
    )


def test_messages_in_order_without_a_thread_of_its_own(own, a, peer):
    threads = set(threading.enumerate())

    async def main():
        sending = later(peer, own, *(str(number).encode() for number in range(10)))
        got = [(await a.arecv())[1] for _ in range(5)]
        got += [bytes((await a.airecv())[1]) for _ in range(5)]
        await sending
        return got, {thread.name for thread in set(threading.enumerate()) - threads}

    got, started = run(main())
    assert got == [str(number).encode() for number in range(10)]
    assert all(name.startswith("asyncio_") for name in started)  # the executor of this test


def test_async_for(own, a, peer):
    async def main():
        sending = later(peer, own, b"one", b"two", b"halt", b"left")
        got = []
        async for mac, message in a:
            got.append((mac, bytes(message)))
            if message == b"halt":
                break
        await sending
        return got

    assert run(main()) == [(peer.mac, b"one"), (peer.mac, b"two"), (peer.mac, b"halt")]
    assert own.e.recv(0)[1] == b"left"


def test_asend_and_its_outcome(own, a, peer):
    async def main():
        return [await a.asend(own.p, b"one"), await a.asend(own.b, b"two", False), await a.asend(own.p, b"three")]

    assert run(main()) == [True, True, True]
    until(lambda: len(peer.messages) == 3)
    assert peer.messages == [b"one", b"two", b"three"]


def test_others_go_on_while_one_waits(own, a, peer):
    async def main():
        reading = asyncio.create_task(a.arecv())
        turns = 0
        for _ in range(20):
            await asyncio.sleep(0.001)
            turns += 1
        await later(peer, own, b"x")
        return turns, await reading

    assert run(main()) == (20, [peer.mac, b"x"])


def test_two_readers_are_served_in_turn(own, a, peer):
    async def main():
        readers = [asyncio.create_task(a.arecv()) for _ in range(3)]
        await asyncio.sleep(0)
        await later(peer, own, b"one", b"two", b"three")
        return [message for _, message in await asyncio.gather(*readers)]

    assert run(main()) == [b"one", b"two", b"three"]


def test_a_reader_that_is_cancelled_leaves_its_message_to_others(own, a, peer):
    async def main():
        first, second = asyncio.create_task(a.arecv()), asyncio.create_task(a.arecv())
        await asyncio.sleep(0.01)
        first.cancel()
        await later(peer, own, b"x")
        return (await second)[1], first.cancelled()

    assert run(main()) == (b"x", True)


def test_wait_for(own, a, peer):
    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(a.arecv(), 0.02)
        await later(peer, own, b"x")
        return (await asyncio.wait_for(a.arecv(), LIMIT_S))[1]

    assert run(main()) == b"x"
    assert live.board().watchers == []


def test_switched_off_under_a_reader(own, a):
    async def main():
        reading = asyncio.create_task(a.arecv())
        await asyncio.sleep(0.01)
        a.active(False)
        with pytest.raises(OSError, match="NOT_INIT") as caught:
            await reading
        return caught.value.args[0]

    assert run(main()) == -EspNowCode.NOT_INIT


def test_switched_off_by_another_thread(own, a):
    async def main():
        reading = asyncio.create_task(a.arecv())
        await asyncio.sleep(0.01)
        await asyncio.get_running_loop().run_in_executor(None, a.active, False)
        with pytest.raises(OSError, match="NOT_INIT"):
            await reading

    run(main())


def test_asend_waits_until_earlier_frames_are_answered(own, a, held):
    async def main():
        own.e.send(own.b, b"first", False)
        sending = asyncio.create_task(a.asend(own.b, b"second", False))
        await asyncio.sleep(0.02)
        before = len(held), sending.done()
        answer(own, held)
        return before, await sending, len(held)

    assert run(main()) == ((1, False), True, 1)
    answer(own, held)


def test_add_reader_and_add_writer(own, held, peer):
    async def main():
        running = asyncio.get_running_loop()
        got, writable = asyncio.Queue(), asyncio.Event()
        own.e.send(own.b, b"x", False)
        running.add_reader(own.e, lambda: got.put_nowait(own.e.recv(0)[1]))
        running.add_writer(own.e, writable.set)
        await later(peer, own, b"one", b"two")
        found = [await got.get(), await got.get()]
        before = writable.is_set()
        answer(own, held)
        await writable.wait()
        running.remove_reader(own.e)
        running.remove_writer(own.e)
        return found, before, got.empty()

    assert run(main()) == ([b"one", b"two"], False, True)


def test_a_loop_in_another_thread(own, a, peer):
    """As a program with a window has it: asyncio beside the main thread."""
    got = []

    async def main():
        async for _, message in a:
            got.append(bytes(message))
            if message == b"end":
                return

    thread = threading.Thread(target=lambda: run(main()))
    thread.start()
    for message in (b"one", b"end"):
        peer.send(own.mac, message)
    thread.join()
    assert got == [b"one", b"end"]


def test_one_loop_after_another(own, a, peer):
    for number in range(3):
        peer.send(own.mac, str(number).encode())
        assert run(a.arecv())[1] == str(number).encode()
    assert live.board().watchers == []


def test_a_loop_that_was_closed_under_a_waiting_sender_harms_nobody(own, a, held):
    for _ in range(2):
        own.e.send(own.b, b"unanswered", False)
        loop = asyncio.new_event_loop()
        waiting = a.asend(own.b, b"never sent")
        loop.call_soon(waiting.send, None)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        answer(own, held)
        waiting.close()
    assert run(a.asend(own.b, b"sent", False)) is True
    answer(own, held)
    assert live.board().watchers == []


def test_a_message_wakes_a_loop_that_sleeps_soon(own, a, peer):
    async def main():
        running = asyncio.get_running_loop()
        reading = asyncio.create_task(a.arecv())
        await asyncio.sleep(0.05)
        begin = running.time()
        peer.start(own.mac, b"x")
        await reading
        return running.time() - begin

    assert sorted(run(main()) for _ in range(9))[4] < 0.05


def test_esp8266(fresh, peer):
    """Its class has no irq; everything that waits is there."""
    from aioespnow import AIOESPNow

    fresh.setenv("ESPNOW_PROFILE", "esp8266")
    import network

    network.WLAN(0).active(True)
    e = espnow.ESPNow()
    e.active(True)
    peer.send(live.board().mac, b"one")
    assert ready_by_poll(e, LIMIT_S) == (True, True)
    assert bytes(run(AIOESPNow().airecv())[1]) == b"one"

"""The mailbox between a radio's loop and a station in another thread."""

import os
import signal
import threading

import pytest

from espnow.errors import LinkFull
from espnow.link import Outcome, RadioConfig
from espnow.radio.loop import RadioLoop
from espnow.radio.mailbox import MOST_WAITING, LoopWait, Mailbox
from espnow.testing import ScriptedLink

FRAME = b"\xd0" + bytes(23) + b"frame"
ACKNOWLEDGED = Outcome.ACKNOWLEDGED


class Station:
    def __init__(self):
        self.seen = []
        self.threads = set()

    def received(self, *frame):
        self.seen.append(frame)
        self.threads.add(threading.current_thread())

    def outcome(self, *answer):
        self.seen.append(answer)
        self.threads.add(threading.current_thread())


class Rig:
    """A mailbox whose station's thread is the test."""

    def __init__(self, loop):
        self.posted = []
        self.wakes = 0
        self.link = ScriptedLink(loop, answer_after_us=0)
        self.station = Station()
        self.mailbox = Mailbox(self.link, loop, self.posted.append, self._wake)
        self.mailbox.station = self.station

    def _wake(self):
        self.wakes += 1

    def take(self):
        """Do what was posted."""
        posted, self.posted[:] = list(self.posted), []
        for function in posted:
            function()


@pytest.fixture
def loop():
    loop = RadioLoop()
    yield loop
    loop.close()


@pytest.fixture
def rig(loop):
    return Rig(loop)


def test_it_passes_what_the_station_asks(rig):
    assert rig.link.station is rig.mailbox
    assert rig.mailbox.abilities is rig.link.abilities
    assert rig.mailbox.trouble is None
    rig.link.trouble = "unplugged"
    assert rig.mailbox.trouble == "unplugged"
    config = RadioConfig(channel=3)
    rig.mailbox.configure(config)
    assert rig.link.config is config
    rig.mailbox.transmit(FRAME, 1)
    assert rig.link.frames == [FRAME]


def test_the_station_is_told_once_and_gets_all_in_order(rig):
    for number in range(3):
        rig.mailbox.received(FRAME, -number, 1, 0, number)
        rig.mailbox.outcome(number, ACKNOWLEDGED, 1, number)
    assert (len(rig.posted), rig.wakes, rig.station.seen) == (1, 1, [])
    rig.take()
    assert rig.station.seen == [
        each for number in range(3) for each in ((FRAME, -number, 1, 0, number), (number, ACKNOWLEDGED, 1, number))
    ]
    rig.mailbox.received(FRAME, -9, 1, 0, 9)
    assert (len(rig.posted), rig.wakes) == (1, 2)
    rig.take()
    assert len(rig.station.seen) == 7


def test_what_comes_while_the_station_takes_is_told_again(rig):
    first = rig.station.received

    def received(*frame):
        first(*frame)
        if len(rig.station.seen) < 3:
            rig.mailbox.received(*frame)

    rig.station.received = received
    rig.mailbox.received(FRAME, 0, 1, 0, 0)
    rig.take()
    assert (len(rig.station.seen), len(rig.posted)) == (1, 1)
    rig.take()
    rig.take()
    assert (len(rig.station.seen), rig.posted) == (3, [])


def test_frames_beyond_the_bound_are_counted_and_answers_are_kept(rig):
    for number in range(MOST_WAITING + 5):
        rig.mailbox.received(FRAME, 0, 1, 0, number)
    rig.mailbox.outcome(7, ACKNOWLEDGED, 1, 0)
    assert rig.mailbox.dropped == 5
    rig.take()
    assert len(rig.station.seen) == MOST_WAITING + 1
    assert rig.station.seen[-1] == (7, ACKNOWLEDGED, 1, 0)
    rig.mailbox.received(FRAME, 0, 1, 0, 0)
    rig.take()
    assert rig.mailbox.dropped == 5
    assert len(rig.station.seen) == MOST_WAITING + 2


def test_it_counts_what_waits_for_an_answer_but_not_wifis_own(rig):
    rig.link.withhold()
    rig.mailbox.transmit(FRAME, 1)
    rig.mailbox.transmit(FRAME, 2)
    rig.mailbox.transmit(FRAME, -3)
    rig.link.run_out_of_memory(1)
    with pytest.raises(LinkFull):
        rig.mailbox.transmit(FRAME, 4)
    assert rig.mailbox.unanswered == 2
    for token in (1, -3, 2):
        rig.mailbox.outcome(token, Outcome.UNKNOWN, 1, 0)
    assert rig.mailbox.unanswered == 2  # until the station has them
    rig.take()
    assert rig.mailbox.unanswered == 0


def test_after_its_end_nothing_is_called(rig):
    rig.mailbox.received(FRAME, 0, 1, 0, 0)
    rig.mailbox.close()
    rig.mailbox.close()
    assert rig.link.closed
    rig.take()
    rig.mailbox.received(FRAME, 0, 1, 0, 0)
    rig.mailbox.outcome(1, ACKNOWLEDGED, 1, 0)
    rig.take()
    assert (rig.station.seen, rig.posted) == ([], [])


def test_a_station_that_closes_it_gets_no_more(rig):
    rig.station.received = lambda *_: (rig.station.seen.append(1), rig.mailbox.close())
    for _ in range(3):
        rig.mailbox.received(FRAME, 0, 1, 0, 0)
    rig.take()
    assert rig.station.seen == [1]


def test_the_loops_thread_calls_nobody_and_wakes_without_its_lock(rig, loop):
    woken = threading.Event()
    held = []

    def wake():
        held.append(loop.lock.is_owned())
        woken.set()

    rig.mailbox._wake = wake
    loop.call_at(0, lambda: [rig.mailbox.received(FRAME, 0, 1, 0, at) for at in range(100)])
    assert woken.wait(20)
    assert held == [False]
    assert rig.station.seen == []
    rig.take()
    assert len(rig.station.seen) == 100
    assert rig.station.threads == {threading.current_thread()}


# Where the station's thread waits.


class PlainWait:
    """A wait that returns at once, and says how it was called."""

    def __init__(self):
        self.calls = []

    def wait(self, timeout_s, readable):
        self.calls.append((timeout_s, tuple(readable)))
        return set(readable)

    def wake(self):
        self.calls.append("wake")

    def close(self):
        self.calls.append("close")


@pytest.fixture
def plain():
    return PlainWait()


@pytest.fixture
def wait(loop, plain):
    return LoopWait(loop, plain)


@pytest.fixture
def running(loop):
    """The loop, once its thread runs."""
    begun = threading.Event()
    loop.call_at(0, begun.set)
    assert begun.wait(20)
    return loop


def test_who_waits_does_the_loops_work(running, wait):
    threads = []
    running.call_at(running.now_us + 20_000, lambda: threads.append(threading.current_thread()))
    running.call_at(running.now_us + 20_000, lambda: running.afterwards(wait.wake))
    assert wait.wait(20, ()) == set()
    assert threads == [threading.current_thread()]


def test_it_waits_no_longer_than_it_is_told(running, wait, plain):
    before_us = running.now_us
    assert wait.wait(0.05, ()) == set()
    assert 50_000 <= running.now_us - before_us < 20_000_000
    assert plain.calls == []


def test_a_wake_before_the_wait_ends_it_and_no_other(running, wait):
    wait.wake()
    wait.wake()
    assert wait.wait(50, ()) == set()
    before_us = running.now_us
    assert wait.wait(0.05, ()) == set()
    assert running.now_us - before_us >= 50_000


def test_another_thread_wakes_it(running, wait):
    waker = threading.Timer(0.05, wait.wake)
    waker.start()
    assert wait.wait(50, ()) == set()
    waker.join()


def test_a_signal_interrupts_it(running, wait):
    before = signal.signal(signal.SIGALRM, lambda *_: wait.interrupt())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert wait.wait(50, ()) == set()
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_descriptor_ends_it(running, wait):
    reading, writing = os.pipe()
    try:
        running.call_at(running.now_us + 20_000, lambda: os.write(writing, b"x"))
        assert wait.wait(50, (reading,)) == {reading}
        assert wait.wait(50, (reading,)) == {reading}  # nobody has read it
        os.read(reading, 1)
        assert wait.wait(0.01, (reading,)) == set()
    finally:
        os.close(reading)
        os.close(writing)
    assert wait.wait(0.01, ()) == set()


def test_it_waits_plainly_where_the_loop_does_not_run(wait, plain):
    assert wait.wait(7, ()) == set()
    wait.wake()
    assert wait.wait(7, ()) == set()
    assert wait.wait(0, ()) == set()
    assert plain.calls == [(7, ()), (0.0, ()), (0, ())]
    wait.close()
    assert plain.calls[-1] == "close"


def test_a_plain_wait_is_woken_by_its_own_means(wait, plain):
    plain.wait = lambda *_: wait.interrupt() or set()
    assert wait.wait(0, ()) == set()
    assert plain.calls == ["wake"]


def test_signals_are_let_through_after_a_wait(running, wait):
    wait.wait(0.01, ())
    assert running.lock.shut is False

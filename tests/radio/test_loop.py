"""The loop of a live radio: time, descriptors, one lock, who does its work, and its end."""

import gc
import os
import resource
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from espnow.radio.loop import BoardLock, RadioLoop

LIMIT_S = 20.0


def until(condition):
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.0005)


@pytest.fixture
def errors():
    return []


@pytest.fixture
def loop(errors):
    loop = RadioLoop()
    loop.on_error = errors.append
    yield loop
    loop.close()


@pytest.fixture
def pair():
    one, other = socket.socketpair()
    one.setblocking(False)
    yield one, other
    one.close()
    other.close()


class Leader(threading.Thread):
    """A thread of the program that waits, and leads meanwhile."""

    def __init__(self, loop, until_us=None):
        super().__init__()
        self.loop = loop
        self.until_us = until_us
        self.gate = threading.Lock()
        self.gate.acquire()
        self.led = None
        self.start()

    def run(self):
        self.led = self.loop.lead(self.gate, self.until_us)

    def end(self):
        self.gate.release()
        self.loop.wake()
        self.join(LIMIT_S)
        assert not self.is_alive()


# Time.


def test_time_begins_at_zero_and_goes_on(loop):
    first = loop.now_us
    assert 0 <= first < 5_000_000
    time.sleep(0.002)
    assert loop.now_us - first >= 2_000


def test_timers_are_called_in_the_order_of_their_times_and_then_of_their_making(loop):
    seen = []
    at_us = loop.now_us + 5_000
    with loop.lock:
        for number in range(5):
            loop.call_at(at_us, lambda number=number: seen.append(number))
        loop.call_at(at_us - 2_000, lambda: seen.append("early"))
        loop.call_at(at_us + 1_000, lambda: seen.append("late"))
        loop.call_at(-5, lambda: seen.append("past"))
    until(lambda: len(seen) == 8)
    assert seen == ["past", "early", 0, 1, 2, 3, 4, "late"]


def test_never_early(loop):
    late = []
    for after_us in (0, 100, 1_000, 3_000, 700):
        at_us = loop.now_us + after_us
        loop.call_at(at_us, lambda at_us=at_us: late.append(loop.now_us - at_us))
        until(lambda: late)
        assert 0 <= late.pop() < 5_000_000


def test_cancelled_timers_are_not_called(loop):
    seen = []
    at_us = loop.now_us + 200_000
    cancelled = [loop.call_at(at_us, lambda: seen.append("no")) for _ in range(3)]
    loop.call_at(at_us + 1, lambda: seen.append("yes"))
    for timer in cancelled:
        timer.cancel()
        timer.cancel()
    until(lambda: seen)
    assert seen == ["yes"]
    cancelled[0].cancel()


def test_an_earlier_timer_is_not_kept_by_a_later_one(loop):
    seen = []
    loop.call_at(loop.now_us + 60_000_000, lambda: None)
    until(lambda: loop._thread_until_us)
    loop.call_at(loop.now_us + 1_000, lambda: seen.append(loop.now_us))
    until(lambda: seen)


def test_a_timer_out_of_a_timer(loop):
    seen = []

    def again():
        seen.append(threading.current_thread().name)
        if len(seen) < 5:
            loop.call_at(loop.now_us + 200, again)

    loop.call_at(0, again)
    until(lambda: len(seen) == 5)
    assert set(seen) == {"espnow"}


def test_calls_hold_the_lock_and_know_that_they_are_in_a_round(loop):
    seen = []
    loop.call_at(0, lambda: seen.append((loop.lock.is_owned(), loop.in_round)))
    until(lambda: seen)
    assert seen == [(True, True)]
    assert not loop.in_round


# Descriptors.


def test_what_can_be_read_is_read(loop, pair):
    one, other = pair
    seen = []
    loop.watch(one.fileno(), lambda: seen.append(one.recv(10)))
    for part in (b"a", b"b"):
        other.send(part)
        until(lambda part=part: seen[-1:] == [part])


def test_unwatched_is_not_called(loop, pair):
    one, other = pair
    seen = []
    loop.watch(one.fileno(), lambda: seen.append(one.recv(10)))
    loop.unwatch(one.fileno())
    loop.unwatch(one.fileno())
    other.send(b"x")
    loop.call_at(loop.now_us + 1_000, lambda: seen.append("timer"))
    until(lambda: seen)
    assert seen == ["timer"]


def test_a_descriptor_can_be_unwatched_by_what_it_calls(loop, pair):
    one, other = pair
    calls = []
    loop.watch(one.fileno(), lambda: (calls.append(1), loop.unwatch(one.fileno())))
    other.send(b"x")
    until(lambda: calls)
    done = []
    loop.call_at(loop.now_us + 1_000, lambda: done.append(1))
    until(lambda: done)
    assert calls == [1]


def test_of_two_that_are_ready_the_first_may_unwatch_the_second(loop, pair):
    """As a radio that closes: what it watched beside is gone in the same round."""
    one, other = pair
    second = os.dup(one.fileno())
    calls = []

    def first():
        calls.append(1)
        one.recv(10)
        loop.unwatch(second)

    with loop.lock:
        loop.watch(one.fileno(), first)
        loop.watch(second, lambda: calls.append(2))
        other.send(b"x")
    until(lambda: calls)
    time.sleep(0.005)
    assert calls == [1]
    os.close(second)


def test_a_descriptor_that_was_closed_unseen_is_broken_and_harms_no_other(loop, pair, errors):
    """Others may be called in vain then, as radios must be able to bear."""
    one, other = pair
    seen, broken = [], []
    lost = os.dup(one.fileno())

    def read():
        try:
            seen.append(one.recv(10))
        except BlockingIOError:
            pass

    def read_lost():
        broken.append(lost)
        loop.unwatch(lost)

    with loop.lock:
        loop.watch(lost, read_lost)
        loop.watch(one.fileno(), read)
        os.close(lost)
    until(lambda: broken)
    other.send(b"x")
    until(lambda: seen)
    assert (seen, broken, errors) == ([b"x"], [lost], [])


@pytest.mark.parametrize("led", [False, True])
def test_beyond_a_thousand_descriptors(errors, led):
    """`select` ends at 1024; the wait goes on with `poll`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1100 if hard == resource.RLIM_INFINITY else min(hard, 1100)
    if wanted < 1100:
        pytest.skip("this process may not open so many")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    null = os.open(os.devnull, os.O_RDONLY)
    many = []
    try:
        while len(many) < 1100:
            many.append(os.dup(null))
        loop = RadioLoop()
        loop.on_error = errors.append
        one, other = socket.socketpair()
        one.setblocking(False)
        assert one.fileno() >= 1024
        seen = []
        loop.watch(one.fileno(), lambda: seen.append(one.recv(10)))
        leader = Leader(loop) if led else None
        for part in (b"a", b"b", b"c"):
            other.send(part)
            until(lambda part=part: seen[-1:] == [part])
            due = []
            loop.call_at(loop.now_us + 1_500, lambda due=due: due.append(1))
            until(lambda due=due: due)
        if leader is not None:
            leader.end()
            assert leader.led
        loop.unwatch(one.fileno())
        loop.close()
        one.close()
        other.close()
    finally:
        for fd in (*many, null):
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert errors == []


# What goes wrong.


def test_errors_are_told_and_survived(loop, errors, pair):
    one, other = pair
    seen = []

    def fails():
        one.recv(10)
        raise ValueError("of a radio")

    loop.watch(one.fileno(), fails)
    for number in range(3):
        other.send(b"x")
        until(lambda number=number: len(errors) == number + 1)
    loop.call_at(0, lambda: 1 / 0)
    loop.call_at(0, lambda: seen.append(1))
    until(lambda: seen)
    assert [type(error) for error in errors] == [ValueError] * 3 + [ZeroDivisionError]


@pytest.mark.filterwarnings("error")
def test_without_anybody_to_tell_the_hook_of_threads_is(monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    loop = RadioLoop()
    loop.call_at(0, lambda: 1 / 0)
    until(lambda: told)
    loop.close()
    assert (told[0].exc_type, told[0].thread.name) == (ZeroDivisionError, "espnow")


def test_who_cannot_be_told_ends_nothing(loop, pair):
    one, other = pair

    def told(error):
        raise BrokenPipeError  # as writing to a standard error that is closed does

    loop.on_error = told
    loop.watch(one.fileno(), lambda: 1 / len(one.recv(1).strip(b"x")))
    other.send(b"x")
    seen = []
    loop.call_at(loop.now_us + 1000, lambda: seen.append(1))
    until(lambda: seen)


@pytest.mark.parametrize("begins", ["wake", "call_at"])
def test_a_signal_while_it_begins_begins_no_second_thread(monkeypatch, begins):
    before = set(threading.enumerate())
    loop = RadioLoop()
    pipes, pipe = [], os.pipe

    def interrupted():
        pipes.append(pipe())
        if len(pipes) == 1:
            loop.wake()  # as the handler of a signal does
        return pipes[-1]

    monkeypatch.setattr(os, "pipe", interrupted)
    seen = []
    if begins == "wake":
        loop.wake()
    loop.call_at(0, lambda: seen.append(1))
    until(lambda: seen)
    assert (len(pipes), len(set(threading.enumerate()) - before)) == (1, 1)
    loop.close()
    for fd in pipes[0]:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(fd)


# Soon and afterwards.


def test_soon_is_done_by_the_thread_that_waits_next(loop):
    seen = []
    with loop.lock:
        loop.soon(lambda: (seen.append(1), loop.soon(lambda: seen.append(2))))
        assert seen == []
        loop.settle()
        assert seen == [1, 2]
        loop.settle()
    assert seen == [1, 2]


def test_soon_is_done_by_the_loop_when_nobody_waits(loop):
    seen = []
    with loop.lock:
        loop.soon(lambda: seen.append((threading.current_thread().name, loop.lock.is_owned())))
    until(lambda: seen)
    assert seen == [("espnow", True)]


def test_soon_out_of_a_call_of_the_loop_is_done_in_the_same_round(loop):
    seen = []
    loop.call_at(0, lambda: (loop.soon(lambda: seen.append(loop.in_round)), seen.append("first")))
    until(lambda: len(seen) == 2)
    assert seen == ["first", True]


def test_afterwards_is_without_the_lock_when_the_round_is_over(loop):
    seen = []

    def call():
        loop.afterwards(lambda: seen.append((loop.lock.is_owned(), loop.in_round)))
        seen.append("in the round")

    loop.call_at(0, call)
    until(lambda: len(seen) == 2)
    assert seen == ["in the round", (False, False)]
    loop.afterwards(lambda: seen.append("at once"))
    assert seen[-1] == "at once"


# Leading.


def test_a_thread_that_waits_does_the_work(loop, pair):
    one, other = pair
    names = []
    loop.watch(one.fileno(), lambda: (one.recv(10), names.append(threading.current_thread())))
    leader = Leader(loop)
    until(loop._leading.locked)
    for number in range(5):
        other.send(b"x")
        until(lambda number=number: len(names) == number + 1)
    timers = []
    loop.call_at(loop.now_us + 500, lambda: timers.append(threading.current_thread()))
    until(lambda: timers)
    assert set(names + timers) == {leader}
    leader.end()
    assert leader.led is True


def test_when_it_leaves_the_loops_thread_goes_on(loop, pair):
    one, other = pair
    names = []
    loop.watch(one.fileno(), lambda: (one.recv(10), names.append(threading.current_thread().name)))
    for _ in range(20):
        leader = Leader(loop)
        until(loop._leading.locked)
        leader.end()
        begin = time.monotonic()
        other.send(b"x")
        until(lambda: names)
        assert names.pop() == "espnow"
        assert time.monotonic() - begin < 2


def test_a_timer_of_the_leaders_own_is_called_after_it_left(loop):
    """It knew of the timer, the loop's thread did not."""
    seen = []
    loop.call_at(loop.now_us + 60_000_000, lambda: None)
    until(lambda: loop._thread_until_us)
    with loop.lock:
        pass
    leader = Leader(loop, until_us=loop.now_us + 200_000)
    until(loop._leading.locked)
    loop.call_at(loop.now_us + 220_000, lambda: seen.append(threading.current_thread().name))
    leader.join(LIMIT_S)
    until(lambda: seen)
    assert seen == ["espnow"]


def test_what_is_watched_while_another_leads_is_watched_afterwards(loop, pair):
    """The leader takes the call that was for the loop's thread, too."""
    one, other = pair
    seen = []
    loop.call_at(0, lambda: None)
    for number in range(50):
        until(lambda: loop._thread_until_us)
        leader = Leader(loop)
        until(loop._leading.locked)
        loop.watch(one.fileno(), lambda: seen.append(one.recv(10)))
        leader.end()
        other.send(b"x")
        until(lambda number=number: len(seen) > number)
        loop.unwatch(one.fileno())


def test_the_loops_thread_is_called_out_of_its_long_rest(loop, pair):
    one, other = pair
    names = []
    loop.watch(one.fileno(), lambda: (one.recv(10), names.append(threading.current_thread().name)))
    for _ in range(3):
        leader = Leader(loop)
        until(loop._leading.locked)
        until(lambda: other.send(b"x") and loop._rests_long)
        leader.end()
        names.clear()
        until(lambda: other.send(b"x") and "espnow" in names)


REASONS = {
    "nothing": (lambda loop: None, 0),
    "an earlier timer": (lambda loop: loop._heap.append([5, 0, print]), 1),
    "what is watched": (lambda loop: setattr(loop, "_changes", 7), 1),
    "its end": (lambda loop: setattr(loop, "_closed", True), 1),
    "an earlier timer, but it does not wait": (
        lambda loop: (loop._heap.append([5, 0, print]), setattr(loop, "_thread_until_us", 0)),
        0,
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_the_leader_tells_the_loops_thread_when_it_leaves(monkeypatch, reason):
    """That waits with what it knew when it began, and may have missed what woke the leader."""
    loop = RadioLoop()
    wakes = []
    monkeypatch.setattr(loop, "wake", lambda: wakes.append(1))
    loop._thread_until_us = 1_000
    loop._leading.acquire()
    change, expected = REASONS[reason]
    change(loop)
    loop._stop_leading()
    assert not loop._leading.locked()
    assert len(wakes) == expected


def test_only_one_leads(loop):
    loop.call_at(0, lambda: None)
    leader = Leader(loop)
    until(loop._leading.locked)
    second = Leader(loop)
    second.join(LIMIT_S)
    assert second.led is False
    leader.end()


def test_until_a_time(loop):
    loop.call_at(0, lambda: None)
    begin_us = loop.now_us
    leader = Leader(loop, begin_us + 20_000)
    leader.join(LIMIT_S)
    assert leader.led
    assert loop.now_us - begin_us >= 20_000
    assert not loop._leading.locked()


def test_a_gate_that_is_open_already(loop):
    loop.call_at(0, lambda: None)
    until(lambda: loop._thread is not None)
    assert loop.lead(threading.Lock(), None) is True


def test_a_loop_that_has_not_begun_or_has_ended_is_not_led():
    loop = RadioLoop()
    gate = threading.Lock()
    gate.acquire()
    assert loop.lead(gate, None) is False
    loop.call_at(0, lambda: None)
    loop.close()
    assert loop.lead(gate, None) is False


def test_a_leader_may_come_to_wait_again(loop, pair):
    """In the handler of a signal: it leads on, and what comes meanwhile is done."""
    one, other = pair
    seen = []
    loop.watch(one.fileno(), lambda: seen.append(one.recv(10)))
    gate = threading.Lock()
    gate.acquire()
    taken = []

    def handler(*_):
        inner = threading.Lock()
        inner.acquire()
        other.send(b"x")
        loop.call_at(loop.now_us + 2_000, lambda: inner.release())
        taken.append(loop.lead(inner, loop.now_us + 10_000_000))
        taken.append(list(seen))
        loop.call_at(loop.now_us + 2_000, lambda: (gate.release(), seen.append("timer")))

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        main = threading.main_thread().ident
        timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1))
        timer.start()
        begin_us = loop.now_us
        assert loop.lead(gate, begin_us + 20_000_000)
        assert loop.now_us - begin_us < 10_000_000
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
        loop.lock.shut = False
    assert taken == [True, [b"x"]]
    assert seen == [b"x", "timer"]
    assert not loop._leading.locked()


def test_what_interrupts_a_leader_leaves_the_loop_to_others(loop, pair):
    one, other = pair
    seen = []
    loop.watch(one.fileno(), lambda: seen.append(one.recv(10)))

    def handler(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, handler)
    gate = threading.Lock()
    gate.acquire()
    try:
        timer = threading.Timer(0.03, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            loop.lead(gate, loop.now_us + 20_000_000)
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
        loop.lock.shut = False
    assert not loop._leading.locked()
    other.send(b"x")
    until(lambda: seen)


# The end.


def test_close_joins_and_nothing_is_called_afterwards(errors, pair):
    one, other = pair
    loop = RadioLoop()
    loop.on_error = errors.append
    seen = []
    loop.watch(one.fileno(), lambda: seen.append(1))
    loop.call_at(loop.now_us + 60_000_000, lambda: seen.append(2))
    thread = loop._thread
    loop.close()
    assert not thread.is_alive()
    other.send(b"x")
    loop.call_at(0, lambda: seen.append(3))
    time.sleep(0.01)
    assert (seen, errors) == ([], [])
    loop.close()


def test_close_out_of_its_own_thread(errors):
    loop = RadioLoop()
    loop.on_error = errors.append
    loop.call_at(0, loop.close)
    until(lambda: loop._closed and not loop._thread.is_alive())
    assert errors == []


def test_close_ends_who_leads():
    loop = RadioLoop()
    loop.call_at(0, lambda: None)
    leader = Leader(loop)
    until(loop._leading.locked)
    loop.close()
    leader.join(LIMIT_S)
    assert not leader.is_alive()


@pytest.mark.parametrize("led", [False, True])
def test_no_descriptor_is_left(led):
    gc.collect()
    before = sorted(Path("/proc/self/fd").iterdir())
    for _ in range(20):
        loop = RadioLoop()
        loop.call_at(0, lambda: None)
        leader = Leader(loop) if led else None
        loop.close()
        if leader is not None:
            leader.join(LIMIT_S)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_loop_that_never_began_needs_no_end():
    before = threading.active_count()
    RadioLoop().close()
    assert threading.active_count() == before


def test_abandoned_it_is_free_and_does_nothing(pair):
    """As after a fork, where the thread and whoever held the lock are gone."""
    one, other = pair
    loop = RadioLoop()
    child = os.fork()
    if child == 0:
        os._exit(_abandon(loop, one, other))
    assert os.waitpid(child, 0)[1] == 0
    other.send(b"still connected")
    assert one.recv(20) == b"still connected"
    loop.close()


def _abandon(loop, one, owned):
    try:
        taken = threading.Thread(target=loop.lock.acquire)
        taken.start()
        taken.join()
        loop._watched[one.fileno()] = print
        loop.owned.add(owned.fileno())
        loop._wake_fds = os.pipe()
        loop.abandon()
        assert loop.lock.acquire(blocking=False)
        for end in (one, owned):
            assert Path(f"/proc/self/fd/{end.fileno()}").readlink() == Path("/dev/null")
        assert not loop._watched
        assert not loop.owned
        loop.close()
    except BaseException:
        return 1
    return 0


# The lock.


def test_the_lock_can_be_taken_again_and_released_whole():
    lock = BoardLock()
    with lock, lock:
        with lock.released():
            assert not lock.is_owned()
            other = threading.Thread(target=lambda: [lock.acquire(), lock.release()])
            other.start()
            other.join(LIMIT_S)
            assert not other.is_alive()
        assert lock.is_owned()
    assert not lock.is_owned()
    with lock.released():
        assert not lock.is_owned()


def test_released_is_taken_back_after_an_error():
    lock = BoardLock()
    with lock:
        with pytest.raises(ValueError, match="inside"), lock.released():
            raise ValueError("inside")
        assert lock.is_owned()


def test_who_lets_go_of_it_whole_does_what_was_put_off():
    lock = BoardLock()
    calls = []
    lock.on_left = lambda: calls.append(lock.is_owned())
    with lock:
        pass
    assert calls == []
    lock.deferred = True
    with lock:
        with lock:
            pass
        assert calls == []
    assert calls == [False]


def test_a_program_that_polls_gives_way_to_the_loop(loop):
    """Without that, the loop's thread would hardly ever get the lock."""
    late = []
    stop = threading.Event()

    def poll():
        while not stop.is_set():
            with loop.lock:
                sum(range(200))

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        for _ in range(20):
            at_us = loop.now_us + 1_000
            count = len(late)
            loop.call_at(at_us, lambda at_us=at_us: late.append(loop.now_us - at_us))
            until(lambda count=count: len(late) > count)
    finally:
        stop.set()
        thread.join()
    assert sorted(late)[10] < 50_000

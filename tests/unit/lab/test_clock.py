"""Virtual time: the order of events, the turns of programs, and how they end."""

import heapq
import random

import pytest
from greenlet import GreenletExit
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow.lab.clock import ENDLESS_US, Task, VirtualClock


@pytest.fixture
def clock():
    return VirtualClock()


def start(clock, body):
    """Make a task of a function that gets its task, and let it begin."""
    task = Task(clock, lambda: (body(task), task.end()))
    task.wake()
    return task


# Events.


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans())))
def test_events_come_in_time_and_those_of_one_instant_in_the_order_made(plan):
    clock = VirtualClock()
    seen = []
    timers = [
        clock.call_at(at, lambda n=n, at=at: seen.append((clock.now_us, n, at))) for n, (at, _) in enumerate(plan)
    ]
    for timer, (_, cancelled) in zip(timers, plan, strict=True):
        if cancelled:
            timer.cancel()
    assert clock.run() is False
    assert seen == sorted((at, n, at) for n, (at, cancelled) in enumerate(plan) if not cancelled)
    assert clock.now_us == max([at for at, _, _ in seen], default=0)
    for timer in timers:
        timer.cancel()  # harmless


@given(st.lists(st.tuples(st.integers(-5, 10), st.integers(-5, 10)), min_size=1))
def test_events_made_by_events_come_after_those_of_their_instant(plan):
    clock = VirtualClock()
    clock.run(until_us=100)
    seen = []

    def first(number, delay):
        seen.append((clock.now_us, 0, number))
        clock.call_at(clock.now_us + delay, lambda: seen.append((clock.now_us, 1, number)))

    for number, (at, delay) in enumerate(plan):
        clock.call_at(100 + at, lambda number=number, delay=delay: first(number, delay))
    clock.run()
    times = [at for at, _, _ in seen]
    assert times == sorted(times)
    for number, (at, delay) in enumerate(plan):
        begun = max(100, 100 + at)
        assert (begun, 0, number) in seen
        assert (max(begun, begun + delay), 1, number) in seen
    firsts = [(at, number) for at, stage, number in seen if stage == 0]
    assert firsts == sorted(firsts)


@given(st.lists(st.integers(0, 100)), st.lists(st.integers(0, 120), min_size=1))
def test_run_until_stops_there_and_goes_on_from_there(events, stops):
    clock = VirtualClock()
    seen = []
    for at in events:
        clock.call_at(at, lambda: seen.append(clock.now_us))
    for stop in sorted(stops):
        assert clock.run(until_us=stop) is False
        assert clock.now_us == stop
        assert seen == sorted(at for at in events if at <= stop)
    assert clock.run(until_us=0) is False  # the past is past
    assert clock.now_us == max(stops)


def test_a_condition_is_asked_first_and_after_each_instant(clock):
    asked = []

    def condition():
        asked.append(clock.now_us)
        return clock.now_us >= 20

    for at in (10, 10, 20, 30):
        clock.call_at(at, lambda: None)
    assert clock.run(condition=condition) is True
    assert asked == [0, 10, 20]
    assert clock.now_us == 20
    assert clock.run(condition=lambda: False) is False
    assert clock.now_us == 30


def test_what_a_condition_wakes_runs(clock):
    seen = []
    task = start(clock, lambda task: (task.pause(None), seen.append("woken")))
    clock.run()
    asked = []

    def condition():
        if not asked:
            asked.append(1)
            task.wake()
        return False

    clock.run(condition=condition)
    assert seen == ["woken"]


def test_what_a_condition_looks_at_takes_no_time(clock):
    other = Task(clock, lambda: None)
    clock.call_at(100, lambda: None)

    def condition():
        other.spend(5)
        return clock.now_us >= 100

    assert clock.run(condition=condition)
    assert clock.now_us == 100


def test_an_event_that_raises_ends_the_run_and_not_the_clock(clock):
    seen = []
    clock.call_at(1, lambda: 1 / 0)
    clock.call_at(2, lambda: seen.append(clock.now_us))
    with pytest.raises(ZeroDivisionError):
        clock.run()
    assert not clock.running
    clock.run()
    assert seen == [2]


def test_interrupt_ends_the_run_as_soon_as_it_can(clock):
    seen = []
    clock.call_at(5, clock.interrupt)
    clock.call_at(6, lambda: seen.append(1))
    with pytest.raises(KeyboardInterrupt):
        clock.run()
    assert (clock.now_us, seen, clock.interrupted) == (5, [], False)
    clock.run()
    assert seen == [1]
    clock.interrupt()
    assert clock.interrupted
    with pytest.raises(KeyboardInterrupt):
        clock.run(until_us=0)


def test_interrupt_reaches_a_program_that_only_computes(clock):
    steps = []

    def body(task):
        while True:
            steps.append(clock.now_us)
            if len(steps) == 500:
                clock.interrupt()
            task.spend(32)

    task = start(clock, body)
    with pytest.raises(KeyboardInterrupt):
        clock.run()
    assert len(steps) < 520
    task.kill()


def test_run_inside_of_run_is_refused(clock):
    caught = []

    def body(task):
        with pytest.raises(RuntimeError, match="running already"):
            clock.run()
        caught.append(True)

    start(clock, body)
    clock.call_at(1, lambda: body(None))
    clock.run()
    assert caught == [True, True]


def test_pace_is_asked_before_time_moves(clock):
    asked = []

    def pace(at_us):
        asked.append((clock.now_us, at_us))
        return len(asked) != 2  # something else came first

    clock.pace = pace
    clock.call_at(10, lambda: None)
    clock.call_at(20, lambda: None)
    clock.run(until_us=30)
    assert asked == [(0, 10), (10, 20), (10, 20), (20, 30)]
    clock.run()
    assert asked[-1] == (30, None)


# Tasks.


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=6))
def test_programs_that_sleep_wake_in_time_and_in_order(plans):
    clock = VirtualClock()
    seen = []

    def body(number, naps):
        def run(task):
            for nap in naps:
                until = clock.now_us + nap
                while clock.now_us < until:
                    task.pause(until)
                assert clock.now_us == until
                seen.append((clock.now_us, number))

        return run

    tasks = [start(clock, body(number, naps)) for number, naps in enumerate(plans)]
    clock.run()
    assert all(task.ended for task in tasks)
    expected = []
    for number, naps in enumerate(plans):
        now = 0
        for nap in naps:
            now += nap
            expected.append((now, number))
    assert sorted(seen) == sorted(expected)
    assert [at for at, _ in seen] == sorted(at for at, _ in expected)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 50), max_size=30))
def test_early_wakes_leave_few_timers_behind(plan):
    """A call with a long timeout that returns soon sets no timer the next time."""
    clock = VirtualClock()
    most = []

    def body(task):
        for _ in plan:
            task.pause(clock.now_us + 1_000_000)
            most.append(len(clock._heap))

    task = start(clock, body)

    def wake(rest):
        if rest:
            task.wake()
            clock.call_at(clock.now_us + rest[0], lambda: wake(rest[1:]))

    clock.call_at(1, lambda: wake(plan))
    clock.run()
    assert task.ended
    assert max(most, default=0) <= 2
    assert clock.now_us < 1_000_000


def test_a_pause_ends_when_woken_or_when_the_time_is_up(clock):
    seen = []

    def body(task):
        task.pause(100)
        seen.append(clock.now_us)
        task.pause(100)
        seen.append(clock.now_us)
        task.pause(None)
        seen.append(clock.now_us)

    task = start(clock, body)
    clock.call_at(40, task.wake)
    clock.call_at(40, task.wake)
    clock.run()
    assert seen == [40, 100]
    assert not task.ended
    task.wake()
    clock.run()
    assert seen == [40, 100, 100]
    assert task.ended
    task.wake()
    clock.run()


@given(
    st.lists(st.tuples(st.sampled_from(["spend", "sleep"]), st.integers(0, 400)), max_size=12),
    st.lists(st.integers(0, 3_000)),
)
def test_computing_takes_its_time_whatever_else_happens(steps, events):
    """What a program spends is charged, late by less than 0.1 ms, and no event is skipped or comes at another time."""
    clock = VirtualClock()
    seen = []
    for at in events:
        clock.call_at(at, lambda at=at: seen.append((at, clock.now_us)))

    def body(task):
        spent = 0
        for what, us in steps:
            if what == "spend":
                task.spend(us)
                spent += us
            else:
                until = clock.now_us + us
                while clock.now_us < until:
                    task.pause(until)
                spent += us
            assert spent - 100 <= clock.now_us + 100 * len(steps)
            assert clock.now_us <= spent

    task = start(clock, body)
    clock.run()
    assert task.ended
    assert seen == [(at, at) for at in sorted(events)]


def test_computing_alone_moves_the_time_without_a_switch(clock):
    begun = []

    def body(task):
        for _ in range(100):
            task.spend(7)
        begun.append(clock.now_us)

    start(clock, body)
    clock.call_at(0, lambda: None)
    clock.run()
    assert 600 <= begun[0] <= 700


def test_only_the_program_itself_can_wait(clock):
    task = start(clock, lambda task: task.pause(None))
    other = start(clock, lambda _: task.pause(None))
    with pytest.raises(RuntimeError, match="only the board's own program"):
        task.pause(5)
    with pytest.raises(RuntimeError, match="only the board's own program"):
        clock.run()
    assert not task.ended
    for each in (task, other):
        each.kill()


def test_spending_from_outside_takes_no_time(clock):
    task = start(clock, lambda task: task.pause(None))
    clock.run()
    task.spend(1_000)
    assert clock.now_us == 0
    task.kill()


def test_looking_from_outside_does_not_change_the_programs_time(clock):
    seen = []

    def body(task):
        task.pause(None)
        task.spend(5)
        seen.append(clock.now_us)

    task = start(clock, body)
    clock.run()
    for _ in range(50):
        task.spend(5)
    task.wake()
    clock.run()
    assert seen == [5]


# Ends.


def test_throw_raises_where_the_program_stands(clock):
    seen = []

    def body(task):
        try:
            task.pause(None)
        except KeyError:
            seen.append("caught")
            task.spend(20)
            task.spend(20)
            seen.append("computed")
            task.pause(clock.now_us + 50)
            seen.append(clock.now_us)

    task = start(clock, body)
    clock.run()
    task.throw(KeyError())
    assert seen == ["caught", "computed"]
    assert not clock.running
    clock.run()
    assert seen == ["caught", "computed", 50]
    assert task.ended


def test_throw_while_running_gives_control_back(clock):
    seen = []

    def victim(task):
        try:
            task.pause(None)
        except KeyError:
            seen.append("caught")
            task.pause(clock.now_us + 5)
            seen.append(clock.now_us)

    task = start(clock, victim)

    def thrower(own):
        own.pause(10)
        task.throw(KeyError())
        seen.append("back")
        own.pause(12)
        seen.append(clock.now_us)

    start(clock, thrower)
    clock.run()
    assert seen == ["caught", "back", 12, 15]


def test_what_nobody_catches_comes_out_of_throw_and_of_run(clock):
    task = start(clock, lambda task: task.pause(None))
    clock.run()
    with pytest.raises(KeyError):
        task.throw(KeyError())
    other = start(clock, lambda task: {}["x"])
    with pytest.raises(KeyError):
        clock.run()
    assert not clock.running
    other.end()


def test_a_program_that_has_not_begun_never_begins_once_thrown_at(clock):
    seen = []
    for end in (lambda task: task.throw(KeyError()), Task.kill):
        task = start(clock, lambda task: seen.append("begun"))
        end(task)
        assert task.ended
    clock.run()
    assert seen == []


def test_kill_runs_finally_which_cannot_wait(clock):
    seen = []

    def body(task):
        try:
            task.pause(None)
        finally:
            seen.append("a")
            for _ in range(100):
                task.spend(20)
            seen.append("b")
            task.pause(clock.now_us + 1)
            seen.append("c")

    task = start(clock, body)
    clock.run()
    task.kill()
    task.kill()
    clock.run()
    assert seen == ["a", "b"]
    assert (task.ended, clock.now_us) == (True, 0)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("wait", [lambda task: task.pause(None), lambda task: task.spend(50)])
def test_kill_ends_what_will_not_end(clock, wait):
    def body(task):
        while True:
            try:
                wait(task)
            except BaseException:
                pass

    task = start(clock, body)
    clock.run(until_us=1_000)
    task.kill()
    assert task.ended
    clock.run(until_us=2_000)
    assert clock.now_us == 2_000


def test_what_would_not_end_is_left_alone_when_it_is_killed_again(clock):
    turns = []

    def body(task):
        while True:
            try:
                turns.append(1)
                task.pause(None)
            except BaseException:
                pass

    task = start(clock, body)
    clock.run(until_us=1_000)
    task.kill()
    before = len(turns)
    task.kill()
    assert len(turns) == before
    assert task.ended


@pytest.mark.parametrize("seed", range(20))
def test_a_push_that_fails_halfway_leaves_the_others_in_order(clock, monkeypatch, seed):
    """As heapq does when a comparison fails, its caller being nested too deeply: the entry is there all the same."""
    draw = random.Random(seed)
    seen = []

    def push(heap, entry):
        heap.append(entry)
        raise RecursionError

    for number in range(200):
        at_us = draw.randrange(1_000)
        with monkeypatch.context() as patch:
            if number % 3 == 0:
                patch.setattr(heapq, "heappush", push)
                with pytest.raises(RecursionError):
                    clock.call_at(at_us, lambda: seen.append("never"))
                continue
        clock.call_at(at_us, lambda at_us=at_us: seen.append((at_us, clock.now_us)))
    clock.run()
    assert len(seen) == 133
    assert seen == sorted(seen)
    assert all(at_us == now_us for at_us, now_us in seen)


def test_killing_oneself_ends_at_once(clock):
    seen = []

    def body(task):
        try:
            task.kill()
            seen.append("never")
        except GreenletExit:
            seen.append("ended")
            raise

    start(clock, body)
    clock.run()
    assert seen == ["ended"]


def test_what_surrounds_a_switch_is_called_on_both_sides(clock):
    seen = []

    def around(name):
        def leave():
            seen.append(f"leave {name}")
            return lambda: seen.append(f"back {name}")

        return leave

    def body(task):
        task.pause(5)

    for name in "ab":
        start(clock, body).around_switch = around(name)
    clock.run()
    assert seen == ["leave a", "leave b", "back a", "back b"]


def test_endless_is_later_than_anything(clock):
    assert clock.run(until_us=ENDLESS_US) is False
    assert clock.now_us == 0

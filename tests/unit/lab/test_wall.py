"""The wall clock: what runs when, how the hub waits, and what a program that computes lets through.

The host is one that a test moves: time passes where the hub waits, and where a program says that it computes.
"""

import itertools
import os
import resource
import threading
import time

import pytest
from greenlet import GreenletExit
from hypothesis import given
from hypothesis import strategies as st

from espnow.lab.console import LabConsole
from espnow.lab.host import HostInput
from espnow.lab.wall import HostWait, WallClock


def start(clock, body):
    """Make a task of a function that gets its task, and let it begin."""
    task = clock.task(lambda: (body(task), task.end()))
    task.wake()
    return task


# Events.


@given(plan=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9), st.booleans())))
def test_events_run_when_due_or_later_and_in_order(fake_host, plan):
    host = fake_host()
    clock = WallClock(host, time_ns=host.time_ns)
    seen = []

    def event(number, at_us, takes_us):
        seen.append((at_us, number, clock.now_us))
        host.compute(takes_us)

    timers = [
        clock.call_at(at_us, lambda n=n, at=at_us, us=takes_us: event(n, at, us))
        for n, (at_us, takes_us, _) in enumerate(plan)
    ]
    for timer, (_, _, cancelled) in zip(timers, plan, strict=True):
        if cancelled:
            timer.cancel()
    assert clock.run(until_us=500) is False
    assert clock.now_us == 500
    kept = [(at_us, n) for n, (at_us, _, cancelled) in enumerate(plan) if not cancelled]
    assert [(at_us, n) for at_us, n, _ in seen] == sorted(kept)
    free_us = 0
    for at_us, number, ran_us in seen:
        assert ran_us == max(at_us, free_us)
        free_us = ran_us + plan[number][1]


def test_time_begins_where_it_is_said_to(host):
    host.ns = 5_000_000
    assert WallClock(host, time_ns=host.time_ns).now_us == 0
    assert WallClock(host, time_ns=host.time_ns, start_ns=2_000_000).now_us == 3_000


def test_a_run_ends_with_its_condition_its_time_or_an_interruption(clock, host):
    assert clock.run(condition=lambda: clock.now_us >= 0) is True
    clock.call_at(70, lambda: None)
    assert clock.run(condition=lambda: clock.now_us >= 70) is True
    assert clock.now_us == 70
    assert clock.run(until_us=90, condition=lambda: False) is False
    host.at(120, clock.interrupt)
    with pytest.raises(KeyboardInterrupt):
        clock.run()
    assert (clock.now_us, clock.interrupted, clock.running) == (120, False, False)
    clock.interrupt()
    with pytest.raises(KeyboardInterrupt):
        clock.run(until_us=0)


def test_an_event_that_raises_ends_the_run_and_not_the_clock(clock):
    seen = []
    clock.call_at(1, lambda: 1 / 0)
    clock.call_at(2, lambda: seen.append(1))
    with pytest.raises(ZeroDivisionError):
        clock.run()
    clock.run(until_us=5)
    assert seen == [1]


# Other threads.


def test_what_is_posted_runs_in_the_hub_as_soon_as_it_is_woken(clock, host):
    seen = []
    host.at(40, lambda: (clock.post(lambda *given: seen.append((clock.now_us, given)), "a", 1), clock.wake()))
    host.at(90, lambda: (clock.post(lambda: seen.append(clock.now_us)), clock.wake()))
    clock.run(until_us=100)
    assert seen == [(40, ("a", 1)), 90]
    assert not host.woken


def test_nobody_is_woken_that_does_not_wait(clock, host):
    clock.wake()
    assert not host.woken
    seen = []
    clock.post(seen.append, 1)
    clock.run(until_us=1)
    assert seen == [1]
    assert 0.0 not in host.waits[1:]


def test_what_is_posted_while_the_hub_is_about_to_wait_is_not_waited_over(clock, host):
    seen = []
    asked = []

    def condition():  # the last that is asked before the wait
        if not asked:
            asked.append(1)
            clock.post(lambda: seen.append(clock.now_us))
            clock.wake()
        return False

    clock.run(until_us=50, condition=condition)
    assert seen == [0]


def test_posts_of_a_real_thread_all_arrive_and_wake():
    clock = WallClock()
    seen = []

    def work():
        for number in range(2_000):
            clock.post(seen.append, number)
            clock.wake()
            if number % 100 == 0:  # so that the hub comes to wait
                while len(seen) <= number:
                    time.sleep(0)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert clock.run(until_us=clock.now_us + 20_000_000, condition=lambda: len(seen) == 2_000)
    finally:
        thread.join()
        clock.close()
        clock.close()
    assert seen == list(range(2_000))


# Programs that wait.


def test_a_program_sleeps_until_its_time_or_its_wake(clock, host):
    seen = []

    def body(task):
        task.pause(30)
        seen.append(clock.now_us)
        task.pause(1_000)
        seen.append(clock.now_us)
        task.pause(None)
        seen.append(clock.now_us)

    task = start(clock, body)
    host.at(50, lambda: (clock.post(task.wake), clock.wake()))
    clock.call_at(2_000, task.wake)
    clock.run(until_us=3_000)
    assert seen == [30, 50, 2_000]
    assert task.ended


def test_a_hub_that_waits_for_nobody_waits_once(clock, host):
    start(clock, lambda task: task.pause(5_000))
    clock.run(until_us=5_000)
    assert host.waits == [pytest.approx(5e-3)]


# Programs that compute.


def test_a_program_that_computes_is_charged_nothing_and_asks_the_host_for_nothing(clock, host):
    steps = []

    def body(task):
        for _ in range(1_000):
            steps.append(clock.now_us)
            task.spend(1_000_000)

    start(clock, body)
    clock.run(condition=lambda: len(steps) == 1_000)
    assert steps == [0] * 1_000
    assert host.waits == []


@pytest.mark.parametrize("watched", [False, True])
def test_events_and_posts_come_between_the_steps_of_a_program(clock, host, watched):
    seen = []

    def body(task):
        while not task.over:
            host.compute(7)
            task.spend(1)

    body_task = clock.task(lambda: (body(state), body_task.end()))
    state = type("State", (), {"over": False, "spend": body_task.spend})
    body_task.wake()
    host.at(100, lambda: (clock.post(lambda: seen.append(("post", clock.now_us))), clock.wake()))
    for at_us in (30, 33, 35, 200):
        clock.call_at(at_us, lambda at_us=at_us: seen.append((at_us, clock.now_us)))
    clock.call_at(300, lambda: setattr(state, "over", True))
    clock.run(until_us=400, condition=(lambda: False) if watched else None)
    # At the first step after they are due: steps end at multiples of 7.
    assert seen == [(30, 35), (33, 35), (35, 35), ("post", 105), (200, 203)]
    assert body_task.ended


def test_an_event_that_the_program_itself_makes_is_not_overlooked(clock, host):
    seen = []

    def body(task):
        clock.call_at(20, lambda: seen.append(clock.now_us))
        while not seen:
            host.compute(7)
            task.spend(1)

    start(clock, body)
    clock.run(until_us=1_000)
    assert seen == [21]


def test_programs_that_compute_take_turns(clock, host):
    turns = []

    def body(name):
        def run(task):
            for _ in range(3):
                turns.append(name)
                host.compute(1)
                task.spend(1)

        return run

    for name in "abc":
        start(clock, body(name))
    clock.run(condition=lambda: len(turns) == 9)
    assert "".join(turns) == "abcabcabc"


def test_a_condition_is_asked_every_millisecond_of_a_program_that_computes(clock, host):
    asked = []

    def body(task):
        while True:
            host.compute(100)
            task.spend(1)

    task = start(clock, body)
    clock.run(until_us=10_000, condition=lambda: asked.append(clock.now_us))
    assert max(later - earlier for earlier, later in itertools.pairwise(asked)) <= 1_100
    assert len(asked) <= 12
    assert clock.now_us < 10_200
    task.kill()


def test_a_run_ends_in_time_and_the_next_goes_on_with_the_same_program(clock, host):
    steps = []

    def body(task):
        while True:
            host.compute(10)
            steps.append(clock.now_us)
            task.spend(1)

    task = start(clock, body)
    for until_us in (100, 200):
        clock.run(until_us=until_us)
        assert until_us <= clock.now_us <= until_us + 20
    assert steps == list(range(10, steps[-1] + 1, 10))
    task.kill()


def test_ctrl_c_reaches_a_program_that_computes_and_may_be_answered_there(clock, host):
    seen = []

    def body(task):
        try:
            while True:
                host.compute(10)
                task.spend(1)
        except KeyboardInterrupt:
            seen.append("caught")
        task.pause(clock.now_us + 1_000)
        seen.append("went on")

    task = start(clock, body)
    host.at(500, clock.interrupt)
    with pytest.raises(KeyboardInterrupt):
        clock.run()
    assert clock.now_us <= 520
    task.throw(KeyboardInterrupt())
    assert seen == ["caught"]
    assert not task.ended
    clock.run(condition=lambda: task.ended)
    assert seen == ["caught", "went on"]


def test_what_swallows_an_interruption_and_computes_gives_control_back(clock, host):
    def body(task):
        while True:
            try:
                while True:
                    host.compute(10)
                    task.spend(1)
            except KeyboardInterrupt:
                pass

    task = start(clock, body)
    clock.run(until_us=100)
    task.throw(KeyboardInterrupt())
    assert not task.ended
    clock.run(until_us=200)
    task.kill()
    assert task.ended


def test_a_program_that_is_killed_has_its_last_steps_and_no_more(clock, host):
    left = []

    def body(task):
        try:
            while True:
                host.compute(10)
                task.spend(1)
        finally:
            while True:
                left.append(1)
                task.spend(1)

    task = start(clock, body)
    clock.run(until_us=100)
    task.kill()
    assert task.ended
    assert 100 < len(left) < 2_000
    with pytest.raises(GreenletExit):
        waiting = clock.task(lambda: None)
        waiting.doom()
        waiting.refuse()


def test_a_look_from_outside_of_the_program_changes_nothing(clock):
    task = start(clock, lambda task: task.pause(None))
    task.spend(5)
    clock.post(lambda: task.spend(5))
    clock.run(until_us=10)
    task.spend(5)
    task.kill()
    for _ in range(3):
        task.spend(5)
    assert task.ended


def test_what_is_kept_per_thread_is_kept_around_each_turn(clock, host):
    calls = []

    def around():
        calls.append("away")
        return lambda: calls.append("back")

    def body(task):
        task.around_switch = around
        host.compute(100)
        task.spend(1)
        task.pause(500)

    clock.call_at(50, lambda: calls.append("event"))
    start(clock, body)
    clock.run(until_us=1_000)
    assert calls == ["away", "event", "back", "away", "back"]


# Input.


@pytest.fixture
def typed(clock):
    """Standard input: a function that types, and its console."""
    reading, writing = os.pipe()
    clock.input = HostInput(reading, clock, paced=True)
    console = LabConsole()
    console.source = clock.input
    yield lambda data: os.write(writing, data), console, writing
    os.close(reading)
    os.close(writing)


def test_input_wakes_who_waits_for_it(clock, host, typed):
    type_, console, _ = typed
    lines = []

    def body(task):
        console.wake = task.wake
        for _ in range(2):
            while (line := console.read_line()) is None:
                task.pause(None)
            lines.append((line, clock.now_us))

    task = start(clock, body)
    host.at(300, lambda: (type_(b"one\r\ntwo"), clock.wake()))  # a descriptor that is ready ends the wait as this does
    host.at(900, lambda: (type_(b"!\n"), clock.wake()))
    clock.run(condition=lambda: task.ended)
    assert lines == [("one\n", 300), ("two!\n", 900)]


def read_two(clock, console):
    """Start a program that reads two lines, and return them and its task."""
    lines = []

    def body(task):
        console.wake = task.wake
        for _ in range(2):
            while (line := console.read_line()) is None:
                task.pause(None)
            lines.append(line)

    return lines, start(clock, body)


def test_an_interruption_comes_before_input_that_is_read_after_it(clock, host, typed):
    type_, console, _ = typed
    lines, task = read_two(clock, console)
    host.at(300, lambda: (clock.interrupt(), type_(b"one\ntwo\n")))
    host.at(400, clock.wake)
    with pytest.raises(KeyboardInterrupt):
        clock.run(condition=lambda: task.ended)
    assert lines == []
    clock.run(condition=lambda: task.ended)
    assert lines == ["one\n", "two\n"]


@pytest.mark.parametrize("parts", [False, True])
def test_an_interruption_comes_before_input_that_was_read_and_not_taken(clock, typed, parts):
    type_, console, _ = typed
    type_(b"one\ntwo\nthree")
    assert console.read_line() == "one\n"
    lines, task = read_two(clock, console)
    clock.interrupt()
    assert not console.has_input()
    with pytest.raises(KeyboardInterrupt):
        clock.run(condition=lambda: task.ended)
    assert lines == []
    clock.run(clock.now_us)
    assert lines == ["two\n"]
    if parts:
        assert console.has_part()
        clock.interrupt()
        assert (console.has_part(), console.read_part()) == (False, "")
        with pytest.raises(KeyboardInterrupt):
            clock.run()
        assert console.read_part() == "three"


def test_input_is_looked_at_while_another_program_computes(clock, host, typed):
    type_, console, _ = typed
    lines = []

    def reader(task):
        console.wake = task.wake
        while (line := console.read_line()) is None:
            task.pause(None)
        lines.append((line, clock.now_us))

    def computer(task):
        while not lines:
            host.compute(50)
            task.spend(1)

    start(clock, reader)
    start(clock, computer)
    start(clock, computer)
    host.at(5_000, lambda: type_(b"x\n"))
    clock.run(until_us=20_000, condition=lambda: bool(lines))
    (_, at_us), *_ = lines
    assert 5_000 <= at_us <= 6_200
    assert len(host.waits) <= 10


@pytest.mark.parametrize(
    ("pieces", "parts", "line"),
    [
        ([b"y"], ["y"], None),
        ([b"ab", b"c\n"], ["ab"], "c\n"),
        (["ä".encode()[:1], "ä".encode()[1:]], ["", "ä"], None),
        (["€".encode()[:2], "€".encode()[2:]], ["", "€"], None),
        ([b"x" + "😀".encode()[:3], "😀".encode()[3:] + b"\n"], ["x"], "😀\n"),
        ([b"end\r", b"\n"], ["end"], "\n"),
        ([b"\xff"], ["�"], None),
        ([b"whole\n"], [""], "whole\n"),
    ],
)
def test_a_part_of_a_line_can_be_read_in_whole_characters(clock, typed, pieces, parts, line):
    type_, console, _ = typed
    got = []
    for piece in pieces:
        type_(piece)
        if console.has_input():
            break
        assert console.has_part() == (parts[len(got)] != "")
        got.append(console.read_part())
    assert got == (parts if line != "whole\n" else [])
    assert console.read_line() == line


# The real host.


def test_a_wait_ends_with_its_time_a_descriptor_or_a_wake():
    host = HostWait()
    reading, writing = os.pipe()
    try:
        assert host.wait(0.001, (reading,)) == set()
        os.write(writing, b"x")
        assert host.wait(20, (reading,)) == {reading}
        thread = threading.Thread(target=host.wake)
        thread.start()
        assert host.wait(20, ()) == set()
        thread.join()
        for _ in range(100_000):  # more than a pipe takes
            host.wake()
        began = time.monotonic()
        while host.wait(0.0, ()):
            pass
        os.close(reading)
        assert host.wait(20, (reading,)) == {reading}  # it is no more: using it tells
        assert time.monotonic() - began < 10
    finally:
        os.close(writing)
        host.close()


def test_descriptors_beyond_the_limit_of_select_are_waited_for():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1_200:
        pytest.skip(f"this host allows {hard} descriptors only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1_200), hard))
    host = HostWait()
    reading, writing = os.pipe()
    high = os.dup2(reading, 1_100)
    try:
        assert host.wait(0.0, (high,)) == set()
        os.write(writing, b"x")
        assert host.wait(20, (high,)) == {high}
    finally:
        for fd in (reading, writing, high):
            os.close(fd)
        host.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

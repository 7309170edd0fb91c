"""Time: sleeping in virtual time, tick arithmetic on the ring, the calendar from 2000."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.board.board import TICKS_PERIOD
from espnow.micropython.time import calendar, mktime, ticks_add, ticks_diff

ticks = st.integers(0, TICKS_PERIOD - 1)
deltas = st.integers(-TICKS_PERIOD // 2 + 1, TICKS_PERIOD // 2 - 1)


@pytest.mark.parametrize(
    ("end", "start", "difference"),
    [
        (0, 0, 0),
        (5, 3, 2),
        (3, 5, -2),
        (0, TICKS_PERIOD - 1, 1),
        (TICKS_PERIOD - 1, 0, -1),
        (10, TICKS_PERIOD - 10, 20),
        (TICKS_PERIOD // 2 - 1, 0, TICKS_PERIOD // 2 - 1),
        (TICKS_PERIOD // 2, 0, -TICKS_PERIOD // 2),
        (0, TICKS_PERIOD // 2, -TICKS_PERIOD // 2),
    ],
)
def test_ticks_diff(end, start, difference):
    assert ticks_diff(end, start) == difference


@pytest.mark.parametrize(
    ("start", "delta", "end"),
    [
        (0, 0, 0),
        (0, -1, TICKS_PERIOD - 1),
        (TICKS_PERIOD - 1, 1, 0),
        (TICKS_PERIOD - 5, 10, 5),
        (7, TICKS_PERIOD // 2 - 1, TICKS_PERIOD // 2 + 6),
    ],
)
def test_ticks_add(start, delta, end):
    assert ticks_add(start, delta) == end


@pytest.mark.parametrize("delta", [TICKS_PERIOD // 2, -TICKS_PERIOD // 2, 1 << 40])
def test_ticks_add_refuses_what_ticks_diff_cannot_tell(delta):
    with pytest.raises(OverflowError, match="ticks interval overflow"):
        ticks_add(0, delta)


@given(ticks, deltas)
def test_ticks_diff_undoes_ticks_add(start, delta):
    end = ticks_add(start, delta)
    assert 0 <= end < TICKS_PERIOD
    assert ticks_diff(end, start) == delta
    assert ticks_diff(start, end) == -delta


@given(ticks, ticks)
def test_ticks_diff_stays_on_the_ring(end, start):
    difference = ticks_diff(end, start)
    assert -TICKS_PERIOD // 2 <= difference < TICKS_PERIOD // 2
    assert (start + difference) % TICKS_PERIOD == end


@pytest.mark.parametrize(
    ("call", "us"),
    [
        ("sleep(1)", 1_000_000),
        ("sleep(0.25)", 250_000),
        ("sleep(True)", 1_000_000),
        ("sleep_ms(3)", 3_000),
        ("sleep_us(7)", 7),
        ("sleep(-1)", 5),
        ("sleep(0)", 5),
        ("sleep_ms(0)", 5),
        ("sleep_ms(-3)", 5),
        ("sleep_us(-3)", 5),
    ],
)
def test_sleeping_lets_time_pass(rig, call, us):
    rig.run(f"from time import *\n{call}")
    assert rig.clock.now_us == us


@pytest.mark.parametrize(
    "call",
    [
        "sleep()",
        "sleep('1')",
        "sleep(None)",
        "sleep_ms(1.5)",
        "sleep_ms('1')",
        "sleep_us(None)",
        "localtime('1')",
        "mktime(5)",
        "mktime((2000, 1, 1))",
        "ticks_add(0, 1.5)",
        "ticks_diff(0)",
    ],
)
def test_bad_arguments_are_type_errors(rig, call):
    with pytest.raises(TypeError):
        rig.run(f"from time import *\n{call}")
    assert rig.clock.now_us == 0


def test_callbacks_run_during_a_sleep_and_do_not_shorten_it(rig):
    rig.at(10, lambda: rig.board.schedule(lambda _: rig.console.write(f"{rig.clock.now_us}\n"), None))
    rig.run("import time\ntime.sleep_ms(30)")
    assert rig.console.text == "10000\n"
    assert rig.clock.now_us == 30_000


def test_counters_count_from_boot_and_wrap(make_rig):
    rig = make_rig()
    time = rig.module("time")
    rig.clock.now_us = rig.board.boot_us = 5_000_000
    rig.board.power.switch_on(rig.clock.now_us)
    assert (time.ticks_us(), time.ticks_ms(), time.time()) == (5, 0, 0)
    rig.clock.now_us = rig.board.boot_us + TICKS_PERIOD - 2
    assert time.ticks_us() == 3
    rig.clock.now_us = rig.board.boot_us + TICKS_PERIOD * 1000 - 5
    assert time.ticks_ms() == 0
    assert time.time_ns() == TICKS_PERIOD * 1_000_000 + 5_000


def test_the_calendar_goes_on_when_the_ticks_begin_anew(rig):
    time = rig.module("time")
    time.sleep(5)
    rig.board.boot_us = rig.clock.now_us
    assert (time.ticks_ms(), time.time(), time.localtime()[5]) == (0, 5, 5)
    rig.board.power.calendar_us += 3_600_000_000
    assert (time.time(), time.localtime()[3:6], time.time_ns() // 1_000_000_000) == (3_605, (1, 0, 5), 3_605)


@pytest.mark.parametrize(("profile", "cycles"), [("esp32", 160), ("esp8266", 80)])
def test_ticks_cpu_counts_cycles(make_rig, profile, cycles):
    time = make_rig(profile).module("time")
    before = time.ticks_cpu()
    time.sleep_us(10)
    assert time.ticks_diff(time.ticks_cpu(), before) == 15 * cycles


def test_a_loop_that_polls_the_time_ends(rig):
    rig.run(
        "import time\nend = time.ticks_add(time.ticks_ms(), 20)\nwhile time.ticks_diff(end, time.ticks_ms()) > 0: pass"
    )
    assert rig.clock.now_us >= 20_000


@pytest.mark.parametrize(
    ("seconds", "when"),
    [
        (0, (2000, 1, 1, 0, 0, 0, 5, 1)),
        (59, (2000, 1, 1, 0, 0, 59, 5, 1)),
        (366 * 86400 - 1, (2000, 12, 31, 23, 59, 59, 6, 366)),
        (366 * 86400, (2001, 1, 1, 0, 0, 0, 0, 1)),
        (757382400, (2024, 1, 1, 0, 0, 0, 0, 1)),
    ],
)
def test_calendar(rig, seconds, when):
    time = rig.module("time")
    assert time.localtime(seconds) == time.gmtime(seconds) == when
    assert time.mktime(when) == seconds
    assert time.mktime((*when, 0)) == seconds


@given(seconds=st.integers(0, 2**32))
def test_mktime_undoes_localtime(seconds):
    when = calendar(seconds)
    assert mktime(when) == seconds
    assert datetime.date(*when[:3]).timetuple()[6:8] == when[6:]


def test_mktime_carries_over(rig):
    mktime = rig.module("time").mktime
    assert mktime((2000, 13, 1, 0, 0, 0, 0, 0)) == mktime((2001, 1, 1, 0, 0, 0, 0, 0))
    assert mktime((2000, 0, 1, 0, 0, 0, 0, 0)) == mktime((1999, 12, 1, 0, 0, 0, 0, 0))
    assert mktime((2000, 1, 32, 25, 61, 61, 0, 0)) == mktime((2000, 2, 2, 2, 2, 1, 0, 0))


def test_localtime_without_a_time_is_now(rig):
    rig.clock.now_us = 86_400_000_000
    assert rig.module("time").localtime(None) == (2000, 1, 2, 0, 0, 0, 6, 2)
    assert rig.module("time").localtime() == (2000, 1, 2, 0, 0, 0, 6, 2)

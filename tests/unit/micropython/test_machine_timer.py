"""machine.Timer, WDT and RTC."""

import dataclasses
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.testing import Bench


@pytest.fixture
def machine(rig):
    return rig.module("machine")


@pytest.fixture
def esp8266(make_rig):
    return make_rig("esp8266")


# Timer

TIMES = [
    ({"period": 100}, [100, 200, 300]),
    ({"period": 100, "mode": "PERIODIC"}, [100, 200, 300]),
    ({"period": 100, "mode": "ONE_SHOT"}, [100]),
    ({"freq": 4}, [250]),
    ({"freq": 2.5, "mode": "PERIODIC"}, []),
    ({"period": 1, "tick_hz": 5}, [200]),
]


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
@pytest.mark.parametrize("number", [-1, 0, 3])
@pytest.mark.parametrize(("keywords", "times"), TIMES)
def test_timer(make_rig, profile, number, keywords, times):
    rig = make_rig(profile)
    Timer = rig.module("machine").Timer
    if "mode" in keywords:
        keywords = {**keywords, "mode": getattr(Timer, keywords["mode"])}
    calls = []
    Timer(number).init(
        callback=lambda timer: calls.append((rig.clock.now_us // 1000, type(timer) is Timer)), **keywords
    )
    rig.module("time").sleep_ms(350)
    assert calls == [(ms, True) for ms in times]


def test_numbers_of_timer(machine):
    assert (machine.Timer.ONE_SHOT, machine.Timer.PERIODIC) == (0, 1)


def test_a_timer_begins_with_the_constructor_and_ends_with_deinit(rig, machine):
    time = rig.module("time")
    calls = []
    timer = machine.Timer(1, period=10, callback=calls.append)
    assert repr(timer) == "Timer(1, mode=PERIODIC, period=10)"
    time.sleep_ms(25)
    assert calls == [timer, timer]
    assert 5 <= timer.value() < 6
    assert rig.board.ports.armed
    machine.Timer(1).deinit()  # the same timer of the chip
    time.sleep_ms(25)
    assert len(calls) == 2
    assert not rig.board.ports.armed


def test_a_callback_may_end_its_timer(rig, machine):
    calls = []

    def once(timer):
        calls.append(timer)
        timer.deinit()

    machine.Timer(-1).init(period=10, callback=once)
    rig.module("time").sleep_ms(100)
    assert len(calls) == 1


def test_a_timer_without_a_callback(rig, machine):
    machine.Timer(0).init(period=10)
    rig.module("time").sleep_ms(25)
    assert not rig.board.ports.armed


def test_the_shortest_period_is_not_zero(rig, machine):
    calls = []
    machine.Timer(0).init(period=0, callback=calls.append)
    rig.module("time").sleep_us(120)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("number", "keywords", "message"),
    [
        (4, {}, "invalid Timer number, max 4"),
        (-2, {}, "invalid Timer number"),
        (0, {"hard": True}, "hard Timers"),
        (-1, {"period": 0}, "period too small"),
        (-1, {"freq": 2_000}, "period too small"),
        (0, {"freq": 0}, "freq must be above 0"),
    ],
)
def test_refusals_of_timer(machine, number, keywords, message):
    with pytest.raises(ValueError, match=message):
        machine.Timer(number).init(**keywords)


def test_timers_of_an_esp8266_are_all_different(esp8266):
    machine = esp8266.module("machine")
    calls = []
    machine.Timer(0).init(period=10, mode=machine.Timer.ONE_SHOT, callback=lambda _: calls.append("a"))
    machine.Timer(0, period=10, mode=machine.Timer.ONE_SHOT, callback=lambda _: calls.append("b"))
    machine.Timer(7).init(freq=1_000_000, callback=None)
    esp8266.module("time").sleep_ms(20)
    assert calls == ["a", "b"]


# WDT


def with_wdt(rig):
    """Return the module, and the list of the times at which the watchdog bit."""
    bitten = []
    rig.services = dataclasses.replace(rig.services, wdt_reset=lambda: bitten.append(rig.clock.now_us // 1000))
    return rig.module("machine"), bitten


@pytest.mark.parametrize(("arguments", "ms"), [((), 5_000), ((0,), 5_000), ((0, 2_000), 2_000)])
def test_wdt(rig, arguments, ms):
    machine, bitten = with_wdt(rig)
    time = rig.module("time")
    wdt = machine.WDT(*arguments)
    time.sleep_ms(ms - 10)
    wdt.feed()
    time.sleep_ms(ms - 10)
    assert bitten == []
    time.sleep_ms(20)
    assert bitten == [2 * ms - 10]


def test_wdt_of_a_later_start_bites_through_its_own_services(rig):
    _, first = with_wdt(rig)
    rig.module("machine").WDT(timeout=1_000)
    rig.modules.clear()
    machine, second = with_wdt(rig)
    machine.WDT(timeout=1_000)
    rig.clock.move(2_000_000)
    assert (first, second) == ([], [1_000])


def test_refusals_of_wdt(machine):
    for arguments in ({"id": 1}, {"timeout": 0}):
        with pytest.raises(ValueError, match="WDT"):
            machine.WDT(**arguments)


def test_wdt_of_an_esp8266(esp8266):
    machine, bitten = with_wdt(esp8266)
    with pytest.raises(TypeError):
        machine.WDT(timeout=1_000)
    with pytest.raises(ValueError, match="doesn't exist"):
        machine.WDT(1)
    machine.WDT().feed()
    esp8266.module("time").sleep(4)
    assert bitten == [3_200]


# RTC


def test_the_calendar_begins_in_2000(rig, machine):
    assert machine.RTC().datetime() == (2000, 1, 1, 5, 0, 0, 0, 5)
    assert machine.RTC() is machine.RTC()


moments = st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2090, 1, 1))


@given(moments)
def test_what_is_set_is_what_comes_back(moment):
    for profile, unit in (("esp32", 1), ("esp8266", 1_000)):
        bench = Bench(profile)
        machine, time = bench.module("machine"), bench.module("time")
        fields = (moment.year, moment.month, moment.day, 6, moment.hour, moment.minute, moment.second)
        machine.RTC().datetime((*fields, moment.microsecond // unit))
        later = moment.replace(microsecond=moment.microsecond // unit * unit) + datetime.timedelta(microseconds=5)
        read = machine.RTC().datetime()
        assert read[:3] + read[4:] == (
            later.year, later.month, later.day, later.hour, later.minute, later.second, later.microsecond // unit
        )  # fmt: skip
        assert read[3] == later.weekday()
        later += datetime.timedelta(microseconds=5)
        assert time.localtime()[:6] == later.timetuple()[:6]
        assert time.time() == (later - datetime.datetime(2000, 1, 1)) // datetime.timedelta(seconds=1)


def test_init_sets_the_calendar_too(rig, machine):
    machine.RTC().init([2024, 2, 29, 0, 12, 30, 0, 0])
    assert machine.RTC().datetime()[:6] == (2024, 2, 29, 3, 12, 30)


def test_refusals_of_datetime(machine):
    with pytest.raises(TypeError, match="isn't a tuple or list"):
        machine.RTC().datetime(5)
    with pytest.raises(ValueError, match="requested length 8 but object has length 7"):
        machine.RTC().datetime((2024, 2, 29, 0, 12, 30, 0))


@pytest.mark.parametrize(("profile", "longest"), [("esp32", 2048), ("esp8266", 492)])
def test_memory(make_rig, profile, longest):
    rig = make_rig(profile)
    rtc = rig.module("machine").RTC()
    assert rtc.memory() == b""
    for content, held in [(b"abc", b"abc"), ("äb", "äb".encode()), (bytearray(longest), bytes(longest)), (b"", b"")]:
        rtc.memory(content)
        assert rtc.memory() == held == rig.board.power.memory
    with pytest.raises(ValueError, match="buffer too long"):
        rtc.memory(bytes(longest + 1))
    with pytest.raises(TypeError):
        rtc.memory(5)
    rig.board.reset()
    rtc.memory(b"kept")
    rig.board.reset()
    assert rtc.memory() == b"kept"


def test_alarm_of_an_esp8266(esp8266):
    machine = esp8266.module("machine")
    rtc = machine.RTC()
    assert rtc.ALARM0 == 0
    rtc.irq(trigger=rtc.ALARM0, wake=machine.DEEPSLEEP)
    rtc.alarm(rtc.ALARM0, 10_000)
    esp8266.clock.move(4_000_000)
    assert rtc.alarm_left() == rtc.alarm_left(0) == 6_000
    esp8266.clock.move(20_000_000)
    assert rtc.alarm_left() == 0
    esp8266.board.reset()
    assert esp8266.board.ports.alarm == (0, 0)
    for call in (lambda: rtc.alarm(1, 5), lambda: rtc.alarm_left(1), lambda: rtc.irq(trigger=1)):
        with pytest.raises(ValueError, match="invalid alarm"):
            call()

"""machine itself: names, identity, sleeps and their wake sources, pulses, memory."""

import ast
import dataclasses
import importlib
import re
from pathlib import Path

import pytest

from espnow.board import PowerState, ResetCause, WakePins, WakeReason
from espnow.board.ports import TOUCH
from espnow.micropython import BUILDERS

#: The page about pins.
HARDWARE = Path(__file__).parents[3] / "docs" / "hardware.md"


class Slept(Exception):
    """What deepsleep raises here: ms, and the pins that would wake."""


@pytest.fixture
def make_sleeper(make_rig):
    def make(profile="esp32"):
        rig = make_rig(profile)
        rig.slept = []

        def light(ms):
            rig.slept.append((ms, dict(rig.board.power.wake_pins)))
            rig.clock.move(rig.clock.now_us + (ms or 0) * 1000)

        def deep(ms):
            raise Slept(ms, dict(rig.board.power.wake_pins))

        rig.services = dataclasses.replace(rig.services, lightsleep=light, deepsleep=deep)
        return rig

    return make


@pytest.fixture
def sleeper(make_sleeper):
    return make_sleeper()


@pytest.fixture
def machine(rig):
    return rig.module("machine")


# Names

COMMON = {
    "ADC", "DEEPSLEEP", "DEEPSLEEP_RESET", "HARD_RESET", "I2C", "IDLE", "PWM", "PWRON_RESET", "Pin", "RTC", "SLEEP",
    "SOFT_RESET", "SPI", "Signal", "SoftI2C", "SoftSPI", "Timer", "UART", "WDT", "WDT_RESET", "bitstream", "deepsleep",
    "dht_readinto", "disable_irq", "enable_irq", "freq", "idle", "lightsleep", "mem16", "mem32", "mem8", "reset",
    "reset_cause", "sleep", "soft_reset", "time_pulse_us", "unique_id",
}  # fmt: skip
ESP32 = {
    "ADCBlock", "Counter", "DAC", "EXT0_WAKE", "EXT1_WAKE", "Encoder", "I2S", "PIN_WAKE", "SDCard", "TIMER_WAKE",
    "TOUCHPAD_WAKE", "TouchPad", "ULP_WAKE", "wake_reason",
}  # fmt: skip


@pytest.mark.parametrize(("profile", "names"), [("esp32", COMMON | ESP32), ("esp8266", COMMON)])
def test_names(make_rig, profile, names):
    rig = make_rig(profile)
    machine = rig.module("machine")
    assert machine.__name__ == "machine"
    assert set(dir(machine)) == set(machine.__all__) == names
    taken = rig.run("from machine import *")
    assert names <= taken.keys()
    assert all(getattr(machine, name) is not None for name in names)
    with pytest.raises(AttributeError, match="module 'machine' has no attribute 'CAN'"):
        _ = machine.CAN


def test_names_that_an_esp8266_lacks(make_rig):
    machine = make_rig("esp8266").module("machine")
    assert [name for name in sorted(ESP32) if hasattr(machine, name)] == []


@pytest.mark.parametrize(
    ("profile", "numbers"),
    [
        (
            "esp32",
            {
                "PWRON_RESET": 1, "HARD_RESET": 2, "WDT_RESET": 3, "DEEPSLEEP_RESET": 4, "SOFT_RESET": 5, "SLEEP": 2,
                "DEEPSLEEP": 4, "PIN_WAKE": 2, "EXT0_WAKE": 2, "EXT1_WAKE": 3, "TIMER_WAKE": 4, "TOUCHPAD_WAKE": 5,
                "ULP_WAKE": 6,
            },
        ),
        (
            "esp8266",
            {"PWRON_RESET": 0, "HARD_RESET": 6, "WDT_RESET": 1, "DEEPSLEEP_RESET": 5, "SOFT_RESET": 4, "DEEPSLEEP": 4},
        ),
    ],
)  # fmt: skip
def test_numbers(make_rig, profile, numbers):
    machine = make_rig(profile).module("machine")
    assert {name: getattr(machine, name) for name in numbers} == numbers


def test_classes_are_made_once_for_a_board(rig):
    before = rig.module("machine").Pin
    rig.modules.clear()
    assert rig.module("machine").Pin is before


def test_umachine_is_machine(rig):
    assert rig.module("umachine") is rig.module("machine")


# The page


def rows(first_header):
    """Return the rows of the page's table with this first header."""
    table = HARDWARE.read_text().partition(f"\n| {first_header} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


@pytest.mark.parametrize("row", rows("module"), ids=lambda row: row[0])
def test_what_the_page_says_that_a_module_has(rig, row):
    module = rig.module(row[0].strip("`"))
    for cell, there in ((row[1], True), (row[2], False)):
        for name in re.findall(r"`([A-Za-z]\w*)`", cell):
            if name not in ("deepsleep", "sleep_type"):  # an ESP8266's
                assert hasattr(module, name) == there, name


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("the range of the ADC of an ESP32", (1.1, 1.5, 2.2, 3.3)),
        ("the range of the ADC of an ESP8266", 1.0),
        ("the count of a touch pad", 600),
        ("a call that reads a pin or the ADC", 5),
        ("the shortest period of a timer", 50),
        ("the watchdog of an ESP8266", 3_200_000),
        ("the temperature of the chip", 40),
        ("the flash", 4 << 20),
    ],
)
def test_what_the_page_assumes_is_what_the_code_says(what, value):
    text, where = next(row[1:] for row in rows("what") if row[0] == what)
    module, _, name = where.split("`")[1].rpartition(".")
    assert getattr(importlib.import_module(module), name) == value
    first = ast.literal_eval(re.match(r"[\d.]+", text)[0])
    scale = {"3.2 s": 1_000_000, "4 MiB": 1 << 20}.get(text, 1)
    assert first * scale == (value[0] if isinstance(value, tuple) else value)


# Identity and causes


def test_unique_id(make_rig):
    assert make_rig().module("machine").unique_id() == bytes.fromhex("18fe34000004")
    assert make_rig("esp8266").module("machine").unique_id() == bytes.fromhex("04000000")


@pytest.mark.parametrize(
    ("profile", "first", "others"), [("esp32", 160, (20, 40, 80, 240, 160)), ("esp8266", 80, (160, 80))]
)
def test_frequencies(make_rig, profile, first, others):
    freq = make_rig(profile).module("machine").freq
    assert freq() == first * 1_000_000
    for megahertz in others:
        freq(megahertz * 1_000_000)
        assert freq() == megahertz * 1_000_000
    with pytest.raises(ValueError, match="frequency must be"):
        freq(120_000_000)


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
@pytest.mark.parametrize("cause", ResetCause)
def test_reset_cause(make_rig, profile, cause):
    rig = make_rig(profile)
    machine = rig.module("machine")
    rig.board.power.reset_cause = cause
    assert machine.reset_cause() == getattr(machine, f"{cause.name}_RESET")
    assert type(machine.reset_cause()) is int


@pytest.mark.parametrize("reason", WakeReason)
def test_wake_reason(rig, machine, reason):
    rig.board.power.wake_reason = reason
    assert machine.wake_reason() == reason.value


def test_irq_state(machine):
    state = machine.disable_irq()
    machine.enable_irq(state)
    machine.enable_irq()


# Sleeps


@pytest.mark.parametrize("call", ["lightsleep", "sleep"])
@pytest.mark.parametrize(
    ("profile", "arguments", "ms"),
    [
        ("esp32", (1_500,), 1_500),
        ("esp32", (), None),
        ("esp32", (None,), None),
        ("esp32", (0,), 0),
        ("esp32", (-1,), None),
        ("esp8266", (1_500,), 1_500),
        ("esp8266", (), 4_294_967),
        ("esp8266", (-1,), 0),
    ],
)
def test_lightsleep(make_sleeper, call, profile, arguments, ms):
    rig = make_sleeper(profile)
    assert getattr(rig.module("machine"), call)(*arguments) is None
    assert rig.slept == [(ms, {})]


@pytest.mark.parametrize(
    ("profile", "arguments", "ms"),
    [
        ("esp32", (60_000,), 60_000),
        ("esp32", (), None),
        ("esp32", (0,), 0),
        ("esp32", (-5,), None),
        ("esp8266", (60_000,), 60_000),
        ("esp8266", (), None),
        ("esp8266", (0,), 1),
    ],
)
def test_deepsleep(make_sleeper, profile, arguments, ms):
    with pytest.raises(Slept) as caught:
        make_sleeper(profile).module("machine").deepsleep(*arguments)
    assert caught.value.args == (ms, {})


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
@pytest.mark.parametrize("call", ["lightsleep", "deepsleep"])
def test_half_a_millisecond_is_refused(make_sleeper, profile, call):
    with pytest.raises(TypeError, match="can't convert float to int"):
        getattr(make_sleeper(profile).module("machine"), call)(0.5)


@pytest.mark.parametrize(
    ("wake", "arguments", "ms"), [(4, (), 8_000), (4, (5_000,), 5_000), (4, (9_000,), 8_000), (0, (), None)]
)
def test_an_alarm_ends_the_deep_sleep_of_an_esp8266(make_sleeper, wake, arguments, ms):
    rig = make_sleeper("esp8266")
    rtc = rig.module("machine").RTC()
    rtc.irq(trigger=rtc.ALARM0, wake=wake)
    rtc.alarm(rtc.ALARM0, 10_000)
    rig.clock.move(2_000_000)
    with pytest.raises(Slept) as caught:
        rig.module("machine").deepsleep(*arguments)
    assert caught.value.args == (ms, {})


def test_timers_and_watchdog_stand_still_in_light_sleep(sleeper):
    machine = sleeper.module("machine")
    calls = []
    machine.Timer(0).init(period=100, callback=lambda _: calls.append(sleeper.clock.now_us))
    machine.WDT(timeout=1_000)
    machine.lightsleep(10_000)
    sleeper.module("time").sleep_ms(150)
    assert calls == [10_100_000]


@pytest.mark.parametrize(("wake", "light", "deep"), [(2, True, False), (4, False, True), (6, True, True)])
def test_a_pin_ends_the_sleeps_that_it_was_asked_for(sleeper, wake, light, deep):
    machine = sleeper.module("machine")
    machine.Pin(4, machine.Pin.IN).irq(trigger=machine.Pin.WAKE_HIGH, wake=wake)
    machine.lightsleep(5)
    assert ("ext0" in sleeper.slept[0][1]) == light
    with pytest.raises(Slept) as caught:
        machine.deepsleep()
    assert caught.value.args[1]["ext0"].deep == deep
    power = sleeper.board.power
    assert power.pins_wake({4: 1}, deep=True) == (WakeReason.EXT0 if deep else None)


# esp32: what ends sleeps


def test_wake_on_ext0(sleeper):
    machine, esp32 = sleeper.module("machine"), sleeper.module("esp32")
    wakes = sleeper.board.power.wake_pins
    esp32.wake_on_ext0(machine.Pin(33), esp32.WAKEUP_ALL_LOW)
    assert wakes == {"ext0": WakePins((33,), 0)}
    esp32.wake_on_ext0(pin=machine.Pin(4), level=esp32.WAKEUP_ANY_HIGH)
    assert wakes == {"ext0": WakePins((4,), 1)}
    with pytest.raises(ValueError, match="no resources"):
        esp32.wake_on_touch(True)
    with pytest.raises(ValueError, match="no resources"):
        esp32.wake_on_ulp(True)
    esp32.wake_on_ext0(None)
    assert wakes == {}
    with pytest.raises(ValueError, match="invalid pin"):
        esp32.wake_on_ext0(machine.Pin(5), 1)
    esp32.wake_on_ulp(True)


@pytest.mark.parametrize(
    ("level", "levels", "wakes"),
    [
        ("WAKEUP_ALL_LOW", {2: 0, 4: 0}, True),
        ("WAKEUP_ALL_LOW", {2: 0, 4: 1}, False),
        ("WAKEUP_ANY_HIGH", {2: 0, 4: 1}, True),
        ("WAKEUP_ANY_HIGH", {2: 0, 4: 0}, False),
    ],
)
def test_wake_on_ext1(sleeper, level, levels, wakes):
    machine, esp32 = sleeper.module("machine"), sleeper.module("esp32")
    power = sleeper.board.power
    esp32.wake_on_ext1(pins=(machine.Pin(2), 4), level=getattr(esp32, level))
    for deep in (False, True):
        assert power.pins_wake(levels, deep=deep) == (WakeReason.EXT1 if wakes else None)
    esp32.wake_on_ext1(level=esp32.WAKEUP_ANY_HIGH)
    assert power.wake_pins["ext1"].pins == (2, 4)
    with pytest.raises(ValueError, match="invalid pin"):
        esp32.wake_on_ext1((5,), 1)
    esp32.wake_on_ext1(())
    assert power.wake_pins == {}


def test_wake_on_gpio_is_for_light_sleep(sleeper):
    power = sleeper.board.power
    sleeper.module("esp32").wake_on_gpio((5, 18), True)
    assert power.pins_wake({5: 0, 18: 1}, deep=False) is WakeReason.GPIO
    assert power.pins_wake({5: 0, 18: 1}, deep=True) is None


def test_wake_on_touch(sleeper):
    machine, esp32 = sleeper.module("machine"), sleeper.module("esp32")
    power, ports = sleeper.board.power, sleeper.board.ports
    esp32.wake_on_touch(True)
    with pytest.raises(ValueError, match="no resources"):
        esp32.wake_on_ext0(machine.Pin(4), 1)
    with pytest.raises(ValueError, match="no resources"):
        machine.Pin(4).irq(trigger=machine.Pin.WAKE_LOW, wake=machine.SLEEP)
    machine.TouchPad(14)
    with pytest.raises(Slept):
        machine.deepsleep()
    assert power.wake_pins["touch"].pins == (TOUCH + 14,)
    power.state = PowerState.DEEP_SLEEP
    sleeper.board.reset()
    assert power.pins_wake(ports.levels(), deep=True) is None
    ports.touch(27).touch()
    assert power.pins_wake(ports.levels(), deep=True) is None
    ports.touch(14).touch()
    assert power.pins_wake(ports.levels(), deep=True) is WakeReason.TOUCHPAD
    esp32.wake_on_touch(False)
    assert power.wake_pins == {}


def test_gpio_deep_sleep_hold(sleeper):
    sleeper.module("esp32").gpio_deep_sleep_hold(True)
    assert sleeper.board.ports.holds_all


# Pulses


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize(
    ("begin_ms", "width_ms", "timeout_us", "result"),
    [
        (1, 2, 10_000, 2_000),
        (0, 2, 10_000, 2_000),  # it has the level already: from now on
        (11, 1, 10_000, -2),
        (1, 11, 10_000, -1),
        (9.999, 9.999, 10_000, 9_999),
        (10, 10, 10_000, 10_000),
    ],
)
def test_time_pulse_us(rig, machine, level, begin_ms, width_ms, timeout_us, result):
    port = rig.board.ports.pin(18)
    port.drive(level if begin_ms == 0 else 1 - level)
    if begin_ms:
        rig.at(begin_ms, lambda: port.drive(level))
    rig.at(begin_ms + width_ms, lambda: port.drive(1 - level))
    assert machine.time_pulse_us(machine.Pin(18), level, timeout_us) == result
    ended_ms = {-2: 10, -1: begin_ms + 10}.get(result, begin_ms + width_ms)
    assert rig.clock.now_us == round(ended_ms * 1000)
    rig.clock.move(rig.clock.now_us + 50_000)
    assert port._level_listeners == []


def test_a_pulse_that_never_comes_costs_the_timeout(rig, machine):
    assert machine.time_pulse_us(machine.Pin(18), 1) == -2
    assert rig.clock.now_us == 1_000_000


def test_an_ultrasonic_sensor(rig):
    ports = rig.board.ports
    ports.pin(18).pulse_after(ports.pin(5), lambda: 580, after_us=450)
    names = rig.run(
        """
from machine import Pin, time_pulse_us
import time
trigger, echo = Pin(5, Pin.OUT, value=0), Pin(18, Pin.IN)
def distance_cm():
    trigger.value(1)
    time.sleep_us(10)
    trigger.value(0)
    return time_pulse_us(echo, 1, 30000) / 58
distances = [distance_cm() for _ in range(3)]
"""
    )
    assert names["distances"] == [10.0, 10.0, 10.0]


def test_bitstream(rig, machine):
    timing = (400, 850, 800, 450)
    machine.bitstream(machine.Pin(2, machine.Pin.OUT), 0, timing, bytearray(b"\x00\xff\x0f"))
    assert rig.board.ports.pin(2).stream == b"\x00\xff\x0f"
    assert rig.clock.now_us == 24 * 1_250 // 1_000
    with pytest.raises(ValueError, match="encoding"):
        machine.bitstream(machine.Pin(2), 1, timing, b"")


# Memory


def test_memory_views(machine):
    machine.mem32[0x3FF44004] = 0x11223344
    assert machine.mem8[0x3FF44004] == 0x44
    assert machine.mem16[0x3FF44006] == 0x1122
    machine.mem8[0x3FF44007] = 0x1FF
    assert machine.mem32[0x3FF44004] == 0xFF223344
    assert machine.mem32[0] == 0
    with pytest.raises(ValueError, match="address 00000001 is not aligned to 4 bytes"):
        machine.mem32[1]


def test_building_costs_little(rig):
    """No class is made and no file is loaded until a program names one."""
    machine = BUILDERS["machine"](rig.board, rig.services)
    assert "Pin" not in vars(machine)
    assert rig.board.classes == {}

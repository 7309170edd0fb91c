"""Pins, timers, the watchdog and wake sources of boards that run in a lab."""

import pytest

from espnow.lab import Lab


@pytest.fixture
def lab():
    with Lab() as lab:
        yield lab


def test_a_program_that_is_over_is_called_by_its_pin_and_its_timer(lab):
    board = lab.board(
        code="""
from machine import Pin, Timer
import time
Pin(0, Pin.IN, Pin.PULL_UP).irq(lambda pin: print("pin", time.ticks_ms()), Pin.IRQ_FALLING)
Timer(0).init(period=400, mode=Timer.ONE_SHOT, callback=lambda timer: print("timer", time.ticks_ms()))
"""
    )
    lab.at(100, lambda: board.ports.pin(0).press(10))
    lab.run(for_ms=1_000)
    assert board.lines == ["pin 100", "timer 400"]
    assert board.state == "armed"


def test_a_program_without_anything_armed_has_ended(lab):
    board = lab.board(
        code="""
from machine import Pin, Timer
timer = Timer(0)
timer.init(period=9, callback=print)
timer.deinit()
button = Pin(0)
button.irq(print)
button.irq(None)
"""
    )
    lab.run(for_ms=100)
    assert board.state == "ended"
    assert board.output == ""


def test_a_watchdog_restarts_the_board(lab):
    board = lab.board(
        code="""
import machine, time
print(machine.reset_cause() == machine.WDT_RESET)
watchdog = machine.WDT(timeout=1000)
for _ in range(3):
    time.sleep_ms(900)
    watchdog.feed()
while True:
    time.sleep_ms(100)
"""
    )
    lab.run(for_ms=3_690)
    assert board.lines == ["False"]
    lab.run(for_ms=400)
    assert board.lines == ["False", "True"]


def test_a_watchdog_bites_a_program_that_computes_and_one_that_is_over(lab):
    computing = lab.board(
        code="import machine\nprint(machine.reset_cause())\nmachine.WDT(timeout=1000)\nwhile True: pass"
    )
    over = lab.board(code="import machine\nprint(machine.reset_cause())\nmachine.WDT(timeout=1000)")
    lab.run(for_ms=1_500)
    assert computing.lines == ["1", "3"]
    assert over.lines == ["1", "3"]


WAKE = {
    "ext0": ("esp32.wake_on_ext0(Pin(33), esp32.WAKEUP_ANY_HIGH)", 2),
    "ext1": ("esp32.wake_on_ext1((Pin(33), Pin(32)), esp32.WAKEUP_ANY_HIGH)", 3),
    "irq": ("Pin(33).irq(trigger=Pin.WAKE_HIGH, wake=machine.SLEEP | machine.DEEPSLEEP)", 2),
}


@pytest.mark.parametrize("source", WAKE)
@pytest.mark.parametrize("sleep", ["deepsleep", "lightsleep"])
def test_a_pin_ends_a_sleep(lab, source, sleep):
    call, reason = WAKE[source]
    board = lab.board(
        code=f"""
import esp32, machine
from machine import Pin
if not machine.wake_reason():
    {call}
    machine.{sleep}(60000)
print(machine.wake_reason())
"""
    )
    lab.at(500, lambda: board.ports.pin(33).drive(1))
    lab.run(for_ms=499)
    assert board.output == ""
    lab.run(for_ms=400)
    assert board.lines == [str(reason)]


def test_a_button_with_a_pull_up_does_not_wake_until_it_is_pressed(lab):
    board = lab.board(
        code="""
import esp32, machine
print(machine.wake_reason())
esp32.wake_on_ext0(machine.Pin(33, machine.Pin.IN, machine.Pin.PULL_UP), esp32.WAKEUP_ALL_LOW)
machine.deepsleep()
"""
    )
    lab.run(for_ms=10_000)
    assert board.lines == ["0"]
    board.ports.pin(33).press(20)
    lab.run(for_ms=10_000)
    assert board.lines == ["0", "2"]


def test_a_finger_wakes(lab):
    board = lab.board(
        code="""
import esp32, machine
print(machine.wake_reason())
machine.TouchPad(machine.Pin(14)).config(300)
esp32.wake_on_touch(True)
machine.deepsleep()
"""
    )
    lab.run(for_ms=1_000)
    board.ports.touch(14).touch()
    lab.run(for_ms=100)
    board.ports.touch(14).release()
    lab.run(for_ms=1_000)
    assert board.lines == ["0", "5"]


def test_outputs_in_deep_sleep(lab):
    board = lab.board(
        code="""
from machine import Pin, deepsleep
import time
Pin(2, Pin.OUT, value=1)
Pin(4, Pin.OUT, value=1, hold=True)
time.sleep_ms(100)
deepsleep(1000)
"""
    )
    lab.run(for_ms=50)
    levels = [(board.ports.pin(2).value, board.ports.pin(4).value)]
    lab.run(for_ms=100)
    levels.append((board.ports.pin(2).value, board.ports.pin(4).value))
    board.power_off()
    levels.append((board.ports.pin(2).value, board.ports.pin(4).value))
    assert levels == [(1, 1), (0, 1), (0, 0)]


def test_what_a_board_stores_outlives_its_sleeps(lab):
    board = lab.board(
        code="""
import esp32, machine
nvs, rtc = esp32.NVS("app"), machine.RTC()
try:
    count = nvs.get_i32("count")
except OSError:
    count = 0
print(count, len(rtc.memory()))
rtc.memory(rtc.memory() + b"x")
nvs.set_i32("count", count + 1)
nvs.commit()
machine.deepsleep(100)
"""
    )
    lab.run(for_ms=1_000)
    assert board.lines == ["0 0", "1 1", "2 2"]
    board.power_off()
    board.power_on()
    lab.run(for_ms=350)
    assert board.lines[-1] == "3 0"


def test_two_boards_have_their_own_pins(lab):
    code = "from machine import Pin\nPin(2, Pin.OUT, value=1)\nimport time\ntime.sleep(1)"
    boards = [lab.board(code=code), lab.board(code=code.replace("value=1", "value=0"))]
    lab.run(for_ms=10)
    assert [board.ports.pin(2).value for board in boards] == [1, 0]

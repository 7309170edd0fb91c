"""The ways in which programs write for pins, each on a board of its kind, and what comes of it."""

import pytest

BLINK = """
from machine import Pin
from time import sleep
led = Pin(2, Pin.OUT)
for _ in range(2):
    led.value(not led.value())
    sleep(0.5)
"""

TOGGLE_BY_TIMER = """
import machine
import utime as time
led = machine.Pin(2, machine.Pin.OUT, value=0)
tim = machine.Timer(-1)
tim.init(period=250, mode=machine.Timer.PERIODIC, callback=lambda t: led.value(not led.value()))
time.sleep_ms(600)
tim.deinit()
"""

STATE_IN_A_CLASS = """
from machine import Pin, Timer
import time
class Button:
    def __init__(self, pin, callback):
        self.pin = Pin(pin, Pin.IN, Pin.PULL_UP)
        self.callback = callback
        self.last = 0
        self.pin.irq(trigger=Pin.IRQ_FALLING, handler=self.on_press)
    def on_press(self, pin):
        now = time.ticks_ms()
        if time.ticks_diff(now, self.last) > 200:
            self.last = now
            self.callback(pin)
presses = []
button = Button(0, lambda p: presses.append(str(p)))
time.sleep(1)
print(presses)
"""

JOYSTICK = """
from machine import ADC, Pin
x, y = Pin(35), Pin(34)
x_joy, y_joy = ADC(x), ADC(y)
for axis in (x_joy, y_joy):
    axis.atten(ADC.ATTN_11DB)
    axis.width(ADC.WIDTH_12BIT)
button = Pin(4, Pin.IN, Pin.PULL_UP)
print(x_joy.read(), y_joy.read(), button.value())
"""

BATTERY = """
from machine import ADC
adc = ADC(0)
volts = adc.read() / 1024 * 4.2
print("%.2f" % volts)
"""

SERVO = """
from machine import Pin, PWM
servo = PWM(Pin(13), freq=50)
def angle(degrees):
    servo.duty_u16(int(1638 + degrees / 180 * 6554))
angle(90)
"""

MOTOR = """
from machine import Pin, PWM
forward, backward = Pin(26, Pin.OUT), Pin(27, Pin.OUT)
speed = PWM(Pin(14), 1000)
def drive(value):
    forward.value(1 if value > 0 else 0)
    backward.value(1 if value < 0 else 0)
    speed.duty(min(abs(value), 1023))
drive(-512)
"""

FED = """
import machine, time
wdt = machine.WDT(timeout=2000)
for _ in range(5):
    time.sleep(1)
    wdt.feed()
print("alive")
"""

COUNTED = """
from machine import Pin, disable_irq, enable_irq
import time
count = 0
def pulse(pin):
    global count
    count += 1
Pin(0, Pin.IN).irq(pulse, Pin.IRQ_FALLING)
time.sleep_ms(500)
state = disable_irq()
total = count
enable_irq(state)
print(total)
"""

NAMES = """
import machine, ubinascii
print(ubinascii.hexlify(machine.unique_id()).decode(), machine.freq() // 1000000)
machine.freq(240000000)
print(machine.freq() // 1000000)
"""

SHIFT_REGISTER = """
from machine import Pin
data, clock, latch = (Pin(number, Pin.OUT, value=0) for number in (23, 18, 5))
def shift_out(byte):
    for bit in range(7, -1, -1):
        data.value(byte >> bit & 1)
        clock.on()
        clock.off()
    latch.on()
    latch.off()
shift_out(0b10110001)
"""


def levels(rig, number):
    return [level for _, level in rig.board.ports.pin(number).history]


def press(rig):
    for ms in (300, 350, 700):
        rig.at(ms, lambda: rig.board.ports.pin(0).press(10))


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
@pytest.mark.parametrize(("program", "expected"), [(BLINK, [0, 1, 0]), (TOGGLE_BY_TIMER, [0, 1, 0])])
def test_blinking(make_rig, profile, program, expected):
    rig = make_rig(profile)
    rig.run(program)
    assert levels(rig, 2) == expected


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
def test_a_class_around_a_button(make_rig, profile):
    rig = make_rig(profile)
    press(rig)
    rig.run(STATE_IN_A_CLASS)
    assert rig.lines == ["['Pin(0)', 'Pin(0)']"]


def test_counting_edges(rig):
    for ms in (50, 120, 300):
        rig.at(ms, lambda: rig.board.ports.pin(0).pulse(5_000, level=0))
    rig.run(COUNTED)
    assert rig.lines == ["3"]


def test_joystick(rig):
    rig.board.ports.adc(35).set(1.65)
    rig.board.ports.adc(34).set(3.3)
    rig.run(JOYSTICK)
    assert rig.lines == ["2048 4095 1"]


def test_battery(make_rig):
    rig = make_rig("esp8266")
    rig.board.ports.adc(0).set(0.9)
    rig.run(BATTERY)
    assert rig.lines == ["3.78"]


def test_servo_and_motor(rig):
    rig.run(SERVO)
    rig.run(MOTOR)
    ports = rig.board.ports
    assert ports.pin(13).pwm == (50, 4915)
    assert (ports.pin(26).value, ports.pin(27).value, ports.pin(14).pwm) == (0, 1, (1_000, 0x8000))


def test_a_watchdog_that_is_fed(rig):
    rig.run(FED)
    assert rig.lines == ["alive"]


def test_names(rig):
    rig.run(NAMES)
    assert rig.lines == ["18fe34000004 160", "240"]


def test_bits_by_hand(rig):
    ports = rig.board.ports
    bits, latched = [], []
    ports.pin(18).on_level(lambda level: bits.append(ports.pin(23).value) if level else None)
    ports.pin(5).on_level(lambda level: latched.append(bits[-8:]) if level else None)
    rig.run(SHIFT_REGISTER)
    assert latched == [[1, 0, 1, 1, 0, 0, 0, 1]]

"""machine.Pin and Signal: what programs write, and what they get."""

import itertools

import pytest

from espnow.board import WakePins
from espnow.board.ports import CHIPS, Edge, Mode, Pull


@pytest.fixture
def machine(rig):
    return rig.module("machine")


@pytest.fixture
def esp8266(make_rig):
    return make_rig("esp8266")


# Which pin


def test_the_ways_to_name_a_pin(machine):
    Pin = machine.Pin
    pin = Pin(4)
    assert Pin(pin) is pin
    assert Pin(4, Pin.OUT) is pin
    assert Pin("GPIO4") is pin
    assert Pin.board.GPIO4 is Pin.cpu.GPIO4 is pin.board.GPIO4 is pin
    assert repr(pin) == "Pin(4)"
    assert Pin(Pin(5), Pin.OUT, value=1).value() == 1
    assert "GPIO39" in dir(Pin.board)
    assert isinstance(pin, Pin)


@pytest.mark.parametrize("wanted", [6, 11, 24, 40, -1, "4", "D4", "GPIO24", None, 4.0])
def test_what_is_no_pin(rig, machine, wanted):
    rig.board.ports.chip = CHIPS["esp32"]
    with pytest.raises(ValueError, match="invalid pin"):
        machine.Pin(wanted)


@pytest.mark.parametrize("name", ["GPIO24", "GPIO99", "LED"])
def test_names_that_the_board_lacks(machine, name):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(machine.Pin.board, name)


def test_an_esp8266_wants_numbers(esp8266):
    Pin = esp8266.module("machine").Pin
    assert Pin(Pin(4)) is Pin(4)
    for name in ("GPIO4", "D2"):
        with pytest.raises(TypeError, match="can't convert str to int"):
            Pin(name)
    for number in (6, 11, 17):
        with pytest.raises(ValueError, match="invalid pin"):
            Pin(number)


def test_a_pin_of_one_board_is_none_of_another(make_rig):
    one, two = (make_rig().module("machine") for _ in range(2))
    assert one.Pin is not two.Pin
    one.Pin(2, one.Pin.OUT, value=1)
    two.Pin(2, two.Pin.OUT)
    assert (one.Pin(2)(), two.Pin(2)()) == (1, 0)


def test_a_program_derives_from_pin(machine):
    class Led(machine.Pin):
        def __init__(self, number, name):
            super().__init__(number, machine.Pin.OUT)
            self.name = name

    red = Led(2, name="red")
    red.on()
    assert (red.name, machine.Pin(2).value(), red is Led(2, "other")) == ("red", 1, False)


# The numbers are those of the ports' sources.


@pytest.mark.parametrize(
    ("profile", "numbers"),
    [
        (
            "esp32",
            {
                "IN": 1, "OUT": 3, "OPEN_DRAIN": 7, "PULL_DOWN": 1, "PULL_UP": 2, "IRQ_RISING": 1, "IRQ_FALLING": 2,
                "WAKE_LOW": 4, "WAKE_HIGH": 5, "DRIVE_0": 0, "DRIVE_1": 1, "DRIVE_2": 2, "DRIVE_3": 3,
            },
        ),
        ("esp8266", {"IN": 0, "OUT": 1, "OPEN_DRAIN": 2, "PULL_UP": 1, "IRQ_RISING": 1, "IRQ_FALLING": 2}),
    ],
)  # fmt: skip
def test_constants(make_rig, profile, numbers):
    Pin = make_rig(profile).module("machine").Pin
    assert {name: getattr(Pin, name) for name in dir(Pin) if name.isupper()} == numbers


# Setting up

MODES = {"IN": Mode.IN, "OUT": Mode.OUT, "OPEN_DRAIN": Mode.OPEN_DRAIN}


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
@pytest.mark.parametrize(("name", "mode"), list(MODES.items()))
def test_modes(make_rig, profile, name, mode):
    rig = make_rig(profile)
    Pin = rig.module("machine").Pin
    pin = Pin(4, getattr(Pin, name))
    assert rig.board.ports.pin(4).mode is mode
    assert pin.mode() == getattr(Pin, name)
    pin.mode(Pin.IN)
    assert rig.board.ports.pin(4).mode is Mode.IN


def test_what_is_not_given_stays(rig, machine):
    Pin, port = machine.Pin, rig.board.ports.pin(4)
    pin = Pin(4, Pin.IN, Pin.PULL_UP)
    assert pin.value() == 1
    pin.init(Pin.OUT)
    assert (port.pull, pin.pull()) == (Pull.UP, Pin.PULL_UP)
    pin.init(pull=None)
    assert (port.pull, port.mode, pin.pull()) == (Pull.NONE, Mode.OUT, None)
    pin.init(value=1)
    assert port.value == 1
    pin.init(mode=Pin.IN, pull=Pin.PULL_DOWN)
    assert (port.mode, port.pull, port.latch, pin.pull()) == (Mode.IN, Pull.DOWN, 1, Pin.PULL_DOWN)
    pin.pull(Pin.PULL_UP)
    assert port.pull is Pull.UP
    pin.init(Pin.OUT, drive=Pin.DRIVE_3, hold=True)
    pin.value(0)
    assert pin.value() == 1
    pin.init(hold=False)
    assert pin.value() == 0


def test_an_output_begins_with_its_value_at_once(rig, machine):
    machine.Pin(2, machine.Pin.OUT, value=1)
    assert rig.board.ports.pin(2).history == [(0, 1)]


@pytest.mark.parametrize("number", sorted(CHIPS["esp32"].input_only))
def test_some_pins_are_only_inputs(rig, machine, number):
    rig.board.ports.chip = CHIPS["esp32"]
    assert machine.Pin(number, machine.Pin.IN)() == 0
    for mode in (machine.Pin.OUT, machine.Pin.OPEN_DRAIN):
        with pytest.raises(ValueError, match="pin can only be input"):
            machine.Pin(number, mode)


@pytest.mark.parametrize("others", [(), (48,), (2, 21), (25,), (22,)])
def test_an_output_that_an_esp32_lacks_may_be_a_later_chips(rig, machine, others):
    for number in others:
        machine.Pin(number, machine.Pin.IN)
    if set(others) <= CHIPS["esp32s3"].pins:
        assert machine.Pin(38, machine.Pin.OUT, value=1).value() == 1
        assert rig.board.ports.chip is CHIPS["other"]
    else:
        with pytest.raises(ValueError, match="pin can only be input"):
            machine.Pin(38, machine.Pin.OUT)


@pytest.mark.parametrize(
    ("profile", "chip", "raised"),
    [
        ("esp32", None, {0}),
        ("esp32", "esp32s3", {0}),
        ("esp32", "esp32c3", {9}),
        ("esp32", "other", {0, 9}),
        ("esp8266", None, {0, 2}),
    ],
)
def test_the_button_that_every_board_has_is_pulled_up(make_rig, profile, chip, raised):
    rig = make_rig(profile)
    machine, ports = rig.module("machine"), rig.board.ports
    if chip is not None:
        ports.chip = CHIPS[chip]
    for number in sorted({0, 2, 4, 9, 12} & ports.chip.pins):
        pin = machine.Pin(number, machine.Pin.IN)
        assert pin.value() == (number in raised)
        ports.pin(number).drive(0)
        assert pin.value() == 0
        ports.pin(number).release()
        assert pin.value() == (number in raised)


@pytest.mark.parametrize(
    "ask",
    [
        lambda machine: machine.Pin(8),
        lambda machine: machine.Pin(48),
        lambda machine: machine.ADC(3),
        lambda machine: machine.TouchPad(1),
    ],
)
def test_a_program_for_another_chip_gets_its_pins(rig, machine, ask):
    adc = machine.ADC(26)
    rig.board.wifi.set_active(0, True)
    with pytest.raises(OSError, match="ETIMEDOUT"):
        adc.read()
    ask(machine)
    assert rig.board.ports.chip is CHIPS["other"]
    assert adc.read() == machine.ADC(1).read() == machine.ADC(36).read() == 0
    assert machine.Pin(38, machine.Pin.OUT, value=1)() == 1
    for refused in (lambda: machine.Pin(49), lambda: machine.ADC(21), lambda: machine.TouchPad(40)):
        with pytest.raises(ValueError, match="invalid pin"):
            refused()


def test_a_person_may_name_its_pins_first(rig):
    rig.board.ports.pin(48).drive(1)
    assert rig.module("machine").Pin(48)() == 1


def test_the_chip_can_be_another(rig, machine):
    rig.board.ports.chip = CHIPS["esp32c3"]
    assert machine.ADC(3).read() == 0
    for number in (22, 40):
        with pytest.raises(ValueError, match="invalid pin"):
            machine.Pin(number)


def test_an_esp8266_sets_up_all_at_once(esp8266):
    Pin, port = esp8266.module("machine").Pin, esp8266.board.ports.pin(4)
    pin = Pin(4, Pin.IN, Pin.PULL_UP)
    assert (port.pull, pin.pull()) == (Pull.UP, Pin.PULL_UP)
    pin.init(Pin.OUT, value=1)
    assert (port.pull, pin.pull(), pin()) == (Pull.NONE, None, 1)
    pin.init(Pin.IN)
    pin.on()
    pin.init(Pin.OUT, value=0)
    assert pin() == 0
    pin.pull(Pin.PULL_UP)
    assert port.pull is Pull.UP
    with pytest.raises(ValueError, match="doesn't support pull"):
        Pin(16, Pin.IN, Pin.PULL_UP)
    with pytest.raises(ValueError, match="invalid mode"):
        Pin(4, 3)
    with pytest.raises(TypeError):
        Pin(4, Pin.OUT, hold=True)
    assert not hasattr(Pin, "PULL_DOWN")


def test_writing_to_an_input_of_an_esp8266_is_lost(esp8266):
    Pin = esp8266.module("machine").Pin
    pin = Pin(4, Pin.IN)
    pin.on()
    pin.init(Pin.OUT)
    assert pin() == 0


# Levels


def test_the_ways_to_write(rig, machine):
    pin = machine.Pin(2, machine.Pin.OUT)
    port = rig.board.ports.pin(2)
    for write, level in [
        (lambda: pin(1), 1),
        (lambda: pin.value(0), 0),
        (pin.on, 1),
        (pin.off, 0),
        (pin.toggle, 1),
        (pin.toggle, 0),
        (lambda: pin("yes"), 1),
        (lambda: pin.value(None), 0),
        (lambda: pin(True), 1),
    ]:
        assert write() is None
        assert port.value == level


def test_reading_costs_a_little_time(rig, machine):
    pin = machine.Pin(15, machine.Pin.IN)
    rig.at(1, lambda: rig.board.ports.pin(15).drive(1))
    while not pin.value():
        pass
    assert 1_000 <= rig.clock.now_us <= 1_010
    assert pin() == 1


# Callbacks


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
@pytest.mark.parametrize(
    ("arguments", "keywords", "levels"),
    [
        ((), {}, [1, 0, 1]),
        (("RISING",), {}, [1, 1]),
        ((), {"trigger": "FALLING"}, [0]),
        ((), {"trigger": "RISING|FALLING", "hard": True}, [1, 0, 1]),
    ],
)
def test_irq(make_rig, profile, arguments, keywords, levels):
    rig = make_rig(profile)
    Pin = rig.module("machine").Pin
    triggers = {"RISING": Pin.IRQ_RISING, "FALLING": Pin.IRQ_FALLING, "RISING|FALLING": 3}
    pin = Pin(4, Pin.IN)
    port = rig.board.ports.pin(4)
    calls = []
    if "trigger" in keywords:
        keywords = {**keywords, "trigger": triggers[keywords["trigger"]]}
    pin.irq(lambda which: calls.append((which is pin, which.value())), *map(triggers.get, arguments), **keywords)
    assert rig.board.ports.armed
    for level in (1, 0, 1):
        port.drive(level)
        rig.board.run_callbacks()
    assert calls == [(True, level) for level in levels]
    pin.irq()  # returns the object, and changes nothing
    assert rig.board.ports.armed
    pin.irq(handler=None)
    assert not rig.board.ports.armed
    port.drive(0)
    rig.board.run_callbacks()
    assert len(calls) == len(levels)


def test_irq_runs_in_a_sleep_and_in_a_busy_loop(rig):
    for ms in (10, 30):
        rig.at(ms, lambda: rig.board.ports.pin(0).drive(0))
        rig.at(ms + 1, rig.board.ports.pin(0).release)
    names = rig.run(
        """
from machine import Pin
import time
presses = []
button = Pin(0, Pin.IN, Pin.PULL_UP)
button.irq(lambda p: presses.append(time.ticks_ms()), Pin.IRQ_FALLING)
time.sleep_ms(20)
while len(presses) < 2:
    button.value()
"""
    )
    assert names["presses"] == [10, 30]


def test_an_output_calls_back_too(rig, machine):
    calls = []
    pin = machine.Pin(4, machine.Pin.OUT)
    pin.irq(calls.append)
    pin.on()
    rig.board.run_callbacks()
    assert calls == [pin]


def test_an_exception_in_a_handler_is_printed(rig, machine):
    machine.Pin(4).irq(lambda pin: 1 / 0)
    rig.board.ports.pin(4).drive(1)
    rig.board.run_callbacks()
    assert rig.lines == ["ZeroDivisionError: division by zero"]


def test_the_object_that_irq_returns(rig, machine):
    Pin = machine.Pin
    calls = []
    irq = Pin(4).irq(calls.append, Pin.IRQ_RISING)
    irq()
    assert calls == [Pin(4)]
    assert (irq.trigger(), irq.flags()) == (Pin.IRQ_RISING, Pin.IRQ_RISING)
    assert irq.trigger(Pin.IRQ_FALLING) == Pin.IRQ_RISING
    assert rig.board.ports.pin(4).edges is Edge.FALLING
    Pin(5).irq()()
    assert len(calls) == 1


@pytest.mark.parametrize(("trigger", "edge"), [("WAKE_LOW", Edge.FALLING), ("WAKE_HIGH", Edge.RISING)])
def test_a_level_calls_back_when_it_begins(rig, machine, trigger, edge):
    machine.Pin(4).irq(print, getattr(machine.Pin, trigger))
    assert rig.board.ports.pin(4).edges is edge


def test_a_pin_of_an_esp8266_without_irq(esp8266):
    with pytest.raises(OSError, match="IRQ"):
        esp8266.module("machine").Pin(16).irq(print)


# Waking

LEVELS = {"WAKE_LOW": 0, "WAKE_HIGH": 1}


@pytest.mark.parametrize(("trigger", "wake"), list(itertools.product(LEVELS, ["SLEEP", "DEEPSLEEP", "BOTH"])))
def test_wake(rig, machine, trigger, wake):
    bits = {"SLEEP": machine.SLEEP, "DEEPSLEEP": machine.DEEPSLEEP, "BOTH": machine.SLEEP | machine.DEEPSLEEP}[wake]
    pin = machine.Pin(4)
    pin.irq(trigger=getattr(machine.Pin, trigger), wake=bits)
    assert rig.board.power.wake_pins == {"ext0": WakePins((4,), LEVELS[trigger], deep=wake != "SLEEP")}
    assert rig.board.ports.ext0_light == (wake != "DEEPSLEEP")
    assert not rig.board.ports.armed
    with pytest.raises(ValueError, match="no resources"):
        machine.Pin(2).irq(trigger=machine.Pin.WAKE_LOW, wake=bits)
    pin.irq(handler=None)
    assert rig.board.power.wake_pins == {}


@pytest.mark.parametrize(
    ("number", "wake", "message"), [(5, 4, "invalid pin for wake"), (4, 1, "bad wake value"), (4, 8, "bad wake value")]
)
def test_wake_refusals(machine, number, wake, message):
    with pytest.raises(ValueError, match=message):
        machine.Pin(number).irq(trigger=machine.Pin.WAKE_LOW, wake=wake)


def test_an_edge_wakes_nothing(rig, machine):
    machine.Pin(4).irq(print, machine.Pin.IRQ_FALLING, wake=machine.DEEPSLEEP)
    assert rig.board.power.wake_pins == {}
    assert rig.board.ports.armed


# Signal


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
@pytest.mark.parametrize("invert", [False, True])
def test_signal(make_rig, profile, invert):
    rig = make_rig(profile)
    machine = rig.module("machine")
    port = rig.board.ports.pin(2)
    led = machine.Signal(machine.Pin(2, machine.Pin.OUT), invert=invert)
    for write, active in [(led.on, 1), (led.off, 0), (lambda: led(1), 1), (lambda: led.value(0), 0)]:
        write()
        assert (led(), led.value(), port.value) == (active, active, active ^ invert)
    own = machine.Signal(4, machine.Pin.OUT, value=1, invert=invert)
    assert (own(), machine.Pin(4)()) == (1, 1 ^ invert)
    assert machine.Signal(own, invert=True)() == 0
    with pytest.raises(TypeError, match="only invert"):
        machine.Signal(machine.Pin(2), machine.Pin.OUT)

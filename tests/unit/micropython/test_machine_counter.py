"""esp32.PCNT, machine.Counter and machine.Encoder: what edges at pins do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.board.ports import CHIPS
from espnow.lab import Lab
from espnow.testing import Bench


@pytest.fixture
def machine(rig):
    return rig.module("machine")


@pytest.fixture
def PCNT(rig):
    return rig.module("esp32").PCNT


def pulses(rig, count, pin=4):
    """Give so many pulses from outside."""
    outside = rig.board.ports.pin(pin)
    for _ in range(count):
        outside.drive(1)
        outside.drive(0)


def turn(rig, quarters, a=4, b=5, start=0):
    """Turn an encoder by so many quarters of a step; return where it stands."""
    levels = [(0, 0), (0, 1), (1, 1), (1, 0)]
    at = start
    for _ in range(abs(quarters)):
        at += 1 if quarters > 0 else -1
        for pin, level in zip((a, b), levels[at % 4], strict=True):
            rig.board.ports.pin(pin).drive(level)
    return at


# Units


def test_constants(PCNT):
    names = "IGNORE INCREMENT DECREMENT NORMAL REVERSE HOLD IRQ_ZERO IRQ_THRESHOLD0 IRQ_THRESHOLD1 IRQ_MIN IRQ_MAX"
    assert [getattr(PCNT, name) for name in names.split()] == [0, 1, 2, 0, 1, 2, 1, 2, 4, 8, 16]
    assert repr(PCNT(3)) == "PCNT(3)"
    assert PCNT.__module__ == "esp32"
    assert PCNT(3) is PCNT(3)


@pytest.mark.parametrize(("chip", "units"), [("esp32", 8), ("esp32s3", 4), ("esp32c6", 4)])
def test_units_of_each_chip(rig, machine, PCNT, chip, units):
    rig.board.ports.chip = CHIPS[chip]
    for make in (PCNT, lambda number: machine.Counter(number, 4)):
        make(units - 1)
        for number in (-1, units):
            with pytest.raises(ValueError, match="invalid id"):
                make(number)


def test_a_c3_has_none(rig):
    rig.board.ports.chip = CHIPS["esp32c3"]
    machine = rig.module("machine")
    assert not hasattr(rig.module("esp32"), "PCNT")
    assert not hasattr(machine, "Counter")
    assert not {"Counter", "Encoder"} & set(machine.__all__)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"channel": 2}, "channel"),
        ({"mode_pin": 5}, "pin"),
        ({"pin": 4, "rising": 3}, "rising"),
        ({"pin": 4, "falling": -1}, "falling"),
        ({"pin": 4, "mode_low": 3}, "mode_low"),
        ({"pin": 4, "mode_high": 3}, "mode_high"),
        ({"filter": 1024}, "filter"),
        ({"value": 1}, "value"),
        ({"min": 1}, "minimum"),
        ({"min": -32769}, "minimum"),
        ({"max": -1}, "maximum"),
        ({"max": 32768}, "maximum"),
        ({"max": 10, "threshold0": 11}, "threshold0"),
        ({"min": -10, "threshold1": -11}, "threshold1"),
    ],
)
def test_what_is_refused(PCNT, options, text):
    with pytest.raises(ValueError, match=text):
        PCNT(0, **options)


def test_a_unit_counts_between_start_and_stop(rig, PCNT):
    unit = PCNT(0, pin=4, rising=PCNT.INCREMENT)
    pulses(rig, 3)
    assert unit.value() == 0
    unit.start()
    pulses(rig, 3)
    unit.stop()
    pulses(rig, 3)
    assert unit.value() == 3
    assert unit.value(0) == 3
    assert unit.value() == 0
    with pytest.raises(ValueError, match="value"):
        unit.value(5)


@pytest.mark.parametrize("mode_level", [0, 1])
@pytest.mark.parametrize(("mode", "factor"), [("NORMAL", 1), ("REVERSE", -1), ("HOLD", 0)])
@pytest.mark.parametrize(
    ("rising", "falling", "per_pulse"),
    [
        ("INCREMENT", "IGNORE", 1),
        ("IGNORE", "DECREMENT", -1),
        ("INCREMENT", "INCREMENT", 2),
        ("INCREMENT", "DECREMENT", 0),
    ],
)
def test_actions_and_modes(rig, PCNT, mode_level, mode, factor, rising, falling, per_pulse):
    which = "mode_high" if mode_level else "mode_low"
    unit = PCNT(1, pin=4, mode_pin=5, rising=getattr(PCNT, rising), falling=getattr(PCNT, falling))
    unit.init(rising=getattr(PCNT, rising), falling=getattr(PCNT, falling), **{which: getattr(PCNT, mode)})
    unit.start()
    rig.board.ports.pin(5).drive(mode_level)
    pulses(rig, 5)
    assert unit.value() == 5 * per_pulse * factor
    rig.board.ports.pin(5).drive(1 - mode_level)
    unit.init(value=0)
    pulses(rig, 5)
    assert unit.value() == 5 * per_pulse


def test_two_channels_one_count(rig, PCNT):
    unit = PCNT(0, pin=4, rising=PCNT.INCREMENT)
    unit.init(channel=1, pin=5, rising=PCNT.DECREMENT)
    unit.start()
    pulses(rig, 5, pin=4)
    pulses(rig, 2, pin=5)
    assert unit.value() == 3
    unit.init(channel=1, pin=None)
    pulses(rig, 2, pin=5)
    assert unit.value() == 3


@pytest.mark.parametrize(("pulse_count", "value"), [(9, 9), (10, 0), (13, 3), (20, 0)])
def test_at_its_limit_it_is_zero_again(rig, PCNT, pulse_count, value):
    up = PCNT(0, pin=4, rising=PCNT.INCREMENT, max=10)
    down = PCNT(1, pin=4, rising=PCNT.DECREMENT, min=-10)
    up.start()
    down.start()
    pulses(rig, pulse_count)
    assert (up.value(), down.value()) == (value, -value)


def test_events(rig, PCNT):
    told = []
    unit = PCNT(0, pin=4, rising=PCNT.INCREMENT, max=10, threshold0=3, threshold1=7)
    every = PCNT.IRQ_ZERO | PCNT.IRQ_MAX | PCNT.IRQ_THRESHOLD0 | PCNT.IRQ_THRESHOLD1
    irq = unit.irq(lambda each: told.append((each, each.irq().flags())), every)
    assert irq.trigger() == every
    assert rig.board.ports.armed
    unit.start()
    for _ in range(10):
        pulses(rig, 1)
        rig.board.run_callbacks()
    assert told == [(unit, 2), (unit, 4), (unit, 17)]
    del told[:]
    pulses(rig, 7)
    rig.board.run_callbacks()
    assert told == [(unit, 6)]  # two events, one call
    unit.irq(None)
    assert not rig.board.ports.armed
    pulses(rig, 10)
    rig.board.run_callbacks()
    assert len(told) == 1
    for trigger in (0, 32):
        with pytest.raises(ValueError, match="trigger"):
            unit.irq(print, trigger)


def test_value_lets_the_handler_run_before(rig, PCNT):
    seen = []
    unit = PCNT(0, pin=4, rising=PCNT.INCREMENT, max=5)
    unit.irq(handler=lambda each: seen.append(each.irq().flags()), trigger=PCNT.IRQ_MAX)
    unit.start()
    pulses(rig, 5)
    assert seen == []
    assert unit.value() == 0
    assert seen == [16]
    rig.board.run_callbacks()
    assert seen == [16]


def test_value_in_a_callback_lets_the_handler_run_before(rig, PCNT):
    seen = []
    unit = PCNT(0, pin=4, rising=PCNT.INCREMENT, max=5)
    unit.irq(lambda each: seen.append(each.irq().flags()), PCNT.IRQ_MAX)
    unit.start()
    rig.board.schedule(lambda _: (pulses(rig, 5), seen.append(unit.value())), None)
    rig.board.run_callbacks()
    assert seen == [16, 0]


def test_events_take_one_place_among_the_callbacks(rig, PCNT):
    calls = []
    unit = PCNT(0, pin=4, rising=PCNT.INCREMENT, max=1)
    unit.irq(lambda each: calls.append(each.irq().flags()), PCNT.IRQ_MAX)
    unit.start()
    pulses(rig, 20)
    assert rig.board.schedule(calls.append, "other")
    rig.board.run_callbacks()
    assert calls == [16, "other"]
    pulses(rig, 1)
    rig.board.soft_reset()
    unit = PCNT(0, pin=4, rising=PCNT.INCREMENT, max=1)
    unit.irq(lambda each: calls.append("again"), PCNT.IRQ_MAX)
    unit.start()
    pulses(rig, 1)
    rig.board.run_callbacks()
    assert calls[2:] == ["again"]


@pytest.mark.parametrize("end", ["deinit", "reset"])
def test_a_unit_that_ended_hears_nothing(rig, PCNT, end):
    unit = PCNT(0, pin=4, rising=PCNT.INCREMENT, max=5)
    unit.start()
    (unit.deinit if end == "deinit" else rig.board.soft_reset)()
    pulses(rig, 3)
    assert unit.value() == 0
    assert not rig.board.ports.pin(4)._level_listeners


# Counter


@pytest.mark.parametrize(
    ("edge", "direction", "expected"),
    [("RISING", "UP", 5), ("FALLING", "UP", 5), ("RISING", "DOWN", -5), ("FALLING", "DOWN", -5)],
)
def test_counter(rig, machine, edge, direction, expected):
    Counter = machine.Counter
    counter = Counter(0, machine.Pin(4), edge=getattr(Counter, edge), direction=getattr(Counter, direction))
    pulses(rig, 5)
    assert counter.value() == expected


def test_counter_sets_its_value_and_begins_again(rig, machine):
    counter = machine.Counter(0, src=4, filter_ns=1_000)
    pulses(rig, 5)
    assert counter.value(100) == 5
    pulses(rig, 1)
    assert counter.value() == 101
    assert machine.Counter(0) is counter
    assert counter.value() == 101
    counter.init(4)
    assert counter.value() == 0
    counter.deinit()
    with pytest.raises(RuntimeError, match="not initialised"):
        counter.value()


def test_counter_counts_beyond_a_unit(rig, machine):
    up, down = machine.Counter(0, 4), machine.Counter(1, 4, direction=machine.Counter.DOWN)
    pulses(rig, 70_000)
    assert (up.value(), down.value()) == (70_000, -70_000)
    assert up.value(0) == 70_000
    pulses(rig, 30_000)
    assert (up.value(), down.value()) == (30_000, -100_000)


def test_one_unit_one_class(rig, machine):
    machine.Counter(0, 4)
    with pytest.raises(ValueError, match="PCNT in use"):
        machine.Encoder(0, 4, 5)
    rig.board.soft_reset()
    machine.Encoder(0, 4, 5)


def test_a_counter_counts_what_the_program_does():
    names = Bench().run(
        """
from machine import Counter, Pin
out = Pin(4, Pin.OUT, value=0)
counter = Counter(0, out)
for _ in range(6):
    out.value(1)
    out.value(0)
found = counter.value()
"""
    )
    assert names["found"] == 6


# Encoder


@pytest.mark.parametrize(("phases", "counts"), [(1, 3), (2, 6), (4, 12)])
def test_encoder(rig, machine, phases, counts):
    encoder = machine.Encoder(0, machine.Pin(4), machine.Pin(5), phases=phases)
    assert encoder.phases() == phases
    at = turn(rig, 12)
    there = encoder.value()
    assert abs(there) == counts
    turn(rig, -24, start=at)
    assert encoder.value() == -there
    machine.Encoder(1, 5, 4, phases=phases)
    with pytest.raises(ValueError, match="phases"):
        machine.Encoder(2, 4, 5, phases=3)


@given(st.lists(st.integers(-9, 9), max_size=12))
def test_four_phases_never_lose_a_quarter(turns):
    bench = Bench()
    encoder = bench.module("machine").Encoder(0, 4, 5, phases=4)
    at = 0
    for quarters in turns:
        at = turn(bench, quarters, start=at)
    assert abs(encoder.value()) == abs(at)


def test_from_a_lab():
    with Lab() as lab:
        board = lab.board(
            code="""
import time
from machine import Counter, Pin
counter = Counter(0, Pin(4, Pin.IN, Pin.PULL_UP), edge=Counter.FALLING)
while True:
    time.sleep_ms(1_000)
    print(counter.value(0))
"""
        )
        for ms in (100, 300, 500, 1_300):
            lab.at(ms, lambda: board.pin(4).press(50))
        lab.run(for_ms=2_500)
        assert board.error is None, board.output
        assert board.lines == ["3", "1"]

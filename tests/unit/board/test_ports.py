"""Pins, analogue inputs, touch pads, timers and the watchdog as a state machine, without a program."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.board import PowerState
from espnow.board.ports import CHIPS, TOUCH, Edge, Mode, Pull
from espnow.board.ports_analog import TOUCHED, UNTOUCHED
from espnow.board.ports_pins import HISTORY
from espnow.testing import Bench


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def ports(bench):
    return bench.board.ports


# Levels


def expected(mode, pull, latch, outside):
    """What the rules say, in other words: (level, output)."""
    if mode is Mode.OUT:
        return latch, latch
    if mode is Mode.OPEN_DRAIN:
        if latch == 0:
            return 0, 0
        return (1 if outside is None else outside), 1
    return {None: int(pull is Pull.UP), 0: 0, 1: 1}[outside], None


SITUATIONS = list(itertools.product(Mode, Pull, (0, 1), (None, 0, 1)))


@pytest.mark.parametrize(("mode", "pull", "latch", "outside"), SITUATIONS)
def test_level(ports, mode, pull, latch, outside):
    pin = ports.pin(4)
    pin.configure(mode, pull, latch)
    pin.outside = outside
    pin.configure()
    assert (pin.value, pin.output) == expected(mode, pull, latch, outside)


steps = st.one_of(
    st.builds(lambda mode, pull: lambda pin: pin.configure(mode, pull), st.sampled_from(Mode), st.sampled_from(Pull)),
    st.integers(0, 1).map(lambda level: lambda pin: pin.write(level)),
    st.integers(0, 1).map(lambda level: lambda pin: pin.drive(level)),
    st.just(lambda pin: pin.release()),
    st.just(lambda pin: pin.let_go()),
)


@given(st.lists(steps, max_size=20))
def test_every_change_is_told_once_and_nothing_else(sequence):
    ports = Bench().board.ports
    pin = ports.pin(4)
    levels, outputs, watched = [], [], []
    pin.on_level(levels.append)
    pin.on_output(outputs.append)
    ports.watchers.append(lambda: watched.append(pin.value))
    seen_levels, seen_outputs = [pin.value], [pin.output]
    for step in sequence:
        step(pin)
        assert (pin.value, pin.output) == expected(pin.mode, pin.pull, pin.latch, pin.outside)
        if pin.value != seen_levels[-1]:
            seen_levels.append(pin.value)
        if pin.output != seen_outputs[-1]:
            seen_outputs.append(pin.output)
    assert levels == watched == seen_levels[1:]
    assert outputs == seen_outputs[1:]
    assert [level for _, level in pin.history] == [output for output in outputs if output is not None]


@given(st.lists(st.integers(0, 1)), st.sampled_from([Edge(0), Edge.RISING, Edge.FALLING, Edge.RISING | Edge.FALLING]))
def test_edges_that_schedule(levels, edges):
    bench = Bench()
    pin = bench.board.ports.pin(4)
    calls = []
    pin.irq, pin.edges = (calls.append, "pin"), edges
    for level in levels:
        pin.drive(level)
        bench.board.run_callbacks()
    changes = list(itertools.pairwise([0, *levels]))
    rising, falling = changes.count((0, 1)), changes.count((1, 0))
    assert len(calls) == rising * bool(edges & Edge.RISING) + falling * bool(edges & Edge.FALLING)
    assert set(calls) <= {"pin"}


def test_listeners_can_be_taken_back(ports):
    pin = ports.pin(4)
    calls = []
    pin.on_level(calls.append)
    pin.on_output(calls.append)
    pin.off_level(calls.append)
    pin.off_output(calls.append)
    pin.configure(Mode.OUT, latch=1)
    assert calls == []


def test_history_has_times_and_an_end(bench, ports):
    pin = ports.pin(4)
    pin.configure(Mode.OUT)
    bench.advance(1)
    pin.write(1)
    pin.write(1)
    bench.advance(2)
    pin.write(0)
    pin.drive(1)
    assert pin.history == [(0, 0), (1_000, 1), (3_000, 0)]
    for _ in range(HISTORY):
        pin.write(1 - pin.latch)
    assert len(pin.history) == HISTORY


def test_press_and_pulse(bench, ports):
    button, line = ports.pin(0), ports.pin(4)
    button.configure(Mode.IN, Pull.UP)
    edges = []
    button.on_level(lambda level: edges.append(("button", bench.clock.now_us, level)))
    line.on_level(lambda level: edges.append(("line", bench.clock.now_us, level)))
    button.press(ms=2)
    line.pulse(700, after_us=500)
    bench.advance(10)
    assert edges == [("button", 0, 0), ("line", 500, 1), ("line", 1_200, 0), ("button", 2_000, 1)]
    assert button.outside is None
    line.pulse(10, level=0)
    bench.advance(1)
    assert line.value == 1


@pytest.mark.parametrize(
    ("us", "level", "widths"),
    [(580, 1, [580]), (580, 0, [580]), (lambda: 100, 1, [100]), (lambda: None, 1, [])],
)
def test_pulse_after(bench, ports, us, level, widths):
    trigger, echo = ports.pin(5), ports.pin(18)
    echo.pulse_after(trigger, us, level=level, after_us=450)
    edges = []
    echo.on_level(lambda now: edges.append((bench.clock.now_us, now)))
    trigger.configure(Mode.OUT)  # to 0 from nothing: asks for none
    bench.advance(5)
    assert edges == []
    trigger.write(1)
    bench.advance(0.01)
    trigger.write(0)
    bench.advance(5)
    assert edges == [edge for us in widths for edge in ((5_460, level), (5_460 + us, 1 - level))]


def test_pwm(ports):
    pin = ports.pin(4)
    pin.modulate((1_000, 0x8000))
    assert (pin.value, pin.output, pin.mode) == (1, 1, Mode.OUT)
    pin.modulate((1_000, 0x7FFF))
    assert pin.value == 0
    assert pin.history == []
    pin.configure(Mode.OUT, latch=1)
    assert (pin.pwm, pin.value) == (None, 1)


def test_hold(ports):
    pin = ports.pin(4)
    pin.configure(Mode.OUT, latch=1, held=True)
    pin.write(0)
    pin.configure(Mode.IN)
    assert (pin.value, pin.output) == (1, 1)
    pin.configure(Mode.OUT, held=False)
    assert pin.value == 0
    ports.pin(5).configure(Mode.IN, held=True)
    ports.pin(5).drive(1)
    assert ports.pin(5).value == 1


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
def test_only_pins_that_exist(profile):
    ports = Bench(profile).board.ports
    ports.chip = CHIPS[profile]
    for number in range(-1, 60):
        if number in CHIPS[profile].pins:
            assert ports.pin(number) is ports.pin(number)
        else:
            with pytest.raises(ValueError, match=f"board 'bench' has no pin {number}"):
                ports.pin(number)


@pytest.mark.parametrize("chip", CHIPS.values(), ids=lambda chip: chip.name)
def test_tables_of_chips(chip):
    assert {*chip.input_only, *chip.analog, *chip.touch, *chip.dac, *chip.rtc} <= chip.pins
    assert set(chip.analog.values()) <= {1, 2}
    assert not chip.dac & chip.input_only


# Analogue


def test_analogue_input(bench, ports):
    source = ports.adc(34)
    assert (source.volts, source.share(3.3)) == (0.0, 0.0)
    source.set(1.65)
    assert (source.volts, source.share(3.3), source.share(1.1)) == (1.65, 0.5, 1.0)
    source.set(-1)
    assert source.share(3.3) == 0.0
    source.set_raw(0xFFFF)
    assert (source.share(3.3), source.share(1.1)) == (1.0, 1.0)
    source.follow(lambda ms: ms / 100)
    bench.advance(110)
    assert (source.volts, source.share(2.2)) == (1.1, 0.5)
    for raw in (-1, 65_536):
        with pytest.raises(ValueError, match="0 to 65535"):
            source.set_raw(raw)


def test_analogue_inputs_that_exist():
    esp8266 = Bench("esp8266").board.ports
    assert (esp8266.adc(0).volts, esp8266.adc(1).volts) == (0.0, 3.3)
    for ports, number in ((esp8266, 2), (Bench().board.ports, 49)):
        with pytest.raises(ValueError, match="no analogue input"):
            ports.adc(number)


def test_touch(ports):
    pad = ports.touch(4)
    calls = []
    ports.watchers.append(lambda: calls.append(ports.levels()[TOUCH + 4]))
    assert (pad.value, pad.touched) == (UNTOUCHED, False)
    pad.touch()
    assert (pad.value, pad.touched) == (TOUCHED, True)
    pad.release()
    pad.threshold = UNTOUCHED + 1
    pad.set(UNTOUCHED)
    assert calls == [1, 0, 1]
    assert ports.touch_pads == ()
    pad.used = True
    assert ports.touch_pads == (4,)


def test_levels(ports):
    assert ports.levels() == {}
    ports.pin(2).configure(Mode.OUT, latch=1)
    ports.pin(15).drive(0)
    ports.touch(4).touch()
    assert ports.levels() == {2: 1, 15: 0, TOUCH + 4: 1}


def test_dac(ports):
    output = ports.dac(25)
    assert (output.value, output.volts) == (None, 0.0)
    output.value = 255
    assert ports.dac(25).volts == pytest.approx(3.3)


# Timers


def start(bench, number, period_us, *, repeats):
    """Start a timer, and return it and the list of the times of its calls."""
    calls = []
    timer = bench.board.ports.timer(number)
    timer.start(period_us, repeats=repeats, callback=(lambda _: calls.append(bench.clock.now_us), timer))
    return timer, calls


def test_a_timer_without_repetition(bench, ports):
    timer, calls = start(bench, -1, 1_500, repeats=False)
    assert ports.armed
    bench.advance(1)
    assert timer.elapsed_us == 1_000
    bench.advance(5)
    assert len(calls) == 1
    assert not ports.armed
    assert not timer.running
    assert timer.elapsed_us == 0
    assert ports.timers == {}


def test_a_timer_that_repeats_does_not_drift(bench):
    timer, calls = start(bench, 0, 1_000, repeats=True)
    for _ in range(5):
        bench.advance(1)
    assert calls == [1_000, 2_000, 3_000, 4_000, 5_000]
    bench.advance(0.5)
    assert timer.elapsed_us == 500
    timer.stop()
    bench.advance(5)
    assert len(calls) == 5


def test_starting_again_replaces_what_ran(bench):
    timer, calls = start(bench, 0, 1_000, repeats=True)
    timer.start(3_000, repeats=False, callback=timer.callback)
    for _ in range(10):
        bench.advance(1)
    assert calls == [3_000]


def test_a_timer_of_the_chip_is_always_the_same(ports):
    assert ports.timer(0) is ports.timer(0)
    assert ports.timer(0) is not ports.timer(1)
    assert ports.timer(-1) is not ports.timer(-1)


def test_timers_stand_still_while_held(bench, ports):
    timer, calls = start(bench, 0, 5_000, repeats=False)
    bitten = []
    ports.watchdog.start(7_000, lambda: bitten.append(bench.clock.now_us))
    bench.advance(2)
    ports.hold()
    assert timer.elapsed_us == 2_000
    assert timer.running
    bench.advance(100)
    assert calls == bitten == []
    ports.go_on()
    bench.advance(3)
    bench.advance(10)
    assert calls == [105_000]
    assert bitten == [107_000]


def test_what_is_stopped_while_held_stays_so(bench, ports):
    timer, calls = start(bench, 0, 5_000, repeats=True)
    other, more = start(bench, 1, 5_000, repeats=False)
    bench.advance(2)
    ports.hold()
    timer.stop()
    other.start(1_000, repeats=False, callback=other.callback)
    ports.go_on()
    bench.advance(20)
    assert (calls, more) == ([], [22_000])


def test_a_full_queue_loses_the_call(bench, ports):
    _, calls = start(bench, 0, 1_000, repeats=True)
    bench.clock.advance(20_000)  # nobody runs callbacks meanwhile
    bench.board.run_callbacks()
    assert len(calls) == 8


def test_watchdog(bench, ports):
    bitten = []
    ports.watchdog.feed()  # harmless before it runs
    ports.watchdog.start(5_000, lambda: bitten.append(bench.clock.now_us))
    assert not ports.armed
    bench.advance(4)
    ports.watchdog.feed()
    bench.advance(4)
    ports.soft_reset()
    assert bitten == []
    bench.advance(4)
    assert bitten == [9_000]
    bench.advance(100)
    ports.watchdog.feed()
    bench.advance(100)
    assert bitten == [9_000]


# What outlives what


def used(bench):
    """Return the ports of a board that uses one of each."""
    ports = bench.board.ports
    ports.pin(2).configure(Mode.OUT, latch=1)
    ports.pin(4).configure(Mode.OUT, latch=1, held=True)
    ports.pin(5).configure(Mode.OUT, latch=1, held=True)  # not known to the RTC
    ports.pin(15).configure(Mode.IN, Pull.UP)
    ports.pin(16).drive(1)
    ports.pin(15).irq, ports.pin(15).edges = (print, None), Edge.FALLING
    ports.timer(0).start(1_000, repeats=True, callback=(print, None))
    ports.watchdog.start(1_000_000, list)
    ports.adc(34).set(1.0)
    ports.adc(34).attenuation = 3
    ports.dac(25).value = 9
    ports.touch(13).used = True
    ports.nvs["a", "b"] = 1
    return ports


@pytest.mark.parametrize(
    ("event", "levels", "watchdog", "chip", "touch"),
    [
        ("soft_reset", {2: 1, 4: 1, 5: 1, 15: 1, 16: 1}, True, True, True),
        ("reset", {2: 0, 4: 1, 5: 0, 15: 0, 16: 1}, False, False, False),
        ("deep sleep", {2: 0, 4: 1, 5: 0, 15: 1, 16: 1}, False, False, True),
        ("power_off", {2: 0, 4: 0, 5: 0, 15: 0, 16: 1}, False, False, False),
    ],
)
def test_what_outlives(bench, event, levels, watchdog, chip, touch):
    ports = used(bench)
    assert ports.armed
    if event == "deep sleep":
        bench.board.power.state = PowerState.DEEP_SLEEP
        ports.reset()
    else:
        getattr(ports, event)()
    assert not ports.armed
    assert {number: ports.pin(number).value for number in levels} == levels
    assert ports.watchdog.running == watchdog
    assert (ports.adc(34).attenuation == 3) == chip
    assert (ports.dac(25).value == 9) == chip
    assert ports.touch(13).used == touch
    assert ports.adc(34).volts == 1.0
    assert ports.nvs == {("a", "b"): 1}


@pytest.mark.parametrize(("profile", "pwm", "level"), [("esp32", None, 0), ("esp8266", (50, 0x9000), 1)])
def test_pwm_and_a_soft_reset(profile, pwm, level):
    pin = Bench(profile).board.ports.pin(4)
    pin.modulate((50, 0x9000))
    pin._ports.soft_reset()
    assert (pin.mode, pin.pwm, pin.output) == (Mode.OUT, pwm, level)


def test_pins_that_the_rtc_does_not_know_are_held_on_demand(bench):
    ports = used(bench)
    ports.holds_all = True
    ports.reset()
    assert ports.pin(5).value == 1

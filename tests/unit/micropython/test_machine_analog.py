"""machine.ADC, ADCBlock, DAC, TouchPad and PWM."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.board.ports import CHIPS
from espnow.micropython.machine.analog import FULL_VOLTS
from espnow.testing import Bench


@pytest.fixture
def machine(rig):
    return rig.module("machine")


@pytest.fixture
def esp8266(make_rig):
    return make_rig("esp8266")


# ADC


@pytest.mark.parametrize(
    ("attenuation", "volts", "raw", "uv"),
    [
        (None, 0.0, 0, 0),
        (None, 0.55, 2048, 550_000),
        (None, 3.3, 4095, 1_100_000),
        ("ATTN_0DB", 1.1, 4095, 1_100_000),
        ("ATTN_2_5DB", 0.75, 2048, 750_000),
        ("ATTN_6DB", 1.1, 2048, 1_100_000),
        ("ATTN_11DB", 3.3, 4095, 3_300_000),
        ("ATTN_11DB", 1.65, 2048, 1_650_000),
        ("ATTN_11DB", -1.0, 0, 0),
    ],
)
def test_adc(rig, machine, attenuation, volts, raw, uv):
    adc = machine.ADC(machine.Pin(34))
    if attenuation:
        adc.atten(getattr(machine.ADC, attenuation))
    rig.board.ports.adc(34).set(volts)
    assert (adc.read(), adc.read_uv()) == (raw, uv)
    assert adc.read_u16() == raw << 4 | raw >> 8
    assert adc is machine.ADC(34)


def test_numbers_of_adc(machine):
    ADC = machine.ADC
    assert [ADC.ATTN_0DB, ADC.ATTN_2_5DB, ADC.ATTN_6DB, ADC.ATTN_11DB] == [0, 1, 2, 3]
    assert [ADC.WIDTH_9BIT, ADC.WIDTH_10BIT, ADC.WIDTH_11BIT, ADC.WIDTH_12BIT] == [9, 10, 11, 12]


def test_a_new_object_keeps_the_attenuation(machine):
    machine.ADC(34, atten=machine.ADC.ATTN_11DB)
    assert repr(machine.ADC(34)) == "ADC(Pin(34), atten=3)"
    assert repr(machine.ADC(35)) == "ADC(Pin(35), atten=0)"
    machine.ADC(34).init(atten=1)
    assert repr(machine.ADC(34)) == "ADC(Pin(34), atten=1)"
    machine.ADC(34).deinit()
    assert repr(machine.ADC(34)) == "ADC(Pin(34), atten=1)"


@given(st.integers(0, 0xFFFF), st.integers(9, 12), st.integers(0, 3))
def test_a_raw_value_is_what_is_read(raw, bits, attenuation):
    bench = Bench()
    adc = bench.module("machine").ADC(34)
    adc.atten(attenuation)
    adc.width(bits)
    bench.board.ports.adc(34).set_raw(raw)
    assert adc.read() == round(raw * ((1 << bits) - 1) / 0xFFFF)
    assert abs(adc.read_u16() - raw) <= 1 << (16 - bits)
    assert abs(adc.read_uv() - raw / 0xFFFF * FULL_VOLTS[attenuation] * 1e6) <= 500


@pytest.mark.parametrize(("width", "largest"), [(9, 511), (10, 1023), (12, 4095), (0, 511), (3, 4095)])
def test_width_is_the_whole_blocks(rig, machine, width, largest):
    for pin in (34, 35, 4):
        rig.board.ports.adc(pin).set_raw(0xFFFF)
    machine.ADC(34).width(width)
    assert (machine.ADC(34).read(), machine.ADC(35).read()) == (largest, largest)
    assert machine.ADC(4).read() == 4095
    assert machine.ADC(35).read_u16() == 0xFFFF
    rig.board.reset()
    assert machine.ADC(34).read() == machine.ADC(4).read() == 4095


def test_refusals_of_adc(rig, machine):
    rig.board.ports.chip = CHIPS["esp32"]
    with pytest.raises(ValueError, match="invalid pin"):
        machine.ADC(5)
    with pytest.raises(ValueError, match="invalid atten"):
        machine.ADC(34).atten(4)
    for width in (-1, 8, 13):
        with pytest.raises(ValueError, match="invalid bits"):
            machine.ADC(34).width(width)


def test_a_pin_that_follows_the_time(rig, machine):
    rig.board.ports.adc(34).follow(lambda ms: ms / 1000)
    adc = machine.ADC(34, atten=machine.ADC.ATTN_11DB)
    rig.clock.move(1_649_995)
    assert adc.read() == 2048
    assert rig.clock.now_us == 1_650_000


def test_block_two_is_wifis_while_it_is_active(rig, machine):
    adc, other = machine.ADC(4), machine.ADC(34)
    rig.board.ports.adc(4).set_raw(0xFFFF)
    assert adc.read() == 4095
    rig.board.wifi.set_active(0, True)
    for read in (adc.read, adc.read_u16, adc.read_uv):
        with pytest.raises(OSError, match="ETIMEDOUT") as caught:
            read()
        assert caught.value.errno == 116
    assert other.read() == 0
    rig.board.ports.chip = CHIPS["esp32s3"]
    assert adc.read() == 4095


@pytest.mark.parametrize(
    ("inputs", "pins", "chip", "read"),
    [
        ((0,), (2,), None, True),  # an ESP32-C3's
        ((4, 14), (48,), None, True),  # an ESP32-S3's
        ((4,), (22, 23), None, True),  # an ESP32-C6's
        ((13,), (25,), None, False),
        ((4, 34), (), None, False),
        ((26,), (), None, False),
        ((0,), (2,), "esp32", False),
    ],
)
def test_an_input_that_wifi_takes_on_an_esp32_may_be_a_later_chips(rig, machine, inputs, pins, chip, read):
    if chip is not None:
        rig.board.ports.chip = CHIPS[chip]
    converters = [machine.ADC(machine.Pin(pin)) for pin in inputs]
    for pin in pins:
        machine.Pin(pin, machine.Pin.OUT)
    rig.board.wifi.set_active(0, True)
    if read:
        assert [adc.read() for adc in converters] == [0] * len(inputs)
        assert rig.board.ports.chip is CHIPS["other"]
    else:
        with pytest.raises(OSError, match="ETIMEDOUT"):
            converters[0].read()
        assert rig.board.ports.chip is CHIPS["esp32"]


def test_adc_block(machine):
    block = machine.ADC(34).block()
    assert repr(block) == "ADCBlock(1, bits=12)"
    block.init(bits=10)
    assert repr(machine.ADCBlock(1)) == "ADCBlock(1, bits=10)"
    assert repr(machine.ADCBlock(2, bits=9)) == "ADCBlock(2, bits=9)"
    assert block.connect(0) is block.connect(machine.Pin(36)) is block.connect(0, machine.Pin(36)) is machine.ADC(36)
    for source in (8, -1, machine.Pin(4)):
        with pytest.raises(ValueError, match="no matching ADC"):
            block.connect(source)
    with pytest.raises(ValueError, match="invalid block"):
        machine.ADCBlock(3)
    with pytest.raises(ValueError, match="invalid bits"):
        block.init(bits=13)


@pytest.mark.parametrize(
    ("volts", "raw", "u16"), [(0.0, 0, 0), (0.5, 512, 32767), (1.0, 1024, 65535), (3.3, 1024, 65535)]
)
def test_adc_of_an_esp8266(esp8266, volts, raw, u16):
    adc = esp8266.module("machine").ADC(0)
    esp8266.board.ports.adc(0).set(volts)
    assert (adc.read(), adc.read_u16(), repr(adc)) == (raw, u16, "ADC(0)")


def test_channels_of_an_esp8266(esp8266):
    machine = esp8266.module("machine")
    assert machine.ADC(1).read() == round(3.3 * 1024)
    assert machine.ADC(0) is machine.ADC(0)
    with pytest.raises(ValueError, match=r"ADC\(2\) doesn't exist"):
        machine.ADC(2)
    with pytest.raises(TypeError, match="can't convert Pin to int"):
        machine.ADC(machine.Pin(0))
    assert not hasattr(machine, "DAC")
    assert not hasattr(machine, "TouchPad")


# DAC and TouchPad


def test_dac(rig, machine):
    dac = machine.DAC(machine.Pin(25))
    dac.write(128)
    assert rig.board.ports.dac(25).value == 128
    assert rig.board.ports.dac(25).volts == pytest.approx(1.656, abs=0.001)
    assert (dac is machine.DAC(25), repr(dac)) == (True, "DAC(Pin(25))")
    for value in (-1, 256):
        with pytest.raises(ValueError, match="out of range"):
            dac.write(value)
    with pytest.raises(ValueError, match="invalid Pin for DAC"):
        machine.DAC(27)


def test_touch_pad(rig, machine):
    rig.board.ports.chip = CHIPS["esp32"]
    pad = machine.TouchPad(machine.Pin(14))
    quiet = pad.read()
    rig.board.ports.touch(14).touch()
    assert pad.read() < quiet
    pad.config(50)
    assert not rig.board.ports.touch(14).touched
    assert rig.board.ports.touch_pads == (14,)
    with pytest.raises(ValueError, match="invalid pin for touchpad"):
        machine.TouchPad(5)


# PWM


@pytest.mark.parametrize(
    ("keywords", "pwm"),
    [
        ({}, (5_000, 0x8000)),
        ({"freq": 1_000}, (1_000, 0x8000)),
        ({"freq": 50, "duty": 77}, (50, 77 << 6)),
        ({"freq": 50, "duty": 1023}, (50, 65_535)),
        ({"freq": 50, "duty": 0}, (50, 0)),
        ({"freq": 1_000, "duty_u16": 1}, (1_000, 1)),
        ({"freq": 1_000, "duty_ns": 500_000}, (1_000, 32_768)),
        ({"duty_u16": 0x4000, "invert": True}, (5_000, 0xBFFF)),
        ({"freq": 1_000, "duty": 512, "timer": 0, "channel": 1}, (1_000, 0x8000)),
    ],
)
def test_pwm(rig, machine, keywords, pwm):
    machine.PWM(machine.Pin(2), **keywords)
    assert rig.board.ports.pin(2).pwm == pwm


def test_pwm_changes(rig, machine):
    port = rig.board.ports.pin(13)
    servo = machine.PWM(13, 50)
    assert repr(servo) == "PWM(13, freq=50, duty=512)"
    servo.duty(77)
    assert (servo.duty(), servo.duty_u16(), port.pwm) == (77, 77 << 6, (50, 77 << 6))
    servo.duty_u16(0xFFFF)
    assert (servo.duty(), servo.duty_ns()) == (1023, 20_000_000)
    servo.freq(1_000)
    servo.duty_ns(250_000)
    assert (servo.freq(), servo.duty_ns(), port.pwm) == (1_000, pytest.approx(250_000, abs=20), (1_000, 16_384))
    servo.init(freq=200)
    assert port.pwm == (200, 16_384)
    servo.deinit()
    servo.deinit()
    assert (port.pwm, port.value, repr(servo)) == (None, 0, "PWM(13)")
    machine.Pin(13, machine.Pin.OUT, value=1)
    assert port.value == 1


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"freq": 0}, "frequency must be from 1Hz to 40MHz"),
        ({"freq": 40_000_001}, "frequency"),
        ({"duty": 1024}, "duty must be from 0 to 1023"),
        ({"duty_u16": 65_536}, "duty_u16 must be from 0 to 65535"),
        ({"freq": 1000, "duty_ns": 1_000_100}, "duty_ns must be from 0 to 1000000 ns"),
    ],
)
def test_refusals_of_pwm(rig, machine, keywords, message):
    rig.board.ports.chip = CHIPS["esp32"]
    with pytest.raises(ValueError, match=message):
        machine.PWM(machine.Pin(2), **keywords)
    assert rig.board.ports.pin(2).pwm is None
    with pytest.raises(ValueError, match="not supported"):
        machine.PWM(34)


def test_pins_of_an_esp8266_with_pwm(esp8266):
    machine = esp8266.module("machine")
    able = []
    for number in sorted(CHIPS["esp8266"].pins):
        try:
            machine.PWM(machine.Pin(number))
        except ValueError:
            continue
        able.append(number)
    assert able == [0, 2, 4, 5, 12, 13, 14, 15]


def test_pwm_of_an_esp8266(esp8266):
    machine, ports = esp8266.module("machine"), esp8266.board.ports
    led = machine.PWM(machine.Pin(2))
    assert (led.freq(), led.duty()) == (500, 0)
    for duty, kept in ((0, 0), (-5, 0), (2_000, 1023)):
        led.duty(duty)
        assert led.duty() == kept
    servo = machine.PWM(machine.Pin(4), freq=50, duty=77)
    assert (ports.pin(2).pwm, ports.pin(4).pwm) == ((50, 65_535), (50, 77 << 6))
    led.freq(5_000)
    assert (servo.freq(), led.freq()) == (1_000, 1_000)
    assert machine.PWM(machine.Pin(5)).freq() == 1_000
    with pytest.raises(ValueError, match="expecting a pin"):
        machine.PWM(2)
    with pytest.raises(ValueError, match="PWM not supported on pin 16"):
        machine.PWM(machine.Pin(16))

"""esp32.RMT: what is kept at the pin, and how long it takes."""

import pytest

from espnow.board.ports import CHIPS
from espnow.testing import Bench


@pytest.fixture
def RMT(rig):
    return rig.module("esp32").RMT


def took_us(rig, call, *arguments, **options):
    began_us = rig.clock.now_us
    result = call(*arguments, **options)
    return result, rig.clock.now_us - began_us


def test_forms(rig, RMT):
    Pin = rig.module("machine").Pin
    assert repr(RMT(0, pin=Pin(18), clock_div=8)) == (
        "RMT(pin=18, source_freq=80000000, resolution_hz=10000000, idle_level=0)"
    )
    channel = RMT(pin=18, resolution_hz=1_000_000, idle_level=True, tx_carrier=(38_000, 50, 1), num_symbols=128)
    assert channel.clock_div() == 80
    assert RMT.source_freq() == channel.source_freq() == 80_000_000
    assert RMT.PULSE_MAX == 32_767
    assert RMT.__module__ == "esp32"
    assert rig.board.ports.pin(18).value == 1
    channel.deinit()
    assert repr(channel) == "RMT()"
    for call in (channel.clock_div, channel.wait_done, lambda: channel.loop(1), lambda: channel.write_pulses([1])):
        with pytest.raises(OSError, match="already deinitialized"):
            call()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"pin": 99}, "invalid pin"),
        ({"clock_div": 0}, "clock_div must be between 1 and 255"),
        ({"clock_div": 256}, "clock_div must be between 1 and 255"),
        ({"clock_div": 8, "resolution_hz": 10}, "mutually exclusive"),
        ({"resolution_hz": 0}, "resolution_hz must be positive"),
        ({"num_symbols": 62}, "num_symbols must be even and at least 64"),
        ({"num_symbols": 65}, "num_symbols must be even and at least 64"),
        ({"tx_carrier": (0, 50, 1)}, "frequency must be >0"),
        ({"tx_carrier": (38_000, 101, 1)}, "duty must be 0..100"),
    ],
)
def test_what_is_refused(RMT, options, text):
    with pytest.raises(ValueError, match=text):
        RMT(0, **({"pin": 18} | options))
    with pytest.raises(TypeError):
        RMT(0)


def test_a_pin_that_is_only_an_input(rig, RMT):
    rig.board.ports.chip = CHIPS["esp32"]
    with pytest.raises(ValueError, match="pin can only be input"):
        RMT(0, pin=34)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (((1, 20, 2, 40), 0), [(0, 100), (1, 2000), (0, 200), (1, 4000)]),
        (([5, 6],), [(1, 500), (0, 600)]),
        ((7, [1, 0, 0, 1]), [(1, 700), (0, 700), (0, 700), (1, 700)]),
        (([1, 2, 3], (True, 0, "x")), [(1, 100), (0, 200), (1, 300)]),
        (([32_767 + 1, 5],), []),
        (([5, 0, 6],), [(1, 500)]),
    ],
)
def test_three_ways_to_write(rig, RMT, arguments, expected):
    channel = RMT(0, pin=18, clock_div=8)
    assert rig.board.ports.pin(18).pulses is None
    channel.write_pulses(*arguments)
    assert list(rig.board.ports.pin(18).pulses) == expected
    assert rig.board.ports.pin(18).value == 0


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (([],), ValueError, "No pulses"),
        ((5, []), ValueError, "No pulses"),
        (([1, 2], [1]), ValueError, "duration and data must have same length"),
        ((5,), TypeError, "object 'int' isn't a tuple or list"),
        ((bytearray(4),), TypeError, "object 'bytearray' isn't a tuple or list"),
    ],
)
def test_what_cannot_be_written(RMT, arguments, error, text):
    with pytest.raises(error, match=text):
        RMT(0, pin=18).write_pulses(*arguments)


def test_it_takes_its_time(rig, RMT):
    channel = RMT(0, pin=18, resolution_hz=1_000_000)
    assert channel.wait_done()
    assert not channel.active()
    began_us = rig.clock.now_us
    assert took_us(rig, channel.write_pulses, [10_000, 20_000])[1] == 0
    assert channel.active()
    assert not channel.wait_done()
    done, us = took_us(rig, channel.wait_done, timeout=10)
    assert not done
    assert us == 10_020
    assert channel.wait_done(timeout=100)
    assert rig.clock.now_us - began_us == 30_020
    channel.write_pulses([10_000])
    _, us = took_us(rig, channel.write_pulses, [5_000])  # after the first
    assert us == 10_020
    assert took_us(rig, channel.wait_done, timeout=-1) == (True, 5_020)


@pytest.mark.parametrize(("count", "us"), [(0, 3_000), (1, 3_000), (4, 12_000)])
def test_a_loop_with_an_end(rig, RMT, count, us):
    channel = RMT(0, pin=18, resolution_hz=1_000_000)
    channel.loop_count(count)
    channel.write_pulses([1_000, 2_000])
    assert took_us(rig, channel.wait_done, timeout=-1) == (True, us + 20)
    with pytest.raises(ValueError, match="arg must be -1, 0 or positive"):
        channel.loop_count(-2)


@pytest.mark.parametrize("stop", [lambda each: each.loop(False), lambda each: each.active(False)])
def test_a_loop_without_end(rig, RMT, stop):
    channel = RMT(0, pin=18, resolution_hz=1_000_000)
    channel.loop(True)
    channel.write_pulses([1_000, 2_000])
    rig.clock.move(rig.clock.now_us + 10_000)
    assert channel.active()
    assert took_us(rig, channel.wait_done, timeout=2) == (False, 2_020)
    now_us = rig.clock.now_us
    assert took_us(rig, stop, channel)[1] == 15_000 - now_us + 20  # to the end of the fifth turn
    assert channel.wait_done()
    with pytest.raises(ValueError, match="activate by calling write_pulses"):
        channel.active(True)


def test_polling(rig, RMT):
    select = rig.module("select")
    channel = RMT(0, pin=18, resolution_hz=1_000_000)
    poll = select.poll()
    poll.register(channel, select.POLLOUT)
    assert poll.poll(0) == [(channel, select.POLLOUT)]
    channel.write_pulses([5_000])
    assert poll.poll(0) == []
    ready, us = took_us(rig, poll.poll, 1_000)
    assert ready == [(channel, select.POLLOUT)]
    assert us == pytest.approx(5_000, abs=20)


def test_bitstream(RMT):
    assert (RMT.bitstream_rmt(), RMT.bitstream_channel()) == (True, 1)
    assert RMT.bitstream_channel(None) is None
    assert RMT.bitstream_rmt() is False
    assert RMT.bitstream_channel(3) == 1
    assert RMT.bitstream_rmt(None) is False
    with pytest.raises(ValueError, match="invalid channel"):
        RMT.bitstream_channel(-1)


def test_a_remote_control():
    bench = Bench()
    bench.run(
        """
import esp32
from machine import Pin
ir = esp32.RMT(0, pin=Pin(23), clock_div=80, tx_carrier=(38000, 33, 1))
pulses = [9000, 4500]
for bit in "0110":
    pulses += [562, 1687 if bit == "1" else 562]
ir.write_pulses(pulses + [562])
"""
    )
    spaces = [ns // 1000 for level, ns in bench.board.ports.pin(23).pulses if not level]
    assert spaces == [4500, 562, 1687, 1687, 562]

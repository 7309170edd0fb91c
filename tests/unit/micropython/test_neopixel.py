"""neopixel and apa106: the sequence that a program has, and what reached the LEDs."""

import pytest

from espnow.testing import Bench


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def pin(bench):
    return bench.module("machine").Pin(4)


@pytest.fixture
def neopixel(bench):
    return bench.module("neopixel")


def test_nothing_is_lit_before_write(bench, neopixel, pin):
    chain = neopixel.NeoPixel(pin, 3)
    chain[0] = (255, 128, 1)
    chain[-1] = [1, 2, 3]
    leds = bench.board.ports.pixels(4)
    assert leds.pixels == []
    chain.write()
    assert leds.pixels == [(255, 128, 1), (0, 0, 0), (1, 2, 3)] == list(chain)
    assert bytes(chain.buf) == bytes((128, 255, 1, 0, 0, 0, 2, 1, 3))
    chain.fill((9, 8, 7))
    assert leds[0] == (255, 128, 1)
    chain.write()
    assert leds.pixels == [(9, 8, 7)] * 3
    assert [colours[0] for _, colours in leds.history] == [(255, 128, 1), (9, 8, 7)]
    assert pin.value() == 0


def test_white_and_other_orders(bench, neopixel, pin):
    chain = neopixel.NeoPixel(pin, 2, bpp=4)
    chain.fill((1, 2, 3, 4))
    chain.write()
    assert bench.board.ports.pixels(4).pixels == [(1, 2, 3, 4)] * 2
    assert bytes(chain.buf) == bytes((2, 1, 3, 4)) * 2
    other = bench.module("apa106").APA106(bench.module("machine").Pin(5), 1)
    other[0] = (1, 2, 3)
    other.write()
    assert bytes(other.buf) == bytes((1, 2, 3))
    assert bench.board.ports.pixels(5).pixels == [(1, 2, 3)]


def test_an_order_of_the_programs_own(bench, neopixel, pin):
    class Strip(neopixel.NeoPixel):
        ORDER = (2, 1, 0, 3)

    chain = Strip(pin, 1)
    chain[0] = (1, 2, 3)
    chain.write()
    assert bytes(chain.buf) == bytes((3, 2, 1))
    assert bench.board.ports.pixels(4).pixels == [(1, 2, 3)]


@pytest.mark.parametrize(
    ("options", "us"), [({}, 60 * 24 * 1.25 + 50), ({"timing": 0}, 60 * 24 * 2.5 + 50), ({"timing": (1000,) * 4}, 2930)]
)
def test_a_write_takes_its_bits(bench, neopixel, pin, options, us):
    chain = neopixel.NeoPixel(pin, 60, **options)
    before_us = bench.clock.now_us
    chain.write()
    assert bench.clock.now_us - before_us == us


def test_brightness(neopixel, pin):
    chain = neopixel.NeoPixel(pin, 1, brightness=0.5)
    chain[0] = (200, 100, 11)
    assert chain[0] == (100, 50, 6)
    chain.set_brightness(7)
    assert chain.brightness == 1.0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda chain: chain.__setitem__(3, (1, 2, 3)), IndexError),
        (lambda chain: chain.__setitem__(-4, (1, 2, 3)), IndexError),
        (lambda chain: chain[3], IndexError),
        (lambda chain: chain.__setitem__(0, (1, 2)), IndexError),
        (lambda chain: chain.__setitem__(0, (1, 2, 2.5)), TypeError),
        (lambda chain: chain.fill((1,)), IndexError),
    ],
)
def test_refusals(neopixel, pin, change, error):
    with pytest.raises(error):
        change(neopixel.NeoPixel(pin, 3))


def test_a_number_is_no_pin(neopixel, pin):
    with pytest.raises(AttributeError):
        neopixel.NeoPixel(4, 3)
    neopixel.NeoPixel(pin, 3)
    assert pin.mode() == pin.OUT


def test_values_are_cut_to_a_byte(neopixel, pin):
    chain = neopixel.NeoPixel(pin, 1)
    chain[0] = (256, 257, -1)
    assert chain[0] == (0, 1, 255)


def test_a_driver_of_the_programs_own(bench):
    bench.run(
        """
import machine
machine.bitstream(machine.Pin(13, machine.Pin.OUT), 0, (400, 850, 800, 450), bytearray(b"\\x02\\x01\\x03"))
"""
    )
    assert bench.board.ports.pixels(13).pixels == [(1, 2, 3)]


def test_two_boards_have_leds_of_their_own():
    one, two = Bench(), Bench()
    for bench, colour in ((one, (1, 1, 1)), (two, (2, 2, 2))):
        chain = bench.module("neopixel").NeoPixel(bench.module("machine").Pin(4), 1)
        chain.fill(colour)
        chain.write()
    assert one.board.ports.pixels(4).pixels == [(1, 1, 1)]
    assert two.board.ports.pixels(4).pixels == [(2, 2, 2)]

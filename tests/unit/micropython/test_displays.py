"""Displays: the chips' own addressing, and the drivers on them, by what is on the glass."""

import random

import pytest

from espnow.board.oled import Oled, Sh1106, Ssd1306
from espnow.micropython.framebuf import MONO_VLSB, FrameBuffer
from espnow.testing import Bench

# The chips.


def commands(display, *values):
    """Send commands as drivers do on I2C, each in a transfer of its own."""
    for value in values:
        display.write(bytes((0x80, value)))


def rows_of(memory, columns, height=64):
    return [[memory[(y // 8) * columns + x] >> y % 8 & 1 for x in range(columns)] for y in range(height)]


@pytest.fixture
def memory():
    return random.Random(1).randbytes(1024)


def test_horizontal_addressing(memory):
    for display in (Ssd1306(), Oled()):
        commands(display, 0xAF, 0x20, 0, 0x21, 0, 127, 0x22, 0, 7)
        display.write(b"\x40" + memory[:700])
        display.write(b"\x40" + memory[700:])
        assert display.pixels == rows_of(memory, 128)
        display.write(b"\x40" + memory[:128])  # goes on at the top
        assert display.pixels == rows_of(memory, 128)


def test_vertical_addressing(memory):
    display = Ssd1306()
    commands(display, 0xAF, 0x20, 1, 0x21, 0, 127, 0x22, 0, 7)
    by_column = bytes(memory[page * 128 + x] for x in range(128) for page in range(8))
    display.write(b"\x40" + by_column)
    assert display.pixels == rows_of(memory, 128)


def test_a_window_is_filled_and_nothing_else():
    display = Ssd1306()
    commands(display, 0xAF, 0x20, 0, 0x21, 10, 12, 0x22, 2, 3)
    display.write(b"\x40" + b"\xff" * 6)
    lit = {(x, y) for y, row in enumerate(display.pixels) for x, pixel in enumerate(row) if pixel}
    assert lit == {(x, y) for x in (10, 11, 12) for y in range(16, 32)}


def by_pages(display, memory, first):
    commands(display, 0xAF)
    for page in range(8):
        commands(display, 0xB0 | page, first, 0x10)
        display.write(b"\x40" + memory[page * 128 : page * 128 + 128])


@pytest.mark.parametrize(("chip", "first"), [(Ssd1306, 0), (Sh1106, 2), (Oled, 0), (Oled, 2)])
def test_addressing_within_pages(chip, first, memory):
    display = chip()
    by_pages(display, memory, first)
    assert display.pixels == rows_of(memory, 128)


def test_an_sh1106_has_its_glass_in_the_middle(memory):
    display = Sh1106()
    by_pages(display, memory, 0)
    assert [row[:126] for row in display.pixels] == [row[2:] for row in rows_of(memory, 128)]


def test_an_sh1106_knows_no_horizontal_addressing(memory):
    display = Sh1106()
    commands(display, 0xAF, 0x20, 0, 0x21, 0, 127, 0x22, 0, 7)
    display.write(b"\x40" + memory)
    assert display.pixels != rows_of(memory, 128)


def test_a_row_ends_where_the_memory_ends():
    wraps, stops = Ssd1306(), Sh1106()
    for display in (wraps, stops):
        commands(display, 0xAF, 0xB0, 0x0E, 0x17)  # column 126
        display.write(b"\x40" + b"\x01" * 10)
    assert [x for x, pixel in enumerate(wraps.pixels[0]) if pixel] == [126, 127]
    assert [x for x, pixel in enumerate(stops.pixels[0]) if pixel] == [124, 125, 126, 127]
    wraps.write(b"\x40\x01")
    assert wraps.pixels[0][8] == 1  # ten bytes from 126 on are at 8


def test_off_inverted_all_lit_and_start_line():
    display = Ssd1306()
    display.write(b"\x40\x03")
    assert not any(map(any, display.pixels))
    assert display.read(2) == b"\x40\x40"
    commands(display, 0xAF)
    assert display.read(1) == b"\x00"
    assert [row[0] for row in display.pixels[:3]] == [1, 1, 0]
    commands(display, 0x41)
    assert [row[0] for row in display.pixels[:2]] == [1, 0]
    assert display.pixels[63][0] == 1
    commands(display, 0x40, 0xA7)
    assert [row[0] for row in display.pixels[:3]] == [0, 0, 1]
    commands(display, 0xA6, 0xA5)
    assert all(map(all, display.pixels))
    commands(display, 0xA4, 0xAE)
    assert not any(map(any, display.pixels))


def test_settings_are_kept():
    display = Ssd1306()
    commands(display, 0x81, 0x33, 0xA1, 0xC8, 0xA8, 31)
    assert (display.contrast, display.mirrored, display.flipped, display.height) == (0x33, True, True, 32)
    assert Ssd1306(64, 48).height == 48


def test_arguments_may_come_in_one_transfer_or_with_data():
    display = Ssd1306()
    display.write(bytes((0x00, 0xAF, 0x81, 0x20, 0x20, 0x00, 0x21, 5, 9, 0x22, 1, 1)))  # a stream of commands
    display.write(bytes((0x80, 0x81, 0x80, 0x44, 0x40, 0xFF)))  # commands one by one, then data
    assert display.contrast == 0x44
    assert [x for x, pixel in enumerate(display.pixels[8]) if pixel] == [5]


@pytest.mark.parametrize("chip", [Oled, Ssd1306, Sh1106])
@pytest.mark.parametrize("seed", range(20))
def test_no_bytes_break_it(chip, seed):
    chance = random.Random(seed)
    display = chip()
    commands(display, 0xAF)
    for _ in range(300):
        display.write(bytes([chance.choice((0x00, 0x80, 0x40, 0xC0))]) + chance.randbytes(chance.randint(0, 40)))
        assert [len(row) for row in display.pixels] == [display.width] * display.height
    assert {len(row) for row in display._memory} == {display._columns}
    _ = display.text, display.text_art()


# Reading.


def shown(draw, width=128, height=64):
    data = bytearray(width * height // 8)
    draw(FrameBuffer(data, width, height, MONO_VLSB))
    display = Ssd1306(width, height)
    commands(display, 0xAF, 0x20, 0, 0x21, (128 - width) // 2, (128 - width) // 2 + width - 1, 0x22, 0, height // 8 - 1)
    display.write(b"\x40" + data)
    return display


@pytest.mark.parametrize("seed", range(20))
def test_every_text_is_read_wherever_it_stands(seed):
    chance = random.Random(seed)
    lines = []
    y = chance.randint(0, 8)
    while y <= 56:
        length = chance.randint(1, 14)
        letters = [chr(chance.randint(33, 126)) for _ in range(length)]
        for place in range(1, length - 1):
            if chance.random() < 0.2:
                letters[place] = " "
        lines.append(("".join(letters), chance.randint(0, 128 - 8 * length), y))
        y += chance.randint(8, 14)

    def draw(buffer):
        for line in lines:
            buffer.text(*line)

    assert shown(draw).text == "\n".join(text for text, _, _ in lines)


def test_text_inverted_and_off():
    display = shown(lambda buffer: buffer.text("12:34", 0, 56))
    commands(display, 0xA7)
    assert display.text == "12:34"
    commands(display, 0xAE)
    assert display.text == ""


def test_text_art():
    def draw(buffer):
        buffer.pixel(0, 0, 1)
        buffer.pixel(1, 1, 1)
        buffer.vline(2, 0, 2, 1)
        buffer.hline(0, 63, 128, 1)

    lines = shown(draw).text_art().split("\n")
    assert len(lines) == 32
    assert lines[0] == "▀▄█"
    assert lines[1] == ""
    assert lines[31] == "▄" * 128


# The drivers.

DRIVERS = {
    "ssd1306 on I2C": (
        "i2c = I2C(0, scl=Pin(22), sda=Pin(21))\nimport ssd1306\ndisplay = ssd1306.SSD1306_I2C(128, 64, i2c)\n",
        lambda ports: ports.i2c(0).display,
    ),
    "ssd1306 on SoftI2C at 0x3d": (
        (
            "i2c = SoftI2C(scl=Pin(5), sda=Pin(4), freq=100000)\n"
            "import ssd1306\n"
            "display = ssd1306.SSD1306_I2C(128, 64, i2c, 0x3d)\n"
        ),
        lambda ports: ports.i2c(scl=5, sda=4).display,
    ),
    "ssd1306 on SPI": (
        (
            "spi = SPI(2, sck=Pin(18), mosi=Pin(23))\n"
            "import ssd1306\n"
            "display = ssd1306.SSD1306_SPI(128, 64, spi, Pin(16), Pin(17), Pin(5))\n"
        ),
        None,
    ),
    "sh1106 on I2C": (
        (
            "i2c = I2C(scl=Pin(5), sda=Pin(4))\n"
            "import sh1106\n"
            "display = sh1106.SH1106_I2C(128, 64, i2c, Pin(16), 0x3c)\n"
            "display.sleep(False)\n"
        ),
        lambda ports: ports.i2c(scl=5, sda=4).display,
    ),
    "sh1106 on SPI": (
        (
            "spi = SPI(2, sck=Pin(18), mosi=Pin(23))\n"
            "import sh1106\n"
            "display = sh1106.SH1106_SPI(128, 64, spi, dc=Pin(16), cs=Pin(5))\n"
        ),
        None,
    ),
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_drivers_show_what_is_drawn(driver):
    source, where = DRIVERS[driver]
    bench = Bench()
    ports = bench.board.ports
    if where is None:
        glass = Ssd1306() if "ssd" in driver else Sh1106()
        ports.spi(2).attach(glass, cs=5, dc=16)
    elif "0x3d" in driver:
        glass = Ssd1306()
        ports.i2c(scl=5, sda=4).attach(0x3D, glass)
    else:
        glass = None
    names = bench.run(
        f"""
from machine import I2C, SPI, Pin, SoftI2C
{source}
display.text("Peers: 3", 0, 0)
display.text("-71 dBm", 20, 30)
display.show()
"""
    )
    glass = glass or where(ports)
    display = names["display"]
    assert glass.on
    assert glass.text == "Peers: 3\n-71 dBm"
    display.poweroff()
    assert not glass.on
    display.poweron()
    assert glass.on
    display.contrast(7)
    assert glass.contrast == 7
    display.invert(1)
    assert glass.inverted
    assert glass.text == "Peers: 3\n-71 dBm"
    display.invert(0)
    flipped = glass.flipped
    display.rotate(not flipped)
    assert (glass.flipped, glass.mirrored) == (not flipped, not flipped)
    display.fill(0)
    assert glass.text
    display.show()
    assert glass.text == ""


@pytest.mark.parametrize(("width", "height"), [(128, 32), (64, 48), (72, 40)])
def test_smaller_glasses(width, height):
    bench = Bench()
    glass = Ssd1306(width, height)
    bench.board.ports.i2c(0).attach(0x3C, glass)
    bench.run(
        f"""
import machine, ssd1306
display = ssd1306.SSD1306_I2C({width}, {height}, machine.I2C(0))
display.text("ok", 0, 0)
display.pixel({width - 1}, {height - 1}, 1)
display.show()
"""
    )
    assert glass.text == "ok"
    assert (glass.pixels[height - 1][width - 1], len(glass.pixels), len(glass.pixels[0])) == (1, height, width)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_an_sh1106_turned_by_a_quarter(rotate):
    bench = Bench()
    names = bench.run(
        f"""
import machine, sh1106
display = sh1106.SH1106_I2C(128, 64, machine.I2C(0), rotate={rotate})
display.pixel(3, 10, 1)
display.hline(0, 60, 64, 1)
display.show()
"""
    )
    glass = bench.board.ports.i2c(0).display
    lit = {(x, y) for y, row in enumerate(glass.pixels) for x, pixel in enumerate(row) if pixel}
    drawn = {(3, 10)} | {(x, 60) for x in range(64)}
    # Columns run from the other side when it is turned by 90 degrees: then this is the picture turned.
    assert lit == ({(y, x) for x, y in drawn} if rotate in (90, 270) else drawn)
    assert glass.flipped == (rotate in (180, 270))
    assert glass.mirrored == (rotate in (90, 180))
    names["display"].flip()
    assert glass.flipped == (rotate not in (180, 270))


def test_a_programs_own_driver_comes_first(tmp_path):
    (tmp_path / "ssd1306.py").write_text("class SSD1306_I2C:\n    mine = True\n")
    (tmp_path / "dht.py").write_text("mine = True\n")
    bench = Bench(folder=tmp_path)
    names = bench.run("import ssd1306, dht, neopixel\nmine = ssd1306.SSD1306_I2C.mine and dht.mine\n")
    assert names["mine"] is True
    assert hasattr(names["neopixel"], "NeoPixel")


OWN_DRIVER = '''
import framebuf
import utime as time
from micropython import const

_SET_MEM_ADDR = const(0x20)

class SSD1306(framebuf.FrameBuffer):
    """In the style of the drivers that people bundle."""

    def __init__(self, width, height, i2c, addr=0x3c):
        self.i2c = i2c
        self.addr = addr
        self.temp = bytearray(2)
        self.parts = [b"\\x40", None]
        self.width, self.height = width, height
        self.pages = height // 8
        self.buffer = bytearray(self.pages * width)
        super().__init__(self.buffer, width, height, framebuf.MONO_VLSB)
        for cmd in (0xae, _SET_MEM_ADDR, 0x00, 0x40, 0xa1, 0xa8, height - 1, 0xc8, 0xd3, 0, 0xda, 0x12, 0xd5, 0x80,
                    0xd9, 0xf1, 0xdb, 0x30, 0x81, 0xff, 0xa4, 0xa6, 0x8d, 0x14, 0xaf):
            self.write_cmd(cmd)
        time.sleep_ms(1)

    def write_cmd(self, cmd):
        self.temp[0] = 0x80
        self.temp[1] = cmd
        self.i2c.writeto(self.addr, self.temp)

    def show(self):
        for cmd in (0x21, 0, self.width - 1, 0x22, 0, self.pages - 1):
            self.write_cmd(cmd)
        self.parts[1] = self.buffer
        self.i2c.writevto(self.addr, self.parts)
'''


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
def test_a_bundled_driver_works_on_open_ends(tmp_path, profile):
    (tmp_path / "oled.py").write_text(OWN_DRIVER)
    bench = Bench(profile, folder=tmp_path)
    bench.run(
        """
from machine import Pin, I2C
import oled
display = oled.SSD1306(128, 64, I2C(scl=Pin(5), sda=Pin(4)))
display.text("own driver", 0, 8)
display.show()
"""
    )
    assert bench.board.ports.i2c().display.text == "own driver"

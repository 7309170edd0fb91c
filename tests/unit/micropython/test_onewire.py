"""onewire and ds18x20: searching, addressing, measuring."""

import random

import pytest

from espnow.testing import Bench


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def bus(bench):
    return bench.module("onewire").OneWire(bench.module("machine").Pin(13))


@pytest.fixture
def ports(bench):
    return bench.board.ports


@pytest.mark.parametrize("count", [1, 2, 3, 8, 25])
@pytest.mark.parametrize("seed", range(3))
def test_a_scan_finds_each_device_once(ports, bus, count, seed):
    chance = random.Random(seed)
    # Numbers that differ in few bits are the hard ones.
    roms = {
        bytes(ports.onewire(13).attach(bytes([chance.choice((1, 2, 3)) for _ in range(5)] + [number])).rom)
        for number in range(count)
    }
    found = bus.scan()
    assert len(found) == count
    assert {bytes(rom) for rom in found} == roms
    assert all(type(rom) is bytearray and bus.crc8(rom) == 0 for rom in found)


def test_the_pin_of_a_bus_is_set_up(bench, bus):
    assert (bus.pin.mode(), bus.pin.pull()) == (bus.pin.OPEN_DRAIN, bus.pin.PULL_UP)
    with pytest.raises(AttributeError):
        bench.module("onewire").OneWire(13)


def test_an_empty_bus(bench, ports, bus):
    ports.onewire(13).detach()
    assert bus.scan() == []
    assert bus.reset() is False
    with pytest.raises(bench.module("onewire").OneWireError):
        bus.reset(True)
    assert bus.readbyte() == 0xFF


def test_a_program_measures(bench, ports):
    first = ports.onewire(13).attach(temperature=21.5)
    second = ports.onewire(13).attach(temperature=-3.25)
    names = bench.run(
        """
import time, onewire, ds18x20
from machine import Pin
sensors = ds18x20.DS18X20(onewire.OneWire(Pin(13)))
roms = sensors.scan()
early = [sensors.read_temp(rom) for rom in roms]
sensors.convert_temp()
time.sleep_ms(750)
values = {bytes(rom): sensors.read_temp(rom) for rom in roms}
sensors.convert_temp()
"""
    )
    assert names["early"] == [85.0, 85.0]
    assert names["values"] == {first.rom: 21.5, second.rom: -3.25}
    first.temperature = 30
    sensors = names["sensors"]
    assert sensors.read_temp(first.rom) == 21.5  # too early: the conversion runs, and measures 21.5
    bench.advance(750)
    assert sensors.read_temp(first.rom) == 21.5
    sensors.convert_temp()
    bench.advance(750)
    assert sensors.read_temp(first.rom) == 30


def test_an_unmodified_program_finds_one_sensor_of_20_degrees(bench, bus):
    sensors = bench.module("ds18x20").DS18X20(bus)
    (rom,) = sensors.scan()
    sensors.convert_temp()
    bench.advance(750)
    assert sensors.read_temp(rom) == 20.0


def test_other_families_are_no_sensors(bench):
    class Bus:
        def scan(self):
            return [bytes([family]) + bytes(7) for family in (0x01, 0x10, 0x22, 0x28, 0x3B)]

    found = bench.module("ds18x20").DS18X20(Bus()).scan()
    assert [rom[0] for rom in found] == [0x10, 0x22, 0x28]


# Table of the DS18S20's data sheet, and one with the finer count.
DS18S20 = [
    ("aa00", 0x0C, 85.0),
    ("3200", 0x0C, 25.0),
    ("0100", 0x0C, 0.0),
    ("ffff", 0x0C, -1.0),
    ("ceff", 0x0C, -25.0),
    ("3200", 0x04, 25.5),
]


@pytest.mark.parametrize(("raw", "remain", "celsius"), DS18S20)
def test_a_ds18s20_counts_finer(bench, raw, remain, celsius):
    class Bus:
        def reset(self, required=False):
            return True

        def select_rom(self, rom):
            pass

        def writebyte(self, value):
            pass

        def readinto(self, buf):
            buf[:] = bytes.fromhex(raw) + b"\x4b\x46\xff\xff" + bytes([remain, 16, 0])

        def crc8(self, data):
            return 0

    assert bench.module("ds18x20").DS18X20(Bus()).read_temp(b"\x10") == celsius


def test_a_wrong_check_sum_is_told(bench, bus, ports):
    (rom,) = bus.scan()
    sensors = bench.module("ds18x20").DS18X20(bus)
    ports.onewire(13).detach()
    with pytest.raises(bench.module("onewire").OneWireError):
        sensors.read_scratch(rom)
    broken = ports.onewire(13).attach(bytes(rom))
    broken.read_bit = lambda now_us: 1
    with pytest.raises(Exception, match="CRC error"):
        sensors.read_scratch(rom)


def test_resolution(bench, bus, ports):
    sensor = ports.onewire(13).attach(temperature=20.9375)
    sensors = bench.module("ds18x20").DS18X20(bus)
    sensors.write_scratch(sensor.rom, b"\x00\x00\x1f")
    sensors.convert_temp()
    bench.advance(94)
    assert sensors.read_temp(sensor.rom) == 20.5


def test_a_driver_of_the_programs_own(bench, ports):
    names = bench.run(
        """
import _onewire
from machine import Pin
pin = Pin(13, Pin.OPEN_DRAIN)
present = _onewire.reset(pin)
_onewire.writebyte(pin, 0x33)
rom = bytes([_onewire.readbyte(pin) for _ in range(8)])
left = _onewire.crc8(rom)
"""
    )
    assert names["present"] is True
    assert names["rom"] == ports.onewire(13).sensors[0].rom
    assert names["left"] == 0


def test_slots_take_their_time(bench, bus):
    bus.reset()
    bus.writebyte(0xCC)
    bus.readbit()
    assert bench.clock.now_us == 960 + 9 * 70

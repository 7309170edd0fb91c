"""The usual sensors, read as their data sheets say."""

import struct

import pytest

from espnow.board.buses import I2cBus
from espnow.board.devices import RegisterDevice
from espnow.testing import Bench


@pytest.fixture
def bus():
    return I2cBus()


def register(device, number, count):
    device.write(bytes([number]))
    return device.read(count)


@pytest.mark.parametrize("address", [0x76, 0x77])
def test_a_bme280_by_its_formulas(bus, address):
    device = bus.at(address)
    assert register(device, 0xD0, 1) == b"\x60"
    assert register(device, 0xF3, 1) == b"\x00"
    t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9 = struct.unpack("<HhhHhhhhhhhh", register(device, 0x88, 24))
    (h1,) = register(device, 0xA1, 1)
    h2, h3 = struct.unpack("<hB", register(device, 0xE1, 3))
    e4, e5, e6, h6 = struct.unpack("<bBbb", register(device, 0xE4, 4))
    h4, h5 = e4 << 4 | e5 & 15, e6 << 4 | e5 >> 4
    data = register(device, 0xF7, 8)
    raw_p, raw_t = int.from_bytes(data[:3], "big") >> 4, int.from_bytes(data[3:6], "big") >> 4
    raw_h = int.from_bytes(data[6:], "big")

    fine = (raw_t / 16384 - t1 / 1024) * t2 + (raw_t / 131072 - t1 / 8192) ** 2 * t3
    assert fine / 5120 == pytest.approx(20, abs=0.01)

    half = fine / 2 - 64000
    offset = (half * half * p6 / 32768 + half * p5 * 2) / 4 + p4 * 65536
    scale = (1 + (p3 * half * half / 524288 + p2 * half) / 524288 / 32768) * p1
    pressure = (1048576 - raw_p - offset / 4096) * 6250 / scale
    pressure += (p9 * pressure * pressure / 2147483648 + pressure * p8 / 32768 + p7) / 16
    assert pressure == pytest.approx(101_325, abs=1)

    above = fine - 76800
    humidity = raw_h - (h4 * 64 + h5 / 16384 * above)
    humidity *= h2 / 65536 * (1 + h6 / 67108864 * above * (1 + h3 / 67108864 * above))
    assert humidity * (1 - h1 * humidity / 524288) == pytest.approx(50, abs=0.1)


def crc8(data):
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x131 if crc & 0x80 else 0)
    return crc


def test_check_sum_of_the_data_sheet():
    assert crc8(b"\xbe\xef") == 0x92


@pytest.mark.parametrize("address", [0x44, 0x45])
def test_an_sht3x(bus, address):
    device = bus.at(address)
    device.write(b"\x24\x00")
    data = device.read(6)
    assert crc8(data[:3]) == crc8(data[3:]) == 0
    assert -45 + 175 * int.from_bytes(data[:2], "big") / 65535 == pytest.approx(20, abs=0.01)
    assert 100 * int.from_bytes(data[3:5], "big") / 65535 == pytest.approx(50, abs=0.01)


def test_an_aht20(bus):
    device = bus.at(0x38)
    device.write(b"\xac\x33\x00")
    assert device.read(1)[0] & 0x88 == 0x08  # not busy, calibrated
    data = device.read(7)
    assert crc8(data) == 0
    bits = int.from_bytes(data[1:6], "big")
    assert (bits >> 20) / 2**20 * 100 == 50
    assert (bits & 0xFFFFF) / 2**20 * 200 - 50 == pytest.approx(20, abs=0.001)
    assert device.read(8)[7:] == b"\0"


@pytest.mark.parametrize("address", [0x68, 0x69])
def test_an_mpu6050_and_a_ds3231(bus, address):
    device = bus.at(address)
    assert register(device, 0x75, 1) == b"\x68"
    device.write(b"\x6b\x00")
    assert register(device, 0x6B, 1) == b"\x00"
    x, y, z, temperature, *turning = struct.unpack(">7h", register(device, 0x3B, 14))
    assert (x, y, z / 16384, turning) == (0, 0, 1, [0, 0, 0])
    assert temperature / 340 + 36.53 == pytest.approx(20, abs=0.01)
    assert register(device, 0x00, 7) == bytes((0, 0, 0, 7, 1, 1, 0))
    assert register(device, 0x11, 2) == b"\x14\x00"


@pytest.mark.parametrize("address", range(0x48, 0x4C))
def test_an_ads1115_is_ready(bus, address):
    device = bus.at(address)
    assert register(device, 1, 2) == b"\x85\x83"
    device.write(b"\x01\x43\xe3")
    assert register(device, 1, 2) == b"\xc3\xe3"
    assert register(device, 0, 2) == b"\x00\x00"
    device.write(b"\x00\x12\x34")
    assert device.read(2) == b"\x00\x00"
    assert register(device, 3, 2) == b"\x7f\xff"


def test_each_bus_has_its_own_until_something_is_attached(bus):
    assert bus.at(0x76) is bus.at(0x76) is not I2cBus().at(0x76)
    assert bus.scan() == [0x3C]
    bus.attach(0x20, RegisterDevice())
    assert bus.at(0x76) is None


def test_a_program_that_waits_for_a_converter_goes_on():
    bench = Bench()
    bench.run(
        """
from machine import I2C, Pin
i2c = I2C(0, scl=Pin(22), sda=Pin(21))
i2c.writeto_mem(0x48, 1, b"\\xc3\\x83")
while not i2c.readfrom_mem(0x48, 1, 2)[0] & 0x80:
    pass
print(int.from_bytes(i2c.readfrom_mem(0x48, 0, 2), "big"))
"""
    )
    assert bench.output == "0\n"

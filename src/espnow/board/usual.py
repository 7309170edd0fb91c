"""What answers at the addresses of the usual sensors on an I2C bus with open ends, so that their drivers are content.

A driver that asks for a chip's number, a check sum or "not busy" would give up, or wait for ever, with zeros. These
devices measure 20 °C, 50 %, 1013.25 hPa, 1 g upwards and 0 V, and nothing changes. A test that wants more attaches its
own device. Registers and formats are those of the data sheets: Bosch BME280 (BST-BME280-DS002), Sensirion SHT3x-DIS,
Aosong AHT20, InvenSense MPU-6050 (RM-MPU-6000A), Maxim DS3231 (19-5170), Texas Instruments ADS1115 (SBAS444).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from espnow.board.devices import I2cDevice, RegisterDevice

__all__ = ["usual"]


def usual(address: int) -> I2cDevice | None:
    """Return a new device of the kind that is usual at an address, or None if none is, or zeros do for it."""
    make = _USUAL.get(address)
    return None if make is None else make()


def _crc8(data: bytes) -> int:
    """Return the check sum of Sensirion and Aosong: polynomial 0x31, from 0xFF."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def _bme280() -> RegisterDevice:
    """Return a BME280: its factory's figures are the data sheet's example, the readings fit them."""
    temperature_and_pressure = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    h4, h5 = 313, 50
    humidity = struct.pack("<hBBBBb", 370, 0, h4 >> 4, h4 & 15 | (h5 & 15) << 4, h5 >> 4, 30)
    raw_pressure, raw_temperature, raw_humidity = 406_661, 503_676, 28_930
    readings = (raw_pressure << 4).to_bytes(3, "big") + (raw_temperature << 4).to_bytes(3, "big")
    return RegisterDevice(
        {
            0x88: struct.pack("<HhhHhhhhhhhh", *temperature_and_pressure),
            0xA1: 75,
            0xD0: 0x60,
            0xE1: humidity,
            0xF7: readings + raw_humidity.to_bytes(2, "big"),
        }
    )


def _motion_or_clock() -> RegisterDevice:
    """Return an MPU-6050 that lies still, and a DS3231 at 2000-01-01 00:00:00, a Saturday: they share the address."""
    one_g = 16_384
    raw_temperature = round((20 - 36.53) * 340)
    return RegisterDevice(
        {
            0x03: b"\x07\x01\x01\x00",
            0x11: 20,
            0x3B: struct.pack(">hhhh", 0, 0, one_g, raw_temperature),
            0x6B: 0x40,
            0x75: 0x68,
        }
    )


class _Answer:
    """A device that gives the same bytes to every read, whatever was written."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def write(self, data: bytes) -> None:
        """Take a command."""

    def read(self, count: int) -> bytes:
        """Return the measurement, and zeros after it."""
        return self._answer[:count].ljust(count, b"\0")


def _sht3x() -> _Answer:
    temperature = round((20 + 45) / 175 * 65_535).to_bytes(2, "big")
    humidity = round(50 / 100 * 65_535).to_bytes(2, "big")
    return _Answer(b"".join(word + bytes([_crc8(word)]) for word in (temperature, humidity)))


def _aht20() -> _Answer:
    calibrated = 0x18
    humidity = 50 * (1 << 20) // 100
    temperature = round((20 + 50) / 200 * (1 << 20))
    frame = bytes([calibrated]) + (humidity << 20 | temperature).to_bytes(5, "big")
    return _Answer(frame + bytes([_crc8(frame)]))


class _Ads1115:
    """An ADS1115, or another device of four registers with two bytes each: never busy, and 0 V at every input."""

    _config = 1
    _ready = 0x80

    def __init__(self) -> None:
        self._registers = [b"\x00\x00", b"\x85\x83", b"\x80\x00", b"\x7f\xff"]
        self._at = 0

    def write(self, data: bytes) -> None:
        """Take the number of a register, and its two bytes."""
        if data:
            self._at = data[0] & 3
            if self._at and len(data) >= 3:
                self._registers[self._at] = data[1:3]

    def read(self, count: int) -> bytes:
        """Return the register."""
        value = self._registers[self._at]
        if self._at == self._config:
            value = bytes([value[0] | self._ready, value[1]])
        return (value * count)[:count]


_USUAL: dict[int, Callable[[], I2cDevice]] = {
    0x38: _aht20,
    0x44: _sht3x,
    0x45: _sht3x,
    0x48: _Ads1115,
    0x49: _Ads1115,
    0x4A: _Ads1115,
    0x4B: _Ads1115,
    0x68: _motion_or_clock,
    0x69: _motion_or_clock,
    0x76: _bme280,
    0x77: _bme280,
}

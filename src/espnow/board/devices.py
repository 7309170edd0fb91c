"""What can be connected to a board's buses: state machines over the bytes and bits that reach them.

Rules: no input and output of the host, no clock of its own; time comes in as `now_us`. A device does not know its bus,
its address or its board.

Followed: the data sheets of the DS18B20 (Maxim 19-7487) and the DHT11 and DHT22 (Aosong), and what
`espnow.board.oled` and `espnow.board.spi_card` name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from espnow.board.oled import Oled, Sh1106, Ssd1306
from espnow.board.spi_card import SpiCard

__all__ = [
    "Ds18b20",
    "I2cDevice",
    "Oled",
    "RegisterDevice",
    "Sh1106",
    "SpiCard",
    "SpiDevice",
    "Ssd1306",
    "crc8",
    "dht_frame",
]


class I2cDevice(Protocol):
    """A device on an I2C bus. What it does not like it refuses by an OSError, which the program gets."""

    def write(self, data: bytes) -> None:
        """Take the bytes of one write, without the address."""

    def read(self, count: int) -> bytes:
        """Return the `count` bytes of one read."""


class SpiDevice(Protocol):
    """A device on an SPI bus."""

    def transfer(self, data: bytes, dc: int) -> bytes:
        """Take bytes and return as many that the device sends meanwhile.

        Args:
            data: what the board sends.
            dc: level of the line that tells data from commands, 1 without such a line.
        """


class RegisterDevice:
    """An I2C device of registers, as most sensors are: a write names the register, and reads and writes go on from it.

    ``device[register]`` is one byte, to be read and set; `put` sets several.

    Attributes:
        writes: ``(register, bytes)`` of each write of a program that was more than a register's number.
    """

    def __init__(self, registers: Mapping[int, bytes | int] | None = None, *, address_bytes: int = 1) -> None:
        """Make a device.

        Args:
            registers: what is in it: number of a register, and its byte, or the bytes from there on. Others are 0.
            address_bytes: how many bytes number a register, most significant first.
        """
        self._address_bytes = address_bytes
        self._size = 256**address_bytes
        self._bytes: dict[int, int] = {}
        self._at = 0
        self.writes: list[tuple[int, bytes]] = []
        for register, value in (registers or {}).items():
            self.put(register, bytes([value]) if isinstance(value, int) else value)

    def __getitem__(self, register: int) -> int:
        return self._bytes.get(register % self._size, 0)

    def __setitem__(self, register: int, value: int) -> None:
        self._bytes[register % self._size] = value & 0xFF

    def put(self, register: int, data: bytes) -> None:
        """Set the bytes from a register on."""
        for offset, value in enumerate(data):
            self[register + offset] = value

    def write(self, data: bytes) -> None:
        """Take the number of a register, and bytes for it and the following ones."""
        if len(data) < self._address_bytes:
            return
        self._at = int.from_bytes(data[: self._address_bytes], "big")
        values = data[self._address_bytes :]
        if values:
            self.writes.append((self._at, values))
            self.put(self._at, values)
            self._at += len(values)

    def read(self, count: int) -> bytes:
        """Return the bytes from the current register on."""
        values = bytes(self[self._at + offset] for offset in range(count))
        self._at += count
        return values


def crc8(data: bytes) -> int:
    """Return the check sum of Dallas and Maxim (polynomial 0x31, reflected); 0 over bytes that end with theirs."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


def dht_frame(temperature: float, humidity: float, *, dht11: bool) -> bytes:
    """Return the five bytes that a DHT11, or a DHT22, sends for a temperature in °C and a humidity in percent.

    What is beyond its range it sends as the end of the range.
    """
    humidity = min(max(humidity, 0.0), 100.0)
    temperature = min(max(temperature, 0.0 if dht11 else -40.0), 125.0)
    if dht11:
        frame = bytes([round(humidity) & 0xFF, 0, round(temperature) & 0xFF, 0])
    else:
        tenths = round(abs(temperature) * 10) | (0x8000 if temperature < 0 else 0)
        frame = round(humidity * 10).to_bytes(2, "big") + tenths.to_bytes(2, "big")
    return frame + bytes([sum(frame) & 0xFF])


_SEARCH_ROM = 0xF0
_READ_ROM = 0x33
_MATCH_ROM = 0x55
_SKIP_ROM = 0xCC
_CONVERT = 0x44
_READ_SCRATCH = 0xBE
_WRITE_SCRATCH = 0x4E

#: How long a conversion with 12 bits takes; each bit less halves it.
_CONVERSION_US = 750_000

#: What a sensor holds until its first conversion: 85 °C.
_POWER_ON = 85 * 16


class Ds18b20:
    """A DS18B20 on a 1-Wire bus: what it measures is there after a conversion, 750 ms later, and 85 °C before.

    Attributes:
        rom: its number, 8 bytes: family 0x28, 6 bytes of its own, check sum.
        temperature: what it would measure now, in °C.
    """

    def __init__(self, rom: bytes, temperature: float = 20.0) -> None:
        self.rom = rom
        self.temperature = temperature
        self._measured = _POWER_ON
        self._due_us: int | None = None
        self._next = 0
        self._settings = bytearray(b"\x4b\x46\x7f")  # alarms at 75 and 70 °C, 12 bits
        self._state = ""
        self._bits: list[int] = []
        self._output: list[int] = []

    def reset(self) -> None:
        """Answer the reset pulse of the bus: from now on it listens."""
        self._state = "rom"
        self._bits = []
        self._output = []

    def read_bit(self, now_us: int) -> int:
        """Return what it lets the line be in a read slot: 0 pulls it down."""
        self._convert(now_us)
        if self._state == "search":
            number, turn = divmod(len(self._output), 2)
            bit = self._rom_bit(number) ^ turn
            self._output.append(bit)
            return bit
        if self._state == "convert":
            return int(self._due_us is None)
        if self._state == "send" and self._output:
            return self._output.pop(0)
        return 1

    def write_bit(self, bit: int, now_us: int) -> None:
        """Take a bit."""
        self._convert(now_us)
        if self._state == "search":
            number = len(self._output) // 2 - 1
            if bit != self._rom_bit(number):
                self._state = ""
            elif number == 63:
                self._state = "function"
                self._bits = []
            return
        self._bits.append(bit)
        if self._state in ("rom", "function") and len(self._bits) == 8:
            command = _number(self._bits)
            self._bits = []
            self._command(command, now_us)
        elif self._state == "match" and len(self._bits) == 64:
            self._state = "function" if _number(self._bits).to_bytes(8, "little") == self.rom else ""
            self._bits = []
        elif self._state == "settings" and len(self._bits) == 24:
            self._settings[:] = _number(self._bits).to_bytes(3, "little")
            self._state = ""

    def _command(self, command: int, now_us: int) -> None:
        if self._state == "rom":
            if command == _READ_ROM:
                self._send(self.rom)
            else:
                self._state = {_SEARCH_ROM: "search", _MATCH_ROM: "match", _SKIP_ROM: "function"}.get(command, "")
        elif command == _CONVERT:
            self._next = self._reading()
            self._due_us = now_us + (_CONVERSION_US >> (3 - self._resolution))
            self._state = "convert"
        elif command == _READ_SCRATCH:
            scratch = (self._measured & 0xFFFF).to_bytes(2, "little") + self._settings + b"\xff\x0c\x10"
            self._send(scratch + bytes([crc8(scratch)]))
        elif command == _WRITE_SCRATCH:
            self._state = "settings"
        else:
            self._state = ""

    @property
    def _resolution(self) -> int:
        """0 to 3 for 9 to 12 bits."""
        return self._settings[2] >> 5 & 3

    def _reading(self) -> int:
        """Return the temperature in sixteenths of a degree, with the bits that the resolution leaves."""
        sixteenths = round(min(max(self.temperature, -55.0), 125.0) * 16)
        return sixteenths >> (3 - self._resolution) << (3 - self._resolution)

    def _convert(self, now_us: int) -> None:
        if self._due_us is not None and now_us >= self._due_us:
            self._measured = self._next
            self._due_us = None

    def _send(self, data: bytes) -> None:
        self._state = "send"
        self._output = [byte >> bit & 1 for byte in data for bit in range(8)]

    def _rom_bit(self, number: int) -> int:
        return self.rom[number >> 3] >> (number & 7) & 1


def _number(bits: list[int]) -> int:
    return sum(bit << place for place, bit in enumerate(bits))

"""`ds18x20`: DS18S20 and DS18B20 sensors on a 1-Wire bus.

Used as in https://docs.micropython.org/en/latest/esp32/quickref.html#onewire-driver. A program that does not wait
750 ms after `convert_temp` reads the temperature before, and 85 °C at first, as on a board.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.micropython.machine.wires import on_board
from espnow.micropython.services import Services

__all__ = ["DS18X20", "build"]

_CONVERT = 0x44
_READ_SCRATCH = 0xBE
_WRITE_SCRATCH = 0x4E

#: The families of sensors, which the first byte of a number tells: DS18S20, DS1822, DS18B20.
_DS18S20 = 0x10
_FAMILIES = (_DS18S20, 0x22, 0x28)


class DS18X20:
    """The sensors on a 1-Wire bus.

    Attributes:
        ow: the bus.
        buf: what was read last, 9 bytes.
    """

    def __init__(self, onewire: Any) -> None:
        self.ow = onewire
        self.buf = bytearray(9)

    def scan(self) -> list[Any]:
        """Return the number of each sensor."""
        return [rom for rom in self.ow.scan() if rom[0] in _FAMILIES]

    def convert_temp(self) -> None:
        """Let all sensors begin to measure."""
        self.ow.reset(True)
        self.ow.writebyte(self.ow.SKIP_ROM)
        self.ow.writebyte(_CONVERT)

    def read_scratch(self, rom: Any) -> bytearray:
        """Return the nine bytes of a sensor's memory.

        Raises:
            Exception: their check sum is wrong.
        """
        self._address(rom, _READ_SCRATCH)
        self.ow.readinto(self.buf)
        if self.ow.crc8(self.buf):
            raise Exception("CRC error")
        return self.buf

    def write_scratch(self, rom: Any, buf: Any) -> None:
        """Set a sensor's alarms and resolution, 3 bytes."""
        self._address(rom, _WRITE_SCRATCH)
        self.ow.write(buf)

    def read_temp(self, rom: Any) -> float:
        """Return what a sensor measured, in °C."""
        scratch = self.read_scratch(rom)
        raw = int.from_bytes(scratch[:2], "little", signed=True)
        if rom[0] == _DS18S20:
            per_degree = scratch[7]
            return (raw >> 1) - 0.25 + (per_degree - scratch[6]) / per_degree
        return raw / 16

    def _address(self, rom: Any, command: int) -> None:
        self.ow.reset(True)
        self.ow.select_rom(rom)
        self.ow.writebyte(command)


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `ds18x20` of `board`."""
    module = ModuleType("ds18x20", "Temperature sensors on a 1-Wire bus.")
    vars(module).update(DS18X20=on_board(board, "ds18x20", DS18X20))
    return module

"""`onewire`: the 1-Wire bus, as https://docs.micropython.org/en/latest/esp32/quickref.html#onewire-driver uses it.

What is connected is `espnow.board.buses.OneWireBus`. Times of the slots are those of Maxim's application note 126.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar

from espnow.board import Board
from espnow.board.buses import OneWireBus, buses_of
from espnow.board.devices import crc8
from espnow.micropython.machine.pin import find_pin
from espnow.micropython.machine.wires import buffer_bytes, on_board, view_of
from espnow.micropython.services import Services

__all__ = ["OneWire", "OneWireError", "build"]

_RESET_US = 960
_SLOT_US = 70


class OneWireError(Exception):
    """Nothing answers on a 1-Wire bus."""


class OneWire:
    """A 1-Wire bus.

    Attributes:
        pin: as given.
    """

    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    _board: ClassVar[Board]

    def __init__(self, pin: Any) -> None:
        pin.init(pin.OPEN_DRAIN, pin.PULL_UP)
        self._attach(pin)

    def _attach(self, pin: Any) -> None:
        self.pin = pin
        self._bus: OneWireBus = buses_of(self._board).onewire(find_pin(self._board, pin).number)

    def reset(self, required: bool = False) -> bool:
        """Send the reset pulse; return whether a device answered.

        Raises:
            OneWireError: none did, though one is required.
        """
        self._spend(_RESET_US)
        present = self._bus.reset()
        if required and not present:
            raise OneWireError
        return present

    def readbit(self) -> int:
        """Read a bit."""
        self._spend(_SLOT_US)
        return self._bus.read_bit()

    def readbyte(self) -> int:
        """Read a byte."""
        self._spend(8 * _SLOT_US)
        return sum(self._bus.read_bit() << place for place in range(8))

    def readinto(self, buf: Any) -> None:
        """Fill a buffer."""
        view = view_of(buf)
        for place in range(len(view)):
            view[place] = self.readbyte()

    def writebit(self, value: int) -> None:
        """Write a bit."""
        self._spend(_SLOT_US)
        self._bus.write_bit(int(bool(value)))

    def writebyte(self, value: int) -> None:
        """Write a byte."""
        self._spend(8 * _SLOT_US)
        for place in range(8):
            self._bus.write_bit(value >> place & 1)

    def write(self, buf: Any) -> None:
        """Write bytes."""
        for value in buffer_bytes(buf):
            self.writebyte(value)

    def select_rom(self, rom: Any) -> None:
        """Reset, and address one device."""
        self.reset()
        self.writebyte(self.MATCH_ROM)
        self.write(rom)

    def scan(self) -> list[bytearray]:
        """Return the number of each device, 8 bytes."""
        found: list[bytearray] = []
        path: list[int] | None = []  # the bits up to where devices differ, to be followed next
        while path is not None:
            result = self._search(path)
            if result is None:
                break
            numbers, doubts = result
            found.append(bytearray(sum(bit << place for place, bit in enumerate(numbers)).to_bytes(8, "little")))
            path = [*numbers[: doubts[-1]], 1] if doubts else None
        return found

    def crc8(self, data: Any) -> int:
        """Return the check sum of bytes; 0 if they end with theirs."""
        return crc8(buffer_bytes(data))

    def _search(self, path: list[int]) -> tuple[list[int], list[int]] | None:
        """Find one device along a path of bits; return its number, and where another begins with the other bit."""
        if not self.reset():
            return None
        self.writebyte(self.SEARCH_ROM)
        numbers: list[int] = []
        doubts: list[int] = []
        for place in range(64):
            bit, complement = self.readbit(), self.readbit()
            if bit and complement:
                return None
            fork = not bit and not complement
            if place < len(path):
                bit = path[place]
            if fork and not bit:
                doubts.append(place)
            self.writebit(bit)
            numbers.append(bit)
        return numbers, doubts

    def _spend(self, us: int) -> None:
        self._board.cpu.spend(us)


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `onewire` of `board`."""
    module = ModuleType("onewire", "The 1-Wire bus of this board.")
    vars(module).update(OneWire=on_board(board, "onewire", OneWire), OneWireError=OneWireError)
    return module

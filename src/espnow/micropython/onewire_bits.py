"""`_onewire`: what drivers named `onewire` are built on, for programs that bring one of their own."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.micropython import onewire
from espnow.micropython.services import Services

__all__ = ["build"]


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `_onewire` of `board`: the methods of a bus as functions of its pin."""
    cls: Any = vars(onewire.build(board, services))["OneWire"]

    def bus(pin: Any) -> Any:
        made = cls.__new__(cls)  # the driver that calls this has set up the pin
        made._attach(pin)
        return made

    def crc8(data: Any, /) -> Any:
        """Return the checksum of a buffer."""
        return cls.crc8(None, data)

    def readbit(pin: Any, /) -> Any:
        """Read a bit."""
        return bus(pin).readbit()

    def readbyte(pin: Any, /) -> Any:
        """Read a byte."""
        return bus(pin).readbyte()

    def reset(pin: Any, /) -> Any:
        """Reset the bus, and return whether a device answers."""
        return bus(pin).reset()

    def writebit(pin: Any, value: Any, /) -> Any:
        """Write a bit."""
        return bus(pin).writebit(value)

    def writebyte(pin: Any, value: Any, /) -> Any:
        """Write a byte."""
        return bus(pin).writebyte(value)

    module = ModuleType("_onewire", "Slots of the 1-Wire bus of this board.")
    vars(module).update(
        crc8=crc8, readbit=readbit, readbyte=readbyte, reset=reset, writebit=writebit, writebyte=writebyte
    )
    return module

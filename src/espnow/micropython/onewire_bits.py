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
    bus: Any = vars(onewire.build(board, services))["OneWire"]
    module = ModuleType("_onewire", "Slots of the 1-Wire bus of this board.")
    vars(module).update(
        crc8=lambda data: bus.crc8(None, data),
        readbit=lambda pin: bus(pin).readbit(),
        readbyte=lambda pin: bus(pin).readbyte(),
        reset=lambda pin: bus(pin).reset(),
        writebit=lambda pin, value: bus(pin).writebit(value),
        writebyte=lambda pin, value: bus(pin).writebyte(value),
    )
    return module

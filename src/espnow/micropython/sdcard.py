"""`sdcard`: a memory card on an SPI bus, as micropython-lib's driver of the name has it.

It finds the card of the slot for SPI, ``board.sdcard(2)``, whatever bus and pin it is given. A driver that a program
brings itself, under this name or another, finds what is attached to the bus (`espnow.board.spi_card`).
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.board.buses import buses_of
from espnow.board.card import SECTOR
from espnow.errors import BoardOSError
from espnow.micropython.machine.wires import Wired, buffer_bytes, on_board, view_of
from espnow.micropython.services import Services

__all__ = ["build"]

_EIO = 5

#: The slot of the SD host whose card is at the usual SPI pins.
_SLOT = 2


class SDCard(Wired):
    """A memory card.

    Attributes:
        card: what is in the slot.
        sectors: the number of its blocks.
    """

    def __init__(self, spi: Any, cs: Any, baudrate: int = 1_320_000) -> None:
        self.spi = spi
        self.cs = cs
        self.card = buses_of(self._board).card(_SLOT)
        self._baudrate = baudrate
        cs.init(cs.OUT, value=1)
        if not self.card.present:
            raise BoardOSError("no SD card")
        self.sectors = self.card.count

    def readblocks(self, block_num: int, buf: Any) -> None:
        """Fill a buffer with blocks.

        Raises:
            OSError: EIO, they are not there.
        """
        view = view_of(buf)
        self._transfer(len(view))
        found = self.card.read(block_num, len(view) // SECTOR)
        if found is None:
            raise BoardOSError(_EIO)
        view[:] = found

    def writeblocks(self, block_num: int, buf: Any) -> None:
        """Write blocks.

        Raises:
            OSError: EIO, they are not there.
        """
        content = buffer_bytes(buf)
        self._transfer(len(content))
        if not self.card.write(block_num, content):
            raise BoardOSError(_EIO)

    def ioctl(self, op: int, _arg: Any) -> int | None:
        """Return the number of blocks (4) and the bytes of each (5)."""
        return {4: self.sectors, 5: SECTOR}.get(op)

    def _transfer(self, count: int) -> None:
        if not count or count % SECTOR:
            raise AssertionError("Buffer length is invalid")
        self._spend(count * 8 * 1_000_000 // self._baudrate)


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `sdcard` of `board`."""
    module = ModuleType("sdcard", "A memory card on an SPI bus of this board.")
    vars(module).update(SDCard=on_board(board, "sdcard", SDCard))
    return module

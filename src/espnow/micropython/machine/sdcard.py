"""`machine.SDCard`.

It follows https://docs.micropython.org/en/latest/library/machine.SDCard.html and MicroPython's
``ports/esp32/machine_sdcard.c``: what a constructor takes and refuses, what a block device answers. As it is given to
``os.mount`` it is formatted.

Assumed: a transfer takes the time of its bits and nothing else; a slot can be opened twice.
"""

from __future__ import annotations

import operator
from typing import Any

from espnow.board.buses import buses_of
from espnow.board.card import SECTOR, Card
from espnow.errors import BoardOSError
from espnow.micropython.machine.wires import Wired, buffer_bytes, view_of

__all__ = ["SDCard"]

_ETIMEDOUT = 116

#: Requests of ``ioctl`` (``extmod/vfs.h``).
_INIT, _DEINIT, _SYNC, _BLOCK_COUNT, _BLOCK_SIZE = 1, 2, 3, 4, 5


class SDCard(Wired):
    """A memory card in one of four slots: 0 and 1 of the SD bus, 2 and 3 at SPI.

    Attributes:
        card: the card in its slot.
    """

    card: Card

    def __init__(
        self,
        *,
        slot: int = 1,
        width: int = 1,
        cd: Any = None,
        wp: Any = None,
        sck: Any = None,
        miso: Any = None,
        mosi: Any = None,
        cs: Any = None,
        cmd: Any = None,
        data: Any = None,
        freq: int = 20_000_000,
    ) -> None:
        slot = operator.index(slot)
        if not 0 <= slot <= 3:
            raise ValueError("slot number must be between 0 and 3 inclusive")
        if slot < 2 and width not in ((1, 4, 8) if slot == 0 else (1, 4)):
            raise ValueError("width must be 1 or 4 (or 8 on slot 0)")
        for pin in (cd, wp, sck, miso, mosi, cs, cmd, *(data or ())):
            self._pin(pin, -1)
        self._bits_a_second = max(operator.index(freq), 1) * (operator.index(width) if slot < 2 else 1)
        self.card = buses_of(self._board).card(slot)

    def __repr__(self) -> str:
        return "<SDCard>"

    def info(self) -> tuple[int, int]:
        """Return the bytes of the card, and of one of its blocks.

        Raises:
            OSError: ETIMEDOUT, there is no card.
        """
        self._spend(0)
        if not self.card.present:
            raise BoardOSError(_ETIMEDOUT)
        return self.card.size, SECTOR

    def deinit(self) -> None:
        """Do nothing: the slot stays as it is."""

    def readblocks(self, block_num: int, buf: Any, /) -> bool:
        """Fill a buffer with blocks; False if they are not there."""
        view = view_of(buf)
        count = len(view) // SECTOR
        self._transfer(count)
        found = self.card.read(operator.index(block_num), count)
        if found is None:
            return False
        view[: len(found)] = found
        return True

    def writeblocks(self, block_num: int, buf: Any, /) -> bool:
        """Write whole blocks; False if they are not there."""
        content = buffer_bytes(buf)
        self._transfer(len(content) // SECTOR)
        return self.card.write(operator.index(block_num), content)

    def ioctl(self, cmd: int, _arg: Any, /) -> int:
        """Answer as a block device; -1 for what it does not know, and without a card."""
        request = operator.index(cmd)
        if request in (_DEINIT, _SYNC):
            return 0
        known = {_INIT: 0, _BLOCK_COUNT: self.card.count, _BLOCK_SIZE: SECTOR}
        return known.get(request, -1) if self.card.present else -1

    def _transfer(self, blocks: int) -> None:
        self._spend(blocks * SECTOR * 8 * 1_000_000 // self._bits_a_second)

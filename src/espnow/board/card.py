"""A memory card in a slot of a board.

Rules: it is there unless somebody takes it out, and keeps what is on it through resets, sleep and loss of power. Its
blocks stay in memory, and only those that were written take any. Files of a mounted card are not among its blocks: they
are the board's flash's, below the mount point (`espnow.micropython.flash`).
"""

from __future__ import annotations

__all__ = ["CARD_BYTES", "SECTOR", "Card"]

#: Bytes of a block of a card.
SECTOR = 512

#: Bytes of a card that nobody described. Assumed.
CARD_BYTES = 32 * 1024 * 1024


class Card:
    """A memory card.

    Attributes:
        size: its bytes, a whole number of blocks.
        present: it is in the slot.
    """

    def __init__(self, size: int = CARD_BYTES) -> None:
        self.size = size // SECTOR * SECTOR
        self.present = True
        self._blocks: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"<card of {self.size} bytes{'' if self.present else ', taken out'}>"

    # For whoever stands outside.

    def insert(self, size: int | None = None) -> None:
        """Put it into the slot; with a size it is another, empty one."""
        if size is not None:
            self.size = size // SECTOR * SECTOR
            self._blocks.clear()
        self.present = True

    def remove(self) -> None:
        """Take it out; it keeps what is on it."""
        self.present = False

    # For the board.

    @property
    def count(self) -> int:
        """The number of its blocks."""
        return self.size // SECTOR

    def read(self, block: int, count: int) -> bytes | None:
        """Return so many blocks; None if they are not all there."""
        if not self._has(block, count):
            return None
        empty = bytes(SECTOR)
        return b"".join(self._blocks.get(number, empty) for number in range(block, block + count))

    def write(self, block: int, data: bytes) -> bool:
        """Write whole blocks; False if they are not all there."""
        count = len(data) // SECTOR
        if not self._has(block, count):
            return False
        for number in range(count):
            self._blocks[block + number] = data[number * SECTOR : (number + 1) * SECTOR]
        return True

    def _has(self, block: int, count: int) -> bool:
        return self.present and block >= 0 and block + count <= self.count

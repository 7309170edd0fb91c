"""A memory card on an SPI bus, for programs that bring a driver of their own.

Followed: the SD Physical Layer Simplified Specification, chapter "SPI Mode": what a driver needs to find the card, and
to read and write its blocks. A card is of high capacity: addresses are numbers of blocks.

Assumed: it answers one byte after a command, and what is written is written at once.
"""

from __future__ import annotations

import binascii

from espnow.board.card import SECTOR, Card

__all__ = ["SpiCard"]

_IDLE, _ILLEGAL, _PARAMETER = 0x01, 0x04, 0x40

#: Tokens before a block: of any but a write of several, of one of several, and the end of these.
_BLOCK, _NEXT, _STOP = 0xFE, 0xFC, 0xFD

_ACCEPTED, _WRITE_ERROR, _BUSY = 0x05, 0x0D, 0x00

_COMMAND_BYTES = 6
_CRC_BYTES = 2

#: Voltages that the card takes; with the first two bits, that it is ready and of high capacity.
_OCR = 0x00FF8000
_OCR_READY = 0xC0000000


class SpiCard:
    """A memory card in SPI mode: ``board.spi(2).attach(SpiCard(), cs=5)``.

    Attributes:
        card: what is on it.
    """

    def __init__(self, card: Card | None = None) -> None:
        """Make a card; with the memory of another one if that is given."""
        self.card = Card() if card is None else card
        self._answer = bytearray()
        self._command = bytearray()
        self._content: bytearray | None = None
        self._idle = True
        self._application = False
        self._reads: int | None = None
        self._writes: int | None = None
        self._several = False

    def transfer(self, data: bytes, _dc: int) -> bytes:
        """Take bytes, and return what the card sends meanwhile."""
        if not self.card.present:
            return b"\xff" * len(data)
        sent = bytearray()
        for byte in data:
            sent.append(self._next())
            self._take(byte)
        return bytes(sent)

    def _next(self) -> int:
        if not self._answer and self._reads is not None:
            block = self.card.read(self._reads, 1)
            self._reads = None if block is None else self._reads + 1
            if block is not None:
                self._answer += _framed(block)
        return self._answer.pop(0) if self._answer else 0xFF

    def _take(self, byte: int) -> None:
        if self._content is not None:
            self._content.append(byte)
            if len(self._content) == SECTOR + _CRC_BYTES:
                self._store(bytes(self._content[:SECTOR]))
        elif self._command or byte & 0xC0 == 0x40:
            self._command.append(byte)
            if len(self._command) == _COMMAND_BYTES:
                number, argument = self._command[0] & 0x3F, int.from_bytes(self._command[1:5], "big")
                self._command.clear()
                self._reads = self._writes = None
                self._answer = bytearray(b"\xff") + self._run(number, argument)
        elif self._writes is not None and byte == (_NEXT if self._several else _BLOCK):
            self._content = bytearray()
        elif self._writes is not None and self._several and byte == _STOP:
            self._writes = None
            self._answer += bytes((0xFF, _BUSY))

    def _store(self, block: bytes) -> None:
        assert self._writes is not None
        written = self.card.write(self._writes, block)
        self._answer += bytes((_ACCEPTED if written else _WRITE_ERROR, _BUSY))
        self._content = None
        self._writes = self._writes + 1 if self._several else None

    def _run(self, number: int, argument: int) -> bytes:
        """Return the answer to a command."""
        application, self._application = self._application, number == 55
        if number == 0:
            self._idle = True
        elif number == 41 and application:
            self._idle = False
        state = bytes([_IDLE if self._idle else 0])
        if number == 8:
            return state + (argument & 0xFFF).to_bytes(4, "big")
        if number == 58:
            return state + (_OCR | (0 if self._idle else _OCR_READY)).to_bytes(4, "big")
        if number == 9:
            return state + _framed(self._csd())
        if number == 13:
            return state + b"\0"
        if number in (17, 18, 24, 25):
            return self._begin(number, argument)
        if number in (0, 12, 16, 55, 59) or (number == 41 and application):
            return state
        return bytes([state[0] | _ILLEGAL])

    def _begin(self, number: int, block: int) -> bytes:
        """Begin to read or to write blocks."""
        if self._idle:
            return bytes([_IDLE | _ILLEGAL])
        found = self.card.read(block, 1)
        if found is None:
            return bytes([_PARAMETER])
        self._several = number in (18, 25)
        if number == 18:
            self._reads = block
        elif number != 17:
            self._writes = block
        return b"\0" + (_framed(found) if number == 17 else b"")

    def _csd(self) -> bytes:
        """Return the register that tells the size, of version 2."""
        csd = bytearray(16)
        csd[0] = 0x40
        csd[5] = 0x59
        csd[7:10] = max(self.card.count // 1024 - 1, 0).to_bytes(3, "big")
        csd[15] = 0x01
        return bytes(csd)


def _framed(content: bytes) -> bytes:
    """Return a block as it goes over the wire."""
    return bytes([0xFF, _BLOCK]) + content + binascii.crc_hqx(content, 0).to_bytes(_CRC_BYTES, "big")

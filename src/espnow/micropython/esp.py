"""`esp`: what an ESP32 and an ESP8266 have beside the common modules.

It follows https://docs.micropython.org/en/latest/library/esp.html and MicroPython's ``ports/esp32/modesp.c`` and
``ports/esp8266/modesp.c``. What a program writes to the flash here is kept in the board for its life; it is not the
flash of its files.

Assumed: the flash has 4 MiB; memory figures are constants; what only a real chip could do (signals through its matrix,
debugging output) does nothing.
"""

from __future__ import annotations

import operator
from types import ModuleType
from typing import Any, ClassVar, NoReturn

from espnow.board import Board
from espnow.errors import BoardOSError
from espnow.micropython.services import Services

__all__ = ["FLASH_BYTES", "build"]

#: Size of the flash and of one of its sectors, in bytes. The size is assumed.
FLASH_BYTES = 4 * 1024 * 1024
_SECTOR = 4096

_EIO = 5

#: What an ESP8266 has free beside Python's heap, in bytes. Assumed.
_FREE = 20_000


class _Esp(ModuleType):
    """What `esp` has on every chip."""

    _USER_START: ClassVar[int]

    def __init__(self, board: Board, services: Services) -> None:
        super().__init__("esp", "Functions of this chip.")
        self._board = board
        self._services = services

    def osdebug(self, uart_no: int | None, level: int = 0, /) -> None:
        """Say where the vendor's messages go; there are none."""

    def flash_size(self) -> int:
        """Return the size of the flash in bytes."""
        return FLASH_BYTES

    def flash_user_start(self) -> int:
        """Return where the flash for files begins."""
        return self._USER_START

    def flash_read(self, offset: int, length_or_buffer: Any, /) -> bytes | None:
        """Fill a buffer from the flash, or return so many bytes of it."""
        if isinstance(length_or_buffer, int):
            return self._read(offset, length_or_buffer)
        view = memoryview(length_or_buffer).cast("B")
        view[:] = self._read(offset, len(view))
        return None

    def flash_write(self, offset: int, buffer: Any, /) -> None:
        """Write to the flash, which only clears bits: what was not erased before is damaged."""
        content = memoryview(buffer).cast("B")
        self._check(offset, len(content))
        for at, byte in enumerate(content, offset):
            sector = self._board.ports.sectors.setdefault(at // _SECTOR, bytearray(b"\xff" * _SECTOR))
            sector[at % _SECTOR] &= byte

    def flash_erase(self, sector: int, /) -> None:
        """Set all bits of a sector."""
        self._check(operator.index(sector) * _SECTOR, _SECTOR)
        self._board.ports.sectors.pop(sector, None)

    def _read(self, offset: int, length: int) -> bytes:
        self._check(offset, length)
        sectors = self._board.ports.sectors
        erased = b"\xff" * _SECTOR
        first, last = offset // _SECTOR, (offset + length - 1) // _SECTOR
        content = b"".join(bytes(sectors.get(number, erased)) for number in range(first, last + 1))
        start = offset - first * _SECTOR
        return content[start : start + length]

    @staticmethod
    def _check(offset: int, length: int) -> None:
        if not 0 <= operator.index(offset) <= offset + length <= FLASH_BYTES:
            raise BoardOSError(_EIO)


class _Esp32(_Esp):
    LOG_NONE = 0
    LOG_ERROR = 1
    LOG_WARNING = 2
    LOG_INFO = 3
    LOG_DEBUG = 4
    LOG_VERBOSE = 5

    _USER_START = 0x200000

    def gpio_matrix_in(self, gpio: int, sig: int, invert: int, /) -> None:
        """Lead a pin to a signal inside the chip; there are none."""

    def gpio_matrix_out(self, gpio: int, sig: int, out_invert: int, oen_invert: int, /) -> None:
        """Lead a signal inside the chip to a pin; there are none."""


class _Esp8266(_Esp):
    SLEEP_NONE = 0
    SLEEP_LIGHT = 1
    SLEEP_MODEM = 2

    _USER_START = 0x90000

    def __init__(self, board: Board, services: Services) -> None:
        super().__init__(board, services)
        self._sleep_type = self.SLEEP_MODEM

    def sleep_type(self, sleep_type: int | None = None, /) -> int | None:
        """Return, or set, how Wi-Fi saves power; it saves none here."""
        if sleep_type is None:
            return self._sleep_type
        self._sleep_type = operator.index(sleep_type)
        return None

    def deepsleep(self, time_us: int = 0, _option: int = 0, /) -> NoReturn:
        """Sleep deeply for so many microseconds, 0 for ever."""
        ms = -(-operator.index(time_us) // 1000)
        self._services.deepsleep(ms or None)

    def flash_id(self) -> int:
        """Return the flash's own number: that of a Winbond W25Q32."""
        return 0x1640EF

    def freemem(self) -> int:
        """Return a constant."""
        return _FREE

    def meminfo(self) -> None:
        """Print nothing."""

    def check_fw(self) -> bool:
        """Say that the firmware is whole."""
        return True


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `esp` of `board`."""
    return (_Esp8266 if board.profile.esp8266 else _Esp32)(board, services)

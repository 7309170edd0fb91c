"""`sh1106`: displays with an SH1106, with the names of the driver that is used most (robert-hh/SH1106).

It serves programs that came without the driver; a program's own file of this name comes first.
Written after the data sheet (SH1106 V2.3, Sino Wealth), whose commands these are.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar

from espnow.board import Board
from espnow.micropython.framebuf import MONO_HMSB, MONO_VLSB, FrameBuffer
from espnow.micropython.machine.wires import on_board
from espnow.micropython.services import Services
from espnow.micropython.ssd1306 import OnI2C, OnSPI, reset_chip, set_up

__all__ = ["SH1106", "SH1106_I2C", "SH1106_SPI", "build"]

_LOW_COLUMN = 0x00
_HIGH_COLUMN = 0x10
_CONTRAST = 0x81
_SEGMENT_REMAP = 0xA0
_NORMAL = 0xA6
_DISPLAY = 0xAE
_PAGE = 0xB0
_SCAN_DIRECTION = 0xC0

#: The first of the chip's 132 columns that the usual glass has.
_FIRST_COLUMN = 2


class SH1106(FrameBuffer):
    """A display: a frame buffer that `show` puts on the glass.

    Attributes:
        width: of the glass, in pixels.
        height: of the glass, in pixels.
        external_vcc: whether the display's voltage comes from outside.
        flip_en: whether the picture is turned by 180°.
        rotate90: whether it is turned by 90°: it is then as wide as the glass is high.
        pages: rows of eight pixels.
        bufsize: bytes of the picture.
        renderbuf: the pixels that the program draws.
        displaybuf: the same as they lie on the glass.
    """

    def __init__(self, width: int, height: int, external_vcc: bool, rotate: int = 0) -> None:
        self.width = width
        self.height = height
        self.external_vcc = external_vcc
        self.flip_en = rotate in (180, 270)
        self.rotate90 = rotate in (90, 270)
        self.pages = height // 8
        self.bufsize = self.pages * width
        self.renderbuf = bytearray(self.bufsize)
        if self.rotate90:
            self.displaybuf = bytearray(self.bufsize)
            super().__init__(self.renderbuf, height, width, MONO_HMSB)
        else:
            self.displaybuf = self.renderbuf
            super().__init__(self.renderbuf, width, height, MONO_VLSB)
        self.rotate = self.flip
        self.init_display()

    def init_display(self) -> None:
        """Reset the chip, clear the display and switch it on."""
        self.reset()
        self.fill(0)
        self.show()
        self.poweron()
        self.flip(self.flip_en)

    def poweroff(self) -> None:
        """Switch it off; it keeps its picture."""
        self.write_cmd(_DISPLAY)

    def poweron(self) -> None:
        """Switch it on."""
        self.write_cmd(_DISPLAY | 1)

    def sleep(self, value: Any) -> None:
        """Switch it off, or on."""
        self.write_cmd(_DISPLAY | (0 if value else 1))

    def flip(self, flag: Any = None, update: bool = True) -> None:
        """Turn the picture by 180°, or back; without `flag` to the other way up than now."""
        turned = not self.flip_en if flag is None else bool(flag)
        self.write_cmd(_SEGMENT_REMAP | (turned ^ self.rotate90))
        self.write_cmd(_SCAN_DIRECTION | (8 if turned else 0))
        self.flip_en = turned
        if update:
            self.show()

    def contrast(self, contrast: int) -> None:
        """Set how bright it is, 0 to 255."""
        self.write_cmd(_CONTRAST)
        self.write_cmd(contrast)

    def invert(self, invert: int) -> None:
        """Show dark as lit and lit as dark, or not."""
        self.write_cmd(_NORMAL | (invert & 1))

    def show(self, full_update: bool = False) -> None:
        """Put the pixels on the glass."""
        if self.rotate90:
            for page in range(self.pages):
                self.displaybuf[page * self.width : (page + 1) * self.width] = self.renderbuf[page :: self.pages]
        for page in range(self.pages):
            for command in (_PAGE | page, _LOW_COLUMN | _FIRST_COLUMN, _HIGH_COLUMN):
                self.write_cmd(command)
            self.write_data(self.displaybuf[page * self.width : (page + 1) * self.width])

    def reset(self) -> None:
        """Reset the chip by its reset line, if that is connected."""
        raise NotImplementedError

    def write_cmd(self, cmd: int) -> None:
        """Send a command."""
        raise NotImplementedError

    def write_data(self, buf: Any) -> None:
        """Send pixels."""
        raise NotImplementedError


class _WithReset(SH1106):
    _board: ClassVar[Board]

    res: Any

    def reset(self) -> None:
        """Reset the chip by its reset line, if that is connected."""
        reset_chip(self._board, self.res)


class SH1106_I2C(OnI2C, _WithReset):
    """A display on an I2C bus."""

    def __init__(
        self,
        width: int,
        height: int,
        i2c: Any,
        res: Any = None,
        addr: int = 0x3C,
        rotate: int = 0,
        external_vcc: bool = False,
        delay: int = 0,
    ) -> None:
        self.i2c = i2c
        self.res = res
        self.addr = addr
        self.delay = delay
        super().__init__(width, height, external_vcc, rotate)


class SH1106_SPI(OnSPI, _WithReset):
    """A display on an SPI bus."""

    def __init__(
        self,
        width: int,
        height: int,
        spi: Any,
        dc: Any,
        res: Any = None,
        cs: Any = None,
        rotate: int = 0,
        external_vcc: bool = False,
        delay: int = 0,
    ) -> None:
        self.rate = 10_000_000
        self.spi = spi
        self.dc = dc
        self.res = res
        self.cs = cs
        self.delay = delay
        set_up(dc, cs)
        super().__init__(width, height, external_vcc, rotate)


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `sh1106` of `board`."""
    module = ModuleType("sh1106", "Displays with an SH1106.")
    display = on_board(board, "sh1106", SH1106)  # a program may add to it: that is no other board's
    vars(module).update(
        SH1106=display,
        SH1106_I2C=on_board(board, "sh1106", SH1106_I2C, display),
        SH1106_SPI=on_board(board, "sh1106", SH1106_SPI, display),
    )
    return module

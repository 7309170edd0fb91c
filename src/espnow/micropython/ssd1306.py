"""`ssd1306`: displays of 128 by 64 pixels and smaller, with the names of the driver in micropython-lib.

It serves programs that came without the driver; a program's own file of this name comes first.
Written after the data sheet (SSD1306 rev 1.1, Solomon Systech), whose commands these are.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar

from espnow.board import Board
from espnow.micropython.framebuf import MONO_VLSB, FrameBuffer
from espnow.micropython.machine.wires import buffer_bytes, on_board
from espnow.micropython.services import Services

__all__ = ["SSD1306", "SSD1306_I2C", "SSD1306_SPI", "build"]

SET_MEM_ADDR = 0x20
SET_COL_ADDR = 0x21
SET_PAGE_ADDR = 0x22
SET_DISP_START_LINE = 0x40
SET_CONTRAST = 0x81
SET_CHARGE_PUMP = 0x8D
SET_SEG_REMAP = 0xA0
SET_ENTIRE_ON = 0xA4
SET_NORM_INV = 0xA6
SET_MUX_RATIO = 0xA8
SET_IREF_SELECT = 0xAD
SET_DISP = 0xAE
SET_COM_OUT_DIR = 0xC0
SET_DISP_OFFSET = 0xD3
SET_DISP_CLK_DIV = 0xD5
SET_PRECHARGE = 0xD9
SET_COM_PIN_CFG = 0xDA
SET_VCOM_DESEL = 0xDB

_COMMANDS = {name: value for name, value in globals().items() if name.startswith("SET_")}

#: Columns of the chip; a narrower glass has the middle ones.
_COLUMNS = 128


class SSD1306(FrameBuffer):
    """A display: a frame buffer that `show` puts on the glass.

    Attributes:
        width: in pixels.
        height: in pixels.
        external_vcc: whether the display's voltage comes from outside.
        pages: rows of eight pixels.
        buffer: the pixels.
    """

    def __init__(self, width: int, height: int, external_vcc: bool) -> None:
        self.width = width
        self.height = height
        self.external_vcc = external_vcc
        self.pages = height // 8
        self.buffer = bytearray(self.pages * width)
        super().__init__(self.buffer, width, height, MONO_VLSB)
        self.init_display()

    def init_display(self) -> None:
        """Set up the chip, clear the display and switch it on."""
        pump, precharge = (0x10, 0x22) if self.external_vcc else (0x14, 0xF1)
        self._commands(
            *(SET_DISP, SET_DISP_CLK_DIV, 0x80, SET_MUX_RATIO, self.height - 1, SET_DISP_OFFSET, 0),
            *(SET_DISP_START_LINE, SET_CHARGE_PUMP, pump, SET_MEM_ADDR, 0, SET_SEG_REMAP | 1, SET_COM_OUT_DIR | 8),
            *(SET_COM_PIN_CFG, 0x02 if self.width > 2 * self.height else 0x12, SET_CONTRAST, 0xFF),
            *(SET_PRECHARGE, precharge, SET_VCOM_DESEL, 0x30, SET_IREF_SELECT, 0x30, SET_ENTIRE_ON, SET_NORM_INV),
        )
        self.fill(0)
        self.show()
        self.poweron()

    def poweroff(self) -> None:
        """Switch it off; it keeps its picture."""
        self.write_cmd(SET_DISP)

    def poweron(self) -> None:
        """Switch it on."""
        self.write_cmd(SET_DISP | 1)

    def contrast(self, contrast: int) -> None:
        """Set how bright it is, 0 to 255."""
        self._commands(SET_CONTRAST, contrast)

    def invert(self, invert: int) -> None:
        """Show dark as lit and lit as dark, or not."""
        self.write_cmd(SET_NORM_INV | (invert & 1))

    def rotate(self, rotate: int) -> None:
        """Turn the picture by 180°, or not."""
        self._commands(SET_COM_OUT_DIR | (rotate & 1) << 3, SET_SEG_REMAP | (rotate & 1))

    def show(self) -> None:
        """Put the pixels on the glass."""
        left = (_COLUMNS - self.width) // 2
        self._commands(SET_COL_ADDR, left, left + self.width - 1, SET_PAGE_ADDR, 0, self.pages - 1)
        self.write_data(self.buffer)

    def write_cmd(self, cmd: int) -> None:
        """Send a command."""
        raise NotImplementedError

    def write_data(self, buf: Any) -> None:
        """Send pixels."""
        raise NotImplementedError

    def _commands(self, *commands: int) -> None:
        for command in commands:
            self.write_cmd(command)


class OnI2C:
    """A display on an I2C bus."""

    i2c: Any
    addr: int

    def write_cmd(self, cmd: int) -> None:
        """Send a command."""
        self.i2c.writeto(self.addr, bytes((0x80, cmd & 0xFF)))

    def write_data(self, buf: Any) -> None:
        """Send pixels."""
        self.i2c.writeto(self.addr, b"\x40" + buffer_bytes(buf))


class OnSPI:
    """A display on an SPI bus, with a line that tells data from commands."""

    spi: Any
    dc: Any
    cs: Any
    rate: int

    def write_cmd(self, cmd: int) -> None:
        """Send a command."""
        self._send(0, bytes((cmd & 0xFF,)))

    def write_data(self, buf: Any) -> None:
        """Send pixels."""
        self._send(1, buffer_bytes(buf))

    def _send(self, is_data: int, data: bytes) -> None:
        self.spi.init(baudrate=self.rate, polarity=0, phase=0)
        self.dc(is_data)
        if self.cs is not None:
            self.cs(0)
        self.spi.write(data)
        if self.cs is not None:
            self.cs(1)


def set_up(dc: Any, cs: Any) -> None:
    """Make outputs of the lines beside an SPI bus; nothing is selected."""
    dc.init(dc.OUT, value=0)
    if cs is not None:
        cs.init(cs.OUT, value=1)


def reset_chip(board: Board, res: Any) -> None:
    """Reset the chip by its reset line, if that is connected."""
    if res is not None:
        res.init(res.OUT, value=1)
        board.sleep(1_000)
        res(0)
        board.sleep(10_000)
        res(1)


class SSD1306_I2C(OnI2C, SSD1306):
    """A display on an I2C bus."""

    def __init__(self, width: int, height: int, i2c: Any, addr: int = 0x3C, external_vcc: bool = False) -> None:
        self.i2c = i2c
        self.addr = addr
        super().__init__(width, height, external_vcc)


class SSD1306_SPI(OnSPI, SSD1306):
    """A display on an SPI bus."""

    _board: ClassVar[Board]

    def __init__(
        self, width: int, height: int, spi: Any, dc: Any, res: Any, cs: Any, external_vcc: bool = False
    ) -> None:
        self.rate = 10 * 1024 * 1024
        self.spi = spi
        self.dc = dc
        self.res = res
        self.cs = cs
        set_up(dc, cs)
        reset_chip(self._board, res)
        super().__init__(width, height, external_vcc)


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `ssd1306` of `board`."""
    module = ModuleType("ssd1306", "Displays with an SSD1306.")
    display = on_board(board, "ssd1306", SSD1306)  # a program may add to it: that is no other board's
    vars(module).update(
        _COMMANDS,
        SSD1306=display,
        SSD1306_I2C=on_board(board, "ssd1306", SSD1306_I2C, display),
        SSD1306_SPI=on_board(board, "ssd1306", SSD1306_SPI, display),
    )
    return module

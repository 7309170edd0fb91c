"""OLED displays with an SSD1306 or SH1106, which keep what a program drew, so that a test can look at it.

Rules: a state machine over the bytes that reach the chip, as the data sheets describe them (SSD1306 rev 1.1 of Solomon
Systech, SH1106 V2.3 of Sino Wealth). What changes the current but not the picture (contrast, clocks, charge pump) is
taken and kept, not modelled.

How a module is mounted is not known, so a picture is upright as it lies in the chip's memory: segment remap and scan
direction are kept in `Oled.mirrored` and `Oled.flipped`, and turn nothing. Assumed.
"""

from __future__ import annotations

from espnow.board.font import CELL, glyph

__all__ = ["Oled", "Sh1106", "Ssd1306"]

_PAGES = 8

#: Commands of the SSD1306 that are followed by arguments, and by how many.
_SSD1306_ARGUMENTS = {
    0x20: 1,
    0x21: 2,
    0x22: 2,
    0x26: 6,
    0x27: 6,
    0x29: 5,
    0x2A: 5,
    0x81: 1,
    0x8D: 1,
    0xA3: 2,
    0xA8: 1,
    0xAD: 1,
    0xD3: 1,
    0xD5: 1,
    0xD9: 1,
    0xDA: 1,
    0xDB: 1,
}

_SH1106_ARGUMENTS = {0x81: 1, 0xA8: 1, 0xAD: 1, 0xD3: 1, 0xD5: 1, 0xD9: 1, 0xDA: 1, 0xDB: 1}

_HORIZONTAL, _VERTICAL, _PAGE = 0, 1, 2

#: Control bytes of an I2C transfer: bit 7 says that one byte follows, bit 6 that it is data.
_SINGLE = 0x80
_DATA = 0x40

_ASCII = {glyph(code): chr(code) for code in range(33, 127)}


class Oled:
    """A display of either kind: it finds out from how the program addresses it which it is.

    It is an SH1106 as long as columns are addressed from 2 within pages, as the drivers of that chip do, whose memory
    is four columns wider than the usual glass; otherwise an SSD1306.

    Attributes:
        width: of the glass, in pixels.
        on: whether the program has switched it on.
        inverted: whether dark is lit.
        contrast: 0 to 255.
        mirrored: whether columns run from the other side (segment remap).
        flipped: whether rows run from the bottom (COM scan direction).
    """

    _arguments = _SSD1306_ARGUMENTS
    _columns = 132
    _either = True

    def __init__(self, width: int = 128, height: int | None = None) -> None:
        """Make a display that is off.

        Args:
            width: of the glass.
            height: of the glass; without one, as many rows as the program says that it has.
        """
        self.width = width
        self._height = height
        self._memory = [bytearray(self._columns) for _ in range(_PAGES)]
        self._pending = bytearray()
        self.on = self.inverted = self.mirrored = self.flipped = False
        self.contrast = 0x7F
        self._all_lit = False
        self._rows = 64
        self._start_line = 0
        self._mode = _PAGE
        self._page = self._column = 0
        self._pages = (0, _PAGES - 1)
        self._window = (0, 127)
        self._low = 0
        self._shifted = False

    # As a device of a bus.

    def write(self, data: bytes) -> None:
        """Take what an I2C master writes: control bytes, each before a command or data."""
        place = 0
        while place < len(data):
            control = data[place]
            end = place + 2 if control & _SINGLE else len(data)
            self.feed(data[place + 1 : end], is_data=bool(control & _DATA))
            place = end

    def read(self, count: int) -> bytes:
        """Return the status: bit 6 says that the display is off."""
        return bytes([0 if self.on else 0x40]) * count

    def transfer(self, data: bytes, dc: int) -> bytes:
        """Take what an SPI master writes, with the level of the D/C line; nothing is answered."""
        self.feed(data, is_data=bool(dc))
        return bytes(len(data))

    def feed(self, data: bytes, *, is_data: bool) -> None:
        """Take bytes for the memory, or commands."""
        if is_data:
            self._draw(data)
            return
        for byte in data:
            self._pending.append(byte)
            command = self._pending[0]
            if len(self._pending) > self._arguments.get(command, 0):
                arguments = bytes(self._pending[1:])
                self._pending.clear()
                self._command(command, arguments)

    def _command(self, command: int, arguments: bytes) -> None:
        if command < 0x10:
            self._low = command
            self._column = self._column & 0xF0 | command
        elif command < 0x20:
            self._column = (command & 0x0F) << 4 | self._column & 0x0F
        elif 0x40 <= command < 0x80:
            self._start_line = command & 0x3F
        elif 0xB0 <= command < 0xB0 + _PAGES:
            self._page = command & 0x07
        elif command in (0xA0, 0xA1):
            self.mirrored = bool(command & 1)
        elif command in (0xA4, 0xA5):
            self._all_lit = bool(command & 1)
        elif command in (0xA6, 0xA7):
            self.inverted = bool(command & 1)
        elif command in (0xAE, 0xAF):
            self.on = bool(command & 1)
        elif command & 0xF0 == 0xC0:
            self.flipped = bool(command & 0x08)
        elif not arguments:
            pass  # no command of this chip
        elif command == 0x81:
            self.contrast = arguments[0]
        elif command == 0xA8:
            self._rows = (arguments[0] & 0x3F) + 1
        elif command == 0x20:
            self._mode = min(arguments[0] & 3, _PAGE)
        elif command == 0x21:
            self._window = (arguments[0] & 0x7F, arguments[1] & 0x7F)
            self._column = self._window[0]
        elif command == 0x22:
            self._pages = (arguments[0] & 7, arguments[1] & 7)
            self._page = self._pages[0]

    def _draw(self, data: bytes) -> None:
        by_page = self._mode == _PAGE or (self._either and self._low == 2)
        self._shifted = self._either and self._low == 2
        if by_page:
            row = self._memory[self._page]
            kept = data[: max(0, self._columns - self._column)]
            row[self._column : self._column + len(kept)] = kept
            self._column = self._after_page(self._column + len(data))
        else:
            self._column &= 0x7F
            if self._mode == _HORIZONTAL:
                self._draw_rows(data)
            else:
                self._draw_columns(data)

    def _after_page(self, column: int) -> int:
        """Return the column after the last that was written within a page."""
        return min(column, self._columns)

    def _draw_rows(self, data: bytes) -> None:
        first, last = self._window
        place = 0
        while place < len(data):
            count = max(1, min(last + 1 - self._column, len(data) - place))
            self._memory[self._page][self._column : self._column + count] = data[place : place + count]
            place += count
            self._column += count
            if self._column > last:
                self._column = first
                self._page = self._next_page()

    def _draw_columns(self, data: bytes) -> None:
        first, last = self._window
        for byte in data:
            self._memory[self._page][self._column] = byte
            if self._page == self._pages[1]:
                self._column = first if self._column >= last else self._column + 1
            self._page = self._next_page()

    def _next_page(self) -> int:
        first, last = self._pages
        return first if self._page == last else (self._page + 1) % _PAGES

    # For whoever looks at it.

    @property
    def height(self) -> int:
        """Height of the glass, or how many rows the program drives."""
        return self._rows if self._height is None else self._height

    @property
    def _first_column(self) -> int:
        """The column of the memory that is at the left edge of the glass."""
        return (128 - self.width) // 2 + (2 if self._shifted else 0)

    @property
    def pixels(self) -> list[list[int]]:
        """What is lit, row by row from the top: ``pixels[y][x]`` is 1 or 0."""
        if not self.on:
            return [[0] * self.width for _ in range(self.height)]
        if self._all_lit:
            return [[1] * self.width for _ in range(self.height)]
        first = self._first_column
        turn = int(self.inverted)
        rows = []
        for y in range(self.height):
            page, bit = divmod((y + self._start_line) % 64, 8)
            rows.append([byte >> bit & 1 ^ turn for byte in self._memory[page][first : first + self.width]])
        return rows

    @property
    def text(self) -> str:
        """The text on it, line by line from the top, of what was written with the font of this project's `framebuf`.

        Other fonts and text that runs into something else are not recognised.
        """
        found = []
        if self.inverted:
            pixels = [[1 - pixel for pixel in row] for row in self.pixels]
        else:
            pixels = self.pixels
        for y in range(self.height - CELL + 2):  # the last row of a cell is empty, and may be beyond the edge
            line, count = _read_line(pixels[y : y + CELL])
            if count:
                found.append((-count, y, line))
        taken: dict[int, str] = {}
        for _, y, line in sorted(found):
            if all(abs(y - other) >= CELL - 1 for other in taken):
                taken[y] = line
        return "\n".join(taken[y] for y in sorted(taken))

    def text_art(self) -> str:
        """Return the picture for a terminal: two rows of pixels in a line, in half blocks."""
        pixels = self.pixels
        if len(pixels) % 2:
            pixels.append([0] * self.width)
        lines = []
        for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
            lines.append("".join(" ▀▄█"[up + 2 * down] for up, down in zip(upper, lower, strict=True)).rstrip())
        return "\n".join(lines)


def _read_line(rows: list[list[int]]) -> tuple[str, int]:
    """Return the text in a band of eight rows, and of how many characters it is."""
    columns = [sum(bit << y for y, bit in enumerate(bits)) for bits in zip(*rows, strict=True)]
    words = ""
    place = count = blanks = 0
    while place + CELL - 2 < len(columns):
        cell = tuple(columns[place : place + CELL])
        character = _ASCII.get(cell + (0,) * (CELL - len(cell)))
        if character is not None:
            words += (" " * (blanks // CELL) if words else "") + character
            count += 1
            blanks = 0
            place += CELL
        else:
            blanks += 1
            place += 1
    return words, count


class Ssd1306(Oled):
    """A display with an SSD1306, 128 columns by 64 rows at most."""

    _columns = 128
    _either = False

    def _after_page(self, column: int) -> int:
        return column % self._columns


class Sh1106(Oled):
    """A display with an SH1106: it knows addressing within pages only, and has columns 2 to 129 on its glass."""

    _arguments = _SH1106_ARGUMENTS
    _either = False

    def __init__(self, width: int = 128, height: int | None = None) -> None:
        super().__init__(width, height)
        self._shifted = True

    def _draw(self, data: bytes) -> None:
        super()._draw(data)
        self._shifted = True

"""`framebuf`, as https://docs.micropython.org/en/latest/library/framebuf.html describes it, without alpha.

Pixels lie in the program's own buffer, in the layouts of the document. Lines and ellipses light the pixels that
Bresenham's and the midpoint algorithm choose; at ties, and in polygons that cross themselves, a board's may differ by a
pixel. The font is this project's (`espnow.board.font`). A call costs no time. Assumed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from math import isqrt
from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.board.font import CELL, glyph
from espnow.micropython.services import Services

__all__ = ["MONO_HMSB", "MONO_VLSB", "FrameBuffer", "FrameBuffer1", "build"]

MONO_VLSB = 0
RGB565 = 1
GS4_HMSB = 2
MONO_HLSB = 3
MONO_HMSB = 4
GS2_HMSB = 5
GS8 = 6

#: Bits of a pixel, and how many pixels share a byte side by side and one above the other, by format.
_LAYOUTS = {
    MONO_VLSB: (1, 1, 8),
    RGB565: (16, 1, 1),
    GS4_HMSB: (4, 2, 1),
    MONO_HLSB: (1, 8, 1),
    MONO_HMSB: (1, 8, 1),
    GS2_HMSB: (2, 4, 1),
    GS8: (8, 1, 1),
}

_Get = Callable[[int, int], int]
_Set = Callable[[int, int, int], None]
_Fill = Callable[[int, int, int, int, int], None]


class _Canvas:
    """The pixels of one frame buffer.

    Attributes:
        view: the program's buffer.
        width: in pixels.
        height: in pixels.
        format: how they lie in the buffer.
        stride: pixels from one row to the next.
        get: ``get(x, y)`` is a pixel within the bounds.
        set: ``set(x, y, colour)`` changes one within the bounds.
    """

    __slots__ = ("_fill", "format", "get", "height", "set", "stride", "view", "width")

    def __init__(self, buffer: Any, width: int, height: int, format: int, stride: int) -> None:
        self.view = _writable(buffer)
        self.width = width
        self.height = height
        self.format = format
        if width < 1 or height < 1 or stride < width:
            raise ValueError
        bits, across, down = _LAYOUTS.get(format, (0, 1, 1))
        if not bits:
            raise ValueError("invalid format")
        if across > 1:
            stride = -(-stride // across) * across
        self.stride = stride
        # The last row need not reach to its stride.
        bands = -(-height // down)
        needed = ((bands - 1) * stride + -(-width // across) * across) * down * bits
        if len(self.view) * 8 < needed:
            raise ValueError
        if format == MONO_VLSB:
            self.get, self.set, self._fill = self._vertical(stride)
        elif format == RGB565:
            self.get, self.set, self._fill = self._words(stride)
        else:
            self.get, self.set, self._fill = self._horizontal(stride, across)

    def _vertical(self, stride: int) -> tuple[_Get, _Set, _Fill]:
        view = self.view

        def get(x: int, y: int) -> int:
            return view[(y >> 3) * stride + x] >> (y & 7) & 1

        def set_(x: int, y: int, colour: int) -> None:
            place = (y >> 3) * stride + x
            bit = 1 << (y & 7)
            view[place] = view[place] | bit if colour else view[place] & ~bit

        def fill(x: int, y: int, width: int, height: int, colour: int) -> None:
            end = y + height
            while y < end:
                rows = min(end, (y | 7) + 1) - y
                mask = ((1 << rows) - 1) << (y & 7)
                start = (y >> 3) * stride + x
                if mask == 0xFF:
                    view[start : start + width] = bytes([0xFF if colour else 0]) * width
                elif colour:
                    view[start : start + width] = bytes([byte | mask for byte in view[start : start + width]])
                else:
                    view[start : start + width] = bytes([byte & ~mask for byte in view[start : start + width]])
                y += rows

        return get, set_, fill

    def _words(self, stride: int) -> tuple[_Get, _Set, _Fill]:
        view = self.view

        def get(x: int, y: int) -> int:
            place = (y * stride + x) * 2
            return view[place] | view[place + 1] << 8

        def set_(x: int, y: int, colour: int) -> None:
            place = (y * stride + x) * 2
            view[place] = colour & 0xFF
            view[place + 1] = colour >> 8 & 0xFF

        def fill(x: int, y: int, width: int, height: int, colour: int) -> None:
            row = bytes([colour & 0xFF, colour >> 8 & 0xFF]) * width
            for start in range((y * stride + x) * 2, ((y + height) * stride + x) * 2, stride * 2):
                view[start : start + len(row)] = row

        return get, set_, fill

    def _horizontal(self, stride: int, per_byte: int) -> tuple[_Get, _Set, _Fill]:
        view = self.view
        bits = 8 // per_byte
        mask = (1 << bits) - 1
        last = per_byte - 1
        # GS4_HMSB and MONO_HLSB have the leftmost pixel in the high bits.
        turn = last if self.format in (GS4_HMSB, MONO_HLSB) else 0
        mono = bits == 1
        per_row = stride // per_byte

        def get(x: int, y: int) -> int:
            return view[y * per_row + x // per_byte] >> (x & last ^ turn) * bits & mask

        def set_(x: int, y: int, colour: int) -> None:
            place = y * per_row + x // per_byte
            shift = (x & last ^ turn) * bits
            value = int(colour != 0) if mono else colour & mask
            view[place] = view[place] & ~(mask << shift) | value << shift

        def fill(x: int, y: int, width: int, height: int, colour: int) -> None:
            value = int(colour != 0) if mono else colour & mask
            whole = bytes([value * (0xFF // mask)])
            begin, end = -(-x // per_byte), (x + width) // per_byte  # the bytes that are filled whole
            if begin >= end:
                begin = end = x + width
                edges = list(range(x, x + width))
                row = b""
            else:
                edges = [*range(x, begin * per_byte), *range(end * per_byte, x + width)]
                row = whole * (end - begin)
            for line in range(y, y + height):
                if row:
                    start = line * per_row
                    view[start + begin : start + end] = row
                for column in edges:
                    set_(column, line, colour)

        return get, set_, fill

    def fill(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        """Fill a rectangle, as far as it is on the canvas."""
        right, bottom = min(x + width, self.width), min(y + height, self.height)
        x, y = max(x, 0), max(y, 0)
        if x < right and y < bottom:
            self._fill(x, y, right - x, bottom - y, colour)

    def dot(self, x: int, y: int, colour: int) -> None:
        """Change a pixel, if it is on the canvas."""
        if 0 <= x < self.width and 0 <= y < self.height:
            self.set(x, y, colour)

    def line(self, x1: int, y1: int, x2: int, y2: int, colour: int) -> None:
        """Draw a line with both of its ends."""
        dx, dy = abs(x2 - x1), abs(y2 - y1)
        sx, sy = (1 if x2 > x1 else -1), (1 if y2 > y1 else -1)
        steep = dy > dx
        if steep:
            dx, dy = dy, dx
        error = 2 * dy - dx
        for _ in range(dx):
            self.dot(x1, y1, colour)
            if error >= 0:
                if steep:
                    x1 += sx
                else:
                    y1 += sy
                error -= 2 * dx
            if steep:
                y1 += sy
            else:
                x1 += sx
            error += 2 * dy
        self.dot(x2, y2, colour)


def _writable(buffer: Any) -> memoryview:
    try:
        view = memoryview(buffer)
    except TypeError:
        raise TypeError("object with buffer protocol required") from None
    return view.cast("B")


def _integers(*values: Any) -> tuple[int, ...]:
    """Return arguments as integers; a float is a TypeError, as on a board."""
    try:
        return tuple(map(operator.index, values))
    except TypeError:
        wrong = next(value for value in values if not hasattr(value, "__index__"))
        raise TypeError(f"can't convert {type(wrong).__name__} to int") from None


class FrameBuffer:
    """A buffer of pixels to draw on."""

    __slots__ = ("__canvas",)

    def __init__(self, buffer: Any, width: int, height: int, format: int, stride: int | None = None, /) -> None:
        width, height, format = _integers(width, height, format)
        (stride,) = (width,) if stride is None else _integers(stride)
        self.__canvas = _Canvas(buffer, width, height, format, stride)

    def __buffer__(self, _flags: int) -> memoryview:
        """Return the program's buffer, for what takes bytes."""
        return self.__canvas.view

    def fill(self, c: int, /) -> None:
        """Fill everything."""
        canvas = self.__canvas
        canvas.fill(0, 0, canvas.width, canvas.height, *_integers(c))

    def pixel(self, x: int, y: int, c: int | None = None, /) -> int | None:
        """Set a pixel, or without `c` return it; None beyond the edges."""
        canvas = self.__canvas
        x, y = _integers(x, y)
        if 0 <= x < canvas.width and 0 <= y < canvas.height:
            if c is None:
                return canvas.get(x, y)
            canvas.set(x, y, *_integers(c))
        return None

    def hline(self, x: int, y: int, w: int, c: int, /) -> None:
        """Draw a horizontal line to the right."""
        x, y, w, c = _integers(x, y, w, c)
        self.__canvas.fill(x, y, w, 1, c)

    def vline(self, x: int, y: int, h: int, c: int, /) -> None:
        """Draw a vertical line downwards."""
        x, y, h, c = _integers(x, y, h, c)
        self.__canvas.fill(x, y, 1, h, c)

    def line(self, x1: int, y1: int, x2: int, y2: int, c: int, /) -> None:
        """Draw a line."""
        self.__canvas.line(*_integers(x1, y1, x2, y2, c))

    def rect(self, x: int, y: int, w: int, h: int, c: int, f: Any = False, /) -> None:
        """Draw a rectangle, filled if `f` says so."""
        x, y, w, h, c = _integers(x, y, w, h, c)
        fill = self.__canvas.fill
        if f:
            fill(x, y, w, h, c)
            return
        fill(x, y, w, 1, c)
        fill(x, y + h - 1, w, 1, c)
        fill(x, y, 1, h, c)
        fill(x + w - 1, y, 1, h, c)

    def fill_rect(self, x: int, y: int, w: int, h: int, c: int, /) -> None:
        """Fill a rectangle."""
        self.__canvas.fill(*_integers(x, y, w, h, c))

    def text(self, s: Any, x: int, y: int, c: int = 1, /) -> None:
        """Write text; its upper left corner is at (x, y), and each character is 8 by 8 pixels."""
        if isinstance(s, str):
            s = s.encode()
        elif not isinstance(s, (bytes, bytearray)):
            raise TypeError(f"can't convert '{type(s).__name__}' object to str implicitly")
        x, y, c = _integers(x, y, c)
        canvas = self.__canvas
        dot = canvas.dot
        for code in s:
            if -CELL < x < canvas.width:
                for column, bits in enumerate(glyph(code), x):
                    row = y
                    while bits:
                        if bits & 1:
                            dot(column, row, c)
                        bits >>= 1
                        row += 1
            x += CELL

    def scroll(self, xstep: int, ystep: int, /) -> None:
        """Move everything; what is uncovered keeps its old pixels."""
        xstep, ystep = _integers(xstep, ystep)
        canvas = self.__canvas
        width, height = canvas.width, canvas.height
        get, set_ = canvas.get, canvas.set
        columns = [x for x in range(width) if 0 <= x - xstep < width]
        rows = [y for y in range(height) if 0 <= y - ystep < height]
        for y in reversed(rows) if ystep > 0 else rows:
            for x, pixel in [(x, get(x - xstep, y - ystep)) for x in columns]:
                set_(x, y, pixel)

    def blit(self, fbuf: Any, x: int, y: int, key: int = -1, palette: Any = None, /) -> None:
        """Draw another frame buffer on this one, without the pixels of the colour `key`.

        Args:
            fbuf: a FrameBuffer, or the arguments of one in a tuple or list.
            x: where its left edge comes.
            y: where its upper edge comes.
            key: a colour that is transparent, after the palette.
            palette: a FrameBuffer of one row that has this one's colour for each of the other's.
        """
        x, y, key = _integers(x, y, key)
        source = _canvas_of(fbuf)
        colours = None if palette is None else _canvas_of(palette)
        canvas = self.__canvas
        get, set_ = source.get, canvas.set
        for row in range(max(0, -y), min(source.height, canvas.height - y)):
            for column in range(max(0, -x), min(source.width, canvas.width - x)):
                colour = get(column, row)
                if colours is not None:
                    colour = colours.get(colour, 0)
                if colour != key:
                    set_(column + x, row + y, colour)

    def ellipse(self, x: int, y: int, xr: int, yr: int, c: int, f: Any = False, m: int = 0xF, /) -> None:
        """Draw an ellipse.

        Args:
            x: of its centre.
            y: of its centre.
            xr: its radius to the sides.
            yr: its radius up and down.
            c: colour.
            f: whether it is filled.
            m: which quadrants are drawn: bit 0 the upper right one, then counterclockwise.
        """
        x, y, xr, yr, c, m = _integers(x, y, xr, yr, c, m)
        canvas = self.__canvas
        if xr < 0 or yr < 0:
            return
        quadrants = [(1, -1), (-1, -1), (-1, 1), (1, 1)]
        drawn = [signs for number, signs in enumerate(quadrants) if m >> number & 1]
        for dx, dy in _arc(xr, yr):
            for sx, sy in drawn:
                if f:
                    left, right = sorted((x, x + sx * dx))
                    canvas.fill(left, y + sy * dy, right - left + 1, 1, c)
                else:
                    canvas.dot(x + sx * dx, y + sy * dy, c)

    def poly(self, x: int, y: int, coords: Sequence[int], c: int, f: Any = False, /) -> None:
        """Draw a closed polygon; `coords` is an array of x0, y0, x1, y1 and so on, counted from (x, y)."""
        x, y, c = _integers(x, y, c)
        if not hasattr(coords, "__len__"):
            raise TypeError("object with buffer protocol required")
        numbers = _integers(*coords)
        points = [(x + px, y + py) for px, py in zip(numbers[::2], numbers[1::2], strict=False)]
        canvas = self.__canvas
        sides = [(*points[number - 1], *point) for number, point in enumerate(points)]
        if f and points:
            for row in range(min(py for _, py in points), max(py for _, py in points) + 1):
                crossings = sorted(_crossings(sides, row))
                for left, right in zip(crossings[::2], crossings[1::2], strict=False):
                    canvas.fill(left, row, right - left + 1, 1, c)
        for side in sides:
            canvas.line(*side, c)


def _canvas_of(fbuf: Any) -> _Canvas:
    if isinstance(fbuf, (tuple, list)):
        if not 4 <= len(fbuf) <= 5:
            raise ValueError
        width, height, format = _integers(*fbuf[1:4])
        (stride,) = _integers(fbuf[4]) if len(fbuf) == 5 else (width,)
        return _Canvas(fbuf[0], width, height, format, stride)
    if not isinstance(fbuf, FrameBuffer):
        raise TypeError("object with buffer protocol required")
    canvas: _Canvas = fbuf._FrameBuffer__canvas  # type: ignore[attr-defined]
    return canvas


def _arc(xr: int, yr: int) -> Iterable[tuple[int, int]]:
    """Return a quarter of an ellipse around (0, 0), from the top to the side, without gaps."""
    points: dict[tuple[int, int], None] = {}
    for dx in range(xr + 1):
        points[dx, _height_at(dx, xr, yr)] = None
    for dy in range(yr + 1):
        points[_height_at(dy, yr, xr), dy] = None
    return points


def _height_at(dx: int, xr: int, yr: int) -> int:
    """Return how high an ellipse is at a distance from its centre, rounded."""
    if xr == 0:
        return yr
    # The whole number next to yr * sqrt(1 - dx² / xr²), without floats.
    return (isqrt(4 * (xr * xr - dx * dx) * yr * yr // (xr * xr)) + 1) // 2


def _crossings(sides: Iterable[tuple[int, int, int, int]], row: int) -> Iterable[int]:
    """Yield where the sides of a polygon cross the middle of a row."""
    for x1, y1, x2, y2 in sides:
        if (y1 <= row) != (y2 <= row):
            yield x1 + round((row - y1) * (x2 - x1) / (y2 - y1))


def FrameBuffer1(buffer: Any, width: int, height: int, stride: int | None = None, /) -> FrameBuffer:
    """Return a frame buffer of the format MONO_VLSB; an old name."""
    return FrameBuffer(buffer, width, height, MONO_VLSB, width if stride is None else stride)


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `framebuf`; nothing in it belongs to one board but the module itself."""
    module = ModuleType("framebuf", "Buffers of pixels.")
    vars(module).update(
        ALPHA=False,
        FrameBuffer=FrameBuffer,
        FrameBuffer1=FrameBuffer1,
        GS2_HMSB=GS2_HMSB,
        GS4_HMSB=GS4_HMSB,
        GS8=GS8,
        MONO_HLSB=MONO_HLSB,
        MONO_HMSB=MONO_HMSB,
        MONO_VLSB=MONO_VLSB,
        MVLSB=MONO_VLSB,
        RGB565=RGB565,
    )
    return module

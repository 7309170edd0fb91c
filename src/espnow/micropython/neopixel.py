"""`neopixel` and `apa106`: chains of addressable LEDs.

They follow https://docs.micropython.org/en/latest/library/neopixel.html. What was written is kept at the board,
`espnow.board.buses.Pixels`. A write takes as long as its bits on the wire, and the pause after them.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, ClassVar

from espnow.board import Board
from espnow.board.buses import buses_of
from espnow.micropython.machine.pin import find_pin
from espnow.micropython.machine.pulses import bitstream
from espnow.micropython.machine.wires import on_board
from espnow.micropython.services import Services

__all__ = ["APA106", "NeoPixel", "build", "build_apa106"]

#: How long the line rests after the bits, so that the LEDs take them, in microseconds.
_LATCH_US = 50

#: Nanoseconds of a 0 and of a 1 (high, low), by speed: 800 kHz and 400 kHz.
_FAST = (400, 850, 800, 450)
_SLOW = (800, 1700, 1600, 900)


class NeoPixel:
    """A chain of LEDs: a sequence of colours, which `write` sends.

    Attributes:
        pin: as given.
        n: how many LEDs.
        bpp: 3, or 4 with white.
        buf: the bytes of all LEDs, in the order of the wire.
        timing: nanoseconds of a 0 and of a 1, high and low.
    """

    #: Where red, green, blue and white are among the bytes of one LED.
    ORDER: Sequence[int] = (1, 0, 2, 3)

    _board: ClassVar[Board]

    def __init__(self, pin: Any, n: int, bpp: int = 3, timing: Any = 1, brightness: float | None = None) -> None:
        self.pin = pin
        self.n = operator.index(n)
        self.bpp = operator.index(bpp)
        self.buf = bytearray(self.n * self.bpp)
        self.timing = timing if isinstance(timing, tuple) else _FAST if timing else _SLOW
        self.brightness = None if brightness is None else _part(brightness)
        pin.init(pin.OUT)

    def __len__(self) -> int:
        return self.n

    def __setitem__(self, i: int, v: Sequence[int]) -> None:
        start = self._start(i)
        for place, value in zip(self.ORDER[: self.bpp], self._dimmed(v), strict=True):
            self.buf[start + place] = value & 0xFF

    def __getitem__(self, i: int) -> tuple[int, ...]:
        start = self._start(i)
        return tuple(self.buf[start + place] for place in self.ORDER[: self.bpp])

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return (self[i] for i in range(self.n))

    def fill(self, v: Sequence[int]) -> None:
        """Give every LED one colour."""
        dimmed = self._dimmed(v)
        for place, value in zip(self.ORDER[: self.bpp], dimmed, strict=True):
            self.buf[place :: self.bpp] = bytes([value & 0xFF]) * self.n

    def set_brightness(self, b: float) -> None:
        """Set how bright the LEDs are, from 0 to 1, and dim what is there."""
        self.brightness = _part(b)
        for i in range(self.n):
            self[i] = self[i]

    def write(self) -> None:
        """Send all colours to the LEDs."""
        board = self._board
        chain = buses_of(board).pixels(find_pin(board, self.pin).number)
        chain.order = tuple(self.ORDER)
        chain.bytes_per_pixel = self.bpp
        bitstream(board, self.pin, 0, self.timing, self.buf)
        board.cpu.spend(_LATCH_US)

    def _start(self, i: int) -> int:
        i = operator.index(i)
        if not -self.n <= i < self.n:
            raise IndexError("bytearray index out of range")
        return i % self.n * self.bpp

    def _dimmed(self, v: Sequence[int]) -> tuple[int, ...]:
        """Return the values of one colour, dimmed.

        Raises:
            IndexError: it has too few of them.
        """
        values = tuple(v[: self.bpp])
        if len(values) < self.bpp:
            raise IndexError("tuple index out of range")
        if self.brightness is not None:
            values = tuple(round(value * self.brightness) for value in values)
        return tuple(operator.index(value) for value in values)


def _part(value: float) -> float:
    return min(max(float(value), 0.0), 1.0)


class APA106(NeoPixel):
    """A chain of APA106, whose bytes are red, green, blue."""

    ORDER = (0, 1, 2, 3)


def _module(board: Board, name: str, cls: type[NeoPixel]) -> ModuleType:
    module = ModuleType(name, "Addressable LEDs of this board.")
    setattr(module, cls.__name__, on_board(board, name, cls))
    return module


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `neopixel` of `board`."""
    return _module(board, "neopixel", NeoPixel)


def build_apa106(board: Board, _services: Services) -> ModuleType:
    """Return the module `apa106` of `board`."""
    return _module(board, "apa106", APA106)

"""`dht`: DHT11 and DHT22 sensors, as https://docs.micropython.org/en/latest/esp32/quickref.html#dht-driver uses them.

What they measure is `espnow.board.buses.Dht`. A measurement takes as long as on the wire: the start signal of 18 ms and
the 40 bits.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar

from espnow.board import Board
from espnow.board.buses import buses_of
from espnow.errors import ETIMEDOUT, BoardOSError
from espnow.micropython.machine.pin import find_pin
from espnow.micropython.machine.wires import on_board, view_of
from espnow.micropython.services import Services

__all__ = ["DHT11", "DHT22", "DHTBase", "build", "read_frame", "readinto"]

#: How long a measurement takes, and one that nothing answers.
_MEASURE_US = 23_000
_SILENCE_US = 18_200

_FRAME_LENGTH = 5

#: ETIMEDOUT of an ESP8266 is Linux'.
_ETIMEDOUT_ESP8266 = 110


def read_frame(board: Board, pin: Any, *, dht11: bool | None = None) -> bytes:
    """Return the five bytes that the sensor at a pin sends.

    Raises:
        OSError: ETIMEDOUT, nothing answers.
    """
    frame = buses_of(board).dht(find_pin(board, pin).number).frame(dht11=dht11)
    board.cpu.spend(_SILENCE_US if frame is None else _MEASURE_US)
    if board.has_callbacks:
        board.run_callbacks()
    if frame is None:
        raise BoardOSError(_ETIMEDOUT_ESP8266 if board.profile.esp8266 else ETIMEDOUT)
    return frame


def readinto(board: Board, pin: Any, buffer: Any) -> None:
    """Fill a buffer of five bytes from the sensor at a pin, for a program with a driver of its own.

    Raises:
        ValueError: the buffer is too small.
        OSError: ETIMEDOUT, nothing answers.
    """
    view = view_of(buffer)
    if len(view) < _FRAME_LENGTH:
        raise ValueError("buffer too small")
    view[:_FRAME_LENGTH] = read_frame(board, pin)


class DHTBase:
    """A sensor of either kind.

    Attributes:
        pin: as given.
        buf: the five bytes of the last measurement.
    """

    _board: ClassVar[Board]
    _dht11: ClassVar[bool | None] = None

    def __init__(self, pin: Any) -> None:
        self.pin = pin
        self.buf = bytearray(_FRAME_LENGTH)

    def measure(self) -> None:
        """Measure.

        Raises:
            OSError: ETIMEDOUT, nothing answers.
        """
        self.buf[:] = read_frame(self._board, self.pin, dht11=self._dht11)


class DHT11(DHTBase):
    """A DHT11: whole degrees and percent."""

    _dht11 = True

    def humidity(self) -> int:
        """Return the humidity that was measured, in percent."""
        return self.buf[0]

    def temperature(self) -> int:
        """Return the temperature that was measured, in °C."""
        return self.buf[2]


class DHT22(DHTBase):
    """A DHT22 (AM2302): tenths."""

    _dht11 = False

    def humidity(self) -> float:
        """Return the humidity that was measured, in percent."""
        return int.from_bytes(self.buf[:2], "big") * 0.1

    def temperature(self) -> float:
        """Return the temperature that was measured, in °C."""
        value = ((self.buf[2] & 0x7F) << 8 | self.buf[3]) * 0.1
        return -value if self.buf[2] & 0x80 else value


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `dht` of `board`."""
    module = ModuleType("dht", "DHT sensors of this board.")
    base = on_board(board, "dht", DHTBase)
    vars(module).update(
        DHTBase=base,
        DHT11=on_board(board, "dht", DHT11, base),
        DHT22=on_board(board, "dht", DHT22, base),
    )
    return module

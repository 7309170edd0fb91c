"""`machine.I2C`, `SoftI2C`, `SPI` and `SoftSPI` of a board.

Followed: https://docs.micropython.org/en/latest/library/machine.I2C.html and machine.SPI.html, and for defaults and
limits the quick references of the ESP32 and ESP8266 ports. What is at the other end of the wires is
`espnow.board.buses`. A call takes as long as its bits on the wire and lets no callback run meanwhile.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

from espnow.board.buses import I2cBus, SpiBus, buses_of
from espnow.board.devices import I2cDevice
from espnow.errors import BoardOSError
from espnow.micropython.machine.binding import bind
from espnow.micropython.machine.wires import Wired, buffer_bytes, view_of

__all__ = ["I2C", "SPI", "SoftI2C", "SoftSPI"]

ENODEV = 19

#: Default pins by number of the bus: (scl, sda), (sck, mosi, miso).
_I2C_PINS = {0: (18, 19), 1: (25, 26)}
_SPI_PINS = {1: (14, 13, 12), 2: (18, 23, 19)}


class SoftI2C(Wired):
    """An I2C bus, driven by software at any pins."""

    def __init__(self, scl: Any, sda: Any, *, freq: int = 400_000, timeout: int = 50_000) -> None:
        self._open(None, self._pin(scl, -1), self._pin(sda, -1), freq)

    def _open(self, number: int | None, scl: int, sda: int, freq: int) -> None:
        self._number = number
        self._scl = scl
        self._sda = sda
        self._freq = max(1, operator.index(freq))
        self._bus: I2cBus = buses_of(self._board).open_i2c(number, scl, sda)
        self._device: I2cDevice | None = None
        self._addressed = True
        self._pending = bytearray()

    def __repr__(self) -> str:
        number = "" if self._number is None else f"{self._number}, "
        kind = "SoftI2C" if self._number is None else "I2C"
        return f"{kind}({number}scl={self._scl}, sda={self._sda}, freq={self._freq})"

    def init(self, scl: Any = None, sda: Any = None, *, freq: int = 400_000, timeout: int = 50_000) -> None:
        """Set the bus up anew."""
        self._open(
            self._number,
            self._pin(scl, self._scl),
            self._pin(sda, self._sda),
            freq,
        )

    def deinit(self) -> None:
        """Do nothing: the pins stay as they are."""

    def scan(self) -> list[int]:
        """Return the addresses from 0x08 to 0x77 that answer."""
        found = self._bus.scan()
        self._take_time(0x78 - 0x08)
        return found

    def writeto(self, addr: int, buf: Any, stop: bool = True, /) -> int:
        """Write to a device, and return how many bytes it acknowledged.

        Raises:
            OSError: ENODEV, nothing answers.
        """
        raw = buffer_bytes(buf)
        self._write(addr, raw)
        return len(raw)

    def writevto(self, addr: int, vector: Iterable[Any], stop: bool = True, /) -> int:
        """Write several buffers in one go, and return how many bytes were acknowledged.

        Raises:
            OSError: ENODEV, nothing answers.
        """
        return self.writeto(addr, b"".join([buffer_bytes(part) for part in vector]), stop)

    def readfrom(self, addr: int, nbytes: int, stop: bool = True, /) -> bytes:
        """Read from a device.

        Raises:
            OSError: ENODEV, nothing answers.
        """
        return self._read(addr, operator.index(nbytes))

    def readfrom_into(self, addr: int, buf: Any, stop: bool = True, /) -> None:
        """Fill a buffer from a device.

        Raises:
            OSError: ENODEV, nothing answers.
        """
        view = view_of(buf)
        view[:] = self._read(addr, len(view))

    def readfrom_mem(self, addr: int, memaddr: int, nbytes: int, *, addrsize: int = 8) -> bytes:
        """Read from a device's memory or registers.

        Raises:
            OSError: ENODEV, nothing answers.
        """
        self._write(addr, _memory_address(memaddr, addrsize))
        return self._read(addr, operator.index(nbytes))

    def readfrom_mem_into(self, addr: int, memaddr: int, buf: Any, *, addrsize: int = 8) -> None:
        """Fill a buffer from a device's memory or registers.

        Raises:
            OSError: ENODEV, nothing answers.
        """
        view = view_of(buf)
        view[:] = self.readfrom_mem(addr, memaddr, len(view), addrsize=addrsize)

    def writeto_mem(self, addr: int, memaddr: int, buf: Any, *, addrsize: int = 8) -> None:
        """Write to a device's memory or registers.

        Raises:
            OSError: ENODEV, nothing answers.
        """
        self._write(addr, _memory_address(memaddr, addrsize) + buffer_bytes(buf))

    # Primitive operations.

    def start(self) -> None:
        """Generate a START condition."""
        self._deliver()
        self._device = None
        self._addressed = False

    def stop(self) -> None:
        """Generate a STOP condition."""
        self._deliver()
        self._device = None
        self._addressed = True

    def write(self, buf: Any, /) -> int:
        """Write bytes, the first after a START being address and direction; return how many were acknowledged."""
        raw = buffer_bytes(buf)
        self._take_time(len(raw))
        acknowledged = len(raw)
        if not self._addressed and raw:
            self._addressed = True
            self._device = self._bus.at(raw[0] >> 1)
            raw = raw[1:]
        if self._device is None:
            return 0
        self._pending += raw
        return acknowledged

    def readinto(self, buf: Any, nack: bool = True, /) -> None:
        """Read bytes into a buffer."""
        view = view_of(buf)
        self._deliver()
        self._take_time(len(view))
        view[:] = b"\xff" * len(view) if self._device is None else _exactly(self._device.read(len(view)), len(view))

    def _deliver(self) -> None:
        if self._device is not None and self._pending:
            self._device.write(bytes(self._pending))
        self._pending.clear()

    # On the wire.

    def _take_time(self, count: int) -> None:
        """Let the bits of so many bytes pass, with their acknowledgements."""
        self._spend(count * 9 * 1_000_000 // self._freq)

    def _find(self, addr: int, count: int) -> I2cDevice:
        device = self._bus.at(operator.index(addr))
        self._take_time(1 + count if device is not None else 1)
        if device is None:
            raise BoardOSError(ENODEV)
        return device

    def _write(self, addr: int, raw: bytes) -> None:
        self._find(addr, len(raw)).write(raw)

    def _read(self, addr: int, count: int) -> bytes:
        return _exactly(self._find(addr, count).read(count), count)


def _exactly(raw: bytes, count: int) -> bytes:
    """Return `count` bytes: what a device does not drive reads as ones."""
    return raw[:count] if len(raw) >= count else raw + b"\xff" * (count - len(raw))


def _memory_address(memaddr: int, addrsize: int) -> bytes:
    size = operator.index(addrsize)
    if size % 8 or not 0 <= size <= 32:
        raise ValueError("invalid addrsize")
    return (operator.index(memaddr) & ((1 << size) - 1)).to_bytes(size // 8, "big")


class I2C(SoftI2C):
    """An I2C bus of the hardware. Without a number, or with -1, it is a `SoftI2C`, as it once was."""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Make one of either class."""
        if args[:1] == (-1,) or not (args or "id" in options):
            if not cls._board.profile.esp8266:
                cls._board.console.write("Warning: I2C(-1, ...) is deprecated, use SoftI2C(...) instead\n")
            return bind(cls._board, "SoftI2C", SoftI2C)(*args[1:], **options)
        return super().__new__(cls)

    def __init__(
        self, id: int, scl: Any = None, sda: Any = None, *, freq: int = 400_000, timeout: int = 50_000
    ) -> None:
        number = operator.index(id)
        pins = _I2C_PINS.get(number)
        if pins is None:
            raise ValueError(f"I2C({number}) doesn't exist")
        self._open(
            number,
            self._pin(scl, pins[0]),
            self._pin(sda, pins[1]),
            freq,
        )

    def _unsupported(self, *_arguments: Any) -> Any:
        raise BoardOSError("I2C operation not supported")

    start = stop = write = readinto = _unsupported


class SoftSPI(Wired):
    """An SPI bus, driven by software at any pins."""

    MSB = 0
    LSB = 1

    _number: int | None = None
    _pins = (-1, -1, -1)

    def __init__(
        self,
        baudrate: int = 500_000,
        *,
        polarity: int = 0,
        phase: int = 0,
        bits: int = 8,
        firstbit: int = 0,
        sck: Any = None,
        mosi: Any = None,
        miso: Any = None,
    ) -> None:
        if sck is None or mosi is None or miso is None:
            raise ValueError("must specify all of sck/mosi/miso")
        self._connect(sck, mosi, miso)
        self._set(baudrate, polarity, phase, bits, firstbit)

    def _connect(self, sck: Any, mosi: Any, miso: Any) -> None:
        before = self._pins
        self._pins = (self._pin(sck, before[0]), self._pin(mosi, before[1]), self._pin(miso, before[2]))

    def _set(self, baudrate: int, polarity: int, phase: int, bits: int, firstbit: int) -> None:
        self._baudrate = max(1, operator.index(baudrate))
        self._mode = (polarity, phase, bits, firstbit)
        self._bus: SpiBus = buses_of(self._board).open_spi(self._number, *self._pins[:2])

    def __repr__(self) -> str:
        polarity, phase, bits, firstbit = self._mode
        sck, mosi, miso = self._pins
        name = "SoftSPI(" if self._number is None else f"SPI(id={self._number}, "
        return (
            f"{name}baudrate={self._baudrate}, polarity={polarity}, phase={phase}, bits={bits}, firstbit={firstbit}, "
            f"sck={sck}, mosi={mosi}, miso={miso})"
        )

    def init(
        self,
        baudrate: int | None = None,
        *,
        polarity: int | None = None,
        phase: int | None = None,
        bits: int | None = None,
        firstbit: int | None = None,
        sck: Any = None,
        mosi: Any = None,
        miso: Any = None,
    ) -> None:
        """Change what is given."""
        self._connect(sck, mosi, miso)
        old = self._mode
        mode = (polarity, phase, bits, firstbit)
        self._set(
            self._baudrate if baudrate is None else baudrate,
            *(before if now is None else now for now, before in zip(mode, old, strict=True)),
        )

    def deinit(self) -> None:
        """Do nothing: the pins stay as they are."""

    def read(self, nbytes: int, write: int = 0x00, /) -> bytes:
        """Read bytes while the same byte is written again and again."""
        return self._transfer(bytes([write & 0xFF]) * operator.index(nbytes))

    def readinto(self, buf: Any, write: int = 0x00, /) -> None:
        """Fill a buffer while the same byte is written again and again."""
        view = view_of(buf)
        view[:] = self._transfer(bytes([write & 0xFF]) * len(view))

    def write(self, buf: Any, /) -> None:
        """Write bytes."""
        self._transfer(buffer_bytes(buf))

    def write_readinto(self, write_buf: Any, read_buf: Any, /) -> None:
        """Write bytes and fill a buffer of the same length meanwhile.

        Raises:
            ValueError: the lengths differ.
        """
        raw = buffer_bytes(write_buf)
        view = view_of(read_buf)
        if len(view) != len(raw):
            raise ValueError("buffers must be the same length")
        view[:] = self._transfer(raw)

    def _transfer(self, raw: bytes) -> bytes:
        self._spend(len(raw) * 8 * 1_000_000 // self._baudrate)
        return _exactly(self._bus.transfer(raw), len(raw))


class SPI(SoftSPI):
    """An SPI bus of the hardware. With -1 instead of a number it is a `SoftSPI`, as it once was."""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Make one of either class."""
        if args[:1] == (-1,):
            if not cls._board.profile.esp8266:
                cls._board.console.write("Warning: SPI(-1, ...) is deprecated, use SoftSPI(...) instead\n")
            return bind(cls._board, "SoftSPI", SoftSPI)(*args[1:], **options)
        return super().__new__(cls)

    def __init__(
        self,
        id: int,
        baudrate: int = 1_000_000,
        *,
        polarity: int = 0,
        phase: int = 0,
        bits: int = 8,
        firstbit: int = 0,
        sck: Any = None,
        mosi: Any = None,
        miso: Any = None,
    ) -> None:
        number = operator.index(id)
        pins = _SPI_PINS.get(number)
        if pins is None or (number == 2 and self._board.profile.esp8266):
            raise ValueError(f"SPI({number}) doesn't exist")
        self._number = number
        self._pins = pins
        self._connect(sck, mosi, miso)
        self._set(baudrate, polarity, phase, bits, firstbit)

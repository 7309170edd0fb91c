"""`machine.I2C`, `SoftI2C`, `SPI`, `SoftSPI` and `UART` of a board.

Followed: https://docs.micropython.org/en/latest/library/machine.I2C.html, machine.SPI.html and machine.UART.html, and
for defaults and limits the quick references of the ESP32 and ESP8266 ports. What is at the other end of the wires is
`espnow.board.buses`. A call takes as long as its bits on the wire; an I2C or SPI transfer lets no callback run
meanwhile. Assumed: what a driver costs besides.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from espnow.board import Board
from espnow.board.buses import I2cBus, SpiBus, buses_of
from espnow.board.devices import I2cDevice
from espnow.board.uart import FIFO, IRQ_BREAK, IRQ_RX, IRQ_RXIDLE, Uart, UartSettings
from espnow.errors import BoardOSError
from espnow.micropython.select import POLLIN, POLLOUT
from espnow.micropython.services import Services

__all__ = ["NAMES", "buffer_bytes", "make", "pin_number"]

ENODEV = 19

#: What a transfer costs besides its bits, in microseconds. Assumed.
_CALL_US = 20

#: Default pins by number of the bus: (scl, sda), (sck, mosi, miso), (tx, rx).
_I2C_PINS = {0: (18, 19), 1: (25, 26)}
_SPI_PINS = {1: (14, 13, 12), 2: (18, 23, 19)}
_UART_PINS = {0: (1, 3), 1: (10, 9), 2: (17, 16)}
_UART_PINS_ESP8266 = {0: (1, 3), 1: (2, -1)}


def buffer_bytes(data: Any) -> bytes:
    """Return the bytes of a str or of anything with the buffer protocol.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    return bytes(_view(data))


def _view(data: Any) -> memoryview:
    """Return the memory behind an object; on CPython before 3.12 classes of ours offer it as ``__buffer__``."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        buffer = getattr(type(data), "__buffer__", None)
        if buffer is None:
            raise TypeError("object with buffer protocol required") from None
        view: memoryview = buffer(data, 0)
        return view


def pin_number(pin: Any) -> int:
    """Return the number of a pin, given as such or as a ``Pin``.

    Raises:
        ValueError: it is neither.
    """
    number = getattr(pin, "number", pin)
    try:
        return operator.index(number)
    except TypeError:
        raise ValueError("expecting a pin") from None


class _Bound:
    """What belongs to one board: `make` derives a class that knows it."""

    _board: ClassVar[Board]

    def _spend(self, us: int) -> None:
        board = self._board
        board.cpu.spend(us + _CALL_US)
        if board.has_callbacks:
            board.run_callbacks()


class SoftI2C(_Bound):
    """An I2C bus, driven by software at any pins."""

    def __init__(self, scl: Any, sda: Any, *, freq: int = 400_000, timeout: int = 50_000) -> None:
        self._open(None, pin_number(scl), pin_number(sda), freq)

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
            self._scl if scl is None else pin_number(scl),
            self._sda if sda is None else pin_number(sda),
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
        data = buffer_bytes(buf)
        self._write(addr, data)
        return len(data)

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
        view = _view(buf)
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
        view = _view(buf)
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
        data = buffer_bytes(buf)
        self._take_time(len(data))
        acknowledged = len(data)
        if not self._addressed and data:
            self._addressed = True
            self._device = self._bus.at(data[0] >> 1)
            data = data[1:]
        if self._device is None:
            return 0
        self._pending += data
        return acknowledged

    def readinto(self, buf: Any, nack: bool = True, /) -> None:
        """Read bytes into a buffer."""
        view = _view(buf)
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

    def _write(self, addr: int, data: bytes) -> None:
        self._find(addr, len(data)).write(data)

    def _read(self, addr: int, count: int) -> bytes:
        return _exactly(self._find(addr, count).read(count), count)


def _exactly(data: bytes, count: int) -> bytes:
    """Return `count` bytes: what a device does not drive reads as ones."""
    return data[:count] if len(data) >= count else data + b"\xff" * (count - len(data))


def _memory_address(memaddr: int, addrsize: int) -> bytes:
    size = operator.index(addrsize)
    if size % 8 or not 0 <= size <= 32:
        raise ValueError("invalid addrsize")
    return (operator.index(memaddr) & ((1 << size) - 1)).to_bytes(size // 8, "big")


class I2C(SoftI2C):
    """An I2C bus of the hardware. Without a number, or with -1, it is a `SoftI2C`, as it once was."""

    _soft: ClassVar[type[SoftI2C]]

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Make one of either class."""
        if args[:1] == (-1,) or not (args or "id" in options):
            if not cls._board.profile.esp8266:
                cls._board.console.write("Warning: I2C(-1, ...) is deprecated, use SoftI2C(...) instead\n")
            return cls._soft(*args[1:], **options)
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
            pins[0] if scl is None else pin_number(scl),
            pins[1] if sda is None else pin_number(sda),
            freq,
        )

    def _unsupported(self, *_arguments: Any) -> Any:
        raise BoardOSError("I2C operation not supported")

    start = stop = write = readinto = _unsupported


class SoftSPI(_Bound):
    """An SPI bus, driven by software at any pins."""

    MSB = 0
    LSB = 1

    _number: int | None = None

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
        self._pins = (pin_number(sck), pin_number(mosi), pin_number(miso))
        self._set(baudrate, polarity, phase, bits, firstbit)

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
        given = (sck, mosi, miso)
        self._pins = tuple(  # type: ignore[assignment]
            old if new is None else pin_number(new) for new, old in zip(given, self._pins, strict=True)
        )
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
        view = _view(buf)
        view[:] = self._transfer(bytes([write & 0xFF]) * len(view))

    def write(self, buf: Any, /) -> None:
        """Write bytes."""
        self._transfer(buffer_bytes(buf))

    def write_readinto(self, write_buf: Any, read_buf: Any, /) -> None:
        """Write bytes and fill a buffer of the same length meanwhile.

        Raises:
            ValueError: the lengths differ.
        """
        data = buffer_bytes(write_buf)
        view = _view(read_buf)
        if len(view) != len(data):
            raise ValueError("buffers must be the same length")
        view[:] = self._transfer(data)

    def _transfer(self, data: bytes) -> bytes:
        self._spend(len(data) * 8 * 1_000_000 // self._baudrate)
        return _exactly(self._bus.transfer(data), len(data))


class SPI(SoftSPI):
    """An SPI bus of the hardware. With -1 instead of a number it is a `SoftSPI`, as it once was."""

    _soft: ClassVar[type[SoftSPI]]

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Make one of either class."""
        if args[:1] == (-1,):
            if not cls._board.profile.esp8266:
                cls._board.console.write("Warning: SPI(-1, ...) is deprecated, use SoftSPI(...) instead\n")
            return cls._soft(*args[1:], **options)
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
        given = (sck, mosi, miso)
        self._pins = tuple(  # type: ignore[assignment]
            old if new is None else pin_number(new) for new, old in zip(given, pins, strict=True)
        )
        self._set(baudrate, polarity, phase, bits, firstbit)


class _UartIrq:
    """What ``UART.irq`` returns."""

    def __init__(self, uart: Uart) -> None:
        self._uart = uart

    def trigger(self) -> int:
        """Return for which reasons the handler is called."""
        return 0 if self._uart.handler is None else self._uart.handler[2]


class UART(_Bound):
    """A serial port."""

    INV_TX = 1 << 5
    INV_RX = 1 << 2
    INV_RTS = 1 << 6
    INV_CTS = 1 << 3
    RTS = 1
    CTS = 2
    IRQ_RX = IRQ_RX
    IRQ_RXIDLE = IRQ_RXIDLE
    IRQ_BREAK = IRQ_BREAK
    RX_ANY = IRQ_RX

    def __init__(self, id: int, baudrate: int = 115_200, *args: Any, **options: Any) -> None:
        number = operator.index(id)
        pins = (_UART_PINS_ESP8266 if self._board.profile.esp8266 else _UART_PINS).get(number)
        if pins is None:
            raise ValueError(f"UART({number}) does not exist")
        self._number = number
        self._tx, self._rx = pins
        self._settings = UartSettings()
        self._timeout_ms = self._timeout_char_ms = 0
        self._uart: Uart = buses_of(self._board).uart(number)
        self._uart.close()
        self.init(baudrate, *args, **options)

    def init(
        self,
        baudrate: int = 0,
        bits: int = 0,
        parity: Any = ...,
        stop: int = 0,
        *,
        tx: Any = None,
        rx: Any = None,
        rts: Any = None,
        cts: Any = None,
        txbuf: int = -1,
        rxbuf: int = -1,
        timeout: int = 0,
        timeout_char: int = 0,
        invert: int = 0,
        flow: int = 0,
    ) -> None:
        """Set what is given; the timeouts are 0 if they are not.

        Raises:
            ValueError: the hardware cannot do it.
        """
        old = self._settings
        if bits not in (0, 5, 6, 7, 8):
            raise ValueError("invalid data bits")
        if stop not in (0, 1, 2):
            raise ValueError("invalid stop bits")
        if parity is ...:
            parity = old.parity
        elif parity is not None:
            parity = operator.index(parity) & 1
        if tx is not None:
            self._tx = pin_number(tx)
        if rx is not None:
            self._rx = pin_number(rx)
        self._settings = UartSettings(
            baudrate=operator.index(baudrate) if baudrate > 0 else old.baudrate,
            bits=bits or old.bits,
            parity=parity,
            stop=stop or old.stop,
            txbuf=old.txbuf if txbuf < 0 else operator.index(txbuf),
            rxbuf=old.rxbuf if rxbuf < 0 else operator.index(rxbuf),
        )
        self._timeout_ms = operator.index(timeout)
        self._timeout_char_ms = max(operator.index(timeout_char), 13_000 // self._settings.baudrate + 1)
        self._uart.open(self._settings)

    def __repr__(self) -> str:
        settings = self._settings
        return (
            f"UART({self._number}, baudrate={settings.baudrate}, bits={settings.bits}, parity={settings.parity}, "
            f"stop={settings.stop}, tx={self._tx}, rx={self._rx}, rts=-1, cts=-1, txbuf={settings.txbuf}, "
            f"rxbuf={settings.rxbuf}, timeout={self._timeout_ms}, timeout_char={self._timeout_char_ms})"
        )

    def deinit(self) -> None:
        """Listen no more."""
        self._uart.close()

    def any(self) -> int:
        """Return how many bytes can be read without waiting."""
        self._board.look()
        return self._uart.waiting

    def read(self, nbytes: int | None = None, /) -> bytes | None:
        """Read up to so many bytes, or all that come until the timeout; None if nothing came."""
        if nbytes is not None and nbytes < 0:
            nbytes = None
        return self._collect(nbytes) or (b"" if nbytes == 0 else None)

    def readinto(self, buf: Any, nbytes: int | None = None, /) -> int | None:
        """Fill a buffer, or its first bytes, and return how many came; None if nothing came."""
        view = _view(buf)
        wanted = len(view) if nbytes is None else min(operator.index(nbytes), len(view))
        data = self._collect(wanted)
        view[: len(data)] = data
        return len(data) or None

    def readline(self, nbytes: int = -1, /) -> bytes | None:
        """Read up to the end of a line, or what came until the timeout; None if nothing came."""
        self._board.look()
        uart = self._uart
        line = bytearray()
        while nbytes < 0 or len(line) < nbytes:
            if not self._wait_for(1):
                break
            length = uart.line_length()
            count = length or uart.waiting
            line += uart.take(count if nbytes < 0 else min(count, nbytes - len(line)))
            if line.endswith(b"\n"):
                break
        return bytes(line) or None

    def write(self, buf: Any, *limits: int) -> int:
        """Write bytes, and return how many; waits only where the transmit buffer is full."""
        data = buffer_bytes(buf)
        if len(limits) == 1:
            data = data[: limits[0]]
        elif limits:
            data = data[limits[0] : limits[0] + limits[1]]
        board = self._board
        if self._number == 0:
            board.console.write(data.decode("utf-8", "replace"))
        self._uart.send(data)
        settings = self._settings
        room_us = settings.time_us(settings.txbuf + FIFO)
        self._spend(max(0, self._uart.drained_us - board.clock.now_us - room_us))
        return len(data)

    def flush(self) -> None:
        """Wait until everything has been sent."""
        self._spend(max(0, self._uart.drained_us - self._board.clock.now_us))

    def txdone(self) -> bool:
        """Return whether everything has been sent."""
        self._board.look()
        return self._uart.drained_us <= self._board.clock.now_us

    def sendbreak(self) -> None:
        """Send a break: the line is low for longer than a character. Nobody at the other end notices. Assumed."""
        self.flush()
        self._spend(self._settings.time_us(2))

    def irq(
        self, handler: Callable[[Any], object] | None = None, trigger: int = 0, hard: bool = False, **_options: Any
    ) -> _UartIrq:
        """Call ``handler(uart)`` when something comes (IRQ_RX), or when no more comes (IRQ_RXIDLE).

        Raises:
            ValueError: there is no such trigger.
        """
        reasons = operator.index(trigger)
        if reasons & ~(IRQ_RX | IRQ_RXIDLE | IRQ_BREAK):
            raise ValueError(f"trigger 0x{reasons:04x} unsupported")
        self._uart.handler = None if handler is None else (handler, self, reasons)
        return _UartIrq(self._uart)

    def poll_events(self, mask: int) -> int:
        """Return which of the `select` events in `mask` hold: POLLOUT always, as `write` waits for room."""
        events = POLLOUT | (POLLIN if self._uart.waiting else 0)
        return events & mask

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if line is None:
            raise StopIteration
        return line

    def _wait_for(self, count: int) -> int:
        """Wait until so many bytes are there, for one timeout at most; return how many are."""
        uart, board = self._uart, self._board
        if uart.waiting < count and self._timeout_ms > 0:
            board.wait(lambda: uart.waiting >= count, board.clock.now_us + self._timeout_ms * 1000)
        return uart.waiting

    def _collect(self, count: int | None) -> bytes:
        """Read as a stream does: again and again, until all is there or one timeout brought nothing."""
        self._board.look()
        data = bytearray()
        while count is None or len(data) < count:
            chunk = self._settings.rxbuf if count is None else count - len(data)
            if not self._wait_for(chunk):
                break
            data += self._uart.take(chunk)
        return bytes(data)


#: The names of `machine` that are here.
NAMES = ("I2C", "SoftI2C", "SPI", "SoftSPI", "UART")

_CLASSES: dict[str, type[_Bound]] = {"I2C": I2C, "SoftI2C": SoftI2C, "SPI": SPI, "SoftSPI": SoftSPI, "UART": UART}
_SOFT = {"I2C": "SoftI2C", "SPI": "SoftSPI"}


def make(name: str, board: Board, services: Services) -> type:
    """Return a class of `NAMES` for one board."""
    classes = board.ports.classes
    made = classes.get(name)
    if made is None:
        bound: dict[str, Any] = {"_board": board, "__module__": "machine", "__qualname__": name}
        soft = _SOFT.get(name)
        if soft is not None:
            bound["_soft"] = make(soft, board, services)
        made = classes[name] = type(name, (_CLASSES[name],), bound)
    return made

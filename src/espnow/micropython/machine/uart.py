"""`machine.UART`.

It follows https://docs.micropython.org/en/latest/library/machine.UART.html and ``ports/esp32/machine_uart.c``, whose
defaults, timeouts and refusals these are. UART 0 is the console's, too: what a program writes to it is printed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from espnow.board.buses import buses_of
from espnow.board.uart import FIFO, IRQ_BREAK, IRQ_RX, IRQ_RXIDLE, Uart, UartSettings
from espnow.micropython.machine.wires import Wired, buffer_bytes, view_of
from espnow.micropython.select import POLLIN, POLLOUT

__all__ = ["UART"]

#: Default pins (tx, rx) by number.
_UART_PINS = {0: (1, 3), 1: (10, 9), 2: (17, 16)}
_UART_PINS_ESP8266 = {0: (1, 3), 1: (2, -1)}


class _UartIrq:
    """What ``UART.irq`` returns."""

    def __init__(self, uart: Uart) -> None:
        self._uart = uart

    def trigger(self) -> int:
        """Return for which reasons the handler is called."""
        return 0 if self._uart.handler is None else self._uart.handler[2]


class UART(Wired):
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
        self._tx = self._pin(None if tx == -1 else tx, self._tx)
        self._rx = self._pin(None if rx == -1 else rx, self._rx)
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
        view = view_of(buf)
        wanted = len(view) if nbytes is None else min(operator.index(nbytes), len(view))
        raw = self._collect(wanted)
        view[: len(raw)] = raw
        return len(raw) or None

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
        raw = buffer_bytes(buf)
        if len(limits) == 1:
            raw = raw[: limits[0]]
        elif limits:
            raw = raw[limits[0] : limits[0] + limits[1]]
        board = self._board
        if self._number == 0:
            board.console.write(raw.decode("utf-8", "replace"))
        self._uart.send(raw)
        settings = self._settings
        room_us = settings.time_us(settings.txbuf + FIFO)
        self._spend(max(0, self._uart.drained_us - board.clock.now_us - room_us))
        return len(raw)

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
        raw = bytearray()
        while count is None or len(raw) < count:
            chunk = self._settings.rxbuf if count is None else count - len(raw)
            if not self._wait_for(chunk):
                break
            raw += self._uart.take(chunk)
        return bytes(raw)

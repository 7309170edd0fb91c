"""The UARTs of a board, from both sides: what its program opens, and what is at the other end of the wires.

Rules: bytes leave when their last bit has left, at the baud rate of the program, and are lost where nobody listens: at
a UART that is not open, on a board that sleeps, and when the receive buffer is full. What arrives with other settings
than the receiver's arrives as other bytes (`garbled`, assumed; a real receiver also loses some).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from espnow.board.power import PowerState

if TYPE_CHECKING:
    from espnow.board.board import Board

__all__ = ["FIFO", "IRQ_BREAK", "IRQ_RX", "IRQ_RXIDLE", "Uart", "UartSettings", "garbled"]

#: Size of the hardware's own buffer, in each direction (ESP32 technical reference, chapter UART; ESP8266 alike).
FIFO = 128

#: Reasons for a callback, with the numbers of ESP-IDF's ``uart_event_type_t`` as bits.
IRQ_RX = 1 << 0
IRQ_BREAK = 1 << 1
IRQ_RXIDLE = 1 << 12

#: For so many characters nothing came: the line is idle. Assumed.
_IDLE_CHARACTERS = 3

#: How far two baud rates may be apart, of a hundred: half a bit in ten.
_TOLERANCE_PERCENT = 5


@dataclass(frozen=True, slots=True)
class UartSettings:
    """How a program has set a UART.

    Attributes:
        baudrate: bits a second.
        bits: data bits of a character, 5 to 8.
        parity: None, 0 (even) or 1 (odd).
        stop: stop bits, 1 or 2.
        txbuf: size of the transmit buffer, beside the hardware's.
        rxbuf: size of the receive buffer, beside the hardware's.
    """

    baudrate: int = 115200
    bits: int = 8
    parity: int | None = None
    stop: int = 1
    txbuf: int = 256
    rxbuf: int = 256

    def time_us(self, count: int) -> int:
        """Return how long so many characters take."""
        bits = 1 + self.bits + (self.parity is not None) + self.stop
        return -(-count * bits * 1_000_000 // self.baudrate)

    def understands(self, other: UartSettings) -> bool:
        """Whether it can read what was sent with other settings."""
        apart = abs(self.baudrate - other.baudrate) * 100
        return apart <= _TOLERANCE_PERCENT * self.baudrate and self.bits == other.bits and self.parity == other.parity


def garbled(data: bytes) -> bytes:
    """Return what a receiver with other settings makes of bytes."""
    return bytes(byte ^ 0xA5 for byte in data)


class Uart:
    """A UART of a board, with what is for the other end of its wires, and what is for the board.

    Attributes:
        settings: how the program has set it; None while it is not open.
        lost: how many bytes came and were not taken.
        handler: what the program wants to be called, with its argument, and for which reasons; or None.
    """

    def __init__(self, board: Board, number: int) -> None:
        self._board = board
        self._number = number
        self._sent = bytearray()
        self._received = bytearray()
        self._busy_until_us = 0
        self._last_us = 0
        self._listeners: list[Callable[[bytes, UartSettings], None]] = []
        self.settings: UartSettings | None = None
        self.lost = 0
        self.handler: tuple[Callable[[Any], object], Any, int] | None = None

    def __repr__(self) -> str:
        return f"<UART {self._number} of {self._board.name}>"

    # The other end.

    @property
    def output(self) -> bytes:
        """Everything that the program wrote."""
        return bytes(self._sent)

    def type(self, data: bytes | str) -> None:
        """Send bytes, or text as UTF-8, to the board; all are there at once."""
        self._receive(data.encode() if isinstance(data, str) else bytes(data))

    def inject(self, data: bytes | str) -> None:
        """Do as `type` does."""
        self.type(data)

    def attach(self, device: Callable[[bytes], bytes | None]) -> None:
        """Connect a device: it is called with the bytes of each write, and sends back what it returns."""

        def listen(data: bytes, _settings: UartSettings) -> None:
            answer = device(data)
            if answer:
                self._receive(bytes(answer))

        self._listeners.append(listen)

    def connect(self, other: Uart) -> None:
        """Wire it to another UART, of another board or of this one: what either sends the other receives."""
        self._listeners.append(other._hear)
        if other is not self:
            other._listeners.append(self._hear)

    def disconnect(self) -> None:
        """Pull out the wires at this end: what it sends goes nowhere. The other UART's `disconnect` does so there."""
        self._listeners.clear()

    # The board.

    def open(self, settings: UartSettings) -> None:
        """Begin to listen and to send; settings can change while it is open."""
        self.settings = settings

    def close(self) -> None:
        """Listen no more, and forget what was not read."""
        self.settings = self.handler = None
        self._received.clear()

    @property
    def waiting(self) -> int:
        """How many bytes can be read."""
        return len(self._received)

    def take(self, count: int) -> bytes:
        """Return up to `count` bytes that came, the oldest first."""
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def line_length(self) -> int:
        """Return the length of the first line that is there, its end included; 0 if none is whole."""
        return self._received.find(b"\n") + 1

    @property
    def drained_us(self) -> int:
        """When the last bit of what was written leaves, or left."""
        return self._busy_until_us

    def send(self, data: bytes) -> None:
        """Begin to send bytes, after those that are still on their way."""
        settings = self.settings
        if settings is None or not data:
            return
        now_us = self._board.clock.now_us
        self._busy_until_us = max(now_us, self._busy_until_us) + settings.time_us(len(data))
        self._sent += data
        if self._listeners:
            self._board.clock.call_at(self._busy_until_us, lambda: self._deliver(data, settings))

    def _deliver(self, data: bytes, settings: UartSettings) -> None:
        for listener in tuple(self._listeners):
            listener(data, settings)

    def _hear(self, data: bytes, sender: UartSettings) -> None:
        settings = self.settings
        self._receive(data if settings is None or settings.understands(sender) else garbled(data))

    def _receive(self, data: bytes) -> None:
        settings = self.settings
        if settings is None or self._board.power.state is not PowerState.ON:
            self.lost += len(data)
            return
        room = max(0, settings.rxbuf + FIFO - len(self._received))
        self.lost += max(0, len(data) - room)
        data = data[:room]
        if not data:
            return
        self._received += data
        board = self._board
        now_us = self._last_us = board.clock.now_us
        if self.handler is not None:
            function, argument, reasons = self.handler
            if reasons & IRQ_RX:
                board.schedule(function, argument)
            if reasons & IRQ_RXIDLE:
                idle_us = now_us + settings.time_us(_IDLE_CHARACTERS)
                board.clock.call_at(idle_us, lambda: self._idle(now_us))
        board.changed()

    def _idle(self, since_us: int) -> None:
        """Tell that nothing came since the given time, if so."""
        if self.handler is not None and self._last_us == since_us:
            function, argument, reasons = self.handler
            if reasons & IRQ_RXIDLE:
                self._last_us = -1  # of two arrivals at one instant, one tells
                self._board.schedule(function, argument)

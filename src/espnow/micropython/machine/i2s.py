"""`machine.I2S`.

It follows https://docs.micropython.org/en/latest/library/machine.I2S.html and MicroPython's ``extmod/machine_i2s.c``
and ``ports/esp32/machine_i2s.c``: three modes, of which a callback chooses the one without blocking and the first poll
the one of asyncio; what is refused; that nothing else of the program runs while a call blocks.

Assumed: a buffer of the mode without blocking is copied when `write` is called; a closed port is
OSError(-258, ESP_ERR_INVALID_ARG).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Self

from espnow.board.audio import I2s, I2sSettings
from espnow.board.buses import buses_of
from espnow.errors import BoardOSError
from espnow.micropython.machine.wires import Wired, buffer_bytes, view_of
from espnow.micropython.select import POLLIN, POLLOUT

__all__ = ["I2S"]

_EPERM, _EINVAL = 1, 22
_INVALID_ARG = (-258, "ESP_ERR_INVALID_ARG")


class I2S(Wired):
    """A port for digital audio."""

    RX = 1
    TX = 2
    MONO = 0
    STEREO = 1

    _number: int
    _port: I2s

    def __new__(cls, id: int, **_options: Any) -> Self:
        """Return the port of this number; there is one object for each."""
        number = operator.index(id)
        if not 0 <= number < cls._board.ports.chip.i2s:
            raise ValueError("invalid id")
        port = cls._one(number)
        port._number = number
        port._port = buses_of(cls._board).i2s(number)
        return port

    def __init__(self, id: int, **options: Any) -> None:
        self.init(**options)

    def init(
        self,
        *,
        sck: Any,
        ws: Any,
        sd: Any,
        mode: int,
        bits: int,
        format: int,
        rate: int,
        ibuf: int,
        mck: Any = None,
    ) -> None:
        """Open the port.

        Raises:
            ValueError: it cannot be like this.
        """
        self.deinit()
        self._pins = tuple(self._pin(pin, -1) for pin in (sck, ws, sd))
        self._pin(mck, -1)
        if mode not in (self.RX, self.TX):
            raise ValueError("invalid mode")
        if bits not in (16, 32):
            raise ValueError("invalid bits")
        if format not in (self.MONO, self.STEREO):
            raise ValueError("invalid format")
        rate, ibuf = operator.index(rate), operator.index(ibuf)
        if rate <= 0 or ibuf <= 0:
            raise BoardOSError(*_INVALID_ARG)
        self._mode, self._bits, self._format, self._rate, self._ibuf = mode, bits, format, rate, ibuf
        self._callback: Callable[[Any], object] | None = None
        self._streams = False
        self._port.open(I2sSettings(mode == self.TX, bits // 8 * (format + 1), rate, ibuf))

    def __repr__(self) -> str:
        sck, ws, sd = self._pins
        return (
            f"I2S(id={self._number},\nsck={sck},\nws={ws},\nsd={sd},\nmode={self._mode},\n"
            f"bits={self._bits}, format={self._format},\nrate={self._rate}, ibuf={self._ibuf})"
        )

    def deinit(self) -> None:
        """Close the port."""
        self._port.close()

    def irq(self, handler: Callable[[Any], object] | None, /) -> None:
        """Call ``handler(i2s)`` when a buffer is taken or full, and wait for none of them; None for waiting again.

        Raises:
            ValueError: it cannot be called.
        """
        if handler is not None and not callable(handler):
            raise ValueError("invalid callback")
        self._callback = handler
        self._streams = False

    def write(self, buf: Any, /) -> int:
        """Play samples, and return how many bytes were taken."""
        samples = buffer_bytes(buf)
        port = self._opened(self.TX)
        if self._streams:
            samples = samples[: port.ready]
        elif self._callback is not None:
            if samples and not port.full:
                port.later(port.play(samples), _nothing, self._callback, self)
            return len(samples)
        if samples:
            self._spend(port.play(samples))
        return len(samples)

    def readinto(self, buf: Any, /) -> int:
        """Fill a buffer with samples, and return how many bytes came."""
        view = view_of(buf)
        port = self._opened(self.RX)
        settings = port.settings
        if settings is None or len(view) % settings.frame:
            raise BoardOSError(_EINVAL)
        count = len(view)

        def fill() -> None:
            view[:count] = port.heard(count)

        if self._streams:
            count = min(count, port.ready)
        elif self._callback is not None:
            if count and not port.full:
                port.later(port.record(count), fill, self._callback, self)
            return count
        if count:
            self._spend(port.record(count))
            fill()
        return count

    @staticmethod
    def shift(*, buf: Any, bits: int, shift: int) -> None:
        """Shift every sample in a buffer: to the left, or with a negative number to the right.

        Raises:
            ValueError: samples cannot have so many bits.
        """
        if bits not in (16, 32):
            raise ValueError("invalid bits")
        view = view_of(buf)
        whole = len(view) // (bits // 8) * (bits // 8)
        samples = view[:whole].cast("h" if bits == 16 else "i")
        half = 1 << bits - 1
        for at, sample in enumerate(samples):
            moved = sample << shift if shift >= 0 else sample >> -shift
            samples[at] = (moved + half) % (2 * half) - half

    def poll_events(self, mask: int) -> int:
        """Return which of the `select` events in `mask` hold; from now on `write` and `readinto` do not wait.

        Raises:
            OSError: EPERM, it is the wrong direction.
        """
        self._streams = True
        wrong = POLLIN if self._mode == self.TX else POLLOUT
        if mask & wrong:
            raise BoardOSError(_EPERM)
        event = mask & (POLLIN | POLLOUT)
        return event if event and self._opened(self._mode).polled() else 0

    def _opened(self, mode: int) -> I2s:
        """Return the port, open in this direction."""
        port = self._port
        if self._mode != mode:
            raise BoardOSError(_EPERM)
        if port.settings is None:
            raise BoardOSError(*_INVALID_ARG)
        return port


def _nothing() -> None:
    pass

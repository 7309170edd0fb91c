"""`esp32.RMT`.

It follows https://docs.micropython.org/en/latest/library/esp32.html and MicroPython's ``ports/esp32/esp32_rmt.c``: the
three ways to say what is sent, what is refused, how long it takes. The pulses are kept at the pin
(`espnow.board.ports_pins.PortPin.pulses`), whose level stays the idle one: they are shorter than a lab can show.

Assumed: channels never run out, a carrier changes nothing, and ``machine.bitstream`` is the same with RMT and without.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, ClassVar

from espnow.board.ports import PortPin
from espnow.board.ports_pins import Mode
from espnow.errors import BoardOSError
from espnow.micropython.machine.pin import find_pin
from espnow.micropython.machine.wires import Wired
from espnow.micropython.select import POLLOUT

__all__ = ["RMT"]

_SOURCE_HZ = 80_000_000
_RESOLUTION_HZ = 10_000_000

#: The least and the usual number of symbols in a channel's memory (an ESP32's).
_SYMBOLS = 64

#: A loop without end.
_FOR_EVER = -1


class RMT(Wired):
    """A channel that sends pulses."""

    PULSE_MAX = 32_767

    #: Whether ``machine.bitstream`` may use RMT.
    _bitstream: ClassVar[bool] = True

    def __init__(
        self,
        id: int = -1,
        *,
        pin: Any,
        resolution_hz: int | None = None,
        clock_div: int | None = None,
        idle_level: object = False,
        tx_carrier: Sequence[Any] | None = None,
        num_symbols: int = _SYMBOLS,
    ) -> None:
        operator.index(id)
        self._pin_at: PortPin | None = None
        port_pin = find_pin(self._board, pin)
        if resolution_hz is not None and clock_div is not None:
            raise ValueError("resolution_hz and clock_div are mutually exclusive")
        if clock_div is not None:
            if not 1 <= operator.index(clock_div) <= 255:
                raise ValueError("clock_div must be between 1 and 255")
            resolution_hz = _SOURCE_HZ // clock_div
        self._resolution_hz = _RESOLUTION_HZ if resolution_hz is None else operator.index(resolution_hz)
        if self._resolution_hz <= 0:
            raise ValueError("resolution_hz must be positive")
        if num_symbols < _SYMBOLS or num_symbols % 2:
            raise ValueError(f"num_symbols must be even and at least {_SYMBOLS}")
        if tx_carrier is not None:
            frequency, duty, _level = _array(tx_carrier)
            if frequency <= 0:
                raise ValueError("tx_carrier frequency must be >0")
            if not 0 <= duty <= 100:
                raise ValueError("tx_carrier duty must be 0..100")
        if not self._board.ports.drives(port_pin.number):
            raise ValueError("pin can only be input")
        self._idle_level = int(bool(idle_level))
        self._loops = 0
        self._began_us = self._once_ns = 0
        self._until_us: int | None = 0
        self._pin_at = port_pin
        port_pin.configure(mode=Mode.OUT, latch=self._idle_level)

    def __repr__(self) -> str:
        if self._pin_at is None:
            return "RMT()"
        return (
            f"RMT(pin={self._pin_at.number}, source_freq={_SOURCE_HZ}, resolution_hz={self._resolution_hz}, "
            f"idle_level={self._idle_level})"
        )

    @staticmethod
    def source_freq() -> int:
        """Return the frequency of the source clock, in Hz."""
        return _SOURCE_HZ

    def clock_div(self) -> int:
        """Return by how much the source clock is divided."""
        self._open()
        return _SOURCE_HZ // self._resolution_hz

    def deinit(self) -> None:
        """Give up the channel."""
        self._pin_at = None
        self._until_us = 0

    def active(self, active: object = None, /) -> bool:
        """Return whether pulses are being sent; with False, stop a loop when it has come to its end.

        Raises:
            ValueError: with True, as `write_pulses` does that.
        """
        if active is None:
            self._board.look()
            return self._sends
        if active:
            raise ValueError("activate by calling write_pulses()")
        self._stop()
        return False

    def loop(self, enable_loop: object, /) -> None:
        """Send what is written next again and again, or no more."""
        self.loop_count(_FOR_EVER if enable_loop else 0)

    def loop_count(self, n: int, /) -> None:
        """Send what is written next so often: -1 for ever, 0 once.

        Raises:
            ValueError: `n` is less than -1.
        """
        self._open()
        count = operator.index(n)
        if count < _FOR_EVER:
            raise ValueError("arg must be -1, 0 or positive")
        if self._loops and not count:
            self._stop()
        self._loops = count

    def wait_done(self, *, timeout: int = 0) -> bool:
        """Return whether all is sent, after so many milliseconds at most; -1 for as long as it takes."""
        self._open()
        timeout = operator.index(timeout)
        now_us = self._board.clock.now_us
        if timeout < 0 and self._until_us is None:
            self._board.wait(lambda: not self._sends)
        left_us = 0 if not self._sends else timeout * 1000 if self._until_us is None else self._until_us - now_us
        self._spend(left_us if timeout < 0 else min(left_us, timeout * 1000))
        return not self._sends

    def write_pulses(self, duration: Any, data: Any = True, /) -> None:
        """Send pulses, after those that are being sent.

        Args:
            duration: their durations, in units of the resolution; or one for all of them.
            data: their levels; or the first of them, from which they alternate.

        Raises:
            ValueError: there are none, or not as many levels as durations.
        """
        pin = self._open()
        levels: Sequence[Any]
        if not isinstance(data, (tuple, list)):
            durations = _array(duration)
            levels = [bool(data) ^ bool(number & 1) for number in range(len(durations))]
        elif isinstance(duration, int):
            levels = data
            durations = [duration] * len(levels)
        else:
            durations, levels = _array(duration), data
            if len(durations) != len(levels):
                raise ValueError("duration and data must have same length")
        if not durations:
            raise ValueError("No pulses")
        pulses = []
        for level, units in zip(levels, durations, strict=True):
            units = operator.index(units) & self.PULSE_MAX
            if not units:  # the hardware's mark of the end
                break
            pulses.append((int(bool(level)), units * 1_000_000_000 // self._resolution_hz))
        self._stop()
        now_us = self._board.clock.now_us
        self._began_us = now_us
        self._once_ns = sum(ns for _, ns in pulses)
        loops = max(self._loops, 1)
        self._until_us = None if self._loops == _FOR_EVER else now_us + -(-self._once_ns * loops // 1000)
        pin.pulses = tuple(pulses)
        if self._until_us is not None:
            self._board.clock.call_at(self._until_us, self._board.changed)

    @classmethod
    def bitstream_rmt(cls, *value: object) -> bool:
        """Return whether ``machine.bitstream`` may use RMT, and set it if that is given."""
        if value:
            cls._bitstream = bool(value[0])
        return cls._bitstream

    @classmethod
    def bitstream_channel(cls, *value: int | None) -> int | None:
        """Do as `bitstream_rmt`: a number stands for True, None for False.

        Raises:
            ValueError: the number is negative.
        """
        if value:
            if value[0] is not None and operator.index(value[0]) < 0:
                raise ValueError("invalid channel")
            cls._bitstream = value[0] is not None
        return 1 if cls._bitstream else None

    def poll_events(self, mask: int) -> int:
        """Return POLLOUT if `mask` asks for it and nothing is being sent."""
        return 0 if self._sends else mask & POLLOUT

    @property
    def _sends(self) -> bool:
        return self._until_us is None or self._until_us > self._board.clock.now_us

    def _stop(self) -> None:
        """Wait for the end of what is being sent, of a loop for the end of this turn."""
        if not self._sends:
            return
        now_us = self._board.clock.now_us
        if self._until_us is None:
            once_ns = max(self._once_ns, 1)
            turns = -(-(now_us - self._began_us) * 1000 // once_ns)
            self._until_us = self._began_us + -(-turns * once_ns // 1000)
        self._spend(max(self._until_us - now_us, 0))
        self._until_us = 0

    def _open(self) -> PortPin:
        """Return the pin.

        Raises:
            OSError: the channel was given up.
        """
        if self._pin_at is None:
            raise BoardOSError("already deinitialized")
        return self._pin_at


def _array(value: Any) -> Sequence[int]:
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"object '{type(value).__name__}' isn't a tuple or list")
    return value

"""`machine.PWM`.

It follows https://docs.micropython.org/en/latest/library/machine.PWM.html and MicroPython's
``ports/esp32/machine_pwm.c``, ``ports/esp8266/machine_pwm.c``, ``esppwm.c``: the frequencies and duties at which they
begin, their limits, and the ESP8266's one frequency for all pins. Assumed: every frequency and duty is met exactly, and
an ESP32 never runs out of channels or timers.
"""

from __future__ import annotations

import operator
from typing import Any

from espnow.board.ports import PortPin
from espnow.micropython.machine.binding import Bound
from espnow.micropython.machine.pin import BoardPin, find_pin

__all__ = ["PWM", "PwmEsp8266"]

_FULL_U16 = 65_535
_FULL_U10 = 1_023
_NS = 1_000_000_000


def _u16_of_u10(duty: int) -> int:
    return _FULL_U16 if duty >= _FULL_U10 else duty << 6


class _Pwm(Bound):
    """What PWM has on every chip."""

    __slots__ = ("_pin",)

    _START_HZ = 5_000
    _START_U16 = 0x8000
    _pin: PortPin

    def __init__(self, dest: Any, *arguments: Any, **keywords: Any) -> None:
        self._pin = self._find(dest)
        self.init(*arguments, **keywords)

    def __repr__(self) -> str:
        pwm = self._pin.pwm
        if pwm is None:
            return f"PWM({self._pin.number})"
        return f"PWM({self._pin.number}, freq={pwm[0]}, duty={self.duty()})"

    def _find(self, dest: Any) -> PortPin:
        raise NotImplementedError

    def init(
        self,
        freq: int = -1,
        duty: int = -1,
        *,
        duty_u16: int = -1,
        duty_ns: int = -1,
        invert: bool = False,
        channel: int = -1,
        timer: int = -1,
    ) -> None:
        """Begin, or change what is given.

        Raises:
            ValueError: a value is beyond what the chip can do.
        """
        hz, u16 = self._now
        if freq != -1:
            hz = self._checked_freq(freq)
        if duty_u16 != -1:
            u16 = self._checked(duty_u16, _FULL_U16, "duty_u16")
        elif duty_ns != -1:
            u16 = self._u16_of_ns(duty_ns, hz)
        elif duty != -1:
            u16 = _u16_of_u10(self._checked(duty, _FULL_U10, "duty"))
        self._set(hz, _FULL_U16 - u16 if invert else u16)

    def deinit(self) -> None:
        """End it; the pin puts out 0."""
        self._pin.end_pwm()

    def freq(self, hz: int | None = None, /) -> int | None:
        """Return the frequency, or set it."""
        if hz is None:
            return self._now[0]
        self._set(self._checked_freq(hz), self._now[1])
        return None

    def duty(self, duty: int | None = None, /) -> int | None:
        """Return the duty as 0 to 1023, or set it."""
        if duty is None:
            return self._now[1] >> 6
        self._set(self._now[0], _u16_of_u10(self._checked(duty, _FULL_U10, "duty")))
        return None

    def duty_u16(self, duty: int | None = None, /) -> int | None:
        """Return the duty as 0 to 65535, or set it."""
        if duty is None:
            return self._now[1]
        self._set(self._now[0], self._checked(duty, _FULL_U16, "duty_u16"))
        return None

    def duty_ns(self, ns: int | None = None, /) -> int | None:
        """Return the width of a pulse in nanoseconds, or set it."""
        hz, u16 = self._now
        if ns is None:
            return round(u16 * _NS / (_FULL_U16 * hz))
        self._set(hz, self._u16_of_ns(ns, hz))
        return None

    @property
    def _now(self) -> tuple[int, int]:
        return self._pin.pwm or (self._START_HZ, self._START_U16)

    def _set(self, hz: int, u16: int) -> None:
        self._pin.modulate((hz, u16))

    def _checked_freq(self, hz: int) -> int:
        raise NotImplementedError

    def _checked(self, duty: int, full: int, name: str) -> int:
        duty = operator.index(duty)
        if not 0 <= duty <= full:
            raise ValueError(f"{name} must be from 0 to {full}")
        return duty

    def _u16_of_ns(self, ns: int, hz: int) -> int:
        u16 = round(operator.index(ns) * hz * _FULL_U16 / _NS)
        if not 0 <= u16 <= _FULL_U16:
            raise ValueError(f"duty_ns must be from 0 to {_NS // hz} ns")
        return u16


class PWM(_Pwm):
    """Pulse width modulation on a pin of an ESP32."""

    __slots__ = ()

    def _find(self, dest: Any) -> PortPin:
        pin = find_pin(self._board, dest)
        if not self._board.ports.drives(pin.number):
            raise ValueError(f"PWM not supported on Pin({pin.number})")
        return pin

    def _checked_freq(self, hz: int) -> int:
        hz = operator.index(hz)
        if not 1 <= hz <= 40_000_000:
            raise ValueError("frequency must be from 1Hz to 40MHz")
        return hz


class PwmEsp8266(_Pwm):
    """Pulse width modulation on a pin of an ESP8266."""

    __slots__ = ()

    _START_HZ = 500
    _START_U16 = 0

    def _find(self, dest: Any) -> PortPin:
        if not isinstance(dest, BoardPin):
            raise ValueError("expecting a pin")
        pin = find_pin(self._board, dest)
        if pin.number not in (0, 2, 4, 5, 12, 13, 14, 15):
            raise ValueError(f"PWM not supported on pin {pin.number}")
        return pin

    @property
    def _now(self) -> tuple[int, int]:
        if self._pin.pwm is not None:
            return self._pin.pwm
        others = [pin.pwm[0] for pin in self._board.ports.pins.values() if pin.pwm is not None]
        return others[0] if others else self._START_HZ, self._START_U16

    def _set(self, hz: int, u16: int) -> None:
        for pin in self._board.ports.pins.values():
            if pin.pwm is not None and pin.pwm[0] != hz:
                pin.modulate((hz, pin.pwm[1]))
        self._pin.modulate((hz, u16))

    def _checked_freq(self, hz: int) -> int:
        return min(max(operator.index(hz), 1), 1_000)

    def _checked(self, duty: int, full: int, name: str) -> int:
        return min(max(operator.index(duty), 0), full)

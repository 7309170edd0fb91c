"""The analogue side of a board's pins: what an ADC measures, how a touch pad is touched, what a DAC puts out.

Rules: values and the clock's time; how a value becomes what a program reads is `espnow.micropython.machine`'s.

Assumed: an input that nobody set is at 0 V; an untouched pad counts 600, a touched one 100.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from espnow.board.ports import Ports

__all__ = ["TOUCHED", "UNTOUCHED", "AnalogInput", "AnalogOutput", "TouchPin"]

#: What a touch pad counts. Assumed.
UNTOUCHED = 600
TOUCHED = 100

#: The reference of an ESP32's DAC, in volts: its supply.
_DAC_VOLTS = 3.3


class AnalogInput:
    """What is connected to one input of the ADC.

    Attributes:
        attenuation: the number that the program chose, 0 to 3, or None if it chose none.
    """

    __slots__ = ("_ports", "_raw", "_source", "attenuation")

    def __init__(self, ports: Ports, volts: float = 0.0) -> None:
        self._ports = ports
        self._raw: int | None = None
        self._source: float | Callable[[float], float] = volts
        self.attenuation: int | None = None

    def set(self, volts: float) -> None:
        """Put so many volts on it."""
        self._source, self._raw = volts, None

    def set_raw(self, u16: int) -> None:
        """Let the ADC measure this part of its range, 0 to 65535, whatever range the program chose.

        Raises:
            ValueError: it is outside of the range.
        """
        if not 0 <= u16 <= 0xFFFF:
            raise ValueError(f"a raw value is 0 to 65535: {u16}")
        self._raw = u16

    def follow(self, function: Callable[[float], float]) -> None:
        """Put ``function(ms)`` volts on it, where `ms` is the time since the clock's start, in milliseconds."""
        self._source, self._raw = function, None

    @property
    def volts(self) -> float:
        """What is on it now; without meaning after `set_raw`."""
        source = self._source
        return float(source(self._ports.now_us / 1000)) if callable(source) else float(source)

    def share(self, full_volts: float) -> float:
        """Return what is on it as a share, 0 to 1, of the range that reaches up to `full_volts`."""
        if self._raw is not None:
            return self._raw / 0xFFFF
        return min(max(self.volts / full_volts, 0.0), 1.0)


class AnalogOutput:
    """One output of the DAC.

    Attributes:
        value: what the program wrote last, 0 to 255, or None.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: int | None = None

    @property
    def volts(self) -> float:
        """What is on it, in volts."""
        return (self.value or 0) / 255 * _DAC_VOLTS


class TouchPin:
    """One touch pad.

    Attributes:
        value: what it counts; less when touched.
        threshold: below it, the pad is touched for whoever waits to be woken by it.
        used: the program reads it.
    """

    __slots__ = ("_ports", "threshold", "used", "value")

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.value = UNTOUCHED
        self.threshold = (UNTOUCHED + TOUCHED) // 2
        self.used = False

    def set(self, value: int) -> None:
        """Let it count so much."""
        self.value = value
        self._ports.changed()

    def touch(self) -> None:
        """Put a finger on it."""
        self.set(TOUCHED)

    def release(self) -> None:
        """Take the finger away."""
        self.set(UNTOUCHED)

    @property
    def touched(self) -> bool:
        """Whether it counts less than its threshold."""
        return self.value < self.threshold

"""`esp32.PCNT`.

It follows https://docs.micropython.org/en/latest/library/esp32.html and MicroPython's ``ports/esp32/esp32_pcnt.c``:
numbers, limits, what is refused, what sets the count to zero. How edges are counted is `espnow.board.counters`'.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Self

from espnow.board.buses import buses_of
from espnow.board.counters import HIGHEST, LOWEST, Action, Channel, CounterEvent, CounterUnit, Level
from espnow.micropython.machine.binding import UNSET
from espnow.micropython.machine.pin import find_pin
from espnow.micropython.machine.wires import Wired

__all__ = ["PCNT"]

#: The longest filter, in ticks of 80 MHz.
_LONGEST_FILTER = 1023


class _PcntIrq:
    """What ``PCNT.irq`` returns."""

    def __init__(self, unit: CounterUnit) -> None:
        self._unit = unit

    def __call__(self) -> None:
        """Call the handler."""
        if self._unit.handler is not None:
            self._unit.handler[0](self._unit.handler[1])

    def flags(self) -> int:
        """Return what happened since this was last asked."""
        return int(self._unit.take_flags())

    def trigger(self, trigger: int | None = None, /) -> int:
        """Return for which events the handler is called, and set them if some are given."""
        before = int(self._unit.trigger)
        if trigger is not None:
            self._unit.trigger = CounterEvent(operator.index(trigger))
        return before


class PCNT(Wired):
    """A unit that counts pulses."""

    IGNORE = int(Action.IGNORE)
    INCREMENT = int(Action.INCREMENT)
    DECREMENT = int(Action.DECREMENT)
    NORMAL = int(Level.NORMAL)
    REVERSE = int(Level.REVERSE)
    HOLD = int(Level.HOLD)
    IRQ_ZERO = int(CounterEvent.ZERO)
    IRQ_THRESHOLD0 = int(CounterEvent.THRESHOLD0)
    IRQ_THRESHOLD1 = int(CounterEvent.THRESHOLD1)
    IRQ_MIN = int(CounterEvent.MIN)
    IRQ_MAX = int(CounterEvent.MAX)

    _unit: CounterUnit
    _id: int

    def __new__(cls, id: int, **_options: Any) -> Self:
        """Return the unit of this number; there is one object for each."""
        number = operator.index(id)
        if not 0 <= number < cls._board.ports.chip.counters:
            raise ValueError("invalid id")
        unit = cls._one(number)
        unit._id = number
        unit._unit = buses_of(cls._board).counter(number)
        return unit

    def __init__(self, id: int, **options: Any) -> None:
        self._unit.forget()
        self.init(**options)

    def __repr__(self) -> str:
        return f"PCNT({self._id})"

    def init(
        self,
        *,
        channel: int = 0,
        pin: Any = UNSET,
        rising: int | None = None,
        falling: int | None = None,
        mode_pin: Any = None,
        mode_low: int | None = None,
        mode_high: int | None = None,
        min: int | None = None,
        max: int | None = None,
        filter: int | None = None,
        threshold0: int | None = None,
        threshold1: int | None = None,
        value: int | None = None,
    ) -> None:
        """Set what is given: the pins, how their edges count, the limits.

        Raises:
            ValueError: it cannot be like this.
        """
        unit = self._unit
        channel = operator.index(channel)
        if channel not in (0, 1):
            raise ValueError("channel")
        if pin is not UNSET:
            unit.connect(
                channel,
                None if pin is None else find_pin(self._board, pin),
                None if mode_pin is None else find_pin(self._board, mode_pin),
            )
        elif mode_pin is not None:
            raise ValueError("pin")
        actions = {"rising": rising, "falling": falling, "mode_low": mode_low, "mode_high": mode_high}
        if any(action is not None for action in actions.values()):
            self._count(channel, {name: action or 0 for name, action in actions.items()})
        if filter is not None and not 0 <= operator.index(filter) <= _LONGEST_FILTER:
            raise ValueError("filter")
        if value is not None and value != 0:
            raise ValueError("value")
        least, greatest = unit.limits
        if min is not None:
            least = _within(min, LOWEST, 0, "minimum") or LOWEST
        if max is not None:
            greatest = _within(max, 0, HIGHEST, "maximum") or HIGHEST
        unit.limits = least, greatest
        for number, threshold in enumerate((threshold0, threshold1)):
            if threshold is not None:
                unit.thresholds[number] = _within(threshold, least, greatest, f"threshold{number}")
        if any(each is not None for each in (min, max, threshold0, threshold1, value)):
            unit.clear()

    def _count(self, channel: int, actions: dict[str, int]) -> None:
        for name, action in actions.items():
            if operator.index(action) not in (0, 1, 2):
                raise ValueError(name)
        how = Channel(
            Action(actions["rising"]),
            Action(actions["falling"]),
            Level(actions["mode_low"]),
            Level(actions["mode_high"]),
        )
        self._unit.count(channel, how)

    def deinit(self) -> None:
        """Stop, and let go of the pins."""
        self._unit.forget()

    def start(self) -> None:
        """Count."""
        self._unit.runs = True

    def stop(self) -> None:
        """Count no more, until `start`."""
        self._unit.runs = False

    def value(self, value: int | None = None, /) -> int:
        """Return the count, after the handler has run if it must; with 0, begin again at zero.

        Raises:
            ValueError: another number is given.
        """
        if value is not None and operator.index(value) != 0:
            raise ValueError("value")
        self._board.look()
        unit = self._unit
        unit.tell()
        found = unit.value
        if value is not None:
            unit.clear()
        return found

    def irq(self, handler: Any = UNSET, trigger: int = CounterEvent.ZERO) -> _PcntIrq:
        """Call ``handler(unit)`` when something of `trigger` happens, or nobody; return what tells what happened.

        Raises:
            ValueError: there is no such trigger.
        """
        unit = self._unit
        if handler is not UNSET:
            function: Callable[[Any], object] | None = handler
            wanted = operator.index(trigger)
            if not CounterEvent.ZERO <= wanted < CounterEvent.MAX << 1:
                raise ValueError("trigger")
            if function is None:
                unit.stop_telling()
            else:
                unit.handler = function, self
                unit.trigger = CounterEvent(wanted)
        return _PcntIrq(unit)


def _within(value: int, least: int, greatest: int, name: str) -> int:
    value = operator.index(value)
    if not least <= value <= greatest:
        raise ValueError(name)
    return value

"""`machine.Counter` and `machine.Encoder`.

They follow https://docs.micropython.org/en/latest/library/machine.Counter.html and ``machine.Encoder.html``. As on an
ESP32 they are units of `esp32.PCNT` (``ports/esp32/modules/machine.py``): one number, one unit, whose limits are 32000
in either direction, and whose turns count beyond them.
"""

from __future__ import annotations

import operator
from typing import Any, ClassVar, Self

from espnow.board.buses import buses_of
from espnow.board.counters import Action, Channel, CounterUnit, Level
from espnow.micropython.machine.pin import find_pin
from espnow.micropython.machine.wires import Wired

__all__ = ["Counter", "Encoder"]

_RANGE = 32_000

_RISING, _FALLING = 1, 2


class _Unit(Wired):
    """What counts at pins."""

    _unit: CounterUnit
    _offset: int
    _kind: ClassVar[str]

    def __new__(cls, id: int, *_arguments: Any, **_options: Any) -> Self:
        """Return the unit of this number; there is one object for each.

        Raises:
            ValueError: there is no such unit, or the other class has it.
        """
        number = operator.index(id)
        if not 0 <= number < cls._board.ports.chip.counters:
            raise ValueError("invalid id")
        unit = buses_of(cls._board).counter(number)
        if unit.owner not in (None, cls._kind):
            raise ValueError("PCNT in use")
        unit.owner = cls._kind
        self = cls._one(number)
        self._unit = unit
        return self

    def __init__(self, id: int, *arguments: Any, **options: Any) -> None:
        # Without arguments it is the one that counts already.
        if arguments or options or not self._unit.runs:
            self.init(*arguments, **options)

    def init(self, *arguments: Any, filter_ns: int = 0, **options: Any) -> None:
        """Begin to count at these pins, at zero."""
        operator.index(filter_ns)
        self._unit.forget()
        self._configure(*arguments, **options)
        self._unit.limits = -_RANGE, _RANGE
        self._offset = 0
        self._unit.runs = True

    def _configure(self, *arguments: Any, **options: Any) -> None:
        raise NotImplementedError

    def deinit(self) -> None:
        """Count no more."""
        self._unit.forget()

    def value(self, value: int | None = None) -> int:
        """Return the count, and set it if a number is given.

        Raises:
            RuntimeError: it does not count.
        """
        self._board.look()
        unit = self._unit
        if not unit.runs:
            raise RuntimeError("not initialised")
        found = unit.turns * _RANGE + unit.value + self._offset
        if value is not None:
            self._offset = operator.index(value) - unit.turns * _RANGE - unit.value
        return found


class Counter(_Unit):
    """Counts the edges at a pin."""

    RISING = _RISING
    FALLING = _FALLING
    UP = int(Action.INCREMENT)
    DOWN = int(Action.DECREMENT)

    _kind = "Counter"

    def _configure(self, src: Any, edge: int = _RISING, direction: int = Action.INCREMENT) -> None:
        action = Action(operator.index(direction))
        rising, falling = (action if edge & each else Action.IGNORE for each in (_RISING, _FALLING))
        self._unit.connect(0, find_pin(self._board, src), None)
        self._unit.count(0, Channel(rising, falling))


class Encoder(_Unit):
    """Counts the steps of a rotary encoder."""

    _kind = "Encoder"
    _phases: int

    def _configure(self, phase_a: Any, phase_b: Any, phases: int = 1) -> None:
        if phases not in (1, 2, 4):
            raise ValueError("phases")
        a, b = find_pin(self._board, phase_a), find_pin(self._board, phase_b)
        low = Level.HOLD if phases == 1 else Level.REVERSE
        self._unit.connect(0, a, b)
        self._unit.count(0, Channel(Action.DECREMENT, Action.INCREMENT, low))
        if phases == 4:
            self._unit.connect(1, b, a)
            self._unit.count(1, Channel(Action.INCREMENT, Action.DECREMENT, low))
        self._phases = phases

    def phases(self) -> int:
        """Return how many edges of a step count."""
        return self._phases

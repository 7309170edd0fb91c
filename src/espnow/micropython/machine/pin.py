"""`machine.Pin` and `machine.Signal`.

They follow https://docs.micropython.org/en/latest/library/machine.Pin.html and MicroPython's
``ports/esp32/machine_pin.c``, ``ports/esp8266/machine_pin.c`` and ``extmod/machine_signal.c``, whose numbers and
refusals these are. `mode` and `pull` are there too, which the document has for other chips. A callback is scheduled,
one asked for as hard as well. A level as trigger calls back once, when it begins; a board would do so without end.
Assumed: an ESP32's pins also have names such as ``"GPIO4"``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, ClassVar, Self

from espnow.board import Board, WakePins
from espnow.board.ports import Edge, Mode, PortPin, Pull
from espnow.micropython.machine.binding import UNSET, Bound, bind

__all__ = ["BoardPin", "Pin", "PinEsp8266", "Signal", "find_pin"]

#: What ``wake=`` is made of.
SLEEP, DEEPSLEEP = 2, 4

#: The triggers that are levels (``gpio_int_type_t``).
_LOW_LEVEL, _HIGH_LEVEL = 4, 5

_NAME = re.compile(r"GPIO(\d+)")


def find_pin(board: Board, wanted: object) -> PortPin:
    """Return the pin that a program means by a number, a Pin, or a name.

    Raises:
        ValueError: there is none.
    """
    if isinstance(wanted, BoardPin):
        return wanted._port_pin
    if isinstance(wanted, str) and not board.profile.esp8266:
        named = _NAME.fullmatch(wanted)
        if named is not None:
            wanted = int(named[1])
    if isinstance(wanted, int) and board.ports.has("pins", wanted):
        return board.ports.pin(wanted)
    raise ValueError("invalid pin")


class _Names:
    """``Pin.board``: the pins by name, such as ``Pin.board.GPIO4``."""

    def __init__(self, pin: type[BoardPin]) -> None:
        self._pin = pin

    def __getattr__(self, name: str) -> BoardPin:
        named = _NAME.fullmatch(name)
        if named is None or int(named[1]) not in self._pin._board.ports.chip.pins:
            raise AttributeError(f"type object 'board' has no attribute '{name}'")
        return self._pin(int(named[1]))

    def __dir__(self) -> list[str]:
        return [f"GPIO{number}" for number in sorted(self._pin._board.ports.chip.pins)]


class _NamesOf:
    def __get__(self, pin: BoardPin | None, owner: type[BoardPin]) -> _Names:
        return _Names(owner)


class PinIrq:
    """What `Pin.irq` returns."""

    __slots__ = ("_pin",)

    def __init__(self, pin: PortPin) -> None:
        self._pin = pin

    def __call__(self) -> None:
        """Call the callback as an edge would."""
        if self._pin.irq is not None:
            function, argument = self._pin.irq
            function(argument)

    def trigger(self, trigger: int | None = None, /) -> int:
        """Return which edges call back, and set others."""
        was = int(self._pin.edges)
        if trigger is not None:
            self._pin.edges = _edges(operator.index(trigger))
        return was

    def flags(self) -> int:
        """Return which edges can have called."""
        return int(self._pin.edges)


class BoardPin(Bound):
    """What the pins of all chips have."""

    __slots__ = ("_port_pin",)

    IN: ClassVar[int]
    OUT: ClassVar[int]
    OPEN_DRAIN: ClassVar[int]
    PULL_UP: ClassVar[int]
    IRQ_RISING = 1
    IRQ_FALLING = 2

    _port_pin: PortPin

    def __new__(cls, id: object, *_arguments: object, **_keywords: object) -> Self:
        """Return the one object of a pin."""
        port_pin = find_pin(cls._board, id)
        pin = cls._one(port_pin.number)
        pin._port_pin = port_pin
        return pin

    def __init__(self, _id: object, *arguments: Any, **keywords: Any) -> None:
        if arguments or keywords:
            self.init(*arguments, **keywords)

    def __repr__(self) -> str:
        return f"Pin({self._port_pin.number})"

    def __call__(self, value: object = UNSET, /) -> int | None:
        """Return the level, or set it."""
        if value is UNSET:
            self._board.look()
            return self._port_pin.value
        self._write(value)
        return None

    value = __call__

    def init(self, *arguments: Any, **keywords: Any) -> None:
        """Set up the pin."""
        raise NotImplementedError

    def on(self) -> None:
        """Set the level to 1."""
        self._write(1)

    def off(self) -> None:
        """Set the level to 0."""
        self._write(0)

    def toggle(self) -> None:
        """Set the other level than the one set last."""
        self._write(not self._port_pin.latch)

    def mode(self, mode: int | None = None, /) -> int | None:
        """Return the mode, or set it."""
        if mode is not None:
            self.init(mode)
            return None
        return {Mode.IN: self.IN, Mode.OUT: self.OUT, Mode.OPEN_DRAIN: self.OPEN_DRAIN}[self._port_pin.mode]

    def _write(self, value: object) -> None:
        self._port_pin.write(1 if value else 0)

    def _listen(self, handler: Callable[[Any], object] | None, trigger: int) -> None:
        self._port_pin.irq = None if handler is None else (handler, self)
        self._port_pin.edges = Edge(0) if handler is None else _edges(trigger)


class Pin(BoardPin):
    """A pin of an ESP32."""

    __slots__ = ()

    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    WAKE_LOW = _LOW_LEVEL
    WAKE_HIGH = _HIGH_LEVEL
    DRIVE_0 = 0
    DRIVE_1 = 1
    DRIVE_2 = 2
    DRIVE_3 = 3

    board = _NamesOf()
    cpu = _NamesOf()

    def init(
        self,
        mode: int | None = None,
        pull: int | None = -1,
        *,
        value: object = UNSET,
        drive: int | None = None,
        hold: object = UNSET,
    ) -> None:
        """Set up the pin; what is not given stays.

        Raises:
            ValueError: it cannot be an output.
        """
        port_pin = self._port_pin
        port_mode = None
        if mode is not None:
            bits = operator.index(mode)
            port_mode = Mode.OPEN_DRAIN if bits & 4 else Mode.OUT if bits & 2 else Mode.IN  # gpio_mode_t
            if port_mode is not Mode.IN and not self._board.ports.drives(port_pin.number):
                raise ValueError("pin can only be input")
        port_pin.configure(
            port_mode,
            None if pull == -1 else self._pull_of(pull),
            None if value is UNSET else int(bool(value)),
            None if hold is UNSET else bool(hold),
        )

    def pull(self, pull: int | None = UNSET, /) -> int | None:
        """Return the pull, or set it."""
        if pull is not UNSET:
            self._port_pin.configure(pull=self._pull_of(pull))
            return None
        return {Pull.NONE: None, Pull.UP: self.PULL_UP, Pull.DOWN: self.PULL_DOWN}[self._port_pin.pull]

    def irq(
        self,
        handler: Callable[[Any], object] | None = UNSET,
        trigger: int = UNSET,
        wake: int | None = None,
        *,
        hard: bool = False,
    ) -> PinIrq:
        """Schedule ``handler(pin)`` at each edge of `trigger`, or, with `wake`, let a level end sleeps.

        Raises:
            ValueError: it cannot wake the chip in this way.
        """
        if handler is not UNSET or trigger is not UNSET or wake is not None:
            edges = self.IRQ_RISING | self.IRQ_FALLING if trigger is UNSET else operator.index(trigger)
            if wake is not None and edges in (_LOW_LEVEL, _HIGH_LEVEL):
                self._wake_by(edges - _LOW_LEVEL, wake)
            else:
                wakes = self._board.power.wake_pins
                if "ext0" in wakes and wakes["ext0"].pins == (self._port_pin.number,):
                    del wakes["ext0"]
                self._listen(None if handler is UNSET else handler, edges)
        return PinIrq(self._port_pin)

    def _wake_by(self, level: int, wake: int) -> None:
        ports, wakes = self._board.ports, self._board.power.wake_pins
        number = self._port_pin.number
        if not isinstance(wake, int) or not 2 <= wake <= 7:
            raise ValueError("bad wake value")
        if "touch" in wakes or ("ext0" in wakes and wakes["ext0"].pins != (number,)):
            raise ValueError("no resources")
        if number not in ports.chip.rtc:
            raise ValueError("invalid pin for wake")
        wakes["ext0"] = WakePins((number,), level, deep=bool(wake & DEEPSLEEP))
        ports.ext0_light = bool(wake & SLEEP)

    def _pull_of(self, pull: int | None) -> Pull:
        bits = 0 if pull is None else operator.index(pull)
        if bits & self.PULL_UP:
            return Pull.UP
        return Pull.DOWN if bits & self.PULL_DOWN else Pull.NONE


class PinEsp8266(BoardPin):
    """A pin of an ESP8266."""

    __slots__ = ()

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1

    def __new__(cls, id: object, *arguments: object, **keywords: object) -> Self:
        """Return the one object of a pin, whose number is an integer."""
        if not isinstance(id, (int, BoardPin)):
            raise TypeError(f"can't convert {type(id).__name__} to int")
        return super().__new__(cls, id, *arguments, **keywords)

    def init(self, mode: int, pull: int | None = None, *, value: object = UNSET) -> None:
        """Set up the pin.

        Raises:
            ValueError: it has no such mode, or no pull.
        """
        port_mode = {0: Mode.IN, 1: Mode.OUT, 2: Mode.OPEN_DRAIN}.get(operator.index(mode))
        if port_mode is None:
            raise ValueError("invalid mode")
        port_pull = self._pull_of(pull)
        if port_pull is not Pull.NONE and self._port_pin.number == 16:
            raise ValueError("Pin(16) doesn't support pull")
        latch = None if value is UNSET or port_mode is Mode.IN else int(bool(value))
        self._port_pin.configure(port_mode, port_pull, latch)

    def pull(self, pull: int | None = UNSET, /) -> int | None:
        """Return the pull, or set it."""
        if pull is not UNSET:
            self._port_pin.configure(pull=self._pull_of(pull))
            return None
        return self.PULL_UP if self._port_pin.pull is Pull.UP else None

    def irq(
        self, handler: Callable[[Any], object] | None = UNSET, trigger: int = UNSET, *, hard: bool = False
    ) -> PinIrq:
        """Schedule ``handler(pin)`` at each edge of `trigger`.

        Raises:
            OSError: this pin cannot.
        """
        if self._port_pin.number == 16:
            raise OSError("pin does not have IRQ capabilities")
        if handler is not UNSET or trigger is not UNSET:
            edges = self.IRQ_RISING | self.IRQ_FALLING if trigger is UNSET else operator.index(trigger)
            self._listen(None if handler is UNSET else handler, edges)
        return PinIrq(self._port_pin)

    def _write(self, value: object) -> None:
        if self._port_pin.mode is not Mode.IN:  # the port writes nothing to an input, not even its latch
            super()._write(value)

    def _pull_of(self, pull: int | None) -> Pull:
        return Pull.UP if pull is not None and operator.index(pull) & self.PULL_UP else Pull.NONE


def _edges(trigger: int) -> Edge:
    if trigger in (_LOW_LEVEL, _HIGH_LEVEL):
        return Edge.RISING if trigger == _HIGH_LEVEL else Edge.FALLING
    return Edge(trigger & 3)


class Signal(Bound):
    """A pin that is active high or, with ``invert=True``, active low."""

    __slots__ = ("_invert", "_pin")

    def __init__(self, pin: Any, *arguments: Any, invert: bool = False, **keywords: Any) -> None:
        self._invert = bool(invert)
        if isinstance(pin, (BoardPin, Signal)):
            if arguments or keywords:
                raise TypeError("a Signal of a Pin takes only invert")
            self._pin: Callable[..., int | None] = pin
        else:
            if self._invert and "value" in keywords:
                keywords["value"] = not keywords["value"]
            base: type[BoardPin] = PinEsp8266 if self._board.profile.esp8266 else Pin
            self._pin = bind(self._board, "Pin", base)(pin, *arguments, **keywords)

    def __call__(self, value: object = UNSET, /) -> int | None:
        """Return whether it is active, or make it so."""
        if value is UNSET:
            return int(bool(self._pin()) != self._invert)
        self._pin(bool(value) != self._invert)
        return None

    value = __call__

    def on(self) -> None:
        """Make it active."""
        self(1)

    def off(self) -> None:
        """Make it inactive."""
        self(0)

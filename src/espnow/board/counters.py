"""The pulse counters of a board: units that count edges at pins while no program runs.

Rules, after https://docs.micropython.org/en/latest/library/esp32.html (PCNT): a unit has two channels, each with a pin
whose edges count and a pin whose level says how; at its least and at its greatest value it becomes zero again. It
counts whatever changes the level of a pin, the outside and the board itself.

Assumed: edges are never too fast, so a filter has nothing to do.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from espnow.board.board import Board
    from espnow.board.ports_pins import PortPin

__all__ = ["HIGHEST", "LOWEST", "Action", "Channel", "CounterEvent", "CounterUnit", "Level"]

#: The limits of a unit for which nobody set others.
LOWEST, HIGHEST = -32768, 32767


class Action(enum.IntEnum):
    """What an edge does (``pcnt_channel_edge_action_t``)."""

    IGNORE = 0
    INCREMENT = 1
    DECREMENT = 2


class Level(enum.IntEnum):
    """What the level of a channel's second pin does (``pcnt_channel_level_action_t``)."""

    NORMAL = 0
    REVERSE = 1
    HOLD = 2


class CounterEvent(enum.IntFlag):
    """What a unit tells."""

    ZERO = 1
    THRESHOLD0 = 2
    THRESHOLD1 = 4
    MIN = 8
    MAX = 16


@dataclass(frozen=True, slots=True)
class Channel:
    """How one of the two channels of a unit counts.

    Attributes:
        rising: what a rising edge does.
        falling: what a falling edge does.
        low: what it means that the second pin is low.
        high: what it means that it is high; so is a pin that is not there.
    """

    rising: Action = Action.IGNORE
    falling: Action = Action.IGNORE
    low: Level = Level.NORMAL
    high: Level = Level.NORMAL


_IDLE = Channel()


class CounterUnit:
    """One unit.

    Attributes:
        value: its count.
        turns: how often it passed its greatest value, less how often its least.
        runs: it counts.
        limits: its least and its greatest value.
        thresholds: the values that it tells, or None.
        flags: what it has to tell and nobody has asked for.
        trigger: what calls the handler.
        handler: what the program wants to be called, with its argument; or None.
        owner: the name of the class that has taken it for itself, or None.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._listeners: dict[int, tuple[PortPin, Callable[[int], None]]] = {}
        self._mode_pins: dict[int, PortPin] = {}
        self._channels = [_IDLE, _IDLE]
        self._called = False
        self.owner: str | None = None
        self.value = 0
        self.turns = 0
        self.runs = False
        self.limits = LOWEST, HIGHEST
        self.thresholds: list[int | None] = [None, None]
        self.flags = CounterEvent(0)
        self.trigger = CounterEvent(0)
        self.handler: tuple[Callable[[Any], object], Any] | None = None

    def forget(self) -> None:
        """Be as after a reset."""
        for number in (0, 1):
            self.connect(number, None, None)
            self._channels[number] = _IDLE
        self.stop_telling()
        self.runs = False
        self.limits = LOWEST, HIGHEST
        self.thresholds = [None, None]
        self._called = False
        self.clear()

    def clear(self) -> None:
        """Begin again at zero."""
        self.value = self.turns = 0

    def stop_telling(self) -> None:
        """Call nobody any more."""
        self.handler = None
        self.trigger = self.flags = CounterEvent(0)

    def connect(self, number: int, pin: PortPin | None, mode_pin: PortPin | None) -> None:
        """Count the edges of a pin with a channel, as the level of another says; None for no pin."""
        before = self._listeners.pop(number, None)
        if before is not None:
            before[0].off_level(before[1])
        self._mode_pins.pop(number, None)
        if pin is None:
            return
        if mode_pin is not None:
            self._mode_pins[number] = mode_pin

        def listen(level: int) -> None:
            self._edge(number, level)

        self._listeners[number] = pin, listen
        pin.on_level(listen)

    def is_connected(self, number: int) -> bool:
        """Return whether a channel has a pin."""
        return number in self._listeners

    def count(self, number: int, channel: Channel) -> None:
        """Say how a channel counts."""
        self._channels[number] = channel

    def take_flags(self) -> CounterEvent:
        """Return what there is to tell; it is told then."""
        flags, self.flags = self.flags, CounterEvent(0)
        return flags

    def tell(self) -> None:
        """Call the handler now, if there is anything to tell."""
        self._called = False
        if self.flags and self.handler is not None:
            self.handler[0](self.handler[1])

    def _edge(self, number: int, level: int) -> None:
        if not self.runs:
            return
        channel = self._channels[number]
        action = channel.rising if level else channel.falling
        mode_pin = self._mode_pins.get(number)
        mode = channel.high if mode_pin is None or mode_pin.value else channel.low
        if action is Action.IGNORE or mode is Level.HOLD:
            return
        self._step(1 if (action is Action.INCREMENT) != (mode is Level.REVERSE) else -1)

    def _step(self, by: int) -> None:
        self.value += by
        events = CounterEvent(0)
        for threshold, event in zip(self.thresholds, (CounterEvent.THRESHOLD0, CounterEvent.THRESHOLD1), strict=True):
            if self.value == threshold:
                events |= event
        least, greatest = self.limits
        if self.value in (least, greatest):
            events |= CounterEvent.MAX if by > 0 else CounterEvent.MIN
            self.turns += by
            self.value = 0
        if self.value == 0:
            events |= CounterEvent.ZERO
        events &= self.trigger
        if events and self.handler is not None:
            self.flags |= events
            if not self._called:
                self._called = self._board.schedule(_tell, self)


def _tell(unit: CounterUnit) -> None:
    unit.tell()

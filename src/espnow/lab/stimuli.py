"""What happens to the boards of a lab file from outside, over time: pins, sensors, buses, typing, power, moving.

Rules: each kind of stimulus is a value that knows how to happen to a board now; `Stimulus` says when. Times count from
the start of the lab, so that two boards can be driven together.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from espnow.air import Position
from espnow.board.devices import Oled, RegisterDevice
from espnow.errors import UserError
from espnow.lab.board import LabBoard
from espnow.lab.lab import Lab

__all__ = [
    "ACTIONS",
    "Action",
    "ActionStimulus",
    "AdcStimulus",
    "DhtStimulus",
    "Ds18x20Stimulus",
    "I2cStimulus",
    "MoveStimulus",
    "PinStimulus",
    "Series",
    "StdinStimulus",
    "Stimulus",
    "Surroundings",
    "TouchStimulus",
    "UartStimulus",
]

#: A board on its way is put to a new place so often.
_STEP_US = 100_000

#: What a sensor measures follows a line between two points so often.
_FOLLOW_US = 1_000_000

#: What can be done to a board, by the name in the file.
ACTIONS: dict[str, Callable[[LabBoard], None]] = {
    "soft_reset": lambda board: board.soft_reset(),
    "reset": lambda board: board.reset(),
    "power_off": lambda board: board.power_off(),
    "power_on": lambda board: board.power_on(),
    "interrupt": lambda board: board.interrupt(),
}

#: Those after which a program runs that was over.
_STARTING = ("soft_reset", "reset", "power_on")


@dataclass(frozen=True, slots=True)
class Series:
    """A number that changes with time: straight lines between points, level before the first and after the last.

    Attributes:
        points: ``(at_us, value)``, in the order of time; of two at one instant, the second holds from it on.
    """

    points: tuple[tuple[int, float], ...]

    def at(self, us: int) -> float:
        """Return the value at a time."""
        points = self.points
        after = bisect_right(points, us, key=lambda point: point[0])
        if after == 0:
            return points[0][1]
        begin_us, begin = points[after - 1]
        if after == len(points):
            return begin
        end_us, end = points[after]
        return begin + (end - begin) * (us - begin_us) / (end_us - begin_us)


class Surroundings:
    """What is around one board: its lab, and what changes by itself.

    Attributes:
        lab: the board's.
        board: in the middle.
    """

    def __init__(self, lab: Lab, board: LabBoard) -> None:
        self.lab = lab
        self.board = board
        self._turns: dict[object, object] = {}

    def take_turn(self, what: object) -> Callable[[], bool]:
        """Take the place of what changed something so far; return what tells whether nobody has taken the caller's."""
        turn = self._turns[what] = object()
        return lambda: self._turns[what] is turn

    def follow(self, what: object, series: Series, put: Callable[[float], None]) -> None:
        """Put the values of a series on something that only knows the value of now: at each point, and often between.

        Args:
            what: names it; another series for it takes the place of this one.
            series: begins now.
            put: gives it a value.
        """
        clock, begin_us = self.lab.clock, self.lab.now_us
        times = [at_us for at_us, _ in series.points]
        goes_on = self.take_turn(what)

        def step() -> None:
            if not goes_on():
                return
            passed_us = clock.now_us - begin_us
            put(series.at(passed_us))
            after = bisect_right(times, passed_us)
            if after == len(times):
                return
            next_us = times[after]
            if after and series.points[after - 1][1] != series.points[after][1]:
                next_us = min(passed_us + _FOLLOW_US, next_us)
            clock.call_at(begin_us + next_us, step, background=True)

        step()


class Action(Protocol):
    """Something that can happen to a board."""

    def happen(self, around: Surroundings) -> None:
        """Let it happen now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus:
    """When something happens to a board (``[[board.stimulus]]``).

    Attributes:
        where: its place in the file.
        action: what happens.
        at_us: when.
        every_us: how often it comes again, or None.
        times: how often it comes in all, with `every_us`; None for ever.
    """

    where: str
    action: Action
    at_us: int = 0
    every_us: int | None = None
    times: int | None = None

    @property
    def starts_until_us(self) -> float:
        """When it has for the last time started a program that may be over; 0 if it never does."""
        if not isinstance(self.action, ActionStimulus) or self.action.action not in _STARTING:
            return 0
        if self.every_us is None:
            return self.at_us
        return math.inf if self.times is None else self.at_us + (self.times - 1) * self.every_us

    def __post_init__(self) -> None:
        if self.times is not None and self.every_us is None:
            raise ValueError("times says how often it comes with every, and every is missing")

    def schedule(self, around: Surroundings, telling: Callable[[], AbstractContextManager[None]]) -> None:
        """Let it happen to a board when its time comes.

        Args:
            around: the board and its lab.
            telling: makes the context in which it happens; it may say of an error where it comes from.

        Raises:
            UserError: from here or, later, out of `Lab.run`: the board cannot have it.
        """
        lab, left = around.lab, self.times

        def happen() -> None:
            nonlocal left
            if self.every_us is not None:
                left = None if left is None else left - 1
                if left != 0:
                    lab.at((lab.now_us + self.every_us) / 1000, happen)
            with telling():
                try:
                    self.action.happen(around)
                except ValueError as error:  # no such pin, the input was closed
                    raise UserError(str(error)) from None

        if self.at_us == 0:  # already so when the programs begin
            happen()
        else:
            lab.at(self.at_us / 1000, happen)


@dataclass(frozen=True, slots=True, kw_only=True)
class StdinStimulus:
    """Text typed at the console."""

    text: str

    def happen(self, around: Surroundings) -> None:
        """Type it."""
        around.board.type(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStimulus:
    """Something that is done to the board: one of `ACTIONS`."""

    action: str

    def happen(self, around: Surroundings) -> None:
        """Do it."""
        ACTIONS[self.action](around.board)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStimulus:
    """A way to another place; one that begins later takes its place."""

    to: Position
    over_us: int = 0

    def happen(self, around: Surroundings) -> None:
        """Set out, or be there at once."""
        begin_us, (x, y) = around.lab.now_us, around.board.position
        end_us = begin_us + self.over_us
        goes_on = around.take_turn("move")

        def step() -> None:
            if not goes_on():
                return
            if around.lab.now_us >= end_us:
                around.board.position = self.to
                return
            part = (around.lab.now_us - begin_us) / self.over_us
            around.board.position = x + (self.to[0] - x) * part, y + (self.to[1] - y) * part
            around.lab.at(min(around.lab.now_us + _STEP_US, end_us) / 1000, step)

        step()


@dataclass(frozen=True, slots=True, kw_only=True)
class PinStimulus:
    """A level at a pin, or a button that is held for a while.

    Attributes:
        pin: number of the pin.
        value: the level from outside; None lets the pin go.
        press_us: after so long the pin is let go; None: never.
    """

    pin: int
    value: int | None = 0
    press_us: int | None = None

    def happen(self, around: Surroundings) -> None:
        """Drive the pin."""
        pin = around.board.ports.pin(self.pin)
        if self.value is None:
            pin.release()
        else:
            pin.drive(self.value)
            if self.press_us is not None:
                around.lab.at((around.lab.now_us + self.press_us) / 1000, pin.release)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdcStimulus:
    """The voltage at an input of the ADC."""

    pin: int
    volts: Series

    def happen(self, around: Surroundings) -> None:
        """Put it on the input."""
        begin_us, series = around.lab.now_us, self.volts
        around.board.ports.adc(self.pin).follow(lambda ms: series.at(round(ms * 1000) - begin_us))


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchStimulus:
    """What a touch pad counts."""

    pin: int
    value: Series

    def happen(self, around: Surroundings) -> None:
        """Let it count so."""
        pad = around.board.ports.touch(self.pin)
        around.follow(("touch", self.pin), self.value, lambda value: pad.set(round(value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DhtStimulus:
    """What a DHT11 or DHT22 measures; None: as before."""

    pin: int
    temperature: Series | None = None
    humidity: Series | None = None

    def happen(self, around: Surroundings) -> None:
        """Let it measure so."""
        sensor = around.board.ports.dht(self.pin)
        if self.temperature is not None:
            around.follow(("dht temperature", self.pin), self.temperature, lambda value: sensor.set(temperature=value))
        if self.humidity is not None:
            around.follow(("dht humidity", self.pin), self.humidity, lambda value: sensor.set(humidity=value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ds18x20Stimulus:
    """What a DS18B20 measures.

    Attributes:
        pin: of the 1-Wire bus.
        temperature: in degrees Celsius.
        rom: which sensor, which is connected if it was not; None: all that are there, and one is by itself.
    """

    pin: int
    temperature: Series
    rom: bytes | None = None

    def happen(self, around: Surroundings) -> None:
        """Let it measure so."""
        bus = around.board.ports.onewire(self.pin)
        if self.rom is None:
            around.follow(("ds18x20", self.pin), self.temperature, bus.set)
            return
        sensor = next((one for one in bus.sensors if self.rom in (one.rom, one.rom[1:7])), None) or bus.attach(self.rom)

        def put(value: float) -> None:
            sensor.temperature = value

        around.follow(("ds18x20", self.pin, sensor.rom), self.temperature, put)


@dataclass(frozen=True, slots=True, kw_only=True)
class I2cStimulus:
    """A device on an I2C bus, which is connected if it was not: what its registers hold, or a display.

    Attributes:
        bus: its number, or its pins (scl, sda).
        address: of the device.
        registers: number -> the bytes from there on.
        display: it is a display instead.
    """

    bus: int | tuple[int, int]
    address: int
    registers: dict[int, bytes] | None = None
    display: bool = False

    def __post_init__(self) -> None:
        if self.display is (self.registers is not None):
            raise ValueError("a device has registers, or it is a display: write one of both")

    def happen(self, around: Surroundings) -> None:
        """Connect it, or let it hold that."""
        bus = around.board.ports.i2c(self.bus)
        if self.display:
            bus.attach(self.address, Oled())
            return
        device = bus.at(self.address)
        if not isinstance(device, RegisterDevice):
            device = RegisterDevice()
            bus.attach(self.address, device)
        for register, content in (self.registers or {}).items():
            device.put(register, content)


@dataclass(frozen=True, slots=True, kw_only=True)
class UartStimulus:
    """A text, and bytes after it, that arrive at a UART."""

    number: int
    text: str = ""
    content: bytes = b""

    def happen(self, around: Surroundings) -> None:
        """Let them arrive."""
        around.board.ports.uart(self.number).type(self.text.encode() + self.content)

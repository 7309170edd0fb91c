"""One pin of a board: what the chip does with it, and what is connected to it from outside.

Rules:

- A state machine without a program: `espnow.micropython.machine` is the chip's side of it, a person, a test or a device
  the outside. Time is the clock's.
- Whatever changes its level tells, in this order: whoever listens to the level, the callback that the program set, the
  watchers of the ports.
- Recording costs nothing while nothing changes.

Assumed, for want of a circuit: a pin that nobody drives reads its pull, and 0 without one, but 1 where a board has its
button BOOT (`espnow.board.ports_chips`); a released open-drain output has a pull-up outside; where the chip drives a
level, an outside that drives the other loses; a pin under PWM reads 1 while the duty is at least a half.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from espnow.board.ports import Ports

__all__ = ["HISTORY", "Edge", "Mode", "PortPin", "Pull"]

#: So many changes of its output are kept for each pin.
HISTORY = 1_000


class Mode(enum.Enum):
    """What the chip does with a pin."""

    IN = "input"
    OUT = "output"
    OPEN_DRAIN = "open drain"


class Pull(enum.Enum):
    """The pull resistor inside the chip."""

    NONE = "none"
    UP = "up"
    DOWN = "down"


class Edge(enum.IntFlag):
    """What calls the program's callback."""

    RISING = 1
    FALLING = 2


class PortPin:
    """One pin.

    Attributes:
        number: the GPIO's.
        mode: what the chip does with it.
        pull: its pull resistor.
        latch: the level that the program set, which is on the pin while it is an output.
        held: its pad is held: an output keeps its level whatever is written, through deep sleep and resets.
        pwm: ``(frequency in Hz, duty from 0 to 65535)`` while PWM runs on it, or None.
        stream: the bytes that ``machine.bitstream`` wrote last, such as the colours of a strip of LEDs.
        pulses: ``(level, ns)`` of each pulse that ``esp32.RMT`` sent last, or None.
        outside: the level that something outside drives, or None.
        irq: ``(function, argument)`` that an edge schedules, or None.
        edges: which edges do.
    """

    __slots__ = (
        "_history",
        "_level",
        "_level_listeners",
        "_output",
        "_output_listeners",
        "_ports",
        "edges",
        "held",
        "irq",
        "latch",
        "mode",
        "number",
        "outside",
        "pull",
        "pulses",
        "pwm",
        "stream",
    )

    def __init__(self, ports: Ports, number: int) -> None:
        self._ports = ports
        self.number = number
        self.mode = Mode.IN
        self.pull = Pull.NONE
        self.latch = 0
        self.held = False
        self.pwm: tuple[int, int] | None = None
        self.stream: bytes | None = None
        self.pulses: tuple[tuple[int, int], ...] | None = None
        self.outside: int | None = None
        self.irq: tuple[Callable[[Any], object], Any] | None = None
        self.edges = Edge(0)
        self._level = int(self._is_raised)
        self._output: int | None = None
        self._history: deque[tuple[int, int]] = deque(maxlen=HISTORY)
        self._level_listeners: list[Callable[[int], None]] = []
        self._output_listeners: list[Callable[[int | None], None]] = []

    def __repr__(self) -> str:
        return f"<pin {self.number}: {self.mode.value}, level {self._level}>"

    @property
    def value(self) -> int:
        """Its level now."""
        return self._level

    @property
    def output(self) -> int | None:
        """The level that the chip drives: 0 or 1, None while it drives none; 1 is a released open drain, too."""
        return self._output

    @property
    def history(self) -> list[tuple[int, int]]:
        """``(at_us, level)`` of each change of what the program put out, the last `HISTORY` of them."""
        return list(self._history)

    # From outside.

    def drive(self, level: int) -> None:
        """Drive it from outside, to 0 or 1, until `release`."""
        self.outside = 1 if level else 0
        self._settle()

    def release(self) -> None:
        """Drive it no more."""
        self.outside = None
        self._settle()

    def press(self, ms: float = 100) -> None:
        """Press a button that connects it to ground, for `ms` milliseconds."""
        self.drive(0)
        self._ports.after(round(ms * 1000), self.release)

    def pulse(self, us: int, *, level: int = 1, after_us: int = 0) -> None:
        """Drive it to `level` for `us` microseconds, `after_us` from now, and to the other level then."""

        def begin() -> None:
            self.drive(level)
            self._ports.after(us, end)

        def end() -> None:
            self.drive(1 - level)

        if after_us:
            self._ports.after(after_us, begin)
        else:
            begin()

    def pulse_after(
        self, trigger: PortPin, us: int | Callable[[], int | None], *, level: int = 1, after_us: int = 0
    ) -> None:
        """Answer each pulse that the program gives on another pin, as an ultrasonic sensor does.

        Args:
            trigger: the pin whose fall from 1 to 0 asks.
            us: how long this pin is at `level` then, in microseconds; or a function that returns it, None for no
                answer.
            level: 0 or 1.
            after_us: how long after the fall.
        """
        self.drive(1 - level)
        was: int | None = trigger.output

        def changed(output: int | None) -> None:
            nonlocal was
            fell, was = was == 1 and output == 0, output
            if fell:
                width_us = us() if callable(us) else us
                if width_us is not None:
                    self.pulse(width_us, level=level, after_us=after_us)

        trigger.on_output(changed)

    def on_output(self, function: Callable[[int | None], None]) -> None:
        """Call ``function(output)`` whenever `output` changes: for devices that react to the program."""
        self._output_listeners.append(function)

    def on_level(self, function: Callable[[int], None]) -> None:
        """Call ``function(level)`` whenever the level changes."""
        self._level_listeners.append(function)

    def off_output(self, function: Callable[[int | None], None]) -> None:
        """Undo `on_output`."""
        self._output_listeners.remove(function)

    def off_level(self, function: Callable[[int], None]) -> None:
        """Undo `on_level`."""
        self._level_listeners.remove(function)

    # From the chip.

    def configure(
        self,
        mode: Mode | None = None,
        pull: Pull | None = None,
        latch: int | None = None,
        held: bool | None = None,
    ) -> None:
        """Set what is not None, all at once; a mode ends PWM. With `held` the rest takes effect first."""
        if held is not None:
            self.held = False
        if latch is not None:
            self.latch = latch
        if pull is not None:
            self.pull = pull
        if mode is not None:
            self.mode = mode
            self.pwm = None
        self._settle()
        if held:
            self.held = True

    def write(self, level: int) -> None:
        """Set its latch, 0 or 1."""
        if level != self.latch:
            self.latch = level
            if self.mode is not Mode.IN:
                self._settle()

    def modulate(self, pwm: tuple[int, int] | None) -> None:
        """Run PWM on it, or none; it is an output from then on."""
        self.pwm = pwm
        self.mode = Mode.OUT
        self._settle()

    def end_pwm(self) -> None:
        """End PWM, if any runs on it: the pin puts out 0."""
        if self.pwm is not None:
            self.latch = 0
            self.modulate(None)

    def forget(self) -> None:
        """Be an input without a pull, as after a reset; what is outside stays."""
        self.held = False
        self.pull = Pull.NONE
        self.latch = 0
        self.let_go()

    def let_go(self) -> None:
        """Drive nothing; an input keeps its pull."""
        self.mode = Mode.IN
        self.pwm = None
        self._settle()

    # Inside.

    @property
    def _is_raised(self) -> bool:
        """Whether a resistor pulls it up, inside the chip or on the board."""
        return self.pull is Pull.UP or (self.pull is Pull.NONE and self.number in self._ports.chip.raised)

    def _settle(self) -> None:
        """Find output and level anew, and tell of changes."""
        mode, outside = self.mode, self.outside
        output: int | None
        if self.held and self._output is not None:
            output = self._output
        elif self.pwm is not None:
            output = int(self.pwm[1] >= 0x8000)
        elif mode is Mode.IN:
            output = None
        else:
            output = self.latch
        if output is not None and (output == 0 or mode is not Mode.OPEN_DRAIN):
            level = output
        elif outside is not None:
            level = outside
        else:
            level = int(output == 1 or self._is_raised)
        turned = output != self._output
        if turned:
            self._output = output
            if output is not None and self.pwm is None:
                self._history.append((self._ports.now_us, output))
        if level != self._level:
            self._level = level
            self._tell_level(level)
        if turned and self._output_listeners:
            for listener in tuple(self._output_listeners):
                listener(output)

    def _tell_level(self, level: int) -> None:
        if self._level_listeners:
            for listener in tuple(self._level_listeners):
                listener(level)
        if self.irq is not None and self.edges & (Edge.RISING if level else Edge.FALLING):
            self._ports.schedule(*self.irq)
        self._ports.changed()

"""The board itself: it joins node, Wi-Fi, link and cpu, and owns the queue of scheduled callbacks.

Frames on the link are told apart by tokens, which the board gives to whoever sends: its node, and its Wi-Fi.

The queue is MicroPython's: one a board, eight deep, shared by ``ESPNow.irq``, ``Pin.irq``, ``Timer`` and
``micropython.schedule``; what does not fit is not taken. A callback runs on the program's thread of control, between
its steps and inside its waits, never inside another callback; its exception is printed, not raised.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from espnow.board.ports import Ports
from espnow.board.power import Power, PowerState
from espnow.board.profile import Profile
from espnow.board.wifi import Wifi
from espnow.frame.kinds import WIFI_FRAMES
from espnow.link import Absence, Clock, Cpu, Link, Outcome, RadioConfig
from espnow.node.node import DropReason, Node, Stats

__all__ = ["SCHEDULE_DEPTH", "TICKS_PERIOD", "Board", "Console"]

#: MICROPY_SCHEDULER_DEPTH of the ESP32 port.
SCHEDULE_DEPTH = 8

#: MicroPython's tick counters wrap at 2**30 (MICROPY_PY_TIME_TICKS_PERIOD of a 32-bit build).
TICKS_PERIOD = 1 << 30

#: What a call that only looks costs, in microseconds, so that a loop that polls lets time pass. Assumed.
LOOK_COST_US = 5


#: The radio of a board in these states.
_SILENT = {
    PowerState.LIGHT_SLEEP: RadioConfig(absence=Absence.LIGHT_SLEEP),
    PowerState.DEEP_SLEEP: RadioConfig(absence=Absence.DEEP_SLEEP),
    PowerState.RESTARTING: RadioConfig(absence=Absence.RESTARTING),
    PowerState.OFF: RadioConfig(absence=Absence.NO_POWER),
}

_C = TypeVar("_C")


class Console(Protocol):
    """A board's serial port: what its program prints and reads."""

    def write(self, text: str) -> None:
        """Take printed text."""

    def read_line(self) -> str | None:
        """Return the next line of input with its newline, "" at the end of input, None if nothing is there yet.

        After None the board is woken when there is something.
        """

    def has_input(self) -> bool:
        """Whether `read_line` would return something now."""

    def read_part(self) -> str:
        """Return what there is now of a line that has not ended yet, which comes without it then; often ""."""

    def has_part(self) -> bool:
        """Whether `read_part` would return something now."""

    def exception(self, error: BaseException) -> None:
        """Print an exception with the program's part of its traceback."""


class _NoLock:
    """The lock of a board where there is one thread."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, _error: object, _traceback: object) -> None:
        pass


_NO_LOCK = _NoLock()


class Board:
    """One board.

    Attributes:
        profile: its kind.
        name: as the user calls it.
        clock: the owner of time.
        cpu: the program's thread of control.
        link: what carries its frames.
        mac: the address that the factory gave it, 6 bytes; the interfaces' own are `wifi`'s.
        console: its serial port.
        wifi: its interfaces.
        node: its ESP-NOW node; a new one after `soft_reset`.
        ports: its pins and buses, and what is connected to them.
        power: why it started, what wakes it, and what outlives a sleep.
        boot_us: when it was switched on, reset or woken from deep sleep.
        classes: what `own_class` made, by module and name.
        first_channel: the channel of its Wi-Fi whenever that starts.
        lock: held by whoever touches the board; nothing where there is one thread.
        watchers: called, in order, whenever a message or an answer arrived; they must not block.
        irq: ``(function, argument)`` to schedule for each message that enters the ring, or None.
    """

    __slots__ = (
        "_callbacks",
        "_counted",
        "_in_callback",
        "_next_token",
        "_random_u32",
        "boot_us",
        "classes",
        "clock",
        "console",
        "cpu",
        "first_channel",
        "irq",
        "link",
        "lock",
        "mac",
        "name",
        "node",
        "ports",
        "power",
        "profile",
        "watchers",
        "wifi",
    )

    def __init__(
        self,
        profile: Profile,
        name: str,
        *,
        mac: bytes,
        clock: Clock,
        cpu: Cpu,
        link: Link,
        console: Console,
        random_u32: Callable[[], int],
        first_channel: int = 1,
    ) -> None:
        self.profile = profile
        self.name = name
        self.clock = clock
        self.cpu = cpu
        self.link = link
        self.console = console
        self.first_channel = first_channel
        self.lock: AbstractContextManager[Any] = _NO_LOCK
        self.boot_us = clock.now_us
        self.classes: dict[str, type[Any]] = {}
        self.watchers: list[Callable[[], None]] = []
        self.irq: tuple[Callable[[Any], object], Any] | None = None
        self._callbacks: deque[tuple[Callable[[Any], object], Any]] = deque()
        self._in_callback = False
        self._random_u32 = random_u32
        self.mac = mac
        self._next_token = itertools.count(1).__next__
        self.node = Node(profile.node, link, random_u32, next_token=self._next_token)
        self._counted = Stats()
        self.power = Power(clock.now_us)
        self.ports = Ports(self)
        self.wifi = Wifi(self, mac)

    @property
    def counted(self) -> Stats:
        """What ESP-NOW counted over all starts of the board; ``node.stats`` begins anew with each."""
        return self._counted + self.node.stats

    def own_class(self, name: str, base: type[_C], module: str, *more: type, **names: Any) -> type[_C]:
        """Return `base` as a class of this board, with `_board`: made once for the board, not once for each start.

        Args:
            name: what it is called.
            base: what it derives from.
            module: of which module it says that it is.
            more: what it derives from besides.
            names: further names in it.
        """
        key = f"{module}.{name}"
        found: type[_C] | None = self.classes.get(key)
        if found is None:
            names = {"__doc__": base.__doc__, "__module__": module, "_board": self, **names}
            found = self.classes[key] = type(name, (base, *more), names)
        return found

    def soft_reset(self) -> None:
        """Restart MicroPython, not the chip: ESP-NOW and callbacks are gone, Wi-Fi is as it was."""
        self._forget_program()
        self.ports.soft_reset()
        self.configure_radio()

    def reset(self) -> None:
        """Restart the chip: `soft_reset`, and Wi-Fi is off and as it came from the factory; ticks begin at 0."""
        self.wifi.stop()
        self.wifi = Wifi(self, self.mac, self.wifi.timing, self.wifi.remembered)
        self._forget_program()
        self.ports.reset()
        self.configure_radio()
        self.boot_us = self.clock.now_us

    def _forget_program(self) -> None:
        """Begin with a new node, and without callbacks."""
        self.node.stop()
        self._counted += self.node.stats
        self.node = Node(self.profile.node, self.link, self._random_u32, next_token=self._next_token, after=self.node)
        self.irq = None
        self.watchers.clear()
        self._callbacks.clear()
        self._in_callback = False

    def configure_radio(self) -> None:
        """Tell link and node what `wifi` says now, or the link alone that the radio is off: the board sleeps."""
        silent = _SILENT.get(self.power.state)
        if silent is not None:
            self.link.configure(silent)
            return
        radio = self.wifi.radio_config()
        at_home = radio.absence is None or radio.absence is Absence.OFF
        self.node.configure(radio if at_home else self.wifi.home_config())
        self.link.configure(radio)

    # From the link.

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        """Take a frame that the receiver decoded (`espnow.link.Station`)."""
        if mpdu[:1] in WIFI_FRAMES:
            self.wifi.received(mpdu, rssi_dbm, channel, at_us)
            return
        if self.wifi.filter_bssid is not None and self.wifi.rejects(mpdu):
            self.node.drop(DropReason.OTHER_BSSID, mpdu, at_us)
            return
        if self.node.received(mpdu, rssi_dbm, at_us):
            irq = self.irq
            if irq is not None:
                self.schedule(irq[0], irq[1])
            self.changed()

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Take the link's answer for a frame (`espnow.link.Station`)."""
        if token < 0:
            self.wifi.outcome(token)
            return
        self.node.outcome(token, outcome, attempts, at_us)
        self.changed()

    def random_bytes(self, length: int) -> bytes:
        """Return so many bytes of its random number generator."""
        words = b"".join(self._random_u32().to_bytes(4, "big") for _ in range(-(-length // 4)))
        return words[:length]

    def changed(self) -> None:
        """Let whoever waits for a message or an answer look again."""
        self.cpu.wake()
        if self.watchers:
            for watcher in tuple(self.watchers):
                watcher()

    # For the program's calls.

    def look(self) -> None:
        """Charge a call that only looks at something, and let due callbacks run."""
        self.cpu.spend(LOOK_COST_US)
        if self._callbacks:
            self.run_callbacks()

    def wait(self, ready: Callable[[], object], until_us: int | None = None) -> bool:
        """Let time pass until `ready()` is true; callbacks run meanwhile.

        Args:
            ready: asked at once, and again after each wake.
            until_us: when to give up; None means never.

        Returns:
            Whether `ready()` was true, rather than the time up.
        """
        clock = self.clock
        while True:
            if self._callbacks:
                self.run_callbacks()
            if ready():
                return True
            if until_us is not None and clock.now_us >= until_us:
                return False
            self.cpu.pause(until_us)

    def wait_for_message(self, until_us: int | None) -> None:
        """Do as `wait` does, until a message is in the ring or ESP-NOW is not active: the most frequent of all waits.

        Args:
            until_us: when to give up; None means never.
        """
        clock, node = self.clock, self.node
        while True:
            if self._callbacks:
                self.run_callbacks()
            if node.ring.messages or not node.active or (until_us is not None and clock.now_us >= until_us):
                return
            self.cpu.pause(until_us)

    def sleep(self, us: int) -> None:
        """Let `us` microseconds pass; callbacks run meanwhile."""
        self.wait(_never, self.clock.now_us + us)

    def schedule(self, function: Callable[[Any], object], argument: Any) -> bool:
        """Queue ``function(argument)`` to run between the program's steps; False if the queue is full."""
        if len(self._callbacks) >= SCHEDULE_DEPTH:
            return False
        self._callbacks.append((function, argument))
        self.cpu.wake()
        return True

    @property
    def has_callbacks(self) -> bool:
        """Whether a callback waits and could run now."""
        return bool(self._callbacks) and not self._in_callback

    def run_callbacks(self) -> None:
        """Run what is queued, on the program's thread of control; without effect inside a callback."""
        if self._in_callback:
            return
        self._in_callback = True
        try:
            while self._callbacks:
                function, argument = self._callbacks.popleft()
                try:
                    function(argument)
                except (Exception, SystemExit) as error:  # MicroPython prints it, and the program goes on
                    self.console.exception(error)
        finally:
            self._in_callback = False


def _never() -> bool:
    return False

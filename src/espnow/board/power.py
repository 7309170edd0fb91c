"""What a board knows of its power: why it started, what woke it, and what outlives a sleep.

Rules: values only. Who puts the board to sleep and wakes it is whoever runs its program; pins that wake it are watched
there, too. What outlives what, and the numbers, are those of MicroPython's ESP32 port (``modmachine.c``,
``machine_rtc.c``, ``esp_sleep.h``).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Power", "PowerState", "ResetCause", "WakePins", "WakeReason"]


class PowerState(enum.Enum):
    """What a board does with its power; the value is how a person reads it."""

    ON = "on"
    LIGHT_SLEEP = "light sleep"
    DEEP_SLEEP = "deep sleep"
    RESTARTING = "restarting"
    OFF = "off"


class ResetCause(enum.IntEnum):
    """Why the chip started (``machine.reset_cause()``)."""

    PWRON = 1
    HARD = 2
    WDT = 3
    DEEPSLEEP = 4
    SOFT = 5


class WakeReason(enum.IntEnum):
    """What ended the last sleep (``machine.wake_reason()``, ``esp_sleep_wakeup_cause_t``)."""

    NONE = 0
    EXT0 = 2
    EXT1 = 3
    TIMER = 4
    TOUCHPAD = 5
    ULP = 6
    GPIO = 7


@dataclass(frozen=True, slots=True)
class WakePins:
    """Pins that end a sleep.

    Attributes:
        pins: their numbers.
        level: 0 or 1.
        every: all of them must have the level; otherwise any of them.
        reason: what `WakeReason` they give.
        deep: they end a deep sleep too, not only a light one.
    """

    pins: tuple[int, ...]
    level: int
    every: bool = False
    reason: WakeReason = WakeReason.EXT0
    deep: bool = True


class Power:
    """The power of one board.

    Attributes:
        state: what it does now.
        reset_cause: why it started last.
        wake_reason: what ended its last sleep.
        memory: what ``machine.RTC().memory()`` holds, kept over deep sleep and resets, lost without power.
        calendar_us: what the board's own calendar adds to the clock's time to be at the microseconds since 2000.
        wake_pins: what wakes it beside the time: key (who asked) -> pins.
    """

    __slots__ = (
        "calendar_us",
        "memory",
        "reset_cause",
        "state",
        "wake_pins",
        "wake_reason",
    )

    def __init__(self, now_us: int) -> None:
        """Make the power of a board that is switched on now."""
        self.state = PowerState.ON
        self.switch_on(now_us)

    def switch_on(self, now_us: int) -> None:
        """Begin as with the first power: nothing is remembered, and the calendar stands at its beginning."""
        self.reset_cause = ResetCause.PWRON
        self.wake_reason = WakeReason.NONE
        self.memory = b""
        self.calendar_us = -now_us
        self.forget_wakes()

    def forget_wakes(self) -> None:
        """Forget what wakes it, as a reset does."""
        self.wake_pins: dict[str, WakePins] = {}

    def pins_wake(self, levels: Mapping[int, int], *, deep: bool) -> WakeReason | None:
        """Return what would wake it with these levels of its pins, or None.

        Args:
            levels: level by number of the pin; a pin that is not there is 0.
            deep: for a deep sleep.
        """
        for wake in self.wake_pins.values():
            if deep and not wake.deep:
                continue
            have = [levels.get(pin, 0) == wake.level for pin in wake.pins]
            if have and (all(have) if wake.every else any(have)):
                return wake.reason
        return None

"""What a board of the lab goes through beside its program: power, sleep, restarts.

Rules:

- A sleep without the program (deep), a restart and a loss of power leave nothing of the program: it is over before they
  begin. Who ends it is `espnow.lab.board.LabBoard`; here the hardware sleeps, wakes and starts.
- A board that sleeps costs one timer and no greenlet.
- Light sleep happens on the program's own stack: its call returns when the time is up or a pin woke it.

What outlives what follows MicroPython's ESP32 port (``modmachine.c``, ``machine_rtc.c``): RTC memory and the calendar
outlive deep sleep and resets, not a loss of power; Wi-Fi's configuration is lost in light sleep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from espnow.board import Board, PowerState, ResetCause, WakeReason
from espnow.link import Timer

__all__ = ["BOOT_US", "LIGHT_SLEEP_US", "Life"]

#: From a reset, or the end of a deep sleep, to the program's first step, in microseconds, unless the lab says
#: otherwise. Assumed.
BOOT_US = 300_000

#: The shortest light sleep, in microseconds: there and back. Assumed.
LIGHT_SLEEP_US = 500

#: The shortest start: a program that does nothing but restart does not stop the time.
_LEAST_BOOT_US = 1


class _NoCpu:
    """The thread of control of a board that sleeps or starts (`espnow.link.Cpu`)."""

    def pause(self, _until_us: int | None) -> NoReturn:
        raise RuntimeError("this board sleeps: nothing can wait on it")

    def wake(self) -> None:
        pass

    def spend(self, _us: int) -> None:
        pass


_NO_CPU = _NoCpu()


class Life:
    """The power of one board over time.

    Attributes:
        states: ``(at_us, state)`` of each change, if it records.
    """

    __slots__ = ("_begin", "_boot_us", "_hardware", "_record", "_since_us", "_spent_us", "_state", "_timer", "states")

    def __init__(self, hardware: Board, begin: Callable[[], None], *, record: bool, boot_us: int = BOOT_US) -> None:
        """Take the power of a board in hand.

        Args:
            hardware: the board.
            begin: starts its program.
            record: keep `states`.
            boot_us: how long it takes to start, 1 µs at least.
        """
        self._hardware = hardware
        self._begin = begin
        self._boot_us = max(boot_us, _LEAST_BOOT_US)
        self._record = record
        self._timer: Timer | None = None
        self._state = hardware.power.state
        self._since_us = hardware.clock.now_us
        self._spent_us = dict.fromkeys(PowerState, 0)
        self.states: list[tuple[int, PowerState]] = []
        if record:
            self.states.append((self._since_us, hardware.power.state))

    @property
    def state(self) -> PowerState:
        """What the board does with its power now."""
        return self._hardware.power.state

    @property
    def asleep(self) -> bool:
        """Whether it is in deep sleep, or will start: it has no program now, and will have one."""
        return self._timer is not None or self.state in (PowerState.DEEP_SLEEP, PowerState.RESTARTING)

    @property
    def can_start(self) -> bool:
        """Whether its program will begin without anybody's help: a timer runs, or a pin may wake it."""
        if self._timer is not None:
            return True
        return self.state is PowerState.DEEP_SLEEP and bool(self._hardware.power.wake_pins)

    def spent_us(self, state: PowerState) -> int:
        """Return how long it was in a state so far, in microseconds."""
        more_us = self._hardware.clock.now_us - self._since_us if state is self._state else 0
        return self._spent_us[state] + more_us

    def start_later(self, at_us: int) -> None:
        """Leave it without power until `at_us`."""
        self._hardware.cpu = _NO_CPU
        self._set(PowerState.OFF)
        self._timer = self._hardware.clock.call_at(at_us, self._switch_on)

    def power_off(self) -> None:
        """Take its power."""
        hardware = self._hardware
        self._forget_timer()
        hardware.power.state = PowerState.OFF
        hardware.wifi.stop()
        hardware.ports.power_off()
        hardware.configure_radio()
        self._note()

    def power_on(self) -> None:
        """Give it power again: it starts as a chip that knows nothing."""
        self._restart(self._switch_on)

    def reset(self, cause: ResetCause) -> None:
        """Restart the chip; what is in the RTC's memory stays."""
        self._restart(lambda: self._start(cause, WakeReason.NONE))

    def sleep_deep(self, ms: int | None) -> None:
        """Put it into deep sleep, for `ms` milliseconds or (None) until a pin wakes it."""
        hardware = self._hardware
        self._forget_timer()
        hardware.cpu = _NO_CPU
        hardware.power.state = PowerState.DEEP_SLEEP
        hardware.reset()
        self._note()
        if ms is not None:
            self._timer = hardware.clock.call_at(hardware.clock.now_us + ms * 1000, self._time_is_up)
        if hardware.power.wake_pins:
            hardware.ports.watchers.append(self._look_at_pins)
            self._look_at_pins()

    def sleep_light(self, ms: int | None) -> None:
        """Stop the processor for `ms` milliseconds or (None) until a pin wakes it; called by the program.

        Callbacks that come due meanwhile run afterwards. The radio is off, and its configuration lost. What is raised
        in the program meanwhile, such as Ctrl-C, wakes it.
        """
        hardware = self._hardware
        clock, power, watchers = hardware.clock, hardware.power, hardware.ports.watchers
        until_us = None if ms is None else clock.now_us + ms * 1000
        least_us = clock.now_us + LIGHT_SLEEP_US
        self._set(PowerState.LIGHT_SLEEP)
        hardware.wifi.lose_configuration()  # now, so that no beacon and no search of it goes on meanwhile
        reason: WakeReason | None = None

        def look() -> None:
            nonlocal reason
            reason = reason or power.pins_wake(hardware.ports.levels(), deep=False)
            if reason is not None:
                hardware.cpu.wake()

        watchers.append(look)
        try:
            look()
            while reason is None and (until_us is None or clock.now_us < until_us):
                hardware.cpu.pause(until_us)
            while clock.now_us < least_us:
                hardware.cpu.pause(least_us)
            power.wake_reason = reason or WakeReason.TIMER
        finally:
            watchers.remove(look)
            self._set(PowerState.ON)

    # Inside.

    def _restart(self, start: Callable[[], None]) -> None:
        hardware = self._hardware
        self._forget_timer()
        slept, hardware.power.state = hardware.power.state is PowerState.DEEP_SLEEP, PowerState.RESTARTING
        if slept:  # of a chip in deep sleep only the pins are left
            hardware.ports.reset()
            hardware.configure_radio()
        else:
            hardware.cpu = _NO_CPU
            hardware.reset()
        self._note()
        self._timer = hardware.clock.call_at(hardware.clock.now_us + self._boot_us, start)

    def _time_is_up(self) -> None:
        self._wake(WakeReason.TIMER)

    def _look_at_pins(self) -> None:
        hardware = self._hardware
        reason = hardware.power.pins_wake(hardware.ports.levels(), deep=True)
        if reason is not None:
            self._wake(reason)

    def _wake(self, reason: WakeReason) -> None:
        self._restart(lambda: self._start(ResetCause.DEEPSLEEP, reason))

    def _switch_on(self) -> None:
        self._hardware.power.switch_on(self._hardware.clock.now_us)
        self._start(ResetCause.PWRON, WakeReason.NONE)

    def _start(self, cause: ResetCause, reason: WakeReason) -> None:
        hardware = self._hardware
        self._timer = None
        power = hardware.power
        power.reset_cause, power.wake_reason = cause, reason
        power.forget_wakes()
        hardware.boot_us = hardware.clock.now_us
        self._set(PowerState.ON)
        self._begin()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        watchers = self._hardware.ports.watchers
        if self._look_at_pins in watchers:
            watchers.remove(self._look_at_pins)

    def _set(self, state: PowerState) -> None:
        self._hardware.power.state = state
        self._hardware.configure_radio()
        self._note()

    def _note(self) -> None:
        """Keep account of the state that has just begun."""
        now_us, before = self._hardware.clock.now_us, self._state
        self._spent_us[before] += now_us - self._since_us
        self._since_us = now_us
        self._state = self.state
        if self._record and self._state is not before:
            self.states.append((now_us, self._state))

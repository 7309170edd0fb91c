"""`machine` of a board: its pins, its converters, timers, clocks and sleeps.

It follows https://docs.micropython.org/en/latest/library/machine.html and MicroPython's ``ports/esp32/modmachine.c``
and ``ports/esp8266/modmachine.c``: numbers, refusals, what each chip has.

A board that wakes from deep sleep builds its modules anew, so this one costs next to nothing: functions and constants
are the methods and attributes of its class, a class of a board is made once in the board's life (`binding`), and a file
of classes is loaded when a program first names one.
"""

from __future__ import annotations

import importlib
import operator
from types import ModuleType
from typing import Any, ClassVar, NoReturn

from espnow.board import Board, ResetCause, WakePins
from espnow.board.ports import TOUCH
from espnow.micropython.machine.binding import bind
from espnow.micropython.services import Services
from espnow.micropython.struct import to_int

__all__ = ["build"]

#: How long `idle` waits when nothing happens: the next tick of FreeRTOS is at most this far. Assumed.
_IDLE_US = 1_000

#: The longest light sleep of an ESP8266, in milliseconds: one without limit lasts 2**32 us.
_LIGHTSLEEP_ESP8266_MS = 4_294_967

#: Name of a class that every chip has -> file and name of what it is.
_BUSES = {
    "I2C": ("buses", "I2C"),
    "SPI": ("buses", "SPI"),
    "SoftI2C": ("buses", "SoftI2C"),
    "SoftSPI": ("buses", "SoftSPI"),
    "UART": ("uart", "UART"),
}

#: Those that need a pulse counter, which not every chip has.
_COUNTERS = frozenset({"Counter", "Encoder"})

_MEMORY = {"mem8": 1, "mem16": 2, "mem32": 4}

#: An ESP8266's numbers for why it started (``rst_reason`` of its SDK).
_CAUSES_ESP8266 = {
    ResetCause.PWRON: 0,
    ResetCause.WDT: 1,
    ResetCause.SOFT: 4,
    ResetCause.DEEPSLEEP: 5,
    ResetCause.HARD: 6,
}


class _Machine(ModuleType):
    """What `machine` has on every chip."""

    IDLE = 1
    SLEEP = 2
    DEEPSLEEP = 4

    #: Name of a class -> file and name of what it is on this chip.
    _CLASSES: ClassVar[dict[str, tuple[str, str]]]

    #: Frequencies that the chip can run at, in Hz, the first by default.
    _FREQUENCIES: ClassVar[tuple[int, ...]]

    def __init__(self, board: Board, services: Services) -> None:
        super().__init__("machine", "The hardware of this board.")
        self._board = board
        self._services = services
        self._frequency = self._FREQUENCIES[0]

    def __getattr__(self, name: str) -> Any:
        """Make what is made on demand: classes, and the views of memory."""
        where = self._CLASSES.get(name) if name not in _COUNTERS or self._board.ports.chip.counters else None
        if where is not None:
            found: Any = self._board.classes.get(f"machine.{name}")
            if found is None:
                base = getattr(importlib.import_module(f"espnow.micropython.machine.{where[0]}"), where[1])
                found = bind(self._board, name, base)
            if name == "WDT":
                found._bite = self._services.wdt_reset
        elif name in _MEMORY:
            found = self._memory(name)
        else:
            raise AttributeError(f"module 'machine' has no attribute '{name}'")
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return self.__all__

    @property
    def __all__(self) -> list[str]:
        """What ``from machine import *`` takes."""
        own = {name for kind in type(self).__mro__[:-2] for name in vars(kind) if not name.startswith("_")}
        lacks = frozenset() if self._board.ports.chip.counters else _COUNTERS
        return sorted((own | self._CLASSES.keys() | _MEMORY.keys()) - lacks)

    def _memory(self, name: str) -> Any:
        from espnow.micropython.machine.pulses import Memory

        cells: dict[int, int] = {}
        for view, size in _MEMORY.items():
            setattr(self, view, Memory(cells, size))
        return vars(self)[name]

    # Identity and processor.

    def unique_id(self) -> bytes:
        """Return the chip's own number: the address of its STA interface as it came from the factory."""
        return self._board.mac

    def freq(self, hz: int | None = None, /) -> int | None:
        """Set, or without an argument return, the frequency of the processor; programs do not run faster by it.

        Raises:
            ValueError: the chip cannot run at it.
        """
        if hz is None:
            return self._frequency
        if operator.index(hz) not in self._FREQUENCIES:
            megahertz = " or ".join(f"{known // 1_000_000}MHz" for known in sorted(self._FREQUENCIES))
            raise ValueError(f"frequency must be {megahertz}")
        self._frequency = hz
        return None

    def idle(self) -> None:
        """Let the processor rest until something happens, a tick at most."""
        board = self._board
        board.cpu.pause(board.clock.now_us + _IDLE_US)
        if board.has_callbacks:
            board.run_callbacks()

    def dht_readinto(self, pin: Any, buffer: Any, /) -> None:
        """Fill five bytes from the DHT sensor at a pin: what `dht` drivers are built on."""
        from espnow.micropython.dht import readinto

        readinto(self._board, pin, buffer)

    def disable_irq(self) -> int:
        """Return the state for `enable_irq`; a callback is scheduled, so no program can be in the middle of one."""
        return 0

    def enable_irq(self, state: int = 0, /) -> None:
        """End `disable_irq`."""

    # Restart and sleep.

    def reset(self) -> NoReturn:
        """Restart the chip."""
        self._services.reset()

    def soft_reset(self) -> NoReturn:
        """Restart MicroPython."""
        self._services.soft_reset()

    def reset_cause(self) -> int:
        """Return why the chip started, one of ``*_RESET``."""
        return int(self._board.power.reset_cause)

    def lightsleep(self, time_ms: int | None = None, /) -> None:
        """Stop the processor for so many milliseconds, or until a pin ends it; the program goes on then."""
        raise NotImplementedError

    def deepsleep(self, time_ms: int | None = None, /) -> NoReturn:
        """Switch off nearly everything for so many milliseconds, or until a pin ends it; the program begins anew."""
        raise NotImplementedError

    def sleep(self, time_ms: int | None = None, /) -> None:
        """Do as `lightsleep`, whose old name it is."""
        self.lightsleep(time_ms)

    # Pulses.

    def time_pulse_us(self, pin: object, pulse_level: int, timeout_us: int = 1_000_000, /) -> int:
        """Return how long a pulse on a pin lasts, in microseconds.

        Returns:
            Its length; -2 if it did not begin within `timeout_us`, -1 if it did not end within it.
        """
        from espnow.micropython.machine.pulses import time_pulse_us

        return time_pulse_us(self._board, pin, pulse_level, operator.index(timeout_us))

    def bitstream(self, pin: object, encoding: int, timing: Any, buf: Any, /) -> None:
        """Send bytes on a pin as pulses of two lengths."""
        from espnow.micropython.machine.pulses import bitstream

        bitstream(self._board, pin, encoding, timing, buf)


class _Esp32(_Machine):
    PWRON_RESET = 1
    HARD_RESET = 2
    WDT_RESET = 3
    DEEPSLEEP_RESET = 4
    SOFT_RESET = 5

    PIN_WAKE = 2
    EXT0_WAKE = 2
    EXT1_WAKE = 3
    TIMER_WAKE = 4
    TOUCHPAD_WAKE = 5
    ULP_WAKE = 6

    _CLASSES: ClassVar = {
        **_BUSES,
        "ADC": ("analog", "ADC"),
        "ADCBlock": ("analog", "ADCBlock"),
        "Counter": ("counter", "Counter"),
        "DAC": ("analog", "DAC"),
        "Encoder": ("counter", "Encoder"),
        "I2S": ("i2s", "I2S"),
        "PWM": ("pwm", "PWM"),
        "Pin": ("pin", "Pin"),
        "RTC": ("rtc", "RTC"),
        "SDCard": ("sdcard", "SDCard"),
        "Signal": ("pin", "Signal"),
        "Timer": ("timer", "Timer"),
        "TouchPad": ("analog", "TouchPad"),
        "WDT": ("timer", "WDT"),
    }
    _FREQUENCIES: ClassVar = (160_000_000, 20_000_000, 40_000_000, 80_000_000, 240_000_000)

    def wake_reason(self) -> int:
        """Return what ended the last sleep, one of ``*_WAKE``, 0 if there was none."""
        return int(self._board.power.wake_reason)

    def lightsleep(self, time_ms: int | None = None, /) -> None:
        board = self._board
        wakes = board.power.wake_pins
        ms = self._prepare(time_ms)
        deep_only = None if board.ports.ext0_light else wakes.pop("ext0", None)
        board.ports.hold()
        try:
            self._services.lightsleep(ms)
        finally:
            board.ports.go_on()
            if deep_only is not None:
                wakes["ext0"] = deep_only

    def deepsleep(self, time_ms: int | None = None, /) -> NoReturn:
        self._services.deepsleep(self._prepare(time_ms))

    def _prepare(self, time_ms: int | None) -> int | None:
        """Let the pads that the program reads by now wake the chip, if it asked for that, and return the limit."""
        power = self._board.power
        if "touch" in power.wake_pins:
            pads = tuple(TOUCH + pin for pin in self._board.ports.touch_pads)
            power.wake_pins["touch"] = WakePins(pads, 1, reason=power.wake_pins["touch"].reason)
        if time_ms is None:
            return None
        ms = to_int(time_ms)
        return ms if ms >= 0 else None  # a negative one is a very large one to the timer


class _Esp8266(_Machine):
    PWRON_RESET = 0
    WDT_RESET = 1
    SOFT_RESET = 4
    DEEPSLEEP_RESET = 5
    HARD_RESET = 6

    _CLASSES: ClassVar = {
        **_BUSES,
        "ADC": ("analog", "AdcEsp8266"),
        "PWM": ("pwm", "PwmEsp8266"),
        "Pin": ("pin", "PinEsp8266"),
        "RTC": ("rtc", "RtcEsp8266"),
        "Signal": ("pin", "Signal"),
        "Timer": ("timer", "TimerEsp8266"),
        "WDT": ("timer", "WdtEsp8266"),
    }
    _FREQUENCIES: ClassVar = (80_000_000, 160_000_000)

    def unique_id(self) -> bytes:
        """Return the chip's own number: the last three bytes of its address, backwards, and a 0."""
        return self._board.mac[:2:-1] + b"\0"

    def reset_cause(self) -> int:
        return _CAUSES_ESP8266[self._board.power.reset_cause]

    def lightsleep(self, time_ms: int | None = None, /) -> None:
        ms = _LIGHTSLEEP_ESP8266_MS if time_ms is None else max(to_int(time_ms), 0)
        self._services.lightsleep(ms)

    def deepsleep(self, time_ms: int | None = None, /) -> NoReturn:
        ms = None if time_ms is None else max(to_int(time_ms), 1)
        alarm_us, wakes = self._board.ports.alarm
        if wakes & self.DEEPSLEEP:
            left_ms = max(alarm_us - self._board.clock.now_us, 0) // 1000
            ms = left_ms if ms is None else min(ms, left_ms)
        self._services.deepsleep(ms)


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `machine` of `board`."""
    return (_Esp8266 if board.profile.esp8266 else _Esp32)(board, services)

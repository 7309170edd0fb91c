"""The pins and buses of a board, and what is connected to them.

Rules: a state machine without input or output of its own. The chip's side belongs to `espnow.micropython.machine`, the
other side to a person, a test or a device; time is the clock's. What is outside outlives every reset, what the program
set does not. A pin, an input or a timer that nobody asked for does not exist yet, so that a board without any costs
nothing when it restarts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from espnow.board.ports_analog import AnalogInput, AnalogOutput, TouchPin
from espnow.board.ports_chips import CHIPS, Chip
from espnow.board.ports_pins import Edge, Mode, PortPin, Pull
from espnow.board.ports_timers import PortTimer, Watchdog
from espnow.board.power import PowerState

if TYPE_CHECKING:
    from espnow.board.audio import I2s
    from espnow.board.board import Board
    from espnow.board.buses import Buses, Dht, I2cBus, OneWireBus, Pixels, SpiBus
    from espnow.board.card import Card
    from espnow.board.uart import Uart

__all__ = [
    "CHIPS",
    "TOUCH",
    "AnalogInput",
    "AnalogOutput",
    "Chip",
    "Edge",
    "Mode",
    "PortPin",
    "PortTimer",
    "Ports",
    "Pull",
    "TouchPin",
    "Watchdog",
]

#: A touch pad stands among the levels as the pin of this number plus its own: 1 while it is touched.
TOUCH = 64

#: The supply of an ESP8266, which its ADC(1) measures, in volts.
_SUPPLY_VOLTS = 3.3


class Ports:
    """Pins and buses of one board.

    Attributes:
        watchers: called, in order, whenever the level at any pin changes.
        pins: those that something uses, by number.
        timers: those that run, in the order in which they began.
        watchdog: the chip's watchdog.
        ext0_light: the pin that wakes by ``Pin.irq(wake=)`` ends a light sleep, too, not only a deep one.
        holds_all: pins that the RTC does not know are held in deep sleep, too (``esp32.gpio_deep_sleep_hold``).
        nvs: what ``esp32.NVS`` holds: ``(namespace, key)`` -> value.
        sectors: sectors of the flash that a program wrote through ``esp``: number -> its 4096 bytes.
        adc_bits: how many bits each block of the ADC gives.
        alarm: ``(at_us of the clock, what it wakes from)`` of an ESP8266's RTC alarm.
        buses: its buses, None until one is asked for.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._chip = CHIPS["esp8266" if board.profile.esp8266 else "esp32"]
        self._chip_is_sure = board.profile.esp8266
        self._analog: dict[int, AnalogInput] = {}
        self._dacs: dict[int, AnalogOutput] = {}
        self._touches: dict[int, TouchPin] = {}
        self._hardware_timers: dict[int, PortTimer] = {}
        self.watchers: list[Callable[[], None]] = []
        self.pins: dict[int, PortPin] = {}
        self.timers: dict[PortTimer, None] = {}
        self.watchdog = Watchdog(board)
        self.ext0_light = True
        self.holds_all = False
        self.nvs: dict[tuple[str, str], int | bytes] = {}
        self.sectors: dict[int, bytearray] = {}
        self.adc_bits = {1: 12, 2: 12}
        self.alarm: tuple[int, int] = (0, 0)
        self.buses: Buses | None = None

    # For whoever stands outside.

    @property
    def chip(self) -> Chip:
        """Which pins there are, and what each can do; set it if it is not the profile's usual one."""
        return self._chip

    @chip.setter
    def chip(self, chip: Chip) -> None:
        self._chip = chip
        self._chip_is_sure = True

    def has(self, part: Literal["pins", "analog", "touch"], pin: int) -> bool:
        """Return whether the chip has a pin, or one for the ADC or for touch.

        An ESP32 that lacks it becomes an ``other`` chip that has it, unless somebody said which chip this is: the
        program was written for another one.
        """
        if pin in getattr(self._chip, part):
            return True
        other = CHIPS["other"]
        if self._chip_is_sure or pin not in getattr(other, part):
            return False
        self._chip = other
        return True

    def reads_beside_wifi(self, pin: int) -> bool:
        """Return whether the analogue input at a pin can be read while Wi-Fi is active; block 2 of an ESP32 cannot."""
        return not self._chip.shared_block or self._chip.analog[pin] != 2 or self._is_later()

    def drives(self, pin: int) -> bool:
        """Return whether a pin can be an output; 34 to 39 of an ESP32 cannot."""
        return pin not in self._chip.input_only or self._is_later()

    def _is_later(self) -> bool:
        """Return whether a program that wants what an ESP32 cannot do was written for a later chip.

        It was if a later chip has all pins and analogue inputs that are in use: the board becomes an ``other`` chip
        then, unless somebody said which chip this is.
        """
        pins, inputs, other = self.pins.keys(), self._analog.keys(), CHIPS["other"]
        later = (chip for chip in CHIPS.values() if not chip.shared_block and chip is not other)
        if self._chip_is_sure or not any(pins <= chip.pins and inputs <= chip.analog.keys() for chip in later):
            return False
        self._chip = other
        return True

    def pin(self, number: int) -> PortPin:
        """Return a pin.

        Raises:
            ValueError: the board has no such pin.
        """
        found = self.pins.get(number)
        if found is None:
            if not self.has("pins", number):
                raise ValueError(f"board {self._board.name!r} has no pin {number!r}")
            found = self.pins[number] = PortPin(self, number)
        return found

    def adc(self, pin: int) -> AnalogInput:
        """Return what is connected to the ADC's input at a pin; of an ESP8266, 0 is A0 and 1 its supply.

        Raises:
            ValueError: the board has no ADC at this pin.
        """
        found = self._analog.get(pin)
        if found is None:
            esp8266 = self._board.profile.esp8266
            if not (pin in (0, 1) if esp8266 else self.has("analog", pin)):
                raise ValueError(f"board {self._board.name!r} has no analogue input {pin!r}")
            found = self._analog[pin] = AnalogInput(self, _SUPPLY_VOLTS if esp8266 and pin == 1 else 0.0)
        return found

    def dac(self, pin: int) -> AnalogOutput:
        """Return the DAC's output at a pin."""
        found = self._dacs.get(pin)
        if found is None:
            found = self._dacs[pin] = AnalogOutput()
        return found

    def touch(self, pin: int) -> TouchPin:
        """Return the touch pad at a pin.

        Raises:
            ValueError: the board has none there.
        """
        found = self._touches.get(pin)
        if found is None:
            if not self.has("touch", pin):
                raise ValueError(f"board {self._board.name!r} has no touch pad at pin {pin!r}")
            found = self._touches[pin] = TouchPin(self)
        return found

    def uart(self, number: int) -> Uart:
        """Return a UART (`espnow.board.buses.Buses.uart`)."""
        return self._buses.uart(number)

    def i2c(
        self, bus: int | tuple[int, int] | None = None, *, scl: int | None = None, sda: int | None = None
    ) -> I2cBus:
        """Return an I2C bus (`espnow.board.buses.Buses.i2c`)."""
        return self._buses.i2c(bus, scl=scl, sda=sda)

    def spi(
        self, bus: int | tuple[int, ...] | None = None, *, sck: int | None = None, mosi: int | None = None
    ) -> SpiBus:
        """Return an SPI bus (`espnow.board.buses.Buses.spi`)."""
        return self._buses.spi(bus, sck=sck, mosi=mosi)

    def dht(self, pin: int) -> Dht:
        """Return the DHT sensor at a pin."""
        return self._buses.dht(pin)

    def onewire(self, pin: int) -> OneWireBus:
        """Return the 1-Wire bus at a pin."""
        return self._buses.onewire(pin)

    def pixels(self, pin: int) -> Pixels:
        """Return the chain of addressable LEDs at a pin."""
        return self._buses.pixels(pin)

    def i2s(self, number: int) -> I2s:
        """Return an I2S port (`espnow.board.buses.Buses.i2s`)."""
        return self._buses.i2s(number)

    def sdcard(self, slot: int = 1) -> Card:
        """Return the memory card in a slot (`espnow.board.buses.Buses.card`)."""
        return self._buses.card(slot)

    @property
    def _buses(self) -> Buses:
        from espnow.board.buses import buses_of

        return buses_of(self._board)

    def levels(self) -> dict[int, int]:
        """Return the level of each pin that something uses, and 1 or 0 for each touch pad, at `TOUCH` plus its pin."""
        levels = {number: pin.value for number, pin in self.pins.items()}
        for number, pad in self._touches.items():
            levels[TOUCH + number] = int(pad.touched)
        return levels

    @property
    def armed(self) -> bool:
        """Whether a timer runs or a pin's callback is set, so that something may be called though no program runs."""
        if self.buses is not None and self.buses.armed:
            return True
        return any(timer.callback is not None for timer in self.timers) or any(
            pin.irq is not None for pin in self.pins.values()
        )

    # For the chip.

    def timer(self, number: int) -> PortTimer:
        """Return a timer of the chip, or (-1) a new one of the operating system."""
        timer = self._hardware_timers.get(number) if number >= 0 else None
        if timer is None:
            timer = PortTimer(self._board, self.timers)
            if number >= 0:
                self._hardware_timers[number] = timer
        return timer

    @property
    def touch_pads(self) -> tuple[int, ...]:
        """The touch pads that the program reads."""
        return tuple(number for number, pad in self._touches.items() if pad.used)

    def hold(self) -> None:
        """Stop the time of timers and watchdog: a light sleep begins."""
        for timer in self.timers:
            timer.hold()
        self.watchdog.hold()

    def go_on(self) -> None:
        """End `hold`."""
        for timer in self.timers:
            timer.go_on()
        self.watchdog.go_on()

    def soft_reset(self) -> None:
        """Do what a restart of MicroPython does: callbacks and timers are gone, pins keep their levels.

        An ESP32's port ends PWM, too (``ports/esp32/main.c``); an ESP8266's does not.
        """
        for timer in tuple(self.timers):
            timer.stop()
        self._hardware_timers.clear()
        for pin in self.pins.values():
            pin.irq = None
            if not self._board.profile.esp8266:
                pin.end_pwm()
        if self.buses is not None:
            self.buses.soft_reset()

    def reset(self) -> None:
        """Do what a reset of the chip does: pins are inputs again, but those that are held.

        In deep sleep inputs keep their pulls, so that they can wake the chip.
        """
        self.soft_reset()
        self.watchdog.forget()
        self.alarm = (0, 0)
        sleeps = self._board.power.state is PowerState.DEEP_SLEEP
        for number, pin in self.pins.items():
            if pin.held and (self.holds_all or number in self.chip.rtc):
                continue
            if sleeps:
                pin.held = False
                pin.let_go()
            else:
                pin.forget()
        for source in self._analog.values():
            source.attenuation = None
        self.adc_bits = {1: 12, 2: 12}
        for output in self._dacs.values():
            output.value = None
        if not sleeps:
            for pad in self._touches.values():
                pad.used = False

    def power_off(self) -> None:
        """Do what a loss of power does: nothing is held, either."""
        self.holds_all = False
        for pin in self.pins.values():
            pin.held = False
        self.reset()

    # For the pins.

    @property
    def now_us(self) -> int:
        """The clock's time."""
        return self._board.clock.now_us

    def after(self, us: int, function: Callable[[], None]) -> None:
        """Call `function` in `us` microseconds."""
        clock = self._board.clock
        clock.call_at(clock.now_us + us, function)

    def schedule(self, function: Callable[[Any], object], argument: Any) -> None:
        """Queue a callback of the program."""
        self._board.schedule(function, argument)

    def changed(self) -> None:
        """Tell the watchers that a level changed."""
        if self.watchers:
            for watcher in tuple(self.watchers):
                watcher()

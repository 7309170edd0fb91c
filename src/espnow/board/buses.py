"""The buses of a board and what is connected to them: I2C, SPI, UART, 1-Wire, DHT sensors and chains of pixels.

Rules: no input and output of the host. What is connected stays connected over resets and sleep, and keeps its power;
what the program had set up is gone.

A bus to which nobody attached anything has open ends, so that a program runs as it stands: on I2C a display answers at
0x3C, and every other address takes writes and gives zeros, or what the usual sensor there gives (`espnow.board.usual`);
SPI gives zeros; at a pin for a DHT or a DS18B20 there is one of 20 °C. From the first `attach` on, only what is
attached is there. All of that is decided here, not measured.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from espnow.board.devices import Ds18b20, I2cDevice, Oled, SpiDevice, crc8, dht_frame
from espnow.board.uart import Uart
from espnow.errors import UserError

if TYPE_CHECKING:
    from espnow.board.audio import I2s
    from espnow.board.board import Board
    from espnow.board.card import Card
    from espnow.board.counters import CounterUnit

__all__ = ["Buses", "Dht", "I2cBus", "OneWireBus", "Pixels", "SpiBus", "buses_of"]

#: The address of most displays.
_DISPLAY = 0x3C

#: Addresses that ``scan()`` asks.
_SCANNED = range(0x08, 0x78)

#: How many writes to a chain of pixels are kept.
_KEPT_WRITES = 4096


class _Zeros:
    """What answers at an address of an I2C bus with open ends."""

    def write(self, data: bytes) -> None:
        """Take it."""

    def read(self, count: int) -> bytes:
        """Return zeros."""
        return bytes(count)


_ZEROS = _Zeros()


class I2cBus:
    """An I2C bus: two wires, and the devices on them."""

    def __init__(self) -> None:
        self._devices: dict[int, I2cDevice] = {}
        self._open_ends = True
        self._default: Oled | None = None
        self._there_by_itself: dict[int, I2cDevice] = {}

    def attach(self, address: int, device: I2cDevice) -> None:
        """Connect a device, in place of the one that was there.

        Raises:
            UserError: `address` is none of 0x08 to 0x77.
        """
        if address not in _SCANNED:
            raise UserError(f"an I2C address is 0x08 to 0x77, not {address!r}")
        self._open_ends = False
        self._devices[address] = device

    def detach(self, address: int) -> None:
        """Take a device off; harmless if there is none. The bus has no open ends from now on."""
        self._open_ends = False
        self._devices.pop(address, None)

    @property
    def display(self) -> Oled:
        """The display on the bus: the first one attached, or the one that is there by itself.

        Raises:
            UserError: other things were attached, and no display.
        """
        if self._open_ends:
            if self._default is None:
                self._default = Oled()
            return self._default
        for device in self._devices.values():
            if isinstance(device, Oled):
                return device
        raise UserError("no display is attached to this I2C bus")

    def at(self, address: int) -> I2cDevice | None:
        """Return what answers at an address, or None."""
        if self._open_ends:
            return self.display if address == _DISPLAY else self._usual(address)
        return self._devices.get(address)

    def _usual(self, address: int) -> I2cDevice:
        device = self._there_by_itself.get(address)
        if device is None:
            from espnow.board.usual import usual

            device = self._there_by_itself[address] = usual(address) or _ZEROS
        return device

    def scan(self) -> list[int]:
        """Return the addresses that answer a scan."""
        return [_DISPLAY] if self._open_ends else sorted(self._devices)


class SpiBus:
    """An SPI bus: its clock and data lines, and the devices on them.

    Attributes:
        sent: how many bytes the board has sent.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._devices: list[tuple[SpiDevice, int | None, int | None]] = []
        self.sent = 0

    def attach(self, device: SpiDevice, *, cs: int | None = None, dc: int | None = None) -> None:
        """Connect a device.

        Args:
            device: what is connected.
            cs: number of the pin that selects it while it is low; without one it is always selected.
            dc: number of the pin that tells data (high) from commands.
        """
        self._devices.append((device, cs, dc))

    def transfer(self, data: bytes) -> bytes:
        """Send bytes, and return what came meanwhile: from the first device that is selected, else zeros."""
        self.sent += len(data)
        answer: bytes | None = None
        for device, cs, dc in self._devices:
            if cs is None or not self._level(cs, 1):
                given = device.transfer(data, 1 if dc is None else self._level(dc, 0))
                answer = given if answer is None else answer
        return bytes(len(data)) if answer is None else answer

    def _level(self, pin: int, unused: int) -> int:
        """Return the level of a pin, `unused` for one that nothing uses yet."""
        found = self._board.ports.pins.get(pin)
        return unused if found is None else found.value


class Dht:
    """A DHT11 or DHT22 at a pin.

    Attributes:
        temperature: in °C.
        humidity: in percent.
        connected: whether it answers.
        dht11: whether it is a DHT11, for a program with its own driver; MicroPython's asks for the kind that it knows.
    """

    def __init__(self) -> None:
        self.temperature = 20.0
        self.humidity = 50.0
        self.connected = True
        self.dht11 = False

    def set(self, temperature: float | None = None, humidity: float | None = None) -> None:
        """Change what it measures; None leaves it. It is connected from now on."""
        if temperature is not None:
            self.temperature = temperature
        if humidity is not None:
            self.humidity = humidity
        self.connected = True

    def disconnect(self) -> None:
        """Take it off: the program gets OSError(ETIMEDOUT)."""
        self.connected = False

    def frame(self, *, dht11: bool | None = None) -> bytes | None:
        """Return the five bytes that it sends, or None if nothing answers."""
        if not self.connected:
            return None
        return dht_frame(self.temperature, self.humidity, dht11=self.dht11 if dht11 is None else dht11)


class OneWireBus:
    """A 1-Wire bus at a pin, with its sensors."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._open_ends = True
        self.sensors: list[Ds18b20] = [Ds18b20(_rom(1))]

    def attach(self, rom: bytes | None = None, temperature: float = 20.0) -> Ds18b20:
        """Connect a DS18B20, and return it.

        Args:
            rom: its number: 8 bytes, or its own 6 without family and check sum; None for the next free one.
            temperature: what it measures, in °C; can be set later, too.

        Raises:
            UserError: `rom` is no number of a sensor.
        """
        if self._open_ends:
            self._open_ends = False
            self.sensors.clear()
        if rom is None:
            rom = _rom(len(self.sensors) + 1)
        elif len(rom) == 6:
            rom = _with_crc(b"\x28" + rom)
        elif len(rom) != 8 or crc8(rom):
            raise UserError(f"a ROM is 6 bytes, or 8 with family and check sum, not {rom.hex()}")
        sensor = Ds18b20(bytes(rom), temperature)
        self.sensors.append(sensor)
        return sensor

    def detach(self) -> None:
        """Take everything off."""
        self._open_ends = False
        self.sensors.clear()

    def set(self, temperature: float) -> None:
        """Change what every sensor measures."""
        for sensor in self.sensors:
            sensor.temperature = temperature

    def reset(self) -> bool:
        """Send the reset pulse; whether a sensor is present."""
        for sensor in self.sensors:
            sensor.reset()
        return bool(self.sensors)

    def read_bit(self) -> int:
        """Return the level of the line in a read slot: any sensor can pull it down."""
        now_us = self._board.clock.now_us
        return min([sensor.read_bit(now_us) for sensor in self.sensors], default=1)

    def write_bit(self, bit: int) -> None:
        """Send a bit to every sensor."""
        now_us = self._board.clock.now_us
        for sensor in self.sensors:
            sensor.write_bit(bit, now_us)


def _with_crc(rom: bytes) -> bytes:
    return rom + bytes([crc8(rom)])


def _rom(number: int) -> bytes:
    return _with_crc(b"\x28\xff" + number.to_bytes(5, "big"))


class Pixels:
    """A chain of addressable LEDs at a pin (WS2812, SK6812, APA106).

    Attributes:
        writes: ``(at_us, bytes)`` of the last writes, as they went over the wire.
        order: where red, green, blue and white are among the bytes of one LED.
        bytes_per_pixel: 3, or 4 with white.
    """

    def __init__(self) -> None:
        self.writes: deque[tuple[int, bytes]] = deque(maxlen=_KEPT_WRITES)
        self.order: tuple[int, ...] = (1, 0, 2, 3)
        self.bytes_per_pixel = 3

    def write(self, at_us: int, data: bytes) -> None:
        """Take what goes over the wire."""
        self.writes.append((at_us, data))

    @property
    def pixels(self) -> list[tuple[int, ...]]:
        """The colours now, from the first LED on: (red, green, blue) or (red, green, blue, white)."""
        return self._colours(self.writes[-1][1]) if self.writes else []

    @property
    def history(self) -> list[tuple[int, list[tuple[int, ...]]]]:
        """The last writes, oldest first: when, in microseconds, and the colours."""
        return [(at_us, self._colours(data)) for at_us, data in self.writes]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, number: int) -> tuple[int, ...]:
        return self.pixels[number]

    def _colours(self, data: bytes) -> list[tuple[int, ...]]:
        size = self.bytes_per_pixel
        order = self.order[:size]
        return [tuple(data[place + offset] for offset in order) for place in range(0, len(data) - size + 1, size)]


class Buses:
    """All buses of one board. Each comes into being when it is first asked for."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._i2c: dict[int | tuple[int, int], I2cBus] = {}
        self._spi: dict[int | tuple[int, ...], SpiBus] = {}
        self._uarts: dict[int, Uart] = {}
        self._dht: dict[int, Dht] = {}
        self._onewire: dict[int, OneWireBus] = {}
        self._pixels: dict[int, Pixels] = {}
        self._i2s: dict[int, I2s] = {}
        self._cards: dict[int, Card] = {}
        self._counters: dict[int, CounterUnit] = {}
        self._opened: list[I2cBus] = []

    def i2c(
        self, number: int | tuple[int, int] | None = None, *, scl: int | None = None, sda: int | None = None
    ) -> I2cBus:
        """Return an I2C bus.

        Args:
            number: of the bus, or its pins ``(scl, sda)``; without any, the only one that the program has opened.
            scl: number of the pin with the clock, where the bus has no number.
            sda: number of the pin with the data.

        Raises:
            UserError: it is not said which, and there is not one that must be meant.
        """
        if scl is not None and sda is not None:
            number = (scl, sda)
        if number is None:
            if len(self._opened) == 1:
                return self._opened[0]
            known = ", ".join(str(key) for key in self._i2c) or "none"
            raise UserError(f"which I2C bus? Give its number, or scl= and sda=; known so far: {known}")
        bus = self._i2c.get(number)
        if bus is None:
            bus = self._i2c[number] = I2cBus()
        return bus

    def open_i2c(self, number: int | None, scl: int, sda: int) -> I2cBus:
        """Return the bus that a program means: by its wires where somebody named these, else by its number."""
        pins = (scl, sda)
        bus = self._i2c.get(pins)
        if bus is None:
            bus = self._i2c[pins] = I2cBus() if number is None else self.i2c(number)
        if number is not None:
            self._i2c.setdefault(number, bus)
        if bus not in self._opened:
            self._opened.append(bus)
        return bus

    def spi(
        self, number: int | tuple[int, ...] | None = None, *, sck: int | None = None, mosi: int | None = None
    ) -> SpiBus:
        """Return an SPI bus, by its number or by its pins ``(sck, mosi)``.

        Raises:
            UserError: it is not said which.
        """
        if sck is not None and mosi is not None:
            number = (sck, mosi)
        if number is None:
            raise UserError("which SPI bus? Give its number, or sck= and mosi=")
        bus = self._spi.get(number)
        if bus is None:
            bus = self._spi[number] = SpiBus(self._board)
        return bus

    def open_spi(self, number: int | None, sck: int, mosi: int) -> SpiBus:
        """Return the bus that a program means: by its wires where somebody named these, else by its number."""
        pins = (sck, mosi)
        bus = self._spi.get(pins)
        if bus is None:
            bus = self._spi[pins] = self.spi(pins if number is None else number)
        return bus

    def uart(self, number: int) -> Uart:
        """Return a UART by its number.

        Raises:
            UserError: the chip has no such UART.
        """
        uart = self._uarts.get(number)
        if uart is None:
            count = 2 if self._board.profile.esp8266 else 3
            if number not in range(count):
                raise UserError(f"board {self._board.name!r} has UART 0 to {count - 1}, not {number!r}")
            uart = self._uarts[number] = Uart(self._board, number)
        return uart

    def dht(self, pin: int) -> Dht:
        """Return the DHT sensor at a pin."""
        sensor = self._dht.get(pin)
        if sensor is None:
            sensor = self._dht[pin] = Dht()
        return sensor

    def onewire(self, pin: int) -> OneWireBus:
        """Return the 1-Wire bus at a pin."""
        bus = self._onewire.get(pin)
        if bus is None:
            bus = self._onewire[pin] = OneWireBus(self._board)
        return bus

    def pixels(self, pin: int) -> Pixels:
        """Return the chain of LEDs at a pin."""
        chain = self._pixels.get(pin)
        if chain is None:
            chain = self._pixels[pin] = Pixels()
        return chain

    def i2s(self, number: int) -> I2s:
        """Return an I2S port by its number.

        Raises:
            UserError: the chip has no such port.
        """
        port = self._i2s.get(number)
        if port is None:
            from espnow.board.audio import I2s

            count = self._board.ports.chip.i2s
            if number not in range(count):
                has = f"I2S 0 to {count - 1}, not {number!r}" if count else "no I2S"
                raise UserError(f"board {self._board.name!r} has {has}")
            port = self._i2s[number] = I2s(self._board, number)
        return port

    def card(self, slot: int = 1) -> Card:
        """Return the memory card in a slot of ``machine.SDCard``; 2 is that of the module ``sdcard``, too.

        Raises:
            UserError: the chip has no such slot.
        """
        card = self._cards.get(slot)
        if card is None:
            from espnow.board.card import Card

            if slot not in range(4):
                raise UserError(f"board {self._board.name!r} has slots 0 to 3 for memory cards, not {slot!r}")
            card = self._cards[slot] = Card()
        return card

    def counter(self, number: int) -> CounterUnit:
        """Return a pulse counter by its number."""
        unit = self._counters.get(number)
        if unit is None:
            from espnow.board.counters import CounterUnit

            unit = self._counters[number] = CounterUnit(self._board)
        return unit

    @property
    def armed(self) -> bool:
        """Whether a callback is set, so that something may be called though no program runs."""
        return (
            any(uart.handler is not None for uart in self._uarts.values())
            or any(port.busy for port in self._i2s.values())
            or any(unit.handler is not None for unit in self._counters.values())
        )

    def soft_reset(self) -> None:
        """Forget what the program had set up; what is connected stays."""
        self._opened.clear()
        for uart in self._uarts.values():
            uart.close()
        for port in self._i2s.values():
            port.close()
        for unit in self._counters.values():
            unit.forget()
            unit.owner = None


def buses_of(board: Board) -> Buses:
    """Return the buses of a board."""
    ports = board.ports
    buses = ports.buses
    if buses is None:
        buses = ports.buses = Buses(board)
    return buses

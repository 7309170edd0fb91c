"""What a person, a test or a lab file reaches of a board's pins and buses.

Each call returns the outer side of one of them, made when it is first asked for, and the same one ever after; what is
connected there outlives every reset of the board.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from espnow.board import Board

if TYPE_CHECKING:
    from espnow.board.audio import I2s
    from espnow.board.buses import Dht, I2cBus, OneWireBus, Pixels, SpiBus
    from espnow.board.card import Card
    from espnow.board.ports import AnalogInput, AnalogOutput, PortPin, TouchPin
    from espnow.board.uart import Uart

__all__ = ["Outside"]


class Outside:
    """The outside of a board.

    Attributes:
        hardware: the emulated board itself.
    """

    hardware: Board

    def pin(self, number: int) -> PortPin:
        """Return a pin: `drive` it, `press` the button at it, read its `value` and `history`.

        Raises:
            ValueError: the board has no such pin.
        """
        return self.hardware.ports.pin(number)

    def adc(self, pin: int) -> AnalogInput:
        """Return the analogue input at a pin, to set its voltage; of an ESP8266, 0 is A0 and 1 its supply.

        Raises:
            ValueError: the board has no such input.
        """
        return self.hardware.ports.adc(pin)

    def dac(self, pin: int) -> AnalogOutput:
        """Return the DAC's output at a pin."""
        return self.hardware.ports.dac(pin)

    def touch(self, pin: int) -> TouchPin:
        """Return the touch pad at a pin.

        Raises:
            ValueError: the board has none there.
        """
        return self.hardware.ports.touch(pin)

    def uart(self, number: int) -> Uart:
        """Return a UART: `inject` bytes, read its `output`, `connect` it to another board's."""
        return self.hardware.ports.uart(number)

    def i2c(
        self, bus: int | tuple[int, int] | None = None, *, scl: int | None = None, sda: int | None = None
    ) -> I2cBus:
        """Return an I2C bus, to attach devices: by its number or by its pins."""
        return self.hardware.ports.i2c(bus, scl=scl, sda=sda)

    def spi(
        self, bus: int | tuple[int, ...] | None = None, *, sck: int | None = None, mosi: int | None = None
    ) -> SpiBus:
        """Return an SPI bus, to attach devices: by its number or by its pins."""
        return self.hardware.ports.spi(bus, sck=sck, mosi=mosi)

    def dht(self, pin: int) -> Dht:
        """Return the DHT sensor at a pin, to set its temperature and humidity."""
        return self.hardware.ports.dht(pin)

    def onewire(self, pin: int) -> OneWireBus:
        """Return the 1-Wire bus at a pin, to attach thermometers."""
        return self.hardware.ports.onewire(pin)

    def pixels(self, pin: int) -> Pixels:
        """Return the chain of addressable LEDs at a pin."""
        return self.hardware.ports.pixels(pin)

    def i2s(self, number: int) -> I2s:
        """Return an I2S port: `feed` what its microphone hears, read as `output` what it plays."""
        return self.hardware.ports.i2s(number)

    def sdcard(self, slot: int = 1) -> Card:
        """Return the memory card in a slot of `machine.SDCard`: `remove` it, `insert` another one."""
        return self.hardware.ports.sdcard(slot)

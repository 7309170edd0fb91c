"""`machine.ADC`, `ADCBlock`, `DAC` and `TouchPad`.

They follow https://docs.micropython.org/en/latest/library/machine.ADC.html, the ESP32's quick reference, and
MicroPython's ``ports/esp32/machine_adc.c``, ``machine_adcblock.c``, ``machine_dac.c``, ``machine_touchpad.c`` and
``ports/esp8266/machine_adc.c``. Without an attenuation an ESP32 measures with 0 dB. While Wi-Fi is active, its block 2
cannot be read.

Assumed: an ADC is linear and free of noise; the ranges of an ESP32's attenuations reach up to 1.1, 1.5, 2.2 and 3.3 V;
an ESP8266's chip measures up to 1.0 V, whatever divider its board has.
"""

from __future__ import annotations

import operator
from typing import Any, Self

from espnow.board.ports import AnalogInput, AnalogOutput, TouchPin
from espnow.errors import ETIMEDOUT, BoardOSError
from espnow.micropython.machine.binding import Bound, bind
from espnow.micropython.machine.pin import find_pin
from espnow.micropython.struct import to_int

__all__ = ["ADC", "FULL_VOLTS", "FULL_VOLTS_ESP8266", "ADCBlock", "AdcEsp8266", "DAC", "TouchPad"]

#: Up to how many volts each attenuation measures. Assumed.
FULL_VOLTS = (1.1, 1.5, 2.2, 3.3)

#: The same of an ESP8266. Assumed.
FULL_VOLTS_ESP8266 = 1.0


class ADC(Bound):
    """An analogue input of an ESP32."""

    __slots__ = ("_block", "_input", "_number")

    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3
    WIDTH_9BIT = 9
    WIDTH_10BIT = 10
    WIDTH_11BIT = 11
    WIDTH_12BIT = 12

    _block: int
    _input: AnalogInput
    _number: int

    def __new__(cls, pin: object, **_keywords: object) -> Self:
        """Return the one object of an input.

        Raises:
            ValueError: the pin has no ADC.
        """
        board = cls._board
        number = find_pin(board, pin).number
        if not board.ports.has("analog", number):
            raise ValueError("invalid pin")
        adc = cls._one(number)
        adc._block, adc._input, adc._number = board.ports.chip.analog[number], board.ports.adc(number), number
        return adc

    def __init__(self, _pin: object, *, atten: int = -1) -> None:
        self.init(atten=atten)

    def __repr__(self) -> str:
        return f"ADC(Pin({self._number}), atten={self._input.attenuation})"

    def init(self, *, atten: int = -1) -> None:
        """Choose a range."""
        if atten != -1:
            self.atten(atten)
        elif self._input.attenuation is None:
            self._input.attenuation = self.ATTN_0DB

    def deinit(self) -> None:
        """Do nothing: the input stays as it is."""

    def atten(self, atten: int, /) -> None:
        """Choose a range, one of ``ATTN_*``.

        Raises:
            ValueError: there is none such.
        """
        if not 0 <= operator.index(atten) < len(FULL_VOLTS):
            raise ValueError("invalid atten")
        self._input.attenuation = atten

    def width(self, bits: int, /) -> None:
        """Choose how many bits the input's whole block gives: ``WIDTH_9BIT`` and so on, or their old numbers 0 to 3.

        Raises:
            ValueError: it cannot give as many.
        """
        bits = operator.index(bits)
        if 0 <= bits <= 3:
            bits += 9
        if not 9 <= bits <= 12:
            raise ValueError("invalid bits")
        self._board.ports.adc_bits[self._block] = bits

    def block(self) -> ADCBlock:
        """Return the block that the input belongs to."""
        return bind(self._board, "ADCBlock", ADCBlock)(self._block)

    def read(self) -> int:
        """Return what it measures, in as many bits as the width says."""
        return round(self._share() * ((1 << self._board.ports.adc_bits[self._block]) - 1))

    def read_u16(self) -> int:
        """Return what it measures as 0 to 65535."""
        bits = self._board.ports.adc_bits[self._block]
        raw = self.read()
        return raw << (16 - bits) | raw >> (2 * bits - 16)

    def read_uv(self) -> int:
        """Return what it measures in microvolts, to the millivolt."""
        return round(self._share() * self._full_volts * 1000) * 1000

    @property
    def _full_volts(self) -> float:
        return FULL_VOLTS[self._input.attenuation or 0]

    def _share(self) -> float:
        board = self._board
        board.look()
        is_taken = self._block == 2 and any(map(board.wifi.interface_active, (0, 1)))
        if is_taken and not board.ports.reads_beside_wifi(self._number):
            raise BoardOSError(ETIMEDOUT)
        return self._input.share(self._full_volts)


class ADCBlock(Bound):
    """A block of an ESP32's ADC, with the width of all its inputs."""

    __slots__ = ("_number",)

    def __init__(self, id: int, *, bits: int = -1) -> None:
        if id not in (1, 2):
            raise ValueError("invalid block id")
        self._number = id
        self.init(bits=bits)

    def __repr__(self) -> str:
        return f"ADCBlock({self._number}, bits={self._board.ports.adc_bits[self._number]})"

    def init(self, *, bits: int = -1) -> None:
        """Choose how many bits the block gives.

        Raises:
            ValueError: it cannot give as many.
        """
        if bits != -1:
            if not 9 <= operator.index(bits) <= 12:
                raise ValueError("invalid bits")
            self._board.ports.adc_bits[self._number] = bits

    def connect(self, source: Any, *more: Any) -> ADC:
        """Return an input of the block, by its pin, its channel, or both.

        Raises:
            ValueError: the block has no such input.
        """
        wanted = more[0] if more else source
        analog = self._board.ports.chip.analog
        pins = [pin for pin, block in analog.items() if block == self._number]
        if isinstance(wanted, int):
            if not 0 <= wanted < len(pins):
                raise ValueError("no matching ADC")
            wanted = pins[wanted]
        elif find_pin(self._board, wanted).number not in pins:
            raise ValueError("no matching ADC")
        return bind(self._board, "ADC", ADC)(wanted)


class AdcEsp8266(Bound):
    """The analogue input of an ESP8266: ``ADC(0)`` is A0, ``ADC(1)`` its supply."""

    __slots__ = ("_number",)

    _number: int

    def __new__(cls, channel: int, /) -> Self:
        """Return the one object of a channel.

        Raises:
            ValueError: there is none such.
        """
        channel = to_int(channel)
        if channel not in (0, 1):
            raise ValueError(f"ADC({channel}) doesn't exist")
        adc = cls._one(channel)
        adc._number = channel
        return adc

    def __repr__(self) -> str:
        return f"ADC({self._number})"

    def read(self) -> int:
        """Return 0 to 1024 for A0, and the supply in 1/1024 V."""
        self._board.look()
        source = self._board.ports.adc(self._number)
        if self._number == 1:
            return round(source.volts * 1024)
        return round(source.share(FULL_VOLTS_ESP8266) * 1024)

    def read_u16(self) -> int:
        """Return what it measures as 0 to 65535."""
        return self.read() * 65535 // 1024


class DAC(Bound):
    """An output of an ESP32's DAC."""

    __slots__ = ("_number", "_output")

    _number: int
    _output: AnalogOutput

    def __new__(cls, pin: object, /) -> Self:
        """Return the one object of an output.

        Raises:
            ValueError: the pin has no DAC.
        """
        number = find_pin(cls._board, pin).number
        if number not in cls._board.ports.chip.dac:
            raise ValueError("invalid Pin for DAC")
        dac = cls._one(number)
        dac._number, dac._output = number, cls._board.ports.dac(number)
        return dac

    def __repr__(self) -> str:
        return f"DAC(Pin({self._number}))"

    def write(self, value: int, /) -> None:
        """Put out `value`, 0 to 255.

        Raises:
            ValueError: it is beyond.
        """
        if not 0 <= operator.index(value) <= 255:
            raise ValueError("value out of range")
        self._output.value = value


class TouchPad(Bound):
    """A touch pad of an ESP32."""

    __slots__ = ("_pad",)

    _pad: TouchPin

    def __new__(cls, pin: object, /) -> Self:
        """Return the one object of a pad.

        Raises:
            ValueError: the pin has none.
        """
        number = find_pin(cls._board, pin).number
        if not cls._board.ports.has("touch", number):
            raise ValueError("invalid pin for touchpad")
        pad = cls._one(number)
        pad._pad = cls._board.ports.touch(number)
        pad._pad.used = True
        return pad

    def config(self, threshold: int, /) -> None:
        """Choose below which count it is touched, for ``esp32.wake_on_touch``."""
        self._pad.threshold = operator.index(threshold)

    def read(self) -> int:
        """Return the count, which is less while it is touched."""
        self._board.look()
        return self._pad.value

"""What differs between the chips in pins: which there are, and what each can do.

The tables are those of MicroPython's ports: ``ports/esp32/machine_adc.c``, ``machine_touchpad.c``, ``machine_dac.c``,
``machine_pin.c``, ``ports/esp8266/machine_pin.c``, and for the pins that the RTC watches and holds ESP-IDF's
``soc/*/rtc_io_channel.h``. ``other`` is no chip: it has what any ESP32 of a later kind has, for a program whose chip
nobody named.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CHIPS", "Chip"]


@dataclass(frozen=True, slots=True)
class Chip:
    """The pins of one chip.

    Attributes:
        name: as its maker calls it, in small letters.
        pins: all of them.
        input_only: those that cannot be outputs.
        raised: those that the circuit of a board pulls up: at its button BOOT or FLASH, on an ESP8266 at its LED, too.
            Assumed.
        analog: the inputs of the ADC: pin -> block, 1 or 2.
        touch: the touch pads.
        dac: the outputs of the DAC.
        rtc: those that can wake it from deep sleep, and are held in it.
        shared_block: Wi-Fi takes block 2 of the ADC for itself.
        i2s: how many I2S ports it has.
        counters: how many pulse counters (PCNT) it has.
    """

    name: str
    pins: frozenset[int]
    input_only: frozenset[int] = frozenset()
    raised: frozenset[int] = frozenset({0})
    analog: dict[int, int] = field(default_factory=dict)
    touch: frozenset[int] = frozenset()
    dac: frozenset[int] = frozenset()
    rtc: frozenset[int] = frozenset()
    shared_block: bool = False
    i2s: int = 0
    counters: int = 0


def _blocks(first: range | tuple[int, ...], second: range | tuple[int, ...]) -> dict[int, int]:
    return dict.fromkeys(first, 1) | dict.fromkeys(second, 2)


CHIPS: dict[str, Chip] = {
    chip.name: chip
    for chip in (
        Chip(
            "esp32",
            pins=frozenset(range(40)) - {*range(6, 12), 24, *range(28, 32)},  # 6 to 11 lead to its flash
            input_only=frozenset(range(34, 40)),
            analog=_blocks((36, 37, 38, 39, 32, 33, 34, 35), (4, 0, 2, 15, 13, 12, 14, 27, 25, 26)),
            touch=frozenset({4, 0, 2, 15, 13, 12, 14, 27, 33, 32}),
            dac=frozenset({25, 26}),
            rtc=frozenset({0, 2, 4, 12, 13, 14, 15, 25, 26, 27, *range(32, 40)}),
            shared_block=True,
            i2s=2,
            counters=8,
        ),
        Chip(
            "esp32s3",
            pins=frozenset(range(49)) - {22, 23, 24, 25},
            analog=_blocks(range(1, 11), range(11, 21)),
            touch=frozenset(range(1, 15)),
            rtc=frozenset(range(22)),
            i2s=2,
            counters=4,
        ),
        Chip(
            "esp32c3",
            pins=frozenset(range(22)),
            raised=frozenset({9}),
            analog=_blocks(range(5), (5,)),
            rtc=frozenset(range(6)),
            i2s=1,
        ),
        Chip(
            "esp32c6",
            pins=frozenset(range(31)),
            raised=frozenset({9}),
            analog=_blocks(range(7), ()),
            rtc=frozenset(range(8)),
            i2s=1,
            counters=4,
        ),
        Chip(
            "other",
            pins=frozenset(range(49)),
            raised=frozenset({0, 9}),  # an S2's or S3's, and a C3's or C6's
            analog=dict.fromkeys((*range(21), 25, 26, 27, *range(32, 40)), 1),
            touch=frozenset({*range(16), 27, 32, 33}),
            dac=frozenset({17, 18, 25, 26}),
            rtc=frozenset(range(49)),
            i2s=2,
            counters=8,
        ),
        Chip("esp8266", pins=frozenset({0, 1, 2, 3, 4, 5, 9, 10, 12, 13, 14, 15, 16}), raised=frozenset({0, 2})),
    )
}

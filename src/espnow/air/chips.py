"""What data sheets say of a chip's radio and of the current it draws.

Rules:

- It knows rates and nothing else: no air, no board, no battery. Frozen values and arithmetic on them.
- Units are in the names: ``_dbm`` at the antenna port, ``_ma`` at 3.3 V and 25 degrees, ``_mhz``, ``_ms``.
- No figure without a source: document, version and table, or the rule that it follows from. `Figure.confidence`
  tells whether it was read in the document, read where others cite the document, or is assumed. What is assumed
  stands in the lists of docs/chips.md, whose tables the tests hold against this module.
- A figure is a typical one of one chip on the maker's bench. A board adds its regulator, LEDs and USB bridge.

Follows Espressif's data sheets of the chips and, where these have no figure by rate, of its modules; for the time
that MicroPython takes to start, which no data sheet has, published measurements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from espnow.frame import (
    RATE_1M,
    RATE_2M,
    RATE_2M_SHORT,
    RATE_5M,
    RATE_5M_SHORT,
    RATE_6M,
    RATE_9M,
    RATE_11M,
    RATE_11M_SHORT,
    RATE_12M,
    RATE_18M,
    RATE_24M,
    RATE_36M,
    RATE_48M,
    RATE_54M,
    RATE_LORA_250K,
    RATE_LORA_500K,
    RATE_MCS0_LONG,
    RATE_MCS0_SHORT,
    RATES,
)

__all__ = ["CHIPS", "Chip", "Confidence", "CpuCurrent", "Figure", "TransmitPoint", "chip"]

#: How sure a figure is: read in the document that its source names, read where others cite that document, or assumed:
#: it follows from the rule that its source states.
Confidence = Literal["read", "cited", "assumed"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and where it comes from.

    Attributes:
        value: in the unit that the name of what holds it ends with.
        source: document, version and table; of an assumed figure the rule.
        confidence: how sure it is.
    """

    value: float
    source: str
    confidence: Confidence = "read"


@dataclass(frozen=True, slots=True)
class CpuCurrent:
    """What a chip draws with its radio off, at one clock of its CPU.

    Attributes:
        mhz: the clock.
        running_ma: one core computes; the clocks of the peripherals are on where the data sheet tells them apart.
        waiting_ma: the CPU waits for an interrupt; the clocks of the peripherals are off.
    """

    mhz: int
    running_ma: Figure
    waiting_ma: Figure


@dataclass(frozen=True, slots=True)
class TransmitPoint:
    """What a chip draws while a frame of its own is on the air, at one power.

    Attributes:
        power_dbm: the power.
        draw_ma: the current.
        condition: the modulation at which the data sheet tells it.
    """

    power_dbm: float
    draw_ma: Figure
    condition: str


@dataclass(frozen=True, slots=True, eq=False)
class Chip:
    """What is known of one chip.

    Attributes:
        name: as `chip` takes it.
        sensitivities_dbm: by rate, the weakest signal of which the chip loses less than a tenth of the frames (8
            percent of 802.11b's); without the rates that it has not.
        max_powers_dbm: by rate, the most power at which its signal is as clean as the standard wants it.
        transmit: from the least power to the most.
        receive_ma: the receiver on, whether or not a frame arrives.
        cpu: from the slowest clock to the fastest.
        idle_mhz: the clock at which MicroPython runs it.
        modem_sleep_ma: the CPU waits at 80 MHz, the radio is off between beacons.
        light_sleep_ma: the CPU stands, memory is kept.
        deep_sleep_ma: only the RTC timer runs.
        deep_sleep_memory_ma: the RTC timer runs and RTC memory is kept.
        power_off_ma: held in reset by its enable pin.
        boot_ms: from a wake or a reset to the first line of main.py.
        boot_ma: the mean current meanwhile.
    """

    name: str
    sensitivities_dbm: Mapping[int, Figure]
    max_powers_dbm: Mapping[int, Figure]
    transmit: tuple[TransmitPoint, ...]
    receive_ma: Figure
    cpu: tuple[CpuCurrent, ...]
    idle_mhz: int
    modem_sleep_ma: Figure
    light_sleep_ma: Figure
    deep_sleep_ma: Figure
    deep_sleep_memory_ma: Figure
    power_off_ma: Figure
    boot_ms: Figure
    boot_ma: Figure

    def __reduce__(self) -> tuple[Callable[[str], Chip], tuple[str]]:
        """Pickle the name alone: there is one object a chip in each process."""
        return chip, (self.name,)

    def sensitivity_dbm(self, rate: int) -> float:
        """Return the weakest signal that the chip decodes at a rate, in dBm.

        Args:
            rate: ``wifi_phy_rate_t`` number.

        Returns:
            Infinity for a rate that the chip has not: no signal is strong enough.

        Raises:
            ValueError: there is no such rate.
        """
        _known(rate)
        figure = self.sensitivities_dbm.get(rate)
        return math.inf if figure is None else figure.value

    def max_power_dbm(self, rate: int) -> float:
        """Return the most power that the chip sends with at a rate, in dBm.

        Args:
            rate: ``wifi_phy_rate_t`` number.

        Raises:
            ValueError: there is no such rate, or the chip has it not.
        """
        _known(rate)
        if rate not in self.max_powers_dbm:
            raise ValueError(f"{self.name} has no rate {rate} ({RATES[rate].name})")
        return self.max_powers_dbm[rate].value

    def transmit_ma(self, rate: int, power_dbm: float) -> float:
        """Return the current while a frame of the chip's own is on the air, in mA.

        Assumed: the current follows from the power alone, whatever the modulation; between two powers of the data
        sheet it is a straight line over dBm; below the least it is that of the least; above the most the last line
        goes on.

        Args:
            rate: ``wifi_phy_rate_t`` number.
            power_dbm: what is asked for; the chip sends with `max_power_dbm` at most.

        Raises:
            ValueError: there is no such rate, or the chip has it not.
        """
        power = min(power_dbm, self.max_power_dbm(rate))
        points = self.transmit
        if power <= points[0].power_dbm:
            return points[0].draw_ma.value
        last = len(points) - 1
        upper = next((index for index, point in enumerate(points) if power <= point.power_dbm), last)
        low, high = points[upper - 1], points[upper]
        share = (power - low.power_dbm) / (high.power_dbm - low.power_dbm)
        return low.draw_ma.value + share * (high.draw_ma.value - low.draw_ma.value)

    def idle_ma(self, mhz: int | None = None, *, waiting: bool = False) -> float:
        """Return the current with the radio off and the CPU on, in mA.

        Args:
            mhz: clock of the CPU; `idle_mhz` if it is None.
            waiting: the CPU waits for an interrupt, as in ``time.sleep``; else it computes.

        Raises:
            ValueError: the data sheet has no figure for that clock.
        """
        wanted = self.idle_mhz if mhz is None else mhz
        for at in self.cpu:
            if at.mhz == wanted:
                return (at.waiting_ma if waiting else at.running_ma).value
        clocks = ", ".join(str(at.mhz) for at in self.cpu)
        raise ValueError(f"no figure for {self.name} at {wanted} MHz; there are {clocks}")


def chip(name: str) -> Chip:
    """Return what is known of a chip.

    Args:
        name: esp32, esp32-s2, esp32-s3, esp32-c3, esp32-c6 or esp8266.

    Raises:
        ValueError: another name.
    """
    try:
        return CHIPS[name]
    except KeyError:
        raise ValueError(f"unknown chip {name!r}; there are {', '.join(CHIPS)}") from None


def _known(rate: int) -> None:
    if rate not in RATES:
        raise ValueError(f"unknown rate {rate!r}")


# The rates of each modulation, from the slowest to the fastest.
_B = (RATE_1M, RATE_2M, RATE_5M, RATE_11M)
_G = (RATE_6M, RATE_9M, RATE_12M, RATE_18M, RATE_24M, RATE_36M, RATE_48M, RATE_54M)
_N = tuple(range(RATE_MCS0_LONG, RATE_MCS0_LONG + 8))
_LADDERS = (_B, _G, _N)

# The same speed after the short preamble, and with the short guard interval.
_SHORT = MappingProxyType(
    {
        RATE_2M_SHORT: RATE_2M,
        RATE_5M_SHORT: RATE_5M,
        RATE_11M_SHORT: RATE_11M,
        **{RATE_MCS0_SHORT + mcs: RATE_MCS0_LONG + mcs for mcs in range(8)},
    }
)

# The rates for which data sheets that do not list all tell the transmit power.
_ENDS = (RATE_1M, RATE_11M, RATE_6M, RATE_54M, RATE_MCS0_LONG, RATE_MCS0_LONG + 7)


def _figures(
    rates: Sequence[int], values: Sequence[float], source: str, confidence: Confidence = "read"
) -> dict[int, Figure]:
    return {rate: Figure(value, source, confidence) for rate, value in zip(rates, values, strict=True)}


def _assumed(value: float, rule: str) -> Figure:
    return Figure(value, rule, "assumed")


def _between(known: dict[int, Figure], shape: Mapping[int, float], rule: str) -> dict[int, Figure]:
    """Fill the rates of each ladder: `shape`, stretched to meet the known ones on both sides, or moved to meet one."""
    filled = dict(known)
    for ladder in _LADDERS:
        given = [place for place, rate in enumerate(ladder) if rate in known]
        for place, rate in enumerate(ladder):
            if rate in known:
                continue
            low = ladder[max((at for at in given if at < place), default=given[0])]
            high = ladder[min((at for at in given if at > place), default=given[-1])]
            stretch = 1.0
            if low != high:
                stretch = (known[high].value - known[low].value) / (shape[high] - shape[low])
            filled[rate] = _assumed(round(known[low].value + stretch * (shape[rate] - shape[low]), 1), rule)
    return filled


def _with_short(figures: dict[int, Figure], long_range: Mapping[int, Figure]) -> Mapping[int, Figure]:
    rule = "as after the long preamble, as with the long guard interval"
    short = {rate: _assumed(figures[slow].value, rule) for rate, slow in _SHORT.items() if rate not in figures}
    return MappingProxyType({**figures, **short, **long_range})


# One engineer of the maker has -105 dBm at 125 kbit/s against -97 dBm at 1 Mb/s (esp32.com, topic 3096); halving a
# rate gains 3 dB. ESP-IDF's Wi-Fi guide has about 4 dB for long range as a whole, which lies between the two.
_LONG_RANGE_GAIN_DB = MappingProxyType({RATE_LORA_250K: 5.0, RATE_LORA_500K: 2.0})


def _sensitivities(known: dict[int, Figure], *, long_range: bool = True) -> Mapping[int, Figure]:
    rule = "the ESP32's steps from rate to rate, stretched to meet the rates that the data sheet has"
    figures = _between(known, _ESP32_SENSITIVITY_DBM, rule)
    gains = _LONG_RANGE_GAIN_DB if long_range else {}
    rule = "better than 1 Mb/s by 5 dB at 250 kbit/s, by 2 dB at 500 kbit/s"
    slow = figures[RATE_1M].value
    return _with_short(figures, {rate: _assumed(round(slow - gain, 1), rule) for rate, gain in gains.items()})


def _max_powers(
    values: Sequence[float], source: str, confidence: Confidence = "read", *, long_range: bool = True
) -> Mapping[int, Figure]:
    steps = {rate: float(place) for ladder in _LADDERS for place, rate in enumerate(ladder)}
    known = _figures(_ENDS, values, source, confidence)
    figures = _between(known, steps, "equal steps from the slowest rate of a modulation to its fastest")
    slow = figures[RATE_1M].value
    lr = (RATE_LORA_250K, RATE_LORA_500K) if long_range else ()
    return _with_short(figures, {rate: _assumed(slow, "as at 1 Mb/s") for rate in lr})


def _transmit(*points: tuple[float, str, Figure]) -> tuple[TransmitPoint, ...]:
    return tuple(TransmitPoint(power, draw, condition) for power, condition, draw in points)


_DSSS = "802.11b 1 Mb/s"
_CCK = "802.11b 11 Mb/s"
_OFDM = "802.11g 54 Mb/s"
_HT = "802.11n MCS7"
_LE = "Bluetooth LE"
_ZERO = "0 dBm"

# Tables that tell an average over half the time on the air: what is drawn on the air is twice that less the
# receiver's. Where Espressif prints both (ESP32-WROOM-32E v2.0 table 16, ESP32-S2-WROOM v1.1 table 7) the rule meets
# the six printed peaks within 4 percent.
_HALF_DUTY = "twice the average of {} at 50 percent duty, less the receiver's current"

# The sheets with Bluetooth have 1.5 to 2 times the receiver's current there (the mean of four is 1.8).
_ZERO_RULE = "1.8 times the receiver's current, the mean of the chips whose data sheets have it"

# The start of MicroPython itself, from its frozen _boot.py to main.py: 350 ms of the 635 measured on an ESP32-S3.
_S3_BOOT = "upy-esp32-experiments (glenn20), OptimisingMicropythonBootTime: MicroPython 1.19 on a FeatherS3"
_BOOT_MS_RULE = "as measured on an ESP32-S3"
# The data sheets of S3 and C3 add 10 mA for reading flash; on the S3 this meets the measured 66 mA within 3 percent.
_BOOT_MA_RULE = "the CPU running at 160 MHz, and 10 mA for reading flash"

_ONE_CPU_RULE = "as the CPU waiting: the data sheet has one figure for modem sleep, whatever the CPU does"

_ESP32_SHEET = "ESP32 Series Datasheet v5.2"
_ESP32_MODULE = "ESP32-WROOM-32E & ESP32-WROOM-32UE Datasheet v2.0"
_ESP32_CPU = f"{_ESP32_SHEET}, table 4-2, dual core: the upper and the lower end of the range"
# The module's sheet: the chip's own has six of these rates, within 1 dB of it.
_ESP32_SENSITIVITY_DBM = MappingProxyType(
    {
        **dict(zip(_B, (-97.0, -94.0, -92.0, -88.0), strict=True)),
        **dict(zip(_G, (-93.0, -91.0, -89.0, -87.0, -84.0, -80.0, -77.0, -75.0), strict=True)),
        **dict(zip(_N, (-92.0, -88.0, -86.0, -83.0, -80.0, -76.0, -74.0, -72.0), strict=True)),
    }
)

_ESP32 = Chip(
    name="esp32",
    sensitivities_dbm=_sensitivities(
        _figures((*_B, *_G, *_N), tuple(_ESP32_SENSITIVITY_DBM.values()), f"{_ESP32_MODULE}, table 21")
    ),
    max_powers_dbm=_max_powers((19.5, 19.5, 18.0, 14.0, 18.0, 13.0), f"{_ESP32_MODULE}, table 20"),
    transmit=_transmit(
        (0.0, "Bluetooth", _assumed(162.0, _HALF_DUTY.format(f"{_ESP32_SHEET}, table 5-4"))),
        (13.0, _HT, Figure(258.0, f"{_ESP32_MODULE}, table 16, peak")),
        (15.0, _OFDM, Figure(276.0, f"{_ESP32_MODULE}, table 16, peak")),
        (19.5, _DSSS, Figure(379.0, f"{_ESP32_MODULE}, table 16, peak")),
    ),
    receive_ma=Figure(112.0, f"{_ESP32_MODULE}, table 16"),
    # The data sheet does not say what the CPU does at either end.
    cpu=tuple(
        CpuCurrent(mhz, _assumed(most, _ESP32_CPU), _assumed(least, _ESP32_CPU))
        for mhz, most, least in ((80, 31.0, 20.0), (160, 44.0, 27.0), (240, 68.0, 30.0))
    ),
    idle_mhz=160,
    modem_sleep_ma=Figure(20.0, _ESP32_CPU),
    light_sleep_ma=Figure(0.8, f"{_ESP32_SHEET}, table 4-2"),
    deep_sleep_ma=Figure(0.005, f"{_ESP32_SHEET}, table 4-2"),
    deep_sleep_memory_ma=Figure(0.010, f"{_ESP32_SHEET}, table 4-2"),
    power_off_ma=Figure(0.001, f"{_ESP32_SHEET}, table 4-2"),
    boot_ms=_assumed(542.0, "192 ms to the program (hackaday.io, project 174898), and 350 ms of MicroPython's start"),
    boot_ma=_assumed(54.0, _BOOT_MA_RULE),
)

_S2_SHEET = "ESP32-S2 Series Datasheet v1.8"
_S2_MODULE = "ESP32-S2-WROOM & ESP32-S2-WROOM-I Datasheet v1.1"

_ESP32_S2 = Chip(
    name="esp32-s2",
    sensitivities_dbm=_sensitivities(
        _figures((*_B, *_G, *_N), tuple(_ESP32_SENSITIVITY_DBM.values()), "as the ESP32's", "assumed")
    ),
    max_powers_dbm=_max_powers((19.5, 19.5, 18.0, 18.0, 18.0, 17.0), f"{_S2_SHEET}, table 6-2"),
    transmit=_transmit(
        (0.0, _ZERO, _assumed(113.0, _ZERO_RULE)),
        (13.0, _HT, Figure(200.0, f"{_S2_SHEET}, table 5-7")),
        (15.0, _OFDM, Figure(220.0, f"{_S2_SHEET}, table 5-7")),
        (19.5, _DSSS, Figure(310.0, f"{_S2_SHEET}, table 5-7")),
    ),
    receive_ma=Figure(63.0, f"{_S2_MODULE}, table 7"),
    cpu=tuple(
        CpuCurrent(mhz, _assumed(ma, _ONE_CPU_RULE), Figure(ma, f"{_S2_MODULE}, table 8"))
        for mhz, ma in ((80, 14.0), (160, 17.0), (240, 22.0))
    ),
    idle_mhz=160,
    modem_sleep_ma=Figure(14.0, f"{_S2_MODULE}, table 8"),
    light_sleep_ma=Figure(0.75, f"{_S2_SHEET}, table 5-9"),
    deep_sleep_ma=Figure(0.020, f"{_S2_MODULE}, table 8"),
    deep_sleep_memory_ma=Figure(0.025, f"{_S2_MODULE}, table 8"),
    power_off_ma=Figure(0.001, f"{_S2_MODULE}, table 8"),
    boot_ms=_assumed(635.0, _BOOT_MS_RULE),
    boot_ma=_assumed(27.0, _BOOT_MA_RULE),
)

_S3_SHEET = "ESP32-S3 Series Datasheet v2.2"
_S3_CPU = f"{_S3_SHEET}, table 5-9, one core on 32-bit data with the peripherals' clocks, and WAITI without"

_ESP32_S3 = Chip(
    name="esp32-s3",
    sensitivities_dbm=_sensitivities(
        {
            **_figures(_B, (-98.4, -95.4, -93.0, -88.6), f"{_S3_SHEET}, table 6-4"),
            **_figures(_G, (-93.2, -91.8, -91.2, -88.6, -86.0, -82.4, -78.2, -76.5), f"{_S3_SHEET}, table 6-4"),
            **_figures(_N, (-92.6, -91.0, -88.2, -85.0, -81.8, -77.4, -75.8, -74.2), f"{_S3_SHEET}, table 6-4"),
        }
    ),
    max_powers_dbm=_max_powers((21.0, 21.0, 20.5, 19.0, 19.5, 18.5), f"{_S3_SHEET}, table 6-2"),
    transmit=_transmit(
        (0.0, _LE, Figure(176.0, f"{_S3_SHEET}, table 5-8")),
        (9.0, _LE, Figure(193.0, f"{_S3_SHEET}, table 5-8")),
        (18.5, _HT, Figure(283.0, f"{_S3_SHEET}, table 5-7")),
        (19.0, _OFDM, Figure(291.0, f"{_S3_SHEET}, table 5-7")),
        (21.0, _DSSS, Figure(340.0, f"{_S3_SHEET}, table 5-7")),
    ),
    receive_ma=Figure(88.0, f"{_S3_SHEET}, table 5-7"),
    cpu=tuple(
        CpuCurrent(mhz, Figure(running, _S3_CPU), Figure(waiting, _S3_CPU))
        for mhz, running, waiting in ((40, 21.8, 13.2), (80, 42.6, 22.0), (160, 54.6, 27.6), (240, 65.9, 32.9))
    ),
    idle_mhz=160,
    modem_sleep_ma=Figure(22.0, _S3_CPU),
    light_sleep_ma=Figure(0.24, f"{_S3_SHEET}, table 5-10"),
    deep_sleep_ma=_assumed(0.007, "as with RTC memory: the data sheet has no row without"),
    deep_sleep_memory_ma=Figure(0.007, f"{_S3_SHEET}, table 5-10"),
    power_off_ma=Figure(0.001, f"{_S3_SHEET}, table 5-10"),
    boot_ms=Figure(635.0, _S3_BOOT),
    boot_ma=Figure(66.0, f"{_S3_BOOT}, 41.9 mC in 635 ms"),
)

_C3_SHEET = "ESP32-C3 Series Datasheet v2.4"
_C3_MODULE = "ESP32-C3-MINI-1 & MINI-1U Datasheet v2.2"
_C3_CPU = f"{_C3_SHEET}, table 5-8, running with the peripherals' clocks, and idle without"

_ESP32_C3 = Chip(
    name="esp32-c3",
    sensitivities_dbm=_sensitivities(
        {
            **_figures(_B, (-98.4, -96.0, -93.0, -88.6), f"{_C3_SHEET}, table 6-4"),
            **_figures(_G, (-93.8, -92.2, -91.0, -88.4, -85.8, -82.0, -78.0, -76.6), f"{_C3_SHEET}, table 6-4"),
            **_figures(_N, (-93.6, -90.8, -88.4, -85.0, -81.8, -77.8, -76.0, -74.8), f"{_C3_SHEET}, table 6-4"),
        }
    ),
    max_powers_dbm=_max_powers((21.0, 21.0, 21.0, 19.0, 20.0, 18.5), f"{_C3_SHEET}, table 6-2"),
    transmit=_transmit(
        (0.0, _LE, Figure(170.0, f"{_C3_MODULE}, table 6-5")),
        (9.0, _LE, Figure(190.0, f"{_C3_MODULE}, table 6-5")),
        (18.5, _HT, Figure(276.0, f"{_C3_SHEET}, table 5-7")),
        (19.0, _OFDM, Figure(285.0, f"{_C3_SHEET}, table 5-7")),
        (21.0, _DSSS, Figure(335.0, f"{_C3_SHEET}, table 5-7")),
    ),
    receive_ma=Figure(84.0, f"{_C3_SHEET}, table 5-7"),
    cpu=(
        CpuCurrent(80, Figure(22.0, _C3_CPU), Figure(13.0, _C3_CPU)),
        CpuCurrent(160, Figure(28.0, _C3_CPU), Figure(16.0, _C3_CPU)),
    ),
    idle_mhz=160,
    modem_sleep_ma=Figure(13.0, _C3_CPU),
    light_sleep_ma=Figure(0.13, f"{_C3_SHEET}, table 5-9"),
    deep_sleep_ma=_assumed(0.005, "as with RTC memory: the data sheet has no row without"),
    deep_sleep_memory_ma=Figure(0.005, f"{_C3_SHEET}, table 5-9"),
    power_off_ma=Figure(0.001, f"{_C3_SHEET}, table 5-9"),
    boot_ms=_assumed(635.0, _BOOT_MS_RULE),
    boot_ma=_assumed(38.0, _BOOT_MA_RULE),
)

_C6_SHEET = "ESP32-C6 Series Datasheet v1.5"
_C6_CPU = f"{_C6_SHEET}, table 5-10, running with the peripherals' clocks, and idle without"

_ESP32_C6 = Chip(
    name="esp32-c6",
    sensitivities_dbm=_sensitivities(
        {
            **_figures(_B, (-99.2, -96.8, -93.8, -90.0), f"{_C6_SHEET}, table 6-4"),
            **_figures(_G, (-94.0, -93.2, -92.6, -90.0, -86.8, -83.2, -79.0, -77.6), f"{_C6_SHEET}, table 6-4"),
            **_figures(_N, (-93.6, -92.4, -89.6, -86.2, -82.8, -78.8, -77.2, -75.6), f"{_C6_SHEET}, table 6-4"),
        }
    ),
    max_powers_dbm=_max_powers((21.0, 21.0, 20.5, 19.5, 19.5, 18.5), f"{_C6_SHEET}, table 6-2"),
    transmit=_transmit(
        (0.0, _LE, Figure(130.0, f"{_C6_SHEET}, table 5-8")),
        (9.0, _LE, Figure(190.0, f"{_C6_SHEET}, table 5-8")),
        (18.5, _HT, Figure(280.0, f"{_C6_SHEET}, table 5-7")),
        (19.5, _OFDM, Figure(300.0, f"{_C6_SHEET}, table 5-7")),
        (21.0, _DSSS, Figure(354.0, f"{_C6_SHEET}, table 5-7")),
    ),
    receive_ma=Figure(78.0, f"{_C6_SHEET}, table 5-7"),
    cpu=(
        CpuCurrent(80, Figure(30.0, _C6_CPU), Figure(14.0, _C6_CPU)),
        CpuCurrent(160, Figure(38.0, _C6_CPU), Figure(17.0, _C6_CPU)),
    ),
    idle_mhz=160,
    modem_sleep_ma=Figure(14.0, _C6_CPU),
    # With the peripherals powered, so that the radio need not be set up again; 0.035 without.
    light_sleep_ma=Figure(0.18, f"{_C6_SHEET}, table 5-11"),
    deep_sleep_ma=_assumed(0.007, "as with RTC memory: the data sheet has no row without"),
    deep_sleep_memory_ma=Figure(0.007, f"{_C6_SHEET}, table 5-11"),
    power_off_ma=Figure(0.001, f"{_C6_SHEET}, table 5-11"),
    boot_ms=_assumed(635.0, _BOOT_MS_RULE),
    boot_ma=_assumed(48.0, _BOOT_MA_RULE),
)

_8266_SHEET = "ESP8266EX Datasheet"
_8266_SLEEP = f"{_8266_SHEET} v6.6, table 3-4"
_8266_RADIO = f"{_8266_SHEET}, table 5-2"
_8266_ON_AIR = _HALF_DUTY.format(_8266_RADIO)

_ESP8266 = Chip(
    name="esp8266",
    sensitivities_dbm=_sensitivities(
        _figures(
            (RATE_1M, RATE_11M, RATE_6M, RATE_54M, RATE_MCS0_LONG + 7, RATE_MCS0_SHORT + 7),
            (-98.0, -91.0, -93.0, -75.0, -72.0, -72.0),
            f"{_8266_SHEET}, table 5-3",
            "cited",
        ),
        long_range=False,
    ),
    # Told for 802.11b, g and n, not by rate.
    max_powers_dbm=_max_powers(
        (20.0, 20.0, 17.0, 17.0, 14.0, 14.0), f"{_8266_SHEET}, table 1-1", "cited", long_range=False
    ),
    transmit=_transmit(
        (0.0, _ZERO, _assumed(101.0, _ZERO_RULE)),
        (13.0, _HT, _assumed(184.0, f"{_8266_ON_AIR}: 120, 56")),
        (15.0, _OFDM, _assumed(224.0, f"{_8266_ON_AIR}: 140, 56")),
        (17.0, _CCK, _assumed(290.0, f"{_8266_ON_AIR}: 170, 50")),
    ),
    receive_ma=Figure(56.0, f"{_8266_RADIO}, 802.11g and n; 50 at 802.11b", "cited"),
    cpu=(CpuCurrent(80, _assumed(15.0, _ONE_CPU_RULE), Figure(15.0, _8266_SLEEP)),),
    idle_mhz=80,
    modem_sleep_ma=Figure(15.0, _8266_SLEEP),
    light_sleep_ma=Figure(0.9, _8266_SLEEP),
    deep_sleep_ma=Figure(0.020, _8266_SLEEP),
    deep_sleep_memory_ma=_assumed(0.020, "RTC memory is always kept: the data sheet has one figure"),
    power_off_ma=Figure(0.0005, _8266_SLEEP),
    boot_ms=_assumed(490.0, "140 ms to the program (iot-bits.com), and 350 ms of MicroPython's start"),
    boot_ma=_assumed(70.0, "awake with the receiver on: about 70 mA (hackaday.io, project 3253)"),
)

#: Every chip by its name.
CHIPS: Mapping[str, Chip] = MappingProxyType(
    {known.name: known for known in (_ESP32, _ESP32_S2, _ESP32_S3, _ESP32_C3, _ESP32_C6, _ESP8266)}
)

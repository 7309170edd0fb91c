"""The PHY rates of Espressif's radios: one table.

Rules:

- Constants only. How long a frame takes is in `airtime`, how a capture writes a rate in `radiotap`.
- A rate is its ``wifi_phy_rate_t`` number everywhere in the project.

Follows ESP-IDF (``wifi_phy_rate_t`` in ``esp_wifi_types``) for the numbers, MicroPython's espnow
docs for the ``RATE_*`` names, IEEE 802.11-2020 for the speeds (table 19-27 for HT, 20 MHz, one
stream).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

__all__ = [
    "ALL_RATES",
    "LR_RATES",
    "MICROPYTHON_RATES",
    "RATES",
    "RATE_1M",
    "RATE_2M",
    "RATE_2M_SHORT",
    "RATE_5M",
    "RATE_5M_SHORT",
    "RATE_6M",
    "RATE_9M",
    "RATE_11M",
    "RATE_11M_SHORT",
    "RATE_12M",
    "RATE_18M",
    "RATE_24M",
    "RATE_36M",
    "RATE_48M",
    "RATE_54M",
    "RATE_LORA_250K",
    "RATE_LORA_500K",
    "RATE_MCS0_LONG",
    "RATE_MCS0_SHORT",
    "RATE_NAMES",
    "Modulation",
    "Rate",
]

Modulation = Literal["DSSS", "CCK", "OFDM", "HT", "LR"]

RATE_1M: Final = 0
RATE_2M: Final = 1
RATE_5M: Final = 2
RATE_11M: Final = 3
RATE_2M_SHORT: Final = 5
RATE_5M_SHORT: Final = 6
RATE_11M_SHORT: Final = 7
RATE_48M: Final = 8
RATE_24M: Final = 9
RATE_12M: Final = 10
RATE_6M: Final = 11
RATE_54M: Final = 12
RATE_36M: Final = 13
RATE_18M: Final = 14
RATE_9M: Final = 15
#: MCS 1 to 7 follow, each one higher.
RATE_MCS0_LONG: Final = 16
#: MCS 1 to 7 follow, each one higher.
RATE_MCS0_SHORT: Final = 24
RATE_LORA_250K: Final = 41
RATE_LORA_500K: Final = 42


class Rate(NamedTuple):
    """One PHY rate.

    Attributes:
        number: in ``wifi_phy_rate_t``.
        name: in ``wifi_phy_rate_t``, without ``WIFI_PHY_RATE_``.
        kbit_s: speed.
        modulation: which part of the standard it belongs to; LR is Espressif's own.
        short: short preamble (DSSS, CCK) or short guard interval (HT).
        mcs: index of an HT rate, else None.
        radiotap: speed in 500 kbit/s, radiotap's unit, or None where that field cannot hold it.
    """

    number: int
    name: str
    kbit_s: int
    modulation: Modulation
    short: bool = False
    mcs: int | None = None
    radiotap: int | None = None


# Kilobit a second of HT MCS 0 to 7: data bits a symbol / 4 us, and / 3.6 us.
_HT_LONG = (6500, 13000, 19500, 26000, 39000, 52000, 58500, 65000)
_HT_SHORT = (7222, 14444, 21667, 28889, 43333, 57778, 65000, 72222)

_TABLE: tuple[Rate, ...] = (
    Rate(RATE_1M, "1M_L", 1000, "DSSS", radiotap=2),
    Rate(RATE_2M, "2M_L", 2000, "DSSS", radiotap=4),
    Rate(RATE_5M, "5M_L", 5500, "CCK", radiotap=11),
    Rate(RATE_11M, "11M_L", 11000, "CCK", radiotap=22),
    Rate(RATE_2M_SHORT, "2M_S", 2000, "DSSS", short=True, radiotap=4),
    Rate(RATE_5M_SHORT, "5M_S", 5500, "CCK", short=True, radiotap=11),
    Rate(RATE_11M_SHORT, "11M_S", 11000, "CCK", short=True, radiotap=22),
    Rate(RATE_48M, "48M", 48000, "OFDM", radiotap=96),
    Rate(RATE_24M, "24M", 24000, "OFDM", radiotap=48),
    Rate(RATE_12M, "12M", 12000, "OFDM", radiotap=24),
    Rate(RATE_6M, "6M", 6000, "OFDM", radiotap=12),
    Rate(RATE_54M, "54M", 54000, "OFDM", radiotap=108),
    Rate(RATE_36M, "36M", 36000, "OFDM", radiotap=72),
    Rate(RATE_18M, "18M", 18000, "OFDM", radiotap=36),
    Rate(RATE_9M, "9M", 9000, "OFDM", radiotap=18),
    *(Rate(RATE_MCS0_LONG + mcs, f"MCS{mcs}_LGI", kbit_s, "HT", mcs=mcs) for mcs, kbit_s in enumerate(_HT_LONG)),
    *(
        Rate(RATE_MCS0_SHORT + mcs, f"MCS{mcs}_SGI", kbit_s, "HT", short=True, mcs=mcs)
        for mcs, kbit_s in enumerate(_HT_SHORT)
    ),
    Rate(RATE_LORA_250K, "LORA_250K", 250, "LR"),
    Rate(RATE_LORA_500K, "LORA_500K", 500, "LR", radiotap=1),
)

#: Every rate by its number.
RATES: Mapping[int, Rate] = MappingProxyType({rate.number: rate for rate in _TABLE})

#: The numbers that are a rate.
ALL_RATES: frozenset[int] = frozenset(RATES)

#: The rates that only a station whose protocol includes LR hears.
LR_RATES: frozenset[int] = frozenset((RATE_LORA_250K, RATE_LORA_500K))

#: MicroPython's names, as its espnow module has them.
MICROPYTHON_RATES: Mapping[str, int] = MappingProxyType(
    {
        "RATE_1M": RATE_1M,
        "RATE_2M": RATE_2M,
        "RATE_5M": RATE_5M,
        "RATE_11M": RATE_11M,
        "RATE_24M": RATE_24M,
        "RATE_12M": RATE_12M,
        "RATE_6M": RATE_6M,
        "RATE_54M": RATE_54M,
        "RATE_LORA_250K": RATE_LORA_250K,
        "RATE_LORA_500K": RATE_LORA_500K,
    }
)

#: The numbers by their names in ``wifi_phy_rate_t``, where the long preamble and the long guard interval go without
#: saying: 1M, 2M_S, MCS7, MCS7_SGI.
RATE_NAMES: Mapping[str, int] = MappingProxyType(
    {rate.name.removesuffix("_L").removesuffix("_LGI"): rate.number for rate in _TABLE}
)

"""How long a frame occupies the air at 2.4 GHz.

Rules:

- Lengths are what is on the air, with the 4 bytes of FCS. Integer microseconds, rounded up.
- Pure arithmetic: no contention, no retries; those belong to the air.

Follows IEEE 802.11-2020: 15.2 and 16.2 (DSSS and CCK, PPDU formats and LENGTH), 17.4.3 (OFDM),
18.5.3 (signal extension), 19.4.3 (HT, mixed format, 20 MHz, one stream). Espressif's long-range
rates are not published: assumed to be DSSS with the long preamble at 250 and 500 kbit/s.
"""

from __future__ import annotations

from typing import Final

from espnow.frame._shared import shared
from espnow.frame.rates import (
    RATE_1M,
    RATE_6M,
    RATE_12M,
    RATE_24M,
    RATES,
    Rate,
)

__all__ = ["ACK_LENGTH", "SIFS_US", "airtime_us", "response_rate", "unicast_duration"]

#: Between a frame and its acknowledgement (IEEE 802.11-2020, 2.4 GHz).
SIFS_US: Final = 10

#: An acknowledgement with its FCS.
ACK_LENGTH: Final = 14

_LONG_PREAMBLE_US = 144 + 48
_SHORT_PREAMBLE_US = 72 + 24
_SYMBOL_US = 4
_SERVICE_AND_TAIL = 16 + 6
_SIGNAL_EXTENSION_US = 6
_OFDM_PREAMBLE_US = 16 + 4
# Legacy preamble and signal, then HT-SIG, HT-STF and one HT-LTF.
_HT_PREAMBLE_US = 16 + 4 + 8 + 4 + 4
# Data bits in an HT symbol, MCS 0 to 7 (table 19-27).
_HT_BITS = (26, 52, 78, 104, 156, 208, 234, 260)

# The OFDM rates of the same modulation and coding are 6, 12, 18, 24, 36, 48, 54 and 54 Mb/s: the
# highest of 6, 12 and 24 Mb/s that is no faster.
_HT_RESPONSE = (RATE_6M, RATE_12M, RATE_12M, RATE_24M, RATE_24M, RATE_24M, RATE_24M, RATE_24M)


@shared(maxsize=1024)
def airtime_us(length_with_fcs: int, rate: int) -> int:
    """Return how long a frame is on the air, from its preamble to its end.

    Args:
        length_with_fcs: bytes of the MPDU and its FCS.
        rate: ``wifi_phy_rate_t`` number.

    Raises:
        ValueError: there is no such rate, or the length is negative.
    """
    phy = _rate(rate)
    if length_with_fcs < 0:
        raise ValueError(f"a frame cannot have {length_with_fcs} bytes")
    bits = 8 * length_with_fcs
    if phy.modulation == "OFDM":
        symbols = -(-(bits + _SERVICE_AND_TAIL) * 1000 // (_SYMBOL_US * phy.kbit_s))
        return _OFDM_PREAMBLE_US + _SYMBOL_US * symbols + _SIGNAL_EXTENSION_US
    if phy.mcs is not None:
        symbols = -(-(bits + _SERVICE_AND_TAIL) // _HT_BITS[phy.mcs])
        if phy.short:
            # Symbols of 3.6 us, and the whole a multiple of 4 us.
            symbols = -(-symbols * 9 // 10)
        return _HT_PREAMBLE_US + _SYMBOL_US * symbols + _SIGNAL_EXTENSION_US
    preamble_us = _SHORT_PREAMBLE_US if phy.short else _LONG_PREAMBLE_US
    return preamble_us + -(-bits * 1000 // phy.kbit_s)


def response_rate(rate: int) -> int:
    """Return the rate at which a frame of this rate is acknowledged.

    DSSS, CCK and LR frames at their own rate (1 Mb/s: captured frame; the others assumed), OFDM and
    HT ones at the highest of 6, 12 and 24 Mb/s that is no faster (IEEE 802.11-2020, 10.6; that
    these are basic rates is assumed).

    Args:
        rate: ``wifi_phy_rate_t`` number.

    Raises:
        ValueError: there is no such rate.
    """
    phy = _rate(rate)
    if phy.mcs is not None:
        return _HT_RESPONSE[phy.mcs]
    if phy.modulation != "OFDM":
        return rate
    if phy.kbit_s >= 24000:
        return RATE_24M
    return RATE_12M if phy.kbit_s >= 12000 else RATE_6M


@shared(maxsize=64)
def unicast_duration(rate: int = RATE_1M) -> int:
    """Return the Duration field of a unicast frame: SIFS and its acknowledgement, microseconds.

    314 (``3a 01``) at 1 Mb/s (captured frame). A frame to a group has 0.

    Args:
        rate: ``wifi_phy_rate_t`` number.

    Raises:
        ValueError: there is no such rate.
    """
    return SIFS_US + airtime_us(ACK_LENGTH, response_rate(rate))


def _rate(number: int) -> Rate:
    """Return a rate of the table."""
    try:
        return RATES[number]
    except KeyError:
        raise ValueError(f"{number!r} is no wifi_phy_rate_t number of a known rate") from None

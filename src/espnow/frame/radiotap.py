"""The radiotap header that stands before an MPDU in a capture or an injection.

Rules:

- Knows radiotap; the MPDU that follows is opaque, and has no FCS.
- Same arguments, same bytes.

Follows radiotap.org: version 0, little endian, each field aligned to its size from the start of the
header.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Final

from espnow.frame.rates import RATES, Rate

__all__ = ["LINKTYPE", "build", "frequency_mhz"]

#: The link type of captures whose frames open with radiotap (LINKTYPE_IEEE802_11_RADIOTAP).
LINKTYPE: Final = 127

_TSFT = 1 << 0
_FLAGS = 1 << 1
_RATE = 1 << 2
_CHANNEL = 1 << 3
_SIGNAL = 1 << 5
_MCS = 1 << 19

_FLAG_SHORT_PREAMBLE = 0x02

_CHANNEL_CCK = 0x0020
_CHANNEL_OFDM = 0x0040
_CHANNEL_2GHZ = 0x0080
_CHANNEL_FLAGS = {
    "DSSS": _CHANNEL_2GHZ | _CHANNEL_CCK,
    "CCK": _CHANNEL_2GHZ | _CHANNEL_CCK,
    "OFDM": _CHANNEL_2GHZ | _CHANNEL_OFDM,
    "HT": _CHANNEL_2GHZ | _CHANNEL_OFDM,
    "LR": _CHANNEL_2GHZ,
}

# Known: bandwidth, index, guard interval, format (mixed); 20 MHz and long guard interval are zeros.
_MCS_KNOWN = 0x0F
_MCS_SHORT_GI = 0x04

_OPENING = Struct("<BxHI")
_TIME = Struct("<Q")
# FLAGS, RATE (or the byte that aligns CHANNEL), CHANNEL: even from the start with and without TSFT.
_FIXED = Struct("<BBHH")
_DBM = Struct("<b")
_HT = Struct("<BBB")


def build(*, channel: int, rate: int, rssi_dbm: int | None, at_us: int | None = None) -> bytes:
    """Return a radiotap header.

    RATE is left out where it cannot tell the speed: MCS stands in for it at an HT rate, nothing at
    LR's 250 kbit/s.

    Args:
        channel: 1..14.
        rate: ``wifi_phy_rate_t`` number.
        rssi_dbm: signal at the antenna, -128..127, or None when nobody measured it.
        at_us: when the frame's first bit came, for the TSFT field, or None for none.

    Raises:
        ValueError: an argument is out of its range.
    """
    phy: Rate | None = RATES.get(rate)
    if phy is None:
        raise ValueError(f"{rate!r} is no wifi_phy_rate_t number of a known rate")
    present = _FLAGS | _CHANNEL
    fields = [
        _FIXED.pack(
            _FLAG_SHORT_PREAMBLE if phy.short and phy.mcs is None else 0,
            phy.radiotap or 0,
            frequency_mhz(channel),
            _CHANNEL_FLAGS[phy.modulation],
        )
    ]
    try:
        if at_us is not None:
            present |= _TSFT
            fields.insert(0, _TIME.pack(at_us))
        if phy.radiotap is not None:
            present |= _RATE
        if rssi_dbm is not None:
            present |= _SIGNAL
            fields.append(_DBM.pack(rssi_dbm))
        if phy.mcs is not None:
            present |= _MCS
            fields.append(_HT.pack(_MCS_KNOWN, _MCS_SHORT_GI if phy.short else 0, phy.mcs))
    except error as reason:
        raise ValueError(
            f"out of range: signal {rssi_dbm!r} dBm (-128..127) or time {at_us!r} us (64 bits)"
        ) from reason
    content = b"".join(fields)
    return _OPENING.pack(0, _OPENING.size + len(content), present) + content


def frequency_mhz(channel: int) -> int:
    """Return the centre frequency of a 2.4 GHz channel.

    Raises:
        ValueError: the channel is not 1..14.
    """
    if 1 <= channel <= 13:
        return 2407 + 5 * channel
    if channel == 14:
        return 2484
    raise ValueError(f"channel {channel!r} is not 1..14")

"""What a packet that was heard holds: a frame, how strong it was, on which channel and with which rate.

Rules:

- Any bytes end in a frame or in a count; nothing that is here raises for what came off the air.
- An FCS is cut off where radiotap says that there is one, and a frame is dropped that the radio found broken.
- Frames that begin with category 0xff are reflections of others by an associated station or an access point, which
  does not know them (measured on kernels 6.1 and 6.12), and dropped.
"""

from __future__ import annotations

from typing import NamedTuple

from espnow.errors import FrameError
from espnow.frame import radiotap
from espnow.radio.monitor.counts import Counts

__all__ = ["ACK", "HeardFrame", "read_packet"]

#: First byte of an acknowledgement.
ACK = 0xD4

_ACTION = 0xD0
_PROTECTED = 0x40
_REFLECTED = 0xFF
_ACK_LENGTH = 10
_HEADER_LENGTH = 24
_FCS_LENGTH = 4
_MAX_MPDU = 2304

#: How strongly a frame was heard when the driver does not tell.
_UNTOLD_DBM = -127


class HeardFrame(NamedTuple):
    """A frame.

    Attributes:
        mpdu: without FCS; 10 bytes of an acknowledgement, or 24 and more.
        rssi_dbm: how strong, -127 if nobody tells.
        channel: 1 to 14, or None if nobody tells.
        rate: ``wifi_phy_rate_t`` number; that of 1 Mb/s if it is none.
    """

    mpdu: bytes
    rssi_dbm: int
    channel: int | None
    rate: int


def read_packet(packet: bytes, counts: Counts) -> HeardFrame | None:
    """Return the frame in a packet, or None when there is none to be used, which is counted."""
    try:
        told = radiotap.parse(packet)
    except FrameError:
        counts.malformed += 1
        return None
    if told.bad_fcs:
        counts.bad_fcs += 1
        return None
    if told.channel is None and told.frequency_mhz is not None:  # of another band
        counts.other_channel += 1
        return None
    mpdu = packet[told.length : -_FCS_LENGTH] if told.has_fcs else packet[told.length :]
    size = len(mpdu)
    if size > _MAX_MPDU or size < (_ACK_LENGTH if mpdu[:1] == b"\xd4" else _HEADER_LENGTH):
        counts.malformed += 1
        return None
    if mpdu[0] == _ACTION and not mpdu[1] & _PROTECTED and size > _HEADER_LENGTH and mpdu[_HEADER_LENGTH] == _REFLECTED:
        counts.reflected += 1
        return None
    rssi_dbm = _UNTOLD_DBM if told.rssi_dbm is None else told.rssi_dbm
    return HeardFrame(mpdu, rssi_dbm, told.channel, told.rate or 0)

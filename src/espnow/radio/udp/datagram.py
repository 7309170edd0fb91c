"""What a datagram of ``udp:`` holds: a header of 32 bytes, and the MPDU as a radio would send it.

All numbers are little endian, as in 802.11:

======  ======  ==========================================================================================
offset  bytes
======  ======  ==========================================================================================
0       4       ``ESPN``
4       1       version of this layout, 1
5       1       kind: 1 a frame, 2 an acknowledgement
6       1       channel, 1 to 14
7       1       rate, the number in ESP-IDF's ``wifi_phy_rate_t``
8       1       signed: the strength in dBm with which it is heard at one metre, and where places are unknown
9       1       attempt, 1 for the first
10      2       reserved, sent as 0 and ignored
12      8       the sender: a random number, another for each radio that is opened
20      4       number of the frame, one more for each that this sender sends; its attempts have the same, and an
                acknowledgement has the number of the frame that it answers
24      4       float: metres east of the sender, not a number if it is not known
28      4       float: metres north
32              the MPDU, from frame control to the end of the body, without FCS
======  ======  ==========================================================================================

Frames go to the group, acknowledgements to the address that the frame came from. What is not laid out so is refused:
anybody may send datagrams there.
"""

from __future__ import annotations

import enum
import math
import struct
from typing import NamedTuple

from espnow.frame.rates import ALL_RATES

__all__ = [
    "HEADER_LENGTH",
    "LEAST_FRAME",
    "MAGIC",
    "MAX_MPDU",
    "Kind",
    "Malformed",
    "UdpDatagram",
    "build",
    "pack",
    "parse",
]

#: Longest MPDU: what 802.11 lets a management frame be, which is more than ESP-NOW v2 needs.
MAX_MPDU = 2304

#: With the version of the layout.
MAGIC = b"ESPN\x01"
_HEADER = struct.Struct("<5sBBBbBHQIff")
HEADER_LENGTH = _HEADER.size

#: An acknowledgement is 10 bytes without FCS, a management frame has a header of 24.
_ACK_LENGTH = 10
LEAST_FRAME = 24

_RATES = frozenset(ALL_RATES)

_pack = _HEADER.pack
_unpack_from = _HEADER.unpack_from
_new = tuple.__new__
_isinf = math.isinf


class Kind(enum.IntEnum):
    """What a datagram is."""

    FRAME = 1
    ACK = 2


class Malformed(ValueError):
    """A datagram that is none of ours."""


class UdpDatagram(NamedTuple):
    """A datagram in its parts; see this module for what each is.

    Attributes:
        kind: frame or acknowledgement.
        channel: 1 to 14.
        rate: `wifi_phy_rate_t` number.
        rssi_dbm: at one metre, or where places are not known.
        attempt: 1 for the first.
        sender: random number of the radio that sent it.
        number: of the frame.
        east_m: not a number if it is not known.
        north_m: the same.
        mpdu: its bytes without FCS.
    """

    kind: int
    channel: int
    rate: int
    rssi_dbm: int
    attempt: int
    sender: int
    number: int
    east_m: float
    north_m: float
    mpdu: bytes


def build(datagram: UdpDatagram) -> bytes:
    """Return the bytes of a datagram."""
    return pack(*datagram)


def pack(
    kind: int,
    channel: int,
    rate: int,
    rssi_dbm: int,
    attempt: int,
    sender: int,
    number: int,
    east_m: float,
    north_m: float,
    mpdu: bytes,
) -> bytes:
    """Return the bytes of a datagram, from its parts."""
    return _pack(MAGIC, kind, channel, rate, rssi_dbm, attempt, 0, sender, number, east_m, north_m) + mpdu


def parse(datagram: bytes) -> UdpDatagram:
    """Return the parts of a datagram.

    Raises:
        Malformed: it is not laid out as this module says.
    """
    length = len(datagram) - HEADER_LENGTH
    if datagram[:5] != MAGIC:
        raise Malformed("it is none of ours")
    if length < _ACK_LENGTH or length > MAX_MPDU:
        raise Malformed("its length cannot be")
    _, kind, channel, rate, rssi_dbm, attempt, _, sender, number, east_m, north_m = _unpack_from(datagram)
    if kind == 1:
        if length < LEAST_FRAME:
            raise Malformed("its frame is too short")
    elif kind != 2 or length != _ACK_LENGTH:
        raise Malformed("its kind is unknown")
    if not 1 <= channel <= 14 or not attempt or rate not in _RATES or rssi_dbm > 30:
        raise Malformed("its channel, rate, strength or attempt cannot be")
    if _isinf(east_m) or _isinf(north_m):
        raise Malformed("its place cannot be")
    mpdu = datagram[HEADER_LENGTH:]
    values = (kind, channel, rate, rssi_dbm, attempt, sender, number, east_m, north_m, mpdu)
    return _new(UdpDatagram, values)

"""What ESP-NOW needs of IEEE 802.11: addresses, the management header, acknowledgements and the FCS.

Rules:

- Knows 802.11, nothing of ESP-NOW but Espressif's OUI.
- An MPDU goes from frame control to the end of the body; the FCS is never part of it.
- Addresses are 6 bytes inside; text is for people.
- A parser raises FrameError for any bytes that are not what it reads, and nothing else.

Follows IEEE 802.11-2020, clause 9 (frame formats).
"""

from __future__ import annotations

from struct import Struct, error
from typing import NamedTuple
from zlib import crc32

from espnow.errors import FrameError

__all__ = [
    "ACTION",
    "BROADCAST",
    "ESPRESSIF_OUI",
    "FCS_LENGTH",
    "HEADER_LENGTH",
    "ManagementHeader",
    "ack",
    "build_header",
    "fcs",
    "format_mac",
    "fcs_is_right",
    "is_group",
    "parse_ack",
    "parse_header",
    "parse_mac",
    "station_address",
    "with_retry",
]

#: The address of every station (IEEE 802.11-2020, 9.2.4.3).
BROADCAST = b"\xff" * 6

#: Opens the body and each element (ESP-IDF esp_now docs).
ESPRESSIF_OUI = b"\x18\xfe\x34"

#: Bytes of a management header without HT control (IEEE 802.11-2020, 9.3.3.1).
HEADER_LENGTH = 24

#: Bytes of the frame check sequence (IEEE 802.11-2020, 9.2.4.8).
FCS_LENGTH = 4

#: Subtype of a management frame (IEEE 802.11-2020, table 9-1).
ACTION = 13

# Frame control of an acknowledgement, and its duration (captured frame).
_ACK = b"\xd4\x00\x00\x00"
_ACK_LENGTH = 10

# Bits of the second byte of frame control (IEEE 802.11-2020, 9.2.4.1).
_RETRY = 0x08
_PROTECTED = 0x40
_ORDER = 0x80

_HEADER = Struct("<BBH6s6s6sH")
_MAX_SUBTYPE = 15


class ManagementHeader(NamedTuple):
    """The 24 bytes that open a management frame.

    Attributes:
        destination: addr1.
        source: addr2, the sending interface.
        bssid: addr3.
        subtype: 0..15; `ACTION` is 13.
        flags: the second byte of frame control, 0..255.
        duration: the Duration field, microseconds.
        seq: sequence number, 0..4095.
        fragment: fragment number, 0..15.
    """

    destination: bytes
    source: bytes
    bssid: bytes
    subtype: int
    flags: int
    duration: int
    seq: int
    fragment: int

    @property
    def retry(self) -> bool:
        """The Retry bit."""
        return self.flags & _RETRY != 0

    @property
    def protected(self) -> bool:
        """The Protected Frame bit."""
        return self.flags & _PROTECTED != 0

    @property
    def ht_control(self) -> bool:
        """The +HTC bit: 4 more bytes of header follow."""
        return self.flags & _ORDER != 0

    def __repr__(self) -> str:
        """Return it for people."""
        return (
            f"ManagementHeader({format_mac(self.source)} -> {format_mac(self.destination)}, "
            f"bssid={format_mac(self.bssid)}, subtype={self.subtype}, flags={self.flags:#04x}, "
            f"duration={self.duration}, seq={self.seq}, fragment={self.fragment})"
        )


def parse_header(mpdu: bytes) -> ManagementHeader:
    """Return the header of a management frame, of any subtype.

    Raises:
        FrameError: another type of frame, or fewer than 24 bytes.
    """
    if len(mpdu) < HEADER_LENGTH:
        raise FrameError(f"a frame of {len(mpdu)} bytes, shorter than a management header")
    control, flags, duration, destination, source, bssid, sequence = _HEADER.unpack_from(mpdu)
    if control & 0x0F:
        raise FrameError(f"frame control {control:02x} {flags:02x} is no management frame")
    return ManagementHeader(destination, source, bssid, control >> 4, flags, duration, sequence >> 4, sequence & 0x0F)


def build_header(header: ManagementHeader) -> bytes:
    """Return the 24 bytes of a management header.

    Raises:
        ValueError: a value is out of its range.
    """
    if not len(header.destination) == len(header.source) == len(header.bssid) == 6:
        raise ValueError("an address has 6 bytes")
    if not (0 <= header.subtype <= _MAX_SUBTYPE and 0 <= header.fragment <= 0x0F):
        raise ValueError(f"out of range: subtype {header.subtype!r} or fragment {header.fragment!r} (0..15)")
    try:
        return _HEADER.pack(
            header.subtype << 4,
            header.flags,
            header.duration,
            header.destination,
            header.source,
            header.bssid,
            header.seq << 4 | header.fragment,
        )
    except error as reason:
        raise ValueError(
            f"out of range: flags {header.flags!r} (0..255), duration {header.duration!r} (0..65535) "
            f"or seq {header.seq!r} (0..4095)"
        ) from reason


def is_group(address: bytes) -> bool:
    """Tell whether an address is broadcast or multicast."""
    return address[0] & 1 == 1


def format_mac(address: bytes) -> str:
    """Return an address as text, such as ``aa:bb:cc:dd:ee:ff``."""
    return address.hex(":")


def parse_mac(text: str) -> bytes:
    """Return the 6 bytes of an address written with ``:`` or ``-``.

    Raises:
        ValueError: the text is no such address.
    """
    parts = text.split("-" if "-" in text else ":")
    if len(parts) == 6 and all(len(part) == 2 for part in parts):
        try:
            address = bytes.fromhex("".join(parts))
        except ValueError:
            address = b""
        if len(address) == 6:
            return address
    raise ValueError(f"{text!r} is no MAC address: write it as aa:bb:cc:dd:ee:ff")


def station_address(address: bytes | str) -> bytes:
    """Return a station's own address, given as its 6 bytes or as text.

    Raises:
        TypeError: neither of both.
        ValueError: the text is no address, there are not 6 bytes, or it is a group's.
    """
    found = parse_mac(address) if isinstance(address, str) else memoryview(address).tobytes()
    if len(found) != 6:
        raise ValueError(f"a MAC address has 6 bytes, not {len(found)}")
    if is_group(found):
        raise ValueError(f"{format_mac(found)} is a multicast address; a board's own has an even first byte")
    return found


def ack(receiver: bytes) -> bytes:
    """Return the acknowledgement for a receiver, 10 bytes (captured frame).

    Args:
        receiver: addr2 of the frame that is acknowledged.

    Raises:
        ValueError: the address is not 6 bytes long.
    """
    if len(receiver) != 6:
        raise ValueError(f"an address has 6 bytes, not {len(receiver)}")
    return _ACK + receiver


def parse_ack(mpdu: bytes) -> bytes:
    """Return whom an acknowledgement is for: addr2 of the frame that it acknowledges.

    Args:
        mpdu: without FCS, 10 bytes.

    Raises:
        FrameError: the bytes are no acknowledgement.
    """
    if len(mpdu) != _ACK_LENGTH or mpdu[0] != _ACK[0]:
        raise FrameError("not an acknowledgement")
    return mpdu[4:]


def fcs(mpdu: bytes) -> bytes:
    """Return the frame check sequence that follows an MPDU on the air: CRC-32, 4 bytes."""
    return crc32(mpdu).to_bytes(4, "little")


def fcs_is_right(frame: bytes) -> bool:
    """Tell whether the last 4 bytes of a frame are the right FCS of the bytes before them."""
    return len(frame) > FCS_LENGTH and fcs(frame[:-FCS_LENGTH]) == frame[-FCS_LENGTH:]


def with_retry(mpdu: bytes) -> bytes:
    """Return the same MPDU with its Retry bit set, as every attempt after the first carries it."""
    return mpdu[:1] + bytes((mpdu[1] | _RETRY,)) + mpdu[2:]

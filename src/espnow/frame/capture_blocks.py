"""Blocks of a pcapng file: their numbers, and how those are built that this project writes.

Rules:

- Builders are little endian, count microseconds and refuse a bad argument with ValueError.
- Same arguments, same bytes.

Follows the IETF draft "PCAP Next Generation (pcapng) Capture File Format". Reading is in `captures`.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Final

__all__ = [
    "BYTE_ORDER",
    "INBOUND",
    "INTERFACE_BLOCK",
    "MAX_NAME",
    "MAX_PACKET",
    "MIN_BLOCK",
    "MIN_INTERFACE",
    "MIN_PACKET",
    "MIN_SECTION",
    "OPTION_FCS_LENGTH",
    "OPTION_NAME",
    "OPTION_OFFSET",
    "OPTION_RESOLUTION",
    "OUTBOUND",
    "PACKET_BLOCK",
    "SECTION_BLOCK",
    "build_interface",
    "build_packet",
    "build_section",
]

#: The longest packet that a capture holds: Wireshark's WTAP_MAX_PACKET_SIZE_STANDARD, libpcap's MAXIMUM_SNAPLEN.
MAX_PACKET: Final = 262144

SECTION_BLOCK: Final = 0x0A0D0D0A
INTERFACE_BLOCK: Final = 1
#: Enhanced packet block.
PACKET_BLOCK: Final = 6

BYTE_ORDER: Final = 0x1A2B3C4D

# The shortest block of a kind, without options and packet.
MIN_BLOCK: Final = 12
MIN_SECTION: Final = 28
MIN_INTERFACE: Final = 20
MIN_PACKET: Final = 32

OPTION_NAME: Final = 2
OPTION_RESOLUTION: Final = 9
OPTION_FCS_LENGTH: Final = 13
OPTION_OFFSET: Final = 14
_OPTION_COMMENT = 1
_OPTION_FLAGS = 2

#: In the flags of a packet (epb_flags, bits 0 and 1): it came to the interface that captured it.
INBOUND: Final = 1
#: The same: that interface sent it.
OUTBOUND: Final = 2

#: How much of an interface's name is kept, in bytes; assumed to be enough.
MAX_NAME: Final = 256
# The longest comment, in bytes; assumed to be enough.
_MAX_COMMENT = 1024

_MAX_TIME_US = (1 << 64) - 1
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")

_NUMBER = Struct("<I")
_INTERFACE_HEAD = Struct("<IIHHI")
_PACKET_HEAD = Struct("<IIIIIII")
_OPTION = Struct("<HH")
_FLAGS = Struct("<HHI")
_END_OF_OPTIONS = bytes(4)
# Type, length, byte order, version 1.0, section length unknown, no options, length again.
_SECTION = Struct("<IIIHHqI").pack(SECTION_BLOCK, MIN_SECTION, BYTE_ORDER, 1, 0, -1, MIN_SECTION)
# Option if_tsresol of 1 byte: 10**-6 s, padded to 4; end of options.
_MICROSECONDS = Struct("<HHB3xHH").pack(OPTION_RESOLUTION, 1, 6, 0, 0)


def build_section() -> bytes:
    """Return what a pcapng file opens with: a section of unknown length, without options."""
    return _SECTION


def build_interface(link_type: int, *, snap_length: int = 0, name: str = "") -> bytes:
    """Return the pcapng block that describes an interface. The first of a section has number 0.

    Args:
        link_type: LINKTYPE_* number, such as 127 for radiotap.
        snap_length: packets are cut to that many bytes; 0 for no limit.
        name: such as ``wlan0mon``, at most 256 bytes of UTF-8; "" for none.

    Raises:
        ValueError: an argument is out of its range.
    """
    options = _MICROSECONDS
    if name:
        encoded = name.encode()
        if len(encoded) > MAX_NAME:
            raise ValueError(f"an interface name of {len(encoded)} bytes, more than {MAX_NAME}")
        options = _text_option(OPTION_NAME, encoded) + options
    length = MIN_INTERFACE + len(options)
    try:
        head = _INTERFACE_HEAD.pack(INTERFACE_BLOCK, length, link_type, 0, snap_length)
    except error as reason:
        raise ValueError(
            f"out of range: link type {link_type!r} (0..65535) or snap length {snap_length!r} (32 bits)"
        ) from reason
    return head + options + _NUMBER.pack(length)


def build_packet(
    packet: bytes,
    *,
    at_us: int,
    interface: int = 0,
    length: int | None = None,
    direction: int = 0,
    comment: str = "",
) -> bytes:
    """Return the pcapng block of one packet.

    Args:
        packet: with its link-layer header, at most `MAX_PACKET` bytes together with direction and comment.
        at_us: time since 1970, UTC; 0 or more.
        interface: number of one that the section describes already.
        length: on the air, or None for a packet that was not cut.
        direction: `INBOUND`, `OUTBOUND`, or 0 for one that is not told.
        comment: for people, at most 1024 bytes of UTF-8; "" for none.

    Raises:
        ValueError: an argument is out of its range.
    """
    if not 0 <= at_us <= _MAX_TIME_US:
        raise ValueError(f"time {at_us!r} us is not in 0..2**64 - 1")
    captured = len(packet)
    options = _packet_options(direction, comment) if direction or comment else b""
    if captured + len(options) > MAX_PACKET:
        raise ValueError(f"a packet of {captured} bytes with {len(options)} of options, more than {MAX_PACKET}")
    padding = _PADDING[captured & 3]
    block = MIN_PACKET + captured + len(padding) + len(options)
    try:
        head = _PACKET_HEAD.pack(
            PACKET_BLOCK,
            block,
            interface,
            at_us >> 32,
            at_us & 0xFFFFFFFF,
            captured,
            captured if length is None else length,
        )
    except error as reason:
        raise ValueError(f"out of range: interface {interface!r} or length {length!r} (32 bits)") from reason
    return b"".join((head, packet, padding, options, _NUMBER.pack(block)))


def _packet_options(direction: int, comment: str) -> bytes:
    if direction not in (0, INBOUND, OUTBOUND):
        raise ValueError(f"direction {direction!r} is neither inbound (1) nor outbound (2)")
    options = b""
    if comment:
        encoded = comment.encode()
        if len(encoded) > _MAX_COMMENT:
            raise ValueError(f"a comment of {len(encoded)} bytes, more than {_MAX_COMMENT}")
        options += _text_option(_OPTION_COMMENT, encoded)
    if direction:
        options += _FLAGS.pack(_OPTION_FLAGS, _NUMBER.size, direction)
    return options + _END_OF_OPTIONS


def _text_option(code: int, text: bytes) -> bytes:
    return _OPTION.pack(code, len(text)) + text + _PADDING[len(text) & 3]

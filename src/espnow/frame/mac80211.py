"""What ESP-NOW needs of IEEE 802.11: addresses, the Retry bit, acknowledgements and the FCS.

Rules:

- Knows 802.11, nothing of ESP-NOW but Espressif's OUI.
- An MPDU goes from frame control to the end of the body; the FCS is never part of it.
- Addresses are 6 bytes inside; text is for people.

Follows IEEE 802.11-2020, clause 9 (frame formats).
"""

from __future__ import annotations

from zlib import crc32

__all__ = [
    "BROADCAST",
    "ESPRESSIF_OUI",
    "ack",
    "fcs",
    "format_mac",
    "is_group",
    "parse_mac",
    "station_address",
    "with_retry",
]

#: The address of every station.
BROADCAST = b"\xff" * 6

#: Opens the body and each element (ESP-IDF esp_now docs).
ESPRESSIF_OUI = b"\x18\xfe\x34"

_ACK = b"\xd4\x00\x00\x00"
_RETRY = 0x08


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


def fcs(mpdu: bytes) -> bytes:
    """Return the frame check sequence that follows an MPDU on the air: CRC-32, 4 bytes."""
    return crc32(mpdu).to_bytes(4, "little")


def with_retry(mpdu: bytes) -> bytes:
    """Return the same MPDU with its Retry bit set, as every attempt after the first carries it."""
    return mpdu[:1] + bytes((mpdu[1] | _RETRY,)) + mpdu[2:]

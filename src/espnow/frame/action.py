"""ESP-NOW MPDUs, plain and protected: bytes to values and back.

Rules:

- Whole MPDUs from frame control to the end of the body, without FCS.
- A parser raises FrameError for any bytes that are not such a frame, and nothing else. A builder
  raises ValueError for an argument out of its range. Whatever a builder makes, the parser takes.
- Filtering, duplicates and keys of peers are not decided here. addr3 is reported and never checked:
  an ESP32 writes broadcast there, an ESP8266 the destination (captured frames).

Follows the ESP-IDF esp_now docs, "Frame Format", and IEEE 802.11-2020, clause 9, for the 24-byte
header.
"""

from __future__ import annotations

from struct import Struct, error
from typing import NamedTuple

from espnow.errors import FrameError
from espnow.frame import ccmp
from espnow.frame._shared import shared
from espnow.frame.ccmp import PairCipher, pair_cipher
from espnow.frame.mac80211 import BROADCAST, HEADER_LENGTH, format_mac
from espnow.frame.message import (
    CATEGORY_OUI,
    ELEMENT_ID,
    ELEMENT_OVERHEAD,
    MAX_ELEMENT,
    MAX_V2,
    MIN_BODY,
    OUI_TYPE,
    build_body,
    check_length,
    parse_body,
)

__all__ = ["Frame", "ProtectedFrame", "build", "build_protected", "open_protected", "parse", "parse_shared"]

# Frame control as a little endian number: management, subtype Action (captured frame).
_ACTION = 0x00D0
_PROTECTED = 0x40D0
_RETRY = 0x0800
# Retry, power management and more data say nothing about the content.
_KIND_MASK = 0xFFFF & ~0x3800
_FRAGMENT_MASK = 0x000F

_HEADER = Struct("<HH6s6s6sH")
# The header, the body's prefix and its first element: all of a frame but the message, when one
# element holds it.
_PLAIN = Struct("<HH6s6s6sHIIBBIB")
_MIN_PLAIN = HEADER_LENGTH + MIN_BODY
_MIN_PROTECTED = _MIN_PLAIN + ccmp.CCMP_HEADER_LENGTH + ccmp.MIC_LENGTH
# All of an encrypted frame but its elements, and the longest element.
_SEALED_OVERHEAD = HEADER_LENGTH + ccmp.CCMP_HEADER_LENGTH + 8 + ccmp.MIC_LENGTH
_LONGEST_ELEMENT = 2 + ELEMENT_OVERHEAD + MAX_ELEMENT
_SHOWN = 32

# A named tuple's own constructor is a Python function around this one.
_new = tuple.__new__


class Frame(NamedTuple):
    """A plain ESP-NOW MPDU.

    Attributes:
        destination: addr1.
        source: addr2, the sending interface.
        bssid: addr3, of no meaning here.
        seq: sequence number, 0..4095.
        retry: the Retry bit.
        duration: the Duration field, microseconds.
        random_value: the 4 random bytes of the body, as a little endian number.
        version: 1, or 2 for what only version 2 can say.
        message: what the sender's program sent; 0..1470 bytes.
    """

    destination: bytes
    source: bytes
    bssid: bytes
    seq: int
    retry: bool
    duration: int
    random_value: int
    version: int
    message: bytes

    def __repr__(self) -> str:
        """Return it for people; a long message is cut."""
        message = self.message
        if len(message) > _SHOWN:
            shown = f"{message[:_SHOWN]!r}... ({len(message)} bytes)"
        else:
            shown = repr(message)
        return (
            f"Frame({format_mac(self.source)} -> {format_mac(self.destination)}, "
            f"bssid={format_mac(self.bssid)}, seq={self.seq}, retry={self.retry}, "
            f"duration={self.duration}, random_value={self.random_value:#010x}, "
            f"version={self.version}, message={shown})"
        )


class ProtectedFrame(NamedTuple):
    """An encrypted ESP-NOW MPDU, unopened.

    Attributes:
        destination: addr1.
        source: addr2, the sending interface.
        bssid: addr3, of no meaning here.
        seq: sequence number, 0..4095.
        retry: the Retry bit.
        duration: the Duration field, microseconds.
        packet_number: CCMP's, 48 bits.
        mpdu: the whole frame, still encrypted.
    """

    destination: bytes
    source: bytes
    bssid: bytes
    seq: int
    retry: bool
    duration: int
    packet_number: int
    mpdu: bytes

    @property
    def message_length(self) -> int | None:
        """Bytes of the message, as a sender splits it into elements; None if the frame's length fits none."""
        left = len(self.mpdu) - _SEALED_OVERHEAD
        elements = -(-left // _LONGEST_ELEMENT)
        length = left - elements * (_LONGEST_ELEMENT - MAX_ELEMENT)
        return length if MAX_ELEMENT * (elements - 1) < length <= MAX_V2 and length > 0 else None

    def __repr__(self) -> str:
        """Return it for people, without the bytes."""
        return (
            f"ProtectedFrame({format_mac(self.source)} -> {format_mac(self.destination)}, "
            f"bssid={format_mac(self.bssid)}, seq={self.seq}, retry={self.retry}, "
            f"duration={self.duration}, packet_number={self.packet_number}, "
            f"{len(self.mpdu)} bytes)"
        )


def parse(mpdu: bytes) -> Frame | ProtectedFrame:
    """Return the frame that an MPDU is.

    Args:
        mpdu: from frame control to the end of the body, without FCS.

    Raises:
        FrameError: the bytes are not an ESP-NOW frame, to the last byte.
        TypeError: not bytes at all.
    """
    if not isinstance(mpdu, bytes):
        raise TypeError(f"an MPDU is bytes, not {type(mpdu).__name__}")
    size = len(mpdu)
    if size < _MIN_PLAIN:
        raise FrameError(f"a frame of {size} bytes, fewer than {_MIN_PLAIN}")
    (
        control,
        duration,
        destination,
        source,
        bssid,
        sequence,
        category_oui,
        random_value,
        element_id,
        length,
        oui_type,
        version,
    ) = _PLAIN.unpack_from(mpdu)
    kind = control & _KIND_MASK
    if sequence & _FRAGMENT_MASK:
        raise FrameError("a fragment, which ESP-NOW never sends")
    if kind == _ACTION:
        # A length that ends with the frame is not below 5, as the frame is not too short.
        if (
            length + (_MIN_PLAIN - ELEMENT_OVERHEAD) == size
            and category_oui == CATEGORY_OUI
            and element_id == ELEMENT_ID
            and oui_type == OUI_TYPE
        ):
            message = mpdu[_MIN_PLAIN:]
            version = 2 if version & 0x0F > 1 else 1
        else:
            random_value, version, message = parse_body(mpdu[HEADER_LENGTH:])
        return _new(
            Frame,
            (
                destination,
                source,
                bssid,
                sequence >> 4,
                control & _RETRY != 0,
                duration,
                random_value,
                version,
                message,
            ),
        )
    if kind == _PROTECTED:
        if size < _MIN_PROTECTED:
            raise FrameError(f"a protected frame of {size} bytes, fewer than {_MIN_PROTECTED}")
        return _new(
            ProtectedFrame,
            (
                destination,
                source,
                bssid,
                sequence >> 4,
                control & _RETRY != 0,
                duration,
                ccmp.packet_number_of(mpdu),
                mpdu,
            ),
        )
    raise FrameError(f"frame control {control & 0xFF:02x} {control >> 8:02x} is no action frame")


#: `parse` that keeps the last 64 results: all receivers of one frame get one and the same immutable
#: value, which costs the second of them a lookup.
parse_shared = shared(maxsize=64)(parse)


def build(
    destination: bytes,
    source: bytes,
    message: bytes,
    *,
    seq: int,
    random_value: int,
    version: int = 1,
    bssid: bytes = BROADCAST,
    duration: int = 0,
    retry: bool = False,
) -> bytes:
    """Return the MPDU of a plain frame.

    Args:
        destination: addr1, a station's or a group's address.
        source: addr2, the sending interface's address.
        message: 1..250 bytes in version 1, 1..1470 in version 2.
        seq: sequence number, 0..4095.
        random_value: 0..2**32 - 1, another one than the previous frame's.
        version: 1 or 2.
        bssid: addr3.
        duration: the Duration field: `unicast_duration` of the rate, 0 to a group.
        retry: the Retry bit.

    Raises:
        ValueError: an argument is out of its range.
    """
    if not len(destination) == len(source) == len(bssid) == 6:
        raise ValueError("an address has 6 bytes")
    length = len(message)
    control = _ACTION | _RETRY if retry else _ACTION
    try:
        if length <= MAX_ELEMENT:
            if length == 0 or (version != 1 and version != 2):
                check_length(message, version)
            return (
                _PLAIN.pack(
                    control,
                    duration,
                    destination,
                    source,
                    bssid,
                    seq << 4,
                    CATEGORY_OUI,
                    random_value,
                    ELEMENT_ID,
                    ELEMENT_OVERHEAD + length,
                    OUI_TYPE,
                    version,
                )
                + message
            )
        header = _HEADER.pack(control, duration, destination, source, bssid, seq << 4)
    except error as reason:
        raise _out_of_range(seq, duration, random_value) from reason
    return header + build_body(message, random_value, version)


def build_protected(
    destination: bytes,
    source: bytes,
    message: bytes,
    *,
    seq: int,
    random_value: int,
    key: bytes | PairCipher,
    packet_number: int,
    version: int = 1,
    bssid: bytes = BROADCAST,
    duration: int = 0,
) -> bytes:
    """Return the MPDU of an encrypted frame.

    Args:
        destination: addr1, a station's address.
        source: addr2, the sending interface's address.
        message: 1..250 bytes in version 1, 1..1470 in version 2.
        seq: sequence number, 0..4095.
        random_value: 0..2**32 - 1.
        key: from `derive_key`; or the cipher of these addresses, which is faster for many frames.
        packet_number: 1..2**48 - 1, never twice with one key. A retry is the same frame, from
            `with_retry`.
        version: 1 or 2.
        bssid: addr3.
        duration: the Duration field.

    Raises:
        ValueError: an argument is out of its range.
    """
    if not isinstance(key, PairCipher):
        key = pair_cipher(key, destination, source, bssid)
    elif not key.is_for(destination, source, bssid):
        raise ValueError(f"{key} is not for a frame {format_mac(source)} -> {format_mac(destination)}")
    try:
        header = _HEADER.pack(_PROTECTED, duration, destination, source, bssid, seq << 4)
    except error as reason:
        raise _out_of_range(seq, duration, random_value) from reason
    return header + key.encrypt(build_body(message, random_value, version), packet_number)


def open_protected(frame: ProtectedFrame, key: bytes | PairCipher) -> Frame:
    """Return the plain frame inside an encrypted one.

    Args:
        frame: from `parse`.
        key: from `derive_key`; or the cipher of the frame's addresses, which is faster for many frames.

    Raises:
        FrameError: another key, changed bytes, or a plain body that is not ESP-NOW's.
        ValueError: the key is not 16 bytes long.
    """
    destination, source, bssid, seq, retry, duration, _, mpdu = frame
    if not isinstance(key, PairCipher):
        # Of the MPDU's own addresses: what `frame` says of them may be anything.
        if len(mpdu) < HEADER_LENGTH:
            raise FrameError(f"a protected frame of {len(mpdu)} bytes, too short for its header")
        key = pair_cipher(key, mpdu[4:10], mpdu[10:16], mpdu[16:22])
    body = key.decrypt(mpdu)
    random_value, version, message = parse_body(body)
    return _new(Frame, (destination, source, bssid, seq, retry, duration, random_value, version, message))


def _out_of_range(seq: int, duration: int, random_value: int) -> ValueError:
    """Return the exception for numbers of which one does not fit its field."""
    return ValueError(
        f"out of range: seq {seq!r} (0..4095), duration {duration!r} (0..65535) "
        f"or random value {random_value!r} (32 bits); or an address is no bytes"
    )

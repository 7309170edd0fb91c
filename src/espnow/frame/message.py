"""The body of an ESP-NOW action frame, versions 1 and 2: bytes to message and back.

Rules:

- Knows the body only: no addresses, no sequence numbers, no keys.
- Strict as current firmware is (read off Espressif's library): one byte that is not understood
  drops the whole body. The version byte and its more-bit are not among the bytes that are checked.
- A builder makes only what the ESP-IDF esp_now docs allow: no empty message, nothing above the
  limits.

Follows the ESP-IDF esp_now docs, "Frame Format"::

    body     category 7f | OUI 18 fe 34 | random value, 4 bytes | element ...
    element  id dd | length = 5 + n | OUI 18 fe 34 | type 04 | version | message, n = 0..250 bytes

Version byte: ``01`` in version 1. In version 2 its low half is 2, and bit 4 is set on every element
but the last.
"""

from __future__ import annotations

from struct import Struct, error
from typing import NamedTuple

from espnow.errors import FrameError

__all__ = [
    "MAX_ELEMENT",
    "MAX_V1",
    "MAX_V2",
    "Message",
    "build_body",
    "parse_body",
]

#: Message bytes that fit into one element (ESP-IDF esp_now docs).
MAX_ELEMENT = 250

#: The longest message of version 1, ``ESP_NOW_MAX_DATA_LEN`` (ESP-IDF esp_now docs).
MAX_V1 = 250

#: The longest message of version 2, ``ESP_NOW_MAX_DATA_LEN_V2`` (ESP-IDF esp_now docs).
MAX_V2 = 1470

# Of the frame format above (ESP-IDF esp_now docs; the more-bit is read off Espressif's library).
# Category and OUI, OUI and type: each as one little endian number, so that one comparison checks
# four bytes.
CATEGORY_OUI = 0x34FE187F
OUI_TYPE = 0x0434FE18
ELEMENT_ID = 0xDD
ELEMENT_OVERHEAD = 5
MORE = 0x10

#: The shortest body: one element without message bytes (read off Espressif's library).
MIN_BODY = 15

_PREFIX = Struct("<II")
_ELEMENT = Struct("<BBIB")
_ONE = Struct("<IIBBIB")

# A named tuple's own constructor is a Python function around this one.
_new = tuple.__new__


class Message(NamedTuple):
    """What a body says.

    Attributes:
        random_value: the sender's 4 random bytes, as a little endian number.
        version: 1, or 2 for all that only version 2 can say: a later version byte, or several
            elements.
        message: the element bodies, joined; 0..1470 bytes.
    """

    random_value: int
    version: int
    message: bytes


def check_length(message: bytes, version: int) -> None:
    """Raise ValueError unless a message of this length may be sent in this version."""
    if version == 1:
        limit = MAX_V1
    elif version == 2:
        limit = MAX_V2
    else:
        raise ValueError(f"ESP-NOW has versions 1 and 2, not {version}")
    if not 0 < len(message) <= limit:
        raise ValueError(f"a version {version} message has 1 to {limit} bytes, not {len(message)}")


def build_body(message: bytes, random_value: int, version: int) -> bytes:
    """Return the body that carries a message.

    Args:
        message: 1..250 bytes in version 1, 1..1470 in version 2.
        random_value: 0..2**32 - 1.
        version: 1 or 2.

    Raises:
        ValueError: an argument is out of its range.
    """
    check_length(message, version)
    length = len(message)
    try:
        if length <= MAX_ELEMENT:
            return (
                _ONE.pack(
                    CATEGORY_OUI,
                    random_value,
                    ELEMENT_ID,
                    ELEMENT_OVERHEAD + length,
                    OUI_TYPE,
                    version,
                )
                + message
            )
        parts = [_PREFIX.pack(CATEGORY_OUI, random_value)]
    except error as reason:
        raise ValueError(f"random value {random_value!r} does not fit into 32 bits") from reason
    for start in range(0, length, MAX_ELEMENT):
        piece = message[start : start + MAX_ELEMENT]
        more = MORE if start + MAX_ELEMENT < length else 0
        parts.append(_ELEMENT.pack(ELEMENT_ID, ELEMENT_OVERHEAD + len(piece), OUI_TYPE, version | more))
        parts.append(piece)
    return b"".join(parts)


def parse_body(body: bytes) -> Message:
    """Return what a body says, or refuse the whole of it.

    A message longer than 1470 bytes is refused (assumed: no sender can make one).

    Raises:
        FrameError: the body is not ESP-NOW's, to its last byte.
    """
    end = len(body)
    if end < MIN_BODY:
        raise FrameError(f"a body of {end} bytes, fewer than {MIN_BODY}")
    category_oui, random_value, element_id, length, oui_type, version = _ONE.unpack_from(body)
    if (
        category_oui == CATEGORY_OUI
        and element_id == ELEMENT_ID
        and oui_type == OUI_TYPE
        and length + (MIN_BODY - ELEMENT_OVERHEAD) == end
    ):
        return _new(Message, (random_value, 2 if version & 0x0F > 1 else 1, body[MIN_BODY:]))
    if category_oui != CATEGORY_OUI:
        raise FrameError("not a vendor specific body of Espressif's")
    parts = []
    start = 8
    while start < end:
        if end - start < 7:
            raise FrameError(f"{end - start} stray bytes after the last element")
        element_id, length, oui_type, _ = _ELEMENT.unpack_from(body, start)
        if element_id != ELEMENT_ID or oui_type != OUI_TYPE:
            raise FrameError(f"the element at byte {start} of the body is not ESP-NOW's")
        stop = start + 2 + length
        if length < ELEMENT_OVERHEAD or stop > end:
            raise FrameError(f"the element at byte {start} of the body has a wrong length, {length}")
        parts.append(body[start + 7 : stop])
        start = stop
    message = b"".join(parts)
    if len(message) > MAX_V2:
        raise FrameError(f"a message of {len(message)} bytes, more than {MAX_V2}")
    version = 2 if len(parts) > 1 or body[14] & 0x0F > 1 else 1
    return Message(random_value, version, message)

"""Reading ESP-NOW frames that a board would drop, and saying what is odd about them.

Rules:

- Takes what `action.parse` takes, with the same result, and much of what it refuses; what was odd is
  said, never corrected in silence.
- For people who look at traffic. No node takes its messages from here.
- Raises FrameError where nothing of ESP-NOW can be recognised, and nothing else.

What current firmware drops is read off Espressif's library (see `message`); the oddities are ones
that captured frames and reports of users show, and what a capture itself does to a frame.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from espnow.errors import FrameError
from espnow.frame import ccmp
from espnow.frame.action import Frame, ProtectedFrame, parse
from espnow.frame.mac80211 import (
    ACTION,
    BROADCAST,
    ESPRESSIF_OUI,
    FCS_LENGTH,
    HEADER_LENGTH,
    ManagementHeader,
    fcs_is_right,
    parse_header,
)
from espnow.frame.message import (
    ELEMENT_ID,
    ELEMENT_OVERHEAD,
    MAX_V2,
    MIN_BODY,
    MORE,
    OUI_TYPE,
    parse_body,
)

__all__ = ["Examined", "Oddity", "examine", "examine_opened"]

#: Vendor specific (ESP-IDF esp_now docs).
_CATEGORY = 0x7F
#: A station or an access point sends a frame of a category that it does not know back, with this bit
#: set (IEEE 802.11-2020, 9.4.1.11).
_REFLECTED = 0x80
# Bits of the second byte of frame control (IEEE 802.11-2020, 9.2.4.1).
_DS_BITS = 0x03
_MORE_FRAGMENTS = 0x04
# Category, OUI and random value, before the first element (ESP-IDF esp_now docs).
_BODY_START = 8
# IEEE 802.11-2020, 9.2.4.6.
_HT_CONTROL_LENGTH = 4
_ELEMENT_OUI_TYPE = OUI_TYPE.to_bytes(4, "little")
# Where the version byte of a body's first element stands.
_VERSION_AT = MIN_BODY - 1
_VERSIONS = (1, 2)

# A named tuple's own constructor is a Python function around this one.
_new = tuple.__new__
_MIN_PROTECTED = HEADER_LENGTH + ccmp.CCMP_HEADER_LENGTH + MIN_BODY + ccmp.MIC_LENGTH


class Oddity(enum.Enum):
    """What is odd about a frame; the value says it to people."""

    CUT_OFF = "the capture cut it off"
    TRAILING_FCS = "an FCS that nobody announced ends it"
    WRONG_FCS = "its FCS is wrong"
    WRONG_MORE_BIT = "a more-bit is wrong"
    UNKNOWN_VERSION = "an unknown version byte"
    UNKNOWN_ELEMENT = "an element that is not ESP-NOW's"
    WRONG_LENGTH = "an element's length is wrong"
    STRAY_BYTES = "stray bytes after the last element"
    NO_ELEMENT = "no element of ESP-NOW's"
    EMPTY_MESSAGE = "an empty message"
    LONG_MESSAGE = "a message longer than 1470 bytes"
    DESTINATION_AS_ADDR3 = "addr3 is the destination, as an ESP8266 writes it"
    OTHER_ADDR3 = "addr3 is neither broadcast nor the destination"
    REFLECTED = "category ff: a station sent back what it does not know"
    FRAGMENT = "a fragment"
    HT_CONTROL = "an HT control field"
    DS_BITS = "To DS or From DS, which no management frame has"

    def __str__(self) -> str:
        """Return what it says to people."""
        return self.value


#: With one of these, current firmware drops the frame (read off Espressif's library). That a longer
#: message, a fragment, DS bits or an HT control field is dropped is assumed: no sender makes them.
_DROPPED = frozenset(
    (
        Oddity.TRAILING_FCS,
        Oddity.WRONG_FCS,
        Oddity.UNKNOWN_ELEMENT,
        Oddity.WRONG_LENGTH,
        Oddity.STRAY_BYTES,
        Oddity.NO_ELEMENT,
        Oddity.LONG_MESSAGE,
        Oddity.REFLECTED,
        Oddity.FRAGMENT,
        Oddity.HT_CONTROL,
        Oddity.DS_BITS,
    )
)


class Examined(NamedTuple):
    """A frame, and what is odd about it.

    Attributes:
        frame: what could be read; the message of a frame that was cut off is what is left of it.
        oddities: in the order of `Oddity`; empty for a frame as an ESP32 sends it.
    """

    frame: Frame | ProtectedFrame
    oddities: tuple[Oddity, ...]

    @property
    def accepted(self) -> bool | None:
        """Whether current firmware takes the frame; None if not enough of it is there to tell.

        Of an encrypted one, whether it gets as far as being decrypted.
        """
        if not self.oddities:
            return True
        if any(oddity in _DROPPED for oddity in self.oddities):
            return False
        return None if Oddity.CUT_OFF in self.oddities else True


def examine(mpdu: bytes, *, has_fcs: bool = False, missing: int = 0) -> Examined:
    """Return the frame that an MPDU is, and what is odd about it.

    Args:
        mpdu: from frame control on; with the FCS, if `has_fcs`.
        has_fcs: the capture says that the frame ends with its FCS (radiotap's flag 0x10).
        missing: how many bytes of the frame the capture cut off, FCS included.

    Raises:
        FrameError: nothing of ESP-NOW's can be recognised: another type of frame, another category or
            OUI, or it ends before that.
        TypeError: not bytes at all.
    """
    if not isinstance(mpdu, bytes):
        raise TypeError(f"an MPDU is bytes, not {type(mpdu).__name__}")
    missing = max(missing, 0)
    wrong_fcs = False
    if has_fcs:
        wrong_fcs = not missing and not fcs_is_right(mpdu)
        mpdu, missing = _without_fcs(mpdu, missing)
    if not missing and not wrong_fcs:
        try:
            frame = parse(mpdu)
        except FrameError:
            pass
        else:
            # What strict parsing does not look at; all else it has seen.
            if frame.bssid == BROADCAST and (
                _is_usual(frame.message, len(mpdu) - HEADER_LENGTH, mpdu[HEADER_LENGTH + _VERSION_AT])
                if type(frame) is Frame
                else not fcs_is_right(mpdu)
            ):
                return _new(Examined, (frame, ()))
    oddities: set[Oddity] = set()
    if missing:
        oddities.add(Oddity.CUT_OFF)
    if wrong_fcs:
        oddities.add(Oddity.WRONG_FCS)
    return _examine(mpdu, oddities)


def _is_usual(message: bytes, body_length: int, version: int) -> bool:
    """Tell whether there is nothing odd about a body that strict parsing took."""
    return 0 < len(message) == body_length - MIN_BODY and version in _VERSIONS


def _without_fcs(mpdu: bytes, missing: int) -> tuple[bytes, int]:
    """Take away what is there of the FCS; return the rest, and how much of that is missing."""
    there = FCS_LENGTH - missing
    return (mpdu[:-there], 0) if there > 0 else (mpdu, -there)


def examine_opened(frame: ProtectedFrame, key: bytes) -> Examined:
    """Return the plain frame inside an encrypted one, and what is odd about its body.

    Args:
        frame: from `examine` or `parse`.
        key: from `derive_key`.

    Raises:
        FrameError: another key, changed or missing bytes, or a plain body that is not Espressif's.
        ValueError: the key is not 16 bytes long.
    """
    destination, source, bssid, seq, retry, duration, _, mpdu = frame
    body = ccmp.decrypt(key, mpdu)
    try:
        random_value, version, message = parse_body(body)
    except FrameError:
        pass
    else:
        if bssid == BROADCAST and _is_usual(message, len(body), body[_VERSION_AT]):
            opened = _new(Frame, (destination, source, bssid, seq, retry, duration, random_value, version, message))
            return _new(Examined, (opened, ()))
    return _examined(parse_header(mpdu), body, set(), fcs_at=-1)


def _examine(mpdu: bytes, oddities: set[Oddity]) -> Examined:
    """Look closely."""
    header = parse_header(mpdu)
    if header.subtype != ACTION:
        raise FrameError("a management frame, but no action frame")
    start = HEADER_LENGTH
    if header.ht_control:
        oddities.add(Oddity.HT_CONTROL)
        start += _HT_CONTROL_LENGTH
    if header.fragment or header.flags & _MORE_FRAGMENTS:
        oddities.add(Oddity.FRAGMENT)
    if header.flags & _DS_BITS:
        oddities.add(Oddity.DS_BITS)
    unannounced = Oddity.CUT_OFF not in oddities and Oddity.WRONG_FCS not in oddities and fcs_is_right(mpdu)
    if not header.protected:
        return _examined(header, mpdu[start:], oddities, fcs_at=len(mpdu) - start - FCS_LENGTH if unannounced else -1)
    if unannounced:
        oddities.add(Oddity.TRAILING_FCS)
        mpdu = mpdu[:-FCS_LENGTH]
    if header.ht_control:
        mpdu = mpdu[:HEADER_LENGTH] + mpdu[start:]
    _look_at_addr3(header, oddities)
    packet_number = ccmp.packet_number_of(mpdu)
    if len(mpdu) < _MIN_PROTECTED and Oddity.CUT_OFF not in oddities:
        oddities.add(Oddity.NO_ELEMENT)
    return Examined(
        ProtectedFrame(
            header.destination,
            header.source,
            header.bssid,
            header.seq,
            header.retry,
            header.duration,
            packet_number,
            mpdu,
        ),
        _in_order(oddities),
    )


def _examined(header: ManagementHeader, body: bytes, oddities: set[Oddity], *, fcs_at: int) -> Examined:
    """Read a plain body as far as it can be understood; an FCS that nobody announced begins at `fcs_at`."""
    if body[1:4] != ESPRESSIF_OUI or body[0] not in (_CATEGORY, _CATEGORY | _REFLECTED):
        raise FrameError("not a vendor specific body of Espressif's")
    if body[0] != _CATEGORY:
        oddities.add(Oddity.REFLECTED)
    _look_at_addr3(header, oddities)
    versions = bytearray()
    parts = []
    start, end = _BODY_START, len(body)
    while start < end:
        if start == fcs_at:
            oddities.add(Oddity.TRAILING_FCS)
            break
        element_id, length = body[start], body[start + 1] if start + 1 < end else 0
        stop = start + 2 + length
        known = element_id == ELEMENT_ID and body[start + 2 : start + 6] == _ELEMENT_OUI_TYPE and start + 7 <= end
        if Oddity.CUT_OFF in oddities and stop > end:
            if known:
                versions.append(body[start + 6])
                parts.append(body[start + 7 : end])
            break
        if known:
            if length < ELEMENT_OVERHEAD or stop > end:
                oddities.add(Oddity.WRONG_LENGTH)
            versions.append(body[start + 6])
            parts.append(body[start + 7 : max(stop, start + 7)])
            stop = max(stop, start + 7)
        elif length and stop <= end:
            oddities.add(Oddity.UNKNOWN_ELEMENT)
        else:
            oddities.add(Oddity.STRAY_BYTES)
            break
        start = stop
    message = b"".join(parts)
    _look_at_elements(bytes(versions), message, oddities)
    version = 2 if len(parts) > 1 or any(byte & 0x0F > 1 for byte in versions) else 1
    random_value = int.from_bytes(body[4:8], "little")
    return Examined(
        Frame(
            header.destination,
            header.source,
            header.bssid,
            header.seq,
            header.retry,
            header.duration,
            random_value,
            version,
            message,
        ),
        _in_order(oddities),
    )


def _look_at_elements(versions: bytes, message: bytes, oddities: set[Oddity]) -> None:
    """Say what is odd about the version bytes and the message."""
    cut = Oddity.CUT_OFF in oddities
    if not versions:
        if not cut:
            oddities.add(Oddity.NO_ELEMENT)
        return
    if any(byte & ~MORE not in _VERSIONS for byte in versions) or len({byte & 0x0F for byte in versions}) > 1:
        oddities.add(Oddity.UNKNOWN_VERSION)
    if any(not byte & MORE for byte in versions[:-1]) or (versions[-1] & MORE and not cut):
        oddities.add(Oddity.WRONG_MORE_BIT)
    if not message and not cut:
        oddities.add(Oddity.EMPTY_MESSAGE)
    if len(message) > MAX_V2:
        oddities.add(Oddity.LONG_MESSAGE)


def _look_at_addr3(header: ManagementHeader, oddities: set[Oddity]) -> None:
    if header.bssid != BROADCAST:
        same = header.bssid == header.destination
        oddities.add(Oddity.DESTINATION_AS_ADDR3 if same else Oddity.OTHER_ADDR3)


def _in_order(oddities: set[Oddity]) -> tuple[Oddity, ...]:
    return tuple(oddity for oddity in Oddity if oddity in oddities)

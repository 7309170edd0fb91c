"""The frames by which stations find, join and leave an access point.

Rules:

- Bytes and values only, as in all of `espnow.frame`: no state, no time, no chance.
- `parse_wifi` is strict about lengths and raises FrameError for whatever it does not read; elements that it does not
  know are skipped, as every receiver skips them.

Follows IEEE 802.11-2020, clauses 9.3.3 (management frames) and 9.4.2 (elements). The handshake that proves a key has
its own module, `espnow.frame.handshake`.

One element is ours: the association response carries the address that DHCP would give (`Lease`), as a vendor specific
element with Espressif's OUI, since no IP frames are on this air.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from espnow.errors import FrameError
from espnow.frame.handshake import (
    AKM_PSK,
    AKM_SAE,
    DURATION,
    FROM_DS,
    RSN,
    TO_DS,
    WPA_MARK,
    KeyFrame,
    parse_key_frame,
    security_elements,
)
from espnow.frame.kinds import (
    ASSOCIATION_REQUEST,
    ASSOCIATION_RESPONSE,
    AUTHENTICATION,
    BEACON,
    DATA,
    DEAUTHENTICATION,
    DISASSOCIATION,
    NULL,
    PROBE_REQUEST,
    PROBE_RESPONSE,
    PROTECTED_SECURITY,
    REASSOCIATION_REQUEST,
    REASSOCIATION_RESPONSE,
    WEP,
    WPA,
    WPA2,
    WPA2_WPA3,
    WPA3,
    WPA_WPA2,
)
from espnow.frame.mac80211 import BROADCAST, ESPRESSIF_OUI, HEADER_LENGTH, ManagementHeader, build_header

__all__ = [
    "Advertisement",
    "AssociationRequest",
    "AssociationResponse",
    "Authentication",
    "Farewell",
    "Lease",
    "NullData",
    "ProbeRequest",
    "Reason",
    "Status",
    "WifiFrame",
    "build_advertisement",
    "build_association_request",
    "build_association_response",
    "build_authentication",
    "build_farewell",
    "build_null",
    "build_probe_request",
    "parse_wifi",
]

# Bits of the second byte of frame control (9.2.4.1).
_DS_BITS = TO_DS | FROM_DS
_MORE_FRAGMENTS = 0x04
_POWER_MANAGEMENT = 0x10
_PROTECTED = 0x40
_ORDER = 0x80

# Elements (table 9-92).
_SSID = 0
_RATES = 1
_DS_PARAMETER = 3
_TIM = 5
_CHANNEL_SWITCH = 37
_EXTENDED_RATES = 50
_VENDOR = 221

_MAX_SSID = 32

# 1, 2, 5.5 and 11 Mb/s, which are basic; 18, 24, 36, 54. Then 6, 9, 12, 48 (9.4.2.3, 9.4.2.13).
_RATE_ELEMENTS = bytes((_RATES, 8, 0x82, 0x84, 0x8B, 0x96, 0x24, 0x30, 0x48, 0x6C)) + bytes(
    (_EXTENDED_RATES, 4, 0x0C, 0x12, 0x18, 0x60)
)
_NO_TRAFFIC = bytes((_TIM, 4, 0, 1, 0, 0))

# Capability information (9.4.1.4): an access point, with or without a key, with short slots and preamble.
_ESS = 0x0001
_PRIVACY = 0x0010
_CAPABILITY = _ESS | 0x0020 | 0x0400

_LEASE_MARK = ESPRESSIF_OUI + b"\xa5"

_FIXED = Struct("<QHH")
_fixed_at = _FIXED.unpack_from
_three = Struct("<HHH").unpack
_UNIT_US = 1024


class Status(enum.IntEnum):
    """Status codes of authentication and association (table 9-50)."""

    SUCCESS = 0
    UNSPECIFIED = 1
    OTHER_ALGORITHM = 13
    TOO_MANY_STATIONS = 17
    INVALID_ELEMENT = 40


class Reason(enum.IntEnum):
    """Reason codes of deauthentication and disassociation (table 9-49)."""

    UNSPECIFIED = 1
    AUTHENTICATION_EXPIRED = 2
    ACCESS_POINT_LEAVES = 3
    INACTIVITY = 4
    NOT_AUTHENTICATED = 6
    NOT_ASSOCIATED = 7
    STATION_LEAVES = 8
    MIC_FAILURE = 14
    HANDSHAKE_TIMEOUT = 15


class Advertisement(NamedTuple):
    """What a beacon or a probe response says of a network.

    Attributes:
        bssid: address of the access point.
        ssid: the name; empty if it is kept back.
        channel: the one that it names; 0 if it names none.
        security: ``wifi_auth_mode_t`` number.
        interval_us: time from one beacon to the next.
        timestamp_us: the access point's own time.
        switch_channel: where it is about to go; 0 for nowhere.
        switch_count: in how many beacons it will be there.
    """

    bssid: bytes
    ssid: bytes
    channel: int
    security: int = 0
    interval_us: int = 102_400
    timestamp_us: int = 0
    switch_channel: int = 0
    switch_count: int = 0

    @property
    def hidden(self) -> bool:
        """Whether the name is kept back."""
        return not self.ssid.strip(b"\0")


class ProbeRequest(NamedTuple):
    """A question who is there; an empty ssid asks everybody."""

    source: bytes
    ssid: bytes


class Authentication(NamedTuple):
    """One step of open system authentication: 1 from the station, 2 back."""

    destination: bytes
    source: bytes
    bssid: bytes
    algorithm: int
    step: int
    status: int


class AssociationRequest(NamedTuple):
    """A station's wish to join; `security` is what it would speak."""

    source: bytes
    bssid: bytes
    ssid: bytes
    security: int


class Lease(NamedTuple):
    """What DHCP would give: 4 bytes each."""

    address: bytes
    gateway: bytes


class AssociationResponse(NamedTuple):
    """The answer to `AssociationRequest`; without a lease nobody gives addresses here."""

    destination: bytes
    bssid: bytes
    status: int
    association_id: int
    lease: Lease | None = None


class Farewell(NamedTuple):
    """A deauthentication, or (not `final`) a disassociation."""

    destination: bytes
    source: bytes
    bssid: bytes
    reason: int
    final: bool = True


class NullData(NamedTuple):
    """A data frame without data: a station tells that it is there, and whether its receiver will sleep."""

    source: bytes
    bssid: bytes
    power_save: bool


WifiFrame = (
    Advertisement
    | ProbeRequest
    | Authentication
    | AssociationRequest
    | AssociationResponse
    | Farewell
    | NullData
    | KeyFrame
)


# Building.


def _management(kind: int, destination: bytes, source: bytes, bssid: bytes, seq: int) -> bytes:
    duration = 0 if destination[0] & 1 else DURATION
    return build_header(ManagementHeader(destination, source, bssid, kind >> 4, 0, duration, seq, 0))


def _element(number: int, content: bytes) -> bytes:
    return bytes((number, len(content))) + content


def _check_ssid(ssid: bytes) -> None:
    if len(ssid) > _MAX_SSID:
        raise ValueError(f"an ssid has at most {_MAX_SSID} bytes, not {len(ssid)}")


def build_advertisement(network: Advertisement, *, seq: int, destination: bytes | None = None) -> bytes:
    """Return a beacon, or the probe response for a destination.

    Raises:
        ValueError: a value is out of its range.
    """
    _check_ssid(network.ssid)
    kind = BEACON if destination is None else PROBE_RESPONSE
    protected = network.security in PROTECTED_SECURITY
    body = (network.timestamp_us & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little")
    body += _words(network.interval_us // _UNIT_US, _CAPABILITY | (_PRIVACY if protected else 0))
    body += _element(_SSID, network.ssid) + _RATE_ELEMENTS[:10] + bytes((_DS_PARAMETER, 1, network.channel))
    if destination is None:
        body += _NO_TRAFFIC
    if network.switch_channel:
        body += bytes((_CHANNEL_SWITCH, 3, 1, network.switch_channel, network.switch_count))
    body += _RATE_ELEMENTS[10:] + security_elements(network.security)
    bssid = network.bssid
    return _management(kind, BROADCAST if destination is None else destination, bssid, bssid, seq) + body


def build_probe_request(source: bytes, ssid: bytes, *, seq: int) -> bytes:
    """Return the question whether a network is there; an empty ssid asks for all.

    Raises:
        ValueError: a value is out of its range.
    """
    _check_ssid(ssid)
    return _management(PROBE_REQUEST, BROADCAST, source, BROADCAST, seq) + _element(_SSID, ssid) + _RATE_ELEMENTS


def build_authentication(frame: Authentication, *, seq: int) -> bytes:
    """Return an authentication frame.

    Raises:
        ValueError: a value is out of its range.
    """
    return _management(AUTHENTICATION, frame.destination, frame.source, frame.bssid, seq) + _words(
        frame.algorithm, frame.step, frame.status
    )


def build_association_request(frame: AssociationRequest, *, seq: int) -> bytes:
    """Return an association request; it listens to each third beacon at least.

    Raises:
        ValueError: a value is out of its range.
    """
    _check_ssid(frame.ssid)
    privacy = _PRIVACY if frame.security in PROTECTED_SECURITY else 0
    return (
        _management(ASSOCIATION_REQUEST, frame.bssid, frame.source, frame.bssid, seq)
        + _words(_CAPABILITY | privacy, 3)
        + _element(_SSID, frame.ssid)
        + _RATE_ELEMENTS
        + security_elements(frame.security)
    )


def build_association_response(frame: AssociationResponse, *, seq: int, security: int = 0) -> bytes:
    """Return an association response.

    Raises:
        ValueError: a value is out of its range.
    """
    privacy = _PRIVACY if security in PROTECTED_SECURITY else 0
    lease = frame.lease
    return (
        _management(ASSOCIATION_RESPONSE, frame.destination, frame.bssid, frame.bssid, seq)
        # The two highest bits of an association id are set (9.4.1.8).
        + _words(_CAPABILITY | privacy, frame.status, frame.association_id | 0xC000 if not frame.status else 0)
        + _RATE_ELEMENTS
        + (b"" if lease is None else _element(_VENDOR, _LEASE_MARK + lease.address + lease.gateway))
    )


def build_farewell(frame: Farewell, *, seq: int) -> bytes:
    """Return a deauthentication or a disassociation.

    Raises:
        ValueError: a value is out of its range.
    """
    kind = DEAUTHENTICATION if frame.final else DISASSOCIATION
    return _management(kind, frame.destination, frame.source, frame.bssid, seq) + _words(frame.reason)


def build_null(frame: NullData, *, seq: int) -> bytes:
    """Return a data frame without data, from a station to its access point.

    Raises:
        ValueError: a value is out of its range.
    """
    flags = TO_DS | (_POWER_MANAGEMENT if frame.power_save else 0)
    header = build_header(ManagementHeader(frame.bssid, frame.source, frame.bssid, 0, flags, DURATION, seq, 0))
    return bytes((NULL,)) + header[1:]


def _words(*numbers: int) -> bytes:
    try:
        return b"".join(number.to_bytes(2, "little") for number in numbers)
    except OverflowError:
        raise ValueError(f"out of range: one of {numbers} is not in 0..65535") from None


# Parsing.


def parse_wifi(mpdu: bytes) -> WifiFrame:
    """Return what a frame says.

    Raises:
        FrameError: it is none of these, too short, or an element runs over its end.
    """
    if len(mpdu) < HEADER_LENGTH:
        raise FrameError(f"a frame of {len(mpdu)} bytes, shorter than its header")
    kind, flags = mpdu[0], mpdu[1]
    if flags & (_MORE_FRAGMENTS | _PROTECTED | _ORDER) or mpdu[22] & 0x0F:
        raise FrameError("a fragment, a protected frame, or one with HT control")
    if kind in (DATA, NULL):
        return _parse_data(kind, flags, mpdu)
    if flags & _DS_BITS:
        raise FrameError("a management frame with To DS or From DS")
    destination, source, bssid = mpdu[4:10], mpdu[10:16], mpdu[16:22]
    body = mpdu[HEADER_LENGTH:]
    if kind in (BEACON, PROBE_RESPONSE):
        return _parse_advertisement(source, bssid, body)
    if kind == PROBE_REQUEST:
        return ProbeRequest(source, _find_ssid(body))
    if kind == AUTHENTICATION:
        return Authentication(destination, source, bssid, *_three(_fixed(body, 6)))
    if kind in (DEAUTHENTICATION, DISASSOCIATION):
        reason = int.from_bytes(_fixed(body, 2), "little")
        return Farewell(destination, source, bssid, reason, kind == DEAUTHENTICATION)
    if kind in (ASSOCIATION_REQUEST, REASSOCIATION_REQUEST):
        start = 4 if kind == ASSOCIATION_REQUEST else 10
        _at_least(body, start)
        elements = body[start:]
        capability = int.from_bytes(body[:2], "little")
        return AssociationRequest(source, bssid, _find_ssid(elements), _find_security(elements, capability))
    if kind in (ASSOCIATION_RESPONSE, REASSOCIATION_RESPONSE):
        _at_least(body, 6)
        _, status, number = _three(body[:6])
        lease = None
        for element, content in _elements(body[6:]):
            if element == _VENDOR and content[:4] == _LEASE_MARK and len(content) == 12:
                lease = Lease(content[4:8], content[8:12])
        return AssociationResponse(destination, source, status, number & 0x3FFF, lease)
    raise FrameError(f"frame control {kind:02x} is nothing of joining a network")


def _at_least(body: bytes, length: int) -> None:
    if len(body) < length:
        raise FrameError(f"a body of {len(body)} bytes, and {length} at least are needed")


def _fixed(body: bytes, length: int) -> bytes:
    """Return the fixed fields of a body; elements may follow them."""
    _at_least(body, length)
    for _ in _elements(body[length:]):
        pass
    return body[:length]


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(content):
        end = at + 2 + content[at + 1] if at + 2 <= len(content) else len(content) + 1
        if end > len(content):
            raise FrameError("an element runs over the end of its frame")
        yield content[at], content[at + 2 : end]
        at = end


def _find_ssid(content: bytes) -> bytes:
    found = None
    for element, value in _elements(content):
        if element == _SSID and found is None:
            if len(value) > _MAX_SSID:
                raise FrameError(f"an ssid of {len(value)} bytes")
            found = value
    if found is None:
        raise FrameError("no ssid")
    return found


def _find_security(content: bytes, capability: int) -> int:
    suites: tuple[bytes, ...] = ()
    wpa = False
    for element, value in _elements(content):
        if element == RSN:
            suites = _key_suites(value)
        elif element == _VENDOR and value[:4] == WPA_MARK:
            wpa = True
    if AKM_SAE in suites:
        return WPA2_WPA3 if AKM_PSK in suites else WPA3
    if suites:
        return WPA_WPA2 if wpa else WPA2
    if wpa:
        return WPA
    return WEP if capability & _PRIVACY else 0


def _key_suites(content: bytes) -> tuple[bytes, ...]:
    """Return the suites of key management that an RSN element names."""
    at = 6
    for _ in range(2):
        if len(content) < at + 2:
            raise FrameError("an RSN element that is cut off")
        count = int.from_bytes(content[at : at + 2], "little")
        begin, at = at + 2, at + 2 + 4 * count
        if len(content) < at:
            raise FrameError("an RSN element that is cut off")
    return tuple(content[start : start + 4] for start in range(begin, at, 4))


def _parse_advertisement(source: bytes, bssid: bytes, body: bytes) -> Advertisement:
    _at_least(body, _FIXED.size)
    if source != bssid:
        raise FrameError("a beacon whose sender is not its access point")
    timestamp_us, interval, capability = _fixed_at(body)
    elements = body[_FIXED.size :]
    channel = switch_channel = switch_count = 0
    for element, value in _elements(elements):
        if element == _DS_PARAMETER:
            if len(value) != 1:
                raise FrameError("a channel of another size than one byte")
            channel = value[0]
        elif element == _CHANNEL_SWITCH:
            if len(value) != 3:
                raise FrameError("a channel switch announcement of another size than three bytes")
            _, switch_channel, switch_count = value
    security = _find_security(elements, capability)
    ssid = _find_ssid(elements)
    interval_us = interval * _UNIT_US
    return Advertisement(bssid, ssid, channel, security, interval_us, timestamp_us, switch_channel, switch_count)


def _parse_data(kind: int, flags: int, mpdu: bytes) -> NullData | KeyFrame:
    destination, source = mpdu[4:10], mpdu[10:16]
    if kind == NULL:
        if flags & _DS_BITS != TO_DS or len(mpdu) != HEADER_LENGTH:
            raise FrameError("a null frame that is not for an access point, or has a body")
        return NullData(source, destination, bool(flags & _POWER_MANAGEMENT))
    return parse_key_frame(mpdu)

"""The frames by which stations find, join and leave an access point, and the handshake that proves the key.

Rules:

- Bytes and values only, as in all of `espnow.frame`: no state, no time, no chance.
- `parse_wifi` is strict about lengths and raises FrameError for whatever it does not read; elements that it does not
  know are skipped, as every receiver skips them.
- Keys, and what is made from them, are arguments and results only; hashes and AES are imported by the first call that
  needs them.

Follows IEEE 802.11-2020: clause 9.3.3 (management frames), 9.4.2 (elements), 12.7 (keys and the four-way handshake),
and J.4 (a passphrase becomes a key). A handshake's data are wrapped as RFC 3394 says. Of WPA3 there is only the name:
its networks are joined with WPA2's handshake.

One element is ours: the association response carries the address that DHCP would give (`Lease`), as a vendor specific
element with Espressif's OUI, since no IP frames are on this air.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from espnow.errors import FrameError
from espnow.frame._shared import shared
from espnow.frame.mac80211 import BROADCAST, ESPRESSIF_OUI, HEADER_LENGTH, ManagementHeader, build_header

__all__ = [
    "BEACON",
    "PROTECTED_SECURITY",
    "Advertisement",
    "AssociationRequest",
    "AssociationResponse",
    "Authentication",
    "Farewell",
    "KeyFrame",
    "KeyMessage",
    "Lease",
    "NullData",
    "PairwiseKeys",
    "ProbeRequest",
    "Reason",
    "Status",
    "WIFI_FRAMES",
    "WifiFrame",
    "build_advertisement",
    "build_association_request",
    "build_association_response",
    "build_authentication",
    "build_farewell",
    "build_key_frame",
    "build_null",
    "build_probe_request",
    "is_wifi",
    "mic_is_right",
    "pairwise_keys",
    "parse_wifi",
    "primary_key",
]

# First byte of frame control by kind (table 9-1).
_ASSOCIATION_REQUEST = 0x00
_ASSOCIATION_RESPONSE = 0x10
_REASSOCIATION_REQUEST = 0x20
_REASSOCIATION_RESPONSE = 0x30
_PROBE_REQUEST = 0x40
_PROBE_RESPONSE = 0x50
#: First byte of a beacon.
BEACON = 0x80
_DISASSOCIATION = 0xA0
_AUTHENTICATION = 0xB0
_DEAUTHENTICATION = 0xC0
_DATA = 0x08
_NULL = 0x48

#: How the frames begin that `parse_wifi` reads, one byte each.
WIFI_FRAMES = frozenset(
    bytes((kind,))
    for kind in (
        _ASSOCIATION_REQUEST,
        _ASSOCIATION_RESPONSE,
        _REASSOCIATION_REQUEST,
        _REASSOCIATION_RESPONSE,
        _PROBE_REQUEST,
        _PROBE_RESPONSE,
        BEACON,
        _DISASSOCIATION,
        _AUTHENTICATION,
        _DEAUTHENTICATION,
        _DATA,
        _NULL,
    )
)

# Bits of the second byte of frame control (9.2.4.1).
_TO_DS = 0x01
_FROM_DS = 0x02
_DS_BITS = 0x03
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
_RSN = 48
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

# Suites (9.4.2.24): CCMP; pre-shared key; SAE.
_OUI_IEEE = b"\x00\x0f\xac"
_CCMP_SUITE = _OUI_IEEE + b"\x04"
_AKM_PSK = _OUI_IEEE + b"\x02"
_AKM_SAE = _OUI_IEEE + b"\x08"
#: WPA, the element that came before RSN: Microsoft's OUI, type 1, version 1, TKIP twice, pre-shared key.
_WPA_MARK = b"\x00\x50\xf2\x01"
_WPA_ELEMENT = bytes.fromhex("dd160050f20101000050f20201000050f20201000050f202")

_WPA = 2
_WPA2 = 3
_WPA_WPA2 = 4
_WPA3 = 6
_WPA2_WPA3 = 7
_WEP = 1

#: Numbers of ``wifi_auth_mode_t`` that need a key.
PROTECTED_SECURITY = frozenset((_WPA, _WPA2, _WPA_WPA2, _WPA3, _WPA2_WPA3))

#: Duration of a frame of 1 Mb/s that is acknowledged, as captured ESP-NOW frames carry it.
_DURATION = 314

_LEASE_MARK = ESPRESSIF_OUI + b"\xa5"
_LLC_EAPOL = bytes.fromhex("aaaa03000000888e")

_FIXED = Struct("<QHH")
_fixed_at = _FIXED.unpack_from
_two = Struct("<HH").unpack
_three = Struct("<HHH").unpack
_KEY = Struct(">BBHBHHQ32s16s8s8s16sH")
_KEY_MIC_AT = 81
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


class KeyMessage(enum.IntEnum):
    """The four messages of the handshake; the value is their key information (12.7.6)."""

    FIRST = 0x008A
    SECOND = 0x010A
    THIRD = 0x13CA
    FOURTH = 0x030A


class KeyFrame(NamedTuple):
    """One message of the four-way handshake.

    Attributes:
        destination: whom it is for.
        source: who sends it.
        message: which of the four.
        replay_counter: an answer carries that of its question.
        nonce: of the sender; zeros in the last message.
        mic: proves the key; zeros in the first message.
        eapol: the EAPOL frame with zeros in place of the MIC: what the MIC is made of.
    """

    destination: bytes
    source: bytes
    message: KeyMessage
    replay_counter: int
    nonce: bytes
    mic: bytes
    eapol: bytes


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


class PairwiseKeys(NamedTuple):
    """What two stations that hold one primary key, and told each other a nonce, share: 16 bytes each."""

    confirmation: bytes
    encryption: bytes
    temporal: bytes

    def __repr__(self) -> str:
        """Return it without the keys."""
        return "<PairwiseKeys>"


def is_wifi(mpdu: bytes) -> bool:
    """Tell by its first byte whether a frame is of a kind that `parse_wifi` reads."""
    return mpdu[:1] in WIFI_FRAMES


# Building.


def _management(kind: int, destination: bytes, source: bytes, bssid: bytes, seq: int) -> bytes:
    duration = 0 if destination[0] & 1 else _DURATION
    return build_header(ManagementHeader(destination, source, bssid, kind >> 4, 0, duration, seq, 0))


def _element(number: int, content: bytes) -> bytes:
    return bytes((number, len(content))) + content


def _security_elements(security: int) -> bytes:
    """Return what a network with this security says of it."""
    if security == _WPA:
        return _WPA_ELEMENT
    if security not in PROTECTED_SECURITY:
        return b""
    suites = {_WPA3: (_AKM_SAE,), _WPA2_WPA3: (_AKM_PSK, _AKM_SAE)}.get(security, (_AKM_PSK,))
    content = b"\x01\x00" + _CCMP_SUITE + b"\x01\x00" + _CCMP_SUITE
    content += len(suites).to_bytes(2, "little") + b"".join(suites) + b"\0\0"
    return _element(_RSN, content) + (_WPA_ELEMENT if security == _WPA_WPA2 else b"")


def _check_ssid(ssid: bytes) -> None:
    if len(ssid) > _MAX_SSID:
        raise ValueError(f"an ssid has at most {_MAX_SSID} bytes, not {len(ssid)}")


def build_advertisement(network: Advertisement, *, seq: int, destination: bytes | None = None) -> bytes:
    """Return a beacon, or the probe response for a destination.

    Raises:
        ValueError: a value is out of its range.
    """
    _check_ssid(network.ssid)
    kind = BEACON if destination is None else _PROBE_RESPONSE
    protected = network.security in PROTECTED_SECURITY
    body = _FIXED.pack(
        network.timestamp_us & 0xFFFF_FFFF_FFFF_FFFF,
        network.interval_us // _UNIT_US,
        _CAPABILITY | (_PRIVACY if protected else 0),
    )
    body += _element(_SSID, network.ssid) + _RATE_ELEMENTS[:10] + bytes((_DS_PARAMETER, 1, network.channel))
    if destination is None:
        body += _NO_TRAFFIC
    if network.switch_channel:
        body += bytes((_CHANNEL_SWITCH, 3, 1, network.switch_channel, network.switch_count))
    body += _RATE_ELEMENTS[10:] + _security_elements(network.security)
    bssid = network.bssid
    return _management(kind, BROADCAST if destination is None else destination, bssid, bssid, seq) + body


def build_probe_request(source: bytes, ssid: bytes, *, seq: int) -> bytes:
    """Return the question whether a network is there; an empty ssid asks for all.

    Raises:
        ValueError: a value is out of its range.
    """
    _check_ssid(ssid)
    return _management(_PROBE_REQUEST, BROADCAST, source, BROADCAST, seq) + _element(_SSID, ssid) + _RATE_ELEMENTS


def build_authentication(frame: Authentication, *, seq: int) -> bytes:
    """Return an authentication frame.

    Raises:
        ValueError: a value is out of its range.
    """
    return _management(_AUTHENTICATION, frame.destination, frame.source, frame.bssid, seq) + _words(
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
        _management(_ASSOCIATION_REQUEST, frame.bssid, frame.source, frame.bssid, seq)
        + _words(_CAPABILITY | privacy, 3)
        + _element(_SSID, frame.ssid)
        + _RATE_ELEMENTS
        + _security_elements(frame.security)
    )


def build_association_response(frame: AssociationResponse, *, seq: int, security: int = 0) -> bytes:
    """Return an association response.

    Raises:
        ValueError: a value is out of its range.
    """
    privacy = _PRIVACY if security in PROTECTED_SECURITY else 0
    lease = frame.lease
    return (
        _management(_ASSOCIATION_RESPONSE, frame.destination, frame.bssid, frame.bssid, seq)
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
    kind = _DEAUTHENTICATION if frame.final else _DISASSOCIATION
    return _management(kind, frame.destination, frame.source, frame.bssid, seq) + _words(frame.reason)


def build_null(frame: NullData, *, seq: int) -> bytes:
    """Return a data frame without data, from a station to its access point.

    Raises:
        ValueError: a value is out of its range.
    """
    flags = _TO_DS | (_POWER_MANAGEMENT if frame.power_save else 0)
    header = build_header(ManagementHeader(frame.bssid, frame.source, frame.bssid, 0, flags, _DURATION, seq, 0))
    return bytes((_NULL,)) + header[1:]


def build_key_frame(
    message: KeyMessage,
    *,
    bssid: bytes,
    station: bytes,
    replay_counter: int,
    seq: int,
    nonce: bytes = bytes(32),
    keys: PairwiseKeys | None = None,
    security: int = _WPA2,
    group_key: bytes = b"",
) -> bytes:
    """Return one message of the four-way handshake, in a data frame.

    Args:
        message: which; the odd ones come from the access point.
        bssid: its address.
        station: the other one.
        replay_counter: of the access point; an answer repeats it.
        seq: sequence number.
        nonce: of the sender, 32 bytes.
        keys: what makes the MIC; None in the first message.
        security: what both speak, told again in the second and third message.
        group_key: the network's key for groups, 16 bytes, in the third message.

    Raises:
        ValueError: a value is out of its range.
    """
    content = b""
    if message is KeyMessage.SECOND:
        content = _security_elements(security)
    elif message is KeyMessage.THIRD and keys is not None:
        content = _security_elements(security) + b"\xdd\x16" + _OUI_IEEE + b"\x01\x01\x00" + group_key
        if len(content) % 8:
            content += b"\xdd" + bytes(-(len(content) + 1) % 8)
        from cryptography.hazmat.primitives.keywrap import aes_key_wrap

        content = aes_key_wrap(keys.encryption, content)
    if len(nonce) != 32:
        raise ValueError(f"a nonce has 32 bytes, not {len(nonce)}")
    from_station = message in (KeyMessage.SECOND, KeyMessage.FOURTH)
    eapol = _KEY.pack(
        1 if from_station else 2,
        3,
        _KEY.size - 4 + len(content),
        2,
        message,
        0 if from_station else 16,
        replay_counter,
        nonce,
        bytes(16),
        bytes(8),
        bytes(8),
        bytes(16),
        len(content),
    )
    eapol += content
    if keys is not None:
        eapol = eapol[:_KEY_MIC_AT] + _mic(keys, eapol) + eapol[_KEY_MIC_AT + 16 :]
    if from_station:
        header = ManagementHeader(bssid, station, bssid, 0, _TO_DS, _DURATION, seq, 0)
    else:
        header = ManagementHeader(station, bssid, bssid, 0, _FROM_DS, _DURATION, seq, 0)
    return bytes((_DATA,)) + build_header(header)[1:] + _LLC_EAPOL + eapol


def _words(*numbers: int) -> bytes:
    try:
        return b"".join(number.to_bytes(2, "little") for number in numbers)
    except OverflowError:
        raise ValueError(f"out of range: one of {numbers} is not in 0..65535") from None


# Keys.


@shared(maxsize=256)
def primary_key(key: bytes, ssid: bytes) -> bytes:
    """Return the key that a passphrase and the name of its network make, 32 bytes; 64 hexadecimal digits are it."""
    if len(key) == 64:
        try:
            return bytes.fromhex(key.decode("ascii"))
        except ValueError:
            pass
    import hashlib

    return hashlib.pbkdf2_hmac("sha1", key, ssid, 4096, 32)


def pairwise_keys(primary: bytes, bssid: bytes, station: bytes, nonces: tuple[bytes, bytes]) -> PairwiseKeys:
    """Return what access point and station share after they told each other their nonces (12.7.1.3).

    Args:
        primary: from `primary_key`.
        bssid: address of the access point.
        station: address of the station.
        nonces: of both.
    """
    import hmac

    context = min(bssid, station) + max(bssid, station) + min(nonces) + max(nonces)
    label = b"Pairwise key expansion\0" + context
    stream = b"".join(hmac.digest(primary, label + bytes((number,)), "sha1") for number in range(3))
    return PairwiseKeys(stream[:16], stream[16:32], stream[32:48])


def _mic(keys: PairwiseKeys, eapol: bytes) -> bytes:
    import hmac

    return hmac.digest(keys.confirmation, eapol, "sha1")[:16]


def mic_is_right(frame: KeyFrame, keys: PairwiseKeys) -> bool:
    """Tell whether a message was made with these keys."""
    return frame.mic == _mic(keys, frame.eapol)


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
    if kind in (_DATA, _NULL):
        return _parse_data(kind, flags, mpdu)
    if flags & _DS_BITS:
        raise FrameError("a management frame with To DS or From DS")
    destination, source, bssid = mpdu[4:10], mpdu[10:16], mpdu[16:22]
    body = mpdu[HEADER_LENGTH:]
    if kind in (BEACON, _PROBE_RESPONSE):
        return _parse_advertisement(source, bssid, body)
    if kind == _PROBE_REQUEST:
        return ProbeRequest(source, _find_ssid(body))
    if kind == _AUTHENTICATION:
        return Authentication(destination, source, bssid, *_three(_exactly(body, 6)))
    if kind in (_DEAUTHENTICATION, _DISASSOCIATION):
        reason = int.from_bytes(_exactly(body, 2), "little")
        return Farewell(destination, source, bssid, reason, kind == _DEAUTHENTICATION)
    if kind in (_ASSOCIATION_REQUEST, _REASSOCIATION_REQUEST):
        start = 4 if kind == _ASSOCIATION_REQUEST else 10
        _at_least(body, start)
        elements = body[start:]
        capability = int.from_bytes(body[:2], "little")
        return AssociationRequest(source, bssid, _find_ssid(elements), _find_security(elements, capability))
    if kind in (_ASSOCIATION_RESPONSE, _REASSOCIATION_RESPONSE):
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


def _exactly(body: bytes, length: int) -> bytes:
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
        if element == _RSN:
            suites = _key_suites(value)
        elif element == _VENDOR and value[:4] == _WPA_MARK:
            wpa = True
    if _AKM_SAE in suites:
        return _WPA2_WPA3 if _AKM_PSK in suites else _WPA3
    if suites:
        return _WPA_WPA2 if wpa else _WPA2
    if wpa:
        return _WPA
    return _WEP if capability & _PRIVACY else 0


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
    if kind == _NULL:
        if flags & _DS_BITS != _TO_DS or len(mpdu) != HEADER_LENGTH:
            raise FrameError("a null frame that is not for an access point, or has a body")
        return NullData(source, destination, bool(flags & _POWER_MANAGEMENT))
    if flags & _DS_BITS not in (_TO_DS, _FROM_DS) or mpdu[24:32] != _LLC_EAPOL:
        raise FrameError("a data frame that is no handshake")
    eapol = mpdu[32:]
    if len(eapol) < _KEY.size:
        raise FrameError(f"an EAPOL frame of {len(eapol)} bytes, too short for a key")
    _, type_, length, descriptor, information, _, counter, nonce, _, _, _, mic, more = _KEY.unpack_from(eapol)
    if type_ != 3 or descriptor != 2 or length + 4 != len(eapol) or more + _KEY.size != len(eapol):
        raise FrameError("an EAPOL frame that is no key of the length that it says")
    try:
        message = KeyMessage(information)
    except ValueError:
        raise FrameError(f"key information {information:#06x} is no message of the handshake") from None
    zeroed = eapol[:_KEY_MIC_AT] + bytes(16) + eapol[_KEY_MIC_AT + 16 :]
    return KeyFrame(destination, source, message, counter, nonce, mic, zeroed)

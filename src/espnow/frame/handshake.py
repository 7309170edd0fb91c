"""The four-way handshake by which a station and its access point prove to each other that they hold one key.

Rules:

- Bytes and values only. Keys, and what is made from them, are arguments and results; hashes and AES are imported by the
  first call that needs them.
- Nobody compares keys: who holds another one makes another MIC.

Follows IEEE 802.11-2020, clause 12.7 (key descriptor version 2: HMAC-SHA1, and AES key wrap of RFC 3394), and J.4 (a
passphrase becomes a key). WPA3's own handshake is not there; its networks are joined with this one.
"""

from __future__ import annotations

import enum
from struct import Struct
from typing import NamedTuple

from espnow.errors import FrameError
from espnow.frame._shared import shared
from espnow.frame.airtime import unicast_duration
from espnow.frame.kinds import DATA, PROTECTED_SECURITY, WPA, WPA2, WPA2_WPA3, WPA3, WPA_WPA2
from espnow.frame.mac80211 import ManagementHeader, build_header
from espnow.frame.rates import RATE_1M

__all__ = [
    "KeyFrame",
    "KeyMessage",
    "PairwiseKeys",
    "build_key_frame",
    "mic_is_right",
    "pairwise_keys",
    "parse_key_frame",
    "primary_key",
    "security_elements",
]

# Bits of the second byte of frame control (9.2.4.1).
TO_DS = 0x01
FROM_DS = 0x02

#: Duration of Wi-Fi's own frames that are acknowledged: they leave with 1 Mb/s.
DURATION = unicast_duration(RATE_1M)

# Suites (9.4.2.24): CCMP; pre-shared key; SAE.
_OUI_IEEE = b"\x00\x0f\xac"
_CCMP_SUITE = _OUI_IEEE + b"\x04"
AKM_PSK = _OUI_IEEE + b"\x02"
AKM_SAE = _OUI_IEEE + b"\x08"
#: WPA, the element that came before RSN: Microsoft's OUI, type 1, version 1, TKIP twice, pre-shared key.
WPA_MARK = b"\x00\x50\xf2\x01"
_WPA_ELEMENT = bytes.fromhex("dd160050f20101000050f20201000050f20201000050f202")

#: Number of the element that names a network's suites (table 9-92).
RSN = 48
_LLC_EAPOL = bytes.fromhex("aaaa03000000888e")
_KEY = Struct(">BBHBHHQ32s16s8s8s16sH")
_MIC_AT = 81


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


class PairwiseKeys(NamedTuple):
    """What two stations that hold one primary key, and told each other a nonce, share: 16 bytes each."""

    confirmation: bytes
    encryption: bytes
    temporal: bytes

    def __repr__(self) -> str:
        """Return it without the keys."""
        return "<PairwiseKeys>"


def security_elements(security: int) -> bytes:
    """Return what a network with this security says of it."""
    if security == WPA:
        return _WPA_ELEMENT
    if security not in PROTECTED_SECURITY:
        return b""
    suites = {WPA3: (AKM_SAE,), WPA2_WPA3: (AKM_PSK, AKM_SAE)}.get(security, (AKM_PSK,))
    content = b"\x01\x00" + _CCMP_SUITE + b"\x01\x00" + _CCMP_SUITE
    content += len(suites).to_bytes(2, "little") + b"".join(suites) + b"\0\0"
    return bytes((RSN, len(content))) + content + (_WPA_ELEMENT if security == WPA_WPA2 else b"")


def build_key_frame(
    message: KeyMessage,
    *,
    bssid: bytes,
    station: bytes,
    replay_counter: int,
    seq: int,
    nonce: bytes = bytes(32),
    keys: PairwiseKeys | None = None,
    security: int = WPA2,
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
        content = security_elements(security)
    elif message is KeyMessage.THIRD and keys is not None:
        content = security_elements(security) + b"\xdd\x16" + _OUI_IEEE + b"\x01\x01\x00" + group_key
        if len(content) % 8:
            content += b"\xdd" + bytes(-(len(content) + 1) % 8)
        from cryptography.hazmat.primitives.keywrap import aes_key_wrap

        content = aes_key_wrap(keys.encryption, content)
    if len(nonce) != 32:
        raise ValueError(f"a nonce has 32 bytes, not {len(nonce)}")
    if not 0 <= replay_counter < 1 << 64:
        raise ValueError(f"out of range: replay counter {replay_counter!r} (8 bytes)")
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
        eapol = eapol[:_MIC_AT] + _mic(keys, eapol) + eapol[_MIC_AT + 16 :]
    if from_station:
        header = ManagementHeader(bssid, station, bssid, 0, TO_DS, DURATION, seq, 0)
    else:
        header = ManagementHeader(station, bssid, bssid, 0, FROM_DS, DURATION, seq, 0)
    return bytes((DATA,)) + build_header(header)[1:] + _LLC_EAPOL + eapol


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


def parse_key_frame(mpdu: bytes) -> KeyFrame:
    """Return one message of the handshake.

    Args:
        mpdu: a data frame with a header of 24 bytes.

    Raises:
        FrameError: it is none, or has another length than it says.
    """
    flags, destination, source = mpdu[1], mpdu[4:10], mpdu[10:16]
    if flags & (TO_DS | FROM_DS) not in (TO_DS, FROM_DS) or mpdu[24:32] != _LLC_EAPOL:
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
    zeroed = eapol[:_MIC_AT] + bytes(16) + eapol[_MIC_AT + 16 :]
    return KeyFrame(destination, source, message, counter, nonce, mic, zeroed)

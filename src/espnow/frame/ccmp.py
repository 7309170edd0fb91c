"""ESP-NOW's encryption: CCMP with a pre-shared key, the variant that Espressif's radios speak.

Rules:

- Knows keys, the 24 bytes of a MAC header and opaque bodies; nothing of messages or peers.
- No key, and nothing made from one, enters an exception, a repr or a log.
- ``cryptography`` is imported by the first call that needs AES, not by importing this module.

Follows IEEE 802.11-2020, 12.5.3 (CCMP), but for what captured frames show otherwise: the nonce's
flags byte is 00 in a management frame too, and the AAD has the masked frame control ``80 40``. Key
id 3 is from captured frames.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from struct import Struct, error
from typing import TYPE_CHECKING

from espnow.errors import FrameError
from espnow.frame._shared import shared
from espnow.frame.mac80211 import BROADCAST, HEADER_LENGTH, format_mac

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

__all__ = [
    "CCMP_HEADER_LENGTH",
    "DEFAULT_PMK",
    "KEY_LENGTH",
    "MIC_LENGTH",
    "Freshness",
    "PairCipher",
    "ReplayCheck",
    "decrypt",
    "derive_key",
    "encrypt",
    "packet_number_of",
]

#: The primary master key of a station that sets none (read off Espressif's library): byte i is i*i.
DEFAULT_PMK = bytes(i * i & 0xFF for i in range(16))

#: Bytes of a PMK, an LMK and a CCMP key (ESP-IDF esp_now docs, ``ESP_NOW_KEY_LEN``).
KEY_LENGTH = 16

#: Bytes of the CCMP header and of the MIC (IEEE 802.11-2020, 12.5.3.2, for a 16-byte key).
CCMP_HEADER_LENGTH = 8
MIC_LENGTH = 8

# Bytes 2 and 3 of the CCMP header: reserved, then Ext IV and key id 3 (captured frame).
_KEY_ID = 0xE000
_OTHER_KEY_ID = "the CCMP header has another key id than ESP-NOW's"

# Frame control in the AAD, masked, as a little endian number (captured frame).
_AAD_CONTROL = 0x4080

# A protected action frame as a little endian number, and what of frame control says so: Retry, power
# management and more data do not.
_CONTROL = 0x40D0
_CONTROL_MASK = 0xFFFF & ~0x3800
_FRAGMENT_MASK = 0x0F

_CCMP_HEADER = Struct("<HHI")
_pack_header = _CCMP_HEADER.pack
_unpack_header = _CCMP_HEADER.unpack_from

# Flags 00 (captured frame), addr2, the packet number in two pieces.
_NONCE_FLAGS = b"\0"
_pack_nonce = Struct(">x6sIH").pack
_join_nonce = Struct(">7sIH").pack

# Masked frame control, the three addresses, sequence control with the fragment number alone.
_pack_aad = Struct("<H18sH").pack

# Frame control, the three addresses, sequence control, the CCMP header.
_MPDU = Struct("<H2x18sHHHI")
_unpack_mpdu = _MPDU.unpack_from
_SEALED = _MPDU.size

# A lab holds the ciphers of all its boards here; a forgotten one costs a microsecond when it is next
# used (assumed to be enough). A dictionary answers in half the time of an lru_cache, which every frame would pay.
_CIPHERS = 1024


class _Ciphers(dict[bytes, "AESCCM"]):
    """The AES-CCM of each key in use, made when it is first asked for."""

    __slots__ = ()

    def __missing__(self, key: bytes) -> AESCCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESCCM

        if len(key) != KEY_LENGTH:
            raise ValueError(f"a key has {KEY_LENGTH} bytes, not {len(key)}")
        if len(self) >= _CIPHERS:
            self.clear()
        cipher = self[bytes(key)] = AESCCM(key, tag_length=MIC_LENGTH)
        return cipher

    def __repr__(self) -> str:
        """Return it without the keys."""
        return f"<{len(self)} ciphers>"


_ciphers = _Ciphers()


@shared(maxsize=_CIPHERS)
def derive_key(pmk: bytes, lmk: bytes) -> bytes:
    """Return the CCMP key that a peer with this LMK uses, 16 bytes.

    The LMK encrypted with the PMK, AES-128, one block (captured frame).

    Args:
        pmk: primary master key, 16 bytes.
        lmk: local master key, 16 bytes.

    Raises:
        ValueError: a key is not 16 bytes long.
    """
    if len(pmk) != KEY_LENGTH or len(lmk) != KEY_LENGTH:
        raise ValueError(f"a PMK and an LMK have {KEY_LENGTH} bytes")
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    # One block under ECB is the bare cipher, which is what the derivation asks for.
    encryptor = Cipher(algorithms.AES(pmk), modes.ECB()).encryptor()
    return encryptor.update(lmk) + encryptor.finalize()


def encrypt(key: bytes, header: bytes, body: bytes, packet_number: int) -> bytes:
    """Return what follows the MAC header of a protected frame: CCMP header, ciphertext, MIC.

    Args:
        key: from `derive_key`.
        header: the 24 bytes of the MAC header. Duration, sequence number, Retry and the power bits
            are not protected.
        body: the plain body.
        packet_number: 1..2**48 - 1, never twice with one key.

    Raises:
        ValueError: an argument is out of its range.
    """
    if len(header) != HEADER_LENGTH:
        raise ValueError(f"a MAC header has {HEADER_LENGTH} bytes, not {len(header)}")
    low = packet_number & 0xFFFF
    high = packet_number >> 16
    try:
        if packet_number == 0:
            raise error
        return _pack_header(low, _KEY_ID, high) + _ciphers[key].encrypt(
            _pack_nonce(header[10:16], high, low),
            body,
            _pack_aad(_AAD_CONTROL, header[4:22], header[22] & _FRAGMENT_MASK),
        )
    except error:
        raise ValueError(f"packet number {packet_number} is not in 1..2**48 - 1") from None


def decrypt(key: bytes, mpdu: bytes) -> bytes:
    """Return the plain body of a protected MPDU whose MIC is right.

    Args:
        key: from `derive_key`.
        mpdu: the whole frame, without FCS.

    Raises:
        FrameError: it is no protected frame of ESP-NOW's kind, or the MIC is wrong: another key, or
            changed bytes.
        ValueError: the key is not 16 bytes long.
    """
    cipher = _ciphers[key]
    try:
        control, addresses, sequence, low, key_id, high = _unpack_mpdu(mpdu)
        if key_id != _KEY_ID or control & _CONTROL_MASK != _CONTROL:
            packet_number_of(mpdu)  # says so if the CCMP header is wrong
            raise FrameError("not a protected action frame")
        return cipher.decrypt(
            _pack_nonce(addresses[6:12], high, low),
            mpdu[_SEALED:],
            _pack_aad(_AAD_CONTROL, addresses, sequence & _FRAGMENT_MASK),
        )
    except error:
        raise FrameError(f"a protected frame of {len(mpdu)} bytes, too short for CCMP") from None
    except _invalid_tag():
        raise FrameError("the MIC is wrong: another key, or changed bytes") from None


class PairCipher:
    """CCMP from one address to another with one key, for many frames.

    What of nonce and AAD stays the same is made once: `encrypt` and `decrypt` take about half the time
    beside the cipher that the functions of these names do.

    It belongs to its addresses: a frame of others does not open.
    """

    __slots__ = ("_aad", "_addresses", "_decrypt", "_encrypt", "_nonce")

    def __init__(self, key: bytes, destination: bytes, source: bytes, bssid: bytes = BROADCAST) -> None:
        """Make it.

        Args:
            key: from `derive_key`.
            destination: addr1.
            source: addr2.
            bssid: addr3.

        Raises:
            ValueError: the key is not 16 bytes long, or an address not 6.
        """
        if not len(destination) == len(source) == len(bssid) == 6:
            raise ValueError("an address has 6 bytes")
        cipher = _ciphers[key]
        self._encrypt = cipher.encrypt
        self._decrypt = cipher.decrypt
        self._nonce = _NONCE_FLAGS + source
        self._addresses = destination + source + bssid
        self._aad = _pack_aad(_AAD_CONTROL, self._addresses, 0)

    def __repr__(self) -> str:
        """Return it without the key."""
        addresses = self._addresses
        return f"<PairCipher {format_mac(addresses[6:12])} -> {format_mac(addresses[:6])}>"

    def is_for(self, destination: bytes, source: bytes, bssid: bytes) -> bool:
        """Tell whether it belongs to these addresses."""
        return self._addresses == destination + source + bssid

    def encrypt(self, body: bytes, packet_number: int) -> bytes:
        """Return what follows the MAC header of a protected frame: CCMP header, ciphertext, MIC.

        Args:
            body: the plain body.
            packet_number: 1..2**48 - 1, never twice with one key.

        Raises:
            ValueError: the packet number is out of its range.
        """
        try:
            number = packet_number.to_bytes(6, "big")
            if packet_number == 0:
                raise OverflowError
        except OverflowError:
            raise ValueError(f"packet number {packet_number} is not in 1..2**48 - 1") from None
        return _pack_header(packet_number & 0xFFFF, _KEY_ID, packet_number >> 16) + self._encrypt(
            self._nonce + number, body, self._aad
        )

    def decrypt(self, mpdu: bytes) -> bytes:
        """Return the plain body of a protected MPDU from and to these addresses whose MIC is right.

        Args:
            mpdu: the whole frame, without FCS; an action frame, but no fragment.

        Raises:
            FrameError: it is no protected frame of ESP-NOW's kind, has other addresses, or the MIC is
                wrong: another key, or changed bytes.
        """
        try:
            control, addresses, sequence, low, key_id, high = _unpack_mpdu(mpdu)
            if (
                addresses != self._addresses
                or key_id != _KEY_ID
                or control & _CONTROL_MASK != _CONTROL
                or sequence & _FRAGMENT_MASK
            ):
                packet_number_of(mpdu)  # says so if the CCMP header is wrong
                raise FrameError("a frame of other addresses, a fragment, or no protected action frame")
            return self._decrypt(_join_nonce(self._nonce, high, low), mpdu[_SEALED:], self._aad)
        except error:
            raise FrameError(f"a protected frame of {len(mpdu)} bytes, too short for CCMP") from None
        except _invalid_tag():
            raise FrameError("the MIC is wrong: another key, or changed bytes") from None


def packet_number_of(mpdu: bytes) -> int:
    """Return the packet number in the CCMP header of a protected MPDU.

    Raises:
        FrameError: the frame is too short for CCMP, or its CCMP header is not the one ESP-NOW
            writes.
    """
    if len(mpdu) < _SEALED:
        raise FrameError(f"a protected frame of {len(mpdu)} bytes, too short for CCMP")
    low: int
    high: int
    low, key_id, high = _unpack_header(mpdu, HEADER_LENGTH)
    if key_id != _KEY_ID:
        raise FrameError(_OTHER_KEY_ID)
    return high << 16 | low


def _invalid_tag() -> type[Exception]:
    """Return the exception that says a MIC is wrong; asked for only when something was raised."""
    from cryptography.exceptions import InvalidTag

    return InvalidTag


class Freshness(enum.Enum):
    """What a packet number says, beside those that came before it.

    Attributes:
        FRESH: higher than all of them, or the first.
        REPEATED: the same as the last: a retry, if the Retry bit is set.
        REPLAYED: not above the last: a replay; or the sender was reset and counts from 1 again,
            which nothing in the frame tells apart.
    """

    FRESH = "fresh"
    REPEATED = "repeated"
    REPLAYED = "replayed"


class ReplayCheck:
    """Remembers the last packet number of each sender and key, and judges the next one.

    Only for frames whose MIC was right: anybody can write a packet number. Espressif's radios do
    not check (read off Espressif's library): a station counts from 1 again after a reset or deep
    sleep, so whoever refuses what is not FRESH shuts out a sensor at its second wake.
    """

    __slots__ = ("_last", "_limit")

    def __init__(self, limit: int = 4096) -> None:
        """Begin with no memory.

        Args:
            limit: how many pairs are remembered, 1 or more; the one not heard for the longest time is
                forgotten first. That 4096 are enough is assumed.

        Raises:
            ValueError: the limit is below 1.
        """
        if limit < 1:
            raise ValueError(f"a replay check remembers at least 1 pair, not {limit}")
        self._last: dict[Hashable, int] = {}
        self._limit = limit

    def check(self, pair: Hashable, packet_number: int) -> Freshness:
        """Judge a packet number, and remember it if it is FRESH.

        Args:
            pair: whatever stands for the sender and the key, such as addr2 and addr1.
            packet_number: of a frame that was decrypted.
        """
        last = self._last.pop(pair, -1)
        if packet_number > last:
            self._last[pair] = packet_number
            if len(self._last) > self._limit:
                del self._last[next(iter(self._last))]
            return Freshness.FRESH
        self._last[pair] = last
        return Freshness.REPEATED if packet_number == last else Freshness.REPLAYED

    def __repr__(self) -> str:
        """Return how many pairs it remembers."""
        return f"<ReplayCheck of {len(self._last)} pairs>"

    def forget(self, pair: Hashable) -> None:
        """Take the next packet number of a pair as its first: its sender was reset."""
        self._last.pop(pair, None)


#: `PairCipher`, kept while it is in use: for those who have a key and addresses.
pair_cipher = shared(maxsize=_CIPHERS)(PairCipher)

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

from struct import Struct
from typing import TYPE_CHECKING

from espnow.errors import FrameError
from espnow.frame._shared import shared

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

__all__ = [
    "CCMP_HEADER_LENGTH",
    "DEFAULT_PMK",
    "MIC_LENGTH",
    "decrypt",
    "derive_key",
    "encrypt",
    "packet_number_of",
]

#: The primary master key of a station that sets none (read off Espressif's library): byte i is i*i.
DEFAULT_PMK = bytes(i * i & 0xFF for i in range(16))

KEY_LENGTH = 16
CCMP_HEADER_LENGTH = 8
MIC_LENGTH = 8
HEADER_LENGTH = 24

# Bytes 2 and 3 of the CCMP header: reserved, then Ext IV and key id 3 (captured frame).
_KEY_ID = 0xE000
_AAD_FRAME_CONTROL = b"\x80\x40"
_MAX_PACKET_NUMBER = (1 << 48) - 1
_CCMP_HEADER = Struct("<HHI")

# A lab holds the ciphers of all its boards here; an evicted one costs a microsecond when it is next
# used.
_CIPHERS = 1024


@shared(maxsize=_CIPHERS)
def _cipher(key: bytes) -> AESCCM:
    """Return the AES-CCM of a key, made once while it is in use."""
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    if len(key) != KEY_LENGTH:
        raise ValueError(f"a key has {KEY_LENGTH} bytes, not {len(key)}")
    return AESCCM(key, tag_length=MIC_LENGTH)


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
    if not 0 < packet_number <= _MAX_PACKET_NUMBER:
        raise ValueError(f"packet number {packet_number} is not in 1..2**48 - 1")
    return _CCMP_HEADER.pack(packet_number & 0xFFFF, _KEY_ID, packet_number >> 16) + _cipher(key).encrypt(
        _nonce(header, packet_number), body, _aad(header)
    )


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
    cipher = _cipher(key)
    packet_number = packet_number_of(mpdu)
    if mpdu[0] != 0xD0 or mpdu[1] & 0xC7 != 0x40:
        raise FrameError("not a protected action frame")
    sealed = mpdu[HEADER_LENGTH + CCMP_HEADER_LENGTH :]
    try:
        return cipher.decrypt(_nonce(mpdu, packet_number), sealed, _aad(mpdu))
    except _invalid_tag():
        raise FrameError("the MIC is wrong: another key, or changed bytes") from None


def packet_number_of(mpdu: bytes) -> int:
    """Return the packet number in the CCMP header of a protected MPDU.

    Raises:
        FrameError: the frame is too short for CCMP, or its CCMP header is not the one ESP-NOW
            writes.
    """
    if len(mpdu) < HEADER_LENGTH + CCMP_HEADER_LENGTH + MIC_LENGTH:
        raise FrameError(f"a protected frame of {len(mpdu)} bytes, too short for CCMP")
    low: int
    high: int
    low, key_id, high = _CCMP_HEADER.unpack_from(mpdu, HEADER_LENGTH)
    if key_id != _KEY_ID:
        raise FrameError("the CCMP header has another key id than ESP-NOW's")
    return high << 16 | low


def _nonce(header: bytes, packet_number: int) -> bytes:
    """Flags, addr2 and the packet number, big endian (captured frame)."""
    return b"\0" + header[10:16] + packet_number.to_bytes(6, "big")


def _aad(header: bytes) -> bytes:
    """Masked frame control, the three addresses and the fragment number (captured frame)."""
    return _AAD_FRAME_CONTROL + header[4:22] + bytes((header[22] & 0x0F, 0))


def _invalid_tag() -> type[Exception]:
    """Return the exception that says a MIC is wrong; asked for only when something was raised."""
    from cryptography.exceptions import InvalidTag

    return InvalidTag

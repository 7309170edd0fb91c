"""ESP-NOW a second time, independent of `espnow.frame`: scapy builds and takes apart, pycryptodome encrypts.

Rules:

- Nothing of this project is imported, and nothing is shared with it but the facts: what ESP-NOW's frames look like
  (Espressif's ESP-IDF documentation, "ESP-NOW, Frame Format"; captured frames), and how they are encrypted (checked
  against a captured frame).
- The 802.11 header, the CCMP header's place and radiotap are scapy's layers; ESP-NOW's body is described to scapy here.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from Crypto.Cipher import AES
from Crypto.Cipher._mode_ccm import CcmMode

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # scapy's about what it imports
    from scapy.config import conf

    # Nobody here asks for routes, and an emulated processor takes seconds to find them.
    conf.route_autoload = conf.route6_autoload = False
    from scapy.fields import (
        BitField,
        ByteField,
        FieldLenField,
        LEIntField,
        PacketListField,
        StrLenField,
        X3BytesField,
        XByteField,
    )
    from scapy.layers.dot11 import Dot11, RadioTap
    from scapy.packet import Packet

__all__ = ["BROADCAST", "EspNow", "Read", "VendorElement", "body", "build", "derive_key", "read", "read_radiotap"]

BROADCAST = b"\xff" * 6
ESPRESSIF = 0x18FE34

_MANAGEMENT = 0
_ACTION = 13
_PROTECTED = 0x40
_RETRY = 0x08
_KEY_ID_BYTE = 0xE0
_MIC_LENGTH = 8


class VendorElement(Packet):
    """One element of a message."""

    name = "ESP-NOW element"
    fields_desc = [  # noqa: RUF012 (scapy's way)
        XByteField("id", 0xDD),
        FieldLenField("length", None, length_of="content", fmt="B", adjust=lambda _, length: length + 5),
        X3BytesField("oui", ESPRESSIF),
        ByteField("type", 4),
        BitField("reserved", 0, 3),
        BitField("more", 0, 1),
        BitField("version", 1, 4),
        StrLenField("content", b"", length_from=lambda element: element.length - 5),
    ]

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """What follows is the next element."""
        return b"", s


class EspNow(Packet):
    """The body of an action frame."""

    name = "ESP-NOW"
    fields_desc = [  # noqa: RUF012 (scapy's way)
        ByteField("category", 127),
        X3BytesField("oui", ESPRESSIF),
        LEIntField("random", 0),
        PacketListField("elements", [], VendorElement),
    ]


@dataclass(frozen=True, slots=True)
class Read:
    """What a frame says.

    Attributes:
        destination: first address.
        source: second address.
        sequence_number: of its sequence control.
        retry: whether it is a repeat.
        random_value: the four random bytes, as a little endian number.
        version: of the first element.
        message: the contents of all elements.
        packet_number: of its encryption, or None.
    """

    destination: bytes
    source: bytes
    sequence_number: int
    retry: bool
    random_value: int
    version: int
    message: bytes
    packet_number: int | None


def derive_key(pmk: bytes, lmk: bytes) -> bytes:
    """Return the key between peers."""
    return AES.new(pmk, AES.MODE_ECB).encrypt(lmk)


def body(message: bytes, *, random_value: int, version: int = 1) -> bytes:
    """Return the body of a message's frame."""
    pieces = [message[at : at + 250] for at in range(0, len(message), 250)] or [b""]
    elements = [
        VendorElement(version=version, more=int(version > 1 and number < len(pieces) - 1), content=piece)
        for number, piece in enumerate(pieces)
    ]
    return bytes(EspNow(random=random_value, elements=elements))


def build(
    destination: bytes,
    source: bytes,
    message: bytes,
    *,
    sequence_number: int = 0,
    random_value: int = 0,
    version: int = 1,
    retry: bool = False,
    third: bytes = BROADCAST,
    key: bytes | None = None,
    packet_number: int = 1,
) -> bytes:
    """Return a frame, without FCS.

    Args:
        destination: first address.
        source: second address.
        message: its content.
        sequence_number: 0 to 4095.
        random_value: the four random bytes, as a little endian number.
        version: 1 or 2.
        retry: whether it is a repeat.
        third: third address.
        key: encrypt with this one.
        packet_number: of the encryption.
    """
    flags = (_PROTECTED if key else 0) | (_RETRY if retry else 0)
    header = Dot11(
        type=_MANAGEMENT,
        subtype=_ACTION,
        FCfield=flags,
        ID=0,
        addr1=_text(destination),
        addr2=_text(source),
        addr3=_text(third),
        SC=sequence_number << 4,
    )
    content = body(message, random_value=random_value, version=version)
    return bytes(header) + (content if key is None else _sealed(key, header, content, packet_number))


def read(mpdu: bytes, key: bytes | None = None) -> Read:
    """Take a frame apart.

    Raises:
        ValueError: it is none of ESP-NOW's, or not encrypted with this key.
    """
    header = Dot11(mpdu[:24])
    if header.type != _MANAGEMENT or header.subtype != _ACTION:
        raise ValueError("no action frame")
    flags = int(header.FCfield)
    number = None
    content = mpdu[24:]
    if flags & _PROTECTED:
        if key is None:
            raise ValueError("encrypted")
        content, number = _opened(key, header, content)
    parsed = EspNow(content)
    if parsed.category != 127 or parsed.oui != ESPRESSIF or not parsed.elements:
        raise ValueError("not ESP-NOW's")
    for element in parsed.elements:
        if (element.id, element.oui, element.type) != (0xDD, ESPRESSIF, 4) or element.length < 5:
            raise ValueError("an element is not ESP-NOW's")
    return Read(
        destination=_bytes(header.addr1),
        source=_bytes(header.addr2),
        sequence_number=header.SC >> 4,
        retry=flags & _RETRY != 0,
        random_value=parsed.random,
        version=parsed.elements[0].version,
        message=b"".join(bytes(element.content) for element in parsed.elements),
        packet_number=number,
    )


def read_radiotap(packet: bytes) -> tuple[RadioTap, bytes]:
    """Split what a monitor interface gave: radiotap as scapy reads it, and the frame."""
    header = RadioTap(packet)
    return header, packet[header.len :]


def _sealed(key: bytes, header: Dot11, content: bytes, packet_number: int) -> bytes:
    """Return CCMP header, ciphertext and MIC."""
    number = packet_number.to_bytes(6, "big")
    sealed, mic = _cipher(key, header, number).encrypt_and_digest(content)
    return bytes((number[5], number[4], 0, _KEY_ID_BYTE, *reversed(number[:4]))) + sealed + mic


def _opened(key: bytes, header: Dot11, protected: bytes) -> tuple[bytes, int]:
    """Return the content and the packet number.

    Raises:
        ValueError: the MIC is wrong.
    """
    numbers = protected[:8]
    number = bytes((*reversed(numbers[4:8]), numbers[1], numbers[0]))
    opened = _cipher(key, header, number).decrypt_and_verify(protected[8:-_MIC_LENGTH], protected[-_MIC_LENGTH:])
    return opened, int.from_bytes(number, "big")


def _cipher(key: bytes, header: Dot11, number: bytes) -> CcmMode:
    """Return AES-CCM for one frame; nonce and additional data are ESP-NOW's, not 802.11w's."""
    addresses = [_bytes(address) for address in (header.addr1, header.addr2, header.addr3)]
    cipher = AES.new(key, AES.MODE_CCM, nonce=b"\0" + addresses[1] + number, mac_len=_MIC_LENGTH)
    cipher.update(b"\x80\x40" + b"".join(addresses) + (header.SC & 0xF).to_bytes(2, "little"))
    return cipher


def _text(address: bytes) -> str:
    return address.hex(":")


def _bytes(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))

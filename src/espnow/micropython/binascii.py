"""`binascii` of a board, as https://docs.micropython.org/en/latest/library/binascii.html describes it.

Where MicroPython's (``extmod/modbinascii.c``) differs from CPython's, this follows it: a str is taken as UTF-8 where
bytes are expected, of a separator only the first character counts, base64 is read past whatever does not belong to it,
and errors are ValueError; there is no ``binascii.Error``.
"""

from __future__ import annotations

import binascii as host
from types import ModuleType
from typing import Any

from espnow.api.base import buffer_bytes
from espnow.board import Board
from espnow.micropython.absent import absent
from espnow.micropython.services import Services

__all__ = ["build"]

_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_HEX = frozenset(b"0123456789abcdefABCDEF")


def hexlify(data: Any, sep: Any = None, /) -> bytes:
    """Return the hexadecimal digits of a buffer.

    Args:
        data: the buffer.
        sep: a str or bytes, whose first character stands between two bytes.
    """
    raw = buffer_bytes(data)
    if sep is None:
        return host.hexlify(raw)
    return host.hexlify(raw, buffer_bytes(sep)[:1] or b"\0")


def unhexlify(data: Any, /) -> bytes:
    """Return the bytes that hexadecimal digits stand for.

    Raises:
        ValueError: an odd number of digits, or something else among them.
    """
    raw = buffer_bytes(data)
    if len(raw) % 2:
        raise ValueError("odd-length string")
    if not _HEX.issuperset(raw):
        raise ValueError("non-hex digit found")
    return host.unhexlify(raw)


def a2b_base64(data: Any, /) -> bytes:
    """Return the bytes that base64 stands for.

    Raises:
        ValueError: its end is missing.
    """
    raw = buffer_bytes(data)
    kept = bytearray()
    padded = False
    for byte in raw:
        if byte == ord("="):
            if len(kept) % 4 == 3 or (len(kept) % 4 == 2 and padded):
                return host.a2b_base64(kept + b"==")
            padded = True
        elif byte in _BASE64:
            kept.append(byte)
            padded = False
    if len(kept) % 4:
        raise ValueError("incorrect padding")
    return host.a2b_base64(kept)


def b2a_base64(data: Any, /, newline: object = True) -> bytes:
    """Return a buffer in base64.

    Args:
        data: the buffer.
        newline: whether a newline follows.
    """
    return host.b2a_base64(buffer_bytes(data), newline=bool(newline))


def crc32(data: Any, value: int = 0, /) -> int:
    """Return the CRC-32 of a buffer.

    Args:
        data: the buffer.
        value: the CRC of what came before it.
    """
    return host.crc32(buffer_bytes(data), value & 0xFFFFFFFF)


_NAMES: dict[str, Any] = {
    "__getattr__": absent(
        "binascii",
        {
            "Error": "catch ValueError",
            "Incomplete": "catch ValueError",
            "a2b_hex": "use unhexlify",
            "b2a_hex": "use hexlify",
            "crc_hqx": "compute it in the program",
        },
    ),
    "a2b_base64": a2b_base64,
    "b2a_base64": b2a_base64,
    "crc32": crc32,
    "hexlify": hexlify,
    "unhexlify": unhexlify,
}


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `binascii` of a board."""
    module = ModuleType("binascii", "Bytes as text.")
    vars(module).update(_NAMES)
    return module

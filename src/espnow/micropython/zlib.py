"""`zlib` of a board: what releases up to 1.20 had built in, and later ones get from micropython-lib.

See https://docs.micropython.org/en/v1.20.0/library/zlib.html. ``wbits`` of 8 to 15 mean a zlib stream, negative ones a
raw one, 24 to 31 one of gzip; 0 is 15. ``compress`` is micropython-lib's.
"""

from __future__ import annotations

import zlib as host
from types import ModuleType
from typing import Any

from espnow.api.base import buffer_bytes
from espnow.board import Board
from espnow.micropython.absent import absent
from espnow.micropython.deflate import GZIP, RAW, ZLIB, DeflateIO
from espnow.micropython.services import Services

__all__ = ["build"]

_MAX_WBITS = 15
_GZIP_FROM = 24


def decompress(data: Any, wbits: int = _MAX_WBITS, _bufsize: int = 0, /) -> bytes:
    """Return what was compressed.

    Args:
        data: the compressed bytes.
        wbits: kind of the stream, and logarithm of its window.
        _bufsize: not used.

    Raises:
        ValueError: this is no compressed stream of that kind.
    """
    reader = host.decompressobj(wbits or _MAX_WBITS)
    try:
        found = reader.decompress(buffer_bytes(data))
    except host.error:
        raise ValueError(-3) from None
    if not reader.eof:
        raise ValueError(-3)
    return found


def compress(data: Any, wbits: int = _MAX_WBITS, /) -> bytes:
    """Return `data` compressed.

    Args:
        data: the bytes.
        wbits: kind of the stream, and logarithm of its window.
    """
    writer = host.compressobj(wbits=wbits)
    return writer.compress(buffer_bytes(data)) + writer.flush()


class DecompIO(DeflateIO):
    """A stream that decompresses what it reads from another one."""

    def __init__(self, stream: Any, wbits: int = 0, /) -> None:
        """Wrap a stream.

        Args:
            stream: the other one.
            wbits: kind of the stream, and logarithm of its window.
        """
        kind = RAW if wbits < 0 else GZIP if wbits >= _GZIP_FROM else ZLIB
        super().__init__(stream, kind, abs(wbits) % 16)


_NAMES: dict[str, Any] = {
    "__getattr__": absent(
        "zlib", {"error": "catch ValueError", "crc32": "use binascii.crc32", "adler32": "compute it"}
    ),
    "DecompIO": DecompIO,
    "compress": compress,
    "decompress": decompress,
}


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `zlib` of a board."""
    module = ModuleType("zlib", "Compressed bytes of this board.")
    vars(module).update(_NAMES)
    return module

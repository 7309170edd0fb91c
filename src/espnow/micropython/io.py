"""`io` of a board: files of its flash, and streams in memory.

See https://docs.micropython.org/en/latest/library/io.html. `espnow.micropython.streams` says how they differ from
CPython's.
"""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.micropython.files import BinaryFile, TextFile, make_open
from espnow.micropython.services import Services
from espnow.micropython.streams import BufferedWriter, BytesIO, IOBase, StringIO

__all__ = ["build"]

_NAMES: dict[str, Any] = {
    "BufferedWriter": BufferedWriter,
    "BytesIO": BytesIO,
    "FileIO": BinaryFile,
    "IOBase": IOBase,
    "SEEK_CUR": io.SEEK_CUR,
    "SEEK_END": io.SEEK_END,
    "SEEK_SET": io.SEEK_SET,
    "StringIO": StringIO,
    "TextIOWrapper": TextFile,
    "UnsupportedOperation": io.UnsupportedOperation,
}


def build(_board: Board, services: Services) -> ModuleType:
    """Return the module `io` of a board."""
    module = ModuleType("io", "Streams of this board.")
    names = vars(module)
    names.update(_NAMES)
    names["open"] = make_open(services.flash)
    return module

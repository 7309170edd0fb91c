"""`hashlib` of a board, as https://docs.micropython.org/en/latest/library/hashlib.html describes it.

A board has ``sha256``, ``sha1`` and, on an ESP32, ``md5``. ``digest`` ends a hash: after it ``update`` and ``digest``
raise ValueError("hash is final"), as in release 1.23 and later (``extmod/modhashlib.c``). There is no ``hexdigest`` and
no ``new``, as on a board; the error says what to write instead.
"""

from __future__ import annotations

import hashlib as host
from types import ModuleType
from typing import Any, NoReturn

from espnow.api.base import buffer_bytes
from espnow.board import Board
from espnow.micropython.absent import absent
from espnow.micropython.services import Services

__all__ = ["build"]


class _Hash:
    """A hash; its class has the name of the algorithm."""

    __slots__ = ("_final", "_state")

    def __init__(self, data: Any = b"", /) -> None:
        """Begin with `data`."""
        self._state = host.new(type(self).__name__, buffer_bytes(data), usedforsecurity=False)
        self._final = False

    def update(self, data: Any, /) -> None:
        """Take more.

        Raises:
            ValueError: the digest was taken already.
        """
        self._ensure_not_final()
        self._state.update(buffer_bytes(data))

    def digest(self) -> bytes:
        """Return the hash, and end it.

        Raises:
            ValueError: it was taken already.
        """
        self._ensure_not_final()
        self._final = True
        return self._state.digest()

    def _ensure_not_final(self) -> None:
        if self._final:
            raise ValueError("hash is final")

    def __getattr__(self, name: str) -> NoReturn:
        more = ": use binascii.hexlify(h.digest())" if name == "hexdigest" else ""
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{more}")


class md5(_Hash):
    """MD5."""

    __slots__ = ()


class sha1(_Hash):
    """SHA-1."""

    __slots__ = ()


class sha256(_Hash):
    """SHA-256."""

    __slots__ = ()


_OTHERS = ("blake2b", "blake2s", "sha224", "sha384", "sha512", "sha3_256")

_NAMES: dict[str, Any] = {
    "__getattr__": absent(
        "hashlib",
        {
            "new": "use hashlib.sha256",
            "md5": "an ESP8266 has none",
            **dict.fromkeys(_OTHERS, "a board has no other hash"),
        },
    ),
    "sha1": sha1,
    "sha256": sha256,
}


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `hashlib` of a board."""
    module = ModuleType("hashlib", "Hashes that this board computes.")
    names = vars(module)
    names.update(_NAMES)
    if not board.profile.esp8266:
        names["md5"] = md5
    return module

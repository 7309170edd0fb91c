"""`hmac` as micropython-lib has it (https://github.com/micropython/micropython-lib), for the hashes of a board."""

from __future__ import annotations

import hmac as host
from types import ModuleType
from typing import Any

from espnow.api.base import buffer_bytes
from espnow.board import Board
from espnow.micropython.services import Services

__all__ = ["build"]


def new(key: Any, msg: Any = None, digestmod: Any = None) -> host.HMAC:
    """Return the authentication code of a message.

    Args:
        key: the key.
        msg: the message, or its beginning.
        digestmod: the hash, such as ``hashlib.sha256`` or its name.

    Raises:
        TypeError: no hash is given.
    """
    if digestmod is None:
        raise TypeError("digestmod is required")
    name = digestmod if isinstance(digestmod, str) else digestmod.__name__
    return host.new(buffer_bytes(key), b"" if msg is None else buffer_bytes(msg), name)


_NAMES: dict[str, Any] = {"HMAC": new, "compare_digest": host.compare_digest, "new": new}


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `hmac` of a board."""
    module = ModuleType("hmac", "Authentication codes of messages.")
    vars(module).update(_NAMES)
    return module

"""ESP-NOW for Python on a computer.

`espnow` is MicroPython's module of that name over this process's own board: its documented names are here, and nothing
is imported or started until one is used. `espnow.lab` runs programs on emulated boards.
"""

from __future__ import annotations

import atexit
import sys
from typing import Any

#: MicroPython's documented names, each made on first use.
__all__ = [
    "ADDR_LEN",
    "KEY_LEN",
    "MAX_DATA_LEN",
    "MAX_ENCRYPT_PEER_NUM",
    "MAX_TOTAL_PEER_NUM",
    "ESPNow",
]


def __getattr__(name: str) -> Any:
    if name in __all__ or name == "ESPNowBase" or name.startswith("RATE_"):
        from espnow import live

        return getattr(live.module("espnow"), name)
    if name == "radio":  # espnow.radio.use is called before anything else of this package
        import importlib

        return importlib.import_module("espnow.radio")
    if name == "__version__":
        from importlib.metadata import version

        return version("espnow")
    raise AttributeError(f"module 'espnow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _close() -> None:
    """Close the process's board, if there is one."""
    live = sys.modules.get("espnow.live")
    if live is not None:
        live.close()


# Here, and not where the board is made: what the program registers between the two runs before it, and can still send.
atexit.register(_close)

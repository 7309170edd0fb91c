"""MicroPython's ``network`` over this process's own board; made on first use of one of its names. See `espnow`."""

from __future__ import annotations

from typing import Any

__all__ = ["WLAN"]

#: Its other names, by how they begin: whoever only looks whether there is another one, as tools do, makes no board.
_BEGINNINGS = ("AP_", "AUTH_", "MODE_", "SEC_", "STAT_", "STA_", "WIFI_PS_")
_FUNCTIONS = ("country", "hostname", "ipconfig", "phy_mode")


def __getattr__(name: str) -> Any:
    if name in __all__ or name in _FUNCTIONS or name.startswith(_BEGINNINGS):
        from espnow import live

        return getattr(live.module("network"), name)
    raise AttributeError(f"module 'network' has no attribute {name!r}")

"""MicroPython's ``network`` over this process's own board; made on first use. See `espnow`."""

from __future__ import annotations

from typing import Any

__all__ = ["WLAN"]


def __getattr__(name: str) -> Any:
    if not name.startswith("__"):
        from espnow import live

        return getattr(live.module("network"), name)
    raise AttributeError(f"module 'network' has no attribute {name!r}")

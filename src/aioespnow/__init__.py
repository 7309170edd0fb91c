"""MicroPython's ``aioespnow`` over this process's own board; made on first use. See `espnow`."""

from __future__ import annotations

from typing import Any

__all__ = ["AIOESPNow"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from espnow import live

        return getattr(live.module("aioespnow"), name)
    raise AttributeError(f"module 'aioespnow' has no attribute {name!r}")

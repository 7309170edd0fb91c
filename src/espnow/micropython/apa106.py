"""`apa106`: as `neopixel`, for LEDs that want red before green."""

from __future__ import annotations

from espnow.micropython.neopixel import build_apa106 as build

__all__ = ["build"]

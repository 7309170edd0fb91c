"""`umqtt` of a board: the package of the MQTT clients that MicroPython's firmware brings."""

from __future__ import annotations

from types import ModuleType

from espnow.board import Board
from espnow.micropython.services import Services

__all__ = ["build"]


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the package `umqtt`; `umqtt.simple` and `umqtt.robust` are imported from it."""
    module = ModuleType("umqtt", "MQTT clients.")
    vars(module)["__path__"] = []
    return module

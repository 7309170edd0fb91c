"""The module objects that a program imports, each built for one board when it is first imported."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from espnow.api.esp32 import ESPNow32
from espnow.api.esp8266 import ESPNow8266
from espnow.api.state import EspNowState
from espnow.board import Board
from espnow.frame import MICROPYTHON_RATES
from espnow.node import MAX_ENCRYPTED_PEERS, MAX_PEERS

__all__ = ["API_MODULES", "build_module"]

#: The names that `build_module` knows.
API_MODULES = frozenset({"espnow", "_espnow", "aioespnow", "network"})


def build_module(name: str, board: Board, modules: dict[str, ModuleType]) -> ModuleType:
    """Return the module `name` of `board`.

    Args:
        name: one of `API_MODULES`.
        board: the board that the module is bound to.
        modules: the modules of this board so far; `aioespnow` shares its state with the `espnow` in there, and both
            are added to it.

    Raises:
        KeyError: another name.
    """
    if name in modules:
        return modules[name]
    if name == "network":
        from espnow.api.wlan import build_network_module

        module = build_network_module(board)
    elif name == "espnow":
        module = _build_espnow(board)
    elif name == "_espnow":
        module = _build_base(build_module("espnow", board, modules))
    elif name == "aioespnow":
        module = _build_aioespnow(build_module("espnow", board, modules))
    else:
        raise KeyError(name)
    modules[name] = module
    return module


def _build_espnow(board: Board) -> ModuleType:
    module = ModuleType("espnow", "ESP-NOW, on this board.")
    base: Any = ESPNow8266 if board.profile.esp8266 else ESPNow32
    cls = board.own_class("ESPNow", base, "espnow")
    cls._state = EspNowState(board)
    names: dict[str, object] = {
        "ESPNow": cls,
        "ESPNowBase": cls,
        "MAX_DATA_LEN": board.profile.node.max_data_len,
        "ADDR_LEN": 6,
        "KEY_LEN": 16,
        "MAX_TOTAL_PEER_NUM": MAX_PEERS,
        "MAX_ENCRYPT_PEER_NUM": MAX_ENCRYPTED_PEERS,
    }
    if not board.profile.esp8266:
        names.update(MICROPYTHON_RATES)
    vars(module).update(names)
    return module


def _build_aioespnow(espnow: ModuleType) -> ModuleType:
    """Return `aioespnow`, also as its first versions were: imported ``as espnow``, with all the names of that."""
    from espnow.api.aio import build_aio_class

    cls = build_aio_class(espnow)
    module = ModuleType("aioespnow", "ESP-NOW with asyncio, on this board.")
    vars(module).update({name: value for name, value in vars(espnow).items() if name.isupper()})
    vars(module).update(AIOESPNow=cls, ESPNow=cls, espnow=espnow)
    return module


def _build_base(espnow: ModuleType) -> ModuleType:
    """Return the firmware's own part of `espnow`, from which that derives; some programs derive from it themselves."""

    class ESPNowBase(espnow.ESPNow):  # type: ignore[misc, name-defined]
        __module__ = "_espnow"

        def irq(self, callback: Any, argument: Any = None, /) -> None:
            """Call ``callback(argument)`` as soon as possible after each message; None disarms."""
            if callback is None or not callable(callback):
                super().irq(callback)
            else:
                super().irq(lambda _self: callback(argument))

    module = ModuleType("_espnow", "ESP-NOW as the firmware has it, on this board.")
    vars(module).update({name: value for name, value in vars(espnow).items() if not name.startswith("_")})
    del vars(module)["ESPNow"]
    vars(module)["ESPNowBase"] = ESPNowBase
    return module

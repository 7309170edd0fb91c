"""`webrepl` of a board, whose prompt over the network many a ``boot.py`` starts: it says what a board says.

Rules: nobody can connect, as a lab has no prompt to offer; so nothing listens. The texts follow micropython-lib's
``webrepl.py``: without a password and without a file ``webrepl_cfg.py``, it is not configured.
"""

from __future__ import annotations

from types import ModuleType

from espnow.board import Board
from espnow.link import Interface
from espnow.micropython.services import Services

__all__ = ["build"]

#: Where the password is, if a program gives none.
_SETTINGS = ("/webrepl_cfg.py", "/lib/webrepl_cfg.py")


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `webrepl` of `board`."""

    def start(port: int = 8266, password: str | None = None) -> None:
        """Say where the prompt would be, or that it has no password."""
        write = board.console.write
        if password is None and not any(services.flash.kind(path) == "file" for path in _SETTINGS):
            write("WebREPL is not configured, run 'import webrepl_setup'\n")
            return
        for interface in Interface:
            if board.wifi.interface_active(interface):
                write(f"WebREPL server started on http://{board.wifi.addresses[interface][0]}:{port}/\n")
        write(f"Started webrepl in {'normal' if password is None else 'manual override'} mode\n")

    def stop() -> None:
        """Do nothing: nobody is connected."""

    module = ModuleType("webrepl", "A prompt over the network, to which nobody can connect here.")
    vars(module).update(start=start, stop=stop)
    return module

"""`mip` of a board, which installs packages; a lab installs none and says so."""

from __future__ import annotations

from types import ModuleType
from typing import NoReturn

from espnow.board import Board
from espnow.micropython.services import Services

__all__ = ["build"]


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `mip`."""

    def install(package: str, *_: object, **__: object) -> NoReturn:
        """Refuse.

        Raises:
            RuntimeError: always, with what to do instead.
        """
        raise RuntimeError(f"mip installs nothing in a lab: put the files of {package!r} beside the program")

    module = ModuleType("mip", "Refuses to install packages.")
    vars(module).update(install=install)
    return module

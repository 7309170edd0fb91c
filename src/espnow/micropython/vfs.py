"""`vfs` of a board, after https://docs.micropython.org/en/latest/library/vfs.html; `os` has the same names."""

from __future__ import annotations

from types import ModuleType

from espnow.board import Board
from espnow.micropython import BUILDERS
from espnow.micropython.services import Services

__all__ = ["build"]


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `vfs` of `board`."""
    names = vars(BUILDERS["os"](board, services))
    module = ModuleType("vfs", "What is mounted on this board.")
    vars(module).update({name: names[name] for name in ("VfsFat", "VfsLfs2", "mount", "umount")})
    return module

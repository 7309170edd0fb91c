"""`os` of a board, as https://docs.micropython.org/en/latest/library/os.html describes it, as far as it only reads.

The board's root ``/`` is the folder in which the host runs the program, and there is no way out of it. Names come
sorted and times are zero, so that runs repeat. What writes (remove, rename, mkdir, mount ...) arrives with a flash of
the board's own; until then a program that uses it gets an AttributeError.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from espnow.board import Board
from espnow.errors import ENOENT, BoardOSError
from espnow.micropython.services import Services
from espnow.micropython.sys import VERSION

__all__ = ["build"]

_DIRECTORY = 0x4000
_FILE = 0x8000


class Uname(NamedTuple):
    """What ``uname()`` returns."""

    sysname: str
    nodename: str
    release: str
    version: str
    machine: str

    def __repr__(self) -> str:
        return "(" + ", ".join(f"{name}={value!r}" for name, value in self._asdict().items()) + ")"


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `os` of `board`."""
    profile = board.profile
    release = ".".join(str(part) for part in VERSION[:3])

    def real(path: str) -> Path:
        """Return the host's path of one of the board's."""
        return Path.cwd() / posixpath.normpath(f"/{path}").lstrip("/")

    def look_at(path: Path) -> tuple[int, int]:
        """Return type and size of what the host has at `path`."""
        try:
            return (_DIRECTORY, 0) if path.is_dir() else (_FILE, path.stat().st_size)
        except (OSError, ValueError):
            raise BoardOSError(ENOENT) from None

    def uname() -> Uname:
        """Return what the board calls itself and its MicroPython."""
        platform = profile.platform
        return Uname(platform, platform, release, f"v{release}", profile.machine)

    def getcwd() -> str:
        """Return the current directory."""
        return "/"

    def listdir(path: str = ".", /) -> list[str]:
        """Return the names in a directory.

        Raises:
            OSError: ENOENT, there is none.
        """
        try:
            return sorted(child.name for child in real(path).iterdir())
        except (OSError, ValueError):
            raise BoardOSError(ENOENT) from None

    def ilistdir(path: str = ".", /) -> Iterator[tuple[str, int, int, int]]:
        """Return an iterator of ``(name, type, inode, size)`` over a directory.

        Raises:
            OSError: ENOENT, there is none.
        """
        folder = real(path)
        found = []
        for name in listdir(path):
            try:
                kind, size = look_at(folder / name)
            except OSError:  # a dangling link
                continue
            found.append((name, kind, 0, size))
        return iter(found)

    def stat(path: str, /) -> tuple[int, ...]:
        """Return the status of a file or directory as a tuple of ten; only type and size are told.

        Raises:
            OSError: ENOENT, there is none.
        """
        kind, size = look_at(real(path))
        return kind, 0, 0, 0, 0, 0, size, 0, 0, 0

    module = ModuleType("os", "The operating system of this board.")
    vars(module).update(
        getcwd=getcwd,
        ilistdir=ilistdir,
        listdir=listdir,
        sep="/",
        stat=stat,
        uname=uname,
        urandom=services.urandom,
    )
    return module

"""`os` of a board, as https://docs.micropython.org/en/latest/library/os.html describes it, over the board's flash.

Names come sorted and times are zero, so that runs repeat. There is one file system, which is mounted at ``/``: what a
program mounts beside it is a directory of the flash, whatever device it names. A `machine.SDCard` there has a size of
its own, and its files are seen only while it is mounted.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from espnow.board import Board
from espnow.board.card import Card
from espnow.errors import ENOENT, BoardOSError
from espnow.micropython.flash import BLOCK, NAME_MAX
from espnow.micropython.services import Services
from espnow.micropython.sys import VERSION

__all__ = ["build"]

_DIRECTORY = 0x4000
_FILE = 0x8000
_ENODEV = 19
_ENOTDIR = 20


class Uname(NamedTuple):
    """What ``uname()`` returns."""

    sysname: str
    nodename: str
    release: str
    version: str
    machine: str

    def __repr__(self) -> str:
        return "(" + ", ".join(f"{name}={value!r}" for name, value in self._asdict().items()) + ")"


class VfsLfs2:
    """A file system on a block device; it can be made and mounted, and holds nothing itself."""

    def __init__(self, device: Any, /, **_options: Any) -> None:
        self._device = device

    @staticmethod
    def mkfs(device: Any, /, **_options: Any) -> None:
        """Do nothing: a device is as good as formatted."""


class VfsFat(VfsLfs2):
    """The same in the other format."""


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `os` of `board`."""
    profile = board.profile
    flash = services.flash
    release = ".".join(str(part) for part in VERSION[:3])

    def uname() -> Uname:
        """Return what the board calls itself and its MicroPython."""
        platform = profile.platform
        return Uname(platform, platform, release, f"v{release}", profile.machine)

    def getcwd() -> str:
        """Return the current directory."""
        return flash.cwd

    def chdir(path: str, /) -> None:
        """Change the current directory.

        Raises:
            OSError: ENOENT or ENOTDIR, there is none.
        """
        target = flash.resolve(path)
        kind = flash.kind(target)
        if kind != "dir":
            raise BoardOSError(_ENOTDIR if kind else ENOENT)
        flash.cwd = target

    def listdir(path: str = ".", /) -> list[str]:
        """Return the names in a directory.

        Raises:
            OSError: ENOENT or ENOTDIR, there is none.
        """
        return flash.names(flash.resolve(path))

    def ilistdir(path: str = ".", /) -> Iterator[tuple[str, int, int, int]]:
        """Return an iterator of ``(name, type, inode, size)`` over a directory.

        Raises:
            OSError: ENOENT or ENOTDIR, there is none.
        """
        folder = flash.resolve(path)
        found = []
        for name in flash.names(folder):
            child = f"{folder.rstrip('/')}/{name}"
            found.append((name, _DIRECTORY if flash.kind(child) == "dir" else _FILE, 0, flash.size(child)))
        return iter(found)

    def stat(path: str, /) -> tuple[int, ...]:
        """Return the status of a file or directory as a tuple of ten; only type and size are told.

        Raises:
            OSError: ENOENT, there is none.
        """
        target = flash.resolve(path)
        kind = flash.kind(target)
        if kind is None:
            raise BoardOSError(ENOENT)
        return _DIRECTORY if kind == "dir" else _FILE, 0, 0, 0, 0, 0, flash.size(target), 0, 0, 0

    def statvfs(path: str = "/", /) -> tuple[int, ...]:
        """Return the size of blocks, twice, their number, those that are free, twice, and the longest name."""
        blocks, used = flash.space(flash.resolve(path))
        return BLOCK, BLOCK, blocks, blocks - used, blocks - used, 0, 0, 0, 0, NAME_MAX

    def remove(path: str, /) -> None:
        """Remove a file or an empty directory.

        Raises:
            OSError: ENOENT, ENOTEMPTY.
        """
        flash.remove(flash.resolve(path))

    def rename(old: str, new: str, /) -> None:
        """Rename or move a file or directory; a file that is there is replaced.

        Raises:
            OSError: ENOENT, EISDIR, ENOTDIR, ENOTEMPTY, EINVAL.
        """
        flash.rename(flash.resolve(old), flash.resolve(new))

    def mkdir(path: str, /) -> None:
        """Make a directory.

        Raises:
            OSError: EEXIST, ENOENT, ENOSPC.
        """
        flash.mkdir(flash.resolve(path))

    mounted: dict[int, tuple[Any, str]] = {}  # with the objects, so that their numbers stay theirs

    def mount(fsobj: Any, mount_point: str, /, **_options: Any) -> None:
        """Make sure that there is a directory at the mount point; of a memory card its files are there then.

        Raises:
            OSError: ENODEV, there is no card in the slot; EPERM, one is mounted there.
        """
        target = flash.resolve(mount_point)
        card = getattr(getattr(fsobj, "_device", fsobj), "card", None)
        if isinstance(card, Card):
            if not card.present:
                raise BoardOSError(_ENODEV)
            flash.mount(target, card.size)
            mounted[id(fsobj)] = fsobj, target
        elif flash.kind(target) is None:
            flash.mkdir(target)

    def umount(mount_point: Any, /) -> None:
        """Hide the files of the memory card that is mounted there, or is this one; nothing happens to anything else."""
        if isinstance(mount_point, str):
            flash.umount(flash.resolve(mount_point))
        elif id(mount_point) in mounted:
            flash.umount(mounted.pop(id(mount_point))[1])

    def sync() -> None:
        """Do nothing: what is written is in the flash."""

    def dupterm(_stream: Any, _index: int = 0, /) -> None:
        """Do nothing: the console stays where it is."""

    module = ModuleType("os", "The operating system of this board.")
    vars(module).update(
        VfsFat=VfsFat,
        VfsLfs2=VfsLfs2,
        chdir=chdir,
        dupterm=dupterm,
        getcwd=getcwd,
        ilistdir=ilistdir,
        listdir=listdir,
        mkdir=mkdir,
        mount=mount,
        remove=remove,
        rename=rename,
        rmdir=remove,
        sep="/",
        stat=stat,
        statvfs=statvfs,
        sync=sync,
        umount=umount,
        uname=uname,
        unlink=remove,
        urandom=services.urandom,
    )
    return module

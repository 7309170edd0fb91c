"""A board's files: what `os`, `open` and `import` see.

Rules:

- A path of the board is absolute once `Flash.resolve` has seen it; ``..`` ends at the root, and there is no way out: a
  link of the computer that leads out of the folder is not there.
- What is written stays in memory, above a folder that is only read; with `Flash.folder` it is written there at once,
  and what was in that folder lies above the other. What is removed of the other is removed for this flash only.
- A flash outlives its board's programs, resets and sleep. Errors are those of littlefs as MicroPython's ESP32 port
  raises them. Writing takes no virtual time; times of files are zero, so that runs repeat.
- Only what the program wrote fills the flash: `SIZE` for all of it, in blocks. Assumed: 2 MB, as on an ESP32 with 4 MB.
- A card that is mounted is a directory with a size of its own. Its files stay below the mount point and are not to be
  seen while it is not mounted, as after each start; what a folder of the computer has there is on the card, too.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NoReturn

from espnow.errors import ENOENT, BoardOSError

__all__ = ["BLOCK", "SIZE", "Flash"]

#: Bytes of a flash, and of one of its blocks. The size is assumed.
SIZE = 2 * 1024 * 1024
BLOCK = 4096

#: So many names of files take a block. Assumed.
_NAMES_IN_BLOCK = 8

#: The longest name that littlefs takes.
NAME_MAX = 255

_EPERM, _EIO, _EACCES, _EEXIST, _ENOTDIR, _EISDIR, _EINVAL, _ENOSPC, _ENAMETOOLONG, _ENOTEMPTY = (
    1,
    5,
    13,
    17,
    20,
    21,
    22,
    28,
    36,
    39,
)

Kind = Literal["file", "dir"]


class Flash:
    """The flash of one board: what is written stays in memory, above a folder of the computer that is only read.

    Attributes:
        base: a folder whose files it begins with; never written.
        folder: a folder of the computer that is the flash itself, and is written.
        cwd: the current directory.
    """

    def __init__(self, base: Path | None = None, *, folder: Path | None = None, size: int = SIZE) -> None:
        """Make a flash.

        Args:
            base: a folder whose files it begins with; never written.
            folder: a folder of the computer that is the flash itself, and is written.
            size: how many bytes it holds.
        """
        self.base = base
        self.folder = folder
        self.cwd = "/"
        self.blocks = size // BLOCK
        self._roots = [(str(each), os.path.realpath(each)) for each in (folder, base) if each is not None]
        self._files: dict[str, bytearray] = {}
        self._folders: set[str] = set()
        self._gone: set[str] = set()
        # Mount points of cards: those that are mounted, with their blocks, and those that were.
        self._cards: dict[str, int] = {}
        self._off: set[str] = set()
        # Of a folder that is only read: a board that wakes a thousand times looks once.
        self._seen: dict[str, tuple[str, os.stat_result] | None] = {}
        self._contents: dict[str, bytes] = {}

    def boot(self) -> None:
        """Begin as MicroPython does: in the root, without a card."""
        self.cwd = "/"
        if self._cards:
            self._off.update(self._cards)
            self._cards.clear()

    # Looking.

    def resolve(self, path: str | bytes) -> str:
        """Return a path of a program as an absolute one without ``.`` and ``..``.

        Raises:
            TypeError: it is no path.
            OSError: EINVAL or ENAMETOOLONG, no name can be like this.
        """
        if isinstance(path, (bytes, bytearray)):
            path = bytes(path).decode("utf-8", "replace")
        if not isinstance(path, str):
            raise TypeError(f"can't convert '{type(path).__name__}' object to str implicitly")
        if "\0" in path:
            raise BoardOSError(_EINVAL)
        resolved = "/" + posixpath.normpath(posixpath.join(self.cwd, path)).lstrip("/")
        if any(len(name) > NAME_MAX for name in resolved.split("/")):
            raise BoardOSError(_ENAMETOOLONG)
        return resolved

    def kind(self, path: str) -> Kind | None:
        """Return what is at a path: a file, a directory, or nothing."""
        if self._off and _above(path, self._off) is not None:
            return None
        if path in self._files:
            return "file"
        if path == "/" or path in self._folders:
            return "dir"
        found = self._look(path)
        if found is None:
            return None
        return "dir" if stat.S_ISDIR(found[1].st_mode) else "file"

    def size(self, path: str) -> int:
        """Return the bytes of a file; 0 for a directory."""
        content = self._files.get(path)
        if content is not None:
            return len(content)
        found = None if path in self._folders else self._look(path)
        return found[1].st_size if found is not None and stat.S_ISREG(found[1].st_mode) else 0

    def read(self, path: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: ENOENT or EISDIR, there is none.
        """
        if self._off and _above(path, self._off) is not None:
            _refuse(ENOENT)
        content = self._files.get(path)
        if content is not None:
            return bytes(content)
        if path in self._contents and path not in self._gone:
            return self._contents[path]
        if self.kind(path) != "file":
            _refuse(_EISDIR if self.kind(path) else ENOENT)
        found = self._look(path)
        assert found is not None
        with _host_errors():
            read = Path(found[0]).read_bytes()
        if self.folder is None:
            self._contents[path] = read
        return read

    def names(self, path: str) -> list[str]:
        """Return the names in a directory, sorted.

        Raises:
            OSError: ENOENT or ENOTDIR, there is none.
        """
        kind = self.kind(path)
        if kind != "dir":
            _refuse(_ENOTDIR if kind else ENOENT)
        prefix = path if path == "/" else path + "/"
        found = set()
        for own in (*self._files, *self._folders):
            if own.startswith(prefix):
                found.add(own[len(prefix) :].partition("/")[0])
        for _, root in () if path in self._gone else self._roots:
            look = _look_below(root, path)
            if look is not None and stat.S_ISDIR(look[1].st_mode):
                with _host_errors():
                    found.update(each.name for each in Path(look[0]).iterdir() if self.kind(prefix + each.name))
        return sorted(name for name in found if prefix + name not in self._off)

    def changed(self, path: str) -> bool:
        """Return whether a program has written, removed or renamed what is at a path."""
        return path in self._files or path in self._gone

    def filename(self, path: str) -> str:
        """Return what tracebacks call a file: the computer's name of it, if it is as it was there."""
        found = None if self.changed(path) else self._look(path)
        for shown, root in self._roots if found is not None else ():
            if len(self._roots) == 1 or _look_below(root, path) is not None:
                return f"{shown}{path}" if shown != "." else path[1:]
        return path

    @property
    def used_blocks(self) -> int:
        """How many blocks are taken by what programs wrote, but for cards."""
        return self._used(None)

    def space(self, path: str) -> tuple[int, int]:
        """Return how many blocks there are where a path is, on a card or beside, and how many of them are taken."""
        card = _above(path, self._cards)
        return (self.blocks if card is None else self._cards[card]), self._used(card)

    # Cards.

    def mount(self, path: str, size: int) -> None:
        """Let the files of a card be at a path.

        Args:
            path: where.
            size: the bytes that the card holds.

        Raises:
            OSError: EPERM, a card is mounted there; ENOENT or ENOTDIR, that cannot be.
        """
        if path in self._cards or path == "/":
            _refuse(_EPERM)
        self._off.discard(path)
        kind = self.kind(path)
        if kind is None:
            self.mkdir(path)
        elif kind == "file":
            _refuse(_ENOTDIR)
        self._cards[path] = size // BLOCK

    def umount(self, path: str) -> None:
        """End `mount`; nothing happens if no card is mounted there."""
        if self._cards.pop(path, None) is not None:
            self._off.add(path)
            if _above(self.cwd, self._off) is not None:
                self.cwd = "/"

    # Changing.

    def open(self, path: str, *, create: bool, exclusive: bool = False, truncate: bool = False) -> bytearray:
        """Return the content of a file that is going to be written; what is done to it is done to the file.

        Raises:
            OSError: ENOENT, EEXIST, EISDIR, ENOTDIR, ENOSPC.
        """
        kind = self.kind(path)
        if kind == "dir":
            _refuse(_EISDIR)
        if kind is None and not create:
            _refuse(ENOENT)
        if kind is not None and exclusive:
            _refuse(_EEXIST)
        if kind is None:
            self._check_parent(path)
            self._off.discard(path)
        content = self._files.get(path)
        if content is None:
            content = bytearray() if kind is None or truncate else bytearray(self.read(path))
            self._check_space(path, _blocks(len(content)) or 1)  # a full flash takes no name either
            self._files[path] = content
            self._gone.discard(path)
            if kind is None or truncate:
                self._store(path, content)
        elif truncate and content:
            del content[:]
            self._store(path, content)
        return content

    def write(self, path: str, content: bytearray, position: int, new: bytes | bytearray | memoryview) -> None:
        """Put bytes into an open file; it grows as is needed.

        Raises:
            OSError: ENOSPC, the flash is full.
        """
        before = len(content)
        end = position + len(new)
        self._check_space(path, _blocks(end) - _blocks(before))
        if position > before:
            content.extend(bytes(position - before))
        content[position:end] = new
        self._store(path, content, bytes(new) if position == before else None)

    def cut(self, path: str, content: bytearray, length: int) -> None:
        """Make an open file so long, with zeros at its end if it was shorter."""
        self._check_space(path, _blocks(length) - _blocks(len(content)))
        del content[length:]
        content.extend(bytes(length - len(content)))
        self._store(path, content)

    def mkdir(self, path: str) -> None:
        """Make a directory.

        Raises:
            OSError: EEXIST, ENOENT, ENOTDIR, ENOSPC.
        """
        if self.kind(path) is not None:
            _refuse(_EEXIST)
        self._check_parent(path)
        self._check_space(path, 1)
        self._off.discard(path)
        if self.folder is not None:
            with _host_errors():
                Path(self._target(path)).mkdir(parents=True, exist_ok=True)
        self._folders.add(path)

    def remove(self, path: str) -> None:
        """Remove a file or an empty directory, as littlefs does with one function.

        Raises:
            OSError: ENOENT, ENOTEMPTY, EINVAL for the root.
        """
        kind = self.kind(path)
        if kind is None:
            _refuse(ENOENT)
        if path == "/":
            _refuse(_EINVAL)
        if kind == "dir" and self.names(path):
            _refuse(_ENOTEMPTY)
        if self.folder is not None:
            with _host_errors():
                target = self._target(path)
                if os.path.lexists(target):
                    (os.rmdir if kind == "dir" else os.unlink)(target)
        self._forget(path)

    def rename(self, old: str, new: str) -> None:
        """Move a file or a directory; a file, or an empty directory, that is there is replaced.

        Raises:
            OSError: ENOENT, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL; EPERM, one of them is on a card.
        """
        kind, other = self.kind(old), self.kind(new)
        if kind is None:
            _refuse(ENOENT)
        if old == new:
            return
        if self._cards and _above(old, self._cards) != _above(new, self._cards):
            _refuse(_EPERM)
        if old == "/" or new.startswith(old + "/"):
            _refuse(_EINVAL)
        self._check_parent(new)
        if other is not None and other != kind:
            _refuse(_EISDIR if other == "dir" else _ENOTDIR)
        if other is not None:
            self.remove(new)
        self._move(old, new)

    def _move(self, old: str, new: str) -> None:
        if self.kind(old) == "dir":
            self.mkdir(new)
            for name in self.names(old):
                self._move(f"{old}/{name}", f"{new}/{name}")
        else:
            content = self._files.get(old)
            if content is None:
                content = bytearray(self.read(old))
            self._files[new] = content
            self._gone.discard(new)
            self._store(new, content)
        self.remove(old)

    # Inside.

    def _look(self, path: str) -> tuple[str, os.stat_result] | None:
        """Return where the computer has a path that no program changed, and its status; None if it is not there."""
        if path in self._gone:
            return None
        if path in self._seen:
            return self._seen[path]
        found = None
        for _, root in self._roots:
            found = _look_below(root, path)
            if found is not None:
                break
        if self.folder is None:
            self._seen[path] = found
        return found

    def _target(self, path: str) -> str:
        """Return where in the folder a file of this flash is written."""
        return f"{self.folder}{path}"

    def _check_parent(self, path: str) -> None:
        kind = self.kind(posixpath.dirname(path))
        if kind != "dir":
            _refuse(_ENOTDIR if kind else ENOENT)

    def _check_space(self, path: str, more_blocks: int) -> None:
        if more_blocks > 0:
            blocks, used = self.space(path)
            if used + more_blocks > blocks:
                _refuse(_ENOSPC)

    def _used(self, card: str | None) -> int:
        """Return how many blocks are taken on a card, or (None) beside all cards."""
        cards = {*self._cards, *self._off}
        if not cards:
            names = len(self._files) // _NAMES_IN_BLOCK
            return names + len(self._folders) + sum(_blocks(len(content)) for content in self._files.values())
        folders = sum(_above(path, cards) == card for path in self._folders - cards)
        return folders + sum(
            _blocks(len(content)) for path, content in self._files.items() if _above(path, cards) == card
        )

    def _forget(self, path: str) -> None:
        self._files.pop(path, None)
        self._folders.discard(path)
        if self._roots:
            self._gone.add(path)

    def _store(self, path: str, content: bytearray, more: bytes | None = None) -> None:
        """Write a file to the folder, if there is one: all of it, or only what is new at its end."""
        if self.folder is None or self._files.get(path) is not content:
            return
        target = Path(self._target(path))
        with _host_errors():
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_symlink() and self._look(path) is None:
                target.unlink()  # it leads out of the folder: the file takes its place
            if more is None or not target.exists():
                target.write_bytes(content)
            else:
                with target.open("ab") as file:
                    file.write(more)


def _look_below(root: str, path: str) -> tuple[str, os.stat_result] | None:
    """Return where a path is below a folder of the computer, and its status; None if it is not there, or leads out."""
    here = root
    try:
        found = os.lstat(here)
        for name in path.split("/")[1:]:
            if not name:
                continue
            here = f"{here}/{name}"
            found = os.lstat(here)
            if stat.S_ISLNK(found.st_mode):
                here = os.path.realpath(here)
                if os.path.commonpath((here, root)) != root:
                    return None
                found = os.lstat(here)
    except (OSError, ValueError):
        return None
    return (here, found) if stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode) else None


def _above(path: str, folders: Iterable[str]) -> str | None:
    """Return which of some directories a path is, or is in."""
    for folder in folders:
        if path == folder or path.startswith(folder + "/"):
            return folder
    return None


def _blocks(size: int) -> int:
    return -(-size // BLOCK)


def _refuse(number: int) -> NoReturn:
    raise BoardOSError(number)


@contextmanager
def _host_errors() -> Iterator[None]:
    """Turn what the computer refuses into an error of the board."""
    try:
        yield
    except PermissionError:
        raise BoardOSError(_EACCES) from None
    except FileExistsError:
        raise BoardOSError(_EEXIST) from None
    except OSError:
        raise BoardOSError(_EIO) from None

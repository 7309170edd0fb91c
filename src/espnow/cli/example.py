"""``espnow run --example``: ready labs to begin with, written into the current folder.

The examples are those of the repository's ``examples/``. An installed package has a copy of them beside its modules;
in a checkout they are read where they are.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import espnow
from espnow.cli._show import table
from espnow.errors import UserError
from espnow.frame.text import printable

__all__ = ["NAMES", "check", "copy", "files", "folder", "list_all", "show", "write"]

#: The examples, the simplest first.
NAMES = (
    "hello",
    "echo",
    "broadcast",
    "encrypted",
    "irq",
    "asyncio",
    "scan",
    "remote",
    "mesh",
    "proxy",
    "sensor",
)

_LAB_FILE = "lab.toml"


def folder() -> Path:
    """Return the folder that holds the examples, one folder each."""
    package = Path(espnow.__file__).parent
    installed = package / "examples"
    return installed if installed.is_dir() else package.parents[1] / "examples"


def files(name: str) -> list[Path]:
    """Return the files of an example, in order, below its folder.

    Raises:
        UserError: there is no such example.
    """
    check(name, NAMES)
    base = folder() / name
    found = (path.relative_to(base) for path in base.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith((".", "__")) for part in path.parts))


def check(name: str, known: Sequence[str]) -> None:
    """See to it that an example is one of those that there are.

    Raises:
        UserError: it is not.
    """
    if name not in known:
        nearest = difflib.get_close_matches(name.lower(), known, 1)
        meant = f"; did you mean {nearest[0]}?" if nearest else "."
        raise UserError(f"there is no example {printable(name)}{meant} There are {', '.join(known)}")


def list_all() -> int:
    """Print each example with what it shows, which is the first line of its lab file."""
    return show({name: folder() / name / _LAB_FILE for name in NAMES}, "espnow run")


def show(found: Mapping[str, Path], command: str) -> int:
    """Print names with what each shows, which is the first line of its file, and which command writes one."""
    rows = []
    for name, path in found.items():
        first = path.read_text().partition("\n")[0]
        rows.append([name, first.lstrip("# ")])
    print("\n".join(table(rows, ())))
    print(f"\n{command} --example NAME writes one into the current folder.")
    return 0


def write(name: str) -> int:
    """Write an example into the current folder, and say how to run it.

    Raises:
        UserError: there is no such example, a file of it is there already, or it cannot be written.
    """
    return copy(folder() / name, files(name), f"espnow run {_LAB_FILE}")


def copy(base: Path, found: Sequence[Path], command: str) -> int:
    """Copy files of a folder to the current one, and say what runs them.

    Raises:
        UserError: one is there already, and none is written; or one cannot be written.
    """
    there = [str(path) for path in found if path.exists()]
    if there:
        are = "is" if len(there) == 1 else "are"
        raise UserError(f"{', '.join(there)} {are} there already, and nothing was written; do it in an empty folder")
    for path in found:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(base / path, path)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        print(f"wrote {path}")
    print(f"\n{command}")
    return 0

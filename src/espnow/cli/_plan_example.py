"""``espnow plan --example``: commented plans to begin with.

They are those of the repository's ``examples/plans``; an installed package has a copy of them.
"""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

from espnow.cli import example
from espnow.cli._show import table
from espnow.errors import UserError
from espnow.frame.text import printable

__all__ = ["list_all", "names", "write"]


def _folder() -> Path:
    return example.folder() / "plans"


def names() -> list[str]:
    """Return what there is."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def list_all() -> int:
    """Print each plan with what it shows, which is its first line."""
    rows = []
    for name in names():
        first = (_folder() / f"{name}.toml").read_text().partition("\n")[0]
        rows.append([name, first.lstrip("# ")])
    print("\n".join(table(rows, ())))
    print("\nespnow plan --example NAME writes one into the current folder.")
    return 0


def write(name: str) -> int:
    """Write a plan into the current folder, and say how to run it.

    Raises:
        UserError: there is no such plan, a file of its name is there already, or it cannot be written.
    """
    known = names()
    if name not in known:
        nearest = difflib.get_close_matches(name.lower(), known, 1)
        meant = f"; did you mean {nearest[0]}?" if nearest else "."
        raise UserError(f"there is no example {printable(name)}{meant} There are {', '.join(known)}")
    path = Path(f"{name}.toml")
    if path.exists():
        raise UserError(f"{path} is there already, and nothing was written; do it in an empty folder")
    try:
        shutil.copyfile(_folder() / path, path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    print(f"wrote {path}\n\nespnow plan {path}")
    return 0

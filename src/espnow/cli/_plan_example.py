"""``espnow plan --example``: commented plans to begin with.

They are those of the repository's ``examples/plans``; an installed package has a copy of them.
"""

from __future__ import annotations

from pathlib import Path

from espnow.cli import example

__all__ = ["list_all", "names", "write"]


def _folder() -> Path:
    return example.folder() / "plans"


def names() -> list[str]:
    """Return what there is."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def list_all() -> int:
    """Print each plan with what it shows, which is its first line."""
    return example.show({name: _folder() / f"{name}.toml" for name in names()}, "espnow plan")


def write(name: str) -> int:
    """Write a plan into the current folder, and what it names, and say how to run it.

    Raises:
        UserError: there is no such plan, a file of its name is there already, or it cannot be written.
    """
    example.check(name, names())
    found = sorted(Path(path.name) for path in _folder().glob(f"{name}.*"))
    return example.copy(_folder(), found, f"espnow plan {name}.toml")

"""The arguments of `espnow run` that name programs, and what goes with them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from espnow.board import PROFILES
from espnow.cli._frames import shown_argument
from espnow.errors import UserError
from espnow.frame.text import printable

__all__ = ["CODE", "checked_path", "is_lab_file", "nth", "split_profile", "stdin_descriptor"]

#: A piece of code among the programs, as `espnow.cli.run.prepare` marks it; no file name begins so.
CODE = "\0code "


def is_lab_file(program: str) -> bool:
    """Whether an argument names a lab file."""
    return program.endswith(".toml") and not program.startswith(CODE)


def stdin_descriptor() -> int | None:
    """Return the descriptor of standard input, or None if there is none to read from."""
    if sys.stdin is None or sys.stdin.closed:
        return None
    try:
        return sys.stdin.fileno()
    except (OSError, ValueError):  # replaced by something that is no file
        return None


def checked_path(program: str) -> str:
    """Return a program's path, unless it is none and may be a secret, which nobody is to read in an error.

    Raises:
        UserError: it is none.
    """
    shown = shown_argument(program)
    if shown != printable(program) and not _exists(split_profile(program)[0]):
        raise UserError(f"{shown}: No such file or directory")
    return program


def split_profile(program: str) -> tuple[str, str | None]:
    """Split ``sensor.py:esp8266``.

    Raises:
        UserError: there is no such profile.
    """
    if _exists(program):
        return program, None
    match = re.fullmatch(r"(.+)[:@]([^:@/\\]+)", program)
    if match is None:
        return program, None
    path, profile = match.groups()
    if profile not in PROFILES and _exists(path):
        raise UserError(f"{program}: there is no profile {profile!r}; there are {', '.join(PROFILES)}")
    return (path, profile) if profile in PROFILES else (program, None)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # too long a name, a folder that may not be searched: opening it says what is wrong
        return False


def nth(values: Sequence[str], number: int) -> str | None:
    """Return what an option that may be given once for each board says of one of them, or None."""
    value = values[number] if number < len(values) else "-"
    return None if value == "-" else value

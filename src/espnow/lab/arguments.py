"""What a caller says of a lab: what cannot be is refused, in a UserError of one line.

Rules: nothing is changed here, and nothing of a lab is known but what is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from espnow.air.propagation import Position, is_place
from espnow.board import PROFILES
from espnow.errors import UserError
from espnow.frame import format_mac, station_address
from espnow.frame.text import printable
from espnow.lab.program import Program, SourceFile, compile_program, source_files
from espnow.times import MOST_US

__all__ = [
    "TEXT",
    "check_flash",
    "check_ms",
    "check_name",
    "check_position",
    "check_profile",
    "crowd_address",
    "crowd_names",
    "is_number",
    "make_program",
]

#: What tracebacks call a program that is given as text, as CPython does.
TEXT = "<string>"


def is_number(value: object, least: float, most: float) -> bool:
    """Return whether a value is a number from `least` to `most`."""
    return isinstance(value, (int, float)) and least <= value <= most


def check_ms(what: str, ms: float) -> None:
    """Check a time in milliseconds, which an error calls `what`."""
    if not is_number(ms, 0, math.inf) or ms == math.inf:
        raise UserError(f"{what} is {ms!r}, and must be a number of milliseconds, 0 or more")
    if ms >= MOST_US / 1000:
        raise UserError(f"{what} is {ms!r} ms, and must be less than 285 years")


def check_name(what: str, name: object) -> str:
    """Return a name as it may stand in a terminal and in a log, as in lab files; an error calls its owner `what`."""
    if not isinstance(name, str) or not name or not name.isprintable():
        raise UserError(f"{what} is named {name!r}: a name is a text of printable characters")
    return name


def check_position(name: str, position: Position) -> Position:
    """Return a position of the board or router `name` as two floats.

    Raises:
        UserError: it is none.
    """
    try:
        if isinstance(position, (str, bytes)):
            raise TypeError
        x, y = (float(part) for part in position)
        if is_place((x, y)):
            return x, y
    except (TypeError, ValueError, OverflowError):
        pass
    raise UserError(f"{name!r}: a position is two numbers, metres x and y, within 1e9 m, not {position!r}")


def crowd_names(crowd: str, names: Sequence[str] | None, count: int) -> list[str]:
    """Return what the stations of a crowd are called: its own name and their numbers, if nothing else is said."""
    if names is None:
        return [f"{crowd}-{number}" for number in range(count)]
    if len(names) != count:
        raise UserError(f"crowd {crowd!r}: there are {len(names)} names for {count} places: give each its own")
    called = [check_name(f"crowd {crowd!r}: a station", name) for name in names]
    if len(set(called)) < count:
        twice = next(name for number, name in enumerate(called) if name in called[:number])
        raise UserError(f"crowd {crowd!r}: two stations are named {twice!r}: give each its own name")
    return called


def crowd_address(
    crowd: str, mac: bytes | str | None, count: int, free: int, taken: Iterable[tuple[int, int, str]]
) -> int:
    """Return the address, as a number, of the first station of a crowd.

    Args:
        crowd: what it is called.
        mac: the first one's address, if somebody wants one.
        count: so many stations have it and the next ones.
        free: the first one's address otherwise.
        taken: first and last address of all others, as numbers, and whose they are.
    """
    try:
        first = free if mac is None else int.from_bytes(station_address(mac))
    except ValueError as error:
        raise UserError(f"crowd {crowd!r}: {error}") from None
    except TypeError:
        raise UserError(f"crowd {crowd!r}: a MAC address is 6 bytes or a text, not {mac!r}") from None
    if first + count > 1 << 48 or (first + count - 1) >> 40 & 1:
        raise UserError(f"crowd {crowd!r}: {count} addresses from {format_mac(first.to_bytes(6))} on are not there")
    for low, high, other in taken:
        if first <= high and low < first + count:
            raise UserError(f"crowd {crowd!r} has addresses of {other}: give it another mac")
    return first


def check_flash(flash: str | Path) -> Path:
    """Return the folder of a flash."""
    path = Path(flash)
    if path.exists() and not path.is_dir():
        raise UserError(f"a flash is kept in a folder, and {printable(str(path))} is a file")
    return path


def check_profile(profile: str) -> None:
    """Check that there is such a kind of board."""
    if profile not in PROFILES:
        raise UserError(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}")


def make_program(
    program: str | Path | Callable[..., Any] | None, code: str | None, argv: tuple[str, ...]
) -> Program | None:
    """Return the program of a board, given as a file, a folder, a callable or its text; None if it has none."""
    if code is not None:
        if program is not None:
            raise UserError("a board has one program: give a file or code, not both")
        compile_program(code, TEXT)
        return Program(TEXT, (SourceFile("", TEXT, code),), folder=Path.cwd(), argv=("-c", *argv))
    if program is None:
        return None
    if callable(program):
        return Program(getattr(program, "__name__", "program"), function=program, argv=("", *argv))
    path = Path(program)
    files = source_files(path)
    folder = path.parent if path.is_file() else path
    return Program(str(path) if path.stem else path.resolve().name, files, folder=folder, argv=(str(path), *argv))

"""TOML files that people write: what their keys may hold, and a mistake told in one line.

Rules:

- What a key is called, may hold and means stands once, in a `Table`. Reading, errors and documentation follow from it.
- A `Kind` describes a value in words that complete "this is not ..."; the documentation shows the same words. A reader
  gets what TOML gives and the folder of the file, and raises ValueError for what it does not take; the error's text, if
  any, says more than the description does.
- A mistake is a UserError of one line: the file, the place (``board[2].stimulus[0].pin``), what is wrong, what is
  allowed.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.times import TimeTooLong, parse_time_us

__all__ = [
    "CHANNEL",
    "EXPONENT",
    "FILE",
    "FLAG",
    "FOLDER",
    "METRES",
    "NAME",
    "POSITION",
    "PROBABILITY",
    "TEXT",
    "TEXTS",
    "TIME",
    "TIME_ABOVE_0",
    "WHOLE",
    "Key",
    "Kind",
    "Table",
    "between",
    "check",
    "choice",
    "load",
    "read_number",
    "read_path",
    "read_text",
    "read_time_us",
    "read_whole",
    "shown",
    "tables",
    "whole",
]

_SYNTAX = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)

#: East and north, no place is farther from [0, 0].
_MOST_M = 1e9

#: A value is shown in an error with so many characters at most.
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

    Attributes:
        allowed: what it is, in words that complete "this is not ...".
        read: returns what the program works with, from what TOML gives and the folder of the file; raises ValueError.
        secret: the value is never shown.
        choices: the texts that are allowed, if they can be listed.
    """

    allowed: str
    read: Callable[[Any, Path], Any]
    secret: bool = False
    choices: tuple[str, ...] = ()


def shown(value: object) -> str:
    """Return a value as an error shows it: as TOML has it, on one line, not too long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = type(value).__name__
    text = printable(text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def read_text(value: object, _folder: Path) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise ValueError
    return value


def _name(value: object, folder: Path) -> str:
    name = read_text(value, folder)
    if not name or printable(name) != name:
        raise ValueError
    return name


def read_number(value: object, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a finite number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    try:
        number = float(value)
    except OverflowError:
        raise ValueError from None
    if not math.isfinite(number) or not least <= number <= most:
        raise ValueError
    return number


def between(allowed: str, least: float, most: float) -> Kind:
    """Return the kind of a number from `least` to `most`."""
    return Kind(allowed, lambda value, _folder: read_number(value, least, most))


def read_whole(value: object, least: int | None = None, most: int | None = None) -> int:
    """Return a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    if (least is not None and value < least) or (most is not None and value > most):
        raise ValueError
    return value


def whole(allowed: str, least: int | None = None, most: int | None = None) -> Kind:
    """Return the kind of a whole number from `least` to `most`."""
    return Kind(allowed, lambda value, _folder: read_whole(value, least, most))


def choice(*names: str) -> Kind:
    """Return the kind of a text that is one of these."""

    def read(value: object, _folder: Path) -> str:
        if value not in names or not isinstance(value, str):
            raise ValueError
        return value

    listed = ", ".join(f'"{name}"' for name in names[:-1]) + f' or "{names[-1]}"'
    return Kind(listed, read, choices=names)


def _flag(value: object, _folder: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def read_time_us(value: object) -> int:
    """Return a time in microseconds: a text with a unit, or a number of seconds; `TimeTooLong` if it is."""
    if isinstance(value, str):
        return parse_time_us(value)
    return parse_time_us(f"{read_number(value, 0):f}")


def _time(value: object, _folder: Path) -> int:
    try:
        return read_time_us(value)
    except TimeTooLong:
        raise
    except ValueError:
        raise ValueError from None


def _time_above_0(value: object, folder: Path) -> int:
    us = _time(value, folder)
    if us == 0:
        raise ValueError
    return us


def _position(value: object, _folder: Path) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError
    east, north = read_number(value[0]), read_number(value[1])
    if max(abs(east), abs(north)) > _MOST_M:
        raise ValueError(f"no place is farther away than {_MOST_M:g} m")
    return east, north


def _texts(value: object, folder: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(read_text(part, folder) for part in value)


def read_path(value: object, folder: Path) -> Path:
    """Return a path, beside the file."""
    text = read_text(value, folder)
    if not text or "\0" in text:
        raise ValueError
    return folder / text


TEXT = Kind("a text", read_text)
NAME = Kind("a name", _name)
TEXTS = Kind("a list of texts", _texts)
FLAG = Kind("true or false", _flag)
WHOLE = whole("a whole number")
TIME = Kind('a time such as "500ms", "30s" or "10m"', _time)
TIME_ABOVE_0 = Kind('a time above 0, such as "500ms", "30s" or "10m"', _time_above_0)
POSITION = Kind("two numbers, metres east and north, as in [10, 2.5]", _position)
PROBABILITY = between("a number from 0 to 1", 0, 1)
METRES = between("a number of metres, 0 or more", 0, math.inf)
EXPONENT = between("a number from 1 to 10", 1, 10)
CHANNEL = whole("a whole number from 1 to 14", 1, 14)
FILE = Kind("the name of a file", read_path)
FOLDER = Kind("the name of a folder", read_path)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file.

    Attributes:
        name: as the documentation calls it, such as ``board.stimulus``.
        make: called with ``where`` and one argument for each key that is there; returns what the program works with.
        keys: in the order in which they are documented.
        one_of: what this table does: exactly one of these keys is there, each with keys of its own. What its `Table`
            makes is the argument ``action``.
        some_of: at least one of these keys is there.
        without: what is wrong with a table that has none of ``one_of``.
    """

    name: str
    make: Callable[..., Any]
    keys: tuple[Key, ...] = ()
    one_of: Mapping[str, Table] = field(default_factory=dict)
    some_of: tuple[str, ...] = ()
    without: str = "nothing happens in it"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    Attributes:
        name: in the file.
        value: what it may hold; a `Table` for a table of its own.
        meaning: for the documentation, and in its words.
        argument: what ``make`` calls it; by default like the key.
        required: it must be there.
        many: the table may come any number of times, as ``[[name]]``.
    """

    name: str
    value: Kind | Table
    meaning: str
    argument: str = ""
    required: bool = False
    many: bool = False


def tables(table: Table) -> list[Table]:
    """Return a table and those inside it, in the order of the file's documentation."""
    inside = [key.value for key in table.keys if isinstance(key.value, Table)]
    return [table, *(below for one in inside for below in tables(one))]


class _Check:
    """The check of one file.

    Attributes:
        path: what errors call the file.
        heads: how the tables are written, by their names.
    """

    def __init__(self, root: Table, path: Path) -> None:
        self.path = path
        self._tables = tables(root)
        self.heads = {
            key.value.name: f"[[{key.value.name}]]" if key.many else f"[{key.value.name}]"
            for table in self._tables
            for key in table.keys
            if isinstance(key.value, Table)
        }

    def refuse(self, where: str, text: str) -> UserError:
        return UserError(f"{printable(str(self.path))}: {f'{where}: ' if where else ''}{text}")

    def table(self, table: Table, value: object, where: str) -> Any:
        """Return what `table` makes of a value."""
        if not isinstance(value, dict):
            raise self.refuse(where, f"{shown(value)} is not a table: write {self.heads[table.name]}")
        target = self._target(table, value, where) if table.one_of else None
        keys = {key.name: key for key in table.keys}
        of_target = {} if target is None else {key.name: key for key in target.keys}
        made: dict[str, Any] = {}
        of_action: dict[str, Any] = {}
        for name, content in value.items():
            if name in of_target:
                key = of_target[name]
                of_action[key.argument or name] = self._value(key, content, _inside(where, name))
            elif name in keys:
                key = keys[name]
                made[key.argument or name] = self._value(key, content, _inside(where, name))
            else:
                raise self._unknown(table, name, target, where)
        self._complete(table, value, where)
        if target is not None:
            self._complete(target, value, where)
        try:
            if target is not None:
                made["action"] = target.make(**of_action)
            return table.make(where=where, **made)
        except ValueError as error:  # keys that do not go together
            raise self.refuse(where, str(error)) from None

    def _value(self, key: Key, content: object, where: str) -> Any:
        if isinstance(key.value, Kind):
            return self._read(key.value, content, where)
        if not key.many:
            return self.table(key.value, content, where)
        if not isinstance(content, list):
            raise self.refuse(where, f"write {self.heads[key.value.name]}, with two brackets: there may be several")
        return tuple(self.table(key.value, part, f"{where}[{number}]") for number, part in enumerate(content))

    def _read(self, kind: Kind, content: object, where: str) -> Any:
        try:
            return kind.read(content, self.path.parent)
        except TimeTooLong as error:
            raise self.refuse(where, f"{shown(content)} is too long: {error}") from None
        except (ValueError, TypeError) as error:
            what = "this" if kind.secret else shown(content)
            more = f": {error}" if isinstance(error, ValueError) and str(error) else ""
            near = _near(content, kind.choices) if isinstance(content, str) else ""
            raise self.refuse(where, f"{what} is not {kind.allowed}{more}{near}") from None

    def _target(self, table: Table, value: Mapping[str, Any], where: str) -> Table:
        found = [name for name in table.one_of if name in value]
        if len(found) == 1:
            return table.one_of[found[0]]
        listed = ", ".join(table.one_of)
        if found:
            raise self.refuse(where, f"{' and '.join(found)} do not go together: it has one of {listed}")
        for name in value:
            if not any(key.name == name for key in self._all_keys(table)):
                raise self._unknown(table, name, None, where)
        raise self.refuse(where, f"{table.without}: it has one of {listed}")

    def _complete(self, table: Table, value: Mapping[str, Any], where: str) -> None:
        for key in table.keys:
            if key.required and key.name not in value:
                allowed = key.value.allowed if isinstance(key.value, Kind) else "a table"
                raise self.refuse(_inside(where, key.name), f"it is missing; it is {allowed}")
        if table.some_of and not any(name in value for name in table.some_of):
            raise self.refuse(where, f"it has neither {' nor '.join(table.some_of)}")

    def _all_keys(self, table: Table) -> list[Key]:
        return [*table.keys, *(key for target in table.one_of.values() for key in target.keys)]

    def _unknown(self, table: Table, name: str, target: Table | None, where: str) -> UserError:
        place = _inside(where, name)
        if target is None:
            allowed = [*table.one_of, *(key.name for key in table.keys)]
        else:
            allowed = [key.name for key in (*target.keys, *table.keys)]
            owners = [other.name for other in table.one_of.values() if name in {key.name for key in other.keys}]
            if owners:
                told = f"it goes with {' and '.join(owners)}, not with {target.name}."
                return self.refuse(place, f"{told} Allowed: {', '.join(allowed)}")
        hint = self._elsewhere(name) or _near(name, allowed) or "."
        return self.refuse(place, f"there is no such key{hint} Allowed: {', '.join(allowed)}")

    def _elsewhere(self, name: str) -> str:
        """Return where a key belongs that was written in the wrong table."""
        owners = []
        for table in self._tables:
            for key in (*table.keys, *(key for target in table.one_of.values() for key in target.keys)):
                if key.name == name:
                    owner = key.value.name if isinstance(key.value, Table) else table.name
                    owners.append(self.heads.get(owner, "the top of the file"))
        return f" here, it belongs to {' or '.join(dict.fromkeys(owners))}." if owners else ""


def _inside(where: str, name: str) -> str:
    name = printable(name) if name.replace("_", "a").replace("-", "a").isalnum() else shown(name)
    return f"{where}.{name}" if where else name


def _near(word: str, names: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(word.lower(), names, 1, 0.5)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def check(root: Table, document: Mapping[str, Any], path: Path) -> Any:
    """Return what the outermost table makes of a file.

    Args:
        root: the outermost table.
        document: the file, as TOML gives it.
        path: of the file; what it names is looked for beside it.

    Raises:
        UserError: a mistake, in one line.
    """
    return _Check(root, path).table(root, document, "")


def load(path: Path) -> dict[str, Any]:
    """Return what is in a TOML file.

    Raises:
        UserError: it cannot be read, or is no TOML; one line that says where.
    """
    name = printable(str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")  # editors of Windows mark UTF-8 so
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{name}, line {line}: TOML is UTF-8, and this is not") from None
    except ValueError as error:  # a null character in the name
        raise UserError(f"{name}: {error}") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _SYNTAX.fullmatch(str(error))
        if match is None:
            raise UserError(f"{name}: {printable(str(error))}") from None
        place = f"line {match[2]}, column {match[3]}" if match[2] else "at its end"
        raise UserError(f"{name}, {place}: {printable(match[1])}") from None
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        raise UserError(f"{name}: it is nested too deeply, or has a number with too many digits") from None
    return document

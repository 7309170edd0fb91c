"""What the values of a lab file may be, beside those that `espnow.tomlfile` has for any file."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from espnow.board import PROFILES
from espnow.frame import station_address
from espnow.lab.stimuli import Series
from espnow.times import parse_time_us
from espnow.tomlfile import (
    Kind,
    choice,
    read_number,
    read_path,
    read_text,
    read_time_us,
    read_whole,
    shown,
    whole,
)

__all__ = [
    "HEX",
    "HOSTS",
    "I2C_ADDRESS",
    "I2C_BUS",
    "KEY",
    "LEVEL",
    "MAC",
    "PIN",
    "PROFILE",
    "PROGRAM",
    "REGISTERS",
    "SSID",
    "series",
]


def _pin(value: object, _folder: Path) -> int:
    return read_whole(value, 0, 255)


def _mac(value: object, folder: Path) -> bytes:
    return station_address(read_text(value, folder))


def _program(value: object, folder: Path) -> Path:
    path = read_path(value, folder)
    try:
        there = path.exists()
    except OSError as error:
        raise ValueError(error.strerror) from None
    if not there:
        raise ValueError("there is nothing of that name")
    return path


def _level(value: object, _folder: Path) -> int | None:
    if value == "open":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value not in (0, 1):
        raise ValueError
    return value


def _bus(value: object, folder: Path) -> int | tuple[int, int]:
    if isinstance(value, list) and len(value) == 2:
        return _pin(value[0], folder), _pin(value[1], folder)
    return read_whole(value, 0, 1)


def _hex(value: object, folder: Path) -> bytes:
    try:
        return bytes.fromhex(read_text(value, folder))
    except ValueError:
        raise ValueError from None


def _ssid(value: object, folder: Path) -> str:
    text = read_text(value, folder)
    if not 1 <= len(text.encode()) <= 32:
        raise ValueError
    return text


def _key(value: object, folder: Path) -> str:
    text = read_text(value, folder)
    if text and not 8 <= len(text.encode()) <= 64:
        raise ValueError
    return text


def _register(name: str, value: object, folder: Path) -> tuple[int, bytes]:
    if not re.fullmatch(r"0x[0-9A-Fa-f]{1,4}|[0-9]{1,5}", name):
        raise ValueError(f"{name} is no register: write 0x10 or 16")
    if isinstance(value, str):
        content = _hex(value, folder)
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        content = bytes([value])
    else:
        raise ValueError(f"register {name} holds {shown(value)}: write a byte, 0 to 255, or a text of hex")
    return int(name, 0 if name.startswith("0x") else 10), content


def _registers(value: object, folder: Path) -> dict[int, bytes]:
    if not isinstance(value, dict):
        raise ValueError
    return dict(_register(name, content, folder) for name, content in value.items())


#: A name or an address of a host, with a port or without.
_HOST = re.compile(r"[A-Za-z0-9_.-]+(:[0-9]{1,5})?")


def _hosts(value: object, _folder: Path) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError
    for text in (*value, *value.values()):
        if not isinstance(text, str) or not _HOST.fullmatch(text):
            raise ValueError(f'{shown(text)} is no host: write "name", "name:port" or an address')
    return dict(value)


def series(column: str, allowed: str) -> Kind:
    """Return the kind of a number that may change with time.

    Args:
        column: what the column is called in a CSV file that has several.
        allowed: what the number is.
    """

    def read(value: object, folder: Path) -> Series:
        if isinstance(value, str):
            return Series(tuple(_read_csv(read_path(value, folder), column)))
        if isinstance(value, list):
            return Series(tuple(_points(value)))
        return Series(((0, read_number(value)),))

    return Kind(f"{allowed}, a list of points [time, number], or the name of a CSV file", read)


def _points(value: Iterable[object]) -> list[tuple[int, float]]:
    points: list[tuple[int, float]] = []
    for number, point in enumerate(value):
        if not isinstance(point, list) or len(point) != 2:
            raise ValueError(f'point {number} is {shown(point)}: write [time, number], as in ["10s", 1.5]')
        try:
            at_us, reached = read_time_us(point[0]), read_number(point[1])
        except ValueError:
            raise ValueError(f'point {number} is {shown(point)}: write [time, number], as in ["10s", 1.5]') from None
        if points and at_us < points[-1][0]:
            raise ValueError(f"point {number} is before the one ahead of it")
        points.append((at_us, reached))
    if not points:
        raise ValueError("there is no point")
    return points


def _read_csv(path: Path, column: str) -> list[tuple[int, float]]:
    """Read times and one column of numbers; a first line of names tells which column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(line, row) for line, row in enumerate(csv.reader(file), 1) if any(cell.strip() for cell in row)]
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise ValueError(getattr(error, "strerror", None) or "it is no CSV file") from None
    number = 1
    names = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    if names and not re.match(r"[\d.]", names[0]):
        del rows[0]
        if column in names:
            number = names.index(column)
        elif len(names) > 2:
            raise ValueError(f"none of its columns {', '.join(names[1:])} is called {column}")
    points: list[tuple[int, float]] = []
    for line, row in rows:
        try:
            point = parse_time_us(row[0]), read_number(float(row[number]))
        except (ValueError, IndexError):
            raise ValueError(f"line {line} is no time and number: {shown(','.join(row))}") from None
        if points and point[0] < points[-1][0]:
            raise ValueError(f"line {line} is before the one ahead of it")
        points.append(point)
    if not points:
        raise ValueError("it is empty")
    return points


PROFILE = choice(*PROFILES)
MAC = Kind('an address such as "30:aa:aa:aa:aa:aa"', _mac)
PROGRAM = Kind("the name of a file or folder", _program)
SSID = Kind("a text of 1 to 32 bytes", _ssid)
KEY = Kind('a text of 8 to 64 bytes, or ""', _key, secret=True)
PIN = Kind("the number of a pin", _pin)
LEVEL = Kind('0, 1 or "open"', _level)
HEX = Kind('bytes in hex, as in "01 ff"', _hex)
I2C_BUS = Kind("the number of a bus, 0 or 1, or its pins [scl, sda]", _bus)
I2C_ADDRESS = whole("an address from 0x08 to 0x77", 0x08, 0x77)
HOSTS = Kind('a table of hosts, as in {"broker.example" = "127.0.0.1:1884"}', _hosts)
REGISTERS = Kind('a table of registers, as in {0x00 = 1, 0x10 = "1a2b"}', _registers)

"""`errno` of a board: the names that MicroPython has, with the numbers of the board's C library.

An ESP32 has newlib's (``sys/errno.h`` of xtensa-esp32-elf), an ESP8266 MicroPython's own (``py/mperrno.h``), which are
Linux'. The host's may differ from both, so that its module would not fit the errors that a board raises.
"""

from __future__ import annotations

from types import ModuleType

from espnow.board import Board
from espnow.micropython.services import Services

__all__ = ["build"]

_COMMON = {
    "EPERM": 1,
    "ENOENT": 2,
    "EIO": 5,
    "EBADF": 9,
    "EAGAIN": 11,
    "ENOMEM": 12,
    "EACCES": 13,
    "EEXIST": 17,
    "ENODEV": 19,
    "EISDIR": 21,
    "EINVAL": 22,
    "EOPNOTSUPP": 95,
    "ECONNREFUSED": 111,
}

_ESP32 = {
    "EADDRINUSE": 112,
    "ECONNABORTED": 113,
    "ECONNRESET": 104,
    "ENOBUFS": 105,
    "ENOTCONN": 128,
    "ETIMEDOUT": 116,
    "EHOSTUNREACH": 118,
    "EALREADY": 120,
    "EINPROGRESS": 119,
}

_ESP8266 = {
    "EADDRINUSE": 98,
    "ECONNABORTED": 103,
    "ECONNRESET": 104,
    "ENOBUFS": 105,
    "ENOTCONN": 107,
    "ETIMEDOUT": 110,
    "EHOSTUNREACH": 113,
    "EALREADY": 114,
    "EINPROGRESS": 115,
}


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `errno` of `board`."""
    numbers = {**_COMMON, **(_ESP8266 if board.profile.esp8266 else _ESP32)}
    module = ModuleType("errno", "Error numbers of this board.")
    vars(module).update(numbers, errorcode={number: name for name, number in numbers.items()})
    return module

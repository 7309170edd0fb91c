"""`errno` of a board: the names that MicroPython has, with the numbers of the board's C library.

An ESP32 has newlib's (``sys/errno.h`` of xtensa-esp32-elf), an ESP8266 MicroPython's own (``py/mperrno.h``), which are
Linux'. The host's may differ from both, so that its module would not fit the errors that a board raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import ClassVar

from espnow.board import Board
from espnow.errors import BoardOSError
from espnow.micropython.services import Services

__all__ = ["build", "error_of", "number_of"]

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


#: What sockets raise too, and the module has no name for.
_UNNAMED = {"EAI_FAIL": -202, "EMFILE": 24, "EPIPE": 32}
_UNNAMED_ESP32 = {"EISCONN": 127, "EMSGSIZE": 122, "ENETUNREACH": 114, "EAFNOSUPPORT": 106}
_UNNAMED_ESP8266 = {"EISCONN": 106, "EMSGSIZE": 90, "ENETUNREACH": 101, "EAFNOSUPPORT": 97}


def number_of(board: Board, name: str) -> int:
    """Return the number of an error on this board; one that it does not know is EIO."""
    esp8266 = board.profile.esp8266
    own = (_ESP8266, _UNNAMED_ESP8266) if esp8266 else (_ESP32, _UNNAMED_ESP32)
    for numbers in (_COMMON, *own, _UNNAMED):
        if name in numbers:
            return numbers[name]
    return _COMMON["EIO"]


class _Esp8266OSError(BoardOSError):
    """OSError with the names that an ESP8266 has for its numbers."""

    names: ClassVar[Mapping[int, str]] = {number: name for name, number in {**_COMMON, **_ESP8266}.items()}


_Esp8266OSError.__name__ = _Esp8266OSError.__qualname__ = "OSError"
_Esp8266OSError.__module__ = "builtins"


def error_of(board: Board, name: str) -> BoardOSError:
    """Return the OSError of this board that has a name."""
    kind = _Esp8266OSError if board.profile.esp8266 else BoardOSError
    return kind(number_of(board, name))


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `errno` of `board`."""
    numbers = {**_COMMON, **(_ESP8266 if board.profile.esp8266 else _ESP32)}
    module = ModuleType("errno", "Error numbers of this board.")
    vars(module).update(numbers, errorcode={number: name for name, number in numbers.items()})
    return module

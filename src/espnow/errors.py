"""Every exception of the project, in one tree.

::

    EspNowError
    ├── FrameError (ValueError)       bytes that are no valid frame; counted by the node, never ends a program
    ├── LinkError
    │   └── LinkFull                  a link has no room for another frame now; the node tries again
    ├── NodeError                     an ESP_ERR_ESPNOW_* refusal, with its code; the api raises it as BoardOSError
    ├── WifiError                     a refusal of Wi-Fi, with ESP-IDF's number (`espnow.board.wifi`)
    ├── NetworkError                  a refusal of an IP network, with errno's name; sockets raise it as BoardOSError
    └── UserError                     a mistake of the person who runs the lab: one clear line
        └── ProgramSyntaxError        a program that Python cannot compile

    What a program on a board sees (MicroPython's, so they are CPython's builtins and not EspNowErrors):

    OSError
    └── BoardOSError                  args and errno as MicroPython has them
        └── BoardOSValueError (ValueError)   where document and firmware differ: caught as either
    ValueError
    └── BoardValueTypeError (TypeError)      the same for ValueError and TypeError

Rules: inner rooms raise the first group, only the api turns them into the second. No message holds a key.

The numbers are ESP-IDF's (``esp_now.h``: ``ESP_ERR_ESPNOW_BASE`` is ``ESP_ERR_WIFI_BASE`` + 100); MicroPython
raises them negative, with the name as second argument.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = [
    "BoardOSError",
    "BoardOSValueError",
    "BoardValueTypeError",
    "EspNowCode",
    "EspNowError",
    "FrameError",
    "LinkError",
    "LinkFull",
    "NetworkError",
    "NodeError",
    "ProgramSyntaxError",
    "UserError",
    "ETIMEDOUT",
    "ENOENT",
]

#: lwIP's numbers, which an ESP32's MicroPython uses; the host's own differ.
ETIMEDOUT = 116
ENOENT = 2

#: How an ESP32's MicroPython names the numbers that sockets and files raise, beside the two above.
_ERRNO_NAMES = {
    ENOENT: "ENOENT",
    ETIMEDOUT: "ETIMEDOUT",
    9: "EBADF",
    11: "EAGAIN",
    19: "ENODEV",
    17: "EEXIST",
    21: "EISDIR",
    22: "EINVAL",
    104: "ECONNRESET",
    111: "ECONNREFUSED",
    112: "EADDRINUSE",
    113: "ECONNABORTED",
    118: "EHOSTUNREACH",
    119: "EINPROGRESS",
    128: "ENOTCONN",
}


class EspNowCode(enum.IntEnum):
    """The ESP_ERR_ESPNOW_* codes of ESP-IDF, positive as ``esp_now.h`` has them."""

    NOT_INIT = 12389
    ARG = 12390
    NO_MEM = 12391
    FULL = 12392
    NOT_FOUND = 12393
    INTERNAL = 12394
    EXIST = 12395
    IF = 12396
    CHAN = 12397

    @property
    def esp_name(self) -> str:
        """The name in ESP-IDF, such as ``ESP_ERR_ESPNOW_CHAN``."""
        return f"ESP_ERR_ESPNOW_{self.name}"


class EspNowError(Exception):
    """Root of the exceptions that this project raises for itself."""


class FrameError(EspNowError, ValueError):
    """Bytes that are not a valid frame: the one exception that a parser raises."""


class LinkError(EspNowError):
    """A link could not do what was asked."""


class LinkFull(LinkError):
    """A link has no room for another frame now."""


class NodeError(EspNowError):
    """ESP-NOW refused a call.

    Attributes:
        code: which ESP_ERR_ESPNOW_* it is.
    """

    def __init__(self, code: EspNowCode) -> None:
        super().__init__(code.esp_name)
        self.code = code


class NetworkError(EspNowError):
    """An IP network refused something, or lost a connection.

    Attributes:
        name: errno's name of it, such as ECONNREFUSED.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class UserError(EspNowError):
    """A mistake of the person who runs the lab; its text is one line that says what, where and what to do."""


class ProgramSyntaxError(UserError):
    """A program that Python cannot compile."""


class BoardOSError(OSError):
    """OSError as MicroPython has it: ``args`` as given, ``errno`` the first of them.

    ``str()`` of one with two arguments is the tuple, of one with a known number ``[Errno 116] ETIMEDOUT``.
    """

    #: Name of a number.
    names: ClassVar[Mapping[int, str]] = _ERRNO_NAMES

    @property
    def errno(self) -> Any:  # type: ignore[override]
        """The first argument, or None without one."""
        return self.args[0] if self.args else None

    def __str__(self) -> str:
        if len(self.args) == 1:
            number = self.args[0]
            name = self.names.get(number) if isinstance(number, int) else None
            return f"[Errno {number}] {name}" if name else str(number)
        return str(self.args) if self.args else ""


class BoardOSValueError(BoardOSError, ValueError):
    """For one mistake the firmware raises OSError and the document names ValueError: this is both."""


class BoardValueTypeError(ValueError, TypeError):
    """For one mistake the firmware raises TypeError and the document names ValueError: this is both."""


def _show_as(name: str, *classes: type) -> None:
    """Let a traceback name these classes as MicroPython does."""
    for cls in classes:
        cls.__name__ = cls.__qualname__ = name
        cls.__module__ = "builtins"


_show_as("OSError", BoardOSError, BoardOSValueError)
_show_as("ValueError", BoardValueTypeError)

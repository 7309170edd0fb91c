"""What code for ``@micropython.viper`` uses: the pointer types, which need no import, and the decorator.

See https://docs.micropython.org/en/latest/reference/speed_python.html. A function runs as plain Python; an argument
that is annotated with a pointer type arrives as such a pointer, one annotated ``uint`` as a number of 32 bits. Numbers
inside the function are Python's and do not wrap around. A pointer is made of a buffer; addresses as numbers are not
pointers here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal

from espnow.api.base import buffer_bytes
from espnow.micropython.struct import to_int

__all__ = ["VIPER_NAMES", "viper"]


class _Pointer:
    """Numbers of one size in a buffer, low byte first; what is stored is cut to the size."""

    __slots__ = ("_items", "_mask")

    size = 1
    code: Literal["B", "H", "I"] = "B"

    def __init__(self, buffer: Any, /) -> None:
        """Point to a buffer.

        Raises:
            TypeError: it is none.
        """
        if isinstance(buffer, _Pointer):
            buffer = buffer._items
        if isinstance(buffer, str):
            buffer = buffer.encode()
        try:
            view = memoryview(buffer).cast("B")
        except TypeError:
            raise TypeError("a pointer needs an object with buffer protocol") from None
        self._items: memoryview[int] = view[: len(view) // self.size * self.size].cast(self.code)
        self._mask = (1 << 8 * self.size) - 1

    def __getitem__(self, index: int) -> int:
        return self._items[index]

    def __setitem__(self, index: int, value: Any) -> None:
        self._items[index] = to_int(value) & self._mask


class ptr8(_Pointer):
    """A pointer to bytes."""

    __slots__ = ()


class ptr16(_Pointer):
    """A pointer to numbers of 16 bits."""

    __slots__ = ()

    size = 2
    code = "H"


class ptr32(_Pointer):
    """A pointer to numbers of 32 bits."""

    __slots__ = ()

    size = 4
    code = "I"


def uint(value: Any, /) -> int:
    """Return a number as one of 32 bits without a sign."""
    return int(value) & 0xFFFF_FFFF


def ptr(value: Any, /) -> Any:
    """Return `value`: a pointer without a type."""
    buffer_bytes(value)
    return value


#: What a program has without an import: to be added to its builtins.
VIPER_NAMES: dict[str, Any] = {"ptr": ptr, "ptr16": ptr16, "ptr32": ptr32, "ptr8": ptr8, "uint": uint}

_CONVERTED: dict[str, Callable[[Any], Any]] = {"ptr16": ptr16, "ptr32": ptr32, "ptr8": ptr8, "uint": uint}


def viper(function: Callable[..., Any], /) -> Callable[..., Any]:
    """Return `function`, which gets its arguments as their annotations say."""
    converters: list[Callable[[Any], Any] | None] = []
    for parameter in inspect.signature(function).parameters.values():
        kind = parameter.annotation
        name = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
        converters.append(_CONVERTED.get(name))
    if not any(converters):
        return function

    @functools.wraps(function)
    def converting(*arguments: Any) -> Any:
        given = [
            value if convert is None else convert(value) for value, convert in zip(arguments, converters, strict=False)
        ]
        return function(*given, *arguments[len(given) :])

    return converting

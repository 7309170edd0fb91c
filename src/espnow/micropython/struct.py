"""`struct` of a board, as https://docs.micropython.org/en/latest/library/struct.html describes it.

Where MicroPython's (``py/modstruct.c``, ``py/binary.c``) differs from CPython's, this follows it:

- Native formats are those of a 32-bit chip: ``l`` has 4 bytes, ``q`` and ``d`` are aligned to 8.
- ``unpack`` takes a buffer that is longer than the format. Offsets may be negative. Errors are ValueError and
  TypeError; there is no ``struct.error``.
- ``pack`` cuts a number that is too large, zeros stand for values that are missing, and superfluous ones are ignored.
- An ``f`` is unpacked as the shortest number that packs to it: a board's floats have 32 bits and print as 3.3 what
  CPython would print as 3.299999952316284.
- A str is taken as UTF-8 where bytes are expected. No white space, no ``?``, ``c``, ``n``, ``N`` and ``p`` in formats.

Assumed: the prefix ``=`` means little-endian without gaps. The codes ``O`` and ``S``, which are pointers into a board's
memory, are not here.
"""

from __future__ import annotations

import math
import operator
import struct as host
from functools import lru_cache
from types import ModuleType
from typing import Any

from espnow.api.base import buffer_bytes, writable_view
from espnow.board import Board
from espnow.micropython.absent import absent
from espnow.micropython.services import Services

__all__ = ["build", "shortest", "to_int"]

#: Code -> its size. Codes of floating point are in `_FLOATS` too.
_SIZES = {
    "b": 1,
    "B": 1,
    "h": 2,
    "H": 2,
    "i": 4,
    "I": 4,
    "l": 4,
    "L": 4,
    "q": 8,
    "Q": 8,
    "P": 4,
    "f": 4,
    "d": 8,
    "e": 2,
}
_FLOATS = frozenset("fde")

#: Codes of floating point that are shorter than CPython's -> with how many digits to begin, in `shortest`.
_DIGITS = {"f": 6, "e": 3}
_MOST_DIGITS = 9

#: Prefix -> order of bytes, and whether values are aligned.
_PREFIXES = {"<": ("<", False), ">": (">", False), "!": (">", False), "=": ("<", False), "@": ("<", True)}


def to_int(value: Any, /) -> int:
    """Return an int or bool as int.

    Raises:
        TypeError: anything else.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"can't convert {type(value).__name__} to int") from None


class _Format:
    """A format, translated for CPython.

    Attributes:
        form: its own form of it, without alignment and of known sizes.
        size: bytes.
        short: which of its values are floats of less than 64 bits, and their codes.
    """

    __slots__ = ("_codes", "_zeros", "form", "short", "size")

    def __init__(self, text: str) -> None:
        order, aligned = _PREFIXES.get(text[:1], ("<", True))
        codes: list[str] = []
        zeros: list[Any] = []
        parts = [order]
        size = 0
        count = ""
        for code in text[text[:1] in _PREFIXES :]:
            if code.isdigit():
                count += code
                continue
            number = int(count or 1)
            count = ""
            if code in "sx":
                parts.append(f"{number}{code}")
                size += number
                if code == "s":
                    codes.append(code)
                    zeros.append(b"")
                continue
            one = _SIZES.get(code)
            if one is None:
                raise ValueError("bad typecode")
            if aligned and number:
                parts.append("x" * (-size % one))
                size += -size % one
            parts.append(f"{number}{'I' if code == 'P' else code}")
            size += number * one
            codes += code * number
            zeros += [0] * number
        if count:
            raise ValueError("bad typecode")
        self.form = host.Struct("".join(parts))
        self.size = size
        self.short = [(index, code) for index, code in enumerate(codes) if code in _DIGITS]
        self._codes = codes
        self._zeros = zeros

    def fitting(self, values: tuple[Any, ...]) -> list[Any]:
        """Return what a board would pack of these values: as many as the format has, cut to their size.

        Raises:
            TypeError: a value is of a wrong type.
        """
        fitting = [_fit(code, value) for code, value in zip(self._codes, values, strict=False)]
        return fitting + self._zeros[len(fitting) :]


def _fit(code: str, value: Any) -> Any:
    if code == "s":
        return buffer_bytes(value)
    if code in _FLOATS:
        return _float(code, value)
    size = 8 * _SIZES[code]
    number = to_int(value) & ((1 << size) - 1)
    return number - (1 << size) if code.islower() and number >> (size - 1) else number


def shortest(value: float, code: str = "f") -> float:
    """Return the number of fewest digits that is packed as `value` is."""
    if not math.isfinite(value):
        return value
    packed = host.pack("<" + code, value)
    for digits in range(_DIGITS[code], _MOST_DIGITS):
        near = float(f"{value:.{digits}g}")
        if host.pack("<" + code, near) == packed:
            return near
    return value


def _float(code: str, value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"can't convert {type(value).__name__} to float")
    try:
        host.pack("<" + code, value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return float(value)


@lru_cache(maxsize=512)
def _format(text: Any) -> _Format:
    if isinstance(text, str):
        return _Format(text)
    return _Format(buffer_bytes(text).decode("latin-1"))


def calcsize(fmt: str, /) -> int:
    """Return how many bytes a format has.

    Raises:
        ValueError: it is none.
    """
    return _format(fmt).size


def pack(fmt: str, /, *values: Any) -> bytes:
    """Return values as bytes.

    Raises:
        ValueError: the format is none.
        TypeError: a value is of a wrong type.
    """
    form = _format(fmt)
    try:
        return form.form.pack(*values)
    except (host.error, TypeError, OverflowError):
        pass
    return form.form.pack(*form.fitting(values))


def pack_into(fmt: str, buffer: Any, offset: int, /, *values: Any) -> None:
    """Write values into a buffer.

    Args:
        fmt: the format.
        buffer: one that can be written.
        offset: where they begin; a negative one counts from the end.
        *values: the values.

    Raises:
        ValueError: the format is none, or the buffer too small.
        TypeError: the buffer or a value is of a wrong type.
    """
    form = _format(fmt)
    view = writable_view(buffer)
    start = _start(form, len(view), offset)
    try:
        form.form.pack_into(view, start, *values)
        return
    except (host.error, TypeError, OverflowError):
        pass
    form.form.pack_into(view, start, *form.fitting(values))


def unpack_from(fmt: str, data: Any, offset: int = 0, /) -> tuple[Any, ...]:
    """Return the values that a buffer holds.

    Args:
        fmt: the format.
        data: the buffer; what follows the values is ignored.
        offset: where they begin; a negative one counts from the end.

    Raises:
        ValueError: the format is none, or the buffer too small.
        TypeError: `data` is no buffer.
    """
    form = _format(fmt)
    raw = data if isinstance(data, bytes | bytearray) else buffer_bytes(data)
    if offset == 0 and len(raw) == form.size:
        values = form.form.unpack(raw)
    else:
        values = form.form.unpack_from(raw, _start(form, len(raw), offset))
    if not form.short:
        return values
    found = list(values)
    for index, code in form.short:
        found[index] = shortest(found[index], code)
    return tuple(found)


def unpack(fmt: str, data: Any, /) -> tuple[Any, ...]:
    """Return the values at the beginning of a buffer.

    Raises:
        ValueError: the format is none, or the buffer too small.
        TypeError: `data` is no buffer.
    """
    return unpack_from(fmt, data)


def _start(form: _Format, length: int, offset: int) -> int:
    start = to_int(offset)
    if start < 0:
        start += length
    if start < 0 or start + form.size > length:
        raise ValueError("buffer too small")
    return start


_NAMES: dict[str, Any] = {
    "__getattr__": absent(
        "struct",
        {
            "Struct": "use pack and unpack",
            "error": "catch ValueError",
            "iter_unpack": "use unpack_from with an offset",
        },
    ),
    "calcsize": calcsize,
    "pack": pack,
    "pack_into": pack_into,
    "unpack": unpack,
    "unpack_from": unpack_from,
}


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `struct` of a board."""
    module = ModuleType("struct", "Binary values as this board packs them.")
    vars(module).update(_NAMES)
    return module

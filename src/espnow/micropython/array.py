"""`array` of a board, as https://docs.micropython.org/en/latest/library/array.html describes it.

MicroPython's (``py/objarray.c``) cuts a number that is too large for the array's type, has 4 bytes for ``l`` and ``L``,
and extends an array by the bytes of any buffer.
"""

from __future__ import annotations

import array as host
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

from espnow.board import Board
from espnow.micropython.absent import absent
from espnow.micropython.services import Services
from espnow.micropython.struct import to_int

__all__ = ["build"]

#: Code -> CPython's code of the same size.
_CODES = {code: code for code in "bBhHiIqQfd"} | {"l": "i", "L": "I"}


if TYPE_CHECKING:
    _Base = host.array[Any]
else:  # CPython 3.11's cannot be subscripted
    _Base = host.array


class array(_Base):
    """Numbers of one type, one after the other in memory."""

    _code: str

    def __new__(cls, typecode: str, iterable: Any = (), /) -> Self:
        """Make an array.

        Args:
            typecode: the type.
            iterable: numbers, or a buffer whose bytes are taken as they are.

        Raises:
            ValueError: there is no such type.
        """
        code = _CODES.get(typecode)
        if code is None:
            raise ValueError("bad typecode")
        made = super().__new__(cls, code)
        made._code = typecode
        if isinstance(iterable, bytes | bytearray):
            made.frombytes(iterable)
        else:
            items = list(iterable)
            try:
                made.fromlist(items)
            except OverflowError:
                made.fromlist([made._cut(item) for item in items])
        return made

    def append(self, val: Any, /) -> None:
        """Add a number."""
        try:
            super().append(val)
        except OverflowError:
            super().append(self._cut(val))

    def extend(self, iterable: Any, /) -> None:
        """Add the bytes of a buffer, or numbers."""
        try:
            raw = memoryview(iterable)
        except TypeError:
            for item in iterable:
                self.append(item)
        else:
            self.frombytes(raw.cast("B"))

    def __setitem__(self, index: Any, value: Any) -> None:
        try:
            super().__setitem__(index, value)
        except OverflowError:
            super().__setitem__(index, self._cut(value))

    def _cut(self, value: Any) -> int:
        size = 8 * self.itemsize
        number = to_int(value) & ((1 << size) - 1)
        return number - (1 << size) if self._code.islower() and number >> (size - 1) else number

    def __repr__(self) -> str:
        return f"array('{self._code}', {self.tolist()!r})" if self else f"array('{self._code}')"


_NAMES: dict[str, Any] = {
    "__getattr__": absent("array", {"ArrayType": "use array.array", "typecodes": "a board has bBhHiIlLqQfd"}),
    "array": array,
}


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `array` of a board."""
    module = ModuleType("array", "Arrays of numbers of this board.")
    vars(module).update(_NAMES)
    return module

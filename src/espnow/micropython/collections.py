"""`collections` of a board, as https://docs.micropython.org/en/latest/library/collections.html describes it.

A deque is MicroPython's (``py/objdeque.c``): its length is always limited, a full one loses its oldest item or, with
the flag 1, raises IndexError("full"), and it may change while it is iterated. Of CPython's methods it has ``append``,
``appendleft``, ``extend``, ``pop`` and ``popleft``. Of what a board gets from micropython-lib, ``defaultdict`` and
``Counter`` are there as CPython has them, and so is ``collections.abc``.
"""

from __future__ import annotations

import collections as host
import collections.abc as host_abc
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NoReturn

from espnow.board import Board
from espnow.micropython.absent import absent
from espnow.micropython.services import Services
from espnow.micropython.struct import to_int

__all__ = ["build"]

_CHECK_OVERFLOW = 1


class deque(host.deque[Any]):
    """A queue with two ends and room for so many items."""

    def __init__(self, iterable: Any, maxlen: int, flags: int = 0, /) -> None:
        """Make a queue.

        Args:
            iterable: its first items.
            maxlen: how many it holds.
            flags: 1 to raise IndexError instead of losing the oldest item.

        Raises:
            ValueError: `maxlen` is negative.
        """
        limit = to_int(maxlen)
        if limit < 0:
            raise ValueError("maxlen must not be negative")
        self._checked = bool(to_int(flags) & _CHECK_OVERFLOW)
        super().__init__((), limit)
        self.extend(iterable)

    def append(self, x: Any, /) -> None:
        """Add at the right.

        Raises:
            IndexError: it is full, and has the flag 1.
        """
        if self._checked and len(self) == self.maxlen:
            raise IndexError("full")
        super().append(x)

    def appendleft(self, x: Any, /) -> None:
        """Add at the left.

        Raises:
            IndexError: it is full, and has the flag 1.
        """
        if self._checked and len(self) == self.maxlen:
            raise IndexError("full")
        super().appendleft(x)

    def extend(self, iterable: Any, /) -> None:
        """Add several at the right.

        Raises:
            IndexError: it is full, and has the flag 1.
        """
        for item in iterable:
            self.append(item)

    def pop(self) -> Any:  # type: ignore[override]
        """Take the item at the right.

        Raises:
            IndexError: there is none.
        """
        if not self:
            raise IndexError("empty")
        return super().pop()

    def popleft(self) -> Any:
        """Take the item at the left.

        Raises:
            IndexError: there is none.
        """
        if not self:
            raise IndexError("empty")
        return super().popleft()

    def __iter__(self) -> Iterator[Any]:
        # By number, as on a board: a callback may append meanwhile, for which CPython's own would raise.
        index = 0
        while index < len(self):
            yield self[index]
            index += 1

    def __repr__(self) -> str:
        return "<deque>"


class _Lacking:
    """A method that a deque of a board lacks."""

    def __init__(self, instead: str) -> None:
        self._instead = instead
        self._name = ""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, _obj: object, _owner: type | None = None) -> NoReturn:
        raise AttributeError(f"'deque' object has no attribute '{self._name}': {self._instead}")


for _name, _instead in {
    "clear": "take the items with popleft, or make a new one",
    "copy": "make a new one",
    "count": "look at the items",
    "extendleft": "use appendleft",
    "index": "look at the items",
    "insert": "use a list",
    "remove": "use a list",
    "reverse": "use a list",
    "rotate": "use append and popleft",
}.items():
    _lacking = _Lacking(_instead)
    _lacking.__set_name__(deque, _name)
    setattr(deque, _name, _lacking)


class OrderedDict(host.OrderedDict[Any, Any]):
    """A dict that keeps the order of its keys."""

    def __repr__(self) -> str:
        return f"OrderedDict({dict(self)!r})"


_NAMES: dict[str, Any] = {
    "__getattr__": absent("collections", {"ChainMap": "use a dict", "UserDict": "derive from dict"}),
    "Counter": host.Counter,
    "OrderedDict": OrderedDict,
    "abc": host_abc,
    "defaultdict": host.defaultdict,
    "deque": deque,
    "namedtuple": host.namedtuple,  # noqa: PYI024
}


def build(_board: Board, services: Services) -> ModuleType:
    """Return the module `collections` of a board."""
    module = ModuleType("collections", "Containers of this board.")
    vars(module).update(_NAMES)
    services.modules["collections.abc"] = host_abc
    return module

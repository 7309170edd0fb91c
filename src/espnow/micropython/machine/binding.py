"""How a class of `machine` comes to belong to one board.

A program has classes, not factories: it compares with ``Pin.OUT``, derives from `Pin`, asks ``isinstance``. So each
class is written once, and a board has a subclass of it that knows the board. It is made when the board first asks for
it and kept in its ports, so that a board that restarts a thousand times makes it once.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, TypeVar

from espnow.board import Board

__all__ = ["UNSET", "Bound", "bind"]

#: An argument that was not given.
UNSET: Any = object()


B = TypeVar("B", bound="Bound")


class Bound:
    """What belongs to a board."""

    __slots__ = ()

    #: The board.
    _board: ClassVar[Board]

    #: The objects of which there is one each, such as pins.
    _made: ClassVar[dict[int, Any]]

    @classmethod
    def _one(cls, number: int) -> Self:
        """Return the one object of this number; of a class that a program derived, always a new one."""
        made = cls.__dict__.get("_made")
        if made is None:
            return object.__new__(cls)
        found: Self | None = made.get(number)
        if found is None:
            found = made[number] = object.__new__(cls)
        return found


def bind(board: Board, name: str, base: type[B], module: str = "machine") -> type[B]:
    """Return `base` as the class `name` of a board."""
    return board.own_class(name, base, module, __slots__=(), _made={})

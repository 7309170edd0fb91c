"""The pins and buses of a board, and what is connected to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from espnow.board.board import Board

__all__ = ["Ports"]


class Ports:
    """Pins and buses of one board.

    Attributes:
        watchers: called, in order, whenever the level at any pin changes.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self.watchers: list[Callable[[], None]] = []

    def levels(self) -> dict[int, int]:
        """Return the level of each pin that has one."""
        return {}

    @property
    def armed(self) -> bool:
        """Whether a timer runs or a pin's callback is set, so that something may be called though no program runs."""
        return False

    def soft_reset(self) -> None:
        """Do what a restart of MicroPython does: callbacks and timers are gone, pins keep their levels."""

    def reset(self) -> None:
        """Do what a reset of the chip does: pins are inputs again."""

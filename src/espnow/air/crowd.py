"""Many stations that wait for one channel, with one timer for all of them.

Each frame on the air lets every other that waits begin its wait anew. With a timer each, a thousand stations that start
in one instant would be a thousand events for each frame; in a crowd only the first of them has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from espnow.link import Clock

__all__ = ["CROWD", "Crowd", "Waiting"]

#: From so many that wait on, they are a crowd; with fewer, a timer each is cheaper.
CROWD = 32


class Waiting(Protocol):
    """A radio that waits for the channel.

    Attributes:
        order: unique among them: who is first of two that are due in one instant.
        crowd: the crowd that wakes it, or None: it has a timer of its own.
    """

    order: int
    crowd: Crowd | None

    def due_us(self) -> int:
        """Return when it is to look again, if nobody else sends before."""

    def wake(self) -> None:
        """Look: begin to send, give up, or wait on."""


class Crowd:
    """Those whose wait one frame interrupted."""

    __slots__ = ("_clock", "_waiting")

    def __init__(self, clock: Clock, waiting: Iterable[Waiting]) -> None:
        """Wake each when it is due, unless another crowd took it over."""
        self._clock = clock
        self._waiting = [(each.due_us(), each.order, each) for each in waiting]
        self._waiting.sort(reverse=True)
        for _, _, each in self._waiting:
            each.crowd = self
        clock.call_at(self._waiting[-1][0], self._wake)

    def _wake(self) -> None:
        now_us = self._clock.now_us
        waiting = self._waiting
        while waiting:
            due_us, _, first = waiting[-1]
            if first.crowd is self:
                if due_us > now_us:
                    self._clock.call_at(due_us, self._wake)
                    return
                first.crowd = None
                first.wake()
            waiting.pop()

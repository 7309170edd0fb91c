"""A scene in which something changes while time passes: its kernel, and who puts stations elsewhere in it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat

from espnow.air.changes import Loss, Way
from espnow.air.kernel import Kernel
from espnow.air.medium import Medium
from espnow.times import MOST_US

__all__ = ["Course"]

#: So much time passes in one piece, at least.
_PIECE_US = 1_000_000


class Course:
    """The run of a scene (`espnow.air.scene.Scene.begin`).

    Attributes:
        kernel: of the scene.
    """

    def __init__(self, kernel: Kernel, medium: Medium | None, ways: Mapping[int, Way], losses: Sequence[Loss]) -> None:
        """Begin at time 0.

        Args:
            kernel: see the attribute.
            medium: around it; None: nothing changes.
            ways: of stations, by their numbers.
            losses: in the order of their times.
        """
        self.kernel = kernel
        self._medium = medium
        self._ways = ways
        self._losses = losses
        self._now_us = -1
        if medium is not None:
            for number, way in ways.items():
                medium.move(number, way.position(0))

    def run(self, until_us: int) -> None:
        """Let time pass; everything up to and at `until_us` happens.

        Raises:
            ValueError: that is 285 years or more away.
            UserError: stations came so near to so many others that there is no room for it.
        """
        if not 0 <= until_us < MOST_US:
            raise ValueError(f"until_us is {until_us!r}, and must be 0 or more, and less than 2**53 (285 years)")
        medium = self._medium
        if medium is not None:
            for at_us, number, loss in heapq.merge(*self._changes(until_us)):
                if at_us > self._now_us:
                    medium.refresh()
                    if at_us:
                        self._pass(at_us - 1)
                    self.kernel.set_time(at_us)
                    self._now_us = at_us
                if loss is None:
                    medium.move(number, self._ways[number].position(at_us))
                else:
                    medium.set_loss(loss.sender, loss.receiver, loss.probability)
            medium.refresh()
        self._pass(until_us)
        self._now_us = until_us

    def _pass(self, until_us: int) -> None:
        """Let the kernel go on in pieces, which change nothing: Python hears Ctrl-C between them."""
        kernel = self.kernel
        while (next_us := max(kernel.now_us, kernel.next_us()) + _PIECE_US) < until_us:
            kernel.run(next_us)
        kernel.run(until_us)

    def _changes(self, until_us: int) -> Iterator[Iterator[tuple[int, int, Loss | None]]]:
        """Yield, for each way and for all losses, what changes from now on, in the order of time."""
        now_us = self._now_us
        for number, way in sorted(self._ways.items()):
            yield zip(way.steps(now_us, until_us), repeat(number), repeat(None))
        yield ((one.at_us, -1, one) for one in self._losses if now_us < one.at_us <= until_us)

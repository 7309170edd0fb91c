"""Datagrams that wait because more came than can be heard at once: each source has a queue, and they take turns.

A flood from one source, or from a few, then delays itself, and not what others send. There is room for what a socket
holds; when it is full, sources that have more than their share waiting lose what they send.

A source is an address and a port. A process may have many ports: one that sends each datagram from another one is as
many sources, and does delay others.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Crowd"]

#: An address and a port.
Source = tuple[str, int]

#: Datagrams that wait, all together, and those of sources with less than their share beyond that.
_MOST = 4096
_MOST_OF_ALL = 2 * _MOST


class Crowd:
    """Datagrams by source."""

    __slots__ = ("_count", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[Source, deque[bytes]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, datagram: bytes, source: Source) -> bool:
        """Let a datagram wait; False if there is no room for it."""
        queue = self._waiting.get(source)
        if self._count >= _MOST:
            sources = len(self._waiting) + (queue is None)
            if self._count >= _MOST_OF_ALL or (queue is not None and len(queue) * sources >= _MOST):
                return False
        if queue is None:
            queue = self._waiting[source] = deque()
        queue.append(datagram)
        self._count += 1
        return True

    def take(self) -> tuple[bytes, Source]:
        """Return the oldest datagram of the source whose turn it is.

        Raises:
            StopIteration: none waits.
        """
        source = next(iter(self._waiting))
        queue = self._waiting.pop(source)
        datagram = queue.popleft()
        self._count -= 1
        if queue:
            self._waiting[source] = queue
        return datagram, source

    def clear(self) -> None:
        """Forget them all."""
        self._waiting.clear()
        self._count = 0

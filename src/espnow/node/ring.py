"""The receive ring: messages wait here until the program reads them, within a budget of bytes.

A message fits if its length and its overhead are no more than what is free. (The firmware's ring needs
two bytes more; the document says that the default holds two messages of full size, and the document binds.)

What waits is a plain tuple of a message's fields in their order, which takes half as long to make and to take apart as
one with names; where somebody looks on (`espnow.node.node.Observer`) it is the named one that was told.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, TypeAlias

__all__ = ["ReceiveRing", "ReceivedMessage", "Waiting"]

#: A message as it waits: the fields of `ReceivedMessage`.
Waiting: TypeAlias = tuple[bytes, bytes, int, int]


class ReceivedMessage(NamedTuple):
    """A message that entered the ring.

    Attributes:
        source: MAC address of the sender, 6 bytes.
        message: 0 to MAX_DATA_LEN bytes.
        rssi_dbm: signal strength, -127 to 0.
        at_us: arrival, on the clock of the board.
    """

    source: bytes
    message: bytes
    rssi_dbm: int
    at_us: int


class ReceiveRing:
    """A queue of messages that holds at most `size` bytes.

    Attributes:
        messages: what waits, oldest first. Readers take the oldest out with `popleft`, which is all that it takes.
        size: bytes that the ring holds, overhead included.
    """

    # Nobody counts when a message is taken out: a ring that was read empty begins to count anew with the next one, and
    # one that seems full is counted again. `_most` bytes and `_put` messages would be there, had none been taken since.
    __slots__ = ("_most", "_overhead", "_put", "messages", "size")

    def __init__(self, size: int, overhead: int) -> None:
        self.messages: deque[Waiting] = deque()
        self.size = size
        self._overhead = overhead
        self._most = 0
        self._put = 0

    @property
    def used(self) -> int:
        """Bytes taken now."""
        return sum(self._overhead + len(message[1]) for message in self.messages)

    def put(self, message: Waiting) -> bool:
        """Append a message; False, and nothing changed, if it does not fit."""
        messages = self.messages
        most = self._overhead + len(message[1])
        if messages:
            most += self._most
        else:
            self._put = 0
        if most > self.size:
            return self._put != len(messages) and self._put_counted(message)
        self._most = most
        self._put += 1
        messages.append(message)
        return True

    def _put_counted(self, message: Waiting) -> bool:
        """Do so after some were taken out."""
        self._most, self._put = self.used, len(self.messages)
        return self.put(message)

    def clear(self) -> None:
        """Drop all messages."""
        self.messages.clear()

    def __len__(self) -> int:
        return len(self.messages)

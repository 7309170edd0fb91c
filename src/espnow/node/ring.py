"""The receive ring: messages wait here until the program reads them, within a budget of bytes.

A message fits if its length and its overhead are no more than what is free. (The firmware's ring needs
two bytes more; the document says that the default holds two messages of full size, and the document binds.)
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

__all__ = ["ReceiveRing", "ReceivedMessage"]


class ReceivedMessage(NamedTuple):
    """A message as it waits in the ring.

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
        messages: what waits, oldest first. Readers take from here only through `pop`.
        size: bytes that the ring holds, overhead included.
        used: bytes taken now.
    """

    __slots__ = ("_overhead", "messages", "size", "used")

    def __init__(self, size: int, overhead: int) -> None:
        self.messages: deque[ReceivedMessage] = deque()
        self.size = size
        self.used = 0
        self._overhead = overhead

    def put(self, message: ReceivedMessage) -> bool:
        """Append a message; False, and nothing changed, if it does not fit."""
        used = self.used + self._overhead + len(message[1])
        if used > self.size:
            return False
        self.used = used
        self.messages.append(message)
        return True

    def pop(self) -> ReceivedMessage:
        """Take the oldest message out.

        Raises:
            IndexError: the ring is empty.
        """
        message = self.messages.popleft()
        self.used -= self._overhead + len(message[1])
        return message

    def clear(self) -> None:
        """Drop all messages."""
        self.messages.clear()
        self.used = 0

    def __len__(self) -> int:
        return len(self.messages)

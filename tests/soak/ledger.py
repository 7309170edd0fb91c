"""What the processes of a soak write down, in memory that outlives them, and what must hold of it in the end.

A sender has a byte for each message, numbered through all its lives: for whom it was (high half), and what became of it
(low half). A receiver has a byte for each message of each sender: the life, from 1, in which its program read it.

Needs no espnow: the files are read by whoever watches.
"""

from __future__ import annotations

import itertools
import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path

#: What became of a message: the low half of a sender's byte.
HANDED, ACKNOWLEDGED, NOT_ACKNOWLEDGED, IN_BATCH, BATCH_ACKNOWLEDGED, BATCH_FAILED, BROADCAST = range(1, 8)
#: For whom: the high half. More receivers than so many there are not.
EVERYBODY = 15

#: Before the bytes: three numbers. A sender's first is the number of its next message; a receiver's are how many
#: messages it read, how many it read twice in one life, and how many its ring had no room for in this life.
_HEAD = struct.Struct("<QQQ")

_LIVES = 255


class Ledger:
    """A file of bytes, shared between processes."""

    def __init__(self, path: Path, messages: int) -> None:
        """Open it, or make it."""
        size = _HEAD.size + messages
        with path.open("a+b") as file:
            file.truncate(size)
            self._map = mmap.mmap(file.fileno(), size)
        view = memoryview(self._map)
        self.head = view[: _HEAD.size].cast("Q")
        self.entries = view[_HEAD.size :]

    def copy(self, messages: int) -> bytes:
        """Return the first bytes as they are now."""
        return bytes(self.entries[:messages])


def life_mark(life: int) -> int:
    """Return what a receiver writes down in a life."""
    return (life - 1) % _LIVES + 1


@dataclass
class Account:
    """What the ledgers of a sender and a receiver say together.

    Attributes:
        acknowledged: messages of the sender for the receiver, and acknowledged.
        lost_to_kills: of these, those that a life of the receiver took with it.
        most_lost: the most that one life took.
        vanished: of these, those that nobody read although the receiver lived on.
        unacknowledged: messages for it without an acknowledgement.
        read_nevertheless: of these, those that it read.
        broadcasts: to everybody.
        broadcasts_read: of these, those that it read.
        misread: messages that it read and that were for another.
    """

    acknowledged: int = 0
    lost_to_kills: int = 0
    most_lost: int = 0
    vanished: int = 0
    unacknowledged: int = 0
    read_nevertheless: int = 0
    broadcasts: int = 0
    broadcasts_read: int = 0
    misread: int = 0


def audit(sent: bytes, read: bytes, receiver: int, last_life: int) -> Account:
    """Compare what a sender wrote down with what a receiver did, up to the last of its lives."""
    yes, no, everybody, others = (bytearray(256) for _ in range(4))
    for became in range(16):
        (yes if became in (ACKNOWLEDGED, BATCH_ACKNOWLEDGED) else no)[receiver << 4 | became] = 1
        everybody[EVERYBODY << 4 | became] = 1
    no[receiver << 4] = 0  # not handed over
    others[:] = bytes(1 - (yes[byte] | no[byte] | everybody[byte]) for byte in range(256))
    was_read = bytes((0,)) + b"\1" * 255
    seen = read.translate(was_read)
    acknowledged, unanswered, broadcast = (sent.translate(bytes(table)) for table in (yes, no, everybody))
    account = Account(
        acknowledged=acknowledged.count(1),
        unacknowledged=unanswered.count(1),
        read_nevertheless=_both(unanswered, seen).count(1),
        broadcasts=broadcast.count(1),
        broadcasts_read=_both(broadcast, seen).count(1),
        misread=_both(sent.translate(bytes(others)), seen).count(1),
    )
    missing = _both(acknowledged, seen.translate(bytes((1, 0)) + bytes(254)))
    places = (found.start() for found in re.finditer(b"\1", missing))
    gaps = ((seen.rfind(1, 0, at), seen.find(1, at)) for at in places)
    for (before, after), group in itertools.groupby(gaps):
        count = len(list(group))
        life_before = read[before] if before >= 0 else life_mark(1)
        if life_before != (read[after] if after >= 0 else life_mark(last_life)):
            account.lost_to_kills += count
            account.most_lost = max(account.most_lost, count)
        else:
            account.vanished += count
    return account


def _both(one: bytes, other: bytes) -> bytes:
    """Return where both have a 1."""
    common = int.from_bytes(one, "little") & int.from_bytes(other, "little")
    return common.to_bytes(len(one), "little")


def became(sent: bytes) -> dict[int, int]:
    """Return how many messages there are of each fate."""
    found: dict[int, int] = {}
    for byte in set(sent):
        found[byte & 15] = found.get(byte & 15, 0) + sent.count(byte)
    return found

"""What is kept of messages: those under way, and those that were not delivered.

Rules: figures only, no words. Memory is bounded: at least the last `KEPT` losses are kept, at most twice as many; what
is older is counted and forgotten, many at once, since that takes less time than one by one.
"""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from espnow.frame import is_group
from espnow.lab.explain_text import LossReason

if TYPE_CHECKING:
    from espnow.lab.explain_witness import Witness

__all__ = ["KEPT", "Case", "CaseBook", "Facts", "Posted", "Trouble"]

#: Losses that are kept with their figures.
KEPT = 10_000

#: Figures of a sentence, as its text wants them.
Facts = tuple[str | int, ...]

NO_FACTS: Facts = ()


class Posted:
    """A message that a board sent, or wanted to.

    Attributes:
        sender: who sent it, or None if no board of the lab did.
        at_us: when its program sent it; of one that was not read, when it arrived.
        address: to which it was sent; empty for a refused one to all peers.
        message: its bytes.
        group: whether the address is a group's.
        delivered: whether it entered a ring.
        missed: whether a board is told to have missed it (a group's).
        near: a board in range that was not to hear it, and why (a group's).
        troubles: why the attempts failed (one board's).
        unheard: whether an acknowledgement of it was lost.
    """

    __slots__ = ("address", "at_us", "delivered", "group", "message", "missed", "near", "sender", "troubles", "unheard")

    def __init__(self, sender: Witness | None, at_us: int, address: bytes, message: bytes) -> None:
        self.sender = sender
        self.at_us = at_us
        self.address = address
        self.message = message
        self.group = bool(address) and is_group(address)
        self.delivered = self.missed = self.unheard = False
        self.near: Trouble | None = None
        self.troubles: list[Trouble] | None = None


class Trouble(NamedTuple):
    """Why one attempt did not bring a message.

    Attributes:
        reason: why.
        receiver: for whom it was, as far as one board is known.
        facts: figures of the sentence.
    """

    reason: LossReason
    receiver: Witness | None = None
    facts: Facts = NO_FACTS


class Case(NamedTuple):
    """A message that was not delivered, with what its sentence needs.

    Attributes:
        sender: who sent it, or None.
        receiver: for whom it was, as far as one board is known that is not the sender.
        reason: why.
        posted: the message.
        facts: figures of the sentence.
        attempts: how often it was on the air.
        tail: what there is to say of the attempts, as the end of the sentence.
    """

    sender: Witness | None
    receiver: Witness | None
    reason: LossReason
    posted: Posted
    facts: Facts = NO_FACTS
    attempts: int = 0
    tail: str = ""


_sender_and_reason = itemgetter(0, 2)
_receiver_and_reason = itemgetter(1, 2)
_reason = itemgetter(2)


class CaseBook:
    """The losses of a lab.

    Attributes:
        cases: those that are kept, in the order in which they were found. Whoever appends to it calls `trim` at times.
    """

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self._limit = 2 * KEPT
        self._reasons: Counter[LossReason] = Counter()
        self._senders: Counter[tuple[Witness | None, LossReason]] = Counter()
        self._receivers: Counter[tuple[Witness | None, LossReason]] = Counter()

    def trim(self) -> None:
        """Count and forget the oldest, if there are too many."""
        if len(self.cases) >= self._limit:
            old = self.cases[: self._limit // 2]
            del self.cases[: self._limit // 2]
            self._reasons.update(map(_reason, old))
            self._senders.update(map(_sender_and_reason, old))
            self._receivers.update(map(_receiver_and_reason, old))

    def counts(self, witness: Witness | None) -> Counter[LossReason]:
        """Return how many there were by reason, of a board or (None) of all."""
        if witness is None:
            return self._reasons + Counter(map(_reason, self.cases))
        found = Counter(case.reason for case in self.of(witness))
        for counted in (self._senders, self._receivers):
            for reason in LossReason:
                found[reason] += counted[witness, reason]
        return +found

    def of(self, witness: Witness | None) -> list[Case]:
        """Return those that are kept, of a board or (None) of all."""
        if witness is None:
            return list(self.cases)
        return [case for case in self.cases if case.sender is witness or case.receiver is witness]

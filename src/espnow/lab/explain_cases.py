"""What is kept of messages: those under way, and those that were not delivered.

Rules: figures only, no words. Memory is bounded: at least the last `KEPT` losses are kept, at most twice as many; what
is older is counted and forgotten, many at once, since that takes less time than one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from espnow.frame import is_group
from espnow.lab.explain_text import LossReason

if TYPE_CHECKING:
    from espnow.lab.explain_witness import Witness

__all__ = ["KEPT", "Case", "CaseBook", "Cause", "Facts", "Posted"]

#: Losses that are kept with their figures.
KEPT = 10_000

#: Figures of a sentence, as its text wants them.
Facts = tuple[str | int, ...]

NO_FACTS: Facts = ()


class Posted:
    """A message that a board sent, or wanted to.

    Attributes:
        sender: who sent it, or None if no board of the lab did.
        model: which station without a program sent it, if one did.
        at_us: when its program sent it; of one that was not read, when it arrived.
        address: to which it was sent; empty for a refused one to all peers.
        message: its bytes.
        group: whether the address is a group's.
        delivered: whether it entered a ring.
        causes: why attempts failed (one board's), or boards missed it (a group's); None before the first.
        receivers: which board each of these is about, as far as one is known.
        near: a board in range that was not to hear it, and why (a group's).
        unheard: whether an acknowledgement of it was lost.
    """

    __slots__ = (
        "address",
        "at_us",
        "causes",
        "delivered",
        "group",
        "message",
        "model",
        "near",
        "receivers",
        "sender",
        "unheard",
    )

    def __init__(
        self, sender: Witness | None, at_us: int, address: bytes, message: bytes, model: str | None = None
    ) -> None:
        self.sender = sender
        self.model = model
        self.at_us = at_us
        self.address = address
        self.message = message
        self.group = bool(address) and is_group(address)
        self.delivered = self.unheard = False
        self.near: tuple[Witness, Cause] | None = None
        self.causes: list[Cause] | None = None
        self.receivers: list[Witness | None]

    def note(self, receiver: Witness | None, cause: Cause) -> None:
        """Note why a board did not get it."""
        if self.causes is None:
            self.causes, self.receivers = [cause], [receiver]
        else:
            self.causes.append(cause)
            self.receivers.append(receiver)


class Cause(NamedTuple):
    """Why an attempt did not bring a message.

    Attributes:
        reason: why.
        facts: figures of the sentence.
    """

    reason: LossReason
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

    A message to a group is one entry for all boards that missed it: many objects that stay would cost more time in
    Python's garbage collection than everything else.
    """

    def __init__(self) -> None:
        self._entries: list[Case | Posted] = []
        self._kept = 0
        self._keep = KEPT
        self._reasons: Counter[LossReason] = Counter()
        self._senders: Counter[tuple[Witness | None, LossReason]] = Counter()
        self._receivers: Counter[tuple[Witness | None, LossReason]] = Counter()

    def add(self, case: Case) -> None:
        """Keep a loss."""
        self._entries.append(case)
        self._kept += 1
        if self._kept >= 2 * self._keep:
            self._trim()

    def add_group(self, posted: Posted) -> None:
        """Keep a message to a group that boards missed."""
        self._entries.append(posted)
        self._kept += len(posted.causes or ())
        if self._kept >= 2 * self._keep:
            self._trim()

    def _trim(self) -> None:
        """Count and forget the oldest."""
        number = 0
        old: list[Case] = []
        while True:
            cases = _cases_of(self._entries[number])
            if self._kept - len(cases) < self._keep:
                break
            self._kept -= len(cases)
            old += cases
            number += 1
        del self._entries[:number]
        self._reasons.update(map(_reason, old))
        self._senders.update(map(_sender_and_reason, old))
        self._receivers.update(map(_receiver_and_reason, old))

    def counts(self, witness: Witness | None) -> Counter[LossReason]:
        """Return how many there were by reason, of a board or (None) of all."""
        found = Counter(map(_reason, self.of(witness)))
        if witness is None:
            return self._reasons + found
        for counted in (self._senders, self._receivers):
            for reason in LossReason:
                found[reason] += counted[witness, reason]
        return +found

    def of(self, witness: Witness | None) -> list[Case]:
        """Return those that are kept, of a board or (None) of all."""
        cases = [case for entry in self._entries for case in _cases_of(entry)]
        if witness is None:
            return cases
        return [case for case in cases if case.sender is witness or case.receiver is witness]


def _cases_of(entry: Case | Posted) -> Sequence[Case]:
    if isinstance(entry, Case):
        return (entry,)
    return [
        Case(entry.sender, receiver, cause.reason, entry, cause.facts, 1)
        for receiver, cause in zip(entry.receivers, entry.causes or (), strict=True)
    ]

"""What a lab that records keeps of a board's messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from espnow.link import Outcome
from espnow.node import ReceivedMessage
from espnow.node.node import DropReason

if TYPE_CHECKING:
    from espnow.lab.board import LabBoard
    from espnow.lab.explain_witness import Witness

__all__ = ["Recorder", "Sent"]


@dataclass(slots=True)
class Sent:
    """A message that a board sent.

    Attributes:
        at_us: when the program handed it over.
        peer: destination, 6 bytes.
        message: its bytes.
        acknowledged: None until the radio answered; True for every broadcast and multicast.
        attempts: how often it was on the air.
    """

    at_us: int
    peer: bytes
    message: bytes
    acknowledged: bool | None = None
    attempts: int = 0


class Recorder:
    """Keeps what a board sent and received, and tells its witness (`espnow.node.node.Observer`)."""

    __slots__ = ("_board", "_open", "_witness", "discarded", "ignored", "refused")

    def __init__(self, board: LabBoard, witness: Witness) -> None:
        self._board = board
        self._open: dict[int, Sent] = {}
        self._witness = witness
        self.ignored = witness.ignored
        self.discarded = witness.discarded
        self.refused = witness.refused

    def sent(self, token: int, peer: bytes, message: bytes) -> None:
        """Keep a message that was handed to the radio."""
        record = self._open[token] = Sent(self._board.hardware.clock.now_us, peer, message)
        self._board.sent.append(record)
        self._witness.sent(token, peer, message)

    def answered(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Note the radio's answer for it."""
        record = self._open.pop(token, None)
        if record is not None:
            record.acknowledged = outcome is Outcome.ACKNOWLEDGED
            record.attempts = attempts
        self._witness.answered(token, outcome, attempts, at_us)

    def received(self, message: ReceivedMessage) -> None:
        """Keep a message that entered the ring."""
        self._board.received.append(message)
        self._witness.received(message)

    def dropped(self, reason: DropReason, source: bytes, at_us: int) -> None:
        """Keep that a frame did not become a message."""
        self._board.dropped.append((at_us, source, reason))
        self._witness.dropped(reason, source, at_us)

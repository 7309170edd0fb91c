"""Why did my message not arrive? What a board cannot know, and a lab does.

`Lab.explain` and `LabBoard.explain` return a `Report`: a sequence of `Loss`, with counts by reason; printed, it is a
page for a terminal. What is watched, and what counts as lost, says `espnow.lab.explain_witness`.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from espnow.air.propagation import sensitivity_dbm
from espnow.errors import BoardOSError
from espnow.frame import format_mac, is_group
from espnow.frame.text import message_text, printable
from espnow.lab.explain_cases import KEPT, Case
from espnow.lab.explain_misses import show_dbm
from espnow.lab.explain_text import LossReason, describe_error, words
from espnow.lab.explain_witness import Explainer, Witness, program_state

__all__ = ["Loss", "LossReason", "Report", "explain"]

#: Groups of messages that a printed report lists.
_LISTED = 20

#: Programs that died and are named.
_NOTED = 10

#: So much of a message is printed: of a text, and of one in hex.
_SHOWN_CHARACTERS = 40
_SHOWN_BYTES = 12

#: Reasons whose figures change all the time.
_AWAY = (LossReason.SCANNING, LossReason.SEARCHING)

#: Narrowest and widest page.
_NARROW, _WIDE = 60, 110


@dataclass(frozen=True, slots=True)
class Loss:
    """A message that was not delivered.

    Attributes:
        at_us: when the program sent it; for one that was not read, when it arrived.
        sender: name of the board or the crowd's station that sent it, or None if it was neither.
        receiver: name of the board or the crowd's station that it was meant for, or None if it was meant for neither,
            or for several.
        address: to which it was sent, 6 bytes; empty for a refused ``send(None, msg)``. For one that was not read, the
            STA address of the board that has it.
        message: its bytes.
        reason: why, as a `LossReason`, which is a str.
        sentence: why, in a sentence with figures.
        attempts: how often it was on the air.
        gist: the sentence without what differs from message to message; equal for losses that are alike.
    """

    at_us: int
    sender: str | None
    receiver: str | None
    address: bytes
    message: bytes
    reason: LossReason
    sentence: str
    attempts: int
    gist: str = field(repr=False)


class Report(Sequence[Loss]):
    """Messages that were not delivered, oldest first; printed, a page that tells why.

    Of very many the last are kept; `counts` is exact.

    Attributes:
        counts: how many by reason (the values of `LossReason`), the most frequent first.
        sent: how many messages the boards handed to their radios.
        notes: what else explains a silence: programs that died.
    """

    def __init__(
        self, losses: Iterable[Loss], counts: Mapping[LossReason, int], *, sent: int, notes: Sequence[str] = ()
    ) -> None:
        """Make a report.

        Args:
            losses: those that are kept, oldest first.
            counts: how many there were, by reason.
            sent: how many messages were sent.
            notes: see the attribute.
        """
        self._losses = tuple(losses)
        self.counts: dict[str, int] = {
            reason.value: count for reason, count in sorted(counts.items(), key=lambda item: -item[1])
        }
        self.sent = sent
        self.notes = tuple(notes)

    @overload
    def __getitem__(self, index: int) -> Loss: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Loss]: ...

    def __getitem__(self, index: int | slice) -> Loss | Sequence[Loss]:
        return self._losses[index]

    def __len__(self) -> int:
        return len(self._losses)

    def __repr__(self) -> str:
        return f"<Report of {self.total} messages that were not delivered>"

    @property
    def total(self) -> int:
        """How many messages were not delivered, those too that are no longer kept."""
        return sum(self.counts.values())

    def __str__(self) -> str:
        return self.format(shutil.get_terminal_size().columns)

    def format(self, columns: int = 80) -> str:
        """Return the page: counts by reason with what to do, then the last messages with their sentences.

        Args:
            columns: width of the page; kept from 60 to 110.
        """
        width = min(max(columns, _NARROW), _WIDE)
        if not self.total and not self.sent:
            lines = ["No message was sent."]
        elif not self.total:
            lines = [f"Every message was delivered and read ({self.sent} sent)."]
        else:
            unanswered = self.counts.get(LossReason.ACK_LOST, 0)
            missing = self.total - unanswered
            parts = []
            if missing:
                parts.append(f"{missing} {'message was' if missing == 1 else 'messages were'} not delivered")
            if unanswered:
                parts.append(f"{unanswered} arrived without an acknowledgement")
            lines = [f"{', '.join(parts)} ({self.sent} sent):", ""]
            lines += self._count_lines(width)
            lines.append("")
            lines += self._loss_lines(width)
        if self.notes:
            lines.append("")
            for note in self.notes[:_NOTED]:
                lines += _wrap(note, width, "", "  ")
            if len(self.notes) > _NOTED:
                lines.append(f"(and {len(self.notes) - _NOTED} more programs)")
        return "\n".join(lines)

    def _count_lines(self, width: int) -> list[str]:
        digits = max(len(str(count)) for count in self.counts.values())
        lines = []
        for reason, count in self.counts.items():
            title, _, advice = words(LossReason(reason))
            lines.append(f"  {count:>{digits}}  {title}")
            indent = " " * (digits + 4)
            lines += _wrap(f"-> {advice}", width, indent, f"{indent}   ")
        return lines

    def _loss_lines(self, width: int) -> list[str]:
        """Return the last losses, those of one pair that are alike together."""
        groups: dict[tuple[object, ...], list[Loss]] = {}
        for loss in self._losses:
            groups.setdefault((loss.sender, loss.receiver, loss.address, loss.gist), []).append(loss)
        # Those whose last message is the youngest, in the order of their first.
        shown = sorted(groups.values(), key=lambda group: group[-1].at_us)[-_LISTED:]
        shown.sort(key=lambda group: group[0].at_us)
        lines = []
        hidden = self.total - sum(len(group) for group in shown)
        if hidden:
            lines.append(f"  ({hidden} more, earlier)")
        for group in shown:
            first = group[0]
            more = ""
            if len(group) > 1:
                more = f", and {len(group) - 1} more until {_seconds(group[-1].at_us)}"
            head = f"{_seconds(first.at_us)}  {_route(first)}: {_message(first.message)}{more}"
            lines += _wrap(head, width, "  ", "        ")
            lines += _wrap(first.sentence, width, "      ", "        ")
        return lines


def explain(explainer: Explainer, board: Witness | None = None) -> Report:
    """Return what is known of the losses of a lab, or of one of its boards.

    Args:
        explainer: of the lab.
        board: whose; None for all.
    """
    book = explainer.book
    counts = book.counts(board)
    watched = list(explainer.witnesses.values()) if board is None else [board]
    cases = book.of(board)
    for receiver, message in explainer.unread():
        posted = explainer.posted(receiver, message)
        if board is None or board in (posted.sender, receiver):
            counts[LossReason.UNREAD] += 1
            if len(cases) < 4 * KEPT:
                facts = (program_state(receiver),)
                cases.append(Case(posted.sender, receiver, LossReason.UNREAD, posted, facts))
    cases.sort(key=lambda case: case.posted.at_us)
    losses = [_loss(explainer, case) for case in cases]
    sent = sum(witness.sent_messages for witness in watched)
    return Report(losses, counts, sent=sent, notes=[note for witness in watched for note in _notes(witness)])


def _notes(witness: Witness) -> list[str]:
    error = witness.board.error
    if error is None or isinstance(error, KeyboardInterrupt):
        return []
    note = f"The program of {witness.board.name} has died: {type(error).__name__}: {error}"
    meaning = describe_error(error.errno) if isinstance(error, BoardOSError) else None
    return [printable(note if meaning is None else f"{note}: {meaning}")]


def _loss(explainer: Explainer, case: Case) -> Loss:
    sender, receiver, posted = case.sender, case.receiver, case.posted
    sentence = _main_clause(explainer, case)
    return Loss(
        posted.at_us,
        posted.model if sender is None else sender.board.name,
        explainer.air.model(posted.address) if receiver is None else receiver.board.name,
        posted.address,
        posted.message,
        case.reason,
        sentence + case.tail,
        case.attempts,
        words(case.reason).title if case.reason in _AWAY else sentence,
    )


def _main_clause(explainer: Explainer, case: Case) -> str:
    title, detail, _ = words(case.reason)
    facts = case.facts
    if case.reason is LossReason.NOBODY_HEARD and not facts:
        facts = (_nearest(explainer, case),)
    address = format_mac(case.posted.address) if case.posted.address else "all peers"
    return f"{title}: " + detail.format(
        *facts,
        sender=address if case.sender is None else case.sender.name,
        receiver=address if case.receiver is None else case.receiver.name,
        address=address,
    )


def _nearest(explainer: Explainer, case: Case) -> str:
    """Say how far away the next board is from one that nobody heard."""
    sender = case.sender
    others = [witness for witness in explainer.witnesses.values() if witness is not sender]
    if sender is None or not others:
        return "there is no other board"
    nearest = max(others, key=lambda witness: sender.link.rssi_dbm(witness.link))
    needed_dbm = sensitivity_dbm(sender.link.config.group_rate)
    rssi_dbm = sender.link.rssi_dbm(nearest.link)
    if rssi_dbm < needed_dbm:
        found, needed = show_dbm(rssi_dbm, needed_dbm)
        return f"the nearest board, {nearest.name}, is out of range: {found} dBm where {needed} are needed"
    return f"no board was in range; {nearest.name} is the nearest"


def _route(loss: Loss) -> str:
    sender = "?" if loss.sender is None else printable(loss.sender)
    if loss.receiver is not None:
        receiver = printable(loss.receiver)
    else:
        receiver = format_mac(loss.address) if loss.address else "all peers"
    group = " (to all)" if loss.receiver is not None and loss.address and is_group(loss.address) else ""
    return f"{sender} -> {receiver}{group}"


def _message(message: bytes) -> str:
    """Return a message for a terminal: as text if it is printable, else in hex; its beginning, if it is long."""
    text = message_text(message)
    if text is not None:
        return f'"{text}"' if len(text) <= _SHOWN_CHARACTERS else f'"{text[:_SHOWN_CHARACTERS]}..."'
    shown = message[:_SHOWN_BYTES].hex(" ")
    return shown if len(message) <= _SHOWN_BYTES else f"{shown} ... ({len(message)} bytes)"


def _wrap(text: str, width: int, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _seconds(us: int) -> str:
    return f"{us / 1e6:.3f} s"

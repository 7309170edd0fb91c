"""Watches the messages of a lab, and keeps the reason of each that was not delivered.

Rules:

- A `Witness` is the observer of one board's node, the `Explainer` that of the air. Both only look: what they see never
  changes what happens.
- A message to a group is lost once for each board with ESP-NOW active that was in range and did not get it. A message
  to one board is judged when its radio has answered for it: one that a retry brought is no loss.
- Of several failed attempts the last that says why decides; the others are counted beside it.
- Memory is bounded: the last `KEPT` losses of the lab and `KEPT_OF_BOARD` of each board. Counts are exact.
- A sentence is made when somebody asks; what is kept are figures.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from espnow.air import Air, AirLink
from espnow.air.air import MissReason
from espnow.air.propagation import sensitivity_dbm
from espnow.errors import EspNowCode
from espnow.frame import format_mac, is_group, response_rate
from espnow.frame.text import printable
from espnow.lab.explain_addresses import AddressBook
from espnow.lab.explain_text import LossReason, words
from espnow.link import Absence, Interface, Outcome
from espnow.node import Node, ReceivedMessage
from espnow.node.node import DropReason

if TYPE_CHECKING:
    from espnow.lab.board import LabBoard

__all__ = ["KEPT", "KEPT_OF_BOARD", "Case", "Explainer", "Facts", "Witness", "program_state", "show_dbm"]

#: Losses that are kept with their figures, of the lab and of each board.
KEPT = 10_000
KEPT_OF_BOARD = 100

#: Figures of a sentence, as its text wants them.
Facts = tuple[str | int, ...]

_NO_FACTS: Facts = ()

_MISSES = {
    MissReason.OTHER_CHANNEL: LossReason.OTHER_CHANNEL,
    MissReason.ASLEEP: LossReason.POWER_SAVE,
    MissReason.RETUNED: LossReason.RETUNED,
    MissReason.SENDING: LossReason.RECEIVER_SENDING,
    MissReason.NO_LONG_RANGE: LossReason.NO_LONG_RANGE,
    MissReason.LOST: LossReason.LOST,
    MissReason.ACK_LOST: LossReason.ACK_LOST,
    MissReason.RECEIVER_OFF: LossReason.WIFI_OFF,
}

_ABSENCES = {
    Absence.OFF: LossReason.WIFI_OFF,
    Absence.SCANNING: LossReason.SCANNING,
    Absence.SEARCHING: LossReason.SEARCHING,
    Absence.LIGHT_SLEEP: LossReason.LIGHT_SLEEP,
    Absence.DEEP_SLEEP: LossReason.DEEP_SLEEP,
    Absence.RESTARTING: LossReason.RESTARTING,
    Absence.SLEPT_ACTIVE: LossReason.SLEPT_ACTIVE,
    Absence.NO_POWER: LossReason.NO_POWER,
}

#: Misses that an absence of the receiver explains better than where its radio was found.
_BY_ABSENCE = (MissReason.RECEIVER_OFF, MissReason.OTHER_CHANNEL, MissReason.RETUNED)

#: What does not tell why a message is not there: it arrived, or had arrived before.
_NO_CAUSE = (LossReason.ACK_LOST, LossReason.DUPLICATE)


class Case(NamedTuple):
    """A message that was not delivered, with what its sentence needs.

    Attributes:
        number: counts the losses of the lab.
        at_us: when the program sent it; for one that waits unread, when it arrived.
        sender: who sent it, or None if no board of the lab did.
        receiver: for whom it was, as far as one board is known.
        address: to which it was sent.
        message: its bytes.
        reason: why.
        facts: figures of the sentence.
        attempts: how often it was on the air.
        limit: how often it could have been.
        others: reasons of earlier attempts, and how many.
    """

    number: int
    at_us: int
    sender: Witness | None
    receiver: Witness | None
    address: bytes
    message: bytes
    reason: LossReason
    facts: Facts
    attempts: int = 0
    limit: int = 0
    others: tuple[tuple[LossReason, int], ...] = ()


class _Trouble(NamedTuple):
    """Why one attempt did not bring the message."""

    reason: LossReason
    receiver: Witness | None = None
    facts: Facts = _NO_FACTS


class _Open:
    """A message that its radio has not answered for.

    Attributes:
        sender: who sends it.
        at_us: when its program sent it.
        peer: its address.
        message: its bytes.
        group: whether the address is a group's.
        delivered: whether it entered a ring.
        missed: how many boards are told to have missed it (a group's).
        near: a board in range that was not to hear it (a group's).
        troubles: why the attempts failed (one board's).
    """

    __slots__ = ("at_us", "delivered", "group", "message", "missed", "near", "peer", "sender", "troubles")

    def __init__(self, sender: Witness, at_us: int, peer: bytes, message: bytes) -> None:
        self.sender = sender
        self.at_us = at_us
        self.peer = peer
        self.message = message
        self.group = is_group(peer)
        self.delivered = False
        self.missed = 0
        self.near: _Trouble | None = None
        self.troubles: list[_Trouble] | None = None


class Witness:
    """What one board sent and what it did not get (`espnow.node.node.Observer`).

    Attributes:
        board: whose it is.
        link: its radio.
        sent_messages: how many messages its radio took.
        counts: losses by reason, of messages that it sent or that were meant for it.
        cases: the last of these.
    """

    __slots__ = ("_explainer", "_open", "board", "cases", "counts", "link", "sent_messages")

    def __init__(self, explainer: Explainer, board: LabBoard, link: AirLink) -> None:
        self._explainer = explainer
        self._open: dict[int, _Open] = {}
        self.board = board
        self.link = link
        self.sent_messages = 0
        self.counts: defaultdict[LossReason, int] = defaultdict(int)
        self.cases: deque[Case] = deque(maxlen=KEPT_OF_BOARD)

    @property
    def node(self) -> Node:
        """The node of its board."""
        return self.board.hardware.node

    @property
    def name(self) -> str:
        """The name of its board, as it is shown."""
        return printable(self.board.name)

    def open(self, token: int) -> _Open | None:
        """Return the message that its radio sends with a token."""
        return self._open.get(token)

    def sent(self, token: int, peer: bytes, message: bytes) -> None:
        """Remember a message until its radio has answered for it."""
        self.sent_messages += 1
        self._open[token] = _Open(self, self._explainer.air.clock.now_us, peer, message)

    def answered(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Judge a message."""
        found = self._open.pop(token, None)
        if found is None:
            return
        if found.group:
            if not found.delivered and not found.missed:
                self._explainer.judge_unheard(found, attempts)
        elif not found.delivered:
            self._explainer.judge(found, outcome, attempts)
        elif outcome is Outcome.NOT_ACKNOWLEDGED:
            self._explainer.judge_unanswered(found, attempts)

    def received(self, message: ReceivedMessage) -> None:
        """Note that a message entered the ring of this board."""
        explainer = self._explainer
        speaking = explainer.air.speaking
        if message[3] == explainer.heard_us and speaking is explainer.heard_from:
            return  # another board got it already: one is enough to know
        explainer.heard_us, explainer.heard_from = message[3], speaking
        found = explainer.spoken()
        if found is not None:
            found.delivered = True

    def dropped(self, reason: DropReason, source: bytes, at_us: int) -> None:
        """Note why a frame that this board heard did not become a message."""
        found = self._explainer.spoken()
        if found is None:
            return
        facts = _NO_FACTS
        known = LossReason.__members__.get(reason.name)
        if known is None:
            known, facts = LossReason.REJECTED, (reason.value,)
        elif known is LossReason.RING_FULL:
            ring = self.node.ring
            facts = ring.size, len(ring)
        elif known is LossReason.TOO_LONG:
            facts = len(found.message), self._max_data_len
        self._explainer.note(found, _Trouble(known, self, facts))

    def ignored(self, reason: DropReason, destination: bytes) -> None:
        """Note that the node of this board did not look at a frame."""
        found = self._explainer.spoken()
        if found is None:
            return
        trouble = _Trouble(LossReason[reason.name], self)
        if found.group and reason is DropReason.NOT_ACTIVE:
            found.near = trouble
        else:
            self._explainer.note(found, trouble)

    def discarded(self, messages: Sequence[ReceivedMessage]) -> None:
        """Keep that messages were thrown out of the ring unread."""
        if self.node.active:
            cause = "recvinto found its buffer too small"
        else:
            cause = "ESP-NOW was switched off there, or the board restarted"
        for message in messages:
            self._explainer.keep_arrived(self, message, LossReason.DISCARDED, cause)

    def refused(self, peer: bytes | None, message: bytes, code: EspNowCode) -> None:
        """Keep that a send of this board ended with an exception."""
        explainer = self._explainer
        receiver = None if peer is None else explainer.addresses.owner(peer)
        reason, facts = self._refusal(peer, message, code)
        explainer.keep(explainer.air.clock.now_us, self, receiver, peer or b"", message, reason, facts)

    def _refusal(self, peer: bytes | None, message: bytes, code: EspNowCode) -> tuple[LossReason, Facts]:
        node = self.node
        known = None if peer is None else node.peers.find(peer)
        if code is EspNowCode.NOT_INIT:
            return LossReason.NOT_INIT, (" any more" if self.sent_messages else "",)
        if code is EspNowCode.NOT_FOUND:
            return LossReason.NOT_FOUND, ("any unicast peer" if peer is None else format_mac(peer),)
        if code is EspNowCode.CHAN and known is not None:
            return LossReason.CHAN, (known.channel, _where(self, self.link))
        if code is EspNowCode.IF:
            return LossReason.IF, (Interface.STA.name if known is None else Interface(known.interface).name,)
        if code is EspNowCode.NO_MEM:
            return LossReason.NO_MEM, _NO_FACTS
        if code is EspNowCode.ARG:
            return LossReason.ARG, (len(message), self._max_data_len)
        return LossReason.REFUSED, (code.esp_name,)

    @property
    def _max_data_len(self) -> int:
        return self.board.hardware.profile.node.max_data_len


class Explainer:
    """Knows why messages of a lab were not delivered.

    Attributes:
        air: the medium that it watches.
        range_m: the lab's limit of range, or None.
        witnesses: of each board, by its radio.
        addresses: who has which address.
        routers: names of the lab's routers, by their addresses.
        counts: losses by reason.
        cases: the last losses.
        heard_from: whose message entered a ring last.
        heard_us: and when.
    """

    def __init__(self, air: Air, *, range_m: float | None, lifetime_us: int) -> None:
        """Watch an air.

        Args:
            air: the medium.
            range_m: the lab's limit of range, or None.
            lifetime_us: how long a radio tries to send a message.
        """
        self.air = air
        self.range_m = range_m
        self.witnesses: dict[AirLink, Witness] = {}
        self.addresses = AddressBook(self.witnesses, air.clock)
        self.routers: dict[bytes, str] = {}
        self.counts: defaultdict[LossReason, int] = defaultdict(int)
        self.cases: deque[Case] = deque(maxlen=KEPT)
        self.heard_from: AirLink | None = None
        self.heard_us = -1
        self._lifetime_us = lifetime_us
        self._number = 0
        self._closed = False
        air.on_miss = self.missed

    def attach(self, board: LabBoard, link: AirLink) -> Witness:
        """Return the witness of a new board."""
        witness = self.witnesses[link] = Witness(self, board, link)
        return witness

    def close(self) -> None:
        """Keep what waits unread, and look no more: what happens from now on is the end of the lab, and no loss."""
        if self._closed:
            return
        for witness, message in self.unread():
            self.keep_arrived(witness, message, LossReason.UNREAD, program_state(witness))
        self._closed = True

    def unread(self) -> Iterator[tuple[Witness, ReceivedMessage]]:
        """Yield each message that waits in a ring, unless `close` has kept them."""
        if not self._closed:
            for witness in self.witnesses.values():
                for message in witness.node.ring.messages:
                    yield witness, message

    def spoken(self) -> _Open | None:
        """Return the message that is just being handed to those who heard it; None if it is no board's message."""
        speaking = self.air.speaking
        if speaking is None:
            return None
        sender = self.witnesses.get(speaking)
        return None if sender is None else sender.open(speaking.token)

    def missed(self, sender: AirLink, receiver: AirLink | None, reason: MissReason) -> None:
        """Note that the air did not bring a frame to a radio (`espnow.air.Air.on_miss`)."""
        witness = self.witnesses.get(sender)
        found = None if witness is None else witness.open(sender.token)
        if found is None:  # a router's, or Wi-Fi's own
            return
        if receiver is None:
            self.note(found, self._unowned(found.peer))
            return
        missing = self.witnesses.get(receiver)
        if found.group:
            if missing is None:
                return
            if not missing.node.active or receiver.config.absence is Absence.NO_POWER:
                found.near = _name(sender, receiver, missing, reason)
                return
        if reason is MissReason.OUT_OF_RANGE:
            trouble = self._too_far(sender, receiver, missing)
        elif reason is MissReason.OTHER_CHANNEL and receiver.config.absence is None:
            trouble = _Trouble(LossReason.OTHER_CHANNEL, missing, (_where(witness, sender), _where(missing, receiver)))
        else:
            trouble = _name(sender, receiver, missing, reason)
        self.note(found, trouble)

    def note(self, found: _Open, trouble: _Trouble) -> None:
        """Note why a board did not get a message: for good if it was for a group, else it may get it yet."""
        if not found.group:
            if found.troubles is None:
                found.troubles = []
            found.troubles.append(trouble)
            return
        found.missed += 1
        reason, receiver, facts = trouble
        self.keep(found.at_us, found.sender, receiver, found.peer, found.message, reason, facts)

    def judge(self, found: _Open, outcome: Outcome, attempts: int) -> None:
        """Say why a message did not reach the one board that it was for."""
        causes = [trouble for trouble in found.troubles or () if trouble.reason not in _NO_CAUSE]
        trouble = causes[-1] if causes else self._explain_silence(found, outcome, attempts)
        reason, receiver, facts = trouble
        others = Counter(cause.reason for cause in causes if cause.reason is not reason)
        config = found.sender.link.config
        self.keep(
            found.at_us,
            found.sender,
            receiver,
            found.peer,
            found.message,
            reason,
            facts,
            attempts=attempts,
            limit=config.attempts if config.addresses and outcome is Outcome.NOT_ACKNOWLEDGED else attempts,
            others=tuple(others.items()),
        )

    def judge_unanswered(self, found: _Open, attempts: int) -> None:
        """Say that a message is there and its sender does not know."""
        sender = found.sender
        receiver = self.addresses.owner(found.peer)
        cause = ""
        if receiver is not None:
            needed_dbm = sensitivity_dbm(response_rate(sender.link.config.rate))
            back_dbm = receiver.link.rssi_dbm(sender.link)
            if back_dbm < needed_dbm:
                back, needed = show_dbm(back_dbm, needed_dbm)
                cause = f"; its answers are too weak: {back} dBm where {needed} are needed"
        self.keep(
            found.at_us,
            sender,
            receiver,
            found.peer,
            found.message,
            LossReason.ACK_LOST,
            (cause,),
            attempts=attempts,
            limit=attempts,
        )

    def judge_unheard(self, found: _Open, attempts: int) -> None:
        """Say why no board got a message to a group."""
        reason, near = LossReason.NOBODY_HEARD, found.near
        facts: Facts = _NO_FACTS
        if not attempts:
            reason = LossReason.SENDER_OFF
        elif near is not None and near.receiver is not None:
            facts = (f"{near.receiver.name} is in range, but {_state(near.reason)}",)
        self.keep(found.at_us, found.sender, None, found.peer, found.message, reason, facts)

    def keep_arrived(self, receiver: Witness, message: ReceivedMessage, reason: LossReason, fact: str) -> None:
        """Keep that a message which had arrived was not read."""
        sender = self.addresses.owner(message.source)
        self.keep(message.at_us, sender, receiver, receiver.board.mac, message.message, reason, (fact,))

    def keep(
        self,
        at_us: int,
        sender: Witness | None,
        receiver: Witness | None,
        address: bytes,
        message: bytes,
        reason: LossReason,
        facts: Facts,
        *,
        attempts: int = 0,
        limit: int = 0,
        others: tuple[tuple[LossReason, int], ...] = (),
    ) -> None:
        """Count and keep a loss."""
        if self._closed:
            return
        self._number += 1
        case = Case(self._number, at_us, sender, receiver, address, message, reason, facts, attempts, limit, others)
        self.counts[reason] += 1
        self.cases.append(case)
        if sender is not None:
            sender.counts[reason] += 1
            sender.cases.append(case)
        if receiver is not None and receiver is not sender:
            receiver.counts[reason] += 1
            receiver.cases.append(case)

    def _explain_silence(self, found: _Open, outcome: Outcome, attempts: int) -> _Trouble:
        """Say why a message did not arrive when no attempt told anything of it."""
        sender, receiver = found.sender, self.addresses.owner(found.peer)
        if found.troubles and found.troubles[-1].reason is LossReason.DUPLICATE:
            return found.troubles[-1]
        if found.troubles or outcome is Outcome.ACKNOWLEDGED:
            return _Trouble(LossReason.NO_ESPNOW, None, (self._router(found.peer),))
        if not attempts:
            if not sender.link.config.addresses:
                return _Trouble(LossReason.SENDER_OFF, receiver)
            return _Trouble(LossReason.BUSY, receiver, (self._lifetime_us // 1000,))
        return _Trouble(
            LossReason.TO_ITSELF, sender
        )  # of all radios that have the address, only its own is not told of

    def _unowned(self, address: bytes) -> _Trouble:
        """Say why no radio in the lab has an address."""
        entry = self.addresses.find(address)
        if entry is None:
            if address in self.routers:
                return _Trouble(LossReason.NOBODY, None, (f"{self._router(address)} is down",))
            return _Trouble(LossReason.NOBODY, None, (self.addresses.describe(address),))
        receiver, interface = entry
        config = receiver.link.config
        if not config.addresses:
            absence = LossReason.WIFI_OFF if config.absence is None else _ABSENCES[config.absence]
            return _Trouble(absence, receiver)
        other = Interface(1 - interface)
        text = (
            f"{format_mac(address)} is the {interface.name} address of {receiver.name}, whose {interface.name} "
            f"interface is off; its {other.name} address is {format_mac(receiver.board.hardware.wifi.mac(other))}"
        )
        return _Trouble(LossReason.INTERFACE_OFF, receiver, (text,))

    def _router(self, address: bytes) -> str:
        name = self.routers.get(address)
        return format_mac(address) if name is None else f"the router {printable(name)} ({format_mac(address)})"

    def _too_far(self, sender: AirLink, receiver: AirLink, missing: Witness | None) -> _Trouble:
        needed_dbm = sensitivity_dbm(sender.config.rate)
        rssi_dbm = sender.rssi_dbm(receiver)
        if self.range_m is not None and rssi_dbm >= needed_dbm:
            distance_m = math.dist(sender.position, receiver.position)
            return _Trouble(LossReason.BEYOND_RANGE, missing, (f"{distance_m:.0f}", f"{self.range_m:g}"))
        return _Trouble(LossReason.OUT_OF_RANGE, missing, show_dbm(rssi_dbm, needed_dbm))


def _name(sender: AirLink, receiver: AirLink, missing: Witness | None, reason: MissReason) -> _Trouble:
    """Return what a miss of the air is called, with its figures."""
    config = receiver.config
    if reason in _BY_ABSENCE and config.absence is not None:
        return _Trouble(_ABSENCES[config.absence], missing, (sender.config.channel, config.channel))
    facts: Facts = _NO_FACTS
    if reason is MissReason.RETUNED:
        facts = (config.channel,)
    elif reason is MissReason.ASLEEP and config.power_save is not None:
        facts = config.power_save.on_us // 1000, config.power_save.period_us // 1000
    return _Trouble(_MISSES[reason], missing, facts)


def _where(witness: Witness | None, link: AirLink) -> str:
    """Return the channel of a radio, and why it is there if the program did not choose it."""
    config = link.config
    if config.absence is not None:
        return f"{config.channel} ({config.absence.value})"
    if witness is not None and witness.board.hardware.wifi.bssid is not None:
        return f"{config.channel} (its router's)"
    return str(config.channel)


def _state(reason: LossReason) -> str:
    return "ESP-NOW is not active there" if reason is LossReason.NOT_ACTIVE else words(reason).title


def program_state(witness: Witness) -> str:
    """Return how the program of a board stands, for a sentence."""
    return {
        "running": "runs",
        "armed": "has ended, with a callback armed",
        "ended": "has ended",
        "failed": "has died",
    }.get(witness.board.state, witness.board.state)


def show_dbm(found_dbm: float, needed_dbm: float) -> tuple[str, str]:
    """Return two signal strengths as text, in which the first is less than the second to see."""
    if round(found_dbm) < round(needed_dbm):
        return f"{found_dbm:.0f}", f"{needed_dbm:.0f}"
    return f"{found_dbm:.1f}", f"{needed_dbm:.1f}"

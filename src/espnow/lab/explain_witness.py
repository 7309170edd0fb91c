"""Watches the messages of a lab, and keeps the reason of each that was not delivered.

Rules:

- A `Witness` is the observer of one board's node, the `Explainer` that of the air. Both only look: what they see never
  changes what happens.
- A message to a group is lost once for each board with ESP-NOW active that was in range and did not get it. A message
  to one board is judged when its radio has answered for it: one that a retry brought is no loss.
- Of several failed attempts the last that says why decides; the others are counted beside it.
- A sentence is made when somebody asks; what is kept are figures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from espnow.air import Air, AirLink
from espnow.air.propagation import sensitivity_dbm
from espnow.air.transmission import MissReason
from espnow.errors import EspNowCode
from espnow.frame import format_mac, response_rate
from espnow.frame.text import printable
from espnow.lab.explain_addresses import AddressBook
from espnow.lab.explain_cases import NO_FACTS, Case, CaseBook, Cause, Facts, Posted
from espnow.lab.explain_misses import name_absence, name_miss, name_others, show_dbm
from espnow.lab.explain_text import LossReason, words
from espnow.link import Absence, Interface, Outcome, RadioConfig
from espnow.node import Node, ReceivedMessage
from espnow.node.node import DropReason

if TYPE_CHECKING:
    from espnow.lab.board import LabBoard

__all__ = ["Explainer", "Witness", "program_state"]

# An enumeration takes longer to find a member than everything else takes that is done for a miss.
_ACK_LOST, _OUT_OF_RANGE, _NOBODY = MissReason.ACK_LOST, MissReason.OUT_OF_RANGE, MissReason.NOBODY
_NO_POWER = Absence.NO_POWER
_NOT_ACKNOWLEDGED = Outcome.NOT_ACKNOWLEDGED


class Witness:
    """What one board sent and what it did not get (`espnow.node.node.Observer`).

    Attributes:
        board: whose it is.
        link: its radio.
        open: returns the message that its radio sends with a token, or None; the dict's own method, for each miss asks.
        sent_messages: how many messages its radio took.
    """

    __slots__ = ("_explainer", "_open", "_shown_channel", "_shown_config", "board", "link", "open", "sent_messages")

    def __init__(self, explainer: Explainer, board: LabBoard, link: AirLink) -> None:
        self._explainer = explainer
        self._open: dict[int, Posted] = {}
        self.open: Callable[[int], Posted | None] = self._open.get
        self.board = board
        self.link = link
        self.sent_messages = 0
        self._shown_config: RadioConfig | None = None
        self._shown_channel = ""

    @property
    def node(self) -> Node:
        """The node of its board."""
        return self.board.hardware.node

    @property
    def name(self) -> str:
        """The name of its board, as it is shown."""
        return printable(self.board.name)

    def channel(self) -> str:
        """Return the channel of its radio, and why it is there if the program did not choose it."""
        config = self.link.config
        if config is not self._shown_config:
            self._shown_config = config
            self._shown_channel = str(config.channel)
            if config.absence is not None:
                self._shown_channel += f" ({config.absence.value})"
            elif self.board.hardware.wifi.bssid is not None:
                self._shown_channel += " (its router's)"
        return self._shown_channel

    def sent(self, token: int, peer: bytes, message: bytes) -> None:
        """Remember a message until its radio has answered for it."""
        self.sent_messages += 1
        self._open[token] = Posted(self, self._explainer.air.clock.now_us, peer, message)

    def answered(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Judge a message."""
        found = self._open.pop(token, None)
        if found is None:
            return
        if found.group:
            if found.causes is not None:
                self._explainer.keep_group(found)
            elif not found.delivered:
                self._explainer.judge_unheard(found, attempts)
        elif not found.delivered:
            self._explainer.judge(found, outcome, attempts)
        elif outcome is _NOT_ACKNOWLEDGED:
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
        facts = NO_FACTS
        known = LossReason.__members__.get(reason.name)
        if known is None:
            known, facts = LossReason.REJECTED, (reason.value,)
        elif known is LossReason.RING_FULL:
            ring = self.node.ring
            facts = ring.size, len(ring)
        elif known is LossReason.TOO_LONG:
            facts = len(found.message), self._max_data_len
        found.note(self, Cause(known, facts))

    def ignored(self, reason: DropReason, destination: bytes) -> None:
        """Note that the node of this board did not look at a frame."""
        found = self._explainer.spoken()
        if found is None:
            return
        cause = Cause(LossReason[reason.name])
        if found.group and reason is DropReason.NOT_ACTIVE:
            found.near = self, cause
        else:
            found.note(self, cause)

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
        posted = Posted(self, explainer.air.clock.now_us, peer or b"", message)
        explainer.keep(posted, receiver, reason, facts)

    def _refusal(self, peer: bytes | None, message: bytes, code: EspNowCode) -> tuple[LossReason, Facts]:
        node = self.node
        known = None if peer is None else node.peers.find(peer)
        if code is EspNowCode.NOT_INIT:
            return LossReason.NOT_INIT, (" any more" if self.sent_messages else "",)
        if code is EspNowCode.NOT_FOUND:
            return LossReason.NOT_FOUND, ("any unicast peer" if peer is None else format_mac(peer),)
        if code is EspNowCode.CHAN and known is not None:
            return LossReason.CHAN, (known.channel, self.channel())
        if code is EspNowCode.IF:
            return LossReason.IF, (Interface.STA.name if known is None else Interface(known.interface).name,)
        if code is EspNowCode.NO_MEM:
            return LossReason.NO_MEM, NO_FACTS
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
        book: the losses.
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
        self.book = CaseBook()
        self.heard_from: AirLink | None = None
        self.heard_us = -1
        self._lifetime_us = lifetime_us
        self._closed = False
        air.on_miss = self.missed
        air.on_delivery = self.delivered

    def attach(self, board: LabBoard, link: AirLink) -> Witness:
        """Return the witness of a new board."""
        witness = self.witnesses[link] = Witness(self, board, link)
        return witness

    def close(self) -> None:
        """Keep what waits unread, and look no more: what happens from now on is the end of the lab, and no loss."""
        for witness, message in self.unread():
            self.keep_arrived(witness, message, LossReason.UNREAD, program_state(witness))
        self._closed = True

    def unread(self) -> Iterator[tuple[Witness, ReceivedMessage]]:
        """Yield each message that waits in a ring, unless `close` has kept them."""
        if not self._closed:
            for witness in self.witnesses.values():
                for message in witness.node.unread():
                    yield witness, message

    def spoken(self) -> Posted | None:
        """Return the message that is just being handed to those who heard it; None if it is no board's message."""
        speaking = self.air.speaking
        if speaking is None:
            return None
        sender = self.witnesses.get(speaking)
        return None if sender is None else sender.open(speaking.token)

    def missed(self, sender: AirLink, receiver: AirLink | None, reason: MissReason) -> None:
        """Note that the air did not bring a frame to a radio (`espnow.air.Air.on_miss`)."""
        witness = self.witnesses.get(sender)
        if witness is None:  # a router's
            return
        found = witness.open(sender.token)
        if found is None:  # Wi-Fi's own
            return
        if reason is _ACK_LOST:
            found.unheard = True
            return
        if receiver is None:
            if reason is _NOBODY:
                found.note(*self._unowned(found.address))
            else:
                found.note(None, self._model_missed(sender, found.address, reason))
            return
        if receiver is sender:  # judged when all attempts are over, since others may have the address, too
            return
        missing = self.witnesses.get(receiver)
        if reason is _OUT_OF_RANGE:
            cause = self._too_far(sender, receiver)
        else:
            cause = name_miss(witness, receiver, missing, reason, self.air)
        if found.group:
            if missing is None:
                return
            if not missing.board.hardware.node.active or receiver.config.absence is _NO_POWER:
                found.near = missing, cause
                return
        found.note(missing, cause)

    def _model_missed(self, sender: AirLink, address: bytes, reason: MissReason) -> Cause:
        """Say why a station without a program did not get a message."""
        number = self.air.model_number(address)
        assert number is not None  # only of these the air gives another reason than that nobody is there
        why = reason.value
        if reason is MissReason.COLLIDED:
            why += f" ({name_others(self.air.others(sender, number))})"
        return Cause(LossReason.MODEL_MISSED, (printable(self.air.medium.names[number]), why))

    def delivered(self, sender: AirLink) -> None:
        """Note that stations without programs got a board's message (`espnow.air.Air.on_delivery`)."""
        witness = self.witnesses.get(sender)
        found = None if witness is None else witness.open(sender.token)
        if found is not None:
            found.delivered = True

    def judge(self, found: Posted, outcome: Outcome, attempts: int) -> None:
        """Say why a message did not reach the one board that it was for."""
        # A duplicate had arrived before: what became of it then is why.
        noted = zip(found.receivers, found.causes, strict=True) if found.causes else ()
        causes = [pair for pair in noted if pair[1].reason is not LossReason.DUPLICATE]
        receiver, (reason, facts) = causes[-1] if causes else self._explain_silence(found, outcome, attempts)
        tail = ""
        if found.sender is not None and outcome is _NOT_ACKNOWLEDGED:
            tail = _describe_attempts(found.sender.link.config, attempts)
        others = Counter(cause.reason for _, cause in causes if cause.reason is not reason)
        if others:
            tail += ", before " + ", ".join(f"{count} x {words(other).title}" for other, count in others.items())
        self.keep(found, receiver, reason, facts, attempts=attempts, tail=tail)

    def judge_unanswered(self, found: Posted, attempts: int) -> None:
        """Say that a message is there and its sender does not know."""
        sender, receiver = found.sender, self.addresses.owner(found.address)
        cause = tail = ""
        if sender is not None:
            tail = _describe_attempts(sender.link.config, attempts)
            if receiver is not None:
                needed_dbm = sensitivity_dbm(response_rate(sender.link.config.rate))
                back_dbm = receiver.link.rssi_dbm(sender.link)
                if back_dbm < needed_dbm:
                    back, needed = show_dbm(back_dbm, needed_dbm)
                    cause = f"; its answers are too weak: {back} dBm where {needed} are needed"
        self.keep(found, receiver, LossReason.ACK_LOST, (cause,), attempts=attempts, tail=tail)

    def judge_unheard(self, found: Posted, attempts: int) -> None:
        """Say why no board got a message to a group."""
        reason, near = LossReason.NOBODY_HEARD, found.near
        facts: Facts = NO_FACTS
        if not attempts:
            reason = _name_mute(found.sender)
        elif near is not None:
            facts = (f"{near[0].name} is in range, but {_state(near[1].reason)}",)
        self.keep(found, None, reason, facts, attempts=attempts)

    def keep_arrived(self, receiver: Witness, message: ReceivedMessage, reason: LossReason, fact: str) -> None:
        """Keep that a message which had arrived was not read."""
        self.keep(self.posted(receiver, message), receiver, reason, (fact,))

    def posted(self, receiver: Witness, message: ReceivedMessage) -> Posted:
        """Return what is known of a message in a ring."""
        sender = self.addresses.owner(message.source)
        model = self.air.model(message.source) if sender is None else None
        return Posted(sender, message.at_us, receiver.board.mac, message.message, model)

    def keep(
        self,
        posted: Posted,
        receiver: Witness | None,
        reason: LossReason,
        facts: Facts,
        *,
        attempts: int = 0,
        tail: str = "",
    ) -> None:
        """Keep a loss."""
        if self._closed:
            return
        sender = posted.sender
        other = None if receiver is sender else receiver
        self.book.add(Case(sender, other, reason, posted, facts, attempts, tail))

    def keep_group(self, posted: Posted) -> None:
        """Keep that boards missed a message to a group."""
        if not self._closed:
            self.book.add_group(posted)

    def _explain_silence(self, found: Posted, outcome: Outcome, attempts: int) -> tuple[Witness | None, Cause]:
        """Say why a message did not arrive when no attempt told anything of it."""
        sender, receiver = found.sender, self.addresses.owner(found.address)
        if found.causes:
            return found.receivers[-1], found.causes[-1]
        if found.unheard or outcome is Outcome.ACKNOWLEDGED:
            if receiver is not None:
                return receiver, Cause(LossReason.NOT_ACTIVE)
            return None, Cause(LossReason.NO_ESPNOW, (self._router(found.address),))
        if not attempts:
            if sender is not None and not sender.link.config.addresses:
                return receiver, Cause(_name_mute(sender))
            return receiver, Cause(LossReason.BUSY, (self._lifetime_us // 1000,))
        return sender, Cause(LossReason.TO_ITSELF)  # of all radios that have the address, only its own is not told of

    def _unowned(self, address: bytes) -> tuple[Witness | None, Cause]:
        """Say why no radio in the lab has an address."""
        entry = self.addresses.find(address)
        if entry is None:
            if address in self.routers:
                return None, Cause(LossReason.NOBODY, (f"{self._router(address)} is down",))
            return None, Cause(LossReason.NOBODY, (self.addresses.describe(address),))
        receiver, interface = entry
        config = receiver.link.config
        if not config.addresses:
            return receiver, Cause(name_absence(config.absence))
        other = Interface(1 - interface)
        text = (
            f"{format_mac(address)} is the {interface.name} address of {receiver.name}, whose {interface.name} "
            f"interface is off; its {other.name} address is {format_mac(receiver.board.hardware.wifi.mac(other))}"
        )
        return receiver, Cause(LossReason.INTERFACE_OFF, (text,))

    def _router(self, address: bytes) -> str:
        name = self.routers.get(address)
        return format_mac(address) if name is None else f"the router {printable(name)} ({format_mac(address)})"

    def _too_far(self, sender: AirLink, receiver: AirLink) -> Cause:
        needed_dbm = sensitivity_dbm(sender.config.rate)
        rssi_dbm = sender.rssi_dbm(receiver)
        if self.range_m is not None and rssi_dbm >= needed_dbm:
            distance_m = math.dist(sender.position, receiver.position)
            return Cause(LossReason.BEYOND_RANGE, (f"{distance_m:.0f}", f"{self.range_m:g}"))
        return Cause(LossReason.OUT_OF_RANGE, show_dbm(rssi_dbm, needed_dbm))


def _describe_attempts(config: RadioConfig, attempts: int) -> str:
    """Return how often an unanswered message was tried, as the end of a sentence."""
    if not attempts:
        return ""
    if not config.addresses:
        return f"; given up after {attempts} attempts, for Wi-Fi of the sender went off"
    if attempts < config.attempts:
        return f"; given up after {attempts} of {config.attempts} attempts, for the channel was busy"
    return f"; {attempts} attempts" if attempts > 1 else ""


def _name_mute(sender: Witness | None) -> LossReason:
    """Return what it is called that nothing leaves a sender."""
    if sender is not None and sender.link.config.absence is Absence.SLEPT_ACTIVE:
        return LossReason.SENDER_SLEPT
    return LossReason.SENDER_OFF


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

"""The node: what Espressif's ESP-NOW library does between a program and the radio.

It sends (peer, key, sequence number, random value, MPDU), and it receives: filter, decrypt, drop duplicates, put into
the ring. Both directions count, and tell an observer what happened to each message.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from espnow.errors import EspNowCode, FrameError, LinkFull, NodeError
from espnow.frame import (
    BROADCAST,
    DEFAULT_PMK,
    Frame,
    PairCipher,
    build,
    build_protected,
    derive_key,
    open_protected,
    parse_shared,
    unicast_duration,
)
from espnow.frame.action import ProtectedFrame
from espnow.link import Link, Outcome, RadioConfig
from espnow.node.peers import Peer, PeerTable
from espnow.node.ring import ReceivedMessage, ReceiveRing, Waiting

__all__ = ["DropReason", "Node", "NodeConfig", "Observer", "Stats"]

#: Keys whose packet numbers are remembered; far more than a board can have peers at once.
_REMEMBERED_KEYS = 64

#: A third of what the named tuple's own constructor takes; one is made for every message that arrives.
_new_record = tuple.__new__


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What differs between the ESP-NOW libraries of the chips and releases.

    Attributes:
        max_data_len: longest message in bytes, sent or accepted.
        ring_overhead: bytes that a message takes in the ring besides itself.
        rxbuf: size of the ring in bytes until `Node.start` gets another.
        frame_version: 1 or 2, what its frames say.
        needs_peer: a send needs a registered peer.
        hears_group: broadcast and multicast frames are received.
        drops_plain: plain unicast from an encrypted peer is dropped (current IDF), not accepted (ESP8266, older IDF).
        own_bssid: unicast frames carry the destination as addr3 (captured from an ESP8266), not ff:ff:ff:ff:ff:ff.
    """

    max_data_len: int
    ring_overhead: int
    rxbuf: int
    frame_version: int = 1
    needs_peer: bool = True
    hears_group: bool = True
    drops_plain: bool = True
    own_bssid: bool = False


@dataclass(slots=True)
class Stats:
    """What a node counted since it was made.

    The first five are MicroPython's ``stats()``; the others say why a frame that arrived did not become a message.
    """

    tx_packets: int = 0
    tx_responses: int = 0
    tx_failures: int = 0
    rx_packets: int = 0
    rx_dropped: int = 0
    rx_malformed: int = 0
    rx_duplicates: int = 0
    rx_undecryptable: int = 0
    rx_unencrypted: int = 0
    rx_too_long: int = 0

    def __add__(self, other: Stats) -> Stats:
        """Return the sums of both."""
        return Stats(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


class DropReason(Enum):
    """Why a frame that reached the node did not become a message."""

    MALFORMED = "malformed frame"
    DUPLICATE = "duplicate of the last message"
    NO_KEY = "no key for this peer"
    WRONG_KEY = "wrong key for this peer"
    PLAIN_FROM_ENCRYPTED = "plain message from an encrypted peer"
    TOO_LONG = "longer than this board accepts"
    RING_FULL = "receive ring full"
    NOT_ACTIVE = "ESP-NOW is not active"
    GROUP_UNHEARD = "this chip hears no broadcasts"
    OTHER_BSSID = "its third address is not that of the router"


class Observer(Protocol):
    """Who wants to know what becomes of each message. No method may raise or take long."""

    def sent(self, token: int, peer: bytes, message: bytes) -> None:
        """A message was handed to the link."""

    def answered(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """The link answered for it."""

    def received(self, message: ReceivedMessage) -> None:
        """A message entered the ring."""

    def dropped(self, reason: DropReason, source: bytes, at_us: int) -> None:
        """A frame for this board did not become a message; `source` is empty if unknown."""

    def ignored(self, reason: DropReason, destination: bytes) -> None:
        """The radio heard a frame, and the node did not look at it: NOT_ACTIVE or GROUP_UNHEARD."""

    def discarded(self, messages: Sequence[ReceivedMessage]) -> None:
        """Messages that nobody had read were thrown out of the ring."""

    def refused(self, peer: bytes | None, message: bytes, code: EspNowCode) -> None:
        """A send ended with an exception; `peer` is None for one to all peers."""


class Heard:
    """A frame as all nodes share it that hear it: what is the same for each of them is looked at once.

    Attributes:
        mpdu: its bytes.
        plain_group: whether it is for a group, and plain: every node that hears groups takes it as it is.
        group: whether it is for a group.
        sealed: what is to be decrypted, or None; random value and message are empty then.
        destination: addr1.
        source: addr2.
        retry: the Retry bit.
        random_value: of a plain frame.
        message: of a plain frame.
    """

    __slots__ = (
        "destination",
        "group",
        "message",
        "mpdu",
        "plain_group",
        "random_value",
        "retry",
        "sealed",
        "source",
    )

    def __init__(self, mpdu: bytes, frame: Frame | ProtectedFrame) -> None:
        self.mpdu = mpdu
        self.destination = frame.destination
        self.source = frame.source
        self.group = bool(frame.destination[0] & 1)
        self.retry = frame.retry
        self.sealed: ProtectedFrame | None = None
        self.random_value = -1
        self.message = b""
        if isinstance(frame, Frame):
            self.random_value = frame.random_value
            self.message = frame.message
        else:
            self.sealed = frame
        self.plain_group = self.group and self.sealed is None


#: The last frame that a node heard: those that hear the same one get it one after the other.
_heard: Heard | None = None


class Node:
    """One ESP-NOW node.

    Attributes:
        active: between `start` and `stop`.
        peers: the registered peers.
        ring: messages that wait; empty and of no size while inactive.
        stats: counters, never reset.
        radio: what the radio was told last: addresses, channel.
        pending: token of each frame whose answer has not come, and the list that gets it if nobody acknowledges.
        observer: told of every message, or None.
    """

    __slots__ = (
        "_addresses",
        "_config",
        "_drops_plain",
        "_first_packet_number",
        "_hears_group",
        "_last_random_received",
        "_last_random_sent",
        "_link",
        "_max_data_len",
        "_next_token",
        "_packet_numbers",
        "_pmk",
        "_random_u32",
        "_sequence",
        "active",
        "observer",
        "peers",
        "pending",
        "radio",
        "ring",
        "stats",
    )

    def __init__(
        self,
        config: NodeConfig,
        link: Link,
        random_u32: Callable[[], int],
        *,
        next_token: Callable[[], int] | None = None,
        first_packet_number: int = 1,
        after: Node | None = None,
    ) -> None:
        """Make an inactive node.

        Args:
            config: the rules of its chip.
            link: where frames go.
            random_u32: returns a new random value, 0 to 2**32 - 1, at each call.
            next_token: returns a number that no other frame on the link has; by default the node is alone on it.
            first_packet_number: with which each key begins; a board's always begin with 1.
            after: the node that this one replaces after a soft reset; the radio's counters and the observer go on.
        """
        self._config = config
        self._hears_group = config.hears_group
        self._drops_plain = config.drops_plain
        self._max_data_len = config.max_data_len
        self._link = link
        self._random_u32 = random_u32
        self._addresses: frozenset[bytes] = frozenset()
        self._first_packet_number = first_packet_number
        self._packet_numbers: dict[bytes, int] = {}
        self._last_random_sent = -1
        self._last_random_received = -1
        self._sequence: int = after._sequence if after is not None else 0
        self._pmk = DEFAULT_PMK
        self.active = False
        self.peers = PeerTable()
        self.pending: dict[int, list[int]] = {}
        self._next_token = next_token or itertools.count(1).__next__
        self.ring = ReceiveRing(0, config.ring_overhead)
        self.stats = Stats()
        self.radio = RadioConfig()
        self.observer: Observer | None = after.observer if after is not None else None

    def configure(self, radio: RadioConfig) -> None:
        """Take notice of the radio's new state; the board tells the link."""
        self.radio = radio
        self._addresses = frozenset(address for _, address in radio.addresses)

    def start(self, rxbuf: int) -> None:
        """Begin to receive, with a ring of `rxbuf` bytes. Without effect while active."""
        if not self.active:
            self.active = True
            self.ring = ReceiveRing(rxbuf, self._config.ring_overhead)

    def stop(self) -> None:
        """Forget peers, keys, unread messages and unanswered frames; counters stay.

        That the primary master key is forgotten too is assumed: it belongs to the library that is de-initialised.
        """
        self.active = False
        self.discard_unread()
        self.ring = ReceiveRing(0, self._config.ring_overhead)
        self.peers.clear()
        self.pending.clear()
        self.stats.tx_packets = self.stats.tx_responses
        self._pmk = DEFAULT_PMK
        self._last_random_received = -1

    def unread(self) -> list[ReceivedMessage]:
        """Return what waits in the ring, oldest first."""
        return [*map(ReceivedMessage._make, self.ring.messages)]

    def discard_unread(self, *taken: Waiting) -> None:
        """Throw away what waits in the ring, and what was `taken` out of it and not given to the program."""
        messages = [*map(ReceivedMessage._make, taken), *self.unread()]
        self.ring.clear()
        if messages and self.observer is not None:
            self.observer.discarded(messages)

    def set_pmk(self, pmk: bytes) -> None:
        """Set the primary master key, 16 bytes, for peers that are added or modified from now on.

        Raises:
            NodeError: NOT_INIT.
        """
        self._check_active()
        self._pmk = pmk

    def add_peer(self, peer: Peer) -> None:
        """Register a peer.

        Raises:
            NodeError: NOT_INIT, ARG (channel, interface, encrypted group), FULL, EXIST, CHAN.
        """
        self._check_active()
        self._check_peer(peer)
        self._derive(peer)
        self.peers.add(peer, self._home_channel())

    def get_peer(self, address: bytes) -> Peer:
        """Return a copy of the peer with this address.

        Raises:
            NodeError: NOT_INIT, NOT_FOUND.
        """
        self._check_active()
        return replace(self.peers.get(address))

    def modify_peer(self, peer: Peer) -> None:
        """Replace the peer with the same address.

        Raises:
            NodeError: NOT_INIT, NOT_FOUND, ARG, CHAN, FULL.
        """
        self._check_active()
        self.peers.get(peer.address)
        self._check_peer(peer)
        self._derive(peer)
        self.peers.modify(peer, self._home_channel())

    def remove_peer(self, address: bytes) -> None:
        """Forget a peer.

        Raises:
            NodeError: NOT_INIT, NOT_FOUND.
        """
        self._check_active()
        self.peers.remove(address)

    def targets(self, address: bytes | None, message: bytes) -> list[Peer]:
        """Return whom a message to `address` goes to: that peer, or (None) every unicast peer.

        Raises:
            NodeError: NOT_INIT, ARG (length), NOT_FOUND.
        """
        if not self.active:
            raise NodeError(EspNowCode.NOT_INIT)
        if not 0 < len(message) <= self._config.max_data_len:
            raise NodeError(EspNowCode.ARG)
        if address is not None:
            peer = self.peers.find(address)
            if peer is None:
                if self._config.needs_peer:
                    raise NodeError(EspNowCode.NOT_FOUND)
                peer = Peer(address, interface=self._first_interface())
            return [peer]
        peers = self.peers.unicast()
        if not peers:
            raise NodeError(EspNowCode.NOT_FOUND)
        return peers

    def transmit(self, peer: Peer, message: bytes, failures: list[int] | None = None) -> None:
        """Hand a message for one of `targets` to the link.

        Args:
            peer: for whom.
            message: its bytes.
            failures: gets the token of the frame if it is not acknowledged; None if nobody asks.

        Raises:
            NodeError: CHAN, IF, NO_MEM.
        """
        radio = self.radio
        if peer.channel and radio.addresses and peer.channel != radio.channel:
            raise NodeError(EspNowCode.CHAN)
        source = self._address_of(peer.interface)
        if source is None:
            raise NodeError(EspNowCode.IF)
        config = self._config
        random_value = self._random_u32()
        while random_value == self._last_random_sent:
            random_value = self._random_u32()
        address = peer.address
        duration = 0 if peer.group else unicast_duration(radio.rate)
        bssid = address if config.own_bssid and not peer.group else BROADCAST
        sequence = self._sequence
        if peer.key is None:
            mpdu = build(
                address,
                source,
                message,
                seq=sequence,
                random_value=random_value,
                version=config.frame_version,
                bssid=bssid,
                duration=duration,
            )
        else:
            cipher = peer.sending
            if cipher is None or not cipher.is_for(address, source, bssid):
                cipher = peer.sending = PairCipher(peer.key, address, source, bssid)
            mpdu = build_protected(
                address,
                source,
                message,
                seq=sequence,
                random_value=random_value,
                key=cipher,
                packet_number=self._packet_numbers[peer.key] + 1,
                version=config.frame_version,
                bssid=bssid,
                duration=duration,
            )
        token = self._next_token()
        try:
            self._link.transmit(mpdu, token)
        except LinkFull:
            raise NodeError(EspNowCode.NO_MEM) from None
        if peer.key is not None:
            self._packet_numbers[peer.key] += 1
        self._sequence = (sequence + 1) & 0xFFF
        self._last_random_sent = random_value
        self.pending[token] = [] if failures is None else failures
        self.stats.tx_packets += 1
        if self.observer is not None:
            self.observer.sent(token, address, message)

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Count the link's answer. One for a frame from before `stop` is not counted, and only the observer is told."""
        failures = self.pending.pop(token, None)
        if failures is not None:
            stats = self.stats
            stats.tx_responses += 1
            if outcome is Outcome.NOT_ACKNOWLEDGED:
                stats.tx_failures += 1
                failures.append(token)
        if self.observer is not None:
            self.observer.answered(token, outcome, attempts, at_us)

    def received(self, mpdu: bytes, rssi_dbm: int, at_us: int) -> bool:
        """Take a frame that the radio heard; True if a message entered the ring."""
        if not self.active:
            self._ignored(DropReason.NOT_ACTIVE, mpdu[4:10])
            return False
        heard = _heard
        if heard is None or heard.mpdu is not mpdu:
            try:
                heard = _hear(mpdu)
            except FrameError:
                self.stats.rx_malformed += 1
                self._dropped(DropReason.MALFORMED, b"", at_us)
                return False
        source = heard.source
        random_value = heard.random_value
        message = heard.message
        if not self._hears_group and heard.group:
            self._ignored(DropReason.GROUP_UNHEARD, heard.destination)
            return False
        if not heard.plain_group:
            if not heard.group and heard.destination not in self._addresses:
                return False
            if heard.sealed is not None:
                opened = self._open(heard.sealed, at_us)
                if opened is None:
                    return False
                random_value = opened.random_value
                message = opened.message
            elif self._drops_plain and (peer := self.peers.find(source)) and peer.encrypt:
                self.stats.rx_unencrypted += 1
                self._dropped(DropReason.PLAIN_FROM_ENCRYPTED, source, at_us)
                return False
        # One remembered value for the station, and only for frames marked as retries: so does Espressif's library.
        if heard.retry and random_value == self._last_random_received:
            self.stats.rx_duplicates += 1
            self._dropped(DropReason.DUPLICATE, source, at_us)
            return False
        self._last_random_received = random_value
        if len(message) > self._max_data_len:
            self.stats.rx_too_long += 1
            self._dropped(DropReason.TOO_LONG, source, at_us)
            return False
        observer = self.observer
        record: Waiting = source, message, rssi_dbm, at_us
        if observer is not None:
            record = told = _new_record(ReceivedMessage, record)
        if not self.ring.put(record):
            self.stats.rx_dropped += 1
            self._dropped(DropReason.RING_FULL, source, at_us)
            return False
        self.stats.rx_packets += 1
        if observer is not None:
            observer.received(told)
        return True

    def _open(self, sealed: ProtectedFrame, at_us: int) -> Frame | None:
        """Decrypt a frame with its sender's key; None, and counted, if there is none that fits."""
        source = sealed.source
        peer = self.peers.find(source)
        has_key = peer is not None and peer.key is not None
        if peer is not None and peer.key is not None:
            destination, bssid = sealed.destination, sealed.bssid
            cipher = peer.receiving
            if cipher is None or not cipher.is_for(destination, source, bssid):
                cipher = peer.receiving = PairCipher(peer.key, destination, source, bssid)
            try:
                return open_protected(sealed, cipher)
            except FrameError:
                pass
        self.stats.rx_undecryptable += 1
        self._dropped(DropReason.WRONG_KEY if has_key else DropReason.NO_KEY, source, at_us)
        return None

    def take_sequence(self) -> int:
        """Return the next sequence number; all frames of the station share one counter."""
        sequence = self._sequence
        self._sequence = (sequence + 1) & 0xFFF
        return sequence

    def drop(self, reason: DropReason, mpdu: bytes, at_us: int) -> None:
        """Take notice of a frame that something before the node refused."""
        if self.active:
            self._dropped(reason, mpdu[10:16], at_us)

    def _derive(self, peer: Peer) -> None:
        peer.sending = peer.receiving = None
        if not peer.encrypt or peer.group:
            peer.key = None
            return
        peer.key = derive_key(self._pmk, peer.lmk)
        numbers = self._packet_numbers
        if peer.key not in numbers:
            if len(numbers) >= _REMEMBERED_KEYS:
                in_use = {other.key for other in self.peers.unicast()}
                del numbers[next(key for key in numbers if key not in in_use)]
            numbers[peer.key] = self._first_packet_number - 1

    def _address_of(self, interface: int) -> bytes | None:
        for number, address in self.radio.addresses:
            if number == interface:
                return address
        return None

    def _first_interface(self) -> int:
        return int(self.radio.addresses[0][0]) if self.radio.addresses else 0

    def _home_channel(self) -> int | None:
        return self.radio.channel if self.radio.addresses else None

    def _check_active(self) -> None:
        if not self.active:
            raise NodeError(EspNowCode.NOT_INIT)

    @staticmethod
    def _check_peer(peer: Peer) -> None:
        if not 0 <= peer.channel <= 14 or not 0 <= peer.interface <= 1:
            raise NodeError(EspNowCode.ARG)

    def _dropped(self, reason: DropReason, source: bytes, at_us: int) -> None:
        if self.observer is not None:
            self.observer.dropped(reason, source, at_us)

    def _ignored(self, reason: DropReason, destination: bytes) -> None:
        if self.observer is not None:
            self.observer.ignored(reason, destination)


def _hear(mpdu: bytes) -> Heard:
    """Return what the nodes share of a frame, and remember it.

    Raises:
        FrameError: it is none of ESP-NOW's.
    """
    global _heard
    heard = _heard = Heard(mpdu, parse_shared(mpdu))
    return heard

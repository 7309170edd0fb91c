"""The station that a command is: it hears frames, and sends by the rules of a node.

Rules: its link's thread calls `received` and `outcome` under the board's lock, and every other method is called with
that lock held. Nothing here prints, waits or knows an option.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

from espnow.board import PROFILES
from espnow.frame import RATE_1M, RATES, build, radiotap
from espnow.frame.captures import Interface, Record
from espnow.frame.ccmp import CCMP_HEADER_LENGTH, MIC_LENGTH
from espnow.link import Clock, Link, Outcome, ProtocolBit, RadioConfig
from espnow.link import Interface as Wlan
from espnow.node import Node, Peer

__all__ = ["Answer", "Heard", "RadioStation"]

_ALL_PROTOCOLS = ProtocolBit.B | ProtocolBit.G | ProtocolBit.N | ProtocolBit.LR

#: What a command hears on, as captures describe it.
_INTERFACE = Interface(0, 0, radiotap.LINKTYPE, 0, None, "", 10**6, 0)


class Heard(NamedTuple):
    """A frame that the radio heard (`espnow.link.Station.received`)."""

    mpdu: bytes
    rssi_dbm: int
    channel: int
    rate: int
    at_us: int

    def record(self, epoch_ns: int) -> Record:
        """Return it as a packet of a capture.

        Args:
            epoch_ns: time since 1970, UTC, at which the clock began.
        """
        rate = self.rate if self.rate in RATES else None
        try:
            header = radiotap.build(channel=self.channel, rate=rate, rssi_dbm=self.rssi_dbm)
        except ValueError:  # a radio that tells what cannot be
            header = radiotap.build()
        packet = header + self.mpdu
        return Record(epoch_ns + self.at_us * 1000, _INTERFACE, packet, len(packet))


class Answer(NamedTuple):
    """What became of a frame that was sent.

    Attributes:
        outcome: whether somebody acknowledged it.
        attempts: how often it was on the air.
        took_us: from handing it to the radio to the answer.
    """

    outcome: Outcome
    attempts: int
    took_us: int


class RadioStation:
    """What stands above a command's radio (`espnow.link.Station`).

    Attributes:
        address: its own.
        hear: called with each frame that the radio hears.
        config: what the radio was told last.
    """

    def __init__(
        self,
        clock: Clock,
        link: Link,
        address: bytes,
        random_u32: Callable[[], int],
        *,
        profile: str = "esp32",
        rate: int | None = None,
        first_packet_number: int = 1,
    ) -> None:
        """Stand above a link, which hears nothing before `tune`.

        Args:
            clock: its time.
            link: its radio.
            address: its own.
            random_u32: returns a new random value, 0 to 2**32 - 1, at each call.
            profile: the kind of board whose frames it sends, one of `espnow.board.PROFILES`.
            rate: ``wifi_phy_rate_t`` number that it sends with; None for what such a board sends with.
            first_packet_number: with which its encrypted frames begin: no station may have used it, or one above, with
                the same address and key.
        """
        self.address = address
        self.hear: Callable[[Heard], None] = lambda _heard: None
        self.config = RadioConfig()
        self._clock = clock
        self._link = link
        self._rate = PROFILES[profile].rate if rate is None else rate
        self._group_rate = RATE_1M if rate is None else rate
        self._tokens = itertools.count(1)
        self._token = 0
        self._answers: dict[int, tuple[Callable[[Answer], None], int]] = {}
        self.node = Node(
            PROFILES[profile].node,
            link,
            random_u32,
            next_token=self._take_token,
            first_packet_number=first_packet_number,
        )
        self.node.start(0)
        link.station = self

    def tune(self, channel: int, *, promiscuous: bool = False, silent: bool = False) -> None:
        """Turn the radio to a channel, with the receiver on.

        Args:
            channel: 1 to 14.
            promiscuous: hear everything.
            silent: have no address: nothing is acknowledged, nothing can be sent.
        """
        self.config = RadioConfig(
            addresses=() if silent else ((Wlan.STA, self.address),),
            channel=channel,
            protocols=_ALL_PROTOCOLS,
            receiver_on=True,
            rate=self._rate,
            group_rate=self._group_rate,
            promiscuous=promiscuous,
        )
        self._link.configure(self.config)
        self.node.configure(self.config)

    def fits(self, address: bytes, message: bytes) -> bool:
        """Tell whether the radio takes a frame as long as that of a message."""
        length = len(build(address, self.address, message, seq=0, random_value=0, version=2))
        peer = self.node.peers.find(address)
        if peer is not None and peer.encrypt:
            length += CCMP_HEADER_LENGTH + MIC_LENGTH
        return length <= self._link.abilities.max_mpdu

    def add_key(self, address: bytes, lmk: bytes, pmk: bytes) -> None:
        """Encrypt messages to an address from now on.

        Raises:
            NodeError: it is a group's, or was sent to before.
        """
        self.node.set_pmk(pmk)
        self.node.add_peer(Peer(address, lmk, encrypt=True))

    def send(self, address: bytes, message: bytes, answered: Callable[[Answer], None]) -> None:
        """Send a message, and have `answered` called once when it is known what became of it.

        Raises:
            NodeError: ARG, a message that is empty or too long; NO_MEM, the radio has no room now; FULL, it is the 21st
                address.
        """
        if self.node.peers.find(address) is None:
            self.node.add_peer(Peer(address))
        (peer,) = self.node.targets(address, message)
        sent_us = self._clock.now_us
        self.node.transmit(peer, message)
        self._answers[self._token] = answered, sent_us

    # What the link calls.

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        """Hand a frame on."""
        self.hear(Heard(mpdu, rssi_dbm, channel, rate, at_us))

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Tell whoever sent what became of it."""
        self.node.outcome(token, outcome, attempts, at_us)
        found = self._answers.pop(token, None)
        if found is not None:
            answered, sent_us = found
            answered(Answer(outcome, attempts, max(0, at_us - sent_us)))

    def _take_token(self) -> int:
        self._token = next(self._tokens)
        return self._token

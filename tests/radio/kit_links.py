"""Links for the tests of the checks: a good one in virtual time, and some that can less and say so."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from random import Random

from espnow.errors import LinkFull
from espnow.frame import LR_RATES, RATE_1M, ack, airtime_us, response_rate, with_retry
from espnow.link import Abilities, Outcome, ProtocolBit, RadioConfig, Station
from espnow.testing import ManualClock, VirtualRig

ACTION = 0xD0


class Medium:
    """Where good links hear each other: one frame after the other, and loss."""

    def __init__(self, kind: type[GoodLink]) -> None:
        self.clock = ManualClock()
        self.kind = kind
        self.links: list[GoodLink] = []
        self.loss = 0.0
        self.chance = Random(5)

    def open(self) -> GoodLink:
        return self.kind(self)

    def is_lost(self) -> bool:
        return self.chance.random() < self.loss

    def set_loss(self, probability: float) -> None:
        self.loss = probability


class GoodLink:
    """A link as it should be."""

    station: Station
    abilities = Abilities()
    trouble: str | None = None
    queue_frames = 8

    def __init__(self, medium: Medium) -> None:
        self.medium = medium
        self.clock = medium.clock
        self.config = RadioConfig()
        self.queue: deque[tuple[bytes, int]] = deque()
        self.closed = False
        self.configured = False
        self.sent_anything = False
        self.addresses: list[bytes] = []
        medium.links.append(self)

    def configure(self, config: RadioConfig) -> None:
        self.config = config
        self.configured = True
        self.addresses = [address for _, address in config.addresses]

    def transmit(self, mpdu: bytes, token: int) -> None:
        if len(self.queue) >= self.queue_frames:
            raise LinkFull
        self.queue.append((mpdu, token))
        if len(self.queue) == 1:
            self.begin(1)

    def begin(self, attempt: int) -> None:
        """Put the frame at the head of the queue on the air."""
        mpdu, _ = self.queue[0]
        rate = self.rate_of(mpdu)
        self.clock.call_at(self.clock.now_us + airtime_us(len(mpdu) + 4, rate), lambda: self.end(attempt, rate))

    def rate_of(self, mpdu: bytes) -> int:
        if mpdu[0] != ACTION:
            return RATE_1M
        return self.config.group_rate if mpdu[4] & 1 else self.config.rate

    def end(self, attempt: int, rate: int) -> None:
        """Hand the frame to who hears it, and finish or try again."""
        if self.closed:
            return
        mpdu, _ = self.queue[0]
        if not self.may_send():
            self.finish(Outcome.NOT_ACKNOWLEDGED, attempt - 1)
            return
        self.sent_anything = True
        acknowledged = False
        for link in list(self.medium.links):
            if link is self or not link.decodes(rate) or not link.hears(mpdu, self.config.channel):
                continue
            if self.medium.is_lost():
                continue
            answers = link.answers(mpdu, self.config.channel)
            link.hand_up(mpdu, self.config.channel, rate)
            acknowledged = acknowledged or (answers and not self.medium.is_lost())
        if mpdu[4] & 1:
            self.finish(Outcome.ACKNOWLEDGED, 1)
        elif acknowledged:
            for link in self.medium.links:
                if link.config.promiscuous and link.config.channel == self.config.channel:
                    link.hand_up(ack(mpdu[10:16]), self.config.channel, response_rate(rate))
            self.finish(Outcome.ACKNOWLEDGED, attempt)
        elif attempt < self.config.attempts:
            self.queue[0] = self.repetition(mpdu), self.queue[0][1]
            self.begin(attempt + 1)
        else:
            self.finish(Outcome.NOT_ACKNOWLEDGED, attempt)

    def repetition(self, mpdu: bytes) -> bytes:
        return with_retry(mpdu)

    def may_send(self) -> bool:
        return bool(self.config.addresses)

    def finish(self, outcome: Outcome, attempts: int) -> None:
        _, token = self.queue.popleft()
        if self.queue:
            self.begin(1)
        self.answer(token, outcome, attempts)

    def answer(self, token: int, outcome: Outcome, attempts: int) -> None:
        self.station.outcome(token, outcome, attempts, self.clock.now_us)

    def is_on(self, channel: int) -> bool:
        return self.configured and self.config.receiver_on and self.config.channel == channel

    def decodes(self, rate: int) -> bool:
        return rate not in LR_RATES or bool(self.config.protocols & ProtocolBit.LR)

    def hears(self, mpdu: bytes, channel: int) -> bool:
        wanted = mpdu[4] & 1 or mpdu[4:10] in self.addresses or self.config.promiscuous
        return bool(wanted) and self.is_on(channel)

    def answers(self, mpdu: bytes, channel: int) -> bool:
        return not mpdu[4] & 1 and mpdu[4:10] in self.addresses and self.is_on(channel)

    def hand_up(self, mpdu: bytes, channel: int, rate: int) -> None:
        self.station.received(mpdu, -40, channel, rate, self.clock.now_us)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            if self in self.medium.links:
                self.medium.links.remove(self)


def rig_of(kind: type[GoodLink], *, links: int = 3) -> VirtualRig:
    medium = Medium(kind)
    rig = VirtualRig(medium.open, medium.clock, set_loss=medium.set_loss)
    rig.links = links
    return rig


class Unsure(GoodLink):
    """Cannot tell what became of a frame."""

    abilities = replace(GoodLink.abilities, tells_outcome=False, tells_attempts=False)

    def answer(self, token: int, outcome: Outcome, attempts: int) -> None:
        super().answer(token, Outcome.UNKNOWN if outcome is Outcome.NOT_ACKNOWLEDGED else outcome, attempts)


class Deaf(GoodLink):
    """Acknowledges nothing, tries once, has two rates and two channels, and says so."""

    abilities = Abilities(
        acknowledges=False,
        retries=False,
        promiscuous=False,
        channels=frozenset((1, 6)),
        rates=frozenset((0, 11)),
        max_mpdu=400,
    )

    def configure(self, config: RadioConfig) -> None:
        super().configure(replace(config, attempts=1, promiscuous=False))

    def answers(self, mpdu: bytes, channel: int) -> bool:
        return False


class Short(GoodLink):
    """Has no queue but for one frame, and one channel."""

    queue_frames = 1
    abilities = replace(GoodLink.abilities, channels=frozenset((11,)))


class Rateless(GoodLink):
    """Sends with a rate that it chooses itself."""

    abilities = replace(GoodLink.abilities, rates=frozenset())

    def rate_of(self, mpdu: bytes) -> int:
        return RATE_1M

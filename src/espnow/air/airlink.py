"""One station's radio on an air: its queue, and what its station asked of it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from espnow.air.kernel import DOZING, OFF, ON
from espnow.air.propagation import Position
from espnow.air.transmission import MissReason
from espnow.errors import LinkFull
from espnow.frame import FCS_LENGTH, LR_RATES, RATE_1M, airtime_us, with_retry
from espnow.link import Abilities, Outcome, ProtocolBit, RadioConfig, Station

if TYPE_CHECKING:
    from espnow.air.air import Air

__all__ = ["AirLink"]

#: First byte of an action frame, which ESP-NOW's are.
_ACTION = 0xD0


class AirLink:
    """One station's radio on the air (`espnow.link.Link`).

    Attributes:
        name: of its station.
        number: of its station, in the order in which they were made.
        station: who gets what it hears.
        config: what the station asked of it.
        abilities: what it can do.
        trouble: none, ever.
    """

    abilities = Abilities(promiscuous=False, max_mpdu=4096)
    trouble: str | None = None

    __slots__ = (
        "_air",
        "_attempt",
        "_in_range",
        "_in_range_key",
        "_queue",
        "_tuned_us",
        "config",
        "name",
        "number",
        "station",
    )

    station: Station

    def __init__(self, air: Air, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.config = RadioConfig()
        self._air = air
        self._queue: deque[tuple[bytes, int]] = deque()
        self._attempt = 1
        self._tuned_us = 0
        self._in_range: dict[AirLink, None] = {}
        self._in_range_key: tuple[int, int] | None = None

    @property
    def position(self) -> Position:
        """Metres, east and north."""
        return self._air.medium.sites[self.number].position

    def close(self) -> None:
        """Be silent and deaf, and answer nothing of what still waits."""
        self.configure(RadioConfig())
        self.station = _Nobody()

    def configure(self, config: RadioConfig) -> None:
        """Make the radio work as `config` says (`espnow.link.Link`)."""
        old = self.config
        self.config = config
        if old.addresses != config.addresses:
            self._air.own(self, old, config)
        self.apply(old)

    def apply(self, old: RadioConfig | None) -> None:
        """Tell the kernel what is another than it was; None: all of it."""
        config, air, number = self.config, self._air, self.number
        medium = air.medium
        kernel = medium.kernel
        kernel.set_time(air.clock.now_us)
        if old is None or old.tx_power_dbm != config.tx_power_dbm:
            medium.set_power(number, config.tx_power_dbm)
        if old is None or bool(old.addresses) is not bool(config.addresses):
            kernel.set_muted(number, not config.addresses)
        if (
            old is None
            or old.receiver_on != config.receiver_on
            or old.power_save != config.power_save
            or old.protocols != config.protocols
        ):
            state = OFF if not config.receiver_on else ON if config.power_save is None else DOZING
            long_range = bool(config.protocols & ProtocolBit.LR)
            kernel.set_receiver(number, state, long_range, *(config.power_save or ()))
        if old is None or old.channel != config.channel:
            kernel.set_channel(number, config.channel)
            self._tuned_us = air.clock.now_us
        elif old.receiver_on != config.receiver_on:
            # What was under way is neither heard to its end nor known to keep the channel busy.
            kernel.forget(number)
            self._tuned_us = air.clock.now_us
        air.arm()

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Queue a frame (`espnow.link.Link`).

        Raises:
            LinkFull: the queue is full.
        """
        queue = self._queue
        if len(queue) >= self._air.timing.queue_frames:
            raise LinkFull
        queue.append((mpdu, token))
        if len(queue) == 1:
            try:
                self._begin()
            except BaseException:
                queue.clear()
                raise

    def _begin(self) -> None:
        """Begin with the frame at the head of the queue."""
        config = self.config
        mpdu = self._queue[0][0]
        rate = RATE_1M if mpdu[0] != _ACTION else config.group_rate if mpdu[4] & 1 else config.rate
        self._attempt = 1
        self._air.begin(self, mpdu[4:10], rate, airtime_us(len(mpdu) + FCS_LENGTH, rate), config.attempts)

    def finish(self, answered: bool, attempts: int) -> None:
        """Tell the station what became of its frame, and begin with the next one."""
        air = self._air
        mpdu, token = self._queue.popleft()
        air.finish(self, mpdu[4:10])
        try:
            if self._queue:
                self._begin()
        finally:
            outcome = Outcome.ACKNOWLEDGED if answered else Outcome.NOT_ACKNOWLEDGED
            self.station.outcome(token, outcome, attempts, air.clock.now_us)

    def on_air(self, attempt: int) -> bytes:
        """Return the frame at the head of the queue as it is on the air the n-th time."""
        mpdu, token = self._queue[0]
        if attempt > 1 and self._attempt == 1:
            mpdu = with_retry(mpdu)
            self._queue[0] = mpdu, token
        self._attempt = attempt
        return mpdu

    @property
    def address(self) -> bytes:
        """Its address in the frame that it sends."""
        return self._queue[0][0][10:16]

    @property
    def token(self) -> int:
        """The token of the frame that it is sending, or waits to send next; 0 when there is none."""
        return self._queue[0][1] if self._queue else 0

    def rssi_dbm(self, receiver: AirLink) -> float:
        """Return how strong the signal of this station is at another, in dBm, whether or not that decodes it."""
        return self._air.medium.level_dbm(self.number, receiver.number)

    def in_range(self) -> dict[AirLink, None]:
        """Return the links that can hear what it sent last, whatever they are tuned to, in their order."""
        air = self._air
        rate = air.medium.kernel.air(self.number)[3]
        key = air.medium.versions[self.number], rate
        if key != self._in_range_key:
            self._in_range, self._in_range_key = dict.fromkeys(air.in_range(self, rate)), key
        return self._in_range

    def may_hear(self, sender: AirLink) -> bool:
        """Return whether this station's receiver is on, and on the channel of another."""
        return self.config.receiver_on and self.config.channel == sender.config.channel

    def why_missed(self, sender: AirLink) -> MissReason:
        """Return why this station did not get the frame that `sender` has just sent and whose signal reached it."""
        config, kernel = self.config, self._air.medium.kernel
        begin_us, end_us, channel, rate, frame = kernel.air(sender.number)
        if not config.addresses or not config.receiver_on:
            return MissReason.RECEIVER_OFF
        if config.channel != channel:
            return MissReason.OTHER_CHANNEL
        if self._tuned_us > begin_us:
            return MissReason.RETUNED
        sent_from_us, sent_to_us, *_ = kernel.air(self.number)
        if sent_to_us > begin_us and sent_from_us < end_us:
            return MissReason.SENDING
        if not kernel.is_awake(self.number, begin_us):
            return MissReason.ASLEEP
        if rate in LR_RATES and not config.protocols & ProtocolBit.LR:
            return MissReason.NO_LONG_RANGE
        lost, alone = kernel.lost(self.number)
        return MissReason.LOST if lost == frame and alone else MissReason.COLLIDED


class _Nobody:
    """Who is above a link that is closed (`espnow.link.Station`)."""

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        """Hear nothing."""

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Ask for nothing."""

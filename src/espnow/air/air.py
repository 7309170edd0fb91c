"""Stations, their queues, and the way of a frame from one to the others.

A frame waits until its station hears the channel idle for DIFS and its backoff, is on the air for its airtime, and is
handed to every station that hears it at its end. A unicast frame that its addressee decoded is acknowledged one SIFS
later, by the radio, whatever runs above; without an acknowledgement it is tried again, with the Retry bit and a doubled
contention window.

The cost: two events a broadcast frame, three a unicast one, none and no object a reception.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from espnow.air.crowd import CROWD, Crowd
from espnow.air.propagation import LogDistance, Position, sensitivity_dbm
from espnow.air.transmission import MissReason, Reception, Transmission
from espnow.errors import LinkFull
from espnow.frame import (
    ACK_LENGTH,
    LR_RATES,
    RATE_1M,
    SIFS_US,
    ack,
    airtime_us,
    response_rate,
    with_retry,
)
from espnow.link import Abilities, Clock, Outcome, ProtocolBit, RadioConfig, Station

__all__ = ["Air", "AirLink", "AirTiming"]

_FCS_LENGTH = 4
#: First byte of an action frame, which ESP-NOW's are.
_ACTION = 0xD0
_NEVER_US = 1 << 60
_UNHEARD: tuple[Reception, ...] = ()


@dataclass(frozen=True, slots=True)
class AirTiming:
    """When stations transmit.

    Attributes:
        slot_us: slot time of 802.11 at 2.4 GHz with long slots.
        difs_us: SIFS and two slots.
        cw_min: first contention window, in slots; each retry doubles it (plus one) up to `cw_max`.
        cw_max: largest contention window.
        lifetime_us: no attempt at a unicast frame begins that would end later than this after the frame came to the
            head of the queue. Assumed: it keeps the answer within what MicroPython's send waits for, also for the
            longest frames and on a busy channel.
        queue_frames: frames that a station holds, the one on the air included. Assumed:
            ESP_WIFI_DYNAMIC_TX_BUFFER_NUM's default.
    """

    slot_us: int = 20
    difs_us: int = 50
    cw_min: int = 31
    cw_max: int = 1023
    lifetime_us: int = 90_000
    queue_frames: int = 32


class Air:
    """One place in which radios hear each other.

    Attributes:
        loss: probability that a frame, or an acknowledgement, is lost between two stations, unless `set_loss` says
            otherwise.
        observer: called with each transmission when it ends, or None.
        on_miss: called as ``on_miss(sender, receiver, reason)`` at the end of each transmission for the addressee that
            did not decode and answer it (receiver None: no active interface has the address), or for each station in
            range that did not decode a broadcast; or None. `sender.token` says which frame.
        speaking: whose frame is being handed to those who heard it, or was last.
    """

    def __init__(
        self,
        clock: Clock,
        stream: Callable[[str], Random],
        *,
        propagation: LogDistance | None = None,
        loss: float = 0.0,
        timing: AirTiming | None = None,
    ) -> None:
        """Make an empty air.

        Args:
            clock: the owner of time.
            stream: returns the random stream of a name, the same for the same name.
            propagation: who hears whom how well.
            loss: see the attribute.
            timing: when stations transmit.
        """
        self.clock = clock
        self.loss = loss
        self.observer: Callable[[Transmission], None] | None = None
        self.on_miss: Callable[[AirLink, AirLink | None, MissReason], None] | None = None
        self.speaking: AirLink | None = None
        self._stream = stream
        self._propagation = propagation or LogDistance()
        self._timing = timing or AirTiming()
        self._links: dict[str, AirLink] = {}
        self._losses: dict[tuple[str, str], float] = {}
        self._loss_streams: dict[tuple[str, str], Random] = {}
        self._layout = 0
        self._heard: dict[tuple[Position, float, int], dict[AirLink, Reception]] = {}
        self._owners: dict[bytes, list[AirLink]] = {}
        self._cells: dict[tuple[int, int], list[AirLink]] = {}
        # One cell is about as far as 1 Mb/s reaches at full power, so that a search looks at few cells.
        self._cell_m = max(1.0, self._propagation.reach_m(20.0 - sensitivity_dbm(0)))

    def attach(self, name: str, position: Position) -> AirLink:
        """Return the link of a new station; its `station` must be set before time goes on.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._links:
            raise ValueError(f"there is a station {name!r} already")
        link = AirLink(self, name, position, len(self._links))
        self._links[name] = link
        self._cells.setdefault(self._cell(position), []).append(link)
        self._change_layout()
        return link

    def set_loss(self, sender: str, receiver: str, probability: float) -> None:
        """Let frames from one station to another be lost with this probability, from now on."""
        self._losses[sender, receiver] = probability

    def move(self, link: AirLink, position: Position) -> None:
        """Put a station elsewhere, from the next transmission on."""
        old = self._cell(link.position)
        self._cells[old].remove(link)
        if not self._cells[old]:
            del self._cells[old]
        link.position = position
        self._cells.setdefault(self._cell(position), []).append(link)
        self._change_layout()

    def _change_layout(self) -> None:
        """Forget who hears whom."""
        self._layout += 1
        self._heard.clear()

    def _cell(self, position: Position) -> tuple[int, int]:
        return int(position[0] // self._cell_m), int(position[1] // self._cell_m)

    def _heard_from(self, position: Position, power_dbm: float, rate: int) -> dict[AirLink, Reception]:
        """Return which stations hear one that sends from a place, and how, in the order in which they were attached.

        Stations in one place share the answer, in which each of them finds itself, too.
        """
        key = position, power_dbm, rate
        found = self._heard.get(key)
        if found is None:
            found = self._heard[key] = {}
            propagation = self._propagation
            for link, distance_m in self._near(position, propagation.reach_m(power_dbm - sensitivity_dbm(rate))):
                rssi_dbm = power_dbm - propagation.loss_db(distance_m)
                found[link] = Reception(link.name, max(-127, min(0, round(rssi_dbm))))
        return found

    def _near(self, position: Position, reach_m: float) -> list[tuple[AirLink, float]]:
        """Return the stations within reach and their distances, in the order in which they were attached."""
        x, y = position
        west, south = self._cell((x - reach_m, y - reach_m))
        east, north = self._cell((x + reach_m, y + reach_m))
        cells = self._cells
        if (east - west + 1) * (north - south + 1) > len(cells):
            candidates = list(self._links.values())
        else:
            candidates = [
                link
                for column in range(west, east + 1)
                for row in range(south, north + 1)
                for link in cells.get((column, row), ())
            ]
        distances = [(link, math.dist(position, link.position)) for link in candidates]
        near = [(link, distance_m) for link, distance_m in distances if distance_m <= reach_m]
        near.sort(key=_order)
        return near

    def _is_lost(self, sender: AirLink, receiver: AirLink) -> bool:
        pair = sender.name, receiver.name
        probability = self._losses.get(pair, self.loss) if self._losses else self.loss
        if probability <= 0.0:
            return False
        stream = self._loss_streams.get(pair)
        if stream is None:
            stream = self._stream(f"air/loss/{pair[0]}>{pair[1]}")
            self._loss_streams[pair] = stream
        return stream.random() < probability


class AirLink:
    """One station's radio on the air (`espnow.link.Link`).

    Attributes:
        name: of its station.
        position: metres, east and north.
        station: who gets what it hears.
        config: what the station asked of it.
        order: the number of its station, in the order in which they were made.
        crowd: with whom it waits for the channel, or None.
        abilities: what it can do.
        trouble: none, ever.
    """

    abilities = Abilities(promiscuous=False, max_mpdu=4096)
    trouble: str | None = None

    __slots__ = (
        "_air",
        "_attempt",
        "_awake_until_us",
        "_backoff",
        "_busy_until_us",
        "_channel",
        "_contending",
        "_cw",
        "_deadline_us",
        "_hearers",
        "_hearers_key",
        "_idle_from_us",
        "_queue",
        "_random",
        "_rate",
        "_sending_until_us",
        "_start_us",
        "_tuned_us",
        "config",
        "crowd",
        "name",
        "order",
        "position",
        "station",
    )

    station: Station

    def __init__(self, air: Air, name: str, position: Position, order: int) -> None:
        self.name = name
        self.position = position
        self.order = order
        self.config = RadioConfig()
        self._air = air
        self._queue: deque[tuple[bytes, int]] = deque()
        self._random = air._stream(f"air/backoff/{name}")
        self._attempt = 0
        self._cw = 0
        self._backoff = 0
        self._deadline_us = _NEVER_US
        self._idle_from_us = 0
        self._start_us = 0
        self._busy_until_us = 0
        self._sending_until_us = 0
        self._tuned_us = 0
        self._awake_until_us = 0
        self._channel = 1
        self._contending = False
        self.crowd: Crowd | None = None
        self._rate = 0
        self._hearers: dict[int, dict[AirLink, Reception]] = {}
        self._hearers_key: tuple[int, float] | None = None

    def close(self) -> None:
        """Be silent and deaf, and answer nothing of what still waits."""
        self.configure(RadioConfig())
        self.station = _Nobody()

    def configure(self, config: RadioConfig) -> None:
        """Make the radio work as `config` says (`espnow.link.Link`)."""
        old = self.config
        self.config = config
        if old.addresses != config.addresses:
            owners = self._air._owners
            for _, address in old.addresses:
                owners[address].remove(self)
                if not owners[address]:  # a program may take any number of addresses, one after the other
                    del owners[address]
            for _, address in config.addresses:
                owners.setdefault(address, []).append(self)
        if old.channel != config.channel or old.receiver_on != config.receiver_on:
            # What was under way is neither heard to its end nor known to keep the new channel busy.
            self._tuned_us = self._air.clock.now_us
            self._busy_until_us = 0

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Queue a frame (`espnow.link.Link`).

        Raises:
            LinkFull: the queue is full.
        """
        queue = self._queue
        if len(queue) >= self._air._timing.queue_frames:
            raise LinkFull
        queue.append((mpdu, token))
        if len(queue) == 1:
            self._begin()

    def _begin(self) -> None:
        """Begin with the frame at the head of the queue."""
        timing = self._air._timing
        self._attempt = 0
        self._cw = timing.cw_min
        mpdu = self._queue[0][0]
        self._deadline_us = _NEVER_US
        if not mpdu[4] & 1:
            rate = self.config.rate if mpdu[0] == _ACTION else RATE_1M
            on_air_us = airtime_us(len(mpdu) + _FCS_LENGTH, rate)
            self._deadline_us = self._air.clock.now_us + timing.lifetime_us - on_air_us
        self._contend()

    def _contend(self) -> None:
        """Draw a backoff and wait for the channel."""
        self._attempt += 1
        self._backoff = int(self._random.random() * (self._cw + 1))
        self._await_idle()

    def _await_idle(self) -> None:
        clock = self._air.clock
        timing = self._air._timing
        now_us, busy_us = clock.now_us, self._busy_until_us
        self._contending = True
        self._idle_from_us = (now_us if now_us > busy_us else busy_us) + timing.difs_us
        due_us = self._idle_from_us + self._backoff * timing.slot_us
        clock.call_at(now_us if due_us > self._deadline_us else due_us, self.wake)

    def _freeze(self, now_us: int, busy_us: int) -> None:
        """Another begins to send: count the slots that passed, and go on one DIFS after `busy_us`."""
        timing = self._air._timing
        passed_us = now_us - self._idle_from_us
        if passed_us > 0:
            self._backoff -= min(self._backoff, passed_us // timing.slot_us)
        self._idle_from_us = busy_us + timing.difs_us

    def due_us(self) -> int:
        """Return when to look again whether it may send (`espnow.air.crowd.Waiting`)."""
        due_us = self._idle_from_us + self._backoff * self._air._timing.slot_us
        return due_us if due_us <= self._deadline_us else max(self._deadline_us, self._air.clock.now_us)

    def wake(self) -> None:
        """Put the frame on the air, if the channel stayed idle (`espnow.air.crowd.Waiting`)."""
        air = self._air
        clock = air.clock
        now_us = clock.now_us
        due_us = self._idle_from_us + self._backoff * air._timing.slot_us
        if now_us < due_us <= self._deadline_us:
            if self.crowd is None:
                clock.call_at(due_us, self.wake)
            return
        config = self.config
        self._contending = False
        self.crowd = None
        if due_us > self._deadline_us or not config.addresses:
            self._attempt -= 1  # this one is not made
            self._finish(Outcome.NOT_ACKNOWLEDGED)
            return
        mpdu = self._queue[0][0]
        group = mpdu[4] & 1
        rate = config.group_rate if group else config.rate
        if mpdu[0] != _ACTION:
            rate = RATE_1M
        end_us = now_us + airtime_us(len(mpdu) + _FCS_LENGTH, rate)
        # Others keep off until the acknowledgement is over, as the Duration field tells them.
        busy_us = end_us
        if not group:
            busy_us += SIFS_US + airtime_us(ACK_LENGTH, response_rate(rate))
        self._start_us = now_us
        self._sending_until_us = end_us
        self._busy_until_us = busy_us
        self._rate = rate
        self._channel = channel = config.channel
        frozen = []
        for link in self._find_hearers(rate):
            if link.config.channel == channel and link._busy_until_us < busy_us:
                link._busy_until_us = busy_us
                if link._contending:
                    link._freeze(now_us, busy_us)
                    frozen.append(link)
        if len(frozen) >= CROWD:
            Crowd(clock, frozen)
        if group:
            air.clock.call_at(end_us, self._end_group)
        else:
            air.clock.call_at(end_us, self._end_unicast)

    def _end_group(self) -> None:
        """Hand a broadcast or multicast frame to everybody who heard it."""
        air = self._air
        air.speaking = self
        mpdu = self._queue[0][0]
        rate, channel = self._rate, self._channel
        start_us, now_us = self._start_us, air.clock.now_us
        lossy = air.loss > 0.0 or bool(air._losses)
        long_range = rate in LR_RATES
        on_miss = air.on_miss
        observer = air.observer
        observed: list[Reception] = []
        for link, reception in self._find_hearers(rate).items():
            config = link.config
            if (
                config.channel == channel
                and config.receiver_on
                and link._tuned_us <= start_us
                and link._sending_until_us <= start_us
                and (config.power_save is None or link._is_awake(start_us))
                and not (long_range and not config.protocols & ProtocolBit.LR)
                and not (lossy and air._is_lost(self, link))
            ):
                link.station.received(mpdu, reception[1], channel, rate, now_us)
                if observer is not None:
                    observed.append(reception)
            elif on_miss is not None and link is not self:
                on_miss(self, link, link._why_missed(self))
        if observer is not None:
            observer(Transmission(start_us, now_us, self.name, mpdu, channel, rate, self._attempt, tuple(observed)))
        self._finish(Outcome.ACKNOWLEDGED)

    def _end_unicast(self) -> None:
        """Hand a unicast frame to its addressee, whose radio acknowledges."""
        air = self._air
        air.speaking = self
        mpdu = self._queue[0][0]
        rate, channel = self._rate, self._channel
        start_us, now_us = self._start_us, air.clock.now_us
        long_range = rate in LR_RATES
        receptions = _UNHEARD
        acknowledged = False
        ack_rate = response_rate(rate)
        ack_us = SIFS_US + airtime_us(ACK_LENGTH, ack_rate)
        hearers = self._find_hearers(rate)
        on_miss = air.on_miss
        owners = air._owners.get(mpdu[4:10], ())
        if on_miss is not None and not owners:
            on_miss(self, None, MissReason.NOBODY)
        for link in owners:
            reception = hearers.get(link)
            if reception is None:
                if on_miss is not None and link is not self:
                    on_miss(self, link, MissReason.OUT_OF_RANGE)
                continue
            config = link.config
            if (
                config.channel == channel
                and config.receiver_on
                and link._tuned_us <= start_us
                and link._sending_until_us <= start_us
                and (config.power_save is None or link._is_awake(start_us))
                and not (long_range and not config.protocols & ProtocolBit.LR)
                and not air._is_lost(self, link)
            ):
                receptions = (*receptions, reception)
                answered = self in link._find_hearers(ack_rate) and not air._is_lost(link, self)
                acknowledged = acknowledged or answered
                link._sending_until_us = now_us + ack_us
                if config.power_save is not None:
                    link._awake_until_us = now_us + ack_us + config.power_save.linger_us
                if on_miss is not None and not answered:
                    on_miss(self, link, MissReason.ACK_LOST)
                link.station.received(mpdu, reception[1], channel, rate, now_us)
            elif on_miss is not None and link is not self:
                on_miss(self, link, link._why_missed(self))
        observer = air.observer
        if observer is not None:
            observer(Transmission(start_us, now_us, self.name, mpdu, channel, rate, self._attempt, receptions))
            for station, _ in receptions:
                heard = air._links[station]._find_hearers(ack_rate).get(self) if acknowledged else None
                back = _UNHEARD if heard is None else (heard,)
                begin_us, end_us, answer = now_us + SIFS_US, now_us + ack_us, ack(mpdu[10:16])
                observer(Transmission(begin_us, end_us, station, answer, channel, ack_rate, 1, back))
        if acknowledged:
            air.clock.call_at(now_us + ack_us, self._acknowledged)
        else:
            # ACKTimeout: SIFS, a slot and the beginning of the answer that does not come; taken as its whole length.
            air.clock.call_at(now_us + ack_us + air._timing.slot_us, self._unacknowledged)

    def _acknowledged(self) -> None:
        self._finish(Outcome.ACKNOWLEDGED)

    def _unacknowledged(self) -> None:
        """Try again, or give up."""
        if self._attempt >= self.config.attempts:
            self._finish(Outcome.NOT_ACKNOWLEDGED)
            return
        mpdu, token = self._queue[0]
        self._queue[0] = with_retry(mpdu), token
        self._cw = min(2 * self._cw + 1, self._air._timing.cw_max)
        self._contend()

    def _is_awake(self, at_us: int) -> bool:
        """Return whether a station in power save has its receiver on at an instant."""
        save = self.config.power_save
        if save is None or at_us < self._awake_until_us:
            return True
        return (at_us - save.first_us) % save.period_us < save.on_us

    def _why_missed(self, sender: AirLink) -> MissReason:
        """Return why this station did not get the frame that `sender` has just sent and whose signal reached it."""
        config = self.config
        start_us = sender._start_us
        if not config.addresses or not config.receiver_on:
            return MissReason.RECEIVER_OFF
        if config.channel != sender._channel:
            return MissReason.OTHER_CHANNEL
        if self._tuned_us > start_us:
            return MissReason.RETUNED
        if self._sending_until_us > start_us:
            return MissReason.SENDING
        if not self._is_awake(start_us):
            return MissReason.ASLEEP
        if sender._rate in LR_RATES and not config.protocols & ProtocolBit.LR:
            return MissReason.NO_LONG_RANGE
        return MissReason.LOST

    @property
    def token(self) -> int:
        """The token of the frame that it is sending, or waits to send next; 0 when there is none."""
        return self._queue[0][1] if self._queue else 0

    def rssi_dbm(self, receiver: AirLink) -> float:
        """Return how strong the signal of this station is at another, in dBm, whether or not that decodes it."""
        distance_m = math.dist(self.position, receiver.position)
        return self.config.tx_power_dbm - self._air._propagation.loss_db(distance_m)

    def _finish(self, outcome: Outcome) -> None:
        """Tell the station, and begin with the next frame."""
        token = self._queue.popleft()[1]
        attempts = self._attempt
        save = self.config.power_save
        if save is not None:
            self._awake_until_us = self._air.clock.now_us + save.linger_us
        if self._queue:
            self._begin()
        self.station.outcome(token, outcome, attempts, self._air.clock.now_us)

    def _find_hearers(self, rate: int) -> dict[AirLink, Reception]:
        """Return who hears this station at a rate and how, whatever they are tuned to; it may be among them itself."""
        air = self._air
        power_dbm = self.config.tx_power_dbm
        key = air._layout, power_dbm
        if key != self._hearers_key:
            self._hearers, self._hearers_key = {}, key
        hearers = self._hearers.get(rate)
        if hearers is None:
            hearers = self._hearers[rate] = air._heard_from(self.position, power_dbm, rate)
        return hearers


class _Nobody:
    """Who is above a link that is closed (`espnow.link.Station`)."""

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        """Hear nothing."""

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Ask for nothing."""


def _order(found: tuple[AirLink, float]) -> int:
    return found[0].order

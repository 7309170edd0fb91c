"""The stations of one air, and what the kernel says of their frames.

Rules, beside those of `espnow.air`:

- The kernel runs inside one timer of the clock, up to the first instant at which anything else may happen.
- What a station heard and what became of its frame it is told when the kernel has finished with that event, in the
  order in which the stations were made.
- A frame of an air's observer is the one that was on the air, also where none was made since no program could tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol, runtime_checkable

from espnow.air.airlink import AirLink
from espnow.air.crowd import Crowd, Message
from espnow.air.kernel import FRAME, GROUP_ADDRESS, NOWHERE, OFF
from espnow.air.medium import Medium, whole_dbm
from espnow.air.propagation import HEIGHT_M, LogDistance, Position, Propagation
from espnow.air.scene import Access, Place, Receiver, Traffic, check_stations
from espnow.air.telling import rates_of, start_traffic, streams_of
from espnow.air.transmission import MissReason, Reception, Transmission
from espnow.frame import ack
from espnow.link import Clock, RadioConfig, Timer

__all__ = ["Air", "AirTiming"]

#: A time in the kernel from here on never comes.
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


@runtime_checkable
class _Leaping(Protocol):
    """A clock whose time an event may move."""

    @property
    def is_watched(self) -> bool:
        """Whether somebody looks after each instant."""

    def latest_us(self) -> int:
        """Return the last instant up to which nothing else happens: now, or later."""

    def leap(self, at_us: int) -> None:
        """Move time to a later instant up to that."""


class Air:
    """One place in which radios hear each other.

    Attributes:
        medium: who hears whom how well, and when who sends.
        observer: called with each transmission of a link's station, and each that one heard, when it ends; or None.
        on_miss: called as ``on_miss(sender, receiver, reason)`` at the end of each transmission for the addressee that
            did not decode and answer it (receiver None: no active interface has the address), or for each station in
            range that did not decode a broadcast; or None. `sender.token` says which frame.
        on_delivery: called as ``on_delivery(sender)`` when stations without links decoded a link's frame that was for
            them; or None.
        speaking: whose frame is being handed to those who heard it, or was last; None if it has no link.
    """

    def __init__(
        self,
        clock: Clock,
        stream: Callable[[str], Random],
        *,
        propagation: Propagation | None = None,
        loss: float = 0.0,
        timing: AirTiming | None = None,
        receiver: Receiver | None = None,
    ) -> None:
        """Make an empty air.

        Args:
            clock: the owner of time.
            stream: returns the random stream of a name, the same for the same name.
            propagation: who hears whom how well.
            loss: probability that a frame, or an acknowledgement, is lost between two stations, unless `set_loss` says
                otherwise.
            timing: when stations transmit.
            receiver: what receivers need.
        """
        self.clock = clock
        self.timing = timing or AirTiming()
        access = Access(
            slot_us=self.timing.slot_us,
            difs_us=self.timing.difs_us,
            cw_min=self.timing.cw_min,
            cw_max=self.timing.cw_max,
        )
        self.medium = Medium(propagation or LogDistance(), access, receiver or Receiver(), stream, loss=loss)
        self.observer: Callable[[Transmission], None] | None = None
        self.on_miss: Callable[[AirLink, AirLink | None, MissReason], None] | None = None
        self.on_delivery: Callable[[AirLink], None] | None = None
        self.speaking: AirLink | None = None
        self._leaping = clock if isinstance(clock, _Leaping) else None
        self._links: dict[str, AirLink] = {}
        self._by_number: dict[int, AirLink] = {}
        self._crowds: list[Crowd] = []
        self._owners: dict[bytes, list[AirLink]] = {}
        self._trying: dict[bytes, set[AirLink]] = {}  # to an address: whose numbers depend on who has it
        self._receptions: dict[int, tuple[dict[int, int], dict[int, Reception]]] = {}  # of each sender, by its levels
        self._waiting = 0  # links with a frame
        self._timer: Timer | None = None
        self._armed = _NEVER_US, False
        self._running = False
        self._looked_for = -1, -1  # who sent at once with which frame
        self._looked_at: set[int] = set()
        self._at_once: list[int] = []

    @property
    def loss(self) -> float:
        """Probability that a frame, or an acknowledgement, is lost between two stations; see `set_loss`."""
        return self.medium.loss

    @loss.setter
    def loss(self, probability: float) -> None:
        self.medium.loss = probability

    def attach(self, name: str, position: Position, *, height_m: float = HEIGHT_M, antenna_dbi: float = 0.0) -> AirLink:
        """Return the link of a new station; its `station` must be set before time goes on.

        Args:
            name: unique.
            position: metres, east and north.
            height_m: of its antenna above the ground.
            antenna_dbi: gain of its antenna, in all directions.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._links:
            raise ValueError(f"there is a station {name!r} already")
        number = self.medium.add(name, position, height_m=height_m, antenna_dbi=antenna_dbi)
        stream = self.medium.add_stream()
        self.medium.kernel.set_script(number, stream)
        link = AirLink(self, name, number)
        self._links[name] = self._by_number[number] = link
        link.apply(None)
        return link

    def populate(
        self,
        name: str,
        places: Sequence[Place],
        traffic: Sequence[Traffic],
        *,
        mac: bytes,
        names: Sequence[str] | None = None,
        links: Sequence[AirLink] = (),
        asleep: Collection[int] = (),
        message: Message | None = None,
    ) -> Crowd:
        """Add stations without links, which send by themselves from now on.

        Args:
            name: what they are called together.
            places: the stations.
            traffic: what they send; times count from now.
            mac: the first one's address, 6 bytes; the others' follow.
            names: what each is called; None: by that name and its number.
            links: whom they can send to besides each other: the first is number ``len(places)``.
            asleep: numbers of stations that hear nothing but answers to what they send.
            message: returns what a message holds that a link's station hears; see `Crowd`.

        Raises:
            ValueError: a traffic is of or for a station that is not there.
            UserError: there is no room.
        """
        check_stations(traffic, len(places), len(places) + len(links))
        for number, one in enumerate(traffic):
            if one.answer is not None and one.to >= len(places):
                raise ValueError(
                    f"traffic {number}: answer is for stations without programs: a board's program answers"
                )
        for number in asleep:
            if not 0 <= number < len(places):
                raise ValueError(f"asleep has {number!r}, and must have numbers of places, below {len(places)}")
        medium = self.medium
        for rate in sorted(rates_of(traffic)):
            medium.use_rate(rate)
        if names is None:
            names = [f"{name}-{number}" for number in range(len(places))]
        first = medium.add_all(names, places)
        stream = medium.add_stream(streams_of(traffic))
        crowd = Crowd(medium, name, names, first, mac, traffic, stream, links, message)
        self._crowds.append(crowd)
        medium.kernel.set_time(self.clock.now_us)
        for number in asleep:
            medium.kernel.set_receiver(first + number, OFF, True)
        medium.refresh()
        if any(one.answer is not None or one.flood is not None for one in traffic):
            medium.reserve()
        numbers = [*range(first, first + len(places)), *(link.number for link in links)]
        drifts_ppm = [place.drift_ppm for place in places]
        start_traffic(
            medium.kernel,
            traffic,
            numbers,
            stream,
            medium.event_chance(name),
            self.clock.now_us,
            drifts_ppm=drifts_ppm,
        )
        self.arm()
        return crowd

    def set_loss(self, sender: str, receiver: str, probability: float) -> None:
        """Let frames from one station to another be lost with this probability, from now on."""
        self.medium.set_loss(self._links[sender].number, self._links[receiver].number, probability)

    def move(self, link: AirLink, position: Position) -> None:
        """Put a station elsewhere, from the next transmission on."""
        self.medium.move(link.number, position)

    # For the links.

    def own(self, link: AirLink, old: RadioConfig, new: RadioConfig) -> None:
        """Note which addresses a station has now."""
        owners = self._owners
        for _, address in old.addresses:
            owners[address].remove(link)
            if not owners[address]:  # a program may take any number of addresses, one after the other
                del owners[address]
        for _, address in new.addresses:
            owners.setdefault(address, []).append(link)
        for _, address in (*old.addresses, *new.addresses):
            for sender in self._trying.get(address, ()):
                self.medium.kernel.set_target(sender.number, self._target(sender, address))

    def begin(self, link: AirLink, address: bytes, rate: int, us: int, attempts: int) -> None:
        """Let the kernel have the frame at the head of a link's queue."""
        self.medium.use_rate(rate)
        self.medium.refresh()
        kernel = self.medium.kernel
        now_us = self.clock.now_us
        self._waiting += 1
        if address[0] & 1:
            to, deadline_us = GROUP_ADDRESS, _NEVER_US
        else:
            self._trying.setdefault(address, set()).add(link)
            to, deadline_us = self._target(link, address), max(now_us, now_us + self.timing.lifetime_us - us)
        kernel.set_time(now_us)
        kernel.offer(link.number, to, rate, us, attempts, deadline_us)
        self.arm()

    def finish(self, link: AirLink, address: bytes) -> None:
        """Note that a frame is done with."""
        self._waiting -= 1
        if not address[0] & 1:
            trying = self._trying[address]
            trying.discard(link)
            if not trying:
                del self._trying[address]

    def arm(self) -> None:
        """Let the clock call the kernel when its next event is due."""
        if self._running:
            return
        at_us = self.medium.kernel.next_us()
        background = not self._waiting and not self._crowds
        if self._timer is not None:
            if (at_us, background) == self._armed:
                return
            self._timer.cancel()
            self._timer = None
        self._armed = at_us, background
        if at_us < _NEVER_US:
            self._timer = self.clock.call_at(at_us, self._run, background=background)

    def model(self, address: bytes) -> str | None:
        """Return what the station without a link is called that has an address; None if none has it."""
        number = self.model_number(address)
        return None if number is None else self.medium.names[number]

    def model_number(self, address: bytes) -> int | None:
        """Return the number of the station without a link that has an address."""
        for crowd in self._crowds:
            number = crowd.number_of(address)
            if number is not None:
                return number
        return None

    def in_range(self, link: AirLink, rate: int) -> list[AirLink]:
        """Return the links that a link's signal reaches strongly enough for a rate."""
        self.medium.refresh()
        return [
            other
            for number in self.medium.kernel.row(link.number)[1]
            if (other := self._by_number.get(number)) is not None and self.medium.is_heard(link.number, number, rate)
        ]

    def others(self, sender: AirLink, receiver: int) -> list[str]:
        """Return who else was on the air at a station during the frame that a link sent last, the strongest first.

        Known at that frame's end, and looked for among those whom the station itself reaches.

        Args:
            sender: the link.
            receiver: the station's number.
        """
        kernel = self.medium.kernel
        begin_us, end_us, channel, _, frame = kernel.air(sender.number)
        if (sender.number, frame) != self._looked_for:  # many may miss one frame: each station is looked at once
            self._looked_for = sender.number, frame
            self._looked_at = {sender.number}
            self._at_once = []
        around = kernel.row(receiver)[1]
        for other in set(around) - self._looked_at:
            from_us, to_us, there, _, _ = kernel.air(other)
            if from_us < end_us and to_us > begin_us and there == channel:
                self._at_once.append(other)
        self._looked_at.update(around)
        found = sorted((-kernel.mw_of(other, receiver), other) for other in self._at_once)
        return [self.medium.names[other] for mw, other in found if mw]

    # What the kernel says.

    def _run(self) -> None:
        """Let the kernel go on until something else may happen."""
        self._timer = None
        self._running = True
        leaping, medium = self._leaping, self.medium
        limit_us = self.clock.now_us if leaping is None else leaping.latest_us()
        try:
            medium.refresh()
            while medium.kernel.run(limit_us):
                self._leap()
                self._tell()
                medium.refresh()
                if leaping is not None:
                    if leaping.is_watched:
                        break  # somebody looks after each instant
                    limit_us = leaping.latest_us()
            self._leap()
        finally:
            self._running = False
            self.arm()

    def _leap(self) -> None:
        leaping = self._leaping
        if leaping is not None:
            at_us = self.medium.kernel.now_us
            if at_us > self.clock.now_us:
                leaping.leap(at_us)

    def _tell(self) -> None:
        """Tell the links what the last event was to them."""
        kernel = self.medium.kernel
        finished = tuple(kernel.finished)
        try:
            if kernel.ended >= 0:
                if kernel.ended_kind == FRAME:
                    self._end_frame(kernel.ended)
                else:
                    self._end_answer(kernel.ended)
        finally:  # whatever somebody who looks on raises
            for number, answered, attempts in finished:
                self._by_number[number].finish(answered, attempts)

    def _end_frame(self, number: int) -> None:
        """Hand a frame to those who heard it."""
        kernel = self.medium.kernel
        heard, decoded, answered = kernel.heard, kernel.decoded, kernel.answered
        begin_us, end_us, channel, rate, _ = kernel.air(number)
        *_, attempt = kernel.message()
        sender = self.speaking = self._by_number.get(number)
        mpdu = self._crowd_of(number).frame(number) if sender is None else sender.on_air(attempt)
        group = mpdu[4] & 1
        if group:
            numbers = sorted(heard)
            receivers = [*map(self._by_number.__getitem__, numbers)]
        else:
            receivers = [link for link in self._owners.get(mpdu[4:10], ()) if link.number in heard]
            numbers = [link.number for link in receivers]
        now_us = self.clock.now_us
        as_it_was = kernel.is_as_it_was(number)
        levels = self.medium.levels(number) if as_it_was else {}  # those of when the frame began
        for other, link in zip(numbers, receivers, strict=True):
            rssi_dbm = levels.get(other)
            if rssi_dbm is None:
                if as_it_was:
                    rssi_dbm = self.medium.rssi_dbm(number, other)
                else:
                    mw = kernel.mw_of(number, other)
                    rssi_dbm = whole_dbm(10 * math.log10(mw)) if mw > 0 else -127
                levels[other] = rssi_dbm
            link.station.received(mpdu, rssi_dbm, channel, rate, now_us)
        if sender is not None:
            if self.on_delivery is not None and (decoded > len(heard) if group else answered and not receivers):
                self.on_delivery(sender)
            if self.on_miss is not None:
                self._tell_misses(sender, mpdu, receivers, bool(answered))
        if self.observer is not None:
            name = self.medium.names[number]
            observed = self._observed(number, numbers, levels)
            if answered and not receivers and (model := self.model_number(mpdu[4:10])) is not None:
                observed = (Reception(self.medium.names[model], self.medium.rssi_dbm(number, model)),)
            models = decoded - len(heard) if group else 0
            self.observer(Transmission(begin_us, end_us, name, mpdu, channel, rate, attempt, observed, models))

    def _observed(self, number: int, numbers: list[int], levels: dict[int, int]) -> tuple[Reception, ...]:
        """Return how a frame of a station was heard; while it is heard as before, the values are the same ones."""
        known, receptions = self._receptions.get(number, ({}, {}))
        if known is not levels:
            receptions = {}
            self._receptions[number] = levels, receptions
        try:
            return tuple(map(receptions.__getitem__, numbers))
        except KeyError:
            for other in numbers:
                receptions[other] = Reception(self._by_number[other].name, levels[other])
            return tuple(map(receptions.__getitem__, numbers))

    def _tell_misses(self, sender: AirLink, mpdu: bytes, receivers: list[AirLink], answered: bool) -> None:
        """Say who did not get a frame, and why."""
        on_miss = self.on_miss
        assert on_miss is not None
        if mpdu[4] & 1:
            for link in sender.in_range():
                if link not in receivers:
                    on_miss(sender, link, link.why_missed(sender))
            return
        owners = self._owners.get(mpdu[4:10], ())
        if not owners and not answered:
            model = self.model_number(mpdu[4:10])
            reason = MissReason.NOBODY if model is None else self._why_model_missed(sender, model)
            on_miss(sender, None, reason)
        in_range = sender.in_range()
        for link in owners:
            if link is sender or link in receivers:
                continue
            on_miss(sender, link, link.why_missed(sender) if link in in_range else MissReason.OUT_OF_RANGE)

    def _why_model_missed(self, sender: AirLink, model: int) -> MissReason:
        kernel = self.medium.kernel
        _, _, channel, rate, frame = kernel.air(sender.number)
        listens, receiver = kernel.listens(model)
        if listens != channel:
            return MissReason.OTHER_CHANNEL
        if receiver == OFF:
            return MissReason.RECEIVER_OFF
        if not self.medium.is_heard(sender.number, model, rate):
            return MissReason.OUT_OF_RANGE
        lost, alone = kernel.lost(model)
        return MissReason.LOST if lost == frame and alone else MissReason.COLLIDED

    def _end_answer(self, number: int) -> None:
        """Show an acknowledgement."""
        kernel = self.medium.kernel
        begin_us, end_us, channel, rate, _ = kernel.air(number)
        to = kernel.answers_to(number)
        sender = self._by_number.get(to)
        if self.on_miss is not None and sender is not None and not kernel.answered:
            self.on_miss(sender, self._by_number.get(number), MissReason.ACK_LOST)
        if self.observer is not None:
            names = self.medium.names
            answer = ack(self._crowd_of(to).mac(to) if sender is None else sender.address)
            back = (Reception(names[to], self.medium.rssi_dbm(number, to)),) if kernel.answered else _UNHEARD
            self.observer(Transmission(begin_us, end_us, names[number], answer, channel, rate, 1, back))

    def _target(self, sender: AirLink, address: bytes) -> int:
        """Return the number of the station that answers for an address."""
        owners = [link for link in self._owners.get(address, ()) if link is not sender]
        if not owners:
            model = self.model_number(address)
            return NOWHERE if model is None else model
        if len(owners) > 1:  # of those who share it, one answers: the first that can
            owners.sort(key=lambda link: not link.may_hear(sender))
        return owners[0].number

    def _crowd_of(self, number: int) -> Crowd:
        return next(crowd for crowd in self._crowds if crowd.first <= number < crowd.first + len(crowd))

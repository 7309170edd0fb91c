"""What an access point does: a board's own AP interface, and the routers of a lab.

Rules:

- One machine for both. It knows its `Radio` (time, sending, the sequence number, chance), and nothing of boards.
- It beacons as a chore in the background: no lab goes on for the sake of beacons alone.
- The key is never compared: whoever answers the handshake with a wrong MIC has another one.
- What arrives may be hostile: a frame out of turn is answered with the reason that 802.11 has for it, or not at all.

Follows IEEE 802.11-2020, clause 11.3 (authentication, association), 11.8.8 (channel switch) and 12.7.6 (handshake).
Addresses are given without DHCP's frames: the association response carries them (`espnow.frame.management`).
How long it waits where, and that a station keeps its address, is assumed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from espnow.board.wifi_values import AccessPoint
from espnow.frame.handshake import (
    KeyFrame,
    KeyMessage,
    PairwiseKeys,
    build_key_frame,
    mic_is_right,
    pairwise_keys,
    primary_key,
)
from espnow.frame.kinds import PROTECTED_SECURITY
from espnow.frame.mac80211 import BROADCAST, format_mac
from espnow.frame.management import (
    Advertisement,
    AssociationRequest,
    AssociationResponse,
    Authentication,
    Farewell,
    Lease,
    NullData,
    ProbeRequest,
    Reason,
    Status,
    WifiFrame,
    build_advertisement,
    build_association_response,
    build_authentication,
    build_farewell,
)
from espnow.link import Clock, Timer

__all__ = ["ApTiming", "JoinedStation", "Radio", "ServiceSet"]

#: Addresses of a network that are given to stations: .2 and up.
_FIRST_HOST = 2
_LAST_HOST = 254
_NOTHING = bytes(32)


@dataclass(frozen=True, slots=True)
class ApTiming:
    """How often an access point does what.

    Attributes:
        beacon_us: from one beacon to the next. Assumed: what access points come with.
        switch_beacons: how many beacons announce a change of the channel. Assumed.
        key_retry_us: how long it waits for an answer in the handshake. Assumed.
        key_tries: how often it asks in all. Assumed.
        silence_us: a station that is silent for so long is forgotten: ``esp_wifi_set_inactive_time``'s default.
    """

    beacon_us: int = 102_400
    switch_beacons: int = 5
    key_retry_us: int = 400_000
    key_tries: int = 3
    silence_us: int = 300_000_000


class Radio(Protocol):
    """What an access point needs of what it is in."""

    @property
    def clock(self) -> Clock:
        """The owner of time."""

    @property
    def at_home(self) -> bool:
        """Whether the receiver is on the channel that its interfaces share, and not away in a search."""

    def send_frame(self, mpdu: bytes) -> None:
        """Hand a frame to the link; one that finds no room is lost."""

    def take_sequence(self) -> int:
        """Return the next sequence number of the access point's address."""

    def random_bytes(self, length: int) -> bytes:
        """Return so many random bytes."""


class JoinedStation:
    """What an access point knows of one station.

    Attributes:
        mac: its address.
        association_id: 1 and up; 0 before association.
        ip: the address that it was given.
        joined: associated, and its key was right.
        power_save: it told that its receiver sleeps.
        heard_us: when it was heard last.
    """

    __slots__ = (
        "association_id",
        "counter",
        "heard_us",
        "ip",
        "joined",
        "keys",
        "mac",
        "nonce",
        "power_save",
        "timer",
        "tries",
    )

    def __init__(self, mac: bytes, now_us: int) -> None:
        self.mac = mac
        self.association_id = 0
        self.ip = ""
        self.joined = False
        self.power_save = False
        self.heard_us = now_us
        self.counter = 0
        self.keys: PairwiseKeys | None = None
        self.nonce = _NOTHING
        self.timer: Timer | None = None
        self.tries = 0

    def __repr__(self) -> str:
        return f"<JoinedStation {format_mac(self.mac)} {self.ip or 'joining'}>"

    def quiet(self) -> None:
        """Forget what was asked of it."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class ServiceSet:
    """An access point and the stations that joined it: a basic service set.

    Attributes:
        bssid: its address.
        access_point: its name, key and limits.
        channel: where it is.
        running: between `start` and `stop`.
        stations: who authenticated or joined, by address.
    """

    __slots__ = (
        "_begin_us",
        "_group_key",
        "_hosts",
        "_network",
        "_next_us",
        "_on_switch",
        "_radio",
        "_switch_channel",
        "_switch_count",
        "_timer",
        "_timing",
        "access_point",
        "bssid",
        "channel",
        "running",
        "stations",
    )

    def __init__(
        self,
        radio: Radio,
        bssid: bytes,
        access_point: AccessPoint,
        *,
        channel: int,
        network: bytes,
        timing: ApTiming | None = None,
    ) -> None:
        """Make one that is silent.

        Args:
            radio: what it sends with.
            bssid: its address.
            access_point: its name, key and limits.
            channel: where it is.
            network: the first three bytes of its addresses.
            timing: how often it does what.
        """
        self.bssid = bssid
        self.access_point = access_point
        self.channel = channel
        self.running = False
        self.stations: dict[bytes, JoinedStation] = {}
        self._radio = radio
        self._network = network
        self._timing = timing or ApTiming()
        self._hosts: dict[bytes, int] = {}
        self._timer: Timer | None = None
        self._begin_us = self._next_us = 0
        self._group_key = bytes(16)
        self._switch_channel = self._switch_count = 0
        self._on_switch: Callable[[int], None] | None = None

    @property
    def joined(self) -> list[JoinedStation]:
        """The stations that joined, in the order in which they were first heard of."""
        return [station for station in self.stations.values() if station.joined]

    def start(self) -> None:
        """Begin to beacon."""
        if self.running:
            return
        self.running = True
        self._group_key = self._radio.random_bytes(16)
        self._begin_us = self._next_us = self._radio.clock.now_us
        self._arm()

    def stop(self) -> None:
        """Fall silent at once and forget every station; nobody is told."""
        self.running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for station in self.stations.values():
            station.quiet()
        self.stations.clear()
        self._switch_channel = self._switch_count = 0

    def dismiss(self, reason: Reason = Reason.ACCESS_POINT_LEAVES) -> None:
        """Tell every station to leave, and forget them."""
        if self.stations:
            self._send_farewell(BROADCAST, reason)
        for station in self.stations.values():
            station.quiet()
        self.stations.clear()

    def switch_channel(self, channel: int, on_switch: Callable[[int], None]) -> None:
        """Announce another channel in the next beacons, then go there.

        Args:
            channel: where to.
            on_switch: called with it when it is time to tune the radio.
        """
        self._switch_channel = channel
        self._switch_count = self._timing.switch_beacons
        self._on_switch = on_switch

    # Beacons.

    def _arm(self) -> None:
        self._next_us += self._timing.beacon_us
        self._timer = self._radio.clock.call_at(self._next_us, self._beacon, background=True)

    def _beacon(self) -> None:
        self._arm()
        if self._switch_channel and not self._switch_count:
            self.channel, self._switch_channel = self._switch_channel, 0
            if self._on_switch is not None:
                self._on_switch(self.channel)
        if self._radio.at_home:
            self._radio.send_frame(
                build_advertisement(self._advertisement(hidden=None), seq=self._radio.take_sequence())
            )
        if self._switch_count:
            self._switch_count -= 1
        if self.stations:
            silent_us = self._radio.clock.now_us - self._timing.silence_us
            for station in [station for station in self.stations.values() if station.heard_us < silent_us]:
                self._send_farewell(station.mac, Reason.INACTIVITY)
                self._forget(station)

    def _advertisement(self, *, hidden: bool | None) -> Advertisement:
        access_point = self.access_point
        keep_back = access_point.hidden if hidden is None else hidden
        return Advertisement(
            self.bssid,
            b"" if keep_back else access_point.ssid,
            self.channel,
            access_point.security,
            self._timing.beacon_us,
            self._radio.clock.now_us - self._begin_us,
            self._switch_channel,
            self._switch_count,
        )

    # What arrives.

    def received(self, frame: WifiFrame) -> None:
        """Take a frame for this access point, or a question to all."""
        if not self.running or not self._radio.at_home:
            return
        if isinstance(frame, Advertisement | AssociationResponse) or frame.source[0] & 1:
            return  # not for an access point; or an answer would go to everybody
        if isinstance(frame, ProbeRequest):
            self._answer_probe(frame)
        elif isinstance(frame, Authentication):
            if frame.bssid == self.bssid:
                self._authenticate(frame)
        else:
            station = self.stations.get(frame.source)
            if station is not None:
                station.heard_us = self._radio.clock.now_us
            if isinstance(frame, AssociationRequest):
                self._associate(frame, station)
            elif isinstance(frame, Farewell):
                if station is not None:
                    self._forget(station)
            elif station is None or not station.association_id:
                self._send_farewell(frame.source, Reason.NOT_ASSOCIATED)
            elif isinstance(frame, NullData):
                station.power_save = frame.power_save
            else:
                self._take_key(frame, station)

    def _answer_probe(self, frame: ProbeRequest) -> None:
        access_point = self.access_point
        if frame.ssid == access_point.ssid or (not frame.ssid and not access_point.hidden):
            self._radio.send_frame(
                build_advertisement(
                    self._advertisement(hidden=False), seq=self._radio.take_sequence(), destination=frame.source
                )
            )

    def _authenticate(self, frame: Authentication) -> None:
        if frame.step != 1:
            return
        status = Status.SUCCESS
        known = self.stations.get(frame.source)
        if frame.algorithm:
            status = Status.OTHER_ALGORITHM
        elif known is not None:  # it begins anew
            self._forget(known)
        if not status and len(self.stations) >= min(self.access_point.max_clients, _LAST_HOST - _FIRST_HOST):
            status = Status.TOO_MANY_STATIONS
        if not status:
            self.stations[frame.source] = JoinedStation(frame.source, self._radio.clock.now_us)
        answer = Authentication(frame.source, self.bssid, self.bssid, frame.algorithm, 2, status)
        self._radio.send_frame(build_authentication(answer, seq=self._radio.take_sequence()))

    def _associate(self, frame: AssociationRequest, station: JoinedStation | None) -> None:
        if station is None:
            self._send_farewell(frame.source, Reason.NOT_AUTHENTICATED)
            return
        access_point = self.access_point
        status = Status.SUCCESS
        if frame.ssid != access_point.ssid:
            status = Status.UNSPECIFIED
        elif access_point.protected and frame.security not in PROTECTED_SECURITY:
            status = Status.INVALID_ELEMENT
        lease = None
        if not status:
            taken = [other.association_id for other in self.stations.values() if other is not station]
            station.association_id = next(number for number in range(1, 2008) if number not in taken)
            lease = self._lease(station)
        answer = AssociationResponse(station.mac, self.bssid, status, station.association_id, lease)
        self._radio.send_frame(
            build_association_response(answer, seq=self._radio.take_sequence(), security=access_point.security)
        )
        if not status:
            if access_point.protected:
                station.joined = False
                station.keys = None
                station.nonce = self._radio.random_bytes(32)
                station.tries = 0
                self._ask_key(station)
            else:
                station.joined = True

    def _lease(self, station: JoinedStation) -> Lease:
        host = self._hosts.get(station.mac)
        if host is None:
            if len(self._hosts) > _LAST_HOST - _FIRST_HOST:  # those that left make room
                self._hosts = {mac: number for mac, number in self._hosts.items() if mac in self.stations}
            taken = self._hosts.values()
            host = next(number for number in range(_FIRST_HOST, _LAST_HOST + 1) if number not in taken)
            self._hosts[station.mac] = host
        address = self._network + bytes((host,))
        station.ip = ".".join(map(str, address))
        return Lease(address, self._network + b"\x01")

    # The handshake.

    def _ask_key(self, station: JoinedStation) -> None:
        """Send the first message, or the third once the second was right; again and again, then give up."""
        station.quiet()
        if station.tries >= self._timing.key_tries:
            self._send_farewell(station.mac, Reason.HANDSHAKE_TIMEOUT)
            self._forget(station)
            return
        station.tries += 1
        station.counter += 1
        keys = station.keys
        self._radio.send_frame(
            build_key_frame(
                KeyMessage.FIRST if keys is None else KeyMessage.THIRD,
                bssid=self.bssid,
                station=station.mac,
                replay_counter=station.counter,
                seq=self._radio.take_sequence(),
                nonce=station.nonce,
                keys=keys,
                security=self.access_point.security,
                group_key=self._group_key,
            )
        )
        station.timer = self._radio.clock.call_at(
            self._radio.clock.now_us + self._timing.key_retry_us, lambda: self._ask_key(station)
        )

    def _take_key(self, frame: KeyFrame, station: JoinedStation) -> None:
        if station.timer is None or frame.replay_counter != station.counter:
            return
        if frame.message is KeyMessage.SECOND and station.keys is None:
            access_point = self.access_point
            keys = pairwise_keys(
                primary_key(access_point.key, access_point.ssid), self.bssid, station.mac, (station.nonce, frame.nonce)
            )
            if mic_is_right(frame, keys):
                station.keys = keys
                station.tries = 0
                self._ask_key(station)
        elif frame.message is KeyMessage.FOURTH and station.keys is not None and mic_is_right(frame, station.keys):
            station.quiet()
            station.joined = True

    def _forget(self, station: JoinedStation) -> None:
        station.quiet()
        self.stations.pop(station.mac, None)

    def _send_farewell(self, destination: bytes, reason: Reason) -> None:
        frame = Farewell(destination, self.bssid, self.bssid, reason)
        self._radio.send_frame(build_farewell(frame, seq=self._radio.take_sequence()))

"""How the station interface of a board finds its router, joins it, stays with it and loses it.

Rules:

- It knows its `espnow.board.wifi.Wifi`, which tunes the radio for it, and nothing of programs.
- Each state waits with one timer. The first search for a router is waited for; what repeats for ever (searching again,
  watching for beacons, telling that it is still there) is a chore in the background.
- A key is proved by the handshake alone; what an access point says is believed only from the one that was chosen.

Follows ESP-IDF's ``esp_wifi_connect``: channel after channel until the name is heard, and the strongest of those that
were heard there; and MicroPython's port in how often it tries again. Figures are `espnow.board.wifi.WifiTiming`'s,
assumed where that says so.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

from espnow.board.wifi_values import Joining
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
from espnow.frame.management import (
    Advertisement,
    AssociationRequest,
    AssociationResponse,
    Authentication,
    Farewell,
    Lease,
    NullData,
    Reason,
    WifiFrame,
    build_association_request,
    build_authentication,
    build_farewell,
    build_null,
    build_probe_request,
    parse_wifi,
)
from espnow.link import Absence, PowerSave, Timer

if TYPE_CHECKING:
    from espnow.board.wifi import Wifi

__all__ = ["JoiningStation", "Phase"]

#: Reasons with which an access point ends a handshake in which the key was wrong.
_KEY_REASONS = (Reason.AUTHENTICATION_EXPIRED, Reason.MIC_FAILURE, Reason.HANDSHAKE_TIMEOUT)

#: Where the elements of a beacon begin that stay the same from one to the next: after its timestamp.
_AFTER_TIMESTAMP = 32

#: How long it stays on the channel of a router that it leaves, so that its farewell gets out. Assumed.
_PARTING_US = 10_000

#: How long before the announced beacon a station changes to the announced channel. Assumed.
_SWITCH_EARLY_US = 10_000


class Phase(enum.Enum):
    """What the machine does now."""

    OFF = "nothing"
    SEARCHING = "searching"
    AUTHENTICATING = "authenticating"
    ASSOCIATING = "associating"
    HANDSHAKE = "in the handshake"
    ADDRESSING = "waiting for an address"
    JOINED = "joined"
    RESTING = "waiting to search again"


#: Where the radio is on its router's channel and hears its beacons.
_ASSOCIATED = (Phase.HANDSHAKE, Phase.ADDRESSING, Phase.JOINED)


class JoiningStation:
    """The station interface's side of joining.

    Attributes:
        state: what a program is told.
        phase: what it does.
        network: what it joined or is joining; None without.
        rssi_dbm: how strongly its access point was heard last.
        reason: why its router sent it away, in the state DISMISSED.
        lease: what DHCP gave it when it joined last; None for nothing.
    """

    __slots__ = (
        "_anchor_us",
        "_attempts",
        "_background",
        "_began_us",
        "_bssid",
        "_candidates",
        "_heard_us",
        "_index",
        "_keep_alive",
        "_key",
        "_keys",
        "_nonce",
        "_parted_us",
        "_ssid",
        "_switch",
        "_tail",
        "_timer",
        "_told_save",
        "_tries",
        "_watch",
        "_wifi",
        "lease",
        "network",
        "phase",
        "reason",
        "rssi_dbm",
        "state",
    )

    def __init__(self, wifi: Wifi) -> None:
        """Make one that joins nothing."""
        self._wifi = wifi
        self.state = Joining.IDLE
        self.phase = Phase.OFF
        self.network: Advertisement | None = None
        self.rssi_dbm = -127
        self.reason = 0
        self._ssid = self._key = b""
        self._bssid: bytes | None = None
        self._candidates: dict[bytes, tuple[Advertisement, int, int]] = {}
        self._index = 0
        self._attempts = 0
        self._tries = 0
        self._began_us = 0
        self._background = False
        self._timer: Timer | None = None
        self._watch: Timer | None = None
        self._keep_alive: Timer | None = None
        self._switch: Timer | None = None
        self.lease: Lease | None = None
        self._keys: PairwiseKeys | None = None
        self._nonce = bytes(32)
        self._heard_us = 0
        self._anchor_us = 0
        self._parted_us = 0
        self._tail = b""
        self._told_save = False

    # For the program's calls.

    @property
    def busy(self) -> bool:
        """Whether it is on its way to a router: searching, joining, or between two attempts."""
        return self.phase not in (Phase.OFF, Phase.JOINED)

    @property
    def searching(self) -> bool:
        """Whether it listens for its network now."""
        return self.phase is Phase.SEARCHING

    @property
    def joined(self) -> bool:
        """Whether it has joined, and has an address."""
        return self.phase is Phase.JOINED

    @property
    def off(self) -> bool:
        """Whether it does nothing, and will do nothing by itself."""
        return self.phase is Phase.OFF

    @property
    def bssid(self) -> bytes | None:
        """The address of the access point that it is associated with, or None."""
        return self.network.bssid if self.network is not None and self.phase in _ASSOCIATED else None

    def is_for(self, ssid: bytes, key: bytes) -> bool:
        """Tell whether it joins, or joined, this network with this key."""
        return (ssid, key) == (self._ssid, self._key)

    def connect(self, ssid: bytes, key: bytes, bssid: bytes | None) -> None:
        """Begin to join."""
        self.leave()
        self._ssid, self._key, self._bssid = ssid, key, bssid
        self.state = Joining.CONNECTING
        self._attempts = 0
        self._background = False
        self._begin_round()

    def leave(self) -> bool:
        """Leave the router, or stop searching; return whether a router is being told."""
        bssid = self.bssid
        if bssid is not None:
            mac = self._wifi.station_mac
            frame = Farewell(bssid, mac, bssid, Reason.STATION_LEAVES)
            self._wifi.send_frame(build_farewell(frame, seq=self._wifi.take_sequence()))
            self._parted_us = self._wifi.clock.now_us + _PARTING_US
        self.stop()
        return bssid is not None

    def stop(self) -> None:
        """Stop at once, without a word: no timer is left."""
        was_on = self.phase is not Phase.OFF
        self._quiet()
        self.phase = Phase.OFF
        self.state = Joining.IDLE
        self.network = None
        if was_on:
            self._wifi.station_left()

    # Searching.

    def _begin_round(self) -> None:
        """Begin to listen on one channel after the other."""
        wifi = self._wifi
        self._began_us = wifi.clock.now_us
        if wifi.scanning:  # a scan of the program's has the radio
            self.phase = Phase.RESTING
            self._wait_until(wifi.clock.now_us + wifi.timing.scan_channel_us, self._begin_round)
            return
        self.phase = Phase.SEARCHING
        self._index = 0
        if wifi.clock.now_us < self._parted_us:
            self._wait_until(self._parted_us, self._visit)
        else:
            self._visit()

    def _visit(self) -> None:
        wifi = self._wifi
        timing = wifi.timing
        channels = wifi.allowed_channels
        self._candidates.clear()
        wifi.tune(channels[self._index % len(channels)], Absence.SEARCHING)
        self._index += 1
        wifi.send_frame(build_probe_request(wifi.station_mac, self._ssid, seq=wifi.take_sequence()))
        end_us = min(wifi.clock.now_us + timing.scan_channel_us, self._began_us + timing.no_ap_us)
        self._wait_until(end_us, self._end_visit)

    def _end_visit(self) -> None:
        if self._candidates:
            # The strongest; of equals the one that was heard first.
            network, self.rssi_dbm, at_us = max(self._candidates.values(), key=lambda found: found[1])
            self.network = network
            self._note_time(network, at_us)
            self._ask_anew(Phase.AUTHENTICATING)
        elif self._wifi.clock.now_us >= self._began_us + self._wifi.timing.no_ap_us:
            self._fail(Joining.NO_AP_FOUND)
        else:
            self._visit()

    def sighted(self, network: Advertisement, rssi_dbm: int, at_us: int) -> None:
        """Take note of a network that was heard."""
        if self.phase is not Phase.SEARCHING or network.ssid != self._ssid:
            return
        if self._bssid is not None and network.bssid != self._bssid:
            return
        if network.security and (network.security not in PROTECTED_SECURITY or not self._key):
            return  # it could not be joined
        if network.interval_us and network.channel in self._wifi.allowed_channels:
            self._candidates[network.bssid] = network, rssi_dbm, at_us

    # Authentication and association.

    def _ask_anew(self, phase: Phase) -> None:
        self.phase = phase
        self._tries = 0
        self._ask()

    def _ask(self) -> None:
        wifi, network = self._wifi, self.network
        assert network is not None
        if self._tries >= wifi.timing.answer_tries:
            self._fail(Joining.CONNECT_FAIL)
            return
        self._tries += 1
        bssid, mac = network.bssid, wifi.station_mac
        if self.phase is Phase.AUTHENTICATING:
            frame = build_authentication(Authentication(bssid, mac, bssid, 0, 1, 0), seq=wifi.take_sequence())
        else:
            frame = build_association_request(
                AssociationRequest(mac, bssid, self._ssid, network.security), seq=wifi.take_sequence()
            )
        wifi.send_frame(frame)
        self._wait_until(wifi.clock.now_us + wifi.timing.answer_us, self._ask)

    def received(self, frame: WifiFrame) -> None:
        """Take a frame for the station interface."""
        network = self.network
        if network is None:
            return
        if isinstance(frame, Authentication):
            if self.phase is Phase.AUTHENTICATING and frame.bssid == network.bssid and frame.step == 2:
                if frame.status:
                    self._fail(Joining.CONNECT_FAIL)
                else:
                    self._ask_anew(Phase.ASSOCIATING)
        elif isinstance(frame, AssociationResponse):
            if self.phase is Phase.ASSOCIATING and frame.bssid == network.bssid:
                if frame.status:
                    self._fail(Joining.CONNECT_FAIL)
                else:
                    self._associated(network, frame)
        elif isinstance(frame, KeyFrame):
            if self.phase in _ASSOCIATED and frame.source == network.bssid:
                self._take_key(frame, network)
        elif isinstance(frame, Farewell) and frame.bssid == frame.source == network.bssid:
            self._dismissed(frame.reason)

    def _associated(self, network: Advertisement, frame: AssociationResponse) -> None:
        wifi = self._wifi
        self.lease = frame.lease
        self._heard_us = wifi.clock.now_us
        self._tail = b""
        self._keys = None
        if network.security:
            self.phase = Phase.HANDSHAKE
            self._nonce = wifi.random_bytes(32)
            self._wait_until(
                wifi.clock.now_us + wifi.timing.handshake_us, lambda: self._fail(Joining.HANDSHAKE_TIMEOUT)
            )
        else:
            self._await_address()
        wifi.settle(network.channel)

    def _take_key(self, frame: KeyFrame, network: Advertisement) -> None:
        """Answer a message of the handshake; one whose MIC is wrong is no message."""
        wifi = self._wifi
        if frame.message is KeyMessage.FIRST and self.phase is Phase.HANDSHAKE:
            primary = primary_key(self._key, self._ssid)
            self._keys = pairwise_keys(primary, network.bssid, wifi.station_mac, (frame.nonce, self._nonce))
            answer = KeyMessage.SECOND
        elif frame.message is KeyMessage.THIRD and self._keys is not None and mic_is_right(frame, self._keys):
            answer = KeyMessage.FOURTH
        else:
            return
        wifi.send_frame(
            build_key_frame(
                answer,
                bssid=network.bssid,
                station=wifi.station_mac,
                replay_counter=frame.replay_counter,
                seq=wifi.take_sequence(),
                nonce=self._nonce if answer is KeyMessage.SECOND else bytes(32),
                keys=self._keys,
                security=network.security,
            )
        )
        if answer is KeyMessage.FOURTH and self.phase is Phase.HANDSHAKE:
            self._await_address()

    def _await_address(self) -> None:
        self.phase = Phase.ADDRESSING
        wifi = self._wifi
        self._wait_until(max(wifi.clock.now_us, self._began_us + wifi.timing.join_us), self._arrive)

    def _arrive(self) -> None:
        """The address is there."""
        wifi = self._wifi
        now_us = wifi.clock.now_us
        self._timer = None
        self.phase = Phase.JOINED
        self.state = Joining.JOINED
        self._attempts = 0
        self._heard_us = now_us
        self._told_save = False
        wifi.station_joined(self.lease)
        self._watch = wifi.clock.call_at(now_us + wifi.timing.beacon_loss_us, self._watch_beacons, background=True)
        self._keep_alive = wifi.clock.call_at(now_us + wifi.timing.keep_alive_us, self._tell_alive, background=True)

    # Being joined.

    def hears(self, mpdu: bytes) -> bool:
        """Tell whether a beacon is that of its access point."""
        network = self.network
        return network is not None and self.phase in _ASSOCIATED and mpdu[10:16] == network.bssid

    def beacon(self, mpdu: bytes, rssi_dbm: int, at_us: int) -> None:
        """Take a beacon of its access point.

        Raises:
            FrameError: it says something new that cannot be read.
        """
        self._heard_us = at_us
        self.rssi_dbm = rssi_dbm
        tail = mpdu[_AFTER_TIMESTAMP:]
        if tail == self._tail:
            return
        self._tail = tail
        network = parse_wifi(mpdu)
        if not isinstance(network, Advertisement) or not network.interval_us:
            return
        self._note_time(network, at_us)
        self._wifi.configure()
        if network.switch_channel in self._wifi.allowed_channels and self._switch is None:
            after_us = max(network.switch_count * network.interval_us - _SWITCH_EARLY_US, 0)
            channel = network.switch_channel
            self._switch = self._wifi.clock.call_at(at_us + after_us, lambda: self._follow(channel))

    def _note_time(self, network: Advertisement, at_us: int) -> None:
        """Remember when its beacons come: at whole intervals of its own time."""
        self._anchor_us = at_us - network.timestamp_us % network.interval_us

    def _follow(self, channel: int) -> None:
        self._switch = None
        if self.network is not None:
            self.network = self.network._replace(channel=channel)
            self._wifi.settle(channel)

    def power_save(self, beacons: int) -> PowerSave | None:
        """Return when the receiver is on if it wakes for one of so many beacons; None while it is not joined."""
        network, timing = self.network, self._wifi.timing
        if network is None or self.phase is not Phase.JOINED:
            return None
        first_us = self._anchor_us - timing.awake_us // 2
        return PowerSave(first_us, network.interval_us * beacons, timing.awake_us, timing.linger_us)

    def tell_power_save(self, saves: bool) -> None:
        """Tell the access point whether the receiver sleeps, if it knows otherwise."""
        if self.phase is Phase.JOINED and saves is not self._told_save:
            self._told_save = saves
            self._send_null()

    def _send_null(self) -> None:
        assert self.network is not None
        frame = NullData(self._wifi.station_mac, self.network.bssid, self._told_save)
        self._wifi.send_frame(build_null(frame, seq=self._wifi.take_sequence()))

    def _tell_alive(self) -> None:
        wifi = self._wifi
        self._keep_alive = wifi.clock.call_at(
            wifi.clock.now_us + wifi.timing.keep_alive_us, self._tell_alive, background=True
        )
        if wifi.at_home:
            self._send_null()

    def _watch_beacons(self) -> None:
        wifi = self._wifi
        due_us = self._heard_us + wifi.timing.beacon_loss_us
        if wifi.clock.now_us < due_us:
            self._watch = wifi.clock.call_at(due_us, self._watch_beacons, background=True)
        else:
            self._lose(Joining.BEACON_TIMEOUT)

    # Losing, failing, trying again.

    def _dismissed(self, reason: int) -> None:
        if self.phase in (Phase.AUTHENTICATING, Phase.ASSOCIATING):
            self._fail(Joining.CONNECT_FAIL)
        elif self.phase is Phase.HANDSHAKE:
            if self._keys is not None and reason in _KEY_REASONS:
                self._fail(Joining.WRONG_PASSWORD, self._began_us + self._wifi.timing.wrong_key_us)
            else:
                self._fail(Joining.CONNECT_FAIL)
        elif self.phase in _ASSOCIATED:
            self.reason = reason
            self._lose(Joining.DISMISSED)

    def _lose(self, state: Joining) -> None:
        """What was joined is lost."""
        self._attempts = 0
        self._began_us = self._wifi.clock.now_us - self._wifi.timing.no_ap_us  # the next search begins at once
        self._fail(state)

    def _fail(self, state: Joining, at_us: int = 0) -> None:
        """Give this attempt up, tell so from `at_us` on, and try again as often as the program allows."""
        wifi = self._wifi
        self._quiet()
        self.network = None
        self.phase = Phase.RESTING
        if wifi.clock.now_us < at_us:
            wifi.station_left()
            self._wait_until(at_us, lambda: self._fail(state))
            return
        self.state = state
        self._attempts += 1
        if 0 <= wifi.reconnects < self._attempts:
            self.phase = Phase.OFF
            wifi.station_left()
            return
        self._background = True
        due_us = self._began_us + wifi.timing.no_ap_us
        wifi.station_left()
        if wifi.clock.now_us >= due_us:
            self._begin_round()
        else:
            self._wait_until(due_us, self._begin_round)

    def _wait_until(self, at_us: int, function: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._wifi.clock.call_at(at_us, function, background=self._background)

    def _quiet(self) -> None:
        for timer in (self._timer, self._watch, self._keep_alive, self._switch):
            if timer is not None:
                timer.cancel()
        self._timer = self._watch = self._keep_alive = self._switch = None

"""The Wi-Fi of a board as a state machine: two interfaces over one radio.

Rules:

- It knows its board (to let time pass, to send, and to configure the radio) and nothing of modules, programs,
  texts of exceptions or other boards. It refuses with `WifiError`, whose code is ESP-IDF's; the api
  makes MicroPython's exceptions of it.
- What goes on by itself has its own machine: `espnow.board.station` (finding, joining and losing a router) and
  `espnow.board.accesspoint` (the access point that an active AP interface is). After `stop` no timer of them is left.
- One radio, one channel: both interfaces share it, whichever was told; while it is joined, its router's.
- A frame that is none of ESP-NOW's is Wi-Fi's own. It leaves with a negative token, so that the board can tell.
- Every change that the radio must know of ends in `Board.configure_radio`.
- Settings outlive ``active(False)`` and a soft reset; whether all of them do on a board is assumed.

It follows ESP-IDF's ``esp_wifi.h`` and the documents of MicroPython's ``network.WLAN``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from espnow.board.wifi_radio import WifiRadio
from espnow.board.wifi_values import (
    ESP8266_MAX_TX_POWER,
    TX_POWER_STEPS,
    AccessPoint,
    Joining,
    ScanResult,
    WifiCode,
    WifiError,
    WifiTiming,
    channels_of,
)
from espnow.errors import FrameError, LinkFull
from espnow.frame.kinds import BEACON, PROTECTED_SECURITY
from espnow.frame.mac80211 import BROADCAST
from espnow.link import Interface

if TYPE_CHECKING:
    from espnow.board.accesspoint import ServiceSet
    from espnow.board.board import Board
    from espnow.board.scanning import Scan
    from espnow.frame.management import Lease

__all__ = [
    "ESP8266_MAX_TX_POWER",
    "TX_POWER_STEPS",
    "AccessPoint",
    "Joining",
    "ScanResult",
    "Wifi",
    "WifiCode",
    "WifiError",
    "WifiTiming",
    "channels_of",
]

_DEFAULT_TIMING = WifiTiming()

#: An access point of Espressif's cannot have WEP.
_WEP = 1

#: A key has at least eight characters.
_MIN_KEY = 8
_LAST_SECURITY = 16

#: The network of an AP interface (ESP-IDF's default), and no address.
_AP_NETWORK = bytes((192, 168, 4))
_NETMASK = "255.255.255.0"
_NO_ADDRESSES = ("0.0.0.0", "0.0.0.0", "0.0.0.0")
_NO_NAME_SERVER = "0.0.0.0"


class Wifi(WifiRadio):
    """The Wi-Fi of one board.

    Attributes:
        hostname: the name for DHCP and mDNS.
        reconnects: how often the station interface searches again for its router; negative for
            ever.
        ssid: what the station interface was last told to join.
        access_point: what the AP interface is.
        addresses: address, netmask and gateway of each interface.
        dns: the name server.
        dhcp: the station interface takes its addresses from DHCP.
        remembered: ssid and key that an ESP8266 joins by itself when its station interface becomes active; kept for
            the board's life.
        filter_bssid: the router's address while unicast frames to the station interface pass only if their third
            address is broadcast or this; None while all pass.
        malformed: how many frames of Wi-Fi's own could not be read.
    """

    __slots__ = (
        "_awaited",
        "_bssid",
        "_key",
        "_scan",
        "_service",
        "_token",
        "access_point",
        "addresses",
        "dhcp",
        "dns",
        "filter_bssid",
        "hostname",
        "malformed",
        "reconnects",
        "remembered",
        "ssid",
    )

    def __init__(
        self,
        board: Board,
        mac: bytes,
        timing: WifiTiming = _DEFAULT_TIMING,
        remembered: tuple[bytes, bytes] | None = None,
    ) -> None:
        """Make Wi-Fi that is off.

        Args:
            board: whose it is.
            mac: address of the station interface, 6 bytes.
            timing: how long things take.
            remembered: the attribute of the one before it.
        """
        super().__init__(board, mac, timing)
        self.remembered = remembered
        self.malformed = 0
        self._token = 0
        self._reset_settings()

    def _reset_settings(self) -> None:
        """Set everything to what it is after a start, but the radio and the remembered network."""
        esp8266 = self._board.profile.esp8266
        tail = self._macs[Interface.AP][3:].hex()
        self._key = b""
        self._bssid: bytes | None = None
        self._scan: Scan | None = None
        self._service: ServiceSet | None = None
        self._awaited = 0
        self.filter_bssid: bytes | None = None
        self.hostname = "mpy-esp8266" if esp8266 else "mpy-esp32"
        self.reconnects = -1
        self.ssid = b""
        self.access_point = AccessPoint(ssid=(f"MicroPython-{tail}" if esp8266 else f"ESP_{tail.upper()}").encode())
        self.addresses = [_NO_ADDRESSES, ("192.168.4.1", _NETMASK, "192.168.4.1")]
        self.dns = _NO_NAME_SERVER
        self.dhcp = True

    # For the two machines.

    @property
    def scanning(self) -> bool:
        """Whether the program scans."""
        return self._scan is not None

    def send_frame(self, mpdu: bytes) -> None:
        """Hand a frame to the link; one that finds no room is lost."""
        self._token -= 1
        try:
            self._board.link.transmit(mpdu, self._token)
        except LinkFull:
            self._token += 1

    def take_sequence(self) -> int:
        """Return the next sequence number of the station, which ESP-NOW counts with, too."""
        return self._board.node.take_sequence()

    def random_bytes(self, length: int) -> bytes:
        """Return so many random bytes."""
        return self._board.random_bytes(length)

    def settle(self, channel: int) -> None:
        """Let the interfaces be on a channel from now on, and the radio be there; the AP interface goes along."""
        self._away = None
        self.channel = channel
        station = self._station
        bssid = station.bssid if station is not None else None
        self.filter_bssid = None if self._board.profile.esp8266 else bssid
        if self._service is not None:
            self._service.channel = channel
        self.configure()

    def station_joined(self, lease: Lease | None) -> None:
        """The station interface is joined."""
        if self.dhcp:
            self._take_lease(lease)
        self.configure()

    def _take_lease(self, lease: Lease | None) -> None:
        if lease is not None:
            gateway = ".".join(map(str, lease.gateway))
            self.addresses[Interface.STA] = ".".join(map(str, lease.address)), _NETMASK, gateway
            self.dns = gateway

    def station_left(self) -> None:
        """The station interface is joined no more, or gave up: the radio is at home."""
        if self.dhcp:
            self.addresses[Interface.STA] = _NO_ADDRESSES
            self.dns = _NO_NAME_SERVER
        self.settle(self.channel)

    # From the link.

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, at_us: int) -> None:
        """Take a frame that is none of ESP-NOW's."""
        station, service, scan = self._station, self._service, self._scan
        try:
            if mpdu[0] == BEACON:
                if station is not None and station.hears(mpdu):
                    station.beacon(mpdu, rssi_dbm, at_us)
                if scan is None and (station is None or not station.searching):
                    return
            elif mpdu[4:10] == BROADCAST and station is None and service is None:
                return
            from espnow.frame.management import Advertisement, ProbeRequest, parse_wifi

            frame = parse_wifi(mpdu)
        except FrameError:
            self.malformed += 1
            return
        destination = mpdu[4:10]
        if isinstance(frame, Advertisement):
            network = frame if frame.channel else frame._replace(channel=channel)
            if scan is not None:
                scan.note(network, rssi_dbm)
            if station is not None:
                station.sighted(network, rssi_dbm, at_us)
            return
        if service is not None and (destination == service.bssid or isinstance(frame, ProbeRequest)):
            service.received(frame)
        elif station is not None and (destination == self.station_mac or destination[0] & 1):
            station.received(frame)

    def outcome(self, token: int) -> None:
        """Take the link's answer for a frame of Wi-Fi's own."""
        if token == self._awaited:
            self._awaited = 0
            self._board.cpu.wake()

    def rejects(self, mpdu: bytes) -> bool:
        """Tell whether an ESP-NOW frame is dropped because its third address is not the router's (`filter_bssid`)."""
        return (
            self.filter_bssid is not None
            and mpdu[4:10] == self._macs[Interface.STA]
            and mpdu[16:22] not in (BROADCAST, self.filter_bssid)
        )

    # The end of it.

    def stop(self) -> None:
        """Let nothing of it happen any more: the board is reset, sleeps deeply or has no power.

        Nobody is told, no timer is left, and it does not touch the radio again: a new one takes its place.
        """
        self._stopped = True
        self._fall_silent()

    def lose_configuration(self) -> None:
        """Be as after a light sleep.

        Router, access point and all settings are as they come, but for the addresses (MAC), the country and the
        remembered network. An interface that was inactive stays so. One that was active still says that it is, and is
        deaf and mute until it was switched off and on again.
        """
        self._fall_silent()
        self._deaf = list(self._active)
        self._reset_radio()
        self._reset_settings()
        self.configure()

    def _fall_silent(self) -> None:
        stopped, self._stopped = self._stopped, True
        if self._station is not None:
            self._station.stop()
        if self._service is not None:
            self._service.stop()
        self._stopped = stopped

    # The interfaces.

    def set_active(self, interface: int, flag: bool) -> None:
        """Switch an interface on or off.

        On takes its time if it was off. Off leaves the router, or sends the stations away, and waits until that was
        told. An ESP8266's station interface then joins the network that it remembers.
        """
        if self._active[interface] == flag:
            return
        if flag:
            self._board.sleep(self.timing.start_us)
            if self._active[interface]:  # a callback did it meanwhile
                return
            self._active[interface] = True
        elif interface == Interface.STA:
            self._part()
            self._await_answer()
            if self._station is not None:
                self._station.stop()  # a callback may have let it join again meanwhile
                self._station = None
            self._scan = self._away = self.filter_bssid = None
        else:
            if self._service is not None and self._service.stations:
                self._service.dismiss()
                self._awaited = self._token
                self._await_answer()
            if self._service is not None:  # no callback ended it meanwhile
                self._service.stop()
                self._service = None
        self._active[interface] = flag
        self._deaf[interface] = False
        if flag and interface == Interface.AP:
            self._begin_service()
        self.configure()
        if flag and interface == Interface.STA and self.remembered is not None:
            self.ssid, self._key = self.remembered
            self.connect()

    def _part(self) -> None:
        """Leave the router, and remember the frame that tells it so."""
        if self._station is not None and self._station.leave():
            self._awaited = self._token

    def _await_answer(self) -> None:
        """Let time pass until what a router or the stations were told last was sent."""
        if self._awaited:
            self._board.wait(self._is_answered, self._board.clock.now_us + self.timing.leave_us)
            self._awaited = 0

    def _is_answered(self) -> bool:
        return not self._awaited

    def _begin_service(self) -> None:
        """Let the AP interface be an access point, from the next beacon on."""
        if self._service is not None:
            self._service.stop()
        from espnow.board.accesspoint import ApTiming, ServiceSet

        self._service = ServiceSet(
            self,
            self._macs[Interface.AP],
            self.access_point,
            channel=self.channel,
            network=_AP_NETWORK,
            timing=ApTiming(beacon_us=self.timing.beacon_us),
        )
        self._service.start()

    def set_mac(self, interface: int, mac: bytes) -> None:
        """Give an interface another address, at once.

        ESP-IDF's document wants the interface off; programs do it while it is on.

        Raises:
            WifiError: MAC, for a group address or the address of the other interface.
        """
        if mac[0] & 1 or mac == self._macs[1 - interface]:
            raise WifiError(WifiCode.MAC)
        if interface == Interface.STA and self._station is not None and mac != self._macs[interface]:
            self._station.leave()
        self._macs[interface] = mac
        if interface == Interface.AP and self._service is not None and mac != self._service.bssid:
            self._begin_service()
        self.configure()

    def set_channel(self, interface: int, channel: int) -> None:
        """Bring the radio to another channel; only the station interface waits until it is there.

        Raises:
            WifiError: NOT_STARTED while the interface is off, INVALID_ARG for a channel that is not
                allowed, FAIL while the station interface searches for a router or is joined to one (ESP-IDF's
                message, and issue 10369 of espressif/esp-idf), or a station has joined the AP interface. An ESP8266
                does not refuse, and stays where it is (Espressif's notes on softAP and station).
        """
        if not self._active[interface] and not self._board.profile.esp8266:
            raise WifiError(WifiCode.NOT_STARTED)
        if channel not in self.allowed_channels:
            raise WifiError(WifiCode.INVALID_ARG)
        if channel == self.channel:
            return
        station, service = self._station, self._service
        if (station is not None and not station.off) or (service is not None and service.joined):
            if self._board.profile.esp8266:
                return
            raise WifiError(WifiCode.FAIL)
        self.settle(channel)
        if interface == Interface.STA and self.timing.settle_us:
            self._board.sleep(self.timing.settle_us)

    # Routers.

    @property
    def joining(self) -> Joining:
        """Where the station interface stands.

        After an attempt in vain it tells why, also while the next one goes on.
        """
        return Joining.IDLE if self._station is None else self._station.state

    @property
    def searching(self) -> bool:
        """Whether it is on its way to a router: the first time, or again as `reconnects` allows."""
        return self._station is not None and self._station.busy

    @property
    def connected(self) -> bool:
        """Whether the station interface is joined to a router and has an address."""
        return self._station is not None and self._station.joined

    @property
    def bssid(self) -> bytes | None:
        """The address of the router that it is joined to, or None."""
        return self._station.bssid if self._station is not None else None

    @property
    def dismissal(self) -> int:
        """With which reason code its router sent it away last; 0 if none did."""
        return 0 if self._station is None else self._station.reason

    def connect(self) -> None:
        """Begin to join the router that `set_router` named.

        Joined to that router already, it does nothing; joined to another, it leaves that one. Assumed.

        Raises:
            WifiError: NOT_STARTED (no interface is active), MODE (only the AP interface is), CONN
                (it searches already; an ESP8266 begins anew instead), SSID (no router was named).
        """
        self._check_station()
        if self.searching and not self._board.profile.esp8266:
            raise WifiError(WifiCode.CONN)
        if not self.ssid:
            raise WifiError(WifiCode.SSID)
        if self._board.profile.esp8266:
            self.remembered = self.ssid, self._key
        if self.connected and self._is_joined_as_told():
            return
        self._scan = None  # a scan under way ends
        if self._station is None:
            from espnow.board.station import JoiningStation

            self._station = JoiningStation(self)
        self._station.connect(self.ssid, self._key, self._bssid)

    def _is_joined_as_told(self) -> bool:
        return (
            self._station is not None
            and self._station.is_for(self.ssid, self._key)
            and self._bssid in (None, self._station.bssid)
        )

    def set_router(self, ssid: bytes, key: bytes, bssid: bytes | None = None) -> None:
        """Name the router that the station interface is to join, and perhaps its address.

        Raises:
            WifiError: as `connect`, but SSID.
        """
        self._check_station()
        if self.searching and not self._board.profile.esp8266:
            raise WifiError(WifiCode.CONN)
        self.ssid = ssid[:32]
        self._key = key[:64]
        self._bssid = bssid

    def disconnect(self) -> None:
        """Leave the router, or stop searching for it. Harmless when there is none.

        An ESP8266 forgets the network that it would have joined by itself. Assumed.
        """
        self.remembered = None
        self._part()

    def scan(self) -> list[ScanResult]:
        """Listen on every allowed channel, and return the networks heard, the strongest first.

        The board is deaf to its home channel meanwhile. While a search or another scan is under way
        it returns nothing and takes no time: ESP-IDF refuses to begin.

        Raises:
            WifiError: NOT_STARTED while the station interface is off.
        """
        if not self._active[Interface.STA]:
            raise WifiError(WifiCode.NOT_STARTED)
        if self.searching or self._scan is not None:
            return []
        from espnow.board.scanning import Scan

        scan = self._scan = Scan(self)
        try:
            for channel in self.allowed_channels:
                scan.visit(channel)
                self._board.sleep(self.timing.scan_channel_us)
                if self._scan is not scan:  # a callback joins a router, or switched Wi-Fi off
                    break
        finally:
            if self._scan is scan:
                self._scan = None
                self.settle(self.channel)
        return scan.results()

    def use_dhcp(self) -> None:
        """Let the station interface take its addresses from DHCP; while it is joined, it has them at once. Assumed."""
        self.dhcp = True
        self.addresses[Interface.STA] = _NO_ADDRESSES
        if self._station is not None and self.connected:
            self._take_lease(self._station.lease)

    def rssi_dbm(self) -> int:
        """Return how strongly the router is heard.

        Raises:
            WifiError: NOT_CONNECT.
        """
        if self._station is None or not self.connected:
            raise WifiError(WifiCode.NOT_CONNECT)
        return self._station.rssi_dbm

    # The own access point.

    def set_access_point(self, access_point: AccessPoint) -> None:
        """Let the AP interface be another access point.

        Raises:
            WifiError: PASSWORD for a key that is too short for its security, INVALID_ARG for WEP
                and unknown security.
        """
        if access_point.security == _WEP or not 0 <= access_point.security <= _LAST_SECURITY:
            raise WifiError(WifiCode.INVALID_ARG)
        if access_point.security in PROTECTED_SECURITY and len(access_point.key) < _MIN_KEY:
            raise WifiError(WifiCode.PASSWORD)
        before, self.access_point = self.access_point, access_point
        service = self._service
        if service is None or access_point == before:
            return
        if replace(access_point, hidden=False, max_clients=0) == replace(before, hidden=False, max_clients=0):
            service.access_point = access_point
        else:  # another network: who had joined the old one is sent away
            service.dismiss()
            self._begin_service()

    def stations(self) -> list[tuple[bytes, str | None]]:
        """Return address and IP address of each station that joined."""
        if self._service is None:
            return []
        return [(station.mac, station.ip) for station in self._service.joined]

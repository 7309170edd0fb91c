"""The Wi-Fi of a board as a state machine: two interfaces over one radio.

Rules:

- It knows its board (to let time pass and to configure the radio) and nothing of modules, programs,
  texts of exceptions or other boards. It refuses with `WifiError`, whose code is ESP-IDF's; the api
  makes MicroPython's exceptions of it.
- It sets no timer. What time changes (a search for a router that ends without one) follows from
  timestamps whenever somebody asks.
- One radio, one channel: both interfaces share it, whichever was told.
- Every change that the radio must know of ends in `Board.configure_radio`.
- Settings outlive ``active(False)`` and a soft reset; whether all of them do on a board is assumed.

It follows ESP-IDF's ``esp_wifi.h`` and the documents of MicroPython's ``network.WLAN``. The place
it describes has no router: nothing is found, nothing is joined, nobody joins. While it searches for
one its receiver stays on the home channel, which is kinder than a board; a scan is deaf.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from espnow.errors import EspNowError
from espnow.link import Interface, ProtocolBit, RadioConfig

if TYPE_CHECKING:
    from espnow.board.board import Board

__all__ = [
    "AccessPoint",
    "Joining",
    "ScanResult",
    "Wifi",
    "WifiCode",
    "WifiError",
    "WifiTiming",
    "channels_of",
]

#: What a scan reports of a network: ssid, bssid, channel, rssi in dBm, security, hidden.
ScanResult = tuple[bytes, bytes, int, int, int, bool]

BGN = ProtocolBit.B | ProtocolBit.G | ProtocolBit.N

#: ESP-IDF's table in ``esp_wifi_set_max_tx_power``: a power asked for, in 0.25 dBm, becomes the
#: next lower of these.
TX_POWER_STEPS = (8, 20, 28, 34, 44, 52, 56, 60, 66, 72, 80)
MAX_TX_POWER_ASKED = 84

#: The largest power of ``system_phy_set_max_tpw``, in 0.25 dBm.
ESP8266_MAX_TX_POWER = 82

#: Channels by country where they are not 1 to 13. "01" is ESP-IDF's name of the default, "XX"
#: MicroPython's. Which country allows what is assumed, but for "01" (``esp_wifi_set_country``).
_LAST_CHANNEL = {"01": 11, "XX": 11, "CA": 11, "MX": 11, "TW": 11, "US": 11, "JP": 14}
_LAST_CHANNEL_ELSEWHERE = 13

#: The tool kit of an ESP8266 begins with the rules of China.
_LAST_CHANNEL_ESP8266 = 13


class WifiCode(enum.IntEnum):
    """The ESP_ERR_* codes of ESP-IDF that Wi-Fi refuses with."""

    INVALID_ARG = 0x102
    NOT_STARTED = 0x3002
    MODE = 0x3005
    CONN = 0x3007
    MAC = 0x3009
    SSID = 0x300A
    PASSWORD = 0x300B
    NOT_CONNECT = 0x300F


class WifiError(EspNowError):
    """Wi-Fi refused a call.

    Attributes:
        code: which ESP_ERR_* it is.
    """

    def __init__(self, code: WifiCode) -> None:
        """Make one with the code's name as its text."""
        super().__init__(f"ESP_ERR_{'' if code is WifiCode.INVALID_ARG else 'WIFI_'}{code.name}")
        self.code = code


class Joining(enum.Enum):
    """Where the station interface stands with its router."""

    IDLE = "idle"
    CONNECTING = "connecting"
    NO_AP_FOUND = "no access point found"


@dataclass(frozen=True, slots=True)
class WifiTiming:
    """How long Wi-Fi takes, and how often it tries. What is assumed awaits a measurement.

    Attributes:
        answer_timeout_us: how long a synchronous ``ESPNow.send`` waits for the next answer before it raises ETIMEDOUT
            (MicroPython's firmware); a live radio may need another.
        attempts: how often a unicast frame is sent in all before it counts as not acknowledged. Assumed.
        start_us: switching an interface on. Assumed.
        scan_channel_us: listening on one channel in a scan. Assumed.
        no_ap_us: one search for a router that is not there. Assumed.
        settle_us: what MicroPython waits after the channel of the station interface was changed.
    """

    attempts: int = 7
    answer_timeout_us: int = 100_000
    start_us: int = 100_000
    scan_channel_us: int = 120_000
    no_ap_us: int = 3_000_000
    settle_us: int = 1_000


_DEFAULT_TIMING = WifiTiming()


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """The access point that the AP interface is while it is active.

    Attributes:
        ssid: its name, at most 32 bytes.
        key: its password; not in the repr.
        hidden: whether its beacons keep the name back.
        security: ``wifi_auth_mode_t`` number.
        max_clients: how many stations may join.
    """

    ssid: bytes
    key: bytes = field(default=b"", repr=False)
    hidden: bool = False
    security: int = 0
    max_clients: int = 4


#: An access point of Espressif's cannot have WEP.
_WEP = 1

#: Security that needs a key of at least eight characters: WPA, WPA2, WPA/WPA2, WPA3, WPA2/WPA3.
_WITH_KEY = frozenset((2, 3, 4, 6, 7))
_MIN_KEY = 8
_LAST_SECURITY = 16


def channels_of(country: str, *, esp8266: bool = False) -> range:
    """Return the channels that `country` allows."""
    if esp8266 and country in ("01", "XX"):
        return range(1, _LAST_CHANNEL_ESP8266 + 1)
    return range(1, _LAST_CHANNEL.get(country.upper(), _LAST_CHANNEL_ELSEWHERE) + 1)


def _ap_mac(mac: bytes, esp8266: bool) -> bytes:
    if not esp8266:
        return mac[:5] + bytes(((mac[5] + 1) & 0xFF,))
    first = mac[0] | 0x02
    # A station address that is locally administered already gets another bit, or both would be one
    # address.
    return bytes((first if first != mac[0] else first ^ 0x04,)) + mac[1:]


class Wifi:
    """The Wi-Fi of one board.

    Attributes:
        timing: how long things take; may be replaced at any time.
        channel: of the radio, 1 to 14.
        country: two letters; decides which channels are allowed.
        hostname: the name for DHCP and mDNS.
        power_save: ``wifi_ps_type_t`` (ESP8266: ``sleep_type``) number.
        reconnects: how often the station interface searches again for its router; negative for
            ever.
        ssid: what the station interface was last told to join.
        access_point: what the AP interface is.
        addresses: address, netmask and gateway of each interface.
        dns: the name server.
        dhcp: the station interface takes its addresses from DHCP.
    """

    __slots__ = (
        "_active",
        "_bandwidths",
        "_board",
        "_join_began_us",
        "_key",
        "_macs",
        "_protocols",
        "_rate",
        "_scanning",
        "_tx_power",
        "access_point",
        "addresses",
        "channel",
        "country",
        "dhcp",
        "dns",
        "hostname",
        "power_save",
        "reconnects",
        "ssid",
        "timing",
    )

    def __init__(self, board: Board, mac: bytes, timing: WifiTiming = _DEFAULT_TIMING) -> None:
        """Make Wi-Fi that is off.

        Args:
            board: whose it is.
            mac: address of the station interface, 6 bytes.
            timing: how long things take.
        """
        esp8266 = board.profile.esp8266
        ap_mac = _ap_mac(mac, esp8266)
        tail = ap_mac[3:].hex()
        self._board = board
        self._macs = [mac, ap_mac]
        self._active = [False, False]
        self._protocols = [BGN, BGN]
        self._bandwidths = [2, 2]
        self._rate: int | None = None
        self._tx_power = ESP8266_MAX_TX_POWER if esp8266 else TX_POWER_STEPS[-1]
        self._scanning = False
        self._join_began_us: int | None = None
        self._key = b""
        self.timing = timing
        self.channel = 1
        self.country = "XX"
        self.hostname = "mpy-esp8266" if esp8266 else "mpy-esp32"
        self.power_save = 2 if esp8266 else 1
        self.reconnects = -1
        self.ssid = b""
        self.access_point = AccessPoint(ssid=(f"MicroPython-{tail}" if esp8266 else f"ESP_{tail.upper()}").encode())
        self.addresses = [
            ("0.0.0.0", "0.0.0.0", "0.0.0.0"),
            ("192.168.4.1", "255.255.255.0", "192.168.4.1"),
        ]
        self.dns = "0.0.0.0"
        self.dhcp = True

    # For the radio.

    def radio_config(self) -> RadioConfig:
        """Return what the radio is to do now."""
        active = [interface for interface in Interface if self._active[interface]]
        protocols = ProtocolBit(0)
        for interface in active or (Interface.STA,):
            protocols |= self._protocols[interface]
        rate = self._rate
        return RadioConfig(
            addresses=tuple((interface, self._macs[interface]) for interface in active),
            channel=self.channel,
            protocols=protocols,
            receiver_on=bool(active) and not self._scanning,
            rate=self._board.profile.rate if rate is None else rate,
            group_rate=0 if rate is None else rate,
            tx_power_dbm=self._tx_power / 4,
            attempts=self.timing.attempts,
        )

    def set_rate(self, rate: int) -> None:
        """Let all frames leave with `rate`, a ``wifi_phy_rate_t`` number."""
        self._rate = rate
        self._board.configure_radio()

    def stop(self) -> None:
        """Let nothing of it happen any more: the board is reset, sleeps or has no power."""
        self._join_began_us = None

    def lose_configuration(self) -> None:
        """Be as after a light sleep: off, and everything but the addresses and the country as it came."""
        self._active = [False, False]
        self._join_began_us = None
        self.channel = 1

    # The interfaces.

    def interface_active(self, interface: int) -> bool:
        """Whether an interface is on."""
        return self._active[interface]

    def set_active(self, interface: int, flag: bool) -> None:
        """Switch an interface on or off.

        On takes its time if it was off. Off ends what the station interface was joining.
        """
        if self._active[interface] == flag:
            return
        if flag:
            self._board.sleep(self.timing.start_us)
        elif interface == Interface.STA:
            self._join_began_us = None
        self._active[interface] = flag
        self._board.configure_radio()

    def mac(self, interface: int) -> bytes:
        """Return the address of an interface."""
        return self._macs[interface]

    def set_mac(self, interface: int, mac: bytes) -> None:
        """Give an interface another address, at once.

        ESP-IDF's document wants the interface off; programs do it while it is on.

        Raises:
            WifiError: MAC, for a group address or the address of the other interface.
        """
        if mac[0] & 1 or mac == self._macs[1 - interface]:
            raise WifiError(WifiCode.MAC)
        self._macs[interface] = mac
        self._board.configure_radio()

    def protocol(self, interface: int) -> int:
        """Return what an interface decodes, as ``WIFI_PROTOCOL_*`` bits."""
        return int(self._protocols[interface])

    def set_protocol(self, interface: int, bits: int) -> None:
        """Decide what an interface decodes.

        Raises:
            WifiError: INVALID_ARG, for no bit or one that is no `ProtocolBit`.
        """
        if not 0 < bits <= 15:
            raise WifiError(WifiCode.INVALID_ARG)
        self._protocols[interface] = ProtocolBit(bits)
        self._board.configure_radio()

    def bandwidth(self, interface: int) -> int:
        """Return 1 for 20 MHz, 2 for 40 MHz."""
        return self._bandwidths[interface]

    def set_bandwidth(self, interface: int, bandwidth: int) -> None:
        """Choose 20 MHz (1) or 40 MHz (2); ESP-NOW is sent with 20 MHz in any case.

        Raises:
            WifiError: INVALID_ARG.
        """
        if bandwidth not in (1, 2):
            raise WifiError(WifiCode.INVALID_ARG)
        self._bandwidths[interface] = bandwidth

    # The radio that they share.

    @property
    def allowed_channels(self) -> range:
        """The channels that the country allows."""
        return channels_of(self.country, esp8266=self._board.profile.esp8266)

    def set_channel(self, interface: int, channel: int) -> None:
        """Bring the radio to another channel; only the station interface waits until it is there.

        Raises:
            WifiError: NOT_STARTED while the interface is off, INVALID_ARG for a channel that is not
                allowed.
        """
        if not self._active[interface] and not self._board.profile.esp8266:
            raise WifiError(WifiCode.NOT_STARTED)
        if channel not in self.allowed_channels:
            raise WifiError(WifiCode.INVALID_ARG)
        if channel == self.channel:
            return
        self.channel = channel
        self._board.configure_radio()
        if interface == Interface.STA and self.timing.settle_us:
            self._board.sleep(self.timing.settle_us)

    def tx_power(self) -> int:
        """Return the transmit power in 0.25 dBm.

        Raises:
            WifiError: NOT_STARTED while no interface is active.
        """
        self._check_started()
        return self._tx_power

    def set_tx_power(self, power: int) -> None:
        """Set the transmit power in 0.25 dBm; the chip takes the next lower step that it has.

        Raises:
            WifiError: NOT_STARTED while no interface is active, INVALID_ARG outside 8 to 84. An
                ESP8266 refuses nothing and takes the nearest that it can.
        """
        if self._board.profile.esp8266:
            self._tx_power = min(max(power, 0), ESP8266_MAX_TX_POWER)
        else:
            self._check_started()
            if not TX_POWER_STEPS[0] <= power <= MAX_TX_POWER_ASKED:
                raise WifiError(WifiCode.INVALID_ARG)
            self._tx_power = max(step for step in TX_POWER_STEPS if step <= power)
        self._board.configure_radio()

    def set_power_save(self, mode: int) -> None:
        """Choose when the receiver sleeps; it sleeps only while joined to a router.

        Raises:
            WifiError: INVALID_ARG outside 0 to 2.
        """
        if not 0 <= mode <= 2:
            raise WifiError(WifiCode.INVALID_ARG)
        self.power_save = mode

    # Routers.

    @property
    def joining(self) -> Joining:
        """Where the station interface stands.

        After one search in vain it is NO_AP_FOUND, also while the search goes on.
        """
        began_us = self._join_began_us
        if began_us is None:
            return Joining.IDLE
        if self._board.clock.now_us - began_us < self.timing.no_ap_us:
            return Joining.CONNECTING
        return Joining.NO_AP_FOUND

    @property
    def searching(self) -> bool:
        """Whether it searches for its router: the first time, or again as `reconnects` allows."""
        began_us = self._join_began_us
        if began_us is None:
            return False
        if self.reconnects < 0:
            return True
        searches = self.reconnects + 1
        return self._board.clock.now_us - began_us < searches * self.timing.no_ap_us

    @property
    def connected(self) -> bool:
        """Whether the station interface is joined to a router and has an address."""
        return False

    def connect(self) -> None:
        """Begin to join the router that `set_router` named.

        Raises:
            WifiError: NOT_STARTED (no interface is active), MODE (only the AP interface is), CONN
                (it searches already; an ESP8266 begins anew instead), SSID (no router was named).
        """
        self._check_station()
        if self.searching and not self._board.profile.esp8266:
            raise WifiError(WifiCode.CONN)
        if not self.ssid:
            raise WifiError(WifiCode.SSID)
        self._join_began_us = self._board.clock.now_us

    def set_router(self, ssid: bytes, key: bytes) -> None:
        """Name the router that the station interface is to join.

        Raises:
            WifiError: as `connect`, but SSID.
        """
        self._check_station()
        if self.searching and not self._board.profile.esp8266:
            raise WifiError(WifiCode.CONN)
        self.ssid = ssid[:32]
        self._key = key[:64]

    def disconnect(self) -> None:
        """Leave the router, or stop searching for it. Harmless when there is none."""
        self._join_began_us = None

    def scan(self) -> list[ScanResult]:
        """Listen on every allowed channel, and return the networks heard.

        The board is deaf to its home channel meanwhile. While a search or another scan is under way
        it returns nothing and takes no time: ESP-IDF refuses to begin.

        Raises:
            WifiError: NOT_STARTED while the station interface is off.
        """
        if not self._active[Interface.STA]:
            raise WifiError(WifiCode.NOT_STARTED)
        if self.searching or self._scanning:
            return []
        self._scanning = True
        self._board.configure_radio()
        try:
            self._board.sleep(len(self.allowed_channels) * self.timing.scan_channel_us)
        finally:
            self._scanning = False
            self._board.configure_radio()
        return []

    def rssi_dbm(self) -> int:
        """Return how strongly the router is heard.

        Raises:
            WifiError: NOT_CONNECT.
        """
        raise WifiError(WifiCode.NOT_CONNECT)

    # The own access point.

    def set_access_point(self, access_point: AccessPoint) -> None:
        """Let the AP interface be another access point.

        Raises:
            WifiError: PASSWORD for a key that is too short for its security, INVALID_ARG for WEP
                and unknown security.
        """
        if access_point.security == _WEP or not 0 <= access_point.security <= _LAST_SECURITY:
            raise WifiError(WifiCode.INVALID_ARG)
        if access_point.security in _WITH_KEY and len(access_point.key) < _MIN_KEY:
            raise WifiError(WifiCode.PASSWORD)
        self.access_point = access_point

    def stations(self) -> list[tuple[bytes, str | None]]:
        """Return address and IP address of each station that joined."""
        return []

    def _check_started(self) -> None:
        if True not in self._active:
            raise WifiError(WifiCode.NOT_STARTED)

    def _check_station(self) -> None:
        self._check_started()
        if not self._active[Interface.STA]:
            raise WifiError(WifiCode.MODE)

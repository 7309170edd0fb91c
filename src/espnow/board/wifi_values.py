"""What is told of Wi-Fi, asked of it, and known of it: settings, figures, refusals and states, values only.

Rules: nothing here acts, and nothing here needs the frames of Wi-Fi, which many a program never sends.

Codes and steps are those of ESP-IDF (``esp_err.h``, ``esp_wifi.h``); of figures each says where it comes from.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from espnow.errors import EspNowError
from espnow.frame.kinds import PROTECTED_SECURITY

__all__ = [
    "AccessPoint",
    "Joining",
    "ScanResult",
    "WifiCode",
    "WifiError",
    "WifiTiming",
    "channels_of",
]

#: What a scan reports of a network: ssid, bssid, channel, rssi in dBm, security, hidden.
ScanResult = tuple[bytes, bytes, int, int, int, bool]

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

    FAIL = 0xFFFF_FFFF
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
        prefix = {WifiCode.FAIL: "ESP_", WifiCode.INVALID_ARG: "ESP_ERR_"}.get(code, "ESP_ERR_WIFI_")
        super().__init__(prefix + code.name)
        self.code = code


@dataclass(frozen=True, slots=True)
class WifiTiming:
    """How long Wi-Fi takes, and how often it tries. What is assumed awaits a measurement.

    Attributes:
        answer_timeout_us: how long a synchronous ``ESPNow.send`` waits for the next answer before it raises ETIMEDOUT
            (MicroPython's firmware); a live radio may need another.
        attempts: how often a unicast frame is sent in all before it counts as not acknowledged. Assumed.
        start_us: switching an interface on. Assumed.
        scan_channel_us: listening on one channel in a scan, or in a search for a router. Assumed.
        no_ap_us: one search for a router that is not there, and from one search to the next. Assumed.
        join_us: from ``connect`` until the address is there. Assumed.
        wrong_key_us: from ``connect`` until a wrong key is told. Assumed.
        answer_us: how long an access point may take to answer before it is asked again. Assumed.
        answer_tries: how often it is asked in all. Assumed.
        handshake_us: how long the handshake may take. Assumed.
        beacon_us: from one beacon of the AP interface to the next. Assumed.
        beacon_loss_us: without a beacon for so long the router is lost. Assumed.
        keep_alive_us: how often a joined station tells that it is there. Assumed.
        awake_us: in power save, how long the receiver is on around a beacon. Assumed.
        linger_us: and after its own traffic. Assumed.
        power_save_beacons: PM_POWERSAVE wakes for one of so many beacons. Assumed.
        leave_us: how long ``active(False)`` waits at most until the other side was told. Assumed.
        settle_us: what MicroPython waits after the channel of the station interface was changed.
    """

    attempts: int = 7
    answer_timeout_us: int = 100_000
    start_us: int = 100_000
    scan_channel_us: int = 120_000
    no_ap_us: int = 3_000_000
    join_us: int = 1_500_000
    wrong_key_us: int = 3_000_000
    answer_us: int = 100_000
    answer_tries: int = 3
    handshake_us: int = 2_000_000
    beacon_us: int = 102_400
    beacon_loss_us: int = 6_000_000
    keep_alive_us: int = 30_000_000
    awake_us: int = 20_000
    linger_us: int = 10_000
    power_save_beacons: int = 3
    leave_us: int = 100_000
    settle_us: int = 1_000


class Joining(enum.Enum):
    """Where the station interface stands with its router, as a program is told."""

    IDLE = "idle"
    CONNECTING = "connecting"
    JOINED = "joined, with an address"
    BEACON_TIMEOUT = "its router is not heard any more"
    NO_AP_FOUND = "no access point found"
    WRONG_PASSWORD = "wrong password"
    CONNECT_FAIL = "refused"
    HANDSHAKE_TIMEOUT = "no answer in the handshake"
    DISMISSED = "sent away by its router"


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

    @property
    def protected(self) -> bool:
        """Whether its security needs a key."""
        return self.security in PROTECTED_SECURITY


def channels_of(country: str, *, esp8266: bool = False) -> range:
    """Return the channels that `country` allows."""
    if esp8266 and country in ("01", "XX"):
        return range(1, _LAST_CHANNEL_ESP8266 + 1)
    return range(1, _LAST_CHANNEL.get(country.upper(), _LAST_CHANNEL_ELSEWHERE) + 1)

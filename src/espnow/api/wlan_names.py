"""The names and numbers of the module ``network``, by the kind of board.

They are those of MicroPython's ports; the securities are ESP-IDF's ``wifi_auth_mode_t``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from espnow.link import ProtocolBit

__all__ = ["ALIASES", "ALIASES_ESP32", "NAMES_ESP32", "NAMES_ESP8266", "PHY_MODES"]

# Names of wifi_auth_mode_t, from 0.
_SECURITY = ("OPEN", "WEP", "WPA", "WPA2", "WPA_WPA2")
_SECURITY_ESP32 = (
    *_SECURITY,
    "WPA2_ENT",
    "WPA3",
    "WPA2_WPA3",
    "WAPI",
    "OWE",
    "WPA3_ENT_192",
    "WPA3_EXT_PSK",
    "WPA3_EXT_PSK_MIXED_MODE",
)
_AUTH = ("OPEN", "WEP", "WPA_PSK", "WPA2_PSK", "WPA_WPA2_PSK")
_AUTH_ESP32 = (
    *_AUTH,
    "WPA2_ENTERPRISE",
    "WPA3_PSK",
    "WPA2_WPA3_PSK",
    "WAPI_PSK",
    "OWE",
    "WPA3_ENT_192",
    "WPA3_EXT_PSK",
    "WPA3_EXT_PSK_MIXED_MODE",
)


def _numbered(prefix: str, names: tuple[str, ...]) -> dict[str, int]:
    return {f"{prefix}_{name}": number for number, name in enumerate(names)}


NAMES_ESP32: Mapping[str, int] = MappingProxyType(
    {
        "STA_IF": 0,
        "AP_IF": 1,
        "MODE_11B": 1,
        "MODE_11G": 2,
        "MODE_11N": 4,
        "MODE_LR": 8,
        **_numbered("AUTH", _AUTH_ESP32),
        **_numbered("SEC", _SECURITY_ESP32),
        "STAT_IDLE": 1000,
        "STAT_CONNECTING": 1001,
        "STAT_GOT_IP": 1010,
        "STAT_BEACON_TIMEOUT": 200,
        "STAT_NO_AP_FOUND": 201,
        "STAT_WRONG_PASSWORD": 202,
        "STAT_ASSOC_FAIL": 203,
        "STAT_CONNECT_FAIL": 203,
        "STAT_HANDSHAKE_TIMEOUT": 204,
        **_numbered("WIFI_PS", ("NONE", "MIN_MODEM", "MAX_MODEM")),
    }
)

NAMES_ESP8266: Mapping[str, int] = MappingProxyType(
    {
        "STA_IF": 0,
        "AP_IF": 1,
        "MODE_11B": 1,
        "MODE_11G": 2,
        "MODE_11N": 3,
        **_numbered("AUTH", _AUTH),
        **_numbered("SEC", _SECURITY),
        **_numbered(
            "STAT",
            ("IDLE", "CONNECTING", "WRONG_PASSWORD", "NO_AP_FOUND", "CONNECT_FAIL", "GOT_IP"),
        ),
    }
)

#: What an ESP8266's mode (MODE_11B, 11G, 11N) decodes.
PHY_MODES = (
    0,
    int(ProtocolBit.B),
    int(ProtocolBit.B | ProtocolBit.G),
    int(ProtocolBit.B | ProtocolBit.G | ProtocolBit.N),
)

#: Other spellings of a setting.
ALIASES = {
    "essid": "ssid",
    "authmode": "security",
    "password": "key",
    "dhcp_hostname": "hostname",
}
ALIASES_ESP32 = {**ALIASES, "ps_mode": "pm"}

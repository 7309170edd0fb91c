"""WLAN of an ESP8266: its own names, numbers and texts.

It follows MicroPython's ESP8266 port (``network_wlan.c``), which asks nothing back of what its SDK answers to some
settings; what it tells of a router that was lost is assumed.
"""

from __future__ import annotations

from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from espnow.api.base import exact_bytes, integer
from espnow.api.wlan_common import (
    AP,
    NOT_GIVEN,
    STA,
    Change,
    WlanCommon,
    router_of,
    set_channel,
    set_hidden,
    set_hostname,
    set_key,
    set_reconnects,
    set_security,
    set_ssid,
    set_txpower,
    setting_name,
)
from espnow.api.wlan_names import ALIASES, PHY_MODES
from espnow.board.wifi_values import Joining, ScanResult, WifiError
from espnow.errors import BoardOSError
from espnow.link import Interface

if TYPE_CHECKING:
    from espnow.board import Wifi

__all__ = ["Wlan8266", "phy_mode", "set_phy_mode"]


def phy_mode(wifi: Wifi) -> int:
    """Return the mode (MODE_11B, 11G, 11N) of the station interface."""
    return PHY_MODES.index(wifi.protocol(STA))


def set_phy_mode(wifi: Wifi, value: Any) -> None:
    """Let both interfaces of an ESP8266 decode what a mode says; unknown ones change nothing."""
    mode = integer(value)
    if 0 < mode < len(PHY_MODES):
        for interface in Interface:
            wifi.set_protocol(interface, PHY_MODES[mode])


def _set_mac_quietly(change: Change, value: Any) -> None:
    mac = exact_bytes(value, 6)
    with suppress(WifiError):  # the ESP8266 port does not look at what the SDK answers
        change.wifi.set_mac(change.interface, mac)


def _set_pm_quietly(change: Change, value: Any) -> None:
    mode = integer(value)
    with suppress(WifiError):  # the ESP8266 port does not look at what the SDK answers
        change.wifi.set_power_save(mode)


class Wlan8266(WlanCommon):
    """One of the two Wi-Fi interfaces of this board: one object for each number."""

    __slots__ = ()

    # sleep_type of its SDK: none, light, modem.
    PM_PERFORMANCE = 2
    PM_POWERSAVE = 1

    _aliases = MappingProxyType(ALIASES)
    _states = MappingProxyType(
        {
            Joining.IDLE: 0,
            Joining.CONNECTING: 1,
            Joining.WRONG_PASSWORD: 2,
            Joining.BEACON_TIMEOUT: 3,
            Joining.NO_AP_FOUND: 3,
            Joining.CONNECT_FAIL: 4,
            Joining.HANDSHAKE_TIMEOUT: 4,
            Joining.DISMISSED: 4,
            Joining.JOINED: 5,
        }
    )

    _getters = MappingProxyType(
        {
            "mac": (None, lambda self: self._wifi.mac(self._interface)),
            "ssid": (None, lambda self: self._ssid()),
            "hidden": (AP, lambda self: self._wifi.access_point.hidden),
            "security": (AP, lambda self: self._wifi.access_point.security),
            "channel": (AP, lambda self: self._wifi.channel),
            "hostname": (STA, lambda self: self._wifi.hostname),
            "protocol": (None, lambda self: phy_mode(self._wifi)),
            "pm": (None, lambda self: self._wifi.power_save),
        }
    )

    _setters = MappingProxyType(
        {
            "mac": (None, _set_mac_quietly),
            "ssid": (AP, set_ssid),
            "key": (AP, set_key),
            "hidden": (AP, set_hidden),
            "security": (AP, set_security),
            "channel": (AP, set_channel),
            "hostname": (None, set_hostname),
            "reconnects": (STA, set_reconnects),
            "txpower": (None, set_txpower),
            "protocol": (None, lambda change, value: set_phy_mode(change.wifi, value)),
            "pm": (None, _set_pm_quietly),
        }
    )

    def active(self, is_active: Any = NOT_GIVEN, /) -> bool | None:
        """Return whether the interface is on; or switch it, and return nothing."""
        wifi = self._wifi
        if is_active is NOT_GIVEN:
            self._board.look()
            return wifi.interface_active(self._interface)
        wifi.set_active(self._interface, integer(is_active) != 0)
        return None

    def connect(self, ssid: Any = None, key: Any = None, *, bssid: Any = None) -> None:
        """Begin to join a router, without waiting until that is done.

        Raises:
            OSError: not the station interface, or it is not active, or no ssid was ever given.
            ValueError: a `bssid` that is not 6 bytes long.
        """
        self._require(STA)
        wifi = self._wifi
        router = router_of(ssid, key, bssid)
        try:
            if router is not None:
                wifi.set_router(*router)
        except WifiError:
            raise BoardOSError("Cannot set STA config") from None
        try:
            wifi.connect()
        except WifiError:
            raise BoardOSError("Cannot connect to AP") from None

    def disconnect(self) -> None:
        """Leave the router, or stop connecting.

        Raises:
            OSError: not the station interface.
        """
        self._require(STA)
        self._wifi.disconnect()

    def status(self, param: Any = NOT_GIVEN, /) -> int:
        """Return how the connection stands (-1 on AP), or 'rssi' (STA; 31 while not connected).

        Raises:
            ValueError: another name.
        """
        self._board.look()
        wifi = self._wifi
        if param is NOT_GIVEN:
            return self._states[wifi.joining] if self._interface is STA else -1
        if setting_name(param) == "rssi" and self._interface is STA:
            try:
                return wifi.rssi_dbm()
            except WifiError:
                return 31
        raise ValueError("unknown status param")

    def scan(self) -> list[ScanResult]:
        """Return the networks around: ``(ssid, bssid, channel, RSSI, security, hidden)`` each.

        Raises:
            OSError: not the station interface, or it is not active.
        """
        self._board.look()
        self._require(STA)
        try:
            return self._wifi.scan()
        except WifiError:
            raise BoardOSError("STA must be active") from None

    def _configure(self, values: dict[str, Any]) -> None:
        try:
            super()._configure(values)
        except WifiError:
            kind = "STA" if self._interface is STA else "AP"
            raise BoardOSError(f"can't set {kind} config") from None

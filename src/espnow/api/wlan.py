"""The module ``network`` of one board: WLAN of an ESP32, and the names around it, by the board's profile.

Rules: here arguments are checked and MicroPython's exceptions are made; the state is that of
`espnow.board.Wifi`. A module is made for one board by binding one small subclass to it; everything
else is shared by all boards. Calls that only look cost a little time, so that a program that polls
lets time pass.

It follows MicroPython's document of ``network.WLAN`` and, where that is silent, its ports'
``network_wlan.c`` (observed on release 1.29); an ESP8266's names, numbers and texts are its own
port's. `ps_mode` and ``WIFI_PS_*`` are spellings of the builds that had ESP-NOW before MicroPython
did; programs in use still have them.
"""

from __future__ import annotations

from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from espnow.api.base import buffer_bytes
from espnow.api.wlan_common import (
    AP,
    NOT_GIVEN,
    STA,
    WlanCommon,
    checked_hostname,
    checked_ip,
    netmask_of,
    refuse,
    router_of,
    set_bandwidth,
    set_channel,
    set_hidden,
    set_hostname,
    set_key,
    set_mac,
    set_max_clients,
    set_pm,
    set_protocol,
    set_reconnects,
    set_security,
    set_ssid,
    set_txpower,
    setting_name,
)
from espnow.api.wlan_esp8266 import Wlan8266, set_phy_mode
from espnow.api.wlan_esp8266 import phy_mode as phy_mode_of
from espnow.api.wlan_names import ALIASES_ESP32, NAMES_ESP32, NAMES_ESP8266
from espnow.board.wifi_values import Joining, ScanResult, WifiError
from espnow.errors import BoardOSError

if TYPE_CHECKING:
    from espnow.board import Board

__all__ = ["build_network_module"]


class _Wlan32(WlanCommon):
    """One of the two Wi-Fi interfaces of this board: one object for each number."""

    __slots__ = ()

    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2
    PROTOCOL_DEFAULT = 7
    PROTOCOL_LR = 8
    BANDWIDTH_20 = 1
    BANDWIDTH_40 = 2

    _aliases = MappingProxyType(ALIASES_ESP32)
    _states = MappingProxyType(
        {
            Joining.IDLE: 1000,
            Joining.CONNECTING: 1001,
            Joining.JOINED: 1010,
            Joining.BEACON_TIMEOUT: 200,
            Joining.NO_AP_FOUND: 201,
            Joining.WRONG_PASSWORD: 202,
            Joining.CONNECT_FAIL: 203,
            Joining.HANDSHAKE_TIMEOUT: 204,
        }
    )

    _getters = MappingProxyType(
        {
            "mac": (None, lambda self: self._wifi.mac(self._interface)),
            "ssid": (None, lambda self: self._ssid()),
            "hidden": (AP, lambda self: self._wifi.access_point.hidden),
            "security": (AP, lambda self: self._wifi.access_point.security),
            "channel": (None, lambda self: self._wifi.channel),
            "bandwidth": (None, lambda self: self._wifi.bandwidth(self._interface)),
            "ifname": (None, lambda self: "st1" if self._interface is STA else "ap2"),
            "hostname": (STA, lambda self: self._wifi.hostname),
            "max_clients": (
                None,
                # The firmware reads it from the station's settings, where that place is zero.
                lambda self: self._wifi.access_point.max_clients if self._interface is AP else 0,
            ),
            "reconnects": (STA, lambda self: self._wifi.reconnects),
            "txpower": (None, lambda self: self._wifi.tx_power() * 0.25),
            "protocol": (None, lambda self: self._wifi.protocol(self._interface)),
            "pm": (None, lambda self: self._wifi.power_save),
        }
    )

    _setters = MappingProxyType(
        {
            "mac": (None, set_mac),
            "ssid": (AP, set_ssid),
            "key": (AP, set_key),
            "hidden": (AP, set_hidden),
            "security": (AP, set_security),
            "max_clients": (AP, set_max_clients),
            "channel": (None, set_channel),
            "bandwidth": (None, set_bandwidth),
            "hostname": (STA, set_hostname),
            "reconnects": (STA, set_reconnects),
            "txpower": (None, set_txpower),
            "protocol": (None, set_protocol),
            "pm": (None, set_pm),
        }
    )

    def active(self, is_active: Any = NOT_GIVEN, /) -> bool:
        """Switch the interface on or off by the truth of `is_active`; return whether it is on."""
        if is_active is NOT_GIVEN:
            self._board.look()
        else:
            self._wifi.set_active(self._interface, bool(is_active))
        return self._wifi.interface_active(self._interface)

    def connect(self, ssid: Any = None, key: Any = None, *, bssid: Any = None) -> None:
        """Begin to join a router, without waiting until that is done.

        It is always the station interface that joins.

        Raises:
            OSError: the station interface is not active, or it is connecting already, or no ssid
                was ever given.
            ValueError: a `bssid` that is not 6 bytes long.
        """
        wifi = self._wifi
        router = router_of(ssid, key, bssid)
        try:
            if router is not None:
                wifi.set_router(*router)
            wifi.connect()
        except WifiError as error:
            refuse(error)

    def disconnect(self) -> None:
        """Leave the router, or stop connecting."""
        self._wifi.disconnect()

    def status(self, param: Any = NOT_GIVEN, /) -> Any:
        """Return how the connection stands (None on AP), or 'rssi' (STA), or 'stations' (AP).

        Raises:
            ValueError: another name.
            OSError: the other interface has it; rssi while not connected.
        """
        self._board.look()
        wifi = self._wifi
        if param is NOT_GIVEN:
            if self._interface is not STA:
                return None
            # The firmware passes on the reason with which the router sent the board away.
            return wifi.dismissal if wifi.joining is Joining.DISMISSED else self._states[wifi.joining]
        if param == "stations":
            self._require(AP)
            return wifi.stations()
        if param == "rssi":
            self._require(STA)
            try:
                return wifi.rssi_dbm()
            except WifiError as error:
                refuse(error)
        raise ValueError("unknown status param")

    def scan(self) -> list[ScanResult]:
        """Return the networks around: ``(ssid, bssid, channel, RSSI, security, hidden)`` each.

        Raises:
            OSError: the station interface is not active.
        """
        self._board.look()
        try:
            return self._wifi.scan()
        except WifiError:
            raise BoardOSError("STA must be active") from None

    def ipconfig(self, *names: Any, **values: Any) -> Any:
        """Return 'addr4', 'gw4' or (STA) 'dhcp4' by name, or set them by keyword.

        Raises:
            ValueError: an unknown name, something that is no address.
        """
        wifi = self._wifi
        station = self._interface is STA
        address, netmask, gateway = wifi.addresses[self._interface]
        if not values:
            if len(names) != 1:
                raise TypeError("must query one param")
            self._board.look()
            name = setting_name(names[0])
            if name == "addr4":
                return address, netmask
            if name == "gw4":
                return gateway
            if name == "dhcp4" and station:
                return wifi.dhcp
            raise ValueError("unexpected key")
        if names:
            raise TypeError("can't specify pos and kw args")
        dhcp = False
        for name, value in values.items():
            if name == "dhcp4" and station:
                dhcp = bool(value)
            elif name == "addr4":
                if isinstance(value, str):
                    text, slash, bits = value.partition("/")
                    if slash:
                        netmask = netmask_of(int(bits))
                    address = checked_ip(text)
                elif value is not None:
                    if len(value) != 2:
                        raise ValueError(f"requested length 2 but object has length {len(value)}")
                    address, netmask = checked_ip(value[0]), checked_ip(value[1])
            elif name == "gw4":
                gateway = checked_ip(value)
            else:
                raise ValueError("unexpected key")
        if dhcp and len(values) == 1:
            wifi.use_dhcp()
            return None
        if station:
            wifi.dhcp = False
        wifi.addresses[self._interface] = address, netmask, gateway
        return None

    def _configure(self, values: dict[str, Any]) -> None:
        try:
            super()._configure(values)
        except WifiError as error:
            refuse(error)


def build_network_module(board: Board) -> ModuleType:
    """Return the module ``network`` of `board`, new."""
    esp8266 = board.profile.esp8266
    base: Any = Wlan8266 if esp8266 else _Wlan32
    wlan = board.own_class("WLAN", base, "network", __slots__=())
    wlan._objects = {}

    def hostname(name: Any = NOT_GIVEN, /) -> str | None:
        """Return or set the name that the board has in the network."""
        if name is NOT_GIVEN:
            return board.wifi.hostname
        board.wifi.hostname = checked_hostname(name)
        return None

    def country(code: Any = NOT_GIVEN, /) -> str | None:
        """Return or set the two letters of the country whose rules hold."""
        if code is NOT_GIVEN:
            return board.wifi.country
        letters = buffer_bytes(code)
        if len(letters) != 2:
            raise ValueError
        board.wifi.country = letters.decode(errors="replace")
        return None

    def phy_mode(mode: Any = NOT_GIVEN, /) -> int | None:
        """Return or set the PHY mode of an ESP8266; on an ESP32 this does nothing."""
        if not esp8266:
            return None
        if mode is NOT_GIVEN:
            return phy_mode_of(board.wifi)
        set_phy_mode(board.wifi, mode)
        return None

    module = ModuleType("network", "The Wi-Fi of this board.")
    module_names = vars(module)
    module_names.update(NAMES_ESP8266 if esp8266 else NAMES_ESP32)
    module_names.update(WLAN=wlan, hostname=hostname, country=country, phy_mode=phy_mode)
    if not esp8266:

        def ipconfig(*names: Any, **values: Any) -> Any:
            """Return 'dns' by name, or set it by keyword."""
            if not values:
                if len(names) != 1:
                    raise TypeError("must query one param")
                if setting_name(names[0]) != "dns":
                    raise ValueError("unexpected key")
                return board.wifi.dns
            if names:
                raise TypeError("can't specify pos and kw args")
            if values.keys() != {"dns"}:
                raise ValueError("unexpected key")
            board.wifi.dns = checked_ip(values["dns"])
            return None

        module_names["ipconfig"] = ipconfig
    return module

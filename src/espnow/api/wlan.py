"""The module ``network`` of one board: WLAN, and the names around it, by the board's profile.

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

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from espnow.api.base import buffer_bytes, exact_bytes, integer
from espnow.board.wifi_values import AccessPoint, Joining, ScanResult, WifiCode, WifiError
from espnow.errors import BoardOSError
from espnow.link import Interface, ProtocolBit

if TYPE_CHECKING:
    from espnow.board import Board, Wifi

__all__ = ["build_network_module"]

_STA = Interface.STA
_AP = Interface.AP

_NOT_GIVEN: Any = object()

#: MICROPY_PY_NETWORK_HOSTNAME_MAX_LEN
_HOSTNAME_MAX = 32

_TEXTS = {
    WifiCode.NOT_STARTED: "Wifi Not Started",
    WifiCode.MODE: "Wifi Invalid Mode",
    WifiCode.CONN: "Wifi Internal Error",
    WifiCode.MAC: "Wifi Invalid MAC Address",
    WifiCode.SSID: "Wifi SSID Invalid",
    WifiCode.PASSWORD: "Wifi Invalid Password",
    WifiCode.NOT_CONNECT: "Wifi Not Connected",
}

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


_NAMES_ESP32: Mapping[str, int] = MappingProxyType(
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

_NAMES_ESP8266: Mapping[str, int] = MappingProxyType(
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
_PHY_MODES = (
    0,
    int(ProtocolBit.B),
    int(ProtocolBit.B | ProtocolBit.G),
    int(ProtocolBit.B | ProtocolBit.G | ProtocolBit.N),
)

#: Other spellings of a setting.
_ALIASES = {
    "essid": "ssid",
    "authmode": "security",
    "password": "key",
    "dhcp_hostname": "hostname",
}
_ALIASES_ESP32 = {**_ALIASES, "ps_mode": "pm"}

#: For whom a setting is: one interface, or (None) both; and how it is read or written.
_Getter = tuple[Interface | None, Callable[[Any], Any]]
_Setter = tuple[Interface | None, Callable[[Any, Any], "AccessPoint | None"]]


def _refuse(error: WifiError) -> NoReturn:
    text = _TEXTS.get(error.code)
    if text is None:
        raise RuntimeError(f"Wifi Unknown Error 0x{error.code:04x}") from None
    raise BoardOSError(text) from None


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"can't convert {type(value).__name__} to str")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"can't convert {type(value).__name__} to float")
    return float(value)


def _quarter_dbm(value: Any) -> int:
    power = _number(value) * 4
    # The firmware keeps it in eight bits; what does not fit there is out of range in any case.
    return int(power) if -128 <= power <= 127 else -1


def _hostname(value: Any) -> str:
    name = buffer_bytes(value)
    if len(name) > _HOSTNAME_MAX:
        raise ValueError
    return name.decode(errors="replace")


def _ip(value: Any) -> str:
    parts = _name(value).split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError("invalid arguments")
    numbers = [int(part) for part in parts]
    if max(numbers) > 255:
        raise ValueError("invalid arguments")
    return ".".join(map(str, numbers))


def _netmask_of(bits: int) -> str:
    if not 0 <= bits <= 32:
        raise ValueError("invalid arguments")
    mask = 0xFFFF_FFFF << (32 - bits) & 0xFFFF_FFFF
    return ".".join(str(byte) for byte in mask.to_bytes(4, "big"))


class _WlanCommon:
    """What WLAN of ESP32 and ESP8266 share.

    A class of a board is made from one of its children by binding `_board` and `_objects`.
    """

    __slots__ = ("_interface",)

    _board: ClassVar[Board]
    _objects: ClassVar[dict[tuple[type, int], Any]]
    _getters: ClassVar[Mapping[str, _Getter]]
    _setters: ClassVar[Mapping[str, _Setter]]
    _aliases: ClassVar[Mapping[str, str]]
    _states: ClassVar[Mapping[Joining, int]]

    IF_STA = 0
    IF_AP = 1
    PM_NONE = 0

    _interface: Interface

    def __new__(cls, interface_id: Any = 0, /) -> Any:
        number = integer(interface_id)
        if number not in (0, 1):
            raise ValueError("invalid WLAN interface identifier")
        found = cls._objects.get((cls, number))
        if found is None:
            found = cls._objects[cls, number] = super().__new__(cls)
            found._interface = Interface(number)
        return found

    def __repr__(self) -> str:
        return "<WLAN>"

    @property
    def _wifi(self) -> Wifi:
        return self._board.wifi

    def _require(self, interface: Interface | None) -> None:
        if interface is not None and interface is not self._interface:
            raise BoardOSError("STA required" if interface is _STA else "AP required")

    def _ssid(self) -> str:
        wifi = self._wifi
        ssid = wifi.ssid if self._interface is _STA else wifi.access_point.ssid
        return ssid.decode(errors="replace")

    def isconnected(self) -> bool:
        """Return whether STA is joined to a router and has an address, or somebody joined AP."""
        self._board.look()
        wifi = self._wifi
        return wifi.connected if self._interface is _STA else bool(wifi.stations())

    def config(self, *names: Any, **values: Any) -> Any:
        """Return one setting asked for by name, or set some by keyword.

        Raises:
            ValueError: an unknown name.
            OSError: a setting of the other interface, or one that Wi-Fi refuses now.
            RuntimeError: a value that Wi-Fi refuses.
            TypeError: both at once, or a value of a wrong type.
        """
        if values:
            if names:
                raise TypeError("either pos or kw args are allowed")
            self._configure(values)
            return None
        if len(names) != 1:
            raise TypeError("can query only one param")
        self._board.look()
        name = _name(names[0])
        getter = self._getters.get(self._aliases.get(name, name))
        if getter is None:
            raise ValueError("unknown config param")
        self._require(getter[0])
        try:
            return getter[1](self)
        except WifiError as error:
            _refuse(error)

    def _configure(self, values: dict[str, Any]) -> None:
        """Set one after the other; the access point changes at the end, all at once."""
        access_point = before = self._wifi.access_point
        for name, value in values.items():
            setter = self._setters.get(self._aliases.get(name, name))
            if setter is None:
                raise ValueError("unknown config param")
            self._require(setter[0])
            changed = setter[1](_Change(self, access_point), value)
            if changed is not None:
                access_point = changed
        if access_point is not before:
            self._wifi.set_access_point(access_point)

    def ifconfig(self, addresses: Any = _NOT_GIVEN, /) -> Any:
        """Return or set ``(address, netmask, gateway, name server)``; 'dhcp' asks for them again.

        Raises:
            ValueError: something that is no address.
        """
        wifi = self._wifi
        interface = self._interface
        if addresses is _NOT_GIVEN:
            self._board.look()
            return (*wifi.addresses[interface], wifi.dns)
        if isinstance(addresses, str):
            if addresses != "dhcp" or interface is not _STA:
                raise ValueError("invalid arguments")
            wifi.dhcp = True
            wifi.addresses[_STA] = ("0.0.0.0", "0.0.0.0", "0.0.0.0")
            return None
        if not isinstance(addresses, tuple | list):
            raise TypeError(f"can't convert {type(addresses).__name__} to str")
        if len(addresses) != 4:
            raise ValueError(f"requested length 4 but object has length {len(addresses)}")
        address, netmask, gateway, dns = addresses
        mask = _netmask_of(netmask) if isinstance(netmask, int) else _ip(netmask)
        found = _ip(address), mask, _ip(gateway)
        wifi.dns = _ip(dns)
        wifi.addresses[interface] = found
        if interface is _STA:
            wifi.dhcp = False
        return None


class _Change:
    """Who sets what: the WLAN object, and the access point as it is so far in this call."""

    __slots__ = ("access_point", "interface", "wifi")

    def __init__(self, wlan: _WlanCommon, access_point: AccessPoint) -> None:
        self.wifi = wlan._wifi
        self.interface = wlan._interface
        self.access_point = access_point


# Each of these takes a _Change and the value, and returns the access point if that changes.


def _set_mac(change: _Change, value: Any) -> None:
    change.wifi.set_mac(change.interface, exact_bytes(value, 6))


def _set_mac_quietly(change: _Change, value: Any) -> None:
    mac = exact_bytes(value, 6)
    with suppress(WifiError):  # the ESP8266 port does not look at what the SDK answers
        change.wifi.set_mac(change.interface, mac)


def _set_ssid(change: _Change, value: Any) -> AccessPoint:
    return replace(change.access_point, ssid=buffer_bytes(value)[:32])


def _set_key(change: _Change, value: Any) -> AccessPoint:
    return replace(change.access_point, key=buffer_bytes(value)[:63])


def _set_hidden(change: _Change, value: Any) -> AccessPoint:
    return replace(change.access_point, hidden=bool(value))


def _set_security(change: _Change, value: Any) -> AccessPoint:
    return replace(change.access_point, security=integer(value))


def _set_max_clients(change: _Change, value: Any) -> AccessPoint:
    return replace(change.access_point, max_clients=integer(value) & 0xFF)


def _set_channel(change: _Change, value: Any) -> None:
    change.wifi.set_channel(change.interface, integer(value) & 0xFF)


def _set_bandwidth(change: _Change, value: Any) -> None:
    change.wifi.set_bandwidth(change.interface, integer(value))


def _set_hostname(change: _Change, value: Any) -> None:
    change.wifi.hostname = _hostname(value)


def _set_reconnects(change: _Change, value: Any) -> None:
    change.wifi.reconnects = max(integer(value), -1)


def _set_txpower(change: _Change, value: Any) -> None:
    change.wifi.set_tx_power(_quarter_dbm(value))


def _set_protocol(change: _Change, value: Any) -> None:
    change.wifi.set_protocol(change.interface, integer(value) & 0xFF)


def _set_pm(change: _Change, value: Any) -> None:
    change.wifi.set_power_save(integer(value))


def _set_pm_quietly(change: _Change, value: Any) -> None:
    mode = integer(value)
    with suppress(WifiError):  # the ESP8266 port does not look at what the SDK answers
        change.wifi.set_power_save(mode)


def _set_phy_mode(wifi: Wifi, value: Any) -> None:
    """Let both interfaces of an ESP8266 decode what a mode says; unknown ones change nothing."""
    mode = integer(value)
    if 0 < mode < len(_PHY_MODES):
        for interface in Interface:
            wifi.set_protocol(interface, _PHY_MODES[mode])


class _Wlan32(_WlanCommon):
    """One of the two Wi-Fi interfaces of this board: one object for each number."""

    __slots__ = ()

    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2
    PROTOCOL_DEFAULT = 7
    PROTOCOL_LR = 8
    BANDWIDTH_20 = 1
    BANDWIDTH_40 = 2

    _aliases = MappingProxyType(_ALIASES_ESP32)
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
            "hidden": (_AP, lambda self: self._wifi.access_point.hidden),
            "security": (_AP, lambda self: self._wifi.access_point.security),
            "channel": (None, lambda self: self._wifi.channel),
            "bandwidth": (None, lambda self: self._wifi.bandwidth(self._interface)),
            "ifname": (None, lambda self: "st1" if self._interface is _STA else "ap2"),
            "hostname": (_STA, lambda self: self._wifi.hostname),
            "max_clients": (
                None,
                # The firmware reads it from the station's settings, where that place is zero.
                lambda self: self._wifi.access_point.max_clients if self._interface is _AP else 0,
            ),
            "reconnects": (_STA, lambda self: self._wifi.reconnects),
            "txpower": (None, lambda self: self._wifi.tx_power() * 0.25),
            "protocol": (None, lambda self: self._wifi.protocol(self._interface)),
            "pm": (None, lambda self: self._wifi.power_save),
        }
    )

    _setters = MappingProxyType(
        {
            "mac": (None, _set_mac),
            "ssid": (_AP, _set_ssid),
            "key": (_AP, _set_key),
            "hidden": (_AP, _set_hidden),
            "security": (_AP, _set_security),
            "max_clients": (_AP, _set_max_clients),
            "channel": (None, _set_channel),
            "bandwidth": (None, _set_bandwidth),
            "hostname": (_STA, _set_hostname),
            "reconnects": (_STA, _set_reconnects),
            "txpower": (None, _set_txpower),
            "protocol": (None, _set_protocol),
            "pm": (None, _set_pm),
        }
    )

    def active(self, is_active: Any = _NOT_GIVEN, /) -> bool:
        """Switch the interface on or off by the truth of `is_active`; return whether it is on."""
        if is_active is _NOT_GIVEN:
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
        router = _router(ssid, key, bssid)
        try:
            if router is not None:
                wifi.set_router(*router)
            wifi.connect()
        except WifiError as error:
            _refuse(error)

    def disconnect(self) -> None:
        """Leave the router, or stop connecting."""
        self._wifi.disconnect()

    def status(self, param: Any = _NOT_GIVEN, /) -> Any:
        """Return how the connection stands (None on AP), or 'rssi' (STA), or 'stations' (AP).

        Raises:
            ValueError: another name.
            OSError: the other interface has it; rssi while not connected.
        """
        self._board.look()
        wifi = self._wifi
        if param is _NOT_GIVEN:
            if self._interface is not _STA:
                return None
            # The firmware passes on the reason with which the router sent the board away.
            return wifi.dismissal if wifi.joining is Joining.DISMISSED else self._states[wifi.joining]
        if param == "stations":
            self._require(_AP)
            return wifi.stations()
        if param == "rssi":
            self._require(_STA)
            try:
                return wifi.rssi_dbm()
            except WifiError as error:
                _refuse(error)
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
        station = self._interface is _STA
        address, netmask, gateway = wifi.addresses[self._interface]
        if not values:
            if len(names) != 1:
                raise TypeError("must query one param")
            self._board.look()
            name = _name(names[0])
            if name == "addr4":
                return address, netmask
            if name == "gw4":
                return gateway
            if name == "dhcp4" and station:
                return wifi.dhcp
            raise ValueError("unexpected key")
        if names:
            raise TypeError("can't specify pos and kw args")
        dhcp: bool | None = None
        for name, value in values.items():
            if name == "dhcp4" and station:
                dhcp = bool(value)
            elif name == "addr4":
                if isinstance(value, str):
                    text, slash, bits = value.partition("/")
                    if slash:
                        netmask = _netmask_of(int(bits))
                    address = _ip(text)
                elif value is not None:
                    if len(value) != 2:
                        raise ValueError(f"requested length 2 but object has length {len(value)}")
                    address, netmask = _ip(value[0]), _ip(value[1])
            elif name == "gw4":
                gateway = _ip(value)
            else:
                raise ValueError("unexpected key")
        if dhcp is not None:
            wifi.dhcp = dhcp
        if station and values.keys() - {"dhcp4"}:
            wifi.dhcp = False
        wifi.addresses[self._interface] = address, netmask, gateway
        return None

    def _configure(self, values: dict[str, Any]) -> None:
        try:
            super()._configure(values)
        except WifiError as error:
            _refuse(error)


class _Wlan8266(_WlanCommon):
    """One of the two Wi-Fi interfaces of this board: one object for each number."""

    __slots__ = ()

    # sleep_type of its SDK: none, light, modem.
    PM_PERFORMANCE = 2
    PM_POWERSAVE = 1

    _aliases = MappingProxyType(_ALIASES)
    # What it tells of a router that was lost is assumed.
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
            "hidden": (_AP, lambda self: self._wifi.access_point.hidden),
            "security": (_AP, lambda self: self._wifi.access_point.security),
            "channel": (_AP, lambda self: self._wifi.channel),
            "hostname": (_STA, lambda self: self._wifi.hostname),
            "protocol": (None, lambda self: _phy_mode(self._wifi)),
            "pm": (None, lambda self: self._wifi.power_save),
        }
    )

    _setters = MappingProxyType(
        {
            "mac": (None, _set_mac_quietly),
            "ssid": (_AP, _set_ssid),
            "key": (_AP, _set_key),
            "hidden": (_AP, _set_hidden),
            "security": (_AP, _set_security),
            "channel": (_AP, _set_channel),
            "hostname": (None, _set_hostname),
            "reconnects": (_STA, _set_reconnects),
            "txpower": (None, _set_txpower),
            "protocol": (None, lambda change, value: _set_phy_mode(change.wifi, value)),
            "pm": (None, _set_pm_quietly),
        }
    )

    def active(self, is_active: Any = _NOT_GIVEN, /) -> bool | None:
        """Return whether the interface is on; or switch it, and return nothing."""
        wifi = self._wifi
        if is_active is _NOT_GIVEN:
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
        self._require(_STA)
        wifi = self._wifi
        router = _router(ssid, key, bssid)
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
        self._require(_STA)
        self._wifi.disconnect()

    def status(self, param: Any = _NOT_GIVEN, /) -> int:
        """Return how the connection stands (-1 on AP), or 'rssi' (STA; 31 while not connected).

        Raises:
            ValueError: another name.
        """
        self._board.look()
        wifi = self._wifi
        if param is _NOT_GIVEN:
            return self._states[wifi.joining] if self._interface is _STA else -1
        if _name(param) == "rssi" and self._interface is _STA:
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
        self._require(_STA)
        try:
            return self._wifi.scan()
        except WifiError:
            raise BoardOSError("STA must be active") from None

    def _configure(self, values: dict[str, Any]) -> None:
        try:
            super()._configure(values)
        except WifiError:
            kind = "STA" if self._interface is _STA else "AP"
            raise BoardOSError(f"can't set {kind} config") from None


def _router(ssid: Any, key: Any, bssid: Any) -> tuple[bytes, bytes, bytes | None] | None:
    """Return name, key and address that `connect` was given; None when it was given nothing."""
    address = None
    if bssid is not None:
        address = buffer_bytes(bssid)
        if len(address) != 6:
            raise ValueError
    if ssid is None and key is None and bssid is None:
        return None
    return (
        b"" if ssid is None else buffer_bytes(ssid),
        b"" if key is None else buffer_bytes(key),
        address,
    )


def _phy_mode(wifi: Wifi) -> int:
    return _PHY_MODES.index(wifi.protocol(_STA))


def build_network_module(board: Board) -> ModuleType:
    """Return the module ``network`` of `board`, new."""
    esp8266 = board.profile.esp8266
    wlan = board.classes.get("network.WLAN")
    if wlan is None:
        base = _Wlan8266 if esp8266 else _Wlan32
        names = {"__slots__": (), "__module__": "network", "__doc__": base.__doc__, "_board": board}
        wlan = board.classes["network.WLAN"] = type("WLAN", (base,), names)
    wlan._objects = {}

    def hostname(name: Any = _NOT_GIVEN, /) -> str | None:
        """Return or set the name that the board has in the network."""
        if name is _NOT_GIVEN:
            return board.wifi.hostname
        board.wifi.hostname = _hostname(name)
        return None

    def country(code: Any = _NOT_GIVEN, /) -> str | None:
        """Return or set the two letters of the country whose rules hold."""
        if code is _NOT_GIVEN:
            return board.wifi.country
        letters = buffer_bytes(code)
        if len(letters) != 2:
            raise ValueError
        board.wifi.country = letters.decode(errors="replace")
        return None

    def phy_mode(mode: Any = _NOT_GIVEN, /) -> int | None:
        """Return or set the PHY mode of an ESP8266; on an ESP32 this does nothing."""
        if not esp8266:
            return None
        if mode is _NOT_GIVEN:
            return _phy_mode(board.wifi)
        _set_phy_mode(board.wifi, mode)
        return None

    module = ModuleType("network", "The Wi-Fi of this board.")
    module_names = vars(module)
    module_names.update(_NAMES_ESP8266 if esp8266 else _NAMES_ESP32)
    module_names.update(WLAN=wlan, hostname=hostname, country=country, phy_mode=phy_mode)
    if not esp8266:

        def ipconfig(*names: Any, **values: Any) -> Any:
            """Return 'dns' by name, or set it by keyword."""
            if not values:
                if len(names) != 1:
                    raise TypeError("must query one param")
                if _name(names[0]) != "dns":
                    raise ValueError("unexpected key")
                return board.wifi.dns
            if names:
                raise TypeError("can't specify pos and kw args")
            if values.keys() != {"dns"}:
                raise ValueError("unexpected key")
            board.wifi.dns = _ip(values["dns"])
            return None

        module_names["ipconfig"] = ipconfig
    return module

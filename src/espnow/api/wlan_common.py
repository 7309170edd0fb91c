"""What WLAN of ESP32 and of ESP8266 share: reading and setting one setting each, addresses, arguments.

Rules: arguments are checked here and MicroPython's exceptions made; the state is that of `espnow.board.Wifi`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from espnow.api.base import buffer_bytes, exact_bytes, integer
from espnow.board.wifi_values import AccessPoint, Joining, WifiCode, WifiError
from espnow.errors import BoardOSError
from espnow.link import Interface

if TYPE_CHECKING:
    from espnow.board import Board, Wifi

__all__ = [
    "STA",
    "AP",
    "NOT_GIVEN",
    "refuse",
    "setting_name",
    "checked_hostname",
    "checked_ip",
    "netmask_of",
    "WlanCommon",
    "Change",
    "router_of",
    "set_mac",
    "set_ssid",
    "set_key",
    "set_hidden",
    "set_security",
    "set_max_clients",
    "set_channel",
    "set_bandwidth",
    "set_hostname",
    "set_reconnects",
    "set_txpower",
    "set_protocol",
    "set_pm",
]

STA = Interface.STA
AP = Interface.AP

NOT_GIVEN: Any = object()

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

#: For whom a setting is: one interface, or (None) both; and how it is read or written.
_Getter = tuple[Interface | None, Callable[[Any], Any]]
_Setter = tuple[Interface | None, Callable[[Any, Any], "AccessPoint | None"]]


def refuse(error: WifiError) -> NoReturn:
    """Raise what MicroPython raises when Wi-Fi refuses."""
    text = _TEXTS.get(error.code)
    if text is None:
        raise RuntimeError(f"Wifi Unknown Error 0x{error.code:04x}") from None
    raise BoardOSError(text) from None


def setting_name(value: Any) -> str:
    """Return the name of a setting; TypeError if it is no text."""
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


def checked_hostname(value: Any) -> str:
    """Return a name for the board in its network; ValueError if it is too long."""
    name = buffer_bytes(value)
    if len(name) > _HOSTNAME_MAX:
        raise ValueError
    return name.decode(errors="replace")


def checked_ip(value: Any) -> str:
    """Return an IP address in its plain form; ValueError if it is none."""
    parts = setting_name(value).split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError("invalid arguments")
    numbers = [int(part) for part in parts]
    if max(numbers) > 255:
        raise ValueError("invalid arguments")
    return ".".join(map(str, numbers))


def netmask_of(bits: int) -> str:
    """Return the netmask with so many bits; ValueError beyond 32."""
    if not 0 <= bits <= 32:
        raise ValueError("invalid arguments")
    mask = 0xFFFF_FFFF << (32 - bits) & 0xFFFF_FFFF
    return ".".join(str(byte) for byte in mask.to_bytes(4, "big"))


class WlanCommon:
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
        """Return the one object of an interface."""
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
            raise BoardOSError("STA required" if interface is STA else "AP required")

    def _ssid(self) -> str:
        wifi = self._wifi
        ssid = wifi.ssid if self._interface is STA else wifi.access_point.ssid
        return ssid.decode(errors="replace")

    def isconnected(self) -> bool:
        """Return whether STA is joined to a router and has an address, or somebody joined AP."""
        self._board.look()
        wifi = self._wifi
        return wifi.connected if self._interface is STA else bool(wifi.stations())

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
        name = setting_name(names[0])
        getter = self._getters.get(self._aliases.get(name, name))
        if getter is None:
            raise ValueError("unknown config param")
        self._require(getter[0])
        try:
            return getter[1](self)
        except WifiError as error:
            refuse(error)

    def _configure(self, values: dict[str, Any]) -> None:
        """Set one after the other; the access point changes at the end, all at once."""
        access_point = before = self._wifi.access_point
        for name, value in values.items():
            setter = self._setters.get(self._aliases.get(name, name))
            if setter is None:
                raise ValueError("unknown config param")
            self._require(setter[0])
            changed = setter[1](Change(self, access_point), value)
            if changed is not None:
                access_point = changed
        if access_point is not before:
            self._wifi.set_access_point(access_point)

    def ifconfig(self, addresses: Any = NOT_GIVEN, /) -> Any:
        """Return or set ``(address, netmask, gateway, name server)``; 'dhcp' asks for them again.

        Raises:
            ValueError: something that is no address.
        """
        wifi = self._wifi
        interface = self._interface
        if addresses is NOT_GIVEN:
            self._board.look()
            return (*wifi.addresses[interface], wifi.dns)
        if isinstance(addresses, str):
            if addresses != "dhcp" or interface is not STA:
                raise ValueError("invalid arguments")
            wifi.use_dhcp()
            return None
        if not isinstance(addresses, tuple | list):
            raise TypeError(f"can't convert {type(addresses).__name__} to str")
        if len(addresses) != 4:
            raise ValueError(f"requested length 4 but object has length {len(addresses)}")
        address, netmask, gateway, dns = addresses
        mask = netmask_of(netmask) if isinstance(netmask, int) else checked_ip(netmask)
        found = checked_ip(address), mask, checked_ip(gateway)
        wifi.dns = checked_ip(dns)
        wifi.addresses[interface] = found
        if interface is STA:
            wifi.dhcp = False
        return None


class Change:
    """Who sets what: the WLAN object, and the access point as it is so far in this call."""

    __slots__ = ("access_point", "interface", "wifi")

    def __init__(self, wlan: WlanCommon, access_point: AccessPoint) -> None:
        self.wifi = wlan._wifi
        self.interface = wlan._interface
        self.access_point = access_point


# Each of these takes a Change and the value, and returns the access point if that changes.


def set_mac(change: Change, value: Any) -> None:
    """Change the address of the interface."""
    change.wifi.set_mac(change.interface, exact_bytes(value, 6))


def set_ssid(change: Change, value: Any) -> AccessPoint:
    """Change the name of the access point; what is too long is cut."""
    return replace(change.access_point, ssid=buffer_bytes(value)[:32])


def set_key(change: Change, value: Any) -> AccessPoint:
    """Change the key of the access point; what is too long is cut."""
    return replace(change.access_point, key=buffer_bytes(value)[:63])


def set_hidden(change: Change, value: Any) -> AccessPoint:
    """Change whether the access point keeps its name back."""
    return replace(change.access_point, hidden=bool(value))


def set_security(change: Change, value: Any) -> AccessPoint:
    """Change the security of the access point."""
    return replace(change.access_point, security=integer(value))


def set_max_clients(change: Change, value: Any) -> AccessPoint:
    """Change how many stations may join the access point."""
    return replace(change.access_point, max_clients=integer(value) & 0xFF)


def set_channel(change: Change, value: Any) -> None:
    """Change the channel."""
    change.wifi.set_channel(change.interface, integer(value) & 0xFF)


def set_bandwidth(change: Change, value: Any) -> None:
    """Change the bandwidth."""
    change.wifi.set_bandwidth(change.interface, integer(value))


def set_hostname(change: Change, value: Any) -> None:
    """Change the name of the board in its network."""
    change.wifi.hostname = checked_hostname(value)


def set_reconnects(change: Change, value: Any) -> None:
    """Change how often the board searches for its router again."""
    change.wifi.reconnects = max(integer(value), -1)


def set_txpower(change: Change, value: Any) -> None:
    """Change the transmit power."""
    change.wifi.set_tx_power(_quarter_dbm(value))


def set_protocol(change: Change, value: Any) -> None:
    """Change what the interface decodes."""
    change.wifi.set_protocol(change.interface, integer(value) & 0xFF)


def set_pm(change: Change, value: Any) -> None:
    """Change how the board saves power."""
    change.wifi.set_power_save(integer(value))


def router_of(ssid: Any, key: Any, bssid: Any) -> tuple[bytes, bytes, bytes | None] | None:
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

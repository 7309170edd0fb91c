"""What this project asks of Linux's Wi-Fi configuration, nl80211: phys, interfaces, channels.

Rules:

- One call, one request; nothing is kept, since anything may have changed at the next.
- Values are the field's: a channel is a number, a mode what an interface does. Only the 2.4 GHz band is told of.
- A refusal is the kernel's (`espnow.radio.monitor.netlink.NetlinkError`); what it means to a person is said elsewhere.

Follows Linux's ``include/uapi/linux/nl80211.h``; what was measured was so on kernels 6.1 and 6.12.
"""

from __future__ import annotations

import enum
import errno
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from espnow.frame.radiotap import frequency_mhz
from espnow.radio.monitor.netlink import (
    GenericNetlink,
    Message,
    NetlinkError,
    attribute,
    flag,
    nested,
    parse_attributes,
    parse_u32,
    split_attributes,
    text,
    u32,
)

__all__ = ["AP_NAME", "BEACON_INTERVAL_TU", "Mode", "MonitorFlag", "Nl80211", "Phy", "PhyChannel", "WifiInterface"]

# Commands.
_GET_WIPHY = 1
_GET_INTERFACE = 5
_SET_INTERFACE = 6
_NEW_INTERFACE = 7
_DEL_INTERFACE = 8
_START_AP = 15
_STOP_AP = 16
_GET_REG = 31
_SET_CHANNEL = 65

# Attributes.
_WIPHY = 1
_WIPHY_NAME = 2
_IFINDEX = 3
_IFNAME = 4
_IFTYPE = 5
_MAC = 6
_BEACON_INTERVAL = 12
_DTIM_PERIOD = 13
_BEACON_HEAD = 14
_WIPHY_BANDS = 22
_MONITOR_FLAGS = 23
_SUPPORTED_IFTYPES = 32
_REG_ALPHA2 = 33
_WIPHY_FREQ = 38
_CHANNEL_TYPE = 39
_SSID = 52
_AUTH_TYPE = 53
_HIDDEN_SSID = 126
_SPLIT_WIPHY_DUMP = 174
_SOCKET_OWNER = 204

# Inside of bands and channels.
_BAND_2GHZ = 0
_BAND_FREQS = 1
_BAND_HT = 4
_FREQ = 1
_FREQ_DISABLED = 2
_FREQ_NO_IR = 3

_NO_HT = 0
_HIDDEN = 1
_OPEN_SYSTEM = 0

#: How seldom an access point of ours sends a beacon, in units of 1024 us: the most that Linux takes.
BEACON_INTERVAL_TU = 10_000

#: The network's name of an access point of ours, which is hidden.
AP_NAME = b"espnow"

_CHANNELS = {frequency_mhz(channel): channel for channel in range(1, 15)}


class Mode(enum.IntEnum):
    """What an interface does (``enum nl80211_iftype``)."""

    UNSPECIFIED = 0
    ADHOC = 1
    STATION = 2
    AP = 3
    AP_VLAN = 4
    WDS = 5
    MONITOR = 6
    MESH = 7
    P2P_CLIENT = 8
    P2P_GO = 9
    P2P_DEVICE = 10
    OCB = 11
    NAN = 12

    @property
    def label(self) -> str:
        """How a person reads it: as ``iw`` writes it."""
        return _MODE_LABELS.get(self, self.name.lower().replace("_", " "))


_MODE_LABELS = {Mode.STATION: "managed", Mode.AP: "AP", Mode.ADHOC: "IBSS", Mode.MESH: "mesh point"}


class MonitorFlag(enum.IntEnum):
    """What a monitor interface hears besides (``enum nl80211_mntr_flags``)."""

    CONTROL = 3
    OTHER_BSS = 4


@dataclass(frozen=True, slots=True)
class PhyChannel:
    """A channel of the 2.4 GHz band, as the regulatory domain has it now.

    Attributes:
        number: 1 to 14.
        disabled: it must not be used at all.
        no_ir: nothing may be sent on it unless an access point is heard.
    """

    number: int
    disabled: bool
    no_ir: bool


@dataclass(frozen=True, slots=True)
class Phy:
    """A Wi-Fi adapter.

    Attributes:
        index: its number.
        name: such as ``phy0``.
        modes: what its interfaces can do.
        channels: of the 2.4 GHz band.
        ht: it sends 802.11n rates in this band.
    """

    index: int
    name: str
    modes: frozenset[Mode]
    channels: tuple[PhyChannel, ...]
    ht: bool

    def channel(self, number: int) -> PhyChannel | None:
        """Return one of its channels."""
        return next((channel for channel in self.channels if channel.number == number), None)


@dataclass(frozen=True, slots=True)
class WifiInterface:
    """A network interface of an adapter.

    Attributes:
        index: its number.
        name: such as ``wlan1``.
        phy: number of its adapter.
        mode: what it does.
        address: its MAC address.
        channel: 1 to 14 where it is known.
        ssid: of the network that it is in, or runs.
    """

    index: int
    name: str
    phy: int
    mode: Mode
    address: bytes
    channel: int | None
    ssid: bytes | None


class Nl80211:
    """A socket to nl80211; a context manager."""

    def __init__(self) -> None:
        """Open it.

        Raises:
            OSError: this kernel has no Wi-Fi (ENOENT), or the system no netlink.
        """
        self._netlink = GenericNetlink("nl80211")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._netlink.fileno()

    def close(self) -> None:
        """Close it; interfaces that belong to it go away."""
        self._netlink.close()

    # What there is.

    def interfaces(self) -> list[WifiInterface]:
        """Return all interfaces that have a name."""
        return _interfaces(self._netlink.request(_GET_INTERFACE, dump=True))

    def interface(self, index: int) -> WifiInterface | None:
        """Return an interface, or None when there is none of this number, or it is no Wi-Fi."""
        try:
            found = _interfaces(self._netlink.request(_GET_INTERFACE, u32(_IFINDEX, index)))
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            return None
        return next(iter(found), None)

    def phys(self) -> list[Phy]:
        """Return all adapters."""
        return self._phys()

    def _phys(self, *which: bytes) -> list[Phy]:
        parts: dict[int, list[dict[int, bytes]]] = {}
        for message in self._netlink.request(_GET_WIPHY, flag(_SPLIT_WIPHY_DUMP), *which, dump=True):
            told = message.attributes
            if _WIPHY in told:
                parts.setdefault(parse_u32(told[_WIPHY]), []).append(told)
        return [_phy(index, told) for index, told in sorted(parts.items())]

    def phy(self, index: int) -> Phy | None:
        """Return an adapter, or None when it is gone."""
        return next((phy for phy in self._phys(u32(_WIPHY, index)) if phy.index == index), None)

    def country(self) -> str:
        """Return the regulatory domain that holds for all adapters: two letters, ``00`` for the world's."""
        for message in self._netlink.request(_GET_REG):
            told = message.attributes.get(_REG_ALPHA2)
            if told is not None:
                return told[:2].decode("ascii", "replace")
        return "00"

    # What can be changed.

    def set_mode(self, index: int, mode: Mode, flags: Iterable[MonitorFlag] | None = None) -> None:
        """Let an interface that is down do something else; flags may be set while it is up.

        Raises:
            NetlinkError: the kernel refuses.
        """
        attributes = [u32(_IFINDEX, index), u32(_IFTYPE, mode)]
        if flags is not None:
            attributes.append(nested(_MONITOR_FLAGS, *map(flag, flags)))
        self._netlink.request(_SET_INTERFACE, *attributes)

    def set_channel(self, index: int, channel: int) -> None:
        """Put a monitor interface that is up on a channel.

        Raises:
            NetlinkError: the kernel refuses: EBUSY while it is down, and while another interface of the adapter is up
                that is no monitor; EINVAL for a channel that is not allowed.
        """
        self._netlink.request(_SET_CHANNEL, u32(_IFINDEX, index), *_on(channel))

    def add_interface(self, phy: int, name: str, mode: Mode, address: bytes) -> WifiInterface:
        """Make another interface of an adapter; it goes away with this socket.

        Raises:
            NetlinkError: the kernel refuses.
        """
        answer = self._netlink.request(
            _NEW_INTERFACE,
            u32(_WIPHY, phy),
            text(_IFNAME, name),
            u32(_IFTYPE, mode),
            attribute(_MAC, address),
            flag(_SOCKET_OWNER),
        )
        for interface in _interfaces(answer) or self.interfaces():
            if interface.name == name:
                return interface
        raise NetlinkError(errno.ENODEV)

    def delete_interface(self, index: int) -> None:
        """Take an interface away.

        Raises:
            NetlinkError: the kernel refuses.
        """
        self._netlink.request(_DEL_INTERFACE, u32(_IFINDEX, index))

    def start_ap(self, index: int, channel: int, beacon: bytes) -> None:
        """Let an interface in AP mode that is up begin, hidden, with as few beacons as may be.

        Args:
            index: its number.
            channel: for it and every monitor of its adapter.
            beacon: its beacon's MPDU, which has no name in it.

        Raises:
            NetlinkError: the kernel refuses.
        """
        self._netlink.request(
            _START_AP,
            u32(_IFINDEX, index),
            attribute(_BEACON_HEAD, beacon),
            u32(_BEACON_INTERVAL, BEACON_INTERVAL_TU),
            u32(_DTIM_PERIOD, 1),
            attribute(_SSID, AP_NAME),
            u32(_HIDDEN_SSID, _HIDDEN),
            u32(_AUTH_TYPE, _OPEN_SYSTEM),
            *_on(channel),
        )

    def stop_ap(self, index: int) -> None:
        """End what `start_ap` began.

        Raises:
            NetlinkError: the kernel refuses.
        """
        self._netlink.request(_STOP_AP, u32(_IFINDEX, index))


def _on(channel: int) -> tuple[bytes, bytes]:
    return u32(_WIPHY_FREQ, frequency_mhz(channel)), u32(_CHANNEL_TYPE, _NO_HT)


def _mode(number: int) -> Mode:
    try:
        return Mode(number)
    except ValueError:  # a newer kernel's
        return Mode.UNSPECIFIED


def _interfaces(messages: list[Message]) -> list[WifiInterface]:
    found = map(_interface, messages)
    return [interface for interface in found if interface is not None]


def _interface(message: Message) -> WifiInterface | None:
    told = message.attributes
    if _IFINDEX not in told or _WIPHY not in told:
        return None
    frequency = parse_u32(told[_WIPHY_FREQ]) if _WIPHY_FREQ in told else 0
    return WifiInterface(
        index=parse_u32(told[_IFINDEX]),
        name=told.get(_IFNAME, b"").rstrip(b"\0").decode(errors="replace"),
        phy=parse_u32(told[_WIPHY]),
        mode=_mode(parse_u32(told[_IFTYPE]) if _IFTYPE in told else 0),
        address=told.get(_MAC, bytes(6)),
        channel=_CHANNELS.get(frequency),
        ssid=told.get(_SSID) or None,
    )


def _phy(index: int, parts: list[dict[int, bytes]]) -> Phy:
    """Put together what the parts of a dump tell of one adapter."""
    name = ""
    modes: set[Mode] = set()
    channels: dict[int, PhyChannel] = {}
    ht = False
    for told in parts:
        if _WIPHY_NAME in told:
            name = told[_WIPHY_NAME].rstrip(b"\0").decode(errors="replace")
        modes |= {_mode(kind) for kind, _ in split_attributes(told.get(_SUPPORTED_IFTYPES, b""))}
        band = parse_attributes(told.get(_WIPHY_BANDS, b"")).get(_BAND_2GHZ, b"")
        for kind, content in split_attributes(band):
            ht = ht or kind == _BAND_HT
            if kind == _BAND_FREQS:
                channels |= {channel.number: channel for channel in _channels(content)}
    in_order = tuple(channels[number] for number in sorted(channels))
    return Phy(index, name, frozenset(modes), in_order, ht)


def _channels(content: bytes) -> list[PhyChannel]:
    found = []
    for _, one in split_attributes(content):
        told = parse_attributes(one)
        number = _CHANNELS.get(parse_u32(told[_FREQ])) if _FREQ in told else None
        if number is not None:
            found.append(PhyChannel(number, _FREQ_DISABLED in told, _FREQ_NO_IR in told))
    return found

"""The name of a ``udp:`` radio: group, port, interface and settings, and the sockets that they make.

``udp:[GROUP[:PORT]][@INTERFACE][?SETTINGS]``. Rules: without an interface nothing leaves the computer and nothing from
elsewhere is taken; every mistake is one line.
"""

from __future__ import annotations

import errno
import ipaddress
import math
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.radio import RadioName
from espnow.radio.loop import RadioLoop
from espnow.radio.udp.radio import UdpRadio, UdpSettings

__all__ = ["Group", "open_udp", "parse_group"]

#: In the range for use within one organisation (RFC 2365); the last three bytes are Espressif's OUI, 18:fe:34.
DEFAULT_GROUP = "239.24.254.52"
DEFAULT_PORT = 24852

_LOOPBACK = "127.0.0.1"

#: Linux: whether a socket also gets what came for groups that other sockets joined. Not in `socket`'s names.
_IP_MULTICAST_ALL = 49
#: Linux: a receive buffer beyond the system's limit, for those with CAP_NET_ADMIN.
_SO_RCVBUFFORCE = 33
_RECEIVE_BUFFER = 8 << 20

_SETTINGS = ("pace", "loss", "range", "at", "rssi", "answer")


@dataclass(frozen=True, slots=True)
class Group:
    """Where datagrams go.

    Attributes:
        address: the multicast group.
        port: of UDP.
        interface: name or address of the interface, None for loopback.
    """

    address: str = DEFAULT_GROUP
    port: int = DEFAULT_PORT
    interface: str | None = None


def open_udp(name: RadioName, loop: RadioLoop, report: Callable[[str], None]) -> UdpRadio:
    """Open a radio that reaches the other processes of a group.

    Raises:
        UserError: its name or a setting cannot be, or the computer lets it not be opened.
    """
    name.check_settings(_SETTINGS)
    group = parse_group(name)
    settings = UdpSettings(
        paced=name.one_of("pace", "air", ("air", "off")) == "air",
        loss=name.number("loss", 0.0, 0.0, 1.0),
        range_m=name.number("range", math.inf, 0.0, 1e9),
        position=_position(name),
        rssi_dbm=None if "rssi" not in name.settings else round(name.number("rssi", 0, -127, 0)),
        answer_us=round(name.number("answer", 70, 1, 60_000) * 1000),
    )
    interface, address = _interface(name, group)
    heard = sent = None
    try:
        heard = _open_heard(group, interface)
        sent = _open_sent(interface, address, local=group.interface is None)
    except OSError as error:
        if heard is not None:
            heard.close()
        if sent is not None:
            sent.close()
        where = f"{group.address}:{group.port} on {printable(group.interface or 'the loopback interface')}"
        raise UserError(f"radio {name.text!r}: {where} cannot be opened: {_why(error)}") from None
    if settings.range_m < math.inf and settings.position is None:
        report(f"radio {printable(name.text)!r}: range does nothing without at, which says where this process is")
    only_local = group.interface is None
    return UdpRadio(loop, heard, sent, (group.address, group.port), settings, report, only_local=only_local)


def parse_group(name: RadioName) -> Group:
    """Return where the datagrams of a radio go.

    Raises:
        UserError: that cannot be.
    """
    where, at, interface = name.rest.partition("@")
    if at and not interface:
        raise UserError(f"radio {name.text!r}: behind @ stands the name of an interface, as in udp:@eth0")
    address, colon, port = where.partition(":")
    address = address or DEFAULT_GROUP
    try:
        if not ipaddress.IPv4Address(address).is_multicast:
            raise ValueError
    except ValueError:
        raise UserError(
            f"radio {name.text!r}: {address!r} is no multicast group; it has an address from 224.0.0.0 to "
            f"239.255.255.255, as {DEFAULT_GROUP}"
        ) from None
    number = DEFAULT_PORT
    if colon:
        if not port.isascii() or not port.isdigit() or not 0 < int(port[:9]) < 65536:
            raise UserError(f"radio {name.text!r}: {port!r} is no port; it is a number from 1 to 65535")
        number = int(port)
    return Group(address, number, interface or None)


def _position(name: RadioName) -> tuple[float, float] | None:
    text = name.settings.get("at")
    if text is None:
        return None
    try:
        east_m, north_m = (float(part) for part in text.split(","))
    except ValueError:
        east_m = north_m = math.inf
    if not abs(east_m) < 1e9 or not abs(north_m) < 1e9:
        raise UserError(f"radio {name.text!r}: at={text!r} must be two numbers of metres, east and north, as at=3,4.5")
    return east_m, north_m


def _interface(name: RadioName, group: Group) -> tuple[int, str]:
    """Return index and address of the interface; of one that was given as an address, index 0."""
    wanted = group.interface
    if wanted is None:
        return 0, _LOOPBACK
    try:
        return 0, str(ipaddress.IPv4Address(wanted))
    except ValueError:
        pass
    try:
        return socket.if_nametoindex(wanted), _address_of(wanted)
    except OSError as error:
        there = ", ".join(there for _, there in socket.if_nameindex())
        why = "it has no IPv4 address" if error.errno == errno.EADDRNOTAVAIL else f"there are {there}"
        raise UserError(f"radio {name.text!r}: interface {printable(wanted)!r} cannot be used: {why}") from None


def _address_of(interface: str) -> str:
    """Return the first IPv4 address of an interface (``SIOCGIFADDR``, netdevice(7))."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, 0x8915, struct.pack("16s24x", interface.encode()[:15]))
    return socket.inet_ntoa(answer[20:24])


def _membership(group: str, index: int, address: str) -> bytes:
    """Return an ``ip_mreqn`` (ip(7))."""
    return socket.inet_aton(group) + socket.inet_aton(address) + struct.pack("@i", index)


def _open_heard(group: Group, interface: int) -> socket.socket:
    """Return the socket that gets what is sent to the group."""
    address = _LOOPBACK if group.interface is None else "0.0.0.0"
    if group.interface is not None and not interface:
        address = group.interface
    heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not hasattr(socket, "SO_RCVBUFFORCE") and hasattr(socket, "SO_REUSEPORT") and not _is_linux():
            heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _enlarge(heard)
        heard.bind((group.address, group.port))
        heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _membership(group.address, interface, address))
        if _is_linux():
            heard.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        heard.setblocking(False)
    except BaseException:
        heard.close()
        raise
    return heard


def _open_sent(interface: int, address: str, *, local: bool) -> socket.socket:
    """Return the socket that frames are sent from, and that gets their acknowledgements."""
    sent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sent.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _membership("0.0.0.0", interface, address))
        sent.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0 if local else 1)
        sent.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sent.bind((address, 0))
        sent.setblocking(False)
    except BaseException:
        sent.close()
        raise
    return sent


def _enlarge(heard: socket.socket) -> None:
    """Give a socket room for what comes while the program holds Python's lock."""
    if _is_linux():
        try:
            heard.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except PermissionError:
            pass
        else:
            return
    try:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    except OSError:  # what there is must do
        pass


def _is_linux() -> bool:
    import sys

    return sys.platform == "linux"


def _why(error: OSError) -> str:
    if error.errno == errno.ENODEV:
        return "it has no such interface, or it is down"
    if error.errno == errno.EADDRINUSE:
        return "another program has the port for itself; choose another, as in udp::24853"
    return error.strerror or str(error)

"""A network interface as Linux's generic calls know it: up, MTU, address; and what ``/sys`` tells of its adapter.

Rules:

- An interface is called by its number or its name; both may be gone at any time, and then it is an OSError (ENODEV).
- Only what is asked is changed.

Follows Linux's ``netdevice(7)`` and ``Documentation/ABI``.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

__all__ = [
    "Blocked",
    "Device",
    "blocked",
    "driver_of",
    "phy_address",
    "read_device",
    "set_mtu",
    "set_up",
]

_NET = Path("/sys/class/net")
_PHYS = Path("/sys/class/ieee80211")

# Requests of `ioctl` (Linux's sockios.h).
_SET_FLAGS = 0x8914
_GET_FLAGS = 0x8913
_SET_MTU = 0x8922
_UP = 0x1

_FLAGS = Struct("16sH22x")
_MTU = Struct("16si20x")


@dataclass(frozen=True, slots=True)
class Device:
    """How an interface is set.

    Attributes:
        index: its number.
        name: its name.
        up: somebody set it up.
        mtu: longest message in bytes.
        address: its MAC address.
    """

    index: int
    name: str
    up: bool
    mtu: int
    address: bytes


@dataclass(frozen=True, slots=True)
class Blocked:
    """Who blocks an adapter (rfkill).

    Attributes:
        soft: a program does, and may let it go.
        hard: a switch of the computer does.
    """

    soft: bool
    hard: bool

    def __bool__(self) -> bool:
        """Whether anybody does."""
        return self.soft or self.hard


def read_device(name: str) -> Device:
    """Return how an interface is set now.

    Raises:
        OSError: it is gone (ENODEV or ENOENT).
    """
    index = socket.if_nametoindex(name)
    folder = _NET / name
    flags = int((folder / "flags").read_text(), 16)
    address = bytes.fromhex((folder / "address").read_text().strip().replace(":", ""))
    return Device(index, name, flags & _UP != 0, int((folder / "mtu").read_text()), address)


def set_up(name: str, up: bool) -> None:
    """Set an interface up or down.

    Raises:
        OSError: the system refuses: ERFKILL, EPERM, ENODEV and others.
    """
    encoded = name.encode()
    flags = _FLAGS.unpack(_control(_GET_FLAGS, _FLAGS.pack(encoded, 0)))[1]
    wanted = flags | _UP if up else flags & ~_UP
    if wanted != flags:
        _control(_SET_FLAGS, _FLAGS.pack(encoded, wanted))


def set_mtu(name: str, mtu: int) -> None:
    """Set the longest message of an interface.

    Raises:
        OSError: the system refuses.
    """
    _control(_SET_MTU, _MTU.pack(name.encode(), mtu))


def blocked(phy: str) -> Blocked:
    """Tell whether an adapter, such as ``phy0``, is blocked; one that nobody can block is not."""
    soft = hard = False
    for folder in (_PHYS / phy).glob("rfkill*"):
        try:
            soft = soft or (folder / "soft").read_text().strip() == "1"
            hard = hard or (folder / "hard").read_text().strip() == "1"
        except OSError:  # it went away meanwhile
            continue
    return Blocked(soft, hard)


def driver_of(name: str) -> str:
    """Return the driver of an interface's adapter, or an empty text when nobody tells.

    Its kernel module's name; if it has none, being part of the kernel, the name that its bus knows it by.
    """
    driver = _NET / name / "phy80211" / "device" / "driver"
    for told in (driver / "module", driver):
        try:
            return told.resolve(strict=True).name
        except OSError:
            continue
    return ""


def phy_address(name: str) -> bytes | None:
    """Return the address that an interface's adapter was made with, which it has again when it is plugged in again."""
    try:
        text = (_NET / name / "phy80211" / "macaddress").read_text()
        return bytes.fromhex(text.strip().replace(":", ""))
    except (OSError, ValueError):
        return None


def _control(request: int, argument: bytes) -> bytes:
    import fcntl  # not on every system that imports this module

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        return bytes(fcntl.ioctl(control.fileno(), request, argument))

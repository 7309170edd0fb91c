"""The address of a board that was given none: stable for one program on one computer, and different for any two.

It is Espressif's OUI and a hash of the computer, its user and the program's path. A process that has taken an address
holds a socket of that name (Linux's abstract ones, which end with the process); who finds it taken, because the same
program runs twice or two hashes are alike, takes the next.
"""

from __future__ import annotations

import hashlib
import os
import platform
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Claim", "claim_address", "host_address"]

#: As ESP-NOW's frames carry it. Four addresses apart, as the lab's: a chip takes up to four in a row.
_PREFIX = bytes.fromhex("18fe34")
_TRIES = 1000


@dataclass(slots=True)
class Claim:
    """An address that is this process's until it ends.

    Attributes:
        address: 6 bytes.
    """

    address: bytes
    _held: socket.socket | None = None

    def release(self) -> None:
        """Let others have it."""
        if self._held is not None:
            self._held.close()
            self._held = None


def claim_address(program: str) -> Claim:
    """Return an address for a program that no other process of this computer has.

    Args:
        program: its path, or whatever tells it from others.
    """
    for instance in range(_TRIES):
        address = host_address(program, instance)
        held = _hold(address)
        if held is not None or not _can_hold():
            return Claim(address, held)
    return Claim(host_address(program, os.getpid() + _TRIES))


def host_address(program: str, instance: int = 0) -> bytes:
    """Return the address of a program on this computer, 6 bytes: of its first instance, or of one that runs beside."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    text = f"{_computer()}\0{user}\0{program}\0{instance}"
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).digest()
    return _PREFIX + digest[:2] + bytes((digest[2] & 0xFC,))


def _computer() -> str:
    """Return what tells this computer from others (machine-id(5)), or its name."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            return Path(path).read_text().strip() or platform.node()
        except OSError:
            continue
    return platform.node()


def _can_hold() -> bool:
    return platform.system() == "Linux"


def _hold(address: bytes) -> socket.socket | None:
    """Return a socket that holds an address, or None: another process does."""
    if not _can_hold():
        return None
    held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        held.bind(f"\0espnow-board-{address.hex()}")
    except OSError:
        held.close()
        return None
    return held

"""The acknowledging option: hidden access points of ours on the adapter, so that its hardware answers for a board.

A monitor interface does not acknowledge. An access point on the same adapter with the board's address does, on kernels
6.1 and 6.12 (measured; an active monitor does on 6.1 and silently stays on channel 1 on 6.12, a station only while it
is associated, and reflects frames that it does not know). It needs no program: it is started with a beacon that says
nothing, sent every 10 s, and nobody can join it.

Rules:

- While one is up, the channel is the access points': the monitor's own cannot be set (EBUSY, measured), and the kernel
  drops what is sent from an address that is none of theirs (measured).
- The interfaces belong to the netlink socket that made them, so the kernel takes them away with the process.
- Others may end an access point at any time: NetworkManager, a person, the regulatory domain. `Answering.works` tells.
- A driver that gives an access point another address than it was asked for answers for that one: it is refused.
"""

from __future__ import annotations

import errno
import socket
from struct import Struct

from espnow.frame import BROADCAST
from espnow.radio.monitor import device
from espnow.radio.monitor.netlink import NetlinkError
from espnow.radio.monitor.nl80211 import AP_NAME, BEACON_INTERVAL_TU, Mode, Nl80211

__all__ = ["Answering"]

_BEACON = 0x80
_BEACON_HEAD = Struct("<BBH6s6s6sHQHH")
#: What the beacon says it is: an access point; privacy too, so that nobody tries to join it.
_CAPABILITIES = 0x0011
#: No name; rates 1, 2, 5.5 and 11 Mb/s, all basic.
_ELEMENTS = bytes.fromhex("0000010482848b96")
_MAX_NAME = 15


class Answering:
    """The access points of one adapter that answer for a board.

    Attributes:
        addresses: for which they answer now.
    """

    def __init__(self, nl80211: Nl80211, phy: int) -> None:
        """Make none yet.

        Args:
            nl80211: the socket that they belong to.
            phy: number of the adapter.
        """
        self.addresses: tuple[bytes, ...] = ()
        self._nl80211 = nl80211
        self._phy = phy
        self._made: dict[bytes, tuple[str, int]] = {}

    def answer(self, addresses: tuple[bytes, ...], channel: int) -> None:
        """Answer for these addresses on a channel, and for no other.

        Raises:
            OSError: the kernel refuses, or the driver answers for another address; nothing is answered then.
        """
        try:
            self._stop()
            for address in [address for address in self._made if address not in addresses]:
                self._unmake(address)
            for address in addresses:
                name, index = self._made.get(address) or self._make(address)
                device.set_up(name, True)
                self._nl80211.start_ap(index, channel, _beacon(address))
        except OSError:
            self.close()
            raise
        self.addresses = addresses

    def works(self) -> bool:
        """Tell whether all of them are still there and on the air.

        Raises:
            OSError: the kernel does not tell.
        """
        for address in self.addresses:
            interface = self._nl80211.interface(self._made[address][1])
            if interface is None or interface.mode != Mode.AP or interface.ssid != AP_NAME:
                return False
        return True

    def close(self) -> None:
        """Answer nothing any more."""
        for address in list(self._made):
            self._unmake(address)
        self.addresses = ()

    def _stop(self) -> None:
        for _, index in self._made.values():
            try:
                self._nl80211.stop_ap(index)
            except NetlinkError:  # it was not started
                pass

    def _make(self, address: bytes) -> tuple[str, int]:
        taken = {name for _, name in socket.if_nameindex()}
        name = next(
            name for number in range(len(taken) + 1) if (name := f"espnow{self._phy}-{number}"[:_MAX_NAME]) not in taken
        )
        made = self._nl80211.add_interface(self._phy, name, Mode.AP, address)
        self._made[address] = made.name, made.index
        if made.address != address:
            given = made.address.hex(":")
            raise OSError(errno.EADDRNOTAVAIL, f"its driver answers for {given} alone: set ESPNOW_MAC={given}")
        return made.name, made.index

    def _unmake(self, address: bytes) -> None:
        _, index = self._made.pop(address)
        try:
            self._nl80211.delete_interface(index)
        except NetlinkError:  # it went with its adapter
            pass


def _beacon(address: bytes) -> bytes:
    head = _BEACON_HEAD.pack(_BEACON, 0, 0, BROADCAST, address, address, 0, 0, BEACON_INTERVAL_TU, _CAPABILITIES)
    return head + _ELEMENTS

"""Packet sockets on a monitor interface: one hears, one sends and gets the reports of what was sent.

Rules:

- They are bound to 802.2 frames (ETH_P_802_2): those are what a monitor interface hears, and the reports of what was
  sent through it; copies of what is being sent are not (measured on kernels 6.1 and 6.12).
- Reports come on a socket of their own, so that no crowd of frames on the air can drive them out.
- Nothing here waits. An error that a socket has is raised once, when it is read or sent to.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from espnow.errors import UserError
from espnow.radio.monitor import privileges
from espnow.radio.monitor.filter import Wanted, attach, build_filter
from espnow.radio.monitor.ring import open_packets

__all__ = ["PacketSocket", "open_both"]

_PROTOCOL = 0x0004
_RECEIVE_BUFFER_FORCE = 33
_RECEIVE_BUFFER = 1 << 20

#: Frames that may wait until the program has time, and room for one, which holds ESP-NOW's longest.
_HEARING = 2048, 2048
#: The same for reports, of which no more are there than frames are on their way; others' may come between.
_SENDING = 256, 512


def open_both(name: str) -> tuple[PacketSocket, PacketSocket]:
    """Open the socket that sends and gets reports, and the one that hears (`PacketSocket`)."""
    sending = PacketSocket(name, *_SENDING)
    try:
        return sending, PacketSocket(name, *_HEARING)
    except BaseException:
        sending.close()
        raise


class PacketSocket:
    """A socket on one interface, until that is gone.

    Attributes:
        send: hands a packet to the kernel: radiotap and a frame.
        take: returns packets that wait (`espnow.radio.monitor.ring.Packets`).
        wanted: what it lets pass.
        idle_wakes: times in a row that it was said to have something, and had nothing; whoever reads it counts.
    """

    def __init__(self, name: str, slots: int, slot: int) -> None:
        """Open one that gets nothing yet.

        Raises:
            UserError: this process must not.
            OSError: there is no such interface.
        """
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            opened = socket.socket(socket.AF_PACKET, kind, 0)
        except PermissionError:
            needed = privileges.advice(privileges.NET_RAW)
            raise UserError(f"{name}: frames cannot be sent and received: {needed}") from None
        self.wanted = Wanted(receiving=False, reports=False)
        try:
            attach(opened, build_filter(self.wanted))
            self._packets = open_packets(opened, slots, slot)
            try:
                opened.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, _RECEIVE_BUFFER)
            except OSError:  # beyond the system's limit, which needs CAP_NET_ADMIN
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            opened.bind((name, _PROTOCOL))
        except BaseException:
            opened.close()
            raise
        self._socket = opened
        self.idle_wakes = 0
        self.send: Callable[[bytes], int] = opened.send
        self.take: Callable[[int], tuple[Sequence[bytes], tuple[bytes, ...]]] = self._packets.take

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._socket.fileno()

    def let_pass(self, wanted: Wanted) -> None:
        """Get this from now on, and nothing else; what waits already still comes."""
        if wanted != self.wanted:
            attach(self._socket, build_filter(wanted))
            self.wanted = wanted

    def lost(self) -> int:
        """Return how many packets were lost since the last call."""
        return self._packets.lost()

    def close(self) -> None:
        """Close it."""
        self._packets.close()
        self._socket.close()

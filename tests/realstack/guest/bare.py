"""A monitor interface without this project's radio: a socket that frames are put into and taken out of.

For what a test sends beside the radio that it tests, and for what it wants to see on the air. Whole packets, radiotap
and all, as the kernel has them.
"""

from __future__ import annotations

import select
import socket
import time
from typing import NamedTuple, Self

from hwsim import Radio

from espnow.frame import radiotap
from espnow.radio.monitor import device
from espnow.radio.monitor.nl80211 import Mode, Nl80211

__all__ = ["BARE", "BareMonitor", "Captured"]

#: A radiotap header that says nothing: the kernel sends at 1 Mb/s, in up to 11 tries (measured).
BARE = bytes.fromhex("0000080000000000")

# 802.2 frames: unlike ETH_P_ALL without copies of what is sent here.
_PROTOCOL = 0x0004
_MTU = 2304
_RECEIVE_BYTES = 4 << 20
_WAIT_S = 30.0


class Captured(NamedTuple):
    """What the kernel gave.

    Attributes:
        radiotap: its header, read.
        mpdu: the frame.
        whole: both, unread.
    """

    radiotap: radiotap.Radiotap
    mpdu: bytes
    whole: bytes


class BareMonitor:
    """A radio's interface in monitor mode, up, on a channel, with a packet socket; a context manager."""

    def __init__(self, radio: Radio, channel: int = 1) -> None:
        name = radio.interface
        index = device.read_device(name).index
        with Nl80211() as nl80211:
            device.set_up(name, False)
            nl80211.set_mode(index, Mode.MONITOR)
            device.set_mtu(name, _MTU)
            device.set_up(name, True)
            nl80211.set_channel(index, channel)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_PROTOCOL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        self._socket.setblocking(False)
        self._socket.bind((name, _PROTOCOL))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; the interface stays as it is."""
        self._socket.close()

    def send(self, mpdu: bytes, header: bytes = BARE) -> None:
        """Inject a frame."""
        self._socket.send(header + mpdu)

    def receive(self, timeout_s: float = _WAIT_S) -> Captured | None:
        """Return the next frame, or the report of one that was sent here; None if none comes."""
        if not select.select([self._socket], (), (), timeout_s)[0]:
            return None
        whole = self._socket.recv(65536)
        header = radiotap.parse(whole)
        return Captured(header, whole[header.length :], whole)

    def receive_from(self, address: bytes, timeout_s: float = _WAIT_S) -> Captured | None:
        """Return the next frame that somebody sent, and no report; None if none comes."""
        until = time.monotonic() + timeout_s
        while True:
            captured = self.receive(max(0.0, until - time.monotonic()))
            if captured is None:
                return None
            if captured.mpdu[10:16] == address and not captured.radiotap.is_transmitted:
                return captured

    def report(self, address: bytes, timeout_s: float = _WAIT_S) -> Captured | None:
        """Return the next report of a frame to `address`; None if none comes."""
        until = time.monotonic() + timeout_s
        while True:
            captured = self.receive(max(0.0, until - time.monotonic()))
            if captured is None:
                return None
            if captured.mpdu[4:10] == address and captured.radiotap.is_transmitted:
                return captured

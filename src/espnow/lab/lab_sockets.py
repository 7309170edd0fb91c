"""Sockets from board to board, in memory and in virtual time (`espnow.micropython.transport`).

Rules:

- `LATENCY_US` a way. It takes no airtime, and nothing of it is lost but while a board is not on its network; then a
  connection tries again and again, and is given up after 18 s. Assumed.
- The other numbers are those of lwIP as ESP-IDF configures it (``lwipopts.h``): a receive window of 5760 bytes, and
  six datagrams that wait to be read; more are lost.
- A port that the lab exposes hears from the computer's loopback, too.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from typing import TYPE_CHECKING

from espnow.errors import NetworkError
from espnow.micropython.transport import FAILED, READABLE, WRITABLE, Address, Stream

if TYPE_CHECKING:
    from espnow.lab.host_sockets import HostDatagrams, HostListener
    from espnow.lab.network import BoardNetwork

__all__ = ["LATENCY_US", "LabDatagrams", "LabListener", "LabStream"]

#: From board to board through a router, one way. Assumed.
LATENCY_US = 2_000

#: How much may be on its way to a reader, and how many datagrams wait for one.
_WINDOW = 5_760
_MAX_DATAGRAMS = 6

#: What does not reach the other side is sent again after this long, and given up after that.
_RETRY_US = 500_000
_GIVE_UP_US = 18_000_000

_BROADCAST = "255.255.255.255"


class LabStream:
    """One end of a connection between two boards."""

    __slots__ = (
        "_ended",
        "_failed",
        "_inbox",
        "_peer",
        "_pipe",
        "_wants_room",
        "closed",
        "is_connected",
        "local",
        "net",
        "remote",
    )

    def __init__(self, net: BoardNetwork, local: Address, remote: Address) -> None:
        """Make an end that is not connected.

        Args:
            net: of its board.
            local: its address.
            remote: the other's.
        """
        self.net = net
        self.local = local
        self.remote = remote
        self.is_connected = False
        self.closed = False
        self._inbox = bytearray()
        self._ended = False
        self._failed: str | None = None
        self._peer: LabStream | None = None
        self._pipe: _Pipe | None = None
        self._wants_room = False

    # For the program.

    def connected(self) -> bool:
        """Whether it is made."""
        if self._failed is not None:
            raise NetworkError(self._failed)
        return self.is_connected

    def events(self, mask: int) -> int:
        """Return which events of `mask` hold."""
        if self._failed is not None:
            return FAILED | mask & (READABLE | WRITABLE)
        found = 0
        if self._inbox or self._ended:
            found = mask & READABLE
        if mask & WRITABLE and self.is_connected:
            if self._room():
                found |= WRITABLE
            else:
                self._wants_room = True
        return found

    def receive(self, size: int) -> bytes | None:
        """Return what has arrived."""
        inbox = self._inbox
        if inbox:
            part = bytes(inbox[:size])
            del inbox[:size]
            peer = self._peer
            if peer is not None and peer._wants_room:
                peer._wants_room = False
                clock = self.net.lab.clock
                clock.call_at(clock.now_us + LATENCY_US, peer.net.board.changed)
            return part
        if self._ended:
            return b""
        if self._failed is not None:
            raise NetworkError(self._failed)
        return None

    def send(self, part: bytes) -> int | None:
        """Take what the window has room for.

        Raises:
            NetworkError: the connection is lost, or the board has left its network.
        """
        if self._failed is not None:
            raise NetworkError(self._failed)
        pipe = self._pipe
        if pipe is None:
            return None
        if not self.net.sites and self.local[0] != self.remote[0]:
            raise NetworkError("EHOSTUNREACH")
        room = self._room()
        if not room:
            self._wants_room = True
            return None
        taken = part[:room]
        pipe.push(bytes(taken))
        return len(taken)

    def close(self) -> None:
        """End it; what was sent before arrives."""
        if self.closed:
            return
        self.closed = True
        if self._failed is None:
            self._failed = "ENOTCONN"
        if self._pipe is not None:
            self._pipe.push(None)
        self.net.drop(self)

    # Between the ends.

    def vanish(self) -> None:
        """Be gone without a word."""
        self.closed = True
        self._pipe = None

    def begin(self, other: BoardNetwork | None) -> None:
        """Ask a board for a connection, again and again while it does not answer; None: nobody is there."""
        clock = self.net.lab.clock
        give_up_us = clock.now_us + _GIVE_UP_US

        def ask() -> None:
            if self.closed:
                return
            if other is not None and self._reaches(other):
                listener = other.listening(self.remote[1])
                if listener is None:
                    clock.call_at(clock.now_us + LATENCY_US, lambda: self.fail("ECONNREFUSED"))
                    return
                if listener.take(self):
                    clock.call_at(clock.now_us + LATENCY_US, self._make)
                    return
            if clock.now_us >= give_up_us:
                self.fail("ECONNABORTED")
            else:
                clock.call_at(clock.now_us + _RETRY_US, ask)

        clock.call_at(clock.now_us + LATENCY_US, ask)

    def join(self, peer: LabStream) -> None:
        """Be connected to the other end."""
        self._peer = peer
        self._pipe = _Pipe(self, peer)

    def reaches_peer(self) -> bool:
        """Whether what is sent arrives: both boards are where they were; or nobody asks any more, at either end."""
        peer = self._peer
        return peer is not None and ((self.closed and peer.closed) or self._reaches(peer.net))

    def arrive(self, part: bytes | None) -> bool:
        """Take bytes, or the end; False if nobody reads them any more."""
        if self.closed:
            return part is None
        if part is None:
            self._ended = True
        else:
            self._inbox += part
        self.net.board.changed()
        return True

    def fail(self, name: str) -> None:
        """Lose the connection."""
        if not self.closed:
            self._failed = name
            self.net.board.changed()

    def _make(self) -> None:
        self.is_connected = True
        self.net.board.changed()

    def _reaches(self, other: BoardNetwork) -> bool:
        return self.net.own_ip(other, self.remote[0]) == self.local[0]

    def _room(self) -> int:
        peer, pipe = self._peer, self._pipe
        return 0 if peer is None or pipe is None else _WINDOW - len(peer._inbox) - pipe.size


class _Pipe:
    """What is on its way from one end of a connection to the other, in its order."""

    __slots__ = ("_clock", "_parts", "_source", "_stuck_us", "_target", "size")

    def __init__(self, source: LabStream, target: LabStream) -> None:
        self._source = source
        self._target = target
        self._clock = source.net.lab.clock
        self._parts: deque[tuple[int, bytes | None]] = deque()
        self._stuck_us: int | None = None
        self.size = 0

    def push(self, part: bytes | None) -> None:
        """Send bytes, or the end."""
        at_us = self._clock.now_us + LATENCY_US
        self._parts.append((at_us, part))
        self.size += len(part or b"")
        if len(self._parts) == 1:
            self._clock.call_at(at_us, self._run)

    def _run(self) -> None:
        """Let arrive what is due, or try again later if there is no way."""
        clock, parts = self._clock, self._parts
        if not self._source.reaches_peer():
            if self._stuck_us is None:
                self._stuck_us = clock.now_us
            if clock.now_us - self._stuck_us >= _GIVE_UP_US:
                parts.clear()
                self._source.fail("ECONNABORTED")
            else:
                clock.call_at(clock.now_us + _RETRY_US, self._run)
            return
        self._stuck_us = None
        while parts and parts[0][0] <= clock.now_us:
            part = parts.popleft()[1]
            self.size -= len(part or b"")
            if not self._target.arrive(part):
                parts.clear()
                clock.call_at(clock.now_us + LATENCY_US, lambda: self._source.fail("ECONNRESET"))
        if parts:
            clock.call_at(parts[0][0], self._run)


class LabListener:
    """A TCP port of a board.

    Attributes:
        port: which one.
        backlog: how many may wait to be accepted; 0: it does not listen yet.
    """

    __slots__ = ("_host", "_net", "_waiting", "backlog", "port")

    def __init__(self, net: BoardNetwork, port: int) -> None:
        """Take a port.

        Args:
            net: of its board.
            port: which one.
        """
        self._net = net
        self._waiting: deque[tuple[Stream, Address]] = deque()
        self._host: HostListener | None = None
        self.port = port
        self.backlog = 0

    def listen(self, backlog: int) -> None:
        """Let others connect."""
        self.backlog = max(1, backlog)
        if self._net.lab.expose and self._host is None:
            from espnow.lab.host_sockets import HostListener

            self._host = HostListener(self._net.place, self.port)
            self._net.ports[self.port] = self._host.port

    def take(self, client: LabStream) -> bool:
        """Take a connection; False if too many wait already."""
        if len(self._waiting) >= self.backlog:
            return False
        server = LabStream(self._net, client.remote, client.local)
        server.is_connected = True
        client.join(server)
        server.join(client)
        self._net.adopt(server)
        self._waiting.append((server, client.local))
        self._net.board.changed()
        return True

    def events(self, mask: int) -> int:
        """Return READABLE if somebody waits."""
        return mask & READABLE if self._look() else 0

    def accept(self) -> tuple[Stream, Address] | None:
        """Return the next connection."""
        return self._waiting.popleft() if self._look() else None

    def close(self) -> None:
        """Give up the port."""
        self._net.drop(self)
        while self._waiting:
            self._waiting.popleft()[0].close()
        if self._host is not None:
            self._host.close()
            self._host = None
        self.backlog = 0

    def _look(self) -> bool:
        """Whether somebody waits, here or at the computer's port."""
        if not self._waiting and self._host is not None:
            found = self._host.accept()
            if found is not None:
                self._net.adopt(found[0])
                self._waiting.append(found)
        return bool(self._waiting)


class LabDatagrams:
    """A UDP port of a board.

    Attributes:
        port: which one.
    """

    __slots__ = ("__weakref__", "_groups", "_host", "_net", "_waiting", "port")

    def __init__(self, net: BoardNetwork, port: int) -> None:
        """Take a port.

        Args:
            net: of its board.
            port: which one.
        """
        self._net = net
        self._waiting: deque[tuple[bytes, Address]] = deque()
        self._groups: set[str] = set()
        self._host: HostDatagrams | None = None
        self.port = port

    def __del__(self) -> None:
        if self._host is not None:
            self.close()

    def expose(self) -> None:
        """Hear from the computer's loopback, too."""
        from espnow.lab.host_sockets import HostDatagrams

        self._host = HostDatagrams(self._net.place, self.port)
        self._net.ports[self.port] = self._host.port

    def events(self, mask: int) -> int:
        """Return which events of `mask` hold: it can always send."""
        return mask & WRITABLE | (mask & READABLE if mask & READABLE and self._look() else 0)

    def receive(self) -> tuple[bytes, Address] | None:
        """Return the next datagram."""
        return self._waiting.popleft() if self._look() else None

    def send(self, datagram: bytes, address: Address) -> None:
        """Send to a board, to all boards, to a multicast group, or to the computer's network."""
        net = self._net
        ip, port = address
        sites = net.sites
        if ip == _BROADCAST or any(ip == _broadcast_of(site.ip, site.netmask) for site in sites):
            self._send_to_all(datagram, port, None)
            return
        if ipaddress.IPv4Address(ip).is_multicast:
            self._send_to_all(datagram, port, ip)
            return
        way = net.way_to(ip)
        if way is not None and (way[0] is not net or net.bound(port) is not None):
            self._deliver(datagram, way[0], ip, port, way[1])
        elif net.leads_to(ip):
            if self._host is None:
                from espnow.lab.host_sockets import HostDatagrams

                self._host = HostDatagrams(net.place)
            self._host.send(datagram, (ip, port))
        elif not any(site.internet is not None for site in sites):
            raise NetworkError("EHOSTUNREACH")

    def join(self, group: str) -> None:
        """Receive what is sent to a multicast address."""
        self._groups.add(group)

    def close(self) -> None:
        """Give up the port."""
        self._net.drop(self)
        self._waiting.clear()
        if self._host is not None:
            self._host.close()
            self._host = None

    def _look(self) -> bool:
        """Whether a datagram waits, here or at the computer's port."""
        if not self._waiting and self._host is not None:
            found = self._host.receive()
            if found is not None:
                self._waiting.append(found)
        return bool(self._waiting)

    def _send_to_all(self, datagram: bytes, port: int, group: str | None) -> None:
        own = {site.network: site.ip for site in self._net.sites}
        if not own:
            raise NetworkError("EHOSTUNREACH")
        for other, site in self._net.neighbours():
            self._deliver(datagram, other, site.ip, port, own[site.network], group)

    def _deliver(
        self, datagram: bytes, other: BoardNetwork, ip: str, port: int, own_ip: str, group: str | None = None
    ) -> None:
        """Let a datagram arrive later, if the other board is still there then."""
        net, source = self._net, (own_ip, self.port)

        def arrive() -> None:
            target = other.bound(port)
            if target is not None and net.own_ip(other, ip) is not None:
                target.take(datagram, source, group)

        clock = net.lab.clock
        clock.call_at(clock.now_us + LATENCY_US, arrive)

    def take(self, datagram: bytes, source: Address, group: str | None) -> None:
        """Keep a datagram that arrived, if there is room."""
        if len(self._waiting) < _MAX_DATAGRAMS and (group is None or group in self._groups):
            self._waiting.append((datagram, source))
            self._net.board.changed()


def _broadcast_of(ip: str, netmask: str) -> str:
    return str(ipaddress.IPv4Network(f"{ip}/{netmask}", strict=False).broadcast_address)

"""The IP networks of a lab: boards on one router or one access point reach each other, the rest is the computer's.

Rules:

- A board is on the network of the router or access point that it has joined, and on that of its own access point while
  that is active. Addresses are those that its Wi-Fi has.
- What goes from board to board stays in memory and in virtual time (`espnow.lab.lab_sockets`).
- What goes to an address that no board of the lab has goes to the computer's network (`espnow.lab.host_sockets`),
  if the board has joined a router that leads there; the computer's own loopback is reached through every router.
- Nothing listens on the computer unless the lab says ``expose``.
- Ports that a program does not choose are numbered from 49152, as lwIP does. A name that the computer cannot find in
  14 s does not exist. Assumed.
"""

from __future__ import annotations

import ipaddress
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from espnow.board import Board
from espnow.errors import NetworkError
from espnow.lab.lab_sockets import LabDatagrams, LabListener, LabStream
from espnow.link import Clock, Interface
from espnow.micropython.transport import Address, Stream

if TYPE_CHECKING:
    from espnow.lab.host import HostWaiter
    from espnow.lab.host_sockets import HostPlace, HostStream, Lookup
    from espnow.lab.router import Router

__all__ = ["BoardNetwork", "LabNetwork", "Site"]

#: How long a name is asked for.
_LOOKUP_US = 14_000_000

_FIRST_FREE_PORT = 49_152
_ANY = "0.0.0.0"
_LOOPBACK = "127."
_LOCAL_SUFFIX = ".local"


class Site(NamedTuple):
    """Where a board is on a network.

    Attributes:
        network: what tells it from others: the address of the access point.
        ip: the board's address there.
        netmask: of that network.
        internet: whether a router leads from there to the computer's network: False, only to the computer itself; None,
            not even that, for it is another board's access point or the own one.
    """

    network: bytes
    ip: str
    netmask: str
    internet: bool | None


class LabNetwork:
    """All IP networks of one lab.

    Attributes:
        clock: of the lab.
        expose: whether what boards listen on can be reached at the computer's loopback.
        hosts: names and addresses that programs use -> which of the computer's they mean, each ``"host"`` or
            ``"host:port"``: ``{"broker.example": "127.0.0.1:1884"}``.
        routers: of the lab; each says whether it leads to the computer's network, or to its loopback only.
        boards: those that have used a socket.
    """

    def __init__(self, clock: Clock, routers: list[Router], *, expose: bool = False) -> None:
        """Make networks without boards.

        Args:
            clock: of the lab.
            routers: of the lab, also those that will be added.
            expose: whether boards can be reached from the computer.
        """
        self.clock = clock
        self.routers = routers
        self.expose = expose
        self.hosts: dict[str, str] = {}
        self.boards: list[BoardNetwork] = []
        self._waiter: HostWaiter | None = None

    @property
    def waiter(self) -> HostWaiter:
        """What waits for the computer's sockets."""
        if self._waiter is None:
            from espnow.lab.host import HostWaiter

            self._waiter = HostWaiter(self.clock)
        return self._waiter

    def sites(self, board: Board) -> list[Site]:
        """Return where a board is now."""
        wifi = board.wifi
        found = []
        bssid = wifi.bssid if wifi.connected else None
        if bssid is not None:
            ip, netmask, _ = wifi.addresses[Interface.STA]
            internet = next((router.internet for router in self.routers if router.mac == bssid), None)
            found.append(Site(bssid, ip, netmask, internet))
        if wifi.interface_active(Interface.AP):
            ip, netmask, _ = wifi.addresses[Interface.AP]
            found.append(Site(wifi.mac(Interface.AP), ip, netmask, None))
        return found

    def alias(self, host: str, port: int) -> Address:
        """Return what `hosts` says of an address."""
        for wanted in (f"{host}:{port}", host):
            meant = self.hosts.get(wanted)
            if meant is not None:
                name, _, number = meant.partition(":")
                return name, int(number) if number else port
        return host, port


class BoardNetwork:
    """The networks as one board has them (`espnow.micropython.transport.Network`).

    Attributes:
        board: which one.
        lab: the networks of its lab.
        ports: its ports that can be reached at the computer's loopback -> the port there.
    """

    __slots__ = (
        "_datagrams",
        "_host_streams",
        "_listeners",
        "_lookups",
        "_next_port",
        "_place",
        "_reachable",
        "_streams",
        "board",
        "lab",
        "ports",
    )

    def __init__(self, lab: LabNetwork, board: Board) -> None:
        """Make one without sockets.

        Args:
            lab: the networks of the lab.
            board: the board.
        """
        self.lab = lab
        self.board = board
        self.ports: dict[int, int] = {}
        self._listeners: dict[int, LabListener] = {}
        self._streams: dict[LabStream, None] = {}
        # One that the program forgets is closed, as MicroPython's garbage collector does.
        self._datagrams: weakref.WeakValueDictionary[int, LabDatagrams] = weakref.WeakValueDictionary()
        self._host_streams: weakref.WeakSet[HostStream] = weakref.WeakSet()
        self._lookups: dict[str, tuple[Lookup, int]] = {}
        self._next_port = _FIRST_FREE_PORT
        self._place: HostPlace | None = None
        self._reachable = False

    @property
    def sites(self) -> list[Site]:
        """Where it is now."""
        return self.lab.sites(self.board)

    def close(self) -> None:
        """Lose all sockets, as a board that restarts does; other boards learn of it when they send."""
        if not self._reachable:
            return
        for stream in tuple(self._streams):
            stream.vanish()
        self._streams.clear()
        for host_stream in tuple(self._host_streams):
            host_stream.close()
        for listener in tuple(self._listeners.values()):
            listener.close()
        for datagrams in tuple(self._datagrams.values()):
            datagrams.close()
        self._lookups.clear()

    # Names and ways.

    def resolve(self, host: str, port: int) -> Address | None:
        """Return the address of a name, None while it is asked for."""
        host, port = self.lab.alias(host, port)
        if not host:
            return _ANY, port
        if _is_numeric(host):
            return host, port
        if not self._has_uplink():
            found = self._find_name(host)
            if found is None:
                raise NetworkError("EAI_FAIL")
            return found, port
        if host == "localhost":
            return "127.0.0.1", port
        found = self._find_name(host)
        if found is not None:
            return found, port
        return self._look_up(host, port)

    def _look_up(self, host: str, port: int) -> Address | None:
        now_us = self.lab.clock.now_us
        asked = self._lookups.get(host)
        if asked is None:
            if not any(site.internet for site in self.sites):
                raise NetworkError("EAI_FAIL")
            from espnow.lab.host_sockets import Lookup

            asked = self._lookups[host] = Lookup(host), now_us
        lookup, since_us = asked
        if lookup.answer is not None:
            del self._lookups[host]
            return lookup.answer, port
        if lookup.failed or now_us - since_us > _LOOKUP_US:
            del self._lookups[host]
            raise NetworkError("EAI_FAIL")
        self.lab.waiter.want(self.board.changed)
        return None

    def _find_name(self, host: str) -> str | None:
        """Return the address of another board that calls itself so (multicast DNS)."""
        if not host.endswith(_LOCAL_SUFFIX):
            return None
        name = host.removesuffix(_LOCAL_SUFFIX)
        for other, site in self.neighbours():
            if other.board.wifi.hostname == name:
                return site.ip
        return None

    def neighbours(self) -> Iterator[tuple[BoardNetwork, Site]]:
        """Go through the other boards on its networks, with where they are."""
        own = {site.network for site in self.sites}
        if not own:
            return
        for other in self.lab.boards:
            if other is not self:
                for site in other.sites:
                    if site.network in own:
                        yield other, site

    def way_to(self, ip: str) -> tuple[BoardNetwork, str] | None:
        """Return the board that has an address, and this one's own address towards it; None: no board has."""
        for other in (self, *self.lab.boards):
            own_ip = self.own_ip(other, ip)
            if own_ip is not None:
                return other, own_ip
        return None

    def own_ip(self, other: BoardNetwork, ip: str) -> str | None:
        """Return this board's address on the network where another has an address; None: there is none."""
        sites = self.sites
        if other is self:
            return ip if ip.startswith(_LOOPBACK) or any(site.ip == ip for site in sites) else None
        own = {site.network: site.ip for site in sites}
        if own:
            for site in other.sites:
                if site.ip == ip and site.network in own:
                    return own[site.network]
        return None

    def leads_to(self, ip: str) -> bool:
        """Whether the computer's network can be asked for an address."""
        loopback = ip.startswith(_LOOPBACK)
        return any(site.internet or (loopback and site.internet is not None) for site in self.sites)

    def _has_uplink(self) -> bool:
        return any(site.internet is not None for site in self.sites)

    @property
    def place(self) -> HostPlace:
        """How its sockets reach the computer."""
        if self._place is None:
            from espnow.lab.host_sockets import HostPlace

            self._place = HostPlace(self.lab.waiter, self.board.changed, self._has_uplink)
        return self._place

    # Sockets.

    def connect(self, address: Address) -> Stream:
        """Begin a connection."""
        self._appear()
        ip, port = address
        way = self.way_to(ip)
        if way is not None and (way[0] is not self or port in self._listeners or not ip.startswith(_LOOPBACK)):
            return self._begin(way[0], (way[1], self.free_port()), (ip, port))
        if self.leads_to(ip):
            from espnow.lab.host_sockets import HostStream

            made = HostStream(self.place, (ip, port))
            self._host_streams.add(made)
            return made
        if self._has_uplink():  # a router without a way out: nobody answers
            return self._begin(None, (_ANY, 0), (ip, port))
        raise NetworkError("EHOSTUNREACH")

    def _begin(self, other: BoardNetwork | None, local: Address, remote: Address) -> LabStream:
        stream = LabStream(self, local, remote)
        self.adopt(stream)
        stream.begin(other)
        return stream

    def listener(self, address: Address) -> LabListener:
        """Take a TCP port."""
        self._appear()
        port = address[1] or self.free_port()
        if port in self._listeners:
            raise NetworkError("EADDRINUSE")
        listener = self._listeners[port] = LabListener(self, port)
        return listener

    def datagrams(self, address: Address) -> LabDatagrams:
        """Take a UDP port."""
        self._appear()
        port = address[1] or self.free_port()
        if port in self._datagrams:
            raise NetworkError("EADDRINUSE")
        made = self._datagrams[port] = LabDatagrams(self, port)
        if address[1] and self.lab.expose:
            made.expose()
        return made

    def listening(self, port: int) -> LabListener | None:
        """Return who takes connections at a port, or None."""
        listener = self._listeners.get(port)
        return listener if listener is not None and listener.backlog else None

    def bound(self, port: int) -> LabDatagrams | None:
        """Return who takes datagrams at a port, or None."""
        return self._datagrams.get(port)

    def adopt(self, stream: LabStream | HostStream) -> None:
        """Count a connection among this board's."""
        if isinstance(stream, LabStream):
            self._streams[stream] = None
        else:
            self._host_streams.add(stream)

    def drop(self, port: LabStream | LabListener | LabDatagrams) -> None:
        """Forget a socket that was closed."""
        if isinstance(port, LabStream):
            self._streams.pop(port, None)
            return
        if isinstance(port, LabListener):
            self._listeners.pop(port.port, None)
        else:
            self._datagrams.pop(port.port, None)
        self.ports.pop(port.port, None)

    def free_port(self) -> int:
        """Return a port that nobody has."""
        while True:
            port = self._next_port
            self._next_port = port + 1 if port < 65_535 else _FIRST_FREE_PORT
            if port not in self._listeners and port not in self._datagrams:
                return port

    def _appear(self) -> None:
        if not self._reachable:
            self._reachable = True
            self.lab.boards.append(self)


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True

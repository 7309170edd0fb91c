"""Wi-Fi without any: a system with adapters that a test says, and a kernel at the other end of a packet socket."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest

from espnow.link import Interface, Outcome, RadioConfig
from espnow.radio import parse_name
from espnow.radio.loop import BoardLock
from espnow.radio.monitor import (
    adapter,
    answering,
    device,
    findings,
    open_monitor,
    others,
    packetsocket,
    privileges,
    state,
)
from espnow.radio.monitor.netlink import NetlinkError
from espnow.radio.monitor.nl80211 import AP_NAME, Mode, Phy, PhyChannel, WifiInterface
from espnow.radio.monitor.radio import MonitorRadio
from espnow.testing import ManualClock

OWN = bytes.fromhex("7e0000000001")
PEER = bytes.fromhex("246f28aabbcc")
ERFKILL = 132

CHANNELS = tuple(PhyChannel(number, False, number > 11) for number in range(1, 15))
EVERY_MODE = frozenset((Mode.STATION, Mode.AP, Mode.MONITOR))


@dataclass
class FakeInterface:
    """An interface as the system has it."""

    index: int
    name: str
    phy: int
    mode: Mode = Mode.STATION
    address: bytes = bytes(6)
    up: bool = False
    mtu: int = 1500
    channel: int | None = None
    ssid: bytes | None = None
    made: bool = False


@dataclass
class System:
    """A computer's Wi-Fi: what a test sets up, and what was done to it.

    Attributes:
        phys: adapters by number.
        interfaces: by name.
        blocked: numbers of adapters that rfkill blocks.
        running: programs that configure Wi-Fi.
        forbidden: whether the kernel refuses every change (EPERM).
        refuses: names of changes that fail, with their error.
        silent: error of every question to nl80211, 0 while it answers.
        driver: of every adapter.
        given: address that every interface in AP mode gets, whatever is asked for; none for that.
        done: what was changed, in order.
        present: whether the kernel has nl80211.
        monitor_flags: that an interface was given last.
    """

    phys: dict[int, Phy] = field(default_factory=dict)
    interfaces: dict[str, FakeInterface] = field(default_factory=dict)
    blocked: set[int] = field(default_factory=set)
    running: dict[str, int] = field(default_factory=dict)
    forbidden: bool = False
    refuses: dict[str, int] = field(default_factory=dict)
    silent: int = 0
    driver: str = "rt2800usb"
    given: bytes = b""
    done: list[tuple[Any, ...]] = field(default_factory=list)
    present: bool = True
    monitor_flags: list[Any] = field(default_factory=list)
    next_index: int = 10

    def plug_in(self, name: str = "wlan1", **more: Any) -> FakeInterface:
        """Plug an adapter in whose interface has this name."""
        number = max(self.phys, default=0) + 1
        index = self.next_index
        self.next_index += 1
        phy = Phy(number, f"phy{number}", EVERY_MODE, CHANNELS, True)
        self.phys[number] = replace(phy, **more)
        address = bytes.fromhex("0200000000") + name.encode()[-1:]
        self.interfaces[name] = made = FakeInterface(index, name, number, address=address)
        return made

    def unplug(self, name: str) -> None:
        """Pull an adapter out."""
        number = self.interfaces[name].phy
        del self.phys[number]
        for gone in [one.name for one in self.interfaces.values() if one.phy == number]:
            del self.interfaces[gone]

    def ask(self) -> None:
        """Answer a question, unless the kernel does not."""
        if self.silent:
            raise NetlinkError(self.silent)

    def change(self, what: str, *arguments: Any) -> None:
        """Note a change, unless it is refused."""
        if self.forbidden:
            raise NetlinkError(errno.EPERM)
        if what in self.refuses:
            raise NetlinkError(self.refuses[what])
        self.done.append((what, *arguments))

    def by_index(self, index: int) -> FakeInterface:
        for one in self.interfaces.values():
            if one.index == index:
                return one
        raise NetlinkError(errno.ENODEV)

    def by_name(self, name: str) -> FakeInterface:
        if name not in self.interfaces:
            raise OSError(errno.ENODEV, "No such device")
        return self.interfaces[name]


class FakeNl80211:
    """nl80211 of a `System` (`espnow.radio.monitor.nl80211.Nl80211`)."""

    def __init__(self, system: System) -> None:
        if not system.present:
            raise NetlinkError(errno.ENOENT)
        self._system = system

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for name in [one.name for one in self._system.interfaces.values() if one.made]:
            del self._system.interfaces[name]

    def fileno(self) -> int:
        return 1 << 20  # of nothing

    def interfaces(self) -> list[WifiInterface]:
        self._system.ask()
        return [
            WifiInterface(one.index, one.name, one.phy, one.mode, one.address, one.channel, one.ssid)
            for one in self._system.interfaces.values()
        ]

    def interface(self, index: int) -> WifiInterface | None:
        return next((one for one in self.interfaces() if one.index == index), None)

    def phys(self) -> list[Phy]:
        return list(self._system.phys.values())

    def phy(self, index: int) -> Phy | None:
        self._system.ask()
        return self._system.phys.get(index)

    def country(self) -> str:
        return "00"

    def set_mode(self, index: int, mode: Mode, flags: Any = None) -> None:
        interface = self._system.by_index(index)
        if flags is None and interface.up:
            raise NetlinkError(errno.EBUSY)
        self._system.change("mode", interface.name, mode)
        interface.mode = mode
        if flags is not None:
            self._system.monitor_flags = list(flags)

    def set_channel(self, index: int, channel: int) -> None:
        interface = self._system.by_index(index)
        busy = [
            one
            for one in self._system.interfaces.values()
            if one.phy == interface.phy and one.up and one.mode != Mode.MONITOR
        ]
        if not interface.up or busy:
            raise NetlinkError(errno.EBUSY)
        self._system.change("channel", interface.name, channel)
        interface.channel = channel

    def add_interface(self, phy: int, name: str, mode: Mode, address: bytes) -> WifiInterface:
        self._system.change("add", name, mode, address)
        address = self._system.given or address
        made = FakeInterface(self._system.next_index, name, phy, mode, address, made=True)
        self._system.next_index += 1
        self._system.interfaces[name] = made
        return WifiInterface(made.index, name, phy, mode, address, None, None)

    def delete_interface(self, index: int) -> None:
        interface = self._system.by_index(index)
        self._system.change("delete", interface.name)
        del self._system.interfaces[interface.name]

    def start_ap(self, index: int, channel: int, beacon: bytes) -> None:
        interface = self._system.by_index(index)
        if not interface.up or interface.mode != Mode.AP or beacon[:1] != b"\x80":
            raise NetlinkError(errno.EINVAL)
        self._system.change("start", interface.name, channel)
        interface.ssid = AP_NAME

    def stop_ap(self, index: int) -> None:
        interface = self._system.by_index(index)
        self._system.change("stop", interface.name)
        interface.ssid = None


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> System:
    """The Wi-Fi of this computer: none, until a test plugs an adapter in."""
    wifi = System()

    def read_device(name: str) -> device.Device:
        one = wifi.by_name(name)
        return device.Device(one.index, name, one.up, one.mtu, one.address)

    def set_up(name: str, up: bool) -> None:
        one = wifi.by_name(name)
        if up and one.phy in wifi.blocked:
            raise OSError(ERFKILL, "Operation not possible due to RF-kill")
        if one.up != up:
            wifi.change("up" if up else "down", name)
            one.up = up

    def set_mtu(name: str, mtu: int) -> None:
        wifi.change("mtu", name, mtu)
        wifi.by_name(name).mtu = mtu

    def phy_address(name: str) -> bytes | None:
        found = wifi.interfaces.get(name)
        return found.address if found is not None and not found.made else None

    for name, function in (
        ("read_device", read_device),
        ("set_up", set_up),
        ("set_mtu", set_mtu),
        ("blocked", lambda phy: device.Blocked(phy in {f"phy{number}" for number in wifi.blocked}, False)),
        ("driver_of", lambda name: wifi.driver if name in wifi.interfaces else ""),
        ("phy_address", phy_address),
    ):
        monkeypatch.setattr(device, name, function)
    monkeypatch.setattr(others, "read_device", read_device)
    monkeypatch.setattr(others, "programs", lambda: dict(wifi.running))
    for module in (adapter, findings):
        monkeypatch.setattr(module, "Nl80211", lambda: FakeNl80211(wifi))
    monkeypatch.setattr(adapter.sys, "platform", "linux")
    monkeypatch.setattr(answering.socket, "if_nameindex", lambda: [(1, name) for name in wifi.interfaces])
    monkeypatch.setattr(privileges, "has", lambda _capability: not wifi.forbidden)
    folder = tmp_path / "state"
    monkeypatch.setattr(state, "_folders", lambda: [folder])
    # Names of the network namespace are the computer's: tests beside this one must not meet them.
    monkeypatch.setattr(state, "_claim_name", lambda index: b"\0espnow/test/%d/%d" % (os.getpid(), index))
    return wifi


class FakeLoop(ManualClock):
    """A loop whose time and descriptors a test moves (`espnow.radio.loop.RadioLoop`)."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = BoardLock()
        self.owned: set[int] = set()
        self.watched: dict[int, Callable[[], None]] = {}

    def soon(self, function: Callable[[], None]) -> None:
        self.call_at(self.now_us, function)

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        self.watched[fd] = ready

    def unwatch(self, fd: int) -> None:
        self.watched.pop(fd, None)

    def turn(self) -> None:
        """Let descriptors be read, and what is due be done."""
        for ready in list(self.watched.values()):
            ready()
        self.advance(0)


class FakeStation:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.received_frames: list[tuple[bytes, int, int, int, int]] = []
        self.outcomes: list[tuple[int, Outcome, int, int]] = []

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        self.received_frames.append((mpdu, rssi_dbm, channel, rate, at_us))

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        self.outcomes.append((token, outcome, attempts, at_us))

    @property
    def told(self) -> list[tuple[int, Outcome, int]]:
        return [one[:3] for one in self.outcomes]


class FakeSocket:
    """One end of a pair of sockets in place of a packet socket; a real kernel filters what it gets."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.send_errors: list[int] = []
        self.receive_errors: list[int] = []

    def bind(self, _address: object) -> None:
        pass

    def send(self, packet: bytes) -> int:
        if self.send_errors:
            raise OSError(self.send_errors.pop(0), "as the test says")
        return self._end.send(packet)

    def recv(self, size: int) -> bytes:
        if self.receive_errors:
            raise OSError(self.receive_errors.pop(0), "as the test says")
        return self._end.recv(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)


class Monitor:
    """A radio ``monitor:``, its station, and the kernel below it.

    Attributes:
        radio: under test.
        loop: whose time the test moves.
        station: above it.
        reports: what a person was told.
        socket: the radio's that sends.
        kernels: the other ends: what is injected comes out of the first, what goes in is heard or is a report.
    """

    radio: MonitorRadio
    socket: FakeSocket

    def __init__(self, system: System, monkeypatch: pytest.MonkeyPatch) -> None:
        self.system = system
        self.loop = FakeLoop()
        self.station = FakeStation()
        self.reports: list[str] = []
        self._ends: list[socket.socket] = []
        self.kernels: list[socket.socket] = []
        monkeypatch.setattr(packetsocket.socket, "socket", self._make_socket)

    def _make_socket(self, family: int = -1, kind: int = -1, *more: Any, **named: Any) -> Any:
        if family != socket.AF_PACKET:
            return self._real(family, kind, *more, **named)
        if self.system.forbidden:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        own, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (own, kernel):
            end.setblocking(False)
            self._ends.append(end)
        if len(self.kernels) == 2:
            self.kernels.clear()
        self.kernels.append(kernel)
        made = FakeSocket(own)
        if len(self.kernels) == 1:
            self.socket = made
        return made

    _real = socket.socket

    def open(self, text: str = "monitor:wlan1", **config: Any) -> MonitorRadio:
        """Open the radio, and configure it."""
        self.radio = open_monitor(parse_name(text), self.loop, self.reports.append)  # type: ignore[arg-type]
        self.radio.station = self.station
        self.configure(**config)
        return self.radio

    def configure(self, *, addresses: tuple[bytes, ...] = (OWN,), channel: int = 6, **more: Any) -> None:
        """Configure it as a board does."""
        more.setdefault("receiver_on", True)
        own = tuple(zip(Interface, addresses, strict=False))
        self.radio.configure(RadioConfig(own, channel=channel, **more))
        self.loop.turn()

    def injected(self) -> list[bytes]:
        """Return what the kernel was given since the last call."""
        found = []
        while True:
            try:
                found.append(self.kernels[0].recv(4096))
            except BlockingIOError:
                return found

    def put(self, *packets: bytes) -> None:
        """Let the kernel hand packets over, and the radio read them."""
        for packet in packets:
            for kernel in self.kernels:
                kernel.send(packet)
        self.loop.turn()

    def close(self) -> None:
        if hasattr(self, "radio"):
            self.radio.close()
        for end in self._ends:
            end.close()


@pytest.fixture
def monitor(system: System, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A radio to open, on a system with one adapter, wlan1."""
    system.plug_in()
    one = Monitor(system, monkeypatch)
    yield one
    one.close()


@pytest.fixture(scope="session")
def samples() -> list[dict[str, Any]]:
    """What packet sockets saw on kernels 6.1 and 6.12."""
    path = Path(__file__).parents[1] / "frame" / "radiotap_samples.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())["samples"]
    return found

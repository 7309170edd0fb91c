"""A Wi-Fi interface made into a monitor, put on a channel, and put back as it was.

Rules:

- What it was is written down before the first change (`espnow.radio.monitor.state`). An interface that is ready already
  needs no right to configure.
- What cannot be is a UserError while it is opened; later it is a line of text that says what to do (`problem`, `tune`),
  since an interface may be down, blocked, gone or taken at any time, and may come back.
- An interface that was set down by a person stays down until that person sets it up; one that rfkill took down is set
  up again, as nobody else would.

Measured on kernels 6.1 and 6.12: the order down, monitor, MTU, up, channel; MTU 1500 refuses long frames of version 2;
a channel where nothing may be sent first takes frames and sends none.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.radio.monitor import device, others, privileges, state
from espnow.radio.monitor.answering import Answering
from espnow.radio.monitor.nl80211 import Mode, MonitorFlag, Nl80211, Phy, WifiInterface

__all__ = ["MTU", "Adapter", "open_adapter", "open_nl80211", "put_back"]

#: Longest that a monitor interface takes, radiotap and all: the most that Linux allows.
MTU = 2304

_NO_RIGHT = (errno.EPERM, errno.EACCES)
_RFKILL = 132  # ERFKILL, which `errno` does not have everywhere


def open_nl80211(what: str) -> Nl80211:
    """Open nl80211.

    Args:
        what: who asks, as the begin of the message.

    Raises:
        UserError: this is no Linux, or it has no Wi-Fi.
    """
    if not sys.platform.startswith("linux"):
        raise UserError(f"{what}: a Wi-Fi adapter in monitor mode is used on Linux only; this is {sys.platform}")
    try:
        return Nl80211()
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise UserError(
                f"{what}: this Linux has no Wi-Fi (nl80211): plug an adapter in, or load its driver; "
                "a container sees only what its host gives it"
            ) from None
        raise UserError(f"{what}: nl80211 cannot be asked: {error.strerror}") from None


class Adapter:
    """An interface in monitor mode. Made by `open_adapter`.

    Attributes:
        name: of the interface.
        index: its number.
        phy: its adapter, as it was found.
        driver: its driver.
        phy_address: address that its adapter was made with.
    """

    def __init__(
        self, nl80211: Nl80211, interface: WifiInterface, phy: Phy, *, answer: bool, owned: set[int] | None = None
    ) -> None:
        """Make one of an interface that is not touched yet.

        Args:
            nl80211: the socket, which is closed with it.
            interface: it.
            phy: its adapter.
            answer: whether its hardware is to acknowledge for a board.
            owned: gets the descriptors that no forked process may keep (`espnow.radio.loop.RadioLoop`).
        """
        self.name = interface.name
        self.index = interface.index
        self.phy = phy
        self.driver = device.driver_of(interface.name)
        self.phy_address = device.phy_address(interface.name) or b""
        self._nl80211 = nl80211
        self._answering = Answering(nl80211, phy.index) if answer else None
        self._claimed: socket.socket | None = None
        self._kept: Path | None = None
        self._before: state.Before | None = None
        self._owned = set() if owned is None else owned
        self._owned.add(nl80211.fileno())
        self._was_blocked = False
        self._hears_control = False

    @property
    def answers(self) -> tuple[bytes, ...]:
        """The addresses that its hardware acknowledges for."""
        return self._answering.addresses if self._answering is not None else ()

    @property
    def mtu(self) -> int:
        """Longest that it takes, radiotap and all."""
        try:
            return device.read_device(self.name).mtu
        except OSError:
            return MTU

    def sendable_channels(self) -> frozenset[int]:
        """Return the channels that may be sent on."""
        return frozenset(channel.number for channel in self.phy.channels if not channel.disabled and not channel.no_ir)

    # Making it a monitor.

    def take(self, note: Callable[[str], None]) -> None:
        """Make it a monitor that is up, and write down before how it was.

        Args:
            note: gets what a person should know.

        Raises:
            OSError: the kernel refuses; `explain` says what that means.
        """
        self._claim()
        found = device.read_device(self.name)
        interface = self._nl80211.interface(self.index)
        if interface is None:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        ready = interface.mode == Mode.MONITOR and found.up and found.mtu >= MTU
        if ready and not privileges.has(privileges.NET_ADMIN):
            return
        left = state.find(self.name)
        if self._before is not None and self._before.index == self.index:  # the second try, or it has another name now
            self._before = replace(self._before, name=self.name)
        elif left is not None and left.before.phy_address == self.phy_address:
            self._before = replace(left.before, index=self.index)
        else:
            self._before = state.Before(
                self.name, self.index, self.phy_address, interface.mode, found.up, found.mtu, interface.channel
            )
        try:
            self._kept = state.save(self._before)
        except OSError as error:
            note(
                f"how {self.name} was cannot be written down ({error.strerror}): a crash would leave it in monitor mode"
            )
        if interface.mode != Mode.MONITOR:
            device.set_up(self.name, False)
            self._nl80211.set_mode(self.index, Mode.MONITOR)
        if found.mtu < MTU:
            device.set_mtu(self.name, MTU)
        device.set_up(self.name, True)

    def _claim(self) -> None:
        self._let_go()
        try:
            self._claimed = state.claim(self.index)
            self._owned.add(self._claimed.fileno())
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            pid = state.holder(self.index)
            who = f" (process {pid}, {others.process_name(pid)})" if pid else ""
            raise UserError(
                f"{self.name} is in use by another espnow program{who}: end it, or use another interface"
            ) from None

    def _let_go(self) -> None:
        """Let other programs have it."""
        if self._claimed is not None:
            self._owned.discard(self._claimed.fileno())
            self._claimed.close()
            self._claimed = None

    def hear_control(self, wanted: bool) -> None:
        """Also hear control frames, such as acknowledgements, or no more; left as it is where that cannot be set."""
        if wanted != self._hears_control:
            flags = [MonitorFlag.OTHER_BSS, *([MonitorFlag.CONTROL] if wanted else [])]
            try:
                self._nl80211.set_mode(self.index, Mode.MONITOR, flags)
            except OSError:
                return
            self._hears_control = wanted

    # Using it. What is said instead of an answer that does not come goes away when it is asked for again.

    def _ask(self, question: Callable[[], str | None]) -> str | None:
        """Return what a question to the system gives, or why it has no answer."""
        try:
            return question()
        except OSError as error:
            return f"{self.name} cannot be asked about: {printable(error.strerror or str(error))}"

    def tune(self, channel: int, answer: tuple[bytes, ...]) -> str | None:
        """Put it on a channel, answering for these addresses if it is to answer at all.

        Returns:
            Why nothing can be sent there, or None.
        """
        return self._ask(lambda: self._tune(channel, answer))

    def _tune(self, channel: int, answer: tuple[bytes, ...]) -> str | None:
        phy = self._nl80211.phy(self.phy.index)
        if phy is None:
            return self._gone()
        self.phy = phy
        told = phy.channel(channel)
        if told is None:
            return f"{self.name} has no channel {channel} ({phy.name}, {self.driver})"
        if told.disabled:
            return self._not_allowed(channel, "must not be used")
        answers = self._answering is not None and answer != () and not told.no_ir
        try:
            if self._answering is not None and answers:
                self._answering.answer(answer, channel)
            else:
                if self._answering is not None:
                    self._answering.close()
                self._nl80211.set_channel(self.index, channel)
        except OSError as error:
            interface = self._nl80211.interface(self.index)
            # One that may not be configured can be on the channel, or where nobody knows: then what is heard tells.
            usable = interface is not None and interface.channel in (channel, None)
            if answers or error.errno not in _NO_RIGHT or not usable:
                what = "acknowledge" if answers else "be put"
                return self.problem() or self.explain(error, f"{what} on channel {channel}")
        return self._not_allowed(channel, "must not be sent on first (no-IR)") if told.no_ir else None

    def _not_allowed(self, channel: int, what: str) -> str:
        country = self._nl80211.country()
        return (
            f"channel {channel} {what} in regulatory domain {country} on {self.name}: "
            "choose another channel, or set your country: sudo iw reg set and its two letters"
        )

    def problem(self) -> str | None:
        """Return what is wrong with the interface now, and what to do; None while it can be used."""
        return self._ask(self._problem)

    def _problem(self) -> str | None:
        try:
            found = device.read_device(self.name)
        except OSError:
            return self._gone()
        if found.index != self.index:
            return self._gone()
        blocked = device.blocked(self.phy.name)
        if blocked:
            self._was_blocked = True
            if self._answering is not None:  # the kernel has ended its access points, too
                self._answering.close()
            return self._blocked(blocked)
        if not found.up:
            if not self._was_blocked:
                return f"{self.name} is down: sudo ip link set {self.name} up"
            try:
                device.set_up(self.name, True)
            except OSError as error:
                return self.explain(error, "be set up again")
        self._was_blocked = False
        interface = self._nl80211.interface(self.index)
        if interface is not None and interface.mode != Mode.MONITOR:
            who = others.advice_about(self.name)
            hint = f"; {who}" if who else ""
            return f"{self.name} is in {interface.mode.label} mode: another program took it; end that, start anew{hint}"
        if self._answering is not None and not self._answering.works():
            self._answering.close()  # made again when it is tuned again
            who = others.advice_about(self.name)
            hint = f"; {who}" if who else ""
            return (
                f"{self.name} does not acknowledge any more: another program or the regulatory domain ended its access "
                f"point{hint}"
            )
        return None

    def _gone(self) -> str:
        return f"{self.name} is gone: plug its adapter in again"

    def _blocked(self, blocked: device.Blocked) -> str:
        cure = "turn Wi-Fi on by the switch of this computer" if blocked.hard else "sudo rfkill unblock wifi"
        return f"{self.name} is blocked by rfkill (airplane mode): {cure}"

    def is_gone(self) -> bool:
        """Tell whether its interface is no longer there, whether or not another one has its name."""
        try:
            return device.read_device(self.name).index != self.index
        except OSError:
            return True

    def find_again(self, note: Callable[[str], None]) -> str | None:
        """Look whether the adapter came back, and make it a monitor again.

        Returns:
            What is wrong still, or None.
        """
        return self._ask(lambda: self._find_again(note))

    def _find_again(self, note: Callable[[str], None]) -> str | None:
        joined: WifiInterface | None = None
        if self._answering is not None:  # its access points are of the same adapter, where that is still there
            self._answering.close()
        for interface in sorted(self._nl80211.interfaces(), key=lambda one: (one.name != self.name, one.index)):
            if not self._is_ours(interface):
                continue
            if interface.ssid is not None and interface.mode != Mode.MONITOR:
                joined = joined or interface
                continue
            phy = self._nl80211.phy(interface.phy)
            if phy is None or Mode.MONITOR not in phy.modes:
                continue
            if self._kept is not None and interface.name != self.name:
                state.remove(self._kept)
            self.name, self.index, self.phy = interface.name, interface.index, phy
            self.phy_address = device.phy_address(interface.name) or b""
            self.driver = device.driver_of(interface.name)
            self._hears_control = False
            if self._answering is not None:
                self._answering = Answering(self._nl80211, phy.index)
            try:
                self.take(note)
            except UserError as error:
                return str(error)
            except OSError as error:
                return self.explain(error, "be made a monitor again")
            return self.problem()
        return self._gone() if joined is None else _in_network(joined)

    def _is_ours(self, interface: WifiInterface) -> bool:
        """Tell whether an interface is of the adapter that was used: by its address, or by name where it has none.

        Of others on that adapter, one that somebody made for something is left alone.
        """
        if not self.phy_address or not interface.name:
            return interface.name == self.name
        usual = interface.name == self.name or interface.mode in (Mode.STATION, Mode.MONITOR)
        return usual and device.phy_address(interface.name) == self.phy_address

    def explain(self, error: OSError, what: str) -> str:
        """Return what a refusal of the kernel means, and what to do."""
        if error.errno in _NO_RIGHT:
            needed = privileges.advice(privileges.NET_ADMIN, privileges.NET_RAW)
            return f"{self.name} cannot {what}: {needed}"
        if error.errno == _RFKILL:
            return self._blocked(device.blocked(self.phy.name))
        if error.errno in (errno.ENODEV, errno.ENXIO):
            return self._gone()
        if error.errno == errno.EBUSY:
            found = self._find_rivals()
            if found:
                return _rivals(self.name, found)
        return f"{self.name} cannot {what}: {printable(error.strerror or str(error))}"

    def _find_rivals(self) -> list[WifiInterface]:
        try:
            interface = self._nl80211.interface(self.index)
            return others.rivals(self._nl80211, interface) if interface is not None else []
        except OSError:
            return []

    def close(self) -> None:
        """Put it back as it was; what cannot be put back now stays written down."""
        if self._answering is not None:
            self._answering.close()
        if self._before is not None:
            try:
                done = self.is_gone() or put_back(self._nl80211, self._before)
            except OSError:
                done = False
            if done and self._kept is not None:
                state.remove(self._kept)
            self._before = None
        self._let_go()
        self._owned.discard(self._nl80211.fileno())
        self._nl80211.close()


def put_back(nl80211: Nl80211, before: state.Before) -> bool:
    """Make an interface what it was.

    Returns:
        False when it is not there, or is another adapter's by now.

    Raises:
        OSError: the kernel refuses.
    """
    try:
        found = device.read_device(before.name)
    except OSError:
        return False
    if before.phy_address and device.phy_address(before.name) != before.phy_address:
        return False
    interface = nl80211.interface(found.index)
    if interface is None:
        return False
    if interface.mode != before.mode:
        device.set_up(before.name, False)
        nl80211.set_mode(found.index, before.mode)
    if found.mtu != before.mtu:
        device.set_mtu(before.name, before.mtu)
    if before.mode == Mode.MONITOR and before.channel is not None:
        try:
            nl80211.set_channel(found.index, before.channel)
        except OSError:  # the adapter is on another channel for somebody else
            pass
    if device.read_device(before.name).up != before.up:
        try:
            device.set_up(before.name, before.up)
        except OSError as error:
            if error.errno != _RFKILL:
                raise
    return True


def open_adapter(
    radio: str, name: str, note: Callable[[str], None], *, answer: bool, owned: set[int] | None = None
) -> Adapter:
    """Make an interface a monitor.

    Args:
        radio: the radio's name, as the begin of messages.
        name: of the interface.
        note: gets what a person should know.
        answer: whether its hardware is to acknowledge for a board.
        owned: gets the descriptors that no forked process may keep (`espnow.radio.loop.RadioLoop`).

    Raises:
        UserError: it cannot be: why, and what to do.
    """
    nl80211 = open_nl80211(f"radio {radio!r}")
    adapter: Adapter | None = None
    try:
        try:
            interface, phy = _choose(radio, name, nl80211, answer=answer)
            adapter = Adapter(nl80211, interface, phy, answer=answer, owned=owned)
            blocked = device.blocked(phy.name)
            if blocked:
                raise UserError(f"radio {radio!r}: {adapter._blocked(blocked)}")
            adapter.take(note)
            channels = adapter.sendable_channels() or frozenset((1,))
            trouble = adapter.tune(interface.channel or min(channels), ())
            if trouble is not None and interface.mode != Mode.MONITOR:
                raise UserError(f"radio {radio!r}: {trouble}")
        except OSError as error:
            if adapter is None:
                raise UserError(f"radio {radio!r}: nl80211 cannot be asked: {error.strerror}") from None
            raise UserError(f"radio {radio!r}: {adapter.explain(error, 'be made a monitor')}") from None
    except BaseException:
        if adapter is not None:
            adapter.close()
        nl80211.close()
        raise
    return adapter


def _choose(radio: str, name: str, nl80211: Nl80211, *, answer: bool) -> tuple[WifiInterface, Phy]:
    """Return the interface of a name, if it can be a monitor.

    Raises:
        UserError: it cannot.
    """
    there = nl80211.interfaces()
    known = ", ".join(sorted(one.name for one in there if one.name)) or "none; plug an adapter in"
    if not name:
        raise UserError(f"radio {radio!r}: which interface? Write monitor:INTERFACE; there are: {known}")
    interface = next((one for one in there if one.name == name), None)
    if interface is None:
        raise UserError(f"radio {radio!r}: there is no Wi-Fi interface {printable(name)!r}; there are: {known}")
    phy = nl80211.phy(interface.phy)
    if phy is None:
        raise UserError(f"radio {radio!r}: {name} is gone: plug its adapter in again")
    driver = device.driver_of(name) or "its driver"
    if Mode.MONITOR not in phy.modes:
        raise UserError(f"radio {radio!r}: {driver} of {name} has no monitor mode; use another adapter")
    if not phy.channels:
        raise UserError(f"radio {radio!r}: {name} has no channels at 2.4 GHz, where ESP-NOW is; use another adapter")
    if answer and Mode.AP not in phy.modes:
        raise UserError(
            f"radio {radio!r}: {driver} of {name} has no AP mode, so it cannot acknowledge; leave ?ack=on out"
        )
    if interface.mode != Mode.MONITOR and interface.ssid is not None:
        raise UserError(f"radio {radio!r}: {_in_network(interface)}")
    found = others.rivals(nl80211, interface)
    if found:
        raise UserError(f"radio {radio!r}: {_rivals(name, found)}")
    return interface, phy


def _in_network(interface: WifiInterface) -> str:
    name = printable(interface.name)
    network = printable((interface.ssid or b"").decode(errors="replace"))
    return (
        f"{name} is in use for the network '{network}' ({interface.mode.label}): leave it first "
        f"({others.advice_about(name) or f'sudo ip link set {name} down'}), or use another adapter"
    )


def _rivals(name: str, found: list[WifiInterface]) -> str:
    listed = ", ".join(f"{printable(one.name)} ({one.mode.label})" for one in found)
    who = others.advice_about(found[0].name)
    hint = f"; {who}" if who else ""
    return (
        f"the adapter of {name} is held on its channel by {listed}: "
        f"sudo ip link set {printable(found[0].name)} down{hint}"
    )

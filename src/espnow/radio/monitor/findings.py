"""What there is to say about this computer's Wi-Fi as a radio for ESP-NOW, without changing anything.

Rules:

- Each finding says what was looked at, what was found, whether that is good, and what to do if not.
- Nothing here needs a right, nothing raises for what it finds; what cannot be known is not guessed.
- What is said of a driver comes with where that was read (`espnow.radio.monitor.drivers`).
"""

from __future__ import annotations

import errno
import platform
import sys
from dataclasses import dataclass

from espnow.frame.text import printable
from espnow.radio.monitor import device, drivers, others, privileges, state
from espnow.radio.monitor.drivers import Verdict
from espnow.radio.monitor.nl80211 import Mode, Nl80211, Phy, WifiInterface

__all__ = ["Finding", "Verdict", "examine_adapters", "examine_computer", "range_text"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: the computer, an adapter, or an interface.
        check: what was looked at.
        verdict: what it means.
        told: what was found.
        cure: what to do, or empty.
    """

    about: str
    check: str
    verdict: Verdict
    told: str
    cure: str = ""


def examine_computer() -> list[Finding]:
    """Look at the system, this process's rights, other programs, and what crashed programs left."""
    about = "this computer"
    if not sys.platform.startswith("linux"):
        return [Finding(about, "system", Verdict.BAD, f"{sys.platform}: monitor: needs Linux", "use udp: here")]
    found = [Finding(about, "kernel", Verdict.GOOD, f"Linux {printable(platform.release())}, {platform.machine()}")]
    for capability, name, use in (
        (privileges.NET_RAW, "CAP_NET_RAW", "send and receive"),
        (privileges.NET_ADMIN, "CAP_NET_ADMIN", "configure an interface"),
    ):
        if privileges.has(capability):
            found.append(Finding(about, name, Verdict.GOOD, f"this process may {use}"))
        else:
            cure = privileges.advice(privileges.NET_ADMIN, privileges.NET_RAW)
            found.append(Finding(about, name, Verdict.NOTE, f"this process may not {use}", cure))
    running = others.programs()
    if running:
        listed = ", ".join(f"{name} ({pid})" for name, pid in running.items())
        cure = "if one takes your interface: " + "; ".join(
            others.PROGRAMS[name].format(name="INTERFACE") for name in running
        )
        found.append(Finding(about, "other programs", Verdict.NOTE, f"configure Wi-Fi too: {listed}", cure))
    else:
        found.append(Finding(about, "other programs", Verdict.GOOD, "none that configures Wi-Fi"))
    found += _left_behind(about)
    try:
        with Nl80211() as nl80211:
            country = nl80211.country()
    except OSError as error:
        told = "this kernel has no nl80211" if error.errno == errno.ENOENT else printable(str(error.strerror))
        cure = "plug an adapter in, or load its driver; a container sees only what its host gives it"
        return [*found, Finding(about, "Wi-Fi", Verdict.BAD, told, cure)]
    if country == "00":
        told = "00, the world's: channels 12 to 14 must not be sent on first"
        cure = "sudo iw reg set and your country's two letters"
        return [*found, Finding(about, "regulatory domain", Verdict.NOTE, told, cure)]
    return [*found, Finding(about, "regulatory domain", Verdict.GOOD, printable(country))]


def _left_behind(about: str) -> list[Finding]:
    found = []
    for record in state.read_all():
        name = record.before.name
        if record.alive:
            told = f"{name} is used by process {record.pid}, {others.process_name(record.pid)}"
            found.append(Finding(about, "in use", Verdict.NOTE, told))
        else:
            told = f"process {record.pid} ended without putting {name} back"
            found.append(Finding(about, "left behind", Verdict.BAD, told, "espnow doctor --restore"))
    return found


def examine_adapters(name: str | None) -> list[Finding]:
    """Look at the adapters; nothing is said where there is no Wi-Fi at all.

    Args:
        name: of an interface whose adapter alone is looked at, or None for all.
    """
    try:
        with Nl80211() as nl80211:
            phys, interfaces = nl80211.phys(), nl80211.interfaces()
    except OSError:
        return []
    found: list[Finding] = []
    chosen = {one.phy for one in interfaces if one.name == name}
    if not phys:
        found.append(Finding("this computer", "adapters", Verdict.BAD, "none", "plug one in; see docs/monitor.md"))
    for phy in phys:
        own = [one for one in interfaces if one.phy == phy.index]
        if name is None or phy.index in chosen:
            found += _examine_adapter(phy, own)
    return found


def _examine_adapter(phy: Phy, interfaces: list[WifiInterface]) -> list[Finding]:
    about = printable(phy.name)
    driver = next((name for one in interfaces if (name := device.driver_of(one.name))), "")
    found = _driver(about, driver)
    found += [_interface(about, one) for one in sorted(interfaces, key=lambda one: one.name)]
    if not interfaces:
        found.append(
            Finding(about, "interfaces", Verdict.NOTE, "none", f"iw phy {about} interface add wlan9 type monitor")
        )
    blocked = device.blocked(phy.name)
    if blocked:
        cure = "turn Wi-Fi on by the switch of this computer" if blocked.hard else "sudo rfkill unblock wifi"
        found.append(Finding(about, "rfkill", Verdict.BAD, "blocked (airplane mode)", cure))
    else:
        found.append(Finding(about, "rfkill", Verdict.GOOD, "not blocked"))
    if Mode.MONITOR in phy.modes:
        found.append(Finding(about, "monitor mode", Verdict.GOOD, "yes"))
    else:
        modes = ", ".join(sorted(mode.label for mode in phy.modes)) or "nothing"
        found.append(Finding(about, "monitor mode", Verdict.BAD, f"no, only {modes}", "use another adapter"))
    if Mode.AP in phy.modes:
        found.append(Finding(about, "acknowledging", Verdict.GOOD, "possible: it has AP mode (?ack=on)"))
    else:
        told = "not possible: no AP mode; boards see a failure though messages arrive"
        found.append(Finding(about, "acknowledging", Verdict.NOTE, told, "let boards send by broadcast"))
    return found + _channels(about, phy)


def _driver(about: str, driver: str) -> list[Finding]:
    """Say what others report of a driver, and whether its reports tell what became of frames."""
    if not driver:
        return [Finding(about, "driver", Verdict.NOTE, "nobody tells which")]
    known = drivers.about(driver)
    verdict, told = known or (Verdict.NOTE, "nothing is known of it here")
    cure = "let doctor try it" if known is None else "use another adapter" if verdict == Verdict.BAD else ""
    found = [Finding(about, "driver", verdict, f"{driver}: {told}", cure)]
    untold = drivers.untold(driver, answering=False)
    if untold is not None:
        told = (
            f"not believed: it reports {untold.reports} ({untold.source}); acknowledgements that are heard tell, and "
            "without one it is unknown"
        )
        cure = "use another adapter if you need to know" if untold.answering else "use ?ack=on, or another adapter"
        found.append(Finding(about, "reports", Verdict.NOTE, told, cure))
    return found


def _interface(about: str, interface: WifiInterface) -> Finding:
    name = printable(interface.name) or "(without a name)"
    parts = [interface.mode.label]
    try:
        parts.append("up" if device.read_device(interface.name).up else "down")
    except OSError:
        pass
    if interface.channel is not None:
        parts.append(f"channel {interface.channel}")
    if interface.ssid is not None:
        network = printable(interface.ssid.decode(errors="replace"))
        told = f"{', '.join(parts)}, in use for the network '{network}'"
        return Finding(about, f"interface {name}", Verdict.NOTE, told, "leave the network before it is used as a radio")
    pid = state.holder(interface.index)
    if pid is not None:
        told = f"{', '.join(parts)}, in use by process {pid or '(unknown)'}"
        return Finding(about, f"interface {name}", Verdict.NOTE, told)
    return Finding(about, f"interface {name}", Verdict.GOOD, ", ".join(parts))


def _channels(about: str, phy: Phy) -> list[Finding]:
    if not phy.channels:
        told = "none at 2.4 GHz, where ESP-NOW is"
        return [Finding(about, "channels", Verdict.BAD, told, "use another adapter")]
    free = [channel.number for channel in phy.channels if not channel.disabled and not channel.no_ir]
    no_ir = [channel.number for channel in phy.channels if channel.no_ir and not channel.disabled]
    disabled = [channel.number for channel in phy.channels if channel.disabled]
    parts = [f"{range_text(free)} to send and receive" if free else "none to send on"]
    if no_ir:
        parts.append(f"{range_text(no_ir)} to receive only (no-IR)")
    if disabled:
        parts.append(f"{range_text(disabled)} disabled")
    verdict = Verdict.GOOD if free else Verdict.BAD
    cure = "" if free else "sudo iw reg set and your country's two letters"
    rates = "802.11b, g and n" if phy.ht else "802.11b and g"
    return [
        Finding(about, "channels", verdict, "; ".join(parts), cure),
        Finding(about, "rates", Verdict.GOOD, f"{rates}; those of Espressif's long range never"),
    ]


def range_text(numbers: list[int]) -> str:
    """Return numbers in order as text, such as ``1-11, 13``."""
    parts: list[str] = []
    begin = None
    for at, number in enumerate(numbers):
        if begin is None:
            begin = number
        if at + 1 == len(numbers) or numbers[at + 1] != number + 1:
            parts.append(str(begin) if begin == number else f"{begin}-{number}")
            begin = None
    return ", ".join(parts)

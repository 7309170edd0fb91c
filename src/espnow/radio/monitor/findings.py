"""What there is to say about this computer's Wi-Fi as a radio for ESP-NOW, without changing anything.

Rules:

- Each finding says what was looked at, what was found, whether that is good, and what to do if not.
- Nothing here needs a right, nothing raises for what it finds; what cannot be known is not guessed.
- Names of drivers that are known to behave in some way come with where that was read.
"""

from __future__ import annotations

import enum
import errno
import platform
import sys
from dataclasses import dataclass

from espnow.frame.text import printable
from espnow.radio.monitor import device, others, privileges, state
from espnow.radio.monitor.nl80211 import Mode, Nl80211, Phy, WifiInterface

__all__ = ["DRIVERS", "Finding", "Verdict", "examine_adapters", "examine_computer", "range_text"]


class Verdict(enum.Enum):
    """What a finding means."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "bad"


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


#: What others report of drivers, by the begin of their name: what, and where it was read.
DRIVERS: dict[str, tuple[Verdict, str]] = {
    "mac80211_hwsim": (Verdict.GOOD, "virtual radios: everything here was measured with them, on kernels 6.1 and 6.12"),
    "ath9k_htc": (
        Verdict.GOOD,
        "the kernel's own; its AWUS036NHA is preferred for injection (morrownr/USB-WiFi issue 275)",
    ),
    "rt2800usb": (Verdict.GOOD, "monitor mode and injection in the kernel's own driver (ZerBea/hcxdumptool issue 211)"),
    "mt76x2u": (
        Verdict.NOTE,
        "it injects, but tries up to 16 times at falling rates whatever it is told (morrownr/USB-WiFi issue 388)",
    ),
    "mt76": (Verdict.GOOD, "monitor mode and injection in the kernel's own driver (ZerBea/hcxdumptool issue 211)"),
    "mt7601u": (Verdict.GOOD, "monitor mode and injection in the kernel's own driver (ZerBea/hcxdumptool issue 211)"),
    "mt7921u": (Verdict.NOTE, "works on kernel 6.12; hears nothing on 6.17 and newer (morrownr/mt76 issue 18)"),
    "rtl8xxxu": (Verdict.NOTE, "hears nothing on kernel 6.18.1 (morrownr/USB-WiFi issue 682)"),
    "rtw88": (Verdict.GOOD, "injection works on kernel 6.18 (morrownr/8812au-20210820 pull request 53)"),
    "88XXau": (
        Verdict.NOTE,
        "not the kernel's own: it sends with 1 Mb/s and 12 tries whatever it is told (aircrack-ng/rtl8812au issue 548)",
    ),
    "rtl88": (
        Verdict.NOTE,
        "not the kernel's own: it sends with 1 Mb/s and 12 tries whatever it is told (aircrack-ng/rtl8812au issue 548)",
    ),
    "8812au": (
        Verdict.NOTE,
        "not the kernel's own: it sends with 1 Mb/s and 12 tries whatever it is told (aircrack-ng/rtl8812au issue 548)",
    ),
    "88x2bu": (
        Verdict.NOTE,
        "not the kernel's own: it sends with 1 Mb/s whatever it is told (morrownr/88x2bu-20210702 issue 140)",
    ),
    "brcmfmac": (
        Verdict.BAD,
        "a Raspberry Pi's own Wi-Fi: monitor mode and injection only with patched firmware (seemoo-lab/nexmon)",
    ),
}


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
    found: list[Finding] = [_driver(about, driver)]
    found += [_interface(about, one) for one in sorted(interfaces, key=lambda one: one.name)]
    if not interfaces:
        found.append(
            Finding(about, "interfaces", Verdict.NOTE, "none", f"iw phy {about} interface add wlan9 type monitor")
        )
    blocked = device.blocked(phy.index)
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


def _driver(about: str, driver: str) -> Finding:
    if not driver:
        return Finding(about, "driver", Verdict.NOTE, "nobody tells which")
    known = next((told for begin, told in DRIVERS.items() if driver.startswith(begin)), None)
    if known is None:
        return Finding(about, "driver", Verdict.NOTE, f"{driver}: nothing is known of it here", "let doctor try it")
    verdict, told = known
    return Finding(
        about, "driver", verdict, f"{driver}: {told}", "use another adapter" if verdict == Verdict.BAD else ""
    )


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

"""Who else wants the adapter: other interfaces of it, and programs that configure Wi-Fi.

Rules:

- Only names of processes are read, from ``/proc``; what nobody may see is not seen.
- What is said names the program and the command that makes it let go.
"""

from __future__ import annotations

from pathlib import Path

from espnow.frame.text import printable
from espnow.radio.monitor.device import read_device
from espnow.radio.monitor.nl80211 import Mode, Nl80211, WifiInterface

__all__ = ["PROGRAMS", "advice_about", "process_name", "programs", "rivals"]

_PROC = Path("/proc")

#: Programs that configure Wi-Fi by themselves, by the name of their process, and how to make them leave one interface.
PROGRAMS = {
    "NetworkManager": "nmcli device set {name} managed no",
    "wpa_supplicant": "end it: wpa_cli -i {name} terminate",
    "iwd": "iwctl station {name} disconnect, and stop iwd",
    "hostapd": "stop it: systemctl stop hostapd",
    "connmand": "connmanctl disable wifi",
    "dhcpcd": "write denyinterfaces {name} into /etc/dhcpcd.conf",
    "systemd-network": "write Unmanaged=yes for {name} into a .network file",
}


def process_name(pid: int) -> str:
    """Return the name of a process, or an empty text when it is gone."""
    try:
        return printable((_PROC / str(pid) / "comm").read_text(errors="replace").strip())
    except OSError:
        return ""


def programs() -> dict[str, int]:
    """Return which of `PROGRAMS` run, with the number of a process of each."""
    found: dict[str, int] = {}
    try:
        numbers = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    except OSError:
        return found
    for pid in numbers:
        name = process_name(pid)
        if name in PROGRAMS:
            found.setdefault(name, pid)
    return found


def rivals(nl80211: Nl80211, interface: WifiInterface) -> list[WifiInterface]:
    """Return the other interfaces of an adapter that are up and no monitors: they hold its channel."""
    found = []
    for other in nl80211.interfaces():
        if other.phy == interface.phy and other.index != interface.index and other.mode != Mode.MONITOR:
            try:
                if read_device(other.name).up:
                    found.append(other)
            except OSError:  # gone meanwhile
                continue
    return found


def advice_about(name: str) -> str:
    """Return who may have taken an interface and how to make it let go, as the end of a sentence; empty if nobody."""
    running = programs()
    parts = [f"{program} runs ({PROGRAMS[program].format(name=name)})" for program in PROGRAMS if program in running]
    return "; ".join(parts)

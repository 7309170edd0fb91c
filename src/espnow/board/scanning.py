"""A scan: what a board hears on one channel after the other.

Rules: it notes what it hears while its Wi-Fi visits the channels; time passes in `espnow.board.wifi.Wifi.scan`.

An access point that hides its name is listed without one, as in MicroPython.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from espnow.board.wifi_values import ScanResult
from espnow.frame.management import Advertisement, build_probe_request
from espnow.link import Absence

if TYPE_CHECKING:
    from espnow.board.wifi import Wifi

__all__ = ["Scan"]


class Scan:
    """One scan of a board."""

    __slots__ = ("_found", "_wifi")

    def __init__(self, wifi: Wifi) -> None:
        """Make one that has heard nothing."""
        self._wifi = wifi
        self._found: dict[bytes, ScanResult] = {}

    def visit(self, channel: int) -> None:
        """Tune to a channel and ask who is there."""
        wifi = self._wifi
        wifi.tune(channel, Absence.SCANNING)
        wifi.send_frame(build_probe_request(wifi.station_mac, b"", seq=wifi.take_sequence()))

    def note(self, network: Advertisement, rssi_dbm: int) -> None:
        """Take note of a beacon or an answer: the first of an access point counts, but a name that comes later, too."""
        hidden = network.hidden
        known = self._found.get(network.bssid)
        if known is None or (known[5] and not hidden):
            ssid = b"" if hidden else network.ssid
            self._found[network.bssid] = ssid, network.bssid, network.channel, rssi_dbm, network.security, hidden

    def results(self) -> list[ScanResult]:
        """Return what was heard, the strongest first."""
        return sorted(self._found.values(), key=lambda network: -network[3])

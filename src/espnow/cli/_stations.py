"""The stations that a sniffer hears, as a table that is bounded whatever comes.

Rules: knows frames and times, no clock and no terminal. The loss is what sequence numbers tell: a station has one
counter for all that it sends (read off Espressif's library), so a gap is frames that were not heard; a number that goes
back by half of the range or more is a sender that began anew.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from espnow.capture import CapturedFrame
from espnow.cli._frames import rate_name
from espnow.cli._show import table
from espnow.frame import RATES, format_mac
from espnow.frame.text import printable

__all__ = ["HeardStation", "StationTable"]

_SEQUENCE_MASK = 0xFFF
_HALF = 0x800

#: Stations that are told apart, and how long one must have been silent to make room for another.
_MOST_STATIONS = 1024
_SILENT_NS = 60 * 10**9

#: Over which time frames a second are averaged.
_AVERAGED_S = 3.0

_NAME_WIDTH = 16


class HeardStation:
    """What was heard of one station.

    Attributes:
        address: its own.
        name: of the key that opened a message of it, or "".
        frames: how many were heard, with those that were tried again.
        missed: frames that its sequence numbers tell of, and that were not heard.
        restarts: how often its sequence numbers began anew.
        channel: of the last frame, or None when nothing tells.
        rate: ``wifi_phy_rate_t`` number of the last frame, or None.
        rssi_dbm: of the last frame, or None.
        last_ns: time of the last frame.
    """

    __slots__ = (
        "_averaged",
        "_distinct",
        "_first_ns",
        "_rssi_count",
        "_rssi_sum_dbm",
        "_seq",
        "address",
        "channel",
        "frames",
        "last_ns",
        "missed",
        "name",
        "rate",
        "restarts",
        "rssi_dbm",
    )

    def __init__(self, address: bytes, at_ns: int) -> None:
        self.address = address
        self.name = ""
        self.frames = 0
        self.missed = 0
        self.restarts = 0
        self.channel: int | None = None
        self.rate: int | None = None
        self.rssi_dbm: int | None = None
        self.last_ns = at_ns
        self._first_ns = at_ns
        self._seq = -1
        self._distinct = 0
        self._rssi_sum_dbm = 0
        self._rssi_count = 0
        self._averaged = 0.0

    @property
    def loss(self) -> float:
        """Estimated part of its frames that were not heard, 0..1."""
        return self.missed / (self._distinct + self.missed) if self.missed else 0.0

    @property
    def rssi_mean_dbm(self) -> float | None:
        """Mean of the signal in dBm, or None when nothing tells."""
        return self._rssi_sum_dbm / self._rssi_count if self._rssi_count else None

    def per_second(self, now_ns: int) -> float:
        """Return how many frames a second came lately."""
        heard_s = max(1.0, (now_ns - self._first_ns) / 1e9)
        return self._decayed(now_ns) / (1 - math.exp(-heard_s / _AVERAGED_S))  # of which less could be averaged

    def add(self, captured: CapturedFrame, at_ns: int) -> None:
        """Count a frame."""
        self._averaged = self._decayed(at_ns) + 1 / _AVERAGED_S
        self.last_ns = at_ns
        self.frames += 1
        self.step(captured.frame.seq)
        if captured.key is not None:
            self.name = captured.key
        radio = captured.radio
        if radio is None:
            return
        self.channel, self.rate, self.rssi_dbm = radio.channel, radio.rate, radio.rssi_dbm
        if radio.rssi_dbm is not None:
            self._rssi_sum_dbm += radio.rssi_dbm
            self._rssi_count += 1

    def _decayed(self, now_ns: int) -> float:
        return self._averaged * math.exp(-max(0, now_ns - self.last_ns) / 1e9 / _AVERAGED_S)

    def step(self, seq: int) -> None:
        """Take notice of a sequence number that it used."""
        step = seq - self._seq & _SEQUENCE_MASK
        if self._seq < 0:
            self._distinct += 1
        elif 0 < step < _HALF:
            self._distinct += 1
            self.missed += step - 1
        elif step:
            self._distinct += 1
            self.restarts += 1
        self._seq = seq


class StationTable:
    """The stations, by address.

    Attributes:
        frames: of all of them.
        beyond: frames of stations for which there was no room.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.frames = 0
        self.beyond = 0
        self._stations: OrderedDict[bytes, HeardStation] = OrderedDict()  # the one that was silent longest first

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._stations)

    def __iter__(self) -> Iterator[HeardStation]:
        """Return them, the one with the most frames first."""
        return iter(sorted(self._stations.values(), key=lambda station: (-station.frames, station.address)))

    def __contains__(self, address: object) -> bool:
        """Tell whether a station is among them."""
        return address in self._stations

    def add(self, captured: CapturedFrame) -> None:
        """Count a frame, for which a time is known."""
        at_ns = captured.at_ns or 0
        stations = self._stations
        address = captured.frame.source
        station = stations.get(address)
        if station is None:
            if len(stations) >= _MOST_STATIONS:
                longest = next(iter(stations.values()))
                if at_ns - longest.last_ns < _SILENT_NS:
                    self.beyond += 1
                    return
                del stations[longest.address]
            station = stations[address] = HeardStation(address, at_ns)
        else:
            stations.move_to_end(address)
        self.frames += 1
        station.add(captured, at_ns)

    def use_sequence(self, address: bytes, seq: int) -> None:
        """Take notice of a sequence number that a station used for something else than ESP-NOW."""
        station = self._stations.get(address)
        if station is not None:
            station.step(seq)

    def lines(self, now_ns: int, *, most: int | None = None, tells_loss: bool = True) -> list[str]:
        """Return them as lines of a table, with its head.

        Args:
            now_ns: the time.
            most: at most so many stations.
            tells_loss: the radio was on one channel all the time, so that gaps mean something.
        """
        columns = [column for column in _COLUMNS if self._shows(column, tells_loss=tells_loss)]
        shown = list(self)[:most]
        rows = [[column.head for column in columns]]
        rows += [[column.cell(station, now_ns) for column in columns] for station in shown]
        left = [number for number, column in enumerate(columns) if column.head in ("station", "name")]
        lines = table(rows, [number for number in range(len(columns)) if number not in left])
        if len(shown) < len(self):
            lines.append(f"... and {len(self) - len(shown):,} more")
        return lines

    def as_dicts(self, *, tells_loss: bool = True) -> list[dict[str, Any]]:
        """Return them for JSON."""
        return [
            {
                "station": format_mac(station.address),
                "name": station.name or None,
                "frames": station.frames,
                "rssi_dbm": station.rssi_dbm,
                "rssi_mean_dbm": None if station.rssi_mean_dbm is None else round(station.rssi_mean_dbm, 2),
                "rate": None if station.rate is None else RATES[station.rate].name,
                "channel": station.channel,
                "missed": station.missed if tells_loss else None,
                "loss": round(station.loss, 6) if tells_loss else None,
                "restarts": station.restarts,
                "last_ns": station.last_ns,
            }
            for station in self
        ]

    def _shows(self, column: _Column, *, tells_loss: bool) -> bool:
        if column.head == "name":
            return any(station.name for station in self._stations.values())
        return tells_loss or column.head != "loss"


class _Column(NamedTuple):
    """One column of the table."""

    head: str
    cell: Callable[[HeardStation, int], str]


def _name(station: HeardStation) -> str:
    name = printable(station.name)
    return name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 1] + "…"


def _ago(station: HeardStation, now_ns: int) -> str:
    seconds = max(0, now_ns - station.last_ns) / 1e9
    return f"{seconds:.1f}s" if seconds < 60 else f"{seconds / 60:.0f}min"


def _or_unknown(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}"


_COLUMNS = (
    _Column("station", lambda station, _: format_mac(station.address)),
    _Column("name", lambda station, _: _name(station)),
    _Column("frames", lambda station, _: str(station.frames)),
    _Column("per s", lambda station, now_ns: f"{station.per_second(now_ns):.1f}"),
    _Column("dBm", lambda station, _: _or_unknown(station.rssi_dbm)),
    _Column("mean", lambda station, _: _or_unknown(station.rssi_mean_dbm)),
    _Column("rate", lambda station, _: rate_name(station.rate)),
    _Column("ch", lambda station, _: _or_unknown(station.channel)),
    _Column("loss", lambda station, _: f"{100 * station.loss:.1f}%"),
    _Column("last", _ago),
)

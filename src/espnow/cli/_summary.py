"""A summary of traffic as people and programs read it: who sent how much to whom, what got lost."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TextIO

from espnow.capture import Dissector, PairSummary, Summary
from espnow.cli._frames import rate_name
from espnow.cli._show import table
from espnow.frame import BROADCAST, RATES, format_mac

__all__ = ["columns_of", "pair_json", "print_summary"]


def print_summary(
    summary: Summary,
    dissector: Dissector,
    *,
    as_json: bool,
    most: int | None = None,
    tells_loss: bool = True,
    out: TextIO | None = None,
) -> None:
    """Print what was added up: a table, or one object for JSON.

    Args:
        summary: of the frames.
        dissector: what made them of packets.
        as_json: one JSON object.
        most: at most so many pairs; None for all.
        tells_loss: gaps mean something: the radio was on one channel all the time.
        out: where to; standard output by default.
    """
    out = out or sys.stdout
    pairs = list(summary)[:most]
    if as_json:
        shown = {
            "summary": [pair_json(pair, tells_loss=tells_loss) for pair in pairs],
            "packets": dissector.packets,
            "frames": dissector.frames,
            "wrong_fcs": summary.wrong_fcs,
            "unreadable": dissector.unreadable,
            "other_links": dissector.other_links,
            "beyond": summary.beyond,
            "first_ns": summary.first_ns,
            "last_ns": summary.last_ns,
        }
        print(json.dumps(shown), file=out)
        return
    if not pairs:
        return
    columns = columns_of(pairs, tells_loss=tells_loss)
    width = shutil.get_terminal_size().columns if out.isatty() else 1000
    while True:
        rows = [[column.head for column in columns], *([column.cell(pair) for column in columns] for pair in pairs)]
        lines = table(rows, range(2, len(columns)))
        spare = max(columns, key=lambda column: column.goes)
        if max(map(len, lines)) <= width or not spare.goes:
            break
        columns.remove(spare)  # what tells least goes first
    if len(pairs) < len(summary):
        lines.append(f"... and {len(summary) - len(pairs):,} pairs more")
    print("\n".join(lines), file=out)


class _Column(NamedTuple):
    """One column of the table.

    Attributes:
        head: its name.
        goes: the highest of these goes first if there is no room; one of 0 never.
        cell: makes a cell.
        only_if: the column is there only if this attribute of a pair is not 0.
    """

    head: str
    goes: int
    cell: Callable[[PairSummary], str]
    only_if: str = ""


def _rssi(pair: PairSummary) -> str:
    """Return weakest, mean and strongest signal."""
    mean = pair.rssi_mean_dbm
    return "?" if mean is None else f"{pair.rssi_min_dbm}/{mean:.0f}/{pair.rssi_max_dbm}"


def _rates(pair: PairSummary) -> str:
    """Return the rates, the most frequent first."""
    rates = sorted(pair.rates, key=lambda rate: -pair.rates[rate])
    shown = [rate_name(rate) for rate in rates[:3]]
    return ",".join(shown) + (",..." if len(rates) > 3 else "") if shown else "?"


_COLUMNS = (
    _Column("from", 0, lambda pair: format_mac(pair.source)),
    _Column("to", 0, lambda pair: "broadcast" if pair.destination == BROADCAST else format_mac(pair.destination)),
    _Column("messages", 0, lambda pair: str(pair.messages)),
    _Column("bytes", 5, lambda pair: str(pair.message_bytes)),
    _Column("missed", 2, lambda pair: str(pair.missed)),
    _Column("loss", 0, lambda pair: f"{100 * pair.loss:.1f}%"),
    _Column("retries", 0, lambda pair: str(pair.retries)),
    _Column("acked", 1, lambda pair: str(pair.acknowledged), "acknowledged"),
    _Column("encrypted", 4, lambda pair: str(pair.encrypted), "encrypted"),
    _Column("unopened", 3, lambda pair: str(pair.unopened), "unopened"),
    _Column("restarts", 6, lambda pair: str(pair.restarts), "restarts"),
    _Column("dropped", 5, lambda pair: str(pair.dropped), "dropped"),
    _Column("replayed", 3, lambda pair: str(pair.replayed), "replayed"),
    _Column("copies", 6, lambda pair: str(pair.duplicates), "duplicates"),
    _Column("rssi", 0, _rssi),
    _Column("rates", 1, _rates),
)
_INTERFACE = _Column("interface", 3, lambda pair: "" if pair.interface is None else str(pair.interface.number))


def columns_of(pairs: list[PairSummary], *, tells_loss: bool = True) -> list[_Column]:
    """Return the columns that tell something of these pairs, without those of loss where gaps mean nothing."""
    kept = [column for column in _COLUMNS if not column.only_if or any(getattr(pair, column.only_if) for pair in pairs)]
    if len({pair.interface for pair in pairs}) > 1:
        kept.insert(2, _INTERFACE)
    return kept if tells_loss else [column for column in kept if column.head not in ("missed", "loss")]


def pair_json(pair: PairSummary, *, tells_loss: bool = True) -> dict[str, Any]:
    """Return what is known of a pair, for JSON."""
    return {
        "source": format_mac(pair.source),
        "destination": format_mac(pair.destination),
        "interface": None if pair.interface is None else pair.interface.number,
        "frames": pair.frames,
        "messages": pair.messages,
        "bytes": pair.message_bytes,
        "v1": pair.versions[0],
        "v2": pair.versions[1],
        "encrypted": pair.encrypted,
        "unopened": pair.unopened,
        "retries": pair.retries,
        "duplicates": pair.duplicates,
        "missed": pair.missed if tells_loss else None,
        "loss": round(pair.loss, 6) if tells_loss else None,
        "restarts": pair.restarts,
        "acknowledged": pair.acknowledged,
        "dropped": pair.dropped,
        "replayed": pair.replayed,
        "rssi_min_dbm": pair.rssi_min_dbm,
        "rssi_mean_dbm": None if pair.rssi_mean_dbm is None else round(pair.rssi_mean_dbm, 2),
        "rssi_max_dbm": pair.rssi_max_dbm,
        "rates": {"unknown" if rate is None else RATES[rate].name: count for rate, count in pair.rates.items()},
        "first_ns": pair.first_ns,
        "last_ns": pair.last_ns,
    }

"""What `espnow run` prints: what the boards print, the summary, and why messages did not arrive."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, TextIO

from espnow.air.crowd import Crowd
from espnow.air.scene import BROADCAST
from espnow.cli._show import NO_ROOM, Progress, table
from espnow.frame import format_mac
from espnow.frame.text import message_text
from espnow.lab import Lab, LabBoard
from espnow.lab.console import for_terminal

__all__ = ["Printer", "format_time"]


def _crowd_row(crowd: Crowd) -> dict[str, Any]:
    """Return what is told of the stations without programs: messages for one of them or a board, and those for all."""
    results = list(zip(crowd.traffic, crowd.results(), strict=True))
    to_one = [result for traffic, result in results if traffic.to != BROADCAST]
    to_all = [result for traffic, result in results if traffic.to == BROADCAST]
    return {
        "crowd": crowd.name,
        "stations": len(crowd),
        "to one": sum(result.made for result in to_one),
        "arrived": sum(result.delivered for result in to_one),
        "to all": sum(result.made for result in to_all),
        "heard": sum(result.heard for result in to_all),
    }


def format_time(us: int) -> str:
    """Return a virtual time as people write it: ``1.220 s``, ``30 min 0 s``, ``3 d 4 h``."""
    seconds = us / 1e6
    for size, unit, part, part_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit} {seconds % size // part:.0f} {part_unit}"
    return f"{seconds:.3f} s"


class Printer:
    """Prints what the boards print, and the summary.

    Attributes:
        progress: of the run; what is printed takes its place.
        unheard: why the output reaches nobody: its reader has left, as `head` does, or there is no room; the run is
            ended then.
    """

    def __init__(self, lab: Lab, *, as_json: bool) -> None:
        self.progress = Progress()
        self.unheard: OSError | None = None
        self._lab = lab
        self._json = as_json
        self._parts: dict[tuple[str, TextIO], str] = {}
        self._states: dict[str, str] = {}
        single = len(lab.boards) == 1 and not as_json
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # a program's text never fails to be printed
                stream.reconfigure(errors="backslashreplace")
        for board in lab.boards:
            if single:
                board.console.sink = self._write_raw
                board.console.error_sink = self._write_error
            else:
                board.console.sink = self._sink(board.name, sys.stdout)
                board.console.error_sink = self._sink(board.name, sys.stderr)

    def _sink(self, name: str, stream: TextIO) -> Callable[[str], None]:
        key = name, stream

        def sink(text: str) -> None:
            *lines, self._parts[key] = (self._parts.get(key, "") + text).split("\n")
            for line in lines:
                self._line(name, line, stream)

        return sink

    def _write(self, text: str, stream: TextIO, *, flush: bool = True) -> None:
        """Write for a program, which never learns that nobody reads it."""
        if self.unheard is not None:
            return
        self.progress.clear()
        try:
            stream.write(text)
            if flush:
                stream.flush()
        except OSError as error:
            if not isinstance(error, BrokenPipeError) and error.errno not in NO_ROOM:
                raise
            self.unheard = error
            self._lab.clock.interrupt()

    def _write_raw(self, text: str) -> None:
        self._write(text, sys.stdout, flush="\n" in text)

    def _write_error(self, text: str) -> None:
        self._write("", sys.stdout)
        self._write(text, sys.stderr)

    def _line(self, name: str, line: str, stream: TextIO) -> None:
        if self._json:
            line = line.removesuffix("\r")
            shown = json.dumps({"us": self._lab.now_us, "board": name, "line": line})
        else:
            shown = for_terminal(f"{name}: {line}")
        self._write(shown + "\n", stream)

    def log(self, line: str) -> None:
        """Print a line about the air: beside the programs' output, or as one object among theirs."""
        if self._json:
            self._write(line + "\n", sys.stdout)
        else:
            self._write_error(line + "\n")

    def note_states(self) -> None:
        """Remember for the summary how the boards are now, before the lab ends their programs."""
        self._states = {board.name: _describe(board) for board in self._lab.boards}

    def finish(self) -> None:
        """Print lines that were begun and not ended."""
        for (name, stream), part in self._parts.items():
            if part:
                self._line(name, part, stream)
        self._parts.clear()
        self._write("", sys.stdout)

    def summary(self) -> None:
        """Say how each board ended and what it sent and received; of a single program only that it died."""
        boards = self._lab.boards
        crowds = [_crowd_row(crowd) for crowd in self._lab.crowds]
        if len(boards) == 1 and not self._json and not crowds:
            board = boards[0]
            if board.error is not None and not isinstance(board.error, KeyboardInterrupt):
                shown = for_terminal(f"--- {board.name} {_describe(board)}")
                print(f"{shown}, after {format_time(self._lab.now_us)} of virtual time", file=sys.stderr)
            return
        rows = []
        for board in boards:
            stats = board.hardware.counted
            rows.append(
                {
                    "board": board.name if self._json else for_terminal(board.name),
                    "mac": format_mac(board.mac),
                    "state": self._states[board.name],
                    "sent": stats.tx_responses,
                    "failed": stats.tx_failures,
                    "received": stats.rx_packets,
                    "dropped": stats.rx_dropped,
                }
            )
        if self._json:
            told = {"us": self._lab.now_us, "summary": rows} | ({"crowds": crowds} if crowds else {})
            self._write(json.dumps(told) + "\n", sys.stdout)
            return
        print(f"--- {format_time(self._lab.now_us)} of virtual time", file=sys.stderr)
        cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
        print("\n".join(table(cells, range(3, len(cells[0])))), file=sys.stderr)
        if crowds:
            cells = [list(crowds[0]), *([str(value) for value in row.values()] for row in crowds)]
            print("\n".join(table(cells, range(1, len(cells[0])))), file=sys.stderr)

    def explain(self) -> None:
        """Say why messages did not arrive."""
        report = self._lab.explain()
        if not self._json:
            print(f"---\n{report}", file=sys.stderr)
            return
        for loss in report:
            shown = {
                "sender": loss.sender,
                "receiver": loss.receiver,
                "address": format_mac(loss.address) if loss.address else None,
                "hex": loss.message.hex(),
                "text": message_text(loss.message),
                "reason": loss.reason.value,
                "why": loss.sentence,
                "attempts": loss.attempts,
            }
            self._write(json.dumps({"us": loss.at_us, "lost": shown}) + "\n", sys.stdout, flush=False)
        total = {"sent": report.sent, "counts": report.counts, "notes": list(report.notes)}
        self._write(json.dumps({"us": self._lab.now_us, "explain": total}) + "\n", sys.stdout)


def _describe(board: LabBoard) -> str:
    if board.state == "failed" and isinstance(board.error, KeyboardInterrupt):
        return "interrupted"
    if board.state == "failed":
        return f"died: {type(board.error).__name__}"
    if board.exit_code:
        return f"ended with {board.exit_code}"
    return {"armed": "ended, callback armed"}.get(board.state, board.state)

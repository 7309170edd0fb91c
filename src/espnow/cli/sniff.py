"""``espnow sniff``: all ESP-NOW traffic that a radio hears."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Self, TextIO

from espnow.capture import CapturedFrame, Dissector, OtherFrame, PcapngWriter, Summary
from espnow.cli._frames import add_reading_options, as_json, as_line, make_dissector
from espnow.cli._options import add_radio_options, parse_channels, parse_time, take_keys, whole_number
from espnow.cli._radio import Session
from espnow.cli._show import counted
from espnow.cli._station import Heard, RadioStation
from espnow.cli._stations import StationTable
from espnow.cli._summary import print_summary
from espnow.errors import FrameError, UserError
from espnow.frame import parse_ack, parse_header
from espnow.frame.captures import Record
from espnow.frame.text import printable
from espnow.link import Clock

__all__ = ["Hopper", "LiveTable", "Sniffer", "add_parser"]

_EPILOG = """\
On a terminal: a table of the stations that are heard, drawn anew twice a second. Elsewhere, and with --lines or --json:
a line a frame, as espnow decode prints it. At the end: who sent how much to whom, and what got lost.

Nothing is sent and nothing is acknowledged. Loss is estimated from gaps in a sender's sequence numbers; while the
radio hops it is not told, since gaps are what was sent on other channels.

Exit code: 0 if an ESP-NOW frame came, 1 if none, 2 for a mistake in this command; 130 after Ctrl-C.

examples:
  espnow sniff --radio monitor:wlan1 --hop
  espnow sniff --radio monitor:wlan1 --channel 6 --pcap air.pcapng
  espnow sniff --radio monitor:wlan1 --pcap - | wireshark -k -i -
  espnow sniff --keys keys.toml --lines
"""

_MOST = 10**9
_DRAW_US = 500_000

#: Rows of a terminal that are left free below and above the table.
_FREE_ROWS = 4

#: Pairs of addresses in the summary that people see.
_MOST_PAIRS = 50


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "sniff",
        help="watch all ESP-NOW traffic",
        description="Watch all ESP-NOW traffic that a radio hears.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="espnow sniff [options]",
    )
    parser.add_argument("--lines", action="store_true", help="a line a frame, on a terminal, too")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, the summary too")
    parser.add_argument("--pcap", metavar="FILE", help='write the frames to a pcapng file; "-" is standard output')
    parser.add_argument(
        "--hop", nargs="?", const="", metavar="CHANNELS", help="go round the channels: 1,6,11 or 1-11; by default all"
    )
    parser.add_argument("--dwell", metavar="TIME", help="how long it stays on each (default: 250ms)")
    parser.add_argument("--count", metavar="N", help="end after so many frames")
    parser.add_argument("--for", dest="duration", metavar="TIME", help="end after so long: 500ms, 30s, 10m")
    add_radio_options(parser, mac=False)
    add_reading_options(parser)
    parser.set_defaults(function=_sniff)


def _sniff(arguments: argparse.Namespace) -> int:
    count = None if arguments.count is None else whole_number("--count", arguments.count, 1, _MOST)
    duration_us = parse_time("--for", arguments.duration, default_us=None, least_us=1)
    if arguments.hop is None and arguments.dwell is not None:
        raise UserError("--dwell says how long --hop stays on a channel; add --hop")
    if arguments.hop is not None and arguments.channel is not None:
        raise UserError("--hop goes round channels and --channel stays on one: leave one of them out")
    dwell_us = parse_time("--dwell", arguments.dwell, default_us=250_000, least_us=1000)
    if arguments.pcap == "-" and sys.stdout.isatty():
        raise UserError("--pcap -: standard output is a terminal; pipe it into a program that reads captures")
    if arguments.pcap == "-" and (arguments.lines or arguments.json):
        option = "--json" if arguments.json else "--lines"
        raise UserError(f"--pcap - has standard output for itself: leave {option} out, or write the capture to a file")
    dissector = make_dissector(arguments, take_keys(arguments, "sniff"))
    out = sys.stderr if arguments.pcap == "-" else sys.stdout
    in_place = out.isatty() and not arguments.lines and not arguments.json
    with Session("sniff", arguments) as session, _PcapFile(arguments.pcap) as pcap:
        show = None if in_place or arguments.pcap == "-" else _printer(session, dissector, json_lines=arguments.json)
        sniffer = Sniffer(dissector, pcap.write, show)
        hopper = None
        if arguments.hop is not None:
            channels = parse_channels("--hop", arguments.hop, session.link)
            hopper = Hopper(session.station, session.loop, channels, dwell_us)
        view = _View(session, sniffer, hopper, LiveTable(out) if in_place else None)

        def take(heard: Heard) -> None:
            if not session.over:
                sniffer.take(heard.record(session.epoch_ns))
                if sniffer.frames == count:
                    session.end()

        def draw() -> None:
            pcap.flush()
            view.draw()

        session.watch_output()
        session.on_frame = take
        session.tune(hopper.channels[0] if hopper else None, promiscuous=True, silent=True)
        if hopper is not None:
            with session.loop.lock:
                hopper.begin()
        if not session.link.abilities.promiscuous:
            session.say("this radio hears nothing that is for others, only what is for groups")
        session.every(_DRAW_US, draw)
        if duration_us is not None:
            session.end_after(duration_us)
        session.run()
        sys.stdout.flush()
        view.finish(out if in_place else sys.stderr, as_json=arguments.json)
        return session.exit_code(0 if sniffer.frames else 1)


def _printer(session: Session, dissector: Dissector, *, json_lines: bool) -> Callable[[CapturedFrame], None]:
    """Return what prints a line for a frame."""

    def show(captured: CapturedFrame) -> None:
        session.print_line(json.dumps(as_json(captured)) if json_lines else as_line(captured, keys=dissector.keys))

    return show


class Sniffer:
    """What is made of each frame that the radio hears.

    Attributes:
        frames: how many were ESP-NOW's.
        stations: who sent them.
        summary: who sent how much to whom.
        dissector: what reads them.
    """

    def __init__(
        self,
        dissector: Dissector,
        keep: Callable[[Record], None],
        show: Callable[[CapturedFrame], None] | None = None,
    ) -> None:
        """Begin with nothing.

        Args:
            dissector: what reads frames.
            keep: gets each ESP-NOW frame, what else its senders send of Wi-Fi's management, and acknowledgements for
                them: whoever reads them can tell what got lost as well as this.
            show: gets each ESP-NOW frame.
        """
        self.frames = 0
        self.stations = StationTable()
        self.summary = Summary()
        self.dissector = dissector
        self._keep = keep
        self._show = show

    def take(self, record: Record) -> None:
        """Take a frame."""
        found = self.dissector.dissect(record)
        if isinstance(found, CapturedFrame):
            self.frames += 1
            self.stations.add(found)
            self.summary.add(found)
            self._keep(record)
            if self._show is not None:
                self._show(found)
        elif isinstance(found, OtherFrame):
            self.summary.add_other(found)
            if self._is_of_a_sender(found.mpdu):
                self._keep(record)

    def _is_of_a_sender(self, mpdu: bytes) -> bool:
        """Tell whether a frame is a sender's of ESP-NOW, whose number is counted, or acknowledges one of its."""
        try:
            return parse_ack(mpdu) in self.stations
        except FrameError:
            pass
        try:
            header = parse_header(mpdu)
        except FrameError:
            return False
        self.stations.use_sequence(header.source, header.seq)
        return header.source in self.stations


class Hopper:
    """Takes a station round some channels.

    Attributes:
        channels: these.
        channel: the present one.
    """

    def __init__(self, station: RadioStation, clock: Clock, channels: list[int], dwell_us: int) -> None:
        """Take what it needs; `begin` lets it go, with the lock held.

        Args:
            station: on a radio.
            clock: its time.
            channels: at least one.
            dwell_us: how long it stays on each.
        """
        self.channels = channels
        self.channel = channels[0]
        self._station = station
        self._clock = clock
        self._dwell_us = dwell_us
        self._hops = 0

    def begin(self) -> None:
        """Go on from the first channel after a while, and so on."""
        if len(self.channels) > 1:
            self._clock.call_at(self._clock.now_us + self._dwell_us, self._hop, background=True)

    def _hop(self) -> None:
        self._hops += 1
        self.channel = self.channels[self._hops % len(self.channels)]
        self._station.tune(self.channel, promiscuous=True, silent=True)
        self.begin()


class LiveTable:
    """Lines on a terminal that are drawn anew in their place."""

    def __init__(self, out: TextIO) -> None:
        """Begin where the cursor is."""
        self._out = out
        self._drawn = 0

    def draw(self, lines: list[str]) -> None:
        """Draw lines, as far as they fit, in the place of those before."""
        columns, rows = shutil.get_terminal_size()
        shown = [line[: max(columns - 1, 1)] for line in lines[: max(rows - 1, 1)]]
        back = f"\x1b[{self._drawn}A\r" if self._drawn else ""  # cursor up
        self._out.write(back + "".join(f"{line}\x1b[K\n" for line in shown) + "\x1b[J")  # erase the rest
        self._out.flush()
        self._drawn = len(shown)

    def erase(self) -> None:
        """Take the lines away."""
        if self._drawn:
            self._out.write(f"\x1b[{self._drawn}A\r\x1b[J")
            self._out.flush()
            self._drawn = 0


class _View:
    """What a person sees: the table while it runs, and what it comes to."""

    def __init__(self, session: Session, sniffer: Sniffer, hopper: Hopper | None, live: LiveTable | None) -> None:
        self._session = session
        self._sniffer = sniffer
        self._hopper = hopper
        self._live = live
        if live is not None:
            session.before_line = live.erase

    def draw(self) -> None:
        """Draw the table, on a terminal."""
        if self._live is not None:
            rows = shutil.get_terminal_size().lines - _FREE_ROWS
            self._live.draw([self._head(), *self._table(max(rows, 1))])

    def finish(self, out: TextIO, *, as_json: bool) -> None:
        """Print what it comes to."""
        sniffer = self._sniffer
        tells_loss = self._hopper is None
        if as_json:
            print(json.dumps({"stations": sniffer.stations.as_dicts(tells_loss=tells_loss)}))
            print_summary(sniffer.summary, sniffer.dissector, as_json=True, tells_loss=tells_loss)
            sys.stdout.flush()
        else:
            if self._live is not None:
                self.draw()
            print(f"--- {self._head(ended=True)}", file=out)
            print_summary(
                sniffer.summary, sniffer.dissector, as_json=False, most=_MOST_PAIRS, tells_loss=tells_loss, out=out
            )
            out.flush()
        self._session.say_dropped()
        if sniffer.stations.beyond:
            self._session.say(f"{counted(sniffer.stations.beyond, 'frame')} of further stations left out of the table")

    def _head(self, *, ended: bool = False) -> str:
        session, stations = self._session, self._sniffer.stations
        channel: int | str = session.channel if self._hopper is None else self._hopper.channel
        if ended and self._hopper is not None:
            channel = ",".join(map(str, self._hopper.channels))
        return (
            f"{session.name} channel {channel}, {session.loop.now_us / 1e6:.1f} s, "
            f"{counted(self._sniffer.frames, 'frame')} of {counted(len(stations), 'station')}"
        )

    def _table(self, rows: int) -> list[str]:
        stations = self._sniffer.stations
        if not len(stations):
            return []
        now_ns = self._session.epoch_ns + self._session.loop.now_us * 1000
        return stations.lines(now_ns, most=rows, tells_loss=self._hopper is None)


class _PcapFile:
    """The capture that is written; without a name, none. A context manager."""

    def __init__(self, name: str | None) -> None:
        """Open it.

        Raises:
            UserError: from here, `write` and `flush`: it cannot be written.
        """
        self._name = name
        self._writer: PcapngWriter | None = None
        self._file: BinaryIO | None = None
        if name is not None:
            try:
                self._file = sys.stdout.buffer if name == "-" else Path(name).open("wb")  # noqa: SIM115 - closed below
                self._writer = PcapngWriter(self._file)
                self._file.flush()
            except (OSError, ValueError) as error:
                self._refuse(error)

    def write(self, record: Record) -> None:
        """Write a frame."""
        if self._writer is not None:
            try:
                self._writer.write_packet(record.packet, at_us=max(0, record.at_ns or 0) // 1000)
            except OSError as error:
                self._refuse(error)

    def flush(self) -> None:
        """Pass on what is buffered."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                self._refuse(error)

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.flush()
        self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None and self._name != "-":
            with suppress(OSError):  # it was said when it was flushed
                file.close()

    def _refuse(self, error: OSError | ValueError) -> NoReturn:
        self._writer = None
        self._close()
        if isinstance(error, BrokenPipeError):
            raise error
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"--pcap {printable(str(self._name))}: {reason or error}") from None

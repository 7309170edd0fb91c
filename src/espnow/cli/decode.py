"""``espnow decode``: what ESP-NOW said in a capture."""

from __future__ import annotations

import argparse
import json
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from espnow.capture import CapturedFrame, CaptureReader, Dissector, OtherFrame, Summary
from espnow.cli._frames import add_reading_options, as_json, as_line, make_dissector, read_keys, shown_argument
from espnow.cli._show import Progress, counted
from espnow.cli._summary import print_summary
from espnow.errors import FrameError, UserError
from espnow.frame import BROADCAST, Frame, parse_mac
from espnow.frame.text import printable

__all__ = ["add_parser"]

_EPILOG = """\
FILE is pcap or pcapng with 802.11 frames, with radiotap or without; "-" is standard input.

One line a frame: time (seconds, or a date in UTC), sender > receiver, version, channel, signal, rate, retry, whether it
was encrypted, bytes of the message, the message as text or in hexadecimal digits, and in brackets what is odd about it.

Types: v1, v2, plain, encrypted, unicast, broadcast, multicast, retry, odd. Several of one kind, such as v1 and v2, mean
either; of several kinds, such as v2 and retry, a frame must be both.

A key file holds, for each key, what --lmk and --pmk take:
  [[key]]
  lmk = "16 characters"                    # or 32 hexadecimal digits
  pmk = "16 characters"                    # left out: the PMK of a board that sets none
  name = "greenhouse"                      # optional
  address = "30:aa:aa:aa:aa:aa"            # optional: only frames from or to it

Loss is estimated from gaps in a sender's sequence numbers.

Exit code: 0; 1 if a capture was damaged; 2 for a mistake in this command; 130 after Ctrl-C.

examples:
  espnow decode air.pcapng
  tcpdump -U -i wlan1 -w - | espnow decode -
  espnow decode --keys keys.toml --address 30:aa:aa:aa:aa:aa --json air.pcapng
  espnow decode --summary monday.pcap tuesday.pcap
  espnow decode --wireshark ~/.local/lib/wireshark/plugins
"""

#: Types of frames, by what they are about: within one of these, any may hold.
_TYPES = (("v1", "v2"), ("plain", "encrypted"), ("unicast", "broadcast", "multicast"), ("retry",), ("odd",))
_ALL_TYPES = [name for names in _TYPES for name in names]

# After so many packets the progress bar is looked at.
_PROGRESS_EVERY = 2048

#: On a terminal a line is cut to whole rows that hold at least so much: what stands before the message, and enough of
#: it to be of use.
_LEAST_SHOWN = 160


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "decode",
        help="show the messages in a capture",
        description="Show the ESP-NOW messages in captures.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="espnow decode [options] FILE...",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help='a capture; "-" reads standard input')
    add_reading_options(parser)
    which = parser.add_argument_group("which frames")
    which.add_argument("--address", action="append", default=[], metavar="MAC", help="only from or to this address")
    which.add_argument("--from", action="append", default=[], dest="source", metavar="MAC", help="only from this one")
    which.add_argument("--to", action="append", default=[], dest="destination", metavar="MAC", help="only to this one")
    which.add_argument(
        "--type", action="append", default=[], metavar="TYPE", help="only such frames; comma-separated or repeated"
    )
    shown = parser.add_argument_group("what is printed")
    shown.add_argument("--json", action="store_true", help="one JSON object a line")
    shown.add_argument("--summary", action="store_true", help="only a table: who sent how much to whom, what got lost")
    shown.add_argument("--full", action="store_true", help="do not cut long lines on a terminal")
    parser.add_argument("--wireshark", metavar="DIR", help="install a dissector for Wireshark into its plugin folder")
    parser.set_defaults(function=_decode)


def _decode(arguments: argparse.Namespace) -> int:
    if arguments.wireshark is not None:
        from espnow.capture.wireshark import install

        said_on = sys.stderr if arguments.files else sys.stdout
        print(f"{install(Path(arguments.wireshark))} written; Wireshark loads it when it starts", file=said_on)
        if not arguments.files:
            return 0
    if not arguments.files:
        raise UserError('no capture given; name a file, or "-" for standard input; see espnow decode --help')
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a message never fails to be printed
            stream.reconfigure(errors="backslashreplace")
    _check_files(arguments.files)
    wanted = _Filter(arguments)
    dissector = make_dissector(arguments, read_keys(arguments))
    summary = Summary() if arguments.summary else None
    reading = _Reading(arguments.files, None if summary is None else summary.begin_capture)
    interrupted = False
    try:
        if summary is not None:
            _add_up(reading, dissector, wanted, summary)
        else:
            _print_frames(reading, dissector, wanted, arguments)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        reading.progress.clear()
    if summary is not None:
        print_summary(summary, dissector, as_json=arguments.json)
    if summary is None or not arguments.json:
        _print_remarks(reading, dissector, wanted, summary)
    sys.stdout.flush()
    for problem in reading.problems:
        print(f"espnow decode: {problem}", file=sys.stderr)
    if interrupted:
        return 130
    return 1 if reading.problems else 0


def _check_files(files: list[str]) -> None:
    """Refuse a file that is not there before anything is printed."""
    for name in files:
        if name == "-":
            if sys.stdin is None or sys.stdin.closed:
                raise UserError("-: there is no standard input")
            if sys.stdin.isatty():
                raise UserError("-: standard input is a terminal; pipe a capture into it, as in tcpdump -U -w - | ...")
            continue
        try:
            if not stat.S_ISFIFO(Path(name).stat().st_mode):  # a pipe can be opened once
                with Path(name).open("rb"):
                    pass
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UserError(f"{shown_argument(name)}: {reason}") from None


class _Filter:
    """Which frames are wanted.

    Attributes:
        everything: all are.
        taken: how many were, if not all are.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._either = frozenset(_parse_address("--address", text) for text in arguments.address)
        self._sources = frozenset(_parse_address("--from", text) for text in arguments.source)
        self._destinations = frozenset(_parse_address("--to", text) for text in arguments.destination)
        names = [name.strip().lower() for text in arguments.type for name in text.split(",")]
        for name in names:
            if name not in _ALL_TYPES:
                raise UserError(
                    f"--type {shown_argument(name)}: there is no such type; there are {', '.join(_ALL_TYPES)}"
                )
        self._kinds = [chosen for kind in _TYPES if (chosen := frozenset(kind) & frozenset(names))]
        self.everything = not (self._either or self._sources or self._destinations or self._kinds)
        self.taken = 0

    def takes(self, captured: CapturedFrame) -> bool:
        """Tell whether a frame is wanted."""
        if self.everything:
            return True
        takes = self._takes(captured)
        self.taken += takes
        return takes

    def _takes(self, captured: CapturedFrame) -> bool:
        frame = captured.frame
        if self._either and frame.source not in self._either and frame.destination not in self._either:
            return False
        if self._sources and frame.source not in self._sources:
            return False
        if self._destinations and frame.destination not in self._destinations:
            return False
        if not self._kinds:
            return True
        has = _types_of(captured)
        return all(kind & has for kind in self._kinds)


def _types_of(captured: CapturedFrame) -> set[str]:
    """Return the types that a frame is of."""
    frame = captured.frame
    has = {"plain" if captured.protected is None else "encrypted"}
    if isinstance(frame, Frame):
        has.add(f"v{frame.version}")
    if frame.destination == BROADCAST:
        has.add("broadcast")
    else:
        has.add("multicast" if frame.destination[0] & 1 else "unicast")
    if frame.retry:
        has.add("retry")
    if captured.oddities:
        has.add("odd")
    return has


def _parse_address(option: str, text: str) -> bytes:
    try:
        return parse_mac(text)
    except ValueError:
        raise UserError(f"{option}: {shown_argument(text)} is no MAC address: write it as aa:bb:cc:dd:ee:ff") from None


class _Reading:
    """Reads captures one after the other.

    Attributes:
        problems: what was wrong with each that is damaged.
        progress: the bar.
        live: whether what is read now comes as it happens, so that nothing may be held back.
    """

    def __init__(self, files: list[str], begin: Callable[[], None] | None = None) -> None:
        """Take the files.

        Args:
            files: "-" is standard input.
            begin: called before the packets of each.
        """
        self.problems: list[str] = []
        self.progress = Progress()
        self.live = False
        self._files = files
        self._begin = begin
        self._total = sum(Path(name).stat().st_size for name in files if name != "-" and Path(name).is_file())
        self._before = 0
        self._reader: CaptureReader | None = None
        self._packets = 0

    def __iter__(self) -> Iterator[Any]:
        """Give the packets."""
        for name in self._files:
            shown = "standard input" if name == "-" else printable(name)
            self.live = name == "-" or not Path(name).is_file()
            try:
                reader = CaptureReader(sys.stdin.buffer if name == "-" else name)
            except OSError as error:
                self.problems.append(f"{shown}: {error.strerror}")
                continue
            self._reader = reader
            if self._begin is not None:
                self._begin()
            try:
                with reader:
                    yield from reader
            except FrameError as error:
                self.problems.append(f"{shown}: {printable(str(error))}")
            except OSError as error:
                self.problems.append(f"{shown}: {error.strerror}")
            if reader.bad_blocks:
                left_out = counted(reader.bad_blocks, "block")
                self.problems.append(f"{shown}: {left_out} left out, of packets or interfaces that make no sense")
            self._before += reader.position
            self._packets += reader.packets
            self._reader = None

    def show_progress(self) -> None:
        """Draw the bar anew."""
        reader = self._reader
        if reader is not None:
            done = None if self.live or not self._total else (self._before + reader.position) / self._total
            self.progress.show(done, f"{self._packets + reader.packets:,} packets")


def _print_frames(reading: _Reading, dissector: Dissector, wanted: _Filter, arguments: argparse.Namespace) -> None:
    """Print a line for each frame."""
    out = sys.stdout
    terminal = out.isatty()
    width = 0
    if terminal and not arguments.full and not arguments.json:
        columns = max(shutil.get_terminal_size().columns, 1)
        width = -(-_LEAST_SHOWN // columns) * columns
    for number, record in enumerate(reading, 1):
        found = dissector.dissect(record)
        if isinstance(found, CapturedFrame) and wanted.takes(found):
            line = json.dumps(as_json(found)) if arguments.json else as_line(found, keys=dissector.keys)
            if 0 < width < len(line):
                line = line[: width - 1] + "…"
            out.write(line + "\n")
            if reading.live:
                out.flush()
        if not terminal and number % _PROGRESS_EVERY == 0:
            reading.show_progress()


def _add_up(reading: _Reading, dissector: Dissector, wanted: _Filter, summary: Summary) -> None:
    """Count all frames."""
    dissect, add, everything = dissector.dissect, summary.add, wanted.everything
    for number, record in enumerate(reading, 1):
        found = dissect(record)
        if type(found) is CapturedFrame:
            if everything or wanted.takes(found):
                add(found)
            else:
                summary.skip(found)
        elif found is not None:
            assert isinstance(found, OtherFrame)
            summary.add_other(found)
        if number % _PROGRESS_EVERY == 0:
            reading.show_progress()


def _print_remarks(reading: _Reading, dissector: Dissector, wanted: _Filter, summary: Summary | None) -> None:
    """Say what a person would otherwise wonder about."""
    remarks = []
    if not dissector.frames and (dissector.packets or not reading.problems):
        remarks.append(f"no ESP-NOW frame in {counted(dissector.packets, 'packet')}")
    elif dissector.frames and not wanted.everything and not wanted.taken:
        remarks.append(f"none of {counted(dissector.frames, 'frame')} is of those that were asked for")
    if dissector.unreadable:
        remarks.append(f"{counted(dissector.unreadable, 'packet')} without a valid radiotap header")
    if dissector.other_links:
        links = counted(dissector.other_links, "packet")
        remarks.append(f"{links} not of 802.11: capture in monitor mode, as link type 127 (radiotap)")
    if summary is not None and summary.wrong_fcs:
        remarks.append(f"{counted(summary.wrong_fcs, 'frame')} with a wrong FCS left out")
    if summary is not None and summary.beyond:
        remarks.append(f"{counted(summary.beyond, 'frame')} of further pairs left out")
    if remarks:
        print(f"--- {'; '.join(remarks)}", file=sys.stderr)

"""``espnow listen``: the messages for this station and for groups, as they come."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from espnow.capture import CapturedFrame, Dissector
from espnow.cli._frames import add_reading_options, as_json, as_line, make_dissector
from espnow.cli._options import add_radio_options, parse_time, take_keys, whole_number
from espnow.cli._radio import Session
from espnow.cli._station import Heard
from espnow.frame import HEADER_LENGTH, is_group

__all__ = ["Listener", "add_parser"]

_EPILOG = """\
A line a message, as espnow decode prints it: time in UTC, sender > receiver, version, channel, signal, rate, bytes,
message. Shown is what is for this station's address or for a group; espnow sniff shows everything. Its radio
acknowledges what is for its address, as a board's does. What a sender tried again is shown once.

Exit code: 0 if a message came, with --count if that many came; 1 if not; 2 for a mistake in this command; 130 after
Ctrl-C.

examples:
  espnow listen
  espnow listen --channel 6 --keys keys.toml --decoders sensors.toml
  espnow listen --for 30s --json | jq .text
"""

_MOST = 10**9

#: Senders whose last message is remembered, to know it when it is tried again.
_MOST_SENDERS = 4096


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "listen",
        help="print messages as they come",
        description="Print the ESP-NOW messages for this station and for groups, as they come.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="espnow listen [options]",
    )
    parser.add_argument("--count", metavar="N", help="end after so many messages")
    parser.add_argument("--for", dest="duration", metavar="TIME", help="end after so long: 500ms, 30s, 10m")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_radio_options(parser)
    add_reading_options(parser)
    parser.set_defaults(function=_listen)


def _listen(arguments: argparse.Namespace) -> int:
    count = None if arguments.count is None else whole_number("--count", arguments.count, 1, _MOST)
    duration_us = parse_time("--for", arguments.duration, default_us=None, least_us=1)
    listener = Listener(make_dissector(arguments, take_keys(arguments, "listen")))
    with Session("listen", arguments) as session:

        def show(heard: Heard) -> None:
            found = listener.take(heard, session)
            if found is None or session.over:
                return
            session.print_line(json.dumps(as_json(found)) if arguments.json else as_line(found, keys=listener.keys))
            if listener.messages == count:
                session.end()

        session.watch_output()
        session.on_frame = show
        told = session.reports
        session.tune()
        session.say(f"listening as {session.whereabouts}; Ctrl-C ends it")
        abilities = session.link.abilities
        if abilities.sends and not abilities.acknowledges and session.reports == told:  # else it told so itself
            session.say("this radio acknowledges nothing: who sends to this address sees a failure")
        if duration_us is not None:
            session.end_after(duration_us)
        session.run()
        sys.stdout.flush()
        session.say_dropped()
        return session.exit_code(0 if listener.messages >= (count or 1) else 1)


class Listener:
    """Finds the messages for a station among what its radio hears.

    Attributes:
        messages: how many there were.
    """

    def __init__(self, dissector: Dissector) -> None:
        """Take what reads frames."""
        self.messages = 0
        self._dissector = dissector
        self._last: dict[bytes, tuple[int, int]] = {}

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return self._dissector.keys

    def take(self, heard: Heard, session: Session) -> CapturedFrame | None:
        """Return the message in a frame; None if there is none for this station, or it came before."""
        found = self._dissector.dissect(heard.record(session.epoch_ns))
        if not isinstance(found, CapturedFrame):
            return None
        frame = found.frame
        if not is_group(frame.destination) and frame.destination != session.station.address:
            return None
        # Of all bytes: a sender that begins anew, as a command does each time, has the numbers of its last run again.
        mark = hash(heard.mpdu[HEADER_LENGTH:])
        if frame.retry and self._last.get(frame.source) == (frame.seq, mark):
            return None
        if len(self._last) >= _MOST_SENDERS and frame.source not in self._last:
            del self._last[next(iter(self._last))]
        self._last[frame.source] = frame.seq, mark
        self.messages += 1
        return found

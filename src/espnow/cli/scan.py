"""``espnow scan``: on which channel a board answers, or which stations are heard on each."""

from __future__ import annotations

import argparse
import json
from typing import Any, NamedTuple

from espnow.capture import CapturedFrame, Dissector
from espnow.cli._frames import rate_name
from espnow.cli._options import add_radio_options, parse_board, parse_channels, parse_time, whole_number
from espnow.cli._radio import Session
from espnow.cli._show import Progress, counted, table
from espnow.cli._station import Heard
from espnow.cli._stations import StationTable
from espnow.cli.ping import ping_message
from espnow.errors import UserError
from espnow.frame import format_mac
from espnow.link import Outcome

__all__ = ["ChannelResult", "add_parser", "best_of"]

_EPILOG = """\
With MAC: sends some frames on each channel, as espnow ping does, and tells on which the board's radio acknowledges
them. Close by, a radio may answer on the neighbouring channels, too: the best is the one with most answers, and among
these with fewest attempts. Without MAC: listens on each channel for a while, sends nothing, and lists the stations that
it heard; who sends seldom is heard only if the time on each channel is long enough.

Exit code: 0 if somebody answered or was heard, 1 if nobody, 2 for a mistake in this command; 130 after Ctrl-C.

examples:
  espnow scan --radio monitor:wlan1 30:aa:aa:aa:aa:aa
  espnow scan --radio monitor:wlan1 --channels 1,6,11 --dwell 10s
"""

_SIZE = 20

#: Stations that people see.
_MOST_ROWS = 200


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "scan",
        help="find the channel of a board",
        description="Find the channel on which a board answers, or the stations on all channels.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="espnow scan [options] [MAC]",
    )
    parser.add_argument("peer", nargs="?", metavar="MAC", help="address of the board; without it, all are listened for")
    parser.add_argument("--channels", metavar="LIST", help="1,6,11 or 1-11 (default: all that the radio has)")
    parser.add_argument("--tries", metavar="N", help="frames on each channel, with MAC (default: 3)")
    parser.add_argument("--dwell", metavar="TIME", help="how long it listens on each, without MAC (default: 1s)")
    parser.add_argument("--json", action="store_true", help="one JSON object a channel or station")
    parser.add_argument("--channel", metavar="N", help=argparse.SUPPRESS)  # as the other commands have it
    add_radio_options(parser, channel=False)
    parser.set_defaults(function=_scan)


def _scan(arguments: argparse.Namespace) -> int:
    if arguments.channel is not None:
        raise UserError("--channel: scan goes round channels; say which with --channels, as in 6 or 1,6,11")
    if arguments.peer is None:
        if arguments.tries is not None:
            raise UserError("--tries says how often a board is asked; name it, or give --dwell")
        return _listen_everywhere(
            arguments, parse_time("--dwell", arguments.dwell, default_us=1_000_000, least_us=1000)
        )
    if arguments.dwell is not None:
        raise UserError("--dwell says how long it listens when no MAC is named; give --tries")
    address = parse_board(arguments.peer)
    return _ask_everywhere(arguments, address, whole_number("--tries", arguments.tries or "3", 1, 1000))


class ChannelResult(NamedTuple):
    """What came of the tries on a channel.

    Attributes:
        channel: which.
        tries: how many there were.
        answered: how many were acknowledged.
        attempts: how often those were on the air, all together.
    """

    channel: int
    tries: int
    answered: int
    attempts: int

    @property
    def attempts_mean(self) -> float | None:
        """How often a frame that was acknowledged was on the air; None without any."""
        return self.attempts / self.answered if self.answered else None


def best_of(results: list[ChannelResult]) -> ChannelResult | None:
    """Return the channel with most answers, and among these with fewest attempts; None if nobody answered."""
    answered = [result for result in results if result.answered]
    if not answered:
        return None
    return min(answered, key=lambda result: (-result.answered / result.tries, result.attempts / result.answered))


def _ask_everywhere(arguments: argparse.Namespace, address: bytes, tries: int) -> int:
    progress = Progress()
    with Session("scan", arguments, sends=True) as session:
        session.before_line = progress.clear
        _check_that_it_tells(session)
        channels = parse_channels("--channels", arguments.channels, session.link)
        results: list[ChannelResult] = []
        for channel in channels:
            session.tune(channel)
            answered = attempts = 0
            for number in range(tries):
                progress.show((len(results) + number / tries) / len(channels), f"channel {channel}")
                answer = session.send(address, ping_message(number + 1, _SIZE))
                if answer is not None and answer.outcome is Outcome.ACKNOWLEDGED:
                    answered += 1
                    attempts += answer.attempts
                elif answer is not None and answer.outcome is Outcome.UNKNOWN:
                    _check_that_it_tells(session)
            if session.over:
                break
            results.append(ChannelResult(channel, tries, answered, attempts))
        progress.clear()
        best = best_of(results)
        tells_attempts = session.link.abilities.tells_attempts
        if arguments.json:
            _print_results_as_json(results, best, tells_attempts=tells_attempts)
        else:
            _print_results(results, best, tells_attempts=tells_attempts)
            print(_sentence(format_mac(address), best, len(results), len(channels)), flush=True)
        return session.exit_code(1 if best is None else 0)


def _check_that_it_tells(session: Session) -> None:
    """Refuse a radio that does not tell who answers; one may learn so only when it sends.

    Raises:
        UserError: it does not.
    """
    if not session.link.abilities.tells_outcome:
        raise UserError("this radio cannot tell whether a frame was acknowledged, so it cannot find who answers")


def _print_results(results: list[ChannelResult], best: ChannelResult | None, *, tells_attempts: bool) -> None:
    rows = [["channel", "answered", "attempts", ""]]
    for result in results:
        mean = result.attempts_mean if tells_attempts else None
        answered = f"{result.answered}/{result.tries}"
        rows.append(
            [str(result.channel), answered, "" if mean is None else f"{mean:.1f}", "best" if result is best else ""]
        )
    print("\n".join(table(rows, (0, 1, 2))))


def _sentence(address: str, best: ChannelResult | None, asked: int, channels: int) -> str:
    """Return what came of it: where a board answers, and of how many channels that is known if not of all."""
    found = "answered on no channel" if best is None else f"answers on channel {best.channel}"
    part = f"; {asked} of {counted(channels, 'channel')} {'was' if asked == 1 else 'were'} asked"
    return f"{address} {found}{part if asked < channels else ''}"


def _print_results_as_json(results: list[ChannelResult], best: ChannelResult | None, *, tells_attempts: bool) -> None:
    for result in results:
        mean = result.attempts_mean if tells_attempts else None
        told = {
            "channel": result.channel,
            "tries": result.tries,
            "answered": result.answered,
            "attempts": None if mean is None else round(mean, 3),
        }
        print(json.dumps(told))
    print(json.dumps({"best": None if best is None else best.channel}), flush=True)


def _listen_everywhere(arguments: argparse.Namespace, dwell_us: int) -> int:
    progress = Progress()
    dissector = Dissector()
    with Session("scan", arguments) as session:
        session.before_line = progress.clear
        if not session.link.abilities.promiscuous:
            session.say("this radio hears nothing that is for others, only what is for groups")
        channels = parse_channels("--channels", arguments.channels, session.link)
        found: dict[int, StationTable] = {}

        def take(heard: Heard) -> None:
            captured = dissector.dissect(heard.record(session.epoch_ns))
            if isinstance(captured, CapturedFrame) and heard.channel in found:
                found[heard.channel].add(captured)

        session.on_frame = take
        for number, channel in enumerate(channels):
            found[channel] = StationTable()
            session.tune(channel, promiscuous=True, silent=True)
            end_us = session.loop.now_us + dwell_us
            while not session.over and (left_us := end_us - session.loop.now_us) > 0:
                progress.show((number + 1 - left_us / dwell_us) / len(channels), f"channel {channel}")
                session.pause(min(left_us, 100_000))
            if session.over:
                break
        progress.clear()
        heard_any = any(len(stations) for stations in found.values())
        if arguments.json:
            for channel, stations in found.items():
                for told in stations.as_dicts():
                    print(json.dumps(told | {"channel": channel}), flush=True)
        elif heard_any:
            print("\n".join(_heard_lines(found)), flush=True)
        else:
            print("no ESP-NOW station was heard", flush=True)
        session.say_dropped()
        return session.exit_code(0 if heard_any else 1)


def _heard_lines(found: dict[int, StationTable]) -> list[str]:
    """Return a table of what was heard on each channel."""
    rows = [["channel", "station", "frames", "dBm", "rate"]]
    for channel, stations in found.items():
        for station in stations:
            mean = station.rssi_mean_dbm
            signal = "?" if mean is None else f"{mean:.0f}"
            address = format_mac(station.address)
            rows.append([str(channel), address, str(station.frames), signal, rate_name(station.rate)])
    lines = table(rows[: _MOST_ROWS + 1], (0, 2, 3, 4))
    if len(rows) > _MOST_ROWS + 1:
        lines.append(f"... and {len(rows) - 1 - _MOST_ROWS:,} more")
    return lines

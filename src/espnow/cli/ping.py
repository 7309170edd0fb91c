"""``espnow ping``: does the radio of a board answer.

A board's radio acknowledges every unicast frame for its address, whatever its program does, so this needs nothing
there. What is sent is an ESP-NOW message all the same: a program on the board that receives gets it.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from espnow.cli._options import add_radio_options, parse_board, parse_rate, parse_time, whole_number
from espnow.cli._radio import Session
from espnow.cli._station import Answer
from espnow.frame import MAX_V1, MAX_V2, format_mac
from espnow.link import Outcome

__all__ = ["PingStatistics", "add_parser", "ping_message"]

_EPILOG = """\
A board's radio acknowledges every unicast frame for its address, whatever its program does: MAC needs ESP-NOW or
Wi-Fi switched on, the same channel, and nothing else. The message is the text "espnow ping NUMBER", filled up with dots
or cut to the size; a program that receives on the board gets it.

A line a try: attempts is how often the frame was on the air, time how long it took from handing it to the radio to the
answer, retries included.

Exit code: 0 if any was acknowledged, 1 if none, 2 for a mistake in this command; Ctrl-C ends it with its statistics.

examples:
  espnow ping 30:aa:aa:aa:aa:aa
  espnow ping --radio monitor:wlan1 --channel 6 -c 10 -i 200ms 30:aa:aa:aa:aa:aa
"""

_USUAL_SIZE = 20
_MOST = 10**9


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "ping",
        help="see whether a board's radio answers",
        description="Send frames to a board, and tell which its radio acknowledges.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="espnow ping [options] MAC",
    )
    parser.add_argument("peer", metavar="MAC", help="address of the board")
    parser.add_argument("-c", "--count", metavar="N", help="end after so many tries (default: with Ctrl-C)")
    parser.add_argument("-i", "--interval", metavar="TIME", help="from try to try: 200ms; 0 for none (default: 1s)")
    parser.add_argument(
        "--size",
        metavar="BYTES",
        help=f"length of the message, 1 to {MAX_V2}, beyond {MAX_V1} one of ESP-NOW v2 (default: {_USUAL_SIZE})",
    )
    parser.add_argument("--rate", metavar="RATE", help="such as 1M, 6M, MCS7 (default: 1M)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, the statistics too")
    add_radio_options(parser)
    parser.set_defaults(function=_ping)


def _ping(arguments: argparse.Namespace) -> int:
    address = parse_board(arguments.peer)
    count = None if arguments.count is None else whole_number("--count", arguments.count, 1, _MOST)
    interval_us = parse_time("--interval", arguments.interval, default_us=1_000_000)
    size = _USUAL_SIZE if arguments.size is None else whole_number("--size", arguments.size, 1, MAX_V2)
    profile = "esp32" if size <= MAX_V1 else "esp32-v2"
    rate = parse_rate(arguments.rate)
    with Session("ping", arguments, profile=profile, rate=rate, sends=True) as session:
        session.watch_output()
        session.tune()
        if not arguments.json:
            print(f"PING {format_mac(address)} from {session.whereabouts}, {size} bytes", flush=True)
        statistics = PingStatistics()
        _try_again_and_again(session, address, size, count, interval_us, statistics, as_json=arguments.json)
        if arguments.json:
            print(json.dumps({"statistics": statistics.as_dict()}), flush=True)
        else:
            print(f"--- {format_mac(address)} ping statistics ---\n{statistics}", flush=True)
        return session.exit_code(0 if statistics.acknowledged else 1, after_interrupt=True)


def _try_again_and_again(
    session: Session,
    address: bytes,
    size: int,
    count: int | None,
    interval_us: int,
    statistics: PingStatistics,
    *,
    as_json: bool,
) -> None:
    """Send frames until there were enough, or the command is to end, with a line for each."""
    begin_us = next_us = session.loop.now_us
    tells = True
    while not session.over:
        abilities = session.link.abilities  # a radio may learn that its driver tells nothing
        if tells and not abilities.tells_outcome:
            tells = False
            session.say("this radio cannot tell whether a frame was acknowledged: such a try counts as unknown")
        statistics.tells_attempts = abilities.tells_attempts
        statistics.sent += 1
        number = statistics.sent
        answer = session.send(address, ping_message(number, size))
        statistics.lasted_us = session.loop.now_us - begin_us
        if answer is None:
            return
        statistics.add(answer)
        attempts = answer.attempts if statistics.tells_attempts else None
        ms = answer.took_us / 1000
        if as_json:
            told = {"seq": number, "outcome": answer.outcome.value, "attempts": attempts, "ms": ms}
            print(json.dumps(told), flush=True)
        else:
            tried = "" if attempts is None else f" attempts={attempts}"
            print(f"{format_mac(address)} {_SAID[answer.outcome]}: seq={number}{tried} time={ms:.3f} ms", flush=True)
        if number == count:
            return
        next_us = max(next_us + interval_us, session.loop.now_us)
        session.pause_until(next_us)


_SAID = {
    Outcome.ACKNOWLEDGED: "acknowledged",
    Outcome.NOT_ACKNOWLEDGED: "did not answer",
    Outcome.UNKNOWN: "may have answered",
}


def ping_message(number: int, size: int) -> bytes:
    """Return what a try sends: a text that says what it is, of a size in bytes."""
    return (b"espnow ping %d" % number).ljust(size, b".")[:size]


class PingStatistics:
    """What came of all tries.

    Attributes:
        tells_attempts: the radio tells how often a frame was on the air.
        sent: how many tries there were.
        acknowledged: how many of them were acknowledged.
        refused: how many of them were not.
        unknown: of how many nobody can tell.
        lasted_us: how long all of it took.
    """

    def __init__(self, *, tells_attempts: bool = True) -> None:
        self.tells_attempts = tells_attempts
        self.sent = 0
        self.acknowledged = 0
        self.refused = 0
        self.unknown = 0
        self.lasted_us = 0
        self._attempts = 0
        self._min_ms = math.inf
        self._max_ms = 0.0
        self._sum_ms = 0.0
        self._squares = 0.0

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        if answer.outcome is Outcome.UNKNOWN:
            self.unknown += 1
        elif answer.outcome is Outcome.NOT_ACKNOWLEDGED:
            self.refused += 1
        else:
            self.acknowledged += 1
            ms = answer.took_us / 1000
            self._attempts += answer.attempts
            self._min_ms = min(self._min_ms, ms)
            self._max_ms = max(self._max_ms, ms)
            self._sum_ms += ms
            self._squares += ms * ms

    @property
    def loss(self) -> float | None:
        """Part of the tries of known outcome that nobody acknowledged, 0..1; None if there is none."""
        known = self.acknowledged + self.refused
        return self.refused / known if known else None

    @property
    def attempts_mean(self) -> float | None:
        """How often a frame that was acknowledged was on the air; None if nobody can tell."""
        return self._attempts / self.acknowledged if self.acknowledged and self.tells_attempts else None

    @property
    def times_ms(self) -> tuple[float, float, float, float] | None:
        """Shortest, mean and longest time of those acknowledged, and the standard deviation; None without any."""
        count = self.acknowledged
        if not count:
            return None
        mean = self._sum_ms / count
        return self._min_ms, mean, self._max_ms, math.sqrt(max(0.0, self._squares / count - mean * mean))

    def as_dict(self) -> dict[str, Any]:
        """Return them by name."""
        times = self.times_ms or (None,) * 4
        names = ("min_ms", "mean_ms", "max_ms", "mdev_ms")
        return {
            "sent": self.sent,
            "acknowledged": self.acknowledged,
            "not_acknowledged": self.refused,
            "unknown": self.unknown,
            "loss": None if self.loss is None else round(self.loss, 6),
            "attempts": None if self.attempts_mean is None else round(self.attempts_mean, 3),
            **{name: None if ms is None else round(ms, 3) for name, ms in zip(names, times, strict=True)},
            "lasted_ms": self.lasted_us // 1000,
        }

    def __str__(self) -> str:
        """Return them for people, as ping does."""
        loss = "loss unknown" if self.loss is None else f"{100 * self.loss:.3g}% loss"
        parts = [f"{self.sent} sent", f"{self.acknowledged} acknowledged", loss]
        if self.unknown:
            parts.append(f"{self.unknown} unknown")
        waiting = self.sent - self.acknowledged - self.refused - self.unknown
        if waiting:
            parts.append(f"{waiting} still under way")
        parts.append(f"time {self.lasted_us // 1000} ms")
        text = ", ".join(parts)
        if self.times_ms is not None:
            text += "\nrtt min/avg/max/mdev = " + "/".join(f"{ms:.3f}" for ms in self.times_ms) + " ms"
        if self.attempts_mean is not None:
            text += f", {self.attempts_mean:.3g} attempts on average"
        return text

"""``espnow send``: messages to a board or to a group, and what became of them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from espnow.board import PROFILES
from espnow.cli._frames import shown_argument
from espnow.cli._options import (
    add_key_options,
    add_radio_options,
    parse_address,
    parse_rate,
    parse_time,
    take_keys,
    whole_number,
)
from espnow.cli._radio import Session
from espnow.cli._station import Answer
from espnow.errors import UserError
from espnow.frame import BROADCAST, MAX_V2, format_mac, is_group
from espnow.link import Outcome

__all__ = ["add_parser"]

_EPILOG = """\
MAC is the address of a board or of a group; "broadcast" is ff:ff:ff:ff:ff:ff. MSG is the message as text; "-" reads it
from standard input. What is read is one message, to its last byte; with --lines each line is one, without its end, sent
when it comes.

Keys belong into a file (espnow decode --help says how it looks) or into the variables ESPNOW_LMK and ESPNOW_PMK: the
arguments of a command can be listed by everybody on the computer. Of a file, the key is taken that names MAC, or the
one that names nobody. Messages to a group are never encrypted.

Exit code: 0; 1 if a message was not acknowledged; 2 for a mistake in this command; 130 after Ctrl-C. It is 0 where the
radio cannot tell, and says so.

examples:
  espnow send 30:aa:aa:aa:aa:aa hello
  espnow send --hex broadcast 01ff10
  espnow send --repeat 10 --interval 100ms --channel 6 30:aa:aa:aa:aa:aa ping
  tail -f log.txt | espnow send --lines 30:aa:aa:aa:aa:aa -
"""

_MOST = 10**9

#: What is read of a file that is one message: enough for the longest in hexadecimal digits with a space after each.
_MOST_READ = 1 << 16


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "send",
        help="send a message",
        description="Send messages to a board or to a group, and tell what became of them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="espnow send [options] MAC MSG",
    )
    parser.add_argument("peer", metavar="MAC", help='address of the receiver, or "broadcast"')
    parser.add_argument("message", nargs="?", metavar="MSG", help='the message; "-" reads standard input')
    parser.add_argument("--file", metavar="FILE", help="read the message from a file")
    parser.add_argument("--hex", action="store_true", help="the message is written in hexadecimal digits")
    parser.add_argument("--lines", action="store_true", help="each line of what is read is a message")
    parser.add_argument("--repeat", metavar="N", default="1", help="send each message so often")
    parser.add_argument("--interval", metavar="TIME", help="between messages: 1s, 200ms (default: none)")
    parser.add_argument("--rate", metavar="RATE", help="such as 1M, 6M, MCS7 (default: the profile's)")
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help=f"whose frames are sent: {', '.join(PROFILES)} (default: ESPNOW_PROFILE, or esp32)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a message, and their sum")
    add_radio_options(parser)
    add_key_options(parser)
    parser.set_defaults(function=_send)


def _send(arguments: argparse.Namespace) -> int:
    address = BROADCAST if arguments.peer == "broadcast" else parse_address(arguments.peer)
    repeat = whole_number("--repeat", arguments.repeat, 1, _MOST)
    interval_us = parse_time("--interval", arguments.interval, default_us=0)
    profile = arguments.profile or os.environ.get("ESPNOW_PROFILE") or "esp32"
    if profile not in PROFILES:
        where = "--profile" if arguments.profile else "ESPNOW_PROFILE"
        raise UserError(f"{where}: there is no {shown_argument(profile)}; there are {', '.join(PROFILES)}")
    rate = parse_rate(arguments.rate)
    key = _key_for(address, arguments)
    source = _Source(arguments, profile)
    sending = _Sending(address, as_json=arguments.json, encrypted=key is not None)
    with source, Session("send", arguments, profile=profile, rate=rate, sends=True) as session:
        if key is not None:
            with session.loop.lock:
                session.station.add_key(address, *key)
        session.tune()
        next_us = session.loop.now_us
        try:
            for message in source.messages(session):
                for _ in range(repeat):
                    session.pause_until(next_us)
                    if session.over:
                        break
                    next_us = session.loop.now_us + interval_us
                    answer = session.send(address, message)
                    sending.tell(message, answer, tells_attempts=session.link.abilities.tells_attempts)
        except UserError:  # a line that is no message, say: those before it were sent
            sending.sum_up()
            raise
        sending.sum_up()
        return session.exit_code(1 if sending.refused else 0)


def _key_for(address: bytes, arguments: argparse.Namespace) -> tuple[bytes, bytes] | None:
    """Return LMK and PMK for an address; None if nothing is to be encrypted."""
    asked = bool(arguments.keys or arguments.lmk or arguments.pmk)
    keys = take_keys(arguments, "send")
    if keys is None:
        return None
    if is_group(address):
        if asked:
            raise UserError("messages to a group are never encrypted: leave the keys out")
        return None
    found = keys.for_peer(address)
    if len(found) != 1:
        what = "no key is" if not found else f"{len(found)} keys are"
        raise UserError(f"{what} for {format_mac(address)}: one must name it with address, or be the only one")
    return found[0].lmk, found[0].pmk


class _Source:
    """Where the messages come from; a context manager that closes it."""

    def __init__(self, arguments: argparse.Namespace, profile: str) -> None:
        """Open it.

        Raises:
            UserError: from here and `messages`: there is none, it cannot be read, or it is no message.
        """
        self._hex: bool = arguments.hex
        self._lines: bool = arguments.lines
        self._profile = profile
        self._limit = PROFILES[profile].node.max_data_len
        self._file: BinaryIO | None = None
        self._name = ""
        self._only: bytes | None = None
        text: str | None = arguments.message
        if (text is None) == (arguments.file is None):
            raise UserError('name one message: MSG, "-" for standard input, or --file FILE; see espnow send --help')
        if arguments.file is not None:
            self._name = f"--file {shown_argument(arguments.file)}"
            try:
                self._file = Path(arguments.file).open("rb")  # noqa: SIM115 - closed below
            except (OSError, ValueError) as error:
                raise self._unreadable(error) from None
        elif text == "-":
            self._name = "-"
            if sys.stdin is None or sys.stdin.closed:
                raise UserError("-: there is no standard input")
            self._file = sys.stdin.buffer
        else:
            assert text is not None
            if self._lines:
                raise UserError('--lines is for what is read: give "-" or --file')
            self._only = self._decode(text.encode(errors="surrogateescape"), "")

    def messages(self, session: Session) -> Iterator[bytes]:
        """Return the messages one by one, and read only as far as they are taken."""
        if self._only is not None:
            yield self._only
            return
        file = self._file
        assert file is not None
        if not self._lines:
            content = self._read(session, lambda: file.read(_MOST_READ))
            if content is not None:
                yield self._decode(content, f"{self._name}: ")
            return
        longest = 3 * self._limit + 2 if self._hex else self._limit + 2
        number = 0
        while line := self._read(session, lambda: file.readline(longest + 1)):
            number += 1
            if len(line) > longest:
                raise self._too_long(f"{self._name}: line {number}: ", None)
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            if line:
                yield self._decode(line, f"{self._name}: line {number}: ")

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None:
        """Close a file that was opened."""
        if self._file is not None and self._name != "-":
            self._file.close()

    def _read(self, session: Session, read: Any) -> bytes | None:
        try:
            return session.read(read)
        except OSError as error:
            raise self._unreadable(error) from None

    def _decode(self, message: bytes, where: str) -> bytes:
        if self._hex:
            try:
                message = bytes.fromhex(message.decode("ascii").replace(":", " "))
            except ValueError:  # the text is not told: it is as long as it likes
                raise UserError(f"{where}--hex: a message is hexadecimal digits in pairs, as in 01ff10") from None
        if not message:
            raise UserError(f"{where}an empty message: ESP-NOW sends at least one byte")
        if len(message) > self._limit:
            raise self._too_long(where, None if len(message) >= _MOST_READ else len(message))
        return message

    def _too_long(self, where: str, length: int | None) -> UserError:
        """Return the error for a message of so many bytes; None if not all of it was read."""
        hint = f"; --profile esp32-v2 sends up to {MAX_V2:,}, to boards with ESP-NOW v2"
        fits = self._limit < MAX_V2 and (length is None or length <= MAX_V2)
        found = "too long" if length is None else f"of {length:,} bytes"
        return UserError(
            f"{where}a message {found}: {self._profile} sends at most {self._limit:,} bytes{hint if fits else ''}"
        )

    def _unreadable(self, error: OSError | ValueError) -> UserError:
        reason = error.strerror if isinstance(error, OSError) else error
        return UserError(f"{self._name}: {reason or error}")


class _Sending:
    """Tells what became of each message, and counts.

    Attributes:
        refused: messages that were not acknowledged.
    """

    def __init__(self, address: bytes, *, as_json: bool, encrypted: bool) -> None:
        self.refused = 0
        self._sent = 0
        self._acknowledged = 0
        self._unknown = 0
        self._address = address
        self._json = as_json
        self._encrypted = encrypted

    def tell(self, message: bytes, answer: Answer | None, *, tells_attempts: bool) -> None:
        """Print a line.

        Args:
            message: that was sent.
            answer: what became of it; None if the command was ended before there was an answer.
            tells_attempts: the radio tells how often it was on the air.
        """
        self._sent += 1
        outcome = None if answer is None else answer.outcome
        self.refused += outcome is Outcome.NOT_ACKNOWLEDGED
        self._acknowledged += outcome is Outcome.ACKNOWLEDGED
        self._unknown += outcome is Outcome.UNKNOWN
        group = is_group(self._address)
        if self._json:
            told = {
                "to": format_mac(self._address),
                "bytes": len(message),
                "encrypted": self._encrypted,
                "outcome": "sent" if group and outcome is Outcome.ACKNOWLEDGED else outcome and outcome.value,
                "attempts": answer.attempts if answer is not None and tells_attempts else None,
                "ms": answer and answer.took_us / 1000,
            }
            print(json.dumps(told), flush=True)
            return
        if answer is None:
            state = "handed to the radio, which has not answered"
        elif outcome is Outcome.UNKNOWN:
            state = "sent; this radio cannot tell whether it was acknowledged"
        elif group:
            state = "sent" if outcome is Outcome.ACKNOWLEDGED else "not sent"
        else:
            tried = f"{answer.attempts} attempt{'' if answer.attempts == 1 else 's'}, " if tells_attempts else ""
            state = f"{answer.outcome.value} after {tried}{answer.took_us / 1000:.3f} ms"
        encrypted = ", encrypted" if self._encrypted else ""
        length = f"{len(message)} byte{'' if len(message) == 1 else 's'}{encrypted}"
        print(f"{format_mac(self._address)}: {length}: {state}", flush=True)

    def sum_up(self) -> None:
        """Print the sum, if it was more than one message."""
        if self._json:
            counts = {
                "sent": self._sent,
                "acknowledged": 0 if is_group(self._address) else self._acknowledged,
                "not_acknowledged": self.refused,
                "unknown": self._unknown,
            }
            print(json.dumps({"summary": counts}), flush=True)
        elif self._sent > 1:
            parts = [f"{self._sent} messages"]
            if not is_group(self._address):
                parts.append(f"{self._acknowledged} acknowledged")
            parts += [f"{self.refused} not"] if self.refused else []
            parts += [f"{self._unknown} unknown"] if self._unknown else []
            print(f"--- {', '.join(parts)}", file=sys.stderr)

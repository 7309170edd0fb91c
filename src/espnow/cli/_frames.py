"""How the commands show ESP-NOW frames, and the options by which they read them.

What came by air leaves here printable: one line of text, or one object for JSON.
"""

from __future__ import annotations

import argparse
import os
import stat
import string
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from espnow.capture import CapturedFrame, Dissector, KeyRing, parse_key
from espnow.errors import FrameError, UserError
from espnow.frame import (
    RATES,
    Frame,
    Freshness,
    Oddity,
    format_mac,
    is_group,
)
from espnow.frame.decoders import MAX_TEXT, Decoders
from espnow.frame.text import message_text, printable

__all__ = ["add_reading_options", "as_json", "as_line", "make_dissector", "rate_name", "read_keys", "shown_argument"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Times before this are no dates: a lab's virtual time begins at 0.
_FIRST_DATE_NS = 365 * 86_400 * 10**9
_LAST_DATE_NS = 253_402_300_800 * 10**9  # the year 10 000, which datetime does not have

_RATE_NAMES = {
    rate.number: {
        "HT": f"MCS{rate.mcs}{' SGI' if rate.short else ''}",
        "LR": f"LR{rate.kbit_s}k",
    }.get(rate.modulation, f"{rate.kbit_s / 1000:g}M{' short' if rate.short else ''}")
    for rate in RATES.values()
}


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how messages are opened and explained."""
    group = parser.add_argument_group("reading messages")
    group.add_argument("--keys", metavar="FILE", action="append", default=[], help="a key file: decrypt with its keys")
    group.add_argument("--pmk", metavar="KEY", help="primary master key; without it that of a board which sets none")
    group.add_argument(
        "--lmk", metavar="KEY", action="append", default=[], help="local master key: 16 characters or 32 hex digits"
    )
    group.add_argument(
        "--decoders", metavar="FILE", action="append", default=[], help="a file that says what messages mean"
    )


def shown_argument(text: str) -> str:
    """Return an argument for an error: printable, and not what could be a key that stands in the wrong place."""
    digits = len(text) == 32 and all(character in string.hexdigits for character in text)
    if digits or (len(text) == 16 and "/" not in text and not Path(text).suffix):
        return "(not shown: it could be a key)"
    return printable(text)


def make_dissector(arguments: argparse.Namespace, keys: KeyRing | None) -> Dissector:
    """Return what reads frames as the options of `add_reading_options` say.

    Args:
        arguments: of the command line.
        keys: its keys, as `read_keys` returns them: a key file can be a pipe, which is read once.

    Raises:
        UserError: a file cannot be read, or a decoder in it is wrong.
    """
    return Dissector(keys, _read_decoders(arguments))


def read_keys(arguments: argparse.Namespace) -> KeyRing | None:
    """Return the keys that the options of `add_reading_options` name, or None if they name none.

    Raises:
        UserError: a file cannot be read, or a key is wrong.
    """
    pmk = None if arguments.pmk is None else _parse_key("--pmk", arguments.pmk)
    if pmk is not None and not arguments.lmk and not arguments.keys:
        raise UserError("--pmk alone opens nothing: a key is made of a PMK and an LMK; add --lmk")
    keys = KeyRing()
    for lmk in arguments.lmk:
        keys.add(_parse_key("--lmk", lmk), pmk)
    for path in arguments.keys:
        text = _read_text("--keys", path)
        try:
            keys.add_toml(text, pmk=pmk)
        except UserError as error:
            raise UserError(f"--keys {shown_argument(path)}: {error}") from None
        _warn_if_readable(path, arguments.command)
    return keys if len(keys) else None


def _parse_key(option: str, text: str) -> bytes:
    try:
        return parse_key(text)
    except ValueError as error:
        raise UserError(f"{option}: {error}") from None


def _warn_if_readable(path: str, command: str) -> None:
    """Let a command say so when others can read a key file, where a file says who can."""
    try:
        mode = Path(path).stat().st_mode if os.name == "posix" else 0
    except OSError:  # it was there a moment ago
        return
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        print(
            f"espnow {command}: warning: --keys {printable(path)}: others can read the keys in it; chmod 600 it",
            file=sys.stderr,
        )


def _read_decoders(arguments: argparse.Namespace) -> Decoders | None:
    found = Decoders()
    for path in arguments.decoders:
        try:
            found += Decoders.from_toml(_read_text("--decoders", path))
        except FrameError as error:
            raise UserError(f"--decoders {printable(path)}: {error}") from None
    return found if arguments.decoders else None


def _read_text(option: str, path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_TEXT + 1)
        if len(content) <= MAX_TEXT:
            return content.decode("utf-8-sig")
        what = f"more than {MAX_TEXT} bytes"
    except OSError as error:
        what = error.strerror or str(error)
    except UnicodeDecodeError:  # holds what the file holds
        what = "not UTF-8 text"
    except ValueError as error:  # a path with a NUL
        what = str(error)
    raise UserError(f"{option} {shown_argument(path)}: {what}")


def rate_name(number: int | None) -> str:
    """Return a rate for people: ``1M``, ``MCS3``, ``LR250k``, or ``?``."""
    return "?" if number is None else _RATE_NAMES[number]


def as_line(captured: CapturedFrame, *, keys: int = 0) -> str:
    """Return a frame as one printable line.

    Args:
        captured: the frame.
        keys: how many keys there are that may open it.
    """
    frame, radio = captured.frame, captured.radio
    opened = type(frame) is Frame
    channel = signal = rate = None
    if radio is not None:
        channel, signal, rate = radio.channel, radio.rssi_dbm, radio.rate
    if captured.protected is None:
        state = "plain"
    else:
        state = "decrypted" if opened else "encrypted"
    length = _message_length(captured)
    parts = [
        f"{_time(captured.at_ns)}  {format_mac(frame.source)} > {format_mac(frame.destination)}",
        f"v{frame.version}" if isinstance(frame, Frame) else "v?",
        f"ch {'?' if channel is None else channel:>2}",
        f"{'?' if signal is None else signal:>4} dBm",
        f"{rate_name(rate):>6}",
        "retry" if frame.retry else "     ",
        f"{state:<9}",
        f"{'?' if length is None else length:>4} B",
        _shown(captured, keys),
    ]
    notes = _notes(captured, keys)
    if notes:
        parts.append(f"[{'; '.join(notes)}]")
    return "  ".join(parts)


def _message_length(captured: CapturedFrame) -> int | None:
    """Return the bytes of a message, as far as it is there; None if nobody can tell."""
    frame = captured.frame
    if isinstance(frame, Frame):
        return len(frame.message)
    return None if Oddity.CUT_OFF in captured.oddities else frame.message_length


def as_json(captured: CapturedFrame) -> dict[str, Any]:
    """Return a frame as one object for JSON; a key that is never there for a frame of its kind is null."""
    frame, radio, interface = captured.frame, captured.radio, captured.interface
    plain = frame if isinstance(frame, Frame) else None
    rate = None if radio is None else radio.rate
    message = None if plain is None else plain.message
    shown: dict[str, Any] = {
        "at_ns": captured.at_ns,
        "time": _date(captured.at_ns),
        "interface": None if interface is None else interface.number,
        "source": format_mac(frame.source),
        "destination": format_mac(frame.destination),
        "addr3": format_mac(frame.bssid),
        "seq": frame.seq,
        "retry": frame.retry,
        "duration_us": frame.duration,
        "channel": None if radio is None else radio.channel,
        "frequency_mhz": None if radio is None else radio.frequency_mhz,
        "rssi_dbm": None if radio is None else radio.rssi_dbm,
        "noise_dbm": None if radio is None else radio.noise_dbm,
        "rate": None if rate is None else RATES[rate].name,
        "rate_kbit_s": None if rate is None else RATES[rate].kbit_s,
        "encrypted": captured.protected is not None,
        "decrypted": captured.key is not None,
        "key": captured.key,
        "packet_number": None if captured.protected is None else captured.protected.packet_number,
        "replayed": captured.freshness is Freshness.REPLAYED,
        "version": None if plain is None else plain.version,
        "random_value": None if plain is None else plain.random_value,
        "length": _message_length(captured),
        "hex": None if message is None else message.hex(),
        "text": None if message is None else message_text(message),
        "decoded": None if captured.decoded is None else captured.decoded.as_dict(),
        "oddities": [oddity.name.lower() for oddity in captured.oddities],
        "accepted": captured.accepted,
    }
    if radio is not None and radio.is_transmitted:
        shown["transmitted"] = {"failed": radio.tx_failed, "retries": radio.data_retries}
    return shown


def _shown(captured: CapturedFrame, keys: int) -> str:
    """Return the message, or why there is none."""
    frame = captured.frame
    if not isinstance(frame, Frame):
        if Oddity.CUT_OFF in captured.oddities:
            return "not all of it is there"
        return "no key opens it (wrong MIC)" if keys else "no key given"
    text = message_text(frame.message)
    shown = frame.message.hex() if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{shown}  {captured.decoded}" if captured.decoded is not None else shown


def _notes(captured: CapturedFrame, keys: int) -> list[str]:
    """Return what else there is to say."""
    frame = captured.frame
    notes = [f"by {captured.key}"] if captured.key is not None and keys > 1 else []
    notes += [str(oddity) for oddity in captured.oddities]
    if captured.freshness is Freshness.REPLAYED:
        notes.append("packet number went back: a replay, or its sender was reset")
    radio = captured.radio
    if radio is not None and radio.is_transmitted:
        note = "sent from here"
        if not is_group(frame.destination):
            note += f", {'not ' if radio.tx_failed else ''}acknowledged"
        if radio.data_retries is not None:
            note += f" after {radio.data_retries} {'retry' if radio.data_retries == 1 else 'retries'}"
        notes.append(note)
    return notes


def _time(at_ns: int | None) -> str:
    """Return a time for people: a date in UTC, or seconds if it is too early or too late to be one."""
    if at_ns is None:
        return f"{'no time':>15}"
    if _FIRST_DATE_NS <= at_ns < _LAST_DATE_NS:
        return f"{_EPOCH + timedelta(microseconds=at_ns // 1000):%Y-%m-%d %H:%M:%S.%f}"
    sign = "-" if at_ns < 0 else ""
    return f"{f'{sign}{abs(at_ns) // 10**9}.{abs(at_ns) % 10**9 // 1000:06}':>15}"


def _date(at_ns: int | None) -> str | None:
    """Return a date and time as ISO 8601 has them, or None if it is none."""
    if at_ns is None or not 0 <= at_ns < _LAST_DATE_NS:
        return None
    return f"{_EPOCH + timedelta(microseconds=at_ns // 1000):%Y-%m-%dT%H:%M:%S.%f}Z"

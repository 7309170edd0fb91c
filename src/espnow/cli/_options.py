"""The options of the commands on a radio, and what their values mean. A mistake is told in one line."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TypeVar

from espnow.capture import KeyRing, parse_key
from espnow.cli._frames import read_keys, shown_argument
from espnow.errors import UserError
from espnow.frame import BROADCAST, RATE_NAMES, format_mac, is_group, parse_mac
from espnow.link import Link
from espnow.radio import DEFAULT
from espnow.times import parse_time_us

__all__ = [
    "add_key_options",
    "add_radio_options",
    "begin_channel",
    "check_channel",
    "parse_address",
    "parse_board",
    "parse_channels",
    "parse_rate",
    "parse_time",
    "take_keys",
    "whole_number",
]

_MAC_HELP = "own address (default: one of this command on this computer; ESPNOW_MAC is for programs)"

_Default = TypeVar("_Default", bound=int | None)


def add_radio_options(parser: argparse.ArgumentParser, *, channel: bool = True, mac: bool = True) -> None:
    """Add the options that say which radio is used, and how.

    Args:
        parser: of a command.
        channel: it stays on one channel.
        mac: it has an address.
    """
    group = parser.add_argument_group("the radio")
    group.add_argument(
        "--radio", metavar="NAME", help=f"such as udp: or monitor:wlan1 (default: ESPNOW_RADIO, or {DEFAULT})"
    )
    if channel:
        group.add_argument("--channel", metavar="N", help="1 to 14 (default: ESPNOW_CHANNEL, or 1)")
    if mac:
        group.add_argument("--mac", metavar="MAC", help=_MAC_HELP)


def add_key_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say with which key messages are encrypted; `take_keys` takes them."""
    group = parser.add_argument_group("encryption")
    group.add_argument("--keys", metavar="FILE", action="append", default=[], help="a key file: encrypt with its key")
    group.add_argument(
        "--lmk", metavar="KEY", action="append", default=[], help="local master key; others can list it: use a file"
    )
    group.add_argument("--pmk", metavar="KEY", help="primary master key; without it that of a board which sets none")


def parse_address(text: str, what: str = "MAC") -> bytes:
    """Return an address as 6 bytes; `what` says whose, for the error.

    Raises:
        UserError: it is none.
    """
    try:
        return parse_mac(text)
    except ValueError:
        raise UserError(f"{what}: {shown_argument(text)} is no MAC address: write it as aa:bb:cc:dd:ee:ff") from None


def parse_board(text: str) -> bytes:
    """Return the address of a board, as 6 bytes.

    Raises:
        UserError: it is none, or that of a group.
    """
    address = BROADCAST if text == "broadcast" else parse_address(text)
    if is_group(address):
        raise UserError(f"{format_mac(address)} is a group's address: nobody acknowledges what is for a group")
    return address


def whole_number(option: str, text: str, least: int, most: int) -> int:
    """Return the value of an option that is a whole number.

    Raises:
        UserError: it is none, or out of its range.
    """
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not digits or not least <= int(text) <= most:
        raise UserError(f"{option}: {shown_argument(text)} is no whole number from {least} to {most}")
    return int(text)


def parse_time(option: str, text: str | None, *, default_us: _Default, least_us: int = 0) -> int | _Default:
    """Return the value of an option that is a time, in microseconds; `default_us` if it was not given.

    Raises:
        UserError: it is none, or less than `least_us`.
    """
    if text is None:
        return default_us
    try:
        us = parse_time_us(text)
    except ValueError as error:
        raise UserError(f"{option}: {shown_argument(text)}: {error}") from None
    if us < least_us:
        least = "more than nothing" if least_us == 1 else f"at least {least_us / 1000:g} ms"
        raise UserError(f"{option} {text}: a time must be {least}")
    return us


def parse_channels(option: str, text: str | None, link: Link) -> list[int]:
    """Return channels that were given as ``1,6,11`` or ``1-6``; without any, all that the radio has.

    Raises:
        UserError: one is none, or the radio does not have it.
    """
    known = link.abilities.channels
    if not text:
        return sorted(known)
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        begin = whole_number(option, first, 1, 14)
        found += range(begin, (whole_number(option, last, begin, 14) if dash else begin) + 1)
    channels = list(dict.fromkeys(found))
    for channel in channels:
        check_channel(option, channel, link)
    return channels


def check_channel(option: str, channel: int, link: Link) -> None:
    """Check that a radio has a channel.

    Raises:
        UserError: it does not.
    """
    if channel not in link.abilities.channels:
        has = ", ".join(map(str, sorted(link.abilities.channels)))
        raise UserError(f"{option}: this radio does not have channel {channel}; it has {has or 'none'}")


def parse_rate(text: str | None) -> int | None:
    """Return the ``wifi_phy_rate_t`` number of a rate that was given by its name there, such as 6M or MCS7_SGI.

    The long preamble and the long guard interval are understood where nothing is said.

    Raises:
        UserError: there is none.
    """
    if text is None:
        return None
    wanted = text.upper().removesuffix("_L").removesuffix("_LGI")
    if wanted not in RATE_NAMES:
        raise UserError(f"--rate: there is no {shown_argument(text)}; there are {', '.join(RATE_NAMES)}")
    return RATE_NAMES[wanted]


def begin_channel(option: str | None) -> int:
    """Return the channel on which a command begins: its option, what the environment says, or 1.

    Raises:
        UserError: it is none.
    """
    if option is not None:
        return whole_number("--channel", option, 1, 14)
    said = os.environ.get("ESPNOW_CHANNEL")
    return whole_number("ESPNOW_CHANNEL", said, 1, 14) if said else 1


def take_keys(arguments: argparse.Namespace, command: str) -> KeyRing | None:
    """Return the keys of the options and of the environment, with a warning if others can read them; None without any.

    Raises:
        UserError: a file cannot be read, or a key is wrong.
    """
    if arguments.lmk or arguments.pmk:
        print(
            f"espnow {command}: warning: everybody on this computer can list the keys of a command line; "
            "put them into a file and name it with --keys, or into ESPNOW_LMK and ESPNOW_PMK",
            file=sys.stderr,
        )
    for name in ("ESPNOW_LMK", "ESPNOW_PMK"):
        if os.environ.get(name):
            try:
                parse_key(os.environ[name])
            except ValueError as error:  # holds no key
                raise UserError(f"{name}: {error}") from None
    if not arguments.keys and not arguments.lmk and os.environ.get("ESPNOW_LMK"):
        arguments.lmk = [os.environ["ESPNOW_LMK"]]
    if arguments.pmk is None and (arguments.lmk or arguments.keys):
        arguments.pmk = os.environ.get("ESPNOW_PMK") or None
    return read_keys(arguments)

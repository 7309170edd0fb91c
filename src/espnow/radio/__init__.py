"""A board's way to other processes and to real radios, one module or folder each, found by a name such as ``udp:``.

A radio's name is written as a URL: kind, colon, what it is about, and settings after a question mark, as in
``udp:?loss=0.1`` or ``monitor:wlan1``. `use` chooses the one of the process's own board, `open_radio` opens any.

Rules: no radio imports another (one that wraps others gets them given), and none knows boards; each is an
`espnow.link.Link` and lives in a `espnow.radio.loop.RadioLoop`, whose lock is held in every call. Other packages add
kinds by an entry point in the group ``espnow.radios`` whose name is the kind and whose object is an `Opener`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from espnow.errors import UserError

if TYPE_CHECKING:
    from espnow.link import Link
    from espnow.radio.loop import RadioLoop

__all__ = [
    "DEFAULT",
    "KINDS",
    "Choice",
    "Opener",
    "RadioName",
    "check_channel",
    "chosen",
    "open_radio",
    "parse_name",
    "take_choice",
    "use",
]

#: The radio of an ordinary program that says nothing.
DEFAULT = "udp:"

#: Kind of radio: module and the function in it that opens one.
KINDS: dict[str, tuple[str, str]] = {
    "none": ("espnow.radio.none", "open_none"),
    "udp": ("espnow.radio.udp", "open_udp"),
    "monitor": ("espnow.radio.monitor", "open_monitor"),
    "pcap": ("espnow.radio.pcap", "open_pcap"),
}


@dataclass(frozen=True, slots=True)
class RadioName:
    """A radio's name in its parts.

    Attributes:
        text: the whole, as it was given.
        kind: what stands before the colon.
        rest: what stands between colon and question mark.
        settings: what stands behind it, by key, still as text.
    """

    text: str
    kind: str
    rest: str
    settings: Mapping[str, str]

    def check_settings(self, known: tuple[str, ...]) -> None:
        """Refuse a setting that is not among `known`.

        Raises:
            UserError: which, and what there is.
        """
        for key in self.settings:
            if key not in known:
                there = f"there are {', '.join(known)}" if known else "it has none"
                raise UserError(f"radio {self.text!r}: there is no setting {key!r}; {there}")

    def number(self, key: str, default: float, least: float, most: float) -> float:
        """Return a setting as a number from `least` to `most`.

        Raises:
            UserError: it is none.
        """
        text = self.settings.get(key)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise UserError(f"radio {self.text!r}: {key}={text!r} must be a number from {least:g} to {most:g}")
        return value

    def one_of(self, key: str, default: str, values: tuple[str, ...]) -> str:
        """Return a setting that must be one of `values`.

        Raises:
            UserError: it is another.
        """
        value = self.settings.get(key, default)
        if value not in values:
            raise UserError(f"radio {self.text!r}: {key}={value!r} must be one of {', '.join(values)}")
        return value


#: Opens a radio: its name, the loop it lives in, and where it reports what a person should know, a line at a time; that
#: never raises.
Opener = Callable[[RadioName, "RadioLoop", Callable[[str], None]], "Link"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the process's own board was asked to be; None where nothing was said.

    Attributes:
        radio: name of its radio.
        mac: its address, ``"aa:bb:cc:dd:ee:ff"`` or 6 bytes.
        profile: its kind.
        channel: its channel when it starts.
        capture: file to which every frame is written.
        answer_timeout_ms: how long a synchronous send waits before it raises ETIMEDOUT.
    """

    radio: str | None = None
    mac: bytes | str | None = None
    profile: str | None = None
    channel: int | None = None
    capture: str | os.PathLike[str] | None = None
    answer_timeout_ms: float | None = None


_choice = Choice()
_taken = False


def use(
    radio: str | None = None,
    *,
    mac: bytes | str | None = None,
    profile: str | None = None,
    channel: int | None = None,
    capture: str | os.PathLike[str] | None = None,
    answer_timeout_ms: float | None = None,
) -> None:
    """Choose the radio and the kind of the process's own board, before its first use.

    The last call counts, whole. What it does not say is taken from ``ESPNOW_RADIO``, ``ESPNOW_MAC``,
    ``ESPNOW_PROFILE``, ``ESPNOW_CHANNEL``, ``ESPNOW_CAPTURE`` and ``ESPNOW_ANSWER_TIMEOUT_MS``, or is as usual.

    Args:
        radio: its name, such as ``"udp:"`` or ``"monitor:wlan1"``.
        mac: address of its STA interface, ``"aa:bb:cc:dd:ee:ff"`` or 6 bytes.
        profile: ``"esp32"``, ``"esp32-v2"`` or ``"esp8266"``.
        channel: 1 to 14, until the program sets another.
        capture: a pcapng file to which every frame is written that it sends or hears.
        answer_timeout_ms: how long a synchronous send waits before it raises ETIMEDOUT.

    Raises:
        UserError: the board is there already, something is of a type that it cannot be, or the name cannot be that of a
            radio. Whether the rest can be is found out when the board is made.
    """
    global _choice
    if _taken:
        raise UserError("espnow.radio.use comes too late: the board is in use; call it before the first ESPNow or WLAN")
    for name, value, kinds, what in (
        ("radio", radio, (str,), "the name of a radio as text"),
        ("mac", mac, (str, bytes, bytearray, memoryview), "a MAC address, as text or 6 bytes"),
        ("profile", profile, (str,), "the name of a profile as text"),
        ("capture", capture, (str, os.PathLike), "the path of a file as text"),
    ):
        if value is not None and not isinstance(value, kinds):
            raise UserError(f"espnow.radio.use: {name}={value!r} must be {what}")
    if radio is not None:
        parse_name(radio)
    _choice = Choice(radio, mac, profile, channel, capture, answer_timeout_ms)


def chosen() -> Choice:
    """Return what `use` was told last."""
    return _choice


def take_choice(taken: bool) -> None:
    """Say whether there is a board of this choice: while there is, it is too late for another."""
    global _taken
    _taken = taken


def parse_name(text: str) -> RadioName:
    """Return the parts of a radio's name.

    Raises:
        UserError: it is no name. Whether there is such a kind is found out by `open_radio`.
    """
    kind, colon, rest = text.partition(":")
    if not colon:
        hint = f"write {kind}:" if kind in KINDS else f"write {DEFAULT} or monitor:wlan1"
        raise UserError(f"{text!r} is no radio: its name has a colon; {hint}")
    rest, _, settings = rest.partition("?")
    pairs: dict[str, str] = {}
    for part in settings.split("&") if settings else ():
        key, equals, value = part.partition("=")
        if not equals or not key or key in pairs:
            raise UserError(f"radio {text!r}: settings are written key=value, each once, with & between them")
        pairs[key] = value
    return RadioName(text, kind, rest, pairs)


def open_radio(text: str, loop: RadioLoop, report: Callable[[str], None]) -> Link:
    """Open a radio.

    Args:
        text: its name.
        loop: the loop that it lives in.
        report: gets what a person should know, one line each: trouble with the device, and its end. It is called from
            the middle of the radio's work, under the lock, and never raises.

    Returns:
        The link. Its ``station`` must be set, and nothing is heard or sent before its first ``configure``.

    Raises:
        UserError: there is no such radio, or it cannot be opened: why, and what to do.
    """
    name = parse_name(text)
    with loop.lock:
        return _opener(name)(name, loop, report)


def check_channel(choice: Choice, link: Link) -> int:
    """Return the channel that a board of this choice begins on.

    Raises:
        UserError: its radio does not have that.
    """
    channel, there = choice.channel or 1, link.abilities.channels
    if channel not in there:
        raise UserError(f"radio {choice.radio!r} has no channel {channel}; it has {', '.join(map(str, sorted(there)))}")
    return channel


def _opener(name: RadioName) -> Opener:
    found = KINDS.get(name.kind)
    if found is not None:
        opener: Opener = getattr(importlib.import_module(found[0]), found[1])
        return opener
    from importlib.metadata import entry_points

    points = entry_points(group="espnow.radios", name=name.kind)
    for point in points:
        loaded: Opener = point.load()
        return loaded
    raise UserError(f"there is no radio {name.kind!r}: there are {', '.join(f'{kind}:' for kind in KINDS)}")

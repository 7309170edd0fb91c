"""The keys that open encrypted frames of a capture.

Rules:

- A key is a secret: it appears in no repr, no error and no log. What people see is a key's name. An exception that
  could hold a file's text or a key is not even kept as another one's context.
- Opens no file: a key file comes as its text.
- A frame is opened by a key only if its MIC is right.

A key of ESP-NOW is made of a PMK and an LMK (`espnow.frame.derive_key`). Each is 16 bytes, written as 16 characters or
as 32 hexadecimal digits.
"""

from __future__ import annotations

import re
import string
import tomllib
from itertools import count
from typing import Any, NamedTuple

from espnow.errors import FrameError, UserError
from espnow.frame import (
    DEFAULT_PMK,
    Examined,
    ProtectedFrame,
    derive_key,
    examine_opened,
    parse_mac,
)
from espnow.frame.ccmp import KEY_LENGTH
from espnow.frame.decoders import MAX_TEXT, long_key_line
from espnow.frame.text import printable

__all__ = ["KeyRing", "Opened", "PeerKey", "parse_key"]

#: The longest name of a key, in characters (assumed).
_MAX_NAME = 64
#: How many pairs of addresses are remembered with the key that opened their last frame (assumed to be enough).
_MAX_PAIRS = 65_536
_PLACE = re.compile(r"\(at (line \d+, column \d+|end of document)\)$")


class Opened(NamedTuple):
    """An encrypted frame that a key opened.

    Attributes:
        examined: the plain frame, and what is odd about its body.
        name: the key's name.
    """

    examined: Examined
    name: str


class PeerKey(NamedTuple):
    """What a peer is added with, so that messages to it are encrypted.

    Attributes:
        name: the key's name.
        lmk: local master key.
        pmk: primary master key.
    """

    name: str
    lmk: bytes
    pmk: bytes

    def __repr__(self) -> str:
        """Return its name, and not the keys."""
        return f"<key {self.name!r}>"


class _Key:
    """One key, for all frames or for those from or to some addresses."""

    __slots__ = ("addresses", "key", "lmk", "name", "pmk")

    def __init__(self, lmk: bytes, pmk: bytes, name: str, addresses: frozenset[bytes]) -> None:
        self.key = derive_key(pmk, lmk)
        self.lmk = lmk
        self.pmk = pmk
        self.name = name
        self.addresses = addresses

    def __repr__(self) -> str:
        return f"<key {self.name!r}>"


class KeyRing:
    """Keys, of which each is tried on each pair of addresses; a pair's last one first."""

    __slots__ = ("_by_pair", "_keys")

    def __init__(self) -> None:
        """Begin without a key."""
        self._keys: list[_Key] = []
        self._by_pair: dict[bytes, _Key] = {}

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._keys)

    def __repr__(self) -> str:
        """Return how many keys there are, and not the keys."""
        return f"<KeyRing of {len(self._keys)}>"

    def add(
        self,
        lmk: bytes,
        pmk: bytes | None = None,
        *,
        name: str | None = None,
        addresses: frozenset[bytes] = frozenset(),
    ) -> None:
        """Add a key.

        Args:
            lmk: local master key, 16 bytes.
            pmk: primary master key, 16 bytes; without it that of a board which sets none.
            name: what people see of it; ``key 1`` and so on, if none is given.
            addresses: only frames from or to one of them are tried; all frames, if there is none.

        Raises:
            ValueError: a key is not 16 bytes long, or another key has the name.
        """
        key = _Key(lmk, DEFAULT_PMK if pmk is None else pmk, "", addresses)
        names = {other.name for other in self._keys}
        if name is None:
            name = next(name for number in count(len(self._keys) + 1) if (name := f"key {number}") not in names)
        elif name in names:
            raise ValueError(f"there is another key with the name {printable(name)}")
        key.name = name
        self._keys.append(key)

    def add_toml(self, text: str, *, pmk: bytes | None = None) -> None:
        """Add the keys of a key file.

        ::

            pmk = "16 characters or 32 hexadecimal digits"     # optional; for the keys that name none
            [[key]]
            lmk = "16 characters or 32 hexadecimal digits"
            pmk = "..."                                         # optional
            name = "greenhouse"                                 # optional; what people see of it
            address = "30:aa:aa:aa:aa:aa"                       # optional, one or a list: only from or to it

        Args:
            text: of the file.
            pmk: for the keys that name none, in a file that names none; else a board's own default.

        Raises:
            UserError: it is no such file; the text says where and what is wrong, without a key. No key is added then.
        """
        content = _load(text)
        _check_names(content, ("pmk", "key"), "the file")
        default = pmk
        if "pmk" in content:
            default = _read_key(content["pmk"], "pmk")
        entries = content.get("key")
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise UserError('it has no key: write [[key]] and below it lmk = "..."')
        found = KeyRing()
        found._keys += self._keys
        for number, entry in enumerate(entries, 1):
            where = f"key {number}"
            _check_names(entry, ("lmk", "pmk", "name", "address"), where)
            if "lmk" not in entry:
                raise UserError(f'{where} has no lmk: write lmk = "..."')
            lmk = _read_key(entry["lmk"], f"{where}: lmk")
            own_pmk = _read_key(entry["pmk"], f"{where}: pmk") if "pmk" in entry else default
            addresses = _read_addresses(entry.get("address", []), where)
            try:
                found.add(lmk, own_pmk, name=_read_name(entry.get("name"), where), addresses=addresses)
            except ValueError as error:  # holds no key
                raise UserError(f"{where}: {error}") from None
        self._keys = found._keys

    def for_peer(self, address: bytes) -> list[PeerKey]:
        """Return the keys that name an address; if there is none, those that name no address."""
        named = [key for key in self._keys if address in key.addresses]
        found = named or [key for key in self._keys if not key.addresses]
        return [PeerKey(key.name, key.lmk, key.pmk) for key in found]

    def open(self, frame: ProtectedFrame) -> Opened | None:
        """Return what a frame holds, or None if no key opens it."""
        pair = frame.destination + frame.source
        last = self._by_pair.get(pair)
        if last is not None:
            try:
                return Opened(examine_opened(frame, last.key), last.name)
            except FrameError:
                pass
        for key in self._keys:
            if key is last or (
                key.addresses and frame.destination not in key.addresses and frame.source not in key.addresses
            ):
                continue
            try:
                examined = examine_opened(frame, key.key)
            except FrameError:
                continue
            if len(self._by_pair) >= _MAX_PAIRS and pair not in self._by_pair:
                del self._by_pair[next(iter(self._by_pair))]
            self._by_pair[pair] = key
            return Opened(examined, key.name)
        return None


def parse_key(text: str) -> bytes:
    """Return the 16 bytes of a PMK or an LMK that was written as 16 characters or 32 hexadecimal digits.

    Raises:
        ValueError: it is neither; the text does not repeat the key.
    """
    if len(text) == 2 * KEY_LENGTH and all(character in string.hexdigits for character in text):
        return bytes.fromhex(text)
    key: bytes | None = None
    try:
        key = text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        pass
    if key is not None and len(key) == KEY_LENGTH:
        return key
    found = f"{len(text)} characters"
    if len(text) == 2 * KEY_LENGTH:
        found += ", not all of them such digits"
    elif key is not None and len(key) != len(text):
        found += f" of {len(key)} bytes"
    raise ValueError(f"a key is 16 characters or 32 hexadecimal digits; this has {found}")


def _load(text: str) -> dict[str, Any]:
    """Return what a TOML text holds."""
    if len(text) > MAX_TEXT:
        raise UserError(f"more than {MAX_TEXT} characters of keys")
    if line := long_key_line(text):
        raise UserError(f"no valid TOML for keys at line {line}: a name of many parts")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: bad TOML, or an integer of thousands of digits
        place = _PLACE.search(str(error))
    # TOML's own words may quote the text.
    raise UserError(f"no valid TOML{f' at {place[1]}' if place else ''}")


def _read_key(value: Any, where: str) -> bytes:
    if not isinstance(value, str):
        raise UserError(f'{where} is no text: write it in quotes, "..."')
    try:
        return parse_key(value)
    except ValueError as error:  # holds no key
        raise UserError(f"{where}: {error}") from None


def _read_name(value: Any, where: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME or not value.isprintable():
        raise UserError(f"{where}: a name is a printable text of at most {_MAX_NAME} characters")
    return value


def _read_addresses(value: Any, where: str) -> frozenset[bytes]:
    texts = value if isinstance(value, list) else [value]
    try:
        return frozenset(parse_mac(text) for text in texts)
    except (ValueError, TypeError, AttributeError):  # may hold a key that stands in the wrong place
        pass
    raise UserError(f'{where}: an address is written as "aa:bb:cc:dd:ee:ff", several as a list of them')


def _check_names(table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in table:
        if name not in known:
            # A name may be a key that stands in the wrong place.
            shown = printable(name) if len(name) < KEY_LENGTH else "a name of that length"
            raise UserError(f"{where} has an entry that nobody knows, {shown}; there are {', '.join(known)}")

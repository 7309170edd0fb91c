r"""`json` of a board, as https://docs.micropython.org/en/latest/library/json.html describes it.

Where MicroPython's (``extmod/modjson.c``, release 1.20 and later) differs from CPython's, this follows it:

- ``dumps`` raises for nothing. bytes are written as str are, keys that are no strings in quotes; what JSON has no form
  for, also a namedtuple and a bytearray, is written as ``repr`` shows it, without quotes.
- ``dumps`` knows ``separators`` alone, by keyword, and writes text as it is, not as ``\uXXXX``.
- ``loads`` takes any buffer. Commas and colons are white space to it, and a zero byte ends the text: a message that is
  padded with zeros can be read. Anything wrong is ValueError("syntax error in JSON"); there is no JSONDecodeError.
- ``load`` and ``dump`` take any stream, text or binary.

bytes that are no UTF-8 would make a str that only MicroPython can hold: here they become U+FFFD.
"""

from __future__ import annotations

import io as host_io
import json as host
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from espnow.api.base import buffer_bytes
from espnow.board import Board
from espnow.micropython.absent import absent
from espnow.micropython.services import Services
from espnow.micropython.streams import IOBase, read_all

__all__ = ["build"]

_ESCAPES = {code: f"\\u{code:04x}" for code in range(32)}
_ESCAPES.update({10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 92: "\\\\"})


def _quoted(value: str | bytes) -> str:
    text = value if isinstance(value, str) else value.decode("utf-8", "replace")
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{text.translate(_ESCAPES)}"'


#: What most values are; the rest of `_form` is for derived classes and what holds other values.
_PLAIN: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: repr,
    float: repr,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _value: "null",
    bytes: _quoted,
}


def _form(value: Any, comma: str, colon: str) -> str:
    """Return the JSON of a value."""
    plain = _PLAIN.get(type(value))
    if plain is not None:
        return plain(value)
    if isinstance(value, dict):
        pairs = [f"{_key(key, comma, colon)}{colon}{_form(item, comma, colon)}" for key, item in value.items()]
        return "{" + comma.join(pairs) + "}"
    if isinstance(value, list) or (isinstance(value, tuple) and not hasattr(value, "_fields")):
        return "[" + comma.join([_form(item, comma, colon) for item in value]) + "]"
    for kind, form in _PLAIN.items():
        if isinstance(value, kind):
            return form(value)
    return repr(value)


def _key(key: Any, comma: str, colon: str) -> str:
    return _quoted(key) if isinstance(key, str | bytes) else f'"{_form(key, comma, colon)}"'


def dumps(obj: Any, /, *, separators: tuple[str, str] | None = None) -> str:
    """Return `obj` as JSON.

    Args:
        obj: anything.
        separators: what stands between items, and between key and value; by default ``(", ", ": ")``.
    """
    comma, colon = (", ", ": ") if separators is None else separators
    return _form(obj, comma, colon)


def dump(obj: Any, stream: Any, /, *, separators: tuple[str, str] | None = None) -> None:
    """Write `obj` as JSON into a stream.

    Args:
        obj: anything.
        stream: a text or binary one, or an object of a class derived from ``io.IOBase``.
        separators: as for `dumps`.
    """
    text = dumps(obj, separators=separators)
    binary = isinstance(stream, host_io.RawIOBase | host_io.BufferedIOBase | IOBase)
    stream.write(text.encode() if binary else text)


def _no_constant(_name: str) -> NoReturn:
    raise ValueError


#: CPython's reader: what it accepts, MicroPython's accepts too. It is many times faster than `_Reader`, which is for
#: the rest.
_DECODE = host.JSONDecoder(strict=False, parse_constant=_no_constant).decode


def loads(text: Any, /) -> Any:
    """Return the value of a JSON text.

    Args:
        text: a str, or a buffer of UTF-8.

    Raises:
        TypeError: neither of both.
        ValueError: it is no JSON.
    """
    raw = buffer_bytes(text)
    try:
        return _DECODE(text if isinstance(text, str) else raw.decode())
    except (ValueError, RecursionError):
        pass
    return _Reader(raw).read()  # out here: its errors have no other error behind them


def load(stream: Any, /) -> Any:
    """Return the value of the JSON text that a stream holds.

    Raises:
        ValueError: it is no JSON.
    """
    return loads(read_all(stream))


def _syntax_error() -> ValueError:
    return ValueError("syntax error in JSON")


_SPACE = b",: \t\n\r"
_NUMBER = b"0123456789+-.eE"
_LETTERS = {ord("b"): 8, ord("f"): 12, ord("n"): 10, ord("r"): 13, ord("t"): 9}
_WORDS: dict[int, tuple[bytes, Any]] = {
    ord("n"): (b"null", None),
    ord("t"): (b"true", True),
    ord("f"): (b"false", False),
}


class _Reader:
    """Reads what MicroPython's reader accepts and CPython's does not."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw.partition(b"\0")[0]
        self._at = 0

    def read(self) -> Any:
        """Return the one value of the text.

        Raises:
            ValueError: it is no JSON.
        """
        value = self._value(self._next())
        if self._raw[self._at :].strip(b" \t\n\r\v\f"):
            raise _syntax_error()
        return value

    def _next(self) -> int:
        """Return the next byte that is no space."""
        raw, at = self._raw, self._at
        while at < len(raw) and raw[at] in _SPACE:
            at += 1
        if at == len(raw):
            raise _syntax_error()
        self._at = at + 1
        return raw[at]

    def _value(self, first: int) -> Any:
        """Return a value; lists inside are read without recursion, so that a text cannot exhaust the stack."""
        outer: list[_Open] = []
        while True:
            if first in b"[{":
                outer.append(_Open(first))
                first = self._next()
                continue
            if first in b"]}":
                if not outer:
                    raise _syntax_error()
                value = outer.pop().value
            else:
                value = self._scalar(first)
            if not outer:
                return value
            outer[-1].add(value)
            first = self._next()

    def _scalar(self, first: int) -> Any:
        if first == ord('"'):
            return self._string()
        if first in b"-0123456789":
            return self._number()
        word, value = _WORDS.get(first, (b"", None))
        start = self._at - 1
        if not word or not self._raw.startswith(word, start):
            raise _syntax_error()
        self._at = start + len(word)
        return value

    def _number(self) -> float:
        start = self._at - 1
        while self._at < len(self._raw) and self._raw[self._at] in _NUMBER:
            self._at += 1
        text = self._raw[start : self._at].decode()
        try:
            return float(text) if set(text) & set(".eE") else int(text)
        except ValueError:
            raise ValueError("invalid syntax for number") from None

    def _string(self) -> str:
        raw = self._raw
        found = bytearray()
        try:
            while (byte := raw[self._at]) != ord('"'):
                self._at += 1
                if byte != ord("\\"):
                    found.append(byte)
                    continue
                byte = raw[self._at]
                self._at += 1
                if byte != ord("u"):
                    found.append(_LETTERS.get(byte, byte))
                    continue
                found += chr(int(raw[self._at : self._at + 4], 16)).encode("utf-8", "surrogatepass")
                self._at += 4
        except (IndexError, ValueError):
            raise _syntax_error() from None
        self._at += 1
        try:
            text = found.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise UnicodeError("a string in JSON is no UTF-8") from None
        # The halves of one character that two escapes stand for.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


class _Open:
    """A list or dict that is being read."""

    def __init__(self, first: int) -> None:
        self.value: list[Any] | dict[Any, Any] = [] if first == ord("[") else {}
        self._keys: list[Any] = []

    def add(self, item: Any) -> None:
        """Take an item of the list, or a key or value of the dict."""
        if isinstance(self.value, list):
            self.value.append(item)
        elif self._keys:
            self.value[self._keys.pop()] = item
        elif isinstance(item, list | dict):
            raise _syntax_error()
        else:
            self._keys.append(item)


_NAMES: dict[str, Any] = {
    "__getattr__": absent(
        "json",
        {
            "JSONDecodeError": "catch ValueError",
            "JSONEncoder": "what JSON has no form for is written as repr shows it",
            "JSONDecoder": "use loads",
        },
    ),
    "dump": dump,
    "dumps": dumps,
    "load": load,
    "loads": loads,
}


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `json` of a board."""
    module = ModuleType("json", "JSON as this board reads and writes it.")
    vars(module).update(_NAMES)
    return module

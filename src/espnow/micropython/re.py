r"""`re` of a board, as https://docs.micropython.org/en/latest/library/re.html describes it.

MicroPython's expressions (``extmod/modre.c``, ``lib/re1.5``) are a part of CPython's, and CPython's engine runs them.
What differs is kept: a dot is any character, a dollar the very end, braces are characters like others; named groups,
look-around and ``(?flags)`` are ValueError("error in regex"); ``\b`` and other letters with a backslash are that
letter. One expression serves str and bytes; what is found is of the kind that was searched. ``sub`` and ``split`` stop
at an empty match. There is nothing but ``compile``, ``match``, ``search`` and ``sub``; only a compiled expression has
``split``.
"""

from __future__ import annotations

import re as host
from functools import lru_cache
from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.micropython.absent import absent
from espnow.micropython.services import Services
from espnow.micropython.struct import to_int

__all__ = ["build"]

_CLASSES = "dDsSwW"
_DEBUG = 4096


def _translated(pattern: str) -> str:
    """Return CPython's form of an expression."""
    parts: list[str] = []
    in_set = False
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "\\":
            escaped = pattern[at : at + 1]
            at += 1
            if not escaped:
                raise ValueError("error in regex")
            is_class = escaped in _CLASSES
            parts.append(char + escaped if is_class or not escaped.isalnum() else escaped)
        elif in_set:
            in_set = char != "]"
            parts.append("\\[" if char == "[" else char)
        elif char == "[":
            in_set = True
            if pattern.startswith("^", at):
                char += "^"
                at += 1
            parts.append(char)
        elif char in "{}":
            parts.append("\\" + char)
        elif char == "$":
            parts.append(r"\Z")
        elif char == "(" and pattern.startswith("?", at) and not pattern.startswith("?:", at):
            raise ValueError("error in regex")
        else:
            parts.append(char)
    return "".join(parts)


class _Match:
    """What was found."""

    __slots__ = ("_found",)

    def __init__(self, found: host.Match[Any]) -> None:
        self._found = found

    def group(self, index: int, /) -> Any:
        """Return what a group matched: 0 is all; None, the group took no part.

        Raises:
            IndexError: there is no such group.
        """
        return self._found.group(self._index(index))

    def groups(self) -> tuple[Any, ...]:
        """Return what each group matched."""
        return self._found.groups()

    def start(self, index: int = 0, /) -> int:
        """Return where a group begins, -1 if it took no part."""
        return self._found.start(self._index(index))

    def end(self, index: int = 0, /) -> int:
        """Return where a group ends, -1 if it took no part."""
        return self._found.end(self._index(index))

    def span(self, index: int = 0, /) -> tuple[int, int]:
        """Return where a group begins and ends."""
        return self._found.span(self._index(index))

    def _index(self, index: int) -> int:
        number = to_int(index)
        if not 0 <= number <= self._found.re.groups:
            raise IndexError(number)
        return number

    def __repr__(self) -> str:
        return f"<match num={self._found.re.groups + 1}>"


class _Regex:
    """A compiled expression."""

    __slots__ = ("_bytes", "_pattern", "_str")

    def __init__(self, pattern: str) -> None:
        self._pattern = _translated(pattern)
        try:
            self._str = host.compile(self._pattern, host.ASCII | host.DOTALL)
        except (host.error, RecursionError, OverflowError):
            raise ValueError("error in regex") from None
        self._bytes: host.Pattern[bytes] | None = None

    def _of(self, string: Any) -> host.Pattern[Any]:
        """Return the expression for what is searched."""
        if isinstance(string, str):
            return self._str
        if not isinstance(string, bytes | bytearray):
            raise TypeError(f"can't convert '{type(string).__name__}' object to str implicitly")
        if self._bytes is None:
            self._bytes = host.compile(self._pattern.encode(), host.DOTALL)
        return self._bytes

    def match(self, string: Any, pos: int = 0, endpos: int | None = None, /) -> _Match | None:
        """Match at the beginning of a str or bytes.

        Args:
            string: what to look at.
            pos: where to begin.
            endpos: where it ends.
        """
        found = self._of(string).match(string, max(0, pos), len(string) if endpos is None else endpos)
        return None if found is None else _Match(found)

    def search(self, string: Any, pos: int = 0, endpos: int | None = None, /) -> _Match | None:
        """Look for the first match in a str or bytes; arguments are those of `match`."""
        found = self._of(string).search(string, max(0, pos), len(string) if endpos is None else endpos)
        return None if found is None else _Match(found)

    def split(self, string: Any, max_split: int = 0, /) -> list[Any]:
        """Return what stands between the matches.

        Args:
            string: what to split.
            max_split: after how many matches to stop; 0 and less is never.

        Raises:
            NotImplementedError: the expression has groups.
        """
        parts = []
        at = 0
        for found in self._matches(string, max_split):
            if found.re.groups:
                raise NotImplementedError("splitting with sub-captures")
            parts.append(string[at : found.start()])
            at = found.end()
        return [*parts, string[at:]]

    def sub(self, replace: Any, string: Any, count: int = 0, _flags: int = 0, /) -> Any:
        r"""Return `string` with its matches replaced.

        Args:
            replace: a str or bytes, with ``\1`` and ``\g<1>`` for groups; or a function of the match that returns one.
            string: a str or bytes.
            count: how many to replace at most; 0 is all.

        Raises:
            IndexError: a group that the expression has not.
        """
        parts = []
        at = 0
        for found in self._matches(string, count):
            text = replace(_Match(found)) if callable(replace) else replace
            parts += [string[at : found.start()], _expanded(text, found)]
            at = found.end()
        return string[:0].join([*parts, string[at:]]) if parts else string

    def _matches(self, string: Any, limit: int) -> list[host.Match[Any]]:
        """Return matches one after the other, up to the first empty one."""
        found = []
        for match in self._of(string).finditer(string):
            if match.start() == match.end():
                break
            found.append(match)
            if len(found) == limit:
                break
        return found

    def __repr__(self) -> str:
        return "<re>"


_REFERENCE = host.compile(r"\\(?:g<(\d+)>?|(\d+)|(\\)|)")


def _expanded(text: str | bytes, found: host.Match[Any]) -> Any:
    """Return a replacement with its groups filled in, of the kind of what was searched."""
    as_bytes = isinstance(found.string, bytes | bytearray)

    def fill(reference: host.Match[str]) -> str:
        number = reference[1] or reference[2]
        if number is None:
            return reference[3] or ""
        if int(number) > found.re.groups:
            raise IndexError(int(number))
        group = found.group(int(number)) or found.string[:0]
        return bytes(group).decode("latin-1") if as_bytes else group

    if as_bytes:
        raw = text.encode() if isinstance(text, str) else text
        return _REFERENCE.sub(fill, raw.decode("latin-1")).encode("latin-1")
    return _REFERENCE.sub(fill, text if isinstance(text, str) else text.decode())


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> _Regex:
    return _Regex(pattern)


def compile(pattern: Any, _flags: int = 0, /) -> Any:
    """Return a compiled expression.

    Raises:
        ValueError: it is none.
    """
    if isinstance(pattern, _Regex):
        return pattern
    if isinstance(pattern, bytes):
        pattern = pattern.decode()
    if not isinstance(pattern, str):
        raise TypeError(f"can't convert '{type(pattern).__name__}' object to str implicitly")
    return _compiled(pattern)


def match(pattern: Any, string: Any, /) -> _Match | None:
    """Match an expression at the beginning of a str or bytes."""
    return compile(pattern).match(string)  # type: ignore[no-any-return]


def search(pattern: Any, string: Any, /) -> _Match | None:
    """Look for the first match of an expression in a str or bytes."""
    return compile(pattern).search(string)  # type: ignore[no-any-return]


def sub(pattern: Any, replace: Any, string: Any, count: int = 0, flags: int = 0, /) -> Any:
    """Return `string` with the matches of an expression replaced; arguments are those of the method ``sub``."""
    return compile(pattern).sub(replace, string, count, flags)


_NAMES: dict[str, Any] = {
    "DEBUG": _DEBUG,
    "__getattr__": absent(
        "re",
        {
            "IGNORECASE": "there are no flags",
            "error": "catch ValueError",
            "findall": "search again from match.end()",
            "finditer": "search again from match.end()",
            "fullmatch": "end the expression with $",
            "split": "compile the expression first, and use its split",
        },
    ),
    "compile": compile,
    "match": match,
    "search": search,
    "sub": sub,
}


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `re` of a board."""
    module = ModuleType("re", "Regular expressions of this board.")
    vars(module).update(_NAMES)
    return module

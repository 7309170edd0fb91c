"""f-strings whose expressions hold the string's own quotes, as in ``f"{d["key"]}"``.

MicroPython's lexer takes them, as CPython does from 3.12 on; for an older CPython they are turned into what MicroPython
compiles: the text with empty fields, and a call of ``format`` with the expressions. Lines stay where they are. Only
f-strings that need it are touched.
"""

from __future__ import annotations

import re

__all__ = ["rewrite_fstrings"]

_WORD = re.compile(r"\w+")
_QUOTE = re.compile(r"'''|\"\"\"|'|\"")
_PREFIXES = frozenset({"r", "b", "u", "f", "rb", "br", "fr", "rf"})
_CONVERSION = re.compile(r"![rsa](?=[:}])")
_OPENING, _CLOSING = "([{", ")]}"


def rewrite_fstrings(text: str) -> str:
    """Return a program's text in which CPython 3.11 can read every f-string.

    Raises:
        ValueError: a string or a field has no end.
    """
    done: list[str] = []
    place = 0
    while place < len(text):
        word = _WORD.match(text, place)
        start = word.end() if word else place
        quote = _QUOTE.match(text, start)
        prefix = word[0].lower() if word else ""
        if quote and (not word or prefix in _PREFIXES):
            if "f" in prefix:
                part, place = _rewrite(text, place, start, quote[0])
                done.append(part)
            else:
                end = _string_end(text, quote.end(), quote[0])
                done.append(text[place:end])
                place = end
        elif word:
            done.append(word[0])
            place = word.end()
        elif text[place] == "#":
            end = text.find("\n", place)
            end = len(text) if end < 0 else end
            done.append(text[place:end])
            place = end
        else:
            done.append(text[place])
            place += 1
    return "".join(done)


def _string_end(text: str, place: int, quote: str) -> int:
    """Return where a string ends that has begun before `place`."""
    while not text.startswith(quote, place):
        if place >= len(text) or (text[place] == "\n" and len(quote) == 1):
            raise ValueError("a string that does not end")
        place += 2 if text[place] == "\\" else 1
    return place + len(quote)


def _rewrite(text: str, begin: int, quote_at: int, quote: str) -> tuple[str, int]:
    """Return an f-string, rewritten if it must be, and where it ends."""
    body: list[str] = []
    arguments: list[str] = []
    needed = False
    place = quote_at + len(quote)
    while not text.startswith(quote, place):
        if place >= len(text) or (text[place] == "\n" and len(quote) == 1):
            raise ValueError("an f-string that does not end")
        if text[place] == "\\":
            end = text.find("}", place) + 1 if text.startswith("\\N{", place) else place + 2
            body.append(text[place:end])
            place = end
        elif text[place] == "{" and not text.startswith("{{", place):
            field, end = _field(text, place + 1, arguments)
            needed = needed or quote[0] in text[place:end] or "\\" in text[place:end]
            body.append(field)
            place = end
        else:
            length = 2 if text[place : place + 2] in ("{{", "}}") else 1
            body.append(text[place : place + length])
            place += length
    end = place + len(quote)
    if not needed:
        return text[begin:end], end
    prefix = text[begin:quote_at].lower().replace("f", "")
    called = ", ".join(f"({rewrite_fstrings(argument)})" for argument in arguments)
    return f"{prefix}{quote}{''.join(body)}{quote}.format({called})", end


def _field(text: str, place: int, arguments: list[str]) -> tuple[str, int]:
    """Return the field for ``format`` that stands for an expression, which is added to `arguments`, and its end."""
    end = _expression_end(text, place)
    expression = text[place:end]
    before = ""
    shown = expression.rstrip()
    if shown.endswith("=") and shown[-2:] not in ("==", "!=", "<=", ">="):
        before = "{}"
        arguments += [repr(expression), shown[:-1]]
    else:
        arguments.append(expression)
    conversion = _CONVERSION.match(text, end)
    if conversion:
        end = conversion.end()
    spec: list[str] = []
    if text[end : end + 1] == ":":
        end += 1
        spec.append(":")
        while text[end : end + 1] != "}":
            if text[end : end + 1] == "{":
                inner, end = _field(text, end + 1, arguments)
                spec.append(inner)
            elif end >= len(text):
                raise ValueError("a field that does not end")
            else:
                spec.append(text[end])
                end += 1
    shown_as = conversion[0] if conversion else "!r" if before and not spec else ""
    return f"{before}{{{shown_as}{''.join(spec)}}}", end + 1


def _expression_end(text: str, place: int) -> int:
    """Return where the expression of a field ends: at its conversion, its format or its brace."""
    depth = 0
    while place < len(text):
        letter = text[place]
        quote = _QUOTE.match(text, place)
        if quote:
            place = _string_end(text, quote.end(), quote[0])
            continue
        if depth == 0 and (letter in ":}" or _CONVERSION.match(text, place)):
            return place
        depth += (letter in _OPENING) - (letter in _CLOSING)
        place += 1
    raise ValueError("a field that does not end")

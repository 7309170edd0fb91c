"""Text from the air, made fit for a person's terminal.

Rules:

- What came by air or from a file never reaches a terminal as it is: a control character, an escape
  sequence, a line separator, a bidirectional or other format character appears as a backslash
  escape.
- What `str.isprintable` takes stays as it is, the letters of every script among it.

Follows the Unicode categories: "Other" and "Separator", but for the space, are not printable.
"""

from __future__ import annotations

__all__ = ["message_text", "printable"]


def printable(text: str) -> str:
    r"""Return text with everything that is not printable as Python's escapes, such as ``\n``, ``\x1b``, ``\u202e``.

    A backslash in the text stays one: the result is to be read, not to be turned back.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def message_text(message: bytes) -> str | None:
    """Return a message as text if it is UTF-8 and wholly printable, else None: hex tells more then."""
    try:
        text = message.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None

"""What a board's program has as builtins: the host's, with the console and the import system of its own board.

`print` formats as CPython's does, floats with all their digits too. ``const`` and viper's types are there without an
import, as in MicroPython, where they are the compiler's. The names in capitals below are what the loader calls in a
program's stead where MicroPython's types do more than CPython's (``py/objint.c``, ``py/objstr.c``, ``py/objarray.c``).
"""

from __future__ import annotations

import builtins as host
from collections.abc import Callable
from typing import Any, Literal, NoReturn, TypeVar

from espnow.board import Board
from espnow.micropython.files import make_open
from espnow.micropython.services import Services
from espnow.micropython.viper import VIPER_NAMES

__all__ = [
    "AFFIXED",
    "AS_BYTES",
    "EXTEND",
    "FITTING",
    "FROM_BYTES",
    "FROM_HEX",
    "JOINED",
    "PRINT_COST_US",
    "SEARCHED",
    "STEADY",
    "TOLD",
    "TO_BYTES",
    "const",
    "make_builtins",
]

#: What stands for ``int.from_bytes``, for ``.to_bytes`` of anything, around what is taken as bytes, around what a loop
#: goes over that may change it, around an exception whose ``errno`` or ``value`` is asked for, around what text is
#: searched in or joined to, around what is joined to something, and for the methods of anything that look at its ends,
#: make it longer, or read hexadecimal digits.
AFFIXED = {"startswith": "__startswith__", "endswith": "__endswith__"}
SEARCHED = "__searched__"
STEADY = "__steady__"
TOLD = "__told__"
FROM_BYTES = "__from_bytes__"
TO_BYTES = "__to_bytes__"
AS_BYTES = "__as_bytes__"
EXTEND = "__extend__"
FROM_HEX = "__from_hex__"
JOINED = "__joined__"
FITTING = "__fitting__"

#: What a print costs, in microseconds of virtual time. Assumed; a real one depends on the length and the serial port.
PRINT_COST_US = 20

_SOME: dict[Any, Any] = {}
_KEYS, _ITEMS, _VALUES = type(_SOME.keys()), type(_SOME.items()), type(_SOME.values())
_VIEWS = frozenset((_KEYS, _ITEMS, _VALUES))

_T = TypeVar("_T")


def const(value: _T, /) -> _T:
    """Return `value`; MicroPython's compiler takes it as a constant."""
    return value


def from_bytes(kind: Any, raw: Any, byteorder: Any = "big", /, *_ignored: Any, **options: Any) -> Any:
    """Return an integer of bytes; any order but "little" is big-endian, and a third positional argument is ignored."""
    if kind is not int:
        return kind.from_bytes(raw, byteorder, *_ignored, **options)
    byteorder = options.pop("byteorder", byteorder)
    return int.from_bytes(as_bytes(raw), "little" if byteorder == "little" else "big", **options)


def to_bytes(number: Any, /, *values: Any, **options: Any) -> Any:
    """Return an integer as bytes; any order but "little" is big-endian, and a negative number is signed."""
    if type(number) not in (int, bool):
        return number.to_bytes(*values, **options)
    names = ("length", "byteorder")
    options = {**dict(zip(names, values, strict=False)), **options}
    byteorder: Literal["little", "big"] = "little" if options.get("byteorder") == "little" else "big"
    return int(number).to_bytes(options.get("length", 1), byteorder, signed=number < 0 or bool(options.get("signed")))


def as_bytes(value: Any, /) -> Any:
    """Return text as UTF-8, and anything else as it is: MicroPython's text is a buffer of bytes."""
    return value.encode() if type(value) is str else value


def startswith(value: Any, /, *wanted: Any) -> Any:
    """Return whether a value starts so; bytes may be asked for text."""
    return value.startswith(*map(as_bytes, wanted) if type(value) is bytes else wanted)


def endswith(value: Any, /, *wanted: Any) -> Any:
    """Return whether a value ends so; bytes may be asked for text."""
    return value.endswith(*map(as_bytes, wanted) if type(value) is bytes else wanted)


def extend(values: Any, more: Any, /) -> Any:
    """Make something longer; a bytearray by a text's bytes."""
    return values.extend(as_bytes(more) if type(values) is bytearray else more)


def from_hex(kind: Any, digits: Any, /) -> Any:
    """Return bytes of hexadecimal digits, which may be bytes themselves."""
    return kind.fromhex(bytes(digits).decode() if isinstance(digits, (bytes, bytearray, memoryview)) else digits)


class _Searched:
    """Bytes that text is searched in."""

    def __init__(self, raw: bytes | bytearray) -> None:
        self._raw = raw

    def __contains__(self, wanted: Any) -> bool:
        return as_bytes(wanted) in self._raw


def searched(value: Any, /) -> Any:
    """Return what text is searched in: MicroPython finds it in bytes, too."""
    return _Searched(value) if isinstance(value, (bytes, bytearray)) else value


class _Joined:
    """Bytes that something is joined to."""

    def __init__(self, raw: bytes | bytearray) -> None:
        self._raw = raw

    def __add__(self, more: Any) -> Any:
        return self._raw + as_bytes(more)


def joined(value: Any, /) -> Any:
    """Return what something is joined to; MicroPython joins bytes with text."""
    return _Joined(value) if isinstance(value, (bytes, bytearray)) else value


def fitting(value: Any, more: Any, /) -> Any:
    """Return what can be joined to a value: a text's bytes to bytes."""
    return as_bytes(more) if isinstance(value, (bytes, bytearray)) else more


def steady(values: Any, /) -> Any:
    """Return what a ``for`` goes over whose body may change it: what is in a dict or set and has not been removed.

    CPython refuses to go on once a dict has changed its size; MicroPython does not look.
    """
    kind = type(values)
    if kind is dict or kind is set:
        return (key for key in tuple(values) if key in values)
    if kind not in _VIEWS:
        return values
    mapping = values.mapping
    keys = (key for key in tuple(mapping) if key in mapping)
    if kind is _ITEMS:
        return ((key, mapping[key]) for key in keys)
    return keys if kind is _KEYS else (mapping[key] for key in keys)


class _Told:
    """``errno`` and ``value`` of an exception that has none in CPython."""

    def __init__(self, error: BaseException) -> None:
        self.errno = self.value = error.args[0] if error.args else None


def told(error: Any, /) -> Any:
    """Return what has ``errno`` and ``value`` of an exception: in MicroPython every one has, its first argument."""
    if not isinstance(error, BaseException) or hasattr(error, "errno") or hasattr(error, "value"):
        return error
    return _Told(error)


_LANGUAGE: dict[str, Any] = {
    AS_BYTES: as_bytes,
    AFFIXED["startswith"]: startswith,
    AFFIXED["endswith"]: endswith,
    EXTEND: extend,
    FROM_HEX: from_hex,
    JOINED: joined,
    FITTING: fitting,
    FROM_BYTES: from_bytes,
    SEARCHED: searched,
    STEADY: steady,
    TOLD: told,
    TO_BYTES: to_bytes,
    **VIPER_NAMES,
    "const": const,
}


def make_builtins(board: Board, services: Services, import_function: Callable[..., Any]) -> dict[str, Any]:
    """Return the ``__builtins__`` of a board's program, a dict of its own.

    Args:
        board: whose console it prints on and reads from.
        services: what else surrounds its program.
        import_function: its ``__import__``.
    """
    write = board.console.write
    host_print = host.print

    def print(
        *values: object,
        sep: str | None = None,
        end: str | None = None,
        file: Any = None,
        flush: bool = False,
    ) -> None:
        """Print values on the board's console, or into a stream."""
        if file is None:
            text = " ".join(map(str, values)) if sep is None else _text("sep", sep).join(map(str, values))
            write(text + ("\n" if end is None else _text("end", end)))
        else:
            host_print(*values, sep=sep, end=end, file=file, flush=flush)
        board.cpu.spend(PRINT_COST_US)
        if board.has_callbacks:
            board.run_callbacks()

    def input(prompt: object = "", /) -> str:
        """Print a prompt, wait for a line, and return it without its newline.

        Raises:
            EOFError: the input has ended.
        """
        from espnow.micropython.sys import stdin_of

        if prompt != "":
            write(str(prompt))
        line = stdin_of(board, services).readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    def exit(code: object = None, /) -> NoReturn:
        """End the program."""
        raise SystemExit(code)  # CPython's own would close the host's standard input

    def help(thing: object = None, /) -> None:
        """Print what an object is, or where help is."""
        if thing is None:
            write("Welcome to MicroPython!\n\nFor online docs please visit http://docs.micropython.org/\n")
            return
        write(f"object of type {type(thing).__name__}\n")
        write("".join(f"  {name}\n" for name in dir(thing) if not name.startswith("__")))

    names = dict(vars(host))
    names.update(_LANGUAGE)
    names.update(
        __import__=import_function,
        exit=exit,
        help=help,
        input=input,
        open=make_open(services.flash),
        print=print,
        quit=exit,
    )
    return names


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be None or a string, not {type(value).__name__}")
    return value

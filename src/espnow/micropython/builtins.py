"""What a board's program has as builtins: the host's, with the console and the import system of its own board.

`print` formats as CPython's does. ``const`` is there without an import, as in MicroPython, where it is the compiler's.
"""

from __future__ import annotations

import builtins as host
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from espnow.board import Board
from espnow.micropython.services import Services

__all__ = ["PRINT_COST_US", "const", "make_builtins"]

#: What a print costs, in microseconds of virtual time. Assumed; a real one depends on the length and the serial port.
PRINT_COST_US = 20

_T = TypeVar("_T")


def const(value: _T, /) -> _T:
    """Return `value`; MicroPython's compiler takes it as a constant."""
    return value


def make_builtins(board: Board, services: Services, import_function: Callable[..., Any]) -> dict[str, Any]:
    """Return the ``__builtins__`` of a board's program, a dict of its own.

    Args:
        board: whose console it prints on and reads from.
        services: what else surrounds its program.
        import_function: its ``__import__``.
    """
    write = board.console.write
    spend = board.cpu.spend
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
        spend(PRINT_COST_US)
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

    names = dict(vars(host))
    names.update(__import__=import_function, const=const, exit=exit, input=input, print=print, quit=exit)
    return names


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be None or a string, not {type(value).__name__}")
    return value

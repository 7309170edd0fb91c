"""Loading of unmodified programs: what a board runs, compiled so that it cannot hold the lab up.

Python has no way to preempt a greenlet, so the loader adds a check to all that a program can repeat: every loop body,
function, lambda and element of a comprehension begins with `TICK`, a call of C that nearly always says no, and every
32nd time `STEP`. A step costs virtual time (`STEP_US`), and between steps due callbacks run. What Python runs of a
program that is over, every ``except`` and ``finally``, begins with `ALIVE`, which costs none. Line numbers stay, so
that a traceback shows the program as its author wrote it. Where MicroPython differs, see `espnow.lab.dialect`.
"""

from __future__ import annotations

import ast
import os
import sysconfig
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn, TypeVar

from greenlet import GreenletExit

from espnow.board import Board
from espnow.errors import ProgramSyntaxError, UserError
from espnow.lab.dialect import FLAGS, adapt, as_written, decode_source, parse
from espnow.micropython.flash import Flash

__all__ = [
    "ALIVE",
    "STEP",
    "STEP_US",
    "TICK",
    "Program",
    "SourceFile",
    "add_steps",
    "compile_program",
    "end_steps",
    "format_error",
    "load_file",
    "program_from_folder",
    "source_files",
]

#: The names of the check among a board's builtins: what counts, and what is called when it is time.
TICK = "__tick__"
STEP = "__step__"

#: The name of a call that does nothing, but in a program that is over, where it raises.
ALIVE = "__alive__"

#: What one loop iteration or function call of a program costs, in microseconds of virtual time. Assumed: the order of
#: what MicroPython on an ESP32 takes for a short one.
STEP_US = 1

#: So many steps are charged at once; callbacks and other boards wait no longer than this for a busy program.
_STEPS_AT_ONCE = 32

#: What `TICK` pops from the end of a list: nothing is due, but for every 32nd time. The others that are due are never
#: reached, unless Ctrl-C comes between a tick and its step.
_TICKS = [True] * 4 + [False] * (_STEPS_AT_ONCE - 1)

#: The same after a step that ended the program, or for which it was nested too deeply: where it catches that, its next
#: tick says so again, and not one in 32, which might always be inside of the ``try``.
_TICKS_AT_ONCE = [True] * len(_TICKS)

#: What a board runs by itself, in this order.
_BOOT_FILES = ("boot.py", "main.py")

#: Whose lines a program's traceback leaves out: this package's and the standard library's.
_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_STDLIB = sysconfig.get_path("stdlib") + os.sep
_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)


_Made = TypeVar("_Made", bound=ast.AST)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that a board runs at boot.

    Attributes:
        path: where it is in the board's flash, or "" if it is not: text given as such.
        filename: what tracebacks call it.
        source: its content; None if it is not there, but may be once the program has written it.
    """

    path: str
    filename: str
    source: bytes | str | None


@dataclass(frozen=True, slots=True)
class Program:
    """What a board runs: files or a function.

    Attributes:
        filename: what a board is named after that has no name.
        files: what it runs, one after the other, in one namespace.
        function: a Python callable, or None.
        folder: what its flash begins with, or None.
        argv: ``sys.argv``.
    """

    filename: str
    files: tuple[SourceFile, ...] = ()
    function: Callable[..., Any] | None = None
    folder: Path | None = None
    argv: tuple[str, ...] = ()


def program_from_folder(folder: Path) -> tuple[SourceFile, ...]:
    """Return what a board runs whose flash begins as this folder: boot.py, then main.py, where they are.

    Raises:
        UserError: it has neither, or one cannot be read or compiled.
    """
    files = tuple(_read(folder / name, needed=False) for name in _BOOT_FILES)
    if all(file.source is None for file in files):
        raise UserError(f"{folder}: a directory that a board runs has a main.py or a boot.py, and this has neither")
    return files


def source_files(path: Path) -> tuple[SourceFile, ...]:
    """Return what a board runs for a file, with the boot.py beside it if it is called main.py, or for a folder.

    Raises:
        UserError: it cannot be read or compiled.
    """
    if os.path.isdir(path):  # noqa: PTH112 - which never raises, whatever the name
        return program_from_folder(path)
    main = _read(path)
    if path.name != _BOOT_FILES[1]:
        return (main,)
    return _read(path.with_name(_BOOT_FILES[0]), needed=False), main


def _read(path: Path, *, needed: bool = True) -> SourceFile:
    try:
        if not needed and not path.is_file():
            return SourceFile(f"/{path.name}", str(path), None)
        source = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    compile_program(source, str(path))
    return SourceFile(f"/{path.name}", str(path), source)


def load_file(file: SourceFile, flash: Flash) -> CodeType | None:
    """Return the code of a file as the board's flash has it now; None if there is none.

    Raises:
        SyntaxError: the program has written it, and it is no Python.
    """
    source = file.source
    if file.path and flash.changed(file.path):
        if flash.kind(file.path) != "file":
            return None
        source = flash.read(file.path)
    if source is None:
        return None
    try:
        return compile_program(source, file.filename)
    except ProgramSyntaxError as error:
        raise SyntaxError(str(error)) from None


def _add_steps(tree: ast.AST) -> None:
    """Add the check to all that repeats or cleans up, without recursion: programs may nest deeply."""
    for node in ast.walk(tree):
        adapt(node)
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            node.body.insert(0, _step_at(node.body[0]))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            has_docstring = ast.get_docstring(node, clean=False) is not None
            node.body.insert(1 if has_docstring else 0, _step_at(node.body[0]))
        elif isinstance(node, ast.Try | ast.TryStar):
            for block in (node.finalbody, *(handler.body for handler in node.handlers)):
                if block:
                    block.insert(0, _located(ast.Expr(_call(ALIVE)), block[0]))
        elif isinstance(node, ast.comprehension):
            node.ifs.insert(0, _passed_at(node.target))
        elif isinstance(node, ast.Lambda):
            body = node.body
            node.body = ast.copy_location(
                ast.IfExp(_passed_at(body), body, ast.copy_location(ast.Constant(None), body)), body
            )


def _step_at(statement: ast.stmt) -> ast.stmt:
    return _located(ast.If(_call(TICK), [ast.Expr(_call(STEP))], []), statement)


def _passed_at(place: ast.expr) -> ast.expr:
    """Return the check as an expression that is always true."""
    return _located(ast.BoolOp(ast.Or(), [ast.UnaryOp(ast.Not(), _call(TICK)), _call(STEP)]), place)


def _call(name: str) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), [], [])


def _located(made: _Made, place: ast.AST) -> _Made:
    for node in ast.walk(made):
        ast.copy_location(node, place)
    return made


@lru_cache(maxsize=256)
def compile_program(source: str | bytes, filename: str, mode: str = "exec") -> CodeType:
    """Return the code of a program with the checks in it.

    Args:
        source: its text.
        filename: what tracebacks call it.
        mode: ``"exec"``, or ``"eval"`` for an expression.

    Raises:
        ProgramSyntaxError: it is no Python; names file and line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MicroPython compiles without them
            text = decode_source(source)
            tree: Any = parse(text, filename, mode)
            _add_steps(tree)
            code: CodeType = compile(tree, filename, mode, FLAGS, dont_inherit=True)
            return code
    except SyntaxError as error:
        where = f"{filename}, line {error.lineno}" if error.lineno else filename
        raise ProgramSyntaxError(f"{where}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ProgramSyntaxError(f"{filename}: not a Python program: {error}") from None


def add_steps(names: dict[str, Any], board: Board) -> None:
    """Put the check of a board among its builtins."""
    ticks = list(_TICKS)

    def step() -> bool:
        ticks[:] = _TICKS  # first: what follows may switch to another thread of the board, or raise
        try:
            board.cpu.spend(_STEPS_AT_ONCE * STEP_US)
        except (GreenletExit, RecursionError) as error:
            ticks[:] = _TICKS_AT_ONCE
            error.__context__ = None  # of a program that never comes out of its recursion the chain would only grow
            raise
        if board.has_callbacks:
            board.run_callbacks()
        return True

    names[TICK] = ticks.pop
    names[STEP] = step
    names[ALIVE] = bool


def end_steps(names: dict[str, Any]) -> None:
    """Let code that has these builtins run no more: its program is over, but Python may still close its generators."""
    names[TICK] = names[STEP] = names[ALIVE] = _over


def _over() -> NoReturn:
    raise GeneratorExit  # which Python takes from a generator that it closes


def format_error(error: BaseException) -> str:
    """Return the traceback of a program's exception: its own lines, none of ours and of the standard library."""
    shown = traceback.TracebackException.from_exception(error)
    queue = [shown]
    seen = set()
    while queue:
        part = queue.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        own = [frame for frame in part.stack if _is_own(frame.filename)]
        part.stack = traceback.StackSummary.from_list(own)
        queue += [other for other in (part.__cause__, part.__context__) if other is not None]
        queue += part.exceptions or ()
    return as_written("".join(shown.format()))


def _is_own(filename: str) -> bool:
    if filename.startswith(("<frozen ", _PACKAGE)):
        return False
    return not filename.startswith(_STDLIB) or any(part in filename for part in _INSTALLED)

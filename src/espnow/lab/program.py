"""Loading of unmodified programs: what a board runs, compiled so that it cannot hold the lab up.

Python has no way to preempt a greenlet, so the loader adds a check to each loop and each function of a program:
`STEP` is called at the head of every loop body and function body. A step costs virtual time (`STEP_US`), and between
steps due callbacks run. Line numbers stay, so that a traceback shows the program as its author wrote it.
"""

from __future__ import annotations

import ast
import os
import sysconfig
import traceback
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import CodeType

from espnow.board import Board
from espnow.errors import ProgramSyntaxError

__all__ = ["STEP", "STEP_US", "compile_program", "format_error", "make_step"]

#: The name that the check has among a board's builtins.
STEP = "__step__"

#: What one loop iteration or function call of a program costs, in microseconds of virtual time. Assumed: the order of
#: what MicroPython on an ESP32 takes for a short one.
STEP_US = 1

#: So many steps are charged at once; callbacks and other boards wait no longer than this for a busy program.
_STEPS_AT_ONCE = 32

#: Whose lines a program's traceback leaves out: this package's and the standard library's.
_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_STDLIB = sysconfig.get_path("stdlib") + os.sep
_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)


def _add_steps(tree: ast.AST) -> None:
    """Add a call of the check to every loop and function, without recursion: programs may nest deeply."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            node.body.insert(0, _step_at(node.body[0]))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            has_docstring = ast.get_docstring(node, clean=False) is not None
            node.body.insert(1 if has_docstring else 0, _step_at(node.body[0]))


def _step_at(statement: ast.stmt) -> ast.stmt:
    call = ast.Expr(ast.Call(ast.Name(STEP, ast.Load()), [], []))
    for node in ast.walk(call):
        ast.copy_location(node, statement)
    return call


@lru_cache(maxsize=256)
def compile_program(source: str | bytes, filename: str) -> CodeType:
    """Return the code of a program with the checks in it.

    Args:
        source: its text.
        filename: what tracebacks call it.

    Raises:
        ProgramSyntaxError: it is no Python; names file and line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MicroPython compiles without them
            tree = ast.parse(source, filename)
            _add_steps(tree)
            return compile(tree, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f"{filename}, line {error.lineno}" if error.lineno else filename
        raise ProgramSyntaxError(f"{where}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ProgramSyntaxError(f"{filename}: not a Python program: {error}") from None


def make_step(board: Board) -> Callable[[], None]:
    """Return the check of a board."""
    cpu = board.cpu
    left = _STEPS_AT_ONCE

    def step() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            left = _STEPS_AT_ONCE
            cpu.spend(_STEPS_AT_ONCE * STEP_US)
            if board.has_callbacks:
                board.run_callbacks()

    return step


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
    return "".join(shown.format())


def _is_own(filename: str) -> bool:
    if filename.startswith(("<frozen ", _PACKAGE)):
        return False
    return not filename.startswith(_STDLIB) or any(part in filename for part in _INSTALLED)

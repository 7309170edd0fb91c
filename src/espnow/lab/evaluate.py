"""`exec`, `eval`, `compile` and `execfile` of a board: what a program compiles itself has the checks, too.

Text may be bytes, as it came by air. Without namespaces the caller's are used: in a function CPython's `exec` would
throw away what the text assigns, and MicroPython's, which knows no local names, assigns it to the globals. Here names
are read as CPython does, the local ones first, and assigned as MicroPython does.
"""

from __future__ import annotations

import builtins as host
import inspect
import sys
from types import CodeType, FrameType
from typing import Any

from espnow.errors import ProgramSyntaxError
from espnow.lab.program import compile_program
from espnow.micropython.flash import Flash

__all__ = ["add_evaluation"]


class _FunctionNames(dict[str, Any]):
    """The names that text sees which a function executes."""

    def __init__(self, frame: FrameType) -> None:
        super().__init__(frame.f_locals)
        self._globals = frame.f_globals

    def __setitem__(self, name: str, value: Any) -> None:
        self.pop(name, None)
        self._globals[name] = value

    def __delitem__(self, name: str) -> None:
        if name in self:
            super().__delitem__(name)
        else:
            del self._globals[name]


def add_evaluation(names: dict[str, Any], flash: Flash) -> None:
    """Put `exec`, `eval`, `compile` and `execfile` among a board's builtins.

    Args:
        names: the builtins; text that is given globals gets these.
        flash: where `execfile` finds files.
    """

    def spaces(frame: FrameType, globals: Any, locals: Any) -> tuple[dict[str, Any], Any]:
        if globals is None:
            globals = frame.f_globals
            if locals is None:
                is_function = frame.f_code.co_flags & inspect.CO_OPTIMIZED
                locals = _FunctionNames(frame) if is_function else frame.f_locals
        elif isinstance(globals, dict):
            globals["__builtins__"] = names  # whatever is there: MicroPython does not look at it
        return globals, globals if locals is None else locals

    def exec(source: Any, globals: Any = None, locals: Any = None, /) -> None:
        """Run text, bytes or code."""
        code = source if isinstance(source, CodeType) else _compiled(source, "<string>", "exec")
        host.exec(code, *spaces(sys._getframe(1), globals, locals))

    def eval(source: Any, globals: Any = None, locals: Any = None, /) -> Any:
        """Return the value of an expression given as text, bytes or code."""
        code = source if isinstance(source, CodeType) else _compiled(source, "<string>", "eval")
        return host.eval(code, *spaces(sys._getframe(1), globals, locals))

    def compile(source: Any, filename: Any, mode: str, *_flags: Any) -> CodeType:
        """Return the code of text or bytes."""
        if mode not in ("exec", "eval", "single"):
            raise ValueError("bad compile mode")
        return _compiled(source, str(filename), "eval" if mode == "eval" else "exec")

    def execfile(path: str, globals: Any = None, locals: Any = None, /) -> None:
        """Run a file."""
        code = _compiled(flash.read(flash.resolve(path)), path, "exec")
        host.exec(code, *spaces(sys._getframe(1), globals, locals))

    names.update(compile=compile, eval=eval, exec=exec, execfile=execfile)


def _compiled(source: Any, filename: str, mode: str) -> CodeType:
    if not isinstance(source, str):
        try:
            source = bytes(memoryview(source))
        except TypeError:
            raise TypeError("a string, bytes or code is needed") from None
        source = source.decode("utf-8", "replace")
    if mode == "eval":
        source = source.strip()
    try:
        return compile_program(source, filename, mode)
    except ProgramSyntaxError as error:
        raise SyntaxError(str(error)) from None

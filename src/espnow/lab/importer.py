"""The import system of one board: its modules, the files of its flash, and of the host only what is harmless.

The order is MicroPython's: built-in modules first, then files along ``sys.path``. Every board has its own table of
modules, so two boards can hold different modules of one name, and the host's ``sys.modules`` is never touched. A module
that is nowhere is an ImportError that names it; so is one that is only there compiled, as ``.mpy``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from espnow.api import API_MODULES, build_module
from espnow.board import Board
from espnow.errors import ProgramSyntaxError
from espnow.lab.program import compile_program
from espnow.micropython import BUILDERS, FALLBACKS, STDLIB_ALLOWED, Services, host_module

__all__ = ["Importer"]

_WITH_ASYNCIO = frozenset({"asyncio", "uasyncio", "aioespnow"})

#: ``sys.path`` of a program that has not imported `sys`.
_PATH = ("", ".frozen", "/lib")


class Importer:
    """What `import` does on one board.

    Attributes:
        modules: the board's modules so far, its ``sys.modules``.
        builtins: what its modules have as ``__builtins__``; set by the owner.
        on_asyncio: called when asyncio comes into play on this board.
    """

    def __init__(self, board: Board, services: Services) -> None:
        self._board = board
        self._services = services
        self._flash = services.flash
        self.modules = services.modules
        self.builtins: dict[str, Any] = {}
        self.on_asyncio: Callable[[], None] = _nothing

    def import_(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Do what ``__import__`` does.

        Raises:
            ImportError: there is no such module.
        """
        if level:
            name = self._absolute(name, globals or {}, level)
        module = self._load(name)
        if not fromlist:
            return module if level else self.modules[name.partition(".")[0]]
        for child in fromlist:
            if child == "*" or hasattr(module, child):
                continue
            if hasattr(module, "__path__"):
                try:
                    # Set here, too: two modules of a package may import each other.
                    setattr(module, child, self._load(f"{name}.{child}"))
                except ImportError as error:
                    if error.name != f"{name}.{child}":
                        raise
            if not hasattr(module, child):  # CPython would go on and look into the host's sys.modules
                raise ImportError(f"cannot import name '{child}' from '{name}'", name=name)
        return module

    def knows(self, name: str) -> bool:
        """Whether the board has a module of this name that is its own and not the host's."""
        return name in API_MODULES or name in BUILDERS

    @staticmethod
    def _absolute(name: str, globals: Mapping[str, Any], level: int) -> str:
        package = globals.get("__package__") or ""
        parts = package.split(".") if package else []
        if level > len(parts):
            raise ImportError("attempted relative import with no known parent package")
        base = ".".join(parts[: len(parts) - level + 1])
        return f"{base}.{name}" if name else base

    def _load(self, name: str) -> ModuleType:
        found = self.modules.get(name)
        if found is not None:
            return found
        parent_name, _, child = name.rpartition(".")
        if not parent_name:
            module = self._load_top(name)
        else:
            parent = self._load(parent_name)
            found = self.modules.get(name)
            if found is not None:
                return found
            module = self._load_child(name, parent)
            setattr(parent, child, module)
        return module

    def _load_top(self, name: str) -> ModuleType:
        if name in _WITH_ASYNCIO:
            self.on_asyncio()
        if name in API_MODULES:
            return build_module(name, self._board, self.modules)
        builder = BUILDERS.get(name)
        if builder is not None:
            module = self.modules[name] = builder(self._board, self._services)
            return module
        module_or_none = self._load_file(name, self._path())
        if module_or_none is not None:
            return module_or_none
        builder = FALLBACKS.get(name)
        if builder is not None:
            module = self.modules[name] = builder(self._board, self._services)
            return module
        if name in STDLIB_ALLOWED:
            module = self.modules[name] = host_module(name)
            return module
        raise ImportError(f"no module named '{name}'", name=name)

    def _load_child(self, name: str, parent: ModuleType) -> ModuleType:
        if name.partition(".")[0] in STDLIB_ALLOWED and parent.__spec__ is not None:
            try:
                module = self.modules[name] = host_module(name)
            except ImportError:
                raise ImportError(f"no module named '{name}'", name=name) from None
            return module
        part = getattr(parent, name.rpartition(".")[2], None)
        if isinstance(part, ModuleType) and not hasattr(parent, "__file__"):  # of a module that is no file
            self.modules[name] = part
            return part
        path = getattr(parent, "__path__", ())
        found = self._load_file(name, [path] if isinstance(path, str) else path)
        if found is not None:
            return found
        builder = FALLBACKS.get(name)
        if builder is not None:
            module = self.modules[name] = builder(self._board, self._services)
            return module
        raise ImportError(f"no module named '{name}'", name=name)

    def _path(self) -> Sequence[object]:
        path = getattr(self.modules.get("sys"), "path", _PATH)
        return path if isinstance(path, (list, tuple)) else _PATH

    def _load_file(self, name: str, path: Sequence[object]) -> ModuleType | None:
        """Load a module from the first of some folders that has it."""
        child = name.rpartition(".")[2]
        flash = self._flash
        for folder in path:
            if not isinstance(folder, str) or folder.startswith("."):  # .frozen
                continue
            shown = f"{folder.rstrip('/')}/{child}" if folder else child
            place = flash.resolve(shown)
            kind = flash.kind(place)
            if kind == "dir" and flash.kind(f"{place}/__init__.py") == "file":
                return self._run_file(name, f"{place}/__init__.py", f"{shown}/__init__.py", place)
            if flash.kind(f"{place}.py") == "file":
                return self._run_file(name, f"{place}.py", f"{shown}.py", None)
            if flash.kind(f"{place}.mpy") == "file":
                raise ImportError(f"{shown}.mpy is compiled, and cannot run here: {child}.py is needed", name=name)
            if kind == "dir":  # a package without an __init__.py
                module = self.modules[name] = ModuleType(name)
                vars(module).update(__builtins__=self.builtins, __package__=name, __path__=[place])
                return module
        return None

    def _run_file(self, name: str, place: str, shown: str, package: str | None) -> ModuleType:
        module = ModuleType(name)
        namespace = vars(module)
        namespace["__builtins__"] = self.builtins
        namespace["__file__"] = shown
        if package is not None:
            namespace["__path__"] = [package]
            namespace["__package__"] = name
        else:
            namespace["__package__"] = name.rpartition(".")[0]
        try:
            code = compile_program(self._flash.read(place), self._flash.filename(place))
        except ProgramSyntaxError as error:
            raise SyntaxError(str(error)) from None
        self.modules[name] = module
        try:
            exec(code, namespace)
        except BaseException:
            self.modules.pop(name, None)
            raise
        return module


def _nothing() -> None:
    pass

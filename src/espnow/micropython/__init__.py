"""What a MicroPython program imports besides `espnow`, `aioespnow` and `network`.

Rules:

- One file a module, named as the module; each has ``build(board, services)``, which returns a module object that is
  bound to that board. Nothing is global, nothing looks a board up, and no module of the host is changed.
- A module is built when its board first imports it, and its file is loaded then, not before.
- Time is the board's: a call that blocks waits with ``board.wait`` or ``board.sleep``, a call that only looks says so
  with ``board.look``, so that a program that polls lets time pass. Chance is `Services`'.
- Names, arguments and results follow MicroPython's library reference (docs.micropython.org); what it leaves open
  and we made up is marked as assumed where it stands.
- A module that is not in `BUILDERS` and not in `STDLIB_ALLOWED` does not exist on a board.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType

from espnow.board import Board
from espnow.micropython.builtins import make_builtins
from espnow.micropython.services import Services

__all__ = ["BUILDERS", "STDLIB_ALLOWED", "Services", "make_builtins"]

Builder = Callable[[Board, Services], ModuleType]

#: Modules of a board: name -> the file here that builds it.
_OWN = {
    "asyncio": "aio",
    "errno": "errno",
    "gc": "gc",
    "logging": "logging",
    "machine": "machine",
    "micropython": "micropython",
    "os": "os",
    "random": "random",
    "select": "select",
    "sys": "sys",
    "time": "time",
}

#: Old names of modules of a board. ``urandom`` is the module `random`, not ``os.urandom``.
_OLD_NAMES = {
    "uasyncio": "asyncio",
    "uerrno": "errno",
    "uos": "os",
    "urandom": "random",
    "uselect": "select",
    "usys": "sys",
    "utime": "time",
}

#: Old names of modules that are the host's.
_HOST_NAMES = {
    "uarray": "array",
    "ubinascii": "binascii",
    "ucollections": "collections",
    "uhashlib": "hashlib",
    "uheapq": "heapq",
    "uio": "io",
    "ujson": "json",
    "ure": "re",
    "ustruct": "struct",
    "uzlib": "zlib",
}

#: Modules of the host's standard library, with their submodules, that a program may import as they are: nothing that
#: blocks, starts threads, opens sockets, or keeps state that two boards would share. Of `datetime`, ``now()`` and
#: ``today()`` read the host's clock; a MicroPython program has no such module unless it brings one.
STDLIB_ALLOWED = frozenset(
    {
        "__future__",
        "abc",
        "array",
        "base64",
        "binascii",
        "bisect",
        "cmath",
        "codecs",
        "collections",
        "colorsys",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fnmatch",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "io",
        "itertools",
        "json",
        "keyword",
        "math",
        "numbers",
        "operator",
        "pprint",
        "re",
        "statistics",
        "string",
        "struct",
        "textwrap",
        "traceback",
        "types",
        "typing",
        "unicodedata",
        "weakref",
        "zlib",
    }
)


def _own(name: str, file: str) -> Builder:
    def builder(board: Board, services: Services) -> ModuleType:
        modules = services.modules
        module = modules.get(name)
        if module is None:
            build: Builder = importlib.import_module(f"espnow.micropython.{file}").build
            module = modules[name] = build(board, services)
        return module

    return builder


def _old(old: str, name: str) -> Builder:
    def builder(board: Board, services: Services) -> ModuleType:
        modules = services.modules
        module = modules.get(old)
        if module is None:
            module = modules[old] = BUILDERS[name](board, services)
        return module

    return builder


def _host(name: str) -> Builder:
    def builder(_board: Board, _services: Services) -> ModuleType:
        return importlib.import_module(name)

    return builder


#: The modules of a board: name -> function that makes the module object for one board.
BUILDERS: dict[str, Builder] = {
    **{name: _own(name, file) for name, file in _OWN.items()},
    **{old: _old(old, name) for old, name in _OLD_NAMES.items()},
    **{old: _host(name) for old, name in _HOST_NAMES.items()},
}

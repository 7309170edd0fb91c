"""What a MicroPython program imports besides `espnow`, `aioespnow` and `network`.

Rules:

- One file a module, named as the module; each has ``build(board, services)``, which returns a module object that is
  bound to that board. Nothing is global, nothing looks a board up, and no module of the host is changed.
- A module is built when its board first imports it, and its file is loaded then, not before.
- Time is the board's: a call that blocks waits with ``board.wait`` or ``board.sleep``, a call that only looks says so
  with ``board.look``, so that a program that polls lets time pass. Chance is `Services`'.
- Names, arguments and results follow MicroPython's library reference (docs.micropython.org); what it leaves open
  and we made up is marked as assumed where it stands.
- A module that is not in `BUILDERS`, `FALLBACKS` or `STDLIB_ALLOWED` does not exist on a board.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType

from espnow.board import Board
from espnow.micropython.builtins import make_builtins
from espnow.micropython.services import Services

__all__ = ["BUILDERS", "FALLBACKS", "STDLIB_ALLOWED", "Services", "host_module", "make_builtins"]

Builder = Callable[[Board, Services], ModuleType]

#: Modules of a board: name -> the file here that builds it.
_OWN = {
    "_onewire": "onewire_bits",
    "_thread": "thread",
    "array": "array",
    "asyncio": "aio",
    "binascii": "binascii",
    "collections": "collections",
    "cryptolib": "cryptolib",
    "deflate": "deflate",
    "errno": "errno",
    "esp": "esp",
    "esp32": "esp32",
    "framebuf": "framebuf",
    "gc": "gc",
    "hashlib": "hashlib",
    "io": "io",
    "json": "json",
    "machine": "machine",
    "micropython": "micropython",
    "os": "os",
    "random": "random",
    "re": "re",
    "select": "select",
    "socket": "socket",
    "ssl": "ssl",
    "struct": "struct",
    "sys": "sys",
    "time": "time",
    "tls": "tls",
    "uctypes": "uctypes",
    "vfs": "vfs",
    "zlib": "zlib",
}

#: Modules that are files on a board, too, in its firmware or from micropython-lib, the names of a package's with dots:
#: a program's own file of the name wins.
_FROZEN = {
    "apa106": "apa106",
    "dht": "dht",
    "ds18x20": "ds18x20",
    "hmac": "hmac",
    "logging": "logging",
    "mip": "mip",
    "neopixel": "neopixel",
    "ntptime": "ntptime",
    "onewire": "onewire",
    "requests": "requests",
    "sdcard": "sdcard",
    "sh1106": "sh1106",
    "ssd1306": "ssd1306",
    "umqtt": "umqtt",
    "umqtt.robust": "umqtt_robust",
    "umqtt.simple": "umqtt_simple",
    "urequests": "requests",
    "webrepl": "webrepl",
}

#: Old names of modules of a board. ``urandom`` is the module `random`, not ``os.urandom``.
_OLD_NAMES = {
    "uarray": "array",
    "uasyncio": "asyncio",
    "ubinascii": "binascii",
    "ucollections": "collections",
    "ucryptolib": "cryptolib",
    "uerrno": "errno",
    "uhashlib": "hashlib",
    "uio": "io",
    "ujson": "json",
    "umachine": "machine",
    "uos": "os",
    "urandom": "random",
    "ure": "re",
    "uselect": "select",
    "usocket": "socket",
    "ussl": "ssl",
    "ustruct": "struct",
    "usys": "sys",
    "utime": "time",
    "uzlib": "zlib",
}

#: Old names of modules that are the host's.
_HOST_NAMES = {"uheapq": "heapq"}

#: Modules of the host's standard library, with their submodules, that a program may import as they are: nothing that
#: blocks, starts threads, opens sockets, or keeps state that two boards would share. Of `datetime`, ``now()`` and
#: ``today()`` read the host's clock; a MicroPython program has no such module unless it brings one.
STDLIB_ALLOWED = frozenset(
    {
        "__future__",
        "abc",
        "base64",
        "bisect",
        "cmath",
        "codecs",
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
        "heapq",
        "html",
        "itertools",
        "keyword",
        "math",
        "numbers",
        "operator",
        "pprint",
        "statistics",
        "string",
        "textwrap",
        "traceback",
        "types",
        "typing",
        "unicodedata",
        "weakref",
    }
)


def host_module(name: str) -> ModuleType:
    """Return a module of the host's for one board: what a program sets in it, neither the host nor a board finds there.

    Raises:
        ImportError: the host has none.
    """
    shared = importlib.import_module(name)
    module = ModuleType(name, shared.__doc__)
    vars(module).update(vars(shared))
    return module


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
    def builder(_board: Board, services: Services) -> ModuleType:
        module = services.modules.get(name)
        if module is None:
            module = services.modules[name] = host_module(name)
        return module

    return builder


#: The modules of a board: name -> function that makes the module object for one board.
BUILDERS: dict[str, Builder] = {
    **{name: _own(name, file) for name, file in _OWN.items()},
    **{old: _old(old, name) for old, name in _OLD_NAMES.items()},
    **{old: _host(name) for old, name in _HOST_NAMES.items()},
}

#: The same for modules that a program's own files win over.
FALLBACKS: dict[str, Builder] = {name: _own(name, file) for name, file in _FROZEN.items()}

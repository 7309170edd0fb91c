"""ESP-NOW for Wireshark: puts the package's dissector where Wireshark finds it.

Rules:

- Writes one file, and only over one that it wrote itself.
- A directory that cannot be written is the caller's mistake: a `UserError` of one line.

Follows the Wireshark User's Guide, "Plugin folders", for where that is.
"""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from pathlib import Path

from espnow.errors import UserError

__all__ = ["install", "plugin_directory"]

#: Wireshark loads what ends so.
_NAME = "espnow.lua"

#: What the first line of the file begins with, in every release.
_MARK = b"-- espnow.lua of the Python package espnow"


def install(directory: Path) -> Path:
    """Write the dissector into a directory and return the file.

    The directory is made if it is missing, since Wireshark does not make it. A file that an earlier call wrote is
    replaced.

    Args:
        directory: what Wireshark shows at Help > About > Folders as "Personal Lua Plugins".

    Raises:
        UserError: the directory cannot be written, or holds another ``espnow.lua``.
    """
    path = directory / _NAME
    content = files("espnow.capture").joinpath(_NAME).read_bytes()
    try:
        if path.exists() and not _is_ours(path):
            raise UserError(f"{path} is not a file of this package: rename it or choose another directory")
        directory.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    return path


def plugin_directory() -> Path:
    """Return where Wireshark looks for a person's own Lua files, unless it was told otherwise."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "Wireshark" / "plugins"
    return Path.home() / ".local" / "lib" / "wireshark" / "plugins"


def _is_ours(path: Path) -> bool:
    """Tell whether a file begins as ours does."""
    with path.open("rb") as file:
        return file.read(len(_MARK)) == _MARK

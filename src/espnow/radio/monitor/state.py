"""How interfaces were before this project touched them, kept in files, so that they can be put back after a crash.

Rules:

- A file is written before the first change and removed after the last thing is put back. Whoever finds one of a process
  that is gone may put back what it says, and takes it over when it opens the same interface.
- A file belongs to the user that wrote it, in a folder of that user's alone: one that others could have written is not
  read. What is in it is checked, value by value.
- A process lives if its number and the time of its start are those in the file; after a reboot nothing of it is true.
- One process an interface: it holds a name of the network namespace that the kernel takes away with the process.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from struct import Struct

from espnow.radio.monitor.nl80211 import Mode

__all__ = ["Before", "Record", "claim", "find", "holder", "read_all", "remove", "save"]

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"
_INTERFACE_NAME = re.compile(r"[^/\s:%\x00-\x1f\x7f]{1,15}")
_PEER_CREDENTIALS = Struct("=iII")
_MAX_FILE = 4096
_MAX_MTU = 65535


@dataclass(frozen=True, slots=True)
class Before:
    """How an interface was.

    Attributes:
        name: its name.
        index: its number.
        phy_address: address that its adapter was made with, or empty.
        mode: what it did.
        up: somebody had set it up.
        mtu: its longest message.
        channel: 1 to 14, or None where it was not known.
    """

    name: str
    index: int
    phy_address: bytes
    mode: Mode
    up: bool
    mtu: int
    channel: int | None


@dataclass(frozen=True, slots=True)
class Record:
    """What a file says.

    Attributes:
        path: where it is.
        pid: the process that wrote it.
        started: when that was started, in the kernel's ticks since it booted.
        boot: which run of the kernel.
        before: how the interface was.
    """

    path: Path
    pid: int
    started: int
    boot: str
    before: Before

    @property
    def alive(self) -> bool:
        """Whether the process that wrote it is still there."""
        return self.boot == _boot() and _started(self.pid) == self.started

    @property
    def this_boot(self) -> bool:
        """Whether it was written since the kernel booted."""
        return self.boot == _boot()


def save(before: Before) -> Path:
    """Write down how an interface was, in place of what an earlier process wrote of it.

    Raises:
        OSError: there is no place where it can be kept safely.
    """
    folder = _own_folder()
    path = folder / f"{before.name}.json"
    content = {
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "boot": _boot(),
        "before": {**asdict(before), "phy_address": before.phy_address.hex(), "mode": int(before.mode)},
    }
    descriptor, temporary = tempfile.mkstemp(prefix=".", dir=folder)  # for this user alone
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def remove(path: Path) -> None:
    """Forget what a file says; harmless if it is gone."""
    try:
        path.unlink(missing_ok=True)
    except OSError:  # another user's
        pass


def read_all() -> list[Record]:
    """Return what all files say that this user may trust."""
    found = []
    for folder in _folders():
        if _is_safe(folder):
            records = (_read(path) for path in sorted(folder.glob("*.json")))
            found += [record for record in records if record is not None]
    return found


def find(name: str) -> Record | None:
    """Return what a process that is gone wrote of an interface, since the kernel booted."""
    for record in read_all():
        if record.before.name == name and record.this_boot and not record.alive:
            return record
    return None


# One process an interface.


def claim(index: int) -> socket.socket:
    """Take an interface for this process, until the socket that is returned is closed.

    Raises:
        OSError: another process has it (EADDRINUSE).
    """
    claimed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        claimed.bind(_claim_name(index))
        claimed.listen(128)
    except BaseException:
        claimed.close()
        raise
    return claimed


def holder(index: int) -> int | None:
    """Return the number of the process that has an interface; 0 if that cannot be told; None when nobody has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as asking:
        asking.setblocking(False)
        try:
            asking.connect(_claim_name(index))
        except OSError as error:
            return None if error.errno == errno.ECONNREFUSED else 0
        told = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
        return int(_PEER_CREDENTIALS.unpack(told)[0])


def _claim_name(index: int) -> bytes:
    return b"\0espnow/monitor/%d" % index


# Where they are.


def _own_folder() -> Path:
    """Return the folder of this user, made if need be.

    Raises:
        OSError: there is none that is safe.
    """
    for folder in _folders():
        try:
            folder.mkdir(mode=0o700, parents=False, exist_ok=True)
        except OSError:
            continue
        if _is_safe(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise PermissionError(errno.EACCES, "no folder of this user to keep the interface's state in")


def _folders() -> list[Path]:
    """Return where files may be: of this user, and for the superuser also of whoever called sudo."""
    users = [os.geteuid()]
    asked = os.environ.get("SUDO_UID", "")
    if users[0] == 0 and asked.isdecimal() and int(asked) != 0:
        users.append(int(asked))
    found: list[Path] = []
    for user in users:
        if user == 0:
            found.append(Path("/run/espnow"))
        elif user == users[0] and os.environ.get("XDG_RUNTIME_DIR"):
            found.append(Path(os.environ["XDG_RUNTIME_DIR"]) / "espnow")
        found += [Path(f"/run/user/{user}/espnow"), Path(f"/tmp/espnow-{user}")]
    return list(dict.fromkeys(found))


def _is_safe(folder: Path) -> bool:
    """Tell whether nobody but a trusted user can have written into a folder."""
    try:
        told = folder.lstat()
    except OSError:
        return False
    trusted = {os.geteuid()}
    asked = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and asked.isdecimal():
        trusted.add(int(asked))
    return stat.S_ISDIR(told.st_mode) and told.st_uid in trusted and not told.st_mode & 0o022


def _read(path: Path) -> Record | None:
    """Return what a file says, or None when that cannot be."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            content = json.loads(file.read(_MAX_FILE))
        told = content["before"]
        name, index, mtu, channel = told["name"], told["index"], told["mtu"], told["channel"]
        pid, started, boot = content["pid"], content["started"], content["boot"]
        numbers = (index, mtu, pid, started, *(() if channel is None else (channel,)))
        if not all(type(number) is int and number >= 0 for number in numbers) or type(told["up"]) is not bool:
            return None
        if not (_INTERFACE_NAME.fullmatch(name) and mtu <= _MAX_MTU and (channel is None or 1 <= channel <= 14)):
            return None
        address = bytes.fromhex(told["phy_address"])
        before = Before(name, index, address, Mode(told["mode"]), told["up"], mtu, channel)
        return Record(path, pid, started, str(boot), before)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> int:
    """Return when a process was started, in ticks; 0 when there is none of this number."""
    try:
        # The name of the program, in brackets, may have anything in it.
        return int((_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0

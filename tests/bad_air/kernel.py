"""What the kernel knows of a process's UDP sockets (``/proc/net/udp``)."""

from __future__ import annotations

from pathlib import Path


def sockets_of(process: int | str, port: int) -> tuple[int, int, int]:
    """Return what waits in a process's socket of a group, how many datagrams were dropped before it, and in all.

    The last is of all of its sockets together, those on other ports too.
    """
    inodes = set()
    for entry in (Path("/proc") / str(process) / "fd").iterdir():
        try:
            name = str(entry.readlink())
        except OSError:  # the one by which the folder is read
            continue
        if name.startswith("socket:["):
            inodes.add(name[8:-1])
    waiting = dropped = total = 0
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if words[9] in inodes:
            total += int(words[12])
            if words[1].endswith(f":{port:04X}"):
                waiting, dropped = int(words[4].split(":")[1], 16), int(words[12])
    return waiting, dropped, total

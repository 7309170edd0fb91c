"""What the lab and the wire cost, as ratios: ``python benchmarks/run.py [scene or group ...]``.

Each figure stands beside a rival that ran in turns with it, in the same process or right before it, on the same
machine: for the lab a bare loop of heap events and greenlet switches, for loops the same source without checks, for the
wire scapy, dpkt and the bare AES-CCM, for the air ns-3 and a plain SimPy model of the same scene, for the live board a
bare UDP ping-pong.
Absolute times differ from machine to machine, and on a shared one from minute to minute; the ratios do less so. Every
scene runs in a process of its own. The targets are the project's own; "short of it" is said of what misses one.

The wire needs the rivals: ``pip install -e '.[bench]'``. The air's are an extra of their own, since ns-3 and what runs
it take half a gigabyte: ``pip install -e '.[bench-air]'``; without them their rows say so.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import subprocess
import sys
from typing import Any

# Which module beside this one has the scenes of a group; in it a scene is a function, and `rows` tells of its figures.
GROUPS = {
    "lab": ("_lab", ("pairs", "start")),
    "programs": ("_programs", ("recv", "irecv", "recvinto", "iteration", "irq", "aio")),
    "explain": ("_explain", ("explain",)),
    "life": ("_life", ("sleepers", "crowd")),
    "loops": ("_loops", ("loops",)),
    "wire": ("_wire", ("parse", "build", "ccmp", "summary")),
    "air": ("_air", ("sparse", "dense", "saturated", "huge", "density", "uncompiled")),
    "live": ("_live", ("send", "echo", "broadcasts", "computing", "callbacks", "pace", "processes")),
}
MODULES = {scene: module for module, scenes in GROUPS.values() for scene in scenes}
HEAD = ("scene", "figure", "beside it", "ratio", "target", "verdict")


def scenes_of(names: list[str]) -> list[str]:
    """Return the scenes of some scenes and groups, each once; all of them for none."""
    chosen = [scene for name in names or GROUPS for scene in (GROUPS[name][1] if name in GROUPS else (name,))]
    return list(dict.fromkeys(chosen))


def run_here(scene: str, quick: bool) -> dict[str, Any]:
    """Run a scene in this process; return its figures, and the rows and the note that tell of them."""
    module = importlib.import_module(MODULES[scene])
    figures = getattr(module, scene)(quick)
    return {"figures": figures, "rows": module.rows(scene, figures), "note": module.NOTES.get(scene)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [*GROUPS, *MODULES]
    parser.add_argument("name", nargs="*", help=f"only these (default: all): {', '.join(known)}")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--quick", action="store_true", help="a few seconds in all: too short to compare with targets")
    parser.add_argument("--here", choices=MODULES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        print(json.dumps(run_here(arguments.here, arguments.quick)))
        return
    for name in arguments.name:
        if name not in known:
            parser.error(f"no scene and no group {name!r}; there are {', '.join(known)}")
    figures: dict[str, dict[str, float]] = {}
    rows: dict[str, list[tuple[str, ...]]] = {}
    notes: list[str] = []
    for scene in scenes_of(arguments.name):
        if sys.stderr.isatty():
            print(f"\r{scene} ...   \r", end="", file=sys.stderr, flush=True)
        command = [sys.executable, __file__, "--here", scene, *(["--quick"] if arguments.quick else [])]
        run = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if run.returncode:
            sys.exit(f"{scene} failed")
        found = json.loads(run.stdout)
        figures[scene] = found["figures"]
        rows.setdefault(MODULES[scene], [HEAD]).extend(tuple(row) for row in found["rows"])
        notes += [found["note"]] if found["note"] else []
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for table in rows.values():
        widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
        for row in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        print()
    for note in notes:
        print(note)
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")


if __name__ == "__main__":
    main()

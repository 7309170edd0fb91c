"""For tests of programs, of boards and of links.

`Bench` is one board alone, in virtual time, on a `ScriptedLink`: the test says what arrives and what is answered, and
calls the board's modules itself or lets it run a program. `kit` has the checks that any radio must pass: `RadioChecks`
for pytest, `check_radio` without it, on a `LoopRig` (radios in real time), a `VirtualRig` (links in virtual time) or
another `Rig`. `plugin` is for pytest: the fixture `lab`, and what a failing test tells of its lab; installing this
package is enough for pytest to find it.

Rules: nothing here sleeps, reads a clock or opens a socket, but a `LoopRig`, which is for radios that do; time moves
when a call waits, chance has a seed. It uses the lab's loader and console, and no air. Every run of pytest imports
this, so names are loaded when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from espnow.testing.bench import Bench, ManualClock, WaitsForever
    from espnow.testing.kit import LoopRig, OpenLink, Rig, VirtualRig, check_radio
    from espnow.testing.kit.suite import RadioChecks
    from espnow.testing.link import ScriptedLink

__all__ = [
    "Bench",
    "LoopRig",
    "ManualClock",
    "OpenLink",
    "RadioChecks",
    "Rig",
    "ScriptedLink",
    "VirtualRig",
    "WaitsForever",
    "check_radio",
]

_MODULES = {
    "Bench": "bench",
    "LoopRig": "kit",
    "ManualClock": "bench",
    "OpenLink": "kit",
    "RadioChecks": "kit.suite",
    "Rig": "kit",
    "ScriptedLink": "link",
    "VirtualRig": "kit",
    "WaitsForever": "bench",
    "check_radio": "kit",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    return found

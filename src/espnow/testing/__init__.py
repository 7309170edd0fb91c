"""For tests of programs, of boards and of links.

`Bench` is one board alone, in virtual time, on a `ScriptedLink`: the test says what arrives and what is answered, and
calls the board's modules itself or lets it run a program. `plugin` is for pytest: the fixture `lab`, and what a failing
test tells of its lab; installing this package is enough for pytest to find it.

Rules: nothing here sleeps, reads a clock or opens a socket; time moves when a call waits, chance has a seed. It uses
the lab's loader and console, and no air. Every run of pytest imports this, so names are loaded when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from espnow.testing.bench import Bench, ManualClock, WaitsForever
    from espnow.testing.link import ScriptedLink

__all__ = ["Bench", "ManualClock", "ScriptedLink", "WaitsForever"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "ScriptedLink":
        from espnow.testing import link as module
    else:
        from espnow.testing import bench as module  # type: ignore[no-redef]
    found = globals()[name] = getattr(module, name)
    return found

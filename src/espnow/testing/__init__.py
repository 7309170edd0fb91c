"""For tests of programs, of boards and of links.

`Bench` is one board alone, in virtual time, on a `ScriptedLink`: the test says what arrives and what is answered, and
calls the board's modules itself or lets it run a program.

Rules: nothing here sleeps, reads a clock or opens a socket; time moves when a call waits, chance has a seed. It uses
the lab's loader and console, and no air.
"""

from espnow.testing.bench import Bench, ManualClock, WaitsForever
from espnow.testing.link import ScriptedLink

__all__ = ["Bench", "ManualClock", "ScriptedLink", "WaitsForever"]

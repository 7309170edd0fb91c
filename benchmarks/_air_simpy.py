"""A scene in SimPy, in a process of its own: ``python _air_simpy.py < scene.json`` prints its counts as JSON.

A plain CSMA model, as one would write it for the question at hand: a process for each station, a timeout for each wait,
a list of those who hear it. Two frames at one receiver spoil each other, whatever their power; there are no noise, no
EIFS and no NAV. A unicast frame holds the medium around its sender until its acknowledgement is over.
"""

from __future__ import annotations

import importlib
import json
import math
import random
import sys
import time
from collections import deque
from collections.abc import Generator
from typing import Any

simpy: Any = importlib.import_module("simpy")

SLOT_US, DIFS_US, SIFS_US, ACK_US = 20, 50, 10, 304
MORE_BYTES = 24 + 8 + 7 + 4
ATTEMPTS, CW_MIN, CW_MAX, ROOM = 7, 31, 1023, 32


class Station:
    def __init__(self, env: Any, number: int) -> None:
        self.env = env
        self.number = number
        self.neighbours: list[Station] = []
        self.queue: deque[tuple[int, int]] = deque()
        self.wake = env.event()
        self.idle = env.event()
        self.signals = 0
        self.busy_since = 0.0
        self.sending = False
        self.spoilt = False
        self.frames = self.receptions = self.acknowledged = self.delivered = 0

    def arrivals(self, to: int, size: int, first_us: int, period_us: int) -> Generator[Any, None, None]:
        yield self.env.timeout(first_us)
        while True:
            if len(self.queue) < ROOM:
                self.queue.append((to, size))
            if not self.wake.triggered:
                self.wake.succeed()
            yield self.env.timeout(period_us)

    def turn(self, slots: int) -> Generator[Any, None, None]:
        """Wait until the medium is idle, DIFS, and so many idle slots."""
        while True:
            while self.signals:
                yield self.idle
            yield self.env.timeout(DIFS_US)
            # Who began in this instant cannot have been heard.
            while not self.signals or self.busy_since == self.env.now:
                if slots <= 0:
                    return
                yield self.env.timeout(SLOT_US)
                slots -= 1

    def transmit(self, to: int, us: int) -> Generator[Any, None, bool]:
        """Send a frame; return whether its receiver got it, if there is one."""
        self.frames += 1
        self.sending = self.spoilt = True
        got: list[Station] = []
        for other in self.neighbours:
            if other.signals or other.sending:
                other.spoilt = True
            else:
                other.spoilt = False
                got.append(other)
            if not other.signals:
                other.busy_since = self.env.now
            other.signals += 1
        yield self.env.timeout(us)
        self.sending = False
        answered = False
        for other in got:
            if not other.spoilt:
                other.receptions += 1
                if other.number == to:
                    answered = True
                    other.delivered += 1
                elif to < 0:
                    other.delivered += 1
        if answered:
            yield self.env.timeout(SIFS_US + ACK_US)
        for other in self.neighbours:
            other.signals -= 1
            if not other.signals:
                other.idle.succeed()
                other.idle = self.env.event()
        return answered

    def life(self, saturated: tuple[int, int] | None) -> Generator[Any, Any, None]:
        slots = 0
        while True:
            if saturated:
                to, size = saturated
            else:
                while not self.queue:
                    self.wake = self.env.event()
                    yield self.wake
                    # Who finds the medium idle sends after DIFS.
                    slots = random.randrange(CW_MIN + 1) if self.signals else 0
                to, size = self.queue.popleft()
            cw = CW_MIN
            for _ in range(ATTEMPTS):
                yield from self.turn(slots)
                answered = yield from self.transmit(to, 192 + 8 * (size + MORE_BYTES))
                if to < 0:
                    break
                if answered:
                    self.acknowledged += 1
                    break
                cw = min(2 * cw + 1, CW_MAX)
                slots = random.randrange(cw + 1)
            slots = random.randrange(CW_MIN + 1)


def main() -> None:
    scene = json.load(sys.stdin)
    random.seed(scene["seed"])
    env = simpy.Environment()
    stations = [Station(env, number) for number in range(len(scene["places"]))]
    spare_db = scene["power_dbm"] - scene["least_dbm"] - scene["loss_1m_db"]
    reach_m = 10 ** (spare_db / 10 / scene["exponent"])
    for station, here in zip(stations, scene["places"], strict=True):
        station.neighbours = [
            other
            for other, there in zip(stations, scene["places"], strict=True)
            if other is not station and math.dist(here, there) <= reach_m
        ]
    saturated: dict[int, tuple[int, int]] = {}
    for number, to, size, first_us, period_us in scene["streams"]:
        if period_us:
            env.process(stations[number].arrivals(to, size, first_us, period_us))
        else:
            saturated[number] = (to, size)
    for station in stations:
        env.process(station.life(saturated.get(station.number)))
    begin = time.process_time()
    env.run(until=scene["us"])
    seconds = time.process_time() - begin
    found: dict[str, float] = {"seconds": seconds}
    for name in ("frames", "receptions", "acknowledged", "delivered"):
        found[name] = sum(getattr(station, name) for station in stations)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

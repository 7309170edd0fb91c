"""Delivery and throughput of the air's kernel against ns-3: ``python benchmarks/_air_validation.py [--quick]``.

Dense, sparse and hidden scenes, the same places, powers, losses, noise, error curves and messages for both; figures are
means over several seeds. Every row is printed; one that differs by more than `WITHIN` has the cause with it, or, where
that is less than three standard errors, says so. Where the two models differ, with the scene in which that does not
matter beside the one in which it does:

- ns-3 begins to receive a frame that is 4 dB above noise and others together. By default the kernel wants 4 dB above
  others, since at 1 Mb/s a receiver hears what is weaker than noise: `sparse_default`. With `Receiver.detect_noise`,
  as in all other scenes, it does as ns-3 does: `sparse_loaded`.
- After a message that was given up the kernel's window is the first one again (10.3.3 of the standard); ns-3's stays
  the largest for one more message: `hidden_saturated`, and with attempts enough `hidden_endless`.
- After a missing acknowledgement the kernel counts from ACKTimeout on, ns-3 from DIFS later; and ns-3 takes for busy
  what adds up to the threshold, the kernel one signal that reaches it. Neither was seen in a figure.
"""

from __future__ import annotations

import argparse
import importlib
import math
import random
import statistics
import sys
from collections.abc import Callable
from typing import Any

_air: Any = importlib.import_module("_air")

WITHIN = 0.05
Streams = list[tuple[int, int, int, int, int]]
#: Places, streams, and what is different about the air.
Made = tuple[list[tuple[float, float]], Streams, dict[str, Any]]


def broadcasts(chance: random.Random, stations: int, period_us: int) -> Streams:
    return [(i, -1, 200, chance.randrange(period_us), period_us) for i in range(stations)]


def disc(chance: random.Random, stations: int, radius_m: float) -> list[tuple[float, float]]:
    found = []
    for _ in range(stations):
        far_m, angle = radius_m * math.sqrt(chance.random()), chance.uniform(0, 2 * math.pi)
        found.append((far_m * math.cos(angle), far_m * math.sin(angle)))
    return found


def dense_broadcast(chance: random.Random) -> Made:
    """50 stations within 25 m, 40 percent of the channel."""
    return disc(chance, 50, 25.0), broadcasts(chance, 50, 250_000), {}


def dense_overload(chance: random.Random) -> Made:
    """50 stations of equal power that want 110 percent of the channel."""
    return [(0.001 * i, 0.0) for i in range(50)], broadcasts(chance, 50, 100_000), {}


def dense_unicast(chance: random.Random) -> Made:
    """20 stations of equal power, saturated."""
    streams = [(i, (i + 1) % 20, 200, chance.randrange(20_000), 0) for i in range(20)]
    return [(0.001 * i, 0.0) for i in range(20)], streams, {}


def few_unicast(chance: random.Random) -> Made:
    """5 stations of equal power, saturated."""
    streams = [(i, (i + 1) % 5, 200, chance.randrange(20_000), 0) for i in range(5)]
    return [(0.001 * i, 0.0) for i in range(5)], streams, {}


def spread_unicast(chance: random.Random) -> Made:
    """20 stations within 40 m, saturated: unequal powers, so some collisions have a winner."""
    streams = [(i, (i + 1) % 20, 200, chance.randrange(20_000), 0) for i in range(20)]
    return disc(chance, 20, 40.0), streams, {}


def sparse_broadcast(chance: random.Random) -> Made:
    """A grid of 100 with up to 20 in decoding range, 2 broadcasts a second: little hidden traffic."""
    return _air.grid(100), broadcasts(chance, 100, 500_000), {}


def sparse_loaded(chance: random.Random) -> Made:
    """The same, 10 broadcasts a second."""
    return _air.grid(100), broadcasts(chance, 100, 100_000), {}


def sparse_default(chance: random.Random) -> Made:
    """The same, with the kernel's receivers as they are by default but for the error curves."""
    return _air.grid(100), broadcasts(chance, 100, 100_000), {"detect_noise": False}


def sparse_unicast(chance: random.Random) -> Made:
    """The same, each sends its right-hand neighbour 4 messages a second."""
    streams = [(i, i + 1 if i % 10 < 9 else i - 1, 200, chance.randrange(250_000), 250_000) for i in range(100)]
    return _air.grid(100), streams, {}


HIDDEN = [(-0.8 * _air.RANGE_M, 0.0), (0.8 * _air.RANGE_M, 0.0), (0.0, 0.0)]


def hidden_broadcast(chance: random.Random) -> Made:
    """Two senders that do not hear each other, a receiver between them; periods without a common measure."""
    streams = [(0, -1, 200, chance.randrange(20_000), 19_997), (1, -1, 200, chance.randrange(20_000), 21_011)]
    return HIDDEN, streams, {}


def hidden_unicast(chance: random.Random) -> Made:
    """The same with acknowledgements, at the same pace."""
    streams = [(0, 2, 200, chance.randrange(20_000), 19_997), (1, 2, 200, chance.randrange(20_000), 21_011)]
    return HIDDEN, streams, {}


def hidden_saturated(chance: random.Random) -> Made:
    """The same, saturated."""
    return HIDDEN, [(0, 2, 200, chance.randrange(20_000), 0), (1, 2, 200, chance.randrange(20_000), 0)], {}


def hidden_endless(chance: random.Random) -> Made:
    """The same, with so many attempts that none is given up."""
    return *hidden_saturated(chance)[:2], {"attempts": 25}


#: Scene, and the virtual seconds of each run.
SCENES: list[tuple[Callable[[random.Random], Made], float]] = [
    (dense_broadcast, 10.0),
    (dense_overload, 6.0),
    (few_unicast, 20.0),
    (dense_unicast, 10.0),
    (spread_unicast, 10.0),
    (sparse_broadcast, 5.0),
    (sparse_loaded, 2.0),
    (sparse_default, 2.0),
    (sparse_unicast, 4.0),
    (hidden_broadcast, 60.0),
    (hidden_unicast, 60.0),
    (hidden_saturated, 60.0),
    (hidden_endless, 60.0),
]
DETECTION = "a begin is told from others alone, in ns-3 from noise too"
WINDOW = "the window after a message that was given up"
#: Why a scene may differ.
CAUSES = {
    "sparse_default": DETECTION,
    "hidden_saturated": WINDOW,
}
#: What is compared, and what it is called.
FIGURES = {
    "frames": "transmissions/s",
    "delivered": "delivered/s",
    "acknowledged": "acknowledged/s",
    "failed": "given up/s",
}


def kernels(what: dict[str, Any]) -> dict[str, float]:
    kernel = _air.kernel_of(what)
    kernel.run(what["us"])
    failed = sum(kernel.totals(number)[4] for number in range(len(what["streams"])))
    return {**_air.counts_of(kernel, what), "failed": failed}


def scenes_of(make: Callable[[random.Random], Made], seconds: float, seeds: int) -> list[dict[str, Any]]:
    """Return a scene with so many seeds."""
    found = []
    for seed in range(1, seeds + 1):
        places, streams, air = make(random.Random(seed))
        us = round(seconds * 1e6)
        found.append(_air.AIR | {"places": places, "streams": streams, "seed": seed, "us": us} | air)
    return found


def rows(name: str, scenes: list[dict[str, Any]], theirs: list[dict[str, float]]) -> list[str]:
    """Run a scene here, and return its part of the table."""
    seconds, seeds = scenes[0]["us"] / 1e6, len(scenes)
    own = [kernels(what) for what in scenes]
    unicast = scenes[0]["streams"][0][1] >= 0
    lines = []
    for key in ("frames", "delivered", *(("acknowledged", "failed") if unicast else ())):
        ours = [one[key] / seconds for one in own]
        others = [one[key] / seconds for one in theirs]
        mean, other = statistics.mean(ours), statistics.mean(others)
        error = math.hypot(*(statistics.stdev(values) / math.sqrt(seeds) for values in (ours, others)))
        if key == "failed":  # few, so that their number has an error of its own
            error = max(error, math.sqrt((mean + other) / seconds / seeds))
        difference = mean / other - 1 if other else 0.0
        cause = ""
        if abs(difference) > WITHIN:
            cause = CAUSES.get(name, "NOT KNOWN") if abs(mean - other) > 3 * error else "within three standard errors"
        lines.append(
            f"| {name.replace('_', ' ')} | {FIGURES[key]} | {mean:,.1f} | {other:,.1f} "
            f"| {100 * difference:+.1f} % | {100 * error / other if other else 0:.1f} % | {cause} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", help="only these scenes, such as hidden_broadcast")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each scene, at least 2 (default: 5)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the virtual time")
    arguments = parser.parse_args()
    seeds = max(2, arguments.seeds)
    chosen = {
        make.__name__: scenes_of(make, seconds / 5 if arguments.quick else seconds, seeds)
        for make, seconds in SCENES
        if not arguments.name or make.__name__ in arguments.name
    }
    # One process for all: loading ns-3 takes longer than most of the scenes.
    found = _air.asked("ns3", [scene for scenes in chosen.values() for scene in scenes])
    if found is None:
        sys.exit("no ns-3: pip install -e '.[bench-air]'")
    print("| scene | figure | kernel | ns-3 | difference | standard error of it | cause, if it is more than 5 % |")
    print("|---|---|---|---|---|---|---|")
    for number, (name, scenes) in enumerate(chosen.items()):
        for line in rows(name, scenes, found[number * seeds : number * seeds + seeds]):
            print(line)


if __name__ == "__main__":
    main()

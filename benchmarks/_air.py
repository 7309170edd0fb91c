"""What the air's kernel reaches, beside ns-3 and beside a plain SimPy model of the same scene.

A scene is places and streams of messages, the same for all: they get it as JSON, each in a process of its own. What is
compared is frames a second of processor time, of the run alone. Beside each ratio stand the frames and receptions of
both for the same virtual time, from the same messages at the same instants; the kernel then goes on for longer, since
its share would be over before a clock could tell.
"""

from __future__ import annotations

import importlib.util
import json
import math
import random
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SIZE = 200
POWER_DBM, EXPONENT, LOSS_1M_DB, NOISE_FIGURE_DB = 20.0, 3.0, 40.2, 7.0
#: ns-3 begins to receive what is 4 dB above noise; a lower limit than this would be none to it.
LEAST_DBM, DETECT_DB = -89.0, 4.0
#: Thermal noise in the 22 MHz of DSSS, as ns-3 has it.
NOISE_DBM = -174 + 10 * math.log10(22e6) + NOISE_FIGURE_DB
#: As far as a station of this loss and power is received.
RANGE_M = 10 ** ((POWER_DBM - LEAST_DBM - LOSS_1M_DB) / 10 / EXPONENT)
#: Within 2.3 steps on a grid are 20 others.
STEP_M = RANGE_M / 2.3
RUNS = 5
AIR: dict[str, Any] = {
    "power_dbm": POWER_DBM,
    "exponent": EXPONENT,
    "loss_1m_db": LOSS_1M_DB,
    "noise_figure_db": NOISE_FIGURE_DB,
    "least_dbm": LEAST_DBM,
    "sense_dbm": LEAST_DBM,
    "floor_dbm": NOISE_DBM,
    "detect_db": DETECT_DB,
    "detect_noise": True,
    "attempts": 7,
}

#: Scene: its name, what it must reach beside ns-3, and the virtual seconds of: the rivals, SimPy's more, the kernel.
SCENES = {
    "sparse": ("1,000 stations, sparse field", 1000, 1.0, 4.0, 20.0),
    "dense": ("100 stations, all in range", 500, 10.0, 50.0, 500.0),
    "saturated": ("50 stations, saturated unicast", 100, 10.0, 20.0, 500.0),
}
HUGE, HUGE_SECONDS, HUGE_MB = 100_000, 10, 500
DENSITIES = (1_000, 10_000, 100_000)
FLAT = 4
UNCOMPILED = 100_000

NOTES = {
    "sparse": "air: a frame is a transmission but an acknowledgement, a reception is anything that anybody decoded; "
    "rates are of\nprocessor time in the run alone. Both want a frame's begin 4 dB above noise and others, and have "
    "the same error curves.\nSimPy's frames spoil each other whatever their power, and its acknowledgements are "
    "nobody's reception."
}


def grid(stations: int) -> list[tuple[float, float]]:
    side = math.isqrt(stations - 1) + 1
    return [(number % side * STEP_M, number // side * STEP_M) for number in range(stations)]


def scene(name: str, stations: int = 0, per_second: int = 10) -> dict[str, Any]:
    """Return places and streams (station, to, bytes, first and period in microseconds; 0: saturated), and the air."""
    chance = random.Random(name)
    if name == "field":
        places = grid(stations)
        period_us = 1_000_000 // per_second
        streams = [(i, -1, SIZE, chance.randrange(period_us), period_us) for i in range(stations)]
    elif name == "dense":
        # 40 percent of the channel.
        places = [(chance.uniform(0, 50), chance.uniform(0, 50)) for _ in range(100)]
        streams = [(i, -1, SIZE, chance.randrange(500_000), 500_000) for i in range(100)]
    else:
        # Within a metre of each other all signals have the same power.
        places = [(0.001 * i, 0.0) for i in range(50)]
        streams = [(i, (i + 1) % 50, SIZE, chance.randrange(50_000), 0) for i in range(50)]
    return AIR | {"places": places, "streams": streams, "seed": 1}


def kernel_of(what: dict[str, Any]) -> Any:
    """Return a kernel with a scene."""
    from espnow.air.propagation import LogDistance
    from espnow.air.scene import Place, Receiver, Scene, Traffic, TrafficKind

    return Scene(
        [Place(tuple(here), what["power_dbm"], attempts=what["attempts"]) for here in what["places"]],
        [
            Traffic(
                station,
                to,
                size,
                TrafficKind.PERIODIC if period_us else TrafficKind.SATURATED,
                period_us,
                first_us=first_us,
            )
            for station, to, size, first_us, period_us in what["streams"]
        ],
        LogDistance(what["exponent"]),
        receiver=Receiver(
            noise_dbm=what["floor_dbm"],
            sense_dbm=what["sense_dbm"],
            least_dbm=what["least_dbm"],
            detect_db=what["detect_db"],
            detect_noise=what["detect_noise"],
            calibrated=False,
        ),
        seed=what["seed"],
    ).kernel()


def counts_of(kernel: Any, what: dict[str, Any]) -> dict[str, float]:
    totals = [kernel.totals(number) for number in range(len(what["streams"]))]
    return {
        "frames": kernel.frames,
        "receptions": kernel.receptions,
        "acknowledged": sum(one[3] for one in totals),
        "delivered": sum(one[7] for one in totals),
    }


def timed(kernel: Any, until_us: int) -> tuple[float, int]:
    """Return the processor seconds that a kernel takes until an instant, and the frames."""
    frames = kernel.frames
    begin = time.process_time()
    kernel.run(until_us)
    return time.process_time() - begin, kernel.frames - frames


def asked(name: str, scenes: Any) -> Any:
    """Return what a rival says of a scene, or of a list of them; None if it is not installed."""
    if importlib.util.find_spec(name) is None:
        return None
    program = Path(__file__).with_name(f"_air_{name}.py")
    told = json.dumps(scenes)
    run = subprocess.run([sys.executable, str(program)], input=told, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout)


def rival(name: str, what: dict[str, Any], us: int) -> dict[str, float] | None:
    """Return what a rival says of a scene; None if it is not installed."""
    found: dict[str, float] | None = asked(name, what | {"us": us})
    return found


def beside(name: str, what: dict[str, Any], quick: bool) -> dict[str, float]:
    """Run a scene here and in both rivals."""
    *_, rivals_s, simpy_s, own_s = SCENES[name]
    if quick:
        rivals_s, simpy_s, own_s = rivals_s / 10, simpy_s / 10, own_s / 10
    rates = []
    for _ in range(RUNS):
        kernel = kernel_of(what)
        seconds, frames = timed(kernel, round(own_s * 1e6))
        rates.append(frames / seconds)
    figures: dict[str, float] = {"frames_per_s": statistics.median(rates)}
    for other, seconds in (("ns3", rivals_s), ("simpy", simpy_s)):
        us = round(seconds * 1e6)
        found = rival(other, what, us)
        if found is None:
            continue
        kernel = kernel_of(what)
        kernel.run(us)
        figures |= {f"{other}_beside_{key}": value for key, value in counts_of(kernel, what).items()}
        figures |= {f"{other}_{key}": value for key, value in found.items()}
        figures |= {f"{other}_virtual_s": seconds, f"{other}_frames_per_s": found["frames"] / found["seconds"]}
    return figures


def sparse(quick: bool) -> dict[str, float]:
    """A thousand stations on a grid, 20 others in decoding range, ten broadcasts a second each."""
    return beside("sparse", scene("field", 1_000), quick)


def dense(quick: bool) -> dict[str, float]:
    """A hundred stations that all hear each other, broadcasts that take two fifths of the channel."""
    return beside("dense", scene("dense"), quick)


def saturated(quick: bool) -> dict[str, float]:
    """Fifty stations that always have a message for the next one."""
    return beside("saturated", scene("saturated"), quick)


def huge(quick: bool) -> dict[str, float]:
    """A hundred thousand stations in the field, one broadcast a second each."""
    stations = HUGE // 10 if quick else HUGE
    what = scene("field", stations, per_second=1)
    begin = time.perf_counter()
    kernel = kernel_of(what)
    built_s = time.perf_counter() - begin
    seconds = 1 if quick else HUGE_SECONDS
    begin = time.perf_counter()
    took_s, frames = timed(kernel, seconds * 1_000_000)
    wall_s = time.perf_counter() - begin
    return {
        "stations": stations,
        "start_s": built_s,
        "times_real_time": seconds / wall_s,
        "frames_per_s": frames / took_s,
        "receptions_per_frame": kernel.receptions / kernel.frames,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def density(quick: bool) -> dict[str, float]:
    """What a frame costs in fields of different sizes and equal density, ten broadcasts a second each."""
    figures = {}
    for stations in DENSITIES[:-1] if quick else DENSITIES:
        kernel = kernel_of(scene("field", stations))
        kernel.run(100_000)  # everybody has begun
        frames = 50_000 if quick else 500_000
        seconds, frames = timed(kernel, 100_000 + frames * 100_000 // stations)
        figures[f"{stations}_ns"] = 1e9 * seconds / frames
        figures[f"{stations}_receptions"] = kernel.receptions / kernel.frames
    return figures


def uncompiled(quick: bool) -> dict[str, float]:
    """A hundred stations of the field, with the kernel's source interpreted."""
    from espnow.air import kernel as compiled
    from espnow.air import telling

    spec = importlib.util.spec_from_file_location("interpreted", Path(compiled.__file__).with_name("kernel.py"))
    assert spec is not None
    assert spec.loader is not None
    interpreted = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(interpreted)
    setattr(telling, "Kernel", interpreted.Kernel)  # noqa: B010  (a class of another module, of the same source)
    what = scene("field", 100)
    us = 2_000_000 if quick else 20_000_000
    rates = []
    for _ in range(RUNS):
        kernel = kernel_of(what)
        seconds, frames = timed(kernel, us)
        rates.append(frames / seconds)
    figures = {"frames_per_s": statistics.median(rates)}
    figures |= {f"simpy_beside_{key}": value for key, value in counts_of(kernel, what).items()}
    found = rival("simpy", what, us)
    if found is not None:
        figures |= {f"simpy_{key}": value for key, value in found.items()}
        figures |= {"simpy_frames_per_s": found["frames"] / found["seconds"], "simpy_virtual_s": us / 1e6}
    return figures


def rows(scene: str, figures: dict[str, float]) -> list[tuple[str, ...]]:
    """Return the rows of the table that tell of a scene."""

    def verdict(reached: bool) -> str:
        return "PASS" if reached else "short of it"

    def counts(other: str, label: str) -> list[tuple[str, ...]]:
        """What both did in the same virtual time; acknowledged messages if there are any."""
        told = ["frames", "receptions"] + ["acknowledged"] * bool(figures[f"{other}_acknowledged"])
        ours = [figures[f"{other}_beside_{key}"] for key in told]
        theirs = [figures[f"{other}_{key}"] for key in told]
        return [
            (
                f"  in {figures[f'{other}_virtual_s']:g} s: " + ", ".join(told),
                "; ".join(f"{value:,.0f}" for value in ours),
                f"{label} " + "; ".join(f"{value:,.0f}" for value in theirs),
                "; ".join(f"{own / one:.3f}" if one else "-" for own, one in zip(ours, theirs, strict=True)),
                "",
                "",
            )
        ]

    rate = f"{figures['frames_per_s']:,.0f} frames/s" if "frames_per_s" in figures else ""
    if scene in SCENES:
        name, target, *_ = SCENES[scene]
        found: list[tuple[str, ...]] = []
        for other, label in (("ns3", "ns-3"), ("simpy", "SimPy")):
            first = other == "ns3"
            goal = f"{target:,} x ns-3" if first else ""
            if f"{other}_frames" not in figures:
                missing = f"no {label}: pip install -e '.[bench-air]'"
                found.append((name if first else "  beside SimPy", rate, missing, "", goal, ""))
                continue
            ratio = figures["frames_per_s"] / figures[f"{other}_frames_per_s"]
            found.append(
                (
                    name if first else "  beside SimPy",
                    rate,
                    f"{label} {figures[f'{other}_frames_per_s']:,.0f}/s",
                    f"{ratio:,.0f}",
                    goal,
                    verdict(ratio >= target) if first else "",
                )
            )
            found += counts(other, label)
        return found
    if scene == "huge":
        return [
            (
                f"{figures['stations']:,.0f} stations, once a second",
                f"{figures['times_real_time']:.1f} x real time",
                f"{rate}, {figures['receptions_per_frame']:.1f} receptions each",
                "",
                "1 x",
                verdict(figures["times_real_time"] >= 1),
            ),
            (
                "  memory, start",
                f"{figures['peak_mb']:.0f} MB, {figures['start_s']:.1f} s",
                "",
                "",
                f"{HUGE_MB} MB",
                verdict(figures["peak_mb"] <= HUGE_MB),
            ),
        ]
    if scene == "density":
        sizes = [stations for stations in DENSITIES if f"{stations}_ns" in figures]
        base = figures[f"{sizes[0]}_ns"]
        return [
            (
                f"a frame at {stations:,} stations, equal density",
                f"{figures[f'{stations}_ns']:,.0f} ns",
                f"{figures[f'{stations}_receptions']:.1f} receptions a frame",
                f"{figures[f'{stations}_ns'] / base:.2f}",
                f"within {FLAT}",
                verdict(figures[f"{stations}_ns"] / base <= FLAT),
            )
            for stations in sizes
        ]
    each = figures["simpy_beside_receptions"] / figures["simpy_beside_frames"]
    found = [
        (
            f"100 stations, uncompiled, {each:.1f} hear a frame",
            rate,
            "no SimPy: pip install -e '.[bench-air]'",
            "",
            f"{UNCOMPILED:,}/s",
            verdict(figures["frames_per_s"] >= UNCOMPILED),
        )
    ]
    if "simpy_frames" in figures:
        ratio = figures["frames_per_s"] / figures["simpy_frames_per_s"]
        found = [(*found[0][:2], f"SimPy {figures['simpy_frames_per_s']:,.0f}/s", f"{ratio:.1f}", *found[0][4:])]
        found += counts("simpy", "SimPy")
    return found

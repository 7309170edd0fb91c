"""What the lab costs, as ratios: ``python benchmarks/run.py``.

Each figure stands beside a bare loop of heap events and greenlet switches, measured in the same run on the same
machine: what any lab in Python pays before it does anything. Absolute times differ from machine to machine, and on a
shared one from minute to minute; the ratios do less so. Every scene runs in a process of its own.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from greenlet import getcurrent, greenlet

PAIRS = 20_000
BOARDS = 1_000
NEIGHBOURS = 20
FIELD_SECONDS = 5


def bare_loop(events: int, switches: int, rounds: int) -> float:
    """Return the seconds that `rounds` of so many heap events and greenlet round trips take."""
    hub = getcurrent()
    heap: list[tuple[int, int]] = []

    def body() -> None:
        while True:
            hub.switch()

    other = greenlet(body)
    other.switch()
    counter = 0
    for number in range(4):
        heapq.heappush(heap, (number, number))
    begin = time.perf_counter()
    for number in range(rounds):
        for _ in range(events):
            counter += 1
            heapq.heappush(heap, (number + 7, counter))
            heapq.heappop(heap)
        for _ in range(switches):
            other.switch()
    return time.perf_counter() - begin


def pairs() -> dict[str, float]:
    """Two boards, acknowledged unicast: one sends, the other reads."""
    from espnow.lab import Lab

    receiver = f"""
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
for _ in range({PAIRS}):
    e.recv()
"""
    sender = f"""
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(PEER)
message = bytes(100)
answered = 0
for _ in range({PAIRS}):
    answered += e.send(PEER, message)
assert answered == {PAIRS}
"""
    with Lab(record=False) as lab:
        listener = lab.board(code=receiver)
        lab.board(code=f"PEER = {listener.mac!r}\n{sender}")
        begin = time.perf_counter()
        lab.run()
        took_s = time.perf_counter() - begin
        virtual_s = lab.now_us / 1e6
    # A pair has three events (begin, end, acknowledgement) and two round trips to the hub.
    bare_s = bare_loop(3, 2, PAIRS)
    return {"pairs_per_s": PAIRS / took_s, "bare_per_s": PAIRS / bare_s, "times_real_time": virtual_s / took_s}


def field() -> dict[str, float]:
    """A thousand boards on a grid, each broadcasts once a virtual second and reads every message that it hears."""
    from espnow.lab import Lab

    program = """
import espnow, network, random, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.config(rxbuf=4096)
e.active(True)
everybody = b'\\xff' * 6
e.add_peer(everybody)
heard = 0
due = time.ticks_add(time.ticks_ms(), random.randrange(1000))
while True:
    left = time.ticks_diff(due, time.ticks_ms())
    if left <= 0:
        e.send(everybody, b'temperature 21.5')
        due = time.ticks_add(due, 1000)
    elif e.recv(left)[0] is not None:
        heard += 1
"""
    side = math.isqrt(BOARDS - 1) + 1
    begin = time.perf_counter()
    # On a grid of one metre, a circle of this radius holds about so many others.
    radius_m = math.sqrt((NEIGHBOURS + 1) / math.pi)
    with Lab(record=False, range_m=radius_m) as lab:
        for number in range(BOARDS):
            lab.board(code=program, at=(float(number % side), float(number // side)))
        lab.run(for_ms=1500)
        started_s = time.perf_counter() - begin
        before = sum(board.hardware.node.stats.rx_packets for board in lab.boards)
        begin = time.perf_counter()
        lab.run(for_ms=FIELD_SECONDS * 1000)
        took_s = time.perf_counter() - begin
        stats = [board.hardware.node.stats for board in lab.boards]
        heard = sum(stat.rx_packets for stat in stats) - before
        dropped = sum(stat.rx_dropped for stat in stats)
    bare_s = bare_loop(1, 1, heard)
    return {
        "times_real_time": FIELD_SECONDS / took_s,
        "bare_times_real_time": FIELD_SECONDS / bare_s,
        "receptions_per_s": heard / took_s,
        "neighbours": heard / BOARDS / FIELD_SECONDS,
        "dropped": dropped,
        "start_s": started_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def start() -> dict[str, float]:
    """What ``import espnow`` and the first ESPNow() add to starting Python."""

    def median_ms(code: str) -> float:
        def once() -> float:
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
            return (time.perf_counter() - begin) * 1000

        once()
        return statistics.median(once() for _ in range(21))

    bare = median_ms("pass")
    return {
        "python_ms": bare,
        "import_ms": median_ms("import espnow") - bare,
        "first_ms": median_ms("import espnow; espnow.ESPNow()") - bare,
    }


SCENES: dict[str, Callable[[], dict[str, float]]] = {"pairs": pairs, "field": field, "start": start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", nargs="*", choices=[[], *SCENES], help="only these (default: all)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--here", choices=SCENES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        print(json.dumps(SCENES[arguments.here]()))
        return
    found: dict[str, dict[str, float]] = {}
    for name in arguments.scene or SCENES:
        if sys.stderr.isatty():
            print(f"\r{name} ...   ", end="", file=sys.stderr, flush=True)
        run = subprocess.run([sys.executable, __file__, "--here", name], check=True, capture_output=True, text=True)
        found[name] = json.loads(run.stdout)
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    rows = [("scene", "figure", "bare loop", "ratio", "asked for")]
    if figures := found.get("pairs"):
        rows.append(
            (
                "2 boards, acknowledged unicast",
                f"{figures['pairs_per_s']:,.0f} pairs/s",
                f"{figures['bare_per_s']:,.0f}/s",
                f"1/{figures['bare_per_s'] / figures['pairs_per_s']:.1f}",
                "about 20,000/s",
            )
        )
    if figures := found.get("field"):
        rows.append(
            (
                f"{BOARDS} boards, {figures['neighbours']:.1f} neighbours",
                f"{figures['times_real_time']:.1f} x real time",
                f"{figures['bare_times_real_time']:.0f} x",
                f"1/{figures['bare_times_real_time'] / figures['times_real_time']:.1f}",
                "3 x or more",
            )
        )
        used = f"{figures['peak_mb']:.0f} MB, {figures['start_s']:.1f} s"
        rows.append(("  memory, start", used, "", "", "1 GB, 5 s"))
    if figures := found.get("start"):
        python = figures["python_ms"]
        for label, key, goal in (("import espnow", "import_ms", "15 ms"), ("first ESPNow()", "first_ms", "150 ms")):
            more = figures[key]
            rows.append((label, f"{more:.1f} ms more", f"Python {python:.0f} ms", f"{more / python:.2f}", goal))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()

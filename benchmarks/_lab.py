"""What the lab costs, beside a bare loop of heap events and greenlet switches.

The loop is what any lab in Python pays before it does anything.
"""

from __future__ import annotations

import heapq
import math
import resource
import statistics
import subprocess
import sys
import time

from greenlet import getcurrent, greenlet

PAIRS = 20_000
BOARDS = 1_000
NEIGHBOURS = 20
NOTES = {"pairs": "unicast: send until acknowledged, and recv; bare loop: heap events and greenlet switches alone"}
FIELD_SECONDS = 5
STARTS = 21


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


def pairs(quick: bool) -> dict[str, float]:
    """Two boards, acknowledged unicast: one sends, the other reads."""
    from espnow.lab import Lab

    count = PAIRS // 10 if quick else PAIRS
    receiver = f"""
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
for _ in range({count}):
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
for _ in range({count}):
    answered += e.send(PEER, message)
assert answered == {count}
"""
    with Lab(record=False) as lab:
        listener = lab.board(code=receiver)
        lab.board(code=f"PEER = {listener.mac!r}\n{sender}")
        begin = time.perf_counter()
        lab.run()
        took_s = time.perf_counter() - begin
        virtual_s = lab.now_us / 1e6
    # A pair has three events (begin, end, acknowledgement) and two round trips to the hub.
    bare_s = bare_loop(3, 2, count)
    return {"pairs_per_s": count / took_s, "bare_per_s": count / bare_s, "times_real_time": virtual_s / took_s}


def field(quick: bool) -> dict[str, float]:
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
    boards, seconds = (BOARDS // 10, 1) if quick else (BOARDS, FIELD_SECONDS)
    side = math.isqrt(boards - 1) + 1
    begin = time.perf_counter()
    # On a grid of one metre, a circle of this radius holds about so many others.
    radius_m = math.sqrt((NEIGHBOURS + 1) / math.pi)
    with Lab(record=False, range_m=radius_m) as lab:
        for number in range(boards):
            lab.board(code=program, at=(float(number % side), float(number // side)))
        lab.run(for_ms=1500)
        started_s = time.perf_counter() - begin
        before = sum(board.hardware.node.stats.rx_packets for board in lab.boards)
        begin = time.perf_counter()
        lab.run(for_ms=seconds * 1000)
        took_s = time.perf_counter() - begin
        stats = [board.hardware.node.stats for board in lab.boards]
        heard = sum(stat.rx_packets for stat in stats) - before
        dropped = sum(stat.rx_dropped for stat in stats)
    bare_s = bare_loop(1, 1, heard)
    return {
        "boards": boards,
        "times_real_time": seconds / took_s,
        "bare_times_real_time": seconds / bare_s,
        "receptions_per_s": heard / took_s,
        "neighbours": heard / boards / seconds,
        "dropped": dropped,
        "start_s": started_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def start(quick: bool) -> dict[str, float]:
    """What ``import espnow`` and the first ESPNow() add to starting Python."""

    def median_ms(code: str) -> float:
        def once() -> float:
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
            return (time.perf_counter() - begin) * 1000

        once()
        return statistics.median(once() for _ in range(3 if quick else STARTS))

    bare = median_ms("pass")
    return {
        "python_ms": bare,
        "import_ms": median_ms("import espnow") - bare,
        "first_ms": median_ms("import espnow; espnow.ESPNow()") - bare,
    }


def rows(scene: str, figures: dict[str, float]) -> list[tuple[str, ...]]:
    """Return the rows of the table that tell of a scene."""

    def verdict(reached: bool) -> str:
        return "PASS" if reached else "short of it"

    if scene == "pairs":
        return [
            (
                "2 boards, unicast",
                f"{figures['pairs_per_s']:,.0f} pairs/s",
                f"bare loop {figures['bare_per_s']:,.0f}/s",
                f"1/{figures['bare_per_s'] / figures['pairs_per_s']:.1f}",
                "20,000/s",
                verdict(figures["pairs_per_s"] >= 20_000),
            )
        ]
    if scene == "field":
        return [
            (
                f"{figures['boards']:.0f} boards, {figures['neighbours']:.1f} neighbours",
                f"{figures['times_real_time']:.1f} x real time",
                f"bare loop {figures['bare_times_real_time']:.0f} x",
                f"1/{figures['bare_times_real_time'] / figures['times_real_time']:.1f}",
                "3 x",
                verdict(figures["times_real_time"] >= 3),
            ),
            (
                "  memory, start",
                f"{figures['peak_mb']:.0f} MB, {figures['start_s']:.1f} s",
                "",
                "",
                "1 GB, 5 s",
                verdict(figures["peak_mb"] <= 1024 and figures["start_s"] <= 5),
            ),
        ]
    python = figures["python_ms"]
    return [
        (
            label,
            f"{figures[key]:.1f} ms more",
            f"Python {python:.0f} ms",
            f"{figures[key] / python:.2f}",
            f"{goal} ms",
            verdict(figures[key] <= goal),
        )
        for label, key, goal in (("import espnow", "import_ms", 15), ("first ESPNow()", "first_ms", 150))
    ]

"""What the lab costs, beside a bare loop of heap events and greenlet switches.

The loop is what any lab in Python pays before it does anything.
"""

from __future__ import annotations

import heapq
import statistics
import subprocess
import sys
import time

from greenlet import getcurrent, greenlet

PAIRS = 20_000
NOTES = {"pairs": "unicast: send until acknowledged, and recv; bare loop: heap events and greenlet switches alone"}
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

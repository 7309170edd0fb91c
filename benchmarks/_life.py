"""What the life of boards costs: boot, send, deep sleep, beside a bare loop of heap events and greenlet switches."""

from __future__ import annotations

import importlib
import resource
import time

BOARDS = 1_000
SLEEP_S = 60
CYCLES = 3
NOTES: dict[str, str] = {}

SENSOR = f"""
import espnow, machine, network
sta = network.WLAN(network.WLAN.IF_STA)
sta.active(True)
e = espnow.ESPNow()
e.active(True)
sink = b'\\x30\\xaa\\xaa\\xaa\\xaa\\xaa'
e.add_peer(sink)
e.send(sink, 'temperature 21.5')
e.active(False)
sta.active(False)
machine.deepsleep({SLEEP_S * 1000})
"""

SINK = """
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.config(rxbuf=4096)
e.active(True)
heard = 0
for mac, msg in e:
    heard += 1
"""


def sleepers(quick: bool) -> dict[str, float]:
    """A thousand sensors in one place wake each minute, one after the other, and send to one sink."""
    return _sleep(quick, staggered=True)


def crowd(quick: bool) -> dict[str, float]:
    """The same sensors start in one instant: most messages collide, are sent again, and time out in the queue."""
    return _sleep(quick, staggered=False)


def _sleep(quick: bool, *, staggered: bool) -> dict[str, float]:
    from espnow.lab import Lab

    boards = BOARDS // 10 if quick else BOARDS
    cycle_ms = SLEEP_S * 1000 + 500
    with Lab(record=False) as lab:
        sink = lab.board(code=SINK, mac="30:aa:aa:aa:aa:aa")
        for number in range(boards):
            start_ms = number * SLEEP_S * 1000 / boards if staggered else 0
            lab.board(code=SENSOR, name=f"sensor{number}", start_ms=start_ms)
        lab.run(for_ms=cycle_ms)
        before = sink.hardware.node.stats.rx_packets
        begin = time.perf_counter()
        virtual_ms = CYCLES * cycle_ms
        lab.run(for_ms=virtual_ms)
        took_s = time.perf_counter() - begin
        heard = sink.hardware.node.stats.rx_packets - before
    # A wake has six events (timer, boot, Wi-Fi, begin, end and acknowledgement of the frame) and four round trips.
    bare_s = importlib.import_module("_lab").bare_loop(6, 4, boards * CYCLES)
    return {
        "boards": boards,
        "times_real_time": virtual_ms / 1000 / took_s,
        "bare_times_real_time": virtual_ms / 1000 / bare_s,
        "wake_us": took_s * 1e6 / (boards * CYCLES),
        "heard": heard,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def rows(scene: str, figures: dict[str, float]) -> list[tuple[str, ...]]:
    """Return the rows of the table that tell of the scene."""
    reached = figures["times_real_time"] >= 100
    return [
        (
            f"{figures['boards']:.0f} sensors, deep sleep {SLEEP_S} s" + (", all at once" if scene == "crowd" else ""),
            f"{figures['times_real_time']:.0f} x real time",
            f"bare loop {figures['bare_times_real_time']:,.0f} x",
            f"1/{figures['bare_times_real_time'] / figures['times_real_time']:.0f}",
            "100 x",
            "PASS" if reached else "short of it",
        ),
        ("  a wake, memory", f"{figures['wake_us']:.0f} µs, {figures['peak_mb']:.0f} MB", "", "", "", ""),
    ]

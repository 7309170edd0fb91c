"""What it costs that a thousand boards read every message that they hear, by how their programs read.

Boards on a grid, about twenty within hearing of each; each sends to all once a second and reads everything that comes,
in one of the ways that MicroPython's ``espnow`` document shows. Every program counts the messages that were what they
should be, and that number must be the number that entered its ring.
"""

from __future__ import annotations

import math
import resource
import time
from typing import Any

BOARDS = 1_000
NEIGHBOURS = 20
SECONDS = 5
#: Until every board has begun and sent for the first time.
WARM_UP_S = 2
NOTES = {
    "recv": "every message read: 1000 boards, each sends to all once a second; recording keeps messages and reasons"
}

_HEAD = """
import espnow, network, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.config(rxbuf=4096)
e.active(True)
everybody = b'\\xff' * 6
e.add_peer(everybody)
text = b'temperature 21.5'
heard = 0
"""

_LOOP = """
due = time.ticks_ms()
while True:
    left = time.ticks_diff(due, time.ticks_ms())
    if left <= 0:
        e.send(everybody, text)
        due = time.ticks_add(due, 1000)
    else:
        {read}
"""

PROGRAMS = {
    "recv": _HEAD
    + _LOOP.format(
        read="""mac, msg = e.recv(left)
        if mac is not None:
            heard += msg == text"""
    ),
    "irecv": _HEAD
    + _LOOP.format(
        read="""mac, msg = e.irecv(left)
        if mac is not None:
            heard += msg == text"""
    ),
    "recvinto": _HEAD
    + "data = [None, bytearray(250), 0, 0]\n"
    + _LOOP.format(
        read="""if e.recvinto(data, left):
            heard += data[1] == text"""
    ),
    "iteration": _HEAD
    + """
from machine import Timer
Timer(0).init(period=1000, callback=lambda timer: e.send(everybody, text, False))
for mac, msg in e:
    heard += msg == text
""",
    "irq": _HEAD
    + """
def arrived(e):
    global heard
    while True:
        mac, msg = e.irecv(0)
        if mac is None:
            return
        heard += msg == text

e.irq(arrived)
while True:
    e.send(everybody, text)
    time.sleep(1)
""",
    "aio": """
import aioespnow, asyncio, network
network.WLAN(0).active(True)
e = aioespnow.AIOESPNow()
e.config(rxbuf=4096)
e.active(True)
everybody = b'\\xff' * 6
e.add_peer(everybody)
text = b'temperature 21.5'
heard = 0

async def read():
    global heard
    async for mac, msg in e:
        heard += msg == text

async def main():
    asyncio.create_task(read())
    while True:
        await e.asend(everybody, text)
        await asyncio.sleep(1)

asyncio.run(main())
""",
}


def measure(style: str, quick: bool, **options: Any) -> dict[str, float]:
    """Run the field with one way of reading.

    Args:
        style: a key of `PROGRAMS`.
        quick: a tenth of the boards, for one second.
        **options: of the lab.
    """
    from espnow.lab import Lab

    boards, seconds = (BOARDS // 10, 1) if quick else (BOARDS, SECONDS)
    side = math.isqrt(boards - 1) + 1
    begin = time.process_time()
    # On a grid of one metre, a circle of this radius holds about so many others, and fewer at the edge.
    radius_m = math.sqrt((NEIGHBOURS + 2.5) / math.pi)
    with Lab(range_m=radius_m, **options) as lab:
        for number in range(boards):
            lab.board(
                code=PROGRAMS[style],
                at=(float(number % side), float(number // side)),
                start_ms=number * 617 % boards * 1000 / boards,
            )
        lab.run(for_ms=WARM_UP_S * 1000)
        started_s = time.process_time() - begin
        before = _heard(lab)
        begin, begin_cpu = time.perf_counter(), time.process_time()
        lab.run(for_ms=seconds * 1000)
        took_s, took_cpu_s = time.perf_counter() - begin, time.process_time() - begin_cpu
        heard = _heard(lab) - before
    return {
        "boards": boards,
        "times_real_time": seconds / took_s,
        "cpu_times_real_time": seconds / took_cpu_s,
        "message_us": took_s * 1e6 / heard,
        "neighbours": heard / boards / seconds,
        "start_s": started_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _heard(lab: Any) -> int:
    """Return how many messages the programs have read, after a look that these are all that came."""
    total = 0
    for board in lab.boards:
        heard = int(board.module("__main__").heard)
        node = board.hardware.node
        arrived = node.stats.rx_packets
        if board.error is not None or node.stats.rx_dropped or not 0 <= arrived - len(node.ring) - heard <= 1:
            raise RuntimeError(f"{board.name} read {heard} of {arrived} messages: {board.error!r}")
        total += heard
    return total


def _scene(style: str, quick: bool) -> dict[str, float]:
    figures = measure(style, quick, record=False)
    recorded = measure(style, quick)
    return figures | {f"recorded_{name}": value for name, value in recorded.items()}


def recv(quick: bool) -> dict[str, float]:
    """``recv(timeout)`` in a loop that also sends."""
    return _scene("recv", quick)


def irecv(quick: bool) -> dict[str, float]:
    """The same with ``irecv``."""
    return _scene("irecv", quick)


def recvinto(quick: bool) -> dict[str, float]:
    """The same with ``recvinto`` and a list of four."""
    return _scene("recvinto", quick)


def iteration(quick: bool) -> dict[str, float]:
    """A loop over the ESPNow object; a timer sends."""
    return _scene("iteration", quick)


def irq(quick: bool) -> dict[str, float]:
    """A callback that reads until nothing is left; the program sends and sleeps."""
    return _scene("irq", quick)


def aio(quick: bool) -> dict[str, float]:
    """Two tasks: one iterates over AIOESPNow, the other sends and sleeps."""
    return _scene("aio", quick)


def rows(scene: str, figures: dict[str, float]) -> list[tuple[str, ...]]:
    """Return the rows of the table that tell of a scene."""

    def row(label: str, prefix: str) -> tuple[str, ...]:
        times = figures[f"{prefix}times_real_time"]
        return (
            label,
            f"{times:.1f} x real time, {figures[f'{prefix}message_us']:.1f} µs a message",
            f"{figures[f'{prefix}neighbours']:.1f} messages/board/s",
            "",
            "5 x",
            "PASS" if times >= 5 else "short of it",
        )

    return [row(f"{figures['boards']:.0f} boards, {scene}", ""), row("  recording", "recorded_")]

"""What it costs that a lab keeps why messages did not arrive, beside the same runs without it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

BOARDS = 300
SECONDS = 3
MESSAGES = 4_000
TURNS = 9
NOTES = {"explain": "the same lab with Lab(explain=True) and without, in turns; the fastest run of each"}

#: Of each board: one message to all a second, and every message read.
TALK = """
import espnow, network, random, time
network.WLAN(0).active(True)
network.WLAN(0).config(channel=CHANNEL)
e = espnow.ESPNow()
e.config(rxbuf=4096)
e.active(True)
everybody = b'\\xff' * 6
e.add_peer(everybody)
due = time.ticks_add(time.ticks_ms(), random.randrange(1000))
while True:
    left = time.ticks_diff(due, time.ticks_ms())
    if left <= 0:
        e.send(everybody, b'temperature 21.5')
        due = time.ticks_add(due, 1000)
    else:
        e.recv(left)
"""

RECEIVER = """
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
for _ in range(COUNT):
    e.recv(1000)
"""

SENDER = """
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(PEER)
message = bytes(100)
for _ in range(COUNT):
    e.send(PEER, message)
"""


def field_s(boards: int, *, explain: bool, loss: float = 0.0, channels: int = 1) -> float:
    """Return how long the processor took for boards on a grid, twenty neighbours each, that all send to all."""
    from espnow.lab import Lab

    side = math.isqrt(boards - 1) + 1
    with Lab(record=False, explain=explain, range_m=math.sqrt(21 / math.pi), loss=loss) as lab:
        for number in range(boards):
            code = f"CHANNEL = {1 + 5 * (number % channels)}\n{TALK}"
            lab.board(code=code, at=(float(number % side), float(number // side)))
        lab.run(for_ms=1500)
        begin = time.process_time()
        lab.run(for_ms=SECONDS * 1000)
        return time.process_time() - begin


def pair_s(count: int, *, explain: bool, loss: float = 0.0) -> float:
    """Return how long the processor took for one board that sends to another."""
    from espnow.lab import Lab

    with Lab(record=False, explain=explain, loss=loss) as lab:
        receiver = lab.board(code=f"COUNT = {count}\n{RECEIVER}")
        lab.board(code=f"PEER = {receiver.mac!r}\nCOUNT = {count}\n{SENDER}")
        begin = time.process_time()
        lab.run()
        return time.process_time() - begin


def explain(quick: bool) -> dict[str, float]:
    """Four labs with the reasons kept and without: how much longer they take, in percent."""
    boards, count, turns = (BOARDS // 5, MESSAGES // 10, 2) if quick else (BOARDS, MESSAGES, TURNS)
    scenes: dict[str, Callable[[bool], float]] = {
        "field": lambda on: field_s(boards, explain=on),
        "lossy_field": lambda on: field_s(boards, explain=on, loss=0.1),
        "two_channels": lambda on: field_s(boards, explain=on, channels=2),
        "pair": lambda on: pair_s(count, explain=on),
        "lossy_pair": lambda on: pair_s(count, explain=on, loss=0.3),
    }
    figures = {}
    for name, scene in scenes.items():
        without, with_reasons = [], []
        for _ in range(turns):
            without.append(scene(False))
            with_reasons.append(scene(True))
        figures[name] = (min(with_reasons) / min(without) - 1) * 100
    return figures


def rows(_scene: str, figures: dict[str, float]) -> list[tuple[str, ...]]:
    """Return the rows of the table that tell of it."""
    labels = {
        "field": "300 boards to all, nothing lost",
        "lossy_field": "  a tenth of all frames lost",
        "two_channels": "  half of them on another channel",
        "pair": "one to one, nothing lost",
        "lossy_pair": "  three tenths of all frames lost",
    }
    return [
        (
            label,
            f"{figures[name]:+.0f} %",
            "without reasons",
            f"{1 + figures[name] / 100:.2f}",
            "+20 %",
            "PASS" if figures[name] <= 20 else "short of it",
        )
        for name, label in labels.items()
    ]

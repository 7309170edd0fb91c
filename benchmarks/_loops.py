"""What the checks in a program's own loops cost, beside the same source without them.

Both run in turns in one process. The board is alone, so nothing interrupts the loops; what is measured is the check.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

ROUNDS = 7
TARGET = 1 / 3
NOTES: dict[str, str] = {}

#: name -> (source, iterations); N is their number.
SOURCES = {
    "while, in a function": "def f():\n  i = 0\n  while i < N:\n    i += 1\nf()",
    "while, at module level": "i = 0\nwhile i < N:\n  i += 1",
    "for, in a function": "def f():\n  s = 0\n  for i in range(N):\n    s += i * i\nf()",
    "for, at module level": "s = 0\nfor i in range(N):\n  s += i * i",
    "an empty for, in a function": "def f():\n  for i in range(N):\n    pass\nf()",
    "calls of a function": "def g(x):\n  return x + 1\ndef f():\n  i = 0\n  for _ in range(N):\n    i = g(i)\nf()",
    "calls of a method": "class A:\n  n = 0\n  def g(self):\n    self.n += 1\na = A()\nfor _ in range(N):\n  a.g()",
    "a list comprehension": "x = [i * i for i in range(N)]",
    "a generator": "def g():\n  for i in range(N):\n    yield i\ns = 0\nfor i in g():\n  s += i",
    "bytes, bit by bit": "def crc(data):\n  c = 0\n  for b in data:\n    c ^= b\n    for _ in range(8):\n"
    "      c = c >> 1 ^ 0x8c if c & 1 else c >> 1\n  return c\ncrc(bytes(N // 8))",
}


def loops(quick: bool) -> dict[str, float]:
    """Typical tight loops on a board, and under plain exec."""
    from espnow.lab.program import compile_program
    from espnow.testing import Bench

    count = 20_000 if quick else 300_000
    figures = {}
    for name, source in SOURCES.items():
        checked, plain = compile_program(source, "loop.py"), compile(source, "loop.py", "exec")
        bench = Bench()
        builtins = bench.run("")["__builtins__"]
        seconds: dict[str, list[float]] = {"checked": [], "plain": []}
        for _ in range(ROUNDS):
            for kind, code in (("plain", plain), ("checked", checked)):
                names: dict[str, Any] = {"N": count}
                if kind == "checked":
                    names["__builtins__"] = builtins
                begin = time.perf_counter()
                exec(code, names)
                seconds[kind].append(time.perf_counter() - begin)
        for kind, times in seconds.items():
            figures[f"{name}, {kind}"] = statistics.median(times) / count
    return figures


def rows(scene: str, figures: dict[str, float]) -> list[tuple[str, ...]]:
    """Return the table's rows of a scene."""
    found: list[tuple[str, ...]] = []
    for name in SOURCES:
        checked, plain = figures[f"{name}, checked"], figures[f"{name}, plain"]
        ratio = plain / checked
        verdict = "PASS" if ratio >= TARGET else "short of it"
        found.append(
            (
                f"{scene}: {name}",
                f"{checked * 1e9:.0f} ns a turn",
                f"{plain * 1e9:.0f} ns",
                f"{ratio:.2f}",
                f"{TARGET:.2f} or more",
                verdict,
            )
        )
    return found

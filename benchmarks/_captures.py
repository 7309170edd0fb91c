"""One turn with a capture, in a process of its own: what it took is printed as JSON.

python benchmarks/_captures.py write FILE COUNT
python benchmarks/_captures.py ours|dpkt|scapy WARM-UP FILE
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SENDERS = 50
GAPS = 0.05
# Of the frames to one station, which are half of all: so that one frame in ten is a retry.
RETRIES = 0.2
GATEWAY = bytes.fromhex("30aea4000001")
BEGIN_US = 1_750_000_000_000_000


def write(path: str, count: int) -> None:
    """Write a capture of so many frames, the same each time."""
    from espnow.capture import PcapngWriter
    from espnow.frame import BROADCAST, RATE_1M, RATE_6M, build, with_retry

    chance = random.Random("a capture")
    sequence = [chance.randrange(4096) for _ in range(SENDERS)]
    last: list[bytes | None] = [None] * SENDERS
    at_us = BEGIN_US
    with Path(path).open("wb") as file, PcapngWriter(file) as capture:
        for _ in range(count):
            number = chance.randrange(SENDERS)
            again = last[number]
            if again is not None and chance.random() < RETRIES:
                mpdu = with_retry(again)
            else:
                sequence[number] = (sequence[number] + (2 if chance.random() < GAPS else 1)) & 0xFFF
                unicast = chance.random() < 0.5
                mpdu = build(
                    GATEWAY if unicast else BROADCAST,
                    bytes.fromhex("240ac40000") + bytes((number,)),
                    chance.randbytes(chance.randint(10, 120)),
                    seq=sequence[number],
                    random_value=chance.getrandbits(32),
                )
                last[number] = mpdu if unicast else None
            at_us += chance.randint(100, 10_000)
            rate = RATE_6M if chance.random() < 0.1 else RATE_1M
            capture.write(mpdu, at_us=at_us, channel=6, rate=rate, rssi_dbm=chance.randint(-90, -30))


def ours(path: str) -> int:
    """Do all that the command does; return how many frames it told of."""
    from espnow.cli.main import main

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = main(["decode", "--summary", path])
    head, *lines = printed.getvalue().splitlines()
    columns = head.split()
    assert code == 0
    assert len(lines) == 2 * SENDERS
    # Retries are frames, but no messages.
    return sum(int(line.split()[columns.index(name)]) for line in lines for name in ("messages", "retries"))


def dpkt(path: str) -> int:
    """Read all packets."""
    reader = _rival("dpkt.pcapng").Reader
    with Path(path).open("rb") as file:
        return sum(1 for _ in reader(file))


def scapy(path: str) -> int:
    """Read all packets, raw."""
    with _rival("scapy.utils").RawPcapNgReader(path) as reader:
        return sum(1 for _ in reader)


def _rival(name: str) -> Any:
    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # it warns of missing network interfaces
    try:
        return importlib.import_module(name)
    except ImportError:
        sys.exit(f"{name} is missing: pip install -e '.[bench]'")


CONTENDERS: dict[str, Callable[[str], int]] = {"ours": ours, "dpkt": dpkt, "scapy": scapy}


def main() -> None:
    what, first, second = sys.argv[1:]
    if what == "write":
        write(first, int(second))
        print("{}")
        return
    contender = CONTENDERS[what]
    contender(first)
    begin = time.perf_counter()
    packets = contender(second)
    took_s = time.perf_counter() - begin
    # Linux counts the peak of the process that started this one in; that one has imported next to nothing.
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": took_s, "packets": packets, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()

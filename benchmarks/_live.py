"""What the live board costs over ``udp:``, beside bare UDP between two processes of Python.

Every node is a process of its own. Rivals run in turns with what stands beside them, in processes that wait meanwhile.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from typing import Any, Self

TURNS = 10
SENDS = 400
SECONDS = 4
BROADCASTS_PER_S = 5_000
READERS = 3
PROCESSES = 30

NOTES = {
    "send": "send: 250 bytes, acknowledged, unpaced, to a receiver that waits; ping-pong: the same 250 bytes there and "
    "back, two processes with a socket each; medians, in turns",
    "computing": "computing: the receiving program is in a loop of its own and never calls the board",
    "callbacks": "callbacks: from before e.send in one process to the first line of the callback in another",
    "pace": "pace: beside it what 802.11 lets one station send: DIFS, half the contention window, frame, SIFS and its "
    "acknowledgement",
}

# Programs. Each prints a line when it is ready, then a line for each line that it gets, until its input ends.

_BEGIN = """
import json, sys, time
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.config(rxbuf=1 << 20)
e.active(True)
"""

_SINK = f"""{_BEGIN}
print(flush=True)
while True:
    e.recv()
"""

_SENDER = f"""{_BEGIN}
peer, message = bytes.fromhex(sys.argv[1]), bytes(250)
e.add_peer(peer)
print(flush=True)
for line in sys.stdin:
    took, yes, begun = [], 0, time.process_time()
    for _ in range(int(line)):
        begin = time.perf_counter()
        yes += e.send(peer, message)
        took.append(time.perf_counter() - begin)
    print(json.dumps([took, yes, time.process_time() - begun]), flush=True)
"""

_ECHO = f"""{_BEGIN}
e.add_peer(bytes.fromhex(sys.argv[1]))
print(flush=True)
while True:
    peer, message = e.recv()
    e.send(peer, message)
"""

_CALLER = _SENDER.replace("e.send(peer, message)\n", "e.send(peer, message)\n        e.recv(1000)\n")

_PONG = """
import socket, sys
pong = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
pong.bind(("127.0.0.1", 0))
print(pong.getsockname()[1], flush=True)
while True:
    message, source = pong.recvfrom(4096)
    pong.sendto(message, source)
"""

_PING = """
import json, socket, sys, time
ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ping.bind(("127.0.0.1", 0))
to, message = ("127.0.0.1", int(sys.argv[1])), bytes(250)
print(flush=True)
for line in sys.stdin:
    took, begun = [], time.process_time()
    for _ in range(int(line)):
        begin = time.perf_counter()
        ping.sendto(message, to)
        ping.recvfrom(4096)
        took.append(time.perf_counter() - begin)
    print(json.dumps([took, len(took), time.process_time() - begun]), flush=True)
"""

_CASTER = f"""{_BEGIN}
everybody, message = b"\\xff" * 6, bytes(250)
e.add_peer(everybody)
print(flush=True)
for line in sys.stdin:
    count, a_second = map(int, line.split())
    begin, begun = time.perf_counter(), time.process_time()
    for number in range(count):
        e.send(everybody, message, False)
        if number % 20 == 0:
            left = begin + number / a_second - time.perf_counter()
            if left > 0:
                time.sleep(left)
    e.send(everybody, b"end")
    print(json.dumps([time.perf_counter() - begin, time.process_time() - begun]), flush=True)
"""

_READER = f"""{_BEGIN}
print(flush=True)
for line in sys.stdin:
    e.recv()
    read, begun = 1, time.process_time()
    while True:
        message = e.irecv(2000)[1]
        if message is None or message == b"end":
            break
        read += 1
    print(json.dumps([read, time.process_time() - begun, e.stats()[4]]), flush=True)
"""

_COMPUTING = f"""{_BEGIN}
import threading
def compute():
    number = 0
    while True:
        number += 1
for _ in range(int(sys.argv[1]) - 1):
    threading.Thread(target=compute, daemon=True).start()
print(flush=True)
compute()
"""

# Wall clock time, which programs of MicroPython have, too; theirs begins in 2000.
_CALLED = """
import sys
import time
import select
import espnow, network
poll = select.poll()
poll.register(sys.stdin, 1)
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
since_2000 = {since_2000}
late = []
def called(e):
    now = time.time_ns()
    while e.any():
        host, message = e.recv(0)
        if message and message.isdigit():
            late.append(now + since_2000 - int(message))
e.irq(called)
print("")
sys.stdout.flush() if hasattr(sys.stdout, "flush") else None
number = 0
while len(late) < {count}:
    {body}
print([int(each) // 1000 for each in late])
"""

_MANNERS = {
    "computes": "number += 1",
    "sleeps": "time.sleep(0.01)",
    "waits in recv": "e.recv(1000)",
    "waits in select": "poll.poll(1000)",
}

_PACER = f"""{_BEGIN}
peer = bytes.fromhex(sys.argv[1])
e.add_peer(peer)
e.config(rate=int(sys.argv[2]))
print(flush=True)
for line in sys.stdin:
    count = int(line)
    begun = time.process_time()
    for _ in range(30):
        e.send(peer, bytes(250), False)
    begin, before = time.perf_counter(), e.stats()[1]
    while e.stats()[1] - before < count:
        e.send(peer, bytes(250), False)
    after, end = e.stats()[1], time.perf_counter()
    e.send(peer, b"last")
    stats = e.stats()
    print(json.dumps([(after - before) / (end - begin), stats[2], time.process_time() - begun]), flush=True)
"""

_ONE_OF_MANY = f"""{_BEGIN}
import pathlib, random
me, others = sys.argv[1], sys.argv[2].split(",")
number = others.index(me)
peer, everybody = bytes.fromhex(others[(number + 1) % len(others)]), b"\\xff" * 6
e.add_peer(peer)
e.add_peer(everybody)
print(flush=True)
for line in sys.stdin:
    sends = int(line)
    chance, yes, begun = random.Random(number), 0, time.process_time()
    until = time.monotonic() + 5
    for _ in range(sends):
        time.sleep(chance.random() / 5)
        yes += e.send(peer, b"to one")
        e.send(everybody, b"to all")
    while time.monotonic() < until:
        time.sleep(0.1)
    messages = []
    while True:
        message = e.recv(500)[1]
        if message is None:
            break
        messages.append(message)
    rss_kb = int(pathlib.Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0])
    found = [yes, messages.count(b"to one"), messages.count(b"to all"), time.process_time() - begun, rss_kb]
    print(json.dumps(found), flush=True)
"""


class Nodes:
    """Processes on an air of their own; ended together."""

    def __init__(self, settings: str = "?pace=off") -> None:
        self.radio = f"udp::{random.SystemRandom().randrange(20_000, 60_000)}{settings}"
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def start(self, program: str, address: str, *words: str, run: bool = False) -> subprocess.Popen[str]:
        """Start a program, and wait until it is ready; `run` lets ``espnow run`` do it."""
        process = self.begin(program, address, *words, run=run)
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("a program of the benchmark failed")
        return process

    def begin(self, program: str, address: str, *words: str, run: bool = False) -> subprocess.Popen[str]:
        """Start a program."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ESPNOW")}
        environment |= {"ESPNOW_RADIO": self.radio, "ESPNOW_MAC": bytes.fromhex(address).hex(":")}
        command = ["-m", "espnow", "run", "--quiet", "--radio", self.radio] if run else []
        process = subprocess.Popen(
            [sys.executable, *command, "-c", program, *words],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process


def tell(process: subprocess.Popen[str], line: object) -> None:
    """Give a process a line."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> Any:
    """Return what a process prints next."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def ask(process: subprocess.Popen[str], line: object) -> Any:
    """Give a process a line, and return its answer."""
    tell(process, line)
    return hear(process)


A, B = "300000000004", "300000000008"


def send(quick: bool) -> dict[str, float]:
    """An acknowledged message, beside a bare ping-pong."""
    with Nodes() as nodes:
        nodes.start(_SINK, B)
        return _beside_pingpong(nodes, nodes.start(_SENDER, A, B), quick)


def echo(quick: bool) -> dict[str, float]:
    """A message there and back, each acknowledged, beside a bare ping-pong."""
    with Nodes() as nodes:
        nodes.start(_ECHO, B, A)
        return _beside_pingpong(nodes, nodes.start(_CALLER, A, B), quick)


def _beside_pingpong(nodes: Nodes, caller: subprocess.Popen[str], quick: bool) -> dict[str, float]:
    pong = nodes.begin(_PONG, A)
    assert pong.stdout is not None
    ping = nodes.start(_PING, A, pong.stdout.readline().strip())
    turns, count = (2, 100) if quick else (TURNS, SENDS)
    for process in (caller, ping):
        ask(process, count // 2)
    ours: list[float] = []
    theirs: list[float] = []
    cpu_s = yes = 0.0
    for _ in range(turns):
        took, acknowledged, spent_s = ask(caller, count)
        ours += took
        yes += acknowledged
        cpu_s += spent_s
        theirs += ask(ping, count)[0]
    return {
        "median_us": statistics.median(ours) * 1e6,
        "p99_us": statistics.quantiles(ours, n=100)[98] * 1e6,
        "pingpong_us": statistics.median(theirs) * 1e6,
        "ratio": statistics.median(ours) / statistics.median(theirs),
        "acknowledged": yes / len(ours),
        "cpu_us": cpu_s / len(ours) * 1e6,
    }


def broadcasts(quick: bool) -> dict[str, float]:
    """Broadcasts at a rate, unpaced, read by several processes."""
    count = BROADCASTS_PER_S * (1 if quick else SECONDS)
    with Nodes() as nodes:
        readers = [nodes.start(_READER, f"3000000001{number:02x}") for number in range(READERS)]
        caster = nodes.start(_CASTER, A)
        for reader in readers:
            tell(reader, "")
        took_s, cpu_s = ask(caster, f"{count} {BROADCASTS_PER_S}")
        found = [hear(reader) for reader in readers]
    return {
        "sent": count,
        "a_second": count / took_s,
        "least_read": min(read for read, _, _ in found),
        "dropped": sum(dropped for _, _, dropped in found),
        "sender_cpu_us": cpu_s / count * 1e6,
        "reader_cpu_us": statistics.mean(spent_s / read for read, spent_s, _ in found) * 1e6,
    }


def computing(quick: bool) -> dict[str, float]:
    """Acknowledged messages to a receiver that computes."""
    found: dict[str, float] = {}
    count = 100 if quick else 1000
    for name, threads, settings in (
        ("one", 1, "?pace=off"),
        ("many", 4, "?pace=off"),
        ("paced", 1, ""),
        ("many_paced", 4, ""),
    ):
        with Nodes(settings) as nodes:
            nodes.start(_COMPUTING, B, str(threads))
            took, yes, _ = ask(nodes.start(_SENDER, A, B), count)
        found[f"{name}_acknowledged"] = yes / count
        found[f"{name}_ms"] = statistics.median(took) * 1000
        found[f"{name}_p99_ms"] = statistics.quantiles(took, n=100)[98] * 1000
    return found


def callbacks(quick: bool) -> dict[str, float]:
    """How long after a send its callback runs, by what the receiving program does."""
    count = 20 if quick else 300
    found: dict[str, float] = {}
    for run in (False, True):
        for name, body in _MANNERS.items():
            since_2000 = 946_684_800 * 10**9 if run else 0
            program = _CALLED.format(since_2000=since_2000, count=count, body=body)
            with Nodes() as nodes:
                receiver = nodes.start(program, B, run=run)
                late_us = _call(nodes, receiver, count)
            key = f"{'run' if run else 'import'} {name}"
            found[f"{key} median_us"] = statistics.median(late_us)
            found[f"{key} p99_us"] = statistics.quantiles(late_us, n=100)[98]
    return found


def _call(nodes: Nodes, receiver: subprocess.Popen[str], count: int) -> list[int]:
    """Send the time to a receiver until it has heard it so often, and return what it found."""
    program = f"""{_BEGIN}
peer = bytes.fromhex(sys.argv[1])
e.add_peer(peer)
print(flush=True)
while True:
    e.send(peer, b"%d" % time.time_ns())
    time.sleep(0.005 + time.time_ns() % 997 / 2e5)
"""
    nodes.start(program, A, B)
    found: list[int] = hear(receiver)
    return found[:count]


def pace(quick: bool) -> dict[str, float]:
    """How many frames leave in a second, paced, beside what a real channel takes."""
    from espnow.frame import ACK_LENGTH, SIFS_US, airtime_us, response_rate

    found: dict[str, float] = {}
    for name, peer, rate in (
        ("broadcast 1 Mb/s", "ffffffffffff", 0),
        ("unicast 1 Mb/s", B, 0),
        ("broadcast 54 Mb/s", "ffffffffffff", 12),
        ("unicast 54 Mb/s", B, 12),
    ):
        frame_us = 50 + 20 * 31 / 2 + airtime_us(24 + 15 + 250 + 4, rate)
        if peer == B:
            frame_us += SIFS_US + airtime_us(ACK_LENGTH, response_rate(rate))
        limit = 1e6 / frame_us
        with Nodes("") as nodes:
            nodes.start(_SINK, B)
            seconds = 0.5 if quick else SECONDS
            a_second, failures, cpu_s = ask(nodes.start(_PACER, A, peer, str(rate)), round(limit * seconds))
        found |= {
            f"{name} a_second": a_second,
            f"{name} limit": limit,
            f"{name} failures": failures,
            f"{name} cpu": cpu_s / seconds,
        }
    return found


def processes(quick: bool) -> dict[str, float]:
    """Many processes at once: each sends to the next one and to all, paced, on one channel."""
    sends = 5 if quick else 20
    addresses = [f"30000000{number:04x}" for number in range(0, 4 * PROCESSES, 4)]
    begin = time.perf_counter()
    with Nodes("") as nodes:
        started = [nodes.begin(_ONE_OF_MANY, address, address, ",".join(addresses)) for address in addresses]
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        start_s = time.perf_counter() - begin
        for process in started:
            tell(process, sends)
        found = [hear(process) for process in started]
    total = PROCESSES * sends
    return {
        "processes": PROCESSES,
        "start_s": start_s,
        "acknowledged": sum(yes for yes, *_ in found) / total,
        "read": sum(read for _, read, *_ in found) / total,
        "broadcasts_read": sum(read for _, _, read, *_ in found) / (total * (PROCESSES - 1)),
        "cpu_s": sum(cpu_s for *_, cpu_s, _ in found),
        "rss_mb": statistics.mean(rss_kb for *_, rss_kb in found) / 1024,
    }


# Telling of it.


def rows(scene: str, figures: dict[str, float]) -> list[tuple[str, ...]]:
    """Return the rows of the table that tell of a scene."""
    tellers = {
        "send": lambda: [_ratio_row("acknowledged send", figures, 10)],
        "echo": lambda: [_ratio_row("echo", figures, 20)],
        "broadcasts": lambda: _broadcast_rows(figures),
        "computing": lambda: _computing_rows(figures),
        "callbacks": lambda: _callback_rows(figures),
        "pace": lambda: _pace_rows(figures),
        "processes": lambda: _process_rows(figures),
    }
    return tellers[scene]()


def _verdict(reached: bool) -> str:
    return "PASS" if reached else "short of it"


def _ratio_row(label: str, figures: dict[str, float], most: int) -> tuple[str, ...]:
    return (
        label,
        f"{figures['median_us']:.0f} µs (99th {figures['p99_us']:.0f}), cpu {figures['cpu_us']:.0f} µs",
        f"ping-pong {figures['pingpong_us']:.0f} µs",
        f"{figures['ratio']:.1f}",
        f"{most} x",
        _verdict(figures["ratio"] <= most and figures["acknowledged"] > 0.999),
    )


def _broadcast_rows(figures: dict[str, float]) -> list[tuple[str, ...]]:
    lost = figures["sent"] - figures["least_read"]
    return [
        (
            f"{READERS} readers of broadcasts",
            f"{figures['a_second']:,.0f}/s, {lost:.0f} of {figures['sent']:,.0f} lost",
            f"cpu {figures['sender_cpu_us']:.0f} µs to send, {figures['reader_cpu_us']:.0f} µs to read",
            "",
            f"{BROADCASTS_PER_S:,}/s, none",
            _verdict(lost == 0 and figures["a_second"] > BROADCASTS_PER_S * 0.97),
        )
    ]


def _computing_rows(figures: dict[str, float]) -> list[tuple[str, ...]]:
    return [
        (
            f"to one that computes{label}",
            f"{figures[f'{name}_acknowledged']:.1%} acknowledged",
            f"median {figures[f'{name}_ms']:.1f} ms, 99th {figures[f'{name}_p99_ms']:.1f} ms",
            "",
            "99 %",
            _verdict(figures[f"{name}_acknowledged"] >= 0.99),
        )
        for name, label in (
            ("one", ""),
            ("many", " in 4 threads"),
            ("paced", ", paced"),
            ("many_paced", " in 4 threads, paced"),
        )
    ]


def _callback_rows(figures: dict[str, float]) -> list[tuple[str, ...]]:
    keys = [key.removesuffix(" median_us") for key in figures if key.endswith("median_us")]
    return [
        (
            f"callback, {key.replace('run', 'espnow run:', 1).replace('import', 'import espnow:', 1)}",
            f"median {figures[f'{key} median_us']:.0f} µs",
            f"99th {figures[f'{key} p99_us']:.0f} µs",
            "",
            "",
            "",
        )
        for key in keys
    ]


def _pace_rows(figures: dict[str, float]) -> list[tuple[str, ...]]:
    names = [key.removesuffix(" limit") for key in figures if key.endswith(" limit")]
    found: list[tuple[str, ...]] = []
    for name in names:
        ratio = figures[f"{name} a_second"] / figures[f"{name} limit"]
        found.append(
            (
                f"paced {name}",
                f"{figures[f'{name} a_second']:,.0f}/s, cpu {figures[f'{name} cpu']:.0%}",
                f"channel {figures[f'{name} limit']:,.0f}/s",
                f"{ratio:.3f}",
                "0.97 to 1.03",
                _verdict(0.97 <= ratio <= 1.03 and not figures[f"{name} failures"]),
            )
        )
    return found


def _process_rows(figures: dict[str, float]) -> list[tuple[str, ...]]:
    return [
        (
            f"{figures['processes']:.0f} processes",
            f"{figures['acknowledged']:.1%} acknowledged, {figures['broadcasts_read']:.1%} of broadcasts read",
            f"{figures['rss_mb']:.0f} MB each, start {figures['start_s']:.1f} s, cpu {figures['cpu_s']:.1f} s",
            "",
            "99 %",
            _verdict(figures["acknowledged"] >= 0.99),
        )
    ]

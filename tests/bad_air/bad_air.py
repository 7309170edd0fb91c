"""Strangers against a live node that serves a peer: ``python tests/bad_air/bad_air.py [--datagrams N] [--gentle]``.

A victim and a good peer are processes of their own on ``udp:``; this one sends them random and changed datagrams as
fast as it can. What must hold:

- the peer's messages go on being acknowledged and read, and the victim's answers go on being sent, acknowledged and
  read;
- each datagram is counted by the victim under what it is, or was dropped by the kernel, which says so;
- the victim raises nothing, prints nothing, and does not grow.

Needs Linux (``/proc``).
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import hostile
from kernel import sockets_of

HERE = Path(__file__).parent
GROUP = "239.24.254.53"
#: So much the sockets of the two may hold before a gentle stranger waits.
GENTLE = 1 << 18
#: How much more memory the victim may have than when its tables and its ring were full.
GROWTH_KB = 2048
#: What an entry of ``peers_table`` takes: MicroPython's has one for each sender of a message that was read.
ENTRY_KB = 0.5
#: The victim sends one of so many messages back.
ECHO_EVERY = 10
#: Of what is acknowledged, a program reads so much at least: where a flood leaves it behind, its buffer is full, as a
#: board's. 0.7 is usual.
READ = 0.25
#: So many messages may be under way at the end.
UNDER_WAY = 10
#: How long a socket may be full, or not empty, before somebody is said to read no more.
LIMIT_S = 60.0


class Node:
    """A process that is attacked."""

    def __init__(self, port: int, settings: str, answer_ms: int, *words: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ESPNOW")}
        environment["ESPNOW_RADIO"] = f"udp:{GROUP}:{port}{settings}"
        environment["ESPNOW_ANSWER_TIMEOUT_MS"] = str(answer_ms)
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "nodes.py"), str(port), *words],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{words[0]} does not begin: {self.process.communicate()[1]}")
        self.hello = json.loads(line)

    def end(self) -> tuple[dict[str, Any], str]:
        """Let it end; return its figures, and what it printed besides."""
        output, errors = self.process.communicate(timeout=60)
        if self.process.returncode:
            raise RuntimeError(f"it ended with {self.process.returncode}: {errors}")
        return json.loads(output), errors


class Attack:
    """Sends the datagrams of strangers, and keeps account of them."""

    def __init__(self, seed: int, victim: Node, peer: Node, port: int) -> None:
        self.sent: collections.Counter[str] = collections.Counter()
        self.refused = 0
        self._nodes = (victim, peer)
        self._port = port
        addresses = tuple(bytes.fromhex(address) for address in victim.hello["addresses"])
        self._channel = victim.hello["channel"]
        self._own = bytes.fromhex(victim.hello["sender"])
        self._strangers = hostile.Strangers(seed, addresses, self._channel)
        self._heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._heard.bind((GROUP, port))
        member = socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
        self._sockets = []
        for _ in range(4):
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
            out.bind(("127.0.0.1", 0))
            self._sockets.append(out)
        self._ports = {out.getsockname()[1] for out in self._sockets}
        self._heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self._heard.setblocking(False)
        self._answers_at: tuple[str, int] | None = None

    def run(self, datagrams: int, gentle: bool) -> float:
        """Send so many, and return how long it took."""
        begin = time.monotonic()
        group = (GROUP, self._port)
        for number in range(datagrams):
            if number % 256 == 0:
                self._listen()
                if gentle:
                    self._wait_for_room()
            datagram = self._strangers.next()
            out = self._sockets[number & 3]
            to_answers = self._answers_at is not None and number % 16 == 0 and not gentle
            try:
                out.sendto(datagram, self._answers_at if to_answers and self._answers_at else group)
            except OSError:
                self.refused += 1
                continue
            if to_answers:
                self.sent["answers"] += 1
            else:
                self.sent[hostile.verdict(datagram, self._channel, self._own)] += 1
        return time.monotonic() - begin

    def close(self) -> None:
        for opened in (self._heard, *self._sockets):
            opened.close()

    def _listen(self) -> None:
        """Learn from what the others send."""
        for _ in range(64):
            try:
                datagram, source = self._heard.recvfrom(4096)
            except BlockingIOError:
                return
            if source[1] not in self._ports:
                self._strangers.learn(datagram)
                if datagram[12:20] == self._own:
                    self._answers_at = source

    def _wait_for_room(self) -> None:
        for node in self._nodes:
            wait_for_room(node.process.pid, self._port, GENTLE)


def wait_for_room(process: int, port: int, most: int) -> None:
    """Wait until so many bytes at most wait in a process's socket of a group.

    Raises:
        RuntimeError: that takes too long.
    """
    until = time.monotonic() + LIMIT_S
    while (waiting := sockets_of(process, port)[0]) > most:
        if time.monotonic() >= until:
            raise RuntimeError(f"{waiting} bytes wait for process {process}, and it reads nothing for {LIMIT_S:g} s")
        select.select((), (), (), 0.002)


def attack(
    datagrams: int, *, seed: int = 1, gentle: bool = False, settings: str = "", answer_ms: int = 500
) -> tuple[dict[str, Any], list[str]]:
    """Attack a node; return the figures, and what did not hold.

    Args:
        datagrams: how many.
        seed: which.
        gentle: wait while the two have much to read.
        settings: of the nodes' radios.
        answer_ms: how long a send of theirs waits for its radio.
    """
    port = 30_000 + os.getpid() % 20_000
    victim = Node(port, settings, answer_ms, "victim")
    peer = strangers = None
    try:
        peer = Node(port, settings, answer_ms, "peer", victim.hello["addresses"][0])
        strangers = Attack(seed, victim, peer, port)
        time.sleep(0.3)  # the peer is heard before, and learned from
        took_s = strangers.run(datagrams, gentle)
        time.sleep(0.5)
        peer_saw, peer_printed = peer.end()
        wait_for_room(victim.process.pid, port, 0)
        victim_saw, victim_printed = victim.end()
    finally:
        for node in (victim, peer):
            if node is not None and node.process.poll() is None:
                node.process.kill()
                node.process.communicate()
        if strangers is not None:
            strangers.close()
    figures = {
        "datagrams": datagrams,
        "seconds": round(took_s, 1),
        "a_second": round(datagrams / took_s),
        "sent": dict(strangers.sent),
        "peer": peer_saw,
        "victim": victim_saw,
    }
    problems = [f"printed: {text}" for text in (peer_printed, victim_printed) if text]
    problems += check(strangers.sent, peer_saw, victim_saw, gentle=gentle)
    return figures, problems


def check(sent: collections.Counter[str], peer: dict[str, Any], victim: dict[str, Any], *, gentle: bool) -> list[str]:
    """Return what did not hold."""
    problems = []
    counts, dropped = victim["counts"], victim["dropped"]
    least = 0.99 if gentle else 0.9
    if peer["acknowledged"] < least * peer["sent"] or (not gentle and peer["longest_s"] > 1):
        problems.append(f"the peer was not served: {peer}")
    read = victim["read"] - victim["replayed"]  # each message once, whoever said it again
    if read < READ * peer["acknowledged"] - UNDER_WAY:
        problems.append(f"the victim's program did not read: {read} of {peer['acknowledged']} messages")
    if victim["echoes"] < least * read / ECHO_EVERY - UNDER_WAY:
        problems.append(f"the victim's program did not answer: {victim['echoes']} times to {read} messages")
    if victim["echoed"] < least * victim["echoes"] - 1:
        problems.append(f"the victim was not served: {victim['echoed']} of {victim['echoes']}")
    if peer["echoes"] < READ * victim["answered"] - UNDER_WAY:
        problems.append(f"the peer's program did not read: {peer['echoes']} of {victim['answered']} answers")
    # What the peer sent the victim heard, too; what the victim sent the kernel drops before it.
    there = sum(sent.values()) + peer["counts"]["frames_sent"] + counts["frames_sent"]
    seen = counts["foreign"] + counts["unheard"] + counts["frames_heard"] + counts["crowded"]
    # Of what the peer acknowledged some is for strangers, and strangers' own answers are any of these.
    if sent["answers"]:
        seen += counts["acks_heard"] + counts["acks_late"]
        there += peer["counts"]["acks_sent"]
        slack, dropped = peer["counts"]["acks_sent"], victim["all_dropped"]
    else:
        slack = 0
    if not there - slack <= seen + dropped <= there:
        problems.append(f"{there} datagrams, {seen} counted, {dropped} dropped: {counts}")
    if gentle and not counts["crowded"] and dropped == sent[hostile.OWN] + counts["frames_sent"]:
        for name, mine in (("unheard", "unheard"), ("frames_heard", "heard")):
            expected = sent[mine] + (peer["counts"]["frames_sent"] if mine == "heard" else 0)
            if counts[name] != expected:
                problems.append(f"{name} is {counts[name]}, not {expected}")
    may_kb = GROWTH_KB + ENTRY_KB * victim["peers_table"]
    if victim["warm_kb"] is not None and victim["rss_kb"] > victim["warm_kb"] + may_kb:
        problems.append(f"the victim grew from {victim['warm_kb']} kB to {victim['rss_kb']} kB")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datagrams", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gentle", action="store_true", help="wait while the two have much to read")
    parser.add_argument("--settings", default="", help="of the nodes' radios, such as ?pace=off")
    arguments = parser.parse_args()
    figures, problems = attack(
        arguments.datagrams, seed=arguments.seed, gentle=arguments.gentle, settings=arguments.settings
    )
    print(json.dumps(figures, indent=2))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""The two who are attacked: ``nodes.py PORT victim`` and ``nodes.py PORT peer VICTIM``, programs on the live board.

The peer sends to the victim, a message at a time, as long as its standard input is open. The victim reads, also what is
there when its own is closed, sends every tenth message back, and hears much else. Both tell at the end, as JSON, what
they saw.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import sys
import threading
import time
from pathlib import Path

from kernel import sockets_of

import espnow
import network
from espnow import live

_HEAD = struct.Struct("<5sI")
_MAGIC = b"good "
_FILLING = bytes(100)
_PAUSE_S = 0.004


def rss_kb() -> int:
    """Return the memory that this process has for itself."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0])


def say(**values):
    print(json.dumps(values), flush=True)


def figures() -> dict[str, object]:
    """Return what the node and its radio counted, and what it takes."""
    board = live.board()
    with board.lock:
        counts = board.link.counts.as_dict()
        _, dropped, all_dropped = sockets_of("self", int(sys.argv[1]))
    return {
        "counts": counts,
        "dropped": dropped,
        "all_dropped": all_dropped,
        "stats": dataclasses.asdict(board.node.stats),
        "rss_kb": rss_kb(),
        "threads": threading.active_count(),
        "peers_table": len(e.peers_table),
    }


def victim():
    access_point = network.WLAN(network.WLAN.IF_AP)
    access_point.active(True)
    board = live.board()
    say(
        addresses=[address.hex() for _, address in board.node.radio.addresses],
        sender=board.link.sender.to_bytes(8, "little").hex(),
        channel=board.node.radio.channel,
    )
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    read = replayed = echoes = echoed = late = strangers = 0
    seen, answered = set(), set()
    warm = None
    while True:
        peer, message = e.recv(100)
        if message is None:
            if ended.is_set():
                break
            continue
        if not message.startswith(_MAGIC) or len(message) != _HEAD.size + len(_FILLING):
            strangers += 1
            if strangers == 5000:
                warm = rss_kb()
            continue
        number = _HEAD.unpack_from(message)[1]
        read += 1
        replayed += number in seen
        seen.add(number)
        if number % 10 == 0 and not ended.is_set():
            try:
                e.add_peer(peer)
            except OSError:  # it is there
                pass
            echoes += 1
            try:
                if e.send(peer, message):
                    echoed += 1
                    answered.add(number)
            except OSError:  # ETIMEDOUT: the radio had too much else to send
                late += 1
    found = {"read": read, "replayed": replayed, "echoes": echoes, "echoed": echoed, "late": late}
    say(**found, answered=len(answered), strangers=strangers, warm_kb=warm, **figures())


def peer(victim_address):
    e.add_peer(victim_address)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    say(ready=True)
    sent = acknowledged = 0
    echoes = set()
    longest_s = 0.0
    last = time.monotonic()
    while not ended.is_set():
        yes = e.send(victim_address, _HEAD.pack(_MAGIC, sent) + _FILLING)
        sent += 1
        now = time.monotonic()
        if yes:
            acknowledged += 1
            longest_s = max(longest_s, now - last)
            last = now
        while e.any():
            source, message = e.recv(0)
            if source == victim_address and message.startswith(_MAGIC) and len(message) >= _HEAD.size:
                echoes.add(_HEAD.unpack_from(message)[1])
        time.sleep(_PAUSE_S)
    longest_s = max(longest_s, time.monotonic() - last)
    say(sent=sent, acknowledged=acknowledged, echoes=len(echoes), longest_s=round(longest_s, 3), **figures())


if __name__ == "__main__":
    network.WLAN(network.WLAN.IF_STA).active(True)
    e = espnow.ESPNow()
    e.config(rxbuf=1 << 17)
    e.active(True)
    if sys.argv[2] == "victim":
        victim()
    else:
        peer(bytes.fromhex(sys.argv[3]))

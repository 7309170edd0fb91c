"""The programs of a soak: ``worker.py ROLE FOLDER SLOT LIFE PARENT``. Ordinary programs on the live board.

A sender sends, in turns chosen by its own chance: one message at a time, a batch without waiting, a few broadcasts. A
receiver reads: with ``recv``, in a callback, or when ``select`` says so. Both write down what they do before and after
they do it (`ledger`), so that what they knew is known when they are killed.
"""

from __future__ import annotations

import json
import os
import random
import select
import struct
import sys
import time
from pathlib import Path

import ledger as books

import espnow
import network
from espnow import live

#: What a message begins with: sender, and number of the message.
_HEAD = struct.Struct("<4sBI")
_MAGIC = b"soak"
_FILLINGS = [bytes(range(length)) for length in (0, 1, 20, 100, 200, 241)]
_BURST = 64
#: Fewer than a radio keeps waiting, so that a batch is handed over at once.
_BATCH = 20


def main(role: str, folder: Path, slot: int, life: int, parent: int) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    e.fileno()  # now, so that the number of descriptors is what it stays
    (folder / f"ready-{role}-{slot}").write_text(str(life))
    work = {"sender": send, "receiver": receive}[role]
    found = work(folder, plan, slot, life, lambda: (folder / f"stop-{role}s").exists() or os.getppid() != parent)
    found["stats"] = e.stats()
    found["counts"] = live.board().link.counts.as_dict()
    print(json.dumps(found))


def send(folder, plan, slot, life, ended):
    book = books.Ledger(folder / f"sent-{slot}", plan["messages"])
    head, entries = book.head, book.entries
    chance = random.Random(f"{plan['seed']} {slot} {life}")
    peers = [bytes.fromhex(address) for address in plan["receivers"]]
    for peer in (*peers, b"\xff" * 6):
        e.add_peer(peer)
    handed = acknowledged = not_acknowledged = 0
    first = head[0]
    while not ended() and head[0] + _BURST < plan["messages"]:
        receiver = chance.randrange(len(peers))
        style = chance.random()
        peer = peers[receiver]
        if style < 0.2:
            receiver, peer = books.EVERYBODY, b"\xff" * 6
        target = receiver << 4
        batched = 0.2 <= style < 0.6
        for _ in range(_BURST // _BATCH if batched else _BURST):
            number = head[0]
            message = _HEAD.pack(_MAGIC, slot, number) + chance.choice(_FILLINGS)
            if batched:
                failures = _send_batch(peer, message, slot, head, entries, target)
                handed += _BATCH
                acknowledged += _BATCH - failures
                not_acknowledged += failures
                if failures:
                    break
                continue
            entries[number] = target | books.HANDED
            head[0] = number + 1
            handed += 1
            if e.send(peer, message):
                entries[number] = target | (books.BROADCAST if receiver == books.EVERYBODY else books.ACKNOWLEDGED)
                acknowledged += 1
            else:
                entries[number] = target | books.NOT_ACKNOWLEDGED
                not_acknowledged += 1
                break
    return {"first": first, "handed": handed, "acknowledged": acknowledged, "not_acknowledged": not_acknowledged}


def _send_batch(peer, message, slot, head, entries, target):
    """Send a batch without waiting, then wait for all answers; return how many failed."""
    first = head[0]
    failures = e.stats()[2]
    for number in range(first, first + _BATCH):
        entries[number] = target | books.IN_BATCH
        head[0] = number + 1
        e.send(peer, _HEAD.pack(_MAGIC, slot, number) + message[_HEAD.size :], False)
    while True:
        sent, answered, failed = e.stats()[:3]
        if sent == answered:
            break
        select.select([], [e], [], 1)
    failures = failed - failures
    fate = books.BATCH_FAILED if failures else books.BATCH_ACKNOWLEDGED
    for number in range(first, first + _BATCH):
        entries[number] = target | fate
    return failures


def receive(folder, plan, slot, life, ended):
    pages = [books.Ledger(folder / f"read-{slot}-{sender}", plan["messages"]) for sender in range(plan["senders"])]
    head, mark = pages[0].head, books.life_mark(life)
    entries = [page.entries for page in pages]
    read = twice = foreign = 0

    def note(message):
        nonlocal read, twice, foreign
        magic, sender, number = _HEAD.unpack_from(message)
        if magic != _MAGIC:
            foreign += 1
            return
        read += 1
        if entries[sender][number] == mark:
            twice += 1
            head[1] += 1
        entries[sender][number] = mark
        if not read & 255:
            head[0] += 256
            head[2] = e.stats()[4]

    def called(_e):
        while True:
            _, message = e.recv(0)
            if message is None:
                return
            note(message)

    style = "recv" if slot == 0 else ("recv", "irq", "select")[life % 3]
    if style == "irq":
        e.irq(called)
    last = time.monotonic()
    while True:
        if style == "recv":
            for _ in range(500):
                _, message = e.recv(200)
                if message is None:
                    break
                note(message)
        elif style == "irq":
            time.sleep(0.05)
        elif select.select([e], [], [], 0.2)[0]:
            called(e)
        if time.monotonic() - last > 0.2:
            last = time.monotonic()
            if ended():
                break
    return {"style": style, "read": read, "twice": twice, "foreign": foreign}


if __name__ == "__main__":
    network.WLAN(network.WLAN.IF_STA).active(True)
    e = espnow.ESPNow()
    if sys.argv[1] == "receiver":
        e.config(rxbuf=1 << 20)
    e.active(True)
    main(sys.argv[1], Path(sys.argv[2]), *(int(word) for word in sys.argv[3:6]))

"""Every message is accounted for: read, or lost for a reason, and never both, whatever four boards do."""

from collections import Counter
from random import Random

import pytest

from espnow.lab import Lab

EVERYBODY = b"\xff" * 6
MACS = [bytes.fromhex(f"30aaaaaaaa{number:02x}") for number in (0x00, 0x10, 0x20, 0x30)]
OTHER_ADDRESSES = [bytes.fromhex("30aaaaaaaa01"), bytes.fromhex("30aaaaaaaa77")]  # an AP address, and nobody's

#: Of sends that raised, and of messages that arrived, the account is another.
NO_LOSS = ("not_init", "not_found", "chan", "if", "no_mem", "arg", "refused", "ack_lost")

BEGIN = """
import espnow, machine, network, time
sta, ap = network.WLAN(0), network.WLAN(1)
sta.active(True)
e = espnow.ESPNow()
e.active(True)
rtc = machine.RTC()
count = int(rtc.memory() or b'0')  # messages have numbers that no restart repeats

def attempt(function, *arguments):
    try:
        function(*arguments)
    except (OSError, RuntimeError):
        pass

def send(peer, sync, size):
    global count
    count += 1
    rtc.memory(str(count))
    attempt(e.add_peer, peer)
    attempt(e.send, peer, name + ':' + str(count) + ':' + 'x' * size, sync)

def read():
    while e.active() and (sta.active() or ap.active()) and e.any():
        print('read', e.recv(0)[1].decode())
"""

#: What a board may do next, and how often.
STEPS = {
    "send({peer}, {sync}, {size})": 40,
    "read()": 20,
    "time.sleep_ms({ms})": 10,
    "attempt(lambda: sta.config(channel={channel}))": 3,
    "sta.active(False); time.sleep_ms(50); sta.active(True)": 3,
    "e.active(False); e.active(True)": 2,
    "hasattr(e, 'mod_peer') and attempt(e.mod_peer, {peer}, {lmk})": 3,
    "sta.active(False); machine.lightsleep(100); sta.active(True)": 2,
    "machine.lightsleep(100)": 1,
    "machine.deepsleep({ms})": 1,
    "machine.reset()": 1,
    "machine.soft_reset()": 1,
    "attempt(sta.scan)": 2,
    "attempt(sta.connect, 'home', 'secret-key')": 2,
    "sta.disconnect()": 1,
    "ap.active(not ap.active())": 2,
}


def program(chance, name, peers):
    lines = [BEGIN, f"name = {name!r}", "while True:"]
    for step in chance.choices(list(STEPS), list(STEPS.values()), k=30):
        figures = {
            "peer": chance.choice(peers),
            "sync": chance.random() < 0.7,
            "size": chance.choice((0, 10, 200)),
            "ms": chance.randint(1, 300),
            "channel": chance.choice((1, 1, 1, 6)),
            "lmk": chance.choice((b"", b"k" * 16)),
        }
        lines.append("    " + step.format(**figures))
    return "\n".join(lines)


def live(seed, groups):
    """Let four boards do what the seed says for 20 s; return the lab, ended, and its losses."""
    chance = Random(seed)
    with Lab(seed=seed, loss=chance.choice((0, 0.3)) if groups else 0, range_m=chance.choice((None, 60))) as lab:
        router = lab.router("home", "secret-key", channel=chance.choice((1, 6)))
        for number, mac in enumerate(MACS):
            peers = [EVERYBODY] if groups else [other for other in MACS + OTHER_ADDRESSES if other != mac] + [mac]
            lab.board(
                code=program(chance, f"b{number}", peers),
                name=f"b{number}",
                mac=mac,
                profile=chance.choice(("esp32", "esp32", "esp32-v2", "esp8266")),
                at=(chance.choice((0, 5, 50, 400)), 0),
            )
        lab.at(chance.randint(2_000, 15_000), router.down)
        lab.at(16_000, router.up)
        lab.at(chance.randint(1_000, 20_000), chance.choice(lab.boards).reset)
        lab.run(for_ms=20_000)
        report = lab.explain()
        assert report.total == len(report) == sum(report.counts.values())
        return lab, [loss for loss in report if loss.reason not in NO_LOSS]


def judged(lab):
    """Return the messages whose sender has its answer and that were sent once: RTC memory is lost with the power."""
    counts = Counter(sent.message for board in lab.boards for sent in board.sent)
    return [
        sent
        for board in lab.boards
        for sent in board.sent
        if sent.acknowledged is not None and counts[sent.message] == 1
    ]


def readings(board):
    return Counter(line.removeprefix("read ").encode() for line in board.lines if line.startswith("read "))


@pytest.mark.parametrize("seed", range(8))
def test_a_message_to_one_board_is_read_or_lost_once(seed):
    lab, losses = live(seed, groups=False)
    read = sum((readings(board) for board in lab.boards), Counter())
    lost = Counter(loss.message for loss in losses)
    messages = judged(lab)
    assert len(messages) > 100
    assert [(sent.message, read[sent.message], lost[sent.message]) for sent in messages
            if read[sent.message] + lost[sent.message] != 1] == []  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_a_message_to_all_is_read_or_lost_by_each_or_nobody_was_there(seed):
    lab, losses = live(seed, groups=True)
    lost = Counter((loss.receiver, loss.message) for loss in losses)
    read = {board.name: readings(board) for board in lab.boards}
    messages = judged(lab)
    assert len(messages) > 100
    for sent in messages:
        about = {name: read[name][sent.message] + lost[name, sent.message] for name in read}
        assert max(about.values()) <= 1, (sent, about)
        assert (sum(about.values()) > 0) != lost[None, sent.message], (sent, about)

"""A radio ``monitor:`` under load: how fast it sends, and a stranger who sends what no board sends at full rate."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from bare import BARE, BareMonitor
from hwsim import Hwsim, Radio
from monitors import MonitorStation

from espnow.frame import BROADCAST, build, radiotap
from espnow.link import Outcome

ONE = bytes.fromhex("7e0000000001")
TWO = bytes.fromhex("7e0000000002")
BOARD = bytes.fromhex("240ac4000001")
STRANGER = bytes.fromhex("240ac4000666")

_PROTOCOL = 0x0004  # what a monitor interface hears
_SOL_PACKET = 263
_STATISTICS = 6

#: Rounds that take about as long as each other, and of each kind the fastest counts: whatever else the machine does
#: takes time from some of them.
BARE_FRAMES = 800
FRAMES = 400
ROUNDS = 20
#: As many as the radio takes.
AT_ONCE = 32
LEAST = 0.4


class Sender:
    """Sends frames one after the other, as many as its radio takes at once; costs as little as it can itself.

    Attributes:
        failed: frames that were not acknowledged.
    """

    def __init__(self, station: MonitorStation, frames: list[bytes]) -> None:
        self.failed = 0
        self._done = threading.Event()
        self._station = station
        left = iter(frames)
        self._first = list(itertools.islice(left, AT_ONCE))
        following, transmit, acknowledged = left.__next__, station.radio.transmit, Outcome.ACKNOWLEDGED
        unanswered = itertools.count(AT_ONCE - 1, -1).__next__

        def outcome(token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
            if outcome is not acknowledged:
                self.failed += 1
            try:
                frame = following()
            except StopIteration:
                if not unanswered():
                    self._done.set()
                return
            transmit(frame, token)

        self.outcome = outcome

    def received(self, *_: object) -> None:
        """Hear nothing."""

    def run(self) -> float:
        """Send everything, and return how long it took until the last was answered, in seconds."""
        station = self._station
        station.radio.station = self
        begin_s = time.perf_counter()
        with station.loop.lock:
            for token, frame in enumerate(self._first):
                station.radio.transmit(frame, token)
        assert self._done.wait(120)
        taken_s = time.perf_counter() - begin_s
        station.radio.station = station
        return taken_s


class Counter:
    """Counts what arrives at a radio, without reading it; the kernel does."""

    def __init__(self, radio: Radio) -> None:
        self._monitor = BareMonitor(radio, 6)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        self._socket.bind((radio.interface, _PROTOCOL))

    def close(self) -> None:
        self._socket.close()
        self._monitor.close()

    def arrived(self) -> int:
        """Return how many frames arrived since the last call."""
        told = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8)
        return int(struct.unpack("=II", told)[0])


def test_a_share_of_what_a_bare_socket_sends(hwsim: Hwsim) -> None:
    """Against a socket that only sends, and learns nothing of what becomes of its frames; all of them arrive.

    A test, not the figure: half of it is what is wanted, and a busy computer tells less.
    """
    radio, other = hwsim.plug(), hwsim.plug()
    frames = [build(BROADCAST, ONE, bytes(250), seq=number, random_value=number) for number in range(BARE_FRAMES)]
    header = radiotap.build(rate=0, tx_flags=radiotap.TX_NO_SEQUENCE, data_retries=0)
    bare_rates, own_rates = [], []
    counter = Counter(other)
    with MonitorStation(f"monitor:{radio.interface}", ONE) as one, contextlib.closing(counter):
        bare = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        with bare:
            bare.bind((radio.interface, 0))
            for _ in range(ROUNDS):
                one.configure(on=False, channel=6)  # nothing is heard of the bare socket's frames
                counter.arrived()
                begin_s = time.perf_counter()
                for frame in frames:
                    bare.send(header + frame)
                bare_rates.append(BARE_FRAMES / (time.perf_counter() - begin_s))
                assert counter.arrived() == BARE_FRAMES
                one.configure(channel=6)
                sender = Sender(one, frames[:FRAMES])
                own_rates.append(FRAMES / sender.run())
                assert (sender.failed, counter.arrived()) == (0, FRAMES)
        assert one.radio.counts.unreported == 0
    bare_best, own_best = max(bare_rates), max(own_rates)
    ratio = own_best / bare_best
    # Of rounds that follow one another the computer's other work takes about as much.
    in_turn = statistics.median(own / bare for own, bare in zip(own_rates, bare_rates, strict=True))
    print(f"bare {bare_best:.0f} frames/s, monitor: {own_best:.0f} frames/s, ratio {ratio:.2f}, in turn {in_turn:.2f}")
    assert max(ratio, in_turn) >= LEAST


#: Sends frames that no board sends, until it is ended, as fast as the one processor is left to it: a stranger is
#: another computer, and takes little from this one's time.
ATTACK = """
import os, socket, sys
os.nice(10)
sys.path.insert(0, sys.argv[2])
from test_monitor_load import junk
frames = junk()
opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
opened.bind((sys.argv[1], 0))
print("ready", flush=True)
while True:
    for frame in frames:
        try:
            opened.send(frame)
        except OSError:
            pass
"""


def junk() -> list[bytes]:
    """Return frames with errors of all kinds, to one station and to all."""
    chance = random.Random(1)
    found = []
    for number in range(400):
        good = build(chance.choice((ONE, BROADCAST)), STRANGER, chance.randbytes(50), seq=number, random_value=number)
        kind = number % 8
        if kind == 0:
            frame = good[: chance.randrange(24, len(good))]
        elif kind == 1:
            frame = good[:24] + chance.randbytes(chance.randrange(1, 400))
        elif kind == 2:
            frame = b"\xd0\x40" + good[2:24] + chance.randbytes(chance.randrange(1, 200))  # says that it is encrypted
        elif kind == 3:
            frame = good[:24] + b"\xff" + good[25:]
        elif kind == 4:
            frame = bytes((chance.choice((0x00, 0x10, 0x40, 0x50, 0x80, 0xB0, 0xC0)), 0)) + good[2:]
        elif kind == 5:
            frame = good[:32] + b"\xdd\xff" + good[34:]
        elif kind == 6:
            frame = good + chance.randbytes(1500)
        else:
            at = chance.randrange(2, len(good))
            frame = good[:at] + bytes((good[at] ^ 1 << chance.randrange(8),)) + good[at + 1 :]
        found.append(BARE + frame)
    return found


def strange(station: MonitorStation) -> int:
    """Return how many frames of the stranger it heard."""
    return sum(heard.mpdu[10:16] != TWO for heard in list(station.heard))


def test_a_stranger_at_full_rate(hwsim: Hwsim) -> None:
    radio, other, third = hwsim.plug(), hwsim.plug(), hwsim.plug()
    with (
        MonitorStation(f"monitor:{radio.interface}?ack=on", ONE) as one,
        MonitorStation(f"monitor:{other.interface}?ack=on", TWO) as two,
        BareMonitor(third, 6),
    ):
        command = [sys.executable, "-c", ATTACK, third.interface, str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as stranger:
            try:
                assert stranger.stdout is not None
                assert stranger.stdout.readline() == b"ready\n"
                number = 0
                while number < 100 or (strange(one) <= 100 and number < 5000):
                    assert two.say(ONE, b"message %d" % number).outcome == Outcome.ACKNOWLEDGED
                    assert one.say(TWO, b"answer %d" % number).outcome == Outcome.ACKNOWLEDGED
                    number += 1
            finally:
                stranger.kill()
        good = [heard.message for heard in two.heard if heard.mpdu[10:16] == ONE]
        assert good == [b"answer %d" % n for n in range(number)]
        one.wait_for(lambda: sum(heard.mpdu[10:16] == TWO for heard in list(one.heard)) >= number)
        good = [heard.message for heard in one.heard if heard.mpdu[10:16] == TWO]
        assert good == [b"message %d" % n for n in range(number)]
        assert one.radio.trouble is None
        assert strange(one) > 100, "the stranger was heard"

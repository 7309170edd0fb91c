"""A radio ``monitor:`` under load: how fast it sends, and a stranger who sends what no board sends at full rate."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bare import BARE, BareMonitor
from hwsim import Hwsim
from monitors import MonitorStation

from espnow.frame import BROADCAST, build, radiotap
from espnow.link import Outcome

ONE = bytes.fromhex("7e0000000001")
TWO = bytes.fromhex("7e0000000002")
BOARD = bytes.fromhex("240ac4000001")
STRANGER = bytes.fromhex("240ac4000666")

#: Short rounds, and of each kind the fastest: whatever else the machine does takes time from some of them.
FRAMES = 300
ROUNDS = 20


class Sender:
    """Sends frames one after the other, as many as its radio takes at once."""

    def __init__(self, station: MonitorStation, frames: list[bytes]) -> None:
        self.acknowledged = 0
        self._done = threading.Event()
        self._station = station
        radio, left = station.radio, iter(frames)
        missing = itertools.count(len(frames) - 1, -1).__next__

        def outcome(token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
            if outcome is Outcome.ACKNOWLEDGED:
                self.acknowledged += 1
            for frame in left:
                radio.transmit(frame, token)
                break
            if not missing():
                self._done.set()

        self.outcome = outcome
        self._first: Iterator[bytes] = itertools.islice(left, 32)

    def received(self, *_: object) -> None:
        """Hear nothing."""

    def run(self) -> float:
        """Send everything, and return how many frames a second were answered."""
        station = self._station
        station.radio.station = self
        begin_s = time.perf_counter()
        with station.loop.lock:
            for token, frame in enumerate(self._first):
                station.radio.transmit(frame, token)
        assert self._done.wait(120)
        station.radio.station = station
        return 1 / (time.perf_counter() - begin_s)


def test_half_of_what_a_bare_socket_sends(hwsim: Hwsim) -> None:
    """Against a socket that only sends, and learns nothing of what becomes of its frames."""
    radio = hwsim.plug()
    frames = [build(BROADCAST, ONE, bytes(250), seq=number & 0xFFF, random_value=number) for number in range(FRAMES)]
    header = radiotap.build(rate=0, tx_flags=radiotap.TX_NO_SEQUENCE, data_retries=0)
    bare_rates, own_rates = [], []
    with MonitorStation(f"monitor:{radio.interface}", ONE) as one, BareMonitorSocket(radio.interface) as send:
        for _ in range(ROUNDS):
            one.configure(on=False, channel=6)  # nothing is heard of the bare socket's frames
            begin_s = time.perf_counter()
            for frame in frames:
                send(header + frame)
            bare_rates.append(FRAMES / (time.perf_counter() - begin_s))
            one.configure(channel=6)
            sender = Sender(one, frames)
            own_rates.append(FRAMES * sender.run())
            assert sender.acknowledged == FRAMES
        assert one.radio.counts.unreported == 0
    bare, own = max(bare_rates), max(own_rates)
    print(f"bare {bare:.0f} frames/s, monitor: {own:.0f} frames/s, ratio {own / bare:.2f}")
    assert own >= bare / 2


class BareMonitorSocket:
    """Sends on an interface that is a monitor already; a context manager."""

    def __init__(self, name: str) -> None:
        import socket

        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((name, 0))

    def __enter__(self) -> object:
        return self._socket.send

    def __exit__(self, *_: object) -> None:
        self._socket.close()


#: Sends frames that no board sends, as fast as it can, until it is ended.
ATTACK = """
import random, socket, sys
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
                for number in range(100):
                    assert two.say(ONE, b"message %d" % number).outcome == Outcome.ACKNOWLEDGED
                    assert one.say(TWO, b"answer %d" % number).outcome == Outcome.ACKNOWLEDGED
            finally:
                stranger.kill()
        good = [heard.message for heard in two.heard if heard.mpdu[10:16] == ONE]
        assert good == [b"answer %d" % number for number in range(100)]
        one.wait_for(lambda: sum(heard.mpdu[10:16] == TWO for heard in list(one.heard)) >= 100)
        good = [heard.message for heard in one.heard if heard.mpdu[10:16] == TWO]
        assert good == [b"message %d" % number for number in range(100)]
        assert one.radio.trouble is None
        strange = sum(heard.mpdu[10:16] != TWO for heard in one.heard)
        assert strange > 100, "the stranger was heard"

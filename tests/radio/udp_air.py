"""Radios of udp: in virtual time: the loop and the sockets are replaced, the radio is the real one."""

from __future__ import annotations

import heapq
import itertools
from collections import deque

from espnow.frame import build
from espnow.link import Interface, Outcome, RadioConfig
from espnow.radio.loop import BoardLock
from espnow.radio.udp.datagram import parse
from espnow.radio.udp.radio import UdpRadio, UdpSettings

GROUP = ("239.1.2.3", 5000)
A, B, C = (bytes((2, 0, 0, 0, 0, number)) for number in (1, 2, 3))
ALL = b"\xff" * 6
ACKNOWLEDGED, NOT_ACKNOWLEDGED = Outcome.ACKNOWLEDGED, Outcome.NOT_ACKNOWLEDGED


class VirtualLoop:
    """What a radio uses of a `RadioLoop`, in virtual time."""

    def __init__(self):
        self.lock = BoardLock()
        self.now_us = 1_000_000
        self.watched = {}
        self._heap = []
        self._count = itertools.count()
        self._soon = deque()

    def call_at(self, at_us, function, *, background=False):
        entry = [max(at_us, self.now_us), next(self._count), function]
        heapq.heappush(self._heap, entry)

        class Timer:
            def cancel(self):
                entry[2] = None

        return Timer()

    def soon(self, function):
        self._soon.append(function)

    def settle(self):
        while self._soon:
            self._soon.popleft()()

    def watch(self, fd, ready):
        self.watched[fd] = ready

    def unwatch(self, fd):
        self.watched.pop(fd, None)

    def run(self, for_us=10_000_000):
        """Let all happen that happens within a time."""
        self.settle()
        end_us = self.now_us + for_us
        while self._heap and self._heap[0][0] <= end_us:
            at_us, _, function = heapq.heappop(self._heap)
            if function is not None:
                self.now_us = at_us
                function()
                self.settle()
        self.now_us = end_us


class Socket:
    """One end in the air of the test."""

    def __init__(self, air, number, name):
        self.air, self.number, self.name = air, number, name
        self.arrived = deque()
        self.refuses = None
        self.closed = False

    def fileno(self):
        return self.number

    def setsockopt(self, *_):
        pass

    def close(self):
        self.closed = True

    def recvfrom(self, length):
        if not self.arrived:
            raise BlockingIOError
        datagram, source = self.arrived.popleft()
        if isinstance(datagram, OSError):
            raise datagram
        return datagram[:length], source

    def sendto(self, datagram, to):
        if self.refuses is not None:
            raise self.refuses
        self.air.send(self, datagram, to)


class Station:
    def __init__(self, loop):
        self.loop = loop
        self.heard = []
        self.outcomes = []

    def received(self, mpdu, rssi_dbm, channel, rate, at_us):
        assert at_us == self.loop.now_us
        self.heard.append((mpdu, rssi_dbm, channel, rate))

    def outcome(self, token, outcome, attempts, at_us):
        assert at_us == self.loop.now_us
        self.outcomes.append((token, outcome, attempts))


class Air:
    """Radios that hear each other, and what was said.

    Attributes:
        sent: time, datagram and destination of each.
        delay_us: how long a datagram is on its way, and an acknowledgement.
        lost: called with a datagram in its parts; true if it does not arrive.
    """

    def __init__(self):
        self.loop = VirtualLoop()
        self.radios = []
        self.sent = []
        self.delay_us = 50
        self.ack_delay_us = 50
        self.lost = lambda datagram: False
        self._sockets = {}

    def radio(self, address=None, *, settings=None, **config):
        number = len(self.radios) * 2 + 10
        heard, sent = Socket(self, number, GROUP), Socket(self, number + 1, ("127.0.0.1", 40_000 + number))
        reports = []
        radio = UdpRadio(self.loop, heard, sent, GROUP, settings or UdpSettings(), reports.append, only_local=True)
        radio.station = Station(self.loop)
        radio.reports = reports
        self.radios.append(radio)
        self._sockets[sent.name] = sent
        if address is not None:
            configure(radio, address, **config)
        return radio

    def send(self, sender, datagram, to):
        self.sent.append((self.loop.now_us, parse(datagram), to))
        if self.lost(parse(datagram)):
            return
        if to == GROUP:
            targets = [radio._heard for radio in self.radios if radio._sent is not sender]
        else:
            targets = [self._sockets[to]]
        delay_us = self.delay_us if to == GROUP else self.ack_delay_us
        self.loop.call_at(self.loop.now_us + delay_us, lambda: self.deliver(targets, (datagram, sender.name)))

    def deliver(self, targets, arrival):
        for target in targets:
            if not target.closed:
                target.arrived.append(arrival)
                self.loop.watched[target.number]()

    @property
    def frames(self):
        """Time and parts of each frame that was sent."""
        return [(at_us, datagram) for at_us, datagram, to in self.sent if to == GROUP]


def configure(radio, *addresses, **config):
    interfaces = tuple(zip(Interface, addresses, strict=False))
    radio.configure(RadioConfig(addresses=interfaces, **{"receiver_on": bool(addresses), **config}))


def espnow_frame(to, source=A, message=b"message", seq=0):
    return build(to, source, message, seq=seq, random_value=seq + 1)


UNPACED = UdpSettings(paced=False)

"""An air with stations that write down what they hear, and a clock that is moved by hand."""

from random import Random

import pytest

from espnow.air import Air, LogDistance, telling
from espnow.frame import BROADCAST, build
from espnow.link import Interface, ProtocolBit, RadioConfig
from espnow.testing import ManualClock

from . import twins
from .twins import INTERPRETED

BGN = ProtocolBit.B | ProtocolBit.G | ProtocolBit.N


class Station:
    """A station that hears everything and does nothing."""

    def __init__(self, sky, name, number, at, options):
        self.sky = sky
        self.name = name
        self.mac = bytes((2, 0, 0, 0, number >> 8, number & 255))
        self.heard = []
        self.outcomes = {}
        self.tokens = 0
        self.sequence = 0
        self.link = sky.air.attach(name, at)
        self.link.station = self
        self.configure(**options)

    def configure(self, *, interfaces=(Interface.STA,), **options):
        options.setdefault("receiver_on", True)
        options.setdefault("protocols", BGN)
        addresses = tuple((number, self.mac[:5] + bytes((self.mac[5] + 100 * number,))) for number in interfaces)
        self.link.configure(RadioConfig(addresses=addresses, **options))

    def send(self, destination=BROADCAST, message=b"x", *, version=1):
        """Queue a frame and return its token."""
        to = destination.mac if isinstance(destination, Station) else destination
        self.tokens += 1
        self.sequence += 1
        mpdu = build(to, self.mac, message, seq=self.sequence & 0xFFF, random_value=self.tokens, version=version)
        self.link.transmit(mpdu, self.tokens)
        return self.tokens

    def received(self, mpdu, rssi_dbm, channel, rate, at_us):
        assert at_us == self.sky.clock.now_us
        self.heard.append((mpdu, rssi_dbm, channel, rate, at_us))

    def outcome(self, token, outcome, attempts, at_us):
        assert at_us == self.sky.clock.now_us
        assert token not in self.outcomes, "an answer came twice"
        self.outcomes[token] = outcome, attempts, at_us

    @property
    def from_whom(self):
        return [mpdu[10:16] for mpdu, *_ in self.heard]


class Sky:
    def __init__(self, *, seed=0, **options):
        self.seed = seed
        self.clock = ManualClock()
        self.air = Air(self.clock, lambda name: Random(f"{seed}/{name}"), **options)
        self.log = []
        self.air.observer = self.log.append
        self.stations = []

    def station(self, name=None, at=(0.0, 0.0), **options):
        number = len(self.stations) + 1
        station = Station(self, name or f"s{number}", number, at, options)
        self.stations.append(station)
        return station

    def advance(self, ms):
        self.clock.advance(round(ms * 1000))


@pytest.fixture
def make_sky():
    return Sky


@pytest.fixture
def sky():
    return Sky()


@pytest.fixture
def make_range():
    def make(range_m, exponent=2.0):
        return LogDistance(exponent, range_m)

    return make


@pytest.fixture
def interpreted(monkeypatch):
    """Let scenes run on the interpreted kernel, whose insides can be looked at."""
    monkeypatch.setattr(telling, "Kernel", INTERPRETED.Kernel)


@pytest.fixture
def compiled(monkeypatch):
    """Let scenes run on the compiled kernel."""
    monkeypatch.setattr(telling, "Kernel", twins.compiled().Kernel)

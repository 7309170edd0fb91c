"""An air with stations that write down what they hear, and a clock that is moved by hand."""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from random import Random

import pytest

from espnow.air import Air, LogDistance, kernel
from espnow.frame import BROADCAST, build
from espnow.link import Interface, ProtocolBit, RadioConfig
from espnow.testing import ManualClock

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


def missing(what):
    if os.environ.get("ESPNOW_REQUIRE_COMPILED"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """Compile the kernel and return its module; needs Cython's command on the PATH and a C compiler."""
    cython = shutil.which("cython")
    compiler = shlex.split(sysconfig.get_config_var("CC") or "")
    include = sysconfig.get_path("include")
    if cython is None:
        missing("no cython on the PATH")
    if not compiler or shutil.which(compiler[0]) is None:
        missing("no C compiler")
    if not (Path(include) / "Python.h").exists():
        missing(f"no Python.h in {include}")
    folder = tmp_path_factory.mktemp("kernel")
    for name in ("kernel.py", "kernel.pxd"):
        shutil.copy(Path(kernel.__file__).parent / name, folder)
    directives = ("-X", "boundscheck=False", "-X", "cdivision=True", "-X", "wraparound=False")
    subprocess.run([cython, "-3", *directives, "kernel.py"], cwd=folder, check=True, capture_output=True)
    path = folder / f"kernel{sysconfig.get_config_var('EXT_SUFFIX')}"
    # No fused multiplication and addition: it rounds once where Python rounds twice.
    options = ("-O2", "-ffp-contract=off", "-fPIC", "-shared", f"-I{include}")
    subprocess.run([*compiler, *options, "kernel.c", "-o", path, "-lm"], cwd=folder, check=True, capture_output=True)
    spec = importlib.util.spec_from_file_location("kernel", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

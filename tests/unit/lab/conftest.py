"""A host that a test moves, for the wall clock."""

import select

import pytest

from espnow.lab.wall import WallClock


class FakeHost:
    """A host (`HostWait`) whose time passes in waits and in `compute`, with what other threads do at set times.

    With `tick_us` it passes also while it is asked for, as it does while a program computes.
    """

    def __init__(self):
        self.ns = 0
        self.tick_us = 0
        self.plan = []
        self.waits = []
        self.woken = False

    def at(self, us, function):
        """Another thread calls a function at a time."""
        self.plan.append((us * 1000, function))
        self.plan.sort(key=lambda entry: entry[0])

    def compute(self, us):
        """Let time pass; what others do meanwhile happens."""
        self._pass_until(self.ns + us * 1000, stop=False)

    def _pass_until(self, until_ns, *, stop):
        while self.plan and self.plan[0][0] <= until_ns and not (stop and self.woken):
            at_ns, function = self.plan.pop(0)
            self.ns = max(self.ns, at_ns)
            function()
        if not (stop and self.woken):
            self.ns = max(self.ns, until_ns)

    def time_ns(self):
        if self.tick_us:
            self.compute(self.tick_us)
        return self.ns

    def wait(self, timeout_s, readable):
        assert timeout_s < 80_000 or self.plan, "nothing will ever end this wait"
        self.waits.append(timeout_s)
        self._pass_until(self.ns + round(timeout_s * 1e9), stop=True)
        self.woken = False
        return set(select.select([*readable], [], [], 0)[0])

    def wake(self):
        self.woken = True

    interrupt = wake

    def close(self):
        pass


@pytest.fixture
def host():
    return FakeHost()


@pytest.fixture(scope="session")
def fake_host():
    """Return what makes hosts, for tests that need one for each of many examples."""
    return FakeHost


@pytest.fixture
def clock(host):
    return WallClock(host, time_ns=host.time_ns)

"""A board whose crystal is fast or slow: its clock, its processor and its radio in the time that it keeps.

Rules:

- A board's own time is the lab's times its rate, from the lab's beginning on; it never stands or runs back.
- What the board asks for at an instant of its own comes when its clock shows that, or less than a microsecond later.
- Slots and airtimes are the air's: a crystal that is 20 ppm fast moves the end of the longest frame by a quarter of a
  microsecond.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from espnow.link import Abilities, Clock, Cpu, Link, Outcome, PowerSave, RadioConfig, Station, Timer

__all__ = ["DriftingClock", "DriftingCpu", "DriftingLink"]


class DriftingClock:
    """The clock of a board (`espnow.link.Clock`)."""

    def __init__(self, clock: Clock, drift_ppm: float) -> None:
        """Keep another time than a clock.

        Args:
            clock: the lab's.
            drift_ppm: so many millionths faster; below 0, slower.
        """
        self._clock = clock
        self._rate = 1 + drift_ppm * 1e-6

    @property
    def now_us(self) -> int:
        """Microseconds that have passed on it."""
        return self.own_us(self._clock.now_us)

    def own_us(self, at_us: int) -> int:
        """Return what it shows at an instant of the lab."""
        return math.floor(at_us * self._rate)

    def lab_us(self, own_us: int) -> int:
        """Return the first instant of the lab at which it shows that, or more."""
        at_us = math.ceil(own_us / self._rate)
        while self.own_us(at_us) < own_us:
            at_us += 1
        return at_us

    def lab_length_us(self, own_us: float) -> float:
        """Return how long the lab takes for so long on it."""
        return own_us / self._rate

    def call_at(self, at_us: int, function: Callable[[], None], *, background: bool = False) -> Timer:
        """Call `function` when it shows that (`espnow.link.Clock`)."""
        return self._clock.call_at(self.lab_us(at_us), function, background=background)


class DriftingCpu:
    """The processor of a board (`espnow.link.Cpu`)."""

    def __init__(self, cpu: Cpu, clock: DriftingClock) -> None:
        """Let a thread of control live in the time of a clock."""
        self._cpu = cpu
        self._clock = clock

    def pause(self, until_us: int | None) -> None:
        """Let time pass until `wake`, or until the clock shows that."""
        self._cpu.pause(None if until_us is None else self._clock.lab_us(until_us))

    def wake(self) -> None:
        """End the pause."""
        self._cpu.wake()

    def spend(self, us: int) -> None:
        """Let the program compute: what that takes is no figure of the crystal's."""
        self._cpu.spend(us)


class DriftingLink:
    """The radio of a board (`espnow.link.Link`), and what stands above it."""

    def __init__(self, link: Link, clock: DriftingClock) -> None:
        """Tell a radio the lab's times, and its station its own."""
        self._link = link
        self._clock = clock
        self._station: Station | None = None
        link.station = self

    @property
    def station(self) -> Station:
        """Who is above it."""
        assert self._station is not None
        return self._station

    @station.setter
    def station(self, station: Station) -> None:
        self._station = station

    @property
    def abilities(self) -> Abilities:
        """What it can do."""
        return self._link.abilities

    @property
    def trouble(self) -> str | None:
        """What is wrong with it."""
        return self._link.trouble

    def configure(self, config: RadioConfig) -> None:
        """Make the radio work so; it sleeps by the board's clock."""
        save = config.power_save
        if save is not None:
            begin_us = self._clock.lab_us(save.first_us)
            period_us = self._clock.lab_length_us(save.period_us)
            config = replace(config, power_save=PowerSave(begin_us, period_us, save.on_us, save.linger_us))
        self._link.configure(config)

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Queue a frame."""
        self._link.transmit(mpdu, token)

    def close(self) -> None:
        """Leave everything as it was found."""
        self._link.close()

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        """Hand up a frame at the time that the board's clock shows (`espnow.link.Station`)."""
        self.station.received(mpdu, rssi_dbm, channel, rate, self._clock.own_us(at_us))

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Hand up what became of a frame (`espnow.link.Station`)."""
        self.station.outcome(token, outcome, attempts, self._clock.own_us(at_us))

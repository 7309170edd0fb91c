"""What a station takes from its supply: charge by what it does, and how long a battery lasts.

Rules:

- Pure arithmetic over `espnow.air.chips`: it knows neither the air nor boards nor how the time that a station spends in
  a state came about. Currents are those of the data sheets, at 3.3 V; a charge is a current over a time, so no voltage
  is in it: a linear regulator passes the current on as it is, a switching one does not.
- Units are in the names: ``_us``, ``_ma``, ``_mah``, ``_days``.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

from espnow.air.chips import Chip

__all__ = ["DAYS_A_YEAR", "Battery", "State", "charge_mah", "current_ma", "mean_ma"]

DAYS_A_YEAR = 365.25

_US_AN_HOUR = 3.6e9


class State(enum.StrEnum):
    """What a chip does.

    Attributes:
        TRANSMIT: a frame of its own, or an answer, is on the air.
        RECEIVE: its receiver is on, whether or not somebody sends.
        IDLE: the radio is off, and the CPU waits for an interrupt at the clock at which MicroPython runs it.
        MODEM_SLEEP: the radio is off, and the CPU waits at 80 MHz.
        LIGHT_SLEEP: the CPU stands, and memory is kept.
        DEEP_SLEEP: the RTC timer runs, and RTC memory is kept.
        BOOT: from a wake out of deep sleep to the first line of main.py.
        POWER_OFF: held in reset.
    """

    TRANSMIT = "transmit"
    RECEIVE = "receive"
    IDLE = "idle"
    MODEM_SLEEP = "modem-sleep"
    LIGHT_SLEEP = "light-sleep"
    DEEP_SLEEP = "deep-sleep"
    BOOT = "boot"
    POWER_OFF = "power-off"


def current_ma(chip: Chip, state: State, *, rate: int = 0, power_dbm: float = 20.0) -> float:
    """Return what a chip draws in a state, in mA.

    Args:
        chip: which.
        state: what it does.
        rate: ``wifi_phy_rate_t`` number of what it sends; for TRANSMIT.
        power_dbm: with which it sends; the chip's most at that rate, if this is more; for TRANSMIT.

    Raises:
        ValueError: the chip has not that rate.
    """
    if state is State.TRANSMIT:
        return chip.transmit_ma(rate, power_dbm)
    if state is State.IDLE:
        return chip.idle_ma(waiting=True)
    figures = {
        State.RECEIVE: chip.receive_ma,
        State.MODEM_SLEEP: chip.modem_sleep_ma,
        State.LIGHT_SLEEP: chip.light_sleep_ma,
        State.DEEP_SLEEP: chip.deep_sleep_memory_ma,
        State.BOOT: chip.boot_ma,
        State.POWER_OFF: chip.power_off_ma,
    }
    return figures[state].value


def charge_mah(us: float, ma: float) -> float:
    """Return the charge that a current takes in so many microseconds, in mAh."""
    return us * ma / _US_AN_HOUR


def mean_ma(us: Mapping[State, float], ma: Mapping[State, float]) -> float:
    """Return the mean current of a station, in mA; 0 if no time passed.

    Args:
        us: how long it was in each state, in microseconds.
        ma: what it drew there.
    """
    whole = math.fsum(us.values())
    return math.fsum(spent * ma[state] for state, spent in us.items()) / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery.

    Attributes:
        capacity_mah: of a new one.
        usable: which share of it there is until the board no longer runs, above 0 to 1.
        self_discharge: which share of what is in it is gone after a year in which nothing is drawn, 0 to below 1.
    """

    capacity_mah: float
    usable: float = 1.0
    self_discharge: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.capacity_mah < math.inf and 0 < self.usable <= 1 and 0 <= self.self_discharge < 1):
            raise ValueError(
                "a battery has a capacity above 0 mAh, a usable share above 0 to 1, and loses 0 to below 1 a year, not "
                f"{self.capacity_mah}, {self.usable} and {self.self_discharge}"
            )

    def life_days(self, ma: float) -> float:
        """Return how many days it lasts.

        What it loses by itself is in proportion to what is in it: q' = -i - k q, until the share that is not usable is
        left. So q(t) = (q0 + i / k) exp(-k t) - i / k.

        Args:
            ma: mean current that is drawn, 0 or more.

        Returns:
            Infinity if nothing is drawn and it loses nothing, or all of it is usable.
        """
        if ma < 0:
            raise ValueError(f"a current is 0 mA or more, not {ma}")
        a_day_mah = ma * 24
        used_mah = self.capacity_mah * self.usable
        a_day = -math.log1p(-self.self_discharge) / DAYS_A_YEAR
        left_mah = self.capacity_mah - used_mah
        if a_day * used_mah <= 1e-12 * a_day_mah or a_day == 0.0:  # so little that it loses by itself is nothing
            return used_mah / a_day_mah if a_day_mah else math.inf
        end_mah = left_mah + a_day_mah / a_day
        # log1p of a ratio that may be tiny: the difference of two large numbers would be lost.
        return math.log1p(used_mah / end_mah) / a_day if end_mah > 0 else math.inf

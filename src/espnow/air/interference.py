"""What radiates beside the stations, and that nobody decodes: other Wi-Fi networks, Bluetooth, microwave ovens.

Rules:

- An interferer is a source of bursts of energy over all of one channel. What a receiver makes of it is what it makes of
  any other signal that it does not receive: it is noise to a frame, and from `sense_dbm` on the medium is busy.
- Bursts are equally long; the pauses between them are exponentially distributed. So a frame of T that each overlap
  spoils survives with (1 - busy) * exp(-T / mean pause), whatever its sender does, unless that one senses the bursts.
- One that senses, as foreign Wi-Fi does, waits for its turn like a station, and its share is what it wants of the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from espnow.air.kernel import CURVE_LENGTH, OFF, Kernel
from espnow.air.propagation import HEIGHT_M, Position, is_place
from espnow.times import MOST_US

__all__ = ["BLUETOOTH_BURST_US", "BLUETOOTH_SHARE", "Interferer", "start_interferers"]

#: A packet of one slot (Bluetooth Core, volume 2, part B, 6: 366 bits at 1 Mb/s).
BLUETOOTH_BURST_US = 366

#: Of what a piconet sends on all of its 79 channels of 1 MHz, that is within the 22 MHz of one of Wi-Fi's, if it avoids
#: none: so a connection that fills each slot is there 22 / 79 * 366 / 625 of the time.
BLUETOOTH_SHARE = 22 / 79

#: The number of a rate that no receiver knows, and how strong a signal would have to be.
_NO_RATE = 63
_NEVER_MW = 1e300


@dataclass(frozen=True, slots=True)
class Interferer:
    """A source of energy.

    Attributes:
        position: metres, east and north.
        busy: share of the time that it radiates, above 0 and below 1.
        burst_us: how long at a time.
        senses: it waits until the channel is idle, with DCF's backoff.
        power_dbm: within the channel, without the antenna.
        channel: 1 to 14.
        height_m: of the antenna, above the ground.
        antenna_dbi: gain of the antenna.
    """

    position: Position
    busy: float
    burst_us: int = 1000
    senses: bool = False
    power_dbm: float = 20.0
    channel: int = 1
    height_m: float = HEIGHT_M
    antenna_dbi: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError: a number makes no sense."""
        numbers = (*self.position, self.power_dbm, self.antenna_dbi)
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"position, power_dbm and antenna_dbi are finite numbers, not {numbers!r}")
        if not is_place(self.position):
            raise ValueError(f"position is {self.position!r}, and must be within 1e9 m")
        if not 0 < self.busy < 1:
            raise ValueError(f"busy is {self.busy!r}, and must be above 0 and below 1")
        if not 1 <= self.burst_us < MOST_US:
            raise ValueError(f"burst_us is {self.burst_us!r}, and must be 1 or more, and less than 2**53 (285 years)")
        if not self.pause_us < MOST_US:
            told = f"busy is {self.busy!r} and burst_us {self.burst_us!r}"
            raise ValueError(f"{told}: pauses between bursts would be 285 years or more")
        if not 1 <= self.channel <= 14:
            raise ValueError(f"channel is {self.channel!r}, and must be 1 to 14")
        if not 0 < self.height_m < math.inf:
            raise ValueError(f"height_m is {self.height_m!r}, and must be above 0")

    @property
    def pause_us(self) -> float:
        """The mean time from a burst's end to the next one."""
        return self.burst_us * (1 - self.busy) / self.busy


def start_interferers(kernel: Kernel, interferers: Sequence[Interferer], first: int, stream: int) -> None:
    """Tell a kernel of interferers, and let them begin.

    Args:
        kernel: that has their rows and powers.
        interferers: all of them.
        first: the number of the first as a station.
        stream: the number of its stream of messages.
    """
    if interferers:
        kernel.set_rate(_NO_RATE, _NO_RATE, 0, 0, 0.0, 0.0, _NEVER_MW, _NO_RATE, [0.0] * CURVE_LENGTH)
    for number, one in enumerate(interferers):
        kernel.set_receiver(first + number, OFF, False)
        kernel.set_radiation(stream + number, first + number, one.pause_us, one.burst_us, _NO_RATE, one.senses)

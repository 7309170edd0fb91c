"""How much of a signal arrives, and how much a receiver needs.

Log-distance path loss: free-space loss at 1 m and 2.44 GHz (Friis), then 10 * exponent dB for each tenfold distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from espnow.frame import RATES

__all__ = ["LogDistance", "Position", "sensitivity_dbm"]

#: Metres, east and north.
Position = tuple[float, float]

#: 20 * log10(4 * pi * 1 m / wavelength) at 2.437 GHz.
FREE_SPACE_LOSS_1M_DB = 40.2

#: dBm that a receiver needs. 1 Mb/s: -97, an Espressif engineer for the ESP32's antenna port (esp32.com, topic 3096).
#: The others are assumed: the steps between rates that data sheets of such receivers show.
_SENSITIVITY_DBM = {
    250: -105.0,
    500: -102.0,
    1000: -97.0,
    2000: -95.0,
    5500: -93.0,
    11000: -89.0,
    6000: -92.0,
    9000: -91.0,
    12000: -90.0,
    18000: -88.0,
    24000: -85.0,
    36000: -81.0,
    48000: -77.0,
    54000: -75.0,
}
_HT_SENSITIVITY_DBM = (-92.0, -89.0, -87.0, -84.0, -80.0, -76.0, -74.0, -72.0)


def sensitivity_dbm(rate: int) -> float:
    """Return the weakest signal that a receiver decodes at a rate, in dBm.

    Args:
        rate: ``wifi_phy_rate_t`` number.
    """
    phy = RATES[rate]
    if phy.mcs is not None:
        return _HT_SENSITIVITY_DBM[phy.mcs]
    return _SENSITIVITY_DBM[phy.kbit_s]


@dataclass(frozen=True, slots=True)
class LogDistance:
    """Log-distance path loss.

    Attributes:
        exponent: 2 is free space; 3, the default, a mix of sight and obstacles (assumed).
        range_m: nothing is heard farther away than this; None leaves it to the signal.
    """

    exponent: float = 3.0
    range_m: float | None = None

    def loss_db(self, distance_m: float) -> float:
        """Return the loss over a distance; within one metre it is that of one metre."""
        return FREE_SPACE_LOSS_1M_DB + 10 * self.exponent * math.log10(max(1.0, distance_m))

    def reach_m(self, loss_db: float) -> float:
        """Return how far away the loss is `loss_db`, or `range_m` if that is nearer; 0 if it is never so small."""
        excess_db = loss_db - FREE_SPACE_LOSS_1M_DB
        if excess_db < 0:
            return 0.0
        reach = float(10 ** (excess_db / (10 * self.exponent)))
        return reach if self.range_m is None else min(reach, self.range_m)

"""The shared medium in virtual time: who hears whom, airtime, access, loss, acknowledgement and retries.

Rules: it knows frames and the link's contract, nothing of nodes, boards or programs. It reads no clock but the one it
was given and draws no random number but from the streams it was given. Of a frame it looks at the destination address,
and at the first byte, which decides the rate. Timing follows IEEE 802.11-2020 (DCF, clause 10); what is assumed says
so.

Its kernel (`espnow.air.kernel`) knows what stations do to each other; stations whose frames come from a link and
stations that are models share it, in one run.
"""

from espnow.air.air import Air, AirTiming
from espnow.air.airlink import AirLink
from espnow.air.propagation import LogDistance, Position, sensitivity_dbm
from espnow.air.transmission import MissReason, Reception, Transmission

__all__ = [
    "Air",
    "AirLink",
    "AirTiming",
    "LogDistance",
    "MissReason",
    "Position",
    "Reception",
    "Transmission",
    "sensitivity_dbm",
]

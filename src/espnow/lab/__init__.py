"""The lab: boards that run MicroPython programs on one air, in virtual time, repeatably.

Rules: the lab owns the clock and the seed. Programs run in greenlets, each bound to its board when its modules are
built; the host's modules, other programs and the host's time stay untouched. The same lab with the same seed gives the
same output and the same frames, to the byte.
"""

from espnow.air import LogDistance, Reception, Transmission
from espnow.lab.board import LabBoard
from espnow.lab.explain import Loss, LossReason, Report
from espnow.lab.lab import Lab
from espnow.lab.records import Sent
from espnow.lab.router import Router
from espnow.node import ReceivedMessage

__all__ = [
    "Lab",
    "LabBoard",
    "LogDistance",
    "Loss",
    "LossReason",
    "ReceivedMessage",
    "Reception",
    "Report",
    "Router",
    "Sent",
    "Transmission",
]

"""An emulated board: its kind, its Wi-Fi, its one thread of control and what runs on it between the program's steps.

Rules: a board knows its node, its link, its clock and its cpu by their contracts, and nothing of programs, modules or
other boards. Time and chance come in as arguments. The same code serves virtual and wall-clock time.
"""

from espnow.board.board import Board, Console
from espnow.board.ports import Ports
from espnow.board.power import Power, PowerState, ResetCause, WakePins, WakeReason
from espnow.board.profile import PROFILES, Profile
from espnow.board.wifi import Wifi, WifiTiming

__all__ = [
    "PROFILES",
    "Board",
    "Console",
    "Ports",
    "Power",
    "PowerState",
    "Profile",
    "ResetCause",
    "WakePins",
    "WakeReason",
    "Wifi",
    "WifiTiming",
]

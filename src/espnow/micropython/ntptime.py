"""`ntptime` of a board: sets the board's calendar by a time server, over the board's network.

The protocol is SNTP (RFC 4330), its numbers are those of MicroPython's own module: ``host``, ``timeout`` in seconds,
and times that count from 2000, as the board's do. In a lab the answer is the real world's, so that runs differ by it;
where no time server answers, or there is no network to ask, it is OSError(ETIMEDOUT). The latter is ours: a board may
raise -202.
"""

from __future__ import annotations

import struct
from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.micropython import BUILDERS
from espnow.micropython.errno import error_of
from espnow.micropython.services import Services

__all__ = ["build"]

_PORT = 123

#: Version 4, mode client.
_QUERY = b"\x23" + bytes(47)

#: From 1900, where the protocol's seconds begin, to 2000, and after how many they begin anew.
_TO_2000_S = 3_155_673_600
_ERA_S = 1 << 32

#: 2024 in the protocol's first era: what is less is of the second.
_PIVOT_S = 3_913_056_000


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `ntptime` of `board`."""
    module = ModuleType("ntptime", "Sets the clock of this board.")
    names = vars(module)

    def ask() -> bytes:
        socket: Any = BUILDERS["socket"](board, services)
        try:
            address = socket.getaddrinfo(names["host"], _PORT)[0][-1]
        except OSError:
            raise error_of(board, "ETIMEDOUT") from None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
            port.settimeout(names["timeout"])
            port.sendto(_QUERY, address)
            answer: bytes = port.recv(48)
        return answer

    def time() -> int:
        """Return the time that a server tells, in seconds since 2000.

        Raises:
            OSError: ETIMEDOUT.
        """
        answer = ask()
        (seconds,) = struct.unpack_from("!I", answer, 40)
        return int(seconds) + (_ERA_S if seconds < _PIVOT_S else 0) - _TO_2000_S

    def settime() -> None:
        """Set the board's calendar to the time that a server tells.

        Raises:
            OSError: ETIMEDOUT.
        """
        seconds = time()
        board.power.calendar_us = seconds * 1_000_000 - board.clock.now_us

    names.update(host="pool.ntp.org", timeout=1, time=time, settime=settime)
    return module

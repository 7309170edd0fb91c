"""`machine` of a board, the part that needs no hardware around the chip.

Here are identity, clock frequency, reset and idling, as https://docs.micropython.org/en/latest/library/machine.html
describes them. Pins, buses, timers, sleep modes, watchdog and real-time clock are not here yet; a program that uses
one gets an AttributeError that names it.
"""

from __future__ import annotations

import operator
from types import ModuleType
from typing import NoReturn

from espnow.board import Board
from espnow.micropython.services import Services

__all__ = ["build"]

#: Frequencies that a chip can run at, in Hz, the first by default (ESP32 and ESP8266 ports of MicroPython).
_FREQUENCIES = (160_000_000, 20_000_000, 40_000_000, 80_000_000, 240_000_000)
_FREQUENCIES_ESP8266 = (80_000_000, 160_000_000)

#: How long `idle` waits when nothing happens: the next tick of FreeRTOS is at most this far. Assumed.
_IDLE_US = 1_000


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `machine` of `board`."""
    frequencies = _FREQUENCIES_ESP8266 if board.profile.esp8266 else _FREQUENCIES
    frequency = frequencies[0]

    def unique_id() -> bytes:
        """Return the chip's own number: the address of its STA interface as it came from the factory."""
        return board.mac

    def freq(hz: int | None = None, /) -> int | None:
        """Set, or without an argument return, the frequency of the processor; programs do not run faster by it.

        Raises:
            ValueError: the chip cannot run at it.
        """
        nonlocal frequency
        if hz is None:
            return frequency
        if operator.index(hz) not in frequencies:
            megahertz = " or ".join(f"{known // 1_000_000}MHz" for known in sorted(frequencies))
            raise ValueError(f"frequency must be {megahertz}")
        frequency = hz
        return None

    def idle() -> None:
        """Let the processor rest until something happens, a tick at most."""
        board.cpu.pause(board.clock.now_us + _IDLE_US)
        if board.has_callbacks:
            board.run_callbacks()

    def reset() -> NoReturn:
        """Restart the chip."""
        services.reset()

    def soft_reset() -> NoReturn:
        """Restart MicroPython."""
        services.soft_reset()

    module = ModuleType("machine", "The hardware of this board.")
    vars(module).update(
        freq=freq,
        idle=idle,
        reset=reset,
        soft_reset=soft_reset,
        unique_id=unique_id,
    )
    return module

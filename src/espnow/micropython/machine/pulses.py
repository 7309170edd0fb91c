"""`machine.time_pulse_us`, `bitstream` and the memory views.

They follow https://docs.micropython.org/en/latest/library/machine.html and MicroPython's ``extmod/machine_pulse.c``,
``machine_bitstream.c`` and ``machine_mem.c``. A pulse is measured exactly. Callbacks wait until either is done, as on a
board. Assumed: memory that a program did not write holds 0; there are no registers in it.
"""

from __future__ import annotations

import operator
from typing import Any

from espnow.board import Board
from espnow.board.buses import buses_of
from espnow.micropython.machine.pin import find_pin

__all__ = ["Memory", "bitstream", "time_pulse_us"]


def time_pulse_us(board: Board, pin: object, level: int, timeout_us: int) -> int:
    """Return how many microseconds a pulse of `level` lasts; -2 if it does not begin in time, -1 if it does not end."""
    port_pin = find_pin(board, pin)
    clock = board.clock
    level = 1 if level else 0
    edges: list[tuple[int, int]] = []

    def note(now: int) -> None:
        edges.append((clock.now_us, now))
        board.cpu.wake()

    def await_level(wanted: int, until_us: int) -> int | None:
        """Return when the pin has this level."""
        while True:
            while edges:
                at_us, now = edges.pop(0)
                if now == wanted and at_us <= until_us:
                    return at_us
            if clock.now_us >= until_us:
                return None
            board.cpu.pause(until_us)

    port_pin.on_level(note)
    try:
        began_us: int | None = clock.now_us
        if port_pin.value != level:
            began_us = await_level(level, clock.now_us + timeout_us)
            if began_us is None:
                return -2
        assert began_us is not None
        ended_us = await_level(1 - level, began_us + timeout_us)
        return -1 if ended_us is None else ended_us - began_us
    finally:
        port_pin.off_level(note)


def bitstream(board: Board, pin: object, encoding: int, timing: Any, content: Any) -> None:
    """Send bytes as pulses of the four lengths in `timing`, in ns: high and low of a 0, high and low of a 1.

    Raises:
        ValueError: there is no such encoding.
    """
    if encoding != 0:
        raise ValueError("encoding must be 0")
    high_0, low_0, high_1, low_1 = map(operator.index, timing)
    stream = bytes(memoryview(content))
    ones = int.from_bytes(stream, "big").bit_count()
    zeros = len(stream) * 8 - ones
    port_pin = find_pin(board, pin)
    port_pin.stream = stream
    board.cpu.spend((zeros * (high_0 + low_0) + ones * (high_1 + low_1)) // 1000)
    buses_of(board).pixels(port_pin.number).write(board.clock.now_us, stream)


class Memory:
    """The memory in words of so many bytes: ``machine.mem32[address]``."""

    def __init__(self, cells: dict[int, int], size: int) -> None:
        """Make a view.

        Args:
            cells: address -> byte; shared by the views of a board.
            size: bytes of a word.
        """
        self._cells = cells
        self._size = size

    def __getitem__(self, address: int) -> int:
        """Return the word at an address."""
        return int.from_bytes([self._cells.get(at, 0) for at in self._addresses(address)], "little")

    def __setitem__(self, address: int, value: int) -> None:
        """Write the word at an address."""
        word = (operator.index(value) & ((1 << 8 * self._size) - 1)).to_bytes(self._size, "little")
        self._cells.update(zip(self._addresses(address), word, strict=True))

    def _addresses(self, address: int) -> range:
        address = operator.index(address)
        if address % self._size:
            raise ValueError(f"address {address:08x} is not aligned to {self._size} bytes")
        return range(address, address + self._size)

"""The I2S ports of a board, from both sides: what its program opens, and the microphone or amplifier at the wires.

Rules: samples cross the wires at the rate that the program set, one frame after the other, and `ibuf` bytes of them
wait inside the chip. Time is the clock's: a buffer is taken, or full, when so many bytes have crossed. Where the
program is late, an amplifier gets silence and a microphone's oldest samples are lost; what was fed waits until it is
read.

Bytes are the program's: little-endian samples of 16 or 32 bits, left before right, as
https://docs.micropython.org/en/latest/library/machine.I2S.html says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from espnow.board.board import Board

__all__ = ["KEPT_BYTES", "I2s", "I2sSettings"]

#: So many bytes of what a program plays are kept, the last ones.
KEPT_BYTES = 1 << 20

#: Frames in each of the buffers that `ibuf` is made of (``ports/esp32/machine_i2s.c``).
_BLOCK_FRAMES = 256

#: Buffers that may wait in non-blocking mode: the one at work, and one more.
_QUEUE = 2


@dataclass(frozen=True, slots=True)
class I2sSettings:
    """How a program has set a port.

    Attributes:
        transmits: it plays; otherwise it records.
        frame: bytes of one frame: a sample, or two of them.
        rate: frames a second.
        ibuf: bytes that wait inside the chip.
    """

    transmits: bool
    frame: int
    rate: int
    ibuf: int

    @property
    def block(self) -> int:
        """The bytes that must have crossed before a stream is ready again."""
        return min(_BLOCK_FRAMES * self.frame, self.room)

    @property
    def room(self) -> int:
        """The bytes that wait inside the chip at most: whole frames, one at least."""
        return max(self.ibuf // self.frame, 1) * self.frame

    def time_us(self, count: int) -> int:
        """Return how long so many bytes take: the frames that hold them."""
        frames = -(-count // self.frame)
        return -(-frames * 1_000_000 // self.rate)

    def crossed(self, us: int) -> int:
        """Return how many bytes cross in so many microseconds, in whole frames."""
        return us * self.rate // 1_000_000 * self.frame


class I2s:
    """An I2S port of a board, with what is for whoever is at the wires, and what is for the board.

    Attributes:
        settings: how the program has set it; None while it is not open.
        played: how many bytes the program has written in all.
    """

    def __init__(self, board: Board, number: int) -> None:
        self._board = board
        self._number = number
        self._kept = bytearray()
        self._fed = bytearray()
        self._source: Callable[[int], bytes] | None = None
        self.settings: I2sSettings | None = None
        self.played = 0
        self._opened = 0
        self._since_us = 0
        self._passed = 0
        self._queued = 0
        self._wake_us = -1

    def __repr__(self) -> str:
        return f"<I2S {self._number} of {self._board.name}>"

    # The other end.

    @property
    def output(self) -> bytes:
        """What the program wrote, the last `KEPT_BYTES` of it."""
        return bytes(self._kept[-KEPT_BYTES:])

    def feed(self, samples: bytes | bytearray | memoryview | Callable[[int], bytes]) -> None:
        """Say what the microphone hears, in the program's format; when it is used up there is silence.

        Args:
            samples: bytes, which come after those that wait; or a function that is called with a number of bytes, and
                returns as many, whenever the program reads.
        """
        if callable(samples):
            self._source = samples
        else:
            self._fed += samples

    # The board.

    def open(self, settings: I2sSettings) -> None:
        """Begin: from now on the clock of the wires runs."""
        self.close()
        self.settings = settings
        self._since_us = self._board.clock.now_us

    def close(self) -> None:
        """End; buffers that wait in non-blocking mode are forgotten."""
        self.settings = None
        self._opened += 1
        self._passed = self._queued = 0
        self._wake_us = -1

    @property
    def busy(self) -> bool:
        """Whether a buffer waits in non-blocking mode."""
        return self._queued > 0

    @property
    def ready(self) -> int:
        """How many bytes can be written or read without waiting."""
        settings = self.settings
        assert settings is not None
        now_us = self._board.clock.now_us
        crossed = settings.crossed(now_us - self._since_us)
        if settings.transmits:
            if crossed >= self._passed:  # the amplifier has had all: it begins anew with what comes
                self._since_us, self._passed, crossed = now_us, 0, 0
            return max(settings.room - (self._passed - crossed), 0)
        if crossed - self._passed > settings.room:
            self._passed = crossed - settings.room
        return max(crossed - self._passed, 0)

    def play(self, samples: bytes) -> int:
        """Take samples, and return in how many microseconds the last of them is inside the chip."""
        settings = self.settings
        assert settings is not None
        wait_us = 0
        if len(samples) > self.ready:
            over = self._passed + len(samples) - settings.room
            wait_us = self._until_us(over)
        self._passed += len(samples)
        self.played += len(samples)
        self._kept += samples
        if len(self._kept) > 2 * KEPT_BYTES:
            del self._kept[:-KEPT_BYTES]
        return wait_us

    def record(self, count: int) -> int:
        """Claim the next samples, and return in how many microseconds the last of them is there."""
        wait_us = 0
        if count > self.ready:
            wait_us = self._until_us(self._passed + count)
        self._passed += count
        return wait_us

    def heard(self, count: int) -> bytes:
        """Return so many bytes of what the microphone heard."""
        found = bytes(self._fed[:count])
        del self._fed[: len(found)]
        missing = count - len(found)
        if missing and self._source is not None:
            found += bytes(self._source(missing)[:missing])
        return found + bytes(count - len(found))

    def later(self, us: int, done: Callable[[], None], function: Callable[[Any], object], argument: Any) -> None:
        """After `us` microseconds call `done`, and let the program run ``function(argument)``."""
        opened = self._opened
        self._queued += 1

        def finish() -> None:
            if self._opened == opened:
                self._queued -= 1
                done()
                self._board.schedule(function, argument)

        clock = self._board.clock
        clock.call_at(clock.now_us + us, finish)

    @property
    def full(self) -> bool:
        """Whether no further buffer can wait in non-blocking mode."""
        return self._queued >= _QUEUE

    def polled(self) -> bool:
        """Return whether a stream can go on; if not, whoever waits looks again when it can."""
        settings = self.settings
        assert settings is not None
        ready = self.ready
        if ready >= settings.block:
            return True
        edge = self._passed - settings.room if settings.transmits else self._passed
        clock = self._board.clock
        wake_us = clock.now_us + self._until_us(edge + settings.block)
        if wake_us != self._wake_us:
            self._wake_us = wake_us
            clock.call_at(wake_us, self._board.changed)
        return False

    def _until_us(self, count: int) -> int:
        """Return the microseconds until so many bytes have crossed."""
        settings = self.settings
        assert settings is not None
        return max(self._since_us + settings.time_us(count) - self._board.clock.now_us, 0)

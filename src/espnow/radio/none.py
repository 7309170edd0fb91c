"""``none:``, the radio of a board that is alone: it sends into silence.

Unicast frames are never acknowledged, broadcasts go out as they always do, nothing is heard. Their answers come after
the time that they take on the air; the tries of a unicast frame are counted without their backoffs.
"""

from __future__ import annotations

from espnow.errors import LinkFull
from espnow.frame import airtime_us
from espnow.link import Clock, Outcome, RadioConfig, Station

__all__ = ["NoRadio"]

_FCS_LENGTH = 4
_QUEUE_FRAMES = 32


class NoRadio:
    """A link that reaches nobody (`espnow.link.Link`).

    Attributes:
        station: who is told that nobody answered.
    """

    station: Station

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._config = RadioConfig()
        self._free_at_us = 0
        self._queued = 0

    def configure(self, config: RadioConfig) -> None:
        """Take notice of the rate and the number of tries."""
        self._config = config

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Send into silence.

        Raises:
            LinkFull: too many frames wait.
        """
        if self._queued >= _QUEUE_FRAMES:
            raise LinkFull
        self._queued += 1
        config = self._config
        group = mpdu[4] & 1
        attempts = 1 if group else config.attempts
        rate = config.group_rate if group else config.rate
        begin_us = max(self._clock.now_us, self._free_at_us)
        self._free_at_us = begin_us + attempts * airtime_us(len(mpdu) + _FCS_LENGTH, rate)
        outcome = Outcome.ACKNOWLEDGED if group else Outcome.NOT_ACKNOWLEDGED

        def answer() -> None:
            self._queued -= 1
            self.station.outcome(token, outcome, attempts, self._clock.now_us)

        self._clock.call_at(self._free_at_us, answer)

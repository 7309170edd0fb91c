"""``none:``, the radio of a board that is alone: it sends into silence.

Unicast frames are never acknowledged, broadcasts go out as they always do, nothing is heard. Their answers come after
the time that they take on the air; the tries of a unicast frame are counted without their backoffs. While it is off,
nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from espnow.errors import LinkFull, UserError
from espnow.frame import airtime_us
from espnow.link import Abilities, Clock, Outcome, RadioConfig, Station

if TYPE_CHECKING:
    from espnow.radio import RadioName

__all__ = ["NoRadio", "open_none"]

_FCS_LENGTH = 4
_QUEUE_FRAMES = 32


def open_none(name: RadioName, clock: Clock, _report: Callable[[str], None]) -> NoRadio:
    """Open a radio that reaches nobody.

    Raises:
        UserError: something stands behind its name.
    """
    if name.rest:
        raise UserError(f"radio {name.text!r}: nothing stands behind none:")
    name.check_settings(())
    return NoRadio(clock)


class NoRadio:
    """A link that reaches nobody (`espnow.link.Link`).

    Attributes:
        station: who is told that nobody answered.
        trouble: none, ever.
    """

    station: Station
    abilities = Abilities(promiscuous=False)
    trouble: str | None = None

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._config = RadioConfig()
        self._free_at_us = 0
        self._queued = 0
        self._closed = False

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
        attempts = (1 if group else config.attempts) if config.addresses else 0
        rate = config.group_rate if group else config.rate
        begin_us = max(self._clock.now_us, self._free_at_us)
        self._free_at_us = begin_us + attempts * airtime_us(len(mpdu) + _FCS_LENGTH, rate)
        outcome = Outcome.ACKNOWLEDGED if group and attempts else Outcome.NOT_ACKNOWLEDGED

        def answer() -> None:
            self._queued -= 1
            if not self._closed:
                self.station.outcome(token, outcome, attempts, self._clock.now_us)

        self._clock.call_at(self._free_at_us, answer)

    def close(self) -> None:
        """Answer nothing any more."""
        self._closed = True

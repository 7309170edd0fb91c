"""The channel as one paced radio hears it: until when it is taken, and who is waited for.

A radio waits for others' frames as radios do. One that does not pace its own frames (``pace=off``, or a stranger's
flood) could keep all others waiting for ever, which on a real channel it cannot: frames do not overlap there. So:

- who sends more than fits into the time, by more than a delay of this computer explains, is not waited for until as
  much time has passed as its frames would have taken;
- senders are told apart by the address and port that their datagrams come from. One that sends each from another port
  is waited for like so many senders, up to the radio's patience with each of its frames.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Channel"]

#: So much more airtime than time is a delay: of the sender, which catches up, or of the reader, which was busy.
_DELAY_US = 50_000
#: Airtime that is held against a sender at most.
_MOST_US = 500_000
#: Senders that are remembered.
_REMEMBERED = 1024


class Channel:
    """Until when the channel is taken.

    Attributes:
        free_at_us: from then on nobody is known to send.
    """

    __slots__ = ("_senders", "free_at_us")

    def __init__(self) -> None:
        self.free_at_us = 0
        self._senders: dict[Any, tuple[int, bool]] = {}

    def heard(self, source: Any, airtime_us: int, now_us: int) -> None:
        """Take notice of a frame that begins now, and of who sends it."""
        senders = self._senders
        until_us, floods = senders.pop(source, (0, False))
        if until_us <= now_us:
            until_us, floods = now_us, False
        until_us += airtime_us
        late_us = until_us - now_us - airtime_us
        if late_us > _DELAY_US:
            floods = True
            until_us = min(until_us, now_us + _MOST_US)
        if len(senders) >= _REMEMBERED:
            del senders[next(iter(senders))]
        senders[source] = until_us, floods
        if not floods:
            self.taken(now_us + airtime_us)

    def taken(self, until_us: int) -> None:
        """Take notice that the channel is taken until then."""
        if until_us > self.free_at_us:
            self.free_at_us = until_us

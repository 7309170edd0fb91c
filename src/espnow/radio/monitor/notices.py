"""What a person is told of a radio: each thing once, in one line, when it matters.

Rules:

- A line says what is the matter and what to do, and names the interface.
- Nothing is told before it is true for this program: that boards get no acknowledgement when one has sent to this one,
  that reports are not believed when a frame is sent that one would be about.
"""

from __future__ import annotations

from collections.abc import Callable

from espnow.radio.monitor.adapter import Adapter
from espnow.radio.monitor.drivers import Untold

__all__ = ["Notices"]

#: Frames of other channels, and none of its own between them, after which that is told.
_ELSEWHERE = 20


class Notices:
    """What was told, and what is still to tell.

    Attributes:
        report: gets each line.
        silent: it was not told yet that nobody acknowledges here.
        elsewhere: frames of other channels since the last of its own.
    """

    def __init__(self, adapter: Adapter, report: Callable[[str], None], *, answer: bool) -> None:
        """Tell nothing yet.

        Args:
            adapter: the interface.
            report: gets each line.
            answer: whether it acknowledges.
        """
        self.silent = not answer
        self.elsewhere = 0
        self._adapter = adapter
        self.report = report
        self._elsewhere_told = self._listening_told = self._trouble_told = False

    def tell_silent(self) -> None:
        """Tell that nobody acknowledges here, as a board has sent to this one."""
        self.silent = False
        name = self._adapter.name
        self.report(
            f"{name}: boards that send to this one get no acknowledgement, so they retry and see a failure, though "
            f"messages arrive; monitor:{name}?ack=on acknowledges"
        )

    def tell_listening(self, untold: Untold | None) -> None:
        """Tell that what became of frames is known by acknowledgements alone, and why."""
        if self._listening_told:
            return
        self._listening_told = True
        driver = self._adapter.driver or "its driver"
        why = "does not report what became of frames" if untold is None else f"reports {untold.reports}"
        self.report(
            f"{self._adapter.name}: {driver} {why}; acknowledgements that are heard tell it, and without one it is "
            "unknown"
        )

    def hear_elsewhere(self, channel: int, wanted: int) -> None:
        """Count a frame of another channel, and tell when there are no others."""
        self.elsewhere += 1
        if self.elsewhere >= _ELSEWHERE and not self._elsewhere_told:
            self._elsewhere_told = True
            self.report(
                f"{self._adapter.name}: all that is heard is on channel {channel}, not on {wanted}: another program "
                "changed it, or its driver does not change channels; espnow doctor tries it"
            )

    def tuned(self) -> None:
        """Begin anew to look on which channel frames are."""
        self.elsewhere = 0
        self._elsewhere_told = False

    def tell_trouble(self, trouble: str | None, before: str | None, *, quiet: bool) -> None:
        """Tell that something is wrong, or that all is well again."""
        if trouble is None:
            if before is not None and self._trouble_told:
                self.report(f"{self._adapter.name} works again")
            self._trouble_told = False
        elif not quiet and not (self._trouble_told and trouble == before):
            self._trouble_told = True
            self.report(trouble)

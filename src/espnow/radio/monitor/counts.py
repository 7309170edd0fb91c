"""What a monitor radio counts."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Counts"]


@dataclass(slots=True)
class Counts:
    """What a radio has seen.

    Attributes:
        frames_heard: frames that passed the filter.
        reports: of its frames.
        foreign_reports: of frames that are not under way: another process's, or too late.
        unreported: frames whose report did not come in time.
        malformed: packets without a readable radiotap header, or too short.
        bad_fcs: frames that the radio found broken.
        reflected: frames that the kernel sent back for somebody.
        other_channel: frames of another channel than the radio's.
        full: times at which the kernel took no more.
        refused: frames that the kernel did not take.
        lost: packets that came when there was no room for more, or were too long for it.
    """

    frames_heard: int = 0
    reports: int = 0
    foreign_reports: int = 0
    unreported: int = 0
    malformed: int = 0
    bad_fcs: int = 0
    reflected: int = 0
    other_channel: int = 0
    full: int = 0
    refused: int = 0
    lost: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return them by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

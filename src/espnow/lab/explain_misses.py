"""What the air and a board's node call a miss or a drop, as a reason with its figures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from espnow.air import Air, AirLink
from espnow.air.transmission import MissReason
from espnow.frame.text import printable
from espnow.lab.explain_cases import Cause
from espnow.lab.explain_text import LossReason
from espnow.link import Absence

if TYPE_CHECKING:
    from espnow.lab.explain_witness import Witness

__all__ = ["ABSENCES", "name_absence", "name_miss", "name_others", "show_dbm"]

#: What an absence of a receiver is called.
ABSENCES = {
    Absence.OFF: LossReason.WIFI_OFF,
    Absence.SCANNING: LossReason.SCANNING,
    Absence.SEARCHING: LossReason.SEARCHING,
    Absence.LIGHT_SLEEP: LossReason.LIGHT_SLEEP,
    Absence.DEEP_SLEEP: LossReason.DEEP_SLEEP,
    Absence.RESTARTING: LossReason.RESTARTING,
    Absence.SLEPT_ACTIVE: LossReason.SLEPT_ACTIVE,
    Absence.NO_POWER: LossReason.NO_POWER,
}

#: By the value: a member's own hash is slow.
_WITHOUT_FIGURES = {
    MissReason.SENDING.value: Cause(LossReason.RECEIVER_SENDING),
    MissReason.NO_LONG_RANGE.value: Cause(LossReason.NO_LONG_RANGE),
    MissReason.LOST.value: Cause(LossReason.LOST),
    MissReason.RECEIVER_OFF.value: Cause(LossReason.WIFI_OFF),
}

#: Misses that an absence of the receiver explains better than where its radio was found.
_BY_ABSENCE = (MissReason.RECEIVER_OFF, MissReason.OTHER_CHANNEL, MissReason.RETUNED)

# An enumeration takes longer to find a member than everything else takes that is done for a miss.
_OTHER_CHANNEL, _RETUNED, _ASLEEP = MissReason.OTHER_CHANNEL, MissReason.RETUNED, MissReason.ASLEEP
_COLLIDED = MissReason.COLLIDED

#: So many of those who sent at the same time are named.
_NAMED = 2


@lru_cache(maxsize=256)
def _other_channel(ours: str, theirs: str) -> Cause:
    return Cause(LossReason.OTHER_CHANNEL, (ours, theirs))


def name_absence(absence: Absence | None) -> LossReason:
    """Return what it is called that a board has no active interface."""
    return LossReason.WIFI_OFF if absence is None else ABSENCES[absence]


@lru_cache(maxsize=256)
def _collided(others: str) -> Cause:
    return Cause(LossReason.COLLIDED, (others,))


def name_others(names: Sequence[str]) -> str:
    """Return whose frames were on the air at once, as the end of a sentence: the strongest ones' names."""
    if not names:
        return "others"
    shown = ", ".join(map(printable, names[:_NAMED]))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"the frame{'s' if len(names) > 1 else ''} of {shown}{more}"


def name_miss(sender: Witness, link: AirLink, receiver: Witness | None, reason: MissReason, air: Air) -> Cause:
    """Return what a miss of the air is called, with its figures.

    Args:
        sender: who sent.
        link: the radio that missed it.
        receiver: whose it is; None if it is no board's.
        reason: what the air says; not that it was out of range, which needs more.
        air: which knows who else was on it.
    """
    config = link.config
    if config.absence is not None and reason in _BY_ABSENCE:
        return Cause(ABSENCES[config.absence], (sender.link.config.channel, config.channel))
    if reason is _OTHER_CHANNEL:
        return _other_channel(sender.channel(), str(config.channel) if receiver is None else receiver.channel())
    if reason is _RETUNED:
        return Cause(LossReason.RETUNED, (config.channel,))
    if reason is _ASLEEP and config.power_save is not None:
        return Cause(LossReason.POWER_SAVE, (config.power_save.on_us // 1000, int(config.power_save.period_us) // 1000))
    if reason is _COLLIDED:
        return _collided(name_others(air.others(sender.link, link.number)))
    return _WITHOUT_FIGURES[reason._value_]


def show_dbm(found_dbm: float, needed_dbm: float) -> tuple[str, str]:
    """Return two signal strengths as text, in which the first is less than the second to see."""
    if round(found_dbm) < round(needed_dbm):
        return f"{found_dbm:.0f}", f"{needed_dbm:.0f}"
    return f"{found_dbm:.1f}", f"{needed_dbm:.1f}"

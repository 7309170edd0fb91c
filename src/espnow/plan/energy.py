"""What the stations of a plan take from their supply: how long each was in which state, and what that costs.

Rules:

- The air knows how long a station sent, and how long its messages took. What it does otherwise is what the plan says:
  awake, the receiver is on all the time that it does not send. Else it is on from a message's coming until it is
  answered or given up, and for ``listen`` besides; in deep sleep each message begins with a boot.
- On the air a station that is not awake hears answers to its messages, and waits for others like any other station;
  what others send it does not hear, not even while it listens.

Assumed: a burst is one wake; a message that was given up took as long as on an idle channel, with backoffs of half a
window; answers go out with the station's power at the rate that the standard has for them; messages that come while
another one waits are counted as if they came alone, those of a burst too, up to all of the time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from espnow.air.chips import Chip, chip
from espnow.air.energy import State, charge_mah, current_ma
from espnow.air.kernel import Kernel
from espnow.air.scene import Access, StreamResult, Traffic
from espnow.air.telling import frame_length
from espnow.frame import RATE_1M, airtime_us, response_rate
from espnow.plan.layout import Layout
from espnow.plan.parts import EnergyPart, PlanPart

__all__ = ["consumption"]

_HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True)
class _Station:
    """What one station took, in mAh a day, and how long its battery lasts."""

    by_state: dict[State, float]
    board: float
    life_days: float | None

    @property
    def a_day_mah(self) -> float:
        return math.fsum(self.by_state.values()) + self.board


def consumption(
    part: PlanPart, layout: Layout, kernel: Kernel, totals: Sequence[StreamResult]
) -> dict[str, dict[str, float | None]]:
    """Return, for each group whose chip the plan names, the figures of `espnow.plan.results.ENERGY`."""
    streams = layout.scene.traffic
    of: dict[int, list[int]] = defaultdict(list)
    answers: dict[int, int] = {}
    for number, stream in enumerate(streams):
        of[stream.station].append(number)
        answers[stream.to] = response_rate(stream.rate)
    found = {}
    for group in part.groups:
        if group.energy is None:
            continue
        of_group = []
        for number in layout.members[group.name]:
            mine = [(streams[stream], totals[stream]) for stream in of[number]]
            sent_us = kernel.station_totals(number)[0]
            answer_rate = answers.get(number, RATE_1M)
            place = layout.scene.places[number]
            spent = _spent_us(group.energy, part.duration_us, layout.scene.access, place.attempts, mine, sent_us)
            sending_ma = _sending_ma(chip(group.energy.chip), place.power_dbm, mine, sent_us, answer_rate)
            of_group.append(_station(group.energy, part.duration_us, spent, sending_ma))
        found[group.name] = _figures(of_group)
    return found


def _spent_us(
    energy: EnergyPart,
    duration_us: int,
    access: Access,
    attempts: int,
    mine: Sequence[tuple[Traffic, StreamResult]],
    sent_us: int,
) -> dict[State, float]:
    """Return how long a station was in each state; all of it together is the run."""
    sending = float(min(sent_us, duration_us))
    if not energy.asleep:
        return {State.TRANSMIT: sending, State.RECEIVE: duration_us - sending}
    awake = boot = 0.0
    for stream, one in mine:
        wakes = math.ceil(one.made / (stream.burst.count if stream.burst else 1))
        given_up_us = one.failed * _given_up_us(access, attempts, _frame_us(stream))
        awake += one.latency_us + given_up_us + wakes * energy.listen_us
        if energy.between is State.DEEP_SLEEP:
            boot += wakes * chip(energy.chip).boot_ms.value * 1000
    awake = min(max(awake, sending), duration_us)
    boot = min(boot, duration_us - awake)
    return {
        State.TRANSMIT: sending,
        State.RECEIVE: awake - sending,
        State.BOOT: boot,
        energy.between: duration_us - awake - boot,
    }


def _frame_us(stream: Traffic) -> int:
    return airtime_us(frame_length(stream.size), stream.rate)


def _given_up_us(access: Access, attempts: int, frame_us: int) -> float:
    """Return how long a message takes that is never answered, on a channel that is idle otherwise."""
    slots = 0.0
    window = access.cw_min
    for _ in range(attempts - 1):  # the first is sent at once
        window = min(2 * window + 1, access.cw_max)
        slots += window / 2
    return attempts * (access.difs_us + frame_us + access.timeout_us) + slots * access.slot_us


def _sending_ma(
    known: Chip, power_dbm: float, mine: Sequence[tuple[Traffic, StreamResult]], sent_us: int, answer_rate: int
) -> float:
    """Return the mean current while a station sends its frames, and answers others'."""
    frames_us = [one.attempts * _frame_us(stream) for stream, one in mine]
    spans = [
        (us, current_ma(known, State.TRANSMIT, rate=stream.rate, power_dbm=power_dbm))
        for us, (stream, _) in zip(frames_us, mine, strict=True)
    ]
    answers_us = max(0, sent_us - sum(frames_us))
    if answers_us:
        spans.append((answers_us, current_ma(known, State.TRANSMIT, rate=answer_rate, power_dbm=power_dbm)))
    whole = sum(us for us, _ in spans)
    return math.fsum(us * ma for us, ma in spans) / whole if whole else 0.0


def _station(energy: EnergyPart, duration_us: int, spent_us: dict[State, float], sending_ma: float) -> _Station:
    known = chip(energy.chip)
    a_day_us = 86_400e6 / duration_us
    by_state = {
        state: charge_mah(us * a_day_us, sending_ma if state is State.TRANSMIT else current_ma(known, state))
        for state, us in spent_us.items()
    }
    found = _Station(by_state, energy.board_ma * _HOURS_A_DAY, None)
    if energy.battery is None:
        return found
    return _Station(by_state, found.board, energy.battery.life_days(found.a_day_mah / _HOURS_A_DAY))


def _figures(of_group: Sequence[_Station]) -> dict[str, float | None]:
    """Return the figures of a group: means over its stations, and shares of all that they took."""
    whole = math.fsum(one.a_day_mah for one in of_group)
    lives = [one.life_days for one in of_group if one.life_days is not None]
    awake = (State.TRANSMIT, State.RECEIVE, State.BOOT)

    def share(*states: State) -> float:
        return _rounded(math.fsum(one.by_state.get(state, 0.0) for one in of_group for state in states) / whole)

    return {
        "current_ma": _rounded(whole / len(of_group) / _HOURS_A_DAY),
        "mah_per_day": _rounded(whole / len(of_group)),
        "battery_days": _rounded(math.fsum(lives) / len(lives)) if lives else None,
        "battery_days_least": _rounded(min(lives)) if lives else None,
        "transmit_share": share(State.TRANSMIT),
        "receive_share": share(State.RECEIVE),
        "boot_share": share(State.BOOT),
        "between_share": share(*(state for state in State if state not in awake)),
        "board_share": _rounded(math.fsum(one.board for one in of_group) / whole),
    }


def _rounded(number: float) -> float:
    return round(number, 6)

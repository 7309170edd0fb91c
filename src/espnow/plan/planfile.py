"""Plan files: reading one, and the points of its sweep.

A mistake is a UserError of one line that names the file, the key and what is allowed, and is found before anything
runs: each point of the sweep is checked as if the file said so.
"""

from __future__ import annotations

import copy
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from espnow import tomlfile
from espnow.air.chips import chip
from espnow.air.energy import State
from espnow.air.propagation import MOST_M, Position, is_place
from espnow.air.scene import TrafficKind
from espnow.errors import UserError
from espnow.frame import RATES
from espnow.frame.text import printable
from espnow.plan.parts import ALL, NEAREST, RANDOM, GroupPart, PlanPart
from espnow.plan.schema import PLAN
from espnow.tomlfile import shown

__all__ = ["Plan", "Point", "model_key", "read"]

#: Modules that decide, beside the plan, what comes of a run.
_MODEL = ("air/*.py", "frame/airtime.py", "frame/rates.py", "plan/energy.py", "plan/layout.py", "plan/results.py")

_MEMBER = re.compile(r"([A-Za-z0-9_-]+)\[(\d{1,6})\]", re.ASCII)

#: What a sweep cannot change: it is about the runs of each point.
_OF_ALL_POINTS = ("seed", "seeds", "sweep")


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a sweep.

    Attributes:
        values: what the swept keys are here, as the file has it.
        part: the plan with these values.
        key: the same for the same plan, another for another.
    """

    values: tuple[tuple[str, Any], ...]
    part: PlanPart
    key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan file that was read.

    Attributes:
        path: where it is.
        part: what it says.
        points: of its sweep, in order; one without a sweep.
    """

    path: Path
    part: PlanPart
    points: tuple[Point, ...]


def read(path: str | Path) -> Plan:
    """Read and check a plan file.

    Raises:
        UserError: it cannot be read, is no TOML, or has a mistake; one line that says where and what is allowed.
    """
    path = Path(path)
    document = tomlfile.load(path)
    part: PlanPart = tomlfile.check(PLAN, document, path)
    name = printable(str(path))
    if not part.sweep:
        _check_together(part, name)
    points: list[Point] = []
    for values in product(*(values for _, values in part.sweep)):
        chosen = tuple(zip((key for key, _ in part.sweep), values, strict=True))
        point = Point(chosen, *_at_point(document, part, chosen, path))
        if any(other.key == point.key for other in points):
            told = " and ".join(f"{printable(key)} = {shown(value)}" for key, value in chosen)
            raise UserError(f"{name}: sweep: the plan with {told} is there already: name each value once")
        points.append(point)
    return Plan(path, part, tuple(points))


def _at_point(
    document: Mapping[str, Any], part: PlanPart, chosen: Sequence[tuple[str, Any]], path: Path
) -> tuple[PlanPart, str]:
    """Return the plan with these values, and its key."""
    if chosen:
        changed = copy.deepcopy({name: value for name, value in document.items() if name != "sweep"})
        name = printable(str(path))
        for key, value in chosen:
            try:
                _set(changed, key, value)
            except ValueError as error:
                raise UserError(f"{name}: sweep.{printable(key)}: {error}") from None
        try:
            part = tomlfile.check(PLAN, changed, path)
            _check_together(part, name)
        except UserError as error:
            told = " and ".join(f"{printable(key)} = {shown(value)}" for key, value in chosen)
            raise UserError(f"{name}: sweep, with {told}: {str(error).removeprefix(f'{name}: ')}") from None
    part = replace(part, seed=0, seeds=1, sweep=())
    return part, hashlib.sha256(f"{model_key()} {part!r}".encode()).hexdigest()[:16]


@cache
def model_key() -> str:
    """Return what stands for the code of the model, so that no results of another one are taken for this one's."""
    package = Path(__file__).parents[1]
    sources = hashlib.sha256()
    for pattern in _MODEL:
        for path in sorted(package.glob(pattern)):
            sources.update(path.read_bytes())
    return sources.hexdigest()


def _set(document: dict[str, Any], key: str, value: Any) -> None:
    """Set a key by its path: ``air.noise``, ``station.sensor.count``, ``traffic.0.size``."""
    *tables, last = key.split(".")
    if (tables or [last])[0] in _OF_ALL_POINTS:
        raise ValueError("each point has the same; a sweep changes what is planned")
    here: Any = document
    for number, name in enumerate(tables):
        inside = ".".join(tables[:number])
        if isinstance(here, list):
            here = _named(here, name, inside)
        elif isinstance(here, dict):
            here = here.setdefault(name, {})
        else:
            raise ValueError(f"{inside} is not a table")
    if not isinstance(here, dict):
        raise ValueError(f"write {key.rpartition('.')[0]}.NAME.KEY, with one of {_names(here)}")
    here[last] = value


def _named(tables: list[Any], name: str, inside: str) -> Any:
    for table in tables:
        if isinstance(table, dict) and table.get("name") == name:
            return table
    if name.isascii() and name.isdigit() and int(name) < len(tables):
        return tables[int(name)]
    raise ValueError(f"there is no {inside} {printable(name)}; there is {_names(tables)}")


def _names(tables: Any) -> str:
    if not isinstance(tables, list):
        return "its keys"
    return ", ".join(
        str(table.get("name", number)) if isinstance(table, dict) else str(number)
        for number, table in enumerate(tables)
    )


# What one table alone cannot tell.


def _check_together(part: PlanPart, name: str) -> None:
    """Check what depends on several tables."""

    def refuse(where: str, text: str) -> UserError:
        return UserError(f"{name}: {where}: {text}")

    groups = {group.name: group for group in part.groups}
    if not groups:
        raise refuse("station", "there is none; write [[station]] with a name and where it stands")
    if not part.traffic:
        raise refuse("traffic", "there is none, and nothing happens; write [[traffic]] with from and to")
    for number, group in enumerate(part.groups):
        if group.name in [other.name for other in part.groups[:number]]:
            raise refuse(f"station[{number}].name", f"{shown(group.name)} is the name of another group, too")
        _check_places(part, number, refuse)
        _check_energy(part, number, refuse)
    names = [traffic.name for traffic in part.traffic if traffic.name]
    for number, traffic in enumerate(part.traffic):
        where = f"traffic[{number}]"
        if traffic.name and names.count(traffic.name) > 1:
            raise refuse(f"{where}.name", f"{shown(traffic.name)} is the name of another traffic, too")
        known = ", ".join(groups)
        if traffic.sender not in groups:
            raise refuse(f"{where}.from", f"there is no group {shown(traffic.sender)}; there is {known}")
        _check_causes(part, number, refuse)
        if traffic.to in (ALL, NEAREST, RANDOM):
            continue
        member = _MEMBER.fullmatch(traffic.to)
        to = groups.get(member[1] if member else traffic.to)
        if to is None:
            raise refuse(
                f"{where}.to", f'{shown(traffic.to)} is not "all", "nearest", "random" or a group; there is {known}'
            )
        if member and int(member[2]) >= to.action.count:
            raise refuse(f"{where}.to", f"{to.name} has the stations 0 to {to.action.count - 1}")
        if to.asleep:
            raise refuse(
                f"{where}.to", f"{to.name} is not awake between its messages, and would hear nothing: see its energy"
            )
        channels = {to.channel, *to.action.channels}
        sender = groups[traffic.sender]
        if not channels & {sender.channel, *sender.action.channels}:
            raise refuse(f"{where}.to", f"{to.name} is on channel {to.channel}, and {sender.name} on {sender.channel}")
    for key, given in (("path_loss_exponent", part.air.path_loss_exponent), ("range", part.air.range_m)):
        if given is not None and part.air.model != "log-distance":
            raise refuse(f"air.{key}", f"it goes with log-distance, not with {part.air.model}")
    if part.air.model == "links" and not part.air.links:
        raise refuse("air.links", "it is missing, and the model is links; it is the name of a CSV file of links")
    if part.interferers and part.air.model == "links":
        raise refuse("interferer", 'nobody hears it with model = "links", which has stations alone')
    if part.air.cw_min > part.air.cw_max:
        raise refuse("air.cw_min", f"{part.air.cw_min} is more than cw_max, {part.air.cw_max}")


def _check_causes(part: PlanPart, number: int, refuse: Any) -> None:
    """Check that what a message causes, and how it comes, goes with the rest."""
    traffic = part.traffic[number]
    where = f"traffic[{number}]"
    asleep = [group.name for group in part.groups if group.asleep]
    if traffic.answer is not None:
        if traffic.to == ALL:
            raise refuse(f"{where}.answer", 'it goes with a message to one station, and this one is to "all"')
        if traffic.sender in asleep:
            text = f"{traffic.sender} is not awake between its messages, and would not hear it: see its energy"
            raise refuse(f"{where}.answer", text)
    if traffic.flood is not None:
        if traffic.to != ALL:
            raise refuse(f"{where}.flood", f'it goes with to = "all", and this one is to {shown(traffic.to)}')
        if asleep:
            text = f"everybody sends it on, and {asleep[0]} is not awake between its messages: see its energy"
            raise refuse(f"{where}.flood", text)
    timing, burst = traffic.action, traffic.burst
    for key, given in (("burst", burst), ("flood", traffic.flood)):
        if given is not None and timing.kind is TrafficKind.SATURATED:
            raise refuse(f"{where}.{key}", "it does not go with saturated: the next message is always there")
    if burst is not None and timing.kind is TrafficKind.PERIODIC:
        whole_ms = (burst.count - 1) * burst.spacing_us / 1000
        if whole_ms >= timing.period_us / 1000:
            text = f"it takes {whole_ms:g} ms, and the next one comes {timing.period_us / 1000:g} ms after its begin"
            raise refuse(f"{where}.burst", text)


def _check_energy(part: PlanPart, number: int, refuse: Any) -> None:
    """Check that a group's chip can do what the group is to do."""
    group = part.groups[number]
    if group.energy is None:
        return
    known = chip(group.energy.chip)
    busy = 0.0
    for index, traffic in enumerate(part.traffic):
        if traffic.sender != group.name:
            continue
        if traffic.rate not in known.max_powers_dbm:
            raise refuse(
                f"traffic[{index}].rate", f"{group.name} is of {known.name}, which has no {RATES[traffic.rate].name}"
            )
        if traffic.action.kind is TrafficKind.SATURATED:
            busy = math.inf
        else:
            busy += _awake_us(group, known.boot_ms.value) / traffic.action.period_us
    if group.energy.between is State.DEEP_SLEEP and busy > 1:
        awake_ms = _awake_us(group, known.boot_ms.value) / 1000
        raise refuse(
            f"station[{number}].energy.between",
            f"deep-sleep does not go with so many messages: {known.name} takes {awake_ms:g} ms to boot and listen for "
            "each; let them come less often, or take light-sleep",
        )


def _awake_us(group: GroupPart, boot_ms: float) -> float:
    """Return how long a station is awake for each message at the least."""
    return boot_ms * 1000 + group.energy.listen_us if group.energy else 0.0


def _check_places(part: PlanPart, number: int, refuse: Any) -> None:
    """Check that a group stands and goes on the floor, and not out of this world."""
    group, corners = part.groups[number], part.groups[number].action.corners()
    for corner in corners:
        wrong = _wrong_place(part, corner)
        if wrong:
            raise refuse(f"station[{number}]", wrong)
    for index, (_, by) in enumerate(group.way):
        for corner in corners:
            wrong = _wrong_place(part, (corner[0] + by[0], corner[1] + by[1]))
            if wrong:
                raise refuse(f"station[{number}].way", f"at point {index} {wrong}")


def _wrong_place(part: PlanPart, at: Position) -> str:
    if not is_place(at):
        return f"[{at[0]:g}, {at[1]:g}] is farther away than {MOST_M:g} m"
    return "" if part.floor is None else part.floor.outside(at)

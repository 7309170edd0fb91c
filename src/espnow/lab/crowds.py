"""The crowd of a lab file: a plan's stations among the lab's boards.

Rules:

- The plan says where its stations stand, what they send, and what the air does to a signal; the lab's boards are on
  that air. The seed that draws places is the lab's.
- A board that is called as a station of the plan (``hub``, ``leaf[3]``) takes its place: it stands there, has its
  antenna, and gets what is for it. What it sends is its program's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from espnow.air import AirTiming
from espnow.air.propagation import LinkTable, Propagation
from espnow.air.scene import Place, Receiver, Traffic
from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.plan.layout import Layout, lay_out
from espnow.plan.parts import FloorPart
from espnow.plan.planfile import read

__all__ = ["CrowdPart", "read_crowd"]


@dataclass(frozen=True, slots=True)
class CrowdPart:
    """The stations of a plan that remain models.

    Attributes:
        places: where they stand.
        names: what the plan calls them.
        traffic: what they send; who is behind the last place is a board.
        asleep: those of them that hear nothing but answers.
        boards: names of these boards, in order.
        stands: where each board stands that takes a station's place, by its name.
        propagation: what the air does to a signal.
        receiver: what receivers need.
        timing: when stations transmit.
        floor: which the plan has, or None.
    """

    places: list[Place]
    names: list[str]
    traffic: list[Traffic]
    asleep: list[int]
    boards: list[str]
    stands: Mapping[str, Place]
    propagation: Propagation
    receiver: Receiver
    timing: AirTiming
    floor: FloorPart | None


def read_crowd(path: Path, seed: int, names: list[str], routers: int) -> CrowdPart:
    """Return what a plan is among boards.

    Args:
        path: of the plan file.
        seed: draws what is random in it.
        names: of all boards, in the order in which they are made; "" for one without a name.
        routers: so many stations come before the boards.

    Raises:
        UserError: a mistake in the plan: one line that names it.
    """
    plan = read(path)
    if plan.part.sweep:
        raise UserError(f"{printable(str(path))}: sweep: a lab is one run: leave it out")
    if plan.part.interferers:
        raise UserError(f"{printable(str(path))}: interferer: the air of a lab has none: leave it out")
    for group in plan.part.groups:
        if group.way:
            raise UserError(f"{printable(str(path))}: {group.where}.way: a lab's crowd stays where it is: leave it out")
    if plan.part.air.losses:
        raise UserError(f"{printable(str(path))}: air.losses: write [[air.link]] in the lab file instead")
    layout = lay_out(plan.part, seed)
    scene = layout.scene
    taken: dict[int, str] = {}
    for name in names:
        number = _station(layout, name)
        if number is None:
            continue
        if number in taken:
            both = f"{printable(taken[number])} and {printable(name)}"
            raise UserError(f"{both} are one station: one board takes its place")
        taken[number] = name
    numbers: dict[int, int] = {}
    places: list[Place] = []
    called: list[str] = []
    for number, (name, place) in enumerate(zip(layout.names(), scene.places, strict=True)):
        if number not in taken:
            numbers[number] = len(places)
            places.append(place)
            called.append(name)
    boards = list(taken.values())
    for index, number in enumerate(taken):
        numbers[number] = len(places) + index
    traffic = [
        replace(
            one,
            station=numbers[one.station],
            to=one.to if one.to < 0 else numbers[one.to],
            answer=None if one.to in taken else one.answer,  # its program answers
        )
        for one in scene.traffic
        if one.station not in taken
    ]
    on_air = {number: routers + len(names) + index for number, index in numbers.items()}
    on_air.update((number, routers + names.index(name)) for number, name in taken.items())
    propagation = scene.propagation
    if isinstance(propagation, LinkTable):
        propagation = propagation.renumbered(on_air)
    stands = {name: scene.places[number] for number, name in taken.items()}
    asleep = [numbers[number] for number in sorted(layout.asleep) if number not in taken]
    timing = AirTiming(cw_min=scene.access.cw_min, cw_max=scene.access.cw_max)
    floor = plan.part.floor
    return CrowdPart(places, called, traffic, asleep, boards, stands, propagation, scene.receiver, timing, floor)


def _station(layout: Layout, name: str) -> int | None:
    """Return the number of a plan's station by its name; None if the name is no station's.

    Raises:
        UserError: it is written as one, and there is none of that number; or it is a group's that has several.
    """
    group, _, rest = name.partition("[")
    members = layout.members.get(group)
    if members is None:
        return None
    if not rest:
        if len(members) > 1:
            last = f"{group}[{len(members) - 1}]"
            raise UserError(f"{group} are {len(members)} stations: call the board {group}[0] to {last}, or otherwise")
        return members[0]
    index = rest.removesuffix("]")
    if not rest.endswith("]") or not index.isascii() or not index.isdigit():
        return None
    if int(index) >= len(members):
        raise UserError(f"the plan has no {printable(name)}; its {group} are 0 to {len(members) - 1}")
    if str(int(index)) != index:
        raise UserError(f"{printable(name)} is no station: write {group}[{int(index)}]")
    return members[int(index)]

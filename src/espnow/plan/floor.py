"""The floor of a plan: the keys of its tables, and the files that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnow import tomlfile
from espnow.air.propagation import Wall, Walls
from espnow.errors import UserError
from espnow.plan import drawing
from espnow.plan.drawing import Drawing
from espnow.plan.parts import FloorPart
from espnow.tomlfile import Key, Kind, Table, between, read_number, read_path

__all__ = ["AREA", "FLOOR"]


def _area(value: object, _folder: Path) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError
    return read_number(value[0], 0, 1e7), read_number(value[1], 0, 1e7)


AREA = Kind("two numbers of metres, 0 or more, as in [300, 200]", _area)


def _drawing(value: object, folder: Path) -> Drawing:
    return drawing.read(read_path(value, folder))


def _walls(value: object, folder: Path) -> tuple[Wall, ...]:
    try:
        return tuple(Walls.read(read_path(value, folder)).walls)
    except UserError as error:
        raise ValueError(str(error)) from None


def _materials(value: object, _folder: Path) -> dict[str, float]:
    if not isinstance(value, dict) or not value:
        raise ValueError
    return {name: read_number(loss_db, 0, 300) for name, loss_db in value.items()}


def _floor(
    *,
    where: str,
    size: tuple[float, float] | None = None,
    drawn: Drawing | None = None,
    scale_m: float | None = None,
    materials: Mapping[str, float] | None = None,
    file_walls: tuple[Wall, ...] = (),
    walls: tuple[Wall, ...] = (),
) -> FloorPart:
    if drawn is None:
        if scale_m is not None or materials is not None:
            raise ValueError("scale and materials are a drawing's: write drawing, the name of an SVG file")
        return FloorPart(where=where, size=size, walls=(*file_walls, *walls))
    if size is not None:
        raise ValueError("size and drawing do not go together: the drawing has a size")
    if scale_m is None:
        raise ValueError("a drawing needs scale: how many metres one of its units is")
    size = (drawn.size[0] * scale_m, drawn.size[1] * scale_m)
    of_drawing = drawing.walls_of(drawn, scale_m, materials or {})
    return FloorPart(where=where, size=size, walls=(*of_drawing, *file_walls, *walls))


def _wall(**of: Any) -> Wall:
    del of["where"]
    return Wall(**of)


_WALL = Table(
    "floor.wall",
    _wall,
    (
        Key("from", tomlfile.POSITION, "one end", "begin", required=True),
        Key("to", tomlfile.POSITION, "the other", "end", required=True),
        Key(
            "loss",
            between("a number of dB from 0 to 300", 0, 300),
            "what it takes of a signal",
            "loss_db",
            required=True,
        ),
    ),
)

FLOOR = Table(
    "floor",
    _floor,
    (
        Key("size", AREA, "from [0, 0] on; without it, stations may stand anywhere"),
        Key(
            "drawing",
            Kind("the name of an SVG file", _drawing),
            "a floor plan; its lower left corner is [0, 0], and its size that of the floor",
            "drawn",
        ),
        Key(
            "scale",
            between("a number of metres from 1e-6 to 1e6", 1e-6, 1e6),
            "how many metres one unit of the drawing is",
            "scale_m",
        ),
        Key(
            "materials",
            Kind('a table of names with dB from 0 to 300, as in {brick = 8, "#0000ff" = 2}', _materials),
            "what the lines of the drawing take that have this class, label, stroke or id, or are in a group that has",
        ),
        Key(
            "walls",
            Kind("the name of a CSV file of walls, x1_m,y1_m,x2_m,y2_m,loss_db", _walls),
            "straight walls, one a line",
            "file_walls",
        ),
        Key("wall", _WALL, "straight walls, as seen from above", "walls", many=True),
    ),
)

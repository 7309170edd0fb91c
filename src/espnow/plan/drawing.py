"""Floor plans as SVG drawings: the lines in them, and what each is drawn with.

Rules:

- A drawing comes from anywhere: nothing that it names is fetched, entities are refused, and its size, its depth and the
  number of its lines are bounded. A mistake is a ValueError that says where.
- It knows lines alone: ``line``, ``rect``, ``polyline``, ``polygon`` and ``path``, with all transforms; curves become
  short straight lines. Texts, images, copies (``use``) and what is not displayed are left out, and so are style sheets:
  a stroke stands at its shape or a group around it.

Follows SVG 1.1 (W3C recommendation, 2011): coordinates and transforms chapter 7, paths 8.3, arcs appendix F.6.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from espnow.air import Position
from espnow.air.propagation import Wall
from espnow.frame.text import printable

__all__ = ["Drawing", "Shape", "parse", "read", "walls_of"]

_MOST_BYTES = 8_000_000
_MOST_DEPTH = 100
_MOST_LINES = 100_000
_MOST_CLASSES = 20
#: Every way between two stations is held against each wall.
_MOST_WALLS = 5_000

#: A curve, and each quarter of an arc, becomes so many lines.
_CURVE_LINES = 8

_CONTAINERS = ("g", "a", "switch")
_SHAPES = ("line", "rect", "polyline", "polygon", "path")

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_TRANSFORM = re.compile(r"[\s,]*([A-Za-z]+)\s*\(([^()]*)\)\s*", re.ASCII)
_NAMESPACE = "http://www.w3.org/2000/svg"
_LABEL = "http://www.inkscape.org/namespaces/inkscape label"


class _Matrix(NamedTuple):
    """A transform: x' = a x + c y + e, y' = b x + d y + f."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 1.0
    e: float = 0.0
    f: float = 0.0

    def after(self, inner: _Matrix) -> _Matrix:
        """Return the transform that does `inner` first, and then this one."""
        x, y = inner.a, inner.b
        v, w = inner.c, inner.d
        east, south = self.of((inner.e, inner.f))
        return _Matrix(
            self.a * x + self.c * y,
            self.b * x + self.d * y,
            self.a * v + self.c * w,
            self.b * v + self.d * w,
            east,
            south,
        )

    def of(self, at: Position) -> Position:
        """Return where a point comes to be."""
        return self.a * at[0] + self.c * at[1] + self.e, self.b * at[0] + self.d * at[1] + self.f


@dataclass(frozen=True, slots=True)
class Shape:
    """Lines that are drawn alike.

    Attributes:
        names: what it may be called: its classes, label, id and stroke, then those of the groups around it.
        lines: both ends of each, in the drawing's units.
    """

    names: tuple[str, ...]
    lines: tuple[tuple[Position, Position], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is in a drawing.

    Attributes:
        corner: its upper left one, in its units.
        size: width and height.
        shapes: in their order.
    """

    corner: Position
    size: tuple[float, float]
    shapes: tuple[Shape, ...]


def read(path: Path) -> Drawing:
    """Read a drawing.

    Raises:
        ValueError: it cannot be read, or is none; the text says why.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(error.strerror) from None
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
    return parse(content)


@lru_cache(maxsize=4)  # each point of a sweep reads the plan anew
def parse(content: bytes) -> Drawing:
    """Return what is in a drawing.

    Raises:
        ValueError: it is no SVG, or has what is not taken.
    """
    found = _Reader()
    try:
        found.parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(f"it is no SVG: {error}") from None
    except ValueError as error:
        raise ValueError(f"line {found.parser.CurrentLineNumber}: {error}") from None
    except LookupError:  # the name of an encoding
        raise ValueError("it is no SVG: its encoding is not known") from None
    return Drawing(found.corner, found.size, tuple(found.shapes))


def walls_of(drawing: Drawing, scale_m: float, materials: Mapping[str, float]) -> tuple[Wall, ...]:
    """Return the walls of a drawing, north up and its lower left corner at [0, 0].

    Args:
        drawing: it has them.
        scale_m: metres of one of its units.
        materials: loss in dB by what walls of it are called; a line that is called by none is no wall.

    Raises:
        ValueError: there are none of a material, or too many.
    """
    by_name = {_plain(name): (name, loss_db) for name, loss_db in materials.items()}
    (left, top), (_, height) = drawing.corner, drawing.size
    walls: list[Wall] = []
    used = set()

    def place(at: Position) -> Position:
        return (at[0] - left) * scale_m, (top + height - at[1]) * scale_m

    for shape in drawing.shapes:
        known = next((by_name[name] for name in shape.names if name in by_name), None)
        if known is not None:
            used.add(known[0])
            walls += [Wall(place(begin), place(end), known[1]) for begin, end in shape.lines]
    if missing := [name for name in materials if name not in used]:
        there = ", ".join(printable(name) for name in dict.fromkeys(shape.names[0] for shape in drawing.shapes))
        raise ValueError(f"nothing in the drawing is {printable(missing[0])}; there is {_cut(there) or 'no line'}")
    if len(walls) > _MOST_WALLS:
        raise ValueError(f"these are {len(walls):,} walls, more than {_MOST_WALLS:,}")
    return tuple(walls)


def _cut(text: str) -> str:
    return text if len(text) <= 100 else text[:97] + "..."


def _plain(name: str) -> str:
    """Return a name as it is compared: colours have six digits."""
    name = name.strip().lower()
    if re.fullmatch(r"#[0-9a-f]{3}", name):
        return "#" + "".join(2 * digit for digit in name[1:])
    return name


@dataclass(frozen=True, slots=True)
class _Level:
    """An element that is open: its transform, what it is called, and whether what is in it is taken."""

    matrix: _Matrix
    names: tuple[str, ...]
    taken: bool


class _Reader:
    """Takes the elements of a drawing as they come."""

    def __init__(self) -> None:
        self.corner: Position = (0.0, 0.0)
        self.size = (0.0, 0.0)
        self.shapes: list[Shape] = []
        self._lines = 0
        self._open: list[_Level] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.EntityDeclHandler = self._entity
        self.parser.ExternalEntityRefHandler = self._entity

    def _entity(self, *_: object) -> int:
        raise ValueError("it declares an entity, and a drawing needs none")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, tag = name.rpartition(" ")
        if not self._open:
            if tag != "svg" or namespace not in ("", _NAMESPACE):
                raise ValueError(f"it is no SVG, but begins with {printable(tag)}")
            self._measure(attributes)
            self._open.append(_Level(_Matrix(), (), taken=True))
            return
        if len(self._open) >= _MOST_DEPTH:
            raise ValueError(f"it is nested more than {_MOST_DEPTH} deep")
        above = self._open[-1]
        style = _style(attributes)
        known = namespace in ("", _NAMESPACE) and tag in (*_CONTAINERS, *_SHAPES)
        taken = above.taken and known and style.get("display") != "none" and style.get("visibility") != "hidden"
        if not taken:
            self._open.append(_Level(above.matrix, (), taken=False))
            return
        matrix = above.matrix.after(_transform(attributes.get("transform", "")))
        names = (*_names(attributes, style), *above.names)
        self._open.append(_Level(matrix, names, taken=True))
        if tag in _SHAPES:
            self._take(tag, attributes, matrix, names)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _take(self, tag: str, attributes: Mapping[str, str], matrix: _Matrix, names: tuple[str, ...]) -> None:
        lines = []
        for points in _points(tag, attributes):
            ends = [matrix.of(at) for at in points]
            if not all(abs(value) < 1e9 for at in ends for value in at):  # nor infinite, nor not a number
                raise ValueError(f"a {tag} is farther away than 1e9")
            lines += [(begin, end) for begin, end in pairwise(ends) if begin != end]
            if self._lines + len(lines) > _MOST_LINES:
                raise ValueError(f"it has more than {_MOST_LINES:,} lines")
        self._lines += len(lines)
        if lines:
            self.shapes.append(Shape(names or ("without stroke",), tuple(lines)))

    def _measure(self, attributes: Mapping[str, str]) -> None:
        box = _numbers(attributes.get("viewBox", ""))
        if not box:
            sides = [_NUMBER.match(attributes.get(name, "")) for name in ("width", "height")]
            box = [0.0, 0.0, *(float(side[0]) for side in sides if side)]
        if len(box) != 4 or not (0 < box[2] < 1e9 and 0 < box[3] < 1e9 and abs(box[0]) < 1e9 and abs(box[1]) < 1e9):
            raise ValueError("it has no size: its viewBox is four numbers, the last two above 0")
        self.corner, self.size = (box[0], box[1]), (box[2], box[3])


def _style(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return the properties of an element; those of ``style`` win over those of their own."""
    found = {name: attributes[name].strip() for name in ("stroke", "display", "visibility") if name in attributes}
    for part in attributes.get("style", "").split(";"):
        name, _, value = part.partition(":")
        found[name.strip()] = value.strip()
    return found


def _names(attributes: Mapping[str, str], style: Mapping[str, str]) -> list[str]:
    classes = attributes.get("class", "").split(None, _MOST_CLASSES)[:_MOST_CLASSES]
    named = [*classes, attributes.get(_LABEL, ""), style.get("stroke", "")]
    return [_plain(name) for name in [*named, attributes.get("id", "")] if name and name != "none"]


def _numbers(text: str) -> list[float]:
    """Return the numbers of a list.

    Raises:
        ValueError: there is something else in it.
    """
    if _NUMBER.sub("", text).strip(", \t\r\n"):
        raise ValueError(f"{printable(text[:40])} is no list of numbers")
    return [float(number) for number in _NUMBER.findall(text)]


def _length(attributes: Mapping[str, str], name: str) -> float:
    text = attributes.get(name, "0").strip().removesuffix("px")
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{name} is {printable(text[:40])}, and must be a number without a unit")
    return float(text)


def _transform(text: str) -> _Matrix:
    """Return what ``transform`` says."""
    text = text.strip()
    found, at = _Matrix(), 0
    while at < len(text):
        match = _TRANSFORM.match(text, at)
        one = None if match is None else _one_transform(match[1], _numbers(match[2]))
        if match is None or one is None:
            raise ValueError(f"{printable(text[:40])} is no transform")
        found, at = found.after(one), match.end()
    return found


def _one_transform(name: str, values: Sequence[float]) -> _Matrix | None:
    count = len(values)
    if name == "matrix" and count == 6:
        return _Matrix(*values)
    if name == "translate" and count in (1, 2):
        return _Matrix(e=values[0], f=values[1] if count == 2 else 0.0)
    if name == "scale" and count in (1, 2):
        return _Matrix(a=values[0], d=values[-1])
    if name in ("skewX", "skewY") and count == 1:
        slope = math.tan(math.radians(values[0]))
        return _Matrix(c=slope) if name == "skewX" else _Matrix(b=slope)
    if name == "rotate" and count in (1, 3):
        cosine, sine = math.cos(math.radians(values[0])), math.sin(math.radians(values[0]))
        x, y = values[1:] or (0.0, 0.0)
        turned = _Matrix(cosine, sine, -sine, cosine)
        return _Matrix(e=x, f=y).after(turned).after(_Matrix(e=-x, f=-y))
    return None


def _points(tag: str, attributes: Mapping[str, str]) -> Iterator[list[Position]]:
    """Return the corners of a shape, for each line without a gap."""
    if tag == "line":
        x1, y1, x2, y2 = (_length(attributes, name) for name in ("x1", "y1", "x2", "y2"))
        yield [(x1, y1), (x2, y2)]
    elif tag == "rect":
        x, y, width, height = (_length(attributes, name) for name in ("x", "y", "width", "height"))
        yield [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    elif tag == "path":
        yield from _Path(attributes.get("d", "")).lines()
    else:
        values = _numbers(attributes.get("points", ""))
        corners = list(zip(values[::2], values[1::2], strict=False))
        yield [*corners, *(corners[:1] if tag == "polygon" else [])]


class _Path:
    """The commands of a path, one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._here: Position = (0.0, 0.0)
        #: The control point of the curve before, for those that go on smoothly, and its command.
        self._control: Position = (0.0, 0.0)
        self._before = ""

    def lines(self) -> Iterator[list[Position]]:
        """Return the corners of each line without a gap."""
        line: list[Position] = []
        command = ""
        while self._skip():
            letter = self._text[self._at]
            if letter.isalpha():
                command = letter
                self._at += 1
            elif command in ("", "Z", "z"):
                raise ValueError(f"{printable(self._text[self._at : self._at + 20])} is no command of a path")
            if command in ("M", "m"):
                if len(line) > 1:
                    yield line
                self._here = self._point(relative=command == "m")
                line = [self._here]
                command = "L" if command == "M" else "l"  # further points are lines
            elif not line:
                raise ValueError("a path begins with M")
            elif command in ("Z", "z"):
                line.append(line[0])
                yield line
                self._here = line[0]
                line = [self._here]
            else:
                line += self._step(command.upper(), relative=command.islower())
                self._here = line[-1]
            self._before = command.upper()
        if len(line) > 1:
            yield line

    def _step(self, command: str, *, relative: bool) -> list[Position]:
        x, y = self._here
        if command == "L":
            return [self._point(relative=relative)]
        if command == "H":
            return [(self._number() + (x if relative else 0.0), y)]
        if command == "V":
            return [(x, self._number() + (y if relative else 0.0))]
        if command == "A":
            return self._arc(relative=relative)
        if command in ("C", "S"):
            first = self._point(relative=relative) if command == "C" else self._mirrored("CS")
            self._control = self._point(relative=relative)
            return _curve(self._here, first, self._control, self._point(relative=relative))
        if command in ("Q", "T"):
            self._control = self._point(relative=relative) if command == "Q" else self._mirrored("QT")
            end = self._point(relative=relative)
            # The cubic curve that is the same.
            first, second = (
                (at[0] + 2 / 3 * (self._control[0] - at[0]), at[1] + 2 / 3 * (self._control[1] - at[1]))
                for at in (self._here, end)
            )
            return _curve(self._here, first, second, end)
        raise ValueError(f"{printable(command)} is no command of a path")

    def _mirrored(self, same: str) -> Position:
        if self._before not in same:
            return self._here
        return 2 * self._here[0] - self._control[0], 2 * self._here[1] - self._control[1]

    def _arc(self, *, relative: bool) -> list[Position]:
        rx, ry, turn = abs(self._number()), abs(self._number()), math.radians(self._number())
        large, sweep = self._flag(), self._flag()
        end = self._point(relative=relative)
        return _arc(self._here, end, (rx, ry), turn, large=large, sweep=sweep)

    def _skip(self) -> bool:
        while self._at < len(self._text) and self._text[self._at] in ", \t\r\n":
            self._at += 1
        return self._at < len(self._text)

    def _number(self) -> float:
        self._skip()
        match = _NUMBER.match(self._text, self._at)
        if match is None:
            told = printable(self._text[self._at : self._at + 20]) or "its end"
            raise ValueError(f"a path has {told} where a number must be")
        self._at = match.end()
        return float(match[0])

    def _flag(self) -> bool:
        """Return one digit: what follows may be next to it."""
        if not self._skip() or self._text[self._at] not in "01":
            raise ValueError("an arc has two flags, each 0 or 1")
        self._at += 1
        return self._text[self._at - 1] == "1"

    def _point(self, *, relative: bool) -> Position:
        x, y = self._number(), self._number()
        return (self._here[0] + x, self._here[1] + y) if relative else (x, y)


def _curve(begin: Position, first: Position, second: Position, end: Position) -> list[Position]:
    """Return points of a cubic Bezier curve, without its begin."""
    found = []
    for number in range(1, _CURVE_LINES):
        t = number / _CURVE_LINES
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        corners = (begin, first, second, end)
        x, y = (sum(weight * at[axis] for weight, at in zip(weights, corners, strict=True)) for axis in (0, 1))
        found.append((x, y))
    return [*found, end]


def _arc(
    begin: Position, end: Position, radii: tuple[float, float], turn: float, *, large: bool, sweep: bool
) -> list[Position]:
    """Return points of an elliptical arc, without its begin (F.6.5 and F.6.6)."""
    rx, ry = radii
    if rx == 0 or ry == 0 or begin == end:
        return [end]
    cosine, sine = math.cos(turn), math.sin(turn)
    half_x, half_y = (begin[0] - end[0]) / 2, (begin[1] - end[1]) / 2
    x, y = cosine * half_x + sine * half_y, cosine * half_y - sine * half_x
    grown = math.sqrt((x / rx) ** 2 + (y / ry) ** 2)
    if grown > 1:
        rx, ry = rx * grown, ry * grown
    inside = max(0.0, 1 / ((x / rx) ** 2 + (y / ry) ** 2) - 1)
    root = math.sqrt(inside) * (-1 if large == sweep else 1)
    cx, cy = root * rx * y / ry, -root * ry * x / rx
    first, last = (math.atan2((sign * y - cy) / ry, (sign * x - cx) / rx) for sign in (1, -1))
    angle = (last - first) % (2 * math.pi) if sweep else -((first - last) % (2 * math.pi))
    count = max(1, math.ceil(abs(angle) / (math.pi / 2) * _CURVE_LINES))
    middle = (begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2
    found = []
    for number in range(1, count):
        at = first + angle * number / count
        x, y = cx + rx * math.cos(at), cy + ry * math.sin(at)
        found.append((cosine * x - sine * y + middle[0], sine * x + cosine * y + middle[1]))
    return [*found, end]

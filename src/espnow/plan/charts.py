"""Plots as SVG text: lines with confidence intervals, and a map. No library and no script: a report is one file.

Colours come from the page, as classes, so that they follow its light or dark scheme; only the map's are here.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Line", "bars", "colour", "lines", "station_map"]

_WIDTH, _HEIGHT = 460, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 44
_SERIES = 8

#: From a figure to a place in the picture.
_Scale = Callable[[float], float]

# From none to all delivered; told apart also by those who see few colours (five steps of viridis).
_SCALE = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot.

    Attributes:
        name: for the legend.
        points: x, y, and half the interval of y or None.
    """

    name: str
    points: Sequence[tuple[float, float, float | None]]


def lines(title: str, x_title: str, of: Sequence[Line], names: Sequence[str] | None = None) -> str:
    """Return a plot.

    Args:
        title: of the y axis.
        x_title: of the x axis.
        of: what is drawn.
        names: x is the number of one of these, which stand at the axis.
    """
    xs = [x for line in of for x, _, _ in line.points]
    tops = [y + (half or 0.0) for line in of for _, y, half in line.points]
    if not xs:
        return ""
    low, high = min(xs), max(xs)
    if names is not None:
        low, high = -0.3, len(names) - 0.7
    elif low == high:
        low, high = low - 1, high + 1
    # The axis begins at 0, so that a small difference does not look like a large one.
    y_ticks = _ticks(0.0, max(*tops, 1e-9))
    top = y_ticks[-1]

    def across(x: float) -> float:
        return _LEFT + (x - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def up(y: float) -> float:
        return _HEIGHT - _BOTTOM - min(max(y, 0.0), top) / top * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 16 * _legend_rows(of)}" role="img" aria-label="{_text(title)}">']
    for y in y_ticks:
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>')
        parts.append(f'<text class="y" x="{_LEFT - 6}" y="{up(y) + 4:.1f}">{y:g}</text>')
    at_axis = (
        [(x, f"{x:g}") for x in _ticks(low, high) if low <= x <= high]
        if names is None
        else [(float(number), name) for number, name in enumerate(names)]
    )
    for x, name in at_axis:
        parts.append(f'<text class="x" x="{across(x):.1f}" y="{_HEIGHT - _BOTTOM + 16}">{_text(name)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text class="x title" x="{middle}" y="{_HEIGHT - 8}">{_text(x_title)}</text>')
    for number, line in enumerate(of):
        parts += _drawn(line, number, across, up)
    if len(of) > 1:
        parts += _legend([line.name for line in of], _HEIGHT + 10)
    parts.append("</svg>")
    return "".join(parts)


def _drawn(line: Line, number: int, across: _Scale, up: _Scale) -> list[str]:
    style = f"s{number % _SERIES}"
    points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y, _ in line.points)
    parts = [f'<polyline class="{style}" points="{points}"/>'] if len(line.points) > 1 else []
    for x, y, half in line.points:
        at = f"{across(x):.1f}"
        told = f"{line.name}: {y:.4g}" + ("" if half is None else f" ± {half:.2g}")
        if half:
            parts.append(f'<line class="{style}" x1="{at}" x2="{at}" y1="{up(y - half):.1f}" y2="{up(y + half):.1f}"/>')
        parts.append(f'<circle class="{style}" cx="{at}" cy="{up(y):.1f}" r="3"><title>{_text(told)}</title></circle>')
    return parts


def _legend_rows(of: Sequence[Line]) -> int:
    return (len(of) + 1) // 2 if len(of) > 1 else 0


def bars(title: str, parts: Sequence[str], of: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Return bars of one length that are divided.

    Args:
        title: what they show.
        parts: what each is divided into, for the legend.
        of: for each bar its name, and the shares of its parts, together 1.
    """
    step, left, width = 22, 150, _WIDTH - 150 - _RIGHT
    legend = step * len(of) + 18
    rows = (len(parts) + 1) // 2
    drawn = [f'<svg viewBox="0 0 {_WIDTH} {legend + 16 * rows}" role="img" aria-label="{_text(title)}">']
    for row, (name, shares) in enumerate(of):
        x = float(left)
        drawn.append(f'<text class="y" x="{left - 6}" y="{step * row + 15}">{_text(_cut(name))}</text>')
        for number, share in enumerate(shares):
            told = f"<title>{_text(name)}, {_text(parts[number])}: {share:.1%}</title>"
            if share > 0:
                place = f'x="{x:.1f}" y="{step * row + 2}" width="{share * width:.1f}" height="{step - 4}"'
                drawn.append(f'<rect class="s{number % _SERIES} key" {place}>{told}</rect>')
            x += share * width
    drawn += _legend(parts, legend)
    drawn.append("</svg>")
    return "".join(drawn)


def _cut(name: str) -> str:
    return name if len(name) <= 24 else name[:21] + "..."


def _legend(names: Sequence[str], top: int) -> list[str]:
    """Return what a colour stands for, in two columns."""
    drawn = []
    for number, name in enumerate(names):
        x, y = _LEFT + number % 2 * 200, top + number // 2 * 16
        drawn.append(f'<rect class="s{number % _SERIES} key" x="{x}" y="{y - 9}" width="10" height="10"/>')
        drawn.append(f'<text x="{x + 15}" y="{y}">{_text(name)}</text>')
    return drawn


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers that cover a range."""
    rough = (high - low) / 5
    step = 10 ** math.floor(math.log10(rough))
    step *= next(each for each in (1, 2, 5, 10) if each * step >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def station_map(
    stations: Sequence[Sequence[float | None]],
    links: Sequence[tuple[int, int]] = (),
    walls: Sequence[tuple[tuple[float, float], tuple[float, float], float]] = (),
    floor: tuple[float, float] | None = None,
    *,
    names: Sequence[str],
) -> str:
    """Return a map of stations, coloured by the delivery of what they send.

    Args:
        stations: metres east and north, and the delivery or None.
        links: numbers of stations between which a line is drawn.
        walls: both ends of each, and what it takes in dB.
        floor: its width and height, from [0, 0] on.
        names: of the stations.
    """
    east = [float(station[0] or 0) for station in stations]
    north = [float(station[1] or 0) for station in stations]
    corners = [(0.0, 0.0), floor] if floor else []
    corners += [end for wall in walls for end in wall[:2]]
    west, south = min([*east, *(x for x, _ in corners)]), min([*north, *(y for _, y in corners)])
    width = max(max([*east, *(x for x, _ in corners)]) - west, 1.0)
    height = max(max([*north, *(y for _, y in corners)]) - south, 1.0)
    unit = max(width, height)
    radius = unit / max(60.0, 2.2 * math.sqrt(len(stations)))
    edge = unit / 20
    box = f"{-edge:.2f} {-edge:.2f} {width + 2 * edge:.2f} {height + 2 * edge:.2f}"
    parts = [f'<svg class="map" viewBox="{box}" role="img" aria-label="map">']

    def place(x: float, y: float) -> tuple[str, str]:
        return f"{x - west:.2f}", f"{height - (y - south):.2f}"

    if floor:
        cx, cy = place(0.0, floor[1])
        parts.append(f'<rect class="floor" x="{cx}" y="{cy}" width="{floor[0]:.2f}" height="{floor[1]:.2f}"/>')
    for one, other in links:
        (x1, y1), (x2, y2) = place(east[one], north[one]), place(east[other], north[other])
        parts.append(f'<line class="link" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
    for begin, end, loss_db in walls:
        (x1, y1), (x2, y2) = place(*begin), place(*end)
        told = f"<title>{loss_db:g} dB</title>"
        parts.append(f'<line class="wall" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}">{told}</line>')
    for name, x, y, station in zip(names, east, north, stations, strict=False):
        delivery = station[2]
        told = f"{_text(name)} at [{x:g}, {y:g}]" + ("" if delivery is None else f": {delivery:.1%} delivered")
        look = 'class="silent"' if delivery is None else f'fill="{colour(delivery)}"'
        cx, cy = place(x, y)
        parts.append(f'<circle {look} cx="{cx}" cy="{cy}" r="{radius:.2f}"><title>{told}</title></circle>')
    parts.append("</svg>")
    return "".join(parts)


def colour(share: float) -> str:
    """Return the colour of a share, 0 to 1."""
    place = min(max(share, 0.0), 1.0) * (len(_SCALE) - 1)
    below = min(int(place), len(_SCALE) - 2)
    mixed = (round(a + (b - a) * (place - below)) for a, b in zip(_SCALE[below], _SCALE[below + 1], strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _text(text: str) -> str:
    return html.escape(text)

"""A report of a plan's results: one HTML file, with tables, plots and a map, that needs nothing from elsewhere."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.plan.charts import Line, bars, colour, lines, station_map
from espnow.plan.layout import Layout, hearing, lay_out
from espnow.plan.planfile import Plan
from espnow.plan.results import ENERGY, METRICS, Metric, Row, value_text
from espnow.times import parse_time_us

__all__ = ["render", "write"]

_PLOTTED = (
    *("delivery", "latency_ms", "latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "load", "retries", "fairness"),
    *("current_ma", "battery_days"),
)
#: So many bars of where the charge goes are drawn at most.
_MOST_BARS = 60
#: A report has so many maps at most; each may have thousands of stations.
_MOST_MAPS = 12
#: Who hears whom is drawn for so many stations and pairs at most; more are one blot.
_MOST_LINKED = 300
_MOST_LINKS = 1500

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --faint: #ddd; --paper: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --faint: #444; --paper: #181818 } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse } th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap }
th { border-bottom: 1px solid var(--ink) } td { border-bottom: 1px solid var(--faint) }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1.5rem }
figure { margin: 0 } figcaption { font-weight: 600; margin-bottom: .3rem } svg { width: 100%; height: auto }
svg text { font-size: 11px; fill: var(--ink) } svg .x { text-anchor: middle } svg .y { text-anchor: end }
svg .grid { stroke: var(--faint) } svg polyline { fill: none; stroke-width: 1.8 } svg .key { stroke: none }
svg line { vector-effect: non-scaling-stroke }
svg .link { stroke: var(--ink); opacity: .25 }
svg .wall { stroke: var(--ink); stroke-width: 3 }
svg .floor { fill: none; stroke: var(--faint); vector-effect: non-scaling-stroke }
svg.map { max-height: 28rem; border: 1px solid var(--faint) } svg .silent { fill: #999 }
pre { background: color-mix(in srgb, var(--faint) 40%, transparent); padding: .8rem; overflow-x: auto }
.bar { display: inline-block; width: 1.2rem; height: .8rem } .dim { opacity: .75 }
"""

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#777777")


def write(
    path: Path, plan: Plan, records: Sequence[Mapping[str, Any]], rows: Sequence[Row], energy: Sequence[Row] = ()
) -> None:
    """Write the report.

    Raises:
        UserError: it cannot be written.
    """
    try:
        path.write_text(render(plan, records, rows, energy), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{printable(str(path))}: {error.strerror}") from None


def render(plan: Plan, records: Sequence[Mapping[str, Any]], rows: Sequence[Row], energy: Sequence[Row] = ()) -> str:
    """Return the report.

    Args:
        plan: what was run.
        records: of its runs, in its order.
        rows: their summary.
        energy: that of the groups whose chip is known.
    """
    name = _text(plan.path.stem)
    series = "".join(
        f"svg .s{number} {{ stroke: {value}; fill: {value} }} svg polyline.s{number} {{ fill: none }}\n"
        for number, value in enumerate(_COLOURS)
    )
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{name}</title><style>{_STYLE}{series}</style></head><body>",
            f"<h1>{name}</h1>",
            _counts(plan, records),
            "<h2>Results</h2>",
            _table(rows, METRICS, "traffic"),
            *_plots("Plots", _drawn(rows, METRICS)),
            *_energy(energy),
            *_maps(plan, records),
            "<h2>What the figures mean</h2><ul>",
            *(f"<li>{_text(metric.title)}: {_text(metric.meaning)}</li>" for metric in METRICS),
            *(f"<li>{_text(metric.title)}: {_text(metric.meaning)}</li>" for metric in ENERGY if energy),
            "</ul><h2>The plan</h2>",
            f"<pre>{_text(_source(plan.path))}</pre>",
            "</body></html>\n",
        ]
    )


def _counts(plan: Plan, records: Sequence[Mapping[str, Any]]) -> str:
    told = f"{len(records)} runs, {len(plan.points)} points. Means over the seeds"
    return f'<p class="dim">{told}; ± is half of the 95 % interval (Student\'s t).</p>'


def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # it was there when the plan was read
        return ""


def _table(rows: Sequence[Row], metrics: Sequence[Metric], named: str) -> str:
    head = [*(key for key, _ in rows[0].values), named, "runs", *(_title(metric) for metric in metrics)]
    parts = ['<div class="scroll"><table><tr>', *(f"<th>{_text(cell)}</th>" for cell in head), "</tr>"]
    for row in rows:
        cells = [*(value_text(value) for _, value in row.values), row.name, str(row.runs)]
        for metric in metrics:
            found = row.figures[metric.name]
            if found is None:
                cells.append("-")
                continue
            mean = f"{found.mean * metric.scale:.{metric.digits}f}"
            cells.append(mean if found.half is None else f"{mean} ± {found.half * metric.scale:.{metric.digits}f}")
        parts += ["<tr>", *(f"<td>{_text(cell)}</td>" for cell in cells), "</tr>"]
    return "".join([*parts, "</table></div>"])


def _title(metric: Metric) -> str:
    return f"{metric.title}, {metric.unit}" if metric.unit else metric.title


def _plots(head: str, figures: Sequence[str]) -> list[str]:
    return [f'<h2>{head}</h2><div class="plots">', *figures, "</div>"] if figures else []


def _drawn(rows: Sequence[Row], metrics: Sequence[Metric], of_whom: str = "") -> list[str]:
    """Return a plot of each figure over the first key of the sweep; a line for each name and other value.

    Without a sweep each name has its place on the axis.
    """
    names: list[str] | None = None
    if rows[0].values:
        x_title = rows[0].values[0][0]
        values = [row.values[0][1] for row in rows]
        places = [_number(value) for value in values]
        if None in places:
            names = list(dict.fromkeys(str(value) for value in values))
            places = [float(names.index(str(value))) for value in values]
        elif any(isinstance(value, str) for value in values):
            x_title += ", s"
    else:
        x_title, names = "", [row.name for row in rows]
        places = [float(number) for number, _ in enumerate(rows)]
    several = len({row.name for row in rows}) > 1
    found = []
    for metric in metrics:
        if metric.name not in _PLOTTED:
            continue
        of: dict[str, list[tuple[float, float, float | None]]] = defaultdict(list)
        for row, x in zip(rows, places, strict=True):
            figure = row.figures[metric.name]
            if figure is not None and x is not None:
                half = None if figure.half is None else figure.half * metric.scale
                of[_series(row, several=several)].append((x, figure.mean * metric.scale, half))
        drawn = lines(metric.meaning, x_title, [Line(name, sorted(points)) for name, points in of.items()], names)
        if drawn:
            told = f"{of_whom}{_title(metric)}: {metric.meaning}"
            found.append(f"<figure><figcaption>{_text(told)}</figcaption>{drawn}</figure>")
    return found


def _energy(rows: Sequence[Row]) -> list[str]:
    """Return tables and plots of what stations take from their supply; nothing where no chip is known."""
    if not rows:
        return []
    shares = [metric for metric in ENERGY if metric.name.endswith("_share")]
    of = [(_bar_name(row), [figure.mean for metric in shares if (figure := row.figures[metric.name])]) for row in rows]
    drawn = bars("where the charge goes", [metric.title for metric in shares], of[:_MOST_BARS])
    return [
        "<h2>Energy</h2>",
        _table(rows, ENERGY, "group"),
        *_plots("What a station draws, and how long its battery lasts", _drawn_energy(rows)),
        f"<figure><figcaption>Where the charge goes</figcaption>{drawn}</figure>",
    ]


def _drawn_energy(rows: Sequence[Row]) -> list[str]:
    """Return plots of each group by itself: who listens all the time draws a thousand times as much as who sleeps."""
    if not rows[0].values:
        return _drawn(rows, ENERGY)
    groups = dict.fromkeys(row.name for row in rows)
    return [
        figure for name in groups for figure in _drawn([row for row in rows if row.name == name], ENERGY, f"{name}, ")
    ]


def _bar_name(row: Row) -> str:
    return ", ".join([row.name, *(f"{key.rpartition('.')[2]} {value_text(value)}" for key, value in row.values)])


def _series(row: Row, *, several: bool) -> str:
    others = [f"{key.rpartition('.')[2]} {value_text(value)}" for key, value in row.values[1:]]
    return ", ".join([*([row.name] if several or not others else []), *others])


def _number(value: object) -> float | None:
    """Return a value as a number, seconds for a time; None if it is neither."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return parse_time_us(str(value)) / 1e6
    except ValueError:
        return None


def _who_hears_whom(layout: Layout) -> tuple[list[tuple[int, int]], str]:
    """Return the lines of a map, and what its caption says of them."""
    if len(layout.scene.places) > _MOST_LINKED:
        return [], ""
    found = hearing(layout.scene, layout.asleep)
    told = f", {len(found)} pairs hear each other"
    return (found, told) if len(found) <= _MOST_LINKS else ([], f"{told}, too many to draw")


def _maps(plan: Plan, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a map of the first run of each point."""
    first: dict[str, Mapping[str, Any]] = {}
    for record in records:
        if record["map"]:
            first.setdefault(record["run"].rpartition("-")[0], record)
    if not first:
        return []
    parts = {point.key: point.part for point in plan.points}
    steps = "".join(f'<span class="bar" style="background:{colour(share / 10)}"></span>' for share in range(11))
    colours = f"Each station by the delivery of what it sends, with the first seed: 0 % {steps} 100 %"
    lines_told = "A line: at least one of the two hears the other. Point at a station for its figures"
    found = [f'<h2>Maps</h2><p>{colours}; grey: it sends nothing. {lines_told}.</p><div class="plots">']
    for record in list(first.values())[:_MOST_MAPS]:
        told = ", ".join(f"{key} = {value}" for key, value in record["point"].items())
        part = parts[record["run"].rpartition("-")[0]]
        layout = lay_out(part, record["seed"])
        links, of_links = _who_hears_whom(layout)
        walls, floor = (part.floor.walls, part.floor.size) if part.floor else ((), None)
        caption = f"{told or 'all stations'} (seed {record['seed']}{of_links})"
        drawn = station_map(record["map"], links, walls, floor, names=layout.names())
        found.append(f"<figure><figcaption>{_text(caption)}</figcaption>{drawn}</figure>")
    found.append("</div>")
    if len(first) > _MOST_MAPS:
        found.append(f"<p>The maps of {len(first) - _MOST_MAPS} more points are left out; runs.jsonl has them.</p>")
    return found


def _text(text: str) -> str:
    return html.escape(printable(text) if "\n" not in text else text)

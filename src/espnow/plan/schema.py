"""The keys of a plan file, as one table each, and what their values may be."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from espnow import tomlfile
from espnow.air.changes import LEAST_REPEAT_US
from espnow.air.chips import CHIPS
from espnow.air.energy import Battery, State
from espnow.air.interference import Interferer
from espnow.air.scene import Answer, Burst, Flood, TrafficKind
from espnow.frame import RATE_NAMES
from espnow.frame.text import printable
from espnow.plan.changes import LOSSES, WAY
from espnow.plan.floor import AREA, FLOOR
from espnow.plan.parts import (
    AirPart,
    CsvPlacement,
    EnergyPart,
    GridPlacement,
    GroupPart,
    PlanPart,
    RandomPlacement,
    Site,
    SpotPlacement,
    Timing,
    TrafficPart,
)
from espnow.tomlfile import Key, Kind, Table, between, read_number, read_path, read_text, read_whole, shown, whole

__all__ = ["PLAN"]

#: More points than this are a mistake in a step.
_MOST_POINTS = 10_000
_MOST_STATIONS = 200_000

_COLUMNS = ("x", "y", "power", "channel", "group")

_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)", re.ASCII)

_COUNT = whole(f"a whole number from 1 to {_MOST_STATIONS}", 1, _MOST_STATIONS)
_POWER = between("a number of dBm from -20 to 36", -20, 36)
_DBM = between("a number of dBm from -150 to 0", -150, 0)
_SLOTS = whole("a whole number of slots from 0 to 65535", 0, 65535)


def _group_name(value: object, folder: Path) -> str:
    name = read_text(value, folder)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name in ("all", "nearest", "random"):
        raise ValueError
    return name


def _rate(value: object, folder: Path) -> int:
    name = read_text(value, folder).upper().removesuffix("_L").removesuffix("_LGI")
    if name not in RATE_NAMES:
        raise ValueError
    return RATE_NAMES[name]


def _true(value: object, _folder: Path) -> bool:
    if value is not True:
        raise ValueError
    return True


def _sites(value: object, folder: Path) -> tuple[Site, ...]:
    """Read a CSV file of stations; the columns are named in its first line, or are in the usual order."""
    rows = _read_csv(read_path(value, folder))
    names: list[str] = list(_COLUMNS)
    if rows and not re.match(r"\s*[-+.\d]", rows[0][1][0]):
        names = [cell.strip().lower() for cell in rows.pop(0)[1]]
        unknown = [name for name in names if name not in _COLUMNS]
        if unknown or not {"x", "y"} <= set(names) or len(set(names)) < len(names):
            raise ValueError(f"its columns are {shown(', '.join(names))}: write x,y[,power,channel,group]")
    if not rows:
        raise ValueError("it has no station")
    return tuple(_site(line, dict(zip(names, (cell.strip() for cell in row), strict=False))) for line, row in rows)


def _site(line: int, cells: Mapping[str, str]) -> Site:
    try:
        power, channel = cells.get("power"), cells.get("channel")
        return Site(
            (read_number(float(cells["x"])), read_number(float(cells["y"]))),
            _POWER.read(float(power), Path()) if power else None,
            read_whole(int(channel), 1, 14) if channel else None,
            cells.get("group") or None,
        )
    except (ValueError, KeyError):
        told = shown(",".join(cells.values()))
        raise ValueError(
            f"line {line} is {told}: x and y are numbers, power is {_POWER.allowed}, channel {tomlfile.CHANNEL.allowed}"
        ) from None


def _links(value: object, folder: Path) -> tuple[tuple[str, str, float], ...]:
    """Read a CSV file of losses."""
    names, *rows = _read_csv(read_path(value, folder)) or [(1, [])]
    columns = [cell.strip().lower() for cell in names[1]]
    wanted = ("from", "to", "loss_db")
    if not set(wanted) <= set(columns) or any(columns.count(name) > 1 for name in wanted):
        raise ValueError(f"its columns are {shown(', '.join(columns))}: write from,to,loss_db")
    found: dict[tuple[str, str], float] = {}
    for line, row in rows:
        try:
            one, other, loss = (row[columns.index(name)].strip() for name in wanted)
            if one == other or (one, other) in found:
                raise ValueError
            found[one, other] = read_number(float(loss), 0, 300)
        except (ValueError, IndexError):
            told = shown(",".join(row))
            raise ValueError(
                f"line {line} is {told}: write two stations, once in this direction, and dB from 0 to 300"
            ) from None
    return tuple((one, other, loss_db) for (one, other), loss_db in found.items())


def _read_csv(path: Path) -> list[tuple[int, list[str]]]:
    """Return the lines of a CSV file that are not empty, with their numbers."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [(line, row) for line, row in enumerate(csv.reader(file), 1) if any(cell.strip() for cell in row)]
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise ValueError(getattr(error, "strerror", None) or "it is no CSV file") from None


def _sweep(value: object, _folder: Path) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    if not isinstance(value, dict):
        raise ValueError
    found = tuple(_swept("", value))
    points = 1
    for _, values in found:
        points *= len(values)
    if points > _MOST_POINTS:
        raise ValueError(f"these are {points:,} points, more than {_MOST_POINTS:,}")
    return found


def _swept(path: str, table: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Return the keys of nested tables with their values: TOML makes tables of a key with dots."""
    for name, value in table.items():
        inside = f"{path}.{name}" if path else name
        if isinstance(value, dict) and not _is_range(value):
            yield from _swept(inside, value)
        elif isinstance(value, dict):
            yield inside, _range(inside, value)
        elif isinstance(value, list) and value:
            yield inside, tuple(value)
        else:
            raise ValueError(f"{printable(inside)} is {shown(value)}: write a list, or {{from = 1, to = 9, step = 2}}")


def _is_range(table: Mapping[str, Any]) -> bool:
    simple = all(isinstance(value, (int, float, str)) for value in table.values())
    return bool(table) and simple and set(table) <= {"from", "to", "step"}


def _range(path: str, table: Mapping[str, Any]) -> tuple[Any, ...]:
    try:
        first, last, step = (table[name] for name in ("from", "to", "step"))
        unit = ""
        if isinstance(first, str):
            parts = [_QUANTITY.fullmatch(str(value).strip()) for value in (first, last, step)]
            units = {part[2] for part in parts if part}
            if None in parts or len(units) != 1:
                raise ValueError
            first, last, step = (_plain(float(part[1])) for part in parts if part)
            (unit,) = units
        first, last, step = (_plain(read_number(value)) for value in (first, last, step))
        if step == 0 or (last - first) / step < 0:
            raise ValueError
        steps = int((last - first) / step + 1e-9)
    except (KeyError, ValueError):
        told = f"{printable(path)} is {shown(dict(table))}"
        raise ValueError(
            f"{told}: from, to and step are numbers, or times of one unit, and lead from one to the other"
        ) from None
    if steps >= _MOST_POINTS:
        raise ValueError(f"{printable(path)} has {steps + 1:,} values, more than {_MOST_POINTS:,}")
    values = [_plain(round(first + number * step, 9)) for number in range(steps + 1)]
    return tuple(f"{value}{unit}" if unit else value for value in values)


def _plain(number: float) -> int | float:
    return int(number) if number == int(number) else number


def _group(*, where: str, name: str, action: Any, **more: Any) -> GroupPart:
    if more.get("repeats") and "way" not in more:
        raise ValueError("repeats: there is no way that it could go again")
    way = more.get("way", ())
    if more.get("repeats") and len(way) > 1 and way[-1][0] - way[0][0] < LEAST_REPEAT_US:
        raise ValueError(f"way: one that repeats takes {LEAST_REPEAT_US / 1000:g} ms or more")
    if isinstance(action, CsvPlacement) and any(site.group for site in action.rows):
        names = dict.fromkeys(site.group for site in action.rows if site.group)
        action = CsvPlacement(rows=tuple(site for site in action.rows if site.group == name))
        if not action.rows:
            raise ValueError(f"no station of the CSV file is of the group {name}; it has {shown(', '.join(names))}")
    return GroupPart(where=where, name=name, action=action, **more)


def _energy(
    *, battery_mah: float | None = None, usable: float = 1.0, self_discharge: float = 0.0, **more: Any
) -> EnergyPart:
    if battery_mah is None and (usable, self_discharge) != (1.0, 0.0):
        raise ValueError("usable and self_discharge are a battery's: write battery, its capacity in mAh")
    battery = None if battery_mah is None else Battery(battery_mah, usable, self_discharge)
    return EnergyPart(battery=battery, **more)


#: What a station may do between its messages.
_BETWEEN = {
    "awake": State.RECEIVE,
    "idle": State.IDLE,
    "modem-sleep": State.MODEM_SLEEP,
    "light-sleep": State.LIGHT_SLEEP,
    "deep-sleep": State.DEEP_SLEEP,
}


def _between(value: object, folder: Path) -> State:
    name = read_text(value, folder)
    if name not in _BETWEEN:
        raise ValueError
    return _BETWEEN[name]


def _periodic(**of: Any) -> Timing:
    return Timing(kind=TrafficKind.PERIODIC, **of)


def _poisson(**of: Any) -> Timing:
    return Timing(kind=TrafficKind.POISSON, **of)


def _saturated(**_of: Any) -> Timing:
    return Timing(kind=TrafficKind.SATURATED)


def _event(*, random: bool = False, **of: Any) -> Timing:
    if ("at" in of) != ("radius_m" in of):
        raise ValueError("at and radius go together: where it happens, and how far away it is noticed")
    return Timing(kind=TrafficKind.POISSON if random else TrafficKind.PERIODIC, is_event=True, **of)


def _interferer(**of: Any) -> Interferer:
    del of["where"]
    return Interferer(**of)


def _burst(**of: Any) -> Burst:
    del of["where"]
    return Burst(**of)


def _answer(**of: Any) -> Answer:
    del of["where"]
    return Answer(**of)


def _flood(**of: Any) -> Flood:
    del of["where"]
    return Flood(**of)


_NAME = Kind("a name of letters, digits, _ and -, and not all, nearest or random", _group_name)
_COUNTED = Key("count", _COUNT, "how many stations", required=True)
_ORIGIN = Key("origin", tomlfile.POSITION, "the corner in the south-west; without it, [0, 0]")

_ENERGY = Table(
    "station.energy",
    _energy,
    (
        Key("chip", tomlfile.choice(*CHIPS), "whose data sheet says what is drawn", required=True),
        Key(
            "between",
            Kind(", ".join(f'"{name}"' for name in _BETWEEN), _between, choices=tuple(_BETWEEN)),
            "what it does between its messages; awake without it, and only then it hears what others send",
        ),
        Key(
            "listen",
            tomlfile.TIME,
            "so long its receiver is on around each of its messages, beside what the message itself takes; 0 without "
            "it",
            "listen_us",
        ),
        Key(
            "board",
            between("a number of mA from 0 to 1000", 0, 1000),
            "what regulator, LEDs and sensors draw, all the time; 0 without it",
            "board_ma",
        ),
        Key(
            "battery",
            between("a number of mAh from 1 to 1000000", 1, 1e6),
            "its capacity; without it, no life is told",
            "battery_mah",
        ),
        Key("usable", between("a number from 0.01 to 1", 0.01, 1), "share of it that can be used; 1 without it"),
        Key(
            "self_discharge",
            between("a number from 0 to 0.99", 0, 0.99),
            "share of what is in it that is gone after a year without use; 0 without it",
        ),
    ),
)

_STATION = Table(
    "station",
    _group,
    (
        Key("name", _NAME, "what traffic and sweeps call the group", required=True),
        Key("power", _POWER, "transmit power; 20 without it", "power_dbm"),
        Key(
            "antenna",
            between("a number of dBi from -30 to 40", -30, 40),
            "the antenna's gain; 0 without it",
            "antenna_dbi",
        ),
        Key(
            "height",
            between("a number of metres from 0.1 to 10000", 0.1, 1e4),
            "of the antenna; 1.5 without it",
            "height_m",
        ),
        Key("channel", tomlfile.CHANNEL, "1 without it"),
        Key("attempts", whole("a whole number from 1 to 32", 1, 32), "tries of a unicast frame in all; 7 without it"),
        Key(
            "drift",
            between("a number of ppm from 0 to 100000", 0, 1e5),
            "each clock is fast or slow by up to so much, and with it what comes every so often; 0 without it",
            "drift_ppm",
        ),
        Key("way", WAY, "it goes there, metres east and north of where it stands; without it, it stays"),
        Key("repeats", tomlfile.FLAG, "from the last point on, it goes the same way again"),
        Key("energy", _ENERGY, "what it draws from its supply, and how it sleeps"),
    ),
    one_of={
        "at": Table(
            "at",
            SpotPlacement,
            (
                Key("at", tomlfile.POSITION, "here, all of them", required=True),
                Key("count", _COUNT, "how many stations; 1 without it"),
            ),
        ),
        "grid": Table(
            "grid",
            GridPlacement,
            (
                Key("grid", between("a number of metres above 0", 1e-3, 1e6), "so far apart, in a grid", "step_m"),
                _COUNTED,
                Key("columns", _COUNT, "stations in a row; without it, the grid is a square"),
                _ORIGIN,
            ),
        ),
        "random": Table(
            "random",
            RandomPlacement,
            (Key("random", AREA, "anywhere in a rectangle of this size", "area"), _COUNTED, _ORIGIN),
        ),
        "csv": Table(
            "csv",
            CsvPlacement,
            (
                Key(
                    "csv",
                    Kind("the name of a CSV file of stations, x,y[,power,channel,group]", _sites),
                    "one station a line; with a column `group`, those of this group alone",
                    "rows",
                ),
            ),
        ),
    },
    without="nothing says where the stations stand",
)

_FIRST = Key(
    "first", tomlfile.TIME, "when the first comes; without it, each station begins anywhere in its period", "first_us"
)

_SIZE = whole("a whole number of bytes from 1 to 1470", 1, 1470)
_RATE = Kind(f"a rate: {', '.join(RATE_NAMES)}", _rate, choices=tuple(RATE_NAMES))

_BURST = Table(
    "traffic.burst",
    _burst,
    (
        Key("count", whole("a whole number from 1 to 10000", 1, 10_000), "so many messages", required=True),
        Key("spacing", tomlfile.TIME, "from one to the next; all at once without it", "spacing_us"),
    ),
)

_ANSWER = Table(
    "traffic.answer",
    _answer,
    (
        Key("size", _SIZE, "bytes of an answer", required=True),
        Key("think", tomlfile.TIME, "so long after the message has arrived; at once without it", "think_us"),
        Key("jitter", tomlfile.TIME, "and later by up to so much", "jitter_us"),
        Key("rate", _RATE, "at which it is sent; the message's without it"),
    ),
)

_FLOOD = Table(
    "traffic.flood",
    _flood,
    (
        Key(
            "hops",
            whole("a whole number from 1 to 255", 1, 255),
            "a message is sent so often in a row at most, the first time among them",
            required=True,
        ),
        Key("delay", tomlfile.TIME, "so long after it was heard it is sent on; at once without it", "delay_us"),
        Key("jitter", tomlfile.TIME, "and later by up to so much; 20ms without it", "jitter_us"),
    ),
)

_TRAFFIC = Table(
    "traffic",
    TrafficPart,
    (
        Key("name", _NAME, "what results and sweeps call it; without it, numbered from 0"),
        Key("from", tomlfile.TEXT, "the group that sends, each of its stations", "sender", required=True),
        Key(
            "to",
            Kind('"all", "nearest", "random", the name of a group, or one of its stations as in "relay[2]"', read_text),
            "who it is for: everybody in reach; the nearest station; any other, drawn once; the nearest of a group",
            required=True,
        ),
        Key("size", _SIZE, "bytes of a message; 200 without it"),
        Key("rate", _RATE, "at which it is sent; 1M without it"),
        Key("burst", _BURST, "several messages come each time"),
        Key("answer", _ANSWER, "whoever gets a message answers it"),
        Key("flood", _FLOOD, "whoever hears a message to all for the first time sends it on"),
    ),
    one_of={
        "every": Table(
            "every",
            _periodic,
            (
                Key("every", tomlfile.TIME_ABOVE_0, "a message comes so often", "period_us"),
                Key("jitter", tomlfile.TIME, "and later by up to so much", "jitter_us"),
                _FIRST,
            ),
        ),
        "poisson": Table(
            "poisson",
            _poisson,
            (Key("poisson", tomlfile.TIME_ABOVE_0, "messages come at random, so far apart in the mean", "period_us"),),
        ),
        "event": Table(
            "event",
            _event,
            (
                Key(
                    "event",
                    tomlfile.TIME_ABOVE_0,
                    "something happens so often, and each station that notices it sends a message",
                    "period_us",
                ),
                Key("random", tomlfile.FLAG, "at random, so far apart in the mean; false without it"),
                Key("reaction", tomlfile.TIME, "up to so much later, each by itself; at once without it", "jitter_us"),
                Key("at", tomlfile.POSITION, "where it happens; without it, the whole group notices"),
                Key("radius", tomlfile.METRES, "how far from there it is noticed", "radius_m"),
                Key("first", tomlfile.TIME, "when it happens first; anywhere in the period without it", "first_us"),
            ),
        ),
        "saturated": Table(
            "saturated",
            _saturated,
            (Key("saturated", Kind("true", _true), "the next message is always there"),),
        ),
    },
    without="nothing says when messages come",
)

_INTERFERER = Table(
    "interferer",
    _interferer,
    (
        Key("at", tomlfile.POSITION, "where it is", "position", required=True),
        Key(
            "busy",
            between("a number from 0.0001 to 0.9999", 1e-4, 0.9999),
            "share of the time that it radiates; with `senses`, that it wants",
            required=True,
        ),
        Key("burst", tomlfile.TIME_ABOVE_0, "how long at a time; 1ms without it", "burst_us"),
        Key("senses", tomlfile.FLAG, "it waits until the channel is idle, as Wi-Fi does; false without it"),
        Key("power", _POWER, "within the channel; 20 without it", "power_dbm"),
        Key("channel", tomlfile.CHANNEL, "1 without it"),
        Key("antenna", between("a number of dBi from -30 to 40", -30, 40), "0 without it", "antenna_dbi"),
        Key("height", between("a number of metres from 0.1 to 10000", 0.1, 1e4), "1.5 without it", "height_m"),
    ),
)

_AIR = Table(
    "air",
    AirPart,
    (
        Key(
            "model",
            tomlfile.choice("log-distance", "free-space", "two-ray", "links"),
            'how signals fade; "links": as `links` says, and all others hear nothing of each other; "log-distance" '
            "without it",
        ),
        Key("path_loss_exponent", tomlfile.EXPONENT, "how fast, for log-distance; 3 without it"),
        Key(
            "range",
            tomlfile.METRES,
            "for log-distance: nothing is heard farther away; without it, the signal decides",
            "range_m",
        ),
        Key(
            "shadowing",
            between("a number of dB from 0 to 20", 0, 20),
            "standard deviation of what obstacles take or give, drawn for each pair of stations; 0 without it",
            "shadowing_db",
        ),
        Key(
            "losses",
            LOSSES,
            "how likely frames between two stations are lost, from when on, as it was measured",
        ),
        Key(
            "links",
            Kind("the name of a CSV file of links, from,to,loss_db", _links),
            "losses between stations, as measured; they win over the model",
        ),
        Key("noise", _DBM, "noise of a receiver; -94 without it", "noise_dbm"),
        Key("sense", _DBM, "from this on a signal makes the channel busy; -96 without it", "sense_dbm"),
        Key("sensitivity", _DBM, "no weaker signal is received; without it, by the rate", "least_dbm"),
        Key(
            "capture",
            between("a number of dB from 0 to 60", 0, 60),
            "a later frame that is stronger by so much is received in place of the earlier one; without it, never",
            "capture_db",
        ),
        Key("cw_min", _SLOTS, "the first contention window; 31 without it"),
        Key("cw_max", _SLOTS, "the largest contention window; 1023 without it"),
    ),
)

PLAN = Table(
    "",
    PlanPart,
    (
        Key("duration", tomlfile.TIME_ABOVE_0, "virtual time of each run", "duration_us", required=True),
        Key("seeds", whole("a whole number from 1 to 10000", 1, 10_000), "how many runs of each point; 3 without it"),
        Key("seed", whole("a whole number from 0 to 2^53", 0, 2**53), "of the first of them; 1 without it"),
        Key("air", _AIR, "how signals travel, and stations take turns"),
        Key("floor", FLOOR, "where stations may stand"),
        Key("station", _STATION, "groups of stations", "groups", many=True),
        Key("traffic", _TRAFFIC, "what they send", many=True),
        Key("interferer", _INTERFERER, "what radiates besides, and nobody decodes", "interferers", many=True),
        Key(
            "sweep",
            Kind(
                "a table of keys with their values, as in station.sensor.count = [10, 100]",
                _sweep,
            ),
            "the plan is run with each of these values, and all combinations",
        ),
    ),
)

"""The keys of a lab file, as one table each, and the check of a file against them.

Rules: what a key is called, may hold and means stands here once. Reading, errors and documentation follow from it. A
mistake is a UserError of one line: the place (``board[2].stimulus[0].pin``), what is wrong, what is allowed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.lab import labfile_kinds as kinds
from espnow.lab import stimuli
from espnow.lab.labfile_kinds import Kind, shown
from espnow.lab.labfile_parts import AirPart, BoardPart, LabPart, LinkPart, RouterEvent, RouterPart

__all__ = ["LAB", "Key", "Table", "check", "tables"]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a lab file.

    Attributes:
        name: as the documentation calls it, such as ``board.stimulus``.
        make: called with ``where`` and one argument for each key that is there; returns what the lab works with.
        keys: in the order in which they are documented.
        one_of: what this table does: exactly one of these keys is there, each with keys of its own. What its `Table`
            makes is the argument ``action``.
        some_of: at least one of these keys is there.
    """

    name: str
    make: Callable[..., Any]
    keys: tuple[Key, ...] = ()
    one_of: Mapping[str, Table] = field(default_factory=dict)
    some_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    Attributes:
        name: in the file.
        value: what it may hold; a `Table` for a table of its own.
        meaning: for the documentation, and in its words.
        argument: what ``make`` calls it; by default like the key.
        required: it must be there.
        many: the table may come any number of times, as ``[[name]]``.
    """

    name: str
    value: Kind | Table
    meaning: str
    argument: str = ""
    required: bool = False
    many: bool = False


def _itself(**only: Any) -> Any:
    """Return the value of the only key."""
    (value,) = only.values()
    return value


def _target(name: str, make: Callable[..., Any], *keys: Key, some_of: tuple[str, ...] = ()) -> tuple[str, Table]:
    return name, Table(name, make, keys, some_of=some_of)


_TEMPERATURE = Key("temperature", kinds.series("temperature", "degrees Celsius"), "what it measures")

_STIMULUS = Table(
    "board.stimulus",
    stimuli.Stimulus,
    (
        Key("at", kinds.TIME, "when, counted from the start of the lab; without it, at once", "at_us"),
        Key("every", kinds.TIME_ABOVE_0, "it comes again so often", "every_us"),
        Key("times", kinds.whole("a whole number above 0", 1), "how often it comes with `every`; without it, for ever"),
    ),
    one_of=dict(
        (
            _target(
                "pin",
                stimuli.PinStimulus,
                Key("pin", kinds.PIN, "this pin is driven from outside"),
                Key("value", kinds.LEVEL, 'the level; `"open"` lets it go, and the pull decides'),
                Key(
                    "press",
                    kinds.TIME_ABOVE_0,
                    "a button that is held so long: the pin has the level `value` (0 without it), then it is let go",
                    "press_us",
                ),
                some_of=("value", "press"),
            ),
            _target(
                "adc",
                stimuli.AdcStimulus,
                Key("adc", kinds.PIN, "the ADC at this pin measures something else", "pin"),
                Key("volts", kinds.series("volts", "volts"), "what it measures", required=True),
            ),
            _target(
                "touch",
                stimuli.TouchStimulus,
                Key("touch", kinds.PIN, "the touch pad at this pin reads something else", "pin"),
                Key("value", kinds.series("value", "what TouchPad.read() gives"), "what it reads", required=True),
            ),
            _target(
                "dht",
                stimuli.DhtStimulus,
                Key("dht", kinds.PIN, "the DHT11 or DHT22 at this pin measures something else", "pin"),
                _TEMPERATURE,
                Key("humidity", kinds.series("humidity", "percent"), "what it measures"),
                some_of=("temperature", "humidity"),
            ),
            _target(
                "ds18x20",
                stimuli.Ds18x20Stimulus,
                Key("ds18x20", kinds.PIN, "a DS18B20 on the 1-Wire bus at this pin measures something else", "pin"),
                Key("temperature", _TEMPERATURE.value, "what it measures", required=True),
                Key("rom", kinds.HEX, "which sensor: its 8 bytes, or the middle 6; without it, all that are there"),
            ),
            _target(
                "i2c",
                stimuli.I2cStimulus,
                Key(
                    "i2c",
                    kinds.I2C_BUS,
                    "a device on this bus; the bus then has what the lab file connects, and no other",
                    "bus",
                ),
                Key("address", kinds.I2C_ADDRESS, "its address", required=True),
                Key(
                    "registers",
                    kinds.REGISTERS,
                    "what its registers hold from now on: a byte, or bytes from that register on",
                ),
                Key("display", kinds.FLAG, "it is a display instead, with an SSD1306 or SH1106"),
                some_of=("registers", "display"),
            ),
            _target(
                "uart",
                stimuli.UartStimulus,
                Key(
                    "uart",
                    kinds.whole("the number of a UART, 0 to 2", 0, 2),
                    "something arrives at this UART",
                    "number",
                ),
                Key("text", kinds.TEXT, "a text"),
                Key("hex", kinds.HEX, "bytes, after the text if there is one", "content"),
                some_of=("text", "hex"),
            ),
            _target(
                "stdin",
                stimuli.StdinStimulus,
                Key("stdin", kinds.TEXT, 'somebody types this at the console; `"\\n"` is the Enter key', "text"),
            ),
            _target(
                "action",
                stimuli.ActionStimulus,
                Key(
                    "action",
                    kinds.choice(*stimuli.ACTIONS),
                    "something is done to the board: MicroPython starts anew, the reset button, its power, Ctrl-C",
                ),
            ),
            _target(
                "move",
                stimuli.MoveStimulus,
                Key("move", kinds.POSITION, "the board goes to this place", "to"),
                Key(
                    "over", kinds.TIME_ABOVE_0, "how long it takes, in a straight line; without it, no time", "over_us"
                ),
            ),
        )
    ),
)

_BOARD = Table(
    "board",
    BoardPart,
    (
        Key("program", kinds.PROGRAM, "a program, or a folder with `main.py` and perhaps `boot.py`"),
        Key("code", kinds.TEXT, "the program's text, instead"),
        Key("name", kinds.NAME, "unique in the lab; without it, from the program"),
        Key("mac", kinds.MAC, "address of its STA interface; without it, numbered"),
        Key("at", kinds.POSITION, "where it stands; without it, [0, 0]"),
        Key("profile", kinds.PROFILE, "its kind; without it, the lab's"),
        Key("start", kinds.TIME, "when it is switched on; without it, with the lab", "start_us"),
        Key("flash", kinds.FOLDER, "a folder that is its flash, and is written; without it, what it writes is lost"),
        Key("stdin", kinds.TEXT, "all that its program can read"),
        Key("argv", kinds.TEXTS, "`sys.argv[1:]`"),
        Key("stimulus", _STIMULUS, "what happens to it", "stimuli", many=True),
    ),
    some_of=("program", "code"),
)

_ROUTER = Table(
    "router",
    RouterPart,
    (
        Key("ssid", kinds.SSID, "the name of its network", required=True),
        Key("key", kinds.KEY, "its key; without it, an open network"),
        Key("channel", kinds.CHANNEL, "1 without it"),
        Key("name", kinds.NAME, 'unique in the lab; without it, "router", numbered from the second on'),
        Key("mac", kinds.MAC, "its address; without it, numbered"),
        Key("at", kinds.POSITION, "where it stands; without it, [0, 0]"),
        Key("hidden", kinds.FLAG, "it does not tell its SSID"),
        Key("internet", kinds.FLAG, "false: the computer's network is not reached through it"),
        Key(
            "event",
            Table(
                "router.event",
                RouterEvent,
                (Key("at", kinds.TIME, "when; without it, at once", "at_us"),),
                one_of=dict(
                    (
                        _target("power", _itself, Key("power", kinds.choice("off", "on"), "it vanishes; it is back")),
                        _target("channel", _itself, Key("channel", kinds.CHANNEL, "it goes to this channel")),
                        _target("move", _itself, Key("move", kinds.POSITION, "it stands here from now on")),
                    )
                ),
            ),
            "what happens to it",
            "events",
            many=True,
        ),
    ),
)

_AIR = Table(
    "air",
    AirPart,
    (
        Key("range", kinds.METRES, "nothing is heard farther away; without it, the signal decides", "range_m"),
        Key("path_loss_exponent", kinds.EXPONENT, "how fast the signal fades: 2 is free space; 3 without it"),
        Key("loss", kinds.PROBABILITY, "probability that a frame or an acknowledgement is lost; 0 without it"),
        Key(
            "link",
            Table(
                "air.link",
                LinkPart,
                (
                    Key("from", kinds.TEXT, "name of the board or router that sends", "sender", required=True),
                    Key("to", kinds.TEXT, "name of the board or router that hears", "receiver", required=True),
                    Key("loss", kinds.PROBABILITY, "probability that a frame is lost on this way", required=True),
                    Key("both", kinds.FLAG, "the way back, too"),
                    Key("at", kinds.TIME, "from when on; without it, from the start", "at_us"),
                ),
            ),
            "another loss between two boards or routers",
            "links",
            many=True,
        ),
    ),
)

#: The whole file.
LAB = Table(
    "",
    LabPart,
    (
        Key("duration", kinds.TIME_ABOVE_0, "run so much virtual time, as `--for`", "duration_us"),
        Key("pace", kinds.choice("fast", "real"), "as `--pace`"),
        Key("seed", kinds.WHOLE, "decides everything that is random, as `--seed`"),
        Key("profile", kinds.PROFILE, "kind of the boards, as `--profile`"),
        Key("pcap", kinds.FILE, "write every frame to this capture, as `--pcap`"),
        Key("log", kinds.FLAG, "print every message on the air, as `--log`"),
        Key("explain", kinds.FLAG, "tell why messages were not delivered, as `--explain`"),
        Key("quiet", kinds.FLAG, "no summary, as `--quiet`"),
        Key("expose", kinds.FLAG, "what boards listen on is reached from this computer, at its loopback"),
        Key("hosts", kinds.HOSTS, "names and addresses that programs use, and which of this computer's are meant"),
        Key("air", _AIR, "how frames travel"),
        Key("router", _ROUTER, "the access points", "routers", many=True),
        Key("board", _BOARD, "the boards, in the order in which they begin", "boards", many=True),
    ),
)


def tables(table: Table = LAB) -> list[Table]:
    """Return a table and those inside it, in the order of the file's documentation."""
    inside = [key.value for key in table.keys if isinstance(key.value, Table)]
    return [table, *(below for one in inside for below in tables(one))]


#: How the tables are written, by their names.
_HEADS = {
    key.value.name: f"[[{key.value.name}]]" if key.many else f"[{key.value.name}]"
    for table in tables()
    for key in table.keys
    if isinstance(key.value, Table)
}


class _Check:
    """The check of one file.

    Attributes:
        path: what errors call the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def refuse(self, where: str, text: str) -> UserError:
        return UserError(f"{printable(str(self.path))}: {f'{where}: ' if where else ''}{text}")

    def table(self, table: Table, value: object, where: str) -> Any:
        """Return what `table` makes of a value."""
        if not isinstance(value, dict):
            raise self.refuse(where, f"{shown(value)} is not a table: write {_HEADS[table.name]}")
        target = self._target(table, value, where) if table.one_of else None
        keys = {key.name: key for key in table.keys}
        of_target = {} if target is None else {key.name: key for key in target.keys}
        made: dict[str, Any] = {}
        of_action: dict[str, Any] = {}
        for name, content in value.items():
            if name in of_target:
                key = of_target[name]
                of_action[key.argument or name] = self._value(key, content, _inside(where, name))
            elif name in keys:
                key = keys[name]
                made[key.argument or name] = self._value(key, content, _inside(where, name))
            else:
                raise self._unknown(table, name, target, where)
        self._complete(table, value, where)
        if target is not None:
            self._complete(target, value, where)
        try:
            if target is not None:
                made["action"] = target.make(**of_action)
            return table.make(where=where, **made)
        except ValueError as error:  # keys that do not go together
            raise self.refuse(where, str(error)) from None

    def _value(self, key: Key, content: object, where: str) -> Any:
        if isinstance(key.value, Kind):
            return self._read(key.value, content, where)
        if not key.many:
            return self.table(key.value, content, where)
        if not isinstance(content, list):
            raise self.refuse(where, f"write {_HEADS[key.value.name]}, with two brackets: there may be several")
        return tuple(self.table(key.value, part, f"{where}[{number}]") for number, part in enumerate(content))

    def _read(self, kind: Kind, content: object, where: str) -> Any:
        try:
            return kind.read(content, self.path.parent)
        except (ValueError, TypeError) as error:
            what = "this" if kind.secret else shown(content)
            more = f": {error}" if isinstance(error, ValueError) and str(error) else ""
            near = _near(content, kind.choices) if isinstance(content, str) else ""
            raise self.refuse(where, f"{what} is not {kind.allowed}{more}{near}") from None

    def _target(self, table: Table, value: Mapping[str, Any], where: str) -> Table:
        found = [name for name in table.one_of if name in value]
        if len(found) == 1:
            return table.one_of[found[0]]
        listed = ", ".join(table.one_of)
        if found:
            raise self.refuse(where, f"{' and '.join(found)} do not go together: it has one of {listed}")
        for name in value:
            if not any(key.name == name for key in self._all_keys(table)):
                raise self._unknown(table, name, None, where)
        raise self.refuse(where, f"nothing happens in it: it has one of {listed}")

    def _complete(self, table: Table, value: Mapping[str, Any], where: str) -> None:
        for key in table.keys:
            if key.required and key.name not in value:
                allowed = key.value.allowed if isinstance(key.value, Kind) else "a table"
                raise self.refuse(_inside(where, key.name), f"it is missing; it is {allowed}")
        if table.some_of and not any(name in value for name in table.some_of):
            raise self.refuse(where, f"it has neither {' nor '.join(table.some_of)}")

    def _all_keys(self, table: Table) -> list[Key]:
        return [*table.keys, *(key for target in table.one_of.values() for key in target.keys)]

    def _unknown(self, table: Table, name: str, target: Table | None, where: str) -> UserError:
        place = _inside(where, name)
        if target is None:
            allowed = [*table.one_of, *(key.name for key in table.keys)]
        else:
            allowed = [key.name for key in (*target.keys, *table.keys)]
            owners = [other.name for other in table.one_of.values() if name in {key.name for key in other.keys}]
            if owners:
                told = f"it goes with {' and '.join(owners)}, not with {target.name}."
                return self.refuse(place, f"{told} Allowed: {', '.join(allowed)}")
        hint = _elsewhere(name) or _near(name, allowed) or "."
        return self.refuse(place, f"there is no such key{hint} Allowed: {', '.join(allowed)}")


def _elsewhere(name: str) -> str:
    """Return where a key belongs that was written in the wrong table."""
    owners = []
    for table in tables():
        for key in (*table.keys, *(key for target in table.one_of.values() for key in target.keys)):
            if key.name == name:
                owner = key.value.name if isinstance(key.value, Table) else table.name
                owners.append(_HEADS.get(owner, "the top of the file"))
    return f" here, it belongs to {' or '.join(dict.fromkeys(owners))}." if owners else ""


def _inside(where: str, name: str) -> str:
    name = printable(name) if name.replace("_", "a").replace("-", "a").isalnum() else shown(name)
    return f"{where}.{name}" if where else name


def _near(word: str, names: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(word.lower(), names, 1, 0.5)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def check(document: Mapping[str, Any], path: Path) -> LabPart:
    """Return what a lab file says.

    Args:
        document: the file, as TOML gives it.
        path: of the file; what it names is looked for beside it.

    Raises:
        UserError: a mistake, in one line.
    """
    part: LabPart = _Check(path).table(LAB, document, "")
    return part

"""The keys of a lab file, as one table each, and the check of a file against them.

Rules: what a key is called, may hold and means stands here once. Reading, errors and documentation follow from it. A
mistake is a UserError of one line: the place (``board[2].stimulus[0].pin``), what is wrong, what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from espnow import tomlfile
from espnow.lab import labfile_kinds as kinds
from espnow.lab import stimuli
from espnow.lab.labfile_parts import AirPart, BoardPart, LabPart, LinkPart, RouterEvent, RouterPart
from espnow.tomlfile import Key, Table

__all__ = ["LAB", "check"]


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
        Key("at", tomlfile.TIME, "when, counted from the start of the lab; without it, at once", "at_us"),
        Key("every", tomlfile.TIME_ABOVE_0, "it comes again so often", "every_us"),
        Key(
            "times",
            tomlfile.whole("a whole number above 0", 1),
            "how often it comes with `every`; without it, for ever",
        ),
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
                    tomlfile.TIME_ABOVE_0,
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
                Key("display", tomlfile.FLAG, "it is a display instead, with an SSD1306 or SH1106"),
                some_of=("registers", "display"),
            ),
            _target(
                "uart",
                stimuli.UartStimulus,
                Key(
                    "uart",
                    tomlfile.whole("the number of a UART, 0 to 2", 0, 2),
                    "something arrives at this UART",
                    "number",
                ),
                Key("text", tomlfile.TEXT, "a text"),
                Key("hex", kinds.HEX, "bytes, after the text if there is one", "content"),
                some_of=("text", "hex"),
            ),
            _target(
                "stdin",
                stimuli.StdinStimulus,
                Key("stdin", tomlfile.TEXT, 'somebody types this at the console; `"\\n"` is the Enter key', "text"),
            ),
            _target(
                "action",
                stimuli.ActionStimulus,
                Key(
                    "action",
                    tomlfile.choice(*stimuli.ACTIONS),
                    "something is done to the board: MicroPython starts anew, the reset button, its power, Ctrl-C",
                ),
            ),
            _target(
                "move",
                stimuli.MoveStimulus,
                Key("move", tomlfile.POSITION, "the board goes to this place", "to"),
                Key(
                    "over",
                    tomlfile.TIME_ABOVE_0,
                    "how long it takes, in a straight line; without it, no time",
                    "over_us",
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
        Key("code", tomlfile.TEXT, "the program's text, instead"),
        Key("name", tomlfile.NAME, "unique in the lab; without it, from the program"),
        Key("mac", kinds.MAC, "address of its STA interface; without it, numbered"),
        Key("at", tomlfile.POSITION, "where it stands; without it, [0, 0]"),
        Key(
            "antenna",
            tomlfile.between("a number of dBi from -30 to 40", -30, 40),
            "the antenna's gain; 0 without it",
            "antenna_dbi",
        ),
        Key(
            "height",
            tomlfile.between("a number of metres from 0.1 to 10000", 0.1, 10_000),
            "of the antenna above the ground; 1.5 without it",
            "height_m",
        ),
        Key(
            "drift",
            tomlfile.between("a number of ppm from -100000 to 100000", -1e5, 1e5),
            "so much its crystal is fast; below 0, slow; 0 without it",
            "drift_ppm",
        ),
        Key("profile", kinds.PROFILE, "its kind; without it, the lab's"),
        Key("start", tomlfile.TIME, "when it is switched on; without it, with the lab", "start_us"),
        Key("flash", tomlfile.FOLDER, "a folder that is its flash, and is written; without it, what it writes is lost"),
        Key("stdin", tomlfile.TEXT, "all that its program can read"),
        Key("argv", tomlfile.TEXTS, "`sys.argv[1:]`"),
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
        Key("channel", tomlfile.CHANNEL, "1 without it"),
        Key("name", tomlfile.NAME, 'unique in the lab; without it, "router", numbered from the second on'),
        Key("mac", kinds.MAC, "its address; without it, numbered"),
        Key("at", tomlfile.POSITION, "where it stands; without it, [0, 0]"),
        Key("hidden", tomlfile.FLAG, "it does not tell its SSID"),
        Key("internet", tomlfile.FLAG, "false: the computer's network is not reached through it"),
        Key(
            "event",
            Table(
                "router.event",
                RouterEvent,
                (Key("at", tomlfile.TIME, "when; without it, at once", "at_us"),),
                one_of=dict(
                    (
                        _target(
                            "power", _itself, Key("power", tomlfile.choice("off", "on"), "it vanishes; it is back")
                        ),
                        _target("channel", _itself, Key("channel", tomlfile.CHANNEL, "it goes to this channel")),
                        _target("move", _itself, Key("move", tomlfile.POSITION, "it stands here from now on")),
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
        Key("range", tomlfile.METRES, "nothing is heard farther away; without it, the signal decides", "range_m"),
        Key("path_loss_exponent", tomlfile.EXPONENT, "how fast the signal fades: 2 is free space; 3 without it"),
        Key("loss", tomlfile.PROBABILITY, "probability that a frame or an acknowledgement is lost; 0 without it"),
        Key(
            "link",
            Table(
                "air.link",
                LinkPart,
                (
                    Key("from", tomlfile.TEXT, "name of the board or router that sends", "sender", required=True),
                    Key("to", tomlfile.TEXT, "name of the board or router that hears", "receiver", required=True),
                    Key("loss", tomlfile.PROBABILITY, "probability that a frame is lost on this way", required=True),
                    Key("both", tomlfile.FLAG, "the way back, too"),
                    Key("at", tomlfile.TIME, "from when on; without it, from the start", "at_us"),
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
        Key("duration", tomlfile.TIME_ABOVE_0, "run so much virtual time, as `--for`", "duration_us"),
        Key("pace", tomlfile.choice("fast", "real"), "as `--pace`"),
        Key("seed", tomlfile.WHOLE, "decides everything that is random, as `--seed`"),
        Key("profile", kinds.PROFILE, "kind of the boards, as `--profile`"),
        Key("pcap", tomlfile.FILE, "write every frame to this capture, as `--pcap`"),
        Key("log", tomlfile.FLAG, "print every message on the air, as `--log`"),
        Key("explain", tomlfile.FLAG, "tell why messages were not delivered, as `--explain`"),
        Key("quiet", tomlfile.FLAG, "no summary, as `--quiet`"),
        Key("expose", tomlfile.FLAG, "what boards listen on is reached from this computer, at its loopback"),
        Key("hosts", kinds.HOSTS, "names and addresses that programs use, and which of this computer's are meant"),
        Key("air", _AIR, "how frames travel"),
        Key("crowd", tomlfile.FILE, "a plan: its stations, without programs, and its air are the boards', too"),
        Key("router", _ROUTER, "the access points", "routers", many=True),
        Key("board", _BOARD, "the boards, in the order in which they begin", "boards", many=True),
    ),
)


def check(document: Mapping[str, Any], path: Path) -> LabPart:
    """Return what a lab file says.

    Args:
        document: the file, as TOML gives it.
        path: of the file; what it names is looked for beside it.

    Raises:
        UserError: a mistake, in one line.
    """
    part: LabPart = tomlfile.check(LAB, document, path)
    return part

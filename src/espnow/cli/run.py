"""``espnow run``: programs on emulated boards."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from espnow.board import PROFILES
from espnow.cli._frames import add_reading_options
from espnow.cli._options import parse_time
from espnow.cli._programs import (
    CODE,
    checked_path,
    is_lab_file,
    nth,
    split_profile,
    stdin_descriptor,
)
from espnow.errors import UserError
from espnow.frame.text import printable

__all__ = ["add_parser", "prepare"]

#: Options that are a lab's, and why a radio does not have them.
_ELSEWHERE = "espnow sniff shows what is on the air"
_IN_NAME = "what a radio can do is written in its name, as in udp:?loss=0.1"
_NOT_LIVE = {
    "seed": "its chance is not repeated",
    "pace": "its time is the wall clock's",
    "at": _IN_NAME,
    "loss": _IN_NAME,
    "range": _IN_NAME,
    "router": "routers are in a lab",
    "json": "the program prints as it is",
    "explain": "only a lab knows what became of a frame",
    "log": _ELSEWHERE,
    "keys": _ELSEWHERE,
    "pmk": _ELSEWHERE,
    "lmk": _ELSEWHERE,
    "decoders": _ELSEWHERE,
}

_EPILOG = """\
Every program runs on its own emulated board. All boards start at one instant, in the order given, and share one air.

LAB.toml is a lab file: it says which boards and routers there are, where, and what happens to their pins and sensors
over time. What is said here, too, wins. --example writes one to begin with.

--mac and --at may be given once for each board: the first is the first board's, and so on; "-" skips one. The boards
of a lab file come first.
FILE:PROFILE gives one program a board of its own kind: sensor.py:esp8266

Without --for, virtual time keeps the pace of the wall clock, until every program has ended or Ctrl-C. With it, so much
virtual time passes as fast as the computer can. The same seed gives the same output and the same frames.

--radio runs one program on a radio that reaches other processes or real boards, on the wall clock: it prints as it is,
reads standard input, and ends with its program, after --for, or with Ctrl-C. ESPNOW_MAC, ESPNOW_PROFILE, ESPNOW_CHANNEL
and ESPNOW_CAPTURE say what is not said here.

Several programs: each line carries the board's name. One program: it prints as it is. Exit code: 0; 1 if a program died
with an exception (or what a single program gave to sys.exit); 2 for a mistake in this command; 130 after Ctrl-C.

examples:
  espnow run receiver.py sender.py
  espnow run --example hello && espnow run lab.toml
  espnow run --for 10m --seed 7 --pcap air.pcapng gateway.py sensor.py sensor.py:esp8266 --at 0,0 --at 20,0 --at 0,35
  espnow run --router home,password,6 proxy.py sensor.py
  espnow run -c 'import network; print(network.WLAN(0).config("mac"))'
  espnow run --radio udp: gateway.py
"""


def prepare(arguments: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Return the arguments with each ``-c CODE`` as one program among the others, so that their order is kept."""
    prepared: list[str] = []
    options: list[str] = []
    rest = iter(arguments[1:])
    with_value = {
        name
        for action in parser._actions
        if action.nargs != 0
        for name in action.option_strings
        if name.startswith("--")
    }
    for argument in rest:
        if argument == "-c":
            code = next(rest, None)
            if code is None:
                options.append("-c")
            else:
                prepared.append(CODE + code)
        elif argument.startswith("-c"):
            prepared.append(CODE + argument[2:])
        elif argument in with_value:
            value = next(rest, None)
            options.append(argument if value is None else f"{argument}={value}")
        elif argument == "--":
            prepared += rest
        elif argument.startswith("-") and argument != "-":
            options.append(argument)
        else:
            prepared.append(argument)
    return [arguments[0], *options, "--", *prepared] if prepared else [arguments[0], *options]


def add_parser(commands: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser for `prepare`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="run programs on emulated boards",
        description="Run MicroPython programs that use ESP-NOW on emulated boards, in virtual time.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="espnow run [options] [LAB.toml] [FILE[:PROFILE]]... [-c CODE]...",
    )
    parser.add_argument("programs", nargs="*", metavar="FILE", help="a program, one board each; or a lab file")
    parser.add_argument("-c", metavar="CODE", dest="code", help="a program given as text, as for python -c")
    parser.add_argument(
        "--for", dest="duration", metavar="TIME", help="run so much virtual time, as fast as possible: 500ms, 30s, 10m"
    )
    parser.add_argument("--radio", metavar="NAME", help="run one program on this radio: udp:, monitor:wlan1")
    parser.add_argument("--channel", type=int, metavar="N", help="of a board on a radio, when it starts: 1 to 14")
    parser.add_argument(
        "--pace",
        choices=("fast", "real"),
        help="virtual time passes as fast as possible, or keeps the pace of the wall clock (default: fast with --for)",
    )
    parser.add_argument("--seed", type=int, help="decides everything that is random (default: 0)")
    parser.add_argument("--profile", metavar="NAME", help=f"kind of the boards: {', '.join(PROFILES)}")
    parser.add_argument("--mac", action="append", default=[], help="address of a board: 30:aa:aa:aa:aa:aa")
    parser.add_argument("--at", action="append", default=[], metavar="X,Y", help="position of a board in metres")
    parser.add_argument(
        "--router",
        action="append",
        default=[],
        metavar="SSID[,KEY[,CHANNEL]]",
        help="a router in the middle of the lab; may be given several times",
    )
    parser.add_argument("--pcap", metavar="FILE", help="write every frame on the air to a pcapng file")
    parser.add_argument("--log", action="store_true", help="print every message on the air, as espnow decode does")
    parser.add_argument("--loss", type=float, metavar="P", help="probability that a frame is lost")
    parser.add_argument("--range", type=float, metavar="M", help="nothing is heard farther away, in metres")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, and the summary too")
    parser.add_argument("--explain", action="store_true", help="say why messages did not arrive, after the run")
    parser.add_argument("--quiet", action="store_true", help="no summary")
    parser.add_argument(
        "--example",
        nargs="?",
        const="",
        metavar="NAME",
        help="write a lab file and its programs into this folder; without NAME, list what there is",
    )
    add_reading_options(parser)
    parser.set_defaults(function=_run)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    if arguments.example is not None:
        if arguments.programs:
            raise UserError("--example writes files and runs nothing: leave the programs out")
        from espnow.cli import example

        return example.write(arguments.example) if arguments.example else example.list_all()
    programs: list[str] = arguments.programs
    if arguments.radio is not None:
        return _run_live(arguments, programs)
    if arguments.channel is not None:
        raise UserError("--channel goes with --radio; in a lab a program sets its channel itself")
    from espnow.cli._lab_run import run_lab

    return run_lab(arguments, programs)


def _run_live(arguments: argparse.Namespace, programs: list[str]) -> int:
    """Run one program on a radio."""
    from espnow.cli._live_run import LiveProgram, run_live

    for option, why in _NOT_LIVE.items():
        value = getattr(arguments, option)
        if value is not None and value is not False and value != []:
            raise UserError(f"--{option} does not go with --radio: {why}")
    if not programs:
        raise UserError("there is nothing to run: name a FILE, a folder or -c CODE; see espnow run --help")
    if len(programs) > 1:
        raise UserError(f"--radio runs one program, and {len(programs)} were named; start each in a process of its own")
    if len(arguments.mac) > 1:
        raise UserError(f"--mac was given {len(arguments.mac)} times for one board")
    program = programs[0]
    if is_lab_file(program):
        raise UserError(f"{printable(program)}: a lab file says what is in a lab, and --radio runs one program")
    code = program[len(CODE) :] if program.startswith(CODE) else None
    path, profile = (None, None) if code is not None else split_profile(checked_path(program))
    return run_live(
        LiveProgram(
            arguments.radio,
            path,
            code,
            mac=nth(arguments.mac, 0),
            profile=profile or arguments.profile,
            channel=arguments.channel,
            pcap=arguments.pcap,
            duration_us=parse_time("--for", arguments.duration, default_us=None, least_us=1),
            stdin=stdin_descriptor(),
        )
    )

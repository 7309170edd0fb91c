"""``espnow run``: programs on emulated boards."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from espnow.air import Transmission
from espnow.board import PROFILES
from espnow.cli import example
from espnow.cli._frames import add_reading_options, shown_argument
from espnow.cli._printing import Printer, format_time
from espnow.cli._show import Progress
from espnow.cli._watching import CaptureFile, open_log
from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.lab import Lab, LabBoard, labfile
from espnow.lab.clock import VirtualClock
from espnow.lab.host import HostInput, Pacer
from espnow.lab.interrupts import forget_after_first
from espnow.lab.labfile_kinds import METRES, PROBABILITY, Kind
from espnow.lab.labfile_parts import LabPart
from espnow.lab.times import parse_time_us

__all__ = ["add_parser", "prepare"]

#: A piece of code among the programs, as `prepare` marks it; no file name begins so.
_CODE = "\0code "

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

#: Called with each frame on the air.
Watcher = Callable[[Transmission], None]

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
                prepared.append(_CODE + code)
        elif argument.startswith("-c"):
            prepared.append(_CODE + argument[2:])
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
        return example.write(arguments.example) if arguments.example else example.list_all()
    programs: list[str] = arguments.programs
    if arguments.radio is not None:
        return _run_live(arguments, programs)
    if arguments.channel is not None:
        raise UserError("--channel goes with --radio; in a lab a program sets its channel itself")
    files = [program for program in programs if _is_lab_file(program)]
    if not programs:
        raise UserError("there is nothing to run: name a FILE, a lab file or -c CODE; see espnow run --help")
    if len(files) > 1:
        raise UserError(f"{files[0]} and {files[1]}: one lab file is enough, programs may stand beside it")
    file = labfile.read(files[0]) if files else labfile.LabFile(Path("lab.toml"), LabPart())
    programs = [program for program in programs if program not in files]
    file = replace(file, content=_override(arguments, file.content, len(programs)))
    content = file.content
    with file.make(record=False, explain=content.explain) as lab:
        for number, program in enumerate(programs, len(content.boards)):
            _add_board(lab, program, _nth(arguments.mac, number), _nth(arguments.at, number))
        for router in arguments.router:
            _add_router(lab, router)
        if not lab.boards:
            raise UserError(f"{printable(files[0])}: it has no board: write [[board]], or name a program beside it")
        return _run_lab(lab, file, arguments)


def _run_live(arguments: argparse.Namespace, programs: list[str]) -> int:
    """Run one program on a radio."""
    from espnow.cli._live_run import LiveProgram, run_live

    for option, why in _NOT_LIVE.items():
        value = getattr(arguments, option)
        if value is not None and value is not False and value != []:
            raise UserError(f"--{option} does not go with --radio: {why}")
    if len(programs) != 1:
        raise UserError(f"--radio runs one program, and {len(programs)} were named; start each in a process of its own")
    if len(arguments.mac) > 1:
        raise UserError(f"--mac was given {len(arguments.mac)} times for one board")
    program = programs[0]
    if _is_lab_file(program):
        raise UserError(f"{printable(program)}: a lab file says what is in a lab, and --radio runs one program")
    code = program[len(_CODE) :] if program.startswith(_CODE) else None
    path, profile = (None, None) if code is not None else _split_profile(_checked_path(program))
    return run_live(
        LiveProgram(
            arguments.radio,
            path,
            code,
            mac=_nth(arguments.mac, 0),
            profile=profile or arguments.profile,
            channel=arguments.channel,
            pcap=arguments.pcap,
            duration_us=None if arguments.duration is None else _parse_duration(arguments.duration),
            stdin=_stdin_descriptor(),
        )
    )


def _add_router(lab: Lab, text: str) -> None:
    ssid, _, rest = text.partition(",")
    key, _, channel = rest.partition(",")
    if channel and not re.fullmatch("[0-9]{1,9}", channel):
        raise UserError(  # which tells no key
            f"--router {printable(ssid)},...: the channel is no number; write SSID,KEY,CHANNEL, as in home,password,6"
        )
    lab.router(ssid, key, channel=int(channel or 1))


def _is_lab_file(program: str) -> bool:
    return program.endswith(".toml") and not program.startswith(_CODE)


def _override(arguments: argparse.Namespace, content: LabPart, programs: int) -> LabPart:
    """Return what a lab file says after what the command line says, which wins."""
    count = len(content.boards) + programs
    for option, values in (("--mac", arguments.mac), ("--at", arguments.at)):
        if len(values) > count:
            raise UserError(f"{option} was given {len(values)} times for {count} board(s)")
    boards = []
    for number, board in enumerate(content.boards):
        mac, at = _nth(arguments.mac, number), _nth(arguments.at, number)
        boards.append(
            replace(board, mac=mac or board.mac, at=board.at if at is None else _parse_position(at)),
        )
    air = content.air
    return replace(
        content,
        duration_us=content.duration_us if arguments.duration is None else _parse_duration(arguments.duration),
        pace=arguments.pace or content.pace,
        seed=content.seed if arguments.seed is None else arguments.seed,
        profile=arguments.profile or content.profile,
        pcap=content.pcap if arguments.pcap is None else Path(arguments.pcap),
        log=arguments.log or content.log,
        explain=arguments.explain or content.explain,
        quiet=arguments.quiet or content.quiet,
        air=replace(
            air,
            loss=air.loss if arguments.loss is None else _checked("--loss", arguments.loss, PROBABILITY),
            range_m=air.range_m if arguments.range is None else _checked("--range", arguments.range, METRES),
        ),
        boards=tuple(boards),
    )


def _run_lab(lab: Lab, file: labfile.LabFile, arguments: argparse.Namespace) -> int:
    """Run a lab, and return the exit code.

    Args:
        lab: the lab.
        file: what its file says after what the command line says; its boards are the lab's first.
        arguments: of the command line, for how things are shown.
    """

    def finished() -> bool:
        return lab.now_us >= busy_until_us and lab.finished()

    content = file.content
    busy_until_us = content.busy_until_us
    paced = (content.pace or ("real" if content.duration_us is None else "fast")) == "real"
    printer = Printer(lab, as_json=arguments.json)
    host_input = _give_input(lab, content, paced=paced)
    log = _open_log(content, arguments, printer)
    capture = None
    if content.pcap is not None:
        asked = f"{printable(str(file.path))}: pcap:" if arguments.pcap is None else "--pcap"
        capture = CaptureFile(lab, content.pcap, f"{asked} {printable(str(content.pcap))}")
    lab.air.observer = _watch(log, None if capture is None else capture.write)
    handler = _on_interrupt(lab)
    interrupted = False
    clock = lab.clock
    try:
        if paced and isinstance(clock, VirtualClock):
            clock.is_awaited = lambda: any(board.state == "running" for board in lab.boards)
            clock.pace = Pacer(clock, clock.is_awaited, host_input)
        if content.duration_us is None:
            lab.run_until(finished)
        else:
            _run_for(lab, content.duration_us, finished, printer.progress)
    except KeyboardInterrupt:
        interrupted = True
        lab.interrupt()
    finally:
        signal.signal(signal.SIGINT, handler)
        printer.note_states()
        lab.close()
        printer.finish()
        if capture is not None:
            capture.close()
    if printer.unheard is not None:
        raise printer.unheard
    if not content.quiet:
        printer.summary()
    if content.explain:
        printer.explain()
    return _exit_code(lab, interrupted)


def _give_input(lab: Lab, content: LabPart, *, paced: bool) -> HostInput | None:
    """Let boards read standard input that are not typed at by the lab file."""
    typed_at = {board.name for board, part in zip(lab.boards, content.boards, strict=False) if part.is_typed_at}
    descriptor = _stdin_descriptor()
    host_input = None if descriptor is None else HostInput(descriptor, lab.clock, paced=paced)
    for board in lab.boards:
        if board.name in typed_at:
            continue
        board.console.source = host_input
        if host_input is None:
            board.close_input()
    return host_input


def _open_log(content: LabPart, arguments: argparse.Namespace, printer: Printer) -> Watcher | None:
    """Return what prints each message on the air, if that is wanted."""
    if content.log:
        return open_log(arguments, printer)
    if arguments.keys or arguments.lmk or arguments.pmk or arguments.decoders:
        raise UserError("--keys, --pmk, --lmk and --decoders say how --log prints messages; add --log")
    return None


def _watch(*watchers: Watcher | None) -> Watcher | None:
    """Return what calls each of these with each transmission, or None if there are none."""
    found = [watcher for watcher in watchers if watcher is not None]
    if len(found) < 2:
        return found[0] if found else None

    def observe(transmission: Transmission) -> None:
        for watcher in found:
            watcher(transmission)

    return observe


def _stdin_descriptor() -> int | None:
    """Return the descriptor of standard input, or None if there is none to read from."""
    if sys.stdin is None or sys.stdin.closed:
        return None
    try:
        return sys.stdin.fileno()
    except (OSError, ValueError):  # replaced by something that is no file
        return None


def _run_for(lab: Lab, duration_us: int, finished: Callable[[], bool], progress: Progress) -> None:
    """Run so much virtual time, in pieces, with a progress bar once it takes more than a second."""
    pieces = 200
    for piece in range(1, pieces + 1):
        if lab.run_until(finished, timeout_ms=(duration_us * piece // pieces - lab.now_us) / 1000):
            break
        progress.show(piece / pieces, f"{format_time(lab.now_us)} of {format_time(duration_us)}")
    progress.clear()


def _add_board(lab: Lab, program: str, mac: str | None, at: str | None) -> LabBoard:
    position = (0.0, 0.0) if at is None else _parse_position(at)
    if program.startswith(_CODE):
        return lab.board(code=program[len(_CODE) :], mac=mac, at=position)
    path, profile = _split_profile(_checked_path(program))
    return lab.board(path, mac=mac, at=position, profile=profile)


def _checked_path(program: str) -> str:
    """Return a program's path, unless it is none and may be a secret, which nobody is to read in an error."""
    shown = shown_argument(program)
    if shown != printable(program) and not _exists(_split_profile(program)[0]):
        raise UserError(f"{shown}: No such file or directory")
    return program


def _split_profile(program: str) -> tuple[str, str | None]:
    """Split ``sensor.py:esp8266``."""
    if _exists(program):
        return program, None
    match = re.fullmatch(r"(.+)[:@]([^:@/\\]+)", program)
    if match is None:
        return program, None
    path, profile = match.groups()
    if profile not in PROFILES and _exists(path):
        raise UserError(f"{program}: there is no profile {profile!r}; there are {', '.join(PROFILES)}")
    return (path, profile) if profile in PROFILES else (program, None)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # too long a name, a folder that may not be searched: opening it says what is wrong
        return False


def _nth(values: Sequence[str], number: int) -> str | None:
    value = values[number] if number < len(values) else "-"
    return None if value == "-" else value


def _parse_position(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--at {text}: a position is two numbers in metres, as in --at 10,2.5") from None
    return x, y


def _checked(option: str, value: float, kind: Kind) -> float:
    """Return an option's number if a lab file would take it, too."""
    try:
        return float(kind.read(value, Path()))
    except ValueError:
        raise UserError(f"{option} {value:g}: this is not {kind.allowed}") from None


def _parse_duration(text: str) -> int:
    try:
        us = parse_time_us(text)
    except ValueError as error:
        raise UserError(f"--for {text}: {error}") from None
    if us == 0:
        raise UserError(f"--for {text}: a time must be more than nothing")
    return us


def _on_interrupt(lab: Lab) -> Any:
    """Let the first Ctrl-C end the run in order, and a second one at once; returns the handler that was there."""

    def end_run(_number: int, _frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        forget_after_first(signal.SIGINT)
        lab.clock.interrupt()

    before = signal.signal(signal.SIGINT, end_run)
    forget_after_first(signal.SIGINT)
    lab.clock.hears_ctrl_c = True
    return before


def _exit_code(lab: Lab, interrupted: bool) -> int:
    if interrupted:
        return 130
    if len(lab.boards) == 1:
        return (lab.boards[0].exit_code or 0) & 0xFF
    return 1 if any(board.exit_code for board in lab.boards) else 0

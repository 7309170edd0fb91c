"""``espnow run``: programs on emulated boards."""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn, TextIO

from espnow.air import Transmission
from espnow.board import PROFILES
from espnow.cli import example
from espnow.cli._frames import add_reading_options, as_json, as_line, make_dissector, shown_argument
from espnow.cli._show import Progress, table
from espnow.errors import UserError
from espnow.frame import format_mac, radiotap
from espnow.frame.text import message_text, printable
from espnow.lab import Lab, LabBoard, labfile
from espnow.lab.console import for_terminal
from espnow.lab.host import HostInput, Pacer
from espnow.lab.interrupts import forget_after_first
from espnow.lab.labfile_parts import LabPart
from espnow.lab.times import parse_time_us

__all__ = ["add_parser", "prepare"]

#: A piece of code among the programs, as `prepare` marks it; no file name begins so.
_CODE = "\0code "

#: How many boards that heard a frame are named in a line.
_NAMED = 4

_EPILOG = """\
Every program runs on its own emulated board. All boards start at one instant, in the order given, and share one air.

LAB.toml is a lab file: it says which boards and routers there are, where, and what happens to their pins and sensors
over time. What is said here, too, wins. --example writes one to begin with.

--mac and --at may be given once for each board: the first is the first board's, and so on; "-" skips one. The boards
of a lab file come first.
FILE:PROFILE gives one program a board of its own kind: sensor.py:esp8266

Without --for, virtual time keeps the pace of the wall clock, until every program has ended or Ctrl-C. With it, so much
virtual time passes as fast as the computer can. The same seed gives the same output and the same frames.

Several programs: each line carries the board's name. One program: it prints as it is. Exit code: 0; 1 if a program died
with an exception (or what a single program gave to sys.exit); 2 for a mistake in this command; 130 after Ctrl-C.

examples:
  espnow run receiver.py sender.py
  espnow run --example hello && espnow run lab.toml
  espnow run --for 10m --seed 7 --pcap air.pcapng gateway.py sensor.py sensor.py:esp8266 --at 0,0 --at 20,0 --at 0,35
  espnow run -c 'import network; print(network.WLAN(0).config("mac"))'
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
    parser.add_argument(
        "--pace",
        choices=("fast", "real"),
        help="virtual time passes as fast as possible, or keeps the pace of the wall clock (default: fast with --for)",
    )
    parser.add_argument("--seed", type=int, help="decides everything that is random (default: 0)")
    parser.add_argument("--profile", metavar="NAME", help=f"kind of the boards: {', '.join(PROFILES)}")
    parser.add_argument("--mac", action="append", default=[], help="address of a board: 30:aa:aa:aa:aa:aa")
    parser.add_argument("--at", action="append", default=[], metavar="X,Y", help="position of a board in metres")
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
    duration_us = None if arguments.duration is None else _parse_duration(arguments.duration)
    programs: list[str] = arguments.programs
    files = [program for program in programs if _is_lab_file(program)]
    if not programs:
        raise UserError("there is nothing to run: name a FILE, a lab file or -c CODE; see espnow run --help")
    if len(files) > 1:
        raise UserError(f"{files[0]} and {files[1]}: one lab file is enough, programs may stand beside it")
    file = labfile.read(files[0]) if files else labfile.LabFile(Path("lab.toml"), LabPart())
    programs = [program for program in programs if program not in files]
    content = _override(arguments, file.content, len(programs))
    more = len(content.boards)
    arguments.explain = arguments.explain or content.explain
    with replace(file, content=content).make(record=False, explain=arguments.explain) as lab:
        for number, program in enumerate(programs, more):
            _add_board(lab, program, _nth(arguments.mac, number), _nth(arguments.at, number))
        if not lab.boards:
            raise UserError(f"{printable(files[0])}: it has no board: write [[board]], or name a program beside it")
        arguments.log = arguments.log or content.log
        arguments.quiet = arguments.quiet or content.quiet
        if arguments.pcap is None and content.pcap is not None:
            arguments.pcap = str(content.pcap)
        if duration_us is None:
            duration_us = content.duration_us
        pace = arguments.pace or content.pace or ("real" if duration_us is None else "fast")
        typed_at = {board.name for board, part in zip(lab.boards, content.boards, strict=False) if part.is_typed_at}
        return _run_lab(
            lab, arguments, duration_us, paced=pace == "real", busy_until_us=content.busy_until_us, typed_at=typed_at
        )


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
        seed=content.seed if arguments.seed is None else arguments.seed,
        profile=arguments.profile or content.profile,
        air=replace(
            air,
            loss=air.loss if arguments.loss is None else arguments.loss,
            range_m=air.range_m if arguments.range is None else arguments.range,
        ),
        boards=tuple(boards),
    )


def _run_lab(
    lab: Lab,
    arguments: argparse.Namespace,
    duration_us: int | None,
    *,
    paced: bool,
    busy_until_us: float,
    typed_at: Collection[str],
) -> int:
    """Run a lab, and return the exit code.

    Args:
        lab: the lab.
        arguments: of the command line.
        duration_us: how much virtual time, or None until all have ended.
        paced: at the pace of the wall clock.
        busy_until_us: until then it has not ended, though all programs have.
        typed_at: names of the boards whose input comes from the lab file, not from standard input.
    """

    def finished() -> bool:
        return lab.now_us >= busy_until_us and lab.finished()

    printer = _Printer(lab, as_json=arguments.json)
    descriptor = _stdin_descriptor()
    host_input = None if descriptor is None else HostInput(descriptor, lab.clock, paced=paced)
    for board in lab.boards:
        if board.name in typed_at:
            continue
        board.console.source = host_input
        if host_input is None:
            board.close_input()
    watchers: list[Callable[[Transmission], None]] = []
    capture: Callable[[], None] | None = None
    if arguments.log:
        watchers.append(_open_log(arguments, printer))
    elif arguments.keys or arguments.lmk or arguments.pmk or arguments.decoders:
        raise UserError("--keys, --pmk, --lmk and --decoders say how --log prints messages; add --log")
    if arguments.pcap is not None:
        write, capture = _open_capture(lab, arguments.pcap)
        watchers.append(write)
    if watchers:

        def observe(transmission: Transmission) -> None:
            for watch in watchers:
                watch(transmission)

        lab.air.observer = observe
    handler = _on_interrupt(lab)
    interrupted = False
    try:
        if paced:
            lab.clock.is_awaited = lambda: any(board.state == "running" for board in lab.boards)
            lab.clock.pace = Pacer(lab.clock, lab.clock.is_awaited, host_input)
        if duration_us is None:
            lab.run_until(finished)
        else:
            _run_for(lab, duration_us, finished)
    except KeyboardInterrupt:
        interrupted = True
        lab.interrupt()
    finally:
        signal.signal(signal.SIGINT, handler)
        printer.note_states()
        lab.close()
        printer.finish()
        if capture is not None:
            capture()
    if printer.unheard:
        return 1
    if not arguments.quiet:
        printer.summary()
    if arguments.explain:
        printer.explain()
    return _exit_code(lab, interrupted)


def _stdin_descriptor() -> int | None:
    """Return the descriptor of standard input, or None if there is none to read from."""
    if sys.stdin is None or sys.stdin.closed:
        return None
    try:
        return sys.stdin.fileno()
    except (OSError, ValueError):  # replaced by something that is no file
        return None


def _run_for(lab: Lab, duration_us: int, finished: Callable[[], bool]) -> None:
    """Run so much virtual time, in pieces, with a progress bar once it takes more than a second."""
    pieces = 200
    progress = Progress()
    for piece in range(1, pieces + 1):
        if lab.run_until(finished, timeout_ms=(duration_us * piece // pieces - lab.now_us) / 1000):
            break
        progress.show(piece / pieces, f"{_format_time(lab.now_us)} of {_format_time(duration_us)}")
    progress.clear()


def _add_board(lab: Lab, program: str, mac: str | None, at: str | None) -> LabBoard:
    position = (0.0, 0.0) if at is None else _parse_position(at)
    if program.startswith(_CODE):
        return lab.board(code=program[len(_CODE) :], name=labfile.code_name(lab), mac=mac, at=position)
    path, profile = _split_profile(program)
    shown = shown_argument(program)
    if shown != printable(program) and not _exists(path):
        raise UserError(f"{shown}: No such file or directory")
    return lab.board(path, mac=mac, at=position, profile=profile)


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


def _parse_duration(text: str) -> int:
    try:
        us = parse_time_us(text)
    except ValueError as error:
        raise UserError(f"--for {text}: {error}") from None
    if us == 0:
        raise UserError(f"--for {text}: a time must be more than nothing")
    return us


def _format_time(us: int) -> str:
    seconds = us / 1e6
    if seconds < 120:
        return f"{seconds:.3f} s"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s"


def _open_capture(lab: Lab, path: str) -> tuple[Callable[[Transmission], None], Callable[[], None]]:
    """Return what writes a transmission to a pcapng file, and what closes the file."""
    from espnow.capture import PcapngWriter

    def refuse(error: OSError) -> NoReturn:
        lab.air.observer = None
        raise UserError(f"--pcap {path}: {error.strerror or error}") from None

    try:
        file = Path(path).open("wb")  # noqa: SIM115 - closed when the run is over
        writer = PcapngWriter(file)
    except OSError as error:
        refuse(error)

    def write(transmission: Transmission) -> None:
        try:
            writer.write(
                transmission.mpdu,
                at_us=transmission.at_us,
                channel=transmission.channel,
                rate=transmission.rate,
                rssi_dbm=_strongest_dbm(transmission),
            )
        except OSError as error:
            refuse(error)

    def close() -> None:
        try:
            try:
                writer.close()
            finally:
                file.close()
        except OSError as error:
            refuse(error)

    return write, close


def _strongest_dbm(transmission: Transmission) -> int | None:
    return max((reception.rssi_dbm for reception in transmission.receptions), default=None)


def _open_log(arguments: argparse.Namespace, printer: _Printer) -> Callable[[Transmission], None]:
    """Return what prints the message of a transmission."""
    dissector = make_dissector(arguments)

    def log(transmission: Transmission) -> None:
        header = radiotap.build(
            channel=transmission.channel, rate=transmission.rate, rssi_dbm=_strongest_dbm(transmission)
        )
        captured = dissector.examine(transmission.mpdu, radiotap.parse(header), at_ns=transmission.at_us * 1000)
        if captured is None:  # an acknowledgement
            return
        heard_by = [reception.station for reception in transmission.receptions]
        if arguments.json:
            frame = as_json(captured) | {"sent_by": transmission.station, "heard_by": heard_by}
            printer.log(json.dumps({"us": transmission.at_us, "frame": frame}))
        else:
            more = len(heard_by) - _NAMED
            names = ", ".join(heard_by[:_NAMED]) + (f" and {more} more" if more > 0 else "")
            line = as_line(captured, keys=dissector.keys)
            printer.log(for_terminal(f"{line}  ({transmission.station} to {names or 'nobody'})"))

    return log


def _on_interrupt(lab: Lab) -> Any:
    """Let the first Ctrl-C end the run in order, and a second one at once; returns the handler that was there."""

    def end_run(_number: int, _frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        forget_after_first(signal.SIGINT)
        lab.clock.interrupt()

    before = signal.signal(signal.SIGINT, end_run)
    forget_after_first(signal.SIGINT)
    return before


def _exit_code(lab: Lab, interrupted: bool) -> int:
    if interrupted:
        return 130
    if len(lab.boards) == 1:
        return (lab.boards[0].exit_code or 0) & 0xFF
    return 1 if any(board.exit_code for board in lab.boards) else 0


class _Printer:
    """Prints what the boards print, and the summary.

    Attributes:
        unheard: whoever read the output has left, as `head` does; the run is ended then.
    """

    def __init__(self, lab: Lab, *, as_json: bool) -> None:
        self.unheard = False
        self._lab = lab
        self._json = as_json
        self._parts: dict[tuple[str, TextIO], str] = {}
        self._states: dict[str, str] = {}
        single = len(lab.boards) == 1 and not as_json
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # a program's text never fails to be printed
                stream.reconfigure(errors="backslashreplace")
        for board in lab.boards:
            if single:
                board.console.sink = self._write_raw
                board.console.error_sink = self._write_error
            else:
                board.console.sink = self._sink(board.name, sys.stdout)
                board.console.error_sink = self._sink(board.name, sys.stderr)

    def _sink(self, name: str, stream: TextIO) -> Callable[[str], None]:
        key = name, stream

        def sink(text: str) -> None:
            *lines, self._parts[key] = (self._parts.get(key, "") + text).split("\n")
            for line in lines:
                self._line(name, line, stream)

        return sink

    def _write(self, text: str, stream: TextIO, *, flush: bool = True) -> None:
        """Write for a program, which never learns that nobody reads it."""
        if self.unheard:
            return
        try:
            stream.write(text)
            if flush:
                stream.flush()
        except BrokenPipeError:
            self.unheard = True
            self._lab.clock.interrupt()

    def _write_raw(self, text: str) -> None:
        self._write(text, sys.stdout, flush="\n" in text)

    def _write_error(self, text: str) -> None:
        self._write("", sys.stdout)
        self._write(text, sys.stderr)

    def _line(self, name: str, line: str, stream: TextIO) -> None:
        if self._json:
            line = line.removesuffix("\r")
            shown = json.dumps({"us": self._lab.now_us, "board": name, "line": line})
        else:
            shown = for_terminal(f"{name}: {line}")
        self._write(shown + "\n", stream)

    def log(self, line: str) -> None:
        """Print a line about the air: beside the programs' output, or as one object among theirs."""
        if self._json:
            self._write(line + "\n", sys.stdout)
        else:
            self._write_error(line + "\n")

    def note_states(self) -> None:
        """Remember for the summary how the boards are now, before the lab ends their programs."""
        self._states = {board.name: _describe(board) for board in self._lab.boards}

    def finish(self) -> None:
        """Print lines that were begun and not ended."""
        for (name, stream), part in self._parts.items():
            if part:
                self._line(name, part, stream)
        self._parts.clear()
        self._write("", sys.stdout)

    def summary(self) -> None:
        """Say how each board ended and what it sent and received; of a single program only that it died."""
        boards = self._lab.boards
        if len(boards) == 1 and not self._json:
            board = boards[0]
            if board.error is not None and not isinstance(board.error, KeyboardInterrupt):
                shown = for_terminal(f"--- {board.name} {_describe(board)}")
                print(f"{shown}, after {_format_time(self._lab.now_us)} of virtual time", file=sys.stderr)
            return
        rows = []
        for board in boards:
            stats = board.hardware.counted
            rows.append(
                {
                    "board": board.name if self._json else for_terminal(board.name),
                    "mac": format_mac(board.mac),
                    "state": self._states[board.name],
                    "sent": stats.tx_responses,
                    "failed": stats.tx_failures,
                    "received": stats.rx_packets,
                    "dropped": stats.rx_dropped,
                }
            )
        if self._json:
            self._write(json.dumps({"us": self._lab.now_us, "summary": rows}) + "\n", sys.stdout)
            return
        print(f"--- {_format_time(self._lab.now_us)} of virtual time", file=sys.stderr)
        cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
        print("\n".join(table(cells, range(3, len(cells[0])))), file=sys.stderr)

    def explain(self) -> None:
        """Say why messages did not arrive."""
        report = self._lab.explain()
        if not self._json:
            print(f"---\n{report}", file=sys.stderr)
            return
        for loss in report:
            shown = {
                "sender": loss.sender,
                "receiver": loss.receiver,
                "address": format_mac(loss.address) if loss.address else None,
                "hex": loss.message.hex(),
                "text": message_text(loss.message),
                "reason": loss.reason.value,
                "why": loss.sentence,
                "attempts": loss.attempts,
            }
            self._write(json.dumps({"us": loss.at_us, "lost": shown}) + "\n", sys.stdout, flush=False)
        total = {"sent": report.sent, "counts": report.counts, "notes": list(report.notes)}
        self._write(json.dumps({"us": self._lab.now_us, "explain": total}) + "\n", sys.stdout)


def _describe(board: LabBoard) -> str:
    if board.state == "failed" and isinstance(board.error, KeyboardInterrupt):
        return "interrupted"
    if board.state == "failed":
        return f"died: {type(board.error).__name__}"
    if board.exit_code:
        return f"ended with {board.exit_code}"
    return {"armed": "ended, callback armed"}.get(board.state, board.state)

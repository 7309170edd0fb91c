"""``espnow run`` in a lab: programs on emulated boards that share one air."""

from __future__ import annotations

import argparse
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from espnow.air import Transmission
from espnow.cli._options import parse_time
from espnow.cli._printing import Printer, format_time
from espnow.cli._programs import (
    CODE,
    checked_path,
    is_lab_file,
    nth,
    split_profile,
    stdin_descriptor,
)
from espnow.cli._show import Progress
from espnow.cli._watching import CaptureFile, open_log
from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.lab import Lab, LabBoard, labfile
from espnow.lab.clock import ENDLESS_US, VirtualClock
from espnow.lab.host import HostInput, Pacer
from espnow.lab.interrupts import forget_after_first
from espnow.lab.labfile_parts import LabPart
from espnow.tomlfile import METRES, PROBABILITY, Kind

__all__ = ["run_lab"]

#: Called with each frame on the air.
Watcher = Callable[[Transmission], None]


def run_lab(arguments: argparse.Namespace, programs: list[str]) -> int:
    """Run programs and a lab file, and return the exit code.

    Args:
        arguments: of the command line.
        programs: those that were named there, and lab files among them.

    Raises:
        UserError: a mistake in one of these.
    """
    files = [program for program in programs if is_lab_file(program)]
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
            _add_board(lab, program, nth(arguments.mac, number), nth(arguments.at, number))
        for router in arguments.router:
            _add_router(lab, router)
        if not lab.boards:
            raise UserError(f"{printable(files[0])}: it has no board: write [[board]], or name a program beside it")
        return _run_lab(lab, file, arguments)


def _add_router(lab: Lab, text: str) -> None:
    ssid, _, rest = text.partition(",")
    key, _, channel = rest.partition(",")
    if channel and not re.fullmatch("[0-9]{1,9}", channel):
        raise UserError(  # which tells no key
            f"--router {printable(ssid)},...: the channel is no number; write SSID,KEY,CHANNEL, as in home,password,6"
        )
    lab.router(ssid, key, channel=int(channel or 1))


def _override(arguments: argparse.Namespace, content: LabPart, programs: int) -> LabPart:
    """Return what a lab file says after what the command line says, which wins."""
    count = len(content.boards) + programs
    for option, values in (("--mac", arguments.mac), ("--at", arguments.at)):
        if len(values) > count:
            raise UserError(f"{option} was given {len(values)} times for {count} board(s)")
    boards = []
    for number, board in enumerate(content.boards):
        mac, at = nth(arguments.mac, number), nth(arguments.at, number)
        boards.append(
            replace(board, mac=mac or board.mac, at=board.at if at is None else _parse_position(at)),
        )
    air = content.air
    return replace(
        content,
        duration_us=parse_time("--for", arguments.duration, default_us=content.duration_us, least_us=1),
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

    def finished() -> bool:  # which only calls of the clock and programs make true
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
            lab.run_clock(ENDLESS_US, finished, watched=False)
        else:
            _run_for(lab, content.duration_us, finished, printer.progress)
    except KeyboardInterrupt:
        interrupted = True
        lab.interrupt()
    finally:
        signal.signal(signal.SIGINT, handler)
        with ExitStack() as ends:  # all of them, also where a program's end is interrupted
            if capture is not None:
                ends.callback(capture.close)
            ends.callback(printer.finish)
            ends.callback(lab.close)
            printer.note_states()
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
    descriptor = stdin_descriptor()
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


def _run_for(lab: Lab, duration_us: int, finished: Callable[[], bool], progress: Progress) -> None:
    """Run so much virtual time, in pieces, with a progress bar once it takes more than a second."""
    pieces = 200
    for piece in range(1, pieces + 1):
        if lab.run_clock(duration_us * piece // pieces, finished, watched=False):
            break
        progress.show(piece / pieces, f"{format_time(lab.now_us)} of {format_time(duration_us)}")
    progress.clear()


def _add_board(lab: Lab, program: str, mac: str | None, at: str | None) -> LabBoard:
    position = (0.0, 0.0) if at is None else _parse_position(at)
    if program.startswith(CODE):
        return lab.board(code=program[len(CODE) :], mac=mac, at=position)
    path, profile = split_profile(checked_path(program))
    return lab.board(path, mac=mac, at=position, profile=profile)


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

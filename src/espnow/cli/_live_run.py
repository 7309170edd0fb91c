"""``espnow run --radio``: one program on a radio, on the wall clock, with all that it finds around it on a board.

Rules:

- Standard output carries what the program prints, at once and as it is, and nothing else. Tracebacks and what the radio
  reports go to standard error.
- All of the board lives in the main thread; the radio's loop is another thread, and answers while the program computes.
- Ctrl-C is the program's: it gets a KeyboardInterrupt, and may go on. A signal that ends the process, Ctrl-C where no
  program runs, and the end of the run end everything in order. A second signal before the first was answered ends the
  process at once.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Self

from espnow.board import PROFILES, WifiTiming
from espnow.cli._show import NO_ROOM
from espnow.cli._signals import ENDING
from espnow.errors import UserError
from espnow.frame import station_address
from espnow.frame.text import printable
from espnow.lab import Lab, LabBoard
from espnow.lab.host import HostInput
from espnow.lab.hub import ENDLESS_US
from espnow.lab.interrupts import forget_after_first
from espnow.lab.program import compile_program, source_files
from espnow.lab.wall import HostWait, WallClock
from espnow.link import Link
from espnow.live import settings
from espnow.live.address import claim_address
from espnow.radio import Choice, check_channel, open_radio
from espnow.radio.loop import RadioLoop
from espnow.radio.mailbox import LoopWait, Mailbox

__all__ = ["LiveProgram", "run_live"]

#: How long the end waits for the answers to what the program sent last.
_LAST_FRAMES_US = 500_000

#: While a program computes, the thread of the radio waits at most so long for its turn.
_SWITCH_INTERVAL_S = 0.0005

#: The beginning of a board's calendar, 2000-01-01 UTC, in seconds since 1970.
_EPOCH_S = 946_684_800


@dataclass(frozen=True, slots=True)
class LiveProgram:
    """What is to run, and on what.

    Attributes:
        radio: name of the radio.
        path: of the program or its folder, or None.
        code: its text, if there is no path.
        mac: address of the board; None for one of this program's own.
        profile: kind of the board, or None.
        channel: its channel when it starts, or None.
        pcap: a file to which every frame is written, or None.
        duration_us: how long it runs at most, or None.
        stdin: descriptor of standard input, or None.
    """

    radio: str
    path: str | None
    code: str | None
    mac: str | None = None
    profile: str | None = None
    channel: int | None = None
    pcap: str | None = None
    duration_us: int | None = None
    stdin: int | None = None


def run_live(program: LiveProgram) -> int:
    """Run a program on a radio, and return the exit code.

    Raises:
        UserError: the program or the radio cannot be: why, and what to do.
    """
    choice = _choose(program)
    _check(program)
    timing = WifiTiming()
    if choice.answer_timeout_ms is not None:
        timing = replace(timing, answer_timeout_us=round(choice.answer_timeout_ms * 1000))
    with ExitStack() as ends:
        mac = choice.mac
        if mac is None:
            claim = claim_address(_identity(program))
            ends.callback(claim.release)
            mac = claim.address
        loop = RadioLoop()
        ends.callback(loop.close)
        clock = WallClock(LoopWait(loop, HostWait()), start_ns=time.monotonic_ns() - loop.now_us * 1000)
        ends.callback(clock.close)
        ends.enter_context(_prompt_threads())
        signals = ends.enter_context(_Signals(clock, loop.waking_fd))
        mailbox = Mailbox(_open(choice, loop), loop, clock.post, clock.wake)
        ends.callback(mailbox.close)  # also where no board comes about whose link the lab closes
        lab = ends.enter_context(Lab(clock=clock, seed=secrets.randbits(64), record=False, wifi=timing))
        board = lab.board(
            program.path,
            code=program.code,
            mac=mac,
            profile=choice.profile,
            channel=check_channel(choice, mailbox),
            link=mailbox,
        )
        return _run(lab, clock, board, mailbox, program, signals)


def _choose(program: LiveProgram) -> Choice:
    """Return what the board is: what was said here, else the environment, else as usual.

    Raises:
        UserError: something of it cannot be.
    """
    choice = settings()
    if program.channel is not None and not 1 <= program.channel <= 14:
        raise UserError(f"--channel {program.channel}: a channel is from 1 to 14")
    mac = program.mac or choice.mac
    try:
        mac = None if mac is None else station_address(mac)
    except (TypeError, ValueError) as error:
        raise UserError(f"{'--mac' if program.mac else 'ESPNOW_MAC'}: {error}") from None
    profile = program.profile or choice.profile
    if profile not in PROFILES:
        where = "" if program.profile else "ESPNOW_PROFILE: "
        raise UserError(f"{where}there is no profile {profile!r}; there are {', '.join(PROFILES)}")
    return replace(
        choice,
        radio=program.radio,
        mac=mac,
        profile=profile,
        channel=program.channel or choice.channel or 1,
        capture=program.pcap or choice.capture,
    )


def _check(program: LiveProgram) -> None:
    """Refuse a program that cannot be run, before the radio is touched."""
    if program.code is not None:
        compile_program(program.code, "<string>")
    else:
        assert program.path is not None
        source_files(Path(program.path))


def _identity(program: LiveProgram) -> str:
    """Return what tells this program from others on this computer."""
    return f"-c {program.code}" if program.path is None else os.path.realpath(program.path)


def _open(choice: Choice, loop: RadioLoop) -> Link:
    assert choice.radio is not None
    link = open_radio(choice.radio, loop, _report)
    if choice.capture is not None:
        from espnow.radio.record import record

        with loop.lock:
            try:
                return record(link, loop, choice.capture, _report)
            except BaseException:
                link.close()
                raise
    return link


def _report(line: str) -> None:
    """Tell a person something; where nobody can read it, nothing happens: a radio is in the middle of its work."""
    if sys.stderr is None:  # `print` would take standard output
        return
    try:
        print(f"espnow run: {printable(line)}", file=sys.stderr, flush=True)
    except (OSError, ValueError):  # ValueError: it is closed
        pass


@contextmanager
def _prompt_threads() -> Iterator[None]:
    """Let the radio's thread have its turn soon, whatever the program computes."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _run(lab: Lab, clock: WallClock, board: LabBoard, mailbox: Mailbox, program: LiveProgram, signals: _Signals) -> int:
    output = _Output(clock)
    board.console.sink = output.write
    board.console.error_sink = output.write_error
    if program.stdin is not None:
        clock.input = HostInput(program.stdin, clock, paced=True)
        board.console.source = clock.input
    else:
        board.close_input()
    power = board.hardware.power
    power.calendar_us = time.time_ns() // 1000 - _EPOCH_S * 1_000_000 - clock.now_us
    until_us = ENDLESS_US if program.duration_us is None else clock.now_us + program.duration_us
    code = _run_program(lab, board, signals, output, until_us)
    if not signals.ends and output.unheard is None and lab.finished():
        _let_go(lab, mailbox, clock.now_us + _LAST_FRAMES_US)
    lab.close()
    if mailbox.dropped:
        _report(f"{mailbox.dropped} frames came faster than the program took them, and were dropped")
    if output.unheard is not None:
        raise output.unheard
    return 128 + signals.ends if signals.ends else code


def _run_program(lab: Lab, board: LabBoard, signals: _Signals, output: _Output, until_us: int) -> int:
    """Run the program to its end, and return the exit code."""
    while True:
        try:
            lab.run_clock(until_us, lab.finished)
        except KeyboardInterrupt:
            if signals.ends:
                return 128 + signals.ends
            if output.unheard is not None:
                return 1
            if board.state != "running":  # nobody is there to be interrupted
                return 130
            signals.listen()
            board.interrupt()
        else:
            return (board.exit_code or 0) & 0xFF


def _let_go(lab: Lab, mailbox: Mailbox, until_us: int) -> None:
    """Let what was sent last go out: the radio of a board would still be there."""
    try:
        lab.run_clock(until_us, lambda: not mailbox.unanswered)
    except KeyboardInterrupt:
        pass


class _Signals:
    """Ctrl-C and what ends a process, as interruptions of the clock.

    Attributes:
        ends: the number of the signal that ends the process, 0 while there was none.
    """

    def __init__(self, clock: WallClock, waking_fd: int) -> None:
        self.ends = 0
        self._clock = clock
        self._waking_fd = waking_fd
        self._waking_fd_before = -1
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._clock.hears_ctrl_c = True
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
                self._before[number] = signal.getsignal(number)
        # A signal that comes when the thread has looked for signals, and does not wait yet, would not end the wait.
        self._waking_fd_before = signal.set_wakeup_fd(self._waking_fd, warn_on_full_buffer=False)
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._waking_fd_before)
        self._clock.hears_ctrl_c = False

    def listen(self) -> None:
        """Take the next signal, too: the last one was answered."""
        for number in self._before:
            signal.signal(number, self._take)
            forget_after_first(number)

    def _take(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
            forget_after_first(number)
        else:
            signal.signal(number, signal.SIG_DFL)
            self.ends = number
        self._clock.interrupt()


class _Output:
    """Standard output and error, which a program writes to without ever learning that nobody reads them.

    Attributes:
        unheard: why that is so: the reader has left, or there is no room; the run is ended then.
    """

    def __init__(self, clock: WallClock) -> None:
        self.unheard: OSError | None = None
        self._clock = clock
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # a program's text never fails to be printed
                stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> None:
        """Print what the program prints."""
        self._write(lambda: sys.stdout.write(text), sys.stdout.flush)

    def write_error(self, text: str) -> None:
        """Print a traceback."""
        self._write(lambda: sys.stderr.write(text), sys.stderr.flush)

    def _write(self, write: Callable[[], object], flush: Callable[[], object]) -> None:
        if self.unheard is not None:
            return
        try:
            write()
            flush()
        except OSError as error:
            if not isinstance(error, BrokenPipeError) and error.errno not in NO_ROOM:
                raise
            self.unheard = error
            self._clock.interrupt()

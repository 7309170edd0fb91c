"""A command on its radio: opening and closing it, and the way from the radio's thread to the command's.

Rules:

- The radio's thread answers, keeps time, and leaves what it has to tell as calls in a mailbox. The command's own thread
  makes them: it alone prints, and what it prints may block for as long as the reader likes. One exception: while that
  thread waits for input, which may be for ever, the radio's thread itself prints what the radio reports.
- Frames wait in the mailbox up to a bound. Beyond it they are dropped and counted; a radio that replays waits instead.
  A command that takes none has none waiting.
- A signal ends a wait, never a step: everything is closed in order. A second one ends the command at once.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import stat
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from io import TextIOWrapper
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

from espnow.cli._frames import shown_argument
from espnow.cli._options import begin_channel, check_channel
from espnow.cli._signals import ENDING, caught
from espnow.cli._station import Answer, Heard, RadioStation
from espnow.errors import EspNowCode, NodeError, UserError
from espnow.frame import RATES, format_mac, station_address
from espnow.frame.text import printable
from espnow.link import Link, Outcome
from espnow.radio import DEFAULT, open_radio, parse_name
from espnow.radio.loop import RadioLoop

if TYPE_CHECKING:
    from espnow.live.address import Claim

__all__ = ["Session"]

#: Frames that wait for the command; of the longest kind they take 40 MB.
_MOST_WAITING = 16_384

#: How often the radio's trouble is looked at, and how often one that has no room is tried again.
_LOOK_US = 200_000
_FULL_US = 5_000

#: The wall clock was set, or the computer slept, if it differs by more from where it should be.
_STEP_NS = 10**9

#: Packet numbers have 48 bits. One stands for 2**14 ns, in which no frame fits.
_PACKET_NUMBERS = 1 << 48
_PACKET_NUMBER_BITS = 14


class Session:
    """A command on its radio, from opening it to leaving it as it was found; a context manager.

    Attributes:
        loop: the radio's clock.
        link: the radio.
        station: the command on it.
        channel: on which it begins.
        name: of the radio, safe to print.
        on_frame: called with each frame that was heard, in the command's thread; None for a command that takes none.
        before_line: called before a line goes to standard error, to make room for it on a terminal.
        over: the command is to end: `end` was called, or a signal came.
        signal: the number of the signal that came, or None.
        reports: lines that the radio told.
        dropped: frames that came faster than the command took them.
    """

    def __init__(
        self,
        command: str,
        arguments: argparse.Namespace,
        *,
        profile: str = "esp32",
        rate: int | None = None,
        sends: bool = False,
    ) -> None:
        """Open the radio.

        Args:
            command: its name.
            arguments: of the command line, with the options of `add_radio_options`.
            profile: of the board whose frames it sends.
            rate: it sends with this ``wifi_phy_rate_t`` number; None for the profile's.
            sends: it must be able to send.

        Raises:
            UserError: an option is wrong, the radio cannot be opened, or what ``ESPNOW_CAPTURE`` names not be written.
        """
        self.on_frame: Callable[[Heard], None] | None = None
        self.before_line: Callable[[], None] = lambda: None
        self.over = False
        self.signal: int | None = None
        self.dropped = 0
        self._command = command
        self._rate = rate
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._lines: SimpleQueue[str] = SimpleQueue()  # reports, each with a call that says one
        self._reading = False
        self._printed = False
        self._closed = False
        self._trouble: str | None = None
        self.reports = 0
        self._looked = 0
        self._signals = ExitStack()
        self._claim: Claim | None = None
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # a message never fails to be printed
                stream.reconfigure(errors="backslashreplace")
        self.channel = begin_channel(getattr(arguments, "channel", None))
        radio = arguments.radio or os.environ.get("ESPNOW_RADIO") or DEFAULT
        self.name = printable(radio)
        capture = os.environ.get("ESPNOW_CAPTURE")
        if capture and _is_replayed(radio, capture):
            raise UserError("ESPNOW_CAPTURE names the capture that is replayed: unset it, or name another file")
        address = self._own_address(getattr(arguments, "mac", None))
        self.loop = RadioLoop()
        self._epoch_ns = time.time_ns() - self.loop.now_us * 1000
        link: Link | None = None
        try:
            self._signals.enter_context(caught(ENDING, self._on_signal))
            link = open_radio(radio, self.loop, self._report)
            if sends and not link.abilities.sends:
                raise UserError(f"radio {self.name} sends nothing: it only hears")
            chance = random.SystemRandom()
            with self.loop.lock:
                if capture:
                    from espnow.radio.record import record

                    link = record(link, self.loop, capture, self._report, name=radio)
                self.link = link
                self.station = RadioStation(
                    self.loop,
                    link,
                    address,
                    lambda: chance.getrandbits(32),
                    profile=profile,
                    rate=rate,
                    first_packet_number=_first_packet_number(),
                )
                self.station.hear = self._take_frame
        except BaseException:
            if link is not None:
                with self.loop.lock:
                    link.close()
            self.loop.close()
            self._release()
            raise

    def __enter__(self) -> Self:
        """Begin."""
        if self._rate is not None and self._rate not in self.link.abilities.rates:
            self.say(f"this radio does not send with {RATES[self._rate].name}, and takes another rate")
        with self.loop.lock:
            self._look()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the radio."""
        self._closed = True
        try:
            with self.loop.lock:
                self.link.close()
            self.loop.close()
        finally:
            self._release()

    # The command's thread.

    def tune(self, channel: int | None = None, *, promiscuous: bool = False, silent: bool = False) -> None:
        """Turn the radio to a channel (`RadioStation.tune`); None for the one on which the command begins.

        Raises:
            UserError: the radio does not have it.
        """
        if channel is None:
            channel = self.channel
            check_channel("--channel", channel, self.link)
        with self.loop.lock:
            self.station.tune(channel, promiscuous=promiscuous, silent=silent)

    def send(self, address: bytes, message: bytes) -> Answer | None:
        """Send a message and wait for what becomes of it; None if the command is to end before.

        Raises:
            UserError: its frame is longer than the radio takes.
        """
        if not self.station.fits(address, message):
            most = self.link.abilities.max_mpdu
            raise UserError(f"this radio takes frames of at most {most:,} bytes: {len(message):,} do not fit into one")
        answers: list[Answer] = []

        def answered(answer: Answer) -> None:
            answers.append(answer)
            self.post(_nothing)

        while not self.over:
            try:
                with self.loop.lock:
                    self.station.send(address, message, answered)
            except NodeError as error:
                if error.code is not EspNowCode.NO_MEM:
                    raise
                self.pause(_FULL_US)
                continue
            self.run_until(lambda: bool(answers))
            break
        if answers and answers[0].outcome is Outcome.NOT_ACKNOWLEDGED:  # it may be why
            with self.loop.lock:
                self._look_at_trouble()
        return answers[0] if answers else None

    def pause(self, us: int) -> None:
        """Let time pass, and frames come; not longer than until the command is to end."""
        self.pause_until(self.loop.now_us + us)

    def pause_until(self, at_us: int) -> None:
        """Let time pass until `at_us`, and frames come; not longer than until the command is to end."""
        loop = self.loop
        if at_us > loop.now_us:
            with loop.lock:
                timer = loop.call_at(at_us, lambda: self.post(_nothing))
            self.run_until(lambda: loop.now_us >= at_us)
            with loop.lock:
                timer.cancel()

    def run(self) -> None:
        """Let frames come until the command is to end."""
        self.run_until(lambda: False)

    def run_until(self, done: Callable[[], bool]) -> None:
        """Make the calls that the radio left until `done` says so, or the command is to end."""
        while not self.over and not done():
            if self._printed and self._calls.empty():
                self._printed = False
                sys.stdout.flush()
            self._take()()

    def end(self) -> None:
        """Let the command end; may be called in any thread."""
        self.over = True
        self.post(_nothing)

    def end_after(self, us: int) -> None:
        """Let the command end when so much time has passed."""
        with self.loop.lock:
            self.loop.call_at(self.loop.now_us + us, self.end)

    def every(self, us: int, call: Callable[[], object]) -> None:
        """Have a call made in the command's thread again and again; one that comes late is made once."""
        waiting = False

        def make() -> None:
            nonlocal waiting
            waiting = False
            call()

        def due() -> None:
            nonlocal waiting
            if not waiting:
                waiting = True
                self.post(make)
            self.loop.call_at(self.loop.now_us + us, due, background=True)

        with self.loop.lock:
            self.loop.call_at(self.loop.now_us + us, due, background=True)

    def watch_output(self) -> None:
        """End when nobody reads the output any more, and not only when something is written to it.

        For a command that may wait for ever, and has nothing else to do than to print.
        """
        try:
            descriptor = sys.stdout.fileno()
            if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                return
        except (OSError, ValueError):  # no file, or closed
            return

        def gone() -> None:
            self.loop.unwatch(descriptor)
            self.post(_raise_broken_pipe)

        with self.loop.lock:
            self.loop.watch(descriptor, gone)

    def exit_code(self, code: int, *, after_interrupt: bool = False) -> int:
        """Return the exit code: `code`, or that of the signal which ended the command.

        Args:
            code: of a command that ended by itself.
            after_interrupt: it is its code after Ctrl-C, too.
        """
        if self.signal is None or (after_interrupt and self.signal == signal.SIGINT):
            return code
        return 128 + self.signal

    def read(self, read: Callable[[], bytes]) -> bytes | None:
        """Return what a function reads that may wait for a person; None if a signal ended the wait."""
        try:
            self._reading = True
            self._say_reports()
            if self.over:
                return None
            return read()
        except KeyboardInterrupt:
            if self.signal is None:
                raise
            return None
        finally:
            self._reading = False

    def say(self, text: str) -> None:
        """Tell the person something, beside what the command prints."""
        self.before_line()
        print(f"espnow {self._command}: {printable(text)}", file=sys.stderr, flush=True)

    def say_dropped(self) -> None:
        """Say it if frames were dropped."""
        if self.dropped:
            self.say(f"{self.dropped:,} frames came faster than they could be shown, and are left out")

    def print_line(self, line: str) -> None:
        """Print a line, which is there to be read before the command waits again."""
        sys.stdout.write(line + "\n")
        self._printed = True

    @property
    def epoch_ns(self) -> int:
        """Time since 1970, UTC, at which the clock began, as the wall clock has it now.

        It is another one when the wall clock was set by more than a second, or the computer slept.
        """
        epoch_ns = time.time_ns() - self.loop.now_us * 1000
        if abs(epoch_ns - self._epoch_ns) > _STEP_NS:
            self._epoch_ns = epoch_ns
        return self._epoch_ns

    @property
    def whereabouts(self) -> str:
        """Who this is, and where, for people."""
        return f"{format_mac(self.station.address)} on channel {self.channel} of {self.name}"

    # Any thread.

    def post(self, call: Callable[[], object]) -> None:
        """Let the command's thread make a call."""
        self._calls.put(call)

    # The radio's thread, under the lock.

    def _take_frame(self, heard: Heard) -> None:
        take = self.on_frame
        if take is None:
            return
        while self._calls.qsize() >= _MOST_WAITING:
            if self.link.abilities.sends or self._closed:
                self.dropped += 1
                return
            with self.loop.lock.released():  # nothing is lost by reading a file later
                time.sleep(0.001)
        self._calls.put(lambda: take(heard))

    def _report(self, line: str) -> None:
        self.reports += 1
        self._tell(line)
        if not self._closed and hasattr(self, "link"):
            self._look_for_end()

    def _look_for_end(self) -> None:
        """End with a radio that ends, such as a capture's, after what it has told."""
        if getattr(self.link, "ended", False):
            self._calls.put(self.end)

    def _look(self) -> None:
        """Look at the radio from time to time."""
        self._look_at_trouble()
        self._look_for_end()
        self.loop.call_at(self.loop.now_us + _LOOK_US, self._look, background=True)

    def _look_at_trouble(self) -> None:
        """Say it when the radio is in trouble, and when that is over, unless the radio told so itself."""
        trouble = self.link.trouble
        if trouble != self._trouble and self.reports == self._looked:
            self._tell(f"the radio is in trouble: {trouble}" if trouble is not None else "the radio works again")
        self._trouble, self._looked = trouble, self.reports

    def _tell(self, line: str) -> None:
        """Have a line said after what was heard before it; at once while the command waits for input."""
        self._lines.put(line)
        self._calls.put(self._say_report)
        if self._reading:  # looked at when the line is there, as `read` looks for lines when it says that it reads
            with suppress(OSError):  # nobody reads them; that is no matter of the radio's
                self._say_reports()

    # Inside.

    def _say_report(self) -> bool:
        """Say one line that waits; False when there is none."""
        try:
            line = self._lines.get_nowait()
        except Empty:
            return False
        self.say(line)
        return True

    def _say_reports(self) -> None:
        while self._say_report():
            pass

    def _take(self) -> Callable[[], object]:
        """Return the next call, and wait for it."""
        return self._calls.get()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        again = self.signal is not None
        self.signal = self.signal or number
        self.over = True
        self._calls.put(_nothing)
        if self._reading or again:
            raise KeyboardInterrupt

    def _own_address(self, text: str | None) -> bytes:
        if text is None:
            from espnow.live.address import claim_address  # and the live board with it

            self._claim = claim_address(f"espnow {self._command}")
            return self._claim.address
        try:
            return station_address(text)
        except ValueError as error:
            shown = shown_argument(text)
            raise UserError(f"--mac: {error}" if shown == text else f"--mac: {shown} is no MAC address") from None

    def _release(self) -> None:
        """Give back all but the radio, and print what it said last."""
        self._signals.close()
        if self._claim is not None:
            self._claim.release()
        self._say_reports()


def _is_replayed(radio: str, capture: str) -> bool:
    """Tell whether a recording would overwrite what the radio reads."""
    name = parse_name(radio)
    try:
        return name.kind == "pcap" and Path(name.rest).samefile(capture)
    except (OSError, ValueError):  # one of them is not there
        return False


def _first_packet_number() -> int:
    """Return a number above all that commands encrypted with before: the same key takes none twice."""
    return max(1, (time.time_ns() >> _PACKET_NUMBER_BITS) % _PACKET_NUMBERS)


def _nothing() -> None:
    """End a wait."""


def _raise_broken_pipe() -> None:
    raise BrokenPipeError

"""Any radio, recorded: what a board sends and hears goes to a pcapng file as well, which Wireshark reads.

Rules:

- The radio comes first. What passes is only put in a queue; a thread of the recording's own writes it at once. When the
  file takes no more, that is reported in one line, the recording ends, and the radio goes on.
- The file ends with a whole block: whoever kills the process loses the frames of the last moment, and a disk that is
  full none that was written.
- One packet is one frame that was heard, or one that was handed over; that one is written when its answer comes, as a
  report of a sending is that Linux writes: TX_FLAGS says whether it failed, DATA_RETRIES how often it was repeated.
  Acknowledgements are the radio's own affair, and are there when the radio hands them up (`RadioConfig.promiscuous`).
- Times are the wall clock's. A received frame has the time of its end, one that was sent that of its answer.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import io
import os
import queue
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from espnow.errors import UserError
from espnow.frame import ALL_RATES, RATE_1M, radiotap
from espnow.frame.capture_blocks import (
    INBOUND,
    MAX_NAME,
    OUTBOUND,
    build_interface,
    build_packet,
    build_section,
)
from espnow.frame.mac80211 import ACTION
from espnow.frame.text import printable
from espnow.link import Abilities, Clock, Link, Outcome, RadioConfig, Station
from espnow.radio.loop import RadioLoop

__all__ = ["Recording", "RecordingLink", "record"]

#: How many bytes may wait for the file; what comes while it is so far behind is left out.
_MAX_WAITING = 4 << 20
#: How many blocks are written at once.
_MAX_PIECES = 512
#: How long the end of a recording waits for a file that takes nothing.
_CLOSE_S = 2.0
#: The wall clock was set, or the computer slept, if it differs by more from where it should be.
_STEP_US = 1_000_000

_GROUP = 1
_ACTION_BYTE = ACTION << 4


class RawFile(Protocol):
    """What a recording needs of a file; it must not buffer."""

    def write(self, content: bytes, /) -> int | None:
        """Take some of the bytes, and return how many."""

    def seekable(self) -> bool:
        """Tell whether `tell` and `truncate` work."""

    def tell(self) -> int:
        """Return where the next byte goes."""

    def truncate(self, size: int, /) -> object:
        """Cut it to this length."""

    def close(self) -> None:
        """Close it."""


class _OwnedFile(io.FileIO):
    """A file that no forked process keeps (`espnow.radio.loop.RadioLoop`): it would stay locked by that one."""

    def __init__(self, fd: int, owned: set[int]) -> None:
        super().__init__(fd, "wb")
        self._owned = owned
        owned.add(fd)

    def close(self) -> None:
        if not self.closed:
            self._owned.discard(self.fileno())
        super().close()


class Recording:
    """A pcapng file that a thread of its own writes.

    Attributes:
        frames: how many were written.
        left_out: how many were not, because the file was too slow.
        problem: why it ended before it was closed, or None.
    """

    def __init__(self, file: RawFile, name: str = "") -> None:
        """Write the opening of the file.

        Args:
            file: opened for writing bytes, unbuffered; closed with the recording.
            name: of what is recorded, such as ``udp:``.

        Raises:
            OSError: it cannot be written.
            ValueError: it is closed.
        """
        self.frames = 0
        self.left_out = 0
        self.problem: str | None = None
        self._file = file
        self._position = file.tell() if file.seekable() else None
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # Each counted by one thread alone.
        self._added = 0
        self._taken = 0
        self._thread: threading.Thread | None = None
        self._closed = False
        name = name.encode()[:MAX_NAME].decode(errors="ignore")
        _, error = self._write([build_section(), build_interface(radiotap.LINKTYPE, name=name)])
        if error is not None:
            raise error

    def add(self, block: bytes) -> None:
        """Let a block be written; never waits."""
        if self._closed or self.problem is not None:
            return
        if self._added - self._taken + len(block) > _MAX_WAITING:
            self.left_out += 1
            return
        self._added += len(block)
        self._queue.put(block)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="espnow recording", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write what waits, and close the file; waits 2 s at most for a file that takes nothing."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(_CLOSE_S)
            if thread.is_alive():  # it is in the middle of a write, and ends with that or with the process
                self.problem = "it takes nothing more"
        else:
            self._close_file()

    def _run(self) -> None:
        last = False
        while not last:
            pieces, last = self._next_pieces()
            written, error = self._write(pieces)
            self.frames += written
            if error is not None:
                self.problem = getattr(error, "strerror", None) or str(error)
                break
            self._taken += sum(map(len, pieces))
        self._close_file()

    def _next_pieces(self) -> tuple[list[bytes], bool]:
        """Wait for blocks; return what there is, and whether it is the end."""
        pieces: list[bytes] = []
        block = self._queue.get()
        while block is not None:
            pieces.append(block)
            if len(pieces) == _MAX_PIECES:
                return pieces, False
            try:
                block = self._queue.get_nowait()
            except queue.Empty:
                return pieces, False
        return pieces, True

    def _write(self, blocks: list[bytes]) -> tuple[int, OSError | ValueError | None]:
        """Write blocks; return how many, and why not all. Of one that does not go in whole, nothing is left."""
        content = b"".join(blocks)
        done = 0
        try:
            while done < len(content):
                written = self._file.write(content[done:])
                if not written:
                    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                done += written
        except (OSError, ValueError) as error:  # ValueError: somebody closed it
            whole = count = 0
            for block in blocks:
                if whole + len(block) > done:
                    break
                whole += len(block)
                count += 1
            if self._position is not None:
                with suppress(OSError, ValueError):
                    self._file.truncate(self._position + whole)
            return count, error
        if self._position is not None:
            self._position += done
        return len(blocks), None

    def _close_file(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.problem = self.problem or error.strerror or str(error)


class RecordingLink:
    """A link that records another one (`espnow.link.Link`), and is the station of that one.

    Attributes:
        station: who is above.
        link: the radio that is recorded.
    """

    station: Station

    def __init__(
        self,
        link: Link,
        clock: Clock,
        recording: Recording,
        *,
        report: Callable[[str], None],
        title: str = "the recording",
        wall_us: Callable[[], int] | None = None,
    ) -> None:
        """Stand between a radio and its station.

        Args:
            link: the radio; its station is this from now on.
            clock: of that radio.
            recording: where frames go; closed with the radio.
            report: gets a line when it ends before the radio does.
            title: what reports call the recording.
            wall_us: microseconds since 1970; None for the computer's clock.
        """
        self.link = link
        link.station = self
        self._clock = clock
        self._recording = recording
        self._title = title
        self._report = report
        self._wall_us = wall_us or _wall_us
        self._offset_us = self._wall_us() - clock.now_us
        self._config = RadioConfig()
        self._tells_attempts = link.abilities.tells_attempts
        self._rates = link.abilities.rates
        # By token: a frame without an answer, and when it was handed over.
        self._sent: dict[int, tuple[bytes, int]] = {}
        self._told = False
        self._slow = False

    @property
    def abilities(self) -> Abilities:
        """What the radio can do."""
        return self.link.abilities

    @property
    def trouble(self) -> str | None:
        """What is wrong with the radio; a recording that ended is not."""
        return self.link.trouble

    @property
    def counts(self) -> Any:
        """What the radio has seen, of a kind of its own.

        Raises:
            AttributeError: it counts nothing.
        """
        return self.link.counts  # type: ignore[attr-defined]

    @property
    def ended(self) -> bool:
        """Whether the radio is the replay of a capture, and at its end."""
        return bool(getattr(self.link, "ended", False))

    def configure(self, config: RadioConfig) -> None:
        """Pass it on."""
        self._config = config
        self.link.configure(config)

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Pass a frame on; it is recorded when its answer comes.

        Raises:
            LinkFull: the radio has no room.
        """
        self.link.transmit(mpdu, token)
        self._sent[token] = mpdu, self._clock.now_us

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        """Record a frame, and pass it on."""
        try:
            header = radiotap.build(
                channel=channel if 1 <= channel <= 14 else None,
                rate=rate if rate in ALL_RATES else None,
                rssi_dbm=min(127, max(-128, rssi_dbm)),
            )
            self._add(header + mpdu, at_us, INBOUND)
        except Exception as error:
            self._fail(error)
        self.station.received(mpdu, rssi_dbm, channel, rate, at_us)

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Record the frame that this is the answer of, and pass the answer on."""
        sent = self._sent.pop(token, None)
        if sent is not None:
            mpdu, handed_us = sent
            try:
                comment = f"{_outcome_text(mpdu, outcome, attempts)}, {_ms(at_us - handed_us)} after it was handed over"
                self._add_sent(mpdu, at_us, outcome, attempts, comment)
            except Exception as error:
                self._fail(error)
        self.station.outcome(token, outcome, attempts, at_us)

    def close(self) -> None:
        """Close the radio, then the recording; frames that have no answer yet are written, and said to have none."""
        self.link.close()
        sent, self._sent = self._sent, {}
        try:
            for mpdu, _ in sent.values():
                self._add_sent(mpdu, self._clock.now_us, None, 0, "handed over; the radio was closed before its answer")
        except Exception as error:
            self._fail(error)
        self._recording.close()
        self._tell()

    def _add_sent(self, mpdu: bytes, at_us: int, outcome: Outcome | None, attempts: int, comment: str) -> None:
        config = self._config
        group = mpdu[4] & _GROUP
        rate = config.group_rate if group else config.rate
        if mpdu[0] != _ACTION_BYTE:
            rate = RATE_1M
        known = outcome in (Outcome.ACKNOWLEDGED, Outcome.NOT_ACKNOWLEDGED)
        counted = known and attempts > 0 and not group and self._tells_attempts
        header = radiotap.build(
            channel=config.channel if attempts else None,
            rate=rate if rate in self._rates and rate in ALL_RATES else None,
            tx_flags=(radiotap.TX_FAILED if outcome is Outcome.NOT_ACKNOWLEDGED else 0) if known else None,
            data_retries=min(attempts - 1, 255) if counted else None,
        )
        self._add(header + mpdu, at_us, OUTBOUND, comment)

    def _add(self, packet: bytes, at_us: int, direction: int, comment: str = "") -> None:
        recording = self._recording
        if recording.problem is not None:
            self._tell()
            return
        offset_us = self._wall_us() - self._clock.now_us
        if abs(offset_us - self._offset_us) > _STEP_US:
            self._offset_us = offset_us
        at_us = max(0, at_us + self._offset_us)
        recording.add(build_packet(packet, at_us=at_us, direction=direction, comment=comment))
        if recording.left_out and not self._slow:
            self._slow = True
            self._report(f"{self._title} is too slow: frames are left out of it; the radio goes on")

    def _fail(self, error: Exception) -> None:
        """End the recording because of a defect in it: nobody above or below must notice."""
        if self._recording.problem is None:
            self._recording.problem = f"{type(error).__name__}: {error}"
        self._tell()

    def _tell(self) -> None:
        """Report how it ended, once, if it did not end well."""
        recording = self._recording
        if self._told or (recording.problem is None and not recording.left_out):
            return
        self._told = True
        frames = f"{recording.frames} frame{'' if recording.frames == 1 else 's'}"
        if recording.problem is not None:
            self._report(f"{self._title} ends: {recording.problem}; it has {frames}, and the radio goes on without it")
        else:
            self._report(f"{self._title} has {frames}; {recording.left_out} more came faster than it took them")


def record(
    link: Link,
    clock: Clock,
    path: str | os.PathLike[str],
    report: Callable[[str], None],
    *,
    name: str = "",
    closes_at_exit: bool = True,
) -> RecordingLink:
    """Record a radio to a file, which is overwritten.

    Args:
        link: the radio.
        clock: the clock that it lives by.
        path: of the file; ``{pid}`` in it becomes the number of the process. It may be a FIFO that somebody reads.
        report: gets a line when the recording ends before the radio does.
        name: of the radio, such as ``udp:``; the file says it.
        closes_at_exit: the end of the interpreter closes the recording. False where it closes the link, and frames
            pass until then.

    Returns:
        The link to use in the radio's place.

    Raises:
        UserError: the file cannot be written.
    """
    text = os.fspath(path).replace("{pid}", str(os.getpid()))
    title = f"the recording {printable(text)}"
    try:
        file = _OwnedFile(_open(text), clock.owned if isinstance(clock, RadioLoop) else set())
        try:
            recording = Recording(file, name)
        except OSError:
            file.close()
            raise
    except OSError as error:
        if error.errno == errno.ENXIO:
            why = "nobody reads this FIFO; start its reader first"
        elif error.errno == errno.EWOULDBLOCK:
            why = "another process records to it; give each a file of its own, such as with {pid} in its name"
        else:
            why = error.strerror or str(error)
        raise UserError(f"cannot record to {printable(text)}: {why}") from None
    if closes_at_exit:
        atexit.register(recording.close)
    return RecordingLink(link, clock, recording, title=title, report=report)


def _open(path: str) -> int:
    """Open a file for a recording, empty, and for nobody else's.

    Raises:
        OSError: it cannot be; EWOULDBLOCK if another process records to it.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    try:
        if os.isatty(fd):
            raise OSError(errno.EINVAL, "it is a terminal")
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:  # some file systems have no locks
            if error.errno == errno.EWOULDBLOCK:
                raise
        if regular:
            os.ftruncate(fd, 0)
        os.set_blocking(fd, True)
    except OSError:
        os.close(fd)
        raise
    return fd


def _outcome_text(mpdu: bytes, outcome: Outcome, attempts: int) -> str:
    """Return what became of a frame, for people."""
    times = f"{attempts} attempt{'' if attempts == 1 else 's'}"
    if not attempts:
        return f"not sent ({outcome.value})"
    if mpdu[4] & _GROUP:
        return "sent" if outcome is not Outcome.NOT_ACKNOWLEDGED else "not sent"
    if outcome is Outcome.UNKNOWN:
        return f"sent, {times}, not known whether acknowledged"
    return f"sent, {outcome.value}, {times}"


def _wall_us() -> int:
    return time.time_ns() // 1000


def _ms(us: int) -> str:
    return f"{us / 1000:.3f} ms"

"""``pcap:FILE``, a capture as a radio: what was heard once is heard again. Nothing can be sent.

A file or a pipe (a FIFO, or ``-`` for standard input), pcap or pcapng, with radiotap or bare 802.11 frames. Settings:

- ``pace=original``, as far apart as they were captured; ``pace=10``, ten times faster; ``pace=fast``, one each
  millisecond.
- ``delay=0.2``, seconds from the first time that the receiver is on to the first frame.

Rules:

- The receiver is that of a board: it hears what is for its addresses or for groups and was captured on its channel
  (where the capture says none, on any), not itself, not what had a wrong FCS or was cut off, not what a recording says
  was never sent, and nothing while it is off. Told to be promiscuous it hears frames for others, too, acknowledgements,
  and those of all channels.
- Time goes on while the receiver is off, but for ``pace=fast``, which waits for it.
- What is sent goes nowhere: it is answered as not acknowledged, after no attempt.
- The file is read in pieces, as far as it is needed; of what a pipe holds, no more is taken than one piece.
- A damaged file is heard up to the damage. That and the end are reported, and `PcapRadio.ended` says so.
"""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from espnow.errors import FrameError, LinkFull, UserError
from espnow.frame import FCS_LENGTH, LR_RATES, RATE_1M, fcs_is_right, is_group
from espnow.frame.captured import find_mpdu
from espnow.frame.captures import CaptureParser, Record
from espnow.frame.text import printable
from espnow.link import Abilities, Outcome, ProtocolBit, RadioConfig, Station

if TYPE_CHECKING:
    from espnow.link import Timer
    from espnow.radio import RadioName
    from espnow.radio.loop import RadioLoop

__all__ = ["UNMEASURED_DBM", "PcapRadio", "open_pcap"]

#: What is told of a frame whose signal nobody measured.
UNMEASURED_DBM: Final = -50

_PIECE = 1 << 16
_QUEUE_FRAMES = 32
#: So many frames that are due are handed up before other calls of the loop have their turn.
_BATCH = 64
#: From one frame to the next with pace=fast: a program takes each before its buffer is full.
_FAST_US = 1_000
#: How long it waits at once. A capture may name any time, the loop takes none that is centuries away.
_LOOK_US = 60_000_000
#: A longer gap is told.
_GAP_US = 60_000_000
#: Bytes of the shortest frame, which names its receiver and nothing else.
_SHORTEST = 10

# Of the first byte of frame control: the type, and control frames' (IEEE 802.11-2020, table 9-1).
_TYPE, _CONTROL = 0x0C, 0x04

_OTHER_CHANNEL = "on another channel"

_PACE_MIN, _PACE_MAX = 0.001, 1e6
_DELAY_S = 0.2


def open_pcap(name: RadioName, loop: RadioLoop, report: Callable[[str], None]) -> PcapRadio:
    """Open a capture as a radio.

    Raises:
        UserError: there is no such file, it is no capture, or a setting makes no sense.
    """
    name.check_settings(("pace", "delay"))
    pace = _pace(name)
    delay_us = round(name.number("delay", _DELAY_S, 0, 3600) * 1e6)
    if not name.rest:
        raise UserError(f"radio {name.text!r}: name a capture, as in pcap:air.pcapng, or - for standard input")
    title = f"radio {printable(name.text)!r}"
    try:
        fd = os.dup(0) if name.rest == "-" else os.open(Path(name.rest).expanduser(), _READ)
    except OSError as error:
        raise UserError(f"{title}: {error.strerror or error}") from None
    try:
        return PcapRadio(loop, fd, title=title, report=report, pace=pace, delay_us=delay_us)
    except (OSError, FrameError) as error:
        os.close(fd)
        raise UserError(f"{title}: {getattr(error, 'strerror', None) or error}") from None


_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def _pace(name: RadioName) -> float | None:
    text = name.settings.get("pace", "original")
    if text == "fast":
        return None
    if text == "original":
        return 1.0
    try:
        return name.number("pace", 1.0, _PACE_MIN, _PACE_MAX)
    except UserError:
        numbers = f"a number from {_PACE_MIN:g} to {_PACE_MAX:g}"
        raise UserError(f"radio {name.text!r}: pace={text!r} must be original, fast or {numbers}") from None


class PcapRadio:
    """A link that hears a capture (`espnow.link.Link`).

    Attributes:
        station: who hears it.
        abilities: what it can do: hear.
        trouble: what is wrong with the capture, once it was heard up to there.
        ended: whether there is nothing more to hear.
        heard: how many frames were handed up.
        unheard: how many were not, by reason.
        other_channels: on which channels those were that were on another one.
    """

    station: Station
    abilities = Abilities(sends=False, acknowledges=False, retries=False, rates=frozenset())

    def __init__(
        self,
        loop: RadioLoop,
        fd: int,
        *,
        title: str,
        report: Callable[[str], None],
        pace: float | None = 1.0,
        delay_us: int = 0,
    ) -> None:
        """Begin to read a capture.

        Args:
            loop: the loop it lives in.
            fd: descriptor of the capture; closed with the radio, if this succeeds.
            title: what reports call it.
            report: gets a line on damage, and one at the end.
            pace: how many times faster than it was captured; None for one a millisecond.
            delay_us: from the first time that the receiver is on to the first frame.

        Raises:
            OSError: it cannot be read.
            FrameError: it is no capture.
        """
        self.trouble: str | None = None
        self.ended = False
        self.heard = 0
        self.unheard: Counter[str] = Counter()
        self.other_channels: set[int] = set()
        self._loop = loop
        self._fd = fd
        self._title = title
        self._report = report
        self._pace = pace
        self._delay_us = delay_us
        self._config = RadioConfig()
        self._own: frozenset[bytes] = frozenset()
        self._parser = CaptureParser()
        self._records: deque[Record] = deque()
        self._timer: Timer | None = None
        self._watching = False
        self._start_us: int | None = None
        self._first_ns: int | None = None
        self._last_us = 0
        self._free_us = 0
        self._in_gap = False
        self._queued = 0
        self._asked_to_send = False
        self._closed = False
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(0, "it is a folder")
        if os.isatty(fd):
            raise OSError(0, "standard input is a terminal; lead a capture into it")
        self._is_file = stat.S_ISREG(mode)
        if self._is_file:  # what is no capture at all is said at once
            self._take(os.read(fd, _PIECE))
            if not self._parser.packets:
                self._raise_problem()

    # What the station calls.

    def configure(self, config: RadioConfig) -> None:
        """Hear as `config` says from now on; the first time that the receiver is on, the capture begins."""
        self._config = config
        self._own = frozenset(address for _, address in config.addresses)
        if not config.receiver_on:
            return
        if self._start_us is None:
            self._start_us = self._loop.now_us + self._delay_us
            self._play_at(self._start_us)
        elif self._pace is None:
            self._play_at(self._loop.now_us)

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Answer that nobody acknowledged it.

        Raises:
            LinkFull: too many frames wait for that answer.
        """
        if self._queued >= _QUEUE_FRAMES:
            raise LinkFull
        self._queued += 1
        if not self._asked_to_send:
            self._asked_to_send = True
            self._report(f"{self._title} only hears: what is sent goes nowhere")

        def answer() -> None:
            self._queued -= 1
            if not self._closed:
                self.station.outcome(token, Outcome.NOT_ACKNOWLEDGED, 0, self._loop.now_us)

        self._loop.call_at(self._loop.now_us, answer)

    def close(self) -> None:
        """Close the capture."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._stop_reading()

    # Inside.

    def _play_at(self, at_us: int) -> None:
        if self._timer is None and not self._watching and not self._closed and not self.ended:
            self._timer = self._loop.call_at(at_us, self._play)

    def _play(self) -> None:
        """Hand up what is due, and wait for what is not."""
        self._timer = None
        records = self._records
        for _ in range(_BATCH):
            if self._closed or (self._pace is None and not self._config.receiver_on):
                return
            if not records:
                self._read_on()
                return
            now_us = self._loop.now_us
            due_us = self._due_us(records[0], now_us)
            if due_us > now_us:
                self._tell_gap(due_us - now_us)
                self._play_at(min(due_us, now_us + _LOOK_US))
                return
            self._last_us = max(due_us, self._last_us)
            self._hear(records.popleft(), self._last_us)
        self._play_at(self._loop.now_us)

    def _due_us(self, record: Record, now_us: int) -> int:
        at_ns = record.at_ns
        if self._pace is None:
            return max(now_us, self._free_us)
        if at_ns is None:
            return self._last_us
        if self._first_ns is None:
            self._first_ns = at_ns
            self._start_us = now_us
        assert self._start_us is not None
        return self._start_us + int((at_ns - self._first_ns) / (1000 * self._pace))

    def _tell_gap(self, us: int) -> None:
        """Say that nothing is heard for long, once for each time."""
        if us > _GAP_US and not self._in_gap:
            self._report(f"{self._title}: the next frame comes in {us // 1_000_000} s; pace=fast waits for none")
        self._in_gap = us > _GAP_US

    def _read_on(self) -> None:
        """Read the next piece, or wait for it."""
        if self.ended or self._parser.problem is not None:
            self._end()
        elif self._is_file:
            self._read()
        elif not self._watching:
            self._watching = True
            self._loop.watch(self._fd, self._readable)

    def _readable(self) -> None:
        self._loop.unwatch(self._fd)
        self._watching = False
        self._read()

    def _read(self) -> None:
        try:
            piece = os.read(self._fd, _PIECE)
        except BlockingIOError:
            piece = None
        except OSError as error:
            self.trouble = error.strerror or str(error)
            self._end()
            return
        if piece is not None and not self._take(piece):
            self._end()
            return
        self._play_at(self._loop.now_us)

    def _take(self, piece: bytes) -> bool:
        """Take a piece of the capture; False at its end."""
        if not piece:
            return False
        self._records.extend(self._parser.feed(piece))
        return True

    def _raise_problem(self) -> None:
        """Say what is wrong with a file whose first piece holds no packet.

        Raises:
            FrameError: it is no capture.
        """
        if self._parser.problem is not None or self._parser.format is None:
            self._parser.finish()

    def _end(self) -> None:
        """Tell that there is nothing more."""
        if self.ended:
            return
        self.ended = True
        self._stop_reading()
        try:
            self._parser.finish()
        except FrameError as error:
            self.trouble = self.trouble or str(error)
        if self.trouble is not None:
            self._report(f"{self._title}: {self.trouble}")
        self._report(f"{self._title} is at its end: {self._account()}")

    def _account(self) -> str:
        """Return what was heard and what was not, for people."""
        text = f"{self.heard} frame{'' if self.heard == 1 else 's'} heard"
        unheard = [f"{count} {reason}" for reason, count in self.unheard.items() if reason != _OTHER_CHANNEL]
        if self.other_channels:
            channels = ", ".join(map(str, sorted(self.other_channels)))
            unheard.insert(0, f"{self.unheard[_OTHER_CHANNEL]} {_OTHER_CHANNEL} ({channels})")
        return f"{text}; not heard: {', '.join(unheard)}" if unheard else text

    def _stop_reading(self) -> None:
        self._records.clear()
        if self._watching:
            self._watching = False
            self._loop.unwatch(self._fd)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _hear(self, record: Record, at_us: int) -> None:
        """Hand a frame up, if the receiver hears it."""
        try:
            found = find_mpdu(record)
        except FrameError:
            found = None
        if found is None:
            self.unheard["that are no frames of 802.11"] += 1
            return
        mpdu, radio, has_fcs, missing, bad_fcs = found
        if missing or bad_fcs or (has_fcs and not fcs_is_right(mpdu)):
            self.unheard["damaged or cut off"] += 1
            return
        if has_fcs:
            mpdu = mpdu[:-FCS_LENGTH]
        config = self._config
        channel, rate, rssi_dbm = config.channel, RATE_1M, UNMEASURED_DBM
        if radio is not None:
            # As a recording says it: after an attempt there is a channel, and in reports of Linux a number of retries.
            if radio.tx_failed and radio.frequency_mhz is None and radio.data_retries is None:
                self.unheard["that were never sent"] += 1
                return
            if radio.frequency_mhz is not None:
                channel = radio.channel or 0
            rate = RATE_1M if radio.rate is None else radio.rate
            rssi_dbm = UNMEASURED_DBM if radio.rssi_dbm is None else radio.rssi_dbm
        reason = self._why_unheard(mpdu, channel, rate)
        if reason is not None:
            self.unheard[reason] += 1
            return
        self.heard += 1
        self._free_us = at_us + _FAST_US
        self.station.received(mpdu, rssi_dbm, channel, rate, at_us)

    def _why_unheard(self, mpdu: bytes, channel: int, rate: int) -> str | None:
        config = self._config
        if len(mpdu) < _SHORTEST:
            return "damaged or cut off"
        if not config.receiver_on:
            return "while the receiver was off"
        if channel == 0:
            return "in another band"
        if channel != config.channel and not config.promiscuous:
            self.other_channels.add(channel)
            return _OTHER_CHANNEL
        if rate in LR_RATES and not config.protocols & ProtocolBit.LR:
            return "of long range, which the protocols lack"
        if mpdu[10:16] in self._own:
            return "that the board itself sent"
        if config.promiscuous:
            return None
        if mpdu[0] & _TYPE == _CONTROL:
            return "acknowledgements and the like"
        return None if is_group(mpdu[4:10]) or mpdu[4:10] in self._own else "for others"

"""The radio of ``monitor:``: sends by injection, hears through a packet socket, learns what became of each frame.

Rules:

- A frame is handed to the kernel with its rate and its number of tries, and comes back as a report that says whether it
  was acknowledged and how often it was tried. Reports are matched by receiver and random value (or CCMP's packet
  number), as other processes' come too. At most `_IN_FLIGHT` frames wait.
- No report within a time means unknown, never "failed". A driver that never reports is found out, and then whoever is
  heard acknowledging tells; one frame at a time, since an acknowledgement does not say which frame it is for.
- Groups are never acknowledged, and always answered as if they were, once they are sent.
- Frames that were taken leave before the channel is changed.
- What comes off the air changes counters and what the station is handed, and nothing else. Frames that begin with
  category 0xff are the kernel's own reflections of others (measured), and dropped.
- A device that fails is the radio's `trouble`: told once, looked at every half second, told again when it is over.

Measured on kernels 6.1 and 6.12: what is said above about the kernel, and the errors of a socket whose interface is
down (ENETDOWN once) or gone (ENETDOWN, then nothing; ENXIO from sending).
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import NamedTuple

from espnow.errors import FrameError, LinkFull, UserError
from espnow.frame import radiotap
from espnow.link import Abilities, Outcome, RadioConfig, Station, Timer
from espnow.radio.loop import RadioLoop
from espnow.radio.monitor import privileges
from espnow.radio.monitor.adapter import Adapter
from espnow.radio.monitor.filter import Wanted, attach, build_filter
from espnow.radio.monitor.injection import MAX_HEADER, header, sendable_rates

__all__ = ["Counts", "MonitorRadio"]

#: 802.2 frames (ETH_P_802_2): received ones and reports, but no copies of what is sent.
_PROTOCOL = 0x0004
_RECEIVE_BUFFER_FORCE = 33
_RECEIVE_BUFFER = 1 << 20
_LONGEST = 4096

#: Errors of a socket whose interface is down or gone.
_GONE = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV)

_ACTION = 0xD0
_ACK = 0xD4
_REFLECTED = 0xFF
_PROTECTED = 0x40
_HEADER_LENGTH = 24
_ACK_LENGTH = 10
_FCS_LENGTH = 4
_REPORT = 0x80  # the present word's bit of TX flags, in its byte
_MAX_MPDU = 2304

#: Frames that are on their way at once, and that wait besides.
_IN_FLIGHT = 32

#: Packets that are read in one go before the program has a chance.
_BATCH = 64

#: No report of any frame for so long: the oldest one is given up. Longer than the longest frame takes with 11 tries.
_REPORT_LIMIT_US = 250_000

#: No acknowledgement heard for so long after its frame was handed over, where there are no reports.
_HEARD_LIMIT_US = 40_000

#: Frames without a report after which a driver that never sent one is known as one that has none.
_UNREPORTED = 4

_LOOK_AGAIN_US = 500_000
_FULL_AGAIN_US = 1_000

#: How strongly a frame was heard when the driver does not tell.
_UNTOLD_DBM = -127


@dataclass(slots=True)
class Counts:
    """What a radio has seen.

    Attributes:
        frames_sent: frames that the kernel took.
        frames_heard: frames that passed the filter.
        reports: of its frames.
        foreign_reports: of frames that are not under way: another process's, or too late.
        unreported: frames whose report did not come in time.
        malformed: packets without a readable radiotap header, or too short.
        bad_fcs: frames that the radio found broken.
        reflected: frames that the kernel sent back for somebody.
        full: times at which the kernel took no more.
        refused: frames that the kernel did not take.
    """

    frames_sent: int = 0
    frames_heard: int = 0
    reports: int = 0
    foreign_reports: int = 0
    unreported: int = 0
    malformed: int = 0
    bad_fcs: int = 0
    reflected: int = 0
    full: int = 0
    refused: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return them by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class _Sent(NamedTuple):
    """A frame that is on its way."""

    token: int
    group: int
    at_us: int


class MonitorRadio:
    """A link over a Wi-Fi adapter in monitor mode (`espnow.link.Link`). Made by `espnow.radio.open_radio`.

    Attributes:
        station: who is above it.
        trouble: what is wrong with its device, or with the channel that it should be on.
        counts: what it has seen.
        adapter: the interface.
    """

    station: Station

    def __init__(self, loop: RadioLoop, adapter: Adapter, report: Callable[[str], None], *, answer: bool) -> None:
        """Make one that hears and sends nothing before its first `configure`.

        Raises:
            UserError: this process must not use packet sockets.
        """
        self.counts = Counts()
        self.trouble: str | None = None
        self.adapter = adapter
        self._loop = loop
        self._report = report
        self._answer = answer
        self._config = RadioConfig()
        self._addresses: tuple[bytes, ...] = ()
        self._wanted: Wanted | None = None
        self._tuned: tuple[int, tuple[bytes, ...]] | None = None
        self._tuning = False
        self._queue: deque[tuple[bytes, int]] = deque()
        self._in_flight: dict[bytes, _Sent] = {}
        self._refused: deque[int] = deque()
        self._progress_us = 0
        self._reports_come = False
        self._listens = False
        self._late: Timer | None = None
        self._again: Timer | None = None
        self._told = False
        self._silent = not answer
        self._closed = False
        self._ht = adapter.phy.ht
        self._socket: socket.socket | None = None
        self._abilities = self._find_abilities()
        self._open_socket()

    @property
    def abilities(self) -> Abilities:
        """What it can do; less where its driver reports nothing."""
        return self._abilities

    def _find_abilities(self) -> Abilities:
        return Abilities(
            acknowledges=self._answer,
            tells_outcome=not self._listens,
            tells_attempts=not self._listens,
            retries=not self._listens,
            channels=self.adapter.sendable_channels(),
            rates=sendable_rates(ht=self._ht),
            max_mpdu=min(_MAX_MPDU, self.adapter.mtu - MAX_HEADER),
        )

    # From above.

    def configure(self, config: RadioConfig) -> None:
        """Make the radio work as `config` says."""
        self._config = config
        self._addresses = tuple(address for _, address in config.addresses)
        self._set_filter()
        if self._silent and self._addresses and config.receiver_on and not config.promiscuous:
            self._silent = False
            self._report(
                f"{self.adapter.name}: boards that send to this one get no acknowledgement, so they retry and see a "
                f"failure, though messages arrive; monitor:{self.adapter.name}?ack=on acknowledges"
            )
        answers = self._addresses if self._answer and config.receiver_on else ()
        on = config.receiver_on or bool(self._addresses)
        # One that is off stays on its channel, and answers nobody.
        channel = config.channel if on or self._tuned is None else self._tuned[0]
        if self._tuned != (channel, answers) and (on or self._tuned is not None):
            self._tuned = channel, answers
            self._tuning = True
            self._go_on()

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Queue a frame.

        Raises:
            LinkFull: too many frames wait.
        """
        if len(self._queue) + len(self._in_flight) + len(self._refused) >= _IN_FLIGHT:
            raise LinkFull
        if self.trouble is not None or not self._addresses or len(mpdu) > self._abilities.max_mpdu:
            self._refuse(token)
        elif self._queue or self._tuning or not self._send(mpdu, token):
            self._queue.append((mpdu, token))

    def close(self) -> None:
        """Put the interface back as it was."""
        if self._closed:
            return
        self._closed = True
        for timer in (self._late, self._again):
            if timer is not None:
                timer.cancel()
        self._queue.clear()
        self._in_flight.clear()
        self._refused.clear()
        self._close_socket()
        self.adapter.close()

    # The socket.

    def _open_socket(self) -> None:
        try:
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        except PermissionError:
            needed = privileges.advice(privileges.NET_RAW)
            raise UserError(f"{self.adapter.name}: frames cannot be sent and received: {needed}") from None
        try:
            attach(opened, build_filter(Wanted(receiving=False)))
            try:
                opened.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, _RECEIVE_BUFFER)
            except OSError:  # beyond the system's limit, which needs CAP_NET_ADMIN
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            opened.bind((self.adapter.name, _PROTOCOL))
        except BaseException:
            opened.close()
            raise
        self._socket = opened
        self._wanted = None
        self._loop.watch(opened.fileno(), self._read)

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _set_filter(self) -> None:
        """Let the kernel hand over what the station may want, and nothing else."""
        config = self._config
        wanted = Wanted(
            addresses=self._addresses,
            receiving=config.receiver_on,
            others=config.promiscuous and config.receiver_on,
            acknowledgements=self._listens,
            beacons=config.absence is not None,
        )
        if wanted != self._wanted and self._socket is not None:
            self.adapter.hear_control(wanted.others or wanted.acknowledgements)
            attach(self._socket, build_filter(wanted))
            self._wanted = wanted

    # Sending.

    def _send(self, mpdu: bytes, token: int) -> bool:
        """Hand a frame to the kernel, or refuse it; False when it has to wait."""
        in_flight = self._in_flight
        action = mpdu[0] == _ACTION
        key = mpdu[4:10] + (mpdu[24:32] if action else mpdu[22:24])
        group = mpdu[4] & 1
        if self._socket is None or key in in_flight or (self._listens and in_flight):
            return False
        config = self._config
        # Wi-Fi's own frames leave with 1 Mb/s.
        rate = (config.group_rate if group else config.rate) if action else 0
        try:
            self._socket.send(header(rate, self._ht, 1 if group else config.attempts) + mpdu)
        except OSError as error:
            return self._not_taken(error, token)
        self.counts.frames_sent += 1
        now_us = self._loop.now_us
        if group and self._listens:
            self._loop.soon(partial(self._give_up, _Sent(token, group, now_us)))
            return True
        in_flight[key] = _Sent(token, group, now_us)
        if self._late is None:
            self._late = self._loop.call_at(now_us + self._limit_us, self._look_for_late)
        return True

    def _not_taken(self, error: OSError, token: int) -> bool:
        """Deal with a frame that the kernel did not take; False when it has to wait."""
        if error.errno in (errno.EAGAIN, errno.ENOBUFS):
            self.counts.full += 1
            self._loop.call_at(self._loop.now_us + _FULL_AGAIN_US, self._go_on)
            return False
        self.counts.refused += 1
        self._refuse(token)
        if error.errno in _GONE:
            self._look()
        return True

    def _refuse(self, token: int) -> None:
        """Answer a frame that cannot be sent, soon."""
        if not self._refused:
            self._loop.soon(self._answer_refused)
        self._refused.append(token)

    def _answer_refused(self) -> None:
        for _ in range(len(self._refused)):
            if self._closed:
                return
            self.station.outcome(self._refused.popleft(), Outcome.NOT_ACKNOWLEDGED, 0, self._loop.now_us)

    def _go_on(self) -> None:
        """Change the channel if nothing is on its way any more, and send what waits."""
        if self._closed:
            return
        if self._tuning and not self._in_flight:
            self._tune()
        queue = self._queue
        while queue and not self._tuning:
            mpdu, token = queue.popleft()
            if not self._send(mpdu, token):
                queue.appendleft((mpdu, token))
                return

    def _tune(self) -> None:
        assert self._tuned is not None
        self._tuning = False
        channel, answers = self._tuned
        trouble = self.adapter.problem() or self.adapter.tune(channel, answers)
        # Where it looks around, it passes channels that must not be sent on.
        self._set_trouble(trouble, quiet=self._config.absence is not None)

    # What became of it.

    @property
    def _limit_us(self) -> int:
        return _HEARD_LIMIT_US if self._listens else _REPORT_LIMIT_US

    def _take_report(self, packet: bytes) -> None:
        """Answer the frame that a report is about."""
        told = radiotap.parse(packet)
        at = told.length
        if len(packet) < at + _HEADER_LENGTH:
            self.counts.malformed += 1
            return
        tail = packet[at + 24 : at + 32] if packet[at] == _ACTION else packet[at + 22 : at + 24]
        sent = self._in_flight.pop(packet[at + 4 : at + 10] + tail, None)
        if sent is None:
            self.counts.foreign_reports += 1
            return
        self.counts.reports += 1
        self._progress_us = now_us = self._loop.now_us
        if not self._reports_come:
            self._reports_come = True
            self._set_listening(False)
        if sent.group:
            self.station.outcome(sent.token, Outcome.ACKNOWLEDGED, 1, now_us)
            return
        outcome = Outcome.NOT_ACKNOWLEDGED if told.tx_failed else Outcome.ACKNOWLEDGED
        self.station.outcome(sent.token, outcome, (told.data_retries or 0) + 1, now_us)

    def _look_for_late(self) -> None:
        """Give up frames whose report does not come."""
        self._late = None
        if self._closed:
            return
        limit_us = self._limit_us
        now_us = self._loop.now_us
        late = 0
        while self._in_flight:
            key, sent = next(iter(self._in_flight.items()))
            due_us = max(sent.at_us, self._progress_us) + limit_us
            if due_us > now_us:
                self._late = self._loop.call_at(due_us, self._look_for_late)
                break
            del self._in_flight[key]
            late += 1
            self.counts.unreported += 1
            self.station.outcome(sent.token, Outcome.ACKNOWLEDGED if sent.group else Outcome.UNKNOWN, 1, now_us)
        if late and not self._listens:
            self._look_why()
        self._go_on()

    def _look_why(self) -> None:
        """Find out why reports did not come: the device, a channel no longer allowed, or a driver that has none."""
        trouble = self.adapter.problem()
        if trouble is not None:
            self._set_trouble(trouble)
        elif self._reports_come:
            self._tuning = self._tuned is not None
        elif self.counts.unreported >= _UNREPORTED:
            self._set_listening(True)

    def _set_listening(self, listens: bool) -> None:
        """Listen for acknowledgements in place of reports, or no more."""
        if listens == self._listens:
            return
        self._listens = listens
        if listens:
            driver = self.adapter.driver or "its driver"
            self._report(
                f"{self.adapter.name}: {driver} does not report what became of frames; acknowledgements that are heard "
                "tell it, and without one it is unknown"
            )
        self._abilities = self._find_abilities()
        self._set_filter()

    def _hear_acknowledgement(self) -> None:
        """Answer the one frame that is on its way, where there are no reports."""
        for key, sent in self._in_flight.items():
            if not sent.group:
                del self._in_flight[key]
                self.station.outcome(sent.token, Outcome.ACKNOWLEDGED, 1, self._loop.now_us)
                return

    # Hearing.

    def _read(self) -> None:
        """Take what the socket has."""
        opened = self._socket
        if opened is None:
            return
        receive = opened.recv
        for _ in range(_BATCH):
            try:
                packet = receive(_LONGEST)
            except BlockingIOError:
                break
            except OSError:
                self._look()
                break
            try:
                if packet[5] & _REPORT:  # the filter looked at this byte too, so it is there
                    self._take_report(packet)
                else:
                    self._hear(packet)
            except FrameError:
                self.counts.malformed += 1
            if self._closed:
                return
        if self._queue or self._tuning:
            self._go_on()

    def _hear(self, packet: bytes) -> None:
        """Hand a frame up."""
        told = radiotap.parse(packet)
        if told.bad_fcs:
            self.counts.bad_fcs += 1
            return
        mpdu = packet[told.length : -_FCS_LENGTH] if told.has_fcs else packet[told.length :]
        if len(mpdu) < _ACK_LENGTH or len(mpdu) > _MAX_MPDU:
            self.counts.malformed += 1
            return
        kind = mpdu[0]
        if kind == _ACK:
            if self._listens and mpdu[4:10] in self._addresses:
                self._hear_acknowledgement()
            if not self._config.promiscuous:
                return
        elif len(mpdu) < _HEADER_LENGTH:
            self.counts.malformed += 1
            return
        elif kind == _ACTION and not mpdu[1] & _PROTECTED and mpdu[24:25] == b"\xff":
            self.counts.reflected += 1
            return
        config = self._config
        if not config.receiver_on:
            return
        self.counts.frames_heard += 1
        rssi_dbm = _UNTOLD_DBM if told.rssi_dbm is None else told.rssi_dbm
        self.station.received(mpdu, rssi_dbm, told.channel or config.channel, told.rate or 0, self._loop.now_us)

    # Trouble.

    def _look(self) -> None:
        """Find out what an error of the socket means, which may be over already."""
        trouble = self.adapter.problem()
        if trouble is not None:
            self._set_trouble(trouble)
        elif self._tuned is not None:  # it was down and is up again: nobody knows on which channel
            self._tuning = True
            self._loop.soon(self._go_on)

    def _set_trouble(self, trouble: str | None, *, quiet: bool = False) -> None:
        """Tell that something is wrong, or that all is well again."""
        before, self.trouble = self.trouble, trouble
        if trouble is None:
            if before is not None and self._told:
                self._report(f"{self.adapter.name} works again")
            self._told = False
            return
        if not quiet and not (self._told and trouble == before):
            self._told = True
            self._report(trouble)
        in_flight, self._in_flight = self._in_flight, {}
        for sent in in_flight.values():
            self._loop.soon(partial(self._give_up, sent))
        while self._queue:
            self._refuse(self._queue.popleft()[1])
        if self._again is None:
            self._again = self._loop.call_at(self._loop.now_us + _LOOK_AGAIN_US, self._look_again, background=True)

    def _give_up(self, sent: _Sent) -> None:
        """Answer a frame of which nothing more will be heard."""
        if not self._closed:
            outcome = Outcome.ACKNOWLEDGED if sent.group else Outcome.UNKNOWN
            self.station.outcome(sent.token, outcome, 1, self._loop.now_us)

    def _look_again(self) -> None:
        """Look whether the trouble is over."""
        self._again = None
        if self._closed or self.trouble is None:
            return
        self._tuning = False
        self._set_trouble(self._come_back())

    def _come_back(self) -> str | None:
        """Make the device work again, if it can; return what is wrong still."""
        adapter = self.adapter
        if adapter.is_gone():
            self._close_socket()
        trouble = adapter.find_again(self._report) if self._socket is None else adapter.problem()
        if trouble is not None:
            return trouble
        if self._socket is None:
            try:
                self._open_socket()
            except OSError as error:  # gone once more
                return adapter.problem() or adapter.explain(error, "be used")
            except UserError as error:
                return str(error)
            self._ht = adapter.phy.ht
            self._abilities = self._find_abilities()
        self._set_filter()
        return adapter.tune(*self._tuned) if self._tuned is not None else None

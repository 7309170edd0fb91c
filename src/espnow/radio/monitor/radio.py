"""The radio of ``monitor:``: sends by injection, hears through a packet socket, learns what became of each frame.

Rules:

- A frame is handed to the kernel with its rate and its number of tries, and comes back as a report that says whether it
  was acknowledged and how often it was tried. Reports are matched by receiver and random value (or CCMP's packet
  number), as other processes' come too. At most `_IN_FLIGHT` frames wait.
- What is done for every frame is done in as few steps as can be: no clock is read to send one.
- No report within a time means unknown, never "failed". A driver that never reports is found out, and one whose reports
  do not tell is known (`espnow.radio.monitor.drivers`). There whoever is heard acknowledging tells; one frame at a
  time, since an acknowledgement does not say which frame it is for.
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
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

from espnow.errors import FrameError, LinkFull, UserError
from espnow.link import Abilities, Outcome, RadioConfig, Station, Timer
from espnow.radio.loop import RadioLoop
from espnow.radio.monitor import drivers
from espnow.radio.monitor.adapter import Adapter
from espnow.radio.monitor.counts import Counts
from espnow.radio.monitor.filter import Wanted
from espnow.radio.monitor.hearing import ACK, read_packet
from espnow.radio.monitor.injection import MAX_HEADER, header, sendable_rates
from espnow.radio.monitor.notices import Notices
from espnow.radio.monitor.packetsocket import PacketSocket, open_both
from espnow.radio.monitor.reports import Ages, Told, find_renumbered, read_report
from espnow.radio.monitor.ring import KEY

__all__ = ["MonitorRadio"]

#: Errors of a socket whose interface is down or gone.
_GONE = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV)

_ACTION = 0xD0
_HEADER_LENGTH = 24
_MAX_MPDU = 2304

_ACKNOWLEDGED = Outcome.ACKNOWLEDGED  # looked up for every frame
_AT_ONCE = Outcome.ACKNOWLEDGED, 1

#: Frames that are on their way at once, and that wait besides.
_IN_FLIGHT = 32

#: Packets that are read at once, and how often before the program has a chance; what is answered leads to more reports.
_BATCH = 32
_BATCHES = 4
_REPORT_BATCHES = 16

#: While frames are on their way it is looked every so often whether reports come. One that is still there at the third
#: look without any is given up: after 400 to 600 ms; after 6 s while others' come.
_LOOK_US = 200_000

#: The same where there are no reports, and an acknowledgement is waited for: 40 to 60 ms.
_HEARD_LOOK_US = 20_000

#: Times that the socket said that there was something, and there was nothing, before somebody looks why.
_IDLE_WAKES = 16

#: Frames without a report after which a driver that never sent one is known as one that has none.
_UNREPORTED = 4

#: How often it is looked whether an adapter that is to acknowledge still does.
_CHECK_US = 5_000_000

_LOOK_AGAIN_US = 500_000
_FULL_AGAIN_US = 1_000


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
        self._answer = answer
        self._config = RadioConfig()
        self._addresses: tuple[bytes, ...] = ()
        self._tuned: tuple[int, tuple[bytes, ...]] | None = None
        self._tuning = False
        self._queue: deque[tuple[bytes, int]] = deque()
        self._in_flight: dict[bytes, int] = {}
        self._refused: deque[int] = deque()
        self._told_by: dict[bytes, Told] = {}
        self._ages = Ages()
        self._reports_come = False
        self._untold = drivers.untold(adapter.driver, answering=answer)
        self._listens = self._untold is not None
        self._late: Timer | None = None
        self._again: Timer | None = None
        self._check: Timer | None = None
        self._notices = Notices(adapter, report, answer=answer)
        self._closed = False
        self._socket: PacketSocket | None = None  # sends, and gets reports
        self._hearing: PacketSocket | None = None
        #: Hands a frame to the kernel, while nothing stands in its way; see `_transmit_with_care`.
        self._inject: Callable[[bytes], int] | None = None
        self._header = self._group_header = b""
        self._abilities = self._find_abilities()
        self._open_sockets()
        if answer:
            self._check_again()

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
            rates=sendable_rates(ht=self.adapter.phy.ht),
            max_mpdu=min(_MAX_MPDU, self.adapter.mtu - MAX_HEADER),
        )

    # From above.

    def configure(self, config: RadioConfig) -> None:
        """Make the radio work as `config` says."""
        self._inject = None
        self._config = config
        self._addresses = tuple(address for _, address in config.addresses)
        self._make_headers()
        self._set_filters()
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
        in_flight = self._in_flight
        inject = self._inject
        if inject is None or mpdu[0] != _ACTION or len(in_flight) >= _IN_FLIGHT:
            self._transmit_with_care(mpdu, token)
            return
        key = mpdu[KEY]
        if in_flight.setdefault(key, token) is not token:  # one that is just like it is on its way
            self._transmit_with_care(mpdu, token)
            return
        try:
            inject((self._group_header if key[0] & 1 else self._header) + mpdu)
        except OSError as error:
            del in_flight[key]
            self._inject = None
            if not self._not_taken(error, token):
                self._queue.append((mpdu, token))

    def _transmit_with_care(self, mpdu: bytes, token: int) -> None:
        """Queue a frame, where something may stand in its way; nothing does, and the next one need not look."""
        self._inject = None
        if len(self._in_flight) + len(self._queue) + len(self._refused) >= _IN_FLIGHT:
            raise LinkFull
        if (
            self.trouble is not None
            or not self._addresses
            or not _HEADER_LENGTH <= len(mpdu) <= self._abilities.max_mpdu
        ):
            self._refuse(token)
        elif self._queue or self._tuning or not self._send(mpdu, token):
            self._queue.append((mpdu, token))
        elif self._socket is not None and self.trouble is None and not self._listens and not self._refused:
            self._inject = self._socket.send

    def close(self) -> None:
        """Put the interface back as it was."""
        if self._closed:
            return
        self._closed = True
        for timer in (self._late, self._again, self._check):
            if timer is not None:
                timer.cancel()
        self._queue.clear()
        self._in_flight.clear()
        self._refused.clear()
        self._close_sockets()
        self.adapter.close()

    # The socket.

    def _open_sockets(self) -> None:
        """Open them on the interface as it is now.

        Raises:
            UserError: this process must not.
            OSError: the interface is gone.
        """
        self._socket, self._hearing = open_both(self.adapter.name)
        self._loop.watch(self._socket.fileno(), self._read_reports)
        self._loop.watch(self._hearing.fileno(), self._read_heard)

    def _close_sockets(self) -> None:
        self._inject = None
        for opened in (self._socket, self._hearing):
            if opened is not None:
                self._loop.unwatch(opened.fileno())
                opened.close()
        self._socket = self._hearing = None

    def _set_filters(self) -> None:
        """Let the kernel hand over what the station may want, and nothing else."""
        if self._socket is None or self._hearing is None:
            return
        config = self._config
        wanted = Wanted(
            addresses=self._addresses,
            receiving=config.receiver_on,
            reports=False,
            others=config.promiscuous and config.receiver_on,
            acknowledgements=self._listens,
            beacons=config.absence is not None,
        )
        self.adapter.hear_control(wanted.others or wanted.acknowledgements)
        self._hearing.let_pass(wanted)
        self._socket.let_pass(Wanted(addresses=self._addresses, receiving=False, reports=self._untold is None))

    # Sending.

    def _make_headers(self) -> None:
        """Make what stands before frames from now on."""
        config, ht = self._config, self.adapter.phy.ht
        self._header = header(config.rate, ht, config.attempts)
        self._group_header = header(config.group_rate, ht, 1)

    def _send(self, mpdu: bytes, token: int) -> bool:
        """Hand a frame to the kernel, or refuse it; False when it has to wait."""
        if not self._addresses:  # switched off meanwhile
            self._refuse(token)
            return True
        in_flight = self._in_flight
        group = mpdu[4] & 1
        if mpdu[0] == _ACTION:
            head = self._group_header if group else self._header
        else:
            head = header(0, self.adapter.phy.ht, self._config.attempts)  # Wi-Fi's own frames leave with 1 Mb/s
        key = mpdu[KEY]
        if self._socket is None or key in in_flight or (self._listens and in_flight):
            return False
        try:
            self._socket.send(head + mpdu)
        except OSError as error:
            return self._not_taken(error, token)
        if self._listens:
            if group:
                self._loop.soon(partial(self._give_up, token, group))
                return True
            self._notices.tell_listening(self._untold)
        in_flight[key] = token
        if self._late is None:
            self._look_later()
        return True

    def _look_later(self) -> None:
        look_us = _HEARD_LOOK_US if self._listens else _LOOK_US
        self._late = self._loop.call_at(self._loop.now_us + look_us, self._look_for_late)

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
        self._notices.tuned()
        trouble = self.adapter.problem() or self.adapter.tune(channel, answers)
        self._weigh_reports()
        # Where it looks around, it passes channels that must not be sent on.
        self._set_trouble(trouble, quiet=self._config.absence is not None)

    # What became of it.

    def _take_report(self, head: bytes, key: bytes, now_us: int) -> None:
        """Answer the frame that a report is about."""
        found = key if key in self._in_flight else find_renumbered(key, self._in_flight)
        try:
            outcome, attempts = self._told_by.get(head) or read_report(head, self._told_by)
        except FrameError:
            self.counts.malformed += 1
            return
        if found is None:
            self.counts.foreign_reports += 1
            return
        token = self._in_flight.pop(found)
        self.counts.reports += 1
        if found[0] & 1:
            outcome, attempts = Outcome.ACKNOWLEDGED, 1
        self.station.outcome(token, outcome, attempts, now_us)

    def _look_for_late(self) -> None:
        """Give up frames whose report does not come."""
        self._late = None
        if self._closed:
            return
        late = self._ages.look(self._in_flight, self.counts.reports)
        if not self._in_flight:
            self._inject = None  # while it is set, it is looked
            return
        self._look_later()
        now_us = self._loop.now_us
        for key in late:
            token = self._in_flight.pop(key, None)
            if token is not None:
                self.counts.unreported += 1
                self.station.outcome(token, Outcome.ACKNOWLEDGED if key[0] & 1 else Outcome.UNKNOWN, 1, now_us)
        if self._closed:
            return
        if late and not self._listens and not self._ages.going_on:
            self._look_why()
        self._go_on()

    def _look_why(self) -> None:
        """Find out why reports did not come: the device, a channel no longer allowed, or a driver that has none."""
        self._inject = None
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
        self._inject = None
        self._listens = listens
        if self._late is not None:
            self._late.cancel()
            self._look_later()
        self._abilities = self._find_abilities()
        self._set_filters()
        if listens and self._untold is None:
            self._notices.tell_listening(self._untold)

    def _weigh_reports(self) -> None:
        """Take reports, or listen in their place, as they tell something on the adapter as it is now."""
        untold = drivers.untold(self.adapter.driver, answering=bool(self.adapter.answers))
        if untold != self._untold:
            self._untold = untold
            self._listens = untold is None
            self._set_listening(untold is not None)

    def _hear_acknowledgement(self, now_us: int) -> None:
        """Answer the one frame that is on its way, where there are no reports."""
        for key, token in self._in_flight.items():
            if not key[0] & 1:
                del self._in_flight[key]
                self.station.outcome(token, Outcome.ACKNOWLEDGED, 1, now_us)
                self._go_on()
                return

    # Reading.

    def _read_reports(self) -> None:
        """Take reports that the kernel has."""
        opened = self._socket
        for batch in range(_REPORT_BATCHES):
            packets, reports = self._take_from(opened, batch)
            if reports:
                self._take_reports(reports)
            for packet in packets:
                at = packet[2] | packet[3] << 8  # the filter looked at these bytes, so they are there
                self._take_report(packet[:at], packet[at + KEY.start : at + KEY.stop], self._loop.now_us)
            if self.counts.reports and not self._reports_come and not self._closed:
                self._reports_come = True
                self._set_listening(False)
            # What was answered may have led to more, which is there already where nothing takes airtime.
            if len(packets) + len(reports) // 2 < _BATCH or self._socket is not opened:
                break
        if self._queue or self._tuning:
            self._go_on()

    def _read_heard(self) -> None:
        """Take frames that the kernel has."""
        opened = self._hearing
        for batch in range(_BATCHES):
            packets, _ = self._take_from(opened, batch)
            if not packets:
                return
            now_us = self._loop.now_us
            for packet in packets:
                self._hear(packet, now_us)
                if self._closed:
                    return
            if self._hearing is not opened:
                return
            if len(packets) >= _BATCH and opened is not None:  # there were many: perhaps too many
                self.counts.lost += opened.lost()

    def _take_from(self, opened: PacketSocket | None, batch: int) -> tuple[Sequence[bytes], tuple[bytes, ...]]:
        """Return what a socket has, and see to its errors."""
        if opened is None:
            return (), ()
        try:
            taken = opened.take(_BATCH)
        except OSError:
            self._look()
            return (), ()
        if taken[0] or taken[1]:
            opened.idle_wakes = 0
        elif not batch:
            opened.idle_wakes += 1
            if opened.idle_wakes > _IDLE_WAKES:  # one whose interface is gone is ready for ever
                opened.idle_wakes = 0
                self._look()
        return taken

    def _take_reports(self, parts: tuple[bytes, ...]) -> None:
        """Read reports that came as radiotap, key, radiotap, key, and so on."""
        in_flight, outcome = self._in_flight, self.station.outcome
        now_us = self._loop.now_us
        heads, keys = parts[::2], parts[1::2]
        told = self._told_by.get(heads[0])
        # What is usual when many are on their way: in order, all sent at the first try.
        if told == _AT_ONCE and heads.count(heads[0]) == len(heads):
            tokens: tuple[int, ...] = ()
            if keys == tuple(in_flight):
                tokens = tuple(in_flight.values())
                in_flight.clear()
            elif keys == tuple(islice(in_flight, len(keys))):
                tokens = tuple(map(in_flight.pop, keys))
            self.counts.reports += len(tokens)
            for token in tokens:
                outcome(token, _ACKNOWLEDGED, 1, now_us)
            if tokens:
                return
        for head, key in zip(heads, keys, strict=True):
            self._take_report(head, key, now_us)

    def _hear(self, packet: bytes, now_us: int) -> None:
        """Hand a frame up."""
        heard = read_packet(packet, self.counts)
        config = self._config
        if heard is None or not config.receiver_on:
            return
        mpdu, rssi_dbm, channel, rate = heard
        if channel is not None and not config.promiscuous:
            if channel != config.channel:
                self.counts.other_channel += 1
                self._notices.hear_elsewhere(channel, config.channel)
                return
            self._notices.elsewhere = 0
        if mpdu[0] == ACK:
            if self._listens and mpdu[4:10] in self._addresses:
                self._hear_acknowledgement(now_us)
            if not config.promiscuous:
                return
        elif self._notices.silent and mpdu[0] == _ACTION and mpdu[4:10] in self._addresses:
            self._notices.tell_silent()
        self.counts.frames_heard += 1
        self.station.received(mpdu, rssi_dbm, channel or config.channel, rate, now_us)

    # Trouble.

    def _look(self) -> None:
        """Find out what an error of the socket means, which may be over already."""
        self._inject = None
        trouble = self.adapter.problem()
        if self.adapter.is_gone():
            self._close_sockets()
        if trouble is not None:
            self._set_trouble(trouble)
        elif self._tuned is not None:  # it was down and is up again: nobody knows on which channel
            self._tuning = True
            self._loop.soon(self._go_on)

    def _set_trouble(self, trouble: str | None, *, quiet: bool = False) -> None:
        """Tell that something is wrong, or that all is well again."""
        self._inject = None
        before, self.trouble = self.trouble, trouble
        self._notices.tell_trouble(trouble, before, quiet=quiet)
        if trouble is None:
            return
        for key, token in self._in_flight.items():
            self._loop.soon(partial(self._give_up, token, key[0] & 1))
        self._in_flight.clear()
        while self._queue:
            self._refuse(self._queue.popleft()[1])
        if self._again is None:
            self._again = self._loop.call_at(self._loop.now_us + _LOOK_AGAIN_US, self._look_again, background=True)

    def _give_up(self, token: int, group: int) -> None:
        """Answer a frame of which nothing more will be heard."""
        if not self._closed:
            outcome = Outcome.ACKNOWLEDGED if group else Outcome.UNKNOWN
            self.station.outcome(token, outcome, 1, self._loop.now_us)

    def _check_again(self) -> None:
        """Look whether the adapter still acknowledges, which nothing else would tell."""
        if self._closed:
            return
        self._check = self._loop.call_at(self._loop.now_us + _CHECK_US, self._check_again, background=True)
        if self.trouble is None and self._tuned is not None and not self._tuning:
            trouble = self.adapter.problem()
            if trouble is not None:
                self._set_trouble(trouble)

    def _look_again(self) -> None:
        """Look whether the trouble is over."""
        self._again = None
        if self._closed or self.trouble is None:
            return
        self._tuning = False
        trouble = self._come_back()
        self._weigh_reports()
        self._set_trouble(trouble)

    def _come_back(self) -> str | None:
        """Make the device work again, if it can; return what is wrong still."""
        adapter = self.adapter
        if adapter.is_gone():
            self._close_sockets()
        trouble = adapter.find_again(self._notices.report) if self._socket is None else adapter.problem()
        if trouble is not None:
            return trouble
        if self._socket is None:
            try:
                self._open_sockets()
            except OSError as error:  # gone once more
                return adapter.problem() or adapter.explain(error, "be used")
            except UserError as error:
                return str(error)
            self._make_headers()
            self._abilities = self._find_abilities()
        self._set_filters()
        return adapter.tune(*self._tuned) if self._tuned is not None else None

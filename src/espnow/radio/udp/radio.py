"""The radio of ``udp:``: sends the frames of one station, answers what is for it, tries again what was not answered.

Rules:

- One frame at a time is on its way; the others wait, in order.
- Paced, a frame waits for DIFS and a random backoff after whatever it heard last on its channel, and takes its airtime,
  so that a program meets the limits of a real channel, and processes share it. A datagram leaves when its frame begins.
  What overlaps is not lost: there are no collisions here.
- A process that computes answers late: Python lets the radio's thread go on only every few milliseconds. So the time
  for an answer is not SIFS, but grows with each attempt, and an answer counts whichever attempt it was for. All of it
  ends `UdpSettings.answer_us` after the first attempt's end; frames that take longer on the air are tried less often.
- A receiver remembers the last frame of each sender that it answered, answers a repetition again, and hands it up no
  more: it came because the answer was late.
- What is heard is not trusted: `Counts` counts what is refused, and nothing that arrives changes more than that.
- Where more comes than can be heard, sources take turns (`espnow.radio.udp.crowd`): a flood does not keep others from
  being heard and answered. Nor does it take the channel (`espnow.radio.udp.channel`).
"""

from __future__ import annotations

import errno
import math
import random
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields

from espnow.errors import LinkFull
from espnow.frame import ACK_LENGTH, LR_RATES, SIFS_US, ack, airtime_us, response_rate, with_retry
from espnow.link import Abilities, Outcome, ProtocolBit, RadioConfig, Station, Timer
from espnow.radio.loop import RadioLoop
from espnow.radio.udp.channel import Channel
from espnow.radio.udp.crowd import Crowd
from espnow.radio.udp.datagram import HEADER_LENGTH, MAX_MPDU, Kind, Malformed, pack, parse
from espnow.radio.udp.filter import attach
from espnow.radio.udp.held import receiver, sender

__all__ = ["Counts", "UdpRadio", "UdpSettings"]

_FCS_LENGTH = 4
#: First byte of an action frame, which ESP-NOW's are.
_ACTION = 0xD0
_QUEUE_FRAMES = 32

#: Wi-Fi's own frames among them, and how long one is waited for an answer: a flood of requests to an access point from
#: stations that are not there must leave time for the program's frames. Wi-Fi tries again itself.
_WIFI_FRAMES = 4
_WIFI_ANSWER_US = 20_000

#: DIFS and slot of 802.11 at 2.4 GHz with long slots, and the first contention window, in slots.
_DIFS_US = 50
_SLOT_US = 20
_CW_MIN = 31

#: One that comes late to its turn, because the computer was busy, may begin so much earlier than it does.
_CATCH_UP_US = 2_000

#: A frame's first attempt begins at the latest so long after its turn, whoever else sends.
_PATIENCE_US = 200_000

#: Datagrams that are heard in one go before the program has a chance, and those that are read to let them wait.
_BATCH = 64
_CROWD = 1024

#: Sources whose last frame is remembered.
_REMEMBERED = 4096

_FRAME = int(Kind.FRAME)
_ACK = int(Kind.ACK)
#: One byte more than there may be, so that a longer one is noticed.
_LONGEST = HEADER_LENGTH + MAX_MPDU + 1

#: What a signal has lost at one metre, and how fast it fades with distance. Assumed: as the lab's air.
_LOSS_AT_1M_DB = 40.0
_FADING_DB = 30.0
_WEAKEST_DBM = -127


@dataclass(frozen=True, slots=True)
class UdpSettings:
    """How a radio behaves.

    Attributes:
        paced: frames take their airtime.
        loss: probability that a frame, or an acknowledgement, that arrives is lost.
        range_m: what comes from farther away is not heard, if both places are known.
        position: metres east and north, or None.
        rssi_dbm: how strongly it is heard at one metre; None: as its transmit power says.
        answer_us: how long after its first attempt a frame is answered at the latest.
    """

    paced: bool = True
    loss: float = 0.0
    range_m: float = math.inf
    position: tuple[float, float] | None = None
    rssi_dbm: int | None = None
    answer_us: int = 70_000


@dataclass(slots=True)
class Counts:
    """What a radio has seen.

    Attributes:
        frames_sent: attempts, all together.
        frames_heard: frames on its channel while its receiver was on, all together; unpaced, those for others aside,
            of which it then need not know.
        unheard: frames on another channel, from out of range, of the kind that it does not decode, or that came while
            its receiver was off.
        acks_sent: acknowledgements that it gave.
        acks_heard: and that it got, in time.
        acks_late: acknowledgements for something else than the frame under way.
        repeated: frames that it had answered before.
        lost: what arrived and was lost on purpose.
        crowded: datagrams for which there was no room, because their source sent more than could be heard.
        foreign: datagrams that are none of ours, or come from elsewhere.
        send_errors: datagrams that the computer did not take.
    """

    frames_sent: int = 0
    frames_heard: int = 0
    unheard: int = 0
    acks_sent: int = 0
    acks_heard: int = 0
    acks_late: int = 0
    repeated: int = 0
    lost: int = 0
    crowded: int = 0
    foreign: int = 0
    send_errors: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return them by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class _Sending:
    """The frame that is on its way."""

    __slots__ = (
        "acknowledged",
        "answer_us",
        "attempt",
        "end_us",
        "give_up_us",
        "group",
        "mpdu",
        "number",
        "rate",
        "timer",
        "token",
    )

    def __init__(self, mpdu: bytes, token: int, number: int, answer_us: int) -> None:
        self.mpdu = mpdu
        self.token = token
        self.number = number
        self.group = bool(mpdu[4] & 1)
        self.attempt = 0
        self.rate = 0
        self.end_us = 0
        self.give_up_us = 0
        self.answer_us = answer_us
        self.acknowledged = False
        self.timer: Timer | None = None


class UdpRadio:
    """A link over UDP multicast (`espnow.link.Link`). Made by `espnow.radio.open_radio`.

    Attributes:
        station: who is above it.
        abilities: all that links can do.
        trouble: what the computer says against its datagrams, or None.
        counts: what it has seen.
        sender: the random number in its datagrams.
    """

    station: Station
    abilities = Abilities(max_mpdu=MAX_MPDU)
    trouble: str | None = None

    def __init__(
        self,
        loop: RadioLoop,
        heard: socket.socket,
        sent: socket.socket,
        group: tuple[str, int],
        settings: UdpSettings,
        report: Callable[[str], None],
        *,
        only_local: bool,
    ) -> None:
        self.counts = Counts()
        self._loop = loop
        self._heard = heard
        self._sent = sent
        self._receive = receiver(heard, _LONGEST)
        self._receive_answer = receiver(sent, _LONGEST)
        self._transmit = sender(sent)
        self._group = group
        self._settings = settings
        self._report = report
        self._only_local = only_local
        self._config = RadioConfig()
        self._addresses: frozenset[bytes] = frozenset()
        self._hears_longrange = False
        chance = random.SystemRandom()
        self._random = random.Random(chance.getrandbits(64))
        self.sender = chance.getrandbits(64)
        self._east_m, self._north_m = settings.position or (math.nan, math.nan)
        self._queue: deque[tuple[bytes, int]] = deque()
        self._wifi_frames = 0
        self._sending: _Sending | None = None
        self._number = chance.getrandbits(32)
        self._channel = Channel()
        self._ideal_us = 0
        self._rssi_dbm = 0
        self._answered: dict[tuple[str, int], tuple[int, int]] = {}
        self._crowd = Crowd()
        self._is_behind = False
        self._crowd_timer: Timer | None = None
        self._closed = False
        self._filtered_for: frozenset[bytes] | None = None
        # What the kernel does not do: find out what this radio itself sent.
        self._own = None if attach(heard, self.sender, None) else self.sender.to_bytes(8, "little")
        loop.watch(heard.fileno(), self._read_group)
        loop.watch(sent.fileno(), self._read_answers)

    # From above.

    def configure(self, config: RadioConfig) -> None:
        """Make the radio work as `config` says."""
        self._config = config
        self._addresses = frozenset(address for _, address in config.addresses)
        self._hears_longrange = bool(config.protocols & ProtocolBit.LR)
        rssi_dbm = self._settings.rssi_dbm
        if rssi_dbm is None:
            rssi_dbm = round(config.tx_power_dbm - _LOSS_AT_1M_DB)
        self._rssi_dbm = min(30, max(rssi_dbm, _WEAKEST_DBM))
        # Who paces must know who else sends.
        wanted = None if self._settings.paced or config.promiscuous else self._addresses
        if wanted != self._filtered_for and not self._closed:
            self._filtered_for = wanted
            attach(self._heard, self.sender, wanted)

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Queue a frame.

        Raises:
            LinkFull: too many frames wait.
        """
        if len(self._queue) >= _QUEUE_FRAMES:
            raise LinkFull
        if mpdu[0] != _ACTION:
            if self._wifi_frames >= _WIFI_FRAMES:
                raise LinkFull
            self._wifi_frames += 1
        self._queue.append((mpdu, token))
        if self._sending is None:
            self._begin(self._loop.now_us if self._settings.paced else 0)

    def close(self) -> None:
        """Leave the group."""
        if self._closed:
            return
        self._closed = True
        self._queue.clear()
        self._wifi_frames = 0
        if self._sending is not None and self._sending.timer is not None:
            self._sending.timer.cancel()
        self._sending = None
        self._crowd.clear()
        if self._crowd_timer is not None:
            self._crowd_timer.cancel()
        for opened in (self._heard, self._sent):
            self._loop.unwatch(opened.fileno())
            opened.close()

    # Sending.

    def _begin(self, ideal_us: int) -> None:
        """Take the next frame in hand; `ideal_us` is when its turn came, of no interest unless paced."""
        mpdu, token = self._queue.popleft()
        if mpdu[0] != _ACTION:
            self._wifi_frames -= 1
        self._number = number = (self._number + 1) & 0xFFFFFFFF
        self._sending = sending = _Sending(mpdu, token, number, self._settings.answer_us)
        sending.give_up_us = ideal_us + _PATIENCE_US
        config = self._config
        if not config.addresses or len(mpdu) > MAX_MPDU:
            self._refuse(sending)
            return
        if mpdu[0] == _ACTION:
            sending.rate = config.group_rate if sending.group else config.rate
        else:  # Wi-Fi's own leave with 1 Mb/s
            sending.answer_us = min(sending.answer_us, _WIFI_ANSWER_US)
        if self._settings.paced:
            self._contend(sending, ideal_us)
        else:
            self._attempt(sending)

    def _contend(self, sending: _Sending, ideal_us: int) -> None:
        """Wait for the channel."""
        loop = self._loop
        now_us = loop.now_us
        begin_us = max(self._channel.free_at_us, ideal_us, now_us - _CATCH_UP_US)
        begin_us += _DIFS_US + _SLOT_US * self._random.randint(0, _CW_MIN)
        self._ideal_us = begin_us
        if begin_us <= now_us:
            self._attempt(sending)
        else:
            sending.timer = loop.call_at(begin_us, lambda: self._look_again(sending))

    def _look_again(self, sending: _Sending) -> None:
        """Begin, unless somebody else has begun meanwhile."""
        if sending.attempt and self._finds_answer(sending):
            return
        free_at_us = self._channel.free_at_us
        if free_at_us > self._ideal_us and self._loop.now_us < sending.give_up_us:
            self._contend(sending, free_at_us)
        else:
            self._attempt(sending)

    def _attempt(self, sending: _Sending) -> None:
        """Send the frame once, if the radio is still on."""
        if not self._config.addresses:
            self._refuse(sending)
            return
        loop = self._loop
        settings = self._settings
        sending.attempt = attempt = sending.attempt + 1
        mpdu = sending.mpdu if attempt == 1 else with_retry(sending.mpdu)
        taken = self._send(_FRAME, sending.rate, attempt, sending.number, mpdu, self._group)
        self.counts.frames_sent += 1
        sending.end_us = now_us = loop.now_us
        if settings.paced:
            sending.end_us = self._ideal_us + airtime_us(len(mpdu) + _FCS_LENGTH, sending.rate)
            if not sending.group:
                sending.end_us += SIFS_US + _ack_us(sending.rate)
            self._channel.taken(sending.end_us)
        if attempt == 1:
            sending.give_up_us = max(now_us, sending.end_us) + sending.answer_us
        if not sending.group:
            sending.timer = loop.call_at(self._wait_until_us(sending, now_us), lambda: self._unanswered(sending))
            return
        outcome = Outcome.ACKNOWLEDGED
        if not taken:
            outcome = Outcome.NOT_ACKNOWLEDGED
            sending.attempt = 0  # it is not on the air
        if sending.end_us <= now_us:
            loop.soon(lambda: self._finish(sending, outcome))
        else:
            sending.timer = loop.call_at(sending.end_us, lambda: self._finish(sending, outcome))

    def _refuse(self, sending: _Sending) -> None:
        """Send a frame no more: the radio is off, or the frame is too long."""
        self._loop.soon(lambda: self._finish(sending, Outcome.NOT_ACKNOWLEDGED))

    def _wait_until_us(self, sending: _Sending, now_us: int) -> int:
        """Return until when an answer to this attempt is waited for: longer each time, the last one to the end."""
        attempts = max(self._config.attempts, 1)
        if sending.attempt >= attempts:
            return max(sending.give_up_us, sending.end_us)
        share_us = sending.answer_us * sending.attempt * 2 // (attempts * (attempts + 1))
        return max(sending.end_us, now_us) + share_us

    def _unanswered(self, sending: _Sending) -> None:
        """Try again, or give up."""
        if self._finds_answer(sending):
            return
        now_us = self._loop.now_us
        if sending.attempt >= self._config.attempts or now_us >= sending.give_up_us:
            self._finish(sending, Outcome.NOT_ACKNOWLEDGED)
        elif not self._settings.paced:
            self._attempt(sending)
        else:
            needs_us = airtime_us(len(sending.mpdu) + _FCS_LENGTH, sending.rate)
            if now_us + needs_us > sending.give_up_us:
                sending.timer = self._loop.call_at(sending.give_up_us, lambda: self._unanswered(sending))
            else:
                self._contend(sending, now_us)

    def _finds_answer(self, sending: _Sending) -> bool:
        """Tell whether the answer has come meanwhile, though nobody has read it: the process was computing."""
        self._read_answers()
        return sending.acknowledged or self._sending is not sending

    def _finish(self, sending: _Sending, outcome: Outcome) -> None:
        """Tell what became of a frame, and take the next."""
        if self._sending is not sending:
            return
        if sending.timer is not None:
            sending.timer.cancel()
        self._sending = None
        now_us = self._loop.now_us
        if self._queue:
            self._begin(sending.end_us)
        self.station.outcome(sending.token, outcome, sending.attempt, now_us)

    def _send(self, kind: int, rate: int, attempt: int, number: int, mpdu: bytes, to: tuple[str, int]) -> bool:
        """Send a datagram, and return whether the computer took it.

        Where an acknowledgement goes to, whoever sent the frame decides: that it cannot go there is no trouble of this
        radio's.
        """
        attempt = min(attempt, 255)
        try:
            self._transmit(
                pack(
                    kind,
                    self._config.channel,
                    rate,
                    self._rssi_dbm,
                    attempt,
                    self.sender,
                    number,
                    self._east_m,
                    self._north_m,
                    mpdu,
                ),
                to,
            )
        except OSError as error:
            self.counts.send_errors += 1
            if kind == _FRAME and error.errno != errno.EAGAIN and self.trouble is None:
                self.trouble = f"udp: {self._group[0]}:{self._group[1]} takes nothing: {error.strerror}"
                self._report(self.trouble)
            return False
        if kind == _FRAME and self.trouble is not None:
            self.trouble = None
            self._report("udp: frames go out again")
        return True

    # Hearing.

    def _read_group(self) -> None:
        """Take what was sent to the group."""
        if self._is_behind:
            self._read_crowd()
            return
        receive = self._receive
        own = self._own
        for _ in range(_BATCH):
            try:
                received = receive()
            except OSError:  # such as ENETDOWN: the next one may come
                self.counts.foreign += 1
                continue
            if received is None:
                return
            datagram, source = received
            if datagram[12:20] != own:
                self._hear(datagram, source)
                if self._closed:
                    return
        self._is_behind = True

    def _read_crowd(self) -> None:
        """Let wait what was sent to the group, so that sources can take turns."""
        receive = self._receive
        own = self._own
        for _ in range(_CROWD):
            try:
                received = receive()
            except OSError:
                self.counts.foreign += 1
                continue
            if received is None:
                break
            datagram, source = received
            if datagram[12:20] != own and not self._crowd.add(datagram, source):
                self.counts.crowded += 1
        if self._crowd_timer is None:
            self._crowd_timer = self._loop.call_at(self._loop.now_us, self._hear_crowd)

    def _hear_crowd(self) -> None:
        """Take some of what waits."""
        self._crowd_timer = None
        crowd = self._crowd
        for _ in range(min(_BATCH, len(crowd))):
            self._hear(*crowd.take())
            if self._closed:
                return
        if crowd:
            self._crowd_timer = self._loop.call_at(self._loop.now_us, self._hear_crowd)
        else:
            self._is_behind = False

    def _hear(self, datagram: bytes, source: tuple[str, int]) -> None:
        """Take a datagram of the group."""
        counts = self.counts
        try:
            parsed = parse(datagram)
        except Malformed:
            counts.foreign += 1
            return
        kind, channel, rate, rssi_dbm, _attempt, sender, number, east_m, north_m, mpdu = parsed
        if kind != _FRAME or (self._only_local and not source[0].startswith("127.")):
            counts.foreign += 1
            return
        config = self._config
        if not config.receiver_on or channel != config.channel:
            counts.unheard += 1
            return
        settings = self._settings
        if settings.position is not None and east_m == east_m and north_m == north_m:
            distance_m = math.hypot(east_m - self._east_m, north_m - self._north_m)
            if distance_m > settings.range_m:
                counts.unheard += 1
                return
            if distance_m > 1.0:
                rssi_dbm -= round(_FADING_DB * math.log10(distance_m))
        rssi_dbm = min(0, max(rssi_dbm, _WEAKEST_DBM))
        group = mpdu[4] & 1
        now_us = self._loop.now_us
        if settings.paced:
            air_us = airtime_us(len(mpdu) + _FCS_LENGTH, rate)
            if not group:
                air_us += SIFS_US + _ack_us(rate)
            self._channel.heard(source, air_us, now_us)
        if rate in LR_RATES and not self._hears_longrange:
            counts.unheard += 1
            return
        counts.frames_heard += 1
        if settings.loss and self._random.random() < settings.loss:
            counts.lost += 1
            return
        if mpdu[4:10] in self._addresses:
            counts.acks_sent += self._send(_ACK, response_rate(rate), 1, number, ack(mpdu[10:16]), source)
            # By the source, which a stranger cannot choose as it can the sender, and the latest last.
            answered = self._answered
            frame = sender, number
            if answered.pop(source, None) == frame:
                counts.repeated += 1
                answered[source] = frame
                return
            if len(answered) >= _REMEMBERED:
                del answered[next(iter(answered))]
            answered[source] = frame
        elif not group and not config.promiscuous:
            return
        self.station.received(mpdu, rssi_dbm, channel, rate, now_us)

    def _read_answers(self) -> None:
        """Take what was sent to this radio alone: acknowledgements, up to one that was waited for."""
        receive = self._receive_answer
        for _ in range(_BATCH):
            try:
                received = receive()
            except OSError:  # ICMP tells so that an earlier one reached nobody
                self.counts.foreign += 1
                continue
            if received is None or self._hear_answer(received[0]) or self._closed:
                return

    def _hear_answer(self, datagram: bytes) -> bool:
        """Take an acknowledgement; True if it was waited for."""
        counts = self.counts
        try:
            parsed = parse(datagram)
        except Malformed:
            counts.foreign += 1
            return False
        if parsed.kind != _ACK:
            counts.foreign += 1
            return False
        sending = self._sending
        config = self._config
        if (
            sending is None
            or sending.group
            or sending.acknowledged
            or not sending.attempt
            or parsed.number != sending.number
            or parsed.mpdu[4:10] != sending.mpdu[10:16]
            or parsed.channel != config.channel
            or not config.receiver_on
        ):
            counts.acks_late += 1
            return False
        if self._settings.loss and self._random.random() < self._settings.loss:
            counts.lost += 1
            return False
        counts.acks_heard += 1
        sending.acknowledged = True
        if sending.timer is not None:
            sending.timer.cancel()
        if not self._settings.paced or sending.end_us <= self._loop.now_us:
            self._finish(sending, Outcome.ACKNOWLEDGED)
        else:
            sending.timer = self._loop.call_at(sending.end_us, lambda: self._finish(sending, Outcome.ACKNOWLEDGED))
        return True


def _ack_us(rate: int) -> int:
    return airtime_us(ACK_LENGTH, response_rate(rate))

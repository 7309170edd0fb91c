"""Statistics of captured traffic: who sent how much to whom, and what got lost.

Rules:

- Counts frames one by one and keeps none; what is kept is bounded, and what is beyond the bound is counted.
- An estimate says so. Loss is what sequence numbers tell: a station has one counter for all that it sends, so a gap is
  a frame that the capture has not, for whatever reason.
- Frames whose FCS is wrong are counted and not believed.

A sequence number has 12 bits (IEEE 802.11-2020, 9.2.4.4.2). A step of less than half of its range is a gap; a longer
one counts as a sender that began anew. That one counter serves all receivers is read off Espressif's library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from espnow.capture.dissect import CapturedFrame, OtherFrame
from espnow.errors import FrameError
from espnow.frame import Frame, Freshness, Oddity, is_group, parse_ack, parse_header
from espnow.frame.captures import Interface
from espnow.frame.radiotap import Radiotap

__all__ = ["PairSummary", "Summary"]

_SEQUENCE_MASK = 0xFFF
_HALF = 0x800
_ACK = b"\xd4"

#: How many pairs are told apart (assumed to be enough).
MAX_PAIRS: Final = 65_536


class PairSummary:
    """What one station sent to one address, as one interface of the capture heard it.

    Attributes:
        interface: of the capture.
        source: addr2.
        destination: addr1.
        frames: all of them.
        messages: without retries of what was already there.
        message_bytes: of the plain and the opened ones.
        encrypted: messages that were encrypted.
        unopened: messages that no key opened.
        retries: frames with the Retry bit.
        duplicates: frames that were there already and have no Retry bit: copies that the capture made.
        missed: frames that this sender's sequence numbers tell of and the capture has not. Those that went to another
            address are among them: they are counted where the gap ends.
        restarts: how often the sequence numbers began anew.
        acknowledged: messages after which the capture has an acknowledgement.
        dropped: messages that current firmware would drop.
        replayed: messages whose packet number went back.
        rssi_min_dbm: weakest, or None when nothing tells.
        rssi_max_dbm: strongest.
        first_ns: time of the first frame, or None when nothing tells.
        last_ns: time of the last.
        rates: how many frames went at which ``wifi_phy_rate_t`` number; None when radiotap tells none of Espressif's.
        versions: how many plain and opened messages are of version 1, and of version 2.
    """

    # With an underscore: what the next frame is compared with, and sums.
    __slots__ = (
        "_answered",
        "_mark",
        "_rssi_count",
        "_rssi_sum_dbm",
        "_seq",
        "acknowledged",
        "destination",
        "dropped",
        "duplicates",
        "encrypted",
        "first_ns",
        "frames",
        "interface",
        "last_ns",
        "message_bytes",
        "messages",
        "missed",
        "rates",
        "replayed",
        "restarts",
        "retries",
        "rssi_max_dbm",
        "rssi_min_dbm",
        "source",
        "unopened",
        "versions",
    )

    def __init__(self, interface: Interface | None, source: bytes, destination: bytes) -> None:
        self.interface = interface
        self.source = source
        self.destination = destination
        self.frames = 0
        self.messages = 0
        self.message_bytes = 0
        self.encrypted = 0
        self.unopened = 0
        self.retries = 0
        self.duplicates = 0
        self.missed = 0
        self.restarts = 0
        self.acknowledged = 0
        self.dropped = 0
        self.replayed = 0
        self.rssi_min_dbm: int | None = None
        self.rssi_max_dbm: int | None = None
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.versions = [0, 0]
        self._rssi_sum_dbm = 0
        self._rssi_count = 0
        self.rates: dict[int | None, int] = {}
        self._answered = False
        self._seq = -1
        self._mark = -1

    @property
    def loss(self) -> float:
        """Estimated part of the messages that the capture has not, 0..1."""
        return self.missed / (self.messages + self.missed) if self.missed else 0.0

    @property
    def rssi_mean_dbm(self) -> float | None:
        """Mean of the signal in dBm, or None when nothing tells."""
        return self._rssi_sum_dbm / self._rssi_count if self._rssi_count else None


class _Sender:
    """The last frame of one station: what the next one is compared with.

    Attributes:
        seq: its sequence number.
        mark: its random value or packet number, which a retry repeats; None for a frame of another kind.
        missed: frames that gaps before frames of another kind told of.
    """

    __slots__ = ("mark", "missed", "seq")

    def __init__(self) -> None:
        self.seq = -1
        self.mark: int | None = None
        self.missed = 0


class _Heard:
    """What one interface of a capture heard."""

    __slots__ = ("interface", "last", "pairs", "senders")

    def __init__(self, interface: Interface | None) -> None:
        self.interface = interface
        self.pairs: dict[bytes, PairSummary] = {}
        self.senders: dict[bytes, _Sender] = {}
        self.last: PairSummary | None = None


class Summary:
    """Adds up the frames of a capture.

    Attributes:
        wrong_fcs: frames with a wrong FCS, counted nowhere else.
        beyond: frames of pairs beyond the 65 536 that are told apart, counted nowhere else.
        first_ns: time of the first frame, or None when nothing tells.
        last_ns: time of the last.
    """

    __slots__ = ("_by_interface", "_heard", "_pairs", "beyond", "first_ns", "last_ns", "wrong_fcs")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._heard = _Heard(None)
        self._by_interface: dict[int | None, _Heard] = {None: self._heard}
        self._pairs: list[PairSummary] = []
        self.wrong_fcs = 0
        self.beyond = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self._pairs)

    def __iter__(self) -> Iterator[PairSummary]:
        """Return the pairs, the one with the most messages first."""
        return iter(sorted(self._pairs, key=lambda pair: (-pair.messages, pair.source, pair.destination)))

    def add(self, captured: CapturedFrame) -> None:
        """Count an ESP-NOW frame."""
        at_ns, interface, radio, frame, oddities, protected, key, freshness, _ = captured
        if oddities and Oddity.WRONG_FCS in oddities:
            self.wrong_fcs += 1
            return
        destination, source, _, seq, retry, _, mark, *_ = frame  # mark: random value or packet number
        heard = self._heard
        if interface is not heard.interface:
            heard = self._turn_to(interface)
        pair = heard.pairs.get(destination + source)
        if pair is None:
            if len(self._pairs) >= MAX_PAIRS:
                self.beyond += 1
                return
            pair = heard.pairs[destination + source] = PairSummary(interface, source, destination)
            self._pairs.append(pair)
            heard.senders.setdefault(source, _Sender())
        heard.last = pair
        sender = heard.senders[source]
        pair.frames += 1
        if retry:
            pair.retries += 1
        if seq == pair._seq and mark == pair._mark:
            if not retry:
                pair.duplicates += 1
        else:
            self._count_step(pair, sender, seq)
            sender.mark = mark
            pair._seq = seq
            pair._mark = mark
            pair.messages += 1
            pair._answered = False
            if protected is not None:
                pair.encrypted += 1
                if key is None:
                    pair.unopened += 1
                elif freshness is Freshness.REPLAYED:
                    pair.replayed += 1
            if type(frame) is Frame:
                pair.message_bytes += len(frame.message)
                pair.versions[frame.version - 1] += 1
            if oddities and captured.accepted is False:
                pair.dropped += 1
        if radio is not None:
            _add_radio(pair, radio)
        if at_ns is not None:
            if pair.first_ns is None:
                pair.first_ns = at_ns
                if self.first_ns is None:
                    self.first_ns = at_ns
            pair.last_ns = self.last_ns = at_ns

    def add_other(self, other: OtherFrame) -> None:
        """Take note of another frame of 802.11: an acknowledgement, or one that used up a sequence number."""
        interface, mpdu = other
        heard = self._known(interface)
        if heard is None:
            return
        last, heard.last = heard.last, None
        try:
            if last is not None and not last._answered and mpdu[:1] == _ACK and parse_ack(mpdu) == last.source:
                if not is_group(last.destination):
                    last.acknowledged += 1
                    last._answered = True
                return
            header = parse_header(mpdu)
        except FrameError:
            return
        self._pass(heard, header.source, header.seq)

    def skip(self, captured: CapturedFrame) -> None:
        """Take note of the sequence number of an ESP-NOW frame that is not to be counted."""
        heard = self._known(captured.interface)
        if heard is not None and Oddity.WRONG_FCS not in captured.oddities:
            heard.last = None
            self._pass(heard, captured.frame.source, captured.frame.seq)

    def begin_capture(self) -> None:
        """Take what comes now as another capture: sequence numbers say nothing about the time between both."""
        for heard in self._by_interface.values():
            heard.last = None
            for sender in heard.senders.values():
                sender.seq = -1
                sender.mark = None

    @staticmethod
    def _pass(heard: _Heard, source: bytes, seq: int) -> None:
        """Let a sender that is counted have used a sequence number for something else."""
        sender = heard.senders.get(source)
        if sender is not None and seq != sender.seq:
            step = seq - sender.seq & _SEQUENCE_MASK
            if sender.seq >= 0 and step < _HALF:
                sender.missed += step - 1
            sender.seq = seq
            sender.mark = None

    def _known(self, interface: Interface | None) -> _Heard | None:
        """Go on with what another interface heard, if that was anything of ESP-NOW's."""
        heard = self._heard
        if interface is not heard.interface:
            known = self._by_interface.get(_number(interface))
            if known is None:
                return None
            heard = self._heard = known
            heard.interface = interface  # one of that number, of another file: to be found again at once
        return heard

    def _turn_to(self, interface: Interface | None) -> _Heard:
        """Go on with what another interface heard."""
        heard = self._by_interface.get(_number(interface))
        if heard is None:
            heard = _Heard(interface)
            if len(self._pairs) < MAX_PAIRS:
                self._by_interface[_number(interface)] = heard
        heard.interface = interface  # one of that number, of another file: to be found again at once
        self._heard = heard
        return heard

    @staticmethod
    def _count_step(pair: PairSummary, sender: _Sender, seq: int) -> None:
        """Count what lies between a sender's last frame and this one."""
        if sender.seq >= 0:
            step = seq - sender.seq & _SEQUENCE_MASK
            if 0 < step < _HALF:
                pair.missed += step - 1
            elif step or sender.mark is not None:  # else its first attempt was not to be counted
                pair.restarts += 1
        if sender.missed:
            pair.missed += sender.missed
            sender.missed = 0
        sender.seq = seq


def _number(interface: Interface | None) -> int | None:
    """Return what tells interfaces apart, in files that are read one after the other."""
    return None if interface is None else interface.number


def _add_radio(pair: PairSummary, radio: Radiotap) -> None:
    """Count signal and rate."""
    signal = radio.rssi_dbm
    if signal is not None:
        weakest, strongest = pair.rssi_min_dbm, pair.rssi_max_dbm
        if weakest is None or signal < weakest:
            pair.rssi_min_dbm = signal
        if strongest is None or signal > strongest:
            pair.rssi_max_dbm = signal
        pair._rssi_sum_dbm += signal
        pair._rssi_count += 1
    rate = radio.rate
    pair.rates[rate] = pair.rates.get(rate, 0) + 1

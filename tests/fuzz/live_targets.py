"""Targets of the live board's way in: what a datagram of ``udp:`` holds, and what many do to a radio and a board.

A radio and a board as they are live, but on sockets of the target and on a time of its own. The rules are those of
`targets.py`.
"""

from __future__ import annotations

import math
import random
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from espnow import frame as frames
from espnow.board import PROFILES, Board
from espnow.errors import NodeError
from espnow.lab.console import LabConsole
from espnow.link import Outcome
from espnow.node import Peer
from espnow.radio import udp as radios
from espnow.radio.udp import datagram as datagrams
from espnow.radio.udp import radio as udp_radio
from espnow.testing.bench import ManualClock

_HEADER = struct.Struct("<4sBBBBbBHQIff")
_RATES = (*range(4), *range(5, 32), 41, 42)

#: The board of `live`, whom it sends to, and where its radio is.
BOARD = bytes.fromhex("300000000001")
PEER = bytes.fromhex("300000000005")
SENDER = 0x0123456789ABCDEF
GROUP = ("239.0.0.1", 9)
_FIRST_NUMBER = 41
#: By then all that waits for the radio was answered: each frame waits for others, and then for its answer.
_MOST_MS = 24 * (200 + 70 + 30)


# Datagrams.


def udp(data: bytes) -> None:
    """A datagram: what it says is what its table says, and built again it is the same but for what is ignored."""
    expected = _read(data)
    try:
        parsed = datagrams.parse(data)
    except radios.Malformed as error:
        assert type(error) is radios.Malformed
        assert expected is None
        return
    assert expected is not None
    # As text, since one NaN is not equal to another.
    assert repr(tuple(parsed)) == repr(expected)
    assert len(parsed.mpdu) >= (24 if parsed.kind == radios.Kind.FRAME else 10)
    again = datagrams.build(parsed)
    assert len(again) == len(data)
    assert again[:10] + data[10:12] + again[12:24] + again[32:] == data[:24] + data[32:]
    assert repr(datagrams.parse(again)) == repr(parsed)


def _read(data: bytes) -> tuple[Any, ...] | None:
    """Return the parts of a datagram, or None for one that is none of ours."""
    if len(data) < 42 or len(data) > 32 + 2304:
        return None
    parts = _HEADER.unpack_from(data)
    magic, version, kind, channel, rate, rssi_dbm, attempt, _, sender, number, east_m, north_m = parts
    mpdu = data[32:]
    lengths = {1: range(24, 2305), 2: range(10, 11)}.get(kind, range(0))
    right = (
        magic == b"ESPN"
        and version == 1
        and len(mpdu) in lengths
        and 0 < channel < 15
        and rate in _RATES
        and rssi_dbm < 31
        and attempt > 0
        and abs(east_m) != math.inf
        and abs(north_m) != math.inf
    )
    return (kind, channel, rate, rssi_dbm, attempt, sender, number, east_m, north_m, mpdu) if right else None


# A live node.

#: What the first byte of a part of an input of `live` says.
WRAPPED, TO_ANSWERS, SENDS, WAITS = 1, 2, 4, 8
#: What comes after so many parts is not looked at.
_MOST_PARTS = 24
#: The settings of the radio, in the first byte of the input.
PACED, PLACED, LOSES, ACCESS_POINT, ENCRYPTS = 1, 2, 4, 8, 16


class _Socket:
    """Gives what the target puts in, and keeps what the radio sends."""

    def __init__(self, number: int) -> None:
        self.inbox: deque[tuple[bytes, tuple[str, int]]] = deque()
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self._number = number

    def fileno(self) -> int:
        return self._number

    def setsockopt(self, *_: Any) -> None:
        pass

    def recvfrom(self, _length: int) -> tuple[bytes, tuple[str, int]]:
        if not self.inbox:
            raise BlockingIOError
        return self.inbox.popleft()

    def sendto(self, datagram: bytes, to: tuple[str, int]) -> None:
        self.sent.append((datagram, to))

    def close(self) -> None:
        pass


class _Loop(ManualClock):
    """The loop of a radio, on a time that moves when the target says so (`espnow.radio.loop.RadioLoop`)."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: dict[int, Callable[[], None]] = {}
        self._soon: deque[Callable[[], None]] = deque()

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        self.ready[fd] = ready

    def unwatch(self, fd: int) -> None:
        self.ready.pop(fd, None)

    def soon(self, function: Callable[[], None]) -> None:
        self._soon.append(function)

    def settle(self) -> None:
        while self._soon:
            self._soon.popleft()()

    def advance(self, us: int) -> None:
        until_us = self.now_us + us
        self.settle()
        while self.step(until_us):
            self.settle()
        self.now_us = until_us


class _Board(Board):
    """A board that is told of each frame once."""

    __slots__ = ("answered",)

    answered: set[int]

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        assert token not in self.answered
        self.answered.add(token)
        super().outcome(token, outcome, attempts, at_us)


class _Node:
    """A board on a radio."""

    def __init__(self, options: int) -> None:
        self.loop = _Loop()
        self.heard, self.own = _Socket(1), _Socket(2)
        settings = udp_radio.UdpSettings(
            paced=bool(options & PACED),
            loss=0.2 if options & LOSES else 0.0,
            range_m=100.0 if options & PLACED else math.inf,
            position=(1.0, -2.0) if options & PLACED else None,
        )
        sockets: Any = self.heard, self.own
        loop: Any = self.loop
        self.radio = udp_radio.UdpRadio(loop, *sockets, GROUP, settings, _unexpected, only_local=True)
        self.radio._random = random.Random(options)
        self.radio.sender = SENDER
        self.radio._number = _FIRST_NUMBER
        chance = random.Random(options)
        self.board = self.radio.station = _Board(
            PROFILES["esp32"],
            "live",
            mac=BOARD,
            clock=self.loop,
            cpu=self.loop,
            link=self.radio,
            console=LabConsole(),
            random_u32=lambda: chance.getrandbits(32),
        )
        self.board.answered = set()
        self.board.wifi.set_active(0, True)
        if options & ACCESS_POINT:
            self.board.wifi.set_active(1, True)
        node = self.board.node
        node.start(10_000)
        node.add_peer(Peer(PEER, lmk=bytes(16), encrypt=bool(options & ENCRYPTS)))
        self.peer = node.get_peer(PEER)
        self.handed = 0

    def hears(self, datagram: bytes, to_answers: bool) -> None:
        socket = self.own if to_answers else self.heard
        socket.inbox.append((datagram, ("127.0.0.1", 5000 + datagram[-1] % 3 if datagram else 5000)))
        self.loop.ready[socket.fileno()]()
        assert not socket.inbox
        self.loop.settle()

    def sends(self) -> None:
        try:
            self.board.node.transmit(self.peer, b"hello")
        except NodeError:  # its queue is full
            return
        self.handed += 1
        self.loop.settle()


def _unexpected(line: str) -> None:
    raise AssertionError(line)


def live(data: bytes) -> None:
    """What comes to a live node, part by part: a datagram, or an MPDU that is put into one; it sends and waits between.

    The first byte is made of the settings above. A part begins with a byte of the bits above, and one or two with its
    length; one that sends or waits is a byte alone.
    """
    options = data[0] if data else 0
    node = _Node(options)
    there = expected = 0
    for kind, content in _parts(data[1:]):
        if kind & SENDS:
            node.sends()
        elif kind & WAITS:
            node.loop.advance(1_000 * (1 + (kind >> 4)))
        else:
            datagram = _wrapped(content, kind) if kind & WRAPPED else content
            there += 1
            if not kind & TO_ANSWERS:
                parsed = _read(datagram)
                expected += parsed is None or parsed[0] != 1
            else:
                parsed = _read(datagram)
                expected += parsed is None or parsed[0] != 2
            node.hears(datagram, bool(kind & TO_ANSWERS))
    counts = node.radio.counts
    assert counts.foreign == expected
    answers = counts.acks_heard + counts.acks_late
    # What was lost on purpose was heard before, but for acknowledgements.
    assert answers + counts.frames_heard + counts.unheard + counts.foreign <= there
    assert answers + counts.frames_heard + counts.unheard + counts.foreign + counts.lost >= there
    _check_sent(node)
    for _ in range(_MOST_MS // 100):
        if node.board.node.pending:
            node.loop.advance(100_000)
    stats = node.board.node.stats
    assert not node.board.node.pending, "a frame without an answer"
    assert stats.tx_packets == stats.tx_responses == node.handed
    assert counts.acks_heard or stats.tx_failures == node.handed
    assert node.board.node.ring.used <= 10_000
    _check_sent(node)


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(_MOST_PARTS):
        if at >= len(data):
            return
        kind = data[at]
        at += 1
        if kind & (SENDS | WAITS):
            yield kind, b""
            continue
        length = data[at] if at < len(data) else 0
        if length > 250:
            length = 250 + 10 * (length - 250)
        yield kind, data[at + 1 : at + 1 + length]
        at += 1 + length


def _wrapped(mpdu: bytes, kind: int) -> bytes:
    """Return a datagram like a live node's: an acknowledgement for what a node just sent, or a frame."""
    rate = (0, 12, 41, 7)[kind >> 6]
    acks = kind & TO_ANSWERS
    number = _FIRST_NUMBER + (kind >> 4 & 3) + 1
    nowhere = math.nan
    return datagrams.pack(2 if acks else 1, 1, rate, -20, 1, 7 + (kind >> 4 & 1), number, nowhere, nowhere, mpdu)


def _check_sent(node: _Node) -> None:
    """Check that what the node sent is laid out as it must be, and for whom it answers."""
    addresses = {address for _, address in node.board.node.radio.addresses}
    acks = 0
    for datagram, to in node.own.sent:
        parsed = _read(datagram)
        assert parsed is not None
        assert parsed[5] == SENDER
        if parsed[0] == 2:
            acks += 1
            assert to != GROUP
        else:
            assert to == GROUP
            assert parsed[9][10:16] in addresses
    assert acks == node.radio.counts.acks_sent
    assert not node.heard.sent


def _mpdu_parts(mpdu: bytes, kind: int) -> bytes:
    """Return the part of an input that is an MPDU, cut to what a part can hold."""
    length = len(mpdu)
    if length > 250:
        step = min((length - 250) // 10, 5)
        return bytes((kind, 250 + step)) + mpdu[: 250 + 10 * step]
    return bytes((kind, length)) + mpdu


def udp_seeds() -> Iterator[bytes]:
    """Return what fuzzing `udp` begins with."""
    mpdu = frames.build(BOARD, PEER, b"hello", seq=1, random_value=1)
    for rate in (0, 12, 31, 41):
        yield datagrams.pack(1, 1, rate, -20, 1, 5, 6, math.nan, math.nan, mpdu)
    yield datagrams.pack(1, 14, 0, 30, 255, 2**64 - 1, 2**32 - 1, 1.5, -1e9, mpdu[:24])
    yield datagrams.pack(2, 1, 0, -128, 1, 5, 6, math.nan, 0.0, frames.ack(BOARD))
    yield datagrams.pack(1, 1, 0, 0, 1, 5, 6, math.inf, 0.0, mpdu)
    yield datagrams.pack(3, 1, 0, 0, 1, 5, 6, 0.0, 0.0, mpdu)


def live_seeds(mpdus: Iterator[bytes]) -> Iterator[bytes]:
    """Return what fuzzing `live` begins with."""
    answer = _mpdu_parts(frames.ack(BOARD), WRAPPED | TO_ANSWERS)
    wait = bytes((WAITS | 0x10,))
    for options in (0, PACED, LOSES, PACED | PLACED | ACCESS_POINT, ENCRYPTS):
        yield bytes((options, SENDS)) + wait + answer
        yield bytes((options, SENDS, SENDS, SENDS)) + answer + wait * 3
    for number, mpdu in enumerate(mpdus):
        for to in (BOARD, frames.BROADCAST):
            part = _mpdu_parts(mpdu[:4] + to + mpdu[10:], WRAPPED)
            yield bytes((number % 32,)) + part + wait + part
    for datagram in udp_seeds():
        yield b"\0" + _mpdu_parts(datagram, 0) + _mpdu_parts(datagram, TO_ANSWERS)

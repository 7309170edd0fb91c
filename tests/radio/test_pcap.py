"""A capture as a radio: who hears what of it, when, and what a file that is no good does."""

from __future__ import annotations

import gzip
import itertools
import os
import pty
import random
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow import frame
from espnow.errors import LinkFull, UserError
from espnow.frame import radiotap
from espnow.frame.captures import build_interface, build_packet, build_section
from espnow.link import Interface, Outcome, ProtocolBit, RadioConfig
from espnow.radio import open_radio, parse_name
from espnow.radio import pcap as pcap_module
from espnow.radio.loop import RadioLoop
from espnow.radio.none import NoRadio
from espnow.radio.pcap import UNMEASURED_DBM, PcapRadio, open_pcap
from espnow.radio.record import record
from espnow.testing import ManualClock, ScriptedLink

repeatable = settings(derandomize=True, deadline=None)

OWN = bytes.fromhex("18fe34000008")
PEER = bytes.fromhex("30aaaaaaaaaa")
OTHER = bytes.fromhex("30aaaaaaaabb")
CONFIG = RadioConfig(addresses=((Interface.STA, OWN),), channel=6, receiver_on=True)
OFF = RadioConfig(channel=6)
SECOND = 1_000_000


def to(destination: bytes = frame.BROADCAST, message: bytes = b"x", *, source: bytes = PEER) -> bytes:
    return frame.build(destination, source, message, seq=7, random_value=9)


def heard_header(**options: int | bool | None) -> bytes:
    return radiotap.build(**({"channel": 6, "rate": 0, "rssi_dbm": -40} | options))  # type: ignore[arg-type]


def capture(*packets: tuple[int, bytes], link_type: int = 127) -> bytes:
    """Return a capture of packets, each with its time in microseconds."""
    blocks = [build_packet(packet, at_us=at_us) for at_us, packet in packets]
    return build_section() + build_interface(link_type) + b"".join(blocks)


def of_frames(*mpdus: bytes, every_us: int = 1_000) -> bytes:
    return capture(*((number * every_us, heard_header() + mpdu) for number, mpdu in enumerate(mpdus)))


class Loop(ManualClock):
    """A loop whose time is moved by hand; it calls a reader as soon as time moves and something can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        assert fd not in self.watched
        self.watched[fd] = ready

    def unwatch(self, fd: int) -> None:
        self.watched.pop(fd, None)

    def read(self) -> None:
        """Call whoever watches."""
        for ready in list(self.watched.values()):
            ready()


class Station:
    """Keeps what comes up."""

    def __init__(self, clock: ManualClock | RadioLoop) -> None:
        self.clock = clock
        self.heard: list[tuple[bytes, int, int, int, int]] = []
        self.outcomes: list[tuple[int, Outcome, int, int]] = []
        self.more = threading.Semaphore(0)

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        assert at_us <= self.clock.now_us
        self.heard.append((mpdu, rssi_dbm, channel, rate, at_us))
        self.more.release()

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        self.outcomes.append((token, outcome, attempts, at_us))

    @property
    def messages(self) -> list[bytes]:
        return [frame.parse(mpdu).message for mpdu, *_ in self.heard]  # type: ignore[union-attr]

    @property
    def times(self) -> list[int]:
        return [at_us for *_, at_us in self.heard]


class Replay:
    """A capture that is played in virtual time."""

    def __init__(self, path: Path | str, settings: str = "delay=0", *, config: RadioConfig | None = CONFIG) -> None:
        self.loop = Loop()
        self.reports: list[str] = []
        name = parse_name(f"pcap:{path}?{settings}")
        self.radio = open_pcap(name, self.loop, self.reports.append)  # type: ignore[arg-type]
        self.station = self.radio.station = Station(self.loop)
        if config is not None:
            self.radio.configure(config)

    def play(self, seconds: float = 10) -> Station:
        self.loop.advance(round(seconds * SECOND))
        return self.station


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Callable[..., Replay]]:
    made: list[Replay] = []

    def make(content: bytes, *arguments: str, config: RadioConfig | None = CONFIG) -> Replay:
        path = tmp_path / "air.pcapng"
        path.write_bytes(content)
        made.append(Replay(path, *arguments, config=config))
        return made[-1]

    yield make
    for one in made:
        one.radio.close()


def descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


# What is heard.


def test_a_frame_is_heard_as_it_was_captured(replay: Callable[..., Replay]) -> None:
    mpdu = to(OWN)
    scene = replay(capture((5, heard_header(rssi_dbm=-77, rate=11) + mpdu)))
    assert scene.play().heard == [(mpdu, -77, 6, 11, 0)]
    path = scene.radio._title
    assert scene.reports == [f"{path} is at its end: 1 frame heard"]
    assert scene.radio.ended
    assert scene.radio.trouble is None


LONG_RANGE = RadioConfig(
    addresses=CONFIG.addresses, channel=6, receiver_on=True, protocols=CONFIG.protocols | ProtocolBit.LR
)
PROMISCUOUS = RadioConfig(addresses=CONFIG.addresses, channel=6, receiver_on=True, promiscuous=True)
ACK = frame.ack(PEER)
TX_FAILED_UNSENT = radiotap.build(rate=0, tx_flags=radiotap.TX_FAILED)


@pytest.mark.parametrize(
    ("packet", "reason", "promiscuous"),
    [
        (heard_header() + to(), None, None),
        (heard_header() + to(b"\x01\0\x5e\0\0\1"), None, None),
        (heard_header() + to(OWN), None, None),
        (heard_header() + to(OTHER), "for others", None),
        (heard_header() + ACK, "acknowledgements and the like", None),
        (heard_header() + frame.ack(OWN), "acknowledgements and the like", None),
        (heard_header(channel=11) + to(), "on another channel (11)", None),
        (heard_header(channel=11) + to(OTHER), "on another channel (11)", None),
        (bytes.fromhex("00000c000800000071168001") + to(), "in another band", "in another band"),  # 5745 MHz
        (heard_header(channel=None) + to(), None, None),
        (heard_header() + to(source=OWN), "that the board itself sent", "that the board itself sent"),
        (heard_header(rate=42) + to(), "of long range, which the protocols lack", "of long range, which the protoc"),
        (TX_FAILED_UNSENT + to(source=PEER), "that were never sent", "that were never sent"),
        (radiotap.build(rate=0, tx_flags=radiotap.TX_FAILED, data_retries=0) + to(), None, None),  # as Linux reports
        (heard_header(tx_flags=radiotap.TX_FAILED) + to(), None, None),
        (radiotap.build(rate=0, tx_flags=0) + to(), None, None),
        (heard_header(fcs=True) + to() + frame.fcs(to()), None, None),
        (heard_header(fcs=True) + to() + b"\0\0\0\0", "damaged or cut off", "damaged or cut off"),
        (bytes.fromhex("000009000200000040") + to(), "damaged or cut off", "damaged or cut off"),  # bad FCS
        (heard_header(channel=None, rate=0) + to() + frame.fcs(to()), None, None),  # nobody tells of its FCS
        (heard_header() + to()[:9], "damaged or cut off", "damaged or cut off"),
        (heard_header(), "damaged or cut off", "damaged or cut off"),
        (b"\1" + bytes(30), "that are no frames of 802.11", "that are no frames of 802.11"),
        (b"", "that are no frames of 802.11", "that are no frames of 802.11"),
    ],
    ids=itertools.count(),
)
def test_who_hears_what(
    replay: Callable[..., Replay], packet: bytes, reason: str | None, promiscuous: str | None
) -> None:
    for config, why in ((CONFIG, reason), (PROMISCUOUS, promiscuous)):
        scene = replay(capture((0, packet), (1, heard_header() + to(message=b"last"))), config=config)
        heard = scene.play().heard
        assert len(heard) == (2 if why is None else 1)
        assert frame.parse(heard[-1][0]).message == b"last"  # type: ignore[union-attr]
        if why is None:
            assert heard[0][0] in packet
            assert heard[0][0][-4:] != frame.fcs(heard[0][0][:-4])
        else:
            assert f"; not heard: 1 {why}" in scene.reports[-1]


def test_long_range_is_heard_with_its_protocol(replay: Callable[..., Replay]) -> None:
    scene = replay(capture((0, heard_header(rate=42) + to())), config=LONG_RANGE)
    assert scene.play().heard == [(to(), -40, 6, 42, 0)]


def test_what_a_capture_does_not_tell(replay: Callable[..., Replay]) -> None:
    for link_type, before in ((127, radiotap.build()), (105, b"")):
        scene = replay(capture((0, before + to()), link_type=link_type))
        assert scene.play().heard == [(to(), UNMEASURED_DBM, 6, 0, 0)]
        assert -128 < UNMEASURED_DBM < 0


def test_other_link_types_are_counted(replay: Callable[..., Replay]) -> None:
    scene = replay(capture((0, bytes(60)), link_type=1))
    assert scene.play().heard == []
    assert scene.reports[-1].endswith("0 frames heard; not heard: 1 that are no frames of 802.11")


def test_a_cut_packet_is_not_heard(replay: Callable[..., Replay]) -> None:
    packet = heard_header() + to()
    content = build_section() + build_interface(127) + build_packet(packet[:40], at_us=0, length=len(packet))
    scene = replay(content)
    assert scene.play().heard == []
    assert scene.reports[-1].endswith("not heard: 1 damaged or cut off")


def test_pcap_too(replay: Callable[..., Replay]) -> None:
    packet = heard_header() + to()
    opening = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 127)
    content = opening + b"".join(struct.pack("<IIII", 7, us, len(packet), len(packet)) + packet for us in (1, 900_001))
    assert replay(content).play().times == [0, 900_000]


def test_packets_without_a_time_come_after_those_before(replay: Callable[..., Replay]) -> None:
    packet = heard_header() + to()
    simple = struct.pack("<III", 3, 16 + len(packet) + -len(packet) % 4, len(packet))
    simple += packet + bytes(-len(packet) % 4) + simple[4:8]
    opening = build_section() + build_interface(127)
    content = opening + simple + build_packet(packet, at_us=5) + build_packet(packet, at_us=2_005) + simple
    assert replay(content).play().times == [0, 0, 2_000, 2_000]


# When.


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        ("original", [0, 2_000_000, 2_000_000, 3_500_000]),
        ("1", [0, 2_000_000, 2_000_000, 3_500_000]),
        ("10", [0, 200_000, 200_000, 350_000]),
        ("0.5", [0, 4_000_000, 4_000_000, 7_000_000]),
        ("fast", [0, 1_000, 2_000, 3_000]),
        ("1000000", [0, 2, 2, 3]),
    ],
)
def test_pace(replay: Callable[..., Replay], pace: str, expected: list[int]) -> None:
    times = (1_700_000_000_000_000 + at_us for at_us in (0, 2_000_000, 2_000_000, 3_500_000))
    content = capture(*((at_us, heard_header() + to(message=bytes((n,)))) for n, at_us in enumerate(times)))
    station = replay(content, f"pace={pace}&delay=0").play()
    assert station.times == expected
    assert station.messages == [b"\0", b"\1", b"\2", b"\3"]


def test_it_begins_when_the_receiver_is_on(replay: Callable[..., Replay]) -> None:
    scene = replay(of_frames(to(), to()), "", config=None)
    scene.loop.advance(SECOND)
    scene.radio.configure(OFF)
    scene.loop.advance(SECOND)
    scene.radio.configure(CONFIG)
    scene.loop.advance(SECOND)
    assert scene.station.times == [2_200_000, 2_201_000]


def test_time_goes_on_while_the_receiver_is_off(replay: Callable[..., Replay]) -> None:
    scene = replay(of_frames(*(to(message=bytes((number,))) for number in range(10))))
    scene.loop.advance(2_500)
    scene.radio.configure(OFF)
    scene.loop.advance(3_000)
    scene.radio.configure(CONFIG)
    assert scene.play().messages == [bytes((number,)) for number in (0, 1, 2, 6, 7, 8, 9)]
    assert scene.reports[-1].endswith("7 frames heard; not heard: 3 while the receiver was off")


def test_the_fast_one_waits_for_the_receiver(replay: Callable[..., Replay]) -> None:
    scene = replay(of_frames(*(to(message=bytes((number,))) for number in range(10))), "pace=fast&delay=0")
    received = scene.station.received

    def off_after_three(*heard: int) -> None:
        received(*heard)  # type: ignore[arg-type]
        if len(scene.station.heard) == 3:
            scene.radio.configure(OFF)

    scene.station.received = off_after_three  # type: ignore[assignment, method-assign]
    assert len(scene.play().heard) == 3
    scene.radio.configure(CONFIG)
    assert scene.play().messages == [bytes((number,)) for number in range(10)]


def test_the_fast_one_waits_for_no_frame_that_is_not_heard(replay: Callable[..., Replay]) -> None:
    frames = [to(OTHER) if number % 5 else to() for number in range(1_001)]
    assert replay(of_frames(*frames), "pace=fast&delay=0").play().times == list(range(0, 201_000, 1_000))


def test_the_channel_may_change(replay: Callable[..., Replay]) -> None:
    packets = [(n * 1_000, heard_header(channel=1 + 5 * (n % 3)) + to(message=bytes((n,)))) for n in range(9)]
    scene = replay(capture(*packets))
    scene.loop.advance(4_500)
    scene.radio.configure(RadioConfig(addresses=CONFIG.addresses, channel=11, receiver_on=True))
    assert scene.play().messages == [b"\1", b"\4", b"\5", b"\x08"]
    assert "not heard: 5 on another channel (1, 6, 11)" in scene.reports[-1]


def test_a_promiscuous_receiver_hears_all_channels(replay: Callable[..., Replay]) -> None:
    packets = [(n, heard_header(channel=n) + to(OTHER)) for n in range(1, 15)]
    scene = replay(capture(*packets), config=PROMISCUOUS)
    assert [channel for _, _, channel, *_ in scene.play().heard] == list(range(1, 15))


@repeatable
@given(st.lists(st.integers(0, (1 << 64) - 1), max_size=8), st.sampled_from(["original", "1000000", "fast"]))
def test_times_may_be_anything(times: list[int], pace: str) -> None:
    """None stops it for good, and no later frame is told to have come earlier."""
    content = capture(*((at_us, heard_header() + to()) for at_us in times))
    with pytest.MonkeyPatch.context() as patch, FileInMemory(content) as path:
        patch.setattr(pcap_module, "_LOOK_US", 1 << 80)
        scene = Replay(path, f"pace={pace}&delay=0")
        scene.loop.advance(1 << 70)
        assert len(scene.station.heard) == len(times)
        assert scene.station.times == sorted(scene.station.times)
        scene.radio.close()


class FileInMemory:
    """A file in memory, with a path."""

    def __init__(self, content: bytes) -> None:
        self.fd = os.memfd_create("capture")
        os.write(self.fd, content)
        os.lseek(self.fd, 0, os.SEEK_SET)

    def __enter__(self) -> str:
        return f"/proc/self/fd/{self.fd}"

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def test_it_never_waits_for_centuries_at_once(replay: Callable[..., Replay]) -> None:
    """A loop takes no such time."""
    scene = replay(capture((0, heard_header() + to()), ((1 << 64) - 1, heard_header() + to())), "pace=0.001&delay=0")
    scene.play()
    assert all(timer[0] <= scene.loop.now_us + 60 * SECOND for timer in scene.loop._heap)


def test_a_long_gap_is_told(replay: Callable[..., Replay]) -> None:
    hour_us = 3_600 * SECOND
    content = capture(*((at_us, heard_header() + to()) for at_us in (0, hour_us, hour_us + 1, 3 * hour_us)))
    scene = replay(content)
    scene.loop.advance(4 * hour_us)
    assert [report.partition(": ")[2] for report in scene.reports[:-1]] == [
        scene.radio._title.partition(": ")[2] + f"the next frame comes in {seconds} s; pace=fast waits for none"
        for seconds in (3600, 7199)
    ]


def test_many_frames_at_once_leave_others_their_turn(replay: Callable[..., Replay]) -> None:
    scene = replay(of_frames(*[to()] * 1_000, every_us=0))
    counts: list[int] = []

    def look() -> None:
        counts.append(len(scene.station.heard))
        if counts[-1] < 1_000:
            scene.loop.call_at(scene.loop.now_us, look)

    scene.loop.call_at(0, look)
    scene.play()
    assert len(counts) > 10


# Sending.


def test_what_is_sent_is_not_acknowledged(replay: Callable[..., Replay]) -> None:
    scene = replay(of_frames(to()), config=None)
    assert not scene.radio.abilities.sends
    scene.radio.transmit(to(PEER, source=OWN), 1)
    scene.radio.transmit(to(source=OWN), 2)
    assert scene.station.outcomes == []
    scene.play()
    assert scene.station.outcomes == [(token, Outcome.NOT_ACKNOWLEDGED, 0, 0) for token in (1, 2)]
    assert scene.reports == [f"{scene.radio._title} only hears: what is sent goes nowhere"]


def test_its_queue_is_bounded(replay: Callable[..., Replay]) -> None:
    scene = replay(of_frames(to()), config=None)
    with pytest.raises(LinkFull):
        for token in range(1_000):
            scene.radio.transmit(to(source=OWN), token)
    taken = token
    scene.play()
    assert [token for token, *_ in scene.station.outcomes] == list(range(taken))
    scene.radio.transmit(to(source=OWN), 1)


# What is no good.


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the capture is empty"),
        (b"import espnow\n", "this is neither pcap nor pcapng"),
        (gzip.compress(of_frames(to())), "this is not pcap or pcapng, but compressed with gzip: decompress it first"),
        (of_frames(to())[:3], "the capture ends at byte 3, within its opening"),
    ],
    ids=["empty", "text", "gzip", "short"],
)
def test_what_is_no_capture_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "air.pcapng"
    path.write_bytes(content)
    before = descriptors()
    with pytest.raises(UserError) as caught:
        Replay(path)
    assert str(caught.value).startswith(f"radio 'pcap:{path}?delay=0': {why}")
    assert descriptors() == before


def test_names_that_cannot_be(tmp_path: Path) -> None:
    good = tmp_path / "air"
    good.write_bytes(of_frames(to()))
    terminal, other = pty.openpty()
    table = {
        "pcap:": "name a capture, as in pcap:air.pcapng, or - for standard input",
        f"pcap:{tmp_path}/none": "No such file or directory",
        f"pcap:{tmp_path}": "it is a folder",
        f"pcap:{os.ttyname(other)}": "standard input is a terminal; lead a capture into it",
        f"pcap:{good}?speed=1": "there is no setting 'speed'; there are pace, delay",
        f"pcap:{good}?pace=slow": "pace='slow' must be original, fast or a number from 0.001 to 1e+06",
        f"pcap:{good}?pace=0": "pace='0' must be original, fast or a number from 0.001 to 1e+06",
        f"pcap:{good}?delay=-1": "delay='-1' must be a number from 0 to 3600",
    }
    before = descriptors()
    for name, why in table.items():
        with pytest.raises(UserError) as caught:
            open_pcap(parse_name(name), Loop(), pytest.fail)  # type: ignore[arg-type]
        assert str(caught.value) == f"radio {name!r}: {why}"
    assert descriptors() == before
    os.close(terminal)
    os.close(other)


GOOD = of_frames(*(to(message=bytes((number,)) * 9) for number in range(5)))


@pytest.mark.parametrize("length", range(4, len(GOOD)))
def test_a_capture_that_was_cut_is_heard_so_far(replay: Callable[..., Replay], length: int) -> None:
    whole = [at for at in range(28 + 32, len(GOOD) + 1, (len(GOOD) - 60) // 5) if at <= length]
    try:
        scene = replay(GOOD[:length])
    except UserError as error:
        assert length < 28
        assert f"ends at byte {length}, within" in str(error)
        return
    station = scene.play()
    assert len(station.heard) == max(0, len(whole) - 1)
    assert scene.radio.ended
    if length in (28, *whole):
        assert scene.radio.trouble is None
    else:
        assert scene.radio.trouble is not None
        assert f"ends at byte {length}, within" in scene.radio.trouble
        assert scene.reports[-2] == f"{scene.radio._title}: {scene.radio.trouble}"


@repeatable
@given(st.integers(0, 1 << 30), st.integers(1, 8))
def test_a_damaged_capture_harms_nobody(seed: int, changes: int) -> None:
    chance = random.Random(seed)
    content = bytearray(GOOD)
    for _ in range(changes):
        content[chance.randrange(len(content))] = chance.randrange(256)
    with pytest.MonkeyPatch.context() as patch, FileInMemory(bytes(content)) as path:
        patch.setattr(pcap_module, "_LOOK_US", 1 << 80)
        before = descriptors()
        try:
            scene = Replay(path, f"delay=0&pace={chance.choice(['fast', 'original'])}")
        except UserError:
            return
        scene.loop.advance(1 << 80)
        assert scene.radio.ended
        assert "is at its end: " in scene.reports[-1]
        scene.radio.close()
        assert descriptors() == before


def test_what_fails_to_be_read_is_told(replay: Callable[..., Replay]) -> None:
    scene = replay(of_frames(*[to(message=bytes(250))] * 1_000, every_us=0), config=None)
    os.close(scene.radio._fd)
    fd = os.open("/proc/self/mem", os.O_RDONLY)  # at its first byte, reading fails
    assert fd == scene.radio._fd
    scene.radio.configure(CONFIG)
    assert 100 < len(scene.play().heard) < 1_000
    assert scene.radio.trouble == "Input/output error"
    assert scene.reports[0] == f"{scene.radio._title}: Input/output error"


# Pipes.


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_a_pipe_is_heard_as_it_is_filled(fifo: Path) -> None:
    loop = RadioLoop()
    ended = threading.Event()
    reports: list[str] = []

    def report(line: str) -> None:
        reports.append(line)
        ended.set()

    radio = open_radio(f"pcap:{fifo}?delay=0", loop, report)
    station = Station(loop)
    with loop.lock:
        radio.station = station
        radio.configure(CONFIG)
    with fifo.open("wb", buffering=0) as file:
        file.write(of_frames())
        for number in range(5):
            block = build_packet(heard_header() + to(message=bytes((number,))), at_us=number)
            for half in (block[:30], block[30:]):
                file.write(half)
            assert station.more.acquire(timeout=10)
            assert not ended.is_set()
    assert ended.wait(10)
    assert station.messages == [bytes((number,)) for number in range(5)]
    assert reports[0].endswith("is at its end: 5 frames heard")
    with loop.lock:
        radio.close()
    loop.close()


def test_of_a_pipe_no_more_is_taken_than_a_piece(fifo: Path) -> None:
    scene = Replay(fifo)
    # Each frame is due a second after the one before.
    content = of_frames(*[to(message=bytes(250))] * 1_000, every_us=SECOND)
    writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    given = 0
    for _ in range(100):
        try:
            given += os.write(writer, content[given : given + 4_096])
        except BlockingIOError:
            pass
        scene.loop.advance(1)
        scene.loop.read()
    assert len(scene.station.heard) == 1
    assert scene.loop.watched == {}
    assert given < 150_000  # what the pipe holds, and one piece
    os.close(writer)
    scene.radio.close()


def test_standard_input(tmp_path: Path) -> None:
    """Each line is one frame that the child heard, then how it ended."""
    program = """
import sys, threading
from espnow.link import RadioConfig
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop

class Station:
    def received(self, mpdu, *_):
        print(mpdu[-1], flush=True)

ended = threading.Event()
loop = RadioLoop()
radio = open_radio("pcap:-?delay=0", loop, lambda line: (print(line, flush=True), ended.set()))
with loop.lock:
    radio.station = Station()
    radio.configure(RadioConfig(channel=6, receiver_on=True))
ended.wait(10)
"""
    content = of_frames(*(to(message=bytes((number,))) for number in range(3)))
    path = tmp_path / "air"
    path.write_bytes(content)
    for source in ("pipe", "file"):
        with path.open("rb") as file:
            given: Any = {"input": content} if source == "pipe" else {"stdin": file}
            done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True, **given)
        assert done.stdout.splitlines() == [
            b"0",
            b"1",
            b"2",
            b"radio 'pcap:-?delay=0' is at its end: 3 frames heard",
        ]


# Its end.


def test_after_close_nothing_is_heard(replay: Callable[..., Replay]) -> None:
    before = descriptors()
    scene = replay(of_frames(*[to()] * 100))
    scene.radio.transmit(to(source=OWN), 1)
    scene.loop.advance(50_500)
    scene.radio.transmit(to(source=OWN), 2)
    scene.radio.close()
    scene.radio.close()
    scene.radio.configure(CONFIG)
    scene.play()
    assert len(scene.station.heard) == 51
    assert [token for token, *_ in scene.station.outcomes] == [1]
    assert descriptors() == before


@pytest.mark.parametrize("pace", ["fast", "original"])
def test_the_station_may_close_it_from_within(replay: Callable[..., Replay], pace: str) -> None:
    scene = replay(of_frames(*[to()] * 10, every_us=0), f"delay=0&pace={pace}")
    received = scene.station.received

    def close(*heard: int) -> None:
        received(*heard)  # type: ignore[arg-type]
        scene.radio.close()

    scene.station.received = close  # type: ignore[assignment, method-assign]
    assert len(scene.play().heard) == 1


def test_what_was_recorded_is_heard_again(tmp_path: Path) -> None:
    """By another board, which hears what the recorded one sent, and by the same one, which does not."""
    path = tmp_path / "air.pcapng"
    clock = ManualClock()
    scripted = ScriptedLink(clock)
    link = record(scripted, clock, path, pytest.fail)
    link.station = Station(clock)
    link.configure(CONFIG)
    for number in range(5):
        scripted.inject(bytes((number,)), source=PEER, destination=frame.BROADCAST)
        link.transmit(to(source=OWN, message=bytes((100 + number,))), number)
        clock.advance(10_000)
    link.close()
    sent = [bytes((100 + number,)) for number in range(5)]
    heard = [bytes((number,)) for number in range(5)]
    assert Replay(path).play().messages == heard
    other = RadioConfig(addresses=((Interface.STA, OTHER),), channel=6, receiver_on=True)
    replayed = Replay(path, config=other)
    assert replayed.play().messages == [message for pair in zip(heard, sent, strict=True) for message in pair]
    assert replayed.radio.heard == 10


def test_what_was_recorded_and_never_sent_is_not_heard_again(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    clock = ManualClock()
    link = record(NoRadio(clock), clock, path, pytest.fail)
    link.station = Station(clock)
    for token, config in enumerate((OFF, CONFIG)):
        link.configure(config)
        link.transmit(to(source=OWN, message=b"%d" % token), token)
        link.transmit(to(PEER, source=OWN, message=b"to one"), 10 + token)
        clock.advance(1_000_000)
    link.close()
    other = RadioConfig(addresses=((Interface.STA, OTHER),), channel=6, receiver_on=True, promiscuous=True)
    replayed = Replay(path, config=other)
    assert replayed.play().messages == [b"1", b"to one"]
    assert replayed.reports[-1].endswith("2 frames heard; not heard: 2 that were never sent")


def test_it_is_known_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "air"
    path.write_bytes(of_frames(to()))
    loop = RadioLoop()
    radio = open_radio(f"pcap:{path}", loop, pytest.fail)
    assert isinstance(radio, PcapRadio)
    with loop.lock:
        radio.close()
    loop.close()

"""A radio that is recorded: what the file holds, and that the radio does not notice."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from espnow import frame
from espnow.errors import LinkFull, UserError
from espnow.frame import radiotap
from espnow.frame.capture_blocks import build_interface, build_section
from espnow.frame.captures import CaptureParser
from espnow.link import Interface, Link, Outcome, RadioConfig
from espnow.radio import record as record_module
from espnow.radio.loop import RadioLoop
from espnow.radio.record import Recording, RecordingLink, record
from espnow.testing import ManualClock, ScriptedLink

OWN = bytes.fromhex("18fe34000008")
PEER = bytes.fromhex("30aaaaaaaaaa")
WALL_US = 1_700_000_000_000_000
CONFIG = RadioConfig(addresses=((Interface.STA, OWN),), channel=6, receiver_on=True, rate=11, group_rate=1)


def to(destination: bytes, message: bytes = b"hello", *, source: bytes = OWN) -> bytes:
    return frame.build(destination, source, message, seq=7, random_value=9)


class Packet(NamedTuple):
    at_us: int
    radio: radiotap.Radiotap
    mpdu: bytes
    direction: int
    comment: str


def read(content: bytes) -> list[Packet]:
    """Read a capture back, with the options, by a small reader of the test's own."""
    parser = CaptureParser()
    parser.feed(content)
    parser.finish()
    found = []
    at = 0
    while at < len(content):
        kind, length = struct.unpack_from("<II", content, at)
        if kind == 6:
            _, high, low, captured, original = struct.unpack_from("<IIIII", content, at + 8)
            assert captured == original
            packet = content[at + 28 : at + 28 + captured]
            options = {0: b""}
            here = at + 28 + captured + -captured % 4
            while here < at + length - 4:
                code, size = struct.unpack_from("<HH", content, here)
                options[code] = content[here + 4 : here + 4 + size]
                here += 4 + size + -size % 4
            radio = radiotap.parse(packet)
            direction = int.from_bytes(options.get(2, b"\0"), "little")
            comment = options.get(1, b"").decode()
            found.append(Packet(high << 32 | low, radio, packet[radio.length :], direction, comment))
        at += length
    return found


def descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


class Station:
    """Keeps what comes up."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, int, int, int, int]] = []
        self.outcomes: list[tuple[int, Outcome, int, int]] = []

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        self.heard.append((mpdu, rssi_dbm, channel, rate, at_us))

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        self.outcomes.append((token, outcome, attempts, at_us))


class Disk(io.RawIOBase):
    """A raw file on a disk with so much room."""

    def __init__(self, room: int) -> None:
        self.content = bytearray()
        self.written = threading.Semaphore(0)
        self.room = room

    def write(self, content: bytes) -> int:  # type: ignore[override]
        taken = content[: self.room - len(self.content)]
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.content += taken
        if len(self.content) > OPENING:
            self.written.release()
        return len(taken)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return len(self.content)

    def truncate(self, size: int | None = None) -> int:
        assert size is not None
        del self.content[size:]
        return size


class Scene:
    """A scripted radio that is recorded."""

    def __init__(self, file: Disk | None = None) -> None:
        self.clock = ManualClock()
        self.radio = ScriptedLink(self.clock)
        self.file = file or Disk(1 << 30)
        self.reports: list[str] = []
        self.wall_offset_us = WALL_US
        self.recording = Recording(self.file, "test:")
        self.link = RecordingLink(
            self.radio,
            self.clock,
            self.recording,
            report=self.reports.append,
            wall_us=lambda: self.clock.now_us + self.wall_offset_us,
        )
        self.station = self.link.station = Station()
        self.link.configure(CONFIG)

    def close(self) -> list[Packet]:
        self.link.close()
        return read(bytes(self.file.content))


@pytest.fixture
def scene() -> Scene:
    return Scene()


# What is recorded.


def test_what_is_heard(scene: Scene) -> None:
    mpdu = to(OWN, source=PEER)
    scene.clock.advance(5_000)
    scene.radio.inject_frame(mpdu, rssi_dbm=-71)
    (packet,) = scene.close()
    assert packet.at_us == WALL_US + 5_000
    assert packet.mpdu == mpdu
    assert (packet.radio.channel, packet.radio.rate, packet.radio.rssi_dbm) == (6, 11, -71)
    assert not packet.radio.has_fcs
    assert not packet.radio.is_transmitted
    assert (packet.direction, packet.comment) == (1, "")
    assert scene.station.heard == [(mpdu, -71, 6, 11, 5_000)]


@pytest.mark.parametrize(
    ("outcome", "attempts", "told", "failed", "retries"),
    [
        (Outcome.ACKNOWLEDGED, 1, "sent, acknowledged, 1 attempt", False, 0),
        (Outcome.ACKNOWLEDGED, 3, "sent, acknowledged, 3 attempts", False, 2),
        (Outcome.NOT_ACKNOWLEDGED, 7, "sent, not acknowledged, 7 attempts", True, 6),
        (Outcome.NOT_ACKNOWLEDGED, 0, "not sent (not acknowledged)", True, None),
        (Outcome.UNKNOWN, 1, "sent, 1 attempt, not known whether acknowledged", None, None),
        (Outcome.NOT_ACKNOWLEDGED, 1000, "sent, not acknowledged, 1000 attempts", True, 255),
    ],
)
def test_what_is_sent(
    scene: Scene, outcome: Outcome, attempts: int, told: str, failed: bool | None, retries: int | None
) -> None:
    scene.radio.withhold()
    scene.link.transmit(to(PEER), 1)
    scene.clock.advance(2_500)
    scene.link.outcome(1, outcome, attempts, 2_500)
    (packet,) = scene.close()
    assert packet.mpdu == to(PEER)
    assert packet.at_us == WALL_US + 2_500
    assert packet.direction == 2
    assert packet.comment == f"{told}, 2.500 ms after it was handed over"
    assert packet.radio.rate == 11
    assert packet.radio.rssi_dbm is None
    assert packet.radio.is_transmitted == (failed is not None)
    assert packet.radio.tx_failed == bool(failed)
    assert packet.radio.data_retries == retries
    assert packet.radio.channel == (6 if attempts else None)
    assert scene.station.outcomes == [(1, outcome, attempts, 2_500)]


def test_a_group_s_frame_has_its_own_rate_and_no_acknowledgement(scene: Scene) -> None:
    scene.link.transmit(to(frame.BROADCAST), 1)
    scene.clock.advance(10_000)
    (packet,) = scene.close()
    assert packet.radio.rate == 1
    assert packet.comment.startswith("sent, ")
    assert "acknowledged" not in packet.comment
    assert packet.radio.is_transmitted
    assert not packet.radio.tx_failed
    assert packet.radio.data_retries is None


def test_wi_fi_s_own_frames_have_the_lowest_rate(scene: Scene) -> None:
    scene.link.transmit(b"\x40\0\0\0" + PEER + OWN + PEER + b"\0\0", 1)
    scene.clock.advance(10_000)
    assert scene.close()[0].radio.rate == 0


def test_a_rate_that_the_radio_does_not_take_is_not_told(scene: Scene) -> None:
    radio = ScriptedLink(scene.clock)
    radio.abilities = replace(radio.abilities, rates=frozenset((0,)), tells_attempts=False)
    link = RecordingLink(radio, scene.clock, Recording(scene.file), report=scene.reports.append)
    scene.file.content.clear()
    link.station = Station()
    link.configure(CONFIG)
    link.transmit(to(PEER), 1)
    scene.clock.advance(10_000)
    link.close()
    content = bytes(scene.file.content)
    (packet,) = read(build_section() + build_interface(127) + content)
    assert packet.radio.rate is None
    assert packet.radio.data_retries is None
    assert packet.radio.is_transmitted


def test_each_frame_stands_in_the_order_in_which_it_was_known(scene: Scene) -> None:
    scene.link.transmit(to(PEER, b"one"), 1)  # answered after 3 ms
    scene.clock.advance(1_000)
    scene.radio.inject(b"two")
    scene.link.transmit(to(PEER, b"three"), 2)
    scene.clock.advance(10_000)
    packets = scene.close()
    assert [frame.parse(packet.mpdu).message for packet in packets] == [b"two", b"one", b"three"]  # type: ignore[union-attr]
    times = [packet.at_us - WALL_US for packet in packets]
    assert times == [1_000, 3_000, 4_000]


def test_a_frame_without_an_answer_is_there_too(scene: Scene) -> None:
    scene.radio.withhold()
    scene.link.transmit(to(PEER), 1)
    scene.clock.advance(9_000)
    (packet,) = scene.close()
    assert packet.mpdu == to(PEER)
    assert packet.comment == "handed over; the radio was closed before its answer"
    assert not packet.radio.is_transmitted
    assert scene.radio.closed


def test_a_frame_that_was_not_taken_is_not(scene: Scene) -> None:
    scene.radio.run_out_of_memory()
    with pytest.raises(LinkFull):
        scene.link.transmit(to(PEER), 1)
    assert scene.close() == []
    assert scene.station.outcomes == []


def test_the_wall_clock_may_be_set(scene: Scene) -> None:
    for step_us in (0, 500_000, 7_200_000_000, -7_200_000_000):
        scene.wall_offset_us = WALL_US + step_us
        scene.clock.advance(10)
        scene.radio.inject(b"x")
    # Half a second is left alone: it would put frames in another order for nothing.
    expected = [10, 20, 7_200_000_030, -7_200_000_000 + 40]
    assert [packet.at_us - WALL_US for packet in scene.close()] == expected


@pytest.mark.parametrize(
    ("rssi_dbm", "channel", "rate"), [(-500, 0, 4), (500, 15, 99), (-128, -1, -1), (127, 1 << 40, 1 << 40)]
)
def test_what_cannot_be_told_is_left_out(scene: Scene, rssi_dbm: int, channel: int, rate: int) -> None:
    for mpdu in (b"", b"\xff", to(OWN)):
        scene.link.received(mpdu, rssi_dbm, channel, rate, 0)
    packets = scene.close()
    assert [packet.mpdu for packet in packets] == [b"", b"\xff", to(OWN)]
    assert packets[0].radio.rssi_dbm in (-128, 127)
    assert len(scene.station.heard) == 3
    assert scene.reports == []


# What passes through.


def test_it_is_as_the_radio_is(scene: Scene) -> None:
    link: Link = scene.link
    assert link.abilities is scene.radio.abilities
    assert link.trouble is None
    scene.radio.trouble = "unplugged"
    assert link.trouble == "unplugged"
    assert scene.radio.configs == [CONFIG]
    assert scene.link.ended is False
    scene.radio.ended = True  # type: ignore[attr-defined]
    assert scene.link.ended is True
    with pytest.raises(AttributeError, match="counts"):
        scene.link.counts  # noqa: B018
    scene.radio.counts = counts = object()  # type: ignore[attr-defined]
    assert scene.link.counts is counts


def test_closing_twice_is_harmless(scene: Scene) -> None:
    scene.radio.inject(b"x")
    assert len(scene.close()) == 1
    assert len(scene.close()) == 1
    assert scene.reports == []


# When the file takes no more.

OPENING = len(build_section() + build_interface(127, name="test:"))


@pytest.mark.parametrize("room", range(OPENING, OPENING + 330, 7))
def test_a_full_disk_ends_the_recording_and_nothing_else(room: int) -> None:
    scene = Scene(Disk(room))
    for number in range(4):
        scene.radio.inject(bytes((number,)) * 8)
        scene.link.transmit(to(PEER), number)
    scene.clock.advance(50_000)
    packets = scene.close()
    assert len(scene.station.heard) == 4
    assert len(scene.station.outcomes) == 4
    assert len(packets) < 8
    assert len(packets) == scene.recording.frames
    count = f"{len(packets)} frame{'' if len(packets) == 1 else 's'}"
    assert scene.reports == [
        f"the recording ends: No space left on device; it has {count}, and the radio goes on without it"
    ]


def test_a_file_that_somebody_closed(tmp_path: Path) -> None:
    clock = ManualClock()
    file = io.FileIO(tmp_path / "air.pcapng", "w")
    radio = ScriptedLink(clock)
    reports: list[str] = []
    link = RecordingLink(radio, clock, Recording(file), report=reports.append)
    station = link.station = Station()
    link.configure(CONFIG)
    file.close()
    for _ in range(3):
        radio.inject(b"x")
    link.close()
    assert len(station.heard) == 3
    assert len(reports) == 1
    assert "closed file; it has 0 frames" in reports[0]


def test_a_defect_of_the_recording_stays_there(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> bytes:
        raise RuntimeError("broken")

    scene.radio.inject(b"before")
    monkeypatch.setattr(radiotap, "build", fail)
    scene.radio.inject(b"x")
    scene.link.transmit(to(PEER), 1)
    scene.clock.advance(50_000)
    assert len(scene.close()) == 1
    assert len(scene.station.heard) == 2
    assert len(scene.station.outcomes) == 1
    assert len(scene.reports) == 1
    assert "RuntimeError: broken" in scene.reports[0]


@pytest.fixture
def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, int]:
    """A FIFO with a reader that does not read."""
    monkeypatch.setattr(record_module, "_MAX_WAITING", 10_000)
    monkeypatch.setattr(record_module, "_CLOSE_S", 0.05)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4_096)
    return path, reader


def test_a_reader_that_does_not_read_holds_up_nothing(stuck: tuple[Path, int]) -> None:
    path, reader = stuck
    clock = ManualClock()
    radio = ScriptedLink(clock)
    reports: list[str] = []
    link = record(radio, clock, path, reports.append)
    station = link.station = Station()
    link.configure(CONFIG)
    for _ in range(1_000):
        radio.inject(bytes(200))
    link.close()
    assert len(station.heard) == 1_000
    first, last = reports
    assert first == f"the recording {path} is too slow: frames are left out of it; the radio goes on"
    assert "it takes nothing more" in last
    os.close(reader)
    thread = link._recording._thread
    assert thread is not None
    thread.join(10)  # EPIPE ends it
    assert not thread.is_alive()


def test_a_file_that_keeps_up_gets_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "_MAX_WAITING", 1_000)
    scene = Scene()
    for _ in range(100):
        scene.radio.inject(bytes(200))
        assert scene.file.written.acquire(timeout=10)
    assert len(scene.close()) == 100
    assert scene.reports == []


def test_a_reader_of_a_fifo_gets_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    clock = ManualClock()
    radio = ScriptedLink(clock)
    link = record(radio, clock, path, pytest.fail)
    link.station = Station()
    link.configure(CONFIG)
    for number in range(20):
        radio.inject(bytes((number,)))
    link.close()
    content = b""
    while piece := os.read(reader, 1 << 16):
        content += piece
    os.close(reader)
    assert [packet.mpdu[-1] for packet in read(content)] == list(range(20))


def test_a_reader_that_left(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    clock = ManualClock()
    radio = ScriptedLink(clock)
    reports: list[str] = []
    link = record(radio, clock, path, reports.append)
    link.station = Station()
    link.configure(CONFIG)
    os.close(reader)
    radio.inject(b"x")
    link.close()
    assert len(reports) == 1
    assert "Broken pipe" in reports[0]


# The file.


def test_a_file_is_overwritten_and_named_by_process(tmp_path: Path) -> None:
    path = tmp_path / f"air-{os.getpid()}.pcapng"
    path.write_bytes(b"x" * 100_000)
    clock = ManualClock()
    radio = ScriptedLink(clock)
    link = record(radio, clock, tmp_path / "air-{pid}.pcapng", pytest.fail, name="udp:?loss=0.1")
    link.station = Station()
    link.configure(CONFIG)
    radio.inject(b"x")
    link.close()
    content = path.read_bytes()
    assert len(read(content)) == 1
    parser = CaptureParser()
    parser.feed(content)
    assert parser.interfaces[0].name == "udp:?loss=0.1"


def test_a_radio_s_long_name_is_cut(tmp_path: Path) -> None:
    clock = ManualClock()
    record(ScriptedLink(clock), clock, tmp_path / "air", pytest.fail, name="é" * 300).close()
    parser = CaptureParser()
    parser.feed((tmp_path / "air").read_bytes())
    assert parser.interfaces[0].name == "é" * 128


def test_files_that_cannot_be(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    terminal, other = pty.openpty()
    clock = ManualClock()
    held = record(ScriptedLink(clock), clock, tmp_path / "held", pytest.fail)
    table = {
        tmp_path: "Is a directory",
        tmp_path / "none" / "air.pcapng": "No such file or directory",
        tmp_path / "fifo": "nobody reads this FIFO; start its reader first",
        Path("/dev/full"): "No space left on device",
        Path(os.ttyname(other)): "it is a terminal",
        tmp_path / "held": "another process records to it; give each a file of its own, such as with {pid} in its name",
    }
    before = descriptors()
    for path, why in table.items():
        with pytest.raises(UserError) as caught:
            record(ScriptedLink(clock), clock, path, pytest.fail)
        assert str(caught.value) == f"cannot record to {path}: {why}"
    assert descriptors() == before
    held.close()
    record(ScriptedLink(clock), clock, tmp_path / "held", pytest.fail).close()
    os.close(terminal)
    os.close(other)


def test_no_forked_process_keeps_the_file(tmp_path: Path) -> None:
    """It would hold the lock as long as it lives."""
    loop = RadioLoop()
    link = record(ScriptedLink(ManualClock()), loop, tmp_path / "air.pcapng", print)
    (fd,) = loop.owned
    assert Path(f"/proc/self/fd/{fd}").readlink() == tmp_path / "air.pcapng"
    link.close()
    assert loop.owned == set()
    loop.close()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    before = descriptors(), threading.active_count()
    for _ in range(5):
        clock = ManualClock()
        radio = ScriptedLink(clock)
        link = record(radio, clock, tmp_path / "air", pytest.fail)
        link.station = Station()
        link.configure(CONFIG)
        radio.inject(b"x")
        link.close()
        assert len(read((tmp_path / "air").read_bytes())) == 1
    assert (descriptors(), threading.active_count()) == before


PROGRAM = """
import os, sys, time
from espnow.link import RadioConfig
from espnow.radio.record import record
from espnow.testing import ManualClock, ScriptedLink

class Station:
    def received(self, *_): pass

clock = ManualClock()
radio = ScriptedLink(clock)
link = record(radio, clock, sys.argv[1], print)
link.station = Station()
for number in range(500):
    radio.inject(bytes(100), destination=bytes(6))
"""


def test_a_killed_process_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "air"
    rest = "while link._recording.frames < 500: time.sleep(0.001)\nprint(flush=True)\ntime.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", PROGRAM + rest, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert len(read(path.read_bytes())) == 500


@pytest.mark.parametrize("ends", ["", "raise SystemExit(0)", "raise ValueError"])
def test_a_process_that_ends_leaves_every_frame(tmp_path: Path, ends: str) -> None:
    path = tmp_path / "air"
    subprocess.run([sys.executable, "-c", f"{PROGRAM}\n{ends}\n", path], check=False, stderr=subprocess.DEVNULL)
    assert len(read(path.read_bytes())) == 500


@pytest.mark.parametrize(("closes_at_exit", "frames"), [(True, 1), (False, 2)])
def test_who_closes_a_recording_that_goes_on_to_the_end(tmp_path: Path, closes_at_exit: bool, frames: int) -> None:
    """Its own call at exit comes first, and knows nothing of what is sent there; whoever closes the link can wait."""
    program = f"""
import atexit, sys
from espnow.radio.record import record
from espnow.testing import ManualClock, ScriptedLink

class Station:
    def received(self, *_): pass

clock = ManualClock()
radio = ScriptedLink(clock)

def end():
    radio.inject(b"at the end", destination=bytes(6))
    link.close()

atexit.register(end)
link = record(radio, clock, sys.argv[1], print, closes_at_exit={closes_at_exit})
link.station = Station()
radio.inject(b"before", destination=bytes(6))
"""
    path = tmp_path / "air"
    subprocess.run([sys.executable, "-c", program, path], check=True)
    assert len(read(path.read_bytes())) == frames


# Who reads it.


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "air.pcapng"
    clock = ManualClock()
    radio = ScriptedLink(clock)
    link = record(radio, clock, path, pytest.fail, name="test:")
    link.station = Station()
    link.configure(CONFIG)
    radio.inject(b"hello", source=PEER, rssi_dbm=-60)
    link.transmit(to(PEER, b"fine"), 1)
    clock.advance(5_000)
    radio.refuse()
    link.transmit(to(PEER, b"lost"), 2)
    clock.advance(5_000)
    link.close()
    return path


def test_decode_reads_it(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from espnow.cli.main import main

    assert main(["decode", str(recorded)]) == 0
    first, second, third, *_ = capsys.readouterr().out.splitlines()
    assert '"hello"' in first
    assert "-60" in first
    assert "sent from here" not in first
    assert second.endswith("sent from here, acknowledged after 0 retries]")
    assert third.endswith("sent from here, not acknowledged after 6 retries]")


@pytest.mark.skipif(
    shutil.which("tshark") is None and not os.environ.get("ESPNOW_REQUIRE_TSHARK"), reason="there is no tshark"
)
def test_wireshark_reads_it(recorded: Path) -> None:
    wanted = ("frame.packet_flags_direction", "frame.comment", "radiotap.txflags", "radiotap.data_retries", "wlan.da")
    done = subprocess.run(
        ["tshark", "-r", recorded, "-T", "fields", *(part for name in wanted for part in ("-e", name))],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [int(row[0], 0) for row in rows] == [1, 2, 2]
    assert [row[1].partition(",")[2].partition(", 3")[0] for row in rows] == [
        "",
        " acknowledged, 1 attempt",
        " not acknowledged, 7 attempts",
    ]
    assert [int(row[2], 0) if row[2] else None for row in rows] == [None, 0, 1]
    assert [row[3] for row in rows] == ["", "0", "6"]
    assert rows[1][4] == "30:aa:aa:aa:aa:aa"

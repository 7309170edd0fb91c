"""Capture files on disk and in pipes, among them some that Wireshark's tools wrote.

How ``files`` were made, with editcap and mergecap 4.0.17, from two files of the frames below that this project wrote,
``own.pcapng`` (radiotap, 1 ms apart) and ``bare_own.pcapng`` (link type 105, half a millisecond later):

- micro.pcap: editcap -F pcap own.pcapng
- nano.pcap: editcap -F nsecpcap -t 0.000000007 own.pcapng
- modified.pcap: editcap -F modpcap own.pcapng
- cut.pcapng: editcap -F pcapng -s 60 --inject-secrets tls,keys -a 2:second own.pcapng
- merged.pcapng: mergecap own.pcapng bare.pcap, the latter from editcap -F pcap bare_own.pcapng
- sections.pcapng: cat cut.pcapng bare_own.pcapng
"""

from __future__ import annotations

import gc
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from espnow import frame
from espnow.capture import PcapngWriter
from espnow.capture.reading import CaptureReader, read
from espnow.errors import FrameError
from espnow.frame.captures import Record

FILES = Path(__file__).parent / "files"

FRAMES = [
    frame.build(frame.BROADCAST, b"\2\0\0\0\0\1", b"hello", seq=1, random_value=2),
    frame.build(b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", bytes(range(250)), seq=2, random_value=3),
    frame.ack(b"\2\0\0\0\0\2"),
]
AT_NS = [1_700_000_000_000_001_000 + 1_000_000 * number for number in range(3)]
BARE_AT_NS = [1_700_000_000_000_500_000 + 1_000_000 * number for number in range(3)]
RADIOTAP = 15


def capture(count: int = 3) -> bytes:
    file = io.BytesIO()
    with PcapngWriter(file) as writer:
        for number in range(count):
            writer.write(FRAMES[number % 3], at_us=number, channel=6, rate=0)
    return file.getvalue()


def told(records: Iterator[Record] | list[Record]) -> list[tuple[int | None, int, bytes, int]]:
    """Return time, link type, the MPDU and how many bytes were cut off."""
    return [
        (
            record.at_ns,
            record.interface.link_type,
            record.packet[RADIOTAP if record.interface.link_type == 127 else 0 :],
            record.length - len(record.packet),
        )
        for record in records
    ]


RADIOTAP_ROWS = [(at_ns, 127, mpdu, 0) for at_ns, mpdu in zip(AT_NS, FRAMES, strict=True)]
BARE_ROWS = [(at_ns, 105, mpdu, 0) for at_ns, mpdu in zip(BARE_AT_NS, FRAMES, strict=True)]
CUT_ROWS = [RADIOTAP_ROWS[0], (AT_NS[1], 127, FRAMES[1][: 60 - RADIOTAP], 304 - 60), RADIOTAP_ROWS[2]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("micro.pcap", RADIOTAP_ROWS),
        ("nano.pcap", [(at_ns + 7, link, mpdu, cut) for at_ns, link, mpdu, cut in RADIOTAP_ROWS]),
        ("cut.pcapng", CUT_ROWS),
        ("merged.pcapng", [row for both in zip(RADIOTAP_ROWS, BARE_ROWS, strict=True) for row in both]),
        ("sections.pcapng", CUT_ROWS + BARE_ROWS),
    ],
)
def test_files_of_wiresharks_tools(name: str, expected: list[tuple[int, int, bytes, int]]) -> None:
    with CaptureReader(FILES / name) as reader:
        assert told(list(reader)) == expected
        assert reader.format == name.partition(".")[2]
        assert reader.position == (FILES / name).stat().st_size
        assert (reader.packets, reader.bad_blocks, reader.problem) == (len(expected), 0, None)
        # The secrets.
        assert reader.skipped_blocks == (name in ("cut.pcapng", "sections.pcapng"))
        assert [(each.section, each.number, each.link_type) for each in reader.interfaces] == {
            "merged.pcapng": [(0, 0, 127), (0, 1, 105)],
            "sections.pcapng": [(0, 0, 127), (1, 0, 105)],
        }.get(name, [(0, 0, 127)])


def test_a_file_that_must_be_converted() -> None:
    with pytest.raises(FrameError, match="editcap"):
        list(read(FILES / "modified.pcap"))


def test_what_the_writer_wrote(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    path.write_bytes(capture(1000))
    for file in (path, str(path), os.fsencode(path).decode()):
        assert [record.at_ns for record in read(file)] == [number * 1000 for number in range(1000)]
    with path.open("rb") as opened:
        assert len(list(read(opened))) == 1000
        assert not opened.closed
    assert len(list(read(io.BytesIO(path.read_bytes())))) == 1000


class OnlyRead:
    """A file without read1."""

    def __init__(self, content: bytes) -> None:
        self.file = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        return self.file.read(min(size, 100))


def test_a_file_without_read1() -> None:
    assert len(list(read(OnlyRead(capture())))) == 3


def test_a_pipe_gives_packets_as_they_come() -> None:
    content = capture()
    first = len(capture(1))
    reading, writing = os.pipe()
    with open(reading, "rb") as source:  # noqa: PTH123
        records = iter(CaptureReader(source))
        os.write(writing, content[: first + 5])
        # Would block here if it waited for a full buffer.
        assert next(records).at_ns == 0
        os.write(writing, content[first + 5 :])
        assert [record.at_ns for record in (next(records), next(records))] == [1000, 2000]
        os.close(writing)
        assert list(records) == []


def test_progress() -> None:
    content = capture(5000)
    reader = CaptureReader(io.BytesIO(content))
    assert (reader.position, reader.packets, reader.format) == (0, 0, None)
    seen = [reader.position for _ in reader]
    assert seen == sorted(seen)
    assert 0 < seen[0] < len(content)
    assert seen[-1] == reader.position == len(content)


@pytest.mark.parametrize("size", [len(capture()) - 1, len(capture()) - 40, 70])
def test_a_damaged_file_gives_first_what_it_has(size: int) -> None:
    content = capture()[:size]
    records: list[Record] = []
    reader = CaptureReader(io.BytesIO(content))
    with pytest.raises(FrameError, match=f"ends at byte {size}") as reason:
        records.extend(reader)
    assert [record.at_ns for record in records] == [0, 1000, 2000][: {70: 0}.get(size, 2)]
    assert reader.problem == str(reason.value)
    assert reader.packets == len(records)


def test_nothing_is_read_after_a_damage() -> None:
    file = io.BytesIO(b"no capture" + bytes(1 << 20))
    with pytest.raises(FrameError, match="neither"):
        list(read(file))
    assert file.tell() < 1 << 20


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with pytest.raises(FrameError, match="empty"):
        list(read(path))


def test_what_cannot_be_opened_or_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CaptureReader(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        next(read(tmp_path / "none"))
    with pytest.raises(IsADirectoryError):
        list(read(tmp_path))


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_it_closes_what_it_opened(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    path.write_bytes(capture())
    gc.collect()
    before = open_files()
    records = read(path)
    next(records)
    assert open_files() == before + 1
    records.close()  # type: ignore[attr-defined]
    assert open_files() == before
    assert len(list(read(path))) == 3
    assert open_files() == before
    path.write_bytes(b"broken")
    with pytest.raises(FrameError):
        list(read(path))
    assert open_files() == before
    reader = CaptureReader(path)
    reader.close()
    reader.close()
    assert open_files() == before


def test_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(capture(),))
    writer.start()
    assert len(list(read(path))) == 3
    writer.join()

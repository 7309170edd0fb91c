"""pcapng files, read back by a small reader of its own and by the project's."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow import frame
from espnow.capture import PcapngWriter
from espnow.capture.reading import read
from espnow.frame import radiotap

repeatable = settings(derandomize=True, deadline=None)

MPDU = frame.build(frame.BROADCAST, b"\2" * 6, b"hello", seq=1, random_value=2)


def blocks(content: bytes) -> list[tuple[int, bytes]]:
    """Return type and body of each block; check both lengths and the alignment."""
    found = []
    at = 0
    while at < len(content):
        kind, length = struct.unpack_from("<II", content, at)
        assert length % 4 == 0
        assert length >= 12
        assert struct.unpack_from("<I", content, at + length - 4) == (length,)
        found.append((kind, content[at + 8 : at + length - 4]))
        at += length
    assert at == len(content)
    return found


def frames(content: bytes) -> list[tuple[int, bytes]]:
    """Return time and bytes of each frame."""
    section, interface, *packets = blocks(content)
    assert section == (0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    # Link type 127, no snap length; option 9 of 1 byte says 6; end of options.
    assert interface == (1, struct.pack("<HHIHHB3xHH", 127, 0, 0, 9, 1, 6, 0, 0))
    found = []
    for kind, body in packets:
        assert kind == 6
        number, high, low, captured, original = struct.unpack_from("<IIIII", body)
        assert number == 0
        assert captured == original
        assert len(body) == 20 + captured + -captured % 4
        assert not any(body[20 + captured :])
        found.append((high << 32 | low, body[20 : 20 + captured]))
    return found


def test_an_empty_capture_is_a_valid_file() -> None:
    file = io.BytesIO()
    with PcapngWriter(file):
        pass
    assert frames(file.getvalue()) == []
    assert len(file.getvalue()) == 28 + 32


@repeatable
@given(
    st.lists(
        st.tuples(
            st.binary(max_size=60),
            st.integers(0, (1 << 64) - 1),
            st.integers(1, 14),
            st.sampled_from(sorted(frame.ALL_RATES)),
            st.none() | st.integers(-128, 127),
        ),
        max_size=5,
    )
)
def test_frames_read_back(sent: list[tuple[bytes, int, int, int, int | None]]) -> None:
    file = io.BytesIO()
    with PcapngWriter(file) as writer:
        for mpdu, at_us, channel, rate, rssi_dbm in sent:
            writer.write(mpdu, at_us=at_us, channel=channel, rate=rate, rssi_dbm=rssi_dbm)
    assert frames(file.getvalue()) == [
        (at_us, radiotap.build(channel=channel, rate=rate, rssi_dbm=rssi_dbm, at_us=at_us) + mpdu)
        for mpdu, at_us, channel, rate, rssi_dbm in sent
    ]
    assert [
        (record.at_ns, record.interface.link_type, record.packet) for record in read(io.BytesIO(file.getvalue()))
    ] == [(at_us * 1000, 127, packet) for at_us, packet in frames(file.getvalue())]


def test_a_packet_that_has_its_radiotap_is_the_same_packet() -> None:
    made, copied = io.BytesIO(), io.BytesIO()
    with PcapngWriter(made) as writer:
        writer.write(MPDU, at_us=7, channel=3, rate=11, rssi_dbm=-40)
    with PcapngWriter(copied) as writer:
        for record in read(io.BytesIO(made.getvalue())):
            assert record.at_ns is not None
            writer.write_packet(record.packet, at_us=record.at_ns // 1000, length=record.length)
    assert copied.getvalue() == made.getvalue()


def test_a_cut_packet_keeps_its_length() -> None:
    file = io.BytesIO()
    with PcapngWriter(file) as writer:
        writer.write_packet(b"cut", at_us=7, length=300)
    (record,) = read(io.BytesIO(file.getvalue()))
    assert (record.packet, record.length) == (b"cut", 300)


def test_byte_by_byte() -> None:
    file = io.BytesIO()
    with PcapngWriter(file) as writer:
        writer.write(b"\xd4\0\0\0" + b"\2" * 6, at_us=1 << 32 | 5, channel=1, rate=0)
    assert file.getvalue().hex(" ", -4) == (
        "0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffff ffffffff 1c000000 "
        "01000000 20000000 7f000000 00000000 09000100 06000000 00000000 20000000 "
        "06000000 40000000 00000000 01000000 05000000 20000000 20000000 "
        "00001600 0f000000 05000000 01000000 00026c09 a000d400 00000202 02020202 40000000"
    )


def test_a_file_on_disk_is_flushed_and_left_open(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    with path.open("wb") as file:
        with PcapngWriter(file) as writer:
            writer.write(MPDU, at_us=1, channel=1, rate=0)
        assert len(frames(path.read_bytes())) == 1
        assert not file.closed


def test_a_closed_writer_takes_nothing() -> None:
    file = io.BytesIO()
    writer = PcapngWriter(file)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(MPDU, at_us=1, channel=1, rate=0)
    with pytest.raises(ValueError, match="closed"):
        writer.write_packet(b"", at_us=1)


@pytest.mark.parametrize(
    "change",
    [{"at_us": -1}, {"at_us": 1 << 64}, {"channel": 0}, {"rate": 4}, {"rssi_dbm": 128}],
    ids=repr,
)
def test_a_refused_frame_leaves_no_byte(change: dict[str, int]) -> None:
    file = io.BytesIO()
    arguments: dict[str, int] = {"at_us": 0, "channel": 1, "rate": 0} | change
    with PcapngWriter(file) as writer, pytest.raises(ValueError, match=r"\w"):
        writer.write(MPDU, **arguments)
    assert frames(file.getvalue()) == []


def test_a_failing_program_still_leaves_a_whole_file() -> None:
    file = io.BytesIO()

    def fail() -> None:
        with PcapngWriter(file) as writer:
            writer.write(MPDU, at_us=1, channel=1, rate=0)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert len(frames(file.getvalue())) == 1

"""Capture files as bytes: hand-built ones, damaged ones, and all ways to cut them into pieces."""

from __future__ import annotations

import gzip
import itertools
import random
import struct
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from espnow.errors import FrameError
from espnow.frame import captures
from espnow.frame.capture_blocks import INBOUND, OUTBOUND
from espnow.frame.captures import MAX_PACKET, CaptureParser, Interface, Record

repeatable = settings(derandomize=True, deadline=None)

SECOND = 10**9


# A small writer of its own, in both byte orders.


def pcap(
    packets: list[tuple[int, int, bytes, int]],
    *,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    version: tuple[int, int] = (2, 4),
    link: int = 127,
) -> bytes:
    content = struct.pack(order + "IHHiIII", magic, *version, 0, 0, 65535, link)
    for seconds, ticks, packet, length in packets:
        content += struct.pack(order + "IIII", seconds, ticks, len(packet), length) + packet
    return content


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<", *, length: int = -1, version: tuple[int, int] = (1, 0), options: bytes = b"") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, length) + options, order)


def options(*pairs: tuple[int, bytes], order: str = "<", end: bool = True) -> bytes:
    content = b""
    for code, value in pairs:
        content += struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)
    return content + b"\0\0\0\0" * end


def interface(link: int = 127, snap: int = 0, content: bytes = b"", *, order: str = "<") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snap) + content, order)


def enhanced(
    packet: bytes,
    ticks: int = 0,
    *,
    number: int = 0,
    length: int | None = None,
    captured: int | None = None,
    content: bytes = b"",
    order: str = "<",
) -> bytes:
    head = struct.pack(
        order + "IIIII",
        number,
        ticks >> 32,
        ticks & 0xFFFFFFFF,
        len(packet) if captured is None else captured,
        len(packet) if length is None else length,
    )
    return block(6, head + packet + b"\0" * (-len(packet) % 4) + content, order)


def simple(packet: bytes, length: int | None = None, *, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", len(packet) if length is None else length) + packet, order)


def old(packet: bytes, ticks: int = 0, *, number: int = 0, drops: int = 0, order: str = "<") -> bytes:
    head = struct.pack(order + "HHIIII", number, drops, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet))
    return block(2, head + packet, order)


class Outcome(NamedTuple):
    records: list[Record]
    problem: str | None
    packets: int
    bad: int
    skipped: int
    interfaces: list[Interface]


def parse(content: bytes, cuts: Iterator[int] | None = None) -> Outcome:
    """Read a whole capture, in pieces of the given sizes."""
    parser = CaptureParser()
    records: list[Record] = []
    at = 0
    while at < len(content):
        size = len(content) if cuts is None else next(cuts)
        records += parser.feed(content[at : at + size])
        at += size
    before = parser.problem
    try:
        parser.finish()
    except FrameError as reason:
        assert str(reason) == parser.problem
    else:
        assert parser.problem is None
    assert before in (None, parser.problem)
    assert parser.packets == len(records)
    return Outcome(records, parser.problem, parser.packets, parser.bad_blocks, parser.skipped_blocks, parser.interfaces)


# pcap


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "ticks_per_second"), [(0xA1B2C3D4, 10**6), (0xA1B23C4D, 10**9)])
@pytest.mark.parametrize("link", [105, 127])
def test_pcap(order: str, magic: int, ticks_per_second: int, link: int) -> None:
    content = pcap(
        [(1, 2, b"one", 3), (0xFFFFFFFF, 999_999, b"", 0), (4, 5, b"cut", 300)], order=order, magic=magic, link=link
    )
    parser = CaptureParser()
    records = parser.feed(content)
    parser.finish()
    expected = Interface(0, 0, link, 65535, None, "", ticks_per_second, 0)
    tick = SECOND // ticks_per_second
    assert records == [
        Record(SECOND + 2 * tick, expected, b"one", 3),
        Record(0xFFFFFFFF * SECOND + 999_999 * tick, expected, b"", 0),
        Record(4 * SECOND + 5 * tick, expected, b"cut", 300),
    ]
    assert parser.format == "pcap"
    assert parser.interfaces == [expected]
    assert all(type(record) is Record for record in records)


@pytest.mark.parametrize(
    ("link", "fcs_length"),
    [
        (105, None),
        (0x04000000 | 105, 0),
        (0x24000000 | 105, 4),
        (0x14000000 | 105, 2),
        (0x20000000 | 105, None),
        (0x2BFF0000 | 105, None),
    ],
)
def test_the_upper_bits_of_a_link_type_tell_the_fcs_length(link: int, fcs_length: int | None) -> None:
    (found,) = parse(pcap([], link=link)).interfaces
    assert (found.link_type, found.fcs_length) == (105, fcs_length)


@pytest.mark.parametrize(("version", "length"), [((2, 4), 2), ((2, 3), 5), ((2, 0), 5)])
def test_old_pcap_may_swap_the_lengths(version: tuple[int, int], length: int) -> None:
    content = pcap([], version=version) + struct.pack("<IIII", 0, 0, 5, 2) + b"12345"
    records = parse(content).records
    assert [(record.packet, record.length) for record in records] == (
        [(b"12345", 2)] if version == (2, 4) else [(b"12", 5)]
    )
    assert length == records[0].length


@pytest.mark.parametrize("version", [(1, 2), (2, 5), (2, 543), (3, 0)])
def test_other_pcap_is_refused(version: tuple[int, int]) -> None:
    assert f"version {version[0]}.{version[1]}" in (parse(pcap([], version=version)).problem or "")


@pytest.mark.parametrize("size", [MAX_PACKET, MAX_PACKET + 1])
def test_pcap_with_a_packet_beyond_the_limit(size: int) -> None:
    content = pcap([(0, 0, b"a", 1), (0, 0, b"b" * size, size), (0, 0, b"c", 1)])
    found = parse(content)
    if size == MAX_PACKET:
        assert [len(record.packet) for record in found.records] == [1, size, 1]
        assert found.problem is None
    else:
        assert [record.packet for record in found.records] == [b"a"]
        assert found.problem == f"a packet of {size} bytes at byte 41, more than {MAX_PACKET}, after 1 packet"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"\xd4", "ends at byte 1, within its opening"),
        (b"\xd4\xc3\xb2\xa1\x02", "ends at byte 5, within its opening"),
        (b"\x0a\x0d\x0d", "ends at byte 3, within its opening"),
        (b"GET / HTTP/1.0\r\n", "neither pcap nor pcapng"),
        (gzip.compress(b"x", mtime=0), "gunzip -c FILE | espnow decode -"),
        (bytes.fromhex("28b52ffd2400010000"), "unzstd"),
        (b"BZh91AY&SY", "bunzip2"),
        (b"\xfd7zXZ\0", "unxz"),
        (bytes.fromhex("04224d1864"), "unlz4"),
        (b"snoop\0\0\0\0\0\0\2", "snoop"),
        (pcap([], magic=0xA1B2CD34), "Kuznetzov"),
        (pcap([], magic=0xA1B2CD34, order=">"), "Kuznetzov"),
    ],
    ids=repr,
)
def test_what_is_no_capture_says_so(content: bytes, word: str) -> None:
    found = parse(content)
    assert found.records == []
    assert word in (found.problem or "")
    # Nothing was read, so no number of packets.
    assert "packets" not in (found.problem or "")


# pcapng


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng(order: str) -> None:
    content = (
        section(order, length=1000, options=options((4, b"a tool"), order=order))
        + interface(127, 0, options((2, b"wlan0mon"), (9, b"\x06"), order=order), order=order)
        + enhanced(b"one", 1_700_000_000_000_001, order=order)
        + block(5, b"statistics..", order)
        + interface(105, 96, options((9, b"\x09"), (13, b"\x04"), order=order), order=order)
        + enhanced(b"two", 5, number=1, length=300, content=options((2, b"\0\0\0\0"), order=order), order=order)
        + simple(b"three", order=order)
        + old(b"four", 7, number=1, drops=3, order=order)
        + block(0x0BAD, b"\0\0\0\0", order)
    )
    first = Interface(0, 0, 127, 0, None, "wlan0mon", 10**6, 0)
    second = Interface(0, 1, 105, 96, 4, "", 10**9, 0)
    parser = CaptureParser()
    assert parser.feed(content) == [
        Record(1_700_000_000_000_001_000, first, b"one", 3),
        Record(5, second, b"two", 300),
        Record(None, first, b"three", 5),
        Record(7, second, b"four", 4),
    ]
    parser.finish()
    assert parser.format == "pcapng"
    assert parser.interfaces == [first, second]
    assert (parser.packets, parser.bad_blocks, parser.skipped_blocks) == (4, 0, 2)


def test_sections_have_orders_and_interfaces_of_their_own() -> None:
    content = (
        section("<")
        + interface(127)
        + interface(105)
        + enhanced(b"a", number=1)
        + section(">", length=64)
        + interface(1, order=">")
        + enhanced(b"b", order=">")
        + enhanced(b"lost", number=1, order=">")
        + section("<")
        + enhanced(b"lost")
        + simple(b"lost")
        + interface(127)
        + old(b"c")
    )
    found = parse(content)
    assert [(r.packet, r.interface.section, r.interface.number, r.interface.link_type) for r in found.records] == [
        (b"a", 0, 1, 105),
        (b"b", 1, 0, 1),
        (b"c", 2, 0, 127),
    ]
    assert (found.bad, found.problem) == (3, None)
    assert [(i.section, i.number) for i in found.interfaces] == [(0, 0), (0, 1), (1, 0), (2, 0)]


@pytest.mark.parametrize(
    ("resolution", "ticks_per_second"),
    [
        (None, 10**6),
        (0, 1),
        (3, 10**3),
        (9, 10**9),
        (12, 10**12),
        (127, 10**127),
        (128, 1),
        (138, 2**10),
        (255, 2**127),
    ],
)
@pytest.mark.parametrize("offset", [None, 0, 1_700_000_000, -5, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("ticks", [0, 1, 999, 1_700_000_000_123_456, 2**64 - 1])
@pytest.mark.parametrize("order", ["<", ">"])
def test_times(resolution: int | None, ticks_per_second: int, offset: int | None, ticks: int, order: str) -> None:
    pairs = []
    if resolution is not None:
        pairs.append((9, bytes((resolution,))))
    if offset is not None:
        pairs.append((14, struct.pack(order + "q", offset)))
    content = section(order) + interface(content=options(*pairs, order=order), order=order)
    content += enhanced(b"x", ticks, order=order) + old(b"x", ticks, order=order)
    expected = Fraction(ticks, ticks_per_second) * SECOND // 1 + (offset or 0) * SECOND
    for record in parse(content).records:
        assert record.at_ns == expected
        assert record.interface.ticks_per_second == ticks_per_second
        assert record.interface.offset_s == (offset or 0)


def test_a_time_is_since_1970() -> None:
    at = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    (record,) = parse(section() + interface() + enhanced(b"", int(at.timestamp()) * 10**6)).records
    assert record.at_ns is not None
    assert datetime.fromtimestamp(record.at_ns / SECOND, UTC) == at


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (options((2, b"mon0")), ("mon0", 10**6, None)),
        (options((2, b"mon0\0\0")), ("mon0", 10**6, None)),
        (options((2, b"\xff\x1b[2J")), ("\ufffd\x1b[2J", 10**6, None)),
        (options((2, b"x" * 1000), (9, b"\x09")), ("x" * 256, 10**9, None)),
        # After the end of the options, or without one.
        (options((0, b""), (2, b"late")), ("", 10**6, None)),
        (options((2, b"mon0"), end=False), ("mon0", 10**6, None)),
        # Longer than the block: what came before counts.
        (options((2, b"mon0"), end=False) + b"\x09\0\x10\0\1\0\0\0", ("mon0", 10**6, None)),
        (options((2, b"mon0"), end=False) + b"\x09\0\xff\xff", ("mon0", 10**6, None)),
        (b"\2\0\5\0mon0", ("", 10**6, None)),
        # Of another size than theirs.
        (options((9, b"\x09\0"), (13, b"\4\0\0\0"), (14, b"\1")), ("", 10**6, None)),
        # FCS in bytes and in bits.
        (options((13, b"\0")), ("", 10**6, 0)),
        (options((13, b"\4")), ("", 10**6, 4)),
        (options((13, b"\x20")), ("", 10**6, 4)),
        (options((13, b"\x10")), ("", 10**6, 2)),
        # Unknown ones, of an odd length.
        (options((7, b"1234567"), (2988, b"12345"), (9, b"\x09")), ("", 10**9, None)),
    ],
    ids=repr,
)
def test_options_of_an_interface(content: bytes, expected: tuple[str, int, int | None]) -> None:
    found = parse(section() + interface(content=content) + enhanced(b"x"))
    (described,) = found.interfaces
    assert (described.name, described.ticks_per_second, described.fcs_length) == expected
    assert described.offset_s == 0
    assert found.records[0].interface is described
    assert found.problem is None


@pytest.mark.parametrize(
    ("snap", "length", "packet"),
    [(0, 5, b"abcde"), (3, 5, b"abc"), (5, 5, b"abcde"), (100, 5, b"abcde"), (0, 8, b"abcde\0\0\0"), (0, 9, None)],
)
def test_simple_packets_are_cut_by_the_interface(snap: int, length: int, packet: bytes | None) -> None:
    found = parse(section() + interface(127, snap) + simple(b"abcde", length))
    assert [(r.packet, r.length, r.at_ns) for r in found.records] == (
        [] if packet is None else [(packet, length, None)]
    )
    assert (found.bad, found.problem) == (packet is None, None)


BAD = {
    "no such interface": enhanced(b"x", number=1),
    "no such interface, 32 bits": enhanced(b"x", number=0x10000),
    "longer than its block": enhanced(b"1234", captured=5),
    "much longer than its block": enhanced(b"1234", captured=0xFFFFFFFF),
    "a packet block too short": block(6, b"\0" * 16),
    "an empty packet block": block(6, b""),
    "an old one of no interface": old(b"x", number=1),
    "an old one too long": block(2, struct.pack("<HHIIII", 0, 0, 0, 0, 5, 5) + b"1234"),
    "an old one too short": block(2, b"\0" * 16),
    "a simple one too long": simple(b"1234", 5),
    "an empty simple one": block(3, b""),
    "beyond the limit": enhanced(b"x" * (MAX_PACKET + 1)),
    "beyond the limit with options": enhanced(b"x", content=options((1, b"c" * 65000)) * 5),
    "an old one beyond the limit": old(b"x" * (MAX_PACKET + 1)),
    "a simple one beyond the limit": simple(b"x" * (MAX_PACKET + 20)),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("size", [None, 1000])
def test_one_bad_block_is_left_out(name: str, size: int | None) -> None:
    content = section() + interface() + enhanced(b"before") + BAD[name] + enhanced(b"after")
    found = parse(content, None if size is None else itertools.repeat(size))
    assert [record.packet for record in found.records] == [b"before", b"after"]
    assert (found.bad, found.skipped, found.problem) == (1, 0, None)


@pytest.mark.parametrize(
    "bad", [block(1, b"\1\0\0\0"), interface(content=b"\0" * MAX_PACKET * 2)], ids=["short", "long"]
)
def test_a_bad_interface_keeps_its_number(bad: bytes) -> None:
    content = section() + interface(105) + bad + interface(127)
    content += enhanced(b"lost", number=1) + enhanced(b"x", number=2)
    found = parse(content)
    assert [(r.packet, r.interface.number, r.interface.link_type) for r in found.records] == [(b"x", 2, 127)]
    assert (found.bad, found.problem) == (2, None)


def test_interfaces_are_bounded() -> None:
    content = section() + interface() * 5000 + enhanced(b"x", number=4095) + enhanced(b"lost", number=4096)
    found = parse(content + section() + interface() + enhanced(b"y"))
    assert [record.packet for record in found.records] == [b"x", b"y"]
    assert found.bad == 5000 - 4096 + 1
    assert len(found.interfaces) == 4096


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize("length", [-1, 0, 4, 60, 60_000])
def test_other_blocks_are_passed_over(size: int | None, length: int) -> None:
    other = block(10, b"s" * max(length, 0))
    content = section(options=options((2, b"x" * max(length, 0)))) + other + interface() + enhanced(b"a") + other
    content += enhanced(b"b") + other
    found = parse(content, None if size is None else itertools.repeat(size))
    assert [record.packet for record in found.records] == [b"a", b"b"]
    assert (found.skipped, found.problem) == (3, None)


BROKEN = {
    "shorter than a block": (struct.pack("<II", 6, 8) + b"\0" * 8, "a block of 8 bytes at byte {}"),
    "of no length": (struct.pack("<II", 5, 0) + b"\0" * 8, "a block of 0 bytes at byte {}"),
    "not a multiple of 4": (struct.pack("<II", 5, 14) + b"\0" * 8, "a block of 14 bytes at byte {}"),
    "a packet, not a multiple of 4": (struct.pack("<II", 6, 33) + b"\0" * 40, "a block of 33 bytes at byte {}"),
    "a packet, not a multiple of 4, whole": (
        struct.pack("<IIIIIII", 6, 33, 0, 0, 0, 1, 1) + b"x" + struct.pack("<I", 33),
        "a block of 33 bytes at byte {}",
    ),
    "another length at its end": (
        enhanced(b"1234")[:-4] + struct.pack("<I", 40),
        "a block of 36 bytes at byte {}, which ends as one of 40 bytes",
    ),
    "an interface with another length at its end": (
        interface()[:-4] + b"\0\0\0\0",
        "a block of 20 bytes at byte {}, which ends as one of 0 bytes",
    ),
    "passed over with another length at its end": (
        block(5, b"x" * 100_000)[:-4] + b"\1\0\0\0",
        "a block of 100012 bytes at byte {}, which ends as one of 1 bytes",
    ),
    "beyond the limit with another length at its end": (
        enhanced(b"x" * 300_000)[:-4] + b"\1\0\0\0",
        "a block of 300032 bytes at byte {}, which ends as one of 1 bytes",
    ),
    "a section of no order": (
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4E, 1, 0, -1)),
        "a section without a byte order at byte {}",
    ),
    "a section of a later version": (section(version=(2, 0)), "pcapng of version 2.0 at byte {}, not 1.0"),
    "a section too short": (
        struct.pack("<IIIHHqI", 0x0A0D0D0A, 24, 0x1A2B3C4D, 1, 0, -1, 24),
        "a block of 24 bytes at byte {}",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("size", [None, 1000, 1])
def test_a_broken_block_ends_the_reading(name: str, size: int | None) -> None:
    bad, problem = BROKEN[name]
    before = section() + interface() + enhanced(b"a") + enhanced(b"b")
    found = parse(before + bad + enhanced(b"never"), None if size is None else itertools.repeat(size))
    assert [record.packet for record in found.records] == [b"a", b"b"]
    assert found.problem == problem.format(len(before)) + ", after 2 packets"


def test_after_a_problem_nothing_is_taken() -> None:
    parser = CaptureParser()
    assert parser.feed(b"nothing like it") == []
    problem = parser.problem
    assert parser.feed(pcap([(0, 0, b"x", 1)])) == []
    for _ in range(2):
        with pytest.raises(FrameError, match="neither"):
            parser.finish()
    assert parser.problem == problem


# Pieces and damages


@st.composite
def pcaps(draw: st.DrawFn) -> tuple[bytes, list[tuple[int | None, int, bytes, int]]]:
    """A pcap and its packets: time, link type, bytes, length."""
    order = draw(st.sampled_from("<>"))
    nano = draw(st.booleans())
    link = draw(st.sampled_from([1, 105, 127]))
    packets = draw(
        st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=40)), max_size=6)
    )
    longer = draw(st.integers(0, 9))
    content = pcap(
        [(seconds, ticks, packet, len(packet) + longer) for seconds, ticks, packet in packets],
        order=order,
        magic=0xA1B23C4D if nano else 0xA1B2C3D4,
        link=link,
    )
    return content, [
        (seconds * SECOND + ticks * (1 if nano else 1000), link, packet, len(packet) + longer)
        for seconds, ticks, packet in packets
    ]


@st.composite
def pcapngs(draw: st.DrawFn) -> tuple[bytes, list[tuple[int | None, int, bytes, int]]]:
    """A pcapng of several sections and its packets: time, link type, bytes, length."""
    content = b""
    expected: list[tuple[int | None, int, bytes, int]] = []
    for _ in range(draw(st.integers(1, 3))):
        order = draw(st.sampled_from("<>"))
        content += section(order, length=draw(st.sampled_from([-1, 0, 400])))
        links: list[int] = []
        for kind in draw(st.lists(st.sampled_from("ieeeesox"), max_size=8)):
            packet = draw(st.binary(max_size=40))
            ticks = draw(st.integers(0, 2**64 - 1))
            if kind == "x":
                content += block(draw(st.sampled_from([4, 5, 10, 0xBAD, 0x80000000])), packet, order)
            elif kind == "i" or not links:
                links.append(draw(st.sampled_from([1, 105, 127])))
                content += interface(links[-1], 0, options((9, b"\x09"), order=order), order=order)
            elif kind == "s":
                content += simple(packet, order=order)
                expected.append((None, links[0], packet, len(packet)))
            else:
                number = draw(st.integers(0, len(links) - 1))
                write = enhanced if kind == "e" else old
                content += write(packet, ticks, number=number, order=order)
                expected.append((ticks, links[number], packet, len(packet)))
    return content, expected


sizes = st.lists(st.integers(0, 70), min_size=1, max_size=20).filter(any)


@repeatable
@given(pcaps() | pcapngs(), sizes)
def test_the_same_packets_however_it_is_cut(
    capture: tuple[bytes, list[tuple[int | None, int, bytes, int]]], cuts: list[int]
) -> None:
    content, expected = capture
    whole = parse(content)
    assert [(r.at_ns, r.interface.link_type, r.packet, r.length) for r in whole.records] == expected
    assert (whole.bad, whole.problem) == (0, None)
    assert parse(content, itertools.cycle(cuts)) == whole
    assert parse(content, itertools.repeat(1)) == whole


@repeatable
@given(pcaps() | pcapngs(), st.data())
def test_damaged_captures_end_in_one_way_however_they_are_cut(
    capture: tuple[bytes, list[tuple[int | None, int, bytes, int]]], data: st.DataObject
) -> None:
    content = bytearray(capture[0])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from("bwdi")):
            case "b":
                content[at] = data.draw(st.integers(0, 255))
            case "w":
                at &= ~3
                content[at : at + 4] = struct.pack(
                    data.draw(st.sampled_from("<>")) + "I",
                    data.draw(st.sampled_from([0, 1, 3, 6, 12, 28, 32, 64, 262176, 262180, 2**31, 2**32 - 4])),
                )
            case "d":
                del content[at : at + data.draw(st.integers(1, 9))]
            case _:
                content[at:at] = data.draw(st.binary(max_size=9))
        if not content:
            break
    whole = parse(bytes(content))
    assert parse(bytes(content), itertools.cycle(data.draw(sizes))) == whole
    assert parse(bytes(content), itertools.repeat(1)) == whole


@repeatable
@given(
    st.sampled_from([b"", pcap([]), pcap([], order=">"), section(), section(">"), section() + interface()]),
    st.binary(max_size=200),
)
@example(section() + interface(), struct.pack("<II", 6, 0xFFFFFFFC) + b"\0" * 40)
def test_any_bytes(start: bytes, content: bytes) -> None:
    whole = parse(start + content)
    assert parse(start + content, itertools.repeat(1)) == whole


SMALL = {
    "pcap": (pcap([(1, 2, b"one", 3), (3, 4, b"second", 6), (5, 6, b"", 0)]), [24, 43, 65, 81]),
    "pcapng": (
        section() + interface() + enhanced(b"one") + block(5, b"12345678") + simple(b"two") + enhanced(b"three"),
        [28, 48, 84, 104, 124, 164],
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_cut_off_at_every_byte(name: str) -> None:
    content, ends = SMALL[name]
    assert ends[-1] == len(content)
    whole = parse(content).records
    assert len(whole) == 3
    packet_ends = ends[1:] if name == "pcap" else [84, 124, 164]
    for size in range(len(content)):
        for cuts in (None, itertools.repeat(1)):
            found = parse(content[:size], cuts)
            count = sum(end <= size for end in packet_ends)
            assert found.records == whole[:count]
            if size in ends:
                assert found.problem is None
                continue
            assert found.problem is not None
            if size == 0:
                assert found.problem == "the capture is empty"
                continue
            assert found.problem.startswith(f"the capture ends at byte {size}, within ")
            if size >= 28:
                opened_at = max(end for end in ends if end < size)
                assert f" that opens at byte {opened_at}, after {count} packet" in found.problem


def test_a_capture_that_ends_in_a_block_passed_over() -> None:
    content = section() + interface() + enhanced(b"x") + block(5, b"x" * 1000)
    for size in (84 + 12, 84 + 500, len(content) - 4, len(content) - 1):
        assert parse(content[:size]).problem == (
            f"the capture ends at byte {size}, within the block that opens at byte 84, after 1 packet"
        ).replace("84", str(28 + 20 + 36))


@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview])
def test_what_feed_takes(convert: type[bytes]) -> None:
    parser = CaptureParser()
    assert [r.packet for r in parser.feed(convert(pcap([(0, 0, b"x", 1)])))] == [b"x"]
    assert parser.feed(convert(b"")) == []
    parser.finish()


def test_a_record_does_not_follow_the_callers_buffer() -> None:
    buffer = bytearray(pcap([(0, 0, b"abc", 3)]))
    (record,) = CaptureParser().feed(buffer)
    buffer[-3:] = b"xyz"
    assert record.packet == b"abc"


@pytest.mark.parametrize("wrong", ["text", 5, None, [1]])
def test_what_feed_refuses(wrong: object) -> None:
    with pytest.raises(TypeError):
        CaptureParser().feed(wrong)  # type: ignore[arg-type]


# Bounds


def peak(content: Iterator[bytes]) -> int:
    """Return how much memory a parser takes at most."""
    parser = CaptureParser()
    tracemalloc.start()
    try:
        for piece in content:
            parser.feed(piece)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


PIECE = bytes(4096)


@pytest.mark.parametrize(
    "opening",
    [
        section() + struct.pack("<II", 5, 0xFFFFFFFC),
        section() + struct.pack("<II", 6, 0xFFFFFFFC),
        section() + struct.pack("<II", 1, 0xFFFFFFFC),
        section() + struct.pack("<II", 3, 0xFFFFFFFC),
        struct.pack("<IIIHHq", 0x0A0D0D0A, 0xFFFFFFFC, 0x1A2B3C4D, 1, 0, -1),
        pcap([]) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF),
        PIECE,
    ],
    ids=["statistics", "packet", "interface", "simple", "section", "pcap", "nothing"],
)
def test_a_long_block_is_not_kept(opening: bytes) -> None:
    assert peak(itertools.chain([opening], itertools.repeat(PIECE, 1000))) < 100_000


def test_no_more_than_one_packet_is_kept() -> None:
    packet = enhanced(b"x" * MAX_PACKET)
    pieces = [packet[at : at + 4096] for at in range(0, len(packet), 4096)]
    assert peak(itertools.chain([section() + interface()], pieces * 10)) < 4 * MAX_PACKET


def test_many_sections_take_no_memory() -> None:
    content = (section() + interface() * 10 + enhanced(b"x") * 3) * 10
    assert peak(itertools.repeat(content, 20)) < peak(itertools.repeat(content, 200)) + 100_000
    # Told apart from the list of interfaces, which is bounded: full at first.
    parser = CaptureParser()
    parser.feed((section() + interface() * 10) * 500)
    assert len(parser.interfaces) == 4096


def test_time_grows_with_the_bytes_alone() -> None:
    # One packet of 256 KiB byte by byte, against as many bytes in small packets byte by byte: a parser that joined
    # its pieces again each time would take 1000 times as long.
    def spent(content: bytes) -> float:
        parser = CaptureParser()
        pieces = [content[at : at + 1] for at in range(len(content))]
        begin = time.process_time()
        for piece in pieces:
            parser.feed(piece)
        return time.process_time() - begin

    opening = section() + interface()
    large = enhanced(b"x" * MAX_PACKET)
    small = enhanced(b"x" * 68)
    assert spent(opening + large) < 20 * spent(opening + small * (len(large) // len(small)))


# Builders


@repeatable
@given(
    st.lists(
        st.tuples(st.binary(max_size=60), st.integers(0, 2**64 - 1), st.none() | st.integers(0, 2**32 - 1)), max_size=5
    ),
    st.integers(0, 65535),
    st.integers(0, 2**32 - 1),
    st.text(max_size=60).filter(lambda name: not name.endswith("\0")),
)
def test_what_is_built_reads_back(
    packets: list[tuple[bytes, int, int | None]], link_type: int, snap_length: int, name: str
) -> None:
    content = captures.build_section() + captures.build_interface(1)
    content += captures.build_interface(link_type, snap_length=snap_length, name=name)
    for packet, at_us, length in packets:
        content += captures.build_packet(packet, at_us=at_us, interface=1, length=length)
    found = parse(content)
    expected = Interface(0, 1, link_type, snap_length, None, name, 10**6, 0)
    assert found.records == [
        Record(at_us * 1000, expected, packet, len(packet) if length is None else length)
        for packet, at_us, length in packets
    ]
    assert found.problem is None


def test_what_is_built_is_what_the_draft_says() -> None:
    assert captures.build_section() == section()
    assert captures.build_interface(105, snap_length=96, name="mon0") == interface(
        105, 96, options((2, b"mon0"), (9, b"\6"))
    )
    for size in range(5):
        packet = random.Random(size).randbytes(size)
        assert captures.build_packet(packet, at_us=2**40 + 5, interface=2, length=9) == enhanced(
            packet, 2**40 + 5, number=2, length=9
        )


@pytest.mark.parametrize(
    ("direction", "comment", "expected"),
    [
        (INBOUND, "", options((2, b"\1\0\0\0"))),
        (OUTBOUND, "", options((2, b"\2\0\0\0"))),
        (0, "kept", options((1, b"kept"))),
        (0, "2 µs", options((1, "2 µs".encode()))),
        (OUTBOUND, "x" * 1024, options((1, b"x" * 1024), (2, b"\2\0\0\0"))),
    ],
    ids=["in", "out", "comment", "UTF-8", "both"],
)
def test_options_of_a_packet_are_what_the_draft_says(direction: int, comment: str, expected: bytes) -> None:
    for size in range(5):
        packet = b"p" * size
        built = captures.build_packet(packet, at_us=3, direction=direction, comment=comment)
        assert built == enhanced(packet, 3, content=expected)
        found = parse(captures.build_section() + captures.build_interface(127) + built + built)
        assert [record.packet for record in found.records] == [packet, packet]
        assert found.problem is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"at_us": -1},
        {"at_us": 2**64},
        {"interface": -1},
        {"interface": 2**32},
        {"length": -1},
        {"length": 2**32},
        {"packet": b"x" * (MAX_PACKET + 1)},
        {"packet": b"x" * MAX_PACKET, "direction": INBOUND},
        {"direction": -1},
        {"direction": 3},
        {"comment": "x" * 1025},
    ],
    ids=str,
)
def test_build_packet_refuses(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        captures.build_packet(**({"packet": b"x", "at_us": 0} | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [(-1, 0, ""), (65536, 0, ""), (1, -1, ""), (1, 2**32, ""), (1, 0, "é" * 129)])
def test_build_interface_refuses(arguments: tuple[int, int, str]) -> None:
    link_type, snap_length, name = arguments
    with pytest.raises(ValueError, match=r"\w"):
        captures.build_interface(link_type, snap_length=snap_length, name=name)


def test_the_longest_packet_reads_back() -> None:
    content = captures.build_section() + captures.build_interface(127)
    found = parse(content + captures.build_packet(b"x" * MAX_PACKET, at_us=0))
    assert [len(record.packet) for record in found.records] == [MAX_PACKET]

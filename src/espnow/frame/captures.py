"""Capture files, pcap and pcapng: bytes to packets, and (from `capture_blocks`) packets to bytes of pcapng.

Rules:

- Bytes come in pieces of any size, as a file or a pipe gives them; the same packets come out however they are cut.
- The parser keeps at most one packet's block beside the piece at hand, whatever the bytes say; time grows with the
  bytes alone.
- What was read before a damage is given out; the damage is told by `problem` and raised by `finish`, as FrameError.
- A packet's bytes are opaque here: the link type says what they are.

No kept library fits: dpkt takes the first interface of a pcapng file for all, python-pcapng reads no pcap, scapy is
under the GPL and takes 3 us a packet, pycapng wants a name or the whole file in memory; none of them can be fed.

Follows the IETF drafts "PCAP Next Generation (pcapng) Capture File Format" and "PCAP Capture File Format", and
libpcap's pcap-savefile(5).
"""

from __future__ import annotations

from math import gcd
from struct import Struct
from typing import Literal, NamedTuple

from espnow.errors import FrameError
from espnow.frame.capture_blocks import (
    BYTE_ORDER,
    INTERFACE_BLOCK,
    MAX_NAME,
    MAX_PACKET,
    MIN_BLOCK,
    MIN_INTERFACE,
    MIN_PACKET,
    MIN_SECTION,
    OPTION_FCS_LENGTH,
    OPTION_NAME,
    OPTION_OFFSET,
    OPTION_RESOLUTION,
    PACKET_BLOCK,
    SECTION_BLOCK,
    build_interface,
    build_packet,
    build_section,
)

__all__ = [
    "MAX_PACKET",
    "CaptureParser",
    "Interface",
    "Record",
    "build_interface",
    "build_packet",
    "build_section",
]

_OLD_PACKET_BLOCK = 2
_SIMPLE_PACKET_BLOCK = 3
_READ_BLOCKS = frozenset((INTERFACE_BLOCK, _OLD_PACKET_BLOCK, _SIMPLE_PACKET_BLOCK, PACKET_BLOCK))

_MIN_SIMPLE_PACKET = 16
# Options of a packet count, so that one limit serves the packet and what is kept in memory.
_MAX_BLOCK = MAX_PACKET + MIN_PACKET

# Assumed to be more than anybody has; the drafts give no limits.
_MAX_INTERFACES = 4096

_PCAP_OPENING = 24
_PCAP_PACKET = 16
# Of the field with the link type: whether it tells the FCS length, in units of 16 bits (pcap-savefile(5)).
_FCS_KNOWN = 0x04000000
_FCS_SHIFT = 28

_NS = 1_000_000_000

# A named tuple's own constructor is a Python function around this one.
_new = tuple.__new__


class Interface(NamedTuple):
    """What packets were captured on.

    Attributes:
        section: which section of the file describes it, from 0; 0 in pcap.
        number: its number in that section, from 0; 0 in pcap.
        link_type: LINKTYPE_* number, such as 127 for radiotap.
        snap_length: packets were cut to that many bytes; 0 for no limit.
        fcs_length: bytes of FCS at the end of each packet, or None when the file does not tell.
        name: such as ``wlan0mon``, as the file has it, so not safe to print; at most 256 bytes of it, "" for none.
        ticks_per_second: resolution of the times in the file.
        offset_s: seconds that the file adds to each time.
    """

    section: int
    number: int
    link_type: int
    snap_length: int
    fcs_length: int | None
    name: str
    ticks_per_second: int
    offset_s: int


class Record(NamedTuple):
    """One captured packet.

    Attributes:
        at_ns: time since 1970, UTC, or None where the file has none (simple packet blocks). A file may say anything:
            negative and beyond the range of `datetime` are possible.
        interface: what it was captured on.
        packet: its bytes as far as they were captured, with the link-layer header.
        length: of the packet on the air, more than ``len(packet)`` when it was cut. A file may say anything here too.
    """

    at_ns: int | None
    interface: Interface
    packet: bytes
    length: int

    def __repr__(self) -> str:
        """Return it for people, without the bytes."""
        return (
            f"Record(at_ns={self.at_ns}, interface={self.interface.number}, {len(self.packet)} bytes of {self.length})"
        )


class _Order:
    """The fields of both formats, in one byte order.

    Attributes:
        head: type and length of a block.
        number: 32 bits.
        short: 16 bits.
        pair: two times 16 bits: version, or code and length of an option.
        offset: 64 bits, signed.
        interface: link type, reserved, snap length.
        packet: enhanced packet block up to the packet.
        opening: pcap's opening after the magic number.
        record: pcap's header of a packet.
    """

    __slots__ = ("head", "interface", "number", "offset", "opening", "packet", "pair", "record", "short")

    def __init__(self, order: Literal["<", ">"]) -> None:
        self.head = Struct(order + "II")
        self.number = Struct(order + "I")
        self.short = Struct(order + "H")
        self.pair = Struct(order + "HH")
        self.offset = Struct(order + "q")
        self.interface = Struct(order + "HHI")
        self.packet = Struct(order + "IIIIIII")
        self.opening = Struct(order + "HHiIII")
        self.record = Struct(order + "IIII")


_LITTLE = _Order("<")
_BIG = _Order(">")

# What a pcap file opens with: its byte order and ticks per second.
_PCAP = {
    b"\xd4\xc3\xb2\xa1": (_LITTLE, 1_000_000),
    b"\xa1\xb2\xc3\xd4": (_BIG, 1_000_000),
    b"\x4d\x3c\xb2\xa1": (_LITTLE, _NS),
    b"\xa1\xb2\x3c\x4d": (_BIG, _NS),
}

_DECOMPRESS = "decompress it first, such as with {} -c FILE | espnow decode -"
_CONVERT = "convert it first, with editcap -F pcapng"
# What other files open with (Wireshark's wiretap; RFC 1952, RFC 8878, RFC 1761; bzip2, xz and lz4 as they document).
_OTHERS = (
    (b"\x1f\x8b", "compressed with gzip: " + _DECOMPRESS.format("gunzip")),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: " + _DECOMPRESS.format("unzstd")),
    (b"BZh", "compressed with bzip2: " + _DECOMPRESS.format("bunzip2")),
    (b"\xfd7zX", "compressed with xz: " + _DECOMPRESS.format("unxz")),
    (b"\x04\x22\x4d\x18", "compressed with lz4: " + _DECOMPRESS.format("unlz4")),
    (b"\x34\xcd\xb2\xa1", "pcap as modified by Kuznetzov: " + _CONVERT),
    (b"\xa1\xb2\xcd\x34", "pcap as modified by Kuznetzov: " + _CONVERT),
    (b"snoo", "a snoop file: " + _CONVERT),
)

# How ticks of one interface become nanoseconds: interface, factor, divisor, offset.
_Clock = tuple[Interface, int, int, int]


class CaptureParser:
    """Reads a capture that is given to it piece by piece.

    Attributes:
        format: "pcap", "pcapng", or None before it is known.
        problem: why the rest of the capture cannot be read, or None. Once it is set, `feed` takes nothing more.
        packets: given out so far.
        bad_blocks: blocks of pcapng that are whole but hold no packet or interface that makes sense: unknown
            interface, too long, too short; left out.
        skipped_blocks: blocks of pcapng of other kinds, such as names, statistics and secrets.
        interfaces: those described so far, the first 4096 of them.
    """

    __slots__ = (
        "_base",
        "_clocks",
        "_described",
        "_expected",
        "_fault",
        "_need",
        "_opened_at",
        "_order",
        "_pending",
        "_section",
        "_skip",
        "_step",
        "_swapped",
        "bad_blocks",
        "format",
        "interfaces",
        "packets",
        "problem",
        "skipped_blocks",
    )

    def __init__(self) -> None:
        self.format: Literal["pcap", "pcapng"] | None = None
        self.problem: str | None = None
        self.packets = 0
        self.bad_blocks = 0
        self.skipped_blocks = 0
        self.interfaces: list[Interface] = []
        self._step = self._opening
        # Bytes not yet understood, where the first of them stands, how many make sense next, and how many that are
        # still to come are of no interest.
        self._pending = bytearray()
        self._base = 0
        self._need = 4
        self._skip = 0
        # Where a block that is passed over opened, and its length, to be repeated at its end; 0 outside of one.
        self._opened_at = 0
        self._expected = 0
        self._fault = ""
        self._order = _LITTLE
        self._section = -1
        self._described = 0
        self._clocks: dict[int, _Clock] = {}
        self._swapped = False

    def feed(self, data: bytes | bytearray | memoryview) -> list[Record]:
        """Take the next bytes of the capture.

        Args:
            data: any number of bytes.

        Returns:
            the packets that are complete with these bytes.
        """
        records: list[Record] = []
        if self.problem is not None:
            return records
        if not isinstance(data, bytes):
            data = bytes(memoryview(data))
        at = 0
        pending = self._pending
        if self._skip:
            at = min(self._skip, len(data))
            self._skip -= at
        elif pending:
            pending += data
            if len(pending) < self._need:
                return records
            data = bytes(pending)
            pending.clear()
        if len(data) - at >= self._need and not self._skip:
            at = self._step(data, at, records)
            self.packets += len(records)
            if self._fault:
                self.problem = self._fault
                if self.format is not None:
                    self.problem += f", after {_packets(self.packets)}"
                return records
        self._base += at
        if at < len(data):
            pending += memoryview(data)[at:]
        return records

    def finish(self) -> None:
        """Tell the parser that the capture ends here.

        Raises:
            FrameError: it is no capture, it is damaged, or it ends in the middle of something. The text says where;
                `problem` is the same.
        """
        if self.problem is None:
            end = self._base + len(self._pending)
            if not end:
                self.problem = "the capture is empty"
            elif self._step == self._opening or self._step == self._pcap_opening:
                self.problem = f"the capture ends at byte {end}, within its opening"
            elif self._pending or self._expected:
                what = "packet" if self.format == "pcap" else "block"
                opened_at = self._opened_at if self._expected else self._base
                self.problem = (
                    f"the capture ends at byte {end}, within the {what} that opens at byte {opened_at}, "
                    f"after {_packets(self.packets)}"
                )
        if self.problem is not None:
            raise FrameError(self.problem)

    # A step reads from data[at:] what is whole, adds packets to records and returns where it stopped. There, _need
    # bytes are needed to go on, or _fault says why nobody can.

    def _opening(self, data: bytes, at: int, records: list[Record]) -> int:
        """Read the first bytes, which tell the format."""
        magic = data[at : at + 4]
        if magic in _PCAP:
            self.format = "pcap"
            self._step = self._pcap_opening
            self._need = _PCAP_OPENING
        elif magic == b"\x0a\x0d\x0d\x0a":
            self.format = "pcapng"
            self._step = self._pcapng
            self._need = MIN_BLOCK
        else:
            for prefix, what in _OTHERS:
                if magic.startswith(prefix):
                    self._fault = f"this is not pcap or pcapng, but {what}"
                    return at
            self._fault = "this is neither pcap nor pcapng"
            return at
        if len(data) - at >= self._need:
            return self._step(data, at, records)
        return at

    def _pcap_opening(self, data: bytes, at: int, records: list[Record]) -> int:
        """Read the opening of a pcap file."""
        order, ticks_per_second = _PCAP[data[at : at + 4]]
        major, minor, _zone, _accuracy, snap_length, link = order.opening.unpack_from(data, at + 4)
        # As libpcap has it: no other version was ever written; up to 2.3 the two lengths may be swapped.
        if major != 2 or minor > 4:
            self._fault = f"pcap of version {major}.{minor}, not 2.4"
            return at
        self._swapped = minor < 4
        fcs_length = (link >> _FCS_SHIFT) * 2 if link & _FCS_KNOWN else None
        interface = Interface(0, 0, link & 0xFFFF, snap_length, fcs_length, "", ticks_per_second, 0)
        self.interfaces.append(interface)
        self._order = order
        self._clocks[0] = (interface, _NS // ticks_per_second, 1, 0)
        self._step = self._pcap
        return self._pcap(data, at + _PCAP_OPENING, records)

    def _pcap(self, data: bytes, at: int, records: list[Record]) -> int:
        """Read packets of a pcap file."""
        interface, factor, _, _ = self._clocks[0]
        swapped = self._swapped
        unpack = self._order.record.unpack_from
        append = records.append
        end = len(data)
        limit = end - _PCAP_PACKET
        while at <= limit:
            seconds, ticks, captured, original = unpack(data, at)
            if swapped and captured > original:
                captured, original = original, captured
            if captured > MAX_PACKET:
                # Nothing in the format would tell where the next packet opens, if this is no packet.
                self._fault = f"a packet of {captured} bytes at byte {self._base + at}, more than {MAX_PACKET}"
                return at
            start = at + _PCAP_PACKET
            after = start + captured
            if after > end:
                self._need = after - at
                return at
            append(_new(Record, (seconds * _NS + ticks * factor, interface, data[start:after], original)))
            at = after
        self._need = _PCAP_PACKET
        return at

    def _pcapng(self, data: bytes, at: int, records: list[Record]) -> int:
        """Read blocks of a pcapng file."""
        end = len(data)
        limit = end - MIN_PACKET
        append = records.append
        new = _new
        while True:
            # The most frequent block by far, when nothing is wrong with it; `_block` sees to all others.
            unpack = self._order.packet.unpack_from
            number_at = self._order.number.unpack_from
            clock_of = self._clocks.get
            while at <= limit:
                kind, length, number, high, low, captured, original = unpack(data, at)
                after = at + length
                clock = clock_of(number)
                if (
                    kind != PACKET_BLOCK
                    or after > end
                    or captured > length - MIN_PACKET
                    or clock is None
                    or length > _MAX_BLOCK
                    or length & 3
                    or number_at(data, after - 4)[0] != length
                ):
                    break
                interface, factor, divisor, offset = clock
                at += 28
                append(
                    new(
                        Record,
                        (
                            (high << 32 | low) * factor // divisor + offset,
                            interface,
                            data[at : at + captured],
                            original,
                        ),
                    )
                )
                at = after
            self._need = 0
            at = self._block(data, at, records)
            if self._need or self._fault:
                return at

    def _block(self, data: bytes, at: int, records: list[Record]) -> int:
        """Read one block of any kind."""
        left = len(data) - at
        if left < MIN_BLOCK:
            self._need = MIN_BLOCK
            return at
        length: int
        kind, length = self._order.head.unpack_from(data, at)
        least = MIN_BLOCK
        if kind == SECTION_BLOCK:
            if left < MIN_SECTION:
                self._need = MIN_SECTION
                return at
            if not self._open_section(data, at):
                return at
            length = self._order.number.unpack_from(data, at + 4)[0]
            least = MIN_SECTION
        if length < least or length & 3:
            self._fault = f"a block of {length} bytes at byte {self._base + at}"
            return at
        if kind in _READ_BLOCKS:
            if length <= _MAX_BLOCK:
                if left < length:
                    self._need = length
                    return at
                if self._order.number.unpack_from(data, at + length - 4)[0] == length:
                    if kind == INTERFACE_BLOCK:
                        self._describe(data, at, length)
                    else:
                        self._packet(kind, data, at, length, records)
                    return at + length
            else:
                self.bad_blocks += 1
                self._described += kind == INTERFACE_BLOCK
        elif kind != SECTION_BLOCK:
            self.skipped_blocks += 1
        # Passed over unseen, but for the length that is repeated at its end.
        self._opened_at = self._base + at
        self._expected = length
        repeated = at + length - 4
        if repeated + 4 <= len(data):
            return self._repeated(data, repeated)
        self._step = self._block_end
        self._need = 4
        self._skip = max(0, repeated - len(data))
        return min(repeated, len(data))

    def _block_end(self, data: bytes, at: int, records: list[Record]) -> int:
        """Go on after a block whose middle was passed over."""
        at = self._repeated(data, at)
        if self._fault:
            return at
        self._step = self._pcapng
        return self._pcapng(data, at, records)

    def _repeated(self, data: bytes, at: int) -> int:
        """Compare the length at a block's end with that at its beginning."""
        length: int = self._order.number.unpack_from(data, at)[0]
        if length != self._expected:
            self._fault = (
                f"a block of {self._expected} bytes at byte {self._opened_at}, which ends as one of {length} bytes"
            )
        self._expected = 0
        return at + 4

    def _open_section(self, data: bytes, at: int) -> bool:
        """Begin a section, in which byte order and interfaces are its own."""
        for order in (_LITTLE, _BIG):
            if order.number.unpack_from(data, at + 8)[0] == BYTE_ORDER:
                break
        else:
            self._fault = f"a section without a byte order at byte {self._base + at}"
            return False
        major, minor = order.pair.unpack_from(data, at + 12)
        if major != 1:
            self._fault = f"pcapng of version {major}.{minor} at byte {self._base + at}, not 1.0"
            return False
        self._order = order
        self._section += 1
        self._described = 0
        self._clocks = {}
        return True

    def _describe(self, data: bytes, at: int, length: int) -> None:
        """Read an interface description block. A bad one counts too, for the numbers of those after it."""
        order = self._order
        number = self._described
        self._described += 1
        if length < MIN_INTERFACE or number >= _MAX_INTERFACES:
            self.bad_blocks += 1
            return
        link_type, _reserved, snap_length = order.interface.unpack_from(data, at + 8)
        ticks_per_second = 1_000_000
        offset_s = 0
        fcs_length = None
        name = ""
        position = at + 16
        end = at + length - 4
        while position + 4 <= end:
            code, size = order.pair.unpack_from(data, position)
            position += 4
            if code == 0 or position + size > end:
                break
            if code == OPTION_NAME:
                name = data[position : position + min(size, MAX_NAME)].decode(errors="replace").rstrip("\0")
            elif code == OPTION_RESOLUTION and size == 1:
                exponent = data[position]
                ticks_per_second = 1 << (exponent & 0x7F) if exponent & 0x80 else 10**exponent
            elif code == OPTION_FCS_LENGTH and size == 1:
                # The draft says bits, Wireshark reads bytes; no FCS has 16 bytes.
                fcs_length = data[position] // 8 if data[position] >= 16 else data[position]
            elif code == OPTION_OFFSET and size == 8:
                offset_s = order.offset.unpack_from(data, position)[0]
            position += size + (-size & 3)
        interface = Interface(
            self._section, number, link_type, snap_length, fcs_length, name, ticks_per_second, offset_s
        )
        common = gcd(_NS, ticks_per_second)
        self._clocks[number] = (interface, _NS // common, ticks_per_second // common, offset_s * _NS)
        if len(self.interfaces) < _MAX_INTERFACES:
            self.interfaces.append(interface)

    def _packet(self, kind: int, data: bytes, at: int, length: int, records: list[Record]) -> None:
        """Read a packet block of a rare kind, or count one that holds no packet."""
        if kind == _SIMPLE_PACKET_BLOCK:
            clock = self._clocks.get(0)
            if clock is not None and length >= _MIN_SIMPLE_PACKET:
                original = self._order.number.unpack_from(data, at + 8)[0]
                interface = clock[0]
                captured = min(original, interface.snap_length or original)
                if captured <= length - _MIN_SIMPLE_PACKET:
                    records.append(Record(None, interface, data[at + 12 : at + 12 + captured], original))
                    return
        elif kind == _OLD_PACKET_BLOCK and length >= MIN_PACKET:
            _, _, _, high, low, captured, original = self._order.packet.unpack_from(data, at)
            clock = self._clocks.get(self._order.short.unpack_from(data, at + 8)[0])
            if clock is not None and captured <= length - MIN_PACKET:
                interface, factor, divisor, offset = clock
                at_ns = (high << 32 | low) * factor // divisor + offset
                records.append(Record(at_ns, interface, data[at + 28 : at + 28 + captured], original))
                return
        self.bad_blocks += 1


def _packets(count: int) -> str:
    """Return a number of packets in words."""
    return f"{count} packet" if count == 1 else f"{count} packets"

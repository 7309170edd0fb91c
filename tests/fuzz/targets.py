"""What fuzzing runs: one function a parser, which takes any bytes and raises where a parser breaks its word.

Rules:

- `FrameError` is what a parser may raise; every other exception leaves the target.
- Same bytes, same verdict: what a target needs besides (where to cut, which option) comes from its input.
- Needs nothing but the project, so that the corpus runs as ordinary tests, without atheris.
- What a frame, a header or a capture means is said here once more, slowly and in another way, and compared.

Follows the ESP-IDF esp_now docs, "Frame Format"; radiotap.org; the IETF drafts of pcap and pcapng.
"""

from __future__ import annotations

import json
import math
import struct
from binascii import crc32
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from live_targets import live, udp

from espnow import frame as frames
from espnow.capture import CapturedFrame, Dissector, KeyRing, Summary
from espnow.cli import _frames as shown
from espnow.errors import FrameError
from espnow.frame import Examined, Frame, Oddity, ProtectedFrame, captures, ccmp, decoders, kinds, management
from espnow.frame import radiotap as radiotaps
from espnow.frame.text import printable

#: Whether every input goes through the slow parts (formatting, building anew); if not, a fraction does.
thorough = True

PMK = b"pmk1234567890123"
LMK = b"lmk1234567890123"
KEY = frames.derive_key(PMK, LMK)
OTHER_KEY = frames.derive_key(LMK, PMK)

#: What stands before an input that is a body: an ESP32's broadcast.
HEADER = bytes.fromhex("d0000000ffffffffffff30aaaaaaaaaaffffffffffff1000")

_HEADER = len(HEADER)
_OUI_TYPE = b"\x18\xfe\x34\x04"
_DECODER = """
[[message]]
name = "any"
length = {min = 1}
struct = "B"
fields = [{name = "first", scale = 0.5, unit = "V"}]
"""


def _outcome(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return what a parser returns, or None if it refuses with its one exception."""
    try:
        return function(*arguments, **options)
    except FrameError as error:
        assert type(error) is FrameError
        return None


def _one_in(count: int, data: bytes) -> bool:
    """Tell whether an input is one of the fraction that goes through a slow part."""
    return thorough or crc32(data) % count == 0


# Frames.

#: Bits of the first byte of an input of `frame`.
FCS_FOLLOWS, CUT, WITH_FCS, BODY_ONLY = 1, 2, 4, 8


def frame(data: bytes) -> None:
    """An MPDU or a body: what strict and tolerant parsing make of it, with and without FCS, whole and cut.

    The first byte is made of the bits above; the second says how many bytes are missing, as a signed number.
    """
    options = data[0] if data else 0
    mpdu = HEADER + data[2:] if options & BODY_ONLY else data[2:]
    if options & WITH_FCS:
        mpdu += frames.fcs(mpdu)
    missing = int.from_bytes(data[1:2], signed=True) if options & CUT else 0

    strict = _check_strict(mpdu)
    seen: Examined | None = _outcome(frames.examine, mpdu)
    _check_examined(seen, mpdu)
    ended = frames.fcs_is_right(mpdu)
    if strict is None:
        assert seen is None or seen.oddities, "a refused frame that has nothing odd"
        assert seen is None or not seen.accepted, "a refused frame that passes as accepted"
    elif ended and type(strict) is ProtectedFrame:
        assert seen is not None
        assert Oddity.TRAILING_FCS in seen.oddities
    else:
        assert seen is not None
        assert type(seen.frame) is type(strict)
        assert seen.frame == strict
        assert seen.accepted

    cut: Examined | None = _outcome(frames.examine, mpdu, has_fcs=options & FCS_FOLLOWS != 0, missing=missing)
    _check_examined(cut, mpdu)
    if options & FCS_FOLLOWS:
        _check_fcs(mpdu, strict, seen, ended)
    if missing > 0:
        _check_cut(mpdu, strict, missing)


def _check_strict(mpdu: bytes) -> Frame | ProtectedFrame | None:
    """Compare the strict parser with what the format's table says."""
    strict: Frame | ProtectedFrame | None = _outcome(frames.parse, mpdu)
    header = _outcome(frames.parse_header, mpdu)
    assert (header is not None) == (len(mpdu) >= _HEADER and not mpdu[0] & 0x0F)
    body = _read_body(mpdu[_HEADER:])
    parsed = _outcome(frames.parse_body, mpdu[_HEADER:])
    assert (parsed is None) == (body is None)
    if header is not None:
        assert frames.build_header(header) == mpdu[:_HEADER]
    if body is not None:
        assert parsed == body[:3]
        rebuilt = _rebuilt(body)
        assert (rebuilt == mpdu[_HEADER:]) == body.canonical
    receiver = _outcome(frames.parse_ack, mpdu)
    assert (receiver is not None) == (len(mpdu) == 10 and mpdu[0] == 0xD4)
    if receiver is not None:
        assert (frames.ack(receiver) == mpdu) == (mpdu[1:4] == bytes(3))

    flags = mpdu[1] & ~0x38 if len(mpdu) > 1 else -1
    takes = header is not None and mpdu[0] == 0xD0 and not mpdu[22] & 0x0F
    plain = takes and flags == 0 and body is not None
    sealed = takes and flags == 0x40 and len(mpdu) >= _HEADER + 31 and mpdu[26:28] == b"\x00\xe0"
    assert (strict is not None) == (plain or sealed)
    if strict is None:
        return None
    assert strict[:6] == (
        mpdu[4:10],
        mpdu[10:16],
        mpdu[16:22],
        int.from_bytes(mpdu[22:24], "little") >> 4,
        mpdu[1] & 8 != 0,
        int.from_bytes(mpdu[2:4], "little"),
    )
    if plain:
        assert body is not None
        assert type(strict) is Frame
        assert strict[6:] == body[:3]
        assert len(strict.message) <= frames.MAX_V2
        if body.canonical and not mpdu[1] & 0x30:
            names = strict._asdict()
            assert frames.build(names.pop("destination"), names.pop("source"), names.pop("message"), **names) == mpdu
    else:
        assert type(strict) is ProtectedFrame
        assert strict[6:] == (int.from_bytes(mpdu[24:26] + mpdu[28:32], "little"), mpdu)
    return strict


class _Body(NamedTuple):
    """What a body says, and whether a builder writes it so."""

    random_value: int
    version: int
    message: bytes
    canonical: bool


def _read_body(body: bytes) -> _Body | None:
    """Return what a body says, by the format's table alone."""
    if len(body) < 15 or body[0] != 0x7F or body[1:4] != _OUI_TYPE[:3]:
        return None
    rest = body[8:]
    versions = bytearray()
    parts = []
    while rest:
        if len(rest) < 7 or rest[0] != 0xDD or rest[2:6] != _OUI_TYPE or rest[1] < 5 or len(rest) < 2 + rest[1]:
            return None
        versions.append(rest[6])
        parts.append(rest[7 : 2 + rest[1]])
        rest = rest[2 + rest[1] :]
    message = b"".join(parts)
    if len(message) > 1470:
        return None
    several = len(parts) > 1
    version = 2 if several or versions[0] & 0x0F > 1 else 1
    canonical = (
        0 < len(parts[-1]) <= 250
        and all(len(part) == 250 for part in parts[:-1])
        and bytes(versions) in (b"\x12" * (len(parts) - 1) + b"\x02", b"\x01")
    )
    return _Body(int.from_bytes(body[4:8], "little"), version, message, canonical)


def _rebuilt(body: _Body) -> bytes | None:
    """Return the body that a builder makes of the same message, or None if it must not make one."""
    may = 0 < len(body.message) <= (frames.MAX_V1 if body.version == 1 else frames.MAX_V2)
    return frames.build_body(body.message, body.random_value, body.version) if may else None


def _check_examined(seen: Examined | None, mpdu: bytes) -> None:
    """Check what holds for whatever the tolerant parser returns."""
    if seen is None:
        return
    oddities = seen.oddities
    assert oddities == tuple(oddity for oddity in Oddity if oddity in oddities)
    found = seen.frame
    assert (found.destination, found.source, found.bssid) == (mpdu[4:10], mpdu[10:16], mpdu[16:22])
    if type(found) is Frame:
        assert len(found.message) <= len(mpdu)
        assert found.version in (1, 2)
    else:
        assert len(found.mpdu) <= len(mpdu)
    assert repr(seen).isprintable()


def _check_fcs(mpdu: bytes, strict: Frame | ProtectedFrame | None, seen: Examined | None, ended: bool) -> None:
    """Check that an announced FCS changes nothing when it is right, and is told when it is wrong."""
    right = frames.fcs(mpdu)
    announced = _outcome(frames.examine, mpdu + right, has_fcs=True)
    assert announced == seen
    if type(strict) is Frame:
        assert seen is not None
        unannounced = frames.examine(mpdu + right)
        assert unannounced.frame == strict
        assert set(unannounced.oddities) == {*seen.oddities, Oddity.TRAILING_FCS}
    wrong = bytes((right[0] ^ 1,)) + right[1:]
    told = _outcome(frames.examine, mpdu + wrong, has_fcs=True)
    assert told is None or Oddity.WRONG_FCS in told.oddities
    if not ended:
        assert (told is None) == (seen is None)
        if seen is not None:
            assert told.frame == seen.frame
            assert set(told.oddities) == {*seen.oddities, Oddity.WRONG_FCS}
    missing = right[0] % frames.FCS_LENGTH + 1
    assert _outcome(frames.examine, (mpdu + right)[:-missing], has_fcs=True, missing=missing) == seen


def _check_cut(mpdu: bytes, strict: Frame | ProtectedFrame | None, missing: int) -> None:
    """Check that what is left of a frame that a capture cut off is the beginning of the frame."""
    left = mpdu[:-missing]
    cut: Examined | None = _outcome(frames.examine, left, missing=missing)
    with_fcs = _outcome(frames.examine, left, has_fcs=True, missing=missing + frames.FCS_LENGTH)
    assert with_fcs == cut
    if cut is not None:
        assert Oddity.CUT_OFF in cut.oddities
        assert not cut.accepted
    if type(strict) is Frame and len(left) >= _HEADER + 4:
        assert cut is not None
        assert cut.frame[:6] == strict[:6]
        assert type(cut.frame) is Frame
        assert strict.message.startswith(cut.frame.message)


#: Bits of the first byte of an input of `encrypted`.
SEAL, HT_CONTROL = 1, 2


def encrypted(data: bytes) -> None:
    """An encrypted MPDU, or a header and a plain body that are encrypted first and opened then.

    The first byte is made of the bits above; to seal, 6 bytes of packet number, header and plain body follow.
    """
    if data and data[0] & SEAL:
        _check_sealed(data[0], data[1:7].ljust(6, b"\0"), data[7:])
        return
    mpdu = data[1:]
    strict = _outcome(frames.parse, mpdu)
    seen = _outcome(frames.examine, mpdu)
    for key in (KEY, OTHER_KEY):
        opened = _outcome(frames.decrypt, key, mpdu)
        if opened is None:
            if type(strict) is ProtectedFrame:
                assert _outcome(frames.open_protected, strict, key) is None
                assert _outcome(frames.examine_opened, strict, key) is None
            elif seen is not None and type(seen.frame) is ProtectedFrame:
                _outcome(frames.examine_opened, seen.frame, key)
        else:
            packet_number = ccmp.packet_number_of(mpdu)
            if packet_number:
                assert frames.encrypt(key, mpdu[:_HEADER], opened, packet_number) == mpdu[_HEADER:]


def _check_sealed(options: int, number: bytes, plain: bytes) -> None:
    """Encrypt a frame, and hold what comes out of it against the frame as it was."""
    packet_number = int.from_bytes(number, "little") or 1
    head = plain[:_HEADER].ljust(_HEADER, b"\0")
    body = plain[_HEADER:]
    # A protected action frame; the Retry and the power bits are the input's.
    head = b"\xd0" + bytes((head[1] & 0x38 | 0x40,)) + head[2:]
    mpdu = head + frames.encrypt(KEY, head, body, packet_number)
    plain = head[:1] + bytes((head[1] & 0x38,)) + head[2:] + body

    assert frames.decrypt(KEY, mpdu) == body
    assert ccmp.packet_number_of(mpdu) == packet_number
    assert _outcome(frames.decrypt, OTHER_KEY, mpdu) is None

    strict = _outcome(frames.parse, mpdu)
    expected = _outcome(frames.parse, plain)
    assert (strict is not None) == (len(body) >= 15 and not head[22] & 0x0F)
    if strict is not None:
        assert type(strict) is ProtectedFrame
        assert strict.packet_number == packet_number
        assert _outcome(frames.open_protected, strict, KEY) == expected
        assert _outcome(frames.open_protected, strict, OTHER_KEY) is None
        if expected is not None:
            names = expected._asdict()
            if not head[1] & 0x38 and _canonical(body):
                del names["retry"]
                arguments = names.pop("destination"), names.pop("source"), names.pop("message")
                assert frames.build_protected(*arguments, **names, key=KEY, packet_number=packet_number) == mpdu, (
                    "a builder makes another frame"
                )

    seen = _outcome(frames.examine, mpdu)
    assert seen is not None
    ended = frames.fcs_is_right(mpdu) or frames.fcs_is_right(plain)
    if not ended:
        assert type(seen.frame) is ProtectedFrame
        assert seen.frame.mpdu == mpdu
        inner = _outcome(frames.examine_opened, seen.frame, KEY)
        outer = _outcome(frames.examine, plain)
        assert (inner is None) == (outer is None)
        if inner is not None:
            assert inner.frame == outer.frame
            assert set(inner.oddities) | set(seen.oddities) == set(outer.oddities)
        if expected is not None:
            assert inner is not None
            assert inner.frame == expected
            assert inner.accepted
        trailed = _outcome(frames.examine, mpdu + frames.fcs(mpdu))
        assert trailed.frame == seen.frame
        assert set(trailed.oddities) == {*seen.oddities, Oddity.TRAILING_FCS}
    if options & HT_CONTROL:
        ordered = head[:1] + bytes((head[1] | 0x80,)) + head[2:] + number[:4] + mpdu[_HEADER:]
        seen = _outcome(frames.examine, ordered)
        assert seen is not None
        assert Oddity.HT_CONTROL in seen.oddities
        _outcome(frames.examine_opened, seen.frame, KEY)
    _check_changed(mpdu, body, crc32(number))


def _canonical(body: bytes) -> bool:
    found = _read_body(body)
    return found is not None and found.canonical


#: Bits of the first four bytes of a header, and of sequence control, that CCMP does not protect (IEEE 802.11-2020,
#: 12.5.3.3.3): of frame control Retry, power management and more data; Duration; the sequence number.
_UNPROTECTED = bytes.fromhex("0038ffff") + bytes(18) + bytes.fromhex("f0ff")


def _check_changed(mpdu: bytes, body: bytes, chance: int) -> None:
    """Check that a frame of which one bit was changed opens only where nothing protects that bit."""
    at, bit = chance % len(mpdu), 1 << (chance >> 16) % 8
    changed = mpdu[:at] + bytes((mpdu[at] ^ bit,)) + mpdu[at + 1 :]
    opened = _outcome(frames.decrypt, KEY, changed)
    if at < _HEADER and _UNPROTECTED[at] & bit:
        assert opened == body
    else:
        assert opened is None


# Radiotap.

# Size, alignment and values of the fields of bits 0 to 27 (radiotap.org).
_RADIOTAP_FIELDS: tuple[tuple[int, int, str], ...] = (
    (8, 8, "tsft_us"), (1, 1, "flags"), (1, 1, "rate_500kbps"), (4, 2, "frequency_mhz channel_flags"), (2, 1, ""),
    (1, 1, "rssi_dbm"), (1, 1, "noise_dbm"), (2, 2, ""), (2, 2, ""), (2, 2, ""), (1, 1, "tx_power_dbm"),
    (1, 1, "antenna"), (1, 1, ""), (1, 1, ""), (2, 2, "rx_flags"), (2, 2, "tx_flags"), (1, 1, "rts_retries"),
    (1, 1, "data_retries"), (8, 4, ""), (3, 1, "mcs_known mcs_flags mcs_index"), (8, 4, ""), (12, 2, ""), (12, 8, ""),
    (12, 2, ""), (12, 2, ""), (6, 2, ""), (1, 1, ""), (4, 2, ""),
)  # fmt: skip


def radiotap(data: bytes) -> None:
    """A packet that opens with a radiotap header."""
    found = _outcome(radiotaps.parse, data)
    length = int.from_bytes(data[2:4], "little")
    if found is None:
        simple = _read_radiotap(data)
        assert simple is None, "a header of one word that fits is refused"
        return
    assert 8 <= found.length == length <= len(data)
    assert data[0] == 0
    header = data[:length]
    assert radiotaps.parse(header) == found
    assert radiotaps.parse(header + b"\xff\x80\x00") == found
    assert _outcome(radiotaps.parse, header[:-1]) is None, "a header that runs over the packet"
    simple = _read_radiotap(data)
    if simple is not None:
        told = {name: value for name, value in found._asdict().items() if value is not None and name in _TOLD}
        assert told == simple
    assert len(found.antennas) <= length // 4
    assert found.channel is None or radiotaps.frequency_mhz(found.channel) == found.frequency_mhz
    assert found.rate is None or found.rate in frames.RATES
    if _one_in(4, data):
        assert repr(found).isprintable()
        _check_rebuilt_radiotap(found)


_TOLD = frozenset(name for _, _, names in _RADIOTAP_FIELDS for name in names.split())


def _read_radiotap(header: bytes) -> dict[str, int] | None:
    """Return what a header of one present word tells, or None if it is wrong or has more to it than that."""
    if len(header) < 8 or header[0] or header[7] & 0xD0:
        return None
    length, present = struct.unpack_from("<HI", header, 2)
    if not 8 <= length <= len(header):
        return None
    at = 8
    told = {}
    for bit, (size, align, names) in enumerate(_RADIOTAP_FIELDS):
        if present >> bit & 1:
            at += -at % align
            each = size // max(len(names.split()), 1)
            for number, name in enumerate(names.split()):
                value = header[at + number * each : at + (number + 1) * each]
                told[name] = int.from_bytes(value, "little", signed=name.endswith("dbm"))
            at += size
    return told if at <= length else None


def _check_rebuilt_radiotap(found: radiotaps.Radiotap) -> None:
    """Check that a header built from what another one told tells the same."""
    told = {
        "channel": found.channel,
        "rate": found.rate,
        "noise_dbm": found.noise_dbm,
        "antenna": found.antenna,
        "tx_flags": found.tx_flags,
        "data_retries": found.data_retries,
    }
    header = radiotaps.build(**told, rssi_dbm=found.rssi_dbm, at_us=found.tsft_us, fcs=found.has_fcs)
    again = radiotaps.parse(header)
    assert again.length == len(header)
    assert {name: getattr(again, name) for name in told} == told
    assert (again.rssi_dbm, again.tsft_us, again.has_fcs) == (found.rssi_dbm, found.tsft_us, found.has_fcs)


# Captures.


class _Packet(NamedTuple):
    """A packet as the reference reader finds it; the time is None where only the parser works it out."""

    link_type: int
    packet: bytes
    length: int
    at_ns: int | None


def pcap(data: bytes) -> None:
    """A capture file, meant to be pcap, and all that is done with what is in it."""
    _check_capture(data)


def pcapng(data: bytes) -> None:
    """A capture file, meant to be pcapng, and all that is done with what is in it."""
    _check_capture(data)


def _check_capture(data: bytes) -> None:
    parser, records = _read_capture((data,))
    cut, again = _read_capture(_pieces(data))
    assert again == records
    for name in ("format", "problem", "packets", "bad_blocks", "skipped_blocks", "interfaces"):
        assert getattr(cut, name) == getattr(parser, name), name
    if parser.problem is not None:
        assert parser.problem.isprintable()

    assert parser.packets == len(records) <= len(data) // 16
    assert len(parser.interfaces) <= len(data) // 20
    assert sum(len(record.packet) for record in records) <= len(data)
    expected = _read_pcap(data) if data[:4] in _PCAP else _read_pcapng(data)
    assert len(expected) == len(records)
    for record, packet in zip(records, expected, strict=True):
        assert (record.interface.link_type, record.packet, record.length) == packet[:3]
        assert record.interface in parser.interfaces
        assert packet.at_ns is None or record.at_ns == packet.at_ns
    if records:
        _check_dissected(records, data)
        if _one_in(8, data):
            _check_rebuilt_capture(records)


def _read_capture(pieces: Iterator[bytes] | tuple[bytes, ...]) -> tuple[captures.CaptureParser, list[captures.Record]]:
    parser = captures.CaptureParser()
    records: list[captures.Record] = []
    for piece in pieces:
        ended = parser.problem is not None
        found = parser.feed(piece)
        assert not (ended and found)
        records += found
    told = None
    try:
        parser.finish()
    except FrameError as error:
        assert type(error) is FrameError
        told = str(error)
    assert told == parser.problem
    return parser, records


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut a file into pieces, which its own checksum chooses; few files into single bytes, for that takes long."""
    chance = crc32(data)
    most = 1 + chance % 3 if chance & 0xF00 == 0 else (30, 60, 200, 700)[chance & 3]
    at = 0
    while at < len(data):
        chance = (chance * 1103515245 + 12345) & 0x7FFFFFFF
        after = at + (chance >> 16) % (most + 1)
        yield data[at:after]
        at = after


_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}


def _read_pcap(data: bytes) -> list[_Packet]:
    """Return the packets of a pcap file up to its end or to what makes no sense."""
    order, tick_ns = _PCAP[data[:4]]
    if len(data) < 24 or struct.unpack_from(order + "H", data, 4)[0] != 2:
        return []
    minor, link_type = struct.unpack_from(order + "6xH12xI", data)
    found: list[_Packet] = []
    if minor > 4:
        return found
    at = 24
    while at + 16 <= len(data):
        seconds, ticks, captured, length = struct.unpack_from(order + "IIII", data, at)
        if minor < 4 and captured > length:
            captured, length = length, captured
        at += 16 + captured
        if at > len(data):
            break
        at_ns = seconds * 10**9 + ticks * tick_ns
        found.append(_Packet(link_type & 0xFFFF, data[at - captured : at], length, at_ns))
    return found


def _read_pcapng(data: bytes) -> list[_Packet]:
    """Return the packets of a pcapng file up to its end or to what makes no sense."""
    found: list[_Packet] = []
    order = ""
    # Link type, snap length and whether times are in microseconds, as they are without options.
    interfaces: list[tuple[int, int, bool] | None] = []
    at = 0
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(data[at + 8 : at + 12], "")
            if not order or at + 28 > len(data) or struct.unpack_from(order + "H", data, at + 12)[0] != 1:
                break
            interfaces = []
        if not order:
            break
        kind, length = struct.unpack_from(order + "II", data, at)
        block = data[at : at + length]
        if length < (28 if kind == 0x0A0D0D0A else 12) or length % 4 or len(block) < length:
            break
        if struct.unpack_from(order + "I", block, length - 4)[0] != length:
            break
        at += length
        if kind == 1:
            if length < 20:
                interfaces.append(None)
            else:
                link_type, _, snap_length = struct.unpack_from(order + "HHI", block, 8)
                interfaces.append((link_type, snap_length, length == 20))
            continue
        if kind == 3 and length >= 16 and interfaces and interfaces[0]:
            link_type, snap_length, _ = interfaces[0]
            (original,) = struct.unpack_from(order + "I", block, 8)
            captured = min(original, snap_length) if snap_length else original
            if captured <= length - 16:
                found.append(_Packet(link_type, block[12 : 12 + captured], original, None))
        elif kind in (2, 6) and length >= 32:
            (number,) = struct.unpack_from(order + "HI"[kind == 6], block, 8)
            high, low, captured, original = struct.unpack_from(order + "IIII", block, 12)
            interface = interfaces[number] if number < len(interfaces) else None
            if interface and captured <= length - 32:
                at_ns = (high << 32 | low) * 1000 if interface[2] else None
                found.append(_Packet(interface[0], block[28 : 28 + captured], original, at_ns))
    return found


def _check_dissected(records: list[captures.Record], data: bytes) -> None:
    """Check what is found in the packets, what is counted, and what people see of it."""
    keys = KeyRing()
    keys.add(LMK, PMK)
    dissector = Dissector(keys, _DECODERS)
    summary = Summary()
    filtered = Summary()
    added = []
    visible = _one_in(8, data)
    for record in records:
        left_out = dissector.unreadable + dissector.other_links
        found = dissector.dissect(record)
        if isinstance(found, CapturedFrame):
            summary.add(found)
            if found.frame.seq & 1:
                filtered.skip(found)
            else:
                filtered.add(found)
                added.append(found)
            if visible:
                _check_shown(found)
        elif found is not None:
            assert found.mpdu in record.packet
            summary.add_other(found)
            filtered.add_other(found)
        elif dissector.unreadable + dissector.other_links == left_out:
            assert record.interface.link_type == radiotaps.LINKTYPE or record.interface.fcs_length == frames.FCS_LENGTH
    assert dissector.packets == len(records)
    _check_summary(summary, dissector.frames, len(records))
    _check_summary(filtered, len(added), len(records))


def _check_summary(summary: Summary, frames_added: int, packets: int) -> None:
    """Check that the counts fit each other."""
    pairs = list(summary)
    assert len(pairs) == len(summary)
    assert sum(pair.frames for pair in pairs) + summary.wrong_fcs + summary.beyond == frames_added
    for pair in pairs:
        assert 1 <= pair.messages <= pair.frames
        assert max(pair.encrypted, pair.acknowledged, pair.dropped, sum(pair.versions)) <= pair.messages
        assert pair.unopened + pair.replayed <= pair.encrypted
        assert pair.messages - pair.unopened == sum(pair.versions)
        assert pair.duplicates + pair.retries <= pair.frames
        assert 0 <= pair.loss < 1
        assert 0 <= pair.missed <= 0x1000 * packets
        mean = pair.rssi_mean_dbm
        if mean is not None:
            assert pair.rssi_min_dbm is not None
            assert pair.rssi_max_dbm is not None
            assert -128 <= pair.rssi_min_dbm <= mean <= pair.rssi_max_dbm <= 127


_DECODERS = decoders.Decoders.from_toml(_DECODER)


def _check_shown(found: CapturedFrame) -> None:
    """Check that a line is one line, and that JSON can say everything."""
    for keys in (False, True):
        assert shown.as_line(found, keys=keys).isprintable()
    content = shown.as_json(found)
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def _check_rebuilt_capture(records: list[captures.Record]) -> None:
    """Check that packets that are written anew are read as they were."""
    link_type = records[0].interface.link_type
    times = [min(max(record.at_ns or 0, 0) // 1000, (1 << 64) - 1) for record in records]
    file = captures.build_section() + captures.build_interface(link_type, name="wlan0mon")
    for record, at_us in zip(records, times, strict=True):
        file += captures.build_packet(record.packet, at_us=at_us, length=record.length)
    parser, again = _read_capture((file,))
    assert parser.problem is None
    assert [(record.packet, record.length) for record in again] == [(each.packet, each.length) for each in records]
    assert [record.at_ns for record in again] == [at_us * 1000 for at_us in times]


# Decoders.

_LONGEST_ERROR = 600
_SENDERS = (bytes.fromhex("30aaaaaaaaaa"), bytes(6))


def toml(data: bytes) -> None:
    """A file of decoders, and messages that they take."""
    found, told = _load(data)
    again, told_again = _load(data)
    assert told == told_again
    if not data.startswith(b"\xef\xbb\xbf"):
        try:
            text = data.decode()
        except UnicodeDecodeError:
            assert found is None
            _load(data.decode(errors="surrogateescape"))
        else:
            assert _load(text)[1] == told
    if found is None or again is None:
        assert found is again
        return
    names = found.names
    assert names == again.names
    assert names
    assert len(set(names)) == len(names)
    assert (found + again).names == names * 2
    for decoder in found._decoders:
        assert decoder.name.isprintable()
        lengths = sorted(decoder.lengths)
        assert decoder.struct.size <= lengths[0]
        assert lengths[-1] <= frames.MAX_V2
        for length in {lengths[0], lengths[-1]}:
            for filling in (b"\0", b"\xff", data):
                message = (decoder.prefix + filling * (length // max(len(filling), 1) + 1))[:length]
                for sender, start in zip(_SENDERS, (decoder.sources[0], decoder.sources[-1]), strict=True):
                    source = start + sender[len(start) :]
                    destination = decoder.destinations[0].ljust(6, b"\xff")
                    _check_decoded(found, again, message, source, destination)


def _load(text: bytes | str) -> tuple[decoders.Decoders | None, str]:
    """Return the decoders, or what is told of the mistake in the file."""
    try:
        return decoders.Decoders.from_toml(text), ""
    except FrameError as error:
        assert type(error) is FrameError
        told = str(error)
        assert told.isprintable()
        assert 0 < len(told) <= _LONGEST_ERROR
        return None, told


def _check_decoded(
    found: decoders.Decoders, again: decoders.Decoders, message: bytes, source: bytes, destination: bytes
) -> None:
    decoded = found.decode(message, source=source, destination=destination)
    assert decoded is not None, "no decoder takes the message that one of them describes"
    # As text, since one NaN is not equal to another.
    assert repr(again.decode(message, source=source, destination=destination)) == repr(decoded)
    assert decoded.name in found.names
    assert message.endswith(decoded.rest)
    assert str(decoded).isprintable()
    names = [field.name for field in decoded.fields]
    assert len(set(names)) == len(names)
    for field in decoded.fields:
        text = field.text()
        assert text
        assert text == printable(text)
        if isinstance(field.value, float) and math.isfinite(field.value):
            assert float(text.split(" ")[0]) == field.value
    content = decoded.as_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content


# Frames of joining a network.


def wifi(data: bytes) -> None:
    """An MPDU of Wi-Fi's own: what is read stays within its bounds, and what the builders say of it reads the same."""
    found = _outcome(management.parse_wifi, data)
    kinds.is_wifi(data)
    if found is None:
        return
    assert len(data) >= _HEADER
    assert data[10:16] == (found.source if hasattr(found, "source") else found.bssid)
    ssid = getattr(found, "ssid", b"")
    assert len(ssid) <= 32
    if _one_in(8, data):
        again = _build_again(found)
        assert again is None or again == found


def _build_again(found: Any) -> Any:
    """Return what is read of a frame that is built from what was read; None where no builder makes such a frame."""
    try:
        if isinstance(found, management.Advertisement):
            if found.security == kinds.WEP or not found.channel or (found.switch_count and not found.switch_channel):
                return None
            return management.parse_wifi(management.build_advertisement(found, seq=0))
        if isinstance(found, management.ProbeRequest):
            return management.parse_wifi(management.build_probe_request(found.source, found.ssid, seq=0))
        if isinstance(found, management.Authentication):
            return management.parse_wifi(management.build_authentication(found, seq=0))
        if isinstance(found, management.AssociationRequest):
            if found.security == kinds.WEP:
                return None
            return management.parse_wifi(management.build_association_request(found, seq=0))
        if isinstance(found, management.AssociationResponse):
            if found.status:
                return None
            return management.parse_wifi(management.build_association_response(found, seq=0))
        if isinstance(found, management.Farewell):
            return management.parse_wifi(management.build_farewell(found, seq=0))
        if isinstance(found, management.NullData):
            return management.parse_wifi(management.build_null(found, seq=0))
    except ValueError as error:
        assert not isinstance(error, FrameError), "a frame that its own builder makes is refused"
    return None


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (frame, encrypted, toml, radiotap, pcap, pcapng, wifi, udp, live)
}

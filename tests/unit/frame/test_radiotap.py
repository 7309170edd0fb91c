"""The radiotap header: against captures, by hand, and against a reader that goes byte by byte."""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from espnow import frame
from espnow.errors import FrameError
from espnow.frame import radiotap

repeatable = settings(derandomize=True, deadline=None)

SAMPLES: list[dict[str, str]] = json.loads(
    Path(__file__).with_name("radiotap_samples.json").read_text(encoding="utf-8")
)["samples"]

MPDU = bytes.fromhex("d0000000ffffffffffff020000000000ffffffffffff30127f18fe34")

# Bit: (names, format, alignment) as radiotap.org has them; a name with _ is not told by the parser.
FIELDS: dict[int, tuple[tuple[str, ...], str, int]] = {
    0: (("tsft_us",), "<Q", 8),
    1: (("flags",), "<B", 1),
    2: (("rate_500kbps",), "<B", 1),
    3: (("frequency_mhz", "channel_flags"), "<HH", 2),
    4: (("_hop_set", "_hop_pattern"), "<BB", 1),
    5: (("rssi_dbm",), "<b", 1),
    6: (("noise_dbm",), "<b", 1),
    7: (("_lock_quality",), "<H", 2),
    8: (("_tx_attenuation",), "<H", 2),
    9: (("_tx_attenuation_db",), "<H", 2),
    10: (("tx_power_dbm",), "<b", 1),
    11: (("antenna",), "<B", 1),
    12: (("_signal_db",), "<B", 1),
    13: (("_noise_db",), "<B", 1),
    14: (("rx_flags",), "<H", 2),
    15: (("tx_flags",), "<H", 2),
    16: (("rts_retries",), "<B", 1),
    17: (("data_retries",), "<B", 1),
    18: (("_x_flags", "_x_frequency", "_x_channel", "_x_power"), "<IHBB", 4),
    19: (("mcs_known", "mcs_flags", "mcs_index"), "<BBB", 1),
    20: (("_a_reference", "_a_flags", "_a_crc", "_a_reserved"), "<IHBB", 4),
    21: (("_v_known", "_v_flags", "_v_bandwidth", "_v_mcs", "_v_coding", "_v_group", "_v_aid"), "<HBB4sBBH", 2),
    22: (("_timestamp", "_accuracy", "_unit", "_t_flags"), "<QHBB", 8),
    23: (("_he",), "<12s", 2),
    24: (("_mu_flags1", "_mu_flags2", "_mu_channel1", "_mu_channel2"), "<HH4s4s", 2),
    25: (("_other_1", "_other_2", "_other_position", "_other_known"), "<HHBB", 2),
    26: (("_zero_length_psdu",), "<B", 1),
    27: (("_l_sig_1", "_l_sig_2"), "<HH", 2),
}
TOLD = [name for names, _, _ in FIELDS.values() for name in names if not name.startswith("_")]

EXT = 1 << 31
VENDOR = 1 << 30
NAMESPACE = 1 << 29
TLVS = 1 << 28


class Overrun(Exception):
    """What the reader below says instead of FrameError."""


def read(packet: bytes) -> dict[str, Any]:
    """Read a header one field at a time, without any preparation."""
    if len(packet) < 8 or packet[0] != 0:
        raise Overrun
    length = packet[2] | packet[3] << 8
    if length < 8 or length > len(packet):
        raise Overrun
    header = packet[:length]
    at = 4

    def take(form: str, align: int = 1) -> tuple[Any, ...]:
        nonlocal at
        while at % align:
            at += 1
        values = header[at : at + struct.calcsize(form)]
        at += struct.calcsize(form)
        if at > length:
            raise Overrun
        return struct.unpack(form, values)

    words = [take("<I")[0]]
    while words[-1] & EXT:
        words.append(take("<I")[0])
    told: dict[str, Any] = {"length": length}
    namespaces: list[dict[str, Any]] = [{}]
    base: int | None = 0
    stopped = False
    for word in words:
        for bit in range(29):
            if base is None or not word >> bit & 1:
                continue
            if base + bit not in FIELDS and base + bit != 28:
                told["unknown"] = base + bit
                stopped = True
                break
            if base + bit == 28:
                at += -at % 4
                late: dict[str, Any] = {}
                while at + 4 <= length:
                    kind, size = take("<HH")
                    content = take(f"<{size}s")[0]
                    at += -size % 4
                    if size and kind in FIELDS:
                        names, form, _ = FIELDS[kind]
                        content = (content + bytes(12))[: struct.calcsize(form)]
                        for name, value in zip(names, struct.unpack(form, content), strict=True):
                            late.setdefault(name, value)
                namespaces.append(late)
                namespaces[-1]["TLVs"] = True
                stopped = True
                break
            names, form, align = FIELDS[bit]
            namespaces[-1].update(zip(names, take(form, align), strict=True))
        if stopped:
            break
        if word & VENDOR:
            skip = take("<3sBH", 2)[2]
            take(f"<{skip}s")
            base = None
            namespaces.append({})
        elif word & NAMESPACE:
            base = 0
            namespaces.append({})
        elif base is not None:
            base += 32
    pair = ("antenna", "rssi_dbm")
    antennas = []
    for number, values in enumerate(namespaces):
        late_values = "TLVs" in values
        if not late_values and (values.keys() & pair):
            if number:
                antennas.append(tuple(values.get(name) for name in pair))
            if not told.keys() & pair:
                told.update((name, values[name]) for name in pair if name in values)
        for name in values.keys() & TOLD:
            if late_values or name not in pair:
                told.setdefault(name, values[name])
    if antennas:
        told["antennas"] = tuple(antennas)
    return told


def present(parsed: radiotap.Radiotap) -> dict[str, Any]:
    """Return what is told, without what is absent."""
    return {name: value for name, value in parsed._asdict().items() if value is not None and value != ()}


def agree(packet: bytes) -> None:
    """Check that parser and reader tell the same."""
    try:
        expected = read(packet)
    except Overrun:
        with pytest.raises(FrameError):
            radiotap.parse(packet)
    else:
        assert present(radiotap.parse(packet)) == expected


def header(*words: int, content: bytes = b"", length: int | None = None) -> bytes:
    """Write a header the long way."""
    head = b"".join(struct.pack("<I", word) for word in words) + content
    return struct.pack("<BBH", 0, 0, 4 + len(head) if length is None else length) + head


# What captures hold.


@pytest.mark.parametrize("kind", ["outgoing", "report", "received"])
def test_every_captured_header_parses(kind: str) -> None:
    samples = [sample for sample in SAMPLES if sample["kind"] == kind]
    assert len(samples) == 42
    for sample in samples:
        head, mpdu = bytes.fromhex(sample["radiotap"]), bytes.fromhex(sample["mpdu"])
        parsed = radiotap.parse(head + mpdu)
        assert (head + mpdu)[parsed.length :] == mpdu
        assert present(parsed) == read(head)
        assert radiotap.parse(head) == parsed
        assert parsed.is_transmitted == (kind == "report" or (kind == "outgoing" and head[4:8].hex() == "00800000"))
        assert not parsed.bad_fcs
        assert not parsed.data_pad
        if kind == "received":
            assert (parsed.channel, parsed.rssi_dbm, parsed.antenna) == (6, -50, 0)
            assert parsed.tsft_us is not None
            assert not parsed.has_fcs
        if kind == "report":
            # A report tells neither where nor when.
            assert (parsed.channel, parsed.rssi_dbm, parsed.tsft_us) == (None, None, None)


# Rate of the received copy and of the report, and whether the report tells of a failure.
CASES = {
    "broadcast plain": (frame.RATE_1M, False),
    "unicast plain to monitor(not active) wlan1": (frame.RATE_1M, True),
    "unicast NOACK": (frame.RATE_1M, True),
    "bcast rate 1": (frame.RATE_1M, False),
    "bcast rate 2": (frame.RATE_2M, False),
    "bcast rate 5.5": (frame.RATE_5M, False),
    "bcast rate 11": (frame.RATE_11M, False),
    "bcast rate 6": (frame.RATE_6M, False),
    "bcast rate 9": (frame.RATE_9M, False),
    "bcast rate 12": (frame.RATE_12M, False),
    "bcast rate 24": (frame.RATE_24M, False),
    "bcast rate 54": (frame.RATE_54M, False),
    "rate 54 retries 3 unicast": (frame.RATE_54M, True),
    "mcs7": (frame.RATE_MCS0_LONG + 7, False),
    "mcs7 sgi": (frame.RATE_MCS0_SHORT + 7, False),
    "unassigned rate 3": (frame.RATE_1M, False),
    "FCS flag + fcs": (frame.RATE_1M, False),
    "noseq": (frame.RATE_1M, False),
    "retry bit set": (frame.RATE_1M, False),
    "foreign src": (frame.RATE_1M, False),
    "short radiotap (bad)": (frame.RATE_1M, False),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_captured_sendings(case: str, kernel: str) -> None:
    rate, failed = CASES[case]
    samples = [sample for sample in SAMPLES if (sample["case"], sample["kernel"]) == (case, kernel)]
    assert {sample["kind"] for sample in samples} == {"outgoing", "report", "received"}
    for sample in samples:
        parsed = radiotap.parse(bytes.fromhex(sample["radiotap"]))
        if sample["kind"] == "outgoing":
            assert sample["radiotap"].startswith(sample["injected"])
        else:
            assert parsed.rate == rate
            assert parsed.tx_failed == (failed and sample["kind"] == "report")
            assert parsed.data_retries == (0 if sample["kind"] == "report" else None)
    assert {sample["case"] for sample in SAMPLES} == set(CASES)


HEADERS: dict[str, dict[str, Any]] = {
    "0000080000000000": {"length": 8},
    "000009000200000010": {"length": 9, "flags": 0x10},
    "000009000400000002": {"length": 9, "rate_500kbps": 2},
    "00000a00008000000800": {"length": 10, "tx_flags": radiotap.TX_NO_ACK},
    "00000a00008000001000": {"length": 10, "tx_flags": radiotap.TX_NO_SEQUENCE},
    "00000a00040002006c03": {"length": 10, "rate_500kbps": 108, "data_retries": 3},
    "00000b0000000800270007": {"length": 11, "mcs_known": 0x27, "mcs_flags": 0, "mcs_index": 7},
    "00000b0000000800070407": {"length": 11, "mcs_known": 7, "mcs_flags": 4, "mcs_index": 7},
    "00000d00048002000200000000": {"length": 13, "rate_500kbps": 2, "tx_flags": 0, "data_retries": 0},
    "00000d00048002006c00010000": {"length": 13, "rate_500kbps": 108, "tx_flags": 1, "data_retries": 0},
    "00000e0000800a00000000070407": {
        "length": 14,
        "tx_flags": 0,
        "data_retries": 0,
        "mcs_known": 7,
        "mcs_flags": 4,
        "mcs_index": 7,
    },
    "00001a002f480000266c5a23f260060000028509a000ce000000": {
        "length": 26,
        "tsft_us": 0x000660F2235A6C26,
        "flags": 0,
        "rate_500kbps": 2,
        "frequency_mhz": 2437,
        "channel_flags": 0xA0,
        "rssi_dbm": -50,
        "antenna": 0,
        "rx_flags": 0,
    },
    "00001d002b4808000794a723f2600600000085098004ce000000070407": {
        "length": 29,
        "tsft_us": 0x000660F223A79407,
        "flags": 0,
        "frequency_mhz": 2437,
        "channel_flags": 0x0480,
        "rssi_dbm": -50,
        "antenna": 0,
        "rx_flags": 0,
        "mcs_known": 7,
        "mcs_flags": 4,
        "mcs_index": 7,
    },
    "0000200000000000d0000000ffffffffffff020000000000ffffffffffff3012": {"length": 32},
}


@pytest.mark.parametrize("text", HEADERS)
def test_captured_headers_value_by_value(text: str) -> None:
    assert any(sample["radiotap"] == text for sample in SAMPLES)
    parsed = radiotap.parse(bytes.fromhex(text) + MPDU)
    assert present(parsed) == HEADERS[text]
    assert parsed == radiotap.Radiotap(**HEADERS[text])
    assert type(parsed) is radiotap.Radiotap


def test_every_kind_of_captured_header_is_in_the_table() -> None:
    assert {sample["radiotap"][8:16] for sample in SAMPLES} == {text[8:16] for text in HEADERS}


# By hand.


@pytest.mark.parametrize("bit", FIELDS)
@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_every_field_alone_and_after_others(bit: int, before: int) -> None:
    names, form, align = FIELDS[bit]
    size = struct.calcsize(form)
    # FLAGS, RATE and the signal are a byte each: they move what follows off its alignment.
    words = sum(1 << other for other in (1, 2, 5)[:before] if other < bit)
    content = bytes(range(0x11, 0x11 + words.bit_count()))
    content += bytes(-(8 + len(content)) % align) + bytes(range(0xA0, 0xA0 + size))
    packet = header(words | 1 << bit, content=content)
    values = dict(zip(names, struct.unpack(form, content[-size:]), strict=True))
    parsed = present(radiotap.parse(packet))
    assert parsed.pop("length") == len(packet)
    for name in ("flags", "rate_500kbps", "rssi_dbm")[:before]:
        if name not in names:
            parsed.pop(name, None)
    assert parsed == {name: value for name, value in values.items() if not name.startswith("_")}
    with pytest.raises(FrameError, match="fields"):
        radiotap.parse(packet[:2] + struct.pack("<H", len(packet) - 1) + packet[4:])


@pytest.mark.parametrize("bit", FIELDS)
def test_what_follows_a_field_is_found(bit: int) -> None:
    # A byte before it, and TLVs after it that tell the noise.
    _, form, align = FIELDS[bit]
    at = 8 + (bit > 1)
    content = bytes(bit > 1) + bytes(-at % align) + bytes(struct.calcsize(form))
    content += bytes(-len(content) % 4) + struct.pack("<HHb3x", 6, 1, -91)
    packet = header((2 if bit > 1 else 0) | 1 << bit | TLVS, content=content)
    parsed = radiotap.parse(packet)
    assert parsed.noise_dbm == (0 if bit == 6 else -91)
    agree(packet)


def test_all_fields_at_once() -> None:
    word, content = 0, b""
    for bit, (_, form, align) in FIELDS.items():
        word |= 1 << bit
        content += bytes(-(8 + len(content)) % align) + bytes(range(bit, bit + struct.calcsize(form)))
    parsed = radiotap.parse(header(word, content=content) + MPDU)
    assert present(parsed).keys() == {"length", *TOLD}
    agree(header(word, content=content))
    for length in range(8 + len(content)):
        with pytest.raises(FrameError, match="header"):
            radiotap.parse(header(word, content=content, length=length))


def test_antennas_of_repeated_namespaces() -> None:
    # As Linux writes them: the signal of all, then a word an antenna.
    one = EXT | NAMESPACE
    packet = header(1 << 5 | one, 1 << 5 | 1 << 11 | one, 1 << 5 | 1 << 11, content=bytes((200, 190, 0, 195, 1)))
    parsed = radiotap.parse(packet + MPDU)
    assert (parsed.length, parsed.rssi_dbm, parsed.antenna) == (21, -56, None)
    assert parsed.antennas == ((0, -66), (1, -61))
    assert parsed.unknown is None
    agree(packet)


def test_a_later_namespace_fills_what_the_first_has_not() -> None:
    packet = header(1 << 2 | EXT | NAMESPACE, 1 << 2 | 1 << 6 | 1 << 11, content=bytes((2, 4, 200, 7)))
    parsed = radiotap.parse(packet)
    assert (parsed.rate_500kbps, parsed.noise_dbm, parsed.antenna, parsed.rssi_dbm) == (2, -56, 7, None)
    assert parsed.antennas == ((7, None),)
    agree(packet)
    # But antenna and signal belong together.
    packet = header(1 << 11 | EXT | NAMESPACE, 1 << 5 | EXT | NAMESPACE, 1 << 5, content=bytes((2, 200, 201)))
    parsed = radiotap.parse(packet)
    assert (parsed.antenna, parsed.rssi_dbm, parsed.antennas) == (2, None, ((None, -56), (None, -55)))


@pytest.mark.parametrize("later", [2, 3])
def test_a_word_without_a_new_namespace_has_bits_of_unknown_size(later: int) -> None:
    words = [1 << 1 | EXT, *[EXT] * (later - 2), 1 << 9 | 1 << 4]
    parsed = radiotap.parse(header(*words, content=b"\x10\x99\x99") + MPDU)
    assert parsed.unknown == 32 * (later - 1) + 4
    assert parsed.has_fcs
    assert parsed.length == 7 + 4 * later
    agree(header(*words, content=b"\x10\x99\x99"))


def test_words_without_bits_tell_nothing() -> None:
    parsed = radiotap.parse(header(EXT, EXT, 0))
    assert parsed == radiotap.Radiotap(length=16)


def test_a_vendor_namespace_is_skipped_and_its_bits_are_not_ours() -> None:
    vendor = b"\x18\xfe\x34\x07\x03\x00" + b"abc"
    # FLAGS, the vendor's header at an even offset, its data, FLAGS again with RATE.
    words = (1 << 1 | VENDOR | EXT, 0x1FFFFFFF | EXT | NAMESPACE, 1 << 1 | 1 << 2)
    packet = header(*words, content=b"\x10\0" + vendor + b"\x40\x0b")
    parsed = radiotap.parse(packet + MPDU)
    assert present(parsed) == {"length": len(packet), "flags": 0x10, "rate_500kbps": 11}
    agree(packet)
    for length in range(len(packet)):
        with pytest.raises(FrameError, match="header"):
            radiotap.parse(packet[:2] + struct.pack("<H", length) + packet[4:])


def test_vendor_after_vendor_and_a_vendors_further_words() -> None:
    words = (VENDOR | EXT, 0x0FFFFFFF | EXT, 0xFF | VENDOR | EXT, 0xFF | NAMESPACE | EXT, 1 << 5)
    packet = header(*words, content=b"abcd\x01\0x" + b"\0" + b"efgh\0\0" + b"\xc0")
    parsed = radiotap.parse(packet)
    assert present(parsed) == {"length": len(packet), "rssi_dbm": -64, "antennas": ((None, -64),)}
    agree(packet)


def test_a_vendor_namespace_that_ends_the_header() -> None:
    packet = header(VENDOR, content=b"abcd\x02\0xy")
    assert present(radiotap.parse(packet)) == {"length": 16}
    for cut in range(8, 16):
        agree(header(VENDOR, content=b"abcd\x02\0xy", length=cut))


def test_tlvs() -> None:
    items = [
        struct.pack("<HH", 28, 0),  # padding
        struct.pack("<HHI", 28, 4, 0xFFFFFFFF),
        struct.pack("<HHB3x", 1, 1, 0x10),  # FLAGS that are there already
        struct.pack("<HHH2x", 3, 2, 2412),  # CHANNEL, of which half is left out
        struct.pack("<HHbB2x", 5, 2, -40, 9),  # a signal, and a byte that nobody knows
        struct.pack("<HHb3x", 5, 1, -41),  # once more
        struct.pack("<HH8s", 30, 8, b"\x18\xfe\x34\0\0\0\0\0"),  # vendor
        struct.pack("<HH5s3x", 33, 5, b"U-SIG"),
        struct.pack("<HHI", 29, 4, 0),
        struct.pack("<HH", 0, 0),
        struct.pack("<HHB", 11, 1, 3),  # an antenna, without what fills it up
    ]
    packet = header(1 << 1 | TLVS, content=b"\0" + b"\xee" * 3 + b"".join(items))
    parsed = radiotap.parse(packet + MPDU)
    assert present(parsed) == {
        "length": len(packet),
        "flags": 0,
        "frequency_mhz": 2412,
        "channel_flags": 0,
        "rssi_dbm": -40,
        "antenna": 3,
    }
    agree(packet)
    for length in range(len(packet)):
        agree(packet[:2] + struct.pack("<H", length) + packet[4:])


def test_a_tlv_that_runs_over_the_header() -> None:
    for size in (5, 100, 0xFFFF):
        with pytest.raises(FrameError, match="TLVs"):
            radiotap.parse(header(TLVS, content=struct.pack("<HH4x", 40, size)) + bytes(100))
    assert radiotap.parse(header(TLVS, content=struct.pack("<HH4x", 40, 4))).length == 16


def test_what_follows_tlvs_is_theirs() -> None:
    packet = header(TLVS | NAMESPACE | EXT, 1 << 1, content=struct.pack("<HHB3x", 2, 1, 22))
    assert present(radiotap.parse(packet)) == {"length": 20, "rate_500kbps": 22}
    agree(packet)


@pytest.mark.parametrize(
    ("packet", "what"),
    [
        (b"", "0 bytes"),
        (bytes(7), "7 bytes"),
        (b"\x01\0\x08\0\0\0\0\0", "version 1"),
        (b"\0\0\x07\0\0\0\0\0", "7 bytes in a packet of 8"),
        (b"\0\0\x09\0\0\0\0\0", "9 bytes in a packet of 8"),
        (b"\0\0\x08\0\0\0\0\x80" + bytes(8), "present words"),
        (b"\0\0\x0f\0\0\0\0\x80\0\0\0\x80" + bytes(8), "present words"),
        (b"\0\0\x08\0\x02\0\0\0" + bytes(8), "fields"),
        (b"\0\0\x08\0\x10\0\0\0", "fields"),
        (b"\0\0\x0e\0\x00\0\0\x40" + bytes(4) + b"\x01\0" + bytes(8), "vendor data"),
    ],
)
def test_what_is_no_header_is_refused(packet: bytes, what: str) -> None:
    with pytest.raises(FrameError, match=what):
        radiotap.parse(packet)
    agree(packet)


def test_the_second_byte_is_padding() -> None:
    assert radiotap.parse(b"\0\xff\x08\0\0\0\0\0").length == 8


@pytest.mark.parametrize("text", HEADERS)
def test_cut_at_every_byte(text: str) -> None:
    packet = bytes.fromhex(text)
    for cut in range(len(packet)):
        with pytest.raises(FrameError, match=r"\w"):
            radiotap.parse(packet[:cut])
        agree(packet[:2] + struct.pack("<H", cut) + packet[4:])


# Whatever comes.

words = st.integers(0, 0xFFFFFFFF) | st.builds(
    lambda bits, special: sum({1 << bit for bit in bits}) | special,
    st.lists(st.integers(0, 27), max_size=6),
    st.sampled_from((0, 0, NAMESPACE, VENDOR, TLVS, NAMESPACE | EXT, NAMESPACE | EXT, VENDOR | EXT, EXT, TLVS | EXT)),
)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """Headers of which many are valid."""
    chain = draw(st.lists(words, min_size=1, max_size=5))
    for number, word in enumerate(chain):
        chain[number] = word | EXT if number < len(chain) - 1 else word & ~EXT
    small = st.sampled_from((0, 0, 0, 1, 2, 4, 28, 200)) | st.integers(0, 255)
    content = bytes(draw(st.lists(small, max_size=60))) + bytes(draw(st.sampled_from((0, 40, 120))))
    length = 4 + 4 * len(chain) + len(content) - draw(st.sampled_from((0, 0, 0, 1, 7)))
    return header(*chain, content=content, length=max(length, 0))


@repeatable
@given(packet=st.binary(max_size=64) | st.binary(max_size=64).map(lambda tail: b"\0\0\x20\0" + tail))
@example(packet=b"\0\0\x08\0\0\0\0\x80")
def test_any_bytes(packet: bytes) -> None:
    agree(packet)
    try:
        parsed = radiotap.parse(packet)
    except FrameError:
        return
    assert 8 <= parsed.length <= len(packet)
    assert repr(parsed).startswith(f"Radiotap(length={parsed.length}")
    assert parsed.rate in {None, *frame.ALL_RATES}
    assert parsed.channel in {None, *range(1, 15)}


@settings(derandomize=True, deadline=None, max_examples=600)
@given(packet=headers(), tail=st.binary(max_size=8))
def test_it_agrees_with_the_slow_reader(packet: bytes, tail: bytes) -> None:
    agree(packet + tail)


@pytest.mark.parametrize(
    "make",
    [
        lambda: header(*[EXT] * 16381, 0),
        lambda: header(*[EXT | NAMESPACE | 1 << 5] * 13000, 1 << 5, content=b"\xd0" * 13001),
        lambda: header(*[EXT | NAMESPACE | (1 << 28) - 1] * 16000, 0),
        lambda: header(*[EXT | VENDOR | (1 << 29) - 1] * 6500, 0, content=b"abcd\0\0" * 6500),
        lambda: header(TLVS, content=struct.pack("<HH", 5, 0) * 16000),
        lambda: header(TLVS, content=struct.pack("<HHB3x", 1, 1, 2) * 8000),
        lambda: header(VENDOR, content=b"abcd" + struct.pack("<H", 65000) + bytes(65000)),
    ],
    ids=["words", "antennas", "fields", "vendors", "empty TLVs", "TLVs", "vendor data"],
)
def test_the_longest_headers(make: Any) -> None:
    packet = make()
    assert len(packet) <= 0xFFFF
    agree(packet)
    tracemalloc.start()
    try:
        with contextlib.suppress(FrameError):
            radiotap.parse(packet)
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_nothing_that_is_kept_grows_with_what_comes() -> None:
    def feed(first: int) -> None:
        for number in range(first, first + 300):
            # Words that are all different, each header as long as it may be.
            chain = [EXT | (number * 77 + 31 * index) & 0xFFFF for index in range(12)]
            radiotap.parse(header(*chain, number & 0xFFFF, content=bytes(1000)))
            radiotap.parse(header(number * 3 & 0x0FFFFFFF, content=bytes(120)))
            radiotap.parse(header(*chain[:4], 0, content=bytes(1000)))
        for number in range(first, first + 66):
            antennas = [EXT | NAMESPACE | 1 << 5] * 300
            radiotap.parse(header(number & 0x0FFF | EXT | NAMESPACE, *antennas, 0, content=bytes(500)))

    def kept() -> int:
        """Return the bytes that are kept of what was made here: others' threads may make something meanwhile."""
        gc.collect()
        mine = [tracemalloc.Filter(True, radiotap.__file__)]
        return sum(found.size for found in tracemalloc.take_snapshot().filter_traces(mine).statistics("filename"))

    feed(0)
    tracemalloc.start()
    try:
        before = kept()
        feed(10_000)
        between = kept()
        feed(20_000)
        after = kept()
    finally:
        tracemalloc.stop()
    assert between - before < 1_000_000
    assert after - between < 100_000


# What the values mean.


def test_channels() -> None:
    for channel in range(1, 15):
        assert radiotap.Radiotap(8, frequency_mhz=radiotap.frequency_mhz(channel)).channel == channel
    for other in (None, 0, 2407, 2413, 2477, 2483, 5180, 65535):
        assert radiotap.Radiotap(8, frequency_mhz=other).channel is None


def test_rates() -> None:
    for phy in frame.RATES.values():
        if phy.mcs is not None:
            told = radiotap.Radiotap(8, mcs_known=0x0F, mcs_flags=4 if phy.short else 0, mcs_index=phy.mcs)
            assert told.rate == phy.number
            # MCS is the better of the two.
            assert told._replace(rate_500kbps=13).rate == phy.number
        elif phy.radiotap is not None:
            flags = 2 if phy.short else 0
            assert radiotap.Radiotap(8, rate_500kbps=phy.radiotap, flags=flags).rate == phy.number
            if not phy.short:
                assert radiotap.Radiotap(8, rate_500kbps=phy.radiotap).rate == phy.number
            if phy.modulation in ("OFDM", "LR") or phy.number == frame.RATE_1M:
                assert radiotap.Radiotap(8, rate_500kbps=phy.radiotap, flags=2).rate == phy.number
    known = {phy.radiotap for phy in frame.RATES.values()}
    for speed in {*range(256)} - known:
        assert radiotap.Radiotap(8, rate_500kbps=speed).rate is None
    assert radiotap.Radiotap(8).rate is None


@pytest.mark.parametrize(
    ("known", "flags", "index", "rate"),
    [
        (0x02, 0x00, 0, 16),
        (0x02, 0x04, 0, 16),
        (0x06, 0x04, 0, 24),
        (0x07, 0x05, 7, 31),
        (0x05, 0x04, 3, None),
        (0x07, 0x00, 8, None),
        (0x07, 0x00, 255, None),
    ],
)
def test_ht_rates(known: int, flags: int, index: int, rate: int | None) -> None:
    assert radiotap.Radiotap(8, mcs_known=known, mcs_flags=flags, mcs_index=index).rate == rate


def test_flags() -> None:
    names = {0x02: "short_preamble", 0x10: "has_fcs", 0x20: "data_pad", 0x40: "bad_fcs"}
    for flags in (None, *range(256)):
        parsed = radiotap.Radiotap(8, flags=flags)
        for bit, name in names.items():
            assert getattr(parsed, name) is bool((flags or 0) & bit)
    for tx_flags in (None, 0, 1, 8, 9, 0x10, 0xFFFE, 0xFFFF):
        parsed = radiotap.Radiotap(8, tx_flags=tx_flags)
        assert parsed.is_transmitted is (tx_flags is not None)
        assert parsed.tx_failed is bool((tx_flags or 0) & 1)


def test_it_prints_what_is_present() -> None:
    parsed = radiotap.parse(bytes.fromhex("00000d00048002006c00010000"))
    assert repr(parsed) == "Radiotap(length=13, rate_500kbps=108, tx_flags=0x1, data_retries=0)"
    assert str(radiotap.Radiotap(8)) == "Radiotap(length=8)"
    full = radiotap.Radiotap(20, rssi_dbm=-5, antennas=((0, None),), unknown=40)
    assert repr(full) == "Radiotap(length=20, rssi_dbm=-5, antennas=((0, None),), unknown=40)"


# Writing.


@pytest.mark.parametrize("rate", sorted(frame.ALL_RATES))
def test_every_kind_of_header_reads_back(rate: int) -> None:
    phy = frame.RATES[rate]
    for rssi_dbm, at_us, channel in itertools.product((None, -128, -44, 127), (None, 0, 1 << 40), range(1, 15)):
        head = radiotap.build(channel=channel, rate=rate, rssi_dbm=rssi_dbm, at_us=at_us)
        fields = read(head)
        assert fields.pop("length") == len(head)
        assert fields.pop("tsft_us", None) == at_us
        assert fields.pop("rssi_dbm", None) == rssi_dbm
        assert fields.pop("rate_500kbps", None) == phy.radiotap
        assert fields.pop("frequency_mhz") == (2484 if channel == 14 else 2407 + 5 * channel)
        short_preamble = phy.short and phy.modulation != "HT"
        assert fields.pop("flags") == (0x02 if short_preamble else 0)
        if phy.modulation == "HT":
            mcs = (fields.pop("mcs_known"), fields.pop("mcs_flags"), fields.pop("mcs_index"))
            assert mcs == (0x0F, 0x04 if phy.short else 0, phy.mcs)
        expected = {"DSSS": 0xA0, "CCK": 0xA0, "OFDM": 0xC0, "HT": 0xC0, "LR": 0x80}
        assert fields.pop("channel_flags") == expected[phy.modulation]
        assert not fields
        parsed = radiotap.parse(head + MPDU)
        assert (parsed.channel, parsed.rssi_dbm, parsed.tsft_us) == (channel, rssi_dbm, at_us)
        assert parsed.rate == (None if rate == frame.RATE_LORA_250K else rate)


def test_byte_by_byte() -> None:
    head = radiotap.build(channel=1, rate=frame.RATE_1M, rssi_dbm=-50)
    assert head.hex(" ", -4) == "00000f00 2e000000 00026c09 a000ce"
    head = radiotap.build(channel=1, rate=frame.RATE_1M, rssi_dbm=-50, at_us=0x0102030405060708)
    assert head.hex(" ", -4) == "00001700 2f000000 08070605 04030201 00026c09 a000ce"
    head = radiotap.build(channel=6, rate=frame.RATE_MCS0_SHORT + 7, rssi_dbm=None)
    assert head.hex(" ", -4) == "00001100 0a000800 00008509 c0000f04 07"
    head = radiotap.build(channel=14, rate=frame.RATE_LORA_250K, rssi_dbm=127)
    assert head.hex(" ", -4) == "00000f00 2a000000 0000b409 80007f"


@pytest.mark.parametrize(
    ("arguments", "case"),
    [
        ({}, "broadcast plain"),
        ({"rate": frame.RATE_1M}, "bcast rate 1"),
        ({"rate": frame.RATE_54M}, "bcast rate 54"),
        ({"rate": frame.RATE_54M, "data_retries": 3}, "rate 54 retries 3 unicast"),
        ({"tx_flags": radiotap.TX_NO_ACK}, "unicast NOACK"),
        ({"tx_flags": radiotap.TX_NO_SEQUENCE}, "noseq"),
        ({"fcs": True}, "FCS flag + fcs"),
    ],
)
def test_injections_as_linux_took_them(arguments: dict[str, Any], case: str) -> None:
    injected = {sample["radiotap"] for sample in SAMPLES if (sample["case"], sample["kind"]) == (case, "outgoing")}
    assert {radiotap.build(**arguments).hex()} == injected


optional = {
    "channel": st.none() | st.integers(1, 14),
    "rate": st.none() | st.sampled_from(sorted(frame.ALL_RATES)),
    "rssi_dbm": st.none() | st.integers(-128, 127),
    "at_us": st.none() | st.integers(0, (1 << 64) - 1),
    "noise_dbm": st.none() | st.integers(-128, 127),
    "antenna": st.none() | st.integers(0, 255),
    "tx_flags": st.none() | st.integers(0, 0xFFFF),
    "data_retries": st.none() | st.integers(0, 255),
    "fcs": st.booleans(),
}


@settings(derandomize=True, deadline=None, max_examples=300)
@given(arguments=st.fixed_dictionaries({}, optional=optional))
def test_all_that_is_written_reads_back(arguments: dict[str, Any]) -> None:
    head = radiotap.build(**arguments)
    assert radiotap.build(**arguments) == head
    agree(head)
    parsed = radiotap.parse(head + MPDU)
    assert parsed.length == len(head)
    assert parsed.channel == arguments.get("channel")
    assert parsed.rssi_dbm == arguments.get("rssi_dbm")
    assert parsed.tsft_us == arguments.get("at_us")
    for name in ("noise_dbm", "antenna", "tx_flags", "data_retries"):
        assert getattr(parsed, name) == arguments.get(name)
    assert parsed.has_fcs is arguments.get("fcs", False)
    rate = arguments.get("rate")
    assert parsed.rate == (None if rate == frame.RATE_LORA_250K else rate)


@pytest.mark.parametrize(
    "change",
    [
        {"channel": 0},
        {"channel": 15},
        {"channel": -1},
        {"rate": 4},
        {"rate": -1},
        {"rssi_dbm": -129},
        {"rssi_dbm": 128},
        {"at_us": -1},
        {"at_us": 1 << 64},
        {"noise_dbm": -129},
        {"noise_dbm": 128},
        {"antenna": -1},
        {"antenna": 256},
        {"tx_flags": -1},
        {"tx_flags": 0x10000},
        {"data_retries": -1},
        {"data_retries": 256},
    ],
    ids=repr,
)
def test_what_does_not_fit_is_refused(change: dict[str, int]) -> None:
    arguments: dict[str, Any] = {"channel": 1, "rate": 0, "rssi_dbm": -50} | change
    for _ in range(2):
        with pytest.raises(ValueError, match=str(next(iter(change.values())))):
            radiotap.build(**arguments)

"""uctypes, deflate, zlib, RingIO and viper's pointers of a board."""

import gzip
import io
import random
import struct
import zlib as host_zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.api.base import buffer_bytes
from espnow.micropython import deflate as own_deflate
from espnow.micropython import uctypes as own_uctypes
from espnow.micropython.memory import _KEPT
from espnow.micropython.ringio import RingIO
from espnow.micropython.viper import ptr8, ptr16, ptr32, uint, viper


@pytest.fixture
def uctypes(rig):
    return rig.module("uctypes")


# uctypes

#: What the macros of ``extmod/moductypes.c`` give; programs print and store these numbers.
CONSTANTS = {
    "UINT8": 0,
    "INT8": 1 << 27,
    "UINT16": 2 << 27,
    "INT64": 7 << 27,
    "BFUINT8": -(8 << 27),
    "BFINT32": -(3 << 27),
    "FLOAT32": -(2 << 27),
    "FLOAT64": -(1 << 27),
    "PTR": 1 << 29,
    "ARRAY": -(2 << 29),
    "BF_POS": 17,
    "BF_LEN": 22,
    "LITTLE_ENDIAN": 0,
    "BIG_ENDIAN": 1,
    "NATIVE": 2,
    "VOID": 0,
    "INT": 5 << 27,
    "ULONG": 4 << 27,
}


def test_constants(uctypes):
    assert {name: getattr(uctypes, name) for name in CONSTANTS} == CONSTANTS


CODES = {
    "UINT8": "B",
    "INT8": "b",
    "UINT16": "H",
    "INT16": "h",
    "UINT32": "I",
    "INT32": "i",
    "UINT64": "Q",
    "INT64": "q",
}


@given(
    st.sampled_from(sorted(CODES)),
    st.sampled_from(["LITTLE_ENDIAN", "BIG_ENDIAN", "NATIVE"]),
    st.integers(0, 8),
    st.integers(-(2**70), 2**70),
)
def test_scalars(kind, layout, offset, number):
    uctypes = own_uctypes.build(None, None)
    buffer = bytearray(b"\xa5" * 16)
    made = uctypes.struct(uctypes.addressof(buffer), {"x": getattr(uctypes, kind) | offset}, getattr(uctypes, layout))
    made.x = number
    size = struct.calcsize("<" + CODES[kind])
    raw = buffer[offset : offset + size]
    assert buffer[:offset] + buffer[offset + size :] == b"\xa5" * (16 - size)
    assert int.from_bytes(raw, "big" if layout == "BIG_ENDIAN" else "little") == number % 2 ** (8 * size)
    assert made.x == struct.unpack((">" if layout == "BIG_ENDIAN" else "<") + CODES[kind], raw)[0]


@given(st.integers(0, 31), st.integers(1, 31), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.booleans())
def test_bitfields(position, length, before, number, big):
    uctypes = own_uctypes.build(None, None)
    length = min(length, 32 - position)
    order = "big" if big else "little"
    buffer = bytearray(before.to_bytes(4, order))
    desc = {"b": uctypes.BFUINT32 | 0 | position << uctypes.BF_POS | length << uctypes.BF_LEN}
    made = uctypes.struct(uctypes.addressof(buffer), desc, int(big))
    mask = (1 << length) - 1
    assert made.b == before >> position & mask
    made.b = number
    assert made.b == number & mask
    after = int.from_bytes(buffer, order)
    assert after & ~(mask << position) == before & ~(mask << position)


def test_aggregates(uctypes):
    buffer = bytearray(range(32))
    target = bytearray(b"xyz")
    desc = {
        "sub": (0, {"a": uctypes.UINT8 | 0, "b": uctypes.UINT16 | 1}),
        "bytes": (uctypes.ARRAY | 4, uctypes.UINT8 | 4),
        "words": (uctypes.ARRAY | 8, uctypes.INT16 | 2),
        "subs": (uctypes.ARRAY | 12, 2, {"a": uctypes.UINT8 | 0, "b": uctypes.UINT8 | 1}),
        "ptr": (uctypes.PTR | 16, uctypes.UINT8),
        "ptr2": (uctypes.PTR | 16, {"a": uctypes.UINT8 | 0, "b": uctypes.UINT8 | 1}),
        "f": uctypes.FLOAT32 | 20,
        "d": uctypes.FLOAT64 | 24,
    }
    made = uctypes.struct(uctypes.addressof(buffer), desc, uctypes.LITTLE_ENDIAN)
    assert (made.sub.a, made.sub.b) == (0, 0x201)
    made.sub.a = 255
    assert buffer[0] == 255
    assert made.bytes == b"\4\5\6\7"
    assert made.bytes[1:3] == b"\5\6"
    made.bytes[0] = 0x141
    made.bytes[1:3] = "hi"
    assert made.bytes == bytearray(b"Ahi\7")
    assert (repr(made.bytes), made.bytes.decode(), list(made.bytes), made.bytes + b"!") == (
        "bytearray(b'Ahi\\x07')",
        "Ahi\7",
        [65, 104, 105, 7],
        b"Ahi\7!",
    )
    assert b"hi" in made.bytes
    assert uctypes.sizeof(made.bytes) == len(made.bytes) == 4
    made.words[1] = -2
    assert (made.words[0], made.words[1]) == (0x908, -2)
    assert buffer[10:12] == b"\xfe\xff"
    made.subs[1].b = 9
    assert (made.subs[0].a, made.subs[1].b, buffer[15]) == (12, 9, 9)
    made.ptr = uctypes.addressof(target)
    assert (made.ptr[0], made.ptr[2], made.ptr2[0].b, made.ptr2[1].a) == (ord("x"), ord("z"), ord("y"), ord("z"))
    assert int(made.ptr) == uctypes.addressof(target)
    made.f, made.d = 3.3, 2
    assert (made.f, made.d) == (3.3, 2.0)
    assert repr(made).startswith("<struct STRUCT 3f")
    assert repr(made.ptr).startswith("<struct PTR 3f")
    assert repr(made.words).startswith("<struct ARRAY 3f")


def test_a_structure_is_a_buffer(uctypes):
    buffer = bytearray(b"abcd")
    made = uctypes.struct(uctypes.addressof(buffer), {"x": uctypes.UINT32 | 0})
    assert bytes(made) == buffer_bytes(made) == b"abcd"
    assert uctypes.addressof(made) == uctypes.addressof(buffer)
    memoryview(made).cast("B")[0] = 0
    assert buffer[0] == 0


@pytest.mark.parametrize(
    ("names", "native", "packed"),
    [
        ({}, 0, 0),
        ({"a": ("UINT8", 0)}, 1, 1),
        ({"a": ("UINT8", 0), "b": ("UINT32", 4), "c": ("UINT8", 8)}, 12, 9),
        ({"a": ("UINT64", 0), "b": ("UINT8", 8)}, 16, 9),
        ({"a": ("FLOAT32", 0), "b": ("UINT8", 4)}, 8, 5),
        ({"a": ("BFUINT16", 2)}, 4, 4),
    ],
)
def test_sizeof(uctypes, names, native, packed):
    desc = {name: getattr(uctypes, kind) | offset for name, (kind, offset) in names.items()}
    assert uctypes.sizeof(desc) == native
    assert uctypes.sizeof(desc, uctypes.LITTLE_ENDIAN) == packed
    made = uctypes.struct(uctypes.addressof(bytearray(16)), desc, uctypes.BIG_ENDIAN)
    assert uctypes.sizeof(made) == packed


def test_sizeof_of_aggregates(uctypes):
    inner = {"a": uctypes.UINT32 | 0, "b": uctypes.UINT8 | 4}
    assert uctypes.sizeof({"x": (uctypes.ARRAY | 0, 3, inner)}) == 24
    assert uctypes.sizeof({"x": (uctypes.ARRAY | 0, uctypes.UINT8 | 5)}) == 5
    assert uctypes.sizeof({"x": (uctypes.ARRAY | 0, uctypes.FLOAT32 | 5)}) == 20
    assert uctypes.sizeof({"x": (uctypes.PTR | 4, uctypes.UINT8)}) == 8
    assert uctypes.sizeof({"x": (8, inner)}) == 16
    assert uctypes.sizeof(bytearray(7)) == 7


def test_memory(uctypes):
    buffer, other = bytearray(b"abcdef"), bytearray(b"ghi")
    address = uctypes.addressof(buffer)
    assert uctypes.addressof(buffer) == address != uctypes.addressof(other)
    assert uctypes.addressof(memoryview(buffer)[2:]) == address + 2
    assert uctypes.bytes_at(address + 2, 2) == b"cd"
    part = uctypes.bytearray_at(address + 2, 3)
    part[0] = ord("X")
    assert buffer == b"abXdef"
    buffer[3] = ord("Y")
    assert part == b"XYe"
    assert uctypes.bytes_at(uctypes.addressof("text"), 4) == uctypes.bytes_at(uctypes.addressof(b"text"), 4) == b"text"
    uctypes.addressof(b"")


def test_an_address_lasts_while_it_is_used(uctypes):
    buffer = bytearray(b"abc")
    address = uctypes.addressof(buffer)
    made = uctypes.struct(address, {"x": uctypes.UINT8 | 0})
    for _ in range(3 * _KEPT):
        uctypes.addressof(bytearray(3))
        assert uctypes.addressof(buffer) == address
    for _ in range(3 * _KEPT):
        uctypes.addressof(bytearray(3))
    made.x = 1
    assert buffer[0] == 1


def test_a_register_keeps_what_is_written(uctypes):
    desc = {"out": uctypes.UINT32 | 4}
    assert uctypes.struct(0x3FF44000, desc).out == 0
    uctypes.struct(0x3FF44000, desc).out = 0x11223344
    assert uctypes.bytes_at(0x3FF44004, 4) == b"\x44\x33\x22\x11"


def test_memory_is_the_board_s(make_rig):
    first, second = make_rig().module("uctypes"), make_rig().module("uctypes")
    address = first.addressof(bytearray(b"secret"))
    assert second.bytes_at(address, 6) == bytes(6)
    assert second.addressof(bytearray(6)) == address  # addresses do not depend on other boards


def test_wrong_uses_of_structures(uctypes):
    desc = {"x": uctypes.UINT32 | 0, "y": uctypes.UINT8 | 2, "words": (uctypes.ARRAY | 0, uctypes.UINT16 | 1)}
    short = uctypes.struct(uctypes.addressof(b"abc"), desc)
    assert short.y == ord("c")
    with pytest.raises(ValueError, match="bytes 0 to 3 of a buffer that has 3"):
        _ = short.x
    with pytest.raises(KeyError, match="nosuch"):
        _ = short.nosuch
    with pytest.raises(IndexError, match="index out of range"):
        _ = short.words[1]
    with pytest.raises(TypeError, match="can't index"):
        _ = short[0]
    with pytest.raises(TypeError, match="no fields"):
        _ = short.words.x
    with pytest.raises(TypeError, match="cannot be assigned"):
        short.words = 1
    with pytest.raises(TypeError, match="can't convert float to int"):
        short.y = 1.5
    with pytest.raises(TypeError, match="scalar"):
        uctypes.sizeof(5)
    for desc in ("text", {"x": "y"}):
        with pytest.raises(TypeError, match="syntax error in uctypes descriptor"):
            uctypes.sizeof(desc)
    with pytest.raises(TypeError):
        uctypes.addressof(5)


# deflate and zlib


@given(
    st.binary(max_size=300).map(lambda part: part * 3),
    st.sampled_from([own_deflate.RAW, own_deflate.ZLIB, own_deflate.GZIP]),
    st.sampled_from([0, 5, 8, 9, 12, 15]),
    st.integers(1, 400),
)
def test_what_is_compressed_can_be_read(raw, kind, wbits, piece):
    stream = io.BytesIO()
    with own_deflate.DeflateIO(stream, kind, wbits) as writer:
        writer.write(b"")
        for start in range(0, len(raw), piece):
            assert writer.write(raw[start : start + piece]) == len(raw[start : start + piece])
    compressed = stream.getvalue()
    reader = own_deflate.DeflateIO(io.BytesIO(compressed), kind, wbits)
    assert reader.read() == raw
    assert reader.read(1) == b""
    if kind != own_deflate.RAW:
        assert own_deflate.DeflateIO(io.BytesIO(compressed)).read() == raw
        assert (host_zlib if kind == own_deflate.ZLIB else gzip).decompress(compressed) == raw


@pytest.fixture
def deflate(rig):
    return rig.module("deflate")


TEXT = b"line one\nline two\n" * 20
ZLIB_TEXT = host_zlib.compress(TEXT)


def test_reading_in_parts(deflate):
    stream = io.BytesIO(ZLIB_TEXT + b"rest")
    reader = deflate.DeflateIO(stream)
    assert reader.readline() == b"line one\n"
    assert reader.readline(4) == b"line"
    assert reader.read(3) == b" tw"
    buffer = bytearray(4)
    assert reader.readinto(buffer) == 4
    assert buffer == b"o\nli"
    assert reader.readinto(buffer, 1) == 1
    assert reader.read() == TEXT[9 + 4 + 3 + 4 + 1 :]
    assert reader.readline() == b""
    assert stream.read() == b"rest"


def test_gzip_with_all_headers(deflate):
    header = bytes((0x1F, 0x8B, 8, 31, 0, 0, 0, 0, 0, 3)) + b"\2\0xx" + b"name\0" + b"comment\0" + b"\0\0"
    body = gzip.compress(TEXT, mtime=0)[10:]
    assert deflate.DeflateIO(io.BytesIO(header + body)).read() == TEXT


def far_text():
    part = random.Random(1).randbytes(400)
    return part + part


@pytest.mark.parametrize(
    ("compressed", "kind", "wbits"),
    [
        (b"no stream", 0, 0),
        (ZLIB_TEXT, 3, 0),
        (gzip.compress(TEXT), 2, 0),
        (ZLIB_TEXT[:-1] + b"\0", 0, 0),
        (gzip.compress(TEXT)[:-6] + bytes(6), 0, 0),
        (host_zlib.compress(far_text(), wbits=15), 2, 8),  # refers further back than 256 bytes
        (host_zlib.compress(far_text(), wbits=-15), 1, 0),
    ],
)
def test_bad_streams_are_einval(deflate, compressed, kind, wbits):
    with pytest.raises(OSError) as caught:
        deflate.DeflateIO(io.BytesIO(compressed), kind, wbits).read()
    assert caught.value.errno == 22


def test_what_is_written_fits_its_window(deflate):
    stream = io.BytesIO()
    with deflate.DeflateIO(stream, deflate.RAW) as writer:
        writer.write(far_text())
    assert deflate.DeflateIO(io.BytesIO(stream.getvalue()), deflate.RAW).read() == far_text()


def test_a_window_that_suffices(deflate):
    assert deflate.DeflateIO(io.BytesIO(host_zlib.compress(far_text(), wbits=15)), 2, 9).read() == far_text()


def test_a_stream_that_ends_early(deflate):
    for compressed in (b"", ZLIB_TEXT[:1], ZLIB_TEXT[:10], ZLIB_TEXT[:-2]):
        with pytest.raises(EOFError):
            deflate.DeflateIO(io.BytesIO(compressed)).read()


def test_arguments_and_closing_of_deflateio(deflate):
    for arguments, text in (((4,), "format"), ((-1,), "format"), ((0, 4), "wbits"), ((0, 16), "wbits")):
        with pytest.raises(ValueError, match=f"^{text}$"):
            deflate.DeflateIO(io.BytesIO(), *arguments)
    for closes in (False, True):
        stream = io.BytesIO(ZLIB_TEXT)
        reader = deflate.DeflateIO(stream, deflate.ZLIB, 0, closes)
        reader.close()
        reader.close()
        assert stream.closed is closes
        for call in (reader.read, lambda reader=reader: reader.write(b"x")):
            with pytest.raises(OSError) as caught:
                call()
            assert caught.value.errno == 22


def test_deflateio_reads_a_program_s_stream(rig):
    rig.run(
        f"""
import deflate, io, json
class Source(io.IOBase):
    def __init__(self, content):
        self.content = content
    def readinto(self, buffer):
        part, self.content = self.content[:len(buffer)], self.content[len(buffer):]
        buffer[:len(part)] = part
        return len(part)
print(json.load(deflate.DeflateIO(Source({host_zlib.compress(b'{"a": 1}')!r}))))
"""
    )
    assert rig.lines == ["{'a': 1}"]


def test_zlib(rig):
    zlib = rig.module("uzlib")
    assert zlib.decompress(ZLIB_TEXT) == zlib.decompress(ZLIB_TEXT, 0) == zlib.decompress(bytearray(ZLIB_TEXT), 15, 0)
    assert zlib.decompress(ZLIB_TEXT) == TEXT
    assert zlib.decompress(ZLIB_TEXT[2:-4], -15) == zlib.decompress(gzip.compress(TEXT), 31) == TEXT
    assert zlib.decompress(zlib.compress(TEXT)) == TEXT
    for bad in (b"", b"junk", ZLIB_TEXT[:-1]):
        with pytest.raises(ValueError, match="-3") as caught:
            zlib.decompress(bad)
        assert type(caught.value) is ValueError
    for compressed, wbits in ((ZLIB_TEXT, 0), (ZLIB_TEXT, 15), (ZLIB_TEXT[2:-4], -15), (gzip.compress(TEXT), 31)):
        assert zlib.DecompIO(io.BytesIO(compressed), wbits).read() == TEXT


# RingIO


@given(st.integers(1, 8), st.lists(st.binary(max_size=5) | st.integers(0, 5)))
def test_ringio_is_a_queue_with_a_limit(room, steps):
    ring = RingIO(room)
    model = b""
    for step in steps:
        if isinstance(step, bytes):
            taken = step[: room - len(model)]
            assert ring.write(step) == len(taken)
            model += taken
        else:
            assert ring.read(step) == model[:step]
            model = model[step:]
        assert ring.any() == len(model)
        assert ring.poll_events(5) == (1 if model else 0) | (4 if len(model) < room else 0)
    assert ring.read() == model


def test_ringio_in_a_program(rig):
    rig.run(
        """
import micropython, select
ring = micropython.RingIO(16)
ring.write("one\\ntwo")
poll = select.poll()
poll.register(ring, select.POLLIN)
print(len(poll.poll(0)), ring.readline(), ring.readline(2), ring.readline(), ring.readline(), poll.poll(0))
buffer = bytearray(2)
small = micropython.RingIO(bytearray(4))
print(small.write(b"abcdef"), small.readinto(buffer), bytes(buffer), small.readinto(buffer, 1), small.close())
"""
    )
    assert rig.lines == ["1 b'one\\n' b'tw' b'o' b'' []", "3 2 b'ab' 1 None"]


# viper


@pytest.mark.parametrize(("pointer", "size"), [(ptr8, 1), (ptr16, 2), (ptr32, 4)])
def test_pointers_index_what_they_point_to(pointer, size):
    buffer = bytearray(range(13))
    items = pointer(buffer)
    assert items[2] == int.from_bytes(buffer[2 * size : 3 * size], "little")
    items[1] = -2
    items[0] = 1 << 40 | 7
    assert buffer[: 2 * size] == (7).to_bytes(size, "little") + (2 ** (8 * size) - 2).to_bytes(size, "little")
    assert pointer(pointer(buffer))[1] == 2 ** (8 * size) - 2


def test_a_pointer_needs_a_buffer():
    assert ptr8("A")[0] == 65
    with pytest.raises(TypeError, match="buffer"):
        ptr8(0x3FF44000)


def test_viper_converts_arguments():
    @viper
    def fill(target: ptr16, value: uint, count: int, more="x"):
        for index in range(count):
            target[index] = value
        return value, more

    buffer = bytearray(4)
    assert fill(buffer, -1, 1) == (0xFFFFFFFF, "x")
    assert fill(buffer, 5, 0, "y") == (5, "y")
    assert buffer == b"\xff\xff\0\0"

    def plain(a, b):
        return a + b

    assert viper(plain) is plain


def test_viper_in_a_program(rig):
    rig.run(
        """
import micropython
from micropython import viper
@micropython.viper
def add(target: ptr8, n: int) -> int:
    target[0] = target[0] + n
    return target[0]
@viper
def clear(buffer):
    words = ptr32(buffer)
    words[0] = 0
b = bytearray(b"\\xff\\1\\2\\3\\4")
print(add(b, 2), b)
clear(b)
print(b, uint(-1))
"""
    )
    assert rig.lines == [
        "1 bytearray(b'\\x01\\x01\\x02\\x03\\x04')",
        "bytearray(b'\\x00\\x00\\x00\\x00\\x04') 4294967295",
    ]

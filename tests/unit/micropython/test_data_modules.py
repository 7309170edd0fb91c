"""json, struct, binascii, hashlib, hmac and cryptolib of a board."""

import base64
import hashlib as host_hashlib
import io as host_io
import json as host_json
import struct as host_struct
import zlib as host_zlib
from collections import OrderedDict
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.micropython import binascii as own_binascii
from espnow.micropython import cryptolib as own_cryptolib
from espnow.micropython import json as own_json
from espnow.micropython import struct as own_struct


@pytest.fixture
def json(rig):
    return rig.module("json")


@pytest.fixture
def struct(rig):
    return rig.module("struct")


@pytest.fixture
def binascii(rig):
    return rig.module("binascii")


@pytest.fixture
def hashlib(rig):
    return rig.module("hashlib")


@pytest.fixture
def cryptolib(rig):
    return rig.module("cryptolib")


@pytest.mark.parametrize(
    ("module", "name", "hint"),
    [
        ("json", "JSONDecodeError", "ValueError"),
        ("struct", "error", "ValueError"),
        ("binascii", "Error", "ValueError"),
        ("hashlib", "new", "sha256"),
        ("cryptolib", "MODE_CBC", "2"),
        ("re", "findall", "search"),
        ("collections", "ChainMap", "dict"),
        ("array", "ArrayType", "array.array"),
        ("zlib", "error", "ValueError"),
        ("json", "nosuch", ""),
    ],
)
def test_what_a_board_lacks_is_an_attribute_error_that_tells_what_to_do(rig, module, name, hint):
    with pytest.raises(AttributeError, match=f"module '{module}' of a board has no attribute '{name}'.*{hint}"):
        getattr(rig.module(module), name)


@pytest.mark.parametrize(
    "name", ["array", "binascii", "collections", "deflate", "hashlib", "json", "re", "struct", "zlib"]
)
def test_what_one_board_puts_into_a_module_another_does_not_see(make_rig, name):
    first, second = make_rig(), make_rig()
    first.module(name).mine = 1
    assert not hasattr(second.module(name), "mine")


# json


class Point(NamedTuple):
    x: int
    y: int


class Text(str):
    pass


class Number(int):
    pass


class Odd:
    def __repr__(self):
        return "<odd>"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (-12, "-12"),
        (2.5, "2.5"),
        (float("inf"), "inf"),
        ('a\n\r\t"\\\x00\x08é', '"a\\n\\r\\t\\"\\\\\\u0000\\u0008é"'),
        (b"ab", '"ab"'),
        (b"\xff", '"\ufffd"'),
        ([], "[]"),
        ((1, (2, [3])), "[1, [2, [3]]]"),
        ({}, "{}"),
        ({"a": 1, "b": [None]}, '{"a": 1, "b": [null]}'),
        ({b"k": b"v"}, '{"k": "v"}'),
        ({1: 2, None: 3, False: 4, 2.5: 5}, '{"1": 2, "null": 3, "false": 4, "2.5": 5}'),
        ({(1, "a"): 0}, '{"[1, "a"]": 0}'),
        (OrderedDict(z=1, a=2), '{"z": 1, "a": 2}'),
        (bytearray(b"x"), "bytearray(b'x')"),
        (Point(1, 2), "Point(x=1, y=2)"),
        ({"a": Odd()}, '{"a": <odd>}'),
        ({1}, "{1}"),
        ([Text('"'), Number(3), True], '["\\"", 3, true]'),
    ],
    ids=repr,
)
def test_dumps(json, value, text):
    assert json.dumps(value) == text


def test_dumps_with_separators(json):
    assert json.dumps({"a": [1, 2], 3: 4}, separators=(",", ":")) == '{"a":[1,2],"3":4}'
    assert json.dumps([1, 2], separators=None) == "[1, 2]"
    for options in ({"indent": 1}, {"sort_keys": True}, {"default": str}):
        with pytest.raises(TypeError):
            json.dumps([], **options)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@given(values)
def test_cpython_reads_what_dumps_writes(value):
    text = own_json.dumps(value)
    assert host_json.loads(text, strict=False) == value
    assert own_json.loads(text) == own_json.loads(text.encode()) == value


@given(values)
def test_the_lenient_reader_agrees_with_cpython_s(value):
    for ascii_only in (True, False):
        raw = host_json.dumps(value, ensure_ascii=ascii_only).encode()
        assert own_json._Reader(raw).read() == host_json.loads(raw)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}\0\0\0', {"a": 1}),
        (bytearray(b'{"a": 1}\0junk'), {"a": 1}),
        (memoryview(b"[1]"), [1]),
        ("[1 2,,3]", [1, 2, 3]),
        ('{"a" 1 "b",2}', {"a": 1, "b": 2}),
        ("[1}", [1]),
        ('{"a": 01}', {"a": 1}),
        ("[1.]", [1.0]),
        (r'"\q\u0041\/"', "qA/"),
        ('"a\nb"', "a\nb"),
        ("{1: [2]}", {1: [2]}),
        ("  7 \n", 7),
    ],
)
def test_loads_takes_what_micropython_takes(json, text, value):
    assert json.loads(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "]",
        "a",
        "nul",
        "NaN",
        "[1",
        '{"a": 0,',
        '{"a": 0, [',
        '[0, {"a": 0, ',
        '{{}: "abc"}',
        "[null] a",
        "{} {}",
        '"abc',
        '"\\u12"',
        b"\xff\x00",
        "hello",
        "\0{}",
        "[" * 100_000,
    ],
)
def test_loads_refuses_what_micropython_refuses(json, text):
    with pytest.raises(ValueError, match=r"^syntax error in JSON$") as caught:
        json.loads(text)
    assert type(caught.value) is ValueError
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_other_errors_of_loads(json):
    with pytest.raises(ValueError, match="invalid syntax"):
        json.loads("[1, -]")
    with pytest.raises(UnicodeError):
        json.loads(b'{"a": "\xff"}')
    with pytest.raises(TypeError, match="object with buffer protocol required"):
        json.loads(5)


class Stream:
    """A stream as a program derives it."""

    def __init__(self, content=b""):
        self.content = content
        self.written = []

    def readinto(self, buffer):
        part, self.content = self.content[:3], self.content[3:]
        buffer[: len(part)] = part
        return len(part)

    def write(self, buffer):
        self.written.append(buffer)
        return len(buffer)


def test_load_and_dump_take_any_stream(json, rig):
    io = rig.module("io")

    class Derived(Stream, io.IOBase):
        pass

    for stream in (io.StringIO(), io.BytesIO(), host_io.StringIO(), host_io.BytesIO()):
        json.dump({"é": 1}, stream, separators=(",", ":"))
        stream.seek(0)
        assert json.load(stream) == {"é": 1}
    derived = Derived(b'{"a": [1, 2, 3]} ')
    assert json.load(derived) == {"a": [1, 2, 3]}
    json.dump([1], derived)
    assert derived.written == [b"[1]"]
    plain = Stream()
    json.dump([1], plain)
    assert plain.written == ["[1]"]


# struct


@pytest.mark.parametrize(
    ("form", "size"),
    [
        ("<bI", 5),
        ("bI", 8),
        ("@bI", 8),
        ("=bI", 5),
        ("!bI", 5),
        ("l", 4),
        ("L", 4),
        ("P", 4),
        ("bq", 16),
        ("bd", 16),
        ("bhb", 5),
        ("97sI", 104),
        ("3xH", 6),
        ("2x", 2),
        ("0i", 0),
        ("b0i", 1),
        ("<e", 2),
        ("", 0),
        (b"<H", 2),
    ],
)
def test_calcsize_is_that_of_a_chip_of_32_bits(struct, form, size):
    assert struct.calcsize(form) == size
    assert len(struct.pack(form)) == size


@pytest.mark.parametrize("form", ["<?", "c", "n", "<p", "< b", "b b", "3", "<O", "y"])
def test_formats_that_a_board_does_not_know(struct, form):
    with pytest.raises(ValueError, match="bad typecode"):
        struct.calcsize(form)


def test_a_format_must_be_text(struct):
    with pytest.raises(TypeError):
        struct.pack(1, 2)


INTEGERS = {"b": 8, "B": 8, "h": 16, "H": 16, "i": 32, "I": 32, "l": 32, "L": 32, "q": 64, "Q": 64}


@given(st.sampled_from(sorted(INTEGERS)), st.sampled_from("<>!"), st.integers(-(2**70), 2**70))
def test_pack_cuts_numbers(code, order, number):
    bits = INTEGERS[code]
    packed = own_struct.pack(order + code, number)
    assert int.from_bytes(packed, "little" if order == "<" else "big") == number % 2**bits
    back = own_struct.unpack(order + code, packed)[0]
    assert (back - number) % 2**bits == 0
    assert (back >= 0) or code.islower()


@given(st.data(), st.text("bBhHiIlLqQfd", max_size=6), st.sampled_from("<>"))
def test_pack_is_cpython_s_where_both_can(data, codes, order):
    numbers = [
        data.draw(
            st.floats(allow_nan=False, width=32)
            if code in "fd"
            else st.integers(0, 2 ** (INTEGERS[code] - code.islower()) - 1)
        )
        for code in codes
    ]
    packed = own_struct.pack(order + codes, *numbers)
    assert packed == host_struct.pack(order + codes, *numbers)
    unpacked = own_struct.unpack(order + codes, packed)
    assert own_struct.pack(order + codes, *unpacked) == packed
    for code, number, back in zip(codes, numbers, unpacked, strict=True):
        assert back == number or (code == "f" and back == pytest.approx(number, rel=1e-6))


@given(st.decimals(-9999, 9999, places=2).map(float))
def test_a_float_of_32_bits_comes_back_as_a_board_prints_it(number):
    assert own_struct.unpack("<Bf", own_struct.pack("<Bf", 1, number)) == (1, number)


@pytest.mark.parametrize(
    ("code", "number"),
    [("f", 3.3), ("f", 1e-40), ("f", 3.4028234663852886e38), ("f", float("inf")), ("e", 3.3), ("d", 1 / 3)],
)
def test_short_floats(struct, code, number):
    packed = struct.pack(code, number)
    assert struct.unpack(code, packed)[0] == pytest.approx(number, rel=1e-3)
    assert struct.pack(code, *struct.unpack(code, packed)) == packed
    assert repr(struct.unpack("<2e", struct.pack("<2e", 21.5, 0.1))) == "(21.5, 0.1)"


def test_native_values_are_aligned(struct):
    packed = struct.pack("BHBI", 10, 100, 200, 300)
    assert packed == b"\x0a\0\x64\0\xc8\0\0\0\x2c\x01\0\0"
    assert struct.unpack("BHBI", packed) == (10, 100, 200, 300)


@pytest.mark.parametrize(
    ("form", "given_values", "packed"),
    [
        ("<ii", (1,), b"\1\0\0\0\0\0\0\0"),
        ("<ii", (), bytes(8)),
        ("<b", (1, 2, 3), b"\1"),
        ("<4s", ("ab",), b"ab\0\0"),
        ("<4s", (bytearray(b"abcdef"),), b"abcd"),
        ("<2sB", ("é",), "é".encode() + b"\0"),
        ("<B", (True,), b"\1"),
        ("<Bx2B", (1, 2, 3), b"\1\0\2\3"),
        ("<f", (1,), b"\0\0\x80\x3f"),
        ("<f", (1e300,), b"\0\0\x80\x7f"),
    ],
)
def test_pack_takes_what_comes(struct, form, given_values, packed):
    assert struct.pack(form, *given_values) == packed


@pytest.mark.parametrize(("form", "value"), [("<h", 1.5), ("<h", "1"), ("<h", None), ("<f", "1"), ("<4s", 5)])
def test_pack_refuses_wrong_types(struct, form, value):
    with pytest.raises(TypeError) as caught:
        struct.pack(form, value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_unpack_takes_longer_buffers_and_text(struct):
    assert struct.unpack("<H", b"\1\2\3\4") == (0x201,)
    assert struct.unpack("<2s", "abc") == (b"ab",)
    assert struct.unpack("<H", bytearray(b"\1\2")) == struct.unpack("<H", memoryview(b"\1\2")) == (0x201,)
    assert struct.unpack("<I", b"\xff\xff\xff\xff") == (2**32 - 1,)
    with pytest.raises(ValueError, match="buffer too small"):
        struct.unpack("<H", b"\1")
    with pytest.raises(TypeError):
        struct.unpack("<H", 5)


@pytest.mark.parametrize(("offset", "byte"), [(4, "4"), (-4, "6"), (9, "9"), (-10, "0"), (10, None), (-11, None)])
def test_offsets(struct, offset, byte):
    digits = b"0123456789"
    buffer = bytearray(digits)
    if byte is None:
        with pytest.raises(ValueError, match="buffer too small"):
            struct.unpack_from("<b", digits, offset)
        with pytest.raises(ValueError, match="buffer too small"):
            struct.pack_into("<b", buffer, offset, 0)
        assert buffer == digits
    else:
        assert struct.unpack_from("<b", digits, offset) == (ord(byte),)
        struct.pack_into("<B", buffer, offset, 0x141)
        assert buffer == digits.replace(byte.encode(), b"A")


def test_pack_into_needs_a_buffer_that_can_be_written(struct):
    for buffer in (b"1234", "1234"):
        with pytest.raises(TypeError):
            struct.pack_into("<b", buffer, 0, 1)


# binascii


@given(st.binary())
def test_bytes_as_text_and_back(raw):
    assert own_binascii.unhexlify(own_binascii.hexlify(raw)) == raw
    assert own_binascii.hexlify(raw, "-") == raw.hex("-").encode()
    assert own_binascii.b2a_base64(raw) == base64.b64encode(raw) + b"\n"
    assert own_binascii.b2a_base64(raw, newline=False) == own_binascii.b2a_base64(raw, False) == base64.b64encode(raw)
    assert own_binascii.a2b_base64(own_binascii.b2a_base64(raw)) == raw
    assert own_binascii.crc32(raw) == host_zlib.crc32(raw)
    assert own_binascii.crc32(raw[3:], own_binascii.crc32(raw[:3])) == host_zlib.crc32(raw)


def test_hexlify(binascii):
    mac = bytes.fromhex("18fe3400ab04")
    assert binascii.hexlify(mac, ":") == binascii.hexlify(bytearray(mac), b":") == b"18:fe:34:00:ab:04"
    assert binascii.hexlify(mac, ", ") == b"18,fe,34,00,ab,04"
    assert binascii.hexlify("AB") == b"4142"
    assert binascii.hexlify(b"", ":") == b""
    assert binascii.unhexlify("18fe") == binascii.unhexlify(b"18FE") == b"\x18\xfe"


@pytest.mark.parametrize("digits", ["0", "gg", "1 2 ", "18:fe", "é"])
def test_unhexlify_refuses(binascii, digits):
    with pytest.raises(ValueError, match=r"odd-length string|non-hex digit") as caught:
        binascii.unhexlify(digits)
    assert type(caught.value) is ValueError


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("Zm9v", b"foo"),
        ("Zg==", b"f"),
        (b"Zm8=", b"fo"),
        ("Zm 9\nv?", b"foo"),
        ("Zg==Zg==", b"f"),
        ("", b""),
        ("Zg", None),
        ("Zg=", None),
        ("Z", None),
        ("Zg=a=", b"f\x06"),
    ],
)
def test_a2b_base64(binascii, text, raw):
    if raw is None:
        with pytest.raises(ValueError, match="incorrect padding") as caught:
            binascii.a2b_base64(text)
        assert type(caught.value) is ValueError
    else:
        assert binascii.a2b_base64(text) == raw


def test_crc_of_text(binascii):
    assert binascii.crc32("123456789") == 0xCBF43926


# hashlib and hmac


@pytest.mark.parametrize("name", ["sha256", "sha1", "md5"])
def test_hashes(hashlib, name):
    expected = host_hashlib.new(name, b"abcdef").digest()
    made = getattr(hashlib, name)("abc")
    assert made.update(bytearray(b"def")) is None
    assert made.digest() == expected
    for call in (made.digest, lambda: made.update(b"")):
        with pytest.raises(ValueError, match="hash is final"):
            call()
    assert getattr(hashlib, name)().digest() == host_hashlib.new(name).digest()


def test_a_hash_has_no_hexdigest(hashlib):
    with pytest.raises(AttributeError, match=r"'sha256' object has no attribute 'hexdigest': use binascii.hexlify"):
        hashlib.sha256(b"").hexdigest()


def test_an_esp8266_has_no_md5(make_rig):
    hashlib = make_rig("esp8266").module("hashlib")
    assert hashlib.sha1(b"").digest()
    with pytest.raises(AttributeError, match="md5"):
        hashlib.md5(b"")


def test_hmac(rig, hashlib):
    hmac = rig.module("hmac")
    # RFC 4231, case 2.
    for digest in (hashlib.sha256, "sha256"):
        code = hmac.new("Jefe", b"what do ya want ", digest)
        code.update(b"for nothing?")
        assert code.hexdigest() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    with pytest.raises(TypeError):
        hmac.new(b"key")


# cryptolib

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
IV = bytes(range(16))
COUNTER = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")


@pytest.mark.parametrize(
    ("mode", "iv", "cipher"),
    [  # NIST SP 800-38A, F.1.1, F.2.1, F.5.1
        (1, None, "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"),
        (2, IV, "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"),
        (6, COUNTER, "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"),
    ],
)
def test_aes(cryptolib, mode, iv, cipher):
    arguments = (KEY, mode) if iv is None else (KEY, mode, iv)
    expected = bytes.fromhex(cipher)
    assert cryptolib.aes(*arguments).encrypt(PLAIN) == expected
    assert cryptolib.aes(*arguments).decrypt(expected) == PLAIN
    in_parts = cryptolib.aes(*arguments)
    assert in_parts.encrypt(PLAIN[:16]) + in_parts.encrypt(PLAIN[16:]) == expected
    buffer = bytearray(PLAIN + b"rest")
    made = cryptolib.aes(*arguments)
    assert made.encrypt(memoryview(buffer)[:32], buffer) is buffer
    assert buffer == expected + b"rest"
    with pytest.raises(ValueError, match="can't encrypt & decrypt"):
        made.decrypt(PLAIN)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=99))
def test_counter_mode_takes_any_length(key, plain):
    first = own_cryptolib.aes(key, 6, IV)
    assert own_cryptolib.aes(key, 6, IV).decrypt(first.encrypt(plain[:7]) + first.encrypt(plain[7:])) == plain


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((KEY, 3), "^mode$"),
        ((KEY[:15], 1), "^key$"),
        ((KEY + KEY[:8], 1), "^key$"),
        ((KEY, 2), "^IV$"),
        ((KEY, 6), "^IV$"),
        ((KEY, 2, b"short"), "^IV$"),
        ((KEY, 1, b"short"), "^IV$"),
    ],
)
def test_aes_refuses(cryptolib, arguments, text):
    with pytest.raises(ValueError, match=text):
        cryptolib.aes(*arguments)


def test_aes_refuses_lengths(cryptolib):
    with pytest.raises(ValueError, match="blksize % 16"):
        cryptolib.aes(KEY, 1).encrypt(b"short")
    with pytest.raises(ValueError, match="output too small"):
        cryptolib.aes(KEY, 1).encrypt(bytes(32), bytearray(16))
    with pytest.raises(TypeError):
        cryptolib.aes(KEY, 1).encrypt(bytes(16), bytes(16))
    assert cryptolib.aes("k" * 16, 1).encrypt("p" * 16) == cryptolib.aes(b"k" * 16, 1).encrypt(b"p" * 16)


# logging into a file


def test_logging_into_a_file(rig):
    rig.run(
        """
import logging
logging.basicConfig(filename="log.txt", level=logging.INFO, format="%(levelname)s %(message)s")
logging.info("started")
log = logging.getLogger("net")
log.addHandler(logging.FileHandler("net.txt", "w"))
log.warning("lost %d", 3)
logging.shutdown()
print(open("log.txt").read(), open("net.txt").read(), logging.getLogger("net") is log)
try:
    logging.basicConfig(filename="a", stream=1)
except ValueError as error:
    print(error)
"""
    )
    assert rig.lines == [
        "INFO started",
        " WARNING:net:lost 3",
        " False",
        "can only set one of 'filename', 'stream' or 'handlers'",
    ]

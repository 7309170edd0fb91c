"""Decoders: what a TOML text describes against struct and known layouts of a board, and what it refuses."""

from __future__ import annotations

import json
import math
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from espnow.errors import FrameError
from espnow.frame.decoders import Decoded, Decoders, FieldValue
from espnow.frame.text import message_text, printable

EXAMPLE = Path(__file__).parents[3] / "examples" / "decoders" / "weather.toml"

SENDER = bytes.fromhex("30aaaaaaaaaa")
EVERYBODY = b"\xff" * 6

SIZES = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "e": 2, "i": 4, "I": 4, "l": 4, "L": 4, "f": 4, "q": 8, "Q": 8, "d": 8}

NAN = math.nan
INF = math.inf


def toml(value: Any) -> str:
    """Return a value as TOML writes it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def message(form: Any, fields: Any, name: Any = "m", **keys: Any) -> str:
    """Return the text of one decoder."""
    table = {"name": name, "struct": form, "fields": fields} | keys
    return "[[message]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in table.items())


def decode(text: str, content: bytes, source: bytes = SENDER, destination: bytes = EVERYBODY) -> Decoded | None:
    return Decoders.from_toml(text).decode(content, source=source, destination=destination)


def values(form: str, content: bytes, **field: Any) -> list[Any]:
    """Return the values of a format whose fields are all described alike."""
    count = next(count for count in range(99) if loads(message(form, [{"name": f"f{n}"} for n in range(count)])))
    fields = [{"name": f"f{number}"} | field for number in range(count)]
    decoded = decode(message(form, fields), content)
    assert decoded is not None
    return [value for _, value, _ in decoded.fields]


def loads(text: str | bytes) -> bool:
    try:
        Decoders.from_toml(text)
    except FrameError:
        return False
    return True


# Layouts: a format, the bytes as an ESP32 has them, the values.
LAYOUTS: list[tuple[str, str, list[Any]]] = [
    # Aligned as a C compiler for ESP32 and as MicroPython does without a mark.
    ("BH", "01 00 0302", [1, 0x0203]),
    ("@BH", "01 00 0302", [1, 0x0203]),
    ("BI", "01 000000 05040302", [1, 0x02030405]),
    ("Bq", "01 00000000000000 feffffffffffffff", [1, -2]),
    ("BQ", "01 00000000000000 0100000000000080", [1, 0x8000000000000001]),
    ("Bd", "01 00000000000000 000000000000f03f", [1, 1.0]),
    ("Bf", "01 000000 0000ac41", [1, 21.5]),
    ("Be", "01 00 003c", [1, 1.0]),
    ("Bl", "01 000000 ffffffff", [1, -1]),
    ("BL", "01 000000 ffffffff", [1, 0xFFFFFFFF]),
    ("B2H", "01 00 0200 0300", [1, 2, 3]),
    ("3sH", "414243 00 0100", ["ABC", 1]),
    ("H3sB", "0100 414243 02", [1, "ABC", 2]),
    ("BxxB", "01 0000 02", [1, 2]),
    ("BxH", "01 00 0200", [1, 2]),
    ("B?H", "01 01 0200", [1, True, 2]),
    ("IB", "01000000 02", [1, 2]),  # nothing after the last value
    ("IBB2x", "01000000 02 03 0000", [1, 2, 3]),
    ("hBi", "ffff 02 00 fdffffff", [-1, 2, -3]),
    # struct { char a[32]; int b; float c; bool d; }
    ("32sif?3x", "68692121".ljust(64, "0") + "05000000 9a99993f 01 000000", ["hi!!", 5, 1.2, True]),
    # Packed.
    ("<BH", "01 0302", [1, 0x0203]),
    ("=BH", "01 0302", [1, 0x0203]),
    (">BH", "01 0203", [1, 0x0203]),
    ("!BH", "01 0203", [1, 0x0203]),
    ("<BHIQ", "01 0200 03000000 0400000000000000", [1, 2, 3, 4]),
    ("<bhiq", "ff ffff ffffffff ffffffffffffffff", [-1, -1, -1, -1]),
    ("< B H  2b", "01 0200 03 ff", [1, 2, 3, -1]),
    (">f d", "41ac0000 3ff0000000000000", [21.5, 1.0]),
    ("<0002B", "01 02", [1, 2]),
    ("?", "02", [True]),
    ("s", "41", ["A"]),
    ("2s3s", "4142 434445", ["AB", "CDE"]),
    # Text where it can be read.
    ("4s", "41000000", ["A"]),
    ("4s", "00000000", [""]),
    ("4s", "41004200", [b"A\0B\0"]),
    ("4s", "c2b04300", ["°C"]),
    ("2s", "41c2", [b"A\xc2"]),
    ("4s", "411b5b4a", [b"A\x1b[J"]),
    ("4s", "41e280ae", [b"A\xe2\x80\xae"]),
    # Floats.
    ("<f", "cdcccc3d", [0.1]),
    ("<f", "ffff7f7f", [3.4028235e38]),
    ("<f", "01000000", [1.4013e-45]),
    ("<e", "662e", [0.1]),
    ("<e", "ff7b", [65500.0]),
    ("<d", "9a9999999999b93f", [0.1]),
    ("<d", "343333333333d33f", [0.30000000000000004]),
    ("<2f", "0000807f 000080ff", [INF, -INF]),
]


@pytest.mark.parametrize(("form", "content", "expected"), LAYOUTS, ids=lambda value: str(value)[:30])
def test_layout(form: str, content: str, expected: list[Any]) -> None:
    found = values(form, bytes.fromhex(content))
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_not_a_number() -> None:
    for form in "efd":
        [value] = values(f"<{form}", struct.pack(f"<{form}", NAN))
        assert math.isnan(value)
        for field in ({"scale": 0.5}, {"scale": 2, "offset": 1}):
            [value] = values(f"<{form}", struct.pack(f"<{form}", NAN), **field)
            assert math.isnan(value)


@pytest.mark.skipif(sys.byteorder != "little" or struct.calcsize("@Bq") != 16, reason="a host unlike the board")
@given(st.text(alphabet="bB?hHeiIfqQdx", min_size=1, max_size=12))
def test_alignment_is_that_of_a_like_host(form: str) -> None:
    size = struct.calcsize(f"@{form}")
    count = len(form.replace("x", ""))
    fields = [f"f{number}" for number in range(count)]
    content = struct.pack(f"@{form}", *range(1, count + 1))
    decoded = decode(message(form, fields), content)
    assert decoded is not None
    assert len(content) == size
    assert decoded.rest == b""
    assert [value for _, value, _ in decoded.fields] == list(struct.unpack(f"@{form}", content))


@st.composite
def packed(draw: st.DrawFn) -> tuple[str, bytes, list[Any]]:
    """A format, bytes that fit it, and its values, by an independent reader."""
    mark = draw(st.sampled_from(["", "@", "<", ">", "!", "="]))
    order = "big" if mark in (">", "!") else "little"
    form, content, expected = mark, b"", []
    for code in draw(st.lists(st.sampled_from("bBhHiIlLqQx?"), min_size=1, max_size=20)):
        size = SIZES.get(code, 1)
        if mark in ("", "@"):
            content += bytes(draw(st.integers(0, 255)) for _ in range(-len(content) % size))
        part = draw(st.binary(min_size=size, max_size=size))
        form += code
        content += part
        if code == "?":
            expected.append(part != b"\0")
        elif code != "x":
            expected.append(int.from_bytes(part, order, signed=code.islower()))
    return form, content, expected


@given(packed(), st.data())
def test_values_and_hidden_values(sample: tuple[str, bytes, list[Any]], data: st.DataObject) -> None:
    form, content, expected = sample
    hidden = [data.draw(st.booleans()) for _ in expected]
    fields = [data.draw(st.sampled_from(["", "_"])) if hide else f"f{n}" for n, hide in enumerate(hidden)]
    decoded = decode(message(form, fields), content)
    assert decoded is not None
    assert decoded.name == "m"
    assert decoded.fields == tuple(
        FieldValue(f"f{n}", value, "") for n, (value, hide) in enumerate(zip(expected, hidden, strict=True)) if not hide
    )


@given(st.integers(0, 2**32 - 1))
@example(0x7F7FFFFF)
@example(0x7F7F7BFF)  # the greatest half
@example(0xFF8003FF)
@example(0xFFFFFFFF)
@example(1)
def test_a_float_is_the_shortest_that_is_the_same(bits: int) -> None:
    for code, content in (("<f", struct.pack("<I", bits)), (">e", struct.pack(">H", bits & 0xFFFF))):
        [value] = values(code, content)
        [exact] = struct.unpack(code, content)
        if math.isnan(exact):
            assert math.isnan(value)
        else:
            assert struct.pack(code, value) == content
            assert len(repr(value)) <= len(repr(exact))


# Scaling: format, value in the message, keys, what comes out.
SCALED: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("<h", 2153, {"scale": 0.01}, 21.53),
    ("<h", -2153, {"scale": 0.01}, -21.53),
    ("<h", 2100, {"scale": 0.01}, 21.0),
    ("<h", 3, {"scale": 0.1}, 0.3),
    ("<h", 61, {"scale": 0.5, "offset": -40.0}, -9.5),
    ("<h", 1, {"scale": 0.1, "offset": 0.02}, 0.12),
    ("<h", 7, {"offset": 0.125}, 7.125),
    ("<h", 7, {"offset": -40}, -33),
    ("<h", 7, {"scale": 10}, 70),
    ("<h", 7, {"scale": 10, "offset": 3}, 73),
    ("<h", 7, {"scale": -1.0}, -7.0),
    ("<h", 7, {"scale": 100.0}, 700.0),
    ("<h", 3, {"scale": 0.0625}, 0.1875),
    ("<h", 3, {"scale": 1e-7}, 3e-7),
    ("<h", 2, {"scale": 1e300}, 2e300),
    ("<Q", 2**64 - 1, {"scale": 1e300}, INF),
    ("<Q", 2**64 - 1, {"scale": 2**63 - 1}, (2**64 - 1) * (2**63 - 1)),
    ("<H", 5, {"scale": 5e-324}, 2.5e-323),
    ("<f", 21.5, {"scale": 0.1}, 2.15),
    ("<f", 0.1, {"scale": 0.01}, 0.001),
    ("<f", 0.1, {"offset": 0.2}, 0.3),
    ("<f", 1.2345, {"scale": 0.1}, 0.12345),
    ("<d", 0.1, {"scale": 3}, 0.3),
    ("<d", 1e308, {"scale": 1e10}, INF),
    ("<e", 0.1, {"scale": 2}, 0.2),
]


@pytest.mark.parametrize(("form", "raw", "keys", "expected"), SCALED, ids=repr)
def test_scaling(form: str, raw: Any, keys: dict[str, Any], expected: Any) -> None:
    [value] = values(form, struct.pack(form, raw), **keys)
    assert value == expected
    assert type(value) is type(expected)


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 6))
def test_decimal_scale_moves_the_point(raw: int, digits: int) -> None:
    [value] = values("<i", struct.pack("<i", raw), scale=float(f"1e-{digits}"))
    assert value == float(f"{raw}e-{digits}")


def test_names_of_numbers() -> None:
    names = {"0": "off", "0x01": "on", "-1": "broken"}
    assert values("<3b", b"\0\1\xff", values=names) == ["off", "on", "broken"]
    assert values("<2b", b"\2\1", values=names, scale=0.5) == [1.0, "on"]
    assert values("<2?", b"\0\7", values={"0": "off", "1": "on"}) == ["off", "on"]
    assert values("<B", b"\xff", values={"0xff": "no sensor"}) == ["no sensor"]
    assert values("<2Q", b"\xff" * 15 + b"\x7f", values={str(2**64 - 1): "max"}) == ["max", 2**63 - 1]
    assert values("<2q", b"\xff" * 7 + b"\x7f" + b"\0" * 7 + b"\x80", values={str(-(2**63)): "min"}) == [
        2**63 - 1,
        "min",
    ]


def test_hex_is_never_text() -> None:
    assert values("<6s", b"abcdef", hex=True) == [b"abcdef"]
    assert values("<6s", b"abcdef", hex=False) == ["abcdef"]


# How a value is shown, in a line and in JSON.
SHOWN: list[tuple[Any, str, str, Any]] = [
    (21.5, "°C", "21.5 °C", 21.5),
    (21.5, "", "21.5", 21.5),
    (40, "%", "40 %", 40),
    (True, "", "true", True),
    (False, "", "false", False),
    (NAN, "", "nan", "nan"),
    (INF, "V", "inf V", "inf"),
    (-INF, "", "-inf", "-inf"),
    ("kitchen", "", "kitchen", "kitchen"),
    ("küche-2.1", "", "küche-2.1", "küche-2.1"),
    ("no sensor", "V", '"no sensor"', "no sensor"),
    ("", "", '""', ""),
    ("21", "", '"21"', "21"),
    ("a b=1", "", '"a b=1"', "a b=1"),
    ('"\\', "", '"\\"\\\\"', '"\\'),
    ("\x1b[2J\n", "", '"\\x1b[2J\\n"', "\x1b[2J\n"),
    ("\u202eevil", "", '"\\u202eevil"', "\u202eevil"),
    (b"\x00\xff", "", "0x00ff", "00ff"),
]


@pytest.mark.parametrize(("value", "unit", "text", "in_json"), SHOWN, ids=repr)
def test_shown(value: Any, unit: str, text: str, in_json: Any) -> None:
    field = FieldValue("f", value, unit)
    assert field.text() == text
    found = Decoded("m", (field,), b"\1\2")
    assert str(found) == f"m f={text} +0102"
    assert found.as_dict() == {"name": "m", "fields": {"f": in_json}, "rest": "0102"}
    json.dumps(found.as_dict(), allow_nan=False)


def test_line() -> None:
    fields = ["_", {"name": "temperature", "unit": "°C", "scale": 0.01}, {"name": "humidity", "unit": "%"}]
    found = decode(message("<BhB", fields, name="weather"), bytes.fromhex("ff 6608 28"))
    assert found is not None
    assert str(found) == "weather temperature=21.5 °C humidity=40 %"
    assert found.as_dict() == {"name": "weather", "fields": {"temperature": 21.5, "humidity": 40}, "rest": ""}


# Matching: keys, length of the message of zero bytes but for what it begins with, whether it is taken.
MATCHED: list[tuple[dict[str, Any], bytes, bool]] = [
    ({}, b"\0" * 4, True),
    ({}, b"\0" * 3, False),
    ({}, b"\0" * 5, False),
    ({}, b"", False),
    ({"length": 4}, b"\0" * 4, True),
    ({"length": 6}, b"\0" * 4, False),
    ({"length": 6}, b"\0" * 6, True),
    ({"length": [4, 6]}, b"\0" * 4, True),
    ({"length": [4, 6]}, b"\0" * 5, False),
    ({"length": [6, 4, 6]}, b"\0" * 6, True),
    ({"length": {"min": 4}}, b"\0" * 4, True),
    ({"length": {"min": 5}}, b"\0" * 4, False),
    ({"length": {"min": 5}}, b"\0" * 1470, True),
    ({"length": {"min": 5}}, b"\0" * 1471, False),
    ({"length": {"max": 6}}, b"\0" * 4, True),
    ({"length": {"max": 6}}, b"\0" * 6, True),
    ({"length": {"max": 6}}, b"\0" * 7, False),
    ({"length": {"min": 5, "max": 5}}, b"\0" * 5, True),
    ({"length": 1470}, b"\0" * 1470, True),
    ({"starts_with": {"hex": "57 01"}}, b"W\1\0\0", True),
    ({"starts_with": {"hex": "57:0A"}}, b"W\x0a\0\0", True),
    ({"starts_with": {"hex": "570100ff"}}, b"W\1\0\xff", True),
    ({"starts_with": {"hex": "57 01"}}, b"W\2\0\0", False),
    ({"starts_with": {"text": "57"}}, b"57\0\0", True),
    ({"starts_with": {"text": "°"}}, b"\xc2\xb0\0\0", True),
    ({"starts_with": {"text": "W"}}, b"\0W\0\0", False),
    ({"starts_with": {"text": "WXYZA"}, "length": 6}, b"WXYZA\0", True),
    ({"source": "30:aa:aa:aa:aa:aa"}, b"\0" * 4, True),
    ({"source": "30-AA-AA-AA-AA-AA"}, b"\0" * 4, True),
    ({"source": "30:aa:aa:aa:aa:ab"}, b"\0" * 4, False),
    ({"source": ["30:aa:aa:aa:aa:ab", "30:aa:aa:aa:aa:aa"]}, b"\0" * 4, True),
    ({"source": "30:aa:*"}, b"\0" * 4, True),
    ({"source": "30:*"}, b"\0" * 4, True),
    ({"source": "30:aa:aa:aa:aa:*"}, b"\0" * 4, True),
    ({"source": "31:*"}, b"\0" * 4, False),
    ({"source": "ff:ff:ff:ff:ff:ff"}, b"\0" * 4, False),
    ({"destination": "ff:ff:ff:ff:ff:ff"}, b"\0" * 4, True),
    ({"destination": "30:aa:aa:aa:aa:aa"}, b"\0" * 4, False),
    ({"destination": "ff:*", "source": "30:*"}, b"\0" * 4, True),
    ({"destination": "ff:*", "source": "31:*"}, b"\0" * 4, False),
    ({"destination": "30:*", "source": "30:*"}, b"\0" * 4, False),
    ({"destination": "ff:*", "source": "30:*", "starts_with": {"text": "x"}}, b"\0" * 4, False),
]


@pytest.mark.parametrize(("keys", "content", "taken"), MATCHED, ids=lambda value: str(value)[:60])
def test_matching(keys: dict[str, Any], content: bytes, taken: bool) -> None:
    found = decode(message("<I", ["f"], **keys), content)
    assert (found is not None) == taken
    if found is not None:
        assert found.fields == (FieldValue("f", int.from_bytes(content[:4], "little"), ""),)
        assert found.rest == content[4:]


def test_the_first_that_takes_it() -> None:
    text = (
        message("<2sH", ["_", "a"], name="one", starts_with={"text": "A"})
        + message("<I", ["b"], name="two", length={"max": 8})
        + message("<i", ["c"], name="three")
        + message("<Q", ["d"], name="four")
    )
    decoders = Decoders.from_toml(text)
    assert decoders.names == ("one", "two", "three", "four")

    def name(content: bytes) -> str | None:
        found = decoders.decode(content, source=SENDER, destination=EVERYBODY)
        return None if found is None else found.name

    assert [name(content) for content in (b"AB12", b"BB12", b"A1234567", b"A", b"A" * 9)] == [
        "one",
        "two",
        "two",
        None,
        None,
    ]


def test_without_decoders() -> None:
    assert Decoders().names == ()
    assert Decoders().decode(b"x", source=SENDER, destination=EVERYBODY) is None


def test_a_file_of_windows() -> None:
    text = b"\xef\xbb\xbf" + message("<B", [{"name": "f", "unit": "°C"}]).replace("\n", "\r\n").encode()
    assert decode(text.decode("utf-8-sig"), b"\1") == Decoders.from_toml(text).decode(
        b"\1", source=SENDER, destination=EVERYBODY
    )


def test_the_example() -> None:
    decoders = Decoders.from_toml(EXAMPLE.read_bytes())
    assert decoders.names == ("weather", "door", "tank")
    tank = b"cellar".ljust(12, b"\0") + b"abcdef" + bytes(2) + struct.pack("<f?3x", 1.1, True) + b"\1"
    for content, line in (
        (struct.pack("<2sBhHI", b"WX", 1, 2153, 40, 9), "weather version=1 temperature=21.53 °C humidity=40 % up=9 s"),
        (struct.pack("<BB?H", 0xD0, 1, False, 2987), "door state=open battery_low=no battery=2.987 V"),
        (tank, "tank label=cellar id=0x616263646566 level=1.1 cm pump=true +01"),
    ):
        assert str(decoders.decode(content, source=SENDER, destination=EVERYBODY)) == line


def field(keys: str, form: str = "<B") -> str:
    return f'[[message]]\nname = "m"\nstruct = "{form}"\nfields = [{{name = "f", {keys}}}]\n'


def with_key(line: str) -> str:
    return f'[[message]]\nname = "m"\nstruct = "<I"\nfields = ["f"]\n{line}'


def with_struct(form: str) -> str:
    return f'[[message]]\nname = "m"\nstruct = "{form}"\nfields = ["f"]\n'


WHERE = 'decoder "m": '
FIELD = 'decoder "m": field 1 (f): '

MISTAKES: list[tuple[str | bytes, str]] = [
    # The text.
    ("", "no decoder; write [[message]] before each"),
    ("# nothing", "no decoder; write"),
    ("message = []", "no decoder; write"),
    ("[[message]]\nname = ?", "line 2, column 8: no TOML: "),
    ("a = ", "end of the file: no TOML: "),
    ("[[message", "end of the file: no TOML: "),
    (b"\n\na = '\xff'", "line 3: no UTF-8; save the file as UTF-8"),
    (b"\x1b", "line 1, column 1: no TOML: Invalid statement"),
    ("a = 1\na = 2", "no TOML: Cannot overwrite a value"),
    ("'\x1b\u202e' = 1", "line 1, column 2: no TOML: "),
    ("'\u202e' = 1", '"\\u202e" is no key; the keys are message'),
    ("a = " + "9" * 5000, "an integer of thousands of digits"),
    ("a = " + "[" * 100_000, "nested too deep"),
    ("a = " + "{a=" * 100_000, "nested too deep"),
    ("\n" + ".".join("a" * 17) + " = 1", "line 2: more than 16 parts joined by dots"),
    (" " * (1 << 20) + "#", "more than 1048576 bytes"),
    (b" " * (1 << 20) + b"#", "more than 1048576 bytes"),
    # The decoders.
    ('[[mesage]]\nname = "m"', '"mesage" is no key; did you mean message?'),
    ('[message]\nname = "m"', "message: is one table; write [[message]], with two brackets"),
    ("message = 1", "message: is an integer; write [[message]]"),
    ("message = [1]", "decoder 1: is an integer; write [[message]]"),
    ("[[message]]\n" * 1001, "1001 decoders, more than 1000"),
    ("[[message]]\n", "decoder 1: has no name; write name = ..."),
    ('[[message]]\nname = "m"', WHERE + "has no struct; write struct = ..."),
    ('[[message]]\nname = "m"\nstruct = "B"', WHERE + "has no fields; write"),
    (message("B", ["f"]) + message("B", ["f"]), 'decoder 2: name: "m" is also decoder 1\'s; names differ'),
    (message("B", ["f"], name=""), 'decoder 1: name: "" is not 1..64 printable characters'),
    (message("B", ["f"], name="a b"), 'decoder 1: name: "a b" is not'),
    (message("B", ["f"], name="a\x1b"), 'decoder 1: name: "a\\x1b" is not'),
    (message("B", ["f"], name="a\u202e"), 'decoder 1: name: "a\\u202e" is not'),
    (message("B", ["f"], name="a" * 65), "is not 1..64 printable"),
    ("[[message]]\nname = 1\nstruct = 'B'\nfields = ['f']", "decoder 1: name: is an integer; write a string"),
    # Unknown keys.
    (with_key('sorce = "x"'), WHERE + '"sorce" is no key; did you mean source?'),
    (
        with_key('zzz = "x"'),
        WHERE + '"zzz" is no key; the keys are name, address, source, destination, length',
    ),
    (with_key(f"{'z' * 1000} = 1"), "z..." + '" is no key; the keys are name'),
    (field("units = 'V'"), FIELD + '"units" is no key; did you mean unit?'),
    (with_key("length = {mim = 4}"), WHERE + 'length: "mim" is no key; did you mean min?'),
    (with_key("starts_with = {txt = 'W'}"), WHERE + 'starts_with: "txt" is no key; did you mean text?'),
    # Addresses.
    (with_key("source = 1"), WHERE + 'source: is an integer; write "aa:bb:cc:dd:ee:ff"'),
    (with_key("source = [1]"), WHERE + "source: is an integer"),
    (with_key("source = []"), WHERE + "source: is empty; leave it out"),
    (with_key("destination = 'x'"), WHERE + 'destination: "x" is no address; write'),
    (with_key("destination = [[]]"), WHERE + "destination: is an array; write"),
    *(
        (with_key(f"source = '{text}'"), WHERE + f'source: "{text}" is no address; write')
        for text in (
            "",
            "*",
            ":*",
            "30",
            "30:aa",
            "30:a:*",
            "30:aa:aa:aa:aa:aa:aa",
            "30:aa:aa:aa:aa:aa:*",
            "30:aa-aa:aa:aa:aa",
            "30aaaaaaaaaa",
            "30:aa:aa:aa:aa:ag",
            "30:aa*",
            "30: a:aa:aa:aa:aa",
            "٣0:aa:aa:aa:aa:aa",
        )
    ),
    (with_key("source = '30:aa:aa:aa:aa:aa\\n'".replace("'", '"')), 'source: "30:aa:aa:aa:aa:aa\\n" is no address'),
    # Lengths.
    (with_key("length = 3"), WHERE + "length: is less than the 4 bytes of struct, so it would never match"),
    (with_key("length = [4, 3]"), WHERE + "length: is less than the 4 bytes of struct"),
    (with_key("length = {max = 3}"), WHERE + "length: max: is less than the 4 bytes"),
    (with_key("length = {min = 3}"), WHERE + "length: min: is less than the 4 bytes"),
    (with_key("length = {min = 6, max = 5}"), WHERE + "length: min 6 is more than max 5"),
    (with_key("length = -1"), WHERE + "length: is less than"),
    (with_key("length = 1471"), WHERE + "length: is more than 1470, the longest message"),
    (with_key("length = {max = 0xffffffffffffffffffffffff}"), WHERE + "length: max: is more than 1470"),
    (with_key("length = true"), WHERE + "length: is a boolean; write a number of bytes"),
    (with_key("length = 4.0"), WHERE + "length: is a float; write"),
    (with_key("length = '4'"), WHERE + "length: is a string; write"),
    (with_key("length = [[4]]"), WHERE + "length: is an array; write"),
    (with_key("length = []"), WHERE + "length: is empty; leave it out"),
    (with_key("length = {}"), WHERE + "length: has neither min nor max"),
    # First bytes.
    (with_key("starts_with = '57'"), WHERE + 'starts_with: is a string; write {hex = "57 01"} or {text = "W"}'),
    (with_key("starts_with = {}"), WHERE + "starts_with: has neither hex nor text; write"),
    (with_key("starts_with = {hex = '57', text = 'W'}"), WHERE + "starts_with: has both hex and text; write"),
    (with_key("starts_with = {hex = 57}"), WHERE + "starts_with: hex: is an integer; write"),
    (with_key("starts_with = {hex = ''}"), WHERE + "starts_with: hex: is empty; leave"),
    (with_key("starts_with = {text = ''}"), WHERE + "starts_with: text: is empty; leave"),
    (with_key("starts_with = {hex = 'WX'}"), WHERE + 'starts_with: hex: "WX" is no hex; write two digits'),
    (with_key("starts_with = {hex = '5'}"), WHERE + 'starts_with: hex: "5" is no hex'),
    (with_key("starts_with = {hex = '5 7'}"), WHERE + 'starts_with: hex: "5 7" is no hex'),
    (with_key("starts_with = {text = 'WXYZA'}"), WHERE + "starts_with: has 5 bytes, the longest message has 4"),
    (with_key(f"starts_with = {{hex = '{'57' * 3000}'}}"), "is longer than the longest message"),
    (with_key("starts_with = {text = '\udc80'}"), WHERE + "starts_with: text: holds what UTF-8 cannot"),
    # Formats.
    ("[[message]]\nname = 'm'\nstruct = 1\nfields = []", WHERE + "struct: is an integer; write a struct format"),
    (with_struct(""), WHERE + "struct: is empty; write a struct format"),
    (with_struct("<"), WHERE + "struct: is empty; write"),
    (with_struct("  "), WHERE + "struct: is empty; write"),
    (with_struct("z"), WHERE + 'struct: "z" is no code that it can have; the codes are s ?'),
    (with_struct("B<H"), WHERE + 'struct: "<" is no code'),
    (with_struct("c"), WHERE + 'struct: "c" is no code that it can have; write 1s'),
    (with_struct("8p"), WHERE + 'struct: "p" is no code that it can have; write s'),
    (with_struct("P"), WHERE + 'struct: "P" is no code that it can have; a pointer has no fixed meaning; write I'),
    (with_struct("O"), 'struct: "O" is no code'),
    (with_struct("S"), 'struct: "S" is no code'),
    (with_struct("n"), 'struct: "n" is no code that it can have; its size differs'),
    (with_struct("N"), 'struct: "N" is no code that it can have; its size differs'),
    (with_struct("\\u001b"), 'struct: "\\x1b" is no code'),
    (with_struct("B\\nB"), 'struct: "\\n" is no code'),
    (with_struct("٣B"), 'struct: "٣" is no code'),
    (with_struct("-1B"), 'struct: "-" is no code'),
    (with_struct("B3"), WHERE + 'struct: the count "3" stands alone; write a code'),
    (with_struct("3 B"), WHERE + 'struct: the count "3" stands alone'),
    (with_struct("0B"), WHERE + "struct: 0B has no bytes; leave it out"),
    (with_struct("0s"), WHERE + "struct: 0s has no bytes"),
    (with_struct("0s" * 100_000), WHERE + "struct: 0s has no bytes"),
    (with_struct("0x"), WHERE + "struct: 0x has no bytes"),
    (with_struct("1471x"), WHERE + "struct: has more than 1470 bytes, the longest message"),
    (with_struct("1470sB"), WHERE + "struct: has more than 1470 bytes"),
    (with_struct("B184q"), WHERE + "struct: has more than 1470 bytes"),
    (with_struct("999999999999B"), WHERE + "struct: has more than 1470 bytes"),
    (with_struct("9" * 100_000 + "s"), WHERE + "struct: has more than 1470 bytes"),
    (with_struct("B" * 100_000), WHERE + "struct: has more than 1470 bytes"),
    # Fields.
    (
        "[[message]]\nname = 'm'\nstruct = 'B'\nfields = 'f'",
        WHERE + "fields: is a string; write an array with one name",
    ),
    (message("3B", ["f"]), WHERE + "fields: has 1 names, struct has 3 values; write one for each"),
    (message("B", []), WHERE + "fields: has 0 names, struct has 1 values"),
    (message("x", ["f"]), WHERE + "fields: has 1 names, struct has 0 values"),
    (message("B", [1]), WHERE + 'field 1: is an integer; write "name" or {name'),
    (message("2B", ["f", ["g"]]), WHERE + "field 2: is an array; write"),
    (message("2B", ["f", "f"]), WHERE + 'field 2: name: "f" is also field 1\'s; names differ'),
    (message("2B", ["f", {"name": "f", "unit": "V"}]), WHERE + 'field 2: name: "f" is also field 1\'s'),
    (message("B", [{}]), WHERE + 'field 1: has no name; write name = ..., or "_" alone'),
    (message("B", [{"unit": "V"}]), WHERE + "field 1: has no name"),
    (message("B", [{"name": 1}]), WHERE + "field 1: name: is an integer"),
    (message("B", ["a=b"]), WHERE + 'field 1: name: "a=b" is not 1..64 printable characters'),
    (message("B", ["a\u200f"]), WHERE + 'field 1: name: "a\\u200f" is not'),
    (message("B", [{"name": "f\n"}]), WHERE + 'field 1: name: "f\\n" is not'),
    (field("unit = 1"), FIELD + "unit: is an integer; write a string"),
    (field('unit = "\\u001b[2J"'), FIELD + 'unit: "\\x1b[2J" is not at most 64 printable characters'),
    (field(f"unit = '{'V' * 65}'"), FIELD + "unit: "),
    (field("unit = 'V'", "4s"), FIELD + "unit: is for numbers; the value is s in struct"),
    (field("scale = 0.1", "4s"), FIELD + "scale: is for numbers; the value is s"),
    (field("offset = 1", "?"), FIELD + "offset: is for numbers; the value is ?"),
    (field("hex = true"), FIELD + "hex: is for s; the value is B"),
    (field("hex = 1", "4s"), FIELD + "hex: is an integer; write true or false"),
    (field("values = {0 = 'a'}", "f"), FIELD + "values: is for integers and ?; the value is f"),
    (field("scale = '0.1'"), FIELD + "scale: is a string; write a number such as 0.01"),
    (field("scale = true"), FIELD + "scale: is a boolean; write"),
    (field("scale = 1979-05-27"), FIELD + "scale: is a date or time; write"),
    (field("scale = nan"), FIELD + "scale: is not finite; write"),
    (field("scale = 1e400"), FIELD + "scale: is not finite"),
    (field("offset = -inf"), FIELD + "offset: is not finite"),
    (field("scale = 9223372036854775808"), FIELD + "scale: is beyond 64 bits"),
    (field("offset = -" + "9" * 4000), FIELD + "offset: is beyond 64 bits"),
    (field("scale = 0"), FIELD + "scale: is 0, so every value would be the same"),
    (field("scale = 1e-400"), FIELD + "scale: is 0"),
    (field("values = 1"), FIELD + "values: is an integer; write names by number"),
    (field("values = {}"), FIELD + "values: is empty; write names by number"),
    (field("values = ['a']"), FIELD + "values: is an array; write names by number"),
    (field("values = {on = 'a'}"), FIELD + 'values: "on" is no number; write 3 or 0x03'),
    (field("values = {1_0 = 'a'}"), FIELD + 'values: "1_0" is no number'),
    (field(f"values = {{{'1' * 5000} = 'a'}}"), '1..." is no number'),
    (field("values = {256 = 'a'}"), FIELD + "values: 256 is not in 0..255, so B is never that"),
    (field("values = {-1 = 'a'}"), FIELD + "values: -1 is not in 0..255"),
    (field("values = {128 = 'a'}", "b"), FIELD + "values: 128 is not in -128..127"),
    (field("values = {-129 = 'a'}", "b"), FIELD + "values: -129 is not in -128..127"),
    (field("values = {2 = 'a'}", "?"), FIELD + "values: 2 is not in 0..1"),
    (field("values = {1 = 'a', 0x1 = 'b'}"), FIELD + "values: 0x1 has two names"),
    (field("values = {1 = 1}"), FIELD + "values: 1: is an integer; write a string"),
    (field("values = {1 = ''}"), FIELD + 'values: 1: "" is not 1..64 printable characters'),
    (field('values = {1 = "\\n"}'), FIELD + 'values: 1: "\\n" is not 1..64 printable'),
]


@pytest.mark.parametrize(("text", "says"), MISTAKES, ids=[f"{n}: {m[1]}"[:60] for n, m in enumerate(MISTAKES)])
def test_mistake(text: str | bytes, says: str) -> None:
    with pytest.raises(FrameError) as caught:
        Decoders.from_toml(text)
    line = str(caught.value)
    assert says in line
    if says.startswith(("decoder", "line", "end of", "message:")):
        assert line.startswith(says)
    assert line.isprintable()
    assert len(line) < 300


def test_as_much_as_is_allowed() -> None:
    many = "".join(message("<B", ["f"], name=f"m{number}", length={"max": 1470}) for number in range(1000))
    assert len(Decoders.from_toml(many).names) == 1000
    fields = [f"f{number}" for number in range(1470)]
    found = decode(message("1470B", fields), bytes(1470))
    assert found is not None
    assert len(found.fields) == 1470
    assert decode(message("1470s", ["f"]), bytes(1470)) == Decoded("m", (FieldValue("f", "", ""),), b"")
    assert decode(message("4x", []), bytes(4)) == Decoded("m", (), b"")
    assert loads(message("<B", ["f" * 64], name="m" * 64))
    assert loads(field(f"unit = '{'V' * 64}', scale = {2**63 - 1}, offset = -{2**63 - 1}"))
    assert loads(message("<B", ["f"]) + "#" * ((1 << 20) - len(message("<B", ["f"]))))
    assert loads("# " + ".".join("a" * 16) + "\n" + message("<B", ["f"]))


#: Texts that cost a reader of TOML far more than their length.
LENGTH = 1 << 20
COSTLY = [
    "a." * (LENGTH // 2 - 4) + "a=1",
    "a . " * (LENGTH // 4 - 4) + "a=1",
    '"\\"".' * (LENGTH // 6) + "a=1",
    " '\\'." * (LENGTH // 6) + "a=1",
    "[" + "a." * (LENGTH // 2 - 4) + "a]",
    "[[message]]\nx={" + '"".' * (LENGTH // 3 - 10) + "a=1}",
    "x=[{" + "a\t.\t" * (LENGTH // 4 - 4) + "a=1}]",
    "x=1,a" + ".'b'" * (LENGTH // 4 - 4),
]
LONG = [
    "a" * LENGTH,
    "a " * (LENGTH // 2),
    "[" * LENGTH,
    '"' * LENGTH,
    '"\\"' * (LENGTH // 3),
    ' "\\"' * (LENGTH // 4),
    "a.b," * (LENGTH // 4),
    "a=0x" + "f" * (LENGTH - 4),
    ("a" * 65_000 + ".") * 15 + "a=1",
    with_key('"' + "b" * (LENGTH - 100) + '"=1'),
    field("values = {" + ",".join(f"{n}='a'" for n in range(60_000)) + "}", "<H") + "x=",
]


@pytest.mark.parametrize("text", COSTLY, ids=lambda text: text[:12])
def test_a_costly_text_is_refused_before_it_costs(text: str) -> None:
    assert len(text) <= LENGTH
    with pytest.raises(FrameError, match=r"line \d: more than 16 parts"):
        Decoders.from_toml(text)


@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:12])
def test_a_long_text_is_refused(text: str) -> None:
    assert len(text) <= LENGTH
    with pytest.raises(FrameError) as caught:
        Decoders.from_toml(text)
    assert len(str(caught.value)) < 300


scalars = st.one_of(
    st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
)
names = st.sampled_from(["name", "source", "length", "starts_with", "struct", "fields", "unit", "scale", "values", "0"])
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a busy computer
@given(st.dictionaries(names, anything, max_size=7))
def test_wrong_types_anywhere(table: dict[str, Any]) -> None:
    table = {"name": "m", "struct": "<B4s", "fields": ["f", {"name": "g"}]} | table
    check(message(table.pop("struct"), table.pop("fields"), **table))


def check(text: str | bytes) -> None:
    """A text gives decoders that never raise, or FrameError with one printable line."""
    try:
        decoders = Decoders.from_toml(text)
    except FrameError as error:
        assert str(error).isprintable()
        assert str(error)
    else:
        for content in (b"", b"\0", b"WX" + bytes(9), b"\xff" * 28, bytes(1470), bytes(2000)):
            found = decoders.decode(content, source=SENDER, destination=EVERYBODY)
            if found is not None:
                assert str(found).isprintable()


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_any_text(text: str | bytes) -> None:
    check(text)


@given(st.data())
@settings(max_examples=200)
def test_a_changed_text(data: st.DataObject) -> None:
    text = bytearray(EXAMPLE.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        end = at + data.draw(st.integers(0, 3))
        text[at:end] = data.draw(
            st.one_of(
                st.binary(max_size=3), st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"=", b"\n", b",", b"9" * 9])
            )
        )
    check(bytes(text))


MANY = Decoders.from_toml(
    message("<Bf?", ["a", {"name": "b", "scale": 0.1, "unit": "V"}, "c"], name="one", length={"max": 1470})
    + message("3sed", ["d", {"name": "e", "offset": 1}, {"name": "f", "scale": 7}], name="two", length={"max": 1470})
    + message("4s", [{"name": "g", "hex": True}], name="three", length={"max": 1470})
    + message("2s", ["h"], name="four", length={"max": 1470})
    + message("b", [{"name": "i", "values": {"0": "off"}, "scale": 1e308}], name="five", length={"max": 1470})
)


@given(
    st.one_of(st.binary(max_size=40), st.text(max_size=10).map(str.encode)),
    st.binary(max_size=8),
    st.binary(max_size=8),
)
@example(b"W\x1b]0;x\x07", b"", b"")
def test_any_message(content: bytes, source: bytes, destination: bytes) -> None:
    for decoders in (MANY, Decoders.from_toml(message("40s", ["text"], length=40))):
        padded = content if decoders is MANY else content[:40].ljust(40, b"\0")
        found = decoders.decode(padded, source=source, destination=destination)
        assert (found is None) == (padded == b"")
        if found is not None:
            assert str(found).isprintable()
            line = json.dumps(found.as_dict(), allow_nan=False)
            assert json.loads(line) == found.as_dict()


@given(st.binary(max_size=1600))
def test_any_length(content: bytes) -> None:
    found = MANY.decode(content, source=SENDER, destination=EVERYBODY)
    assert (found is None) == (not 1 <= len(content) <= 1470)


# Text for a terminal.


@pytest.mark.parametrize("begin", [0, 0x2000, 0xD800, 0xE0000, 0x10FF00], ids=hex)
def test_every_character(begin: int) -> None:
    for char in map(chr, range(begin, min(begin + 0x3000, sys.maxunicode + 1))):
        shown = printable(char)
        assert shown.isprintable()
        if char.isprintable():
            assert shown == char
        else:
            assert shown.startswith("\\")
            assert shown.isascii()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("two words, °C, 日本, שלום", "two words, °C, 日本, שלום"),
        ("a\\n", "a\\n"),
        ("a\nb\r\tc\0", "a\\nb\\r\\tc\\x00"),
        ("\x1b[31m\x7f\x9b", "\\x1b[31m\\x7f\\x9b"),
        ("\u202e\u2066\u200b\u2028\ufeff", "\\u202e\\u2066\\u200b\\u2028\\ufeff"),
        ("\ud800\U000e0001", "\\ud800\\U000e0001"),
        ("\xa0", "\\xa0"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        (b"hello, world", "hello, world"),
        ("21 °C".encode(), "21 °C"),
        (b"21\xb0C", None),
        (b"line\n", None),
        (b"text\0", None),
        (b"\x1b[2J", None),
        ("\u202eabc".encode(), None),
        (b"\xed\xa0\x80", None),
    ],
)
def test_message_text(content: bytes, text: str | None) -> None:
    assert message_text(content) == text


def test_an_address_is_that_of_the_sender_or_of_the_receiver() -> None:
    decoders = Decoders.from_toml(
        '[[message]]\nname = "m"\naddress = ["30:aa:*", "02:00:00:00:00:01"]\nstruct = "B"\nfields = ["a"]'
    )
    one, two, other = bytes.fromhex("30aa00000000"), bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
    taken = [
        decoders.decode(b"x", source=source, destination=destination) is not None
        for source, destination in ((one, other), (other, one), (two, other), (other, two), (other, other))
    ]
    assert taken == [True, True, True, True, False]

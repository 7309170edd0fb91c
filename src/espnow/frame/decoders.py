"""What the bytes of a message mean: layouts that a person writes down in TOML, and values by name.

Rules:

- Knows messages and addresses; frames, captures and files are others'.
- Loading raises FrameError and nothing else, whatever the text: one line that says which decoder,
  which key, what is wrong and what to write. Its time and memory are bounded by the text's.
- Decoding never raises, whatever the bytes.
- One meaning on every computer: nothing of the host's byte order, sizes or alignment.
- Text that came by air leaves `FieldValue.text` and `str` of a `Decoded` printable.

Follows MicroPython's docs of ``struct``, and CPython's for what both have. Without a byte order a
format is the board's own: little endian, each value aligned to its size, 8 bytes to 8 among them, as
C lays out a struct on ESP32 and ESP8266 (LLVM's data layouts for xtensa and riscv32: ``i64:64``).
As in both Pythons, nothing is added after the last value, where C pads a struct to its alignment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from struct import Struct
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias

from espnow.errors import FrameError
from espnow.frame.message import MAX_V2
from espnow.frame.text import message_text, printable

__all__ = ["Decoded", "Decoders", "FieldValue"]

#: The longest text that is read: bytes, or characters of a str (assumed).
MAX_TEXT: Final = 1 << 20

#: The most decoders in one text (assumed).
MAX_DECODERS: Final = 1000

#: The longest name, of a decoder, a field or a value, and the longest unit, in characters (assumed).
MAX_NAME: Final = 64

#: The most parts of a dotted key; tomllib's memory grows with their square.
MAX_KEY_PARTS: Final = 16

Value: TypeAlias = int | float | bool | str | bytes

_Convert: TypeAlias = Callable[[Any], Value]

# Codes that have one meaning on every board and computer, and their sizes.
_SIZES = {"s": 1, "?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "l": 4, "L": 4, "q": 8, "Q": 8}
_FLOAT_SIZES = {"e": 2, "f": 4, "d": 8}
_SIZES |= _FLOAT_SIZES

_INSTEAD = {
    "c": "write 1s, or b for a number",
    "p": "write s with the longest length",
    "P": "a pointer has no fixed meaning; write I",
    "O": "a pointer has no fixed meaning; write I",
    "S": "a pointer has no fixed meaning; write I",
    "n": "its size differs between computers; write i",
    "N": "its size differs between computers; write I",
}

# Significant digits: the fewest worth a try, and how many always tell two values of a code apart.
_DIGITS = {"e": (3, 5), "f": (6, 9)}

_HIDDEN = ("", "_")

_ITEM = re.compile(r" *([0-9]*)([^0-9 ]?)", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,20}|0x[0-9A-Fa-f]{1,16}")
_HEX = re.compile(r"[0-9A-Fa-f]{2}(?:[ :-]?[0-9A-Fa-f]{2})*")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2})*)?")
_WORD = re.compile(r"[^\W\d_][\w.-]*")
_SYNTAX = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)

# A key may begin where one of these stands before it, so a search looks at each character a bounded number of times.
_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DOTTED = re.compile(rf"(?<![^\s\[{{,]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_KEY_PARTS}}}")


# A NamedTuple's own constructor does the same, slower.
_new = tuple.__new__


class FieldValue(NamedTuple):
    """One value of a message.

    Attributes:
        name: the field's.
        value: what it says, scaled; text where the file names the number, or where bytes are printable UTF-8.
        unit: of a number, or "".
    """

    name: str
    value: Value
    unit: str = ""

    def text(self) -> str:
        """Return the value for people, printable: ``21.5 °C``, ``true``, ``kitchen``, ``"two words"``, ``0x00ff``."""
        value = self.value
        if isinstance(value, str):
            if _WORD.fullmatch(value):
                return value
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{printable(quoted)}"'
        if isinstance(value, bytes):
            return f"0x{value.hex()}"
        if isinstance(value, bool):
            return "true" if value else "false"
        return f"{value} {self.unit}" if self.unit else str(value)


class Decoded(NamedTuple):
    """What a message says.

    Attributes:
        name: the decoder's.
        fields: the values that have a name, in the message's order.
        rest: the bytes after those that the decoder knows.
    """

    name: str
    fields: tuple[FieldValue, ...]
    rest: bytes

    def __str__(self) -> str:
        """Return one printable line: ``weather temperature=21.5 °C humidity=40 %``."""
        parts = [self.name, *(f"{field.name}={field.text()}" for field in self.fields)]
        if self.rest:
            parts.append(f"+{self.rest.hex()}")
        return " ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold: ``name``, ``fields`` (values by name) and ``rest``.

        Bytes are hex; a float that JSON has no number for is "nan", "inf" or "-inf". Units are left out.
        """
        fields = {field.name: _for_json(field.value) for field in self.fields}
        return {"name": self.name, "fields": fields, "rest": self.rest.hex()}


class _Decoder(NamedTuple):
    """One decoder, ready to use.

    Attributes:
        name: its name.
        lengths: of the messages that it takes.
        prefix: what they begin with.
        sources: what the sender's address begins with, one of these.
        destinations: the same for the receiver's.
        either: what one of both begins with.
        struct: the values that have a name; the others are pad bytes in it.
        fields: name, unit and conversion of each value; None where the value stays as it is.
    """

    name: str
    lengths: Collection[int]
    prefix: bytes
    sources: tuple[bytes, ...]
    destinations: tuple[bytes, ...]
    either: tuple[bytes, ...]
    struct: Struct
    fields: tuple[tuple[str, str, _Convert | None], ...]


class Decoders:
    """Decoders of messages, in the order of their file; without one, nothing is decoded."""

    __slots__ = ("_by_length", "_decoders")

    def __init__(self, decoders: Iterable[_Decoder] = ()) -> None:
        self._decoders = tuple(decoders)
        by_length: dict[int, list[_Decoder]] = {}
        for decoder in self._decoders:
            for length in decoder.lengths:
                by_length.setdefault(length, []).append(decoder)
        self._by_length = {length: tuple(found) for length, found in by_length.items()}

    @classmethod
    def from_toml(cls, text: str | bytes) -> Decoders:
        """Return the decoders that a TOML text describes.

        Raises:
            FrameError: the text is no TOML, or describes something else; the message says where and what.
        """
        return cls(_read_file(text))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the decoders, in the order in which they are tried."""
        return tuple(decoder.name for decoder in self._decoders)

    def __add__(self, other: Decoders) -> Decoders:
        """Return the decoders of both; those of the first are tried first."""
        return Decoders(self._decoders + other._decoders)

    def decode(self, message: bytes, *, source: bytes, destination: bytes) -> Decoded | None:
        """Return what a message says by the first decoder that takes it, or None.

        Args:
            message: what ESP-NOW carried, decrypted.
            source: address of the sender.
            destination: address that it was sent to.
        """
        for name, _, prefix, sources, destinations, either, struct, plan in self._by_length.get(len(message), ()):
            if (
                message.startswith(prefix)
                and source.startswith(sources)
                and destination.startswith(destinations)
                and (source.startswith(either) or destination.startswith(either))
            ):
                fields = [
                    _new(FieldValue, (field, value if convert is None else convert(value), unit))
                    for (field, unit, convert), value in zip(plan, struct.unpack_from(message), strict=True)
                ]
                return Decoded(name, tuple(fields), message[struct.size :])
        return None


def _for_json(value: Value) -> int | float | bool | str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


# From here on: reading the file.


def _fail(where: str, what: str) -> NoReturn:
    raise FrameError(f"{where}: {what}" if where else what)


def _read_file(text: str | bytes) -> list[_Decoder]:
    import tomllib  # only who has decoders pays for it

    if len(text) > MAX_TEXT:
        _fail("", f"more than {MAX_TEXT} bytes of decoders")
    if isinstance(text, bytes):
        text = _utf8(text)
    if line := long_key_line(text):
        _fail(f"line {line}", f"more than {MAX_KEY_PARTS} parts joined by dots")
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise FrameError("arrays or tables nested too deep; a decoder needs three levels") from None
    except tomllib.TOMLDecodeError as error:
        raise FrameError(_syntax(str(error))) from None
    except ValueError:  # what int() refuses
        raise FrameError("no TOML: an integer of thousands of digits; a decoder needs at most 20") from None
    _check_keys("", content, ("message",))
    tables = content.get("message", [])
    if isinstance(tables, dict):
        _fail("message", "is one table; write [[message]], with two brackets, before each decoder")
    if not isinstance(tables, list):
        _fail("message", f"is {_kind(tables)}; write [[message]] before each decoder")
    if not tables:
        _fail("", "no decoder; write [[message]] before each")
    if len(tables) > MAX_DECODERS:
        _fail("", f"{len(tables)} decoders, more than {MAX_DECODERS}")
    decoders = []
    numbers: dict[str, int] = {}
    for number, table in enumerate(tables, 1):
        decoder = _read_decoder(number, table)
        first = numbers.setdefault(decoder.name, number)
        if first != number:
            _fail(f"decoder {number}", f"name: {_quote(decoder.name)} is also decoder {first}'s; names differ")
        decoders.append(decoder)
    return decoders


def long_key_line(text: str) -> int | None:
    """Return the line of TOML in which a key has more than `MAX_KEY_PARTS` parts, or None: tomllib is not for it."""
    found = _DOTTED.search(text)
    return None if found is None else text.count("\n", 0, found.start()) + 1


def _utf8(text: bytes) -> str:
    try:
        return text.decode("utf-8-sig")  # Windows' editors begin a file with the mark that this one drops
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise FrameError(f"line {line}: no UTF-8; save the file as UTF-8") from None


def _syntax(error: str) -> str:
    """Return what tomllib says, place first and in one short line."""
    found = _SYNTAX.fullmatch(error)
    what, line, column = found.groups() if found else (error, None, None)
    place = f"line {line}, column {column}" if line else "end of the file"
    return f"{place}: no TOML: {_short(what)}"


def _read_decoder(number: int, table: object) -> _Decoder:
    where = f"decoder {number}"
    if not isinstance(table, dict):
        _fail(where, f"is {_kind(table)}; write [[message]] before each decoder")
    name = table.get("name")
    if isinstance(name, str) and _is_name(name):
        where = f"decoder {_quote(name)}"
    _check_keys(where, table, ("name", "address", "source", "destination", "length", "starts_with", "struct", "fields"))
    for key in ("name", "struct", "fields"):
        if key not in table:
            _fail(where, f"has no {key}; write {key} = ...")
    name = _read_name(f"{where}: name", name)
    order, slots, tail = _read_struct(f"{where}: struct", table["struct"])
    struct, fields = _read_fields(where, table["fields"], order, slots, tail)
    lengths = _read_length(f"{where}: length", table.get("length", struct.size), struct.size)
    prefix = _read_prefix(f"{where}: starts_with", table["starts_with"]) if "starts_with" in table else b""
    if len(prefix) > max(lengths):
        _fail(f"{where}: starts_with", f"has {len(prefix)} bytes, the longest message has {max(lengths)}")
    return _Decoder(
        name,
        [length for length in lengths if length >= len(prefix)],
        prefix,
        _read_addresses(f"{where}: source", table["source"]) if "source" in table else (b"",),
        _read_addresses(f"{where}: destination", table["destination"]) if "destination" in table else (b"",),
        _read_addresses(f"{where}: address", table["address"]) if "address" in table else (b"",),
        struct,
        fields,
    )


def _read_addresses(where: str, value: object) -> tuple[bytes, ...]:
    """Return what addresses begin with; that of a whole one is itself."""
    addresses = value if isinstance(value, list) else [value]
    if not addresses:
        _fail(where, "is empty; leave it out to take any address")
    return tuple([_read_address(where, address) for address in addresses])


def _read_address(where: str, value: object) -> bytes:
    if not isinstance(value, str):
        _fail(where, f'is {_kind(value)}; write "aa:bb:cc:dd:ee:ff" or "aa:bb:cc:*", or an array of them')
    open_end = value.endswith((":*", "-*"))
    text = value[:-2] if open_end else value
    if _MAC.fullmatch(text) and (len(text) < 17 if open_end else len(text) == 17):
        return bytes.fromhex(text.replace(":", "").replace("-", ""))
    _fail(where, f'{_quote(value)} is no address; write "aa:bb:cc:dd:ee:ff", or "aa:bb:cc:*" for all that begin so')


def _read_length(where: str, value: object, size: int) -> Collection[int]:
    if isinstance(value, dict):
        _check_keys(where, value, ("min", "max"))
        if not value:
            _fail(where, "has neither min nor max")
        low = _read_one_length(f"{where}: min", value.get("min", size), size)
        high = _read_one_length(f"{where}: max", value.get("max", MAX_V2), size)
        if low > high:
            _fail(where, f"min {low} is more than max {high}")
        return range(low, high + 1)
    if isinstance(value, list):
        if not value:
            _fail(where, "is empty; leave it out to take the length of struct")
        return {_read_one_length(where, length, size) for length in value}
    return {_read_one_length(where, value, size)}


def _read_one_length(where: str, value: object, size: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        _fail(where, f"is {_kind(value)}; write a number of bytes, an array of them, or {{min = 8, max = 12}}")
    if value < size:
        _fail(where, f"is less than the {size} bytes of struct, so it would never match")
    if value > MAX_V2:
        _fail(where, f"is more than {MAX_V2}, the longest message")
    return value


def _read_prefix(where: str, value: object) -> bytes:
    instead = 'write {hex = "57 01"} or {text = "W"}'
    if not isinstance(value, dict):
        _fail(where, f"is {_kind(value)}; {instead}")
    _check_keys(where, value, ("hex", "text"))
    if len(value) != 1:
        _fail(where, f"has {'both hex and text' if value else 'neither hex nor text'}; {instead}")
    [(key, content)] = value.items()
    if not isinstance(content, str):
        _fail(f"{where}: {key}", f"is {_kind(content)}; {instead}")
    if not content:
        _fail(f"{where}: {key}", "is empty; leave starts_with out to take any message")
    if len(content) > 4 * MAX_V2:
        _fail(f"{where}: {key}", f"is longer than the longest message, {MAX_V2} bytes")
    if key == "hex":
        if not _HEX.fullmatch(content):
            _fail(f"{where}: hex", f"{_quote(content)} is no hex; write two digits a byte, or {{text = ...}}")
        return bytes.fromhex(re.sub("[ :-]", "", content))
    try:
        return content.encode()
    except UnicodeEncodeError:
        _fail(f"{where}: text", "holds what UTF-8 cannot; write it as hex")


class _Slot(NamedTuple):
    """One value of a format: the pad bytes before it, its code, its size."""

    pad: int
    code: str
    size: int


def _read_struct(where: str, value: object) -> tuple[str, list[_Slot], int]:
    """Return a format's byte order ("<" or ">"), its values, and the pad bytes that end it."""
    if not isinstance(value, str):
        _fail(where, f'is {_kind(value)}; write a struct format such as "<BhH"')
    mark = value[:1] if value[:1] in tuple("@<>!=") else ""
    aligned = mark in ("", "@")
    slots = []
    size = pad = 0
    at = len(mark)
    while found := _ITEM.match(value, at):
        digits, code = found.groups()
        at = found.end()
        if not code:
            if digits:
                _fail(where, f"the count {_quote(digits)} stands alone; write a code right after it")
            break
        if code != "x" and code not in _SIZES:
            instead = _INSTEAD.get(code, f"the codes are {' '.join(_SIZES)} x")
            _fail(where, f"{_quote(code)} is no code that it can have; {instead}")
        count = int(digits or "1") if len(digits) <= 4 else MAX_V2 + 1
        if count == 0:
            _fail(where, f"0{code} has no bytes; leave it out, and write pad bytes as x, such as 3x")
        width = _SIZES.get(code, 1)
        gap = -size % width if aligned else 0
        size += gap + count * width
        if size > MAX_V2:
            _fail(where, f"has more than {MAX_V2} bytes, the longest message")
        if code == "x":
            pad += count
        elif code == "s":
            slots.append(_Slot(pad, code, count))
            pad = 0
        else:
            slots.append(_Slot(pad + gap, code, width))
            slots.extend([_Slot(0, code, width)] * (count - 1))
            pad = 0
    if not size:
        _fail(where, 'is empty; write a struct format such as "<BhH"')
    return ">" if mark in (">", "!") else "<", slots, pad


def _read_fields(
    where: str, value: object, order: str, slots: list[_Slot], tail: int
) -> tuple[Struct, tuple[tuple[str, str, _Convert | None], ...]]:
    if not isinstance(value, list):
        _fail(f"{where}: fields", f"is {_kind(value)}; write an array with one name for each value of struct")
    if len(value) != len(slots):
        _fail(f"{where}: fields", f"has {len(value)} names, struct has {len(slots)} values; write one for each")
    form = [order]
    fields = []
    numbers: dict[str, int] = {}
    for number, (field, slot) in enumerate(zip(value, slots, strict=True), 1):
        form.append("x" * slot.pad)
        if field in _HIDDEN:
            form.append(f"{slot.size}x")
            continue
        found = _read_field(f"{where}: field {number}", field, slot)
        first = numbers.setdefault(found[0], number)
        if first != number:
            _fail(f"{where}: field {number}", f"name: {_quote(found[0])} is also field {first}'s; names differ")
        form.append(f"{slot.size}s" if slot.code == "s" else slot.code)
        fields.append(found)
    form.append("x" * tail)
    return Struct("".join(form)), tuple(fields)


def _read_field(where: str, field: object, slot: _Slot) -> tuple[str, str, _Convert | None]:
    table = {"name": field} if isinstance(field, str) else field
    if not isinstance(table, dict):
        _fail(where, f'is {_kind(table)}; write "name" or {{name = "name", unit = "V"}}')
    name = table.get("name")
    if isinstance(name, str) and _is_name(name):
        where = f"{where} ({name})"
    _check_keys(where, table, ("name", "unit", "scale", "offset", "values", "hex"))
    if name is None:
        _fail(where, 'has no name; write name = ..., or "_" alone to hide the value')
    name = _read_name(f"{where}: name", name)
    code = slot.code
    for key, codes, kind in (
        ("unit", "bBhHiIlLqQefd", "numbers"),
        ("scale", "bBhHiIlLqQefd", "numbers"),
        ("offset", "bBhHiIlLqQefd", "numbers"),
        ("values", "bBhHiIlLqQ?", "integers and ?"),
        ("hex", "s", "s"),
    ):
        if key in table and code not in codes:
            _fail(f"{where}: {key}", f"is for {kind}; the value is {code} in struct")
    unit = table.get("unit", "")
    if not isinstance(unit, str):
        _fail(f"{where}: unit", f'is {_kind(unit)}; write a string such as "°C"')
    if len(unit) > MAX_NAME or not unit.isprintable():
        _fail(f"{where}: unit", f"{_quote(unit)} is not at most {MAX_NAME} printable characters")
    convert: _Convert | None = None
    if code == "s":
        hexadecimal = table.get("hex", False)
        if not isinstance(hexadecimal, bool):
            _fail(f"{where}: hex", f"is {_kind(hexadecimal)}; write true or false")
        return name, unit, None if hexadecimal else _text_or_bytes
    if code in "ef":
        convert = _shortest(code)
    if "scale" in table or "offset" in table:
        scale = _read_factor(f"{where}: scale", table.get("scale", 1))
        offset = _read_factor(f"{where}: offset", table.get("offset", 0))
        if scale == 0:
            _fail(f"{where}: scale", "is 0, so every value would be the same")
        convert = _scaled(scale, offset, code)
    if "values" in table:
        convert = _named(_read_values(f"{where}: values", table["values"], slot), convert)
    return name, unit, convert


def _read_factor(where: str, value: object) -> int | float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        _fail(where, f"is {_kind(value)}; write a number such as 0.01")
    if isinstance(value, float) and not math.isfinite(value):
        _fail(where, "is not finite; write a number such as 0.01")
    if isinstance(value, int) and abs(value) >= 1 << 63:
        _fail(where, "is beyond 64 bits; write a smaller number")
    return value


def _read_values(where: str, value: object, slot: _Slot) -> dict[int, str]:
    if not isinstance(value, dict) or not value:
        _fail(where, f'is {_kind(value) if value else "empty"}; write names by number: {{0 = "off", 1 = "on"}}')
    bits = 1 if slot.code == "?" else 8 * slot.size
    low, high = (-1 << bits - 1, (1 << bits - 1) - 1) if slot.code.islower() else (0, (1 << bits) - 1)
    names: dict[int, str] = {}
    for key, name in value.items():
        if not _NUMBER.fullmatch(key):
            _fail(where, f"{_quote(key)} is no number; write 3 or 0x03")
        number = int(key, 16 if key.startswith("0x") else 10)
        if not low <= number <= high:
            _fail(where, f"{key} is not in {low}..{high}, so {slot.code} is never that")
        if number in names:
            _fail(where, f"{key} has two names")
        if not isinstance(name, str):
            _fail(f"{where}: {key}", f'is {_kind(name)}; write a string such as "off"')
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            _fail(f"{where}: {key}", f"{_quote(name)} is not 1..{MAX_NAME} printable characters")
        names[number] = name
    return names


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME and text.isprintable() and not set(text) & set(' ="')


def _read_name(where: str, value: object) -> str:
    if not isinstance(value, str):
        _fail(where, f"is {_kind(value)}; write a string")
    if not _is_name(value):
        _fail(where, f"{_quote(value)} is not 1..{MAX_NAME} printable characters without space, = and quotes")
    return value


def _check_keys(where: str, table: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            import difflib  # only a mistake pays for it

            near = difflib.get_close_matches(key[:MAX_NAME], known, 1)
            instead = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}"
            _fail(where, f"{_quote(key)} is no key; {instead}")


def _kind(value: object) -> str:
    """Return what a value of TOML is, without showing it: it may be long."""
    kinds = {bool: "a boolean", int: "an integer", float: "a float", str: "a string", list: "an array", dict: "a table"}
    return kinds.get(type(value), "a date or time")


def _short(text: str) -> str:
    return printable(text if len(text) <= 80 else f"{text[:77]}...")


def _quote(text: str) -> str:
    return f'"{_short(text)}"'


# What is done to a value: each takes what struct gives and never raises.


def _text_or_bytes(raw: bytes) -> str | bytes:
    text = message_text(raw.rstrip(b"\0"))
    return raw if text is None else text


def _exact(value: float) -> float:
    return value


def _shortest(code: str) -> Callable[[float], float]:
    """Return a function for floats of fewer bits: a short decimal number that is the same in them."""
    low, high = _DIGITS[code]
    pack = Struct(code).pack

    def shortest(value: float) -> float:
        same = pack(value)
        for digits in range(low, high):
            found = float(f"{value:.{digits}g}")
            if pack(found) == same:
                return found
        return float(f"{value:.{high}g}")

    return shortest


def _scaled(scale: float, offset: float, code: str) -> _Convert:
    """Return a function that scales, and rounds away what the binary fractions of scale and offset add."""
    if code in _FLOAT_SIZES:
        before, digits = (_exact, 15) if code == "d" else (_shortest(code), _DIGITS[code][1])
        return lambda value: float(f"{before(value) * scale + offset:.{digits}g}")
    if isinstance(scale, int) and isinstance(offset, int):
        return lambda value: value * scale + offset
    places = max(_places(scale), _places(offset))
    return lambda value: round(value * scale + offset, places)


def _places(number: float) -> int:
    """Return how many digits a number has after the decimal point as it is written."""
    exponent = Decimal(repr(number)).as_tuple().exponent
    return max(0, -int(exponent))


def _named(names: dict[int, str], otherwise: _Convert | None) -> _Convert:
    def name(value: int) -> Value:
        found = names.get(value)
        if found is not None:
            return found
        return value if otherwise is None else otherwise(value)

    return name

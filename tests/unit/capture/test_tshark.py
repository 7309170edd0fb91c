"""Captures and the dissector, read by tshark: what Wireshark says must be what our own parser says.

Skipped without tshark; a failure instead if ESPNOW_REQUIRE_TSHARK is set.
"""

from __future__ import annotations

import io
import os
import random
import re
import shutil
import struct
import subprocess
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pytest

from espnow import frame
from espnow.capture import PcapngWriter
from espnow.capture.wireshark import install, plugin_directory
from espnow.frame import radiotap

TSHARK = shutil.which("tshark")

pytestmark = pytest.mark.skipif(
    TSHARK is None and not os.environ.get("ESPNOW_REQUIRE_TSHARK"), reason="there is no tshark"
)

LUA = files("espnow.capture").joinpath("espnow.lua")
FILTERS = tuple(re.findall(r'Proto(?:Field|Expert)\.\w+\(\s*"([\w.]+)"', LUA.read_text("utf-8")))
EXPERTS = tuple(re.findall(r'ProtoExpert\.new\(\s*"espnow\.(\w+)"', LUA.read_text("utf-8")))

STATION = bytes.fromhex("30aaaaaaaaaa")
SENDER = bytes.fromhex("18fe34000008")
KEY = frame.derive_key(b"pmk1234567890123", b"lmk1234567890123")
BODY = 24
AFTER_OUI = 28
TRUE, FALSE = {"1", "True"}, {"0", "False"}

#: One frame of a capture: field name to values.
Row = dict[str, list[str]]


class Tshark:
    """Runs tshark with a home directory of its own, so that nobody's settings and plugins matter."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("WIRESHARK_", "XDG_", "LC_"))
        } | {"HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def run(self, *arguments: str) -> str:
        assert TSHARK is not None, "ESPNOW_REQUIRE_TSHARK is set and there is no tshark"
        done = subprocess.run(
            [TSHARK, *arguments], env=self.environment, capture_output=True, encoding="utf-8", timeout=50, check=False
        )
        complaints = [line for line in done.stderr.splitlines() if not line.startswith("Running as user")]
        assert done.returncode == 0, "\n".join(complaints)
        assert complaints == []
        return done.stdout

    def rows(self, capture: bytes, *fields: str, lua: bool = False) -> list[Row]:
        path = self.home / "air.pcapng"
        path.write_bytes(capture)
        # init.lua of some distributions lets root load no script: then tshark calls our fields invalid.
        script = ("-X", f"lua_script:{LUA}") if lua else ()
        wanted = [option for name in fields for option in ("-e", name)]
        shape = ("-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|")
        lines = self.run(*script, "-r", str(path), *shape, *wanted).splitlines()
        return [
            {name: value.split("|") if value else [] for name, value in zip(fields, line.split("\t"), strict=True)}
            for line in lines
        ]


@pytest.fixture(scope="module")
def tshark(tmp_path_factory: pytest.TempPathFactory) -> Tshark:
    return Tshark(tmp_path_factory.mktemp("tshark"))


def capture(*mpdus: bytes) -> bytes:
    file = io.BytesIO()
    with PcapngWriter(file) as writer:
        for at_us, mpdu in enumerate(mpdus):
            writer.write(mpdu, at_us=at_us, channel=1, rate=0)
    return file.getvalue()


def cut(mpdu: bytes, length: int, flags: int = 0) -> bytes:
    """Return the pcapng block of a frame of which the capture holds only so many bytes."""
    header = bytearray(radiotap.build(channel=1, rate=0, rssi_dbm=None))
    header[8] |= flags
    content = header + mpdu[:length]
    padded = content + bytes(-len(content) % 4)
    total = 32 + len(padded)
    sizes = (len(content), len(header) + len(mpdu))
    return struct.pack("<IIIIIII", 6, total, 0, 0, 0, *sizes) + padded + struct.pack("<I", total)


def number(row: Row, name: str) -> int | None:
    return int(row[name][0], 0) if row[name] else None


# What the writer writes, read by Wireshark's own dissectors.


class Sent(NamedTuple):
    mpdu: bytes
    at_us: int
    channel: int
    rate: int
    rssi_dbm: int | None


def table() -> Iterator[Sent]:
    signals = (None, -128, -40, -1, 0, 127)
    chance = random.Random(1)
    for at, rate in enumerate(sorted(frame.ALL_RATES)):
        for channel in range(1, 15):
            mpdu = frame.build(
                chance.choice((STATION, frame.BROADCAST)),
                SENDER,
                chance.randbytes(chance.choice((1, 250, 251))),
                seq=chance.choice((0, 1, 4095)),
                random_value=chance.getrandbits(32),
                version=2,
                bssid=chance.choice((STATION, frame.BROADCAST)),
                duration=chance.choice((0, 314)),
                retry=chance.random() < 0.5,
            )
            yield Sent(mpdu, at * 10**6 + channel, channel, rate, signals[(at + channel) % len(signals)])


OURS = (
    "frame.time_epoch",
    "radiotap.channel.freq",
    "radiotap.dbm_antsignal",
    "radiotap.datarate",
    "radiotap.mcs.index",
    "radiotap.mcs.gi",
    "wlan_radio.channel",
    "wlan_radio.data_rate",
    "wlan.fc.type_subtype",
    "wlan.da",
    "wlan.sa",
    "wlan.bssid",
    "wlan.seq",
    "wlan.duration",
    "wlan.fc.retry",
    "wlan.fixed.category_code",
    "wlan.tag.oui",
    "_ws.malformed",
)


def test_a_capture_says_what_was_written(tshark: Tshark) -> None:
    sent = list(table())
    file = io.BytesIO()
    with PcapngWriter(file) as writer:
        for entry in sent:
            mpdu, at_us, channel, rate, rssi_dbm = entry
            writer.write(mpdu, at_us=at_us, channel=channel, rate=rate, rssi_dbm=rssi_dbm)
    rows = tshark.rows(file.getvalue(), *OURS)
    assert len(rows) == len(sent)
    for entry, row in zip(sent, rows, strict=True):
        expected = frame.parse(entry.mpdu)
        phy = frame.RATES[entry.rate]
        assert isinstance(expected, frame.Frame)
        assert row["_ws.malformed"] == []
        assert Decimal(row["frame.time_epoch"][0]) * 10**6 == entry.at_us
        assert number(row, "radiotap.channel.freq") == radiotap.frequency_mhz(entry.channel)
        assert number(row, "wlan_radio.channel") == entry.channel
        assert number(row, "radiotap.dbm_antsignal") == entry.rssi_dbm
        assert number(row, "radiotap.mcs.index") == phy.mcs
        assert number(row, "radiotap.mcs.gi") == (None if phy.mcs is None else int(phy.short))
        # Of an HT rate, Wireshark computes the speed itself.
        told = phy.radiotap is not None or phy.mcs is not None
        assert len(row["radiotap.datarate"]) == told
        for name in ("radiotap.datarate", "wlan_radio.data_rate"):
            if told and phy.modulation != "LR":
                assert float(row[name][0]) == pytest.approx(phy.kbit_s / 1000, abs=0.1)
        assert number(row, "wlan.fc.type_subtype") == 13
        assert row["wlan.da"] == [frame.format_mac(expected.destination)]
        assert row["wlan.sa"] == [frame.format_mac(expected.source)]
        assert row["wlan.bssid"] == [frame.format_mac(expected.bssid)]
        assert number(row, "wlan.seq") == expected.seq
        assert number(row, "wlan.duration") == expected.duration
        assert row["wlan.fc.retry"][0] in (TRUE if expected.retry else FALSE)
        assert number(row, "wlan.fixed.category_code") == 127
        assert number(row, "wlan.tag.oui") == 0x18FE34


# The dissector.


class Case(NamedTuple):
    """A frame, and what the dissector makes of it where our parser does not say it."""

    mpdu: bytes
    experts: str = ""
    message: bytes | None = None
    valid: bool | None = None
    info: str | None = None


def plain(message: bytes, version: int = 1, retry: bool = False) -> bytes:
    return frame.build(STATION, SENDER, message, seq=7, random_value=0x04030201, version=version, retry=retry)


def body(content: str | bytes, category: int = 0x7F) -> bytes:
    """Return a frame whose body is the category, the OUI, a random value and these bytes."""
    after = bytes.fromhex(content) if isinstance(content, str) else content
    return plain(b"x")[:BODY] + bytes((category,)) + b"\x18\xfe\x34" + b"\1\2\3\4" + after


def protected(message: bytes, packet_number: int, version: int = 1) -> bytes:
    return frame.build_protected(
        STATION, SENDER, message, seq=1, random_value=2, key=KEY, packet_number=packet_number, version=version
    )


def elements(*sizes: int) -> bytes:
    """Return elements of these sizes, of which the last says that it is."""
    return b"".join(
        bytes((0xDD, 5 + size)) + b"\x18\xfe\x34\x04" + (b"\x12" if left else b"\x02") + b"m" * size
        for left, size in zip(reversed(range(len(sizes))), sizes, strict=True)
    )


LONG = bytes(range(256)) * 5 + b"x" * 190

#: Frames that were captured, of both versions.
CAPTURED_V1 = bytes.fromhex(
    "d0000000ffffffffffff840d8e18e205ffffffffffffc0477f18fe34769a1ddcdd1118fe34040144524f4e450000000000864e"
)
CAPTURED_V2 = bytes.fromhex(
    "d0000000ffffffffffffa0f26285a87cffffffffffff00007f18fe34e2b3830ddd1618fe340402504c01016285a87c000000000100000000"
)

GOOD = {
    "captured, v1": Case(CAPTURED_V1, info="ESP-NOW v1, 12 bytes: 44524f4e450000000000864e"),
    "captured, v2": Case(CAPTURED_V2, info="ESP-NOW v2, 17 bytes: 504c01016285a87c0000000001000000..."),
    "one byte": Case(plain(b"h"), info="ESP-NOW v1, 1 byte: h"),
    "v1": Case(plain(b"hello"), info="ESP-NOW v1, 5 bytes: hello"),
    "v1 of 250 bytes": Case(plain(b"y" * 250), info=f"ESP-NOW v1, 250 bytes: {'y' * 32}..."),
    "v2, short": Case(plain(b"hello", 2), info="ESP-NOW v2, 5 bytes: hello"),
    "v2 of 251 bytes": Case(plain(b"z" * 251, 2), info=f"ESP-NOW v2, 251 bytes: {'z' * 32}..."),
    "v2 of 1470 bytes": Case(plain(LONG, 2), info="ESP-NOW v2, 1470 bytes: 000102030405060708090a0b0c0d0e0f..."),
    "retry": Case(plain(b"hello", retry=True), info="ESP-NOW v1, retry, 5 bytes: hello"),
    "bytes": Case(plain(b"\0\n\xff"), info="ESP-NOW v1, 3 bytes: 000aff"),
    "zeros": Case(plain(b"\0\0"), info="ESP-NOW v1, 2 bytes: 0000"),
    "text that ends with zeros": Case(plain(b"ok\0\0"), info="ESP-NOW v1, 4 bytes: ok"),
    "lines": Case(plain(b"a\r\nb"), info="ESP-NOW v1, 4 bytes: a  b"),
    "UTF-8": Case(plain("21 °C, ☀, 😀".encode()), info="ESP-NOW v1, 17 bytes: 21 °C, ☀, 😀"),
    "UTF-8, cut in Info": Case(plain(("." * 31 + "°C").encode()), info=f"ESP-NOW v1, 34 bytes: {'.' * 31}..."),
    "nearly UTF-8": Case(plain(b"\xc3a\xa4"), info="ESP-NOW v1, 3 bytes: c361a4"),
    "surrogate": Case(plain(b"\xed\xa0\x80"), info="ESP-NOW v1, 3 bytes: eda080"),
    "overlong, three bytes": Case(plain(b"\xe0\x80\x80"), info="ESP-NOW v1, 3 bytes: e08080"),
    "a character inside another": Case(plain(b"\xe0\xc3\xa4\xa0\x80"), info="ESP-NOW v1, 5 bytes: e0c3a4a080"),
    "UTF-8 of three bytes, cut in Info": Case(
        plain(("." * 30 + "☀.").encode()), info=f"ESP-NOW v1, 34 bytes: {'.' * 30}..."
    ),
    "overlong": Case(plain(b"\xc0\x80\xe0\x80\x80"), info="ESP-NOW v1, 5 bytes: c080e08080"),
    "empty": Case(body("dd0518fe340401"), "empty", info="ESP-NOW v1, 0 bytes"),
    "two elements, one empty": Case(body(elements(0, 3))),
    "more on the last": Case(body("dd0618fe34041261"), "wrong_more", info="ESP-NOW v2, 1 byte: a"),
    "no more on the first": Case(body("dd0618fe34040261" * 2), "wrong_more", info="ESP-NOW v2, 2 bytes: aa"),
    "version 0": Case(body("dd0618fe34040061"), "unknown_version", info="ESP-NOW v1, 1 byte: a"),
    "version 3": Case(body("dd0618fe34040361"), "unknown_version", info="ESP-NOW v2, 1 byte: a"),
    "version 9": Case(body("dd0618fe34040961"), "unknown_version", info="ESP-NOW v2, 1 byte: a"),
    "1470 bytes in elements of 10": Case(body(elements(*[10] * 147))),
}

ODD = {
    "nothing after the random value": Case(body(""), "short", valid=False, info="ESP-NOW, no message"),
    "a part of the random value": Case(body("")[:-1], "short", valid=False),
    "a part of an element": Case(body("dd0518fe3404"), "short", valid=False),
    "another id": Case(body("de0618fe34040161"), "foreign", valid=False),
    "another OUI": Case(body("dd0618fe35040161"), "foreign", valid=False),
    "another type": Case(body("dd0618fe34050161"), "foreign", valid=False),
    "skipped before": Case(body("dd0500000000ff" + "dd0618fe34040161"), "foreign", b"a", False),
    "skipped after": Case(body("dd0618fe34040161" + "dd0500000000ff"), "foreign", b"a", False),
    "a foreign one runs over": Case(body("de0718fe34040161"), "foreign bad_length", valid=False),
    "length over the end": Case(body("dd0718fe34040161"), "bad_length", valid=False),
    "length 255 in the second": Case(
        body("dd0618fe34041261" + "ddff18fe34040162"), "bad_length", b"a", False, "ESP-NOW v2, 1 byte: a"
    ),
    "length 4": Case(body("dd0418fe340401"), "bad_length", valid=False),
    "length 0": Case(body("dd0018fe340401"), "bad_length", valid=False),
    "one stray byte": Case(plain(b"hello") + b"\0", "stray", b"hello", False),
    "four stray bytes": Case(plain(b"hello") + b"\0\0\0\0", "stray", b"hello", False),
    "six stray bytes": Case(plain(b"hello") + b"\0" * 6, "stray", b"hello", False),
    "an FCS": Case(plain(b"hello") + frame.fcs(plain(b"hello")), "fcs", b"hello"),
    "an FCS whose highest bit is set": Case(plain(b"on") + frame.fcs(plain(b"on")), "fcs", b"on"),
    "1471 bytes": Case(body(elements(*[250] * 5, 221)), "too_long", b"m" * 1471, False),
    "1500 bytes": Case(body(elements(*[250] * 6)), "too_long", b"m" * 1500, False),
    "75000 bytes": Case(
        body(elements(*[250] * 300)), "too_long", b"m" * 75000, False, f"ESP-NOW v2, 75000 bytes: {'m' * 32}..."
    ),
    "more elements than are shown": Case(body(elements(*[0] * 401)), "too_many"),
    "sent back": Case(body("dd0618fe34040161", 0xFF), "returned", b"a", False, "ESP-NOW v1, returned, 1 byte: a"),
    "sent back, empty": Case(body("", 0xFF), "returned short", valid=False, info="ESP-NOW, no message, returned"),
}

CUT = {
    "in the random value": Case(cut(plain(b"hello"), AFTER_OUI + 3), "cut"),
    "after the random value": Case(cut(plain(b"hello"), AFTER_OUI + 4), "cut", info="ESP-NOW, no message"),
    "in the header of an element": Case(cut(plain(b"hello"), AFTER_OUI + 8), "cut"),
    "after the header of an element": Case(cut(plain(b"hello"), AFTER_OUI + 11), "cut"),
    "in the message": Case(cut(plain(b"hello"), AFTER_OUI + 13), "cut"),
    "in the second element": Case(cut(plain(b"z" * 251, 2), AFTER_OUI + 4 + 257 + 7), "cut", b"z" * 250),
    "before stray bytes": Case(cut(plain(b"hello") + b"\0\0", len(plain(b"hello"))), "cut", b"hello"),
    "in an empty message": Case(cut(body("dd0518fe340401") + b"\0", len(body("dd0518fe340401"))), "cut", b""),
}

FIELDS = ("espnow", *FILTERS, "_ws.lua.error", "_ws.malformed", "_ws.col.Protocol", "_ws.col.Info")


def mutants() -> Iterator[bytes]:
    """Yield what hostile senders send: frames that were changed, shortened and lengthened, and chance."""
    chance = random.Random(2)
    good = [case.mpdu for case in GOOD.values()]
    # What no radio can send has no `espnow.valid` when its elements are too many.
    odd = [case.mpdu for case in ODD.values() if len(case.mpdu) < 2304]
    for base in [*good, *odd, *chance.choices(good, k=200)]:
        content = bytearray(base)
        reach = min(len(content), AFTER_OUI + chance.choice((4, 20, 2000)))
        for _ in range(chance.choice((1, 1, 2, 8))):
            at = chance.randrange(min(AFTER_OUI, reach - 1), reach)
            content[at] = chance.choice((0, 1, 4, 5, 0x34, 0xDD, 0xFF, chance.randrange(256)))
        if chance.random() < 0.3:
            del content[chance.randrange(AFTER_OUI, len(content) + 1) :]
        if chance.random() < 0.3:
            content += chance.randbytes(chance.choice((1, 4, 7)))
        yield bytes(content)
    for length in range(60):
        yield plain(b"x")[:AFTER_OUI] + chance.randbytes(length)
    for length in range(40):
        yield chance.randbytes(length)
        yield protected(b"secret", 5)[: 24 + length]


MUTANTS = list(mutants())

#: A frame of two elements, and how many of its bytes each capture holds.
TWO = body("dd0818fe340412616263" + "dd0718fe3404026465")
HELD = range(BODY, len(TWO))


@pytest.fixture(scope="module")
def rows(tshark: Tshark) -> dict[str, list[Row]]:
    """Every frame of the tables, through tshark once."""
    whole = [case.mpdu for case in (GOOD | ODD).values()] + MUTANTS
    blocks = [case.mpdu for case in CUT.values()] + [cut(TWO, length) for length in HELD]
    found = tshark.rows(capture(*whole) + b"".join(blocks), *FIELDS, lua=True)
    assert len(found) == len(whole) + len(blocks)
    after = len(GOOD) + len(ODD)
    parts = len(whole) + len(CUT)
    return {
        "cases": found[:after] + found[len(whole) : parts],
        "mutants": found[after : len(whole)],
        "cut": found[parts:],
    }


def message_of(row: Row) -> bytes:
    return bytes.fromhex("".join(row["espnow.message"]).replace(":", ""))


def text_of(message: bytes) -> str | None:
    """Return a message as text, without the zeros that end it, if it is printable."""
    try:
        text = message.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return None
    controls = {letter for letter in text if unicodedata.category(letter) == "Cc"}
    return text if text and controls <= set("\t\r\n") else None


def check_like_parse(row: Row, expected: frame.Frame) -> None:
    assert number(row, "espnow.random") == expected.random_value
    assert number(row, "espnow.version") == expected.version
    assert number(row, "espnow.length") == len(expected.message)
    assert message_of(row) == expected.message
    assert row["espnow.valid"][0] in TRUE
    assert len(row["espnow.message.text"]) == (text_of(expected.message) is not None)
    parts = [bytes.fromhex(part.replace(":", "")) for part in row["espnow.element.message"]]
    assert b"".join(parts) == expected.message
    assert {int(oui, 0) for oui in row["espnow.element.oui"]} == {0x18FE34}
    assert {*row["espnow.element.id"], *row["espnow.element.type"]} == {"221", "4"}
    version_bytes = [int(value, 0) for value in row["espnow.element.version_byte"]]
    assert [int(value) for value in row["espnow.element.version"]] == [value & 0x0F for value in version_bytes]
    assert [value in TRUE for value in row["espnow.element.more"]] == [bool(value & 0x10) for value in version_bytes]
    assert sum(int(length) - 5 for length in row["espnow.element.length"]) == len(expected.message)


CASES = GOOD | ODD | CUT


@pytest.mark.parametrize("name", CASES)
def test_dissector(name: str, rows: dict[str, list[Row]]) -> None:
    case = CASES[name]
    row = rows["cases"][list(CASES).index(name)]
    assert row["_ws.lua.error"] == []
    assert [expert for expert in EXPERTS if row[f"espnow.{expert}"]] == [
        expert for expert in EXPERTS if expert in case.experts.split()
    ]
    if name in GOOD:
        expected = frame.parse(case.mpdu)
        assert isinstance(expected, frame.Frame)
        check_like_parse(row, expected)
    else:
        assert message_of(row) == (case.message or b"")
        assert number(row, "espnow.length") in (len(message_of(row)), None)
        assert [value in TRUE for value in row["espnow.valid"]] == ([] if case.valid is None else [case.valid])
    if name in GOOD:
        assert row["_ws.malformed"] == []
    text = text_of(message_of(row))
    # tshark escapes the ends of lines.
    assert row["espnow.message.text"] == ([] if text is None else [text.replace("\r", "\\r").replace("\n", "\\n")])
    if case.info is not None:
        # Wireshark itself says that a frame was cut.
        assert row["_ws.col.Info"][0].removesuffix("[Packet size limited during capture]") == case.info
    assert row["_ws.col.Protocol"] == ["ESP-NOW"]


def test_every_oddity_has_a_case() -> None:
    assert {name for case in CASES.values() for name in case.experts.split()} == set(EXPERTS)


def test_the_dissector_agrees_with_the_parser_whatever_the_bytes(rows: dict[str, list[Row]]) -> None:
    agreed = [0, 0]
    for mpdu, row in zip(MUTANTS, rows["mutants"], strict=True):
        assert row["_ws.lua.error"] == []
        try:
            expected = frame.parse(mpdu)
        except frame.FrameError:
            if row["espnow"] and not row["espnow.fcs"]:
                assert row["espnow.valid"] and row["espnow.valid"][0] in FALSE, mpdu.hex()
                assert any(row[f"espnow.{expert}"] for expert in EXPERTS)
                agreed[0] += 1
            continue
        if isinstance(expected, frame.Frame):
            check_like_parse(row, expected)
            agreed[1] += 1
    assert min(agreed) > 50, agreed


def test_a_frame_cut_anywhere(rows: dict[str, list[Row]]) -> None:
    whole = frame.parse(TWO)
    assert isinstance(whole, frame.Frame)
    for length, row in zip(HELD, rows["cut"], strict=True):
        assert row["_ws.lua.error"] == []
        assert {name for name in EXPERTS if row[f"espnow.{name}"]} == ({"cut"} if length > AFTER_OUI else set())
        assert row["espnow.valid"] == []
        assert whole.message.startswith(message_of(row))
        assert (
            b"".join(map(bytes.fromhex, row["espnow.element.message"]))
            == whole.message[: max(0, min(3, length - 39)) + max(0, length - 49)]
        )


def test_an_fcs_that_the_capture_declares_is_not_odd(tshark: Tshark) -> None:
    whole = plain(b"hello") + frame.fcs(plain(b"hello"))
    (row,) = tshark.rows(capture() + cut(whole, len(whole), flags=0x10), *FIELDS, lua=True)
    assert [name for name in EXPERTS if row[f"espnow.{name}"]] == []
    assert message_of(row) == b"hello"
    assert row["espnow.valid"][0] in TRUE


def test_encrypted_frames(tshark: Tshark) -> None:
    secret = protected(b"secret", 0x010203040506)
    pairwise = secret[:27] + b"\x20" + secret[28:]
    sent = {
        "short": (secret, "ESP-NOW, encrypted, packet number 1108152157446, 6 bytes"),
        "long": (protected(LONG, 2**48 - 1, 2), f"ESP-NOW, encrypted, packet number {2**48 - 1}, 1470 bytes"),
        "v1, full": (protected(b"x" * 250, 1), "ESP-NOW, encrypted, packet number 1, 250 bytes"),
        "two elements": (protected(b"x" * 251, 1, 2), "ESP-NOW, encrypted, packet number 1, 251 bytes"),
        "retry": (frame.with_retry(secret), "ESP-NOW, encrypted, packet number 1108152157446, retry, 6 bytes"),
        "no ack": (b"\xe0" + secret[1:], "ESP-NOW, encrypted, packet number 1108152157446, 6 bytes"),
        "cut": (None, "ESP-NOW, encrypted, packet number 1108152157446, 6 bytes"),
        "another key id": (pairwise, None),
        "too short": (secret[: 24 + 8 + 8 + 15], None),
        "data": (b"\x08" + secret[1:], None),
        "no frame": (frame.ack(SENDER), None),
        "plain": (plain(b"hello"), None),
    }
    mpdus = [mpdu for mpdu, _ in sent.values() if mpdu is not None]
    order = [name for name in sent if name != "cut"] + ["cut"]
    names = ("espnow.protected", "espnow.packet_number", "espnow.length", "_ws.lua.error", "_ws.col.Info")
    found = tshark.rows(capture(*mpdus) + cut(secret, len(secret) - 12), *names, lua=True)
    for name, row in zip(order, found, strict=True):
        info = sent[name][1]
        assert row["_ws.lua.error"] == []
        assert [value in TRUE for value in row["espnow.protected"]] == ([True] if info else []), name
        if info is not None:
            assert row["_ws.col.Info"] == [info]
            assert row["espnow.length"][0] in info
            assert row["espnow.packet_number"][0] in info


def test_the_filters_of_the_page(tshark: Tshark) -> None:
    page = (Path(__file__).parents[3] / "docs" / "wireshark.md").read_text("utf-8")
    block = page.partition("## Filters to begin with\n\n```\n")[2].partition("```")[0]
    filters = [line.partition("  ")[0] for line in block.splitlines()]
    assert len(filters) >= 10
    assert all("espnow" in text for text in filters)
    path = tshark.home / "air.pcapng"
    path.write_bytes(capture(plain(b"hello"), frame.ack(SENDER)))
    union = " || ".join(f"({text})" for text in filters)
    shown = tshark.run("-X", f"lua_script:{LUA}", "-r", str(path), "-Y", union)
    assert len(shown.splitlines()) == 2


def test_an_installed_dissector_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tshark = Tshark(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    folders = dict(re.findall(r"^([^:\n]+):\s+(.+)$", tshark.run("-G", "folders"), re.MULTILINE))
    assert plugin_directory() == Path(folders["Personal Lua Plugins"])
    install(plugin_directory())
    (row,) = tshark.rows(capture(plain(b"hello")), "espnow.message.text")
    assert row == {"espnow.message.text": ["hello"]}


def test_a_second_copy_is_not_loaded(tshark: Tshark) -> None:
    (tshark.home / "air.pcapng").write_bytes(capture(plain(b"hello")))
    script = ("-X", f"lua_script:{LUA}")
    shown = tshark.run(*script, *script, "-r", str(tshark.home / "air.pcapng"), "-T", "fields", "-e", "espnow.length")
    assert shown.splitlines() == ["espnow.lua: not loaded, there is already a protocol espnow", "5"]

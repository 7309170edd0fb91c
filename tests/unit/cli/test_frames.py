"""How a frame is shown: as a line and as JSON, for all that a capture can hold."""

from __future__ import annotations

import argparse
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow import frame as wire
from espnow.capture import CapturedFrame, Dissector, KeyRing
from espnow.cli._frames import (
    add_reading_options,
    as_json,
    as_line,
    make_dissector,
    rate_name,
    read_keys,
    shown_argument,
)
from espnow.errors import UserError
from espnow.frame import RATES, radiotap
from espnow.frame.captures import Interface, Record
from espnow.frame.decoders import Decoders

A = bytes.fromhex("30aaaaaaaaaa")
B = bytes.fromhex("18fe34000008")
LMK = b"lmk1234567890123"
KEY = wire.derive_key(wire.DEFAULT_PMK, LMK)
RADIOTAP = Interface(0, 3, 127, 0, None, "wlan0", 1_000_000, 0)
S = 10**9
DAY = 86_400 * S


def plain(message: bytes = b"hello", *, to: bytes = B, **more: object) -> bytes:
    return wire.build(to, A, message, **({"seq": 5, "random_value": 6} | more))  # type: ignore[arg-type]


def sealed(message: bytes = b"secret", number: int = 9, key: bytes = KEY, version: int = 1) -> bytes:
    return wire.build_protected(B, A, message, seq=5, random_value=6, key=key, packet_number=number, version=version)


def dissected(
    mpdu: bytes,
    *,
    at_ns: int | None = 100_230_000,
    key: bool = False,
    decoders: Decoders | None = None,
    header: bytes | None = radiotap.build(channel=6, rate=0, rssi_dbm=-50),
    missing: int = 0,
) -> CapturedFrame:
    ring = KeyRing()
    if key:
        ring.add(LMK, name="greenhouse")
    on = RADIOTAP if header is not None else RADIOTAP._replace(link_type=105)
    packet = (header or b"") + mpdu
    found = Dissector(ring, decoders).dissect(Record(at_ns, on, packet, len(packet) + missing))
    assert isinstance(found, CapturedFrame)
    return found


def line(mpdu: bytes, *, keys: bool = False, **more: object) -> str:
    return as_line(dissected(mpdu, **more), keys=keys)  # type: ignore[arg-type]


HEAD = "       0.100230  30:aa:aa:aa:aa:aa > 18:fe:34:00:00:08  "


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (line(plain()), HEAD + 'v1  ch  6   -50 dBm      1M         plain         5 B  "hello"'),
        (line(plain(retry=True)), HEAD + 'v1  ch  6   -50 dBm      1M  retry  plain         5 B  "hello"'),
        (line(plain(), header=None), HEAD + 'v1  ch  ?     ? dBm       ?         plain         5 B  "hello"'),
        (
            line(plain(), header=radiotap.build(channel=14, rate=3)),
            HEAD + 'v1  ch 14     ? dBm     11M         plain         5 B  "hello"',
        ),
        (line(plain(b"\0\xff")), HEAD + "v1  ch  6   -50 dBm      1M         plain         2 B  00ff"),
        (
            line(sealed()),
            HEAD + "v?  ch  6   -50 dBm      1M         encrypted     6 B  no key given",
        ),
        (
            line(sealed(), keys=True),
            HEAD + "v?  ch  6   -50 dBm      1M         encrypted     6 B  no key opens it (wrong MIC)",
        ),
        (
            line(sealed(), keys=True, key=True),
            HEAD + 'v1  ch  6   -50 dBm      1M         decrypted     6 B  "secret"',
        ),
        (
            line(sealed(b"y" * 300, version=2), keys=True, key=True),
            HEAD + f'v2  ch  6   -50 dBm      1M         decrypted   300 B  "{"y" * 300}"',
        ),
        (
            line(plain(bytes(1470), version=2)),
            HEAD + f"v2  ch  6   -50 dBm      1M         plain      1470 B  {'00' * 1470}",
        ),
        (
            line(sealed()[:-2], missing=2),
            HEAD
            + "v?  ch  6   -50 dBm      1M         encrypted     ? B  not all of it is there  [the capture cut it off]",
        ),
        (
            line(plain()[:-2], missing=2),
            HEAD + 'v1  ch  6   -50 dBm      1M         plain         3 B  "hel"  [the capture cut it off]',
        ),
        (
            line(plain(bssid=B) + b"\0\0\0"),
            HEAD + 'v1  ch  6   -50 dBm      1M         plain         5 B  "hello"  '
            "[stray bytes after the last element; addr3 is the destination, as an ESP8266 writes it]",
        ),
    ],
)
def test_a_line(shown: str, expected: str) -> None:
    assert shown == expected


def test_lines_are_aligned() -> None:
    lines = [
        line(plain(b"@"), header=radiotap.build(channel=channel, rate=rate, rssi_dbm=rssi), at_ns=at_ns)
        for channel in (1, 14)
        for rate in RATES
        for rssi in (None, 0, -5, -128)
        for at_ns in (None, 0, 99_999 * S)
        if len(rate_name(rate)) <= 6
    ]
    assert {text.index('"@"') for text in lines} == {lines[0].index('"@"')}


@pytest.mark.parametrize(
    ("at_ns", "shown", "date"),
    [
        (None, "        no time", None),
        (0, "       0.000000", "1970-01-01T00:00:00.000000Z"),
        (1_999, "       0.000001", "1970-01-01T00:00:00.000001Z"),
        (-1_500_000_000, "      -1.500000", None),
        (86_400 * S, "   86400.000000", "1970-01-02T00:00:00.000000Z"),
        (365 * DAY - 1, "31535999.999999", "1970-12-31T23:59:59.999999Z"),
        (365 * DAY, "1971-01-01 00:00:00.000000", "1971-01-01T00:00:00.000000Z"),
        (1_700_000_000_123_456_789, "2023-11-14 22:13:20.123456", "2023-11-14T22:13:20.123456Z"),
        (253_402_300_799_999_999_999, "9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999Z"),
        (253_402_300_800 * S, "253402300800.000000", None),
        (2**64 * S, "18446744073709551616.000000", None),
        (-(2**63) * S, "-9223372036854775808.000000", None),
    ],
)
def test_times(at_ns: int | None, shown: str, date: str | None) -> None:
    found = dissected(plain(), at_ns=at_ns)
    assert as_line(found).startswith(shown + "  30:aa")
    told = as_json(found)
    assert (told["at_ns"], told["time"]) == (at_ns, date)


@pytest.mark.parametrize(
    ("rate", "name"),
    [
        (0, "1M"),
        (1, "2M"),
        (2, "5.5M"),
        (3, "11M"),
        (5, "2M short"),
        (8, "48M"),
        (11, "6M"),
        (16, "MCS0"),
        (31, "MCS7 SGI"),
        (41, "LR250k"),
        (42, "LR500k"),
        (None, "?"),
    ],
)
def test_rates(rate: int | None, name: str) -> None:
    assert rate_name(rate) == name


def test_every_rate_has_a_name_of_its_own() -> None:
    names = [rate_name(number) for number in RATES]
    assert len(set(names)) == len(names)
    for number in RATES:
        found = dissected(plain(), header=radiotap.build(channel=1, rate=number))
        told = as_json(found)
        if number == 41:  # radiotap cannot hold it
            assert told["rate"] is None
        else:
            assert (told["rate"], told["rate_kbit_s"]) == (RATES[number].name, RATES[number].kbit_s)
            assert f" {rate_name(number)} " in as_line(found)


# What was sent by the capturing computer.


@pytest.mark.parametrize(
    ("to", "flags", "retries", "says"),
    [
        (B, 0, 0, "[sent from here, acknowledged after 0 retries]"),
        (B, 0, 1, "[sent from here, acknowledged after 1 retry]"),
        (B, radiotap.TX_FAILED, 11, "[sent from here, not acknowledged after 11 retries]"),
        (B, 0, None, "[sent from here, acknowledged]"),
        (wire.BROADCAST, 0, None, "[sent from here]"),
        (wire.BROADCAST, 0, 0, "[sent from here after 0 retries]"),
    ],
)
def test_a_report_of_a_sending(to: bytes, flags: int, retries: int | None, says: str) -> None:
    header = radiotap.build(rate=0, tx_flags=flags, data_retries=retries)
    found = dissected(plain(to=to), header=header)
    assert as_line(found).endswith(f'"hello"  {says}')
    assert as_json(found)["transmitted"] == {"failed": bool(flags), "retries": retries}


def test_what_was_received_is_not_said_to_be_sent() -> None:
    assert "transmitted" not in as_json(dissected(plain()))
    assert "sent from here" not in line(plain())


# JSON.

PLAIN = {
    "at_ns": 100_230_000,
    "time": "1970-01-01T00:00:00.100230Z",
    "interface": 3,
    "source": "30:aa:aa:aa:aa:aa",
    "destination": "18:fe:34:00:00:08",
    "addr3": "ff:ff:ff:ff:ff:ff",
    "seq": 5,
    "retry": False,
    "duration_us": 314,
    "channel": 6,
    "frequency_mhz": 2437,
    "rssi_dbm": -50,
    "noise_dbm": None,
    "rate": "1M_L",
    "rate_kbit_s": 1000,
    "encrypted": False,
    "decrypted": False,
    "key": None,
    "packet_number": None,
    "replayed": False,
    "version": 1,
    "random_value": 6,
    "length": 5,
    "hex": "68656c6c6f",
    "text": "hello",
    "decoded": None,
    "oddities": [],
    "accepted": True,
}


def test_json_of_a_plain_frame() -> None:
    assert as_json(dissected(plain(duration=314))) == PLAIN
    assert list(as_json(dissected(plain()))) == list(PLAIN)


def test_json_of_an_encrypted_frame() -> None:
    told = as_json(dissected(sealed(), key=True))
    assert told == PLAIN | {
        "duration_us": 0,
        "encrypted": True,
        "decrypted": True,
        "key": "greenhouse",
        "packet_number": 9,
        "length": 6,
        "hex": b"secret".hex(),
        "text": "secret",
    }
    told = as_json(dissected(sealed(), key=False))
    assert told == PLAIN | {
        "duration_us": 0,
        "encrypted": True,
        "packet_number": 9,
        "version": None,
        "random_value": None,
        "length": 6,
        "hex": None,
        "text": None,
    }


def test_json_of_a_frame_without_anything_around_it() -> None:
    told = as_json(dissected(plain(duration=314), header=None, at_ns=None))
    nothing = ("at_ns", "time", "channel", "frequency_mhz", "rssi_dbm", "noise_dbm", "rate", "rate_kbit_s")
    assert told == PLAIN | dict.fromkeys(nothing)
    found = Dissector().examine(plain(duration=314))
    assert found is not None
    assert as_json(found) == PLAIN | dict.fromkeys(nothing) | {"interface": None}


def test_a_replay_is_said() -> None:
    ring = KeyRing()
    ring.add(LMK)
    dissector = Dissector(ring)
    found = [dissector.examine(sealed(number=number)) for number in (5, 4, 5)]
    told = [(as_json(one)["replayed"], "packet number went back" in as_line(one)) for one in found if one is not None]
    assert told == [(False, False), (True, True), (False, False)]


def test_what_a_decoder_says() -> None:
    decoders = Decoders.from_toml(
        '[[message]]\nname = "weather"\nstruct = "<H4sf"\nfields = ["lux", "place", {name = "t", unit = "°C"}]'
    )
    found = dissected(plain(b"\x10\0a\x1b[m" + b"\0\0\xc0\x7f"), decoders=decoders)
    assert as_line(found).endswith("10006" + "11b5b6d0000c07f  weather lux=16 place=0x611b5b6d t=nan °C")
    told = json.loads(json.dumps(as_json(found), allow_nan=False))  # JSON has no nan
    assert told["decoded"]["name"] == "weather"
    assert list(told["decoded"]["fields"]) == ["lux", "place", "t"]


# Lengths.


@pytest.mark.parametrize("length", [1, 2, 249, 250, 251, 252, 499, 500, 501, 1249, 1250, 1251, 1469, 1470])
def test_the_length_of_an_encrypted_message_follows_from_its_size(length: int) -> None:
    frame = wire.parse(sealed(bytes(length), version=2))
    assert isinstance(frame, wire.ProtectedFrame)
    assert frame.message_length == length


@given(st.binary(max_size=80))
def test_the_length_of_whatever_is_encrypted_is_that_of_a_message_or_none(rest: bytes) -> None:
    found = dissected(sealed()[:32] + rest)
    assert isinstance(found.frame, wire.ProtectedFrame)
    length = found.frame.message_length
    assert length == (len(rest) - 23 if len(rest) > 23 else None)
    assert as_json(found)["length"] == length


@pytest.mark.parametrize(("more", "length"), [(1, None), (7, None), (8, 251), (9, 252)])
def test_no_message_ends_with_a_part_of_an_element(more: int, length: int | None) -> None:
    found = dissected(sealed(bytes(250)) + bytes(more))
    assert isinstance(found.frame, wire.ProtectedFrame)
    assert found.frame.message_length == length


# What comes by air is hostile.


@given(st.binary(min_size=1, max_size=250) | st.text(min_size=1, max_size=60).map(str.encode), st.integers(-128, 127))
def test_any_message_is_one_printable_line_and_one_object(message: bytes, rssi_dbm: int) -> None:
    found = dissected(plain(message), header=radiotap.build(channel=1, rate=0, rssi_dbm=rssi_dbm))
    shown = as_line(found)
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1
    text = json.dumps(as_json(found))
    assert text.isascii()
    assert text.isprintable()
    told = json.loads(text)
    assert bytes.fromhex(told["hex"]) == message
    assert told["text"] is None or told["text"].encode() == message


@pytest.mark.parametrize(
    "message",
    [
        "a\x1b[2Jb",
        "a\nb",
        "a\rb",
        "a\x07",
        "\u202eabc",
        "a\u2028b",
        "\x9b31m",
        "\x7f",
        "\ue000",
        "a\tb",
        "\ufeff",
        "\xad",
    ],
)
def test_what_moves_a_terminal_is_shown_as_digits(message: str) -> None:
    assert line(plain(message.encode())).endswith("  " + message.encode().hex())


def test_a_message_cannot_pretend_to_be_more() -> None:
    shown = line(plain(b'x"  [its FCS is wrong] \\"'))
    assert shown.endswith('"x\\"  [its FCS is wrong] \\\\\\""')
    assert line(plain("grüß ✓ 你好".encode())).endswith('"grüß ✓ 你好"')


# Options.


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_reading_options(parser)
    return parser.parse_args(arguments)


def test_no_option_makes_no_keys() -> None:
    assert read_keys(parsed()) is None
    assert make_dissector(parsed(), None).examine(sealed()) is not None


def test_pmk_alone_opens_nothing() -> None:
    with pytest.raises(UserError, match="--pmk alone opens nothing"):
        read_keys(parsed("--pmk", "pmk1234567890123"))


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("lmk1234567890123", True),
        ("pass word!#%$&()", True),
        ("00112233445566778899aabbccddeeff", True),
        ("00112233445566778899AABBCCDDEEFF", True),
        ("air.pcapng", False),
        ("capture01.pcapng", False),
        ("captures/monday1", False),
        ("", False),
        ("-", False),
        ("lmk123456789012", False),
        ("g" * 32, False),
    ],
)
def test_an_argument_that_could_be_a_key_is_not_shown(text: str, hidden: bool) -> None:
    assert shown_argument(text) == ("(not shown: it could be a key)" if hidden else text)
    assert shown_argument("a\x1b[2J") == "a\\x1b[2J"

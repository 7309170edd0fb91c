"""``espnow decode``: what it prints, keys, filters, the summary, pipes, damage, mistakes."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from espnow import frame as wire
from espnow.capture import PcapngWriter
from espnow.cli import _show, decode
from espnow.cli.main import main
from espnow.frame import captures, radiotap
from espnow.frame.mac80211 import ManagementHeader, build_header, fcs

A = bytes.fromhex("30aaaaaaaaaa")
B = bytes.fromhex("18fe34000008")
C = bytes.fromhex("18fe3400000c")
MULTICAST = bytes.fromhex("01005e000001")
PMK = "pmk1234567890123"
LMK = "lmk1234567890123"
KEY = wire.derive_key(wire.DEFAULT_PMK, LMK.encode())
SECRET = "hushhush12345678"


def plain(message: bytes = b"hello", *, to: bytes = B, source: bytes = A, seq: int = 1, **more: Any) -> bytes:
    return wire.build(to, source, message, **({"seq": seq, "random_value": seq + 100} | more))


def sealed(message: bytes = b"secret", *, key: bytes = KEY, seq: int = 1, number: int = 1, source: bytes = A) -> bytes:
    return wire.build_protected(B, source, message, seq=seq, random_value=7, key=key, packet_number=number)


def write(path: Path, *mpdus: bytes, begin_us: int = 1_000_000) -> Path:
    with path.open("wb") as file, PcapngWriter(file) as writer:
        for number, mpdu in enumerate(mpdus):
            writer.write(mpdu, at_us=begin_us + 1000 * number, channel=6, rate=0, rssi_dbm=-50)
    return path


class Result(NamedTuple):
    """What the command did."""

    code: object
    out: list[str]
    err: list[str]

    @property
    def messages(self) -> list[str]:
        """Return what stands after the length of each line."""
        return [line.split(" B  ", 1)[1] for line in self.out]

    @property
    def json(self) -> list[Any]:
        """Return the objects."""
        return [json.loads(line) for line in self.out]


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, stdin: bytes | None = None) -> Result:
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code: object
        try:
            code = main(["decode", *map(str, arguments)])
        except SystemExit as error:
            code = error.code
        out, err = capsys.readouterr()
        return Result(code, out.splitlines(), err.splitlines())

    return run


@pytest.fixture
def air(tmp_path: Path) -> Path:
    """Return a capture of several kinds of frames."""
    return write(
        tmp_path / "air.pcapng",
        plain(b"one"),
        wire.ack(A),
        plain(b"two", seq=2, to=wire.BROADCAST),
        plain(b"three" * 60, seq=3, version=2),
        plain(b"three" * 60, seq=3, version=2, retry=True),
        plain(b"four", seq=9, source=C, to=MULTICAST),
        sealed(seq=5, number=1),
        sealed(b"unknown", seq=6, number=2, key=bytes(16)),
        plain(b"odd", seq=8, bssid=B),
        plain(b"to A", source=B, to=A),
    )


# Lines.


def test_a_line_a_message(run: Run, air: Path) -> None:
    result = run(air)
    assert (result.code, result.err) == (0, [])
    pair = "30:aa:aa:aa:aa:aa > 18:fe:34:00:00:08"
    assert result.out[0] == f'       1.000000  {pair}  v1  ch  6   -50 dBm      1M         plain         3 B  "one"'
    assert result.messages == [
        '"one"',
        '"two"',
        f'"{"three" * 60}"',
        f'"{"three" * 60}"',
        '"four"',
        "no key given",
        "no key given",
        '"odd"  [addr3 is the destination, as an ESP8266 writes it]',
        '"to A"',
    ]


def test_json_is_one_object_a_line(run: Run, air: Path) -> None:
    result = run("--json", air)
    assert (result.code, result.err) == (0, [])
    assert [told["text"] for told in result.json[:3]] == ["one", "two", "three" * 60]
    assert [told["at_ns"] for told in result.json[:2]] == [1_000_000_000, 1_002_000_000]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
@pytest.mark.parametrize("fcs_told", [False, True])
def test_pcap_without_radiotap(run: Run, tmp_path: Path, order: str, magic: int, fcs_told: bool) -> None:
    mpdu = plain() + (fcs(plain()) if fcs_told else b"")
    link = 105 | (0x24000000 if fcs_told else 0)
    content = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    content += struct.pack(order + "IIII", 1_700_000_000, 123, len(mpdu), len(mpdu)) + mpdu
    (tmp_path / "x.pcap").write_bytes(content)
    result = run("x.pcap")
    time_shown = "22:13:20.000123" if magic == 0xA1B2C3D4 else "22:13:20.000000"
    pair = "30:aa:aa:aa:aa:aa > 18:fe:34:00:00:08"
    line = f'2023-11-14 {time_shown}  {pair}  v1  ch  ?     ? dBm       ?         plain         5 B  "hello"'
    assert result == (0, [line], [])


def test_packets_without_a_time_and_cut_by_the_snap_length(run: Run, tmp_path: Path) -> None:
    packet = radiotap.build(channel=6) + plain()
    there = packet[:-2] + bytes(2)
    simple = struct.pack("<III", 3, 16 + len(there) + -len(there) % 4, len(packet)) + there + bytes(-len(there) % 4)
    simple += struct.pack("<I", len(simple) + 4)
    content = captures.build_section() + captures.build_interface(127, snap_length=len(packet) - 2)
    (tmp_path / "x.pcapng").write_bytes(content + simple)
    result = run("x.pcapng")
    assert result.code == 0, result
    assert result.out[0].startswith("        no time  30:aa")
    assert result.messages == ['"hel"  [the capture cut it off]']


def test_several_interfaces_and_files(run: Run, tmp_path: Path) -> None:
    content = captures.build_section() + captures.build_interface(127, name="wlan0") + captures.build_interface(105)
    content += captures.build_packet(radiotap.build(channel=6) + plain(b"zero"), at_us=5, interface=0)
    content += captures.build_packet(plain(b"one"), at_us=6, interface=1)
    (tmp_path / "x.pcapng").write_bytes(content)
    write(tmp_path / "y.pcapng", plain(b"other file", seq=9))
    result = run("--json", "x.pcapng", "y.pcapng", "x.pcapng")
    assert [(told["interface"], told["text"]) for told in result.json] == [
        (0, "zero"),
        (1, "one"),
        (0, "other file"),
        (0, "zero"),
        (1, "one"),
    ]


def test_options_may_stand_between_files(run: Run, air: Path) -> None:
    result = run(air, "--json", air, "--to", "30:aa:aa:aa:aa:aa", air)
    assert result.code == 0, result.err
    assert len(result.out) == 3


def test_what_the_output_cannot_encode_is_escaped(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "x.pcapng", plain("grüß 你".encode()), plain(b"next", seq=2))
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert run("x.pcapng").code == 0
    out.seek(0)
    assert [line.split(" B  ")[1] for line in out.read().splitlines()] == ['"gr\\xfc\\xdf \\u4f60"', '"next"']


class Terminal(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("columns", "limit"), [(80, 160), (100, 200), (159, 318), (160, 160), (200, 200), (20, 160)])
def test_on_a_terminal_a_line_is_cut_to_whole_rows(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, limit: int
) -> None:
    write(tmp_path / "x.pcapng", plain(b"x" * 250), plain(b"y", seq=2))
    monkeypatch.setenv("COLUMNS", str(columns))
    for options, shown in (((), [limit, None]), (("--full",), [None, None]), (("--json",), [None, None])):
        monkeypatch.setattr(sys, "stdout", Terminal())
        run("x.pcapng", *options)
        lines = sys.stdout.getvalue().splitlines()  # type: ignore[attr-defined]
        for line, length in zip(lines, shown, strict=True):
            assert line.endswith("…") == (length is not None)
            assert length is None or len(line) == length
        assert '"xxxx' in lines[0]  # something of the message is there on the narrowest of them


# Filters.

MACS = {"A": "30:aa:aa:aa:aa:aa", "B": "18:fe:34:00:00:08", "C": "18-FE-34-00-00-0C"}
ALL = ["one", "two", "three", "three", "four", "sealed", "unknown", "odd", "to A"]


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        (["--from", MACS["C"]], [9]),
        (["--to", MACS["A"]], [1]),
        (["--address", MACS["C"]], [9]),
        (["--address", MACS["C"], "--address", MACS["B"]], [1, 3, 3, 9, 5, 6, 8, 1]),
        (["--from", MACS["A"], "--to", "ff:ff:ff:ff:ff:ff"], [2]),
        (["--from", MACS["A"], "--to", MACS["A"]], []),
        (["--type", "v1"], [1, 2, 9, 8, 1]),
        (["--type", "v2"], [3, 3]),
        (["--type", "v1,v2"], [1, 2, 3, 3, 9, 8, 1]),
        (["--type", "plain"], [1, 2, 3, 3, 9, 8, 1]),
        (["--type", "encrypted"], [5, 6]),
        (["--type", "unicast"], [1, 3, 3, 5, 6, 8, 1]),
        (["--type", "broadcast"], [2]),
        (["--type", "multicast"], [9]),
        (["--type", "broadcast", "--type", "multicast"], [2, 9]),
        (["--type", "retry"], [3]),
        (["--type", "odd"], [8]),
        (["--type", "odd,retry"], []),
        (["--type", " V1 , Broadcast"], [2]),
        (["--type", "v1", "--address", MACS["B"], "--from", MACS["B"]], [1]),
    ],
)
def test_filters(run: Run, air: Path, options: list[str], seqs: list[int]) -> None:
    result = run("--json", *options, air)
    assert result.code == 0
    assert [told["seq"] for told in result.json] == seqs
    none = [] if seqs else ["--- none of 9 frames is of those that were asked for"]
    assert result.err == none


# Keys.


def key_file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("lmk", [LMK, LMK.encode().hex(), LMK.encode().hex().upper()])
def test_the_right_key_opens_and_the_rest_is_said(run: Run, air: Path, lmk: str) -> None:
    result = run("--lmk", lmk, "--type", "encrypted", air)
    assert result.messages == ['"secret"', "no key opens it (wrong MIC)"]
    assert result.err == []
    assert "decrypted" in result.out[0]


def test_keys_from_options_and_files(run: Run, tmp_path: Path) -> None:
    keys = [wire.derive_key(pmk, lmk) for pmk in (wire.DEFAULT_PMK, PMK.encode()) for lmk in (b"a" * 16, b"b" * 16)]
    write(tmp_path / "x.pcapng", *(sealed(b"%d" % n, key=key, seq=n, number=n + 1) for n, key in enumerate(keys)))
    assert run("x.pcapng", "--lmk", "a" * 16, "--lmk", "b" * 16).messages[:2] == ['"0"  [by key 1]', '"1"  [by key 2]']
    assert run("x.pcapng", "--lmk", "a" * 16, "--pmk", PMK).messages[2] == '"2"'
    key_file(tmp_path, f'[[key]]\nlmk="{"a" * 16}"\n[[key]]\nname="b"\nlmk="{"b" * 16}"\npmk="{PMK}"')
    result = run("x.pcapng", "--keys", "keys.toml", "--json")
    assert [told["key"] for told in result.json] == ["key 1", None, None, "b"]
    result = run("x.pcapng", "--keys", "keys.toml", "--pmk", PMK, "--lmk", "b" * 16, "--json")
    assert [told["text"] for told in result.json] == [None, None, "2", "3"]
    key_file(tmp_path, f'[[key]]\nlmk="{"a" * 16}"\naddress="{MACS["C"]}"')
    assert run("x.pcapng", "--keys", "keys.toml").messages[0] == "no key opens it (wrong MIC)"


def test_a_key_file_with_a_byte_order_mark(run: Run, air: Path, tmp_path: Path) -> None:
    path = key_file(tmp_path, "")
    path.write_bytes(b"\xef\xbb\xbf" + f'[[key]]\r\nlmk="{LMK}"\r\n'.encode())
    assert run(air, "--keys", path, "--type", "encrypted").messages[0] == '"secret"'


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o644, True)]
)
def test_a_key_file_that_others_can_read_gets_a_warning(
    run: Run, air: Path, tmp_path: Path, mode: int, warned: bool
) -> None:
    key_file(tmp_path, f'[[key]]\nlmk="{LMK}"', mode)
    result = run(air, "--keys", "keys.toml", "--type", "encrypted")
    assert (result.code, result.messages[0]) == (0, '"secret"')
    warning = "espnow decode: warning: --keys keys.toml: others can read the keys in it; chmod 600 it"
    assert result.err == ([warning] if warned else [])


def test_decoders_explain(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "x.pcapng", plain(b"\x10\0"))
    (tmp_path / "d.toml").write_text('[[message]]\nname="m"\nstruct="<H"\nfields=["lux"]')
    assert run("x.pcapng", "--decoders", "d.toml").messages == ["1000  m lux=16"]
    assert run("x.pcapng", "--decoders", "d.toml", "--json").json[0]["decoded"]["fields"] == {"lux": 16}


# Secrets.

LEAKS: list[list[str]] = [
    ["--lmkk", SECRET, "air.pcapng"],
    ["air.pcapng", "--lmkk", SECRET],
    ["air.pcapng", f"--lmkk={SECRET}"],
    ["air.pcapng", f"--json={SECRET}"],
    ["air.pcapng", f"-lmk={SECRET}"],
    ["air.pcapng", f"--{SECRET}"],
    ["air.pcapng", f"-{SECRET}"],
    ["air.pcapng", SECRET],
    ["air.pcapng", SECRET.encode().hex()],
    [SECRET, "air.pcapng"],
    ["--lmk", LMK, SECRET, "air.pcapng"],
    ["--lmk", f"{SECRET}x", "air.pcapng"],
    ["--pmk", f"{SECRET}x", "--lmk", LMK, "air.pcapng"],
    ["--pmk", SECRET, "air.pcapng"],
    ["--keys", SECRET, "air.pcapng"],
    ["--decoders", SECRET, "air.pcapng"],
    ["--address", SECRET, "air.pcapng"],
    ["--from", SECRET, "air.pcapng"],
    ["--type", SECRET, "air.pcapng"],
    ["--keys", "keys.toml", "air.pcapng"],
    ["--keys", "binary.toml", "air.pcapng"],
]


@pytest.mark.parametrize("arguments", LEAKS, ids=lambda arguments: " ".join(arguments).replace(SECRET, "S"))
def test_a_mistake_repeats_no_key(run: Run, air: Path, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "keys.toml").write_text(f"lmk = {SECRET}")
    (tmp_path / "binary.toml").write_bytes(SECRET.encode() + b"\xff")
    result = run(*arguments)
    assert (result.code, result.out) == (2, [])
    assert len(result.err) == 1
    assert SECRET not in result.err[0]
    assert SECRET.encode().hex() not in result.err[0]


@pytest.mark.parametrize("secret", [SECRET, "it's a key123456", SECRET.encode().hex()])
def test_a_key_in_the_place_of_a_command_is_not_repeated(capsys: pytest.CaptureFixture[str], secret: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([secret])
    err = capsys.readouterr().err
    assert caught.value.code == 2
    assert secret not in err
    assert err.count("\n") == 1
    assert "decode" in err


def test_an_unknown_option_is_named(run: Run, air: Path) -> None:
    assert run(air, "--lmkk", SECRET).err == ["espnow decode: unknown option --lmkk; see espnow decode --help"]
    assert run(air, "--jso").err == ["espnow decode: unknown option --jso; see espnow decode --help"]
    assert run(air, "--json=yes").err == ["espnow decode: argument --json: takes no value; see espnow decode --help"]


def test_keys_appear_in_no_output(run: Run, air: Path) -> None:
    for options in ([], ["--json"], ["--summary"], ["--summary", "--json"]):
        result = run(air, "--lmk", LMK, "--pmk", PMK, *options)
        for secret in (LMK, PMK, LMK.encode().hex(), PMK.encode().hex()):
            assert secret not in "\n".join(result.out + result.err)


# Mistakes.


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no capture given"),
        (["nosuch.pcapng"], "nosuch.pcapng: No such file"),
        (["air.pcapng", "nosuch.pcapng"], "nosuch.pcapng: No such file"),
        (["."], ".: Is a directory"),
        (["a\0b"], "embedded null"),
        (["a\x1b[2J\nb"], "a\\x1b[2J\\nb: No such file"),
        (["--pmk", PMK, "air.pcapng"], "--pmk alone opens nothing"),
        (["--lmk", "short", "air.pcapng"], "--lmk: a key is 16 characters or 32 hexadecimal digits; this has 5"),
        (["--lmk"], "expected one argument"),
        (["--keys", "nosuch.toml", "air.pcapng"], "--keys nosuch.toml: No such file"),
        (["--keys", ".", "air.pcapng"], "--keys .: Is a directory"),
        (["--keys", "a\0b", "air.pcapng"], "--keys a\\x00b: embedded null"),
        (["--keys", "air.pcapng", "air.pcapng"], "--keys air.pcapng: not UTF-8 text"),
        (["--decoders", "bad.toml", "air.pcapng"], "--decoders bad.toml: "),
        (["--keys", "bad.toml", "air.pcapng"], "--keys bad.toml: no valid TOML at"),
        (["--address", "30:aa", "air.pcapng"], "--address: 30:aa is no MAC address"),
        (["--to", "", "air.pcapng"], "--to:  is no MAC address"),
        (["--type", "v3", "air.pcapng"], "--type v3: there is no such type; there are v1, v2"),
        (["--type", "", "air.pcapng"], "there is no such type"),
        (["--wireshark", "air.pcapng"], "cannot write air.pcapng"),
    ],
    ids=lambda value: repr(value)[:50] if isinstance(value, list) else None,
)
def test_a_mistake_is_one_line_and_exit_code_2(
    run: Run, air: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "bad.toml").write_text("= 1")
    result = run(*arguments)
    assert (result.code, result.out) == (2, [])
    assert len(result.err) == 1
    assert result.err[0].startswith("espnow decode: ")
    assert says in result.err[0]
    assert result.err[0].isprintable()


def test_standard_input_that_is_a_terminal_or_closed(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for stdin, says in ((Terminal(), "is a terminal"), (None, "there is no standard input")):
        monkeypatch.setattr(sys, "stdin", stdin)
        result = run("-")
        assert result.code == 2
        assert says in result.err[0]


def test_help(run: Run) -> None:
    result = run("--help")
    assert result.code == 0
    text = "\n".join(result.out)
    for word in (
        "--keys",
        "--lmk",
        "--pmk",
        "--address",
        "--type",
        "--json",
        "--summary",
        "--wireshark",
        "130",
        "[[key]]",
    ):
        assert word in text
    assert max(map(len, result.out)) <= 120
    for names in decode._TYPES:
        for name in names:
            assert name in text


# Damage.


def test_all_that_stands_before_a_damage_is_printed(run: Run, tmp_path: Path) -> None:
    whole = write(tmp_path / "x.pcapng", *(plain(b"%d" % n, seq=n) for n in range(5))).read_bytes()
    for cut in range(0, len(whole), 7):
        (tmp_path / "x.pcapng").write_bytes(whole[:cut])
        result = run("x.pcapng", "--json")
        texts = [told["text"] for told in result.json]
        assert texts == [str(n) for n in range(len(texts))]
        ends_well = not result.err or result.err == ["--- no ESP-NOW frame in 0 packets"]
        assert result.code == (0 if ends_well else 1)
        if not ends_well:
            assert result.err[-1].startswith("espnow decode: x.pcapng: the capture ")
            assert len(result.err) == 1
    (tmp_path / "x.pcapng").write_bytes(whole)
    assert len(run("x.pcapng").out) == 5


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the capture is empty"),
        (b"hello, I am no capture", "neither pcap nor pcapng"),
        (b"\x1f\x8b\x08" + bytes(30), "compressed with gzip"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--json"], ["--summary"]])
def test_what_is_no_capture_is_one_line(
    run: Run, tmp_path: Path, content: bytes, says: str, options: list[str]
) -> None:
    (tmp_path / "x\x1b.pcap").write_bytes(content)
    result = run("x\x1b.pcap", *options)
    assert (result.code, result.out) == (1, [])
    assert len(result.err) == 1
    assert result.err[0].startswith("espnow decode: x\\x1b.pcap: ")
    assert says in result.err[0]


def test_a_damaged_file_does_not_hide_the_next(run: Run, air: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.pcapng").write_bytes(air.read_bytes()[:-5])
    result = run("cut.pcapng", air, "--type", "v1", "--json")
    assert result.code == 1
    assert len(result.out) == 4 + 5
    assert len(result.err) == 1


def test_blocks_that_make_no_sense_are_counted(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "x.pcapng", plain(b"before"))
    bad = captures.build_packet(b"?", at_us=1, interface=9)
    good = captures.build_packet(radiotap.build(channel=6) + plain(b"after"), at_us=1)
    for count, says in ((1, "1 block left out"), (2, "2 blocks left out")):
        (tmp_path / "y.pcapng").write_bytes(path.read_bytes() + bad * count + good)
        result = run("y.pcapng")
        assert (result.code, result.messages) == (1, ['"before"', '"after"'])
        assert len(result.err) == 1
        assert says in result.err[0]


def test_what_a_person_would_wonder_about_is_said(run: Run, tmp_path: Path) -> None:
    beacon = build_header(ManagementHeader(wire.BROADCAST, A, A, 8, 0, 0, 7, 0)) + bytes(12)
    write(tmp_path / "beacons.pcapng", beacon, beacon)
    assert run("beacons.pcapng") == (0, [], ["--- no ESP-NOW frame in 2 packets"])
    content = captures.build_section() + captures.build_interface(127) + captures.build_interface(1)
    content += captures.build_packet(b"\1\0\0\0", at_us=0)
    content += captures.build_packet(bytes(60), at_us=0, interface=1) * 2
    (tmp_path / "x.pcapng").write_bytes(content)
    (remark,) = run("x.pcapng").err
    assert remark.startswith(
        "--- no ESP-NOW frame in 3 packets; 1 packet without a valid radiotap header; 2 packets not"
    )


# The summary.


SUMMARY = """\
from               to                 messages  bytes  missed   loss  retries  acked  encrypted  unopened         rssi  rates
30:aa:aa:aa:aa:aa  18:fe:34:00:00:08         5    312       2  28.6%        1      1          2         1  -50/-50/-50     1M
18:fe:34:00:00:08  30:aa:aa:aa:aa:aa         1      4       0   0.0%        0      0          0         0  -50/-50/-50     1M
18:fe:34:00:00:0c  01:00:5e:00:00:01         1      4       0   0.0%        0      0          0         0  -50/-50/-50     1M
30:aa:aa:aa:aa:aa  broadcast                 1      3       0   0.0%        0      0          0         0  -50/-50/-50     1M
"""  # noqa: E501


def test_the_summary(run: Run, air: Path) -> None:
    result = run("--summary", air, "--lmk", LMK)
    assert (result.code, result.err) == (0, [])
    assert "\n".join(result.out) + "\n" == SUMMARY


def test_the_summary_as_json(run: Run, air: Path) -> None:
    result = run("--summary", "--json", air, "--lmk", LMK)
    assert (result.code, result.err) == (0, [])
    (told,) = result.json
    pairs = told.pop("summary")
    assert told == {
        "packets": 10,
        "frames": 9,
        "wrong_fcs": 0,
        "unreadable": 0,
        "other_links": 0,
        "beyond": 0,
        "first_ns": 1_000_000_000,
        "last_ns": 1_009_000_000,
    }
    assert pairs[0] == {
        "source": "30:aa:aa:aa:aa:aa",
        "destination": "18:fe:34:00:00:08",
        "interface": 0,
        "frames": 6,
        "messages": 5,
        "bytes": 312,
        "v1": 3,
        "v2": 1,
        "encrypted": 2,
        "unopened": 1,
        "retries": 1,
        "duplicates": 0,
        "missed": 2,
        "loss": 0.285714,
        "restarts": 0,
        "acknowledged": 1,
        "dropped": 0,
        "replayed": 0,
        "rssi_min_dbm": -50,
        "rssi_mean_dbm": -50.0,
        "rssi_max_dbm": -50,
        "rates": {"1M_L": 6},
        "first_ns": 1_000_000_000,
        "last_ns": 1_008_000_000,
    }


def test_the_summary_of_several_files_invents_no_loss(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "monday.pcapng", plain(seq=1), plain(seq=2))
    write(tmp_path / "tuesday.pcapng", plain(seq=1000), plain(seq=1002))
    (told,) = run("--summary", "--json", "monday.pcapng", "tuesday.pcapng").json
    (pair,) = told["summary"]
    assert (pair["messages"], pair["missed"], pair["restarts"]) == (4, 1, 0)


def test_the_summary_of_what_is_wanted(run: Run, air: Path) -> None:
    (told,) = run("--summary", "--json", air, "--type", "encrypted").json
    (pair,) = told["summary"]
    assert (pair["messages"], pair["missed"], pair["unopened"]) == (2, 0, 2)
    (told,) = run("--summary", "--json", air, "--type", "retry").json
    (pair,) = told["summary"]
    assert (pair["messages"], pair["retries"], pair["missed"], pair["restarts"]) == (1, 1, 0, 0)
    (told,) = run("--summary", "--json", air, "--type", "v1", "--to", MACS["B"]).json
    (pair,) = told["summary"]
    assert (pair["messages"], pair["missed"]) == (2, 2)  # 4 and 7; 2, 3, 5 and 6 are there
    result = run("--summary", air, "--from", "00:00:00:00:00:00")
    assert result == (0, [], ["--- none of 9 frames is of those that were asked for"])


def test_interfaces_are_rows_of_their_own(run: Run, tmp_path: Path) -> None:
    content = captures.build_section() + captures.build_interface(127) + captures.build_interface(127)
    for interface in (0, 1, 1):
        content += captures.build_packet(radiotap.build(channel=6) + plain(seq=interface), at_us=5, interface=interface)
    (tmp_path / "x.pcapng").write_bytes(content)
    head, *rows = run("--summary", "x.pcapng").out
    assert head.split()[:4] == ["from", "to", "interface", "messages"]
    assert "copies" in head
    assert [row.split()[2] for row in rows] == ["0", "1"]


def test_frames_with_a_wrong_fcs_are_told_of(run: Run, tmp_path: Path) -> None:
    header = radiotap.build(channel=6, fcs=True)
    content = captures.build_section() + captures.build_interface(127)
    content += captures.build_packet(header + plain() + b"\0\0\0\0", at_us=5) * 2
    (tmp_path / "x.pcapng").write_bytes(content)
    assert run("--summary", "x.pcapng") == (0, [], ["--- 2 frames with a wrong FCS left out"])
    assert run("--summary", "--json", "x.pcapng").json[0]["wrong_fcs"] == 2
    assert run("x.pcapng").out[0].endswith('"hello"  [its FCS is wrong]')


def test_a_bounded_summary_says_what_it_left_out(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("espnow.capture.summary.MAX_PAIRS", 2)
    write(tmp_path / "x.pcapng", *(plain(source=bytes((2, 0, 0, 0, 0, last))) for last in range(5)))
    result = run("--summary", "x.pcapng")
    assert (len(result.out), result.err) == (3, ["--- 3 frames of further pairs left out"])


@pytest.mark.parametrize("columns", [40, 80, 100, 120, 132, 200])
def test_the_table_fits_the_terminal(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    frames = [
        sealed(seq=1, number=5),
        wire.ack(A),
        plain(seq=90),
        plain(seq=90),
        plain(seq=1),
        plain(seq=5) + b"\0\0\0\0",
    ]
    write(tmp_path / "x.pcapng", *frames, sealed(seq=6, number=2, key=bytes(16)), sealed(seq=7))
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stdout", Terminal())
    run("--summary", "x.pcapng", "--lmk", LMK)
    head, *rows = sys.stdout.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(len(row) <= max(columns, 80) for row in (head, *rows))
    for column in ("from", "to", "messages", "loss", "retries", "rssi"):
        assert column in head.split()
    if columns == 200:
        assert {"acked", "encrypted", "unopened", "restarts", "dropped", "replayed", "copies", "rates"} <= set(
            head.split()
        )


# Wireshark.


def test_the_dissector_for_wireshark(run: Run, tmp_path: Path, air: Path) -> None:
    result = run("--wireshark", "plugins")
    assert (result.code, result.err) == (0, [])
    assert result.out == [f"{Path('plugins') / 'espnow.lua'} written; Wireshark loads it when it starts"]
    assert (tmp_path / "plugins" / "espnow.lua").is_file()
    result = run("--wireshark", "plugins", air)
    assert (len(result.out), len(result.err)) == (9, 1)


# Progress.


class Clock:
    """A clock that goes on by a quarter of a second whenever it is read."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        self.now_s += 0.25
        return self.now_s


@pytest.mark.parametrize("options", [[], ["--summary"]])
def test_a_progress_bar_on_a_terminal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    write(tmp_path / "x.pcapng", *(plain(b"x", seq=n % 4096) for n in range(400)))
    monkeypatch.setattr(decode, "_PROGRESS_EVERY", 50)
    monkeypatch.setattr(_show, "time", Clock())
    for stream, seen in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        assert run("x.pcapng", *options).code == 0
        shown = stream.getvalue()
        assert bool(shown) == seen
        if seen:
            assert "packets" in shown
            assert "[####" in shown
            assert all(len(line) < 80 for line in shown.split("\r"))
            assert shown.endswith(" \r")  # taken away


def test_no_progress_bar_between_lines_on_one_terminal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "x.pcapng", *(plain(b"x", seq=n) for n in range(400)))
    monkeypatch.setattr(decode, "_PROGRESS_EVERY", 50)
    monkeypatch.setattr(_show, "time", Clock())
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Terminal())
    run("x.pcapng")
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


# Standard input, and as a process.


def test_standard_input(run: Run, air: Path) -> None:
    assert run("-", stdin=air.read_bytes()).out == run(air).out
    result = run("-", stdin=air.read_bytes()[:-3])
    assert (result.code, len(result.out)) == (1, 8)
    assert result.err[0].startswith("espnow decode: standard input: the capture ends at byte ")
    assert run("-", stdin=b"").err == ["espnow decode: standard input: the capture is empty"]


def test_ctrl_c_prints_what_was_computed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = write(tmp_path / "x.pcapng", *(plain(b"%d" % n, seq=n) for n in range(3))).read_bytes()

    class Interrupted(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            piece = super().read(size)
            if not piece:
                raise KeyboardInterrupt
            return piece

    for options, lines in (([], 3), (["--summary"], 2), (["--summary", "--json"], 1)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupted(content)))
        result = run("-", *options)
        assert (result.code, len(result.out), result.err) == (130, lines, [])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return a function that starts the command as a process."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        unset = ("ESPNOW", "PYTHONHASH", "PYTHONUNBUFFERED")  # what is not flushed stays in the buffer
        environment = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
        process = subprocess.Popen(
            [sys.executable, "-m", "espnow", "decode", *arguments],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:
                pass


def opening() -> bytes:
    return captures.build_section() + captures.build_interface(127)


def block(number: int) -> bytes:
    return captures.build_packet(radiotap.build(channel=6) + plain(b"%d" % number, seq=number), at_us=number)


@pytest.mark.timeout(40)
def test_a_live_packet_is_printed_when_it_arrives(start: Callable[..., Any]) -> None:
    process = start("-")
    process.stdin.write(opening())
    for number in range(5):
        process.stdin.write(block(number))
        process.stdin.flush()
        assert process.stdout.readline().endswith(b'"%d"\n' % number)
    process.stdin.write(block(5)[:-1])
    process.stdin.flush()
    process.stdin.write(block(5)[-1:])
    process.stdin.flush()
    assert process.stdout.readline().endswith(b'"5"\n')
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, b"", b"")


@pytest.mark.timeout(40)
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_in_a_live_capture(start: Callable[..., Any]) -> None:
    process = start("--json", "-")
    process.stdin.write(opening() + block(1))
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["text"] == "1"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.timeout(40)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_named_pipe_is_read_as_it_comes(start: Callable[..., Any], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    process = start("pipe")
    with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
        pipe.write(opening() + block(1))
        assert process.stdout.readline().endswith(b'"1"\n')
        pipe.write(block(2))
        assert process.stdout.readline().endswith(b'"2"\n')
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, b"", b"")


@pytest.mark.timeout(10)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_named_pipe_is_not_opened_to_see_whether_it_can_be(tmp_path: Path) -> None:
    """Its writer would find no reader after that; without a writer, opening waits for one."""
    os.mkfifo(tmp_path / "pipe")
    decode._check_files([str(tmp_path / "pipe")])


@pytest.mark.timeout(40)
def test_a_reader_that_leaves_ends_it_quietly(start: Callable[..., Any], tmp_path: Path) -> None:
    write(tmp_path / "x.pcapng", *(plain(bytes(250), seq=n) for n in range(2000)))
    process = start("x.pcapng")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 1
    assert process.stderr.read() == b""


@pytest.mark.timeout(40)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path: Path, air: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "espnow", "decode", str(air)], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"espnow decode: cannot write the output: No space left on device\n"


def test_time_is_only_looked_at_for_the_progress_bar() -> None:
    """What is printed depends on the capture alone."""
    assert not hasattr(decode, "time")
    assert _show.time is time


@pytest.mark.parametrize("option", ["--keys", "--decoders"])
def test_a_file_that_does_not_end_is_refused(option: str, run: Run, air: Path) -> None:
    result = run(option, "/dev/zero", air)
    assert result.code == 2
    assert result.err == [f"espnow decode: {option} /dev/zero: more than 1048576 bytes"]

"""``espnow sniff``: lines, the table of stations, captures, hopping, the summary; whatever comes, it stays bounded."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from espnow import frame as wire
from espnow.capture import CapturedFrame, CaptureReader, Dissector, PcapngWriter
from espnow.cli import sniff
from espnow.cli._station import Heard, RadioStation
from espnow.cli._stations import StationTable
from espnow.cli.sniff import Hopper, LiveTable, Sniffer
from espnow.frame.mac80211 import ManagementHeader, build_header
from espnow.link import Abilities
from espnow.testing import ManualClock, ScriptedLink

A = bytes.fromhex("30aaaaaaaaaa")
B = bytes.fromhex("240ac4000002")
LMK = "lmk1234567890123"
KEY = wire.derive_key(wire.DEFAULT_PMK, LMK.encode())
S_NS = 10**9


def plain(seq: int, message: bytes = b"x", *, source: bytes = A, to: bytes = B, retry: bool = False) -> bytes:
    return wire.build(to, source, message, seq=seq, random_value=seq + 100, retry=retry)


def captured(mpdu: bytes, *, at_ns: int = 0, rssi_dbm: int = -50, channel: int = 1) -> CapturedFrame:
    found = Dissector().dissect(Heard(mpdu, rssi_dbm, channel, 0, at_ns // 1000).record(0))
    assert isinstance(found, CapturedFrame)
    return found


# The table of stations.


def test_a_station_is_told_by_what_was_heard_of_it() -> None:
    stations = StationTable()
    for number, (seq, rssi_dbm) in enumerate([(1, -50), (2, -60), (2, -61), (6, -70)]):
        stations.add(captured(plain(seq), at_ns=number * S_NS, rssi_dbm=rssi_dbm, channel=6))
    stations.add(captured(plain(9, source=B), at_ns=4 * S_NS))
    head, first, second = stations.lines(5 * S_NS)
    assert head.split() == ["station", "frames", "per", "s", "dBm", "mean", "rate", "ch", "loss", "last"]
    assert first.split() == ["30:aa:aa:aa:aa:aa", "4", "0.5", "-70", "-60", "1M", "6", "50.0%", "2.0s"]
    assert second.split() == ["24:0a:c4:00:00:02", "1", "0.8", "-50", "-50", "1M", "1", "0.0%", "1.0s"]
    assert stations.frames == 5


def test_seconds_become_minutes() -> None:
    stations = StationTable()
    stations.add(captured(plain(1)))
    assert stations.lines(59 * S_NS)[1].endswith("59.0s")
    assert stations.lines(600 * S_NS)[1].endswith("10min")


@given(st.lists(st.integers(0, 0xFFF), min_size=1, max_size=50))
@example([0, 0x7FF, 0xFFF, 0, 0x800, 0])
def test_the_loss_is_what_gaps_tell(seqs: list[int]) -> None:
    stations = StationTable()
    for seq in seqs:
        stations.add(captured(plain(seq)))
    (station,) = stations
    steps = [after - before & 0xFFF for before, after in itertools.pairwise(seqs)]
    assert station.missed == sum(step - 1 for step in steps if 0 < step < 0x800)
    assert station.restarts == sum(step >= 0x800 for step in steps)
    distinct = 1 + sum(step > 0 for step in steps)
    assert math.isclose(station.loss, station.missed / (distinct + station.missed))


def test_a_number_that_was_used_for_something_else_is_not_lost() -> None:
    stations = StationTable()
    stations.add(captured(plain(1)))
    stations.use_sequence(A, 2)
    stations.use_sequence(B, 2)
    stations.add(captured(plain(3)))
    (station,) = stations
    assert (station.missed, len(stations)) == (0, 1)


@pytest.mark.parametrize("rate", [0.5, 3, 100])
def test_frames_a_second_are_those_of_late(rate: float) -> None:
    stations = StationTable()
    count = round(rate * 20)
    for number in range(count):
        stations.add(captured(plain(number & 0xFFF), at_ns=round(number / rate * S_NS)))
    (station,) = stations
    assert station.per_second(round(20 * S_NS)) == pytest.approx(rate, rel=0.35)
    assert station.per_second(120 * S_NS) < 0.01 * rate


def test_hostile_numbers_of_stations_stay_bounded() -> None:
    stations = StationTable()
    for number in range(3_000):
        stations.add(captured(plain(1, source=b"\x02" + number.to_bytes(5, "big")), at_ns=number))
    assert (len(stations), stations.frames, stations.beyond) == (1024, 1024, 1976)
    lines = stations.lines(0, most=10)
    assert (len(lines), lines[-1]) == (12, "... and 1,014 more")
    # Who was silent for long makes room, those that were heard last stay.
    kept = b"\x02" + (0).to_bytes(5, "big")
    stations.add(captured(plain(2, source=kept), at_ns=100 * S_NS))
    stations.add(captured(plain(1, source=A), at_ns=100 * S_NS))
    assert A in stations
    assert kept in stations
    assert len(stations) == 1024


def test_a_name_is_that_of_the_key_and_safe_and_short() -> None:
    stations = StationTable()
    frame = captured(plain(1))._replace(key="a\u202every long name indeed")
    stations.add(frame)
    head, line = stations.lines(0)
    assert head.split()[:2] == ["station", "name"]
    assert "a\\u202every lon…" in line
    assert stations.as_dicts()[0]["name"] == "a\u202every long name indeed"


def test_json_of_a_station() -> None:
    stations = StationTable()
    stations.add(captured(plain(1), at_ns=7))
    stations.add(captured(plain(3), at_ns=9_000))
    told = {
        "station": "30:aa:aa:aa:aa:aa",
        "name": None,
        "frames": 2,
        "rssi_dbm": -50,
        "rssi_mean_dbm": -50,
        "rate": "1M_L",
        "channel": 1,
        "missed": 1,
        "loss": 0.333333,
        "restarts": 0,
        "last_ns": 9_000,
    }
    assert stations.as_dicts() == [told]
    assert stations.as_dicts(tells_loss=False) == [told | {"missed": None, "loss": None}]


# Lines, and the summary.


def frames(radio: Any, *mpdus: bytes, begin_ms: int = 1) -> None:
    for number, mpdu in enumerate(mpdus):
        radio.at(begin_ms + number, lambda mpdu=mpdu: radio.link.inject_frame(mpdu))


def test_lines_and_summary(radio: Any) -> None:
    frames(radio, plain(1), plain(1, retry=True), wire.ack(A), plain(2, to=wire.BROADCAST), plain(5))
    result = radio.run("sniff", "--for", "10ms")
    assert [line.split(" B  ", 1)[1] for line in result.out] == ['"x"'] * 4
    assert " > 24:0a:c4:00:00:02  v1  ch  1   -50 dBm      1M  retry  plain" in result.out[1]
    assert result.err == [
        "--- scripted: channel 1, 0.0 s, 4 frames of 1 station",
        "from               to                 messages  bytes  missed   loss  retries  acked         rssi  rates",
        "30:aa:aa:aa:aa:aa  24:0a:c4:00:00:02         2      2       2  50.0%        1      1  -50/-50/-50     1M",
        "30:aa:aa:aa:aa:aa  broadcast                 1      1       0   0.0%        0      0  -50/-50/-50     1M",
    ]
    assert result.code == 0


def test_it_is_silent_and_hears_everything(radio: Any) -> None:
    radio.run("sniff", "--for", "1ms", "--channel", "11")
    config = radio.link.config
    assert (config.addresses, config.channel, config.receiver_on, config.promiscuous) == ((), 11, True, True)
    assert radio.link.frames == []


def test_nothing_was_heard(radio: Any) -> None:
    result = radio.run("sniff", "--for", "1500ms")
    assert (result.code, result.out) == (1, [])
    assert result.err == ["--- scripted: channel 1, 1.5 s, 0 frames of 0 stations"]


def test_json(radio: Any) -> None:
    frames(radio, plain(1), plain(3))
    first, second, stations, summary = radio.run("sniff", "--for", "10ms", "--json").json
    assert (first["seq"], second["seq"]) == (1, 3)
    assert stations["stations"][0]["loss"] == 0.333333
    assert (summary["frames"], summary["summary"][0]["missed"]) == (2, 1)


def test_a_beacon_uses_up_a_number(radio: Any) -> None:
    beacon = build_header(ManagementHeader(wire.BROADCAST, A, A, 8, 0, 0, 2, 0)) + bytes(20)
    frames(radio, plain(1), beacon, plain(3), plain(5))
    *_, stations, summary = radio.run("sniff", "--for", "10ms", "--json").json
    assert (stations["stations"][0]["missed"], summary["summary"][0]["missed"]) == (1, 1)


def test_keys_open_and_name(radio: Any, tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[[key]]\nlmk = "{LMK}"\nname = "greenhouse"\n')
    keys.chmod(0o600)
    sealed = wire.build_protected(B, A, b"secret", seq=1, random_value=7, key=KEY, packet_number=1)
    frames(radio, sealed)
    line, stations, _ = radio.run("sniff", "--for", "10ms", "--json", "--keys", keys).json
    assert (line["text"], stations["stations"][0]["name"]) == ("secret", "greenhouse")


@pytest.mark.parametrize("command", ["sniff", "listen"])
def test_a_key_file_is_read_once(radio: Any, tmp_path: Path, command: str) -> None:
    text = f'[[key]]\nlmk = "{LMK}"\n'
    sealed = wire.build_protected(wire.BROADCAST, A, b"secret", seq=1, random_value=7, key=KEY, packet_number=1)
    frames(radio, sealed)
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    line, *_ = radio.run(command, "--for", "10ms", "--json", "--keys", f"/dev/fd/{read}").json
    os.close(read)
    assert line["text"] == "secret"
    keys = tmp_path / "keys.toml"
    keys.write_text(text)
    keys.chmod(0o644)
    said = radio.run(command, "--for", "10ms", "--keys", keys).err
    assert sum("others can read the keys" in line for line in said) == 1


def test_count(radio: Any) -> None:
    frames(radio, plain(1), wire.ack(A), plain(2), plain(3))
    result = radio.run("sniff", "--count", "2")
    assert (len(result.out), result.code) == (2, 0)


def test_a_radio_that_hears_groups_alone_says_so(radio: Any) -> None:
    radio.abilities = Abilities(promiscuous=False)
    result = radio.run("sniff", "--for", "1ms")
    assert result.err[0] == "espnow sniff: this radio hears nothing that is for others, only what is for groups"


def test_ctrl_c_ends_it_with_its_summary(radio: Any) -> None:
    frames(radio, plain(1))
    radio.interrupt(50)
    result = radio.run("sniff")
    assert result.code == 130
    assert result.err[0] == "--- scripted: channel 1, 0.1 s, 1 frame of 1 station"


def test_many_pairs_are_cut_in_the_summary(radio: Any) -> None:
    radio.at(
        1,
        lambda: [
            radio.link.inject_frame(plain(1, source=b"\x02" + number.to_bytes(5, "big"))) for number in range(2_000)
        ],
    )
    result = radio.run("sniff", "--for", "10ms")
    assert (len(result.out), len(result.err)) == (2_000, 54)
    assert result.err[-2] == "... and 1,950 pairs more"
    assert result.err[-1] == "espnow sniff: 976 frames of further stations left out of the table"


ROUND = "--hop goes round channels and --channel stays on one:"
ITSELF = "--pcap - has standard output for itself:"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--dwell", "1s"], "--dwell says how long --hop stays on a channel; add --hop"),
        (["--hop", "--dwell", "1us"], "--dwell 1us: a time must be at least 1 ms"),
        (["--hop", "--channel", "6"], f"{ROUND} leave one of them out"),
        (["--hop", "1,15"], "--hop: 15 is no whole number from 1 to 14"),
        (["--hop", "6-1"], "--hop: 1 is no whole number from 6 to 14"),
        (["--hop", "1,,6"], "--hop:  is no whole number from 1 to 14"),
        (["--pcap", "no/such/folder"], "--pcap no/such/folder: No such file or directory"),
        (["--pcap", "/dev/full"], "--pcap /dev/full: No space left on device"),
        (["--pcap", "-", "--json"], f"{ITSELF} leave --json out, or write the capture to a file"),
        (["--pcap", "-", "--lines"], f"{ITSELF} leave --lines out, or write the capture to a file"),
    ],
)
def test_a_mistake_is_one_line(radio: Any, arguments: list[str], line: str) -> None:
    result = radio.run("sniff", *arguments)
    assert (result.code, result.out, result.err) == (2, [], [f"espnow sniff: {line}"])
    assert not hasattr(radio, "link") or radio.link.closed


# A capture.


def test_the_capture_holds_espnow_and_its_answers(radio: Any, tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    own, others = (
        build_header(ManagementHeader(wire.BROADCAST, source, source, 8, 0, 0, 2, 0)) + bytes(20) for source in (A, B)
    )
    heard = [plain(1), wire.ack(A), wire.ack(B), own, others, plain(3, b"\xff" * 250)]
    frames(radio, *heard)
    radio.run("sniff", "--for", "10ms", "--pcap", path)
    with CaptureReader(str(path)) as reader:
        records = list(reader)
    kept = [heard[0], heard[1], own, heard[5]]
    assert [record.packet[-len(mpdu) :] for record, mpdu in zip(records, kept, strict=True)] == kept
    assert [record.at_ns for record in records] == [1_000_000, 2_000_000, 4_000_000, 6_000_000]
    found = Dissector().dissect(records[0])
    assert isinstance(found, CapturedFrame)
    assert found.radio is not None
    assert (found.radio.channel, found.radio.rssi_dbm, found.radio.rate) == (1, -50, 0)


def test_a_capture_grows_while_it_runs(radio: Any, tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    sizes: list[int] = []
    frames(radio, plain(1))
    radio.at(1_200, lambda: sizes.append(path.stat().st_size))
    radio.run("sniff", "--for", "2s", "--pcap", path)
    assert sizes == [path.stat().st_size]


# Hopping.


def test_hopping_goes_round(radio: Any) -> None:
    result = radio.run("sniff", "--hop", "1,6,11", "--dwell", "100ms", "--for", "450ms")
    assert [config.channel for config in radio.link.configs] == [1, 6, 11, 1, 6]
    assert all(config.promiscuous and not config.addresses for config in radio.link.configs)
    assert result.err[0] == "--- scripted: channel 1,6,11, 0.5 s, 0 frames of 0 stations"


def test_hopping_without_channels_takes_all_of_the_radio(radio: Any) -> None:
    radio.abilities = Abilities(channels=frozenset((1, 2, 3)))
    radio.run("sniff", "--for", "800ms", "--hop")
    assert [config.channel for config in radio.link.configs] == [1, 2, 3, 1]
    radio.run("sniff", "--for", "800ms", "--hop", "2-3")
    assert [config.channel for config in radio.link.configs] == [2, 3, 2, 3]
    assert radio.run("sniff", "--hop", "4").err == [
        "espnow sniff: --hop: this radio does not have channel 4; it has 1, 2, 3"
    ]


def test_one_channel_is_no_hopping() -> None:
    clock = ManualClock()
    link = ScriptedLink(clock)
    station = RadioStation(clock, link, A, lambda: 1)
    hopper = Hopper(station, clock, [6], 1_000)
    hopper.begin()
    clock.advance(10_000)
    assert (link.configs, hopper.channel) == ([], 6)


def test_while_it_hops_no_loss_is_told(radio: Any) -> None:
    frames(radio, plain(1), plain(9))
    *_, stations, summary = radio.run("sniff", "--for", "10ms", "--hop", "--json").json
    for told in stations["stations"][0], summary["summary"][0]:
        assert (told["missed"], told["loss"]) == (None, None)
    _, head, _ = radio.run("sniff", "--for", "10ms", "--hop").err
    assert head.split() == ["from", "to", "messages", "bytes", "retries", "rssi", "rates"]


# On a terminal.


@pytest.fixture
def terminal(screen: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sniff.shutil, "get_terminal_size", lambda: os.terminal_size((60, 8)))
    return screen


class Output:
    def __init__(self, terminal: Any) -> None:
        self.write = terminal.feed

    def flush(self) -> None:
        pass


def test_lines_are_drawn_in_their_place_and_fit(terminal: Any) -> None:
    table = LiveTable(Output(terminal))  # type: ignore[arg-type]
    table.draw(["one", "two two"])
    assert terminal.lines == ["one", "two two", ""]
    table.draw(["1", "2", "3"])
    assert terminal.lines == ["1", "2", "3", ""]
    table.draw(["x" * 100, *map(str, range(20))])
    assert terminal.lines == ["x" * 59, *map(str, range(6)), ""]
    table.draw(["last"])
    assert terminal.lines == ["last", ""]
    table.erase()
    table.erase()
    assert terminal.lines == [""]


def test_the_table_on_a_terminal(radio: Any, terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    shown: list[list[str]] = []

    def keep(self: LiveTable, lines: list[str]) -> None:
        draw(self, lines)
        shown.append(lines)

    draw = LiveTable.draw
    monkeypatch.setattr(LiveTable, "draw", keep)
    radio.at(
        100,
        lambda: [radio.link.inject_frame(plain(1, source=b"\x02" + number.to_bytes(5, "big"))) for number in range(9)],
    )
    radio.at(700, lambda: radio.report("something happened"))
    result = radio.run("sniff", "--for", "1200ms", "--hop", "1", "--dwell", "1s")
    terminal.feed(radio.output)
    assert [lines[0] for lines in shown] == [
        "scripted: channel 1, 0.5 s, 9 frames of 9 stations",
        "scripted: channel 1, 1.0 s, 9 frames of 9 stations",
        "scripted: channel 1, 1.2 s, 9 frames of 9 stations",
    ]
    assert [len(lines) for lines in shown] == [7, 7, 7]  # head, columns, four stations, "and more"
    assert terminal.lines[:2] == [shown[-1][0], shown[-1][1][:59].rstrip()]
    assert "... and 5 more" in terminal.lines
    assert "--- scripted: channel 1, 1.2 s, 9 frames of 9 stations" in terminal.lines
    assert result.err == ["espnow sniff: something happened"]


def test_lines_on_a_terminal_if_they_are_asked_for(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    frames(radio, plain(1))
    (line,) = radio.run("sniff", "--for", "10ms", "--lines").out
    assert line.endswith('1 B  "x"')
    assert len(radio.run("sniff", "--for", "10ms", "--json").json) == 3


def test_a_capture_does_not_go_to_a_terminal(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert radio.run("sniff", "--pcap", "-").err == [
        "espnow sniff: --pcap -: standard output is a terminal; pipe it into a program that reads captures"
    ]


# What comes by air.


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_anything_may_come(mpdus: list[bytes]) -> None:
    sniffer = Sniffer(Dissector(), lambda _record: None, lambda _captured: None)
    for mpdu in mpdus:
        sniffer.take(Heard(mpdu, -50, 1, 0, 0).record(0))
    assert len(sniffer.stations.lines(0)) == 1 + len(sniffer.stations)


# In a process of its own.


def test_a_capture_goes_through_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    with path.open("wb") as file, PcapngWriter(file) as writer:
        for seq in range(5):
            writer.write(plain(seq), at_us=seq, channel=6, rate=0)
    command = [sys.executable, "-m", "espnow", "sniff", "--pcap", "-", "--radio", f"pcap:{path}?pace=fast&delay=0"]
    run = subprocess.run(command, capture_output=True, timeout=50, check=True)
    copy = tmp_path / "copy.pcapng"
    copy.write_bytes(run.stdout)
    with CaptureReader(str(copy)) as reader:
        assert len(list(reader)) == 5
    assert b"5 frames of 1 station" in run.stderr


def test_ctrl_c_in_a_process_leaves_nothing(tmp_path: Path) -> None:
    """On a radio that hears nothing, ended while it waits."""
    command = [sys.executable, "-m", "espnow", "sniff", "--radio", "none:", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "hears nothing" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=50)
    assert process.returncode == 130
    assert [next(iter(json.loads(line))) for line in out.splitlines()] == ["stations", "summary"]
    assert err == ""

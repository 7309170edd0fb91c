"""docs/udp.md: its tables and figures are those of the code."""

import re
import struct
from pathlib import Path

import pytest

from espnow.board.wifi import WifiTiming
from espnow.frame import airtime_us, build
from espnow.radio import parse_name
from espnow.radio.loop import RadioLoop
from espnow.radio.udp import Counts, UdpDatagram, open_udp, radio, settings
from espnow.radio.udp.datagram import HEADER_LENGTH, LEAST_FRAME, MAX_MPDU
from espnow.radio.udp.datagram import build as build_datagram

PAGE = (Path(__file__).parents[2] / "docs" / "udp.md").read_text()
PROSE = " ".join(PAGE.split())


def table(first):
    """Return the rows of the table whose first header this is."""
    lines = PAGE.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def opened(text):
    loop = RadioLoop()
    try:
        link = open_udp(parse_name(text), loop, print)
        link.close()
        return link._settings
    finally:
        loop.close()


def test_settings_are_those_of_the_code():
    assert [row[0].strip("`") for row in table("setting")] == list(settings._SETTINGS)


#: Setting: attribute, and how the page writes its values.
ATTRIBUTES = {"loss": ("loss", 1.0), "range": ("range_m", 1.0), "rssi": ("rssi_dbm", 1.0), "answer": ("answer_us", 1e3)}


@pytest.mark.parametrize("row", table("setting"), ids=lambda row: row[0].strip("`"))
def test_values_are_taken_as_the_page_says(row):
    key, _, values, usual = (cell.strip("`") for cell in row)
    usual_settings = opened("udp:")
    bounds = re.fullmatch(r"(-?[\d.]+) to (-?[\d.]+)", values)
    if bounds:
        attribute, scale = ATTRIBUTES[key]
        for bound in bounds.groups():
            assert getattr(opened(f"udp:?{key}={bound}"), attribute) == float(bound) * scale
        if re.fullmatch(r"[\d.]+", usual):
            assert getattr(usual_settings, attribute) == float(usual) * scale
        return
    for value in values.replace("`", "").split(", ") if key == "pace" else [values]:
        opened(f"udp:?{key}={value}")
    if key == "pace":
        assert opened(f"udp:?pace={usual}") == usual_settings


@pytest.mark.parametrize("row", table("name"), ids=lambda row: row[0])
def test_names(row):
    for text in re.findall(r"`(udp:[^`]*)`", row[0]):
        group = settings.parse_group(parse_name(text))
        if text == "udp:":
            assert f"{group.address}, port {group.port}" in row[1]


def test_counts_are_those_of_the_code():
    assert [row[0].strip("`") for row in table("count")] == list(Counts().as_dict())


def test_the_layout():
    """Each field of the table, read at its offset, is what was put in."""
    mpdu = build(b"\xff" * 6, b"\x02\0\0\0\0\x01", b"x", seq=0, random_value=1)
    datagram = build_datagram(UdpDatagram(1, 6, 11, -20, 3, 0x1122334455667788, 0x99AABBCC, 1.5, -2.5, mpdu))
    expected = {
        0: b"ESPN",
        4: b"\x01",
        5: b"\x01",
        6: b"\x06",
        7: b"\x0b",
        8: struct.pack("b", -20),
        9: b"\x03",
        10: b"\0\0",
        12: (0x1122334455667788).to_bytes(8, "little"),
        20: (0x99AABBCC).to_bytes(4, "little"),
        24: struct.pack("<f", 1.5),
        28: struct.pack("<f", -2.5),
        32: mpdu,
    }
    rows = table("offset")
    assert [int(row[0]) for row in rows] == list(expected)
    for offset, length, _ in rows:
        value = expected[int(offset)]
        assert datagram[int(offset) :][: len(value)] == value
        assert length == (str(len(value)) if offset != "32" else f"{LEAST_FRAME} to {MAX_MPDU}")
    assert int(rows[-1][0]) == HEADER_LENGTH


def test_figures_of_the_text():
    attempts = WifiTiming().attempts
    answer_ms = radio.UdpSettings().answer_us / 1000
    first_ms = answer_ms * 2 / (attempts * (attempts + 1))
    mpdu = build(b"\xff" * 6, b"\x02\0\0\0\0\x01", bytes(250), seq=0, random_value=1)
    airtime_ms = airtime_us(len(mpdu) + 4, 0) / 1000
    each_ms = airtime_ms + (radio._DIFS_US + radio._SLOT_US * radio._CW_MIN / 2) / 1000
    for text in (
        f"{attempts} times in all",
        f"first attempt {first_ms:g} ms",
        f"{answer_ms:g} ms in all",
        f"{radio._QUEUE_FRAMES}, beside the one",
        f"250 bytes at 1 Mb/s take {airtime_ms:.1f} ms",
        f"{each_ms:.1f} ms with what is waited",
        f"some {1000 / each_ms / 10:.0f}0 such broadcasts",
        f"DIFS ({radio._DIFS_US} µs)",
        f"backoff of 0 to {radio._CW_MIN} slots of {radio._SLOT_US} µs",
        f"up to {radio._CATCH_UP_US // 1000} ms earlier",
        f"after {radio._PATIENCE_US // 1000} ms a radio sends",
        f"waited for {radio._WIFI_ANSWER_US // 1000} ms only",
        f"less {radio._LOSS_AT_1M_DB:g} dB at one metre",
        f"with {radio._FADING_DB:g} dB for each factor of ten",
        f"buffer of the kernel, {settings._RECEIVE_BUFFER >> 20} MB",
    ):
        assert text in PROSE

"""The radiotap header, read back by a reader that aligns each field as radiotap.org says."""

from __future__ import annotations

import itertools
import struct

import pytest

from espnow import frame
from espnow.frame import radiotap

# Bit: (name, format, alignment).
FIELDS = {
    0: ("tsft", "<Q", 8),
    1: ("flags", "<B", 1),
    2: ("rate", "<B", 1),
    3: ("channel", "<HH", 2),
    5: ("signal", "<b", 1),
    19: ("mcs", "<BBB", 1),
}


def read(header: bytes) -> dict[str, tuple[int, ...]]:
    """Return the fields of a header."""
    version, pad, length, present = struct.unpack_from("<BBHI", header)
    assert (version, pad, length) == (0, 0, len(header))
    fields = {}
    at = 8
    for bit in range(32):
        if present >> bit & 1:
            name, form, align = FIELDS[bit]
            at += -at % align
            fields[name] = struct.unpack_from(form, header, at)
            at += struct.calcsize(form)
    assert at == length
    return fields


@pytest.mark.parametrize("rate", sorted(frame.ALL_RATES))
def test_every_kind_of_header_reads_back(rate: int) -> None:
    phy = frame.RATES[rate]
    for rssi_dbm, at_us, channel in itertools.product((None, -128, -44, 127), (None, 0, 1 << 40), (1, 6, 13, 14)):
        header = radiotap.build(channel=channel, rate=rate, rssi_dbm=rssi_dbm, at_us=at_us)
        fields = read(header)
        assert fields.get("tsft") == (None if at_us is None else (at_us,))
        assert fields.get("signal") == (None if rssi_dbm is None else (rssi_dbm,))
        assert fields.get("rate") == (None if phy.radiotap is None else (phy.radiotap,))
        assert fields["channel"][0] == {1: 2412, 6: 2437, 13: 2472, 14: 2484}[channel]
        short_preamble = phy.short and phy.modulation != "HT"
        assert fields["flags"] == (0x02 if short_preamble else 0,)
        if phy.modulation == "HT":
            assert fields["mcs"] == (0x0F, 0x04 if phy.short else 0, phy.mcs)
        else:
            assert "mcs" not in fields
        expected = {"DSSS": 0xA0, "CCK": 0xA0, "OFDM": 0xC0, "HT": 0xC0, "LR": 0x80}
        assert fields["channel"][1] == expected[phy.modulation]


def test_byte_by_byte() -> None:
    header = radiotap.build(channel=1, rate=frame.RATE_1M, rssi_dbm=-50)
    assert header.hex(" ", -4) == "00000f00 2e000000 00026c09 a000ce"


@pytest.mark.parametrize(
    "change",
    [{"channel": 0}, {"channel": 15}, {"rate": 4}, {"rssi_dbm": -129}, {"at_us": -1}],
    ids=repr,
)
def test_what_does_not_fit_is_refused(change: dict[str, int]) -> None:
    arguments: dict[str, int] = {"channel": 1, "rate": 0, "rssi_dbm": -50} | change
    with pytest.raises(ValueError, match=r"\w"):
        radiotap.build(**arguments)

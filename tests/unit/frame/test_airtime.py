"""Airtime, against figures worked out by hand and the standard's formulas written the long way."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow import frame

repeatable = settings(derandomize=True, deadline=None)

MCS0 = frame.RATE_MCS0_LONG
MCS7_SHORT = frame.RATE_MCS0_SHORT + 7


@pytest.mark.parametrize(
    ("length", "rate", "expected"),
    [
        (14, frame.RATE_1M, 304),
        (293, frame.RATE_1M, 2536),
        (1548, frame.RATE_1M, 192 + 12384),
        (0, frame.RATE_1M, 192),
        (14, frame.RATE_2M, 192 + 56),
        (14, frame.RATE_2M_SHORT, 96 + 56),
        # 2344 bits / 5.5 = 426.2; / 11 = 213.1
        (293, frame.RATE_5M, 192 + 427),
        (293, frame.RATE_11M, 192 + 214),
        (293, frame.RATE_11M_SHORT, 96 + 214),
        # (16 + 112 + 6) / 24 = 5.6 symbols
        (14, frame.RATE_6M, 20 + 24 + 6),
        # 2366 bits: / 24 = 98.6, / 36 = 65.7, / 96 = 24.6, / 216 = 10.95
        (293, frame.RATE_6M, 20 + 99 * 4 + 6),
        (293, frame.RATE_9M, 20 + 66 * 4 + 6),
        (293, frame.RATE_24M, 20 + 25 * 4 + 6),
        (293, frame.RATE_54M, 20 + 11 * 4 + 6),
        # 2366 bits: / 26 = 91 exactly, / 260 = 9.1
        (293, MCS0, 36 + 91 * 4 + 6),
        (293, MCS0 + 7, 36 + 10 * 4 + 6),
        # 91 symbols of 3.6 us are 327.6 us; 10 are 36 exactly
        (293, frame.RATE_MCS0_SHORT, 36 + 328 + 6),
        (293, MCS7_SHORT, 36 + 36 + 6),
        # assumed: DSSS's framing at 250 and 500 kbit/s
        (293, frame.RATE_LORA_250K, 192 + 2344 * 4),
        (293, frame.RATE_LORA_500K, 192 + 2344 * 2),
    ],
)
def test_by_hand(length: int, rate: int, expected: int) -> None:
    assert frame.airtime_us(length, rate) == expected


def test_a_frame_is_as_long_as_its_airtime_says() -> None:
    mpdu = frame.build(b"\2" * 6, b"\4" * 6, bytes(250), seq=0, random_value=0)
    assert frame.airtime_us(len(mpdu) + 4, frame.RATE_1M) == 2536
    mpdu = frame.build(b"\2" * 6, b"\4" * 6, bytes(1470), seq=0, random_value=0, version=2)
    assert len(mpdu) + 4 == 1548
    assert len(frame.ack(b"\2" * 6)) + 4 == frame.ACK_LENGTH


@repeatable
@given(st.integers(0, 2400))
def test_by_the_standard_s_formulas(length: int) -> None:
    for number, rate in frame.RATES.items():
        bits = 8 * length
        megabit = rate.kbit_s / 1000
        if rate.modulation == "OFDM":
            expected = 16 + 4 + 4 * math.ceil((16 + bits + 6) / (4 * megabit)) + 6
        elif rate.modulation == "HT":
            assert rate.mcs is not None
            # BPSK 1/2, QPSK 1/2 and 3/4, 16-QAM 1/2 and 3/4, 64-QAM 2/3, 3/4 and 5/6
            bits_a_carrier = (1, 2, 2, 4, 4, 6, 6, 6)[rate.mcs]
            coded, of = ((1, 2), (1, 2), (3, 4), (1, 2), (3, 4), (2, 3), (3, 4), (5, 6))[rate.mcs]
            data_bits = 52 * bits_a_carrier * coded // of
            symbols = math.ceil((bits + 16 + 6) / data_bits)
            if rate.short:
                expected = 36 + 4 * math.ceil(36 * symbols / 40) + 6
            else:
                expected = 36 + 4 * symbols + 6
        else:
            preamble = 96 if rate.short else 192
            expected = preamble + math.ceil(bits / megabit)
        assert frame.airtime_us(length, number) == expected, rate


@pytest.mark.parametrize("rate", [-1, 4, 32, 40, 43, 1000])
def test_no_such_rate(rate: int) -> None:
    with pytest.raises(ValueError, match="wifi_phy_rate_t"):
        frame.airtime_us(14, rate)
    with pytest.raises(ValueError, match="wifi_phy_rate_t"):
        frame.unicast_duration(rate)


def test_no_such_length() -> None:
    with pytest.raises(ValueError, match="-1 bytes"):
        frame.airtime_us(-1, frame.RATE_1M)


def test_the_duration_of_a_unicast_frame() -> None:
    assert frame.unicast_duration(frame.RATE_1M) == frame.unicast_duration() == 0x013A
    assert frame.unicast_duration(frame.RATE_6M) == 10 + 50
    assert frame.unicast_duration(frame.RATE_54M) == frame.unicast_duration(frame.RATE_24M)
    assert all(0 < frame.unicast_duration(rate) < 1 << 15 for rate in frame.ALL_RATES)


def test_a_response_is_no_faster_and_heard_by_the_same_stations() -> None:
    for number, rate in frame.RATES.items():
        answer = frame.RATES[frame.response_rate(number)]
        assert answer.kbit_s <= rate.kbit_s
        assert (answer.modulation == "LR") == (rate.modulation == "LR")
        if rate.modulation in ("OFDM", "HT"):
            assert answer.number in (frame.RATE_6M, frame.RATE_12M, frame.RATE_24M)
        else:
            assert answer is rate
    assert frame.response_rate(frame.RATE_9M) == frame.RATE_6M
    assert frame.response_rate(frame.RATE_18M) == frame.RATE_12M
    assert [frame.response_rate(MCS0 + mcs) for mcs in range(4)] == [11, 10, 10, 9]

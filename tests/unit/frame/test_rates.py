"""The table of PHY rates."""

from __future__ import annotations

import pytest

from espnow import frame

# wifi_phy_rate_t, from ESP-IDF.
IDF = {
    "1M_L": 0,
    "2M_L": 1,
    "5M_L": 2,
    "11M_L": 3,
    "2M_S": 5,
    "5M_S": 6,
    "11M_S": 7,
    "48M": 8,
    "24M": 9,
    "12M": 10,
    "6M": 11,
    "54M": 12,
    "36M": 13,
    "18M": 14,
    "9M": 15,
    **{f"MCS{mcs}_LGI": 16 + mcs for mcs in range(8)},
    **{f"MCS{mcs}_SGI": 24 + mcs for mcs in range(8)},
    "LORA_250K": 41,
    "LORA_500K": 42,
}


def test_numbers_and_names_are_idf_s() -> None:
    assert {rate.name: number for number, rate in frame.RATES.items()} == IDF
    assert set(IDF.values()) == frame.ALL_RATES
    assert all(rate.number == number for number, rate in frame.RATES.items())


def test_micropython_s_names() -> None:
    assert dict(frame.MICROPYTHON_RATES) == {
        "RATE_1M": 0,
        "RATE_2M": 1,
        "RATE_5M": 2,
        "RATE_11M": 3,
        "RATE_24M": 9,
        "RATE_12M": 10,
        "RATE_6M": 11,
        "RATE_54M": 12,
        "RATE_LORA_250K": 41,
        "RATE_LORA_500K": 42,
    }
    for name, number in frame.MICROPYTHON_RATES.items():
        assert getattr(frame, name) == number


def test_long_range() -> None:
    assert {41, 42} == frame.LR_RATES
    assert {n for n, rate in frame.RATES.items() if rate.modulation == "LR"} == frame.LR_RATES


def test_speeds() -> None:
    for rate in frame.RATES.values():
        if rate.radiotap is not None:
            assert rate.radiotap * 500 == rate.kbit_s
        if rate.modulation == "HT":
            assert rate.mcs is not None
            bits = (26, 52, 78, 104, 156, 208, 234, 260)[rate.mcs]
            assert rate.kbit_s == round(bits * 1000 / (3.6 if rate.short else 4))
        else:
            assert rate.mcs is None
            speed = rate.name.split("_")[0].removesuffix("M")
            if rate.modulation != "LR":
                assert rate.kbit_s == {"5": 5500}.get(speed, int(speed) * 1000)
    assert frame.RATES[41].radiotap is None


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        frame.RATES[0] = frame.RATES[1]  # type: ignore[index]


def test_all_public_names_exist() -> None:
    assert len(set(frame.__all__)) == len(frame.__all__)
    for name in frame.__all__:
        assert hasattr(frame, name)

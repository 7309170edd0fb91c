"""Addresses, acknowledgements, the FCS and the Retry bit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow import frame

repeatable = settings(derandomize=True, deadline=None)

MAC = bytes.fromhex("840d8e18e205")


def test_groups() -> None:
    assert frame.is_group(frame.BROADCAST)
    assert frame.is_group(bytes.fromhex("01005e000001"))
    assert not frame.is_group(MAC)


@repeatable
@given(st.binary(min_size=6, max_size=6))
def test_an_address_survives_its_text(address: bytes) -> None:
    text = frame.format_mac(address)
    assert len(text) == 17
    assert frame.parse_mac(text) == address
    assert frame.parse_mac(text.upper().replace(":", "-")) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "aa",
        "aabbccddeeff",
        "aa:bb:cc:dd:ee",
        "aa:bb:cc:dd:ee:ff:00",
        "aa:bb:cc:dd:ee:fg",
        "aa:bb:cc:dd:ee:+f",
        "aa: b:c :dd:ee:ff",
        "a:abb:cc:dd:ee:ff",
        "aa-bb:cc-dd:ee-ff",
        "aa:bb:cc:dd:ee:ff\n",
        "aa:bb:cc:dd:ee:\u0661\u0661",
    ],
)
def test_other_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="is no MAC address") as caught:
        frame.parse_mac(text)
    assert "\n" not in str(caught.value)


@repeatable
@given(st.text(max_size=20))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        address = frame.parse_mac(text)
    except ValueError:
        return
    assert frame.format_mac(address) == text.lower().replace("-", ":")


def test_an_acknowledgement_is_ten_bytes() -> None:
    assert frame.ack(MAC) == bytes.fromhex("d4000000840d8e18e205")
    with pytest.raises(ValueError, match="6 bytes"):
        frame.ack(MAC[:5])


def test_the_fcs_is_crc_32_little_endian() -> None:
    # The check value of CRC-32 is cbf43926.
    assert frame.fcs(b"123456789") == bytes.fromhex("2639f4cb")


@repeatable
@given(st.binary(min_size=24, max_size=80))
def test_retry_changes_one_bit(mpdu: bytes) -> None:
    again = frame.with_retry(mpdu)
    assert again[1] == mpdu[1] | 0x08
    assert again[:1] + again[2:] == mpdu[:1] + mpdu[2:]
    assert frame.with_retry(again) == again

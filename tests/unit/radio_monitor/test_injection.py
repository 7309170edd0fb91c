"""What stands before an injected frame, to the byte, and which rates can be asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.frame import ALL_RATES, RATES, radiotap
from espnow.radio.monitor.injection import MAX_ATTEMPTS, MAX_HEADER, header, replacement, sendable_rates


@pytest.mark.parametrize(
    ("rate", "attempts", "expected"),
    [
        # Present: RATE, TX flags, DATA_RETRIES; NOSEQNO is 0x0010.
        (0, 1, "00000d00048002000200100000"),
        (0, 7, "00000d00048002000200100006"),
        (11, 11, "00000d00048002000c0010000a"),
        # Present: TX flags, DATA_RETRIES, MCS.
        (23, 3, "00000e0000800a001000020f0007"),
    ],
)
def test_bytes(rate: int, attempts: int, expected: str) -> None:
    assert header(rate, True, attempts).hex() == expected


@given(st.sampled_from(sorted(ALL_RATES)), st.booleans(), st.integers(0, 300))
def test_every_header(rate: int, ht: bool, attempts: int) -> None:
    told = radiotap.parse(header(rate, ht, attempts))
    assert told.length <= MAX_HEADER
    assert told.flags is None  # which would tell of an FCS
    assert told.tx_flags == radiotap.TX_NO_SEQUENCE
    assert told.data_retries == max(0, min(attempts, MAX_ATTEMPTS) - 1)
    assert told.rate == replacement(rate, ht)


@given(st.sampled_from(sorted(ALL_RATES)), st.booleans())
def test_a_replacement_can_be_sent_and_is_no_faster(rate: int, ht: bool) -> None:
    found = replacement(rate, ht)
    sendable = sendable_rates(ht=ht)
    assert found in sendable
    if rate in sendable:
        assert found == rate
    else:
        asked = RATES[rate].kbit_s
        assert RATES[found].kbit_s <= max(asked, 1000)
        assert not any(RATES[found].kbit_s < RATES[other].kbit_s <= asked for other in sendable)


def test_which_rates() -> None:
    assert sendable_rates(ht=False) == frozenset((0, 1, 2, 3, *range(8, 16)))
    assert sendable_rates(ht=True) == sendable_rates(ht=False) | frozenset(range(16, 32))

"""The body, versions 1 and 2."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow import frame
from espnow.errors import FrameError

repeatable = settings(derandomize=True, deadline=None)

PREFIX = bytes.fromhex("7f18fe34")
RANDOM = 0xDC1D9A76
RANDOM_BYTES = bytes.fromhex("769a1ddc")


def element(piece: bytes, version: int = 1) -> bytes:
    """Write an element the long way."""
    return bytes((0xDD, 5 + len(piece))) + bytes.fromhex("18fe3404") + bytes((version,)) + piece


def pattern(length: int) -> bytes:
    """Return bytes of which no two neighbouring 250 are alike."""
    return bytes((index * 7 + index // 250) & 0xFF for index in range(length))


@pytest.mark.parametrize("version", [1, 2])
def test_every_length_makes_the_round_trip(version: int) -> None:
    for length in range(1, (frame.MAX_V1, frame.MAX_V2)[version - 1] + 1):
        message = pattern(length)
        body = frame.build_body(message, length, version)
        assert frame.parse_body(body) == (length, version, message)
        elements = -(-length // 250)
        assert len(body) == 8 + 7 * elements + length


def test_one_element_byte_by_byte() -> None:
    assert frame.build_body(b"hi", RANDOM, 1) == PREFIX + RANDOM_BYTES + element(b"hi", 1)
    assert frame.build_body(b"hi", RANDOM, 2) == PREFIX + RANDOM_BYTES + element(b"hi", 2)


def test_the_longest_message_is_six_elements() -> None:
    message = pattern(1470)
    expected = [element(message[start : start + 250], 0x12 if start < 1250 else 0x02) for start in range(0, 1470, 250)]
    assert len(expected) == 6
    assert expected[-1][1] == 5 + 220
    assert frame.build_body(message, RANDOM, 2) == PREFIX + RANDOM_BYTES + b"".join(expected)


def test_a_multiple_of_250_ends_in_a_full_element() -> None:
    body = frame.build_body(pattern(500), RANDOM, 2)
    assert body[8:] == element(pattern(500)[:250], 0x12) + element(pattern(500)[250:], 0x02)


@pytest.mark.parametrize(("length", "version"), [(0, 1), (0, 2), (251, 1), (1471, 2), (1, 0), (1, 3), (300, 3)])
def test_what_no_sender_makes_is_refused(length: int, version: int) -> None:
    with pytest.raises(ValueError, match="version") as caught:
        frame.build_body(bytes(length), RANDOM, version)
    assert not isinstance(caught.value, FrameError)


@pytest.mark.parametrize("random_value", [-1, 1 << 32])
@pytest.mark.parametrize("length", [1, 300])
def test_a_random_value_has_32_bits(random_value: int, length: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        frame.build_body(bytes(length), random_value, 2)


def test_an_empty_message_is_heard() -> None:
    assert frame.parse_body(PREFIX + RANDOM_BYTES + element(b"")) == (RANDOM, 1, b"")


def test_version_and_more_bit_are_not_checked() -> None:
    head = PREFIX + RANDOM_BYTES
    assert frame.parse_body(head + element(b"a", 0x00)) == (RANDOM, 1, b"a")
    assert frame.parse_body(head + element(b"a", 0x12)) == (RANDOM, 2, b"a")
    assert frame.parse_body(head + element(b"a", 0x03)) == (RANDOM, 2, b"a")
    assert frame.parse_body(head + element(b"a", 0xFF)) == (RANDOM, 2, b"a")
    assert frame.parse_body(head + element(b"a") + element(b"") + element(b"b")) == (
        RANDOM,
        2,
        b"ab",
    )


def one_line(refused: FrameError) -> str:
    """Return the message of an exception, its only argument."""
    (text,) = refused.args
    assert isinstance(text, str)
    assert "\n" not in text
    return text


GOOD = PREFIX + RANDOM_BYTES + element(b"hello") + element(b"world")


@pytest.mark.parametrize("index", [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 20, 21, 22, 23, 24, 25], ids=str)
@pytest.mark.parametrize("bit", range(8))
def test_every_fixed_bit_matters(index: int, bit: int) -> None:
    assert frame.parse_body(GOOD).message == b"helloworld"
    body = bytearray(GOOD)
    body[index] ^= 1 << bit
    with pytest.raises(FrameError):
        frame.parse_body(bytes(body))


def test_a_cut_body_is_refused_unless_cut_between_elements() -> None:
    for length in range(len(GOOD)):
        if length == 8 + 12:
            assert frame.parse_body(GOOD[:length]).message == b"hello"
        else:
            with pytest.raises(FrameError):
                frame.parse_body(GOOD[:length])


@pytest.mark.parametrize("stray", [1, 4, 6, 7, 8])
def test_stray_bytes_drop_the_whole(stray: int) -> None:
    with pytest.raises(FrameError):
        frame.parse_body(GOOD + b"\xa5" * stray)


@pytest.mark.parametrize("length", range(5))
def test_an_element_too_short_for_its_own_fields_drops_the_whole(length: int) -> None:
    short = bytes((0xDD, length)) + element(b"")[2 : 2 + length]
    for tail in (element(b"x"), element(b"")[2 + length :] + element(b"x")):
        with pytest.raises(FrameError):
            frame.parse_body(GOOD + short + tail)
        with pytest.raises(FrameError):
            frame.parse_body(PREFIX + RANDOM_BYTES + short + tail)


def test_an_element_of_another_kind_drops_the_whole() -> None:
    other_type = bytearray(element(b"x"))
    other_type[5] = 5
    other_id = bytearray(element(b"x"))
    other_id[0] = 0xDC
    for other in (other_type, other_id):
        with pytest.raises(FrameError, match="not ESP-NOW's"):
            frame.parse_body(GOOD + bytes(other))


def test_more_than_1470_bytes_are_refused() -> None:
    head = PREFIX + RANDOM_BYTES
    full = head + element(bytes(245), 0x12) * 6
    assert len(frame.parse_body(full).message) == 1470
    with pytest.raises(FrameError, match="1471"):
        frame.parse_body(full + element(b"x", 2))


@repeatable
@given(st.binary(max_size=600))
def test_any_bytes_parse_or_raise_frame_error(junk: bytes) -> None:
    for body in (junk, PREFIX + junk, GOOD + junk):
        try:
            parsed = frame.parse_body(body)
        except FrameError as refused:
            one_line(refused)
        else:
            assert len(parsed.message) <= frame.MAX_V2

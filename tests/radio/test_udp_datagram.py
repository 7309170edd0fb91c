"""What a datagram of udp: holds, and what is refused."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.frame.rates import ALL_RATES
from espnow.radio.udp.datagram import HEADER_LENGTH, MAX_MPDU, Kind, Malformed, UdpDatagram, build, pack, parse

MPDU = bytes(range(24)) + b"body"
PLAIN = UdpDatagram(Kind.FRAME, 6, 0, -20, 1, 0x0102030405060708, 0x0A0B0C0D, 1.5, -2.0, MPDU)

metres = st.floats(width=32, allow_nan=False, allow_infinity=False)
datagrams = st.builds(
    UdpDatagram,
    kind=st.just(1),
    channel=st.integers(1, 14),
    rate=st.sampled_from(sorted(ALL_RATES)),
    rssi_dbm=st.integers(-128, 30),
    attempt=st.integers(1, 255),
    sender=st.integers(0, 2**64 - 1),
    number=st.integers(0, 2**32 - 1),
    east_m=metres,
    north_m=metres,
    mpdu=st.binary(min_size=24, max_size=300),
) | st.builds(PLAIN._replace, kind=st.just(2), attempt=st.integers(1, 255), mpdu=st.binary(min_size=10, max_size=10))


def test_the_layout_byte_by_byte():
    """As the table in the documentation has it."""
    assert build(PLAIN) == (
        b"ESPN"
        + bytes([1, 1, 6, 0, 256 - 20, 1, 0, 0])
        + bytes.fromhex("0807060504030201")
        + bytes.fromhex("0d0c0b0a")
        + struct.pack("<ff", 1.5, -2.0)
        + MPDU
    )
    assert HEADER_LENGTH == 32
    assert pack(*PLAIN) == build(PLAIN)


@given(datagrams)
def test_what_is_built_is_parsed(datagram):
    assert parse(build(datagram)) == datagram


def test_a_place_that_is_not_known():
    parsed = parse(build(PLAIN._replace(east_m=math.nan, north_m=math.nan)))
    assert math.isnan(parsed.east_m)
    assert math.isnan(parsed.north_m)


def test_reserved_bytes_are_ignored():
    datagram = bytearray(build(PLAIN))
    datagram[10:12] = b"\xff\xff"
    assert parse(bytes(datagram)) == PLAIN


def changed(at, value):
    datagram = bytearray(build(PLAIN))
    datagram[at : at + len(value)] = value
    return bytes(datagram)


INFINITE = struct.pack("<f", math.inf)
WRONG = {
    "nothing": b"",
    "the magic number alone": b"ESPN\x01",
    "another magic number": changed(0, b"X"),
    "another version": changed(4, b"\x02"),
    "kind 0": changed(5, b"\0"),
    "kind 3": changed(5, b"\x03"),
    "an acknowledgement that is too long": changed(5, b"\x02"),
    "channel 0": changed(6, b"\0"),
    "channel 15": changed(6, b"\x0f"),
    "a rate that is none": changed(7, b"\x04"),
    "a rate beyond all": changed(7, b"\xff"),
    "stronger than a transmitter": changed(8, b"\x1f"),
    "attempt 0": changed(9, b"\0"),
    "infinitely far east": changed(24, INFINITE),
    "infinitely far north": changed(28, INFINITE),
    "infinitely far west": changed(24, struct.pack("<f", -math.inf)),
    "a header without a frame": build(PLAIN)[:HEADER_LENGTH],
    "a frame that is too short": build(PLAIN)[: HEADER_LENGTH + 23],
    "a frame that is too long": build(PLAIN._replace(mpdu=bytes(MAX_MPDU + 1))),
    "an acknowledgement that is too short": build(PLAIN._replace(kind=2, mpdu=bytes(9))),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name):
    with pytest.raises(Malformed):
        parse(WRONG[name])


def test_the_longest_and_the_shortest():
    for length in (24, MAX_MPDU):
        assert len(parse(build(PLAIN._replace(mpdu=bytes(length)))).mpdu) == length


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda rest: b"ESPN\x01" + rest))
def test_whatever_comes_is_parsed_or_refused(datagram):
    try:
        parsed = parse(datagram)
    except Malformed:
        return
    again = build(parsed)
    assert again[:10] == datagram[:10]
    assert again[12:] == datagram[12:] or any(map(math.isnan, (parsed.east_m, parsed.north_m)))

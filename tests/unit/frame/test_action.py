"""Whole frames, plain and protected."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow import frame
from espnow.errors import FrameError
from espnow.frame import Frame, ProtectedFrame

repeatable = settings(derandomize=True, deadline=None)

A = bytes.fromhex("a0f26285a87c")
B = bytes.fromhex("840d8e18e205")
KEY = bytes.fromhex("7508819562d0f6fd9a19148631bf4ab0")
OTHER_KEY = bytes.fromhex("6dbbdd16862d37df4ae8bbaf294a51a5")

# Captured frames, without FCS.
V1_BROADCAST = bytes.fromhex(
    "d0000000ffffffffffff840d8e18e205ffffffffffffc0477f18fe34769a1ddcdd1118fe34040144524f4e450000000000864e"
)
V2_BROADCAST = bytes.fromhex(
    "d0000000ffffffffffffa0f26285a87cffffffffffff00007f18fe34e2b3830ddd1618fe340402504c01016285a87c000000000100000000"
)

addresses = st.binary(min_size=6, max_size=6)
sequence_numbers = st.integers(0, 4095)
random_values = st.integers(0, 0xFFFFFFFF)
durations = st.integers(0, 0xFFFF)
packet_numbers = st.integers(1, (1 << 48) - 1)
sized = st.one_of(
    st.tuples(st.just(1), st.binary(min_size=1, max_size=250)),
    st.tuples(st.just(2), st.binary(min_size=1, max_size=250)),
    st.tuples(
        st.just(2),
        st.builds(
            lambda length, piece: (piece * length)[:length],
            st.integers(251, 1470),
            st.binary(min_size=1, max_size=9),
        ),
    ),
)


def opened(mpdu: bytes) -> Frame:
    """Parse an encrypted frame and open it."""
    sealed = frame.parse(mpdu)
    assert isinstance(sealed, ProtectedFrame)
    return frame.open_protected(sealed, KEY)


def test_captured_version_1() -> None:
    expected = Frame(
        destination=frame.BROADCAST,
        source=B,
        bssid=frame.BROADCAST,
        seq=0x47C,
        retry=False,
        duration=0,
        random_value=0xDC1D9A76,
        version=1,
        message=b"DRONE" + bytes.fromhex("0000000000864e"),
    )
    assert frame.parse(V1_BROADCAST) == expected
    assert frame.build(frame.BROADCAST, B, expected.message, seq=expected.seq, random_value=0xDC1D9A76) == V1_BROADCAST


def test_captured_version_2() -> None:
    parsed = frame.parse(V2_BROADCAST)
    assert isinstance(parsed, Frame)
    assert parsed.version == 2
    assert parsed.source == A
    assert parsed.seq == 0
    assert parsed.message == bytes.fromhex("504c01016285a87c000000000100000000")
    assert (
        frame.build(
            frame.BROADCAST,
            A,
            parsed.message,
            seq=0,
            random_value=parsed.random_value,
            version=2,
        )
        == V2_BROADCAST
    )


@repeatable
@given(addresses, addresses, addresses, sequence_numbers, random_values, durations, sized)
def test_a_plain_frame_makes_the_round_trip(
    destination: bytes,
    source: bytes,
    bssid: bytes,
    seq: int,
    random_value: int,
    duration: int,
    sent: tuple[int, bytes],
) -> None:
    version, message = sent
    for retry in (False, True):
        mpdu = frame.build(
            destination,
            source,
            message,
            seq=seq,
            random_value=random_value,
            version=version,
            bssid=bssid,
            duration=duration,
            retry=retry,
        )
        assert frame.parse(mpdu) == Frame(
            destination, source, bssid, seq, retry, duration, random_value, version, message
        )
        assert frame.with_retry(mpdu)[1] == 0x08


@pytest.mark.parametrize("version", [1, 2])
def test_every_length_makes_the_round_trip(version: int) -> None:
    for length in range(1, (250, 1470)[version - 1] + 1):
        message = bytes((length + index) & 0xFF for index in range(length))
        mpdu = frame.build(A, B, message, seq=1, random_value=2, version=version)
        parsed = frame.parse(mpdu)
        assert isinstance(parsed, Frame)
        assert (parsed.version, parsed.message) == (version, message)
        assert mpdu[24:] == frame.build_body(message, 2, version)


@repeatable
@given(addresses, addresses, addresses, sequence_numbers, random_values, packet_numbers, sized)
def test_a_protected_frame_makes_the_round_trip(
    destination: bytes,
    source: bytes,
    bssid: bytes,
    seq: int,
    random_value: int,
    packet_number: int,
    sent: tuple[int, bytes],
) -> None:
    version, message = sent
    mpdu = frame.build_protected(
        destination,
        source,
        message,
        seq=seq,
        random_value=random_value,
        key=KEY,
        packet_number=packet_number,
        version=version,
        bssid=bssid,
        duration=314,
    )
    for attempt, retry in ((mpdu, False), (frame.with_retry(mpdu), True)):
        sealed = frame.parse(attempt)
        assert sealed == ProtectedFrame(destination, source, bssid, seq, retry, 314, packet_number, attempt)
        assert isinstance(sealed, ProtectedFrame)
        assert frame.open_protected(sealed, KEY) == Frame(
            destination, source, bssid, seq, retry, 314, random_value, version, message
        )
    sealed = frame.parse(mpdu)
    assert isinstance(sealed, ProtectedFrame)
    with pytest.raises(FrameError, match="MIC"):
        frame.open_protected(sealed, OTHER_KEY)


def test_every_flipped_bit_of_a_protected_frame_is_noticed() -> None:
    mpdu = frame.build_protected(A, B, b"secret", seq=5, random_value=9, key=KEY, packet_number=1, duration=314)
    # Retry, power management and more data; Duration; the sequence number: CCMP leaves them out.
    free = {(1, 3), (1, 4), (1, 5)} | {(index, bit) for index in (2, 3, 23) for bit in range(8)}
    free |= {(22, bit) for bit in range(4, 8)}
    for index in range(len(mpdu)):
        for bit in range(8):
            changed = bytearray(mpdu)
            changed[index] ^= 1 << bit
            if (index, bit) in free:
                assert opened(bytes(changed)).message == b"secret"
                continue
            with pytest.raises(FrameError):
                opened(bytes(changed))


def test_every_fixed_bit_of_a_plain_frame_matters() -> None:
    fixed = {(0, bit) for bit in range(8)} | {(1, bit) for bit in (0, 1, 2, 6, 7)}
    fixed |= {(22, bit) for bit in range(4)}
    fixed |= {(index, bit) for index in (24, 25, 26, 27, *range(32, 38)) for bit in range(8)}
    for index in range(len(V1_BROADCAST)):
        for bit in range(8):
            changed = bytearray(V1_BROADCAST)
            changed[index] ^= 1 << bit
            if (index, bit) in fixed:
                with pytest.raises(FrameError):
                    frame.parse(bytes(changed))
            else:
                assert isinstance(frame.parse(bytes(changed)), Frame)


def test_power_bits_say_nothing() -> None:
    changed = bytearray(V1_BROADCAST)
    changed[1] |= 0x30
    assert frame.parse(bytes(changed)) == frame.parse(V1_BROADCAST)


@pytest.mark.parametrize("mpdu", [V1_BROADCAST, V2_BROADCAST], ids=["v1", "v2"])
def test_no_cut_and_no_tail_is_taken(mpdu: bytes) -> None:
    for length in range(len(mpdu)):
        with pytest.raises(FrameError):
            frame.parse(mpdu[:length])
    with pytest.raises(FrameError, match="stray"):
        frame.parse(mpdu + frame.fcs(mpdu))
    with pytest.raises(FrameError):
        frame.parse(mpdu + b"\0")


def test_no_cut_protected_frame_is_taken() -> None:
    mpdu = frame.build_protected(A, B, b"x", seq=0, random_value=0, key=KEY, packet_number=1)
    assert len(mpdu) == 24 + 8 + 16 + 8
    for length in range(len(mpdu)):
        with pytest.raises(FrameError):
            opened(mpdu[:length])


def test_a_protected_frame_has_room_for_one_element() -> None:
    shortest = bytearray(24 + 8 + 15 + 8)
    shortest[:2] = b"\xd0\x40"
    shortest[27] = 0xE0
    assert isinstance(frame.parse(bytes(shortest)), ProtectedFrame)
    with pytest.raises(FrameError, match="54 bytes"):
        frame.parse(bytes(shortest[:-1]))


def test_a_right_mic_around_another_body_is_refused() -> None:
    header = frame.build_protected(A, B, b"x", seq=0, random_value=0, key=KEY, packet_number=1)[:24]
    sealed = frame.parse(header + frame.encrypt(KEY, header, bytes(20), 1))
    assert isinstance(sealed, ProtectedFrame)
    with pytest.raises(FrameError, match="Espressif"):
        frame.open_protected(sealed, KEY)


def one_line(refused: FrameError) -> str:
    """Return the message of an exception, its only argument."""
    (text,) = refused.args
    assert isinstance(text, str)
    assert "\n" not in text
    return text


def parse_and_open(mpdu: bytes) -> None:
    """Do all that a receiver does; let only FrameError pass."""
    try:
        parsed = frame.parse(mpdu)
        if isinstance(parsed, ProtectedFrame):
            parsed = frame.open_protected(parsed, KEY)
    except FrameError as refused:
        one_line(refused)
    else:
        assert len(parsed.message) <= 1470


@repeatable
@given(st.binary(max_size=400))
def test_any_bytes_raise_only_frame_error(junk: bytes) -> None:
    protected = V1_BROADCAST[:1] + b"\x40" + V1_BROADCAST[2:24]
    for mpdu in (
        junk,
        V1_BROADCAST[:24] + junk,
        V1_BROADCAST[:32] + junk,
        V1_BROADCAST + junk,
        protected + junk,
        protected + bytes.fromhex("010000e000000000") + junk,
    ):
        parse_and_open(mpdu)


@repeatable
@given(
    st.binary(max_size=400),
    st.integers(0, (1 << 48) - 1),
)
def test_a_protected_frame_made_by_hand_raises_only_frame_error(mpdu: bytes, packet_number: int) -> None:
    sealed = ProtectedFrame(A, B, frame.BROADCAST, 0, False, 0, packet_number, mpdu)
    with pytest.raises(FrameError):
        frame.open_protected(sealed, KEY)


def test_receivers_of_one_frame_share_one_parse() -> None:
    first = frame.parse_shared(V1_BROADCAST)
    assert frame.parse_shared(bytes(bytearray(V1_BROADCAST))) is first
    assert first == frame.parse(V1_BROADCAST)


def test_only_bytes_are_parsed() -> None:
    view = memoryview(V1_BROADCAST + b"\0")[:-1]
    for other in (bytearray(V1_BROADCAST), view, None, "d0"):
        with pytest.raises(TypeError):
            frame.parse(other)  # type: ignore[arg-type]
    parsed = frame.parse(V1_BROADCAST)
    assert isinstance(parsed, Frame)
    assert type(parsed.message) is bytes


def test_values_are_frozen_hashable_and_readable() -> None:
    parsed = frame.parse(V1_BROADCAST)
    assert isinstance(parsed, Frame)
    assert repr(parsed) == (
        "Frame(84:0d:8e:18:e2:05 -> ff:ff:ff:ff:ff:ff, bssid=ff:ff:ff:ff:ff:ff, seq=1148, "
        "retry=False, duration=0, random_value=0xdc1d9a76, version=1, "
        "message=b'DRONE\\x00\\x00\\x00\\x00\\x00\\x86N')"
    )
    assert hash(parsed) == hash(parsed._replace())
    assert parsed != parsed._replace(seq=0)
    with pytest.raises(AttributeError):
        parsed.seq = 1  # type: ignore[misc]
    assert not hasattr(parsed, "__dict__")
    long = parsed._replace(message=bytes(1470))
    assert len(repr(long)) < 400
    assert "(1470 bytes)" in repr(long)


def test_a_protected_frame_shows_no_bytes() -> None:
    mpdu = frame.build_protected(A, B, b"x", seq=7, random_value=0, key=KEY, packet_number=258)
    sealed = frame.parse(mpdu)
    assert repr(sealed) == (
        "ProtectedFrame(84:0d:8e:18:e2:05 -> a0:f2:62:85:a8:7c, bssid=ff:ff:ff:ff:ff:ff, seq=7, "
        "retry=False, duration=0, packet_number=258, 56 bytes)"
    )
    assert not hasattr(sealed, "__dict__")
    with pytest.raises(AttributeError):
        sealed.mpdu = b""  # type: ignore[misc, union-attr]


@pytest.mark.parametrize(
    "change",
    [
        {"destination": A[:5]},
        {"source": A + b"\0"},
        {"bssid": b""},
        {"message": b""},
        {"message": bytes(251)},
        {"message": bytes(1471), "version": 2},
        {"version": 0},
        {"version": 3},
        {"seq": -1},
        {"seq": 4096},
        {"random_value": -1},
        {"random_value": 1 << 32},
        {"duration": -1},
        {"duration": 1 << 16},
        {"seq": 4096, "message": bytes(300), "version": 2},
        {"random_value": 1 << 32, "message": bytes(300), "version": 2},
    ],
    ids=repr,
)
def test_builders_refuse_what_does_not_fit(change: dict[str, object]) -> None:
    arguments: dict[str, object] = {
        "destination": A,
        "source": B,
        "message": b"x",
        "seq": 0,
        "random_value": 0,
    }
    arguments |= change
    with pytest.raises(ValueError, match=r"\w") as caught:
        frame.build(**arguments)  # type: ignore[arg-type]
    assert not isinstance(caught.value, FrameError)
    with pytest.raises(ValueError, match=r"\w"):
        frame.build_protected(**arguments, key=KEY, packet_number=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("packet_number", [-1, 0, 1 << 48])
def test_a_packet_number_has_48_bits_and_is_not_zero(packet_number: int) -> None:
    with pytest.raises(ValueError, match="packet number"):
        frame.build_protected(A, B, b"x", seq=0, random_value=0, key=KEY, packet_number=packet_number)

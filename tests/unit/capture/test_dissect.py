"""From captured packets to ESP-NOW frames: every link type, FCS, cut, oddity, key and decoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow import frame as wire
from espnow.capture import CapturedFrame, Dissector, KeyRing, OtherFrame
from espnow.errors import FrameError
from espnow.frame import Frame, Freshness, Oddity, ProtectedFrame, radiotap
from espnow.frame.captures import Interface, Record
from espnow.frame.decoders import Decoders
from espnow.frame.mac80211 import ManagementHeader, build_header, fcs

A = bytes.fromhex("30aaaaaaaaaa")
B = bytes.fromhex("18fe34000008")
LMK = b"lmk1234567890123"
KEY = wire.derive_key(wire.DEFAULT_PMK, LMK)
MPDU = wire.build(B, A, b"hello", seq=5, random_value=6)
#: Category, OUI and random value.
BODY = bytes.fromhex("7f18fe3401020304")

RADIOTAP = Interface(0, 0, 127, 0, None, "wlan0", 1_000_000, 0)
BARE = RADIOTAP._replace(link_type=105)
HEADER = radiotap.build(channel=6, rate=0, rssi_dbm=-50)


def dissect(
    packet: bytes,
    on: Interface = RADIOTAP,
    *,
    missing: int = 0,
    at_ns: int | None = 7,
    dissector: Dissector | None = None,
) -> CapturedFrame | OtherFrame | None:
    return (dissector or Dissector()).dissect(Record(at_ns, on, packet, len(packet) + missing))


def captured(
    packet: bytes, on: Interface = RADIOTAP, *, missing: int = 0, dissector: Dissector | None = None
) -> CapturedFrame:
    found = dissect(packet, on, missing=missing, dissector=dissector)
    assert isinstance(found, CapturedFrame)
    return found


def sealed(
    number: int = 1,
    message: bytes = b"secret",
    *,
    key: bytes = KEY,
    seq: int = 5,
    source: bytes = A,
    destination: bytes = B,
) -> bytes:
    return wire.build_protected(
        destination,
        source,
        message,
        seq=seq,
        random_value=number & 0xFFFFFFFF,
        key=key,
        packet_number=number,
        version=2,
    )


def with_key(decoders: Decoders | None = None) -> Dissector:
    ring = KeyRing()
    ring.add(LMK, name="greenhouse")
    return Dissector(ring, decoders)


# Links and FCS.


def test_a_frame_with_radiotap() -> None:
    found = captured(HEADER + MPDU)
    assert found.frame == wire.parse(MPDU)
    assert (found.at_ns, found.interface) == (7, RADIOTAP)
    assert found.radio is not None
    assert (found.radio.channel, found.radio.rssi_dbm, found.radio.rate) == (6, -50, 0)
    assert found[4:] == ((), None, None, None, None)
    assert found.accepted


def test_a_frame_without_radiotap() -> None:
    found = captured(MPDU, BARE)
    assert found.frame == wire.parse(MPDU)
    assert found.radio is None


@pytest.mark.parametrize("link", [0, 1, 113, 119, 163, 192, 195, 65535])
def test_other_links_are_counted(link: int) -> None:
    dissector = Dissector()
    assert dissect(HEADER + MPDU, RADIOTAP._replace(link_type=link), dissector=dissector) is None
    assert (dissector.packets, dissector.frames, dissector.unreadable, dissector.other_links) == (1, 0, 0, 1)


@pytest.mark.parametrize("packet", [b"", b"\0", HEADER[:-1], b"\1" + HEADER[1:] + MPDU, b"\0\0\xff\xff" + bytes(40)])
def test_radiotap_that_makes_no_sense_is_counted(packet: bytes) -> None:
    dissector = Dissector()
    assert dissect(packet, dissector=dissector) is None
    assert (dissector.packets, dissector.frames, dissector.unreadable, dissector.other_links) == (1, 0, 1, 0)


@pytest.mark.parametrize("fcs_length", [None, 0, 4])
@pytest.mark.parametrize("there", [False, True])
def test_an_fcs_without_radiotap(fcs_length: int | None, there: bool) -> None:
    found = captured(MPDU + (fcs(MPDU) if there else b""), BARE._replace(fcs_length=fcs_length))
    told = there if fcs_length is None else fcs_length == 4  # where the file does not tell, the FCS itself does
    assert isinstance(found.frame, Frame)
    if told == there:
        assert (found.frame.message, found.oddities) == (b"hello", ())
    elif there:
        assert (found.frame.message, found.oddities) == (b"hello", (Oddity.TRAILING_FCS,))
    else:
        assert Oddity.WRONG_FCS in found.oddities
        assert not found.accepted


def test_an_fcs_of_which_nothing_tells_is_not_the_senders() -> None:
    bare = radiotap.build(rssi_dbm=-50, tx_flags=0)
    for packet, interface in ((MPDU + fcs(MPDU), BARE), (bare + MPDU + fcs(MPDU), RADIOTAP)):
        found = captured(packet, interface)
        assert (found.oddities, found.accepted) == ((), True)
    other = dissect(wire.ack(A) + fcs(wire.ack(A)), BARE)
    assert isinstance(other, OtherFrame)
    assert wire.parse_ack(other.mpdu) == A


@pytest.mark.parametrize("length", [0, 1, len(MPDU), 10_000])
def test_a_length_that_cannot_be_loses_nothing(length: int) -> None:
    header = radiotap.build(channel=6, fcs=True)
    packet = header + MPDU + fcs(MPDU)
    found = Dissector().dissect(Record(0, RADIOTAP, packet, min(length, len(packet))))
    assert isinstance(found, CapturedFrame)
    assert isinstance(found.frame, Frame)
    assert (found.frame.message, found.oddities) == (b"hello", ())


def test_an_fcs_that_radiotap_tells_of() -> None:
    header = radiotap.build(channel=6, fcs=True)
    assert captured(header + MPDU + fcs(MPDU)).oddities == ()
    assert captured(header + MPDU + b"\0\0\0\0").oddities == (Oddity.WRONG_FCS,)
    flags = header.index(b"\x10", 8)
    bad = header[:flags] + b"\x50" + header[flags + 1 :]
    assert captured(bad + MPDU + fcs(MPDU)).oddities == (Oddity.WRONG_FCS,)
    assert captured(bad + MPDU + b"\0\0\0\0").oddities == (Oddity.WRONG_FCS,)  # said once
    assert not captured(bad + MPDU + fcs(MPDU)).accepted
    without = header[:flags] + b"\x40" + header[flags + 1 :]
    assert captured(without + MPDU).oddities == (Oddity.WRONG_FCS,)


BEACON = build_header(ManagementHeader(wire.BROADCAST, A, A, 8, 0, 0, 77, 0)) + bytes(12)


@pytest.mark.parametrize("mpdu", [BEACON, wire.ack(A), b"", b"\x08\x01" + bytes(40), MPDU[:27]])
def test_other_frames_come_without_their_fcs(mpdu: bytes) -> None:
    header = radiotap.build(channel=6, fcs=True)
    assert dissect(HEADER + mpdu) == OtherFrame(RADIOTAP, mpdu)
    assert dissect(mpdu, BARE) == OtherFrame(BARE, mpdu)
    told = BARE._replace(fcs_length=4)
    if mpdu:
        assert dissect(header + mpdu + fcs(mpdu)) == OtherFrame(RADIOTAP, mpdu)
        assert dissect(mpdu + fcs(mpdu), told) == OtherFrame(told, mpdu)
    assert dissect(header + mpdu + b"\1\2\3\4") is None
    assert dissect(mpdu + b"\1\2\3\4", told) is None
    # Cut off: what is there of the FCS tells nothing.
    assert dissect(header + mpdu, missing=4) == OtherFrame(RADIOTAP, mpdu)


# Cut by the capture.


@pytest.mark.parametrize("has_fcs", [False, True])
def test_a_frame_that_was_cut_off_anywhere(has_fcs: bool) -> None:
    message = bytes(range(256)) + b"v2 " * 300
    mpdu = wire.build(B, A, message, seq=5, random_value=6, version=2)
    header = radiotap.build(channel=6, fcs=has_fcs)
    whole = header + mpdu + (fcs(mpdu) if has_fcs else b"")
    for length in range(len(whole)):
        dissector = Dissector()
        found = dissect(whole[:length], missing=len(whole) - length, dissector=dissector)
        if length < len(header):
            assert found is None
            assert dissector.unreadable == 1
        elif isinstance(found, CapturedFrame):
            assert isinstance(found.frame, Frame)
            assert message.startswith(found.frame.message)
            if length >= len(header) + len(mpdu):  # only the FCS was cut
                assert (found.frame.message, found.oddities) == (message, ())
            else:
                assert Oddity.CUT_OFF in found.oddities
                assert not found.accepted
        else:
            assert length < len(header) + 24 + 8
            assert isinstance(found, OtherFrame)


def test_what_was_cut_off_is_not_opened_or_decoded() -> None:
    decoders = Decoders.from_toml('[[message]]\nname = "m"\nstruct = "<H"\nfields = ["a"]')
    mpdu = sealed()
    for dissector in (Dissector(), with_key(decoders)):
        found = captured(HEADER + mpdu[:-1], missing=1, dissector=dissector)
        assert found.frame is found.protected
        assert (found.oddities, found.key, found.decoded) == ((Oddity.CUT_OFF,), None, None)
    plain = wire.build(B, A, b"ab", seq=5, random_value=6)
    assert captured(HEADER + plain, dissector=with_key(decoders)).decoded is not None
    longer = wire.build(B, A, b"abcd", seq=5, random_value=6)
    assert captured(HEADER + longer[:-2], missing=2, dissector=with_key(decoders)).decoded is None


# Oddities.

ELEMENT = bytes.fromhex("dd0718fe340401") + b"ab"
HEAD = build_header(ManagementHeader(B, A, wire.BROADCAST, 13, 0, 0, 5, 0))


def head(**changed: object) -> bytes:
    return build_header(ManagementHeader(B, A, wire.BROADCAST, 13, 0, 0, 5, 0)._replace(**changed))  # type: ignore[arg-type]


ODD = [
    (Oddity.TRAILING_FCS, MPDU + fcs(MPDU)),
    (Oddity.WRONG_MORE_BIT, HEAD + BODY + b"\xdd\x07\x18\xfe\x34\x04\x12ab"),
    (Oddity.UNKNOWN_VERSION, HEAD + BODY + b"\xdd\x07\x18\xfe\x34\x04\x07ab"),
    (Oddity.UNKNOWN_ELEMENT, HEAD + BODY + ELEMENT + b"\x30\x02ab"),
    (Oddity.WRONG_LENGTH, HEAD + BODY + b"\xdd\x09\x18\xfe\x34\x04\x01ab"),
    (Oddity.STRAY_BYTES, HEAD + BODY + ELEMENT + b"\0\0\0\0"),
    (Oddity.NO_ELEMENT, HEAD + BODY),
    (Oddity.EMPTY_MESSAGE, HEAD + BODY + b"\xdd\x05\x18\xfe\x34\x04\x01"),
    (Oddity.LONG_MESSAGE, HEAD + BODY + (b"\xdd\xff\x18\xfe\x34\x04\x12" + bytes(250)) * 6 + ELEMENT[:6] + b"\2ab"),
    (Oddity.DESTINATION_AS_ADDR3, head(bssid=B) + MPDU[24:]),
    (Oddity.OTHER_ADDR3, head(bssid=A) + MPDU[24:]),
    (Oddity.REFLECTED, HEAD + b"\xff" + MPDU[25:]),
    (Oddity.FRAGMENT, head(fragment=3) + MPDU[24:]),
    (Oddity.HT_CONTROL, head(flags=0x80) + bytes(4) + MPDU[24:]),
    (Oddity.DS_BITS, head(flags=0x01) + MPDU[24:]),
]


def test_the_table_has_all_that_a_packet_alone_can_show() -> None:
    assert [oddity for oddity, _ in ODD] == [
        oddity for oddity in Oddity if oddity not in (Oddity.CUT_OFF, Oddity.WRONG_FCS)
    ]


@pytest.mark.parametrize(("oddity", "mpdu"), ODD, ids=lambda value: value.name if isinstance(value, Oddity) else "")
def test_each_oddity_is_said(oddity: Oddity, mpdu: bytes) -> None:
    for found in (captured(HEADER + mpdu), captured(mpdu, BARE._replace(fcs_length=0)), Dissector().examine(mpdu)):
        assert found is not None
        assert found.oddities == (oddity,)


@pytest.mark.parametrize(
    ("mpdu", "oddities"),
    [
        (sealed() + fcs(sealed()), (Oddity.TRAILING_FCS,)),
        (wire.with_retry(sealed()), ()),
        (sealed()[:16] + B + sealed()[22:], (Oddity.OTHER_ADDR3,)),
        (sealed()[:16] + A + sealed()[22:], (Oddity.OTHER_ADDR3,)),
    ],
)
def test_oddities_of_an_encrypted_frame(mpdu: bytes, oddities: tuple[Oddity, ...]) -> None:
    if oddities == (Oddity.OTHER_ADDR3,) and mpdu[16:22] == B:
        oddities = (Oddity.DESTINATION_AS_ADDR3,)
    found = captured(HEADER + mpdu)
    assert (type(found.frame), found.oddities) == (ProtectedFrame, oddities)
    found = captured(HEADER + mpdu, dissector=with_key())
    assert found.oddities == oddities
    assert (found.key is None) == (mpdu[16:22] != wire.BROADCAST)  # the MIC protects addr3


def test_oddities_inside_and_outside_of_the_encryption() -> None:
    body = BODY + b"\xdd\x05\x18\xfe\x34\x04\x07"
    header = build_header(ManagementHeader(B, A, B, 13, 0x40, 0, 5, 0))
    mpdu = header + wire.ccmp.encrypt(KEY, header, body, 9)
    found = captured(HEADER + mpdu + fcs(mpdu), dissector=with_key())
    assert found.key == "greenhouse"
    assert found.oddities == (
        Oddity.TRAILING_FCS,
        Oddity.UNKNOWN_VERSION,
        Oddity.EMPTY_MESSAGE,
        Oddity.DESTINATION_AS_ADDR3,
    )
    assert not found.accepted


# Keys.


def test_with_the_right_key_with_another_and_with_none() -> None:
    for dissector in (Dissector(), Dissector(KeyRing())):
        found = captured(HEADER + sealed(), dissector=dissector)
        assert found.frame is found.protected
        assert (found.key, found.freshness) == (None, None)
    found = captured(HEADER + sealed(), dissector=with_key())
    assert isinstance(found.frame, Frame)
    assert (found.frame.message, found.key, found.freshness) == (b"secret", "greenhouse", Freshness.FRESH)
    assert found.protected == wire.parse(sealed())
    other = captured(HEADER + sealed(key=bytes(16)), dissector=with_key())
    assert other.frame is other.protected
    assert other.key is None


def test_packet_numbers_that_go_back() -> None:
    dissector = with_key()
    said = []
    for number in (1, 2, 2, 5, 3, 3, 4, 5, 1, 2, 2**48 - 1):
        found = captured(HEADER + sealed(number), dissector=dissector)
        said.append(found.freshness)
    fresh, repeated, replayed = Freshness.FRESH, Freshness.REPEATED, Freshness.REPLAYED
    assert said == [fresh, fresh, repeated, fresh, replayed, repeated, fresh, fresh, replayed, fresh, fresh]


def test_what_was_not_opened_says_nothing_about_packet_numbers() -> None:
    dissector = with_key()
    captured(HEADER + sealed(5), dissector=dissector)
    assert captured(HEADER + sealed(1000, key=bytes(16)), dissector=dissector).freshness is None
    assert captured(HEADER + sealed(6), dissector=dissector).freshness is Freshness.FRESH


def test_packet_numbers_belong_to_a_pair_an_interface_and_a_key() -> None:
    dissector = with_key()
    two = RADIOTAP._replace(number=1)
    for mpdu, on in ((sealed(9), RADIOTAP), (sealed(9), two), (sealed(1, source=B, destination=A), RADIOTAP)):
        assert captured(HEADER + mpdu, on, dissector=dissector).freshness is Freshness.FRESH


# Decoders.


def test_a_decoder_explains_plain_and_opened_messages() -> None:
    decoders = Decoders.from_toml('[[message]]\nname = "weather"\nstruct = "<Hb"\nfields = ["lux", "t"]')
    dissector = with_key(decoders)
    message = b"\x10\x00\xff"
    for mpdu in (wire.build(B, A, message, seq=1, random_value=2), sealed(message=message)):
        found = captured(HEADER + mpdu, dissector=dissector)
        assert found.decoded is not None
        assert str(found.decoded) == "weather lux=16 t=-1"
    assert captured(HEADER + MPDU, dissector=dissector).decoded is None
    assert captured(HEADER + sealed(message=message, key=bytes(16)), dissector=dissector).decoded is None


# Whatever comes.


@given(st.binary(max_size=200), st.sampled_from([105, 127, 1]), st.integers(-3, 300), st.sampled_from([None, 0, 4]))
def test_any_packet_is_dissected_or_counted(packet: bytes, link: int, missing: int, fcs_length: int | None) -> None:
    dissector = with_key()
    dissect(packet, RADIOTAP._replace(link_type=link, fcs_length=fcs_length), missing=missing, dissector=dissector)
    assert dissector.packets == 1


SEEDS = [HEADER + mpdu for mpdu in (MPDU, sealed(), MPDU + fcs(MPDU), *(mpdu for _, mpdu in ODD))]


@given(
    st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=5), st.integers(0, 9)
)
def test_any_damage_to_a_packet_is_survived(packet: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    damaged = bytearray(packet)
    for position, byte in changes:
        damaged[position % len(damaged)] = byte
    dissector = with_key()
    found = dissect(bytes(damaged[: len(damaged) - cut]), missing=cut, dissector=dissector)
    assert dissector.packets == 1
    assert dissector.frames == isinstance(found, CapturedFrame)
    if isinstance(found, CapturedFrame):
        assert len(set(found.oddities)) == len(found.oddities)
        assert not (found.accepted and Oddity.CUT_OFF in found.oddities)


def test_nothing_of_the_frame_that_an_mpdu_is_not() -> None:
    dissector = Dissector()
    for mpdu in (b"", BEACON, wire.ack(A), b"\xd0"):
        assert dissector.examine(mpdu) is None
    with pytest.raises(FrameError):
        wire.parse(BEACON)
    assert (dissector.packets, dissector.frames) == (4, 0)
    found = dissector.examine(MPDU, radiotap.parse(HEADER), at_ns=5)
    assert found is not None
    assert (found.at_ns, found.interface) == (5, None)
    assert (dissector.packets, dissector.frames) == (5, 1)


def test_packet_numbers_belong_to_sender_receiver_and_interface_number() -> None:
    dissector = with_key()

    def freshness(number: int, source: bytes, destination: bytes, interface: Interface) -> Freshness | None:
        mpdu = wire.build_protected(
            destination, source, b"x", seq=number, random_value=number, key=KEY, packet_number=number
        )
        return captured(HEADER + mpdu, interface, dissector=dissector).freshness

    other = RADIOTAP._replace(number=1)
    for place in (
        (A, B, RADIOTAP),
        (B, A, RADIOTAP),
        (A, wire.parse_mac("02:00:00:00:00:09"), RADIOTAP),
        (A, B, other),
    ):
        assert [freshness(number, *place) for number in (7, 8)] == [Freshness.FRESH] * 2
    assert freshness(8, A, B, other._replace(section=3, name="of another file")) is Freshness.REPEATED

"""The tolerant parser: what a board would drop, read as far as it goes, and what is odd about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow import frame
from espnow.errors import FrameError
from espnow.frame import Oddity, radiotap

A = bytes.fromhex("30aaaaaaaaaa")
B = bytes.fromhex("18fe34000008")
KEY = frame.derive_key(b"pmk1234567890123", b"lmk1234567890123")
MESSAGE = bytes(range(200))

V1 = frame.build(A, B, MESSAGE, seq=77, random_value=5, duration=314)
V2 = frame.build(A, B, bytes(600), seq=78, random_value=6, version=2)
SEALED = frame.build_protected(A, B, MESSAGE, seq=79, random_value=7, key=KEY, packet_number=9)


def with_byte(mpdu: bytes, at: int, value: int) -> bytes:
    return mpdu[:at] + bytes((value,)) + mpdu[at + 1 :]


def element(message: bytes, version: int = 1, *, oui: str = "18fe34", kind: int = 4, element_id: int = 0xDD) -> bytes:
    content = bytes.fromhex(oui) + bytes((kind, version)) + message
    return bytes((element_id, len(content))) + content


HEAD = V1[:32]


@pytest.mark.parametrize(
    ("mpdu", "options", "message", "version", "oddities"),
    [
        pytest.param(V1, {}, MESSAGE, 1, [], id="v1"),
        pytest.param(V2, {}, bytes(600), 2, [], id="v2"),
        pytest.param(V1 + frame.fcs(V1), {"has_fcs": True}, MESSAGE, 1, [], id="announced FCS"),
        pytest.param(
            V1 + bytes(4), {"has_fcs": True}, MESSAGE, 1, [Oddity.WRONG_FCS], id="announced FCS that is wrong"
        ),
        pytest.param(V1 + frame.fcs(V1), {}, MESSAGE, 1, [Oddity.TRAILING_FCS], id="FCS not announced"),
        pytest.param(V2 + frame.fcs(V2), {}, bytes(600), 2, [Oddity.TRAILING_FCS], id="FCS not announced, v2"),
        pytest.param(V1 + b"\xff" * 4, {}, MESSAGE, 1, [Oddity.STRAY_BYTES], id="four stray bytes"),
        pytest.param(V1 + b"\xdd", {}, MESSAGE, 1, [Oddity.STRAY_BYTES], id="one stray byte"),
        pytest.param(V1 + bytes(9), {}, MESSAGE, 1, [Oddity.STRAY_BYTES], id="zeros at the end"),
        pytest.param(with_byte(V1, 38, 0x11), {}, MESSAGE, 1, [Oddity.WRONG_MORE_BIT], id="more, and no more comes"),
        pytest.param(with_byte(V2, 38, 0x02), {}, bytes(600), 2, [Oddity.WRONG_MORE_BIT], id="no more, and more comes"),
        pytest.param(with_byte(V1, 38, 3), {}, MESSAGE, 2, [Oddity.UNKNOWN_VERSION], id="version 3"),
        pytest.param(with_byte(V1, 38, 0x21), {}, MESSAGE, 1, [Oddity.UNKNOWN_VERSION], id="an unknown bit"),
        pytest.param(with_byte(V1, 38, 0), {}, MESSAGE, 1, [Oddity.UNKNOWN_VERSION], id="version 0"),
        pytest.param(with_byte(V1, 24, 0xFF), {}, MESSAGE, 1, [Oddity.REFLECTED], id="category ff"),
        pytest.param(V1[:16] + A + V1[22:], {}, MESSAGE, 1, [Oddity.DESTINATION_AS_ADDR3], id="addr3 as an ESP8266"),
        pytest.param(V1[:16] + B + V1[22:], {}, MESSAGE, 1, [Oddity.OTHER_ADDR3], id="another addr3"),
        pytest.param(V1[:100], {"missing": 139}, MESSAGE[:61], 1, [Oddity.CUT_OFF], id="cut off in the message"),
        pytest.param(V1[:39], {"missing": 200}, b"", 1, [Oddity.CUT_OFF], id="cut off before the message"),
        pytest.param(V1[:36], {"missing": 203}, b"", 1, [Oddity.CUT_OFF], id="cut off in the element"),
        pytest.param(V1[:32], {"missing": 207}, b"", 1, [Oddity.CUT_OFF], id="cut off before the element"),
        pytest.param(V1[:28], {"missing": 211}, b"", 1, [Oddity.CUT_OFF], id="cut off before the random value"),
        pytest.param(V2[:300], {"missing": 339}, bytes(254), 2, [Oddity.CUT_OFF], id="cut off in the second element"),
        pytest.param(V1, {"missing": 3}, MESSAGE, 1, [Oddity.CUT_OFF], id="something cut off after the element"),
        pytest.param(V1, {"has_fcs": True, "missing": 4}, MESSAGE, 1, [], id="only the FCS cut off"),
        pytest.param(V1 + b"\0\0", {"has_fcs": True, "missing": 2}, MESSAGE, 1, [], id="half of the FCS cut off"),
        pytest.param(
            V1[:-1], {"has_fcs": True, "missing": 5}, MESSAGE[:-1], 1, [Oddity.CUT_OFF], id="FCS and more cut off"
        ),
        pytest.param(
            HEAD + element(b"x" * 5, oui="001122") + element(b"hi"),
            {},
            b"hi",
            1,
            [Oddity.UNKNOWN_ELEMENT],
            id="another OUI first",
        ),
        pytest.param(
            HEAD + element(b"hi") + element(b"x" * 5, kind=5), {}, b"hi", 1, [Oddity.UNKNOWN_ELEMENT], id="another type"
        ),
        pytest.param(
            HEAD + element(b"hi") + element(b"x", element_id=1), {}, b"hi", 1, [Oddity.UNKNOWN_ELEMENT], id="another id"
        ),
        pytest.param(
            HEAD + element(b"", oui="001122"), {}, b"", 1, [Oddity.UNKNOWN_ELEMENT, Oddity.NO_ELEMENT], id="none"
        ),
        pytest.param(HEAD, {}, b"", 1, [Oddity.NO_ELEMENT], id="no element at all"),
        pytest.param(HEAD + element(b""), {}, b"", 1, [Oddity.EMPTY_MESSAGE], id="empty"),
        pytest.param(with_byte(V1, 33, 255), {}, MESSAGE, 1, [Oddity.WRONG_LENGTH], id="a length beyond the end"),
        pytest.param(
            with_byte(HEAD + element(b""), 33, 2),
            {},
            b"",
            1,
            [Oddity.WRONG_LENGTH, Oddity.EMPTY_MESSAGE],
            id="too short",
        ),
        pytest.param(
            HEAD + element(b"a", 0x12) + element(b"b", 0x01),
            {},
            b"ab",
            2,
            [Oddity.UNKNOWN_VERSION],
            id="two versions in one frame",
        ),
        pytest.param(
            HEAD + b"".join(element(bytes(250), 0x12) for _ in range(6)) + element(b"x", 2),
            {},
            bytes(1500) + b"x",
            2,
            [Oddity.LONG_MESSAGE],
            id="1501 bytes",
        ),
        pytest.param(with_byte(V1, 22, V1[22] | 1), {}, MESSAGE, 1, [Oddity.FRAGMENT], id="fragment"),
        pytest.param(with_byte(V1, 1, 0x04), {}, MESSAGE, 1, [Oddity.FRAGMENT], id="More Fragments"),
        pytest.param(with_byte(V1, 1, 0x01), {}, MESSAGE, 1, [Oddity.DS_BITS], id="To DS"),
        pytest.param(with_byte(V1, 1, 0x02), {}, MESSAGE, 1, [Oddity.DS_BITS], id="From DS"),
        pytest.param(
            with_byte(V1, 1, 0x80)[:24] + bytes(4) + V1[24:], {}, MESSAGE, 1, [Oddity.HT_CONTROL], id="HT control"
        ),
        pytest.param(
            with_byte(V1[:16] + A + V1[22:], 38, 0x12) + b"?",
            {},
            MESSAGE,
            2,
            [Oddity.WRONG_MORE_BIT, Oddity.STRAY_BYTES, Oddity.DESTINATION_AS_ADDR3],
            id="three things at once",
        ),
    ],
)
def test_what_is_odd(
    mpdu: bytes, options: dict[str, int], message: bytes, version: int, oddities: list[Oddity]
) -> None:
    found = frame.examine(mpdu, **options)  # type: ignore[arg-type]
    assert isinstance(found.frame, frame.Frame)
    assert found.frame[:3] == (A, B, mpdu[16:22])
    assert (found.frame.message, found.frame.version) == (message, version)
    assert list(found.oddities) == oddities
    if not options:
        assert found.accepted == is_accepted(mpdu)


def is_accepted(mpdu: bytes) -> bool:
    try:
        frame.parse(mpdu)
    except FrameError:
        return False
    return True


@pytest.mark.parametrize(
    ("mpdu", "options", "oddities"),
    [
        pytest.param(SEALED, {}, [], id="as it should be"),
        pytest.param(SEALED + frame.fcs(SEALED), {}, [Oddity.TRAILING_FCS], id="FCS not announced"),
        pytest.param(SEALED + frame.fcs(SEALED), {"has_fcs": True}, [], id="announced FCS"),
        pytest.param(SEALED + bytes(4), {"has_fcs": True}, [Oddity.WRONG_FCS], id="announced FCS that is wrong"),
        pytest.param(
            with_byte(SEALED, 1, 0xC0)[:24] + bytes(4) + SEALED[24:], {}, [Oddity.HT_CONTROL], id="HT control"
        ),
    ],
)
def test_an_encrypted_frame_is_opened_after_all(mpdu: bytes, options: dict[str, int], oddities: list[Oddity]) -> None:
    found = frame.examine(mpdu, **options)  # type: ignore[arg-type]
    assert isinstance(found.frame, frame.ProtectedFrame)
    assert (list(found.oddities), found.frame.packet_number) == (oddities, 9)
    if Oddity.HT_CONTROL not in oddities:  # its bit is part of what the MIC covers
        opened = frame.examine_opened(found.frame, KEY)
        assert isinstance(opened.frame, frame.Frame)
        assert (opened.frame.message, opened.oddities) == (MESSAGE, ())
        assert opened.frame == frame.open_protected(found.frame, KEY)


def test_an_odd_body_is_odd_when_it_was_encrypted() -> None:
    header = with_byte(V1, 1, 0x40)[:24]
    mpdu = header + frame.encrypt(KEY, header, V1[24:] + b"?", 3)
    sealed = frame.examine(mpdu).frame
    assert isinstance(sealed, frame.ProtectedFrame)
    with pytest.raises(FrameError):
        frame.open_protected(sealed, KEY)
    opened = frame.examine_opened(sealed, KEY)
    assert isinstance(opened.frame, frame.Frame)
    assert (opened.frame.message, opened.oddities) == (MESSAGE, (Oddity.STRAY_BYTES,))


def test_an_encrypted_frame_that_was_cut_off_keeps_its_packet_number() -> None:
    found = frame.examine(SEALED[:50], missing=len(SEALED) - 50)
    assert isinstance(found.frame, frame.ProtectedFrame)
    assert (found.frame.packet_number, found.oddities, found.accepted) == (9, (Oddity.CUT_OFF,), None)
    with pytest.raises(FrameError):
        frame.examine_opened(found.frame, KEY)


@pytest.mark.parametrize(
    "mpdu",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(V1[:23], id="half a header"),
        pytest.param(V1[:27], id="half an OUI"),
        pytest.param(with_byte(V1, 24, 4), id="another category"),
        pytest.param(with_byte(V1, 25, 0), id="another OUI"),
        pytest.param(with_byte(V1, 0, 0x80), id="a beacon"),
        pytest.param(with_byte(V1, 0, 0x08), id="a data frame"),
        pytest.param(frame.ack(A), id="an acknowledgement"),
        pytest.param(with_byte(SEALED, 27, 0x20), id="another key id, as 802.11w"),
        pytest.param(SEALED[:31], id="half a CCMP header"),
    ],
)
def test_what_is_not_espnow(mpdu: bytes) -> None:
    with pytest.raises(FrameError):
        frame.examine(mpdu)


def test_only_bytes() -> None:
    with pytest.raises(TypeError):
        frame.examine(None)  # type: ignore[arg-type]


mutations = st.lists(st.tuples(st.integers(0, 299), st.integers(0, 255)), max_size=4)


@settings(max_examples=400)
@given(st.sampled_from((V1, V2, SEALED)), mutations, st.integers(0, 700), st.binary(max_size=12))
def test_what_strict_parsing_takes_is_taken_the_same(
    mpdu: bytes, changes: list[tuple[int, int]], size: int, more: bytes
) -> None:
    changed = bytearray(mpdu[:size])
    for at, value in changes:
        if at < len(changed):
            changed[at] = value
    odd = bytes(changed) + more
    try:
        strict = frame.parse(odd)
    except FrameError:
        strict = None
    try:
        found = frame.examine(odd)
    except FrameError:
        assert strict is None
        return
    assert found.accepted == (strict is not None)
    if strict is not None:
        assert found.frame == strict
    assert tuple(oddity for oddity in Oddity if oddity in found.oddities) == found.oddities


@settings(max_examples=200)
@given(st.binary(max_size=300), st.booleans(), st.integers(0, 400))
def test_any_bytes(junk: bytes, has_fcs: bool, missing: int) -> None:
    for mpdu in (junk, HEAD[:28] + junk, HEAD + junk, SEALED[:32] + junk):
        try:
            found = frame.examine(mpdu, has_fcs=has_fcs, missing=missing)
        except FrameError:
            continue
        if isinstance(found.frame, frame.ProtectedFrame):
            with pytest.raises(FrameError):
                frame.examine_opened(found.frame, KEY)


SAMPLES = json.loads(Path(__file__).with_name("radiotap_samples.json").read_text(encoding="utf-8"))["samples"]

# Of a frame injected with an FCS that was told of, Linux 6.1 cuts off eight bytes and 6.12 four. The copy of what was
# injected tells of it still.
ANNOUNCED = {
    ("6.1", "outgoing"): (b"hel", [Oddity.WRONG_FCS, Oddity.WRONG_LENGTH]),
    ("6.1", "report"): (b"hel", [Oddity.WRONG_LENGTH]),
    ("6.1", "received"): (b"hel", [Oddity.WRONG_LENGTH]),
    ("6.12", "outgoing"): (b"hello-6", [Oddity.WRONG_FCS]),  # it was de ad be ef
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample['kernel']} {sample['case']} {sample['kind']}")
def test_what_linux_captured(sample: dict[str, str]) -> None:
    mpdu = bytes.fromhex(sample["mpdu"])
    if sample["case"] == "short radiotap (bad)":  # half of its header was taken for radiotap
        with pytest.raises(FrameError):
            frame.examine(mpdu)
        return
    head = radiotap.parse(bytes.fromhex(sample["radiotap"]))
    found = frame.examine(mpdu, has_fcs=head.has_fcs)
    assert isinstance(found.frame, frame.Frame)
    announced = ANNOUNCED.get((sample["kernel"], sample["kind"]))
    if sample["case"] == "FCS flag + fcs" and announced is not None:
        assert (found.frame.message, list(found.oddities)) == announced
        return
    foreign = sample["case"] == "foreign src"
    assert found.frame.message.startswith(b"foreign" if foreign else b"hello-")
    assert (found.oddities, found.frame) == ((), frame.parse(mpdu))
    assert (found.frame.version, found.frame.retry) == (1, sample["case"] == "retry bit set")
    assert foreign or found.frame.random_value == 0x04030201

"""The frames of joining a network: bytes and values, hostile bytes, the keys, and what Wireshark says of them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.capture import PcapngWriter
from espnow.errors import FrameError
from espnow.frame.handshake import (
    KeyFrame,
    KeyMessage,
    PairwiseKeys,
    build_key_frame,
    mic_is_right,
    pairwise_keys,
    primary_key,
)
from espnow.frame.kinds import PROTECTED_SECURITY, is_wifi
from espnow.frame.management import (
    Advertisement,
    AssociationRequest,
    AssociationResponse,
    Authentication,
    Farewell,
    Lease,
    NullData,
    ProbeRequest,
    Reason,
    Status,
    WifiFrame,
    build_advertisement,
    build_association_request,
    build_association_response,
    build_authentication,
    build_farewell,
    build_null,
    build_probe_request,
    parse_wifi,
)

AP = bytes.fromhex("026e65740001")
STA = bytes.fromhex("30aaaaaaaaaa")
NONCES = bytes(range(32)), bytes(range(32, 64))
KEYS = pairwise_keys(primary_key(b"mypassword", b"myssid"), AP, STA, NONCES)

ssids = st.binary(max_size=32)
bytes_ = st.integers(0, 255)


def key_frame(message: KeyMessage, keys: PairwiseKeys | None = KEYS) -> bytes:
    return build_key_frame(
        message,
        bssid=AP,
        station=STA,
        replay_counter=7,
        seq=9,
        nonce=NONCES[message is KeyMessage.SECOND],
        keys=None if message is KeyMessage.FIRST else keys,
        group_key=bytes(16),
    )


#: One frame of each kind, by name: what is built, and what it says.
FRAMES: dict[str, tuple[bytes, WifiFrame | None]] = {
    **{
        f"beacon, security {security}": (
            build_advertisement(Advertisement(AP, b"myssid", 6, security, timestamp_us=1 << 40), seq=4095),
            Advertisement(AP, b"myssid", 6, security, timestamp_us=1 << 40),
        )
        for security in (0, *sorted(PROTECTED_SECURITY))
    },
    "hidden beacon": (build_advertisement(Advertisement(AP, b"", 1), seq=0), Advertisement(AP, b"", 1)),
    "channel switch": (
        build_advertisement(Advertisement(AP, b"a", 6, 3, switch_channel=11, switch_count=5), seq=0),
        Advertisement(AP, b"a", 6, 3, switch_channel=11, switch_count=5),
    ),
    "probe response": (
        build_advertisement(Advertisement(AP, b"x" * 32, 14, 3), seq=1, destination=STA),
        Advertisement(AP, b"x" * 32, 14, 3),
    ),
    "probe request": (build_probe_request(STA, b"myssid", seq=1), ProbeRequest(STA, b"myssid")),
    "wildcard": (build_probe_request(STA, b"", seq=1), ProbeRequest(STA, b"")),
    "authentication": (
        build_authentication(Authentication(AP, STA, AP, 0, 1, 0), seq=2),
        Authentication(AP, STA, AP, 0, 1, 0),
    ),
    "refused": (
        build_authentication(Authentication(STA, AP, AP, 0, 2, Status.TOO_MANY_STATIONS), seq=2),
        Authentication(STA, AP, AP, 0, 2, 17),
    ),
    "association": (
        build_association_request(AssociationRequest(STA, AP, b"myssid", 3), seq=3),
        AssociationRequest(STA, AP, b"myssid", 3),
    ),
    "open association": (
        build_association_request(AssociationRequest(STA, AP, b"myssid", 0), seq=3),
        AssociationRequest(STA, AP, b"myssid", 0),
    ),
    "associated": (
        build_association_response(
            AssociationResponse(STA, AP, 0, 5, Lease(b"\xc0\xa8\x01\x02", b"\xc0\xa8\x01\x01")), seq=3, security=3
        ),
        AssociationResponse(STA, AP, 0, 5, Lease(b"\xc0\xa8\x01\x02", b"\xc0\xa8\x01\x01")),
    ),
    "not associated": (
        build_association_response(AssociationResponse(STA, AP, Status.INVALID_ELEMENT, 0), seq=3),
        AssociationResponse(STA, AP, 40, 0),
    ),
    "deauthentication": (
        build_farewell(Farewell(STA, AP, AP, Reason.HANDSHAKE_TIMEOUT), seq=5),
        Farewell(STA, AP, AP, 15),
    ),
    "disassociation": (
        build_farewell(Farewell(AP, STA, AP, Reason.STATION_LEAVES, False), seq=5),
        Farewell(AP, STA, AP, 8, False),
    ),
    "awake": (build_null(NullData(STA, AP, False), seq=5), NullData(STA, AP, False)),
    "asleep": (build_null(NullData(STA, AP, True), seq=5), NullData(STA, AP, True)),
    **{message.name.lower(): (key_frame(message), None) for message in KeyMessage},
}


@pytest.mark.parametrize("name", FRAMES)
def test_what_is_built_is_read(name: str) -> None:
    mpdu, expected = FRAMES[name]
    assert is_wifi(mpdu)
    if expected is not None:
        assert parse_wifi(mpdu) == expected


@given(ssids, st.integers(1, 14), st.sampled_from((0, *sorted(PROTECTED_SECURITY))), st.integers(0, 2**64 - 1), bytes_)
def test_advertisements(ssid: bytes, channel: int, security: int, timestamp_us: int, count: int) -> None:
    network = Advertisement(AP, ssid, channel, security, 102_400, timestamp_us, channel, count)
    for destination in (None, STA):
        assert parse_wifi(build_advertisement(network, seq=count, destination=destination)) == network
    assert network.hidden is (not ssid.strip(b"\0"))


@pytest.mark.parametrize("message", KeyMessage)
def test_the_messages_of_the_handshake(message: KeyMessage) -> None:
    frame = parse_wifi(key_frame(message))
    assert isinstance(frame, KeyFrame)
    assert (frame.message, frame.replay_counter) == (message, 7)
    from_station = message in (KeyMessage.SECOND, KeyMessage.FOURTH)
    assert (frame.source, frame.destination) == ((STA, AP) if from_station else (AP, STA))
    assert mic_is_right(frame, KEYS) is (message is not KeyMessage.FIRST)
    other = pairwise_keys(primary_key(b"mypasswore", b"myssid"), AP, STA, NONCES)
    assert not mic_is_right(frame, other)


@pytest.mark.parametrize("message", [KeyMessage.SECOND, KeyMessage.THIRD, KeyMessage.FOURTH])
def test_one_changed_bit_spoils_the_mic(message: KeyMessage) -> None:
    whole = key_frame(message)
    for at in range(32, len(whole)):
        try:
            frame = parse_wifi(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        except FrameError:
            continue
        assert isinstance(frame, KeyFrame)
        assert not mic_is_right(frame, KEYS)


def test_the_group_key_is_wrapped() -> None:
    from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

    secret = bytes(range(100, 116))
    mpdu = build_key_frame(
        KeyMessage.THIRD, bssid=AP, station=STA, replay_counter=1, seq=1, keys=KEYS, group_key=secret
    )
    assert secret not in mpdu
    assert secret in aes_key_unwrap(KEYS.encryption, mpdu[32 + 99 :])


# Keys. The vectors are those of IEEE 802.11-2020, J.4.2.


@pytest.mark.parametrize(
    ("key", "ssid", "expected"),
    [
        (b"password", b"IEEE", "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"),
        (b"ThisIsAPassword", b"ThisIsASSID", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"),
        (b"a" * 32, b"Z" * 32, "becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62"),
        (b"0f" * 32, b"whatever", "0f" * 32),
    ],
)
def test_primary_keys(key: bytes, ssid: bytes, expected: str) -> None:
    assert primary_key(key, ssid).hex() == expected


def test_pairwise_keys_are_the_same_on_both_sides_and_hidden() -> None:
    assert pairwise_keys(primary_key(b"mypassword", b"myssid"), AP, STA, NONCES[::-1]) == KEYS
    assert len(set(KEYS)) == 3
    assert repr(KEYS) == "<PairwiseKeys>"


# Hostile bytes.


@given(st.binary(max_size=400))
def test_any_bytes(mpdu: bytes) -> None:
    is_wifi(mpdu)
    try:
        parse_wifi(mpdu)
    except FrameError:
        pass


@given(st.sampled_from(sorted(FRAMES)), st.data())
def test_changed_frames(name: str, data: st.DataObject) -> None:
    mpdu = bytearray(FRAMES[name][0])
    for _ in range(data.draw(st.integers(1, 4))):
        mpdu[data.draw(st.integers(0, len(mpdu) - 1))] = data.draw(bytes_)
    cut = bytes(mpdu[: data.draw(st.integers(0, len(mpdu)))])
    for whole in (bytes(mpdu), cut):
        try:
            parse_wifi(whole)
        except FrameError:
            pass


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_that_is_cut_off_is_refused_or_lacks_whole_elements(name: str) -> None:
    mpdu, _ = FRAMES[name]
    for length in range(len(mpdu)):
        try:
            frame = parse_wifi(mpdu[:length])
        except FrameError:
            continue
        assert isinstance(frame, Advertisement | ProbeRequest | AssociationRequest | AssociationResponse)


REFUSED = {
    "a fragment": lambda mpdu: mpdu[:1] + bytes((mpdu[1] | 4,)) + mpdu[2:],
    "protected": lambda mpdu: mpdu[:1] + bytes((mpdu[1] | 0x40,)) + mpdu[2:],
    "with HT control": lambda mpdu: mpdu[:1] + bytes((mpdu[1] | 0x80,)) + mpdu[2:],
    "the second fragment": lambda mpdu: mpdu[:22] + bytes((mpdu[22] | 1,)) + mpdu[23:],
    "both DS bits": lambda mpdu: mpdu[:1] + bytes((mpdu[1] | 3,)) + mpdu[2:],
    "an action frame": lambda mpdu: b"\xd0" + mpdu[1:],
    "a stray byte": lambda mpdu: mpdu + b"\0",
    "an element that runs over": lambda mpdu: mpdu + b"\x00\x05abcd",
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("change", REFUSED)
def test_refused(name: str, change: str) -> None:
    with pytest.raises(FrameError):
        parse_wifi(REFUSED[change](FRAMES[name][0]))


@pytest.mark.parametrize("at", [35, 130])
def test_a_key_of_another_length_than_it_says_is_refused(at: int) -> None:
    mpdu = bytearray(key_frame(KeyMessage.FOURTH))
    mpdu[at] ^= 1
    with pytest.raises(FrameError, match="the length that it says"):
        parse_wifi(bytes(mpdu))


def test_an_ssid_of_33_bytes_is_refused_both_ways() -> None:
    with pytest.raises(ValueError, match="at most 32 bytes"):
        build_probe_request(STA, b"x" * 33, seq=0)
    with pytest.raises(FrameError, match="33 bytes"):
        parse_wifi(build_probe_request(STA, b"", seq=0)[:24] + b"\0\x21" + b"x" * 33)


@pytest.mark.parametrize("security", [1, 5, 8])
def test_an_unknown_security_with_privacy_is_wep(security: int) -> None:
    mpdu = bytearray(build_advertisement(Advertisement(AP, b"a", 1), seq=0))
    mpdu[34] |= 0x10
    found = parse_wifi(bytes(mpdu))
    assert isinstance(found, Advertisement)
    assert found.security == 1


# Wireshark.

TSHARK = shutil.which("tshark")


@pytest.mark.skipif(TSHARK is None and not os.environ.get("ESPNOW_REQUIRE_TSHARK"), reason="there is no tshark")
def test_wireshark_finds_nothing_wrong(tmp_path: Path) -> None:
    assert TSHARK is not None
    file = io.BytesIO()
    with PcapngWriter(file) as writer:
        for mpdu, _ in FRAMES.values():
            writer.write(mpdu, at_us=0, channel=1, rate=0)
    path = tmp_path / "wifi.pcapng"
    path.write_bytes(file.getvalue())
    fields = ("wlan.fc.type_subtype", "wlan.ssid", "wlan_rsna_eapol.keydes.msgnr", "wlan.csa.new_channel_number")
    wanted = [option for name in (*fields, "_ws.malformed", "_ws.expert.message") for option in ("-e", name)]
    done = subprocess.run(
        [TSHARK, "-r", str(path), "-T", "fields", "-E", "separator=|", *wanted],
        env={**os.environ, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=True,
    )
    rows = dict(zip(FRAMES, (line.split("|") for line in done.stdout.splitlines()), strict=True))
    assert all(row[4] == "" for row in rows.values()), rows
    assert all("alformed" not in row[5] and "ength" not in row[5] for row in rows.values()), rows
    assert int(rows["beacon, security 3"][0], 0) == 8
    assert rows["channel switch"][3] == "11"
    assert [rows[message.name.lower()][2] for message in KeyMessage] == ["1", "2", "3", "4"]
    assert {name: int(rows[name][0], 0) for name in ("probe request", "authentication", "associated", "asleep")} == {
        "probe request": 4,
        "authentication": 11,
        "associated": 1,
        "asleep": 36,
    }


@pytest.mark.parametrize("interval_us", [-1024, 1024 << 16])
def test_an_interval_that_does_not_fit_is_a_value_error(interval_us: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        build_advertisement(Advertisement(AP, b"x", 1, interval_us=interval_us), seq=0)


@pytest.mark.parametrize("counter", [-1, 1 << 64])
def test_a_replay_counter_that_does_not_fit_is_a_value_error(counter: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        build_key_frame(KeyMessage.FIRST, bssid=AP, station=STA, replay_counter=counter, seq=0)

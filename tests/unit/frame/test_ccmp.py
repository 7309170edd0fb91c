"""CCMP: known keys, and a second library's AES-CCM."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from Crypto.Cipher import AES
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow import frame
from espnow.errors import FrameError
from espnow.frame import ccmp

repeatable = settings(derandomize=True, deadline=None)

PMK = b"pmk1234567890123"
LMK = b"lmk1234567890123"
HEADER = bytes.fromhex("d0403a01a0f26285a87c840d8e18e205ffffffffffff3012")
BODY = bytes.fromhex("7f18fe34769a1ddcdd0618fe34040178")


def sealed_by_hand(key: bytes, header: bytes, body: bytes, packet_number: int) -> bytes:
    """Seal a body with pycryptodome, by the words of the format."""
    low_first = packet_number.to_bytes(6, "little")
    nonce = b"\x00" + header[10:16] + low_first[::-1]
    aad = b"\x80\x40" + header[4:10] + header[10:16] + header[16:22] + b"\x00\x00"
    assert len(nonce) == 13
    assert len(aad) == 22
    cipher = AES.new(key, AES.MODE_CCM, nonce=nonce, mac_len=8)
    cipher.update(aad)
    ciphertext, mic = cipher.encrypt_and_digest(body)
    return low_first[:2] + b"\x00\xe0" + low_first[2:] + ciphertext + mic


def test_the_default_pmk() -> None:
    assert frame.DEFAULT_PMK.hex() == "00010409101924314051647990a9c4e1"


def test_derived_keys() -> None:
    assert frame.derive_key(PMK, LMK).hex() == "7508819562d0f6fd9a19148631bf4ab0"
    assert frame.derive_key(frame.DEFAULT_PMK, LMK).hex() == "6dbbdd16862d37df4ae8bbaf294a51a5"


@repeatable
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_derivation_is_one_block_of_aes(pmk: bytes, lmk: bytes) -> None:
    assert frame.derive_key(pmk, lmk) == AES.new(pmk, AES.MODE_ECB).encrypt(lmk)


@repeatable
@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=18, max_size=18),
    st.integers(0, 4095),
    st.binary(max_size=300),
    st.integers(1, (1 << 48) - 1),
)
def test_the_second_library_agrees(key: bytes, addresses: bytes, seq: int, body: bytes, packet_number: int) -> None:
    header = b"\xd0\x40\x3a\x01" + addresses + (seq << 4).to_bytes(2, "little")
    sealed = frame.encrypt(key, header, body, packet_number)
    assert sealed == sealed_by_hand(key, header, body, packet_number)
    assert len(sealed) == 8 + len(body) + 8
    assert frame.decrypt(key, header + sealed) == body
    assert ccmp.packet_number_of(header + sealed) == packet_number


def test_what_a_retry_changes_is_not_protected() -> None:
    sealed = frame.encrypt(PMK, HEADER, BODY, 1)
    assert frame.decrypt(PMK, frame.with_retry(HEADER + sealed)) == BODY


@pytest.mark.parametrize("bit", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15])
def test_another_kind_of_frame_is_refused(bit: int) -> None:
    mpdu = HEADER + frame.encrypt(PMK, HEADER, BODY, 1)
    control = int.from_bytes(mpdu[:2], "little") ^ 1 << bit
    with pytest.raises(FrameError, match="action frame"):
        frame.decrypt(PMK, control.to_bytes(2, "little") + mpdu[2:])


def test_the_fragment_number_is_protected() -> None:
    mpdu = bytearray(HEADER + frame.encrypt(PMK, HEADER, BODY, 1))
    mpdu[22] ^= 0x01
    with pytest.raises(FrameError):
        frame.decrypt(PMK, bytes(mpdu))


@repeatable
@given(st.binary(max_size=120))
def test_any_bytes_raise_only_frame_error(junk: bytes) -> None:
    for mpdu in (junk, HEADER + junk, HEADER + bytes.fromhex("010000e000000000") + junk):
        with pytest.raises(FrameError):
            frame.decrypt(PMK, mpdu)


@pytest.mark.parametrize("length", [0, 15, 17, 24, 32])
def test_a_key_has_16_bytes_and_is_never_shown(length: int) -> None:
    key = b"k" * length
    mpdu = HEADER + frame.encrypt(PMK, HEADER, BODY, 1)
    calls: tuple[Callable[[], bytes], ...] = (
        lambda: frame.derive_key(key, LMK),
        lambda: frame.derive_key(PMK, key),
        lambda: frame.encrypt(key, HEADER, BODY, 1),
        lambda: frame.decrypt(key, mpdu),
    )
    for call in calls:
        with pytest.raises(ValueError, match="16 bytes") as caught:
            call()
        assert not isinstance(caught.value, FrameError)
        assert "kkk" not in str(caught.value)


def test_a_header_has_24_bytes() -> None:
    with pytest.raises(ValueError, match="24 bytes"):
        frame.encrypt(PMK, HEADER[:23], BODY, 1)


def test_nothing_that_holds_keys_shows_them() -> None:
    frame.derive_key(PMK, LMK)
    for thing in (ccmp._ciphers, ccmp.derive_key, ccmp._ciphers[PMK]):
        assert "pmk" not in repr(thing)


def test_importing_the_room_loads_no_aes_and_nothing_forbidden() -> None:
    code = (
        "import sys, espnow.frame, espnow.capture; "
        "print(*(name for name in ('cryptography', 'socket', 'asyncio', 'threading', 'random', "
        "'greenlet', 'logging', 'dataclasses') if name in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


@repeatable
@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=18, max_size=18),
    st.binary(max_size=1600),
    st.integers(1, (1 << 48) - 1),
)
def test_a_pairs_cipher_is_the_function_made_once(key: bytes, addresses: bytes, body: bytes, number: int) -> None:
    destination, source, bssid = addresses[:6], addresses[6:12], addresses[12:]
    cipher = frame.PairCipher(key, destination, source, bssid)
    header = b"\xd0\x40\x3a\x01" + addresses + b"\x70\x01"
    sealed = cipher.encrypt(body, number)
    assert sealed == frame.encrypt(key, header, body, number)
    assert cipher.decrypt(header + sealed) == body
    assert cipher.decrypt(frame.with_retry(header + sealed)) == body


def test_a_pairs_cipher_opens_only_what_is_its_own() -> None:
    a, b, c = b"\x02aaaaa", b"\x02bbbbb", b"\x02ccccc"
    cipher = frame.PairCipher(PMK, a, b)
    mpdu = frame.build_protected(a, b, b"hi", seq=1, random_value=1, key=cipher, packet_number=1)
    assert mpdu == frame.build_protected(a, b, b"hi", seq=1, random_value=1, key=PMK, packet_number=1)
    sealed = frame.parse(mpdu)
    assert isinstance(sealed, frame.ProtectedFrame)
    assert frame.open_protected(sealed, cipher) == frame.open_protected(sealed, PMK)
    for other in (
        frame.PairCipher(LMK, a, b),
        frame.PairCipher(PMK, b, a),
        frame.PairCipher(PMK, c, b),
        frame.PairCipher(PMK, a, b, a),
    ):
        same = other.is_for(a, b, frame.BROADCAST)
        with pytest.raises(FrameError, match="MIC" if same else "other addresses"):
            frame.open_protected(sealed, other)
        if not same:
            with pytest.raises(ValueError, match="not for a frame"):
                frame.build_protected(a, b, b"hi", seq=1, random_value=1, key=other, packet_number=1)
    # Each byte of the addresses, frame control but for Retry, power management and more data, a fragment number.
    for at in (0, *range(4, 22)):
        forged = mpdu[:at] + bytes((mpdu[at] ^ 0x10,)) + mpdu[at + 1 :]
        with pytest.raises(FrameError):
            cipher.decrypt(forged)
    for at, bits in ((1, 0x47), (1, 0x00), (1, 0xC0), (22, mpdu[22] | 1)):
        with pytest.raises(FrameError, match="fragment"):
            cipher.decrypt(mpdu[:at] + bytes((bits,)) + mpdu[at + 1 :])
    assert cipher.decrypt(mpdu[:1] + b"\x78" + mpdu[2:]) == cipher.decrypt(mpdu)
    for junk in (b"", mpdu[:31], mpdu[:33], mpdu[:27] + b"\x20" + mpdu[28:], mpdu[:-1]):
        with pytest.raises(FrameError):
            cipher.decrypt(junk)
    for number in (0, -1, 1 << 48):
        with pytest.raises(ValueError, match="packet number"):
            cipher.encrypt(b"hi", number)
    for arguments in ((PMK[1:], a, b), (PMK, a[1:], b), (PMK, a, b[1:]), (PMK, a, b, b"")):
        with pytest.raises(ValueError, match="bytes"):
            frame.PairCipher(*arguments)
    assert "pmk" not in repr(cipher)
    assert repr(cipher) == "<PairCipher 02:62:62:62:62:62 -> 02:61:61:61:61:61>"


def test_a_replay_check_tells_new_from_old() -> None:
    check = frame.ReplayCheck(limit=2)
    judged = [check.check("a", number) for number in (1, 2, 9, 9, 2, 10)]
    fresh, repeated, replayed = frame.Freshness
    assert judged == [fresh, fresh, fresh, repeated, replayed, fresh]
    assert check.check("b", 5) is fresh
    assert check.check("a", 10) is repeated  # so b is the one not heard for longer
    assert check.check("c", 1) is fresh
    assert check.check("b", 5) is fresh  # forgotten
    check.forget("b")
    assert check.check("b", 1) is fresh
    assert [check.check(number, 0) for number in "xyz"] == [fresh] * 3
    assert repr(check) == "<ReplayCheck of 2 pairs>"
    with pytest.raises(ValueError, match="at least 1"):
        frame.ReplayCheck(limit=0)

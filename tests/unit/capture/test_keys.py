"""The keys that open frames of a capture, and that nothing tells them."""

from __future__ import annotations

import copy
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.capture import KeyRing, keys, parse_key
from espnow.errors import FrameError, UserError
from espnow.frame import DEFAULT_PMK, ProtectedFrame, build_protected, derive_key, parse, with_retry

A = bytes.fromhex("30aaaaaaaaaa")
B = bytes.fromhex("18fe34000008")
C = bytes.fromhex("18fe3400000c")
PMK = "pmk1234567890123"
LMK = "lmk1234567890123"
OTHER = "otherlmk90123456"


def sealed(
    message: bytes = b"secret",
    *,
    lmk: str = LMK,
    pmk: bytes = DEFAULT_PMK,
    source: bytes = A,
    destination: bytes = B,
    number: int = 1,
) -> ProtectedFrame:
    mpdu = build_protected(
        destination,
        source,
        message,
        seq=1,
        random_value=number,
        key=derive_key(pmk, lmk.encode()),
        packet_number=number,
        version=2,
    )
    frame = parse(mpdu)
    assert isinstance(frame, ProtectedFrame)
    return frame


def everything_told(error: BaseException) -> str:
    """Return all that a log or a traceback could show of an exception and of those that it holds."""
    told = []
    seen: list[BaseException | None] = [error]
    for one in seen:
        if one is not None and len(told) < 20:
            told += [str(one), repr(one), repr(one.args), repr(vars(one)), repr(getattr(one, "object", None))]
            told += ["".join(traceback.format_exception(one)), *getattr(one, "__notes__", ())]
            seen += [one.__cause__, one.__context__]
    return "\n".join(told)


# A key as text.


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (LMK, LMK.encode()),
        ("00112233445566778899aabbccddeeff", bytes.fromhex("00112233445566778899aabbccddeeff")),
        ("00112233445566778899AABBCCDDEEFF", bytes.fromhex("00112233445566778899aabbccddeeff")),
        ("0123456789abcdef", b"0123456789abcdef"),
        ("äöüäöüäö", "äöüäöüäö".encode()),
        ("\udcff" * 16, b"\xff" * 16),
        (" " * 16, b" " * 16),
        ("\0" * 16, bytes(16)),
    ],
)
def test_a_key_is_16_characters_or_32_digits(text: str, key: bytes) -> None:
    assert parse_key(text) == key


@given(st.binary(min_size=16, max_size=16))
def test_any_16_bytes_can_be_written(key: bytes) -> None:
    assert parse_key(key.hex()) == key
    assert parse_key(key.hex().upper()) == key
    assert parse_key(key.decode(errors="surrogateescape")) == key


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "this has 0 characters"),
        ("hush", "this has 4 characters"),
        ("h" * 15, "15 characters"),
        ("h" * 17, "17 characters"),
        ("0" * 31 + "g", "32 characters, not all of them such digits"),
        ("0" * 30, "30 characters"),
        ("ü" * 16, "16 characters of 32 bytes"),
        ("\ud800" * 16, "16 characters"),
        ("\u0660" * 32, "32 characters, not all of them such digits"),
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="16 characters or 32 hexadecimal digits") as caught:
        parse_key(text)
    assert type(caught.value) is ValueError
    assert says in str(caught.value)
    assert not text or text not in everything_told(caught.value)
    assert caught.value.__context__ is None or "\ud800" not in everything_told(caught.value.__context__)


@given(st.text(max_size=40))
def test_any_text_is_a_key_or_a_value_error(text: str) -> None:
    try:
        assert len(parse_key(text)) == 16
    except ValueError as error:
        assert type(error) is ValueError


# Opening.


@pytest.mark.parametrize("message", [b"x", b"y" * 250, bytes(range(256)) * 5 + bytes(190)])
def test_the_right_key_opens(message: bytes) -> None:
    ring = KeyRing()
    ring.add(LMK.encode(), name="greenhouse")
    opened = ring.open(sealed(message))
    assert opened is not None
    assert opened.name == "greenhouse"
    assert opened.examined.frame.message == message  # type: ignore[union-attr]
    assert opened.examined.oddities == ()


def test_without_a_key_and_with_wrong_ones_nothing_opens() -> None:
    ring = KeyRing()
    assert ring.open(sealed()) is None
    ring.add(OTHER.encode())
    ring.add(LMK.encode(), PMK.encode())
    assert ring.open(sealed()) is None
    assert len(ring) == 2


@given(position=st.integers(0, 60), bit=st.integers(0, 7))
def test_a_changed_byte_is_never_opened(position: int, bit: int) -> None:
    """Duration, sequence number and the bits that retries change are not protected; all else is."""
    ring = KeyRing()
    ring.add(LMK.encode())
    frame = sealed()
    mpdu = bytearray(frame.mpdu)
    position %= len(mpdu)
    mpdu[position] ^= 1 << bit
    try:
        changed = parse(bytes(mpdu))
    except FrameError:
        return
    if not isinstance(changed, ProtectedFrame):
        return
    unprotected = position in (2, 3, 22, 23, 26) or (position == 1 and 1 << bit in (0x08, 0x10, 0x20))
    assert (ring.open(changed) is not None) == unprotected


def test_the_pmk_makes_another_key_and_the_default_is_a_boards() -> None:
    ring = KeyRing()
    ring.add(LMK.encode(), PMK.encode(), name="own pmk")
    ring.add(LMK.encode(), name="default pmk")
    for pmk, name in ((PMK.encode(), "own pmk"), (DEFAULT_PMK, "default pmk")):
        opened = ring.open(sealed(pmk=pmk))
        assert opened is not None
        assert opened.name == name


def test_each_key_is_tried_on_each_pair() -> None:
    ring = KeyRing()
    for number in range(20):
        ring.add(f"lmk{number:013}".encode())
    for number in range(20):
        for source, destination in ((A, B), (B, A), (C, A)):
            frame = sealed(lmk=f"lmk{number:013}", source=source, destination=destination)
            opened = ring.open(frame)
            assert opened is not None
            assert opened.name == f"key {number + 1}"


def test_the_last_key_of_a_pair_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bytes] = []
    real = keys.examine_opened

    def note(frame: ProtectedFrame, key: bytes) -> object:
        tried.append(key)
        return real(frame, key)

    monkeypatch.setattr(keys, "examine_opened", note)
    ring = KeyRing()
    for lmk in ("a" * 16, "b" * 16, "c" * 16):
        ring.add(lmk.encode())
    ring.open(sealed(lmk="c" * 16))
    assert len(tried) == 3
    ring.open(sealed(lmk="c" * 16))
    assert len(tried) == 4
    ring.open(sealed(lmk="a" * 16))  # a pair whose key was changed
    assert len(tried) == 6
    ring.open(sealed(lmk="x" * 16))
    assert len(tried) == 9  # each of them once


def test_the_memory_of_pairs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_MAX_PAIRS", 3)
    ring = KeyRing()
    ring.add(LMK.encode())
    for _ in range(2):
        for number in range(9):
            assert ring.open(sealed(source=bytes((2, 0, 0, 0, 0, number)))) is not None
            assert len(ring._by_pair) <= 3


def test_a_pair_that_changes_its_key_pushes_no_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_MAX_PAIRS", 2)
    ring = KeyRing()
    ring.add(LMK.encode())
    ring.add(OTHER.encode())
    ring.open(sealed(source=C))
    ring.open(sealed())
    ring.open(sealed(lmk=OTHER))
    assert set(ring._by_pair) == {B + C, B + A}


@pytest.mark.parametrize(
    ("addresses", "opens"),
    [((), True), ((A,), True), ((B,), True), ((C, A), True), ((C,), False), ((bytes(6),), False)],
)
def test_a_key_for_some_addresses(addresses: tuple[bytes, ...], opens: bool) -> None:
    ring = KeyRing()
    ring.add(LMK.encode(), addresses=frozenset(addresses))
    assert (ring.open(sealed()) is not None) == opens


@pytest.mark.parametrize("bad", [b"", b"short", bytes(17)])
def test_a_key_of_another_length_is_refused(bad: bytes) -> None:
    ring = KeyRing()
    with pytest.raises(ValueError, match="16 bytes"):
        ring.add(bad)
    with pytest.raises(ValueError, match="16 bytes"):
        ring.add(LMK.encode(), bad)
    assert len(ring) == 0


def test_a_retry_opens_like_the_first_attempt() -> None:
    ring = KeyRing()
    ring.add(LMK.encode())
    again = parse(with_retry(sealed().mpdu))
    assert isinstance(again, ProtectedFrame)
    opened = ring.open(again)
    assert opened is not None
    assert opened.examined.frame.retry


# A key file.


def test_a_key_file() -> None:
    ring = KeyRing()
    ring.add_toml(
        f"""
        pmk = "{PMK}"
        [[key]]
        lmk = "{LMK}"
        name = "greenhouse"
        address = "30:aa:aa:aa:aa:aa"
        [[key]]
        lmk = "{OTHER.encode().hex()}"
        pmk = "{DEFAULT_PMK.hex()}"
        address = ["18-fe-34-00-00-08", "18:FE:34:00:00:0C"]
        [[key]]
        lmk = "{OTHER}"
        """
    )
    assert len(ring) == 3
    for frame, name in (
        (sealed(pmk=PMK.encode()), "greenhouse"),
        (sealed(pmk=PMK.encode(), source=C), None),
        (sealed(lmk=OTHER, source=C), "key 2"),
        (sealed(lmk=OTHER, source=bytes(6), destination=A), None),
        (sealed(lmk=OTHER, pmk=PMK.encode()), "key 3"),
    ):
        opened = ring.open(frame)
        assert (None if opened is None else opened.name) == name


@pytest.mark.parametrize(
    ("file_pmk", "given", "used"),
    [
        (None, None, DEFAULT_PMK),
        (None, b"g" * 16, b"g" * 16),
        ("f" * 16, None, b"f" * 16),
        ("f" * 16, b"g" * 16, b"f" * 16),
    ],
)
def test_which_pmk_a_key_without_one_has(file_pmk: str | None, given: bytes | None, used: bytes) -> None:
    ring = KeyRing()
    head = "" if file_pmk is None else f'pmk = "{file_pmk}"\n'
    ring.add_toml(head + f'[[key]]\nlmk = "{LMK}"', pmk=given)
    assert ring.open(sealed(pmk=used)) is not None


SECRET = "hushhush12345678"

BAD_FILES = [
    ("", "it has no key"),
    ("key = 1", "it has no key"),
    ("key = []", "it has no key"),
    ("key = [1]", "it has no key"),
    (f'key = ["{SECRET}"]', "it has no key"),
    (f'[key]\nlmk = "{SECRET}"', "it has no key"),
    (f'lmk = "{SECRET}"', "the file has an entry that nobody knows, lmk; there are pmk, key"),
    (f"{SECRET} = 1", "a name of that length"),
    (f"[[{SECRET}]]", "a name of that length"),
    ("[[key]]\nname = 'x'", "key 1 has no lmk"),
    (f"[[key]]\nlmk = '{SECRET}'\nlkm = '{SECRET}'", "key 1 has an entry that nobody knows, lkm"),
    (f"[[key]]\nlmk = '{SECRET}'\n[[key]]\nlmk = '{SECRET}x'", "key 2: lmk: a key is 16 characters"),
    (f"[[key]]\nlmk = '{SECRET}'\npmk = 'x{SECRET}'", "key 1: pmk: a key is 16 characters"),
    (f"pmk = 'x{SECRET}'\n[[key]]\nlmk = '{SECRET}'", "pmk: a key is 16 characters"),
    ("[[key]]\nlmk = 1234567890123456", "key 1: lmk is no text"),
    (f"[[key]]\nlmk = ['{SECRET}']", "key 1: lmk is no text"),
    (f"[[key]]\nlmk = '{SECRET}'\nname = ''", "key 1: a name is"),
    (f"[[key]]\nlmk = '{SECRET}'\nname = 3", "key 1: a name is"),
    (f"[[key]]\nlmk = '{SECRET}'\nname = '{SECRET * 5}'", "key 1: a name is"),
    (f'[[key]]\nlmk = "{SECRET}"\nname = "a\\u001b[2J{SECRET}"', "key 1: a name is"),
    (f"[[key]]\nlmk = '{SECRET}'\naddress = '{SECRET}'", "key 1: an address is written"),
    (f"[[key]]\nlmk = '{SECRET}'\naddress = [['{SECRET}']]", "key 1: an address is written"),
    (f"[[key]]\nlmk = '{SECRET}'\naddress = 5", "key 1: an address is written"),
    (f"[[key]]\nlmk = '{SECRET}'\naddress = {{a = '{SECRET}'}}", "key 1: an address is written"),
    (f"[[key]]\nlmk = {SECRET}", "no valid TOML at line 2"),
    (f"[[key]]\nlmk = '{SECRET}", "no valid TOML at"),
    (f"[[key]]\nlmk = '{SECRET}'\nlmk = '{SECRET}'", "no valid TOML at"),
    (f"a = {{'{SECRET}' = 1, '{SECRET}' = 2}}", "no valid TOML at"),
    (f"'{SECRET}'.a = 1\n['{SECRET}']", "no valid TOML at"),
    (f"[[key]]\nlmk = {'1' * 5000} # {SECRET}", "no valid TOML"),
    (f"x = {'[' * 5000} # {SECRET}", "no valid TOML"),
    (f"[[key]]\nlmk = 2024-13-77 # {SECRET}", "no valid TOML"),
]


@pytest.mark.parametrize(("text", "says"), BAD_FILES, ids=range(len(BAD_FILES)))
def test_a_wrong_key_file_is_one_line_without_its_secrets(text: str, says: str) -> None:
    ring = KeyRing()
    with pytest.raises(UserError) as caught:
        ring.add_toml(text)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()
    assert SECRET not in everything_told(caught.value)


@given(
    st.lists(
        st.sampled_from([*"[]{}=.,'\"\\#\n", "[[key]]\n", "lmk='", "pmk", "address=", "name=", SECRET]), max_size=30
    ).map("".join)
)
def test_any_key_file_is_read_or_a_user_error(text: str) -> None:
    ring = KeyRing()
    try:
        ring.add_toml(text)
    except UserError as error:
        assert str(error).isprintable()
        assert SECRET not in everything_told(error)


def test_no_repr_and_no_pickle_like_text_shows_a_key() -> None:
    ring = KeyRing()
    ring.add(SECRET.encode(), PMK.encode(), name="greenhouse")
    key = derive_key(PMK.encode(), SECRET.encode())
    frame = sealed(lmk=SECRET, pmk=PMK.encode())
    opened = ring.open(frame)
    for thing in (ring, ring._keys, ring._by_pair, opened, frame, copy.copy(ring)):
        for form in (repr(thing), str(thing), f"{thing!r:>5}"):
            for secret in (SECRET, PMK, key.hex(), repr(key)[2:-1], SECRET.encode().hex()):
                assert secret not in form
    assert repr(ring) == "<KeyRing of 1>"
    assert "greenhouse" in repr(ring._keys)


def test_names_differ() -> None:
    ring = KeyRing()
    ring.add(LMK.encode(), name="key 2")
    with pytest.raises(ValueError, match="another key with the name key 2"):
        ring.add(OTHER.encode(), name="key 2")
    ring.add(OTHER.encode())
    assert len(ring) == 2
    opened = ring.open(sealed(lmk=OTHER))
    assert opened is not None
    assert opened.name == "key 3"


def test_a_file_with_a_mistake_adds_no_key() -> None:
    ring = KeyRing()
    for text in (
        f'[[key]]\nname = "a"\nlmk = "{LMK}"\n[[key]]\nname = "a"\nlmk = "{OTHER}"',
        f'[[key]]\nlmk = "{LMK}"\n[[key]]\nlmk = "short"',
    ):
        with pytest.raises(UserError, match=r"^key 2: "):
            ring.add_toml(text)
        assert len(ring) == 0
    ring.add_toml(f'[[key]]\nlmk = "{LMK}"')
    assert ring.open(sealed()) is not None


@pytest.mark.parametrize("text", ["#" * (2**20 + 1), ".".join("a" * 20_000) + " = 1"])
def test_a_file_that_would_take_too_long_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        KeyRing().add_toml(text)


# What a peer is added with.


def test_a_peer_gets_the_keys_that_name_it_or_else_those_that_name_nobody() -> None:
    ring = KeyRing()
    ring.add(LMK.encode(), name="all")
    ring.add(OTHER.encode(), PMK.encode(), name="mine", addresses=frozenset([A]))
    assert [tuple(key) for key in ring.for_peer(A)] == [("mine", OTHER.encode(), PMK.encode())]
    assert [tuple(key) for key in ring.for_peer(B)] == [("all", LMK.encode(), DEFAULT_PMK)]
    assert KeyRing().for_peer(A) == []
    assert repr(ring.for_peer(A)) == "[<key 'mine'>]"

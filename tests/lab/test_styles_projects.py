"""Programs in the styles of whole projects: wrappers, protocols over bytes, settings in files, displays, bridges.

Each is run as it stands; what it prints is what its source says.
"""

import pytest


@pytest.fixture
def run(lab):
    """Return a function that runs a program alone, and returns its lines."""

    def run(code, for_ms=10_000, **options):
        board = lab.board(code=code, **options)
        lab.run(for_ms=for_ms)
        assert board.error is None, board.output
        return board.lines

    return run


# Bytes and text, where MicroPython's types are less strict.


@pytest.mark.parametrize(
    "digits", ["'2462abe6b0b5'", "b'2462abe6b0b5'", "bytearray(b'2462abe6b0b5')", "'24 62abe6 b0b5'"]
)
def test_fromhex_takes_digits_of_any_kind(run, digits):
    assert run(f"print(bytes.fromhex({digits}), bytearray.fromhex({digits}))") == [
        r"b'$b\xab\xe6\xb0\xb5' bytearray(b'$b\xab\xe6\xb0\xb5')"
    ]


def test_a_bytearray_is_made_longer_by_text(run):
    assert run(
        """
address = "30:aa"
message = bytearray(b"\\xff\\x13")
message.extend(address)
print(message)
letters = [1]
letters.extend(address[:2])
print(letters)
"""
    ) == [r"bytearray(b'\xff\x1330:aa')", "[1, '3', '0']"]


def test_methods_of_a_programs_own_class_may_be_named_alike(run):
    assert run(
        """
class Log:
    def extend(self, *lines):
        return lines
    def fromhex(self, digits, base=16):
        return digits, base

log = Log()
print(log.extend("a"), log.extend("a", "b"), log.fromhex("f", base=2))
"""
    ) == ["('a',) ('a', 'b') ('f', 2)"]

"""A soak in small, and that its books notice what goes wrong."""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

FOLDER = Path(__file__).parent

_spec = importlib.util.spec_from_file_location("ledger", FOLDER / "ledger.py")
assert _spec is not None
assert _spec.loader is not None
ledger = importlib.util.module_from_spec(_spec)
sys.modules["ledger"] = ledger
_spec.loader.exec_module(ledger)
sys.path.insert(0, str(FOLDER))
try:
    import soak
finally:
    sys.path.remove(str(FOLDER))

YES, NO, BATCH = ledger.ACKNOWLEDGED, ledger.NOT_ACKNOWLEDGED, ledger.BATCH_ACKNOWLEDGED
ALL = ledger.EVERYBODY << 4 | ledger.BROADCAST


def account(sent: list[int], read: list[int], last_life: int = 1, receiver: int = 0) -> dict[str, int]:
    """Return what is not zero in the account."""
    found = ledger.audit(bytes(sent), bytes(read), receiver, last_life)
    return {name: value for name, value in vars(found).items() if value}


@pytest.mark.parametrize(
    ("sent", "read", "last_life", "expected"),
    [
        ([], [], 1, {}),
        ([YES, BATCH], [1, 1], 1, {"acknowledged": 2}),
        ([YES, YES, YES], [1, 0, 1], 1, {"acknowledged": 3, "vanished": 1}),
        ([YES, YES, YES], [1, 0, 2], 2, {"acknowledged": 3, "lost_to_kills": 1, "most_lost": 1}),
        ([YES, YES, YES], [1, 0, 0], 1, {"acknowledged": 3, "vanished": 2}),
        ([YES, YES, YES], [1, 0, 0], 2, {"acknowledged": 3, "lost_to_kills": 2, "most_lost": 2}),
        ([YES, YES, YES], [0, 1, 1], 1, {"acknowledged": 3, "vanished": 1}),
        ([YES, YES, YES], [0, 2, 2], 2, {"acknowledged": 3, "lost_to_kills": 1, "most_lost": 1}),
        ([NO, NO], [0, 1], 1, {"unacknowledged": 2, "read_nevertheless": 1}),
        ([ledger.HANDED, ledger.IN_BATCH, ledger.BATCH_FAILED], [0, 0, 0], 1, {"unacknowledged": 3}),
        ([ALL, ALL], [1, 0], 1, {"broadcasts": 2, "broadcasts_read": 1}),
        ([1 << 4 | YES, 0], [1, 1], 1, {"misread": 2}),
    ],
)
def test_the_account(sent, read, last_life, expected):
    assert account(sent, read, last_life) == expected


@given(st.lists(st.tuples(st.sampled_from([YES, NO, BATCH, 1 << 4 | YES, ALL]), st.booleans()), max_size=60))
def test_the_account_of_one_life_is_what_counting_says(messages):
    sent = [byte for byte, _ in messages]
    read = [int(was_read) for _, was_read in messages]
    expected = {
        "acknowledged": sum(byte in (YES, BATCH) for byte in sent),
        "vanished": sum(byte in (YES, BATCH) and not was_read for byte, was_read in messages),
        "unacknowledged": sent.count(NO),
        "read_nevertheless": messages.count((NO, True)),
        "broadcasts": sent.count(ALL),
        "broadcasts_read": messages.count((ALL, True)),
        "misread": messages.count((1 << 4 | YES, True)),
    }
    assert account(sent, read) == {name: value for name, value in expected.items() if value}


def test_lives_are_told_apart_for_longer_than_a_byte_counts():
    marks = [ledger.life_mark(life) for life in range(1, 600)]
    assert 0 not in marks
    assert all(one != other for one, other in itertools.pairwise(marks))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [([100] * 11, None), ([100] * 40, 0), ([*range(400, 800, 10)], 200), ([900] * 10 + [100] * 30, 0)],
)
def test_growth_is_of_the_last_quarter_over_the_second(samples, expected):
    assert soak.growth(samples) == expected


def test_a_ledger_is_seen_by_others(tmp_path):
    book = ledger.Ledger(tmp_path / "book", 10)
    book.entries[3] = 7
    book.head[0] = 4
    other = ledger.Ledger(tmp_path / "book", 10)
    assert other.copy(5) == bytes([0, 0, 0, 7, 0])
    assert list(other.head) == [4, 0, 0]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_short_soak():
    command = [sys.executable, str(FOLDER / "soak.py"), "--seconds", "4", "--kill-every", "0.3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert done.stderr == ""
    figures = json.loads(done.stdout)
    assert figures["kills"] > 3
    assert figures["messages"] > 100
    assert figures["acknowledged"] > 0
    assert figures["vanished"] == figures["misread"] == 0

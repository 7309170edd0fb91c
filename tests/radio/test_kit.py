"""The checks of any radio: a good one passes them, and each broken one fails the check that is about it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from espnow.errors import UserError
from espnow.radio.loop import RadioLoop
from espnow.testing import LoopRig, RadioChecks, Rig, check_radio
from espnow.testing.kit import CHECKS, Skip

from .kit_broken import LEAKED, MUTANTS, KnowsOneRate, LeavesATimer, Loose, Raises
from .kit_links import Deaf, GoodLink, Rateless, Short, Unsure, rig_of


class TestGoodLink(RadioChecks):
    @pytest.fixture
    def rig(self) -> Rig:
        return rig_of(GoodLink)


def test_a_good_link_passes_all_that_apply() -> None:
    assert check_radio(lambda: rig_of(GoodLink)) == {
        "a_radio_that_does_not_send_answers_all_the_same": "the radio sends",
        "what_does_not_acknowledge_says_so": "the radio acknowledges",
    }


def test_a_link_alone_is_checked_as_far_as_that_goes() -> None:
    skipped = check_radio(lambda: rig_of(GoodLink, links=1))
    assert set(skipped.values()) == {
        "2 links are needed, and the rig has 1",
        "3 links are needed, and the rig has 1",
        "the rig has 1 link",
        "the radio sends",
    }
    assert "each_frame_is_answered_once" not in skipped
    assert "unicast_is_acknowledged" in skipped


@pytest.mark.parametrize("kind", [Unsure, Deaf, Short, Rateless])
def test_a_link_that_can_less_and_says_so_passes(kind: type[GoodLink]) -> None:
    skipped = check_radio(lambda: rig_of(kind))
    assert len(skipped) > 2


# Broken ones.


@pytest.fixture(autouse=True)
def what_leaks_is_closed() -> Iterator[None]:
    yield
    while LEAKED:
        os.close(LEAKED.pop())


@pytest.mark.parametrize(("name", "kind"), MUTANTS, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_link_fails(name: str, kind: type[GoodLink]) -> None:
    (check,) = [check for check in CHECKS if check.name == name]
    with pytest.raises(AssertionError, match=r"\w") as caught:
        check.run(rig_of(kind))
    assert str(caught.value).startswith(check.rule)


def test_each_check_catches_something() -> None:
    assert {name for name, _ in MUTANTS} == {check.name for check in CHECKS}


# What is looked for in all checks.


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("frames_for_groups_are_sent_once", Loose, "outcome was called without the lock"),
        ("frames_for_groups_are_sent_once", Raises, "a call of the loop raised RuntimeError: a defect"),
        ("closing_ends_all_calls", LeavesATimer, "a link that is closed answered 20 frames"),
    ],
)
def test_what_is_wrong_in_a_loop_is_found(name: str, kind: Callable[[RadioLoop], GoodLink], told: str) -> None:
    (check,) = [check for check in CHECKS if check.name == name]
    rig = LoopRig(lambda loop, _: kind(loop))
    try:
        with pytest.raises(AssertionError, match=told):
            check.run(rig)
    finally:
        rig.close()


def test_a_radio_that_cannot_be_opened_is_a_mistake_of_the_rig() -> None:
    rig = LoopRig(["pcap:/nowhere/air.pcapng"])
    assert rig.links == 1
    with pytest.raises(UserError, match="No such file"):
        CHECKS[0].run(rig)


def test_rules_are_sentences() -> None:
    for check in CHECKS:
        assert check.rule[0].isupper()
        assert check.rule.endswith(".")
        assert len(check.rule) < 120
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_the_documentation_lists_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "radio-kit.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE)
    assert rows == [(check.name, check.rule) for check in CHECKS]


def test_skip_is_no_failure() -> None:
    (check,) = [check for check in CHECKS if check.name == "what_does_not_acknowledge_says_so"]
    with pytest.raises(Skip, match="the radio acknowledges"):
        check.run(rig_of(GoodLink))


def test_without_pytest_each_failure_is_told() -> None:
    with pytest.raises(AssertionError) as caught:
        check_radio(lambda: rig_of(KnowsOneRate))
    first, *lines = str(caught.value).splitlines()
    assert first == f"2 of {len(CHECKS)} checks failed"
    assert lines[0].startswith("rates_are_told: A frame is sent with the rate")

"""The tests of `guest`, run in virtual machines: one test here for each file there and each kernel.

Skipped where no machine can run, or apt has no such kernel, unless ``ESPNOW_REQUIRE_REALSTACK`` is set. The machines,
one a kernel, are started by conftest.py and run beside all other tests, while these come last. To work on one test, run
it by hand: see the top of vm.py.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import guests
import pytest
import vm

GUEST = Path(__file__).parent / "guest"
FILES = sorted(path.name for path in GUEST.glob("test_*.py"))

pytestmark = [pytest.mark.realstack, pytest.mark.timeout(guests.MACHINE_S + 120)]


def refuse(reason: str) -> NoReturn:
    """Skip, or fail where these tests must run."""
    if os.environ.get("ESPNOW_REQUIRE_REALSTACK"):
        pytest.fail(f"ESPNOW_REQUIRE_REALSTACK is set, and {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kernel", vm.SERIES)
def test_guest(kernel: str, name: str, request: pytest.FixtureRequest) -> None:
    reason = vm.missing()
    if reason:
        refuse(reason)
    machine = request.config.stash[guests.MACHINES][kernel]
    machine.wait()
    if machine.unavailable:
        refuse(machine.unavailable)
    outcome, text = guests.judge(machine, name)
    if outcome == "failed":
        pytest.fail(text, pytrace=False)
    if outcome == "skipped":
        pytest.skip(text)

"""The tests of `guest`, run in virtual machines: one test here for each file there and each kernel.

Skipped where no machine can run, or apt has no such kernel, unless ``ESPNOW_REQUIRE_REALSTACK`` is set. The machines,
one a kernel, start with the first of these tests and run side by side; each runs the files that were chosen, in one
pytest, in an order of the same seed as here. To work on one test, run it by hand: see the top of vm.py.
"""

from __future__ import annotations

import os
import threading
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


@pytest.fixture(scope="session")
def machines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, guests.Machine]:
    """The machines of the chosen tests, by kernel; they have ended."""
    reason = vm.missing()
    if reason:
        refuse(reason)
    chosen: dict[str, list[Path]] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.originalname == test_guest.__name__:
            kernel, name = (str(item.callspec.params[key]) for key in ("kernel", "name"))
            chosen.setdefault(kernel, []).append(GUEST / name)
    seed = request.config.getoption("randomly_seed", None)
    options = [] if seed is None else ["-p", "pytest_randomly", f"--randomly-seed={seed}"]
    started = {kernel: guests.Machine(kernel) for kernel in chosen}
    threads = [
        threading.Thread(target=machine.run, args=(sorted(chosen[kernel]), tmp_path_factory.mktemp("guest"), options))
        for kernel, machine in started.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return started


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kernel", vm.SERIES)
def test_guest(kernel: str, name: str, machines: dict[str, guests.Machine]) -> None:
    machine = machines[kernel]
    if machine.unavailable:
        refuse(machine.unavailable)
    outcome, text = guests.judge(machine, name)
    if outcome == "failed":
        pytest.fail(text, pytrace=False)
    if outcome == "skipped":
        pytest.skip(text)

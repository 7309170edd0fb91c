"""What tests in a virtual machine have: radios, and the air between them.

They run as root, in the order in which they are written unless the host says otherwise, and one after the other: the
radios of one are gone when the next begins. A test names what it wants: `hwsim` plugs radios in; `medium` is the air
between them, when the kernel's own, where nothing is ever lost, is not enough. `tests/realstack/vm.py` starts it all.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
if str(FOLDER) not in sys.path:
    sys.path.insert(0, str(FOLDER))

from hwsim import Hwsim  # noqa: E402
from medium import Medium  # noqa: E402


@pytest.fixture
def hwsim() -> Iterator[Hwsim]:
    """The driver of simulated radios; there are none at first, and none afterwards."""
    with Hwsim() as driver:
        yield driver


@pytest.fixture
def medium(hwsim: Hwsim) -> Iterator[Medium]:
    """The air between the radios of `hwsim`, which does what the test says."""
    with Medium(hwsim) as air:
        yield air


@pytest.fixture
def kernel() -> str:
    """The series of the guest's kernel, such as "6.12"."""
    return os.environ["ESPNOW_GUEST"]


class Reporter:
    """Writes down for the host what becomes of each test, as it happens; a line of JSON each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(test=nodeid, step="start")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write(
            test=report.nodeid,
            step=report.when,
            outcome=report.outcome,
            seconds=report.duration,
            text=_why(report),
            printed="\n".join(f"--- {name}\n{content}" for name, content in report.sections),
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(test=report.nodeid, step="collect", outcome="failed", seconds=0.0, text=str(report.longrepr))

    def _write(self, **line: object) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def _why(report: pytest.TestReport) -> str:
    """Return why a test was skipped, or how it failed."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    return "" if report.longrepr is None else str(report.longrepr)


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get("ESPNOW_GUEST_REPORT")
    if path:
        config.pluginmanager.register(Reporter(Path(path)))

"""The pytest plugin: the fixture `lab`, and what a failing test tells of its lab.

Found by pytest through the entry point of the package; ``-p no:espnow`` switches it off. It imports nothing of the lab
until a test asks for one.
"""

from __future__ import annotations

import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from espnow.lab import Lab

__all__ = ["lab"]

_LABS = pytest.StashKey[list[Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--lab-seed``."""
    group = parser.getgroup("espnow", "labs of emulated ESP-NOW boards")
    group.addoption("--lab-seed", type=int, metavar="SEED", help="seed of the labs of the fixture `lab`")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "lab(file=None, **options): how the fixture `lab` is made: from a lab file beside the test, or with the "
        "options of espnow.lab.Lab, such as seed, loss, range_m",
    )


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """An `espnow.lab.Lab` for one test; programs are looked for beside the test's file.

    The marker ``@pytest.mark.lab(seed=7, loss=0.1)`` gives it other options, ``@pytest.mark.lab("field.toml")`` makes
    it from a lab file.
    """
    from espnow.lab import Lab

    marker = request.node.get_closest_marker("lab")
    arguments = marker.args if marker is not None else ()
    options = dict(marker.kwargs) if marker is not None else {}
    seed = request.config.getoption("--lab-seed")
    if seed is not None:  # otherwise the lab file's, or the usual one
        options.setdefault("seed", seed)
    folder = Path(request.path).parent
    if arguments:
        made = Lab.from_file(folder / arguments[0], **options)
    else:
        options.setdefault("folder", folder)
        made = Lab(**options)
    with made:
        request.node.stash.setdefault(_LABS, []).append(made)
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of the labs of a test that failed."""
    report = yield
    if report.failed and call.when == "call":
        for made in item.stash.get(_LABS, []):
            try:
                from espnow.testing.report import describe

                report.sections += describe(made)
            except Exception:  # the test's own failure must be told in any case
                report.sections.append(("lab: cannot be described", traceback.format_exc()))
    return report

"""The pytest plugin: the fixture `lab`, and what a failing test tells of its lab.

Found by pytest through the entry point of the package; ``-p no:espnow`` switches it off. It imports nothing of the lab
until a test asks for one.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from espnow.errors import UserError

if TYPE_CHECKING:
    from espnow.lab import Lab

__all__ = ["lab"]

_PACKAGE = Path(__file__).parents[1]
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
    with _make(request) as made:
        request.node.stash.setdefault(_LABS, []).append(made)
        yield made


def _make(request: pytest.FixtureRequest) -> Lab:
    """Return the lab that a test's marker asks for; a mistake in it ends the test with one line."""
    from espnow.lab import Lab

    marker = request.node.get_closest_marker("lab")
    arguments, options = ((), {}) if marker is None else (marker.args, dict(marker.kwargs))
    seed = request.config.getoption("--lab-seed")
    if seed is not None:  # otherwise the lab file's, or the usual one
        options.setdefault("seed", seed)
    folder = Path(request.path).parent
    options.setdefault("folder", folder)
    try:
        inspect.signature(Lab).bind(**options)
        return Lab.from_file(folder / arguments[0], **options) if arguments else Lab(**options)
    except (UserError, TypeError) as error:
        mistake = f"@pytest.mark.lab: {error}"
    pytest.fail(mistake, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of the labs of a test that failed, and of a mistake in it only where it stands."""
    found = call.excinfo
    if found is not None and found.errisinstance((UserError, AssertionError)) and not item.config.option.fulltrace:
        _cut(found.tb)
    report = yield
    if report.failed and call.when != "teardown":
        for made in item.stash.get(_LABS, []):
            try:
                from espnow.testing.report import describe

                report.sections += describe(made)
            except Exception:  # the test's own failure must be told in any case
                report.sections.append(("lab: cannot be described", traceback.format_exc()))
    return report


def _cut(place: TracebackType | None) -> None:
    """Let a traceback end where the user's code called this package."""
    last = None
    while place is not None:
        if not Path(place.tb_frame.f_code.co_filename).is_relative_to(_PACKAGE):
            last = place
        place = place.tb_next
    if last is not None:
        last.tb_next = None

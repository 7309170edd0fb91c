"""The checks as a class of pytest tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest

from espnow.testing.kit import CHECKS, Check, Rig, Skip

__all__ = ["RadioChecks"]


class RadioChecks:
    """Subclass this in a test file, and give it the fixture `rig`: a new `Rig` for each test.

    Attributes:
        known_failures: checks that the radio is known to fail, and why. They are expected to fail: one that passes is
            an error.
    """

    known_failures: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def rig(self) -> Rig:
        """Return where the radio's links hear each other."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `rig`, which returns an espnow.testing.Rig")

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
    def test_radio(self, rig: Rig, check: Check) -> None:
        """Hold the radio against one rule."""
        reason = self.known_failures.get(check.name)
        failure = skip = None
        try:
            check.run(rig)
        except Skip as error:
            skip = str(error)
        except AssertionError as error:
            failure = str(error)
        finally:
            rig.close()
        if skip is not None:
            pytest.skip(skip)
        if reason is not None:
            if failure is None:
                failure = f"{check.name} passes, though known_failures says: {reason}"
            else:
                pytest.xfail(f"{reason}: {failure}")
        if failure is not None:
            pytest.fail(failure, pytrace=False)

"""The checks that any radio must pass, for radios of this package and of others.

A test class gives a rig, and inherits the checks (`RadioChecks`)::

    class TestMyRadio(RadioChecks):
        @pytest.fixture
        def rig(self):
            return LoopRig("my:device")

Rules:

- One check is one rule of `espnow.link`. Its name says which, its failure what the radio did instead.
- What a radio declares (`espnow.link.Abilities`) decides what is checked; what is skipped is skipped with the reason.
- A check knows nothing of the radio but its link. What it must know of the medium it asks the rig for.
- Checks wait for what must happen, never for an amount of time. Whether something does not happen shows when what came
  after it has happened.
- What a radio must not do at any time, such as answering twice or calling without the lock, is looked for in all.
"""

from __future__ import annotations

from collections.abc import Callable

from espnow.testing.kit import hearing, living, sending
from espnow.testing.kit.check import Check
from espnow.testing.kit.rig import LoopRig, OpenLink, Rig, VirtualRig
from espnow.testing.kit.stage import Skip

__all__ = ["CHECKS", "Check", "LoopRig", "OpenLink", "Rig", "Skip", "VirtualRig", "check_radio"]

#: All checks, in the order in which they run.
CHECKS: tuple[Check, ...] = (*sending.CHECKS, *hearing.CHECKS, *living.CHECKS)


def check_radio(make_rig: Callable[[], Rig]) -> dict[str, str]:
    """Hold a radio against all checks, without pytest.

    Args:
        make_rig: makes a new rig, one for each check.

    Returns:
        Why a check was skipped, by its name.

    Raises:
        AssertionError: the radio breaks rules; the text names each check that failed, and says why.
    """
    skipped: dict[str, str] = {}
    failed: list[str] = []
    for check in CHECKS:
        rig = make_rig()
        try:
            check.run(rig)
        except Skip as reason:
            skipped[check.name] = str(reason)
        except AssertionError as error:
            failed.append(f"{check.name}: {error}")
        finally:
            rig.close()
    if failed:
        raise AssertionError(f"{len(failed)} of {len(CHECKS)} checks failed\n" + "\n".join(failed))
    return skipped

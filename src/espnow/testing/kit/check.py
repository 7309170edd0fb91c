"""A check: one rule of `espnow.link` that any radio must keep, and how a rig is held against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from espnow.testing.kit.rig import Rig
from espnow.testing.kit.stage import Skip, Stage

__all__ = ["Check", "check", "collect"]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule.

    Attributes:
        name: such as ``unicast_is_acknowledged``.
        rule: what a radio must do, a sentence.
        function: looks whether it does; raises AssertionError if not, Skip where that cannot be seen.
        links: how many links it opens at once, beside what speaks.
        needs: the `espnow.link.Abilities` without which it does not apply.
    """

    name: str
    rule: str
    function: Callable[[Stage], None]
    links: int
    needs: tuple[str, ...]

    def run(self, rig: Rig) -> None:
        """Hold a rig against the rule.

        Raises:
            AssertionError: its radio breaks it, or another rule on the way.
            Skip: it does not apply.
        """
        for ability in self.needs:
            if not getattr(rig.abilities, ability):
                raise Skip(f"the radio does not declare {ability}")
        if rig.links < self.links:
            raise Skip(f"{self.links} links are needed, and the rig has {rig.links}")
        stage = Stage(rig)
        failure: str | None = None
        cause: Exception | None = None
        try:
            self.function(stage)
            stage.finish()
        except AssertionError as error:
            failure = str(error)
        except Skip:
            stage.close()
            raise
        except Exception as error:
            failure, cause = f"a call of it raised {type(error).__name__}: {error}", error
        if failure is not None:
            with suppress(Exception):
                stage.close()
            faults = [fault for probe in stage.probes for fault in probe.faults] + rig.errors
            more = "".join(f"\n  also: {fault}" for fault in faults if fault not in failure)
            raise AssertionError(f"{self.rule}\n  {failure}{more}") from cause


def check(*, links: int = 1, needs: tuple[str, ...] = ()) -> Callable[[Callable[[Stage], None]], Check]:
    """Make a check of a function whose docstring is the rule."""

    def make(function: Callable[[Stage], None]) -> Check:
        assert function.__doc__ is not None
        return Check(function.__name__, " ".join(function.__doc__.split()), function, links, needs)

    return make


def collect(names: Mapping[str, object]) -> tuple[Check, ...]:
    """Return the checks of a module, in its order."""
    return tuple(value for value in names.values() if isinstance(value, Check))

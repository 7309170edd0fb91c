"""pytest in virtual machines: what ran in one, and what it means for a file of tests.

Rules:

- A guest writes down each step of each test when it is done (``guest/conftest.py``), so that what is known stays known
  when the machine ends early; then every file of it fails.
- Machines run beside the tests of the host, and give way to these.
- What a file's tests came to is decided without looking at what pytest printed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
import vm

__all__ = ["MACHINES", "GuestTest", "Machine", "Verdict", "judge", "read_report"]

#: The host's own tests come first.
_NICE = 10

#: For all files together on one kernel, and for one test; an emulated processor is slow, and a slow machine slower.
MACHINE_S = 1200
TEST_S = 180

# What pytest ends with when tests were run to the end.
_ALL_PASSED = 0
_SOME_FAILED = 1


@dataclass(slots=True)
class GuestTest:
    """What a guest told of one test; of its steps the worst.

    Attributes:
        outcome: "passed", "failed", "skipped" or "unfinished".
        text: why it failed or was skipped.
        printed: what it printed, if it failed.
    """

    outcome: str = "unfinished"
    text: str = ""
    printed: str = ""


class Verdict(NamedTuple):
    """What becomes of a file of tests.

    Attributes:
        outcome: "passed", "failed" or "skipped".
        text: why, if it is not passed.
    """

    outcome: str
    text: str


@dataclass(slots=True)
class Machine:
    """The run of some files in a machine.

    Attributes:
        kernel: its series.
        tests: what the guest told, by the tests' names.
        unavailable: why there was no machine, or empty.
        trouble: why the run did not come to its end, or empty.
        output: what was printed in it.
    """

    kernel: str
    tests: dict[str, GuestTest] = field(default_factory=dict)
    unavailable: str = ""
    trouble: str = ""
    output: str = ""
    _thread: threading.Thread | None = None
    _process: subprocess.Popen[bytes] | None = None
    _over: bool = False

    def begin(self, files: Iterable[Path], job: Path, options: Sequence[str]) -> None:
        """Run the files in a thread of its own (`run`)."""
        self._thread = threading.Thread(target=self.run, args=(files, job, options))
        self._thread.start()

    def wait(self) -> None:
        """Wait for the end of the run, if it was begun."""
        if self._thread is not None:
            self._thread.join()

    def end(self) -> None:
        """End the machine; what it told so far is kept."""
        self._over = True
        if self._process is not None:
            self._process.kill()
        self.wait()

    def _has_begun(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        if self._over:
            process.kill()

    def run(self, files: Iterable[Path], job: Path, options: Sequence[str]) -> None:
        """Run the files, and keep what is told.

        Args:
            files: with tests.
            job: an empty directory.
            options: more of pytest's.
        """
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "pytest_timeout",
            "--continue-on-collection-errors",
            f"--timeout={TEST_S}",
            *options,
        ]
        report = job / "report"
        try:
            finished = vm.run(
                [*command, *map(str, files)],
                kernel=self.kernel,
                job=job,
                # Other plugins are seconds of an emulated processor.
                environment={"ESPNOW_GUEST_REPORT": str(report), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
                timeout_s=MACHINE_S,
                begun=self._has_begun,
                nice=_NICE,
            )
        except vm.Unavailable as error:
            self.unavailable = str(error)
            return
        except vm.VmError as error:
            self.trouble, self.output = str(error), error.output
        else:
            self.output = finished.output
            if finished.status not in (_ALL_PASSED, _SOME_FAILED):
                self.trouble = f"pytest ended with {finished.status}"
        if report.exists():
            self.tests = read_report(report.read_text())


#: The machines of a run of pytest, by kernel.
MACHINES = pytest.StashKey[dict[str, Machine]]()


def read_report(report: str) -> dict[str, GuestTest]:
    """Return what a guest wrote down, a line a step; a line that is cut counts for nothing."""
    tests: dict[str, GuestTest] = {}
    for line in report.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        step = json.loads(line)
        test = tests.setdefault(step["test"], GuestTest())
        outcome = step.get("outcome")
        if outcome in ("failed", "skipped") and test.outcome != "failed":
            test.outcome, test.text, test.printed = outcome, step["text"], step.get("printed", "")
        elif step["step"] == "teardown" and test.outcome == "unfinished":
            test.outcome = "passed"
    return tests


def judge(machine: Machine, file: str) -> Verdict:
    """Say what became of a file's tests in a machine that has ended."""
    tests = {name: test for name, test in machine.tests.items() if Path(name.partition("::")[0]).name == file}
    lines: list[str] = []
    for name, test in tests.items():
        if test.outcome in ("failed", "unfinished"):
            lines += [f"{name}: {test.outcome}", test.text, test.printed]
    if machine.trouble:
        lines += [machine.trouble, machine.output]
    elif not tests:
        lines += [f"no test of {file} was run", machine.output]
    if lines:
        return Verdict("failed", "\n".join((f"kernel {machine.kernel}:", *filter(None, lines))))
    reasons = sorted({test.text for test in tests.values() if test.outcome == "skipped"})
    if all(test.outcome == "skipped" for test in tests.values()):
        return Verdict("skipped", f"kernel {machine.kernel}: {'; '.join(reasons)}")
    return Verdict("passed", "")

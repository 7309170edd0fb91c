"""A small plan, and the command in a folder of its own."""

from pathlib import Path

import pytest

from espnow.cli.main import main

#: Three stations beside a fourth; 40 ms, so that a run takes no time.
PLAN = """\
duration = "40ms"
seeds = 2

[[station]]
name = "hub"
at = [5, 5]

[[station]]
name = "leaf"
random = [10, 10]
count = 3

[[traffic]]
name = "report"
from = "leaf"
to = "hub"
size = 20
every = "10ms"

[sweep]
station.leaf.count = [1, 3]
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(text, name="plan.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Return a function that runs `espnow plan` in a folder and returns (exit code, stdout lines, stderr lines)."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        try:
            code = main(["plan", *map(str, arguments)])
        except SystemExit as error:
            code = error.code
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return command


@pytest.fixture
def plan(write) -> Path:
    """The small plan."""
    return write(PLAN)

"""What `espnow run` prints while it runs: times, and programs' lines beside the progress bar."""

import sys

import pytest

from espnow.cli import _show
from espnow.cli._printing import Printer, format_time
from espnow.lab import Lab

MINUTE, HOUR, DAY = 60, 3600, 86_400


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.000 s"),
        (1.22002, "1.220 s"),
        (119.9, "119.900 s"),
        (2 * MINUTE, "2 min 0 s"),
        (3 * MINUTE + 59.99, "3 min 59 s"),
        (2 * HOUR - 1, "119 min 59 s"),
        (2 * HOUR + 5 * MINUTE, "2 h 5 min"),
        (3 * DAY + 23 * HOUR + 59 * MINUTE, "3 d 23 h"),
    ],
)
def test_a_time_is_written_as_people_write_it(seconds, shown):
    assert format_time(round(seconds * 1_000_000)) == shown


def test_a_line_takes_the_place_of_the_progress_bar(monkeypatch, capsys):
    monkeypatch.setattr(_show, "_AFTER_S", 0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Lab(record=False) as lab:
        lab.board(code="print('short')", name="a")
        lab.board(code="", name="b")
        printer = Printer(lab, as_json=False)
        printer.progress.show(0.5, "a bar that is longer than the line")
        _, bar = capsys.readouterr()
        lab.run()
        out, err = capsys.readouterr()
    assert "####" in bar
    assert out == "a: short\n"
    assert err == "\r" + " " * (len(bar) - 1) + "\r"

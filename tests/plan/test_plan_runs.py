"""Running plans: the same whatever the processes, and after an interrupt; the command from end to end."""

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from espnow.air.kernel import Kernel
from espnow.cli import _plan_example
from espnow.plan import planfile, run
from espnow.plan.store import PART, WHOLE, write_parquet


def lines_of(folder, name=WHOLE):
    return (folder / name).read_text().splitlines()


def test_a_plan_from_end_to_end(command, plan, tmp_path):
    code, out, err = command(plan, "--workers", 1, "--html", "report.html")
    assert (code, err) == (0, [])
    assert out[0].split("  ")[0] == "count"
    assert [line.split()[:2] for line in out[1:3]] == [["1", "report"], ["3", "report"]]
    assert out[-1] == f"4 runs in {Path('plan-results', WHOLE)}"
    folder = tmp_path / "plan-results"
    records = [json.loads(line) for line in lines_of(folder)]
    assert [(record["point"], record["seed"]) for record in records] == [
        ({"station.leaf.count": count}, seed) for count in (1, 3) for seed in (1, 2)
    ]
    for record in records:
        figures = record["traffic"]["report"]
        assert 3 <= figures["messages"] <= 15
        assert 0 <= figures["delivery"] <= 1
        assert 0 < figures["load"] <= figures["load_most"] <= 1
        assert figures["latency_p50_ms"] <= figures["latency_p90_ms"] <= figures["latency_p99_ms"]
        assert len(record["map"]) == record["point"]["station.leaf.count"] + 1
        assert record["map"][0][2] is None
    with (folder / "summary.csv").open(newline="") as file:
        assert [row["station.leaf.count"] for row in csv.DictReader(file)] == ["1", "3"]
    assert "<svg" in (tmp_path / "report.html").read_text()
    assert not (folder / PART).exists()


def test_json_is_an_object_a_row(command, plan):
    code, out, _ = command(plan, "--workers", 1, "--json", "--seeds", 1)
    assert code == 0
    rows = [json.loads(line) for line in out]
    assert [row["point"] for row in rows] == [{"station.leaf.count": 1}, {"station.leaf.count": 3}]
    assert all(row["runs"] == 1 and row["delivery"][1] is None for row in rows)


def test_two_processes_give_the_same_bytes_as_one(command, plan, tmp_path):
    assert command(plan, "--workers", 1, "--out", "one")[0] == 0
    assert command(plan, "--workers", 2, "--out", "two")[0] == 0
    for name in (WHOLE, "summary.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.fixture
def interrupt_after(monkeypatch):
    """Return a function that lets Ctrl-C come in the run after so many."""

    def interrupt_after(count):
        done = 0
        once = run.run_once

        def run_once(*arguments):
            nonlocal done
            if done == count:
                raise KeyboardInterrupt
            done += 1
            return once(*arguments)

        monkeypatch.setattr(run, "run_once", run_once)

    return interrupt_after


def test_an_interrupt_leaves_what_is_done_and_resume_does_the_rest(
    command, plan, tmp_path, interrupt_after, monkeypatch
):
    command(plan, "--workers", 1, "--out", "straight")
    with monkeypatch.context():
        interrupt_after(3)
        code, out, err = command(plan, "--workers", 1, "--out", "broken")
    assert code == 130
    part = Path("broken", PART)
    assert err == [f"espnow plan: interrupted; 3 of 4 runs are in {part}, and --resume does the others"]
    assert [line.split()[:2] for line in out[1:3]] == [["1", "report"], ["3", "report"]]
    assert len(lines_of(tmp_path / "broken", PART)) == 3
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    code, _, err = command(plan, "--workers", 1, "--out", "broken")
    assert code == 2
    assert err[0].startswith(f"espnow plan: {part}: 3 runs are there, of an earlier time that was interrupted; go on ")
    assert len(lines_of(tmp_path / "broken", PART)) == 3

    # The last line was cut off, as when the power went.
    (tmp_path / part).write_bytes((tmp_path / part).read_bytes()[:-20])
    assert command(plan, "--workers", 1, "--out", "broken", "--resume")[0] == 0
    assert (tmp_path / "broken" / WHOLE).read_bytes() == (tmp_path / "straight" / WHOLE).read_bytes()
    assert not (tmp_path / part).exists()


def test_resume_uses_what_is_still_the_plan(command, plan, tmp_path, interrupt_after):
    command(plan, "--workers", 1)
    interrupt_after(2)  # one more point, with two seeds
    plan.write_text(plan.read_text().replace("[1, 3]", "[1, 2, 3]"))
    assert command(plan, "--workers", 1, "--resume")[0] == 0
    counts = [json.loads(line)["point"]["station.leaf.count"] for line in lines_of(tmp_path / "plan-results")]
    assert counts == [1, 1, 2, 2, 3, 3]


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C goes to the group of processes of a terminal")
@pytest.mark.parametrize("runs", [0, 1])
def test_ctrl_c_ends_all_processes(tmp_path, plan, runs):
    """It comes while the processes are beginning, and when one run is done and others take long."""
    plan.write_text(plan.read_text().replace("station.leaf.count = [1, 3]", 'duration = ["40ms", "5h"]'))
    process = subprocess.Popen(
        [sys.executable, "-m", "espnow", "plan", "--workers", "2", str(plan)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    part = tmp_path / "plan-results" / PART
    while process.poll() is None and not (part.exists() and part.read_text().count("\n") >= runs):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    if runs:
        assert err.splitlines()[-1].startswith("espnow plan: interrupted; ")
        assert "report" in out


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="it looks for processes as Linux lists them")
def test_no_process_is_left_when_the_first_one_is_killed(tmp_path, plan):
    plan.write_text(plan.read_text().replace("station.leaf.count = [1, 3]", 'duration = ["40ms", "50h"]'))
    process = subprocess.Popen(
        [sys.executable, "-m", "espnow", "plan", "--workers", "2", str(plan)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def alive():
        return [path for path in Path("/proc").glob("[0-9]*/cwd") if is_here(path)]

    def is_here(path):
        try:
            return path.readlink() == tmp_path
        except OSError:
            return False

    part = tmp_path / "plan-results" / PART
    deadline = time.monotonic() + 30
    while not (part.exists() and part.read_text().count("\n") >= 1) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(alive()) >= 3
    process.kill()
    process.wait()
    while alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive() == []


def test_a_bar_shows_how_much_is_done(plan):
    shown = []
    work = run.work_of(planfile.read(plan))
    assert len(list(run.execute(work, 1, shown.append))) == 4
    assert shown == sorted(shown)
    assert shown[-1] == pytest.approx(1)
    # Three stations count three times as much as one.
    assert shown[len(shown) // 2 - 1] == pytest.approx(0.25)


def test_closing_ends_what_runs(plan):
    results = run.execute(run.work_of(planfile.read(plan)), 2)
    next(results)
    results.close()
    assert list(results) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name a PLAN.toml, or begin with --example"),
        (["none.toml"], "none.toml: No such file or directory"),
        (["plan.toml", "--seeds", "0"], "--seeds: 0 is no whole number from 1 to 10000"),
        (["plan.toml", "--workers", "many"], "--workers: many is no whole number from 1 to 1024"),
        (["plan.toml", "--out", "plan.toml"], "plan.toml: "),
        (["plan.toml", "--example", "field"], "--example writes a plan, and runs none"),
        (["--example", "feild"], "there is no example feild; did you mean field? There are alarm, battery, "),
    ],
)
def test_a_mistake_is_one_line_and_code_2(command, plan, arguments, told):
    code, out, err = command(*arguments)
    assert (code, out, len(err)) == (2, [], 1)
    assert err[0].startswith(f"espnow plan: {told}")


def test_the_examples_are_listed_and_written(command, tmp_path):
    code, out, _ = command("--example")
    assert code == 0
    assert [line.split()[0] for line in out[: len(_plan_example.names())]] == _plan_example.names()
    code, out, _ = command("--example", "field")
    assert (code, out) == (0, ["wrote field.toml", "", "espnow plan field.toml"])
    assert command("--example", "field")[0] == 2
    assert planfile.read("field.toml").points


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="it is there")
def test_parquet_names_what_to_install(command, plan):
    code, _, err = command(plan, "--workers", 1, "--parquet")
    assert (code, err) == (2, ["espnow plan: --parquet needs pyarrow: pip install 'espnow[plan]'"])


def test_parquet_is_a_line_for_each_run(command, plan, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert command(plan, "--workers", 1, "--parquet")[0] == 0
    rows = parquet.read_table(tmp_path / "plan-results" / "runs.parquet").to_pylist()
    assert [(row["station.leaf.count"], row["seed"]) for row in rows] == [(1, 1), (1, 2), (3, 1), (3, 2)]
    assert all(row["traffic"] == "report" and row["messages"] for row in rows)


def test_a_column_of_parquet_is_of_text_where_a_value_is(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    records = [{"point": {"a": a, "b": b}, "seed": 1, "traffic": {"t": {"x": 1}}} for a, b in [(1, 1), ("1s", 2.5)]]
    write_parquet(tmp_path / "runs.parquet", records)
    rows = parquet.read_table(tmp_path / "runs.parquet").to_pylist()
    assert [(row["a"], row["b"]) for row in rows] == [("1", 1.0), ("1s", 2.5)]


# What the kernel counts for plans.


def kernel_of_two(channel=1):
    """Return a kernel of two stations, the first of which sends one message of 1 ms to the other after 100 us."""
    kernel = Kernel(2, 2, 1, 1, (20, 10, 50, 364, 222, 5, 31, 1023, 4), 1e-10, 1e-9, 2.5, 0.0)
    kernel.set_row(0, [1], [1e-6], [0])
    kernel.set_row(1, [0], [1e-6], [0])
    kernel.set_station(0, 1, 100.0, 7)
    kernel.set_station(1, channel, 100.0, 7)
    kernel.set_rate(0, 0, 304, 192, 1.0, 0.0, 1e-9, 0, [0.0] * 480)
    kernel.set_stream(0, 0, 0, 1e9, 0.0, 1, 0, 1000)
    kernel.start_stream(0, 100)
    return kernel


def test_the_kernel_counts_latencies_and_how_long_a_station_senses_others():
    kernel = kernel_of_two()
    kernel.count_latencies(1)
    kernel.set_group(0, 0)
    kernel.run(1_000_000)
    assert kernel.station_totals(0) == (1000, 304, 1)
    assert kernel.station_totals(1) == (304, 1000, 1)
    (taken,) = (us for us in (kernel.totals(0)[8],))
    counts = kernel.latency_counts(0)
    assert sum(counts) == 1
    step = counts.index(1)
    assert 10 ** (step / 64) <= taken + 1 < 10 ** ((step + 1) / 64)


def test_the_kernel_tells_who_is_in_reach():
    kernel = kernel_of_two()
    assert kernel.hearers(0, 0) == 1
    kernel.set_station(0, 1, 1e-5, 7)
    assert kernel.hearers(0, 0) == 0
    assert kernel_of_two(channel=6).hearers(0, 0) == 0


@pytest.mark.parametrize("place", ["missing/report.html", "."])
def test_a_report_that_cannot_be_written_is_told_before_anything_runs(command, plan, tmp_path, place):
    code, out, err = command(plan, "--workers", 1, "--html", place)
    assert (code, out) == (2, [])
    assert err == [f"espnow plan: --html: {place} is no file in a folder that is there"]
    assert not (tmp_path / "plan-results").exists()

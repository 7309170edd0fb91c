"""``espnow plan``: many stations without programs, repeated over seeds and swept over parameters."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from espnow.cli import _plan_example
from espnow.cli._options import whole_number
from espnow.cli._show import Progress, counted, table
from espnow.errors import UserError
from espnow.frame.text import printable

__all__ = ["add_parser"]

#: Figures, those first that a narrow terminal shows.
_WANTED = (
    *("delivery", "latency_ms", "latency_p99_ms", "answered", "round_trip_ms", "last_ms", "load", "retries"),
    *("fairness", "acknowledged", "latency_p50_ms", "round_trip_p99_ms", "throughput_kbit_s", "dropped"),
    *("latency_p90_ms", "load_most"),
)
_WANTED_OF_ENERGY = (
    *("current_ma", "mah_per_day", "battery_days", "battery_days_least", "transmit_share", "receive_share"),
    *("boot_share", "between_share", "board_share"),
)

_EPILOG = """\
PLAN.toml says which stations there are and where, what they send, and how signals travel. Each point of its [sweep] is
run with several seeds, on all processors, or with --dask on a cluster. The results are the same to the bit, wherever
and in how many processes they are computed.

The folder of results has runs.jsonl, a line for each run, and summary.csv (and energy.csv, where the plan names chips),
with means and 95 % intervals. A plan that was interrupted goes on with --resume, which also uses the runs of an earlier
time that are still what the plan says.

Exit code: 0; 2 for a mistake in the plan or this command; 130 after Ctrl-C.

examples:
  espnow plan --example field && espnow plan field.toml
  espnow plan --seeds 10 --html report.html field.toml
  espnow plan --resume field.toml
  espnow plan --dask tcp://10.0.0.5:8786 field.toml
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "plan",
        help="foretell what many stations do, from a plan file",
        description="Run a plan: many stations without programs on one air, repeated and swept.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="espnow plan [options] PLAN.toml",
    )
    parser.add_argument("plan", nargs="?", metavar="PLAN.toml", help="the plan file")
    parser.add_argument("--out", metavar="DIR", help="folder of results (default: PLAN-results)")
    parser.add_argument("--seeds", metavar="N", help="runs of each point (default: what the plan says, or 3)")
    parser.add_argument("--workers", metavar="N", help="processes at once (default: one for each processor)")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on the Dask cluster whose scheduler is there")
    parser.add_argument("--resume", action="store_true", help="keep runs that are there already, and do the others")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line instead of the table")
    parser.add_argument("--html", metavar="FILE", help="write a report with plots and a map, in one file")
    parser.add_argument("--parquet", action="store_true", help="write runs.parquet, too; needs pyarrow")
    parser.add_argument(
        "--example",
        nargs="?",
        const="",
        metavar="NAME",
        help="write a commented plan into this folder; without NAME, list what there is",
    )
    parser.set_defaults(function=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.example is not None:
        if arguments.plan is not None:
            raise UserError("--example writes a plan, and runs none; leave PLAN.toml away")
        return _plan_example.write(arguments.example) if arguments.example else _plan_example.list_all()
    if arguments.plan is None:
        raise UserError("name a PLAN.toml, or begin with --example; see espnow plan --help")
    # Not before: --help and a mistake in the command need no kernel.
    from espnow import plan as plans
    from espnow.plan import run, store

    plan = plans.read(arguments.plan)
    seeds = None if arguments.seeds is None else whole_number("--seeds", arguments.seeds, 1, 10_000)
    workers = _processors() if arguments.workers is None else whole_number("--workers", arguments.workers, 1, 1024)
    if arguments.dask is not None and arguments.workers is not None:
        raise UserError("--workers is for this computer, and a cluster has its own: leave it away with --dask")
    work = run.work_of(plan, seeds)
    if arguments.parquet:
        store.parquet_modules()  # what is missing is told before anything is computed
    if arguments.html is not None and (Path(arguments.html).is_dir() or not Path(arguments.html).parent.is_dir()):
        raise UserError(f"--html: {printable(arguments.html)} is no file in a folder that is there")
    client, execute = (None, run.execute) if arguments.dask is None else _cluster(arguments.dask)
    folder = Path(arguments.out or f"{plan.path.stem}-results")
    with closing(client) if client else nullcontext(), closing(store.Store(folder, resume=arguments.resume)) as kept:
        todo = [each for each in work if each.key not in kept.records]
        interrupted = not _execute(
            partial(execute, todo, client or workers), len(todo), kept, printable(arguments.plan)
        )
    keys = [each.key for each in work if each.key in kept.records]
    if not interrupted:
        kept.finish(keys)
    records = [kept.records[key] for key in keys]
    if records:
        _tell(plan, records, folder, arguments)
    if interrupted:
        print(
            f"espnow plan: interrupted; {len(keys)} of {counted(len(work), 'run')} are in {printable(str(kept.part))}, "
            "and --resume does the others",
            file=sys.stderr,
        )
        return 130
    if not arguments.json:
        print(f"\n{counted(len(work), 'run')} in {printable(str(kept.whole))}")
    return 0


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cluster(address: str) -> tuple[Any, Any]:
    """Return a client of a cluster, and what runs a plan there."""
    from espnow.plan import cluster

    return cluster.connect(address), cluster.execute


def _execute(execute: Any, count: int, kept: Any, name: str) -> bool:
    """Do so many runs, keep what comes of them, and return whether it was not interrupted."""
    bar = Progress()
    done = 0

    def progress(share: float) -> None:
        bar.show(share, f"{done} of {counted(count, 'run')}")

    try:
        with closing(execute(progress)) as records:
            for record in records:
                kept.add(record)
                done += 1
    except KeyboardInterrupt:
        return False
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    finally:
        bar.clear()
    return True


def _tell(plan: Any, records: Sequence[Any], folder: Path, arguments: argparse.Namespace) -> None:
    """Write the tables and the report, and print what came of it."""
    from espnow.plan import results, store

    rows = results.summarise(records)
    energy = results.summarise(records, "energy", results.ENERGY)
    store.write_csv(folder / "summary.csv", rows)
    store.write_csv(folder / "energy.csv", energy, results.ENERGY, "group")
    if arguments.parquet:
        store.write_parquet(folder / "runs.parquet", records)
        store.write_parquet(folder / "energy.parquet", records, "energy")
    if arguments.html is not None:
        from espnow.plan import report

        report.write(Path(arguments.html), plan, records, rows, energy)
    if arguments.json:
        _print_json(rows, results.METRICS, "traffic")
        _print_json(energy, results.ENERGY, "group")
        return
    _print_table(rows, results.METRICS, "traffic", _WANTED)
    if energy:
        print()
        _print_table(energy, results.ENERGY, "group", _WANTED_OF_ENERGY)


def _print_json(rows: Sequence[Any], metrics: Sequence[Any], named: str) -> None:
    for row in rows:
        figures = {
            metric.name: None if (found := row.figures[metric.name]) is None else [found.mean, found.half]
            for metric in metrics
        }
        print(json.dumps({"point": dict(row.values), named: row.name, "runs": row.runs, **figures}))


def _print_table(rows: Sequence[Any], metrics: Sequence[Any], named: str, most_wanted: Sequence[str]) -> None:
    """Print a table; where it does not fit, what is wanted least is left away first."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    shown = [name for name in most_wanted if any(row.figures[name] is not None for row in rows)]
    lines: list[str] = []
    for count in range(len(shown), 0, -1):
        wanted = shown[:count]
        lines = _table(rows, [metric for metric in metrics if metric.name in wanted], named)
        if len(max(lines, key=len)) <= width:
            break
    print("\n".join(lines))


def _table(rows: Sequence[Any], metrics: Sequence[Any], named: str) -> list[str]:
    from espnow.plan.results import value_text

    keys = [_short(key, [other for other, _ in rows[0].values]) for key, _ in rows[0].values]
    head = [*keys, named, *(f"{metric.title} {metric.unit}".strip() for metric in metrics)]
    cells = [
        [
            *(value_text(value) for _, value in row.values),
            row.name,
            *(_figure(row.figures[metric.name], metric) for metric in metrics),
        ]
        for row in rows
    ]
    numeric = [
        number for number, _ in enumerate(keys) if all(isinstance(row.values[number][1], (int, float)) for row in rows)
    ]
    return table([head, *cells], [*numeric, *range(len(keys) + 1, len(head))])


def _short(key: str, keys: Sequence[str]) -> str:
    """Return the last word of a key, or all of it if that is another's, too."""
    last = key.rpartition(".")[2]
    return key if [other.rpartition(".")[2] for other in keys].count(last) > 1 else last


def _figure(found: Any, metric: Any) -> str:
    if found is None:
        return "-"
    mean = f"{found.mean * metric.scale:.{metric.digits}f}"
    return mean if found.half is None else f"{mean} ±{found.half * metric.scale:.{metric.digits}f}"

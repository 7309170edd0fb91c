"""Files of results: a line of JSON for each run as soon as it is done, so that an interrupt loses none; and tables.

Rules:

- While a plan runs, its results are in a file of the name `PART`, in the order in which they came. A last line that was
  cut off is taken as not written.
- When all are there, they are in `WHOLE`, in the plan's order: the same bytes however they came about.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.plan.results import METRICS, Metric, Row, value_text

__all__ = ["PART", "WHOLE", "Store", "parquet_modules", "write_csv", "write_parquet"]

PART = "runs.part.jsonl"
WHOLE = "runs.jsonl"


class Store:
    """The runs of a plan in a folder.

    Attributes:
        records: what is there, by the keys of the runs.
        part: the file that grows.
        whole: the file that is there in the end.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        """Take the folder.

        Args:
            folder: it is made if it is not there.
            resume: keep what an earlier time left.

        Raises:
            UserError: it cannot be written to; or an earlier time was interrupted, and that is not to be resumed.
        """
        self.part, self.whole = folder / PART, folder / WHOLE
        self.records: dict[str, dict[str, Any]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if resume:
                for path in (self.whole, self.part):
                    self.records |= _read(path)
            elif count := len(_read(self.part)):
                raise UserError(
                    f"{printable(str(self.part))}: {count} runs are there, of an earlier time that was interrupted; "
                    "go on with --resume, or take another --out, or delete it"
                )
            _replace(self.part, self.records.values())  # so that no half a line is in it
            self._file = self.part.open("a", encoding="utf-8")
        except OSError as error:
            raise _cannot(folder, error) from None

    def add(self, record: dict[str, Any]) -> None:
        """Write what came of a run; it is in the file when this returns.

        Raises:
            UserError: it cannot be written.
        """
        try:
            self._file.write(_line(record))
            self._file.flush()
        except OSError as error:
            raise _cannot(self.part, error) from None
        self.records[record["run"]] = record

    def close(self) -> None:
        """Write no more."""
        try:
            self._file.close()
        except OSError:  # what `add` could not write either
            pass

    def finish(self, keys: Iterable[str]) -> None:
        """Put the runs with these keys into the whole file, in this order.

        Raises:
            UserError: it cannot be written.
        """
        self.close()
        try:
            _replace(self.whole, (self.records[key] for key in keys))
            self.part.unlink()
        except OSError as error:
            raise _cannot(self.whole, error) from None


def _replace(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records into a file; until all are written, what was there before stays."""
    begun = path.with_suffix(".new")
    with begun.open("w", encoding="utf-8") as file:
        file.writelines(map(_line, records))
    begun.replace(path)


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _read(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return found
    for line in path.read_bytes().splitlines():
        try:
            record = json.loads(line)
            found[record["run"]] = record
        except (ValueError, KeyError, TypeError):  # it was cut off
            continue
    return found


def _cannot(path: Path, error: OSError) -> UserError:
    return UserError(f"{printable(str(path))}: {error.strerror}")


def write_csv(path: Path, rows: Sequence[Row], metrics: Sequence[Metric] = METRICS, named: str = "traffic") -> None:
    """Write a summary, a line for each row: the mean of each figure, and half its interval; no file without rows.

    Args:
        path: where to; what was there of an earlier time goes.
        rows: points, and their traffic or groups.
        metrics: the figures that they have.
        named: the column of the names of the rows.

    Raises:
        UserError: it cannot be written.
    """
    keys = [key for key, _ in rows[0].values] if rows else []
    head = [*keys, named, "runs", *(f"{metric.name}{end}" for metric in metrics for end in ("", "_half"))]
    try:
        if not rows:
            path.unlink(missing_ok=True)
            return
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(head)
            for row in rows:
                cells: list[Any] = [*(value_text(value) for _, value in row.values), row.name, row.runs]
                for metric in metrics:
                    found = row.figures[metric.name]
                    cells += ["", ""] if found is None else [_cell(found.mean), _cell(found.half)]
                writer.writerow(cells)
    except OSError as error:
        raise _cannot(path, error) from None


def _cell(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"


def parquet_modules() -> tuple[Any, Any]:
    """Return pyarrow and what it has for Parquet.

    Raises:
        UserError: it is missing; the text says how to get it.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise UserError("--parquet needs pyarrow: pip install 'espnow[plan]'") from None


def write_parquet(path: Path, records: Iterable[Mapping[str, Any]], part: str = "traffic") -> None:
    """Write a line for each run and traffic, or each run and group; no file where there is nothing of it.

    Args:
        path: where to; what was there of an earlier time goes.
        records: of the runs.
        part: of a record: ``traffic``, or ``energy``.

    Raises:
        UserError: pyarrow is missing, or it cannot be written.
    """
    pyarrow, parquet = parquet_modules()
    records = list(records)
    # A column has one type: that of numbers where all are some.
    numbers = {
        key
        for key in (records[0]["point"] if records else {})
        if all(isinstance(record["point"][key], (int, float)) for record in records)
    }
    rows = []
    for record in records:
        point = {key: float(value) if key in numbers else value_text(value) for key, value in record["point"].items()}
        for name, figures in record[part].items():
            rows.append({**point, "seed": record["seed"], "group" if part == "energy" else part: name, **figures})
    try:
        if not rows:
            path.unlink(missing_ok=True)
            return
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    except OSError as error:
        raise _cannot(path, error) from None

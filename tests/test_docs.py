"""The documentation is held against the code: its examples run, its tables say what the code says."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import espnow.lab
import espnow.testing
from espnow import frame
from espnow.air import AirTiming
from espnow.air.scene import Place
from espnow.api import API_MODULES
from espnow.board import PROFILES, WifiTiming
from espnow.board.accesspoint import ApTiming
from espnow.capture import Dissector, PairSummary
from espnow.cli._frames import as_json
from espnow.cli._summary import columns_of, pair_json
from espnow.cli.main import main
from espnow.errors import EspNowCode
from espnow.lab import Lab
from espnow.micropython import BUILDERS, FALLBACKS, STDLIB_ALLOWED
from espnow.testing import Bench

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: What the line before a block may say of it.
NOT_RUN = "<!-- not run -->"
ON_A_BOARD = "<!-- on a board -->"
FAILS = "<!-- fails, and tells what follows -->"
ALONE = "<!-- alone on a board, prints what follows -->"


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    mark: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.name}:{self.line}"


def python_blocks() -> Iterator[Block]:
    for page in PAGES:
        lines = page.read_text().splitlines()
        start = None
        for number, line in enumerate(lines):
            if start is None and line == "```python":
                start = number
            elif start is not None and line == "```":
                before = [text for text in lines[:start] if text.strip()]
                yield Block(page, start + 2, before[-1] if before else "", "\n".join(lines[start + 1 : number]) + "\n")
                start = None
        assert start is None, f"{page.name}: a block that does not end"


BLOCKS = [block for block in python_blocks() if block.mark != NOT_RUN]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the two programs that the examples use."""
    for name in ("receiver.py", "sender.py"):
        shutil.copy(ROOT / "examples" / "hello" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_block_runs(block: Block, folder: Path) -> None:
    if block.mark == ON_A_BOARD:
        run_on_a_board(block)
    elif block.mark == ALONE:
        run_alone(block)
    elif block.mark == FAILS:
        told = run_with_pytest(block, folder, 1).splitlines()
        for line in block_after(block):
            assert line in told
            del told[: told.index(line) + 1]
    elif re.search(r"^def test_", block.text, re.MULTILINE):
        run_with_pytest(block, folder, 0)
    else:
        code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec", dont_inherit=True)
        exec(code, {"__name__": "__docs__"})


def block_after(block: Block) -> list[str]:
    """Return the lines of the text that follows a block."""
    lines = block.page.read_text().splitlines()
    after = lines[block.line - 1 + block.text.count("\n") + 1 :]
    assert after[:2] == ["", "```text"]
    return after[2 : after.index("```")]


def run_with_pytest(block: Block, folder: Path, code: int) -> str:
    """Run a block as a test file, and return what pytest prints."""
    path = folder / "test_block.py"
    path.write_text(block.text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"})
    assert run.returncode == code, run.stdout + run.stderr
    return run.stdout


def run_on_a_board(block: Block) -> None:
    """Run a program for a board beside another one that sends to it and acknowledges."""
    talk = """
import espnow, network, time
network.WLAN(0).active(True)
radio = espnow.ESPNow()
radio.active(True)
radio.add_peer(PEER)
for number in range(3):
    time.sleep_ms(100)
    assert radio.send(PEER, str(number))
"""
    with Lab() as lab:
        board = lab.board(code=block.text)
        other = lab.board(code=f"PEER = {board.mac!r}\n{talk}")
        lab.run(for_ms=1_000)
        assert board.error is None, board.output
        assert other.error is None, other.output


def run_alone(block: Block) -> None:
    """Run a program on a board, and compare what it prints with the block that follows it."""
    with Lab() as lab:
        board = lab.board(code=block.text)
        lab.run(for_ms=1_000)
        assert board.error is None, board.output
        assert board.lines == block_after(block)


def shown_runs() -> Iterator[tuple[str, str]]:
    """Yield each command of the pages that stands with what it prints, and the page's name."""
    for page in PAGES:
        for block in re.findall(r"^```(?:text)?\n(\$ espnow .*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            yield page.name, block


@pytest.mark.parametrize(("page", "block"), list(shown_runs()))
def test_a_run_that_is_shown_prints_that(page: str, block: str) -> None:
    command, *shown = block.splitlines()
    arguments = shlex.split(command.removeprefix("$ espnow "))
    run = subprocess.run(
        [sys.executable, "-m", "espnow", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    printed = run.stdout.splitlines()
    for line in shown:
        left_out = re.fullmatch(r"  \.\.\. (\d+) more \.\.\.", line)
        if left_out is not None:
            del printed[: int(left_out[1])]
        else:
            assert printed.pop(0) == line
    assert printed == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in PAGES[1:]:
        assert f": {page.name}\n" in navigation


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if not re.match(r"https?:|#", target):
                assert (page.parent / target.partition("#")[0]).exists(), f"{page.name}: {target}"


def options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*|-[a-z])(?![\w-])", text))


@pytest.mark.parametrize(("command", "name"), [("run", "lab.md"), ("decode", "decode.md"), ("plan", "plan.md")])
def test_the_options_are_those_of_the_command(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  -")]
    in_help = options("\n".join(line[:20] for line in listed))
    page = (ROOT / "docs" / name).read_text()
    assert options("\n".join(row[0] for row in table(name, "option"))) == in_help
    assert options(" ".join(re.findall(r"`[^`\n]+`", page))) <= in_help


def test_the_table_of_oddities_is_complete() -> None:
    header = frame.parse(frame.build(bytes(6), bytes(6), b"x", seq=0, random_value=0))
    told = {"no": True, "yes": False, "yes, assumed": False, "nobody can tell": None}
    rows = {row[0].strip("`"): told[row[2]] for row in table("decode.md", "name in JSON")}
    assert rows == {oddity.name.lower(): frame.Examined(header, (oddity,)).accepted for oddity in frame.Oddity}


def test_the_keys_of_a_json_line_are_documented() -> None:
    mpdu = frame.build(bytes(6), bytes(6), b"x", seq=0, random_value=0)
    header = frame.radiotap.parse(frame.radiotap.build(tx_flags=0))
    captured = Dissector().examine(mpdu, header)
    assert captured is not None
    documented = {name for row in table("decode.md", "key") for name in re.findall(r"`(\w+)`", row[0])}
    assert documented == set(as_json(captured))


def test_the_keys_of_a_json_summary_are_documented() -> None:
    documented = {name for row in table("decode.md", "key of a pair") for name in re.findall(r"`(\w+)`", row[0])}
    assert documented == set(pair_json(PairSummary(None, bytes(6), bytes(6))))


def test_the_columns_of_the_summary_are_documented() -> None:
    pair = PairSummary(None, bytes(6), bytes(6))
    pair.acknowledged = pair.encrypted = pair.unopened = pair.restarts = 1
    pair.dropped = pair.replayed = pair.duplicates = 1
    documented = [name.strip() for row in table("decode.md", "column") for name in row[0].split(",")]
    assert [column.head for column in columns_of([pair])][2:] == documented


def test_public_names_are_documented() -> None:
    prose = "\n".join(page.read_text() for page in PAGES)
    for module in (espnow.lab, espnow.testing):
        for name in module.__all__:
            assert re.search(rf"\b{name}\b", prose), f"{module.__name__}.{name}"


def table(page: str, first_header: str) -> list[list[str]]:
    """Return the rows of the tables of a page whose first header is this one."""
    rows: list[list[str]] = []
    inside = False
    for line in (ROOT / "docs" / page).read_text().splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if inside:
            rows.append(cells)
        inside = inside or cells[0] == first_header
    found = [row for row in rows if set(row[0]) != {"-"}]
    assert found, f"{page} has no table that begins with {first_header!r}"
    return found


UNITS = {"µs": 1, "ms": 1_000, "s": 1_000_000}

FIGURES = [row for row in table("model.md", "what") if len(row) == 5]


def evaluate(expression: str) -> Any:
    """Evaluate an expression of dotted names below espnow."""
    for dotted in re.findall(r"espnow(?:\.\w+)+", expression):
        parts = dotted.split(".")
        for length in range(2, len(parts) + 1):
            try:
                importlib.import_module(".".join(parts[:length]))
            except ModuleNotFoundError:
                break
    return eval(expression, {"espnow": espnow})


@pytest.mark.parametrize("row", FIGURES, ids=lambda row: row[0])
def test_assumed_figure_is_that_of_the_code(row: list[str]) -> None:
    _, value, name, sure, settable = row
    found = re.fullmatch(r"(-?[\d.]+(?:, -?[\d.]+)*)(?: (\S+))?", value)
    assert found is not None, value
    scale = UNITS.get(found[2], 1)
    documented = [float(number) * scale for number in found[1].split(", ")]
    actual = evaluate(name.strip("`"))
    assert documented == (actual if isinstance(actual, list) else [actual])
    assert sure
    assert settable


def assumed_constants() -> Iterator[str]:
    """Yield each constant of the code whose comment says that it is assumed."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        comment = ""
        for line in path.read_text().splitlines():
            constant = re.match(r"(_?[A-Z][A-Z0-9_]*)(?:: \w+)? = [(\d-]", line)
            if constant is not None and re.search(r"\bAssumed[.:;]|size is assumed", comment):
                yield f"{module}.{constant[1]}"
            if line.startswith("#:"):
                comment += line.removeprefix("#:")
            elif constant is None:
                comment = ""


def test_every_figure_that_is_assumed_says_so_in_the_documentation() -> None:
    held = " ".join(row[2] for row in FIGURES)
    constants = list(assumed_constants())
    assert len(constants) > 20
    assert [name for name in constants if not re.search(rf"\b{re.escape(name)}\b", held)] == []
    for timing in (AirTiming, WifiTiming, ApTiming):
        names = {field.name for field in dataclasses.fields(timing)}
        assert names <= set(re.findall(rf"\b{timing.__name__}\(\)\.(\w+)", held)), timing.__name__


EXCEPTIONS = table("api.md", "call")
CLASSES = (OSError, ValueError, TypeError, RuntimeError)


@pytest.mark.parametrize("row", EXCEPTIONS, ids=lambda row: row[0].strip("`"))
def test_exception_is_that_of_the_table(row: list[str]) -> None:
    call, classes, arguments = row
    bench = Bench()
    radio = bench.start()
    names = {
        "radio": radio,
        "link": bench.link,
        "network": bench.network,
        "wlan": bench.network.WLAN(0),
        "PEER": bytes.fromhex("240ac4000001"),
        "STRANGER": bytes.fromhex("240ac4000002"),
        "BROADCAST": b"\xff" * 6,
        "KEY": b"lmk1234567890123",
    }
    radio.add_peer(names["PEER"])
    *before, last = call.strip("`").split("; ")
    for statement in before:
        exec(statement, names)
    with pytest.raises(CLASSES) as caught:
        exec(last, names)
    assert {kind.__name__ for kind in CLASSES if isinstance(caught.value, kind)} == set(re.findall(r"\w+", classes))
    assert caught.value.args == ast.literal_eval(arguments.strip("`"))


@pytest.mark.parametrize("profile", PROFILES)
def test_names_by_profile(profile: str) -> None:
    bench = Bench(profile)
    column = 1 + list(PROFILES).index(profile)
    documented = set()
    for row in table("api.md", "name") + table("api.md", "constant"):
        if not re.fullmatch(r"`\w+(\.\w+)+`", row[0]):
            continue
        module, *path = row[0].strip("`").split(".")
        value = bench.module(module)
        for part in path:
            value = getattr(value, part, None)
        assert (value is not None) == (row[column] != "-"), row[0]
        if isinstance(value, int):
            assert str(value) == row[column], row[0]
        documented.add(row[0].strip("`"))
    for module, name in (("espnow", "ESPNow"), ("aioespnow", "AIOESPNow"), ("network", "WLAN")):
        for member in dir(getattr(bench.module(module), name)):
            public = not member.startswith("_") and not member.isupper() and member != "poll_events"
            if public and not (name == "AIOESPNow" and hasattr(bench.espnow.ESPNow, member)):
                assert f"{module}.{name}.{member}" in documented
    for name in vars(bench.espnow):
        if name.isupper():
            assert f"espnow.{name}" in documented


def test_codes() -> None:
    rows = {row[0].strip("`"): row[1:] for row in table("api.md", "code")}
    assert {name: numbers[0] for name, numbers in rows.items()} == {code.name: str(-code) for code in EspNowCode}
    assert [int(numbers[1]) for numbers in rows.values()] == list(range(869, 869 + len(rows)))
    with pytest.raises(OSError) as caught:
        Bench("esp8266").espnow.ESPNow().any()
    assert caught.value.args == (869,)


def test_modules_that_a_program_finds() -> None:
    page = (ROOT / "docs" / "modules.md").read_text()
    section = page.partition("## Which there are\n")[2].partition("\nOf CPython's")[0]
    found = API_MODULES | BUILDERS.keys() | FALLBACKS.keys() | STDLIB_ALLOWED
    assert set(re.findall(r"`([\w.]+)`", section)) == found


@pytest.mark.parametrize("row", table("modules.md", "module of data"), ids=lambda row: row[0].strip("`"))
def test_names_of_a_module_of_data(row: list[str]) -> None:
    names = vars(Bench().module(row[0].strip("`")))
    assert set(re.findall(r"`(\w+)`", row[1])) == {name for name in names if not name.startswith("_")}


def test_what_a_lab_takes_and_has_is_in_its_tables() -> None:
    def names(first_header: str) -> set[str]:
        cells = " ".join(row[0] for row in table("lab.md", first_header))
        return {word for part in re.findall(r"`([^`]+)`", cells) for word in re.findall(r"^(?:Lab\.)?(\w+)", part)}

    def options_of(function: Any) -> set[str]:
        return set(inspect.signature(function).parameters) - {"self"}

    def members_of(thing: object) -> set[str]:
        return {name for name in dir(thing) if not name.startswith("_")}

    assert names("`Lab(...)`") == options_of(Lab)
    assert names("`lab.board(...)`") == options_of(Lab.board)
    assert names("`lab.crowd(...)`") == options_of(Lab.crowd)
    with Lab() as lab:
        board = lab.board(code="")
        crowd = lab.crowd([Place((0.0, 0.0))])
        assert names("`Crowd`") - {"len"} == members_of(crowd) - {"addresses", "frame", "number_of"}
        inner = {"air", "boot_us", "chance", "check_explainer", "clock", "explainer", "record", "run_clock", "wifi"}
        assert names("member") == members_of(lab) - inner
        assert names("member of `LabBoard`") == members_of(board) - {"console", "ports"}

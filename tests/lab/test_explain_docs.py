"""The page about --explain is held against the code: what its examples print, and its tables."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from espnow.errors import EspNowCode
from espnow.lab.explain import Loss, LossReason, Report
from espnow.lab.explain_text import describe_error, words

PAGE = (Path(__file__).parents[2] / "docs" / "explain.md").read_text()
EXAMPLES = re.findall(r"\n## ([^\n]*)\n(?:(?!\n## ).)*?\n```python\n(.*?)```\n\n```text\n(.*?)```\n", PAGE, re.DOTALL)


def rows(first_header):
    table = PAGE.partition(f"\n| {first_header} |")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]
    assert cells
    return cells


@pytest.mark.parametrize(("title", "code", "output"), EXAMPLES, ids=[title for title, *_ in EXAMPLES])
def test_an_example_prints_what_the_page_says(title, code, output, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, title, "exec", dont_inherit=True), {"__name__": "__docs__"})
    assert printed.getvalue() == output


def test_there_are_ten_examples():
    assert [title.partition(".")[0] for title, *_ in EXAMPLES] == [str(number) for number in range(1, 11)]


def test_every_reason_is_on_the_page():
    shown = {row[0].strip("`"): row[1:] for row in rows("reason")}
    assert shown.keys() == {reason.value for reason in LossReason}
    for reason in LossReason:
        sentence, advice = shown[reason.value]
        title, _, expected = words(reason)
        assert sentence.startswith(f"{title}: ")
        assert advice.replace("\\|", "|") == expected


def test_every_error_is_on_the_page():
    shown = {row[0]: row[1] for row in rows("error")}
    assert shown == {f"`{code.esp_name}`, {-code}": describe_error(-code) for code in EspNowCode}


def test_the_members_are_on_the_page():
    def names(header):
        return {name for row in rows(header) for name in re.findall(r"`(?:report\.)?(\w+)(?:\([^`]*\))?`", row[0])}

    assert set(Loss.__dataclass_fields__) == names("`Loss`")
    public = {name for name in (*vars(Report), "counts", "sent", "notes") if not name.startswith("_")}
    assert public <= set(re.findall(r"\w+", " ".join(row[0] + row[1] for row in rows("`Report`"))))


def test_the_objects_of_json_are_those_of_the_command(tmp_path, monkeypatch, capsys):
    from espnow.cli.main import main

    monkeypatch.chdir(tmp_path)
    Path("sensor.py").write_text("import espnow\ntry:\n    espnow.ESPNow().send(b'x')\nexcept OSError:\n    pass\n")
    main(["run", "--for", "1s", "--json", "--quiet", "--explain", "sensor.py"])
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    shown = [json.loads(line) for line in PAGE.partition("```json\n")[2].partition("```")[0].splitlines()]

    (loss, total), (shown_loss, shown_total) = printed, shown
    assert (loss.keys(), loss["lost"].keys()) == (shown_loss.keys(), shown_loss["lost"].keys())
    assert (total.keys(), total["explain"].keys()) == (shown_total.keys(), shown_total["explain"].keys())

"""Where the dissector goes, what it writes over, and that its page tells every filter that it has."""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from espnow.capture.wireshark import install, plugin_directory
from espnow.errors import UserError

LUA = files("espnow.capture").joinpath("espnow.lua").read_bytes()
PAGE = Path(__file__).parents[3] / "docs" / "wireshark.md"


def test_missing_directories_are_made(tmp_path: Path) -> None:
    path = install(tmp_path / "lib" / "wireshark" / "plugins")
    assert path == tmp_path / "lib" / "wireshark" / "plugins" / "espnow.lua"
    assert path.read_bytes() == LUA
    assert [entry.name for entry in path.parent.iterdir()] == ["espnow.lua"]


def test_our_own_file_is_replaced_whatever_its_release(tmp_path: Path) -> None:
    first, _, rest = LUA.partition(b"\n")
    path = tmp_path / "espnow.lua"
    path.write_bytes(first + b" Of another release.\n" + rest + b"-- more\n")
    assert install(tmp_path) == path
    assert path.read_bytes() == LUA
    install(tmp_path)
    assert path.read_bytes() == LUA


@pytest.mark.parametrize("content", [b"", b"-- espnow.lua\n", b"\n" + LUA, b"\xff\xfe"], ids=repr)
def test_the_file_of_somebody_else_stays(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "espnow.lua"
    path.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(f"{path} is not a file of this package")):
        install(tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("below", ["file", "file/plugins"])
def test_a_file_is_no_directory(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"^cannot write .*espnow\.lua: \w[^\n]+$"):
        install(tmp_path / below)


def test_a_directory_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "espnow.lua").mkdir()
    with pytest.raises(UserError, match=r"^cannot write .*espnow\.lua: \w"):
        install(tmp_path)


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "espnow.lua").symlink_to(tmp_path / "missing" / "espnow.lua")
    with pytest.raises(UserError, match=r"^cannot write .*espnow\.lua: \w"):
        install(tmp_path)


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, ".local/lib/wireshark/plugins"),
        ("darwin", {"APPDATA": "elsewhere"}, ".local/lib/wireshark/plugins"),
        ("win32", {"APPDATA": ""}, "AppData/Roaming/Wireshark/plugins"),
    ],
)
def test_where_plugins_are(
    platform: str, variables: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert plugin_directory() == tmp_path / expected
    if platform == "win32":
        monkeypatch.setenv("APPDATA", str(tmp_path / "roaming"))
        assert plugin_directory() == tmp_path / "roaming" / "Wireshark" / "plugins"


def registered() -> dict[str, str]:
    """Return every filter of the dissector and the kind of its field; an oddity's kind is its severity."""
    text = LUA.decode()
    fields = {name: kind for kind, name in re.findall(r'ProtoField\.(\w+)\(\s*"([\w.]+)"', text)}
    oddities = re.findall(r'ProtoExpert\.new\(\s*"([\w.]+)",\s*"[^"]+",\s*\w+,\s*(\w+)', text)
    assert len(oddities) == text.count("ProtoExpert.new(")
    assert len(fields) == text.count("ProtoField.")
    return fields | {name: severity.lower() for name, severity in oddities}


def test_the_page_lists_what_the_dissector_registers() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (\w+) \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {name: kind for name, kind, _ in rows} == registered()
    assert len(rows) == len({name for name, _, _ in rows})
    assert all(meaning.strip() for _, _, meaning in rows)


def test_the_file_is_text_of_short_lines() -> None:
    lines = LUA.decode("ascii").split("\n")
    assert lines[0].startswith("-- espnow.lua of the Python package espnow")
    assert lines[-1] == ""
    assert max(map(len, lines)) <= 120

"""Files that tell how interfaces were: written, found, not believed when anybody could have written them."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from espnow.radio.monitor import state
from espnow.radio.monitor.nl80211 import Mode
from espnow.radio.monitor.state import Before

BEFORE = Before("wlan1", 3, bytes.fromhex("020000000100"), Mode.STATION, True, 1500, None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "state"
    monkeypatch.setattr(state, "_folders", lambda: [found])
    return found


def test_what_is_written_is_read(folder: Path) -> None:
    path = state.save(BEFORE)
    assert path.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    (record,) = state.read_all()
    assert record.before == BEFORE
    assert record.pid == os.getpid()
    assert record.alive
    assert record.this_boot
    assert state.find("wlan1") is None  # its process lives
    state.remove(path)
    state.remove(path)
    assert state.read_all() == []


@pytest.mark.parametrize(
    ("change", "alive", "this_boot"),
    [({"started": 1}, False, True), ({"pid": 2**22 + 1}, False, True), ({"boot": "another"}, False, False)],
)
def test_processes_that_are_gone(folder: Path, change: dict[str, Any], alive: bool, this_boot: bool) -> None:
    path = state.save(BEFORE)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    (record,) = state.read_all()
    assert (record.alive, record.this_boot) == (alive, this_boot)
    assert (state.find("wlan1") is not None) == this_boot


def test_a_folder_that_others_write_is_not_believed(folder: Path) -> None:
    state.save(BEFORE)
    folder.chmod(0o777)
    assert state.read_all() == []
    with pytest.raises(PermissionError):
        state.save(BEFORE)


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    path = state.save(BEFORE)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert state.read_all() == []
    real = tmp_path / "real"
    folder.rename(real)
    folder.symlink_to(real)
    path.unlink()
    elsewhere.rename(real / "wlan1.json")
    assert state.read_all() == []


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc/passwd"},
        {"name": "a b"},
        {"name": "x" * 16},
        {"name": ""},
        {"name": 5},
        {"mode": 99},
        {"mode": "monitor"},
        {"mtu": 65536},
        {"mtu": -1},
        {"mtu": True},
        {"up": 1},
        {"channel": 0},
        {"channel": 15},
        {"channel": "6"},
        {"phy_address": "zz"},
        {"index": None},
    ],
)
def test_values_are_checked(folder: Path, change: dict[str, Any]) -> None:
    path = state.save(BEFORE)
    content = json.loads(path.read_text())
    content["before"].update(change)
    path.write_text(json.dumps(content))
    assert state.read_all() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda it: json.dumps(it).encode())
)
def test_any_file_is_read(folder: Path, content: bytes) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "wlan1.json").write_bytes(content)
    assert state.read_all() == []


def test_a_pipe_in_place_of_a_file_does_not_stop_it(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / "wlan1.json")
    assert state.read_all() == []


def test_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state.os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/somebody")
    shown = [str(path) for path in state._folders()]
    assert shown[0] == "/run/espnow"
    assert "/run/user/1000/espnow" in shown
    assert "/somebody/espnow" not in shown
    monkeypatch.setattr(state.os, "geteuid", lambda: 1000)
    assert str(state._folders()[0]) == "/somebody/espnow"


@pytest.mark.skipif(not hasattr(os, "getpgid") or not Path("/proc/net/unix").exists(), reason="no Linux")
def test_one_process_an_interface() -> None:
    number = 10**9 + os.getpid()
    assert state.holder(number) is None
    claimed = state.claim(number)
    with claimed:
        assert state.holder(number) == os.getpid()
        with pytest.raises(OSError) as caught:
            state.claim(number)
        assert caught.value.errno == errno.EADDRINUSE
    assert state.holder(number) is None

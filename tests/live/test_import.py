"""`import espnow` costs next to nothing: no module, no thread, no socket before the first use."""

import json
import os
import subprocess
import sys

import pytest

import espnow
from espnow import live

#: What `import espnow` must not load.
HEAVY = (
    "asyncio",
    "cryptography",
    "ctypes",
    "dataclasses",
    "greenlet",
    "inspect",
    "random",
    "select",
    "signal",
    "socket",
    "subprocess",
    "threading",
    "espnow.board",
    "espnow.live",
    "espnow.radio",
)

#: What the first use of the board on `udp:` must not load either.
NOT_USED = ("asyncio", "cryptography", "greenlet", "multiprocessing", "subprocess", "espnow.lab", "espnow.radio.record")

#: Tells the modules, threads and sockets of a process that does something.
TELL = """
import json, os, sys
fds = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
sockets = sum("socket" in os.readlink(fd) for fd in fds if os.path.lexists(fd))
print(json.dumps([sorted(sys.modules), len(os.listdir("/proc/self/task")), sockets]))
"""


def told(statement, radio="none:"):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ESPNOW")}
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{TELL}"],
        env={**variables, "ESPNOW_RADIO": radio},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert done.stderr == ""
    modules, threads, sockets = json.loads(done.stdout)
    return set(modules), threads, sockets


@pytest.fixture(scope="module")
def bare():
    return told("pass")


@pytest.mark.parametrize("name", ["espnow", "aioespnow", "network"])
def test_an_import_loads_and_starts_nothing(name, bare):
    modules, threads, sockets = told(f"import {name}; dir({name})")
    assert {module for module in modules if module in HEAVY} <= bare[0]
    assert {module for module in modules if module.partition(".")[0] in ("espnow", "aioespnow", "network")} == {name}
    assert (threads, sockets) == bare[1:]


def test_the_choice_of_a_radio_starts_nothing(bare):
    modules, threads, sockets = told("import espnow; espnow.radio.use('udp:?loss=0.1', channel=6)")
    assert not {"socket", "threading", "espnow.board", "espnow.live"} & (modules - bare[0])
    assert (threads, sockets) == bare[1:]


def test_the_first_use_loads_what_it_needs(bare, port):
    use = "import espnow, network; network.WLAN(0).active(True); espnow.ESPNow().active(True)"
    modules, threads, _ = told(use, f"udp::{port}")
    assert {module for module in modules if module in NOT_USED} <= bare[0]
    assert threads == bare[1] + 1


def test_the_documented_names_are_listed_without_making_a_board(fresh):
    names = dir(espnow)
    assert {"ESPNow", "MAX_DATA_LEN", "KEY_LEN", "ADDR_LEN", "MAX_TOTAL_PEER_NUM", "MAX_ENCRYPT_PEER_NUM"} <= set(names)
    with pytest.raises(AttributeError, match="nonsense"):
        espnow.nonsense  # noqa: B018
    assert live._board is None


def test_the_version_is_that_of_the_package(fresh):
    from importlib.metadata import version

    assert espnow.__version__ == version("espnow")
    assert live._board is None


def test_names_are_made_once(fresh):
    cls = espnow.ESPNow
    assert espnow.ESPNow is cls
    assert espnow.ESPNowBase is cls
    assert espnow.MAX_DATA_LEN == 250
    assert espnow.RATE_LORA_250K == 41
    with pytest.raises(AttributeError, match="RATE_NONSENSE"):
        espnow.RATE_NONSENSE  # noqa: B018


def test_a_program_that_only_imports_ends_at_once(programs):
    program = programs.file("import espnow, aioespnow, network\nprint('done')\n")
    assert program.finish() == ["done"]


def test_all_three_modules_mean_one_board(own):
    import aioespnow
    import network

    assert network.WLAN(0) is own.wlan
    aio = aioespnow.AIOESPNow()
    assert aio.active()
    aio.add_peer(b"\x02\0\0\0\0\x09")
    assert own.e.peer_count() == (3, 0)


def test_two_threads_that_use_it_first_get_one_board(fresh):
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    together = Barrier(8)

    def first(number):
        together.wait(20)
        if number % 2:
            import network

            return id(network.WLAN(0)._board)
        return id(espnow.ESPNow()._board)

    with ThreadPoolExecutor(8) as pool:
        boards = set(pool.map(first, range(8)))
    assert boards == {id(live.board())}
    assert espnow.ESPNow() is espnow.ESPNow()


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
def test_the_module_network_has_all_its_names_and_no_board_for_others(fresh, profile):
    import network

    for name in ("pytest_looks_for_this", "__wrapped__", "setUpModule", "WLANs"):
        assert not hasattr(network, name)
    assert live._board is None
    fresh.setenv("ESPNOW_PROFILE", profile)
    whole = vars(live.module("network"))
    names = [name for name in whole if not name.startswith("_")]
    assert len(names) > 20
    assert [name for name in names if getattr(network, name) is not whole[name]] == []

"""The process's own board: lazy, honest about its missing radio, and on the wall clock."""

import json
import os
import subprocess
import sys

import pytest

import espnow
from espnow import live
from espnow.errors import UserError

#: What `import espnow` must not load.
HEAVY = (
    "asyncio",
    "cryptography",
    "greenlet",
    "random",
    "socket",
    "inspect",
    "dataclasses",
    "espnow.board",
    "espnow.live",
)


@pytest.fixture
def fresh(monkeypatch):
    """A process that has not used its board yet."""
    monkeypatch.setattr(live, "_board", None)
    monkeypatch.setattr(live, "_modules", {})
    for name in ("ESPNOW_PROFILE", "ESPNOW_MAC"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def radio(fresh):
    """An active ESPNow object of a fresh board."""
    fresh.setenv("ESPNOW_MAC", "02:00:00:00:00:09")
    with pytest.warns(RuntimeWarning, match="no radio"):
        radio = espnow.ESPNow()
    import network

    network.WLAN(network.WLAN.IF_STA).active(True)
    radio.active(True)
    return radio


def run_python(code, **environment):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ESPNOW")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**variables, **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def loaded(statement):
    code = f"import sys; before = set(sys.modules)\n{statement}\nimport json; print(json.dumps(sorted(sys.modules)))"
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", ["espnow", "aioespnow", "network"])
def test_importing_loads_next_to_nothing(name):
    modules = loaded(f"import {name}")
    bare = loaded("pass")
    assert {module for module in modules if module.partition(".")[0] in HEAVY or module in HEAVY} <= bare | {"espnow"}
    new = modules - bare - {"__future__", "typing"}
    assert {module for module in new if module.partition(".")[0] in ("espnow", "aioespnow", "network")} == {name}


def test_the_documented_names_are_listed_without_making_a_board(fresh):
    names = dir(espnow)
    assert {"ESPNow", "MAX_DATA_LEN", "KEY_LEN", "ADDR_LEN", "MAX_TOTAL_PEER_NUM", "MAX_ENCRYPT_PEER_NUM"} <= set(names)
    assert live._board is None
    with pytest.raises(AttributeError, match="nonsense"):
        espnow.nonsense  # noqa: B018
    assert live._board is None


def test_the_first_use_warns_where_it_stands_and_the_second_does_not(fresh):
    with pytest.warns(RuntimeWarning) as caught:
        cls = espnow.ESPNow
    (warning,) = caught
    assert "`espnow run" in str(warning.message)
    assert "\n" not in str(warning.message)
    assert warning.filename == __file__
    assert espnow.ESPNow is cls
    assert espnow.MAX_DATA_LEN == 250
    assert espnow.ESPNowBase is cls
    assert isinstance(espnow.RATE_1M, int)


@pytest.mark.parametrize("module", ["aioespnow", "network"])
def test_the_other_modules_warn_too(fresh, module):
    names = {"aioespnow": "AIOESPNow", "network": "WLAN"}
    imported = __import__(module)
    with pytest.warns(RuntimeWarning, match="no radio") as caught:
        getattr(imported, names[module])
    assert caught[0].filename == __file__


def test_all_three_modules_mean_one_board(radio):
    import aioespnow
    import network

    assert network.WLAN(0).config("mac") == b"\x02\0\0\0\0\x09"
    aio = aioespnow.AIOESPNow()
    assert aio.active()
    aio.add_peer(b"\x02\0\0\0\0\x01")
    assert radio.peer_count() == (1, 0)


def test_nobody_answers_a_unicast_and_a_broadcast_goes_out(radio):
    peer, everybody = b"\x02\0\0\0\0\x01", b"\xff" * 6
    radio.add_peer(peer)
    radio.add_peer(everybody)
    assert radio.send(peer, b"x") is False
    assert radio.send(everybody, b"x") is True
    assert radio.send(peer, b"x", False) is True
    assert radio.send(peer, b"y" * 250) is False
    assert radio.stats() == (4, 4, 3, 0, 0)


def test_receiving_times_out(radio):
    assert radio.recv(0) == (None, None)
    assert radio.recv(5) == (None, None)
    radio.config(timeout_ms=5)
    assert radio.irecv() == (None, None)
    assert radio.recvinto([None, bytearray(250)]) == 0
    assert next(iter(radio)) == (None, None)
    assert not radio.any()


def test_asynchronous_sends_fill_the_radio_and_are_waited_for(radio):
    peer = b"\x02\0\0\0\0\x01"
    radio.add_peer(peer)
    for _ in range(40):  # more than it has room for
        assert radio.send(peer, b"x", False) is True
    assert radio.send(peer, b"x") is False
    assert radio.stats()[:3] == (41, 41, 41)


@pytest.mark.parametrize(("profile", "length"), [("esp32", 250), ("esp32-v2", 1470), ("esp8266", 250)])
def test_the_environment_chooses_the_board(fresh, profile, length):
    fresh.setenv("ESPNOW_PROFILE", profile)
    fresh.setenv("ESPNOW_MAC", "02:aa:bb:cc:dd:ee")
    with pytest.warns(RuntimeWarning, match="no radio"):
        assert length == espnow.MAX_DATA_LEN
    import network

    assert network.WLAN(0).config("mac") == bytes.fromhex("02aabbccddee")
    assert hasattr(espnow.ESPNow, "irq") == (profile != "esp8266")


def test_without_the_environment_the_address_is_the_computers_own(fresh):
    macs = []
    for _ in range(2):
        fresh.setattr(live, "_board", None)
        fresh.setattr(live, "_modules", {})
        with pytest.warns(RuntimeWarning, match="no radio"):
            macs.append(live.board().wifi.mac(0))
    assert macs[0] == macs[1]
    assert len(macs[0]) == 6
    assert not macs[0][0] & 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ESPNOW_PROFILE", "esp99", "'esp99'"),
        ("ESPNOW_PROFILE", "", "''"),
        ("ESPNOW_MAC", "nonsense", "nonsense"),
        ("ESPNOW_MAC", "", "''"),
        ("ESPNOW_MAC", "03:00:00:00:00:01", "multicast"),
    ],
)
def test_an_environment_that_cannot_be_is_one_line_each_time(fresh, name, value, says):
    fresh.setenv(name, value)
    for _ in range(2):  # and no warning before it
        with pytest.raises(UserError) as caught:
            espnow.ESPNow  # noqa: B018
        assert str(caught.value).startswith(name)
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
    assert live._board is None


def test_time_driven_work_is_done_in_order_while_the_program_waits():
    clock = live._WallClock()
    cpu = live._ThreadCpu(clock)
    seen = []
    at_us = clock.now_us
    clock.call_at(at_us + 3_000, lambda: (seen.append("c"), cpu.wake()))
    clock.call_at(at_us, lambda: seen.append("a"))
    clock.call_at(at_us, lambda: seen.append("b"))
    clock.call_at(at_us, lambda: seen.append("never")).cancel()
    while len(seen) < 3:
        cpu.pause(None)
    assert seen == ["a", "b", "c"]
    assert clock.now_us >= at_us + 3_000
    until = clock.now_us + 2_000
    while clock.now_us < until:
        cpu.pause(until)
    cpu.wake()
    cpu.pause(None)  # woken before: returns at once


def test_a_loop_that_was_closed_under_a_waiting_sender_harms_nobody(radio):
    import asyncio

    from aioespnow import AIOESPNow

    peer = b"\x02\0\0\0\0\x01"
    e = AIOESPNow()
    e.add_peer(peer)
    for _ in range(2):
        e.send(peer, b"unanswered", False)
        loop = asyncio.new_event_loop()
        waiting = e.asend(peer, b"never sent")
        loop.call_soon(waiting.send, None)
        loop.run_until_complete(asyncio.sleep(0, loop))
        loop.close()
        assert e.send(peer, b"sent") is False
        waiting.close()
    sent = e.stats()[0]
    assert asyncio.run(e.asend(peer, b"sent")) is False
    assert e.stats()[0] == sent + 1
    assert live.board().watchers == []


def test_an_ordinary_program(tmp_path):
    code = (
        "import espnow, network\nnetwork.WLAN(0).active(True)\ne = espnow.ESPNow()\ne.active(True)\n"
        "e.add_peer(b'\\x02\\0\\0\\0\\0\\x01')\nprint(e.send('hello'), e.recv(1))"
    )
    done = run_python(code, ESPNOW_MAC="02:00:00:00:00:09")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "False (None, None)\n"
    assert done.stderr.count("RuntimeWarning") == 1
    assert done.stderr.startswith("<string>:2: RuntimeWarning")

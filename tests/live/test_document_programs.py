"""The document's own programs in ordinary Python, each read out of the document, in place.

Those that need what a board has besides, `espnow run` runs: the list says why.
"""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

import pytest

import espnow

from ..conformance.conftest import document  # noqa: F401 (a fixture)
from .conftest import until

#: Marks of programs that do not run in ordinary Python, and what they lack there.
NEED_MORE = {
    ("Proxy running on channel",): "wifi_reset of another program, a body of its loop",
    ("msg = read_sensor()",): "wifi_reset and read_sensor of other programs",
    ("machine.deepsleep(10000)",): "machine, wifi_reset of another program",
    ("machine.lightsleep(10000)",): "machine, wifi_reset of another program",
}

NOT_PROGRAMS = {
    "{peer: [rssi, time_ms], ...}",
    "ESPNOW: Peer channel is not equal to the home channel, send fail!",
}


def test_sender_and_receiver_with_nothing_set_up(document, programs, monkeypatch):  # noqa: F811
    """Two terminals: `python receiver.py`, `python sender.py`."""
    defaults = {"ESPNOW_RADIO": "", "ESPNOW_ANSWER_TIMEOUT_MS": "", "PYTHONUNBUFFERED": "1"}
    receiver = programs.file(document.program("host, msg = e.recv()"), "receiver.py", **defaults)
    until(lambda: "espnow-board" in Path("/proc/net/unix").read_text() and _threads(receiver.pid) > 1)
    sender = programs.file(document.program('e.send(peer, "Starting...")'), "sender.py", **defaults)
    assert sender.finish() == []
    lines = receiver.finish()
    texts = ["Starting...", *(str(number) * 20 for number in range(100)), "end"]
    host = lines[-1].rsplit(" ", 1)[0]
    assert [line for line in lines if line.startswith(host)] == [f"{host} {text.encode()}" for text in texts]


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_reading_by_iteration(document, programs, peer):  # noqa: F811
    program = programs.code(
        "e.config(timeout_ms=500)\nprint('ready')\n" + document.program("for mac, msg in e:", "if mac")
    )
    program.expect("ready")
    peer.send(b"\xff" * 6, b"one")
    assert program.finish() == ["ready", f"{peer.mac} bytearray(b'one')", "None None"]


def test_polling(document, programs, peer):  # noqa: F811
    """CPython's poll gives descriptors, not objects; `ipoll` and objects are MicroPython's."""
    program = programs.code(
        "print('ready')\ntimeout = None\n"
        + document.program("poll.register(e, select.POLLIN)").replace("poll.poll(", "found = poll.poll(")
        + "print(found == [(e.fileno(), select.POLLIN)], e.any())\n"
    )
    program.expect("ready")
    until(lambda: peer.send(b"\xff" * 6) and len(program.lines) == 2)
    assert program.finish()[1] == "True True"


def test_callback(document, programs, peer):  # noqa: F811
    source = document.program("def recv_cb(e):")
    program = programs.code(f"{source}\nprint('ready')\nsys.stdin.readline()\n")
    program.expect("ready")
    for text in (b"one", b"two"):
        assert peer.send(b"\xff" * 6, text)
        program.expect(f"bytearray({text!r})")
    program.write("\n")
    program.finish()


def test_exceptions(document, programs):  # noqa: F811
    source = document.program("len(err.args) < 2", "ESP_ERR_ESPNOW_NOT_INIT")
    program = programs.file(
        "import espnow, network\ne = espnow.ESPNow()\npeer = b'\\xaa' * 6\nsource = '''" + source + "'''\n"
        "for _ in range(4):\n    exec(source)\n"
        "print(e.active(), e.peer_count(), network.WLAN(0).active(), e.stats()[0])\n",
        ESPNOW_RADIO=f"udp::{programs.port}?pace=off&answer=10",
    )
    assert program.finish() == ["True (1, 0) True 1"]


def test_peers_table(document, programs, peer):  # noqa: F811
    shown = document.program(">>> e.peers_table")
    program = programs.code("print('ready')\ne.recv()\nprint(e.peers_table)\n")
    program.expect("ready")
    until(lambda: peer.send(b"\xff" * 6) and len(program.lines) == 2)
    pattern = re.sub(
        r"\d+", r"\\d+", re.escape(shown.split("{")[1].split(",\n")[0].replace(r"b'\xaa\xaa\xaa\xaa\xaa\xaa'", "MAC"))
    )
    assert re.fullmatch(r"\{" + pattern.replace("MAC", re.escape(repr(peer.mac))) + r"\}", program.finish()[1])


def test_async_server(document, programs, peer):  # noqa: F811
    source = document.program("async def heartbeat", "asyncio.run(main")
    assert "120, 10))" in source
    program = programs.file(source.replace("120, 10))", "3, 1))"), PYTHONUNBUFFERED="1")
    until(lambda: b"ping" in peer.messages)
    mac = peer.heard[-1][1]
    assert peer.send(mac, b"echo this")
    until(lambda: b"echo this" in peer.messages)
    lines = program.finish()
    assert 2 <= lines.count("Heartbeat: ping b'\\xbb\\xbb\\xbb\\xbb\\xbb\\xbb'") <= 4
    assert lines.count("Echo: bytearray(b'echo this')") == 1


def test_async_for_until_halt(document, programs, peer):  # noqa: F811
    program = programs.file(
        "import asyncio, network\nfrom aioespnow import AIOESPNow\nnetwork.WLAN(0).active(True)\nprint('ready')\n"
        + document.program("async def recv_till_halt(e):"),
        PYTHONUNBUFFERED="1",
    )
    program.expect("ready")
    until(lambda: peer.send(b"\xff" * 6, b"go") and len(program.lines) > 1)
    assert peer.send(b"\xff" * 6, b"halt")
    assert program.finish()[-1] == f"{peer.mac} bytearray(b'halt')"


def test_broadcast(document, programs, peer):  # noqa: F811
    programs.file(
        "import espnow, network\nnetwork.WLAN(0).active(True)\ne = espnow.ESPNow()\ne.active(True)\n"
        + document.program("bcast = b'\\xff' * 6")
    ).finish()
    assert peer.messages == [b"Hello World!"]


@pytest.mark.parametrize("mark", ["sta.disconnect()    # For ESP8266", "def wifi_reset():"])
def test_wifi_in_a_known_state(document, programs, mark):  # noqa: F811
    program = programs.file(document.program(mark) + "print(sta.active(), sta.isconnected())\n")
    assert program.finish() == ["True False"]


@pytest.mark.parametrize("marks", NEED_MORE)
def test_what_needs_more_cannot_run_here(document, marks):  # noqa: F811
    """It uses names that nobody defined, or modules that only boards have: `espnow run` has them."""
    source = document.program(*marks).replace(
        "# Receive espnow messages and forward them to MQTT broker over wifi", "pass"
    )
    nodes = list(ast.walk(ast.parse(source)))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    loaded = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    missing = loaded - stored - imported - set(dir(builtins))
    assert missing | (imported & {"machine"})
    assert not hasattr(espnow, "machine")


def test_every_program_of_the_document_is_run_or_listed(document):  # noqa: F811
    calls = [node for node in ast.walk(ast.parse(Path(__file__).read_text())) if isinstance(node, ast.Call)]
    marks = [
        tuple(argument.value for argument in call.args if isinstance(argument, ast.Constant))
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "program"
    ]
    known = {document.program(*some) for some in [*marks, *NEED_MORE] if some}
    known |= {document.program(mark) for mark in ("sta.disconnect()    # For ESP8266", "def wifi_reset():")}
    assert [block for block in document.blocks if block not in known and block.strip() not in NOT_PROGRAMS] == []

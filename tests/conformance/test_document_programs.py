"""The document's own programs, as they stand, each read out of the document.

Those of its Wi-Fi and sleep sections call a function that another of its programs defines: that one is the board's
boot.py, and they are its main.py.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from espnow.lab import Lab
from espnow.testing import Bench

PEER = b"\xbb" * 6


def board_of(lab, tmp_path: Path, name: str, source: str, **more):
    """Add a board that runs a program out of the document, from a file as a user would have it."""
    path = tmp_path / f"{name}.py"
    path.write_text(source)
    return lab.board(path, **more)


def test_sender_and_receiver(document, tmp_path):
    with Lab() as lab:
        receiver = board_of(lab, tmp_path, "receiver", document.program("host, msg = e.recv()"))
        sender = board_of(lab, tmp_path, "sender", document.program('e.send(peer, "Starting...")'))
        lab.run()
    texts = ["Starting...", *(str(number) * 20 for number in range(100)), "end"]
    assert receiver.lines == [f"{sender.mac} {text.encode()}" for text in texts]
    assert sender.output == ""
    assert (receiver.exit_code, sender.exit_code) == (0, 0)


def test_reading_by_iteration_ends_at_the_timeout(document):
    bench = Bench()
    bench.start().config(timeout_ms=50)
    bench.link.inject("one")
    bench.link.inject("two", after_ms=10)
    bench.run(document.program("for mac, msg in e:", "if mac is None"))
    sender = b"\x24\x0a\xc4\x00\x00\x01"
    assert bench.output.splitlines() == [
        f"{sender} bytearray(b'one')",
        f"{sender} bytearray(b'two')",
        "None None",
    ]


def test_polling(document):
    bench = Bench()
    bench.start()
    bench.link.inject("one", after_ms=20)
    source = document.program("poll.register(e, select.POLLIN)")
    names = bench.run("timeout = 100\n" + source + "found = poll.poll(timeout)\n")
    assert [(obj is names["e"], event) for obj, event in names["found"]] == [(True, 1)]
    assert bench.clock.now_us < 200_000


def test_callback(document):
    bench = Bench()
    e = bench.start()
    bench.run("import espnow\ne = espnow.ESPNow()\n" + document.program("def recv_cb(e):"))
    for text in ("one", "two"):
        bench.link.inject(text)
    bench.advance(1)
    assert [line.split(" ")[1] for line in bench.output.splitlines()] == ["bytearray(b'one')", "bytearray(b'two')"]
    assert not e.any()


def test_exceptions_name_what_is_wrong_and_are_mended(document):
    source = document.program("len(err.args) < 2", "ESP_ERR_ESPNOW_NOT_INIT")
    bench = Bench()
    start = "import espnow, network\ne = espnow.ESPNow()\npeer = b'\\xaa' * 6\n"
    for _ in range(3):  # first not initialised, then peer unknown, then no interface: each run mends one
        bench.run(start + source)
    assert bench.link.messages == []
    bench.run(start + source)
    assert bench.link.messages == [(b"\xaa" * 6, b"Hello")]


def test_peers_table_looks_as_documented(document):
    bench = Bench()
    e = bench.start()
    for peer, rssi_dbm in ((b"\xaa" * 6, -31), (PEER, -43)):
        bench.link.inject("x", source=peer, rssi_dbm=rssi_dbm)
        e.recv()
    shown = document.program(">>> e.peers_table")
    rows = [row.split(",")[0] for row in shown.replace("{", "").splitlines()[1:]]
    assert all(row.strip() in repr(e.peers_table) for row in rows)


def test_async_server(document, tmp_path):
    with Lab() as lab:
        server = board_of(lab, tmp_path, "server", document.program("async def heartbeat", "asyncio.run(main"))
        client = lab.board(
            code="""
import espnow, network, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
time.sleep(1)
for mac, msg in e:
    if mac is None:
        break
    if msg == b'ping':
        print(msg, time.ticks_ms() // 1000)
        break
e.add_peer(mac)
e.send(mac, 'echo this')
print(e.recv(1000)[1])
""",
            name="client",
        )
        lab.run()
    assert client.lines == ["bytearray(b'ping') 1", "b'echo this'"]
    assert server.exit_code == 0
    # The address in the program is a multicast one: every send to it succeeds, every ten seconds for two minutes.
    assert server.lines.count("Heartbeat: ping b'\\xbb\\xbb\\xbb\\xbb\\xbb\\xbb'") == 12
    assert server.lines.count("Echo: bytearray(b'echo this')") == 1
    assert 120_000 <= lab.now_ms < 121_000


def test_async_for_until_halt(document):
    bench = Bench()
    bench.start()
    for number, text in enumerate(("go", "on", "halt", "not read")):
        bench.link.inject(text, after_ms=1 + number)
    source = document.program("async def recv_till_halt(e):")
    bench.run("import asyncio\nfrom aioespnow import AIOESPNow\n" + source)
    assert [line.split(" ")[1] for line in bench.output.splitlines()] == [
        "bytearray(b'go')",
        "bytearray(b'on')",
        "bytearray(b'halt')",
    ]


def test_broadcast(document):
    with Lab() as lab:
        receiver = lab.board(lambda board: board.console.write(repr(_listen(board))), name="receiver")
        lab.board(
            code="import espnow, network, time\nnetwork.WLAN(0).active(True)\ne = espnow.ESPNow()\ne.active(True)\n"
            "time.sleep_ms(50)\n" + document.program("bcast = b'\\xff' * 6"),
            name="sender",
        )
        lab.run()
    assert receiver.output == "b'Hello World!'"


def _listen(board):
    board.module("network").WLAN(0).active(True)
    e = board.module("espnow").ESPNow()
    e.active(True)
    return e.recv(1000)[1]


PROXY = "30:aa:aa:aa:aa:aa"  # b'0\\xaa\\xaa\\xaa\\xaa\\xaa' in the document


@pytest.fixture
def folder_with(document, tmp_path):
    """Return a function that makes a board's folder: the document's wifi_reset in boot.py, a program in main.py."""

    def make(name: str, source: str, boot: str = "") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "boot.py").write_text(document.program("def wifi_reset():") + boot)
        (folder / "main.py").write_text(source)
        return folder

    return make


def test_a_station_that_is_active_and_not_connected(document):
    bench = Bench()
    names = bench.run(document.program("sta.disconnect()    # For ESP8266"))
    assert names["sta"].active()
    assert not names["sta"].isconnected()


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
def test_wifi_is_set_to_a_known_state_after_a_soft_reset(document, tmp_path, profile):
    source = document.program("def wifi_reset():") + "print(sta.active(), ap.active(), sta.isconnected())\n"
    source += "if len(seen()) == 1:\n    ap.active(True)\n    import machine\n    machine.soft_reset()\n"
    with Lab(profile=profile) as lab:
        board = board_of(
            lab,
            tmp_path,
            "main",
            "def seen():\n    open('seen', 'a').write('x')\n    return open('seen').read()\n" + source,
        )
        lab.run()
    assert board.lines == ["True False False"] * 2


def test_proxy_and_sensor(document, folder_with):
    proxy_source = document.program("Proxy running on channel")
    sensor_source = document.program("msg = read_sensor()")
    boot = "count = 0\ndef read_sensor():\n    global count\n    count += 1\n    return 'reading %d' % count\n"
    with Lab() as lab:
        lab.router("myssid", "mypassword", channel=6)
        # The body of its loop is a comment alone, which is no Python; the document leaves it to the reader.
        proxy = lab.board(folder_with("proxy", proxy_source + "      print(peer, msg)\n"), mac=PROXY)
        sensor = lab.board(folder_with("sensor", sensor_source, boot), start_ms=5_000)
        lab.run(for_ms=15_000)
        assert (proxy.error, sensor.error) == (None, None)
        received = [line for line in proxy.lines if "reading" in line]
        assert proxy.lines[0] == "Proxy running on channel: 6"
        assert received == [f"{sensor.mac} bytearray(b'reading {number}')" for number in range(1, len(received) + 1)]
        assert 8 <= len(received) <= 10
        assert all(sent.acknowledged for sent in sensor.sent[:-1])


def test_deep_sleep(document, folder_with):
    with Lab() as lab:
        peer = lab.board(code=LISTEN, mac=PROXY)
        sleeper = lab.board(folder_with("sleeper", document.program("machine.deepsleep(10000)")))
        lab.run(for_ms=25_000)
        peer.power_off()
        lab.run(for_ms=10_000)
    assert sleeper.lines == [
        *["Sending ping...", "Going to sleep..."] * 3,
        "Sending ping...",
        "Ping failed!",
        "Going to sleep...",
    ]
    assert peer.lines == ["b'ping'"] * 3
    assert sleeper.power_ms("deep sleep") > 30_000


def test_light_sleep(document, folder_with):
    with Lab() as lab:
        peer = lab.board(code=LISTEN.replace("sta.active(True)", "sta.active(True); sta.config(channel=6)"), mac=PROXY)
        sleeper = lab.board(folder_with("sleeper", document.program("machine.lightsleep(10000)")))
        lab.run(for_ms=25_000)
        assert sleeper.error is None
        peer.power_off()
        lab.run(for_ms=10_000)
    assert sleeper.lines == [
        *["Sending ping...", "Going to sleep..."] * 3,
        "Sending ping...",
        "Ping failed!",
        "Going to sleep...",
    ]
    assert peer.lines == ["b'ping'"] * 3


LISTEN = """
import espnow, network
sta = network.WLAN(0)
sta.active(True)
e = espnow.ESPNow()
e.active(True)
while True:
    print(e.recv(-1)[1])
"""


def test_every_program_of_the_document_is_run_here(document):
    """A program that a later version of the document adds fails here until it has a test."""
    calls = [node for node in ast.walk(ast.parse(Path(__file__).read_text())) if isinstance(node, ast.Call)]
    marks = [
        [argument.value for argument in call.args]
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "program"
        and all(isinstance(argument, ast.Constant) for argument in call.args)
    ]
    run = {document.program(*some) for some in marks}
    not_programs = {"{peer: [rssi, time_ms], ...}", "ESPNOW: Peer channel is not equal to the home channel, send fail!"}
    assert [block for block in document.blocks if block not in run and block.strip() not in not_programs] == []

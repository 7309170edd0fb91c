"""The document's own programs, as they stand. Those of its Wi-Fi and sleep sections need routers and sleep."""

from __future__ import annotations

from pathlib import Path

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

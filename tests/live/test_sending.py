"""Sending and receiving between live boards: outcomes, times, statistics, threads, what a busy program still does."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import espnow
from espnow import live
from espnow.errors import EspNowCode
from espnow.link import Outcome

from .conftest import LIMIT_S, until


@pytest.fixture
def alone(fresh, port):
    """An active ESPNow of a board that waits 10 ms for an answer, with one peer, which is not there."""
    fresh.setenv("ESPNOW_RADIO", f"udp::{port}?pace=off&answer=10")
    import network

    network.WLAN(0).active(True)
    e = espnow.ESPNow()
    e.active(True)
    e.add_peer(b"\x02\0\0\0\0\x01")
    e.add_peer(b"\xff" * 6)
    return e


NOBODY = b"\x02\0\0\0\0\x01"


def test_nobody_answers_a_unicast_and_a_broadcast_goes_out(alone):
    assert alone.send(NOBODY, b"x") is False
    assert alone.send(b"\xff" * 6, b"x") is True
    assert alone.send(NOBODY, b"x", False) is True
    assert alone.send(NOBODY, b"y" * 250) is False
    assert alone.stats() == (4, 4, 3, 0, 0)


@pytest.mark.parametrize("settings", ["", "?pace=off"])
def test_a_send_to_nobody_is_over_within_the_time_for_an_answer(fresh, port, settings):
    """With the usual settings: 70 ms after the first attempt, all seven attempts made."""
    fresh.setenv("ESPNOW_RADIO", f"udp::{port}{settings}")
    import network

    network.WLAN(0).active(True)
    e = espnow.ESPNow()
    e.active(True)
    e.add_peer(NOBODY)
    board = live.board()
    attempts = []
    outcome = board.outcome
    link = board.link
    link.station = type("Station", (), {"received": board.received})()
    link.station.outcome = lambda *told: (attempts.append(told[1:3]), outcome(*told))
    begin = time.monotonic()
    assert e.send(NOBODY, b"x") is False
    taken = time.monotonic() - begin
    assert attempts == [(Outcome.NOT_ACKNOWLEDGED, 7)]
    assert 0.07 <= taken < 3


def test_asynchronous_sends_fill_the_radio_and_are_waited_for(alone):
    for _ in range(40):  # more than it has room for
        assert alone.send(NOBODY, b"x", False) is True
    assert alone.send(NOBODY, b"x") is False
    assert alone.stats()[:3] == (41, 41, 41)


def test_a_radio_that_stays_full_is_an_error(own, monkeypatch):
    from espnow.api import base
    from espnow.errors import LinkFull

    def full(mpdu, token):
        raise LinkFull

    monkeypatch.setattr(base, "NO_MEMORY_TIMEOUT_US", 20_000)
    monkeypatch.setattr(own.board.link, "transmit", full)
    with pytest.raises(OSError, match="NO_MEM") as caught:
        own.e.send(own.b, b"x")
    assert caught.value.args[0] == -EspNowCode.NO_MEM
    monkeypatch.undo()
    assert own.e.send(own.b, b"x")


def test_to_all_peers(own, peer, new_peer):
    second = new_peer(mac=b"\x02\0\0\0\0\x02")
    own.e.add_peer(second.mac)
    assert own.e.send(b"to all") is True
    assert (peer.messages, second.messages) == ([b"to all"], [b"to all"])


def test_a_conversation_of_two_programs(programs):
    other = programs.code(
        "print(network.WLAN(0).config('mac').hex())\n"
        "for mac, msg in e:\n    if msg == b'end':\n        break\n"
        "    try:\n        e.add_peer(mac)\n    except OSError:\n        pass\n    assert e.send(mac, b'echo ' + msg)\n"
    )
    mac = other.expect("")[0]
    program = programs.code(
        f"peer = bytes.fromhex('{mac}')\ne.add_peer(peer)\n"
        "for n in range(50):\n    assert e.send(peer, str(n))\n    host, msg = e.recv()\n"
        "    assert (host, msg) == (peer, b'echo %d' % n), (host, msg)\n"
        "assert e.send(peer, 'end')\nprint(e.stats())\n"
    )
    assert program.finish() == ["(51, 51, 0, 50, 0)"]
    other.finish()


def test_encrypted(programs):
    keys = "e.set_pmk(b'pmk1234567890123')\nlmk = b'lmk1234567890123'\n"
    one = "02:00:00:00:00:11"
    two = "02:00:00:00:00:12"
    receiver = programs.code(
        keys + "e.add_peer(bytes.fromhex('020000000011'), lmk)\nprint('ready')\nprint(e.recv(-1)[1])\n"
        "print(e.send(bytes.fromhex('020000000011'), b'secret too'))\n",
        ESPNOW_MAC=two,
        ESPNOW_CAPTURE="air.pcapng",
    )
    receiver.expect("ready")
    sender = programs.code(
        keys + "peer = bytes.fromhex('020000000012')\ne.add_peer(peer, lmk)\nprint(e.send(peer, b'secret'))\n"
        "print(e.recv(-1)[1])\n",
        ESPNOW_MAC=one,
    )
    assert sender.finish() == ["True", "b'secret too'"]
    assert receiver.finish() == ["ready", "b'secret'", "True"]
    captured = (programs.folder / "air.pcapng").read_bytes()
    assert bytes.fromhex("020000000011") in captured
    assert b"secret" not in captured


def test_long_messages_of_version_2_both_ways(programs):
    one = programs.code(
        "print(espnow.MAX_DATA_LEN)\nhost, msg = e.recv(-1)\ne.add_peer(host)\n"
        "print(len(msg), e.send(host, msg[::-1]))\n",
        ESPNOW_PROFILE="esp32-v2",
        ESPNOW_MAC="02:00:00:00:00:11",
    )
    one.expect("1470")
    two = programs.code(
        "peer = bytes.fromhex('020000000011')\ne.add_peer(peer)\nmsg = bytes(n % 251 for n in range(1470))\n"
        "print(e.send(peer, msg), e.recv(-1)[1] == msg[::-1])\n",
        ESPNOW_PROFILE="esp32-v2",
    )
    assert two.finish() == ["True True"]
    assert one.finish() == ["1470", "1470 True"]


def test_an_esp8266_hears_no_broadcast(fresh, peer):
    import network

    fresh.setenv("ESPNOW_PROFILE", "esp8266")
    network.WLAN(0).active(True)
    e = espnow.ESPNow()
    e.active(True)
    assert peer.send(b"\xff" * 6, b"to everybody")
    assert peer.send(live.board().mac, b"to it")
    assert bytes(e.recv(1000)[1]) == b"to it"
    assert e.recv(0) == (None, None)
    assert e.send(peer.mac, b"x")


def test_who_runs_no_espnow_acknowledges_too(own, peer, new_peer):
    """document: a peer responds whether or not it has initialised its ESP-NOW."""
    own.e.active(False)
    assert peer.send(own.mac)
    own.wlan.active(False)
    assert not new_peer("pace=off&answer=30", mac=b"\x02\0\0\0\0\x02").send(own.mac)


# Times.


@pytest.mark.parametrize("timeout_ms", [1, 5, 20, 100])
def test_a_timeout_is_kept(own, timeout_ms):
    own.e.recv(1)
    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        assert own.e.recv(timeout_ms) == (None, None)
        taken.append((time.perf_counter() - begin) * 1000)
    assert min(taken) >= timeout_ms - 0.002
    assert min(taken) < timeout_ms + 20


def test_each_call_that_waits_knows_its_timeout(own):
    assert own.e.recv(0) == (None, None)
    own.e.config(timeout_ms=5)
    assert own.e.irecv() == (None, None)
    assert own.e.recvinto([None, bytearray(250)]) == 0
    assert next(iter(own.e)) == (None, None)
    assert not own.e.any()


def test_no_timeout_at_all(own, peer):
    timer = threading.Timer(0.05, peer.send, (own.mac, b"x"))
    timer.start()
    assert own.e.recv(-1)[1] == b"x"
    timer.join()


def test_time_and_strength_of_a_message(own, peer):
    before_ms = (own.board.clock.now_us - own.board.boot_us) // 1000
    peer.send(own.mac)
    mac, _ = own.e.recv(1000)
    after_ms = (own.board.clock.now_us - own.board.boot_us) // 1000
    rssi_dbm, time_ms = own.e.peers_table[mac]
    assert rssi_dbm == -20
    assert before_ms <= time_ms <= after_ms


# Threads.


def test_threads_send_at_once(own, peer):
    def send(number):
        return [own.e.send(own.p, f"{number} {part}".encode()) for part in range(25)]

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(send, range(4)))
    assert outcomes == [[True] * 25] * 4
    until(lambda: len(peer.messages) == 100)
    assert own.e.stats()[:3] == (100, 100, 0)
    for number in range(4):
        of_one = [message for message in peer.messages if message.startswith(f"{number} ".encode())]
        assert of_one == [f"{number} {part}".encode() for part in range(25)]


def test_threads_receive_at_once(own, peer):
    own.e.active(False)
    own.e.config(rxbuf=50_000)
    own.e.active(True)
    got = []

    def receive():
        while True:
            message = own.e.recv(-1)[1]
            if message == b"end":
                return
            got.append(message)

    threads = [threading.Thread(target=receive) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(100):
        assert peer.send(own.mac, str(number).encode())
    for _ in threads:
        assert peer.send(own.mac, b"end")
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert sorted(got, key=int) == [str(number).encode() for number in range(100)]


def test_one_thread_reads_while_another_sends(own, peer):
    outcomes = []
    sender = threading.Thread(target=lambda: outcomes.extend(own.e.send(own.p, b"x") for _ in range(100)))
    sender.start()
    for number in range(50):
        peer.start(own.mac, str(number).encode())
        assert own.e.recv(10_000)[1] == str(number).encode()
    sender.join()
    assert outcomes == [True] * 100


def test_switching_off_ends_the_waits_of_other_threads(own):
    raised = []

    def receive():
        try:
            own.e.recv(-1)
        except OSError as error:
            raised.append(error.args[1])

    threads = [threading.Thread(target=receive) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(own.board._cpu._waiting) == 3)
    own.e.active(False)
    for thread in threads:
        thread.join(LIMIT_S)
    assert raised == ["ESP_ERR_ESPNOW_NOT_INIT"] * 3


def test_who_leads_hands_over(own, peer):
    """The first thread that waits does the loop's work; when it leaves, the others are still served, and soon."""
    got = []
    leader = threading.Thread(target=lambda: own.e.recv(60))
    leader.start()
    until(lambda: own.board.loop._leading.locked())
    second = threading.Thread(target=lambda: got.append(own.e.recv(-1)[1]))
    second.start()
    leader.join()
    for _ in range(3):
        begin = time.monotonic()
        peer.start(own.mac, b"x")
        until(lambda: got)
        assert time.monotonic() - begin < 1
        got.clear()
        second.join()
        second = threading.Thread(target=lambda: got.append(own.e.recv(-1)[1]))
        second.start()
    peer.start(own.mac, b"x")
    second.join()


BUSY = {
    "computes": "end = time.monotonic() + 60\nwhile time.monotonic() < end:\n    sum(range(1000))\n",
    "polls": "while True:\n    while not e.any():\n        pass\n    e.recv(0)\n",
    "polls with recv": "while True:\n    e.recv(0)\n",
    "sorts": "import random\nnumbers = [random.random() for _ in range(50_000)]\nwhile True:\n    sorted(numbers)\n",
}


@pytest.mark.parametrize("name", BUSY)
def test_a_busy_program_acknowledges(programs, new_peer, name):
    peer = new_peer("pace=off&answer=1000")
    program = programs.code(f"print(network.WLAN(0).config('mac').hex())\n{BUSY[name]}")
    mac = bytes.fromhex(program.expect("")[0])
    taken = []
    for _ in range(100):
        begin = time.monotonic()
        if peer.send(mac):
            taken.append(time.monotonic() - begin)
    assert len(taken) >= 99
    assert statistics.median(taken) < 0.07


def test_a_program_that_polls_hears_soon(programs, peer):
    program = programs.code(
        "print(network.WLAN(0).config('mac').hex())\nwhile True:\n    while not e.any():\n        pass\n"
        "    mac, msg = e.recv(0)\n    if msg == b'end':\n        break\n    e.send(b, msg, False)\n"
    )
    mac = bytes.fromhex(program.expect("")[0])
    for number in range(20):
        assert peer.send(mac, str(number).encode())
        until(lambda number=number: str(number).encode() in peer.messages)
    peer.send(mac, b"end")
    program.finish()

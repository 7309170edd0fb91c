"""Ways to write programs for ESP-NOW that were found wanting when public programs were run; in our own words."""

from __future__ import annotations

import pytest


@pytest.fixture
def run(lab):
    """Run a program to its end or for some seconds, and return what it printed."""

    def run(code, for_ms=5_000, **options):
        board = lab.board(code=code, **options)
        lab.run(for_ms=for_ms)
        assert board.error is None, board.output
        return board.lines

    return run


TALK = """
import network, espnow, time
network.WLAN(network.STA_IF).active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(b"\\xff" * 6)
time.sleep(1)
for word in WORDS:
    e.send(b"\\xff" * 6, word)
    time.sleep(1)
"""


def test_a_handshake_that_looks_for_words_in_bytes(lab):
    code = """
import network, espnow
network.WLAN(network.STA_IF).active(True)
e = espnow.ESPNow()
e.active(True)
while True:
    host, msg = e.recv()
    if msg:
        if "SYN" in msg:
            print("greeted")
        elif msg.startswith("T:") and msg.endswith("C"):
            print("warmth", msg[2:-1])
        elif msg.find(b"bye") >= 0:
            print("parted")
            break
        else:
            print("unknown", msg)
"""
    board = lab.board(code=code)
    lab.board(code=f"WORDS = {['xSYNx', 'T:21C', 'T:21F', 'goodbye']!r}\n{TALK}")
    lab.run(for_ms=8_000)
    assert board.lines == ["greeted", "warmth b'21'", "unknown b'T:21F'", "parted"]


@pytest.mark.parametrize("name", ["AIOESPNow", "ESPNow"])
def test_aioespnow_imported_as_espnow(lab, name):
    code = f"""
import aioespnow as espnow, network, uasyncio
from uasyncio.core import CancelledError, sleep_ms
network.WLAN(network.STA_IF).active(True)
e = espnow.{name}()
e.active(True)
e.add_peer(b"\\xff" * 6)

async def listen():
    async for mac, msg in e:
        print(msg.decode(), len(msg) <= espnow.MAX_DATA_LEN)

async def main():
    uasyncio.create_task(listen())
    await sleep_ms(500)
    await e.asend(b"\\xff" * 6, "ping")
    await sleep_ms(500)

uasyncio.run(main())
"""
    boards = [lab.board(code=code) for _ in range(2)]
    lab.run(for_ms=3_000)
    assert [board.lines for board in boards] == [["ping True"]] * 2


def test_asyncio_by_its_parts(run):
    code = """
import asyncio.core
from asyncio import event, lock
from uasyncio.funcs import gather
print(asyncio.core.Task is asyncio.Task, event.Event is asyncio.Event, lock.Lock is asyncio.Lock)
async def one():
    return 1
async def main():
    return await gather(one(), one())
print(asyncio.run(main()))
"""
    assert run(code) == ["True True True", "[1, 1]"]


def test_a_part_that_asyncio_has_not(lab):
    board = lab.board(code="import asyncio.cores")
    lab.run(for_ms=100)
    assert isinstance(board.error, ImportError)
    assert "asyncio.cores" in str(board.error)


def test_a_remote_control_over_the_serial_line(lab):
    """Keys are typed without a newline, as a terminal sends them."""
    code = """
import network, espnow, select, sys
network.WLAN(network.STA_IF).active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(b"\\xff" * 6)
keys = select.poll()
keys.register(sys.stdin, select.POLLIN)
while True:
    if keys.poll(20):
        key = sys.stdin.read(1)
        if key == "q":
            break
        e.send(b"\\xff" * 6, {"w": "forward", "s": "back"}.get(key, "stop"))
"""
    remote = lab.board(code=code)
    car = lab.board(
        code="""
import network, espnow
network.WLAN(network.STA_IF).active(True)
e = espnow.ESPNow()
e.active(True)
while True:
    print(e.recv()[1])
"""
    )
    for at_ms, key in ((1_000, "w"), (1_500, " "), (2_000, "s"), (2_500, "q")):
        lab.at(at_ms, lambda key=key: remote.type(key))
    lab.run(for_ms=4_000)
    assert car.lines == ["b'forward'", "b'stop'", "b'back'"]
    assert str(remote.state) == "ended"


def test_tasks_that_are_stopped_by_a_message(lab):
    """A watchdog task is cancelled in the same instant in which it was fed."""
    code = """
import network, asyncio, aioespnow
network.WLAN(network.STA_IF).active(True)
e = aioespnow.AIOESPNow()
e.active(True)
fed, stop = asyncio.Event(), asyncio.Event()

async def watch():
    while True:
        fed.clear()
        try:
            await asyncio.wait_for(fed.wait(), 2)
        except asyncio.TimeoutError:
            print("hungry")

async def listen():
    async for mac, msg in e:
        fed.set()
        print(msg.decode())
        if msg == b"stop":
            stop.set()
            return

async def main():
    tasks = [asyncio.create_task(watch()), asyncio.create_task(listen())]
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print("over")

asyncio.run(main())
"""
    board = lab.board(code=code)
    lab.board(code=f"WORDS = {['go', 'stop']!r}\n{TALK.replace('sleep(1)', 'sleep(3)')}")
    lab.run(for_ms=9_000)
    assert board.lines == ["hungry", "go", "hungry", "stop", "over"]


def test_a_button_at_boots_pin_without_a_pull(lab):
    code = """
from machine import Pin
import time
button = Pin(0, Pin.IN)
while True:
    if not button.value():
        print("pressed", time.ticks_ms() // 1000)
        time.sleep(1)
    time.sleep_ms(10)
"""
    board = lab.board(code=code)
    lab.at(2_500, lambda: board.pin(0).press(ms=200))
    lab.run(for_ms=5_000)
    assert board.lines == ["pressed 2"]

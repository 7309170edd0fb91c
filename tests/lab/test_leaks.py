"""What a board goes through again and again leaves nothing behind: no greenlet, no timer, no object."""

import gc
from itertools import pairwise
from pathlib import Path

import pytest
from greenlet import greenlet

from espnow.lab import Lab

BEGIN = """
import espnow, network, time, machine, asyncio, _thread
sta = network.WLAN(0)
sta.active(True)
e = espnow.ESPNow()
e.active(True)
b = b'\\xff' * 6
e.add_peer(b)
"""

BUSY = (
    BEGIN
    + """
import esp32, json, struct, ssd1306, neopixel, socket
from machine import Pin, Timer, PWM, I2C, WDT
p = Pin(4, Pin.IN, Pin.PULL_DOWN)
esp32.wake_on_ext0(p, 1)
p.irq(lambda p: None)
Timer(0).init(period=5, callback=lambda t: None)
PWM(Pin(5))
I2C(0)
neopixel.NeoPixel(Pin(2), 5)
WDT(timeout=5000)
async def main():
    asyncio.create_task(asyncio.sleep(9))
    await asyncio.sleep_ms(1)
asyncio.run(main())
_thread.start_new_thread(time.sleep, (9,))
e.irq(lambda e: e.recv(0))
e.send(b, b'x')
"""
)

STUBBORN = "while True:\n  try:\n    while True: pass\n  except: pass\n"

#: name -> (program, milliseconds of one turn, what is done to the board each turn)
LIVES = {
    "deep sleep": (BUSY + "machine.deepsleep(100)", 500, None),
    "soft reset": (BUSY + "machine.soft_reset()", 120, None),
    "reset": (BUSY + "machine.reset()", 420, None),
    "joining and leaving": (
        BEGIN + "while True:\n  sta.connect('home', 'secret123')\n  while not sta.isconnected(): time.sleep_ms(10)\n"
        "  sta.disconnect()\n  time.sleep_ms(10)",
        2_000,
        None,
    ),
    "joining and asleep": (
        BEGIN + "import socket\nsta.connect('home', 'secret123')\nwhile not sta.isconnected(): time.sleep_ms(10)\n"
        "s = socket.socket()\ns.bind(('', 80))\ns.listen(1)\nmachine.deepsleep(100)",
        2_500,
        None,
    ),
    "joining and killed": (BEGIN + "sta.connect('home', 'secret123')\nwhile True: time.sleep_ms(10)", 900, "reset"),
    "killed while it computes": (STUBBORN, 1, "soft_reset"),
    "killed while it waits": (BUSY + "time.sleep(100)", 420, "reset"),
    "killed in tasks": (
        BEGIN + "async def f():\n  while True:\n    try: await asyncio.sleep(1)\n    except: pass\nasyncio.run(f())",
        420,
        "reset",
    ),
    "killed in threads": (
        "import _thread\ndef f():\n" + "".join(f"  {line}\n" for line in STUBBORN.splitlines()) + "_thread."
        "start_new_thread(f, ())\nf()",
        330,
        "reset",
    ),
    "watchdog": ("import machine\nmachine.WDT(timeout=5)\n" + STUBBORN, 310, None),
    "interrupted": (BUSY + "time.sleep(100)", 420, "interrupt then reset"),
}


def counts(lab):
    """Return how many greenlets, timers and objects there are while the last board is without power."""
    lab.boards[-1].power_off()
    lab.run(for_ms=10)
    gc.collect()
    objects = gc.get_objects()
    lab.boards[-1].power_on()
    lab.run(for_ms=301)
    timers = [timer for timer in lab.clock._heap if timer[2] is not None]  # others go when their time comes
    return sum(isinstance(each, greenlet) for each in objects), len(timers), len(objects) - len(lab.clock._heap)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", LIVES)
def test_nothing_is_left(name):
    code, turn_ms, actions = LIVES[name]
    with Lab(record=False, explain=True) as lab:
        lab.router("home", "secret123")
        lab.board(code=BEGIN + "while True: e.recv()")
        board = lab.board(code=code)

        def live(turns):
            for _ in range(turns):
                for action in (actions or "").split(" then "):
                    if action:
                        getattr(board, action)()
                lab.run(for_ms=turn_ms)

        found = []
        for turns in (12, 40, 40):
            live(turns)
            found.append(counts(lab))
    # What is made once, such as a module's class, is not made twice; one thing left a turn would be 40.
    more = [[after - before for before, after in zip(*pair, strict=True)] for pair in pairwise(found)]
    greenlets, timers, objects = map(min, zip(*more, strict=True))
    assert greenlets < 5
    assert timers < 20
    assert objects < 35


def test_timers_that_were_cancelled_do_not_pile_up():
    with Lab() as lab:
        lab.board(code="import time\ntime.sleep(10**5)")  # what it waits for lies before those
        board = lab.board(code="import time\ntime.sleep(10**6)")
        for _ in range(1_500):
            board.soft_reset()
            lab.run(for_ms=11)
        assert len(lab.clock._heap) <= 1_001


def test_many_boards_are_kept_out_of_the_collectors_way_until_the_lab_is_closed():
    frozen = gc.get_freeze_count()
    with Lab(record=False) as few:
        few.board(code="")
        few.run()
        assert gc.get_freeze_count() == frozen
    with Lab(record=False) as many, Lab(record=False) as more:
        for lab in (many, more):
            for number in range(100):
                lab.board(code="", name=f"b{number}")
        many.run()
        held = gc.get_freeze_count()
        assert held > frozen + 100 * 50
        more.run()
        assert gc.get_freeze_count() <= held
        more.close()
        assert gc.get_freeze_count() > frozen + 100 * 50  # it was not this one that held them
    assert gc.get_freeze_count() == frozen


def test_a_program_that_raises_at_the_end_spares_no_other_and_frees_the_collector():
    frozen = gc.get_freeze_count()
    lab = Lab(record=False)
    for number in range(100):
        lab.board(code="import time\ntry:\n  time.sleep(9)\nfinally:\n  raise KeyboardInterrupt", name=f"b{number}")
    lab.run(for_ms=1)
    assert gc.get_freeze_count() > frozen
    with pytest.raises(KeyboardInterrupt):
        lab.close()
    assert {board.power_state.value for board in lab.boards} == {"off"}
    assert gc.get_freeze_count() == frozen


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list descriptors")
@pytest.mark.parametrize("expose", [False, True])
def test_datagram_sockets_that_a_program_forgets_are_closed(expose):
    with Lab(expose=expose) as lab:
        lab.router("home", "secret123")
        board = lab.board(
            code=BEGIN + "import socket\nsta.connect('home', 'secret123')\nwhile not sta.isconnected(): time.sleep(1)\n"
            "def say(port):\n  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n  s.bind(('', port))\n"
            "  s.sendto(b'x', ('127.0.0.1', 9))\nbefore = time.ticks_ms()\nfor n in range(40): say(n % 2 * 5000)\n"
            "kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nkept.bind(('', 5000))\nprint('done')\n"
            "time.sleep(10**6)"
        )
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        board.expect("done")
        more = len(list(Path("/proc/self/fd").iterdir())) - descriptors
        assert more == len(board.network.ports) == expose

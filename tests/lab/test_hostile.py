"""Programs that harm: nothing of one holds up the lab, another board or the computer, and each can be ended."""

import gc
import math
import signal
import subprocess
import sys

import greenlet
import pytest

from espnow.lab import Lab, hub
from espnow.micropython import flash

SWALLOW = "while True:\n  try:\n    while True: pass\n  except: pass"

STUBBORN = {
    "computes": SWALLOW,
    "waits": "import time\nwhile True:\n  try: time.sleep(1)\n  except: pass",
    "waits at the end": "import time\ntry: time.sleep(9)\nfinally:\n"
    "  while True:\n    try: time.sleep(1)\n    except: pass",
    "nested": "def f():\n  try: f()\n  finally: f()\nf()",
    "nested lambdas": "f = lambda: f()\nwhile True:\n  try: f()\n  except: pass",
    "called by C": "def f(x):\n  try:\n    while True: pass\n  except: pass\nany(map(f, iter(int, 1)))",
    "in a generator": "def g():\n  while True:\n    try: yield\n    except: pass\nfor _ in g(): pass",
    "a generator that is left": "def g():\n  try: yield\n  finally:\n    while True: pass\nx = g()\nnext(x)\n"
    + SWALLOW,
    "in a thread": "import _thread\ndef f():\n  while True:\n    try:\n      while True: pass\n    except: pass\n"
    "_thread.start_new_thread(f, ())\nf()",
    "in a callback": "from machine import Timer\ndef f(t):\n"
    "  while True:\n    try:\n      while True: pass\n    except: pass\n"
    "Timer(0).init(period=1, callback=f)\nwhile True: pass",
    "in a task": "import asyncio\nasync def f():\n  while True:\n    try: await asyncio.sleep(1)\n    except: pass\n"
    "while True:\n  try: asyncio.run(f())\n  except: pass",
    "falls asleep": "import machine\nwhile True:\n  try: machine.deepsleep(5)\n  except: pass",
    "restarts": "import machine\ndef f():\n  try: machine.reset()\n  except: f()\nf()",
    "is watched": "import machine\nmachine.WDT(timeout=20)\n" + SWALLOW,
}

BEAT = "import time\nwhile True:\n  time.sleep_ms(10)\n  print(time.ticks_ms())"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", STUBBORN)
def test_what_will_not_end_is_ended_at_any_time_and_leaves_nothing(name):
    kept = len(hub._abandoned)
    with Lab() as lab:
        beat = lab.board(code=BEAT)
        board = lab.board(code=STUBBORN[name])
        lab.run(for_ms=35)
        for action in ("soft_reset", "power_off", "power_on", "interrupt", "reset", "reset", "power_off"):
            if action == "soft_reset" and board.power_state.value != "on":
                continue
            for after_ms in (1, 20, 301):  # asleep, starting, running
                getattr(board, action)()
                before = len(beat.lines)
                lab.run(for_ms=after_ms)
                assert len(beat.lines) - before >= after_ms // 10
    assert board.finished
    assert len(hub._abandoned) == kept


def test_what_is_killed_again_and_again_leaves_no_greenlet(lab):
    board = lab.board(code=SWALLOW)

    def greenlets():
        gc.collect()
        return sum(isinstance(each, greenlet.greenlet) for each in gc.get_objects())

    lab.run(for_ms=5)
    before = greenlets()
    for _ in range(20):
        board.soft_reset()
        lab.run(for_ms=15)
    assert greenlets() == before


# Ctrl-C at the host.

HOST = """
import sys
from espnow.lab import Lab
with Lab() as lab:
    lab.board(code=sys.argv[1])
    print("ready", flush=True)
    try:
        lab.run()
    except KeyboardInterrupt:
        print("interrupted")
    lab.run(for_ms=1)
print("closed")
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["computes", "waits", "in a thread", "in a task", "falls asleep"])
def test_ctrl_c_ends_a_run_whatever_the_program_catches(name):
    command = [sys.executable, "-c", HOST, STUBBORN[name]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=40)
    assert (out, err, process.returncode) == ("interrupted\nclosed\n", "", 0)


def test_the_hosts_handler_of_ctrl_c_is_back_after_a_run(lab):
    before = signal.getsignal(signal.SIGINT)
    during = []
    lab.at(1, lambda: during.append(signal.getsignal(signal.SIGINT)))
    lab.run(for_ms=2)
    assert signal.getsignal(signal.SIGINT) is before
    assert during[0] is not before


@pytest.mark.parametrize(
    "code",
    [
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
        "raise BaseException('x')",
        "import machine\ndef f(t): raise KeyboardInterrupt\nmachine.Timer(0).init(period=1, callback=f)\nwhile 1: pass",
        *(
            f"import _thread, time\ndef f(): raise {error}\n_thread.start_new_thread(f, ())\ntime.sleep_ms(5)\n1 / 0"
            for error in ("KeyboardInterrupt", "GeneratorExit", "BaseException('x')")
        ),
    ],
)
def test_whatever_a_program_raises_is_its_own(lab, code):
    board = lab.board(code=code)
    other = lab.board(code="import time\ntime.sleep_ms(50)\nprint('x')")
    lab.run(for_ms=100)
    assert lab.now_ms == 100
    assert (board.state, other.output) == ("failed", "x\n")
    assert "Traceback" in board.output


# What one program changes.


def test_two_boards_have_different_modules_of_one_name(lab, tmp_path):
    """Also where threads, tasks and callbacks of both import them in turns."""
    code = """
import _thread, asyncio, sys, time
from machine import Timer
seen = []
def look(*_):
    sys.modules.pop("helper", None)
    import helper
    seen.append(helper.NAME)
def thread():
    for _ in range(10):
        look()
        time.sleep_ms(1)
async def task():
    for _ in range(10):
        look()
        await asyncio.sleep_ms(1)
_thread.start_new_thread(thread, ())
Timer(0).init(period=1, callback=look)
asyncio.run(task())
Timer(0).deinit()
time.sleep_ms(20)
print(set(seen), len(seen) > 25)
"""
    boards = []
    for name in "abc":
        folder = tmp_path / name
        folder.mkdir()
        (folder / "helper.py").write_text(f"NAME = {name!r}")
        (folder / "main.py").write_text(code)
        boards.append(lab.board(folder))
    lab.run()
    assert [board.output for board in boards] == [f"{{{name!r}}} True\n" for name in "abc"]
    assert "helper" not in sys.modules


SPOIL = """
import math, json, heapq, functools, sys, ssd1306, ds18x20, time, machine
math.pi = 3
math.sin = None
functools.reduce = heapq.heappush = json.dumps = time.sleep_ms = None
ssd1306.SSD1306.show = ssd1306.SSD1306_I2C.show = ds18x20.DS18X20.scan = None
sys.modules["math"] = None
sys.path.clear()
machine.Pin.OUT = 77
"""

LOOK = """
import math, json, heapq, functools, time, ssd1306, ds18x20, machine
time.sleep_ms(5)
heap = []
heapq.heappush(heap, 2)
print(math.pi > 3.1, math.sin(0), json.dumps(heap), len(heap), functools.reduce(max, [1, 2]))
print(None in (ssd1306.SSD1306.show, ssd1306.SSD1306_I2C.show, ds18x20.DS18X20.scan), machine.Pin.OUT == 77)
"""


def test_what_a_program_changes_in_modules_is_no_other_boards_and_not_the_hosts(lab):
    spoiler = lab.board(code=SPOIL)
    other = lab.board(code=LOOK)
    lab.run()
    assert spoiler.state == "ended", spoiler.output
    assert other.output == "True 0.0 [2] 1 2\nFalse False\n"
    assert math.pi > 3.1
    assert math.sin(0) == 0
    assert sys.modules["math"] is math


def test_what_is_added_to_a_display_is_there_for_each_kind_of_it(lab):
    code = """
import ssd1306
ssd1306.SSD1306.wide = lambda self: self.width
from machine import I2C
print(isinstance(ssd1306.SSD1306_I2C(128, 64, I2C(0)), ssd1306.SSD1306))
print(ssd1306.SSD1306_I2C(128, 64, I2C(0)).wide())
"""
    board = lab.board(code=code)
    lab.run()
    assert board.output == "True\n128\n"


def test_nobody_calls_del_as_on_a_board(lab):
    """What Python calls when it pleases would let two runs of one seed differ."""
    code = """
class D:
    def __del__(self):
        print("gone")
        self.__del__

D()
d = D()
d.__del__()
del d
"""
    board = lab.board(code=code + "D().__del__(1)")
    lab.run()
    assert board.lines[0] == "gone"
    assert board.lines[-1] == "TypeError: D.__del__() takes 1 positional argument but 2 were given"


# What there is no end of.


def test_threads_without_end(lab):
    code = "import _thread, time\ndef f():\n  _thread.start_new_thread(f, ())\n  time.sleep_ms(100)\nf()"
    board = lab.board(code=code)
    other = lab.board(code=BEAT)
    lab.run(for_ms=95)
    assert len(other.lines) == 9
    assert "OSError: can't create thread" in board.output
    lab.run(for_ms=300)
    assert board.finished


@pytest.mark.parametrize("then", ["pass", "time.sleep_ms(1)"])
@pytest.mark.parametrize("call", ["time.sleep_ms(1)", "e.recv(1)", "w.feed()", "e.send(b, 'x', False)"])
def test_a_program_nested_too_deeply_for_a_call_leaves_the_clock_in_order(lab, call, then):
    code = f"""
import espnow, network, time, machine
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
b = b'\\xff' * 6
e.add_peer(b)
w = machine.WDT()
def f():
    {call}
    f()
while True:
    try: f()
    except RecursionError: {then}
"""
    board = lab.board(code=code)
    others = [lab.board(code=BEAT)]
    lab.run(for_ms=2_500)
    assert lab.now_ms == 2_500
    assert board.state == "running", board.output
    assert all(len(other.lines) > 240 for other in others)
    heap = [timer[:2] for timer in lab.clock._heap]
    assert all(heap[number] >= heap[(number - 1) // 2] for number in range(1, len(heap)))


def test_a_watchdog_that_is_fed_all_the_time_leaves_one_timer(lab):
    board = lab.board(
        code="import machine\nw = machine.WDT(timeout=50)\nfor _ in range(5000): w.feed()\nwhile True: pass"
    )
    lab.run(for_ms=40)
    assert len(lab.clock._heap) < 10
    lab.run(for_ms=14)
    assert board.power_state.value == "on"
    lab.run(for_ms=5)  # 50 ms after it was fed for the last time, and that took 5 ms
    assert board.power_state.value == "restarting"


def test_what_a_program_puts_into_sys_modules_harms_nobody(lab):
    board = lab.board(
        code="import sys, machine\nsys.modules['time'] = None\nsys.modules['x'] = 5\nmachine.deepsleep(5)"
    )
    lab.run(for_ms=1000)
    assert board.power_states[-1][0] > 600_000


def test_files_without_end_fill_the_flash_and_not_the_computer(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(flash, "_NAMES_IN_BLOCK", 1)  # so that it takes less long
    code = """
number = 0
try:
    while True:
        open(f"{number}.txt", "w").close()
        number += 1
except OSError as error:
    print(error.errno, number < 600)
open("0.txt", "w").close()
"""
    board = lab.board(code=code, flash=tmp_path)
    lab.run()
    assert board.output == "28 True\n"
    assert len(list(tmp_path.iterdir())) < 600


@pytest.mark.timeout(20)
@pytest.mark.parametrize("ms", ["0", ""])
def test_light_sleep_that_ends_at_once_takes_its_time(lab, ms):
    code = f"""
import machine, esp32
esp32.wake_on_ext0(machine.Pin(4, machine.Pin.IN, machine.Pin.PULL_UP), 1)
while True: machine.lightsleep({ms})
"""
    board = lab.board(code=code)
    lab.run(for_ms=500)
    assert 500 < len(board.power_states) <= 2_001


# The lab after trouble.


def test_an_exception_out_of_a_run_leaves_the_lab_of_use(lab):
    beat = lab.board(code=BEAT)
    lab.at(15, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        lab.run(for_ms=100)
    with pytest.raises(ZeroDivisionError):
        lab.run_until(lambda: 1 / 0)
    later = lab.board(code="print('later')")
    lab.run(for_ms=50)
    assert later.output == "later\n"
    assert len(beat.lines) >= 6


@pytest.mark.parametrize("at_ms", [0, 1, 5, 105, 150, 310, 405])
@pytest.mark.parametrize(
    "act",
    [
        lambda lab, board: lab.close(),
        lambda lab, board: lab.interrupt(),
        lambda lab, board: board.reset(),
        lambda lab, board: board.interrupt(),
        lambda lab, board: (board.power_off(), board.power_on(), board.power_off(), board.power_on()),
        lambda lab, board: lab.board(code=BEAT, name="added"),
        lambda lab, board: (board.power_off(), lab.board(code=BEAT, at=(1, 1)), board.power_on()),
        lambda lab, board: lab.router("home", "secret123"),
        lambda lab, board: lab.at(0, lambda: lab.at(0, board.reset)),
        lambda lab, board: (board.type("x\n"), board.close_input(), board.reset()),
    ],
)
def test_the_lab_can_be_acted_upon_from_inside_at_any_time(lab, act, at_ms):
    code = """
import machine, network, espnow, time
w = network.WLAN(0)
w.active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(b'\\xff' * 6)
e.send(b'\\xff' * 6, 'x')
machine.deepsleep(100)
"""
    beat = lab.board(code=BEAT)
    board = lab.board(code=code)
    lab.at(at_ms, lambda: act(lab, board))
    lab.run(for_ms=1000)
    assert lab.now_ms == 1000
    assert len(beat.lines) >= 99 or beat.finished
    lab.close()
    lab.close()
    lab.run(for_ms=10)
    assert board.finished

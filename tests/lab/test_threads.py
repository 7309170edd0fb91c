"""Threads of a board: greenlets of its own that wait, end and die with it."""

import pytest

from espnow.testing import Bench

RADIO = """\
import network, espnow, time, _thread
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
"""
EVERYBODY = b"\xff" * 6


def run(lab, code, for_ms=None, flash=None):
    board = lab.board(code="import _thread, time\n" + code, flash=flash)
    lab.run(for_ms)
    return board


def test_threads_run_side_by_side(lab):
    board = run(
        lab,
        """
def f(name, n, end="."):
    for i in range(n):
        time.sleep_ms(10)
        print(name, i, time.ticks_ms(), end + "\\n", end="")
a = _thread.start_new_thread(f, ("a", 2))
b = _thread.start_new_thread(f, ["b", 3], {"end": "!"})
print(a, b, _thread.get_ident())
f("main", 2)
""",
    )
    assert board.lines == [
        "2 3 1",
        "main 0 10 .",  # it fell asleep first
        "a 0 10 .",
        "b 0 10 !",
        "main 1 20 .",
        "a 1 20 .",
        "b 1 20 !",
        "b 2 30 !",
    ]
    assert board.state == "ended"


@pytest.mark.parametrize("work", ["while True: n += 1", "while True: time.sleep_ms(1); n += 1"])
@pytest.mark.parametrize("sleeper", ["main", "thread"])
def test_light_sleep_stops_them_all(lab, sleeper, work):
    board = run(
        lab,
        f"""
import machine
n = 0
def count():
    global n
    {work}
def sleep():
    time.sleep_ms(10)
    before = n
    machine.lightsleep(1000)
    print(before > 5, n - before, time.ticks_ms())
    time.sleep_ms(10)
    print(n > before)
first, second = (count, sleep) if {sleeper == "main"} else (sleep, count)
_thread.start_new_thread(first, ())
second()
""",
        for_ms=1_100,
    )
    assert board.lines == ["True 0 1010", "True"]


def test_a_program_that_has_ended_is_armed_while_a_thread_runs(lab):
    board = run(lab, "def f():\n  time.sleep(1)\n  print('late')\n_thread.start_new_thread(f, ())", for_ms=100)
    assert (board.state, board.finished, board.exit_code) == ("armed", False, 0)
    lab.run()
    assert (board.state, board.finished, board.output) == ("ended", True, "late\n")
    assert 1000 <= lab.now_ms < 1010


def test_busy_threads_do_not_stall_each_other(lab):
    board = run(
        lab,
        """
n = [0, 0]
def f(i):
    while True: n[i] += 1
for i in range(2): _thread.start_new_thread(f, (i,))
time.sleep_ms(10)
print(all(9_000 <= count <= 10_200 for count in n), n)
""",
        for_ms=20,
    )
    assert board.output.startswith("True"), board.output
    assert board.state == "armed"


def test_each_thread_has_its_number(lab):
    code = """
seen = []
def f(): seen.append(_thread.get_ident())
numbers = [_thread.start_new_thread(f, ()) for _ in range(3)]
time.sleep_ms(1)
print(numbers == seen, seen, _thread.get_ident())
"""
    assert run(lab, code).output == "True [2, 3, 4] 1\n"


# Locks.


def test_a_lock_lets_one_in_after_the_other(lab):
    code = """
lock = _thread.allocate_lock()
print(type(lock) is _thread.LockType, lock.locked())
def f(name):
    for _ in range(2):
        with lock:
            print(name, "in")
            time.sleep_ms(5)
            print(name, "out")
        time.sleep_ms(1)
for name in "abc": _thread.start_new_thread(f, (name,))
"""
    board = run(lab, code)
    assert board.lines[0] == "True False"
    pairs = list(zip(board.lines[1::2], board.lines[2::2], strict=True))
    assert len(pairs) == 6
    assert all(first.split()[0] == second.split()[0] for first, second in pairs)
    assert lab.now_ms >= 30


@pytest.mark.parametrize(
    ("arguments", "result", "took_ms"),
    [("", True, 50), ("1", True, 50), ("0", False, 0), ("False", False, 0), ("1, 0.02", False, 20), ("1, 1", True, 50)],
)
def test_acquire(lab, arguments, result, took_ms):
    code = f"""
lock = _thread.allocate_lock()
def f():
    with lock: time.sleep_ms(50)
_thread.start_new_thread(f, ())
time.sleep_us(1)
begin = time.ticks_ms()
print(lock.acquire({arguments}), round(time.ticks_diff(time.ticks_ms(), begin), -1), lock.locked())
"""
    assert run(lab, code).output == f"{result} {took_ms} True\n"


def test_a_lock_that_is_not_taken_cannot_be_released(lab):
    assert run(lab, "try: _thread.allocate_lock().release()\nexcept RuntimeError: print('no')").output == "no\n"


def test_a_lock_can_be_released_by_another_thread(lab):
    code = """
lock = _thread.allocate_lock()
lock.acquire()
_thread.start_new_thread(lambda: (time.sleep_ms(5), lock.release()), ())
lock.acquire()
print(time.ticks_ms())
"""
    assert run(lab, code).output == "5\n"


# Ends.


@pytest.mark.parametrize("end", ["_thread.exit()", "raise SystemExit", "import sys; sys.exit(3)", "return"])
def test_a_thread_that_ends_says_nothing(lab, end):
    board = run(lab, f"def f():\n  {end}\n_thread.start_new_thread(f, ())\ntime.sleep_ms(1)\nprint('end')")
    assert (board.output, board.exit_code) == ("end\n", 0)


def test_an_exception_in_a_thread_is_printed_and_the_others_go_on(lab):
    board = run(lab, "def work():\n  1 / 0\n_thread.start_new_thread(work, ())\ntime.sleep_ms(1)\nprint('end')")
    assert board.lines == [
        "Unhandled exception in thread started by <function work>",
        "Traceback (most recent call last):",
        '  File "<string>", line 3, in work',
        "ZeroDivisionError: division by zero",
        "end",
    ]
    assert board.state == "ended"


@pytest.mark.parametrize("end", ["1 / 0", "raise SystemExit(1)"])
def test_a_program_that_fails_takes_its_threads_along_and_one_that_ends_does_not(lab, end):
    board = run(lab, f"def f():\n  time.sleep(1)\n  print('late')\n_thread.start_new_thread(f, ())\n{end}")
    assert board.exit_code == 1
    assert ("late" in board.output) is (end != "1 / 0")


@pytest.mark.parametrize("how", ["power_off", "soft_reset", "reset", "close"])
@pytest.mark.parametrize("main", ["while True: pass", "time.sleep(100)", "pass"])
@pytest.mark.parametrize("thread", ["while True: pass", "time.sleep(100)", "lock.acquire()"])
def test_threads_die_with_their_board(lab, tmp_path, how, main, thread):
    code = f"""
lock = _thread.allocate_lock()
lock.acquire()
def f():
    try:
        {thread}
    finally:
        print("dies")
    print("never")
if first:
    _thread.start_new_thread(f, ())
    {main}
"""
    (tmp_path / "flash").mkdir()
    board = lab.board(
        flash=tmp_path / "flash",
        code="import _thread, time, os\nfirst = 'ran' not in os.listdir('/')\nopen('ran', 'w')\n" + code,
    )
    other = lab.board(code="import time\ntime.sleep(1)\nprint('other')")
    lab.run(for_ms=10)
    getattr(lab if how == "close" else board, how)()
    assert board.output.count("dies") == 1
    if how != "close":
        lab.run(for_ms=2000)
        assert other.output == "other\n"
    assert "never" not in board.output
    assert board.finished


@pytest.mark.parametrize("call", ["soft_reset()", "reset()", "deepsleep(10)"])
def test_a_thread_can_restart_the_board(lab, tmp_path, call):
    code = f"""
import machine, os
first = "ran" not in os.listdir("/")
open("ran", "w").close()
print("first" if first else "second")
def f():
    time.sleep_ms(5)
    machine.{call}
    print("never")
if first:
    _thread.start_new_thread(f, ())
    try:
        time.sleep(100)
    finally:
        time.sleep(1)
        print("never, either")
"""
    board = run(lab, code, flash=tmp_path)
    assert board.lines[:1] == ["first"]
    assert board.lines[-1] == "second"
    assert "never" not in board.output
    assert (board.state, board.finished) == ("ended", True)


@pytest.mark.parametrize("call", ["soft_reset()", "reset()", "deepsleep(1000)"])
def test_a_thread_ends_when_the_program_restarts_the_board(lab, tmp_path, call):
    code = f"""
import machine, os
def f():
    while True:
        time.sleep_ms(10)
        print("tick")
if "ran" in os.listdir("/"):
    time.sleep(1)
    print("second")
else:
    open("ran", "w").close()
    _thread.start_new_thread(f, ())
    time.sleep_ms(25)
    machine.{call}
"""
    assert run(lab, code, flash=tmp_path).lines == ["tick", "tick", "second"]


@pytest.mark.timeout(20)
def test_a_thread_that_catches_everything_can_be_ended(lab):
    code = "def f():\n  while True:\n    try:\n      time.sleep(1)\n    except: pass\n_thread.start_new_thread(f, ())"
    board = run(lab, code, for_ms=10)
    board.power_off()
    assert board.finished
    assert board.state == "ended"


def test_ctrl_c_ends_the_program_and_its_threads(lab):
    code = "def f():\n  while True: pass\n_thread.start_new_thread(f, ())\n"
    code += "try:\n  while True: pass\nexcept KeyboardInterrupt:\n  print('bye')"
    board = lab.board(code="import _thread, time\n" + code)
    lab.clock.call_at(5000, lab.clock.interrupt)
    with pytest.raises(KeyboardInterrupt):
        lab.run()
    lab.interrupt()
    assert board.output == "bye\n"
    assert board.finished


# With the rest.


def test_a_thread_receives_while_the_program_computes_and_sends(lab):
    receiver = lab.board(
        code=RADIO
        + """
got = []
def listen():
    while len(got) < 3:
        host, message = e.recv()
        got.append(message)
_thread.start_new_thread(listen, ())
n = 0
while len(got) < 3: n += 1
print(got, n > 1000)
"""
    )
    lab.board(
        code=RADIO + f"e.add_peer({EVERYBODY})\nfor n in range(3):\n  time.sleep_ms(5)\n  e.send({EVERYBODY}, str(n))"
    )
    lab.run()
    assert receiver.output == "[b'0', b'1', b'2'] True\n"


def test_asyncio_in_one_thread_leaves_the_others_alone(lab):
    code = """
import asyncio
def f():
    for i in range(3):
        time.sleep_ms(10)
        try:
            asyncio.get_running_loop()
            print("mixed up")
        except RuntimeError:
            pass
    print("thread")
async def main():
    _thread.start_new_thread(f, ())
    for i in range(5):
        await asyncio.sleep_ms(7)
        asyncio.get_running_loop()
        asyncio.current_task()
        time.sleep_ms(1)
        assert asyncio.current_task() is not None
    print("main")
asyncio.run(main())
"""
    board = run(lab, code)
    assert sorted(board.lines) == ["main", "thread"], board.output


@pytest.mark.parametrize("first", ["", "import asyncio"])
def test_asyncio_of_a_thread_is_kept_apart_too(lab, first):
    code = """
def f():
    import asyncio
    async def g():
        await asyncio.sleep_ms(20)
        return asyncio.current_task() is not None
    print(asyncio.run(g()))
_thread.start_new_thread(f, ())
time.sleep_ms(10)
import asyncio
try:
    asyncio.get_running_loop()
except RuntimeError:
    print("none")
time.sleep_ms(20)
"""
    assert run(lab, f"{first}\n{code}").output == "none\nTrue\n"


def test_a_callback_runs_once_with_threads(lab):
    receiver = lab.board(
        code=RADIO
        + """
seen = []
e.irq(lambda e: seen.append(e.recv(0)[1]))
def f():
    while len(seen) < 2: pass
_thread.start_new_thread(f, ())
time.sleep_ms(50)
print(seen)
"""
    )
    lab.board(
        code=RADIO + f"e.add_peer({EVERYBODY})\nfor n in range(2):\n  time.sleep_ms(5)\n  e.send({EVERYBODY}, str(n))"
    )
    lab.run()
    assert receiver.output == "[b'0', b'1']\n"


def test_runs_with_threads_repeat(make_lab):
    code = """
import random
out = []
def f(name):
    for _ in range(20):
        time.sleep_us(random.randrange(2000))
        out.append(name)
for name in "abcd": _thread.start_new_thread(f, (name,))
time.sleep(1)
print("".join(out))
"""
    outputs = {run(make_lab(seed=5), code).output for _ in range(3)}
    assert len(outputs) == 1
    assert len(outputs.pop()) == 81


# Mistakes.


@pytest.mark.parametrize(
    "call", ["start_new_thread(print, 1)", "start_new_thread(print, (), 1)", "start_new_thread(print, None)"]
)
def test_wrong_arguments(call):
    with pytest.raises(TypeError):
        Bench().run(f"import _thread\n_thread.{call}")


def test_an_esp8266_has_none():
    with pytest.raises(ImportError) as caught:
        Bench("esp8266").run("import _thread")
    assert caught.value.name == "_thread"


def test_stack_size():
    bench = Bench()
    bench.run("import _thread\nprint(_thread.stack_size(4096), _thread.stack_size(), _thread.stack_size())")
    assert bench.output == "0 4096 0\n"


def test_one_board_alone_has_no_threads():
    bench = Bench()
    with pytest.raises(RuntimeError):
        bench.run("import _thread\n_thread.start_new_thread(print, ())")
    bench.run("import _thread\nwith _thread.allocate_lock() as l: print(_thread.get_ident())")
    assert bench.output == "1\n"


def test_a_thread_that_interrupts_its_board_ends_with_it(lab):
    def program(board):
        import _thread
        import time

        def thread():
            time.sleep(1)
            board.interrupt()
            print("interrupted")
            time.sleep(1)
            print("never")

        _thread.start_new_thread(thread, ())
        time.sleep(60)

    board = lab.board(program)
    lab.run(for_ms=5_000)
    assert board.lines == ["interrupted"]
    assert (board.finished, board.exit_code, type(board.error)) == (True, 130, KeyboardInterrupt)


def test_boards_that_switch_each_other_off(lab):
    def first(board):
        import time

        try:
            time.sleep(60)
        finally:
            boards[1].power_off()

    def second(board):
        import time

        time.sleep(1)
        boards[0].power_off()
        print("both are off")
        time.sleep(1)
        print("never")

    boards = [lab.board(first), lab.board(second)]
    lab.run(for_ms=5_000)
    assert [board.lines for board in boards] == [[], ["both are off"]]
    assert {(board.power_state.value, board.state, board.finished) for board in boards} == {("off", "ended", True)}

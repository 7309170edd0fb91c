"""Programs take turns: none can hold another up, hurt it, or see what is not its own."""

import asyncio
import gc
import sys

import pytest

from espnow.lab import Lab

RADIO = """\
import network, espnow, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
"""

EVERYBODY = b"\xff" * 6

BUSY = [
    "while True: pass",
    "n = 0\nwhile True:\n  n += 1",
    "def f(): return 1\nwhile f(): pass",
    "for _ in iter(int, 1): pass",
    "def f():\n  while True:\n    yield 1\nfor _ in f(): pass",
    "import asyncio\nasync def f():\n  while True: pass\nasyncio.run(f())",
    "import asyncio\nasync def f():\n  while True:\n    await asyncio.sleep(0)\nasyncio.run(f())",
    "import time\nwhile True: time.ticks_ms()",
    "import time\nwhile True: time.sleep(0)",
    "try:\n  while True: pass\nexcept ValueError: pass",
    "def f(): f()\nwhile True:\n  try:\n    f()\n  except RecursionError: pass",
    "import random\nwhile random.random() < 2: pass",
]


@pytest.mark.parametrize("code", BUSY)
@pytest.mark.timeout(20)
def test_a_busy_program_does_not_stall_the_others(lab, code):
    busy = lab.board(code=code)
    other = lab.board(code="import time\nfor n in range(5):\n  time.sleep_ms(2)\n  print(n, time.ticks_ms())")
    lab.run(for_ms=15)
    assert lab.now_ms == 15
    assert [line.split()[0] for line in other.lines] == list("01234")
    assert abs(int(other.lines[-1].split()[1]) - 10) <= 1
    assert busy.state == "running"


def test_a_callback_runs_inside_a_busy_loop(lab):
    receiver = lab.board(
        code=RADIO + "seen = []\ndef f(e): seen.append(e.recv(0)[1])\ne.irq(f)\nwhile len(seen) < 3: pass\nprint(seen)"
    )
    lab.board(
        code=RADIO + f"e.add_peer({EVERYBODY})\nfor n in range(3):\n  time.sleep_ms(5)\n  e.send({EVERYBODY}, str(n))"
    )
    lab.run()
    assert receiver.output == "[b'0', b'1', b'2']\n"


def test_an_exception_in_a_callback_is_printed_and_the_program_goes_on(lab):
    receiver = lab.board(code=RADIO + "def f(e):\n  e.recv(0)\n  1/0\ne.irq(f)\ntime.sleep(1)\nprint('end')")
    lab.board(code=RADIO + f"e.add_peer({EVERYBODY})\ne.send({EVERYBODY}, 'x')")
    lab.run()
    assert receiver.lines[-2:] == ["ZeroDivisionError: division by zero", "end"]
    assert 'File "<string>", line 7, in f' in receiver.output


def test_a_recursion_error_hurts_its_own_program_only(lab):
    deep = lab.board(code="def f(n): return f(n + 1)\ntry:\n  f(0)\nexcept RecursionError:\n  print('deep')\nf(0)")
    others = [
        lab.board(
            code="import time\ndef f(n): return n and f(n - 1)\nfor _ in range(9):\n  time.sleep_ms(1)\n  f(400)\n"
            "print('ok')"
        )
        for _ in range(3)
    ]
    lab.run()
    assert deep.lines[0] == "deep"
    assert deep.lines[-1].startswith("RecursionError")
    assert [board.output for board in others] == ["ok\n"] * 3


def test_switching_in_the_middle_of_a_recursion(lab):
    code = """
import time
def f(n):
    if n == 0:
        time.sleep_ms(5)
        return 0
    return 1 + f(n - 1)
print(f(600))
"""
    boards = [lab.board(code=code) for _ in range(20)]
    lab.run()
    assert [board.output for board in boards] == ["600\n"] * 20


def test_exceptions_that_are_being_handled_stay_with_their_program(lab):
    code = """
import time, sys
for n in range(5):
    try:
        raise {error}(n)
    except Exception:
        time.sleep_ms(2)
        try:
            raise
        except Exception as error:
            print(type(error).__name__, error)
"""
    boards = [lab.board(code=code.format(error=error)) for error in ("KeyError", "ValueError")]
    lab.run()
    assert boards[0].lines == [f"KeyError {n}" for n in range(5)]
    assert boards[1].lines == [f"ValueError {n}" for n in range(5)]


def test_generators_are_suspended_with_their_program(lab):
    code = """
import time
def numbers():
    for n in range(4):
        time.sleep_ms(3)
        yield n
print(sum(numbers()), [n for n in numbers()])
"""
    boards = [lab.board(code=code) for _ in range(3)]
    lab.run()
    assert [board.output for board in boards] == ["6 [0, 1, 2, 3]\n"] * 3


# asyncio.

ASYNC = """
import asyncio, time
async def ticks(name, ms):
    for n in range(3):
        await asyncio.sleep_ms(ms)
        print(name, n, time.ticks_ms(), asyncio.current_task() is not None)
async def main():
    await asyncio.gather(ticks("a", {0}), ticks("b", {1}))
    return "done"
print(asyncio.run(main()))
"""


def expected(first, second):
    lines = sorted(
        [
            (ms * (n + 1), order, f"{name} {n} {ms * (n + 1)} True")
            for order, (name, ms) in enumerate([("a", first), ("b", second)])
            for n in range(3)
        ]
    )
    return [line for *_, line in lines] + ["done"]


def test_several_boards_run_asyncio_at_once(lab):
    pairs = [(10, 25), (7, 11), (10, 25), (30, 50)]
    boards = [lab.board(code=ASYNC.format(*pair)) for pair in pairs]
    plain = lab.board(code="import time\nfor _ in range(30):\n  time.sleep_ms(3)\nprint('plain')")
    lab.run()
    for board, pair in zip(boards, pairs, strict=True):
        assert board.lines == expected(*pair)
    assert plain.output == "plain\n"
    assert asyncio._get_running_loop() is None
    assert sys.get_asyncgen_hooks() == (None, None)


def test_blocking_calls_inside_coroutines_do_not_mix_boards_up(lab):
    code = """
import asyncio, time
async def main():
    me = asyncio.current_task()
    for _ in range(10):
        time.sleep_ms({0})
        assert asyncio.current_task() is me
        await asyncio.sleep_ms({0})
        assert asyncio.current_task() is me
    print("ok")
asyncio.run(main())
"""
    boards = [lab.board(code=code.format(ms)) for ms in (1, 2, 3)]
    boards.append(lab.board(code="import time\nfor _ in range(20):\n  time.sleep_ms(1)\nprint('ok')"))
    lab.run()
    assert [board.output for board in boards] == ["ok\n"] * 4


def test_messages_between_asyncio_boards(lab):
    radio = RADIO.replace("espnow.ESPNow", "aioespnow.AIOESPNow").replace("espnow, time", "aioespnow, time, asyncio")
    receiver = lab.board(
        code=radio
        + """
async def main():
    async for mac, message in e:
        print(bytes(message))
        if message == b"end":
            break
asyncio.run(main())
""",
        mac="02:00:00:00:00:01",
    )
    sender = lab.board(
        code=radio
        + """
async def main():
    peer = b"\\x02\\0\\0\\0\\0\\x01"
    e.add_peer(peer)
    for n in range(5):
        print(await e.asend(peer, str(n)))
        await asyncio.sleep_ms(3)
    await e.asend(peer, b"end")
asyncio.run(main())
"""
    )
    lab.run()
    assert receiver.lines == [f"b'{n}'" for n in range(5)] + ["b'end'"]
    assert sender.lines == ["True"] * 5
    assert [board.state for board in lab.boards] == ["ended"] * 2


ASYNC_GENERATORS = """
import asyncio
async def numbers(n):
    try:
        for i in range(n):
            yield i
            await asyncio.sleep_ms({0})
    finally:
        print("closed")
async def main():
    print([i async for i in numbers(3)])
    async for i in numbers(5):
        if i == 1:
            break
    await asyncio.sleep_ms(100)
    print("end")
asyncio.run(main())
"""


def test_async_generators_on_several_boards(lab):
    boards = [lab.board(code=ASYNC_GENERATORS.format(ms)) for ms in (1, 2, 3)]
    lab.run()
    gc.collect()
    for board in boards:
        assert board.lines == ["closed", "[0, 1, 2]", "closed", "end"]


LEFT_BEHIND = """
import asyncio, time
async def forever(name):
    try:
        while True:
            await asyncio.sleep(1)
    finally:
        print("cleanup", name)
async def numbers():
    try:
        while True:
            yield 1
            await asyncio.sleep(1)
    finally:
        print("generator closed")
async def reader():
    async for _ in numbers():
        pass
async def blocking():
    try:
        await asyncio.sleep(1)
    finally:
        time.sleep(1)
        print("not this")
async def main():
    for coroutine in (forever("x"), reader(), blocking()):
        asyncio.create_task(coroutine)
    await asyncio.sleep_ms(10)
asyncio.run(main())
print("end")
"""


@pytest.mark.parametrize("how", ["end", "close", "interrupt", "reset"])
def test_tasks_that_are_left_act_no_more(how):
    lab = Lab()
    code = LEFT_BEHIND if how == "end" else LEFT_BEHIND.replace("sleep_ms(10)", "sleep(10)")
    board = lab.board(code=code)
    other = lab.board(code="import time\nfor _ in range(9): time.sleep(1)\nprint('other')")
    if how == "end":
        lab.run()
        assert board.lines == ["end"]
    else:
        lab.run(for_ms=500)
        {"close": board.power_off, "interrupt": board.interrupt, "reset": board.soft_reset}[how]()
        lab.run(for_ms=500)
        assert board.output == ""
    lab.run_until(lambda: other.finished)
    lab.close()
    output = board.output
    del lab
    gc.collect()  # and nothing is printed or warned of when Python deletes what is left
    assert board.output == output
    assert asyncio._get_running_loop() is None


def test_a_program_that_dies_inside_asyncio_leaves_the_thread_clean(lab):
    dead = lab.board(code="import asyncio\nasync def f():\n  await asyncio.sleep_ms(5)\n  1/0\nasyncio.run(f())")
    alive = lab.board(code=ASYNC.format(10, 25))
    lab.run()
    assert dead.state == "failed"
    assert alive.lines == expected(10, 25)
    assert asyncio._get_running_loop() is None

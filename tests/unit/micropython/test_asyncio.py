"""asyncio in the board's time: one loop a board, MicroPython's extras, errors nobody awaits, nesting."""

import asyncio as host
import gc

import pytest
from greenlet import GreenletExit


def test_one_module_under_both_names(rig):
    assert rig.module("uasyncio") is rig.module("asyncio")


def test_two_boards_have_two_loops(make_rig):
    first, second = make_rig().module("asyncio"), make_rig().module("asyncio")
    assert first.get_event_loop() is not second.get_event_loop()


def test_the_host_s_module_stays_as_it_is(rig):
    before = dict(vars(host))
    rig.run("import asyncio\nasync def main():\n await asyncio.sleep(1)\nasyncio.run(main())")
    assert dict(vars(host)) == before
    assert host._get_running_loop() is None


def test_sleep_takes_virtual_time(rig):
    rig.run(
        """
import asyncio, time
async def main():
    await asyncio.sleep(1.5)
    print(time.ticks_ms())
    await asyncio.sleep_ms(20)
    print(time.ticks_ms())
    await asyncio.sleep_ms(0)
    await asyncio.sleep_ms(-5)
    return "done"
print(asyncio.run(main()))
"""
    )
    assert rig.lines == ["1500", "1520", "done"]
    assert rig.clock.now_us < 1_521_000


def test_timers_of_one_instant_keep_their_order(rig):
    rig.run(
        """
import asyncio
async def one(n):
    await asyncio.sleep_ms(10)
    print(n)
async def main():
    for n in range(20):
        asyncio.create_task(one(n))
    await asyncio.sleep_ms(20)
asyncio.run(main())
"""
    )
    assert rig.lines == [str(n) for n in range(20)]


def test_gather(rig):
    rig.run(
        """
import asyncio
async def one(n):
    await asyncio.sleep_ms(30 - n)
    return n
async def bad():
    raise ValueError("no")
async def main():
    print(await asyncio.gather(one(1), one(2), one(3)))
    print(await asyncio.gather(one(1), bad(), return_exceptions=True))
    print(await asyncio.gather())
    try:
        await asyncio.gather(bad(), one(1))
    except ValueError as error:
        print("caught", error)
asyncio.run(main())
"""
    )
    assert rig.lines == ["[1, 2, 3]", "[1, ValueError('no')]", "[]", "caught no"]


def test_a_loop_without_waiting_lets_time_pass(rig):
    rig.run(
        """
import asyncio, time
async def main():
    while time.ticks_ms() < 50:
        await asyncio.sleep(0)
asyncio.run(main())
"""
    )
    assert rig.clock.now_us >= 50_000


def test_callbacks_run_while_the_loop_spins(rig):
    names = rig.run(
        """
import asyncio, micropython
ended = False
def end(_):
    global ended
    ended = True
async def main():
    while not ended:
        await asyncio.sleep(0)
rig.at(5, lambda: rig.board.schedule(end, None))
asyncio.run(main())
"""
    )
    assert names["ended"]


def test_wait_for_ms(rig):
    rig.run(
        """
import asyncio, time
async def slow():
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        print("cancelled at", time.ticks_ms())
        raise
async def fast():
    await asyncio.sleep_ms(5)
    return "fast"
async def main():
    print(await asyncio.wait_for_ms(fast(), 100))
    print(await asyncio.wait_for_ms(fast(), None))
    try:
        await asyncio.wait_for_ms(slow(), 100)
    except asyncio.TimeoutError:
        print("timeout at", time.ticks_ms())
    try:
        await asyncio.wait_for(slow(), 0.1)
    except asyncio.TimeoutError:
        print("timeout at", time.ticks_ms())
asyncio.run(main())
"""
    )
    assert rig.lines == ["fast", "fast", "cancelled at 110", "timeout at 110", "cancelled at 210", "timeout at 210"]


def test_a_task_that_is_cancelled_as_its_awaitable_ends_is_cancelled(rig):
    rig.run(
        """
import asyncio
heard, stop = asyncio.Event(), asyncio.Event()
async def watch():
    while True:
        heard.clear()
        await asyncio.wait_for(heard.wait(), 10)
        print("heard")
async def main():
    watcher = asyncio.create_task(watch())
    asyncio.create_task(end())
    await stop.wait()
    watcher.cancel()
    print(type((await asyncio.gather(watcher, return_exceptions=True))[0]).__name__)
async def end():
    heard.set()
    await asyncio.sleep_ms(1)
    heard.set()
    stop.set()
asyncio.run(main())
"""
    )
    assert rig.lines == ["heard", "CancelledError"]


def test_what_has_run_out_of_time_is_late_whatever_it_does_about_it(rig):
    rig.run(
        """
import asyncio
async def stubborn():
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        return "kept"
async def broken():
    try:
        await asyncio.sleep(1)
    finally:
        raise ValueError("broke")
async def main():
    for work in stubborn, broken:
        try:
            print(await asyncio.wait_for(work(), 0.1))
        except asyncio.TimeoutError:
            print("late")
    try:
        await asyncio.wait_for(broken(), 2)
    except ValueError as error:
        print(error)
asyncio.run(main())
"""
    )
    assert rig.lines == ["late", "late", "broke"]


def test_cancelled_timers_do_not_pile_up(rig):
    names = rig.run(
        """
import asyncio
loop = asyncio.get_event_loop()
async def one():
    await asyncio.sleep_ms(1)
async def main():
    for _ in range(1000):
        await asyncio.wait_for(one(), 1000)
asyncio.run(main())
"""
    )
    assert len(names["loop"]._timers) < 300


def test_cancel(rig):
    rig.run(
        """
import asyncio
async def one():
    try:
        await asyncio.sleep(10)
    finally:
        print("cleaned")
async def main():
    task = asyncio.create_task(one())
    await asyncio.sleep_ms(1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled", task.done())
asyncio.run(main())
"""
    )
    assert rig.lines == ["cleaned", "cancelled True"]
    assert rig.clock.now_us < 2_000


def test_old_style_loop(rig):
    rig.run(
        """
import uasyncio as asyncio
async def one(n):
    await asyncio.sleep_ms(n)
    print(n)
    if n == 20:
        loop.stop()
loop = asyncio.get_event_loop(16, 16)
loop.create_task(one(20))
loop.create_task(one(10))
loop.run_forever()
print(loop.run_until_complete(one(5)))
loop.close()
asyncio.run(one(6))
"""
    )
    assert rig.lines == ["10", "20", "5", "None", "6"]


def test_tasks_made_before_run_and_left_after_it_go_on(rig):
    rig.run(
        """
import asyncio
async def background():
    n = 0
    while True:
        print("tick", n)
        n += 1
        await asyncio.sleep_ms(10)
async def main(n):
    await asyncio.sleep_ms(15)
    print("main", n)
asyncio.create_task(background())
asyncio.run(main(1))
asyncio.run(main(2))
asyncio.new_event_loop()
asyncio.run(main(3))
"""
    )
    assert rig.lines == ["tick 0", "tick 1", "main 1", "tick 2", "main 2", "main 3"]


def test_dropped_tasks_run_nothing_until_discarded(rig):
    rig.run(
        """
import asyncio
async def never_begun():
    pass
async def background():
    try:
        await asyncio.sleep(10)
    finally:
        print("finally")
async def main():
    await asyncio.sleep_ms(1)
asyncio.create_task(background())
asyncio.run(main())
asyncio.create_task(never_begun())
asyncio.new_event_loop()
"""
    )
    gc.collect()
    assert rig.lines == []
    from espnow.micropython import aio

    aio.discard(rig.modules["asyncio"])
    assert rig.lines == ["finally"]


def test_a_primitive_outlives_a_run(rig):
    rig.run(
        """
import asyncio
event, lock, queue = asyncio.Event(), asyncio.Lock(), asyncio.Queue()
async def setter():
    await asyncio.sleep_ms(1)
    event.set()
    await queue.put(3)
async def main():
    event.clear()
    asyncio.create_task(setter())
    async with lock:
        await event.wait()
        print(await queue.get())
for _ in range(3):
    asyncio.run(main())
    asyncio.new_event_loop()
"""
    )
    assert rig.lines == ["3"] * 3


def test_thread_safe_flag(rig):
    rig.run(
        """
import asyncio, time, select
flag = asyncio.ThreadSafeFlag()
async def main():
    for _ in range(2):
        await flag.wait()
        print(time.ticks_ms())
    flag.set()
    await flag.wait()
    flag.set()
    flag.clear()
    try:
        await asyncio.wait_for_ms(flag.wait(), 5)
    except asyncio.TimeoutError:
        print("cleared")
for ms in (10, 20):
    rig.at(ms, lambda: rig.board.schedule(lambda _: flag.set(), None))
asyncio.run(main())
poller = select.poll()
poller.register(flag)
print(poller.poll(0))
flag.set()
print(poller.poll(0)[0][1])
"""
    )
    assert rig.lines == ["10", "20", "cleared", "[]", "1"]


@pytest.mark.parametrize("how", ["event.set()", "loop.call_soon(event.set)", "loop.call_soon_threadsafe(event.set)"])
def test_a_callback_of_the_board_ends_the_loop_s_wait(rig, how):
    rig.run(
        f"""
import asyncio, time
loop = asyncio.get_event_loop()
event = asyncio.Event()
def callback(_):
    {how}
async def main():
    await event.wait()
    print(time.ticks_ms())
rig.at(10, lambda: rig.board.schedule(callback, None))
asyncio.run(main())
"""
    )
    assert rig.lines == ["10"]


def test_a_timer_set_by_a_callback_is_not_late(rig):
    rig.run(
        """
import asyncio, time
loop = asyncio.get_event_loop()
event = asyncio.Event()
async def main():
    try:
        await asyncio.wait_for(event.wait(), 10)
    finally:
        print(time.ticks_ms())
rig.at(10, lambda: rig.board.schedule(lambda _: loop.call_later(0.005, event.set), None))
asyncio.run(main())
"""
    )
    assert rig.lines == ["15"]


def test_nested_run(rig):
    rig.run(
        """
import asyncio
async def inner(n):
    me = asyncio.current_task()
    await asyncio.sleep_ms(10)
    assert asyncio.current_task() is me
    if n:
        print("inner", n, asyncio.run(inner(n - 1)))
    return n
async def background():
    for n in range(4):
        print("background", n)
        await asyncio.sleep_ms(9)
async def main():
    me = asyncio.current_task()
    asyncio.create_task(background())
    print("result", asyncio.run(inner(2)))
    assert asyncio.current_task() is me
    await asyncio.sleep_ms(50)
    try:
        asyncio.run(bad())
    except ValueError as error:
        print("caught", error)
    await asyncio.sleep_ms(1)
async def bad():
    raise ValueError("x")
asyncio.run(main())
"""
    )
    assert rig.lines == [
        "background 0",
        "background 1",
        "background 2",
        "background 3",
        "inner 1 0",
        "inner 2 1",
        "result 2",
        "caught x",
    ]
    assert host._get_running_loop() is None


def test_run_inside_a_callback_of_the_board(rig):
    rig.run(
        """
import asyncio
async def answer():
    await asyncio.sleep_ms(3)
    print("answered")
async def main():
    await asyncio.sleep_ms(20)
    print("main")
rig.at(10, lambda: rig.board.schedule(lambda _: asyncio.run(answer()), None))
asyncio.run(main())
"""
    )
    assert rig.lines == ["answered", "main"]


def test_an_exception_of_the_main_coroutine_leaves_run(rig):
    with pytest.raises(ValueError, match="x"):
        rig.run("import asyncio\nasync def main():\n raise ValueError('x')\nasyncio.run(main())")
    assert rig.console.text == ""


@pytest.mark.parametrize("bad", ["main", "5", "None"])
def test_run_wants_a_coroutine(rig, bad):
    with pytest.raises(TypeError):
        rig.run(f"import asyncio\nasync def main(): pass\nasyncio.run({bad})")


def test_an_exception_that_nobody_awaits_is_printed_at_once(rig):
    rig.run(
        """
import asyncio
async def bad():
    await asyncio.sleep_ms(10)
    raise ValueError("x")
async def main():
    task = asyncio.create_task(bad())
    await asyncio.sleep_ms(20)
    print("main goes on")
    try:
        await task
    except ValueError:
        print("caught late")
asyncio.run(main())
"""
    )
    assert rig.lines == [
        "Task exception wasn't retrieved",
        "future: <Task> coro= <generator object 'bad'>",
        "ValueError: x",
        "main goes on",
        "caught late",
    ]


@pytest.mark.parametrize(
    "awaiting",
    [
        "await bad_task",
        "await asyncio.wait_for(bad_task, 5)",
        "await asyncio.gather(bad_task)",
        "await asyncio.shield(bad_task)",
    ],
)
def test_an_exception_that_somebody_awaits_is_not_printed(rig, awaiting):
    rig.run(
        f"""
import asyncio
async def bad():
    await asyncio.sleep_ms(10)
    raise ValueError("x")
async def main():
    bad_task = asyncio.create_task(bad())
    try:
        {awaiting}
    except ValueError:
        print("caught")
    await asyncio.sleep_ms(50)
asyncio.run(main())
"""
    )
    gc.collect()
    assert rig.lines == ["caught"]


def test_exception_handler(rig):
    rig.run(
        """
import asyncio
def handler(loop, context):
    print(loop is asyncio.get_event_loop(), context["message"], context["exception"], context["future"].done())
    raise RuntimeError("in handler")
async def bad():
    raise ValueError("x")
async def main():
    asyncio.get_event_loop().set_exception_handler(handler)
    asyncio.create_task(bad())
    await asyncio.sleep_ms(20)
asyncio.run(main())
"""
    )
    assert rig.lines == ["True Task exception wasn't retrieved x True", "RuntimeError: in handler"]


def test_an_exception_of_a_plain_callback_is_printed(rig):
    rig.run(
        """
import asyncio
async def main():
    asyncio.get_event_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep_ms(1)
asyncio.run(main())
"""
    )
    assert rig.lines[0].startswith("Exception in callback")
    assert isinstance(rig.console.errors[0], ZeroDivisionError)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GreenletExit])
@pytest.mark.parametrize("nested", [False, True])
def test_what_ends_a_program_leaves_run_at_once(rig, error, nested):
    rig.builtins["Ending"] = error
    run = "asyncio.run(asyncio.sleep(100))" if nested else "await asyncio.sleep(100)"
    with pytest.raises(error):
        rig.run(
            f"""
import asyncio
async def end():
    await asyncio.sleep_ms(10)
    raise Ending
async def other():
    while True:
        await asyncio.sleep_ms(10)
        print("other")
async def main():
    asyncio.create_task(end())
    asyncio.create_task(other())
    {run}
asyncio.run(main())
"""
        )
    assert rig.console.text == ""
    assert host._get_running_loop() is None
    # The loop is as usable as MicroPython's.
    rig.run("import asyncio\nasync def main():\n await asyncio.sleep_ms(15)\nasyncio.run(main())")
    assert rig.lines == ["other", "other"]


def test_what_ends_a_program_leaves_run_from_a_plain_callback(rig):
    rig.builtins["Ending"] = GreenletExit
    with pytest.raises(GreenletExit):
        rig.run(
            """
import asyncio
def end():
    raise Ending
async def main():
    asyncio.get_event_loop().call_later(0.01, end)
    await asyncio.sleep(1)
asyncio.run(main())
"""
        )


def test_tasks_are_numbered_on_each_board(make_rig):
    for _ in range(2):
        rig = make_rig()
        rig.run(
            """
import asyncio
async def main():
    print(asyncio.current_task().get_name(), asyncio.create_task(asyncio.sleep(0)).get_name())
    print(asyncio.create_task(asyncio.sleep(0), name="own").get_name())
asyncio.run(main())
"""
        )
        assert rig.lines == ["Task-1 Task-2", "own"]


def test_async_generators_and_timeouts_and_groups(rig):
    rig.run(
        """
import asyncio, time
async def numbers():
    try:
        for n in range(10):
            await asyncio.sleep_ms(10)
            yield n
    finally:
        print("closed")
async def main():
    async for n in numbers():
        if n == 2:
            break
    await asyncio.sleep_ms(1)
    try:
        async with asyncio.timeout(0.05):
            await asyncio.sleep(1)
    except TimeoutError:
        print(time.ticks_ms())
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep_ms(3))
asyncio.run(main())
"""
    )
    assert rig.lines == ["closed", "81"]


def test_stream_reader(rig):
    rig.at(10, lambda: rig.console.type("hello\n"))
    rig.at(30, lambda: rig.console.type("abc\n", ""))
    rig.run(
        """
import asyncio, sys, time
async def tick():
    for _ in range(3):
        await asyncio.sleep_ms(8)
        print("tick")
async def main():
    asyncio.create_task(tick())
    reader = asyncio.StreamReader(sys.stdin)
    print(repr(await reader.readline()), time.ticks_ms())
    print(repr(await reader.readexactly(2)), time.ticks_ms())
    print(repr(await reader.read()))
    print(repr(await reader.readline()))
    writer = asyncio.StreamWriter(sys.stdout, {})
    writer.write("out\\n")
    await writer.drain()
asyncio.run(main())
"""
    )
    assert rig.lines == ["tick", "'hello\\n' 10", "tick", "tick", "'ab' 30", "'c\\n'", "''", "out"]


def test_a_cancelled_reader_leaves_the_input(rig):
    rig.run(
        """
import asyncio, sys
reader = asyncio.StreamReader(sys.stdin)
async def main():
    try:
        await asyncio.wait_for_ms(reader.readline(), 10)
    except asyncio.TimeoutError:
        print("nothing")
    rig.console.type("x\\n")
    print(await reader.readline())
asyncio.run(main())
"""
    )
    assert rig.lines == ["nothing", "x", ""]


def test_a_stream_needs_something_that_can_be_polled(rig):
    with pytest.raises(OSError, match="stream operation not supported"):
        rig.run("import asyncio\nasyncio.run(asyncio.StreamReader(object()).read(1))")


def test_no_processes_or_threads(rig):
    module = rig.module("asyncio")
    for name in ("to_thread", "create_subprocess_exec", "Runner"):
        assert not hasattr(module, name)


def test_refuses_a_foreign_running_loop(rig):
    async def main():
        coroutine = host.sleep(0)
        try:
            with pytest.raises(RuntimeError, match="another loop is running"):
                rig.module("asyncio").run(coroutine)
        finally:
            coroutine.close()

    host.run(main())

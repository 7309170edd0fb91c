"""Callbacks of `ESPNow.irq`: on the main thread, while it computes, sleeps or waits, and what may go wrong in them."""

import asyncio
import io
import os
import queue
import select
import signal
import sys
import threading
import time

import pytest

import espnow
from espnow import live
from espnow.live.callbacks import Interruption
from espnow.radio.loop import RadioLoop

from .conftest import LIMIT_S, until

#: What the main thread may do until the flag `heard` is set by the callback: name -> what it does.
OCCUPATIONS = {
    "computes": lambda own, heard: sum(iter(lambda: 0 if heard else 1, 0)),
    "sleeps": lambda own, heard: time.sleep(0.2),
    "recv": lambda own, heard: own.e.recv(200),
    "polls": lambda own, heard: until(lambda: own.e.any() or heard),
    "select": lambda own, heard: select.select([], [], [], 0.2),
    "event": lambda own, heard: threading.Event().wait(0.2),
    "queue": lambda own, heard: _get(queue.Queue()),
    "join": lambda own, heard: _join(threading.Thread(target=time.sleep, args=(0.2,))),
    "sends": lambda own, heard: until(lambda: own.e.send(own.b, b"x") and heard),
}


def _get(empty):
    with pytest.raises(queue.Empty):
        empty.get(timeout=0.2)


def _join(thread):
    thread.start()
    thread.join()


class Heard(list):
    """What callbacks read, and in which thread and when each ran."""

    def __init__(self):
        self.threads = set()
        self.times = []

    def read(self, e):
        self.threads.add(threading.current_thread())
        self.times.append(time.monotonic())
        while True:
            _, message = e.recv(0)
            if message is None:
                return
            self.append(message)


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def later():
    """Call something in another thread, a little later."""
    threads = []

    def call(function, *arguments, after_s=0.02):
        timer = threading.Timer(after_s, function, arguments)
        threads.append(timer)
        timer.start()

    yield call
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("name", OCCUPATIONS)
def test_runs_on_the_main_thread_while_it(own, peer, heard, later, name):
    own.e.irq(heard.read)
    later(peer.send, own.mac, b"hello")
    begin = time.monotonic()
    OCCUPATIONS[name](own, heard)
    end = time.monotonic()
    assert heard == [b"hello"]
    assert heard.threads == {threading.main_thread()}
    assert heard.times[0] < end
    if name in ("sleeps", "recv", "select", "event", "queue", "join"):
        assert end - begin >= 0.199  # the wait goes on
        assert heard.times[0] - begin < 0.19


@pytest.mark.parametrize("source", ["input()", "sys.stdin.readline()", "os.read(0, 100)"])
def test_while_it_reads_what_is_typed(programs, peer, source):
    program = programs.code(f"import os\ne.irq(lambda e: print(e.recv(0)[1]))\nprint('ready')\nprint(repr({source}))\n")
    program.expect("ready")
    for number in range(3):
        assert peer.send(b"\xff" * 6, str(number).encode())
        program.expect(f"b'{number}'")
    program.write("typed\n")
    assert "typed" in program.finish()[-1]


def test_while_another_program_runs(programs, peer):
    program = programs.code(
        "import subprocess\ne.irq(lambda e: print(e.recv(0)[1]))\nprint('ready')\n"
        "print(subprocess.run(['cat'], check=True).returncode)\n"
    )
    program.expect("ready")
    assert peer.send(b"\xff" * 6, b"hello")
    program.expect("hello")
    assert program.process.stdin is not None
    program.process.stdin.close()
    assert program.finish() == ["ready", "b'hello'", "0"]


def test_gets_the_object_of_the_board(own, peer):
    got = []
    own.e.irq(got.append)
    peer.send(own.mac)
    until(lambda: got)
    assert got[0] is own.e


def test_once_for_each_message_and_at_most_eight_wait(own, peer):
    """A board's queue is eight deep; what comes while a callback runs is queued, and runs when that is over."""
    own.e.active(False)
    own.e.config(rxbuf=5_000)
    own.e.active(True)
    calls = []

    def slow(e):
        calls.append(threading.current_thread())
        if len(calls) == 1:
            until(lambda: e.stats()[3] == 13)
            assert len(calls) == 1  # not inside another callback

    own.e.irq(slow)
    sender = threading.Thread(target=lambda: [peer.send(own.mac) for _ in range(13)])
    sender.start()
    until(lambda: len(calls) == 9)
    sender.join()
    time.sleep(0.01)
    assert len(calls) == 9
    assert set(calls) == {threading.main_thread()}
    assert sum(1 for _ in iter(lambda: own.e.recv(0)[1], None)) == 13


def test_none_disarms_and_another_replaces(own, peer):
    calls = []
    own.e.irq(lambda e: calls.append("first"))
    peer.send(own.mac)
    until(lambda: calls)
    own.e.irq(lambda e: calls.append("second"))
    peer.send(own.mac)
    until(lambda: len(calls) == 2)
    own.e.irq(None)
    peer.send(own.mac)
    assert [own.e.recv(1000)[1] for _ in range(3)] == [b"x"] * 3
    assert calls == ["first", "second"]


def test_none_from_inside(own, peer):
    calls = []

    def once(e):
        calls.append(e.recv(0)[1])
        e.irq(None)

    own.e.irq(once)
    peer.send(own.mac, b"one")
    peer.send(own.mac, b"two")
    assert own.e.recv(1000)[1] == b"two"
    assert calls == [b"one"]


def test_answers_from_inside(own, peer, later):
    outcomes = []
    own.e.irq(lambda e: outcomes.append(e.send(peer.mac, e.recv(0)[1])))
    for number in range(3):
        # In a thread: this one may be in the midst of the peer when the callback comes.
        later(peer.send, own.mac, str(number).encode(), after_s=0)
        until(lambda number=number: len(outcomes) == number + 1)
    assert outcomes == [True] * 3
    assert peer.messages == [b"0", b"1", b"2"]


@pytest.mark.parametrize("name", ["sleeps", "recv", "computes"])
def test_waits_for_more_from_inside(own, peer, later, name):
    got = []

    def conversation(e):
        e.irq(None)
        got.append(e.recv(0)[1])
        later(peer.send, own.mac, b"more")
        got.append(e.recv(5_000)[1])
        got.append(e.recv(10)[1])

    own.e.irq(conversation)
    later(peer.send, own.mac, b"first")
    OCCUPATIONS[name](own, got)
    until(lambda: len(got) == 3)
    assert got == [b"first", b"more", None]


def test_an_exception_is_printed_and_the_program_goes_on(own, peer, capsys):
    calls = []

    def fails(e):
        calls.append(e.recv(0))
        raise ValueError("of the callback")

    own.e.irq(fails)
    for number in range(2):
        peer.send(own.mac)
        until(lambda number=number: len(calls) == number + 1)
    printed = capsys.readouterr().err
    assert printed.count("ValueError: of the callback") == 2
    assert "in fails" in printed


def test_an_exit_is_printed_and_the_program_goes_on(programs, peer):
    """As in a scheduled function of MicroPython."""
    program = programs.code(
        "def leave(e):\n    e.recv(0)\n    sys.exit(7)\ne.irq(leave)\nprint('ready')\ntime.sleep(0.1)\n"
        "print(e.recv(-1)[1])\n"
    )
    program.expect("ready")
    assert peer.send(b"\xff" * 6)
    until(lambda: "SystemExit: 7" in program.errors)
    program.process.kill()


def test_an_interrupt_inside_reaches_the_program(own, peer):
    def interrupted(e):
        e.recv(0)
        raise KeyboardInterrupt

    own.e.irq(interrupted)
    with pytest.raises(KeyboardInterrupt):
        peer.send(own.mac)
        time.sleep(LIMIT_S)
    own.e.irq(None)
    assert own.e.send(own.p, b"x")
    assert not own.board.lock.is_owned()


def test_a_thread_that_waits_gets_messages_and_callbacks_are_the_main_threads(own, peer, heard):
    got = []
    reader = threading.Thread(target=lambda: got.append(own.e.recv(5_000)))
    own.e.irq(lambda e: heard.threads.add(threading.current_thread()))
    reader.start()
    until(lambda: own.board._cpu._waiting)
    peer.send(own.mac, b"hello")
    reader.join()
    assert got == [[peer.mac, b"hello"]]
    until(lambda: heard.threads)
    assert heard.threads == {threading.main_thread()}


def test_set_by_another_thread(own, peer, heard):
    setter = threading.Thread(target=own.e.irq, args=(heard.read,))
    setter.start()
    setter.join()
    peer.send(own.mac, b"hello")
    until(lambda: heard)
    assert heard.threads == {threading.main_thread()}


def test_a_board_that_another_thread_made(fresh, peer, heard):
    """Handlers of signals are installed by the main thread only: when it arms a callback."""
    made = []

    def make():
        import network

        network.WLAN(0).active(True)
        e = espnow.ESPNow()
        e.active(True)
        made.append(e)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    made[0].irq(heard.read)
    peer.send(live.board().mac, b"hello")
    begin = time.monotonic()
    time.sleep(0.05)
    assert heard == [b"hello"]
    assert heard.times[0] - begin < 0.05


def test_a_board_of_another_thread_whose_callback_that_sets(fresh, peer, heard):
    """Without a call of the main thread, a callback runs when it makes one."""

    def make():
        import network

        network.WLAN(0).active(True)
        e = espnow.ESPNow()
        e.active(True)
        e.irq(heard.read)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    peer.send(live.board().mac, b"hello")
    assert heard == []
    espnow.ESPNow().any()
    assert heard == [b"hello"]
    assert heard.threads == {threading.main_thread()}


def test_a_handler_of_the_programs_own_is_called_too(fresh, peer, heard):
    calls = []
    before = signal.signal(signal.SIGURG, lambda *arguments: calls.append(arguments))
    try:
        import network

        network.WLAN(0).active(True)
        e = espnow.ESPNow()
        e.active(True)
        e.irq(heard.read)
        os.kill(os.getpid(), signal.SIGURG)
        until(lambda: len(calls) == 1)
        peer.send(live.board().mac, b"hello")
        until(lambda: heard)
        assert len(calls) == 2
        live.close()
        os.kill(os.getpid(), signal.SIGURG)
        until(lambda: len(calls) == 3)
    finally:
        signal.signal(signal.SIGURG, before)


def test_the_signal_of_somebody_else_harms_nothing(own, peer, heard):
    own.e.irq(heard.read)
    for number in range(50):
        os.kill(os.getpid(), signal.SIGURG)
        if number % 10 == 0:
            peer.send(own.mac, str(number).encode())
    until(lambda: len(heard) == 5)


def test_a_signal_that_was_missed_is_sent_again(own, peer, heard, monkeypatch):
    """Python looks for signals before it begins to sleep; one that comes between the two is not seen."""
    sent = []
    real = signal.pthread_kill

    def kill(thread, number):
        sent.append(number)
        if len(sent) > 3:
            real(thread, number)

    monkeypatch.setattr(signal, "pthread_kill", kill)
    own.e.irq(heard.read)
    peer.send(own.mac, b"hello")
    begin = time.monotonic()
    time.sleep(1)
    assert heard == [b"hello"]
    assert heard.times[0] - begin < 0.9
    assert sent[:4] == [signal.SIGURG] * 4
    peer.send(own.mac, b"again")
    until(lambda: len(heard) == 2)


@pytest.fixture
def interruption():
    """Make something that counts how often the main thread runs it, and may do something in that."""
    made = []

    def make(during=lambda run, lock: None):
        loop = RadioLoop()
        runs = []

        def run():
            runs.append(1)
            during(len(runs), loop.lock)

        found = Interruption(loop, run)
        found.install()
        made.append((loop, found))
        return found, runs

    yield make
    for loop, found in made:
        found.remove()
        loop.close()


@pytest.mark.parametrize("number", [signal.SIGURG, signal.SIGINT])
def test_a_signal_in_the_last_steps_of_a_run_is_answered(interruption, number):
    def during(run, lock):
        if run == 1:
            lock.shut = True  # it is on its way back to what it interrupted
            signal.raise_signal(number)
            lock.shut = False

    _, runs = interruption(during)
    if number == signal.SIGINT:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGURG)
    else:
        signal.raise_signal(signal.SIGURG)
    assert len(runs) == (1 if number == signal.SIGINT else 2)


def test_a_handler_that_the_program_puts_in_its_place_is_left_alone(interruption):
    found, runs = interruption()
    heard = []
    before = signal.signal(signal.SIGURG, lambda *_: heard.append(1))
    try:
        found.request()
        found.insist()
        end = time.monotonic() + 0.02
        until(lambda: time.monotonic() > end)
        assert (heard, runs) == ([], [])
    finally:
        signal.signal(signal.SIGURG, before)
    found.request()
    until(lambda: runs)


def test_handlers_are_put_back(fresh):
    before = signal.getsignal(signal.SIGURG), signal.getsignal(signal.SIGINT)
    live.board()
    assert signal.getsignal(signal.SIGURG) != before[0]
    live.close()
    assert (signal.getsignal(signal.SIGURG), signal.getsignal(signal.SIGINT)) == before


def test_latency(own, peer, heard):
    """From the send of another radio to the callback, while the main thread computes: milliseconds."""
    own.e.irq(heard.read)
    taken = []
    for number in range(30):
        begin = time.monotonic()
        peer.start(own.mac, str(number).encode())
        while len(heard) <= number:
            pass
        taken.append(heard.times[-1] - begin)
    assert sorted(taken)[15] < 0.02


def test_an_object_whose_class_is_derived(own, peer):
    class Mine(espnow.ESPNow):
        pass

    got = []
    mine = Mine()
    mine.irq(got.append)
    peer.send(own.mac)
    until(lambda: got)
    assert got[0] is mine


# asyncio.


def test_an_event_that_a_callback_sets_wakes_a_coroutine_soon(own, peer, later):
    async def main():
        event = asyncio.Event()
        own.e.irq(lambda e: event.set())
        later(peer.send, own.mac)
        begin = asyncio.get_running_loop().time()
        async with asyncio.timeout(LIMIT_S):
            await event.wait()
        return asyncio.get_running_loop().time() - begin

    assert asyncio.run(main()) < 5


def test_a_future_and_a_task_out_of_a_callback(own, peer, later):
    async def main():
        running = asyncio.get_running_loop()
        made = running.create_future()

        async def answer(message):
            made.set_result(message)

        tasks = []
        own.e.irq(lambda e: tasks.append(running.create_task(answer(e.recv(0)[1]))))
        later(peer.send, own.mac, b"hello")
        return await asyncio.wait_for(made, LIMIT_S)

    assert asyncio.run(main()) == b"hello"


# Ctrl-C.

INTERRUPTED = {
    "recv": ("e.recv(-1)", "KeyboardInterrupt"),
    "iteration": ("for mac, msg in e: pass", "KeyboardInterrupt"),
    "send": ("while True: e.send(b, 'x')", "KeyboardInterrupt"),
    "unanswered": ("e.add_peer(b'\\2' * 6)\nwhile True: e.send(b'\\2' * 6, 'x')", "KeyboardInterrupt"),
    "polling": ("while not e.any(): pass", "KeyboardInterrupt"),
    "sleep": ("time.sleep(60)", "KeyboardInterrupt"),
    "computing": ("while True: pass", "KeyboardInterrupt"),
    "callback": (
        """def once(e):
    e.irq(None)
    print('inside')
    time.sleep(60)
e.irq(once)
print('armed')
while True: time.sleep(1)""",
        "KeyboardInterrupt",
    ),
    "asyncio": (
        """import asyncio, aioespnow
a = aioespnow.AIOESPNow()
async def main():
    await a.arecv()
asyncio.run(main())""",
        "KeyboardInterrupt",
    ),
    "scan": ("while True: network.WLAN(0).scan()", "KeyboardInterrupt"),
    "select": ("import select\nselect.select([e], [], [])", "KeyboardInterrupt"),
}


@pytest.mark.parametrize("name", INTERRUPTED)
def test_ctrl_c_ends_the_program(programs, peer, name):
    source, last = INTERRUPTED[name]
    program = programs.code(f"print('ready')\n{source}\n")
    program.expect("ready")
    if name == "callback":
        program.expect("armed")
        peer.send(b"\xff" * 6)
        program.expect("inside")
    program.signal(signal.SIGINT)
    assert program.wait() == -signal.SIGINT, program.errors
    assert program.errors[-1] == last
    assert not any("espnow/radio" in line for line in program.errors if "loop.py" not in line)


def test_who_catches_ctrl_c_goes_on_with_a_board_that_works(programs, peer):
    """Interrupted hundreds of times in the midst of everything, it neither keeps its lock nor stops to answer."""
    program = programs.code(
        """
import os, random, signal, threading
from espnow import live
board = live.board()
chance = random.Random(5)
armed = threading.Semaphore(0)

def interrupt():
    for _ in range(400):
        armed.acquire()
        time.sleep(chance.random() * 0.002)
        os.kill(os.getpid(), signal.SIGINT)

bomber = threading.Thread(target=interrupt)
calls = (lambda: e.send(b, b'x'), e.any, lambda: e.recv(1), lambda: e.recv(0), lambda: e.send(b, b'x', False))
bomber.start()
for number in range(400):
    call = calls[number % len(calls)]
    try:
        armed.release()
        while True:
            call()
    except KeyboardInterrupt:
        pass
    assert not board.lock.is_owned()
    assert not board.lock.shut
bomber.join()
assert not board._cpu._waiting
print('sent', e.send(b, b'at last'))
print('ready')
computing = time.monotonic() + 60
while not e.any() and time.monotonic() < computing:
    pass
print(e.recv(0)[1])
"""
    )
    program.expect("ready")
    until(lambda: b"at last" in peer.messages)
    mac = peer.heard[-1][1]
    assert peer.send(mac, b"answered")
    assert program.finish() == ["sent True", "ready", "b'answered'"]


def test_a_handler_of_the_programs_own_for_ctrl_c_stays(fresh):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        live.board()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        live.close()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("doing", ["e.recv(-1)", "time.sleep(60)", "while True: pass"])
def test_a_handler_of_a_signal_may_send_and_receive(programs, peer, doing):
    """It may come while the main thread does the loop's work, and waits then a second time.

    In the midst of a step of the board it must not: that is not known before.
    """
    program = programs.code(
        "import signal\n"
        "def bye(*_):\n    outcome = [e.send(b, f'bye {n}') for n in range(5)]\n    print(outcome, e.recv(20))\n"
        "    sys.exit(0)\n"
        f"signal.signal(signal.SIGTERM, bye)\nprint('ready')\n{doing}\n"
    )
    program.expect("ready")
    program.signal(signal.SIGTERM)
    assert program.finish()[-1] == "[True, True, True, True, True] (None, None)"
    assert peer.messages[-5:] == [f"bye {number}".encode() for number in range(5)]


@pytest.mark.parametrize("doing", ["e.recv(-1)", "while True: e.send(b, 'x')", "while not e.any(): pass"])
def test_another_signal_can_be_taken_as_ctrl_c_is(programs, peer, doing):
    """As the page says: in order, so that the program can still send."""
    program = programs.code(
        "import signal\nsignal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))\n"
        f"try:\n    print('ready')\n    while True:\n        {doing}\n"
        "except KeyboardInterrupt:\n    print(e.send(b, 'bye'))\n"
    )
    program.expect("ready")
    program.signal(signal.SIGTERM)
    assert program.finish()[-1] == "True"
    until(lambda: peer.messages[-1:] == [b"bye"])


def test_asyncio_is_interrupted_between_two_of_its_callbacks(programs):
    program = programs.code(
        "import asyncio, aioespnow\na = aioespnow.AIOESPNow()\n"
        "async def main():\n    print('ready')\n    try:\n        await a.arecv()\n"
        "    except asyncio.CancelledError:\n        print('cancelled')\n        raise\n"
        "try:\n    asyncio.run(main())\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
        "print(e.send(b, 'x'))\n"
    )
    program.expect("ready")
    program.signal(signal.SIGINT)
    assert program.finish() == ["ready", "cancelled", "interrupted", "True"]


def test_a_task_of_asyncio_that_computes_is_interrupted_at_once(programs):
    program = programs.code(
        "import asyncio\nasync def main():\n    print('ready')\n    while True:\n        pass\n"
        "try:\n    asyncio.run(main())\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    program.expect("ready")
    program.signal(signal.SIGINT)
    assert program.wait() == 0
    assert program.lines == ["ready", "interrupted"]


def test_a_callback_of_asyncio_that_computes_is_interrupted_by_the_second(programs):
    program = programs.code(
        "import asyncio\ndef compute():\n    print('ready')\n    while True:\n        pass\n"
        "async def main():\n    asyncio.get_running_loop().call_soon(compute)\n    await asyncio.sleep(60)\n"
        "try:\n    asyncio.run(main())\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    program.expect("ready")
    program.signal(signal.SIGINT)
    time.sleep(0.05)
    assert program.process.poll() is None
    program.signal(signal.SIGINT)
    assert program.finish() == ["ready", "interrupted"]


# Output.


def test_what_is_printed_reaches_the_stream_of_the_program(own, peer, capsys):
    own.e.irq(lambda e: print("read", e.recv(0)[1]))
    peer.send(own.mac)
    until(lambda: not own.e.any())
    assert capsys.readouterr().out == "read b'x'\n"
    assert isinstance(sys.stdout, io.TextIOBase)

"""A board on the wall clock, with a link of its own: all that runs in a lab runs there."""

import itertools

import pytest

from espnow.errors import UserError
from espnow.lab import Lab
from espnow.lab.wall import WallClock
from espnow.testing import ScriptedLink

RADIO = """
import espnow, machine, micropython, network, sys, time
e = espnow.ESPNow()
def start():
    network.WLAN(0).active(True)
    e.active(True)
start()
"""

PEER = b"\x24\x0a\xc4\x00\x00\x01"


class Rig:
    """A lab of one board on a host that a test moves."""

    def __init__(self, host):
        self.host = host
        host.tick_us = 20
        self.clock = WallClock(host, time_ns=host.time_ns)
        self.lab = Lab(clock=self.clock)
        self.link = ScriptedLink(self.clock)

    def board(self, code, **options):
        self.board = self.lab.board(code=code, link=self.link, **options)
        return self.board

    def arrive(self, after_ms, message):
        """Let a message come from another thread."""

        def come():
            self.clock.post(lambda: self.link.inject(message, source=PEER))
            self.clock.wake()

        self.host.at(self.clock.now_us + after_ms * 1000, come)

    def run(self, for_ms=2_000):
        self.lab.run_clock(self.clock.now_us + for_ms * 1000, self.lab.finished)
        return self.board.lines


@pytest.fixture
def rig(host):
    rig = Rig(host)
    yield rig
    rig.lab.close()


BUSY = {
    "computing": "while not done: pass",
    "computing in a comprehension": "[0 for _ in range(10**9) if not done or sys.exit()]",
    "calling": "def f(): return done\nwhile not f(): pass",
    "sleeping": "time.sleep(1)",
    "sleeping in small pieces": "while not done: time.sleep_us(50)",
    "looking at the time": "while not done: time.ticks_ms()",
    "waiting in recv of another": "e.recv(1000)",
    "idle": "while not done: machine.idle()",
    "reading input": "sys.stdin.readline()",
    "sending": "e.add_peer(b'\\xaa' * 6)\nwhile not done: e.send(b'\\xaa' * 6, 'x')",
    "in asyncio": "import asyncio\nasyncio.run(asyncio.sleep(1))",
    "in a task that computes": "import asyncio\nasync def f():\n  while not done: pass\nasyncio.run(f())",
    "in a thread": "import _thread\ndef f():\n  while not done: pass\n_thread.start_new_thread(f, ())\nf()",
}


@pytest.mark.parametrize("busy", BUSY)
def test_callbacks_run_whatever_the_program_does(rig, busy):
    rig.board(
        RADIO
        + "done = 0\n"
        + "def got(e):\n  global done\n  print(e.recv(0)[1], time.ticks_us())\n  done = 1\n  e.irq(None)\n"
        + "e.irq(got)\n"
        + BUSY[busy]
    )
    rig.arrive(400, b"now")
    [line] = rig.run(for_ms=450)
    message, us = line.rsplit(" ", 1)
    assert message == "b'now'"
    assert 400_000 <= int(us) < 402_000


def test_timers_keep_the_time_of_the_host(rig):
    rig.board(
        RADIO
        + "times = []\n"
        + "machine.Timer(0).init(period=100, callback=lambda t: times.append(time.ticks_ms()))\n"
        + "while len(times) < 5: pass\n"
        + "print(times, len(times))\nmachine.Timer(0).deinit()\n"
    )
    [line] = rig.run()
    times = eval(line.rsplit(" ", 1)[0])
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [100] * 4
    assert rig.board.finished


def test_send_waits_for_the_answer_and_no_longer(rig):
    rig.board(
        RADIO
        + "e.add_peer(b'\\xaa' * 6)\n"
        + "for _ in range(2):\n  t = time.ticks_us()\n  print(e.send(b'\\xaa' * 6, 'x'), time.ticks_us() - t)\n"
    )
    rig.link.script(["acknowledge", "refuse"])
    lines = rig.run()
    assert [line.split()[0] for line in lines] == ["True", "False"]
    assert all(3_000 <= int(line.split()[1]) < 3_500 for line in lines)
    assert rig.board.exit_code == 0


def test_a_program_that_waits_for_ever_asks_the_host_once(rig):
    rig.board(RADIO + "print(e.recv(-1)[1])")
    rig.run(for_ms=500)
    before = len(rig.host.waits)
    rig.run(for_ms=1_000)
    assert len(rig.host.waits) == before + 1
    rig.arrive(10, b"at last")
    assert rig.run() == ["b'at last'"]


def test_what_ends_with_a_callback_armed_lives_on(rig):
    rig.board(RADIO + "e.irq(lambda e: print(e.recv(0)[1]))")
    rig.arrive(500, b"one")
    rig.arrive(900, b"two")
    assert rig.run() == ["b'one'", "b'two'"]
    assert (rig.board.state, rig.board.exit_code) == ("armed", 0)


@pytest.mark.parametrize(
    ("restart", "cause"), [("machine.soft_reset()", 5), ("machine.reset()", 2), ("machine.deepsleep(200)", 4)]
)
def test_a_restart_begins_the_program_anew_in_the_same_process(rig, restart, cause):
    rig.board(
        RADIO
        + "print(machine.reset_cause(), time.time() > 1_000)\n"
        + f"if machine.reset_cause() != {cause}: {restart}\n"
    )
    rig.board.hardware.power.calendar_us = 5_000_000_000
    assert rig.run() == ["1 True", f"{cause} True"]
    assert rig.board.finished
    assert 100 <= rig.lab.now_ms < 800
    assert any(not config.receiver_on for config in rig.link.configs) == (cause != 5)


def test_a_sleep_of_the_chip_takes_its_time(rig):
    rig.board(RADIO + "t = time.ticks_ms()\nmachine.lightsleep(50)\nprint(time.ticks_ms() - t)")
    assert rig.run() == ["50"]


def test_a_channel_is_set_before_the_program_begins_and_after_each_reset(rig):
    code = "print(network.WLAN(0).config('channel'))\nif machine.reset_cause() == 1: machine.reset()"
    rig.board(RADIO + code, channel=7)
    assert rig.run() == ["7", "7"]
    assert rig.link.config.channel == 7


def test_ctrl_c_is_the_programs(rig):
    rig.board(RADIO + "try:\n  time.sleep(9)\nexcept KeyboardInterrupt:\n  time.sleep_ms(300)\n  print('went on')")
    rig.run(for_ms=500)
    rig.board.interrupt()
    assert rig.board.lines == []
    assert rig.run(for_ms=500) == ["went on"]
    assert (rig.board.exit_code, rig.board.error) == (0, None)


@pytest.mark.parametrize("last", ["pass", "time.sleep_ms(300)", "for _ in range(10000): pass"])
def test_ctrl_c_that_nobody_catches_ends_the_program_in_silence(rig, last):
    rig.board(RADIO + f"try:\n  time.sleep(9)\nfinally:\n  {last}")
    rig.run(for_ms=500)
    rig.board.interrupt()
    assert rig.run(for_ms=500) == []
    assert (rig.board.exit_code, rig.board.finished) == (130, True)
    assert isinstance(rig.board.error, KeyboardInterrupt)


def test_the_links_end_is_the_labs(rig):
    rig.board(RADIO + "e.recv(-1)")
    rig.run(for_ms=500)
    assert not rig.link.closed
    rig.lab.close()
    assert rig.link.closed
    assert not rig.link.config.receiver_on
    assert rig.lab.transmissions == []


def test_a_lab_on_the_wall_clock_has_no_air(rig):
    with pytest.raises(UserError, match="board 'code1' has no link: a lab on the wall clock has no air"):
        rig.lab.board(code="pass")
    board = rig.board("pass")
    with pytest.raises(UserError, match="has a link of its own"):
        board.position = 1, 2
    with pytest.raises(UserError, match="has a link of its own"):
        print(board.position)
    with pytest.raises(UserError, match="channel is 15"):
        rig.lab.board(code="pass", channel=15, link=rig.link)


def test_a_board_with_a_link_of_its_own_lives_in_virtual_time_too():
    with Lab() as lab:
        link = ScriptedLink(lab.clock)
        board = lab.board(code=RADIO + "print(e.recv(-1)[1])", link=link)
        lab.run(for_ms=200)
        link.inject(b"hello")
        lab.run()
        assert board.lines == ["b'hello'"]
        assert list(lab.explain()) == []
    assert link.closed

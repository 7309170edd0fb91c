"""A board whose time is moved by hand: no lab, no sleeping, nothing of the host's clock."""

import heapq
import random
import textwrap
import threading
from collections import deque

import pytest

from espnow.board import PROFILES, Board
from espnow.lab import Lab
from espnow.micropython import BUILDERS, FALLBACKS, STDLIB_ALLOWED, Services, make_builtins


class Reset(BaseException):
    """What the services of a rig raise."""


class ManualTimer(list):
    def cancel(self):
        self[2] = None


class ManualClock:
    def __init__(self):
        self.now_us = 0
        self._heap = []
        self._count = 0

    def call_at(self, at_us, function, *, background=False):
        self._count += 1
        timer = ManualTimer((max(at_us, self.now_us), self._count, function))
        heapq.heappush(self._heap, timer)
        return timer

    def step(self, until_us):
        """Let the next event happen that is due by `until_us` (None: whenever); False if there is none."""
        while self._heap and self._heap[0][2] is None:
            heapq.heappop(self._heap)
        if not self._heap or (until_us is not None and self._heap[0][0] > until_us):
            return False
        at_us, _, function = heapq.heappop(self._heap)
        self.now_us = max(self.now_us, at_us)
        function()
        return True

    def move(self, until_us):
        while self.step(until_us):
            pass
        self.now_us = max(self.now_us, until_us)


class ManualCpu:
    """The only program there is: its pauses move the clock."""

    def __init__(self, clock):
        self.clock = clock
        self.woken = False
        self.spent_us = 0

    def pause(self, until_us):
        self.woken = False
        while not self.woken:
            if not self.clock.step(until_us):
                assert until_us is not None, "the program waits for ever"
                self.clock.now_us = max(self.clock.now_us, until_us)
                return

    def wake(self):
        self.woken = True

    def spend(self, us):
        self.spent_us += us
        self.clock.move(self.clock.now_us + us)


class RecordingLink:
    def __init__(self):
        self.configs = []
        self.sent = []

    def configure(self, config):
        self.configs.append(config)

    def transmit(self, mpdu, token):
        self.sent.append((mpdu, token))


class TextConsole:
    def __init__(self):
        self.text = ""
        self.errors = []
        self.lines = deque()
        self.part = ""
        self.wake = lambda: None

    def write(self, text):
        self.text += text

    def read_line(self):
        if not self.lines:
            return None
        return self.lines.popleft() if self.lines[0] else ""

    def has_input(self):
        return bool(self.lines)

    def read_part(self):
        part, self.part = self.part, ""
        return part

    def has_part(self):
        return bool(self.part)

    def exception(self, error):
        self.errors.append(error)
        self.text += f"{type(error).__name__}: {error}\n"

    def type(self, *lines):
        """Type lines; "" is the end of the input."""
        self.lines.extend(lines)
        self.wake()


class Rig:
    """A board and what surrounds its program."""

    Reset = Reset

    def __init__(self, profile="esp32", clock=None, cpu=None):
        self.clock = clock or ManualClock()
        self.cpu = cpu or ManualCpu(self.clock)
        self.console = TextConsole()
        self.console.wake = self.cpu.wake
        self.link = RecordingLink()
        self.modules = {}
        self.services = Services(
            random_source=random.Random(7),
            urandom=random.Random(8).randbytes,
            soft_reset=self._reset,
            reset=self._reset,
            argv=["main.py"],
            modules=self.modules,
        )
        self.board = Board(
            PROFILES[profile],
            "a",
            mac=bytes.fromhex("18fe34000004"),
            clock=self.clock,
            cpu=self.cpu,
            link=self.link,
            console=self.console,
            random_u32=random.Random(9).randbytes(4).__len__,
        )
        self.builtins = make_builtins(self.board, self.services, self.import_)

    @staticmethod
    def _reset():
        raise Reset

    def module(self, name):
        found = self.modules.get(name)
        if found is None:
            found = self.modules[name] = (BUILDERS | FALLBACKS)[name](self.board, self.services)
        return found

    def import_(self, name, globals=None, locals=None, fromlist=(), level=0):
        if name in BUILDERS or name in FALLBACKS:
            return self.module(name)
        assert name.partition(".")[0] in STDLIB_ALLOWED, name
        return __import__(name, globals, locals, fromlist, level)

    def at(self, ms, function):
        """Call `function` when the clock stands at `ms`."""
        self.clock.call_at(ms * 1000, function)

    def run(self, source):
        """Run a program, and return its globals."""
        names = {"__builtins__": self.builtins, "__name__": "__main__", "rig": self}
        exec(compile(source, "main.py", "exec"), names)
        return names

    @property
    def lines(self):
        return self.console.text.splitlines()


@pytest.fixture
def make_rig():
    rigs = []

    def make(*args, **options):
        rigs.append(Rig(*args, **options))
        return rigs[-1]

    yield make
    for rig in rigs:
        if "asyncio" in rig.modules:
            from espnow.micropython import aio

            aio.discard(rig.modules["asyncio"])


@pytest.fixture
def rig(make_rig):
    return make_rig()


JOIN = """
import network, time
sta = network.WLAN(network.WLAN.IF_STA)
sta.active(True)
sta.connect("home", "password")
while not sta.isconnected():
    time.sleep_ms(20)
"""


class WiredLab:
    """A lab with one router, that most of its boards join before they do anything else."""

    def __init__(self, **options):
        self.lab = Lab(**options)
        self.router = self.lab.router("home", "password")

    def board(self, code, *, join=True, **options):
        """Add a board that joins the router and then runs a program."""
        name = options.pop("name", f"board{len(self.lab.boards) + 1}")
        source = (JOIN if join else "") + textwrap.dedent(code)
        # One after the other, so that they get their addresses in this order.
        return self.lab.board(code=source, name=name, start_ms=100 * len(self.lab.boards), **options)

    def run(self, *boards, timeout_ms=60_000):
        """Run until these boards have ended, and check that none of them died."""
        ended = self.lab.run_until(lambda: all(board.finished for board in boards), timeout_ms=timeout_ms)
        outputs = "\n".join(f"{board.name}: {board.output}" for board in self.lab.boards)
        assert ended, outputs
        for board in boards:
            assert board.error is None, outputs

    def outcome(self, code, **options):
        """Run a program on a board that joins, and return the lines that it printed."""
        board = self.board(code, **options)
        self.run(board)
        return board.lines


@pytest.fixture
def make_wired():
    labs = []

    def make(**options):
        labs.append(WiredLab(**options))
        return labs[-1]

    yield make
    for wired in labs:
        wired.lab.close()


@pytest.fixture
def wired(make_wired):
    return make_wired()


@pytest.fixture
def serve():
    """Return a function that runs a server of the computer in a thread, and returns it with its port."""
    servers = []

    def start(server):
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join(5)
        server.server_close()

"""The smaller modules, and the table of all of them."""

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

from espnow.micropython import BUILDERS, STDLIB_ALLOWED


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_module_can_be_built_once_a_board(make_rig, name):
    rig = make_rig()
    module = rig.module(name)
    assert isinstance(module, ModuleType)
    assert BUILDERS[name](rig.board, rig.services) is module
    assert make_rig().module(name) is not module


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_what_a_board_s_module_offers_is_documented(rig, name):
    module = rig.module(name)
    if module.__name__ not in BUILDERS:
        return
    for key, value in vars(module).items():
        if callable(value) and not key.startswith("_") and isinstance(value, type(lambda: 0)):
            assert value.__doc__, f"{name}.{key}"


@pytest.mark.parametrize("name", sorted(STDLIB_ALLOWED))
def test_allowed_modules_exist(name):
    importlib.import_module(name)
    assert name not in BUILDERS


@pytest.mark.parametrize(
    "name",
    [
        "asyncio",
        "ctypes",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "queue",
        "random",
        "secrets",
        "select",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "uuid",
    ],
)
def test_nothing_that_blocks_or_reads_clocks_is_allowed(name):
    assert name not in STDLIB_ALLOWED


def test_importing_the_room_loads_no_asyncio():
    code = "import espnow.micropython, sys; assert 'asyncio' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_an_old_name_is_the_same_module(rig, name):
    if name.startswith("u") and name != "uctypes":
        module = rig.module(name)
        assert module.__name__ == name[1:]
        assert name == "uheapq" or module is rig.module(name[1:])


# gc


def test_gc(rig):
    gc = rig.module("gc")
    before = gc.mem_free(), gc.mem_alloc()
    assert gc.collect() is None
    assert rig.clock.now_us > 0
    assert (gc.mem_free(), gc.mem_alloc()) == before
    assert gc.isenabled()
    gc.disable()
    assert not gc.isenabled()
    gc.enable()
    assert gc.isenabled()
    assert gc.threshold() == -1
    gc.threshold(4096)
    assert gc.threshold() == 4096


def test_gc_of_the_host_is_left_alone(rig):
    import gc

    rig.module("gc").disable()
    assert gc.isenabled()


# micropython


def test_schedule(rig):
    rig.run(
        """
import micropython
def callback(n):
    print("called", n)
for n in range(8):
    micropython.schedule(callback, n)
try:
    micropython.schedule(callback, 8)
except RuntimeError as error:
    text = str(error)
print(text)
"""
    )
    assert rig.lines == ["schedule queue full", *(f"called {n}" for n in range(8))]


def test_micropython(rig):
    rig.run(
        """
import micropython
from micropython import const, native, viper
X = const(3)
@native
def f(x):
    return x + X
@viper
def g(x: int) -> int:
    return x * 2
micropython.alloc_emergency_exception_buf(100)
micropython.kbd_intr(-1)
micropython.opt_level(2)
micropython.heap_lock(); micropython.heap_lock()
print(f(1), g(4), micropython.opt_level(), micropython.heap_unlock(), micropython.heap_locked())
micropython.mem_info()
micropython.qstr_info(1)
print(micropython.stack_use() > 0)
"""
    )
    assert rig.lines[0] == "4 8 2 1 1"
    assert rig.lines[-1] == "True"


# random


def test_random_is_the_board_s_stream(make_rig):
    first, second = make_rig().module("random"), make_rig().module("random")
    for call in ("random()", "randint(1, 6)", "getrandbits(32)", "choice('abc')", "uniform(1, 2)", "randrange(9)"):
        assert eval(f"m.{call}", {"m": first}) == eval(f"m.{call}", {"m": second})
    items = [list(range(9)), list(range(9))]
    first.shuffle(items[0])
    second.shuffle(items[1])
    assert items[0] == items[1]
    second.seed(5)
    again = second.random()
    second.seed(5)
    assert second.random() == again
    first.seed()
    second.seed(None)
    assert first.random() == second.random()  # both from the same hardware stream


@pytest.mark.parametrize("bits", [-1, 33])
def test_getrandbits_has_32_bits_at_most(rig, bits):
    with pytest.raises(ValueError, match="32"):
        rig.module("random").getrandbits(bits)
    assert rig.module("random").getrandbits(0) == 0


def test_urandom_is_the_module_random(rig):
    assert rig.module("urandom") is rig.module("random")


# errno


@pytest.mark.parametrize(("profile", "number"), [("esp32", 116), ("esp8266", 110)])
def test_errno(make_rig, profile, number):
    errno = make_rig(profile).module("errno")
    timed_out = errno.ETIMEDOUT
    assert timed_out == number
    assert errno.errorcode[number] == "ETIMEDOUT"
    assert errno.ENOENT == 2


# machine


def test_machine(rig):
    machine = rig.module("machine")
    assert machine.unique_id() == bytes.fromhex("18fe34000004")
    assert machine.freq() == 160_000_000
    machine.freq(240_000_000)
    assert machine.freq() == 240_000_000
    with pytest.raises(ValueError, match="20MHz or 40MHz or 80MHz or 160MHz or 240MHz"):
        machine.freq(5)
    for call in (machine.reset, machine.soft_reset):
        with pytest.raises(rig.Reset):
            call()


def test_idle_ends_with_the_next_event(rig):
    machine = rig.module("machine")
    machine.idle()
    assert rig.clock.now_us == 1_000
    rig.clock.call_at(1_200, lambda: rig.board.schedule(rig.console.write, "x"))
    machine.idle()
    assert rig.clock.now_us == 1_200
    assert rig.console.text == "x"


# logging


def test_logging(rig):
    rig.run(
        """
import logging, io, time
logging.debug("hidden")
logging.warning("value %d", 3)
log = logging.getLogger("net")
log.error("lost")
log.setLevel(logging.DEBUG)
time.sleep(3600)
buffer = io.StringIO()
handler = logging.StreamHandler(buffer)
handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
log.addHandler(handler)
log.debug("%(a)s", {"a": 1})
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
print(buffer.getvalue(), end="")
logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
logging.info("plain")
log.removeHandler(handler)
log.info("over root")
print(log is logging.getLogger("net"), log.isEnabledFor(logging.DEBUG))
"""
    )
    assert rig.lines == [
        "WARNING:root:value 3",
        "ERROR:net:lost",
        "2000-01-01 01:00:00 DEBUG 1",
        "2000-01-01 01:00:00 ERROR failed",
        "2000-01-01 01:00:00 ERROR ZeroDivisionError: division by zero",
        "plain",
        "over root",
        "True True",
    ]


def test_loggers_are_the_board_s(make_rig):
    first, second = make_rig(), make_rig()
    first.module("logging").basicConfig(level=10)
    second.module("logging").info("hidden")
    assert second.module("logging").getLogger() is not first.module("logging").getLogger()
    assert second.console.text == ""

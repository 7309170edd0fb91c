"""sys: the console as streams, what the board says it is, its own table of modules."""

import io

import pytest


@pytest.fixture
def sys(rig):
    return rig.module("sys")


@pytest.mark.parametrize(("profile", "platform", "mpy"), [("esp32", "esp32", 11014), ("esp8266", "esp8266", 9990)])
def test_identity(make_rig, profile, platform, mpy):
    rig = make_rig(profile)
    sys = rig.module("sys")
    assert sys.platform == platform
    assert sys.implementation.name == sys.implementation[0] == "micropython"
    assert sys.implementation.version == (1, 28, 0, "")
    assert sys.implementation._machine == rig.board.profile.machine
    assert sys.implementation._mpy == mpy
    assert repr(sys.implementation).startswith("(name='micropython', version=(1, 28, 0, ''), _machine=")
    with pytest.raises(AttributeError):
        sys.implementation.cache_tag  # noqa: B018
    assert sys.version_info[:2] == (3, 4)
    assert "MicroPython v1.28.0" in sys.version
    assert (sys.byteorder, sys.maxsize) == ("little", 2**31 - 1)


def test_modules_and_argv_are_the_board_s(rig, sys):
    assert sys.modules is rig.modules
    assert sys.modules["sys"] is sys
    assert sys.argv is rig.services.argv
    assert rig.module("usys") is sys


@pytest.mark.parametrize(("arguments", "code"), [("", None), ("3", 3), ("'text'", "text")])
def test_exit(rig, arguments, code):
    with pytest.raises(SystemExit) as caught:
        rig.run(f"import sys\nsys.exit({arguments})")
    assert caught.value.code == code


def test_output(rig, sys):
    assert sys.stdout.write("añb") == 3
    assert sys.stderr.write(b"\xc3\xb1\xff") == 3
    assert sys.stdout.buffer.write(bytearray(b"x\n")) == 2
    sys.stdout.flush()
    assert rig.console.text == "añbñ\ufffdx\n"
    assert rig.clock.now_us == 60
    with pytest.raises(TypeError):
        sys.stdout.write(5)


def test_print_exception(rig, sys):
    error = ValueError("x")
    sys.print_exception(error)
    sys.print_exception(error, sys.stderr)
    assert rig.console.errors == [error, error]
    text = io.StringIO()
    sys.print_exception(error, text)
    assert text.getvalue().endswith("ValueError: x\n")


def test_reading_waits_for_input(rig, sys):
    rig.at(10, lambda: rig.console.type("one\n"))
    assert sys.stdin.readline() == "one\n"
    assert rig.clock.now_us == 10_000


def test_reading_shares_one_buffer(rig, sys):
    rig.console.type("abcdef\n", "next\n", "ñx\n", "last", "")
    stdin = sys.stdin
    assert stdin.read(2) == "ab"
    assert stdin.buffer.read(1) == b"c"
    assert stdin.readline(2) == "de"
    assert stdin.readline() == "f\n"
    assert rig.builtins["input"]() == "next"
    assert stdin.buffer.read(1) == b"\xc3"
    assert stdin.buffer.readline() == b"\xb1x\n"
    assert stdin.read(10) == "last"
    assert stdin.read(10) == stdin.readline() == ""
    assert stdin.buffer.read() == b""


def test_reading_to_the_end(rig, sys):
    rig.console.type("a\n", "b\n", "")
    assert sys.stdin.read() == "a\nb\n"


@pytest.mark.parametrize("stream", ["stdin", "stdin.buffer"])
def test_iteration(rig, stream):
    rig.console.type("a\n", "b\n", "")
    rig.run(f"import sys\nprint(list(sys.{stream}))")
    assert rig.lines == ["['a\\n', 'b\\n']" if stream == "stdin" else "[b'a\\n', b'b\\n']"]


def test_readinto(rig, sys):
    rig.console.type("abcdef\n", "")
    buffer = bytearray(4)
    assert sys.stdin.buffer.readinto(buffer) == 4
    assert sys.stdin.buffer.readinto(buffer, 1) == 1
    assert buffer == b"ebcd"
    assert sys.stdin.buffer.readinto(buffer) == 2
    assert buffer == b"f\ncd"


def test_streams_can_be_polled(rig, sys):
    select = rig.module("select")
    poller = select.poll()
    poller.register(sys.stdin, select.POLLIN)
    assert poller.poll(10) == []
    rig.at(50, lambda: rig.console.type("abc\n"))
    assert poller.poll() == [(sys.stdin, select.POLLIN)]
    assert rig.clock.now_us == 50_000
    assert sys.stdin.read(1) == "a"
    assert poller.poll(0) == [(sys.stdin, select.POLLIN)]
    assert sys.stdin.readline() == "bc\n"
    assert poller.poll(0) == []
    assert select.select([], [sys.stdout, sys.stderr], [])[1] == [sys.stdout, sys.stderr]


def test_a_loop_that_polls_its_input_lets_time_pass(rig):
    rig.at(20, lambda: rig.console.type("x\n"))
    rig.run(
        """
import sys, select
while not select.select([sys.stdin], [], [], 0)[0]:
    pass
print(sys.stdin.read(1))
"""
    )
    assert rig.lines == ["x"]
    assert rig.clock.now_us >= 20_000

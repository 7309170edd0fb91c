"""``espnow run --radio`` on a radio that reaches nobody: the command, its streams, and its end."""

import io
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from espnow import radio
from espnow.cli import _live_run
from espnow.cli.main import main
from espnow.radio.none import NoRadio

RADIO = (
    "import espnow, machine, network, sys, time\nnetwork.WLAN(0).active(True)\ne = espnow.ESPNow()\ne.active(True)\n"
)


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Return a function that runs the command in a folder and returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(radio, "_taken", False)
    for name in list(os.environ):
        if name.startswith("ESPNOW_"):
            monkeypatch.delenv(name)

    def run(*arguments, stdin=b"", radio="none:"):
        reading, writing = os.pipe()
        os.write(writing, stdin)
        os.close(writing)
        with os.fdopen(reading) as file:
            monkeypatch.setattr(sys, "stdin", file)
            try:
                code = main(["run", "--radio", radio, *map(str, arguments)])
            except SystemExit as error:
                code = error.code
        return code, *capfd.readouterr()

    return run


# The program.


def test_a_program_prints_as_it_is_and_nothing_is_added(run, tmp_path):
    (tmp_path / "hello.py").write_text(
        RADIO + "print('a\\tb', end='')\nsys.stdout.write(b'\\x1b[1mx\\r\\n')\nprint('ü')"
    )
    assert run("hello.py") == (0, "a\tb\x1b[1mx\r\nü\n", "")
    assert run("-c", "pass") == (0, "", "")


def test_a_program_finds_what_a_board_has(run, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "boot.py").write_text("import helper\nprint('boot', helper.NAME)")
    (tmp_path / "app" / "helper.py").write_text("NAME = 'helper'")
    (tmp_path / "app" / "main.py").write_text(
        "import asyncio, sys\nfrom machine import Pin, Timer\n"
        "print('main', sys.implementation.name, open('helper.py').read())"
    )
    code, out, _ = run("app")
    assert (code, out) == (0, "boot helper\nmain micropython NAME = 'helper'\n")


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ("", 0),
        ("sys.exit()", 0),
        ("sys.exit(7)", 7),
        ("sys.exit(-1)", 255),
        ("raise SystemExit", 0),
        ("1 / 0", 1),
    ],
)
def test_exit_codes(run, last, code):
    got, out, err = run("-c", f"import sys\nprint('x')\n{last}")
    assert got == code
    assert out.startswith("x\n")
    assert ("ZeroDivisionError" in err) == (code == 1)
    assert "espnow/" not in err


def test_a_text_given_to_exit_is_printed_as_cpython_does(run):
    assert run("-c", "import sys\nsys.exit('that was it')") == (1, "that was it\n", "")


def test_input_comes_from_standard_input(run):
    code = RADIO + (
        "import select\n"
        "print(input('name? '))\n"
        "print(sys.stdin.readline(), end='')\n"
        "print(sys.stdin.read(3), sys.stdin.read(2))\n"
        "p = select.poll(); p.register(sys.stdin, select.POLLIN)\n"
        "print(len(p.poll(1000)), repr(sys.stdin.read()))\n"
        "print(repr(sys.stdin.readline()))\n"
    )
    got = run("-c", code, stdin=b"bob\ntwo\r\nabcde rest\n end")
    assert got == (0, "name? bob\ntwo\nabc de\n1 ' rest\\n end'\n''\n", "")


def test_without_standard_input_a_program_reads_its_end(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["run", "--radio", "none:", "-c", "import sys\nassert sys.stdin.read() == ''"]) == 0


def test_a_radio_whose_recording_cannot_be_opened_is_closed(run, tmp_path, monkeypatch):
    closed = []
    close = NoRadio.close
    monkeypatch.setattr(NoRadio, "close", lambda link: (closed.append(link), close(link))[1])
    code, out, err = run("--pcap", tmp_path / "nowhere" / "air.pcapng", "-c", "print('x')")
    assert (code, out) == (2, "")
    assert "cannot record to" in err
    assert len(closed) == 1


class Unreadable(io.StringIO):
    def flush(self):
        raise self.error


@pytest.mark.parametrize("error", [ValueError("closed"), OSError(28, "full"), BrokenPipeError(32, "broken")])
def test_a_report_that_nobody_can_read_is_passed_over(monkeypatch, error):
    stream = Unreadable()
    stream.error = error
    monkeypatch.setattr(sys, "stderr", stream)
    _live_run._report("line")
    assert stream.getvalue() == "espnow run: line\n"


def test_without_standard_error_a_report_does_not_go_to_standard_output(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    _live_run._report("line")
    assert capsys.readouterr().out == ""


def test_the_board_is_as_it_was_asked_for(run, tmp_path, monkeypatch):
    show = (
        "import network, os, espnow\nw = network.WLAN(0)\n"
        "print(w.config('mac').hex(), w.config('channel'), espnow.MAX_DATA_LEN)"
    )
    (tmp_path / "show.py").write_text(show)
    assert run("--mac", "02:00:00:00:00:01", "--channel", 11, "show.py:esp32-v2")[1] == "020000000001 11 1470\n"
    monkeypatch.setenv("ESPNOW_MAC", "02:00:00:00:00:02")
    monkeypatch.setenv("ESPNOW_CHANNEL", "6")
    monkeypatch.setenv("ESPNOW_PROFILE", "esp32-v2")
    assert run("-c", show)[1] == "020000000002 6 1470\n"
    assert run("--mac", "02:00:00:00:00:01", "--channel", 1, "--profile", "esp32", "-c", show)[1] == (
        "020000000001 1 250\n"
    )


def test_addresses_are_stable_and_two_programs_have_two(run, tmp_path):
    show = "import network\nprint(network.WLAN(0).config('mac').hex())"
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(show)
    one, two, code, other_code = (
        run(*arguments)[1] for arguments in (("one.py",), ("two.py",), ("-c", show), ("-c", show + " "))
    )
    assert len({one, two, code, other_code}) == 4
    assert run("one.py")[1] == one
    assert run(tmp_path / "one.py")[1] == one
    assert run("-c", show)[1] == code


def test_chance_is_not_the_same_twice(run):
    show = "import os, random\nprint(os.urandom(8), random.getrandbits(30), random.random())"
    assert run("-c", show)[1] != run("-c", show)[1]


def test_the_calendar_is_the_computers_in_utc(run):
    _, out, _ = run("-c", "import time\nprint(time.time(), time.localtime()[:2])")
    seconds, _, when = out.strip().partition(" ")
    now = time.time()
    assert abs(int(seconds) + 946_684_800 - now) < 10
    assert when in {str((time.gmtime(at).tm_year, time.gmtime(at).tm_mon)) for at in (now - 10, now)}


def test_time_limits_a_run(run):
    code = "print('begin')\ntry:\n  while True: pass\nfinally: print('end')"
    assert run("--for", "500ms", "-c", code) == (0, "begin\nend\n", "")
    assert run("--for", "300ms", "-c", RADIO + "e.irq(print)") == (0, "", "")


def test_what_was_sent_last_goes_out_and_is_recorded(run, tmp_path):
    code = RADIO + "e.add_peer(b'\\xff' * 6)\nfor i in range(20): e.send(b'\\xff' * 6, b'message %d' % i, False)"
    assert run("--pcap", "air.pcapng", "-c", code) == (0, "", "")
    data = (tmp_path / "air.pcapng").read_bytes()
    assert all(b"message %d" % i in data for i in range(20))


# Refusals.


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is nothing to run: name a FILE, a folder or -c CODE; see espnow run --help"),
        (["a.py", "b.py"], "--radio runs one program, and 2 were named; start each in a process of its own"),
        (["lab.toml"], "lab.toml: a lab file says what is in a lab, and --radio runs one program"),
        (["none.py"], "none.py: No such file or directory"),
        (["-c", "x = ="], "<string>, line 1: invalid syntax"),
        (["-c", "pass", "--seed", "0"], "--seed does not go with --radio: its chance is not repeated"),
        (["-c", "pass", "--pace", "fast"], "--pace does not go with --radio: its time is the wall clock's"),
        (
            ["-c", "pass", "--loss", "0"],
            "--loss does not go with --radio: what a radio can do is written in its name, as in udp:?loss=0.1",
        ),
        (["-c", "pass", "--router", "home"], "--router does not go with --radio: routers are in a lab"),
        (["-c", "pass", "--json"], "--json does not go with --radio: the program prints as it is"),
        (["-c", "pass", "--explain"], "--explain does not go with --radio: only a lab knows what became of a frame"),
        (["-c", "pass", "--log"], "--log does not go with --radio: espnow sniff shows what is on the air"),
        (["-c", "pass", "--channel", "15"], "--channel 15: a channel is from 1 to 14"),
        (["-c", "pass", "--mac", "1"], "--mac: '1' is no MAC address: write it as aa:bb:cc:dd:ee:ff"),
        (["-c", "pass", "--mac", "-", "--mac", "-"], "--mac was given 2 times for one board"),
        (["-c", "pass", "--profile", "esp64"], "there is no profile 'esp64'; there are esp32, esp32-v2, esp8266"),
        (["-c", "pass", "--for", "0s"], "--for 0s: a time must be more than nothing"),
    ],
)
def test_a_mistake_is_told_in_one_line(run, arguments, said):
    assert run(*arguments) == (2, "", f"espnow run: {said}\n")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ESPNOW_MAC", "1", "ESPNOW_MAC: '1' is no MAC address: write it as aa:bb:cc:dd:ee:ff"),
        ("ESPNOW_PROFILE", "x", "ESPNOW_PROFILE: there is no profile 'x'; there are esp32, esp32-v2, esp8266"),
        ("ESPNOW_CHANNEL", "15", "ESPNOW_CHANNEL is '15', and must be from 1 to 14"),
    ],
)
def test_so_is_one_in_the_environment(run, monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    assert run("-c", "pass") == (2, "", f"espnow run: {said}\n")


def test_a_radio_that_is_none_is_refused(run):
    assert run("-c", "pass", radio="pigeon:")[2].startswith("espnow run: there is no radio 'pigeon'")
    assert run("-c", "pass", radio="none")[2].startswith("espnow run: 'none' is no radio")


def test_channel_is_for_radios(tmp_path, capsys):
    assert main(["run", "--channel", "3", "-c", "pass"]) == 2
    assert capsys.readouterr().err.startswith("espnow run: --channel goes with --radio")


def test_a_channel_that_the_radio_does_not_have_is_refused(run, monkeypatch):
    from espnow.link import Abilities
    from espnow.radio.none import NoRadio

    closed = []
    monkeypatch.setattr(NoRadio, "abilities", Abilities(channels=frozenset((1, 6))))
    monkeypatch.setattr(NoRadio, "close", lambda self: closed.append(self))
    assert run("--channel", 6, "-c", "pass") == (0, "", "")
    closed.clear()
    assert run("--channel", 3, "-c", "pass")[2] == "espnow run: radio 'none:' has no channel 3; it has 1, 6\n"
    assert closed


# The process.


@pytest.fixture
def begin():
    """Return a function that starts the command as a process."""
    with ExitStack() as ends:

        def begin(*arguments, **options):
            process = _begin(*arguments, **options)
            ends.enter_context(process)
            ends.callback(process.kill)
            return process

        yield begin


def _begin(*arguments, **options):
    others = ("ESPNOW_", "PYTHONUNBUFFERED")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return subprocess.Popen(
        [sys.executable, "-m", "espnow", "run", "--radio", "none:", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**variables, "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "error"},
        **options,
    )


def expect(process, wanted):
    """Read standard output until something is there."""
    seen = b""
    while wanted not in seen:
        assert select.select([process.stdout], [], [], 50)[0], seen
        read = os.read(process.stdout.fileno(), 4096)
        assert read, (seen, process.stderr.read())
        seen += read
    return seen


def finish(process):
    """Wait for the end, and return exit code, what else it printed, and standard error."""
    return process.wait(50), process.stdout.read(), process.stderr.read()


def test_output_is_there_at_once_also_without_its_end_of_line(begin):
    process = begin("-c", RADIO + "print('wait', end='')\nprint(sys.stdin.read(2), end='|')\nprint(sys.stdin.read(1))")
    assert expect(process, b"wait") == b"wait"
    process.stdin.write(b"y")
    process.stdin.flush()
    process.stdin.write(b"es")
    process.stdin.flush()
    assert expect(process, b"\n") == b"ye|s\n"
    assert finish(process) == (0, b"", b"")


@pytest.mark.parametrize(
    ("body", "out", "code"),
    [
        ("print('begun')\nwhile True: pass", b"", 130),
        ("print('begun')\ntime.sleep(100)", b"", 130),
        ("print('begun')\ne.recv(-1)", b"", 130),
        ("print('begun')\ninput()", b"", 130),
        ("import asyncio\nprint('begun')\nasyncio.run(asyncio.sleep(100))", b"", 130),
        ("try:\n  print('begun')\n  time.sleep(100)\nfinally: print('tidy')", b"tidy\n", 130),
        ("try:\n  print('begun')\n  e.recv(-1)\nfinally:\n  time.sleep_ms(50)\n  print('tidy')", b"tidy\n", 130),
        ("try:\n  print('begun')\n  e.recv(-1)\nexcept KeyboardInterrupt: time.sleep_ms(9)\nprint('on')", b"on\n", 0),
        ("try:\n  print('begun')\n  e.recv(-1)\nexcept KeyboardInterrupt: sys.exit(3)", b"", 3),
        ("e.irq(print)\nmachine.Timer(0).init(period=50, callback=lambda t: print('begun', end=''))", b"", 130),
        ("print('begun')\nmachine.deepsleep(100_000)", b"", 130),
    ],
)
def test_ctrl_c_is_the_programs(begin, body, out, code):
    process = begin("-c", RADIO + body)
    expect(process, b"begun")
    process.send_signal(signal.SIGINT)
    got, printed, errors = finish(process)
    assert (got, printed.replace(b"begun", b"").lstrip(b"\n"), errors) == (code, out, b"")


@pytest.mark.parametrize("then", [b"line\n", b""])
@pytest.mark.parametrize(("number", "code", "out"), [(signal.SIGINT, 0, b"caught\n"), (signal.SIGTERM, 143, b"")])
def test_a_signal_comes_before_the_input_that_follows_it(begin, number, code, out, then):
    program = (
        "import machine\ntry:\n  machine.Timer(-1, mode=0, period=20, callback=lambda t: print('begun'))\n"
        "  print(input())\nexcept KeyboardInterrupt: print('caught')"
    )
    process = begin("-c", program)
    expect(process, b"begun\n")  # it waits for a line now
    process.send_signal(signal.SIGSTOP)
    process.send_signal(number)
    process.stdin.write(then)
    process.stdin.close()
    process.send_signal(signal.SIGCONT)
    assert finish(process) == (code, out, b"")


def test_further_ctrl_cs_are_the_programs_too(begin):
    body = "for n in range(4):\n  try:\n    print('begun', n)\n    while True: pass\n  except KeyboardInterrupt: pass\n"
    process = begin("-c", body + "print('end')")
    for n in range(4):
        expect(process, b"begun %d\n" % n)
        process.send_signal(signal.SIGINT)
    assert finish(process) == (0, b"end\n", b"")


def test_a_signal_ends_a_wait_that_is_about_to_begin():
    from espnow.cli._live_run import _Signals

    clock = SimpleNamespace(interrupt=lambda: None)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.getsignal(signal.SIGTERM)
    with _Signals(clock, writing) as signals:
        signal.raise_signal(signal.SIGTERM)
        assert signals.ends == signal.SIGTERM
    assert os.read(reading, 9) == bytes([signal.SIGTERM])  # before any handler of Python's has run
    assert (signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1)) == (before, -1)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    "body", ["while True: pass", "e.recv(-1)", "e.irq(print)\nprint('armed')\nwhile True: input()"]
)
def test_a_signal_that_ends_the_process_ends_it_in_order(begin, tmp_path, number, body):
    capture = tmp_path / "air.pcapng"
    code = (
        RADIO + f"e.add_peer(b'\\xff' * 6)\ne.send('\\xff' * 6 if 0 else b'\\xff' * 6, 'last')\nprint('begun')\n{body}"
    )
    process = begin("--pcap", str(capture), "-c", code)
    expect(process, b"begun\n")
    process.send_signal(number)
    returned, _, err = finish(process)
    assert (returned, err) == (128 + number, b"")
    assert b"last" in capture.read_bytes()


def test_a_program_that_swallows_everything_is_ended_too(begin):
    body = "while True:\n  try:\n    print('begun')\n    while True: pass\n  except BaseException: pass"
    process = begin("-c", body)
    expect(process, b"begun\n")
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 128 + signal.SIGTERM


def test_one_who_asked_for_it_is_not_ended_with_the_terminal(begin):
    process = begin(
        "-c",
        RADIO + "print('begun')\ninput()\nprint('still here')",
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    expect(process, b"begun\n")
    process.send_signal(signal.SIGHUP)
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert finish(process) == (0, b"still here\n", b"")


def test_a_reader_that_leaves_ends_the_program(begin):
    process = begin("-c", "import time\nprint('begun')\nwhile True:\n  print('x' * 1000)\n  time.sleep_ms(1)")
    expect(process, b"begun\n")
    process.stdout.close()
    assert process.wait(50) == 1
    assert process.stderr.read() == b""


def test_a_traceback_goes_to_standard_error_with_the_programs_own_lines(begin):
    process = begin("-c", "print('out')\ndef f():\n  return 1 / 0\nf()")
    code, out, err = finish(process)
    assert (code, out) == (1, b"out\n")
    assert err.decode().splitlines() == [
        "Traceback (most recent call last):",
        '  File "<string>", line 4, in <module>',
        '  File "<string>", line 3, in f',
        "ZeroDivisionError: division by zero",
    ]


def test_nothing_is_left_behind():
    show = (
        "import json, os, sys, threading\n"
        "from espnow.cli.main import main\n"
        "def look(): return sorted(os.listdir('/proc/self/fd')), threading.active_count(), sys.getswitchinterval()\n"
        "main(['run', '--radio', 'none:', '-c', 'pass'])\n"
        "before = look()\n"
        "for _ in range(3):\n"
        "  main(['run', '--radio', 'udp:', '-c', 'import network, espnow\\nnetwork.WLAN(0).active(1)\\n"
        "e = espnow.ESPNow()\\ne.active(1)\\nprint(1)'])\n"
        "  main(['run', '--radio', 'udp:', '-c', '1 / 0'])\n"
        "  main(['run', '--radio', 'udp:', '-c', 'x = ='])\n"
        "print(json.dumps([before, look()]))\n"
    )
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, timeout=50, check=True)
    before, after = json.loads(done.stdout.splitlines()[-1])
    assert before == after

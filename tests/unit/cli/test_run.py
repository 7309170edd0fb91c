"""``espnow run``: arguments, printing, exit codes."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from espnow.cli import main as cli_main
from espnow.cli.main import main

RADIO = """\
import network, espnow, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
"""

HELLO = Path(__file__).parents[3] / "examples" / "hello"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command in a folder and returns (exit code, stdout lines, stderr lines)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=None):
        if stdin is not None:
            (tmp_path / "stdin").write_text(stdin)
        with Path(tmp_path / "stdin" if stdin is not None else os.devnull).open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            try:
                code = main(["run", *map(str, arguments)])
            except SystemExit as error:
                code = error.code
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


@pytest.fixture
def program(tmp_path):
    """Return a function that writes a program and returns its name."""

    def write(name, text):
        (tmp_path / name).write_text(text)
        return name

    return write


# Printing.


def test_one_program_prints_as_it_is(run):
    assert run("--for", "1s", "-c", "print('a\\x1b[1m', end='')\nprint('b')\nprint('c', end='')") == (
        0,
        ["a\x1b[1mb", "c"],
        [],
    )


def test_several_programs_print_with_their_names(run, program):
    program("one.py", "import time\nprint('a', end='')\ntime.sleep_ms(5)\nprint('b\\nc')\nprint('\\x1b[2Jx\\ry\\r')")
    code, out, err = run("--for", "1s", "one.py", "one.py", "-c", "print('last', end='')")
    assert code == 0
    assert out == [
        "one: ab",
        "one: c",
        "one: \\x1b[2Jx\\x0dy",
        "one-2: ab",
        "one-2: c",
        "one-2: \\x1b[2Jx\\x0dy",
        "code1: last",
    ]
    assert err[0].startswith("---")


def test_a_name_cannot_change_a_terminal_either(run, program):
    program("a\x1b[1m.py", "print('x')")
    _, out, err = run("--for", "1s", "a\x1b[1m.py", "-c", "pass")
    assert out == ["a\\x1b[1m: x"]
    assert not any("\x1b" in line for line in err)


def test_json_is_one_object_a_line_and_the_summary_too(run):
    code, out, err = run(
        "--for",
        "2s",
        "--json",
        "-c",
        "import time\nprint('a', end='')\ntime.sleep(1)\nprint('b')",
        "-c",
        "print('x\\x1b')",
    )
    lines = [json.loads(line) for line in out]
    assert code == 0
    assert lines[:2] == [
        {"us": lines[0]["us"], "board": "code2", "line": "x\x1b"},
        {"us": lines[1]["us"], "board": "code1", "line": "ab"},
    ]
    assert 1_000_000 <= lines[1]["us"] < 1_001_000
    assert [row["board"] for row in lines[2]["summary"]] == ["code1", "code2"]
    assert lines[2]["summary"][0]["state"] == "ended"
    assert err == []


def test_json_of_one_program_has_its_name_too(run):
    _, out, _ = run("--for", "1s", "--json", "-c", "print(1)")
    assert json.loads(out[0])["line"] == "1"
    assert json.loads(out[1])["summary"][0]["board"] == "code1"


def test_the_summary_says_how_each_ended_and_what_it_sent(run, program):
    program("receiver.py", RADIO + "e.irq(lambda e: e.recv(0))")
    program(
        "sender.py",
        RADIO + "b = b'\\xff' * 6\ne.add_peer(b)\nfor n in range(3): e.send(b, 'x')\n"
        "u = b'\\2\\0\\0\\0\\0\\1'\ne.add_peer(u)\ne.send(u, 'x')\n",
    )
    code, out, err = run(
        "--for", "3s", "receiver.py", "sender.py", "-c", "while True: pass", "-c", "1/0", "-c", "raise SystemExit(4)"
    )
    assert (code, out) == (1, [])
    summary = err[err.index("--- 3.000 s of virtual time") :]
    rows = [re.split(r"  +", line) for line in summary[1:]]
    assert rows[0] == ["board", "mac", "state", "sent", "failed", "received", "dropped"]
    assert [row[0] for row in rows[1:]] == ["receiver", "sender", "code1", "code2", "code3"]
    assert [row[2] for row in rows[1:]] == [
        "ended, callback armed",
        "ended",
        "running",
        "died: ZeroDivisionError",
        "ended with 4",
    ]
    assert rows[1][3:] == ["0", "0", "3", "0"]
    assert rows[2][3:] == ["4", "1", "0", "0"]
    assert rows[1][1] == "18:fe:34:00:00:04"


def test_quiet_leaves_the_summary_out(run):
    assert run("--for", "1s", "--quiet", "-c", "pass", "-c", "pass") == (0, [], [])


def test_an_exception_shows_file_and_line_on_stderr(run, program):
    program("bad.py", "import time\n\ndef f():\n    raise ValueError('oh')\n\nf()\n")
    code, out, err = run("--for", "1s", "bad.py")
    assert (code, out) == (1, [])
    assert [line for line in err if line.strip("~^ ")] == [  # newer Pythons underline
        "Traceback (most recent call last):",
        '  File "bad.py", line 6, in <module>',
        "    f()",
        '  File "bad.py", line 4, in f',
        "    raise ValueError('oh')",
        "ValueError: oh",
        "--- bad died: ValueError, after 0.000 s of virtual time",
    ]
    code, _, err = run("--for", "1s", "bad.py", "-c", "pass")
    assert code == 1

    assert "bad: ValueError: oh" in err
    assert any(line.startswith("bad ") and "died: ValueError" in line for line in err)


def test_what_cannot_be_encoded_is_escaped(program, tmp_path):
    program("odd.py", "print('\\ud800 \\xe4')")
    done = subprocess.run(
        [sys.executable, "-m", "espnow", "run", "--for", "1s", "odd.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\\ud800 \\xe4\n", b"")


# Programs and boards.


def test_files_and_code_keep_their_order(run, program):
    program("a.py", "import sys\nprint(sys.argv)")
    program("b.py", "print('b')")
    _, out, _ = run("-c", "print(1)", "--for", "1s", "b.py", "-cprint(2)", "a.py", "--quiet", "-c", "print(3)")
    assert out == ["code1: 1", "b: b", "code2: 2", "a: ['a.py']", "code3: 3"]


def test_code_may_begin_like_an_option(run):
    assert run("--for", "1s", "-c", "-1; print(2)") == (0, ["2"], [])


def test_after_two_dashes_everything_is_a_file(run, program):
    program("-c", "print('odd name')")
    assert run("--for", "1s", "--", "-c") == (0, ["odd name"], [])


SHOW = "import espnow, network, sys\nprint(espnow.MAX_DATA_LEN, sys.platform, network.WLAN(0).config('mac').hex())"


def test_profiles_of_all_and_of_one(run, program):
    program("show.py", SHOW)
    program("odd:esp8266", "print('a file of that name')")
    _, out, _ = run(
        "--for", "1s", "--profile", "esp32-v2", "show.py", "show.py:esp8266", "show.py:esp32", "odd:esp8266"
    )
    assert [line.split(" ", 1)[1].rsplit(" ", 1)[0] for line in out] == [
        "1470 esp32",
        "250 esp8266",
        "250 esp32",
        "a file of that",
    ]


def test_addresses_and_places_go_by_number(run, program):
    program("show.py", SHOW)
    _, out, _ = run("--for", "1s", "--mac", "-", "--mac=02:00:00:00:00:01", "show.py", "show.py", "show.py")
    assert [line.split()[-1] for line in out] == ["18fe34000004", "020000000001", "18fe3400000c"]
    program("hear.py", RADIO + "print([e.recv(500), e.peers_table])")
    send = RADIO + "b = b'\\xff' * 6\ne.add_peer(b)\nwhile True:\n  time.sleep_ms(50)\n  e.send(b, 'x')"
    places = ["--at", "0,0", "--at", "-", "--at", "-3.5,40"]
    _, out, _ = run("--for", "1s", "--range", "10", *places, "hear.py", "-c", send, "hear.py")
    heard = {line.split(":")[0]: line for line in out}
    assert "b'x'" in heard["hear"]
    assert "[(None, None), {}]" in heard["hear-2"]


def test_the_seed_decides(run):
    draws = [
        run("--for", "1s", "--seed", seed, "-c", "import random; print(random.random())")[1] for seed in (1, 1, 2, -1)
    ]
    assert draws[0] == draws[1]
    assert len({line for draw in draws for line in draw}) == 3


def test_loss_loses(run):
    send = RADIO + "b = b'\\xff' * 6\ne.add_peer(b)\nfor _ in range(50): e.send(b, 'x')"
    hear = RADIO + "n = 0\nwhile e.recv(300)[0]: n += 1\nprint(n)"
    for loss, least, most in (("0", 50, 50), ("0.5", 10, 40), ("1", 0, 0)):
        _, out, _ = run("--for", "2s", "--loss", loss, "-c", hear, "-c", send)
        assert least <= int(out[0].split()[-1]) <= most


@pytest.mark.parametrize(
    ("text", "us"), [("500ms", 500_000), ("1.5s", 1_500_000), (".25", 250_000), ("2", 2_000_000), ("1m", 60_000_000)]
)
def test_for_runs_so_much_virtual_time(run, text, us):
    code = "import time\nwhile True:\n  time.sleep_ms(50)\n  print(time.ticks_us())"
    _, out, _ = run("--for", text, "--json", "-c", code)
    summary = json.loads(out[-1])
    assert summary["us"] == us
    assert summary["summary"][0]["state"] == "running"
    assert len(out) - 1 in (us // 50_000, us // 50_000 - 1)


def test_for_ends_early_when_all_programs_have_ended(run):
    _, out, _ = run("--for", "10d", "--json", "-c", "print(1)")
    assert json.loads(out[-1])["us"] < 10 * 86_400_000_000 / 100


def test_without_for_the_first_example_of_the_documents_ends_by_itself(run):
    code, out, err = run(HELLO / "receiver.py", HELLO / "sender.py")
    assert code == 0
    assert len(out) == 102
    assert all(line.startswith("receiver: b'") for line in out)
    assert out[0].endswith("b'Starting...'")
    assert out[-1].endswith("b'end'")
    assert [re.split(r"  +", line)[2] for line in err[-2:]] == ["ended", "ended"]


def test_without_for_programs_that_all_wait_for_callbacks_are_over(run):
    code, out, _ = run("-c", RADIO + "e.irq(print)", "-c", "print('x')")
    assert (code, out) == (0, ["code2: x"])


# Captures.


def read_capture(path):
    """Return [(at_us, channel rate and rssi header, mpdu)] of a pcapng file."""
    content = path.read_bytes()
    at, frames = 0, []
    kinds = []
    while at < len(content):
        kind, length = struct.unpack_from("<II", content, at)
        kinds.append(kind)
        assert struct.unpack_from("<I", content, at + length - 4)[0] == length
        if kind == 6:
            _, high, low, captured, original = struct.unpack_from("<IIIII", content, at + 8)
            assert captured == original
            packet = content[at + 28 : at + 28 + captured]
            header = struct.unpack_from("<H", packet, 2)[0]
            frames.append((high << 32 | low, packet[:header], packet[header:]))
        at += length
    assert kinds[:2] == [0x0A0D0D0A, 1]
    return frames


def test_a_capture_holds_every_frame_and_retry_and_acknowledgement(run, tmp_path):
    receiver = RADIO + "e.recv(2000)"
    sender = RADIO + (
        "for peer in (b'\\2\\0\\0\\0\\0\\1', b'\\2\\0\\0\\0\\0\\2'):\n"
        "  e.add_peer(peer)\n  print(e.send(peer, 'hello'))"
    )
    _, out, _ = run("--for", "3s", "--pcap", "air.pcapng", "--mac", "02:00:00:00:00:01", "-c", receiver, "-c", sender)
    assert out == ["code2: True", "code2: False"]
    frames = read_capture(tmp_path / "air.pcapng")
    times = [at for at, _, _ in frames]
    assert times == sorted(times)
    data = [mpdu for _, _, mpdu in frames if mpdu[0] == 0xD0]
    acks = [mpdu for _, _, mpdu in frames if mpdu[0] == 0xD4]
    assert len(data) == 1 + 7
    assert len(acks) == 1
    assert all(b"hello" in mpdu and mpdu[10:16].hex() == "18fe34000008" for mpdu in data)
    assert [mpdu[1] >> 3 & 1 for mpdu in data] == [0, 0, 1, 1, 1, 1, 1, 1]


def test_a_run_without_a_frame_still_gives_a_capture(run, tmp_path):
    run("--for", "1s", "--pcap", "air.pcapng", "-c", "pass")
    assert read_capture(tmp_path / "air.pcapng") == []


# Exit codes.


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["pass"], 0),
        (["1/0"], 1),
        (["raise SystemExit(7)"], 7),
        (["raise SystemExit(-1)"], 255),
        (["raise SystemExit('text')"], 1),
        (["raise SystemExit"], 0),
        (["while True: pass"], 0),
        (["pass", "pass"], 0),
        (["pass", "1/0"], 1),
        (["raise SystemExit(7)", "pass"], 1),
        (["raise SystemExit(0)", "pass"], 0),
    ],
)
def test_exit_codes(run, codes, expected):
    arguments = [part for code in codes for part in ("-c", code)]
    assert run("--for", "1s", *arguments)[0] == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "FILE"),
        (["-c"], "-c"),
        (["nosuch.py"], "nosuch.py: No such file"),
        (["no\nsuch\x1b[2J.py"], "no\\nsuch\\x1b[2J.py: No such file"),
        (["."], "main.py or a boot.py"),
        (["x" * 300 + ".py"], "too long"),
        (["good.py/inner.py"], "good.py/inner.py"),
        (["bad.py"], "bad.py, line 2: "),
        (["good.py", "-c", "x ="], "<string>, line 1: "),
        (["good.py:esp99"], "'esp99'"),
        (["nosuch.py:esp8266"], "nosuch.py: No such file"),
        (["--profile", "esp99", "good.py"], "'esp99'"),
        (["--for", "soon", "good.py"], "--for: soon"),
        (["--for", "0", "good.py"], "--for 0"),
        (["--for", "999999d", "good.py"], "285 years"),
        (["--for", "-1s", "good.py"], "--for: -1s"),
        (["--for"], "--for"),
        (["--seed", "x", "good.py"], "--seed"),
        (["--mac", "02:00:00:00:00:01", "--mac", "02:00:00:00:00:01", "good.py", "good.py"], "same MAC address"),
        (["--mac", "03:00:00:00:00:01", "good.py"], "multicast"),
        (["--mac", "nonsense", "good.py"], "nonsense"),
        (["--mac", "-", "--mac", "-", "good.py"], "--mac was given 2 times"),
        (["--at", "1", "good.py"], "--at 1"),
        (["--at", "1,2,3", "good.py"], "--at 1,2,3"),
        (["--at", "a,\nb", "good.py"], "--at a,\\nb"),
        (["--at", "nan,0", "good.py"], "nan"),
        (["--at", "1,2", "--at", "1,2", "good.py"], "--at was given 2 times"),
        (["--loss", "2", "good.py"], "--loss 2: this is not a number from 0 to 1"),
        (["--loss", "nan", "good.py"], "--loss nan: this is not a number from 0 to 1"),
        (["--range", "-1", "good.py"], "--range -1: this is not a number of metres, 0 or more"),
        (["--loss", "x", "good.py"], "--loss"),
        (["--pcap", "nosuch/air.pcapng", "good.py"], "--pcap nosuch/air.pcapng: No such file"),
        (["--pcap", ".", "good.py"], "--pcap .: Is a directory"),
        (["--nonsense", "good.py"], "--nonsense"),
        (["--see", "1", "good.py"], "--see"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else None,
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(run, program, arguments, says):
    program("good.py", "print('never')")
    program("bad.py", "x = 1\nfor\n")
    code, out, err = run(*arguments)
    assert (code, out) == (2, [])
    assert len(err) == 1
    assert err[0].startswith("espnow")
    assert says in err[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_capture_that_cannot_be_written_is_one_line(run):
    code, _, err = run("--for", "1s", "--pcap", "/dev/full", "-c", RADIO)
    assert code == 2
    assert err == ["espnow run: --pcap /dev/full: No space left on device"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("programs", [1, 2])
def test_output_that_finds_no_room_is_one_line_and_no_error_of_a_program(programs):
    code = ["-c", "import time\nwhile True: print('x'); time.sleep(1)"] * programs
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "espnow", "run", "--for", "1d", *code],
            stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == b"espnow run: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_explains_itself(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    out, err = capsys.readouterr()
    assert (caught.value.code, err) == (0, "")
    if "run" in arguments:
        for word in (
            "--for",
            "--seed",
            "--profile",
            "--mac",
            "--at",
            "--pcap",
            "--json",
            "-c CODE",
            "FILE",
            "130",
            "examples",
        ):
            assert word in out
        assert "esp32-v2" in out
        assert max(len(line) for line in out.splitlines()) <= 130
    else:
        assert "espnow" in out


@pytest.mark.parametrize("arguments", [[], ["nonsense"]])
def test_a_wrong_command_is_one_line(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


# Input.


def test_input_goes_to_the_program_that_reads_it(run):
    read = "while True:\n  try:\n    print(input())\n  except EOFError:\n    break\nprint('end')"
    code, out, _ = run("--for", "1s", "-c", "print('quiet')", "-c", read, stdin="one\ntwo\r\nthree")
    assert code == 0
    assert out == ["code1: quiet", "code2: one", "code2: two", "code2: three", "code2: end"]


def test_input_at_the_pace_of_the_wall_clock(run):
    read = "import sys\nfor line in sys.stdin:\n  print(repr(line))"
    code, out, _ = run("-c", read, stdin="one\ntwo\n")
    assert (code, out) == (0, ["'one\\n'", "'two\\n'"])


def test_without_standard_input_it_is_at_its_end(run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["run", "-c", "try:\n  input()\nexcept EOFError:\n  print('eof')"]) == 0
    assert capsys.readouterr().out == "eof\n"


# As a process.


def start(folder, *arguments, **options):
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ESPNOW", "PYTHONHASH"))}
    return subprocess.Popen(
        [sys.executable, "-m", "espnow", "run", *arguments], cwd=folder, env=environment, text=True, **options
    )


@pytest.mark.timeout(40)
def test_ctrl_c_runs_what_the_programs_have_for_it_and_ends_with_130(program, tmp_path):
    program(
        "busy.py", "try:\n  print('ready')\n  while True: pass\nexcept KeyboardInterrupt:\n  print('a')\n  print('b')"
    )
    program("sleepy.py", "import time\ntry:\n  time.sleep(1000)\nfinally:\n  print('c')\n  print('d')")
    program("deaf.py", "import time\nwhile True:\n  try:\n    time.sleep(1)\n  except:\n    pass")
    with start(tmp_path, "sleepy.py", "deaf.py", "busy.py") as process:
        assert process.stdout.readline() == "busy: ready\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out.splitlines() == ["sleepy: c", "sleepy: d", "busy: a", "busy: b"]
    assert "Traceback" not in err
    rows = {line.split()[0]: line for line in err.splitlines()}
    assert "interrupted" in rows["sleepy"]
    assert "ended" in rows["busy"]


@pytest.mark.timeout(40)
def test_ctrl_c_ends_a_wait_for_input(program, tmp_path):
    program("read.py", "try:\n  print('ready')\n  input()\nexcept KeyboardInterrupt:\n  print('bye')")
    for arguments in (["read.py"], ["--for", "10s", "read.py"]):
        with start(tmp_path, *arguments, stdin=subprocess.PIPE) as process:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "bye\n"
            assert process.wait(20) == 130
            assert process.stderr.read() == ""


@pytest.mark.timeout(40)
def test_what_is_typed_reaches_the_programs_that_wait(program, tmp_path):
    program("one.py", "print('ready')\nprint('one', input())")
    program(
        "two.py", "import sys, select\np = select.poll()\np.register(sys.stdin, 1)\np.poll(-1)\nprint('two', input())"
    )
    with start(tmp_path, "one.py", "two.py", stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "one: ready\n"
        out, err = process.communicate("first\nsecond\n", timeout=20)
    assert process.returncode == 0, err
    words = sorted(line.split()[-1] for line in out.splitlines())
    assert words == ["first", "second"]


@pytest.mark.timeout(40)
@pytest.mark.parametrize("programs", [1, 2])
@pytest.mark.parametrize("limit", [[], ["--for", "100d"]])
def test_a_reader_that_leaves_ends_the_run(program, tmp_path, programs, limit):
    program("talk.py", "while True:\n  try:\n    print('x' * 500)\n  except OSError:\n    pass")
    with start(tmp_path, *limit, *["talk.py"] * programs) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == 1
        assert "Traceback" not in process.stderr.read()


def test_the_command_fixes_the_order_of_sets(tmp_path):
    outputs = set()
    for _ in range(3):
        with start(tmp_path, "--for", "1s", "-c", "print({'north', 'south', 'east', 'west', 'up', 'down'})") as process:
            outputs.add(process.communicate(timeout=20)[0])
    assert len(outputs) == 1


# The log of the air.

RECEIVER = RADIO + "time.sleep(1)"
TALKER = (
    RADIO
    + """\
e.set_pmk(b"pmk1234567890123")
e.add_peer(bytes.fromhex("30aaaaaaaaaa"), lmk=b"lmk1234567890123")
e.add_peer(bytes.fromhex("020000000001"))
e.add_peer(bytes.fromhex("ffffffffffff"))
time.sleep_ms(10)
e.send(bytes.fromhex("ffffffffffff"), b"\\x10\\x00")
e.send(bytes.fromhex("30aaaaaaaaaa"), "secret")
e.send(bytes.fromhex("30aaaaaaaaaa"), b"\\x1b[2J")
print(e.send(bytes.fromhex("020000000001"), "nobody"))
"""
)
DECODER = '[[message]]\nname = "m"\nstruct = "<H"\nfields = ["lux"]'
KEY_FILE = '[[key]]\nlmk = "lmk1234567890123"\npmk = "pmk1234567890123"\nname = "greenhouse"'


@pytest.fixture
def talk(run, program, tmp_path):
    """Return a function that runs a program which hears, one which talks, and one out of range, with --log."""
    program("hear.py", RECEIVER)
    program("talk.py", TALKER)
    program("far.py", RECEIVER)
    program("m.toml", DECODER)
    program("keys.toml", KEY_FILE)
    (tmp_path / "keys.toml").chmod(0o600)

    def talk(*options):
        at = ["--range", "100", "--at", "0,0", "--at", "9,0", "--at", "900,0", "--mac", "30:aa:aa:aa:aa:aa"]
        return run("--for", "2s", "--log", *at, *options, "hear.py", "talk.py", "far.py")

    return talk


def log_of(lines):
    """Return the lines about the air, without their times."""
    return [line.strip().split("  ", 1)[1] for line in lines if " > " in line]


def test_the_log_shows_every_message_and_who_heard_it(talk):
    code, out, err = talk()
    assert (code, out) == (0, ["talk: False"])
    log = log_of(err)
    to_hear = "18:fe:34:00:00:08 > 30:aa:aa:aa:aa:aa  v?  ch  1   "
    to_nobody = "18:fe:34:00:00:08 > 02:00:00:00:00:01  v1  ch  1     ? dBm      1M"
    assert log[0].startswith("18:fe:34:00:00:08 > ff:ff:ff:ff:ff:ff  v1  ch  1   ")
    assert log[0].endswith(" dBm      1M         plain         2 B  1000  (talk to hear)")
    assert [line[len(to_hear) + 3 :] for line in log[1:3]] == [
        " dBm      1M         encrypted     6 B  no key given  (talk to hear)",
        " dBm      1M         encrypted     4 B  no key given  (talk to hear)",
    ]
    assert log[3] == f'{to_nobody}         plain         6 B  "nobody"  (talk to nobody)'
    assert len(log) > 4
    assert set(log[4:]) == {f'{to_nobody}  retry  plain         6 B  "nobody"  (talk to nobody)'}
    times = [float(line.split()[0]) for line in err if " > " in line]
    assert times == sorted(times)
    assert err[len(log)].startswith("--- ")  # the summary comes after it
    assert talk() == (code, out, err)


@pytest.mark.parametrize(
    "options", [("--keys", "keys.toml"), ("--lmk", "lmk1234567890123", "--pmk", "pmk1234567890123")]
)
def test_the_log_is_opened_and_explained(talk, options):
    _, _, err = talk(*options, "--decoders", "m.toml")
    log = log_of(err)
    assert [line.split(" B  ")[1] for line in log[:3]] == [
        "1000  m lux=16  (talk to hear)",
        '"secret"  (talk to hear)',
        "1b5b324a  (talk to hear)",
    ]
    assert ["decrypted" in line for line in log[:4]] == [False, True, True, False]
    assert not any("lmk123" in line or "pmk123" in line for line in err)


def test_the_log_says_when_no_key_opens(talk):
    _, _, err = talk("--lmk", "another890123456")
    assert "no key opens it (wrong MIC)" in log_of(err)[1]


def test_the_log_as_json_stands_among_the_output(talk):
    code, out, err = talk("--json", "--keys", "keys.toml", "--decoders", "m.toml")
    assert (code, err) == (0, [])
    told = [json.loads(line) for line in out]
    frames = [one["frame"] for one in told if "frame" in one]
    assert [frame["text"] for frame in frames[:4]] == [None, "secret", None, "nobody"]
    assert [frame["key"] for frame in frames[:3]] == [None, "greenhouse", "greenhouse"]
    assert frames[0]["decoded"] == {"name": "m", "fields": {"lux": 16}, "rest": ""}
    assert [(frame["sent_by"], frame["heard_by"]) for frame in frames[:3]] == [("talk", ["hear"])] * 3
    assert all((frame["sent_by"], frame["heard_by"]) == ("talk", []) for frame in frames[3:])
    assert [frame["retry"] for frame in frames[3:]] == [False] + [True] * (len(frames) - 4)
    assert len({frame["seq"] for frame in frames[3:]}) == 1
    times = [one["us"] for one in told if "us" in one]
    assert times == sorted(times)
    assert all(one["us"] * 1000 == one["frame"]["at_ns"] for one in told if "frame" in one)
    assert told[-2] == {"us": told[-2]["us"], "board": "talk", "line": "False"}
    assert "summary" in told[-1]


def test_log_and_capture_at_the_same_time(talk, run, tmp_path, capsys):
    _, _, err = talk("--pcap", "air.pcapng", "--keys", "keys.toml")
    assert main(["decode", "air.pcapng", "--keys", "keys.toml"]) == 0
    decoded = capsys.readouterr().out.splitlines()
    logged = [line.rsplit("  (", 1)[0] for line in err if " > " in line]
    assert decoded == logged
    assert not any(secret in (tmp_path / "air.pcapng").read_bytes() for secret in (b"lmk1234567890", b"secret"))
    alone = run(
        "--for", "2s", "--range", "100", "--at", "0,0", "--at", "9,0", "--at", "900,0", "--mac", "30:aa:aa:aa:aa:aa",
        "--pcap", "alone.pcapng", "hear.py", "talk.py", "far.py",
    )  # fmt: skip
    assert alone[1] == ["talk: False"]
    assert (tmp_path / "alone.pcapng").read_bytes() == (tmp_path / "air.pcapng").read_bytes()


def test_many_that_heard_it_are_counted(run, program):
    program("hear.py", RECEIVER)
    program("talk.py", RADIO + "e.add_peer(b'\\xff' * 6)\ntime.sleep_ms(10)\ne.send(b'\\xff' * 6, 'x')")
    _, _, err = run("--for", "2s", "--log", "talk.py", *["hear.py"] * 7)
    assert log_of(err)[0].endswith('"x"  (talk to hear, hear-2, hear-3, hear-4 and 3 more)')


def test_a_run_without_a_frame_logs_nothing(run):
    assert run("--for", "1s", "--log", "-c", "print(1)") == (0, ["1"], [])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--keys", "k.toml", "good.py"], "add --log"),
        (["--lmk", "lmk1234567890123", "good.py"], "add --log"),
        (["--pmk", "pmk1234567890123", "good.py"], "add --log"),
        (["--decoders", "d.toml", "good.py"], "add --log"),
        (["--log", "--keys", "nosuch.toml", "good.py"], "--keys nosuch.toml: No such file"),
        (["--log", "--decoders", "nosuch.toml", "good.py"], "--decoders nosuch.toml: No such file"),
        (["--log", "--pmk", "pmk1234567890123", "good.py"], "--pmk alone"),
        (["--log", "--lmk", "hushhush123456789", "good.py"], "--lmk: a key is"),
        (["--log", "--lmkk", "hushhush12345678", "good.py"], "unknown option --lmkk"),
        (["--log", "--lmkk=hushhush12345678", "good.py"], "unknown option --lmkk"),
        (["--log", "hushhush12345678", "good.py"], "it could be a key"),
        (["--loss", "hushhush12345678", "good.py"], "--loss"),
        (["--log=hushhush12345678", "good.py"], "--log: takes no value"),
    ],
)
def test_a_mistake_with_the_log_is_one_line_without_a_key(run, program, arguments, says):
    program("good.py", "print('never')")
    code, out, err = run(*arguments)
    assert (code, out) == (2, [])
    assert len(err) == 1
    assert says in err[0]
    assert not any(secret in err[0] for secret in ("hushhush", "lmk123", "pmk123"))


def test_ctrl_c_before_a_command_begins_is_no_traceback(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_main, "main", interrupted)
    monkeypatch.setattr(sys, "argv", ["espnow", "decode"])
    with pytest.raises(SystemExit) as ended:
        cli_main.entry()
    assert (ended.value.code, capsys.readouterr().err) == (130, "")

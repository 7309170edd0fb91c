"""However a program ends, it leaves nothing behind, and what it sent goes out."""

import errno
import gc
import io
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import espnow
from espnow import frame, live
from espnow.capture import read
from espnow.frame import radiotap

from .conftest import PATIENT, START

MANY = "for number in range(20):\n    e.send(b, f'last {number}', False)\n"

ENDS = {
    "falls off the end": ("", 0),
    "raises": ("raise ValueError('of the program')\n", 1),
    "sys.exit": ("sys.exit(3)\n", 3),
    "in a function": ("def f():\n    sys.exit(4)\nf()\n", 4),
    "with a thread that waits": (
        "import threading\nthreading.Thread(target=e.recv, args=(-1,), daemon=True).start()\ntime.sleep(0.01)\n",
        0,
    ),
    "with an irq": ("e.irq(lambda e: None)\n", 0),
    "in a callback of atexit of before its first use": ("", 0),
    "in a callback of atexit": ("import atexit\natexit.register(lambda: e.send(b, 'at exit', False))\n", 0),
}


def held_addresses():
    """Return the names that boards of this computer hold."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return {line.split()[-1] for line in lines if "@espnow-board-" in line}


@pytest.mark.parametrize("name", ENDS)
def test_what_was_sent_just_before_the_end_goes_out(programs, peer, name):
    source, code = ENDS[name]
    if name.endswith("first use"):
        program = programs.file(
            "import atexit, espnow\natexit.register(lambda: exec(MANY))\n" + f"MANY = {MANY!r}\n" + START
        )
    else:
        program = programs.code(MANY + source)
    assert program.wait() == code
    expected = [f"last {number}".encode() for number in range(20)]
    assert peer.messages == ([*expected, b"at exit"] if "atexit" in source else expected)
    assert program.errors[-1:] == (["ValueError: of the program"] if code == 1 else [])


def test_with_the_pace_of_the_air_too(programs, new_peer):
    programs.radio = f"udp::{programs.port}"
    peer = new_peer("")
    programs.code(MANY).finish()
    assert len(peer.messages) == 20


@pytest.mark.parametrize("settings", ["", PATIENT], ids=["paced", "unpaced"])
def test_what_was_sent_just_before_the_end_is_recorded_with_what_became_of_it(programs, peer, settings):
    programs.radio = f"udp::{programs.port}?{settings or 'answer=20000'}"
    program = programs.code(
        f"p = {peer.mac!r}\ne.add_peer(p)\n" + MANY + "e.send(p, 'the very last', False)\n", ESPNOW_CAPTURE="air.pcapng"
    )
    assert program.finish() == []
    expected = [*(f"last {number}".encode() for number in range(20)), b"the very last"]
    sent = [parse_radiotap(record.packet) for record in read(programs.folder / "air.pcapng")]
    assert [message for _, message in sent] == expected
    assert [radio.tx_flags for radio, _ in sent] == [0] * 21  # each has its answer, which is that it went out


def parse_radiotap(packet):
    radio = radiotap.parse(packet)
    return radio, frame.parse(packet[radio.length :]).message


def test_the_end_does_not_wait_for_an_answer_that_never_comes(programs):
    program = programs.code(
        "from espnow import live\nlive.board().link.transmit = lambda mpdu, token: None\ne.send(b, 'x', False)\n"
        "live._LAST_FRAMES_US = 20_000\n"
        "begin = time.monotonic()\nimport atexit\natexit._run_exitfuncs()\nprint(time.monotonic() - begin)\n"
    )
    assert 0.02 <= float(program.finish()[0]) < 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
@pytest.mark.parametrize("doing", ["e.recv(-1)", "time.sleep(60)", "while True: pass", "while True: e.send(b, 'x')"])
def test_a_signal_ends_it_and_leaves_nothing(programs, number, doing):
    program = programs.code(f"from espnow import live\nprint(live.board().mac.hex())\nprint('now')\n{doing}\n")
    program.expect("now")
    held = f"@espnow-board-{program.lines[0]}"
    assert held in held_addresses()
    program.signal(number)
    assert program.wait() == -number
    assert held not in held_addresses()
    errors = [line for line in program.errors if not line.startswith(" ")]
    assert errors == (["Traceback (most recent call last):", "KeyboardInterrupt"] if number == signal.SIGINT else [])
    assert list(programs.folder.iterdir()) == [programs.folder / "program0.py"]


def test_others_go_on_when_one_is_killed(programs, peer):
    receiver = programs.code(
        "e.active(False)\ne.config(rxbuf=100_000)\ne.active(True)\nprint('ready')\n"
        "for mac, msg in e:\n    print(msg)\n    if msg == b'end':\n        break\n"
    )
    receiver.expect("ready")
    victim = programs.code("while True:\n    e.send(b, 'of the victim')\n    time.sleep(0.001)\n")
    receiver.expect("of the victim")
    victim.kill()
    for number in range(50):
        assert peer.send(b"\xff" * 6, f"{number}".encode())
    assert peer.send(b"\xff" * 6, b"end")
    lines = receiver.finish()
    assert lines[-51:] == [f"bytearray(b'{text}')" for text in (*range(50), "end")]


def test_a_second_interrupt_ends_the_wait_for_the_last_answers(programs):
    program = programs.code(
        "from espnow import live\nlive._LAST_FRAMES_US = 60_000_000\nlink = live.board().link\n"
        "link.transmit = lambda mpdu, token: None\ne.send(b, 'x', False)\n"
        "close = link.close\nlink.close = lambda: (close(), print('closed'))\n"
        "pause = live.board()._cpu.pause\n"
        "def waits(until):\n    print('waits')\n    pause(until)\n"
        "live.board()._cpu = type('Cpu', (), {'pause': staticmethod(waits), 'wake': live.board()._cpu.wake})\n"
    )
    program.expect("waits")
    program.signal(signal.SIGINT)
    program.wait()
    assert program.lines[-1] == "closed"
    assert program.errors[-1].startswith("KeyboardInterrupt")


# In this process.


def descriptors():
    """Return the open descriptors, and what they are."""
    found = {}
    for path in Path("/proc/self/fd").iterdir():
        try:
            found[path.name] = str(path.readlink())
        except FileNotFoundError:  # that of the folder itself
            continue
    return found


def test_a_board_that_was_closed_has_left_nothing_and_can_be_made_anew(fresh, peer):
    import network

    gc.collect()
    before = descriptors()
    threads = set(threading.enumerate())
    interval = sys.getswitchinterval()
    for number in range(3):
        network.WLAN(0).active(True)
        e = espnow.ESPNow()
        e.active(True)
        e.add_peer(peer.mac)
        assert e.send(peer.mac, str(number))
        assert e.fileno() >= 0
        assert len(set(threading.enumerate()) - threads) == 1
        live.close()
        live.close()
        assert set(threading.enumerate()) == threads
        assert sys.getswitchinterval() == interval
        e = None
        gc.collect()
        assert descriptors() == before
    assert peer.messages == [b"0", b"1", b"2"]


def test_a_switch_interval_of_the_programs_own_stays(fresh):
    interval = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.002)
        live.board()
        assert sys.getswitchinterval() == 0.002
        live.close()
        assert sys.getswitchinterval() == 0.002
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("radio", ["udp:?loss=2", "udp:239.1.1.1@nowhere", "pcap:/nowhere"])
def test_a_board_that_could_not_be_made_leaves_nothing(fresh, radio):
    gc.collect()
    before, threads = descriptors(), set(threading.enumerate())
    espnow.radio.use(radio)
    with pytest.raises(espnow.errors.UserError):
        live.board()
    gc.collect()
    assert descriptors() == before
    assert set(threading.enumerate()) == threads


def test_a_board_whose_capture_cannot_be_written_leaves_nothing(fresh):
    gc.collect()
    before, threads = descriptors(), set(threading.enumerate())
    fresh.setenv("ESPNOW_CAPTURE", "/nowhere/at/all")
    with pytest.raises(espnow.errors.UserError):
        live.board()
    gc.collect()
    assert descriptors() == before
    assert set(threading.enumerate()) == threads


# Forks.

FORK = """
import os
from espnow import live
e.irq(lambda e: print('parent heard', e.recv(0)[1]))
child = os.fork()
if child == 0:
    print('threads', len(os.listdir('/proc/self/task')), 'board', live._board)
    try:
        e.send(b, 'x')
    except OSError as error:
        print(error.args[1])
    network.WLAN(0).active(True)
    mine = espnow.ESPNow()
    print('same', mine is e)
    mine.active(True)
    mine.add_peer(b)
    print('sent', mine.send(b, 'of the child'))
    mine.irq(lambda e: print('child heard', e.recv(0)[1]))
    print('address', live.board().mac.hex())
    sys.stdin.readline()
    sys.exit(5)
print('address', live.board().mac.hex())
print('status', os.waitpid(child, 0)[1] >> 8)
print('sent by parent', e.send(b, 'of the parent'))
"""


def test_a_child_makes_its_own_board_and_the_parent_goes_on(programs, peer):
    program = programs.code(FORK)
    addresses = program.expect("address", 2)
    program.expect("parent heard b'of the child'")
    assert peer.send(b"\xff" * 6, b"to both")
    program.expect("parent heard b'to both'")
    program.expect("child heard b'to both'")
    program.write("\n")
    lines = program.finish()
    assert len(set(addresses)) == 2
    for line in ("threads 1 board None", "ESP_ERR_ESPNOW_NOT_INIT", "same False", "sent True", "status 5"):
        assert line in lines
    assert lines[-1] == "sent by parent True"
    assert peer.messages == [b"of the child", b"of the parent"]


def test_a_child_that_does_not_use_it_harms_nobody(programs, peer):
    program = programs.code(
        "import os\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "def fork(_):\n    child = os.fork()\n    return os.waitpid(child, 0)[1] if child else os._exit(0)\n"
        "print([fork(0) for _ in range(5)])\n"
        "with ThreadPoolExecutor(1) as pool:\n    print(list(pool.map(fork, range(5))))\n"
        "print(e.send(b, 'afterwards'))\n"
    )
    assert program.finish() == ["[0, 0, 0, 0, 0]"] * 2 + ["True"]
    assert peer.messages == [b"afterwards"]


def test_a_fork_out_of_a_callback_that_came_while_it_waited(programs, peer):
    program = programs.code(
        "import os\ndef fork(e):\n    e.irq(None)\n    e.recv(0)\n    child = os.fork()\n"
        "    if child:\n        print('status', os.waitpid(child, 0)[1])\n"
        "e.irq(fork)\nprint('ready')\n"
        "try:\n    print(e.recv(-1)[1])\nexcept OSError as error:\n    print('child', error.args[1])\n"
    )
    program.expect("ready")
    assert peer.send(b"\xff" * 6)
    program.expect("status 0")
    assert peer.send(b"\xff" * 6, b"go")
    assert program.finish() == ["ready", "child ESP_ERR_ESPNOW_NOT_INIT", "status 0", "b'go'"]


def test_numbers_of_descriptors_of_a_child_are_its_own(programs):
    program = programs.code(
        "import gc, os, tempfile\nfileno = e.fileno()\nchild = os.fork()\nif child:\n"
        "    sys.exit(os.waitpid(child, 0)[1])\n"
        "files = [tempfile.TemporaryFile() for _ in range(30)]\n"
        "del e, espnow, network\n"
        "for name in [name for name in sys.modules if name.partition('.')[0] in ('espnow', 'network')]:\n"
        "    del sys.modules[name]\n"
        "gc.collect()\nfor file in files:\n    os.fstat(file.fileno())\n    file.write(b'x')\n    file.flush()\n"
        "print('all there')\n"
    )
    assert program.finish() == ["all there"]


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing(programs, peer, kind):
    program = programs.file(
        f"""
import multiprocessing, sys

def child(number):
    import espnow, network
    network.WLAN(0).active(True)
    e = espnow.ESPNow()
    e.active(True)
    e.add_peer(b"\\xff" * 6)
    for part in range(3):
        e.send(b"\\xff" * 6, f"{{number}} {{part}}", False)

if __name__ == "__main__":
    child("parent")
    processes = [multiprocessing.get_context("{kind}").Process(target=child, args=(number,)) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print([process.exitcode for process in processes])
"""
    )
    assert program.finish() == ["[0, 0]"]
    expected = [f"{who} {part}".encode() for who in ("0", "1", "parent") for part in range(3)]
    assert sorted(peer.messages) == expected
    assert len({source for _, source, _ in peer.heard}) >= 2  # a child that has ended leaves its address to the next


def test_a_process_that_the_program_starts_inherits_nothing(programs):
    program = programs.code(
        "import os, subprocess\ne.fileno()\n"
        "listed = subprocess.run(['ls', '-l', '/proc/self/fd'], close_fds=False, capture_output=True, text=True)\n"
        "print('socket' in listed.stdout, 'espnow' in listed.stdout, len(listed.stdout.splitlines()))\n"
    )
    bare = subprocess.run(["ls", "-l", "/proc/self/fd"], capture_output=True, text=True, check=True)
    assert program.finish() == [f"False False {len(bare.stdout.splitlines())}"]


def test_nothing_is_warned_of_in_development_mode(programs, peer):
    (programs.folder / "dev.py").write_text(
        "import espnow, network, os\nnetwork.WLAN(0).active(True)\ne = espnow.ESPNow()\ne.active(True)\n"
        "e.add_peer(b'\\xff' * 6)\ne.fileno()\ne.send(b'\\xff' * 6, 'x', False)\n"
        "child = os.fork()\nif child:\n    os.waitpid(child, 0)\n"
    )
    assert programs._start(["-X", "dev", "-W", "error", "dev.py"], {}).finish() == []


# What it reports.

#: Standard error that takes nothing: closed, on a full disk, with a reader that has left, and not there at all.
UNREADABLE = {
    "closed": ValueError("I/O operation on closed file."),
    "full": OSError(errno.ENOSPC, "No space left on device"),
    "broken": BrokenPipeError(errno.EPIPE, "Broken pipe"),
}


class Unreadable(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def flush(self):
        raise self.error


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_report_that_nobody_can_read_does_not_stop_the_radio(own, monkeypatch, name):
    link = own.board.link
    transmit, link._transmit = link._transmit, refuse
    monkeypatch.setattr(sys, "stderr", Unreadable(UNREADABLE[name]))
    assert own.e.send(own.b, "into nothing") is False
    assert link.trouble is not None
    link._transmit = transmit
    assert own.e.send(own.b, "again") is True
    assert link.trouble is None


def refuse(datagram, to):
    raise OSError(errno.ENETDOWN, "Network is down")


def test_without_standard_error_a_report_does_not_go_to_standard_output(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    live._report("nobody reads this")
    assert capsys.readouterr().out == ""

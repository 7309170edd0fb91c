"""The same lab and seed give the same bytes; a board more changes nothing for the others."""

import os
import subprocess
import sys

import pytest

RADIO = """\
import network, espnow, time, random
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
"""

SENDER = (
    RADIO
    + """
peer = b"\\x02\\x00\\x00\\x00\\x00\\x01"
e.add_peer(peer)
words = {"north", "south", "east", "west", "up", "down"}
for number in range(30):
    time.sleep_ms(random.randrange(1, 20))
    ok = e.send(peer, "%d %s" % (number, sorted(words)[number % 6]))
    print(number, ok, time.ticks_us(), random.random())
print(e.stats(), list(words))
e.send(peer, "end")
"""
)

RECEIVER = (
    RADIO
    + """
import asyncio

async def beat():
    while True:
        await asyncio.sleep_ms(random.randrange(5, 50))
        print("beat", time.ticks_us())

async def main():
    asyncio.create_task(beat())
    while True:
        await asyncio.sleep_ms(1)
        while e.any():
            mac, message = e.recv()
            print(mac, message, time.ticks_us(), e.peers_table)
            if message == b"end":
                return

asyncio.run(main())
print(sorted(set(e.peers_table)), {b"a", b"b", b"c"})
"""
)

LOSSY = ["--loss", "0.3", "--at", "0,0", "--at", "30,0", "--at", "0,40"]


def run_in_process(folder, seed, hash_seed):
    """Run the three programs with the command and return (stdout, stderr, capture)."""
    capture = folder / f"{seed}-{hash_seed}.pcapng"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ESPNOW"))}
    environment["PYTHONHASHSEED"] = hash_seed
    done = subprocess.run(
        [
            *(sys.executable, "-m", "espnow", "run", "--for", "2s", "--seed", str(seed), "--pcap", str(capture)),
            *LOSSY,
            *("--mac", "02:00:00:00:00:01", "receiver.py", "sender.py", "sender.py:esp32-v2"),
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr, capture.read_bytes()


def test_two_processes_and_two_hash_seeds_give_the_same_bytes_and_another_seed_does_not(tmp_path):
    (tmp_path / "receiver.py").write_text(RECEIVER)
    (tmp_path / "sender.py").write_text(SENDER)
    first = run_in_process(tmp_path, 7, "1")
    again = run_in_process(tmp_path, 7, "4242")
    other = run_in_process(tmp_path, 8, "1")
    assert first[0].count(b"\n") > 60
    assert b"end" in first[0]
    assert len(first[2]) > 2000
    assert first == again
    assert first[0] != other[0]
    assert first[2] != other[2]


def test_two_labs_in_one_process_are_the_same(make_lab):
    def run(seed):
        lab = make_lab(seed=seed, loss=0.3)
        lab.board(code=RECEIVER, name="receiver", mac="02:00:00:00:00:01", at=(0, 0))
        lab.board(code=SENDER, name="a", at=(30, 0))
        lab.board(code=SENDER, name="b", at=(0, 40))
        lab.run(for_ms=2_000)
        return [board.output for board in lab.boards], lab.transmissions, [board.sent for board in lab.boards]

    first, again, other = run(1), run(1), run(2)
    assert first == again
    assert any(transmission.attempt > 1 for transmission in first[1])
    assert first != other


def test_a_board_more_does_not_change_what_another_draws(make_lab):
    code = """
import random, os
for _ in range(5):
    print(random.random(), random.getrandbits(20), os.urandom(4))
"""

    def draws(before):
        lab = make_lab(seed=5)
        for number in range(before):
            lab.board(code=code, name=f"other-{number}")
        board = lab.board(code=code, name="sensor")
        lab.run()
        return board.output

    alone = draws(0)
    assert len(alone.splitlines()) == 5
    assert draws(1) == draws(3) == alone


def test_boards_of_one_lab_draw_different_numbers(lab):
    code = "import random, os\nprint(random.random())\nprint(os.urandom(8))"
    one, other = lab.board(code=code), lab.board(code=code)
    lab.run()
    assert one.lines[0] != other.lines[0]
    assert one.lines[1] != other.lines[1]


def test_how_the_host_slices_the_run_changes_nothing(make_lab):
    """One run of 300 ms, 300 runs of 1 ms, and one that a condition watches are the same run."""
    busy = """
import time
while True:
    for _ in range(7):
        pass
    print(time.ticks_us())
    if time.ticks_us() % 11 == 0:
        time.sleep_us(777)
"""

    def run(how):
        lab = make_lab(seed=3, loss=0.2)
        lab.board(code=SENDER, name="sender")
        lab.board(code=RECEIVER, name="receiver", mac="02:00:00:00:00:01")
        lab.board(code=busy, name="busy")
        how(lab)
        assert lab.now_ms == 300
        return [board.output for board in lab.boards], lab.transmissions

    def whole(lab):
        lab.run(for_ms=300)

    def slices(lab):
        for _ in range(300):
            lab.run(for_ms=1)

    def watched(lab):
        assert not lab.run_until(lambda: False, timeout_ms=300)

    first = run(whole)
    assert run(slices) == first
    assert run(watched) == first


@pytest.mark.parametrize("code", ["import random; print(random.random())", "import os; print(os.urandom(9))"])
def test_the_seed_decides_what_a_program_draws(make_lab, code):
    def draw(seed):
        lab = make_lab(seed=seed)
        board = lab.board(code=code)
        lab.run()
        return board.output

    assert draw(1) == draw(1) != draw(2)

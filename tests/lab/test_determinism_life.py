"""The same seed gives the same life of every board, to the byte: Wi-Fi, sleep, threads, tasks, files and reasons too.

However the host slices the run, and in whatever process with whatever seed of hashes.
"""

import hashlib
import os
import random
import subprocess
import sys

import pytest

from espnow.lab import Lab

BEGIN = """
import espnow, network, machine, time, random, os
sta = network.WLAN(network.WLAN.IF_STA)
sta.active(True)
e = espnow.ESPNow()
e.active(True)
everybody = b'\\xff' * 6
e.add_peer(everybody)
"""

#: Programs that live in every way that a lab knows. Each goes on for ever, or starts again.
PROGRAMS = {
    "sleeper": BEGIN
    + """
rtc = machine.RTC()
count = int(rtc.memory() or b'0') + 1
rtc.memory(str(count))
print(count, machine.reset_cause(), machine.wake_reason(), random.random())
e.send(everybody, 'awake %d' % count)
with open('log.txt', 'a') as f:
    f.write('%d ' % time.ticks_ms())
print(open('log.txt').read())
import esp32
esp32.wake_on_ext0(machine.Pin(4, machine.Pin.IN, machine.Pin.PULL_DOWN), esp32.WAKEUP_ANY_HIGH)
if count % 5 == 4:
    machine.reset()
machine.deepsleep(random.randrange(50, 900))
""",
    "joiner": BEGIN
    + """
sta.connect('home', 'secret123')
while True:
    print(sta.status(), sta.isconnected(), sta.config('channel'), time.ticks_us())
    try:
        print(e.send(everybody, 'from the joiner %d' % time.ticks_ms()))
    except OSError as error:
        print(error)
    while e.any():
        print(e.recv())
    time.sleep_ms(random.randrange(200, 500))
""",
    "threads": BEGIN
    + """
import _thread
lock = _thread.allocate_lock()
def beat(number):
    while True:
        with lock:
            print(number, time.ticks_us())
        for _ in range(random.randrange(3000)):
            pass
        time.sleep_ms(random.randrange(20, 90))
for number in range(3):
    _thread.start_new_thread(beat, (number,))
while True:
    mac, message = e.recv(300)
    print(mac, message)
""",
    "tasks": BEGIN
    + """
import asyncio, aioespnow
a = aioespnow.AIOESPNow()
a.active(True)
words = {'north', 'south', 'east', 'west'}
async def hear():
    async for mac, message in a:
        print(mac, message, time.ticks_us(), a.peers_table)
async def beat(ms):
    while True:
        await asyncio.sleep_ms(random.randrange(ms, 2 * ms))
        await a.asend(everybody, sorted(words)[random.randrange(4)])
async def main():
    await asyncio.gather(hear(), beat(100), beat(170))
asyncio.run(main())
""",
    "access point": BEGIN
    + """
ap = network.WLAN(network.WLAN.IF_AP)
ap.active(True)
ap.config(ssid='den', channel=6)
while True:
    print(ap.status('stations'), e.stats(), time.ticks_us())
    time.sleep_ms(random.randrange(300, 400))
""",
    "guest": BEGIN
    + """
print(sorted(sta.scan()))
sta.connect('den')
timer = machine.Timer(0)
timer.init(period=70, callback=lambda t: print('timer', time.ticks_us()))
machine.Pin(4, machine.Pin.IN).irq(lambda p: print('pin', p.value(), time.ticks_us()))
e.irq(lambda e: print('irq', e.recv(0)))
while True:
    for _ in range(random.randrange(20000)):
        pass
    machine.lightsleep(random.randrange(5, 40)) if random.random() < 0.1 else time.sleep_ms(3)
""",
    "stubborn": """
import machine, time
machine.WDT(timeout=400)
n = 0
while True:
    try:
        n += 1
        if n == 50000: machine.soft_reset()
        if n % 10000 == 0: print(n, time.ticks_us(), {b'a', b'b'} == set())
    except Exception:
        pass
""",
    "pair": BEGIN
    + """
peer = b'\\x02\\x00\\x00\\x00\\x00\\x01'
e.add_peer(peer, channel=0)
for number in range(10**9):
    try:
        print(e.send(peer, bytes([number % 250] * random.randrange(1, 250))))
    except OSError as error:
        print(error)
    time.sleep_ms(random.randrange(10, 100))
""",
}


def build(seed: int) -> Lab:
    """Return a lab that the seed decides: its boards, its routers, what happens to them."""
    draw = random.Random(seed)
    lab = Lab(seed=seed, loss=draw.choice((0.0, 0.2)), explain=True, path_loss_exponent=draw.choice((2.5, 3.5)))
    router = lab.router("home", "secret123", channel=draw.choice((1, 6, 11)), at=(5.0, 5.0))

    def place() -> tuple[float, float]:
        return draw.uniform(0, 60), draw.uniform(0, 60)

    chosen = draw.sample(sorted(PROGRAMS), 5)
    for number, name in enumerate(chosen):
        mac = "02:00:00:00:00:01" if number == 0 else None
        board = lab.board(code=PROGRAMS[name], name=name, at=place(), mac=mac, start_ms=draw.choice((0, 0, 130)))
        act = draw.choice((board.soft_reset, board.reset, board.interrupt, board.power_off, None))
        if act is not None:
            lab.at(draw.randrange(3000, 3900), lambda board=board, act=act: board.power_state.value == "on" and act())
        for _ in range(4):
            at_ms, level = draw.randrange(4000), draw.randrange(2)
            lab.at(at_ms, lambda board=board, level=level: board.pin(4).drive(level))
    lab.at(draw.randrange(1800, 2600), router.down)
    lab.at(3000, lambda: (router.set_channel(9), router.up()))
    lab.at(2000, lambda: lab.board(code=PROGRAMS["pair"], name="late", at=(1.0, 1.0)))
    return lab


END_MS = 4_000


def whole(lab: Lab) -> None:
    """Run in one piece."""
    lab.run(for_ms=END_MS)


def pieces(lab: Lab) -> None:
    """Run in pieces of odd lengths."""
    while lab.now_us < END_MS * 1000:
        lab.run(for_ms=min(7.313, END_MS - lab.now_ms))


def watched(lab: Lab) -> None:
    """Run while somebody asks after each instant, and stops at times."""
    asked = 0

    def condition() -> bool:
        nonlocal asked
        asked += 1
        return asked % 97 == 0

    while lab.run_until(condition, END_MS - lab.now_ms) or lab.now_us < END_MS * 1000:
        str(lab.explain())


def account(seed: int, how=whole) -> str:
    """Return all that a lab tells of its run."""
    with build(seed) as lab:
        how(lab)
        assert lab.now_ms == END_MS
        parts = [str(lab.explain())]
        for board in lab.boards:
            parts += [board.name, board.state, repr(board.power_states), board.output, str(board.explain())]
            parts += map(repr, (board.sent, board.received, board.dropped))
        parts += map(repr, lab.transmissions)
    return "\n".join(parts)


SEEDS = range(4)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
def test_how_the_host_slices_a_run_changes_nothing(seed):
    first = account(seed)
    assert first.count("\n") > 500
    for how in (pieces, watched):
        assert account(seed, how) == first


def test_every_program_is_in_one_of_the_labs_and_the_seed_decides():
    labs = [build(seed) for seed in SEEDS]
    assert {board.name for lab in labs for board in lab.boards} == set(PROGRAMS)
    for lab in labs:
        lab.close()


@pytest.mark.timeout(120)
def test_another_process_and_another_seed_of_hashes_change_nothing():
    here = [digest(seed) for seed in SEEDS[:2]]
    assert here[0] != here[1]
    done = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.split() == here, done.stderr


def digest(seed: int) -> str:
    """Return a hash of a run's account."""
    return hashlib.sha256(account(seed).encode()).hexdigest()


if __name__ == "__main__":
    print(*map(digest, SEEDS[:2]))

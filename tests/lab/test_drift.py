"""Boards whose crystals are fast or slow: their programs' time is another than the lab's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.errors import UserError
from espnow.lab import Lab
from espnow.lab.drift import DriftingClock, DriftingLink
from espnow.link import PowerSave, RadioConfig
from espnow.testing import ManualClock

WAYS = {
    "sleep": "for _ in range(50):\n    time.sleep_ms(200)\n",
    "ticks": "begin = time.ticks_ms()\nwhile time.ticks_diff(time.ticks_ms(), begin) < 10_000:\n    time.sleep_ms(1)\n",
    "asyncio": "import asyncio\nasync def main():\n    for _ in range(50):\n        await asyncio.sleep(0.2)\n"
    "asyncio.run(main())\n",
    "timer": "import machine\nfired = []\nmachine.Timer(0, period=200, callback=fired.append)\n"
    "while len(fired) < 50:\n    time.sleep_ms(1)\n",
    "recv": "import espnow, network\nnetwork.WLAN(0).active(True)\ne = espnow.ESPNow()\ne.active(True)\n"
    "time.sleep_ms(-time.ticks_ms() % 1000)\nfor _ in range(50):\n    e.recv(200)\n",
    "thread": "import _thread\ndone = []\n"
    "def other():\n    for _ in range(50):\n        time.sleep_ms(200)\n    done.append(1)\n"
    "_thread.start_new_thread(other, ())\nwhile not done:\n    time.sleep_ms(1)\n",
}


def took_ms(way, drift_ppm):
    code = f"import time\nprint(time.ticks_us())\n{WAYS[way]}print(time.ticks_us())\n"
    with Lab() as lab:
        board = lab.board(code=code, drift_ppm=drift_ppm)
        assert lab.run_until(lambda: len(board.lines) == 1)
        begin_ms = lab.now_ms
        assert lab.run_until(lambda: len(board.lines) == 2)
        began, ended = map(int, board.lines)
        return (ended - began) / 1000, lab.now_ms - begin_ms


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("drift_ppm", [50_000, -50_000])
def test_what_ten_seconds_are_to_a_board(way, drift_ppm):
    own_ms, lab_ms = took_ms(way, drift_ppm)
    usual_ms, _ = took_ms(way, 0)
    assert own_ms == pytest.approx(usual_ms, rel=0.01)
    assert lab_ms == pytest.approx(own_ms / (1 + drift_ppm * 1e-6), abs=2)


def test_boards_that_begin_together_do_not_stay_together():
    code = """
import espnow, network, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(b'\\xff' * 6)
due = time.ticks_ms()
while True:
    e.send(b'\\xff' * 6, b'x')
    due = time.ticks_add(due, 1000)
    time.sleep_ms(time.ticks_diff(due, time.ticks_ms()))
"""

    def apart_us(drift_ppm):
        with Lab() as lab:
            one, other = lab.board(code=code), lab.board(code=code, drift_ppm=drift_ppm)
            lab.run(for_ms=101_000)
            last = {board.name: board.sent[-1].at_us for board in (one, other)}
            frames = [one.at_us for one in lab.transmissions]
            assert frames == sorted(frames)
            assert len(one.sent) == len(other.sent)
            begun = [max(t.at_us for t in lab.transmissions if t.station == name) for name in last]
            return begun[0] - begun[1]

    assert abs(apart_us(0)) < 2_000
    assert apart_us(100) == pytest.approx(10_000, abs=2_500)


def test_what_a_board_hears_has_the_time_of_its_own_clock():
    hear = """
import espnow, network, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
host, message = e.recv()
print(e.peers_table[host][1] - time.ticks_ms())
"""
    send = """
import espnow, network, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(b'\\xff' * 6)
time.sleep(20)
e.send(b'\\xff' * 6, b'x')
"""
    with Lab() as lab:
        board = lab.board(code=hear, drift_ppm=90_000)
        lab.board(code=send)
        lab.run()
        assert abs(int(board.lines[0])) <= 1


@given(st.floats(-1e5, 1e5), st.lists(st.integers(0, 10**13), min_size=2, max_size=5))
def test_a_drifting_clock_never_runs_back_and_keeps_appointments(drift_ppm, instants):
    clock = DriftingClock(ManualClock(), drift_ppm)
    instants.sort()
    shown = [clock.own_us(at_us) for at_us in instants]
    assert shown == sorted(shown)
    for own_us in instants:
        at_us = clock.lab_us(own_us)
        assert own_us <= clock.own_us(at_us) <= own_us + 2
        assert at_us == 0 or clock.own_us(at_us - 1) < own_us


@pytest.mark.parametrize("drift_ppm", [2e5, float("nan")])
def test_a_crystal_that_cannot_be(drift_ppm):
    with Lab() as lab, pytest.raises(UserError, match="must be from -100000 to 100000"):
        lab.board(drift_ppm=drift_ppm)


@pytest.mark.parametrize("drift_ppm", [-20, 0, 3, 20])
def test_a_receiver_sleeps_by_the_boards_clock_over_a_day(drift_ppm):
    asked = []

    class Radio:
        def configure(self, config):
            asked.append(config.power_save)

    link = DriftingLink(Radio(), DriftingClock(ManualClock(), drift_ppm))
    link.configure(RadioConfig(power_save=PowerSave(0, 102_400, 10_000, 5_000)))
    periods = 843_750  # a day
    assert asked[0].period_us * periods == pytest.approx(86_400_000_000 / (1 + drift_ppm * 1e-6), abs=1)

"""Stations that wait together keep off the air as those do that wait alone, and cost fewer events."""

import math
from itertools import pairwise

import pytest

from espnow.air import air as air_module
from espnow.lab import Lab

SENDER = """
import espnow, network, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
peers = (b'\\xff' * 6, b'\\x02\\x00\\x00\\x00\\x00\\x01')
for peer in peers:
    e.add_peer(peer)
time.sleep_ms(200 - time.ticks_ms())
for number in range(6):
    try:
        print(e.send(peers[number % 2], bytes(20 * number + 1)))
    except OSError:
        print("too late")  # a broadcast, which may wait longer for a channel as busy as this
"""


def run(boards, side_m, seed):
    """Return a lab in which so many boards send at once, on a field of this width."""
    lab = Lab(seed=seed, range_m=60.0)
    draw = lab.chance.stream("places")
    lab.board(code=SENDER, mac="02:00:00:00:00:01")
    for _ in range(boards - 1):
        lab.board(code=SENDER, at=(draw.uniform(0, side_m), draw.uniform(0, side_m)))
    lab.run()
    return lab


@pytest.mark.parametrize("crowd", [1, 2, 32, 10**9])
@pytest.mark.parametrize(("boards", "side_m"), [(40, 0.0), (40, 150.0), (8, 90.0)])
def test_nobody_begins_while_he_hears_another(monkeypatch, crowd, boards, side_m):
    monkeypatch.setattr(air_module, "CROWD", crowd)
    lab = run(boards, side_m, seed=boards)
    places = {board.name: board.position for board in lab.boards}
    frames = [frame for frame in lab.transmissions if frame.mpdu[0] == 0xD0]
    for number, frame in enumerate(frames):
        for other in frames[number + 1 : number + 60]:
            if math.dist(places[frame.station], places[other.station]) <= 60.0:
                assert other.at_us >= frame.end_us or other.at_us == frame.at_us or other.end_us <= frame.at_us
    for board in lab.boards:
        assert board.finished
        assert board.error is None
        assert len(board.lines) == 6
        # Each of its frames was tried, none twice at once, and none after its time.
        own = [frame for frame in frames if frame.station == board.name]
        assert all(first.end_us <= second.at_us for first, second in pairwise(own))
        for sent, line in zip(board.sent, board.lines, strict=True):
            assert line in ("too late", str(sent.acknowledged))
            assert sent.acknowledged is not None
    assert lab.clock._heap == [] or all(timer[2] is None or timer[3] for timer in lab.clock._heap)


def test_a_crowd_is_one_event_for_each_frame(monkeypatch):
    def events(crowd):
        monkeypatch.setattr(air_module, "CROWD", crowd)
        with run(60, 0.0, seed=1) as lab:
            return lab.clock._counter

    assert events(32) < events(10**9) / 3

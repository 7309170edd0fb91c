"""Strangers in small, and that what is told of an attack notices what goes wrong."""

from __future__ import annotations

import collections
import copy
import sys
from pathlib import Path

import pytest

from espnow.radio.udp.datagram import Malformed, parse

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))
try:
    import hostile

    import bad_air
finally:
    sys.path.remove(str(FOLDER))

VICTIM = (bytes.fromhex("300000000001"), bytes.fromhex("300000000002"))
OWN = bytes(range(8))


def made(count: int, seed: int = 3) -> list[bytes]:
    strangers = hostile.Strangers(seed, VICTIM, 1)
    learned = strangers._header(strangers._esp_now(VICTIM[0]), number=7)
    strangers.learn(learned)
    strangers.learn(learned[:42] + VICTIM[0] + learned[48:])
    return [strangers.next() for _ in range(count)]


def test_same_seed_same_datagrams():
    assert made(500) == made(500)
    assert made(500) != made(500, seed=4)


def test_there_is_something_of_everything():
    datagrams = made(5000)
    verdicts = collections.Counter(hostile.verdict(datagram, 1, OWN) for datagram in datagrams)
    assert all(verdicts[name] > 100 for name in (hostile.FOREIGN, hostile.UNHEARD, hostile.HEARD))
    kinds = {datagram[32] for datagram in datagrams if len(datagram) > 56}
    assert {0x00, 0x40, 0x48, 0x80, 0xA0, 0xB0, 0xC0, 0xD0, 0x08} <= kinds
    assert max(map(len, datagrams)) > 40_000
    assert min(map(len, datagrams)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_parser_says_what_the_second_reader_says(seed):
    for datagram in made(3000, seed):
        try:
            parsed = parse(datagram)
        except Malformed:
            parsed = None
        said = hostile.verdict(datagram, 1, OWN)
        heard = parsed is not None and parsed.kind == 1
        assert heard == (said != hostile.FOREIGN), datagram
        if heard:
            assert (parsed.channel == 1 and parsed.rate < 41) == (said == hostile.HEARD)


def test_its_own_are_known():
    (datagram,) = [each for each in made(200) if hostile.verdict(each, 1, OWN) == hostile.HEARD][:1]
    own = datagram[12:20]
    assert hostile.verdict(datagram, 1, own) == hostile.OWN
    assert hostile.verdict(b"X" + datagram[1:], 1, own) == hostile.FOREIGN


SENT = collections.Counter(heard=70, foreign=20, own=4, unheard=6)
PEER = {
    "acknowledged": 1000,
    "sent": 1000,
    "echoes": 100,
    "longest_s": 0.1,
    "counts": {"frames_sent": 1001, "acks_sent": 90},
}
SEEN = {"foreign": 20, "unheard": 6, "frames_heard": 1071, "crowded": 0}
NODE = {
    "read": 1020,
    "replayed": 20,
    "echoed": 100,
    "answered": 90,
    "echoes": 100,
    "strangers": 0,
    "warm_kb": 9000,
    "rss_kb": 9100,
    "peers_table": 0,
    "dropped": 7,
    "all_dropped": 7,
    "counts": {**SEEN, "frames_sent": 3, "acks_heard": 100, "acks_late": 0},
}


def test_nothing_is_wrong():
    assert bad_air.check(SENT, PEER, NODE, gentle=True) == []
    assert bad_air.check(SENT, PEER, NODE, gentle=False) == []


@pytest.mark.parametrize(
    ("who", "name", "value", "said"),
    [
        ("peer", "acknowledged", 800, "the peer was not served"),
        ("peer", "longest_s", 1.5, "the peer was not served"),
        ("peer", "echoes", 0, "the peer's program did not read: 0 of 90"),
        ("victim", "read", 20, "the victim's program did not read: 0 of 1000"),
        ("victim", "replayed", 1020, "the victim's program did not read: 0 of 1000"),
        ("victim", "echoes", 60, "the victim's program did not answer: 60 times to 1000"),
        ("victim", "echoed", 70, "the victim was not served"),
        ("victim", "rss_kb", 12_000, "the victim grew"),
        ("counts", "foreign", 19, "datagrams"),
        ("counts", "frames_heard", 1072, "datagrams"),
        ("victim", "dropped", 8, "datagrams"),
    ],
)
def test_what_is_wrong_is_said(who, name, value, said):
    peer, victim = copy.deepcopy(PEER), copy.deepcopy(NODE)
    {"peer": peer, "victim": victim, "counts": victim["counts"]}[who][name] = value
    problems = bad_air.check(SENT, peer, victim, gentle=False)
    assert len(problems) == 1
    assert said in problems[0]


def test_what_is_counted_as_something_else_is_said():
    victim = copy.deepcopy(NODE)
    victim["counts"] |= {"unheard": 5, "foreign": 21}
    assert [line.split()[0] for line in bad_air.check(SENT, PEER, victim, gentle=True)] == ["unheard"]


def test_who_reads_nothing_more_is_not_waited_for_without_end(monkeypatch):
    monkeypatch.setattr(bad_air, "sockets_of", lambda process, port: (5, 0, 0))
    monkeypatch.setattr(bad_air, "LIMIT_S", 0.0)
    bad_air.wait_for_room(1, 2, 5)
    with pytest.raises(RuntimeError, match="5 bytes wait for process 1, and it reads nothing"):
        bad_air.wait_for_room(1, 2, 4)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("settings", ["?answer=20000", "?answer=20000&pace=off"], ids=["paced", "unpaced"])
def test_strangers_in_small(settings):
    figures, problems = bad_air.attack(10_000, gentle=True, settings=settings, answer_ms=30_000)
    assert problems == []
    assert figures["peer"]["acknowledged"] > 10
    assert figures["victim"]["read"] > 10

"""ESPNow.peers_table: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

PEER = b"\x24\x0a\xc4\x00\x00\x01"
OTHER = b"\x24\x0a\xc4\x00\x00\x02"


def test_is_empty_at_first(bench):
    """document: peers_table."""
    assert bench.espnow.ESPNow().peers_table == {}


def test_has_rssi_and_time_of_the_last_message(bench, e):
    """document: peers_table."""
    ticks_ms = bench.module("time").ticks_ms
    bench.link.inject("one", rssi_dbm=-31)
    first_ms = ticks_ms()
    bench.advance(100)
    bench.link.inject("two", source=OTHER, rssi_dbm=-43)
    second_ms = ticks_ms()
    bench.advance(100)
    e.recv()
    e.recv()
    assert e.peers_table == {PEER: [-31, first_ms], OTHER: [-43, second_ms]}
    assert second_ms - first_ms == 100
    bench.link.inject("three", rssi_dbm=-90)
    e.recv()
    assert e.peers_table[PEER] == [-90, first_ms + 200]


@pytest.mark.parametrize(
    "read",
    [
        lambda e: e.recv(0),
        lambda e: e.irecv(0),
        lambda e: e.recvinto([None, bytearray(250)], 0),
        lambda e: next(e),
    ],
    ids=["recv", "irecv", "recvinto", "next"],
)
def test_changes_when_a_message_is_read(bench, e, read):
    """document: peers_table, not on arrival."""
    for rssi_dbm in (-50, -60):
        bench.link.inject("x", rssi_dbm=rssi_dbm)
    assert e.peers_table == {}
    e.any()
    assert e.peers_table == {}
    read(e)
    assert e.peers_table[PEER][0] == -50
    read(e)
    assert e.peers_table[PEER][0] == -60


def test_senders_need_no_registration_and_registered_ones_are_not_there(bench, e):
    """document: peers_table, all hosts that were heard."""
    e.add_peer(OTHER)
    bench.link.inject("x")
    e.recv()
    assert list(e.peers_table) == [PEER]


def test_stays_when_the_peer_is_removed(bench, e):
    """firmware."""
    e.add_peer(PEER)
    bench.link.inject("x")
    e.recv()
    e.del_peer(PEER)
    assert PEER in e.peers_table


@pytest.mark.parametrize("rssi_dbm", [-127, -1, 0])
def test_range_of_rssi(bench, e, rssi_dbm):
    """document: peers_table."""
    bench.link.inject("x", rssi_dbm=rssi_dbm)
    e.recv()
    assert e.peers_table[PEER][0] == rssi_dbm


def test_time_wraps_as_the_tick_counter_does(bench, e):
    """document: peers_table, every twelve days; firmware: at 2 to the power of 30."""
    bench.clock.now_us = ((1 << 30) - 5) * 1000
    bench.link.inject("x")
    e.recv()
    assert e.peers_table[PEER][1] == (1 << 30) - 5
    bench.advance(10)
    bench.link.inject("x")
    e.recv()
    assert e.peers_table[PEER][1] == 5 == bench.module("time").ticks_ms()


@pytest.mark.parametrize("read", ["recv", "irecv"])
def test_addresses_given_out_are_its_keys(bench, e, read):
    """document: peers_table, references to them."""
    for _ in range(2):
        bench.link.inject("x")
        mac, _ = getattr(e, read)()
        (key,) = e.peers_table
        assert mac is key


def test_is_a_dict(bench, e):
    """document: peers_table."""
    bench.link.inject("x", rssi_dbm=-40)
    e.recv()
    table = e.peers_table
    ms = table[PEER][1]
    assert isinstance(table, dict)
    assert PEER in table
    assert OTHER not in table
    assert len(table) == 1
    assert list(table.items()) == [(PEER, [-40, ms])]
    assert list(table.values()) == [[-40, ms]]
    assert table.get(OTHER) is None
    assert repr(table) == f"{{{PEER!r}: [-40, {ms}]}}"
    assert str(table) == repr(table)
    assert type(table[PEER]) is list
    assert dict(table) == table.copy() == table
    assert min(table, key=lambda mac: table[mac][0]) == PEER
    with pytest.raises(KeyError):
        table[OTHER]


@pytest.mark.parametrize("looping", ["table", "table.keys()", "table.values()", "table.items()"])
def test_loop_over_it_survives_a_new_sender(bench, e, looping):
    """ours: as on a board, where a callback may read between the steps of the loop."""
    bench.link.inject("x")
    e.recv()
    for number in range(5):
        bench.link.inject("y", source=bytes((2, 0, 0, 0, 0, number)), after_ms=5)
    source = f"""
import espnow, time
e = espnow.ESPNow()
e.irq(lambda obj: obj.recv(0))
table = e.peers_table
turns = 0
for _ in {looping}:
    turns += 1
    time.sleep_ms(10)
"""
    assert bench.run(source)["turns"] == 1
    assert len(e.peers_table) == 6
    assert list(e.peers_table) == [mac for mac, _ in e.peers_table.items()]


def test_is_the_same_object_always(bench, e):
    """document: peers_table, a reference."""
    table = e.peers_table
    bench.link.inject("x")
    e.recv()
    assert e.peers_table is table
    assert PEER in table


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.__setitem__(OTHER, [0, 0]),
        lambda table: table.__delitem__(PEER),
        lambda table: table.clear(),
        lambda table: table.pop(PEER),
        lambda table: table.pop(OTHER, None),
        lambda table: table.popitem(),
        lambda table: table.setdefault(OTHER, [0, 0]),
        lambda table: table.update({OTHER: [0, 0]}),
        lambda table: table.__ior__({OTHER: [0, 0]}),
    ],
    ids=["set", "del", "clear", "pop", "pop-default", "popitem", "setdefault", "update", "ior"],
)
def test_cannot_be_changed(bench, e, change):
    """firmware."""
    bench.link.inject("x")
    e.recv()
    before = dict(e.peers_table)
    with pytest.raises(TypeError):
        change(e.peers_table)
    assert e.peers_table == before


def test_cannot_be_replaced(e):
    """firmware."""
    with pytest.raises(AttributeError):
        e.peers_table = {}


def test_keeps_the_latest_of_very_many_senders(bench, e):
    """ours: whoever sends may make up any number of addresses."""
    from espnow.api.state import MOST_SENDERS

    addresses = [b"\x24\x0a" + number.to_bytes(4, "big") for number in range(MOST_SENDERS + 3)]
    for address in addresses:
        bench.link.inject("x", source=address)
        e.recv()
    assert list(e.peers_table) == addresses[3:]
    bench.link.inject("again", source=addresses[0])
    e.recv()
    assert list(e.peers_table) == [*addresses[4:], addresses[0]]

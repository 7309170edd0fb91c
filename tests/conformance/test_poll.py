"""Polling the ESPNow object: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

PEER = b"\x24\x0a\xc4\x00\x00\x01"
IN, OUT = 1, 4


@pytest.fixture
def select(bench):
    return bench.module("select")


@pytest.fixture
def poll(select):
    return select.poll()


def test_message_that_waits_is_input(bench, e, select, poll):
    """document: any, polling."""
    poll.register(e, select.POLLIN)
    assert poll.poll(0) == []
    bench.link.inject("x")
    assert poll.poll(0) == [(e, select.POLLIN)]
    assert poll.poll(0) == [(e, select.POLLIN)]
    e.recv(0)
    assert poll.poll(0) == []


def test_gives_objects(bench, e, select, poll):
    """firmware: not descriptors."""
    poll.register(e, select.POLLIN)
    bench.link.inject("x")
    ((found, event),) = poll.poll()
    assert found is e
    assert event == select.POLLIN


def test_waits_until_a_message_comes(bench, e, select, poll):
    """document: any, polling."""
    poll.register(e, select.POLLIN)
    bench.link.inject("x", after_ms=30)
    begin_us = bench.clock.now_us
    assert poll.poll(1000) == [(e, IN)]
    assert bench.clock.now_us - begin_us == 30_000


def test_waits_so_long(bench, e, select, poll):
    """document: any, polling."""
    poll.register(e, select.POLLIN)
    begin_us = bench.clock.now_us
    assert poll.poll(40) == []
    assert abs(bench.clock.now_us - begin_us - 40_000) < 100


def test_output_is_possible_while_no_answer_is_pending(bench, e, select, poll):
    """firmware."""
    e.add_peer(PEER)
    poll.register(e, select.POLLOUT)
    assert poll.poll(0) == [(e, select.POLLOUT)]
    e.send(PEER, b"x", False)
    assert poll.poll(0) == []
    begin_us = bench.clock.now_us
    assert poll.poll(1000) == [(e, select.POLLOUT)]
    assert 2_900 <= bench.clock.now_us - begin_us <= 3_000


def test_both_by_default(bench, e, poll):
    """firmware."""
    poll.register(e)
    assert poll.poll(0) == [(e, OUT)]
    bench.link.inject("x")
    assert poll.poll(0) == [(e, IN | OUT)]


def test_only_what_is_asked_for(bench, e, select, poll):
    """ours: the firmware reports bits that nobody asked for."""
    bench.link.inject("x")
    poll.register(e, select.POLLOUT)
    assert poll.poll(0) == [(e, OUT)]
    poll.modify(e, select.POLLIN)
    assert poll.poll(0) == [(e, IN)]


def test_nothing_while_inactive(bench, e, poll):
    """ours."""
    bench.link.inject("x")
    e.active(False)
    poll.register(e)
    assert poll.poll(0) == []
    e.active(True)
    assert poll.poll(0) == [(e, OUT)]


def test_callback_runs_while_it_waits(bench, e, select, poll):
    """document: irq."""
    calls = []
    e.irq(calls.append)
    poll.register(e, select.POLLIN)
    bench.link.inject("x", after_ms=5)
    assert poll.poll(100) == [(e, IN)]
    assert calls == [e]


def test_modify_of_what_is_not_registered(e, select, poll):
    """firmware: ENOENT."""
    with pytest.raises(OSError) as caught:
        poll.modify(e, select.POLLIN)
    assert caught.value.errno == 2


def test_unregister(bench, e, poll):
    """firmware: harmless when not registered."""
    poll.unregister(e)
    poll.register(e)
    poll.unregister(e)
    assert poll.poll(0) == []


def test_register_again_replaces_the_mask(bench, e, select, poll):
    """firmware."""
    poll.register(e, select.POLLOUT)
    poll.register(e, select.POLLIN)
    assert poll.poll(0) == []


def test_ipoll(bench, e, select, poll):
    """firmware."""
    poll.register(e, select.POLLIN)
    assert list(poll.ipoll(0)) == []
    bench.link.inject("x")
    assert [(obj, event) for obj, event in poll.ipoll(0)] == [(e, IN)]


def test_ipoll_once(bench, e, select, poll):
    """firmware: flag 1 reports an object once, until it is modified."""
    poll.register(e, select.POLLIN)
    bench.link.inject("x")
    assert [tuple(found) for found in poll.ipoll(0, 1)] == [(e, IN)]
    assert list(poll.ipoll(0, 1)) == []
    poll.modify(e, select.POLLIN)
    assert [tuple(found) for found in poll.ipoll(0)] == [(e, IN)]


def test_select(bench, e, select):
    """firmware."""
    assert select.select([e], [e], [e], 0) == ([], [e], [])
    bench.link.inject("x")
    assert select.select([e], [], [], 0) == ([e], [], [])


def test_constants(select):
    """firmware."""
    assert (select.POLLIN, select.POLLOUT, select.POLLERR, select.POLLHUP) == (1, 4, 8, 16)


def test_async_object_can_be_polled_too(bench, e, select, poll):
    """ours: it is the same device."""
    a = bench.aioespnow.AIOESPNow()
    poll.register(a, select.POLLIN)
    bench.link.inject("x")
    assert poll.poll(0) == [(a, IN)]


def test_what_cannot_be_polled(poll):
    """firmware."""
    with pytest.raises(OSError):
        poll.register(object())

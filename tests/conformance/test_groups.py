"""Broadcast and multicast: one row a statement, with where it comes from."""

from __future__ import annotations

import pytest

PEER = b"\x24\x0a\xc4\x00\x00\x01"
BROADCAST = b"\xff" * 6
GROUP = b"\x01\x00\x5e\x00\x00\x01"


@pytest.fixture(params=[BROADCAST, GROUP, b"\xbb" * 6], ids=["broadcast", "multicast", "bb"])
def group(request):
    return request.param


def test_are_received(bench, e, group):
    """document: broadcast and multicast."""
    bench.link.inject("x", destination=group)
    assert e.recv(0) == [PEER, b"x"]


def test_must_be_registered_before_sending(e, code_of, group):
    """document: broadcast and multicast."""
    assert code_of(e.send, group, b"x") == "NOT_FOUND"


def test_send_is_always_true(bench, e, group):
    """document: broadcast and multicast."""
    e.add_peer(group)
    bench.link.refuse()
    assert e.send(group, b"x") is True
    assert e.send(group, b"x", True) is True
    assert e.send(group, b"x", False) is True
    assert bench.link.messages == [(group, b"x")] * 3
    bench.advance(10)
    assert e.stats()[:3] == (3, 3, 0)


def test_are_left_out_of_a_send_to_all(bench, e, group):
    """document: broadcast and multicast."""
    e.add_peer(group)
    e.add_peer(PEER)
    assert e.send(None, b"x") is True
    assert bench.link.messages == [(PEER, b"x")]


def test_cannot_be_encrypted(e, code_of, group):
    """document: broadcast and multicast."""
    assert code_of(e.add_peer, group, b"0123456789abcdef") == "ARG"
    assert e.peer_count() == (0, 0)


def test_aa_is_no_group(bench, e):
    """firmware: bit 0 of the first byte decides."""
    e.add_peer(b"\xaa" * 6)
    bench.link.refuse()
    assert e.send(b"\xaa" * 6, b"x") is False

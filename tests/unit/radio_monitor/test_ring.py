"""The ring of packets, in memory that a test writes as the kernel does."""

from __future__ import annotations

import errno
import mmap
import socket
from collections.abc import Callable
from struct import Struct
from typing import Any

import pytest

from espnow.radio.monitor import ring
from espnow.radio.monitor.ring import Reads, Ring, open_packets

SLOTS, SLOT = 64, 512
RX_RING, STATISTICS = 5, 6
BEGIN = 64


class FakePacketSocket:
    """What a ring asks of a packet socket.

    Attributes:
        rings: what was asked of PACKET_RX_RING.
        drops: packets for which the kernel had no room since somebody asked.
    """

    def __init__(self) -> None:
        self.rings: list[bytes] = []
        self.drops = 0

    def fileno(self) -> int:
        return -1

    def setsockopt(self, _level: int, option: int, value: Any) -> None:
        if option == RX_RING:
            self.rings.append(value)

    def getsockopt(self, level: int, _option: int, *_size: int) -> Any:
        if level == socket.SOL_SOCKET:
            return 0
        drops, self.drops = self.drops, 0
        return Struct("=II").pack(0, drops)


@pytest.fixture
def packet_socket() -> FakePacketSocket:
    return FakePacketSocket()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[], mmap.mmap]:
    """Give the ring's memory, which belongs to nobody else."""
    made: list[mmap.mmap] = []
    real = mmap.mmap

    def make(_descriptor: int, size: int) -> mmap.mmap:
        made.append(real(-1, size))
        return made[-1]

    monkeypatch.setattr(ring.mmap, "mmap", make)
    return lambda: made[-1]


def put(memory: mmap.mmap, slot: int, packet: bytes) -> None:
    """Write a packet, cut to its slot, as the kernel does."""
    packet = packet[: SLOT - BEGIN]
    at = slot * SLOT
    memory[at + BEGIN : at + BEGIN + len(packet)] = packet
    Struct("=IIIHH").pack_into(memory, at, 1, len(packet), len(packet), BEGIN, 0)


@pytest.mark.parametrize(("page", "block"), [(4096, 4096), (16384, 16384), (1024, 4096)])
def test_a_block_is_as_large_as_a_page(
    packet_socket: Any, memory: Any, monkeypatch: pytest.MonkeyPatch, page: int, block: int
) -> None:
    monkeypatch.setattr(ring.mmap, "PAGESIZE", page)
    Ring(packet_socket, SLOTS, SLOT).close()
    (asked,) = packet_socket.rings
    assert Struct("=IIII").unpack(asked) == (block, SLOTS * SLOT // block, SLOT, SLOTS)


def test_a_ring_whose_memory_cannot_be_had_is_taken_back(packet_socket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(ring.mmap, "mmap", fail)
    assert isinstance(open_packets(packet_socket, SLOTS, SLOT), Reads)
    assert len(packet_socket.rings) == 2
    assert packet_socket.rings[1] == bytes(16)


def test_packets_come_in_order_and_round_the_end(packet_socket: Any, memory: Any) -> None:
    one = Ring(packet_socket, SLOTS, SLOT)
    assert one.take(32) == ((), ())
    sent = [bytes((number,)) * (20 + number) for number in range(150)]
    found: list[bytes] = []
    for number, packet in enumerate(sent):
        put(memory(), number % SLOTS, packet)
        if number % 50 == 49:
            while taken := one.take(32)[0]:
                found += taken
    assert found == sent
    one.close()


def test_reports_of_one_length_come_in_pairs(packet_socket: Any, memory: Any) -> None:
    one = Ring(packet_socket, SLOTS, SLOT)
    heads = [bytes((0, 0, 13, 0, 0, 0x80, 2, 0, number, 0, 0, 0, 0)) for number in range(3)]
    frames = [bytes((number,)) * ring.REPORT_BYTES for number in range(3)]
    for number in range(3):
        put(memory(), number, heads[number] + frames[number])
    packets, parts = one.take(32)
    assert packets == ()
    assert parts[::2] == tuple(heads)
    assert parts[1::2] == tuple(frame[ring.KEY] for frame in frames)
    assert one.take(32) == ((), ())
    one.close()


def test_what_is_lost_is_counted(packet_socket: Any, memory: Any) -> None:
    one = Ring(packet_socket, SLOTS, SLOT)
    put(memory(), 0, bytes(SLOT))
    put(memory(), 1, b"whole")
    assert one.take(32)[0] == [b"whole"]
    packet_socket.drops = 5
    assert one.lost() == 6
    assert one.lost() == 0
    one.close()

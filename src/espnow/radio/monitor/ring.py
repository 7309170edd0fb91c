"""Where packets come from: memory that the kernel shares with this process, or reads of the socket.

Rules:

- A ring costs no call of the system a packet; a kernel that gives none is read the usual way.
- What is taken is bytes of this process's own: the kernel may write again into its place at once.
- The kernel says in a slot's first word whose it is. Python's threads pass it on in order with a lock, since some
  processors see another's writes in another order than they were made.

Follows Linux's ``Documentation/networking/packet_mmap.rst``, version 2 of the header.
"""

from __future__ import annotations

import mmap
import socket
import threading
from collections.abc import Sequence
from struct import Struct
from typing import Protocol

from espnow.frame._shared import shared
from espnow.radio.monitor.filter import REPORT_BYTES

__all__ = ["KEY", "REPORT", "Packets", "Reads", "Ring", "open_packets"]

#: Which frame a report is about, in the bytes of it that pass the filter: from its first address to its random value or
#: packet number.
KEY = slice(4, REPORT_BYTES)

#: Of a packet's sixth byte, the present word's bit of TX flags: a report.
REPORT = 0x80

_SOL_PACKET = 263
_RX_RING = 5
_STATISTICS = 6
_VERSION = 10
_VERSION_2 = 1

#: Slots a block, which the kernel allocates as a whole; more where a page of memory is larger.
_BLOCK_SLOTS = 8
_LONGEST = 4096

_REQUEST = Struct("=IIII")
_NO_RING = bytes(_REQUEST.size)
_COUNTED = Struct("=II")

# A slot in words of four bytes: status, length, length here, where the packet begins (the low half).
_LENGTH = 2
_BEGIN = 3
_FREE = 0  # the kernel's
_KERNELS = memoryview(bytes(4 * 64)).cast("I")


@shared(maxsize=256)
def _parts(count: int, slot: int, begin: int, head: int) -> Struct:
    """Return what reads the radiotap and the `KEY` of reports out of so many slots, but for the last slot's rest."""
    one = f"{begin}x{head}s{KEY.start}x{KEY.stop - KEY.start}s"
    rest = f"{slot - begin - head - KEY.stop}x"
    return Struct("=" + rest.join([one] * count))


class Packets(Protocol):
    """What gives packets that wait."""

    def take(self, most: int) -> tuple[Sequence[bytes], tuple[bytes, ...]]:
        """Return packets that wait, at most so many; none if there are none.

        Returns:
            Packets; or, where all are reports of one length, the radiotap of each followed by which frame it is about
            (`KEY`). One of both is empty.

        Raises:
            OSError: the socket has something to say, such as ENETDOWN.
        """

    def lost(self) -> int:
        """Return how many packets were lost since the last call: there was no room, or they were too long for it."""

    def close(self) -> None:
        """Give back what it holds; the socket is another's to close."""


def _overruns(packet_socket: socket.socket) -> int:
    """Return for how many packets the kernel had no room since the last call."""
    try:
        return int(_COUNTED.unpack(packet_socket.getsockopt(_SOL_PACKET, _STATISTICS, _COUNTED.size))[1])
    except OSError:  # the interface is gone
        return 0


class Reads:
    """Packets read from the socket one by one."""

    def __init__(self, packet_socket: socket.socket) -> None:
        self._socket = packet_socket

    def take(self, most: int) -> tuple[Sequence[bytes], tuple[bytes, ...]]:
        """Return packets that wait (`Packets`), never pairs."""
        receive = self._socket.recv
        found: list[bytes] = []
        try:
            while len(found) < most:
                found.append(receive(_LONGEST))
        except BlockingIOError:
            pass
        except OSError:
            if not found:
                raise
        return found, ()

    def lost(self) -> int:
        """Return how many packets were lost (`Packets`)."""
        return _overruns(self._socket)

    def close(self) -> None:
        """Hold nothing."""


class Ring:
    """Packets in memory that the kernel writes (PACKET_MMAP)."""

    def __init__(self, packet_socket: socket.socket, slots: int, slot: int) -> None:
        """Make one, before the socket is bound.

        Args:
            packet_socket: its socket.
            slots: how many packets can wait, a multiple of 64.
            slot: room for one, in bytes, a multiple of 512; what is longer is lost.

        Raises:
            OSError: the kernel gives none.
        """
        self._socket = packet_socket
        packet_socket.setsockopt(_SOL_PACKET, _VERSION, _VERSION_2)
        block = max(slot * _BLOCK_SLOTS, mmap.PAGESIZE)
        request = _REQUEST.pack(block, slots * slot // block, slot, slots)
        packet_socket.setsockopt(_SOL_PACKET, _RX_RING, request)
        try:
            self._memory = mmap.mmap(packet_socket.fileno(), slot * slots)
        except BaseException:  # packets would go where nobody reads them
            packet_socket.setsockopt(_SOL_PACKET, _RX_RING, _NO_RING)
            raise
        self._words = memoryview(self._memory).cast("I")
        self._slot = slot
        self._step = slot // 4
        self._end = slot * slots // 4
        self._at = 0  # in words
        self._cut = 0
        self._fence = threading.Lock()

    def take(self, most: int) -> tuple[Sequence[bytes], tuple[bytes, ...]]:
        """Return packets that wait (`Packets`)."""
        words, step = self._words, self._step
        first = self._at
        if words[first] == _FREE:
            error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "packet socket")
            return (), ()
        # To the end of the memory at most; what is at its begin comes with the next call.
        last = min(first + min(most, len(_KERNELS)) * step, self._end)
        statuses = words[first:last:step].tolist()
        ready = statuses.index(_FREE) if _FREE in statuses else len(statuses)
        last = first + ready * step
        with self._fence:
            pass
        lengths = words[first + _LENGTH : last : step].tolist()
        begins = words[first + _BEGIN : last : step].tolist()
        found = self._copy(first * 4, lengths, begins)
        with self._fence:
            pass
        words[first:last:step] = _KERNELS[:ready]
        self._at = last if last < self._end else 0
        return found

    def _copy(self, at: int, lengths: list[int], begins: list[int]) -> tuple[Sequence[bytes], tuple[bytes, ...]]:
        """Return the packets of slots that follow one another."""
        memory, slot = self._memory, self._slot
        begin = begins[0] & 0xFFFF
        count = len(lengths)
        if lengths.count(lengths[0]) == count and begins.count(begins[0]) == count:
            head = lengths[0] - REPORT_BYTES
            # The length that the first one's radiotap tells; another's would be known by its first bytes.
            if memory[at + begin + 2] == head and memory[at + begin + 5] & REPORT:
                parts: tuple[bytes, ...] = _parts(count, slot, begin, head).unpack_from(memory, at)
                return (), parts
        found = []
        for length, begin in zip(lengths, begins, strict=True):
            begin &= 0xFFFF
            if begin + length < slot:
                found.append(memory[at + begin : at + begin + length])
            else:
                self._cut += 1
            at += slot
        return found, ()

    def lost(self) -> int:
        """Return how many packets were lost (`Packets`)."""
        cut, self._cut = self._cut, 0
        return cut + _overruns(self._socket)

    def close(self) -> None:
        """Give the memory back."""
        self._words.release()
        self._memory.close()


def open_packets(packet_socket: socket.socket, slots: int, slot: int) -> Packets:
    """Return a ring for a socket that is not bound yet, or reads of it where the kernel gives none."""
    try:
        return Ring(packet_socket, slots, slot)
    except (OSError, ValueError):
        return Reads(packet_socket)

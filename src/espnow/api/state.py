"""What the ESPNow objects of one board share: settings, the peer device table, buffers."""

from __future__ import annotations

from typing import Any, NoReturn

from espnow.board import Board
from espnow.board.board import TICKS_PERIOD
from espnow.node import ReceivedMessage

__all__ = ["EspNowState", "PeersTable"]

#: Default of ``ESPNow.config('timeout_ms')``: five minutes, says MicroPython's document.
DEFAULT_TIMEOUT_MS = 300_000

#: Buffers whose capacity is remembered after they were cut to a message.
_REMEMBERED_BUFFERS = 64


class PeersTable(dict[bytes, list[int]]):
    """``{mac: [rssi, time_ms]}``, which user code cannot modify."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("peers_table is read-only")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    # A callback may read the message of a new sender between the steps of a loop over the table. On a board that is
    # harmless, in CPython it would end the loop: loops go over what was there when they began.

    def __iter__(self) -> Any:
        return iter(tuple(super().keys()))

    def keys(self) -> Any:
        """Return the addresses."""
        return dict(super().items()).keys()

    def values(self) -> Any:
        """Return the lists of rssi and time."""
        return dict(super().items()).values()

    def items(self) -> Any:
        """Return the pairs of address and list."""
        return dict(super().items()).items()


#: Senders in ``peers_table``; a board's memory would end long before.
MOST_SENDERS = 4096


class EspNowState:
    """State of ESP-NOW on one board from boot to soft reset, behind ESPNow and AIOESPNow alike.

    Attributes:
        board: whose it is.
        node: the board's node, for the same span.
        rxbuf: size of the ring at the next ``active(True)``, bytes.
        timeout_ms: default timeout of the receiving calls; negative waits for ever.
        peers_table: who was heard, when a message is read.
        objects: the one object of each class.
        irecv_list: what irecv returns each time: ``[mac, bytearray]``.
    """

    __slots__ = (
        "_cut_buffers",
        "_entries",
        "board",
        "irecv_list",
        "node",
        "objects",
        "peers_table",
        "rxbuf",
        "timeout_ms",
    )

    def __init__(self, board: Board) -> None:
        self.board = board
        self.node = board.node
        self.rxbuf = board.profile.node.rxbuf
        self.timeout_ms = DEFAULT_TIMEOUT_MS
        self.peers_table = PeersTable()
        self.objects: dict[type, Any] = {}
        first: bytearray | None = bytearray(6) if board.profile.esp8266 else None
        self.irecv_list: list[Any] = [first, bytearray(board.profile.node.max_data_len)]
        self._entries: dict[bytes, tuple[bytes, list[int]]] = {}
        self._cut_buffers: dict[int, tuple[bytearray, int, int]] = {}  # by id, which is its while we hold it

    def has_message(self) -> bool:
        """Whether a reader can go on: a message waits, or ESP-NOW was switched off under it."""
        return bool(self.node.ring.messages) or not self.node.active

    def has_no_pending(self) -> bool:
        """Whether every frame was answered."""
        return not self.node.pending

    def note_peer(self, message: ReceivedMessage) -> bytes:
        """Enter the sender of a message that is being read into the table, and return the table's own key object."""
        source, _, rssi_dbm, at_us = message
        time_ms = (at_us - self.board.boot_us) // 1000 % TICKS_PERIOD
        entry = self._entries.get(source)
        if entry is None:
            if len(self._entries) >= MOST_SENDERS:  # the first goes: whoever sends may make up any number of addresses
                first = next(iter(self._entries))
                del self._entries[first]
                dict.__delitem__(self.peers_table, first)
            values = [rssi_dbm, time_ms]
            self._entries[source] = source, values
            dict.__setitem__(self.peers_table, source, values)
            return source
        key, values = entry
        values[0] = rssi_dbm
        values[1] = time_ms
        return key

    def capacity(self, buffer: bytearray) -> int:
        """Return how long a message `buffer` takes: its length, or the one it had before it was cut to a message."""
        if buffer is self.irecv_list[1]:
            return self.board.profile.node.max_data_len
        cut = self._cut_buffers.get(id(buffer))
        if cut is not None and len(buffer) == cut[1]:
            return cut[2]
        return len(buffer)

    def fill(self, buffer: bytearray, message: bytes) -> bool:
        """Put a message into `buffer`, and cut the buffer to it; False, and nothing changed, if it does not fit.

        CPython forgets what a bytearray could hold, so a few recent ones are remembered. One whose memory is exported
        to a view cannot change its length: it is filled and keeps it.
        """
        capacity = self.capacity(buffer)
        if len(message) > capacity:
            return False
        try:
            buffer[:] = message
        except BufferError:
            if len(message) > len(buffer):
                return False
            buffer[: len(message)] = message
            return True
        cut_buffers = self._cut_buffers
        cut_buffers.pop(id(buffer), None)
        if len(message) != capacity:
            if len(cut_buffers) >= _REMEMBERED_BUFFERS:
                del cut_buffers[next(iter(cut_buffers))]
            cut_buffers[id(buffer)] = buffer, len(message), capacity
        return True

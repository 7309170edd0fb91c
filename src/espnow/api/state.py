"""What the ESPNow objects of one board share: settings, the peer device table, buffers."""

from __future__ import annotations

import operator
from typing import Any, NoReturn

from espnow.board.board import TICKS_PERIOD, Board
from espnow.errors import BoardOSError, BoardOSValueError, BoardValueTypeError, EspNowCode
from espnow.node.ring import Waiting

__all__ = ["EspNowState", "PeersTable", "integer"]

#: Default of ``ESPNow.config('timeout_ms')``: five minutes, says MicroPython's document.
DEFAULT_TIMEOUT_MS = 300_000

#: An ESP8266 raises its own number alone. Known is NOT_INIT, 869; that the others follow it in the same order is
#: assumed.
_ESP8266_OFFSET = EspNowCode.NOT_INIT - 869

_TICKS_MASK = TICKS_PERIOD - 1

#: Buffers whose capacity is remembered after they were cut to a message.
_REMEMBERED_BUFFERS = 64


def integer(value: Any) -> int:
    """Return an int or bool as int.

    Raises:
        BoardValueTypeError: anything else; caught as ValueError (the document) and TypeError (the firmware).
    """
    try:
        return operator.index(value)
    except TypeError:
        kind = type(value).__name__
        raise BoardValueTypeError(f"can't convert {kind} to int") from None


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

    def take(self, timeout_ms: Any) -> Waiting | None:
        """Wait for a message and take it out of the ring; None when the time is up.

        Args:
            timeout_ms: 0 returns at once, negative waits for ever, None is the configured default.

        Raises:
            OSError: ESP_ERR_ESPNOW_NOT_INIT; ESP_ERR_ESPNOW_IF if no Wi-Fi interface is active.
            ValueError: a bad timeout.
        """
        node = self.node
        if not node.active:
            self.refuse(EspNowCode.NOT_INIT)
        if not node.radio.addresses:
            self.refuse(EspNowCode.IF)
        limit_ms = self.timeout_ms if timeout_ms is None else timeout_ms
        if type(limit_ms) is not int:
            limit_ms = integer(limit_ms)
        messages = node.ring.messages
        if not messages:
            board = self.board
            if limit_ms == 0:
                board.look()
            else:
                board.wait_for_message(None if limit_ms < 0 else board.clock.now_us + limit_ms * 1000)
            messages = node.ring.messages  # of another ring, if ESP-NOW was switched off and on meanwhile
            if not messages:
                if not node.active:
                    self.refuse(EspNowCode.NOT_INIT)
                return None
        return messages.popleft()

    def refuse(self, code: EspNowCode) -> NoReturn:
        """Raise what this board's module raises for an error of ESP-NOW: OSError, for ARG a ValueError, too."""
        kind = BoardOSValueError if code is EspNowCode.ARG else BoardOSError
        if self.board.profile.esp8266:
            raise kind(code - _ESP8266_OFFSET) from None
        raise kind(-int(code), code.esp_name) from None

    def note_peer(self, message: Waiting) -> bytes:
        """Enter the sender of a message that is being read into the table, and return the table's own key object."""
        source, _, rssi_dbm, at_us = message
        time_ms = (at_us - self.board.boot_us) // 1000 & _TICKS_MASK
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
        length = len(message)
        cut_buffers = self._cut_buffers
        last = next(reversed(cut_buffers.values()), None)
        if last is not None and last[0] is buffer and last[1] == length == len(buffer):
            buffer[:] = message  # the one that was cut last, to a message as long as this: all stays as it is
            return True
        capacity = self.capacity(buffer)
        if length > capacity:
            return False
        try:
            buffer[:] = message
        except BufferError:
            if length > len(buffer):
                return False
            buffer[:length] = message
            return True
        cut_buffers.pop(id(buffer), None)
        if length != capacity:
            if len(cut_buffers) >= _REMEMBERED_BUFFERS:
                del cut_buffers[next(iter(cut_buffers))]
            cut_buffers[id(buffer)] = buffer, length, capacity
        return True

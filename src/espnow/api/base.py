"""The part of ESPNow that ESP32 and ESP8266 share: arguments, waiting, reading the ring, sending.

Hot paths are `recv` and `send`: each looks at the types that programs really pass before it converts anything.
"""

from __future__ import annotations

from typing import Any, NoReturn

from espnow.api.state import EspNowState, integer
from espnow.errors import (
    ETIMEDOUT,
    BoardOSError,
    BoardValueTypeError,
    EspNowCode,
    NodeError,
)
from espnow.node import Peer

__all__ = ["ESPNowCommon", "buffer_bytes", "exact_bytes", "integer", "writable_view"]

#: How long a send tries again while the link has no room (MicroPython's firmware), and how often it looks.
NO_MEMORY_TIMEOUT_US = 2_000_000
NO_MEMORY_POLL_US = 1_000

_NONE = (None, None)
_NOT_GIVEN: Any = object()


def buffer_bytes(value: Any) -> bytes:
    """Return the bytes of a str (as UTF-8) or of anything with the buffer protocol.

    Raises:
        TypeError: something else.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    try:
        return memoryview(value).tobytes()
    except TypeError:
        raise TypeError("object with buffer protocol required") from None


def exact_bytes(value: Any, length: int) -> bytes:
    """Return `buffer_bytes(value)`, which must be `length` long.

    Raises:
        TypeError: not a buffer.
        ValueError: another length.
    """
    found = buffer_bytes(value)
    if len(found) != length:
        raise ValueError("invalid buffer length")
    return found


def writable_view(buffer: Any) -> memoryview:
    """Return the bytes of a buffer as they can be written.

    Raises:
        TypeError: no buffer, or one that cannot be written.
    """
    try:
        view = memoryview(buffer).cast("B")
    except TypeError:
        raise TypeError("object with buffer protocol required") from None
    if view.readonly:
        raise TypeError("a writable buffer is required")
    return view


class ESPNowCommon:
    """What every ESPNow object has. A class of a board is made from it by binding `_state`."""

    _state: EspNowState

    def __new__(cls, *args: Any, **more: Any) -> Any:
        """Return the one object of this class on the board; arguments are for the ``__init__`` of a derived class."""
        if (args or more) and cls.__init__ is object.__init__:
            raise TypeError("ESPNow() takes no arguments")
        found = cls._state.objects.get(cls)
        if found is None:
            found = cls._state.objects[cls] = super().__new__(cls)
        return found

    def active(self, flag: Any = _NOT_GIVEN, /) -> bool:
        """Start or stop ESP-NOW by the truth of `flag`, and return whether it is active."""
        state = self._state
        if flag is not _NOT_GIVEN:
            if flag:
                state.node.start(state.rxbuf)
            else:
                state.node.stop()
                state.board.irq = None
                state.board.changed()
        return state.node.active

    def any(self) -> bool:
        """Return whether a message waits.

        Raises:
            OSError: ESP_ERR_ESPNOW_NOT_INIT.
        """
        state = self._state
        if not state.node.active:
            self._raise(EspNowCode.NOT_INIT)
        state.board.look()
        return bool(state.node.ring.messages)

    def recv(self, timeout_ms: Any = None) -> Any:
        """Wait for a message and return a fresh ``[mac, message]``, or ``(None, None)`` when the time is up.

        Args:
            timeout_ms: 0 returns at once, negative waits for ever, None is the configured default.

        Raises:
            OSError: ESP_ERR_ESPNOW_NOT_INIT; ESP_ERR_ESPNOW_IF if no Wi-Fi interface is active.
            ValueError: a bad timeout.
        """
        state = self._state
        message = state.take(timeout_ms)
        if message is None:
            return _NONE
        mac = state.note_peer(message)
        body = message[1]
        return [mac, body] if body else _NONE

    def irecv(self, timeout_ms: Any = None) -> Any:
        """Do as `recv` does, and return the same list with the same bytearray each time.

        An ESP8266's address is a bytearray, too, and the same each time.
        """
        state = self._state
        message = state.take(timeout_ms)
        if message is None:
            return _NONE
        mac = state.note_peer(message)
        body = message[1]
        if not body:
            return _NONE
        data = state.irecv_list
        try:
            data[1][:] = body
        except BufferError:  # a view on the last message is held: that one keeps it
            data[1] = bytearray(body)
        if state.board.profile.esp8266:
            data[0][:] = mac
        else:
            data[0] = mac
        return data

    def set_pmk(self, pmk: Any, /) -> None:
        """Set the primary master key, 16 bytes.

        Raises:
            ValueError: another length.
            OSError: ESP_ERR_ESPNOW_NOT_INIT.
        """
        key = exact_bytes(pmk, 16)
        try:
            self._state.node.set_pmk(key)
        except NodeError as error:
            self._raise(error.code)

    def del_peer(self, mac: Any, /) -> None:
        """Deregister a peer.

        Raises:
            ValueError: a bad address.
            OSError: ESP_ERR_ESPNOW_NOT_INIT, ESP_ERR_ESPNOW_NOT_FOUND.
        """
        address = exact_bytes(mac, 6)
        try:
            self._state.node.remove_peer(address)
        except NodeError as error:
            self._raise(error.code)

    def poll_events(self, mask: int) -> int:
        """Return which of the ``select`` events in `mask` hold; none while inactive."""
        node = self._state.node
        if not node.active:
            return 0
        events = 1 if node.ring.messages else 0
        if not node.pending:
            events |= 4
        return events & mask

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.irecv()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # an address would differ from run to run

    def _configure(self, values: dict[str, Any], known: tuple[str, ...]) -> dict[str, int]:
        """Check all settings, keep size and timeout, and return them as numbers; negative sizes are ignored."""
        for name in values:
            if name not in known:
                raise BoardValueTypeError(f"unexpected keyword argument '{name}'")
        numbers = {name: integer(value) for name, value in values.items()}
        state = self._state
        if numbers.get("rxbuf", -1) >= 0:
            state.rxbuf = numbers["rxbuf"]
        state.timeout_ms = numbers.get("timeout_ms", state.timeout_ms)
        return numbers

    def _send(self, address: bytes | None, message: bytes, sync: bool) -> bool:
        state = self._state
        node = state.node
        if sync and node.pending:
            self._await_answers()
        failures: list[int] = []
        target = address
        try:
            for peer in node.targets(address, message):
                target = peer.address
                try:
                    node.transmit(peer, message, failures)
                except NodeError as error:
                    if error.code is not EspNowCode.NO_MEM:
                        raise
                    self._transmit_when_possible(peer, message, failures)
        except NodeError as error:
            if node.observer is not None:
                node.observer.refused(target, message, error.code)
            if error.code is EspNowCode.CHAN:
                state.board.console.write("ESPNOW: Peer channel is not equal to the home channel, send fail!\n")
            self._raise(error.code)
        if not sync:
            state.board.look()
            return True
        return self._await_answers() and not failures

    def _refuse_inactive(self, mac: Any, msg: Any) -> NoReturn:
        """Refuse a send whose arguments nobody has looked at."""
        observer = self._state.node.observer
        if observer is not None:
            try:
                address = None if mac is None else exact_bytes(mac, 6)
                observer.refused(address, buffer_bytes(msg), EspNowCode.NOT_INIT)
            except (TypeError, ValueError):  # they were wrong besides
                pass
        self._raise(EspNowCode.NOT_INIT)

    def _transmit_when_possible(self, peer: Peer, message: bytes, failures: list[int]) -> None:
        state = self._state
        node = state.node
        clock = state.board.clock
        give_up_us = clock.now_us + NO_MEMORY_TIMEOUT_US
        while True:
            waiting = len(node.pending)
            state.board.wait(
                lambda waiting=waiting: len(node.pending) < waiting,  # type: ignore[misc]
                min(clock.now_us + NO_MEMORY_POLL_US, give_up_us),
            )
            if not node.active:
                raise NodeError(EspNowCode.NOT_INIT)
            try:
                node.transmit(peer, message, failures)
            except NodeError as error:
                if error.code is not EspNowCode.NO_MEM or clock.now_us >= give_up_us:
                    raise
            else:
                return

    def _await_answers(self) -> bool:
        """Wait until every frame is answered; False or OSError(ETIMEDOUT) when none came for 100 ms.

        The limit begins anew with each answer, so that a send to many peers, or after many, does not reach it while
        the radio still works through its queue.
        """
        state = self._state
        node = state.node
        if not node.pending:
            return True
        board = state.board
        while True:
            responses = node.stats.tx_responses
            if board.wait(state.has_no_pending, board.clock.now_us + board.wifi.timing.answer_timeout_us):
                return True
            if node.stats.tx_responses == responses:
                return self._answer_timed_out()

    def _answer_timed_out(self) -> bool:
        raise BoardOSError(ETIMEDOUT)

    def _raise(self, code: EspNowCode) -> NoReturn:
        self._state.refuse(code)

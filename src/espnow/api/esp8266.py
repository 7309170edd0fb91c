"""ESPNow as an ESP8266 has it: fewer methods, positional arguments, errors of one number."""

from __future__ import annotations

from typing import Any

from espnow.api.base import _NONE, _NOT_GIVEN, ESPNowCommon, buffer_bytes, exact_bytes, integer
from espnow.errors import BoardValueTypeError, EspNowCode, NodeError
from espnow.node import Peer

__all__ = ["ESPNow8266"]


class ESPNow8266(ESPNowCommon):
    """ESP-NOW on this board; every call returns the same object."""

    def config(self, *names: Any, **values: Any) -> None:
        """Set `rxbuf` and `timeout_ms`. An ESP8266 cannot read them back.

        Raises:
            ValueError: an unknown keyword, a bad value, or a name asked for.
        """
        if names:
            raise BoardValueTypeError("config() cannot read parameters on an ESP8266")
        self._configure(values, ("rxbuf", "timeout_ms"))

    def irecv(self, timeout_ms: Any = None) -> Any:
        """Do as `recv` does, and return the same list with the same two bytearrays each time."""
        message = self._take(timeout_ms)
        if message is None or not message[1]:
            return _NONE
        data = self._state.irecv_list
        data[0][:] = message[0]
        try:
            data[1][:] = message[1]
        except BufferError:  # a view on the last message is held: that one keeps it
            data[1] = bytearray(message[1])
        return data

    def recv(self, timeout_ms: Any = None) -> Any:
        """Wait for a message and return a fresh ``[mac, message]``, or ``(None, None)``. See `irecv`."""
        message = self._take(timeout_ms)
        if message is None or not message[1]:
            return _NONE
        return [message[0], message[1]]

    def recvinto(self, data: Any, timeout_ms: Any = None, /) -> int:
        """Wait for a message; its sender goes into ``data[0]``, 6 bytes, the message into ``data[1]``, 250 bytes.

        Returns:
            The length of the message, 0 when the time is up.

        Raises:
            ValueError: a list or a buffer of another length.
            TypeError: no list, no writable buffer.
        """
        state = self._state
        if not state.node.active:
            self._raise(EspNowCode.NOT_INIT)
        if not isinstance(data, list):
            raise TypeError("ESPNow.recvinto(): a list is required")
        if len(data) != 2:
            raise ValueError(f"requested length 2 but object has length {len(data)}")
        source, buffer = data
        capacity = state.capacity(buffer) if isinstance(buffer, bytearray) else _length(buffer)
        if _length(source) != 6 or capacity != state.board.profile.node.max_data_len:
            raise ValueError("invalid buffer length")
        message = self._take(timeout_ms)
        if message is None:
            return 0
        body = message[1]
        if not isinstance(buffer, bytearray):
            memoryview(buffer).cast("B")[: len(body)] = body
        elif not state.fill(buffer, body):
            state.node.ring.clear()
            raise ValueError("ESPNow.recv(): buffer error")
        memoryview(source).cast("B")[:] = message[0]
        return len(body)

    def send(self, mac: Any, msg: Any = _NOT_GIVEN, sync: Any = True, /) -> bool:
        """Send a message to an address, registered or not.

        Returns:
            Whether it answered; True without `sync`.

        Raises:
            OSError: not initialised, no interface, no room; one number.
            ValueError: a bad address or length.
            TypeError: no buffer, or no address.
        """
        if msg is _NOT_GIVEN:
            raise TypeError("function missing 1 required positional argument")
        if not self._state.node.active:
            self._raise(EspNowCode.NOT_INIT)
        return self._send(exact_bytes(mac, 6), buffer_bytes(msg), sync is None or bool(sync))

    def add_peer(self, mac: Any, lmk: Any = None, channel: Any = None, /) -> None:
        """Register a peer.

        Raises:
            OSError: not initialised, full, registered already; one number.
            ValueError: a bad address or key.
        """
        peer = Peer(exact_bytes(mac, 6))
        if lmk:
            peer.lmk, peer.encrypt = exact_bytes(lmk, 16), True
        if channel is not None:
            peer.channel = integer(channel)
        try:
            self._state.node.add_peer(peer)
        except NodeError as error:
            self._raise(error.code)

    def _answer_timed_out(self) -> bool:
        return False


def _length(buffer: Any) -> int:
    try:
        view = memoryview(buffer).cast("B")
    except TypeError:
        raise TypeError("object with buffer protocol required") from None
    if view.readonly:
        raise TypeError("a writable buffer is required")
    return len(view)

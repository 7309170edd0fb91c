"""ESPNow as an ESP8266 has it: fewer methods, positional arguments, errors of one number."""

from __future__ import annotations

from typing import Any

from espnow.api.base import _NOT_GIVEN, ESPNowCommon, buffer_bytes, exact_bytes, integer, writable_view
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
        capacity = state.capacity(buffer) if isinstance(buffer, bytearray) else len(writable_view(buffer))
        if len(writable_view(source)) != 6 or capacity != state.board.profile.node.max_data_len:
            raise ValueError("invalid buffer length")
        message = self._state.take(timeout_ms)
        if message is None:
            return 0
        body = message[1]
        if not isinstance(buffer, bytearray):
            writable_view(buffer)[: len(body)] = body
        elif not state.fill(buffer, body):
            state.node.discard_unread(message)
            raise ValueError("ESPNow.recv(): buffer error")
        writable_view(source)[:] = message[0]
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
            self._refuse_inactive(mac, msg)
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

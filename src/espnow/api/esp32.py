"""ESPNow as an ESP32 has it: everything in MicroPython's document."""

from __future__ import annotations

from typing import Any

from espnow.api.base import _NOT_GIVEN, ESPNowCommon, buffer_bytes, exact_bytes, integer, writable_view
from espnow.api.state import PeersTable
from espnow.errors import ENOENT, BoardOSError, BoardOSValueError, BoardValueTypeError, EspNowCode, NodeError
from espnow.frame import ALL_RATES
from espnow.node import Peer

__all__ = ["ESPNow32"]

#: ESP_ERR_INVALID_ARG of ESP-IDF, which esp_wifi_config_espnow_rate returns for a rate that it does not know.
_INVALID_ARG = (-0x102, "ESP_ERR_INVALID_ARG")


class ESPNow32(ESPNowCommon):
    """ESP-NOW on this board; every call returns the same object."""

    def config(self, *names: Any, **values: Any) -> Any:
        """Set `rxbuf`, `timeout_ms`, `rate` by keyword, or get one of the first two by name.

        Returns:
            The value asked for, or None.

        Raises:
            ValueError: an unknown name or a bad value.
            OSError: `rate` while Wi-Fi is not started.
        """
        state = self._state
        if len(names) > 1:
            raise TypeError("config() takes at most one name")
        rate = self._configure(values, ("rxbuf", "timeout_ms", "rate")).get("rate", -1)
        if rate >= 0:
            self._set_rate(rate)
        if not names:
            return None
        if names[0] == "rxbuf":
            return state.rxbuf
        if names[0] == "timeout_ms":
            return state.timeout_ms
        raise ValueError("unknown config param")

    def _set_rate(self, rate: int) -> None:
        state = self._state
        if not state.node.radio.addresses:
            if not state.node.active:
                self._raise(EspNowCode.NOT_INIT)
            raise BoardOSError(ENOENT)
        if rate not in ALL_RATES:
            raise BoardOSValueError(*_INVALID_ARG)
        state.board.wifi.set_rate(rate)

    def recvinto(self, data: Any, timeout_ms: Any = None, /) -> int:
        """Wait for a message and put it into ``data[1]``, its sender into ``data[0]``.

        Args:
            data: a list with room for the sender and, a writable buffer, the message; one of four also takes the rssi
                in dBm and the time of arrival in milliseconds since boot.
            timeout_ms: as for `recv`.

        Returns:
            The length of the message, 0 when the time is up.

        Raises:
            ValueError: a list that is too short, a message that does not fit (all waiting messages are lost then).
            TypeError: no list, no writable buffer.
        """
        state = self._state
        if not state.node.active:
            self._raise(EspNowCode.NOT_INIT)
        if not isinstance(data, list):
            raise TypeError("ESPNow.recvinto(): a list is required")
        if len(data) < 2:
            raise ValueError("ESPNow.recvinto(): Invalid argument")
        buffer = data[1]
        view: memoryview | None = None
        if not isinstance(buffer, bytearray):
            view = writable_view(buffer)
        message = state.take(timeout_ms)
        if message is None:
            return 0
        body = message[1]
        if view is None:
            fits = state.fill(buffer, body)
        else:
            fits = len(body) <= len(view)
            if fits:
                view[: len(body)] = body
        if not fits:
            state.node.discard_unread(message)
            raise ValueError("ESPNow.recv(): buffer error")
        data[0] = state.note_peer(message)
        if len(data) >= 4:
            data[2], data[3] = state.peers_table[message[0]]
        return len(body)

    def send(self, mac: Any, msg: Any = _NOT_GIVEN, sync: Any = True, /) -> bool:
        """Send a message to a peer, or (``send(msg)``, ``send(None, msg)``) to every unicast peer.

        Args:
            mac: a registered peer, 6 bytes, or None.
            msg: str or buffer of 1 to MAX_DATA_LEN bytes.
            sync: wait for the answers.

        Returns:
            Whether all peers answered; True without `sync`.

        Raises:
            OSError: ESP_ERR_ESPNOW_NOT_INIT, _NOT_FOUND, _CHAN, _IF, _NO_MEM; ETIMEDOUT if the radio gives no answer.
            ValueError: a bad address or length.
            TypeError: no buffer.
        """
        if msg is _NOT_GIVEN:
            mac, msg = None, mac
        if not self._state.node.active:
            self._refuse_inactive(mac, msg)
        if mac is not None and (type(mac) is not bytes or len(mac) != 6):
            mac = exact_bytes(mac, 6)
        if type(msg) is not bytes:
            msg = buffer_bytes(msg)
        return self._send(mac, msg, sync is None or bool(sync))

    def stats(self) -> tuple[int, int, int, int, int]:
        """Return ``(tx_pkts, tx_responses, tx_failures, rx_packets, rx_dropped_packets)``."""
        state = self._state
        state.board.look()
        stats = state.node.stats
        return (
            stats.tx_packets,
            stats.tx_responses,
            stats.tx_failures,
            stats.rx_packets,
            stats.rx_dropped,
        )

    def irq(self, callback: Any, /) -> None:
        """Call ``callback(espnow)`` as soon as possible after each message; None disarms.

        Raises:
            ValueError: not callable.
        """
        if callback is not None and not callable(callback):
            raise ValueError("invalid handler")
        self._state.board.irq = None if callback is None else (callback, self)

    @property
    def peers_table(self) -> PeersTable:
        """``{mac: [rssi, time_ms]}`` of every sender that a message was read from."""
        return self._state.peers_table

    def add_peer(
        self,
        mac: Any,
        /,
        lmk: Any = None,
        channel: Any = None,
        ifidx: Any = None,
        encrypt: Any = None,
        **unknown: Any,
    ) -> None:
        """Register a peer; None is the default of each parameter.

        Args:
            mac: its address, 6 bytes.
            lmk: local master key of 16 bytes, or something false for none.
            channel: 0 (the current one) to 14.
            ifidx: 0 (STA) or 1 (AP).
            encrypt: by default, whether there is an lmk.
            **unknown: refused.

        Raises:
            OSError: ESP_ERR_ESPNOW_NOT_INIT, _FULL, _EXIST, _CHAN, _ARG.
            ValueError: a bad address, key, keyword or number.
        """
        peer = Peer(exact_bytes(mac, 6))
        _update_peer(peer, lmk, channel, ifidx, encrypt, unknown)
        try:
            self._state.node.add_peer(peer)
        except NodeError as error:
            self._raise(error.code)

    def mod_peer(
        self,
        mac: Any,
        /,
        lmk: Any = None,
        channel: Any = None,
        ifidx: Any = None,
        encrypt: Any = None,
        **unknown: Any,
    ) -> None:
        """Change a registered peer; None keeps what is there. See `add_peer`.

        Raises:
            OSError: ESP_ERR_ESPNOW_NOT_INIT, _NOT_FOUND, _FULL, _CHAN, _ARG.
            ValueError: a bad address, key, keyword or number.
        """
        address = exact_bytes(mac, 6)
        try:
            peer = self._state.node.get_peer(address)
            _update_peer(peer, lmk, channel, ifidx, encrypt, unknown)
            self._state.node.modify_peer(peer)
        except NodeError as error:
            self._raise(error.code)

    def get_peer(self, mac: Any, /) -> tuple[bytes, bytes, int, int, bool]:
        """Return ``(mac, lmk, channel, ifidx, encrypt)`` of a registered peer.

        Raises:
            OSError: ESP_ERR_ESPNOW_NOT_INIT, ESP_ERR_ESPNOW_NOT_FOUND.
            ValueError: a bad address.
        """
        address = exact_bytes(mac, 6)
        try:
            return _peer_tuple(self._state.node.get_peer(address))
        except NodeError as error:
            self._raise(error.code)

    def peer_count(self) -> tuple[int, int]:
        """Return how many peers are registered, and how many of them are encrypted.

        Raises:
            OSError: ESP_ERR_ESPNOW_NOT_INIT.
        """
        node = self._state.node
        if not node.active:
            self._raise(EspNowCode.NOT_INIT)
        return len(node.peers), node.peers.encrypted_count()

    def get_peers(self) -> tuple[tuple[bytes, bytes, int, int, bool], ...]:
        """Return `get_peer`'s tuple for each registered unicast peer.

        Raises:
            OSError: ESP_ERR_ESPNOW_NOT_INIT.
        """
        node = self._state.node
        if not node.active:
            self._raise(EspNowCode.NOT_INIT)
        return tuple(_peer_tuple(peer) for peer in node.peers.unicast())


def _update_peer(peer: Peer, lmk: Any, channel: Any, ifidx: Any, encrypt: Any, unknown: dict[str, Any]) -> None:
    if unknown:
        raise BoardValueTypeError(f"unexpected keyword argument '{next(iter(unknown))}'")
    if lmk is not None:
        peer.encrypt = bool(lmk)
        if lmk:
            try:
                peer.lmk = exact_bytes(lmk, 16)
            except TypeError as error:
                raise BoardValueTypeError(str(error)) from None
    if channel is not None:
        peer.channel = integer(channel)
    if ifidx is not None:
        peer.interface = integer(ifidx)
    if encrypt is not None:
        peer.encrypt = bool(encrypt)


def _peer_tuple(peer: Peer) -> tuple[bytes, bytes, int, int, bool]:
    return peer.address, peer.lmk, peer.channel, peer.interface, peer.encrypt

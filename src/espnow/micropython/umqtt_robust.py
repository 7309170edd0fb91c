"""`umqtt.robust` of a board: the client of `umqtt.simple` that connects again when the connection is lost.

Names and behaviour are those of MicroPython's own (micropython-lib, ``umqtt.robust``): ``DELAY`` seconds between
attempts, ``DEBUG`` prints what went wrong, a new connection keeps the session. The first connection is not tried again.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from espnow.board import Board
from espnow.micropython import FALLBACKS
from espnow.micropython.services import Services
from espnow.micropython.umqtt_simple import Client

if TYPE_CHECKING:
    _Base = Client
else:
    _Base = object

__all__ = ["build"]


class _Robust(_Base):
    """What is added to the client of a board."""

    DELAY = 2
    DEBUG = False
    _board: Board

    def delay(self, i: int) -> None:
        """Wait between two attempts, the `i`-th of which has failed."""
        self._board.sleep(int(self.DELAY * 1_000_000))

    def log(self, in_reconnect: object, e: BaseException) -> None:
        """Print what went wrong, if `DEBUG` says so."""
        if self.DEBUG:
            self._board.console.write(f"mqtt{' reconnect' if in_reconnect else ''}: {e!r}\n")

    def reconnect(self) -> int:
        """Connect until it succeeds, with the session that was."""
        attempts = 0
        while True:
            try:
                return self.connect(False)
            except OSError as error:
                self.log(True, error)
                attempts += 1
                self.delay(attempts)

    def publish(self, topic: Any, msg: Any, retain: object = False, qos: int = 0) -> None:
        """Send a message, over a new connection if need be."""
        while True:
            try:
                super().publish(topic, msg, retain, qos)
            except OSError as error:
                self.log(False, error)
                self.reconnect()
            else:
                return

    def wait_msg(self) -> int | None:
        """Wait for a packet, over a new connection if need be."""
        while True:
            try:
                return super().wait_msg()
            except OSError as error:
                self.log(False, error)
                self.reconnect()

    def check_msg(self, attempts: int = 2) -> int | None:
        """Look for a packet, over a new connection if need be; give up after so many."""
        for _ in range(attempts):
            self.sock.setblocking(False)
            try:
                return super().wait_msg()
            except OSError as error:
                self.log(False, error)
                self.reconnect()
        return None


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `umqtt.robust` of `board`."""
    simple: Any = FALLBACKS["umqtt.simple"](board, services)
    cls = type("MQTTClient", (_Robust, simple.MQTTClient), {"_board": board, "__module__": "umqtt.robust"})
    module = ModuleType("umqtt.robust", "An MQTT client that connects again.")
    vars(module).update(MQTTClient=cls, simple=simple)
    return module

"""AIOESPNow: the methods of ESPNow that a coroutine awaits.

A reader waits in a queue of its board, first come first served; each arrival, and each message left behind, wakes the
first. Cancelling a reader that was already woken passes its turn on, so nothing is lost and nobody is forgotten.
(The firmware forgets the first of two readers; serving both is our decision.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import ModuleType
from typing import Any

from espnow.api.base import _NOT_GIVEN
from espnow.api.state import EspNowState
from espnow.errors import EspNowCode

__all__ = ["build_aio_class"]


class _Turns:
    """Who waits for a condition of the board, in order."""

    __slots__ = ("_ready", "_state", "_waiting", "_watcher")

    def __init__(self, state: EspNowState, ready: Any) -> None:
        self._state = state
        self._ready = ready
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._watcher = self._wake

    async def turn(self) -> None:
        """Return when it is the caller's turn and the condition holds."""
        loop = asyncio.get_running_loop()
        board, waiting = self._state.board, self._waiting
        watchers = board.watchers
        mine: asyncio.Future[None] = loop.create_future()
        with board.lock:
            self._forget_dead()
            if not waiting and self._ready():
                return
            if self._watcher not in watchers:
                watchers.append(self._watcher)
            waiting.append(mine)
        try:
            while True:
                await mine
                with board.lock:
                    if self._ready():
                        return
                    # Another call, such as a blocking recv, took the message meanwhile: wait on, still first in line.
                    fresh: asyncio.Future[None] = loop.create_future()
                    waiting[waiting.index(mine)] = fresh
                    mine = fresh
        finally:
            with board.lock:
                if waiting and waiting[0] is mine:
                    waiting.popleft()
                elif mine in waiting:
                    waiting.remove(mine)
                if not waiting and self._watcher in watchers:  # a soft reset drops all watchers at once
                    watchers.remove(self._watcher)

    def pass_on(self) -> None:
        """Let the next one look; called when the condition may still hold."""
        if self._waiting:
            with self._state.board.lock:
                self._wake()

    def _wake(self) -> None:
        if not self._ready():
            return
        self._forget_dead()
        if self._waiting:
            first = self._waiting[0]
            if not first.done():
                first.get_loop().call_soon_threadsafe(_finish, first)

    def _forget_dead(self) -> None:
        """Drop from the head who cannot be served: one dropped with its task (cancelled), one of a closed loop."""
        waiting = self._waiting
        while waiting and (waiting[0].cancelled() or waiting[0].get_loop().is_closed()):
            waiting.popleft()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def build_aio_class(espnow: ModuleType) -> type:
    """Return the class AIOESPNow over the ESPNow class of a board's `espnow` module."""
    base: Any = espnow.ESPNow
    state: EspNowState = base._state
    readers = _Turns(state, state.has_message)
    senders = _Turns(state, state.has_no_pending)

    class AIOESPNow(base):  # type: ignore[misc]
        """ESP-NOW on this board, with awaitable calls; shares everything with ESPNow."""

        async def arecv(self) -> Any:
            """Wait for a message and return a fresh ``[mac, message]``.

            Raises:
                OSError: ESP_ERR_ESPNOW_NOT_INIT, ESP_ERR_ESPNOW_IF.
            """
            await self._readable()
            try:
                return self.recv(0)
            finally:
                readers.pass_on()

        async def airecv(self) -> Any:
            """Do as `arecv` does, and return the same list with the same bytearray each time."""
            await self._readable()
            try:
                return self.irecv(0)
            finally:
                readers.pass_on()

        async def asend(self, mac: Any, msg: Any = _NOT_GIVEN, sync: Any = True) -> bool:
            """Wait until no answer is pending, then send. See ``ESPNow.send``."""
            await senders.turn()
            senders.pass_on()
            if msg is _NOT_GIVEN:
                return bool(self.send(mac))
            return bool(self.send(mac, msg, sync))

        async def _readable(self) -> None:
            if not state.node.active:
                self._raise(EspNowCode.NOT_INIT)
            try:
                await readers.turn()
            except BaseException:
                readers.pass_on()
                raise

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> Any:
            return await self.airecv()

    AIOESPNow.__qualname__ = "AIOESPNow"
    AIOESPNow.__module__ = "aioespnow"
    return AIOESPNow

"""How a callback comes to run on the main thread, whatever that does: by a signal.

The thread that has a callback for the program sends SIGURG to the main thread. Python then calls the signal's handler
there: between two steps of a computation, and inside ``time.sleep``, ``select``, ``input`` or a lock, which go on
afterwards (PEP 475). SIGURG is what Go's runtime uses for its own interruptions, and for the same reasons: nobody sends
it for anything else, and a process that does not expect it ignores it.

Rules:

- The handler never runs callbacks while the main thread holds the board's lock: it leaves a note, and they run when the
  lock is free, or before the thread waits.
- One signal is under way at a time.
- A handler that the program had installed is called, too.
- Where no handler can be installed, because the board was first used outside the main thread, callbacks run inside the
  program's own calls of the board only.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from espnow.radio.loop import BoardLock

__all__ = ["Interruption"]


class Interruption:
    """Makes the main thread run something soon.

    Attributes:
        installed: whether the handler is.
    """

    def __init__(self, lock: BoardLock, run: Callable[[], None]) -> None:
        """Make one that is not installed.

        Args:
            lock: that the main thread must not hold while it runs.
            run: what runs on the main thread.
        """
        self.installed = False
        self._lock = lock
        self._run = run
        self._under_way = False
        self._previous: Any = None
        self._number: int | None = getattr(signal, "SIGURG", None)
        self._main = threading.main_thread().ident

    def install(self) -> None:
        """Install the handler, if the caller is the main thread; harmless if it is there."""
        if self.installed or self._number is None or threading.get_ident() != self._main:
            return
        self._previous = signal.signal(self._number, self._handle)
        self.installed = True

    def remove(self) -> None:
        """Put back the handler that was there; for the main thread."""
        if not self.installed or self._number is None or threading.get_ident() != self._main:
            return
        if signal.getsignal(self._number) == self._handle:
            signal.signal(self._number, self._previous if self._previous is not None else signal.SIG_DFL)
        self.installed = False

    def request(self) -> None:
        """Let the main thread run it; from any thread, with or without the lock."""
        if not self.installed or self._under_way or self._number is None or self._main is None:
            return
        self._under_way = True
        signal.pthread_kill(self._main, self._number)

    def run_deferred(self) -> None:
        """Run what could not run when the signal came; on the main thread, without the lock."""
        if self._lock.deferred and threading.get_ident() == self._main and not self._lock.is_owned():
            self._lock.deferred = False
            self._run()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._under_way = False
        if callable(self._previous):
            self._previous(number, frame)
        if self._lock.is_owned():
            self._lock.deferred = True
            return
        self._run()
        _poke_asyncio()


def _poke_asyncio() -> None:
    """Let a running loop of asyncio look at what a callback gave it: its wait was not over for it."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return
    running = asyncio._get_running_loop()
    if running is not None:
        running.call_soon_threadsafe(_nothing)


def _nothing() -> None:
    pass

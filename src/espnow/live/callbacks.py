"""How a callback comes to run on the main thread, whatever that does: by a signal. And how Ctrl-C does not cut in two.

The thread that has a callback for the program sends SIGURG to the main thread. Python then calls the signal's handler
there: between two steps of a computation, and inside ``time.sleep``, ``select``, ``input`` or a lock, which go on
afterwards (PEP 475). SIGURG is what Go's runtime uses for its own interruptions, and for the same reasons: nobody sends
it for anything else, and a process that does not expect it ignores it.

Rules:

- The handler never runs callbacks while the main thread holds the board's lock, or is on its way there
  (`BoardLock.shut`): it leaves a note, and they run when the lock is free, or before the thread waits.
- One signal is under way at a time. It is sent again until the handler has run: one that comes when the main thread is
  just about to sleep or to read, and has looked for signals already, would be seen only at the end of that.
- A handler that the program had installed is called, too.
- Where no handler could be installed, because the board was first used outside the main thread, callbacks run inside
  calls of the main thread only, until that arms one itself.
- Ctrl-C is KeyboardInterrupt as ever, but not inside the board's own steps: there it waits for their end, or for the
  place where they wait. In a loop of asyncio it comes in a task, or between two callbacks; the second at once. All this
  only where Python's own handler of SIGINT was installed.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from espnow.radio.loop import RadioLoop

__all__ = ["Interruption"]

#: When a signal is sent again whose handler has not run, and how long one waits at most from one to the next.
_AGAIN_US = 2_000
_MOST_US = 64_000


class Interruption:
    """Makes the main thread run something soon.

    Attributes:
        installed: whether the handler is.
    """

    def __init__(self, loop: RadioLoop, run: Callable[[], None]) -> None:
        """Make one that is not installed.

        Args:
            loop: has the lock that the main thread must not hold while it runs.
            run: what runs on the main thread.
        """
        self.installed = False
        self._loop = loop
        self._lock = loop.lock
        self._run = run
        self._under_way = False
        self._again_us = 0  # how long it is waited until the signal is sent again; 0 while nobody waits
        self._previous: Any = None
        self._number: int | None = getattr(signal, "SIGURG", None)
        self._main = threading.main_thread().ident
        self._interrupted = False  # Ctrl-C waits for the lock
        self._told_asyncio: Any = None  # what a loop of asyncio will do about Ctrl-C

    def install(self) -> None:
        """Install the handlers, if the caller is the main thread; harmless if they are there."""
        if self.installed or self._number is None or threading.get_ident() != self._main:
            return
        self._previous = signal.signal(self._number, self._handle)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)
        self.installed = True

    def remove(self) -> None:
        """Put back the handlers that were there; for the main thread, or the only one of a forked process."""
        if not self.installed or self._number is None or threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(self._number) == self._handle:
            signal.signal(self._number, self._previous if self._previous is not None else signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.installed = False

    def request(self) -> None:
        """Let the main thread run it; from any thread, with or without the lock."""
        if self._under_way or self._number is None or self._main is None or not self._is_there():
            return
        self._under_way = True
        signal.pthread_kill(self._main, self._number)

    def insist(self) -> None:
        """See to it that what was requested is run; the caller holds the lock."""
        if not self._again_us and self.installed:
            self._again_us = _AGAIN_US
            self._loop.call_at(self._loop.now_us + _AGAIN_US, self._request_again)

    def _is_there(self) -> bool:
        """Whether a signal comes to the handler: the program may have put another in its place."""
        return self.installed and self._number is not None and signal.getsignal(self._number) == self._handle

    def _request_again(self) -> None:
        if not self._under_way or not self._is_there():
            self._under_way = False
            self._again_us = 0
            return
        assert self._main is not None
        assert self._number is not None
        signal.pthread_kill(self._main, self._number)
        self._again_us = min(2 * self._again_us, _MOST_US)
        self._loop.call_at(self._loop.now_us + self._again_us, self._request_again)

    def run_deferred(self) -> None:
        """Run what could not run when a signal came; on the main thread, without the lock.

        Raises:
            KeyboardInterrupt: that came meanwhile.
        """
        lock = self._lock
        # Again, if another signal came while it ran.
        while lock.deferred and threading.get_ident() == self._main and not lock.is_owned() and not lock.shut:
            lock.deferred = False
            self._run()
            self.raise_deferred()

    def raise_deferred(self) -> None:
        """Raise what was put off.

        Raises:
            KeyboardInterrupt: it came while it could not be raised.
        """
        if self._interrupted:
            self._interrupted = False
            self._raise(signal.SIGINT, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._under_way = False
        if callable(self._previous):
            self._previous(number, frame)
        lock = self._lock
        lock.deferred = True
        if not lock.is_owned() and not lock.shut:
            self.run_deferred()
            _poke_asyncio()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Take Ctrl-C."""
        if self._lock.is_owned() or self._lock.shut:
            self._lock.deferred = self._interrupted = True
            return
        self._raise(number, frame)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        running = _running_loop()
        if self._told_asyncio is not None:
            self._told_asyncio.cancel()  # it was the first, and did not come through
            self._told_asyncio = None
        elif running is not None and sys.modules["asyncio"].current_task(running) is None:
            # The loop waits, or does something of its own.
            self._told_asyncio = running.call_soon_threadsafe(self._raise_in_asyncio)
            return
        signal.default_int_handler(number, frame)

    def _raise_in_asyncio(self) -> None:
        self._told_asyncio = None
        raise KeyboardInterrupt


def _running_loop() -> Any:
    """Return the loop of asyncio that the main thread runs, or None."""
    # It may be in the midst of its import.
    running = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    return None if running is None else running()


def _poke_asyncio() -> None:
    """Let a running loop of asyncio look at what a callback gave it: its wait was not over for it."""
    running = _running_loop()
    if running is not None:
        running.call_soon_threadsafe(_nothing)


def _nothing() -> None:
    pass

"""The threads of an ordinary program, as the waits of its calls see them (`espnow.link.Cpu`).

Every call of the program holds the board's lock. One that waits lets go of it whole, so that other threads go on, and
waits for a lock of its own that `wake` opens; meanwhile the first that waits does the work of the radio's loop
(`RadioLoop.lead`). Who waits is noted before the board's lock is let go, so no wake is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from espnow.radio.loop import BoardLock, RadioLoop

__all__ = ["LiveCpu"]


class LiveCpu:
    """The program's threads of control.

    Attributes:
        main_waits: the main thread is in a pause, and will look for callbacks when it is woken.
        before_wait: called without the lock by the main thread before it waits, for what it put off.
    """

    __slots__ = ("_loop", "_main", "_to_wake", "_waiting", "before_wait", "main_waits")

    def __init__(self, loop: RadioLoop) -> None:
        self._loop = loop
        self._main = threading.main_thread().ident
        self._waiting: list[threading.Lock] = []
        self._to_wake: list[threading.Lock] = []
        self.main_waits = False
        self.before_wait: Callable[[], None] | None = None

    def pause(self, until_us: int | None) -> None:
        """Let time pass until `wake` or `until_us`; the caller holds the lock."""
        loop = self._loop
        lock = loop.lock
        mine = threading.Lock()
        mine.acquire()
        self._waiting.append(mine)
        is_main = threading.get_ident() == self._main
        waited = self.main_waits
        if is_main:
            self.main_waits = lock.shut = True
        try:
            if lock.soon:
                loop.settle()
            if not mine.locked():  # that was what it would have waited for
                return
            held = lock.let_go() if lock.is_owned() else None
            try:
                if is_main and self.before_wait is not None:
                    self.before_wait()
                if not loop.lead(mine, until_us):
                    left_us = None if until_us is None else until_us - loop.now_us
                    if is_main:
                        _wait_open(mine, left_us, lock)
                    else:
                        _wait(mine, left_us)
            finally:
                if held is not None:
                    lock.take_back(held)
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)
            if is_main:
                self.main_waits = waited
                lock.shut = False

    def wake(self) -> None:
        """End the pauses that the program's threads are in; the caller holds the lock."""
        if self._waiting:
            self._to_wake += self._waiting
            self._waiting.clear()
            self._loop.afterwards(self._open)
            if not self._loop.in_round:  # one of them may lead
                self._loop.wake()

    def spend(self, us: int) -> None:
        """Nothing: real time passes by itself. What the radio left is done."""
        if self._loop.lock.soon:
            self._loop.settle()

    def _open(self) -> None:
        gates, self._to_wake = self._to_wake, []
        for gate in gates:
            gate.release()


def _wait_open(gate: threading.Lock, left_us: int | None, lock: BoardLock) -> None:
    """Wait, on the main thread, for which this is where it may be interrupted."""
    lock.shut = False
    try:
        if lock.deferred and lock.on_left is not None:
            lock.on_left()
        _wait(gate, left_us)
    finally:
        lock.shut = True


def _wait(gate: threading.Lock, left_us: int | None) -> None:
    if left_us is None:
        gate.acquire()
    elif left_us > 0:
        gate.acquire(timeout=left_us / 1e6)

"""The board of a live process: `espnow.board.Board` under a lock, with callbacks on the main thread.

Rules:

- Every method of the classes that programs get (ESPNow, WLAN) is wrapped: it takes the board's lock, and lets go of it
  while it waits. Coroutines are not, since they call these methods.
- Callbacks run without the lock, so that the radio answers meanwhile.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

from espnow.board import Board, Profile
from espnow.board.board import Console
from espnow.link import Link, RadioConfig
from espnow.live.callbacks import Interruption
from espnow.live.cpu import LiveCpu
from espnow.live.descriptor import Descriptor
from espnow.radio.loop import RadioLoop

__all__ = ["LiveBoard"]

_C = TypeVar("_C")
_F = TypeVar("_F", bound=Callable[..., Any])

#: Methods with underscores that programs reach by syntax.
_SPECIAL = frozenset({"__next__"})


class LiveBoard(Board):
    """The process's own board.

    Attributes:
        loop: its radio's loop.
    """

    __slots__ = ("_cpu", "_descriptor", "_interruption", "_main", "loop")

    def __init__(
        self,
        profile: Profile,
        name: str,
        *,
        mac: bytes,
        loop: RadioLoop,
        cpu: LiveCpu,
        link: Link,
        console: Console,
        random_u32: Callable[[], int],
        first_channel: int = 1,
    ) -> None:
        self.loop = loop
        self._descriptor: Descriptor | None = None
        self._cpu = cpu
        self._main = threading.main_thread().ident
        super().__init__(
            profile,
            name,
            mac=mac,
            clock=loop,
            cpu=cpu,
            link=link,
            console=console,
            random_u32=random_u32,
            first_channel=first_channel,
        )
        self.lock = loop.lock
        self._interruption = Interruption(loop, self.run_callbacks)
        self._interruption.install()
        cpu.before_wait = self._before_wait
        loop.lock.on_left = self._lock_left

    # From the link.

    def changed(self) -> None:
        """Let whoever waits look again, also those that wait with a descriptor."""
        super().changed()
        if self._descriptor is not None:
            self._set_descriptor()

    # Callbacks.

    def schedule(self, function: Callable[[Any], object], argument: Any) -> bool:
        """Queue a callback, and let the main thread run it soon."""
        taken = super().schedule(function, argument)
        if taken and not self._cpu.main_waits:
            self.loop.afterwards(self._interruption.request)
            self._interruption.insist()
        return taken

    def run_callbacks(self) -> None:
        """Run what is queued, without the lock; without effect inside a callback, or on another thread."""
        if self._in_callback or threading.get_ident() != self._main:
            return
        self._interruption.install()  # the board may have been made elsewhere
        lock = self.loop.lock
        shut, lock.shut = lock.shut, True
        try:
            with lock.released():
                lock.shut = False
                try:
                    super().run_callbacks()
                finally:
                    lock.shut = True
        finally:
            lock.shut = shut

    def _before_wait(self) -> None:
        if self.loop.lock.deferred:
            self.loop.lock.deferred = False
            self._interruption.raise_deferred()
        if self.has_callbacks:
            self.run_callbacks()

    def _lock_left(self) -> None:
        """Do what could not be done while a thread of the program held the lock."""
        if self.loop.lock.soon:
            self.loop.wake()
        self._interruption.run_deferred()

    # For the program.

    def own_class(self, name: str, base: type[_C], module: str, *more: type, **names: Any) -> type[_C]:
        """Return `base` as a class of this board whose methods take the lock."""
        wrapped: dict[str, Any] = {}
        for cls in reversed([cls for origin in (base, *more) for cls in origin.__mro__]):
            for key, value in vars(cls).items():
                if isinstance(value, FunctionType) and (not key.startswith("_") or key in _SPECIAL):
                    wrapped[key] = self.locked(value)
        if name == "ESPNow":
            wrapped["fileno"] = lambda _self: self.fileno()
            if "irq" in wrapped:
                wrapped["irq"] = self._arming(wrapped["irq"])
        return super().own_class(name, base, module, *more, **{**wrapped, **names})

    def _arming(self, function: _F) -> _F:
        """Return `ESPNow.irq`, which installs handlers of signals where the board was made outside the main thread."""

        @functools.wraps(function)
        def irq(*args: Any) -> Any:
            self._interruption.install()
            return function(*args)

        return irq  # type: ignore[return-value]

    def locked(self, function: _F) -> _F:
        """Return a function that holds the board's lock while it runs; a coroutine as it is."""
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            return function
        lock = self.lock

        @functools.wraps(function)
        def holding(*args: Any, **more: Any) -> Any:
            with lock:
                try:
                    return function(*args, **more)
                finally:
                    if self._descriptor is not None:
                        self._set_descriptor()

        return holding  # type: ignore[return-value]

    def fileno(self) -> int:
        """Return a descriptor that can be read while a message waits, and written while no answer is pending."""
        with self.lock:
            if self._descriptor is None:
                self._descriptor = Descriptor()
                self._set_descriptor()
            return self._descriptor.fileno()

    def _set_descriptor(self) -> None:
        assert self._descriptor is not None
        node = self.node
        active = node.active
        self._descriptor.set(readable=active and bool(node.ring.messages), writable=active and not node.pending)

    # The end.

    def close(self, last_frames_us: int) -> None:
        """Wait for what was sent last, at most so long, and close the radio."""
        loop = self.loop
        try:
            with self.lock:
                self.irq = None  # callbacks are over with the program
                self._callbacks.clear()
                try:
                    until_us = loop.now_us + last_frames_us
                    while self.node.pending and loop.now_us < until_us:
                        self._cpu.pause(until_us)
                finally:  # Ctrl-C ends the wait
                    try:
                        self.link.configure(RadioConfig())
                    finally:
                        self.link.close()
        finally:
            self._interruption.remove()
            loop.close()
            if self._descriptor is not None:
                self._descriptor.close()
                self._descriptor = None

    def abandon(self) -> None:
        """Close in a forked process what is the parent's; objects that it made are inactive from now on."""
        self.loop.abandon()  # with its lock, which another thread may have held
        self._interruption.remove()
        self.irq = None
        self._callbacks.clear()
        self.node.stop()
        if self._descriptor is not None:
            self._descriptor.close()
            self._descriptor = None

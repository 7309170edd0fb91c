"""`select` of a board, as https://docs.micropython.org/en/latest/library/select.html describes it.

What can be polled is an object with ``poll_events(mask) -> int``, or one with MicroPython's own
``ioctl(request, argument)``, as a program's class derived from ``io.IOBase`` has; anything else is
OSError("stream operation not supported"). Waiting is the board's: every arrival, answer and input looks again.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.errors import ENOENT, BoardOSError
from espnow.micropython.services import Services

__all__ = ["POLLERR", "POLLHUP", "POLLIN", "POLLOUT", "build", "poller"]

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16

#: Of ``ipoll``: what was reported is not reported again until ``modify`` or ``register`` says so.
_ONE_SHOT = 1

#: MP_STREAM_POLL, the request of ``ioctl`` that asks what a stream is ready for.
_STREAM_POLL = 3


def poller(obj: Any) -> Callable[[int], int]:
    """Return what tells which of the events of a mask hold for `obj`.

    Raises:
        OSError: it cannot be polled.
    """
    found = getattr(obj, "poll_events", None)
    if found is not None:
        return found  # type: ignore[no-any-return]
    ioctl = getattr(obj, "ioctl", None)
    if ioctl is None:
        raise BoardOSError("stream operation not supported")

    def ask(mask: int) -> int:
        events = ioctl(_STREAM_POLL, mask)
        return events if isinstance(events, int) else 0

    return ask


class _Entry:
    __slots__ = ("ask", "mask", "obj")

    def __init__(self, obj: Any, mask: int) -> None:
        self.obj = obj
        self.mask = mask
        self.ask = poller(obj)


def _is_programs(entry: _Entry) -> bool:
    """Return whether the program itself answers for an object."""
    return not hasattr(entry.obj, "poll_events")


def _timeout_us(timeout_ms: Any) -> int | None:
    """Return the microseconds of a timeout in milliseconds; None and negative ones have no end."""
    if timeout_ms is None:
        return None
    timeout = operator.index(timeout_ms)
    return None if timeout < 0 else timeout * 1000


def _wait(board: Board, entries: Iterable[_Entry], timeout_us: int | None) -> list[tuple[_Entry, int]]:
    """Return the entries that are ready with their events, or nothing when the time is up."""
    board.look()
    ready: list[tuple[_Entry, int]] = []

    def ask_all() -> bool:
        # A callback may register and unregister while this waits.
        asked = tuple(entries)
        if any(map(_is_programs, asked)):
            # What the program's own objects do takes time, in which the board's may become ready: these come last.
            answers = {entry: entry.ask(entry.mask) for entry in sorted(asked, key=_is_programs, reverse=True)}
            ready.extend((entry, answers[entry]) for entry in asked if answers[entry])
        else:
            for entry in asked:
                events = entry.ask(entry.mask)
                if events:
                    ready.append((entry, events))
        return bool(ready)

    if not ask_all() and timeout_us != 0:
        until_us = None if timeout_us is None else board.clock.now_us + timeout_us
        board.wait(ask_all, until_us)
    return ready


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `select` of `board`."""

    class Poll:
        """A set of objects to wait for; made by ``poll()``."""

        __slots__ = ("_entries",)

        def __init__(self) -> None:
            self._entries: dict[int, _Entry] = {}

        def register(self, obj: Any, eventmask: int = POLLIN | POLLOUT, /) -> None:
            """Wait for the events in `eventmask` of `obj`; replaces an earlier mask.

            Raises:
                OSError: `obj` cannot be polled.
            """
            mask = operator.index(eventmask)
            entry = self._entries.get(id(obj))
            if entry is None:
                self._entries[id(obj)] = _Entry(obj, mask)
            else:
                entry.mask = mask

        def unregister(self, obj: Any, /) -> None:
            """Wait no more for `obj`; harmless when it is not registered."""
            self._entries.pop(id(obj), None)

        def modify(self, obj: Any, eventmask: int, /) -> None:
            """Replace the mask of `obj`.

            Raises:
                OSError: ENOENT, `obj` is not registered.
            """
            entry = self._entries.get(id(obj))
            if entry is None:
                raise BoardOSError(ENOENT)
            entry.mask = operator.index(eventmask)

        def poll(self, timeout: int | None = -1, /) -> list[tuple[Any, int]]:
            """Wait, and return a list of ``(obj, events)``; an empty one after `timeout` milliseconds."""
            found = _wait(board, self._entries.values(), _timeout_us(timeout))
            return [(entry.obj, events) for entry, events in found]

        def ipoll(self, timeout: int | None = -1, flags: int = 0, /) -> Iterator[tuple[Any, int]]:
            """Do as `poll` does, and return an iterator; with `flags` 1 each object reports once."""
            one_shot = operator.index(flags) & _ONE_SHOT
            found = _wait(board, self._entries.values(), _timeout_us(timeout))
            return self._each(found, one_shot)

        @staticmethod
        def _each(found: list[tuple[_Entry, int]], one_shot: int) -> Iterator[tuple[Any, int]]:
            for entry, events in found:
                if one_shot:
                    entry.mask = 0
                yield entry.obj, events

    def select(
        rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None, /
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Wait until something can be read, can be written or is in an exceptional state.

        Args:
            rlist: objects to read.
            wlist: objects to write.
            xlist: objects that may fail.
            timeout: seconds; None and negative ones wait for ever.
        """
        entries: dict[int, _Entry] = {}
        for objects, mask in ((rlist, POLLIN), (wlist, POLLOUT), (xlist, POLLERR | POLLHUP)):
            for obj in objects:
                entry = entries.get(id(obj))
                if entry is None:
                    entries[id(obj)] = _Entry(obj, mask)
                else:
                    entry.mask |= mask
        endless = timeout is None or timeout < 0
        timeout_us = None if endless else int(timeout * 1000) * 1000  # type: ignore[operator]
        found = _wait(board, entries.values(), timeout_us)
        return (
            [entry.obj for entry, events in found if events & POLLIN],
            [entry.obj for entry, events in found if events & POLLOUT],
            [entry.obj for entry, events in found if events & ~(POLLIN | POLLOUT)],
        )

    Poll.__name__ = Poll.__qualname__ = "poll"
    Poll.__module__ = "select"
    module = ModuleType("select", "Waiting for events on objects of this board.")
    vars(module).update(
        POLLERR=POLLERR,
        POLLHUP=POLLHUP,
        POLLIN=POLLIN,
        POLLOUT=POLLOUT,
        poll=Poll,
        select=select,
    )
    return module

"""A radio for a station that lives in another thread than the radio's loop: a link that wraps a link.

Up, frames and answers wait in a mailbox until the station's thread takes them. Down, calls take the loop's lock. And
while that thread waits, it does the loop's work itself (`LoopWait`), so that what arrives costs no switch of threads.

Rules:

- The loop's thread appends and never waits. The station's thread is told once (`post`), and woken when the loop's round
  is over and its lock is free.
- What arrives faster than the station takes it is dropped beyond a bound, and counted. Answers are not: there are never
  more than the link has frames.
- After `close` nothing is called.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from espnow.link import Abilities, Link, Outcome, RadioConfig, Station, Wait
from espnow.radio.loop import RadioLoop

__all__ = ["MOST_WAITING", "LoopWait", "Mailbox"]

#: Frames that wait for the station; of the longest kind they take 5 MB.
MOST_WAITING = 2_048


class Mailbox:
    """A link (`espnow.link.Link`) for one thread, over a link of a `RadioLoop`.

    Attributes:
        station: who is above; called in its own thread only.
        dropped: frames that found no room.
        unanswered: frames of the station that wait for their answer; Wi-Fi's own, whose tokens are negative, aside.
    """

    station: Station

    def __init__(
        self,
        link: Link,
        loop: RadioLoop,
        post: Callable[[Callable[[], None]], object],
        wake: Callable[[], None],
    ) -> None:
        """Stand between a link and its station.

        Args:
            link: the radio.
            loop: what it lives in.
            post: lets a function be called in the station's thread; called from the loop's.
            wake: lets that thread look, if it waits; called from the loop's thread without the lock.
        """
        self.dropped = 0
        self.unanswered = 0
        self._link = link
        self._loop = loop
        self._post = post
        self._wake = wake
        self._waiting: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._told = False
        self._closed = False
        with loop.lock:
            link.station = self

    @property
    def abilities(self) -> Abilities:
        """What the radio can do."""
        return self._link.abilities

    @property
    def trouble(self) -> str | None:
        """What is wrong with it now."""
        return self._link.trouble

    # From the station, in its thread.

    def configure(self, config: RadioConfig) -> None:
        """Make the radio work as `config` says."""
        with self._loop.lock:
            self._link.configure(config)
            self._loop.settle()

    def transmit(self, mpdu: bytes, token: int) -> None:
        """Queue a frame.

        Raises:
            LinkFull: no room now.
        """
        with self._loop.lock:
            self._link.transmit(mpdu, token)
            if token >= 0:
                self.unanswered += 1
            self._loop.settle()

    def close(self) -> None:
        """Close the radio."""
        self._closed = True
        with self._loop.lock:
            self._link.close()
        self._waiting.clear()

    # From the radio, under the loop's lock.

    def received(self, mpdu: bytes, rssi_dbm: int, channel: int, rate: int, at_us: int) -> None:
        """Keep a frame for the station (`espnow.link.Station`)."""
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append((self.station.received, (mpdu, rssi_dbm, channel, rate, at_us)))
        self._tell()

    def outcome(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        """Keep an answer for it (`espnow.link.Station`)."""
        self._waiting.append((self._answered, (token, outcome, attempts, at_us)))
        self._tell()

    def _tell(self) -> None:
        if not self._told and not self._closed:
            self._told = True
            self._post(self._deliver)
            self._loop.afterwards(self._wake)

    def _deliver(self) -> None:
        """Hand over what waits; in the station's thread."""
        self._told = False  # first: what comes from now on is told again
        waiting = self._waiting
        for _ in range(len(waiting)):
            if self._closed:
                return
            take, arguments = waiting.popleft()
            take(*arguments)

    def _answered(self, token: int, outcome: Outcome, attempts: int, at_us: int) -> None:
        if token >= 0:
            self.unanswered -= 1
        self.station.outcome(token, outcome, attempts, at_us)


class LoopWait:
    """A wait (`espnow.link.Wait`) in which the waiting thread does the work of a radio's loop."""

    def __init__(self, loop: RadioLoop, plain: Wait) -> None:
        """Make a wait.

        Args:
            loop: whose work is done.
            plain: waits where there is no work to do, or no time; closed with this one.
        """
        self._loop = loop
        self._plain = plain
        self._plainly = False
        self._thread = threading.get_ident()
        self._gate = threading.Lock()  # locked, but after a wake
        self._gate.acquire()

    def wait(self, timeout_s: float, readable: Collection[int]) -> set[int]:
        """Wait for descriptors, for `wake`, or for so many seconds (`espnow.link.Wait`)."""
        loop = self._loop
        found: set[int] = set()
        if timeout_s > 0:
            self._thread = threading.get_ident()
            for fd in readable:
                loop.watch(fd, lambda fd=fd: self._found(fd, found))  # type: ignore[misc]
            try:
                led = loop.lead(self._gate, loop.now_us + round(timeout_s * 1e6))
            finally:
                loop.lock.shut = False
                for fd in readable:
                    loop.unwatch(fd)
            if led:
                self._gate.acquire(blocking=False)
                return found
        self._plainly = True
        try:
            if self._gate.acquire(blocking=False):
                timeout_s = 0.0
            return self._plain.wait(timeout_s, readable)
        finally:
            self._plainly = False

    def wake(self) -> None:
        """End the wait, or the next one (`espnow.link.Wait`)."""
        self._open()
        if threading.get_ident() != self._thread:
            self._break()

    def interrupt(self) -> None:
        """Do so in a handler of a signal (`espnow.link.Wait`)."""
        self._open()
        self._break()

    def close(self) -> None:
        """Give back what it waits with."""
        self._plain.close()

    def _found(self, fd: int, found: set[int]) -> None:
        found.add(fd)
        self.wake()

    def _open(self) -> None:
        try:
            self._gate.release()
        except RuntimeError:  # it was woken already
            pass

    def _break(self) -> None:
        if self._plainly:
            self._plain.wake()
        else:
            self._loop.wake()

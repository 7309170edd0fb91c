"""The thread of a live board: it waits for descriptors and for time, and calls a radio under the board's lock.

Rules:

- One lock a board (`BoardLock`). Everything that touches board, node or radio holds it: the loop's thread for each
  round of calls, the program's threads for each call of theirs. So a radio is written as if there were one thread.
- The thread blocks only where it waits, never in a call of a radio. What a call raises is a defect: it is told to
  `on_error`, and the loop goes on.
- A thread that wants to wait lets go of the lock whole (`BoardLock.released`).
- Nobody is woken while the lock is held by the loop: what must be woken is noted, and done at the end of the round
  (`RadioLoop.afterwards`), since a thread that wakes to find the lock taken costs two switches more.
- A thread of the program that waits for the radio does the loop's work itself (`RadioLoop.lead`): an answer then costs
  no switch between threads, which is most of what it would cost. The loop's own thread rests meanwhile, and goes on a
  millisecond after the program has turned to something else.
- A leader that is the main thread says when Ctrl-C may interrupt it (`BoardLock.shut`): where it waits, and not in the
  middle of a round. Signals cannot be masked for that: another thread gets them, and Python calls the handler here.
- Whoever leads may come to wait again meanwhile, in the handler of a signal: it leads on, a level deeper.
- Time is the monotonic clock's, microseconds since the loop was made.
"""

from __future__ import annotations

import heapq
import itertools
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["BoardLock", "LoopTimer", "RadioLoop"]

#: The highest descriptor that `select.select` takes (FD_SETSIZE); with higher ones `poll` waits, to the millisecond.
_SELECT_LIMIT = 1024

#: How long a program gives way to the loop that waits for the lock, so that one that polls does not starve it.
_GIVE_WAY_S = 50e-6

#: How long the loop's thread leaves the work to a program that led it a moment ago, and likely will again.
_REST_US = 1_000

#: After so many looks at a leader that goes on leading, the loop's thread rests until it is called.
_RESTS = 4

_get_ident = threading.get_ident
_monotonic_ns = time.monotonic_ns


class BoardLock:
    """Held by one thread at a time, which may take it again; a context manager.

    Threads of the program give way to the loop, which says that it waits.

    Attributes:
        soon: what is to be done under it as soon as possible.
        deferred: somebody wanted to do something without it, and could not.
        on_left: called when a thread lets go of it whole while one of these two holds.
        shut: the main thread, which does not hold it, is on its way between two states: no handler of a signal may
            raise there or use the board. It belongs to the main thread.
    """

    __slots__ = (
        "_lock",
        "acquire",
        "deferred",
        "is_owned",
        "let_go",
        "on_left",
        "release",
        "shut",
        "soon",
        "take_back",
        "wanted",
    )

    def __init__(self) -> None:
        # RLock's own means for a Condition: they know the owner without a gap, also for a signal handler.
        lock: Any = threading.RLock()
        self._lock = lock
        self.acquire: Callable[..., bool] = lock.acquire
        self.release: Callable[[], None] = lock.release
        self.is_owned: Callable[[], bool] = lock._is_owned
        # Let go of it whole, however often it was taken, and take it so often again.
        self.let_go: Callable[[], Any] = lock._release_save
        self.take_back: Callable[[Any], None] = lock._acquire_restore
        self.wanted = False
        self.soon: deque[Callable[[], None]] = deque()
        self.deferred = False
        self.shut = False
        self.on_left: Callable[[], None] | None = None

    def __enter__(self) -> None:
        if self.wanted and not self.is_owned():
            time.sleep(_GIVE_WAY_S)
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()
        if (self.soon or self.deferred) and self.on_left is not None and not self.is_owned():
            self.on_left()

    def take_first(self) -> None:
        """Take it before any thread of the program that asks again and again; for the loop."""
        if not self.acquire(False):
            self.wanted = True
            self.acquire()
            self.wanted = False

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let go of it, however often it was taken, and take it back afterwards; nothing if it is not held."""
        if not self.is_owned():
            yield
            return
        state = self.let_go()
        try:
            yield
        finally:
            self.take_back(state)

    def renew(self) -> None:
        """Be free; in a process that was forked off, whose other threads are gone."""
        self._lock._at_fork_reinit()
        self.wanted = self.deferred = self.shut = False
        self.soon.clear()


class LoopTimer(list[Any]):
    """An entry of the heap: time, counter, function (None once cancelled)."""

    __slots__ = ()

    def cancel(self) -> None:
        """Forget the call."""
        self[2] = None


class RadioLoop:
    """One thread that waits for what a radio waits for (`espnow.link.Clock`).

    Attributes:
        lock: the board's lock.
        on_error: called with what a call raised; by default the thread's ``excepthook`` is.
        owned: descriptors of the radio that are not watched, and that no forked process may keep.
    """

    def __init__(self) -> None:
        """Make one that is idle; its thread begins with the first call that needs it."""
        self.lock = BoardLock()
        self.owned: set[int] = set()
        self.lock.on_left = self.wake
        self.on_error: Callable[[BaseException], None] | None = None
        self._start_ns = time.monotonic_ns()
        self._heap: list[LoopTimer] = []
        self._count = itertools.count().__next__
        self._watched: dict[int, Callable[[], None]] = {}
        self._changes = 0  # of what is watched
        self._afterwards: list[Callable[[], None]] = []
        self._waits_until_us = 0
        self._thread_until_us = 0  # until when the loop's own thread waits; 0 while it does not
        self._thread_changes = 0  # and what was watched when it began
        self._thread: threading.Thread | None = None
        self._beginning = threading.Lock()
        self._wake_fds: tuple[int, int] | None = None
        self._ends_alone = False  # nobody waits for the thread's end
        self._round_by = 0  # identity of the thread that is in a round
        self._leading = threading.Lock()
        self._leader = 0  # identity of the thread that leads
        self._led_until_us = 0
        self._rest = threading.Lock()
        self._rest.acquire()
        self._rests_long = False
        self._main = threading.main_thread().ident
        self._closed = False

    @property
    def now_us(self) -> int:
        """Microseconds since the loop was made."""
        return (_monotonic_ns() - self._start_ns) // 1000

    @property
    def in_round(self) -> bool:
        """Whether the caller is called by the loop."""
        return self._round_by == _get_ident()

    def call_at(self, at_us: int, function: Callable[[], None], *, background: bool = False) -> LoopTimer:
        """Call `function` under the lock at `at_us`, or as soon as possible (`espnow.link.Clock`)."""
        timer = LoopTimer((at_us, self._count(), function))
        heapq.heappush(self._heap, timer)
        if self._thread is None:
            self._begin()
        elif at_us < self._waits_until_us:
            self._waits_until_us = at_us
            self.wake()
        return timer

    def soon(self, function: Callable[[], None]) -> None:
        """Call `function` under the lock, when the present call of the radio is over; the caller holds the lock.

        The thread that waits next does it (`settle`), or the loop's when the lock is free.
        """
        self.lock.soon.append(function)

    def settle(self) -> None:
        """Do what `soon` left; for a thread of the program that holds the lock, before it waits."""
        soon = self.lock.soon
        while soon:
            self._call(soon.popleft())

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        """Call `ready` under the lock whenever `fd` can be read, or is broken; it must read, or unwatch it."""
        with self.lock:
            self._watched[fd] = ready
            self._changes += 1
            self.wake()

    def unwatch(self, fd: int) -> None:
        """Forget a descriptor; before it is closed. Harmless if it is not watched."""
        with self.lock:
            if self._watched.pop(fd, None) is not None:
                self._changes += 1
                self.wake()

    def afterwards(self, function: Callable[[], None]) -> None:
        """Call `function` without the lock when the loop's present round is over; at once from elsewhere."""
        if self._round_by == _get_ident():
            self._afterwards.append(function)
        else:
            function()

    def close(self) -> None:
        """End the thread; nothing is called afterwards."""
        thread = self._thread
        joins = thread is not None and thread is not threading.current_thread() and not self.lock.is_owned()
        with self.lock:
            self._ends_alone = not joins
            self._closed = True
            self._heap.clear()
            self._watched.clear()
            self.lock.soon.clear()
            self.wake()
            self._call_thread()
        if thread is not None and joins:
            thread.join()
            self._close_pipe()

    def abandon(self) -> None:
        """Forget everything in a process that was forked off: the thread is the parent's, and so is what it watches."""
        self._closed = True
        self._thread = None
        self.lock.renew()
        self._close_pipe()
        # The radio's sockets still believe in their numbers, and will close them when they are collected: these must
        # not belong to something else by then.
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in {*self._watched, *self.owned}:
            try:
                os.dup2(nothing, fd, inheritable=False)
            except OSError:
                pass
        os.close(nothing)
        self._watched.clear()
        self.owned.clear()
        self._heap.clear()

    # Inside.

    def _begin(self) -> None:
        # The handler of a signal may come here meanwhile. It need not wait: a thread that begins looks at everything.
        if self._closed or self._thread is not None or not self._beginning.acquire(False):
            return
        try:
            if self._thread is None:
                self._wake_fds = os.pipe()
                for fd in self._wake_fds:
                    os.set_blocking(fd, False)
                self._thread = threading.Thread(target=self._run, name="espnow", daemon=True)
                self._thread.start()
        finally:
            self._beginning.release()

    def _close_pipe(self) -> None:
        fds, self._wake_fds = self._wake_fds, None
        for fd in fds or ():
            os.close(fd)

    def wake(self) -> None:
        """Let the thread look again at what it waits for, and at what is to be done."""
        if self._thread is None:
            self._begin()
        elif (fds := self._wake_fds) is not None and self._round_by != _get_ident():
            with suppress(BlockingIOError):  # it was woken often enough
                os.write(fds[1], b"\0")

    @property
    def waking_fd(self) -> int:
        """A descriptor that ends a wait when something is written to it, for `signal.set_wakeup_fd`; begins the thread.

        -1 when the loop has ended.
        """
        self._begin()
        return -1 if self._wake_fds is None else self._wake_fds[1]

    def lead(self, gate: threading.Lock, until_us: int | None) -> bool:
        """Do the loop's work until `gate` is free, or until a time; for a thread of the program, without the lock.

        Returns:
            False, at once, if another thread leads, or the loop is not running.
        """
        if self._thread is None or self._closed:
            return False
        me = _get_ident()
        deeper = self._leader == me
        if not deeper and not self._leading.acquire(False):
            return False
        self._leader = me
        wait = self._wait_open if me == self._main else self._wait
        acquire, release = self.lock.acquire, self.lock.release
        try:
            while gate.locked() and not self._closed:
                acquire()
                try:
                    timeout_s = self._timeout_s(until_us)
                    if self._wake_fds is None:  # it was closed
                        break
                    waiting = [self._wake_fds[0], *self._watched]
                finally:
                    release()
                late = timeout_s is not None and timeout_s < 0
                self._round(wait(waiting, 0.0 if late else timeout_s))  # what came in time is not missed
                if late:
                    break
        finally:
            if deeper:
                self.wake()  # the wait above knows nothing of what came since
            else:
                self._stop_leading()
        return True

    def _stop_leading(self) -> None:
        self.lock.acquire()  # under it others say until when they wait
        try:
            self._led_until_us = self.now_us
            self._leader = 0
            self._waits_until_us = self._thread_until_us
            self._leading.release()
        finally:
            self.lock.release()
        if self._rests_long:
            self._call_thread()
        elif self._thread_until_us and (  # it does not rest; what woke this thread it may have missed
            self._closed
            or self._thread_changes != self._changes
            or (self._heap and self._heap[0][0] < self._thread_until_us)
        ):
            self.wake()

    def _wait_open(self, waiting: list[int], timeout_s: float | None) -> list[int]:
        """Wait, on the main thread, for which this is where it may be interrupted."""
        lock = self.lock
        lock.shut = False
        try:
            if lock.deferred and lock.on_left is not None:
                lock.on_left()
            return self._wait(waiting, timeout_s)
        finally:
            lock.shut = True

    def _call_thread(self) -> None:
        """End the rest of the loop's thread."""
        self._rests_long = False
        try:
            self._rest.release()
        except RuntimeError:  # it was called already
            pass

    def _rest_while_led(self) -> None:
        """Leave the work to a thread of the program that leads, and some time longer."""
        looks = 0
        while not self._closed:
            if self._leading.locked():
                looks += 1
                if looks > _RESTS:
                    self._rests_long = True
                    if not self._leading.locked():  # it left between the two looks
                        self._rests_long = False
                        continue
                    self._rest.acquire()
                    looks = 0
                else:
                    self._rest.acquire(timeout=_REST_US / 1e6)
                continue
            left_us = self._led_until_us + _REST_US - self.now_us
            if left_us <= 0:
                return
            self._rest.acquire(timeout=left_us / 1e6)

    def _run(self) -> None:
        assert self._wake_fds is not None
        woken = self._wake_fds[0]
        lock = self.lock
        try:
            while not self._closed:
                self._rest_while_led()
                lock.take_first()
                try:
                    if self._closed:
                        break
                    timeout_s = self._timeout_s()
                    waiting = [woken, *self._watched]
                    self._thread_until_us = self._waits_until_us
                    self._thread_changes = self._changes
                finally:
                    lock.release()
                ready = self._wait(waiting, timeout_s)
                self._thread_until_us = 0
                if not self._leading.locked():
                    self._round(ready)
                    if self._leading.locked():  # since then, and the leader waits for what was before the round
                        self.wake()
        finally:
            while self._leading.locked():  # who leads waits for this pipe, too
                self.wake()
                self._rest.acquire(timeout=_REST_US / 1e6)
            if self._ends_alone:
                self._close_pipe()

    def _round(self, ready: list[int]) -> None:
        """Call what is ready and what is due."""
        lock = self.lock
        lock.take_first()
        try:
            self._round_by = _get_ident()
            self._waits_until_us = 0
            watched = self._watched
            for fd in ready:
                function = watched.get(fd)
                if function is not None:
                    try:
                        function()
                    except Exception as error:
                        self._failed(error)
                elif self._wake_fds is not None and fd == self._wake_fds[0]:
                    try:
                        os.read(fd, 4096)
                    except BlockingIOError:  # another thread has read it
                        pass
            if self._heap:
                self._run_due()
            if lock.soon:
                self.settle()
            afterwards = self._afterwards
            if afterwards:
                self._afterwards = []
        finally:
            self._round_by = 0
            lock.release()
        for function in afterwards:
            self._call(function)

    def _timeout_s(self, until_us: int | None = None) -> float | None:
        """Return how long to wait; from now on an earlier timer wakes the thread.

        Args:
            until_us: no longer than until then; once it is past, a negative number is returned.
        """
        if self.lock.soon and (until_us is None or until_us > self.now_us):
            return 0.0
        heap = self._heap
        self._waits_until_us = 1 << 62  # first: whoever adds a timer from now on wakes the thread
        while heap and heap[0][2] is None:
            heapq.heappop(heap)
        if not heap:
            return None if until_us is None else _seconds(until_us - self.now_us, -1.0)
        at_us: int = heap[0][0]
        self._waits_until_us = at_us
        now_us = self.now_us
        if until_us is not None and (until_us <= now_us or until_us < at_us):
            return _seconds(until_us - now_us, -1.0)
        return _seconds(at_us - now_us, 0.0)

    def _wait(self, waiting: list[int], timeout_s: float | None) -> list[int]:
        if max(waiting) < _SELECT_LIMIT:
            try:
                return select.select(waiting, (), (), timeout_s)[0]
            except OSError:  # one was closed meanwhile, or is broken: whoever watches it finds out
                return waiting
        poll = select.poll()
        for fd in waiting:
            poll.register(fd, select.POLLIN)
        return [fd for fd, _ in poll.poll(None if timeout_s is None else timeout_s * 1000)]

    def _run_due(self) -> None:
        heap = self._heap
        now_us = self.now_us
        while heap and heap[0][0] <= now_us:
            function = heapq.heappop(heap)[2]
            if function is not None:
                self._call(function)

    def _call(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        with suppress(Exception):  # it cannot be told, where standard error is closed: the radio goes on all the same
            if self.on_error is not None:
                self.on_error(error)
            else:
                threading.excepthook(
                    threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread()))
                )


def _seconds(us: int, past: float) -> float:
    """Return a time to wait in seconds; `past` for none."""
    return us / 1e6 if us > 0 else past

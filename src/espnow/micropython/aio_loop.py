"""The event loop of a board: CPython's tasks in the board's time.

Rules: those of `espnow.micropython.aio`. It is an ``asyncio.BaseEventLoop`` without that one's timers and selector: its
timers are in microseconds, and it waits with ``board.wait``.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from asyncio import Future, Handle, Task, TimerHandle
from asyncio.format_helpers import _format_callback_source
from asyncio.tasks import _enter_task, _leave_task
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from heapq import heapify, heappop, heappush
from typing import Any, TypeVar

from espnow.board import Board
from espnow.micropython.select import poller

__all__ = ["BoardLoop", "finish"]

_T = TypeVar("_T")

_get_running_loop = asyncio._get_running_loop
_set_running_loop = asyncio._set_running_loop
_current_task = asyncio.current_task

#: So many cancelled timers may lie in the heap before it is cleared of them, if they are more than the others.
_MAX_CANCELLED = 100


class _BoardHandle(Handle):
    """A callback of the loop; asyncio's own asks the loop for its debug mode, which this one never has."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., object], args: Any, loop: BoardLoop, context: Any) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class BoardLoop(asyncio.BaseEventLoop):
    """The event loop of one board."""

    # Of BaseEventLoop, which its type hints leave out.
    _ready: deque[Handle]
    _scheduled: list[Any]
    _asyncgens: weakref.WeakSet[Any]

    def __init__(self, board: Board) -> None:
        self._depth = 0  # asked for by the base class
        super().__init__()
        self._debug = False
        self._board = board
        self._clock = board.clock
        self._scheduled = []
        self._timers: list[tuple[int, int, TimerHandle]] = []
        self._timer_number = 0
        self._cancelled_timers = 0
        self._wait_until_us: int | None = None
        self._task_number = 0
        self._tasks: dict[Task[Any], None] = {}
        self._dropped: list[Task[Any]] = []
        self._on_task_end: Callable[[Any], None] = _nothing_of
        self._fatal: BaseException | None = None
        self._stop = False
        self._over = False
        self._streams: dict[int, _Waiters] = {}

    def __del__(self) -> None:
        """Nothing: MicroPython's loop needs no closing, so one that is dropped open is no mistake."""

    # Time and callbacks.

    def time(self) -> float:
        """Return the clock's seconds."""
        return self._clock.now_us / 1_000_000

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Handle:
        """Call ``callback(*args)`` in the next turn."""
        handle = _BoardHandle(callback, args, self, context)
        self._ready.append(handle)
        if callback is self._on_task_end:
            self._forget_task(args[0])
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Handle:
        """Do as `call_soon` does, and wake the loop."""
        handle = self.call_soon(callback, *args, context=context)
        self._board.cpu.wake()
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> TimerHandle:
        """Call ``callback(*args)`` after `delay` seconds."""
        at_us = self._clock.now_us + round(delay * 1_000_000)
        return self._add_timer(at_us, callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> TimerHandle:
        """Call ``callback(*args)`` at `when`, in seconds of `time`."""
        return self._add_timer(round(when * 1_000_000), callback, args, context)

    def _add_timer(self, at_us: int, callback: Callable[..., object], args: Any, context: Any) -> TimerHandle:
        timer = TimerHandle(at_us / 1_000_000, callback, args, self, context)
        self._timer_number += 1
        heappush(self._timers, (at_us, self._timer_number, timer))
        timer._scheduled = True  # type: ignore[attr-defined]  # cancelling it reports to _timer_handle_cancelled
        return timer

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        if handle._scheduled:  # type: ignore[attr-defined]
            self._cancelled_timers += 1

    def _write_to_self(self) -> None:
        self._board.cpu.wake()

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    # Tasks.

    def create_task(  # type: ignore[override, unused-ignore]
        self, coro: Coroutine[Any, Any, _T], *, name: object = None, context: Any = None, **options: Any
    ) -> Task[_T]:
        """Make a task of a coroutine.

        Raises:
            TypeError: it is none.
        """
        self._task_number += 1
        task = Task(
            coro,
            loop=self,
            name=f"Task-{self._task_number}" if name is None else str(name),
            context=context,
            **options,
        )
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        if task.done():  # an eager one
            return task
        self._tasks[task] = None
        task.add_done_callback(self._on_task_end)
        return task

    def _forget_task(self, task: Task[Any]) -> None:
        """Note the end of a task as soon as it is known, before the callbacks that asyncio makes for it."""
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task._exception  # unlike exception(), this does not mark it as retrieved
        if error is None:
            return
        if not isinstance(error, Exception):
            self._fatal = error
        elif all(callback is self._on_task_end for callback, _ in task._callbacks or ()):
            self.call_soon(self._report, task, 1)

    def _report(self, task: Task[Any], turns: int) -> None:
        """Print the exception of a task that nobody waited for, unless somebody asks for it in so many turns."""
        if not task._log_traceback:
            return
        if turns:
            self.call_soon(self._report, task, turns - 1)
            return
        task._log_traceback = False
        error = task._exception
        self.call_exception_handler({"message": "Task exception wasn't retrieved", "exception": error, "future": task})

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Print an exception on the console in MicroPython's words, without addresses, so that runs repeat."""
        console = self._board.console
        lines = context.get("message") or "Unhandled exception in event loop"
        future = context.get("future")
        if isinstance(future, Task):
            name = getattr(future.get_coro(), "__name__", "?")
            lines = f"{lines}\nfuture: <Task> coro= <generator object '{name}'>"
        console.write(f"{lines}\n")
        error = context.get("exception")
        if error is not None:
            console.exception(error)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report an error to the handler that was set, or print it."""
        message = context.get("message") or ""
        if message.endswith(("was never retrieved", "it is pending!")):
            return  # said by the garbage collector, whose time is its own
        error = context.get("exception")
        if error is not None and not isinstance(error, Exception):
            self._fatal = error
            return
        handler = self._exception_handler  # type: ignore[attr-defined]
        if handler is None:
            self.default_exception_handler(context)
            return
        try:
            handler(self, context)
        except Exception as error:
            self._board.console.exception(error)

    # Running.

    def is_running(self) -> bool:
        """Return whether the loop runs, also when it waits in another greenlet."""
        return self._depth > 0

    def run_until_complete(self, future: Any) -> Any:
        """Run until `future`, or a task made of a coroutine, is done; return its result or raise its exception."""
        task = asyncio.ensure_future(future, loop=self)
        self._run(task.done)
        return task.result()

    def run_forever(self) -> None:
        """Run until `stop` is called."""
        self._stop = False
        self._run(self._stopped)

    def stop(self) -> None:
        """End `run_forever`; without effect on `run_until_complete`."""
        self._stop = True

    def close(self) -> None:
        """Do nothing, as MicroPython does: the loop stays usable."""

    def reset(self) -> None:
        """Drop all tasks and timers, as MicroPython's ``new_event_loop`` does; nothing of them runs any more."""
        for task in self._tasks:
            awaited = task._fut_waiter  # type: ignore[attr-defined]
            if awaited is not None and not isinstance(awaited, Task):
                awaited.cancel()  # so that nobody hands it what it will never take; the task is not told
        # Referenced until `discard`: a coroutine that Python deletes would run its ``finally`` blocks.
        self._dropped += self._tasks
        self._tasks.clear()
        self._ready.clear()
        self._timers.clear()
        self._cancelled_timers = 0
        self._streams.clear()
        self._fatal = None

    def discard(self) -> None:
        """Close what is left of all coroutines; for after the program's end."""
        self._over = True
        self.reset()
        while self._dropped:
            dropped, self._dropped = self._dropped, []
            for task in dropped:
                task._log_traceback = False
                coroutine = task.get_coro()
                try:
                    if coroutine is not None:
                        coroutine.close()
                except BaseException:  # what a dead program still raises has no one to go to
                    pass
            self.reset()  # closing may have made tasks

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """Close an asynchronous generator that was dropped before its end, in a task of its own."""
        self._asyncgens.discard(agen)
        if self._over:
            return
        self.create_task(agen.aclose())
        self._board.cpu.wake()

    def _stopped(self) -> bool:
        return self._stop

    def _run(self, ended: Callable[[], bool]) -> None:
        """Run turns until `ended()`; also from inside a task or callback of this loop."""
        outer = _get_running_loop()
        if outer is not None and outer is not self:
            raise RuntimeError("Cannot run the event loop while another loop is running")
        outer_task = None if outer is None else _current_task(self)
        hooks = sys.get_asyncgen_hooks()
        if outer_task is not None:
            _leave_task(self, outer_task)
        self._depth += 1
        try:
            _set_running_loop(self)
            sys.set_asyncgen_hooks(
                firstiter=self._asyncgen_firstiter_hook,  # type: ignore[attr-defined]
                finalizer=self._asyncgen_finalizer_hook,
            )
            while not ended():
                self._run_once()
        except BaseException:
            self._fatal = None  # asyncio raises some of them itself, too
            raise
        finally:
            self._depth -= 1
            sys.set_asyncgen_hooks(*hooks)
            _set_running_loop(outer)
            if outer_task is not None:
                _enter_task(self, outer_task)

    def _run_once(self) -> None:
        """Do one turn: wait for something to do, then call what was ready when it came."""
        ready, timers = self._ready, self._timers
        board = self._board
        if self._cancelled_timers > _MAX_CANCELLED and self._cancelled_timers * 2 > len(timers):
            timers[:] = [entry for entry in timers if not entry[2]._cancelled]
            heapify(timers)
            self._cancelled_timers = 0
        while timers and timers[0][2]._cancelled:
            heappop(timers)
            self._cancelled_timers -= 1
        if ready or (timers and timers[0][0] <= self._clock.now_us):
            board.look()
            if self._streams:
                self._wake_streams()
        else:
            self._wait_until_us = timers[0][0] if timers else None
            board.wait(self._has_work, self._wait_until_us)
        now_us = self._clock.now_us
        while timers and timers[0][0] <= now_us:
            timer = heappop(timers)[2]
            timer._scheduled = False  # type: ignore[attr-defined]
            if timer._cancelled:
                self._cancelled_timers -= 1
            else:
                ready.append(timer)
        for _ in range(len(ready)):
            if not ready:  # a `run` inside one of the callbacks has called them
                break
            handle: Any = ready.popleft()
            if not handle._cancelled:
                try:
                    handle._context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as raised:
                    self._callback_failed(handle, raised)
                if self._fatal is not None:
                    error, self._fatal = self._fatal, None
                    raise error

    def _callback_failed(self, handle: Any, error: BaseException) -> None:
        """Report what a callback raised, as `asyncio.Handle` does."""
        shown = _format_callback_source(handle._callback, handle._args)
        self.call_exception_handler({"message": f"Exception in callback {shown}", "exception": error, "handle": handle})

    def _has_work(self) -> bool:
        """Whether the loop's wait is over early: a callback of the board or another greenlet added something."""
        if self._streams:
            self._wake_streams()
        if self._ready:
            return True
        timers = self._timers
        if not timers:
            return False
        until_us = self._wait_until_us
        return until_us is None or timers[0][0] < until_us

    # Streams.

    async def wait_stream(self, obj: Any, mask: int) -> None:
        """Wait until one of the `select` events of `mask` holds for `obj`.

        Raises:
            OSError: it cannot be polled.
        """
        ask = poller(obj)
        future = self.create_future()
        waiters = self._streams.get(id(obj))
        if waiters is None:
            waiters = self._streams[id(obj)] = _Waiters(obj, ask)
        entry = mask, future
        waiters.waiting.append(entry)
        # A turn with something to do costs time; without it, one who reads a stream at its end would stop the clock.
        self.call_soon(_nothing)
        try:
            await future
        finally:
            if entry in waiters.waiting:
                waiters.waiting.remove(entry)
            if not waiters.waiting:
                self._streams.pop(id(obj), None)

    def _wake_streams(self) -> None:
        for waiters in tuple(self._streams.values()):
            for entry in tuple(waiters.waiting):
                mask, future = entry
                if waiters.ask(mask):
                    waiters.waiting.remove(entry)
                    finish(future)


class _Waiters:
    """Who waits for an object of `select`'s kind."""

    __slots__ = ("ask", "obj", "waiting")

    def __init__(self, obj: Any, ask: Callable[[int], int]) -> None:
        self.obj = obj  # keeps its id from being given to another
        self.ask = ask
        self.waiting: list[tuple[int, Future[None]]] = []


def _nothing() -> None:
    pass


def _nothing_of(_: Any) -> None:
    """Mark the end of a task: the loop knows this callback when asyncio asks for it to be called."""


def finish(future: Future[None]) -> None:
    """End somebody's waiting, unless it has ended."""
    if not future.done():
        future.set_result(None)

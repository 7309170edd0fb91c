"""`asyncio` of a board: CPython's tasks and primitives over an event loop in the board's time.

Rules:

- A board has one event loop, as MicroPython has: ``run``, ``create_task`` and ``get_event_loop`` all mean it, tasks
  that are left when ``run`` returns go on in the next one, ``new_event_loop`` drops them and ``close`` does nothing
  (https://docs.micropython.org/en/latest/library/asyncio.html). So a primitive may outlive the ``run`` that used it.
- ``run`` inside a coroutine, or inside a callback, drives the same loop until its own coroutine ends; the other tasks
  go on meanwhile, as on a board.
- Time is ``board.clock``, in whole microseconds, and the loop waits with ``board.wait``. No thread,
  socket or signal of the computer.
- The same calls give the same order: timers of one instant fire in the order in which they were set, tasks are
  numbered from 1 on each board, and nothing is printed at the whim of the garbage collector.
- An exception of a task that nobody waits for is printed on the console as soon as the others had their turn. One
  that is no ``Exception``, such as SystemExit or what ends a program, leaves ``run`` at once.
- Boards take turns in one host thread: `around_switch`, or `save_thread_state` and `restore_thread_state`, keep what
  CPython's asyncio has per thread with the program that it belongs to.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from asyncio import Future, Handle, Task, TimerHandle
from asyncio.tasks import _enter_task, _leave_task
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from heapq import heapify, heappop, heappush
from types import ModuleType
from typing import Any, TypeVar

from espnow.board import Board
from espnow.micropython.aio_streams import Server, Tcp
from espnow.micropython.select import POLLIN, POLLOUT, poller
from espnow.micropython.services import Services

__all__ = [
    "CLEAR_STATE",
    "BoardLoop",
    "ThreadState",
    "around_switch",
    "build",
    "discard",
    "restore_thread_state",
    "save_thread_state",
]

_T = TypeVar("_T")

_get_running_loop = asyncio._get_running_loop
_set_running_loop = asyncio._set_running_loop
_current_task = asyncio.current_task

#: So many cancelled timers may lie in the heap before it is cleared of them, if they are more than the others.
_MAX_CANCELLED = 100

#: Names of CPython's asyncio that a board's has too. The rest needs sockets, processes, threads or the host's loop, or
#: depends on the order of a set of tasks, which differs from run to run (``wait``, ``as_completed``, ``all_tasks``).
_HOST_NAMES = (
    "ALL_COMPLETED",
    "Barrier",
    "BoundedSemaphore",
    "BrokenBarrierError",
    "CancelledError",
    "Condition",
    "Event",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "Future",
    "Handle",
    "InvalidStateError",
    "LifoQueue",
    "Lock",
    "PriorityQueue",
    "Queue",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "Semaphore",
    "Task",
    "TaskGroup",
    "Timeout",
    "TimeoutError",
    "TimerHandle",
    "current_task",
    "get_running_loop",
    "iscoroutine",
    "iscoroutinefunction",
    "isfuture",
    "shield",
    "sleep",
    "timeout",
    "timeout_at",
)


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
        handle = Handle(callback, args, self, context)
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
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()
                if self._fatal is not None:
                    error, self._fatal = self._fatal, None
                    raise error

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
                    _finish(future)


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


def _finish(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def discard(module: ModuleType) -> None:
    """Close what is left of the coroutines of a board's `asyncio` module, once its program is over."""
    vars(module)["_loop"].discard()


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `asyncio` of `board`."""
    loop = BoardLoop(board)
    host_sleep = asyncio.sleep

    def run(main: Coroutine[Any, Any, _T], **_options: object) -> _T:
        """Make a task of a coroutine, run until it ends, and return its result; also inside another `run`."""
        return loop.run_until_complete(loop.create_task(main))  # type: ignore[no-any-return]

    def create_task(coro: Coroutine[Any, Any, _T], **options: Any) -> Task[_T]:
        """Make a task of a coroutine; it runs when the loop does."""
        return loop.create_task(coro, **options)

    def ensure_future(awaitable: Any, *, loop: Any = loop) -> Any:
        """Return a future as it is, and a task made of anything else that can be awaited."""
        return asyncio.ensure_future(awaitable, loop=loop)

    def gather(*awaitables: Any, return_exceptions: bool = False) -> Any:
        """Run several at once and wait for all of them."""
        # Made into tasks here, for the host's gather asks for a running loop.
        futures = [asyncio.ensure_future(awaitable, loop=loop) for awaitable in awaitables]
        if not futures:
            nothing: Future[list[Any]] = loop.create_future()
            nothing.set_result([])
            return nothing
        return asyncio.gather(*futures, return_exceptions=return_exceptions)

    def get_event_loop(*_: Any, **__: Any) -> BoardLoop:
        """Return the loop of this board. Arguments are ignored, as MicroPython ignores old ones."""
        return loop

    def new_event_loop() -> BoardLoop:
        """Drop all tasks, and return the loop of this board."""
        loop.reset()
        return loop

    def set_event_loop(_: Any) -> None:
        """Do nothing: a board has one loop."""

    def sleep_ms(t: float) -> Awaitable[None]:
        """Let `t` milliseconds pass."""
        return host_sleep(t / 1000)

    async def wait_for(aw: Awaitable[_T], timeout: float | None) -> _T:
        """Wait for an awaitable, and cancel it with TimeoutError after `timeout` seconds.

        The host's own is not used: Python 3.11's loses the cancellation of a task whose awaitable has just ended, so
        that a program which cancels its tasks would wait for ever.
        """
        if timeout is None:
            return await aw
        future: Future[_T] = asyncio.ensure_future(aw, loop=loop)
        waiter = _current_task(loop)
        assert waiter is not None
        cancelled = waiter.cancelling()
        late = False

        def expire() -> None:
            nonlocal late
            late = future.cancel()

        timer = loop.call_later(timeout, expire)
        try:
            result = await future
        except BaseException:
            if late and waiter.cancelling() == cancelled:
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
        if late:
            raise TimeoutError
        return result

    def wait_for_ms(aw: Awaitable[_T], timeout: float | None) -> Awaitable[_T]:
        """Wait for an awaitable, and cancel it with TimeoutError after `timeout` milliseconds."""
        return wait_for(aw, None if timeout is None else timeout / 1000)

    class ThreadSafeFlag:
        """A flag that a callback outside asyncio may set; one that waits clears it.

        It can be polled, as MicroPython's can.
        """

        def __init__(self) -> None:
            self.state = 0
            self._waiting: list[Future[None]] = []

        def set(self) -> None:
            """Set the flag, and wake who waits for it."""
            self.state = 1
            for future in self._waiting:
                loop.call_soon_threadsafe(_finish, future)

        def clear(self) -> None:
            """Clear the flag."""
            self.state = 0

        async def wait(self) -> None:
            """Wait until the flag is set, and clear it."""
            while not self.state:
                future = loop.create_future()
                self._waiting.append(future)
                try:
                    await future
                finally:
                    self._waiting.remove(future)
            self.state = 0

        def poll_events(self, mask: int) -> int:
            """Return POLLIN if the flag is set and `mask` asks for it."""
            return mask & POLLIN if self.state else 0

    class Stream:
        """Awaitable reading and writing of an object that `select` can poll, such as ``sys.stdin``."""

        def __init__(self, s: Any, e: Any = None) -> None:
            self.s = s
            self.e = {} if e is None else e
            self.out_buf: Any = b""

        async def __aenter__(self) -> Any:
            return self

        async def __aexit__(self, *_: object) -> None:
            self.s.close()

        def get_extra_info(self, v: Any) -> Any:
            """Return what the stream was made with under that name."""
            return self.e[v]

        async def read(self, n: int = -1) -> Any:
            """Read up to `n`, or all to the end."""
            if n >= 0:
                while True:
                    await loop.wait_stream(self.s, POLLIN)
                    part = self.s.read(n)
                    if part is not None:
                        return part
            return await self._gather(self.s.read, lambda _: False)

        async def readinto(self, buf: Any) -> Any:
            """Read into a buffer, and return how much."""
            await loop.wait_stream(self.s, POLLIN)
            return self.s.readinto(buf)

        async def readexactly(self, n: int) -> Any:
            """Read exactly `n`.

            Raises:
                EOFError: the stream ended before.
            """
            whole = None
            while n:
                await loop.wait_stream(self.s, POLLIN)
                part = self.s.read(n)
                if part is None:
                    continue
                if not part:
                    raise EOFError
                whole = part if whole is None else whole + part
                n -= len(part)
            return b"" if whole is None else whole

        async def readline(self) -> Any:
            """Read a line with its end, or what is there before the end of the stream."""
            newlines = ("\n", b"\n")
            return await self._gather(self.s.readline, lambda line: line[-1:] in newlines)

        async def _gather(self, read: Callable[[], Any], complete: Callable[[Any], bool]) -> Any:
            whole = None
            while True:
                await loop.wait_stream(self.s, POLLIN)
                part = read()
                if part is None:
                    continue
                whole = part if whole is None else whole + part
                if not part or complete(whole):
                    return whole

        def write(self, buf: Any) -> None:
            """Write what can be written at once, and keep the rest for `drain`."""
            if not self.out_buf:
                count = self.s.write(buf)
                if count is not None:
                    buf = buf[count:]
                self.out_buf = buf
            else:
                self.out_buf += buf

        async def drain(self) -> None:
            """Write what is left."""
            if not self.out_buf:
                await sleep_ms(0)
            while self.out_buf:
                await loop.wait_stream(self.s, POLLOUT)
                count = self.s.write(self.out_buf)
                if count is not None:
                    self.out_buf = self.out_buf[count:]

        async def awrite(self, buf: Any, off: int = 0, sz: int = -1) -> None:
            """Write a part of a buffer and wait until it is out; of the old uasyncio."""
            self.write(buf[off:] if sz == -1 else buf[off : off + sz])
            await self.drain()

        awritestr = awrite

        def close(self) -> None:
            """Do nothing; `wait_closed` closes."""

        async def wait_closed(self) -> None:
            """Close the stream."""
            self.s.close()

        aclose = wait_closed

    tcp = Tcp(board, services, loop, Stream)
    for cls in (ThreadSafeFlag, Stream):
        cls.__qualname__ = cls.__name__
        cls.__module__ = "asyncio"
    module = ModuleType("asyncio", "asyncio of this board.")
    names = vars(module)
    for name in _HOST_NAMES:
        if hasattr(asyncio, name):  # a few are of later Pythons
            names[name] = getattr(asyncio, name)
    names.update(
        Loop=loop,
        Server=Server,
        Stream=Stream,
        StreamReader=Stream,
        StreamWriter=Stream,
        ThreadSafeFlag=ThreadSafeFlag,
        _loop=loop,
        create_task=create_task,
        ensure_future=ensure_future,
        gather=gather,
        get_event_loop=get_event_loop,
        new_event_loop=new_event_loop,
        open_connection=tcp.open_connection,
        run=run,
        run_until_complete=loop.run_until_complete,
        set_event_loop=set_event_loop,
        sleep_ms=sleep_ms,
        start_server=tcp.start_server,
        wait_for=wait_for,
        wait_for_ms=wait_for_ms,
    )
    # MicroPython's is a package; programs import from its parts, which all have the same names here.
    names.update(dict.fromkeys(("core", "event", "funcs", "lock", "stream"), module))
    return module


# What CPython's asyncio keeps per thread.

#: A running loop, the hooks of asynchronous generators, and the current task.
ThreadState = tuple[Any, Any, Any]

#: The state of a thread in which nothing of asyncio runs.
CLEAR_STATE: ThreadState = (None, (None, None), None)


def save_thread_state() -> ThreadState:
    """Return what asyncio keeps of this thread; changes nothing."""
    loop = _get_running_loop()
    return loop, sys.get_asyncgen_hooks(), None if loop is None else _current_task(loop)


def restore_thread_state(state: ThreadState) -> None:
    """Make this thread's asyncio as it was when `state` was saved.

    The current task belongs to the thread in newer Pythons and to the loop in older ones; it is moved in all of them,
    so that two greenlets may run one loop.
    """
    loop, hooks, task = state
    present = _get_running_loop()
    if present is not None:
        present_task = _current_task(present)
        if present_task is not None:
            _leave_task(present, present_task)
    elif loop is None and hooks == sys.get_asyncgen_hooks():
        return
    _set_running_loop(loop)
    sys.set_asyncgen_hooks(*hooks)
    if task is not None:
        _enter_task(loop, task)


def around_switch() -> Callable[[], None]:
    """Leave this thread clear of asyncio, and return what to call when the present greenlet goes on."""
    loop = _get_running_loop()
    if loop is None and sys.get_asyncgen_hooks() == CLEAR_STATE[1]:
        return _nothing
    state = save_thread_state()
    restore_thread_state(CLEAR_STATE)
    return lambda: restore_thread_state(state)

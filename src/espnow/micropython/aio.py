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
- Boards take turns in one host thread: `espnow.micropython.aio_thread` keeps what CPython's asyncio has per thread with
  the program that it belongs to.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Coroutine
from types import ModuleType
from typing import Any, ClassVar, TypeVar

from espnow.board import Board
from espnow.micropython.aio_loop import BoardLoop, finish
from espnow.micropython.aio_streams import Server, Stream, Tcp
from espnow.micropython.select import POLLIN
from espnow.micropython.services import Services

__all__ = ["ThreadSafeFlag", "build", "discard"]

_T = TypeVar("_T")

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


class ThreadSafeFlag:
    """A flag that a callback outside asyncio may set; one that waits clears it.

    It can be polled, as MicroPython's can. Each board has a class of its own, derived from this one.
    """

    _loop: ClassVar[BoardLoop]

    def __init__(self) -> None:
        self.state = 0
        self._waiting: list[Future[None]] = []

    def set(self) -> None:
        """Set the flag, and wake who waits for it."""
        self.state = 1
        for future in self._waiting:
            self._loop.call_soon_threadsafe(finish, future)

    def clear(self) -> None:
        """Clear the flag."""
        self.state = 0

    async def wait(self) -> None:
        """Wait until the flag is set, and clear it."""
        while not self.state:
            future = self._loop.create_future()
            self._waiting.append(future)
            try:
                await future
            finally:
                self._waiting.remove(future)
        self.state = 0

    def poll_events(self, mask: int) -> int:
        """Return POLLIN if the flag is set and `mask` asks for it."""
        return mask & POLLIN if self.state else 0


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
        waiter = asyncio.current_task(loop)
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

    bound = {"__module__": "asyncio", "_loop": loop}
    flag = type("ThreadSafeFlag", (ThreadSafeFlag,), {**bound, "__doc__": ThreadSafeFlag.__doc__})
    stream = type("Stream", (Stream,), {**bound, "__doc__": Stream.__doc__})
    tcp = Tcp(board, services, loop, stream)
    module = ModuleType("asyncio", "asyncio of this board.")
    names = vars(module)
    for name in _HOST_NAMES:
        if hasattr(asyncio, name):  # a few are of later Pythons
            names[name] = getattr(asyncio, name)
    names.update(
        Loop=loop,
        Server=Server,
        Stream=stream,
        StreamReader=stream,
        StreamWriter=stream,
        ThreadSafeFlag=flag,
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

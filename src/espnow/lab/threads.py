"""Threads of one board: several greenlets that share its program, its radio and its callbacks.

Rules:

- A board has one thread of control until its program starts another; then `Threads` takes the place of its CPU. A wait
  is the wait of the thread that calls; what wakes the board wakes all of them, and each looks whether it is meant.
- Threads of a board run side by side, each at its own full speed, and change over where they wait or, as boards do,
  every few steps. Assumed; on an ESP32 they share one interpreter.
- In a light sleep the whole chip stands still: while one of them sleeps so, none goes on.
- They end with the board's program: killed, restarted, asleep or without power, none goes on. A program that has ended
  while a thread runs is not over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from greenlet import GreenletExit, getcurrent

from espnow.lab.hub import HubClock, HubTask

__all__ = ["THREADS", "Threads"]

#: So many threads beside the main one fit into a board's memory. Assumed: 5 KB of stack each.
THREADS = 32


class Threads:
    """The threads of control of one board (`espnow.link.Cpu`).

    Attributes:
        around_switch: as `HubTask.around_switch`, for threads that begin from now on; set by `share`.
    """

    def __init__(self, clock: HubClock, main: HubTask, leave: Callable[[GreenletExit], None]) -> None:
        """Begin with one.

        Args:
            clock: the lab's.
            main: the task of the board's program.
            leave: called in a thread that asked for a restart of the board by an exception that is a subclass of
                GreenletExit; the thread is over then.
        """
        self.around_switch = main.around_switch
        self._clock = clock
        self._main = main
        self._leave = leave
        self._others: dict[int, HubTask] = {}
        self._by_greenlet: dict[object, HubTask] = {main._greenlet: main}
        self._last_number = 1
        self._sleeper: HubTask | None = None

    @property
    def running(self) -> bool:
        """Whether any other than the main one has not ended."""
        return bool(self._others)

    @property
    def current(self) -> HubTask:
        """The thread that calls; the main one if it is none of the board's."""
        return self._by_greenlet.get(getcurrent(), self._main)

    def start(self, function: Callable[[], object]) -> int:
        """Run a function in a new thread, which begins as soon as the caller waits; return its number.

        Raises:
            OSError: there are `THREADS` already.
        """
        if len(self._others) >= THREADS:
            raise OSError("can't create thread")
        self._last_number += 1
        number = self._last_number

        def body() -> None:
            try:
                function()
            except GreenletExit as wish:
                if type(wish) is not GreenletExit and number in self._others:
                    self._end(number)
                    self._leave(wish)
                    return
                raise
            finally:
                self._end(number)

        task = self._clock.task(body)
        task.host_run = self._main.host_run
        task.around_switch = self.around_switch
        self._others[number] = task
        self._by_greenlet[task._greenlet] = task
        task.wake()
        return number

    def share(self, around_switch: Callable[[], Callable[[], None]]) -> None:
        """From now on keep what CPython has per thread apart from other threads' and other boards'."""
        self.around_switch = around_switch
        for task in self._by_greenlet.values():
            task.around_switch = around_switch

    def kill(self) -> None:
        """End all but the main one where they stand, in the order in which they began."""
        while self._others:
            task = self._others.pop(next(iter(self._others)))
            if task.is_current:  # it is what ends the board: its own way out leads over its `finally`
                task.end()
            else:
                task.kill()

    def _end(self, number: int) -> None:
        task = self._others.pop(number, None)
        if task is not None:
            del self._by_greenlet[task._greenlet]
            task.end()
            self._main.wake()  # a program that has ended waits for its threads

    # As a CPU.

    def pause(self, until_us: int | None) -> None:
        """Let time pass until `wake` or `until_us` (`espnow.link.Cpu`)."""
        task = self.current
        task.pause(until_us)
        self._stand_still(task)

    def wake(self) -> None:
        """End the pauses that the threads are in."""
        self._main.wake()
        for task in tuple(self._others.values()):
            task.wake()

    def spend(self, us: int) -> None:
        """Let the calling thread compute."""
        task = self.current
        task.spend(us)
        self._stand_still(task)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other thread go on until the caller is done."""
        self._sleeper = self.current
        try:
            yield
        finally:
            self._sleeper = None
            self.wake()

    def _stand_still(self, task: HubTask) -> None:
        while self._sleeper is not None and self._sleeper is not task:
            task.pause(None)

"""Running a plan: each point with each seed, on as many processes as there are, stoppable at any time.

A run is a function of its plan and seed, so neither the number of processes nor the order in which runs end changes
what comes of them.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from espnow.air.course import Course  # before a run begins: Ctrl-C while something is imported can be lost
from espnow.air.kernel import OFF
from espnow.air.scene import TrafficKind
from espnow.errors import UserError
from espnow.plan.layout import lay_out
from espnow.plan.parts import PlanPart
from espnow.plan.planfile import Plan, Point
from espnow.plan.results import observe

__all__ = ["Stopped", "Work", "execute", "run_once", "work_of"]

#: A run is stopped, and its progress seen, between so many pieces of it.
_PIECES = 400
_LOOK_S = 0.1

#: A saturated station sends about so often, for the estimate of how long a run takes.
_SATURATED_US = 5_000


@dataclass(frozen=True, slots=True)
class Work:
    """One run: a point and a seed."""

    point: Point
    seed: int

    @property
    def key(self) -> str:
        """The same for the same run, another for another."""
        return f"{self.point.key}-{self.seed}"

    @property
    def weight(self) -> float:
        """About how much there is to do, as a number of messages."""
        return _messages(self.point.part)


def work_of(plan: Plan, seeds: int | None = None) -> list[Work]:
    """Return all runs of a plan, point after point; `seeds` wins over the file's."""
    part = plan.part
    count = part.seeds if seeds is None else seeds
    return [Work(point, part.seed + number) for point in plan.points for number in range(count)]


def _messages(part: PlanPart) -> float:
    counts = {group.name: group.action.count for group in part.groups}
    stations = sum(counts.values())
    found = 0.0
    for traffic in part.traffic:
        saturated = traffic.action.kind is TrafficKind.SATURATED
        each = counts[traffic.sender] * part.duration_us / (_SATURATED_US if saturated else traffic.action.period_us)
        each *= traffic.burst.count if traffic.burst else 1
        # One more for an answer, and one of each station for a flood.
        found += each * (stations if traffic.flood else 2 if traffic.answer else 1)
    return found


class Stopped(Exception):
    """The run is to end."""


def run_once(work: Work, step: Callable[[float], None] = lambda _: None) -> dict[str, Any]:
    """Run a point with a seed, and return what came of it as JSON has it.

    Args:
        work: which.
        step: called now and then with how much was done since, 0 to 1.
    """
    part = work.point.part
    layout = lay_out(part, work.seed)
    course: Course = layout.scene.begin()
    kernel = course.kernel
    for station in layout.asleep:  # of what others send it hears the answers to its own messages, and no more
        kernel.set_receiver(station, OFF, True)
    # One group for how long messages took, and one for how long until what they caused was there.
    kernel.count_latencies(2 * len(part.traffic))
    for stream, number in enumerate(layout.traffic_of):
        kernel.set_group(stream, number)
        if part.traffic[number].answer is not None or part.traffic[number].flood is not None:
            kernel.set_trip_group(stream, len(part.traffic) + number)
    for piece in range(1, _PIECES + 1):
        course.run(part.duration_us * piece // _PIECES)
        step(1 / _PIECES)
    return {
        "run": work.key,
        "point": dict(work.point.values),
        "seed": work.seed,
        **observe(part, layout, kernel),
    }


def execute(
    work: Sequence[Work], workers: int, progress: Callable[[float], None] = lambda _: None
) -> Generator[dict[str, Any], None, None]:
    """Run all of it, and return what came of each as soon as it is there.

    Closing the iterator stops what runs.

    Args:
        work: what is to be run.
        workers: processes; with one, or one run, it is done in this process.
        progress: called often, with how much is done, 0 to 1.

    Raises:
        UserError: something is wrong with a plan, or a process was ended from outside.
    """
    whole = sum(each.weight for each in work) or 1.0
    if workers == 1 or len(work) < 2:
        done = 0.0
        for each in work:
            weight = each.weight / whole

            def step(share: float, weight: float = weight) -> None:
                nonlocal done
                done += share * weight
                progress(done)

            yield run_once(each, step)
        return
    # A process that is made anew has no threads and no state of this one, on every system alike.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    shared = context.Value("d", 0.0)
    pool = ProcessPoolExecutor(min(workers, len(work)), context, _begin_worker, (stop, shared, whole))
    try:
        waiting = iter(work)
        running: set[Future[dict[str, Any]]] = set()
        while True:
            # Few at once: an interrupt need not take back thousands, and each carries its plan.
            with _deaf_to_ctrl_c():
                running |= {pool.submit(_run_in_worker, each) for each in islice(waiting, 2 * workers - len(running))}
            if not running:
                return
            done_now, running = wait(running, _LOOK_S, FIRST_COMPLETED)
            progress(shared.value)
            for future in done_now:
                yield future.result()
    except BrokenProcessPool:
        raise UserError("a process was ended from outside, as where memory is short; try fewer --workers") from None
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Let processes that begin meanwhile not get Ctrl-C, even before they can say so; here it comes afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# In a process of the pool.

_stop: Any = None
_shared: Any = None
_whole = 1.0


def _begin_worker(stop: Any, shared: Any, whole: float) -> None:
    """Take what the processes share; Ctrl-C is the first process's."""
    global _stop, _shared, _whole
    _stop, _shared, _whole = stop, shared, whole
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the first process was ended from outside: nobody would ever ask for results, or say that it is over."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _run_in_worker(work: Work) -> dict[str, Any]:
    weight = work.weight / _whole

    def step(share: float) -> None:
        if _stop.is_set():
            raise Stopped
        with _shared.get_lock():
            _shared.value += share * weight

    return run_once(work, step)

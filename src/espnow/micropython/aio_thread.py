"""What CPython's asyncio keeps per thread, kept with the program that it belongs to.

Boards take turns in one host thread, each in greenlets of its own. Who gives control away calls `around_switch`, and
what that returned once control is back; `save_thread_state` and `restore_thread_state` are its two halves. Nothing here
knows a board.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["CLEAR_STATE", "ThreadState", "around_switch", "restore_thread_state", "save_thread_state"]

_get_running_loop = asyncio._get_running_loop
_set_running_loop = asyncio._set_running_loop
_current_task = asyncio.current_task
_get_hooks, _set_hooks = sys.get_asyncgen_hooks, sys.set_asyncgen_hooks
_NO_HOOKS = (None, None)

#: A running loop, the hooks of asynchronous generators, and the current task.
ThreadState = tuple[Any, Any, Any]

#: The state of a thread in which nothing of asyncio runs.
CLEAR_STATE: ThreadState = (None, _NO_HOOKS, None)


def save_thread_state() -> ThreadState:
    """Return what asyncio keeps of this thread; changes nothing."""
    loop = _get_running_loop()
    return loop, _get_hooks(), None if loop is None else _current_task(loop)


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
    elif loop is None and hooks == _get_hooks():
        return
    _set_running_loop(loop)
    _set_hooks(*hooks)
    if task is not None:
        _enter_task(loop, task)


def around_switch() -> Callable[[], None]:
    """Leave this thread clear of asyncio, and return what to call when the present greenlet goes on."""
    loop = _get_running_loop()
    hooks = _get_hooks()
    if loop is None:
        if hooks == _NO_HOOKS:
            return _nothing
        task = None
    else:
        task = _current_task(loop)
        if task is not None:
            _leave_task(loop, task)
        _set_running_loop(None)
    _set_hooks(None, None)
    return partial(restore_thread_state, (loop, hooks, task))


def _nothing() -> None:
    pass

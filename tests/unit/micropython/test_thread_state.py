"""Several programs with asyncio in one host thread, each in its greenlet."""

import asyncio as host
import sys

import greenlet
import pytest

from espnow.micropython.aio_thread import CLEAR_STATE, around_switch, restore_thread_state, save_thread_state

PROGRAM = """
import asyncio
loop = asyncio.get_event_loop()
async def numbers():
    n = 0
    while True:
        yield n
        n += 1
        await asyncio.sleep_ms(10)
async def one(name):
    me = asyncio.current_task()
    async for n in numbers():
        assert asyncio.current_task() is me
        assert asyncio.get_running_loop() is loop
        rig.log.append((rig.clock.now_us // 1000, rig.name, name, n))
        time.sleep_ms(1)  # switches in the middle of a step of the task
        assert asyncio.current_task() is me
        if n == 3:
            return
async def main():
    await asyncio.gather(one("x"), one("y"))
    asyncio.run(one("nested"))
import time
asyncio.run(main())
"""


class GreenletCpu:
    """A thread of control that gives way to a hub, as a lab's does."""

    def __init__(self, clock, hub, run):
        self.clock = clock
        self.hub = hub
        self.greenlet = greenlet.greenlet(run, parent=hub)
        self.waiting = True

    def pause(self, until_us):
        self.waiting = True
        if until_us is not None:
            self.clock.call_at(until_us, self.wake)
        back = around_switch()
        try:
            self.hub.switch()
        finally:
            back()

    def wake(self):
        if self.waiting:
            self.waiting = False
            self.clock.call_at(0, self.greenlet.switch)

    def spend(self, us):
        until_us = self.clock.now_us + us
        while self.clock.now_us < until_us:
            self.pause(until_us)


def run_boards(make_rig, names):
    log = []
    clock = None
    hub = greenlet.getcurrent()
    for name in names:
        rig = make_rig(clock=clock)
        clock = rig.clock
        rig.cpu = rig.board.cpu = GreenletCpu(clock, hub, lambda rig=rig: rig.run(PROGRAM))
        rig.name, rig.log = name, log
        rig.cpu.wake()
    while clock.step(None):
        assert save_thread_state() == CLEAR_STATE
    return log


def test_boards_interleave_without_disturbing_each_other(make_rig):
    alone = run_boards(make_rig, ["a"])
    assert len(alone) == 12
    log = run_boards(make_rig, ["a", "b", "c"])
    for name in "abc":
        assert [(ms, task, n) for ms, board, task, n in log if board == name] == [
            (ms, task, n) for ms, _, task, n in alone
        ]
    assert [board for _, board, _, _ in log[:3]] == ["a", "b", "c"]


def test_two_greenlets_may_run_one_loop(rig):
    clock, hub = rig.clock, greenlet.getcurrent()
    log = []
    module = rig.module("asyncio")

    async def one(name):
        for n in range(3):
            me = host.current_task()
            rig.board.sleep(1000)
            assert host.current_task() is me
            log.append((name, n))
            await host.sleep(0.001)

    class Either:
        """A board's cpu, whichever of its greenlets asks."""

        def __init__(self):
            self.cpus = [GreenletCpu(clock, hub, lambda name=name: module.run(one(name))) for name in "xy"]

        def _mine(self):
            return next(cpu for cpu in self.cpus if cpu.greenlet is greenlet.getcurrent())

        def pause(self, until_us):
            self._mine().pause(until_us)

        def spend(self, us):
            self._mine().spend(us)

        def wake(self):
            for cpu in self.cpus:
                cpu.wake()

    rig.cpu = rig.board.cpu = Either()
    rig.cpu.wake()
    while clock.step(None):
        assert save_thread_state() == CLEAR_STATE
    assert sorted(log) == [(name, n) for name in "xy" for n in range(3)]


def test_a_host_s_loop_is_put_aside_and_back():
    async def main():
        loop, task, hooks = host.get_running_loop(), host.current_task(), sys.get_asyncgen_hooks()
        state = save_thread_state()
        restore_thread_state(CLEAR_STATE)
        try:
            assert host._get_running_loop() is None
            assert sys.get_asyncgen_hooks() == (None, None)
            assert save_thread_state() == CLEAR_STATE
        finally:
            restore_thread_state(state)
        assert host.get_running_loop() is loop
        assert host.current_task() is task
        assert sys.get_asyncgen_hooks() == hooks
        await host.sleep(0)

    host.run(main())


def test_hooks_without_a_loop_are_kept_too():
    def hook(_):
        raise AssertionError

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=hook)
    try:
        back = around_switch()
        assert sys.get_asyncgen_hooks() == (None, None)
        back()
        assert sys.get_asyncgen_hooks() == (hook, None)
    finally:
        sys.set_asyncgen_hooks(*before)


def test_saving_changes_nothing():
    async def main():
        assert save_thread_state() == save_thread_state()
        restore_thread_state(save_thread_state())
        return host.current_task() is not None

    assert host.run(main())


@pytest.mark.parametrize("times", [1, 3])
def test_clear_state_may_be_restored_again(times):
    for _ in range(times):
        restore_thread_state(CLEAR_STATE)
    assert save_thread_state() == CLEAR_STATE

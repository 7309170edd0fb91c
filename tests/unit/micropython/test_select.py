"""Polling: objects instead of descriptors, one-shot, timeouts, what cannot be polled."""

import pytest

IN, OUT, ERR, HUP = 1, 4, 8, 16


class Pollable:
    def __init__(self, events=0):
        self.events = events
        self.asked = []

    def poll_events(self, mask):
        self.asked.append(mask)
        return self.events & (mask | ERR | HUP)


class Stream:
    def ioctl(self, request, argument):
        assert request == 3
        return argument & IN


@pytest.fixture
def select(rig):
    return rig.module("select")


def test_constants(select):
    assert (select.POLLIN, select.POLLOUT, select.POLLERR, select.POLLHUP) == (IN, OUT, ERR, HUP)


def test_poll_returns_objects_in_the_order_of_registration(select):
    poller = select.poll()
    first, second, idle = Pollable(IN), Pollable(IN | OUT), Pollable()
    for obj in (first, idle, second):
        poller.register(obj)
    assert poller.poll() == [(first, IN), (second, IN | OUT)]
    assert list(poller.ipoll()) == [(first, IN), (second, IN | OUT)]


def test_default_mask_is_in_and_out(select):
    poller = select.poll()
    obj = Pollable(IN)
    poller.register(obj)
    poller.poll(0)
    assert obj.asked == [IN | OUT]


def test_registering_again_replaces_the_mask(select):
    poller = select.poll()
    obj = Pollable(IN | OUT)
    poller.register(obj)
    poller.register(obj, OUT)
    assert poller.poll(0) == [(obj, OUT)]
    poller.modify(obj, IN)
    assert poller.poll(0) == [(obj, IN)]


def test_objects_are_told_apart_by_identity(select):
    class Equal(Pollable):
        __hash__ = None

        def __eq__(self, other):
            return True

    poller = select.poll()
    first, second = Equal(IN), Equal(OUT)
    poller.register(first)
    poller.register(second)
    assert [events for _, events in poller.poll(0)] == [IN, OUT]


def test_unregister(select):
    poller = select.poll()
    obj = Pollable(IN)
    poller.register(obj)
    poller.unregister(obj)
    poller.unregister(obj)
    assert poller.poll(0) == []
    with pytest.raises(OSError) as caught:
        poller.modify(obj, IN)
    assert caught.value.args == (2,)


def test_what_cannot_be_polled(select):
    with pytest.raises(OSError, match="stream operation not supported"):
        select.poll().register(object())
    with pytest.raises(OSError, match="stream operation not supported"):
        select.select([3], [], [])


@pytest.mark.parametrize("arguments", [(), ("x",), (1, 2, 3)])
def test_bad_arguments_are_type_errors(select, arguments):
    poller = select.poll()
    with pytest.raises(TypeError):
        poller.register(*(Pollable(), *arguments) if arguments else ())
    with pytest.raises(TypeError):
        poller.modify(Pollable())
    with pytest.raises(TypeError):
        poller.poll(1.5)


def test_timeout(rig, select):
    poller = select.poll()
    poller.register(Pollable())
    assert poller.poll(20) == []
    assert rig.clock.now_us == 20_005
    assert poller.poll(0) == []
    assert rig.clock.now_us == 20_010


@pytest.mark.parametrize("arguments", [(), (-1,), (None,), (1000,)])
def test_waits_until_woken(rig, select, arguments):
    poller = select.poll()
    obj = Pollable()
    poller.register(obj, IN)

    def arrive():
        obj.events = IN
        rig.cpu.wake()

    rig.at(7, arrive)
    assert poller.poll(*arguments) == [(obj, IN)]
    assert rig.clock.now_us == 7_000


def test_a_callback_may_register_while_it_waits(rig, select):
    poller = select.poll()
    poller.register(Pollable())
    obj = Pollable(IN)
    rig.at(3, lambda: rig.board.schedule(poller.register, obj))
    assert poller.poll() == [(obj, IN)]


def test_one_shot(select):
    poller = select.poll()
    obj = Pollable(IN)
    poller.register(obj, IN)
    assert list(poller.ipoll(0, 1)) == [(obj, IN)]
    assert list(poller.ipoll(0, 1)) == []
    poller.modify(obj, IN)
    assert list(poller.ipoll(0)) == [(obj, IN)]
    assert list(poller.ipoll(0)) == [(obj, IN)]


def test_objects_with_ioctl(select):
    poller = select.poll()
    obj = Stream()
    poller.register(obj)
    assert poller.poll() == [(obj, IN)]


def test_hang_up_is_reported_unasked(select):
    poller = select.poll()
    obj = Pollable(HUP)
    poller.register(obj, IN)
    assert poller.poll() == [(obj, HUP)]


def test_select(rig, select):
    both, failed, idle = Pollable(IN | OUT), Pollable(ERR), Pollable()
    assert select.select([both, idle], [both], [failed]) == ([both], [both], [failed])
    assert select.select([idle], [], [], 0.5) == ([], [], [])
    assert rig.clock.now_us == 500_010
    rig.at(600, lambda: (setattr(idle, "events", IN), rig.cpu.wake()))
    assert select.select([idle], [], [], -1) == ([idle], [], [])


def test_the_board_s_espnow_can_be_polled(rig, select):
    from espnow.api import build_module

    e = build_module("espnow", rig.board, rig.modules).ESPNow()
    poller = select.poll()
    poller.register(e)
    assert poller.poll(0) == []
    e.active(True)
    assert poller.poll(0) == [(e, OUT)]


def test_old_name_is_the_same_module(rig, select):
    assert rig.module("uselect") is select


def test_a_message_that_arrives_while_a_programs_own_stream_is_asked_is_not_missed():
    from espnow.testing import Bench

    bench = Bench()
    bench.start()
    bench.link.inject(b"x", after_ms=3)
    found = bench.run(
        """
import espnow, select, time
e = espnow.ESPNow()
class Slow:
    asked = 0
    def ioctl(self, request, mask):
        Slow.asked += 1
        time.sleep_ms(2)
        return 0
p = select.poll()
p.register(e, select.POLLIN)
p.register(Slow(), select.POLLIN)
ready = p.poll()
"""
    )
    assert found["ready"] == [(found["e"], 1)]
    assert found["Slow"].asked == 2

"""The receive ring: never more bytes than it holds, first in, first out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.node import ReceivedMessage, ReceiveRing


def message(length, number=0):
    return ReceivedMessage(b"\x02\0\0\0\0\x01", bytes((number & 255,)) * length, -50, number)


operations = st.lists(st.one_of(st.integers(0, 300), st.sampled_from(["pop", "clear"])), max_size=60)


@given(st.integers(0, 1_500), st.integers(0, 20), operations)
def test_the_ring_is_a_queue_with_a_budget(size, overhead, plan):
    ring = ReceiveRing(size, overhead)
    model = []
    for number, step in enumerate(plan):
        if step == "clear":
            ring.clear()
            model.clear()
        elif step == "pop":
            if model:
                assert ring.messages.popleft() is model.pop(0)
            else:
                with pytest.raises(IndexError):
                    ring.messages.popleft()
        else:
            record = message(step, number)
            before = sum(overhead + len(one.message) for one in model)
            fits = before + overhead + step <= size
            assert ring.put(record) is fits
            if fits:
                model.append(record)
        assert list(ring.messages) == model
        assert len(ring) == len(model)
        assert ring.used == sum(overhead + len(one.message) for one in model) <= size


@pytest.mark.parametrize(("size", "overhead", "length"), [(526, 13, 250), (2968, 14, 1470), (516, 8, 250)])
def test_the_default_rings_hold_two_messages_of_full_size(size, overhead, length):
    ring = ReceiveRing(size, overhead)
    assert ring.put(message(length))
    assert ring.put(message(length))
    assert not ring.put(message(0))
    ring.messages.popleft()
    assert not ring.put(message(length + 1))
    assert ring.put(message(length))

"""The kernel's memory: large pages or not, what is in it stays."""

import mmap

import pytest

from espnow.air import memory
from espnow.air.kernel import Kernel

LARGE = 3 * memory.LARGE_PAGE + 100
TIMING = (20, 10, 50, 364, 222, 5, 31, 1023, 192)


def kernel_of(stations, pairs, streams=1):
    return Kernel(stations, pairs, streams, 1, TIMING, 1e-10, 1e-9, 1.0, 0.0)


@pytest.mark.parametrize("size", [0, 1, memory.LARGE_PAGE - 1, memory.LARGE_PAGE, LARGE])
def test_memory_is_zero_and_can_be_written(size):
    found = memory.zeros(size)
    assert len(found) == size
    assert not any(found[:100]) and not any(found[-100:])
    found[-1:] = b"\x07"[:size]
    assert bytes(found[-1:]) == b"\x07"[:size]


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="this computer gives no large pages on request")
def test_much_memory_is_asked_for_in_large_pages_and_little_is_not(monkeypatch):
    asked = []

    class Mapping(mmap.mmap):
        def madvise(self, option):
            asked.append((option, len(self)))

    monkeypatch.setattr(mmap, "mmap", Mapping)
    memory.zeros(memory.LARGE_PAGE - 1)
    assert asked == []
    memory.zeros(LARGE)
    assert asked == [(mmap.MADV_HUGEPAGE, LARGE)]


def test_a_linux_without_large_pages_is_borne(monkeypatch):
    monkeypatch.setattr(mmap, "MADV_HUGEPAGE", -1, raising=False)  # which madvise refuses
    assert len(memory.zeros(LARGE)) == LARGE


def test_a_system_without_them_is_borne(monkeypatch):
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    assert isinstance(memory.zeros(LARGE), bytearray)


@pytest.mark.parametrize("pairs", [3, 200_000])
def test_a_larger_kernel_takes_over_all_that_was_there(pairs):
    small = kernel_of(2, pairs)
    small.set_station(0, 1, 100.0, 7)
    small.set_row(0, [1], [1e-8], [1], pairs - 1)
    large = kernel_of(5, 2 * pairs)
    large.take_over(small)
    assert large.row(0) == (pairs - 1, [1])
    assert large.listens(0) == (1, 0)


def test_there_is_room_for_any_number_of_events():
    kernel = kernel_of(1, 1)
    kernel.set_station(0, 1, 100.0, 7)
    kernel.set_rate(0, 0, 304, 192, 1e-6, 100.0, 1e-9, 0, [0.0] * 480)
    kernel.set_stream(0, 0, 3, 0.0, 0.0, -1, 0, 500)  # a script's, which come once each
    for number in reversed(range(20_000)):
        kernel.start_stream(0, 10 + number)
    kernel.run(1_000_000)
    made, dropped, *_ = kernel.totals(0)
    assert made == 20_000
    assert 0 < dropped < made

"""Memory for what a field of many stations needs: in large pages where Linux gives them on request.

A frame touches some hundred places that lie far apart, and with pages of 4 KiB nearly each of them is looked up first,
which costs more than the place itself, in a virtual machine above all.
"""

from __future__ import annotations

import contextlib
import mmap

__all__ = ["zeros"]

#: A large page of x86-64, and of AArch64 with small ones of 4 KiB; less than that is not worth one.
LARGE_PAGE = 1 << 21


def zeros(size: int) -> bytearray | mmap.mmap:
    """Return so many bytes, all zero."""
    if size < LARGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return bytearray(size)
    found = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without them
        found.madvise(mmap.MADV_HUGEPAGE)
    return found

"""A second Ctrl-C that ends the process even inside a call of C, which never gives Python a chance to run a handler.

Python notes a signal and runs its handler between two steps of its own; ``sum(range(10**12))`` has none. So the kernel
is asked to forget Python's handler once it was called: the next signal then has its default effect. Linux only;
anywhere else nothing changes.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["forget_after_first"]

_SA_RESETHAND = 0x80000000
_MASK_BYTES = 128


class _SigAction(ctypes.Structure):
    """C's ``struct sigaction``, as glibc and musl have it."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ubyte * _MASK_BYTES),
        ("flags", ctypes.c_uint),
        ("restorer", ctypes.c_void_p),
    ]


def forget_after_first(number: int) -> bool:
    """Let a signal have its default effect after its handler was called once; False where that cannot be done."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    action = _SigAction()
    if libc.sigaction(number, None, ctypes.byref(action)):
        return False
    action.flags |= _SA_RESETHAND
    return not libc.sigaction(number, ctypes.byref(action), None)

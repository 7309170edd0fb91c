"""The memory of a board as `uctypes` sees it: numbers that stand for the buffers of its program.

A buffer gets an address when the program first asks for one, and keeps it while it is among the last `_KEPT` that were
used. What is at an address is seen through a `View`, a part of the buffer itself: what one writes, the other reads. A
buffer that cannot be written is seen as a copy.

Assumed: addresses begin in the data RAM of an ESP32, and an address that is no buffer's, such as a register's, reads as
zeros and keeps what is written.
"""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from espnow.api.base import buffer_bytes

__all__ = ["Bytes", "Memory", "View"]

_FIRST = 0x3FFB_0000
_ALIGNMENT = 16
_KEPT = 256

if TYPE_CHECKING:

    class _Array(ctypes.Array[ctypes.c_ubyte]):
        _length_ = 0
        _type_ = ctypes.c_ubyte

else:  # the array type of the right length is mixed in when a view is made
    _Array = object


class View(_Array):
    """Bytes of a buffer that lie at an address. ctypes gives it the buffer protocol."""

    _address: int
    _memory: Memory

    def _sub(self, kind: type[V], offset: int, size: int) -> V:
        """Return a part of it as a view of another kind."""
        view = _made(kind, self, offset, size)
        object.__setattr__(view, "_address", self._address + offset)
        object.__setattr__(view, "_memory", self._memory)
        return view


V = TypeVar("V", bound=View)


class Bytes(View):
    """A bytearray that lies in another buffer; its length is fixed."""

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, index: Any) -> Any:
        return bytearray(self)[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            value = buffer_bytes(value)
        super().__setitem__(index, value)

    def __eq__(self, other: object) -> bool:
        return bytearray(self) == (bytearray(other) if isinstance(other, Bytes) else other)

    def __add__(self, other: Any) -> bytearray:
        return bytearray(self) + buffer_bytes(other)

    def __contains__(self, item: Any) -> bool:
        return item in bytearray(self)

    def __repr__(self) -> str:
        return repr(bytearray(self))

    def __getattr__(self, name: str) -> Any:
        return getattr(bytearray(self), name)


@lru_cache(maxsize=256)
def _kind(kind: type[V], size: int) -> Any:
    return type(kind.__name__, (kind, ctypes.c_ubyte * size), {"__module__": "uctypes"})


def _made(kind: type[V], buffer: Any, offset: int, size: int) -> V:
    """Return a view of so many bytes, or of as many as there are."""
    left = memoryview(buffer).nbytes - offset
    if left < 0:
        raise ValueError(f"uctypes: {-left} bytes beyond the end of the buffer")
    return _kind(kind, min(size, left)).from_buffer(buffer, offset)  # type: ignore[no-any-return]


class _Region:
    """A buffer and its address."""

    __slots__ = ("address", "bytes", "owner")

    def __init__(self, address: int, owner: Any, content: Any) -> None:
        self.address = address
        self.owner = owner
        self.bytes = content


class Memory:
    """The buffers of one board that have an address."""

    def __init__(self) -> None:
        self._regions: OrderedDict[int, _Region] = OrderedDict()
        self._next = _FIRST

    def address_of(self, buffer: Any) -> int:
        """Return the address of a buffer or str.

        Raises:
            TypeError: it is neither.
        """
        if isinstance(buffer, View):
            return buffer._address
        if not isinstance(buffer, memoryview):
            return self._region_of(buffer).address
        whole = buffer.obj
        region = self._region_of(whole)
        if buffer.readonly or memoryview(region.bytes).nbytes == 0:
            return region.address
        start = ctypes.addressof(ctypes.c_ubyte.from_buffer(region.bytes))
        return region.address + ctypes.addressof(ctypes.c_ubyte.from_buffer(buffer)) - start

    def _region_of(self, buffer: Any) -> _Region:
        region = self._regions.get(id(buffer))
        if region is None:
            writable = not isinstance(buffer, str) and not memoryview(buffer).readonly
            region = self._add(self._next, buffer, buffer if writable else bytearray(buffer_bytes(buffer)))
            self._next += -(-(memoryview(region.bytes).nbytes + 1) // _ALIGNMENT) * _ALIGNMENT
        self._regions.move_to_end(id(buffer))
        return region

    def _add(self, address: int, owner: Any, content: Any) -> _Region:
        region = self._regions[id(owner)] = _Region(address, owner, content)
        if len(self._regions) > _KEPT:
            self._regions.popitem(last=False)
        return region

    def view(self, kind: type[V], address: int, size: int) -> V:
        """Return what is at an address.

        Args:
            kind: the kind of view.
            address: the address.
            size: how many bytes; it gets fewer where the buffer ends.
        """
        for region in reversed(self._regions.values()):
            if region.address <= address < region.address + max(1, memoryview(region.bytes).nbytes):
                break
        else:
            content = bytearray(size)
            region = self._add(address, content, content)
        view = _made(kind, region.bytes, address - region.address, size)
        object.__setattr__(view, "_address", address)
        object.__setattr__(view, "_memory", self)
        return view

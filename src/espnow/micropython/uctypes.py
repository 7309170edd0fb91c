"""`uctypes` of a board, as https://docs.micropython.org/en/latest/library/uctypes.html describes it.

Descriptors, sizes and errors are those of ``extmod/moductypes.c``; ``NATIVE`` is a 32-bit little-endian chip. What an
address is, `espnow.micropython.memory` says. A structure can be used as a buffer. An access that reaches beyond the end
of the buffer, which on a board finds whatever lies there, is a ValueError. An array of bytes inside a structure behaves
as a bytearray but is no instance of that class.
"""

from __future__ import annotations

import struct as host
from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.micropython.memory import Bytes, Memory, View
from espnow.micropython.services import Services
from espnow.micropython.struct import shortest, to_int

__all__ = ["build"]

LITTLE_ENDIAN = 0
BIG_ENDIAN = 1
NATIVE = 2

# A descriptor's numbers have 31 bits: the upper ones are the type (4 bits of a scalar, 2 of an aggregate), the lower
# ones an offset or a count. They are signed, so that the upper half of the types is negative.
_SCALAR_BITS = 4
_AGGREGATE_BITS = 2
_BF_POS = 17
_BF_LEN = 22
_BF_MASK = 31

_STRUCT, _PTR, _ARRAY = range(3)
_UINT8 = 0
_UINT32 = 4
_FIRST_BITFIELD, _LAST_BITFIELD = 8, 13
_FLOAT32, _FLOAT64 = 14, 15
_POINTER_SIZE = 4

_CODES = {**dict(enumerate("BbHhIiQq")), _FLOAT32: "f", _FLOAT64: "d"}
_FORMS = {
    (layout, kind): host.Struct((">" if layout == BIG_ENDIAN else "<") + code)
    for layout in (LITTLE_ENDIAN, BIG_ENDIAN, NATIVE)
    for kind, code in _CODES.items()
}


def _encoded(kind: int, bits: int) -> int:
    upper = kind << (31 - bits)
    return upper - (1 << 31) if upper >> 30 else upper


def _decoded(number: Any, bits: int) -> tuple[int, int]:
    """Return the type and the rest of a number of a descriptor."""
    value = to_int(number)
    return (value >> (31 - bits)) & ((1 << bits) - 1), value & ((1 << (31 - bits)) - 1)


def _scalar_size(kind: int) -> int:
    return 4 if kind == _FLOAT32 else 1 << ((kind & 7) >> 1)


def _syntax_error() -> TypeError:
    return TypeError("syntax error in uctypes descriptor")


def _measure(desc: Any, layout: int) -> tuple[int, int]:
    """Return the size of what a descriptor describes, and that of its largest scalar."""
    if isinstance(desc, tuple):
        return _measure_aggregate(desc, layout)
    if isinstance(desc, int):
        raise TypeError("can't unambiguously get sizeof scalar")
    if not isinstance(desc, dict):
        raise _syntax_error()
    size = largest = 0
    for field in desc.values():
        if isinstance(field, int):
            kind, offset = _decoded(field, _SCALAR_BITS)
            if _FIRST_BITFIELD <= kind <= _LAST_BITFIELD:
                offset &= (1 << _BF_POS) - 1
            own = widest = _scalar_size(kind)
        elif isinstance(field, tuple):
            offset = _decoded(field[0], _AGGREGATE_BITS)[1]
            own, widest = _measure_aggregate(field, layout)
        else:
            raise _syntax_error()
        size = max(size, offset + own)
        largest = max(largest, widest)
    if layout == NATIVE and largest:
        size += -size % largest
    return size, largest


def _measure_aggregate(field: tuple[Any, ...], layout: int) -> tuple[int, int]:
    kind, _ = _decoded(field[0], _AGGREGATE_BITS)
    if kind == _PTR:
        return _POINTER_SIZE, _POINTER_SIZE
    if kind == _STRUCT:
        return _measure(field[1], layout)
    scalar, count = _decoded(field[1], _SCALAR_BITS)
    one, largest = _measure(field[2], layout) if len(field) > 2 else (_scalar_size(scalar), _scalar_size(scalar))
    return one * count, largest


class Structure(View):
    """A structure, array or pointer at an address."""

    _desc: Any
    _layout: int

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        field = self._field(name)
        if isinstance(field, int):
            kind, offset = _decoded(field, _SCALAR_BITS)
            if _FIRST_BITFIELD <= kind <= _LAST_BITFIELD:
                kind, at, position, mask = _bitfield(kind, offset)
                return (self._get(kind, at) >> position) & mask
            return self._get(kind, offset)
        kind, offset = _decoded(field[0], _AGGREGATE_BITS)
        size = _measure_aggregate(field, self._layout)[0]
        if kind == _ARRAY and len(field) == 2 and _decoded(field[1], _SCALAR_BITS)[0] == _UINT8:
            return self._sub(Bytes, offset, size)
        return self._part(field[1] if kind == _STRUCT else field, offset, size)

    def __setattr__(self, name: str, value: Any) -> None:
        field = self._field(name)
        if isinstance(field, int):
            kind, offset = _decoded(field, _SCALAR_BITS)
            if _FIRST_BITFIELD <= kind <= _LAST_BITFIELD:
                kind, at, position, mask = _bitfield(kind, offset)
                others = self._get(kind, at) & ~(mask << position)
                self._set(kind, at, others | (to_int(value) & mask) << position)
            else:
                self._set(kind, offset, value)
            return
        kind, offset = _decoded(field[0], _AGGREGATE_BITS)
        if kind != _PTR:
            raise TypeError("an aggregate field cannot be assigned to")
        self._set(_UINT32, offset, value)

    def __getitem__(self, index: Any) -> Any:
        kind, element = self._element()
        number = to_int(index)
        if kind == _PTR:
            target = self._get(_UINT32, 0)
            if isinstance(element, int):
                scalar = _decoded(element, _SCALAR_BITS)[0]
                one = _scalar_size(scalar)
                return made(self._memory, target + one * number, {}, self._layout, one)._get(scalar, 0)
            size = _measure(element, self._layout)[0]
            return made(self._memory, target + size * number, element, self._layout, size)
        scalar, count = _decoded(self._desc[1], _SCALAR_BITS)
        if not 0 <= number < count:
            raise IndexError("struct: index out of range")
        if element is None:
            return self._get(scalar, _scalar_size(scalar) * number)
        size = _measure(element, self._layout)[0]
        return self._part(element, size * number, size)

    def __setitem__(self, index: Any, value: Any) -> None:
        kind, element = self._element()
        if kind != _ARRAY or element is not None:
            raise TypeError("'struct' object doesn't support item assignment")
        scalar, count = _decoded(self._desc[1], _SCALAR_BITS)
        number = to_int(index)
        if not 0 <= number < count:
            raise IndexError("struct: index out of range")
        self._set(scalar, _scalar_size(scalar) * number, value)

    def __int__(self) -> int:
        if self._element()[0] != _PTR:
            raise TypeError("can't convert struct to int")
        return int(self._get(_UINT32, 0))

    def __repr__(self) -> str:
        kind = "STRUCT"
        if isinstance(self._desc, tuple):
            kind = ("STRUCT", "PTR", "ARRAY")[self._element()[0]]
        return f"<struct {kind} {self._address:x}>"

    def _field(self, name: str) -> Any:
        if not isinstance(self._desc, dict):
            raise TypeError("struct: no fields")
        field = self._desc[name]
        if not isinstance(field, int | tuple):
            raise _syntax_error()
        return field

    def _element(self) -> tuple[int, Any]:
        """Return whether this is an array or a pointer, and of what; an array of scalars has None."""
        if not isinstance(self._desc, tuple):
            raise TypeError("struct: can't index")
        kind = _decoded(self._desc[0], _AGGREGATE_BITS)[0]
        if kind == _PTR:
            return kind, self._desc[1]
        return kind, self._desc[2] if len(self._desc) > 2 else None

    def _part(self, desc: Any, offset: int, size: int) -> Structure:
        return _described(self._sub(Structure, offset, size), desc, self._layout)

    def _get(self, kind: int, offset: int) -> Any:
        form = _FORMS[self._layout, kind]
        self._check(form, offset)
        value = form.unpack_from(self, offset)[0]
        return shortest(value) if kind == _FLOAT32 else value

    def _set(self, kind: int, offset: int, value: Any) -> None:
        form = _FORMS[self._layout, kind]
        self._check(form, offset)
        if kind < _FIRST_BITFIELD:
            bits = 8 * form.size
            value = to_int(value) & ((1 << bits) - 1)
            if kind & 1 and value >> (bits - 1):
                value -= 1 << bits
        form.pack_into(self, offset, value)

    def _check(self, form: host.Struct, offset: int) -> None:
        length = memoryview(self).nbytes
        if offset + form.size > length:
            raise ValueError(f"uctypes: bytes {offset} to {offset + form.size - 1} of a buffer that has {length} there")


def _bitfield(kind: int, offset: int) -> tuple[int, int, int, int]:
    """Return the unsigned scalar that holds a bitfield, its offset, the field's position and its mask."""
    length = (offset >> _BF_LEN) & _BF_MASK
    return kind & 6, offset & ((1 << _BF_POS) - 1), (offset >> _BF_POS) & _BF_MASK, (1 << length) - 1


def _described(view: Structure, desc: Any, layout: int) -> Structure:
    object.__setattr__(view, "_desc", desc)
    object.__setattr__(view, "_layout", layout)
    return view


def made(memory: Memory, address: int, desc: Any, layout: int, size: int) -> Structure:
    """Return a structure at an address."""
    return _described(memory.view(Structure, address, size), desc, layout)


def sizeof(struct: Any, layout_type: int = NATIVE, /) -> int:
    """Return how many bytes a structure or descriptor has.

    Raises:
        TypeError: it is neither, or a scalar.
    """
    if isinstance(struct, bytearray | Bytes):
        return len(struct)
    if isinstance(struct, Structure):
        return _measure(struct._desc, struct._layout)[0]
    return _measure(struct, layout_type)[0]


_SCALARS = {
    "VOID": 0, "UINT8": 0, "INT8": 1, "UINT16": 2, "INT16": 3, "UINT32": 4, "INT32": 5, "UINT64": 6, "INT64": 7,
    "BFUINT8": 8, "BFINT8": 9, "BFUINT16": 10, "BFINT16": 11, "BFUINT32": 12, "BFINT32": 13,
    "FLOAT32": 14, "FLOAT64": 15, "USHORT": 2, "SHORT": 3, "UINT": 4, "INT": 5, "ULONG": 4, "LONG": 5,
    "ULONGLONG": 6, "LONGLONG": 7,
}  # fmt: skip

_NAMES: dict[str, Any] = {
    **{name: _encoded(kind, _SCALAR_BITS) for name, kind in _SCALARS.items()},
    "ARRAY": _encoded(_ARRAY, _AGGREGATE_BITS),
    "BF_LEN": _BF_LEN,
    "BF_POS": _BF_POS,
    "BIG_ENDIAN": BIG_ENDIAN,
    "LITTLE_ENDIAN": LITTLE_ENDIAN,
    "NATIVE": NATIVE,
    "PTR": _encoded(_PTR, _AGGREGATE_BITS),
    "sizeof": sizeof,
}


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `uctypes` of a board."""
    memory = Memory()

    def struct(addr: int, descriptor: Any, layout_type: int = NATIVE, /) -> Structure:
        """Return the structure that a descriptor describes, at an address."""
        layout = to_int(layout_type)
        return made(memory, to_int(addr), descriptor, layout, _measure(descriptor, layout)[0])

    def addressof(obj: Any, /) -> int:
        """Return the address of a buffer."""
        return memory.address_of(obj)

    def bytes_at(addr: int, size: int, /) -> bytes:
        """Return a copy of the bytes at an address."""
        return bytes(memory.view(Bytes, to_int(addr), to_int(size)))

    def bytearray_at(addr: int, size: int, /) -> Bytes:
        """Return the bytes at an address themselves."""
        return memory.view(Bytes, to_int(addr), to_int(size))

    module = ModuleType("uctypes", "Structures in the memory of this board.")
    names = vars(module)
    names.update(_NAMES)
    names.update(addressof=addressof, bytearray_at=bytearray_at, bytes_at=bytes_at, struct=struct)
    return module

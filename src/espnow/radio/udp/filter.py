"""What Linux need not even give a ``udp:`` radio, so that nobody is woken for it (socket(7), classic BPF).

That is what the radio sent itself, and, where a radio need not know who else is on the air, unicast frames for others.
What is none of ours is given to the radio, which counts it. The filter sees the UDP header first, of 8 bytes.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from collections.abc import Iterable

from espnow.radio.udp.datagram import HEADER_LENGTH, LEAST_FRAME, MAGIC

__all__ = ["attach"]

_SO_ATTACH_FILTER = 26

# Operations of classic BPF: load a word, a half, a byte, the length; jump if equal, not less, a bit set; return.
_WORD, _HALF, _BYTE, _LENGTH, _EQUAL, _NOT_LESS, _BIT, _RETURN = 0x20, 0x28, 0x30, 0x80, 0x15, 0x35, 0x45, 0x06

#: Where in what the filter sees stand magic number, kind, sender and addr1 of the MPDU.
_AT = 8
_KIND_AT = _AT + 5
_SENDER_AT = _AT + 12
_MPDU_AT = _AT + HEADER_LENGTH
_ADDR1_AT = _MPDU_AT + 4

_GIVE, _DROP = "give", "drop"
_RESULTS = ((_RETURN, 0, 0, 0xFFFFFFFF), (_RETURN, 0, 0, 0))


def attach(heard: socket.socket, sender: int, addresses: Iterable[bytes] | None) -> bool:
    """Let a socket not get what `sender` sent, nor unicast frames for others than `addresses`; nothing but on Linux.

    Args:
        heard: the socket; a filter that it has is replaced.
        sender: the radio's own number.
        addresses: the radio's own; None if it wants to hear unicast frames for all.

    Returns:
        Whether it does now what it says here.
    """
    if sys.platform != "linux":
        return False
    steps = _assemble(_program(sender, addresses))
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    held = ctypes.create_string_buffer(code, len(code))
    try:
        heard.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(steps), ctypes.addressof(held)))
    except OSError:  # a kernel without it: the radio finds out itself
        return False
    return True


def _program(sender: int, addresses: Iterable[bytes] | None) -> list[tuple[int, int | str, int | str, int]]:
    """Return the steps: operation, where to go if it is true and if not (steps to skip, or a result), operand."""
    first, second = struct.unpack(">II", sender.to_bytes(8, "little"))
    program: list[tuple[int, int | str, int | str, int]] = [
        (_LENGTH, 0, 0, 0),
        (_NOT_LESS, 0, _GIVE, _MPDU_AT + LEAST_FRAME),
        (_WORD, 0, 0, _AT),
        (_EQUAL, 0, _GIVE, int.from_bytes(MAGIC[:4])),
        (_WORD, 0, 0, _SENDER_AT),
        (_EQUAL, 0, 2, first),
        (_WORD, 0, 0, _SENDER_AT + 4),
        (_EQUAL, _DROP, 0, second),
    ]
    if addresses is None:
        return [*program, (_EQUAL, _GIVE, _GIVE, 0)]
    program += [(_BYTE, 0, 0, _KIND_AT), (_EQUAL, 0, _GIVE, 1), (_BYTE, 0, 0, _ADDR1_AT), (_BIT, _GIVE, 0, 1)]
    for address in addresses:
        program += [
            (_WORD, 0, 0, _ADDR1_AT),
            (_EQUAL, 0, 2, int.from_bytes(address[:4])),
            (_HALF, 0, 0, _ADDR1_AT + 4),
            (_EQUAL, _GIVE, 0, int.from_bytes(address[4:])),
        ]
    return [*program, (_EQUAL, _DROP, _DROP, 0)]


def _assemble(program: list[tuple[int, int | str, int | str, int]]) -> list[tuple[int, int, int, int]]:
    """Return the program as the kernel takes it: results stand at its end, and jumps are steps forward."""
    results = {_GIVE: len(program), _DROP: len(program) + 1}
    steps: list[tuple[int, int, int, int]] = []
    for at, (operation, true, false, operand) in enumerate(program):
        jumps = [results[to] - at - 1 if isinstance(to, str) else to for to in (true, false)]
        steps.append((operation, jumps[0], jumps[1], operand))
    return [*steps, *_RESULTS]

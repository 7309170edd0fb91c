"""What the kernel hands to a monitor radio: a program of the classic BPF that it runs on each frame.

Rules:

- A filter lets through what its `Wanted` says and nothing else, whatever the bytes: a frame too short for what is
  looked at is dropped, as BPF has it.
- It looks at radiotap's length and at one bit of its fields, and at the frame behind it; of reports about frames sent
  only as much passes as tells which frame it was.
- Building one needs no kernel; `attach` does.

Follows Linux's ``Documentation/networking/filter.rst``, IEEE 802.11-2020, clause 9, and for ESP-NOW frames ESP-IDF's
esp_now docs, "Frame Format".
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from espnow.frame import kinds

__all__ = ["REPORT_BYTES", "Instruction", "Wanted", "attach", "build_filter", "encode"]

#: Of the frame in a report this much passes: header, category, OUI, and random value or CCMP header.
REPORT_BYTES = 32

#: Longest that passes; no frame of 802.11n is longer, with its radiotap.
_ALL = 4096

_ATTACH_FILTER = 26

# Codes of instructions.
_LOAD_BYTE = 0x30  # A = byte at k
_LOAD_X_BYTE = 0x50  # A = byte at X + k
_LOAD_X_HALF = 0x48
_LOAD_X_WORD = 0x40
_JUMP_EQUAL = 0x15
_JUMP_SET = 0x45
_SHIFT_LEFT = 0x64
_OR_X = 0x4C
_TO_X = 0x07
_FROM_X = 0x87
_ADD = 0x04
_RETURN = 0x06
_RETURN_A = 0x16

_ACTION = 0xD0
_ACK = 0xD4
# Bits of the second byte of frame control that ESP-NOW's frames do not have: to or from DS, more fragments, +HTC.
_NEVER_SET = 0x87
_PROTECTED = 0x40
# Bits of the first byte that management frames do not have: version and type.
_NO_MANAGEMENT = 0x0F
_CATEGORY_OUI = 0x7F18FE34

# What comes to a station that looks for networks, beside their beacons.
_ANSWERS = (
    kinds.PROBE_RESPONSE,
    kinds.AUTHENTICATION,
    kinds.ASSOCIATION_RESPONSE,
    kinds.REASSOCIATION_RESPONSE,
    kinds.DEAUTHENTICATION,
    kinds.DISASSOCIATION,
)

_INSTRUCTION = Struct("=HBBI")
_PROGRAM = Struct("@HP")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which frames pass.

    Attributes:
        addresses: whose frames: ESP-NOW's to these and to groups, Wi-Fi's answers to these, reports about frames
            from these; none for nothing but `others`.
        receiving: frames that are heard; without it nothing but reports.
        reports: reports about frames that were sent.
        others: also management frames for others, and all acknowledgements: a sender's beacons tell that numbers
            which are missing among its ESP-NOW frames were not lost.
        acknowledgements: also those to the addresses.
        beacons: also beacons.
    """

    addresses: tuple[bytes, ...] = ()
    receiving: bool = True
    reports: bool = True
    others: bool = False
    acknowledgements: bool = False
    beacons: bool = False


class Instruction(NamedTuple):
    """One step of a filter (``struct sock_filter``)."""

    code: int
    when_true: int
    when_false: int
    k: int


# While it is being built: code, k, and where to go on when true and when false, by label; empty for the next step.
_Step = tuple[int, int, str, str]


class _Assembler:
    """Collects steps and labels."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._labels: dict[str, int] = {}

    def label(self, name: str) -> None:
        self._labels[name] = len(self._steps)

    def do(self, code: int, k: int = 0) -> None:
        self._steps.append((code, k, "", ""))

    def jump(self, code: int, k: int, when_true: str = "", when_false: str = "") -> None:
        self._steps.append((code, k, when_true, when_false))

    def match_address(self, at: int, addresses: tuple[bytes, ...], label: str, found: str, missed: str) -> None:
        """Compare six bytes behind radiotap with addresses; `label` names these steps."""
        for number, address in enumerate(addresses):
            following = f"{label}{number}" if number + 1 < len(addresses) else missed
            self.do(_LOAD_X_WORD, at)
            self.jump(_JUMP_EQUAL, int.from_bytes(address[:4], "big"), "", following)
            self.do(_LOAD_X_HALF, at + 4)
            self.jump(_JUMP_EQUAL, int.from_bytes(address[4:], "big"), found, following)
            self.label(f"{label}{number}")
        if not addresses:
            self.jump(_JUMP_EQUAL, 0, missed, missed)

    def assemble(self) -> list[Instruction]:
        program = []
        for at, (code, k, when_true, when_false) in enumerate(self._steps):
            if (code & 7) != 5:  # no jump
                program.append(Instruction(code, 0, 0, k))
                continue
            to_true = self._labels[when_true] - at - 1 if when_true else 0
            to_false = self._labels[when_false] - at - 1 if when_false else 0
            program.append(Instruction(code, to_true, to_false, k))
        return program


def build_filter(wanted: Wanted) -> list[Instruction]:
    """Return the filter that lets pass what is wanted."""
    code = _Assembler()
    # X is the length of radiotap, which is little endian.
    code.do(_LOAD_BYTE, 3)
    code.do(_SHIFT_LEFT, 8)
    code.do(_TO_X)
    code.do(_LOAD_BYTE, 2)
    code.do(_OR_X)
    code.do(_TO_X)
    # Reports have the field TX flags, bit 15 of the present word, and received frames do not.
    code.do(_LOAD_BYTE, 5)
    code.jump(_JUMP_SET, 0x80, "report" if wanted.reports else "drop", "" if wanted.receiving else "drop")
    if wanted.receiving:
        _receive(code, wanted)
    code.label("report")
    code.match_address(10, wanted.addresses, "from", "tell", "drop")
    code.label("tell")
    code.do(_FROM_X)
    code.do(_ADD, REPORT_BYTES)
    code.do(_RETURN_A)
    code.label("take")
    code.do(_RETURN, _ALL)
    code.label("drop")
    code.do(_RETURN, 0)
    return code.assemble()


def _receive(code: _Assembler, wanted: Wanted) -> None:
    code.do(_LOAD_X_BYTE, 0)
    if wanted.others:
        code.jump(_JUMP_SET, _NO_MANAGEMENT, "", "take")
        code.jump(_JUMP_EQUAL, _ACK, "take", "drop")
        return
    code.jump(_JUMP_EQUAL, _ACTION, "action")
    if wanted.acknowledgements:
        code.jump(_JUMP_EQUAL, _ACK, "own")
    if wanted.beacons:
        code.jump(_JUMP_EQUAL, kinds.BEACON, "take")
    for kind in _ANSWERS:
        code.jump(_JUMP_EQUAL, kind, "own")
    code.jump(_JUMP_EQUAL, _ACTION, "drop", "drop")
    code.label("action")
    code.do(_LOAD_X_BYTE, 1)
    code.jump(_JUMP_SET, _NEVER_SET, "drop")
    code.jump(_JUMP_SET, _PROTECTED, "group")
    code.do(_LOAD_X_WORD, 24)
    code.jump(_JUMP_EQUAL, _CATEGORY_OUI, "", "drop")
    code.label("group")
    code.do(_LOAD_X_BYTE, 4)
    code.jump(_JUMP_SET, 1, "take")
    code.label("own")
    code.match_address(4, wanted.addresses, "to", "take", "drop")


def encode(program: list[Instruction]) -> bytes:
    """Return a filter as the kernel reads it."""
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)


def attach(packet_socket: socket.socket, program: list[Instruction]) -> None:
    """Let a socket have only what a filter lets pass; it takes the place of the socket's last one.

    Raises:
        OSError: the kernel refuses.
    """
    import ctypes

    content = ctypes.create_string_buffer(encode(program))
    packet_socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, _PROGRAM.pack(len(program), ctypes.addressof(content)))

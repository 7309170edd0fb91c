"""Generic netlink: how a program talks with a family of the Linux kernel, such as nl80211.

Rules:

- Knows netlink's messages and attributes; what a family means by them is its caller's.
- A request is answered by the kernel before its send returns, so nothing here waits for anything but a dump's next
  part; a time limit stands for a kernel that does not answer.
- What the kernel refuses is a `NetlinkError` with the kernel's own words, where it has any (extended ACK).
- Messages come from the kernel only: what another process sends is dropped.

Follows Linux's ``include/uapi/linux/netlink.h`` and ``genetlink.h``.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Iterator
from struct import Struct
from types import TracebackType
from typing import NamedTuple, Self

__all__ = [
    "GenericNetlink",
    "Message",
    "NetlinkError",
    "attribute",
    "flag",
    "nested",
    "parse_attributes",
    "parse_u8",
    "parse_u16",
    "parse_u32",
    "split_attributes",
    "text",
    "u8",
    "u16",
    "u32",
    "u64",
]

# Options of the level SOL_NETLINK, and generic netlink's protocol number.
_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
_CAP_ACK = 10
_EXT_ACK = 11
_GENERIC = 16

# Kinds of message below those of families.
_NOOP = 1
_ERROR = 2
_DONE = 3
_OVERRUN = 4

# Flags of a message.
_REQUEST = 0x001
_ACK = 0x004
_INTERRUPTED = 0x010
_DUMP = 0x300
_CAPPED = 0x100
_HAS_MESSAGE = 0x200

# The family that knows the others.
_CONTROLLER = 16
_GET_FAMILY = 3
_FAMILY_ID = 1
_FAMILY_NAME = 2
_GROUPS = 7
_GROUP_NAME = 1
_GROUP_ID = 2
_ERROR_TEXT = 1

_HEADER = Struct("=IHHII")
_GENERIC_HEADER = Struct("=BBxx")
_BOTH_LENGTH = _HEADER.size + _GENERIC_HEADER.size
_ATTRIBUTE = Struct("=HH")
_KIND_MASK = 0x3FFF
_NESTED = 0x8000
_S32 = Struct("=i")
_U8 = Struct("=B")
_U16 = Struct("=H")
_U32 = Struct("=I")
_U64 = Struct("=Q")

_RECEIVE_BYTES = 1 << 16
#: Seconds and microseconds, 64 bits each: what the kernel wants wherever the C library's times have 64 bits. Where they
#: have 32, it reads the first half, which is right on little-endian processors.
_TIME_LIMIT = Struct("=qq").pack(5, 0)
_DUMP_TRIES = 4
_MAX_EVENTS = 4096


class NetlinkError(OSError):
    """What the kernel refused; ``errno`` is its number.

    Attributes:
        kernel_text: the kernel's own words about it, or empty.
    """

    def __init__(self, number: int, kernel_text: str = "") -> None:
        super().__init__(number, os.strerror(number) + (f" ({kernel_text})" if kernel_text else ""))
        self.kernel_text = kernel_text


class Message(NamedTuple):
    """A message of the family.

    Attributes:
        command: what it is about.
        content: its attributes, unread.
    """

    command: int
    content: bytes

    @property
    def attributes(self) -> dict[int, bytes]:
        """Its attributes by kind."""
        return parse_attributes(self.content)


def attribute(kind: int, content: bytes) -> bytes:
    """Return an attribute, padded as the next one needs it."""
    return _ATTRIBUTE.pack(4 + len(content), kind) + content + b"\0" * (-len(content) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds others."""
    return attribute(kind | _NESTED, b"".join(attributes))


def flag(kind: int) -> bytes:
    """Return an attribute that says what it says by being there."""
    return attribute(kind, b"")


def text(kind: int, content: str) -> bytes:
    """Return an attribute that holds text."""
    return attribute(kind, content.encode() + b"\0")


def u8(kind: int, value: int) -> bytes:
    """Return an attribute of one byte."""
    return attribute(kind, _U8.pack(value))


def u16(kind: int, value: int) -> bytes:
    """Return an attribute of two bytes."""
    return attribute(kind, _U16.pack(value))


def u32(kind: int, value: int) -> bytes:
    """Return an attribute of four bytes."""
    return attribute(kind, _U32.pack(value))


def u64(kind: int, value: int) -> bytes:
    """Return an attribute of eight bytes."""
    return attribute(kind, _U64.pack(value))


def split_attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the attributes one after the other: kind without flags, content; what is cut ends them."""
    at = 0
    end = len(content)
    while at + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(content, at)
        if length < 4 or at + length > end:
            return
        yield kind & _KIND_MASK, content[at + 4 : at + length]
        at += (length + 3) & ~3


def parse_attributes(content: bytes) -> dict[int, bytes]:
    """Return attributes by kind; of several of one kind the last."""
    return dict(split_attributes(content))


def parse_u8(content: bytes) -> int:
    """Return the number in an attribute of one byte."""
    return content[0]


def parse_u16(content: bytes) -> int:
    """Return the number in an attribute of two bytes."""
    return int(_U16.unpack_from(content)[0])


def parse_u32(content: bytes) -> int:
    """Return the number in an attribute of four bytes."""
    return int(_U32.unpack_from(content)[0])


class GenericNetlink:
    """A socket to one family of the kernel; a context manager.

    Attributes:
        refused: how many of the posted messages the kernel refused.
        lost: how often events were lost, because nobody read them in time.
    """

    def __init__(self, family: str, *, version: int = 1) -> None:
        """Open a socket and find the family.

        Args:
            family: its name, such as ``"nl80211"``.
            version: the family's version, as its messages have it.

        Raises:
            NetlinkError: the kernel has no such family (ENOENT).
            OSError: there is no netlink here.
        """
        if not hasattr(socket, "AF_NETLINK"):
            raise OSError(errno.EAFNOSUPPORT, "this system has no netlink")
        self.refused = 0
        self.lost = 0
        self._version = version
        self._sequence = 0
        self._events: deque[Message] = deque(maxlen=_MAX_EVENTS)
        self._groups: dict[str, int] = {}
        self._family = _CONTROLLER
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _GENERIC)
        try:
            self._socket.bind((0, 0))
            # Not Python's own time limit, which would make a read that must not wait wait as well.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIME_LIMIT)
            for option in (_CAP_ACK, _EXT_ACK):
                try:
                    self._socket.setsockopt(_SOL_NETLINK, option, 1)
                except OSError:  # an old kernel: errors come without words
                    pass
            self._find(family)
        except BaseException:
            self._socket.close()
            raise

    def _find(self, family: str) -> None:
        (answer,) = self.request(_GET_FAMILY, text(_FAMILY_NAME, family))
        told = answer.attributes
        self._family = parse_u16(told[_FAMILY_ID])
        for _, group in split_attributes(told.get(_GROUPS, b"")):
            parts = parse_attributes(group)
            if _GROUP_NAME in parts and _GROUP_ID in parts:
                self._groups[parts[_GROUP_NAME].rstrip(b"\0").decode()] = parse_u32(parts[_GROUP_ID])

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def fileno(self) -> int:
        """Return the descriptor, readable when an event waits."""
        return self._socket.fileno()

    @property
    def port(self) -> int:
        """The number by which the kernel knows this socket."""
        return int(self._socket.getsockname()[0])

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def set_buffers(self, size: int) -> None:
        """Ask for this much room for what waits, in bytes; the system's limit holds."""
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, size)

    def join(self, group: str) -> None:
        """Get the events of one of the family's multicast groups.

        Raises:
            NetlinkError: the family has no such group (ENOENT), or it is not for everybody.
        """
        number = self._groups.get(group)
        if number is None:
            raise NetlinkError(errno.ENOENT, f"no multicast group {group}")
        try:
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, number)
        except OSError as error:
            raise NetlinkError(error.errno or errno.EINVAL, f"multicast group {group}") from None

    def request(self, command: int, *attributes: bytes, dump: bool = False) -> list[Message]:
        """Ask the kernel, and return its answer's messages; there are none to a plain order.

        Args:
            command: of the family.
            attributes: from the builders here.
            dump: ask for all there are.

        Raises:
            NetlinkError: it refused.
        """
        for _ in range(_DUMP_TRIES):
            sequence = self._send(command, attributes, _ACK | (_DUMP if dump else 0))
            answer = self._answer(sequence, dump)
            if answer is not None:
                return answer
        raise NetlinkError(errno.EINTR, "what was asked about changed all the time")

    def post(self, command: int, *attributes: bytes) -> None:
        """Tell the kernel, without waiting for what it says; refusals are counted when they are read."""
        self._send(command, attributes, 0)

    def events(self) -> list[Message]:
        """Return the events that wait, without waiting for any."""
        while True:
            try:
                read, sender = self._socket.recvfrom(_RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.lost += 1
                continue
            if sender[0] == 0:
                for kind, _, _, body in _split(read):
                    self._note(kind, body)
        events = list(self._events)
        self._events.clear()
        return events

    def _note(self, kind: int, body: bytes) -> None:
        if kind == self._family:
            self._events.append(Message(body[0], body[_GENERIC_HEADER.size :]))
        elif kind == _ERROR and len(body) >= 4 and _S32.unpack_from(body)[0]:
            self.refused += 1

    def _send(self, command: int, attributes: tuple[bytes, ...], flags: int) -> int:
        self._sequence = sequence = (self._sequence + 1) & 0xFFFFFFFF
        content = b"".join(attributes)
        self._socket.send(
            _HEADER.pack(_BOTH_LENGTH + len(content), self._family, _REQUEST | flags, sequence, 0)
            + _GENERIC_HEADER.pack(command, self._version)
            + content
        )
        return sequence

    def _answer(self, sequence: int, dump: bool) -> list[Message] | None:
        """Return the messages of an answer, or None when they do not fit together."""
        found: list[Message] = []
        whole = True
        while True:
            try:
                read, sender = self._socket.recvfrom(_RECEIVE_BYTES)
            except BlockingIOError:
                raise NetlinkError(errno.ETIMEDOUT, "the kernel does not answer") from None
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.lost += 1
                continue
            if sender[0] != 0:
                continue
            for kind, flags, number, body in _split(read):
                if number != sequence or kind in (_NOOP, _OVERRUN):
                    self._note(kind, body)
                    continue
                whole = whole and not flags & _INTERRUPTED
                if kind in (_ERROR, _DONE):
                    _check(flags, body)
                    return found if whole else None
                if len(body) >= _GENERIC_HEADER.size:
                    found.append(Message(body[0], body[_GENERIC_HEADER.size :]))


def _split(read: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Give kind, flags, sequence number and body of each message."""
    at = 0
    while at + _HEADER.size <= len(read):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(read, at)
        if length < _HEADER.size or at + length > len(read):
            return
        yield kind, flags, sequence, read[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def _check(flags: int, body: bytes) -> None:
    """Raise what a message says that ends an answer, unless it says that all is well."""
    if len(body) < 4:
        return
    number = -_S32.unpack_from(body)[0]
    if number <= 0:
        return
    said = ""
    if flags & _HAS_MESSAGE:
        # Behind the number stands the header of the request, and all of it unless the kernel capped it.
        asked = _HEADER.size
        if not flags & _CAPPED and len(body) >= 8:
            asked = (parse_u32(body[4:8]) + 3) & ~3
        told = parse_attributes(body[4 + asked :])
        said = told.get(_ERROR_TEXT, b"").rstrip(b"\0").decode(errors="replace")
    raise NetlinkError(number, said)

"""Netlink: attributes, and answers of the kernel, those of this one and those that a test makes up."""

from __future__ import annotations

import errno
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.radio.monitor import netlink
from espnow.radio.monitor.netlink import (
    GenericNetlink,
    NetlinkError,
    attribute,
    flag,
    nested,
    parse_attributes,
    parse_u8,
    parse_u16,
    parse_u32,
    split_attributes,
    text,
    u8,
    u16,
    u32,
    u64,
)

linux = pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="no Linux")


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40))))
def test_attributes_come_back(pairs: list[tuple[int, bytes]]) -> None:
    built = b"".join(attribute(*pair) for pair in pairs)
    assert len(built) % 4 == 0
    assert list(split_attributes(built)) == pairs
    assert list(split_attributes(parse_attributes(nested(7, built))[7])) == pairs


@given(st.binary(max_size=60))
def test_any_bytes_end(content: bytes) -> None:
    for kind, inner in split_attributes(content):
        assert 0 <= kind < 0x4000
        assert len(inner) <= len(content)


def test_values() -> None:
    told = parse_attributes(
        u8(1, 200) + u16(2, 60_000) + u32(3, 4_000_000_000) + u64(4, 1) + text(5, "wlan1") + flag(6)
    )
    assert (parse_u8(told[1]), parse_u16(told[2]), parse_u32(told[3])) == (200, 60_000, 4_000_000_000)
    assert told[4] == struct.pack("=Q", 1)
    assert told[5] == b"wlan1\0"
    assert told[6] == b""


@linux
def test_this_kernel_knows_its_controller() -> None:
    with GenericNetlink("nlctrl", version=2) as controller:
        families = controller.request(3, dump=True)
        names = {message.attributes[2].rstrip(b"\0") for message in families}
        assert b"nlctrl" in names
        controller.join("notify")
        assert controller.events() == []
        assert controller.port > 0
        with pytest.raises(NetlinkError) as caught:
            controller.join("nothing")
        assert caught.value.errno == errno.ENOENT


@linux
def test_the_time_limit_is_five_seconds() -> None:
    assert len(netlink._TIME_LIMIT) == 16
    with GenericNetlink("nlctrl", version=2) as controller:
        told = controller._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
        assert struct.unpack("@ll", told[: struct.calcsize("@ll")]) == (5, 0)


@linux
def test_this_kernel_refuses_with_a_number() -> None:
    with pytest.raises(NetlinkError) as caught:
        GenericNetlink("no-such-family")
    assert caught.value.errno == errno.ENOENT
    with GenericNetlink("nlctrl", version=2) as controller:
        controller.post(99)
        assert controller.events() == []
        assert controller.refused == 1
        with pytest.raises(NetlinkError) as caught:
            controller.request(99)
        assert caught.value.errno == errno.EOPNOTSUPP


# A kernel that answers as a test says.

FAMILY = 30
Answer = Callable[[int, bytes], list[bytes | OSError | tuple[bytes, int]]]


def message(kind: int, sequence: int, body: bytes, flags: int = 0) -> bytes:
    whole = struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body
    return whole + b"\0" * (-len(whole) % 4)


def acknowledge(sequence: int, number: int = 0, flags: int = 0, more: bytes = b"") -> bytes:
    return message(2, sequence, struct.pack("=i", -number) + more, flags)


class FakeSocket:
    """Answers the request for the family, and then as a test says."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.waiting: deque[bytes | OSError | tuple[bytes, int]] = deque()
        self.asked: list[bytes] = []

    def send(self, whole: bytes) -> None:
        _, kind, _flags, sequence, _ = struct.unpack_from("=IHHII", whole)
        if kind == 16:
            groups = nested(7, nested(1, text(1, "config"), u32(2, 5)))
            self.waiting.append(message(16, sequence, b"\1\1\0\0" + u16(1, FAMILY) + groups) + acknowledge(sequence))
            return
        self.asked.append(whole)
        self.waiting.extend(self._answer(sequence, whole))

    def recvfrom(self, _size: int, flags: int = 0) -> tuple[bytes, tuple[int, int]]:
        if not self.waiting:
            raise BlockingIOError
        found = self.waiting.popleft()
        if isinstance(found, OSError):
            raise found
        return (found, (0, 0)) if isinstance(found, bytes) else (found[0], (found[1], 0))

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], tuple[GenericNetlink, FakeSocket]]:
    def make(answer: Answer) -> tuple[GenericNetlink, FakeSocket]:
        fake = FakeSocket(answer)
        monkeypatch.setattr(netlink.socket, "socket", lambda *_: fake)
        return GenericNetlink("family"), fake

    return make


Kernel = Callable[[Answer], tuple[GenericNetlink, FakeSocket]]


def reply(sequence: int, content: bytes = b"", flags: int = 0) -> bytes:
    return message(FAMILY, sequence, b"\x09\1\0\0" + content, flags)


def test_a_dump_in_parts(kernel: Kernel) -> None:
    family, fake = kernel(
        lambda sequence, _: [reply(sequence, u32(1, 1)) + reply(sequence, u32(1, 2)), message(3, sequence, bytes(4))]
    )
    found = family.request(1, u32(3, 7), dump=True)
    assert [parse_u32(one.attributes[1]) for one in found] == [1, 2]
    assert struct.unpack_from("=IHH", fake.asked[0])[2] == 0x305
    assert fake.asked[0][20:] == u32(3, 7)


def test_a_dump_that_was_cut_is_asked_for_again(kernel: Kernel) -> None:
    answers = iter((0x10, 0))

    def answer(sequence: int, _: bytes) -> list[Any]:
        return [reply(sequence, flags=next(answers)), message(3, sequence, bytes(4))]

    family, fake = kernel(answer)
    assert len(family.request(1, dump=True)) == 1
    assert len(fake.asked) == 2


def test_a_dump_that_is_always_cut_ends(kernel: Kernel) -> None:
    family, _ = kernel(lambda sequence, _: [reply(sequence, flags=0x10), message(3, sequence, bytes(4))])
    with pytest.raises(NetlinkError) as caught:
        family.request(1, dump=True)
    assert caught.value.errno == errno.EINTR


@pytest.mark.parametrize("capped", [True, False])
def test_the_kernels_own_words(kernel: Kernel, capped: bool) -> None:
    said = text(1, "channel is not allowed")

    def answer(sequence: int, whole: bytes) -> list[Any]:
        asked = whole[:16] if capped else whole
        return [acknowledge(sequence, errno.EINVAL, 0x200 | (0x100 if capped else 0), asked + said)]

    family, _ = kernel(answer)
    with pytest.raises(NetlinkError) as caught:
        family.request(65, u32(3, 1))
    assert caught.value.kernel_text == "channel is not allowed"
    assert str(caught.value) == "[Errno 22] Invalid argument (channel is not allowed)"


def test_an_error_without_words(kernel: Kernel) -> None:
    family, _ = kernel(lambda sequence, _: [acknowledge(sequence, errno.EBUSY)])
    with pytest.raises(NetlinkError, match=r"^\[Errno 16\] Device or resource busy$"):
        family.request(65)


def test_events_between_answers_are_kept_and_other_processes_are_not_heard(kernel: Kernel) -> None:
    family, _ = kernel(
        lambda sequence, _: [
            (acknowledge(sequence, errno.EPERM), 4711),
            message(FAMILY, 0, b"\x24\1\0\0" + u32(1, 5)) + message(99, 0, b"\x25\1\0\0"),
            OSError(errno.ENOBUFS, "lost"),
            acknowledge(sequence),
        ]
    )
    assert family.request(1) == []
    (event,) = family.events()
    assert event.command == 0x24
    assert parse_u32(event.attributes[1]) == 5
    assert family.lost == 1
    assert family.events() == []


def test_a_kernel_that_does_not_answer(kernel: Kernel) -> None:
    family, _ = kernel(lambda *_: [])
    with pytest.raises(NetlinkError) as caught:
        family.request(1)
    assert caught.value.errno == errno.ETIMEDOUT


@given(junk=st.binary(max_size=60))
def test_junk_ends(junk: bytes) -> None:
    for kind, _, _, body in netlink._split(junk):
        assert kind >= 0
        assert len(body) <= len(junk)


def test_a_system_without_netlink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(netlink.socket, "AF_NETLINK", raising=False)
    with pytest.raises(OSError, match="no netlink"):
        GenericNetlink("nl80211")

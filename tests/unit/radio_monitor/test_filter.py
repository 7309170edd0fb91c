"""The kernel's filter, run by an interpreter and by this kernel, against what it should let pass in plain Python."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.frame import BROADCAST, ack, build, radiotap
from espnow.radio.monitor.filter import REPORT_BYTES, Instruction, Wanted, attach, build_filter, encode

OWN = bytes.fromhex("7e0000000001")
SECOND = bytes.fromhex("7e0000000002")
PEER = bytes.fromhex("246f28aabbcc")
ALL = 4096

RECEIVED = radiotap.build(channel=6, rate=0, rssi_dbm=-50, at_us=1)
REPORT = bytes.fromhex("00000d00048002000200000000")

addresses = st.sampled_from([OWN, SECOND, PEER, BROADCAST, bytes.fromhex("01005e000001"), bytes(6)])
first_bytes = st.sampled_from([0xD0, 0xD4, 0x80, 0x50, 0xB0, 0x10, 0x30, 0xC0, 0xA0, 0x40, 0x08, 0x48, 0xB4, 0xC4])
second_bytes = st.sampled_from([0, 8, 0x10, 0x20, 0x40, 0x48, 0x80, 1, 2, 4])
openings = st.sampled_from([b"\x7f\x18\xfe\x34", b"\xff\x18\xfe\x34", b"\x7f\x18\xfe\x35", b"\x04\x09\x00\x00"])
wanteds = st.builds(
    Wanted,
    addresses=st.sampled_from([(), (OWN,), (OWN, SECOND)]),
    receiving=st.booleans(),
    reports=st.booleans(),
    others=st.booleans(),
    acknowledgements=st.booleans(),
    beacons=st.booleans(),
)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Packets as a monitor interface has them: mostly whole, some cut or of any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=80))
    head = draw(st.sampled_from([RECEIVED, REPORT, REPORT + bytes(3), RECEIVED[:8]]))
    head = head[:2] + struct.pack("<H", len(head)) + head[4:]
    frame = bytes((draw(first_bytes), draw(second_bytes))) + b"\0\0" + draw(addresses) + draw(addresses)
    frame += BROADCAST + b"\0\0" + draw(openings) + draw(st.binary(max_size=20))
    whole = head + frame
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


def run(program: list[Instruction], packet: bytes) -> int:
    """Interpret a filter: how many bytes of a packet pass (Linux, filter.rst)."""
    a = x = at = 0
    for _ in range(1000):
        code, when_true, when_false, k = program[at]
        at += 1
        if code & 0x07 == 0x00 or code == 0x50:  # load
            size = {0x00: 4, 0x08: 2, 0x10: 1}[code & 0x18]
            begin = k + (x if code & 0xE0 == 0x40 else 0)
            if begin + size > len(packet):
                return 0
            a = int.from_bytes(packet[begin : begin + size], "big")
        elif code & 0x07 == 0x05:
            holds = bool(a & k) if code == 0x45 else a == k
            at += when_true if holds else when_false
        elif code == 0x64:
            a = a << k & 0xFFFFFFFF
        elif code == 0x4C:
            a |= x
        elif code == 0x04:
            a = a + k & 0xFFFFFFFF
        elif code == 0x07:
            x = a
        elif code == 0x87:
            a = x
        elif code == 0x06:
            return min(k, len(packet))
        elif code == 0x16:
            return min(a, len(packet))
        else:
            raise AssertionError(f"no such instruction: {code:#x}")
    raise AssertionError("it does not end")


def passes(wanted: Wanted, packet: bytes) -> int:
    """Say in plain words how many bytes of a packet are to pass."""
    if len(packet) < 6:
        return 0
    length = packet[2] | packet[3] << 8
    frame = packet[length:]
    if packet[5] & 0x80:
        if not wanted.reports or len(frame) < 16 or frame[10:16] not in wanted.addresses:
            return 0
        return min(length + REPORT_BYTES, len(packet))
    return len(packet) if wanted.receiving and frame and takes(wanted, frame) else 0


def takes(wanted: Wanted, frame: bytes) -> bool:
    kind, own = frame[0], len(frame) >= 10 and frame[4:10] in wanted.addresses
    if wanted.others:
        return kind & 0x0F == 0 or kind == 0xD4
    if kind == 0xD0:
        if len(frame) < 5 or frame[1] & 0x87:
            return False
        if not frame[1] & 0x40 and frame[24:28] != b"\x7f\x18\xfe\x34":
            return False
        return bool(frame[4] & 1) or own
    if kind == 0xD4:
        return wanted.acknowledgements and own
    if kind == 0x80:
        return wanted.beacons
    return own and kind in (0x10, 0x30, 0x50, 0xA0, 0xB0, 0xC0)


@given(wanteds, packets())
def test_lets_pass_what_is_wanted(wanted: Wanted, packet: bytes) -> None:
    assert run(build_filter(wanted), packet) == passes(wanted, packet)


@pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="no Linux")
@given(wanteds, st.lists(packets(), max_size=8))
def test_this_kernel_agrees(wanted: Wanted, some: list[bytes]) -> None:
    sending, receiving = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sending, receiving:
        receiving.setblocking(False)
        attach(receiving, build_filter(wanted))
        for packet in some:
            sending.send(packet)
        got = []
        with contextlib.suppress(BlockingIOError):
            while True:
                got.append(receiving.recv(ALL))
    assert got == [packet[:size] for packet in some if (size := passes(wanted, packet))]


@pytest.mark.parametrize(
    "wanted", [Wanted(), Wanted((OWN, SECOND), acknowledgements=True, beacons=True), Wanted((OWN, SECOND), others=True)]
)
def test_jumps_stay_inside(wanted: Wanted) -> None:
    program = build_filter(wanted)
    for at, step in enumerate(program):
        if step.code & 7 == 5:
            assert at + 1 + max(step.when_true, step.when_false) < len(program) <= 255
    assert program[-1].code == 6
    assert len(encode(program)) == 8 * len(program)


def test_what_kernels_hand_over(samples: list[dict[str, Any]]) -> None:
    """Of captured packets, reports pass to whom they concern, and frames whether or not they do."""
    for sample in samples:
        if sample["kind"] == "outgoing":  # of another protocol, so no filter sees it
            continue
        frame = bytes.fromhex(sample["mpdu"])
        packet = bytes.fromhex(sample["radiotap"]) + frame
        report = sample["kind"] == "report"
        if len(frame) >= 16:
            size = run(build_filter(Wanted((frame[10:16],), receiving=False)), packet)
            assert (size > 0) == report, sample
        if not report:
            whole = frame[:1] == b"\xd0" and frame[24:28] == b"\x7f\x18\xfe\x34"
            assert (run(build_filter(Wanted((frame[4:10],))), packet) == len(packet)) == whole, sample


def test_a_reflection_and_others_frames_do_not_pass() -> None:
    program = build_filter(Wanted((OWN,)))
    mine = build(OWN, PEER, b"hello", seq=1, random_value=2)
    assert run(program, RECEIVED + mine)
    assert not run(program, RECEIVED + mine[:24] + b"\xff" + mine[25:])
    assert not run(program, RECEIVED + build(PEER, OWN, b"hello", seq=1, random_value=2))
    assert not run(program, RECEIVED + ack(OWN))

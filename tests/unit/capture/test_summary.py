"""What a summary counts, from sequences made by hand, and from random ones whose truth is known."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow import frame as wire
from espnow.capture import CapturedFrame, Dissector, KeyRing, OtherFrame, PairSummary, Summary, summary
from espnow.frame import radiotap
from espnow.frame.captures import Interface, Record
from espnow.frame.mac80211 import ManagementHeader, build_header, fcs

A = bytes.fromhex("30aaaaaaaaaa")
B = bytes.fromhex("18fe34000008")
C = bytes.fromhex("18fe3400000c")
LMK = b"lmk1234567890123"
KEY = wire.derive_key(wire.DEFAULT_PMK, LMK)

ONE = Interface(0, 0, 127, 0, None, "wlan0", 1_000_000, 0)
TWO = Interface(0, 1, 127, 0, None, "wlan1", 1_000_000, 0)


ONES = st.sampled_from([ONE, TWO])


class Sent(NamedTuple):
    """One frame of a schedule."""

    seq: int
    to: bytes = B
    retry: bool = False
    value: int | None = None
    source: bytes = A
    message: bytes = b"x"
    on: Interface = ONE
    rssi_dbm: int | None = None
    rate: int | None = None
    at_ns: int | None = None
    version: int = 1

    @property
    def mpdu(self) -> bytes:
        """Return its bytes; the random value follows from the sequence number, unless it is given."""
        return wire.build(
            self.to,
            self.source,
            self.message,
            seq=self.seq,
            random_value=7919 * (self.seq + 1) if self.value is None else self.value,
            retry=self.retry,
            version=self.version,
        )


class Raw(NamedTuple):
    """Any other bytes."""

    mpdu: bytes
    on: Interface = ONE
    at_ns: int | None = None
    rssi_dbm: int | None = None
    rate: int | None = None


def ack(receiver: bytes = A, on: Interface = ONE) -> Raw:
    return Raw(wire.ack(receiver), on)


def beacon(seq: int, source: bytes = A, on: Interface = ONE) -> Raw:
    return Raw(build_header(ManagementHeader(wire.BROADCAST, source, source, 8, 0, 0, seq, 0)) + bytes(20), on)


def sealed(seq: int, number: int, *, to: bytes = B, retry: bool = False, key: bytes = KEY) -> Raw:
    mpdu = wire.build_protected(to, A, b"secret", seq=seq, random_value=number, key=key, packet_number=number)
    return Raw(wire.with_retry(mpdu) if retry else mpdu)


def record(sent: Sent | Raw) -> Record:
    header = radiotap.build(channel=6, rate=sent.rate, rssi_dbm=sent.rssi_dbm)
    packet = header + sent.mpdu
    return Record(sent.at_ns, sent.on, packet, len(packet))


def add(total: Summary, *frames: Sent | Raw, dissector: Dissector | None = None) -> None:
    dissector = dissector or Dissector()
    for sent in frames:
        found = dissector.dissect(record(sent))
        if isinstance(found, CapturedFrame):
            total.add(found)
        elif isinstance(found, OtherFrame):
            total.add_other(found)


def added(*frames: Sent | Raw, dissector: Dissector | None = None) -> Summary:
    total = Summary()
    add(total, *frames, dissector=dissector)
    return total


def only(total: Summary) -> PairSummary:
    (pair,) = total
    return pair


def pair_of(total: Summary, destination: bytes, source: bytes = A) -> PairSummary:
    (pair,) = (pair for pair in total if (pair.destination, pair.source) == (destination, source))
    return pair


# Sequence numbers.


@pytest.mark.parametrize(
    ("seqs", "messages", "missed", "restarts"),
    [
        ([5], 1, 0, 0),
        ([5, 6, 7], 3, 0, 0),
        ([5, 8], 2, 2, 0),
        ([4094, 4095, 0, 1], 4, 0, 0),
        ([4094, 1], 2, 2, 0),
        ([0, 2047], 2, 2046, 0),
        ([0, 2048], 2, 0, 1),
        ([4095, 2046], 2, 2046, 0),
        ([4095, 2047], 2, 0, 1),
        ([900, 0, 1], 3, 0, 1),
        ([0, 1, 2, 0, 1, 2], 6, 0, 1),
        ([0], 1, 0, 0),
    ],
)
def test_gaps_wraps_and_restarts(seqs: list[int], messages: int, missed: int, restarts: int) -> None:
    pair = only(added(*(Sent(seq) for seq in seqs)))
    assert (pair.messages, pair.missed, pair.restarts) == (messages, missed, restarts)
    assert (pair.frames, pair.retries, pair.duplicates) == (messages, 0, 0)
    assert pair.loss == pytest.approx(missed / (missed + messages))


def test_a_sensor_that_sends_one_frame_a_wake_has_no_duplicates() -> None:
    pair = only(added(*(Sent(0, value=1000 + wake) for wake in range(50))))
    assert (pair.messages, pair.duplicates, pair.missed, pair.restarts) == (50, 0, 0, 49)


def test_a_sensor_with_a_retry_at_each_wake() -> None:
    frames = [Sent(0, value=wake, retry=retry) for wake in range(9) for retry in (False, True)]
    pair = only(added(*frames))
    assert (pair.frames, pair.messages, pair.retries, pair.restarts, pair.missed) == (18, 9, 9, 8, 0)


def test_retries_are_no_messages_and_no_loss() -> None:
    pair = only(added(Sent(1), Sent(1, retry=True), Sent(1, retry=True), Sent(2), Sent(3, retry=True), Sent(4)))
    assert (pair.frames, pair.messages, pair.retries, pair.missed) == (6, 4, 3, 0)  # of 3 the capture has the retry


def test_a_copy_without_the_retry_bit_is_a_duplicate() -> None:
    pair = only(added(Sent(1), Sent(1), Sent(1), Sent(2)))
    assert (pair.frames, pair.messages, pair.duplicates, pair.retries, pair.restarts) == (4, 2, 2, 0, 0)


def test_one_counter_serves_all_destinations() -> None:
    total = added(*(Sent(seq, (B, C, wire.BROADCAST)[seq % 3]) for seq in range(300)))
    assert [(pair.messages, pair.missed, pair.restarts) for pair in total] == [(100, 0, 0)] * 3
    total = added(Sent(1, B), Sent(2, C), Sent(6, B), Sent(7, C), Sent(9, C))
    assert (pair_of(total, B).missed, pair_of(total, C).missed) == (3, 1)


def test_senders_have_counters_of_their_own() -> None:
    total = added(
        Sent(1), Sent(2000, source=C), Sent(2), Sent(2001, source=C), Sent(4), Sent(2001, source=C, retry=True)
    )
    assert (pair_of(total, B).missed, pair_of(total, B, C).missed) == (1, 0)
    assert pair_of(total, B, C).retries == 1


def test_frames_of_other_kinds_use_sequence_numbers() -> None:
    pair = only(added(Sent(1), beacon(2), beacon(3), Sent(4)))
    assert (pair.messages, pair.missed, pair.restarts) == (2, 0, 0)
    pair = only(added(Sent(1), beacon(3), beacon(3), beacon(6), Sent(8)))
    assert pair.missed == 1 + 2 + 1
    pair = only(added(beacon(1), beacon(900), Sent(1)))  # before anything of ESP-NOW's
    assert pair.missed == 0
    pair = only(added(Sent(1), beacon(7, source=C), Sent(2)))
    assert pair.missed == 0


def test_a_frame_of_another_kind_from_a_sender_that_began_anew() -> None:
    pair = only(added(Sent(500), beacon(503), beacon(0), Sent(1), Sent(2)))
    assert (pair.missed, pair.restarts, pair.messages) == (2, 0, 3)


def test_a_retry_after_a_frame_of_another_kind_is_a_retry() -> None:
    pair = only(added(Sent(5), beacon(6), Sent(5, retry=True), Sent(7)))
    assert (pair.frames, pair.messages, pair.retries, pair.missed, pair.restarts) == (3, 2, 1, 0, 0)
    total = added(Sent(5, B), Sent(6, C), Sent(5, B, retry=True), Sent(6, C, retry=True), Sent(7, B))
    assert [(pair.messages, pair.retries, pair.missed, pair.restarts) for pair in total] == [(2, 1, 0, 0), (1, 1, 0, 0)]


def test_bytes_that_are_no_management_frame_change_nothing() -> None:
    noise = [Raw(bytes((control,)) + bytes(length)) for control in range(256) for length in (0, 5, 9, 13, 22)]
    pair = only(added(Sent(5), *noise, Sent(6), *noise, Sent(8)))
    assert (pair.messages, pair.missed, pair.acknowledged) == (3, 1, 0)


class Attempt(NamedTuple):
    """Whether the capture has a message's first attempt, how many retries it made, and which of them it has."""

    first: bool
    retries: tuple[bool, ...]
    to: bytes
    other: bool


@given(
    start=st.integers(0, 4095),
    attempts=st.lists(
        st.builds(
            Attempt,
            st.booleans(),
            st.lists(st.booleans(), max_size=4).map(tuple),
            st.sampled_from([B, C, wire.BROADCAST]),
            st.booleans(),
        ),
        max_size=60,
    ),
    long_gap=st.integers(0, 1900),
)
def test_the_estimate_is_the_truth(start: int, attempts: list[Attempt], long_gap: int) -> None:
    """Whatever is lost: what the capture lacks between a sender's first and last message is what it is said to lack."""
    captured: list[tuple[int, list[Sent | Raw]]] = []
    seq = start
    for number, attempt in enumerate(attempts):
        if number == len(attempts) // 2:
            seq += long_gap
        if attempt.other:
            frames: list[Sent | Raw] = [beacon(seq & 0xFFF)] if attempt.first else []
        else:
            made = (attempt.first, *(attempt.retries if attempt.to != wire.BROADCAST else ()))
            frames = [
                Sent(seq & 0xFFF, attempt.to, retry, value=number)
                for retry, there in zip((False, True, True, True, True), made, strict=False)
                if there
            ]
        captured.append((seq, frames))
        seq += 1
    there = [(seq, frames) for seq, frames in captured if frames]
    messages = [(seq, frames) for seq, frames in there if isinstance(frames[0], Sent)]
    total = added(*(one for _, frames in there for one in frames))
    assert sum(pair.messages for pair in total) == len(messages)
    assert sum(pair.retries for pair in total) == sum(
        isinstance(one, Sent) and one.retry for _, frames in there for one in frames
    )
    assert sum(pair.restarts + pair.duplicates for pair in total) == 0
    if messages:
        first, last = messages[0][0], messages[-1][0]
        seen = sum(first <= seq <= last for seq, _ in there)
        assert sum(pair.missed for pair in total) == last - first + 1 - seen
    assert all(0 <= pair.loss < 1 for pair in total)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4095),
            st.sampled_from([B, C]),
            st.booleans(),
            st.integers(0, 1),
            st.sampled_from([A, C]),
            ONES,
        ).map(lambda drawn: Sent(*drawn[:5], on=drawn[5]))
        | st.builds(beacon, st.integers(0, 4095), st.sampled_from([A, C]), ONES)
        | st.builds(ack, st.sampled_from([A, B, C]), ONES),
        max_size=40,
    )
)
def test_nothing_is_lost_and_the_sums_hold(frames: list[Sent | Raw]) -> None:
    total = added(*frames)
    sent = [one for one in frames if isinstance(one, Sent)]
    assert sum(pair.frames for pair in total) == len(sent)
    assert sum(pair.retries for pair in total) == sum(one.retry for one in sent)
    for pair in total:
        assert 0 < pair.messages <= pair.frames
        assert pair.messages + pair.duplicates <= pair.frames <= pair.messages + pair.duplicates + pair.retries
        assert 0 <= pair.acknowledged <= pair.messages
        assert sum(pair.rates.values()) == pair.frames
        assert pair.missed >= 0


# Acknowledgements.


def test_an_acknowledgement_belongs_to_the_frame_before_it() -> None:
    pair = only(added(Sent(1), ack(), Sent(2), Sent(2, retry=True), ack(), Sent(3), Sent(4), ack()))
    assert (pair.messages, pair.acknowledged) == (4, 3)


@pytest.mark.parametrize(
    "between",
    [
        [ack(B)],
        [beacon(2), ack()],
        [beacon(2, source=C), ack()],
        [Raw(wire.ack(A)[:9])],
        [Raw(wire.ack(A) + b"\0")],
        [ack(), ack()],
        [Raw(b"\x08\x02" + bytes(30)), ack()],
    ],
)
def test_acknowledgements_that_are_not_for_it(between: list[Raw]) -> None:
    pair = only(added(Sent(1), *between))
    assert pair.acknowledged == (1 if between[0] == ack() else 0)


def test_groups_are_not_acknowledged_and_a_message_is_once() -> None:
    assert only(added(Sent(1, wire.BROADCAST), ack())).acknowledged == 0
    assert only(added(Sent(1, bytes.fromhex("01005e000001")), ack())).acknowledged == 0
    assert only(added(Sent(1), ack(), Sent(1, retry=True), ack())).acknowledged == 1  # the sender missed the first


def test_acknowledgements_stay_with_their_interface() -> None:
    total = added(Sent(1), Sent(1, on=TWO), ack(), ack(on=TWO), Sent(2), ack(on=TWO))
    assert [(pair.interface, pair.messages, pair.acknowledged) for pair in total] == [(ONE, 2, 1), (TWO, 1, 1)]


# What is kept apart, and what is not believed.


def test_interfaces_are_kept_apart() -> None:
    frames = [Sent(seq, on=on) for seq in range(10) for on in (ONE, TWO) if (on, seq) != (TWO, 5)]
    total = added(*frames, beacon(10), beacon(10, on=TWO), Sent(11, on=TWO))
    rows = {pair.interface: (pair.messages, pair.missed, pair.duplicates) for pair in total}
    assert rows == {ONE: (10, 0, 0), TWO: (10, 1, 0)}


def test_an_equal_interface_of_another_file_is_the_same() -> None:
    again = Interface(*ONE)
    assert again is not ONE
    assert only(added(Sent(1), Sent(2, on=again), Sent(3), Sent(3, on=again, retry=True))).messages == 3


def test_between_captures_nothing_is_said_to_be_lost() -> None:
    total = added(Sent(1), Sent(3))
    total.begin_capture()
    add(total, ack(), beacon(999), Sent(1000), Sent(1002), Sent(1002, retry=True))
    pair = only(total)
    assert (pair.messages, pair.missed, pair.restarts, pair.acknowledged) == (4, 2, 0, 0)


def with_fcs(sent: Sent | Raw, *, right: bool = True, bad_flag: bool = False) -> Record:
    header = bytearray(radiotap.build(channel=6, fcs=True))
    if bad_flag:
        assert header[8] == 0x10
        header[8] |= 0x40
    packet = bytes(header) + sent.mpdu + (fcs(sent.mpdu) if right else b"\1\2\3\4")
    return Record(None, ONE, packet, len(packet))


@pytest.mark.parametrize(("right", "bad_flag"), [(False, False), (True, True), (False, True)])
@pytest.mark.parametrize("sent", [Sent(900), Sent(900, C), beacon(900), ack()])
def test_frames_with_a_wrong_fcs_are_not_believed(sent: Sent | Raw, right: bool, bad_flag: bool) -> None:
    total, dissector = Summary(), Dissector()
    for one in (with_fcs(Sent(1)), with_fcs(sent, right=right, bad_flag=bad_flag), with_fcs(Sent(2))):
        found = dissector.dissect(one)
        if isinstance(found, CapturedFrame):
            total.add(found)
        elif found is not None:
            total.add_other(found)
    pair = only(total)
    assert (pair.messages, pair.missed, pair.restarts, pair.acknowledged) == (2, 0, 0, 0)
    assert total.wrong_fcs == isinstance(sent, Sent)


def test_with_the_right_fcs_all_of_them_count() -> None:
    total, dissector = Summary(), Dissector()
    for sent in (Sent(1), ack(), beacon(2), Sent(3)):
        found = dissector.dissect(with_fcs(sent))
        if isinstance(found, CapturedFrame):
            total.add(found)
        else:
            assert found is not None
            total.add_other(found)
    pair = only(total)
    assert (pair.messages, pair.missed, pair.acknowledged) == (2, 0, 1)


def skipping(*frames: Sent | Raw, to: bytes | None = None, retry: bool = False) -> Summary:
    """Add up the frames to an address, or the retries, as a filter does."""
    total, dissector = Summary(), Dissector()
    for sent in frames:
        found = dissector.dissect(record(sent))
        if isinstance(found, OtherFrame):
            total.add_other(found)
        elif found is not None:
            wanted = (to is None or found.frame.destination == to) and (not retry or found.frame.retry)
            (total.add if wanted else total.skip)(found)
    return total


def test_frames_that_are_not_wanted_still_use_sequence_numbers() -> None:
    frames = [Sent(seq, (B, C)[seq % 2]) for seq in range(100)]
    pair = only(skipping(*frames, to=B))
    assert (pair.messages, pair.missed, pair.restarts) == (50, 0, 0)
    pair = only(skipping(Sent(0, C), Sent(3, C), Sent(4, B), Sent(6, C), Sent(6, C, retry=True), Sent(8, B), to=B))
    assert (pair.messages, pair.missed, pair.retries) == (2, 1 + 1, 0)
    pair = only(skipping(Sent(1), ack(), Sent(2, C), ack(), to=B))
    assert pair.acknowledged == 1
    assert only(skipping(Sent(1), Sent(2, C), ack(), to=B)).acknowledged == 0


def test_only_retries() -> None:
    pair = only(
        skipping(Sent(1), Sent(1, retry=True), Sent(1, retry=True), Sent(2), Sent(3), Sent(3, retry=True), retry=True)
    )
    assert (pair.frames, pair.messages, pair.retries, pair.missed, pair.restarts) == (3, 2, 3, 0, 0)


# Bounds.


def test_pairs_are_bounded_and_counted_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "MAX_PAIRS", 5)
    interfaces = [Interface(section, 0, 127, 0, None, "", 1_000_000, 0) for section in range(30)]
    total = added(*(Sent(1, bytes((2, 0, 0, 0, 0, last))) for last in range(20)))
    add(total, *(Sent(1, source=bytes((2, 0, 0, 0, 1, last))) for last in range(20)))
    add(total, *(Sent(1, on=on) for on in interfaces))
    add(total, Sent(2, bytes(5 * [0]) + b"\0"), Sent(2, bytes((2, 0, 0, 0, 0, 3))))
    assert len(total) == 5
    assert sum(pair.frames for pair in total) + total.beyond == 72
    assert total.beyond == 66
    assert len(total._by_interface) <= 6
    assert sum(len(heard.senders) for heard in total._by_interface.values()) <= 5


def test_frames_that_are_not_counted_take_no_memory() -> None:
    total = Summary()
    dissector = Dissector()
    for number in range(50):
        on = Interface(number, 0, 127, 0, None, "", 1_000_000, 0)
        found = dissector.dissect(record(Sent(1, on=on, source=bytes((2, 0, 0, 0, 0, number)))))
        assert isinstance(found, CapturedFrame)
        total.skip(found)
        other = dissector.dissect(record(beacon(1, on=on)))
        assert isinstance(other, OtherFrame)
        total.add_other(other)
    assert len(total) == 0
    assert len(total._by_interface) == 1
    assert not any(heard.senders for heard in total._by_interface.values())


# Values.


def test_signal_rates_times_versions_and_bytes() -> None:
    total = added(
        Sent(1, rssi_dbm=-40, rate=0, at_ns=1000, message=b"12345"),
        Sent(2, rssi_dbm=-70, rate=16, at_ns=2000, message=b"y" * 300, version=2),
        Sent(2, rssi_dbm=-71, rate=0, at_ns=3000, message=b"y" * 300, version=2, retry=True),
        Sent(3, rate=42, at_ns=None),
        Sent(1, source=C, rssi_dbm=0, at_ns=2500),
    )
    pair = pair_of(total, B)
    assert (pair.rssi_min_dbm, pair.rssi_max_dbm, pair._rssi_count) == (-71, -40, 3)
    assert pair.rssi_mean_dbm == pytest.approx((-40 - 70 - 71) / 3)
    assert pair.rates == {0: 2, 16: 1, 42: 1}
    assert (pair.first_ns, pair.last_ns, pair.message_bytes, pair.versions) == (1000, 3000, 306, [2, 1])
    other = pair_of(total, B, C)
    assert (other.rssi_min_dbm, other.rssi_mean_dbm, other.rssi_max_dbm) == (0, 0, 0)
    assert other.rates == {None: 1}
    assert (total.first_ns, total.last_ns) == (1000, 2500)


def test_nothing_is_told_where_nothing_is_known() -> None:
    bare = ONE._replace(link_type=105)
    dissector = Dissector()
    total = Summary()
    mpdu = Sent(1).mpdu
    found = dissector.dissect(Record(None, bare, mpdu, len(mpdu)))
    assert isinstance(found, CapturedFrame)
    total.add(found)
    pair = only(total)
    assert (pair.rssi_min_dbm, pair.rssi_mean_dbm, pair.rssi_max_dbm) == (None, None, None)
    assert (pair.rates, pair.first_ns, pair.last_ns, total.first_ns) == ({}, None, None, None)
    assert pair.loss == 0


def test_encrypted_messages() -> None:
    ring = KeyRing()
    ring.add(LMK)
    other_key = wire.derive_key(bytes(16), LMK)
    frames = [
        sealed(1, 1),
        sealed(1, 1, retry=True),
        sealed(2, 2),
        sealed(3, 3, key=other_key),
        sealed(4, 1),  # the sender was reset, or somebody plays it again
        sealed(5, 2),
        Sent(6),
    ]
    pair = only(added(*frames, dissector=Dissector(ring)))
    assert (pair.messages, pair.encrypted, pair.unopened, pair.replayed, pair.retries) == (6, 5, 1, 1, 1)
    assert pair.message_bytes == 4 * len(b"secret") + 1
    assert (pair.missed, pair.restarts) == (0, 0)
    pair = only(added(*frames))
    assert (pair.messages, pair.encrypted, pair.unopened, pair.replayed) == (6, 5, 5, 0)


def test_messages_that_a_board_would_drop() -> None:
    total = added(Sent(1), Raw(Sent(2).mpdu + b"\0\0\0\0"), Raw(wire.build(B, A, b"x", seq=3, random_value=9, bssid=B)))
    assert (only(total).messages, only(total).dropped) == (3, 1)  # addr3 is odd, and no reason to drop


def test_the_busiest_pair_comes_first() -> None:
    total = added(Sent(1, C), Sent(2, B), Sent(3, B), Sent(1, B, source=C))
    assert [(pair.source, pair.destination) for pair in total] == [(A, B), (C, B), (A, C)]
    assert len(total) == 3
    assert list(Summary()) == []

"""The access point as a machine: who may join, what it answers to frames out of turn, and that it forgets."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow.board.accesspoint import ApTiming, ServiceSet
from espnow.board.wifi_values import AccessPoint
from espnow.frame.handshake import KeyFrame, KeyMessage, build_key_frame, pairwise_keys, primary_key
from espnow.frame.management import (
    Advertisement,
    AssociationRequest,
    AssociationResponse,
    Authentication,
    Farewell,
    Lease,
    NullData,
    ProbeRequest,
    Reason,
    Status,
    WifiFrame,
    parse_wifi,
)
from espnow.testing.bench import ManualClock

BSSID = bytes.fromhex("026e65740001")
NETWORK = bytes((192, 168, 1))
OPEN = AccessPoint(b"open")
WPA2 = AccessPoint(b"home", b"password1", security=3)


def station(number: int) -> bytes:
    return bytes.fromhex("30aa") + number.to_bytes(4, "big")


class Radio:
    """What the access point is in: it keeps the frames, parsed."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.at_home = True
        self.frames: list[WifiFrame] = []
        self.random_bytes: Callable[[int], bytes] = Random(1).randbytes

    def send_frame(self, mpdu: bytes) -> None:
        self.frames.append(parse_wifi(mpdu))

    def take_sequence(self) -> int:
        return 0

    def take(self) -> list[WifiFrame]:
        """Return what was sent since last asked, without beacons."""
        taken, self.frames = self.frames, []
        return [frame for frame in taken if not isinstance(frame, Advertisement)]


class Net:
    """An access point that runs."""

    def __init__(self, access_point: AccessPoint, **timing: int) -> None:
        self.radio = Radio()
        self.point = ServiceSet(self.radio, BSSID, access_point, channel=6, network=NETWORK, timing=ApTiming(**timing))
        self.point.start()

    def hear(self, frame: WifiFrame) -> list[WifiFrame]:
        self.point.received(frame)
        return self.radio.take()

    def authenticate(self, mac: bytes) -> int:
        (answer,) = self.hear(Authentication(BSSID, mac, BSSID, 0, 1, 0))
        assert isinstance(answer, Authentication)
        assert (answer.destination, answer.step) == (mac, 2)
        return answer.status

    def associate(self, mac: bytes, security: int = 0) -> list[WifiFrame]:
        return self.hear(AssociationRequest(mac, BSSID, self.point.access_point.ssid, security))

    def join(self, mac: bytes) -> None:
        assert self.authenticate(mac) == 0
        self.associate(mac)

    @property
    def joined(self) -> list[bytes]:
        return [found.mac for found in self.point.joined]


def second(first: WifiFrame, mac: bytes, key: bytes = b"password1", *, wrong_counter: bool = False) -> KeyFrame:
    """Return a station's answer to the first message; the keys are in `KEYS` afterwards."""
    assert isinstance(first, KeyFrame)
    nonce = b"n" * 32
    KEYS[mac] = pairwise_keys(primary_key(key, b"home"), BSSID, mac, (first.nonce, nonce))
    return answer(KeyMessage.SECOND, mac, first.replay_counter + wrong_counter, nonce)


KEYS = {}


def answer(message: KeyMessage, mac: bytes, counter: int, nonce: bytes = bytes(32)) -> KeyFrame:
    frame = parse_wifi(
        build_key_frame(message, bssid=BSSID, station=mac, replay_counter=counter, seq=0, nonce=nonce, keys=KEYS[mac])
    )
    assert isinstance(frame, KeyFrame)
    return frame


def test_an_open_network() -> None:
    net = Net(OPEN)
    assert net.authenticate(station(1)) == 0
    assert net.joined == []
    (response,) = net.associate(station(1))
    assert response == AssociationResponse(
        station(1), BSSID, 0, 1, Lease(bytes((192, 168, 1, 2)), bytes((192, 168, 1, 1)))
    )
    assert net.joined == [station(1)]


def test_a_network_with_a_key() -> None:
    net = Net(WPA2)
    mac = station(1)
    net.authenticate(mac)
    response, first = net.associate(mac, 3)
    assert isinstance(response, AssociationResponse)
    assert net.joined == []
    (third,) = net.hear(second(first, mac))
    assert isinstance(third, KeyFrame)
    assert third.message is KeyMessage.THIRD
    assert net.joined == []
    assert net.hear(answer(KeyMessage.FOURTH, mac, third.replay_counter)) == []
    assert net.joined == [mac]
    net.radio.clock.advance(5_000_000)
    assert net.radio.take() == []
    assert net.joined == [mac]


def test_a_fourth_message_with_another_key_is_none() -> None:
    net = Net(WPA2)
    mac = station(1)
    net.authenticate(mac)
    _, first = net.associate(mac, 3)
    (third,) = net.hear(second(first, mac))
    assert isinstance(third, KeyFrame)
    right = KEYS[mac]
    KEYS[mac] = pairwise_keys(bytes(32), BSSID, mac, (bytes(32), bytes(32)))
    net.hear(answer(KeyMessage.FOURTH, mac, third.replay_counter))
    assert net.joined == []
    KEYS[mac] = right
    net.hear(answer(KeyMessage.FOURTH, mac, third.replay_counter))
    assert net.joined == [mac]


@pytest.mark.parametrize("wrong", ["key", "counter", "silence", "fourth first"])
def test_who_does_not_prove_the_key_is_sent_away(wrong: str) -> None:
    net = Net(WPA2)
    mac = station(1)
    net.authenticate(mac)
    _, first = net.associate(mac, 3)
    if wrong == "key":
        assert net.hear(second(first, mac, b"password2")) == []
    elif wrong == "counter":
        assert net.hear(second(first, mac, wrong_counter=True)) == []
    elif wrong == "fourth first":
        second(first, mac)
        assert isinstance(first, KeyFrame)
        assert net.hear(answer(KeyMessage.FOURTH, mac, first.replay_counter)) == []
    net.radio.clock.advance(1_200_000)
    *questions, farewell = net.radio.take()
    assert [type(frame) for frame in questions] == [KeyFrame, KeyFrame]
    assert farewell == Farewell(mac, BSSID, BSSID, Reason.HANDSHAKE_TIMEOUT)
    assert net.point.stations == {}


def test_the_second_try_counts_too() -> None:
    net = Net(WPA2)
    mac = station(1)
    net.authenticate(mac)
    net.associate(mac, 3)
    net.radio.clock.advance(400_000)
    (again,) = net.radio.take()
    (third,) = net.hear(second(again, mac))
    net.radio.clock.advance(400_000)
    (once_more,) = net.radio.take()
    assert isinstance(third, KeyFrame)
    assert isinstance(once_more, KeyFrame)
    net.hear(answer(KeyMessage.FOURTH, mac, once_more.replay_counter))
    assert net.joined == [mac]


def test_a_station_without_encryption_is_refused_where_a_key_is_needed() -> None:
    net = Net(WPA2)
    net.authenticate(station(1))
    (response,) = net.associate(station(1), 0)
    assert isinstance(response, AssociationResponse)
    assert response.status == Status.INVALID_ELEMENT
    assert net.joined == []


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (AssociationRequest(station(1), BSSID, b"open", 0), Reason.NOT_AUTHENTICATED),
        (NullData(station(1), BSSID, False), Reason.NOT_ASSOCIATED),
        (
            KeyFrame(BSSID, station(1), KeyMessage.SECOND, 1, bytes(32), bytes(16), bytes(99)),
            Reason.NOT_ASSOCIATED,
        ),
        (Farewell(BSSID, station(1), BSSID, 8), None),
        (Authentication(BSSID, station(1), BSSID, 0, 2, 0), None),
        (Authentication(BSSID, b"\xff" * 6, BSSID, 0, 1, 0), None),
        (AssociationRequest(b"\xff" * 6, BSSID, b"open", 0), None),
        (NullData(b"\xff" * 6, BSSID, False), None),
        (KeyFrame(BSSID, b"\xff" * 6, KeyMessage.SECOND, 1, bytes(32), bytes(16), bytes(99)), None),
        (Authentication(BSSID, station(1), station(9), 0, 1, 0), None),
    ],
)
def test_frames_out_of_turn(frame: WifiFrame, reason: Reason | None) -> None:
    net = Net(OPEN)
    expected = [] if reason is None else [Farewell(station(1), BSSID, BSSID, reason)]
    assert net.hear(frame) == expected
    assert net.point.stations == {}


def test_other_algorithms_and_names_are_refused() -> None:
    net = Net(OPEN)
    (refused,) = net.hear(Authentication(BSSID, station(1), BSSID, 1, 1, 0))
    assert isinstance(refused, Authentication)
    assert refused.status == Status.OTHER_ALGORITHM
    net.authenticate(station(1))
    (response,) = net.hear(AssociationRequest(station(1), BSSID, b"other", 0))
    assert isinstance(response, AssociationResponse)
    assert response.status == Status.UNSPECIFIED


def test_room_for_so_many_and_again_when_one_leaves() -> None:
    net = Net(AccessPoint(b"open", max_clients=2))
    net.join(station(1))
    net.join(station(2))
    assert net.authenticate(station(3)) == Status.TOO_MANY_STATIONS
    assert net.authenticate(station(2)) == 0  # it begins anew
    net.associate(station(2))
    net.hear(Farewell(BSSID, station(1), BSSID, 8))
    net.join(station(3))
    assert net.joined == [station(2), station(3)]
    assert [(found.association_id, found.ip) for found in net.point.joined] == [
        (2, "192.168.1.3"),
        (1, "192.168.1.4"),
    ]


def test_a_station_that_comes_back_has_its_address_again() -> None:
    net = Net(AccessPoint(b"open", max_clients=10))
    for number in (1, 2):
        net.join(station(number))
    net.hear(Farewell(BSSID, station(1), BSSID, 8, False))
    net.join(station(3))
    net.join(station(1))
    assert [found.ip for found in net.point.joined] == ["192.168.1.3", "192.168.1.4", "192.168.1.2"]


def test_a_thousand_guests_one_after_the_other() -> None:
    net = Net(OPEN)
    for number in range(1_000):
        net.join(station(number))
        assert net.point.joined[-1].ip.startswith("192.168.1.")
        net.hear(Farewell(BSSID, station(number), BSSID, 8))
    assert net.point.stations == {}


@pytest.mark.parametrize(
    ("hidden", "asked", "answers"),
    [(False, b"", 1), (False, b"open", 1), (False, b"x", 0), (True, b"", 0), (True, b"open", 1)],
)
def test_probes(hidden: bool, asked: bytes, answers: int) -> None:
    net = Net(AccessPoint(b"open", hidden=hidden))
    net.point.received(ProbeRequest(station(1), asked))
    assert [frame.ssid for frame in net.radio.frames if isinstance(frame, Advertisement)] == [b"open"] * answers


def test_beacons() -> None:
    net = Net(AccessPoint(b"open", hidden=True))
    net.radio.clock.advance(1_024_000)
    beacons = [frame for frame in net.radio.frames if isinstance(frame, Advertisement)]
    assert [beacon.timestamp_us for beacon in beacons] == [102_400 * n for n in range(1, 11)]
    assert {(beacon.ssid, beacon.channel, beacon.interval_us) for beacon in beacons} == {(b"", 6, 102_400)}
    net.radio.at_home = False
    net.radio.frames.clear()
    net.radio.clock.advance(1_024_000)
    net.point.received(ProbeRequest(station(1), b"open"))
    assert net.radio.frames == []


def test_a_channel_switch_is_announced_and_then_made() -> None:
    net = Net(OPEN, switch_beacons=3)
    went: list[int] = []
    net.point.switch_channel(11, went.append)
    net.radio.clock.advance(5 * 102_400)
    beacons = [frame for frame in net.radio.frames if isinstance(frame, Advertisement)]
    assert [(beacon.channel, beacon.switch_channel, beacon.switch_count) for beacon in beacons] == [
        (6, 11, 3),
        (6, 11, 2),
        (6, 11, 1),
        (11, 0, 0),
        (11, 0, 0),
    ]
    assert went == [11]


def test_a_silent_station_is_forgotten() -> None:
    net = Net(AccessPoint(b"open", max_clients=4), silence_us=10_000_000)
    net.join(station(1))
    net.join(station(2))
    for _ in range(3):
        net.radio.clock.advance(4_000_000)
        net.hear(NullData(station(2), BSSID, True))
    assert net.joined == [station(2)]
    assert net.point.joined[0].power_save


def test_nothing_is_left_after_the_end() -> None:
    net = Net(WPA2)
    net.authenticate(station(1))
    net.associate(station(1), 3)
    net.point.stop()
    net.radio.take()
    net.radio.clock.advance(60_000_000)
    assert net.radio.frames == []
    assert net.hear(Authentication(BSSID, station(1), BSSID, 0, 1, 0)) == []


def test_no_repr_shows_a_key() -> None:
    assert "password1" not in repr(WPA2)


macs = st.builds(station, st.integers(0, 5))
here = st.just(BSSID)
small = st.integers(0, 4)
frames = st.one_of(
    st.builds(Authentication, here, macs, here, st.integers(0, 1), small, small),
    st.builds(AssociationRequest, macs, here, st.sampled_from((b"home", b"")), st.sampled_from((0, 3))),
    st.builds(Farewell, here, macs, here, st.integers(0, 70)),
    st.builds(NullData, macs, here, st.booleans()),
    st.builds(KeyFrame, here, macs, st.sampled_from(KeyMessage), small, *map(st.just, (bytes(32), bytes(16), b"x"))),
    st.builds(AssociationResponse, here, macs, st.just(0), st.just(1)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(frames, st.integers(0, 500_000)), max_size=30))
def test_whatever_arrives_nobody_joins_without_the_key(arrivals: list[tuple[WifiFrame, int]]) -> None:
    net = Net(WPA2)
    for frame, after_us in arrivals:
        net.hear(frame)
        net.radio.clock.advance(after_us)
    assert net.joined == []
    assert len(net.point.stations) <= 4

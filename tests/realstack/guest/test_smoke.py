"""That the surroundings work: radios, the air between them, an access point, and a second implementation of ESP-NOW."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest
import second
from bare import BareMonitor
from hostapd import AccessPoint
from hwsim import Hwsim
from medium import Medium

from espnow import frame
from espnow.frame import radiotap
from espnow.radio.monitor import device
from espnow.radio.monitor.netlink import NetlinkError
from espnow.radio.monitor.nl80211 import Mode, Nl80211

BOARD = bytes.fromhex("240ac4000001")
STRANGER = bytes.fromhex("240ac4000002")
PMK = b"pmk1234567890123"
LMK = b"lmk1234567890123"


def test_radios_come_and_go(hwsim: Hwsim) -> None:
    first, second_one = hwsim.plug(), hwsim.plug(BOARD)
    assert first.address != second_one.address == BOARD
    with Nl80211() as nl80211:
        found = {interface.name: interface for interface in nl80211.interfaces()}
        assert set(found) == {first.interface, second_one.interface}
        assert found[second_one.interface].address == BOARD
        assert Mode.MONITOR in nl80211.phys()[0].modes
        hwsim.unplug(first)
        assert [interface.name for interface in nl80211.interfaces()] == [second_one.interface]
        hwsim.unplug(first)


def test_a_blocked_radio_does_not_come_up(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    radio.block()
    assert device.blocked(radio.phy)
    with pytest.raises(OSError, match="RF-kill"):
        device.set_up(radio.interface, True)
    radio.block(False)
    device.set_up(radio.interface, True)


def test_the_regulatory_domain(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    with Nl80211() as nl80211:
        assert nl80211.country() == "00"
        hwsim.set_country("US")
        phy = nl80211.phy(radio.phy_index)
        assert phy is not None
        assert [channel.number for channel in phy.channels if channel.disabled] == [12, 13, 14]


@pytest.mark.parametrize("contexts", [1, 2])
def test_the_kernel_passes_frames(hwsim: Hwsim, contexts: int) -> None:
    radios = [hwsim.plug(contexts=contexts) for _ in range(2)]
    with BareMonitor(radios[0]) as sender, BareMonitor(radios[1]) as receiver:
        mpdu = second.build(second.BROADCAST, BOARD, b"hello")
        sender.send(mpdu)
        captured = receiver.receive_from(BOARD)
        assert captured is not None
        assert captured.mpdu == mpdu
        assert captured.radiotap.channel == 1


def test_groups_are_out_of_each_others_range(hwsim: Hwsim) -> None:
    radios = hwsim.plug(), hwsim.plug()
    with BareMonitor(radios[0]) as sender, BareMonitor(radios[1]) as receiver:
        radios[1].set_group(2)
        sender.send(second.build(second.BROADCAST, BOARD, b"far"))
        assert sender.report(second.BROADCAST) is not None
        radios[1].set_group(1)
        sender.send(second.build(second.BROADCAST, BOARD, b"near"))
        captured = receiver.receive_from(BOARD)
        assert captured is not None
        assert second.read(captured.mpdu).message == b"near"


def test_the_medium_passes_frames(hwsim: Hwsim, medium: Medium) -> None:
    radios = hwsim.plug(), hwsim.plug()
    medium.path(*radios).rssi_dbm = -71
    with BareMonitor(radios[0], 6) as sender, BareMonitor(radios[1], 6) as receiver:
        mpdu = second.build(second.BROADCAST, BOARD, b"hello")
        sender.send(mpdu)
        captured = receiver.receive_from(BOARD)
        assert captured is not None
        assert captured.mpdu == mpdu
        assert captured.radiotap.rssi_dbm == -71
        assert captured.radiotap.channel == 6
    (sent,) = [sent for sent in medium.sent if sent.mpdu[10:16] == BOARD]
    assert (sent.sender, sent.channel, sent.attempts, sent.wanted) == (radios[0], 6, 1, False)


def test_the_medium_loses_frames(hwsim: Hwsim, medium: Medium) -> None:
    radios = hwsim.plug(), hwsim.plug()
    with BareMonitor(radios[0]) as sender, BareMonitor(radios[1]) as receiver:
        medium.path(*radios).lose(1)
        for message in (b"lost", b"found"):
            sender.send(second.build(second.BROADCAST, BOARD, message))
        captured = receiver.receive_from(BOARD)
        assert captured is not None
        assert second.read(captured.mpdu).message == b"found"
        assert receiver.receive_from(BOARD, 0) is None


def test_another_channel_is_not_heard(hwsim: Hwsim, medium: Medium) -> None:
    radios = [hwsim.plug() for _ in range(3)]
    station = medium.add_station(STRANGER, 11)
    with BareMonitor(radios[0], 6) as sender, BareMonitor(radios[1], 11) as other, BareMonitor(radios[2], 6) as same:
        sender.send(second.build(second.BROADCAST, BOARD, b"six"))
        assert same.receive_from(BOARD) is not None
        assert other.receive_from(BOARD, 0) is None
    assert station.heard.empty()


@pytest.mark.parametrize(
    ("lost", "answers_lost", "attempts", "acknowledged"),
    [(0, 0, 1, True), (3, 0, 4, True), (0, 2, 3, True), (1, 1, 3, True), (11, 0, 11, False), (0, 99, 11, False)],
)
def test_tries_of_a_frame_to_a_virtual_station(
    hwsim: Hwsim, medium: Medium, lost: int, answers_lost: int, attempts: int, acknowledged: bool
) -> None:
    radio = hwsim.plug()
    station = medium.add_station(STRANGER, 1)
    path = medium.path(radio, station)
    path.lose(lost)
    path.lose_answers(answers_lost)
    with BareMonitor(radio) as sender:
        sender.send(second.build(STRANGER, BOARD, b"x"))
        report = sender.report(STRANGER)
    assert report is not None
    assert report.radiotap.tx_failed is not acknowledged
    assert report.radiotap.data_retries == attempts - 1
    (sent,) = [sent for sent in medium.sent if sent.mpdu[10:16] == BOARD]
    assert (sent.attempts, sent.acknowledged, sent.wanted) == (attempts, acknowledged, True)
    heard = [station.next_heard() for _ in range(attempts - lost)]
    assert [second.read(one.mpdu).retry for one in heard] == [bool(lost or number) for number in range(len(heard))]


def test_a_virtual_station_that_is_silent_or_answers(hwsim: Hwsim, medium: Medium) -> None:
    station = medium.add_station(STRANGER, 1)
    station.acknowledges = False
    with BareMonitor(hwsim.plug()) as sender:
        sender.send(second.build(STRANGER, BOARD, b"x"))
        report = sender.report(STRANGER)
        assert report is not None
        assert report.radiotap.tx_failed
        station.acknowledges = True
        station.act = lambda _: station.send(second.build(BOARD, STRANGER, b"answer"))
        sender.send(second.build(STRANGER, BOARD, b"question"))
        answer = sender.receive_from(STRANGER)
    assert answer is not None
    assert second.read(answer.mpdu).message == b"answer"
    # A monitor interface acknowledges nothing.
    sent = medium.sent[-1]
    assert (sent.sender, sent.attempts, sent.acknowledged) == (station, 7, False)


def test_a_driver_that_does_not_tell(hwsim: Hwsim, medium: Medium) -> None:
    radios = hwsim.plug(), hwsim.plug()
    medium.reports = False
    with BareMonitor(radios[0]) as sender, BareMonitor(radios[1]) as receiver:
        for to in (STRANGER, second.BROADCAST):  # the first one's report would come before the second one is heard
            sender.send(second.build(to, BOARD, b"x"))
        while (heard := receiver.receive_from(BOARD)) is not None and heard.mpdu[4:10] == STRANGER:
            pass
        assert heard is not None
        assert sender.report(STRANGER, 0) is None


@pytest.mark.parametrize("with_medium", [False, True])
def test_an_access_point_acknowledges(
    hwsim: Hwsim, tmp_path: Path, request: pytest.FixtureRequest, with_medium: bool
) -> None:
    if with_medium:
        request.getfixturevalue("medium")
    radios = hwsim.plug(), hwsim.plug()
    with AccessPoint(radios[0], tmp_path, channel=6) as router, BareMonitor(radios[1], 6) as sender:
        assert router.channel == 6
        for receiver, failed in ((radios[0].address, False), (STRANGER, True)):
            sender.send(second.build(receiver, BOARD, b"x"))
            report = sender.report(receiver)
            assert report is not None
            assert report.radiotap.tx_failed is failed


@pytest.mark.parametrize("length", [1, 250, 251, 1470])
@pytest.mark.parametrize("encrypted", [False, True])
def test_both_implementations_agree(length: int, encrypted: bool) -> None:
    chance = random.Random(length)
    message = chance.randbytes(length)
    version = 1 if length <= 250 else 2
    key = second.derive_key(PMK, LMK)
    assert key == frame.derive_key(PMK, LMK)
    theirs = second.build(
        STRANGER,
        BOARD,
        message,
        sequence_number=0x123,
        random_value=0x89ABCDEF,
        version=version,
        key=key if encrypted else None,
        packet_number=0x0102030405,
    )
    parsed = frame.parse(theirs)
    if encrypted:
        assert isinstance(parsed, frame.ProtectedFrame)
        assert parsed.packet_number == 0x0102030405
        parsed = frame.open_protected(parsed, key)
    assert isinstance(parsed, frame.Frame)
    assert (parsed.source, parsed.destination, parsed.message) == (BOARD, STRANGER, message)
    build = partial(frame.build_protected, key=key, packet_number=0x0102030405) if encrypted else frame.build
    ours = build(STRANGER, BOARD, message, seq=0x123, random_value=0x89ABCDEF, version=version)
    assert ours == theirs
    found = second.read(ours, key)
    assert (found.source, found.destination, found.message) == (BOARD, STRANGER, message)
    assert (found.sequence_number, found.random_value, found.version) == (0x123, 0x89ABCDEF, version)
    assert found.packet_number == (0x0102030405 if encrypted else None)


@pytest.mark.parametrize("rate", [0, 3, 11, 12])
def test_scapy_reads_the_same_radiotap(hwsim: Hwsim, rate: int) -> None:
    with BareMonitor(hwsim.plug(), 11) as sender, BareMonitor(hwsim.plug(), 11) as receiver:
        mpdu = second.build(second.BROADCAST, BOARD, b"x")
        sender.send(mpdu, radiotap.build(rate=rate, tx_flags=radiotap.TX_NO_SEQUENCE, data_retries=0))
        captured = receiver.receive_from(BOARD)
    assert captured is not None
    header, rest = second.read_radiotap(captured.whole)
    assert rest == captured.mpdu == mpdu
    assert header.Rate * 1000 == frame.RATES[rate].kbit_s
    assert header.ChannelFrequency == 2462
    assert header.dBm_AntSignal == captured.radiotap.rssi_dbm
    assert (captured.radiotap.rate, captured.radiotap.channel) == (rate, 11)


def test_what_the_kernel_refuses_is_told(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    with Nl80211() as nl80211, pytest.raises(NetlinkError):
        nl80211.set_channel(device.read_device(radio.interface).index, 6)

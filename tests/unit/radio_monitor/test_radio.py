"""The radio between a station and the kernel: what is injected, what reports mean, what is heard, what goes wrong."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from espnow.errors import LinkFull, UserError
from espnow.frame import BROADCAST, RATES, ack, build, build_protected, fcs, radiotap, unicast_duration
from espnow.link import Absence, Outcome
from espnow.radio.monitor import radio as module
from espnow.radio.monitor.nl80211 import Mode, MonitorFlag

OWN = bytes.fromhex("7e0000000001")
SECOND = bytes.fromhex("7e0000000002")
PEER = bytes.fromhex("246f28aabbcc")
KEY = bytes(range(16))

ACKED, FAILED, UNKNOWN = Outcome.ACKNOWLEDGED, Outcome.NOT_ACKNOWLEDGED, Outcome.UNKNOWN


def plain(random_value: int = 1, *, to: bytes = PEER, source: bytes = OWN, message: bytes = b"hello") -> bytes:
    return build(to, source, message, seq=random_value & 0xFFF, random_value=random_value)


def report(packet: bytes, *, failed: bool = False, retries: int = 0) -> bytes:
    """Return the report about an injected packet, as kernels write it."""
    told = radiotap.parse(packet)
    head = bytes.fromhex("00000d000480020002000000") + bytes((retries,))
    return head[:10] + bytes((int(failed), 0)) + head[12:] + packet[told.length :]


def heard(mpdu: bytes, *, rssi_dbm: int | None = -50, channel: int | None = 6, rate: int = 0, **more: Any) -> bytes:
    return radiotap.build(channel=channel, rate=rate, rssi_dbm=rssi_dbm, at_us=1, **more) + mpdu


@pytest.fixture
def opened(monitor: Any) -> Iterator[Any]:
    """A radio that is up on channel 6."""
    monitor.open()
    monitor.reports.clear()
    monitor.injected()
    return monitor


def send(one: Any, mpdu: bytes, token: int = 7) -> bytes:
    """Send a frame, and return what was injected for it."""
    one.radio.transmit(mpdu, token)
    (packet,) = one.injected()
    return bytes(packet)


# Sending.


@pytest.mark.parametrize(("failed", "outcome"), [(False, ACKED), (True, FAILED)])
@pytest.mark.parametrize("retries", [0, 3, 10])
def test_a_report_is_the_answer(opened: Any, failed: bool, outcome: Outcome, retries: int) -> None:
    mpdu = plain()
    packet = send(opened, mpdu)
    assert packet.endswith(mpdu)
    assert opened.station.told == []
    opened.put(report(packet, failed=failed, retries=retries))
    assert opened.station.told == [(7, outcome, retries + 1)]
    opened.put(report(packet, failed=failed))
    assert len(opened.station.told) == 1
    assert opened.radio.counts.foreign_reports == 1


def test_groups_are_answered_as_acknowledged_when_they_are_sent(opened: Any) -> None:
    packet = send(opened, plain(to=BROADCAST))
    assert radiotap.parse(packet).data_retries == 0
    opened.put(report(packet))
    assert opened.station.told == [(7, ACKED, 1)]


def test_protected_frames_are_known_by_their_packet_number(opened: Any) -> None:
    def protected(number: int) -> bytes:
        return build_protected(PEER, OWN, b"secret", seq=1, random_value=1, key=KEY, packet_number=number)

    first, second = send(opened, protected(1), 1), send(opened, protected(2), 2)
    opened.put(report(second), report(first, failed=True))
    assert opened.station.told == [(2, ACKED, 1), (1, FAILED, 1)]


def test_wifis_own_frames_leave_slowly_and_are_known_by_their_number(opened: Any) -> None:
    opened.configure(rate=23, group_rate=23)
    probe = b"\x40\0\0\0" + BROADCAST + OWN + BROADCAST + b"\x10\x00" + b"\0\0\1\4\2\4\x0b\x16"
    packet = send(opened, probe)
    assert radiotap.parse(packet).rate == 0
    opened.put(report(packet))
    assert opened.station.told == [(7, ACKED, 1)]


@pytest.mark.parametrize("rate", sorted(RATES))
def test_rates(opened: Any, rate: int) -> None:
    opened.configure(rate=rate, attempts=5)
    told = radiotap.parse(send(opened, plain()))
    assert told.data_retries == 4
    assert told.tx_flags == radiotap.TX_NO_SEQUENCE
    assert told.rate in opened.radio.abilities.rates
    assert told.rate == rate or rate not in opened.radio.abilities.rates


def test_frames_are_left_as_they_are(opened: Any) -> None:
    mpdu = build(PEER, OWN, b"x", seq=77, random_value=5, duration=unicast_duration(0))
    packet = send(opened, mpdu)
    assert packet[radiotap.parse(packet).length :] == mpdu


def test_reports_of_others_and_of_any_bytes_change_nothing(opened: Any) -> None:
    packet = send(opened, plain(1))
    opened.put(
        report(radiotap.build(rate=0) + plain(2)), bytes.fromhex("0000ff0004800200"), bytes(8), b"\0\0\x08\0\0\x80"
    )
    assert opened.station.told == []
    opened.put(report(packet))
    assert opened.station.told == [(7, ACKED, 1)]


def test_one_frame_twice_is_answered_twice_in_order(opened: Any) -> None:
    mpdu = plain()
    packet = send(opened, mpdu, 1)
    opened.radio.transmit(mpdu, 2)
    assert opened.injected() == []  # its report would be taken for the other's
    opened.put(report(packet, failed=True))
    (again,) = opened.injected()
    opened.put(report(again))
    assert opened.station.told == [(1, FAILED, 1), (2, ACKED, 1)]


def test_it_takes_so_many_and_no_more(opened: Any) -> None:
    for token in range(32):
        opened.radio.transmit(plain(token + 1), token)
    with pytest.raises(LinkFull):
        opened.radio.transmit(plain(99), 99)
    packets = opened.injected()
    opened.put(report(packets[0]))
    opened.radio.transmit(plain(100), 100)
    opened.put(*map(report, packets[1:]))
    assert [token for token, *_ in opened.station.told] == list(range(32))


def test_frames_wait_in_order_while_the_kernel_is_full(opened: Any) -> None:
    opened.socket.send_errors = [errno.ENOBUFS, errno.EAGAIN]
    for token in (1, 2, 3):
        opened.radio.transmit(plain(token), token)
    assert opened.injected() == []
    opened.loop.advance(1_000)
    assert opened.injected() == []
    opened.loop.advance(1_000)
    packets = opened.injected()
    assert [packet[-len(plain(1)) :] for packet in packets] == [plain(1), plain(2), plain(3)]
    assert opened.radio.counts.full == 2


def test_without_a_report_it_is_unknown(opened: Any) -> None:
    packet = send(opened, plain(1), 1)
    opened.put(report(packet))
    send(opened, plain(2), 2)
    send(opened, plain(3, to=BROADCAST), 3)
    opened.loop.advance(399_000)
    assert len(opened.station.told) == 1
    opened.loop.advance(202_000)
    assert opened.station.told[1:] == [(2, UNKNOWN, 1), (3, ACKED, 1)]
    assert opened.radio.counts.unreported == 2
    assert opened.radio.trouble is None


def test_a_lost_report_after_a_rest_is_given_up_too(opened: Any) -> None:
    for token in (1, 2):
        opened.put(report(send(opened, plain(token), token)))
    opened.loop.advance(1_000_000)
    send(opened, plain(3), 3)
    opened.loop.advance(601_000)
    assert opened.station.told[2:] == [(3, UNKNOWN, 1)]


def test_a_report_gives_those_behind_it_time(opened: Any) -> None:
    first, second = send(opened, plain(1), 1), send(opened, plain(2), 2)
    opened.loop.advance(350_000)
    opened.put(report(first))
    opened.loop.advance(350_000)
    opened.put(report(second))
    assert [outcome for _, outcome, _ in opened.station.told] == [ACKED, ACKED]


def test_one_lost_report_is_given_up_while_others_come(opened: Any) -> None:
    send(opened, plain(1), 1)
    for token in range(2, 100):
        opened.put(report(send(opened, plain(token), token)), heard(plain(token, to=BROADCAST, source=PEER)))
        opened.loop.advance(100_000)
        if opened.radio.counts.unreported:
            break
    assert (1, UNKNOWN, 1) in opened.station.told
    assert 5_800_000 <= opened.loop.now_us <= 6_400_000
    assert opened.radio.trouble is None
    assert opened.system.done[-1] == ("channel", "wlan1", 6)  # that of the begin: nothing else was done about it


def test_what_is_too_long_is_refused(opened: Any) -> None:
    opened.radio.transmit(plain() + bytes(2304), 1)
    assert opened.station.told == []
    opened.loop.turn()
    assert opened.station.told == [(1, FAILED, 0)]
    assert opened.injected() == []


def test_the_kernel_refuses_one_frame(opened: Any) -> None:
    opened.socket.send_errors = [errno.EINVAL]
    opened.radio.transmit(plain(1), 1)
    opened.loop.turn()
    assert opened.station.told == [(1, FAILED, 0)]
    assert opened.radio.trouble is None
    send(opened, plain(2), 2)


def test_a_radio_that_is_off_sends_and_hears_nothing(opened: Any) -> None:
    opened.configure(addresses=(), receiver_on=False)
    opened.radio.transmit(plain(), 1)
    opened.put(heard(plain(to=OWN, source=PEER)), heard(plain(to=BROADCAST, source=PEER)))
    assert opened.station.told == [(1, FAILED, 0)]
    assert opened.injected() == []
    assert opened.station.received_frames == []


def test_what_waits_when_it_is_switched_off_is_not_sent(opened: Any) -> None:
    opened.socket.send_errors = [errno.ENOBUFS]
    opened.radio.transmit(plain(), 1)
    opened.configure(addresses=(), receiver_on=False)
    opened.loop.advance(5_000)
    assert opened.station.told == [(1, FAILED, 0)]
    assert opened.injected() == []


# Hearing.


def test_what_is_handed_up(opened: Any) -> None:
    unicast, group = plain(to=OWN, source=PEER), plain(to=BROADCAST, source=PEER)
    opened.loop.advance(5)
    opened.put(heard(unicast, rate=23), heard(group, rssi_dbm=-80))
    at_us = opened.loop.now_us
    assert opened.station.received_frames == [(unicast, -50, 6, 23, at_us), (group, -80, 6, 0, at_us)]


def test_another_channel_is_not_heard_but_by_who_hears_all(opened: Any) -> None:
    group = plain(to=BROADCAST, source=PEER)
    opened.put(heard(group, channel=7))
    assert opened.station.received_frames == []
    assert (opened.radio.counts.other_channel, opened.radio.counts.frames_heard) == (1, 0)
    opened.configure(promiscuous=True)
    opened.put(heard(group, channel=7))
    assert [frame[:3] for frame in opened.station.received_frames] == [(group, -50, 7)]


@pytest.mark.parametrize("own", [0, 1])
def test_another_channel_than_it_should_be_on_is_told_of_once(opened: Any, own: int) -> None:
    """The driver stayed on it, or another program changed it meanwhile."""
    group = plain(to=BROADCAST, source=PEER)
    opened.put(*[heard(group)] * own, *[heard(group, channel=1)] * 50)
    (line,) = opened.reports
    assert "all that is heard is on channel 1, not on 6: another program changed it" in line
    opened.configure(channel=11)
    opened.put(*[heard(group, channel=1)] * 20)
    assert len(opened.reports) == 2


def test_some_frames_of_other_channels_between_its_own_are_nothing_to_tell(opened: Any) -> None:
    group = plain(to=BROADCAST, source=PEER)
    for _ in range(5):
        opened.put(*[heard(group, channel=5)] * 19, heard(group))
    assert opened.reports == []
    assert opened.radio.counts.other_channel == 95


@pytest.mark.parametrize("promiscuous", [False, True])
def test_frames_of_another_band_are_not_taken_for_its_own(opened: Any, promiscuous: bool) -> None:
    opened.configure(promiscuous=promiscuous)
    at_5_ghz = bytes.fromhex("00000c0008000000") + (5180).to_bytes(2, "little") + bytes.fromhex("4001")
    opened.put(at_5_ghz + plain(to=OWN, source=PEER))
    assert opened.station.received_frames == []
    assert opened.radio.counts.other_channel == 1


def test_packets_that_were_lost_are_counted(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = iter((3, 4))
    monkeypatch.setattr(opened.radio._hearing, "lost", lambda: next(lost))
    opened.put(*[heard(plain(to=BROADCAST, source=PEER))] * 31)
    assert opened.radio.counts.lost == 0  # too few to lose any
    opened.put(*[heard(plain(to=BROADCAST, source=PEER))] * 70)
    assert opened.radio.counts.lost == 7


def test_what_the_driver_does_not_tell(opened: Any) -> None:
    opened.put(radiotap.build() + plain(to=OWN, source=PEER))
    assert opened.station.received_frames[0][1:4] == (-127, 6, 0)


def test_an_fcs_is_cut_off_where_there_is_one(opened: Any) -> None:
    mpdu = plain(to=OWN, source=PEER)
    opened.put(heard(mpdu + fcs(mpdu), fcs=True), heard(mpdu))
    assert [frame[0] for frame in opened.station.received_frames] == [mpdu, mpdu]


def test_broken_frames_and_reflections_are_counted(opened: Any) -> None:
    opened.configure(promiscuous=True)
    mpdu = plain(to=OWN, source=PEER)
    bad = bytearray(heard(mpdu, fcs=True))
    bad[16] |= 0x40  # FLAGS, behind TSFT: the FCS was wrong
    assert radiotap.parse(bytes(bad)).bad_fcs
    opened.put(bytes(bad), heard(mpdu[:24] + b"\xff" + mpdu[25:]), heard(mpdu[:9]), heard(b"\xd0" + bytes(12)))
    assert opened.station.received_frames == []
    counts = opened.radio.counts
    assert (counts.bad_fcs, counts.reflected, counts.malformed) == (1, 1, 2)


def test_others_frames_come_when_they_are_asked_for(opened: Any) -> None:
    other, answer = plain(to=SECOND, source=PEER), ack(PEER)
    beacon = b"\x80\0\0\0" + BROADCAST + PEER + PEER + bytes(30)
    everything = [other, answer, beacon]
    opened.put(*map(heard, everything))
    assert opened.station.received_frames == []
    opened.configure(promiscuous=True)
    assert MonitorFlag.CONTROL in opened.system.monitor_flags
    opened.put(*map(heard, everything))
    assert [frame[0] for frame in opened.station.received_frames] == everything
    opened.configure()
    assert MonitorFlag.CONTROL not in opened.system.monitor_flags


def test_beacons_come_while_it_looks_for_networks(opened: Any) -> None:
    beacon = b"\x80\0\0\0" + BROADCAST + PEER + PEER + bytes(30)
    answer = b"\x50\0\0\0" + OWN + PEER + PEER + bytes(30)
    opened.put(heard(beacon), heard(answer))
    opened.configure(absence=Absence.SCANNING)
    opened.put(heard(beacon), heard(answer))
    assert [frame[0] for frame in opened.station.received_frames] == [answer, beacon, answer]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(st.binary(min_size=1, max_size=120), max_size=8), st.booleans())
def test_nothing_that_arrives_harms_it(opened: Any, junk: list[bytes], promiscuous: bool) -> None:
    opened.configure(promiscuous=promiscuous)
    before = len(opened.station.received_frames)
    good = plain(to=OWN, source=PEER)
    opened.put(*junk, heard(good))
    assert opened.station.received_frames[before:][-1][0] == good
    assert opened.radio.trouble is None


# Drivers without reports.


def test_a_driver_that_never_reports_is_found_out(opened: Any) -> None:
    for token in range(4):
        send(opened, plain(token + 1), token)
    opened.loop.advance(601_000)
    assert [outcome for _, outcome, _ in opened.station.told] == [UNKNOWN] * 4
    (line,) = opened.reports
    assert "rt2800usb does not report" in line
    assert MonitorFlag.CONTROL in opened.system.monitor_flags
    abilities = opened.radio.abilities
    assert not abilities.tells_outcome
    assert not abilities.tells_attempts
    opened.station.outcomes.clear()

    # One at a time, and whoever is heard acknowledging tells.
    opened.radio.transmit(plain(10), 10)
    opened.radio.transmit(plain(11), 11)
    assert len(opened.injected()) == 1
    opened.put(heard(ack(PEER)))
    assert opened.station.told == []
    opened.put(heard(ack(OWN)))
    assert opened.station.told == [(10, ACKED, 1)]
    assert len(opened.injected()) == 1
    opened.loop.advance(61_000)
    assert opened.station.told[1:] == [(11, UNKNOWN, 1)]

    # Groups need not wait.
    for token in (20, 21):
        opened.radio.transmit(plain(token, to=BROADCAST), token)
    opened.loop.turn()
    assert opened.station.told[2:] == [(20, ACKED, 1), (21, ACKED, 1)]
    assert len(opened.injected()) == 2

    # And a report after all sets it right.
    packet = send(opened, plain(30), 30)
    opened.put(report(packet, failed=True, retries=2))
    assert opened.station.told[4:] == [(30, FAILED, 3)]
    assert opened.radio.abilities.tells_outcome


@pytest.mark.parametrize("failed", [True, False])
def test_reports_that_do_not_tell_are_not_taken(monitor: Any, failed: bool) -> None:
    monitor.system.driver = "ath9k_htc" if failed else "rtl8xxxu"
    monitor.open()
    assert not monitor.radio.abilities.tells_outcome
    assert MonitorFlag.CONTROL in monitor.system.monitor_flags
    assert monitor.reports == []
    group = send(monitor, plain(1, to=BROADCAST), 1)
    monitor.put(report(group))
    assert monitor.reports == []
    packet = send(monitor, plain(2), 2)
    (line,) = monitor.reports
    assert "reports every frame" in line
    monitor.put(report(packet, failed=failed))
    assert monitor.station.told == [(1, ACKED, 1)]
    monitor.put(heard(ack(OWN)))
    packet = send(monitor, plain(3), 3)
    monitor.put(report(packet, failed=failed))
    monitor.loop.advance(61_000)
    assert monitor.station.told[1:] == [(2, ACKED, 1), (3, UNKNOWN, 1)]
    assert len(monitor.reports) == 1


def test_reports_that_tell_while_the_adapter_acknowledges(monitor: Any) -> None:
    monitor.system.driver = "ath9k_htc"
    monitor.open("monitor:wlan1?ack=on")
    assert monitor.radio.abilities.tells_outcome
    monitor.put(report(send(monitor, plain(1), 1), failed=True))
    assert monitor.station.told == [(1, FAILED, 1)]
    monitor.configure(receiver_on=False)  # and its access point is gone
    assert not monitor.radio.abilities.tells_outcome
    monitor.put(report(send(monitor, plain(2), 2), failed=True))
    monitor.loop.advance(61_000)
    assert monitor.station.told[1:] == [(2, UNKNOWN, 1)]
    monitor.configure()
    monitor.put(report(send(monitor, plain(3), 3)))
    assert monitor.station.told[2:] == [(3, ACKED, 1)]


# The channel.


def test_a_channel_is_changed_when_nothing_is_on_its_way(opened: Any) -> None:
    packet = send(opened, plain(1), 1)
    opened.system.done.clear()
    opened.configure(channel=11)
    opened.radio.transmit(plain(2), 2)
    assert opened.injected() == []
    assert opened.system.done == []
    opened.put(report(packet))
    assert opened.system.done == [("channel", "wlan1", 11)]
    assert len(opened.injected()) == 1


@pytest.mark.parametrize(
    ("channel", "words"),
    [(12, "must not be sent on first (no-IR) in regulatory domain 00"), (14, "no-IR")],
)
def test_a_channel_that_must_not_be_sent_on(opened: Any, channel: int, words: str) -> None:
    opened.configure(channel=channel)
    assert words in opened.radio.trouble
    assert opened.reports == [opened.radio.trouble]
    opened.radio.transmit(plain(1, to=BROADCAST), 1)
    opened.loop.turn()
    assert opened.station.told == [(1, FAILED, 0)]
    opened.put(heard(plain(to=BROADCAST, source=PEER), channel=channel))
    assert len(opened.station.received_frames) == 1
    opened.configure(channel=1)
    assert opened.radio.trouble is None
    assert opened.reports[1:] == ["wlan1 works again"]


def test_a_search_passes_such_channels_in_silence(opened: Any) -> None:
    for channel in (11, 12, 13, 1):
        opened.configure(channel=channel, absence=Absence.SCANNING)
    opened.configure(channel=6)
    assert opened.reports == []
    assert opened.radio.trouble is None


def test_somebody_holds_the_channel(opened: Any) -> None:
    other = opened.system.plug_in("wlan2")
    other.phy, other.up = opened.system.interfaces["wlan1"].phy, True
    opened.system.running = {"hostapd": 1}
    opened.configure(channel=3)
    assert "held on its channel by wlan2 (managed): sudo ip link set wlan2 down" in opened.radio.trouble
    assert "hostapd runs" in opened.radio.trouble


# Acknowledging.


def test_it_says_that_it_does_not_acknowledge_when_a_board_sends_to_it(monitor: Any) -> None:
    monitor.open()
    assert not monitor.radio.abilities.acknowledges
    monitor.put(heard(plain(to=BROADCAST, source=PEER)))
    send(monitor, plain(1))
    assert monitor.reports == []
    monitor.put(heard(plain(to=OWN, source=PEER)), heard(plain(to=OWN, source=PEER)))
    (line,) = monitor.reports
    assert "no acknowledgement" in line
    assert "monitor:wlan1?ack=on" in line
    assert len(monitor.station.received_frames) == 3


@pytest.mark.parametrize("text", ["monitor:wlan1", "monitor:wlan1?ack=on"])
def test_a_sniffer_and_one_that_acknowledges_are_not_told(monitor: Any, text: str) -> None:
    monitor.open(text, **({} if "ack" in text else {"promiscuous": True, "addresses": ()}))
    monitor.put(heard(plain(to=OWN, source=PEER)))
    assert len(monitor.station.received_frames) == 1
    assert monitor.reports == []


def test_acknowledging(monitor: Any) -> None:
    monitor.open("monitor:wlan1?ack=on", addresses=(OWN, SECOND), channel=3)
    system = monitor.system
    assert monitor.radio.abilities.acknowledges
    assert monitor.radio.adapter.answers == (OWN, SECOND)
    access_points = [one for one in system.interfaces.values() if one.mode == Mode.AP]
    assert [one.address for one in access_points] == [OWN, SECOND]
    assert all(one.up for one in access_points)
    system.done.clear()
    monitor.configure(addresses=(OWN,), channel=11)
    assert [done[0] for done in system.done] == ["stop", "stop", "delete", "start"]
    assert system.done[-1][-1] == 11
    monitor.configure(addresses=(), receiver_on=False)
    assert monitor.radio.adapter.answers == ()
    monitor.radio.close()
    assert list(system.interfaces) == ["wlan1"]


def test_acknowledging_that_the_kernel_refuses(monitor: Any) -> None:
    monitor.system.refuses["start"] = errno.EOPNOTSUPP
    monitor.open("monitor:wlan1?ack=on")
    assert "wlan1 cannot" in monitor.radio.trouble
    assert list(monitor.system.interfaces) == ["wlan1"]


def test_an_address_that_the_driver_does_not_take(monitor: Any) -> None:
    monitor.system.given = SECOND
    monitor.open("monitor:wlan1?ack=on")
    given = SECOND.hex(":")
    assert f"wlan1 cannot acknowledge on channel 6: its driver answers for {given} alone" in monitor.radio.trouble
    assert f"set ESPNOW_MAC={given}" in monitor.radio.trouble
    assert list(monitor.system.interfaces) == ["wlan1"]


@pytest.mark.parametrize("how", ["stopped", "deleted", "changed"])
def test_an_access_point_that_another_program_ends_is_noticed_and_made_again(monitor: Any, how: str) -> None:
    monitor.open("monitor:wlan1?ack=on")
    (name,) = [one.name for one in monitor.system.interfaces.values() if one.mode == Mode.AP]
    made = monitor.system.interfaces[name]
    if how == "deleted":
        del monitor.system.interfaces[name]
    elif how == "stopped":
        made.ssid = None
    else:
        made.mode = Mode.STATION
    monitor.loop.advance(5_000_000)
    assert "wlan1 does not acknowledge any more: another program" in monitor.reports[0]
    monitor.loop.advance(500_000)
    assert monitor.radio.trouble is None
    assert monitor.reports[1:] == ["wlan1 works again"]
    assert monitor.radio.adapter.answers == (OWN,)
    monitor.loop.advance(20_000_000)
    assert len(monitor.reports) == 2


# Trouble.


def test_down_and_up_again(opened: Any) -> None:
    interface = opened.system.interfaces["wlan1"]
    packet = send(opened, plain(1), 1)
    interface.up = False
    opened.socket.receive_errors = [errno.ENETDOWN]
    opened.loop.turn()
    assert opened.radio.trouble == "wlan1 is down: sudo ip link set wlan1 up"
    assert opened.reports == [opened.radio.trouble]
    assert opened.station.told == [(1, UNKNOWN, 1)]
    opened.radio.transmit(plain(2), 2)
    opened.loop.turn()
    assert opened.station.told[1:] == [(2, FAILED, 0)]
    opened.loop.advance(2_000_000)
    assert len(opened.reports) == 1
    opened.system.done.clear()
    interface.up = True
    opened.loop.advance(500_000)
    assert opened.radio.trouble is None
    assert opened.reports[1:] == ["wlan1 works again"]
    assert ("channel", "wlan1", 6) in opened.system.done
    opened.put(report(packet))  # of before
    opened.put(report(send(opened, plain(3), 3)))
    assert opened.station.told[2:] == [(3, ACKED, 1)]


def test_a_stale_error_sets_the_channel_and_nothing_else(opened: Any) -> None:
    opened.system.done.clear()
    opened.socket.receive_errors = [errno.ENETDOWN]
    opened.loop.turn()
    opened.loop.turn()
    assert opened.radio.trouble is None
    assert opened.reports == []
    assert opened.system.done == [("channel", "wlan1", 6)]


def test_down_is_found_by_sending(opened: Any) -> None:
    opened.radio.transmit(plain(1), 1)
    opened.system.interfaces["wlan1"].up = False
    opened.socket.send_errors = [errno.ENETDOWN]
    for token in (2, 3):
        opened.radio.transmit(plain(token), token)
    opened.loop.turn()
    assert sorted(opened.station.told) == [(1, UNKNOWN, 1), (2, FAILED, 0), (3, FAILED, 0)]
    assert len(opened.reports) == 1


def test_down_is_found_by_missing_reports(opened: Any) -> None:
    opened.put(report(send(opened, plain(1), 1)))
    opened.system.interfaces["wlan1"].up = False
    send(opened, plain(2), 2)
    opened.loop.advance(601_000)
    assert "is down" in opened.radio.trouble


def test_what_waits_when_trouble_comes_is_answered_once(opened: Any) -> None:
    opened.socket.send_errors = [errno.EAGAIN, errno.ENETDOWN]
    for token in (1, 2, 3):
        opened.radio.transmit(plain(token), token)
    opened.system.interfaces["wlan1"].up = False
    opened.loop.advance(1_000)
    assert opened.station.told == [(1, FAILED, 0), (2, FAILED, 0), (3, FAILED, 0)]


def test_unplugged_and_plugged_in_again(opened: Any) -> None:
    first = opened.socket
    opened.system.unplug("wlan1")
    opened.socket.receive_errors = [errno.ENETDOWN]
    opened.loop.turn()
    assert opened.radio.trouble == "wlan1 is gone: plug its adapter in again"
    opened.loop.advance(500_000)
    assert opened.loop.watched == {}  # it would be ready for ever
    again = opened.system.plug_in("wlan1")
    opened.loop.advance(500_000)
    assert opened.radio.trouble is None
    assert opened.reports == ["wlan1 is gone: plug its adapter in again", "wlan1 works again"]
    assert (again.mode, again.up, again.mtu, again.channel) == (Mode.MONITOR, True, 2304, 6)
    assert opened.socket is not first
    opened.put(report(send(opened, plain(1), 1)))
    opened.put(heard(plain(to=OWN, source=PEER)))
    assert opened.station.told == [(1, ACKED, 1)]
    assert len(opened.station.received_frames) == 1
    opened.radio.close()
    assert (again.mode, again.up, again.mtu) == (Mode.STATION, False, 1500)


def test_an_adapter_that_comes_back_under_another_name(opened: Any) -> None:
    address = opened.system.interfaces["wlan1"].address
    opened.system.unplug("wlan1")
    opened.socket.receive_errors = [errno.ENETDOWN]
    opened.loop.turn()
    opened.system.plug_in("wlx7e").address = address
    opened.loop.advance(1_000_000)
    assert opened.radio.trouble is None
    assert opened.radio.adapter.name == "wlx7e"


def test_one_that_comes_back_and_may_not_be_used(opened: Any) -> None:
    opened.system.unplug("wlan1")
    opened.socket.receive_errors = [errno.ENETDOWN]
    opened.loop.turn()
    opened.loop.advance(500_000)
    opened.system.plug_in("wlan1")
    opened.system.forbidden = True
    opened.loop.advance(500_000)
    assert "CAP_NET_ADMIN" in opened.radio.trouble
    opened.system.forbidden = False
    opened.loop.advance(500_000)
    assert opened.radio.trouble is None


def test_rfkill(opened: Any) -> None:
    interface = opened.system.interfaces["wlan1"]
    opened.system.blocked.add(interface.phy)
    interface.up = False
    opened.socket.receive_errors = [errno.ENETDOWN]
    opened.loop.turn()
    assert opened.radio.trouble == "wlan1 is blocked by rfkill (airplane mode): sudo rfkill unblock wifi"
    opened.system.blocked.clear()
    opened.loop.advance(500_000)
    assert opened.radio.trouble is None
    assert interface.up  # nobody else would set it up


def test_taken_by_another_program(opened: Any) -> None:
    opened.system.interfaces["wlan1"].mode = Mode.STATION
    opened.system.running = {"NetworkManager": 1}
    opened.socket.receive_errors = [errno.ENETDOWN]
    opened.loop.turn()
    assert "wlan1 is in managed mode: another program took it" in opened.radio.trouble
    assert "nmcli device set wlan1 managed no" in opened.radio.trouble


def test_nothing_is_called_after_close(opened: Any) -> None:
    send(opened, plain(1), 1)
    opened.radio.transmit(plain() + bytes(2304), 2)
    opened.radio.close()
    opened.radio.close()
    opened.loop.advance(10_000_000)
    assert opened.station.told == []
    assert opened.loop.watched == {}


# Opening.


def test_no_right_to_packet_sockets(monitor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    interface = monitor.system.interfaces["wlan1"]
    interface.mode, interface.up, interface.mtu, interface.channel = Mode.MONITOR, True, 2304, 6
    monitor.system.forbidden = True
    with pytest.raises(UserError) as caught:
        monitor.open()
    text = str(caught.value)
    assert "CAP_NET_RAW" in text
    assert "\n" not in text
    assert "sudo setcap cap_net_raw+ep /" in text


def test_abilities(opened: Any) -> None:
    abilities = opened.radio.abilities
    assert abilities.channels == frozenset(range(1, 12))
    assert abilities.max_mpdu == 2304 - 16
    assert abilities.tells_outcome
    assert abilities.tells_attempts
    assert abilities.retries
    assert abilities.promiscuous
    assert module.MonitorRadio is type(opened.radio)

"""Two radios ``monitor:`` on the kernel's own air, and a second implementation of ESP-NOW on the other side."""

from __future__ import annotations

from pathlib import Path

import pytest
import second
from bare import BARE, BareMonitor
from hostapd import AccessPoint
from hwsim import Hwsim
from monitors import MonitorStation

from espnow.frame import BROADCAST, RATES, build_protected, derive_key, open_protected, parse
from espnow.link import Outcome
from espnow.radio.monitor import device
from espnow.radio.monitor.nl80211 import Mode, Nl80211

ONE = bytes.fromhex("7e0000000001")
TWO = bytes.fromhex("7e0000000002")
BOARD = bytes.fromhex("240ac4000001")
KEY = derive_key(b"pmk1234567890123", b"lmk1234567890123")

ACKED, FAILED = Outcome.ACKNOWLEDGED, Outcome.NOT_ACKNOWLEDGED


def test_messages_both_ways_on_every_channel(hwsim: Hwsim) -> None:
    hwsim.set_country("ES")  # channels 1 to 13
    first, other = hwsim.plug(), hwsim.plug()
    with (
        MonitorStation(f"monitor:{first.interface}", ONE, channel=1) as one,
        MonitorStation(f"monitor:{other.interface}?ack=on", TWO, channel=1) as two,
    ):
        assert not one.radio.abilities.acknowledges
        assert two.radio.abilities.acknowledges
        assert sorted(one.radio.abilities.channels) == list(range(1, 14))
        count = 0
        for channel in (1, 6, 11, 13, 3):
            one.configure(channel=channel)
            two.configure(channel=channel)
            count += 2
            # The adapter of two answers for it; that of one, a plain monitor, does not, and the message arrives.
            assert one.say(TWO, b"to two").outcome == ACKED
            assert two.say(ONE, b"to one").outcome == FAILED
            assert one.say(BROADCAST, b"to all").outcome == ACKED
            assert two.say(BROADCAST, b"to all").outcome == ACKED
            heard = two.hear(count)
            assert (heard.message, heard.channel, heard.rate) == (b"to all", channel, 0)
            assert -90 < heard.rssi_dbm < 0
            assert [one.message for one in one.hear(count) and one.heard[-2:]] == [b"to one", b"to all"]


def test_on_another_channel_nobody_hears_it(hwsim: Hwsim) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    with (
        MonitorStation(f"monitor:{first.interface}", ONE, channel=1) as one,
        MonitorStation(f"monitor:{other.interface}?ack=on", TWO, channel=11) as two,
    ):
        assert one.say(TWO, b"hello").outcome == FAILED
        assert two.heard == []


def test_every_rate_leaves_as_it_is_asked_for(hwsim: Hwsim) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    with (
        MonitorStation(f"monitor:{first.interface}", ONE) as one,
        MonitorStation(f"monitor:{other.interface}?ack=on", TWO) as two,
    ):
        rates = sorted(one.radio.abilities.rates)
        assert len(rates) == 28
        for rate in (*rates, 5, 42):
            one.configure(channel=6, rate=rate, group_rate=rate)
            assert one.say(TWO, b"%d" % rate).outcome == ACKED
        heard = two.hear(len(rates) + 2) and two.heard
        assert [one.rate for one in heard[: len(rates)]] == rates
        # Without a short preamble, and without long range.
        assert [RATES[one.rate].name for one in heard[len(rates) :]] == ["2M_L", "1M_L"]


def test_the_longest_message(hwsim: Hwsim) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    message = bytes(range(256)) * 6
    with (
        MonitorStation(f"monitor:{first.interface}", ONE) as one,
        MonitorStation(f"monitor:{other.interface}?ack=on", TWO) as two,
    ):
        assert one.say(TWO, message[:1470], version=2).outcome == ACKED
        assert two.hear().message == message[:1470]


def test_it_is_asleep(hwsim: Hwsim) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    with (
        MonitorStation(f"monitor:{first.interface}", ONE) as one,
        MonitorStation(f"monitor:{other.interface}?ack=on", TWO) as two,
    ):
        two.configure(on=False, channel=6)
        assert one.say(TWO, b"asleep").outcome == FAILED
        two.configure(channel=6)
        assert one.say(TWO, b"awake").outcome == ACKED
        assert two.hear().message == b"awake"


def test_frames_keep_their_sequence_numbers_while_it_acknowledges(hwsim: Hwsim) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    with (
        BareMonitor(other, 6) as air,
        MonitorStation(f"monitor:{first.interface}?ack=on", ONE) as one,
    ):
        sent = [one.frame(BOARD, b"%d" % number) for number in range(3)]
        for mpdu in sent:
            one.send(mpdu)
        heard = [air.receive_from(ONE) for _ in sent]
        # The kernel writes the duration, and the Retry bit.
        assert [one.mpdu[4:] for one in heard if one is not None] == [mpdu[4:] for mpdu in sent]


@pytest.mark.parametrize("length", [1, 250, 1470])
@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_to_the_second_implementation(hwsim: Hwsim, key: bytes | None, length: int) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    version = 2 if length > 250 else 1
    message = bytes(number % 251 for number in range(length))
    with BareMonitor(other, 6) as air, MonitorStation(f"monitor:{first.interface}", ONE) as one:
        more = {"seq": 9, "random_value": 0x01020304, "version": version}
        if key is None:
            mpdu = one.frame(BOARD, message, version=version)
        else:
            mpdu = build_protected(BOARD, ONE, message, key=key, packet_number=7, **more)  # type: ignore[arg-type]
        one.transmit(mpdu)
        captured = air.receive_from(ONE)
        assert captured is not None
        header, frame = second.read_radiotap(captured.whole)
        read = second.read(bytes(frame), key)
        assert (read.destination, read.source, read.message, read.version & 3) == (BOARD, ONE, message, version)
        assert read.packet_number == (None if key is None else 7)
        assert header.ChannelFrequency == 2437


@pytest.mark.parametrize("length", [1, 250, 1470])
@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_from_the_second_implementation(hwsim: Hwsim, key: bytes | None, length: int) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    message = bytes(number % 251 for number in range(length))
    with BareMonitor(other, 6) as air, MonitorStation(f"monitor:{first.interface}", ONE) as one:
        mpdu = second.build(
            ONE, BOARD, message, sequence_number=77, random_value=5, version=2 if length > 250 else 1, key=key
        )
        air.send(mpdu, BARE)
        frame = parse(one.hear().mpdu)
        if key is not None:
            frame = open_protected(frame, key)  # type: ignore[arg-type]
        assert (frame.source, frame.message, frame.seq) == (BOARD, message, 77)  # type: ignore[union-attr]


def test_an_access_point_on_another_adapter(hwsim: Hwsim, tmp_path: Path) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    with (
        AccessPoint(other, tmp_path, channel=6),
        MonitorStation(f"monitor:{first.interface}", ONE) as one,
    ):
        # Its adapter answers for its address, whatever is sent there; what it sends for itself is not our concern.
        address = device.read_device(other.interface).address
        assert one.say(address, b"hello").outcome == ACKED
        assert one.say(BOARD, b"hello").outcome == FAILED
        assert one.radio.counts.malformed == 0
        assert all(heard.mpdu[:1] == b"\xd0" for heard in one.heard)


def test_two_programs_on_one_adapter(hwsim: Hwsim) -> None:
    """A second monitor interface of the same adapter: reports of one's frames are no concern of the other."""
    radio, other = hwsim.plug(), hwsim.plug()
    with Nl80211() as nl80211:
        nl80211.add_interface(radio.phy_index, "mon7", Mode.MONITOR, bytes.fromhex("7e0000000077"))
        with (
            MonitorStation(f"monitor:{radio.interface}", ONE) as one,
            MonitorStation("monitor:mon7", TWO) as two,
            BareMonitor(other, 6) as air,
        ):
            assert one.say(BOARD, b"one").outcome == FAILED
            assert two.say(BOARD, b"two").outcome == FAILED
            assert air.receive_from(ONE) is not None
            assert air.receive_from(TWO) is not None
            assert (one.heard, two.heard) == ([], [])
            assert (one.radio.counts.foreign_reports, two.radio.counts.foreign_reports) == (0, 0)

"""Joining as a machine: the test plays the access point, honest, silent or hostile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow.board import Wifi
from espnow.board.station import Phase
from espnow.board.wifi_values import AccessPoint, Joining
from espnow.frame.handshake import KeyFrame, KeyMessage, build_key_frame, pairwise_keys, primary_key
from espnow.frame.kinds import is_wifi
from espnow.frame.management import (
    Advertisement,
    AssociationResponse,
    Authentication,
    Farewell,
    Lease,
    ProbeRequest,
    Reason,
    Status,
    WifiFrame,
    build_advertisement,
    build_association_response,
    build_authentication,
    build_farewell,
    parse_wifi,
)
from espnow.link import Absence
from espnow.testing import Bench

BSSID = bytes.fromhex("026e65740001")
STRANGER = bytes.fromhex("026e65740666")
MAC = b"\x18\xfe\x34\x00\x00\x04"
CHANNEL = 4


class Table:
    """A board on a scripted link, and an access point of the test's on one channel of it."""

    def __init__(self, profile: str = "esp32", security: int = 3) -> None:
        self.bench = Bench(profile)
        self.wifi: Wifi = self.bench.board.wifi
        self.security = security
        self.timestamp_us = 0
        self.sta = self.bench.network.WLAN(0)
        self.sta.active(True)
        self.sta.config(reconnects=0)
        self._read = len(self.bench.link.frames)

    def hear(self, mpdu: bytes, rssi_dbm: int = -50) -> None:
        self.bench.link.inject_frame(mpdu, rssi_dbm=rssi_dbm)

    def sent(self) -> list[WifiFrame]:
        """Return what the board sent since last asked."""
        frames = self.bench.link.frames[self._read :]
        self._read += len(frames)
        return [parse_wifi(mpdu) for mpdu in frames if is_wifi(mpdu)]

    def connect(self, *arguments: Any) -> None:
        self.sta.connect(*(arguments or ("home", "password1")))

    def tuned_to(self, channel: int = CHANNEL) -> None:
        while self.bench.link.config.channel != channel:
            self.bench.advance(1)

    def advertise(self, *, bssid: bytes = BSSID, rssi_dbm: int = -50, **more: Any) -> None:
        network = Advertisement(bssid, b"home", CHANNEL, self.security, timestamp_us=self.timestamp_us)
        self.hear(build_advertisement(network._replace(**more), seq=0), rssi_dbm)

    def find(self) -> None:
        """Let it search, and find the access point."""
        self.connect()
        self.tuned_to()
        self.advertise()
        self.sent()
        self.bench.advance(120)

    def authenticate(self, status: int = 0, source: bytes = BSSID) -> None:
        self.hear(build_authentication(Authentication(MAC, source, source, 0, 2, status), seq=0))

    def associate(self, status: int = 0, source: bytes = BSSID) -> None:
        lease = Lease(bytes((10, 0, 0, 7)), bytes((10, 0, 0, 1)))
        self.hear(build_association_response(AssociationResponse(MAC, source, status, 1, lease), seq=0))

    def farewell(self, reason: int, source: bytes = BSSID, destination: bytes = MAC) -> None:
        self.hear(build_farewell(Farewell(destination, source, source, reason), seq=0))

    def key(self, message: KeyMessage, counter: int, keys: Any = None, source: bytes = BSSID) -> None:
        self.hear(
            build_key_frame(
                message,
                bssid=source,
                station=MAC,
                replay_counter=counter,
                seq=0,
                nonce=b"a" * 32,
                keys=keys,
                group_key=bytes(16),
            )
        )

    def ask_key(self) -> None:
        """Let it associate, and send it the first message of the handshake."""
        self.authenticate()
        self.associate()
        self.key(KeyMessage.FIRST, 1)

    def shake(self, key: bytes = b"password1") -> None:
        """Do an access point's half of the handshake."""
        self.sent()
        self.key(KeyMessage.FIRST, 1)
        second = self.sent()[-1]
        assert isinstance(second, KeyFrame)
        keys = pairwise_keys(primary_key(key, b"home"), BSSID, MAC, (b"a" * 32, second.nonce))
        self.key(KeyMessage.THIRD, 2, keys)

    def join(self) -> None:
        self.find()
        self.authenticate()
        self.associate()
        if self.security:
            self.shake()
        self.bench.advance(1_500)
        assert self.wifi.connected


@pytest.fixture
def table() -> Table:
    return Table()


def test_it_asks_on_every_channel_for_the_name(table: Table) -> None:
    table.connect()
    seen = []
    for _ in range(12):
        seen.append((table.bench.link.config.channel, table.bench.link.config.absence, table.sent()))
        table.bench.advance(120)
    question = [ProbeRequest(MAC, b"home")]
    channels = [*range(1, 12), 1]
    assert seen == [(channel, Absence.SEARCHING, question) for channel in channels]
    assert (table.wifi.channel, table.sta.config("channel")) == (1, 1)


def test_step_by_step(table: Table) -> None:
    table.find()
    assert [type(frame) for frame in table.sent()] == [Authentication]
    table.authenticate()
    assert table.wifi.channel == 1
    table.associate()
    assert table.wifi.channel == CHANNEL
    assert table.bench.link.config.absence is None
    table.shake()
    fourth = table.sent()[-1]
    assert isinstance(fourth, KeyFrame)
    assert (fourth.message, fourth.replay_counter) == (KeyMessage.FOURTH, 2)
    assert not table.wifi.connected
    table.bench.advance(1_500)
    assert table.sta.isconnected()
    assert table.sta.ifconfig() == ("10.0.0.7", "255.255.255.0", "10.0.0.1", "10.0.0.1")
    assert table.sta.status("rssi") == -50


@pytest.mark.parametrize(
    ("play", "status", "after_ms"),
    [
        (lambda table: None, 203, 300),
        (lambda table: table.authenticate(Status.TOO_MANY_STATIONS), 203, 0),
        (lambda table: table.authenticate(), 203, 300),
        (lambda table: (table.authenticate(), table.associate(Status.UNSPECIFIED)), 203, 0),
        (lambda table: (table.authenticate(), table.associate()), 204, 2_000),
        (lambda table: (table.authenticate(), table.associate(), table.farewell(15)), 203, 0),
        (lambda table: (table.ask_key(), table.farewell(15)), 202, 3_000),
        (lambda table: (table.ask_key(), table.farewell(5)), 203, 0),
        (lambda table: (table.authenticate(), table.associate(), table.shake(b"password2")), 204, 2_000),
        (lambda table: (table.authenticate(), table.farewell(6)), 203, 0),
    ],
)  # fmt: skip
def test_what_goes_wrong(table: Table, play: Callable[[Table], object], status: int, after_ms: int) -> None:
    table.find()
    play(table)
    table.bench.advance(after_ms)
    assert table.sta.status() == status
    assert not table.wifi.searching
    assert table.bench.link.config.absence is None
    table.connect()  # it may be tried again at once


@pytest.mark.parametrize(
    "play",
    [
        lambda table: table.authenticate(source=STRANGER),
        lambda table: table.authenticate(Status.TOO_MANY_STATIONS, source=STRANGER),
        lambda table: table.associate(),
        lambda table: table.farewell(3, source=STRANGER),
        lambda table: table.key(KeyMessage.FIRST, 1),
        lambda table: table.hear(b"\xb0"),
        lambda table: table.hear(b"\xb0" + bytes(40)),
    ],
)
def test_what_others_say_or_says_itself_out_of_turn_is_ignored(table: Table, play: Callable[[Table], None]) -> None:
    table.find()
    table.sent()
    play(table)
    assert table.wifi._station is not None
    assert table.wifi._station.phase is Phase.AUTHENTICATING
    assert table.sent() == []


def test_a_handshake_is_with_its_access_point_alone(table: Table) -> None:
    table.find()
    table.authenticate()
    table.associate()
    table.sent()
    table.key(KeyMessage.FIRST, 1, source=STRANGER)
    assert table.sent() == []
    table.shake()
    table.bench.advance(1_500)
    assert table.wifi.connected


@pytest.mark.parametrize(
    "play",
    [
        lambda table: table.farewell(3, source=STRANGER),
        lambda table: table.key(KeyMessage.THIRD, 9, pairwise_keys(bytes(32), BSSID, MAC, (bytes(32), bytes(32)))),
        lambda table: table.key(KeyMessage.FIRST, 9),
        lambda table: table.associate(Status.UNSPECIFIED),
        lambda table: table.advertise(bssid=STRANGER, switch_channel=9, switch_count=1),
        lambda table: table.advertise(switch_channel=14, switch_count=1),
        lambda table: table.advertise(interval_us=0, switch_channel=9),
    ],
)
def test_a_joined_board_stays_where_it_is(table: Table, play: Callable[[Table], None]) -> None:
    table.join()
    table.sent()
    play(table)
    assert table.sent() == []
    table.bench.advance(1_000)
    assert table.wifi.connected
    assert table.wifi.channel == CHANNEL


@pytest.mark.parametrize(("reason", "destination"), [(3, b"\xff" * 6), (4, MAC), (7, MAC)])
def test_sent_away_with_a_reason(table: Table, reason: int, destination: bytes) -> None:
    table.join()
    table.farewell(reason, destination=destination)
    assert table.sta.status() == reason
    assert not table.sta.isconnected()
    assert table.sta.ifconfig()[0] == "0.0.0.0"
    assert table.wifi.channel == CHANNEL


def test_sent_away_it_tries_again(table: Table) -> None:
    table.sta.config(reconnects=-1)
    table.join()
    table.farewell(3)
    assert table.wifi.searching
    table.tuned_to()
    table.advertise()
    table.bench.advance(120)
    table.authenticate()
    table.associate()
    table.shake()
    table.bench.advance(1_500)
    assert table.sta.status() == 1010


def test_it_takes_the_strongest_on_the_first_channel_with_the_name(table: Table) -> None:
    table.connect()
    table.tuned_to()
    table.advertise(bssid=STRANGER, rssi_dbm=-70)
    table.advertise(rssi_dbm=-60)
    table.advertise(bssid=STRANGER[:5] + b"\x07", rssi_dbm=-60)
    table.sent()
    table.bench.advance(120)
    (question,) = table.sent()
    assert isinstance(question, Authentication)
    assert question.destination == BSSID


@pytest.mark.parametrize("security", [1, 5])
def test_what_it_cannot_join_it_does_not_find(security: int) -> None:
    table = Table()
    table.connect()
    table.tuned_to()
    beacon = bytearray(build_advertisement(Advertisement(BSSID, b"home", CHANNEL), seq=0))
    beacon[34] |= 0x10  # privacy, and no element that says of which kind
    table.hear(bytes(beacon))
    table.bench.advance(120)
    assert table.bench.link.config.channel == CHANNEL + 1


# Power save.


def test_the_receiver_is_on_around_the_beacons(table: Table) -> None:
    table.timestamp_us = 50_000
    table.join()
    save = table.bench.link.config.power_save
    assert save is not None
    heard_us = 100_000 + (CHANNEL - 1) * 120_000
    assert (save.first_us + 10_000 - (heard_us - 50_000)) % 102_400 < 2_000
    assert (save.period_us, save.on_us, save.linger_us) == (102_400, 20_000, 10_000)


@pytest.mark.parametrize(
    ("profile", "settings_", "period_us"),
    [
        ("esp32", "pm=sta.PM_PERFORMANCE", 102_400),
        ("esp32", "pm=sta.PM_POWERSAVE", 307_200),
        ("esp32", "pm=sta.PM_NONE", None),
        ("esp8266", "pm=sta.PM_PERFORMANCE", 102_400),
        ("esp8266", "pm=sta.PM_POWERSAVE", 307_200),
        ("esp8266", "pm=sta.PM_NONE", None),
    ],
)
def test_modes(profile: str, settings_: str, period_us: int | None) -> None:
    table = Table(profile, security=0)
    table.join()
    table.sent()
    eval(f"sta.config({settings_})", {"sta": table.sta})
    save = table.bench.link.config.power_save
    assert (save and save.period_us) == period_us
    saves = [frame.power_save for frame in table.sent() if hasattr(frame, "power_save")]
    assert saves == ([False] if period_us is None else [])


def test_the_access_point_interface_ends_it(table: Table) -> None:
    table.join()
    assert table.bench.link.config.power_save is not None
    table.bench.network.WLAN(1).active(True)
    assert table.bench.link.config.power_save is None
    table.bench.network.WLAN(1).active(False)
    assert table.bench.link.config.power_save is not None


# Being left alone, and the end.


def test_beacons_keep_it_and_their_absence_is_noticed(table: Table) -> None:
    table.join()
    for _ in range(30):
        table.bench.advance(1_000)
        table.advertise()
    assert table.wifi.connected
    table.bench.advance(5_999)
    assert table.wifi.connected
    table.bench.advance(1)
    assert table.wifi.joining is Joining.BEACON_TIMEOUT


def test_a_stopped_one_does_nothing_any_more(table: Table) -> None:
    table.join()
    table.bench.network.WLAN(1).active(True)
    for play in (table.wifi.stop, table.wifi.stop):
        play()
        table.sent()
        configs = len(table.bench.link.configs)
        table.bench.advance(60_000)
        table.farewell(3)
        assert table.sent() == []
        assert len(table.bench.link.configs) == configs


def test_stopping_a_search_leaves_no_timer(table: Table) -> None:
    table.connect()
    table.wifi.stop()
    configs = len(table.bench.link.configs)
    table.bench.advance(60_000)
    assert len(table.bench.link.configs) == configs


@pytest.mark.parametrize("ap", [False, True])
def test_configuration_is_lost(table: Table, ap: bool) -> None:
    wifi = table.wifi
    table.join()
    point = table.bench.network.WLAN(1)
    point.active(ap)
    table.sta.config(pm=0, protocol=8, reconnects=3, hostname="x")
    point.config(ssid="lamp")
    wifi.country = "DE"
    wifi.lose_configuration()
    assert (wifi.channel, wifi.power_save, wifi.reconnects, wifi.protocol(0)) == (1, 1, -1, 7)
    assert (wifi.hostname, wifi.access_point, wifi.ssid) == ("mpy-esp32", AccessPoint(b"ESP_000005"), b"")
    assert (wifi.country, wifi.mac(0), wifi.joining) == ("DE", MAC, Joining.IDLE)
    assert (table.sta.active(), point.active()) == (True, ap)
    assert table.bench.link.config.absence is Absence.SLEPT_ACTIVE
    assert not table.bench.link.config.receiver_on
    assert table.bench.link.config.addresses == ()
    assert table.bench.board.node.radio.addresses[0][1] == MAC  # a send is no error: it reaches nobody
    table.sent()
    table.bench.advance(30_000)
    for interface in (table.sta, point):
        interface.active(False)
    table.sta.active(True)
    assert table.bench.link.config.receiver_on
    assert table.bench.link.config.absence is None


def test_an_interface_that_was_off_is_not_deaf_afterwards(table: Table) -> None:
    table.sta.active(False)
    table.wifi.lose_configuration()
    assert not table.sta.active()
    table.sta.active(True)
    assert table.bench.link.config.receiver_on


def test_connect_again_while_joined(table: Table) -> None:
    table.join()
    table.connect()
    assert table.sta.isconnected()
    table.connect("other", "password1")
    assert table.sta.status() == 1001
    assert Farewell(BSSID, MAC, BSSID, Reason.STATION_LEAVES) in table.sent()


@pytest.mark.parametrize("disconnects", [False, True])
def test_off_tells_the_router(table: Table, disconnects: bool) -> None:
    table.join()
    table.sent()
    begin_us = table.bench.clock.now_us
    if disconnects:
        table.sta.disconnect()
    table.sta.active(False)
    assert table.sent() == [Farewell(BSSID, MAC, BSSID, Reason.STATION_LEAVES)]
    assert table.bench.clock.now_us - begin_us == 3_000  # when the link answered


def test_a_new_address_leaves_the_router(table: Table) -> None:
    table.join()
    table.sta.config(mac=b"\x30" * 6)
    assert not table.sta.isconnected()


def test_a_scan_does_not_disturb_who_is_lost_meanwhile(table: Table) -> None:
    table.sta.config(reconnects=-1)
    table.join()
    table.bench.advance(5_500)
    begin = len(table.bench.link.configs)
    assert table.sta.scan() == []  # takes 1.3 s, in which the router is lost
    absences = [config.absence for config in table.bench.link.configs[begin:]]
    assert set(absences) == {None, Absence.SCANNING}  # home once when it was lost, and at the end
    assert table.wifi.joining is Joining.BEACON_TIMEOUT
    assert table.wifi.searching


def test_a_scan_that_a_callback_ends(table: Table) -> None:
    table.bench.clock.call_at(table.bench.clock.now_us + 300_000, table.connect)
    assert table.sta.scan() == []
    assert table.bench.clock.now_us < 600_000
    table.tuned_to()
    table.advertise()
    table.bench.advance(120)
    assert [type(frame) for frame in table.sent()][-1] is Authentication


@pytest.mark.parametrize("ask", [lambda sta: sta.ifconfig("dhcp"), lambda sta: sta.ipconfig(dhcp4=True)])
def test_dhcp_gives_the_addresses_again(table: Table, ask: Callable[[Any], None]) -> None:
    table.join()
    given = table.sta.ifconfig()
    table.sta.ifconfig(("10.0.0.99", "255.0.0.0", "10.0.0.2", "8.8.8.8"))
    ask(table.sta)
    assert table.sta.ifconfig() == given
    table.sta.disconnect()
    table.sta.ifconfig(("10.0.0.99", "255.0.0.0", "10.0.0.2", "8.8.8.8"))
    ask(table.sta)
    assert table.sta.ifconfig()[0] == "0.0.0.0"


def test_unreadable_frames_are_counted(table: Table) -> None:
    table.connect()
    for mpdu in (b"\x80", b"\x80" + bytes(30), b"\x50" + bytes(60)):
        table.hear(mpdu)
    assert table.wifi.malformed == 3


def test_beacons_of_its_router_are_read_when_they_say_something_new(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.join()
    read: list[bytes] = []

    def reading(mpdu: bytes) -> WifiFrame:
        read.append(mpdu)
        return parse_wifi(mpdu)

    monkeypatch.setattr("espnow.frame.management.parse_wifi", reading)
    monkeypatch.setattr("espnow.board.station.parse_wifi", reading)
    for timestamp_us in (1, 2, 3):
        table.timestamp_us = timestamp_us
        table.advertise()
    assert len(read) == 1
    table.hear(read[0][:-1])
    assert table.wifi.malformed == 1


def test_an_access_point_on_a_channel_that_is_none_is_not_joined(table: Table) -> None:
    table.connect()
    table.tuned_to()
    table.sent()
    table.advertise(channel=200)
    table.bench.advance(120)
    assert [type(frame) for frame in table.sent()] == [ProbeRequest]


def test_a_callback_that_joins_while_the_interface_is_switched_off(table: Table) -> None:
    table.join()
    board = table.bench.board
    callback = lambda _: table.connect("other", "password1")  # noqa: E731
    table.bench.clock.call_at(table.bench.clock.now_us + 1_000, lambda: board.schedule(callback, None))
    table.sta.active(False)
    table.sent()
    configs = len(table.bench.link.configs)
    table.bench.advance(10_000)
    assert table.sent() == []
    assert len(table.bench.link.configs) == configs
    assert not table.bench.link.config.receiver_on


def test_a_callback_that_switches_off_what_is_being_switched_off(table: Table) -> None:
    point = table.bench.network.WLAN(1)
    point.active(True)
    bssid = point.config("mac")
    table.hear(build_authentication(Authentication(bssid, STRANGER, bssid, 0, 1, 0), seq=0))
    board = table.bench.board
    table.bench.clock.call_at(
        table.bench.clock.now_us + 1_000, lambda: board.schedule(lambda _: point.active(False), None)
    )
    assert point.active(False) is False
    table.sent()
    table.bench.advance(1_000)
    assert table.sent() == []


mutations = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(mutations)
def test_changed_frames_end_nothing(changes: list[tuple[int, int]]) -> None:
    table = Table()
    honest = table.hear

    def hear(mpdu: bytes, rssi_dbm: int = -50) -> None:
        changed = bytearray(mpdu)
        for at, value in changes:
            changed[at % len(changed)] = value
        honest(bytes(changed), rssi_dbm)
        honest(bytes(changed)[: changes[0][0]], rssi_dbm)
        honest(mpdu, rssi_dbm)

    table.hear = hear  # type: ignore[method-assign]
    table.find()
    table.authenticate()
    table.associate()
    table.key(KeyMessage.FIRST, 1)
    table.bench.advance(10_000)
    assert not table.wifi.connected  # nobody proved the key

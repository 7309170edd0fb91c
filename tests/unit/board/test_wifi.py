"""The Wi-Fi of a board: state, what the radio is told, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from espnow.board import PROFILES, Board, Wifi, WifiTiming
from espnow.board.wifi import AccessPoint, Joining, WifiCode, WifiError, channels_of
from espnow.link import Absence, Interface, ProtocolBit, RadioConfig
from espnow.testing.bench import ManualClock

MAC = bytes.fromhex("30aea4000001")
STA, AP = Interface.STA, Interface.AP
BGN = ProtocolBit.B | ProtocolBit.G | ProtocolBit.N


class RecordingLink:
    """A link that notes when it was configured how."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.configs: list[tuple[int, RadioConfig]] = []
        self.frames: list[bytes] = []

    def configure(self, config: RadioConfig) -> None:
        self.configs.append((self.clock.now_us, config))

    def transmit(self, mpdu: bytes, token: int) -> None:
        self.frames.append(mpdu)

    @property
    def last(self) -> RadioConfig:
        return self.configs[-1][1]


class Bench:
    """One board with fakes around it."""

    def __init__(self, profile: str = "esp32", mac: bytes = MAC) -> None:
        self.clock = ManualClock()
        self.link = RecordingLink(self.clock)
        self.board = Board(
            PROFILES[profile],
            "bench",
            mac=mac,
            clock=self.clock,
            cpu=self.clock,
            link=self.link,
            console=None,  # type: ignore[arg-type]
            random_u32=lambda: 1,
        )
        self.wifi = self.board.wifi

    def after(self, us: int) -> None:
        self.clock.advance(us)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def station() -> Bench:
    found = Bench()
    found.wifi.set_active(STA, True)
    return found


def refusal(call: Callable[[], object]) -> WifiCode:
    with pytest.raises(WifiError) as caught:
        call()
    assert str(caught.value).startswith("ESP_ERR_")
    return caught.value.code


# Addresses.


@pytest.mark.parametrize(
    ("profile", "sta", "ap"),
    [
        ("esp32", "30aea4000001", "30aea4000002"),
        ("esp32-v2", "30aea4000001", "30aea4000002"),
        ("esp32", "30aea40000ff", "30aea4000000"),
        ("esp8266", "5ccf7f000001", "5ecf7f000001"),
        ("esp8266", "02cf7f000001", "06cf7f000001"),
    ],
)
def test_ap_address_follows_from_the_station_address(profile: str, sta: str, ap: str) -> None:
    wifi = Bench(profile, bytes.fromhex(sta)).wifi
    assert wifi.mac(STA).hex() == sta
    assert wifi.mac(AP).hex() == ap


def test_a_new_address_reaches_the_radio(station: Bench) -> None:
    mac = bytes.fromhex("aaaaaaaaaaaa")
    station.wifi.set_mac(STA, mac)
    assert station.link.last.addresses == ((STA, mac),)


@pytest.mark.parametrize("mac", [b"\xbb" * 6, bytes.fromhex("30aea4000002")])
def test_group_and_other_interfaces_addresses_are_refused(station: Bench, mac: bytes) -> None:
    assert refusal(lambda: station.wifi.set_mac(STA, mac)) is WifiCode.MAC
    assert station.wifi.mac(STA) == MAC


# Interfaces.


def test_wifi_is_off_at_first(bench: Bench) -> None:
    assert bench.wifi.radio_config() == RadioConfig(absence=Absence.OFF)
    assert not any(map(bench.wifi.interface_active, Interface))


def test_switching_on_takes_time_only_if_it_was_off(bench: Bench) -> None:
    bench.wifi.set_active(STA, True)
    assert bench.clock.now_us == 100_000
    bench.wifi.set_active(STA, True)
    assert bench.clock.now_us == 100_000
    bench.wifi.set_active(AP, True)
    assert bench.clock.now_us == 200_000
    assert [at for at, _ in bench.link.configs] == [100_000, 200_000]
    assert bench.link.last.addresses == ((STA, MAC), (AP, bytes.fromhex("30aea4000002")))


def test_off_is_at_once(station: Bench) -> None:
    station.wifi.set_active(STA, False)
    assert station.clock.now_us == 100_000
    assert station.link.last.addresses == ()
    assert not station.link.last.receiver_on


def test_timing_can_be_set() -> None:
    bench = Bench()
    wifi = Wifi(bench.board, MAC, WifiTiming(start_us=7))
    wifi.set_active(STA, True)
    assert bench.clock.now_us == 7
    wifi.timing = WifiTiming(start_us=2)
    wifi.set_active(AP, True)
    assert bench.clock.now_us == 9


# What the radio is told.


@pytest.mark.parametrize(
    ("profile", "rate", "expected"),
    [("esp32", None, (0, 0)), ("esp8266", None, (11, 0)), ("esp32", 42, (42, 42)), ("esp32", 0, (0, 0))],
)
def test_rates(profile: str, rate: int | None, expected: tuple[int, int]) -> None:
    bench = Bench(profile)
    bench.wifi.set_active(STA, True)
    if rate is not None:
        bench.wifi.set_rate(rate)
    assert (bench.link.last.rate, bench.link.last.group_rate) == expected


def test_protocols_of_active_interfaces_add_up(station: Bench) -> None:
    wifi = station.wifi
    wifi.set_protocol(AP, 8)
    assert station.link.last.protocols == BGN
    wifi.set_active(AP, True)
    assert station.link.last.protocols == BGN | ProtocolBit.LR
    wifi.set_active(STA, False)
    assert station.link.last.protocols == ProtocolBit.LR
    assert (wifi.protocol(STA), wifi.protocol(AP)) == (7, 8)


@pytest.mark.parametrize("bits", [0, 16, 255])
def test_unknown_protocols_are_refused(bench: Bench, bits: int) -> None:
    assert refusal(lambda: bench.wifi.set_protocol(STA, bits)) is WifiCode.INVALID_ARG


@pytest.mark.parametrize(
    ("asked", "found"), [(8, 8), (19, 8), (20, 20), (43, 34), (66, 66), (79, 72), (80, 80), (84, 80)]
)
def test_tx_power_takes_the_next_lower_step(station: Bench, asked: int, found: int) -> None:
    station.wifi.set_tx_power(asked)
    assert station.wifi.tx_power() == found
    assert station.link.last.tx_power_dbm == found / 4


def test_tx_power_refusals(bench: Bench) -> None:
    assert refusal(bench.wifi.tx_power) is WifiCode.NOT_STARTED
    assert refusal(lambda: bench.wifi.set_tx_power(40)) is WifiCode.NOT_STARTED
    bench.wifi.set_active(AP, True)
    for power in (7, 85, -1):
        assert refusal(partial(bench.wifi.set_tx_power, power)) is WifiCode.INVALID_ARG


@pytest.mark.parametrize(("asked", "found"), [(-4, 0), (40, 40), (127, 82)])
def test_an_esp8266_refuses_no_tx_power(asked: int, found: int) -> None:
    bench = Bench("esp8266")
    bench.wifi.set_tx_power(asked)
    assert bench.link.last.tx_power_dbm == found / 4


# The channel.


def test_one_channel_for_both_interfaces(station: Bench) -> None:
    wifi = station.wifi
    wifi.set_active(AP, True)
    wifi.set_channel(AP, 6)
    assert station.link.last.channel == wifi.channel == 6
    wifi.set_channel(STA, 11)
    assert station.link.last.channel == wifi.channel == 11


def test_station_waits_until_the_channel_changed(station: Bench) -> None:
    station.wifi.set_channel(STA, 5)
    assert station.clock.now_us == 101_000
    station.wifi.set_channel(STA, 5)
    assert station.clock.now_us == 101_000


def test_channel_refusals(station: Bench) -> None:
    wifi = station.wifi
    for channel in (0, 12, 13, 14, 15, 255):
        assert refusal(partial(wifi.set_channel, STA, channel)) is WifiCode.INVALID_ARG
    assert refusal(lambda: wifi.set_channel(AP, 6)) is WifiCode.NOT_STARTED
    assert wifi.channel == 1


@pytest.mark.parametrize(("country", "last"), [("XX", 11), ("01", 11), ("US", 11), ("us", 11), ("DE", 13), ("JP", 14)])
def test_countries(station: Bench, country: str, last: int) -> None:
    station.wifi.country = country
    assert channels_of(country) == station.wifi.allowed_channels == range(1, last + 1)
    station.wifi.set_channel(STA, last)
    assert station.link.last.channel == last


def test_an_esp8266_begins_with_thirteen_channels() -> None:
    assert Bench("esp8266").wifi.allowed_channels == range(1, 14)


def test_the_channel_outlives_off_and_soft_reset(station: Bench) -> None:
    station.wifi.set_channel(STA, 9)
    station.wifi.set_active(STA, False)
    station.board.soft_reset()
    assert station.link.last.channel == 9
    station.wifi.set_active(STA, True)
    assert station.link.last.channel == 9


# Other settings of the radio.


@pytest.mark.parametrize("mode", [-1, 3])
def test_unknown_power_save_is_refused(bench: Bench, mode: int) -> None:
    assert refusal(lambda: bench.wifi.set_power_save(mode)) is WifiCode.INVALID_ARG
    assert bench.wifi.power_save == 1


@pytest.mark.parametrize("bandwidth", [0, 3])
def test_unknown_bandwidth_is_refused(bench: Bench, bandwidth: int) -> None:
    assert refusal(lambda: bench.wifi.set_bandwidth(STA, bandwidth)) is WifiCode.INVALID_ARG
    bench.wifi.set_bandwidth(STA, 1)
    assert (bench.wifi.bandwidth(STA), bench.wifi.bandwidth(AP)) == (1, 2)


# Joining, where there is no router.


def join(bench: Bench) -> None:
    bench.wifi.set_router(b"home", b"secret-key")
    bench.wifi.connect()


@pytest.mark.parametrize(
    ("after_us", "state"),
    [
        (0, Joining.CONNECTING),
        (2_999_999, Joining.CONNECTING),
        (3_000_000, Joining.NO_AP_FOUND),
        (10**9, Joining.NO_AP_FOUND),
    ],
)
def test_no_router_is_found(station: Bench, after_us: int, state: Joining) -> None:
    assert station.wifi.joining is Joining.IDLE
    join(station)
    station.after(after_us)
    assert station.wifi.joining is state
    assert not station.wifi.connected


@pytest.mark.parametrize(
    ("reconnects", "after_us", "searching"),
    [(-1, 10**9, True), (0, 2_999_999, True), (0, 3_000_000, False), (2, 8_999_999, True), (2, 9_000_000, False)],
)
def test_it_searches_as_often_as_it_may(station: Bench, reconnects: int, after_us: int, searching: bool) -> None:
    station.wifi.reconnects = reconnects
    assert not station.wifi.searching
    join(station)
    station.after(after_us)
    assert station.wifi.searching is searching
    if searching:
        assert refusal(lambda: join(station)) is WifiCode.CONN
        assert refusal(station.wifi.connect) is WifiCode.CONN
    else:
        join(station)
        assert station.wifi.joining is Joining.CONNECTING


def test_disconnect_and_off_end_it(station: Bench) -> None:
    wifi = station.wifi
    for end in (wifi.disconnect, lambda: wifi.set_active(STA, False)):
        join(station)
        end()
        assert wifi.joining is Joining.IDLE
        assert not wifi.searching
    wifi.disconnect()
    wifi.set_active(STA, True)
    assert wifi.joining is Joining.IDLE


def test_connect_refusals(bench: Bench) -> None:
    wifi = bench.wifi
    assert refusal(wifi.connect) is WifiCode.NOT_STARTED
    assert refusal(lambda: wifi.set_router(b"a", b"")) is WifiCode.NOT_STARTED
    wifi.set_active(AP, True)
    assert refusal(wifi.connect) is WifiCode.MODE
    wifi.set_active(STA, True)
    assert refusal(wifi.connect) is WifiCode.SSID
    assert refusal(wifi.rssi_dbm) is WifiCode.NOT_CONNECT


def test_an_esp8266_begins_anew() -> None:
    bench = Bench("esp8266")
    bench.wifi.set_active(STA, True)
    join(bench)
    bench.after(4_000_000)
    join(bench)
    assert bench.wifi.joining is Joining.CONNECTING


# Scanning.


def test_a_scan_is_deaf_for_its_time(station: Bench) -> None:
    assert station.wifi.scan() == []
    visits = station.link.configs[-12:-1]
    assert [(at, config.channel) for at, config in visits] == [(100_000 + n * 120_000, n + 1) for n in range(11)]
    assert {config.absence for _, config in visits} == {Absence.SCANNING}
    assert station.link.configs[-1] == (100_000 + 11 * 120_000, station.wifi.home_config())
    assert len(station.link.frames) == 11


def test_a_scan_while_searching_finds_nothing_at_once(station: Bench) -> None:
    join(station)
    assert station.wifi.scan() == []
    assert station.clock.now_us == 100_000


def test_a_scan_needs_the_station_interface(bench: Bench) -> None:
    bench.wifi.set_active(AP, True)
    assert refusal(bench.wifi.scan) is WifiCode.NOT_STARTED


def test_an_interrupted_scan_leaves_the_radio_hearing(station: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(until_us: int | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(station.board.cpu, "pause", interrupted)
    with pytest.raises(KeyboardInterrupt):
        station.wifi.scan()
    assert station.link.last.receiver_on


# The own access point.


def test_access_point_by_default(bench: Bench) -> None:
    assert bench.wifi.access_point == AccessPoint(b"ESP_000002")
    assert Bench("esp8266").wifi.access_point.ssid == b"MicroPython-000001"
    assert bench.wifi.stations() == []


@pytest.mark.parametrize(
    ("security", "key", "code"),
    [
        (3, b"short", WifiCode.PASSWORD),
        (1, b"long-enough", WifiCode.INVALID_ARG),
        (17, b"long-enough", WifiCode.INVALID_ARG),
        (-1, b"long-enough", WifiCode.INVALID_ARG),
    ],
)
def test_access_point_refusals(bench: Bench, security: int, key: bytes, code: WifiCode) -> None:
    before = bench.wifi.access_point
    wanted = AccessPoint(b"mine", key=key, security=security)
    assert refusal(lambda: bench.wifi.set_access_point(wanted)) is code
    assert bench.wifi.access_point is before


def test_no_repr_shows_a_key() -> None:
    assert "long-enough" not in repr(AccessPoint(b"mine", key=b"long-enough"))

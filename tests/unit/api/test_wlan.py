"""The module network of a board, statement by statement."""

from __future__ import annotations

import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.api.wlan import build_network_module
from espnow.board import PROFILES, Board
from espnow.errors import BoardOSError
from espnow.link import ProtocolBit, RadioConfig
from espnow.testing.bench import ManualClock

MAC = bytes.fromhex("30aea4000001")


class RecordingLink:
    """A link that notes how it was configured last."""

    last = RadioConfig()

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def configure(self, config: RadioConfig) -> None:
        self.last = config

    def transmit(self, mpdu: bytes, token: int) -> None:
        self.frames.append(mpdu)


class Bench:
    """A board's network module with fakes under it."""

    def __init__(self, profile: str = "esp32", active: str = "") -> None:
        self.clock = ManualClock()
        self.link = RecordingLink()
        self.board = Board(
            PROFILES[profile],
            "bench",
            mac=MAC,
            clock=self.clock,
            cpu=self.clock,
            link=self.link,
            console=None,  # type: ignore[arg-type]
            random_u32=lambda: 1,
        )
        self.network = build_network_module(self.board)
        self.sta = self.network.WLAN(0)
        self.ap = self.network.WLAN(1)
        for name in active.split():
            getattr(self, name).active(True)

    def names(self) -> dict[str, Any]:
        """Return what the tables below may use."""
        network = self.network
        return {"network": network, "WLAN": network.WLAN, "sta": self.sta, "ap": self.ap}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def station() -> Bench:
    return Bench(active="sta")


def evaluate(bench: Bench, text: str) -> Any:
    return eval(text, bench.names())


# Profile, what is active, expression, value.
VALUES = [
    # The class and its objects.
    ("esp32", "", "WLAN() is WLAN(0) is WLAN(WLAN.IF_STA) is sta", True),
    ("esp32", "", "WLAN(network.AP_IF) is ap", True),
    ("esp32", "", "sta is ap", False),
    ("esp32", "", "WLAN(False) is sta", True),
    ("esp32", "", "repr(sta)", "<WLAN>"),
    ("esp32", "", "(WLAN.__name__, WLAN.__module__)", ("WLAN", "network")),
    # Constants of the class.
    ("esp32", "", "(WLAN.IF_STA, WLAN.IF_AP)", (0, 1)),
    ("esp32", "", "(WLAN.PM_NONE, WLAN.PM_PERFORMANCE, WLAN.PM_POWERSAVE)", (0, 1, 2)),
    ("esp32", "", "(WLAN.PROTOCOL_DEFAULT, WLAN.PROTOCOL_LR)", (7, 8)),
    ("esp32", "", "(WLAN.BANDWIDTH_20, WLAN.BANDWIDTH_40)", (1, 2)),
    ("esp32", "", "sta.PM_NONE", 0),
    ("esp8266", "", "(WLAN.PM_NONE, WLAN.PM_PERFORMANCE, WLAN.PM_POWERSAVE)", (0, 2, 1)),
    ("esp8266", "", "hasattr(WLAN, 'PROTOCOL_LR')", False),
    # Names of the module.
    ("esp32", "", "(network.STA_IF, network.AP_IF)", (0, 1)),
    ("esp32", "", "(network.MODE_11B, network.MODE_11G, network.MODE_11N, network.MODE_LR)", (1, 2, 4, 8)),
    ("esp32", "", "(network.AUTH_OPEN, network.AUTH_WPA2_PSK, network.AUTH_WPA_WPA2_PSK)", (0, 3, 4)),
    ("esp32", "", "(network.SEC_OPEN, network.SEC_WPA2, network.SEC_OWE)", (0, 3, 9)),
    ("esp32", "", "(network.STAT_IDLE, network.STAT_CONNECTING, network.STAT_GOT_IP)", (1000, 1001, 1010)),
    ("esp32", "", "(network.STAT_BEACON_TIMEOUT, network.STAT_NO_AP_FOUND)", (200, 201)),
    ("esp32", "", "(network.STAT_WRONG_PASSWORD, network.STAT_CONNECT_FAIL)", (202, 203)),
    ("esp32", "", "network.STAT_HANDSHAKE_TIMEOUT", 204),
    ("esp32", "", "(network.WIFI_PS_NONE, network.WIFI_PS_MIN_MODEM)", (0, 1)),
    (
        "esp32",
        "",
        "[n for n in vars(WLAN.__mro__[1]) if n.startswith(('MODE', 'AUTH', 'SEC', 'STAT'))]",
        [],
    ),
    ("esp8266", "", "(network.MODE_11B, network.MODE_11G, network.MODE_11N)", (1, 2, 3)),
    ("esp8266", "", "hasattr(network, 'MODE_LR')", False),
    (
        "esp8266",
        "",
        "{n: v for n, v in vars(network).items() if n.startswith('STAT_')}",
        {
            "STAT_IDLE": 0,
            "STAT_CONNECTING": 1,
            "STAT_WRONG_PASSWORD": 2,
            "STAT_NO_AP_FOUND": 3,
            "STAT_CONNECT_FAIL": 4,
            "STAT_GOT_IP": 5,
        },
    ),
    # Hostname and country.
    ("esp32", "", "network.hostname()", "mpy-esp32"),
    ("esp8266", "", "network.hostname()", "mpy-esp8266"),
    ("esp32", "", "(network.hostname('kitchen'), network.hostname())", (None, "kitchen")),
    ("esp32", "", "(sta.config(hostname='k'), network.hostname(), sta.config('dhcp_hostname'))", (None, "k", "k")),
    ("esp32", "", "network.country()", "XX"),
    ("esp32", "", "(network.country('DE'), network.country())", (None, "DE")),
    # PHY mode.
    ("esp32", "", "(network.phy_mode(), network.phy_mode(2))", (None, None)),
    ("esp8266", "", "(network.phy_mode(), network.phy_mode(1), sta.config('protocol'))", (3, None, 1)),
    ("esp8266", "", "(network.phy_mode(7), network.phy_mode())", (None, 3)),
    # active.
    ("esp32", "", "(sta.active(), ap.active())", (False, False)),
    ("esp32", "", "(sta.active(1), sta.active('yes'), sta.active(), sta.active(0))", (True, True, True, False)),
    ("esp8266", "", "(sta.active(True), sta.active(), sta.active(False), sta.active())", (None, True, None, False)),
    # Before active(True).
    ("esp32", "", "sta.config('mac')", MAC),
    ("esp32", "", "ap.config('mac')", bytes.fromhex("30aea4000002")),
    ("esp8266", "", "ap.config('mac')", bytes.fromhex("32aea4000001")),
    ("esp32", "", "sta.config('channel')", 1),
    ("esp32", "", "sta.disconnect()", None),
    ("esp32", "", "(sta.status(), sta.isconnected())", (1000, False)),
    # Not connected.
    ("esp32", "sta", "(sta.disconnect(), sta.status())", (None, 1000)),
    ("esp32", "sta ap", "(sta.isconnected(), ap.isconnected())", (False, False)),
    ("esp32", "sta ap", "(ap.status(), ap.status('stations'))", (None, [])),
    ("esp8266", "sta ap", "(sta.status(), ap.status(), sta.status('rssi'))", (0, -1, 31)),
    ("esp32", "sta", "sta.ifconfig()", ("0.0.0.0",) * 4),
    ("esp32", "ap", "ap.ifconfig()", ("192.168.4.1", "255.255.255.0", "192.168.4.1", "0.0.0.0")),
    ("esp8266", "ap", "ap.ifconfig()[0]", "192.168.4.1"),
    ("esp32", "sta", "sta.ipconfig('addr4')", ("0.0.0.0", "0.0.0.0")),
    ("esp32", "sta", "(sta.ipconfig('gw4'), sta.ipconfig('dhcp4'))", ("0.0.0.0", True)),
    ("esp32", "ap", "ap.ipconfig('addr4')", ("192.168.4.1", "255.255.255.0")),
    ("esp32", "", "(network.ipconfig(dns='8.8.8.8'), network.ipconfig('dns'))", (None, "8.8.8.8")),
    ("esp8266", "", "hasattr(sta, 'ipconfig') or hasattr(network, 'ipconfig')", False),
    # Setting addresses.
    (
        "esp32",
        "sta",
        "(sta.ifconfig(('10.0.0.2', '255.0.0.0', '10.0.0.1', '8.8.8.8')), sta.ifconfig(), sta.ipconfig('dhcp4'))",
        (None, ("10.0.0.2", "255.0.0.0", "10.0.0.1", "8.8.8.8"), False),
    ),
    (
        "esp32",
        "sta",
        "(sta.ifconfig(['10.0.0.2', 24, '10.0.0.1', '8.8.8.8']), sta.ifconfig()[1])",
        (None, "255.255.255.0"),
    ),
    (
        "esp32",
        "sta",
        "(sta.ifconfig(('10.0.0.2', 8, '10.0.0.1', '8.8.8.8')), sta.ifconfig('dhcp'), sta.ifconfig()[0])",
        (None, None, "0.0.0.0"),
    ),
    (
        "esp32",
        "sta",
        "(sta.ipconfig(addr4='10.0.0.2/24', gw4='10.0.0.1'), sta.ipconfig('addr4'))",
        (None, ("10.0.0.2", "255.255.255.0")),
    ),
    ("esp32", "sta", "(sta.ipconfig(addr4=('10.0.0.2', '255.0.0.0')), sta.ipconfig('dhcp4'))", (None, False)),
    (
        "esp32",
        "sta",
        "(sta.ipconfig(dhcp4=False), sta.ipconfig('dhcp4'), sta.ipconfig(dhcp4=True), sta.ipconfig('dhcp4'))",
        (None, False, None, True),
    ),
    # Defaults that config returns.
    ("esp32", "", "(sta.config('ssid'), sta.config('essid'))", ("", "")),
    ("esp32", "", "ap.config('essid')", "ESP_000002"),
    ("esp8266", "", "ap.config('essid')", "MicroPython-000001"),
    ("esp32", "", "[ap.config(n) for n in ('hidden', 'security', 'authmode', 'max_clients')]", [False, 0, 0, 4]),
    ("esp32", "", "sta.config('max_clients')", 0),
    ("esp32", "", "(sta.config('bandwidth'), sta.config('reconnects'), sta.config('pm'))", (2, -1, 1)),
    ("esp32", "", "(sta.config('protocol'), ap.config('protocol'))", (7, 7)),
    ("esp32", "", "(sta.config('ifname') != ap.config('ifname'))", True),
    ("esp32", "sta", "sta.config('txpower')", 20.0),
    ("esp8266", "", "(sta.config('protocol'), sta.config('pm'))", (3, 2)),
    # Setting.
    ("esp32", "sta", "(sta.config(channel=6), sta.config('channel'), ap.config('channel'))", (None, 6, 6)),
    ("esp32", "sta ap", "(ap.config(channel=3), sta.config('channel'))", (None, 3)),
    ("esp8266", "ap", "(ap.config(channel=13), ap.config('channel'))", (None, 13)),
    ("esp32", "sta", "(network.country('JP'), sta.config(channel=14), sta.config('channel'))", (None, None, 14)),
    ("esp32", "", "(sta.config(mac=b'\\xaa' * 6), sta.config('mac'))", (None, b"\xaa" * 6)),
    ("esp32", "sta", "(sta.config(mac=bytearray(b'\\xaa' * 6)), sta.config('mac'))", (None, b"\xaa" * 6)),
    ("esp8266", "", "(sta.config(mac=b'\\xbb' * 6), sta.config('mac'))", (None, MAC)),
    ("esp32", "sta", "(sta.config(txpower=8.5), sta.config('txpower'))", (None, 8.5)),
    ("esp32", "sta", "(sta.config(txpower=10), sta.config('txpower'))", (None, 8.5)),
    ("esp32", "", "(sta.config(pm=WLAN.PM_NONE), sta.config('pm'))", (None, 0)),
    ("esp32", "", "(sta.config(ps_mode=network.WIFI_PS_NONE), sta.config('ps_mode'))", (None, 0)),
    (
        "esp8266",
        "",
        "(sta.config(pm=WLAN.PM_NONE), sta.config('pm'), sta.config(pm=9), sta.config('pm'))",
        (None, 0, None, 0),
    ),
    ("esp32", "", "(sta.config(protocol=WLAN.PROTOCOL_LR), sta.config('protocol'))", (None, 8)),
    ("esp32", "", "(sta.config(protocol=15), sta.config('protocol'), ap.config('protocol'))", (None, 15, 7)),
    ("esp32", "", "(sta.config(bandwidth=WLAN.BANDWIDTH_20), sta.config('bandwidth'))", (None, 1)),
    ("esp32", "", "(sta.config(reconnects=5), sta.config('reconnects'))", (None, 5)),
    (
        "esp32",
        "ap",
        (
            "(ap.config(ssid='mine', hidden=1, max_clients=10), ap.config('ssid'), ap.config('hidden'), "
            "ap.config('max_clients'))"
        ),
        (None, "mine", True, 10),
    ),
    ("esp32", "ap", "(ap.config(security=3, key='long-enough'), ap.config('authmode'))", (None, 3)),
    (
        "esp32",
        "ap",
        "(ap.config(essid='old', authmode=network.AUTH_WPA_WPA2_PSK, password='long-enough'), ap.config('ssid'))",
        (None, "old"),
    ),
    ("esp32", "ap", "(ap.config(ssid='x' * 40), len(ap.config('ssid')))", (None, 32)),
    # Connecting.
    (
        "esp32",
        "sta",
        "(sta.connect('home', 'key'), sta.status(), sta.isconnected(), sta.config('ssid'))",
        (None, 1001, False, "home"),
    ),
    ("esp32", "sta", "(ap.connect('home'), sta.status())", (None, 1001)),
    ("esp32", "sta", "(sta.connect(ssid='home', key='k', bssid=bytes(6)), sta.status())", (None, 1001)),
    (
        "esp32",
        "sta",
        "(sta.connect('home'), sta.disconnect(), sta.status(), sta.connect(), sta.status())",
        (None, None, 1000, None, 1001),
    ),
    ("esp8266", "sta", "(sta.connect('home'), sta.status(), sta.connect('other'), sta.status())", (None, 1, None, 1)),
    ("esp32", "sta", "sta.scan()", []),
    ("esp32", "sta", "ap.scan()", []),
]  # fmt: skip


@pytest.mark.parametrize(("profile", "active", "text", "value"), VALUES)
def test_value(profile: str, active: str, text: str, value: Any) -> None:
    assert evaluate(Bench(profile, active), text) == value


# Profile, what is active, expression, class, text.
REFUSALS = [
    ("esp32", "", "WLAN(2)", ValueError, "invalid WLAN interface identifier"),
    ("esp32", "", "WLAN(-1)", ValueError, "invalid WLAN interface identifier"),
    ("esp8266", "", "WLAN(2)", ValueError, "invalid WLAN interface identifier"),
    ("esp32", "", "WLAN('sta')", TypeError, "can't convert str to int"),
    # Only one interface has it.
    *(
        ("esp32", "sta ap", f"sta.config({name}=1)", OSError, "AP required")
        for name in ("ssid", "essid", "hidden", "security", "authmode", "key", "password", "max_clients")
    ),
    *(
        ("esp32", "sta ap", f"sta.config('{name}')", OSError, "AP required")
        for name in ("hidden", "security", "authmode")
    ),
    *(
        ("esp32", "sta ap", text, OSError, "STA required")
        for text in (
            "ap.config(reconnects=1)",
            "ap.config('reconnects')",
            "ap.config(hostname='a')",
            "ap.config('hostname')",
            "ap.config('dhcp_hostname')",
            "ap.status('rssi')",
        )
    ),
    ("esp32", "sta ap", "sta.status('stations')", OSError, "AP required"),
    ("esp8266", "sta", "sta.config(channel=3)", OSError, "AP required"),
    ("esp8266", "sta", "sta.config('channel')", OSError, "AP required"),
    *(
        ("esp8266", "sta ap", f"ap.{call}", OSError, "STA required")
        for call in ("connect('a')", "disconnect()", "scan()", "config('hostname')")
    ),
    # Unknown names.
    *(
        (profile, "sta ap", text, ValueError, "unknown config param")
        for profile in ("esp32", "esp8266")
        for text in ("sta.config('colour')", "sta.config(colour=1)", "ap.config('password')", "ap.config('key')")
    ),
    ("esp32", "", "sta.config(ifname='a')", ValueError, "unknown config param"),
    ("esp8266", "", "sta.config('txpower')", ValueError, "unknown config param"),
    ("esp8266", "", "sta.config(ps_mode=0)", ValueError, "unknown config param"),
    ("esp32", "", "sta.status('colour')", ValueError, "unknown status param"),
    ("esp8266", "", "ap.status('rssi')", ValueError, "unknown status param"),
    # How config is called.
    ("esp32", "", "sta.config()", TypeError, "can query only one param"),
    ("esp32", "", "sta.config('mac', 'ssid')", TypeError, "can query only one param"),
    ("esp32", "", "sta.config('mac', channel=1)", TypeError, "either pos or kw args are allowed"),
    ("esp32", "", "sta.config(1)", TypeError, "can't convert int to str"),
    # Channels.
    *(
        ("esp32", "sta ap", f"{who}.config(channel={channel})", RuntimeError, "Wifi Unknown Error 0x0102")
        for who in ("sta", "ap")
        for channel in (0, 12, 13, 14, 15, -1)
    ),
    ("esp32", "", "sta.config(channel=6)", OSError, "Wifi Not Started"),
    ("esp32", "", "ap.config(channel=6)", OSError, "Wifi Not Started"),
    ("esp32", "ap", "sta.config(channel=6)", OSError, "Wifi Not Started"),
    ("esp32", "sta", "sta.config(channel='6')", TypeError, "can't convert str to int"),
    ("esp32", "sta", "sta.config(channel=6.0)", TypeError, "can't convert float to int"),
    ("esp8266", "ap", "ap.config(channel=14)", OSError, "can't set AP config"),
    # Other values.
    ("esp32", "sta", "sta.config(mac=bytes(5))", ValueError, "invalid buffer length"),
    ("esp8266", "sta", "sta.config(mac=bytes(7))", ValueError, "invalid buffer length"),
    ("esp32", "sta", "sta.config(mac=6)", TypeError, "object with buffer protocol required"),
    ("esp32", "sta", "sta.config(mac=b'\\xbb' * 6)", OSError, "Wifi Invalid MAC Address"),
    ("esp32", "", "sta.config(txpower=10)", OSError, "Wifi Not Started"),
    ("esp32", "", "sta.config('txpower')", OSError, "Wifi Not Started"),
    ("esp32", "sta", "sta.config(txpower=50)", RuntimeError, "Wifi Unknown Error 0x0102"),
    ("esp32", "sta", "sta.config(txpower=1e300)", RuntimeError, "Wifi Unknown Error 0x0102"),
    ("esp32", "sta", "sta.config(txpower='8')", TypeError, "can't convert str to float"),
    ("esp32", "sta", "sta.config(protocol=0)", RuntimeError, "Wifi Unknown Error 0x0102"),
    ("esp32", "sta", "sta.config(pm=3)", RuntimeError, "Wifi Unknown Error 0x0102"),
    ("esp32", "sta", "sta.config(bandwidth=3)", RuntimeError, "Wifi Unknown Error 0x0102"),
    ("esp32", "ap", "ap.config(security=3, key='short')", OSError, "Wifi Invalid Password"),
    ("esp32", "ap", "ap.config(authmode=network.AUTH_WEP)", RuntimeError, "Wifi Unknown Error 0x0102"),
    ("esp8266", "ap", "ap.config(security=3, key='short')", OSError, "can't set AP config"),
    # Connecting and scanning.
    ("esp32", "", "sta.connect('home', 'key')", OSError, "Wifi Not Started"),
    ("esp32", "ap", "sta.connect('home', 'key')", OSError, "Wifi Invalid Mode"),
    ("esp32", "sta", "sta.connect()", OSError, "Wifi SSID Invalid"),
    ("esp32", "sta", "(sta.connect('a'), sta.connect('b'))", OSError, "Wifi Internal Error"),
    ("esp32", "sta", "sta.connect('home', bssid=bytes(5))", ValueError, ""),
    ("esp32", "sta", "sta.status('rssi')", OSError, "Wifi Not Connected"),
    ("esp8266", "", "sta.connect('home')", OSError, "Cannot set STA config"),
    ("esp8266", "", "sta.connect()", OSError, "Cannot connect to AP"),
    ("esp32", "", "sta.scan()", OSError, "STA must be active"),
    ("esp32", "ap", "sta.scan()", OSError, "STA must be active"),
    ("esp8266", "", "sta.scan()", OSError, "STA must be active"),
    # Addresses.
    ("esp32", "", "ap.ifconfig('dhcp')", ValueError, "invalid arguments"),
    ("esp32", "", "sta.ifconfig('static')", ValueError, "invalid arguments"),
    ("esp32", "", "sta.ifconfig(('10.0.0.2', 33, '10.0.0.1', '8.8.8.8'))", ValueError, "invalid arguments"),
    ("esp32", "", "sta.ifconfig(('10.0.0', 8, '10.0.0.1', '8.8.8.8'))", ValueError, "invalid arguments"),
    ("esp32", "", "sta.ifconfig(('10.0.0.256', 8, '10.0.0.1', '8.8.8.8'))", ValueError, "invalid arguments"),
    ("esp32", "", "sta.ifconfig(('10.0.0.2', 8))", ValueError, "requested length 4 but object has length 2"),
    ("esp32", "", "sta.ifconfig(5)", TypeError, "can't convert int to str"),
    ("esp32", "", "sta.ipconfig('colour')", ValueError, "unexpected key"),
    ("esp32", "", "ap.ipconfig('dhcp4')", ValueError, "unexpected key"),
    ("esp32", "", "sta.ipconfig(colour=1)", ValueError, "unexpected key"),
    ("esp32", "", "sta.ipconfig()", TypeError, "must query one param"),
    ("esp32", "", "sta.ipconfig('gw4', gw4='1.2.3.4')", TypeError, "can't specify pos and kw args"),
    ("esp32", "", "sta.ipconfig(addr4=('10.0.0.1',))", ValueError, "requested length 2 but object has length 1"),
    ("esp32", "", "network.ipconfig('colour')", ValueError, "unexpected key"),
    ("esp32", "", "network.ipconfig()", TypeError, "must query one param"),
    ("esp32", "", "network.ipconfig(colour=1)", ValueError, "unexpected key"),
    ("esp32", "", "network.ipconfig('dns', dns='1.2.3.4')", TypeError, "can't specify pos and kw args"),
    # Hostname and country.
    ("esp32", "", "network.hostname('h' * 33)", ValueError, ""),
    ("esp32", "", "network.country('GER')", ValueError, ""),
]  # fmt: skip


@pytest.mark.parametrize(("profile", "active", "text", "kind", "message"), REFUSALS)
def test_refusal(profile: str, active: str, text: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        evaluate(Bench(profile, active), text)
    assert str(caught.value) == message
    assert caught.value.args == ((message,) if message else ())
    if kind is OSError:
        assert isinstance(caught.value, BoardOSError)


# What the radio is told.

# What is active, expression, attribute of the RadioConfig, value.
RADIO = [
    ("", "None", "addresses", ()),
    ("sta", "None", "addresses", ((0, MAC),)),
    ("sta ap", "None", "addresses", ((0, MAC), (1, bytes.fromhex("30aea4000002")))),
    ("sta ap", "sta.active(False)", "addresses", ((1, bytes.fromhex("30aea4000002")),)),
    ("sta", "sta.config(mac=b'\\xaa' * 6)", "addresses", ((0, b"\xaa" * 6),)),
    ("sta", "sta.config(channel=6)", "channel", 6),
    ("ap", "ap.config(channel=6)", "channel", 6),
    ("sta", "sta.config(protocol=network.MODE_LR)", "protocols", ProtocolBit.LR),
    ("sta", "sta.config(txpower=2)", "tx_power_dbm", 2.0),
    ("sta", "sta.config(pm=WLAN.PM_POWERSAVE)", "receiver_on", True),
    ("sta", "(sta.connect('home'), sta.disconnect())", "receiver_on", True),
    ("sta", "sta.scan()", "receiver_on", True),
    ("sta", "sta.active(False)", "receiver_on", False),
]


@pytest.mark.parametrize(("active", "text", "attribute", "value"), RADIO)
def test_the_radio_is_told(active: str, text: str, attribute: str, value: Any) -> None:
    bench = Bench(active=active)
    evaluate(bench, text)
    assert getattr(bench.link.last, attribute) == value
    assert bench.board.node.radio == bench.link.last


@pytest.mark.parametrize(
    ("mode", "protocols"),
    [
        (1, ProtocolBit.B),
        (2, ProtocolBit.B | ProtocolBit.G),
        (3, ProtocolBit.B | ProtocolBit.G | ProtocolBit.N),
    ],
)
@pytest.mark.parametrize("text", ["network.phy_mode({})", "sta.config(protocol={})"])
def test_an_esp8266_decodes_by_phy_mode(text: str, mode: int, protocols: ProtocolBit) -> None:
    bench = Bench("esp8266", "sta")
    evaluate(bench, text.format(mode))
    assert bench.link.last.protocols == protocols


# Time.


@pytest.mark.parametrize(
    "text",
    [
        "sta.status()",
        "sta.isconnected()",
        "sta.active()",
        "sta.config('channel')",
        "sta.ifconfig()",
        "sta.ipconfig('addr4')",
        "ap.status('stations')",
    ],
)
def test_looking_lets_time_pass(bench: Bench, text: str) -> None:
    evaluate(bench, text)
    assert 0 < bench.clock.now_us < 1000


def test_active_takes_its_time_once(bench: Bench) -> None:
    bench.sta.active(True)
    assert bench.clock.now_us == 100_000
    bench.sta.active(True)
    assert bench.clock.now_us == 100_000


def test_scan_takes_its_time(station: Bench) -> None:
    before = station.clock.now_us
    station.sta.scan()
    assert 11 * 120_000 <= station.clock.now_us - before < 11 * 120_000 + 1000


def test_polling_ends_with_no_ap_found(station: Bench) -> None:
    before = station.clock.now_us
    station.sta.connect("home", "key")
    while station.sta.status() == station.network.STAT_CONNECTING:
        assert not station.sta.isconnected()
    assert station.sta.status() == station.network.STAT_NO_AP_FOUND
    assert 3_000_000 <= station.clock.now_us - before < 3_001_000
    with pytest.raises(OSError, match="Wifi Internal Error"):
        station.sta.connect("home", "key")  # it goes on trying until told otherwise
    station.sta.disconnect()
    station.sta.connect("home", "key")


def test_with_reconnects_it_gives_up(station: Bench) -> None:
    station.sta.config(reconnects=0)
    station.sta.connect("home", "key")
    station.clock.now_us += 3_000_000
    assert station.sta.status() == station.network.STAT_NO_AP_FOUND
    station.sta.connect("home", "key")
    assert station.sta.status() == station.network.STAT_CONNECTING


def test_an_esp8266_finds_no_router() -> None:
    bench = Bench("esp8266", "sta")
    bench.sta.connect("home", "key")
    bench.clock.now_us += 3_000_000
    assert bench.sta.status() == bench.network.STAT_NO_AP_FOUND


# More of config.


def test_settings_before_a_bad_one_stay_but_the_access_point_does_not_change() -> None:
    bench = Bench(active="ap")
    with pytest.raises(ValueError, match="unknown config param"):
        bench.ap.config(channel=6, ssid="mine", colour=1)
    assert bench.ap.config("channel") == 6
    assert bench.ap.config("ssid") == "ESP_000002"


def test_a_scan_over_all_channels_raises_where_the_country_forbids(station: Bench) -> None:
    forbidden = []
    for channel in range(1, 15):
        try:
            station.sta.config(channel=channel)
        except RuntimeError:
            forbidden.append(channel)
    assert forbidden == [12, 13, 14]
    assert station.sta.config("channel") == 11


def test_wifi_reset_of_the_document(bench: Bench) -> None:
    sta, ap = bench.sta, bench.ap
    sta.active(False)
    ap.active(False)
    sta.active(True)
    while not sta.active():
        pass
    sta.disconnect()
    while sta.isconnected():
        pass
    assert (sta.active(), ap.active(), sta.status()) == (True, False, 1000)


@given(st.floats(allow_nan=True) | st.integers(-1000, 1000))
def test_tx_power_never_exceeds_the_chip(power: float) -> None:
    bench = Bench(active="sta")
    try:
        bench.sta.config(txpower=power)
    except RuntimeError:
        return
    assert 2 <= bench.sta.config("txpower") <= min(power, 20)


@given(st.text(max_size=40))
def test_any_ssid_comes_back_as_text(ssid: str) -> None:
    bench = Bench()
    bench.ap.config(ssid=ssid)
    found = bench.ap.config("ssid")
    assert isinstance(found, str)
    if len(ssid.encode()) <= 32:
        assert found == ssid


# Modules and boards.


def test_each_board_has_its_own() -> None:
    first, second = Bench(), Bench()
    assert isinstance(first.network, types.ModuleType)
    assert first.network.WLAN is not second.network.WLAN
    assert first.sta is not second.sta
    first.sta.active(True)
    assert not second.sta.active()


def test_a_new_module_after_soft_reset_finds_wifi_as_it_was(station: Bench) -> None:
    station.sta.config(channel=9)
    station.board.soft_reset()
    sta = build_network_module(station.board).WLAN()
    assert sta.active()
    assert sta.config("channel") == 9


def test_programs_may_derive_from_wlan(bench: Bench) -> None:
    class Mine(bench.network.WLAN):  # type: ignore[misc, name-defined]
        def up(self) -> bool:
            return bool(self.active(True))

    assert Mine().up()
    assert bench.sta.active()
    assert type(bench.network.WLAN()) is bench.network.WLAN

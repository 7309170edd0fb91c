"""Wi-Fi of live boards: access points, scans and joins between processes, on the wall clock."""

import pytest

import espnow
import network

from .conftest import until

#: An access point in a process of its own.
ACCESS_POINT = """
ap = network.WLAN(network.WLAN.IF_AP)
ap.active(True)
network.WLAN(network.WLAN.IF_STA).active(False)
ap.config(ssid="a live cafe", channel={channel}, key="secret-key", security=3)
print(ap.config("mac").hex(), ap.config("channel"))
while True:
    host, msg = e.recv(50)
    stations = [mac.hex() for mac, *_ in ap.status("stations")]
    if stations:
        print("joined", *stations)
        break
while True:
    host, msg = e.recv(50)
    if msg == b"end":
        break
    if msg:
        print(msg)
"""


@pytest.fixture
def access_point(programs):
    program = programs.code(ACCESS_POINT.format(channel=4))
    mac, channel = program.expect("")[0].split()
    assert channel == "4"
    program.mac = bytes.fromhex(mac)
    return program


@pytest.fixture
def station(fresh):
    found = network.WLAN(network.WLAN.IF_STA)
    found.active(True)
    return found


def test_a_scan_finds_the_access_point_of_another_process(access_point, station):
    for _ in range(3):  # a computer that is busy may let one scan pass
        found = {entry[0]: entry for entry in station.scan()}
        if b"a live cafe" in found:
            break
    _, bssid, channel, rssi_dbm, security, hidden = found[b"a live cafe"]
    assert (bssid, channel, security, bool(hidden)) == (access_point.mac, 4, 3, False)
    assert -60 < rssi_dbm < 0


def test_joining_it_and_esp_now_beside(access_point, station):
    station.connect("a live cafe", "secret-key")
    until(station.isconnected)
    assert station.config("channel") == 4
    assert station.ifconfig()[0].startswith("192.168.4.")
    access_point.expect(f"joined {station.config('mac').hex()}")
    e = espnow.ESPNow()
    e.active(True)
    e.add_peer(access_point.mac)
    assert e.send(access_point.mac, b"hello over there")
    access_point.expect("hello over there")
    assert e.send(access_point.mac, b"end")
    access_point.finish()


def test_a_wrong_key_does_not_join(access_point, station):
    station.config(reconnects=0)
    station.connect("a live cafe", "another-key")
    until(lambda: station.status() == network.STAT_WRONG_PASSWORD)
    assert not station.isconnected()


def test_functions_of_the_module_take_the_lock(station):
    board = station._board
    names = {name: value for name, value in vars(type(station)).items() if callable(value)}
    assert {"active", "config", "scan", "connect"} <= names.keys()
    held = []
    board.own_class(
        "Probe", type("Base", (), {"look": lambda self: held.append(board.lock.is_owned())}), "test"
    )().look()
    assert held == [True]
    assert not board.lock.is_owned()
    assert isinstance(network.hostname(), str)
    assert hasattr(network.hostname, "__wrapped__")

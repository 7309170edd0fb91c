"""Wi-Fi in the lab: every sentence of the document's "ESPNow and Wifi Operation", then what surrounds it."""

import re

import pytest

from espnow.board import WifiTiming
from espnow.errors import UserError
from espnow.frame import format_mac, parse, parse_header
from espnow.frame.management import parse_wifi
from espnow.link import Absence
from espnow.node.node import DropReason

SSID, KEY = "myssid", "mypassword"
MAC = "02:00:00:00:00:05"

#: What the document tells programs to begin with; `wifi_reset` is its own.
START = """
import network, time, espnow
def wifi_reset():
    sta = network.WLAN(network.WLAN.IF_STA); sta.active(False)
    ap = network.WLAN(network.WLAN.IF_AP); ap.active(False)
    sta.active(True)
    while not sta.active():
        time.sleep(0.1)
    sta.disconnect()
    while sta.isconnected():
        time.sleep(0.1)
    return sta, ap
sta, ap = wifi_reset()
e = espnow.ESPNow(); e.active(True)
def join(ssid='myssid', key='mypassword'):
    sta.connect(ssid, key)
    while not sta.isconnected():
        time.sleep_ms(20)
"""
LISTEN = "\nfor mac, msg in e:\n    if msg: print(msg.decode())\n"


def joined(lab, more="", **options):
    """Add a board that joins the router, does something, and prints what it hears."""
    board = lab.board(code=START + "join()\n" + more + LISTEN, **{"name": "proxy", **options})
    assert lab.run_until(lambda: board.hardware.wifi.connected, timeout_ms=5_000)
    lab.run(for_ms=500)
    return board


def sender(lab, peer, *, channel, count=200, every_ms=50, more="", **options):
    """Add a board that sends numbered messages to an address, and prints which were not acknowledged."""
    code = (
        f"{START}sta.config(channel={channel})\n{more}\ne.add_peer({peer!r})\n"
        f"for n in range({count}):\n    if not e.send({peer!r}, str(n)): print(n)\n    time.sleep_ms({every_ms})\n"
    )
    return lab.board(code=code, **{"name": "sensor", **options})


def ap_mac(board):
    return board.hardware.wifi.mac(1)


# "ESPNow messages may be sent and received on any active interface, even if that interface is also connected to a wifi
# network or configured as an access point."


def test_a_connected_interface_sends_and_receives(lab):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "sta.config(pm=sta.PM_NONE)\n")
    other = lab.board(
        code=f"{START}sta.config(channel=6)\ne.add_peer({proxy.mac!r})\ne.send({proxy.mac!r}, 'to it')\n", name="other"
    )
    lab.run(for_ms=1_000)
    assert proxy.lines == ["to it"]
    assert other.sent[0].acknowledged


def test_a_connected_interface_can_answer(lab):
    lab.router(SSID, KEY, channel=6)
    echo = lab.board(
        code=START + "join()\nsta.config(pm=sta.PM_NONE)\nmac, msg = e.recv(20_000)\ne.add_peer(mac)\n"
        "print(e.send(mac, 'echo'), sta.isconnected())"
    )
    lab.run_until(lambda: echo.hardware.wifi.connected, timeout_ms=5_000)
    other = lab.board(
        code=f"{START}sta.config(channel=6)\ne.add_peer({echo.mac!r})\ne.send({echo.mac!r}, 'x')\nprint(e.recv(500)[1])"
    )
    lab.run(for_ms=3_000)
    assert (echo.lines, other.lines) == (["True True"], ["b'echo'"])


def test_an_access_point_sends_and_receives(lab):
    point = lab.board(
        code=START + "ap.config(ssid='lamp')\nap.active(True)\nmac, msg = e.recv(20_000)\ne.add_peer(mac, ifidx=1)\n"
        "print(msg, e.send(mac, 'echo'))"
    )
    address = ap_mac(point)
    other = lab.board(
        code=f"{START}time.sleep_ms(500)\ne.add_peer({address!r})\nprint(e.send({address!r}, 'x'))\n"
        f"mac, msg = e.recv(500)\nprint(mac == {address!r}, msg, [n[0] for n in sta.scan()])"
    )
    lab.run(for_ms=3_000)
    assert point.lines == ["b'x' True"]
    assert other.lines == ["True", "True b'echo' [b'lamp']"]


# "When a device connects to an Access Point: 1. power saving is automatically activated, and 2. the radio changes wifi
# channel to match the channel used by the Access Point."


@pytest.mark.parametrize("channel", [1, 6, 11])
def test_joining_brings_the_board_to_the_routers_channel(lab, channel):
    lab.router(SSID, KEY, channel=channel)
    board = lab.board(code=START + "print(sta.config('channel'))\njoin()\nprint(sta.config('channel'))")
    lab.run()
    assert board.lines == ["1", str(channel)]
    assert board.hardware.link.config.channel == channel


def test_joining_turns_power_save_on_and_it_loses_messages(lab):
    router = lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "print(sta.config('pm') == sta.PM_PERFORMANCE)\n")
    sensor = sender(lab, proxy.mac, channel=6)
    lab.run_until(lambda: sensor.finished, timeout_ms=60_000)
    heard, lost = len(proxy.lines) - 1, len(sensor.lines)
    assert proxy.lines[0] == "True"
    assert router.stations[0].power_save
    # The receiver is on for a fifth of the time, and a send tries for about that long.
    assert 20 < lost < 190
    assert 20 < heard < 190


def test_broadcasts_are_lost_about_as_often_as_the_receiver_sleeps(lab):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab)
    sensor = sender(lab, b"\xff" * 6, channel=6, count=500, every_ms=37)
    lab.run_until(lambda: sensor.finished, timeout_ms=60_000)
    assert 60 < len(proxy.lines) < 160  # 20 of 102.4 ms


def test_power_save_of_one_beacon_in_three_loses_more(lab):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "sta.config(pm=sta.PM_POWERSAVE)\n")
    sensor = sender(lab, b"\xff" * 6, channel=6, count=500, every_ms=37)
    lab.run_until(lambda: sensor.finished, timeout_ms=60_000)
    assert 15 < len(proxy.lines) < 60
    assert proxy.hardware.wifi.connected  # the beacons that it wakes for are enough


def test_a_board_that_has_not_joined_does_not_save_power(lab):
    lab.router(SSID, KEY, channel=1)
    proxy = lab.board(code=START + LISTEN)
    sensor = sender(lab, proxy.mac, channel=1, count=50)
    lab.run(for_ms=6_000)
    assert (len(proxy.lines), sensor.lines) == (50, [])


# "This can be resolved by: 1. Disabling the power-saving mode."


def test_pm_none_cures_it(lab):
    router = lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "sta.config(pm=sta.PM_NONE)\n")
    sensor = sender(lab, proxy.mac, channel=6)
    lab.run_until(lambda: sensor.finished, timeout_ms=60_000)
    assert (len(proxy.lines), sensor.lines) == (200, [])
    assert not router.stations[0].power_save


# "2. Turning on the AP_IF interface, which will disable the power saving mode. However, the device will then be
# advertising an active wifi access point. You may also send your messages via the AP_IF interface."


@pytest.mark.parametrize("address", ["sta", "ap"])
def test_an_active_access_point_cures_it_and_is_seen(lab, address):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "ap.config(ssid='proxy')\nap.active(True)\n")
    peer = proxy.mac if address == "sta" else ap_mac(proxy)
    sensor = sender(lab, peer, channel=6)
    lab.run_until(lambda: sensor.finished, timeout_ms=60_000)
    assert (len(proxy.lines), sensor.lines) == (200, [])
    seen = lab.board(code=START + "print(sorted((n[0], n[2]) for n in sta.scan()))", name="looker")
    lab.run_until(lambda: seen.finished, timeout_ms=5_000)
    assert seen.lines == ["[(b'myssid', 6), (b'proxy', 6)]"]


def test_power_save_comes_back_when_the_access_point_goes(lab):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "ap.active(True)\ntime.sleep(1)\nap.active(False)\n")
    lab.run(for_ms=2_000)
    assert proxy.hardware.link.config.power_save is not None


# "3. Configuring ESPNow clients to retry sending messages."


def test_retrying_cures_it(lab):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab)
    sensor = lab.board(
        code=f"{START}sta.config(channel=6)\ne.add_peer({proxy.mac!r})\n"
        f"for n in range(50):\n    while not e.send({proxy.mac!r}, str(n)): pass\n    time.sleep_ms(50)\n"
    )
    lab.run_until(lambda: sensor.finished, timeout_ms=60_000)
    heard = [int(line) for line in proxy.lines]
    assert sorted(set(heard)) == list(range(50))


def test_own_traffic_keeps_the_receiver_on_for_a_while(make_lab):
    def answers(linger_us):
        lab = make_lab(wifi=WifiTiming(linger_us=linger_us, awake_us=2_000))
        lab.router(SSID, KEY, channel=6)
        echo = lab.board(
            code=START + "sta.config(channel=6)\nfor mac, msg in e:\n    if mac:\n        if not e.get_peers():"
            " e.add_peer(mac)\n        e.send(mac, msg)\n",
            name="echo",
        )
        asker = lab.board(
            code=f"{START}join()\ne.add_peer({echo.mac!r})\ngot = 0\nfor n in range(100):\n"
            f"    e.send({echo.mac!r}, str(n))\n    got += e.recv(8)[1] is not None\n    time.sleep_ms(41)\nprint(got)"
        )
        lab.run_until(lambda: asker.finished, timeout_ms=30_000)
        return int(asker.lines[0])

    assert answers(10_000) > 90
    assert answers(0) < 50


def test_an_acknowledgement_is_traffic_of_its_own(lab):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab)
    peer = proxy.mac
    sensor = lab.board(
        code=f"{START}sta.config(channel=6)\ne.add_peer({peer!r})\nwhile not e.send({peer!r}, 'first'): pass\n"
        f"for n in range(60):\n    time.sleep_ms(5)\n    if not e.send({peer!r}, str(n)): print(n)"
    )
    lab.run_until(lambda: sensor.finished, timeout_ms=10_000)
    assert sensor.lines == []  # 300 ms, three times from one beacon to the next


# "An ESP32 connected to a wifi network will receive messages sent to the STA_IF MAC address from another ESP32, but
# will reject messages from an ESP8266. To receive them, the AP_IF interface must be active and messages must be sent to
# the AP_IF MAC address."


@pytest.mark.parametrize(
    ("profile", "ap", "address", "heard"),
    [
        ("esp32", False, "sta", True),
        ("esp8266", False, "sta", False),
        ("esp32", True, "sta", True),
        ("esp8266", True, "sta", False),
        ("esp8266", True, "ap", True),
    ],
)
def test_who_is_heard_by_a_connected_esp32(lab, profile, ap, address, heard):
    lab.router(SSID, KEY, channel=1)
    proxy = joined(lab, "sta.config(pm=sta.PM_NONE)\n" + ("ap.active(True)\n" if ap else ""))
    peer = proxy.mac if address == "sta" else ap_mac(proxy)
    if profile == "esp32":
        sensor = sender(lab, peer, channel=1, count=10)
    else:
        sensor = lab.board(
            code=f"{START}e.add_peer({peer!r})\nfor n in range(10):\n    if not e.send({peer!r}, str(n)): print(n)\n",
            profile="esp8266",
        )
    lab.run_until(lambda: sensor.finished, timeout_ms=10_000)
    lab.run(for_ms=100)
    assert len(proxy.lines) == (10 if heard else 0)
    assert sensor.lines == []  # its radio acknowledges in any case
    dropped = [(reason, source) for _, source, reason in proxy.dropped]
    assert dropped == ([] if heard else [(DropReason.OTHER_BSSID, sensor.mac)] * 10)


def test_an_esp8266_is_heard_by_an_esp32_that_left_its_router(lab):
    lab.router(SSID, KEY, channel=1)
    proxy = joined(lab, "sta.disconnect()\n")
    sensor = lab.board(code=f"{START}e.send({proxy.mac!r}, 'x')", profile="esp8266")
    lab.run_until(lambda: sensor.finished, timeout_ms=10_000)
    lab.run(for_ms=100)
    assert proxy.lines == ["x"]


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
def test_a_connected_esp8266_hears_both(lab, profile):
    lab.router(SSID, KEY, channel=1)
    proxy = joined(lab, "sta.config(pm=sta.PM_NONE)\n", profile="esp8266")
    sensor = lab.board(code=f"{START}e.add_peer({proxy.mac!r})\ne.send({proxy.mac!r}, 'x')", profile=profile)
    lab.run_until(lambda: sensor.finished, timeout_ms=10_000)
    lab.run(for_ms=100)
    assert proxy.lines == ["x"]


# "Any other ESPNow devices wishing to communicate with a device which is also connected to an Access Point MUST use the
# same channel." And the document's proxy and sensor.


@pytest.mark.parametrize("channel", [1, 6])
def test_only_the_same_channel_reaches_a_connected_board(lab, channel):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "sta.config(pm=sta.PM_NONE)\n")
    sensor = sender(lab, proxy.mac, channel=channel, count=5)
    lab.run_until(lambda: sensor.finished, timeout_ms=10_000)
    assert len(proxy.lines) == (5 if channel == 6 else 0)


def test_the_proxy_and_the_sensor_of_the_document(lab):
    lab.router(SSID, KEY, channel=6)
    proxy = lab.board(
        code=START.partition("e = espnow")[0]
        + """
sta.connect('myssid', 'mypassword')
while not sta.isconnected():
    time.sleep(0.1)
sta.config(pm=sta.PM_NONE)
print("Proxy running on channel:", sta.config("channel"))
e = espnow.ESPNow(); e.active(True)
for peer, msg in e:
    print(msg)
""",
        mac="30:aa:aa:aa:aa:aa",
    )
    sensor = lab.board(
        code=START.partition("e = espnow")[0]
        + """
sta.config(channel=6)
peer = b'0\\xaa\\xaa\\xaa\\xaa\\xaa'
e = espnow.ESPNow(); e.active(True);
e.add_peer(peer)
while True:
    msg = b'21 C'
    e.send(peer, msg)
    time.sleep(1)
"""
    )
    lab.run(for_ms=10_000)
    assert proxy.lines[0] == "Proxy running on channel: 6"
    assert proxy.lines[1:] == ["bytearray(b'21 C')"] * (len(proxy.lines) - 1)
    assert len(proxy.lines) > 8
    assert {sent.acknowledged for sent in sensor.sent} == {False, True}  # while the proxy joined, and after


# "MicroPython does not reset the wifi peripheral after a soft reset."


def test_wifi_outlives_a_soft_reset_and_esp_now_does_not(lab):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(
        code="import network, espnow, time\nsta = network.WLAN(0)\ne = espnow.ESPNow()\n"
        "print(sta.active(), sta.isconnected(), sta.config('channel'), network.WLAN(1).active(), e.active())\n"
        "if not sta.active():\n    sta.active(True)\n    network.WLAN(1).active(True)\n"
        "    sta.connect('myssid', 'mypassword')\n"
        "    while not sta.isconnected(): time.sleep_ms(50)\n    e.active(True)\n"
    )
    lab.run()
    board.soft_reset()
    lab.run()
    assert board.lines == ["False False 1 False False", "True True 6 True False"]


def test_wifi_reset_brings_it_to_a_known_state(lab):
    router = lab.router(SSID, KEY, channel=6)
    board = lab.board(
        code="import network\nif network.WLAN(0).active():\n"
        + re.sub("^", "    ", START, flags=re.MULTILINE)
        + "\n    print(sta.active(), sta.isconnected(), ap.active())\nelse:\n"
        + re.sub("^", "    ", START, flags=re.MULTILINE)
        + "\n    join()\n    ap.active(True)\n"
    )
    lab.run()
    assert [station.mac for station in router.stations] == [board.mac]
    board.soft_reset()
    lab.run()
    assert board.lines == ["True False False"]
    assert router.stations == []  # it was told


def test_a_reset_switches_wifi_off(lab):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(code="import network\nsta = network.WLAN(0)\nprint(sta.active(), sta.config('channel'))")
    lab.run()
    wifi = board.hardware.wifi
    for interface in (0, 1):
        board.module("network").WLAN(interface).active(True)
    board.module("network").WLAN(0).connect(SSID, KEY)
    lab.run_until(lambda: wifi.connected, timeout_ms=5_000)
    board.hardware.reset()
    assert board.hardware.wifi is not wifi
    sent = len(lab.transmissions)
    lab.run(for_ms=20_000)
    assert {entry.station for entry in lab.transmissions[sent:]} == {"router"}
    board.module("network").WLAN(0).active(True)
    lab.run(for_ms=20_000)
    assert {entry.station for entry in lab.transmissions[sent:]} == {"router"}


# "STA_IF and AP_IF always operate on the same channel: the AP_IF will change channel when you connect to a network."


def test_the_access_point_goes_along_when_the_station_joins(lab):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(
        code=START
        + "ap.active(True)\nap.config(channel=3)\nprint(ap.config('channel'), sta.config('channel'))\njoin()\n"
        "print(ap.config('channel'), sta.config('channel'))\nwhile True: time.sleep(1)"
    )
    lab.run(for_ms=4_000)
    assert board.lines == ["3 3", "6 6"]
    beacons = [t for t in lab.transmissions[-40:] if t.mpdu[0] == 0x80 and t.station == board.name]
    assert {(t.channel, parse_wifi(t.mpdu).channel) for t in beacons} == {(6, 6)}


# "The router may change the channel: the ESP devices connected to the wifi network will also change channels to match
# the router, but other ESPNow-only devices will remain on the previous channel and communication will be lost."


@pytest.mark.parametrize("more", ["", "sta.config(pm=sta.PM_NONE)\n", "sta.config(pm=sta.PM_POWERSAVE)\n"])
def test_a_router_that_changes_channel_takes_its_stations_along_and_leaves_the_others(lab, more):
    router = lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, more + "ap.active(True)\n")
    sensor = sender(lab, proxy.mac, channel=6, count=100, every_ms=100)
    lab.run(for_ms=3_000)
    before = len(proxy.lines)
    assert before > 20
    router.set_channel(11)
    lab.run(for_ms=1_000)
    assert (router.channel, proxy.hardware.wifi.channel, sensor.hardware.wifi.channel) == (11, 11, 6)
    assert proxy.hardware.wifi.connected
    heard = len(proxy.lines)
    lab.run_until(lambda: sensor.finished, timeout_ms=60_000)
    assert len(proxy.lines) == heard
    assert len(sensor.lines) > 50
    assert router.stations[0].mac == proxy.mac
    assert len(router.stations) == 1


def test_a_sensor_that_scans_the_channels_finds_its_proxy_again(lab):
    router = lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "sta.config(pm=sta.PM_NONE)\n")
    sensor = lab.board(
        code=f"{START}e.add_peer({proxy.mac!r})\nwhile True:\n    if not e.send({proxy.mac!r}, 'x'):\n"
        f"        for channel in range(1, 12):\n            sta.config(channel=channel)\n"
        f"            if e.send({proxy.mac!r}, 'x'):\n                print(channel)\n                break\n"
        "    time.sleep_ms(200)\n"
    )
    lab.run(for_ms=3_000)
    router.set_channel(11)
    lab.run(for_ms=4_000)
    assert sensor.lines == ["6", "11"]


# "If the esp device is connected to an Access Point that goes down, MicroPython will automatically start scanning
# channels in an attempt to reconnect. This means ESPNow messages will be lost while scanning. This can be disabled by
# reconnects=0, which will also disable the automatic reconnection after losing connection."


@pytest.mark.parametrize("reconnects", [-1, 0])
def test_a_router_that_vanishes(lab, reconnects):
    router = lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, f"sta.config(pm=sta.PM_NONE, reconnects={reconnects})\n")
    sensor = sender(lab, proxy.mac, channel=6, count=300, every_ms=100)
    lab.run(for_ms=2_000)
    assert sensor.lines == []
    router.down()
    lab.run(for_ms=5_000)
    assert proxy.hardware.wifi.connected  # nobody has noticed yet
    assert sensor.lines == []
    lab.run(for_ms=10_000)
    wifi = proxy.hardware.wifi
    assert not wifi.connected
    assert wifi.channel == 6
    assert (len(sensor.lines) > 20) is (reconnects != 0)
    assert wifi.radio_config().absence is (Absence.SEARCHING if reconnects else None)
    status = proxy.module("network").WLAN(0).status()
    assert status == (201 if reconnects else 200)
    router.up()
    lab.run(for_ms=5_000)
    assert wifi.connected is (reconnects != 0)


def test_the_router_returns_and_everything_is_as_before(lab):
    router = lab.router(SSID, KEY, channel=6)
    proxy = joined(lab)
    router.down()
    assert router.stations == []
    lab.run(for_ms=20_000)
    router.set_channel(9)
    router.up()
    assert lab.run_until(lambda: proxy.hardware.wifi.connected, timeout_ms=5_000)
    assert (proxy.hardware.wifi.channel, proxy.hardware.wifi.addresses[0][0]) == (9, "192.168.1.2")
    assert proxy.hardware.link.config.power_save is not None


@pytest.mark.parametrize(("reconnects", "rounds"), [(1, 1), (3, 3)])
def test_it_searches_as_often_as_reconnects_says(lab, reconnects, rounds):
    router = lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, f"sta.config(reconnects={reconnects})\n")
    router.down()
    begin = len(lab.transmissions)
    lab.run(for_ms=30_000)
    probes = [t for t in lab.transmissions[begin:] if t.mpdu[0] == 0x40]
    assert len(probes) == rounds * 25  # 3 s at 120 ms
    assert not proxy.hardware.wifi.searching


# "Some versions only permit sending ESPNow packets to peers which have been registered on the same wifi channel."


def test_a_peer_of_another_channel_than_the_routers(lab):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(
        code=START + "e.add_peer(b'0\\xaa\\xaa\\xaa\\xaa\\xaa', channel=1)\njoin()\n"
        "try:\n    e.send(b'0\\xaa\\xaa\\xaa\\xaa\\xaa', 'x')\nexcept OSError as error:\n    print(error.args[1])\n"
    )
    lab.run()
    assert board.lines == ["ESPNOW: Peer channel is not equal to the home channel, send fail!", "ESP_ERR_ESPNOW_CHAN"]


def test_a_search_is_not_a_change_of_channel_for_peers(lab):
    board = lab.board(
        code=START + "peer = b'0\\xaa\\xaa\\xaa\\xaa\\xaa'\ne.add_peer(peer, channel=1)\nsta.connect('none')\n"
        "time.sleep_ms(300)\nprint(e.send(peer, 'x'), sta.config('channel'))\n"
    )
    lab.run()
    assert board.lines == ["False 1"]  # away, it reaches nobody, and that is no error


def test_a_router_is_told_even_if_the_search_for_another_follows_at_once(lab):
    router = lab.router(SSID, KEY, channel=6)
    board = lab.board(code=START + "join()\nsta.disconnect()\nsta.connect('none')")
    lab.run(for_ms=6_000)
    assert board.hardware.wifi.joining.name == "NO_AP_FOUND"
    assert router.stations == []


# Joining: time and result.

STATUS = """
import network, time
sta = network.WLAN(0); sta.active(True)
sta.config(reconnects=0)
begin = time.ticks_ms()
sta.connect({arguments})
while sta.status() == network.STAT_CONNECTING: time.sleep_ms(1)
print(sta.status(), round(time.ticks_diff(time.ticks_ms(), begin), -1), sta.isconnected(), sta.ifconfig()[0])
"""


@pytest.mark.parametrize(
    ("router", "arguments", "expected"),
    [
        ({"key": KEY}, "'myssid', 'mypassword'", "1010 1500 True 192.168.1.2"),
        ({"key": ""}, "'myssid'", "1010 1500 True 192.168.1.2"),
        ({"key": "", "channel": 11}, "'myssid', 'any key will do'", "1010 1500 True 192.168.1.2"),
        ({"key": KEY, "hidden": True}, "'myssid', 'mypassword'", "1010 1500 True 192.168.1.2"),
        ({"key": KEY}, "'myssid', 'otherpassword'", "202 3000 False 0.0.0.0"),
        ({"key": KEY, "channel": 11}, "'myssid', 'mypasswor'", "202 3000 False 0.0.0.0"),
        ({"key": KEY}, "'myssid'", "201 3000 False 0.0.0.0"),
        ({"key": KEY}, "'other', 'mypassword'", "201 3000 False 0.0.0.0"),
        ({"key": KEY, "channel": 13}, "'myssid', 'mypassword'", "201 3000 False 0.0.0.0"),
        ({"key": KEY, "at": (5_000, 0)}, "'myssid', 'mypassword'", "201 3000 False 0.0.0.0"),
        ({"key": KEY, "mac": MAC}, "'myssid', 'mypassword', bssid=b'\\2\\0\\0\\0\\0\\5'", "1010 1500 True 192.168.1.2"),
        ({"key": KEY, "mac": MAC}, "'myssid', 'mypassword', bssid=b'\\2\\0\\0\\0\\0\\6'", "201 3000 False 0.0.0.0"),
    ],
)  # fmt: skip
def test_what_becomes_of_connect(lab, router, arguments, expected):
    lab.router(SSID, **{"channel": 6, **router})
    board = lab.board(code=STATUS.format(arguments=arguments))
    lab.run()
    assert board.lines == [expected]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [("'myssid', 'mypassword'", "1 5"), ("'myssid', 'otherpassword'", "1 2"), ("'none', ''", "1 3")],
)
def test_an_esp8266_has_numbers_of_its_own(lab, arguments, numbers):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(
        code=f"import network, time\nsta = network.WLAN(0); sta.active(True)\nsta.connect({arguments})\n"
        "print(sta.status(), end=' ')\ntime.sleep(4)\nprint(sta.status())",
        profile="esp8266",
    )
    lab.run()
    assert board.lines == [numbers]


def test_no_key_is_on_the_air_and_the_handshake_is(lab):
    lab.router(SSID, KEY, channel=6)
    joined(lab)
    assert not any(KEY.encode() in t.mpdu for t in lab.transmissions)
    handshake = [t for t in lab.transmissions if t.mpdu[24:32] == bytes.fromhex("aaaa03000000888e")]
    assert [t.mpdu[1] & 3 for t in handshake] == [2, 1, 2, 1]


def test_the_strongest_of_the_same_name_and_channel(lab):
    lab.router(SSID, KEY, channel=6, at=(80, 0), name="far")
    near = lab.router(SSID, KEY, channel=6, at=(10, 0), name="near")
    proxy = joined(lab)
    assert proxy.hardware.wifi.bssid == near.mac
    assert proxy.module("network").WLAN(0).status("rssi") == proxy.hardware.wifi.rssi_dbm() == -50


def test_stations_get_addresses_of_their_own_and_keep_them(lab):
    router = lab.router(SSID, KEY, channel=6)
    boards = [lab.board(code=START + "join()\nprint(sta.ifconfig())\nwhile True: time.sleep(1)") for _ in range(3)]
    lab.run(for_ms=4_000)
    assert {station.ip for station in router.stations} == {"192.168.1.2", "192.168.1.3", "192.168.1.4"}
    by_mac = {station.mac: station.ip for station in router.stations}
    for board in boards:
        assert board.lines == [str((by_mac[board.mac], "255.255.255.0", "192.168.1.1", "192.168.1.1"))]


def test_a_static_address_stays(lab):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(
        code=START + "mine = ('10.0.0.7', '255.0.0.0', '10.0.0.1', '8.8.8.8')\nsta.ifconfig(mine)\njoin()\n"
        "print(sta.ifconfig() == mine)"
    )
    lab.run()
    assert board.lines == ["True"]


def test_the_channel_cannot_be_set_on_the_way_to_a_router_and_while_joined(lab):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(
        code=START + "def attempt(n):\n    try:\n        sta.config(channel=n)\n        print('ok')\n"
        "    except RuntimeError as error:\n        print(error)\n"
        "sta.connect('myssid', 'mypassword')\nattempt(3)\ntime.sleep(2)\nattempt(3)\nattempt(6)\n"
        "sta.disconnect()\nattempt(3)"
    )
    lab.run()
    refused = "Wifi Unknown Error 0xffffffff"
    assert board.lines == [refused, refused, "ok", "ok"]


def test_the_channel_of_an_esp8266_stays_its_routers(lab):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(
        code="import network, time\nsta, ap = network.WLAN(0), network.WLAN(1)\nsta.active(True)\nap.active(True)\n"
        "sta.connect('myssid', 'mypassword')\ntime.sleep(3)\nap.config(channel=3)\nprint(ap.config('channel'))",
        profile="esp8266",
    )
    lab.run()
    assert board.lines == ["6"]


def test_a_router_does_not_forget_a_station_that_has_nothing_to_say(lab):
    router = lab.router(SSID, KEY)
    board = joined(lab, "sta.config(reconnects=0)\n")
    lab.run(for_ms=310_000)
    assert [station.mac for station in router.stations] == [board.mac]
    assert board.hardware.wifi.connected


def test_a_router_that_forgot_a_station_sends_it_away_and_it_joins_again(lab):
    router = lab.router(SSID, KEY, channel=6)
    proxy = joined(lab)
    router.down()
    router.up()
    lab.run(for_ms=1_000)
    assert proxy.hardware.wifi.connected
    assert router.stations == []
    assert lab.run_until(lambda: router.stations, timeout_ms=40_000)


def test_with_reconnects_0_the_reason_is_the_status(lab):
    router = lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "sta.config(reconnects=0)\n")
    router.down()
    router.up()
    lab.run(for_ms=5_900)  # its beacons are elsewhere in time, and it is not lost yet
    proxy.hardware.wifi._station._send_null()
    lab.run(for_ms=100)
    assert proxy.module("network").WLAN(0).status() == 7


def test_a_board_out_of_range_loses_its_router(lab):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab)
    proxy.position = (10_000, 0)
    lab.run(for_ms=7_000)
    assert not proxy.hardware.wifi.connected
    proxy.position = (5, 0)
    assert lab.run_until(lambda: proxy.hardware.wifi.connected, timeout_ms=8_000)


# An AP interface is a real access point.


def test_a_board_joins_a_board(lab):
    point = lab.board(
        code=START + "ap.config(ssid='lamp', key='longpassword', security=3)\nap.active(True)\n"
        "while not ap.isconnected(): time.sleep_ms(20)\nprint(ap.status('stations'))\n"
        "while ap.isconnected(): time.sleep_ms(20)\nprint(ap.status('stations'))"
    )
    guest = lab.board(
        code=START + "time.sleep(1)\nprint([(n[0], n[4]) for n in sta.scan()])\njoin('lamp', 'longpassword')\n"
        "print(sta.ifconfig()[0], sta.ifconfig()[2])\ntime.sleep(1)\nsta.active(False)"
    )
    lab.run()
    assert guest.lines == ["[(b'lamp', 3)]", "192.168.4.2 192.168.4.1"]
    assert point.lines == [str([(guest.mac, "192.168.4.2")]), "[]"]


def test_an_access_point_has_room_for_so_many(lab):
    lab.board(code=START + "ap.config(ssid='lamp', max_clients=2)\nap.active(True)\nwhile True: time.sleep(1)")
    guests = [
        lab.board(code=START + "sta.config(reconnects=0)\nsta.connect('lamp')\ntime.sleep(4)\nprint(sta.status())")
        for _ in range(3)
    ]
    lab.run(for_ms=6_000)
    assert sorted(guest.lines[0] for guest in guests) == ["1010", "1010", "203"]


def test_an_access_point_with_stations_keeps_its_channel(lab):
    point = lab.board(
        code=START + "ap.config(ssid='lamp')\nap.active(True)\nwhile not ap.isconnected(): time.sleep_ms(20)\n"
        "try:\n    ap.config(channel=6)\nexcept RuntimeError as error:\n    print(error)"
    )
    lab.board(code=START + "join('lamp')\ntime.sleep(5)")
    lab.run(for_ms=5_000)
    assert point.lines == ["Wifi Unknown Error 0xffffffff"]


def test_an_access_point_that_goes_sends_its_stations_away(lab):
    point = lab.board(code=START + "ap.config(ssid='lamp')\nap.active(True)\ntime.sleep(4)\nap.active(False)")
    guest = lab.board(code=START + "sta.config(reconnects=0)\njoin('lamp')\nwhile sta.isconnected(): time.sleep_ms(1)\n"
                      "print(time.ticks_ms() // 100, sta.status())")  # fmt: skip
    lab.run()
    assert point.finished
    assert guest.lines == ["42 3"]


# Scanning.


def test_a_scan_shows_what_is_there_the_strongest_first(lab):
    lab.router("far", channel=11, at=(60, 0))
    lab.router("near", KEY, channel=1, at=(3, 0))
    hidden = lab.router("secret", KEY, channel=6, at=(20, 0), hidden=True)
    lab.router("beyond", channel=6, at=(9_000, 0))
    board = lab.board(code=START + "for network in sta.scan(): print(network)")
    lab.run()
    rows = [eval(line) for line in board.lines]
    assert [(row[0], row[2], row[4], row[5]) for row in rows] == [
        (b"near", 1, 3, False),
        (b"", 6, 3, True),
        (b"far", 11, 0, False),
    ]
    assert rows[1][1] == hidden.mac
    assert [row[3] for row in rows] == [-35, -59, -74]


def test_a_scan_is_deaf_and_takes_its_time(lab):
    listener = lab.board(
        code=START + "sta.config(channel=7)\nt = time.ticks_ms()\nsta.scan()\n"
        "print(time.ticks_diff(time.ticks_ms(), t), sta.config('channel'))\ntime.sleep(5)" + LISTEN
    )
    sensor = sender(lab, listener.mac, channel=7, count=60, every_ms=10)
    lab.run_until(lambda: sensor.finished, timeout_ms=20_000)
    lab.run(for_ms=6_000)
    assert listener.lines[0] == "1320 7"
    assert 10 < len(sensor.lines) < 40
    assert len(listener.lines) - 1 == 60 - len(sensor.lines)


def test_a_joined_board_can_scan_and_stays_joined(lab):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(
        code=START + "join()\nprint(len(sta.scan()), sta.isconnected(), sta.config('channel'))\n"
        "time.sleep(9)\nprint(sta.isconnected())"
    )
    lab.run()
    assert board.lines == ["1 True 6", "True"]


# An ESP8266 remembers.


def test_an_esp8266_joins_its_last_network_by_itself_until_disconnect(lab):
    router = lab.router(SSID, KEY, channel=6)
    code = (
        "import network, time\nsta = network.WLAN(0)\nsta.active(True)\n{first}time.sleep(3)\n"
        "print(sta.isconnected(), sta.config('essid'))"
    )
    board = lab.board(code=code.format(first="sta.connect('myssid', 'mypassword')\n"), profile="esp8266")
    lab.run()
    assert board.lines == ["True myssid"]
    for disconnects, joins in ((False, True), (True, False), (False, False)):
        board.hardware.reset()
        network = board.module("network").WLAN(0)
        network.active(True)
        if disconnects:
            network.disconnect()
        lab.run(for_ms=3_000)
        assert board.hardware.wifi.connected is joins
    assert [station.mac for station in router.stations] == [board.mac]  # a chip that is reset tells nobody


def test_an_esp32_does_not(lab):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(code=START + "join()")
    lab.run()
    assert board.hardware.wifi.connected
    board.hardware.reset()
    board.module("network").WLAN(0).active(True)
    lab.run(for_ms=3_000)
    assert not board.hardware.wifi.connected


# Long range.


@pytest.mark.parametrize(("protocol", "heard"), [("sta.PROTOCOL_DEFAULT", 0), ("sta.PROTOCOL_LR", 1), ("15", 1)])
@pytest.mark.parametrize("rate", [41, 42])
def test_long_range_is_heard_with_the_long_range_protocol_only(lab, protocol, heard, rate):
    listener = lab.board(code=START + f"sta.config(protocol={protocol})" + LISTEN)
    lab.board(
        code=f"{START}sta.config(protocol=15)\ne.config(rate={rate})\ntime.sleep_ms(50)\n"
        f"e.add_peer({listener.mac!r})\ne.send({listener.mac!r}, 'x')"
    )
    lab.run(for_ms=2_000)
    assert listener.lines == ["x"] * heard


def test_long_range_messages_do_not_lose_the_router(lab):
    lab.router(SSID, KEY, channel=6)
    board = lab.board(
        code=START + "e.config(rate=41)\njoin()\nprint(sta.isconnected())\ntime.sleep(40)\nprint(sta.isconnected())"
    )
    lab.run(for_ms=60_000)
    assert board.lines == ["True", "True"]


# Routers.


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"ssid": ""}, "an ssid has 1 to 32 bytes"),
        ({"ssid": "x" * 33}, "an ssid has 1 to 32 bytes"),
        ({"ssid": 5}, "ssid is 5, and must be a str or bytes"),
        ({"key": 12345678}, "key is 12345678, and must be a str or bytes"),
        ({"key": "short"}, "a key has 8 to 64 characters, not 5; an open network has none"),
        ({"channel": 0}, "channel is 0, and must be from 1 to 14"),
        ({"channel": True}, "channel is True, and must be from 1 to 14"),
        ({"channel": "6"}, "channel is '6', and must be from 1 to 14"),
        ({"name": "board"}, "there is a board, a router or a station named 'board' already"),
        ({"mac": "aa"}, "'aa' is no MAC address"),
        ({"mac": b"\1" * 6}, "multicast"),
        ({"at": "here"}, "'router': a position is two numbers"),
        ({"tx_power_dbm": 99}, "tx_power_dbm is 99, and must be from 0 to 30"),
    ],
)
def test_mistakes_about_routers(lab, arguments, says):
    lab.board(name="board", mac="30:aa:aa:aa:aa:aa")
    with pytest.raises(UserError) as caught:
        lab.router(**{"ssid": SSID, **arguments})
    assert says in str(caught.value)
    assert lab.routers == []


def test_a_taken_address_and_a_taken_name(lab):
    board = lab.board(name="board")
    with pytest.raises(UserError, match="same MAC address"):
        lab.router(SSID, mac=board.mac)
    router = lab.router(SSID)
    with pytest.raises(UserError, match="same MAC address"):
        lab.board(mac=router.mac)
    with pytest.raises(UserError, match="'router'"):
        lab.board(name="router")
    with pytest.raises(UserError, match="must be from 1 to 14"):
        router.set_channel(15)


def test_routers_are_listed_and_change_no_boards_address(make_lab):
    alone, beside = make_lab(), make_lab()
    routers = [beside.router(SSID), beside.router("other", KEY, channel=3)]
    assert beside.routers == routers
    assert [router.name for router in routers] == ["router", "router-2"]
    assert len({router.mac for router in routers}) == 2
    assert alone.board().mac == beside.board().mac
    assert repr(routers[1]) == f"<Router router-2 'other' {format_mac(routers[1].mac)} on channel 3>"


def test_the_time_between_beacons_can_be_set(make_lab):
    lab = make_lab(wifi=WifiTiming(beacon_us=51_200))
    router = lab.router(SSID)
    point = lab.board(code=START + "ap.active(True)")
    lab.run(for_ms=2_000)
    beacons = {
        address: [
            frame.at_us for frame in lab.transmissions if frame.mpdu[:1] == b"\x80" and frame.mpdu[10:16] == address
        ]
        for address in (router.mac, ap_mac(point))
    }
    for times in beacons.values():
        assert len(times) > 30
        assert (times[30] - times[10]) / 20 == pytest.approx(51_200, abs=100)


def test_a_router_that_is_down_is_silent(lab):
    router = lab.router(SSID, KEY)
    lab.run(for_ms=1_000)
    count = len(lab.transmissions)
    assert count == 9
    router.down()
    assert not router.is_up
    lab.run(for_ms=1_000)
    assert len(lab.transmissions) == count
    router.up()
    router.up()
    lab.run(for_ms=1_000)
    assert len(lab.transmissions) == count + 9


# Time, chance, endings.


def test_beacons_and_searches_keep_no_lab_alive(lab):
    router = lab.router(SSID, KEY, channel=6)
    lab.board(code="import network\nnetwork.WLAN(1).active(True)")
    lab.run()
    assert lab.now_ms < 200
    proxy = lab.board(code=START + "join()\nprint(e.recv(-1))", name="proxy")
    lab.run()  # it waits for ever, and beacons go on
    assert proxy.hardware.wifi.connected
    router.down()
    lab.run(for_ms=10_000)
    now = lab.now_ms
    lab.run()  # only a search goes on
    assert lab.now_ms - now < 300
    board = lab.board(
        code="import network\nsta = network.WLAN(0)\nsta.active(True)\nsta.connect('none')", name="seeker"
    )
    lab.run()
    assert board.hardware.wifi.joining.name == "NO_AP_FOUND"


def test_the_same_seed_gives_the_same_frames(make_lab):
    def trace(seed):
        lab = make_lab(seed=seed, loss=0.1)
        router = lab.router(SSID, KEY, channel=6)
        proxy = lab.board(code=START + "join()\nap.active(True)" + LISTEN)
        sender(lab, proxy.mac, channel=6, count=30)
        lab.run(for_ms=4_000)
        router.set_channel(3)
        lab.run(for_ms=4_000)
        return [(t.at_us, t.station, t.mpdu, t.channel) for t in lab.transmissions]

    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


@pytest.mark.parametrize("seed", range(5))
def test_joining_survives_a_lossy_air(make_lab, seed):
    lab = make_lab(seed=seed, loss=0.3)
    lab.router(SSID, KEY, channel=6)
    board = lab.board(code=START + "join()\ntime.sleep(30)\nprint(sta.isconnected())")
    lab.run(for_ms=60_000)
    assert board.lines == ["True"]


def test_esp_now_goes_on_with_the_same_sequence_numbers(lab):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "sta.config(pm=sta.PM_NONE)\n")
    sensor = sender(lab, proxy.mac, channel=6, count=3)
    lab.run_until(lambda: sensor.finished, timeout_ms=5_000)
    numbers = [parse(t.mpdu).seq for t in lab.transmissions if t.station == "sensor" and t.mpdu[0] == 0xD0]
    assert numbers == [0, 1, 2]


def test_esp_now_and_beacons_of_one_address_count_together(lab):
    point = lab.board(
        code=START + "ap.active(True)\ne.add_peer(b'\\xff' * 6, ifidx=1)\n"
        "for n in range(20):\n    e.send(b'\\xff' * 6, 'x')\n    time.sleep_ms(70)"
    )
    lab.run()
    own = [parse_header(t.mpdu) for t in lab.transmissions if t.mpdu[10:16] == ap_mac(point)]
    assert [header.seq for header in own] == list(range(len(own)))
    assert {header.subtype for header in own} == {8, 13}


def test_a_board_that_is_switched_off_is_silent(lab):
    lab.router(SSID, KEY, channel=6)
    proxy = joined(lab, "ap.active(True)\n")
    proxy.power_off()
    count = len(lab.transmissions)
    lab.run(for_ms=70_000)
    assert {t.station for t in lab.transmissions[count:]} == {"router"}


def test_wifi_does_nothing_in_light_sleep(lab):
    lab.board(
        code="""
import machine, network
for number in (0, 1):
    network.WLAN(number).active(True)
network.WLAN(0).connect("nobody", "password1")
machine.lightsleep(600_000)
"""
    )
    lab.run()
    assert lab.now_us > 600_000_000
    assert lab.clock._counter < 100

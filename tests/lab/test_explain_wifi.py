"""Why a message did not arrive, beside routers and by the programs of boards."""

import re

RADIO = """
import network, espnow, machine, time
wlan = network.WLAN(0)
wlan.active(True)
e = espnow.ESPNow()
e.active(True)
"""
JOIN = """
wlan.connect("home", "password")
while not wlan.isconnected():
    time.sleep_ms(10)
"""
AWAKE = JOIN + "wlan.config(pm=wlan.PM_NONE)\n"
GATEWAY = "30:aa:aa:aa:aa:aa"
REJECTED = (
    "rejected at the STA address of a joined board: gateway has joined a router, and takes messages of an ESP8266 at "
    "its AP address only"
)
GATEWAY_AP = "30:aa:aa:aa:aa:ab"


def beside_a_router(lab, gateway, sensor, *, act=None, profile=None, channel=6, for_ms=20_000):
    """Run two programs beside a router, and return the losses of the sensor."""
    router = lab.router("home", "password", channel=channel, name="home")
    if act is not None:
        lab.clock.call_at(10_000_000, lambda: act(router))
    board = lab.board(code=f"{RADIO}{gateway}\nwhile True:\n    e.recv()", name="gateway", mac=GATEWAY)
    board = lab.board(
        code=f"{RADIO}router = bytes.fromhex('{router.mac.hex()}')\n{sensor}", name="sensor", profile=profile
    )
    lab.run(for_ms=for_ms)
    assert board.error is None, board.output
    return [(loss.reason.value, loss.sentence) for loss in board.explain()]


def send_at(ms, to=GATEWAY, *, channel=None):
    tune = "" if channel is None else f"wlan.config(channel={channel})\n"
    return (
        f"peer = bytes.fromhex('{to.replace(':', '')}')\n{tune}e.add_peer(peer)\n"
        f"time.sleep_ms({ms} - time.ticks_ms())\ne.send(peer, 'x')\n"
    )


def test_a_joined_board_is_on_its_routers_channel(lab):
    assert beside_a_router(lab, AWAKE, send_at(9_000)) == [
        ("other_channel", "on another channel: sensor sends on 1, gateway listens on 6 (its router's); 7 attempts")
    ]


def test_a_joined_sender_is_on_its_routers_channel(lab):
    assert beside_a_router(lab, "", JOIN + send_at(9_000)) == [
        ("other_channel", "on another channel: sensor sends on 6 (its router's), gateway listens on 1; 7 attempts")
    ]


def test_a_joined_board_is_in_power_save(lab):
    # All attempts end before the next beacon.
    losses = beside_a_router(lab, JOIN, send_at(9_050, channel=6) + "for _ in range(9): e.send(peer, 'y')\n")
    assert set(losses) <= {
        (
            "power_save",
            "asleep in power save: the receiver of gateway is on for 20 of each 102 ms; 7 attempts",
        )
    }
    assert losses


def test_power_save_can_be_switched_off(lab):
    assert beside_a_router(lab, AWAKE, send_at(9_050, channel=6) + "for _ in range(9): e.send(peer, 'y')\n") == []


def test_a_board_that_searches_for_its_router(lab):
    ((reason, sentence),) = beside_a_router(lab, AWAKE, send_at(16_700, channel=6), act=lambda router: router.down())
    assert reason == "searching"
    assert re.fullmatch(
        r"scanning for its router: gateway was on channel \d+, sensor sends on 6; 7 attempts"
        r"(, before \d x on another channel)?",
        sentence,
    )


def test_a_sender_that_searches_for_its_router(lab):
    sensor = JOIN + "peer = bytes.fromhex('30aaaaaaaaaa')\ne.add_peer(peer)\ntime.sleep_ms(16_700 - time.ticks_ms())\n"
    ((reason, sentence),) = beside_a_router(
        lab, "wlan.config(channel=11)", sensor + "e.send(peer, 'x')", act=lambda router: router.down()
    )
    assert reason == "other_channel"
    assert re.match(
        r"on another channel: sensor sends on \d+ \(scanning for its router\), gateway listens on 11;", sentence
    )


def test_a_router_that_changes_its_channel_takes_its_stations_along(lab):
    losses = beside_a_router(lab, AWAKE, send_at(19_000, channel=6), act=lambda router: router.set_channel(11))
    assert losses == [
        ("other_channel", "on another channel: sensor sends on 6, gateway listens on 11 (its router's); 7 attempts")
    ]


def test_a_board_that_scans(lab):
    ((reason, sentence),) = beside_a_router(
        lab, "time.sleep_ms(8_950 - time.ticks_ms())\nwlan.scan()", send_at(9_000, channel=11)
    )
    assert reason == "scanning"
    assert sentence.startswith("scanning for networks: gateway was on channel ")


def test_an_esp8266_is_rejected_at_the_sta_address_of_a_joined_board(lab):
    assert beside_a_router(lab, AWAKE, send_at(9_000), profile="esp8266", channel=1) == [
        ("other_bssid", REJECTED),
    ]


def test_an_esp8266_is_not_even_rejected_where_esp_now_is_not_active(lab):
    gateway = AWAKE + "e.active(False)\nwhile True: time.sleep(1)"
    ((reason, sentence),) = beside_a_router(lab, gateway, send_at(9_000), profile="esp8266", channel=1)
    assert reason == "not_active"
    assert sentence.endswith("the radio of gateway answered, but ESP-NOW is not active there")


def test_an_esp8266_is_heard_at_the_ap_address_of_a_joined_board(lab):
    gateway = AWAKE + "network.WLAN(1).active(True)"
    assert beside_a_router(lab, gateway, send_at(9_000, GATEWAY_AP), profile="esp8266", channel=1) == []


def test_a_board_that_slept_with_wifi_active(lab):
    losses = beside_a_router(lab, AWAKE + "machine.lightsleep(10)", send_at(9_000, channel=6))
    assert losses == [
        (
            "slept_active",
            "deaf since it slept with Wi-Fi active: gateway went to sleep without active(False); 7 attempts",
        )
    ]


def test_a_router_runs_no_esp_now(lab):
    losses = beside_a_router(lab, "", "e.add_peer(router)\nwlan.config(channel=6)\nprint(e.send(router, 'x'))")
    assert losses == [
        (
            "no_espnow",
            "acknowledged is not delivered: the router home (02:6e:65:74:00:01) answered, and runs no ESP-NOW",
        )
    ]


def test_a_router_that_is_down(lab):
    losses = beside_a_router(
        lab,
        "",
        "e.add_peer(router)\nwlan.config(channel=6)\ntime.sleep(12)\nprint(e.send(router, 'x'))",
        act=lambda router: router.down(),
    )
    assert losses == [
        ("nobody", "nobody has this address: the router home (02:6e:65:74:00:01) is down; 7 attempts"),
    ]


def test_a_peer_on_a_channel_that_the_router_does_not_have(lab):
    sensor = (
        JOIN
        + """
peer = bytes.fromhex('30aaaaaaaaaa')
e.add_peer(peer)
wlan.disconnect()
wlan.config(channel=1)
e.mod_peer(peer, None, 1)
wlan.connect('home', 'password')
time.sleep(5)
try:
    e.send(peer, 'x')
except OSError:
    pass
"""
    )
    why = "the peer is registered on channel 1, the radio of sensor is on 6 (its router's)"
    assert beside_a_router(lab, "", sensor) == [("chan", f"send refused, ESP_ERR_ESPNOW_CHAN: {why}")]


def test_a_router_misses_no_broadcast(lab):
    assert beside_a_router(lab, "", "e.add_peer(b'\\xff' * 6)\ne.send(b'\\xff' * 6, 'x')") == []

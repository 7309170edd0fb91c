"""Send a few messages at a time to a board that is busy."""

import time

import espnow
import network

WORKER = b"\x30\xaa\xaa\xaa\xaa\xaa"

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)
radio.add_peer(WORKER)

number = 0
while True:
    time.sleep_ms(700)
    for _ in range(3):
        radio.send(WORKER, "m%d" % number)
        number += 1

"""Say once a second who is here and for how long. Nobody acknowledges a broadcast, so nobody has to listen."""

import json
import time

import espnow
import network

EVERYBODY = b"\xff\xff\xff\xff\xff\xff"

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)
radio.add_peer(EVERYBODY)  # the broadcast address has to be a peer, too

begin = time.ticks_ms()
while True:
    uptime = time.ticks_diff(time.ticks_ms(), begin) // 1000
    radio.send(EVERYBODY, json.dumps({"name": "beacon", "uptime": uptime}))
    time.sleep(1)

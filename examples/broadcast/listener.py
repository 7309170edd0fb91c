"""Print which beacons are heard and how strong they are, and say when it has become quiet."""

import json

import espnow
import network

QUIET_MS = 3000

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)

while True:
    sender, message = radio.recv(QUIET_MS)
    if sender is None:
        print("I hear nobody")
        continue
    try:
        beacon = json.loads(message)
        name, uptime = beacon["name"], beacon["uptime"]
    except (ValueError, KeyError, TypeError):  # anybody may send anything
        continue
    rssi, _ = radio.peers_table[sender]  # of the last message that was read from this sender
    print(name, "is up for", uptime, "s,", rssi, "dBm")

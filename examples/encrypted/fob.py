"""Ask the door to open, three times."""

import time

import espnow
import keys
import network

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)
radio.set_pmk(keys.PMK)
radio.add_peer(keys.DOOR, keys.LMK)  # a peer with a key is sent encrypted messages only

for number in range(1, 4):
    time.sleep(1)
    # Acknowledged means that the door's radio heard it. Whether it had the key to open it, the radio does not tell.
    if radio.send(keys.DOOR, str(number)):
        print("asked", number)
    else:
        print("the door is out of range")

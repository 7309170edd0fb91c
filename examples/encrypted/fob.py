"""Ask the door to open, three times."""

import time

import counter
import espnow
import keys
import network

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)
radio.set_pmk(keys.PMK)
radio.add_peer(keys.DOOR, keys.LMK)  # a peer with a key is sent encrypted messages only

for _ in range(3):
    time.sleep(1)
    number = counter.load() + 1
    counter.save(number)  # before it is sent: no number is used twice
    # Acknowledged means that the door's radio heard it. Whether it had the key to open it, the radio does not tell.
    if radio.send(keys.DOOR, str(number)):
        print("asked", number)
    else:
        print("the door is out of range")

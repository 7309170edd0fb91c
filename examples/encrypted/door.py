"""Open when the fob says so. Its messages come encrypted; with the fob as an encrypted peer, no others count."""

import time

import counter
import espnow
import keys
import network
from machine import Pin

OPEN_MS = 500

bolt = Pin(2, Pin.OUT, value=0)

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)
radio.set_pmk(keys.PMK)
radio.add_peer(keys.FOB, keys.LMK)

# An encrypted message that somebody recorded and sends again would open the door: so each has a number that must grow.
last = counter.load()

while True:
    sender, message = radio.recv()
    if sender != keys.FOB:
        if sender is not None:
            print("a stranger says", message)
        continue
    number = int(message.decode())
    if number <= last:
        print("an old message:", number)
        continue
    last = number
    counter.save(last)
    print("open,", number)
    bolt.on()
    time.sleep_ms(OPEN_MS)
    bolt.off()

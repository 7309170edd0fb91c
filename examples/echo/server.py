"""Send every message back to the board that it came from."""

import espnow
import network

wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)
print("I am", wlan.config("mac"))  # what client.py needs to know

radio = espnow.ESPNow()
radio.active(True)

known = set()

while True:
    sender, message = radio.recv()
    if sender is None:  # a quiet time
        continue
    if sender not in known:  # to send to a board, it has to be a peer, and it can become one only once
        radio.add_peer(sender)
        known.add(sender)
    radio.send(sender, message)

"""Print every message that arrives, until one says that it was the last."""

import espnow
import network

network.WLAN(network.WLAN.IF_STA).active(True)  # ESP-NOW needs an active interface; it need not be connected

radio = espnow.ESPNow()
radio.active(True)

last = None
while last != b"end":
    sender, last = radio.recv()
    if sender is not None:  # None when nothing came within the timeout, five minutes by default
        print(sender, last)

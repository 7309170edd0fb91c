"""Print what arrives, on a channel that changes, as that of a board does which is connected to a router."""

import time

import espnow
import network

wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)

radio = espnow.ESPNow()
radio.active(True)

for channel in (11, 4):
    wlan.config(channel=channel)
    print("on channel", wlan.config("channel"))
    until = time.ticks_add(time.ticks_ms(), 10_000)
    while (left := time.ticks_diff(until, time.ticks_ms())) > 0:
        sender, message = radio.recv(left)
        if message and message != b"ping":
            print(message.decode())

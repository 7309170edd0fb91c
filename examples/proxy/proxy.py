"""Pass on to the network what sensors say by ESP-NOW.

A board that is connected to a router is on the router's channel, and can be heard on no other. And to save power it
sleeps between the router's beacons: messages that come then are lost, unless that is switched off.
"""

import socket
import time

import espnow
import network
import settings

wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)
wlan.connect(settings.SSID, settings.KEY)
while not wlan.isconnected():
    time.sleep_ms(100)
wlan.config(pm=wlan.PM_NONE)
print("connected on channel", wlan.config("channel"))

radio = espnow.ESPNow()
radio.active(True)

collector = socket.getaddrinfo(settings.COLLECTOR + ".local", settings.PORT)[0][-1]
outbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

for sensor, message in radio:
    if not message or message == b"hello?":  # nothing came, or a sensor looks for its proxy
        continue
    line = "%s %s" % (":".join("%02x" % byte for byte in sensor), message.decode())
    try:
        outbox.sendto(line.encode(), collector)
    except OSError as error:  # no connection now: this one is lost, the next may not be
        print("not passed on:", error)

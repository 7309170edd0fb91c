"""Print what proxies pass on. It stands for a computer in the network: a few lines there would do the same."""

import socket
import time

import network
import settings

network.hostname(settings.COLLECTOR)
wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)
wlan.connect(settings.SSID, settings.KEY)
while not wlan.isconnected():
    time.sleep_ms(100)

inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inbox.bind(("0.0.0.0", settings.PORT))
while True:
    line, sender = inbox.recvfrom(512)
    print(line.decode(), "by way of", sender[0])

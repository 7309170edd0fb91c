"""Send a number each second. When nobody acknowledges, try every channel until the gateway does."""

import time

import espnow
import network

GATEWAY = b"\x30\xaa\xaa\xaa\xaa\xaa"
CHANNELS = range(1, 14)
GIVE_UP_AFTER = 3  # a single message may be lost, three in a row are not chance

wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)

radio = espnow.ESPNow()
radio.active(True)
radio.add_peer(GATEWAY)  # without a channel: on the one that the interface is on


def find():
    """Return the channel on which the gateway answers, or None. The interface stays on it."""
    for channel in CHANNELS:
        try:
            wlan.config(channel=channel)
        except (OSError, RuntimeError):  # not allowed in this country
            continue
        if radio.send(GATEWAY, b"ping"):
            return channel
    return None


failures = GIVE_UP_AFTER  # nothing is known yet
number = 0
while True:
    if failures >= GIVE_UP_AFTER:
        begin = time.ticks_ms()
        channel = find()
        if channel is None:
            print("the gateway is on no channel")
            time.sleep(2)
            continue
        print("the gateway is on channel", channel, "found in", time.ticks_diff(time.ticks_ms(), begin), "ms")
        failures = 0
    if radio.send(GATEWAY, "number %d" % number):
        number += 1
        failures = 0
    else:
        failures += 1
    time.sleep(1)

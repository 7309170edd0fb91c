"""Send 102 messages: a greeting, a hundred numbers, each written twenty times over, and a farewell."""

import espnow
import network

# Any receiver hears this address: the lowest bit of its first byte makes it a multicast address.
EVERYBODY = b"\xbb\xbb\xbb\xbb\xbb\xbb"

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)
radio.add_peer(EVERYBODY)

radio.send(EVERYBODY, "Starting...")
for number in range(100):
    radio.send(EVERYBODY, 20 * str(number))
radio.send(EVERYBODY, b"end")

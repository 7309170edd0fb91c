"""Know the door's address, and not its keys: ask openly, and with a guessed key."""

import time

import espnow
import network

DOOR = b"\x30\xaa\xaa\xaa\xaa\xaa"

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)

time.sleep_ms(1500)
radio.add_peer(DOOR)
print("openly:", radio.send(DOOR, "100"))

time.sleep(1)
radio.mod_peer(DOOR, b"a guess, no more")
print("with a guess:", radio.send(DOOR, "101"))  # True: heard, which is not the same as understood

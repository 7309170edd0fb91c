"""Messages that reach every board which any other board reaches.

Each board sends a message that it hears for the first time once more. A message carries the address of the board that
it comes from, a number, and how often it was passed on: by the first two a board knows whether it has had it already,
by the last it dies out even if somebody forgets.
"""

import random
import struct
import time

import espnow
import network

EVERYBODY = b"\xff\xff\xff\xff\xff\xff"
HEADER = "<6sHB"  # origin, number, hops
HEADER_SIZE = struct.calcsize(HEADER)
MAX_HOPS = 6
REMEMBER = 30
MAX_DELAY_MS = 15


class Flood:
    def __init__(self):
        wlan = network.WLAN(network.WLAN.IF_STA)
        wlan.active(True)
        self.mac = wlan.config("mac")
        self._radio = espnow.ESPNow()
        self._radio.active(True)
        self._radio.add_peer(EVERYBODY)
        self._number = random.getrandbits(16)  # after a restart, other numbers than before
        self._seen = []

    def send(self, text):
        """Send a text to all."""
        self._number = (self._number + 1) & 0xFFFF
        self._remember(self.mac, self._number)
        self._radio.send(EVERYBODY, struct.pack(HEADER, self.mac, self._number, 0) + text.encode())

    def recv(self, timeout_ms):
        """Return (origin, hops, text) of a new message, after passing it on, or None when the time is over."""
        until = time.ticks_add(time.ticks_ms(), timeout_ms)
        while (left := time.ticks_diff(until, time.ticks_ms())) > 0:
            _, message = self._radio.recv(left)
            if message is None or len(message) < HEADER_SIZE:
                continue
            origin, number, hops = struct.unpack_from(HEADER, message)
            if (origin, number) in self._seen:
                continue
            self._remember(origin, number)
            text = message[HEADER_SIZE:]
            if hops < MAX_HOPS:
                # Neighbours hear a message at the same time, and should not all answer at the same time.
                time.sleep_ms(random.randint(0, MAX_DELAY_MS))
                self._radio.send(EVERYBODY, struct.pack(HEADER, origin, number, hops + 1) + text)
            return origin, hops, text.decode()
        return None

    def _remember(self, origin, number):
        self._seen.append((origin, number))
        if len(self._seen) > REMEMBER:
            self._seen.pop(0)

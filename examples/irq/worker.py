"""Compute without a pause, and take in messages all the same: a callback reads them between two steps."""

import time

import espnow
import network

network.WLAN(network.WLAN.IF_STA).active(True)

messages = []


def read_all(radio):
    # Called for each message, unless the queue of callbacks was full: so it reads all there are, without waiting.
    while True:
        sender, message = radio.irecv(0)
        if sender is None:
            return
        messages.append(bytes(message))  # irecv hands out the same bytearray each time


radio = espnow.ESPNow()
radio.active(True)
radio.irq(read_all)


def next_prime(number):
    while True:
        number += 1
        for divisor in range(2, int(number**0.5) + 1):
            if number % divisor == 0:
                break
        else:
            return number


prime = 1
last_report = time.ticks_ms()
while True:
    prime = next_prime(prime)
    if time.ticks_diff(time.ticks_ms(), last_report) >= 1000:
        last_report = time.ticks_ms()
        taken = messages[:]
        print("prime", prime, "and", len(taken), "messages:", taken)
        del messages[: len(taken)]  # and not what has come since

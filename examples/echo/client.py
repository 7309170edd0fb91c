"""Ask ten times, and say how long each answer takes."""

import time

import espnow
import network

SERVER = b"\x30\xaa\xaa\xaa\xaa\xaa"  # the address of the board that runs server.py

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)
radio.add_peer(SERVER)

for number in range(10):
    question = "question %d" % number
    begin = time.ticks_us()
    if not radio.send(SERVER, question):  # its radio did not acknowledge: off, out of range, another channel
        print(question, "not heard")
    else:
        sender, answer = radio.recv(500)
        if sender is None:  # heard, but no program answered
            print(question, "not answered")
        else:
            print(answer.decode(), "came back after", time.ticks_diff(time.ticks_us(), begin), "us")
    time.sleep_ms(200)

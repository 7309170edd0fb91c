"""Print what the sensors measure, whose battery is low, and who has not been heard for a while."""

import struct
import time

import espnow
import network

MESSAGE = "<HHHhB"  # as in sensor.py
LOW_MV = 3400
SILENT_MS = 200_000  # three measurements

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)

heard = {}  # address of a sensor -> when it was heard last
silent = set()


def text(mac):
    return ":".join("%02x" % byte for byte in mac)


while True:
    mac, message = radio.recv(10_000)
    now = time.ticks_ms()
    if message and len(message) == struct.calcsize(MESSAGE):
        number, lost, battery_mv, tenths, humidity = struct.unpack(MESSAGE, message)
        heard[mac] = now
        silent.discard(mac)
        warning = "  BATTERY LOW" if battery_mv < LOW_MV else ""
        print(
            "%s  #%d (%d lost)  %.1f C  %d %%  %.2f V%s"
            % (text(mac), number, lost, tenths / 10, humidity, battery_mv / 1000, warning)
        )
    for mac, last in heard.items():
        if mac not in silent and time.ticks_diff(now, last) > SILENT_MS:
            print(text(mac), "is silent")
            silent.add(mac)

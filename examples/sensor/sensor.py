"""Measure, send, sleep a minute: a sensor that runs for months on a battery.

Deep sleep ends the program; after it the board starts it from the top. What has to outlive the sleep is in the memory
of the RTC: how many measurements there were, and how many of them nobody acknowledged.
"""

import struct

import dht
import espnow
import machine
import network
from machine import ADC, RTC, Pin

GATEWAY = b"\x30\xaa\xaa\xaa\xaa\xaa"
SLEEP_MS = 60_000
ATTEMPTS = 3

MESSAGE = "<HHHhB"  # number, unacknowledged so far, battery in mV, temperature in 0.1 degrees, humidity in percent
MEMORY = "<HH"  # number, unacknowledged so far

rtc = RTC()
if len(rtc.memory()) == struct.calcsize(MEMORY):
    number, lost = struct.unpack(MEMORY, rtc.memory())
else:  # the first start with this battery
    number, lost = 0, 0

# The battery is measured before the radio is on and pulls its voltage down.
battery = ADC(Pin(34), atten=ADC.ATTN_11DB)
battery_mv = 2 * battery.read_uv() // 1000  # a divider of two equal resistors

sensor = dht.DHT22(Pin(4))
try:
    sensor.measure()
except Exception as error:  # no answer, or a wrong checksum: an end of the program here would empty the battery
    print("the sensor fails:", error)
    machine.deepsleep(SLEEP_MS)

message = struct.pack(MESSAGE, number, lost, battery_mv, round(sensor.temperature() * 10), round(sensor.humidity()))

wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)
radio = espnow.ESPNow()
radio.active(True)
radio.add_peer(GATEWAY)

for _ in range(ATTEMPTS):
    if radio.send(GATEWAY, message):
        break
else:
    lost += 1

radio.active(False)
wlan.active(False)
rtc.memory(struct.pack(MEMORY, (number + 1) & 0xFFFF, lost & 0xFFFF))
machine.deepsleep(SLEEP_MS)

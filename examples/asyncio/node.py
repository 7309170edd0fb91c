"""Tell the neighbours once a second that this board is here, and know which of them are, all in tasks of asyncio."""

import asyncio
import time

import aioespnow
import network
from machine import Pin

EVERYBODY = b"\xff\xff\xff\xff\xff\xff"
GONE_AFTER_MS = 2500

neighbours = {}  # address -> when it was heard last


def text(mac):
    return ":".join("%02x" % byte for byte in mac)


async def announce(radio):
    while True:
        await radio.asend(EVERYBODY, b"here")
        await asyncio.sleep_ms(1000)


async def listen(radio):
    async for mac, message in radio:
        if mac not in neighbours:
            print(text(mac), "is here")
        neighbours[mac] = time.ticks_ms()


async def watch():
    while True:
        await asyncio.sleep_ms(500)
        for mac, heard in list(neighbours.items()):
            if time.ticks_diff(time.ticks_ms(), heard) > GONE_AFTER_MS:
                print(text(mac), "has gone")
                del neighbours[mac]


async def blink(led):
    while True:
        led.value(not led.value())
        await asyncio.sleep_ms(100 if neighbours else 500)


async def main():
    network.WLAN(network.WLAN.IF_STA).active(True)
    radio = aioespnow.AIOESPNow()
    radio.active(True)
    radio.add_peer(EVERYBODY)
    await asyncio.gather(announce(radio), listen(radio), watch(), blink(Pin(2, Pin.OUT)))


asyncio.run(main())

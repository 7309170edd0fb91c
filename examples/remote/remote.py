"""Two buttons to ground: one switches the lamp, the other makes it brighter. The LED lights up when it was heard."""

import time

import espnow
import network
from machine import Pin

LAMP = b"\x30\xaa\xaa\xaa\xaa\xaa"
BOUNCE_MS = 50

led = Pin(2, Pin.OUT, value=0)
pressed = []  # the commands of buttons that were pressed and not yet dealt with


def watch(number, command):
    button = Pin(number, Pin.IN, Pin.PULL_UP)
    last = time.ticks_ms()

    def falls(_pin):
        nonlocal last
        now = time.ticks_ms()
        if time.ticks_diff(now, last) > BOUNCE_MS:
            pressed.append(command)
        last = now

    button.irq(falls, Pin.IRQ_FALLING)
    return button


buttons = [watch(0, b"switch"), watch(14, b"brighter")]

network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)
radio.add_peer(LAMP)

while True:
    while pressed:
        command = pressed.pop(0)
        if not radio.send(LAMP, command):
            print(command.decode(), "was not heard")
            continue
        _, state = radio.recv(300)  # the lamp tells how it is now
        print(command.decode(), "->", state.decode() if state else "no answer")
        led.on()
        time.sleep_ms(50)
        led.off()
    time.sleep_ms(5)

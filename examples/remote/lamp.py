"""A lamp on pin 2 that can be switched and dimmed by radio, and tells how it is."""

import espnow
import network
from machine import PWM, Pin

STEPS = (25, 50, 75, 100)  # percent

lamp = PWM(Pin(2), freq=1000, duty_u16=0)
is_on = False
step = 0


def show():
    percent = STEPS[step] if is_on else 0
    lamp.duty_u16(percent * 65535 // 100)
    return "%d %%" % percent


network.WLAN(network.WLAN.IF_STA).active(True)

radio = espnow.ESPNow()
radio.active(True)

for remote, command in radio:
    if remote is None:
        continue
    if command == b"switch":
        is_on = not is_on
    elif command == b"brighter":
        step = (step + 1) % len(STEPS)
    else:
        continue
    state = show()
    print(command.decode(), "->", state)
    try:
        radio.add_peer(remote)
    except OSError as error:
        if error.args[1] != "ESP_ERR_ESPNOW_EXIST":  # it pressed a button before
            raise
    radio.send(remote, state)

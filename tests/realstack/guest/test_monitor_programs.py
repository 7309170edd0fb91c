"""Ordinary programs on radios ``monitor:``: MicroPython's API, the real Wi-Fi stack below."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hostapd import AccessPoint
from hwsim import Hwsim

RECEIVER = """
import espnow, network
sta = network.WLAN(network.WLAN.IF_STA)
sta.active(True)
e = espnow.ESPNow()
e.active(True)
print(sta.config("mac").hex(), flush=True)
host, message = e.recv(120_000)
print(message.decode(), flush=True)
e.add_peer(host, lmk=b"lmk1234567890123")
print(e.send(host, b"thanks"), flush=True)
"""

SENDER = """
import sys, espnow, network
sta = network.WLAN(network.WLAN.IF_STA)
sta.active(True)
e = espnow.ESPNow()
e.active(True)
peer = bytes.fromhex(sys.argv[1])
e.add_peer(peer)
print(e.send(peer, b"hello"), flush=True)
e.mod_peer(peer, lmk=b"lmk1234567890123")
host, message = e.recv(120_000)
print(host == peer, message.decode(), flush=True)
"""

SCANNER = """
import network
sta = network.WLAN(network.WLAN.IF_STA)
sta.active(True)
for ssid, bssid, channel, *_ in sta.scan():
    print(ssid.decode(), bssid.hex(), channel)
"""


def start(program: str, radio: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "ESPNOW_RADIO": radio, "ESPNOW_CHANNEL": "6", "ESPNOW_ANSWER_TIMEOUT_MS": "20000"}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_programs(hwsim: Hwsim) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    with start(RECEIVER, f"monitor:{first.interface}?ack=on") as receiver:
        assert receiver.stdout is not None
        address = receiver.stdout.readline().strip()
        with start(SENDER, f"monitor:{other.interface}?ack=on", address) as sender:
            sent, error = sender.communicate(timeout=150)
            assert (sender.returncode, sent.splitlines()) == (0, ["True", "True thanks"]), error
        received, error = receiver.communicate(timeout=60)
        assert (receiver.returncode, received.splitlines()) == (0, ["hello", "True"]), error


def test_a_scan_finds_an_access_point(hwsim: Hwsim, tmp_path: Path) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    with AccessPoint(other, tmp_path, ssid="home", channel=6), start(SCANNER, f"monitor:{first.interface}") as scanner:
        found, error = scanner.communicate(timeout=150)
    assert scanner.returncode == 0, error
    assert f"home {other.address.hex()} 6" in found.splitlines()

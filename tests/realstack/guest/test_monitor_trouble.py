"""What a radio ``monitor:`` does when its adapter is pulled out, set down, blocked, or must not send."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bare import BARE, BareMonitor
from hwsim import Hwsim
from monitors import MonitorStation

from espnow.cli.main import main
from espnow.errors import UserError
from espnow.frame import BROADCAST, build
from espnow.link import Outcome
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop
from espnow.radio.monitor import device, state
from espnow.radio.monitor.nl80211 import AP_NAME, Mode, Nl80211

ONE = bytes.fromhex("7e0000000001")
BOARD = bytes.fromhex("240ac4000001")

ACKED, FAILED = Outcome.ACKNOWLEDGED, Outcome.NOT_ACKNOWLEDGED


def mode_of(name: str) -> Mode:
    with Nl80211() as nl80211:
        return next(interface.mode for interface in nl80211.interfaces() if interface.name == name)


def rename(name: str, new: str) -> None:
    """Give an interface another name, which Linux allows while it is up."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control.fileno(), 0x8923, struct.pack("16s16s8x", name.encode(), new.encode()))  # SIOCSIFNAME


def works(one: MonitorStation, air: BareMonitor) -> None:
    """Check that it sends and hears."""
    count = len(one.heard)
    assert one.say(BROADCAST, b"hello").outcome == ACKED
    assert air.receive_from(ONE) is not None
    air.send(build(ONE, BOARD, b"hello", seq=1, random_value=count + 1), BARE)
    assert one.hear(count + 1).message == b"hello"


def in_trouble(one: MonitorStation, words: str) -> None:
    """Check that it tells of trouble, and answers what it cannot send."""
    one.wait_for(lambda: words in (one.radio.trouble or ""))
    assert words in one.reports[-1]
    assert one.say(BOARD, b"hello").outcome == FAILED
    assert one.say(BROADCAST, b"hello").outcome == FAILED


def over(one: MonitorStation, times: int = 1) -> None:
    one.wait_for(lambda: sum(line.endswith("works again") for line in one.reports) == times)
    assert one.radio.trouble is None


@pytest.mark.parametrize("settings", ["", "?ack=on"])
def test_down_and_up(hwsim: Hwsim, settings: str) -> None:
    radio, other = hwsim.plug(), hwsim.plug()
    with BareMonitor(other, 6) as air, MonitorStation(f"monitor:{radio.interface}{settings}", ONE) as one:
        works(one, air)
        for times in (1, 2):
            device.set_up(radio.interface, False)
            in_trouble(one, f"is down: sudo ip link set {radio.interface} up")
            device.set_up(radio.interface, True)
            over(one, times)
            works(one, air)


def test_it_does_not_spin_while_down(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    with MonitorStation(f"monitor:{radio.interface}", ONE) as one:
        for change in (lambda: device.set_up(radio.interface, False), lambda: hwsim.unplug(radio)):
            change()
            in_trouble(one, "is")
            begin_s, began_s = time.monotonic(), time.process_time()
            time.sleep(2)
            used = (time.process_time() - began_s) / (time.monotonic() - begin_s)
            assert used < 0.5, f"{used:.0%} of the processor"


@pytest.mark.parametrize("settings", ["", "?ack=on"])
def test_pulled_out_and_plugged_in(hwsim: Hwsim, settings: str) -> None:
    radio, other = hwsim.plug(), hwsim.plug()
    with BareMonitor(other, 6) as air, MonitorStation(f"monitor:{radio.interface}{settings}", ONE) as one:
        works(one, air)
        hwsim.unplug(radio)
        in_trouble(one, "is gone: plug its adapter in again")
        again = hwsim.plug(radio.address)
        over(one)
        works(one, air)
        assert one.radio.adapter.name == again.interface
        assert device.read_device(again.interface).mtu == 2304
    assert mode_of(again.interface) == Mode.STATION
    assert not device.read_device(again.interface).up


@pytest.mark.parametrize("settings", ["", "?ack=on"])
def test_blocked(hwsim: Hwsim, settings: str) -> None:
    radio, other = hwsim.plug(), hwsim.plug()
    with BareMonitor(other, 6) as air, MonitorStation(f"monitor:{radio.interface}{settings}", ONE) as one:
        works(one, air)
        radio.block()
        in_trouble(one, "is blocked by rfkill (airplane mode): sudo rfkill unblock wifi")
        radio.block(False)
        over(one)
        works(one, air)


@pytest.mark.parametrize("how", ["stopped", "deleted", "down"])
def test_an_access_point_that_is_ended_is_made_again(hwsim: Hwsim, how: str) -> None:
    radio = hwsim.plug()
    with MonitorStation(f"monitor:{radio.interface}?ack=on", ONE) as one, Nl80211() as nl80211:
        (made,) = [interface for interface in nl80211.interfaces() if interface.mode == Mode.AP]
        assert made.ssid == AP_NAME
        if how == "stopped":
            nl80211.stop_ap(made.index)
        elif how == "deleted":
            nl80211.delete_interface(made.index)
        else:
            device.set_up(made.name, False)
        one.wait_for(lambda: any("does not acknowledge any more" in line for line in one.reports))
        over(one)
        assert one.radio.adapter.answers == (ONE,)
        assert [interface.ssid for interface in nl80211.interfaces() if interface.mode == Mode.AP] == [AP_NAME]


def test_renamed_while_it_is_used(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    device.set_up(radio.interface, True)
    with MonitorStation(f"monitor:{radio.interface}?ack=on", ONE) as one:
        device.set_up(radio.interface, False)  # as 6.1 wants it
        rename(radio.interface, "renamed7")
        over(one)
        assert one.say(BROADCAST, b"hello").outcome == ACKED
    found = device.read_device("renamed7")
    assert (mode_of("renamed7"), found.up, found.mtu) == (Mode.STATION, True, 1500)
    assert state.read_all() == []


def test_questions_about_one_alone(hwsim: Hwsim) -> None:
    first, other = hwsim.plug(), hwsim.plug()
    with Nl80211() as nl80211:
        for radio in (first, other):
            index = device.read_device(radio.interface).index
            found = nl80211.interface(index)
            assert found is not None
            assert (found.name, found.phy) == (radio.interface, radio.phy_index)
            assert nl80211.phy(radio.phy_index) == next(phy for phy in nl80211.phys() if phy.index == radio.phy_index)
        assert nl80211.interface(1) is None  # lo
        assert nl80211.interface(999_999) is None
        assert nl80211.phy(999_999) is None


FORKS = """
import os, sys, threading
from espnow.link import Interface, RadioConfig
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop

loop = RadioLoop()
radio = open_radio(sys.argv[1], loop, lambda line: None)
with loop.lock:
    radio.configure(RadioConfig(((Interface.STA, bytes.fromhex("7e0000000001")),), channel=6, receiver_on=True))
child = os.fork()
if child == 0:
    loop.abandon()
    print("ready", os.getpid(), flush=True)
threading.Event().wait()
"""


def test_a_forked_process_keeps_nothing_of_it(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    parent = subprocess.Popen(
        [sys.executable, "-c", FORKS, f"monitor:{radio.interface}?ack=on"], stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        word, pid = parent.stdout.readline().split()
        assert word == b"ready"
        try:
            parent.kill()
            parent.wait()
            with Nl80211() as nl80211:
                assert [interface.name for interface in nl80211.interfaces()] == [radio.interface]
            assert state.holder(device.read_device(radio.interface).index) is None
        finally:
            os.kill(int(pid), signal.SIGKILL)
    assert main(["doctor", "--restore"]) == 0


def test_a_channel_where_nothing_may_be_sent_first(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    with MonitorStation(f"monitor:{radio.interface}", ONE, channel=13) as one:
        in_trouble(one, "channel 13 must not be sent on first (no-IR) in regulatory domain 00")
        hwsim.set_country("ES")
        over(one)
        assert one.say(BROADCAST, b"hello").outcome == ACKED


def test_the_channel_is_forbidden_meanwhile(hwsim: Hwsim) -> None:
    hwsim.set_country("ES")
    radio = hwsim.plug()
    with MonitorStation(f"monitor:{radio.interface}", ONE, channel=13) as one:
        assert one.say(BROADCAST, b"hello").outcome == ACKED
        hwsim.set_country("US")
        for _ in range(50):
            one.say(BROADCAST, b"hello")
            if one.radio.trouble is not None:
                break
        if one.radio.trouble is None:  # as on 6.1, whose kernel goes on sending there
            assert one.radio.counts.unreported == 0
        else:
            assert "channel 13 must not be" in one.radio.trouble or "is down" in one.radio.trouble


def test_what_another_program_uses(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    with MonitorStation(f"monitor:{radio.interface}", ONE), pytest.raises(UserError) as caught:
        open_radio(f"monitor:{radio.interface}", RadioLoop(), lambda _line: None)
    assert "in use by another espnow program" in str(caught.value)


def test_another_interface_holds_the_channel(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    with Nl80211() as nl80211:
        nl80211.add_interface(radio.phy_index, "sta7", Mode.STATION, bytes.fromhex("7e0000000077"))
        device.set_up("sta7", True)
        with pytest.raises(UserError, match="held on its channel by sta7"):
            open_radio(f"monitor:{radio.interface}", RadioLoop(), lambda _line: None)


# A program that is killed, and programs that may not.

CHILD = """
import sys, threading
from espnow.link import Interface, RadioConfig
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop

loop = RadioLoop()
radio = open_radio(sys.argv[1], loop, lambda line: None)
with loop.lock:
    radio.configure(RadioConfig(((Interface.STA, bytes.fromhex("7e0000000001")),), channel=6, receiver_on=True))
print("ready", flush=True)
threading.Event().wait()
"""


def test_killed_and_restored(hwsim: Hwsim, capsys: pytest.CaptureFixture[str]) -> None:
    radio = hwsim.plug()
    device.set_up(radio.interface, True)
    child = subprocess.Popen([sys.executable, "-c", CHILD, f"monitor:{radio.interface}?ack=on"], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        assert state.holder(device.read_device(radio.interface).index) == child.pid
        child.kill()
    with Nl80211() as nl80211:  # the access point went with its process
        assert [interface.name for interface in nl80211.interfaces()] == [radio.interface]
    assert mode_of(radio.interface) == Mode.MONITOR
    assert main(["doctor"]) == 1
    assert f"process {child.pid} ended without putting {radio.interface} back" in capsys.readouterr().out
    assert main(["doctor", "--restore"]) == 0
    assert f"as before process {child.pid}" in capsys.readouterr().out
    found = device.read_device(radio.interface)
    assert (mode_of(radio.interface), found.up, found.mtu) == (Mode.STATION, True, 1500)
    assert state.read_all() == []


def test_killed_and_used_again(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    child = subprocess.Popen([sys.executable, "-c", CHILD, f"monitor:{radio.interface}"], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.kill()
    with MonitorStation(f"monitor:{radio.interface}", ONE) as one:
        assert one.say(BROADCAST, b"hello").outcome == ACKED
    found = device.read_device(radio.interface)
    assert (mode_of(radio.interface), found.up, found.mtu) == (Mode.STATION, False, 1500)


#: Gives up all capabilities but those named by number, and runs a command.
WITHOUT = """
import ctypes, os, sys
kept = [int(number) for number in sys.argv[1].split(",") if number]
libc = ctypes.CDLL(None, use_errno=True)
for number in range(41):
    if number not in kept:
        libc.prctl(24, number, 0, 0, 0)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
bits = sum(1 << number for number in kept)
data = (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
assert libc.capset(header, data) == 0
for number in kept:
    assert libc.prctl(47, 2, number, 0, 0) == 0
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""

OPENS = """
import sys
from espnow.errors import UserError
from espnow.link import Interface, Outcome, RadioConfig
from espnow.radio import open_radio
from espnow.radio.loop import RadioLoop

loop = RadioLoop()
try:
    radio = open_radio(sys.argv[1], loop, print)
except UserError as error:
    sys.exit(str(error))
print("opened")
"""


def as_somebody(kept: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, kept, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_without_any_right(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    done = as_somebody("", OPENS, f"monitor:{radio.interface}")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{radio.interface} cannot be made a monitor: this needs CAP_NET_ADMIN and CAP_NET_RAW" in line
    assert f"sudo setcap cap_net_admin,cap_net_raw+ep {Path(sys.executable).resolve()}" in line
    assert mode_of(radio.interface) == Mode.STATION


def test_with_the_right_to_send_alone(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    refused = as_somebody("13", OPENS, f"monitor:{radio.interface}")
    assert "CAP_NET_ADMIN" in refused.stderr
    with BareMonitor(radio, 6):
        pass
    done = as_somebody("13", OPENS, f"monitor:{radio.interface}")
    assert done.returncode == 0, done.stderr
    assert "opened" in done.stdout


def test_with_the_right_to_configure_alone(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    done = as_somebody("12", OPENS, f"monitor:{radio.interface}")
    assert "frames cannot be sent and received: this needs CAP_NET_RAW" in done.stderr
    assert mode_of(radio.interface) == Mode.STATION


def test_doctor_tries_an_adapter(hwsim: Hwsim, capsys: pytest.CaptureFixture[str]) -> None:
    radio = hwsim.plug()
    hwsim.plug()
    assert main(["doctor", radio.interface]) == 0
    out = capsys.readouterr().out
    for words in (
        "a frame was sent and reported",
        "a frame to nobody is reported as failed",
        "all 28 of 802.11b/g/n",
        "the adapter takes an address to answer for, and sends from it",
        "all is well",
    ):
        assert words in out
    assert mode_of(radio.interface) == Mode.STATION
    assert main(["doctor", "--radio", f"monitor:{radio.interface}", "--channel", "13"]) == 1
    assert "channel 13 must not be sent on first" in capsys.readouterr().out


def test_descriptors_are_given_back(hwsim: Hwsim) -> None:
    radio = hwsim.plug()
    counts = []
    for _ in range(3):
        with MonitorStation(f"monitor:{radio.interface}?ack=on", ONE) as one:
            one.say(BROADCAST, b"hello")
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    assert counts[0] == counts[2]

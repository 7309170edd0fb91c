"""The radio of udp: on real sockets: its name and settings, what leaves the computer, many processes at once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from espnow.errors import UserError
from espnow.frame import build, parse
from espnow.link import Interface, Outcome, RadioConfig
from espnow.radio import open_radio, parse_name
from espnow.radio.loop import RadioLoop
from espnow.radio.udp.settings import DEFAULT_GROUP, DEFAULT_PORT, Group, parse_group

LIMIT_S = 20.0
A, B = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"
ALL = b"\xff" * 6


def until(condition):
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("", 0))
        return held.getsockname()[1]


@pytest.fixture
def port():
    return free_port()


class Node:
    """A radio, and what its station was told."""

    def __init__(self, name, mac=A):
        self.mac = mac
        self.messages, self.outcomes, self.reports = [], {}, []
        self.loop = RadioLoop()
        try:
            self.link = open_radio(name, self.loop, self.reports.append)
        except BaseException:
            self.loop.close()
            raise
        self.link.station = self
        with self.loop.lock:
            self.link.configure(RadioConfig(addresses=((Interface.STA, mac),), receiver_on=True))

    def received(self, mpdu, rssi_dbm, channel, rate, at_us):
        self.messages.append(bytes(parse(mpdu).message))

    def outcome(self, token, outcome, attempts, at_us):
        self.outcomes[token] = outcome

    def send(self, to, message, token=1):
        self.outcomes.pop(token, None)
        with self.loop.lock:
            self.link.transmit(build(to, self.mac, message, seq=0, random_value=len(self.messages) + 1), token)
            self.loop.settle()
        until(lambda: token in self.outcomes)
        return self.outcomes[token] is Outcome.ACKNOWLEDGED

    def close(self):
        with self.loop.lock:
            self.link.close()
        self.loop.close()


@pytest.fixture
def node():
    made = []

    def make(name, mac=A):
        made.append(Node(name, mac))
        return made[-1]

    yield make
    for one in made:
        one.close()


# Names and settings.

GROUPS = {
    "udp:": Group(DEFAULT_GROUP, DEFAULT_PORT, None),
    "udp::5000": Group(DEFAULT_GROUP, 5000, None),
    "udp:239.1.2.3": Group("239.1.2.3", DEFAULT_PORT, None),
    "udp:239.1.2.3:5000": Group("239.1.2.3", 5000, None),
    "udp:@eth0": Group(DEFAULT_GROUP, DEFAULT_PORT, "eth0"),
    "udp:239.1.2.3:5000@192.168.1.2?pace=off": Group("239.1.2.3", 5000, "192.168.1.2"),
}


@pytest.mark.parametrize("text", GROUPS)
def test_group_port_and_interface(text):
    assert parse_group(parse_name(text)) == GROUPS[text]


#: What is wrong, and what the line must say besides the name.
WRONG = {
    "udp:nonsense": "'nonsense' is no multicast group",
    "udp:10.0.0.1": "224.0.0.0",
    "udp:240.0.0.1": "'240.0.0.1' is no multicast group",
    "udp:ff02::1": "is no multicast group",
    "udp:239.1.2.3:": "'' is no port",
    "udp::0": "'0' is no port",
    "udp::65536": "1 to 65535",
    "udp::five": "'five' is no port",
    "udp::99999999999999999999": "is no port",
    "udp:@": "name of an interface",
    "udp:@nowhere9": "'nowhere9' cannot be used: there are lo",
    "udp:@192.0.2.1": "cannot be opened",
    "udp:?pace=slow": "pace='slow' must be one of air, off",
    "udp:?loss=1.1": "loss='1.1' must be a number from 0 to 1",
    "udp:?loss=-0.1": "from 0 to 1",
    "udp:?loss=nan": "from 0 to 1",
    "udp:?loss=much": "from 0 to 1",
    "udp:?range=-1": "from 0",
    "udp:?at=1": "two numbers of metres",
    "udp:?at=1,2,3": "two numbers of metres",
    "udp:?at=nan,0": "two numbers of metres",
    "udp:?at=inf,0": "two numbers of metres",
    "udp:?at=here,there": "at=3,4.5",
    "udp:?rssi=1": "from -127 to 0",
    "udp:?rssi=weak": "from -127 to 0",
    "udp:?answer=0": "from 1 to 60000",
    "udp:?answer=60001": "from 1 to 60000",
    "udp:?speed=1": "there are pace, loss, range, at, rssi, answer",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told_in_one_line(node, text):
    with pytest.raises(UserError) as caught:
        node(text)
    line = str(caught.value)
    assert "\n" not in line
    assert text in line
    assert WRONG[text] in line


def test_a_port_that_another_program_has_for_itself(node, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", port))
        with pytest.raises(UserError, match="another program has the port for itself; choose another"):
            node(f"udp::{port}")


def test_settings_reach_the_radio(node, port):
    settings = node(f"udp::{port}?pace=off&loss=0.25&range=30&at=-3,4.5&rssi=-60&answer=100").link._settings
    assert (settings.paced, settings.loss, settings.range_m, settings.position) == (False, 0.25, 30.0, (-3.0, 4.5))
    assert (settings.rssi_dbm, settings.answer_us) == (-60, 100_000)


@pytest.mark.parametrize(("settings", "told"), [("range=5", 1), ("range=5&at=0,0", 0), ("at=0,0", 0), ("pace=off", 0)])
def test_a_range_of_who_is_nowhere_is_told_once(node, port, settings, told):
    text = f"udp::{port}?{settings}"
    one = node(text)
    assert one.send(ALL, b"hello")
    line = f"radio '{text}': range does nothing without at, which says where this process is"
    assert one.reports == [line] * told


def test_two_groups_two_ports_do_not_hear_each_other(node, port):
    here = node(f"udp::{port}?answer=1000", B)
    others = [node(f"udp::{free_port()}"), node(f"udp:239.1.2.3:{port}"), node(f"udp:239.1.2.4:{port}")]
    sender = node(f"udp::{port}?answer=5000")
    assert sender.send(B, b"hello")
    for other in others:
        assert other.send(ALL, b"elsewhere")
    assert sender.send(B, b"again")
    assert here.messages == [b"hello", b"again"]
    assert [other.messages for other in others] == [[], [], []]


# What leaves the computer.


def test_by_default_nothing_leaves_and_what_is_elsewhere_does_not_reach_it(node, port):
    link = node(f"udp::{port}").link
    sent, heard = link._sent, link._heard
    assert sent.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 0
    assert sent.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4) == socket.inet_aton("127.0.0.1")
    assert sent.getsockname()[0] == "127.0.0.1"
    assert heard.getsockname() == (DEFAULT_GROUP, port)
    assert heard.getsockopt(socket.IPPROTO_IP, 49) == 0  # IP_MULTICAST_ALL


def test_on_an_interface_it_leaves_as_far_as_the_network_goes(node, port):
    """`lo` stands for any interface that is named."""
    link = node(f"udp::{port}@lo").link
    assert link._sent.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 1
    by_address = node(f"udp::{port}@127.0.0.1", B)
    assert by_address.link._sent.getsockname()[0] == "127.0.0.1"


#: Runs in a network of its own, with an interface `v0` whose other end is `v1`: tells what of a radio's reaches `v1`.
ISOLATED = """
import json, socket, subprocess, sys, time
sys.path.insert(0, {folder!r})
for command in (
    "link set lo up", "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up",
    "addr add 10.9.8.1/24 dev v0", "route add default dev v0", "route add 224.0.0.0/4 dev v0",
):
    subprocess.run(["ip", *command.split()], check=True)
from test_udp_sockets import A, ALL, B, Node
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("v1", 0))
wire.settimeout(0.2)

def on_the_wire():
    found = 0
    try:
        while True:
            found += b"ESPN\\x01" in wire.recv(4096)
    except TimeoutError:
        return found

told = {{}}
one, two = Node("udp:?answer=5000"), Node("udp:?answer=5000", B)
told["acknowledged"] = one.send(B, b"hello"), one.send(ALL, b"hello all")
told["heard"] = [message.decode() for message in two.messages]
told["left"] = on_the_wire()
stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.9.8.1"))
from espnow.radio.udp.datagram import UdpDatagram, build
from espnow.frame import build as frame
datagram = build(UdpDatagram(1, 1, 0, -20, 1, 5, 6, 0.0, 0.0, frame(ALL, A, b"from outside", seq=0, random_value=1)))
stranger.sendto(datagram, ("239.24.254.52", 24852))
told["stranger left"] = on_the_wire()
one.send(ALL, b"end")
told["heard of the stranger"] = sum(b"outside" in message for message in two.messages)
one.close()
two.close()
far = Node("udp:@v0")
far.send(ALL, b"to the network")
told["by choice"] = on_the_wire()
far.close()
print(json.dumps(told))
"""


def test_in_a_network_of_its_own_nothing_of_it_is_on_the_wire(tmp_path):
    probe = subprocess.run(
        ["unshare", "-rn", "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"],
        capture_output=True,
        check=False,
    )
    if probe.returncode != 0:
        pytest.skip("this computer lets nobody make a network of one's own (unshare -rn, ip link add)")
    script = tmp_path / "isolated.py"
    script.write_text(ISOLATED.format(folder=str(Path(__file__).parent)))
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, str(script)], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "acknowledged": [True, True],
        "heard": ["hello", "hello all"],
        "left": 0,
        "stranger left": 1,
        "heard of the stranger": 0,
        "by choice": 1,
    }


# Strangers.


def test_foreign_datagrams_are_counted_and_harm_nobody(node, port):
    one, two = node(f"udp::{port}?answer=5000"), node(f"udp::{port}?answer=5000", B)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        for datagram in (b"", b"GET / HTTP/1.0", b"ESPN\x01" + bytes(50), bytes(9000)):
            stranger.sendto(datagram, (DEFAULT_GROUP, port))
            stranger.sendto(datagram, one.link._sent.getsockname())
    until(lambda: one.link.counts.foreign == 8)
    until(lambda: two.link.counts.foreign == 4)
    assert one.send(B, b"still there")
    assert (one.messages, two.messages) == ([], [b"still there"])


def test_what_it_sent_itself_is_not_even_given_to_it(node, port):
    one = node(f"udp::{port}")
    if sys.platform == "linux":
        assert one.link._own is None
    one.send(ALL, b"x")
    assert (one.messages, one.link.counts.frames_heard, one.link.counts.foreign) == ([], 0, 0)


def test_where_the_kernel_does_not_filter_it_finds_out_itself(node, port, monkeypatch):
    from espnow.radio.udp import radio

    monkeypatch.setattr(radio, "attach", lambda heard, sender, addresses: False)
    one, two = node(f"udp::{port}?pace=off&answer=5000"), node(f"udp::{port}?pace=off&answer=5000", B)
    assert one.send(ALL, b"x")
    assert one.send(B, b"y")
    assert two.messages == [b"x", b"y"]
    assert (one.messages, one.link.counts.frames_heard) == ([], 0)


# Many processes.

#: Sends to all, and listens, until it has heard all others; then goes on until it is told to end.
CROWD = """
import espnow, network, select, sys, time
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.config(rxbuf=60_000)
e.active(True)
b = b"\\xff" * 6
e.add_peer(b)
heard, told = set(), False
next_s = 0.0
while not select.select([sys.stdin], [], [], 0)[0]:
    if time.monotonic() >= next_s:
        e.send(b, "here", False)
        next_s = time.monotonic() + 0.25
    mac, msg = e.recv(20)
    if mac is not None:
        heard.add(mac)
    if len(heard) >= int(sys.argv[1]) and not told:
        told = True
        print(len(heard), flush=True)
"""


def test_thirty_processes_at_once_hear_each_other(tmp_path, port):
    script = tmp_path / "crowd.py"
    script.write_text(CROWD)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ESPNOW_")}
    environment["ESPNOW_RADIO"] = f"udp::{port}"
    started = [
        subprocess.Popen(
            [sys.executable, str(script), "29"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(30)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "29\n"
        for victim in started[:5]:
            victim.kill()
        for process in started:
            output, errors = process.communicate("\n", timeout=LIMIT_S) if process not in started[:5] else ("", "")
            assert (output, errors) == ("", "")
        assert [process.wait(LIMIT_S) for process in started] == [-9] * 5 + [0] * 25
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def test_one_that_appears_and_one_that_dies_harm_nobody(node, port):
    one, two = node(f"udp::{port}?answer=5000"), node(f"udp::{port}?answer=5000", B)
    assert one.send(B, b"first")
    for number in range(5):
        third = Node(f"udp::{port}", b"\x02\0\0\0\0\x03")
        assert third.send(ALL, b"of the third")
        assert one.send(B, str(number).encode())
        third.close()
    assert two.messages == [b"first", *(part for number in range(5) for part in (b"of the third", b"%d" % number))]

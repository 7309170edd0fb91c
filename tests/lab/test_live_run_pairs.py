"""Two processes of ``espnow run --radio udp:`` under a director, as MicroPython's tests of two boards are run.

The director starts the parts of a play one after the other, each with a script as its last argument, and reads the
lines that they print: ``GIVE name = value`` is there for the parts that start later, as a global, ``GO`` lets the next
one start, and ``CALL text`` goes to the others' standard input. Everything else is what the part says.
"""

import os
import selectors
import socket
import subprocess
import sys

import pytest

PROFILES = ("esp32", "esp32-v2", "esp8266")

PROLOGUE = """\
import sys, time, network, espnow
def give(**values):
    for name in values: print("GIVE %s = %r" % (name, values[name]))
def go(): print("GO")
def call(text): print("CALL", text)
def heed(text):
    while sys.stdin.readline().rstrip() != "CALL " + text: pass
def radio(**settings):
    w = network.WLAN(network.WLAN.IF_STA)
    e = espnow.ESPNow()
    e.active(True)
    e.set_pmk(b"sixteen for play")
    w.active(True)
    w.disconnect()
    for name in settings: w.config(**{name: settings[name]})
    return w, e
"""


class Part:
    """A process of a play."""

    def __init__(self, director, script, profile):
        given = "".join(f"{line}\n" for line in director.given)
        self.director = director
        self.said = []
        self.ready = False
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "espnow", "run", "--radio", director.radio, "--profile", profile),
                *("-c", f"{PROLOGUE}{given}{script}"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={key: value for key, value in os.environ.items() if not key.startswith(("ESPNOW", "PYTHONUNBUFFERED"))}
            | {"PYTHONHASHSEED": "0", "ESPNOW_ANSWER_TIMEOUT_MS": "10000"},
        )

    def read(self):
        """Take a line; False at the end."""
        line = self.process.stdout.raw.readline()
        text = line.decode().rstrip()
        word, _, rest = text.partition(" ")
        if word == "GIVE":
            self.director.given.append(rest)
        elif word == "GO":
            self.ready = True
        elif word == "CALL":
            for other in self.director.parts:
                if other is not self:
                    other.process.stdin.write(f"{text}\r\n".encode())
                    other.process.stdin.flush()
        elif line:
            self.said.append(text)
        return bool(line)


class Director:
    """Runs plays on an air of their own."""

    def __init__(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # A computer that is busy with much else may answer late.
        self.radio = f"udp:239.24.{os.getpid() >> 8 & 255}.{os.getpid() & 255}:{port}?answer=1000"
        self.parts = []
        self.given = []

    def play(self, *scripts, profile="esp32"):
        """Run the parts to their ends, and return what each said."""
        with selectors.DefaultSelector() as waiting:
            for script in scripts:
                part = Part(self, script, profile)
                self.parts.append(part)
                waiting.register(part.process.stdout, selectors.EVENT_READ, part)
                while not part.ready and part.process.stdout in waiting.get_map():
                    self._read(waiting)
            while waiting.get_map():
                self._read(waiting)
        said = [part.said for part in self.parts]
        assert [part.process.wait(20) for part in self.parts] == [0] * len(scripts), said
        return said

    @staticmethod
    def _read(waiting):
        found = waiting.select(50)
        assert found, "nobody says anything any more"
        for key, _ in found:
            if not key.data.read():
                waiting.unregister(key.fileobj)

    def close(self):
        for part in self.parts:
            part.process.kill()
            part.process.communicate()


@pytest.fixture
def director():
    director = Director()
    yield director
    director.close()


ECHO = """
w, e = radio()
give(MAC=w.config("mac"))
go()
known = []
while True:
    mac, message = e.recv(20000)
    if mac not in known:
        known.append(mac)
        e.add_peer(mac)
    if not e.send(mac, message): print("not answered")
    if message == b"!": break
print("echoed to", len(known))
e.active(False)
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_messages_come_back_from_an_echo(director, profile):
    ask = """
w, e = radio()
go()
e.add_peer(MAC)
for length in (1, 100, 250):
    for sync in (True, False):
        message = bytes([length] * length)
        sent = e.send(MAC, message, sync)
        mac, back = e.recv(20000)
        print(length, sent, mac == MAC, back == message)
e.send(MAC, b"!")
print(e.recv(20000)[1])
"""
    echo, asked = director.play(ECHO, ask, profile=profile)
    assert echo == ["echoed to 1"]
    assert asked == [f"{length} True True True" for length in (1, 1, 100, 100, 250, 250)] + ["b'!'"]


def test_what_is_called_reaches_the_others_input(director):
    first = "go()\nheed('second is there')\ncall('first saw it')\nprint('first:', time.ticks_ms() > 0)"
    second = "go()\ncall('second is there')\nheed('first saw it')\nprint('second')"
    assert director.play(first, second) == [["first: True"], ["second"]]


def test_callbacks_come_while_a_program_computes(director):
    ask = """
w, e = radio()
go()
e.add_peer(MAC)
got = []
e.irq(lambda e: got.append(e.recv(0)[1]))
for n in range(10):
    e.send(MAC, b"message %d" % n)
    while len(got) <= n: pass
e.irq(None)
print(got == [b"message %d" % n for n in range(10)])
e.send(MAC, b"!")
print(e.recv(20000)[1])
"""
    assert director.play(ECHO, ask) == [["echoed to 1"], ["True", "b'!'"]]


def test_a_receiver_that_computes_still_acknowledges(director):
    busy = """
w, e = radio()
e.config(rxbuf=200000)
e.active(False)
e.active(True)
give(MAC=w.config("mac"))
go()
n = 0
while not e.any(): pass
end = time.ticks_add(time.ticks_ms(), 500)
while time.ticks_diff(end, time.ticks_ms()) > 0: n += 1
call("enough")
heed("over")
count = 0
while e.recv(0)[0]: count += 1
print(count)
"""
    ask = """
import select
w, e = radio()
go()
e.add_peer(MAC)
poll = select.poll()
poll.register(sys.stdin, select.POLLIN)
sent = tries = 0
while not poll.poll(0):
    tries += 1
    sent += e.send(MAC, b"x" * 100)
call("over")
print(sent, tries)
"""
    [counted], [line] = director.play(busy, ask)
    sent, tries = map(int, line.split())
    assert sent <= int(counted) <= tries
    assert sent >= tries * 0.9
    assert tries > 5


def test_encrypted_messages_are_read_with_the_key_alone(director):
    keeper = """
w, e = radio()
give(MAC=w.config("mac"))
go()
mac, message = e.recv(20000)
e.add_peer(mac, b"sixteen bytes...")
print(message, e.send(mac, b"known"))
print(e.recv(20000)[1])
"""
    asker = """
w, e = radio()
go()
e.add_peer(MAC)
e.send(MAC, b"open")
e.mod_peer(MAC, b"sixteen bytes...")
print(e.recv(20000)[1], e.send(MAC, b"secret"))
"""
    assert director.play(keeper, asker) == [["b'open' True", "b'secret'"], ["b'known' True"]]


def test_another_channel_hears_nothing(director):
    listener = """
w, e = radio(channel=3)
give(MAC=w.config("mac"))
go()
while True:
    message = e.recv(20000)[1]
    print(message)
    if message == b"end": break
"""
    sender = """
w, e = radio(channel=3)
go()
for channel, message in ((3, b"here"), (8, b"there"), (3, b"end")):
    w.config(channel=channel)
    e.add_peer(MAC, channel=channel)
    print(e.send(MAC, message))
    e.del_peer(MAC)
"""
    assert director.play(listener, sender) == [["b'here'", "b'end'"], ["True", "False", "True"]]


def test_asyncio_on_both_sides(director):
    server = """
import asyncio
from aioespnow import AIOESPNow
async def main():
    e = AIOESPNow()
    e.active(True)
    w = network.WLAN(network.WLAN.IF_STA)
    w.active(True)
    give(MAC=w.config("mac"))
    go()
    async for mac, message in e:
        try: e.add_peer(mac)
        except OSError: pass
        if not await e.asend(mac, message): print("not answered")
        if message == b"!": break
    e.active(False)
asyncio.run(main())
print("end")
"""
    client = """
import asyncio
from aioespnow import AIOESPNow
async def tick(ticks):
    while True:
        ticks.append(1)
        await asyncio.sleep_ms(1)
async def main():
    e = AIOESPNow()
    e.active(True)
    network.WLAN(network.WLAN.IF_STA).active(True)
    go()
    e.add_peer(MAC)
    ticks = []
    ticker = asyncio.create_task(tick(ticks))
    for n in range(5):
        print(await e.asend(MAC, b"n%d" % n), (await e.arecv())[1])
    ticker.cancel()
    print(await e.asend(MAC, b"!"), (await e.arecv())[1], bool(ticks))
asyncio.run(main())
"""
    served, asked = director.play(server, client)
    assert served == ["end"]
    assert asked == [f"True b'n{n}'" for n in range(5)] + ["True b'!' True"]


def test_a_board_that_restarts_is_the_same_board(director):
    restarting = """
import machine
w, e = radio()
if machine.reset_cause() == 1:
    give(MAC=w.config("mac"))
    go()
mac, message = e.recv(20000)
print(machine.reset_cause(), message)
if machine.reset_cause() == 1: machine.reset()
"""
    sender = """
w, e = radio()
go()
e.add_peer(MAC)
print(e.send(MAC, b"one"))
while not e.send(MAC, b"two"): pass
print("again")
"""
    assert director.play(restarting, sender) == [["1 b'one'", "2 b'two'"], ["True", "again"]]


def test_two_instances_of_one_program_have_two_addresses(director):
    script = "print('mac', network.WLAN(0).config('mac').hex())\ngo()\nheed('both')"
    last = "go()\ncall('both')"
    first, second, _ = director.play(script, script, last)
    assert first != second

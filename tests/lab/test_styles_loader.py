"""Short programs in the styles in which people write them; each runs as it stands and does what its source says."""

import pytest

BROADCAST = b"\xff" * 6

#: A board that sends each of some messages as a broadcast, 20 ms apart.
SENDER = """
import network, espnow, time
sta = network.WLAN(network.STA_IF); sta.active(True)
e = espnow.ESPNow(); e.active(True)
e.add_peer(b"\\xff" * 6)
time.sleep_ms(200)
for m in MESSAGES:
    e.send(b"\\xff" * 6, m)
    time.sleep_ms(20)
"""

#: name -> (files of the board, messages that are sent to it, what it prints)
STYLES = {
    "boot and main with a config": (
        {
            "boot.py": """
# boot.py -- run on boot-up
import network, gc
from config import *
gc.collect()
def do_connect():
    sta = network.WLAN(network.STA_IF)
    sta.active(True)
    sta.disconnect()
    sta.config(channel=CHANNEL)
    return sta
sta = do_connect()
""",
            "config.py": "CHANNEL = const(1)\nPEERS = {'broadcast': b'\\xff' * 6}\nDEBUG = True",
            "main.py": """
import espnow
e = espnow.ESPNow()
e.active(True)
if DEBUG: print("channel", sta.config("channel"), sorted(PEERS))
host, msg = e.recv()
print(msg.decode())
""",
        },
        [b"hi"],
        ["channel 1 ['broadcast']", "hi"],
    ),
    "exec of what was received": (
        {
            "main.py": """
import network, espnow
network.WLAN(network.STA_IF).active(True)
e = espnow.ESPNow()
e.active(True)
led = 0
def set_led(v):
    global led
    led = v
def handle(msg):
    try:
        exec(msg)
    except Exception as ex:
        print("bad:", type(ex).__name__)
while True:
    host, msg = e.recv()
    if msg == b"end": break
    if msg.startswith(b"="):
        print(eval(msg[1:]))
    else:
        handle(msg)
print(led, speed)
"""
        },
        [b"set_led(1)", b"speed = led + 4", b"=speed * 2", b"x =", b"nosuch()", b"end"],
        ["10", "bad: SyntaxError", "bad: NameError", "1 5"],
    ),
    "a polling loop": (
        {
            "main.py": """
import network, espnow, time
sta = network.WLAN(network.STA_IF)
sta.active(True)
e = espnow.ESPNow()
e.active(True)
n = 0
start = time.ticks_ms()
while time.ticks_diff(time.ticks_ms(), start) < 1000:
    if e.any():
        host, msg = e.irecv(0)
        n += 1
        print(n, bytes(msg))
print("done")
"""
        },
        [b"a", b"b"],
        ["1 b'a'", "2 b'b'", "done"],
    ),
    "closures and a callback armed at the end": (
        {
            "main.py": """
import network, espnow
network.WLAN(network.STA_IF).active(True)
e = espnow.ESPNow()
e.active(True)
def make_handler(prefix):
    count = 0
    def on_recv(espnow):
        nonlocal count
        while True:
            mac, msg = espnow.irecv(0)
            if mac is None:
                return
            count += 1
            print(prefix, count, bytes(msg))
    return on_recv
e.irq(make_handler(">"))
"""
        },
        [b"a", b"b"],
        ["> 1 b'a'", "> 2 b'b'"],
    ),
    "a class that is called": (
        {
            "main.py": """
import network, espnow
class Node:
    PORT = const(3)
    MASK = const((1 << PORT) - 1)
    def __init__(self):
        self.sta = network.WLAN(network.STA_IF); self.sta.active(True)
        self.e = espnow.ESPNow(); self.e.active(True)
        self.handlers = {}
    def on(self, kind):
        def register(f):
            self.handlers[kind] = f
            return f
        return register
    def __call__(self, n):
        for host, msg in self.e:
            if msg:
                self.handlers.get(msg[0] & MASK, print)(msg[1:])
                n -= 1
            if not n: return self
node = Node()
@node.on(1)
def one(m): print("one", m)
@node.on(2)
def two(m): print("two", m)
node(3)
"""
        },
        [b"\x09x", b"\x02y", b"\x01z"],
        ["one bytearray(b'x')", "two bytearray(b'y')", "one bytearray(b'z')"],
    ),
    "generators and struct": (
        {
            "main.py": """
import network, espnow, ustruct as struct
network.WLAN(0).active(True)
e = espnow.ESPNow(); e.active(True)
def messages():
    while True:
        host, msg = e.recv(500)
        if not msg: return
        yield struct.unpack("<BH", msg)
total = sum(b for a, b in messages() if a)
print(total)
print(*(f"{x:02x}" for x in struct.pack(">H", total)), sep=":")
"""
        },
        [b"\1\5\0", b"\0\xff\xff", b"\2\0\1"],
        ["261", "01:05"],
    ),
    "recursion": (
        {
            "main.py": """
def flood(node, ttl, seen=None):
    seen = seen if seen is not None else set()
    if ttl < 0 or node in seen: return seen
    seen.add(node)
    for other in GRAPH.get(node, ()): flood(other, ttl - 1, seen)
    return seen
GRAPH = {1: (2, 3), 2: (4,), 4: (5,), 5: (1,)}
print(sorted(flood(1, 2)), sorted(flood(1, 9)))
"""
        },
        [],
        ["[1, 2, 3, 4] [1, 2, 3, 4, 5]"],
    ),
    "try and finally": (
        {
            "main.py": """
import network, espnow
sta = network.WLAN(network.STA_IF)
e = espnow.ESPNow()
try:
    e.send(b"\\xff" * 6, "x")
except OSError as err:
    if len(err.args) < 2: raise err
    print(err.args[1])
finally:
    e.active(False)
    sta.active(False)
    print("off")
"""
        },
        [],
        ["ESP_ERR_ESPNOW_NOT_INIT", "off"],
    ),
    "a log file": (
        {
            "main.py": """
import network, espnow, os
network.WLAN(network.STA_IF).active(True)
e = espnow.ESPNow(); e.active(True)
LOG = "/data/log.csv"
try:
    os.stat("/data")
except OSError:
    os.mkdir("/data")
for _ in range(3):
    host, msg = e.recv()
    with open(LOG, "a") as f:
        f.write("{},{}\\n".format(host.hex(), msg.decode()))
print(os.stat(LOG)[6])
with open(LOG) as f:
    for line in f:
        print(line.strip().split(",")[1])
os.rename(LOG, LOG + ".old")
print(os.listdir("/data"))
"""
        },
        [b"1", b"22", b"333"],
        ["48", "1", "22", "333", "['log.csv.old']"],
    ),
    "settings in JSON": (
        {
            "main.py": """
try:
    import ujson as json
except ImportError:
    import json
DEFAULTS = {"name": "node", "interval": 5}
def load():
    try:
        with open("settings.json", "r") as f:
            return json.load(f)
    except (OSError, ValueError):
        save(DEFAULTS)
        return dict(DEFAULTS)
def save(s):
    f = open("settings.json", "w")
    json.dump(s, f)
    f.close()
s = load()
s["interval"] += 1
save(s)
print(load()["interval"], open("settings.json").read())
"""
        },
        [],
        ['6 {"name": "node", "interval": 6}'],
    ),
    "imports with a way out": (
        {
            "main.py": """
try:
    import usocket as socket
except:
    import socket
try:
    import uasyncio as asyncio
except ImportError:
    import asyncio
try:
    from machine import nosuch
except ImportError as e:
    print("no")
try:
    import mylib.sensor as sensor
except ImportError:
    sensor = None
from lib_local import *
import sys
if "esp" in sys.platform: print(sys.platform, sys.implementation.name)
print(sensor, helper())
""",
            "lib_local.py": "def helper(): return 'local'\n_hidden = 1",
        },
        [],
        ["no", "esp32 micropython", "None local"],
    ),
    "asyncio with a task and an event": (
        {
            "main.py": """
import network, aioespnow, asyncio
network.WLAN(network.STA_IF).active(True)
e = aioespnow.AIOESPNow()
e.active(True)
done = asyncio.Event()
async def blink(n):
    while not done.is_set():
        n[0] += 1
        await asyncio.sleep_ms(10)
async def listen():
    async for mac, msg in e:
        print(msg)
        if msg == b"end":
            done.set()
            return
async def main():
    n = [0]
    asyncio.create_task(blink(n))
    await listen()
    print(n[0] > 10)
asyncio.run(main())
"""
        },
        [b"a", b"end"],
        ["bytearray(b'a')", "bytearray(b'end')", "True"],
    ),
    "a state machine with a timer of its own": (
        {
            "main.py": """
import time
IDLE, ACTIVE, DONE = range(3)
class Machine:
    def __init__(self): self.state, self.since = IDLE, time.ticks_ms()
    def goto(self, s):
        print("->", s)
        self.state, self.since = s, time.ticks_ms()
    def run(self):
        age = time.ticks_diff(time.ticks_ms(), self.since)
        if self.state == IDLE and age > 30: self.goto(ACTIVE)
        elif self.state == ACTIVE and age > 50: self.goto(DONE)
        return self.state != DONE
m = Machine()
while m.run(): pass
print(time.ticks_ms() // 10)
"""
        },
        [],
        ["-> 1", "-> 2", "8"],
    ),
    "a thread that listens": (
        {
            "main.py": """
import network, espnow, _thread, time
network.WLAN(network.STA_IF).active(True)
e = espnow.ESPNow(); e.active(True)
lock = _thread.allocate_lock()
inbox = []
def listener():
    while True:
        host, msg = e.recv()
        with lock: inbox.append(msg)
        if msg == b"end": return
_thread.start_new_thread(listener, ())
shown = 0
while True:
    with lock:
        new = inbox[shown:]
        shown = len(inbox)
    for m in new: print(m)
    if b"end" in new: break
    time.sleep(0.05)
"""
        },
        [b"a", b"b", b"end"],
        ["b'a'", "b'b'", "b'end'"],
    ),
    "bytes by hand": (
        {
            "main.py": """
from micropython import const
import ubinascii, struct
_ID = const(0x1234)
mac = b'\\xaa\\xbb\\xcc\\x00\\x01\\x02'
print(':'.join('%02x' % b for b in mac), ubinascii.hexlify(mac, ':').decode())
frame = bytearray(8)
frame[0:2] = _ID.to_bytes(2, 'little')
frame[2:6] = struct.pack('>f', 1.5)
frame[6:8] = (-2).to_bytes(2, 'big')
print(int.from_bytes(frame[0:2], 'little') == _ID, int.from_bytes(frame[6:8], 'big', True))
@micropython.native
def crc(data):
    c = 0
    for b in data:
        c ^= b
        for _ in range(8): c = (c >> 1) ^ 0x8c if c & 1 else c >> 1
    return c
print(crc(frame), b'id' + str(_ID))
"""
        },
        [],
        ["aa:bb:cc:00:01:02 aa:bb:cc:00:01:02", "True 65534", "105 b'id4660'"],
    ),
    "a soft reset on a message": (
        {
            "main.py": """
import network, espnow, machine
network.WLAN(network.STA_IF).active(True)
e = espnow.ESPNow()
e.active(True)
try:
    n = int(open("boots").read())
except OSError:
    n = 0
open("boots", "w").write(str(n + 1))
print("boot", n)
if n < 2:
    host, msg = e.recv()
    print(msg)
    machine.soft_reset()
"""
        },
        [b"reset"] * 4,
        ["boot 0", "b'reset'", "boot 1", "b'reset'", "boot 2"],
    ),
    "a menu at the console": (
        {
            "main.py": """
menu = {"1": lambda: "first", "2": lambda: "second"}
while True:
    choice = input("? ")
    if choice == "q": break
    print(menu.get(choice, lambda: "what?")())
print(eval(input()))
"""
        },
        "1\n2\nx\nq\n3 + 4\n",
        ["? first", "? second", "? what?", "? 7"],
    ),
}


@pytest.mark.parametrize("name", STYLES)
def test_style(lab, tmp_path, name):
    files, messages, printed = STYLES[name]
    for path, content in files.items():
        (tmp_path / path).write_text(content)
    typed = messages if isinstance(messages, str) else None
    board = lab.board(tmp_path, stdin=typed)
    if messages and not typed:
        lab.board(code=f"MESSAGES = {messages!r}\n{SENDER}")
    lab.run(for_ms=3000)
    assert board.lines == printed, board.output
    assert board.state == ("armed" if "armed" in name else "ended")

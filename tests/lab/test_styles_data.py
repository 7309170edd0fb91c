"""Programs in the style of those that people write: packed readings, JSON, printed addresses, sealed payloads, files.

Each is run as it stands; what it prints is what its source says.
"""

import hashlib

import pytest

HEAD = """
import network, espnow
sta = network.WLAN(network.STA_IF)
sta.active(True)
e = espnow.ESPNow()
e.active(True)
"""

SEND = HEAD + "peer = PEER\ne.add_peer(peer)\n"


@pytest.fixture
def run(lab):
    """Return a function that runs a program alone, and returns its lines."""

    def run(code, for_ms=10_000, **options):
        board = lab.board(code=code, **options)
        lab.run(for_ms=for_ms)
        assert board.error is None, board.output
        return board.lines

    return run


@pytest.fixture
def talk(lab):
    """Return a function that runs a receiver and a sender to it, and returns the receiver's lines."""

    def talk(receiver, sender, for_ms=3_000):
        hears = lab.board(code=HEAD + receiver)
        says = lab.board(code=SEND.replace("PEER", repr(hears.mac)) + sender)
        lab.run(for_ms=for_ms)
        assert says.error is None, says.output
        assert hears.error is None, hears.output
        return hears.lines

    return talk


def test_readings_packed_with_ustruct(talk):
    lines = talk(
        """
import ustruct
FMT = "<BhHIf"
for _ in range(3):
    host, msg = e.recv()
    sensor, temp, hum, uptime, volts = ustruct.unpack(FMT, msg)
    print("%d: %.1f C %.1f %% up %d s %.2f V" % (sensor, temp / 10, hum / 10, uptime, volts))
""",
        """
import ustruct, utime
for n in range(3):
    e.send(peer, ustruct.pack("<BhHIf", 7, -125 + n, 503, utime.ticks_ms() // 1000, 3.3))
    utime.sleep_ms(500)
""",
    )
    assert lines == [f"7: {-12.5 + n / 10:.1f} C 50.3 % up {n // 2} s 3.30 V" for n in range(3)]


def test_a_c_struct_with_native_alignment_and_padding(talk):
    # An Arduino sketch's struct {uint8_t id; float t; uint32_t n; char name[8];} as memcpy sends it, and zeros behind.
    lines = talk(
        """
import struct
host, msg = e.recv()
id, t, n, name = struct.unpack("BfI8s", msg)
print(id, t, n, name.decode().strip("\\x00"), len(msg), struct.calcsize("BfI8s"))
""",
        """
import struct
e.send(peer, struct.pack("BfI8s", 3, 21.5, 70000, "porch") + bytes(4))
""",
    )
    assert lines == ["3 21.5 70000 porch 24 20"]


def test_json_of_a_dictionary(talk):
    lines = talk(
        """
import ujson
while True:
    host, msg = e.recv(1000)
    if not msg:
        break
    try:
        data = ujson.loads(msg)
        print(data["id"], data["temp"], data.get("led", "-"))
    except (ValueError, KeyError) as err:
        print("bad:", repr(err))
""",
        """
import ujson as json
e.send(peer, json.dumps({"id": "esp-1", "temp": 21.5}))
e.send(peer, json.dumps({"id": b"esp-2", "temp": (1, 2), "led": True}).encode("utf-8"))
e.send(peer, b'{"id": 3, "temp": null}' + b"\\x00" * 10)
e.send(peer, "hello")
e.send(peer, '{"temp": 1}')
e.send(peer, b"\\xff\\xfe\\x00")
""",
    )
    assert lines == [
        "esp-1 21.5 -",
        "esp-2 [1, 2] True",
        "3 None -",
        "bad: ValueError('syntax error in JSON')",
        "bad: KeyError('id')",
        "bad: ValueError('syntax error in JSON')",
    ]


def test_the_own_address_as_people_print_it(run):
    lines = run(
        """
import network, ubinascii, binascii, machine
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
mac = wlan.config('mac')
print(ubinascii.hexlify(mac, ':').decode().upper())
print(binascii.hexlify(mac, b'-').decode())
print(':'.join('%02x' % b for b in mac))
print("".join(f"\\\\x{b:02X}" for b in mac))
print(ubinascii.hexlify(machine.unique_id()).decode())
peer = ubinascii.unhexlify("AA:BB:CC:DD:EE:FF".replace(":", ""))
print(peer, len(peer), binascii.unhexlify(b'ffffffffffff') == b'\\xff' * 6)
""",
        mac="24:0a:c4:00:ab:01",
    )
    assert lines == [
        "24:0A:C4:00:AB:01",
        "24-0a-c4-00-ab-01",
        "24:0a:c4:00:ab:01",
        "\\x24\\x0A\\xC4\\x00\\xAB\\x01",
        "240ac400ab01",
        "b'\\xaa\\xbb\\xcc\\xdd\\xee\\xff' 6 True",
    ]


def test_a_crc_over_each_message(talk):
    lines = talk(
        """
import ubinascii, ustruct
for host, msg in e:
    if msg is None:
        break
    body, crc = msg[:-4], ustruct.unpack("<I", msg[-4:])[0]
    print(body.decode(), "ok" if ubinascii.crc32(body) == crc else "damaged")
    if body == b"end":
        break
""",
        """
import ubinascii, ustruct
def framed(body):
    return body + ustruct.pack("<I", ubinascii.crc32(body) & 0xffffffff)
e.send(peer, framed(b"temp=21"))
broken = bytearray(framed(b"temp=22"))
broken[0] ^= 1
e.send(peer, broken)
e.send(peer, framed(b"end"))
""",
    )
    assert lines == ["temp=21 ok", "uemp=22 damaged", "end ok"]


def test_a_sum_written_by_hand(run):
    assert run(
        """
def crc8(data):
    crc = 0
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = (crc << 1) ^ 0x31 if crc & 0x80 else crc << 1
        crc &= 0xff
    return crc
import array
table = array.array("B", (n for n in range(256)))
table.append(300)
print(hex(crc8(b"123456789")), sum(table) & 0xff, table[-1])
"""
    ) == ["0xa2 172 44"]


@pytest.mark.parametrize("module", ["ucryptolib", "cryptolib"])
def test_a_sealed_payload(talk, module):
    lines = talk(
        f"""
import {module}
KEY = b"321ztrgr3213asfg"
def unpad(data):
    return data[:-data[-1]]
host, msg = e.recv()
print(unpad({module}.aes(KEY, 2, msg[:16]).decrypt(msg[16:])).decode())
host, msg = e.recv()
print({module}.aes(KEY, 1).decrypt(msg).rstrip(b"\\0"))
""",
        f"""
import {module}, uos
KEY = b"321ztrgr3213asfg"
def pad(data):
    n = 16 - len(data) % 16
    return data + bytes([n] * n)
iv = uos.urandom(16)
e.send(peer, iv + {module}.aes(KEY, 2, iv).encrypt(pad("temperature 21.5".encode())))
buf = bytearray(32)
buf[:5] = b"hello"
{module}.aes(KEY, 1).encrypt(buf, buf)
e.send(peer, buf)
""",
    )
    assert lines == ["temperature 21.5", "b'hello'"]


def test_a_signed_message(talk):
    lines = talk(
        """
import uhashlib, ubinascii
SECRET = b"s3cret"
for _ in range(2):
    host, msg = e.recv()
    body, tag = msg[:-8], msg[-8:]
    good = uhashlib.sha256(SECRET + body).digest()[:8]
    print(body, ubinascii.hexlify(tag).decode()[:4], good == tag)
""",
        """
import hashlib
h = hashlib.sha256("s3cret")
h.update(b"open")
e.send(peer, b"open" + h.digest()[:8])
e.send(peer, b"shut" + bytes(8))
""",
    )
    tag = hashlib.sha256(b"s3cretopen").hexdigest()[:4]
    assert lines == [f"b'open' {tag} True", "b'shut' 0000 False"]


def test_a_deque_of_readings(run):
    assert run(
        """
from ucollections import deque
readings = deque((), 5)
for n in range(8):
    readings.append(n * 2)
print(len(readings), sum(readings) / len(readings), [r for r in readings])
while readings:
    print(readings.popleft(), end=" ")
print()
queue = deque((), 2, 1)
queue.append("a"); queue.append("b")
try:
    queue.append("c")
except IndexError:
    print("full", queue.popleft())
"""
    ) == ["5 10.0 [6, 8, 10, 12, 14]", "6 8 10 12 14 ", "full a"]


def test_messages_queued_by_a_callback(talk):
    lines = talk(
        """
from collections import deque
import time
inbox = deque((), 10)
def on_recv(e):
    while True:
        mac, msg = e.irecv(0)
        if mac is None:
            return
        inbox.append((bytes(mac), bytes(msg)))
e.irq(on_recv)
count = 0
while count < 4:
    while inbox:
        mac, msg = inbox.popleft()
        count += 1
        print(count, msg)
    time.sleep_ms(20)
""",
        """
import time
for n in range(4):
    e.send(peer, "n=%d" % n)
    time.sleep_ms(7)
""",
    )
    assert lines == [f"{n + 1} b'n={n}'" for n in range(4)]


def test_named_tuples(talk):
    lines = talk(
        """
from collections import namedtuple
import struct
Reading = namedtuple("Reading", ("id", "temp", "hum"))
for _ in range(2):
    host, msg = e.recv()
    r = Reading(*struct.unpack("!Bhh", msg))
    print(r, r.temp / 100, r[0])
""",
        """
import struct
e.send(peer, struct.pack("!Bhh", 1, 2150, 4000))
e.send(peer, struct.pack("!Bhh", 258, -100, 40000))
""",
    )
    assert lines == ["Reading(id=1, temp=2150, hum=4000) 21.5 1", "Reading(id=2, temp=-100, hum=-25536) -1.0 2"]


def test_a_packet_described_with_uctypes(talk):
    description = """
import uctypes
PACKET = {
    "kind": uctypes.UINT8 | 0,
    "flags": uctypes.UINT8 | 1,
    "low_battery": uctypes.BFUINT8 | 1 | 0 << uctypes.BF_POS | 1 << uctypes.BF_LEN,
    "channel": uctypes.BFUINT8 | 1 | 4 << uctypes.BF_POS | 4 << uctypes.BF_LEN,
    "temp": uctypes.INT16 | 2,
    "mac": (uctypes.ARRAY | 4, uctypes.UINT8 | 6),
    "volts": uctypes.FLOAT32 | 10,
}
buf = bytearray(uctypes.sizeof(PACKET, uctypes.LITTLE_ENDIAN))
packet = uctypes.struct(uctypes.addressof(buf), PACKET, uctypes.LITTLE_ENDIAN)
"""
    lines = talk(
        description
        + """
host, msg = e.recv()
buf[:] = msg
print(packet.kind, packet.low_battery, packet.channel, hex(packet.flags), packet.temp, packet.volts)
print(bytes(packet.mac) == host, len(msg))
host, msg = e.recv()
p = uctypes.struct(uctypes.addressof(msg), PACKET, uctypes.LITTLE_ENDIAN)
print(p.kind, p.temp)
""",
        description
        + """
packet.kind = 5
packet.low_battery = 1
packet.channel = 11
packet.temp = -215
packet.volts = 3.25
for i, b in enumerate(sta.config("mac")):
    packet.mac[i] = b
e.send(peer, buf)
packet.kind += 1
e.send(peer, packet)
""",
    )
    assert lines == ["5 1 11 0xb1 -215 3.25", "True 14", "6 -215"]


def test_text_messages_taken_apart(talk):
    lines = talk(
        """
import ure
pattern = ure.compile("(\\\\w+)=([-0-9.]+)(;|$)")
host, msg = e.recv()
text = msg.decode()
while text:
    found = pattern.match(text)
    if not found:
        break
    print(found.group(1), float(found.group(2)))
    text = text[len(found.group(0)):]
print(ure.search("h.m", msg).group(0), ure.sub("[0-9]", "#", msg.decode()), ure.compile(";").split("a;b"))
""",
        """
e.send(peer, "temp=21.5;hum=40;rssi=-67")
""",
    )
    assert lines == [
        "temp 21.5",
        "hum 40.0",
        "rssi -67.0",
        "b'hum' temp=##.#;hum=##;rssi=-## ['a', 'b']",
    ]


def test_a_file_in_pieces(talk):
    lines = talk(
        """
import uio, ubinascii
out = uio.BytesIO()
size = None
while size is None or len(out.getvalue()) < size:
    host, msg = e.recv()
    if msg.startswith(b"SIZE:"):
        size = int(msg[5:])
    else:
        out.write(msg)
data = out.getvalue()
print(size, len(data), ubinascii.crc32(data))
import uzlib
print(uzlib.decompress(data)[:12])
print(ubinascii.b2a_base64(data[:6], newline=False), ubinascii.a2b_base64("aGVsbG8="))
""",
        """
import io, zlib
data = zlib.compress(b"line of text\\n" * 500, 10)
src = io.BytesIO(data)
e.send(peer, "SIZE:%d" % len(data))
buf = bytearray(20)
mv = memoryview(buf)
while True:
    n = src.readinto(buf)
    if not n:
        break
    e.send(peer, mv[:n])
""",
    )
    size, length, _ = lines[0].split()
    assert size == length
    assert lines[1] == "b'line of text'"
    assert lines[2].endswith(" b'hello'")


def test_settings_in_a_file(run):
    assert run(
        """
import ujson, uos
try:
    with open("config.json") as f:
        config = ujson.load(f)
except OSError:
    config = {"name": "node", "peers": ["aabbccddeeff"], "interval": 5}
    with open("config.json", "w") as f:
        ujson.dump(config, f)
with open("config.json") as f:
    text = f.read()
print(text)
config = ujson.loads(text)
config["interval"] += 1
with open("config.json", "wb") as f:
    ujson.dump(config, f, separators=(",", ":"))
print(open("config.json").read(), "config.json" in uos.listdir())
"""
    ) == [
        '{"name": "node", "peers": ["aabbccddeeff"], "interval": 5}',
        '{"name":"node","peers":["aabbccddeeff"],"interval":6} True',
    ]


def test_random_readings(run):
    lines = run(
        """
import urandom, random
urandom.seed(5)
first = [urandom.getrandbits(8) for _ in range(4)]
random.seed(5)
print(first == [random.getrandbits(8) for _ in range(4)])
temp = 20 + random.uniform(-2, 2)
print(18 <= temp <= 22, random.choice(["a"]), 1 <= random.randint(1, 6) <= 6, random.randrange(0, 10, 5) in (0, 5))
"""
    )
    assert lines == ["True", "True a True True"]


def test_bytes_by_hand(talk):
    lines = talk(
        """
host, msg = e.recv()
print(msg[0], int.from_bytes(msg[1:3], "little"), msg[3:].decode())
import micropython
@micropython.viper
def total(data: ptr8, n: int) -> int:
    s = 0
    for i in range(n):
        s += data[i]
    return s
print(total(msg, len(msg)))
""",
        """
msg = bytearray(3)
msg[0] = 0x10
msg[1:3] = (1000).to_bytes(2, "little")
msg += b"abc"
e.send(peer, msg)
""",
    )
    assert lines == ["16 1000 abc", str(16 + (1000 & 255) + (1000 >> 8) + 97 + 98 + 99)]


def test_modules_under_either_name(run):
    names = "array binascii collections cryptolib errno hashlib heapq io json os random re select struct sys time zlib"
    lines = run(
        f"""
import collections.abc
for name in {names.split()!r}:
    try:
        exec("try:\\n import u{{0}} as m\\nexcept ImportError:\\n import {{0}} as m".format(name))
        exec("import " + name)
    except ImportError as err:
        print(err)
import uctypes, deflate, uasyncio, umachine
from heapq import heappush, heappop
heap = []
for n in (3, 1, 2):
    heappush(heap, n)
print(heappop(heap), isinstance([], collections.abc.Sequence))
try:
    import uwebsocket
except ImportError as err:
    print(err)
"""
    )
    assert lines == ["1 True", "no module named 'uwebsocket'"]


def test_what_goes_wrong_on_a_board_goes_wrong_here(run):
    assert run(
        """
import json, struct, binascii, hashlib
def attempt(f):
    try:
        print(f())
    except Exception as err:
        print(type(err).__name__, err)
attempt(lambda: struct.unpack("<IH", b"12345"))
attempt(lambda: struct.pack("<h", 1.5))
attempt(lambda: struct.pack("<?", True))
attempt(lambda: binascii.unhexlify("abc"))
attempt(lambda: json.loads(str(b'{"a": 1}')))
attempt(lambda: json.dumps([1], indent=2))
attempt(lambda: hashlib.sha256(b"").hexdigest())
attempt(lambda: json.JSONDecodeError)
""",
    ) == [
        "ValueError buffer too small",
        "TypeError can't convert float to int",
        "ValueError bad typecode",
        "ValueError odd-length string",
        "ValueError syntax error in JSON",
        "TypeError dumps() got an unexpected keyword argument 'indent'",
        "AttributeError 'sha256' object has no attribute 'hexdigest': use binascii.hexlify(h.digest())",
        "AttributeError module 'json' of a board has no attribute 'JSONDecodeError': catch ValueError",
    ]


@pytest.mark.parametrize("name", ["logging", "hmac"])
def test_a_library_that_lies_beside_the_program(lab, tmp_path, name):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / f"{name}.py").write_text("def new(): return 'own'")
    (tmp_path / "main.py").write_text(f"import {name}\nprint({name}.new())")
    board = lab.board(tmp_path)
    lab.run(for_ms=1_000)
    assert board.lines == ["own"]

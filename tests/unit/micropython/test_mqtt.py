"""MQTT over the board's sockets, against a small broker in the test's own threads."""

import queue
import socketserver
import threading

import pytest

from espnow.errors import BoardOSError
from espnow.testing import Bench

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14


class Session(socketserver.StreamRequestHandler):
    """One client of the broker."""

    def handle(self):
        self.closed = threading.Event()
        try:
            self.talk()
        finally:
            self.rfile.close()
            self.connection.close()
            self.closed.set()

    def talk(self):
        broker, will, said_goodbye = self.server, None, False
        broker.sessions.append(self)
        try:
            while packet := self.take():
                kind, flags, body = packet
                broker.seen.put((kind, flags, body))
                if kind == CONNECT:
                    will = self.connect(body)
                elif kind == PUBLISH:
                    self.publish(flags, body)
                elif kind == SUBSCRIBE:
                    broker.subscribers.append((body[4:-1], self))
                    self.wfile.write(b"\x90\x03" + body[:2] + bytes((0x80 if body[4:-1] == b"secret" else body[-1],)))
                    for topic, message in broker.retained.items():
                        if topic == body[4:-1]:
                            self.forward(topic, message)
                elif kind == PINGREQ:
                    self.wfile.write(b"\xd0\x00")
                elif kind == DISCONNECT:
                    said_goodbye = True
        except OSError:
            pass
        if will is not None and not said_goodbye:
            broker.published.put(will)

    def take(self):
        first = self.rfile.read(1)
        if not first:
            return None
        length = shift = 0
        while True:
            digit = self.rfile.read(1)[0]
            length |= (digit & 127) << shift
            shift += 7
            if not digit & 128:
                break
        return first[0] >> 4, first[0] & 15, self.rfile.read(length)

    def connect(self, body):
        assert body[:7] == b"\x00\x04MQTT\x04"
        flags, rest, fields = body[7], body[10:], []
        while rest:
            length = int.from_bytes(rest[:2], "big")
            fields.append(rest[2 : 2 + length])
            rest = rest[2 + length :]
        self.client = fields.pop(0)
        will = (fields.pop(0), fields.pop(0), flags >> 3 & 3, flags >> 5 & 1) if flags & 4 else None
        if flags & 0x80:
            refused = fields != [b"me", b"secret"]
        else:
            refused = False
        self.wfile.write(
            b"\x20\x02\x00\x05" if refused else b"\x20\x02\x01\x00" if not flags & 2 else b"\x20\x02\x00\x00"
        )
        return will

    def publish(self, flags, body):
        length = int.from_bytes(body[:2], "big")
        topic, message, qos = body[2 : 2 + length], body[2 + length :], flags >> 1 & 3
        number, message = (message[:2], message[2:]) if qos else (b"", message)
        self.server.published.put((topic, message, qos, flags & 1))
        if flags & 1:
            self.server.retained[topic] = message
        for wanted, session in self.server.subscribers:
            if wanted == topic:
                session.forward(topic, message)
        if qos:
            self.wfile.write(b"\x40\x02\xff\xff" + b"\x40\x02" + number)

    def forward(self, topic, message):
        body = len(topic).to_bytes(2, "big") + topic + b"\x00\x07" + message
        digits = bytes((len(body) & 127 | 128, len(body) >> 7)) if len(body) > 127 else bytes((len(body),))
        self.wfile.write(b"\x32" + digits + body)


class Broker(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.port = self.server_address[1]
        self.seen = queue.Queue()
        self.published = queue.Queue()
        self.subscribers = []
        self.sessions = []
        self.retained = {}

    def drop(self):
        """Close every connection."""
        for session in self.sessions:
            session.connection.shutdown(2)
            assert session.closed.wait(5)
        self.sessions.clear()
        self.subscribers.clear()


@pytest.fixture
def broker(serve):
    return serve(Broker())


def start(broker, more="", module="simple", arguments=""):
    return f"""
from umqtt.{module} import MQTTClient
c = MQTTClient("board", "127.0.0.1", {broker.port}{arguments})
{more}
"""


def test_publishing(wired, broker):
    lines = wired.outcome(
        start(
            broker,
            """
print(c.connect())
c.publish("a/b", "text")
c.publish(b"a/b", b"bytes" * 100, retain=True)
c.publish("a/b", "sure", qos=1)
c.publish("a/b", "", False, 0)
c.disconnect()
""",
        )
    )
    assert lines == ["0"]
    published = [broker.published.get(timeout=5) for _ in range(4)]
    assert published == [
        (b"a/b", b"text", 0, 0),
        (b"a/b", b"bytes" * 100, 0, 1),
        (b"a/b", b"sure", 1, 0),
        (b"a/b", b"", 0, 0),
    ]
    assert broker.published.empty()


def test_a_number_is_no_message(wired, broker):
    lines = wired.outcome(
        start(broker, "c.connect()\ntry:\n    c.publish('t', 5)\nexcept TypeError as e:\n    print(e)\nc.disconnect()")
    )
    assert lines == ["object with buffer protocol required"]
    assert broker.published.empty()


def test_what_connect_says(wired, broker):
    wired.outcome(
        start(
            broker,
            "c.set_last_will('w', 'gone', True, 1)\nprint(c.connect(False))\nc.disconnect()",
            arguments=", keepalive=300",
        )
    )
    _, _, body = broker.seen.get(timeout=5)
    assert body == b"\x00\x04MQTT\x04\x2c\x01\x2c\x00\x05board\x00\x01w\x00\x04gone"


def test_the_broker_remembers(wired, broker):
    assert wired.outcome(start(broker, "print(c.connect(clean_session=False))")) == ["1"]


@pytest.mark.parametrize(("password", "line"), [("secret", "0"), ("wrong", "MQTTException 5")])
def test_name_and_password(wired, broker, password, line):
    lines = wired.outcome(
        start(
            broker,
            "from umqtt.simple import MQTTException\n"
            "try:\n    print(c.connect())\nexcept MQTTException as e:\n    print(type(e).__name__, e)",
            arguments=f", user='me', password='{password}'",
        )
    )
    assert lines == [line]


def test_subscribing(wired, broker):
    broker.retained[b"news"] = b"kept"
    lines = wired.outcome(
        start(
            broker,
            """
got = []
c.set_callback(lambda topic, message: got.append((topic, message)))
c.connect()
print(c.check_msg())
c.subscribe("news", qos=1)
while not got:
    c.check_msg()
    time.sleep_ms(5)
c.publish("news", "x" * 200)
print(c.wait_msg(), len(got), got[0], len(got[1][1]))
c.ping()
print(c.wait_msg())
try:
    c.subscribe("secret")
except Exception as e:
    print(type(e).__name__, e)
""",
        )
    )
    assert lines == ["None", "50 2 (b'news', b'kept') 200", "None", "MQTTException 128"]
    seen = [broker.seen.get(timeout=5) for _ in range(5)]
    assert (PUBACK, 0, b"\x00\x07") in seen


def test_publishing_for_sure_waits_until_the_broker_has_it(wired, broker):
    lines = wired.outcome(
        start(
            broker,
            """
got = []
c.set_callback(lambda topic, message: got.append(message))
c.connect()
c.subscribe("news")
for n in range(3):
    c.publish("news", str(n), qos=1)
    print(got)
""",
        )
    )
    assert lines == ["[b'0']", "[b'0', b'1']", "[b'0', b'1', b'2']"]


def test_a_last_will(wired, broker):
    board = wired.board(start(broker, "c.set_last_will('state', 'lost')\nc.connect()\nprint('up')\ntime.sleep(100)"))
    wired.lab.run_until(lambda: "up" in board.output, timeout_ms=20_000)
    board.power_off()
    assert broker.published.get(timeout=5) == (b"state", b"lost", 0, 0)


def test_the_broker_goes(wired, broker):
    board = wired.board(
        start(broker, "c.connect()\nprint('up')\ntry:\n    c.wait_msg()\nexcept OSError as e:\n    print(e)")
    )
    wired.lab.run_until(lambda: "up" in board.output, timeout_ms=20_000)
    broker.drop()
    wired.run(board)
    assert board.lines == ["up", "-1"]


def test_no_broker(wired):
    lines = wired.outcome(
        "from umqtt.simple import MQTTClient\ntry:\n    MQTTClient('a', '127.0.0.1', 1).connect()\n"
        "except OSError as e:\n    print(e)"
    )
    assert lines == ["[Errno 111] ECONNREFUSED"]


def test_the_robust_client_connects_again(wired, broker):
    board = wired.board(
        start(
            broker,
            """
c.DEBUG = True
print(c.connect())
print("up")
time.sleep(1)
for n in range(50):
    c.publish("n", str(n))
    time.sleep_ms(10)
print(c.check_msg())
""",
            "robust",
        )
    )
    wired.lab.run_until(lambda: "up" in board.output, timeout_ms=20_000)
    broker.drop()
    wired.run(board)
    assert board.lines[:2] == ["0", "up"]
    assert board.lines[-1] == "None"
    assert any(line.startswith("mqtt: ") for line in board.lines)
    while broker.published.get(timeout=5)[1] != b"49":
        pass


def test_the_robust_client_waits_between_attempts():
    robust = Bench().module("umqtt.robust")
    attempts = []

    class Client(robust.MQTTClient):
        def connect(self, clean_session=True):
            attempts.append((bench.clock.now_us, clean_session))
            if len(attempts) < 3:
                raise BoardOSError(118)
            return 1

    bench = Bench()
    client = bench.module("umqtt.robust").MQTTClient("a", "b")
    client.connect = Client.connect.__get__(client)
    assert client.reconnect() == 1
    assert attempts == [(0, False), (2_000_000, False), (4_000_000, False)]


def test_a_programs_own_package_wins_and_finds_the_rest(tmp_path, make_wired):
    (tmp_path / "umqtt").mkdir()
    (tmp_path / "umqtt" / "simple.py").write_text("class MQTTClient:\n    mine = True\n")
    (tmp_path / "main.py").write_text(
        "from umqtt.simple import MQTTClient\nprint(MQTTClient.mine)\n"
        "import umqtt.robust\nprint(umqtt.robust.MQTTClient.DELAY)\n"
    )
    lab = make_wired().lab
    board = lab.board(tmp_path / "main.py")
    lab.run()
    assert board.lines == ["True", "2"]


PROXY = """
from umqtt.simple import MQTTClient
broker = MQTTClient("proxy", "broker.example")
broker.connect()
sta.config(pm=sta.PM_NONE)
import espnow
e = espnow.ESPNow()
e.active(True)
print("Proxy running on channel:", sta.config("channel"))
for peer, msg in e:
    broker.publish(b"espnow/" + peer.hex().encode(), bytes(msg))
"""

SENSOR = """
import espnow, network, time
sta = network.WLAN(network.WLAN.IF_STA)
sta.active(True)
sta.config(channel=6)
e = espnow.ESPNow()
e.active(True)
e.add_peer(PROXY)
for n in range(3):
    time.sleep(1)
    print(e.send(PROXY, str(n)))
"""


def test_a_proxy_from_espnow_to_mqtt(wired, broker):
    """The documents' proxy: joined to a router, it forwards what sensors send to a broker."""
    wired.router.set_channel(6)
    wired.lab.network.hosts["broker.example"] = f"127.0.0.1:{broker.port}"
    proxy = wired.board(PROXY)
    assert wired.lab.run_until(lambda: "running" in proxy.output, timeout_ms=20_000), proxy.output
    assert proxy.lines == ["Proxy running on channel: 6"]
    sensor = wired.board(f"PROXY = {proxy.mac!r}\n{SENSOR}", join=False)
    wired.run(sensor)
    assert sensor.lines == ["True"] * 3
    topic = b"espnow/" + sensor.mac.hex().encode()
    wired.lab.run(for_ms=100)
    assert [broker.published.get(timeout=5)[:2] for _ in range(3)] == [(topic, str(n).encode()) for n in range(3)]

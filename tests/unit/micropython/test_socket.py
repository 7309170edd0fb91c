"""Sockets: among boards in virtual time, to servers of the computer, and what they refuse."""

import datetime
import socket as host_socket
import socketserver
import ssl as host_ssl
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow.lab import Lab
from espnow.lab.lab_sockets import LATENCY_US
from espnow.lab.network import Site
from espnow.testing import Bench

SERVER = "192.168.1.2"  # the first board that joins


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while part := self.request.recv(4096):
            self.request.sendall(part)


class UdpEcho(socketserver.BaseRequestHandler):
    def handle(self):
        datagram, port = self.request
        port.sendto(datagram[::-1], self.client_address)


class Silent(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(4096)


class Threading(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


@pytest.fixture
def echo(serve):
    return serve(Threading(("127.0.0.1", 0), Echo)).server_address[1]


def free_port():
    with host_socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        return port.getsockname()[1]


# What it refuses.

NUMBERS = {
    "esp32": {"EHOSTUNREACH": 118, "ENOTCONN": 128, "EINPROGRESS": 119, "ETIMEDOUT": 116, "EADDRINUSE": 112},
    "esp8266": {"EHOSTUNREACH": 113, "ENOTCONN": 107, "EINPROGRESS": 115, "ETIMEDOUT": 110, "EADDRINUSE": 98},
}

REFUSALS = [
    ("socket.getaddrinfo('example.com', 80)", -202),
    ("socket.socket().connect(('192.168.1.9', 80))", "EHOSTUNREACH"),
    ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.168.1.9', 80))", "EHOSTUNREACH"),
    ("socket.socket().send(b'x')", "ENOTCONN"),
    ("socket.socket().recv(1)", "ENOTCONN"),
]


@pytest.mark.parametrize("profile", NUMBERS)
@pytest.mark.parametrize(("call", "error"), REFUSALS)
def test_without_a_network(profile, call, error):
    socket = Bench(profile).module("socket")
    with pytest.raises(OSError) as caught:
        eval(call, {"socket": socket})
    number = NUMBERS[profile].get(error, error)
    assert caught.value.args == (number,)
    assert str(caught.value) == ("-202" if error == -202 else f"[Errno {number}] {error}")


@pytest.mark.parametrize(("call", "error"), REFUSALS[:3])
def test_a_board_that_has_not_joined(wired, call, error):
    board = wired.board(f"import socket\ntry:\n    {call}\nexcept OSError as e:\n    print(e.args[0])", join=False)
    wired.run(board)
    assert board.lines == [str(NUMBERS["esp32"].get(error, error))]


@pytest.mark.parametrize(
    ("calls", "number"),
    [
        ("s.setblocking(False); s.connect(('192.168.1.3', 80))", 119),
        ("s.connect(('192.168.1.3', 81))", 111),
        ("s.settimeout(0.5); s.connect(('192.168.1.3', 80)); s.recv(1)", 116),
        ("s.connect(('192.168.1.3', 80)); s.setblocking(False); s.recv(1)", 11),
        ("s.connect(('192.168.1.3', 80)); s.connect(('192.168.1.3', 80))", 127),
        ("s.bind(('', 70)); socket.socket().bind(('', 70))", 112),
        ("s.close(); s.recv(1)", 9),
        ("s.close(); s.connect(('192.168.1.3', 80))", 9),
        ("s.bind(('', 70)); s.listen(1); s.settimeout(0.1); s.accept()", 116),
        ("s.bind(('', 70)); s.listen(1); s.setblocking(False); s.accept()", 11),
        ("socket.socket(10)", 106),
        ("socket.socket(2, 7)", 22),
    ],
)
def test_errors_have_the_numbers_of_the_board(wired, calls, number):
    board = wired.board(
        f"""
        import socket, time
        time.sleep(1)
        s = socket.socket()
        try:
            {calls}
        except OSError as error:
            print(error.errno)
        """
    )
    wired.board("import socket\ns = socket.socket()\ns.bind(('', 80))\ns.listen(1)\nwhile True: c = s.accept()")
    wired.run(board)
    assert board.lines == [str(number)]


def test_nobody_answers_without_a_way_out(wired):
    wired.router.internet = False
    lines = wired.outcome(
        """
        import socket, time
        start = time.ticks_ms()
        try:
            socket.socket().connect(("8.8.8.8", 53))
        except OSError as error:
            print(error, (time.ticks_ms() - start) // 1000)
        try:
            socket.getaddrinfo("example.com", 80)
        except OSError as error:
            print(error.errno)
        """
    )
    assert lines == ["[Errno 113] ECONNABORTED 18", "-202"]


def test_addresses():
    socket = Bench().module("socket")
    assert socket.getaddrinfo("192.168.1.9", 80) == [(2, 1, 0, "192.168.1.9", ("192.168.1.9", 80))]
    assert socket.getaddrinfo("", "80")[0][-1] == ("0.0.0.0", 80)
    assert socket.inet_pton(socket.AF_INET, "192.168.1.9") == b"\xc0\xa8\x01\x09"
    assert socket.inet_ntop(socket.AF_INET, b"\xc0\xa8\x01\x09") == "192.168.1.9"
    assert Bench().module("usocket").socket.__name__ == "socket"


# Among boards.


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20_000), max_size=5), st.integers(1, 7_000))
def test_a_stream_arrives_whole_and_in_order(lengths, size):
    whole = bytes(n % 251 for n in range(sum(lengths)))
    parts = [whole[sum(lengths[:n]) :][:length] for n, length in enumerate(lengths)]
    received = []

    def server():
        import socket

        port = socket.socket()
        port.bind(("", 5000))
        port.listen(1)
        connection, _ = port.accept()
        while part := connection.recv(size):
            received.append(part)

    def client():
        import socket

        connection = socket.socket()
        connection.connect(("10.0.0.1", 5000))
        for part in parts:
            connection.sendall(part)
        connection.close()

    with Lab() as lab:
        lab.network.sites = fixed_sites
        boards = [lab.board(server, name="1"), lab.board(client, name="2")]
        lab.run()
        assert [board.error for board in boards] == [None, None], boards[1].output
    assert b"".join(received) == whole
    assert all(len(part) <= size for part in received)


def fixed_sites(board):
    """Let a board named by a number be on one network without Wi-Fi."""
    return [Site(b"router", f"10.0.0.{board.name}", "255.255.255.0", True)]


def test_the_window_is_finite_and_opens_again(wired):
    wired.board(
        """
        import socket, time
        port = socket.socket()
        port.bind(("", 80))
        port.listen(1)
        c, _ = port.accept()
        time.sleep(2)
        print(len(c.read(8000)))
        """
    )
    lines = wired.outcome(
        f"""
        import socket, select, time
        time.sleep(1)
        s = socket.socket()
        s.connect(("{SERVER}", 80))
        s.setblocking(False)
        print(s.write(bytes(9000)), s.write(b"more"))
        try:
            s.send(b"more")
        except OSError as error:
            print(error)
        poll = select.poll()
        poll.register(s, select.POLLOUT)
        print(poll.poll(100), len(poll.poll(5000)), s.write(bytes(2240)))
        """
    )
    assert lines == ["5760 None", "[Errno 11] EAGAIN", "[] 1 2240"]
    wired.run(wired.lab.boards[0])
    assert wired.lab.boards[0].lines == ["8000"]


def test_the_way_takes_its_time_and_no_host_is_asked(wired):
    wired.board(
        """
        import socket
        port = socket.socket()
        port.bind(("", 80))
        port.listen(1)
        c, a = port.accept()
        c.send(c.recv(100))
        """
    )
    lines = wired.outcome(
        f"""
        import socket, time
        time.sleep(1)
        start = time.ticks_us()
        s = socket.socket()
        s.connect(("{SERVER}", 80))
        connected = time.ticks_us()
        s.send("hello")
        print(s.recv(100), connected - start, time.ticks_us() - connected)
        """
    )
    answer, *times = lines[0].rsplit(" ", 2)
    assert answer == "b'hello'"
    assert [round(int(text) / LATENCY_US) for text in times] == [2, 2]
    assert wired.lab.network._waiter is None


def test_one_that_does_not_wait_may_ask_early(wired):
    wired.board(
        "import socket\np = socket.socket()\np.bind(('', 80))\np.listen(1)\nc, a = p.accept()\nc.send(c.recv(9))"
    )
    lines = wired.outcome(
        f"""
        import socket
        time.sleep(1)
        s = socket.socket()
        s.setblocking(False)
        try:
            s.connect(("{SERVER}", 80))
        except OSError as error:
            print(error)
        print(s.read(1), s.write("x"))
        time.sleep_ms(20)
        print(s.write("x"))
        time.sleep_ms(20)
        print(s.read(9))
        """
    )
    assert lines == ["[Errno 119] EINPROGRESS", "None None", "1", "b'x'"]


def test_one_seed_one_trace(make_wired):
    def trace():
        wired = make_wired(seed=4)
        wired.board("import socket\nu = socket.socket(2, 2)\nu.bind(('', 9))\nwhile True: print(u.recvfrom(9))")
        wired.outcome(
            "import socket, time\nu = socket.socket(2, 2)\n"
            f"for n in range(20):\n    u.sendto(str(n), ('{SERVER}', 9))\n    time.sleep_ms(n)\n"
        )
        wired.lab.run(for_ms=100)
        return wired.lab.now_us, wired.lab.boards[0].output, wired.lab.transmissions

    assert trace() == trace()


@pytest.mark.parametrize(
    ("address", "heard"),
    [
        ("255.255.255.255", [True, True]),
        ("192.168.1.255", [True, True]),
        ("192.168.1.3", [True, False]),
        ("239.1.2.3", [False, True]),
        ("224.9.9.9", [False, False]),
    ],
)
def test_datagrams_reach_whom_they_are_for(wired, address, heard):
    sender = wired.board(f"import socket, time\ntime.sleep(2)\nsocket.socket(2, 2).sendto(b'x', ('{address}', 7))")
    source = """
        import socket, time
        time.sleep_ms({wait})
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("", 7))
        if {member}:
            group = socket.inet_pton(2, "239.1.2.3") + socket.inet_pton(2, "0.0.0.0")
            u.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        u.settimeout(5)
        try:
            print(u.recvfrom(10)[0])
        except OSError:
            print("nothing")
        """
    receivers = [wired.board(source.format(wait=0, member=member)) for member in (False, True)]
    wired.run(sender, *receivers)
    assert [board.lines == ["b'x'"] for board in receivers] == heard


def test_only_six_datagrams_wait(wired):
    receiver = wired.board(
        """
        import socket, time
        u = socket.socket(2, 2)
        u.bind(("", 7))
        time.sleep(3)
        u.setblocking(False)
        try:
            while True:
                print(u.recv(10))
        except OSError as error:
            print(error)
        """
    )
    wired.outcome(
        f"import socket\nu = socket.socket(2, 2)\nu.connect(('{SERVER}', 7))\nfor n in range(9):\n    u.send(str(n))\n"
    )
    wired.run(receiver)
    assert receiver.lines == [*(f"b'{n}'" for n in range(6)), "[Errno 11] EAGAIN"]


def test_an_own_access_point_is_a_network(wired):
    server = wired.board(
        """
        import network, socket
        ap = network.WLAN(network.WLAN.IF_AP)
        ap.config(ssid="mine")
        ap.active(True)
        port = socket.socket()
        port.bind(("", 80))
        port.listen(1)
        c, a = port.accept()
        print(c.readline(), a[0])
        c.write("HTTP/1.0 200 OK\\r\\n\\r\\nhello")
        c.close()
        """,
        join=False,
    )
    client = wired.board(
        """
        import network, time
        sta = network.WLAN(network.WLAN.IF_STA)
        sta.active(True)
        sta.connect("mine")
        while not sta.isconnected():
            time.sleep_ms(20)
        import requests, socket
        print(requests.get("http://192.168.4.1/").text)
        try:
            socket.socket().connect(("127.0.0.1", 9))
        except OSError as error:
            print(error)
        """,
        join=False,
    )
    wired.run(server, client)
    assert server.lines == ["b'GET / HTTP/1.1\\r\\n' 192.168.4.2"]
    assert client.lines == ["hello", "[Errno 118] EHOSTUNREACH"]


def test_one_that_leaves_its_network_waits_and_goes_on(wired):
    server = wired.board(
        """
        import socket
        port = socket.socket()
        port.bind(("", 80))
        port.listen(1)
        c, a = port.accept()
        time.sleep(0.5)
        c.send("sent meanwhile")
        print(c.recv(10))
        """
    )
    client = wired.board(
        f"""
        import socket
        time.sleep(1)
        s = socket.socket()
        s.connect(("{SERVER}", 80))
        sta.disconnect()
        try:
            s.send("x")
        except OSError as error:
            print(error)
        s.settimeout(2)
        try:
            print(s.recv(20))
        except OSError as error:
            print(error)
        sta.connect("home", "password")
        while not sta.isconnected():
            time.sleep_ms(20)
        s.send("again")
        print(s.recv(20))
        """
    )
    wired.run(server, client)
    assert client.lines == ["[Errno 118] EHOSTUNREACH", "[Errno 116] ETIMEDOUT", "b'sent meanwhile'"]
    assert server.lines == ["b'again'"]


def test_one_that_stays_away_is_given_up(wired):
    server = wired.board(
        """
        import socket
        port = socket.socket()
        port.bind(("", 80))
        port.listen(1)
        c, a = port.accept()
        time.sleep(1)
        start = time.time()
        c.send("lost")
        try:
            c.recv(10)
        except OSError as error:
            print(error, 17 <= time.time() - start <= 20)
        """
    )
    wired.board(f"import socket\ntime.sleep(1)\ns = socket.socket()\ns.connect(('{SERVER}', 80))\nsta.active(False)")
    wired.run(server)
    assert server.lines == ["[Errno 113] ECONNABORTED True"]


@pytest.mark.parametrize(
    ("act", "starts", "told"),
    [
        ("soft_reset", 2, "[Errno 104] ECONNRESET"),
        ("reset", 2, "[Errno 104] ECONNRESET"),
        ("power_off", 1, "[Errno 113] ECONNABORTED"),  # nobody is there to answer
    ],
)
def test_a_restart_takes_the_sockets_along(wired, act, starts, told):
    server = wired.board(
        """
        import socket
        port = socket.socket()
        port.bind(("", 80))
        port.listen(1)
        print("up")
        while True:
            c, a = port.accept()
            time.sleep(9)
        """
    )
    client = wired.board(
        f"""
        import socket
        time.sleep(1)
        s = socket.socket()
        s.connect(("{SERVER}", 80))
        print("connected")
        time.sleep(6)
        try:
            while True:
                s.send("x")
                time.sleep_ms(100)
        except OSError as error:
            print(error)
        """
    )
    wired.lab.run_until(lambda: "connected" in client.output)
    getattr(server, act)()
    wired.run(client)
    assert server.lines == ["up"] * starts
    assert client.lines == ["connected", told]


# To servers of the computer.


def test_a_stream_to_the_computer(wired, echo):
    lines = wired.outcome(
        f"""
        import socket
        with socket.socket() as s:
            s.connect(socket.getaddrinfo("localhost", {echo})[0][-1])
            print(s.write("text"), s.write(b"abcdef", 3), s.write(b"abcdef\\n", 3, 4))
            f = s.makefile("rwb", 0)
            print(f is s, s.read(4), s.readline())
            buffer = bytearray(8)
            s.sendall(bytes(range(5)))
            print(s.readinto(buffer, 2), s.recv_into(buffer), buffer, s.recvfrom(0))
            s.sendall(bytes(100_000))
            print(len(s.read(100_000)))
        """
    )
    assert lines == [
        "4 3 4",
        r"True b'text' b'abcdef\n'",
        rf"2 3 bytearray(b'\x02\x03\x04\x00\x00\x00\x00\x00') (b'', ('127.0.0.1', {echo}))",
        "100000",
    ]


def test_the_computer_refuses(wired):
    lines = wired.outcome(
        f"""
        import socket
        try:
            socket.socket().connect(("127.0.0.1", {free_port()}))
        except OSError as error:
            print(error)
        """
    )
    assert lines == ["[Errno 111] ECONNREFUSED"]


def test_the_end_of_the_computers_stream(wired, serve):
    port = serve(Threading(("127.0.0.1", 0), Silent)).server_address[1]
    lines = wired.outcome(
        f"""
        import socket
        s = socket.socket()
        s.connect(("127.0.0.1", {port}))
        s.send("go")
        print(s.recv(10), s.recv(10), s.read(), s.readline())
        """
    )
    assert lines == ["b'' b'' b'' b''"]


def test_datagrams_to_the_computer(wired, serve):
    port = serve(socketserver.UDPServer(("127.0.0.1", 0), UdpEcho)).server_address[1]
    lines = wired.outcome(
        f"""
        import socket
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.settimeout(5)
        u.sendto("abc", ("127.0.0.1", {port}))
        print(u.recvfrom(10))
        """
    )
    assert lines == [f"(b'cba', ('127.0.0.1', {port}))"]


def test_who_waits_for_the_computer_keeps_the_pace_and_others_go_on(wired, serve):
    port = serve(Threading(("127.0.0.1", 0), Silent)).server_address[1]
    other = wired.board("while True:\n    time.sleep_ms(10)\n    print(time.ticks_ms())")
    waiting = wired.board(
        f"""
        import socket
        s = socket.socket()
        s.connect(("127.0.0.1", {port}))
        s.settimeout(0.1)
        start = time.ticks_ms()
        print("begin")
        try:
            s.recv(10)
        except OSError as error:
            print(error, time.ticks_ms() - start)
        """
    )
    assert wired.lab.run_until(lambda: "begin" in waiting.output)
    before, wall_s = len(other.lines), time.monotonic()
    wired.run(waiting)
    assert waiting.lines == ["begin", "[Errno 116] ETIMEDOUT 100"]
    assert time.monotonic() - wall_s > 0.08
    assert len(other.lines) - before in (9, 10, 11)


def test_who_only_looked_costs_nothing_later(wired, serve):
    port = serve(Threading(("127.0.0.1", 0), Silent)).server_address[1]
    board = wired.board(
        f"""
        import socket
        s = socket.socket()
        s.connect(("127.0.0.1", {port}))
        s.setblocking(False)
        print(s.read(1))
        time.sleep(600)
        """
    )
    wall_s = time.monotonic()
    wired.run(board, timeout_ms=700_000)
    assert board.lines == ["None"]
    assert time.monotonic() - wall_s < 10


def test_polling_a_stream_of_the_computer(wired, echo):
    lines = wired.outcome(
        f"""
        import select, socket
        s = socket.socket()
        s.connect(("127.0.0.1", {echo}))
        poll = select.poll()
        poll.register(s, select.POLLIN)
        print(poll.poll(20))
        s.send("x")
        print(poll.poll(5000) == [(s, select.POLLIN)], s.recv(9))
        poll.modify(s, select.POLLIN | select.POLLOUT)
        print(poll.poll(20) == [(s, select.POLLOUT)])
        s.close()
        print(poll.poll(20) == [(s, 32)])
        """
    )
    assert lines == ["[]", "True b'x'", "True", "True"]


def test_a_callback_for_what_arrives(wired, echo):
    lines = wired.outcome(
        f"""
        import socket
        s = socket.socket()
        s.connect(("127.0.0.1", {echo}))
        got = []
        s.setsockopt(socket.SOL_SOCKET, 20, lambda s: got.append(s.recv(10)))
        s.send("x")
        while not got:
            time.sleep_ms(1)
        s.setsockopt(socket.SOL_SOCKET, 20, None)
        print(got, s.setsockopt(6, 99, 1))
        """
    )
    assert lines == ["Warning: lwip.setsockopt() option not implemented", "[b'x'] None"]


def test_one_poll_for_radio_and_socket(wired):
    gateway = wired.board(
        """
        import espnow, select, socket
        sta.config(pm=sta.PM_NONE)
        e = espnow.ESPNow()
        e.active(True)
        port = socket.socket()
        port.bind(("", 80))
        port.listen(1)
        poll = select.poll()
        poll.register(e, select.POLLIN)
        poll.register(port, select.POLLIN)
        for turn in range(2):
            for ready, _ in poll.poll():
                if ready is e:
                    print(e.recv()[1])
                else:
                    c, _ = port.accept()
                    print(c.readline())
        """
    )
    wired.run(
        wired.board(f"import socket\ntime.sleep(1)\ns = socket.socket()\ns.connect(('{SERVER}', 80))\ns.send('web\\n')")
    )
    sender = wired.board(
        f"""
        import espnow, network
        network.WLAN(0).active(True)
        e = espnow.ESPNow()
        e.active(True)
        e.add_peer({gateway.mac!r})
        print(e.send({gateway.mac!r}, "radio"))
        """,
        join=False,
    )
    wired.run(sender, gateway)
    assert gateway.lines == [r"b'web\n'", "b'radio'"]


def test_names_of_a_program_may_mean_others(wired, echo):
    wired.lab.network.hosts.update({"broker.example": f"127.0.0.1:{echo}", "10.1.2.3:99": f"localhost:{echo}"})
    lines = wired.outcome(
        """
        import socket
        for address in (socket.getaddrinfo("broker.example", 1883)[0][-1], ("10.1.2.3", 99)):
            s = socket.socket()
            s.connect(address)
            s.send("x")
            print(s.recv(1))
        """
    )
    assert lines == ["b'x'", "b'x'"]


def test_the_computer_is_asked_for_names_and_the_board_waits(wired, echo, monkeypatch):
    answered = threading.Event()

    def look_up(host, *_):
        answered.wait(5)
        return [(2, 1, 6, "", ("127.0.0.1", 0))] if host == "known.example" else []

    monkeypatch.setattr(host_socket, "getaddrinfo", look_up)
    board = wired.board(
        f"""
        import socket
        print("asking")
        s = socket.socket()
        s.connect(("known.example", {echo}))
        s.send("x")
        print(s.recv(1))
        try:
            socket.getaddrinfo("unknown.example", 1)
        except OSError as error:
            print(error.errno)
        """
    )
    other = wired.board("while True:\n    time.sleep_ms(10)\n    print('on')")
    assert wired.lab.run_until(lambda: "asking" in board.output and other.lines)
    wired.lab.run(for_ms=50)
    assert board.lines == ["asking"]
    assert len(other.lines) >= 5
    answered.set()
    wired.run(board)
    assert board.lines == ["asking", "b'x'", "-202"]


def test_boards_have_names_of_their_own(wired):
    wired.board("network.hostname('lamp')\nimport socket\nsocket.socket().bind(('', 1))")
    lines = wired.outcome("import socket\ntime.sleep(1)\nprint(socket.getaddrinfo('lamp.local', 1)[0][-1])")
    assert lines == [f"('{SERVER}', 1)"]


SERVER_SOURCE = """
    import socket
    s = socket.socket()
    s.bind(("", 80))
    s.listen(1)
    u = socket.socket(2, 2)
    u.bind(("", 5683))
    c, a = s.accept()
    c.send(c.recv(10) + b" too")
    d, a = u.recvfrom(10)
    u.sendto(d[::-1], a)
    c.recv(1)
    """


def test_a_server_for_the_computer(make_wired):
    wired = make_wired(expose=True)
    board = wired.board(SERVER_SOURCE)
    assert wired.lab.run_until(lambda: len(board.network.ports) == 2, timeout_ms=10_000)
    with (
        host_socket.create_connection(("127.0.0.1", board.network.ports[80])) as stream,
        host_socket.socket(host_socket.AF_INET, host_socket.SOCK_DGRAM) as port,
    ):
        stream.sendall(b"me")
        port.sendto(b"abc", ("127.0.0.1", board.network.ports[5683]))
        answers = []

        def listen():
            answers.extend((stream.recv(10), port.recv(10)))
            stream.shutdown(host_socket.SHUT_WR)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        wired.run(board)
        thread.join(5)
    assert answers == [b"me too", b"cba"]


def test_nothing_listens_on_the_computer_by_default(wired):
    board = wired.board(SERVER_SOURCE)
    wired.lab.run(for_ms=5_000)
    assert board.network.ports == {}
    assert wired.lab.network._waiter is None


def test_sockets_of_the_computer_are_closed_with_the_lab(wired):
    ended = threading.Event()
    with host_socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        board = wired.board(
            f"import socket\ns = socket.socket()\ns.connect(('127.0.0.1', {port}))\nprint(1)\ns.recv(1)"
        )
        assert wired.lab.run_until(lambda: board.output, timeout_ms=10_000)
        connection, _ = server.accept()
        with connection:
            wired.lab.close()
            connection.settimeout(5)
            assert connection.recv(1) == b""
    assert not ended.is_set()


# asyncio.


def test_asyncio_among_boards(wired):
    server = wired.board(
        """
        import asyncio
        async def serve(reader, writer):
            while line := await reader.readline():
                writer.write(line.upper())
                await writer.drain()
            writer.close()
            await writer.wait_closed()
            print(writer.get_extra_info("peername")[0])
        async def main():
            async with await asyncio.start_server(serve, "0.0.0.0", 80):
                await asyncio.sleep(6)
        asyncio.run(main())
        """
    )
    client = wired.board(
        f"""
        import asyncio
        async def ask(text):
            reader, writer = await asyncio.open_connection("{SERVER}", 80)
            async with writer:
                writer.write(text + "\\n")
                await writer.drain()
                return await reader.readline()
        async def main():
            await asyncio.sleep(2)
            print(await asyncio.gather(ask("one"), ask("two")))
            await asyncio.sleep(6)
            try:
                await asyncio.open_connection("{SERVER}", 80)
                print("made")
            except OSError as error:
                print(error)
        asyncio.run(main())
        """
    )
    wired.run(server, client)
    assert client.lines == [r"[b'ONE\n', b'TWO\n']", "[Errno 111] ECONNREFUSED"]
    assert server.lines == ["192.168.1.3"] * 2


def test_a_server_as_a_task_of_the_loop(wired):
    server = wired.board(
        """
        import uasyncio as asyncio
        async def serve(reader, writer):
            await writer.awrite(await reader.readexactly(3))
            await writer.aclose()
        loop = asyncio.get_event_loop()
        loop.create_task(asyncio.start_server(serve, "0.0.0.0", 80))
        loop.run_forever()
        """
    )
    client = f"time.sleep(1)\nimport socket\ns = socket.socket()\ns.connect(('{SERVER}', 80))\ns.send('abcd')\n"
    assert wired.outcome(client + "print(s.read())") == ["b'abc'"]
    assert server.error is None


def test_asyncio_to_the_computer(wired, echo):
    lines = wired.outcome(
        f"""
        import asyncio
        ticks = 0
        async def tick():
            global ticks
            while True:
                ticks += 1
                await asyncio.sleep_ms(1)
        async def main():
            asyncio.create_task(tick())
            reader, writer = await asyncio.open_connection("127.0.0.1", {echo})
            try:
                await asyncio.wait_for_ms(reader.read(1), 30)
            except asyncio.TimeoutError:
                print("nothing", ticks > 20)
            writer.write(bytes(20_000))
            await writer.drain()
            print(len(await reader.readexactly(20_000)))
        asyncio.run(main())
        """
    )
    assert lines == ["nothing True", "20000"]


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return the files of a certificate for localhost that signs itself, and of its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2120, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def tls_echo(serve, certificate):
    context = host_ssl.SSLContext(host_ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    class TlsEcho(Echo):
        def setup(self):
            self.request = context.wrap_socket(self.request, server_side=True)

        def finish(self):
            self.request.close()

    return serve(Threading(("127.0.0.1", 0), TlsEcho)).server_address[1]


def test_tls_to_the_computer(wired, tls_echo, certificate):
    lines = wired.outcome(
        f"""
        import socket, ssl
        CERTIFICATE = {certificate[0].read_bytes()!r}
        def connect():
            s = socket.socket()
            s.settimeout(5)
            s.connect(("127.0.0.1", {tls_echo}))
            return s
        s = ssl.wrap_socket(connect())
        s.write("hello\\n")
        print(s.readline())
        s.write(bytes(50_000))
        print(len(s.read(50_000)))
        s.close()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        s = context.wrap_socket(connect(), False, True, "other.example")
        s.write("y")
        print(context.verify_mode, s.read(1))
        context.verify_mode = ssl.CERT_REQUIRED
        for name in ("localhost", None):
            try:
                context.wrap_socket(connect(), server_hostname=name)
            except OSError as error:
                print(error.errno)
        with open("ca.pem", "wb") as file:
            file.write(CERTIFICATE)
        context.load_verify_locations("ca.pem")
        s = context.wrap_socket(connect(), server_hostname="localhost")
        s.write("x")
        print(s.read(1))
        try:
            context.wrap_socket(connect(), server_hostname="other.example")
        except OSError as error:
            print(error.errno)
        import tls
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        try:
            context.wrap_socket(connect(), server_hostname="localhost")
        except OSError as error:
            print(error.errno)
        context.load_verify_locations(CERTIFICATE)
        s = context.wrap_socket(connect(), server_hostname="localhost")
        s.write("z")
        print(s.read(1))
        """
    )
    assert lines == [r"b'hello\n'", "50000", "0 b'y'", "-9984", "-9984", "b'x'", "-9984", "-9984", "b'z'"]


def test_tls_of_asyncio_among_boards(wired, certificate):
    server = wired.board(
        f"""
        import asyncio, ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certfile={certificate[0].read_bytes()!r}, keyfile={certificate[1].read_bytes()!r})
        async def serve(reader, writer):
            writer.write((await reader.readline()).upper())
            await writer.drain()
            await writer.wait_closed()
        async def main():
            await asyncio.start_server(serve, "0.0.0.0", 443, ssl=context)
            await asyncio.sleep(5)
        asyncio.run(main())
        """
    )
    client = wired.board(
        f"""
        import asyncio
        async def main():
            await asyncio.sleep(2)
            reader, writer = await asyncio.open_connection("{SERVER}", 443, ssl=True)
            writer.write("hello\\n")
            await writer.drain()
            print(await reader.read())
        asyncio.run(main())
        """
    )
    wired.run(server, client)
    assert client.lines == [r"b'HELLO\n'"]
    assert wired.lab.network._waiter is None


def test_the_other_side_of_tls_speaks_something_else(wired, echo):
    lines = wired.outcome(
        f"""
        import socket, ssl
        s = socket.socket()
        s.connect(("127.0.0.1", {echo}))
        try:
            ssl.wrap_socket(s)
        except OSError as error:
            print(error.errno)
        """
    )
    assert lines == ["-30592"]

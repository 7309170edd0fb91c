"""HTTP and network time over the board's sockets, against servers in the test's own threads."""

import http.server
import json
import socketserver
import struct

import pytest


class Site(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked; some paths answer in a special way."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status=200, headers=(), body=None):
        if body is None:
            length = int(self.headers.get("Content-Length", 0))
            sent = self.rfile.read(length) if length else self.read_chunks()
            asked = {name.lower(): value for name, value in self.headers.items()}
            body = json.dumps([self.command, self.path, asked, sent.decode()]).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read_chunks(self):
        whole = b""
        while self.headers.get("Transfer-Encoding") == "chunked":
            length = int(self.rfile.readline(), 16)
            whole += self.rfile.read(length)
            self.rfile.readline()
            if not length:
                break
        return whole

    def do(self):
        if self.path.startswith("/to/"):
            status = int(self.path[4:])
            self.answer(status, [("Location", "/arrived")], b"")
        elif self.path == "/round":
            self.answer(302, [("Location", "/round")], b"")
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in (b"one ", b"two ", bytes(9000)):
                self.wfile.write(b"%x;note=1\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\nTrailer: x\r\n\r\n")
        elif self.path == "/missing":
            self.answer(404, [], b"no such thing")
        elif self.path == "/nothing":
            self.send_response(204)
            self.end_headers()
        elif self.path == "/open":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"to the end")
            self.close_connection = True
        else:
            self.answer(200, [("X-Word", "a: b")])

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


@pytest.fixture
def url(serve):
    return f"http://127.0.0.1:{serve(Quiet(('127.0.0.1', 0), Site)).server_port}"


def ask(wired, url, *statements):
    """Run statements on a board, in which URL is the server's."""
    return wired.outcome("\n".join(["import requests, json", f"URL = {url!r}", *statements]))


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_methods(wired, url, method):
    (line,) = ask(wired, url, f"r = requests.{method}(URL + '/a/b?c=d#e')", "print(r.text)")
    command, path, headers, body = json.loads(line)
    assert (command, path, body) == (method.upper(), "/a/b?c=d", "")
    assert headers["host"] == url.removeprefix("http://")
    assert headers["connection"] == "close"


BODIES = [
    ("data='text'", "text", {"content-length": "4"}),
    ("data=b'bytes'", "bytes", {"content-length": "5"}),
    ("data=bytearray(b'x')", "x", {"content-length": "1"}),
    ("data=iter(['one', b'two'])", "onetwo", {"transfer-encoding": "chunked"}),
    ("json={'a': [1, None, b'b']}", '{"a": [1, null, "b"]}', {"content-type": "application/json"}),
    ("json=[], headers={'content-type': 'x/y'}", "[]", {"content-type": "x/y"}),
    ("headers={'X-A': 'b', 'Host': 'c', b'X-D': b'e'}", "", {"x-a": "b", "host": "c", "x-d": "e"}),
    ("auth=('me', 'secret')", "", {"authorization": "Basic bWU6c2VjcmV0"}),
    ("timeout=5, stream=True", "", {}),
]


@pytest.mark.parametrize(("arguments", "body", "headers"), BODIES)
def test_what_is_sent(wired, url, arguments, body, headers):
    (line,) = ask(wired, url, f"r = requests.request('POST', URL, {arguments})", "print(r.text)")
    _, path, asked, sent = json.loads(line)
    assert (path, sent) == ("/", body)
    assert headers.items() <= asked.items()


def test_what_a_response_has(wired, url):
    lines = ask(
        wired,
        url,
        "with requests.get(URL + '/x') as r:",
        "    print(r.status_code, r.reason, r.encoding, r.headers['X-Word'], r.json()[1], r.raw)",
        "r = requests.get(URL + '/missing')",
        "print(r.status_code, r.text, r.content)",
        "r.close()",
        "print(requests.get(URL + '/nothing').content, requests.head(URL).content)",
        "print(requests.get(URL + '/open').text, requests.get(URL + '/x', parse_headers=False).headers)",
    )
    assert lines == [
        "200 b'OK' utf-8 a: b /x None",
        "404 no such thing b'no such thing'",
        "b'' b''",
        "to the end {}",
    ]


def test_a_body_in_chunks(wired, url):
    lines = ask(
        wired,
        url,
        "print(requests.get(URL + '/chunked').content == b'one two ' + bytes(9000))",
        "r = requests.get(URL + '/chunked', stream=True)",
        "buffer = bytearray(3)",
        "print(r.raw.read(2), r.raw.readinto(buffer), buffer, len(r.raw.read()), r.raw.read(5))",
    )
    assert lines == ["True", "b'on' 3 bytearray(b'e t') 9003 b''"]


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(301, "GET", ""), (302, "GET", ""), (303, "GET", ""), (307, "POST", "x"), (308, "POST", "x")],
)
def test_redirections(wired, url, status, method, body):
    (line,) = ask(wired, url, f"print(requests.post(URL + '/to/{status}', data='x').text)")
    assert json.loads(line)[:2] == [method, "/arrived"]
    assert json.loads(line)[3] == body


REFUSALS = [
    ("requests.get(URL + '/round')", "ValueError Too many redirects"),
    ("requests.get('ftp://x/y')", "ValueError Unsupported protocol: ftp:"),
    ("requests.get('http://127.0.0.1:1/')", "OSError [Errno 111] ECONNREFUSED"),
    ("requests.get('http://no..host/')", "OSError -202"),
    ("requests.get(URL, headers={'X-A': 5})", "TypeError object with buffer protocol required"),
    ("requests.post(URL, data=5)", "TypeError object with buffer protocol required"),
    ("requests.post(URL, data=iter([5]))", "TypeError object with buffer protocol required"),
]


@pytest.mark.parametrize(("call", "error"), REFUSALS)
def test_what_fails(wired, url, call, error):
    lines = ask(wired, url, "try:", f"    {call}", "except Exception as e:", "    print(type(e).__name__, e)")
    assert lines == [error]


class Garbage(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1000)
        self.request.sendall(b"hello\r\n\r\n")


def test_what_is_no_http(wired, serve):
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    port = serve(Server(("127.0.0.1", 0), Garbage)).server_address[1]
    lines = ask(
        wired, f"http://127.0.0.1:{port}", "try:", "    requests.get(URL)", "except ValueError as e:", "    print(e)"
    )
    assert lines == ["HTTP error: BadStatusLine:", "[b'hello']"]


def test_without_a_network(wired):
    board = wired.board(
        """
        import urequests
        try:
            urequests.get("http://example.com/")
        except OSError as error:
            print(error.errno)
        """,
        join=False,
    )
    wired.run(board)
    assert board.lines == ["-202"]


def test_a_programs_own_file_wins(tmp_path, make_wired):
    (tmp_path / "requests.py").write_text("mine = True\n")
    (tmp_path / "main.py").write_text("import requests, urequests\nprint(requests.mine, hasattr(urequests, 'mine'))\n")
    lab = make_wired().lab
    board = lab.board(tmp_path / "main.py")
    lab.run()
    assert board.lines == ["True False"]


def test_mip_refuses(wired):
    board = wired.board(
        "import mip\ntry:\n    mip.install('aioble')\nexcept RuntimeError as e:\n    print(e)", join=False
    )
    wired.run(board)
    assert board.lines == ["mip installs nothing in a lab: put the files of 'aioble' beside the program"]


# Network time.

#: Seconds of the protocol -> the same since 2000.
TIMES = [(3_913_056_000, 757_382_400), (0xFFFFFFFF, 1_139_293_695), (0, 1_139_293_696)]


def time_server(seconds):
    class TimeServer(socketserver.BaseRequestHandler):
        def handle(self):
            query, port = self.request
            assert query[0] == 0x23
            port.sendto(bytes(40) + struct.pack("!I", seconds) + bytes(4), self.client_address)

    return socketserver.UDPServer(("127.0.0.1", 0), TimeServer)


@pytest.mark.parametrize(("seconds", "since_2000"), TIMES)
def test_network_time(wired, serve, seconds, since_2000):
    port = serve(time_server(seconds)).server_address[1]
    wired.lab.network.hosts["pool.ntp.org:123"] = f"127.0.0.1:{port}"
    board = wired.board(
        """
        import ntptime
        ntptime.timeout = 5
        print(ntptime.host, ntptime.time())
        ntptime.settime()
        time.sleep(3)
        print(time.time())
        """
    )
    wired.run(board)
    assert board.lines == [f"pool.ntp.org {since_2000}", str(since_2000 + 3)]
    calendar_s = (board.hardware.power.calendar_us + wired.lab.now_us) / 1e6
    assert 3 <= calendar_s - since_2000 < 4


def test_no_network_time(wired):
    wired.router.internet = False
    assert wired.outcome("import ntptime\ntry:\n    ntptime.settime()\nexcept OSError as e:\n    print(e)") == [
        "[Errno 116] ETIMEDOUT"
    ]

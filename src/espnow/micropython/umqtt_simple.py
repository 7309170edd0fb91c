"""`umqtt.simple` of a board: MQTT 3.1.1 (OASIS standard) over the board's sockets.

Names, arguments and results are those of MicroPython's own client (micropython-lib, ``umqtt.simple``): quality of
service 0 and 1, ``check_msg`` that does not wait, ``wait_msg`` that does, OSError(-1) when the broker has gone,
MQTTException with the number that the broker gives. Its attributes have the same names, for programs reach for them.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

from espnow.api.base import buffer_bytes
from espnow.board import Board
from espnow.errors import BoardOSError
from espnow.micropython import BUILDERS
from espnow.micropython.services import Services

__all__ = ["Client", "MQTTException", "build"]

_CONNECT = 0x10
_CONNACK = 0x20
_PUBLISH = 0x30
_PUBACK = 0x40
_SUBSCRIBE = 0x82
_SUBACK = 0x90
_PINGREQ = 0xC0
_PINGRESP = 0xD0
_DISCONNECT = 0xE0

#: What a broker answers that refuses a subscription.
_REFUSED = 0x80

#: The largest length that four bytes of seven bits can tell is more; MicroPython's client stops here.
_MAX_LENGTH = 2_097_152


class MQTTException(Exception):
    """A broker refused something; the argument is its number."""


def _field(value: Any) -> bytes:
    """Return bytes or text with its length before it."""
    raw = buffer_bytes(value)
    return len(raw).to_bytes(2, "big") + raw


def _message(kind: int, body: bytes) -> bytes:
    """Return a control packet."""
    length, digits = len(body), bytearray()
    while True:
        length, digit = length >> 7, length & 0x7F
        digits.append(digit | 0x80 if length else digit)
        if not length:
            return bytes((kind, *digits)) + body


class Client:
    """A client of a broker. Each board has a class of its own, derived from this one."""

    _socket: ClassVar[Any]
    _ssl: ClassVar[Callable[[], Any]]

    def __init__(
        self,
        client_id: Any,
        server: str,
        port: int = 0,
        user: Any = None,
        password: Any = None,
        keepalive: int = 0,
        ssl: Any = None,
        ssl_params: dict[str, Any] | None = None,
    ) -> None:
        """Make a client that is not connected.

        Args:
            client_id: its name for the broker.
            server: name or address of the broker.
            port: 0 for 1883, or 8883 with TLS.
            user: name, or None.
            password: of the user.
            keepalive: the broker may drop it after one and a half times so many seconds of silence; 0 never.
            ssl: a context, or anything true.
            ssl_params: arguments of ``ssl.wrap_socket`` if `ssl` is no context.
        """
        self.client_id = client_id
        self.sock: Any = None
        self.server = server
        self.port = port or (8883 if ssl else 1883)
        self.ssl = ssl
        self.ssl_params = ssl_params or {}
        self.pid = 0
        self.cb: Callable[[bytes, bytes], object] | None = None
        self.user = user
        self.pswd = password
        self.keepalive = keepalive
        self.lw_topic: Any = None
        self.lw_msg: Any = None
        self.lw_qos = 0
        self.lw_retain = False

    def set_callback(self, f: Callable[[bytes, bytes], object]) -> None:
        """Let ``f(topic, msg)`` be called for what arrives."""
        self.cb = f

    def set_last_will(self, topic: Any, msg: Any, retain: object = False, qos: int = 0) -> None:
        """Let the broker publish this when the client vanishes; for the next `connect`."""
        assert 0 <= qos <= 2
        assert topic
        self.lw_topic = topic
        self.lw_msg = msg
        self.lw_qos = qos
        self.lw_retain = bool(retain)

    def connect(self, clean_session: object = True, timeout: float | None = None) -> int:
        """Connect to the broker; return 1 if it remembers a session.

        Args:
            clean_session: let it forget what it remembers.
            timeout: seconds for each wait, until the connection is made.

        Raises:
            MQTTException: it refuses.
            OSError: it cannot be reached.
        """
        flags = 0x02 if clean_session else 0
        body = _field(self.client_id)
        if self.lw_topic:
            flags |= 0x04 | self.lw_qos << 3 | self.lw_retain << 5
            body += _field(self.lw_topic) + _field(self.lw_msg)
        if self.user:
            flags |= 0xC0
            body += _field(self.user) + _field(self.pswd or b"")
        assert self.keepalive < 65_536
        self._open(timeout)
        head = _field(b"MQTT") + bytes((4, flags)) + self.keepalive.to_bytes(2, "big")
        self.sock.write(_message(_CONNECT, head + body))
        answer = self._take(4)
        if answer[:2] != bytes((_CONNACK, 2)):
            raise MQTTException(answer)
        if answer[3]:
            raise MQTTException(answer[3])
        if timeout is not None:
            self.sock.setblocking(True)
        return answer[2] & 1

    def disconnect(self) -> None:
        """Leave the broker, which then keeps the last will to itself."""
        self.sock.write(bytes((_DISCONNECT, 0)))
        self.sock.close()

    def ping(self) -> None:
        """Tell the broker that the client is there; the answer is taken by `wait_msg` and `check_msg`."""
        self.sock.write(bytes((_PINGREQ, 0)))

    def publish(self, topic: Any, msg: Any, retain: object = False, qos: int = 0) -> None:
        """Send a message; with `qos` 1 wait until the broker has it.

        Raises:
            OSError: the connection is lost.
        """
        assert qos in (0, 1)
        number = self._next_number() if qos else b""
        body = _field(topic) + number + buffer_bytes(msg)
        assert len(body) < _MAX_LENGTH
        self.sock.write(_message(_PUBLISH | qos << 1 | bool(retain), body))
        while qos:
            if self.wait_msg() == _PUBACK and self._take(3)[1:] == number:
                return

    def subscribe(self, topic: Any, qos: int = 0) -> None:
        """Ask for messages of a topic, and wait until the broker agrees.

        Raises:
            MQTTException: it does not.
        """
        assert self.cb is not None, "Subscribe callback is not set"
        number = self._next_number()
        self.sock.write(_message(_SUBSCRIBE, number + _field(topic) + bytes((qos,))))
        while self.wait_msg() != _SUBACK:
            pass
        answer = self._take(4)
        assert answer[1:3] == number
        if answer[3] == _REFUSED:
            raise MQTTException(answer[3])

    def wait_msg(self) -> int | None:
        """Wait for one packet of the broker, and call back if it is a message.

        Returns:
            Its first byte; None for an answer to `ping`, or if there was nothing and the socket does not block.

        Raises:
            OSError: -1, the broker has closed the connection.
        """
        first = self.sock.read(1)
        self.sock.setblocking(True)
        if first is None:
            return None
        if not first:
            raise BoardOSError(-1)
        kind: int = first[0]
        if kind == _PINGRESP:
            self._take(1)
            return None
        if kind & 0xF0 != _PUBLISH:
            return kind
        body = self._take(self._take_length())
        begin = 2 + int.from_bytes(body[:2], "big")
        topic, number = body[2:begin], b""
        qos = kind >> 1 & 3
        if qos:
            number = body[begin : begin + 2]
            begin += 2
        assert self.cb is not None
        self.cb(topic, body[begin:])
        assert qos < 2
        if qos:
            self.sock.write(_message(_PUBACK, number))
        return kind

    def check_msg(self) -> int | None:
        """Do as `wait_msg` does, but do not wait for a packet."""
        self.sock.setblocking(False)
        return self.wait_msg()

    def _open(self, timeout: float | None) -> None:
        socket = self._socket
        if self.sock is not None:
            self.sock.close()
        self.sock = socket.socket()
        self.sock.settimeout(timeout)
        self.sock.connect(socket.getaddrinfo(self.server, self.port)[0][-1])
        if not self.ssl:
            return
        if hasattr(self.ssl, "wrap_socket"):
            self.sock = self.ssl.wrap_socket(self.sock, server_hostname=self.server)
        else:
            self.sock = type(self)._ssl().wrap_socket(self.sock, **self.ssl_params)

    def _next_number(self) -> bytes:
        self.pid = self.pid % 65_535 + 1
        return self.pid.to_bytes(2, "big")

    def _take(self, size: int) -> bytes:
        """Return exactly so many bytes.

        Raises:
            OSError: -1, the connection ended before.
        """
        part: bytes = self.sock.read(size) if size else b""
        if len(part) < size:
            raise BoardOSError(-1)
        return part

    def _take_length(self) -> int:
        length = shift = 0
        while True:
            digit = self._take(1)[0]
            length |= (digit & 0x7F) << shift
            if not digit & 0x80:
                return length
            shift += 7


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `umqtt.simple` of `board`."""
    cls = type(
        "MQTTClient",
        (Client,),
        {
            "_socket": BUILDERS["socket"](board, services),
            "_ssl": staticmethod(lambda: BUILDERS["ssl"](board, services)),
            "__module__": "umqtt.simple",
            "__doc__": Client.__doc__,
        },
    )
    module = ModuleType("umqtt.simple", "An MQTT client.")
    vars(module).update(MQTTClient=cls, MQTTException=MQTTException)
    return module

"""`ssl` of a board, over the TLS of the computer's Python (https://docs.micropython.org/en/latest/library/ssl.html).

Certificates are not checked unless a program asks for it with CERT_REQUIRED, and only against what it loaded: that,
names and arguments are those of micropython-lib's ``ssl.py``. A failed handshake is an OSError whose first argument is
a negative number, as mbedTLS gives one; which, is assumed. The TLS itself works on bytes: they cross the board's own
socket, so that it waits in the board's time. A TLS socket has all methods of a socket, of which a board's has only
those of a stream.
"""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from espnow.board import Board
from espnow.errors import BoardOSError, NetworkError
from espnow.micropython.flash import Flash
from espnow.micropython.services import Services
from espnow.micropython.socket import Socket
from espnow.micropython.transport import FAILED, READABLE, WRITABLE, Stream

__all__ = ["build"]

PROTOCOL_TLS_CLIENT = 0
PROTOCOL_TLS_SERVER = 1
CERT_NONE = 0
CERT_OPTIONAL = 1
CERT_REQUIRED = 2

#: MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, and of x509.h MBEDTLS_ERR_X509_CERT_VERIFY_FAILED.
_FATAL_ALERT = -0x7780
_VERIFY_FAILED = -0x2700

_RECORD = 16_384


class TlsStream:
    """A TLS connection over another (`espnow.micropython.transport.Stream`)."""

    def __init__(self, under: Stream, context: ssl.SSLContext, *, server: bool, host: str | None) -> None:
        """Begin; the handshake is made as bytes come and go.

        Args:
            under: the connection that carries it.
            context: of the host.
            server: this side answers.
            host: what the other side is called.
        """
        self._under = under
        self._arrived = ssl.MemoryBIO()
        self._leaving = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._leaving, server_side=server, server_hostname=host)
        self._rest = b""
        self._inbox = b""
        self._greeted = False
        self._ended = False

    def connected(self) -> bool:
        """Whether the handshake is done."""
        if not self._greeted and self._under.connected():
            self._greeted = self._attempt(self._tls.do_handshake) is not None
        return self._greeted

    def events(self, mask: int) -> int:
        """Return which events of `mask` hold."""
        try:
            if not self.connected():
                self._under.events(READABLE | (WRITABLE if self._rest else 0))
                return 0
            found = 0
            if mask & READABLE and self._fill():
                found |= READABLE
            if mask & WRITABLE and self._flush():
                found |= self._under.events(WRITABLE) & WRITABLE
        except (NetworkError, OSError):
            return FAILED | mask & (READABLE | WRITABLE)
        return found

    def receive(self, size: int) -> bytes | None:
        """Return what was deciphered."""
        if not self.connected() or not self._fill():
            return None
        part, self._inbox = self._inbox[:size], self._inbox[size:]
        return part

    def send(self, part: bytes) -> int | None:
        """Take a record."""
        if not self.connected() or not self._flush():
            return None
        taken: int | None = self._attempt(lambda: self._tls.write(part[:_RECORD]))
        return taken

    def close(self) -> None:
        """Say goodbye, and end the connection."""
        try:
            if self._greeted:
                self._attempt(self._tls.unwrap)
        except (NetworkError, OSError):
            pass
        self._under.close()

    def _fill(self) -> bool:
        """Decipher what there is; whether there is something to read, or the end."""
        if not self._inbox and not self._ended:
            part = self._attempt(lambda: self._tls.read(_RECORD))
            if part is not None:
                self._inbox = part
                self._ended = not part
        return bool(self._inbox) or self._ended

    def _attempt(self, step: Any) -> Any:
        """Return what a step of TLS returns; None if that needs bytes that have not come."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                part = self._under.receive(_RECORD)
                if part is None:
                    return None
                if part:
                    self._arrived.write(part)
                else:
                    self._arrived.write_eof()
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                if not self._greeted:
                    raise NetworkError("ECONNRESET") from None
                return b""
            except ssl.SSLCertVerificationError as error:
                self._flush()
                raise BoardOSError(
                    _VERIFY_FAILED, f"MBEDTLS_ERR_X509_CERT_VERIFY_FAILED: {error.verify_message}"
                ) from None
            except ssl.SSLError:
                self._flush()
                raise BoardOSError(_FATAL_ALERT, "MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE") from None
            self._flush()
            return True if result is None else result

    def _flush(self) -> bool:
        """Hand on what was enciphered; whether all of it went."""
        self._rest += self._leaving.read()
        while self._rest:
            sent = self._under.send(self._rest)
            if sent is None:
                return False
            self._rest = self._rest[sent:]
        return True


class SSLContext:
    """Settings of TLS connections. Each board has a class of its own, derived from this one, that knows its files.

    Attributes:
        verify_mode: CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED.
    """

    _flash: ClassVar[Flash]

    #: What a client does about certificates until it is told.
    _client_mode: ClassVar[int] = CERT_NONE

    def __init__(self, protocol: int = PROTOCOL_TLS_CLIENT, /) -> None:
        """Make settings for one of the two sides."""
        server = protocol == PROTOCOL_TLS_SERVER
        self._server = server
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self.verify_mode = CERT_NONE if server else self._client_mode

    def load_cert_chain(self, certfile: Any, keyfile: Any) -> None:
        """Load the own certificate and its key: bytes of DER or PEM, or names of files."""
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as folder:  # the host's TLS takes files only
            paths: list[str] = []
            for name, value in (("certificate", certfile), ("key", keyfile)):
                path = Path(folder) / name
                path.write_text(self._as_pem(value, "CERTIFICATE" if name == "certificate" else "PRIVATE KEY"))
                paths.append(str(path))
            self._context.load_cert_chain(paths[0], paths[1])

    def load_verify_locations(self, cafile: str | None = None, cadata: Any = None) -> None:
        """Load certificates of those who are trusted: bytes of DER or PEM, or the name of a file."""
        self._context.load_verify_locations(cadata=self._as_pem(cafile if cadata is None else cadata, "CERTIFICATE"))

    def wrap_socket(
        self,
        sock: Socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        server_hostname: str | None = None,
    ) -> Socket:
        """Return a TLS socket over a connected one."""
        context = self._context
        if self._server:
            context.verify_mode = ssl.CERT_NONE
        else:
            required = self.verify_mode == CERT_REQUIRED
            context.check_hostname = False
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_NONE
            context.check_hostname = required and server_hostname is not None
        under = sock._connected()
        stream = TlsStream(under, context, server=server_side or self._server, host=server_hostname)
        wrapped = type(sock)._wrap(stream, sock._peer)
        wrapped._timeout_us = sock._timeout_us
        if do_handshake_on_connect and wrapped._timeout_us != 0:
            wrapped._wait(lambda: stream.connected() or None)
        return wrapped

    def _as_pem(self, value: Any, kind: str) -> str:
        """Return a certificate or key as text, from bytes, text, or a file of the board."""
        if isinstance(value, str) and "-----" not in value:
            value = self._flash.read(self._flash.resolve(value))
        raw = value.encode() if isinstance(value, str) else bytes(value)
        if b"-----BEGIN" in raw:
            return raw.decode()
        return f"-----BEGIN {kind}-----\n{base64.encodebytes(raw).decode()}-----END {kind}-----\n"


def build(_board: Board, services: Services) -> ModuleType:
    """Return the module `ssl`."""
    cls = type("SSLContext", (SSLContext,), {"_flash": services.flash, "__module__": "ssl"})

    def wrap_socket(
        sock: Socket,
        server_side: bool = False,
        key: Any = None,
        cert: Any = None,
        cert_reqs: int = CERT_NONE,
        cadata: Any = None,
        server_hostname: str | None = None,
        do_handshake: bool = True,
        **files: Any,
    ) -> Socket:
        """Return a TLS socket over a connected one, with settings of its own.

        Args:
            sock: the connection.
            server_side: this side answers.
            key: the own private key.
            cert: the own certificate.
            cert_reqs: CERT_REQUIRED checks the other's certificate.
            cadata: certificates of those who are trusted.
            server_hostname: what the other side is called.
            do_handshake: wait for the handshake.
            **files: ``keyfile``, ``certfile`` and ``ca_certs``, the same as names of files.
        """
        context: SSLContext = cls(PROTOCOL_TLS_SERVER if server_side else PROTOCOL_TLS_CLIENT)
        context.verify_mode = cert_reqs
        key, cert, cadata = key or files.get("keyfile"), cert or files.get("certfile"), cadata or files.get("ca_certs")
        if cert is not None:
            context.load_cert_chain(cert, key)
        if cadata is not None:
            context.load_verify_locations(cadata=cadata)
        return context.wrap_socket(
            sock, server_side=server_side, do_handshake_on_connect=do_handshake, server_hostname=server_hostname
        )

    module = ModuleType("ssl", "TLS over sockets of a board.")
    vars(module).update(
        CERT_NONE=CERT_NONE,
        CERT_OPTIONAL=CERT_OPTIONAL,
        CERT_REQUIRED=CERT_REQUIRED,
        PROTOCOL_TLS_CLIENT=PROTOCOL_TLS_CLIENT,
        PROTOCOL_TLS_SERVER=PROTOCOL_TLS_SERVER,
        SSLContext=cls,
        wrap_socket=wrap_socket,
    )
    return module

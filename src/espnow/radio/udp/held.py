"""Datagrams in and out without letting go of Python's lock.

Python's sockets let go of it around each call, also around one that cannot wait. Where threads of the program compute,
getting it back takes a switch interval for each of them: a radio that reads a frame and answers it would wait twice
more. So on Linux the calls are made with the lock held: none of them waits.

Rules: no exception for "nothing there"; every other error is an OSError, as Python's sockets raise it. A closed socket
is an error, too, whoever has its number by then.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Receive", "Send", "receiver", "sender"]

Source = tuple[str, int]

#: Returns a datagram and where it came from, or None: none is there.
Receive = Callable[[], tuple[bytes, Source] | None]
#: Sends a datagram.
Send = Callable[[bytes, Source], object]

#: recv(2) and send(2): do not wait.
_DONTWAIT = 0x40

_SOCKADDR_IN = struct.Struct("=H2s4s8x")
_AF_INET = int(socket.AF_INET)

#: Addresses whose other form is remembered.
_REMEMBERED = 256


def receiver(opened: socket.socket, longest: int) -> Receive:
    """Return what reads datagrams from a socket that does not block.

    Args:
        opened: the socket, of UDP over IPv4.
        longest: of what is longer, so much is returned.
    """
    library = _library(opened)
    if library is None:
        return _plain_receiver(opened, longest)
    call = library.recvfrom
    fileno = opened.fileno
    datagram: Any = ctypes.create_string_buffer(longest)
    address = ctypes.create_string_buffer(_SOCKADDR_IN.size)
    # What is passed each time, made once; a reference keeps what it refers to.
    number, room, flags = ctypes.c_int(fileno()), ctypes.c_size_t(longest), ctypes.c_int(_DONTWAIT)
    into, whence = ctypes.byref(datagram), ctypes.byref(address)
    whence_length = ctypes.byref(ctypes.c_uint(_SOCKADDR_IN.size))
    sources: dict[bytes, Source] = {}

    def receive() -> tuple[bytes, Source] | None:
        if fileno() < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        count = call(number, into, room, flags, whence, whence_length)
        if count < 0:
            error = ctypes.get_errno()
            if error == errno.EAGAIN:
                return None
            raise OSError(error, os.strerror(error))
        raw = address.raw
        source = sources.get(raw)
        if source is None:
            if len(sources) >= _REMEMBERED:
                sources.clear()
            _, port, host = _SOCKADDR_IN.unpack(raw)
            source = sources[raw] = socket.inet_ntoa(host), int.from_bytes(port)
        return datagram[:count], source

    return receive


def sender(opened: socket.socket) -> Send:
    """Return what sends datagrams from a socket that does not block."""
    library = _library(opened)
    if library is None:
        return opened.sendto
    call = library.sendto
    fileno = opened.fileno
    number, flags, size = ctypes.c_int(fileno()), ctypes.c_int(_DONTWAIT), ctypes.c_uint(_SOCKADDR_IN.size)
    addresses: dict[Source, bytes] = {}

    def send(datagram: bytes, to: Source) -> None:
        address = addresses.get(to)
        if address is None:
            if len(addresses) >= _REMEMBERED:
                addresses.clear()
            host, port = to
            address = addresses[to] = _SOCKADDR_IN.pack(_AF_INET, port.to_bytes(2), socket.inet_aton(host))
        if fileno() < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if call(number, datagram, ctypes.c_size_t(len(datagram)), flags, address, size) < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    return send


def _plain_receiver(opened: socket.socket, longest: int) -> Receive:
    def receive() -> tuple[bytes, Source] | None:
        try:
            return opened.recvfrom(longest)
        except BlockingIOError:
            return None

    return receive


def _library(opened: socket.socket) -> ctypes.PyDLL | None:
    """Return the C library, whose calls keep the lock; None where it is not what this module knows."""
    if sys.platform != "linux" or not isinstance(opened, socket.socket):
        return None
    try:
        library = ctypes.PyDLL(None, use_errno=True)
        receive, send = library.recvfrom, library.sendto
    except (OSError, AttributeError):
        return None
    receive.restype = send.restype = ctypes.c_ssize_t
    return library

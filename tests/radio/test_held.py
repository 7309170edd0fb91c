"""Datagrams in and out without letting go of Python's lock, and with Python's own sockets where that cannot be."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys

import pytest

from espnow.radio.udp import held
from espnow.radio.udp.held import receiver, sender

LONGEST = 100

#: The calls of the C library are of Linux.
HELD = pytest.param("held", marks=pytest.mark.skipif(sys.platform != "linux", reason="calls of Linux"))


@pytest.fixture(params=[HELD, "plain"])
def way(request, monkeypatch):
    """How the calls are made."""
    if request.param == "plain":
        monkeypatch.setattr(held, "_library", lambda opened: None)
    return request.param


def udp():
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    opened.setblocking(False)
    return opened


@pytest.fixture
def here():
    with udp() as opened:
        yield opened


@pytest.fixture
def there():
    with udp() as opened:
        yield opened


# In.


def test_nothing_there_is_no_error(way, here):
    receive = receiver(here, LONGEST)
    assert receive() is None
    assert receive() is None


def test_datagrams_come_in_their_order_with_where_they_come_from(way, here, there):
    receive = receiver(here, LONGEST)
    with udp() as third:
        for opened, datagram in ((there, b"one"), (third, b"two"), (there, b"three")):
            opened.sendto(datagram, here.getsockname())
        assert [receive(), receive(), receive(), receive()] == [
            (b"one", there.getsockname()),
            (b"two", third.getsockname()),
            (b"three", there.getsockname()),
            None,
        ]


#: What is sent, and what of it is returned.
LENGTHS = {
    "empty": (b"", b""),
    "one byte": (b"x", b"x"),
    "zeros": (bytes(7), bytes(7)),
    "as long as may be": (b"y" * LONGEST, b"y" * LONGEST),
    "longer": (b"z" * (LONGEST + 1), b"z" * LONGEST),
    "much longer": (b"w" * 60_000, b"w" * LONGEST),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_a_datagram_comes_as_long_as_it_is_or_may_be(way, here, there, name):
    datagram, received = LENGTHS[name]
    receive = receiver(here, LONGEST)
    there.sendto(datagram, here.getsockname())
    there.sendto(b"next", here.getsockname())
    assert receive() == (received, there.getsockname())
    assert receive() == (b"next", there.getsockname())  # nothing of the one before is left


def test_what_was_received_is_the_callers(way, here, there):
    """The room for the next one is not that of the last one."""
    receive = receiver(here, LONGEST)
    there.sendto(b"first", here.getsockname())
    first = receive()
    there.sendto(b"other", here.getsockname())
    receive()
    assert first == (b"first", there.getsockname())
    assert type(first[0]) is bytes


def test_more_sources_than_are_remembered(way, here, monkeypatch):
    monkeypatch.setattr(held, "_REMEMBERED", 3)
    receive = receiver(here, LONGEST)
    opened = [udp() for _ in range(5)]
    try:
        for _ in range(2):
            for one in opened:
                one.sendto(b"x", here.getsockname())
                assert receive() == (b"x", one.getsockname())
    finally:
        for one in opened:
            one.close()


# Out.


def test_a_datagram_goes_where_it_is_to(way, here, there):
    send = sender(here)
    with udp() as third:
        for opened, datagram in ((there, b"one"), (third, b""), (there, b"\0two")):
            send(datagram, opened.getsockname())
            assert opened.recvfrom(LONGEST) == (datagram, here.getsockname())


def test_more_destinations_than_are_remembered(way, here, monkeypatch):
    monkeypatch.setattr(held, "_REMEMBERED", 3)
    send = sender(here)
    opened = [udp() for _ in range(5)]
    try:
        for _ in range(2):
            for number, one in enumerate(opened):
                send(b"%d" % number, one.getsockname())
                assert one.recv(LONGEST) == b"%d" % number
    finally:
        for one in opened:
            one.close()


@pytest.mark.skipif(sys.platform != "linux", reason="errors of Linux")
@pytest.mark.parametrize(
    ("datagram", "port", "error"), [(b"x", 0, errno.EINVAL), (bytes(70_000), 9, errno.EMSGSIZE)], ids=["port", "length"]
)
def test_what_the_computer_does_not_take_is_an_error(way, here, there, datagram, port, error):
    send = sender(here)
    with pytest.raises(OSError, match=r"\w") as caught:
        send(datagram, ("127.0.0.1", port))
    assert caught.value.errno == error
    assert caught.value.strerror == os.strerror(error)
    send(b"next", there.getsockname())
    assert there.recv(LONGEST) == b"next"


def test_what_is_no_address_is_an_error(way, here):
    with pytest.raises(OSError, match=r"\w"):
        sender(here)(b"x", ("256.0.0.1", 9))


# The end.


def test_a_closed_socket_is_an_error_whoever_has_its_number(way, here, there):
    """The number goes to the next one that is opened, with what waits for that one."""
    closed = udp()
    receive, send = receiver(closed, LONGEST), sender(closed)
    number = closed.fileno()
    closed.close()
    with udp() as other:
        assert other.fileno() == number
        there.sendto(b"for the other", other.getsockname())
        for call in (receive, lambda: send(b"x", here.getsockname())):
            with pytest.raises(OSError, match=r"\w") as caught:
                call()
            assert caught.value.errno == errno.EBADF
        assert other.recv(LONGEST) == b"for the other"
    with pytest.raises(BlockingIOError):
        here.recv(LONGEST)


# Which way it is.


@pytest.mark.skipif(sys.platform != "linux", reason="calls of Linux")
def test_on_linux_the_lock_is_held(here):
    """`ctypes.PyDLL` keeps it."""
    assert isinstance(held._library(here), ctypes.PyDLL)


@pytest.mark.skipif(sys.platform != "linux", reason="calls of Linux")
def test_nothing_waits_even_where_the_socket_would(here):
    here.setblocking(True)
    assert receiver(here, LONGEST)() is None


class NoSymbols:
    def __getattr__(self, name):
        raise AttributeError(name)


@pytest.mark.parametrize("name", ["another system", "no library", "a library without these calls", "no socket"])
def test_where_it_is_not_known_pythons_sockets_are_used(here, there, monkeypatch, name):
    opened = here
    if name == "another system":
        monkeypatch.setattr(held.sys, "platform", "plan9")
    elif name == "no library":
        monkeypatch.setattr(held.ctypes, "PyDLL", refuse)
    elif name == "a library without these calls":
        monkeypatch.setattr(held.ctypes, "PyDLL", lambda *_, **__: NoSymbols())
    else:
        opened = Wrapped(here)
    receive, send = receiver(opened, LONGEST), sender(opened)
    assert receive() is None
    there.sendto(b"in", here.getsockname())
    assert receive() == (b"in", there.getsockname())
    send(b"out", there.getsockname())
    assert there.recv(LONGEST) == b"out"


def refuse(*_, **__):
    raise OSError("there is none")


class Wrapped:
    """Something that is like a socket, as tests have it."""

    def __init__(self, opened):
        self.recvfrom, self.sendto = opened.recvfrom, opened.sendto

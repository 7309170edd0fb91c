"""A memory card in SPI mode: what a driver asks, and what the card answers."""

import binascii

import pytest

from espnow.board.card import Card
from espnow.board.devices import SpiCard
from espnow.testing import Bench

#: Commands by their names in the specification.
GO_IDLE, SEND_IF_COND, SEND_CSD, STOP, STATUS, LENGTH, READ, READ_MANY = 0, 8, 9, 12, 13, 16, 17, 18
WRITE, WRITE_MANY, APP, READ_OCR, OP_COND = 24, 25, 55, 58, 41


class Driver:
    """The other end: as little of a driver as there can be."""

    def __init__(self, device):
        self.send = lambda data: device.transfer(data, 1)

    def command(self, number, argument=0, more=0):
        """Return the answer: a byte, and as many more as are asked for."""
        self.send(bytes([0x40 | number]) + argument.to_bytes(4, "big") + b"\x95")
        for _ in range(8):
            first = self.send(b"\xff")
            if not first[0] & 0x80:
                return first + self.send(b"\xff" * more)
        return None

    def wake(self):
        assert self.command(GO_IDLE) == b"\x01"
        self.command(APP)
        assert self.command(OP_COND, 0x40000000) == b"\0"

    def block(self, length=512):
        for _ in range(8):
            if self.send(b"\xff") == b"\xfe":
                content = self.send(b"\xff" * length)
                assert self.send(b"\xff\xff") == binascii.crc_hqx(content, 0).to_bytes(2, "big")
                return content
        return None

    def put(self, token, content):
        """Return whether a block was taken."""
        self.send(bytes([token]) + content + b"\xff\xff")
        answer = self.send(b"\xff")[0] & 0x1F
        assert self.send(b"\xff\xff") == b"\0\xff"  # busy, and not any more
        return answer == 0x05


@pytest.fixture
def device():
    return SpiCard()


@pytest.fixture
def driver(device):
    found = Driver(device)
    found.wake()
    return found


def test_how_a_card_is_found(device):
    driver = Driver(device)
    assert driver.send(b"\xff" * 10) == b"\xff" * 10
    assert driver.command(READ) == b"\x05"  # not yet
    assert driver.command(GO_IDLE) == b"\x01"
    assert driver.command(SEND_IF_COND, 0x1AA, more=4) == b"\x01\0\0\x01\xaa"
    assert driver.command(READ_OCR, more=4) == b"\x01\0\xff\x80\0"
    assert driver.command(OP_COND) == b"\x05"  # only after APP
    driver.wake()
    assert driver.command(READ_OCR, more=4) == b"\0\xc0\xff\x80\0"
    assert driver.command(LENGTH, 512) == b"\0"
    assert driver.command(STATUS, more=1) == b"\0\0"
    assert driver.command(40) == b"\x04"


@pytest.mark.parametrize("mebibytes", [1, 32, 512])
def test_size(mebibytes):
    driver = Driver(SpiCard(Card(mebibytes << 20)))
    driver.wake()
    assert driver.command(SEND_CSD) == b"\0"
    csd = driver.block(16)
    assert csd[0] & 0xC0 == 0x40
    assert (int.from_bytes(csd[7:10], "big") + 1) * 1024 * 512 == mebibytes << 20


def test_one_block(device, driver):
    assert driver.command(WRITE, 5) == b"\0"
    assert driver.put(0xFE, b"ab" * 256)
    assert device.card.read(5, 1) == b"ab" * 256
    assert driver.command(READ, 5) == b"\0"
    assert driver.block() == b"ab" * 256
    assert driver.block() is None


def test_several_blocks(device, driver):
    assert driver.command(WRITE_MANY, 7) == b"\0"
    for letter in b"abc":
        assert driver.put(0xFC, bytes([letter]) * 512)
    driver.send(b"\xfd")
    assert driver.send(b"\xff" * 3) == b"\xff\0\xff"
    driver.send(b"\xfc" + bytes(514))  # nobody writes any more
    assert device.card.read(7, 4) == b"a" * 512 + b"b" * 512 + b"c" * 512 + bytes(512)
    assert driver.command(READ_MANY, 7) == b"\0"
    assert [driver.block()[:1] for _ in range(3)] == [b"a", b"b", b"c"]
    assert driver.command(STOP) == b"\0"
    assert driver.send(b"\xff" * 20) == b"\xff" * 20


def test_what_is_not_there(device, driver):
    last = device.card.count - 1
    for number in (READ, READ_MANY, WRITE, WRITE_MANY):
        assert driver.command(number, last + 1) == b"\x40"
    driver.command(WRITE_MANY, last)
    assert driver.put(0xFC, bytes(512))
    assert not driver.put(0xFC, bytes(512))
    device.card.remove()
    assert driver.command(GO_IDLE) is None


def test_a_driver_that_a_program_brings():
    bench = Bench()
    card = SpiCard()
    card.card.write(3, b"found" + bytes(507))
    bench.board.ports.spi(2).attach(card, cs=5)
    names = bench.run(
        """
from machine import Pin, SPI
spi, cs = SPI(2, 1_000_000), Pin(5, Pin.OUT, value=1)

def command(number, argument=0):
    spi.write(bytes([0x40 | number]) + argument.to_bytes(4, "big") + b"\\x01")
    while True:
        answer = spi.read(1, 0xFF)[0]
        if not answer & 0x80:
            return answer

unselected = spi.read(2, 0xFF)
cs(0)
answers = [command(each) for each in (0, 55, 41)]
answers.append(command(17, 3))
while spi.read(1, 0xFF) != b"\\xfe":
    pass
content = spi.read(512, 0xFF)[:5]
"""
    )
    assert names["unselected"] == b"\0\0"
    assert names["answers"] == [1, 1, 0, 0]
    assert names["content"] == b"found"

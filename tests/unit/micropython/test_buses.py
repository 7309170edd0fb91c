"""machine.I2C, SPI and UART: spellings, transfers, time, and errors as on a board."""

import pytest

from espnow.board.devices import RegisterDevice
from espnow.board.uart import FIFO
from espnow.lab import Lab
from espnow.testing import Bench, WaitsForever

ENODEV = (19,)


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def machine(bench):
    return bench.module("machine")


@pytest.fixture
def ports(bench):
    return bench.board.ports


# I2C: how it is made.

SPELLINGS = [
    ("I2C(0)", "I2C(0, scl=18, sda=19, freq=400000)", 0),
    ("I2C(1)", "I2C(1, scl=25, sda=26, freq=400000)", 1),
    ("I2C(0, scl=Pin(22), sda=Pin(21), freq=100000)", "I2C(0, scl=22, sda=21, freq=100000)", 0),
    ("I2C(1, scl=22, sda=21)", "I2C(1, scl=22, sda=21, freq=400000)", 1),
    ("I2C(id=0, scl=Pin(22), sda=Pin(21))", "I2C(0, scl=22, sda=21, freq=400000)", 0),
    ("I2C(scl=Pin(5), sda=Pin(4))", "SoftI2C(scl=5, sda=4, freq=400000)", (5, 4)),
    ("I2C(-1, scl=Pin(5), sda=Pin(4), freq=50000)", "SoftI2C(scl=5, sda=4, freq=50000)", (5, 4)),
    ("I2C(-1, Pin(5), Pin(4))", "SoftI2C(scl=5, sda=4, freq=400000)", (5, 4)),
    ("SoftI2C(Pin(5), Pin(4))", "SoftI2C(scl=5, sda=4, freq=400000)", (5, 4)),
    ("SoftI2C(scl=Pin(5), sda=Pin(4), freq=100000, timeout=1000)", "SoftI2C(scl=5, sda=4, freq=100000)", (5, 4)),
]


@pytest.mark.parametrize(("spelling", "shown", "where"), SPELLINGS)
def test_every_spelling_of_i2c(bench, ports, spelling, shown, where):
    device = RegisterDevice({0: 7})
    ports.i2c(where).attach(0x20, device)
    names = bench.run(f"from machine import I2C, Pin, SoftI2C\nbus = {spelling}\n")
    bus = names["bus"]
    assert repr(bus) == shown
    assert bus.scan() == [0x20]
    assert bus.readfrom_mem(0x20, 0, 1) == b"\x07"
    warned = bench.output == "Warning: I2C(-1, ...) is deprecated, use SoftI2C(...) instead\n"
    assert warned == (spelling.startswith("I2C") and shown.startswith("SoftI2C"))
    assert isinstance(bus, names["I2C"]) != shown.startswith("SoftI2C")


def test_an_esp8266_has_software_only_and_does_not_warn():
    bench = Bench("esp8266")
    names = bench.run(
        "from machine import I2C, Pin\nbus = I2C(scl=Pin(5), sda=Pin(4))\nother = I2C(-1, Pin(0), Pin(2))"
    )
    assert repr(names["bus"]) == "SoftI2C(scl=5, sda=4, freq=400000)"
    assert bench.output == ""


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        ("I2C(2)", ValueError, "I2C(2) doesn't exist"),
        ("SoftI2C(scl=Pin(5))", TypeError, None),
        ("SoftI2C(scl=None, sda='x')", ValueError, None),
        ("SPI(0)", ValueError, "SPI(0) doesn't exist"),
        ("SPI(3)", ValueError, "SPI(3) doesn't exist"),
        ("SoftSPI(sck=Pin(1), mosi=Pin(2))", ValueError, "must specify all of sck/mosi/miso"),
        ("UART(3)", ValueError, "UART(3) does not exist"),
        ("UART(1, bits=9)", ValueError, "invalid data bits"),
        ("UART(1, stop=3)", ValueError, "invalid stop bits"),
        ("UART(1).irq(print, 0x8000)", ValueError, "trigger 0x8000 unsupported"),
    ],
)
def test_what_the_hardware_cannot_do(bench, source, error, text):
    with pytest.raises(error) as caught:
        bench.run(f"from machine import *\n{source}\n")
    assert text is None or str(caught.value) == text


def test_init_changes_what_is_given(machine):
    bus = machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21), freq=100_000)
    bus.init(scl=machine.Pin(5), sda=machine.Pin(4))
    assert repr(bus) == "I2C(0, scl=5, sda=4, freq=400000)"
    bus.deinit()


# I2C: transfers.


class Recorder:
    def __init__(self):
        self.written = []

    def write(self, data):
        self.written.append(data)

    def read(self, count):
        return bytes(range(count))


@pytest.fixture
def recorder(ports):
    device = Recorder()
    ports.i2c(0).attach(0x42, device)
    return device


@pytest.fixture
def i2c(machine):
    return machine.I2C(0)


WRITES = [
    (lambda bus: bus.writeto(0x42, b"123"), 3, b"123"),
    (lambda bus: bus.writeto(0x42, "12", False), 2, b"12"),
    (lambda bus: bus.writeto(0x42, bytearray(b"\x01")), 1, b"\x01"),
    (lambda bus: bus.writeto(0x42, memoryview(b"abc")[1:]), 2, b"bc"),
    (lambda bus: bus.writeto(0x42, b""), 0, b""),
    (lambda bus: bus.writevto(0x42, [b"\x40", bytearray(b"ab"), b""]), 3, b"\x40ab"),
    (lambda bus: bus.writevto(0x42, (b"x",), True), 1, b"x"),
    (lambda bus: bus.writeto_mem(0x42, 2, b"\x10"), None, b"\x02\x10"),
    (lambda bus: bus.writeto_mem(0x42, 0x1234, b"\x10", addrsize=16), None, b"\x12\x34\x10"),
    (lambda bus: bus.writeto_mem(0x42, 0x1234, b"\x10", addrsize=0), None, b"\x10"),
]


@pytest.mark.parametrize(("call", "result", "sent"), WRITES)
def test_writes(i2c, recorder, call, result, sent):
    assert call(i2c) == result
    assert recorder.written == [sent]


def test_reads(i2c, recorder):
    assert i2c.readfrom(0x42, 3) == b"\x00\x01\x02"
    buffer = bytearray(4)
    assert i2c.readfrom_into(0x42, buffer) is None
    assert buffer == b"\x00\x01\x02\x03"
    assert recorder.written == []
    assert i2c.readfrom_mem(0x42, 0x10, 2) == b"\x00\x01"
    assert i2c.readfrom_mem_into(0x42, 0x1020, memoryview(buffer)[2:], addrsize=16) is None
    assert buffer == b"\x00\x01\x00\x01"
    assert recorder.written == [b"\x10", b"\x10\x20"]


CALLS = [
    lambda bus, address: bus.writeto(address, b"1"),
    lambda bus, address: bus.writevto(address, [b"1"]),
    lambda bus, address: bus.readfrom(address, 1),
    lambda bus, address: bus.readfrom_into(address, bytearray(1)),
    lambda bus, address: bus.readfrom_mem(address, 0, 1),
    lambda bus, address: bus.readfrom_mem_into(address, 0, bytearray(1)),
    lambda bus, address: bus.writeto_mem(address, 0, b"1"),
]


@pytest.mark.parametrize("call", CALLS)
def test_where_nothing_is_there_is_no_device(i2c, recorder, call):
    with pytest.raises(OSError) as caught:
        call(i2c, 0x43)
    assert caught.value.args == ENODEV
    assert str(caught.value) == "[Errno 19] ENODEV"
    assert recorder.written == []


@pytest.mark.parametrize("call", CALLS)
def test_open_ends_take_everything(i2c, call):
    call(i2c, 0x43)
    call(i2c, 0x3C)
    assert i2c.scan() == [0x3C]


def test_a_device_may_refuse(i2c, ports):
    class Busy(Recorder):
        def read(self, count):
            raise OSError(116)

    ports.i2c(0).attach(0x10, Busy())
    with pytest.raises(OSError) as caught:
        i2c.readfrom(0x10, 1)
    assert caught.value.args == (116,)


def test_what_a_device_does_not_drive_reads_as_ones(i2c, ports):
    class Short(Recorder):
        def read(self, count):
            return b"\x01"

    ports.i2c(0).attach(0x10, Short())
    assert i2c.readfrom(0x10, 3) == b"\x01\xff\xff"


@pytest.mark.parametrize(
    ("freq", "call", "us"),
    [
        (100_000, lambda bus: bus.writeto(0x42, bytes(99)), 9_020),
        (400_000, lambda bus: bus.writeto(0x42, bytes(99)), 2_270),
        (100_000, lambda bus: bus.readfrom(0x42, 9), 920),
        (100_000, lambda bus: bus.readfrom_mem(0x42, 0, 8), 200 + 830),
        (100_000, lambda bus: bus.scan(), 112 * 90 + 20),
    ],
)
def test_a_transfer_takes_its_bits(bench, machine, recorder, freq, call, us):
    bus = machine.I2C(0, freq=freq)
    before_us = bench.clock.now_us
    call(bus)
    assert bench.clock.now_us - before_us == us


def test_primitive_operations(machine, ports):
    device = RegisterDevice({0x10: b"\x21\x22\x23"})
    ports.i2c(scl=5, sda=4).attach(0x42, device)
    bus = machine.SoftI2C(machine.Pin(5), machine.Pin(4))
    bus.start()
    assert bus.write(bytes((0x42 << 1, 0x10))) == 2
    bus.start()
    assert bus.write(bytes((0x42 << 1 | 1,))) == 1
    buffer = bytearray(2)
    bus.readinto(buffer, False)
    assert buffer == b"\x21\x22"
    bus.readinto(memoryview(buffer)[:1])
    assert buffer == b"\x23\x22"
    bus.stop()
    bus.start()
    assert bus.write(bytes((0x43 << 1, 0x10))) == 0
    bus.readinto(buffer)
    assert buffer == b"\xff\xff"
    bus.stop()
    bus.start()
    bus.write(bytes((0x42 << 1, 0x11)))
    bus.write(b"\x07\x08")
    bus.stop()
    assert device[0x11] == 7
    assert device[0x12] == 8


def test_a_start_ends_what_was_written_before(machine, ports):
    one, two = Recorder(), Recorder()
    ports.i2c(scl=5, sda=4).attach(0x42, one)
    ports.i2c(scl=5, sda=4).attach(0x43, two)
    bus = machine.SoftI2C(machine.Pin(5), machine.Pin(4))
    bus.start()
    bus.write(bytes((0x42 << 1, 1)))
    bus.start()
    bus.write(bytes((0x43 << 1, 2)))
    bus.stop()
    assert (one.written, two.written) == ([b"\x01"], [b"\x02"])


@pytest.mark.parametrize("name", ["start", "stop", "write", "readinto"])
def test_the_hardware_has_no_primitive_operations(i2c, name):
    with pytest.raises(OSError, match="I2C operation not supported"):
        getattr(i2c, name)(*([b""] if name in ("write", "readinto") else []))


def test_arguments_that_are_no_bytes(i2c):
    for call in (lambda: i2c.writeto(0x42, 5), lambda: i2c.readfrom_into(0x42, b"x"), lambda: i2c.writeto("a", b"")):
        with pytest.raises(TypeError):
            call()


def test_a_frame_buffer_can_be_sent(bench, i2c, recorder):
    framebuf = bench.module("framebuf")
    buffer = framebuf.FrameBuffer(bytearray(b"\x01\x02"), 2, 1, framebuf.GS8)
    i2c.writeto(0x42, buffer)
    assert recorder.written == [b"\x01\x02"]


def test_two_boards_have_buses_of_their_own():
    one, two = Bench(), Bench()
    one.board.ports.i2c(0).attach(0x10, RegisterDevice())
    assert one.module("machine").I2C(0).scan() == [0x10]
    assert two.module("machine").I2C(0).scan() == [0x3C]
    assert one.module("machine").I2C is not two.module("machine").I2C
    assert one.module("machine").I2C is one.module("machine").I2C


# SPI.


class Inverter:
    def __init__(self):
        self.seen = b""

    def transfer(self, data, dc):
        self.seen += data
        return bytes(byte ^ 0xFF for byte in data)


SPI_SPELLINGS = [
    ("SPI(1)", "SPI(id=1, baudrate=1000000, polarity=0, phase=0, bits=8, firstbit=0, sck=14, mosi=13, miso=12)", 1),
    (
        "SPI(2, 10000000, sck=Pin(18), mosi=Pin(23), miso=Pin(19))",
        "SPI(id=2, baudrate=10000000, polarity=0, phase=0, bits=8, firstbit=0, sck=18, mosi=23, miso=19)",
        2,
    ),
    (
        "SPI(1, baudrate=80000000, polarity=1, phase=1, sck=Pin(4), mosi=Pin(5), miso=None)",
        "SPI(id=1, baudrate=80000000, polarity=1, phase=1, bits=8, firstbit=0, sck=4, mosi=5, miso=12)",
        1,
    ),
    (
        "SoftSPI(baudrate=100000, polarity=1, firstbit=SoftSPI.LSB, sck=Pin(0), mosi=Pin(2), miso=Pin(4))",
        "SoftSPI(baudrate=100000, polarity=1, phase=0, bits=8, firstbit=1, sck=0, mosi=2, miso=4)",
        (0, 2),
    ),
    (
        "SPI(-1, sck=Pin(0), mosi=Pin(2), miso=Pin(4))",
        "SoftSPI(baudrate=500000, polarity=0, phase=0, bits=8, firstbit=0, sck=0, mosi=2, miso=4)",
        (0, 2),
    ),
]


@pytest.mark.parametrize(("spelling", "shown", "where"), SPI_SPELLINGS)
def test_every_spelling_of_spi(bench, ports, spelling, shown, where):
    device = Inverter()
    ports.spi(where).attach(device)
    bus = bench.run(f"from machine import SPI, Pin, SoftSPI\nbus = {spelling}\n")["bus"]
    assert repr(bus) == shown
    assert bus.read(2) == b"\xff\xff"
    assert bus.read(1, 0x0F) == b"\xf0"
    buffer = bytearray(2)
    assert bus.readinto(buffer, 0x01) is None
    assert buffer == b"\xfe\xfe"
    assert bus.write(b"ab") is None
    assert bus.write_readinto(b"\x00\x01", buffer) is None
    assert buffer == b"\xff\xfe"
    bus.write_readinto(buffer, buffer)
    assert buffer == b"\x00\x01"
    assert device.seen == b"\x00\x00\x0f\x01\x01ab\x00\x01\xff\xfe"
    with pytest.raises(ValueError, match="same length"):
        bus.write_readinto(b"abc", buffer)


def test_spi_without_a_device_reads_zeros_and_takes_its_time(bench, machine):
    bus = machine.SPI(1, baudrate=1_000_000)
    before_us = bench.clock.now_us
    assert bus.read(100) == bytes(100)
    assert bench.clock.now_us - before_us == 820
    bus.init(baudrate=8_000_000, polarity=1)
    before_us = bench.clock.now_us
    bus.write(bytes(100))
    assert bench.clock.now_us - before_us == 120
    assert "baudrate=8000000, polarity=1, phase=0" in repr(bus)
    bus.deinit()


def test_an_esp8266_has_one_spi():
    machine = Bench("esp8266").module("machine")
    machine.SPI(1)
    with pytest.raises(ValueError, match=r"SPI\(2\) doesn't exist"):
        machine.SPI(2)


# UART.


def uart_of(bench, number=1, *args, **options):
    return bench.module("machine").UART(number, *args, **options), bench.board.ports.uart(number)


def test_how_a_uart_is_made(bench):
    uart, _ = uart_of(bench, 1, 9600, tx=33, rx=32, timeout=5)
    assert repr(uart) == (
        "UART(1, baudrate=9600, bits=8, parity=None, stop=1, tx=33, rx=32, rts=-1, cts=-1, txbuf=256, rxbuf=256, "
        "timeout=5, timeout_char=2)"
    )
    uart.init(19200, 7, 1, 2, rxbuf=1024)
    assert repr(uart) == (
        "UART(1, baudrate=19200, bits=7, parity=1, stop=2, tx=33, rx=32, rts=-1, cts=-1, txbuf=256, rxbuf=1024, "
        "timeout=0, timeout_char=1)"
    )
    uart.init(parity=None, tx=bench.module("machine").Pin(4))
    assert "baudrate=19200, bits=7, parity=None, stop=2, tx=4, rx=32" in repr(uart)


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
def test_default_pins(profile):
    bench = Bench(profile)
    assert "tx=1, rx=3" in repr(uart_of(bench, 0)[0])
    assert ("tx=2, rx=-1" if profile == "esp8266" else "tx=10, rx=9") in repr(uart_of(bench, 1)[0])


def test_reading_without_a_timeout_takes_what_is_there(bench):
    uart, wires = uart_of(bench, 1, 9600)
    assert (uart.any(), uart.read(), uart.read(5), uart.readline(), uart.readinto(bytearray(3))) == (0, *[None] * 4)
    wires.type("one\ntwo\nthr")
    assert uart.any() == 11
    assert uart.readline() == b"one\n"
    assert uart.read(2) == b"tw"
    buffer = bytearray(b"........")
    assert uart.readinto(buffer, 1) == 1
    assert uart.readinto(buffer) == 4
    assert buffer == b"\nthr...."
    wires.type(b"x" * 5)
    assert uart.read() == b"xxxxx"
    wires.type("ab")
    assert uart.readline(1) == b"a"
    assert uart.readline() == b"b"
    assert uart.read(0) == b""


def test_a_timeout_is_waited_for(bench):
    uart, wires = uart_of(bench, 1, 9600, timeout=100)
    before_us = bench.clock.now_us
    assert uart.read(3) is None
    assert 100_000 <= bench.clock.now_us - before_us < 101_000
    bench.clock.call_at(bench.clock.now_us + 50_000, lambda: wires.type("ab"))
    bench.clock.call_at(bench.clock.now_us + 120_000, lambda: wires.type("c"))
    before_us = bench.clock.now_us
    assert uart.read(3) == b"abc"
    assert 120_000 <= bench.clock.now_us - before_us < 121_000
    bench.clock.call_at(bench.clock.now_us + 10_000, lambda: wires.type("a"))
    bench.clock.call_at(bench.clock.now_us + 150_000, lambda: wires.type("b"))  # within the second timeout
    assert uart.read(2) == b"ab"
    bench.clock.call_at(bench.clock.now_us + 50_000, lambda: wires.type("li"))
    bench.clock.call_at(bench.clock.now_us + 90_000, lambda: wires.type("ne\nmore"))
    assert uart.readline() == b"line\n"
    assert uart.readline() == b"more"  # and no end of a line within the timeout


def test_writing_takes_no_time_until_the_buffer_is_full(bench):
    uart, wires = uart_of(bench, 1, 9600, txbuf=0)
    assert uart.write("hello") == 5
    assert bench.clock.now_us < 100
    assert wires.output == b"hello"
    assert not uart.txdone()
    uart.flush()
    assert uart.txdone()
    assert 5_208 <= bench.clock.now_us < 5_400
    before_us = bench.clock.now_us
    assert uart.write(bytes(FIFO + 96)) == FIFO + 96  # 96 characters at 9600 baud are 0.1 s
    assert 100_000 <= bench.clock.now_us - before_us < 100_100
    assert uart.write(b"abcdef", 2) == 2
    assert uart.write(b"abcdef", 1, 3) == 3
    assert wires.output.endswith(b"abbcd")
    uart.sendbreak()
    assert uart.txdone()


def test_polling_a_uart(bench):
    select = bench.module("select")
    uart, wires = uart_of(bench, 1)
    poller = select.poll()
    poller.register(uart, select.POLLIN)
    assert poller.poll(10) == []
    bench.clock.call_at(bench.clock.now_us + 5_000, lambda: wires.type("x"))
    before_us = bench.clock.now_us
    assert poller.poll() == [(uart, select.POLLIN)]
    assert bench.clock.now_us - before_us < 5_100
    poller.modify(uart, select.POLLIN | select.POLLOUT)
    assert poller.poll(0) == [(uart, select.POLLIN | select.POLLOUT)]
    uart.read()
    poller.modify(uart, select.POLLIN)
    with pytest.raises(WaitsForever):
        poller.poll()


def test_callbacks(bench):
    uart, wires = uart_of(bench, 1, 9600)
    heard = []
    irq = uart.irq(lambda port: heard.append((port is uart, port.read())), uart.IRQ_RXIDLE)
    assert irq.trigger() == uart.IRQ_RXIDLE
    assert bench.board.ports.armed
    wires.type("one ")
    bench.advance(1)
    wires.type("two")
    bench.advance(20)
    assert heard == [(True, b"one two")]
    uart.irq(handler=lambda port: heard.append(port.any()), trigger=uart.RX_ANY)
    wires.type("abc")
    bench.module("time").sleep_ms(1)
    assert heard[1:] == [3]
    uart.irq(None)
    wires.type("d")
    bench.advance(20)
    assert heard[1:] == [3]
    assert not bench.board.ports.armed


def test_a_new_object_begins_anew_and_a_closed_one_hears_nothing(bench):
    uart, wires = uart_of(bench, 1)
    wires.type("old")
    uart, wires = uart_of(bench, 1)
    assert uart.any() == 0
    uart.deinit()
    wires.type("lost")
    assert (uart.any(), wires.lost) == (0, 4)


def test_uart_0_is_the_console(bench):
    uart, wires = uart_of(bench, 0, 115200)
    uart.write(b"boo\n")
    assert bench.output == "boo\n"
    assert wires.output == b"boo\n"


def test_lines_of_a_uart(bench):
    uart, wires = uart_of(bench, 1)
    wires.type("a\nb\n")
    assert list(uart) == [b"a\n", b"b\n"]


def test_asyncio_streams_read_a_uart(bench):
    wires = bench.board.ports.uart(1)
    bench.clock.call_at(30_000, lambda: wires.type("$GPGGA,"))
    bench.clock.call_at(40_000, lambda: wires.type("1\n"))
    names = bench.run(
        """
import asyncio
from machine import UART

async def main():
    uart = UART(1, 9600)
    reader, writer = asyncio.StreamReader(uart), asyncio.StreamWriter(uart, {})
    writer.write(b"?")
    await writer.drain()
    return await reader.readline()

line = asyncio.run(main())
"""
    )
    assert names["line"] == b"$GPGGA,1\n"
    assert wires.output == b"?"


def test_uarts_of_two_boards_talk():
    with Lab(seed=1) as lab:
        asker = lab.board(
            code="""
from machine import UART
uart = UART(2, 9600, timeout=1000)
uart.write("ping\\n")
print(uart.readline())
"""
        )
        answerer = lab.board(
            code="""
from machine import UART
uart = UART(1, baudrate=9600)
while True:
    if uart.any():
        line = uart.readline()
        uart.write(line.replace(b"i", b"o"))
"""
        )
        asker.hardware.ports.uart(2).connect(answerer.hardware.ports.uart(1))
        assert lab.run_until(lambda: asker.finished, timeout_ms=2_000)
        assert asker.lines == ["b'pong\\n'"]


def test_a_callback_keeps_a_program_alive():
    with Lab(seed=1) as lab:
        board = lab.board(
            code="""
from machine import UART
uart = UART(1, 9600)
uart.irq(lambda uart: print(uart.read()), UART.IRQ_RX)
"""
        )
        lab.run(for_ms=100)
        assert not board.finished
        board.hardware.ports.uart(1).type("late")
        lab.run(for_ms=100)
        assert board.lines == ["b'late'"]

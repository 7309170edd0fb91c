"""Buses and devices of a board, without a program: what is on the wires, and what outlives a reset."""

import random

import pytest

from espnow.board.buses import I2cBus, Pixels, buses_of
from espnow.board.devices import Ds18b20, RegisterDevice, crc8, dht_frame
from espnow.board.power import PowerState
from espnow.board.uart import FIFO, IRQ_RX, IRQ_RXIDLE, UartSettings, garbled
from espnow.errors import UserError
from espnow.testing import Bench


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def buses(bench):
    return buses_of(bench.board)


# I2C.


def test_a_bus_with_open_ends_has_a_display_and_takes_everything():
    bus = I2cBus()
    assert bus.scan() == [0x3C]
    assert bus.at(0x3C) is bus.display
    other = bus.at(0x20)
    assert bus.at(0x20) is other
    other.write(b"\xd0")
    assert other.read(3) == bytes(3)


@pytest.mark.parametrize("change", [lambda bus: bus.attach(0x76, RegisterDevice()), lambda bus: bus.detach(0x3C)])
def test_what_is_attached_ends_the_open_ends(change):
    bus = I2cBus()
    change(bus)
    assert bus.at(0x3C) is None
    assert bus.at(0x77) is None
    assert bus.scan() == ([0x76] if bus.at(0x76) else [])
    with pytest.raises(UserError, match="no display"):
        _ = bus.display


@pytest.mark.parametrize("address", [-1, 0, 7, 0x78, 0x3C << 1, "0x3c"])
def test_addresses_that_are_none(address):
    with pytest.raises(UserError, match="0x08 to 0x77"):
        I2cBus().attach(address, RegisterDevice())


def test_a_bus_is_found_by_its_number_its_wires_and_alone(buses):
    with pytest.raises(UserError, match=r"which I2C bus\?.*none"):
        buses.i2c()
    numbered = buses.i2c(0)
    assert buses.open_i2c(0, 22, 21) is numbered
    assert buses.i2c(scl=22, sda=21) is numbered is buses.i2c((22, 21)) is buses.i2c()
    soft = buses.open_i2c(None, 5, 4)
    assert soft is buses.i2c((5, 4)) is not numbered
    with pytest.raises(UserError, match=r"which I2C bus\?"):
        buses.i2c()


def test_a_program_opens_the_wires_that_somebody_named(buses):
    named = buses.i2c(scl=22, sda=21)
    assert buses.open_i2c(1, 22, 21) is named is buses.i2c(1)


# Registers.


def test_registers_go_on_from_one_another():
    device = RegisterDevice({0xD0: 0x58, 0xF7: b"\x01\x02\x03"})
    device.write(b"\xf7")
    assert device.read(2) == b"\x01\x02"
    assert device.read(2) == b"\x03\x00"
    device.write(b"\xf4\x27\x28")
    assert device.read(1) == b"\x00"
    assert (device[0xF4], device[0xF5]) == (0x27, 0x28)
    assert device.writes == [(0xF4, b"\x27\x28")]
    device.write(b"\xd0")
    assert device.read(1) == b"\x58"


def test_registers_with_addresses_of_two_bytes_wrap_at_the_end():
    device = RegisterDevice({0xFFFF: 7, 0: 8}, address_bytes=2)
    device.write(b"\xff\xff")
    assert device.read(2) == b"\x07\x08"
    device.write(b"\x01")  # half an address is none
    assert device.read(1) == b"\x00"


# SPI.


class Echo:
    def __init__(self):
        self.seen = []

    def transfer(self, data, dc):
        self.seen.append((data, dc))
        return bytes(byte ^ 0xFF for byte in data)


def test_spi_devices_are_selected_by_a_low_pin(bench, buses):
    bus = buses.spi(1)
    assert bus.transfer(b"\x01\x02") == b"\x00\x00"
    first, second = Echo(), Echo()
    bus.attach(first, cs=5, dc=16)
    bus.attach(second, cs=17)
    assert bus.transfer(b"\x01") == b"\x00"
    bench.board.ports.pin(17).drive(0)
    assert bus.transfer(b"\x01") == b"\xfe"
    assert (first.seen, second.seen) == ([], [(b"\x01", 1)])
    bench.board.ports.pin(17).drive(1)
    bench.board.ports.pin(5).drive(0)
    bus.transfer(b"\x02")
    bench.board.ports.pin(16).drive(1)
    bus.transfer(b"\x03")
    assert first.seen == [(b"\x02", 0), (b"\x03", 1)]
    assert bus.sent == 6


def test_an_spi_bus_is_found_by_number_and_wires(buses):
    assert buses.open_spi(2, 18, 23) is buses.spi(2) is buses.spi(sck=18, mosi=23)
    with pytest.raises(UserError, match="which SPI bus"):
        buses.spi()


# UART.


def opened(bench, number=1, **settings):
    uart = buses_of(bench.board).uart(number)
    uart.open(UartSettings(**settings))
    return uart


def test_uart_numbers():
    assert buses_of(Bench().board).uart(2).waiting == 0
    with pytest.raises(UserError, match="UART 0 to 2, not 3"):
        buses_of(Bench().board).uart(3)
    with pytest.raises(UserError, match="UART 0 to 1, not 2"):
        buses_of(Bench("esp8266").board).uart(2)


TIMES = [
    ({"baudrate": 9600}, 1, 1042),
    ({"baudrate": 9600}, 96, 100_000),
    ({"baudrate": 1_000_000, "parity": 1, "stop": 2}, 1, 12),
    ({"baudrate": 1_000_000, "bits": 7}, 2, 18),
]


@pytest.mark.parametrize(("settings", "count", "us"), TIMES)
def test_characters_take_their_bits(settings, count, us):
    assert UartSettings(**settings).time_us(count) == us


def test_what_one_sends_the_other_receives_when_it_has_left():
    bench = Bench()
    one, two = opened(bench, 1, baudrate=9600), opened(bench, 2, baudrate=9600)
    one.connect(two)
    one.send(b"0123456789")
    bench.clock.advance(10_416)
    assert two.waiting == 0
    bench.clock.advance(2)
    assert two.take(99) == b"0123456789"
    two.send(b"x")
    two.send(b"y")
    assert two.drained_us == bench.clock.now_us + 2 * 1042
    bench.clock.advance(1_050)
    assert one.waiting == 1
    bench.clock.advance(1_950)
    assert one.take(99) == b"xy"
    assert (one.output, two.output) == (b"0123456789", b"xy")
    one.disconnect()
    one.send(b"z")
    bench.clock.advance(3_000)
    assert two.waiting == 0


@pytest.mark.parametrize(
    ("settings", "understood"),
    [
        ({"baudrate": 9600}, True),
        ({"baudrate": 9900}, True),
        ({"baudrate": 19200}, False),
        ({"baudrate": 9600, "parity": 0}, False),
        ({"baudrate": 9600, "bits": 7}, False),
        ({"baudrate": 9600, "stop": 2}, True),
    ],
)
def test_other_settings_make_other_bytes(settings, understood):
    bench = Bench()
    one, two = opened(bench, 1, **settings), opened(bench, 2, baudrate=9600)
    one.connect(two)
    one.send(b"hello")
    bench.clock.advance(100_000)
    assert two.take(9) == (b"hello" if understood else garbled(b"hello"))
    assert garbled(b"hello") != b"hello"


def test_a_closed_a_full_and_a_sleeping_uart_lose(bench):
    uart = buses_of(bench.board).uart(1)
    uart.type("abc")
    assert (uart.waiting, uart.lost) == (0, 3)
    uart.open(UartSettings(rxbuf=10))
    uart.inject(bytes(200))
    assert (uart.waiting, uart.lost) == (10 + FIFO, 3 + 200 - 10 - FIFO)
    uart.take(5)
    uart.type(bytes(6))
    assert uart.lost == 3 + 200 - 10 - FIFO + 1
    bench.board.power.state = PowerState.LIGHT_SLEEP
    uart.take(99)
    uart.type("abc")
    assert uart.lost == 3 + 200 - 10 - FIFO + 1 + 3


def test_a_device_answers(bench):
    uart = opened(bench)
    asked = []

    def device(data):
        asked.append(data)
        return b"21.5\n" if data == b"?" else None

    uart.attach(device)
    uart.send(b"?")
    uart.send(b"!")
    bench.clock.advance(1_000)
    assert asked == [b"?", b"!"]
    assert uart.take(99) == b"21.5\n"


def test_reasons_for_a_callback(bench):
    uart = opened(bench, baudrate=9600)
    calls = []
    uart.handler = (lambda reason: calls.append((reason, bench.clock.now_us)), "came", IRQ_RX)
    uart.type("a")
    uart.type("b")
    bench.board.run_callbacks()
    assert calls == [("came", 0)] * 2
    calls.clear()
    uart.handler = (lambda reason: calls.append((reason, bench.clock.now_us)), "idle", IRQ_RXIDLE)
    uart.type("a")
    bench.advance(1)
    uart.type("b")
    uart.type("c")
    bench.advance(3)
    assert calls == []
    bench.advance(10)
    assert [reason for reason, _ in calls] == ["idle"]


# Sensors.


def test_check_sum_of_dallas():
    assert crc8(bytes.fromhex("021cb801000000")) == 0xA2  # the example of Maxim's application note 27
    assert crc8(bytes.fromhex("021cb801000000a2")) == 0


@pytest.mark.parametrize(
    ("temperature", "humidity", "dht11", "frame"),
    [
        (20.0, 50.0, False, "01f400c8bd"),
        (-10.1, 65.2, False, "028c806573"),
        (35.1, 65.2, False, "028c015fee"),
        (24.4, 40.6, True, "2900180041"),
    ],
)
def test_frames_of_dht_sensors(temperature, humidity, dht11, frame):
    assert dht_frame(temperature, humidity, dht11=dht11).hex() == frame


def test_a_dht_can_be_set_and_taken_off(buses):
    sensor = buses.dht(15)
    assert sensor is buses.dht(15) is not buses.dht(4)
    sensor.set(humidity=10)
    assert (sensor.temperature, sensor.humidity) == (20.0, 10)
    sensor.disconnect()
    assert sensor.frame() is None
    sensor.set(5)
    assert sensor.frame() == dht_frame(5, 10, dht11=False)


def write_byte(device, value, now_us=0):
    for place in range(8):
        device.write_bit(value >> place & 1, now_us)


def read_bytes(device, count, now_us=0):
    bits = [device.read_bit(now_us) for _ in range(count * 8)]
    return bytes(sum(bit << place for place, bit in enumerate(bits[i : i + 8])) for i in range(0, len(bits), 8))


def scratch(device, now_us=0):
    device.reset()
    write_byte(device, 0xCC, now_us)
    write_byte(device, 0xBE, now_us)
    return read_bytes(device, 9, now_us)


def convert(device, now_us=0):
    device.reset()
    write_byte(device, 0xCC, now_us)
    write_byte(device, 0x44, now_us)


def temperature_of(memory):
    assert crc8(memory) == 0
    return int.from_bytes(memory[:2], "little", signed=True) / 16


@pytest.mark.parametrize("temperature", [0, 25.0625, 125, -55, -0.5, -10.125])
def test_a_ds18b20_measures_after_a_conversion(temperature):
    sensor = Ds18b20(bytes(8), temperature)
    assert temperature_of(scratch(sensor)) == 85
    convert(sensor, 1000)
    assert sensor.read_bit(1000) == 0
    assert temperature_of(scratch(sensor, 750_999)) == 85
    convert(sensor, 1000)
    assert sensor.read_bit(751_000) == 1
    sensor.temperature = 1
    assert temperature_of(scratch(sensor, 751_000)) == temperature


def test_a_ds18b20_with_fewer_bits_is_faster_and_coarser():
    sensor = Ds18b20(bytes(8), 20.9375)
    sensor.reset()
    write_byte(sensor, 0xCC)
    write_byte(sensor, 0x4E)
    for byte in (1, 2, 0x1F):
        write_byte(sensor, byte)
    convert(sensor)
    assert temperature_of(scratch(sensor, 93_750)) == 20.5
    assert scratch(sensor)[2:5] == bytes((1, 2, 0x1F))


def test_only_the_addressed_sensor_listens():
    one, two = Ds18b20(b"\x28AAAAAA\x01"), Ds18b20(b"\x28AAAAAA\x02")
    for sensor in (one, two):
        sensor.reset()
        write_byte(sensor, 0x55)
        for byte in two.rom:
            write_byte(sensor, byte)
        write_byte(sensor, 0xBE)
    assert read_bytes(one, 2) == b"\xff\xff"
    assert read_bytes(two, 2) == b"\x50\x05"


def test_a_onewire_bus_has_one_sensor_until_something_is_attached(buses):
    bus = buses.onewire(4)
    assert [sensor.temperature for sensor in bus.sensors] == [20.0]
    assert crc8(bus.sensors[0].rom) == 0
    bus.set(3.5)
    assert bus.sensors[0].temperature == 3.5
    first, second = bus.attach(), bus.attach(b"\x01\x02\x03\x04\x05\x06", -4)
    assert bus.sensors == [first, second]
    assert second.rom[:7] == b"\x28\x01\x02\x03\x04\x05\x06"
    assert crc8(first.rom) == crc8(second.rom) == 0
    assert bus.attach(first.rom).rom == first.rom
    for rom in (b"123", bytes(7), b"\x28\x01\x02\x03\x04\x05\x06\x00"):
        with pytest.raises(UserError, match="a ROM is 6 bytes"):
            bus.attach(rom)
    bus.detach()
    assert not bus.reset()
    assert bus.read_bit() == 1


def test_pixels_keep_what_was_written():
    chain = Pixels()
    assert chain.pixels == []
    chain.write(5, bytes((2, 1, 3, 20, 10, 30)))
    assert chain.pixels == [(1, 2, 3), (10, 20, 30)]
    chain.bytes_per_pixel = 4
    chain.write(9, bytes((2, 1, 3, 4)))
    assert chain.history[-1] == (9, [(1, 2, 3, 4)])
    assert (len(chain), chain[0]) == (1, (1, 2, 3, 4))
    for number in range(5000):
        chain.write(number, bytes(4))
    assert len(chain.history) == 4096


# Resets.


@pytest.mark.parametrize("restart", ["soft_reset", "reset"])
def test_what_is_connected_stays_and_what_the_program_set_goes(bench, buses, restart):
    ports = bench.board.ports
    device = RegisterDevice()
    buses.i2c(0).attach(0x76, device)
    uart = opened(bench)
    uart.handler = (print, None, IRQ_RX)
    uart.type("unread")
    buses.open_i2c(0, 22, 21)
    assert ports.armed
    getattr(bench.board, restart)()
    assert ports.i2c(0).at(0x76) is device
    assert not ports.armed
    assert (uart.settings, uart.waiting) == (None, 0)
    with pytest.raises(UserError):
        ports.i2c()


def test_a_board_that_uses_no_bus_has_none():
    bench = Bench()
    bench.board.reset()
    assert bench.board.ports.buses is None


def test_search_of_many_sensors_is_exact():
    chance = random.Random(3)
    bench = Bench()
    bus = buses_of(bench.board).onewire(4)
    roms = {bytes(bus.attach(chance.randbytes(6)).rom) for _ in range(20)}
    onewire = bench.module("onewire").OneWire(bench.module("machine").Pin(4))
    found = [bytes(rom) for rom in onewire.scan()]
    assert len(found) == 20
    assert set(found) == roms

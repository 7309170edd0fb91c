"""machine.I2S and what is at its wires: formats, time, and its three modes."""

import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.board.audio import KEPT_BYTES
from espnow.board.ports import CHIPS
from espnow.errors import UserError
from espnow.lab import Lab

#: 2 bytes a frame, 2000 bytes a second.
SLOW = {"bits": 16, "format": 0, "rate": 1000, "ibuf": 400}


@pytest.fixture
def machine(rig):
    return rig.module("machine")


@pytest.fixture
def open_port(rig, machine):
    def make(mode="TX", number=0, **options):
        pins = {"sck": machine.Pin(14), "ws": machine.Pin(13), "sd": 12}
        return machine.I2S(number, **pins, mode=getattr(machine.I2S, mode), **(SLOW | options))

    return make


def took_us(rig, call, *arguments):
    began_us = rig.clock.now_us
    result = call(*arguments)
    return result, rig.clock.now_us - began_us


# What it is


def test_constants_and_form(machine, open_port):
    I2S = machine.I2S
    assert (I2S.RX, I2S.TX, I2S.MONO, I2S.STEREO) == (1, 2, 0, 1)
    port = open_port(bits=32, format=I2S.STEREO, rate=44100, ibuf=8000)
    assert repr(port) == "I2S(id=0,\nsck=14,\nws=13,\nsd=12,\nmode=2,\nbits=32, format=1,\nrate=44100, ibuf=8000)"
    assert open_port("RX") is port
    assert open_port(number=1) is not port


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mode": 5}, "invalid mode"),
        ({"bits": 24}, "invalid bits"),
        ({"format": 2}, "invalid format"),
        ({"sd": 99}, "invalid pin"),
        ({"mck": 99}, "invalid pin"),
    ],
)
def test_what_is_refused(machine, options, text):
    good = {"sck": 14, "ws": 13, "sd": 12, "mode": machine.I2S.TX, **SLOW}
    with pytest.raises(ValueError, match=text):
        machine.I2S(0, **(good | options))
    del good["ibuf"]
    with pytest.raises(TypeError):
        machine.I2S(0, **good)


@pytest.mark.parametrize(("chip", "ports"), [("esp32", 2), ("esp32s3", 2), ("esp32c3", 1), ("esp32c6", 1)])
def test_ports_of_each_chip(rig, machine, chip, ports):
    rig.board.ports.chip = CHIPS[chip]
    options = {"sck": 4, "ws": 5, "sd": 2, "mode": machine.I2S.TX, **SLOW}
    for number in range(ports):
        machine.I2S(number, **options)
    for number in (-1, ports):
        with pytest.raises(ValueError, match="invalid id"):
            machine.I2S(number, **options)
        with pytest.raises(UserError, match=f"has I2S 0 to {ports - 1}, not"):
            rig.board.ports.i2s(number)


def test_an_esp8266_has_none(make_rig):
    rig = make_rig("esp8266")
    assert not hasattr(rig.module("machine"), "I2S")
    with pytest.raises(UserError, match="has no I2S"):
        rig.board.ports.i2s(0)


def test_wrong_direction_wrong_length_and_closed(open_port):
    player, recorder = open_port(), open_port("RX", number=1, format=1)
    for call, number in ((player.readinto, 1), (lambda buffer: recorder.write(buffer), 1)):
        with pytest.raises(OSError) as caught:
            call(bytearray(4))
        assert caught.value.args[0] == number
    with pytest.raises(OSError) as caught:
        recorder.readinto(bytearray(6))  # a frame has 4 bytes
    assert caught.value.args[0] == 22
    player.deinit()
    with pytest.raises(OSError) as caught:
        player.write(bytes(4))
    assert caught.value.args == (-258, "ESP_ERR_INVALID_ARG")


# Blocking


def test_writing_waits_for_what_does_not_fit(rig, open_port):
    port = open_port()
    written, us = took_us(rig, port.write, b"ab" * 200)
    assert (written, us) == (400, 20)  # all of it fits
    written, us = took_us(rig, port.write, b"cd" * 100)
    assert (written, us) == (200, 100_000)  # 200 bytes must have gone, which began 20 us ago
    assert rig.board.ports.i2s(0).output == b"ab" * 200 + b"cd" * 100
    rig.clock.move(10_000_000)
    assert took_us(rig, port.write, bytes(400))[1] == 20  # everything had been played long ago
    assert took_us(rig, port.write, bytes(200))[1] == 100_000


@pytest.mark.parametrize(
    ("bits", "format", "rate"), [(16, 0, 8000), (16, 1, 22050), (32, 0, 16000), (32, 1, 44100), (16, 1, 48000)]
)
def test_a_second_of_sound_takes_a_second(rig, open_port, bits, format, rate):
    frame = bits // 8 * (format + 1)
    port = open_port(bits=bits, format=format, rate=rate, ibuf=frame * 100)
    piece = bytes(frame * 50)
    began_us = rig.clock.now_us
    for _ in range(rate // 50):
        assert port.write(piece) == len(piece)
    inside_us = 100 * 1_000_000 // rate
    assert rig.clock.now_us - began_us == pytest.approx(rate // 50 * 50 * 1_000_000 / rate - inside_us, abs=200)


def test_reading_waits_for_what_was_not_heard(rig, open_port):
    rig.board.ports.i2s(0).feed(b"abcdef")
    port = open_port("RX")
    buffer = bytearray(b"?" * 10)
    assert took_us(rig, port.readinto, buffer) == (10, 5_020)
    assert buffer == b"abcdef\0\0\0\0"
    rig.clock.move(rig.clock.now_us + 50_000)  # 100 bytes wait
    assert took_us(rig, port.readinto, bytearray(100))[1] == 20
    rig.clock.move(rig.clock.now_us + 5_000_000)  # more than the buffer holds
    assert took_us(rig, port.readinto, bytearray(400))[1] == 20
    assert took_us(rig, port.readinto, bytearray(40))[1] == pytest.approx(20_000, abs=1_100)


def test_a_function_hears(rig, open_port):
    asked = []

    def tone(count):
        asked.append(count)
        return b"\x10\x20" * (count // 2 - 1)  # one frame too few is silence

    rig.board.ports.i2s(0).feed(b"first!")
    rig.board.ports.i2s(0).feed(tone)
    port = open_port("RX")
    buffer = array.array("h", [1] * 6)
    assert port.readinto(buffer) == 12
    assert buffer.tobytes() == b"first!\x10\x20\x10\x20\0\0"
    assert asked == [6]


def test_output_is_bounded(rig, open_port):
    port = open_port(rate=1_000_000, ibuf=100_000)
    outside = rig.board.ports.i2s(0)
    for number in range(25):
        port.write(bytes([number]) * 100_000)
    assert outside.played == 2_500_000
    assert len(outside.output) == KEPT_BYTES
    assert outside.output[-1] == 24


# Without blocking


def test_a_callback_is_called_when_a_buffer_is_taken(rig, open_port):
    port = open_port()
    calls = []
    port.irq(lambda i2s: calls.append((i2s, rig.clock.now_us)))
    assert took_us(rig, port.write, bytes(1000)) == (1000, 0)
    assert took_us(rig, port.write, bytes(200)) == (200, 0)
    assert port.write(b"lost") == 4  # two wait already, and the port says nothing
    assert rig.board.ports.armed
    rig.board.sleep(1_000_000)
    assert calls == [(port, 300_000), (port, 400_000)]  # all but the last 400 bytes have left
    assert not rig.board.ports.armed
    assert rig.board.ports.i2s(0).played == 1200


def test_a_callback_is_called_when_a_buffer_is_full(rig, open_port):
    rig.board.ports.i2s(0).feed(b"abcd")
    port = open_port("RX")
    buffer = bytearray(b"????")
    heard = []
    port.irq(lambda i2s: heard.append((bytes(buffer), rig.clock.now_us)))
    assert port.readinto(buffer) == 4
    assert buffer == b"????"
    rig.board.sleep(10_000)
    assert heard == [(b"abcd", 2_000)]
    with pytest.raises(ValueError, match="invalid callback"):
        port.irq(5)
    port.irq(None)
    assert took_us(rig, port.readinto, buffer)[1] == 20  # it waits again, and 4 bytes are there


@pytest.mark.parametrize("end", ["deinit", "reset"])
def test_nobody_is_called_after_the_end(rig, open_port, end):
    port = open_port()
    calls = []
    port.irq(calls.append)
    port.write(bytes(1000))
    (port.deinit if end == "deinit" else rig.board.reset)()
    rig.board.sleep(1_000_000)
    assert calls == []
    assert len(rig.board.ports.i2s(0).output) == 1000


# Streams


def test_polling(rig, open_port):
    select = rig.module("select")
    port = open_port(ibuf=1024)
    poll = select.poll()
    poll.register(port, select.POLLOUT)
    assert poll.poll(0) == [(port, select.POLLOUT)]
    assert port.write(bytes(5000)) == 1024
    assert port.write(bytes(5000)) == 0
    assert poll.poll(0) == []
    began_us = rig.clock.now_us
    assert poll.poll(10_000) == [(port, select.POLLOUT)]
    assert rig.clock.now_us - began_us == pytest.approx(256_000, abs=100)  # 256 frames of room
    poll.register(port, select.POLLIN)
    with pytest.raises(OSError) as caught:
        poll.poll(0)
    assert caught.value.args[0] == 1


def test_polling_after_a_part_of_a_frame(rig, open_port):
    select = rig.module("select")
    port = open_port(format=1, ibuf=1024)
    assert port.write(bytes(1023)) == 1023
    poll = select.poll()
    poll.register(port, select.POLLOUT)
    assert poll.poll(10_000) == [(port, select.POLLOUT)]
    assert rig.clock.now_us == 256_000


def test_asyncio(rig):
    rig.board.ports.i2s(0).feed(b"abcd" * 500)
    rig.run(
        """
import asyncio
from machine import I2S
ear = I2S(0, sck=14, ws=13, sd=12, mode=I2S.RX, bits=16, format=I2S.MONO, rate=8000, ibuf=2000)
mouth = I2S(1, sck=27, ws=26, sd=25, mode=I2S.TX, bits=16, format=I2S.MONO, rate=8000, ibuf=2000)
ticks = 0

async def tick():
    global ticks
    while True:
        await asyncio.sleep_ms(10)
        ticks += 1

async def main():
    asyncio.create_task(tick())
    hear, say = asyncio.StreamReader(ear), asyncio.StreamWriter(mouth)
    buffer, total = bytearray(1000), 0
    while total < 8000:
        count = await hear.readinto(buffer)
        total += count
        say.write(buffer[:count])
        await say.drain()
    print(total, ticks)

asyncio.run(main())
"""
    )
    total, ticks = map(int, rig.lines[-1].split())
    assert 8000 <= total < 9000
    assert 45 <= ticks <= 56  # half a second, in which the other task ran
    assert rig.board.ports.i2s(1).output[:2000] == b"abcd" * 500


# shift


@pytest.mark.parametrize(
    ("bits", "samples", "shift", "expected"),
    [
        (16, [1, -2, 0x4001, 3], 1, [2, -4, -0x7FFE, 6]),
        (16, [7, -7, 0x7FFF], -1, [3, -4, 0x3FFF]),
        (32, [1, -1, 0x40000000], 1, [2, -2, -0x80000000]),
        (32, [256, -256], -4, [16, -16]),
    ],
)
def test_shift(machine, bits, samples, shift, expected):
    buffer = array.array("h" if bits == 16 else "i", samples)
    machine.I2S.shift(buf=buffer, bits=bits, shift=shift)
    assert list(buffer) == expected


def test_shift_refuses_other_samples(machine):
    with pytest.raises(ValueError, match="invalid bits"):
        machine.I2S.shift(buf=bytearray(4), bits=8, shift=1)


@given(st.lists(st.integers(-8192, 8191)), st.integers(0, 2))
def test_shift_and_back(samples, shift):
    from espnow.micropython.machine.i2s import I2S

    buffer = array.array("h", samples)
    I2S.shift(buf=buffer, bits=16, shift=shift)
    assert list(buffer) == [sample * 2**shift for sample in samples]
    I2S.shift(buf=buffer, bits=16, shift=-shift)
    assert list(buffer) == samples


def test_from_a_lab():
    with Lab() as lab:
        board = lab.board(
            code="""
from machine import I2S, Pin
port = I2S(1, sck=Pin(14), ws=Pin(13), sd=Pin(12), mode=I2S.TX, bits=16, format=I2S.STEREO, rate=8000, ibuf=4000)
port.write(b"beep" * 100)
"""
        )
        lab.run(for_ms=100)
        assert board.error is None, board.output
        assert board.i2s(1).output == b"beep" * 100


def test_a_voice_over_the_air():
    """A microphone at one board, a loudspeaker at another."""
    start = """
import espnow, network
from machine import I2S, Pin
network.WLAN(network.STA_IF).active(True)
radio = espnow.ESPNow()
radio.active(True)
everybody = b"\\xff" * 6
radio.add_peer(everybody)
wires = {"sck": Pin(14), "ws": Pin(13), "sd": Pin(12), "bits": 16, "format": I2S.MONO, "rate": 8000, "ibuf": 4000}
"""
    with Lab() as lab:
        speaker = lab.board(
            code=start
            + """
port = I2S(0, mode=I2S.TX, **wires)
while True:
    _, samples = radio.recv()
    port.write(samples)
"""
        )
        talker = lab.board(
            code=start
            + """
port = I2S(0, mode=I2S.RX, **wires)
samples = bytearray(240)
while True:
    port.readinto(samples)
    radio.send(everybody, samples, False)
"""
        )
        voice = b"".join(number.to_bytes(2, "little") for number in range(8000))
        talker.i2s(0).feed(voice)
        lab.run(for_ms=2_000)
        assert speaker.error is None and talker.error is None, speaker.output + talker.output
        heard = speaker.i2s(0).output
        assert len(heard) > 10_000
        assert heard[:16_000] == voice[: len(heard)][:16_000]

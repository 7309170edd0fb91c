"""dht: what a program reads of a sensor that a test sets."""

import pytest

from espnow.testing import Bench

KINDS = {"DHT11": 1, "DHT22": 0.1}


def sensor_of(bench, kind, pin=15):
    return getattr(bench.module("dht"), kind)(bench.module("machine").Pin(pin))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("climate", [(20.0, 50.0), (0, 0), (35.4, 99.9), (-7.3, 12.3), (-60, 200)])
def test_what_is_set_is_measured(kind, climate):
    bench = Bench()
    sensor = sensor_of(bench, kind)
    bench.board.ports.dht(15).set(*climate)
    assert (sensor.temperature(), sensor.humidity()) == (0, 0)
    sensor.measure()
    step = KINDS[kind]
    expected = (max(climate[0], 0 if kind == "DHT11" else -40), min(climate[1], 100))
    for got, wanted in zip((sensor.temperature(), sensor.humidity()), expected, strict=True):
        assert got == pytest.approx(round(wanted / step) * step)
        assert type(got) is (int if kind == "DHT11" else float)


def test_an_unmodified_program_finds_a_sensor():
    bench = Bench()
    sensor = sensor_of(bench, "DHT22")
    sensor.measure()
    assert (sensor.temperature(), sensor.humidity()) == (20.0, 50.0)


@pytest.mark.parametrize(("profile", "number"), [("esp32", 116), ("esp8266", 110)])
def test_without_a_sensor_it_times_out(profile, number):
    bench = Bench(profile)
    bench.board.ports.dht(13).disconnect()
    sensor = sensor_of(bench, "DHT22", 13)
    with pytest.raises(OSError) as caught:
        sensor.measure()
    assert caught.value.args == (number,)
    bench.board.ports.dht(13).set(1, 2)
    sensor.measure()
    assert sensor.temperature() == pytest.approx(1)


def test_a_measurement_takes_its_time():
    bench = Bench()
    sensor_of(bench, "DHT11").measure()
    assert 18_000 < bench.clock.now_us < 30_000


def test_classes_are_related_as_on_a_board():
    dht = Bench().module("dht")
    assert issubclass(dht.DHT11, dht.DHTBase)
    assert issubclass(dht.DHT22, dht.DHTBase)


def test_a_driver_of_the_programs_own():
    bench = Bench()
    bench.board.ports.dht(4).set(-10.1, 65.2)
    names = bench.run(
        """
import machine
data = bytearray(5)
machine.dht_readinto(machine.Pin(4), data)
try:
    machine.dht_readinto(machine.Pin(4), bytearray(4))
except ValueError as error:
    refused = str(error)
"""
    )
    assert names["data"].hex() == "028c806573"
    assert names["refused"] == "buffer too small"
    bench.board.ports.dht(4).dht11 = True
    bench.board.ports.dht(4).set(24, 40)
    names = bench.run("import machine\ndata = bytearray(5)\nmachine.dht_readinto(4, data)")
    assert names["data"].hex() == "2800180040"

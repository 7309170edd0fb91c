"""The battery sensor of ../sensor: what it sends, how little it is awake, and what it does when nobody hears it.

Run it with:  pytest examples/tests
"""

import struct

import pytest

GATEWAY = "30:aa:aa:aa:aa:aa"
MESSAGE = struct.Struct("<HHHhB")  # number, unacknowledged, battery in mV, temperature in 0.1 degrees, humidity


@pytest.fixture
def sensor(lab):
    """A sensor in a room of 21.5 degrees, with a fresh battery."""
    board = lab.board("../sensor/sensor.py", at=(20, 0))
    board.adc(34).set(2.0)
    board.dht(4).set(temperature=21.5, humidity=40)
    return board


def test_it_sends_what_it_measures(lab, sensor):
    gateway = lab.board("../sensor/gateway.py", mac=GATEWAY)
    line = gateway.expect("#0 (0 lost)", timeout_ms=5_000)
    assert line.endswith("21.5 C  40 %  4.00 V")
    (message,) = gateway.received
    assert message.source == sensor.mac
    number, lost, battery_mv, tenths, humidity = MESSAGE.unpack(message.message)
    assert (number, lost, tenths, humidity) == (0, 0, 215, 40)
    assert battery_mv == pytest.approx(4000, abs=5)


def test_it_counts_over_deep_sleep(lab, sensor):
    gateway = lab.board("../sensor/gateway.py", mac=GATEWAY)
    lab.run(for_ms=5 * 60_000)
    numbers = [MESSAGE.unpack(message.message)[0] for message in gateway.received]
    assert numbers == [0, 1, 2, 3, 4]


def test_it_is_awake_for_less_than_a_hundredth_of_the_time(lab, sensor):
    lab.board("../sensor/gateway.py", mac=GATEWAY)
    lab.run(for_ms=60 * 60_000)
    assert sensor.power_state.value == "deep sleep"
    assert sensor.power_ms("deep sleep") > 0.99 * lab.now_ms


def test_it_remembers_what_nobody_acknowledged(lab, sensor):
    lab.run(for_ms=3 * 60_000)  # three times without a gateway
    gateway = lab.board("../sensor/gateway.py", mac=GATEWAY)
    gateway.expect("#3 (3 lost)", timeout_ms=70_000)


def test_a_sensor_that_fails_does_not_empty_the_battery(lab, sensor):
    gateway = lab.board("../sensor/gateway.py", mac=GATEWAY)
    sensor.dht(4).disconnect()
    lab.run(for_ms=10 * 60_000)
    assert sensor.power_ms("deep sleep") > 0.99 * lab.now_ms
    assert not gateway.received
    sensor.dht(4).set(temperature=21.5)
    gateway.expect("#0 (0 lost)", timeout_ms=70_000)


def test_a_new_battery_starts_anew(lab, sensor):
    gateway = lab.board("../sensor/gateway.py", mac=GATEWAY)
    gateway.expect("#2", timeout_ms=3 * 60_000)
    sensor.power_off()
    lab.run(for_ms=5_000)
    sensor.power_on()
    gateway.expect("#0", timeout_ms=5_000)


@pytest.mark.lab(loss=0.5, seed=11)
def test_a_bad_radio_link_is_no_reason_to_stay_awake(lab, sensor):
    lab.board("../sensor/gateway.py", mac=GATEWAY)
    lab.run(for_ms=60 * 60_000)
    assert sensor.power_ms("deep sleep") > 0.99 * lab.now_ms
    assert any(sent.attempts > 1 for sent in sensor.sent)


@pytest.mark.lab("../sensor/lab.toml")
def test_the_gateway_tells_of_batteries_and_of_silence(lab):
    gateway, _, garden = lab.boards
    assert "BATTERY LOW" in gateway.expect("BATTERY LOW", timeout_ms=20 * 60_000)
    address = ":".join("%02x" % byte for byte in garden.mac)
    gateway.expect(f"{address} is silent", timeout_ms=15 * 60_000)
    assert 22 * 60_000 < lab.now_ms < 23 * 60_000  # its battery gave up after 20 minutes

"""The remote control of ../remote: buttons that bounce, a lamp that is dimmed, and a lamp that is not there."""

import pytest

LAMP = "30:aa:aa:aa:aa:aa"
SWITCH, BRIGHTER = 0, 14  # pins of the remote
LIGHT = 2  # pin of the lamp, and of the LED at the remote


@pytest.fixture
def remote(lab):
    board = lab.board("../remote/remote.py", at=(8, 0))
    lab.run(for_ms=500)  # it has started
    return board


@pytest.fixture
def lamp(lab):
    board = lab.board("../remote/lamp.py", mac=LAMP)
    lab.run(for_ms=500)
    return board


def percent(lamp):
    _, duty = lamp.pin(LIGHT).pwm
    return round(duty / 65535 * 100)


def press(lab, board, pin):
    board.pin(pin).press(100)
    lab.run(for_ms=400)


def test_the_lamp_is_switched_and_dimmed(lab, lamp, remote):
    seen = [percent(lamp)]
    for pin in (SWITCH, BRIGHTER, BRIGHTER, BRIGHTER, BRIGHTER, SWITCH):
        press(lab, remote, pin)
        seen.append(percent(lamp))
    assert seen == [0, 25, 50, 75, 100, 25, 0]
    assert remote.lines[0] == "switch -> 25 %"


def test_a_button_that_bounces_counts_once(lab, lamp, remote):
    for _ in range(5):
        remote.pin(SWITCH).press(1)
        lab.run(for_ms=3)
    press(lab, remote, SWITCH)
    assert [message.message for message in lamp.received] == [b"switch"]


def test_two_presses_count_twice(lab, lamp, remote):
    press(lab, remote, SWITCH)
    press(lab, remote, SWITCH)
    assert [message.message for message in lamp.received] == [b"switch", b"switch"]
    assert percent(lamp) == 0


def test_the_led_tells_that_it_was_heard(lab, lamp, remote):
    press(lab, remote, SWITCH)
    assert [level for _, level in remote.pin(LIGHT).history][-2:] == [1, 0]


def test_without_a_lamp_the_led_stays_dark(lab, remote):
    press(lab, remote, SWITCH)
    remote.expect("switch was not heard")
    assert 1 not in [level for _, level in remote.pin(LIGHT).history]

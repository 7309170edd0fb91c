"""Charge and battery life, against steps of time and closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.air.chips import CHIPS, chip
from espnow.air.energy import DAYS_A_YEAR, Battery, State, charge_mah, current_ma, mean_ma

C3 = chip("esp32-c3")


@pytest.mark.parametrize(
    ("state", "ma"),  # docs/chips.md
    [
        (State.RECEIVE, 84),
        (State.IDLE, 16),
        (State.MODEM_SLEEP, 13),
        (State.LIGHT_SLEEP, 0.13),
        (State.DEEP_SLEEP, 0.005),
        (State.BOOT, 38),
        (State.POWER_OFF, 0.001),
    ],
)
def test_a_state_draws_what_the_data_sheet_says(state, ma):
    assert current_ma(C3, state) == ma


def test_sending_depends_on_the_power_up_to_the_most_at_the_rate():
    assert current_ma(C3, State.TRANSMIT, rate=0, power_dbm=9) == 190
    assert current_ma(C3, State.TRANSMIT, rate=0, power_dbm=21) == 335
    assert current_ma(C3, State.TRANSMIT, rate=12, power_dbm=21) == current_ma(
        C3, State.TRANSMIT, rate=12, power_dbm=19
    )
    with pytest.raises(ValueError, match="esp8266 has no rate 41"):
        current_ma(chip("esp8266"), State.TRANSMIT, rate=41)


@pytest.mark.parametrize("known", CHIPS.values(), ids=CHIPS)
def test_whoever_does_less_draws_less(known):
    order = (State.TRANSMIT, State.RECEIVE, State.IDLE, State.MODEM_SLEEP, State.LIGHT_SLEEP, State.DEEP_SLEEP)
    drawn = [current_ma(known, state) for state in (*order, State.POWER_OFF)]
    assert drawn == sorted(drawn, reverse=True)


def test_charge_and_mean_current():
    assert charge_mah(3.6e9, 5) == 5
    assert charge_mah(1e6, 3.6) == pytest.approx(0.001)
    us, ma = {State.TRANSMIT: 1e3, State.RECEIVE: 9e3, State.DEEP_SLEEP: 990e3}, {}
    for state in us:
        ma[state] = current_ma(C3, state, power_dbm=21)
    assert mean_ma(us, ma) == pytest.approx(0.335 + 0.756 + 0.00495)
    assert mean_ma({}, {}) == 0


def stepped_days(battery, ma):
    """The same by small steps of time."""
    left, day, step = battery.capacity_mah, 0.0, 0.001
    keep = (1 - battery.self_discharge) ** (step / DAYS_A_YEAR)
    while left > battery.capacity_mah * (1 - battery.usable):
        left = left * keep - ma * 24 * step
        day += step
    return day


@pytest.mark.parametrize(
    ("battery", "ma"),
    [(Battery(1000), 10), (Battery(1000, 0.8), 10), (Battery(1000, 0.8, 0.5), 1), (Battery(50, 1.0, 0.9), 0.05)],
)
def test_a_battery_lasts_as_long_as_in_small_steps(battery, ma):
    assert battery.life_days(ma) == pytest.approx(stepped_days(battery, ma), rel=1e-3)


def test_what_a_battery_loses_by_itself():
    # Nothing is drawn: half of it is gone when half a year's worth of halving is over.
    assert Battery(1000, 0.5, 0.5).life_days(0) == pytest.approx(DAYS_A_YEAR)
    assert Battery(1000, 1.0, 0.5).life_days(0) == math.inf
    assert Battery(1000).life_days(0) == math.inf
    assert Battery(2400).life_days(1) == pytest.approx(100)


@given(st.floats(1, 1e5), st.floats(0.01, 1), st.floats(0, 0.99), st.floats(1e-6, 1e3), st.floats(1.01, 10))
def test_more_current_more_loss_or_less_capacity_is_a_shorter_life(capacity, usable, loss, ma, times):
    days = Battery(capacity, usable, loss).life_days(ma)
    assert 0 < days <= Battery(capacity, usable).life_days(ma) * (1 + 1e-9)
    assert Battery(capacity, usable, loss).life_days(ma * times) < days
    assert Battery(capacity * times, usable, loss).life_days(ma) > days
    # Small losses make no jump.
    assert Battery(capacity, usable, 1e-12).life_days(ma) == pytest.approx(
        Battery(capacity, usable).life_days(ma), rel=1e-3
    )


@pytest.mark.parametrize("wrong", [(0,), (-1,), (math.nan,), (math.inf,), (1, 0), (1, 1.1), (1, 1, 1), (1, 1, -0.1)])
def test_a_battery_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="a battery has a capacity above 0 mAh"):
        Battery(*wrong)
    with pytest.raises(ValueError, match="0 mA or more, not -1"):
        Battery(1).life_days(-1)

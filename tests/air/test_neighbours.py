"""Neighbours by the grid against everybody held against everybody."""

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow.air.neighbours import neighbour_rows
from espnow.air.propagation import FreeSpace, LinkTable, LogDistance, Shadowing, Site, TwoRayGround, Wall, Walls

MODELS = [
    LogDistance(),
    LogDistance(2.0, 80.0),
    FreeSpace(),
    TwoRayGround(),
    Shadowing(LogDistance(3.2), 5.0, 4),
    Walls((Wall((0.0, -200.0), (10.0, 200.0), 12.0),)),
    LinkTable({(0, 1): 60.0, (1, 2): 70.0, (2, 1): 90.0, (3, 99): 1.0}),
    LinkTable({(0, 1): 60.0, (4, 2): 120.0}, LogDistance(4.0)),
]


def by_hand(positions, powers_dbm, model, floor_dbm, heights_m, antennas_dbi):
    sites = [Site(number, *rest) for number, rest in enumerate(zip(positions, heights_m, strict=True))]
    rows = []
    for a in sites:
        row = []
        for b in sites:
            if a is b:
                continue
            gain_db = antennas_dbi[a.number] + antennas_dbi[b.number] - model.between_db(a, b)
            # What is within a rounding error of the floor may be on either side of it.
            margin_db = powers_dbm[a.number] + gain_db - floor_dbm
            us = round(math.dist(a.position, b.position) / 299.792458) if margin_db > -1e9 else 0
            row.append((b.number, margin_db, 10 ** (gain_db / 10), us))
        rows.append(row)
    return rows


@pytest.mark.parametrize("model", MODELS, ids=repr)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_against_brute_force(model, data):
    count = data.draw(st.integers(0, 12))
    side = data.draw(st.sampled_from([0.0, 50.0, 400.0, 4000.0]))
    metres = st.floats(-side, side)

    def draw(values):
        return data.draw(st.lists(values, min_size=count, max_size=count))

    positions = draw(st.tuples(metres, metres))
    powers_dbm = draw(st.sampled_from([2.0, 8.5, 20.0]))
    heights_m = draw(st.floats(0.2, 20.0))
    antennas_dbi = draw(st.sampled_from([0.0, -2.0, 6.0]))
    floor_dbm = data.draw(st.floats(-105.0, -60.0))
    rows = neighbour_rows(positions, powers_dbm, model, floor_dbm, heights_m=heights_m, antennas_dbi=antennas_dbi)
    expected = by_hand(positions, powers_dbm, model, floor_dbm, heights_m, antennas_dbi)
    assert len(rows) == count
    for (others, gains, delays), row in zip(rows, expected, strict=True):
        assert list(others) == sorted(set(others))
        found = {other: (gain, us) for other, gain, us in zip(others, gains, delays, strict=True)}
        for number, margin_db, gain, us in row:
            if margin_db > 1e-6:
                assert found[number] == (pytest.approx(gain), us)
            elif margin_db < -1e-6:
                assert number not in found


@given(st.lists(st.tuples(st.floats(-300, 300), st.floats(-300, 300)), max_size=40))
@settings(max_examples=30, deadline=None)
def test_equal_powers_are_symmetric(positions):
    rows = neighbour_rows(positions, [15.0] * len(positions), Shadowing(LogDistance(), 6.0), -90.0)
    pairs = {(i, j): (gain, us) for i, row in enumerate(rows) for j, gain, us in zip(*row, strict=True)}
    assert all(pairs[j, i] == value for (i, j), value in pairs.items())


def test_cost_grows_with_neighbours():
    """Ten times the stations at the same density ask for the losses of about ten times the pairs."""

    class Counted(Walls):
        asked = 0

        def between_db(self, a, b):
            Counted.asked += 1
            return super().between_db(a, b)

    draw = Random(1)
    asked = []
    for count in (200, 2000):
        side = 20.0 * math.sqrt(count)
        positions = [(draw.uniform(0, side), draw.uniform(0, side)) for _ in range(count)]
        Counted.asked = 0
        rows = neighbour_rows(positions, [20.0] * count, Counted(()), -75.0)
        asked.append(Counted.asked)
        entries = sum(len(others) for others, _, _ in rows)
        assert Counted.asked == entries / 2  # no pair twice, and none out of reach
    assert asked[1] < 15 * asked[0]


def test_numbers():
    (others, gains, delays), back, alone = neighbour_rows(
        [(0.0, 0.0), (0.0, 500.0), (9e5, 0.0)], [20.0] * 3, LogDistance(2.0), -90.0
    )
    assert (list(others), list(delays), list(back[0])) == ([1], [2], [0])
    assert 10 * math.log10(gains[0]) == pytest.approx(-40.2 - 20 * math.log10(500))
    assert not alone[0]
    assert neighbour_rows([], [], LogDistance(), -90.0) == []

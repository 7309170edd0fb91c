"""Walls in squares: the same walls as looking at each, in the same order."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.air.propagation import LogDistance, Wall, Walls, _side
from espnow.air.wallgrid import WallGrid


def passed(walls, a, b):
    """Return the numbers of the walls that are crossed, by looking at each."""
    return [
        number
        for number, (begin, end) in enumerate(walls)
        if _side(begin, end, a) * _side(begin, end, b) < 0 and _side(a, b, begin) * _side(a, b, end) < 0
    ]


def check(walls, a, b):
    near = list(WallGrid(walls).near(a, b))
    assert near == sorted(set(near))
    assert set(passed(walls, a, b)) <= set(near)
    return near


@pytest.mark.parametrize("count", [1, 7, 8, 30, 300])
@pytest.mark.parametrize("shape", ["square", "long", "far away", "upright", "point"])
def test_no_wall_that_is_crossed_is_missed(count, shape):
    chance = Random(f"{count}{shape}")
    wide, high = {"square": (100, 100), "long": (1000, 1), "upright": (0, 50), "point": (0, 0)}.get(shape, (30, 30))
    west = 1e6 if shape == "far away" else -20

    def place(times=1.0):
        return west + times * chance.uniform(0, wide), times * chance.uniform(0, high)

    walls = []
    for _ in range(count):
        x, y = place()
        walls.append(
            ((x, y), chance.choice([(x, y + 5), (x + 5, y), (x + chance.gauss(0, 9), y + chance.gauss(0, 9))]))
        )
    crossed = 0
    for _ in range(100):
        a, b = place(1.5), place(1.5)
        check(walls, a, b)
        crossed += len(passed(walls, a, b))
    if shape in ("square", "long", "far away") and count >= 30:
        assert crossed > 50


COORDINATE = st.integers(-4, 4).map(float) | st.floats(-4, 4)
PLACE = st.tuples(COORDINATE, COORDINATE)


@given(st.lists(st.tuples(PLACE, PLACE), min_size=8, max_size=20), PLACE, PLACE)
def test_nor_is_one_on_the_edges_of_the_squares(walls, a, b):
    check(walls, a, b)


def test_few_are_looked_at_where_there_are_many():
    chance = Random(1)
    walls = []
    for _ in range(1000):
        x, y = chance.uniform(0, 300), chance.uniform(0, 300)
        walls.append(((x, y), (x + chance.uniform(-3, 3), y + chance.uniform(-3, 3))))
    seen = [len(check(walls, (chance.uniform(0, 300), 10.0), (chance.uniform(0, 300), 250.0))) for _ in range(50)]
    assert sum(seen) / len(seen) < 120


def test_walls_take_the_same_in_both_directions():
    chance = Random(2)
    walls = [
        Wall((x, y), (x + chance.uniform(-9, 9), y + chance.uniform(-9, 9)), chance.uniform(0, 20))
        for x, y in ((chance.uniform(0, 50), chance.uniform(0, 50)) for _ in range(60))
    ]
    model = Walls(walls, LogDistance())
    for _ in range(100):
        a, b = ((chance.uniform(0, 50), chance.uniform(0, 50)) for _ in range(2))
        expected = 0.0
        for number in passed([wall[:2] for wall in walls], *sorted((a, b))):
            expected += walls[number].loss_db
        assert model.walls_db(a, b) == model.walls_db(b, a) == expected
    assert math.isfinite(model.walls_db((0, 0), (50, 50)))

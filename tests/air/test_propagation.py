"""Models of propagation: what holds for all of them, their own numbers, and bad files."""

import math
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow.air.propagation import (
    WAVELENGTH_M,
    FreeSpace,
    LinkTable,
    LogDistance,
    Propagation,
    Shadowing,
    Site,
    TwoRayGround,
    Wall,
    Walls,
)
from espnow.errors import UserError

WALLS = (Wall((0.0, -10.0), (0.0, 10.0), 8.0), Wall((-20.0, 5.0), (20.0, 6.0), 3.5))
MODELS = [
    LogDistance(),
    LogDistance(2.2, 150.0),
    FreeSpace(),
    TwoRayGround(),
    Shadowing(LogDistance(3.5), 7.0, 3),
    Walls(WALLS),
    Walls(WALLS, Shadowing(TwoRayGround(), 4.0, 2, 2.0)),
    LinkTable({(0, 1): 70.0, (2, 1): 50.0}, LogDistance()),
    LinkTable({(0, 1): 70.0}),
]

metres = st.floats(-2000, 2000)
places = st.tuples(metres, metres)
heights = st.floats(0.1, 30)
sites = st.builds(Site, st.integers(0, 5), places, heights)


@pytest.mark.parametrize("model", MODELS, ids=repr)
@given(one=sites, other=sites)
@settings(max_examples=60, deadline=None)
def test_both_directions_have_one_loss(model, one, other):
    assert isinstance(model, Propagation)
    assert model.between_db(one, other) == model.between_db(other, one)


@pytest.mark.parametrize("model", MODELS, ids=repr)
@given(one=sites, other=sites, budget_db=st.floats(30, 140))
@settings(max_examples=60, deadline=None)
def test_beyond_the_reach_everything_is_lost(model, one, other, budget_db):
    if math.dist(one.position, other.position) > model.reach_m(budget_db, 30) * (1 + 1e-9):
        assert other.number in model.partners(one.number) or model.between_db(one, other) > budget_db * (1 - 1e-9)


@pytest.mark.parametrize("model", [LogDistance(), LogDistance(2.0), FreeSpace(), TwoRayGround()], ids=repr)
@given(near=st.floats(0, 5000), more=st.floats(0, 5000), height=heights)
@settings(max_examples=60, deadline=None)
def test_farther_is_never_louder(model, near, more, height):
    here = Site(0, (0.0, 0.0), height)
    assert model.between_db(here, Site(1, (near, 0.0), height)) <= model.between_db(
        here, Site(1, (0.0, near + more), height)
    )


@pytest.mark.parametrize("model", [LogDistance(), FreeSpace(), TwoRayGround()], ids=repr)
@given(budget_db=st.floats(45, 130))
@settings(max_examples=60, deadline=None)
def test_reach_is_where_the_loss_is(model, budget_db):
    reach_m = model.reach_m(budget_db, 1.5)
    assert model.between_db(Site(0, (0.0, 0.0)), Site(1, (reach_m, 0.0))) == pytest.approx(budget_db, abs=1e-6)
    assert model.reach_m(20.0) == 0.0


def test_free_space():
    # Friis at 2.437 GHz: 32.45 + 20 log10(km) + 20 log10(MHz).
    for metres in (1, 10, 1000):
        expected = 32.4478 + 20 * math.log10(metres / 1000) + 20 * math.log10(2437)
        assert FreeSpace().loss_db(metres) == pytest.approx(expected, abs=1e-3)
    assert LogDistance(2.0).loss_db(50) == pytest.approx(FreeSpace().loss_db(50), abs=0.05)
    # Over the straight way, also upwards.
    assert FreeSpace().between_db(Site(0, (0, 0), 1.0), Site(1, (30, 0), 41.0)) == FreeSpace().loss_db(50)


@pytest.mark.parametrize(("low", "high"), [(1.5, 1.5), (0.5, 10.0), (3.0, 2.0)])
def test_two_rays_cross(low, high):
    model = TwoRayGround()
    crossover_m = 4 * math.pi * low * high / WAVELENGTH_M
    assert model.crossover_m(low, high) == pytest.approx(crossover_m)

    def loss_db(metres):
        return model.between_db(Site(0, (0.0, 0.0), low), Site(1, (metres, 0.0), high))

    assert loss_db(crossover_m * 0.9) == FreeSpace().loss_db(crossover_m * 0.9)
    assert loss_db(crossover_m * (1 - 1e-9)) == pytest.approx(loss_db(crossover_m * (1 + 1e-9)), abs=1e-6)
    assert loss_db(crossover_m * 20) - loss_db(crossover_m * 2) == pytest.approx(40)
    metres = crossover_m * 7
    assert loss_db(metres) == pytest.approx(40 * math.log10(metres) - 20 * math.log10(low * high))


def test_shadows():
    model = Shadowing(LogDistance(), 6.0, 11)
    drawn = [model.shadow_db(i, j) for i in range(100) for j in range(i)]
    # 4950 pairs: the mean is known to 0.09 dB and the deviation to 0.06, one standard error.
    assert abs(fmean(drawn)) < 0.35
    assert pstdev(drawn) == pytest.approx(6.0, abs=0.25)
    assert max(map(abs, drawn)) <= 18.0
    assert sum(abs(db) > 6.0 for db in drawn) / len(drawn) == pytest.approx(0.317, abs=0.03)
    # Neighbouring numbers and seeds have nothing to do with each other.
    assert len(set(drawn)) > 4900
    again = [Shadowing(LogDistance(), 6.0, 12).shadow_db(i, j) for i in range(100) for j in range(i)]
    correlation = fmean(a * b for a, b in zip(drawn, again, strict=True)) / 36
    assert abs(correlation) < 0.06
    # A pair's own, and nobody else's business: these are the numbers of seed 1 for ever.
    assert Shadowing().shadow_db(0, 1) == Shadowing().shadow_db(1, 0)
    assert [round(Shadowing().shadow_db(0, other), 6) for other in (1, 2, 3)] == FIRST_SHADOWS


FIRST_SHADOWS = [-1.162107, -7.261511, 6.394822]


def test_walls():
    model = Walls(WALLS)
    assert model.walls_db((-5.0, 0.0), (5.0, 0.0)) == 8.0
    assert model.walls_db((-5.0, 0.0), (5.0, 9.0)) == 8.0 + 3.5
    assert model.walls_db((-5.0, 0.0), (-5.0, 9.0)) == 3.5
    assert model.walls_db((-5.0, 0.0), (-1.0, 0.0)) == 0.0
    assert model.walls_db((-5.0, 20.0), (5.0, 20.0)) == 0.0
    assert model.walls_db((0.0, -8.0), (0.0, 2.0)) == 0.0  # along it
    far = Site(0, (-5.0, 0.0)), Site(1, (5.0, 0.0))
    assert model.between_db(*far) == LogDistance().between_db(*far) + 8.0


def test_a_table(tmp_path):
    path = tmp_path / "links.csv"
    path.write_text("from, to, loss_db, remark\na,b,61.5,kitchen\n\nb,a,63,\nb,c,70,\n")
    names = {"a": 0, "b": 1, "c": 2}
    a, b, c = (Site(number, (10.0 * number, 0.0)) for number in range(3))
    table = LinkTable.read(path, names)
    assert (table.between_db(a, b), table.between_db(b, a)) == (61.5, 63.0)
    assert table.between_db(b, c) == table.between_db(c, b) == 70.0
    assert table.between_db(a, c) == math.inf
    assert table.reach_m(100.0) == 0.0
    assert [table.partners(number) for number in range(4)] == [(1,), (0, 2), (1,), ()]
    wider = LinkTable({(0, 2): 44.0}, LinkTable.read(path, names, LogDistance()))
    assert (wider.between_db(a, c), wider.between_db(a, b)) == (44.0, 61.5)
    assert wider.between_db(a, Site(9, (7.0, 0.0))) == LogDistance().loss_db(7.0)
    assert wider.partners(0) == (1, 2)
    path.write_text("from,to,loss_db\n0,12,61.5\n")
    assert LinkTable.read(path).partners(12) == (0,)


BAD_TABLES = [
    ("", "line 1: has no column 'from'; the first line must be from,to,loss_db"),
    ("from,to\n", "line 1: has no column 'loss_db'"),
    ("from,to,loss_db\n0,1\n", "line 2: has 2 values, and must have 3"),
    ("from,to,loss_db\n0,1,60\n0,1,60\n", "line 3: to is '1', and must be a pair that no line above has"),
    ("from,to,loss_db\n0,1,-3\n", "line 2: loss_db is '-3', and must be a number from 0 to 300"),
    ("from,to,loss_db\n0,1,nan\n", "line 2: loss_db is 'nan', and must be a number from 0 to 300"),
    ("from,to,loss_db\n0,1,much\n", "line 2: loss_db is 'much', and must be a number from 0 to 300"),
    ("from,to,loss_db\n0,-1,6\n", "line 2: to is '-1', and must be a station's number, 0 or more"),
    ("from,to,loss_db,to\n0,1,6,2\n", "line 1: has two columns 'to'; the first line must be from,to,loss_db"),
    (f"from,to,loss_db\n0,{'9' * 5000},6\n", "and must be a station's number, 0 or more"),
    ("from,to,loss_db\n4,4,6\n", "line 2: to is '4', and must be another station than in 'from'"),
    ('from,to,loss_db\n0,"1,6\n', "is no CSV file in UTF-8 with the columns from,to,loss_db"),
    (b"from,to,loss_db\n0,\xff,6\n", "is no CSV file in UTF-8"),
]


@pytest.mark.parametrize(("text", "said"), BAD_TABLES)
def test_bad_tables(tmp_path, text, said):
    path = tmp_path / "links.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as error:
        LinkTable.read(path)
    assert str(error.value).startswith(str(path))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_other_bad_things(tmp_path):
    with pytest.raises(UserError, match=r"none\.csv: cannot be read: No such file"):
        LinkTable.read(tmp_path / "none.csv")
    path = tmp_path / "links.csv"
    path.write_text("from,to,loss_db\na,x,6\n")
    with pytest.raises(UserError, match=r"line 2: to is 'x', and must be the name of a station"):
        LinkTable.read(path, {"a": 0})
    with pytest.raises(UserError, match=r"link from 0 to 1: loss_db is 301, and must be from 0 to 300"):
        LinkTable({(0, 1): 301})
    with pytest.raises(UserError, match=r"log-distance: exponent is nan, and must be from 1 to 10"):
        LogDistance(math.nan)
    with pytest.raises(UserError, match=r"log-distance: range_m is -5, and must be 0 or more, or None"):
        LogDistance(3.0, -5)
    with pytest.raises(UserError, match=r"sigma_db is 21, and must be from 0 to 20"):
        Shadowing(sigma_db=21)
    with pytest.raises(UserError, match=r"most is 0, and must be from 0\.1 to 6"):
        Shadowing(most=0)
    with pytest.raises(UserError, match=r"wall 0: loss_db is -1, and must be from 0 to 300"):
        Walls([Wall((0, 0), (1, 1), -1)])
    with pytest.raises(UserError, match=r"wall 0: its ends are four numbers of metres"):
        Walls([Wall((0, math.nan), (1, 1), 1)])


def test_walls_from_a_file(tmp_path):
    path = tmp_path / "walls.csv"
    path.write_text("x1_m,y1_m,x2_m,y2_m,loss_db\n0,-10,0,10,8\n-20,5,20,6,3.5\n")
    assert Walls.read(path) == Walls(WALLS)
    path.write_text("x1_m,y1_m,x2_m,y2_m,loss_db\n0,-10,0,1e7,8\n")
    with pytest.raises(UserError, match=r"line 2: y2_m is '1e7', and must be a number from -1e\+06 to 1e\+06"):
        Walls.read(path)

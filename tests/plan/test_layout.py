"""Where stations stand, and whom their messages are for."""

import math
from dataclasses import replace
from random import Random

import pytest

from espnow.air import LogDistance
from espnow.air.changes import Loss
from espnow.air.propagation import FreeSpace, Shadowing, Site, TwoRayGround, Wall, Walls
from espnow.air.scene import BROADCAST
from espnow.errors import UserError
from espnow.plan import planfile
from espnow.plan.layout import _Near, hearing, lay_out

GROUPS = """\
duration = "1s"
[[station]]
name = "hub"
grid = 100
count = 3
columns = 3
[[station]]
name = "leaf"
random = [200, 50]
origin = [0, 10]
count = 40
power = 5
"""


@pytest.fixture
def layout(write):
    """Return a function that lays out a plan of these groups with a traffic to somebody."""

    def layout(to, seed=1, groups=GROUPS, **changes):
        traffic = f'[[traffic]]\nfrom = "leaf"\nto = "{to}"\nevery = "100ms"\n'
        (point,) = planfile.read(write(groups + traffic)).points
        return lay_out(replace(point.part, **changes), seed)

    return layout


def test_a_grid_is_filled_row_after_row(layout):
    groups = GROUPS.replace("columns = 3", "columns = 2\norigin = [5, 6]")
    places = layout("all", groups=groups).scene.places
    assert [place.position for place in places[:3]] == [(5, 6), (105, 6), (5, 106)]
    assert [place.position for place in layout("all", groups=GROUPS.replace("columns = 3\n", "")).scene.places[:3]] == [
        (0, 0),
        (100, 0),
        (0, 100),
    ]


def test_a_random_group_is_in_its_area_and_follows_the_seed(layout):
    def leaves(*arguments, **options):
        return [place.position for place in layout("all", *arguments, **options).scene.places[3:]]

    one = leaves(1)
    assert all(0 <= x <= 200 and 10 <= y <= 60 for x, y in one)
    assert len(set(one)) == 40
    assert leaves(1) == one
    assert leaves(2) != one
    # More stations, or another group of another size, move none of them.
    assert leaves(1, groups=GROUPS.replace("count = 40", "count = 50"))[:40] == one
    assert leaves(1, groups=GROUPS.replace("grid = 100", "grid = 50")) == one


def test_a_csv_says_what_it_says_and_the_group_the_rest(write, layout):
    write("x,y,power,channel,group\n1,2,,,leaf\n3,4,7,,leaf\n5,6,,11,hub\n7,8,,6,leaf\n", "all.csv")
    groups = 'duration = "1s"\n' + "".join(
        f'[[station]]\nname = "{name}"\ncsv = "all.csv"\npower = 15\n' for name in ("leaf", "hub")
    )
    places = layout("all", groups=groups).scene.places
    assert [(place.position, place.power_dbm, place.channel) for place in places] == [
        ((1, 2), 15, 1),
        ((3, 4), 7, 1),
        ((7, 8), 15, 6),
        ((5, 6), 15, 11),
    ]


def test_messages_to_all_and_to_a_station(layout):
    assert {stream.to for stream in layout("all").scene.traffic} == {BROADCAST}
    assert {stream.to for stream in layout("hub[2]").scene.traffic} == {2}
    assert [stream.station for stream in layout("hub[2]").scene.traffic] == list(range(3, 43))


@pytest.mark.parametrize(("to", "candidates"), [("hub", range(3)), ("nearest", range(43))])
def test_messages_to_the_nearest(layout, to, candidates):
    scene = layout(to).scene
    places = [place.position for place in scene.places]
    for stream in scene.traffic:
        here = places[stream.station]
        others = [number for number in candidates if number != stream.station]
        assert stream.to == min(others, key=lambda number: (math.dist(places[number], here), number))


def test_messages_to_any_other(layout):
    scene = layout("random").scene
    assert all(stream.to != stream.station for stream in scene.traffic)
    assert len({stream.to for stream in scene.traffic}) > 10
    assert layout("random").scene.traffic == scene.traffic


def test_a_station_sends_nothing_to_itself(layout):
    groups = GROUPS.replace("count = 40", "count = 1")
    assert layout("leaf", groups=groups).scene.traffic == []


def test_nobody_to_send_to_is_a_mistake(layout):
    groups = 'duration = "1s"\n[[station]]\nname = "leaf"\nat = [0, 0]\n'
    with pytest.raises(UserError, match=r"traffic\[0\]\.to: nobody else is awake on channel 1, as leaf is"):
        layout("nearest", groups=groups)


def test_each_station_begins_anywhere_in_its_period(layout):
    first = [stream.first_us for stream in layout("all").scene.traffic]
    assert all(0 <= us < 100_000 for us in first)
    assert len(set(first)) > 30


@pytest.mark.parametrize("count", [2, 20, 500])
def test_the_nearest_by_squares_is_the_nearest(count):
    chance = Random(count)
    places = [((chance.uniform(0, 300), chance.uniform(0, 20)), number) for number in range(count)]
    near = _Near(places)
    for _ in range(50):
        at = (chance.uniform(-100, 400), chance.uniform(-100, 100))
        but = chance.randrange(count)
        expected = min((math.dist(at, there), number) for there, number in places if number != but)[1]
        assert near.nearest(at, but) == expected


# How signals travel.


@pytest.mark.parametrize(
    ("air", "model"),
    [
        ("", LogDistance(3.0)),
        ("[air]\npath_loss_exponent = 2.5\nrange = 70", LogDistance(2.5, 70)),
        ('[air]\nmodel = "free-space"', FreeSpace()),
        ('[air]\nmodel = "two-ray"\nshadowing = 4', Shadowing(TwoRayGround(), 4, 9)),
        (
            "[floor]\n[[floor.wall]]\nfrom = [1, 2]\nto = [3, 4]\nloss = 5",
            Walls((Wall((1, 2), (3, 4), 5),), LogDistance(3.0)),
        ),
    ],
)
def test_the_air_is_as_the_plan_says(layout, air, model):
    assert layout("all", 9, groups=f"{GROUPS}{air}\n").scene.propagation == model


def test_links_are_between_stations_by_name(write, layout):
    groups = GROUPS + '[air]\nmodel = "links"\nlinks = "links.csv"\n'
    write("loss_db,from,to\n50,hub[1],leaf[2]\n", "links.csv")
    propagation = layout("all", groups=groups).scene.propagation
    sites = [Site(number, (0.0, 0.0)) for number in range(6)]
    assert propagation.between_db(sites[1], sites[5]) == propagation.between_db(sites[5], sites[1]) == 50
    assert propagation.between_db(sites[0], sites[5]) == math.inf
    for name, told in (("hub", r"hub is no station: write hub\[0\] to \[2\]"), ("hut", "there is no station hut")):
        write(f"from,to,loss_db\n{name},leaf[2],50\n", "links.csv")
        with pytest.raises(UserError, match=f"air.links: {told}"):
            layout("all", groups=groups)


def test_a_group_has_its_antenna(layout):
    place = layout("all", groups=GROUPS.replace("power = 5", "power = 5\nantenna = 3\nheight = 9")).scene.places[-1]
    assert (place.power_dbm, place.antenna_dbi, place.height_m) == (5, 3, 9)


def test_who_hears_whom_is_who_is_in_reach_of_either(layout):
    groups = GROUPS.replace("count = 40", "count = 2\nchannel = 6").replace("power = 5", "power = 20")
    wall = "[floor]\n[[floor.wall]]\nfrom = [50, -9]\nto = [50, 9]\nloss = 300\n"
    # The hubs are at 0, 100 and 200 m; the leaves are on another channel.
    assert hearing(layout("all", groups=groups).scene) == [(0, 1), (0, 2), (1, 2), (3, 4)]
    assert hearing(layout("all", groups=groups + wall).scene) == [(1, 2), (3, 4)]
    assert hearing(layout("all", groups=groups + "[air]\nrange = 150\n").scene)[:2] == [(0, 1), (1, 2)]
    weak = groups.replace("columns = 3", "columns = 3\npower = -20")
    assert hearing(layout("all", groups=weak).scene) == [(3, 4)]


def test_a_group_on_its_way_goes_with_each_of_its_places(tmp_path):
    (tmp_path / "losses.csv").write_text("time_s,from,to,loss\n1,walker[1],hub,1\n")
    path = tmp_path / "plan.toml"
    path.write_text(
        """
duration = "2s"
[air]
losses = "losses.csv"
[[station]]
name = "hub"
at = [0, 0]
[[station]]
name = "walker"
grid = 5
count = 2
way = [["0s", 0, 0], ["10s", 100, -20]]
repeats = true
[[traffic]]
name = "report"
from = "walker"
to = "hub"
every = "10ms"
"""
    )
    part = planfile.read(path).points[0].part
    scene = lay_out(part, 1).scene
    assert scene.ways[1].position(5_000_000) == (50.0, -10.0)
    assert scene.ways[2].position(5_000_000) == (55.0, -10.0)
    assert scene.ways[2].position(15_000_000) == scene.ways[2].position(5_000_000)
    assert scene.losses == [Loss(1_000_000, 2, 0, 1.0)]
    result = scene.run(part.duration_us)
    assert result[0].delivered > 195
    assert 95 <= result[1].delivered <= 102

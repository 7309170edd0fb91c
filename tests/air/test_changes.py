"""Stations on their way, and losses that change: where they are, and what is heard then."""

import math
import signal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.air.changes import Loss, Way, read_losses
from espnow.air.propagation import LogDistance, sensitivity_dbm
from espnow.air.scene import Flood, Place, Scene, Traffic
from espnow.errors import UserError

SECOND = 1_000_000
REACH_M = LogDistance().reach_m(20.0 - sensitivity_dbm(0))

places = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


@st.composite
def ways(draw):
    gaps = draw(st.lists(st.integers(20_000, 5 * SECOND), min_size=1, max_size=5))
    at_us, points = draw(st.integers(0, SECOND)), []
    for gap in gaps:
        points.append((at_us, draw(places)))
        at_us += gap
    return Way(points, draw(st.booleans()))


@given(ways())
def test_a_way_goes_through_its_points_and_jumps_nowhere(way):
    first_us, last_us = way.points[0][0], way.points[-1][0]
    for at_us, place in way.points:
        assert way.position(at_us) == pytest.approx(place, abs=1e-6)
    if not way.repeats or len(way.points) == 1:
        assert way.position(last_us + 77 * SECOND) == way.points[-1][1]
    elif last_us > first_us:
        again = way.position(last_us + (last_us - first_us) // 3)
        assert again == way.position(first_us + (last_us - first_us) // 3)
    assert way.position(-1) == way.points[0][1]


@given(ways(), st.integers(0, 3 * SECOND), st.integers(0, 12 * SECOND))
def test_between_two_steps_is_a_metre_at_most(way, from_us, more_us):
    steps = list(way.steps(from_us, from_us + more_us))
    assert all(from_us < at_us <= from_us + more_us for at_us in steps)
    assert steps == sorted(steps)
    if way.repeats:
        return
    # As seldom as steps may come, the fastest goes farther.
    fastest = max((math.dist(a, b) / (end - begin) for (begin, a), (end, b) in pairwise(way.points)), default=0.0)
    allowed = max(1.0, fastest * 10_000) + fastest * 2 + 1e-6
    for one, other in pairwise([from_us, *steps, from_us + more_us]):
        assert math.dist(way.position(one), way.position(other)) <= allowed


@given(ways(), st.integers(2, 20))
def test_each_time_it_goes_again_has_the_same_steps(way, turns):
    first_us, last_us = way.points[0][0], way.points[-1][0]
    if way.repeats and last_us > first_us:
        shift_us = turns * (last_us - first_us)
        second = list(way.steps(last_us, 2 * last_us - first_us))
        again = list(way.steps(first_us + shift_us, last_us + shift_us))
        assert [at_us - shift_us for at_us in again] == [at_us - (last_us - first_us) for at_us in second]
        # At the jump to the first point it is there at once.
        assert (way.points[0][1] == way.points[-1][1]) or again[0] == first_us + shift_us + 1


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ([], "at least one point"),
        ([(5, (0.0, 0.0)), (5, (1.0, 0.0))], "must be later"),
        ([(0, (math.nan, 0.0))], "within 1e9 m"),
        ([(0, (0.0, 0.0)), (9_999, (1.0, 0.0))], "takes 10000 us or more"),
    ],
)
def test_a_way_that_cannot_be(points, told):
    with pytest.raises(ValueError, match=told):
        Way(points, repeats=True)


@pytest.mark.parametrize("form", ["interpreted", "compiled"])
def test_a_station_that_walks_away_is_heard_until_it_is_out_of_range(form, request):
    request.getfixturevalue(form)
    # It goes 10 m a second, and says so ten times a second; nobody else sends.
    way = Way([(0, (1.0, 0.0)), (60 * SECOND, (601.0, 0.0))])
    scene = Scene([Place((0.0, 0.0)), Place((0.0, 0.0))], [Traffic(1, size=20, period_us=100_000)], ways={1: way})
    (result,) = scene.run(60 * SECOND)
    # It is put elsewhere once a metre, and the last metre is at the receiver's sensitivity.
    assert abs(result.delivered - REACH_M) <= 12
    assert result.made == 601


def test_each_goes_its_own_way():
    """One walks away, one comes from afar, and one stays: all that was said is heard where it was then."""
    away, near = (0.0, 3 * REACH_M), (0.0, 1.0)
    scene = Scene(
        [Place((0.0, 0.0))] * 4,
        [Traffic(number, size=20, period_us=20_000, first_us=5_000 * number) for number in (1, 2, 3)],
        ways={
            1: Way([(0, near), (2 * SECOND, near), (3 * SECOND, away)]),
            2: Way([(0, away), (7 * SECOND, away), (8 * SECOND, near)]),
            3: Way([(0, away)]),
        },
    )
    # At first 1 is near 0, at last 2 is; 2 and 3 hear each other while both are away, and so does 1 later.
    course = scene.begin()
    counts = []
    for second in (2, 4, 7, 9, 10):
        course.run(second * SECOND)
        counts.append([result.delivered for result in scene.results(course.kernel)])
    first, _, third, _, last = ([b - a for a, b in zip(x, y, strict=True)] for x, y in pairwise([[0] * 3, *counts]))
    assert first == [100, 100, 100]  # to 0, to 3, and to 2
    assert third == [300, 300, 300]  # each to two others: all three are away
    assert last == [50, 50, 50]


def test_a_course_in_pieces_is_the_same_course():
    ways = {
        number: Way([(0, (10.0 * number, 0.0)), (4 * SECOND, (300.0 - 10 * number, 50.0))], repeats=number % 2 == 0)
        for number in range(6)
    }
    scene = Scene(
        [Place((40.0 * number, 20.0)) for number in range(12)],
        [Traffic(number, size=60, period_us=20_000, first_us=977 * number) for number in range(12)]
        + [Traffic(3, size=9, period_us=SECOND, flood=Flood(4))],
        ways=ways,
        losses=[Loss(SECOND, 7, 8, 0.5), Loss(2 * SECOND, 7, 8, 0.0)],
    )
    whole = scene.run(6 * SECOND)
    course = scene.begin()
    for piece in range(1, 61):
        course.run(piece * 100_000)
    assert scene.results(course.kernel) == whole
    assert scene.begin().kernel.trace != course.kernel.trace


def test_a_loss_holds_from_its_time_on():
    scene = Scene(
        [Place((0.0, 0.0)), Place((5.0, 0.0)), Place((0.0, 5.0))],
        [Traffic(0, size=20, period_us=10_000)],
        losses=[Loss(10 * SECOND, 0, 1, 0.25), Loss(20 * SECOND, 0, 1, 1.0), Loss(30 * SECOND, 0, 1, 0.0)],
    )
    course = scene.begin()
    counts = []
    for second in range(10, 50, 10):
        course.run(second * SECOND - 5_000)
        counts.append(scene.results(course.kernel)[0].delivered)
    first, second, third, fourth = (after - before for before, after in pairwise([0, *counts]))
    assert first == fourth == 2_000
    assert 1_700 <= second <= 1_800
    assert third == 1_000


def test_losses_come_from_a_file(tmp_path):
    path = tmp_path / "losses.csv"
    path.write_text("time_s,from,to,loss\n2.5,leaf,hub,0.5\n0,hub,leaf,1\n")
    assert read_losses(path, {"hub": 0, "leaf": 1}) == [Loss(0, 0, 1, 1.0), Loss(2_500_000, 1, 0, 0.5)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time_s,from,to,loss\n1,0,1,2\n", "line 2: loss is '2', and must be a number from 0 to 1"),
        ("time_s,from,to,loss\n-1,0,1,0\n", "line 2: time_s is '-1'"),
        ("time_s,from,to,loss\n1,0,0,0\n", "another station than in 'from'"),
        ("time_s,from,to\n", "has no column 'loss'"),
        ("time_s,from,to,loss\n", "has no line with a loss"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, text, told):
    path = tmp_path / "losses.csv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_losses(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize("what", [{"ways": {2: Way([(0, (0.0, 0.0))])}}, {"losses": [Loss(0, 0, 2, 0.5)]}])
def test_who_is_not_there_has_no_way_and_no_loss(what):
    with pytest.raises(ValueError, match="below 2, the number of places"):
        Scene([Place((0.0, 0.0))] * 2, [Traffic(0)], **what).begin()


def test_a_run_beyond_what_a_clock_holds_is_refused():
    scene = Scene([Place((0.0, 0.0))], [Traffic(0)])
    for until_us in (-1, 2**53, 10**300):
        with pytest.raises(ValueError, match=r"until_us is .*, and must be 0 or more, and less than"):
            scene.run(until_us)
    with pytest.raises(ValueError, match="which is 285 years or more away"):
        Way([(0, (0.0, 0.0)), (2**53, (1.0, 0.0))])
    with pytest.raises(ValueError, match="at_us is -1"):
        Scene([Place((0.0, 0.0))] * 2, [], losses=[Loss(-1, 0, 1, 0.5)]).begin()


def test_a_long_run_hears_ctrl_c():
    """The kernel gives way to Python once a second of its time."""
    scene = Scene([Place((0.0, 0.0))] * 2, [Traffic(0, period_us=100_000)])
    course = scene.begin()

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            course.run(10**13)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert 0 < course.kernel.now_us < 10**13

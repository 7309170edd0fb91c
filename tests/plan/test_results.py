"""Statistics against values from elsewhere, and the report."""

import csv
import html.parser
import math
from pathlib import Path

import pytest

from espnow.air.kernel import LATENCY_LENGTH, LATENCY_STEPS
from espnow.plan import planfile, report
from espnow.plan.charts import Line, colour, lines, station_map
from espnow.plan.results import METRICS, Row, interval, jain, percentile_us, student, summarise, value_text
from espnow.plan.store import write_csv


@pytest.mark.parametrize(
    ("freedom", "value"),  # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2
    [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042), (31, 2.040), (40, 2.021), (60, 2.000), (100, 1.984)],
)
def test_students_t(freedom, value):
    assert student(freedom) == pytest.approx(value, abs=5.1e-4)


def test_an_interval():
    # Mean 5, standard deviation 2.5820: 3.1824 * 2.5820 / 2.
    found = interval([2, 4, 6, 8])
    assert (found.mean, found.runs) == (5, 4)
    assert found.half == pytest.approx(4.1085, abs=1e-4)
    assert interval([]) is None
    assert interval([3]).half is None
    assert interval([3, 3, 3]).half == 0


def test_fairness():
    assert jain([5, 5, 5, 5]) == 1
    assert jain([7, 0, 0, 0]) == 0.25
    assert jain([1, 3]) == pytest.approx(0.8)
    assert jain([0, 0]) is None
    assert jain([]) is None


def counts_of(latencies):
    counts = [0] * LATENCY_LENGTH
    for us in latencies:
        counts[int(math.log10(us + 1) * LATENCY_STEPS)] += 1
    return counts


def test_percentiles_are_within_a_step_of_the_exact_ones():
    latencies = [us * us for us in range(10, 1010)]
    counts = counts_of(latencies)
    for share in (0.5, 0.9, 0.99, 1.0):
        exact = latencies[math.ceil(share * len(latencies)) - 1]
        assert percentile_us(counts, share) == pytest.approx(exact, rel=10 ** (1 / LATENCY_STEPS) - 1)
    assert percentile_us([0] * LATENCY_LENGTH, 0.5) is None


def record(count, seed, delivery, **more):
    figures = {metric.name: None for metric in METRICS}
    return {
        "run": f"key{count}-{seed}",
        "point": {"station.leaf.count": count},
        "seed": seed,
        "traffic": {"report": figures | {"messages": 10, "delivery": delivery} | more},
        "map": [[0.0, 0.0, None], *([[3.0, 4.0, delivery]] * count)],
    }


RECORDS = [record(1, 1, 1.0), record(1, 2, 0.5), record(3, 1, 0.25, load=0.5), record(3, 2, 0.25)]


def records_of(plan):
    """The same, as of the points of a plan."""
    keys = {point.values[0][1]: point.key for point in plan.points}
    return [record | {"run": f"{keys[record['point']['station.leaf.count']]}-{record['seed']}"} for record in RECORDS]


def test_a_summary_has_a_row_for_each_point_and_traffic():
    one, three = summarise(RECORDS)
    assert one.values == (("station.leaf.count", 1),)
    assert (one.name, one.runs) == ("report", 2)
    assert one.figures["delivery"].mean == 0.75
    assert one.figures["delivery"].half == pytest.approx(12.7062 * 0.25)
    assert one.figures["load"] is None
    assert three.figures["load"].half is None


def test_the_csv_has_a_mean_and_half_an_interval_of_each_figure(tmp_path):
    write_csv(tmp_path / "summary.csv", summarise(RECORDS))
    with (tmp_path / "summary.csv").open(newline="") as file:
        one, three = csv.DictReader(file)
    assert one["station.leaf.count"] == "1"
    assert one["traffic"] == "report"
    assert one["delivery"] == "0.75"
    assert float(one["delivery_half"]) == pytest.approx(3.17655, rel=1e-5)
    assert (three["load"], three["load_half"], three["retries"]) == ("0.5", "", "")
    assert len(one) == 3 + 2 * len(METRICS)


class Page(html.parser.HTMLParser):
    """Counts the elements of a page, and what it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.open, self.count, self.outside = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        self.outside += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "rect", "line", "circle", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("meta", "rect", "line", "circle", "polyline"):
            assert self.open.pop() == tag


def test_the_report_is_one_file_with_tables_plots_and_maps(plan):
    read = planfile.read(plan)
    text = report.render(read, records_of(read), summarise(RECORDS))
    page = Page(text)
    assert page.open == []
    assert page.outside == []
    assert "script" not in page.count
    assert page.count["svg"] == 2 + 2  # delivery and load; two maps
    assert page.count["tr"] == 3
    assert "(seed 1, 1 pairs hear each other)" in text
    assert "(seed 1, 6 pairs hear each other)" in text
    assert "12.7" not in text  # an interval is half a width, not t
    assert "75.0 ± 317.7" in text


def test_the_report_shows_what_a_plan_says_as_text(write):
    path = write(
        '# <b>& "x"\n'
        + Path(__file__).with_name("conftest.py").read_text().partition('PLAN = """\\\n')[2].partition('"""')[0]
    )
    read = planfile.read(path)
    text = report.render(read, records_of(read), summarise(RECORDS))
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text


def test_a_plot_of_names_of_times_and_of_nothing(plan):
    assert lines("y", "x", []) == ""
    drawn = lines("y", "x", [Line("a", [(0, 1, None), (1, 2, 0.5)]), Line("b", [(0, 3, None)])], ["1M", "11M"])
    assert ">11M</text>" in drawn
    assert drawn.count("<circle") == 3
    rows = [
        Row((("traffic.a.every", every), ("traffic.a.rate", rate)), "a", 1, {m.name: interval([1.0]) for m in METRICS})
        for every in ("100ms", "1s")
        for rate in ("1M", "11M")
    ]
    read = planfile.read(plan)
    text = report.render(read, records_of(read), rows)
    assert "traffic.a.every, s" in text
    assert "rate 11M" in text


def test_colours_go_from_dark_to_bright():
    assert colour(0) == "#440154"
    assert colour(1) == colour(2) == "#fde725"
    assert colour(0.5) == "#21918c"


def test_a_map_has_stations_lines_and_walls():
    stations, walls = [[0, 0, None], [10, 0, 1.0], [10, 5, 0.0]], [((5, -1), (5, 6), 8)]
    drawn = station_map(stations, [(0, 1)], walls, (20, 7), names=["hub", "leaf[0]", "leaf[1]"])
    assert "<title>hub at [0, 0]</title>" in drawn
    assert "<title>leaf[1] at [10, 5]: 0.0% delivered</title>" in drawn
    assert drawn.count("<circle") == 3
    # It reaches from the end of the wall in the south to the floor's corner in the north-east.
    assert 'viewBox="-1.00 -1.00 22.00 10.00"' in drawn
    assert 'class="silent" cx="0.00" cy="7.00"' in drawn
    assert 'fill="#fde725" cx="10.00" cy="7.00"' in drawn
    assert '<line class="link" x1="0.00" y1="7.00" x2="10.00" y2="7.00"/>' in drawn
    assert '<line class="wall" x1="5.00" y1="8.00" x2="5.00" y2="1.00"><title>8 dB</title></line>' in drawn
    assert '<rect class="floor" x="0.00" y="0.00" width="20.00" height="7.00"/>' in drawn


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (25, "25"),
        (0.1, "0.1"),
        (True, "true"),
        ("esp32", "esp32"),
        ("red\x1b[31m", "red\\x1b[31m"),
        ([0, 2.5], "[0, 2.5]"),
        ({"chip": "esp32", "battery_mah": 1200}, "chip=esp32, battery_mah=1200"),
    ],
)
def test_the_value_of_a_swept_key_stands_in_tables_as_the_plan_has_it(tmp_path, value, text):
    row = summarise([record(1, 1, 1.0) | {"point": {"key": value}}])
    write_csv(tmp_path / "summary.csv", row)
    with (tmp_path / "summary.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["key"] == text
    assert value_text(value) == text

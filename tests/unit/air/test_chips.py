"""What is known of the chips: it is in order, it has sources, and docs/chips.md says the same."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from espnow.air.chips import CHIPS, Chip, Figure, TransmitPoint, chip
from espnow.frame import LR_RATES, RATE_1M, RATE_LORA_250K, RATE_MCS0_LONG, RATES, Rate

PAGE = (Path(__file__).parents[3] / "docs" / "chips.md").read_text()

#: What the page puts behind a figure.
MARKS = {"": "read", "c": "cited", "a": "assumed"}

#: The rows of the page's table of states.
STATES = {
    "receive": "receive_ma",
    "modem sleep": "modem_sleep_ma",
    "light sleep": "light_sleep_ma",
    "deep sleep, RTC timer and memory": "deep_sleep_memory_ma",
    "deep sleep, RTC timer": "deep_sleep_ma",
    "power off": "power_off_ma",
}

each_chip = pytest.mark.parametrize("known", CHIPS.values(), ids=CHIPS)


def figures(value: object) -> Iterator[Figure]:
    """Every figure that a chip holds, however deep."""
    if isinstance(value, Figure):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from figures(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from figures(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from figures(getattr(value, field.name))


def rates_of(known: Chip) -> list[int]:
    return [rate for rate in RATES if known.sensitivity_dbm(rate) < math.inf]


def ladders() -> list[list[int]]:
    """The rates of each modulation, the slowest first; the two of 802.11b are one."""

    def kind(rate: Rate) -> tuple[str, bool]:
        return "CCK" if rate.modulation == "DSSS" else rate.modulation, rate.short

    ordered = sorted(RATES.values(), key=lambda rate: (kind(rate), rate.kbit_s))
    return [[rate.number for rate in group] for _, group in itertools.groupby(ordered, kind)]


@each_chip
def test_a_faster_rate_is_never_more_sensitive(known: Chip) -> None:
    for ladder in ladders():
        heard = [known.sensitivity_dbm(rate) for rate in ladder]
        assert heard == sorted(heard)


@each_chip
def test_a_faster_rate_is_never_stronger(known: Chip) -> None:
    for ladder in ladders():
        sent = [known.max_power_dbm(rate) for rate in ladder if rate in rates_of(known)]
        assert sent == sorted(sent, reverse=True)


@each_chip
def test_every_rate_is_told(known: Chip) -> None:
    missing = LR_RATES if known.name == "esp8266" else frozenset()
    assert set(known.sensitivities_dbm) == set(known.max_powers_dbm) == set(RATES) - missing
    for rate in rates_of(known):
        assert -110 < known.sensitivity_dbm(rate) < -60
        assert 10 < known.max_power_dbm(rate) < 22


@each_chip
def test_the_current_rises_with_the_power(known: Chip) -> None:
    for rate in rates_of(known):
        steps = [quarter / 4 for quarter in range(int(known.max_power_dbm(rate) * 4) + 1)]
        drawn = [known.transmit_ma(rate, power) for power in steps]
        assert all(more > less for less, more in itertools.pairwise(drawn))
        assert drawn[0] > known.receive_ma.value


@each_chip
def test_the_points_are_met(known: Chip) -> None:
    for point in known.transmit:
        assert known.transmit_ma(RATE_1M, point.power_dbm) == pytest.approx(point.draw_ma.value)


@each_chip
def test_half_way_between_two_points_is_the_mean(known: Chip) -> None:
    for low, high in itertools.pairwise(known.transmit):
        half = known.transmit_ma(RATE_1M, (low.power_dbm + high.power_dbm) / 2)
        assert half == pytest.approx((low.draw_ma.value + high.draw_ma.value) / 2)


@each_chip
def test_a_power_beyond_the_ends(known: Chip) -> None:
    assert known.transmit_ma(RATE_1M, -20) == known.transmit[0].draw_ma.value
    assert known.transmit_ma(RATE_1M, 99) == known.transmit_ma(RATE_1M, known.max_power_dbm(RATE_1M))
    fast = RATE_MCS0_LONG + 7
    assert known.transmit_ma(fast, 99) < known.transmit_ma(RATE_1M, 99)


def test_the_last_line_goes_on() -> None:
    beyond = chip("esp8266")
    below, last = (point.draw_ma.value for point in beyond.transmit[-2:])
    slope = (last - below) / (beyond.transmit[-1].power_dbm - beyond.transmit[-2].power_dbm)
    assert beyond.transmit_ma(RATE_1M, 19) == pytest.approx(last + 2 * slope)


@each_chip
def test_a_deeper_sleep_draws_less(known: Chip) -> None:
    order = [
        known.power_off_ma,
        known.deep_sleep_ma,
        known.deep_sleep_memory_ma,
        known.light_sleep_ma,
        known.modem_sleep_ma,
        known.receive_ma,
    ]
    drawn = [figure.value for figure in order]
    assert drawn == sorted(drawn)
    # The deep sleeps may be one.
    assert len(set(drawn)) >= len(drawn) - 1
    assert known.deep_sleep_memory_ma.value < known.light_sleep_ma.value


@each_chip
def test_a_cpu_that_waits_draws_less(known: Chip) -> None:
    clocks = [at.mhz for at in known.cpu]
    assert clocks == sorted(set(clocks))
    for mhz in clocks:
        assert known.idle_ma(mhz, waiting=True) <= known.idle_ma(mhz) < known.receive_ma.value
    for waiting in (True, False):
        drawn = [known.idle_ma(mhz, waiting=waiting) for mhz in clocks]
        assert drawn == sorted(drawn)
    assert known.idle_ma() == known.idle_ma(known.idle_mhz)
    assert known.modem_sleep_ma.value == known.idle_ma(80, waiting=True)


@each_chip
def test_every_figure_has_a_source(known: Chip) -> None:
    known_figures = list(figures(known))
    assert len(known_figures) > 60
    for figure in known_figures:
        assert figure.source
        if figure.confidence != "assumed":
            assert "Datasheet" in figure.source or "experiments" in figure.source


@each_chip
def test_the_page_names_every_document(known: Chip) -> None:
    documents = {figure.source.partition(",")[0] for figure in figures(known) if figure.confidence != "assumed"}
    for document in documents:
        assert f"| {known.name} | {document.partition(':')[0]}" in PAGE


def test_long_range_hears_farther() -> None:
    for known in CHIPS.values():
        if known.name != "esp8266":
            assert known.sensitivity_dbm(RATE_LORA_250K) < known.sensitivity_dbm(RATE_1M)


def test_a_rate_that_the_chip_has_not() -> None:
    old = chip("esp8266")
    assert old.sensitivity_dbm(RATE_LORA_250K) == math.inf
    with pytest.raises(ValueError, match=r"esp8266 has no rate 41 \(LORA_250K\)"):
        old.max_power_dbm(RATE_LORA_250K)
    with pytest.raises(ValueError, match="esp8266 has no rate 41"):
        old.transmit_ma(RATE_LORA_250K, 10)


@each_chip
def test_a_rate_that_is_none(known: Chip) -> None:
    for rate in (-1, 4, 40, 99):
        with pytest.raises(ValueError, match=f"unknown rate {rate}"):
            known.sensitivity_dbm(rate)
        with pytest.raises(ValueError, match=f"unknown rate {rate}"):
            known.max_power_dbm(rate)
        with pytest.raises(ValueError, match=f"unknown rate {rate}"):
            known.transmit_ma(rate, 10)


@pytest.mark.parametrize("name", ["", "ESP32", "esp32-h2"])
def test_an_unknown_chip_names_those_that_there_are(name: str) -> None:
    with pytest.raises(ValueError, match="unknown chip") as told:
        chip(name)
    for known in CHIPS:
        assert known in str(told.value)


def test_a_clock_without_a_figure() -> None:
    with pytest.raises(ValueError, match="no figure for esp32 at 40 MHz; there are 80, 160, 240"):
        chip("esp32").idle_ma(40)


@each_chip
def test_a_chip_is_one_object(known: Chip) -> None:
    assert chip(known.name) is known
    assert pickle.loads(pickle.dumps(known)) is known
    assert copy.deepcopy(known) is known


@each_chip
def test_nothing_can_be_changed(known: Chip) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        known.name = "other"  # type: ignore[misc]
    for by_rate in (known.sensitivities_dbm, known.max_powers_dbm):
        with pytest.raises(TypeError):
            by_rate[RATE_1M] = Figure(0.0, "none")  # type: ignore[index]


def table(section: str, *head: str) -> list[list[str]]:
    """The rows of the table with that head, in that section of the page."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = iter(text.splitlines())
    wanted = "| " + " | ".join(head) + " |"
    assert wanted in lines, f"{section}: no {wanted}"
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def told(cell: str) -> tuple[float, str]:
    found = re.fullmatch(r"(-?[\d.]+)(?: ([ac]))?", cell)
    assert found, cell
    return float(found[1]), MARKS[found[2] or ""]


def held(figure: Figure) -> tuple[float, str]:
    return figure.value, figure.confidence


@pytest.mark.parametrize(
    ("section", "attribute"), [("Sensitivity", "sensitivities_dbm"), ("Transmit power", "max_powers_dbm")]
)
def test_the_page_tells_the_figures_by_rate(section: str, attribute: str) -> None:
    rows = table(section, "rate", "number", *CHIPS)
    assert [(row[0], int(row[1])) for row in rows] == [(rate.name, number) for number, rate in RATES.items()]
    for column, known in enumerate(CHIPS.values(), start=2):
        on_page = {int(row[1]): told(row[column]) for row in rows if row[column] != "none"}
        assert on_page == {rate: held(figure) for rate, figure in getattr(known, attribute).items()}


def test_the_page_tells_the_currents_of_sending() -> None:
    def cells(known: Chip, point: TransmitPoint) -> tuple[str, str, float, tuple[float, str]]:
        return known.name, point.condition, point.power_dbm, held(point.draw_ma)

    rows = table("Current", "chip", "modulation", "dBm", "mA")
    on_page = [(row[0], row[1], float(row[2]), told(row[3])) for row in rows]
    assert on_page == [cells(known, point) for known in CHIPS.values() for point in known.transmit]


def test_the_page_tells_the_currents_of_the_cpu() -> None:
    rows = table("Current", "chip", "MHz", "running", "waiting")
    on_page = [(row[0], int(row[1]), told(row[2]), told(row[3])) for row in rows]
    assert on_page == [
        (known.name, at.mhz, held(at.running_ma), held(at.waiting_ma)) for known in CHIPS.values() for at in known.cpu
    ]


def test_the_page_tells_the_currents_of_the_states() -> None:
    rows = table("Current", "state", *CHIPS)
    assert [row[0] for row in rows] == list(STATES)
    for column, known in enumerate(CHIPS.values(), start=1):
        assert [told(row[column]) for row in rows] == [held(getattr(known, name)) for name in STATES.values()]


def test_the_page_tells_the_boot() -> None:
    rows = table("Current", "chip", "ms", "mA")
    assert [(row[0], told(row[1]), told(row[2])) for row in rows] == [
        (known.name, held(known.boot_ms), held(known.boot_ma)) for known in CHIPS.values()
    ]

"""What the models give where others measured: the columns of docs/air.md, Beside measurements in the field."""

import math
from pathlib import Path

import pytest

from espnow.air.chips import chip
from espnow.air.propagation import FreeSpace, LogDistance, Site, TwoRayGround
from espnow.frame import RATE_1M, RATE_LORA_250K

PAGE = (Path(__file__).parents[2] / "docs" / "air.md").read_text(encoding="utf-8")
RATES = {"1 Mb/s": RATE_1M, "LR": RATE_LORA_250K}
MODELS = (LogDistance(3.0), LogDistance(4.0), TwoRayGround(), FreeSpace())


def rows(after):
    """Return the cells of the first table after a line, without its head."""
    lines = iter(PAGE.partition(after)[2].splitlines())
    table = []
    for line in lines:
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.split("|")[1:-1]])
        elif table:
            break
    return table[2:]


RANGES = rows("Ranges, in metres.")
SIGNALS = rows("Signals, in dBm.")


def test_the_tables_are_there():
    assert len(RANGES) >= 12
    assert len(SIGNALS) == 4


@pytest.mark.parametrize("row", RANGES, ids=lambda row: row[0])
def test_ranges(row):
    _, radio, antennas, _, *told = row
    name, _, rate = radio.partition(", ")
    known = chip(name)
    spare_db = known.max_power_dbm(RATES[rate]) - known.sensitivity_dbm(RATES[rate]) + float(antennas.split()[0])
    # Two significant digits: nobody measured more.
    expected = [float(f"{model.reach_m(spare_db):.2g}") for model in MODELS]
    assert [float(cell) for cell in told] == expected


@pytest.mark.parametrize("row", SIGNALS, ids=lambda row: row[0])
def test_signals(row):
    distance, _, *told = row
    here, there = Site(0, (0.0, 0.0)), Site(1, (float(distance.split()[0]), 0.0))
    power_dbm = chip("esp32").max_power_dbm(RATE_1M)
    assert [float(cell) for cell in told] == [round(power_dbm - model.between_db(here, there)) for model in MODELS]


def test_the_default_model_is_nearest_on_open_ground():
    """Of the three without a choice of heights, over the ranges on open ground, by the mean of |log(ratio)|."""
    off = [0.0] * len(MODELS)
    for _, _, _, measured, *told in (row for row in RANGES if row[0].startswith(("open", "runway"))):
        for place, cell in enumerate(told):
            off[place] += abs(math.log(float(cell) / float(measured.split()[-1])))
    assert min(off) == off[0]

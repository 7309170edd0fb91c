"""What stations take: against sums done by hand; who sleeps receives nothing."""

import csv
import json
from dataclasses import replace

import pytest

from espnow.air.chips import chip
from espnow.air.energy import Battery, State
from espnow.air.scene import Access, StreamResult, Traffic
from espnow.errors import UserError
from espnow.frame import RATE_24M
from espnow.plan import planfile, report, run
from espnow.plan.energy import _given_up_us, _spent_us
from espnow.plan.layout import hearing, lay_out
from espnow.plan.parts import EnergyPart
from espnow.plan.results import ENERGY, summarise

C3 = chip("esp32-c3")

#: A gateway that listens, and two sensors beside it that sleep and send every 2 s: no collisions, no losses.
PLAN = """\
duration = "20s"
seeds = 2
[[station]]
name = "hub"
at = [0, 0]
energy = {chip = "esp32-c3"}
[[station]]
name = "leaf"
grid = 3
count = 2
power = 21
[station.energy]
chip = "esp32-c3"
between = "deep-sleep"
listen = "20ms"
battery = 1000
usable = 0.8
[[traffic]]
name = "report"
from = "leaf"
to = "hub"
size = 50
every = "2s"
"""

#: A frame of 50 bytes: 192 us and 93 bytes at 1 Mb/s; SIFS; an acknowledgement of 304 us.
FRAME_US, SIFS_US, ACK_US = 192 + 8 * 93, 10, 304


def figures_of(path, group="leaf"):
    works = run.work_of(planfile.read(path))
    return run.run_once(works[0])["energy"][group]


def by_hand(sleep_ma, boots):
    """Return the mean mA of a sensor that sends ten messages in 20 s."""
    message_us = FRAME_US + SIFS_US + ACK_US + 1  # the way there, rounded, and back
    sleep_us = 20e6 - 10 * (message_us + 20_000) - boots * 635_000
    charge = 10 * (FRAME_US * 335 + (message_us - FRAME_US + 20_000) * 84) + boots * 635_000 * 38 + sleep_us * sleep_ma
    return charge / 20e6


@pytest.mark.parametrize(
    ("between", "sleep_ma", "boots"),
    [("deep-sleep", 0.005, 10), ("light-sleep", 0.13, 0), ("modem-sleep", 13, 0), ("idle", 16, 0)],
)
def test_a_sensor_takes_what_a_sum_by_hand_says(write, between, sleep_ma, boots):
    figures = figures_of(write(PLAN.replace("deep-sleep", between)))
    # Where a message comes while the other's is on the air, it waits: a millisecond of receiving, at the most.
    assert figures["current_ma"] == pytest.approx(by_hand(sleep_ma, boots), rel=2e-3, abs=1e-3)
    assert figures["mah_per_day"] == pytest.approx(24 * figures["current_ma"], abs=1e-4)
    assert figures["battery_days"] == pytest.approx(Battery(1000, 0.8).life_days(figures["current_ma"]), rel=1e-3)
    assert figures["battery_days_least"] <= figures["battery_days"]
    assert sum(figures[name] for name in figures if name.endswith("_share")) == pytest.approx(1, abs=1e-5)
    assert (figures["boot_share"] > 0) is (between == "deep-sleep")


def test_whoever_is_awake_receives_all_the_time_that_it_does_not_send(write):
    # The hub answers 20 messages, at 20 dBm.
    answers_us = 20 * ACK_US
    sending_ma = C3.transmit_ma(0, 20)
    figures = figures_of(write(PLAN), "hub")
    assert figures["current_ma"] == pytest.approx((answers_us * sending_ma + (20e6 - answers_us) * 84) / 20e6, rel=1e-6)
    assert figures["battery_days"] is None


def test_an_answer_goes_out_at_its_own_rate(write):
    """At 54 Mb/s it is sent at 24 Mb/s, at which an ESP32 sends with less power than at 1 Mb/s, and draws less."""
    text = PLAN.replace('energy = {chip = "esp32-c3"}', 'energy = {chip = "esp32"}') + 'rate = "54M"\n'
    (work, _) = run.work_of(planfile.read(write(text)))
    layout = lay_out(work.point.part, 1)
    kernel = layout.scene.kernel()
    kernel.run(20_000_000)
    sent_us = kernel.station_totals(0)[0]
    assert sent_us > 0
    esp32 = chip("esp32")
    assert esp32.transmit_ma(RATE_24M, 20) < esp32.transmit_ma(0, 20) - 50
    expected = (sent_us * esp32.transmit_ma(RATE_24M, 20) + (20e6 - sent_us) * 112) / 20e6
    assert figures_of(write(text), "hub")["current_ma"] == pytest.approx(expected, abs=2e-6)


def test_the_rest_of_the_board_counts_all_the_time(write):
    plain = figures_of(write(PLAN))
    more = figures_of(write(PLAN.replace('listen = "20ms"', 'listen = "20ms"\nboard = 1.5')))
    assert more["current_ma"] == pytest.approx(plain["current_ma"] + 1.5)
    assert more["board_share"] == pytest.approx(1.5 / more["current_ma"], rel=1e-4)


def test_a_group_without_a_chip_has_no_figures(write):
    path = write(PLAN.replace('energy = {chip = "esp32-c3"}\n', ""))
    assert list(run.run_once(run.work_of(planfile.read(path))[0])["energy"]) == ["leaf"]


# How long in which state.


def spent(energy, *, sent_us=0, **counts):
    zeros = dict.fromkeys(("made", "dropped", "sent", "acknowledged", "failed", "attempts", "heard", "delivered"), 0)
    one = StreamResult(**zeros | {"latency_us": 0.0} | counts)
    return _spent_us(energy, 10_000_000, Access(), 7, [(Traffic(0, 1, 50), one)], sent_us)


DEEP = EnergyPart(where="", chip="esp32-c3", between=State.DEEP_SLEEP, listen_us=1000)


@pytest.mark.parametrize("energy", [DEEP, replace(DEEP, between=State.IDLE), replace(DEEP, between=State.RECEIVE)])
@pytest.mark.parametrize("made", [0, 1, 10, 100_000])
def test_all_states_together_are_the_run(energy, made):
    states = spent(energy, made=made, latency_us=2000.0 * made, sent_us=1000 * made)
    assert sum(states.values()) == pytest.approx(10_000_000)
    assert min(states.values()) >= 0
    if made == 100_000:
        assert states.get(State.DEEP_SLEEP, 0) == 0


def test_a_message_that_is_given_up_is_waited_for():
    # Seven attempts with windows of 63, 127, ... 1023, 1023 behind the first.
    slots = (63 + 127 + 255 + 511 + 1023 + 1023) / 2
    expected = 7 * (50 + FRAME_US + 222) + 20 * slots
    assert _given_up_us(Access(), 7, FRAME_US) == expected
    states = spent(DEEP, made=1, failed=1, sent_us=7 * FRAME_US)
    assert states[State.TRANSMIT] + states[State.RECEIVE] == expected + 1000


def test_giving_up_takes_as_long_on_the_air_as_is_assumed(write):
    """The hub answers too weakly to be heard, and the next message is always there, after one more backoff."""
    text = PLAN.replace('name = "hub"', 'name = "hub"\npower = -20').replace("count = 2", "count = 1\norigin = [9, 9]")
    text = text.replace("deep-sleep", "light-sleep").replace('every = "2s"', "saturated = true")
    (work, _) = run.work_of(planfile.read(write(text + "[air]\npath_loss_exponent = 5\n")))
    kernel = lay_out(work.point.part, 1).scene.kernel()
    kernel.run(100_000_000)
    _, _, _, acknowledged, failed, *_ = kernel.totals(0)
    assert acknowledged == 0
    assert 100e6 / failed == pytest.approx(_given_up_us(Access(), 7, FRAME_US) + 20 * 31 / 2, rel=0.01)


# Who sleeps.


def test_who_sleeps_is_nobodys_receiver(write):
    near = PLAN.replace('to = "hub"', 'to = "nearest"')
    scene = lay_out(planfile.read(write(near)).points[0].part, 1).scene
    assert {stream.to for stream in scene.traffic} == {0}
    with pytest.raises(UserError, match=r"traffic\[0\]\.to: leaf is not awake between its messages"):
        planfile.read(write(PLAN.replace('from = "leaf"\nto = "hub"', 'from = "hub"\nto = "leaf[1]"')))
    alone = near.replace("at = [0, 0]", "at = [0, 0]\nchannel = 6")
    with pytest.raises(UserError, match=r"nobody else is awake on channel 1, as leaf\[0\] is"):
        lay_out(planfile.read(write(alone)).points[0].part, 1)


def test_who_sleeps_is_neither_in_reach_nor_hears_messages_to_all(write):
    def figures(text):
        return run.run_once(run.work_of(planfile.read(write(text)))[0])["traffic"]["report"]

    to_all = PLAN.replace('to = "hub"', 'to = "all"')
    asleep = figures(to_all)
    awake = figures(to_all.replace("deep-sleep", "awake"))
    assert asleep["delivery"] == awake["delivery"] == 1
    # The hub alone, and one leaf besides.
    assert asleep["throughput_kbit_s"] * 2 == awake["throughput_kbit_s"] > 0
    # Nobody is awake beside who sends: what arrives has no meaning.
    alone = figures(to_all.replace("at = [0, 0]", "at = [0, 0]\nchannel = 6"))
    assert (alone["delivery"], alone["throughput_kbit_s"]) == (None, 0)


def test_a_burst_is_one_wake(write):
    one = figures_of(write(PLAN))
    three = figures_of(write(PLAN + "burst = {count = 3}\n"))
    assert three["current_ma"] * three["boot_share"] == pytest.approx(one["current_ma"] * one["boot_share"], rel=1e-4)
    assert three["current_ma"] * three["transmit_share"] == pytest.approx(
        3 * one["current_ma"] * one["transmit_share"], rel=1e-3
    )


def test_who_sleeps_hears_nobody_on_the_map(write):
    layout = lay_out(planfile.read(write(PLAN)).points[0].part, 1)
    assert hearing(layout.scene) == [(0, 1), (0, 2), (1, 2)]
    assert hearing(layout.scene, layout.asleep) == [(0, 1), (0, 2)]
    assert hearing(layout.scene, frozenset(range(3))) == []


# Mistakes.

MISTAKES = [
    ('chip = "esp32-c3"\nbetween', 'chip = "esp32-c5"\nbetween', 'station[1].energy.chip: "esp32-c5" is not "esp32", '),
    ('chip = "esp32-c3"\nbetween', "between", "station[1].energy.chip: it is missing; it is "),
    ('"deep-sleep"', '"sleep"', 'station[1].energy.between: "sleep" is not "awake", "idle", "modem-sleep", '),
    ("20ms", "20", 'station[1].energy.listen: "20'),
    ("battery = 1000", "battery = 0", "station[1].energy.battery: 0 is not a number of mAh from 1 to 1000000"),
    ("battery = 1000", "", "station[1].energy: usable and self_discharge are a battery's: write battery, its capacity"),
    ("usable = 0.8", "usable = 80", "station[1].energy.usable: 80 is not a number from 0.01 to 1"),
    ("usable = 0.8", "self_discharge = 1", "station[1].energy.self_discharge: 1 is not a number from 0 to 0.99"),
    ("usable = 0.8", "board = -1", "station[1].energy.board: -1 is not a number of mA from 0 to 1000"),
    ("usable = 0.8", "voltage = 3", "station[1].energy.voltage: there is no such key"),
    (
        '"2s"',
        '"500ms"',
        "station[1].energy.between: deep-sleep does not go with so many messages: esp32-c3 takes 655 ms",
    ),
    ('every = "2s"', "saturated = true", "station[1].energy.between: deep-sleep does not go with so many messages"),
    (
        'chip = "esp32-c3"\nbetween',
        'chip = "esp8266"\nbetween',
        "traffic[0].rate: leaf is of esp8266, which has no LORA_250K",
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), MISTAKES, ids=[told[:50] for *_, told in MISTAKES])
def test_a_mistake_is_told_in_one_line(write, old, new, told):
    text = PLAN.replace(old, new)
    if "esp8266" in new:
        text += 'rate = "LORA_250K"\n'
    if new == "20":
        text = PLAN.replace('"20ms"', '"20 parsecs"')
    path = write(text)
    with pytest.raises(UserError) as error:
        planfile.read(path)
    assert str(error.value).isprintable()
    assert str(error.value).startswith(f"{path}: {told}")


# Files and the command.


def test_energy_is_in_the_table_the_files_and_the_report(command, write, tmp_path):
    path = write(PLAN + '[sweep]\nstation.leaf.energy.between = ["deep-sleep", "light-sleep"]\n')
    code, out, err = command(path, "--workers", 1, "--html", "report.html")
    assert (code, err) == (0, [])
    head = next(number for number, line in enumerate(out) if "current mA" in line)
    assert "lasts days" in out[head]
    assert [line.split()[:2] for line in out[head + 1 : head + 5]] == [
        [between, group] for between in ("deep-sleep", "light-sleep") for group in ("hub", "leaf")
    ]
    with (tmp_path / "plan-results" / "energy.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["group"], row["battery_days"] == "") for row in rows] == [("hub", True), ("leaf", False)] * 2
    assert float(rows[1]["battery_days_half"]) >= 0
    text = (tmp_path / "report.html").read_text()
    assert "<h2>Energy</h2>" in text
    assert "How long its battery lasts".lower() in text.lower()
    assert "where the charge goes" in text

    code, out, _ = command(path, "--workers", 1, "--json", "--resume")
    energy = [row for row in map(json.loads, out) if "group" in row]
    assert [row["group"] for row in energy] == ["hub", "leaf"] * 2
    assert all(len(row["current_ma"]) == 2 for row in energy)

    # A plan without chips leaves no file of an earlier one.
    plain = write(
        PLAN.partition("[station.energy]")[0].replace('energy = {chip = "esp32-c3"}\n', "")
        + PLAN[PLAN.index("[[traffic]]") :]
    )
    assert command(plain, "--workers", 1)[0] == 0
    assert not (tmp_path / "plan-results" / "energy.csv").exists()


def test_energy_is_in_a_file_of_parquet_of_its_own(command, write, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert command(write(PLAN), "--workers", 1, "--parquet")[0] == 0
    rows = parquet.read_table(tmp_path / "plan-results" / "energy.parquet").to_pylist()
    assert [(row["group"], row["seed"]) for row in rows] == [("hub", 1), ("leaf", 1), ("hub", 2), ("leaf", 2)]


def test_a_report_without_a_sweep_has_plots_by_name(write):
    read = planfile.read(write(PLAN))
    records = [run.run_once(work) for work in run.work_of(read)]
    text = report.render(read, records, summarise(records), summarise(records, "energy", ENERGY))
    assert ">leaf</text>" in text
    assert "mean current of a station" in text

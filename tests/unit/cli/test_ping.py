"""``espnow ping``: what it prints, what it sends, how it ends; and what every command on a radio does alike."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from espnow import radio as radios
from espnow.cli._station import Answer
from espnow.cli.ping import PingStatistics, ping_message
from espnow.frame import RATE_6M, RATE_MCS0_SHORT, Frame, format_mac
from espnow.link import Abilities, Interface, Outcome

PEER = "30:aa:aa:aa:aa:aa"
OWN = bytes.fromhex("18fe34000004")


# What it prints.


def test_a_line_a_try_and_statistics_as_ping_has_them(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.script(["acknowledge", "refuse", "acknowledge", "unknown"]))
    result = radio.run("ping", PEER, "-c", "4")
    assert result.out == [
        f"PING {PEER} from 18:fe:34:00:00:04 on channel 1 of scripted:, 20 bytes",
        f"{PEER} acknowledged: seq=1 attempts=1 time=3.000 ms",
        f"{PEER} did not answer: seq=2 attempts=7 time=3.000 ms",
        f"{PEER} acknowledged: seq=3 attempts=1 time=3.000 ms",
        f"{PEER} may have answered: seq=4 attempts=7 time=3.000 ms",
        f"--- {PEER} ping statistics ---",
        "4 sent, 2 acknowledged, 33.3% loss, 1 unknown, time 3003 ms",
        "rtt min/avg/max/mdev = 3.000/3.000/3.000/0.000 ms, 1 attempts on average",
    ]
    assert (result.code, result.err) == (0, [])


def test_json(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.script(["acknowledge", "refuse"]))
    result = radio.run("ping", PEER, "-c", "2", "-i", "10ms", "--json")
    *tries, last = result.json
    assert tries == [
        {"seq": 1, "outcome": "acknowledged", "attempts": 1, "ms": 3.0},
        {"seq": 2, "outcome": "not acknowledged", "attempts": 7, "ms": 3.0},
    ]
    assert last["statistics"] == {
        "sent": 2,
        "acknowledged": 1,
        "not_acknowledged": 1,
        "unknown": 0,
        "loss": 0.5,
        "attempts": 1.0,
        "min_ms": 3.0,
        "mean_ms": 3.0,
        "max_ms": 3.0,
        "mdev_ms": 0.0,
        "lasted_ms": 13,
    }


def test_nobody_answers(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.refuse())
    result = radio.run("ping", PEER, "-c", "2", "-i", "0")
    assert result.out[-1] == "2 sent, 0 acknowledged, 100% loss, time 6 ms"
    assert result.code == 1


def test_a_radio_that_cannot_tell_says_so(radio: Any) -> None:
    radio.abilities = Abilities(tells_outcome=False, tells_attempts=False)
    radio.when_opened(lambda: radio.link.script(["unknown", "unknown"]))
    result = radio.run("ping", PEER, "-c", "2")
    assert result.err == [
        "espnow ping: this radio cannot tell whether a frame was acknowledged: such a try counts as unknown"
    ]
    assert result.out[1] == f"{PEER} may have answered: seq=1 time=3.000 ms"
    assert result.out[-1] == "2 sent, 0 acknowledged, loss unknown, 2 unknown, time 1003 ms"
    assert result.code == 1


def test_a_radio_that_learns_that_it_cannot_tell(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.script(["acknowledge", "unknown", "unknown"]))
    radio.at(1_001, lambda: setattr(radio.link, "abilities", Abilities(tells_outcome=False, tells_attempts=False)))
    result = radio.run("ping", PEER, "-c", "3")
    assert len(result.err) == 1
    assert "attempts=1" in result.out[1]
    assert result.out[3] == f"{PEER} may have answered: seq=3 time=3.000 ms"
    assert result.out[-1] == "rtt min/avg/max/mdev = 3.000/3.000/3.000/0.000 ms"
    assert result.code == 0


# What it sends.


@pytest.mark.parametrize(
    ("number", "size", "sent"),
    [(7, 20, b"espnow ping 7......."), (7, 6, b"espnow"), (12345678901, 20, b"espnow ping 12345678"), (1, 1, b"e")],
)
def test_a_message_says_what_it_is(number: int, size: int, sent: bytes) -> None:
    assert ping_message(number, size) == sent


@pytest.mark.parametrize(("size", "version"), [(1, 1), (250, 1), (251, 2), (1470, 2)])
def test_size(radio: Any, size: int, version: int) -> None:
    radio.run("ping", PEER, "-c", "1", "--size", size)
    (frame,) = radio.link.sent
    assert isinstance(frame, Frame)
    assert (len(frame.message), frame.version) == (size, version)


def test_the_radio_is_told_channel_address_and_rate(radio: Any) -> None:
    radio.run("ping", PEER, "-c", "1", "--channel", "6", "--mac", "02:00:00:00:00:09", "--rate", "6m")
    config = radio.link.config
    assert (config.channel, config.rate, config.receiver_on, config.promiscuous) == (6, RATE_6M, True, False)
    assert config.addresses == ((Interface.STA, bytes.fromhex("020000000009")),)
    (frame,) = radio.link.sent
    assert (format_mac(frame.source), format_mac(frame.destination)) == ("02:00:00:00:00:09", PEER)
    assert radio.link.closed
    assert radio.loop.closed


def test_intervals_are_kept_and_never_overlap(radio: Any) -> None:
    times: list[int] = []

    def note() -> None:
        transmit = radio.link.transmit
        radio.link.answer_after_us = 25_000
        radio.link.transmit = lambda *frame: (times.append(radio.loop.now_us), transmit(*frame))

    radio.when_opened(note)
    radio.run("ping", PEER, "-c", "3", "-i", "10ms")
    assert times == [0, 25_000, 50_000]
    times.clear()
    radio.run("ping", PEER, "-c", "3", "-i", "40ms")
    assert times == [0, 40_000, 80_000]


def test_after_a_slow_answer_the_interval_is_kept(radio: Any) -> None:
    times: list[int] = []

    def note() -> None:
        transmit = radio.link.transmit

        def slow_at_first(*frame: Any) -> None:
            radio.link.answer_after_us = 3_000 if times else 25_000
            times.append(radio.loop.now_us)
            transmit(*frame)

        radio.link.transmit = slow_at_first

    radio.when_opened(note)
    radio.run("ping", PEER, "-c", "4", "-i", "10ms")
    assert times == [0, 25_000, 35_000, 45_000]


def test_a_radio_that_is_full_is_tried_again(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.run_out_of_memory(3))
    result = radio.run("ping", PEER, "-c", "1")
    assert result.code == 0
    assert len(radio.link.frames) == 1


# How it ends.


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_statistics(radio: Any, number: int, code: int) -> None:
    radio.interrupt(1_500, number)
    result = radio.run("ping", PEER)
    assert result.out[-2].startswith("2 sent, 2 acknowledged, 0% loss, time 1003 ms")
    assert (result.code, result.err) == (code, [])
    assert radio.link.closed
    assert signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL)


def test_ctrl_c_while_nobody_has_answered(radio: Any) -> None:
    radio.when_opened(lambda: radio.link.withhold())
    radio.interrupt(500)
    result = radio.run("ping", PEER)
    assert result.out[-1] == "1 sent, 0 acknowledged, loss unknown, 1 still under way, time 500 ms"
    assert result.code == 1


def test_help_says_which_sizes_there_are(radio: Any) -> None:
    told = " ".join(" ".join(radio.run("ping", "--help").out).split())
    assert "length of the message, 1 to 1470, beyond 250 one of ESP-NOW v2 (default: 20)" in told


MISTAKES = [
    (["ff:ff:ff:ff:ff:ff"], "ff:ff:ff:ff:ff:ff is a group's address: nobody acknowledges what is for a group"),
    (["broadcast"], "ff:ff:ff:ff:ff:ff is a group's address: nobody acknowledges what is for a group"),
    (["30:aa"], "MAC: 30:aa is no MAC address: write it as aa:bb:cc:dd:ee:ff"),
    ([PEER, "-c", "0"], "--count: 0 is no whole number from 1 to 1000000000"),
    ([PEER, "-c", "²"], "--count: ² is no whole number from 1 to 1000000000"),
    ([PEER, "-i", "soon"], "--interval: soon: a time is a number and a unit, as in 500ms, 30s, 10m, 2h, 1d"),
    ([PEER, "--size", "1471"], "--size: 1471 is no whole number from 1 to 1470"),
    ([PEER, "--channel", "15"], "--channel: 15 is no whole number from 1 to 14"),
    ([PEER, "--channel", "\x1b[2J"], "--channel: \\x1b[2J is no whole number from 1 to 14"),
    (
        [PEER, "--mac", "01:00:00:00:00:00"],
        "--mac: 01:00:00:00:00:00 is a multicast address; a board's own has an even",
    ),
    ([PEER, "--mac", "hush_hush_secret"], "--mac: (not shown: it could be a key) is no MAC address"),
    ([PEER, "--rate", "7M"], "--rate: there is no 7M; there are 1M, 2M, 5M, 11M, 2M_S,"),
    ([PEER, "--radio", "udp"], "'udp' is no radio: its name has a colon; write udp:"),
]


@pytest.mark.parametrize(("arguments", "line"), MISTAKES, ids=lambda value: " ".join(value)[:30])
def test_a_mistake_is_one_line(radio: Any, arguments: list[str], line: str) -> None:
    result = radio.run("ping", *arguments)
    assert result.code == 2
    assert result.out == []
    (told,) = result.err
    assert told.startswith(f"espnow ping: {line}")


# What every command on a radio does alike.


def test_what_the_radio_has_not_is_told(radio: Any) -> None:
    radio.abilities = Abilities(channels=frozenset((1, 6)), rates=frozenset((0,)))
    result = radio.run("ping", PEER, "--channel", "11")
    assert result.err == ["espnow ping: --channel: this radio does not have channel 11; it has 1, 6"]
    assert result.code == 2
    result = radio.run("ping", PEER, "-c", "1", "--rate", "mcs0_sgi")
    assert result.err == ["espnow ping: this radio does not send with MCS0_SGI, and takes another rate"]
    assert radio.link.config.rate == RATE_MCS0_SHORT
    radio.abilities = Abilities(sends=False)
    result = radio.run("ping", PEER, "-c", "1")
    assert result.err == ["espnow ping: radio scripted: sends nothing: it only hears"]
    assert (result.code, radio.link.closed, radio.loop.closed) == (2, True, True)


def test_trouble_is_said_once_and_so_is_its_end(radio: Any) -> None:
    def set_trouble(text: str | None) -> None:
        radio.link.trouble = text

    radio.at(1_100, lambda: set_trouble("wlan1 is down: ip link set wlan1 up"))
    radio.at(3_100, lambda: set_trouble(None))
    result = radio.run("ping", PEER, "-c", "6")
    assert result.err == [
        "espnow ping: the radio is in trouble: wlan1 is down: ip link set wlan1 up",
        "espnow ping: the radio works again",
    ]


def test_trouble_that_the_radio_tells_itself_is_not_said_twice(radio: Any) -> None:
    def set_trouble(text: str | None, told: str) -> None:
        radio.link.trouble = text
        radio.report(told)

    radio.at(1_100, lambda: set_trouble("gone", "gone\x1b[2J"))
    radio.at(3_100, lambda: set_trouble(None, "back"))
    result = radio.run("ping", PEER, "-c", "6")
    assert result.err == ["espnow ping: gone\\x1b[2J", "espnow ping: back"]


def test_trouble_from_the_beginning_is_said(radio: Any) -> None:
    radio.when_opened(lambda: setattr(radio.link, "trouble", "rfkill"))
    assert radio.run("ping", PEER, "-c", "1").err == ["espnow ping: the radio is in trouble: rfkill"]


def test_what_the_radio_tells_when_it_is_closed_is_printed(radio: Any) -> None:
    radio.when_opened(lambda: setattr(radio.link, "close", lambda: radio.report("wlan1 is as it was")))
    assert radio.run("ping", PEER, "-c", "1").err == ["espnow ping: wlan1 is as it was"]


def test_radio_and_channel_come_from_the_environment(radio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPNOW_RADIO", "no such")
    monkeypatch.setenv("ESPNOW_CHANNEL", "11")
    radio.run("ping", PEER, "-c", "1")
    assert radio.link.config.channel == 11
    result = radio.run("ping", PEER, "-c", "1", "--radio", "")
    assert result.err == ["espnow ping: 'no such' is no radio: its name has a colon; write udp: or monitor:wlan1"]
    monkeypatch.setenv("ESPNOW_CHANNEL", "none")
    result = radio.run("ping", PEER, "-c", "1")
    assert result.err == ["espnow ping: ESPNOW_CHANNEL: none is no whole number from 1 to 14"]
    assert "no such" not in radios.KINDS


def test_the_reader_of_the_output_leaves() -> None:
    """It ends although it has nothing to print for an hour."""
    read, write = os.pipe()
    command = [sys.executable, "-m", "espnow", "ping", "--radio", "none:", "-i", "1h", PEER]
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True) as process:
        os.close(write)
        printed = b""
        while printed.count(b"\n") < 2:
            printed += os.read(read, 4096)
        os.close(read)
        _, err = process.communicate(timeout=50)
    assert (process.returncode, err) == (1, "")


# Statistics.


def test_statistics_are_those_of_the_times() -> None:
    statistics = PingStatistics()
    times = [1_000, 2_000, 6_000]
    for us in times:
        statistics.sent += 1
        statistics.add(Answer(Outcome.ACKNOWLEDGED, 2, us))
    mdev = math.sqrt(sum((us / 1000 - 3) ** 2 for us in times) / 3)
    assert statistics.times_ms == pytest.approx((1, 3, 6, mdev))
    assert statistics.attempts_mean == 2
    assert statistics.loss == 0
    assert PingStatistics().times_ms is None
